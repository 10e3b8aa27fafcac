//! Read-only access: every query runs in a transaction in which PostgreSQL permits no change.
//!
//! The statement that begins the transaction makes it `READ ONLY`. No session setting is changed, so any session that a
//! transaction pooler chooses will do. The transaction ends with the query. No lock is held between two queries.

use anyhow::Context;
use tokio_postgres::{Client, IsolationLevel};

use super::connect::{Connection, connect};
use super::make_durable;

/// A connection that cannot change anything.
#[derive(Debug)]
pub struct Reader(Connection);

impl Reader {
    /// Connects.
    ///
    /// # Errors
    /// Those of [`connect`].
    pub async fn connect(config: &alt_config::Postgres, application_name: &str) -> anyhow::Result<Reader> {
        connect(config, application_name).await.map(Reader)
    }

    /// Runs one or several statements in a transaction that is `READ ONLY` and `REPEATABLE READ`: all of them see the same
    /// state.
    ///
    /// # Errors
    /// The errors of `question`: PostgreSQL's `25006` if it tries to change something. Or the transaction cannot be
    /// begun or ended.
    pub async fn read<T>(
        &mut self,
        question: impl AsyncFnOnce(&Client) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let begun = self
            .0
            .build_transaction()
            .isolation_level(IsolationLevel::RepeatableRead)
            .read_only(true)
            .start()
            .await;
        let transaction = begun.context("begin to read")?;
        let answer = question(transaction.client()).await;
        let ended = transaction.rollback().await;
        let answer = answer?;
        ended.context("end reading")?;
        Ok(answer)
    }

    /// As [`make_durable`], which waits and changes nothing.
    ///
    /// # Errors
    /// As [`make_durable`].
    pub async fn make_durable(&self) -> anyhow::Result<bool> {
        Ok(make_durable(&self.0).await?)
    }
}
