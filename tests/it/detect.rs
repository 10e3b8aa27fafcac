//! Which format the lines of a replay have, if nobody names it; and what becomes of a log of another format.

use std::fs;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::replay::{bench, counts, pack, replay, write};
use crate::support::bench::Bench;
use crate::support::daemon::alt;
use crate::support::lines::{KEY, many};

/// Different lines of an access log, from second `from` on.
fn access(from: usize, count: usize) -> String {
    let line = |n: usize| {
        let (hour, minute, second) = (n / 3600, n / 60 % 60, n % 60);
        format!(
            "192.0.2.1 - - [10/Oct/2023:{hour:02}:{minute:02}:{second:02} +0000] \"GET /{n} HTTP/1.1\" 200 5 \"-\" \"M\"\n"
        )
    };
    (from..from + count).map(line).collect()
}

/// What the database holds of a replay: rows, rejects and files.
fn held(bench: &Bench) -> String {
    let count = "SELECT concat_ws(' ', (SELECT count(*) FROM access_logs), (SELECT count(*) FROM rejected_lines), \
                 (SELECT count(*) FROM log_files))";
    bench.database.psql(count)
}

#[test]
fn the_first_lines_decide_on_the_format_however_the_log_is_packed() {
    let mut bench = bench();
    write(&mut bench, "old/plain.log", &access(0, 50), 50);
    for (n, tool) in [(1, "gzip"), (2, "bzip2")] {
        pack(tool, &write(&mut bench, &format!("old/{tool}.log"), &access(n * 100, 50), 50));
    }
    write(&mut bench, "in/a.log", "", 0);
    write(&mut bench, "in/b.log", &access(400, 50), 50);
    pack("gzip", &bench.path("in/b.log"));
    let tar = ["--zstd", "-C", "in", "-cf", "old/logs.tar.zst", "a.log", "b.log.gz"];
    assert!(Command::new("tar").current_dir(bench.directory.path()).args(tar).status().unwrap().success());
    write(&mut bench, "old/empty.log", "", 0);
    // Whoever names no application is told for which format.
    let said = replay(&bench, &["old"]).unwrap_err();
    assert!(said.contains("lines of the format combined name no application"), "{said}");
    assert_eq!(held(&bench), "0 0 0");
    let account = replay(&bench, &["old", "--app", KEY]).unwrap();
    assert_eq!(counts(&account), (200, 200, 0), "{account}");
    assert_eq!((&account["format"], &account["format_detected"]), (&"combined".into(), &true.into()));
    assert_eq!(bench.database.psql("SELECT DISTINCT format FROM log_files"), "combined");
    let account = replay(&bench, &["old", "--app", KEY, "--format", "combined"]).unwrap();
    assert_eq!((&account["format"], &account["format_detected"]), (&"combined".into(), &false.into()));
    // The summary says what was found, and an archive of which only one log has lines is looked at, too.
    let output = alt()
        .args(["replay", "old/logs.tar.zst", "--app", KEY, "--config"])
        .arg(&bench.config)
        .current_dir(bench.directory.path())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        said.starts_with("format          combined (by the first lines, as --format names none)\n"),
        "{said}"
    );
    // Beacons, and nothing at all, need no name either.
    write(&mut bench, "beacon.log", &many(20), 20);
    for (name, lines) in [("beacon.log", 20), ("old/empty.log", 0)] {
        let account = replay(&bench, &[name]).unwrap();
        assert_eq!(
            (account["lines"].as_u64(), &account["format"]),
            (Some(lines), &"alt1".into()),
            "{account}"
        );
    }
    bench.check();
}

#[test]
fn a_format_that_is_not_clear_has_to_be_named() {
    let mut bench = bench();
    let error = "2026/11/28 12:00:00 [error] 12#12: *1 open() \"/x\" failed\n".repeat(1000);
    write(&mut bench, "error.log", &error, 0);
    write(&mut bench, "mixed.log", &(access(0, 60) + &many(40)), 0);
    write(&mut bench, "beacon.log", &many(3), 0);
    write(&mut bench, "access.log", &access(0, 3), 0);
    for (args, expect) in [
        (
            &["error.log"][..],
            "error.log: none of its first 1000 lines is of a format that has a name; name it",
        ),
        (&["mixed.log"], "of its first 100 lines 40 are alt1, 60 are combined, and the format is not clear"),
        (&["beacon.log", "access.log"], "the logs are of several formats: alt1 ("),
    ] {
        for auto in [&["--app", KEY][..], &["--app", KEY, "--format", "auto"]] {
            let said = replay(&bench, &[args, auto].concat()).unwrap_err();
            assert!(said.starts_with("Some(1)") && said.contains(expect), "{said}");
        }
    }
    assert_eq!(held(&bench), "0 0 0");
    // Beside a clear log, one that is not does not decide. It is not loaded as something that it is not.
    let said = replay(&bench, &["beacon.log", "error.log"]).unwrap_err();
    assert!(said.contains("1 of 2 files could not be read to their end"), "{said}");
    assert_eq!(held(&bench), "3 0 1");
    // A mixed log is loaded by whoever names its format: what is not of it are rejects.
    let account = replay(&bench, &["mixed.log", "--format", "alt1"]).unwrap();
    assert_eq!((counts(&account), &account["rejects"]["shape"]), ((100, 40, 0), &60.into()), "{account}");
    // The daemon takes the configuration's word.
    let config = fs::read_to_string(&bench.config).unwrap();
    fs::write(&bench.config, config.replace("[[source]]\n", "[[source]]\nformat = \"auto\"\n")).unwrap();
    let output = alt().args(["run", "--config"]).arg(&bench.config).stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("`auto` is no known format"), "{said}");
}

#[test]
fn of_a_log_of_another_format_nothing_is_loaded() {
    let mut bench = bench();
    write(&mut bench, "logs/access.log", &access(0, 5000), 5000);
    // Of the whole file, 64 KiB are looked at.
    let seen = access(0, 5000).as_bytes()[..64 * 1024].iter().filter(|byte| **byte == b'\n').count();
    let hint = format!(
        "of its first {seen} lines {seen} are not of the format alt1; they are of the format combined: name it with \
         --format combined; nothing of it was loaded (--accept-rejects loads it as it is)"
    );
    let folder = format!("file://{}/logs/", bench.directory.path().display());
    for args in [
        &["logs", "--format", "alt1"][..],
        &["logs", "--format", "alt1", "--dry-run"],
        &["logs", "--format", "alt1", "--again"],
        &["logs", "--format", "alt1", "--since", "2020-01-01"],
        // Objects are fetched one at a time: their format is named, or that of the beacon.
        &[&folder],
    ] {
        let mut command = alt();
        command.arg("replay").args(args).arg("--json").arg("--config").arg(&bench.config);
        let output = command.current_dir(bench.directory.path()).stdin(Stdio::null()).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        let account: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(account["lines"], 0, "{account}");
        let failed = account["files_failed"].as_object().unwrap().values().next().unwrap();
        assert_eq!(failed, hint.as_str(), "{args:?}");
        assert_eq!(held(&bench), "0 0 0", "{args:?}");
    }
    // Nothing stands in the way of the right name; what is loaded already is no mistake.
    let account = replay(&bench, &["logs", "--app", KEY]).unwrap();
    assert_eq!(counts(&account), (5000, 5000, 0), "{account}");
    bench.check();
    // Whoever wants the rejects has them.
    write(&mut bench, "wrong.log", &access(9000, 200), 200);
    let account = replay(&bench, &["wrong.log", "--format", "alt1", "--accept-rejects"]).unwrap();
    assert_eq!((&account["lines"], &account["rejects"]["shape"]), (&200.into(), &200.into()), "{account}");
}

#[test]
fn many_short_logs_of_another_format_are_an_error_at_the_end() {
    let mut bench = bench();
    for n in 0..40 {
        write(&mut bench, &format!("logs/{n}.log"), &access(n * 100, 3), 0);
    }
    let args = ["logs", "--format", "alt1", "--dry-run"];
    let said = replay(&bench, &args).unwrap_err();
    assert!(
        said.starts_with("Some(1)") && said.contains("nearly all lines are not of the format alt1"),
        "{said}"
    );
    let account = replay(&bench, &[&args[..], &["--accept-rejects"]].concat()).unwrap();
    assert_eq!(account["rejects"]["shape"], 120, "{account}");
}

#[test]
fn lines_are_shown_in_the_format_that_they_have() {
    let bench = bench();
    let path = bench.path("access.log");
    fs::write(&path, access(0, 3)).unwrap();
    let run = |args: &[&str]| {
        let output = alt()
            .args(args)
            .current_dir(bench.directory.path())
            .stdin(fs::File::open(&path).unwrap())
            .output();
        String::from_utf8(output.unwrap().stdout).unwrap()
    };
    for parse in [run(&["parse", "access.log"]), run(&["parse", "-"])] {
        assert_eq!(parse.matches("{\"line\":\"hit\",").count(), 3, "{parse}");
    }
    assert!(run(&["parse", "--format", "alt1", "-"]).starts_with("{\"line\":\"reject\","));
    let explain = run(&["explain"]);
    assert!(explain.starts_with("line     hit\nformat   combined\n"), "{explain}");
}
