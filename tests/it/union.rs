//! Replaying as a property: whatever files are made of some logs, and however they are replayed, the rows are the
//! union of their hit lines.
//!
//! Random cases are played on a real PostgreSQL, many at the same time. `ALT_TEST_SEED=N` plays one again, often,
//! because what happens at the same time happens differently each time; `ALT_TEST_FULL=1` plays forty times as many.
//! A case that fails is made shorter as long as it fails.

mod case;
mod files;
mod judge;
mod oracle;
mod replays;
mod world;

use std::fs;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use flate2::{Compression, GzBuilder};

use crate::support::bench::Bench;
use crate::support::cases::{self, Ground, Wrong};
use crate::support::daemon::alt;
use crate::support::lines::many;
use crate::support::postgres::{Cluster, Database};
use case::{Case, How, Lines, Theme, case};
use judge::{look, rows};
use oracle::APPS;
use world::World;

fn cluster() -> &'static Arc<Cluster> {
    static SHARED: OnceLock<Arc<Cluster>> = OnceLock::new();
    SHARED.get_or_init(|| Cluster::start(&["fsync=off", "full_page_writes=off", "max_connections=300"]))
}

/// Plays a case; what is wrong, if anything is.
fn check(case: &Case, ground: &Ground) -> Result<(), Wrong> {
    let mut world = World::new(case, ground);
    // What a helper finds to be wrong is to be told with its seed, too.
    let outcome = catch_unwind(AssertUnwindSafe(|| play(case, &mut world)));
    outcome.unwrap_or_else(|_| Err("panicked".to_owned())).map_err(|wrong| {
        let files = ground.rows("SELECT f.path, c.* FROM checkpoints c JOIN log_files f ON f.id = c.file_id");
        let files: Vec<String> = files.into_iter().map(|f| f.join(" ")).collect();
        format!("{wrong}\n{}\n{}\n{}", files.join("\n"), world.tell(), world.daemon_log())
    })
}

fn play(case: &Case, world: &mut World<'_>) -> Result<(), Wrong> {
    for step in &case.steps {
        world.step(step)?;
    }
    world.finish_live()?;
    world.settle();
    if world.special {
        // What its checkpoints say is not what is there.
        world.replay_all(How::Again, 1)?;
    }
    world.replay_all(How::News, if case.alone { 1 } else { 3 })?;
    look(world)?;
    // Nothing is added, and soon nothing is read: of files that begin alike, one may still take the checkpoint of
    // another, which then gets one of its own.
    let mut rounds = 0;
    loop {
        let (lines, added) = world.replay_all(How::News, 1)?;
        rounds += 1;
        if added > 0 || (lines > 0 && rounds > case.files.len() + 2) {
            return Err(format!(
                "everything is loaded; replay {rounds} reads {lines} lines and adds {added} rows"
            ));
        }
        if lines == 0 {
            break;
        }
    }
    if let Some(added) = world.added {
        let rows = rows(world.ground).len() as u64;
        if added != rows {
            return Err(format!("by their accounts the replays added {added} rows; there are {rows}"));
        }
    }
    Ok(())
}

/// Plays `count` cases of a theme.
fn hold(theme: Theme, count: usize) {
    let times = if theme.disturbed || theme.live { 5 } else { 2 };
    cases::hold(&|| case(theme), &|| Ground::new(cluster(), &APPS[..3]), &check, count, times);
}

#[test]
fn of_files_with_ids() {
    hold(Theme { lines: Lines::Alt1, disturbed: false, live: false }, 75);
}

#[test]
fn of_files_without_ids() {
    hold(Theme { lines: Lines::Combined, disturbed: false, live: false }, 50);
}

#[test]
fn of_files_with_equal_lines() {
    hold(Theme { lines: Lines::Twins, disturbed: false, live: false }, 25);
}

#[test]
fn of_files_with_ids_whatever_happens_to_the_replays() {
    hold(Theme { lines: Lines::Alt1, disturbed: true, live: false }, 75);
}

#[test]
fn of_files_without_ids_whatever_happens_to_the_replays() {
    hold(Theme { lines: Lines::Combined, disturbed: true, live: false }, 50);
}

#[test]
fn of_files_and_a_log_that_a_daemon_follows() {
    hold(Theme { lines: Lines::Alt1, disturbed: true, live: true }, 60);
}

#[test]
fn of_files_and_a_log_without_ids_that_a_daemon_follows() {
    hold(Theme { lines: Lines::Combined, disturbed: true, live: true }, 25);
}

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
    bench.stands_still(name);
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
fn what_a_log_grew_by_is_not_all_that_tells_it_from_another() {
    for pack in [None, Some(1)] {
        let bench = bench();
        let put = |name: &str, text: &[&str]| {
            let bytes = text.concat().into_bytes();
            let bytes = pack.map_or(bytes.clone(), |level| zstd::encode_all(&bytes[..], level).unwrap());
            fs::write(bench.path(name), bytes).unwrap();
            bench.stands_still(name);
            assert!(replay(&bench, name).status().unwrap().success());
        };
        let text = many(20);
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        let other = (2..20).find(|n| lines[*n].len() == lines[1].len()).unwrap();
        put("one", &[lines[0], lines[1]]);
        put("one", &[lines[0], lines[1], "\n"]);
        // Where the first ends, this one has an end of a line, too.
        put("another", &[lines[0], "\n", lines[other], lines[1]]);
        assert_eq!(bench.database.psql("SELECT count(*) FROM access_logs"), "3", "{}", bench.state());
    }
}

#[test]
fn a_packed_log_of_the_size_and_age_of_a_loaded_one_that_begins_like_it() {
    let bench = bench();
    let text = many(3);
    let first = text.split_inclusive('\n').next().unwrap();
    let gzip = |text: &str, comment: usize| {
        let mut packed =
            GzBuilder::new().comment(vec![b' '; comment]).write(Vec::new(), Compression::default());
        packed.write_all(text.as_bytes()).unwrap();
        packed.finish().unwrap()
    };
    let all = gzip(&text, 0);
    let one = gzip(first, all.len() - gzip(first, 0).len());
    assert_eq!(one.len(), all.len());
    let at = SystemTime::now() - Duration::from_secs(3600);
    for (name, packed) in [("one.gz", one), ("all.gz", all)] {
        fs::write(bench.path(name), packed).unwrap();
        fs::OpenOptions::new().append(true).open(bench.path(name)).unwrap().set_modified(at).unwrap();
        assert!(replay(&bench, name).status().unwrap().success());
    }
    assert_eq!(bench.database.psql("SELECT count(*) FROM access_logs"), "3", "{}", bench.state());
}

#[test]
fn a_copy_that_begins_while_other_files_are_loaded_is_one_under_way() {
    let mut bench = bench();
    // However long this takes, a file that is written now is one that is written to.
    let text = fs::read_to_string(&bench.config).unwrap();
    fs::write(&bench.config, text.replace("seal_after = \"1s\"", "seal_after = \"30m\"")).unwrap();
    let (one, other, text) = (many(2), many(2), many(2));
    fs::create_dir_all(bench.path("in")).unwrap();
    for (name, text) in [("in/a", &one), ("in/b", &other), ("in/c", &text)] {
        bench.append_text(name, text, 0);
        bench.stands_still(name);
    }
    // Within the first two files, which are read at once, it waits, till the third is another. The partition is there
    // already.
    load(&mut bench, "before", &many(1), 1);
    let held = bench.database.hold();
    let mut child = replay(&bench, "in").spawn().unwrap();
    held.wait_until_awaited();
    fs::write(bench.path("new"), &text[..text.len() - 50]).unwrap();
    fs::rename(bench.path("new"), bench.path("in/c")).unwrap();
    drop(held);
    assert!(!child.wait().unwrap().success());
    assert_eq!(bench.database.psql("SELECT count(*) FROM rejected_lines"), "0", "{}", bench.state());
    bench.append_text("in/c", &text[text.len() - 50..], 6);
    bench.stands_still("in/c");
    assert!(replay(&bench, "in").status().unwrap().success());
    bench.check();
}
