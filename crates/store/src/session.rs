//! A worker's own connection. It is opened when first needed, and closed after any error, so that no open transaction
//! outlives a failure.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use alt_process::fault;
use alt_process::metrics::Metrics;
use alt_process::stop::{Stop, Stopped};
use anyhow::Context;

use super::connect::{Connection, connect_counted};
use super::migrate;

/// The maximum time for one answer of the database.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// A connection for blocking code.
pub struct Session {
    postgres: alt_config::Postgres,
    /// The session's name in `pg_stat_activity`.
    name: String,
    runtime: tokio::runtime::Runtime,
    client: Option<Connection>,
    connections: Arc<AtomicU64>,
    stop: Arc<Stop>,
}

impl Session {
    /// Creates a session that is not connected yet. `verb` and `host` form its name.
    ///
    /// # Errors
    /// The runtime cannot be created.
    pub fn new(
        postgres: &alt_config::Postgres,
        verb: &str,
        host: &str,
        metrics: &Metrics,
        stop: &Arc<Stop>,
    ) -> anyhow::Result<Session> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("start the runtime")?;
        Ok(Session {
            postgres: postgres.clone(),
            name: super::session_name(verb, host),
            runtime,
            client: None,
            connections: metrics.connections(),
            stop: Arc::clone(stop),
        })
    }

    /// Runs `question` on the connection. Any error closes the connection. The next call opens a new one.
    ///
    /// # Errors
    /// The database cannot be reached, no answer in time, the question's own error, or [`Stopped`].
    pub fn ask<T>(
        &mut self,
        question: impl AsyncFnOnce(&Connection) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        self.ask_within(ANSWER_TIMEOUT, question)
    }

    /// As [`Session::ask`], in a transaction that changes nothing: all statements of a question see one state.
    ///
    /// # Errors
    /// As [`Session::ask`].
    pub fn read<T>(
        &mut self,
        question: impl AsyncFnOnce(&Connection) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        self.ask(async |client| {
            let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
            client.batch_execute(begin).await.context("begin to read")?;
            let answer = question(client).await?;
            client.batch_execute("COMMIT").await.context("end reading")?;
            Ok(answer)
        })
    }

    /// As [`Session::ask`], with another time limit. Connecting has time limits of its own.
    ///
    /// # Errors
    /// As [`Session::ask`].
    pub fn ask_within<T>(
        &mut self,
        most: Duration,
        question: impl AsyncFnOnce(&Connection) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let Session { postgres, name, runtime, client, connections, stop } = self;
        let answer = runtime.block_on(async {
            let answer = async {
                let client = match client {
                    Some(open) if !open.is_closed() => open,
                    _ => client.insert(open(postgres, name, Arc::clone(connections)).await?),
                };
                let answer = tokio::time::timeout(fault::wait(most), question(&*client)).await;
                answer.context("the database does not answer")?
            };
            tokio::select! {
                answer = answer => answer,
                () = stop.wait() => Err(Stopped.into()),
            }
        });
        if answer.is_err() {
            self.close();
        }
        answer
    }

    /// Closes the connection.
    pub fn close(&mut self) {
        if let Some(client) = self.client.take() {
            // Nothing else drives the runtime until the next call.
            self.runtime.block_on(client.close());
        }
    }
}

async fn open(
    postgres: &alt_config::Postgres,
    name: &str,
    connections: Arc<AtomicU64>,
) -> anyhow::Result<Connection> {
    let client = connect_counted(postgres, name, connections).await?;
    let answer = tokio::time::timeout(fault::wait(ANSWER_TIMEOUT), migrate::check_compatible(&client)).await;
    match answer.context("the database does not answer").flatten() {
        Ok(()) => Ok(client),
        Err(error) => {
            // Nothing else drives the runtime until the next call.
            client.close().await;
            Err(error)
        }
    }
}
