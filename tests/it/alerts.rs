//! Alerts from end to end: lines as nginx writes them, `alt run`, PostgreSQL, and receivers of messages.

mod cost;
mod explain;
mod kills;
mod model;
mod numbers;
mod pooled;
mod telling;
mod troubles;
mod waits;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use alt_process::fault::Step;
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::kill::full;
use crate::replay::{replay, write};
use crate::serve::{Api, bearer, token};
use crate::support::bench::Bench;
use crate::support::daemon::{Daemon, alt, wait_for};
use crate::support::lines::{alt1_at, now};
use crate::support::postgres::{Cluster, Database};
use crate::support::receiver::{Act, Certificate, Python, Receiver};

/// A receiver that takes everything.
pub(crate) fn receiver() -> Receiver {
    Receiver::start(Act::Answer("HTTP/1.1 204 No Content\r\n\r\n".to_owned()))
}

/// A bench with alerts on, and these receivers as channels `c0`, `c1` …
pub(crate) fn with_alerts(receivers: &[&Receiver]) -> Bench {
    let bench = Bench::not_started("[[source]]\npaths = [\"DIR/beacon.log\"]", Database::create());
    let allow: Vec<String> = receivers.iter().map(|receiver| format!("\"{}\"", receiver.address)).collect();
    let mut more = format!("\n[alerts]\nenabled = true\nallow = [{}]\n", allow.join(", "));
    for (n, receiver) in receivers.iter().enumerate() {
        let url = receiver.url("/hook");
        write!(more, "[[channel]]\nname = \"c{n}\"\nkind = \"slack\"\nurl = \"{url}\"\n").unwrap();
    }
    append(&bench, &more);
    bench
}

fn append(bench: &Bench, text: &str) {
    let known = fs::read_to_string(&bench.config).unwrap();
    fs::write(&bench.config, known + text).unwrap();
}

/// Runs `alt alerts` with a standard input: exit code, and what it said on both outputs.
fn alerts_with(bench: &Bench, args: &[&str], input: &str) -> (i32, String) {
    let mut child = alt()
        .arg("alerts")
        .args(args)
        .arg("--config")
        .arg(&bench.config)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(said).unwrap())
}

pub(crate) fn alerts(bench: &Bench, args: &[&str]) -> (i32, String) {
    alerts_with(bench, args, "")
}

/// Does what must succeed.
pub(crate) fn done(bench: &Bench, args: &[&str]) -> String {
    let (code, said) = alerts(bench, args);
    assert_eq!(code, 0, "{args:?}: {said}");
    said
}

/// Adds rules that judge the last hours, too.
pub(crate) fn add_rules(bench: &Bench, rules: &str) {
    let (code, said) = alerts_with(bench, &["rule", "add", "-", "--from", "2h"], rules);
    assert_eq!(code, 0, "{said}");
}

/// Fires in a slot with more than two events.
const BUSY: &str = "[[rule]]\nname = \"busy\"\nwindow = \"5s\"\ncompare = \"> 2\"\nseverity = \"high\"\n";

pub(crate) fn start(bench: &mut Bench) {
    bench.daemon = Some(start_with(bench, |_| {}));
}

fn start_with(bench: &Bench, prepare: impl FnOnce(&mut Command)) -> Daemon {
    Daemon::start_with(&bench.config, |command| {
        command.env("ALT_FAULT_WAIT", "1500");
        prepare(command);
    })
}

/// All that is known of alerts, for a failed test.
pub(crate) fn state(bench: &Bench) -> String {
    let ask = |sql: &str| bench.database.psql(sql);
    format!(
        "episodes:\n{}\ntransitions:\n{}\noutbox:\n{}\njudged: {}\nmarks: {}\nsources: {}\n{}",
        ask("SELECT id, key_id, began_at, ended_at, state, title FROM alert_episodes ORDER BY id"),
        ask("SELECT episode_id, seq, at, kind FROM alert_transitions ORDER BY 1, 2"),
        ask("SELECT episode_id, seq, channel, state, attempts, error FROM alert_outbox ORDER BY 1, 2, 3"),
        ask("SELECT app_id, judged_at FROM alert_apps"),
        ask("SELECT * FROM alert_dirty"),
        ask("SELECT * FROM alert_sources"),
        bench.daemon.as_ref().map_or_else(String::new, Daemon::log),
    )
}

/// Waits until SQL answers this.
pub(crate) fn until(bench: &Bench, sql: &str, answer: &str) {
    let asked = || bench.database.psql(sql);
    wait_for(60, || asked() == answer, || format!("{sql}: {}, and not {answer}\n{}", asked(), state(bench)));
}

/// Times of alerts by rule and labels, as far as anything that happened later could not change them.
fn intervals(bench: &Bench) -> String {
    bench.database.psql(
        "SELECT r.name, k.labels, e.severity, e.began_at, e.ended_at FROM alert_episodes e JOIN alert_keys k ON k.id \
         = e.key_id \
         JOIN alert_rules r ON r.id = e.rule_id WHERE e.corrected_at IS NULL AND e.superseded_by IS NULL ORDER BY 1, \
         2, 4",
    )
}

/// What a receiver was sent, as texts of messages.
pub(crate) fn texts(receiver: &Receiver) -> Vec<String> {
    let text = |request: &String| {
        let body = request.split("\r\n\r\n").nth(1).unwrap_or_default();
        let body: Value = serde_json::from_str(body).unwrap_or_else(|e| panic!("{e}: {request}"));
        body["text"].as_str().unwrap().to_owned()
    };
    receiver.requests().iter().map(text).collect()
}

#[test]
fn lines_make_an_alert_that_is_told_and_ends_by_itself() {
    let receiver = receiver();
    let mut bench = with_alerts(&[&receiver]);
    add_rules(&bench, BUSY);
    start(&mut bench);
    until(&bench, "SELECT count(*) FROM alert_apps", "1");
    bench.append("beacon.log", 12);
    until(&bench, "SELECT count(*) FROM alert_transitions WHERE kind = 'firing'", "1");
    until(&bench, "SELECT count(*) FROM alert_outbox WHERE state = 'sent'", "2");
    let texts = texts(&receiver);
    assert!(texts[0].contains("FIRING") && texts[0].contains("busy"), "{texts:?}");
    assert!(texts[1].contains("RESOLVED"), "{texts:?}");
    let (code, said) = alerts(&bench, &["list"]);
    assert_eq!((code, said.trim()), (3, "no alert is open"));
    let all: Value = serde_json::from_str(&done(&bench, &["list", "--all", "--json"])).unwrap();
    assert_eq!((&all[0]["state"], &all[0]["rule"]), (&"resolved".into(), &"busy".into()));
    let explained = done(&bench, &["explain", &all[0]["id"].to_string()]);
    assert!(explained.contains("12.00") && explained.contains("compare = \"> 2\""), "{explained}");
    // What was stored of the slots is what the rows say.
    let would: Value =
        serde_json::from_str(&done(&bench, &["backtest", "busy", "--since", "1h", "--json"])).unwrap();
    assert_eq!(would[0]["ended"], all[0]["ended"], "{would}");
    bench.stop();
}

/// A time of day some minutes ago at which a slot begins, milliseconds since 1970.
pub(crate) fn ago(minutes: u128) -> u128 {
    (now() - minutes * 60_000) / 5000 * 5000
}

/// Lines of so many events in the slots of five seconds from a time on.
pub(crate) fn slots(from: u128, counts: &[u32]) -> (String, usize) {
    let mut text = String::new();
    for (n, count) in (0u128..).zip(counts) {
        (0..*count).for_each(|k| text += &alt1_at(from + n * 5000 + u128::from(k)));
    }
    (text, counts.iter().map(|n| *n as usize).sum())
}

/// Lines that lie still: they are followed, and everything behind the watermark is judged.
fn judged(bench: &Bench) {
    let sql = "SELECT (SELECT count(*) FROM alert_dirty), (SELECT count(*) FROM batches b, followers f \
               WHERE f.name = 'alerts' AND NOT pg_visible_in_snapshot(b.xid, f.seen)), \
               (SELECT count(*) FROM alert_apps WHERE judged_at > now() - interval '20 seconds')";
    until(bench, sql, "0|0|1");
}

/// Loads lines, and lets it be known that all are there, before there is a rule: so the first that is judged has all of it.
/// Returns when the first slot begins.
fn loaded(bench: &mut Bench, counts: &[u32]) -> u128 {
    let from = ago(10);
    let (text, lines) = slots(from, counts);
    bench.append_text("beacon.log", &text, lines);
    start(bench);
    bench.settle();
    until(bench, "SELECT count(*) FROM alert_sources WHERE upto > now() - interval '5 minutes'", "1");
    bench.stop();
    bench.database.psql("UPDATE alert_sources SET beat_at = now() + interval '1 hour'");
    add_rules(bench, BUSY);
    from
}

/// No message is lost, enqueued twice, or left.
fn settled(bench: &Bench, receiver: &Receiver) {
    until(bench, "SELECT count(*) FROM alert_outbox WHERE state = 'due'", "0");
    let doubled = "SELECT episode_id, seq, channel FROM alert_outbox GROUP BY 1, 2, 3 HAVING count(*) > 1";
    assert_eq!(bench.database.psql(doubled), "");
    let missing = "SELECT t.episode_id, t.seq FROM alert_transitions t \
                   LEFT JOIN alert_outbox o USING (episode_id, seq) WHERE o.id IS NULL";
    assert_eq!(bench.database.psql(missing), "", "{}", state(bench));
    let sent: usize =
        bench.database.psql("SELECT count(*) FROM alert_outbox WHERE state = 'sent'").parse().unwrap();
    let texts = texts(receiver);
    let distinct: std::collections::BTreeSet<&String> = texts.iter().collect();
    assert_eq!(distinct.len(), sent, "{texts:?}\n{}", state(bench));
}

const STEPS: [Step; 10] = [
    Step::JudgeMarked,
    Step::JudgeBegun,
    Step::JudgeRead,
    Step::JudgeStored,
    Step::JudgeCommitted,
    Step::NotifyTaken,
    Step::NotifySending,
    Step::NotifySent,
    Step::NotifySettled,
    Step::NotifyCommitted,
];

/// A kill at each step; 20 with `ALT_TEST_FULL=1`.
#[test]
fn wherever_the_daemon_dies_nothing_is_lost_or_told_twice() {
    for step in STEPS {
        for time in 1..=if full() { 20 } else { 1 } {
            let receiver = receiver();
            let mut bench = with_alerts(&[&receiver]);
            loaded(&mut bench, &[3, 0, 4, 1, 5, 0]);
            let mut daemon =
                start_with(&bench, |command| _ = command.env("ALT_FAULT_AT", format!("{step:?}:{time}")));
            wait_for(60, || daemon.ended().is_some(), || format!("{step:?}: {}", state(&bench)));
            assert!(daemon.log().contains(&format!("dies at {step:?}")), "{}", daemon.log());
            start(&mut bench);
            bench.settle();
            judged(&bench);
            until(&bench, "SELECT count(*) FROM alert_transitions", "6");
            settled(&bench, &receiver);
            assert_eq!(
                texts(&receiver).len().saturating_sub(6),
                usize::from(texts(&receiver).len() > 6),
                "{step:?}"
            );
        }
    }
}

/// What a replay finds is what reading live found; what is taken out dissolves its alert, and the same rows bring the
/// same one back.
#[test]
fn a_replay_finds_what_was_found_live_and_an_unload_corrects_it() {
    let (from, counts) = (ago(40), [3, 4, 0, 0, 5, 1, 1, 0, 7, 7]);
    let rules = format!(
        "{BUSY}\n[[rule]]\nname = \"paths\"\nwindow = \"10s\"\ncompare = \"> 0\"\ngroup_by = [\"path\"]\n\
         filter = {{ path = \"*7\" }}\n[[rule]]\nname = \"gap\"\ncompare = \"absent for 10s\"\nseverity = \
         \"low\"\nkeep_firing = \"5s\"\n"
    );
    let (text, lines) = slots(from, &counts);
    let mut told = Vec::new();
    for is_live in [true, false] {
        let receiver = receiver();
        let mut bench = with_alerts(&[&receiver]);
        let (code, said) =
            alerts_with(&bench, &["rule", "add", "-", "--from", &rfc3339(from - 60_000)], &rules);
        assert_eq!(code, 0, "{said}");
        start(&mut bench);
        if is_live {
            // As it comes: in pieces, each judged before the next.
            let all: Vec<&str> = text.split_inclusive('\n').collect();
            for (n, some) in all.chunks(10).enumerate() {
                bench.append_text("beacon.log", &some.concat(), some.len());
                let count = format!("{}", (10 * (n + 1)).min(lines));
                until(&bench, "SELECT count(*) FROM access_logs", &count);
                judged(&bench);
            }
        } else {
            judged_once(&bench);
            write(&mut bench, "old/beacon.log.1", &text, lines);
            replay(&bench, &["old"]).unwrap();
        }
        bench.settle();
        judged(&bench);
        let found = intervals(&bench);
        assert!(found.lines().count() > 4, "{found}");
        told.push(found.clone());
        if !is_live {
            let (code, said) = unload(&bench, from);
            assert_eq!(code, 0, "{said}");
            judged(&bench);
            let left = "SELECT count(*) FROM alert_episodes e JOIN alert_rules r ON r.id = e.rule_id \
                        WHERE r.name <> 'gap' AND corrected_at IS NULL AND superseded_by IS NULL";
            until(&bench, left, "0");
            replay(&bench, &["old", "--again"]).unwrap();
            judged(&bench);
            until(&bench, "SELECT count(*) > 0 FROM alert_episodes WHERE seq > 2", "t");
            let again = "SELECT key_id, began_at FROM alert_episodes WHERE corrected_at IS NULL AND superseded_by IS \
            NULL \
                         GROUP BY 1, 2 HAVING count(*) > 1";
            assert_eq!(bench.database.psql(again), "");
            assert_eq!(intervals(&bench), found, "{}", state(&bench));
        }
        bench.stop();
    }
    assert_eq!(told[0], told[1]);
}

fn judged_once(bench: &Bench) {
    until(bench, "SELECT count(*) FROM alert_apps WHERE judged_at > now() - interval '20 seconds'", "1");
}

fn rfc3339(millis: u128) -> String {
    jiff::Timestamp::from_millisecond(i64::try_from(millis).unwrap()).unwrap().to_string()
}

fn unload(bench: &Bench, from: u128) -> (i32, String) {
    let mut command = alt();
    command
        .args(["unload", "--app", "shop", "--since", &rfc3339(from - 1000), "--config"])
        .arg(&bench.config);
    let output = command.stdin(Stdio::null()).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(said).unwrap())
}

/// Two hosts, each with a log of its own: one judges, and if it is stopped, the other does within some seconds.
#[test]
fn of_two_daemons_one_judges_and_a_stopped_one_is_replaced() {
    let receiver = receiver();
    let mut bench = with_alerts(&[&receiver]);
    let text = fs::read_to_string(&bench.config).unwrap();
    let other = bench.path("other.toml");
    fs::write(&other, text.replace("beacon.log", "other.log").replace("[load]", "[load]\nhost = \"other\""))
        .unwrap();
    let from = loaded(&mut bench, &[3, 0, 4]);
    bench.daemon = Some(start_with(&bench, |command| _ = command.env("ALT_FAULT_STOP_AT", "JudgeRead")));
    let first = bench.config.with_extension("stderr");
    let stops = || fs::read_to_string(&first).unwrap().contains("stops at JudgeRead");
    wait_for(60, stops, || state(&bench));
    let second = Daemon::start_with(&other, |command| _ = command.env("ALT_FAULT_WAIT", "1500"));
    let (text, lines) = slots(from + 60_000, &[0, 5, 0, 6, 0]);
    bench.append_text("other.log", &text, lines);
    until(&bench, "SELECT count(*) FROM alert_transitions WHERE kind = 'resolved'", "4");
    // Stopped between what it read and what it would store: it stores nothing.
    bench.daemon.as_ref().unwrap().signal(Signal::SIGCONT);
    std::thread::sleep(Duration::from_secs(4));
    until(&bench, "SELECT count(*) FROM alert_transitions", "8");
    settled(&bench, &receiver);
    assert!(second.stop().success());
    bench.stop();
}

/// Rows that are committed while their time is judged; the ledger tells of them, or a mark.
#[test]
fn rows_that_come_while_their_time_is_judged_are_seen() {
    let ledger = "INSERT INTO batches (part, kind, first_at, last_at, rows, apps, hours) \
                  SELECT 1, 'rows', occurred_at, occurred_at, 5, ARRAY[app_id], \
                  ARRAY[floor(extract(epoch FROM occurred_at) / 3600)::integer] FROM access_logs LIMIT 1";
    let mark = "INSERT INTO alert_dirty (app_id, from_at, until_at) \
                SELECT app_id, occurred_at, occurred_at + interval '1 microsecond' FROM access_logs LIMIT 1";
    for (step, told) in
        [("JudgeBegun", mark), ("JudgeRead", mark), ("JudgeBegun", ledger), ("JudgeRead", ledger)]
    {
        let receiver = receiver();
        let mut bench = with_alerts(&[&receiver]);
        add_rules(&bench, BUSY);
        bench.append_text("beacon.log", &slots(ago(10), &[1]).0, 1);
        let at = format!("{step}:2");
        bench.daemon = Some(start_with(&bench, |command| _ = command.env("ALT_FAULT_STOP_AT", at)));
        let stops = format!("stops at {step}");
        wait_for(60, || bench.daemon.as_ref().unwrap().log().contains(&stops), || state(&bench));
        bench.database.psql(&format!(
            "BEGIN; INSERT INTO access_logs (occurred_at, event_id, file_offset, app_id, file_id, traffic_class, \
             event_type) \
             SELECT l.occurred_at, gen_random_uuid(), n, l.app_id, l.file_id, l.traffic_class, 'pageview' \
             FROM access_logs l, generate_series(1, 5) n; {told}; COMMIT"
        ));
        bench.daemon.as_ref().unwrap().signal(Signal::SIGCONT);
        until(&bench, "SELECT count(*) FROM alert_episodes WHERE state = 'resolved'", "1");
        bench.stop();
    }
}

/// Silences, acknowledgements and resolutions, by the command line.
#[test]
fn people_silence_acknowledge_and_resolve() {
    let receiver = receiver();
    let mut bench = with_alerts(&[&receiver]);
    add_rules(&bench, "[[rule]]\nname = \"quiet\"\ncompare = \"absent for 10s\"\nwindow = \"5s\"\n");
    assert!(done(&bench, &["silence", "add", "--rule", "qu*", "--for", "1h"]).contains("the silence 1"));
    start(&mut bench);
    until(&bench, "SELECT state FROM alert_outbox", "silenced");
    assert!(receiver.requests().is_empty());
    done(&bench, &["silence", "end", "1"]);
    until(&bench, "SELECT state FROM alert_outbox", "sent");
    let id = bench.database.psql("SELECT id FROM alert_episodes");
    done(&bench, &["ack", &id, "--for", "1h", "--note", "I look"]);
    until(&bench, "SELECT state FROM alert_episodes", "acknowledged");
    until(&bench, "SELECT count(*) FROM alert_outbox WHERE state = 'sent'", "2");
    let shown = done(&bench, &["show", &id]);
    assert!(shown.contains("acknowledge") && shown.contains("I look"), "{shown}");
    done(&bench, &["resolve", &id]);
    until(&bench, "SELECT state, by_hand FROM alert_episodes", "resolved|t");
    let (code, said) = alerts(&bench, &["resolve", &id]);
    assert!(code == 1 && said.contains("is resolved: there is nothing to do about it"), "{said}");
    settled(&bench, &receiver);
    // Muted: it fires again only after a line came.
    bench.append("beacon.log", 1);
    until(&bench, "SELECT count(*) FROM alert_episodes", "2");
    done(&bench, &["rule", "disable", "quiet"]);
    until(&bench, "SELECT count(*) FROM alert_episodes WHERE ended_at IS NULL", "0");
    let actions = bench.database.psql("SELECT string_agg(action, ' ' ORDER BY id) FROM audit_log");
    assert_eq!(
        actions,
        "alert_rule.add alert_silence.add alert_silence.end alert.acknowledge alert.resolve alert_rule.change"
    );
    bench.stop();
}

/// A receiver that is down, one that wants no more, and one that takes mail.
#[test]
fn what_a_receiver_does_decides_what_becomes_of_a_message() {
    let certificate = Certificate::new();
    let down = Receiver::start(Act::Answer("HTTP/1.1 503 No\r\nRetry-After: 3600\r\n\r\n".to_owned()));
    let gone = Receiver::start(Act::Answer("HTTP/1.1 410 Gone\r\n\r\n".to_owned()));
    let hangs = Receiver::start(Act::Hang);
    let mut bench = with_alerts(&[&down, &gone, &hangs]);
    let mut mail = Python::start("mail", "plain", &certificate);
    if let Some(mail) = &mail {
        let text = fs::read_to_string(&bench.config).unwrap();
        let text = text.replace("allow = [", &format!("allow = [\"{}\", ", mail.address));
        let more = format!(
            "[[channel]]\nname = \"mail\"\nkind = \"mail\"\nserver = \"{}\"\ntls = \"none\"\nfrom = \
             \"alt@example.com\"\n\
             to = [\"ops@example.com\"]\n",
            mail.address
        );
        fs::write(&bench.config, text + &more).unwrap();
    }
    add_rules(&bench, BUSY);
    let (text, lines) = slots(ago(10), &[3]);
    bench.append_text("beacon.log", &text, lines);
    start(&mut bench);
    if let Some(mail) = &mut mail {
        // Although another channel hangs.
        let got = mail.next();
        assert!(got["headers"]["Subject"].as_str().unwrap().starts_with("FIRING high"), "{got}");
        assert!(mail.next()["headers"]["Subject"].as_str().unwrap().starts_with("RESOLVED"));
    }
    let of = |channel: &str| {
        format!(
            "SELECT string_agg(state || ' ' || attempts, ', ' ORDER BY seq) FROM alert_outbox WHERE channel = \
        '{channel}'"
        )
    };
    until(&bench, &of("c1"), "dead 1, dead 1");
    until(&bench, &of("c0"), "due 1, due 0");
    let waits =
        "SELECT due_at > now() + interval '50 minutes' FROM alert_outbox WHERE channel = 'c0' AND seq = 1";
    assert_eq!(bench.database.psql(waits), "t");
    assert_eq!(bench.database.psql("SELECT name FROM alert_channels"), "c1");
    // Rules may look at it.
    let given_up = "SELECT sum((numbers ->> 'daemon.given_up')::numeric) FROM alert_samples WHERE app_id = 0";
    until(&bench, given_up, "2");
    assert_eq!(gone.connections(), 1);
    bench.stop();
}

/// What is over for long when it is found is told of in one message.
#[test]
fn late_alerts_are_told_of_in_a_digest() {
    let receiver = receiver();
    let mut bench = with_alerts(&[&receiver]);
    let (code, said) = alerts_with(&bench, &["rule", "add", "-", "--from", "5h"], BUSY);
    assert_eq!(code, 0, "{said}");
    let (text, lines) = slots(ago(200), &[3, 0, 4, 0, 5, 0]);
    bench.append_text("beacon.log", &text, lines);
    start(&mut bench);
    until(&bench, "SELECT string_agg(DISTINCT state, ' ') FROM alert_outbox", "digested sent");
    let texts = texts(&receiver);
    assert_eq!(texts.len(), 1, "{texts:?}");
    assert_eq!(texts[0].matches("busy").count(), 3, "{texts:?}");
    bench.stop();
}

/// Rules on made events, and mistakes in a file of rules.
#[test]
fn rules_are_tried_without_a_database() {
    let bench = with_alerts(&[]);
    let rules = "[[rule]]\nname = \"errors\"\nmetric = \"errors\"\nwindow = \"10s\"\ncompare = \"> 2\"\n\
                 [[test]]\nrule = \"errors\"\nuntil = \"00:30\"\n\
                 events = [{ from = \"00:02\", until = \"00:08\", every = \"1s\", status = 500 }]\n";
    let good = format!("{rules}expect = [{{ began = \"00:05\", ended = \"00:20\" }}]\n");
    assert_eq!(alerts_with(&bench, &["test", "-"], &good), (0, "test 1 (errors): passed\n".to_owned()));
    let (code, said) = alerts_with(&bench, &["test", "-"], rules);
    assert!(
        code == 3 && said.contains("expected: no alert") && said.contains("found: 00:00:05-00:00:20"),
        "{said}"
    );
    for (text, wanted) in [
        ("[[rule]]\nname = \"x\"\ncompare = \"> many\"", "rule \"x\""),
        ("", "has no [[rule]]"),
        ("[[rule", "TOML"),
        ("[[rule]]\nname = \"x\"\ncompare = \"> 1\"\nmetric = \"evnts\"", "there are events"),
    ] {
        let (code, said) = alerts_with(&bench, &["rule", "add", "-"], text);
        assert!(code == 1 && said.contains(wanted), "{text}: {said}");
    }
    let samples = done(&bench, &["rule", "samples", "--add"]);
    assert!(
        samples.contains("error rate, slow requests, traffic absent, no lines, daemon silent"),
        "{samples}"
    );
    assert!(done(&bench, &["rule", "samples", "--add"]).contains("all of them are there already"));
    let listed: Value = serde_json::from_str(&done(&bench, &["rule", "list", "--json"])).unwrap();
    let states: BTreeMap<&str, bool> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|r| (r["name"].as_str().unwrap(), r["enabled"] == true))
        .collect();
    assert_eq!((states["error rate"], states["no lines"]), (true, false));
    let (code, said) = alerts(&bench, &["ack", "99"]);
    assert!(code == 1 && said.contains("there is no alert 99"), "{said}");
    let (code, said) = alerts(&bench, &["rule", "remove", "nothing"]);
    assert!(code == 1 && said.contains("alt alerts rule list"), "{said}");
}

#[test]
fn the_api_lists_alerts_and_does_what_editors_say() {
    let receiver = receiver();
    let mut bench = with_alerts(&[&receiver]);
    start(&mut bench);
    let api = Api::start(&bench, "");
    let editor = bearer(&token(&bench, &["--app", "shop", "--role", "editor"]));
    let viewer = bearer(&token(&bench, &["--app", "shop"]));
    let bound = bearer(&token(&bench, &["--app", "shop", "--filter", "page is /a"]));
    let rules = "/api/v1/alert-rules?application_id=shop";
    let rule =
        json!({ "rule": "name = \"quiet\"\nwindow = \"5s\"\ncompare = \"absent for 10s\"" }).to_string();
    assert_eq!(api.ask("POST", rules, &viewer, &rule).status, 403);
    let made = api.ask("POST", rules, &editor, &rule);
    assert_eq!((made.status, made.json()["application"].as_str()), (201, Some("shop")), "{}", made.body);
    assert_eq!(api.ask("POST", rules, &editor, &rule).status, 409);
    for wrong in [
        json!({ "rule": "name = \"x\"" }),
        json!({ "rule": "name = \"x\"\ncompare = \"> 1\"\napplication = \
    \"a*\"" }),
    ] {
        assert_eq!(api.ask("POST", rules, &editor, &wrong.to_string()).status, 400);
    }
    assert_eq!(api.ask("GET", rules, &viewer, "").json()["rules"].as_array().unwrap().len(), 1);
    // Without the version, it is the same, with the same rights.
    let id = made.json()["id"].to_string();
    for target in [
        rules,
        &format!("/api/v1/alert-rules/{id}?application_id=shop"),
        "/api/v1/alerts?application_id=shop",
    ] {
        let short = target.replace("/v1", "");
        assert_eq!(
            api.ask("GET", &short, &viewer, "").json(),
            api.ask("GET", target, &viewer, "").json(),
            "{short}"
        );
        assert_eq!(api.ask("GET", &short, "", "").status, 401, "{short}");
        assert_eq!(api.ask("PATCH", &short, &editor, "{}").status, 405, "{short}");
        assert_eq!(api.ask("GET", &short.replace("shop", "other"), &viewer, "").status, 404, "{short}");
    }
    assert_eq!(api.ask("POST", "/api/alert-rules?application_id=shop", &viewer, &rule).status, 403);
    assert_eq!(api.ask("GET", "/api/silences?application_id=shop", &viewer, "").status, 404);
    let list = "/api/v1/alerts?application_id=shop";
    until(&bench, "SELECT count(*) FROM alert_episodes", "1");
    assert_eq!(api.ask("GET", list, &bound, "").status, 403);
    let open = api.ask("GET", list, &viewer, "").json();
    let id = open["alerts"][0]["id"].as_i64().unwrap();
    let path = |what: &str| format!("/api/v1/alerts/{id}{what}?application_id=shop");
    assert_eq!(api.ask("POST", &path("/acknowledge"), &viewer, "{}").status, 403);
    let said = api.ask("POST", &path("/acknowledge"), &editor, r#"{"minutes": 5, "note": "me"}"#);
    assert_eq!(said.status, 200, "{}", said.body);
    until(&bench, "SELECT state FROM alert_episodes", "acknowledged");
    assert_eq!(api.ask("POST", &path("/resolve"), &editor, "{}").status, 200);
    until(&bench, "SELECT state FROM alert_episodes", "resolved");
    assert_eq!(api.ask("POST", &path("/resolve"), &editor, "{}").status, 409);
    let shown = api.ask("GET", &path(""), &viewer, "").json();
    let kinds: Vec<&str> =
        shown["history"].as_array().unwrap().iter().map(|e| e["kind"].as_str().unwrap()).collect();
    assert!(
        kinds.contains(&"firing") && kinds.contains(&"resolve") && kinds.contains(&"resolved"),
        "{shown}"
    );
    let rule_path = format!("/api/v1/alert-rules/{}?application_id=shop", made.json()["id"]);
    assert_eq!(api.ask("DELETE", &rule_path, &editor, "").status, 200);
    assert_eq!(api.ask("GET", &rule_path, &viewer, "").status, 404);
    let actions = "SELECT string_agg(action, ' ' ORDER BY id) FROM audit_log WHERE action LIKE 'alert%'";
    assert_eq!(
        bench.database.psql(actions),
        "alert_rule.add alert.acknowledge alert.resolve alert_rule.remove"
    );
    bench.stop();
}

/// What alerts write is the same for each five seconds, however many lines are loaded, and none of it is in the transaction
/// of a batch.
#[test]
fn alerts_write_little() {
    let settings = ["fsync=off", "full_page_writes=off", "autovacuum=off", "checkpoint_timeout=1h"];
    let cluster = Cluster::start(&settings);
    let wal = |with: bool| -> (f64, f64) {
        let mut bench = Bench::not_started("[[source]]\npaths = [\"DIR/beacon.log\"]", cluster.database());
        let text = fs::read_to_string(&bench.config).unwrap();
        let text = text.replace("[load]\n", "[load]\ncommit_interval = \"1s\"\n");
        fs::write(&bench.config, format!("{text}\n[alerts]\nenabled = {with}\n")).unwrap();
        done(&bench, &["rule", "samples", "--add"]);
        bench.start();
        let sql = "SELECT pg_current_wal_insert_lsn() - '0/0'";
        let at = || cluster.psql("postgres", sql).parse::<f64>().unwrap();
        let (mut before, mut began) = (0.0, Instant::now());
        for n in 0..60 {
            if n == 20 {
                bench.settle();
                (before, began) = (at(), Instant::now());
            }
            bench.append("beacon.log", 50);
            std::thread::sleep(Duration::from_secs(1));
        }
        bench.settle();
        let written = (at() - before, began.elapsed().as_secs_f64());
        bench.stop();
        written
    };
    let ((without, _), (with, seconds)) = (wal(false), wal(true));
    let each = (with - without) / seconds;
    println!("WAL of 2,000 rows: {without} bytes without alerts, {with} with them: {each:.0} a second");
    assert!(each < 300.0, "{each} bytes of WAL a second");
}
