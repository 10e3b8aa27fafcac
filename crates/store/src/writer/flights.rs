//! Batches that come one behind the other: while one is being committed, the rows of the next are copied on a second
//! connection. There are at most two at a time, and they end in order.
//!
//! After a failure, whatever builds on the failed batch is discarded first: the batch that is ahead of its turn is dropped
//! together with its connection, and only then is the failure handled.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use alt_process::fault;
use alt_process::lock::lock;
use anyhow::anyhow;
use tokio::sync::oneshot;

use super::budget::Budget;
use super::handle::OnItsWay;
use super::{COMMIT_TIMEOUT, DESTINATION, Job, STALE_FIRST, Writer, open};
use crate::commit::ahead::{Turn, commit_in_turn, may_go_ahead};
use crate::commit::{Failure, Work, commit, rehearse};
use crate::connect::Connection;
use crate::{Trouble, is_out_of_memory};

/// After this time no batch is added to those that are on their way: other work may be due.
const TIME_MAX: Duration = Duration::from_secs(3);

/// No second connection is opened for so long after one could not be opened.
const ONE_ALONE: Duration = Duration::from_secs(60);

/// The second connection is closed after it was not used for so long.
const IDLE_MAX: Duration = Duration::from_secs(10);

type Opening = Pin<Box<dyn Future<Output = anyhow::Result<Connection>>>>;

/// The connection of the batch that is ahead of its turn.
#[derive(Default)]
pub(super) struct Second {
    client: Option<Connection>,
    /// None is opened before this time.
    not_before: Option<Instant>,
    used: Option<Instant>,
}

impl Second {
    /// Closes the connection.
    pub(super) fn close(&mut self) {
        self.client = None;
    }

    /// Closes the connection, if there is no backlog any more.
    pub(super) fn close_if_idle(&mut self) {
        if self.used.is_none_or(|at| at.elapsed() > IDLE_MAX) {
            self.close();
        }
    }
}

/// A batch that is being loaded.
struct Flight {
    future: Pin<Box<dyn Future<Output = Landed>>>,
    landed: Option<Landed>,
    /// Is to be told when the batch before is committed.
    turn: Option<oneshot::Sender<()>>,
    /// What is left once it is committed.
    budget: Budget,
    started: Instant,
    hours: usize,
    is_followed: bool,
    _on_its_way: OnItsWay,
}

impl Flight {
    async fn land(&mut self) -> Landed {
        match self.landed.take() {
            Some(landed) => landed,
            None => (&mut self.future).await,
        }
    }

    /// Lets a batch that may be ahead of its turn go on. Never ends.
    async fn go_on(flight: &mut Option<Flight>) -> Infallible {
        if let Some(flight) = flight.as_mut().filter(|flight| flight.landed.is_none()) {
            flight.landed = Some((&mut flight.future).await);
        }
        std::future::pending().await
    }
}

/// A batch that was loaded, or not, and its connection.
struct Landed {
    client: Connection,
    work: Box<Work>,
    done: Result<(), Failure>,
}

enum Event {
    Landed(Landed),
    Next(Job),
    Opened(anyhow::Result<Connection>),
}

/// The batches that are on their way.
struct Flights {
    first: Flight,
    second: Option<Flight>,
    opening: Option<Opening>,
    /// What has to wait until they have ended.
    next: Option<Job>,
    begun: Instant,
}

impl Flights {
    fn take_more(&self) -> bool {
        self.next.is_none()
            && self.second.is_none()
            && self.first.is_followed
            && self.begun.elapsed() < TIME_MAX
    }
}

async fn opened(opening: &mut Option<Opening>) -> anyhow::Result<Connection> {
    match opening {
        Some(opening) => opening.await,
        None => std::future::pending().await,
    }
}

impl Writer {
    /// Loads a batch, and those that come meanwhile. Returns whether to go on, and a job that has to be done next.
    pub(super) async fn load(&mut self, work: Box<Work>, on_its_way: OnItsWay) -> (bool, Option<Job>) {
        if self.is_outdated(&work) {
            return (true, None);
        }
        if self.connected().await.is_none() {
            return (false, None);
        }
        if self.is_outdated(&work) {
            return (true, None);
        }
        let Some(client) = self.client.take() else { return (true, None) };
        let first = self.take_off(client, work, on_its_way, None);
        let opening = self.opens_second(&first);
        let mut flights = Flights { first, second: None, opening, next: None, begun: Instant::now() };
        loop {
            match self.event(&mut flights).await {
                Event::Opened(opened) => {
                    flights.opening = None;
                    self.second_opened(opened);
                }
                Event::Next(job) => self.add(&mut flights, job),
                Event::Landed(Landed { client, mut work, done: Ok(()) }) => {
                    self.committed(&flights.first, &mut work);
                    let Some(second) = flights.second.take() else {
                        self.client = Some(client);
                        return (true, flights.next);
                    };
                    self.second.client = Some(client);
                    flights.first = self.is_next(second);
                }
                Event::Landed(Landed { client, done: Err(failure), .. }) => {
                    // Before anything else: it would wait for ever for a batch that is not committed.
                    drop((flights.second.take(), flights.opening.take()));
                    self.second.close();
                    self.client = Some(client);
                    return (self.not_committed(failure, flights.first.hours).await, flights.next);
                }
            }
        }
    }

    /// Begins to load a batch that may be ahead of its turn. Anything else has to wait.
    fn add(&mut self, flights: &mut Flights, job: Job) {
        self.forget_what_changed();
        match (job, self.second.client.take()) {
            (Job::Commit(work, on_its_way), Some(client))
                if !self.is_outdated(&work) && may_go_ahead(&work.batch, &self.memory) =>
            {
                self.second.used = Some(Instant::now());
                flights.second = Some(self.take_off(client, work, on_its_way, Some(&flights.first)));
            }
            (job, client) => {
                (flights.next, self.second.client) = (Some(job), client);
            }
        }
    }

    async fn event(&mut self, flights: &mut Flights) -> Event {
        let takes_more =
            flights.take_more() && self.second.client.as_ref().is_some_and(|client| !client.is_closed());
        let asks = flights.next.is_none();
        let Flights { first, second, opening, .. } = flights;
        tokio::select! {
            biased;
            landed = first.land() => Event::Landed(landed),
            never = Flight::go_on(second) => match never {},
            opened = opened(opening) => Event::Opened(opened),
            Some(question) = self.questions.recv(), if asks => Event::Next(question),
            Some(job) = self.jobs.recv(), if takes_more => Event::Next(job),
        }
    }

    /// Begins to load a batch: at once, or ahead of its turn after the batch `before`.
    fn take_off(
        &mut self,
        client: Connection,
        mut work: Box<Work>,
        mut on_its_way: OnItsWay,
        before: Option<&Flight>,
    ) -> Flight {
        on_its_way.is_taken();
        let left = before.map_or(self.budget, |before| before.budget);
        let budget = left.spare(&mut work.batch.rejects, Instant::now());
        self.forget_what_changed();
        let (hours, is_followed) = (work.batch.hours().count(), work.is_followed);
        let (turn, told) = before.map(|_| oneshot::channel()).unzip();
        let (memory, patience) = (self.memory.clone(), self.patience.clone());
        let rehearsal = self.options.rehearsal.clone();
        let future = async move {
            let loading = async {
                match (told, rehearsal) {
                    (Some(told), _) => {
                        commit_in_turn(&client, &mut work, &memory, &patience, Turn::new(told)).await
                    }
                    (None, None) => commit(&client, &mut work, &memory, &patience).await,
                    (None, Some(rehearsal)) => {
                        rehearse(&client, &mut work, &memory).await?;
                        let noted = lock(&rehearsal).add(&work.batch);
                        noted.map_err(|e| anyhow::Error::new(e).context("note what would be loaded").into())
                    }
                }
            };
            // The connection hangs somewhere. The server notices by its own timeouts.
            let done = tokio::time::timeout(fault::wait(COMMIT_TIMEOUT), loading).await;
            let done = done.unwrap_or_else(|_| {
                let error = anyhow!("no end after {} s", COMMIT_TIMEOUT.as_secs());
                Err(Failure::Postgres(Trouble::Transient, error))
            });
            Landed { client, work, done }
        };
        let (landed, started) = (None, Instant::now());
        let future = Box::pin(future);
        Flight { future, landed, turn, budget, started, hours, is_followed, _on_its_way: on_its_way }
    }

    /// Forgets the known partitions, if some may have been dropped.
    fn forget_what_changed(&self) {
        if self.shared.partitions_changed.swap(false, Ordering::AcqRel) {
            self.memory.forget_partitions();
        }
    }

    /// Tells a batch that it is its turn.
    fn is_next(&self, mut flight: Flight) -> Flight {
        if let Some(turn) = flight.turn.take() {
            let _ = turn.send(());
        }
        // What it did before is in the time of the batch before.
        flight.started = Instant::now();
        self.shared.beat.fetch_add(1, Ordering::Relaxed);
        flight
    }

    /// Whether what the reader of a batch knew of the database may be wrong.
    fn is_outdated(&self, work: &Work) -> bool {
        work.epoch != self.shared.epoch.load(Ordering::Acquire)
    }

    fn committed(&mut self, flight: &Flight, work: &mut Work) {
        self.commit_fails = false;
        self.stale = 0;
        self.grow(flight.hours);
        self.well();
        if flight.budget.has_run_short(&self.budget) {
            tracing::warn!("a flood of rejects: some are only counted, and stay in the log alone");
        }
        self.budget = flight.budget;
        self.shared.metrics.committed(&work.batch, flight.started.elapsed());
        work.tell();
        *lock(&self.shared.spare) = std::mem::take(&mut work.batch).into_room();
    }

    /// Handles the failure of a batch over so many hours. `false`: stop.
    async fn not_committed(&mut self, failure: Failure, hours: usize) -> bool {
        match failure {
            Failure::Stale(why) => {
                tracing::debug!(why, "reading the checkpoints back");
                self.shared.metrics.retried(DESTINATION, "stale");
                self.forget();
                // Two writers that keep moving each other's checkpoints give each other some time.
                self.stale = (self.stale + 1).min(10);
                self.wait(STALE_FIRST * (1 << self.stale)).await
            }
            Failure::Postgres(trouble, error) => {
                self.commit_fails = true;
                let error = if is_out_of_memory(&error) { self.shrink(hours, error) } else { error };
                self.failed(trouble, error.context("load a batch")).await
            }
        }
    }

    /// Opens the second connection, if one may be needed soon and there is none.
    fn opens_second(&mut self, first: &Flight) -> Option<Opening> {
        if self.second.client.as_ref().is_some_and(|client| client.is_closed()) {
            self.second.close();
            self.shared.in_doubt.store(true, Ordering::Release);
        }
        let is_wanted = self.options.connections > 1
            && self.options.rehearsal.is_none()
            && first.is_followed
            && self.second.client.is_none()
            && self.second.not_before.is_none_or(|at| Instant::now() >= at);
        let (postgres, name) = (self.options.postgres.clone(), self.options.application_name.clone());
        let connections = Arc::clone(&self.shared.metrics).connections();
        is_wanted.then(|| -> Opening { Box::pin(async move { open(&postgres, &name, connections).await }) })
    }

    fn second_opened(&mut self, opened: anyhow::Result<Connection>) {
        match opened {
            Ok(client) => (self.second.client, self.second.used) = (Some(client), Some(Instant::now())),
            Err(error) => {
                tracing::info!(error = crate::told(&error), "there is no second connection: one loads alone");
                self.second.not_before = Some(Instant::now() + ONE_ALONE);
            }
        }
    }
}
