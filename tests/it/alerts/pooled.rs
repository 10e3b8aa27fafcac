//! Alerts through a pooler of transactions: nothing of what judges, sends or holds a lease belongs to a session.

use std::fs;

use super::{BUSY, Daemon, add_rules, ago, done, receiver, settled, slots, start, state, until, with_alerts};
use crate::support::daemon::wait_for;
use crate::support::pooler::Pooler;

/// Two hosts behind a pooler with few connections. The pooler is killed, and then the host that judges.
#[test]
fn alerts_work_through_a_pooler_of_transactions() {
    let receiver = receiver();
    let mut bench = with_alerts(&[&receiver]);
    let Some(mut pooler) = Pooler::start(&bench.database.cluster, "transaction") else { return };
    let text = fs::read_to_string(&bench.config).unwrap();
    let url = text.lines().find(|line| line.starts_with("url = \"postgres:")).unwrap();
    fs::write(&bench.config, text.replace(url, &format!("url = \"{}\"", pooler.url(&bench.database))))
        .unwrap();
    let other = bench.path("other.toml");
    let text = fs::read_to_string(&bench.config).unwrap();
    fs::write(&other, text.replace("beacon.log", "other.log").replace("[load]", "[load]\nhost = \"other\""))
        .unwrap();
    add_rules(&bench, BUSY);
    start(&mut bench);
    let second = Daemon::start_with(&other, |command| _ = command.env("ALT_FAULT_WAIT", "1500"));
    let (text, lines) = slots(ago(20), &[3, 0]);
    bench.append_text("beacon.log", &text, lines);
    until(&bench, "SELECT count(*) FROM alert_outbox WHERE state = 'sent'", "2");
    pooler.restart();
    let (text, lines) = slots(ago(15), &[3, 0]);
    bench.append_text("beacon.log", &text, lines);
    until(&bench, "SELECT count(*) FROM alert_outbox WHERE state = 'sent'", "4");
    // The host that judges and sends dies; the other one does, through the same pooler.
    let holders = "SELECT string_agg(DISTINCT split_part(holder, ' ', 1), ' ') FROM leases WHERE name IN ('alerts', 'notify')";
    bench.daemon.take().unwrap().kill();
    let (text, lines) = slots(ago(10), &[3, 0]);
    bench.append_text("other.log", &text, lines);
    until(&bench, "SELECT count(*) FROM alert_outbox WHERE state = 'sent'", "6");
    until(&bench, holders, "other");
    done(&bench, &["silence", "add", "--rule", "nothing", "--for", "1h"]);
    settled(&bench, &receiver);
    // No setting and no lock of a transaction is left in a session of the pooler.
    let left = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'";
    wait_for(30, || bench.database.psql(left) == "0", || state(&bench));
    assert!(second.stop().success());
}
