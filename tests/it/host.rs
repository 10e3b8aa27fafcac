//! The machine misbehaves: directories, disks, the clock, and a daemon that is stopped for a while.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::support::bench::Bench;
use crate::support::daemon::{Daemon, wait_for};
use crate::support::disk::Disk;
use crate::support::faketime::Clock;
use crate::support::lines::{alt1, many};
use crate::support::memory::Limit;
use crate::support::pace::Pace;
use crate::support::postgres::Database;
use crate::support::proxy::{Fault, Place, Proxy};

const SOURCE: &str = "[[source]]\npaths = [\"DIR/beacon.log\"]";

#[test]
fn a_log_directory_that_is_replaced_while_its_log_is_written_to() {
    let mut bench = Bench::not_started("[[source]]\npaths = [\"DIR/logs/beacon.log\"]", Database::create());
    let (logs, old) = (bench.path("logs"), bench.path("old"));
    fs::create_dir(&logs).unwrap();
    bench.append("logs/beacon.log", 10);
    bench.start();
    bench.settle();
    // nginx has the old file open until it is told.
    fs::rename(&logs, &old).unwrap();
    bench.append("old/beacon.log", 10);
    bench.settle();
    fs::create_dir(&logs).unwrap();
    bench.append("logs/beacon.log", 10);
    bench.append("old/beacon.log", 10);
    bench.settle();
    fs::rename(bench.path("logs/beacon.log"), bench.path("logs/beacon.log.1")).unwrap();
    bench.append("logs/beacon.log", 10);
    bench.settle();
    bench.stop();
}

#[test]
fn hundreds_of_rotated_files_at_the_start() {
    let mut bench = Bench::not_started(SOURCE, Database::create());
    for n in 0..if std::env::var_os("ALT_TEST_FULL").is_some() { 1000 } else { 250 } {
        bench.append(&format!("beacon.log.{n}"), 2);
    }
    bench.append("beacon.log", 1);
    // None is finished before the last is begun.
    let text =
        fs::read_to_string(&bench.config).unwrap().replace("seal_after = \"1s\"", "seal_after = \"10m\"");
    fs::write(&bench.config, text).unwrap();
    bench.start();
    bench.daemon.as_ref().unwrap().limit_files(64);
    // The live log does not wait for them.
    let live = many(1);
    let id = live.split('\t').nth(2).unwrap().to_owned();
    bench.append_text("beacon.log", &live, 1);
    let is_there =
        || bench.database.psql(&format!("SELECT count(*) FROM access_logs WHERE event_id = '{id}'")) == "1";
    wait_for(30, is_there, || bench.state());
    bench.settle_within(120);
    let peak = bench.daemon.as_ref().unwrap().peak_rss_kib();
    assert!(peak < 64 * 1024, "{peak} KiB");
    bench.stop();
}

#[test]
fn a_daemon_that_is_stopped_for_a_while() {
    let mut database = Database::create();
    let direct = database.url.clone();
    let proxy = Proxy::before(&database.cluster);
    database.url = proxy.url(&database);
    let mut bench = Bench::not_started(SOURCE, database);
    let mut pace = Pace::new(&bench);
    pace.append(20);
    bench.start();
    pace.settle(&bench, 30);
    // In the midst of a transaction, which holds its locks.
    proxy.next(Place::Copy, Fault::Late(1500));
    pace.append(20);
    wait_for(30, || !proxy.met().is_empty(), || bench.state());
    bench.daemon.as_ref().unwrap().signal(Signal::SIGSTOP);
    pace.append(20);
    pace.rotate();
    pace.append(20);
    // Another one takes its place, that ends its session; then it goes on where it was.
    let text = fs::read_to_string(&bench.config).unwrap().replace(&proxy.url(&bench.database), &direct);
    let config = bench.path("other.toml");
    fs::write(&config, text).unwrap();
    let other = Daemon::start(&config);
    pace.settle(&bench, 90);
    bench.daemon.as_ref().unwrap().signal(Signal::SIGCONT);
    pace.run(10, 4);
    pace.append(1);
    pace.settle(&bench, 60);
    assert!(other.stop().success());
    bench.stop();
    pace.check(&bench);
}

#[test]
fn a_clock_that_steps() {
    let Some(clock) = Clock::new("a clock that steps") else { return };
    let mut bench = Bench::not_started(SOURCE, Database::create());
    let daemon = Daemon::start_with(&bench.config, |command| clock.show(command));
    let mut pace = Pace::new(&bench);
    for offset in ["+3600s", "-3600s", "+0", "-3600s", "+90000s", "+0"] {
        clock.set(offset);
        pace.run(10, 4);
        pace.settle(&bench, 60);
    }
    pace.append(1);
    bench.daemon = Some(daemon);
    pace.settle(&bench, 60);
    bench.sealed(pace.texts.len() - 1);
    bench.stop();
    pace.check(&bench);
}

#[test]
fn a_daemon_that_is_killed_for_its_memory() {
    let Some(limit) = Limit::new() else { return };
    let mut bench = Bench::not_started(SOURCE, Database::create());
    let mut pace = Pace::new(&bench);
    for _ in 0..4 {
        pace.append(5000);
        pace.rotate();
    }
    pace.append(5000);
    let start = || Daemon::start_by(&bench.config, &limit.enter(), |_| {});
    let is_killed = |daemon: &mut Daemon| {
        let status = daemon.ended();
        assert!(status.is_none_or(|status| status.signal() == Some(9)), "{}", bench.state());
        status.is_some()
    };
    // Each time it may have a little more, till that is enough.
    let (mut megabytes, mut kills) = (4, 0);
    let mut daemon = loop {
        limit.set(megabytes);
        let mut daemon = start();
        let mut killed = false;
        let mut is_done = || {
            killed = is_killed(&mut daemon);
            killed || pace.is_loaded(&bench)
        };
        wait_for(60, &mut is_done, || format!("{megabytes} MiB\n{}", bench.state()));
        if !killed {
            break daemon;
        }
        (megabytes, kills) = (megabytes + 1, kills + 1);
    };
    // What it has is all that it may have, and more comes.
    for _ in 0..if std::env::var_os("ALT_TEST_FULL").is_some() { 100 } else { 5 } {
        limit.tighten();
        for round in 0..100 {
            if is_killed(&mut daemon) {
                break;
            }
            // A daemon that has room enough for small batches gets by; for full ones it needs more.
            pace.append(if round < 50 { 200 } else { 4000 });
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(is_killed(&mut daemon), "{}", bench.state());
        kills += 1;
        pace.rotate();
        pace.append(10);
        limit.set(64);
        daemon = start();
        pace.settle(&bench, 60);
    }
    println!("{megabytes} MiB were enough at first; {kills} kills");
    assert_eq!(limit.kills(), kills);
    bench.daemon = Some(daemon);
    bench.stop();
    pace.check(&bench);
}

/// Appends as nginx does: once, and what the disk does not take is lost. Returns how much it took.
fn write(log: &Path, line: &str) -> usize {
    let Ok(mut file) = OpenOptions::new().create(true).append(true).open(log) else { return 0 };
    file.write(line.as_bytes()).unwrap_or_default()
}

#[test]
fn a_disk_of_logs_that_fills_and_is_freed() {
    let mut bench = Bench::not_started("[[source]]\npaths = [\"DIR/logs/beacon.log\"]", Database::create());
    let Some(disk) = Disk::mount(&bench.path("logs"), 2) else { return };
    let log = bench.path("logs/beacon.log");
    bench.start();
    let (mut whole, mut torn, mut lost) = (0, 0, 0);
    for kilobytes in [16, 8, 40, 4, 100] {
        disk.fill(kilobytes);
        let mut is_full = 0;
        // Until the disk has been full for some lines; then with room again.
        while is_full < 10 {
            let line = alt1();
            match write(&log, &line) {
                0 => (lost, is_full) = (lost + 1, is_full + 1),
                n if n == line.len() => whole += 1,
                _ => torn += 1,
            }
        }
        disk.free();
        for _ in 0..20 {
            let line = alt1();
            assert_eq!(write(&log, &line), line.len());
            whole += 1;
        }
    }
    println!("{whole} whole lines, {torn} torn, {lost} not written");
    assert!(torn > 0 && lost > 0, "{torn} {lost}");
    wait_for(60, || bench.rows() >= whole, || format!("{whole} whole\n{}", bench.state()));
    let rejects = "SELECT coalesce(sum(lines), 0) FROM rejected_lines WHERE reason IN ('torn', 'shape')";
    wait_for(
        60,
        || bench.database.psql(rejects) == torn.to_string(),
        || format!("{torn} torn\n{}", bench.state()),
    );
    assert_eq!(bench.rows(), whole);
    bench.stop();
}

#[test]
fn a_whole_line_behind_a_torn_one_is_a_row_wherever_that_was_torn() {
    let mut bench = Bench::with(SOURCE);
    let torn = alt1();
    let mut text = String::new();
    for at in 1..torn.len() {
        text += &torn[..at];
        text += &alt1();
    }
    bench.append_text("beacon.log", &text, torn.len() - 1);
    wait_for(60, || bench.rows() >= bench.written, || format!("{} lines\n{}", bench.written, bench.state()));
    let rejects = bench.database.psql("SELECT sum(lines) FROM rejected_lines");
    assert_eq!((bench.rows(), rejects), (bench.written, (torn.len() - 1).to_string()), "{}", bench.state());
}
