//! A bounded number of connections, and transactions on them that are short.
//!
//! Settings are those of a transaction, never of a session, so any session that a transaction pooler chooses will do. A
//! transaction that is not ended (its request was given up, or failed) closes its connection, so that nothing of it
//! outlives it.
//!
//! Reads may be those of a standby (`replica`), which is a little behind the server that changes are made on.

use std::ops::Deref;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_postgres::Client;

use self::replica::{Behind, Replica};
use crate::connect::{Connection, connect_counted};

mod replica;

/// How long a transaction of the API may take.
pub const TRANSACTION_TIME: Duration = Duration::from_secs(2);

/// How long a request waits for a connection.
const WAIT: Duration = Duration::from_secs(2);

/// One snapshot of everything, in which PostgreSQL permits no change.
const BEGIN_READING: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = '2s'; \
    SET LOCAL idle_in_transaction_session_timeout = '5s'; SET LOCAL jit = off";

/// A change.
const BEGIN_CHANGING: &str = "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL statement_timeout = '2s'; \
    SET LOCAL lock_timeout = '1s'; SET LOCAL idle_in_transaction_session_timeout = '5s'";

/// Connections, at most so many.
#[derive(Debug)]
pub struct Pool {
    primary: Server,
    replica: Option<Replica>,
    name: String,
    permits: Arc<Semaphore>,
    open: Arc<AtomicU64>,
}

/// A server, and its connections that nobody uses.
#[derive(Debug)]
struct Server {
    postgres: alt_config::Postgres,
    idle: Mutex<Vec<Connection>>,
}

impl Server {
    fn new(postgres: &alt_config::Postgres) -> Server {
        Server { postgres: postgres.clone(), idle: Mutex::default() }
    }
}

/// Which server a transaction is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum On {
    Primary,
    Replica,
}

impl Pool {
    /// A pool of at most `most` connections, none of which is open yet. `host` is a part of the name of their sessions.
    /// `read_url` names a standby for what only reads.
    pub fn new(
        postgres: &alt_config::Postgres,
        read_url: Option<&str>,
        host: &str,
        most: usize,
    ) -> Arc<Pool> {
        let standby = |url: &str| alt_config::Postgres { url: url.to_owned(), ..postgres.clone() };
        Arc::new(Pool {
            primary: Server::new(postgres),
            replica: read_url.map(|url| Replica::new(Server::new(&standby(url)))),
            name: crate::session_name("serve", host),
            permits: Arc::new(Semaphore::new(most)),
            open: Arc::default(),
        })
    }

    /// Whether what is known can be read although nothing can be changed.
    pub fn has_replica(&self) -> bool {
        self.replica.is_some()
    }

    /// How many connections are open.
    pub fn open(&self) -> u64 {
        self.open.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// Begins to read: everything until its end is of one moment. With a standby, on it, unless it does not answer or is too
    /// far behind.
    ///
    /// # Errors
    /// No connection becomes free in time, or the database cannot be reached.
    pub async fn read(self: &Arc<Self>) -> anyhow::Result<Transaction> {
        let permit = self.permit().await?;
        if let Some(replica) = &self.replica
            && replica.is_tried()
        {
            let wanted = replica.wanted(self);
            let found = self.on_replica(wanted).await;
            replica.told(found.as_ref().err());
            if let Ok(connection) = found {
                return Ok(self.transaction(connection, On::Replica, permit));
            }
        }
        let connection = self.connection(On::Primary, BEGIN_READING).await?;
        Ok(self.transaction(connection, On::Primary, permit))
    }

    /// A connection on which the standby has begun to read, if it is as far as this.
    async fn on_replica(&self, wanted: i64) -> anyhow::Result<Connection> {
        // Before the transaction: its first statement takes the snapshot, and what that statement says of the standby may be
        // newer.
        let connection = self.connection(On::Replica, "").await?;
        if replica::replayed(&connection).await?.is_none_or(|replayed| replayed >= wanted) {
            connection.batch_execute(BEGIN_READING).await.context("begin")?;
            return Ok(connection);
        }
        alt_process::lock::lock(&self.server(On::Replica).idle).push(connection);
        Err(Behind.into())
    }

    /// Begins to change something. What is not committed is undone.
    ///
    /// # Errors
    /// As [`Pool::read`].
    pub async fn change(self: &Arc<Self>) -> anyhow::Result<Transaction> {
        self.begin(On::Primary, BEGIN_CHANGING).await
    }

    fn server(&self, on: On) -> &Server {
        match (on, &self.replica) {
            (On::Replica, Some(replica)) => &replica.server,
            _ => &self.primary,
        }
    }

    async fn begin(self: &Arc<Self>, on: On, begin: &str) -> anyhow::Result<Transaction> {
        let permit = self.permit().await?;
        Ok(self.transaction(self.connection(on, begin).await?, on, permit))
    }

    async fn permit(&self) -> anyhow::Result<OwnedSemaphorePermit> {
        let permit = tokio::time::timeout(WAIT, Arc::clone(&self.permits).acquire_owned()).await;
        permit.context("all connections to the database are in use")?.context("closed")
    }

    fn transaction(
        self: &Arc<Self>,
        connection: Connection,
        on: On,
        permit: OwnedSemaphorePermit,
    ) -> Transaction {
        Transaction { connection: Some(connection), on, pool: Arc::clone(self), _permit: permit }
    }

    async fn connection(&self, on: On, begin: &str) -> anyhow::Result<Connection> {
        let begun = tokio::time::timeout(2 * WAIT, async {
            // A connection that was closed meanwhile (the server was restarted) is replaced.
            while let Some(connection) = self.take(on) {
                if !connection.is_closed() && connection.batch_execute(begin).await.is_ok() {
                    return Ok(connection);
                }
            }
            let connection =
                connect_counted(&self.server(on).postgres, &self.name, Arc::clone(&self.open)).await?;
            crate::migrate::check_compatible(&connection).await?;
            connection.batch_execute(begin).await.context("begin")?;
            anyhow::Ok(connection)
        });
        begun.await.context("the database does not answer")?
    }

    fn take(&self, on: On) -> Option<Connection> {
        alt_process::lock::lock(&self.server(on).idle).pop()
    }
}

/// A transaction. It is undone and its connection closed, unless it is ended.
#[derive(Debug)]
pub struct Transaction {
    connection: Option<Connection>,
    on: On,
    pool: Arc<Pool>,
    // After the connection: it is dropped first.
    _permit: OwnedSemaphorePermit,
}

impl Transaction {
    /// Commits. Whoever reads afterwards sees it.
    ///
    /// # Errors
    /// The database does not commit: nothing was changed, or it is not known.
    pub async fn commit(mut self) -> anyhow::Result<()> {
        let pool = Arc::clone(&self.pool);
        let Some(replica) = &pool.replica else { return self.finish("COMMIT").await };
        self.batch_execute("COMMIT").await.context("end the transaction")?;
        replica.wrote(replica::written(&self).await.ok());
        self.put_back()
    }

    /// Ends reading, or undoes what was changed.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn end(self) -> anyhow::Result<()> {
        self.finish("ROLLBACK").await
    }

    async fn finish(mut self, how: &str) -> anyhow::Result<()> {
        self.batch_execute(how).await.context("end the transaction")?;
        self.put_back()
    }

    fn put_back(&mut self) -> anyhow::Result<()> {
        let Some(connection) = self.connection.take() else { bail!("the transaction has ended") };
        alt_process::lock::lock(&self.pool.server(self.on).idle).push(connection);
        Ok(())
    }
}

impl Deref for Transaction {
    type Target = Client;

    fn deref(&self) -> &Client {
        match &self.connection {
            Some(connection) => connection,
            None => unreachable!("only `finish` takes the connection, and it takes the transaction, too"),
        }
    }
}
