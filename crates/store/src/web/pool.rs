//! A bounded number of connections, and transactions on them that are short.
//!
//! Settings are those of a transaction, never of a session, so any session that a transaction pooler chooses will do. A
//! transaction that is not ended (its request was given up, or failed) closes its connection, so that nothing of it
//! outlives it.

use std::ops::Deref;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_postgres::Client;

use crate::connect::{Connection, connect_counted};

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
    postgres: alt_config::Postgres,
    name: String,
    permits: Arc<Semaphore>,
    idle: Mutex<Vec<Connection>>,
    open: Arc<AtomicU64>,
}

impl Pool {
    /// A pool of at most `most` connections, none of which is open yet. `host` is a part of the name of their sessions.
    pub fn new(postgres: &alt_config::Postgres, host: &str, most: usize) -> Arc<Pool> {
        Arc::new(Pool {
            postgres: postgres.clone(),
            name: crate::session_name("serve", host),
            permits: Arc::new(Semaphore::new(most)),
            idle: Mutex::default(),
            open: Arc::default(),
        })
    }

    /// How many connections are open.
    pub fn open(&self) -> u64 {
        self.open.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// Begins to read: everything until its end is of one moment.
    ///
    /// # Errors
    /// No connection becomes free in time, or the database cannot be reached.
    pub async fn read(self: &Arc<Self>) -> anyhow::Result<Transaction> {
        self.begin(BEGIN_READING).await
    }

    /// Begins to change something. What is not committed is undone.
    ///
    /// # Errors
    /// As [`Pool::read`].
    pub async fn change(self: &Arc<Self>) -> anyhow::Result<Transaction> {
        self.begin(BEGIN_CHANGING).await
    }

    async fn begin(self: &Arc<Self>, begin: &str) -> anyhow::Result<Transaction> {
        let permit = tokio::time::timeout(WAIT, Arc::clone(&self.permits).acquire_owned()).await;
        let permit = permit.context("all connections to the database are in use")?.context("closed")?;
        let begun = tokio::time::timeout(2 * WAIT, async {
            // A connection that was closed meanwhile (the server was restarted) is replaced.
            while let Some(connection) = self.take() {
                if !connection.is_closed() && connection.batch_execute(begin).await.is_ok() {
                    return Ok(connection);
                }
            }
            let connection = connect_counted(&self.postgres, &self.name, Arc::clone(&self.open)).await?;
            crate::migrate::check_compatible(&connection).await?;
            connection.batch_execute(begin).await.context("begin")?;
            anyhow::Ok(connection)
        });
        let connection = begun.await.context("the database does not answer")??;
        Ok(Transaction { connection: Some(connection), pool: Arc::clone(self), _permit: permit })
    }

    fn take(&self) -> Option<Connection> {
        alt_process::lock::lock(&self.idle).pop()
    }
}

/// A transaction. It is undone and its connection closed, unless it is ended.
#[derive(Debug)]
pub struct Transaction {
    connection: Option<Connection>,
    pool: Arc<Pool>,
    // After the connection: it is dropped first.
    _permit: OwnedSemaphorePermit,
}

impl Transaction {
    /// Commits.
    ///
    /// # Errors
    /// The database does not commit: nothing was changed, or it is not known.
    pub async fn commit(self) -> anyhow::Result<()> {
        self.finish("COMMIT").await
    }

    /// Ends reading, or undoes what was changed.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn end(self) -> anyhow::Result<()> {
        self.finish("ROLLBACK").await
    }

    async fn finish(mut self, how: &str) -> anyhow::Result<()> {
        let Some(connection) = self.connection.take() else { bail!("the transaction has ended") };
        connection.batch_execute(how).await.context("end the transaction")?;
        alt_process::lock::lock(&self.pool.idle).push(connection);
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
