//! Rejects that are looked at again: each leaves the quarantine with what became of it, and every line stays
//! accounted for once.

use std::fs;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::replay::{bench, counts, pack, replay, write};
use crate::support::bench::Bench;
use crate::support::daemon::{alt, wait_for};
use crate::support::lines::many;

fn command(bench: &Bench, args: &[&str]) -> Command {
    let mut command = alt();
    command.args(args).arg("--config").arg(&bench.config).current_dir(bench.directory.path());
    command.stdin(Stdio::null());
    command
}

/// Runs `alt rejects retry --json`; its account, and whether it looked at all of them.
fn retry(bench: &Bench, args: &[&str]) -> (Value, bool) {
    let output = command(bench, &[&["rejects", "retry", "--json"], args].concat()).output().unwrap();
    let account = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    (account, output.status.success())
}

/// Rejects, rows, already loaded and left of an account.
fn told(account: &Value) -> [u64; 4] {
    ["rejects", "rows", "already_loaded", "left"].map(|name| account[name].as_u64().unwrap())
}

/// Hits of an application that is not registered.
fn late(count: usize) -> String {
    many(count).replace("a=shop", "a=late")
}

fn register_late(bench: &Bench) {
    bench.database.psql("INSERT INTO applications (app_key, name) VALUES ('late', 'Late')");
}

/// The ledger adds up, to so many lines, rows and rejects; every row is at its line, and there is one of each.
fn check(bench: &Bench, expect: &str, texts: &[&str]) {
    let sums = "SELECT sum(lines), sum(rows), sum(rejects), sum(already_loaded) FROM checkpoints";
    assert_eq!(bench.database.psql(sums), expect, "{}", bench.state());
    let unbalanced = "SELECT c.file_id FROM checkpoints c WHERE lines <> rows + non_hits + rejects + already_loaded \
        + unloaded OR rejects <> (SELECT coalesce(sum(r.lines), 0) FROM rejected_lines r WHERE r.file_id = c.file_id)";
    assert_eq!(bench.database.psql(unbalanced), "", "{}", bench.state());
    let twice = "SELECT event_id FROM access_logs GROUP BY 1 HAVING count(*) > 1";
    assert_eq!(bench.database.psql(twice), "");
    let rows = "SELECT replace(event_id::text, '-', ''), file_offset FROM access_logs";
    for row in bench.database.psql(rows).lines() {
        let (id, offset) = row.split_once('|').unwrap();
        let at: usize = offset.parse().unwrap();
        let is_there = |text: &&str| text.get(at..).is_some_and(|t| t.split('\t').nth(2) == Some(id));
        assert!(texts.iter().any(is_there), "{row}");
    }
}

#[test]
fn registering_an_application_loads_the_hits_that_came_before_it() {
    let mut bench = bench();
    let text = format!("{}{}garbage\n{}{}", many(30), late(40), late(50), many(20));
    bench.append_text("beacon.log", &text, 140);
    bench.start();
    wait_for(30, || bench.rows() >= 50, || bench.state());
    wait_for(30, || bench.database.psql("SELECT sum(rejects) FROM checkpoints") == "91", || bench.state());
    let add = ["app", "add", "Late", "--key", "late"];
    let output = command(&bench, &add).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && said.contains("rows            90"), "{said}");
    check(&bench, "141|140|1|0", &[&text]);
    assert_eq!(
        bench.database.psql("SELECT reason, lines, raw FROM rejected_lines"),
        "shape|1|\\x67617262616765"
    );
    // The daemon goes on where it was.
    bench.append_text("beacon.log", &late(10), 10);
    wait_for(30, || bench.rows() == 150, || bench.state());
    let again = command(&bench, &add).output().unwrap();
    assert!(String::from_utf8_lossy(&again.stderr).contains("is there already"));
    for (key, said) in [("", "a key is 1 to 64"), ("a b", "a key is"), ("shop", "has the key shop already")] {
        let output = command(&bench, &["app", "add", "New", "--key", key]).output().unwrap();
        assert!(String::from_utf8_lossy(&output.stderr).contains(said), "{key}");
    }
}

#[test]
fn without_the_file_what_the_quarantine_has_whole_is_loaded_and_the_rest_with_the_file() {
    let mut bench = bench();
    let alternating: String = (0..20).map(|_| many(1) + &late(1)).collect();
    let text = format!("{alternating}{}", late(30));
    let path = write(&mut bench, "a.log", &text, 70);
    replay(&bench, &["a.log"]).unwrap();
    fs::rename(&path, bench.path("moved.log")).unwrap();
    register_late(&bench);
    let (account, all) = retry(&bench, &[]);
    assert_eq!((told(&account), all), ([50, 19, 0, 31], false), "{account}");
    let because = account["left_because"].to_string();
    assert!(because.contains("a.log") && because.contains("alt rejects retry FILE"), "{because}");
    check(&bench, "70|39|31|0", &[&text]);
    pack("gzip", &bench.path("moved.log"));
    let (account, all) = retry(&bench, &["--reason", "unknown_app", "moved.log.gz"]);
    assert_eq!((told(&account), all), ([31, 31, 0, 0], true), "{account}");
    check(&bench, "70|70|0|0", &[&text]);
    assert_eq!(told(&retry(&bench, &[]).0), [0, 0, 0, 0]);
}

#[test]
fn only_what_is_asked_for_is_looked_at() {
    let mut bench = bench();
    let other = many(5).replace("a=shop", "a=other");
    let text = format!("{}{}{}x\n{}", late(3), other, late(4), many(1));
    write(&mut bench, "a.log", &text, 8);
    write(&mut bench, "b.log", &late(2), 2);
    replay(&bench, &["a.log", "b.log"]).unwrap();
    register_late(&bench);
    assert_eq!(told(&retry(&bench, &["--reason", "shape"]).0), [1, 0, 0, 0]);
    assert_eq!(told(&retry(&bench, &["--detail", "other"]).0), [5, 0, 0, 0]);
    assert_eq!(told(&retry(&bench, &["--file", "b.log"]).0), [2, 2, 0, 0]);
    assert_eq!(told(&retry(&bench, &["--since", "2099-01-01"]).0), [0, 0, 0, 0]);
    let (account, _) = retry(&bench, &["--since", "1h"]);
    assert_eq!(told(&account), [13, 7, 0, 0], "{account}");
    assert_eq!(account["still_rejects"].to_string(), r#"{"shape":1,"unknown_app":5}"#);
    let spans = "SELECT reason, lines, detail FROM rejected_lines ORDER BY file_id, file_offset";
    assert_eq!(bench.database.psql(spans), "unknown_app|5|other\nshape|1|");
    let wrong = command(&bench, &["rejects", "retry", "--reason", "bad"]).output().unwrap();
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("the reasons are empty, torn"));
}

#[test]
fn a_long_span_is_taken_up_in_several_batches_by_several_at_once() {
    let mut bench = bench();
    let text = late(3000);
    write(&mut bench, "a.log", &text, 3000);
    replay(&bench, &["a.log"]).unwrap();
    assert_eq!(bench.database.psql("SELECT count(*), sum(lines) FROM rejected_lines"), "1|3000");
    register_late(&bench);
    let config = fs::read_to_string(&bench.config).unwrap();
    fs::write(&bench.config, config.replace("[load]\n", "[load]\nbatch_rows = 100\n")).unwrap();
    let several: Vec<_> = (0..3)
        .map(|_| command(&bench, &["rejects", "retry"]).stdout(Stdio::null()).spawn().unwrap())
        .collect();
    for mut one in several {
        assert!(one.wait().unwrap().success());
    }
    check(&bench, "3000|3000|0|0", &[&text]);
}

#[test]
fn again_looks_at_rejects_too_and_a_filter_leaves_them_what_they_were() {
    let mut bench = bench();
    let other = many(5).replace("a=shop", "a=other");
    let text = format!("{}{}x\n{}{}", many(10), late(20), other, late(1));
    write(&mut bench, "a.log", &text, 31);
    replay(&bench, &["a.log"]).unwrap();
    bench.database.psql("DELETE FROM access_logs WHERE file_offset = 0");
    register_late(&bench);
    let account = replay(&bench, &["a.log", "--only-app", "late"]).unwrap();
    assert_eq!(counts(&account), (37, 21, 0), "{account}");
    check(&bench, "37|31|6|0", &[&text]);
    assert_eq!(bench.rows(), 30);
    let account = replay(&bench, &["a.log", "--again"]).unwrap();
    assert_eq!(counts(&account), (37, 1, 30), "{account}");
    check(&bench, "37|31|6|0", &[&text]);
    let spans = "SELECT reason, lines, detail FROM rejected_lines ORDER BY file_offset";
    assert_eq!(bench.database.psql(spans), "shape|1|\nunknown_app|5|other");
}

#[test]
fn a_copy_whose_rejects_are_rows_by_now_adds_none() {
    let mut bench = bench();
    let (one, two) = (late(30), late(20));
    write(&mut bench, "a.log", &one, 30);
    write(&mut bench, "merged.log", &format!("{two}{one}"), 20);
    replay(&bench, &["a.log", "merged.log"]).unwrap();
    register_late(&bench);
    let (account, all) = retry(&bench, &[]);
    assert_eq!((told(&account), all), ([80, 50, 30, 0], true), "{account}");
    check(&bench, "80|50|0|30", &[&one, &format!("{two}{one}")]);
}

#[test]
fn lines_without_ids_get_the_ids_that_they_would_have_had() {
    let mut bench = bench();
    let line = |n: usize| {
        format!(
            "203.0.113.7 - - [05/Mar/2024:12:00:00 +0000] \"GET /{} HTTP/1.1\" 200 5 \"-\" \"M\"\n",
            n % 4
        )
    };
    let text: String = (0..40).map(line).collect();
    write(&mut bench, "site.log", &text, 40);
    let load = ["--format", "combined", "--app", "shop", "site.log"];
    let output = command(&bench, &["app", "disable", "shop"]).output().unwrap();
    assert!(output.status.success());
    assert!(replay(&bench, &load).unwrap_err().contains("is disabled"));
    // It was disabled while lines came: as a daemon meets them.
    bench.database.psql("UPDATE applications SET disabled_at = NULL");
    let half: String = (0..20).map(line).collect();
    fs::write(bench.path("site.log"), half).unwrap();
    replay(&bench, &load).unwrap();
    bench.database.psql("UPDATE applications SET app_key = 'gone' WHERE app_key = 'shop'");
    let mut config = fs::read_to_string(&bench.config).unwrap();
    config += &format!(
        "\n[[source]]\npaths = [\"{}\"]\nformat = \"combined\"\napp = \"shop\"\n",
        bench.path("live.log").display()
    );
    fs::write(&bench.config, config).unwrap();
    fs::write(bench.path("live.log"), &text).unwrap();
    bench.start();
    let rejects = "SELECT coalesce(sum(rejects), 0) FROM checkpoints";
    wait_for(30, || bench.database.psql(rejects) == "40", || bench.state());
    bench.database.psql("UPDATE applications SET app_key = 'shop' WHERE app_key = 'gone'");
    let (account, all) = retry(&bench, &[]);
    assert_eq!((told(&account), all), ([40, 20, 20, 0], true), "{account}");
    assert_eq!(bench.database.psql("SELECT count(*), count(DISTINCT event_id) FROM access_logs"), "40|40");
}

/// Lines of which nothing but the place is wrong: a row and a reject at the same time.
fn in_two_ledgers(bench: &Bench) -> String {
    bench.database.psql("SELECT count(*) FROM access_logs JOIN rejected_lines USING (event_id)")
}

#[test]
fn the_pieces_of_a_torn_line_are_rejects_each_for_itself() {
    let mut bench = bench();
    let half = many(1)[..60].to_owned();
    let text = format!("{}{half}{}{}", many(2), late(1), many(2));
    write(&mut bench, "plain.log", &text, 6);
    pack("gzip", &write(&mut bench, "packed.log", &text, 0));
    replay(&bench, &["plain.log"]).unwrap();
    check(&bench, "6|4|2|0", &[&text]);
    register_late(&bench);
    // Its other piece is a row by now, but nobody asked for that.
    assert_eq!(told(&retry(&bench, &["--reason", "torn"]).0), [1, 0, 0, 0]);
    assert_eq!(in_two_ledgers(&bench), "0");
    check(&bench, "6|4|2|0", &[&text]);
    fs::remove_file(bench.path("plain.log")).unwrap();
    assert_eq!(told(&retry(&bench, &["--reason", "torn", "packed.log.gz"]).0), [1, 0, 0, 0]);
    assert_eq!(in_two_ledgers(&bench), "0");
    let (account, all) = retry(&bench, &["packed.log.gz"]);
    assert_eq!((told(&account), all), ([2, 1, 0, 0], true), "{account}");
    assert_eq!(account["still_rejects"].to_string(), r#"{"torn":1}"#);
    check(&bench, "6|5|1|0", &[&text]);
}

#[test]
fn a_torn_line_is_known_as_a_whole_where_many_rejects_stand_before_it() {
    for again in [true, false] {
        let mut bench = bench();
        // As many as are asked for at once; the last one is the head of a torn line.
        let many_spans: String = (0..1999).map(|_| many(1) + &late(1)).collect();
        let text = format!("{many_spans}{}{}{}{}", many(1), &many(1)[..60], late(1), many(1));
        write(&mut bench, "a.log", &text, 4002);
        replay(&bench, &["a.log"]).unwrap();
        check(&bench, "4002|2001|2001|0", &[&text]);
        register_late(&bench);
        if again {
            replay(&bench, &["a.log", "--again"]).unwrap();
        } else {
            assert_eq!(told(&retry(&bench, &[]).0), [2001, 2000, 0, 0]);
        }
        assert_eq!(in_two_ledgers(&bench), "0");
        check(&bench, "4002|4001|1|0", &[&text]);
    }
}

#[test]
fn what_stays_a_reject_keeps_the_only_copy_of_its_bytes() {
    let mut bench = bench();
    let config = fs::read_to_string(&bench.config).unwrap();
    fs::write(&bench.config, config.replace("[load]\n", "[load]\nbatch_rows = 100\n")).unwrap();
    // More than one batch may keep, had it not to.
    let pad = format!("&q={}", "x".repeat(1500));
    let long = |count| late(count).replace("&sw=1920", &pad);
    let mut text: String = (0..300).map(|_| long(1) + &many(1)).collect();
    // As a daemon loads them: neighbours, each in a batch of its own.
    for _ in 0..4 {
        text += &late(1);
        write(&mut bench, "a.log", &text, 0);
        replay(&bench, &["a.log"]).unwrap();
    }
    fs::remove_file(bench.path("a.log")).unwrap();
    let whole = "SELECT count(raw), sum(lines) FROM rejected_lines";
    assert_eq!(bench.database.psql(whole), "304|304");
    let (account, all) = retry(&bench, &[]);
    assert_eq!((told(&account), all), ([304, 0, 0, 0], true), "{account}");
    assert_eq!(account["still_rejects"].to_string(), r#"{"unknown_app":304}"#);
    assert_eq!(bench.database.psql(whole), "304|304");
    // Nor where they are rejects for another reason from now on.
    bench.database.psql("UPDATE rejected_lines SET reason = 'shape', detail = NULL");
    assert_eq!(told(&retry(&bench, &[]).0), [304, 0, 0, 0]);
    assert_eq!(bench.database.psql(whole), "304|304");
    check(&bench, "604|300|304|0", &[&text]);
    register_late(&bench);
    let (account, all) = retry(&bench, &[]);
    assert_eq!((told(&account), all), ([304, 304, 0, 0], true), "{account}");
    check(&bench, "604|604|0|0", &[&text]);
}
