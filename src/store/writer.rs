//! The one owner of a connection: takes batches and questions from readers, in order, and retries.
//!
//! Readers are threads; they hold a [`Store`] and wait for its answers. One task owns the connection and
//! everything cached from the database. Retry lives here and nowhere else: questions are asked again until
//! they are answered; a batch that failed is thrown away, because after any error the truth is read back from
//! the database ([`Store::epoch`] moves, and every reader begins anew from its checkpoints). The log is the
//! buffer, so nothing is lost by throwing away.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;

use super::commit::{Failure, Memory, Patience, Work, commit, rehearse};
use super::connect::{Connection, connect_counted};
use super::files::{Candidate, Facts, Which};
use super::rehearsal::Rehearsal;
use super::{Trouble, classify, classify_any, dimensions, files, migrate, partitions, told};
use crate::clock;
use crate::config;
use crate::fault;
use crate::lock::lock;
use crate::metrics::{Metrics, Observed, Totals};
use crate::pure::aside::OldSpan;
use crate::pure::batch::Room;
use crate::pure::checkpoint::Head;
use crate::pure::enrich::App;
use crate::pure::enrich::day::LocalDay;
use crate::pure::hit::Micros;

const END_DEAD_PREDECESSORS: &str = include_str!("../../sql/end_dead_predecessors.sql");

/// Batches, and questions, that wait for the writer. Besides there are the batch that is being written, one that each reader
/// builds, and the room of one more.
const QUEUE: usize = 1;

const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_TRANSIENT_MAX: Duration = Duration::from_secs(5);
const RETRY_STOP_MAX: Duration = Duration::from_secs(30);

/// The longest that one commit may take, COPY included, which no timeout of PostgreSQL's covers.
pub const COMMIT_TIMEOUT: Duration = Duration::from_secs(10 * 60);

/// The longest that an answer may take.
const QUESTION_TIMEOUT: Duration = Duration::from_secs(60);

/// Half of the first wait after a checkpoint had moved; doubles.
const STALE_FIRST: Duration = Duration::from_millis(1);

/// How often the database is looked at, for those who watch.
const LOOK_INTERVAL: Duration = Duration::from_secs(15);

/// Under which its retries are counted.
const DESTINATION: &str = "postgres";

/// How often old things are cleared away and partitions made ahead.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(3600);

/// Raw bytes of rejects that are kept at once, and how many more per second.
const RAW_BURST: f64 = 8.0 * 1024.0 * 1024.0;
const RAW_PER_SECOND: f64 = 1024.0;

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

struct Shared {
    epoch: AtomicU64,
    beat: AtomicU64,
    in_flight: AtomicUsize,
    stopping: AtomicBool,
    finale: AtomicBool,
    connected: AtomicBool,
    connections: AtomicU64,
    stop: Notify,
    /// The room of a batch that is committed: to free and to allocate so much again and again takes more memory than it
    /// needs, because what is freed lies between what is not.
    spare: Mutex<Room>,
    wakes: Mutex<Vec<Arc<Wake>>>,
    metrics: Arc<Metrics>,
    trouble: Mutex<Option<String>>,
    fatal: Mutex<Option<anyhow::Error>>,
}

impl Shared {
    fn wake_all(&self) {
        for wake in lock(&self.wakes).iter() {
            wake.wake();
        }
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
struct OnItsWay {
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

enum Job {
    Commit(Box<Work>, OnItsWay),
    Candidates { head: Head, host: String, source: String, reply: oneshot::Sender<Vec<Candidate>> },
    LoadedUntil { reply: oneshot::Sender<Micros> },
    Seen { file_id: i32, facts: Facts, reply: oneshot::Sender<()> },
    CameFrom { uri: String, bytes: u64, sha256: [u8; 32], reply: oneshot::Sender<()> },
    NewFile { reply: oneshot::Sender<i32> },
    Apps { reply: oneshot::Sender<Vec<App>> },
    Spans { file_id: i32, from: u64, which: Which, limit: i64, reply: oneshot::Sender<Vec<OldSpan>> },
    Salt { app_id: i32, day: LocalDay, reply: oneshot::Sender<Option<[u8; 32]>> },
    Durable { reply: oneshot::Sender<bool> },
}

/// A reader's end. Its methods block: never call them from async code.
#[derive(Clone)]
pub struct Store {
    jobs: mpsc::Sender<Job>,
    /// Questions of ends that have no batch on the way: the batches of others are not waited for.
    questions: mpsc::Sender<Job>,
    batches: Arc<HandedOver>,
    shared: Arc<Shared>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("epoch", &self.epoch()).finish_non_exhaustive()
    }
}

/// What a [`Writer`] does beside committing.
#[derive(Debug, Clone)]
pub struct Options {
    /// How the database is reached.
    pub postgres: config::Postgres,
    /// The name of its session, as `pg_stat_activity` shows it.
    pub application_name: String,
    /// What is cleared away, and how old; `None`: another process does that.
    pub upkeep: Option<config::Retention>,
    /// Whether troubles that somebody has to mend, and a database that was never reached, are waited for;
    /// otherwise they end the work.
    pub patient: bool,
    /// A dry run: nothing is written, and what would be is noted here.
    pub rehearsal: Option<Arc<Mutex<Rehearsal>>>,
    /// Where is counted what it does.
    pub metrics: Arc<Metrics>,
}

/// The task's end.
pub struct Writer {
    jobs: mpsc::Receiver<Job>,
    questions: mpsc::Receiver<Job>,
    shared: Arc<Shared>,
    options: Options,
    client: Option<Connection>,
    /// The connection was made since the database was looked at.
    is_new: bool,
    /// It is another database than before.
    is_other: bool,
    memory: Memory,
    patience: Patience,
    raw_budget: (f64, Instant),
    retry: u32,
    /// The trouble is one of committing: an answered question does not end it.
    commit_fails: bool,
    /// Times in a row that a checkpoint had moved.
    stale: u32,
    /// Files that a dry run has given numbers to, below zero.
    rehearsed_files: i32,
}

/// Makes both ends.
pub fn pair(options: Options) -> (Store, Writer) {
    let (jobs, jobs_sent) = mpsc::channel(QUEUE);
    let (questions, questions_sent) = mpsc::channel(QUEUE);
    let shared = Arc::new(Shared {
        epoch: AtomicU64::new(0),
        beat: AtomicU64::new(0),
        in_flight: AtomicUsize::new(0),
        stopping: AtomicBool::new(false),
        finale: AtomicBool::new(false),
        connected: AtomicBool::new(false),
        connections: AtomicU64::new(0),
        stop: Notify::new(),
        spare: Mutex::default(),
        wakes: Mutex::default(),
        metrics: Arc::clone(&options.metrics),
        trouble: Mutex::default(),
        fatal: Mutex::default(),
    });
    let writer = Writer {
        jobs: jobs_sent,
        questions: questions_sent,
        shared: Arc::clone(&shared),
        options,
        client: None,
        is_new: false,
        is_other: false,
        memory: Memory::default(),
        patience: Patience::default(),
        raw_budget: (RAW_BURST, Instant::now()),
        retry: 0,
        commit_fails: false,
        stale: 0,
        rehearsed_files: 0,
    };
    (Store { jobs, questions, batches: Arc::default(), shared }, writer)
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

    /// Moves with everything that the writer ends, and with every time that it tries again.
    pub fn beat(&self) -> u64 {
        self.0.beat.load(Ordering::Relaxed)
    }
}

impl Store {
    /// Another end, for readers that have nothing to do with each other. What one asks is answered after the batches that
    /// were handed over by it or its clones, and perhaps before those of other ends.
    #[must_use]
    pub fn another_end(&self) -> Store {
        Store { batches: Arc::default(), ..self.clone() }
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
        self.jobs.blocking_send(job).map_err(|_| Interrupted)
    }

    fn ask<T>(&self, job: impl FnOnce(oneshot::Sender<T>) -> Job) -> Result<T, Interrupted> {
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

    /// The salt of an application's local day; `None` where it is dead.
    pub fn salt(&self, app_id: i32, day: LocalDay) -> Result<Option<[u8; 32]>, Interrupted> {
        self.ask(|reply| Job::Salt { app_id, day, reply })
    }

    /// Waits until all that was committed is on the server's disk. `false`: the server does not wait for its disk, and what
    /// was committed by an earlier connection may be lost with it.
    pub fn durable(&self) -> Result<bool, Interrupted> {
        let is_left_to_the_server = self.ask(|reply| Job::Durable { reply })?;
        Ok(!is_left_to_the_server || self.connections() <= 1)
    }
}

impl Writer {
    /// Starts it on a thread of its own. `held` is dropped when it has ended.
    ///
    /// # Errors
    /// There is no thread or runtime to be had.
    pub fn start<T: Send + 'static>(self, held: T) -> std::io::Result<JoinHandle<()>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::Builder::new().name("alt-writer".to_owned()).spawn(move || {
            let _held = held;
            runtime.block_on(self.run());
        })
    }

    /// Works until every [`Store`] is dropped, or, once stopping, until the database cannot be reached.
    async fn run(mut self) {
        let mut upkeep = tokio::time::interval(UPKEEP_INTERVAL);
        upkeep.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut look = tokio::time::interval(LOOK_INTERVAL);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let go_on = tokio::select! {
                biased;
                _ = upkeep.tick(), if self.options.upkeep.is_some() => self.look_after().await,
                _ = look.tick(), if self.options.upkeep.is_some() => self.look().await,
                Some(question) = self.questions.recv() => self.work(question).await,
                job = self.jobs.recv() => match job {
                    Some(job) => self.work(job).await,
                    None => false,
                },
            };
            if std::mem::take(&mut self.is_new) {
                // It may be another database.
                look.reset_immediately();
            }
            if std::mem::take(&mut self.is_other) {
                // It may lack what was made in the one before.
                upkeep.reset_immediately();
            }
            self.shared.beat.fetch_add(1, Ordering::Relaxed);
            if !go_on {
                break;
            }
        }
        // Whoever still waits sees the channel closed.
        self.jobs.close();
        self.questions.close();
        while self.jobs.try_recv().is_ok() {}
        self.shared.wake_all();
    }

    async fn work(&mut self, job: Job) -> bool {
        let is_rehearsal = self.options.rehearsal.is_some();
        match job {
            Job::Commit(work, _on_its_way) => self.commit(*work).await,
            Job::Candidates { head, host, source, reply } => {
                self.answer(reply, async |client| Ok(files::candidates(client, head, &host, &source).await?))
                    .await
            }
            Job::LoadedUntil { reply } => self.answer(reply, files::loaded_until).await,
            // What a dry run must not write it does without.
            Job::Seen { reply, .. } | Job::CameFrom { reply, .. } if is_rehearsal => {
                let _ = reply.send(());
                true
            }
            Job::NewFile { reply } if is_rehearsal => {
                self.rehearsed_files -= 1;
                let _ = reply.send(self.rehearsed_files);
                true
            }
            Job::Salt { reply, .. } if is_rehearsal => {
                let _ = reply.send(None);
                true
            }
            Job::Seen { file_id, facts, reply } => {
                self.answer(reply, async |client| Ok(files::remember(client, file_id, &facts, None).await?))
                    .await
            }
            Job::CameFrom { uri, bytes, sha256, reply } => {
                self.answer(reply, async |client| files::came_from(client, &uri, bytes, &sha256).await).await
            }
            Job::NewFile { reply } => self.answer(reply, files::new_file_id).await,
            Job::Spans { file_id, from, which, limit, reply } => {
                self.answer(reply, async |client| files::spans(client, file_id, from, &which, limit).await)
                    .await
            }
            Job::Apps { reply } => {
                let metrics = Arc::clone(&self.shared.metrics);
                let ask = async |client: &Client| {
                    let apps = dimensions::apps(client).await?;
                    apps.iter().for_each(|app| metrics.app(app.id, &app.key, &app.name));
                    Ok(apps)
                };
                self.answer(reply, ask).await
            }
            Job::Salt { app_id, day, reply } => {
                self.answer(reply, async |client| dimensions::salt(client, app_id, &day).await).await
            }
            Job::Durable { reply } => {
                self.answer(reply, async |client| Ok(super::make_durable(client).await?)).await
            }
        }
    }

    /// Asks until there is an answer, or it is time to stop.
    async fn answer<T>(
        &mut self,
        reply: oneshot::Sender<T>,
        question: impl AsyncFn(&Client) -> anyhow::Result<T>,
    ) -> bool {
        loop {
            let Some(client) = self.connected().await else { return false };
            let answer = tokio::time::timeout(fault::wait(QUESTION_TIMEOUT), question(client)).await;
            match answer.unwrap_or_else(|late| Err(anyhow::Error::new(late).context("ask the database"))) {
                Ok(answer) => {
                    if !self.commit_fails {
                        self.well();
                    }
                    // The reader may have gone: then nobody wants to know.
                    let _ = reply.send(answer);
                    return true;
                }
                Err(error) => {
                    if !self.failed(classify_any(&error), error).await {
                        return false;
                    }
                }
            }
        }
    }

    async fn commit(&mut self, mut work: Work) -> bool {
        if work.epoch != self.shared.epoch.load(Ordering::Acquire) {
            return true;
        }
        if self.connected().await.is_none() {
            return false;
        }
        if work.epoch != self.shared.epoch.load(Ordering::Acquire) {
            return true;
        }
        self.spare_raw(&mut work);
        let Some(client) = &self.client else { return true };
        let started = Instant::now();
        let rehearsal = self.options.rehearsal.as_deref();
        let done = tokio::time::timeout(fault::wait(COMMIT_TIMEOUT), async {
            match rehearsal {
                None => commit(client, &mut work, &mut self.memory, &mut self.patience).await,
                Some(rehearsal) => {
                    rehearse(client, &mut work).await?;
                    let noted = lock(rehearsal).add(&work.batch.keys);
                    noted.map_err(|e| anyhow::Error::new(e).context("note what would be loaded").into())
                }
            }
        })
        .await;
        match done {
            Ok(Ok(())) => {
                self.commit_fails = false;
                self.stale = 0;
                self.well();
                self.shared.metrics.committed(&work.batch, started.elapsed());
                work.tell();
                *lock(&self.shared.spare) = work.batch.into_room();
                true
            }
            Ok(Err(Failure::Stale(why))) => {
                tracing::debug!(why, "reading the checkpoints back");
                self.shared.metrics.retried(DESTINATION, "stale");
                self.forget();
                // Two that keep moving each other's checkpoints leave each other some time.
                self.stale = (self.stale + 1).min(10);
                self.wait(STALE_FIRST * (1 << self.stale)).await
            }
            Ok(Err(Failure::Postgres(trouble, error))) => {
                self.commit_fails = true;
                self.failed(trouble, error.context("load a batch")).await
            }
            Err(_) => {
                // Somewhere the connection hangs; the server notices by its own timeouts.
                self.commit_fails = true;
                let error = anyhow::anyhow!("load a batch: no end after {} s", COMMIT_TIMEOUT.as_secs());
                self.failed(Trouble::Transient, error).await
            }
        }
    }

    /// A row of ours that somebody holds may be held by ourselves, from before a crash or a cut line.
    async fn end_dead_predecessors(&self) {
        let Some(client) = &self.client else { return };
        let name = &self.options.application_name;
        let end = async { client.query_typed_one(END_DEAD_PREDECESSORS, &[(name, Type::TEXT)]).await };
        match tokio::time::timeout(fault::wait(QUESTION_TIMEOUT), end).await {
            Ok(Ok(row)) => {
                let sessions: i64 = row.get(0);
                if sessions > 0 {
                    tracing::warn!(sessions, "ended sessions of a dead predecessor that held our locks");
                }
            }
            Ok(Err(error)) => tracing::debug!(%error, "cannot look for sessions of a dead predecessor"),
            Err(_) => tracing::debug!("no answer about sessions of a dead predecessor"),
        }
    }

    /// Leaves the raw bytes of rejects away once their budget is spent: a flood of garbage must not fill the
    /// database. They stay in the log.
    fn spare_raw(&mut self, work: &mut Work) {
        let (left, since) = self.raw_budget;
        let mut left = (left + since.elapsed().as_secs_f64() * RAW_PER_SECOND).min(RAW_BURST);
        for span in work.batch.rejects.iter_mut().filter(|span| !span.is_only_copy) {
            let bytes = span.raw.as_ref().map_or(0, Vec::len) as f64;
            if bytes > left {
                span.raw = None;
            } else {
                left -= bytes;
            }
        }
        self.raw_budget = (left, Instant::now());
    }

    fn well(&mut self) {
        self.retry = 0;
        if lock(&self.shared.trouble).take().is_some() {
            tracing::info!("the database takes rows again");
        }
    }

    /// Everything read from the database may be wrong now.
    fn forget(&mut self) {
        self.memory = Memory::default();
        self.shared.epoch.fetch_add(1, Ordering::AcqRel);
        self.shared.wake_all();
    }

    /// After an error: forget, say so once, wait. `false`: stop.
    async fn failed(&mut self, trouble: Trouble, error: anyhow::Error) -> bool {
        if is_lock_timeout(&error) {
            self.end_dead_predecessors().await;
        }
        self.forget();
        self.shared.beat.fetch_add(1, Ordering::Relaxed);
        // With it go whatever it has open, and every doubt about that.
        self.client = None;
        // A person who waits is told at once what cannot be, and that there is no database; one that was there
        // and went away comes back.
        // What a dry run has noted it would note again.
        let passes = trouble == Trouble::Transient
            && self.shared.connected.load(Ordering::Acquire)
            && self.options.rehearsal.is_none();
        if !passes && !self.options.patient {
            *lock(&self.shared.fatal) = Some(anyhow::Error::msg(told(&error)));
            return false;
        }
        let most = if trouble == Trouble::Transient { RETRY_TRANSIENT_MAX } else { RETRY_STOP_MAX };
        let wait = RETRY_FIRST.saturating_mul(1 << self.retry.min(16)).min(most);
        self.retry += 1;
        self.shared.metrics.retried(DESTINATION, &cause(&error));
        let message = told(&error);
        {
            let known = &mut *lock(&self.shared.trouble);
            if known.as_ref() != Some(&message) {
                if trouble == Trouble::Transient {
                    tracing::warn!(
                        error = message,
                        "the database does not take rows: trying again until it does"
                    );
                } else {
                    tracing::error!(
                        error = message,
                        "the database refuses what it is given: somebody has to mend this; nothing is lost meanwhile"
                    );
                }
                *known = Some(message);
            }
        }
        self.wait(wait).await
    }

    /// Waits, with jitter; `false`: it is time to stop.
    async fn wait(&self, time: Duration) -> bool {
        let mut random = [0u8; 1];
        // Without randomness the wait is just less well spread.
        let _ = getrandom::fill(&mut random);
        let time = time.mul_f64(0.75 + f64::from(random[0]) / 512.0);
        if self.shared.stopping.load(Ordering::Acquire) {
            return false;
        }
        tokio::select! {
            () = tokio::time::sleep(time) => {}
            () = self.shared.stop.notified() => {}
        }
        !self.shared.stopping.load(Ordering::Acquire)
    }

    /// The connection, made anew where there is none; `None`: it is time to stop.
    async fn connected(&mut self) -> Option<&Client> {
        while self.client.as_ref().is_none_or(|client| client.is_closed()) {
            if self.client.take().is_some() || self.shared.connected.load(Ordering::Acquire) {
                self.forget();
                if self.options.rehearsal.is_some() {
                    // What was counted and noted so far would be so again.
                    *lock(&self.shared.fatal) =
                        Some(anyhow::anyhow!("the connection to the database was lost"));
                    return None;
                }
            }
            let connected = async {
                let (postgres, name) = (&self.options.postgres, &self.options.application_name);
                let client = connect_counted(postgres, name, self.shared.metrics.connections()).await?;
                migrate::check_compatible(&client).await?;
                anyhow::Ok(client)
            };
            let connected = tokio::time::timeout(fault::wait(QUESTION_TIMEOUT), connected).await;
            match connected.unwrap_or_else(|late| Err(anyhow::Error::new(late).context("ask for the schema")))
            {
                Ok(client) => {
                    self.client = Some(client);
                    self.is_new = true;
                    self.shared.connected.store(true, Ordering::Release);
                    self.shared.connections.fetch_add(1, Ordering::AcqRel);
                }
                Err(error) => {
                    // Before the first connection nobody can tell a wrong address from a server that is down.
                    let trouble = classify_any(&error);
                    if !self.failed(trouble, error).await {
                        return None;
                    }
                }
            }
        }
        self.client.as_deref()
    }

    /// Looks whether the database is there, and what those who watch want to know of it.
    async fn look(&mut self) -> bool {
        if self.connected().await.is_none() {
            return false;
        }
        let Some(client) = &self.client else { return true };
        let seen = tokio::time::timeout(fault::wait(QUESTION_TIMEOUT), observe(client)).await;
        match seen.unwrap_or_else(|late| Err(anyhow::Error::new(late).context("ask the database"))) {
            Ok(seen) => {
                if self.shared.metrics.observed(seen) {
                    self.is_other = true;
                    tracing::warn!(
                        "this is another database cluster or timeline than before: a failover, or a restore"
                    );
                }
                if !self.commit_fails {
                    self.well();
                }
                true
            }
            Err(error) => self.failed(classify_any(&error), error.context("look at the database")).await,
        }
    }

    async fn look_after(&mut self) -> bool {
        let Some(retention) = self.options.upkeep.clone() else { return true };
        if self.connected().await.is_none() {
            return false;
        }
        let Some(client) = &self.client else { return true };
        let done = upkeep(client, &retention, &mut self.memory);
        let done = tokio::time::timeout(fault::wait(COMMIT_TIMEOUT), done).await;
        match done.unwrap_or_else(|late| Err(late.into())) {
            Ok(()) => true,
            Err(error) => self.failed(classify_any(&error), error.context("upkeep")).await,
        }
    }
}

/// What an error is counted as: a SQLSTATE, or a word.
fn cause(error: &anyhow::Error) -> String {
    for cause in error.chain() {
        if let Some(error) = cause.downcast_ref::<tokio_postgres::Error>() {
            return error.code().map_or("connection", SqlState::code).to_owned();
        }
        if cause.is::<tokio::time::error::Elapsed>() {
            return "timeout".to_owned();
        }
        if cause.is::<std::io::Error>() {
            return "connection".to_owned();
        }
    }
    "other".to_owned()
}

fn is_lock_timeout(error: &anyhow::Error) -> bool {
    let postgres = error.downcast_ref::<tokio_postgres::Error>();
    postgres.and_then(tokio_postgres::Error::code) == Some(&SqlState::LOCK_NOT_AVAILABLE)
}

/// What those who watch want to know of the database.
async fn observe(client: &Client) -> anyhow::Result<Observed> {
    let before = clock::now();
    let row = client.query_typed_one("SELECT clock_timestamp()", &[]).await.context("ask for the time")?;
    let here = before.midpoint(clock::now());
    let there = clock::micros(row.get(0));
    let months = partitions::attached(client).await?;
    let now = partitions::month(here);
    let ahead = (now + 1..).take_while(|month| months.contains(month)).count();
    Ok(Observed {
        clock_difference: (there - here) as f64 / 1e6,
        has_current_partition: months.contains(&now),
        partitions_ahead: i32::try_from(ahead).unwrap_or(i32::MAX),
        identity: identity(client).await?,
    })
}

/// The cluster's system identifier and timeline; `None` where they may not be asked for.
async fn identity(client: &Client) -> anyhow::Result<Option<(i64, i32)>> {
    let sql =
        "SELECT s.system_identifier, c.timeline_id FROM pg_control_system() s, pg_control_checkpoint() c";
    match client.query_typed_one(sql, &[]).await {
        Ok(row) => Ok(Some((row.get(0), row.get(1)))),
        Err(error) if error.code().is_some() && classify(&error) == Trouble::Stop => Ok(None),
        Err(error) => Err(error).context("ask which cluster this is"),
    }
}

/// Makes partitions ahead, destroys old salts, purges old rejects, drops old rows.
async fn upkeep(client: &Client, retention: &config::Retention, memory: &mut Memory) -> anyhow::Result<()> {
    memory.ensure_partitions(client, partitions::ahead()).await?;
    let killed = dimensions::kill_salts(client).await?;
    let age = i64::try_from(retention.rejects.as_micros()).unwrap_or(i64::MAX);
    let purged = dimensions::purge_rejects(client, clock::now().saturating_sub(age)).await?;
    let dropped = match &retention.rows {
        Some(keep) => partitions::drop_before(client, keep.before(clock::now())).await?,
        None => Vec::new(),
    };
    if !dropped.is_empty() {
        memory.forget_partitions();
    }
    tracing::debug!(killed, purged, ?dropped, "upkeep done");
    Ok(())
}
