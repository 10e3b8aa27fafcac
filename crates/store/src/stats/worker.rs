//! The worker `statistics` of `alt run`. Every host with `[stats]` could do its work; a lease lets one of them do it at a
//! time.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use alt_process::fault;
use alt_process::lock::lock;
use alt_process::metrics::Metrics;
use alt_process::stop::Stop;
use alt_process::worker::{self, Work};
use anyhow::Context;

use super::NAME;
use super::ask::State;
use super::fold::{Done, Due, Folder};
use crate::told;

/// How often the worker looks whether anything changed.
const INTERVAL: Duration = Duration::from_secs(2);

/// How long one turn works. Then what changed is taken again.
const TURN: Duration = Duration::from_secs(10);

/// The worker.
pub struct Statistics {
    folder: Folder,
    state: Arc<Mutex<Option<State>>>,
}

impl Statistics {
    /// Creates the worker for a configuration. The rows of a large day are sorted in `directory`.
    ///
    /// # Errors
    /// The runtime cannot be created.
    pub fn new(
        config: &alt_config::Config,
        directory: Option<PathBuf>,
        metrics: &Metrics,
        stop: &Arc<Stop>,
    ) -> anyhow::Result<Statistics> {
        Ok(Statistics { folder: Folder::new(config, NAME, directory, metrics, stop)?, state: Arc::default() })
    }

    /// What is still to be computed, as last seen.
    pub fn state(&self) -> Arc<Mutex<Option<State>>> {
        Arc::clone(&self.state)
    }

    fn look(&mut self, due: Due) -> anyhow::Result<Done> {
        let done = self.folder.work(due, TURN);
        let state = self.folder.state()?;
        *lock(&self.state) = Some(state);
        done.context("compute statistics")
    }

    /// Computes everything that is marked, before the end of a final run.
    ///
    /// # Errors
    /// The database does not do it.
    pub fn finish(&mut self) -> anyhow::Result<()> {
        while self.look(Due::Now)? == Done::Part {}
        Ok(())
    }
}

impl Work for Statistics {
    fn name(&self) -> &'static str {
        NAME
    }

    fn turn(&mut self) -> anyhow::Result<worker::Done> {
        match self.look(Due::Quiet) {
            Ok(Done::Part) => Ok(worker::Done::all(Duration::ZERO)),
            Ok(_) => Ok(worker::Done::all(fault::wait(INTERVAL))),
            Err(error) => {
                self.recover();
                Err(anyhow::Error::msg(told(&error)))
            }
        }
    }

    fn recover(&mut self) {
        self.folder.close();
    }
}
