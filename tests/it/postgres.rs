//! PostgreSQL misbehaves, is run into, is replaced: what logs and archive still hold is neither lost nor doubled.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::bench::Bench;
use crate::support::daemon::{Daemon, alt, configuration, wait_for};
use crate::support::disk::Disk;
use crate::support::lines::{alt1_at, many, register};
use crate::support::pace::Pace;
use crate::support::pooler::Pooler;
use crate::support::postgres::{Cluster, Database};
use crate::support::proxy::Proxy;

const SOURCE: &str = "[[source]]\npaths = [\"DIR/beacon.log\"]";

/// A bench, and a log of which a part is loaded.
fn begun(database: Database) -> (Bench, Pace) {
    let mut bench = Bench::not_started(SOURCE, database);
    let mut pace = Pace::new(&bench);
    pace.append(20);
    bench.start();
    pace.settle(&bench, 30);
    (bench, pace)
}

/// Waits until the daemon has said so.
fn said(bench: &Bench, what: &str) {
    let log = || bench.daemon.as_ref().unwrap().log();
    wait_for(60, || log().contains(what), || format!("`{what}` is not said\n{}", bench.state()));
}

/// Stops the daemon, which took nothing for a thing that somebody has to mend.
fn passed(bench: &mut Bench) {
    let log = bench.daemon.as_ref().unwrap().log();
    assert!(!log.contains("somebody has to mend"), "{log}");
    bench.stop();
}

const OUR_SESSIONS: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                            WHERE usename = 'alt' AND application_name LIKE 'alt run%'";

/// The month's partition.
fn partition(bench: &Bench) -> String {
    bench.database.psql("SELECT 'access_logs_y' || to_char(now() AT TIME ZONE 'UTC', 'YYYY\"m\"MM')")
}

#[test]
fn connections_that_are_all_taken_are_waited_for() {
    // A session that is refused has a slot until then, so that a superuser needs more than one.
    let cluster = Cluster::start(&["max_connections=13", "superuser_reserved_connections=8"]);
    let (mut bench, mut pace) = begun(cluster.database());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let mut taken = Vec::new();
    let full = Instant::now() + Duration::from_secs(30);
    // What the daemon loses, others take.
    loop {
        bench.database.psql(OUR_SESSIONS);
        while let Ok(one) = runtime.block_on(alt_store::connect(&bench.database.config(), "others")) {
            taken.push(one);
        }
        if bench.daemon.as_ref().unwrap().log().contains("connection slots") || Instant::now() > full {
            break;
        }
    }
    pace.append(20);
    said(&bench, "the database does not take rows");
    said(&bench, "connection slots");
    drop(taken);
    pace.append(20);
    pace.settle(&bench, 60);
    passed(&mut bench);
}

#[test]
fn a_batch_that_needs_more_locks_than_the_server_has_is_cut() {
    const HOUR: u128 = 3_600_000;
    let settings = [
        "fsync=off",
        "max_locks_per_transaction=10",
        "max_connections=12",
        "max_wal_senders=0",
        "max_worker_processes=0",
        "autovacuum_max_workers=1",
    ];
    let cluster = Cluster::start(&settings);
    let mut bench = Bench::not_started(SOURCE, cluster.database());
    // Each in an hour of its own, over 100 months.
    let begin = 1_400_000_000_000;
    let lines: String = (0..250).map(|n| alt1_at(begin + n * 292 * HOUR)).collect();
    bench.append_text("beacon.log", &lines, 250);
    bench.start();
    let rows = || bench.database.psql("SELECT rows FROM checkpoints") == "250";
    wait_for(120, rows, || bench.state());
    // It was too large for the server at first.
    said(&bench, "raise max_locks_per_transaction in postgresql.conf");
    bench.stop();
}

#[test]
fn a_full_disk_of_the_server_is_waited_for() {
    let cluster = Cluster::start(&[]);
    let Some(disk) = Disk::mount(&cluster.dir().join("small"), 16) else { return };
    let inner = disk.0.join("tablespace");
    fs::create_dir(&inner).unwrap();
    let owner = fs::metadata(cluster.dir())
        .map(|m| (std::os::unix::fs::MetadataExt::uid(&m), std::os::unix::fs::MetadataExt::gid(&m)))
        .unwrap();
    std::os::unix::fs::chown(&inner, Some(owner.0), Some(owner.1)).unwrap();
    cluster.psql("postgres", &format!("CREATE TABLESPACE small LOCATION '{}'", inner.display()));
    cluster.psql(
        "postgres",
        "GRANT CREATE ON TABLESPACE small TO alt; ALTER ROLE alt SET default_tablespace = small",
    );
    let (mut bench, mut pace) = begun(cluster.database());
    disk.fill(64);
    pace.append(3000);
    said(&bench, "No space left on device");
    pace.append(1000);
    disk.free();
    pace.settle(&bench, 60);
    passed(&mut bench);
    pace.check(&bench);
    drop(bench);
    cluster.down("immediate");
}

#[test]
fn a_full_disk_of_the_servers_wal_is_waited_for() {
    let directory = crate::support::place::place("alt-wal-");
    let Some(disk) = Disk::mount(&directory.path().join("small"), 48) else { return };
    fs::set_permissions(directory.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let wal = format!("--waldir={}", disk.0.join("wal").display());
    let settings = ["min_wal_size=2MB", "max_wal_size=8MB"];
    let cluster = Cluster::start_by(Vec::new(), &[&wal, "--wal-segsize=1"], &settings);
    let (mut bench, mut pace) = begun(cluster.database());
    // A slot keeps the WAL. Without one, a server that is fast enough recycles its old segments, and needs no new one.
    bench.database.psql("SELECT pg_create_physical_replication_slot('kept', true)");
    // PostgreSQL panics, comes back to a disk that is as full, and may give up then.
    disk.fill(64);
    let panicked = || cluster.log().contains("PANIC") && cluster.log().contains("No space left on device");
    for _ in 0..100 {
        if panicked() {
            break;
        }
        pace.append(1000);
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(panicked(), "{}", cluster.log());
    said(&bench, "the database does not take rows");
    pace.append(1000);
    disk.free();
    let is_back = || {
        if !cluster.is_up() {
            cluster.up();
        }
        cluster.answers()
    };
    wait_for(60, is_back, || cluster.log());
    bench.database.psql("SELECT pg_drop_replication_slot('kept')");
    pace.settle(&bench, 60);
    passed(&mut bench);
    pace.check(&bench);
    drop(bench);
    cluster.down("immediate");
}

#[test]
fn a_lock_on_a_partition_and_an_old_snapshot_are_waited_for_or_do_not_matter() {
    let (mut bench, mut pace) = begun(Database::create());
    let seconds = if std::env::var_os("ALT_TEST_FULL").is_some() { 60 } else { 12 };
    let partition = partition(&bench);
    std::thread::scope(|scope| {
        let database = &bench.database;
        let snapshot = scope.spawn(move || {
            database.psql(&format!(
                "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM checkpoints; SELECT pg_sleep({}); \
                 SELECT count(*) FROM access_logs; COMMIT",
                seconds + 6
            ))
        });
        let lock = scope.spawn(|| {
            database.psql(&format!(
                "BEGIN; LOCK TABLE {partition} IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep({seconds}); COMMIT"
            ))
        });
        let held = format!(
            "SELECT count(*) FROM pg_locks WHERE relation = '{partition}'::regclass AND granted \
                            AND mode = 'AccessExclusiveLock'"
        );
        wait_for(10, || database.psql(&held) == "1", String::new);
        pace.append(20);
        pace.rotate();
        pace.append(20);
        said(&bench, "lock timeout");
        lock.join().unwrap();
        pace.settle(&bench, 60);
        snapshot.join().unwrap();
    });
    pace.append(20);
    pace.settle(&bench, 30);
    passed(&mut bench);
}

#[test]
fn a_deadlock_costs_nothing_but_time() {
    let (mut bench, mut pace) = begun(Database::create());
    let partition = partition(&bench);
    std::thread::scope(|scope| {
        let database = &bench.database;
        // The other order than ours, begun while we wait; and it is we who are to find out, and give way.
        let other = scope.spawn(|| {
            database.psql(&format!(
                "BEGIN; SET LOCAL deadlock_timeout = '1h'; LOCK TABLE {partition} IN ACCESS EXCLUSIVE MODE; \
                 DO $$ BEGIN WHILE NOT EXISTS (SELECT FROM pg_locks WHERE relation = '{partition}'::regclass \
                 AND NOT granted) LOOP PERFORM pg_sleep(0.02); END LOOP; END $$; \
                 UPDATE checkpoints SET committed_at = committed_at; COMMIT"
            ))
        });
        let held = format!(
            "SELECT count(*) FROM pg_locks WHERE relation = '{partition}'::regclass AND granted \
                            AND mode = 'AccessExclusiveLock'"
        );
        wait_for(10, || database.psql(&held) == "1", String::new);
        pace.append(20);
        other.join().unwrap();
    });
    said(&bench, "deadlock detected");
    pace.settle(&bench, 30);
    passed(&mut bench);
}

#[test]
fn what_somebody_did_to_the_tables_is_told_and_can_be_mended() {
    let (mut bench, mut pace) = begun(Database::create());
    let name = partition(&bench);
    // A column that may be empty is nobody's trouble.
    bench.database.psql("ALTER TABLE access_logs ADD mine text");
    pace.append(20);
    pace.settle(&bench, 30);
    let first = "date_trunc('month', now() AT TIME ZONE 'UTC')";
    let bounds = bench.database.psql(&format!(
        "SELECT 'FROM (''' || {first}::date || ' 00:00:00+00'') TO (''' || ({first} + interval '1 month')::date || ' 00:00:00+00'')'"
    ));
    for (harm, mend, what) in [
        (
            "ALTER TABLE access_logs ADD theirs int; ALTER TABLE access_logs ADD CONSTRAINT theirs CHECK (theirs > 0 \
             AND theirs IS NOT NULL) NOT VALID"
                .to_owned(),
            "ALTER TABLE access_logs DROP theirs".to_owned(),
            "violates check constraint",
        ),
        (
            "CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; \
             CREATE TRIGGER swallow BEFORE INSERT ON access_logs FOR EACH ROW EXECUTE FUNCTION swallow()"
                .to_owned(),
            "DROP FUNCTION swallow CASCADE".to_owned(),
            "does a trigger or rule on access_logs drop rows?",
        ),
        (
            format!("ALTER TABLE access_logs DETACH PARTITION {name}"),
            format!("ALTER TABLE access_logs ATTACH PARTITION {name} FOR VALUES {bounds}"),
            "attach it again",
        ),
    ] {
        bench.database.psql(&harm);
        pace.append(20);
        said(&bench, what);
        said(&bench, "somebody has to mend this");
        // PostgreSQL shows the row that it refuses; nobody else does.
        let log = bench.daemon.as_ref().unwrap().log();
        assert!(!log.contains("Failing row") && !log.contains("shop.example"), "{log}");
        bench.database.psql(&mend);
        pace.settle(&bench, 60);
    }
    bench.stop();
}

#[test]
fn a_migration_that_fails_leaves_nothing_and_the_daemon_waits_for_one_that_does_not() {
    let mut bench = Bench::not_started(SOURCE, Database::create());
    let empty = Database::empty();
    bench.config = configuration(
        bench.directory.path(),
        &empty,
        &SOURCE.replace("DIR", bench.directory.path().to_str().unwrap()),
        "",
    );
    bench.database = empty;
    let mut pace = Pace::new(&bench);
    pace.append(20);
    bench.start();
    said(&bench, "run `alt migrate`");
    let migrate = || alt().args(["migrate", "--config"]).arg(&bench.config).output().unwrap();
    // Of the last table of the first migration there is one already.
    bench.database.psql("CREATE TABLE visitor_salts (theirs int)");
    let failed = migrate();
    let said = String::from_utf8_lossy(&failed.stderr).into_owned();
    assert!(
        !failed.status.success() && said.contains("visitor_salts") && said.contains("migration 1"),
        "{said}"
    );
    let tables = "SELECT string_agg(relname, ',') FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace";
    assert_eq!(bench.database.psql(tables), "visitor_salts");
    bench.database.psql("DROP TABLE visitor_salts");
    let done = migrate();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    register(&bench.database);
    pace.append(20);
    wait_for(
        60,
        || bench.rows() > 0 || bench.database.psql("SELECT count(*) FROM rejected_lines") != "0",
        || bench.state(),
    );
    // What came before the application was there is kept, and loaded when that is asked for.
    let retried = alt().args(["rejects", "retry", "--config"]).arg(&bench.config).output().unwrap();
    assert!(retried.status.success(), "{}", String::from_utf8_lossy(&retried.stderr));
    pace.settle(&bench, 60);
    bench.stop();
}

fn through_a_pooler(mode: &str) {
    let mut database = Database::create();
    let Some(mut pooler) = Pooler::start(&database.cluster, mode) else { return };
    database.url = pooler.url(&database);
    let mut bench = Bench::not_started(SOURCE, database);
    let mut pace = Pace::new(&bench);
    // Two on one file, that share its server connections.
    bench.start();
    let mut other = Daemon::start(&bench.config);
    for round in 0..6 {
        pace.run(20, 15);
        match round % 3 {
            0 => _ = bench.database.psql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'alt' AND datname = current_database()",
            ),
            1 => pooler.restart(),
            _ => {
                other.kill();
                other = Daemon::start(&bench.config);
            }
        }
    }
    pace.append(20);
    pace.settle(&bench, 60);
    assert!(other.stop().success());
    let files: Vec<PathBuf> = (1..pace.texts.len()).map(|n| pace.rotated(n)).collect();
    let replay =
        alt().args(["replay", "--again", "--config"]).arg(&bench.config).args(files).output().unwrap();
    assert!(replay.status.success(), "{}", String::from_utf8_lossy(&replay.stderr));
    bench.stop();
    pace.check(&bench);
    let errors = ["prepared statement", "unsupported", "somebody has to mend"];
    let log = fs::read_to_string(bench.config.with_extension("stderr")).unwrap();
    assert!(!errors.iter().any(|error| log.contains(error)), "{log}");
}

#[test]
fn through_a_pooler_of_sessions() {
    through_a_pooler("session");
}

#[test]
fn through_a_pooler_of_transactions() {
    through_a_pooler("transaction");
}

/// A daemon that archives, behind a proxy that can lead elsewhere.
fn movable(cluster: &Arc<Cluster>, more: &str) -> (Bench, Pace, Proxy) {
    let mut database = cluster.database();
    let proxy = Proxy::before(cluster);
    database.url = proxy.url(&database);
    let mut bench =
        Bench::not_started(&format!("{SOURCE}\n[archive]\nurl = \"file://DIR/archive\"\n{more}"), database);
    let pace = Pace::new(&bench);
    bench.start();
    (bench, pace, proxy)
}

/// Waits until so many files are in the archive.
fn archived(bench: &Bench, count: usize) {
    let sql = "SELECT count(*) FROM log_files WHERE archived_at IS NOT NULL";
    wait_for(60, || bench.database.psql(sql) == count.to_string(), || bench.state());
}

#[test]
fn what_is_refused_is_told_and_not_what_follows_from_it() {
    let mut bench = Bench::not_started(SOURCE, Database::create());
    // A beginning without an id, which grows longer.
    bench.append_text("beacon.log", "garbage\n", 0);
    bench.start();
    let lines = |count: &str| bench.database.psql("SELECT lines FROM checkpoints") == count;
    wait_for(30, || lines("1"), || bench.state());
    bench.database.psql("REVOKE INSERT ON rejected_lines FROM alt");
    bench.append_text("beacon.log", &format!("more garbage\n{}", many(10)), 10);
    said(&bench, "permission denied for table rejected_lines");
    let log = bench.daemon.as_ref().unwrap().log();
    assert!(!log.contains("transaction is aborted"), "{log}");
    bench.database.psql("GRANT INSERT ON rejected_lines TO alt");
    wait_for(60, || bench.rows() == 10, || bench.state());
    assert_eq!(bench.database.psql("SELECT lines, rows, rejects FROM checkpoints"), "12|10|2");
    bench.stop();
}

/// A server whose commits reach its disk by the writer's tick alone, and by no commit of anybody else.
fn does_not_wait_for_its_disk() -> Arc<Cluster> {
    let cluster = Cluster::start(&["wal_writer_delay=10s", "autovacuum=off"]);
    cluster.psql("postgres", "ALTER ROLE alt SET synchronous_commit = off");
    cluster
}

/// Crashes the server while the daemon stands still; the rows that are left.
fn crash(cluster: &Cluster, bench: &Bench) -> usize {
    let daemon = bench.daemon.as_ref();
    daemon.inspect(|daemon| daemon.signal(Signal::SIGSTOP));
    cluster.down("immediate");
    cluster.up();
    let rows = bench.rows();
    daemon.inspect(|daemon| daemon.signal(Signal::SIGCONT));
    rows
}

#[test]
fn an_object_is_pruned_by_what_is_on_the_disk_of_a_server_that_does_not_wait_for_it() {
    let cluster = does_not_wait_for_its_disk();
    let archiving = format!("{SOURCE}\n[archive]\nurl = \"file://DIR/archive\"");
    // Now and then the writer's tick falls between.
    for _ in 0..3 {
        let text = many(50);
        let loaded = |sources: &str| {
            let mut bench = Bench::not_started(sources, cluster.database());
            bench.append_text("beacon.log.1", &text, 50);
            bench.append("beacon.log", 1);
            bench.start();
            bench
        };
        let mut of_archive = loaded(&archiving);
        archived(&of_archive, 1);
        of_archive.stop();
        let bench = loaded(SOURCE);
        bench.sealed(1);
        let pruned = alt()
            .args(["archive", "prune", "--before", "2100-01-01", "--config"])
            .arg(&bench.config)
            .env("ALT_ARCHIVE_URL", format!("file://{}", of_archive.path("archive").display()))
            .output()
            .unwrap();
        assert!(String::from_utf8_lossy(&pruned.stdout).contains("1 objects"), "{pruned:?}");
        let rows = crash(&cluster, &bench);
        assert!(rows >= 50, "{rows} are left of 50, whose object is deleted");
    }
    cluster.down("immediate");
}

#[test]
fn what_may_be_deleted_is_on_the_disk_of_a_server_that_does_not_wait_for_it() {
    let cluster = does_not_wait_for_its_disk();
    let crash = |bench: &Bench| crash(&cluster, bench);
    // Now and then the writer's tick falls between.
    for _ in 0..3 {
        let mut bench = Bench::not_started(SOURCE, cluster.database());
        bench.append("beacon.log", 50);
        let said = alt().args(["run", "--final", "--config"]).arg(&bench.config).output().unwrap();
        assert!(said.status.success(), "{said:?}");
        assert_eq!(crash(&bench), 50, "all that there was, by --final");

        let sources = format!("{SOURCE}\n[retention]\nlogs = \"0s\"");
        let mut bench = Bench::not_started(&sources, cluster.database());
        let verb = |bench: &Bench, verb: &str, file: &str| {
            alt().args([verb, "--config"]).arg(&bench.config).arg(bench.path(file)).output().unwrap()
        };
        bench.append_text("replayed", &many(50), 50);
        bench.stands_still("replayed");
        let said = verb(&bench, "replay", "replayed");
        assert!(said.status.success(), "{said:?}");
        assert_eq!(crash(&bench), 50, "a replay that had ended");

        bench.append("beacon.log", 50);
        bench.start();
        wait_for(30, || verb(&bench, "status", "beacon.log").status.success(), || bench.state());
        assert_eq!(crash(&bench), 100, "a log that was said to be loaded");

        bench.append("beacon.log", 50);
        fs::rename(bench.path("beacon.log"), bench.path("beacon.log.1")).unwrap();
        bench.append("beacon.log", 1);
        wait_for(60, || fs::metadata(bench.path("beacon.log.1")).is_err(), || bench.state());
        let rows = crash(&bench);
        assert!(rows >= 150, "{rows} are left of 150, whose logs are deleted");
        bench.stop();
    }
    cluster.down("immediate");
}

#[test]
fn a_replay_within_which_a_server_crashes_that_does_not_wait_for_its_disk() {
    let cluster = does_not_wait_for_its_disk();
    let mut bench = Bench::not_started(SOURCE, cluster.database());
    // When what was loaded of the first file is lost, the second is read.
    for (name, lines) in [("a", 50), ("b", 20_000)] {
        bench.append_text(name, &many(lines), lines);
        bench.stands_still(name);
    }
    let replay = || {
        let mut command = alt();
        command.args(["replay", "--config"]).arg(&bench.config);
        command.args([bench.path("a"), bench.path("b")]).env("ALT_LOAD_BATCH_ROWS", "50");
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let child = replay();
    wait_for(30, || bench.rows() > 200, || bench.state());
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
    kill(pid, Signal::SIGSTOP).unwrap();
    cluster.down("immediate");
    cluster.up();
    kill(pid, Signal::SIGCONT).unwrap();
    let said = child.wait_with_output().unwrap();
    let error = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(said.status.code() == Some(1) && error.contains("run again to be sure"), "{said:?}");
    let said = replay().wait_with_output().unwrap();
    assert!(said.status.success(), "{said:?}");
    cluster.down("immediate");
    cluster.up();
    assert_eq!(bench.rows(), 20_050, "{}", bench.state());
    drop(bench);
    cluster.down("immediate");
}

#[test]
fn a_crash_of_a_server_that_does_not_wait_for_its_disk() {
    let cluster = does_not_wait_for_its_disk();
    let (mut bench, mut pace) = begun(cluster.database());
    for rotates in [false, true] {
        // The writer's tick may fall between a commit and the crash; not time and again.
        let lost = (0..5).any(|_| {
            pace.append(50);
            if rotates {
                pace.rotate();
                pace.append(50);
            }
            pace.settle(&bench, 60);
            let before = bench.rows();
            bench.daemon.as_ref().unwrap().signal(Signal::SIGSTOP);
            cluster.down("immediate");
            cluster.up();
            let after = bench.rows();
            bench.daemon.as_ref().unwrap().signal(Signal::SIGCONT);
            pace.settle(&bench, 60);
            after < before
        });
        assert!(lost, "no crash took a commit back");
    }
    let unnamed = "SELECT count(*) FROM access_logs l WHERE \
        NOT EXISTS (SELECT FROM user_agents WHERE id = l.user_agent_id) OR \
        NOT EXISTS (SELECT FROM environments WHERE id = l.environment_id)";
    assert_eq!(bench.database.psql(unnamed), "0", "{}", bench.state());
    passed(&mut bench);
    pace.check(&bench);
    drop(bench);
    cluster.down("immediate");
}

#[test]
fn a_failover_to_a_replica_that_lacks_the_last_commits() {
    let primary = Cluster::start(&["fsync=off"]);
    let (mut bench, mut pace, proxy) = movable(&primary, "");
    pace.append(50);
    pace.settle(&bench, 30);
    let replica = Cluster::copy_of(&primary, true);
    replica.up();
    pace.append(50);
    pace.rotate();
    pace.append(50);
    pace.settle(&bench, 30);
    archived(&bench, 1);
    let on_replica = || {
        replica.psql(&bench.database.name, "SELECT count(*) FROM access_logs WHERE (SELECT count(*) FROM log_files WHERE archived_at IS NOT NULL) = 1")
    };
    wait_for(30, || on_replica() == "150", || replica.psql("postgres", "SELECT * FROM pg_stat_wal_receiver"));
    // From here on it gets nothing, not even that another log is in the archive.
    replica.down("fast");
    pace.append(50);
    pace.rotate();
    pace.append(50);
    pace.settle(&bench, 30);
    archived(&bench, 2);
    primary.down("immediate");
    pace.append(50);
    replica.up();
    replica.promote();
    bench.database = bench.database.moved_to(&replica);
    assert_eq!(bench.rows(), 150);
    proxy.lead_to(&replica);
    pace.append(50);
    pace.settle(&bench, 60);
    said(&bench, "another database cluster or timeline");
    pace.rotate();
    pace.append(50);
    pace.settle(&bench, 60);
    archived(&bench, 3);
    bench.stop();
    pace.check(&bench);
}

#[test]
fn a_restored_backup_is_filled_up_from_logs_and_archive() {
    let cluster = Cluster::start(&["fsync=off"]);
    let (mut bench, mut pace, proxy) = movable(&cluster, "delete_after = \"0s\"");
    pace.append(50);
    pace.rotate();
    pace.append(50);
    pace.settle(&bench, 30);
    archived(&bench, 1);
    let backup = Cluster::copy_of(&cluster, false);
    for _ in 0..3 {
        pace.append(50);
        pace.rotate();
    }
    pace.append(50);
    pace.settle(&bench, 30);
    archived(&bench, 4);
    let deleted = || (1..=4).all(|n| fs::metadata(pace.rotated(n)).is_err());
    wait_for(60, deleted, || bench.state());
    cluster.down("fast");
    pace.append(50);
    backup.up();
    bench.database = bench.database.moved_to(&backup);
    assert_eq!(bench.rows(), 100);
    proxy.lead_to(&backup);
    pace.append(50);
    // What the log on the disk holds comes by itself; the rest is in the archive, and is brought from there.
    let live = pace.texts.last().unwrap().lines().filter(|line| line.starts_with("alt1")).count();
    wait_for(60, || bench.rows() >= 50 + live, || bench.state());
    let archive = bench.path("archive");
    let replay = || alt().args(["replay", "--config"]).arg(&bench.config).arg(&archive).output().unwrap();
    let done = replay();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    pace.settle(&bench, 60);
    assert!(replay().status.success());
    bench.stop();
    pace.check(&bench);
}
