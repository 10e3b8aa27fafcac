//! Work that one process at a time may do: leases, behind a pooler of transactions, and with a holder that is stopped.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use alt_store::in_transaction;
use alt_store::lease::{Fence, Lease, Lost};
use nix::sys::signal::Signal;
use tokio_postgres::Client;

use crate::support::bench::Bench;
use crate::support::daemon::{Daemon, patience, wait_for};
use crate::support::lines::many;
use crate::support::pooler::Pooler;
use crate::support::postgres::Database;

/// As if so much time had passed that the lease was not renewed for.
fn expire(database: &Database) {
    database.psql("UPDATE leases SET expires_at = clock_timestamp() - interval '1 second'");
}

/// Longer than a lease is taken to be held without asking.
fn pause() {
    std::thread::sleep(Duration::from_millis(1100));
}

/// Writes a line as a worker does.
async fn write(client: &Client, fence: &Fence, text: &str) -> anyhow::Result<()> {
    in_transaction(client, "1s", async |client| {
        fence.check(client).await?;
        client.batch_execute(&format!("INSERT INTO written (text) VALUES ('{text}')")).await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn one_holder_at_a_time_writes_through_a_pooler_of_transactions() {
    let mut database = Database::create();
    let Some(pooler) = Pooler::start(&database.cluster, "transaction") else { return };
    database.url = pooler.url(&database);
    database.psql("CREATE TABLE written (id bigserial, text text); ALTER TABLE written OWNER TO alt");
    let (one, two) = (database.connect().await, database.connect().await);
    let mut first = Lease::new("work".to_owned(), "web-1");
    let mut second = Lease::new("work".to_owned(), "web-2");
    let mut other = Lease::new("other work".to_owned(), "web-2");

    let old = first.take(&one).await.unwrap().expect("it is free");
    assert_eq!(second.take(&two).await.unwrap(), None);
    assert!(other.take(&two).await.unwrap().is_some(), "it is another piece of work");
    write(&one, &old, "first").await.unwrap();
    pause();
    // Renewed, it is the same one.
    assert_eq!(first.take(&one).await.unwrap().as_ref(), Some(&old));
    assert_eq!(second.take(&two).await.unwrap(), None);

    // The first is held up for too long.
    expire(&database);
    let new = second.take(&two).await.unwrap().expect("it has expired");
    let error = write(&one, &old, "first, too late").await.unwrap_err();
    assert!(error.is::<Lost>(), "{error:#}");
    write(&two, &new, "second").await.unwrap();
    pause();
    assert_eq!(first.take(&one).await.unwrap(), None);

    // Released, it is free at once; what one held before is no longer its own.
    second.release(&two).await.unwrap();
    let newest = first.take(&one).await.unwrap().expect("it was released");
    assert!(newest != old && write(&one, &old, "first, by an old fence").await.is_err());
    write(&one, &newest, "first again").await.unwrap();

    // Its own lease, expired, comes back with another fence: others may have worked meanwhile.
    expire(&database);
    pause();
    let later = first.take(&one).await.unwrap().expect("nobody else wants it");
    assert!(later != newest && write(&one, &newest, "first, by a fence that expired").await.is_err());

    // A database whose clock was set back by years lets nobody wait for years.
    database.psql("UPDATE leases SET expires_at = clock_timestamp() + interval '3 years'");
    assert!(second.take(&two).await.unwrap().is_some());
    assert_eq!(database.psql("SELECT text FROM written ORDER BY id"), "first\nsecond\nfirst again");
}

#[tokio::test]
async fn nobody_takes_a_lease_between_the_check_and_the_commit() {
    let database = Database::create();
    let (one, two) = (database.connect().await, database.connect().await);
    let mut first = Lease::new("work".to_owned(), "web-1");
    let mut second = Lease::new("work".to_owned(), "web-2");
    let fence = first.take(&one).await.unwrap().unwrap();
    in_transaction(&one, "1s", async |client| {
        fence.check(client).await?;
        let asked = Instant::now();
        // Whoever expires it waits, too: this is a moment that passes by itself.
        let expired = "SELECT pg_sleep(6), clock_timestamp() > expires_at FROM leases";
        assert!(two.query_one(expired, &[]).await?.get::<_, bool>(1));
        assert_eq!(second.take(&two).await?, None);
        assert!(asked.elapsed() < Duration::from_secs(6) + patience(3));
        Ok(())
    })
    .await
    .unwrap();
    assert!(second.take(&two).await.unwrap().is_some());
}

/// Two hosts on one database, the first of which stops at a step of its upkeep.
struct Hosts {
    bench: Bench,
    stopped: Daemon,
    other: Option<Daemon>,
}

impl Hosts {
    fn new(step: &str) -> Hosts {
        let mut bench = Bench::not_started("[[source]]\npaths = [\"DIR/beacon.log\"]", Database::create());
        bench.append_text("beacon.log", &format!("{}garbage\n", many(5)), 5);
        bench.start();
        wait_for(30, || bench.database.psql("SELECT count(*) FROM rejected_lines") == "1", || bench.state());
        wait_for(30, || bench.rows() == 5, || bench.state());
        bench.stop();
        bench.database.psql("UPDATE rejected_lines SET rejected_at = now() - interval '400 days'");
        let at = |host: &str| -> PathBuf {
            let text = fs::read_to_string(&bench.config).unwrap();
            let path = bench.path(&format!("{host}.toml"));
            fs::write(&path, text.replace("[load]", &format!("[load]\nhost = \"{host}\""))).unwrap();
            path
        };
        let stopped = Daemon::start_with(&at("web-1"), |command| _ = command.env("ALT_FAULT_STOP_AT", step));
        let stops = || stopped.log().contains("ALT_FAULT_STOP_AT: stops at");
        wait_for(30, stops, || stopped.log());
        let other =
            Some(Daemon::start_with(&at("web-2"), |command| _ = command.env("ALT_FAULT_WAIT", "1000")));
        Hosts { bench, stopped, other }
    }

    fn deleted(&self) -> String {
        self.bench.database.psql("SELECT host, what, count FROM retention_drops ORDER BY id")
    }

    /// The other one takes over. When the first one goes on, it has to take the lease anew: at its next turn, if nothing is
    /// wrong, and soon, if it lost its connection (`comes_back`).
    fn the_other_takes_over(mut self, within: u64, comes_back: bool) {
        let began = Instant::now();
        wait_for(within, || self.deleted() == "web-2|rejects|1", || self.other.as_ref().unwrap().log());
        assert!(began.elapsed() > Duration::from_secs(3), "before the lease has expired");
        // A daemon that is stopped within its turn leaves the lease to expire.
        let released =
            "SELECT bool_and(expires_at <= clock_timestamp()) FROM leases WHERE name LIKE 'upkeep%'";
        wait_for(30, || self.bench.database.psql(released) == "t", || self.other.as_ref().unwrap().log());
        assert!(self.other.take().unwrap().stop().success());
        // Something else is old enough by now.
        let sql = "INSERT INTO rejected_lines (file_id, file_offset, bytes, lines, reason, rejected_at) \
                   SELECT min(id), 9999, 1, 1, 'bad_status', now() - interval '400 days' FROM log_files";
        self.bench.database.psql(sql);
        self.stopped.signal(Signal::SIGCONT);
        let expected = if comes_back { "web-2|rejects|1\nweb-1|rejects|1" } else { "web-2|rejects|1" };
        std::thread::sleep(Duration::from_secs(3));
        assert_eq!(self.deleted(), expected, "{}", self.stopped.log());
        // Loading goes on.
        self.bench.append("beacon.log", 5);
        wait_for(30, || self.bench.rows() == 10, || self.bench.state());
        assert!(self.stopped.stop().success());
    }
}

#[test]
fn a_holder_that_is_stopped_before_it_writes_writes_nothing_later() {
    Hosts::new("LeaseTaken:2").the_other_takes_over(30, false);
}

#[test]
fn a_holder_that_is_stopped_within_a_transaction_holds_nobody_up_for_long() {
    Hosts::new("FenceChecked:2").the_other_takes_over(40, true);
}
