//! Statistics by day: what `alt run` computes is what plain SQL counts of the rows that are there, however rows come and go,
//! and wherever the daemon dies.

use std::fs;
use std::process::Command;

use alt_process::fault::Step;
use nix::sys::signal::Signal;

use crate::kill::full;
use crate::replay::{replay, write};
use crate::support::bench::Bench;
use crate::support::daemon::{Daemon, alt, wait_for, within_a_day};
use crate::support::lines::{KEY, alt1_aged, alt1_at, many};
use crate::support::postgres::Database;

const HOUR: u64 = 3600;

/// Days of which the statistics are not what their rows say, by plain SQL, and days that have rows and are not known.
const WRONG: &str = "SELECT app_id, day, traffic_class, n.events, s.events FROM (\
        SELECT d.app_id, d.day, l.traffic_class, \
               count(*) FILTER (WHERE l.event_type NOT IN ('request', 'engagement')) AS events \
        FROM stat_days d JOIN access_logs l ON l.app_id = d.app_id AND l.occurred_at >= d.from_at AND l.occurred_at < d.until_at \
        GROUP BY 1, 2, 3) n \
    FULL JOIN (SELECT * FROM stat_daily WHERE dimension = 'total') s USING (app_id, day, traffic_class) \
    WHERE coalesce(n.events, 0) <> coalesce(s.events, 0) \
    UNION ALL SELECT l.app_id, l.occurred_at::date, 'of no day', count(*), NULL FROM access_logs l \
    WHERE (SELECT count(*) FROM stat_days d WHERE d.app_id = l.app_id AND l.occurred_at >= d.from_at AND l.occurred_at < d.until_at) <> 1 \
    GROUP BY 1, 2";

/// A bench with statistics on.
fn with_stats(database: Database) -> Bench {
    let bench = Bench::not_started("[[source]]\npaths = [\"DIR/beacon.log\"]", database);
    switch(&bench, true);
    bench
}

/// Switches statistics on or off.
fn switch(bench: &Bench, on: bool) {
    let text = fs::read_to_string(&bench.config).unwrap();
    let text = text.split("\n[stats]").next().unwrap();
    fs::write(&bench.config, format!("{text}\n[stats]\nenabled = {on}\n")).unwrap();
}

/// Starts the daemon with waits so short.
fn start_with(bench: &Bench, prepare: impl FnOnce(&mut Command)) -> Daemon {
    Daemon::start_with(&bench.config, |command| {
        command.env("ALT_FAULT_WAIT", "1500");
        prepare(command);
    })
}

fn start(bench: &mut Bench) {
    bench.daemon = Some(start_with(bench, |_| {}));
}

/// What is not computed yet.
fn open(bench: &Bench) -> String {
    // A daemon that has not begun to follow knows of nothing.
    bench.database.psql(
        "SELECT (SELECT count(*) FROM stat_dirty), (SELECT count(*) FROM stat_backlog), \
         (SELECT count(*) FROM batches b, followers f WHERE f.name = 'statistics' AND NOT pg_visible_in_snapshot(b.xid, f.seen)), \
         (SELECT count(*) FROM followers WHERE name = 'statistics')",
    )
}

/// Waits until everything is computed; then all is as plain SQL has it.
fn settle(bench: &Bench) {
    wait_for(60, || open(bench) == "0|0|0|1", || format!("{}\n{}", open(bench), bench.state()));
    assert_eq!(bench.database.psql(WRONG), "", "{}", bench.state());
    let (code, said) = run(bench, &["stats", "verify"]);
    assert_eq!(code, 0, "{said}");
}

fn events(bench: &Bench) -> i64 {
    let sql = "SELECT coalesce(sum(events), 0) FROM stat_daily WHERE dimension = 'total'";
    bench.database.psql(sql).parse().unwrap()
}

/// How a command ends in the bench's directory, and what it says.
pub(crate) fn run(bench: &Bench, args: &[&str]) -> (i32, String) {
    let mut command = alt();
    let output = command
        .args(args)
        .arg("--config")
        .arg(&bench.config)
        .current_dir(bench.directory.path())
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(text).unwrap())
}

#[test]
fn statistics_are_what_the_rows_say_however_these_come_and_go() {
    let mut bench = with_stats(Database::create());
    bench.append("beacon.log", 20);
    start(&mut bench);
    bench.settle();
    settle(&bench);
    assert_eq!(events(&bench), 20);
    // More of today; late lines of yesterday and of a month ago.
    bench.append("beacon.log", 5);
    let late = [24 * HOUR, 26 * HOUR, 30 * 24 * HOUR].map(alt1_aged).concat();
    bench.append_text("beacon.log", &late, 3);
    bench.settle();
    settle(&bench);
    assert_eq!(events(&bench), 28);
    // A replay, twice: what is there already changes nothing.
    let text = many(7) + &alt1_aged(48 * HOUR);
    write(&mut bench, "old.log", &text, 8);
    for _ in 0..2 {
        replay(&bench, &["old.log"]).unwrap();
        settle(&bench);
        assert_eq!(events(&bench), 36);
    }
    let (code, said) = run(&bench, &["unload", "old.log"]);
    assert_eq!(code, 0, "{said}");
    bench.written -= 8;
    settle(&bench);
    assert_eq!(events(&bench), 28);
    // A month of which every row is gone has no statistics.
    let (code, said) = run(&bench, &["unload", "--app", KEY, "--until", "10d"]);
    assert_eq!(code, 0, "{said}");
    settle(&bench);
    assert_eq!(events(&bench), 27);
    assert_eq!(bench.database.psql("SELECT count(*) FROM stat_daily WHERE events = 0"), "0");
    bench.stop();
}

#[test]
fn statistics_that_are_off_follow_nothing_and_once_on_read_all_rows() {
    let mut bench = with_stats(Database::create());
    switch(&bench, false);
    let ages = [0, 0, HOUR, 30 * HOUR, 70 * 24 * HOUR];
    bench.append_text("beacon.log", &ages.map(alt1_aged).concat(), 5);
    start(&mut bench);
    bench.settle();
    bench.stop();
    let there = "SELECT (SELECT count(*) FROM followers), (SELECT count(*) FROM stat_days), (SELECT count(*) FROM stat_dirty)";
    assert_eq!(bench.database.psql(there), "0|0|0");

    // Killed within the backlog, it goes on where it was.
    switch(&bench, true);
    let mut daemon = start_with(&bench, |command| {
        command.env("ALT_FAULT_AT", "FoldMarked");
    });
    wait_for(30, || daemon.ended().is_some(), || bench.state());
    start(&mut bench);
    settle(&bench);
    assert_eq!(events(&bench), 5);
    bench.stop();

    // Off for a day, nobody holds the ledger up; what came meanwhile is found when it is on again.
    switch(&bench, false);
    bench.append_text("beacon.log", &[0, 31 * HOUR].map(alt1_aged).concat(), 2);
    bench.database.psql("UPDATE followers SET moved_at = now() - interval '25 hours'");
    start(&mut bench);
    bench.settle();
    wait_for(30, || bench.database.psql("SELECT count(*) FROM followers") == "0", || bench.state());
    bench.stop();
    assert_eq!(events(&bench), 5);
    switch(&bench, true);
    start(&mut bench);
    settle(&bench);
    assert_eq!(events(&bench), 7);
}

#[test]
fn wherever_the_daemon_dies_the_statistics_become_right() {
    for step in [Step::FoldMarked, Step::FoldBegun, Step::FoldRead, Step::FoldReplaced, Step::FoldCommitted] {
        let mut bench = with_stats(Database::create());
        bench.append("beacon.log", 5);
        bench.append_text("beacon.log", &[24 * HOUR, 50 * HOUR].map(alt1_aged).concat(), 2);
        let mut daemon = start_with(&bench, |command| {
            command.env("ALT_FAULT_AT", format!("{step:?}:2"));
        });
        // The second time that a step is reached, there are statistics of another day already.
        wait_for(30, || bench.rows() == 7, || bench.state());
        bench.append("beacon.log", 3);
        wait_for(60, || daemon.ended().is_some(), || format!("{step:?}: {}", bench.state()));
        assert!(daemon.log().contains(&format!("dies at {step:?}")), "{}", daemon.log());
        bench.append("beacon.log", 4);
        start(&mut bench);
        bench.settle();
        settle(&bench);
        assert_eq!(events(&bench), 14, "{step:?}");
    }
}

/// A row that is committed, and its day marked, while a day is computed: between the reading of the marks and that of the
/// rows, and behind that.
#[test]
fn rows_that_come_while_their_day_is_computed_are_counted() {
    for step in ["FoldBegun", "FoldRead"] {
        let mut bench = with_stats(Database::create());
        bench.append("beacon.log", 3);
        bench.daemon = Some(start_with(&bench, |command| {
            command.env("ALT_FAULT_STOP_AT", step);
        }));
        let stops = format!("stops at {step}");
        wait_for(30, || bench.daemon.as_ref().unwrap().log().contains(&stops), || bench.state());
        bench.database.psql(
            "BEGIN; INSERT INTO access_logs (occurred_at, event_id, file_offset, app_id, file_id, traffic_class, event_type) \
             SELECT min(occurred_at), gen_random_uuid(), 1000000, app_id, file_id, min(traffic_class), 'pageview' \
             FROM access_logs GROUP BY app_id, file_id; \
             INSERT INTO stat_dirty (app_id, day) SELECT DISTINCT app_id, day FROM stat_dirty; COMMIT",
        );
        bench.daemon.as_ref().unwrap().signal(Signal::SIGCONT);
        settle(&bench);
        assert_eq!(events(&bench), 4, "{step}");
    }
}

#[test]
fn of_two_daemons_one_computes_a_day() {
    let mut bench = with_stats(Database::create());
    let text = fs::read_to_string(&bench.config).unwrap();
    let other = bench.path("other.toml");
    let text = text.replace("beacon.log", "other.log").replace("[load]", "[load]\nhost = \"other\"");
    fs::write(&other, text).unwrap();
    start(&mut bench);
    let second = Daemon::start_with(&other, |command| {
        command.env("ALT_FAULT_WAIT", "1500");
    });
    settle(&bench);
    for round in 1..=3 {
        bench.append_text("beacon.log", &alt1_aged(24 * HOUR * round), 1);
        bench.append_text("other.log", &alt1_aged(24 * HOUR * (round + 10)), 1);
    }
    bench.settle();
    settle(&bench);
    assert_eq!(events(&bench), 6);
    let twice = "SELECT day, generation FROM stat_days WHERE generation > 1";
    assert_eq!(bench.database.psql(twice), "", "{}\n{}", bench.state(), second.log());
    assert!(second.stop().success());
    bench.stop();
}

/// Stopped for so long that the other has taken the work over, and has computed the day.
#[test]
fn a_daemon_that_is_stopped_over_a_day_replaces_nothing_later() {
    let mut bench = with_stats(Database::create());
    let other = bench.path("other.toml");
    let text = fs::read_to_string(&bench.config).unwrap();
    fs::write(&other, text.replace("beacon.log", "other.log").replace("[load]", "[load]\nhost = \"other\""))
        .unwrap();
    bench.append_text("beacon.log", &alt1_aged(24 * HOUR), 1);
    bench.daemon = Some(start_with(&bench, |command| {
        command.env("ALT_FAULT_STOP_AT", "FoldRead");
    }));
    let first = bench.config.with_extension("stderr");
    let stops = || fs::read_to_string(&first).unwrap().contains("stops at FoldRead");
    wait_for(30, stops, || bench.state());
    let second = Daemon::start_with(&other, |command| {
        command.env("ALT_FAULT_WAIT", "1500");
    });
    let replaced = "SELECT sum(generation) FROM stat_days";
    wait_for(30, || bench.database.psql(replaced) == "1", || second.log());
    bench.daemon.as_ref().unwrap().signal(Signal::SIGCONT);
    std::thread::sleep(std::time::Duration::from_secs(4));
    assert_eq!(bench.database.psql(replaced), "1", "{}\n{}", bench.state(), second.log());
    settle(&bench);
    assert!(second.stop().success());
    bench.stop();
}

#[test]
fn a_month_is_dropped_once_its_days_are_computed_and_frozen() {
    let mut bench = with_stats(Database::create());
    let text = fs::read_to_string(&bench.config).unwrap() + "[retention]\nrows = \"2 months\"\n";
    fs::write(&bench.config, &text).unwrap();
    fs::write(bench.path("off.toml"), text.replace("enabled = true", "enabled = false")).unwrap();
    let age = 120 * 24 * HOUR;
    write(&mut bench, "old.log", &alt1_aged(age), 1);
    let (code, said) = {
        let output = alt()
            .args(["replay", "old.log", "--config", "off.toml"])
            .current_dir(bench.directory.path())
            .output();
        let output = output.unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    assert_eq!(code, Some(0), "{said}");
    start(&mut bench);
    let stderr = bench.config.with_extension("stderr");
    let log = || fs::read_to_string(&stderr).unwrap();
    wait_for(60, || log().contains("dropped a partition"), log);
    let (waits, dropped) = (log().find("stay until"), log().find("dropped a partition"));
    assert!(waits.is_some() && waits < dropped, "{}", log());
    let frozen = "SELECT (SELECT count(*) FROM access_logs), (SELECT sum(events) FROM stat_daily WHERE dimension = 'total'), \
                  (SELECT count(*) FROM stat_days WHERE generation = 1 AND frozen_at IS NOT NULL)";
    assert_eq!(bench.database.psql(frozen), "0|1|1", "{}", log());

    // A line of that day comes late: a row, counted, and the statistics stay.
    write(&mut bench, "late.log", &alt1_aged(age), 1);
    replay(&bench, &["late.log"]).unwrap();
    let counted = "SELECT frozen_rows FROM stat_days WHERE frozen_at IS NOT NULL AND generation = 1";
    wait_for(30, || bench.database.psql(counted) == "1", || format!("{}\n{}", open(&bench), log()));
    assert_eq!(bench.database.psql(frozen), "1|1|1");
    // The daemon asks now and then, and the replay may have counted the row.
    let dirty = || bench.daemon.as_ref().unwrap().metric("alt_stats_dirty_days");
    wait_for(60, || dirty() == 0.0, log);
    bench.stop();
}

#[test]
fn statistics_are_deleted_at_their_age_and_stay_deleted() {
    let mut bench = with_stats(Database::create());
    let age = 40 * 24 * HOUR;
    let at = crate::support::lines::now() - u128::from(age) * 1000;
    write(&mut bench, "old.log", &(alt1_at(at) + &alt1_aged(24 * HOUR)), 2);
    replay(&bench, &["old.log"]).unwrap();
    assert_eq!(events(&bench), 2);
    let text = fs::read_to_string(&bench.config).unwrap() + "[retention]\nstatistics = \"30d\"\n";
    fs::write(&bench.config, text).unwrap();
    start(&mut bench);
    wait_for(30, || events(&bench) == 1, || bench.state());
    write(&mut bench, "late.log", &alt1_at(at), 1);
    replay(&bench, &["late.log"]).unwrap();
    let counted = "SELECT frozen_rows FROM stat_days WHERE expired";
    wait_for(30, || bench.database.psql(counted) == "1", || format!("{}\n{}", open(&bench), bench.state()));
    assert_eq!(events(&bench), 1);
    let noted = "SELECT count FROM retention_drops WHERE what = 'statistics'";
    assert_eq!(bench.database.psql(noted), "1");
    bench.stop();
}

/// Without a daemon: a replay computes what it loaded. A zone that is not known stops no other.
#[test]
fn days_are_those_of_the_place_however_long_they_are() {
    let mut bench = with_stats(Database::create());
    bench.database.psql(
        "INSERT INTO applications (app_key, name, time_zone) VALUES ('berlin', 'B', 'Europe/Berlin'), \
         ('howe', 'H', 'Australia/Lord_Howe'), ('mars', 'M', 'Mars/Olympus_Mons')",
    );
    let mut text = String::new();
    let mut lines = 0;
    for (app, from) in [
        ("berlin", "2025-03-29T20:00:00Z"),
        ("berlin", "2025-10-25T20:00:00Z"),
        ("howe", "2025-04-05T11:00:00Z"),
        ("howe", "2025-10-04T11:00:00Z"),
        ("mars", "2025-10-04T11:00:00Z"),
    ] {
        let from: jiff::Timestamp = from.parse().unwrap();
        for n in 0..112 {
            let at = from.as_millisecond() + n * 15 * 60_000;
            let line = alt1_at(u128::try_from(at).unwrap()).replace(&format!("a={KEY}"), &format!("a={app}"));
            text += &line;
            lines += 1;
        }
    }
    // The only row of a day that begins within an hour of UTC.
    let alone: jiff::Timestamp = "2025-07-01T13:45:00Z".parse().unwrap();
    let alone = alt1_at(u128::try_from(alone.as_millisecond()).unwrap());
    text += &alone.replace(&format!("a={KEY}"), "a=howe");
    lines += 1;
    write(&mut bench, "old.log", &text, lines);
    replay(&bench, &["old.log"]).unwrap();
    assert_eq!(open(&bench), "0|0|0|1");
    assert_eq!(bench.database.psql(WRONG), "");
    assert_eq!(events(&bench), i64::try_from(lines).unwrap());
    let lengths = "SELECT string_agg(DISTINCT app_key || ' ' || extract(epoch FROM until_at - from_at) / 3600, ', ') \
                   FROM stat_days JOIN applications a ON a.id = app_id WHERE extract(epoch FROM until_at - from_at) <> 86400 OR app_key = 'mars'";
    let lengths = bench.database.psql(lengths);
    for length in ["berlin 23.0", "berlin 25.0", "howe 23.5", "howe 24.5", "mars 24.0"] {
        assert!(lengths.contains(length), "{length} in {lengths}");
    }
    let whole = "SELECT max(events) FROM stat_daily JOIN applications a ON a.id = app_id WHERE app_key = 'berlin' AND dimension = 'total'";
    assert_eq!(bench.database.psql(whole), "100", "a quarter of an hour each, 25 hours");
}

#[test]
fn two_thousand_applications_with_a_row_each() {
    let mut bench = with_stats(Database::create());
    write(&mut bench, "first.log", &alt1_aged(0), 1);
    replay(&bench, &["first.log"]).unwrap();
    bench.database.psql(
        "INSERT INTO applications (app_key, name) SELECT 'app' || n, 'App ' || n FROM generate_series(2, 2000) n; \
         INSERT INTO access_logs (occurred_at, event_id, file_offset, app_id, file_id, traffic_class, event_type) \
         SELECT occurred_at, gen_random_uuid(), 1000000 + a.id, a.id, file_id, 'human', 'pageview' \
         FROM access_logs, applications a WHERE a.id <> app_id",
    );
    let began = std::time::Instant::now();
    let (code, said) = run(&bench, &["stats", "rebuild"]);
    println!("2,000 applications: {:?}", began.elapsed());
    assert_eq!(code, 0, "{said}");
    assert_eq!(events(&bench), 2000);
    assert_eq!(bench.database.psql(WRONG), "");
}

/// Crawlers that were loaded before they had their names get them, and so do the statistics of their days.
#[test]
fn an_upgrade_names_crawlers_and_computes_their_days_again() {
    let mut bench = with_stats(Database::create());
    let agent = "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)";
    let line = alt1_aged(0);
    let mut fields: Vec<&str> = line.trim_end_matches('\n').split('\t').collect();
    let browser = fields.iter().position(|field| field.starts_with("Mozilla/")).unwrap();
    let image = "Googlebot-Image/1.0";
    fields[browser] = agent;
    let one = fields.join("\t") + "\n";
    let id = format!("{:032x}", 77);
    (fields[browser], fields[2]) = (image, &id);
    let text = one + &fields.join("\t") + "\n" + &alt1_aged(30 * HOUR);
    write(&mut bench, "first.log", &text, 3);
    replay(&bench, &["first.log"]).unwrap();
    settle(&bench);
    let names = "SELECT string_agg(DISTINCT value, ',' ORDER BY value) FROM stat_daily WHERE dimension = 'browser' AND traffic_class <> 'human'";
    assert_eq!(bench.database.psql(names), "GPTBot,Googlebot-Image");
    bench.database.psql(
        "UPDATE user_agents SET browser = 'misc crawler' WHERE traffic_class <> 'human'; \
         UPDATE stat_daily SET value = 'misc crawler' WHERE dimension = 'browser' AND traffic_class = 'ai_bot'; \
         DROP TABLE daemons; DELETE FROM alt_migrations WHERE version >= 34",
    );
    let (code, said) = run(&bench, &["migrate"]);
    assert_eq!(code, 0, "{said}");
    let agents =
        "SELECT string_agg(browser, ',' ORDER BY browser) FROM user_agents WHERE traffic_class <> 'human'";
    assert_eq!(bench.database.psql(agents), "GPTBot,Googlebot-Image");
    assert_eq!(bench.database.psql("SELECT count(*) FROM stat_dirty"), "1", "days without programs stay");
    let (code, said) = run(&bench, &["stats", "rebuild", "--resume"]);
    assert_eq!(code, 0, "{said}");
    assert_eq!(bench.database.psql(names), "GPTBot,Googlebot-Image");
    let (code, said) = run(&bench, &["stats", "verify"]);
    assert_eq!(code, 0, "{said}");
}

/// A daemon has the work for a turn of some seconds: `alt stats rebuild` waits for its end.
#[test]
fn a_command_waits_for_the_turn_of_another_process() {
    let mut bench = with_stats(Database::create());
    write(&mut bench, "first.log", &alt1_aged(0), 1);
    replay(&bench, &["first.log"]).unwrap();
    let taken = |seconds: u32| {
        bench.database.psql(&format!(
            "INSERT INTO leases (name, holder, fence, expires_at) \
             VALUES ('statistics', 'another', 1000, clock_timestamp() + interval '{seconds} seconds') \
             ON CONFLICT (name) DO UPDATE SET holder = 'another', fence = 1000, expires_at = EXCLUDED.expires_at"
        ));
    };
    taken(2);
    let began = std::time::Instant::now();
    let (code, said) = run(&bench, &["stats", "rebuild"]);
    assert_eq!((code, said.contains("1 days computed")), (0, true), "{said}");
    assert!(began.elapsed() > std::time::Duration::from_secs(1), "{:?}", began.elapsed());
    // Not for ever, and what is not done is said.
    taken(10);
    let output = alt()
        .args(["stats", "rebuild", "--config"])
        .arg(&bench.config)
        .env("ALT_FAULT_WAIT", "500")
        .current_dir(bench.directory.path())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("another process computes them"), "{said}");
    // The end of a replay does not wait: the daemon does it.
    write(&mut bench, "second.log", &alt1_aged(HOUR), 1);
    let began = std::time::Instant::now();
    replay(&bench, &["second.log"]).unwrap();
    assert!(began.elapsed() < std::time::Duration::from_secs(30), "{:?}", began.elapsed());
}

/// The rows of a day are read from its partition alone.
#[test]
fn only_the_partitions_of_a_day_are_read() {
    let mut bench = with_stats(Database::create());
    let text = [0, 40, 80, 120].map(|days| alt1_aged(days * 24 * HOUR)).concat();
    write(&mut bench, "old.log", &text, 4);
    replay(&bench, &["old.log"]).unwrap();
    let at = 1_000 * i64::try_from(crate::support::lines::now()).unwrap() - 80 * 86_400_000_000;
    let statement = alt_store::stats::rows::statement(1, at, at + 3_600_000_000);
    let plan = bench.database.psql(&format!("EXPLAIN {statement}"));
    let date = jiff::Timestamp::from_microsecond(at).unwrap().to_zoned(jiff::tz::TimeZone::UTC).date();
    let own = format!("access_logs_y{:04}m{:02}", date.year(), date.month());
    assert!(plan.contains(&own), "{plan}");
    assert_eq!(plan.replace(&own, "").matches("access_logs_y").count(), 0, "{plan}");
}

#[test]
fn people_see_the_numbers_and_what_is_missing() {
    let mut bench = with_stats(Database::create());
    let (code, said) = run(&bench, &["stats"]);
    assert!(code == 0 && said.contains("nothing is computed yet"), "{said}");
    let text = [0, 24 * HOUR, 24 * HOUR].map(alt1_aged).concat();
    write(&mut bench, "old.log", &text, 3);
    replay(&bench, &["old.log"]).unwrap();
    let (code, said) = run(&bench, &["stats", "--period", "30d"]);
    assert!(
        code == 0 && said.contains("Shop, ") && said.contains("visitors") && said.contains('█'),
        "{said}"
    );
    let (_, said) = run(&bench, &["stats", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&json["total"]["events"], &json["days_being_computed"]), (&3.into(), &0.into()), "{said}");
    let (_, said) = run(&bench, &["stats", "--csv"]);
    assert!(said.starts_with("dimension,value,events,page_views,"), "{said}");
    assert_eq!(said.lines().filter(|line| line.starts_with("day,")).count(), 2, "{said}");
    // Rows that are deleted by hand, and a day that waits for too long.
    bench.database.psql("DELETE FROM access_logs WHERE occurred_at < now() - interval '23 hours'");
    let (code, said) = run(&bench, &["stats", "mark", "--app", KEY, "--from", "3d", "--until", "1h"]);
    assert_eq!(code, 0, "{said}");
    let (_, said) = run(&bench, &["stats"]);
    assert!(said.contains("being computed"), "{said}");
    assert!(run(&bench, &["status"]).1.contains("being computed"));
    bench.database.psql("UPDATE stat_dirty SET marked_at = now() - interval '11 minutes'");
    assert!(run(&bench, &["check"]).1.contains("the first for 11 minutes"));
    assert_eq!(run(&bench, &["stats", "rebuild", "--resume"]).0, 0);
    assert_eq!((events(&bench), open(&bench).as_str()), (1, "0|0|0|1"));
    assert_eq!(bench.database.psql(WRONG), "");
    let (code, said) = run(&bench, &["stats", "--period", "week"]);
    assert!(code == 1 && said.contains("week is no period"), "{said}");
    switch(&bench, false);
    let (code, said) = run(&bench, &["stats"]);
    assert!(code == 0 && said.contains("statistics are off"), "{said}");
    let (code, said) = run(&bench, &["stats", "rebuild"]);
    assert!(code == 1 && said.contains("enabled = true"), "{said}");
}

#[test]
fn a_demo_is_loaded_once_and_can_be_taken_out() {
    let bench = with_stats(Database::create());
    within_a_day();
    let demo = ["demo", "--days", "4", "--visitors", "150"];
    let (code, said) = run(&bench, &demo);
    assert!(code == 0 && said.contains("alt stats --app Demo --period 4d"), "{said}");
    assert_eq!(bench.database.psql("SELECT count(*) FROM rejected_lines"), "0", "{said}");
    let (code, said) = run(&bench, &["stats", "verify", "--app", "Demo"]);
    assert!(code == 0 && said.contains("0 were not compared"), "{said}");
    let (_, said) = run(&bench, &["stats", "--app", "Demo", "--period", "4d"]);
    for shown in
        ["Google", "ChatGPT", "Email", "spring-garden", "US", "DE", "order", "cart_add", "Firefox", "ai_bot"]
    {
        assert!(said.contains(shown), "{shown}: {said}");
    }
    // What nobody uses is not listed.
    assert!(!said.contains("utm_term"), "{said}");
    let (code, said) = run(&bench, &demo);
    assert!(code == 1 && said.contains("the demo is there already"), "{said}");
    assert_eq!(run(&bench, &["unload", "--app", "alt-demo"]).0, 0);
    assert_eq!(run(&bench, &["app", "disable", "alt-demo"]).0, 0);
    assert_eq!(bench.database.psql("SELECT count(*) FROM access_logs"), "0");
    let (code, said) = run(&bench, &demo);
    assert_eq!(code, 0, "{said}");
}

/// What `alt stats --json` says with these arguments.
fn asked(bench: &Bench, args: &[&str]) -> serde_json::Value {
    let (code, said) = run(bench, &[&["stats", "--json"], args].concat());
    assert_eq!(code, 0, "{said}");
    serde_json::from_str(&said).unwrap()
}

#[test]
fn segments_are_of_the_same_rows_as_the_statistics_and_answer_with_filters() {
    let bench = with_stats(Database::create());
    within_a_day();
    let (code, said) = run(&bench, &["demo", "--days", "4", "--visitors", "150"]);
    assert_eq!(code, 0, "{said}");
    // Four times 24 hours lie in five days.
    let demo = ["--app", "Demo", "--period", "5d"];
    let all = asked(&bench, &demo);
    let answer = |more: &[&str]| asked(&bench, &[&demo, more].concat());
    // Without a filter, every count of every value is that of the table.
    for dimension in ["page", "source", "channel", "country", "browser", "event", "entry_page", "screen"] {
        let answer = answer(&["--dimension", dimension, "--limit", "1000"]);
        for (name, count) in all["total"].as_object().unwrap() {
            assert_eq!(&answer["total"][name], count, "{dimension} {name}");
        }
        let by_value = |rows: &serde_json::Value, name: &str| {
            let rows = rows.as_array().unwrap().iter();
            rows.map(|row| (row["value"].to_string(), row[name].to_string()))
                .collect::<std::collections::BTreeMap<_, _>>()
        };
        let listed = &all["dimensions"][dimension];
        for name in ["events", "page_views", "visitors", "sessions", "bounces", "duration_ms", "engaged_ms"] {
            let (listed, answered) = (by_value(listed, name), by_value(&answer["rows"], name));
            assert!(!listed.is_empty());
            for (value, count) in listed {
                assert_eq!(answered.get(&value), Some(&count), "{dimension} {value} {name}");
            }
        }
    }
    // What plain SQL says of a filter of sessions and one of events.
    let shop = "SELECT count(*) FROM access_logs l JOIN applications a ON a.id = l.app_id WHERE app_key = 'alt-demo' \
                AND traffic_class = 'human' AND event_type = 'pageview' AND url_path = '/shop'";
    let answered = answer(&["--filter", "page is /shop"]);
    assert_eq!(answered["total"]["page_views"].to_string(), bench.database.psql(shop));
    let (one, other) = (answer(&["--filter", "country is DE"]), answer(&["--filter", "country is not DE"]));
    let visitors = |answer: &serde_json::Value| answer["total"]["visitors"].as_u64().unwrap();
    assert!(visitors(&one) > 0 && visitors(&other) > 0);
    assert_eq!(visitors(&one) + visitors(&other), all["total"]["visitors"].as_u64().unwrap());
    let (code, said) = run(&bench, &["stats", "--app", "Demo", "--filter", "planet is Mars"]);
    assert!(code == 1 && said.contains("dimensions are total"), "{said}");
    let (_, said) = run(&bench, &["stats", "--app", "Demo", "--dimension", "source", "--compare"]);
    assert!(said.contains("Google") && said.contains("visitors before"), "{said}");
    // Rows that go take their segments with them.
    assert_eq!(run(&bench, &["unload", "--app", "alt-demo"]).0, 0);
    assert_eq!(answer(&["--dimension", "page"])["total"]["events"], 0);
}

#[test]
fn the_segments_of_a_day_that_is_over_are_never_older_than_its_statistics() {
    let mut bench = with_stats(Database::create());
    write(&mut bench, "one.log", &many(5), 5);
    replay(&bench, &["one.log"]).unwrap();
    let newest = "SELECT segments_rows, segments_generation = generation FROM stat_days";
    assert_eq!(bench.database.psql(newest), "5|t");
    // A command writes those of today at once.
    write(&mut bench, "two.log", &many(3), 3);
    replay(&bench, &["two.log"]).unwrap();
    assert_eq!(bench.database.psql(newest), "8|t");
    // The daemon leaves them for ten minutes, and it is said of when they are.
    let behind = "UPDATE stat_days SET segments_generation = generation - 1, segments_rows = 5";
    bench.database.psql(behind);
    let (_, said) = run(&bench, &["stats", "--dimension", "page"]);
    assert!(said.contains("is as of"), "{said}");
    assert_eq!(events(&bench), 8);
    // Then it writes them, although no row came.
    bench.database.psql("UPDATE stat_days SET segments_at = segments_at - interval '11 minutes'");
    bench.start();
    wait_for(60, || bench.database.psql(newest) == "8|t", || bench.database.psql(newest));
    bench.stop();
    bench.database.psql(behind);
    // The day is over: they are written again, although no row came.
    bench.database.psql("UPDATE stat_days SET until_at = now()");
    assert_eq!(run(&bench, &["stats", "rebuild", "--resume"]).0, 0);
    assert_eq!(bench.database.psql(newest), "8|t");
}

#[test]
fn a_number_that_is_not_what_the_rows_say_is_found() {
    let mut bench = with_stats(Database::create());
    let text = many(7) + &[24 * HOUR, 25 * HOUR, 26 * HOUR].map(alt1_aged).concat();
    write(&mut bench, "old.log", &text, 10);
    replay(&bench, &["old.log"]).unwrap();
    let (code, said) = run(&bench, &["stats", "verify"]);
    assert!(code == 0 && said.contains(" 0 are different; 0 were not compared"), "{said}");
    for (wrong, shown) in [
        ("UPDATE stat_daily SET page_views = page_views + 1 WHERE dimension = 'total'", "page_views"),
        ("UPDATE stat_daily SET visitors = 0 WHERE dimension = 'browser'", "visitors"),
        ("DELETE FROM stat_daily WHERE dimension = 'page'", "events"),
        ("UPDATE stat_daily SET value_hash = value_hash + 1 WHERE dimension = 'channel'", "direct"),
        ("DELETE FROM access_logs WHERE event_id IN (SELECT event_id FROM access_logs LIMIT 1)", "events"),
    ] {
        bench.database.psql(wrong);
        let (code, said) = run(&bench, &["stats", "verify"]);
        assert!(code == 3 && said.contains("different") && said.contains(shown), "{wrong}: {said}");
        let (_, said) = run(&bench, &["stats", "verify", "--json", "--until", "2020-01-01"]);
        assert_eq!(said, "", "{wrong}");
        let (_, said) = run(&bench, &["stats", "verify", "--json", "--app", KEY]);
        assert!(said.lines().any(|day| day.contains("\"stored\":")), "{wrong}: {said}");
        assert_eq!(run(&bench, &["stats", "mark", "--app", KEY, "--from", "3d", "--until", "0h"]).0, 0);
        let (code, said) = run(&bench, &["stats", "rebuild", "--resume"]);
        assert_eq!(code, 0, "{said}");
        let (code, said) = run(&bench, &["stats", "verify"]);
        assert_eq!(code, 0, "{wrong}: {said}");
    }
    // Rows that nobody has marked a day for are no difference.
    switch(&bench, false);
    write(&mut bench, "more.log", &many(3), 3);
    replay(&bench, &["more.log"]).unwrap();
    let (code, said) = run(&bench, &["stats", "verify"]);
    assert!(code == 0 && said.contains("1 were not compared"), "{said}");
    switch(&bench, true);
    let (code, said) = run(&bench, &["stats", "rebuild", "--resume"]);
    assert_eq!(code, 0, "{said}");
    let (code, said) = run(&bench, &["stats", "verify"]);
    assert!(code == 0 && said.contains(" 0 were not compared"), "{said}");
    bench.database.psql("INSERT INTO stat_dirty (app_id, day) SELECT app_id, day FROM stat_days");
    let (code, said) = run(&bench, &["stats", "verify"]);
    assert!(code == 0 && said.contains("not compared: it is being computed"), "{said}");
    bench.database.psql("DELETE FROM stat_dirty; UPDATE stat_days SET frozen_at = now()");
    let (code, said) = run(&bench, &["stats", "verify"]);
    assert!(code == 0 && said.contains("not compared: rows of it may be gone"), "{said}");
}

/// The export of Plausible, as it comes: a ZIP archive of tables. A day of the site's own stays.
#[test]
fn days_of_another_product_are_imported_once_and_can_be_taken_out() {
    let mut bench = with_stats(Database::create());
    bench.database.psql("UPDATE applications SET time_zone = 'Europe/Berlin'");
    let own: jiff::Timestamp = "2024-03-31T12:00:00Z".parse().unwrap();
    write(&mut bench, "own.log", &alt1_at(u128::try_from(own.as_millisecond()).unwrap()), 1);
    replay(&bench, &["own.log"]).unwrap();
    let tables = [
        (
            "imported_visitors_20240329_20240401.csv",
            "date,visitors,pageviews,bounces,visits,visit_duration\n\
             2024-03-29,10,30,4,12,600\n2024-03-30,20,40,5,22,700\n2024-03-31,9,9,9,9,9\n2024-04-01,1,1,1,1,0\n",
        ),
        (
            "imported_sources_20240329_20240401.csv",
            "date,source,referrer,utm_source,utm_medium,utm_campaign,utm_content,utm_term,pageviews,visitors,visits,visit_duration,bounces\n\
             2024-03-29,Google,google.com,,,,,,30,10,12,600,4\n",
        ),
    ];
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, text) in tables {
        archive.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        std::io::Write::write_all(&mut archive, text.as_bytes()).unwrap();
    }
    fs::write(bench.path("export.zip"), archive.finish().unwrap().into_inner()).unwrap();
    let import = |args: &[&str]| run(&bench, &[&["stats", "import", "--app", KEY], args].concat());
    let imported = "SELECT string_agg(day || ' ' || events || ' ' || visitors, ', ' ORDER BY day) FROM stat_daily WHERE dimension = 'total'";

    let (code, said) = import(&["export.zip", "--dry-run"]);
    assert!(code == 0 && said.contains("4 days, 2024-03-29 to 2024-04-01, would be imported"), "{said}");
    assert_eq!(bench.database.psql(imported), "2024-03-31 1 1");
    for _ in 0..2 {
        let (code, said) = import(&["export.zip"]);
        assert!(code == 0 && said.contains("3 of 4 days, 2024-03-29 to 2024-04-01, are imported"), "{said}");
        assert!(said.contains("stay as they are: 2024-03-31"), "{said}");
        let all = "2024-03-29 30 10, 2024-03-30 40 20, 2024-03-31 1 1, 2024-04-01 1 1";
        assert_eq!(bench.database.psql(imported), all);
    }
    // Who works on a day is waited for.
    let class = "SELECT pid FROM pg_locks WHERE classid = 1634497539 AND granted AND database = \
                 (SELECT oid FROM pg_database WHERE datname = current_database())";
    std::thread::scope(|scope| {
        let hold = "SELECT pg_advisory_lock(1634497539, hashtext(id || ' 2024-03-29')), pg_sleep(2) FROM applications";
        scope.spawn(|| bench.database.psql(hold));
        wait_for(20, || !bench.database.psql(class).is_empty(), || "no lock".to_owned());
        let (code, said) = import(&["export.zip"]);
        assert!(code == 0 && said.contains("3 of 4 days"), "{said}");
    });
    // The day of 23 hours is one, and borders meet.
    let gaps = "SELECT count(*) FROM (SELECT until_at <> lead(from_at) OVER (ORDER BY day) AS gap FROM stat_days) d WHERE gap";
    assert_eq!(bench.database.psql(gaps), "0");
    let (code, said) = run(&bench, &["stats", "--period", "2024-03-29..2024-04-01", "--json"]);
    let shown: serde_json::Value = serde_json::from_str(&said).unwrap_or_else(|e| panic!("{e}: {said}"));
    assert_eq!(
        (code, &shown["total"]["visitors"], &shown["imported_days"]),
        (0, &32.into(), &3.into()),
        "{said}"
    );
    assert_eq!(shown["dimensions"]["channel"][0]["value"], "search", "{said}");
    let (_, said) = run(&bench, &["stats", "--period", "2024-03-29..2024-04-01", "--filter", "page is /"]);
    assert!(said.contains("3 days were imported as sums and are not counted"), "{said}");

    // A row that comes later is in no statistics, and said to be none. Computing everything again changes nothing.
    let late: jiff::Timestamp = "2024-03-30T12:00:00Z".parse().unwrap();
    write(&mut bench, "late.log", &alt1_at(u128::try_from(late.as_millisecond()).unwrap()), 1);
    replay(&bench, &["late.log"]).unwrap();
    let (code, said) = run(&bench, &["stats", "rebuild"]);
    assert_eq!(code, 0, "{said}");
    assert_eq!(bench.database.psql("SELECT frozen_rows FROM stat_days WHERE day = '2024-03-30'"), "1");
    assert_eq!(
        bench.database.psql("SELECT events FROM stat_daily WHERE day = '2024-03-30' AND dimension = 'total'"),
        "40"
    );
    let (code, said) = run(&bench, &["stats", "verify"]);
    assert!(code == 0 && said.contains("1 days are as plain SQL counts them"), "{said}");

    // Taken out, the days are those of the rows.
    let (code, said) = run(&bench, &["stats", "import", "--app", KEY, "--remove"]);
    assert!(code == 0 && said.contains("3 imported days are removed"), "{said}");
    let (code, said) = run(&bench, &["stats", "rebuild", "--resume"]);
    assert_eq!(code, 0, "{said}");
    assert_eq!(bench.database.psql(imported), "2024-03-30 1 1, 2024-03-31 1 1");

    // What happens on a day that goes on, or is to come, is counted by the daemon.
    let zone = jiff::tz::TimeZone::get("Europe/Berlin").unwrap();
    let now = jiff::Timestamp::now().to_zoned(zone).date();
    let days: String =
        (0..4).map(|n| format!("{},5,5\n", now.saturating_add(jiff::Span::new().days(n)))).collect();
    fs::write(bench.path("today.csv"), format!("date,visitors,pageviews\n2024-03-29,5,5\n{days}")).unwrap();
    let (code, said) = run(&bench, &["stats", "import", "--app", KEY, "today.csv"]);
    assert!(
        code == 0 && said.contains("1 of 1 days") && said.contains("not over are not imported"),
        "{said}"
    );
    let late = "SELECT count(*) FROM stat_days WHERE imported_at IS NOT NULL";
    assert_eq!(bench.database.psql(late), "1");

    fs::write(bench.path("pages.csv"), "date,page,pageviews\n2024-03-29,/,1\n").unwrap();
    fs::write(bench.path("broken.csv"), "date,visitors\n2024-03-29,1\n2024-13-29,1\n").unwrap();
    fs::write(bench.path("broken.zip"), b"PK\x03\x04nothing").unwrap();
    for (file, wanted) in [
        ("pages.csv", "no file has the totals of 1 of 1 days, from 2024-03-29 on"),
        ("broken.csv", "broken.csv: line 3: \"2024-13-29\" is no day"),
        ("broken.zip", "broken.zip as a ZIP archive"),
        ("none.csv", "open none.csv"),
    ] {
        let (code, said) = run(&bench, &["stats", "import", "--app", KEY, file]);
        assert!(code == 1 && said.contains(wanted), "{file}: {said}");
    }
}

/// A server's log: requests of two classes, some without a status, a time or a visitor.
#[test]
fn requests_by_page_are_what_plain_sql_says() {
    let mut bench = with_stats(Database::create());
    write(&mut bench, "first.log", &alt1_aged(24 * HOUR), 1);
    replay(&bench, &["first.log"]).unwrap();
    bench.database.psql(
        "INSERT INTO access_logs (occurred_at, event_id, visitor_id, file_offset, app_id, file_id, user_agent_id, environment_id, \
             traffic_class, event_type, url_host, url_path, status, request_ms) \
         SELECT d.from_at + n * ((d.until_at - d.from_at) / 4000), gen_random_uuid(), CASE WHEN n % 3 > 0 THEN n % 40 END, n, \
             l.app_id, l.file_id, l.user_agent_id, l.environment_id, CASE WHEN n % 5 = 0 THEN 'bot' ELSE 'human' END, \
             'request', 'shop.example', '/p/' || n * n % 7, \
             CASE n % 11 WHEN 0 THEN 500 WHEN 1 THEN 404 WHEN 2 THEN NULL WHEN 3 THEN 499 ELSE 200 END, \
             CASE WHEN n % 13 > 0 THEN n * 7919 % 1009 - 3 END \
         FROM generate_series(1, 3999) n, access_logs l, stat_days d WHERE d.generation > 0; \
         INSERT INTO stat_dirty (app_id, day) SELECT app_id, day FROM stat_days WHERE generation > 0",
    );
    assert_eq!(run(&bench, &["stats", "rebuild", "--resume"]).0, 0);
    for class in ["human", "bot"] {
        let (code, said) = run(&bench, &["stats", "performance", "--json", "--class", class]);
        assert_eq!(code, 0, "{said}");
        let said: serde_json::Value = serde_json::from_str(&said).unwrap();
        let line = |page: &serde_json::Value| {
            let of = |name: &&str| page[name].as_u64().unwrap().to_string();
            let names = [
                "requests",
                "server_errors",
                "client_errors",
                "timed",
                "p50_ms",
                "p95_ms",
                "p99_ms",
                "busiest_minute",
            ];
            let numbers: Vec<String> = names.iter().map(of).collect();
            format!("{}|{}", page["page"].as_str().unwrap(), numbers.join("|"))
        };
        let answered: Vec<String> = said["pages"].as_array().unwrap().iter().map(line).collect();
        let day = |what: &str| format!("(SELECT {what} FROM stat_days WHERE generation > 0)");
        let sql = alt_store::naive::PERFORMANCE
            .replace("$1", &day("app_id"))
            .replace("$2", &day("from_at"))
            .replace("$3", &day("until_at"))
            .replace("$4", &format!("'{class}'"));
        let counted = bench.database.psql(&sql);
        assert_eq!(answered, counted.lines().collect::<Vec<_>>(), "{class}");
        assert!(answered.len() == 4 && said["total"]["requests"].as_u64().unwrap() > 700, "{said}");
    }
    let (_, said) = run(&bench, &["stats", "performance", "--csv", "--limit", "2"]);
    assert_eq!(said.lines().count(), 3, "{said}");
    let (_, said) = run(&bench, &["stats", "performance", "--limit", "2"]);
    assert!(said.contains("2 of 4 pages") && said.contains("p99 ms"), "{said}");
}

/// Bytes that the server has written to its log of changes.
fn logged(bench: &Bench) -> f64 {
    bench.database.psql("SELECT pg_current_wal_insert_lsn() - '0/0'").parse().unwrap()
}

/// The memory of the daemon over a large day, and what computing it adds to PostgreSQL's log of changes: with
/// `ALT_TEST_FULL`, one of two million rows.
/// The memory of the daemon over a large day: with `ALT_TEST_FULL`, one of two million rows.
#[test]
fn a_day_of_many_rows_needs_little_memory() {
    let rows = if full() { 2_000_000 } else { 200_000 };
    let mut bench = with_stats(Database::create());
    write(&mut bench, "first.log", &alt1_aged(24 * HOUR), 1);
    replay(&bench, &["first.log"]).unwrap();
    let before = logged(&bench);
    bench.database.psql(&format!(
        "INSERT INTO access_logs (occurred_at, event_id, visitor_id, page_view_id, file_offset, app_id, file_id, user_agent_id, \
             environment_id, traffic_class, event_type, url_host, url_path, referrer_host, params) \
         SELECT d.from_at + n * ((d.until_at - d.from_at) / {rows}), gen_random_uuid(), hashint8extended(n % 50000, 7), n, n, \
             l.app_id, l.file_id, l.user_agent_id, l.environment_id, l.traffic_class, 'pageview', 'shop.example', \
             '/products/' || n % 5000, 'www.search.example', jsonb_build_object('utm_source', 'newsletter') \
         FROM generate_series(1, {rows} - 1) n, access_logs l, stat_days d WHERE d.generation > 0; \
         INSERT INTO stat_dirty (app_id, day) SELECT app_id, day FROM stat_days WHERE generation > 0"
    ));
    let inserted = logged(&bench);
    let began = std::time::Instant::now();
    start(&mut bench);
    wait_for(300, || open(&bench) == "0|0|0|1", || bench.state());
    let peak = bench.daemon.as_ref().unwrap().peak_rss_kib();
    let (of_rows, of_day) = (inserted - before, logged(&bench) - inserted);
    let parts = bench
        .database
        .psql("SELECT count(*) || ' segments of ' || sum(length(data)) || ' bytes' FROM stat_segments");
    println!(
        "{rows} rows: {:?}, at most {peak} KiB; log: {of_rows} bytes of rows, {of_day} of the day; {parts}",
        began.elapsed()
    );
    assert_eq!(events(&bench), rows);
    assert!(of_day < of_rows / 10.0, "{of_day} of {of_rows}");
    assert!(peak < 64 << 10, "{peak} KiB");
}
