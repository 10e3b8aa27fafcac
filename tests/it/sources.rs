//! Many sources: what they take, and that none of them holds up another.

use std::collections::HashSet;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

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

/// Waits for the rows, and checks that one line beside them is a reject, for its length.
fn settle_beside_one_too_long(bench: &Bench) {
    wait_for(30, || bench.rows() >= bench.written, || bench.state());
    let counts = "SELECT sum(lines), sum(rows), sum(rejects) FROM checkpoints";
    let want = format!("{}|{}|1", bench.written + 1, bench.written);
    wait_for(30, || bench.database.psql(counts) == want, || bench.state());
    let rejects = bench.database.psql("SELECT reason, lines FROM rejected_lines");
    assert_eq!(rejects, "too_long|1", "{}", bench.state());
}

#[test]
fn a_hole_of_terabytes_in_a_log_is_passed_at_once() {
    let mut bench = Bench::new();
    bench.append("beacon.log", 10);
    bench.settle();
    let log = OpenOptions::new().append(true).open(bench.path("beacon.log")).unwrap();
    log.set_len(2 << 40).unwrap();
    bench.append_text("beacon.log", &format!("\n{}", many(10)), 10);
    settle_beside_one_too_long(&bench);
    // It is one log as before, also after a restart and under another name.
    bench.stop();
    bench.append("beacon.log", 5);
    bench.start();
    settle_beside_one_too_long(&bench);
    fs::rename(bench.path("beacon.log"), bench.path("beacon.log.1")).unwrap();
    bench.append("beacon.log", 5);
    settle_beside_one_too_long(&bench);
    bench.sealed(1);
    bench.stop();
}

#[test]
fn an_enormous_line_is_read_once_also_over_a_restart() {
    let mut bench = Bench::new();
    bench.append("beacon.log", 10);
    bench.settle();
    let megabyte = "x".repeat(1 << 20);
    for _ in 0..200 {
        bench.append_text("beacon.log", &megabyte, 0);
    }
    let size = fs::metadata(bench.path("beacon.log")).unwrap().len().to_string();
    let loaded = "SELECT loaded_bytes FROM checkpoints";
    wait_for(60, || bench.database.psql(loaded) == size, || bench.state());
    bench.stop();
    // The line ends only now.
    bench.append_text("beacon.log", &format!("{megabyte}\n{}", many(10)), 10);
    bench.start();
    settle_beside_one_too_long(&bench);
    let io = fs::read_to_string(format!("/proc/{}/io", bench.daemon.as_ref().unwrap().pid())).unwrap();
    let read: u64 = io.lines().find_map(|line| line.strip_prefix("rchar: ")).unwrap().parse().unwrap();
    println!("{read} bytes were read after the restart");
    assert!(read < 50 << 20, "{read}");
    bench.stop();
}

/// Hits that hardly pack.
fn bulky(count: usize) -> String {
    let mut state = 7_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(
            b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_"[(state >> 58) as usize],
        )
    };
    (0..count)
        .map(|_| {
            let noise: String = (0..500).map(|_| next()).collect();
            alt1().replace("&sw=1920", &format!("&sw=1920&p.x={noise}"))
        })
        .collect()
}

/// A bench of five sources, of which the first has a log that was loaded and packed by this program, but is to be
/// identified again; returns also the name of the packed file. Each of `reads` reads of it takes as long as a test
/// wants, by `ALT_FAULT_UNPACK`.
fn to_be_identified_again(lines: usize, program: &str, reads: u64) -> (Bench, PathBuf) {
    // The first and the last source belong to one reader thread.
    let mut bench = bench(5);
    bench.append_text("0.log.1", &bulky(lines), lines);
    assert!(Command::new(program).arg(bench.path("0.log.1")).status().unwrap().success());
    bench.append("0.log", 1);
    bench.start();
    bench.settle_within(120);
    bench.sealed(1);
    bench.stop();
    let name = fs::read_dir(bench.directory.path()).unwrap().map(|entry| entry.unwrap().path());
    let packed = name.filter(|path| path.to_string_lossy().contains("0.log.1.")).max().unwrap();
    // Nothing shows any more that it was compared with its checkpoint.
    let file = OpenOptions::new().append(true).open(&packed).unwrap();
    file.set_modified(SystemTime::now()).unwrap();
    let size = file.metadata().unwrap().len();
    assert!(size > reads * 128 * 1024, "{size}");
    (bench, packed)
}

/// Whether a file is known by its age, so that it need not be unpacked any more.
fn is_identified(bench: &Bench, packed: &Path) -> bool {
    let modified = fs::metadata(packed).unwrap().modified().unwrap();
    let micros = modified.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_micros();
    let sql = format!(
        "SELECT count(*) FROM log_files WHERE extract(epoch FROM modified_at) * 1000000 = {micros} AND inode = {}",
        fs::metadata(packed).unwrap().ino()
    );
    bench.database.psql(&sql) == "1"
}

#[test]
fn a_packed_log_that_is_identified_again_does_not_hold_up_other_lines() {
    for program in ["gzip", "bzip2"] {
        let (mut bench, packed) = to_be_identified_again(15_000, program, 36);
        let slow = |command: &mut Command| _ = command.env("ALT_FAULT_UNPACK", "500");
        bench.daemon = Some(Daemon::start_with(&bench.config, slow));
        // Of its own source, and of another one.
        for log in ["0.log", "4.log"] {
            bench.append(log, 1);
            wait_for(8, || bench.rows() == bench.written, || bench.state());
            assert!(!is_identified(&bench, &packed), "it takes 18 seconds at least");
        }
        wait_for(120, || is_identified(&bench, &packed), || bench.state());
        bench.append("4.log", 1);
        bench.settle();
        bench.stop();
    }
}

/// What the daemon has written down of packed logs.
fn marks(state: &Path) -> Vec<Vec<u8>> {
    let files = fs::read_dir(state).unwrap().map(|entry| entry.unwrap());
    let files = files.filter(|entry| entry.file_name().to_string_lossy().starts_with("unpacked-"));
    // A file may be replaced between the two.
    files.filter_map(|entry| fs::read(entry.path()).ok()).collect()
}

#[test]
fn a_bzip2_log_that_is_identified_again_goes_on_after_a_restart() {
    let (mut bench, packed) = to_be_identified_again(45_000, "bzip2", 110);
    fs::create_dir(bench.path("state")).unwrap();
    let state = bench.path("state");
    let mut starts = 0;
    while !is_identified(&bench, &packed) {
        starts += 1;
        // A mark stands for a MiB, of which the log has some 35.
        assert!(starts <= 20, "{}", bench.state());
        let slow = |command: &mut Command| {
            command.env("STATE_DIRECTORY", &state).env("ALT_FAULT_UNPACK", "100");
        };
        // Killed once it has written down some MiB, so that only what is written down brings it to the end.
        let mut seen = HashSet::from([marks(&state)]);
        let daemon = Daemon::start_with(&bench.config, slow);
        let came_on = || {
            seen.insert(marks(&state));
            seen.len() > 5 || is_identified(&bench, &packed)
        };
        wait_for(120, came_on, || daemon.log());
        daemon.kill();
    }
    println!("{starts} starts");
    assert!(starts > 1);
    bench.start();
    bench.append("0.log", 1);
    bench.settle();
    bench.stop();
}

#[test]
fn a_log_that_is_written_over_takes_nobody_else_along_a_second_time() {
    // The first and the last source belong to one reader thread.
    let mut bench = bench(5);
    bench.append("0.log", 10);
    bench.append("4.log", 10);
    bench.start();
    bench.settle();
    let is_read = |log: &str| {
        let log = format!("/{log}");
        bench
            .daemon
            .as_ref()
            .unwrap()
            .log()
            .lines()
            .filter(|l| l.contains("reading") && l.contains(&log))
            .count()
    };
    let (mut written, first) = (bench.written, is_read("0.log"));
    for times in 1..=6 {
        // More than was read, so that it does not count as cut.
        let text = many(10 + 5 * times);
        written += 10 + 5 * times;
        let file = OpenOptions::new().write(true).open(bench.path("0.log")).unwrap();
        file.write_all_at(text.as_bytes(), 0).unwrap();
        wait_for(30, || bench.rows() >= written && is_read("0.log") == first + times, || bench.state());
    }
    assert!(is_read("4.log") <= 2, "{}", bench.state());
    bench.written = written;
    bench.append("4.log", 10);
    bench.settle();
    bench.stop();
}

#[test]
fn of_a_hundred_thousand_applications_those_in_use_are_kept() {
    let mut peaks = Vec::new();
    for sources in [1, 10] {
        let mut bench = bench(sources);
        bench.database.psql(
            "INSERT INTO applications (app_key, name, allowed_domains) \
             SELECT 'key-of-application-' || n, 'Application ' || n, ARRAY['www.application-' || n || '.example'] \
             FROM generate_series(1, 100000) n; \
             UPDATE applications SET allowed_domains = '{}' WHERE app_key LIKE '%99'",
        );
        let of = |key: &str| alt1().replace("a=shop&", &format!("a={key}&"));
        for n in 0..sources {
            bench.append(&format!("{n}.log"), 100);
            // Each of them is one that its reader has not seen yet.
            let text: String =
                (1..=20).map(|i| of(&format!("key-of-application-{}99", i + 20 * n))).collect();
            bench.append_text(&format!("{n}.log"), &text, 20);
        }
        bench.start();
        bench.settle_within(60);
        let daemon = bench.daemon.as_ref().unwrap();
        peaks.push(daemon.peak_rss_kib());
        // One that is registered meanwhile is known after a moment; one that is not is a reject.
        bench.database.psql("INSERT INTO applications (app_key, name) VALUES ('new', 'New')");
        std::thread::sleep(Duration::from_millis(1500));
        bench.append_text("0.log", &of("new"), 1);
        bench.settle();
        bench.append_text("0.log", &of("unknown"), 0);
        let rejects = "SELECT reason, sum(lines) FROM rejected_lines GROUP BY 1";
        wait_for(30, || bench.database.psql(rejects) == "unknown_app|1", || bench.state());
        bench.stop();
    }
    println!("{peaks:?} KiB at most");
    assert!(peaks.iter().all(|peak| *peak <= 64 * 1024), "{peaks:?} KiB");
}
