//! Following: whatever is done to a log, every line is loaded once.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::Command;

use nix::sys::signal::Signal;

use crate::support::bench::Bench;
use crate::support::daemon::{Daemon, wait_for};
use crate::support::lines::{alt1, alt1_aged, many};
use crate::support::postgres::{Cluster, Database};

fn gzip(path: &Path) {
    let status = Command::new("gzip").arg(path).status().unwrap();
    assert!(status.success());
}

#[test]
fn a_log_that_appears_later_is_loaded_from_its_start() {
    let mut bench = Bench::new();
    std::thread::sleep(std::time::Duration::from_millis(300));
    bench.append("beacon.log", 3);
    bench.settle();
    bench.append("beacon.log", 2);
    bench.settle();
}

#[test]
fn half_lines_wait_for_their_end() {
    let mut bench = Bench::new();
    let (first, second) = (alt1(), alt1());
    bench.append_text("beacon.log", &first, 1);
    bench.append_text("beacon.log", &second[..100], 0);
    bench.settle();
    for byte in second.as_bytes()[100..].chunks(7) {
        bench.append_text("beacon.log", std::str::from_utf8(byte).unwrap(), 0);
    }
    bench.written += 1;
    bench.settle();
}

#[test]
fn renamed_files_are_read_to_their_end_and_sealed() {
    let mut bench = Bench::new();
    bench.append("beacon.log", 10);
    bench.settle();
    fs::rename(bench.path("beacon.log"), bench.path("beacon.log.1")).unwrap();
    // nginx writes to the old file until it is told
    bench.append("beacon.log.1", 5);
    bench.append("beacon.log", 5);
    bench.settle();
    bench.sealed(1);
    // and a late write behind the seal is read with ids
    bench.append("beacon.log.1", 1);
    bench.settle();
}

#[test]
fn files_may_be_moved_into_another_directory_and_compressed_there() {
    let mut bench = Bench::new();
    fs::create_dir(bench.path("rotated")).unwrap();
    bench.append("beacon.log", 10);
    bench.settle();
    fs::rename(bench.path("beacon.log"), bench.path("rotated/beacon.log-20261120")).unwrap();
    bench.append("rotated/beacon.log-20261120", 10);
    bench.append("beacon.log", 1);
    bench.settle();
    gzip(&bench.path("rotated/beacon.log-20261120"));
    bench.append("beacon.log", 1);
    bench.settle();
    bench.sealed(1);
}

#[test]
fn rotations_and_compressions_while_the_daemon_was_down() {
    let mut bench = Bench::new();
    bench.append("beacon.log", 10);
    bench.settle();
    bench.stop();
    bench.append("beacon.log", 10);
    for n in (1..=3).rev() {
        let (from, to) = (format!("beacon.log.{n}.gz"), format!("beacon.log.{}.gz", n + 1));
        if bench.path(&from).is_file() {
            fs::rename(bench.path(&from), bench.path(&to)).unwrap();
        }
    }
    fs::rename(bench.path("beacon.log"), bench.path("beacon.log.1")).unwrap();
    gzip(&bench.path("beacon.log.1"));
    bench.append("beacon.log", 10);
    fs::rename(bench.path("beacon.log"), bench.path("beacon.log.0")).unwrap();
    bench.append("beacon.log", 10);
    bench.start();
    bench.settle();
    // A restart finds nothing to do.
    bench.stop();
    bench.start();
    bench.append("beacon.log", 1);
    bench.settle();
}

#[test]
fn a_log_that_is_copied_and_truncated() {
    let mut bench = Bench::new();
    bench.append("beacon.log", 10);
    bench.settle();
    bench.append("beacon.log", 10);
    fs::copy(bench.path("beacon.log"), bench.path("beacon.log.1")).unwrap();
    File::options().write(true).open(bench.path("beacon.log")).unwrap().set_len(0).unwrap();
    bench.append("beacon.log", 3);
    bench.settle();
    // Truncated and regrown beyond what was loaded, between two looks.
    fs::copy(bench.path("beacon.log"), bench.path("beacon.log.2")).unwrap();
    let regrown = many(40);
    fs::write(bench.path("beacon.log"), &regrown).unwrap();
    bench.written += 40;
    bench.settle();
    // It is said, unless that happens between two looks.
    let mut says_so = false;
    for _ in 0..20 {
        bench.append("beacon.log", 10);
        bench.settle();
        File::options().write(true).open(bench.path("beacon.log")).unwrap().set_len(0).unwrap();
        bench.append("beacon.log", 1);
        bench.settle();
        says_so = bench.daemon.as_ref().unwrap().log().contains("cut in place");
        if says_so {
            break;
        }
    }
    assert!(says_so, "{}", bench.state());
}

#[test]
fn a_log_that_is_deleted_and_made_anew() {
    let mut bench = Bench::new();
    bench.append("beacon.log", 10);
    bench.settle();
    fs::remove_file(bench.path("beacon.log")).unwrap();
    bench.append("beacon.log", 10);
    bench.settle();
}

/// How many files without a name the daemon has open.
fn nameless(bench: &Bench) -> usize {
    let open = bench.daemon.as_ref().unwrap().descriptors();
    let names = open.iter().filter_map(|descriptor| fs::read_link(descriptor).ok());
    names.filter(|name| name.to_string_lossy().ends_with("beacon.log (deleted)")).count()
}

#[test]
fn a_log_that_is_deleted_before_its_lines_are_committed() {
    for is_sealed in [false, true] {
        let mut bench = Bench::new();
        bench.append("beacon.log", 10);
        bench.settle();
        let log = bench.path("beacon.log");
        let append = |count| {
            let mut file = OpenOptions::new().create(true).append(true).open(&log).unwrap();
            file.write_all(many(count).as_bytes()).unwrap();
        };
        let held = bench.database.hold();
        append(20);
        held.wait_until_awaited();
        append(20);
        fs::remove_file(&log).unwrap();
        append(10);
        if is_sealed {
            // It is read to its end, and its seal is on its way.
            std::thread::sleep(std::time::Duration::from_secs(3));
        }
        assert!(nameless(&bench) > 0);
        bench.database.psql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE datname = current_database() AND application_name LIKE 'alt run%'",
        );
        drop(held);
        bench.append_text("beacon.log", "", 50);
        bench.settle();
        bench.check();
        wait_for(30, || nameless(&bench) == 0, || bench.state());
    }
}

#[test]
fn a_log_that_is_written_to_and_deleted_while_the_database_is_away() {
    // One of two, both loaded; the daemon waits for the database with the other.
    let cluster = Cluster::start(&["fsync=off"]);
    let sources = "[[source]]\npaths = [\"DIR/a.log\", \"DIR/beacon.log\"]";
    let mut bench = Bench::not_started(sources, cluster.database());
    bench.start();
    for log in ["a.log", "beacon.log"] {
        bench.append(log, 10);
    }
    bench.settle();
    let name = bench.database.name.clone();
    let connections = |allowed| {
        cluster.psql("postgres", &format!("ALTER DATABASE {name} ALLOW_CONNECTIONS {allowed}"));
    };
    connections(false);
    cluster.psql(
        "postgres",
        &format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"),
    );
    let append = |log: &str, count| {
        let mut file = OpenOptions::new().append(true).open(bench.path(log)).unwrap();
        file.write_all(many(count).as_bytes()).unwrap();
    };
    append("a.log", 20);
    // The one that was written to longest ago comes first.
    let file = File::options().append(true).open(bench.path("a.log")).unwrap();
    file.set_modified(std::time::SystemTime::now() - std::time::Duration::from_secs(60)).unwrap();
    let away = || bench.daemon.as_ref().unwrap().log().contains("trying again until it does");
    wait_for(30, away, || bench.daemon.as_ref().unwrap().log());
    std::thread::sleep(std::time::Duration::from_millis(500));
    append("beacon.log", 20);
    fs::remove_file(bench.path("beacon.log")).unwrap();
    connections(true);
    bench.append_text("beacon.log", "", 40);
    bench.settle();
    bench.check();
}

#[test]
fn a_deleted_log_that_nothing_follows_is_let_go() {
    let mut bench = Bench::new();
    bench.append("beacon.log", 10);
    bench.settle();
    let log = File::options().append(true).open(bench.path("beacon.log")).unwrap();
    fs::remove_file(bench.path("beacon.log")).unwrap();
    std::thread::sleep(std::time::Duration::from_secs(2));
    assert_eq!(nameless(&bench), 1);
    log.set_modified(std::time::SystemTime::now() - std::time::Duration::from_secs(2 * 86400)).unwrap();
    wait_for(30, || nameless(&bench) == 0, || bench.state());
    bench.check();
}

/// As `sed -i` does: another inode, shorter.
fn take_out_line(bench: &Bench, which: usize) {
    let text = fs::read_to_string(bench.path("beacon.log")).unwrap();
    let without: String = text
        .split_inclusive('\n')
        .enumerate()
        .filter(|(i, _)| i + 1 != which)
        .map(|(_, line)| line)
        .collect();
    fs::write(bench.path("new"), without).unwrap();
    fs::rename(bench.path("new"), bench.path("beacon.log")).unwrap();
}

#[test]
fn a_log_whose_lines_are_taken_out_in_place_is_read_with_ids() {
    let mut bench = Bench::new();
    bench.append("beacon.log", 10);
    bench.settle();
    take_out_line(&bench, 3);
    bench.append("beacon.log", 10);
    bench.settle();
}

/// Lines of one length, so that another's stands where one was.
fn alike(count: usize) -> Vec<String> {
    let lines: Vec<String> = (0..count).map(|_| alt1_aged(100)).collect();
    let longest = lines.iter().map(String::len).max().unwrap();
    let fill = |line: &String| line.replace("&sw=", &format!("{}&sw=", "x".repeat(longest - line.len())));
    let alike: Vec<String> = lines.iter().map(fill).collect();
    assert!(alike.iter().all(|line| line.len() == longest));
    alike
}

#[test]
fn a_log_that_is_written_over_between_two_reads_of_one_batch() {
    let mut bench = Bench::not_started("[[source]]\npaths = [\"DIR/beacon.log\"]", Database::create());
    let text = fs::read_to_string(&bench.config).unwrap();
    fs::write(&bench.config, text.replace("[load]", "[load]\ncommit_interval = \"4s\"")).unwrap();
    let lines = alike(60);
    let path = bench.path("beacon.log");
    fs::write(&path, lines[..20].concat()).unwrap();
    bench.start();
    // Read, and not committed.
    std::thread::sleep(std::time::Duration::from_millis(1500));
    let over = [&lines[..1], &lines[20..], &lines[1..20]].concat().concat();
    let mut file = OpenOptions::new().write(true).open(&path).unwrap();
    file.write_all(over.as_bytes()).unwrap();
    bench.written = 60;
    bench.settle();
}

/// Not started yet.
fn one_line_a_batch() -> Bench {
    let bench = Bench::not_started("[[source]]\npaths = [\"DIR/beacon.log\"]", Database::create());
    let text = fs::read_to_string(&bench.config).unwrap();
    fs::write(&bench.config, text.replace("[load]", "[load]\nbatch_rows = 1")).unwrap();
    bench
}

#[test]
fn a_daemon_that_dies_within_a_log_that_is_read_by_ids() {
    // Without its first line, it begins like nothing that is known.
    for which in [1, 3] {
        let mut bench = one_line_a_batch();
        bench.start();
        let text: String = (0..10).map(|n| alt1_aged(100 - n)).collect();
        bench.append_text("beacon.log", &text, 10);
        bench.settle();
        bench.stop();
        take_out_line(&bench, which);
        let die = |command: &mut Command| _ = command.env("ALT_FAULT_AT", "Committed:4");
        let mut daemon = Daemon::start_with(&bench.config, die);
        wait_for(30, || daemon.ended().is_some(), || bench.state());
        bench.start();
        bench.append("beacon.log", 3);
        bench.settle();
    }
}

#[test]
fn a_log_that_is_edited_in_place_before_its_last_lines_are_read() {
    let mut bench = one_line_a_batch();
    bench.start();
    bench.append("beacon.log", 10);
    bench.settle();
    bench.daemon.as_ref().unwrap().signal(Signal::SIGSTOP);
    bench.append("beacon.log", 5);
    take_out_line(&bench, 3);
    bench.daemon.as_ref().unwrap().signal(Signal::SIGCONT);
    // The old inode has five lines to hand over, and so has the new one.
    bench.settle();
    bench.append("beacon.log", 3);
    bench.settle();
}

#[test]
fn a_symbolic_link_that_is_pointed_at_another_file() {
    let mut bench = Bench::new();
    bench.append("day-1", 5);
    std::os::unix::fs::symlink(bench.path("day-1"), bench.path("beacon.log")).unwrap();
    bench.settle();
    bench.append("day-1", 5);
    bench.settle();
    fs::remove_file(bench.path("beacon.log")).unwrap();
    std::os::unix::fs::symlink(bench.path("day-2"), bench.path("beacon.log")).unwrap();
    bench.append("day-1", 5);
    bench.append("day-2", 5);
    bench.settle();
}

#[test]
fn a_last_line_without_a_newline_counts_when_the_file_is_finished() {
    let mut bench = Bench::new();
    let last = alt1();
    bench.append("beacon.log", 1);
    bench.append_text("beacon.log", last.trim_end_matches('\n'), 0);
    bench.settle();
    fs::rename(bench.path("beacon.log"), bench.path("beacon.log.1")).unwrap();
    bench.append("beacon.log", 1);
    bench.written += 1;
    bench.settle();
    bench.sealed(1);
}

#[test]
fn a_copy_of_the_live_log_is_not_loaded_again() {
    let mut bench = Bench::new();
    bench.append("beacon.log", 10);
    bench.settle();
    fs::copy(bench.path("beacon.log"), bench.path("beacon.log.bak")).unwrap();
    bench.append("beacon.log", 10);
    bench.settle();
    bench.stop();
    bench.start();
    bench.append("beacon.log", 10);
    bench.settle();
}

#[test]
fn a_rotated_log_beside_an_older_copy_of_it_while_there_is_no_live_log() {
    let mut bench = Bench::not_started("[[source]]\npaths = [\"DIR/beacon.log\"]", Database::create());
    bench.append("beacon.log.1", 3);
    fs::copy(bench.path("beacon.log.1"), bench.path("beacon.log.old")).unwrap();
    bench.append("beacon.log.1", 2);
    let old = File::options().append(true).open(bench.path("beacon.log.old")).unwrap();
    old.set_modified(std::time::SystemTime::now() - std::time::Duration::from_secs(60)).unwrap();
    bench.start();
    bench.settle();
    // Packed, how much it has is not to be seen from outside.
    bench.append("beacon.log.1", 2);
    gzip(&bench.path("beacon.log.1"));
    bench.settle();
}

/// What the daemon says of how far a log is behind.
fn behind(bench: &Bench, log: &str, name: &str) -> f64 {
    let sample = format!("{name}{{source=\"{}\"}}", bench.path(log).display());
    bench.daemon.as_ref().unwrap().metric(&sample)
}

#[test]
fn a_directory_of_logs_that_is_away_for_a_moment() {
    let mut bench = Bench::not_started("[[source]]\npaths = [\"DIR/log/beacon.log\"]", Database::create());
    fs::create_dir(bench.path("log")).unwrap();
    bench.append("log/beacon.log.1", 3);
    bench.append("log/beacon.log", 3);
    bench.start();
    bench.settle();
    bench.sealed(1);
    fs::rename(bench.path("log"), bench.path("away")).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(500));
    fs::rename(bench.path("away"), bench.path("log")).unwrap();
    bench.append("log/beacon.log", 3);
    bench.settle();
    wait_for(20, || behind(&bench, "log/beacon.log", "alt_files_waiting") == 0.0, || bench.state());
}

#[test]
fn a_rotated_log_that_begins_like_the_quiet_live_one_and_is_longer() {
    let mut bench = Bench::not_started("[[source]]\npaths = [\"DIR/beacon.log\"]", Database::create());
    let ours = fs::read_to_string(&bench.config).unwrap();
    let patient = ours.replace("seal_after = \"1s\"", "seal_after = \"1h\"");
    fs::write(&bench.config, patient).unwrap();
    bench.append("beacon.log", 2);
    fs::copy(bench.path("beacon.log"), bench.path("beacon.log.1")).unwrap();
    fs::copy(bench.path("beacon.log"), bench.path("beacon.log.2")).unwrap();
    bench.start();
    bench.settle();
    // It may be a copy under way: it waits, and that is seen.
    bench.append("beacon.log.1", 3);
    wait_for(20, || behind(&bench, "beacon.log", "alt_files_waiting") == 1.0, || bench.state());
    assert!(behind(&bench, "beacon.log", "alt_lag_bytes") > 300.0, "{}", bench.state());
    bench.stop();
    bench.append("beacon.log.2", 4);
    gzip(&bench.path("beacon.log.2"));
    fs::write(&bench.config, ours).unwrap();
    bench.start();
    bench.settle();
    bench.append("beacon.log", 1);
    bench.settle();
    bench.sealed(2);
    wait_for(20, || behind(&bench, "beacon.log", "alt_files_waiting") == 0.0, || bench.state());
}

#[test]
fn a_log_that_becomes_readable_later() {
    use std::os::unix::fs::PermissionsExt;
    let open = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let mut bench = Bench::not_started("[[source]]\npaths = [\"DIR/beacon.log\"]", Database::create());
    open(bench.directory.path(), 0o755);
    bench.append("beacon.log", 5);
    open(&bench.path("beacon.log"), 0o000);
    bench.daemon = Some(Daemon::start_as_nobody(&bench.config));
    let said = |bench: &Bench, what| bench.daemon.as_ref().unwrap().log().matches(what).count();
    wait_for(20, || said(&bench, "cannot be read") > 0, || bench.state());
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert_eq!(said(&bench, "cannot be read"), 1, "said once: {}", bench.state());
    open(&bench.path("beacon.log"), 0o644);
    bench.settle();
    assert_eq!(said(&bench, "can be read again"), 1, "{}", bench.state());
    // The same for the directory.
    open(bench.directory.path(), 0o700);
    bench.append("beacon.log", 5);
    wait_for(20, || bench.rows() == 10 || said(&bench, "cannot be read") > 1, || bench.state());
    open(bench.directory.path(), 0o755);
    bench.settle();
}

#[test]
fn many_rotated_files_are_loaded_also_while_there_is_no_live_log() {
    let mut bench = Bench::not_started("[[source]]\npaths = [\"DIR/beacon.log\"]", Database::create());
    for n in 0..120 {
        bench.append(&format!("beacon.log.{n}"), 3);
    }
    // One of a single line that never got its newline.
    let single = alt1();
    bench.append_text("beacon.log.120", single.trim_end_matches('\n'), 0);
    bench.start();
    bench.settle();
    bench.append("beacon.log", 1);
    bench.written += 1;
    bench.settle();
    bench.sealed(121);
}

/// A line of a site's own log, `n` seconds into a minute.
fn site(n: usize) -> String {
    format!(
        "192.0.2.{n} - - [10/Oct/2023:13:55:{:02} +0000] \"GET /p/{n} HTTP/1.1\" 200 5 \"-\" \"curl/8\"\n",
        n % 60
    )
}

fn sites(numbers: std::ops::Range<usize>) -> String {
    numbers.map(site).collect()
}

const SITE: &str = "[[source]]\npaths = [\"DIR/access.log\"]\nformat = \"combined\"\napp = \"shop\"";

#[test]
fn a_copy_and_a_truncation_while_lines_wait_in_the_batch() {
    let mut bench = Bench::not_started("[[source]]\npaths = [\"DIR/beacon.log\"]", Database::create());
    let text =
        fs::read_to_string(&bench.config).unwrap().replace("[load]", "[load]\ncommit_interval = \"1s\"");
    fs::write(&bench.config, text).unwrap();
    bench.start();
    bench.append("beacon.log", 5);
    bench.settle();
    for round in 0..4 {
        bench.append("beacon.log", 5);
        std::thread::sleep(std::time::Duration::from_millis(60 * round));
        fs::copy(bench.path("beacon.log"), bench.path(&format!("beacon.log.{round}"))).unwrap();
        File::options().write(true).open(bench.path("beacon.log")).unwrap().set_len(0).unwrap();
        bench.append("beacon.log", 3);
        bench.settle();
    }
}

#[test]
fn a_copy_and_a_truncation_between_a_look_at_the_log_and_its_first_read() {
    let mut bench = Bench::new();
    std::thread::sleep(std::time::Duration::from_millis(500));
    std::thread::scope(|scope| {
        let locked = "BEGIN; LOCK TABLE checkpoints; SELECT pg_sleep(3); COMMIT";
        let database = &bench.database;
        scope.spawn(move || database.psql(locked));
        let is_locked = "SELECT count(*) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation \
                         WHERE c.relname = 'checkpoints' AND l.mode = 'AccessExclusiveLock' AND l.granted";
        wait_for(20, || database.psql(is_locked) == "1", String::new);
        // It waits to be told which checkpoints begin so.
        fs::write(bench.path("beacon.log"), many(3)).unwrap();
        std::thread::sleep(std::time::Duration::from_secs(1));
        fs::copy(bench.path("beacon.log"), bench.path("beacon.log.1")).unwrap();
        File::options().write(true).open(bench.path("beacon.log")).unwrap().set_len(0).unwrap();
    });
    bench.written += 3;
    bench.settle();
}

#[test]
fn short_logs_and_copies_that_are_all_new_at_the_first_start() {
    let mut bench =
        Bench::not_started(&format!("[[source]]\npaths = [\"DIR/beacon.log\"]\n{SITE}"), Database::create());
    bench.append_text("access.log.1", &sites(0..9), 9);
    bench.append_text("access.log.2", &sites(10..12), 2);
    bench.append_text("access.log", &sites(20..22), 2);
    bench.append("beacon.log.1", 20);
    fs::copy(bench.path("beacon.log.1"), bench.path("beacon.log.2")).unwrap();
    gzip(&bench.path("beacon.log.2"));
    fs::copy(bench.path("beacon.log.1"), bench.path("beacon.log.bak")).unwrap();
    bench.append("beacon.log", 1);
    bench.start();
    bench.settle();
    bench.sealed(3);
    let stale = bench.daemon.as_ref().unwrap().log().matches("reading the checkpoints back").count();
    assert!(stale < 20, "{stale} times in vain");
}

#[test]
fn a_log_that_was_replayed_before_it_is_followed() {
    let mut bench = Bench::not_started(SITE, Database::create());
    let text = fs::read_to_string(&bench.config).unwrap().replace("[load]", "[load]\nbatch_rows = 20");
    fs::write(&bench.config, text).unwrap();
    bench.append_text("access.log", &sites(0..200), 200);
    let args = ["replay", "--format", "combined", "--app", "shop", "--config"];
    let mut replay = crate::support::daemon::alt();
    assert!(replay.args(args).arg(&bench.config).arg(bench.path("access.log")).status().unwrap().success());
    bench.check();
    bench.append_text("access.log", &sites(200..250), 50);
    bench.start();
    wait_for(30, || bench.rows() == bench.written, || bench.state());
    std::thread::sleep(std::time::Duration::from_millis(500));
    bench.check();
    // The replay's checkpoint stands where the replay ended, and nothing is behind for that.
    let mut status = crate::support::daemon::alt();
    let output = status.args(["status", "--json", "--config"]).arg(&bench.config).output().unwrap();
    let entries: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut states: Vec<_> =
        entries.as_array().unwrap().iter().map(|e| (e["state"].as_str(), e["lines"].as_u64())).collect();
    states.sort();
    assert_eq!(states, [(Some("loaded"), Some(250)), (Some("overtaken"), Some(200))], "{entries}");
}

#[test]
fn a_live_log_that_was_cut_short_while_it_is_written() {
    let mut bench = Bench::new();
    bench.append("beacon.log", 100);
    bench.settle();
    let text = fs::read_to_string(bench.path("beacon.log")).unwrap();
    let third = text.match_indices('\n').nth(2).unwrap().0 as u64 + 1;
    File::options().write(true).open(bench.path("beacon.log")).unwrap().set_len(third).unwrap();
    // It never stands still.
    for _ in 0..30 {
        bench.append("beacon.log", 1);
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    bench.settle();
}

#[test]
fn a_log_that_grows_behind_a_seal_within_a_line() {
    let mut bench = Bench::not_started(SITE, Database::create());
    let text = sites(0..5);
    bench.append_text("access.log", text.trim_end_matches('\n'), 4);
    bench.start();
    bench.settle();
    fs::rename(bench.path("access.log"), bench.path("access.log.1")).unwrap();
    bench.append_text("access.log", &site(9), 1);
    bench.written += 1;
    bench.settle();
    bench.sealed(1);
    // What was taken for its last line was half a line, which is read anew: as it is now, it is garbage.
    bench.append_text("access.log.1", &format!(" more\n{}", sites(6..8)), 2);
    wait_for(30, || bench.rows() == bench.written, || bench.state());
    let rejects = bench.database.psql("SELECT reason, lines, file_offset, bytes FROM rejected_lines");
    let half = sites(4..5).len() - 1;
    assert_eq!(rejects, format!("shape|1|{}|{}", sites(0..4).len(), half + 6), "{}", bench.state());
}

#[test]
fn a_log_whose_name_looks_like_a_rotated_one_of_another_log() {
    let of = |log: &str, app: &str| {
        format!("[[source]]\npaths = [\"DIR/{log}\"]\nformat = \"combined\"\napp = \"{app}\"\n")
    };
    let sources = of("access.log", "shop") + &of("access-8080.log", "blog");
    let mut bench = Bench::not_started(&sources, Database::create());
    bench.database.psql("INSERT INTO applications (app_key, name) VALUES ('blog', 'Blog')");
    bench.append_text("access.log", &sites(0..5), 5);
    bench.append_text("access-8080.log", &sites(20..27), 7);
    // Both may be whose that is, by its name.
    bench.append_text("access-8080-20261120.log", &sites(40..43), 3);
    bench.start();
    bench.append_text("access-8080.log", &sites(30..31), 1);
    bench.settle();
    std::thread::sleep(std::time::Duration::from_secs(2));
    bench.check();
    let rows = "SELECT a.app_key, count(*) FROM access_logs l JOIN applications a ON a.id = l.app_id \
                GROUP BY 1 ORDER BY 1";
    assert_eq!(bench.database.psql(rows), "blog|11\nshop|5", "{}", bench.state());
    assert_eq!(
        bench.database.psql("SELECT count(*) FROM checkpoints WHERE sealed"),
        "1",
        "{}",
        bench.state()
    );
}

#[test]
fn a_directory_whose_name_has_brackets() {
    let mut bench = Bench::not_started("[[source]]\npaths = [\"DIR/a[1]/beacon.log\"]", Database::create());
    for directory in ["a[1]", "a1"] {
        fs::create_dir(bench.path(directory)).unwrap();
    }
    // What it would match as a pattern.
    fs::write(bench.path("a1/beacon.log"), many(3)).unwrap();
    bench.append("a[1]/beacon.log", 5);
    bench.start();
    bench.settle();
    fs::rename(bench.path("a[1]/beacon.log"), bench.path("a[1]/beacon.log.1")).unwrap();
    bench.append("a[1]/beacon.log.1", 2);
    bench.append("a[1]/beacon.log", 5);
    bench.settle();
    bench.sealed(1);
}

#[test]
fn a_pattern_that_matches_rotated_logs_too() {
    let mut bench = Bench::not_started("[[source]]\npaths = [\"DIR/w/*.log*\"]", Database::create());
    fs::create_dir(bench.path("w")).unwrap();
    bench.append("w/a.log", 1);
    bench.append("w/a.log.1", 3000);
    bench.stands_still("w/a.log.1");
    gzip(&bench.path("w/a.log.1"));
    let alt = |args: &[&str]| {
        let mut command = crate::support::daemon::alt();
        command.args(args).arg("--config").arg(&bench.config).output().unwrap()
    };
    // Nobody writes to it any more, so a replay seals it.
    assert!(alt(&["replay", bench.path("w/a.log.1.gz").to_str().unwrap()]).status.success());
    assert_eq!(
        bench.database.psql("SELECT count(*) FROM checkpoints WHERE sealed"),
        "1",
        "{}",
        bench.state()
    );
    let findings = String::from_utf8(alt(&["check"]).stdout).unwrap();
    assert!(!findings.contains("a.log.1.gz"), "{findings}");
    bench.start();
    bench.settle();
}
