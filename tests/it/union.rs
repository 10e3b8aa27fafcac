//! Replaying as a property: whatever files are made of some logs, and however they are replayed, the rows are the
//! union of their hit lines.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use crate::support::bench::Bench;
use crate::support::daemon::{alt, wait_for};
use crate::support::lines::many;
use crate::support::postgres::Database;

fn bench() -> Bench {
    Bench::not_started("[[source]]\npaths = [\"DIR/beacon.log\"]", Database::create())
}

fn replay(bench: &Bench, what: &str) -> Command {
    let mut command = alt();
    command.arg("replay").arg(what).arg("--config").arg(&bench.config).current_dir(bench.directory.path());
    command.stdout(Stdio::null());
    command
}

/// Writes a file that stands still, and replays it.
fn load(bench: &mut Bench, name: &str, text: &str, lines: usize) {
    bench.append_text(name, text, lines);
    let file = fs::OpenOptions::new().append(true).open(bench.path(name)).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(3600)).unwrap();
    assert!(replay(bench, name).status().unwrap().success());
}

#[test]
fn a_copy_that_breaks_off_within_a_line_does_not_cost_the_line() {
    let mut bench = bench();
    let text = many(3);
    load(&mut bench, "cut", &text[..text.len() - 50], 2);
    load(&mut bench, "whole", &text, 1);
    let rows = bench.database.psql("SELECT count(*), count(DISTINCT event_id) FROM access_logs");
    assert_eq!(rows, "3|3", "{}", bench.state());
    // The same, packed.
    let text = many(3);
    load(&mut bench, "second-cut", &text[..text.len() - 50], 2);
    fs::write(bench.path("second.zst"), zstd::encode_all(text.as_bytes(), 1).unwrap()).unwrap();
    assert!(replay(&bench, "second.zst").status().unwrap().success());
    let rows = bench.database.psql("SELECT count(*), count(DISTINCT event_id) FROM access_logs");
    assert_eq!(rows, "6|6", "{}", bench.state());
}

#[test]
fn standard_input_that_is_known_is_not_recorded_under_the_name_of_its_spool() {
    let mut bench = bench();
    load(&mut bench, "log", &many(3), 3);
    let path = || bench.database.psql("SELECT path FROM log_files");
    assert!(path().ends_with("/log"), "{}", path());
    let log = fs::File::open(bench.path("log")).unwrap();
    assert!(replay(&bench, "-").stdin(log).status().unwrap().success());
    assert_eq!(path(), "-");
}

#[test]
fn two_selections_of_a_log_that_begin_and_end_alike() {
    let mut bench = bench();
    let text = many(20);
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let other = (2..19).find(|n| lines[*n].len() == lines[1].len()).unwrap();
    load(&mut bench, "one", &[lines[0], lines[1], lines[19]].concat(), 3);
    load(&mut bench, "other", &[lines[0], lines[other], lines[19]].concat(), 1);
    bench.check();
}

#[test]
fn a_copy_that_begins_while_other_files_are_loaded_is_one_under_way() {
    let mut bench = bench();
    let (long, text) = (many(50_000), many(2));
    for (name, text) in [("in/a", &long), ("in/b", &text)] {
        fs::create_dir_all(bench.path("in")).unwrap();
        bench.append_text(name, text, 0);
        let file = fs::OpenOptions::new().append(true).open(bench.path(name)).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(3600)).unwrap();
    }
    let mut child = replay(&bench, "in").spawn().unwrap();
    wait_for(60, || bench.rows() > 0, || bench.state());
    fs::write(bench.path("new"), &text[..text.len() - 50]).unwrap();
    fs::rename(bench.path("new"), bench.path("in/b")).unwrap();
    assert!(!child.wait().unwrap().success());
    assert_eq!(bench.database.psql("SELECT count(*) FROM rejected_lines"), "0", "{}", bench.state());
    bench.append_text("in/b", &text[text.len() - 50..], 50_002);
    assert!(replay(&bench, "in").status().unwrap().success());
    bench.check();
}
