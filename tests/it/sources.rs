//! Many sources: what they take, and that none of them holds up another.

use std::fs;
use std::process::Command;

use crate::support::bench::Bench;
use crate::support::daemon::{Daemon, wait_for};
use crate::support::lines::{alt1, many};
use crate::support::postgres::Database;

/// The tables of so many sources, each with a log of its own, `0.log` and so on.
fn tables(count: usize) -> String {
    (0..count).map(|n| format!("[[source]]\npaths = [\"DIR/{n}.log\"]\n")).collect()
}

/// The threads of a daemon.
fn threads(daemon: &Daemon) -> usize {
    fs::read_dir(format!("/proc/{}/task", daemon.pid())).unwrap().count()
}

/// A bench with this many sources that is not started.
fn bench(count: usize) -> Bench {
    Bench::not_started(&tables(count), Database::create())
}

#[test]
fn a_hundred_sources_with_backlogs_fit_into_what_the_unit_allows() {
    let mut bench = bench(100);
    for n in 0..100 {
        bench.append(&format!("{n}.log.2"), 500);
        assert!(Command::new("gzip").arg(bench.path(&format!("{n}.log.2"))).status().unwrap().success());
        bench.append(&format!("{n}.log.1"), 500);
        bench.append(&format!("{n}.log"), 1000);
    }
    bench.start();
    bench.settle_within(240);
    // While nothing is to be done, and again with more for each.
    for n in 0..100 {
        bench.append(&format!("{n}.log"), 100);
    }
    bench.settle_within(120);
    let daemon = bench.daemon.as_ref().unwrap();
    let (threads, peak) = (threads(daemon), daemon.peak_rss_kib());
    println!("{threads} threads, {peak} KiB at most");
    // The unit has TasksMax=128 and MemoryMax=256M; with two threads a source, none of them would start.
    assert!(threads <= 16, "{threads}");
    assert!(peak <= 64 * 1024, "{peak} KiB");
    bench.stop();
}

#[test]
fn a_backlog_of_one_source_does_not_hold_up_the_lines_of_another() {
    // The first and the last belong to one reader thread.
    let mut bench = bench(5);
    for _ in 0..10 {
        bench.append("0.log", 20_000);
    }
    bench.start();
    wait_for(60, || bench.rows() > 0, || bench.state());
    let live = alt1();
    let id = live.split('\t').nth(2).unwrap().to_owned();
    bench.append_text("4.log", &live, 1);
    let sql = format!("SELECT count(*) FROM access_logs WHERE event_id = '{id}'");
    wait_for(60, || bench.database.psql(&sql) == "1", || bench.state());
    let rows = bench.rows();
    println!("{rows} of {} rows were there", bench.written);
    assert!(rows < bench.written, "it had to wait for the whole backlog");
    bench.settle_within(120);
    bench.stop();
}

#[test]
fn one_log_in_two_sources_of_a_reader_is_loaded_once() {
    let mut bench = bench(5);
    let text = many(50);
    bench.append_text("0.log", &text, 50);
    bench.append_text("4.log", &text, 0);
    bench.append("2.log", 10);
    bench.start();
    bench.settle();
    // Whichever of the two has the checkpoint, both go on.
    bench.append("0.log", 5);
    bench.append("4.log", 7);
    bench.append("2.log", 1);
    bench.settle();
    bench.stop();
}
