//! The single owner of a connection: takes batches and questions from readers, in order, and retries.
//!
//! Readers are threads. Each holds a [`Store`] and waits for its answers. One task owns the connection and everything
//! cached from the database. Retries happen here and nowhere else. Questions are repeated until they are answered. A
//! failed batch is discarded, because after any error the state is read again from the database ([`Store::epoch`]
//! changes, and every reader starts again from its checkpoints). The log is the buffer, so nothing is lost when a batch
//! is discarded.

mod budget;
mod flights;
mod handle;
mod observe;

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use alt_line::batch::{HOURS_MAX, Room};
use alt_line::checkpoint::Head;
use alt_line::enrich::App;
use alt_line::enrich::day::LocalDay;
use alt_line::hit::Micros;
use alt_line::reread::OldSpan;
use alt_process::fault;
use alt_process::lock::lock;
use alt_process::metrics::Metrics;
use anyhow::Context;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;

pub use handle::{Interrupted, Store, Wake, Watcher};

use self::budget::Budget;
use self::flights::Second;
use super::commit::{Memory, Patience, Work};
use super::connect::{Connection, connect_counted};
use super::dimensions::Registry;
use super::files::{Candidate, Facts, Which};
use super::rehearsal::Rehearsal;
use super::unfinished::{self, Unfinished};
use super::{Trouble, classify_any, dimensions, files, is_lock_timeout, migrate, told};
use handle::OnItsWay;

const END_DEAD_PREDECESSORS: &str = include_str!("../../../sql/end_dead_predecessors.sql");

/// The number of batches, and of questions, that may wait for the writer. A batch that waits is still its reader's, which
/// builds no other. So there are one batch a reader, and those that are being written.
const QUEUE: usize = 1;

const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_TRANSIENT_MAX: Duration = Duration::from_secs(5);
const RETRY_STOP_MAX: Duration = Duration::from_secs(30);

/// The maximum duration of a commit, including COPY, which no timeout of PostgreSQL covers.
pub const COMMIT_TIMEOUT: Duration = Duration::from_secs(10 * 60);

/// The maximum time for an answer.
const QUESTION_TIMEOUT: Duration = Duration::from_secs(60);

/// While connecting, how often the writer shows that it lives, and looks whether it is time to stop.
const CONNECT_STEP: Duration = Duration::from_secs(1);

/// How long the writer still tries to connect when it is time to stop.
const STOPPING_MAX: Duration = Duration::from_secs(10);

/// After an error, how long the connection is asked at most whether everything is on the server's disk.
const DURABLE_TIMEOUT: Duration = Duration::from_secs(1);

/// Half of the first wait after a checkpoint had moved. Doubles each time.
const STALE_FIRST: Duration = Duration::from_millis(1);

/// How often the database is observed for monitoring.
const LOOK_INTERVAL: Duration = Duration::from_secs(15);

/// The destination under which its retries are counted.
const DESTINATION: &str = "postgres";

struct Shared {
    epoch: AtomicU64,
    beat: AtomicU64,
    in_flight: AtomicUsize,
    stopping: AtomicBool,
    finale: AtomicBool,
    connected: AtomicBool,
    connections: AtomicU64,
    /// The most UTC hours of a batch, each of which needs locks on the server.
    hours_max: AtomicUsize,
    /// A connection was lost, and it is unknown whether its commits were on the server's disk.
    in_doubt: AtomicBool,
    stop: Notify,
    /// The allocation of a committed batch. Freeing and allocating it again and again would need more memory, because
    /// of fragmentation.
    spare: Mutex<Room>,
    wakes: Mutex<Vec<Arc<Wake>>>,
    metrics: Arc<Metrics>,
    trouble: Mutex<Option<String>>,
    /// Increases when the database is another one than before.
    databases: AtomicU64,
    /// Partitions were created or dropped: what the writer knows of them may be wrong.
    partitions_changed: AtomicBool,
    /// Requests an observation of the database now.
    look: Notify,
    fatal: Mutex<Option<anyhow::Error>>,
}

impl Shared {
    fn wake_all(&self) {
        for wake in lock(&self.wakes).iter() {
            wake.wake();
        }
    }
}

enum Job {
    Commit(Box<Work>, OnItsWay),
    Candidates { head: Head, host: String, source: String, reply: oneshot::Sender<Vec<Candidate>> },
    LoadedUntil { reply: oneshot::Sender<Micros> },
    Unfinished { host: String, reply: oneshot::Sender<Vec<Unfinished>> },
    Missing { all: Vec<i32>, missing: Vec<i32>, reply: oneshot::Sender<()> },
    Seen { file_id: i32, facts: Facts, reply: oneshot::Sender<()> },
    CameFrom { uri: String, bytes: u64, sha256: [u8; 32], reply: oneshot::Sender<()> },
    NewFile { reply: oneshot::Sender<i32> },
    Registry { used: Vec<String>, reply: oneshot::Sender<Registry> },
    Apps { keys: Vec<String>, reply: oneshot::Sender<Vec<App>> },
    Spans { file_id: i32, from: u64, which: Which, limit: i64, reply: oneshot::Sender<Vec<OldSpan>> },
    Salt { app_id: i32, day: LocalDay, reply: oneshot::Sender<Option<[u8; 32]>> },
    Suspect { file_id: i32, offset: u64, deaths: i32, reply: oneshot::Sender<()> },
    Convict { file_id: i32, offset: u64, reply: oneshot::Sender<Option<i32>> },
    Durable { reply: oneshot::Sender<bool> },
}

/// Settings of a [`Writer`].
#[derive(Debug, Clone)]
pub struct Options {
    /// How the database is reached.
    pub postgres: alt_config::Postgres,
    /// The name of its session in `pg_stat_activity`.
    pub application_name: String,
    /// It is a daemon's: it observes the database regularly, for monitoring, and limits how many rejects are kept.
    pub looks: bool,
    /// How many batches that come one behind the other are loaded at the same time: 1 or 2, each on its own connection.
    pub connections: usize,
    /// Whether it waits when somebody has to repair something, or when the database was never reached. Otherwise such a
    /// problem ends the work.
    pub patient: bool,
    /// A dry run: nothing is written, and what would be written is recorded here.
    pub rehearsal: Option<Arc<Mutex<Rehearsal>>>,
    /// The metrics in which it counts its work.
    pub metrics: Arc<Metrics>,
}

/// The task's side.
pub struct Writer {
    jobs: mpsc::Receiver<Job>,
    questions: mpsc::Receiver<Job>,
    shared: Arc<Shared>,
    options: Options,
    client: Option<Connection>,
    second: Second,
    /// The connection was opened after the last observation of the database.
    is_new: bool,
    memory: Memory,
    patience: Patience,
    budget: Budget,
    retry: u32,
    /// The current problem is one of committing: an answered question does not end it.
    commit_fails: bool,
    /// How many times in a row a checkpoint had moved.
    stale: u32,
    /// The last number that a dry run gave to a file. These numbers are negative.
    rehearsed_files: i32,
}

/// Creates the reader's side and the task's side.
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
        hours_max: AtomicUsize::new(HOURS_MAX),
        in_doubt: AtomicBool::new(false),
        stop: Notify::new(),
        spare: Mutex::default(),
        wakes: Mutex::default(),
        metrics: Arc::clone(&options.metrics),
        trouble: Mutex::default(),
        databases: AtomicU64::new(0),
        partitions_changed: AtomicBool::new(false),
        look: Notify::new(),
        fatal: Mutex::default(),
    });
    let writer = Writer {
        jobs: jobs_sent,
        questions: questions_sent,
        shared: Arc::clone(&shared),
        budget: Budget::new(options.looks, Instant::now()),
        options,
        client: None,
        second: Second::default(),
        is_new: false,
        memory: Memory::default(),
        patience: Patience::default(),
        retry: 0,
        commit_fails: false,
        stale: 0,
        rehearsed_files: 0,
    };
    (Store::new(jobs, questions, shared), writer)
}

impl Writer {
    /// Starts it on its own thread. `held` is dropped when the thread ends.
    ///
    /// # Errors
    /// The thread or the runtime cannot be created.
    pub fn start<T: Send + 'static>(self, held: T) -> std::io::Result<JoinHandle<()>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::Builder::new().name("alt-writer".to_owned()).spawn(move || {
            let _held = held;
            runtime.block_on(self.run());
        })
    }

    /// Works until every [`Store`] is dropped or, once stopping, until the database cannot be reached.
    async fn run(mut self) {
        let mut look = tokio::time::interval(LOOK_INTERVAL);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let shared = Arc::clone(&self.shared);
        loop {
            let go_on = tokio::select! {
                biased;
                _ = look.tick(), if self.options.looks => self.look().await,
                () = shared.look.notified(), if self.options.looks => self.look().await,
                Some(question) = self.questions.recv() => self.work(question).await,
                job = self.jobs.recv() => match job {
                    Some(job) => self.work(job).await,
                    None => false,
                },
            };
            if std::mem::take(&mut self.is_new) {
                // The new connection may lead to another database.
                look.reset_immediately();
            }
            self.shared.beat.fetch_add(1, Ordering::Relaxed);
            if !go_on {
                break;
            }
        }
        // Whoever still waits sees that the channel is closed.
        self.jobs.close();
        self.questions.close();
        while self.jobs.try_recv().is_ok() {}
        self.shared.wake_all();
    }

    async fn work(&mut self, job: Job) -> bool {
        let mut next = Some(job);
        while let Some(job) = next.take() {
            let goes_on;
            (goes_on, next) = self.one(job).await;
            if !goes_on {
                return false;
            }
        }
        true
    }

    /// Does a job. Returns whether to go on, and another job that was taken meanwhile.
    async fn one(&mut self, job: Job) -> (bool, Option<Job>) {
        let is_rehearsal = self.options.rehearsal.is_some();
        let goes_on = match job {
            Job::Commit(work, on_its_way) => return self.load(work, on_its_way).await,
            Job::Candidates { head, host, source, reply } => {
                self.answer(reply, async |client| Ok(files::candidates(client, head, &host, &source).await?))
                    .await
            }
            Job::LoadedUntil { reply } => self.answer(reply, files::loaded_until).await,
            Job::Unfinished { host, reply } => {
                self.answer(reply, async |client| unfinished::of(client, &host).await).await
            }
            Job::Missing { all, missing, reply } => {
                self.answer(reply, async |client| unfinished::note(client, &all, &missing).await).await
            }
            // A dry run must not write these, and does not need them.
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
            Job::Registry { used, reply } => {
                let metrics = Arc::clone(&self.shared.metrics);
                let ask = async |client: &Client| {
                    let registry = dimensions::registry(client, &used).await?;
                    registry.apps.iter().for_each(|app| metrics.app(app.id, &app.key, &app.name));
                    Ok(registry)
                };
                self.answer(reply, ask).await
            }
            Job::Apps { keys, reply } => {
                let metrics = Arc::clone(&self.shared.metrics);
                let ask = async |client: &Client| {
                    let apps = dimensions::apps(client, &keys).await?;
                    apps.iter().for_each(|app| metrics.app(app.id, &app.key, &app.name));
                    Ok(apps)
                };
                self.answer(reply, ask).await
            }
            Job::Salt { app_id, day, reply } => {
                self.answer(reply, async |client| dimensions::salt(client, app_id, &day).await).await
            }
            Job::Suspect { file_id, offset, deaths, reply } => {
                self.answer(reply, async |client| files::suspect(client, file_id, offset, deaths).await).await
            }
            Job::Convict { file_id, offset, reply } => {
                self.answer(reply, async |client| files::convict(client, file_id, offset).await).await
            }
            Job::Durable { reply } => {
                self.answer(reply, async |client| Ok(super::make_durable(client).await?)).await
            }
        };
        (goes_on, None)
    }

    /// Repeats the question until there is an answer, or it is time to stop.
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
                    // The reader may be gone. Then nobody needs the answer.
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

    /// The server had no room for the locks of a batch over so many hours: the next batches are over half as many. The
    /// same batch would fail again and again. Other sessions may hold the locks, so [`Writer::grow`] undoes this.
    fn shrink(&self, hours: usize, error: anyhow::Error) -> anyhow::Error {
        let most = (hours.min(self.shared.hours_max.load(Ordering::Relaxed)) / 2).max(1);
        self.shared.hours_max.store(most, Ordering::Relaxed);
        error.context(format!(
            "the server has no room for the locks of {hours} hours, the next batches have at most {most}: raise \
             max_locks_per_transaction in postgresql.conf"
        ))
    }

    /// A batch over as many hours as are allowed was committed: the next one may have one hour more.
    fn grow(&self, hours: usize) {
        let most = self.shared.hours_max.load(Ordering::Relaxed);
        if hours >= most && most < HOURS_MAX {
            self.shared.hours_max.store(most + 1, Ordering::Relaxed);
        }
    }

    /// A lock that blocks us may be held by our own earlier session, from before a crash or a lost connection.
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

    fn well(&mut self) {
        self.retry = 0;
        if lock(&self.shared.trouble).take().is_some() {
            tracing::info!("the database takes rows again");
        }
    }

    /// Discards everything read from the database, because it may be wrong now.
    fn forget(&mut self) {
        self.memory = Memory::default();
        self.shared.epoch.fetch_add(1, Ordering::AcqRel);
        self.shared.wake_all();
    }

    /// Handles an error: discards the cached state, logs the error once, waits. `false`: stop.
    async fn failed(&mut self, trouble: Trouble, error: anyhow::Error) -> bool {
        if is_lock_timeout(&error) {
            self.end_dead_predecessors().await;
        }
        self.second.close();
        self.forget();
        self.shared.beat.fetch_add(1, Ordering::Relaxed);
        // Dropping the connection also discards any open transaction, whose state may be unknown.
        if let Some(client) = self.client.take()
            && !self.options.patient
        {
            self.shared.in_doubt.fetch_or(!is_durable(&client).await, Ordering::AcqRel);
        }
        // An impatient writer reports at once what cannot work, and that there is no database. It waits only for a
        // database that was reached before and went away.
        // A dry run cannot continue: it would record again what it has recorded.
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

    /// Waits, with jitter. `false`: it is time to stop.
    async fn wait(&self, time: Duration) -> bool {
        let mut random = [0u8; 1];
        // Without randomness, the waits are only less well spread.
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

    /// The connection, opened if there is none. `None`: it is time to stop.
    async fn connected(&mut self) -> Option<&Client> {
        while self.client.as_ref().is_none_or(|client| client.is_closed()) {
            if self.client.take().is_some() {
                self.shared.in_doubt.store(true, Ordering::Release);
            }
            if self.shared.connected.load(Ordering::Acquire) {
                self.forget();
                if self.options.rehearsal.is_some() {
                    // What was counted and recorded so far would be counted and recorded again.
                    *lock(&self.shared.fatal) =
                        Some(anyhow::anyhow!("the connection to the database was lost"));
                    return None;
                }
            }
            match self.connect().await? {
                Ok(client) => {
                    self.client = Some(client);
                    self.is_new = true;
                    self.shared.connected.store(true, Ordering::Release);
                    self.shared.connections.fetch_add(1, Ordering::AcqRel);
                }
                Err(error) => {
                    // Before the first connection, a wrong address cannot be distinguished from a server that is down.
                    let trouble = classify_any(&error);
                    if !self.failed(trouble, error).await {
                        return None;
                    }
                }
            }
        }
        self.client.as_deref()
    }

    /// Connects once. Each server that may be tried has its own time limit; all together may take long. `None`: it is
    /// time to stop.
    async fn connect(&self) -> Option<anyhow::Result<Connection>> {
        let connected = async {
            let (postgres, name) = (&self.options.postgres, &self.options.application_name);
            open(postgres, name, self.shared.metrics.connections()).await
        };
        let mut connected = std::pin::pin!(connected);
        let mut left = STOPPING_MAX;
        loop {
            if let Ok(done) = tokio::time::timeout(CONNECT_STEP, connected.as_mut()).await {
                return Some(done);
            }
            self.shared.beat.fetch_add(1, Ordering::Relaxed);
            if self.shared.stopping.load(Ordering::Acquire) {
                left = left.checked_sub(CONNECT_STEP).filter(|left| !left.is_zero())?;
            }
        }
    }

    /// Checks whether the database is reachable, and reads its state for monitoring.
    async fn look(&mut self) -> bool {
        self.second.close_if_idle();
        if self.connected().await.is_none() {
            return false;
        }
        let Some(client) = &self.client else { return true };
        let seen = tokio::time::timeout(fault::wait(QUESTION_TIMEOUT), observe::observe(client)).await;
        match seen.unwrap_or_else(|late| Err(anyhow::Error::new(late).context("ask the database"))) {
            Ok(seen) => {
                if self.shared.metrics.observed(seen) {
                    self.shared.databases.fetch_add(1, Ordering::AcqRel);
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
}

/// Opens a connection to a database whose schema is known.
async fn open(
    postgres: &alt_config::Postgres,
    name: &str,
    open: Arc<AtomicU64>,
) -> anyhow::Result<Connection> {
    let client = connect_counted(postgres, name, open).await?;
    let asked = tokio::time::timeout(fault::wait(QUESTION_TIMEOUT), migrate::check_compatible(&client));
    asked.await.context("ask for the schema")??;
    Ok(client)
}

/// The label under which an error is counted: a SQLSTATE, or a word.
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

/// Whether everything committed is on the server's disk, asked over a connection that had an error.
async fn is_durable(client: &Client) -> bool {
    let durable = tokio::time::timeout(fault::wait(DURABLE_TIMEOUT), super::make_durable(client));
    !client.is_closed() && matches!(durable.await, Ok(Ok(_)))
}
