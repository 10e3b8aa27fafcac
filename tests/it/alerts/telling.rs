//! How rules tell of their alerts: again, to others, several in one message, not while another rule fires, and not in certain
//! hours of the week.

use std::fs;

use super::{
    BUSY, add_rules, ago, alerts, append, done, receiver, settled, slots, start, state, texts, until,
    with_alerts,
};
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
fn settled_texts(bench: &crate::support::bench::Bench, receiver: &Receiver) {
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
