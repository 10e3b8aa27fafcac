//! Rows that were restored without the records of files (`log_files`, `checkpoints`): whatever loads the logs again, finds
//! them.

use std::fs;

use crate::replay::{bench, counts, pack, replay, write};
use crate::support::bench::Bench;
use crate::support::lines::many;

/// The rows and what they refer to stay, as if restored into a new schema.
fn lose_the_records(bench: &Bench) {
    bench.database.psql("TRUNCATE log_files, checkpoints, loaded_by_ids, rejected_lines RESTART IDENTITY");
}

/// Several batches, so that the first of them makes no record for the others.
fn with_small_batches(bench: &Bench) {
    let config = fs::read_to_string(&bench.config).unwrap().replace("[load]", "[load]\nbatch_rows = 100");
    fs::write(&bench.config, config).unwrap();
}

#[test]
fn a_replay_asks_for_ids_where_rows_are_that_no_record_covers() {
    let mut bench = bench();
    with_small_batches(&bench);
    // All within the same hours, in files that are loaded one after another.
    for name in ["logs/a.log", "logs/b.log", "logs/c.log"] {
        write(&mut bench, name, &many(450), 450);
    }
    pack("gzip", &bench.path("logs/b.log"));
    assert_eq!(counts(&replay(&bench, &["logs"]).unwrap()), (1350, 1350, 0));
    lose_the_records(&bench);
    assert_eq!(counts(&replay(&bench, &["logs", "--dry-run"]).unwrap()), (1350, 0, 1350));
    assert_eq!(counts(&replay(&bench, &["logs"]).unwrap()), (1350, 0, 1350));
    bench.check();
    // Some rows were not restored, and one log is new; now there are records of some of the rows.
    bench.database.psql("DELETE FROM access_logs WHERE ctid IN (SELECT ctid FROM access_logs LIMIT 150)");
    write(&mut bench, "logs/d.log", &many(450), 450);
    lose_the_records(&bench);
    assert_eq!(counts(&replay(&bench, &["logs/c.log", "logs/d.log", "--jobs", "2"]).unwrap()).0, 900);
    replay(&bench, &["logs"]).unwrap();
    bench.check();
}

#[test]
fn a_daemon_that_starts_on_rows_without_records_doubles_none() {
    let mut bench = bench();
    with_small_batches(&bench);
    write(&mut bench, "beacon.log.1", &many(450), 450);
    bench.stands_still("beacon.log.1");
    // More than is read before the daemon asks how far ids are needed.
    bench.append("beacon.log", 40_000);
    bench.start();
    bench.settle_within(120);
    bench.stop();
    lose_the_records(&bench);
    bench.append("beacon.log", 450);
    bench.start();
    bench.settle_within(120);
    bench.sealed(1);
    bench.stop();
    bench.check();
}
