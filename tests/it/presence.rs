//! Which daemons run, as the database knows it.

use std::fs;

use nix::sys::signal::Signal;

use crate::support::bench::Bench;
use crate::support::daemon::{Daemon, alt, wait_for};
use crate::support::postgres::Database;

const SOURCE: &str = "[[source]]\npaths = [\"DIR/beacon.log\"]";

/// Waits until the database says so.
fn until(bench: &Bench, sql: &str, expected: &str) {
    let answer = || bench.database.psql(sql);
    wait_for(20, || answer() == expected, || format!("{sql}: {}, not {expected}", answer()));
}

/// What is known of the daemons, but for their times.
const KNOWN: &str =
    "SELECT version, sources, ended_at IS NOT NULL, config = current_setting('alt.config') FROM daemons";

fn known(bench: &Bench) -> String {
    format!("SET alt.config = '{}'; {KNOWN}", bench.config.display())
}

#[test]
fn a_daemon_is_known_while_it_runs_and_says_that_it_was_told_to_end() {
    let mut bench = Bench::with(SOURCE);
    let version = env!("CARGO_PKG_VERSION");
    until(&bench, &known(&bench), &format!("{version}|1|f|t"));

    let text = fs::read_to_string(&bench.config).unwrap();
    let more = format!("[[source]]\npaths = [\"{}\"]\n{text}", bench.path("other.log").display());
    fs::write(&bench.config, more).unwrap();
    bench.daemon.as_ref().unwrap().signal(Signal::SIGHUP);
    until(&bench, &known(&bench), &format!("{version}|2|f|t"));

    bench.stop();
    let ended = format!("{version}|2|t|t");
    assert_eq!(bench.database.psql(&known(&bench)), ended);
    let at = "SELECT seen_at = ended_at AND ended_at BETWEEN started_at AND now() FROM daemons";
    assert_eq!(bench.database.psql(at), "t");

    // What one run does and ends is no daemon.
    let said = alt().args(["run", "--final", "--config"]).arg(&bench.config).output().unwrap();
    assert!(said.status.success(), "{said:?}");
    assert_eq!(bench.database.psql(&known(&bench)), ended);

    // Whoever is killed says nothing.
    bench.start();
    until(&bench, &known(&bench), &format!("{version}|2|f|t"));
    bench.daemon.take().unwrap().kill();
    assert_eq!(bench.database.psql(&known(&bench)), format!("{version}|2|f|t"));
}

#[test]
fn daemons_of_one_host_are_told_apart_by_their_configurations() {
    let bench = Bench::with(SOURCE);
    let other = bench.path("other.toml");
    let text = fs::read_to_string(&bench.config).unwrap();
    fs::write(&other, text.replace("beacon.log", "other.log")).unwrap();
    let second = Daemon::start(&other);
    until(
        &bench,
        "SELECT count(*) || ' of ' || count(DISTINCT host) FROM daemons WHERE ended_at IS NULL",
        "2 of 1",
    );
    assert!(second.stop().success());
    assert_eq!(
        bench.database.psql(
            "SELECT string_agg(substring(config from '[^/]*$'), ' ') FROM daemons WHERE ended_at IS NOT NULL"
        ),
        "other.toml"
    );
}

#[test]
fn a_daemon_says_by_how_much_it_is_behind() {
    let mut bench = Bench::not_started(SOURCE, Database::create());
    let held = bench.database.hold();
    let daemon = Daemon::start_with(&bench.config, |command| {
        command.env("ALT_FAULT_WAIT", "500");
    });
    fs::write(bench.path("beacon.log"), crate::support::lines::many(3)).unwrap();
    until(&bench, "SELECT lag > 1 FROM daemons", "t");
    drop(held);
    until(&bench, "SELECT lag FROM daemons", "0");
    bench.written = 3;
    bench.daemon = Some(daemon);
    bench.settle();
    // Nobody knows it of one that is gone; whoever was not seen for a month is forgotten by upkeep.
    bench.stop();
    bench.database.psql("UPDATE daemons SET host = 'gone', seen_at = now() - interval '31 days'");
    bench.start();
    until(&bench, "SELECT count(*) FROM daemons WHERE host = 'gone'", "0");
}

#[test]
fn a_daemon_that_may_not_say_that_it_runs_loads_all_the_same() {
    let mut bench = Bench::not_started(SOURCE, Database::create());
    bench.database.psql("ALTER TABLE daemons ADD CHECK (version = 'none')");
    bench.start();
    bench.append("beacon.log", 5);
    bench.settle();
    let log = || bench.daemon.as_ref().unwrap().log();
    wait_for(20, || log().contains("worker=\"presence\""), log);
    assert_eq!(bench.database.psql("SELECT count(*) FROM daemons"), "0");
    bench.stop();
}
