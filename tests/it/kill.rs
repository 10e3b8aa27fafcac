//! The process dies at each of its steps in turn, and at some of them at random: whatever it had begun, after a restart
//! every line is one row, and every rotated log one object of the archive.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant, SystemTime};

use alt_process::fault::Step;

use crate::support::bench::Bench;
use crate::support::cases::first_seed;
use crate::support::daemon::{Daemon, alt, wait_for};
use crate::support::each;
use crate::support::pace::Pace;
use crate::support::postgres::Database;

/// Whether a replay has this step, too.
fn is_of_a_replay(step: Step) -> bool {
    use Step::{Deleted, Deleting, HalfStored, Migrated, Named, Noted, Packed, Proven};
    use Step::{FenceChecked, LeaseTaken};
    !has_own_tests(step)
        && !matches!(
            step,
            Packed
                | HalfStored
                | Named
                | Proven
                | Noted
                | Deleting
                | Deleted
                | Migrated
                | LeaseTaken
                | FenceChecked
        )
}

/// Follows a log, and archives and deletes what is rotated away.
fn bench() -> Bench {
    let sources = "[[source]]\npaths = [\"DIR/beacon.log\"]\n\
                   [archive]\nurl = \"file://DIR/archive\"\ndelete_after = \"0s\"";
    Bench::not_started(sources, Database::create())
}

fn start(bench: &Bench, at: &str) -> Daemon {
    Daemon::start_with(&bench.config, |command| _ = command.env("ALT_FAULT_AT", at))
}

fn is_killed(status: ExitStatus) -> bool {
    status.signal() == Some(9)
}

/// All that was rotated away is in the archive, once, and its files are gone.
fn archived(bench: &Bench, pace: &Pace) {
    let rotated = &pace.texts[..pace.texts.len() - 1];
    let gone = || (1..=rotated.len()).all(|n| fs::metadata(pace.rotated(n)).is_err());
    wait_for(60, gone, || bench.state());
    let objects = glob::glob(&format!("{}/archive/**/*", bench.directory.path().display())).unwrap();
    let objects = objects.map(Result::unwrap).filter(|path| path.is_file());
    let mut found: Vec<String> = objects
        .map(|path| {
            let bytes = fs::read(&path).unwrap();
            let text = zstd::decode_all(&bytes[..]).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            String::from_utf8(text).unwrap()
        })
        .collect();
    let mut expected = rotated.to_vec();
    found.sort_unstable();
    expected.sort_unstable();
    assert!(found == expected, "{} objects, {} files\n{}", found.len(), expected.len(), bench.state());
    let noted = "SELECT count(*) FROM log_files WHERE archived_at IS NOT NULL AND archive_error IS NULL";
    wait_for(20, || bench.database.psql(noted) == rotated.len().to_string(), || bench.state());
}

fn the_daemon_dies_at(step: Step) {
    let mut bench = bench();
    let mut pace = Pace::new(&bench);
    pace.append(20);
    pace.rotate();
    pace.append(20);
    let mut daemon = start(&bench, &format!("{step:?}"));
    let mut status = None;
    let mut has_ended = || {
        status = daemon.ended();
        status.is_some()
    };
    wait_for(30, &mut has_ended, || format!("{step:?} is not reached\n{}", bench.state()));
    assert!(is_killed(status.unwrap()) && daemon.log().contains(&format!("dies at {step:?}")), "{step:?}");
    pace.append(20);
    bench.start();
    pace.settle(&bench, 60);
    archived(&bench, &pace);
    bench.stop();
    pace.check(&bench);
}

/// Whether it is a step of what is off by default, does nothing without rules, or needs a backlog, and has tests of its own
/// (`stats`, `alerts`, `ahead`).
fn has_own_tests(step: Step) -> bool {
    step == Step::CopiedAhead
        || ["Fold", "Judge", "Notify", "Refused"].iter().any(|work| format!("{step:?}").starts_with(work))
}

#[test]
fn the_daemon_dies_at_each_of_its_steps() {
    each(
        6,
        Step::ALL.iter().copied().filter(|step| *step != Step::Migrated && !has_own_tests(*step)),
        the_daemon_dies_at,
    );
}

/// Numbers that look drawn. The seed is printed; `ALT_TEST_SEED` repeats it.
pub(crate) fn random() -> impl FnMut(usize) -> usize {
    let mut state = first_seed();
    println!("ALT_TEST_SEED={state}");
    move |below| {
        // xorshift64
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).unwrap()
    }
}

pub(crate) fn full() -> bool {
    std::env::var_os("ALT_TEST_FULL").is_some()
}

#[test]
fn the_daemon_dies_again_and_again() {
    let mut random = random();
    let mut bench = bench();
    let mut pace = Pace::new(&bench);
    let steps: Vec<Step> =
        Step::ALL.iter().copied().filter(|step| *step != Step::Migrated && !has_own_tests(*step)).collect();
    let (wanted, mut kills, mut reached) = (if full() { 500 } else { 12 }, 0, 0);
    // Which of them is reached is a matter of luck: until enough were.
    while kills < wanted || reached <= wanted / 4 {
        kills += 1;
        assert!(kills <= 5 * wanted, "{reached} of {kills} died at a step");
        let step = steps[random(steps.len())];
        let mut daemon = start(&bench, &format!("{step:?}:{}", 1 + random(4)));
        let until = Instant::now() + Duration::from_millis(300 + random(1500) as u64);
        // Some are never reached, and some that often only once lines come.
        while daemon.ended().is_none() && Instant::now() < until {
            pace.run(1 + random(10), 6);
        }
        match daemon.ended() {
            Some(status) => {
                assert!(is_killed(status), "{status}: {}", daemon.log());
                reached += 1;
            }
            None => daemon.kill(),
        }
    }
    // Without a log that is written to, one that was moved away is not finished.
    pace.append(1);
    bench.start();
    pace.settle(&bench, 60);
    archived(&bench, &pace);
    println!("{reached} of {kills} died at a step, the others anywhere; {} lines", pace.lines());
}

/// Replays the rotated files of a bench; as it ended, and what it said.
fn replay(bench: &Bench, at: &str) -> (ExitStatus, String) {
    let files = glob::glob(&format!("{}/beacon.log-*", bench.directory.path().display())).unwrap();
    let mut command = alt();
    command.args(["replay", "--jobs", "2", "--config"]).arg(&bench.config).args(files.map(Result::unwrap));
    let output = command.env("ALT_FAULT_AT", at).stdin(Stdio::null()).output().unwrap();
    (output.status, String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Rotates so many lines away, an hour ago.
fn rotate(pace: &mut Pace, lines: usize) {
    pace.append(lines);
    pace.rotate();
    let file = fs::File::options().append(true).open(pace.rotated(pace.texts.len() - 1)).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(3600)).unwrap();
}

#[test]
fn a_replay_dies_at_each_of_its_steps() {
    each(6, Step::ALL.iter().copied().filter(|step| is_of_a_replay(*step)), |step| {
        let bench = bench();
        let mut pace = Pace::new(&bench);
        (0..3).for_each(|_| rotate(&mut pace, 100));
        assert!(Command::new("gzip").arg(pace.rotated(2)).status().unwrap().success());
        let (status, said) = replay(&bench, &format!("{step:?}"));
        assert!(
            is_killed(status) && said.contains(&format!("dies at {step:?}")),
            "{step:?}: {status}: {said}"
        );
        let (status, said) = replay(&bench, "");
        assert!(status.success(), "{step:?}: {said}");
        pace.check(&bench);
    });
}

#[test]
fn a_replay_dies_again_and_again() {
    let mut random = random();
    let mut bench = bench();
    // Many transactions.
    let text = fs::read_to_string(&bench.config).unwrap().replace("[load]", "[load]\nbatch_rows = 20");
    fs::write(&bench.config, text).unwrap();
    let mut pace = Pace::new(&bench);
    let steps: Vec<Step> = Step::ALL.iter().copied().filter(|step| is_of_a_replay(*step)).collect();
    let mut killed = 0;
    for _ in 0..if full() { 300 } else { 20 } {
        rotate(&mut pace, 100);
        let step = steps[random(steps.len())];
        let (status, said) = replay(&bench, &format!("{step:?}:{}", 1 + random(5)));
        assert!(is_killed(status) || status.success(), "{status}: {said}");
        killed += usize::from(is_killed(status));
    }
    println!("{killed} replays died");
    assert!(killed > 3);
    assert!(replay(&bench, "").0.success());
    pace.check(&bench);
    // The daemon has nothing to load, and archives what the replays have loaded.
    bench.start();
    archived(&bench, &pace);
    pace.check(&bench);
    bench.stop();
}

#[test]
fn a_migration_that_dies_leaves_nothing_half_done() {
    let database = Database::empty();
    let directory = tempfile::tempdir().unwrap();
    let config = crate::support::daemon::configuration(directory.path(), &database, "", "");
    let migrate = |at: String| {
        let mut command = alt();
        command.args(["migrate", "--config"]).arg(&config).env("ALT_FAULT_AT", at).output().unwrap().status
    };
    let tables = || {
        database.psql("SELECT string_agg(relname, ',' ORDER BY relname) FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace")
    };
    let mut before = tables();
    for version in 1..=alt_store::migrate::newest() {
        // The first that is missing.
        assert!(is_killed(migrate("Migrated".to_owned())));
        assert_eq!(tables(), before, "{version}");
        let next = migrate("Migrated:2".to_owned());
        assert_eq!(is_killed(next), version < alt_store::migrate::newest());
        let applied = database.psql("SELECT max(version) FROM alt_migrations");
        assert_eq!(applied, version.to_string());
        before = tables();
    }
    assert!(migrate(String::new()).success());
}
