//! The workers of `alt run` that alerts need: one judges, on one host at a time; one notes on each host how far its
//! sources are loaded.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use alt_alerts::time::{Micros, slot_of};
use alt_process::fault;
use alt_process::lock::lock;
use alt_process::metrics::Metrics;
use alt_process::stop::Stop;
use alt_process::worker::{self, Work};
use anyhow::Context;

use super::ask::State;
use super::evaluate::{Done, Evaluator};
use super::samples::{self, Numbers};
use super::{NAME, watermark};
use crate::session::Session;
use crate::told;

/// How often it is looked whether another process has left the work.
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
            Ok(Done::All) => Ok(worker::Done::all(self.evaluator.rest())),
            Ok(Done::Elsewhere) => Ok(worker::Done::all(INTERVAL)),
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

/// How often it is looked how far the sources are, in memory.
const LOOK: Duration = Duration::from_millis(50);

/// What sources reach within this time is noted together.
const TOGETHER: Duration = Duration::from_millis(200);

/// How often it is noted although no slot has ended, so that others see that this host lives.
const BEAT: Duration = Duration::from_secs(5);

/// Up to when everything in a source's files is committed; 0: not since the start. By source, with its paths.
pub type Reached = Box<dyn Fn() -> Vec<(String, Micros)> + Send>;

/// What was taken of this host and its daemon since it was last asked.
pub type Taken = Box<dyn FnMut() -> Option<Numbers> + Send>;

/// What took longer to be stored may have been judged before: others do not wait longer for this host.
const LATE: Duration = Duration::from_secs(5);

/// The worker that notes how far the sources of this host are loaded, and stores what is taken of it.
pub struct Beat {
    session: Session,
    host: String,
    reached: Reached,
    taken: Taken,
    noted: Option<(Instant, Vec<Micros>)>,
}

impl Beat {
    /// Creates the worker. `reached` says how far the sources are, `taken` what was taken of the host.
    ///
    /// # Errors
    /// The runtime cannot be created.
    pub fn new(
        config: &alt_config::Config,
        reached: Reached,
        taken: Taken,
        metrics: &Metrics,
        stop: &Arc<Stop>,
    ) -> anyhow::Result<Beat> {
        let host = config.load.host_name();
        let session = Session::new(&config.postgres, "watermark", &host, metrics, stop)?;
        Ok(Beat { session, host, reached, taken, noted: None })
    }

    /// Stores what was taken of this host. Whoever judges waits for it, because only then it is noted that this host lives.
    fn store(&mut self) -> anyhow::Result<()> {
        let Some(numbers) = (self.taken)() else { return Ok(()) };
        let (began, host) = (Instant::now(), &self.host);
        let at = self.session.ask(async |client| samples::take(client, host, &numbers).await)?;
        if began.elapsed() > LATE {
            self.session.ask(async |client| samples::mark_late(client, at).await)?;
        }
        Ok(())
    }

    /// Notes how far the sources are, if a slot of one has ended or some time has gone by.
    fn beat(&mut self) -> anyhow::Result<()> {
        self.store()?;
        let sources: Vec<(String, Micros)> =
            (self.reached)().into_iter().map(|(name, at)| (name, (at - watermark::SLACK).max(0))).collect();
        let slots: Vec<Micros> = sources.iter().map(|(_, at)| slot_of(*at)).collect();
        if self
            .noted
            .as_ref()
            .is_some_and(|(at, noted)| at.elapsed() < if *noted == slots { BEAT } else { TOGETHER })
        {
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
