//! Logs whose files get names that nobody foresaw while the daemon is stopped: what is on the disk is loaded, and what is
//! not is reported until somebody settles it.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use crate::support::bench::Bench;
use crate::support::daemon::{Daemon, alt, wait_for};
use crate::support::lines::{alt1, many};
use crate::support::postgres::Database;

/// What a command prints, on both outputs, and its exit code.
fn said(bench: &Bench, arguments: &[&str]) -> (Option<i32>, String) {
    let output = alt().args(arguments).arg("--config").arg(&bench.config).output().unwrap();
    (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
}

/// A metric of the followed log's source.
fn of_source(bench: &Bench, name: &str) -> f64 {
    let sample = format!("{name}{{source=\"{}\"}}", bench.path("beacon.log").display());
    bench.daemon.as_ref().unwrap().metric(&sample)
}

/// The daemon's metrics; empty as long as it does not answer.
fn page(bench: &Bench) -> String {
    bench.daemon.as_ref().unwrap().try_ask("/metrics").unwrap_or_default()
}

/// Waits until the daemon has looked for missing logs, and found this many missing.
fn is_missing(bench: &Bench, count: usize) {
    let told = format!("alt_missing_logs{{source=\"{}\"}} {count}\n", bench.path("beacon.log").display());
    wait_for(30, || page(bench).contains(&told), || format!("{}\n{}", page(bench), bench.state()));
}

/// The number of the log that is missing, by `alt status`.
fn missing_number(bench: &Bench) -> i64 {
    let (_, json) = said(bench, &["status", "--json"]);
    let entries: serde_json::Value = serde_json::from_str(&json).unwrap();
    let missing = |entry: &&serde_json::Value| entry["state"] == "missing";
    let missing: Vec<_> = entries.as_array().unwrap().iter().filter(missing).collect();
    assert_eq!(missing.len(), 1, "{json}");
    missing[0]["file"].as_i64().unwrap()
}

/// A daemon that has loaded ten lines of its log and is stopped; the log has got four more.
fn stopped() -> Bench {
    let mut bench = Bench::new();
    bench.append("beacon.log", 10);
    bench.settle();
    bench.stop();
    bench.append("beacon.log", 4);
    bench
}

#[test]
fn a_rotated_log_is_found_under_any_name_in_its_directories() {
    for name in [
        "beacon.log_20261127",
        "beacon.log-27Nov2026",
        "beacon.log-20261127T101010Z",
        "20261127-beacon.log",
        "beacon.log.yesterday",
        "something else",
        "rotated/kept",
        "archive-me.gz.kept",
    ] {
        let mut bench = stopped();
        let to = bench.path(name);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        if name.contains(".gz") {
            assert!(Command::new("gzip").arg(bench.path("beacon.log")).status().unwrap().success());
            fs::rename(bench.path("beacon.log.gz"), &to).unwrap();
        } else {
            fs::rename(bench.path("beacon.log"), &to).unwrap();
        }
        bench.append("beacon.log", 3);
        bench.start();
        bench.settle();
        bench.sealed(1);
        is_missing(&bench, 0);
        assert_eq!(of_source(&bench, "alt_files_waiting"), 0.0, "{name}");
        let (code, status) = said(&bench, &["status", to.to_str().unwrap()]);
        assert_eq!(code, Some(0), "{name}: {status}");
        assert!(!said(&bench, &["status"]).1.contains("missing"), "{name}");
    }
}

#[test]
fn a_rotated_log_is_found_in_another_file_of_the_same_content() {
    // As after a move from another file system, or out of a backup: another inode, and copies that have less.
    let mut bench = stopped();
    let text = fs::read_to_string(bench.path("beacon.log")).unwrap();
    let part = |lines: usize| text.split_inclusive('\n').take(lines).collect::<String>();
    fs::write(bench.path("a part"), part(10)).unwrap();
    fs::write(bench.path("less"), part(3)).unwrap();
    fs::write(bench.path("whole"), &text).unwrap();
    fs::remove_file(bench.path("beacon.log")).unwrap();
    bench.append("beacon.log", 3);
    bench.start();
    bench.settle();
    bench.sealed(1);
    is_missing(&bench, 0);
}

#[test]
fn a_symbolic_link_that_is_pointed_elsewhere_while_the_daemon_is_stopped() {
    for is_directory in [false, true] {
        let directories = tempfile::tempdir().unwrap();
        let there = |name: &str| directories.path().join(name);
        fs::create_dir(there("one")).unwrap();
        fs::create_dir(there("two")).unwrap();
        let mut bench =
            Bench::not_started("[[source]]\npaths = [\"DIR/logs/beacon.log\"]", Database::create());
        let link = match is_directory {
            true => bench.path("logs"),
            false => {
                fs::create_dir(bench.path("logs")).unwrap();
                bench.path("logs/beacon.log")
            }
        };
        let point = |to: &str| {
            let _ = fs::remove_file(&link);
            let to = if is_directory { there(to) } else { there(to).join("beacon.log") };
            std::os::unix::fs::symlink(to, &link).unwrap();
        };
        point("one");
        bench.start();
        bench.append("logs/beacon.log", 10);
        bench.settle();
        bench.stop();
        bench.append("logs/beacon.log", 4);
        point("two");
        bench.append("logs/beacon.log", 3);
        bench.start();
        bench.settle();
        bench.sealed(1);
    }
}

#[test]
fn a_log_that_is_not_found_is_reported_until_it_is_loaded() {
    let mut bench = stopped();
    let elsewhere = tempfile::tempdir().unwrap();
    let moved = elsewhere.path().join("beacon.log.1");
    fs::copy(bench.path("beacon.log"), &moved).unwrap();
    fs::remove_file(bench.path("beacon.log")).unwrap();
    // Nobody starts the daemon: the commands look for themselves.
    bench.append("beacon.log", 3);
    let number = missing_number(&bench);
    bench.start();
    for is_restarted in [false, true] {
        is_missing(&bench, 1);
        if is_restarted {
            bench.stop();
            bench.start();
            is_missing(&bench, 1);
        }
        assert_eq!(missing_number(&bench), number);
        let loaded =
            bench.database.psql(&format!("SELECT loaded_bytes FROM checkpoints WHERE file_id = {number}"));
        let path = bench.path("beacon.log").display().to_string();
        let sample = format!(
            "alt_missing_log_bytes{{file=\"{number}\",offset=\"{loaded}\",path=\"{path}\",source=\"{path}\"}} 0\n"
        );
        assert!(page(&bench).contains(&sample), "{sample}{}", page(&bench));
        for command in ["status", "check"] {
            let (_, told) = said(&bench, &[command]);
            let what = format!("was loaded up to byte {loaded} (file {number}), and is not found any more");
            assert!(told.contains(&what) && told.contains("alt replay FILE"), "{told}");
            assert!(told.contains(&format!("alt status --forget {number}")), "{told}");
        }
        let log = bench.daemon.as_ref().unwrap().log();
        assert!(log.contains(&format!("up to byte {loaded} (file {number})")), "{log}");
    }
    let (code, told) = said(&bench, &["replay", moved.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{told}");
    bench.settle();
    is_missing(&bench, 0);
    assert!(!said(&bench, &["status"]).1.contains("missing"));
    assert!(!page(&bench).contains("alt_missing_log_bytes{"), "{}", page(&bench));
}

#[test]
fn how_many_bytes_a_missing_log_was_seen_to_have() {
    let mut bench = stopped();
    // It has more than a batch when it is met, and the daemon dies before it is loaded.
    bench.append("beacon.log", 1000);
    let held = bench.database.hold();
    bench.daemon = Some(Daemon::start(&bench.config));
    held.wait_until_awaited();
    let size = fs::metadata(bench.path("beacon.log")).unwrap().len();
    bench.daemon.take().unwrap().kill();
    drop(held);
    bench.written = bench.rows();
    fs::remove_file(bench.path("beacon.log")).unwrap();
    bench.start();
    is_missing(&bench, 1);
    let loaded: u64 = bench.database.psql("SELECT loaded_bytes FROM checkpoints").parse().unwrap();
    let behind = size - loaded;
    assert!(
        said(&bench, &["status"]).1.contains(&format!("{behind} bytes of them were seen")),
        "{size} {loaded}"
    );
}

#[test]
fn a_log_that_is_gone_is_reported_until_somebody_forgets_it() {
    let mut bench = stopped();
    fs::remove_file(bench.path("beacon.log")).unwrap();
    bench.written -= 4;
    bench.append("beacon.log", 3);
    bench.start();
    is_missing(&bench, 1);
    let number = missing_number(&bench).to_string();
    // The live log is none that can be forgotten.
    let live = bench.database.psql(&format!("SELECT id FROM log_files WHERE id <> {number}"));
    let (code, told) = said(&bench, &["status", "--forget", &live]);
    assert!(code == Some(1) && told.contains("no missing log has the number"), "{told}");
    let (code, told) = said(&bench, &["status", "--forget", &number]);
    assert!(code == Some(0) && told.contains("not looked for any more"), "{told}");
    is_missing(&bench, 0);
    bench.stop();
    bench.start();
    bench.append("beacon.log", 3);
    bench.settle();
    is_missing(&bench, 0);
    assert!(!said(&bench, &["status"]).1.contains("missing"));
    assert!(!said(&bench, &["check"]).1.contains("not found any more"));
}

#[test]
fn a_log_that_is_open_or_was_loaded_to_its_end_is_not_missing() {
    let mut bench = Bench::new();
    bench.append("beacon.log", 10);
    bench.settle();
    // Its descriptor is left, and no log follows it.
    fs::remove_file(bench.path("beacon.log")).unwrap();
    std::thread::sleep(std::time::Duration::from_secs(1));
    assert!(!said(&bench, &["status"]).1.contains("missing"));
    assert!(!said(&bench, &["check"]).1.contains("not found any more"));
    bench.append("beacon.log", 10);
    bench.settle();
    bench.sealed(1);
    // Rotated by a name that is not followed, while it is read.
    fs::rename(bench.path("beacon.log"), bench.path("what ever")).unwrap();
    bench.append("what ever", 3);
    bench.append("beacon.log", 3);
    bench.settle();
    bench.sealed(2);
    fs::remove_file(bench.path("what ever")).unwrap();
    bench.stop();
    bench.start();
    is_missing(&bench, 0);
}

#[test]
fn foreign_files_that_begin_like_a_missing_log_are_left_alone() {
    let mut bench = stopped();
    let text = fs::read_to_string(bench.path("beacon.log")).unwrap();
    fs::remove_file(bench.path("beacon.log")).unwrap();
    bench.written -= 4;
    let first: String = text.split_inclusive('\n').take(2).collect();
    fs::write(bench.path("notes"), first.clone() + &many(20)).unwrap();
    fs::write(bench.path("a sample"), &first).unwrap();
    let mut packed = bench.path("beacon.log.1").into_os_string();
    packed.push(".xz");
    File::create(Path::new(&packed)).unwrap().write_all(b"\xfd7zXZ\0 is not read").unwrap();
    bench.append("beacon.log", 3);
    bench.start();
    is_missing(&bench, 1);
    bench.settle();
    let (_, told) = said(&bench, &["status"]);
    assert!(told.contains("beacon.log.1.xz may be it, and cannot be read: packed by xz"), "{told}");
}

#[test]
fn a_log_that_was_cut_in_place_is_reported_with_what_is_there() {
    let mut bench = stopped();
    File::options().write(true).open(bench.path("beacon.log")).unwrap().set_len(0).unwrap();
    bench.written -= 4;
    bench.append("beacon.log", 3);
    bench.start();
    is_missing(&bench, 1);
    let (_, told) = said(&bench, &["status"]);
    assert!(told.contains("beacon.log has its inode and other content"), "{told}");
}

#[test]
fn a_log_that_a_replay_began_is_looked_for_once_it_is_followed() {
    let mut bench = Bench::not_started("[[source]]\npaths = [\"DIR/beacon.log\"]", Database::create());
    bench.append("beacon.log", 10);
    assert_eq!(said(&bench, &["replay", bench.path("beacon.log").to_str().unwrap()]).0, Some(0));
    bench.start();
    bench.append("beacon.log", 5);
    bench.settle();
    bench.stop();
    bench.append("beacon.log", 4);
    fs::rename(bench.path("beacon.log"), bench.path("what ever")).unwrap();
    bench.append("beacon.log", 3);
    bench.start();
    bench.settle();
}

#[test]
fn a_missing_log_among_ten_thousand_files_does_not_hold_up_others() {
    let mut bench = stopped();
    let packed = {
        assert!(Command::new("gzip").arg(bench.path("beacon.log")).status().unwrap().success());
        bench.path("beacon.log.gz")
    };
    for n in 0..10_000 {
        fs::write(bench.path(&format!("file {n}")), alt1()).unwrap();
    }
    // Another inode than the log's, so that it is found by its content alone.
    fs::rename(packed, bench.path("zz kept")).unwrap();
    let lost = 4;
    bench.written -= lost;
    bench.append("beacon.log", 3);
    let start = Instant::now();
    bench.start();
    wait_for(30, || bench.rows() >= bench.written, || bench.state());
    let live = start.elapsed();
    bench.written += lost;
    bench.settle();
    println!("live lines after {live:?}, the log's after {:?}", start.elapsed());
    bench.sealed(1);
    // Nothing is missing: nothing is opened.
    let start = Instant::now();
    assert!(!said(&bench, &["status"]).1.contains("missing"));
    println!("alt status: {:?}", start.elapsed());
}

#[test]
fn an_empty_log_that_is_packed_is_nothing_to_load() {
    let mut bench = Bench::new();
    bench.append("beacon.log", 10);
    bench.settle();
    // What gzip writes for an empty file; its time looks like newlines.
    let gzip = b"\x1f\x8b\x08\0\n\n\n\n\0\x03\x03\0\0\0\0\0\0\0\0\0";
    fs::write(bench.path("beacon.log.1.gz"), gzip).unwrap();
    fs::write(bench.path("beacon.log.2.zst"), zstd::encode_all(&b""[..], 1).unwrap()).unwrap();
    fs::write(bench.path("beacon.log.3"), "").unwrap();
    let empty = ["beacon.log.1.gz", "beacon.log.2.zst", "beacon.log.3"];
    for name in empty {
        bench.stands_still(name);
    }
    let check = said(&bench, &["check"]).1;
    assert!(!check.contains("are not loaded"), "{check}");
    let status = said(&bench, &["status"]).1;
    assert!(!status.contains("not begun"), "{status}");
    for name in empty {
        let (code, told) = said(&bench, &["status", bench.path(name).to_str().unwrap()]);
        assert!(code == Some(0) && told.contains("empty"), "{told}");
    }
    // One line is one.
    bench.stop();
    fs::write(bench.path("beacon.log.2.zst"), zstd::encode_all(many(1).as_bytes(), 1).unwrap()).unwrap();
    assert!(said(&bench, &["status"]).1.contains("not begun"));
}
