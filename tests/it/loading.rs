//! Loading: what PostgreSQL does to a batch, and what becomes of its lines.

use std::fs;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::support::bench::{Bench, UNBALANCED};
use crate::support::daemon::{Daemon, alt, configuration, wait_for};
use crate::support::lines::{KEY, alt1, alt1_aged, many};
use crate::support::postgres::{Cluster, Database};

/// A hit with a title.
fn titled(title: &str) -> String {
    alt1().replace("&sw=1920", &format!("&t={title}"))
}

#[test]
fn a_row_that_is_refused_for_its_data_does_not_take_its_batch_along() {
    let mut bench = Bench::new();
    bench.database.psql("DROP VIEW access_log_details; ALTER TABLE access_logs ALTER title TYPE varchar(10)");
    bench.append("beacon.log", 700);
    bench.append_text("beacon.log", &titled("too+long+for+the+column"), 0);
    bench.append("beacon.log", 700);
    wait_for(30, || bench.rows() >= bench.written, || bench.state());
    let rejects = bench.database.psql("SELECT reason, lines, detail FROM rejected_lines");
    assert_eq!(rejects, "refused|1|value too long for type character varying(10)", "{}", bench.state());
    assert_eq!(bench.rows(), 1400);
    let balance = bench.database.psql("SELECT lines, rows, rejects FROM checkpoints");
    assert_eq!(balance, "1401|1400|1");
}

#[test]
fn rows_that_are_all_refused_stop_loading_until_somebody_mends_it() {
    let mut bench = Bench::new();
    bench.append("beacon.log", 10);
    bench.settle();
    bench.database.psql("DROP VIEW access_log_details");
    for (harm, mend) in [
        (
            "ALTER TABLE access_logs ALTER url_host TYPE varchar(3) USING 'x'",
            "ALTER TABLE access_logs ALTER url_host TYPE text",
        ),
        (
            "ALTER TABLE access_logs ADD CONSTRAINT added CHECK (title IS NOT NULL) NOT VALID",
            "ALTER TABLE access_logs DROP CONSTRAINT added",
        ),
        ("REVOKE INSERT ON access_logs FROM alt", "GRANT INSERT ON access_logs TO alt"),
        ("ALTER TABLE access_logs RENAME method TO verb", "ALTER TABLE access_logs RENAME verb TO method"),
    ] {
        bench.database.psql(harm);
        // Read at once: a few lines that are refused would be set aside.
        bench.daemon.as_ref().unwrap().signal(Signal::SIGSTOP);
        bench.append("beacon.log", 100);
        bench.daemon.as_ref().unwrap().signal(Signal::SIGCONT);
        let errors = || bench.daemon.as_ref().unwrap().log().matches("somebody has to mend this").count();
        let before = errors();
        wait_for(30, || errors() > before || bench.state().contains("refuses what"), || bench.state());
        assert_eq!(
            bench.database.psql("SELECT count(*) FROM rejected_lines"),
            "0",
            "{harm}: {}",
            bench.state()
        );
        bench.database.psql(mend);
        wait_for(60, || bench.rows() >= bench.written, || format!("{harm}: {}", bench.state()));
    }
    bench.settle();
}

#[test]
fn a_table_that_is_mended_while_rows_are_tried_refuses_none_of_them() {
    let mut bench = Bench::not_started("[[source]]\npaths = [\"DIR/beacon.log\"]", Database::create());
    let mended = "ALTER TABLE access_logs ALTER title TYPE text";
    bench.database.psql("DROP VIEW access_log_details; ALTER TABLE access_logs ALTER title TYPE varchar(10)");
    for _ in 0..100 {
        bench.append_text("beacon.log", &titled("too+long+for+the+column"), 1);
    }
    // It stops when it has tried some of them alone.
    bench.daemon = Some(Daemon::start_with(&bench.config, |command| {
        _ = command.env("ALT_FAULT_STOP_AT", "RefusedTried:9");
    }));
    let stops = || bench.daemon.as_ref().unwrap().log().contains("stops at RefusedTried");
    wait_for(30, stops, || bench.state());
    std::thread::scope(|scope| {
        let database = &bench.database;
        let mending = scope.spawn(|| database.psql(mended));
        let waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'";
        wait_for(30, || database.psql(waits) == "1" || mending.is_finished(), String::new);
        bench.daemon.as_ref().unwrap().signal(Signal::SIGCONT);
        mending.join().unwrap();
    });
    bench.settle();
    assert_eq!(bench.database.psql("SELECT count(*) FROM rejected_lines"), "0");
}

#[test]
fn transient_troubles_are_waited_for() {
    let mut bench =
        Bench::not_started("[[source]]\npaths = [\"DIR/beacon.log\"]", Cluster::start(&[]).database());
    bench.start();
    bench.append("beacon.log", 100);
    bench.settle();
    let others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND usename = 'alt'";
    let name = bench.database.name.clone();
    for harm in [
        others.to_owned(),
        format!("ALTER DATABASE {name} SET default_transaction_read_only = on; {others}"),
        format!("ALTER DATABASE {name} CONNECTION LIMIT 0; {others}"),
    ] {
        bench.database.cluster.psql("postgres", &harm);
        bench.append("beacon.log", 100);
        std::thread::sleep(Duration::from_millis(700));
        bench.database.cluster.psql(
            "postgres",
            &format!("ALTER DATABASE {name} RESET default_transaction_read_only; ALTER DATABASE {name} CONNECTION LIMIT -1; {others}"),
        );
        bench.settle();
    }
    for mode in ["immediate", "fast"] {
        bench.append("beacon.log", 100);
        bench.database.cluster.down(mode);
        bench.append("beacon.log", 100);
        bench.database.cluster.up();
        bench.settle();
    }
}

#[test]
fn a_lock_on_the_table_is_waited_for() {
    let mut bench = Bench::new();
    bench.append("beacon.log", 10);
    bench.settle();
    std::thread::scope(|scope| {
        let database = &bench.database;
        let holder = scope.spawn(|| {
            // Longer than the daemon's lock_timeout.
            database
                .psql("BEGIN; LOCK TABLE access_logs IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(12); COMMIT");
        });
        std::thread::sleep(Duration::from_millis(500));
        fs::write(bench.path("more"), many(10)).unwrap();
        let mut text = fs::read_to_string(bench.path("beacon.log")).unwrap();
        text += &fs::read_to_string(bench.path("more")).unwrap();
        fs::write(bench.path("beacon.log"), text).unwrap();
        holder.join().unwrap();
    });
    bench.written += 10;
    bench.settle();
}

#[test]
fn two_daemons_on_one_file_load_it_once() {
    let mut bench = Bench::new();
    let mut other = Daemon::start(&bench.config);
    for round in 0..20 {
        bench.append("beacon.log", 50);
        if round % 5 == 4 {
            fs::rename(bench.path("beacon.log"), bench.path(&format!("beacon.log.{round}"))).unwrap();
            other.kill();
            other = Daemon::start(&bench.config);
        }
        std::thread::sleep(Duration::from_millis(30));
    }
    bench.append("beacon.log", 1);
    bench.settle();
    assert!(other.stop().success());
    bench.check();
}

#[test]
fn two_hosts_load_old_files_into_one_database_at_once() {
    let database = Database::create();
    let mut first = Bench::not_started("[[source]]\npaths = [\"DIR/beacon.log\"]", database);
    let directory = tempfile::tempdir().unwrap();
    let source = format!("[[source]]\npaths = [\"{}/beacon.log\"]", directory.path().display());
    let config = configuration(directory.path(), &first.database, &source, "host = \"other\"");
    const MONTH: u64 = 2_629_800;
    for log in [first.path("beacon.log"), directory.path().join("beacon.log")] {
        // Three years back, month by month.
        let text: String = (0..36).rev().flat_map(|m| [alt1_aged(m * MONTH), alt1_aged(m * MONTH)]).collect();
        fs::write(log, text).unwrap();
        first.written += 72;
    }
    first.start();
    let second = Daemon::start(&config);
    first.settle();
    assert!(second.stop().success());
    let hosts =
        first.database.psql("SELECT string_agg(host, ',' ORDER BY host COLLATE \"C\") FROM log_files");
    assert!(hosts.contains("other") && hosts.contains(','), "{hosts}");
    let partitions =
        first.database.psql("SELECT count(*) FROM pg_inherits WHERE inhparent = 'access_logs'::regclass");
    // On some days, two of the steps are in one month.
    let months = first
        .database
        .psql("SELECT count(DISTINCT date_trunc('month', occurred_at AT TIME ZONE 'UTC')) FROM access_logs");
    let of = |count: &str| count.parse::<u32>().unwrap();
    assert!(of(&months) >= 24 && of(&partitions) >= of(&months), "{partitions} partitions, {months} months");
}

/// Every row's and reject's offset points at its line.
fn offsets_hold(bench: &Bench, log: &[u8]) {
    for row in bench.database.psql("SELECT file_offset, event_id FROM access_logs").lines() {
        let (offset, id) = row.split_once('|').unwrap();
        let line = &log[offset.parse::<usize>().unwrap()..];
        let line = &line[..line.iter().position(|b| *b == b'\n').unwrap_or(line.len())];
        let line = String::from_utf8_lossy(line);
        assert!(line.starts_with("alt1\t") && line.contains(&id.replace('-', "")), "{row}: {line}");
    }
    for row in bench
        .database
        .psql("SELECT file_offset, bytes, lines, encode(raw, 'hex') FROM rejected_lines")
        .lines()
    {
        let fields: Vec<&str> = row.split('|').collect();
        let (offset, bytes): (usize, usize) = (fields[0].parse().unwrap(), fields[1].parse().unwrap());
        let span = &log[offset..offset + bytes];
        let raw: String = span.iter().take(fields[3].len() / 2).map(|b| format!("{b:02x}")).collect();
        assert_eq!(raw, fields[3], "{row}");
    }
}

#[test]
fn every_line_is_accounted_for_with_its_reason_and_its_place() {
    let mut bench = Bench::new();
    let good = alt1();
    let head = good.trim_end();
    let unknown = |key: &str| alt1().replace(&format!("a={KEY}"), &format!("a={key}"));
    let lines: Vec<Vec<u8>> = vec![
        good.clone().into_bytes(),
        b"\n".to_vec(),
        b"\n".to_vec(),
        b"not a line of ours\n".to_vec(),
        [b"\xff\xfe\x00 bytes \x16\x03\x01\n".to_vec(), alt1().into_bytes()].concat(),
        // torn: a half line, and a whole one behind it
        [&alt1().as_bytes()[..120], alt1().as_bytes()].concat(),
        unknown("nobody").into_bytes(),
        unknown("nobody").into_bytes(),
        unknown("else").into_bytes(),
        alt1().replace("\tGET\t204\t", "\tGET\t429\t").into_bytes(),
        alt1().replace("\tGET\t204\t", "\tOPTIONS\t204\t").into_bytes(),
        alt1_aged(40 * 365 * 86_400).into_bytes(),
        format!("alt1\t{}\n", "x".repeat(300_000)).into_bytes(),
        // values that PostgreSQL would refuse: NUL, invalid UTF-8, lone surrogates
        alt1().replace("&sw=1920", "&t=a%00b%ff%ED%A0%80&p.x=%00").into_bytes(),
        format!("{}\r\n", head.replace("0000000", "f000000")).into_bytes(),
    ];
    let log = lines.concat();
    fs::write(bench.path("beacon.log"), &log).unwrap();
    let accounted =
        || bench.database.psql("SELECT lines, rows, non_hits, rejects, loaded_bytes FROM checkpoints");
    wait_for(30, || accounted().ends_with(&format!("|{}", log.len())), || bench.state());
    let rejects =
        bench.database.psql("SELECT reason, lines, detail FROM rejected_lines ORDER BY file_offset");
    let expected = [
        "empty|2|",
        "shape|2|",
        "torn|1|",
        "unknown_app|2|nobody",
        "unknown_app|1|else",
        "time_range|1|",
        "too_long|1|",
    ];
    let found: Vec<&str> = rejects.lines().filter(|l| !l.starts_with("shape|1")).collect();
    assert_eq!(found, expected, "{}", bench.state());
    let balance = accounted();
    let counts: Vec<u64> = balance.split('|').map(|n| n.parse().unwrap()).collect();
    assert_eq!(counts[0], counts[1] + counts[2] + counts[3]);
    assert_eq!(counts[0], 17, "lines: a torn one is two, one element above holds two");
    assert_eq!(counts[2], 2);
    offsets_hold(&bench, &log);
    let title = bench.database.psql("SELECT title FROM access_logs WHERE title IS NOT NULL");
    assert_eq!(title, "ab\u{fffd}\u{fffd}\u{fffd}\u{fffd}");
    bench.stop();
}

#[test]
fn a_flood_of_rejects_costs_less_than_hits_would() {
    let mut bench = Bench::new();
    bench.append("beacon.log", 2000);
    bench.settle();
    let size = |bench: &Bench| -> u64 {
        bench.database.psql("VACUUM FULL");
        bench.database.psql("SELECT pg_database_size(current_database())").parse().unwrap()
    };
    let start = size(&bench);
    let hits: String = many(20_000);
    // All kinds mixed, so that no two neighbours share a span.
    let rejects: String = (0..20_000)
        .map(|n| match n % 3 {
            0 => alt1().replace(&format!("a={KEY}"), &format!("a=key-{n}")),
            1 => format!("garbage {n} {}\n", "x".repeat(300)),
            _ => alt1().replace(&format!("a={KEY}"), "a="),
        })
        .collect();
    bench.append_text("beacon.log", &rejects, 0);
    let rejected = || bench.database.psql("SELECT sum(lines) FROM rejected_lines") == "20000";
    wait_for(60, rejected, || bench.state());
    let for_rejects = size(&bench) - start;
    let before_hits = size(&bench);
    bench.append_text("beacon.log", &hits, 20_000);
    wait_for(60, || bench.rows() == bench.written, || bench.state());
    let for_hits = size(&bench) - before_hits;
    println!("20,000 rejects {for_rejects} bytes, 20,000 hits {for_hits} bytes");
    // The raw bytes that are kept of them have a budget of their own.
    let raw: u64 =
        bench.database.psql("SELECT coalesce(sum(length(raw)), 0) FROM rejected_lines").parse().unwrap();
    assert!(raw < 9 << 20, "{raw}");
    assert!(for_rejects < for_hits + raw, "{for_rejects} bytes for rejects, {for_hits} for hits");
}

#[test]
fn beyond_a_burst_of_rejects_they_are_only_counted() {
    let mut bench = Bench::new();
    // Each is a span of its own.
    let reject = |n| alt1().replace(&format!("a={KEY}"), &format!("a=key-{n}"));
    bench.append_text("beacon.log", &(0..103_000).map(reject).collect::<String>(), 0);
    let counted = || bench.database.psql("SELECT rejects FROM checkpoints") == "103000";
    wait_for(120, counted, || bench.state());
    let kept: u64 = bench.database.psql("SELECT sum(lines) FROM rejected_lines").parse().unwrap();
    println!("{kept} are kept");
    assert!((100_000..102_000).contains(&kept), "{kept}");
    assert_eq!(bench.database.psql(UNBALANCED), "");
    let daemon = bench.daemon.as_ref().unwrap();
    assert_eq!(daemon.metric("alt_lines_rejected_total{reason=\"unknown_app\"}"), 103_000.0);
    assert_eq!(daemon.metric("alt_rejects_not_kept_total"), (103_000 - kept) as f64);
    assert_eq!(daemon.log().matches("a flood of rejects").count(), 1);
    // Those that are not kept are in the log: who reads it again has all of them.
    bench.stop();
    bench.database.psql("UPDATE applications SET app_key = 'key-102999'");
    let replay = alt()
        .args(["replay", "--again", "--config"])
        .args([&bench.config, &bench.path("beacon.log")])
        .output()
        .unwrap();
    assert!(replay.status.success(), "{replay:?}");
    assert_eq!(bench.rows(), 1, "{replay:?}");
}

#[test]
fn several_sources_with_formats_of_their_own() {
    let mut bench = Bench::with(&format!(
        "[[source]]\npaths = [\"DIR/beacon.log\"]\n\
         [[source]]\npaths = [\"DIR/*access.log\"]\nformat = \"combined\"\napp = \"{KEY}\"\n"
    ));
    bench.append("beacon.log", 3);
    let site = |n: usize| {
        let now = jiff::Zoned::now().strftime("%d/%b/%Y:%H:%M:%S %z").to_string();
        format!(
            "2001:db8::{n} - - [{now}] \"GET /p?x=1 HTTP/1.1\" 200 512 \"https://search.example/\" \"curl/8\"\n"
        )
    };
    // Equal lines are events of their own.
    bench.append_text("a.access.log", &[site(1), site(1), site(2)].concat(), 3);
    bench.append_text("b.access.log", &site(3), 1);
    bench.settle();
    bench.append_text("a.access.log", &site(1), 1);
    fs::rename(bench.path("b.access.log"), bench.path("b.access.log.1")).unwrap();
    bench.append_text("b.access.log.1", &site(4), 1);
    bench.append_text("b.access.log", &site(5), 1);
    bench.settle();
    bench.stop();
    bench.append_text("a.access.log", &[site(1), site(2)].concat(), 2);
    bench.append_text("b.access.log", &site(5), 1);
    bench.start();
    bench.settle();
    let requests =
        bench.database.psql("SELECT count(*) FROM access_logs WHERE event_type = 'request' AND status = 200");
    assert_eq!(requests, "10");
}

#[test]
fn a_reload_takes_a_new_configuration_and_refuses_a_broken_one() {
    let mut bench = Bench::new();
    bench.append("beacon.log", 1);
    bench.settle();
    let text = fs::read_to_string(&bench.config).unwrap();
    let log = || bench.daemon.as_ref().unwrap().log();
    fs::write(&bench.config, text.replace("[load]", "[laod]")).unwrap();
    bench.daemon.as_ref().unwrap().signal(nix::sys::signal::Signal::SIGHUP);
    wait_for(10, || log().contains("going on with the old one"), log);
    assert!(log().contains("laod"));
    // What only turns out when it is used is tried too.
    fs::write(&bench.config, format!("{text}\n[agents]\nrules = \"/nowhere/rules.json\"\n")).unwrap();
    bench.daemon.as_ref().unwrap().signal(nix::sys::signal::Signal::SIGHUP);
    wait_for(10, || log().contains("/nowhere/rules.json"), log);
    assert_eq!(log().matches("going on with the old one").count(), 2, "{}", log());
    let more = format!("[[source]]\npaths = [\"{}\"]\n{text}", bench.path("other.log").display());
    fs::write(&bench.config, more).unwrap();
    bench.daemon.as_ref().unwrap().signal(nix::sys::signal::Signal::SIGHUP);
    bench.append("other.log", 2);
    bench.append("beacon.log", 2);
    bench.settle();
}

#[test]
fn a_dead_predecessor_that_holds_our_checkpoint_is_ended() {
    let mut bench = Bench::new();
    bench.append("beacon.log", 10);
    bench.settle();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let host = nix::unistd::gethostname().unwrap().to_string_lossy().into_owned();
    runtime.block_on(async {
        let config = bench.database.config();
        // As a daemon whose machine was cut off: its session rests inside a transaction.
        let dead = alt_store::connect(&config, &format!("alt run {host}")).await.unwrap();
        dead.batch_execute("BEGIN; UPDATE checkpoints SET committed_at = now()").await.unwrap();
        bench.append("beacon.log", 10);
        bench.settle_within(90);
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(dead.is_closed());
    });
    assert!(bench.daemon.as_ref().unwrap().log().contains("dead predecessor"));
}

#[test]
fn a_partition_that_cannot_be_dropped_or_made_does_not_stop_loading() {
    let mut bench = Bench::not_started("[[source]]\npaths = [\"DIR/beacon.log\"]", Database::create());
    const YEAR: u64 = 365 * 86_400;
    bench.append_text("beacon.log", &alt1_aged(YEAR), 1);
    bench.append("beacon.log", 1);
    // Without [retention] yet: otherwise the first turn of upkeep may come after the old row, and drop it.
    bench.start();
    bench.settle();
    bench.stop();
    let text = fs::read_to_string(&bench.config).unwrap() + "\n[retention]\nrows = \"2 months\"\n";
    fs::write(&bench.config, text).unwrap();
    std::thread::scope(|scope| {
        let database = &bench.database;
        // A report that reads the table while the daemon wants to drop a part of it, and to make another.
        let report = scope
            .spawn(|| database.psql("BEGIN; SELECT count(*) FROM access_logs; SELECT pg_sleep(6); COMMIT"));
        std::thread::sleep(Duration::from_millis(500));
        let daemon = Daemon::start(&bench.config);
        wait_for(20, || daemon.log().contains("dropped later"), || daemon.log());
        let lines = alt1_aged(2 * YEAR) + &alt1();
        let mut log = fs::OpenOptions::new().append(true).open(bench.path("beacon.log")).unwrap();
        std::io::Write::write_all(&mut log, lines.as_bytes()).unwrap();
        wait_for(30, || bench.rows() == 4, || daemon.log());
        report.join().unwrap();
        assert!(daemon.stop().success());
    });
    // Nothing reads it any more.
    bench.start();
    wait_for(20, || bench.rows() == 2, || bench.state());
}

/// First key of the advisory lock under which a partition is created.
const MONTHS: i32 = 0x616c_7402;

#[test]
fn a_partition_that_another_host_is_creating_is_waited_for() {
    let mut bench = Bench::new();
    bench.append_text("beacon.log", &alt1_aged(400 * 86_400), 1);
    bench.settle();
    bench.stop();
    // When the other host's COMMIT has begun to be seen, and not every session has been told of the new partition yet,
    // the other host still holds the lock of the month.
    let month = bench.database.psql(
        "SELECT (extract(year FROM t) * 12 + extract(month FROM t) - 1)::int FROM \
         (SELECT occurred_at AT TIME ZONE 'UTC' AS t FROM access_logs) t",
    );
    let holding = format!(
        "BEGIN; SELECT pg_advisory_xact_lock({MONTHS}, {month}); DO $$ BEGIN FOR i IN 1..3000 LOOP \
             IF EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted) THEN RETURN; END IF; \
             PERFORM pg_sleep(0.01); END LOOP; \
         RAISE EXCEPTION 'nobody waits'; END $$; COMMIT"
    );
    std::thread::scope(|scope| {
        let database = &bench.database;
        let other = scope.spawn(|| database.psql(&holding));
        let holds = format!(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = {month} AND granted"
        );
        wait_for(20, || database.psql(&holds) == "1", String::new);
        let text = alt1_aged(400 * 86_400);
        let mut log = fs::OpenOptions::new().append(true).open(bench.path("beacon.log")).unwrap();
        std::io::Write::write_all(&mut log, text.as_bytes()).unwrap();
        let daemon = Daemon::start(&bench.config);
        other.join().unwrap();
        wait_for(30, || bench.rows() == 2, || daemon.log());
        assert!(daemon.stop().success());
    });
}

#[test]
fn a_partition_that_another_host_has_dropped_is_created_again() {
    let mut bench = Bench::new();
    let text = alt1_aged(400 * 86_400);
    bench.append_text("beacon.log", &text, 1);
    bench.settle();
    // The daemon remembers that it exists.
    let name = bench.database.psql("SELECT tableoid::regclass FROM access_logs");
    bench.database.psql(&format!("DROP TABLE {name}"));
    bench.append_text("beacon.log", &text, 1);
    wait_for(30, || bench.rows() == 1, || bench.state());
    let log = bench.daemon.as_ref().unwrap().log();
    assert!(!log.contains("somebody has to mend this"), "{log}");
    assert_eq!(bench.database.psql("SELECT lines, rows FROM checkpoints"), "2|2");
}
