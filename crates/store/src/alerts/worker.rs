//! The workers of `alt run` that alerts need: one judges, on one host at a time; one notes on each host how far its
//! sources are loaded.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use alt_process::fault;
use alt_process::lock::lock;
use alt_process::metrics::Metrics;
use alt_process::stop::Stop;
use alt_process::worker::{self, Work};
use alt_watch::time::{Micros, slot_of};
use anyhow::Context;

use super::ask::State;
use super::evaluate::{Done, Evaluator};
use super::{NAME, watermark};
use crate::session::Session;
use crate::told;

/// How often it is looked whether a slot has ended.
const INTERVAL: Duration = Duration::from_millis(250);

/// How long one turn judges. Then what changed is taken again.
const TURN: Duration = Duration::from_secs(10);

/// How often it is asked how it stands.
const STATE_EVERY: Duration = Duration::from_secs(15);

/// The worker that judges.
pub struct Alerts {
    evaluator: Evaluator,
    state: Arc<Mutex<Option<State>>>,
    asked: Option<Instant>,
}

impl Alerts {
    /// Creates the worker for a configuration.
    ///
    /// # Errors
    /// The runtime cannot be created.
    pub fn new(config: &alt_config::Config, metrics: &Metrics, stop: &Arc<Stop>) -> anyhow::Result<Alerts> {
        Ok(Alerts { evaluator: Evaluator::new(config, metrics, stop)?, state: Arc::default(), asked: None })
    }

    /// How it stands, as last seen.
    pub fn state(&self) -> Arc<Mutex<Option<State>>> {
        Arc::clone(&self.state)
    }

    fn look(&mut self) -> anyhow::Result<Done> {
        let done = self.evaluator.work(TURN);
        if self.asked.is_none_or(|asked| asked.elapsed() >= fault::wait(STATE_EVERY)) {
            let state = self.evaluator.state()?;
            *lock(&self.state) = Some(state);
            self.asked = Some(Instant::now());
        }
        done.context("judge the rules of alerts")
    }
}

impl Work for Alerts {
    fn name(&self) -> &'static str {
        NAME
    }

    fn turn(&mut self) -> anyhow::Result<worker::Done> {
        match self.look() {
            Ok(Done::Part) => Ok(worker::Done::all(Duration::ZERO)),
            Ok(_) => Ok(worker::Done::all(INTERVAL)),
            Err(error) => {
                self.recover();
                Err(anyhow::Error::msg(told(&error)))
            }
        }
    }

    fn recover(&mut self) {
        self.evaluator.close();
    }
}

/// How often it is looked how far the sources are.
const LOOK: Duration = Duration::from_millis(200);

/// How often it is noted although no slot has ended, so that others see that this host lives.
const BEAT: Duration = Duration::from_secs(5);

/// A source is complete up to so long before the last look at its end: nginx writes a line a little later than its
/// time.
const SLACK: Micros = 1_000_000;

/// Up to when everything in a source's files is committed; 0: not since the start. By source, with its paths.
pub type Reached = Box<dyn Fn() -> Vec<(String, Micros)> + Send>;

/// The worker that notes how far the sources of this host are loaded.
pub struct Beat {
    session: Session,
    host: String,
    reached: Reached,
    noted: Option<(Instant, Vec<Micros>)>,
}

impl Beat {
    /// Creates the worker. `reached` says how far the sources are.
    ///
    /// # Errors
    /// The runtime cannot be created.
    pub fn new(
        config: &alt_config::Config,
        reached: Reached,
        metrics: &Metrics,
        stop: &Arc<Stop>,
    ) -> anyhow::Result<Beat> {
        let host = config.load.host_name();
        let session = Session::new(&config.postgres, "watermark", &host, metrics, stop)?;
        Ok(Beat { session, host, reached, noted: None })
    }

    /// Notes how far the sources are, if a slot of one has ended or some time has gone by.
    fn beat(&mut self) -> anyhow::Result<()> {
        let sources: Vec<(String, Micros)> =
            (self.reached)().into_iter().map(|(name, at)| (name, (at - SLACK).max(0))).collect();
        let slots: Vec<Micros> = sources.iter().map(|(_, at)| slot_of(*at)).collect();
        if self.noted.as_ref().is_some_and(|(at, noted)| *noted == slots && at.elapsed() < BEAT) {
            return Ok(());
        }
        let host = &self.host;
        self.session.ask(async |client| watermark::beat(client, host, &sources).await)?;
        self.noted = Some((Instant::now(), slots));
        Ok(())
    }
}

impl Work for Beat {
    fn name(&self) -> &'static str {
        "watermark"
    }

    fn turn(&mut self) -> anyhow::Result<worker::Done> {
        match self.beat() {
            Ok(()) => Ok(worker::Done::all(LOOK)),
            Err(error) => {
                self.recover();
                Err(anyhow::Error::msg(told(&error)))
            }
        }
    }

    fn recover(&mut self) {
        self.session.close();
    }
}
