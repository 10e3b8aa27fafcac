//! What developers' scripts say of a run: a log that ends too early says that something failed.

use std::path::Path;
use std::process::Command;

const NEXTEST: &str = "\
    Starting 4 tests across 2 binaries (7 tests skipped)
        PASS [   0.015s] (1/4) access-log-tracker::it tidy::one
        PASS [   0.020s] (2/4) access-log-tracker::it tidy::two
        FAIL [   0.021s] (3/4) access-log-tracker::it tidy::three
        SLOW [> 60.000s] access-log-tracker::it tidy::four
        PASS [  70.000s] (4/4) access-log-tracker::it tidy::four
────────────
     Summary [  70.024s] 4 tests run: 3 passed (1 slow), 1 failed, 7 skipped
        FAIL [   0.021s] (3/4) access-log-tracker::it tidy::three
";

const CARGO_TEST: &str = "
running 3 tests
test a ... ok
test b ... ignored
test c ... FAILED

test result: FAILED. 1 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s

running 2 tests
test d ... ok
test e ... ok

test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s
";

const CHECKS: &str = "== install\nok      one\nok      two\nFAILED  three\n        why\n2 passed, 1 failed\n";

/// What `scripts/count.sh` counts in a log of a step that ended so.
fn count(counter: &str, log: &str, status: i32) -> String {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("log");
    std::fs::write(&path, log).unwrap();
    let library = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/count.sh");
    let script = ". \"$0\" && \"$1\" \"$2\" \"$3\"";
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", script])
        .arg(library)
        .args([counter, path.to_str().unwrap(), &status.to_string()])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

/// The log up to a line that begins so.
fn until<'l>(log: &'l str, line: &str) -> &'l str {
    &log[..log.find(line).unwrap()]
}

#[test]
fn what_is_not_known_to_have_passed_has_failed() {
    let well = NEXTEST.replace("FAIL", "PASS").replace("3 passed (1 slow), 1 failed", "4 passed (1 slow)");
    let cargo_well = CARGO_TEST.replace("FAILED", "ok").replace("1 passed; 1 failed", "2 passed; 0 failed");
    let checks_well = CHECKS.replace("FAILED  ", "ok      ").replace("2 passed, 1", "3 passed, 0");
    let coloured =
        well.replace("Summary", "\x1b[32mSummary\x1b[0m").replace("4 tests", "\x1b[1m4\x1b[0m tests");
    for (counter, log, status, expected) in [
        ("count_tests", NEXTEST, 100, "3 1"),
        ("count_tests", &well, 0, "4 0"),
        ("count_tests", &coloured, 0, "4 0"),
        // The runner, or what kept its log, died.
        ("count_tests", &well, 1, "4 1"),
        ("count_tests", until(&well, "     Summary"), 0, "4 1"),
        ("count_tests", until(NEXTEST, "        FAIL"), 1, "2 2"),
        ("count_tests", until(NEXTEST, "        PASS"), 0, "0 4"),
        ("count_tests", "", 0, "0 1"),
        ("count_tests", "error: could not compile", 101, "0 1"),
        // Cut off by a test that failed: 1 of 4 was not run.
        ("count_tests", &well.replace("4 tests run: 4", "3/4 tests run: 3"), 100, "3 1"),
        ("count_tests", CARGO_TEST, 101, "3 1"),
        ("count_tests", &cargo_well, 0, "4 0"),
        ("count_tests", until(&cargo_well, "running 2"), 101, "2 1"),
        ("count_tests", until(&cargo_well, "test d"), 101, "2 2"),
        ("count_checks", CHECKS, 1, "2 1"),
        ("count_checks", &checks_well, 0, "3 0"),
        ("count_checks", &checks_well, 1, "3 1"),
        ("count_checks", until(&checks_well, "3 passed"), 0, "3 1"),
        ("count_checks", until(CHECKS, "FAILED"), 1, "2 1"),
        ("count_checks", &checks_well.replace("3 passed", "9 passed"), 0, "3 1"),
        ("count_checks", "", 1, "0 1"),
    ] {
        assert_eq!(count(counter, log, status), expected, "{counter}, {status}:\n{log}");
    }
}

#[test]
fn a_run_that_dies_early_ends_with_a_failure_in_its_last_line() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/test");
    let output = Command::new(script).arg("--postgres").output().unwrap();
    assert!(!output.status.success());
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "0 passed, 1 failed\n");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("it ended within its beginning"), "{said}");
}

#[test]
fn throwaway_files_are_where_tmpdir_says_if_there_is_room() {
    let place = tempfile::Builder::new().prefix("r").tempdir_in("/tmp").unwrap();
    let short = place.path().to_str().unwrap();
    let long = format!("{short}/{}", "long".repeat(20));
    for (tmpdir, script, expected) in [
        ("", "temporary", "/tmp\n"),
        (short, "temporary", &*format!("{short}\n")),
        (&format!("{short}/"), "temporary", &format!("{short}\n")),
        (&long, "temporary", "would be too long"),
        (short, "need_room 1 \"$(temporary)\" && echo enough", "enough\n"),
        (short, "need_room 100000000 \"$(temporary)\"", "MB left, and 100000000 MB are needed"),
        (&format!("{short}/none"), "need_room 1 \"$(temporary)\"", "none is no directory"),
    ] {
        let root = env!("CARGO_MANIFEST_DIR");
        let script = format!("set -euo pipefail; . scripts/lib.sh; {script}");
        let mut command = Command::new("bash");
        command.args(["-c", &script]).current_dir(root).env("TMPDIR", tmpdir);
        let output = command.output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8(said).unwrap();
        match expected.ends_with('\n') {
            true => assert_eq!(said, expected, "{script}"),
            false => assert!(said.contains(expected) && !output.status.success(), "{script}: {said}"),
        }
    }
}
