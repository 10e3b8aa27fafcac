//! `alt run`: the daemon. It has a few reader threads for any number of sources, one writer task, one archiving thread,
//! and this thread, which waits for signals and reports the state to systemd.

mod notify;
mod readers;
mod sample;
mod state;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

use alt_collect::archive::archiver::{self, Archiver, Watched};
use alt_collect::pipeline::suspicion::{End, Suspicion};
use alt_collect::source::logs::{Logs, Place};
use alt_collect::source::progress::Progress;
use alt_collect::source::trail::Slot;
use alt_collect::source::watch::Watches;
use alt_config::{Config, Source};
use alt_line::parse::Format;
use alt_process::clock;
use alt_process::lock::lock;
use alt_process::metrics::Metrics;
use alt_process::stop::Stop;
use alt_process::worker::{self, Work, Worker};
use alt_store::alerts::{
    self,
    worker::{Alerts, Beat},
};
use alt_store::presence::{self, Presence};
use alt_store::stats::{self, worker::Statistics};
use alt_store::upkeep::Upkeep;
use alt_store::writer::{self, Options, Store};
use anyhow::{Context, bail};
use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use self::notify::Notify;
pub(crate) use self::readers::READERS_MAX;
use self::readers::{Reader, Starting};
use self::sample::Sample;
use self::state::{Pulse, State, Systemd};
use super::Outcome;
use super::assembly::Assembly;
use crate::admin::{Admin, Answers};
use crate::cli;

/// How often the archiver checks whether everything is loaded, in a final run.
const FINISH_INTERVAL: Duration = Duration::from_millis(50);

/// How long the readers, the workers and the writer may take to finish their current work.
const STOP_TIMEOUT: Duration = Duration::from_secs(20);

/// Follows the configured logs and loads them until it is told to stop. In a final run, nothing writes to the logs any
/// more: it loads and archives what is there.
///
/// # Errors
/// The daemon cannot start, a part of it failed, or a final run left something undone.
pub fn run(config: &Config, path: Option<&Path>, args: &cli::Run) -> anyhow::Result<Outcome> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("start the runtime")?;
    let mut config = config.clone();
    let metrics = Arc::new(Metrics::default());
    let mut admin = None;
    loop {
        admin = admin_port(config.admin.listen, admin, &metrics)?;
        match runtime.block_on(serve(&config, path, args.is_final, &metrics, admin.as_ref()))? {
            Next::Stop => return Ok(Outcome::Done),
            Next::Reload(new) => config = *new,
        }
    }
}

/// The admin port for an address. Reuses the open port if it has this address.
fn admin_port(
    address: Option<SocketAddr>,
    open: Option<Admin>,
    metrics: &Arc<Metrics>,
) -> anyhow::Result<Option<Admin>> {
    match (address, open) {
        (Some(address), Some(open)) if open.address() == address => Ok(Some(open)),
        (Some(address), _) => Admin::start(address, Arc::clone(metrics)).map(Some),
        (None, _) => Ok(None),
    }
}

enum Next {
    Stop,
    Reload(Box<Config>),
}

/// What a thread left unfinished; set when the thread ends.
type Owed = Arc<OnceLock<Vec<PathBuf>>>;

async fn serve(
    config: &Config,
    path: Option<&Path>,
    is_final: bool,
    metrics: &Arc<Metrics>,
    admin: Option<&Admin>,
) -> anyhow::Result<Next> {
    let mut signals = Signals::listen()?;
    let itself = presence::Daemon::of(config, path);
    let mut daemon = Daemon::start(config, itself.clone(), is_final, metrics)?;
    tracing::info!(sources = config.sources.len(), host = config.load.host_name(), "following");
    if let Some(admin) = admin {
        admin.answer_by(Arc::clone(&daemon.state) as Arc<dyn Answers>, &config.admin.hosts);
    }
    let next = daemon.watch(path, &mut signals).await?;
    if matches!(next, Next::Stop) {
        let _ = sd_notify::notify(false, &[NotifyState::Stopping]);
    }
    daemon.finish(metrics).await?;
    if matches!(next, Next::Stop) && !is_final {
        itself.leave(&config.postgres).await;
    }
    Ok(next)
}

/// The signals that the daemon handles.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn listen() -> anyhow::Result<Signals> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate()).context("wait for SIGTERM")?,
            interrupt: signal(SignalKind::interrupt()).context("wait for SIGINT")?,
            hangup: signal(SignalKind::hangup()).context("wait for SIGHUP")?,
        })
    }
}

/// The threads of the daemon, and what watches and ends them.
struct Daemon {
    /// Nothing writes to the logs any more.
    is_final: bool,
    state_directory: Option<PathBuf>,
    store: Store,
    writing: JoinHandle<()>,
    readers: Vec<Reader>,
    /// The names of the sources.
    names: Vec<String>,
    /// What is not archived at the end of a final run. `None`: nothing is archived.
    archiving: Option<Owed>,
    /// Ends the workers.
    stop: Arc<Stop>,
    /// Receives a message from each thread that ends.
    end: mpsc::Receiver<Ended>,
    /// Readers and workers that have not ended.
    running: usize,
    state: Arc<State>,
}

impl Daemon {
    /// Starts all threads.
    fn start(
        config: &Config,
        itself: presence::Daemon,
        is_final: bool,
        metrics: &Arc<Metrics>,
    ) -> anyhow::Result<Daemon> {
        let (store, writer) = writer::pair(options(config, metrics));
        if is_final {
            store.set_final();
        }
        // A thread that ends, for whatever reason, drops its sender of this channel.
        let (ended, end) = mpsc::channel::<Ended>(READERS_MAX + 8);
        let writing = writer.start(Ending(ended.clone(), Ended::Writer)).context("start the writer")?;
        let state_directory = state_directory();
        let (suspicion, slots) = suspicion(state_directory.as_deref(), config.sources.len());
        let assembly = Assembly::of(config)?;
        let places = places(config);
        let progress: Vec<Arc<Progress>> =
            places.iter().map(|_| Arc::new(Progress::new(clock::now()))).collect();
        let starting = Starting {
            config,
            assembly: &assembly,
            places: &places,
            progress: &progress,
            store: &store,
            suspicion,
            slots,
            state_directory: state_directory.as_deref(),
            watches: Watches::new(),
        };
        let readers = starting.all(|index| Ending(ended.clone(), Ended::Reader(index)))?;
        let stop = Arc::new(Stop::default());
        let mut workers = Workers { is_final, stop: Arc::clone(&stop), ended, started: Vec::new() };
        say_that_it_runs(config, itself, &places, &progress, metrics, &mut workers)?;
        let upkeep = Upkeep::new(config, store.watcher(), metrics, &stop)?;
        let waits = upkeep.waits();
        workers.start(upkeep, |worker| {
            worker.turn();
        })?;
        let statistics = compute_statistics(config, metrics, &stop, &mut workers, &readers)?;
        let alerts = watch_for_alerts(config, &progress, metrics, &stop, &mut workers, &readers)?;
        let watched = watched(config, &assembly, &places)?;
        let archiver = Archiver::new(config, watched, store.clone(), Arc::clone(metrics), Arc::clone(&stop))?;
        let archive = archiver.as_ref().map(Archiver::status);
        let archiving = match archiver {
            Some(archiver) => Some(archive_on_a_thread(archiver, &mut workers, &readers)?),
            None => None,
        };
        let names: Vec<_> = config.sources.iter().map(name).collect();
        let state = State {
            metrics: Arc::clone(metrics),
            pulse: Mutex::new(Pulse::new(readers.len())),
            places,
            writer: store.watcher(),
            workers: workers.started,
            waits,
            statistics,
            alerts,
            archive,
            has_archive: config.archive.is_some(),
            sources: state::Source::all(&names, progress),
            readers: readers.iter().map(|reader| Arc::clone(&reader.turn)).collect(),
        };
        Ok(Daemon {
            is_final,
            state_directory,
            running: readers.len() + state.workers.len(),
            state: Arc::new(state),
            store,
            writing,
            readers,
            names,
            archiving,
            stop,
            end,
        })
    }

    /// Reports the state to systemd until the daemon has to stop, or to restart with another configuration.
    ///
    /// # Errors
    /// A thread ended by itself, or stopped moving.
    async fn watch(&mut self, path: Option<&Path>, signals: &mut Signals) -> anyhow::Result<Next> {
        let mut systemd = Systemd::new();
        let mut report = tokio::time::interval(systemd.interval());
        report.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while !(self.is_final && self.running == 0) {
            tokio::select! {
                _ = signals.terminate.recv() => break,
                _ = signals.interrupt.recv() => break,
                () = reload_asked(&mut signals.hangup), if !self.is_final => match reloaded(path) {
                    Ok(new) => {
                        let _ = sd_notify::notify(false, &[NotifyState::Reloading]);
                        tracing::info!("reloading the configuration");
                        return Ok(Next::Reload(Box::new(new)));
                    }
                    Err(error) => tracing::error!(
                        error = format!("{error:#}"), "the configuration is not valid: going on with the old one"
                    ),
                },
                _ = report.tick() => {
                    systemd.report(&self.state);
                    if let Some(source) = systemd.gives_up(&self.state) {
                        self.note_end(&End::Still(source));
                        bail!(
                            "the reader of {} stands still: this is a defect, please report it with the lines above",
                            self.names[source]
                        );
                    }
                }
                which = self.end.recv() => self.one_ended(which)?,
            }
        }
        Ok(Next::Stop)
    }

    /// Handles a thread that ended before it was told to.
    ///
    /// # Errors
    /// The thread had no reason to end.
    fn one_ended(&mut self, which: Option<Ended>) -> anyhow::Result<()> {
        let which = match which {
            Some(Ended::Reader(index)) if self.is_final && self.readers[index].owed.get().is_some() => {
                self.running -= 1;
                return Ok(());
            }
            Some(Ended::Worker(_)) if self.is_final => {
                self.running -= 1;
                return Ok(());
            }
            Some(Ended::Reader(index)) => {
                let source = self.readers[index].turn.source();
                self.note_end(&End::Panic(source));
                format!("the reader of {}", self.names[source])
            }
            Some(Ended::Worker(name)) => format!("the worker {name}"),
            _ => {
                self.note_end(&End::Writer);
                "the writer".to_owned()
            }
        };
        self.store.stop();
        self.stop.stop();
        bail!("{which} ended by itself: this is a defect, please report it with the lines above")
    }

    /// Records why this run ends.
    fn note_end(&self, end: &End) {
        if let Some(directory) = &self.state_directory
            && let Err(error) = end.note(directory)
        {
            tracing::warn!(path = %directory.display(), %error, "cannot note why this run ends");
        }
    }

    /// Ends all threads after they finish their current work.
    ///
    /// # Errors
    /// In a final run: not everything is loaded and archived.
    async fn finish(mut self, metrics: &Metrics) -> anyhow::Result<()> {
        // Work in flight may have failed: everything is done only if the threads ended by themselves.
        let is_early = self.running > 0;
        self.store.stop();
        self.stop.stop();
        // Readers hand over what they have read and drop their stores, as workers do. The writer commits it, and ends
        // when the last store is dropped.
        let store = self.store;
        let finished = tokio::time::timeout(STOP_TIMEOUT, async {
            for _ in 0..self.running {
                self.end.recv().await;
            }
            drop(store);
            self.end.recv().await;
        })
        .await;
        match finished {
            Ok(_) => {
                let _ = self.writing.join();
                let totals = metrics.totals();
                tracing::info!(rows = totals.rows, lines = totals.lines, "stopped");
            }
            // Nothing is lost: what was not committed will be read again.
            Err(_) => tracing::warn!("stopped while the database or the archive did not answer"),
        }
        if self.is_final { all_done(&self.readers, self.archiving.as_ref(), is_early) } else { Ok(()) }
    }
}

/// Checks that everything is loaded and archived. `is_early`: not all threads ended by themselves.
///
/// # Errors
/// Something is not loaded or archived; the error names it.
fn all_done(readers: &[Reader], archiving: Option<&Owed>, is_early: bool) -> anyhow::Result<()> {
    let parts = || readers.iter().map(|reader| &reader.owed).chain(archiving);
    let owed: BTreeSet<&PathBuf> = parts().filter_map(|owed| owed.get()).flatten().collect();
    let owed: Vec<_> = owed.iter().map(|path| path.display().to_string()).collect();
    let what = if archiving.is_some() { "loaded and archived" } else { "loaded" };
    if is_early || parts().any(|owed| owed.get().is_none()) {
        bail!("stopped before all was {what}; run it again");
    }
    if !owed.is_empty() {
        bail!("not all is {what}, run it again: {}", owed.join(", "));
    }
    Ok(())
}

/// The directory where the daemon keeps what it needs from its last run, if there is one. systemd creates it and names
/// it.
pub(super) fn state_directory() -> Option<PathBuf> {
    let directories = std::env::var_os("STATE_DIRECTORY")?;
    std::env::split_paths(&directories).next().filter(|path| !path.as_os_str().is_empty())
}

/// The line suspected of having ended the last run, and the slots of the readers' trail.
fn suspicion(directory: Option<&Path>, readers: usize) -> (Option<Arc<Suspicion>>, Vec<Slot>) {
    let Some(directory) = directory else { return (None, Vec::new()) };
    match Suspicion::begin(directory, readers) {
        Ok((suspicion, slots)) => (Some(Arc::new(suspicion)), slots),
        Err(error) => {
            tracing::warn!(
                path = %directory.display(), %error,
                "cannot use the state directory: a line that ends the daemon would not be set aside"
            );
            (None, Vec::new())
        }
    }
}

/// The logs that the archiver watches.
fn watched(config: &Config, assembly: &Assembly, places: &[Place]) -> anyhow::Result<Vec<Watched>> {
    let watched = |(source, place): (&Source, &Place)| {
        let spec = source.spec();
        let format = Arc::new(Format::of(&spec)?);
        let belongs = assembly.belongs(&spec, &format)?;
        Ok(Watched { place: place.clone(), belongs, format })
    };
    config.sources.iter().zip(places).map(watched).collect()
}

/// Starts the workers that run beside loading, each on its own thread.
struct Workers {
    /// Nothing writes to the logs any more: a worker ends when its work is done.
    is_final: bool,
    stop: Arc<Stop>,
    ended: mpsc::Sender<Ended>,
    started: Vec<Arc<worker::State>>,
}

impl Workers {
    /// Starts a worker. `finish` is its work in a final run.
    fn start<W: Work + 'static>(
        &mut self,
        work: W,
        finish: impl FnOnce(&mut Worker<W>) + Send + 'static,
    ) -> anyhow::Result<()> {
        let is_final = self.is_final;
        let ended = Ending(self.ended.clone(), Ended::Worker(work.name()));
        let name = format!("alt-{}", work.name());
        let mut worker = Worker::new(work, Arc::clone(&self.stop));
        self.started.push(worker.state());
        let body = move || {
            // Dropped last, after the worker has released its store.
            let _ended = ended;
            if is_final {
                finish(&mut worker);
            } else {
                worker.run();
            }
            drop(worker);
        };
        std::thread::Builder::new().name(name).spawn(body).context("start a worker's thread")?;
        Ok(())
    }
}

/// How the writer writes.
fn options(config: &Config, metrics: &Arc<Metrics>) -> Options {
    Options {
        postgres: config.postgres.clone(),
        application_name: alt_store::session_name("run", &config.load.host_name()),
        looks: true,
        patient: true,
        connections: config.load.connections,
        rehearsal: None,
        metrics: Arc::clone(metrics),
    }
}

/// Starts the worker that says that this daemon runs. A final run is none: it ends by itself.
fn say_that_it_runs(
    config: &Config,
    itself: presence::Daemon,
    places: &[Place],
    progress: &[Arc<Progress>],
    metrics: &Metrics,
    workers: &mut Workers,
) -> anyhow::Result<()> {
    if workers.is_final {
        return Ok(());
    }
    let (places, progress) = (places.to_vec(), progress.to_vec());
    let lag = Box::new(move || sample::lag_of(&places, &progress));
    let presence = Presence::new(config, itself, lag, metrics, &workers.stop)?;
    workers.start(presence, |_| {})
}

/// Starts the archiver. In a final run, it archives after everything is loaded. The returned value will list what is
/// not archived then.
fn archive_on_a_thread(
    archiver: Archiver,
    workers: &mut Workers,
    readers: &[Reader],
) -> anyhow::Result<Owed> {
    let loaded: Vec<Owed> = readers.iter().map(|r| Arc::clone(&r.owed)).collect();
    let owed = Owed::default();
    let left = Arc::clone(&owed);
    workers.start(archiver, move |worker| {
        while !worker.work.is_stopped() {
            let not_loaded: Option<Vec<_>> = loaded.iter().map(|owed| owed.get().cloned()).collect();
            if let Some(not_loaded) = not_loaded {
                let not_loaded = not_loaded.into_iter().flatten().collect();
                let _ = left.set(archiver::finish(worker, &not_loaded));
                return;
            }
            std::thread::sleep(FINISH_INTERVAL);
        }
    })?;
    Ok(owed)
}

/// Starts the worker that computes statistics, if they are on. In a final run, it computes them after everything is
/// loaded. Returns what is still to be computed.
fn compute_statistics(
    config: &Config,
    metrics: &Metrics,
    stop: &Arc<Stop>,
    workers: &mut Workers,
    readers: &[Reader],
) -> anyhow::Result<Option<Arc<Mutex<Option<stats::ask::State>>>>> {
    if !config.stats.enabled {
        return Ok(None);
    }
    let statistics = Statistics::new(config, state_directory(), metrics, stop)?;
    let state = statistics.state();
    let loaded: Vec<Owed> = readers.iter().map(|r| Arc::clone(&r.owed)).collect();
    let stop = Arc::clone(stop);
    workers.start(statistics, move |worker| {
        while !stop.is_stopped() && loaded.iter().any(|owed| owed.get().is_none()) {
            std::thread::sleep(FINISH_INTERVAL);
        }
        if let Err(error) = worker.work.finish() {
            let error = alt_store::told(&error);
            tracing::warn!(error, "not all statistics are computed: the next run computes them");
        }
    })?;
    Ok(Some(state))
}

/// Starts the workers of alerts, if they are on: one takes numbers of this host, one stores them and notes how far the sources
/// are, one judges, one sends. In a final run, each works once after everything is loaded. Returns how it stands.
fn watch_for_alerts(
    config: &Config,
    progress: &[Arc<Progress>],
    metrics: &Arc<Metrics>,
    stop: &Arc<Stop>,
    workers: &mut Workers,
    readers: &[Reader],
) -> anyhow::Result<Option<Arc<Mutex<Option<alerts::ask::State>>>>> {
    if !config.alerts.enabled {
        return Ok(None);
    }
    let sources: Vec<_> = config.sources.iter().map(name).zip(progress.iter().cloned()).collect();
    let reached = move || {
        let of = |(name, progress): &(String, Arc<Progress>)| {
            (name.clone(), progress.caught_up().load(Ordering::Relaxed))
        };
        sources.iter().map(of).collect()
    };
    let loaded: Vec<Owed> = readers.iter().map(|r| Arc::clone(&r.owed)).collect();
    let is_loaded = {
        let stop = Arc::clone(stop);
        move || stop.is_stopped() || loaded.iter().all(|owed| owed.get().is_some())
    };
    let wait = move || {
        while !is_loaded() {
            std::thread::sleep(FINISH_INTERVAL);
        }
    };
    let (beats, judges) = (wait.clone(), wait.clone());
    let notify = Notify::new(config, metrics, stop)?;
    let judge = Alerts::new(config, metrics, stop)?;
    let state = judge.state();
    let sample = Sample::new(&places(config), progress, &notify.given_up(), &state, metrics);
    let taken = sample.taken();
    workers.start(sample, |worker| {
        worker.turn();
    })?;
    let taken = Box::new(move || lock(&taken).take());
    workers.start(Beat::new(config, Box::new(reached), taken, metrics, stop)?, move |worker| {
        beats();
        worker.turn();
    })?;
    workers.start(judge, move |worker| {
        judges();
        worker.turn();
    })?;
    workers.start(notify, move |worker| {
        wait();
        if let Err(error) = worker.work.finish() {
            let error = alt_store::told(&error);
            tracing::warn!(error, "not all messages are sent: the next run sends them");
        }
    })?;
    Ok(Some(state))
}

/// Where the logs of each source are.
fn places(config: &Config) -> Vec<Place> {
    let logs = Logs::of(config);
    let place = |source| Place { logs: logs.clone(), source, seal_after: config.load.seal_after };
    (0..config.sources.len()).map(place).collect()
}

/// Which thread ended.
#[derive(Clone, Copy)]
enum Ended {
    Writer,
    Reader(usize),
    Worker(&'static str),
}

/// Reports the end of a thread when it is dropped, also when the thread panics.
struct Ending(mpsc::Sender<Ended>, Ended);

impl Drop for Ending {
    fn drop(&mut self) {
        // The channel has room for every thread.
        let _ = self.0.try_send(self.1);
    }
}

/// Reads the configuration again and tries everything in it that can be wrong.
pub(crate) fn reloaded(path: Option<&Path>) -> anyhow::Result<Config> {
    let config = Config::load(path)?;
    Assembly::of(&config)?;
    for source in &config.sources {
        Format::of(&source.spec()).with_context(|| of_source(source))?;
    }
    Ok(config)
}

async fn reload_asked(hangup: &mut Signal) {
    if hangup.recv().await.is_none() {
        std::future::pending::<()>().await;
    }
}

/// The name of a source.
fn name(source: &Source) -> String {
    source.paths.join(", ")
}

/// The place of an error in the configuration.
fn of_source(source: &Source) -> String {
    format!("source {}", name(source))
}
