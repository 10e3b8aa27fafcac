//! The daemon is killed again and again, at its steps and anywhere, while it judges and sends: no alert and no message is lost, none is
//! enqueued twice, and what is sent again has the id and the text of the first time. One that is stopped and goes on sends nothing.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::Value;

use super::{
    Daemon, STEPS, add_rules, ago, append, judged, loaded, receiver, settled, slots, start, start_with,
    state, texts, until, with_alerts,
};
use crate::kill::{full, random};
use crate::support::bench::Bench;
use crate::support::daemon::wait_for;
use crate::support::lines::alt1_at;
use crate::support::receiver::Receiver;

/// Fires for each path that has more than two events in a slot.
const PATHS: &str = "[[rule]]\nname = \"paths\"\nwindow = \"5s\"\ncompare = \"> 2\"\ngroup_by = [\"path\"]\nseverity = \"high\"\n";

/// Three events of a path of their own, some minutes ago.
fn three(n: usize) -> String {
    // Of one moment: the next slot may begin meanwhile.
    let slot = ago(5 + (n / 100) as u128 % 20);
    let line = |k: usize| {
        let line = alt1_at(slot + k as u128);
        let (before, after) = (line.find("%2Fp%2F").unwrap(), line.find("&sw=").unwrap());
        format!("{}%2Fk%2F{n}{}", &line[..before], &line[after..])
    };
    (0..3).map(line).collect()
}

/// A bench with a channel of signed webhooks to this receiver, and with rules.
fn with_webhook(receiver: &Receiver) -> Bench {
    let bench = with_alerts(&[]);
    let text = fs::read_to_string(&bench.config).unwrap();
    let text = text.replace("allow = []", &format!("allow = [\"{}\"]", receiver.address));
    fs::write(&bench.config, text).unwrap();
    fs::write(bench.path("secret"), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    append(
        &bench,
        &format!(
            "[[channel]]\nname = \"hook\"\nkind = \"webhook\"\nurl = \"{}\"\nsecret_file = \"{}\"\n",
            receiver.url("/hook"),
            bench.path("secret").display()
        ),
    );
    add_rules(&bench, PATHS);
    bench
}

/// What was sent, by the id of the message: how often, and the text of the first time, which all others have.
fn sent(receiver: &Receiver) -> BTreeMap<String, (usize, String)> {
    let mut all: BTreeMap<String, (usize, String)> = BTreeMap::new();
    for request in receiver.requests() {
        let (head, body) = request.split_once("\r\n\r\n").unwrap_or((&request, ""));
        let id = head.lines().find_map(|line| line.strip_prefix("webhook-id: "));
        // One that died while it sent.
        let Some(id) = id.filter(|_| serde_json::from_str::<Value>(body).is_ok()) else { continue };
        let known = all.entry(id.to_owned()).or_insert_with(|| (0, body.to_owned()));
        assert_eq!(known.1, body, "{id}");
        known.0 += 1;
    }
    all
}

/// 50 kills by default, 1,000 with `ALT_TEST_FULL=1`. `ALT_TEST_SEED` repeats the choices.
#[test]
fn killed_again_and_again_it_loses_nothing_and_enqueues_nothing_twice() {
    let mut random = random();
    let receiver = receiver();
    let mut bench = with_webhook(&receiver);
    let (wanted, mut at_steps, mut paths) = (if full() { 1000 } else { 50 }, 0, 0);
    for _ in 0..wanted {
        // As if the dead one had not renewed its lease for long enough.
        bench.database.psql("UPDATE leases SET expires_at = clock_timestamp() - interval '1 second'");
        let at = format!("{:?}:{}", STEPS[random(STEPS.len())], 1 + random(3));
        let mut daemon = start_with(&bench, |command| {
            if random(2) == 0 {
                command.env("ALT_FAULT_AT", at);
            }
        });
        let until = Instant::now() + Duration::from_millis(300 + random(2200) as u64);
        while daemon.ended().is_none() && Instant::now() < until {
            bench.append_text("beacon.log", &three(paths), 3);
            paths += 1;
            std::thread::sleep(Duration::from_millis(100 + random(400) as u64));
        }
        match daemon.ended() {
            Some(_) => at_steps += 1,
            None => daemon.kill(),
        }
    }
    start(&mut bench);
    bench.settle();
    judged(&bench);
    until(&bench, "SELECT count(*) FROM alert_episodes WHERE state = 'resolved'", &paths.to_string());
    until(&bench, "SELECT count(*) FROM alert_outbox WHERE state <> 'sent'", "0");
    let ask = |sql: &str| bench.database.psql(sql);
    assert_eq!(ask("SELECT count(*) FROM alert_episodes"), paths.to_string(), "{}", state(&bench));
    let enqueued = ask(
        "SELECT string_agg('msg_' || episode_id || '_' || seq, ' ' ORDER BY ('msg_' || episode_id || '_' || seq) COLLATE \"C\") FROM alert_outbox",
    );
    let sent = sent(&receiver);
    assert_eq!(sent.keys().cloned().collect::<Vec<_>>().join(" "), enqueued);
    assert_eq!(sent.len(), 2 * paths, "each is told of when it begins and when it ends");
    let again: usize = sent.values().map(|(count, _)| count - 1).sum();
    println!(
        "{wanted} kills, {at_steps} of them at a step: {paths} alerts, {} messages, {again} sent again",
        sent.len()
    );
    assert!(at_steps > wanted / 10 && again > 0, "{at_steps} kills at a step, {again} messages again");
    bench.stop();
}

/// Two hosts, the first of which stops at a step and goes on when the other one has done its work. Of a message that it had
/// taken and not sent, it sends nothing.
#[test]
fn a_notifier_that_is_stopped_and_goes_on_sends_nothing() {
    for step in ["NotifyTaken", "NotifySending"] {
        let receiver = receiver();
        let mut bench = with_alerts(&[&receiver]);
        let text = fs::read_to_string(&bench.config).unwrap();
        let other = bench.path("other.toml");
        fs::write(
            &other,
            text.replace("beacon.log", "other.log").replace("[load]", "[load]\nhost = \"other\""),
        )
        .unwrap();
        loaded(&mut bench, &[3, 0, 4, 0]);
        bench.daemon = Some(start_with(&bench, |command| _ = command.env("ALT_FAULT_STOP_AT", step)));
        let log = bench.config.with_extension("stderr");
        let stops = || fs::read_to_string(&log).unwrap().contains(&format!("stops at {step}"));
        wait_for(60, stops, || state(&bench));
        assert!(texts(&receiver).is_empty(), "{step}: {:?}", texts(&receiver));
        let second = Daemon::start_with(&other, |command| _ = command.env("ALT_FAULT_WAIT", "1500"));
        until(&bench, "SELECT count(*) FROM alert_outbox WHERE state = 'sent'", "4");
        bench.daemon.as_ref().unwrap().signal(Signal::SIGCONT);
        // Longer than it takes to send what one has in hand.
        std::thread::sleep(Duration::from_secs(3));
        assert_eq!(texts(&receiver).len(), 4, "{step}: {:?}\n{}", texts(&receiver), state(&bench));
        settled(&bench, &receiver);
        // It is not out of order: it takes the work over again.
        assert!(second.stop().success());
        let (text, lines) = slots(ago(8), &[5, 0]);
        bench.append_text("beacon.log", &text, lines);
        until(&bench, "SELECT count(*) FROM alert_outbox WHERE state = 'sent'", "6");
        settled(&bench, &receiver);
        bench.stop();
    }
}
