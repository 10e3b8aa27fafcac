//! The ledger of what changed in `access_logs`: it tells of every row, and whoever follows it takes every change once.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::time::Duration;

use alt_store::in_transaction;
use alt_store::ledger::{self, Changes, Entry, Kind, Position};
use tokio_postgres::Client;
use traffic::Traffic;
use uuid::Uuid;

use crate::replay::{bench, counts, replay, write};
use crate::support::bench::{Bench, LEDGER_UNBALANCED, NOT_IN_LEDGER};
use crate::support::daemon::{Daemon, alt, wait_for};
use crate::support::lines::{KEY, alt1_aged, many};
use crate::support::pooler::Pooler;
use crate::support::postgres::{Cluster, Database};

const HOUR: u64 = 3600;

fn run(bench: &Bench, args: &[&str]) {
    let mut command = alt();
    command.args(args).arg("--config").arg(&bench.config).current_dir(bench.directory.path());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{args:?}: {output:?}");
}

async fn entries(client: &Client) -> Vec<Entry> {
    ledger::after(client, Position::default(), 1000).await.unwrap()
}

/// The applications and hours that rows have.
async fn hours_of_rows(client: &Client, which: &str) -> Vec<(i32, i32)> {
    let sql = format!(
        "SELECT DISTINCT app_id, floor(extract(epoch FROM occurred_at) / 3600)::int FROM access_logs \
         WHERE {which} ORDER BY 1, 2"
    );
    client.query(&sql, &[]).await.unwrap().iter().map(|row| (row.get(0), row.get(1))).collect()
}

async fn ids_of(client: &Client, entry: &Entry) -> BTreeSet<u128> {
    let rows = ledger::rows(client, entry, "event_id").await.unwrap();
    rows.iter().map(|row| row.get::<_, Uuid>(0).as_u128()).collect()
}

/// Every way that rows come and go has its entries, and an entry leads to the rows that it added.
#[tokio::test]
async fn every_row_that_comes_or_goes_is_entered() {
    let mut bench = bench();
    bench.database.psql("INSERT INTO applications (app_key, name) VALUES ('blog', 'Blog')");
    let client = bench.database.connect().await;
    let ages = [0, 0, HOUR, HOUR, 30 * HOUR, 40 * 24 * HOUR];
    let shop: String = ages.iter().map(|age| alt1_aged(*age)).collect();
    let blog: String = [0, 50 * HOUR].iter().map(|age| alt1_aged(*age)).collect();
    let late = many(3).replace(&format!("a={KEY}"), "a=later");
    let text = format!("{shop}{}garbage\n{late}", blog.replace(&format!("a={KEY}"), "a=blog"));
    write(&mut bench, "a.log", &text, 8);
    let other = many(4);
    write(&mut bench, "b.log", &other, 4);
    assert_eq!(counts(&replay(&bench, &["a.log", "b.log"]).unwrap()), (16, 12, 0));

    let first = entries(&client).await;
    let hours: BTreeSet<_> = first.iter().flat_map(|entry| entry.hours.clone()).collect();
    assert_eq!(hours.into_iter().collect::<Vec<_>>(), hours_of_rows(&client, "true").await);
    for entry in &first {
        let here = format!("file_id = {}", entry.file_id.unwrap());
        assert_eq!(
            entry.hours,
            hours_of_rows(&client, &here).await,
            "pairs, not every application with every hour"
        );
        assert_eq!((entry.kind, &entry.offsets), (Kind::Rows, &None));
        assert_eq!(ids_of(&client, entry).await.len(), usize::try_from(entry.rows.unwrap()).unwrap());
    }
    assert_eq!(first.iter().map(|entry| entry.rows.unwrap()).sum::<i64>(), 12);

    // Rows that lie between those of earlier batches are told one by one: rejects that are loaded after all…
    bench.database.psql("INSERT INTO applications (app_key, name) VALUES ('later', 'Later')");
    run(&bench, &["rejects", "retry"]);
    let all = entries(&client).await;
    let [retried] = &all[first.len()..] else { panic!("{all:?}") };
    assert_eq!(
        (retried.kind, retried.rows, retried.offsets.as_ref().map(Vec::len)),
        (Kind::Rows, Some(3), Some(3))
    );
    assert_eq!(ids_of(&client, retried).await.len(), 3);

    // … rows that come back into a file of which others stayed; and what is taken out, by application and by file.
    let gone = hours_of_rows(&client, "app_id = 2").await;
    run(&bench, &["unload", "--app", "blog", "--since", "300d"]);
    let all = entries(&client).await;
    let removed: Vec<&Entry> = all.iter().filter(|entry| entry.kind == Kind::Removed).collect();
    assert!(removed.iter().all(|entry| entry.file_id.is_none() && entry.bytes.is_none()));
    let mut told: Vec<_> = removed.iter().flat_map(|entry| entry.hours.clone()).collect();
    told.sort_unstable();
    assert_eq!((told, removed.iter().map(|entry| entry.rows.unwrap()).sum::<i64>()), (gone, 2));
    let before = all.len();
    assert_eq!(counts(&replay(&bench, &["--again", "a.log"]).unwrap()).1, 2);
    let all = entries(&client).await;
    let [again] = &all[before..] else { panic!("{all:?}") };
    assert_eq!((again.rows, again.offsets.as_ref().map(Vec::len)), (Some(2), Some(2)));
    assert_eq!(ids_of(&client, again).await.len(), 2);
    run(&bench, &["unload", "b.log"]);
    let last = entries(&client).await.pop().unwrap();
    let file = bench.database.psql("SELECT id FROM log_files WHERE path LIKE '%/b.log'").parse().unwrap();
    assert_eq!((last.kind, last.rows, last.file_id), (Kind::Removed, Some(4), Some(file)));

    assert_eq!(bench.database.psql(NOT_IN_LEDGER), "");
    assert_eq!(bench.database.psql(LEDGER_UNBALANCED), "");
    // Nothing is entered where nothing is added.
    let before = entries(&client).await.len();
    assert_eq!(counts(&replay(&bench, &["--again", "a.log"]).unwrap()).1, 0);
    assert_eq!(entries(&client).await.len(), before);
}

/// Rejects whose bytes are in the database, of a file that is gone: no byte of the section is read.
#[tokio::test]
async fn rejects_of_a_file_that_is_gone_are_entered() {
    let mut bench = bench();
    let text = many(1).replace(&format!("a={KEY}"), "a=later");
    write(&mut bench, "a.log", &text, 1);
    assert_eq!(counts(&replay(&bench, &["a.log"]).unwrap()).1, 0);
    bench.database.psql("INSERT INTO applications (app_key, name) VALUES ('later', 'Later')");
    fs::remove_file(bench.path("a.log")).unwrap();
    run(&bench, &["rejects", "retry"]);
    assert_eq!(bench.rows(), 1);
    assert_eq!(bench.database.psql(NOT_IN_LEDGER), "");
    let client = bench.database.connect().await;
    let all = entries(&client).await;
    let [entry] = all.as_slice() else { panic!("{all:?}") };
    assert_eq!(ids_of(&client, entry).await.len(), 1);
}

/// What retention drops is entered, and is no change for whoever reads the ledger as a set.
#[tokio::test]
async fn a_dropped_month_is_entered_and_changes_nothing() {
    let mut bench = bench();
    let text = fs::read_to_string(&bench.config).unwrap() + "[retention]\nrows = \"2 months\"\n";
    fs::write(&bench.config, text).unwrap();
    write(&mut bench, "old.log", &alt1_aged(120 * 24 * HOUR), 1);
    replay(&bench, &["old.log"]).unwrap();
    let client = bench.database.connect().await;
    assert!(ledger::follow(&client, "test").await.unwrap());
    bench.append("beacon.log", 1);
    let daemon = Daemon::start(&bench.config);
    wait_for(30, || daemon.log().contains("dropped a partition"), || daemon.log());
    wait_for(30, || bench.rows() == 1, || daemon.log());
    assert!(daemon.stop().success());
    let kinds: Vec<Kind> = entries(&client).await.iter().map(|entry| entry.kind).collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == Kind::Expired).count(), 1, "{kinds:?}");
    let taken = take(&client).await;
    assert_eq!(taken, Changes::Hours(hours_of_rows(&client, "true").await));
}

async fn take(client: &Client) -> Changes {
    in_transaction(client, "10s", async |client| ledger::take(client, "test").await).await.unwrap()
}

/// Enters a change, as a transaction that goes on for a while and may be rolled back.
async fn enter(client: &Client, hour: i32, pause: Duration, commits: bool) {
    client.batch_execute("BEGIN").await.unwrap();
    let sql = format!(
        "INSERT INTO batches (part, kind, first_at, last_at, rows, apps, hours) VALUES (1, 'rows', now(), now(), 1, '{{1}}', '{{{hour}}}')"
    );
    client.batch_execute(&sql).await.unwrap();
    tokio::time::sleep(pause).await;
    client.batch_execute(if commits { "COMMIT" } else { "ROLLBACK" }).await.unwrap();
}

/// Four writers, of which each third transaction is rolled back, while others read in both ways. Returns what was
/// committed, what was taken as a set, look by look, and what was read in order.
async fn storm(database: &Database, count: i32) -> (BTreeSet<i32>, Vec<Vec<i32>>, Vec<Position>) {
    let next = Arc::new(AtomicI32::new(1));
    let over = Arc::new(AtomicBool::new(false));
    let mut writers = Vec::new();
    for number in 0..4u64 {
        let (client, next) = (database.connect().await, Arc::clone(&next));
        writers.push(tokio::spawn(async move {
            let mut committed = Vec::new();
            loop {
                let hour = next.fetch_add(1, Ordering::Relaxed);
                if hour > count {
                    return committed;
                }
                // Numbers are given in one order, and committed in another.
                let pause = Duration::from_millis((u64::from(hour.unsigned_abs()) * 7 + number * 5) % 23);
                let commits = hour % 3 != 0;
                enter(&client, hour, pause, commits).await;
                committed.extend(commits.then_some(hour));
            }
        }));
    }
    let (setter, is_over) = (database.connect().await, Arc::clone(&over));
    let set = tokio::spawn(async move {
        let mut looks = Vec::new();
        loop {
            let last = is_over.load(Ordering::Relaxed);
            let Changes::Hours(hours) = take(&setter).await else { panic!("nothing was missed") };
            looks.push(hours.into_iter().map(|(_, hour)| hour).collect());
            if last {
                return looks;
            }
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    });
    let (orderly, is_over) = (database.connect().await, Arc::clone(&over));
    let order = tokio::spawn(async move {
        let mut read: Vec<Position> = Vec::new();
        loop {
            let last = is_over.load(Ordering::Relaxed);
            let position = read.last().copied().unwrap_or_default();
            let more = ledger::after(&orderly, position, 5).await.unwrap();
            if last && more.is_empty() {
                return read;
            }
            read.extend(more.iter().map(|entry| entry.position));
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    let mut committed = BTreeSet::new();
    for writer in writers {
        committed.extend(writer.await.unwrap());
    }
    over.store(true, Ordering::Relaxed);
    (committed, set.await.unwrap(), order.await.unwrap())
}

/// Also through a pooler of transactions: nothing of a follower belongs to a session.
#[tokio::test(flavor = "multi_thread")]
async fn each_change_is_taken_once_whatever_is_open_beside_it() {
    // On a cluster of its own: an open transaction of another test would hold up what is read in order.
    let cluster = Cluster::start(&["fsync=off"]);
    let mut database = cluster.database();
    let Some(pooler) = Pooler::start(&cluster, "transaction") else { return };
    database.url = pooler.url(&database);
    let client = database.connect().await;
    assert!(ledger::follow(&client, "test").await.unwrap());
    assert!(!ledger::follow(&client, "test").await.unwrap(), "it is registered");
    let (committed, looks, read) = storm(&database, 300).await;
    assert_eq!(committed.len(), 200);
    let mut times: BTreeMap<i32, usize> = BTreeMap::new();
    looks.iter().flatten().for_each(|hour| *times.entry(*hour).or_default() += 1);
    assert_eq!(times.keys().copied().collect::<BTreeSet<_>>(), committed);
    assert!(times.values().all(|times| *times == 1), "taken twice: {times:?}");
    // Had nothing been committed out of order, this would have tried nothing.
    let taken: Vec<i32> = looks.into_iter().flatten().collect();
    assert!(!taken.is_sorted(), "{taken:?}");

    assert!(read.is_sorted_by(|a, b| a < b), "read in order, each once");
    assert_eq!(read, entries(&client).await.iter().map(|entry| entry.position).collect::<Vec<_>>());
    assert_eq!(read.len(), committed.len());
}

#[tokio::test]
async fn an_open_transaction_holds_up_the_order_and_not_the_set() {
    let cluster = Cluster::start(&["fsync=off"]);
    let database = cluster.database();
    let (client, writer, open) =
        (database.connect().await, database.connect().await, database.connect().await);
    ledger::follow(&client, "test").await.unwrap();
    ledger::follow_in_order(&client, "output").await.unwrap();
    let begin = ledger::position(&client, "output").await.unwrap().unwrap();
    open.batch_execute("BEGIN; SELECT pg_current_xact_id()").await.unwrap();
    enter(&writer, 7, Duration::ZERO, true).await;
    assert_eq!(take(&client).await, Changes::Hours(vec![(1, 7)]));
    assert_eq!(ledger::after(&client, begin, 10).await.unwrap(), []);
    // What was rolled back was not taken.
    enter(&writer, 8, Duration::ZERO, true).await;
    let undone = in_transaction(&client, "1s", async |client| {
        assert_eq!(ledger::take(client, "test").await?, Changes::Hours(vec![(1, 8)]));
        anyhow::bail!("not this time") as anyhow::Result<()>
    });
    undone.await.unwrap_err();
    assert_eq!(take(&client).await, Changes::Hours(vec![(1, 8)]));
    assert_eq!(take(&client).await, Changes::Hours(vec![]));
    open.batch_execute("COMMIT").await.unwrap();
    let read = ledger::after(&client, begin, 10).await.unwrap();
    assert_eq!(read.iter().map(|entry| entry.hours[0].1).collect::<Vec<_>>(), [7, 8]);
    ledger::advance(&client, "output", read[0].position).await.unwrap();
    let position = ledger::position(&client, "output").await.unwrap().unwrap();
    assert_eq!(ledger::after(&client, position, 10).await.unwrap(), read[1..]);
}

#[tokio::test]
async fn the_ledger_is_pruned_behind_its_followers_and_tells_who_missed_something() {
    let cluster = Cluster::start(&["fsync=off"]);
    let database = cluster.database();
    let (client, writer) = (database.connect().await, database.connect().await);
    let prune =
        async || in_transaction(&client, "1s", async |client| ledger::prune(client).await).await.unwrap();
    let age = |time: &str| {
        database.psql(&format!("UPDATE batches SET entered_at = entered_at - interval '{time}'"))
    };
    // Nobody follows: what is young is kept for whoever looks.
    enter(&writer, 1, Duration::ZERO, true).await;
    assert_eq!(prune().await, 0);
    age("2 hours");
    assert_eq!(prune().await, 1);
    // Each kind of follower is waited for.
    ledger::follow(&client, "test").await.unwrap();
    ledger::follow_in_order(&client, "output").await.unwrap();
    enter(&writer, 2, Duration::ZERO, true).await;
    age("2 hours");
    assert_eq!(prune().await, 0);
    assert_eq!(take(&client).await, Changes::Hours(vec![(1, 2)]));
    assert_eq!(prune().await, 0, "the other one has not read it");
    let position = ledger::position(&client, "output").await.unwrap().unwrap();
    let read = ledger::after(&client, position, 10).await.unwrap();
    ledger::advance(&client, "output", read[0].position).await.unwrap();
    enter(&writer, 3, Duration::ZERO, true).await;
    take(&client).await;
    let last = ledger::after(&client, read[0].position, 10).await.unwrap()[0].position;
    ledger::advance(&client, "output", last).await.unwrap();
    age("2 hours");
    // The last one is kept where a position stands on it.
    assert_eq!(prune().await, 1);
    // One that is gone for long is no longer waited for, and is told.
    enter(&writer, 4, Duration::ZERO, true).await;
    take(&client).await;
    database.psql("UPDATE followers SET moved_at = now() - interval '169 hours' WHERE name = 'output'");
    assert_eq!(prune().await, 0);
    age("169 hours");
    assert_eq!(prune().await, 2);
    assert_eq!(ledger::position(&client, "output").await.unwrap(), None);
    assert!(ledger::position(&client, "output").await.unwrap().is_some(), "told once");
    // One that has moved for long, and has nothing to read, misses nothing.
    database.psql("UPDATE followers SET moved_at = now() - interval '169 hours'");
    prune().await;
    assert_eq!(take(&client).await, Changes::Hours(vec![]));
    // Another server, by its identifier or by its numbers: everything is to be read again.
    for elsewhere in ["cluster = 42", "seen = '900000000:900000000:'"] {
        database.psql(&format!("UPDATE followers SET {elsewhere} WHERE name = 'test'"));
        assert_eq!(take(&client).await, Changes::Missed, "{elsewhere}");
        assert_eq!(take(&client).await, Changes::Hours(vec![]));
    }
    // Entries of another server are pruned by their age.
    database.psql(
        "INSERT INTO batches (xid, part, kind, first_at, last_at, apps, hours, entered_at) \
         VALUES ('900000000', 1, 'rows', now(), now(), '{1}', '{1}', now() - interval '7 days')",
    );
    assert_eq!(prune().await, 0);
    age("2 days");
    assert_eq!(prune().await, 1);
    ledger::unfollow(&client, "test").await.unwrap();
    ledger::unfollow(&client, "output").await.unwrap();
    assert_eq!(database.psql("SELECT count(*) FROM followers"), "0");
}

/// The upkeep of the daemon prunes it.
#[test]
fn the_daemon_prunes_the_ledger() {
    let mut bench = bench();
    bench.append("beacon.log", 3);
    bench.start();
    bench.settle();
    bench.stop();
    bench.database.psql("UPDATE batches SET entered_at = entered_at - interval '2 hours'");
    bench.start();
    wait_for(30, || bench.database.psql("SELECT count(*) FROM batches") == "0", || bench.state());
}

/// Of the WAL of a replay of made traffic in batches of 50 rows, the ledger takes at most 2 %.
#[test]
fn the_ledger_costs_little_wal() {
    let settings = ["fsync=off", "full_page_writes=off", "autovacuum=off", "checkpoint_timeout=1h"];
    let cluster = Cluster::start(&settings);
    let bench = Bench::not_started("[[source]]\npaths = [\"DIR/beacon.log\"]", cluster.database());
    let mut traffic = Traffic::new(7, 1_780_000_000_000, 500.0);
    bench.database.psql(&traffic.sql());
    let text = fs::read_to_string(&bench.config).unwrap().replace("[load]\n", "[load]\nbatch_rows = 50\n");
    fs::write(&bench.config, text).unwrap();
    let mut lines = |name: &str, count: usize| {
        let mut text = Vec::new();
        (0..count).for_each(|_| traffic.alt1(&mut text));
        fs::write(bench.path(name), text).unwrap();
        replay(&bench, &[name]).unwrap();
    };
    let at = || cluster.psql("postgres", "SELECT pg_current_wal_lsn() - '0/0'").parse::<f64>().unwrap();
    // The first one makes partitions, and the first pages of every table.
    lines("first.log", 2500);
    let old = bench.database.psql("SELECT max(xid) FROM batches");
    let before = at();
    lines("then.log", 10_000);
    let loaded = at();
    // Two loads differ by more than the ledger writes: in which pages of an index are split. So the entries are
    // written once more.
    bench.database.psql(&format!(
        "INSERT INTO batches SELECT (jsonb_populate_record(b, jsonb_build_object('xid', (b.xid::text::bigint + 1000000000)::text))).* \
         FROM batches b WHERE xid > '{old}'"
    ));
    let entries: f64 =
        bench.database.psql(&format!("SELECT count(*) FROM batches WHERE xid > '{old}'")).parse().unwrap();
    assert!(entries >= 400.0, "{entries}");
    let (all, ledger) = (loaded - before, at() - loaded);
    println!(
        "WAL of 10,000 rows: {all} bytes, of which the ledger has {ledger}: {:.4}",
        all / (all - ledger)
    );
    assert!(all / (all - ledger) < 1.02, "{ledger} of {all}");
}
