//! A standby that answers reads.
//!
//! What was changed by this process is seen by whoever reads afterwards: the standby has to have replayed it. Of what others
//! change, it may be as far behind as the time between two looks at the primary; a token that was revoked is refused after
//! that time at the latest. If the primary does not answer, the standby answers however old it is: nothing can change then.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use alt_process::lock::lock;
use anyhow::Context;
use tokio_postgres::Client;

use super::{BEGIN_READING, On, Pool, Server};

/// How often the primary is asked how far it is.
const LOOK: Duration = Duration::from_secs(5);

/// Further than any standby is.
const UNKNOWN: i64 = i64::MAX;

/// A standby.
#[derive(Debug)]
pub(super) struct Replica {
    pub(super) server: Server,
    /// Where the last change of this process ended, as bytes of WAL.
    written: AtomicI64,
    /// How far the primary was when it was last asked; 0 if it did not answer.
    seen: AtomicI64,
    /// When the primary was last asked.
    looked: Mutex<Option<Instant>>,
    /// Whether it was told that the standby does not do.
    is_told: AtomicBool,
    /// When the standby was last tried, since it does not answer; `None`: it does.
    tried: Mutex<Option<Instant>>,
}

/// The standby answers, and is too far behind.
#[derive(Debug)]
pub(super) struct Behind;

impl std::fmt::Display for Behind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("it is behind the server that changes are made on")
    }
}

impl std::error::Error for Behind {}

impl Replica {
    pub(super) fn new(server: Server) -> Replica {
        Replica {
            server,
            written: AtomicI64::new(0),
            seen: AtomicI64::new(0),
            looked: Mutex::default(),
            is_told: AtomicBool::new(false),
            tried: Mutex::default(),
        }
    }

    /// How far a standby has to be that answers now. Sometimes begins to ask the primary how far it is; nobody waits for it.
    pub(super) fn wanted(&self, pool: &Arc<Pool>) -> i64 {
        let mut looked = lock(&self.looked);
        if looked.is_none_or(|at| at.elapsed() >= LOOK) {
            *looked = Some(Instant::now());
            let pool = Arc::clone(pool);
            tokio::spawn(async move {
                let found = async {
                    let db = pool.begin(On::Primary, BEGIN_READING).await?;
                    let found = written(&db).await?;
                    db.end().await?;
                    anyhow::Ok(found)
                };
                let (found, replica) = (found.await, pool.replica.as_ref());
                if let Some(replica) = replica {
                    replica.look(found);
                }
            });
        }
        self.written.load(Ordering::Relaxed).max(self.seen.load(Ordering::Relaxed))
    }

    /// What the primary said of how far it is.
    fn look(&self, found: anyhow::Result<i64>) {
        match found {
            Ok(found) => {
                self.seen.store(found, Ordering::Relaxed);
                let _ = self.written.compare_exchange(UNKNOWN, found, Ordering::Relaxed, Ordering::Relaxed);
            }
            Err(error) => {
                tracing::debug!("the primary does not answer: {error:#}");
                // A standby may never get what it has told.
                self.seen.store(0, Ordering::Relaxed);
                self.written.store(0, Ordering::Relaxed);
            }
        }
    }

    /// A change ended here; `None`: it is not known where, so the standby does not answer before the primary was asked.
    pub(super) fn wrote(&self, at: Option<i64>) {
        self.written.fetch_max(at.unwrap_or(UNKNOWN), Ordering::Relaxed);
    }

    /// Whether the standby is tried now. One that does not answer is tried by one request in [`LOOK`], so that the others do
    /// not wait for it.
    pub(super) fn is_tried(&self) -> bool {
        let mut tried = lock(&self.tried);
        if tried.is_some_and(|at| at.elapsed() < LOOK) {
            return false;
        }
        if tried.is_some() {
            *tried = Some(Instant::now());
        }
        true
    }

    /// Says once that the standby does not do, and once that it does again.
    pub(super) fn told(&self, why: Option<&anyhow::Error>) {
        *lock(&self.tried) = why.filter(|error| !error.is::<Behind>()).map(|_| Instant::now());
        let before = self.is_told.swap(why.is_some(), Ordering::Relaxed);
        match why {
            Some(error) if !before => tracing::warn!("the server of read_url is not used: {error:#}"),
            None if before => tracing::info!("the server of read_url is used again"),
            _ => {}
        }
    }
}

/// How far a primary has written, as bytes of WAL.
///
/// # Errors
/// The database cannot be asked.
pub(super) async fn written(client: &Client) -> anyhow::Result<i64> {
    let sql = "SELECT CASE WHEN pg_is_in_recovery() THEN 0 ELSE pg_wal_lsn_diff(pg_current_wal_flush_lsn(), '0/0')::bigint END";
    let row = client.query_typed_one(sql, &[]).await.context("ask how far the server has written")?;
    Ok(row.get(0))
}

/// How far a standby has replayed, as bytes of WAL; `None`: it is no standby, and has everything.
///
/// # Errors
/// The database cannot be asked.
pub(super) async fn replayed(client: &Client) -> anyhow::Result<Option<i64>> {
    let sql = "SELECT CASE WHEN pg_is_in_recovery() THEN pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0')::bigint END";
    let row = client.query_typed_one(sql, &[]).await.context("ask how far the standby is")?;
    Ok(row.get(0))
}
