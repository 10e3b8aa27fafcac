//! Taking rows out again: exactly those, with the ledgers to match, and so that they can come back.

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;

use crate::replay::{bench, counts, pack, replay, write};
use crate::support::bench::Bench;
use crate::support::daemon::{alt, wait_for};
use crate::support::lines::{alt1_aged, many};

/// Runs `alt unload --json`; returns its account, or what it said where it failed.
fn unload(bench: &Bench, args: &[&str]) -> Result<Value, String> {
    let mut command = alt();
    command.arg("unload").arg("--config").arg(&bench.config).args(args).arg("--json");
    let output = command.current_dir(bench.directory.path()).stdin(Stdio::null()).output().unwrap();
    if output.status.success() {
        Ok(serde_json::from_slice(&output.stdout).unwrap())
    } else {
        Err(format!("{:?}: {}", output.status.code(), String::from_utf8_lossy(&output.stderr)))
    }
}

fn taken(account: &Value) -> (u64, u64) {
    (account["rows"].as_u64().unwrap(), account["rejects"].as_u64().unwrap())
}

fn ledger(bench: &Bench) -> String {
    bench
        .database
        .psql("SELECT lines, rows, rejects, already_loaded, unloaded FROM checkpoints ORDER BY file_id")
}

#[test]
fn a_wrong_import_is_undone_and_the_right_one_goes_in() {
    let mut bench = bench();
    bench.database.psql("INSERT INTO applications (app_key, name) VALUES ('blog', 'Blog')");
    let lines: String = (0..400)
        .map(|n| {
            format!(
                "203.0.113.7 - - [{:02}/Jan/2024:12:00:00 +0000] \"GET /{n} HTTP/1.1\" 200 5 \"-\" \"M\"\n",
                n % 28 + 1
            )
        })
        .chain((0..100).map(|n| {
            format!("203.0.113.7 - - [05/Mar/2024:12:00:00 +0000] \"GET /{n} HTTP/1.1\" 200 5 \"-\" \"M\"\n")
        }))
        .collect();
    write(&mut bench, "site.log", &format!("{lines}garbage\n"), 500);
    pack("gzip", &bench.path("site.log"));
    write(&mut bench, "other.log", &many(50), 50);
    replay(&bench, &["other.log"]).unwrap();
    let wrong = ["--format", "combined", "--app", "shop", "site.log.gz"];
    let right = ["--format", "combined", "--app", "blog", "site.log.gz"];
    assert_eq!(counts(&replay(&bench, &wrong).unwrap()), (501, 500, 0));

    assert_eq!(taken(&unload(&bench, &["--dry-run", "site.log.gz"]).unwrap()), (500, 1));
    assert_eq!(bench.rows(), 550);
    let account = unload(&bench, &["site.log.gz"]).unwrap();
    assert_eq!(taken(&account), (500, 1), "{account}");
    assert_eq!(account["rows_by_month"].to_string(), r#"{"2024-01":400,"2024-03":100}"#);
    assert_eq!(bench.rows(), 50);
    assert_eq!(ledger(&bench), "50|50|0|0|0\n501|0|0|0|501");
    assert_eq!(bench.database.psql("SELECT count(*) FROM rejected_lines"), "0");
    assert_eq!(taken(&unload(&bench, &["site.log.gz"]).unwrap()), (0, 0));

    assert_eq!(counts(&replay(&bench, &right).unwrap()), (501, 500, 0));
    let by_app = "SELECT a.app_key, count(*) FROM access_logs JOIN applications a ON a.id = app_id GROUP BY 1 ORDER BY 1";
    assert_eq!(bench.database.psql(by_app), "blog|500\nshop|50");
    assert_eq!(counts(&replay(&bench, &right).unwrap()), (0, 0, 0));
}

#[test]
fn rows_of_an_application_in_a_range_go_and_come_back_with_again() {
    let mut bench = bench();
    bench.database.psql("INSERT INTO applications (app_key, name) VALUES ('blog', 'Blog')");
    let old: String = (0..60).map(|n| alt1_aged(86_400 * (n + 1))).collect();
    let blog = old.replace("a=shop", "a=blog").replace("\t0", "\t1");
    write(&mut bench, "a.log", &format!("{old}{blog}"), 120);
    replay(&bench, &["a.log"]).unwrap();
    let expect: u64 = bench
        .database
        .psql(
            "SELECT count(*) FROM access_logs WHERE occurred_at < now() - interval '20 days' AND app_id = 1",
        )
        .parse()
        .unwrap();
    let account = unload(&bench, &["--app", "Shop", "--until", "20d"]).unwrap();
    assert_eq!(taken(&account), (expect, 0), "{account}");
    assert_eq!(bench.rows() as u64, 120 - expect);
    assert_eq!(ledger(&bench), format!("120|{}|0|0|{expect}", 120 - expect));
    assert_eq!(counts(&replay(&bench, &["a.log"]).unwrap()), (0, 0, 0));
    assert_eq!(counts(&replay(&bench, &["a.log", "--again"]).unwrap()), (120, expect, 120 - expect));
    assert_eq!(ledger(&bench), "120|120|0|0|0");
    bench.check();
}

#[test]
fn what_a_filtered_replay_loaded_goes_by_its_path() {
    let mut bench = bench();
    write(&mut bench, "a.log", &many(90), 90);
    let some = counts(&replay(&bench, &["a.log", "--match", "%2F[0-9]*[02468]&"]).unwrap()).1;
    assert_eq!(taken(&unload(&bench, &["a.log"]).unwrap()), (some, 0));
    assert_eq!(bench.rows(), 0);
    assert_eq!(counts(&replay(&bench, &["a.log"]).unwrap()), (90, 90, 0));
    fs::remove_file(bench.path("a.log")).unwrap();
    assert_eq!(taken(&unload(&bench, &["a.log"]).unwrap()), (90, 0), "a file that is gone");
}

#[test]
fn a_rotated_log_that_was_taken_out_is_not_loaded_again_by_the_daemon() {
    let mut bench = bench();
    bench.append("beacon.log", 100);
    bench.start();
    bench.settle();
    let error = unload(&bench, &["beacon.log"]).unwrap_err();
    assert!(error.contains("is followed by the daemon") && error.contains("--app"), "{error}");
    assert_eq!(bench.rows(), 100);
    fs::rename(bench.path("beacon.log"), bench.path("beacon.log.1")).unwrap();
    bench.append("beacon.log", 30);
    bench.settle();
    bench.sealed(1);
    assert_eq!(taken(&unload(&bench, &["beacon.log.1"]).unwrap()), (100, 0));
    // Also not in another form, and not after a restart.
    pack("gzip", &bench.path("beacon.log.1"));
    bench.stop();
    bench.start();
    bench.append("beacon.log", 20);
    bench.written -= 100;
    bench.settle();
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(bench.rows(), 50);
}

#[test]
fn what_is_not_loaded_cannot_be_taken_out() {
    let mut bench = bench();
    write(&mut bench, "a.log", &many(3), 3);
    for (args, said) in [
        (&["a.log"][..], "nothing is loaded of a.log"),
        (&["gone.log"], "nothing is loaded of gone.log"),
        (&["-"], "what came from standard input is known by its bytes alone"),
        (&["--app", "nobody"], "nobody"),
        (&["--app", "shop", "--since", "never"], "--since: never is no time"),
        (&[], "required"),
        (&["a.log", "--app", "shop"], "cannot be used with"),
        (&["a.log", "--since", "1d"], "cannot be used with"),
    ] {
        let error = unload(&bench, args).unwrap_err();
        assert!(error.contains(said), "{args:?}: {error}");
    }
}

/// Runs what is to be held up, and then the rest, while the locks of the present hours are taken.
fn while_locked<T: Send>(bench: &Bench, held: impl FnOnce() -> T + Send, meanwhile: impl FnOnce()) -> T {
    let hours = "SELECT count(pg_advisory_xact_lock(1634497537, h)) FROM (SELECT extract(epoch FROM now())::int / 3600 AS n) t, \
                 generate_series(n - 1, n + 1) h";
    std::thread::scope(|scope| {
        let locks =
            scope.spawn(|| bench.database.psql(&format!("BEGIN; {hours}; SELECT pg_sleep(4); COMMIT")));
        let waiting = |count: &str| {
            let sql = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = 1634497537 AND granted \
                       AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
            wait_for(30, || bench.database.psql(sql) == count, || bench.state());
        };
        waiting("3");
        let held = scope.spawn(held);
        let is_held = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'advisory'";
        wait_for(30, || bench.database.psql(is_held) == "1", || bench.state());
        meanwhile();
        assert!(!locks.is_finished(), "the locks were not held long enough");
        held.join().unwrap()
    })
}

#[test]
fn a_file_that_is_read_again_at_the_same_time_keeps_no_row() {
    let mut bench = bench();
    write(&mut bench, "a.log", &many(50), 50);
    replay(&bench, &["a.log"]).unwrap();
    let again = while_locked(
        &bench,
        || replay(&bench, &["a.log", "--again"]),
        || assert_eq!(taken(&unload(&bench, &["a.log"]).unwrap()), (50, 0)),
    );
    // It begins anew, and finds a file that is not loaded.
    assert_eq!(counts(&again.unwrap()), (50, 50, 0));
    assert_eq!(ledger(&bench), "50|0|0|0|50\n50|50|0|0|0");
    let by_file =
        "SELECT file_id = (SELECT max(file_id) FROM checkpoints), count(*) FROM access_logs GROUP BY 1";
    assert_eq!(bench.database.psql(by_file), "t|50");
}

#[test]
fn standard_input_is_taken_out_by_its_name() {
    let bench = bench();
    let mut child = alt();
    child.args(["replay", "-", "--config"]).arg(&bench.config).stdin(Stdio::piped()).stdout(Stdio::null());
    let mut child = child.spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), many(7).as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(taken(&unload(&bench, &["-"]).unwrap()), (7, 0));
    assert_eq!(bench.rows(), 0);
}
