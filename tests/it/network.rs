//! The network between the daemon and PostgreSQL lies: whatever it does, every line is one row.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::support::bench::Bench;
use crate::support::cases::first_seed;
use crate::support::daemon::{Daemon, wait_for};
use crate::support::each;
use crate::support::machines::{Machines, SERVER};
use crate::support::pace::Pace;
use crate::support::postgres::{Cluster, Database};
use crate::support::proxy::{Fault, Place, Proxy};

fn full() -> bool {
    std::env::var_os("ALT_TEST_FULL").is_some()
}

/// A daemon behind a proxy, not started.
fn behind_proxy() -> (Bench, Proxy) {
    let mut database = Database::create();
    let proxy = Proxy::before(&database.cluster);
    database.url = proxy.url(&database);
    (Bench::not_started("[[source]]\npaths = [\"DIR/beacon.log\"]", database), proxy)
}

/// Every fault that is told at one place, one after the other.
fn cut_at(place: Place) {
    let (mut bench, proxy) = behind_proxy();
    let mut pace = Pace::new(&bench);
    pace.append(1);
    bench.start();
    pace.settle(&bench, 30);
    for fault in Fault::TOLD {
        let met = proxy.met().len();
        proxy.next(place, fault);
        if place == Place::Startup {
            let ours = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'alt' AND \
                        datname = current_database()";
            bench.database.psql(ours);
        }
        pace.append(20);
        // The first transaction of a file is another one than those that continue it.
        if fault == Fault::Half {
            pace.rotate();
            pace.append(5);
        }
        wait_for(30, || proxy.met().len() > met, || format!("{fault:?} at {place:?}\n{}", bench.state()));
        pace.settle(&bench, 60);
    }
    bench.stop();
    assert_eq!(proxy.met(), Fault::TOLD.map(|fault| (place, fault)));
}

#[test]
fn whatever_is_cut_and_wherever_no_line_is_lost_or_doubled() {
    each(Place::ALL.len(), Place::ALL, cut_at);
}

#[test]
fn cut_at_random_while_lines_come_and_logs_are_rotated() {
    let seed = first_seed();
    let rounds = if full() { 6_000 } else { 400 };
    println!("ALT_TEST_SEED={seed}");
    let (mut bench, proxy) = behind_proxy();
    let mut pace = Pace::new(&bench);
    proxy.at_random(25, seed);
    bench.start();
    pace.run(rounds, 40);
    let faults = proxy.met().len();
    proxy.at_random(0, 0);
    pace.append(1);
    pace.settle(&bench, 120);
    println!("{faults} faults, {} lines", pace.lines());
    // How many depends on how long the daemon waits after each.
    assert!(faults > 3, "{faults} faults: {:?}", proxy.met());
    bench.stop();
    pace.check(&bench);
}

/// Begins to load, is cut off without a word after so many messages, and has to notice. `begun`: not at the start.
fn cut_off(begun: bool, passes: usize, place: Place, fault: Fault) {
    let (mut bench, proxy) = behind_proxy();
    let mut pace = Pace::new(&bench);
    // Longer than a lock is waited for, as the real ones are.
    let wait = Duration::from_secs(11);
    let with_wait = |command: &mut std::process::Command| {
        command.env("ALT_FAULT_WAIT", wait.as_millis().to_string());
    };
    let daemon = || Some(Daemon::start_with(&bench.config, with_wait));
    if begun {
        pace.append(1);
        bench.daemon = daemon();
        pace.settle(&bench, 30);
        proxy.after(passes, place, fault);
    } else {
        proxy.after(passes, place, fault);
        bench.daemon = daemon();
    }
    pace.append(20);
    let what = format!("{fault:?} at {place:?}, {begun}, {passes}");
    wait_for(30, || !proxy.met().is_empty(), || format!("{what}\n{}", bench.state()));
    let since = Instant::now();
    // The loader's connection is cut off, or that of a worker which begins beside it.
    let said = || bench.daemon.as_ref().unwrap().log().contains("trying again until it ");
    wait_for(60, said, || format!("{what}: is not noticed\n{}", bench.state()));
    let noticed = since.elapsed();
    // What the server still holds for the connection that it believes to be there is in the way, for a time.
    pace.append(20);
    pace.settle(&bench, 90);
    println!("{what}: noticed after {noticed:.1?}, loaded after {:.1?}", since.elapsed());
    // Nothing is left open: whoever stands in between would hold on to it.
    wait_for(60, || proxy.given_up() == 1, || format!("{what}: is left open\n{}", bench.state()));
    bench.stop();
}

#[test]
fn silence_is_noticed_and_ends_wherever_it_begins() {
    let mut cases = vec![
        (false, 0, Place::Startup, Fault::Silence),
        // While the schema is looked at, and while a partition is made.
        (false, 7, Place::Query, Fault::Silence),
        (false, 20, Place::Query, Fault::Silence),
        (true, 0, Place::Query, Fault::Silence),
        (true, 0, Place::Copy, Fault::HalfAndSilence),
        (true, 0, Place::Commit, Fault::Silence),
        (true, 0, Place::Committed, Fault::Silence),
    ];
    if full() {
        cases.extend([
            (true, 0, Place::Answer, Fault::Silence),
            (true, 0, Place::Copy, Fault::Silence),
            (true, 0, Place::Commit, Fault::HalfAndSilence),
            (true, 0, Place::Committed, Fault::HalfAndSilence),
        ]);
        cases.extend((0..40).map(|passes| (false, passes, Place::Query, Fault::Silence)));
    }
    each(10, cases, |(begun, passes, place, fault)| cut_off(begun, passes, place, fault));
}

/// The daemon is killed where its connection is silent: the server does not learn that, and its session lives on.
fn outlived_at(place: Place, fault: Fault) {
    let (mut bench, proxy) = behind_proxy();
    let mut pace = Pace::new(&bench);
    pace.append(1);
    bench.start();
    pace.settle(&bench, 30);
    proxy.next(place, fault);
    pace.append(20);
    wait_for(30, || !proxy.met().is_empty(), || bench.state());
    bench.daemon.take().unwrap().kill();
    pace.append(20);
    bench.start();
    pace.settle(&bench, 90);
    bench.stop();
    pace.check(&bench);
}

#[test]
fn a_session_that_outlives_its_killed_daemon_does_not_stand_in_the_way() {
    let cases = [
        (Place::Query, Fault::Silence),
        (Place::Copy, Fault::HalfAndSilence),
        (Place::Commit, Fault::Silence),
        (Place::Committed, Fault::Silence),
    ];
    each(cases.len(), cases, |(place, fault)| outlived_at(place, fault));
}

#[test]
fn packets_that_are_lost_are_sent_again_or_their_connection_is_given_up() {
    let Some(mut line) = Machines::new() else { return };
    let listens = format!("listen_addresses={SERVER}");
    let cluster =
        Cluster::start_by(line.servers(), &[], &["fsync=off", "full_page_writes=off", listens.as_str()]);
    cluster.write("data/pg_hba.conf", "local all all trust\nhost all all 10.255.0.0/16 trust\n");
    cluster.psql("postgres", "SELECT pg_reload_conf()");
    let mut database = cluster.database();
    database.url = format!("postgres://alt@{SERVER}/{}?sslmode=disable", database.name);
    let mut bench = Bench::not_started("[[source]]\npaths = [\"DIR/beacon.log\"]", database);
    let mut pace = Pace::new(&bench);
    bench.daemon = Some(Daemon::start_by(&bench.config, &line.daemons(), |command| {
        if !full() {
            command.env("ALT_FAULT_WAIT", "5000");
        }
    }));
    pace.append(20);
    pace.settle(&bench, 30);
    // For a moment: they are sent again.
    for round in 0..if full() { 50 } else { 5 } {
        line.cut();
        pace.append(20);
        std::thread::sleep(Duration::from_millis(100 * (round % 6)));
        line.mend();
        pace.run(3, 3);
    }
    pace.settle(&bench, 30);
    // In the midst of a transaction, which holds its locks on the server: both notice.
    let held = bench.database.hold();
    pace.append(20);
    held.wait_until_awaited();
    line.cut();
    drop(held);
    pace.append(20);
    pace.rotate();
    pace.append(20);
    let log = || bench.daemon.as_ref().unwrap().log();
    wait_for(90, || log().contains("trying again until it does"), || bench.state());
    line.mend();
    pace.settle(&bench, 90);
    // The same where the server has said all, and waits; and the daemon's host has lost its power: nobody there can say
    // that the session has ended.
    let held = bench.database.hold();
    pace.append(20);
    held.wait_until_awaited();
    bench.daemon.as_ref().unwrap().signal(Signal::SIGSTOP);
    drop(held);
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'alt' AND datname = current_database() AND \
                 state = 'active' AND query LIKE 'COPY%' AND wait_event = 'ClientRead'";
    wait_for(30, || bench.database.psql(waits) == "1", || bench.state());
    // What it has said is acknowledged, late; or else it would say it again, and hear that nobody knows of it.
    std::thread::sleep(Duration::from_millis(500));
    line.cut();
    bench.daemon.take().unwrap().kill();
    line.power_fails();
    line.mend();
    bench.daemon = Some(Daemon::start_by(&bench.config, &line.daemons(), |_| {}));
    pace.append(20);
    pace.settle(&bench, 90);
    bench.stop();
    pace.check(&bench);
}
