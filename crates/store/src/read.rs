//! The one way in for those who only read: every question is a transaction that PostgreSQL lets change nothing.
//!
//! The transaction is `READ ONLY` by the statement that begins it. Nothing is set on the session, so that it does not matter
//! which session a transaction pooler chooses. It ends with the question: between two of them no lock is held.

use anyhow::Context;
use tokio_postgres::Client;

use super::connect::{Connection, connect};
use super::make_durable;

/// A connection that changes nothing, whatever is asked over it.
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

    /// Asks a question, of one statement or several, in a transaction that is `READ ONLY`.
    ///
    /// # Errors
    /// Those of the question, which are PostgreSQL's `25006` where it would change something; or the transaction cannot
    /// be begun or ended.
    pub async fn read<T>(
        &mut self,
        question: impl AsyncFnOnce(&Client) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let begun = self.0.build_transaction().read_only(true).start().await;
        let transaction = begun.context("begin to read")?;
        let answer = question(transaction.client()).await;
        let ended = transaction.rollback().await;
        let answer = answer?;
        ended.context("end reading")?;
        Ok(answer)
    }

    /// As [`make_durable`]: waits, and changes nothing.
    ///
    /// # Errors
    /// The same.
    pub async fn make_durable(&self) -> anyhow::Result<bool> {
        Ok(make_durable(&self.0).await?)
    }
}
