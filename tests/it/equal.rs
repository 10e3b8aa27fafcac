//! Equal lines in formats without ids: told apart over a whole file, found again however the file is read, also where an
//! earlier version loaded them.

use std::fmt::Write as _;
use std::fs;
use std::process::Stdio;

use crate::replay::{bench, counts, replay, write};
use crate::support::bench::Bench;
use crate::support::daemon::{alt, wait_for};
use crate::support::lines::KEY;
use crate::support::pack::gzip;

const OPTIONS: [&str; 6] = ["--format", "combined", "--app", KEY, "--label", "site"];

/// A line that a monitor causes again and again.
const HEALTH: &str =
    "192.0.2.7 - - [10/Oct/2023:13:55:36 +0000] \"GET /health HTTP/1.1\" 200 2 \"-\" \"kube-probe/1.27\"\n";

/// Lines that differ, 1.2 MB, all in the second of [`HEALTH`].
fn others(number: usize) -> String {
    let query = "x".repeat(4000);
    (0..300).fold(String::new(), |mut text, n| {
        let at = "[10/Oct/2023:13:55:36 +0000]";
        let _ = writeln!(text, "192.0.2.8 - - {at} \"GET /{number}/{n}?{query} HTTP/1.1\" 200 5 \"-\" \"M\"");
        text
    })
}

/// Equal lines at the beginning, in the middle and at the end: 2 or 3 together, more than 1 MiB apart.
fn log() -> String {
    [&HEALTH.repeat(3), &others(1), &HEALTH.repeat(2), &others(2), HEALTH].concat()
}

const LINES: usize = 606;

fn load(bench: &Bench, args: &[&str]) -> (usize, usize, usize) {
    let (lines, rows, loaded) = counts(&replay(bench, &[&OPTIONS[..], args].concat()).unwrap());
    let narrow = |n: u64| usize::try_from(n).unwrap();
    (narrow(lines), narrow(rows), narrow(loaded))
}

/// Number of rows and of different ids.
fn rows(bench: &Bench) -> (usize, usize) {
    let sql = "SELECT count(*) || ' ' || count(DISTINCT event_id) FROM access_logs";
    let said = bench.database.psql(sql);
    let (rows, ids) = said.split_once(' ').unwrap();
    (rows.parse().unwrap(), ids.parse().unwrap())
}

/// The ids, by the place of the line.
fn ids(bench: &Bench) -> String {
    bench.database.psql("SELECT file_offset, event_id FROM access_logs ORDER BY 1, 2")
}

/// The rows stay, and nothing else that loading goes by: what a backup of only some tables restores.
fn lose_the_records(bench: &Bench) {
    bench.database.psql("TRUNCATE log_files, checkpoints, loaded_by_ids RESTART IDENTITY");
}

#[test]
fn lines_far_apart_are_events_of_their_own_however_the_file_is_read_again() {
    let mut bench = bench();
    write(&mut bench, "access.log", &log(), LINES);
    fs::write(bench.path("access.log.gz"), gzip(log().as_bytes(), 1)).unwrap();
    let rehearsed = load(&bench, &["access.log", "--dry-run"]);
    assert_eq!(rehearsed, (LINES, LINES, 0), "a dry run counts otherwise");
    let config = fs::read_to_string(&bench.config).unwrap().replace("[load]", "[load]\nbatch_rows = 100");
    fs::write(&bench.config, config).unwrap();
    assert_eq!(load(&bench, &["access.log"]), (LINES, LINES, 0));
    assert_eq!(rows(&bench), (LINES, LINES), "two events have one id");
    assert_eq!(load(&bench, &["access.log", "--again"]), (LINES, 0, LINES));
    assert_eq!(load(&bench, &["access.log.gz"]), (0, 0, 0), "the copy has the checkpoint of the log");
    assert_eq!(load(&bench, &["access.log.gz", "--again"]), (LINES, 0, LINES));
    let whole = ids(&bench);
    // Without the records, the rows decide: of the file, of a packed copy, and of both at once.
    for names in [&["access.log"][..], &["access.log.gz"], &["access.log.gz", "access.log", "--jobs", "2"]] {
        lose_the_records(&bench);
        assert_eq!(load(&bench, names), (LINES, 0, LINES), "{names:?}");
    }
    // From nothing, a packed file gives the same ids.
    lose_the_records(&bench);
    bench.database.psql("TRUNCATE access_logs");
    assert_eq!(load(&bench, &["access.log.gz"]), (LINES, LINES, 0));
    assert!(ids(&bench) == whole, "a packed copy has other ids");
    bench.check();
}

#[test]
fn a_row_that_was_deleted_is_loaded_again_and_no_other() {
    let mut bench = bench();
    write(&mut bench, "access.log", &log(), LINES);
    fs::write(bench.path("access.log.gz"), gzip(log().as_bytes(), 1)).unwrap();
    assert_eq!(load(&bench, &["access.log"]), (LINES, LINES, 0));
    let whole = ids(&bench);
    for name in ["access.log", "access.log.gz"] {
        let places = bench.database.psql(
            "SELECT string_agg(file_offset::text, ' ' ORDER BY file_offset) FROM access_logs WHERE url_path = '/health'",
        );
        for place in places.split(' ') {
            bench.database.psql(&format!("DELETE FROM access_logs WHERE file_offset = {place}"));
            assert_eq!(load(&bench, &[name, "--again"]), (LINES, 1, LINES - 1), "{name}: {place}");
        }
    }
    assert!(ids(&bench) == whole);
    // In a database without records, too, if the file can be looked into.
    for offset in [HEALTH.len(), HEALTH.len() * 3 + others(1).len()] {
        lose_the_records(&bench);
        bench.database.psql(&format!("DELETE FROM access_logs WHERE file_offset = {offset}"));
        assert_eq!(load(&bench, &["access.log"]), (LINES, 1, LINES - 1), "{offset}");
    }
    assert!(ids(&bench) == whole);
    bench.check();
}

#[test]
fn copies_that_have_the_lines_elsewhere_add_nothing() {
    let mut bench = bench();
    let log = log();
    write(&mut bench, "access.log", &log, LINES);
    assert_eq!(load(&bench, &["access.log"]), (LINES, LINES, 0));
    let start = HEALTH.len() * 3 + others(1).len();
    let kept: String = log.split_inclusive('\n').filter(|line| !line.contains("/1/7?")).collect();
    let cases = [
        ("cut", log[start..].to_owned(), 303),
        ("begun later", log[HEALTH.len()..].to_owned(), LINES - 1),
        ("less a line", kept, LINES - 1),
        ("filtered", HEALTH.repeat(2), 2),
        (
            "with a line more before it",
            [others(3).split_inclusive('\n').next().unwrap(), &log].concat(),
            LINES + 1,
        ),
        ("with a line changed", log.replacen("192.0.2.7", "192.0.2.9", 1), LINES),
    ];
    for (what, text, lines) in cases {
        let new = if what.starts_with("with a") { 1 } else { 0 };
        bench.written += new;
        for name in ["plain", "packed.gz"] {
            let name = format!("{what} {name}");
            let bytes = if name.ends_with("gz") { gzip(text.as_bytes(), 1) } else { text.clone().into() };
            fs::write(bench.path(&name), bytes).unwrap();
            let new = if name.ends_with("gz") { 0 } else { new };
            let again = if name.ends_with("gz") { &["--again"][..] } else { &[] };
            assert_eq!(
                load(&bench, &[&[name.as_str()], again].concat()),
                (lines, new, lines - new),
                "{name}"
            );
            // Keys of files that are given again must not make rows of another file the file's own.
            lose_the_records(&bench);
            assert_eq!(load(&bench, &[&name]), (lines, 0, lines), "{name}, without records");
            assert_eq!(load(&bench, &[&name, "--again"]), (lines, 0, lines), "{name}, again");
            lose_the_records(&bench);
        }
    }
    bench.check();
}

/// What an earlier version stored for the lines of [`HEALTH`], by their number within the 1 MiB before them.
const OLD: [&str; 3] = [
    "0254efd2-17a4-86db-80b5-c0200d346096",
    "20aca7f8-836f-8166-9eab-42aae488b480",
    "c300bf2c-641e-8565-88e5-f043f429148d",
];

/// Gives the rows of [`HEALTH`] the ids that an earlier version gave them.
fn grow_old(bench: &Bench) {
    let middle = HEALTH.len() * 3 + others(1).len();
    let end = middle + HEALTH.len() * 2 + others(2).len();
    let places =
        [(0, 0), (HEALTH.len(), 1), (HEALTH.len() * 2, 2), (middle, 0), (middle + HEALTH.len(), 1), (end, 0)];
    for (offset, number) in places {
        let id = OLD[number];
        let sql = format!(
            "UPDATE access_logs SET event_id = '{id}' WHERE file_offset = {offset} AND url_path = '/health' RETURNING 1"
        );
        bench.database.psql(&sql);
    }
    let old = "SELECT count(*) FROM access_logs WHERE right(event_id::text, 12) = ANY \
               ('{c0200d346096,42aae488b480,f043f429148d}')";
    let health = bench.database.psql("SELECT count(*) FROM access_logs WHERE url_path = '/health'");
    assert_eq!(bench.database.psql(old), health);
}

#[test]
fn what_an_earlier_version_loaded_is_found_and_what_it_took_for_loaded_is_added() {
    let mut bench = bench();
    let log = log();
    write(&mut bench, "access.log", &log, LINES);
    fs::write(bench.path("packed.gz"), gzip(log.as_bytes(), 1)).unwrap();
    fs::write(bench.path("begun later"), &log[HEALTH.len()..]).unwrap();
    // As `alt run` loaded them: every line.
    assert_eq!(load(&bench, &["access.log"]), (LINES, LINES, 0));
    grow_old(&bench);
    for name in ["access.log", "packed.gz", "begun later"] {
        assert_eq!(load(&bench, &[name, "--again"]).1, 0, "{name}");
        lose_the_records(&bench);
        assert_eq!(load(&bench, &[name]).1, 0, "{name}, without records");
        lose_the_records(&bench);
    }
    // As `alt replay` loaded them: of equal lines more than 1 MiB apart, the first ones.
    bench.database.psql("TRUNCATE access_logs");
    assert_eq!(load(&bench, &["access.log"]), (LINES, LINES, 0));
    grow_old(&bench);
    let lost =
        format!("DELETE FROM access_logs WHERE url_path = '/health' AND file_offset > {}", HEALTH.len() * 2);
    bench.database.psql(&lost);
    assert_eq!(
        load(&bench, &["packed.gz", "--again"]),
        (LINES, 0, LINES),
        "a packed file adds nothing by itself"
    );
    assert_eq!(load(&bench, &["access.log", "--again"]), (LINES, 3, LINES - 3));
    assert_eq!(load(&bench, &["access.log", "--again"]), (LINES, 0, LINES));
    bench.check();
}

#[test]
fn a_daemon_that_is_restarted_in_the_middle_makes_the_ids_that_a_replay_makes() {
    let source = format!(
        "[[source]]\npaths = [\"DIR/access.log\"]\nformat = \"combined\"\napp = \"{KEY}\"\nlabel = \"site\""
    );
    let mut bench = Bench::not_started(&source, crate::support::postgres::Database::create());
    let log = log();
    let middle = HEALTH.len() * 4 + others(1).len();
    write(&mut bench, "access.log", &log[..middle], 0);
    let has = |bench: &Bench, n: usize| wait_for(60, || rows(bench).0 == n, || bench.state());
    bench.start();
    has(&bench, 304);
    bench.stop();
    fs::write(bench.path("access.log"), &log).unwrap();
    bench.start();
    has(&bench, LINES);
    bench.stop();
    bench.written += LINES;
    let followed = ids(&bench);
    assert_eq!(rows(&bench), (LINES, LINES));
    assert_eq!(load(&bench, &["access.log", "--again"]), (LINES, 0, LINES));
    lose_the_records(&bench);
    bench.database.psql("TRUNCATE access_logs");
    // A replay that is interrupted and run again does, too.
    fs::write(bench.path("input"), &log).unwrap();
    assert_eq!(load(&bench, &["input", "--dry-run"]), (LINES, LINES, 0));
    let output = alt()
        .args(["replay", "--config"])
        .arg(&bench.config)
        .args(OPTIONS)
        .arg("-")
        .stdin(Stdio::from(fs::File::open(bench.path("input")).unwrap()))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(ids(&bench) == followed, "a replay makes other ids");
    bench.check();
}
