//! Presence, a worker: each daemon says twice a minute that it runs, so that it is known within minutes that one is gone.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use alt_process::fault;
use alt_process::metrics::Metrics;
use alt_process::stop::{Stop, Stopped};
use alt_process::worker::{Done, Work};
use anyhow::Context;
use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};

use super::connect::connect_counted;
use super::session::Session;
use super::told;

/// How often a daemon says that it runs.
const EVERY: Duration = Duration::from_secs(30);

/// The same while it is not known yet by how much it is behind, which is so at its start.
const SOON: Duration = Duration::from_secs(2);

/// How long the database may take to note that a daemon ends.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(2);

/// A daemon: its host, and the path of its configuration.
#[derive(Debug, Clone)]
pub struct Daemon {
    host: String,
    config: String,
}

impl Daemon {
    /// The daemon with a configuration that was read from `path`.
    pub fn of(config: &alt_config::Config, path: Option<&Path>) -> Daemon {
        let path = path.unwrap_or(Path::new(alt_config::DEFAULT_FILE));
        // The same file, wherever the daemon was started.
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        Daemon { host: config.load.host_name(), config: path.display().to_string() }
    }

    /// Notes that it ends because it was told to, if the database does not take long.
    pub async fn leave(&self, postgres: &alt_config::Postgres) {
        let note = async {
            let name = super::session_name("presence", &self.host);
            let client = connect_counted(postgres, &name, Arc::default()).await?;
            let sql = "UPDATE daemons SET ended_at = now(), seen_at = now() WHERE host = $1 AND config = $2";
            let parameters: [(&(dyn ToSql + Sync), Type); 2] =
                [(&self.host, Type::TEXT), (&self.config, Type::TEXT)];
            let noted = client.execute_typed(sql, &parameters).await;
            client.close().await;
            noted.context("note that this daemon ends")
        };
        match tokio::time::timeout(LEAVE_TIMEOUT, note).await {
            Ok(Ok(_)) => {}
            // Then it looks as if it had been killed.
            Ok(Err(error)) => tracing::debug!("{error:#}"),
            Err(_) => tracing::debug!("the database does not answer: it is not noted that this daemon ends"),
        }
    }
}

/// Says by how many seconds the daemon is behind; `None`: that is not known yet.
pub type Lag = Box<dyn Fn() -> Option<f64> + Send>;

/// The worker.
pub struct Presence {
    daemon: Daemon,
    sources: i32,
    lag: Lag,
    started: Instant,
    session: Session,
}

impl Presence {
    /// Creates the worker of a daemon.
    ///
    /// # Errors
    /// The runtime cannot be created.
    pub fn new(
        config: &alt_config::Config,
        daemon: Daemon,
        lag: Lag,
        metrics: &Metrics,
        stop: &Arc<Stop>,
    ) -> anyhow::Result<Presence> {
        Ok(Presence {
            session: Session::new(&config.postgres, "presence", &daemon.host, metrics, stop)?,
            daemon,
            sources: i32::try_from(config.sources.len())?,
            lag,
            started: Instant::now(),
        })
    }
}

impl Work for Presence {
    fn name(&self) -> &'static str {
        "presence"
    }

    fn turn(&mut self) -> anyhow::Result<Done> {
        let Presence { daemon, sources, lag, started, session } = self;
        let (running, lag) = (started.elapsed().as_secs_f64(), lag());
        let noted = session.ask(async |client| {
            let version = env!("CARGO_PKG_VERSION");
            let parameters: [(&(dyn ToSql + Sync), Type); 6] = [
                (&daemon.host, Type::TEXT),
                (&daemon.config, Type::TEXT),
                (&version, Type::TEXT),
                (sources, Type::INT4),
                (&running, Type::FLOAT8),
                (&lag, Type::FLOAT8),
            ];
            let sql = include_str!("../../../sql/note_daemon.sql");
            client.execute_typed(sql, &parameters).await.context("note that this daemon runs")
        });
        // Do not occupy a connection until the next turn.
        session.close();
        match noted {
            Ok(_) => Ok(Done::all(fault::wait(if lag.is_some() { EVERY } else { SOON }))),
            Err(error) if error.is::<Stopped>() => Err(error),
            // A failed turn would be tried again later and later: after an outage of the database, this daemon loads at once,
            // and would be missed for five minutes.
            Err(error) => Ok(Done { next: fault::wait(EVERY), trouble: Some(told(&error)) }),
        }
    }

    fn recover(&mut self) {
        self.session.close();
    }
}

/// Deletes daemons that nobody has seen for a month.
///
/// # Errors
/// The database does not do it.
pub async fn forget_old(client: &Client) -> anyhow::Result<()> {
    let sql = "DELETE FROM daemons WHERE seen_at < now() - interval '30 days'";
    client.execute_typed(sql, &[]).await.context("forget old daemons")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_tried_again_as_often_however_long_the_database_is_away() {
        let text = "[postgres]\nurl = \"postgres:///alt?host=/nowhere\"";
        let config = alt_config::Config::from_str(text, |_| None).unwrap();
        let (daemon, metrics) = (Daemon::of(&config, None), Metrics::default());
        let mut presence =
            Presence::new(&config, daemon, Box::new(|| None), &metrics, &Arc::default()).unwrap();
        for _ in 0..10 {
            let done = presence.turn().unwrap();
            assert_eq!(done.next, EVERY);
            assert!(done.trouble.is_some());
        }
    }
}
