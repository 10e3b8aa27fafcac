//! The state of the daemon: what systemd is told, and what the admin port answers.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use alt_alerts::rule::Severity;
use alt_collect::archive::archiver::Status;
use alt_collect::source::logs::{Live, Place};
use alt_collect::source::progress::Progress;
use alt_process::clock;
use alt_process::fault;
use alt_process::lock::lock;
use alt_process::metrics::{self, Backlog, Disk, Lag, Metrics, MissingLog, Present};
use alt_process::worker;
use alt_store::alerts;
use alt_store::retention::Waits;
use alt_store::stats;
use alt_store::writer::{self, Watcher};
use nix::sys::statvfs::statvfs;
use sd_notify::NotifyState;

use super::readers::Turn;
use crate::admin::{Answers, Readiness};

/// The longest interval between two reports to systemd.
const REPORT_INTERVAL: Duration = Duration::from_secs(5);

/// How long a part of the daemon, and the writer over one batch, may stand still before it counts as dead.
const STILL_MAX: Duration = Duration::from_secs(60);
const WRITER_STILL_MAX: Duration = Duration::from_secs(60).saturating_add(writer::COMMIT_TIMEOUT);

/// Number of consecutive checks, one second apart, at which a reader has to stand still before the daemon gives up.
const STILL_LOOKS: u32 = 5;

/// The worker that archives.
const ARCHIVE: &str = "archive";

/// A source: its name, and its files.
pub(super) struct Source {
    pub(super) name: String,
    pub(super) progress: Arc<Progress>,
}

impl Source {
    /// All sources, by their names and the states of their files.
    pub(super) fn all(names: &[String], progress: Vec<Arc<Progress>>) -> Vec<Source> {
        names.iter().cloned().zip(progress).map(|(name, progress)| Source { name, progress }).collect()
    }
}

/// The state of the daemon. It holds no state of its own: it asks the parts.
pub(super) struct State {
    pub(super) metrics: Arc<Metrics>,
    pub(super) sources: Vec<Source>,
    /// The reader threads.
    pub(super) readers: Vec<Arc<Turn>>,
    pub(super) places: Vec<Place>,
    pub(super) writer: Watcher,
    /// The workers that run beside loading.
    pub(super) workers: Vec<Arc<worker::State>>,
    /// What keeps data from being deleted that is old enough.
    pub(super) waits: Arc<Mutex<Option<Waits>>>,
    /// What is still to be computed of statistics; `None`: they are off.
    pub(super) statistics: Option<Arc<Mutex<Option<stats::ask::State>>>>,
    /// How it stands with alerts; `None`: they are off.
    pub(super) alerts: Option<Arc<Mutex<Option<alerts::ask::State>>>>,
    /// `None`: nothing is archived, and nothing is deleted.
    pub(super) archive: Option<Arc<Status>>,
    pub(super) has_archive: bool,
    pub(super) pulse: Mutex<Pulse>,
}

/// When each part was last seen to move.
pub(super) struct Pulse {
    beats: Vec<(u64, Instant)>,
    writer: (u64, Instant),
}

impl Pulse {
    pub(super) fn new(readers: usize) -> Pulse {
        let now = Instant::now();
        Pulse { beats: vec![(u64::MAX, now); readers], writer: (u64::MAX, now) }
    }
}

impl State {
    /// Checks whether all parts move.
    fn moves(&self) -> bool {
        let (reader, writer_moves) = self.still();
        reader.is_none() && writer_moves
    }

    /// The source of the first reader that stands still, and whether the writer moves. A reader may stand still while it waits for
    /// the writer, whose commits have their own time limit.
    fn still(&self) -> (Option<usize>, bool) {
        let pulse = &mut *lock(&self.pulse);
        let now = Instant::now();
        let moved = |(seen, at): &mut (u64, Instant), beat: u64| {
            if *seen != beat {
                (*seen, *at) = (beat, now);
            }
            now.duration_since(*at)
        };
        let is_idle = self.writer.is_idle();
        let mut still = None;
        for (last, reader) in pulse.beats.iter_mut().zip(&self.readers) {
            let is_still = moved(last, reader.beat.count()) > fault::still(STILL_MAX);
            let is_excused = reader.beat.is_waiting() && !is_idle;
            if is_still && !is_excused {
                still = still.or(Some(reader.source()));
            }
        }
        let writer_still = moved(&mut pulse.writer, self.writer.beat());
        (still, is_idle || writer_still <= WRITER_STILL_MAX)
    }

    /// What keeps workers from working, by worker name.
    fn troubles(&self) -> BTreeMap<&'static str, String> {
        let troubles = self.workers.iter().map(|worker| (worker.name(), worker.trouble()));
        troubles.filter_map(|(name, trouble)| Some((name, trouble?))).collect()
    }

    /// What waits for a person before it is deleted.
    fn waits(&self) -> Option<Waits> {
        lock(&self.waits).clone().filter(|waits| waits.word().is_some())
    }

    /// Bytes behind of all sources together, and seconds behind of the source that is farthest behind.
    fn lag(&self) -> (u64, f64) {
        let lags = self.lags().into_iter().flatten();
        lags.fold((0, 0.0), |(bytes, seconds), lag| (bytes + lag.bytes, lag.seconds.max(seconds)))
    }

    /// How far each source is behind, by one look at all files.
    fn lags(&self) -> Vec<Option<Lag>> {
        let now = clock::now();
        let files = Place::files_of_all(&self.places);
        self.sources.iter().zip(files).map(|(source, files)| source.progress.lag(files, now)).collect()
    }

    /// The state in one line, for people.
    fn line(&self) -> String {
        let totals = self.metrics.totals();
        let (bytes, seconds) = self.lag();
        let behind = match bytes {
            0 => String::new(),
            _ => format!("; {bytes} bytes, {seconds:.0} s behind"),
        };
        let missing: u64 = self.sources.iter().filter_map(|source| missing_count(source).1).sum();
        let behind = match missing {
            0 => behind,
            n => format!("{behind}; logs that are not found any more: {n}, see `alt status`"),
        };
        let behind = self.waits().map_or_else(|| behind.clone(), |waits| format!("{behind}; {waits}"));
        if let Some(trouble) = self.writer.trouble() {
            return format!("waiting for the database: {trouble}{behind}");
        }
        match self.troubles().first_key_value() {
            Some((worker, trouble)) => {
                format!("{} rows loaded; the worker {worker} fails: {trouble}{behind}", totals.rows)
            }
            None => format!("{} lines, {} rows loaded since the start{behind}", totals.lines, totals.rows),
        }
    }

    /// The file systems of the logs, each once.
    fn disks(&self) -> Vec<Disk> {
        let mut met = BTreeSet::new();
        let mut disks = Vec::new();
        let live = self.places.first().map(|place| place.logs.look());
        let paths = live.iter().flat_map(Live::paths);
        let directories: BTreeSet<PathBuf> =
            paths.filter_map(|path| path.parent().map(Path::to_owned)).collect();
        for directory in directories {
            let Ok(disk) = statvfs(&directory) else { continue };
            if !met.insert(disk.filesystem_id()) {
                continue;
            }
            let bytes = |blocks: u64| blocks.saturating_mul(disk.fragment_size());
            disks.push(Disk {
                path: directory.display().to_string(),
                free: bytes(disk.blocks_available()),
                size: bytes(disk.blocks()),
            });
        }
        disks
    }
}

fn backlog_of(state: stats::ask::State) -> Backlog {
    let count = |n: i64| u64::try_from(n).unwrap_or(0);
    Backlog {
        days: count(state.days),
        oldest_seconds: state.oldest_seconds,
        months: count(state.months),
        frozen_rows: count(state.frozen_rows),
    }
}

fn alerts_of(state: &alerts::ask::State) -> metrics::Alerts {
    let count = |n: i64| u64::try_from(n).unwrap_or(0);
    let of = |severity: Severity| {
        let name = severity.name();
        (name.to_owned(), count(state.open.get(name).copied().unwrap_or(0)))
    };
    metrics::Alerts {
        behind_seconds: state.behind_seconds.filter(|_| state.rules > 0),
        not_judged: count(state.troubled),
        due: count(state.due),
        oldest_due_seconds: state.oldest_due_seconds.unwrap_or(0.0),
        dead: count(state.dead),
        open: Severity::ALL.map(of).to_vec(),
    }
}

/// The number of missing logs of a source; `None`: not known yet.
fn missing_count(source: &Source) -> (String, Option<u64>) {
    (source.name.clone(), source.progress.missing().map(|missing| missing.len() as u64))
}

fn missing_logs(source: &Source) -> Vec<MissingLog> {
    let all = source.progress.missing().unwrap_or_default().into_iter();
    let told = all.map(|missing| MissingLog {
        source: source.name.clone(),
        file_id: missing.file_id,
        path: missing.path,
        offset: missing.offset,
        seen_behind: missing.seen_behind,
    });
    told.collect()
}

impl Answers for State {
    fn is_alive(&self) -> bool {
        self.moves()
    }

    fn readiness(&self) -> Readiness {
        let trouble = self.writer.trouble();
        let waiting = (!self.writer.is_connected()).then(|| "not connected yet".to_owned());
        let postgres = trouble.or(waiting);
        let retention = self.waits().map(|waits| format!("{waits}; {}", waits.mend()));
        let mut troubles = self.troubles();
        let archive = troubles.remove(ARCHIVE);
        Readiness { ready: postgres.is_none(), postgres, archive, retention, workers: troubles }
    }

    fn metrics(&self) -> anyhow::Result<String> {
        let queue = self.archive.as_deref().filter(|_| self.has_archive);
        self.metrics.page(&Present {
            sources: self.sources.iter().map(|s| s.name.clone()).zip(self.lags()).collect(),
            missing: self.sources.iter().map(missing_count).collect(),
            missing_logs: self.sources.iter().flat_map(missing_logs).collect(),
            postgres_up: self.readiness().ready,
            archive_up: self.has_archive.then(|| !self.troubles().contains_key(ARCHIVE)),
            archive_queue: queue.and_then(|status| status.queue(&self.places)),
            workers: self.workers.clone(),
            statistics: self.statistics.as_ref().and_then(|state| *lock(state)).map(backlog_of),
            alerts: self.alerts.as_ref().and_then(|state| lock(state).as_ref().map(alerts_of)),
            retention_waits: lock(&self.waits).as_ref().and_then(Waits::word),
            disks: self.disks(),
        })
    }
}

/// The reports to systemd: ready once, then the state, and a watchdog notification as long as all parts move.
pub(super) struct Systemd {
    is_ready: bool,
    watchdog: Option<Duration>,
    told: Option<(Instant, String)>,
    /// Number of consecutive checks at which a reader stood still.
    still: u32,
}

impl Systemd {
    pub(super) fn new() -> Systemd {
        let mut micros = 0;
        let watchdog = sd_notify::watchdog_enabled(false, &mut micros).then(|| Duration::from_micros(micros));
        Systemd { is_ready: false, watchdog, told: None, still: 0 }
    }

    /// How often to call [`Systemd::report`].
    pub(super) fn interval(&self) -> Duration {
        self.watchdog.map_or(REPORT_INTERVAL, |w| (w / 3).min(REPORT_INTERVAL)).min(Duration::from_secs(1))
    }

    pub(super) fn report(&mut self, state: &State) {
        if !self.is_ready && (state.writer.trouble().is_some() || state.writer.is_connected()) {
            self.is_ready = true;
            let _ = sd_notify::notify(false, &[NotifyState::Ready]);
        }
        if self.told.as_ref().is_none_or(|(at, _)| at.elapsed() >= REPORT_INTERVAL) {
            let line = state.line();
            if self.told.as_ref().is_none_or(|(_, told)| *told != line) {
                let _ = sd_notify::notify(false, &[NotifyState::Status(&line)]);
            }
            self.told = Some((Instant::now(), line));
        }
        if self.watchdog.is_some() && state.moves() {
            let _ = sd_notify::notify(false, &[NotifyState::Watchdog]);
        }
    }

    /// The source whose reader stands still, if no watchdog would end the daemon for it. Several consecutive checks have to
    /// agree: after the whole process was stopped for a while, all parts seem to have stood still.
    pub(super) fn gives_up(&mut self, state: &State) -> Option<usize> {
        let still = if self.watchdog.is_some() { None } else { state.still().0 };
        self.still = if still.is_some() { self.still + 1 } else { 0 };
        still.filter(|_| self.still >= STILL_LOOKS)
    }
}
