//! A reader's end of the writer: hands batches over, asks, and waits for the answers.
//!
//! Its methods block: never call them from async code. What one end hands over ends in that order; what it asks is answered
//! after that.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use alt_line::aside::OldSpan;
use alt_line::batch::Room;
use alt_line::checkpoint::Head;
use alt_line::enrich::App;
use alt_line::enrich::day::LocalDay;
use alt_line::hit::Micros;
use alt_process::beat::Beat;
use alt_process::lock::lock;
use alt_process::metrics::Totals;
use tokio::sync::{mpsc, oneshot};

use super::{Job, Shared};
use crate::commit::Work;
use crate::files::{Candidate, Facts, Which};

/// The reader has to begin anew: the database was away, somebody else moved, or it is time to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interrupted;

impl std::fmt::Display for Interrupted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("interrupted")
    }
}

impl std::error::Error for Interrupted {}

/// Shortens the waiting of one reader thread.
#[derive(Debug, Default)]
pub struct Wake {
    woken: Mutex<bool>,
    condition: Condvar,
}

impl Wake {
    /// Ends the present or the next wait.
    pub fn wake(&self) {
        *lock(&self.woken) = true;
        self.condition.notify_all();
    }

    /// Waits until woken or the time is over.
    pub fn wait(&self, most: Duration) {
        let woken = lock(&self.woken);
        let (mut woken, _) =
            self.condition.wait_timeout_while(woken, most, |w| !*w).unwrap_or_else(PoisonError::into_inner);
        *woken = false;
    }
}

/// The batches that were handed over by one end, which end in that order.
#[derive(Debug, Default)]
struct HandedOver {
    counts: Mutex<Counts>,
    ended: Condvar,
}

#[derive(Debug, Default)]
struct Counts {
    handed_over: u64,
    ended: u64,
}

/// One of them: ended when it is committed or thrown away, or could not be handed over.
pub(super) struct OnItsWay {
    batches: Arc<HandedOver>,
    shared: Arc<Shared>,
}

impl OnItsWay {
    fn from(end: &Store) -> OnItsWay {
        end.shared.in_flight.fetch_add(1, Ordering::AcqRel);
        lock(&end.batches.counts).handed_over += 1;
        OnItsWay { batches: Arc::clone(&end.batches), shared: Arc::clone(&end.shared) }
    }
}

impl Drop for OnItsWay {
    fn drop(&mut self) {
        lock(&self.batches.counts).ended += 1;
        self.batches.ended.notify_all();
        self.shared.in_flight.fetch_sub(1, Ordering::AcqRel);
        self.shared.wake_all();
    }
}

/// A reader's end. Its methods block: never call them from async code.
#[derive(Clone)]
pub struct Store {
    jobs: mpsc::Sender<Job>,
    /// Questions of ends that have no batch on the way: the batches of others are not waited for.
    questions: mpsc::Sender<Job>,
    batches: Arc<HandedOver>,
    /// Of the thread that waits by this end.
    beat: Arc<Beat>,
    shared: Arc<Shared>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("epoch", &self.epoch()).finish_non_exhaustive()
    }
}

/// How a writer stands.
#[derive(Clone)]
pub struct Watcher(Arc<Shared>);

impl Watcher {
    /// Whether the database was reached at least once.
    pub fn is_connected(&self) -> bool {
        self.0.connected.load(Ordering::Acquire)
    }

    /// What keeps the writer from working, if anything does.
    pub fn trouble(&self) -> Option<String> {
        lock(&self.0.trouble).clone()
    }

    /// Whether the writer has nothing to do.
    pub fn is_idle(&self) -> bool {
        self.0.in_flight.load(Ordering::Acquire) == 0
    }

    /// Moves when another database is seen than before, restored or failed over to.
    pub fn databases(&self) -> u64 {
        self.0.databases.load(Ordering::Acquire)
    }

    /// Tells the writer that partitions may have been made or dropped.
    pub fn partitions_changed(&self) {
        self.0.partitions_changed.store(true, Ordering::Release);
        self.0.look.notify_one();
    }

    /// Moves with everything that the writer ends, and with every time that it tries again.
    pub fn beat(&self) -> u64 {
        self.0.beat.load(Ordering::Relaxed)
    }
}

impl Store {
    /// The first one.
    pub(super) fn new(jobs: mpsc::Sender<Job>, questions: mpsc::Sender<Job>, shared: Arc<Shared>) -> Store {
        Store { jobs, questions, batches: Arc::default(), beat: Arc::default(), shared }
    }

    /// Another end, for readers that have nothing to do with each other. What one asks is answered after the batches that
    /// were handed over by it or its clones, and perhaps before those of other ends.
    #[must_use]
    pub fn another_end(&self) -> Store {
        Store { batches: Arc::default(), ..self.clone() }
    }

    /// The same end, for the thread whose beat this is: while it waits here, it has no need to move.
    #[must_use]
    pub fn with_beat(&self, beat: &Arc<Beat>) -> Store {
        Store { beat: Arc::clone(beat), ..self.clone() }
    }

    /// Moves whenever what was read from the database may no longer hold. A reader that sees it moved forgets
    /// everything and begins anew from the checkpoints.
    pub fn epoch(&self) -> u64 {
        self.shared.epoch.load(Ordering::Acquire)
    }

    /// Moves with every new connection: behind it there may be another database, restored or failed over to.
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::Acquire)
    }

    /// A wake-up for one reader: rung after every commit, when the epoch moves, and at the stop.
    pub fn wake(&self) -> Arc<Wake> {
        let wake = Arc::new(Wake::default());
        lock(&self.shared.wakes).push(Arc::clone(&wake));
        wake
    }

    /// Whether the writer has nothing to do.
    pub fn is_idle(&self) -> bool {
        self.shared.in_flight.load(Ordering::Acquire) == 0
    }

    /// Whether the writer is gone: nothing will be committed any more.
    pub fn is_closed(&self) -> bool {
        self.jobs.is_closed()
    }

    /// Whether it is time to stop: finish what is begun, and return.
    pub fn is_stopping(&self) -> bool {
        self.shared.stopping.load(Ordering::Acquire)
    }

    /// Says that no log is written to any more: what is there is all that there will be.
    pub fn set_final(&self) {
        self.shared.finale.store(true, Ordering::Release);
    }

    /// Whether no log is written to any more.
    pub fn is_final(&self) -> bool {
        self.shared.finale.load(Ordering::Acquire)
    }

    /// Asks all readers, and the writer where it waits for the database, to stop.
    pub fn stop(&self) {
        self.shared.stopping.store(true, Ordering::Release);
        self.shared.stop.notify_waiters();
        self.shared.stop.notify_one();
        self.shared.wake_all();
    }

    /// What was committed since the start.
    pub fn totals(&self) -> Totals {
        self.shared.metrics.totals()
    }

    /// For those who watch: unlike a store, it keeps nothing from ending.
    pub fn watcher(&self) -> Watcher {
        Watcher(Arc::clone(&self.shared))
    }

    /// The error that ended an impatient writer.
    pub fn take_fatal(&self) -> Option<anyhow::Error> {
        lock(&self.shared.fatal).take()
    }

    /// The room of a batch that was committed.
    pub fn spare(&self) -> Room {
        std::mem::take(&mut *lock(&self.shared.spare))
    }

    /// Hands a batch over; waits while two others are on their way.
    pub fn commit(&self, work: Work) -> Result<(), Interrupted> {
        let job = Job::Commit(Box::new(work), OnItsWay::from(self));
        let _waiting = self.beat.waiting();
        self.jobs.blocking_send(job).map_err(|_| Interrupted)
    }

    fn ask<T>(&self, job: impl FnOnce(oneshot::Sender<T>) -> Job) -> Result<T, Interrupted> {
        let _waiting = self.beat.waiting();
        let (reply, answer) = oneshot::channel();
        self.shared.in_flight.fetch_add(1, Ordering::AcqRel);
        let counts = lock(&self.batches.counts);
        let way = if counts.ended == counts.handed_over { &self.questions } else { &self.jobs };
        drop(counts);
        let answer = match way.blocking_send(job(reply)) {
            Ok(()) => answer.blocking_recv().map_err(|_| Interrupted),
            Err(_) => Err(Interrupted),
        };
        self.shared.in_flight.fetch_sub(1, Ordering::AcqRel);
        // Another reader may have waited for the writer to be idle.
        self.shared.wake_all();
        answer
    }

    /// Checkpoints that a file with this head may continue, after all batches that this end handed over before.
    pub fn candidates(&self, head: Head, host: &str, source: &str) -> Result<Vec<Candidate>, Interrupted> {
        let (host, source) = (host.to_owned(), source.to_owned());
        self.ask(|reply| Job::Candidates { head, host, source, reply })
    }

    /// Waits until everything that this end handed over before was committed, or thrown away.
    pub fn settled(&self) -> Result<(), Interrupted> {
        let counts = lock(&self.batches.counts);
        let before = counts.handed_over;
        let _waiting = self.beat.waiting();
        drop(self.batches.ended.wait_while(counts, |counts| counts.ended < before));
        if self.is_closed() { Err(Interrupted) } else { Ok(()) }
    }

    /// The latest event that was loaded from anywhere.
    pub fn loaded_until(&self) -> Result<Micros, Interrupted> {
        self.ask(|reply| Job::LoadedUntil { reply })
    }

    /// Stores where a known file was seen.
    pub fn seen(&self, file_id: i32, facts: Facts) -> Result<(), Interrupted> {
        self.ask(|reply| Job::Seen { file_id, facts, reply })
    }

    /// Notes from which archive object, of these bytes and SHA-256, a file was loaded.
    pub fn came_from(&self, uri: &str, bytes: u64, sha256: [u8; 32]) -> Result<(), Interrupted> {
        let uri = uri.to_owned();
        self.ask(|reply| Job::CameFrom { uri, bytes, sha256, reply })
    }

    /// A key for a file that has none.
    pub fn new_file_id(&self) -> Result<i32, Interrupted> {
        self.ask(|reply| Job::NewFile { reply })
    }

    /// All applications that are not disabled.
    pub fn apps(&self) -> Result<Vec<App>, Interrupted> {
        self.ask(|reply| Job::Apps { reply })
    }

    /// Spans of a file's rejects that begin at `from` or later, ascending.
    pub fn spans(
        &self,
        file_id: i32,
        from: u64,
        which: &Which,
        limit: i64,
    ) -> Result<Vec<OldSpan>, Interrupted> {
        let which = which.clone();
        self.ask(|reply| Job::Spans { file_id, from, which, limit, reply })
    }

    /// Enters a line that may end the daemon, before it is touched; `deaths`: how often it is taken to have done so.
    pub fn suspect(&self, file_id: i32, offset: u64, deaths: i32) -> Result<(), Interrupted> {
        self.ask(|reply| Job::Suspect { file_id, offset, deaths, reply })
    }

    /// Counts that the daemon ended in a line. How often now; `None`: it was never entered, or is loaded.
    pub fn convict(&self, file_id: i32, offset: u64) -> Result<Option<i32>, Interrupted> {
        self.ask(|reply| Job::Convict { file_id, offset, reply })
    }

    /// The salt of an application's local day; `None` where it is dead.
    pub fn salt(&self, app_id: i32, day: LocalDay) -> Result<Option<[u8; 32]>, Interrupted> {
        self.ask(|reply| Job::Salt { app_id, day, reply })
    }

    /// Waits until all that was committed is on the server's disk. `false`: commits do not wait for that by themselves, and
    /// what was committed by a connection that was lost may be lost with it.
    pub fn durable(&self) -> Result<bool, Interrupted> {
        let is_left_to_the_server = self.ask(|reply| Job::Durable { reply })?;
        Ok(!is_left_to_the_server || !self.shared.in_doubt.load(Ordering::Acquire))
    }
}
