//! `alt search`: every event once, the newest first, and then those that are loaded.

use std::fs::File;
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::bench::Bench;
use crate::support::daemon::{alt, wait_for};
use crate::support::lines::{alt1_aged, many};

fn search(bench: &Bench, args: &[&str]) -> (i32, String, String) {
    let output =
        alt().arg("search").args(args).arg("--config").arg(&bench.config).output().expect("alt can be run");
    let text = |bytes| String::from_utf8(bytes).expect("alt prints UTF-8");
    (output.status.code().expect("alt ends by itself"), text(output.stdout), text(output.stderr))
}

#[test]
fn each_event_is_found_once_by_what_it_has() {
    let mut bench = Bench::new();
    let text: String = (0..120).map(|n| alt1_aged(n / 4)).collect();
    bench.append_text("beacon.log", &text, 120);
    bench.settle();
    let sql = |sql: &str| bench.database.psql(sql);
    sql("UPDATE access_logs SET trace_id = 'f00d', status = 503 WHERE url_path LIKE '%7'");
    sql("UPDATE access_logs SET title = E'\\x1b]0;owned\\x07', user_id = 'jane' WHERE url_path LIKE '%8'");
    sql("UPDATE access_logs SET traffic_class = 'bot' WHERE url_path LIKE '%9'");

    // Through all of them by cursors.
    let (mut ids, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let mut args = vec!["--limit", "50", "--json", "-v"];
        args.extend(cursor.iter().flat_map(|cursor| ["--cursor", cursor]));
        let (code, out, err) = search(&bench, &args);
        assert_eq!(code, 0, "{err}");
        for line in out.lines() {
            let row: serde_json::Value = serde_json::from_str(line).expect("a line is an object");
            ids.push(format!(
                "{} {}",
                row["occurred_at"].as_str().unwrap(),
                row["event_id"].as_str().unwrap()
            ));
        }
        let Some((_, rest)) = err.split_once("cursor=") else { break };
        cursor = Some(rest.split_whitespace().next().unwrap().to_owned());
    }
    assert!(ids.is_sorted_by(|a, b| a > b), "{ids:?}");
    assert_eq!(ids.len(), 120);

    let count = |condition: &str| sql(&format!("SELECT count(*) FROM access_logs WHERE {condition}"));
    let found = |args: &[&str]| {
        let (code, out, err) = search(&bench, &[&["--limit", "1000"], args].concat());
        assert_eq!(code, 0, "{out}{err}");
        out.lines().count().to_string()
    };
    assert_eq!(found(&["--trace", "f00d"]), count("url_path LIKE '%7'"));
    assert_eq!(found(&["--status", "5xx"]), count("status = 503"));
    assert_eq!(
        found(&["--status", "204", "--class", "human"]),
        count("status = 204 AND traffic_class = 'human'")
    );
    assert_eq!(found(&["--user", "jane", "--type", "pageview"]), count("user_id = 'jane'"));
    assert_eq!(found(&["/P/", "--from", "1d"]), "120");
    let (_, out, _) = search(&bench, &["--user", "jane", "--limit", "1"]);
    assert!(out.contains("title=\\x1b]0;owned\\x07  "), "{out}");
    assert!(out.contains("\nthere are more: --cursor "), "{out}");

    let (code, out, _) = search(&bench, &["--type", "click"]);
    assert_eq!((code, out.as_str()), (3, "no such event\n"));
    for (args, why) in [
        (["--status", "abc"], "--status is a number"),
        (["--cursor", "x"], "--cursor is what a search printed"),
        (["--from", "soon"], "--from: soon is no time"),
        (["--app", "nobody"], "nobody"),
        (["--limit", "0"], "--limit"),
    ] {
        let (code, _, err) = search(&bench, &args);
        assert!(code != 0 && err.contains(why), "{args:?}: {err}");
    }
}

#[test]
fn a_search_is_recorded_before_it_is_answered_or_refused() {
    let mut bench = Bench::new();
    bench.append("beacon.log", 3);
    bench.settle();
    assert_eq!(search(&bench, &["--user", "jane", "--follow=false"]).0, 2, "no such option");
    assert_eq!(search(&bench, &["--user", "jane", "--from", "7d"]).0, 3);
    assert_eq!(search(&bench, &["/p/"]).0, 0);
    let recorded = "SELECT string_agg(concat_ws('|', actor_kind, action, object, after), E'\n' ORDER BY id) FROM audit_log";
    let (app, name) = (
        bench.database.psql("SELECT app_key FROM applications"),
        bench.database.psql("SELECT name FROM applications"),
    );
    let object = format!("command|read|application {app} ({name})");
    let expected = format!(
        "{object}|{{\"from\": \"7d\", \"user\": \"jane\", \"command\": \"alt search\"}}\n\
         {object}|{{\"text\": \"/p/\", \"command\": \"alt search\"}}"
    );
    assert_eq!(bench.database.psql(recorded), expected);
    bench.database.psql("REVOKE INSERT ON audit_log FROM alt");
    let (code, out, err) = search(&bench, &["/p/"]);
    assert!(
        code != 0 && out.is_empty() && err.contains("the right INSERT on audit_log"),
        "{code}: {out}{err}"
    );
    assert_eq!(bench.database.psql(recorded), expected);
}

#[test]
fn events_are_shown_as_they_are_loaded() {
    let mut bench = Bench::new();
    bench.append("beacon.log", 30);
    bench.settle();
    let shown = bench.path("shown.json");
    let mut child = alt()
        .args(["search", "--follow", "--limit", "10", "--json", "/p/", "--config"])
        .arg(&bench.config)
        .stdout(Stdio::from(File::create(&shown).unwrap()))
        .spawn()
        .unwrap();
    let lines = || std::fs::read_to_string(&shown).unwrap().lines().count();
    wait_for(20, || lines() == 10, || format!("{} lines at first", lines()));
    // Some are of half a minute ago.
    let text = many(7) + &[30, 20, 10].map(alt1_aged).concat();
    bench.append_text("beacon.log", &text, 10);
    wait_for(20, || lines() >= 20, || format!("{} lines", lines()));
    bench.append("beacon.log", 1);
    wait_for(20, || lines() >= 21, || format!("{} lines", lines()));
    assert_eq!(lines(), 21);
    // It goes on after the database was away.
    let gone = bench.database.psql(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
         WHERE datname = current_database() AND application_name = 'alt'",
    );
    assert_eq!(gone, "1");
    bench.append("beacon.log", 1);
    wait_for(20, || lines() >= 22, || format!("{} lines", lines()));
    assert_eq!(lines(), 22);
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGINT).unwrap();
    assert!(child.wait().unwrap().success());
}
