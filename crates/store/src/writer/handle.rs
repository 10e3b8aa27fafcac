//! A reader's side of the writer: submits batches, asks questions, and waits for the answers.
//!
//! Its methods block: never call them from async code. The batches that one handle submits end in that order. Its
//! questions are answered after them.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use alt_line::batch::Room;
use alt_line::checkpoint::Head;
use alt_line::enrich::App;
use alt_line::enrich::day::LocalDay;
use alt_line::hit::Micros;
use alt_line::reread::OldSpan;
use alt_process::beat::Beat;
use alt_process::lock::lock;
use alt_process::metrics::Totals;
use tokio::sync::{mpsc, oneshot};

use super::{Job, Shared};
use crate::commit::Work;
use crate::dimensions::Registry;
use crate::files::{Candidate, Facts, Which};
use crate::unfinished::Unfinished;

/// The reader must start again: the connection was lost, somebody else moved a checkpoint, or it is time to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interrupted;

impl std::fmt::Display for Interrupted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("interrupted")
    }
}

impl std::error::Error for Interrupted {}

/// Ends the wait of one reader thread early.
#[derive(Debug, Default)]
pub struct Wake {
    woken: Mutex<bool>,
    condition: Condvar,
}

impl Wake {
    /// Ends the current or the next wait.
    pub fn wake(&self) {
        *lock(&self.woken) = true;
        self.condition.notify_all();
    }

    /// Waits until woken, or for at most `most`.
    pub fn wait(&self, most: Duration) {
        let woken = lock(&self.woken);
        let (mut woken, _) =
            self.condition.wait_timeout_while(woken, most, |w| !*w).unwrap_or_else(PoisonError::into_inner);
        *woken = false;
    }
}

/// The batches that one handle submitted. They end in that order.
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

/// One of these batches. It has ended when it is committed or discarded, or could not be submitted.
pub(super) struct OnItsWay {
    batches: Arc<HandedOver>,
    shared: Arc<Shared>,
    taken: Option<oneshot::Sender<()>>,
}

impl OnItsWay {
    fn from(end: &Store, taken: oneshot::Sender<()>) -> OnItsWay {
        end.shared.in_flight.fetch_add(1, Ordering::AcqRel);
        lock(&end.batches.counts).handed_over += 1;
        let (batches, shared) = (Arc::clone(&end.batches), Arc::clone(&end.shared));
        OnItsWay { batches, shared, taken: Some(taken) }
    }

    /// Tells the reader that the writer has the batch now.
    pub(super) fn is_taken(&mut self) {
        if let Some(taken) = self.taken.take() {
            let _ = taken.send(());
        }
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

/// A reader's handle. Its methods block: never call them from async code.
#[derive(Clone)]
pub struct Store {
    jobs: mpsc::Sender<Job>,
    /// Questions of handles that have no batch in progress. They do not wait for the batches of other handles.
    questions: mpsc::Sender<Job>,
    batches: Arc<HandedOver>,
    /// The heartbeat of the thread that waits on this handle.
    beat: Arc<Beat>,
    shared: Arc<Shared>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("epoch", &self.epoch()).finish_non_exhaustive()
    }
}

/// Shows the state of a writer.
#[derive(Clone)]
pub struct Watcher(Arc<Shared>);

impl Watcher {
    /// Whether the database was reached at least once.
    pub fn is_connected(&self) -> bool {
        self.0.connected.load(Ordering::Acquire)
    }

    /// The problem that keeps the writer from working, if any.
    pub fn trouble(&self) -> Option<String> {
        lock(&self.0.trouble).clone()
    }

    /// Whether the writer has nothing to do.
    pub fn is_idle(&self) -> bool {
        self.0.in_flight.load(Ordering::Acquire) == 0
    }

    /// Increases when the database is another one than before, after a restore or a failover.
    pub fn databases(&self) -> u64 {
        self.0.databases.load(Ordering::Acquire)
    }

    /// Tells the writer that partitions may have been created or dropped.
    pub fn partitions_changed(&self) {
        self.0.partitions_changed.store(true, Ordering::Release);
        self.0.look.notify_one();
    }

    /// Increases with everything that the writer finishes, and with every retry.
    pub fn beat(&self) -> u64 {
        self.0.beat.load(Ordering::Relaxed)
    }
}

impl Store {
    /// Creates the first handle.
    pub(super) fn new(jobs: mpsc::Sender<Job>, questions: mpsc::Sender<Job>, shared: Arc<Shared>) -> Store {
        Store { jobs, questions, batches: Arc::default(), beat: Arc::default(), shared }
    }

    /// Another handle, for a reader that is independent of the others. Its questions are answered after the batches
    /// that it or its clones submitted, and possibly before those of other handles.
    #[must_use]
    pub fn another_end(&self) -> Store {
        Store { batches: Arc::default(), ..self.clone() }
    }

    /// The same handle, for the thread with this heartbeat. While the thread waits here, its counter does not have to
    /// advance.
    #[must_use]
    pub fn with_beat(&self, beat: &Arc<Beat>) -> Store {
        Store { beat: Arc::clone(beat), ..self.clone() }
    }

    /// Increases whenever data read from the database may be outdated. A reader that sees an increase discards
    /// everything and starts again from the checkpoints.
    pub fn epoch(&self) -> u64 {
        self.shared.epoch.load(Ordering::Acquire)
    }

    /// The most UTC hours of a batch: fewer than usual while the server has too few locks for more.
    pub fn hours_max(&self) -> usize {
        self.shared.hours_max.load(Ordering::Relaxed)
    }

    /// Increases with every new connection, which may lead to another database, after a restore or a failover.
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::Acquire)
    }

    /// A wake-up for one reader: triggered after every commit, when the epoch increases, and at the stop.
    pub fn wake(&self) -> Arc<Wake> {
        let wake = Arc::new(Wake::default());
        lock(&self.shared.wakes).push(Arc::clone(&wake));
        wake
    }

    /// Whether the writer has nothing to do.
    pub fn is_idle(&self) -> bool {
        self.shared.in_flight.load(Ordering::Acquire) == 0
    }

    /// Whether the writer has ended: nothing will be committed any more.
    pub fn is_closed(&self) -> bool {
        self.jobs.is_closed()
    }

    /// Whether it is time to stop: finish the current work, and return.
    pub fn is_stopping(&self) -> bool {
        self.shared.stopping.load(Ordering::Acquire)
    }

    /// Declares that no log is written to any more: the logs are complete.
    pub fn set_final(&self) {
        self.shared.finale.store(true, Ordering::Release);
    }

    /// Whether no log is written to any more.
    pub fn is_final(&self) -> bool {
        self.shared.finale.load(Ordering::Acquire)
    }

    /// Asks all readers to stop, and also the writer if it waits for the database.
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

    /// A handle for monitoring. Unlike a store, it does not keep the writer running.
    pub fn watcher(&self) -> Watcher {
        Watcher(Arc::clone(&self.shared))
    }

    /// The error that ended an impatient writer.
    pub fn take_fatal(&self) -> Option<anyhow::Error> {
        lock(&self.shared.fatal).take()
    }

    /// The allocation of a committed batch, for reuse.
    pub fn spare(&self) -> Room {
        std::mem::take(&mut *lock(&self.shared.spare))
    }

    /// Submits a batch. Waits until the writer has taken it: a reader that went on meanwhile would fill one more batch,
    /// which takes memory and saves no time.
    pub fn commit(&self, work: Work) -> Result<(), Interrupted> {
        let (taken, is_taken) = oneshot::channel();
        let job = Job::Commit(Box::new(work), OnItsWay::from(self, taken));
        let _waiting = self.beat.waiting();
        self.jobs.blocking_send(job).map_err(|_| Interrupted)?;
        is_taken.blocking_recv().map_err(|_| Interrupted)
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
        // Another reader may be waiting until the writer is idle.
        self.shared.wake_all();
        answer
    }

    /// Checkpoints that a file with this head may continue, after all batches that this handle submitted before.
    pub fn candidates(&self, head: Head, host: &str, source: &str) -> Result<Vec<Candidate>, Interrupted> {
        let (host, source) = (host.to_owned(), source.to_owned());
        self.ask(|reply| Job::Candidates { head, host, source, reply })
    }

    /// Waits until every batch that this handle submitted before is committed or discarded.
    pub fn settled(&self) -> Result<(), Interrupted> {
        let counts = lock(&self.batches.counts);
        let before = counts.handed_over;
        let _waiting = self.beat.waiting();
        drop(self.batches.ended.wait_while(counts, |counts| counts.ended < before));
        if self.is_closed() { Err(Interrupted) } else { Ok(()) }
    }

    /// The time of the latest event that was loaded from any file.
    pub fn loaded_until(&self) -> Result<Micros, Interrupted> {
        self.ask(|reply| Job::LoadedUntil { reply })
    }

    /// The logs of a host that are not loaded to their ends, as far as the database knows.
    pub fn unfinished(&self, host: &str) -> Result<Vec<Unfinished>, Interrupted> {
        let host = host.to_owned();
        self.ask(|reply| Job::Unfinished { host, reply })
    }

    /// Notes which of `all` unfinished logs are missing.
    pub fn note_missing(&self, all: Vec<i32>, missing: Vec<i32>) -> Result<(), Interrupted> {
        self.ask(|reply| Job::Missing { all, missing, reply })
    }

    /// Stores where a known file was seen.
    pub fn seen(&self, file_id: i32, facts: Facts) -> Result<(), Interrupted> {
        self.ask(|reply| Job::Seen { file_id, facts, reply })
    }

    /// Records from which archive object, with these bytes and SHA-256, a file was loaded.
    pub fn came_from(&self, uri: &str, bytes: u64, sha256: [u8; 32]) -> Result<(), Interrupted> {
        let uri = uri.to_owned();
        self.ask(|reply| Job::CameFrom { uri, bytes, sha256, reply })
    }

    /// Draws a key for a file that has none.
    pub fn new_file_id(&self) -> Result<i32, Interrupted> {
        self.ask(|reply| Job::NewFile { reply })
    }

    /// Which applications there are, with those that have the keys `used`.
    pub fn registry(&self, used: Vec<String>) -> Result<Registry, Interrupted> {
        self.ask(|reply| Job::Registry { used, reply })
    }

    /// The applications with these keys that are not disabled.
    pub fn apps(&self, keys: Vec<String>) -> Result<Vec<App>, Interrupted> {
        self.ask(|reply| Job::Apps { keys, reply })
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

    /// Records a line that may end the daemon, before it is processed. `deaths` is how often the line is assumed to
    /// have done so.
    pub fn suspect(&self, file_id: i32, offset: u64, deaths: i32) -> Result<(), Interrupted> {
        self.ask(|reply| Job::Suspect { file_id, offset, deaths, reply })
    }

    /// Counts that the daemon ended in a line. Returns the new count; `None`: the line was never recorded, or it is
    /// loaded.
    pub fn convict(&self, file_id: i32, offset: u64) -> Result<Option<i32>, Interrupted> {
        self.ask(|reply| Job::Convict { file_id, offset, reply })
    }

    /// The salt of an application's local day; `None` if it is deleted.
    pub fn salt(&self, app_id: i32, day: LocalDay) -> Result<Option<[u8; 32]>, Interrupted> {
        self.ask(|reply| Job::Salt { app_id, day, reply })
    }

    /// Waits until everything committed is on the server's disk. `false`: commits do not wait for the disk by
    /// themselves, and the commits of a lost connection may be lost with it.
    pub fn durable(&self) -> Result<bool, Interrupted> {
        let is_left_to_the_server = self.ask(|reply| Job::Durable { reply })?;
        Ok(!is_left_to_the_server || !self.shared.in_doubt.load(Ordering::Acquire))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Options, pair};
    use super::*;

    #[test]
    fn a_reader_fills_no_other_batch_before_the_writer_has_taken_one() {
        let (store, mut writer) = pair(Options {
            postgres: alt_config::Postgres::default(),
            application_name: String::new(),
            connections: 1,
            looks: false,
            patient: false,
            rehearsal: None,
            metrics: Arc::default(),
        });
        let reader = std::thread::spawn(move || {
            let first = store.commit(Work::new(0));
            let in_progress = store.shared.in_flight.load(Ordering::Acquire);
            (first, in_progress, store.commit(Work::new(0)))
        });
        let Some(Job::Commit(work, mut first)) = writer.jobs.blocking_recv() else { panic!("no batch") };
        assert!(!reader.is_finished() && writer.jobs.try_recv().is_err(), "it went on");
        first.is_taken();
        let Some(Job::Commit(_, second)) = writer.jobs.blocking_recv() else { panic!("no batch") };
        drop((work, first));
        // What is dropped without being taken was not submitted.
        drop(second);
        assert_eq!(reader.join().unwrap(), (Ok(()), 1, Err(Interrupted)));
    }
}
