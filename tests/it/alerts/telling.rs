//! How rules tell of their alerts: again, to others, several in one message, not while another rule fires, and not in certain
//! hours of the week.

use std::fs;

use serde_json::Value;

use super::{
    BUSY, add_rules, ago, alerts, alerts_with, append, done, receiver, settled, slots, start, state, texts,
    until, with_alerts,
};
use crate::support::bench::Bench;
use crate::support::receiver::{Act, Receiver};

/// Fires as long as no line comes.
const QUIET: &str =
    "[[rule]]\nname = \"quiet\"\ncompare = \"absent for 10s\"\nwindow = \"5s\"\nchannels = [\"c0\"]\n";

/// States of the messages of a rule.
fn of(rule: &str) -> String {
    format!(
        "SELECT string_agg(DISTINCT o.state, ' ') FROM alert_outbox o JOIN alert_episodes e ON e.id = o.episode_id \
         JOIN alert_rules r ON r.id = e.rule_id WHERE r.name = '{rule}'"
    )
}

/// The rule that is silent is judged, and stored, before the other one.
#[test]
fn a_rule_is_silent_while_another_fires() {
    let receiver = receiver();
    let mut bench = with_alerts(&[&receiver]);
    add_rules(&bench, &format!("{QUIET}silent_while = [\"do*\"]\n"));
    add_rules(&bench, &QUIET.replace("quiet", "down"));
    start(&mut bench);
    until(&bench, &of("down"), "sent");
    until(&bench, &of("quiet"), "inhibited");
    assert_eq!(texts(&receiver).len(), 1, "{}", state(&bench));
    // Another reason for which nobody is told takes its place.
    let weekly =
        ["silence", "add", "--rule", "quiet", "--weekly", "mon-sun 00:00-24:00", "--zone", "Asia/Tokyo"];
    assert!(done(&bench, &weekly).contains("comes each week"));
    let listed = done(&bench, &["silence", "list"]);
    assert!(listed.contains("mon-sun 00:00-24:00 Asia/Tokyo"), "{listed}");
    done(&bench, &["rule", "disable", "down"]);
    until(&bench, &of("quiet"), "silenced");
    done(&bench, &["silence", "end", "1"]);
    until(&bench, &of("quiet"), "sent");
    let (code, said) = alerts(&bench, &["silence", "add", "--rule", "x", "--weekly", "night"]);
    assert!(code == 1 && said.contains("--weekly: \"night\" is no window of a week"), "{said}");
    bench.stop();
}

/// A silence that ends with the alerts that were open when it was made: others come under it meanwhile, and later ones do not.
#[test]
fn a_silence_ends_with_its_alerts() {
    let receiver = receiver();
    let mut bench = with_alerts(&[&receiver]);
    add_rules(&bench, QUIET);
    let add = ["silence", "add", "--rule", "qu*", "--until-resolved"];
    let (code, said) = alerts(&bench, &add);
    assert!(code == 1 && said.contains("no alert is open that it is about"), "{said}");
    start(&mut bench);
    until(&bench, &of("quiet"), "sent");
    let tried = done(&bench, &[&add[..], &["--dry-run"]].concat());
    assert!(tried.contains("nothing is silenced; these open alerts would be:\n"), "{tried}");
    assert_eq!(tried.matches("medium").count(), 1, "{tried}");
    let (_, said) = alerts(&bench, &["silence", "add", "--rule", "loud", "--for", "1h", "--dry-run"]);
    assert!(said.contains("no open alert would be"), "{said}");
    assert!(done(&bench, &["silence", "list"]).contains("nothing is silenced"));
    assert!(done(&bench, &add).contains("the silence 1 ends with the alerts that are open now"));
    assert!(done(&bench, &["silence", "list"]).contains("resolved"));
    add_rules(&bench, &QUIET.replace("quiet", "quite"));
    until(&bench, &of("quite"), "silenced");
    bench.append("beacon.log", 1);
    // Who was told of the first is told that it is over; nobody was told of the other.
    until(&bench, &of("quite"), "dropped");
    until(&bench, "SELECT count(*) FROM alert_outbox WHERE state = 'sent'", "2");
    assert!(done(&bench, &["silence", "list"]).contains("nothing is silenced"));
    until(&bench, "SELECT count(*) FROM alert_episodes WHERE ended_at IS NULL", "2");
    until(&bench, "SELECT count(*) FROM alert_outbox WHERE state = 'sent'", "4");
    let two = "SELECT string_agg(r.name || ' ' || n, ', ' ORDER BY r.name) FROM (SELECT rule_id, count(*) AS n \
               FROM alert_episodes GROUP BY 1) e JOIN alert_rules r ON r.id = e.rule_id";
    assert_eq!(bench.database.psql(two), "quiet 2, quite 2", "{}", state(&bench));
    // Those that are open now are not those with which it began.
    let (code, said) = alerts_with(&bench, &["rule", "add", "-"], &QUIET.replace("quiet", "quint"));
    assert_eq!(code, 0, "{said}");
    until(&bench, &of("quint"), "sent");
    counted(&bench);
    bench.stop();
}

/// How many alerts there were, as people ask.
fn counted(bench: &Bench) {
    let id = bench.database.psql("SELECT max(e.id) FROM alert_episodes e WHERE ended_at IS NULL");
    done(bench, &["ack", &id]);
    until(bench, "SELECT count(*) FROM alert_episodes WHERE state = 'acknowledged'", "1");
    let said: Value = serde_json::from_str(&done(bench, &["stats", "--since", "1d", "--json"])).unwrap();
    let medium = &said["severities"]["medium"];
    assert_eq!([&medium["alerts"], &medium["open"], &medium["acknowledged"]], [5, 3, 1], "{said}");
    assert!(medium["seconds_to_acknowledge"].as_f64().unwrap() >= 0.0, "{said}");
    assert!(medium["seconds_to_resolve"].as_f64().unwrap() >= 5.0, "{said}");
    let rules = said["rules"].as_array().unwrap();
    assert_eq!(
        (rules.len(), &rules[0]["rule"], &rules[0]["alerts"]),
        (3, &"quiet".into(), &2.into()),
        "{said}"
    );
    let said = done(bench, &["stats", "--app", "shop"]);
    assert!(said.contains("medium") && said.contains("quite"), "{said}");
    let (code, said) = alerts(bench, &["stats", "--since", "yesterday o'clock"]);
    assert!(code == 1 && said.contains("--since"), "{said}");
}

/// Four beginnings within an hour are told of one by one; the others in one message, once half an hour has none.
#[test]
fn what_is_kept_back_because_it_flaps_comes_in_one_message() {
    let receiver = receiver();
    let mut bench = with_alerts(&[&receiver]);
    add_rules(&bench, BUSY);
    let (text, lines) = slots(ago(50), &[3, 0, 3, 0, 3, 0, 3, 0, 3, 0, 3, 0]);
    bench.append_text("beacon.log", &text, lines);
    start(&mut bench);
    let states = "SELECT string_agg(state || ' ' || n, ', ' ORDER BY state) FROM \
                  (SELECT state, count(*) AS n FROM alert_outbox GROUP BY 1) all_states";
    until(&bench, states, "digested 2, sent 9");
    let digests: Vec<String> =
        texts(&receiver).into_iter().filter(|text| text.contains("not told of")).collect();
    assert!(digests.len() == 1 && digests[0].matches("busy").count() == 2, "{digests:?}");
    bench.stop();
}

/// Nobody looks after an alert: those who were told are told again, and others, until somebody does.
#[test]
fn an_alert_after_which_nobody_looks_is_told_of_again_and_to_others() {
    let (first, other) = (receiver(), receiver());
    let mut bench = with_alerts(&[&first, &other]);
    let manner = "repeat_interval = \"5s\"\nescalate = [{ after = \"10s\", channels = [\"c1\"] }]\n";
    add_rules(&bench, &format!("{QUIET}{manner}"));
    start(&mut bench);
    until(&bench, "SELECT count(*) >= 3 FROM alert_transitions WHERE kind = 'repeated'", "t");
    until(&bench, "SELECT count(*) > 0 FROM alert_outbox WHERE channel = 'c1' AND state = 'sent'", "t");
    let early = "SELECT count(*) FROM alert_transitions f, alert_transitions e WHERE f.kind = 'firing' \
                 AND e.kind = 'escalated' AND e.made_at < f.made_at + interval '10 seconds'";
    assert_eq!(bench.database.psql(early), "0");
    assert!(texts(&other)[0].contains("Nobody looks after it"), "{:?}", texts(&other));
    assert!(texts(&first)[1].contains("Still: quiet"), "{:?}", texts(&first));
    let id = bench.database.psql("SELECT id FROM alert_episodes");
    done(&bench, &["ack", &id]);
    until(&bench, "SELECT state FROM alert_episodes", "acknowledged");
    std::thread::sleep(std::time::Duration::from_secs(8));
    let after = "SELECT count(*) FROM alert_transitions WHERE kind = 'repeated' AND seq > (SELECT seq FROM \
                 alert_transitions WHERE kind = 'acknowledged')";
    assert_eq!(bench.database.psql(after), "0", "{}", state(&bench));
    settled_texts(&bench, &first);
    bench.stop();
}

/// Each message of the first channel has another text or time, and none is left.
fn settled_texts(bench: &Bench, receiver: &Receiver) {
    until(bench, "SELECT count(*) FROM alert_outbox WHERE state = 'due'", "0");
    let sent =
        bench.database.psql("SELECT count(*) FROM alert_outbox WHERE state = 'sent' AND channel = 'c0'");
    assert_eq!(texts(receiver).len().to_string(), sent, "{}", state(bench));
}

#[test]
fn alerts_of_a_group_come_in_one_message() {
    let receiver = receiver();
    let mut bench = with_alerts(&[&receiver]);
    add_rules(
        &bench,
        "[[rule]]\nname = \"paths\"\nwindow = \"10s\"\ncompare = \"> 0\"\ngroup_by = [\"path\"]\nseverity = \"high\"\n\
         messages_by = []\n",
    );
    let (text, lines) = slots(ago(10), &[12]);
    bench.append_text("beacon.log", &text, lines);
    start(&mut bench);
    until(&bench, "SELECT count(*) > 2 FROM alert_episodes WHERE state = 'resolved'", "t");
    until(
        &bench,
        "SELECT string_agg(DISTINCT state, ' ') FROM alert_outbox WHERE episode_id > 0",
        "digested",
    );
    until(&bench, "SELECT string_agg(DISTINCT state, ' ') FROM alert_outbox WHERE episode_id = 0", "sent");
    let (texts, count) = (texts(&receiver), bench.database.psql("SELECT count(*) FROM alert_episodes"));
    assert!(texts[0].contains("paths: ") && texts.len() == 1, "{texts:?}");
    assert!(texts[0].contains(&format!("{count} over")), "{texts:?}");
    bench.stop();
}

#[test]
fn what_a_channel_does_not_take_goes_to_its_fallback() {
    let gone = Receiver::start(Act::Answer("HTTP/1.1 410 Gone\r\n\r\n".to_owned()));
    let other = receiver();
    let mut bench = with_alerts(&[&gone, &other]);
    let text = fs::read_to_string(&bench.config).unwrap();
    fs::write(&bench.config, text.replace("name = \"c0\"", "name = \"c0\"\nfallback = \"c1\"")).unwrap();
    append(&bench, "");
    add_rules(&bench, &format!("{BUSY}channels = [\"c0\"]\n"));
    let (text, lines) = slots(ago(10), &[3]);
    bench.append_text("beacon.log", &text, lines);
    start(&mut bench);
    let states = "SELECT string_agg(seq || ' ' || channel || ' ' || state, ', ' ORDER BY seq, channel) FROM alert_outbox";
    until(&bench, states, "1 c0 moved, 1 c1 sent, 2 c0 moved, 2 c1 sent");
    settled(&bench, &other);
    bench.stop();
}
