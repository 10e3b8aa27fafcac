//! Replaying: loads what is missing, whatever is replayed, in whatever form.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::support::bench::Bench;
use crate::support::daemon::{alt, alt_as_nobody, wait_for};
use crate::support::lines::{KEY, alt1, alt1_aged, many};
use crate::support::pack::gzip;
use crate::support::postgres::{Cluster, Database};

pub(crate) fn bench() -> Bench {
    Bench::not_started("[[source]]\npaths = [\"DIR/beacon.log\"]", Database::create())
}

fn command(bench: &Bench, args: &[&str]) -> Command {
    let mut command = alt();
    command.arg("replay").arg("--config").arg(&bench.config).args(args).current_dir(bench.directory.path());
    command
}

/// Runs `alt replay --json`; returns its account, or what it said where it failed.
pub(crate) fn replay(bench: &Bench, args: &[&str]) -> Result<Value, String> {
    let output = command(bench, args).arg("--json").stdin(Stdio::null()).output().unwrap();
    if output.status.success() {
        Ok(serde_json::from_slice(&output.stdout).unwrap())
    } else {
        Err(format!("{:?}: {}", output.status.code(), String::from_utf8_lossy(&output.stderr)))
    }
}

/// Lines, rows and already loaded of an account.
pub(crate) fn counts(account: &Value) -> (u64, u64, u64) {
    let n = |name: &str| account[name].as_u64().unwrap();
    (n("lines"), n("rows"), n("already_loaded"))
}

pub(crate) fn write(bench: &mut Bench, name: &str, text: &str, lines: usize) -> PathBuf {
    let path = bench.path(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    bench.written += lines;
    path
}

pub(crate) fn pack(tool: &str, path: &std::path::Path) {
    assert!(Command::new(tool).arg("-q").arg(path).status().unwrap().success());
}

#[test]
fn a_directory_of_plain_and_compressed_files() {
    let mut bench = bench();
    for (name, tool) in [("a.log", ""), ("b.log", "gzip"), ("sub/c.log", "bzip2"), ("sub/d.log", "")] {
        let path = write(&mut bench, &format!("logs/{name}"), &many(500), 500);
        if !tool.is_empty() {
            pack(tool, &path);
        }
    }
    let zst = zstd::encode_all(many(500).as_bytes(), 3).unwrap();
    fs::write(bench.path("logs/e.log.zst"), zst).unwrap();
    bench.written += 500;
    // A file of several gzip members is one log.
    let two: Vec<u8> = (0..2).flat_map(|_| gzip(many(100).as_bytes(), 1)).collect();
    fs::write(bench.path("logs/f.gz"), two).unwrap();
    bench.written += 200;
    let account = replay(&bench, &["logs", "--jobs", "3"]).unwrap();
    assert_eq!(counts(&account), (2700, 2700, 0), "{account}");
    bench.check();
    // Again: everything compressed is sealed; plain files, just written, have nothing new.
    let account = replay(&bench, &["logs", "logs/*.gz"]).unwrap();
    assert_eq!(counts(&account), (0, 0, 0), "{account}");
    assert_eq!(account["files_loaded_before"], 6, "{account}");
    bench.check();
}

#[test]
fn of_copies_of_a_log_one_is_loaded_and_the_others_found_loaded() {
    let mut bench = bench();
    let config = fs::read_to_string(&bench.config).unwrap().replace("[load]", "[load]\nbatch_rows = 100");
    fs::write(&bench.config, config).unwrap();
    for (directory, jobs) in [("one", "1"), ("several", "4")] {
        let text = many(3000);
        for name in ["a", "b", "c", "d"] {
            let path =
                write(&mut bench, &format!("{directory}/{name}"), &text, if name == "a" { 3000 } else { 0 });
            if name > "b" {
                pack("gzip", &path);
            }
        }
        let output = command(&bench, &[directory, "--jobs", jobs, "--json", "-v"]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        let account: Value = serde_json::from_slice(&output.stdout).expect(&said);
        assert_eq!(counts(&account), (3000, 3000, 0), "{account}");
        let files = (&account["files_loaded"], &account["files_loaded_before"]);
        assert_eq!(files, (&1.into(), &3.into()), "{account}");
        assert!(!said.contains("reading the checkpoints back"), "they were in each other's way: {said}");
    }
    bench.check();
}

#[test]
fn merged_shuffled_and_overlapping_copies_add_what_is_missing() {
    let mut bench = bench();
    let (a, b, c) = (many(300), many(300), many(300));
    write(&mut bench, "a", &a, 300);
    write(&mut bench, "b", &b, 300);
    assert_eq!(counts(&replay(&bench, &["a", "b"]).unwrap()), (600, 600, 0));
    let mut lines: Vec<&str> = [&b, &c, &a, &c].iter().flat_map(|t| t.lines()).collect();
    lines.reverse();
    let merged = lines.join("\n") + "\n";
    write(&mut bench, "merged", &merged, 300);
    assert_eq!(counts(&replay(&bench, &["merged"]).unwrap()), (1200, 300, 900));
    bench.check();
    // A file that begins like one that is known, and goes on differently.
    let fork = format!("{}{}", a.lines().next().unwrap().to_owned() + "\n", many(9));
    write(&mut bench, "fork", &(fork + &many(300)), 309);
    assert_eq!(counts(&replay(&bench, &["fork"]).unwrap()), (310, 309, 1));
    bench.check();
    // A shorter copy may be one under way; when it stands still, its lines are held against the ids.
    let short: String = a.lines().take(10).map(|l| l.to_owned() + "\n").collect();
    let path = write(&mut bench, "short", &short, 0);
    assert!(replay(&bench, &["short"]).unwrap_err().contains("1 of 1 files may still be written to"));
    let file = fs::OpenOptions::new().append(true).open(path).unwrap();
    file.set_modified(std::time::SystemTime::now() - Duration::from_secs(3600)).unwrap();
    assert_eq!(counts(&replay(&bench, &["short"]).unwrap()), (10, 0, 10));
    bench.check();
}

#[test]
fn standard_input_may_be_replayed_twice() {
    let mut bench = bench();
    let text = many(1000);
    bench.written = 1000;
    for expect in [(1000, 1000, 0), (0, 0, 0)] {
        let mut child =
            command(&bench, &["-", "--json"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        assert_eq!(counts(&serde_json::from_slice(&output.stdout).unwrap()), expect);
    }
    bench.check();
}

#[test]
fn a_broken_archive_gives_its_whole_lines_and_is_reported() {
    let mut bench = bench();
    let text = many(2000);
    let path = write(&mut bench, "log", &text, 2000);
    pack("gzip", &path);
    let whole = fs::read(bench.path("log.gz")).unwrap();
    fs::write(bench.path("log.gz"), &whole[..whole.len() / 2]).unwrap();
    let said = replay(&bench, &["log.gz"]).unwrap_err();
    assert!(
        said.starts_with("Some(1)") && said.contains("1 of 1 files could not be read to their end"),
        "{said}"
    );
    let some = bench.rows();
    assert!(some > 100 && some < 2000, "{some}");
    fs::write(bench.path("log.gz"), &whole).unwrap();
    let account = replay(&bench, &["log.gz"]).unwrap();
    assert_eq!(counts(&account).1, 2000 - some as u64, "{account}");
    bench.check();
}

#[test]
fn an_interrupted_replay_goes_on_where_it_was() {
    let mut bench =
        Bench::not_started("[[source]]\npaths = [\"DIR/beacon.log\"]", Cluster::start(&[]).database());
    write(&mut bench, "log", &many(150_000), 150_000);
    let path = bench.path("log");
    pack("gzip", &path);
    for (rows, signal) in [(1, Signal::SIGINT), (20_000, Signal::SIGKILL), (40_000, Signal::SIGTERM)] {
        let mut child =
            command(&bench, &["log.gz"]).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        wait_for(60, || bench.rows() >= rows, || bench.state());
        kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), signal).unwrap();
        assert!(!child.wait().unwrap().success());
    }
    let before = bench.rows();
    assert!(before < bench.written, "nothing is left to be interrupted");
    let mut child = command(&bench, &["log.gz"]).spawn().unwrap();
    wait_for(60, || bench.rows() > before, || bench.state());
    bench.database.cluster.down("immediate");
    std::thread::sleep(Duration::from_millis(300));
    bench.database.cluster.up();
    assert!(child.wait().unwrap().success());
    bench.check();
}

#[test]
fn beside_a_daemon_that_follows_the_same_file() {
    let mut bench = bench();
    bench.append("beacon.log", 200);
    bench.start();
    for _ in 0..10 {
        bench.append("beacon.log", 100);
        let account = replay(&bench, &["beacon.log"]).unwrap();
        assert_eq!(account["files_failed"], serde_json::json!({}));
    }
    bench.settle();
    fs::rename(bench.path("beacon.log"), bench.path("beacon.log.1")).unwrap();
    bench.append("beacon.log", 1);
    replay(&bench, &["beacon.log", "beacon.log.1"]).unwrap();
    bench.settle();
}

#[test]
fn foreign_logs_belong_to_the_application_that_is_named() {
    let mut bench = bench();
    let line = |n: u32| {
        format!(
            "192.0.2.{n} - - [10/Oct/2023:13:55:{n:02} +0200] \"GET /p/{n} HTTP/1.1\" 200 5 \"-\" \"curl/8\"\n"
        )
    };
    let text: String = [1, 1, 2, 3, 3, 3].into_iter().map(line).collect();
    write(&mut bench, "access.log", &text, 6);
    let said = replay(&bench, &["access.log", "--format", "combined"]).unwrap_err();
    assert!(said.contains("--app KEY"), "{said}");
    let args = ["access.log", "--format", "combined", "--app", KEY];
    assert_eq!(counts(&replay(&bench, &args).unwrap()), (6, 6, 0));
    // The same lines, moved and merged: the same events.
    write(&mut bench, "more.log", &(line(9) + &text), 1);
    let args = ["more.log", "--format", "combined", "--app", KEY];
    assert_eq!(counts(&replay(&bench, &args).unwrap()), (7, 1, 6));
    bench.check();
    let said = replay(&bench, &["access.log", "--format", "$remote_addr", "--app", KEY]).unwrap_err();
    assert!(said.contains("time"), "{said}");
}

#[test]
fn what_is_not_there_is_said_before_anything_is_loaded() {
    let mut bench = bench();
    write(&mut bench, "log", &alt1(), 1);
    for (args, expect) in
        [(["log", "missing"], "look at missing"), (["log", "*.nothing"], "*.nothing matches no file")]
    {
        let said = replay(&bench, &args).unwrap_err();
        assert!(said.starts_with("Some(1)") && said.contains(expect), "{said}");
    }
    assert_eq!(bench.rows(), 0);
    assert_eq!(counts(&replay(&bench, &["log"]).unwrap()), (1, 1, 0));
}

#[test]
fn a_database_that_refuses_ends_the_replay_with_its_reason() {
    let mut bench = bench();
    write(&mut bench, "log", &alt1(), 1);
    bench.database.psql("REVOKE INSERT ON access_logs FROM alt");
    let said = replay(&bench, &["log"]).unwrap_err();
    assert!(
        said.starts_with("Some(1)") && said.contains("permission denied") && said.contains("run again"),
        "{said}"
    );
}

#[test]
fn overlapping_replays_at_once_whatever_isolation_is_the_default() {
    let mut bench = bench();
    let name = bench.database.name.clone();
    bench
        .database
        .psql(&format!("ALTER DATABASE {name} SET default_transaction_isolation = 'repeatable read'"));
    let text = many(3000);
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    write(&mut bench, "a", &lines[..2000].concat(), 2000);
    write(&mut bench, "b", &lines[1000..].concat(), 1000);
    write(&mut bench, "c", &lines.iter().rev().copied().collect::<String>(), 0);
    let config = fs::read_to_string(&bench.config).unwrap().replace("[load]", "[load]\nbatch_rows = 100");
    fs::write(&bench.config, config).unwrap();
    let account = replay(&bench, &["a", "b", "c", "--jobs", "3"]).unwrap();
    assert_eq!(counts(&account), (7000, 3000, 4000), "{account}");
    bench.check();
}

#[test]
fn a_database_that_is_not_there_ends_the_replay_at_once() {
    let mut bench = bench();
    write(&mut bench, "log", &alt1(), 1);
    fs::write(&bench.config, "[postgres]\nurl = \"postgres:///alt?host=/nowhere&user=alt\"\n").unwrap();
    let said = replay(&bench, &["log"]).unwrap_err();
    assert!(said.starts_with("Some(1)") && said.contains("nothing listens there"), "{said}");
}

#[test]
fn a_copy_that_runs_ahead_of_the_daemon() {
    let mut bench = bench();
    bench.append("beacon.log", 10);
    bench.start();
    bench.settle();
    bench.stop();
    bench.append("beacon.log", 100);
    // Another beginning, so that no checkpoint ties the two together.
    let log = fs::read_to_string(bench.path("beacon.log")).unwrap();
    let from: String = log.split_inclusive('\n').skip(5).collect();
    write(&mut bench, "copy", &from, 0);
    assert_eq!(counts(&replay(&bench, &["copy"]).unwrap()), (105, 100, 5));
    bench.start();
    bench.append("beacon.log", 5);
    bench.settle();
    let known = bench.database.psql("SELECT already_loaded FROM checkpoints WHERE already_loaded > 5");
    assert_eq!(known, "100", "{}", bench.state());
}

/// Rows of these ids, or all.
fn delete(bench: &Bench, which: &str) -> usize {
    let gone = bench.database.psql(&format!(
        "WITH gone AS (DELETE FROM access_logs WHERE {which} RETURNING 1) SELECT count(*) FROM gone"
    ));
    gone.parse().unwrap()
}

#[test]
fn deleted_rows_come_back_with_again_and_only_then() {
    let mut bench = bench();
    let path = write(&mut bench, "a.log", &(0..900).map(|n| alt1_aged(n * 60)).collect::<String>(), 900);
    write(&mut bench, "b.log", &many(300), 300);
    pack("gzip", &bench.path("b.log"));
    let paths = ["a.log", "b.log.gz"];
    replay(&bench, &paths).unwrap();
    let ledger =
        "SELECT file_id, loaded_bytes, tail, lines, rows, already_loaded FROM checkpoints ORDER BY 1";
    let before = bench.database.psql(ledger);
    let gone = delete(&bench, "file_offset % 3 = 0");
    assert!(gone > 100);
    assert_eq!(counts(&replay(&bench, &paths).unwrap()), (0, 0, 0), "its checkpoints know no better");
    let account = replay(&bench, &[&paths[..], &["--again", "--jobs", "2"]].concat()).unwrap();
    assert_eq!(counts(&account), (1200, gone as u64, 1200 - gone as u64), "{account}");
    bench.check();
    assert_eq!(bench.database.psql(ledger), before);
    // They point at their lines, in the files that they were in.
    assert_eq!(bench.database.psql("SELECT count(DISTINCT file_id) FROM access_logs"), "2");
    // What was written since is loaded too, as ever.
    let more = many(10);
    let mut file = fs::OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(more.as_bytes()).unwrap();
    bench.written += 10;
    let account = replay(&bench, &["a.log", "--again"]).unwrap();
    assert_eq!(counts(&account), (910, 10, 900), "{account}");
    bench.check();
    // Of a file that nobody knows, all is loaded.
    write(&mut bench, "c.log", &many(5), 5);
    assert_eq!(counts(&replay(&bench, &["c.log", "--again"]).unwrap()), (5, 5, 0));
    bench.check();
}

#[test]
fn a_filtered_replay_moves_no_checkpoint_and_what_it_left_out_is_loaded_later() {
    let mut bench = bench();
    bench.database.psql("INSERT INTO applications (app_key, name) VALUES ('blog', 'Blog')");
    let old: String = (0..100).map(|n| alt1_aged(86_400 + n)).collect();
    let blog = many(50).replace("a=shop", "a=blog");
    let text = format!("{old}{blog}garbage\n{}", many(150));
    write(&mut bench, "a.log", &text, 300);
    let filtered = |account: &Value| account["filtered"].as_u64().unwrap();

    let account = replay(&bench, &["a.log", "--only-app", "Blog"]).unwrap();
    assert_eq!((counts(&account), filtered(&account)), ((301, 50, 0), 251), "{account}");
    let account = replay(&bench, &["a.log", "--until", "20h"]).unwrap();
    assert_eq!((counts(&account), filtered(&account)), ((301, 100, 0), 200), "{account}");
    assert_eq!(account["rejects"]["shape"], 1, "of a line without a time none is wrong");
    let account = replay(&bench, &["a.log", "--since", "20h", "--match", "a=shop"]).unwrap();
    assert_eq!((counts(&account), filtered(&account)), ((301, 150, 0), 151), "{account}");
    bench.check();
    assert_eq!(bench.database.psql("SELECT count(*) FROM checkpoints"), "0");
    let account = replay(&bench, &["a.log"]).unwrap();
    assert_eq!(counts(&account), (301, 0, 300), "{account}");
    assert_eq!(bench.database.psql("SELECT reason, lines FROM rejected_lines"), "shape|1");
    assert_eq!(
        bench.database.psql("SELECT lines, rows, rejects, already_loaded FROM checkpoints"),
        "301|0|1|300"
    );
    // And the other way round, of a file that is loaded.
    assert_eq!(delete(&bench, "app_id = (SELECT id FROM applications WHERE name = 'Blog')"), 50);
    let account = replay(&bench, &["a.log", "--only-app", "blog"]).unwrap();
    assert_eq!((counts(&account), filtered(&account)), ((301, 50, 0), 251), "{account}");
    assert_eq!(account["rejects"], serde_json::json!({}), "the reject is one of those that were left out");
    assert_eq!(bench.rows(), 300);
}

#[test]
fn lines_that_a_filtered_replay_took_from_ahead_of_the_daemon_are_not_loaded_twice() {
    let mut bench = bench();
    bench.append("beacon.log", 100);
    bench.start();
    bench.settle();
    let daemon = bench.daemon.as_ref().unwrap();
    daemon.signal(Signal::SIGSTOP);
    bench.append("beacon.log", 200);
    let account = replay(&bench, &["beacon.log", "--match", "alt1"]).unwrap();
    assert_eq!(counts(&account), (300, 200, 100), "{account}");
    bench.daemon.as_ref().unwrap().signal(Signal::SIGCONT);
    bench.append("beacon.log", 50);
    bench.settle();
    assert_eq!(
        bench.database.psql("SELECT sum(lines), sum(rows), sum(already_loaded) FROM checkpoints"),
        "350|150|200"
    );
}

#[test]
fn a_dry_run_counts_exactly_and_writes_nothing() {
    let mut bench = bench();
    let text = many(400);
    let path = write(&mut bench, "logs/a.log", &text, 400);
    fs::write(bench.path("logs/copy.log"), format!("{}{}", many(7), text)).unwrap();
    bench.written += 7;
    let half: usize = text.split_inclusive('\n').take(200).map(str::len).sum();
    fs::write(bench.path("logs/half.log"), &text[..half + 50]).unwrap();
    // Nobody writes to them any more.
    for name in ["a.log", "copy.log", "half.log"] {
        let touched =
            Command::new("touch").args(["-d", "1 hour ago"]).arg(bench.path("logs").join(name)).status();
        assert!(touched.unwrap().success());
    }
    let tables = "SELECT (SELECT count(*) FROM access_logs), (SELECT count(*) FROM log_files), \
        (SELECT count(*) FROM checkpoints), (SELECT count(*) FROM visitor_salts), \
        (SELECT count(*) FROM user_agents), (SELECT count(*) FROM rejected_lines), \
        (SELECT count(*) FROM loaded_by_ids), (SELECT last_value FROM log_files_id_seq)";
    let check = |bench: &Bench, args: &[&str]| {
        let before = bench.database.psql(tables);
        let dry = replay(bench, &[args, &["--dry-run"]].concat()).unwrap();
        assert_eq!(bench.database.psql(tables), before);
        assert_eq!(dry["dry_run"], true);
        let real = replay(bench, args).unwrap();
        assert_eq!(
            (counts(&dry), &dry["rejects"], &dry["non_hits"], &dry["filtered"]),
            (counts(&real), &real["rejects"], &real["non_hits"], &real["filtered"])
        );
        real
    };
    check(&bench, &["logs/half.log", "--match", "p/1"]);
    let real = check(&bench, &["logs"]);
    assert_eq!(real["rejects"]["shape"], 1, "half a line: {real}");
    bench.database.psql("DELETE FROM rejected_lines");
    bench.check();
    delete(&bench, "file_offset % 2 = 0");
    let real = check(&bench, &["logs", "--again", "--since", "1d"]);
    assert!(counts(&real).1 > 0);
    check(&bench, &["logs", "--again"]);
    fs::OpenOptions::new().append(true).open(path).unwrap().write_all(many(3).as_bytes()).unwrap();
    bench.written += 3;
    check(&bench, &["logs/a.log"]);
    bench.check();
}

#[test]
fn what_is_asked_of_lines_must_make_sense() {
    let mut bench = bench();
    write(&mut bench, "a.log", &many(1), 1);
    for (args, said) in [
        (&["--since", "soon"][..], "--since: soon is no time: write 2026-01-31"),
        (&["--since", "1d", "--until", "2d"], "--since is not before --until"),
        (&["--match", "("], "--match ("),
        (&["--only-app", "nobody"], "nobody"),
    ] {
        let error = replay(&bench, &[&["a.log"], args].concat()).unwrap_err();
        assert!(error.contains(said), "{error}");
    }
    assert_eq!(bench.rows(), 0);
}

#[test]
fn a_dry_run_that_loses_the_database_says_so_and_counts_nothing_twice() {
    let mut bench = bench();
    write(&mut bench, "log", &many(200_000), 200_000);
    pack("gzip", &bench.path("log"));
    let mut child = command(&bench, &["--dry-run", "log.gz"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Between two batches, when nobody waits for an answer.
    let cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() \
               AND application_name LIKE 'alt replay%' AND state = 'idle' AND query = 'ROLLBACK'";
    wait_for(60, || bench.database.psql(cut) == "1", || bench.state());
    let running = child.try_wait().unwrap().is_none();
    let output = child.wait_with_output().unwrap();
    assert!(running && !output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("count what would be loaded; run again: "), "{said}");
}

#[test]
fn lines_without_ids_are_not_read_again_as_other_events() {
    let mut bench = bench();
    bench.database.psql("INSERT INTO applications (app_key, name) VALUES ('blog', 'Blog')");
    let line = |n| {
        format!("203.0.113.7 - - [05/Mar/2024:12:00:{n:02} +0000] \"GET / HTTP/1.1\" 200 5 \"-\" \"M\"\n")
    };
    let text: String = (0..10).map(line).collect();
    write(&mut bench, "site.log", &text, 10);
    let load = |args: &[&str]| replay(&bench, &[&["--format", "combined", "site.log"], args].concat());
    load(&["--app", "shop", "--label", "site"]).unwrap();
    for wrong in [
        &["--app", "shop", "--again"][..],
        &["--app", "blog", "--label", "site", "--again"],
        &["--app", "blog", "--label", "site", "--since", "2024-03-05"],
        &["--app", "shop", "--label", "other", "--match", "GET", "--dry-run"],
    ] {
        let error = load(wrong).unwrap_err();
        assert!(error.contains("1 of 1 files could not be read"), "{error}");
    }
    let said =
        command(&bench, &["--format", "combined", "--app", "shop", "--again", "site.log"]).output().unwrap();
    let said = String::from_utf8(said.stdout).unwrap();
    assert!(said.contains("it was loaded with --app shop and --label site, and read otherwise"), "{said}");
    assert_eq!(counts(&load(&["--app", "shop", "--label", "site", "--again"]).unwrap()), (10, 0, 10));
    // A site more makes no other event of what was loaded.
    let more = ["--app", "shop", "--label", "site", "--site", "blog.example=blog", "--again"];
    assert_eq!(counts(&load(&more).unwrap()), (10, 0, 10));
    bench.check();
}

#[test]
fn a_file_that_was_loaded_with_other_options_is_named() {
    let mut bench = bench();
    let line = |n: usize| {
        format!("192.0.2.1 - - [10/Oct/2023:13:55:{n:02} +0000] \"GET /{n} HTTP/1.1\" 200 5 \"-\" \"M\"\n")
    };
    write(&mut bench, "access.log", &(0..9).map(line).collect::<String>(), 9);
    write(&mut bench, "beacon.log", &many(3), 3);
    let said = |args: &[&str]| {
        let output = command(&bench, args).stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let right = ["access.log", "--format", "combined", "--app", "shop", "--label", "web"];
    // Who names a wrong format is told so, and again when the file counts as loaded.
    let wrong = said(&["access.log", "beacon.log", "--format", "alt1"]);
    assert!(wrong.contains("\nMost lines are not of the format alt1."), "{wrong}");
    let known = said(&right);
    assert!(
        known.contains("0 loaded, 1 loaded before\n") && known.contains("with another --format"),
        "{known}"
    );
    let account = replay(&bench, &[&right[..], &["--again"]].concat()).unwrap();
    assert_eq!(counts(&account), (9, 9, 0), "{account}");
    bench.check();
    // Of lines with ids, a label changes nothing.
    let known = said(&["beacon.log", "--label", "other"]);
    assert!(known.contains("1 loaded before\n") && !known.contains("with another"), "{known}");
    let some = said(&["beacon.log", "--since", "1d ago"]);
    assert!(some.contains("files           1 read, none counts as loaded by that\n"), "{some}");
}

#[test]
fn who_may_not_read_a_file_is_said() {
    use std::os::unix::fs::PermissionsExt;
    let mut bench = bench();
    let open = |path: PathBuf, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    open(bench.directory.path().to_owned(), 0o755);
    open(write(&mut bench, "logs/beacon.log", &many(3), 3), 0);
    for (mode, expect) in [(0o755, "logs/beacon.log: Permission denied"), (0, "Permission denied")] {
        open(bench.path("logs"), mode);
        let mut command = alt_as_nobody(&bench.config);
        command
            .arg("replay")
            .arg("--config")
            .arg(&bench.config)
            .arg("logs")
            .current_dir(bench.directory.path());
        let output = command.stdin(Stdio::null()).output().unwrap();
        let said =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(expect) && said.contains("may not read it; "), "{said}");
    }
    open(bench.path("logs"), 0o755);
}
