//! What the daemon counts and measures, and the names under which `/metrics` shows it.
//!
//! Counters start at zero with the process and survive a reload. Invariant: all counts of lines are read at once, so
//! that in every answer lines = rows + non-hits + rejects + already loaded.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use alt_line::batch::Batch;
use alt_line::hit::{EVENT_TYPES, NonHit, Reason};
use foldhash::HashMap;
use prometheus::{
    CounterVec, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts, Registry,
    TextEncoder,
};

use crate::clock;
use crate::lock::lock;
use crate::worker;

/// The number of applications that are counted separately. It bounds the number of time series.
const APPS_MAX: usize = 100;

/// The number of missing logs that are shown one by one. It bounds the number of time series.
const MISSING_MAX: usize = 100;

/// Kinds of non-hits that are shown from the start. Only an existing series shows its first increase.
const NON_HITS: [NonHit; 9] = [
    NonHit::Status(405),
    NonHit::Status(413),
    NonHit::Status(429),
    NonHit::Status(500),
    NonHit::Status(502),
    NonHit::Method,
    NonHit::OptedOut,
    NonHit::Crawler,
    NonHit::Other,
];

/// Bucket bounds of a commit's duration, in seconds.
const COMMIT_SECONDS: [f64; 14] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0];

/// Bucket bounds of a commit's number of rows.
const BATCH_ROWS: [f64; 8] = [0.0, 1.0, 10.0, 100.0, 1_000.0, 5_000.0, 20_000.0, 200_000.0];

/// Bucket bounds of the duration of an answer at the admin port, in seconds.
const HTTP_SECONDS: [f64; 6] = [0.001, 0.005, 0.025, 0.1, 0.5, 2.5];

/// What was committed since the start.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Totals {
    /// Transactions.
    pub commits: u64,
    /// Lines: the sum of the next five.
    pub lines: u64,
    /// Rows inserted.
    pub rows: u64,
    /// Non-hits, by kind.
    pub non_hits: BTreeMap<NonHit, u64>,
    /// Lines rejected, by reason.
    pub rejects: BTreeMap<Reason, u64>,
    /// Lines whose rows existed already.
    pub already_loaded: u64,
    /// Lines that a filter excluded.
    pub filtered: u64,
    /// Lines rejected that are not in `rejected_lines`, because there are too many.
    pub rejects_not_kept: u64,
    /// User agents and environments that were beyond the limits of an hour.
    pub left_out: u64,
    /// Bytes of (uncompressed) log.
    pub bytes: u64,
    /// Rows, by application and index of the event's type ([`EVENT_TYPES`]). Applications beyond the first hundred are
    /// counted under 0.
    pub events: BTreeMap<(i32, u8), u64>,
    apps: BTreeSet<i32>,
}

impl Totals {
    fn add(&mut self, batch: &Batch) {
        self.commits += 1;
        self.rows += batch.rows.len() as u64;
        self.left_out += batch.left_out;
        for (kind, lines) in &batch.non_hits {
            *self.non_hits.entry(*kind).or_default() += lines;
        }
        for span in batch.rejects.iter().filter(|span| !span.filtered) {
            *self.rejects.entry(span.reason).or_default() += u64::from(span.lines);
            self.rejects_not_kept += if span.is_new { 0 } else { u64::from(span.lines) };
        }
        for section in &batch.sections {
            self.lines += section.lines;
            self.already_loaded += section.already_loaded;
            self.filtered += section.filtered;
            self.bytes += section.to.offset.saturating_sub(section.from.offset);
        }
        // Counted separately first, so that the totals are looked up once per distinct key instead of once per row.
        let mut events: HashMap<(i32, u8), u64> = HashMap::default();
        for row in &batch.rows {
            *events.entry((row.key.app_id, row.event_type)).or_default() += 1;
        }
        let mut events: Vec<_> = events.into_iter().collect();
        events.sort_unstable();
        for ((app, event_type), rows) in events {
            let app = self.told_apart(app);
            *self.events.entry((app, event_type)).or_default() += rows;
        }
    }

    fn told_apart(&mut self, app: i32) -> i32 {
        if self.apps.len() < APPS_MAX {
            self.apps.insert(app);
        }
        if self.apps.contains(&app) { app } else { 0 }
    }
}

/// What the last look at the database showed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observed {
    /// The database's clock minus this machine's clock, in seconds.
    pub clock_difference: f64,
    /// Whether the current month has its partition.
    pub has_current_partition: bool,
    /// The number of following months that have their partitions, without a gap.
    pub partitions_ahead: i32,
    /// System identifier and timeline, if they can be read. They change after a failover, a restore, or with a new
    /// cluster.
    pub identity: Option<(i64, i32)>,
}

/// How far a source is behind.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Lag {
    /// Bytes on the disk that are not committed. For compressed files, compressed bytes.
    pub bytes: u64,
    /// Age of the moment up to which everything is committed; 0 if nothing is missing.
    pub seconds: f64,
    /// Files with such bytes.
    pub files: u64,
    /// The number of looks at the source's files since the start that found nothing uncommitted to read.
    pub looks: u64,
}

/// A log that was not loaded to its end, and is not found any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingLog {
    /// Its source.
    pub source: String,
    /// Key of `log_files`.
    pub file_id: i32,
    /// Its path, as last seen.
    pub path: String,
    /// How far it is loaded, in bytes of (uncompressed) log.
    pub offset: u64,
    /// How many bytes it was seen to have behind that.
    pub seen_behind: u64,
}

/// Rotated logs that are not in the archive yet.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Queue {
    /// The number of files.
    pub files: u64,
    /// The size of the files on the disk.
    pub bytes: u64,
    /// Age of the oldest file, by its last write; 0 if there is no file.
    pub oldest_seconds: f64,
}

/// What is still to be computed of statistics.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Backlog {
    /// Days of applications.
    pub days: u64,
    /// Since when the first of them waits.
    pub oldest_seconds: f64,
    /// Months of rows of which the days are not known yet.
    pub months: u64,
    /// Rows that came after their month was dropped, and are in no statistics.
    pub frozen_rows: u64,
}

/// How it stands with alerts.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Alerts {
    /// For how long the application that is farthest behind was not judged; `None`: none ever was.
    pub behind_seconds: Option<f64>,
    /// Applications whose rules cannot be judged; the installation counts as one.
    pub not_judged: u64,
    /// Messages that are due.
    pub due: u64,
    /// For how long the first of them has waited.
    pub oldest_due_seconds: f64,
    /// Messages that were given up in the last day.
    pub dead: u64,
    /// Open alerts, by severity.
    pub open: Vec<(String, u64)>,
}

/// Space on a file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// A directory on it.
    pub path: String,
    /// Bytes that nginx may still write, if it opens its logs as root.
    pub free: u64,
    /// The size of the file system, in bytes.
    pub size: u64,
}

/// The state at one moment.
#[derive(Debug, Clone, Default)]
pub struct Present {
    /// The lag by source; `None`: not known yet.
    pub sources: Vec<(String, Option<Lag>)>,
    /// The number of missing logs by source; `None`: not known yet.
    pub missing: Vec<(String, Option<u64>)>,
    /// Missing logs, the newest first. Only the first hundred are shown one by one.
    pub missing_logs: Vec<MissingLog>,
    /// Whether the database accepts rows.
    pub postgres_up: bool,
    /// Whether the archive accepts logs; `None`: no archive is configured.
    pub archive_up: Option<bool>,
    /// The logs that wait for the archive; `None`: there is no archive, or the queue is not known yet.
    pub archive_queue: Option<Queue>,
    /// The workers.
    pub workers: Vec<Arc<worker::State>>,
    /// What is still to be computed of statistics; `None`: they are off, or it is not known yet.
    pub statistics: Option<Backlog>,
    /// How it stands with alerts; `None`: they are off, or it is not known yet.
    pub alerts: Option<Alerts>,
    /// What deletion by age waits for: `clock` or `months`.
    pub retention_waits: Option<&'static str>,
    /// The file systems of the followed logs.
    pub disks: Vec<Disk>,
}

/// Everything that one process counts and measures.
#[derive(Debug)]
pub struct Metrics {
    totals: Mutex<Totals>,
    observed: Mutex<Option<Observed>>,
    /// Keys and names of applications.
    apps: Mutex<BTreeMap<i32, (String, String)>>,
    connections: Arc<AtomicU64>,
    started: f64,
    measured: Registry,
    commit_seconds: Histogram,
    batch_rows: Histogram,
    retries: IntCounterVec,
    database_changes: IntCounter,
    archived: Archived,
    deleted: IntCounter,
    requests: IntCounterVec,
    request_seconds: HistogramVec,
}

#[derive(Debug)]
struct Archived {
    objects: IntCounter,
    raw_bytes: IntCounter,
    stored_bytes: IntCounter,
}

impl Default for Metrics {
    fn default() -> Metrics {
        Metrics::new().expect("the names are distinct and well-formed")
    }
}

impl Metrics {
    fn new() -> prometheus::Result<Metrics> {
        let measured = Registry::new();
        let counter = |name: &str, help: &str| -> prometheus::Result<IntCounter> {
            let counter = IntCounter::new(name, help)?;
            measured.register(Box::new(counter.clone()))?;
            Ok(counter)
        };
        let counters = |name: &str, help: &str, labels: &[&str]| -> prometheus::Result<IntCounterVec> {
            let counters = IntCounterVec::new(Opts::new(name, help), labels)?;
            measured.register(Box::new(counters.clone()))?;
            Ok(counters)
        };
        let histogram = |name: &str, help: &str, bounds: &[f64]| -> prometheus::Result<Histogram> {
            let histogram = Histogram::with_opts(HistogramOpts::new(name, help).buckets(bounds.to_vec()))?;
            measured.register(Box::new(histogram.clone()))?;
            Ok(histogram)
        };
        let request_seconds = HistogramVec::new(
            HistogramOpts::new("http_request_duration_seconds", "Time of an answer at the admin port.")
                .buckets(HTTP_SECONDS.to_vec()),
            &["path"],
        )?;
        measured.register(Box::new(request_seconds.clone()))?;
        let retries = counters(
            "alt_retries_total",
            "What was tried again, by what failed and why (a SQLSTATE, where PostgreSQL gave one).",
            &["destination", "cause"],
        )?;
        // Only an existing series shows its first increase.
        for (destination, cause) in
            [("postgres", "connection"), ("postgres", "timeout"), ("archive", "store")]
        {
            retries.with_label_values(&[destination, cause]).reset();
        }
        Ok(Metrics {
            totals: Mutex::default(),
            observed: Mutex::default(),
            apps: Mutex::default(),
            connections: Arc::default(),
            started: seconds(clock::now()),
            commit_seconds: histogram(
                "alt_commit_seconds",
                "Time of a transaction that loaded a batch, partitions and dimensions included.",
                &COMMIT_SECONDS,
            )?,
            batch_rows: histogram(
                "alt_batch_rows",
                "Rows of a transaction that loaded a batch.",
                &BATCH_ROWS,
            )?,
            retries,
            database_changes: counter(
                "alt_database_changes_total",
                "Times that another database cluster or timeline was met: a failover, or a restore.",
            )?,
            archived: Archived {
                objects: counter("alt_archive_objects_total", "Logs put into the archive.")?,
                raw_bytes: counter("alt_archive_raw_bytes_total", "Their bytes, uncompressed.")?,
                stored_bytes: counter("alt_archive_stored_bytes_total", "Their bytes in the archive.")?,
            },
            deleted: counter(
                "alt_local_files_deleted_total",
                "Local logs deleted, once safe and old enough.",
            )?,
            requests: counters("http_requests_total", "Requests at the admin port.", &["path", "status"])?,
            request_seconds,
            measured,
        })
    }

    /// Counts what a transaction committed, and how long the transaction took.
    pub fn committed(&self, batch: &Batch, took: Duration) {
        lock(&self.totals).add(batch);
        self.commit_seconds.observe(took.as_secs_f64());
        self.batch_rows.observe(batch.rows.len() as f64);
    }

    /// What was committed since the start.
    pub fn totals(&self) -> Totals {
        lock(&self.totals).clone()
    }

    /// Counts a retry of `destination` (`postgres` or `archive`), by its cause.
    pub fn retried(&self, destination: &str, cause: &str) {
        self.retries.with_label_values(&[destination, cause]).inc();
    }

    /// Records what was seen of the database. Returns whether it is another database than before.
    pub fn observed(&self, now: Observed) -> bool {
        let observed = &mut *lock(&self.observed);
        let before = observed.and_then(|before| before.identity);
        let is_other = before.is_some() && now.identity.is_some() && before != now.identity;
        // A database whose identity cannot be read does not count as another one.
        *observed = Some(Observed { identity: now.identity.or(before), ..now });
        self.database_changes.inc_by(u64::from(is_other));
        is_other
    }

    /// Records an application, by its key in the database, its public key and its name.
    pub fn app(&self, id: i32, key: &str, name: &str) {
        lock(&self.apps).insert(id, (key.to_owned(), name.to_owned()));
    }

    /// Counts a log that was put into the archive.
    pub fn archived(&self, raw_bytes: u64, stored_bytes: u64) {
        self.archived.objects.inc();
        self.archived.raw_bytes.inc_by(raw_bytes);
        self.archived.stored_bytes.inc_by(stored_bytes);
    }

    /// Counts a local log that was deleted.
    pub fn deleted(&self) {
        self.deleted.inc();
    }

    /// Counts an answer of the admin port.
    pub fn answered(&self, path: &str, status: u16, took: Duration) {
        self.requests.with_label_values(&[path, &status.to_string()]).inc();
        self.request_seconds.with_label_values(&[path]).observe(took.as_secs_f64());
    }

    /// The number of open connections to the database. Whoever opens a connection counts it here.
    pub fn connections(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.connections)
    }

    /// All metrics, in [Prometheus' text format](https://prometheus.io/docs/instrumenting/exposition_formats/).
    ///
    /// # Errors
    /// A value cannot be formatted, which would be a defect.
    pub fn page(&self, present: &Present) -> anyhow::Result<String> {
        let page = Page(Registry::new());
        let totals = self.totals();
        lines(&page, &totals)?;
        self.events(&page, &totals)?;
        present_state(&page, present)?;
        workers(&page, &present.workers)?;
        self.database(&page)?;
        self.process(&page)?;
        let mut families = page.0.gather();
        families.extend(self.measured.gather());
        families.sort_by(|a, b| a.name().cmp(b.name()));
        Ok(TextEncoder::new().encode_to_string(&families)?)
    }

    fn events(&self, page: &Page, totals: &Totals) -> prometheus::Result<()> {
        let apps = lock(&self.apps);
        let mut counts: BTreeMap<Vec<String>, u64> = BTreeMap::new();
        for ((app, event), rows) in &totals.events {
            let key = apps.get(app).map_or("other", |(key, _)| key);
            let event = EVENT_TYPES.get(usize::from(*event)).copied().unwrap_or("custom");
            *counts.entry(vec![key.to_owned(), event.to_owned()]).or_default() += rows;
        }
        page.counter("tracking_events_total", "Rows, by application.", &["app", "event_type"], counts)?;
        let names = totals.apps.iter().filter_map(|app| apps.get(app));
        let names = names.map(|(key, name)| (vec![key.clone(), name.clone()], 1.0));
        page.gauge("alt_application_info", "What applications are called.", &["app", "name"], names)
    }

    fn database(&self, page: &Page) -> prometheus::Result<()> {
        let connections = self.connections.load(Ordering::Relaxed) as f64;
        let one = |value: f64| [(vec![], value)];
        page.gauge("database_connections", "Connections to PostgreSQL.", &[], one(connections))?;
        let Some(seen) = *lock(&self.observed) else { return Ok(()) };
        let (current, ahead) = (f64::from(seen.has_current_partition), f64::from(seen.partitions_ahead));
        page.gauge("alt_partition_current", "Whether this month has its partition.", &[], one(current))?;
        page.gauge("alt_partitions_ahead", "Months after it that have theirs.", &[], one(ahead))?;
        let help = "PostgreSQL's clock minus this machine's.";
        page.gauge("alt_clock_difference_seconds", help, &[], one(seen.clock_difference))
    }

    /// Metrics of this process, from proc(5), under the names that all exporters use.
    fn process(&self, page: &Page) -> prometheus::Result<()> {
        let one = |value: f64| [(vec![], value)];
        let build = [(vec![env!("CARGO_PKG_VERSION").to_owned()], 1.0)];
        page.gauge("alt_build_info", "The version that runs.", &["version"], build)?;
        let help = "When the process started, seconds since 1970.";
        page.gauge("process_start_time_seconds", help, &[], one(self.started))?;
        let Ok(process) = procfs::process::Process::myself() else { return Ok(()) };
        if let Ok(stat) = process.stat() {
            let ticks = (stat.utime + stat.stime) as f64 / procfs::ticks_per_second() as f64;
            let cpu =
                CounterVec::new(Opts::new("process_cpu_seconds_total", "CPU time, user and system."), &[])?;
            cpu.with_label_values::<&str>(&[]).inc_by(ticks);
            page.0.register(Box::new(cpu))?;
            let resident = stat.rss as f64 * procfs::page_size() as f64;
            page.gauge("process_resident_memory_bytes", "Memory in RAM.", &[], one(resident))?;
            page.gauge("process_virtual_memory_bytes", "Address space.", &[], one(stat.vsize as f64))?;
            page.gauge("process_threads", "Threads.", &[], one(stat.num_threads as f64))?;
        }
        if let Ok(open) = process.fd_count() {
            page.gauge("process_open_fds", "Open file descriptors.", &[], one(open as f64))?;
        }
        if let Ok(limits) = process.limits()
            && let procfs::process::LimitValue::Value(most) = limits.max_open_files.soft_limit
        {
            page.gauge("process_max_fds", "The most file descriptors.", &[], one(most as f64))?;
        }
        Ok(())
    }
}

fn lines(page: &Page, totals: &Totals) -> prometheus::Result<()> {
    let one = |n: u64| [(vec![], n)];
    page.counter("alt_lines_read_total", "Lines of committed transactions.", &[], one(totals.lines))?;
    page.counter("alt_rows_loaded_total", "Rows inserted.", &[], one(totals.rows))?;
    let reasons = Reason::ALL
        .iter()
        .map(|reason| (vec![reason.as_str().to_owned()], totals.rejects.get(reason).copied().unwrap_or(0)));
    page.counter("alt_lines_rejected_total", "Lines put into quarantine.", &["reason"], reasons)?;
    let mut kinds: BTreeMap<NonHit, u64> = NON_HITS.into_iter().map(|kind| (kind, 0)).collect();
    kinds.extend(&totals.non_hits);
    let kinds = kinds.into_iter().map(|(kind, lines)| (vec![name_of(kind)], lines));
    page.counter("alt_lines_non_hit_total", "Lines that are no events.", &["kind"], kinds)?;
    let already = one(totals.already_loaded);
    page.counter("alt_lines_already_loaded_total", "Lines whose rows were there.", &[], already)?;
    let help = "Rejected lines that are only counted, because there are too many.";
    page.counter("alt_rejects_not_kept_total", help, &[], one(totals.rejects_not_kept))?;
    let help = "User agents and environments of rows that were not stored, beyond the limits of an hour.";
    page.counter("alt_agents_left_out_total", help, &[], one(totals.left_out))?;
    let bytes = one(totals.bytes);
    page.counter("alt_bytes_read_total", "Bytes of log in committed transactions.", &[], bytes)
}

fn statistics(page: &Page, backlog: Backlog) -> prometheus::Result<()> {
    let one = |value: f64| [(vec![], value)];
    let help = "Days of applications whose statistics are to be computed.";
    page.gauge("alt_stats_dirty_days", help, &[], one(backlog.days as f64))?;
    let help = "Since when the first of these days waits.";
    page.gauge("alt_stats_oldest_seconds", help, &[], one(backlog.oldest_seconds))?;
    let help = "Months of rows of which it is not known yet which days they are of.";
    page.gauge("alt_stats_backlog_months", help, &[], one(backlog.months as f64))?;
    let help = "Rows of months that were dropped before they came: they are in no statistics.";
    page.gauge("alt_stats_frozen_rows", help, &[], one(backlog.frozen_rows as f64))
}

fn alerts(page: &Page, state: &Alerts) -> prometheus::Result<()> {
    let one = |value: f64| [(vec![], value)];
    if let Some(behind) = state.behind_seconds {
        let help =
            "Age of the time up to which the rules of the application that is farthest behind are judged.";
        page.gauge("alt_alerts_behind_seconds", help, &[], one(behind))?;
    }
    let open = state.open.iter().map(|(severity, count)| (vec![severity.clone()], *count as f64));
    page.gauge("alt_alerts_open", "Open alerts.", &["severity"], open)?;
    let help = "Applications with rules of alerts that cannot be judged; the installation counts as one.";
    page.gauge("alt_alerts_not_judged", help, &[], one(state.not_judged as f64))?;
    page.gauge("alt_alert_messages_due", "Messages about alerts that are due.", &[], one(state.due as f64))?;
    let help = "For how long the first of these messages has waited.";
    page.gauge("alt_alert_messages_oldest_seconds", help, &[], one(state.oldest_due_seconds))?;
    let help = "Messages about alerts that were given up in the last day.";
    page.gauge("alt_alert_messages_dead", help, &[], one(state.dead as f64))
}

fn present_state(page: &Page, present: &Present) -> prometheus::Result<()> {
    let one = |value: f64| [(vec![], value)];
    let lags = || present.sources.iter().filter_map(|(name, lag)| lag.map(|lag| (vec![name.clone()], lag)));
    let bytes = lags().map(|(name, lag)| (name, lag.bytes as f64));
    page.gauge("alt_lag_bytes", "Bytes on the disk that are not committed.", &["source"], bytes)?;
    let age = lags().map(|(name, lag)| (name, lag.seconds));
    page.gauge("alt_lag_seconds", "Age of the moment up to which all is committed.", &["source"], age)?;
    let files = lags().map(|(name, lag)| (name, lag.files as f64));
    page.gauge("alt_files_waiting", "Files with bytes that are not committed.", &["source"], files)?;
    let looks = lags().map(|(name, lag)| (name, lag.looks));
    page.counter(
        "alt_idle_looks_total",
        "Looks at the files that found nothing to load.",
        &["source"],
        looks,
    )?;
    let missing = present.missing.iter().filter_map(|(name, n)| Some((vec![name.clone()], (*n)? as f64)));
    let help = "Logs that were not loaded to their ends, and are not found any more.";
    page.gauge("alt_missing_logs", help, &["source"], missing)?;
    let missing = present.missing_logs.iter().take(MISSING_MAX).map(|log| {
        let labels = [&log.source, &log.file_id.to_string(), &log.path, &log.offset.to_string()];
        (labels.map(Clone::clone).to_vec(), log.seen_behind as f64)
    });
    let help = "Bytes that a missing log was seen to have behind the byte up to which it is loaded (offset).";
    page.gauge("alt_missing_log_bytes", help, &["source", "file", "path", "offset"], missing)?;
    page.gauge(
        "alt_postgres_up",
        "Whether PostgreSQL takes rows.",
        &[],
        one(f64::from(present.postgres_up)),
    )?;
    if let Some(up) = present.archive_up {
        page.gauge("alt_archive_up", "Whether the archive takes logs.", &[], one(f64::from(up)))?;
    }
    if let Some(queue) = present.archive_queue {
        let help = "Rotated logs that are not in the archive yet.";
        page.gauge("alt_archive_queue_files", help, &[], one(queue.files as f64))?;
        page.gauge("alt_archive_queue_bytes", "Their bytes on the disk.", &[], one(queue.bytes as f64))?;
        let help = "Age of the oldest of them, by its last write.";
        page.gauge("alt_archive_oldest_seconds", help, &[], one(queue.oldest_seconds))?;
    }
    let waits = |what: &str| (vec![what.to_owned()], f64::from(present.retention_waits == Some(what)));
    let help = "Whether deleting what is old enough waits for somebody: for the clock, or for a word about many months.";
    page.gauge("alt_retention_waits", help, &["for"], ["clock", "months"].map(waits))?;
    if let Some(backlog) = present.statistics {
        statistics(page, backlog)?;
    }
    if let Some(state) = &present.alerts {
        alerts(page, state)?;
    }
    let disks =
        |of: fn(&Disk) -> u64| present.disks.iter().map(move |d| (vec![d.path.clone()], of(d) as f64));
    page.gauge("alt_log_disk_free_bytes", "Room for logs.", &["path"], disks(|disk| disk.free))?;
    page.gauge("alt_log_disk_size_bytes", "Size of the logs' disk.", &["path"], disks(|disk| disk.size))
}

fn workers(page: &Page, workers: &[Arc<worker::State>]) -> prometheus::Result<()> {
    let of = |worker: &worker::State| vec![worker.name().to_owned()];
    let up = workers.iter().map(|worker| (of(worker), f64::from(worker.trouble().is_none())));
    page.gauge("alt_worker_up", "Whether what works beside loading works.", &["worker"], up)?;
    let worked = workers.iter().filter_map(|worker| Some((of(worker), seconds(worker.worked_at()?))));
    let help = "When a worker last did all that was due, seconds since 1970.";
    page.gauge("alt_worker_last_success_timestamp_seconds", help, &["worker"], worked)?;
    let turns = workers.iter().flat_map(|worker| {
        let (turns, failed) = worker.turns();
        let of = |result: &str| vec![worker.name().to_owned(), result.to_owned()];
        [(of("done"), turns.saturating_sub(failed)), (of("failed"), failed)]
    });
    page.counter("alt_worker_turns_total", "Turns that workers took.", &["worker", "result"], turns)
}

fn name_of(kind: NonHit) -> String {
    match kind {
        NonHit::Status(status) => status.to_string(),
        kind => kind.label().to_owned(),
    }
}

fn seconds(micros: i64) -> f64 {
    micros as f64 / 1e6
}

/// The metrics that are computed for one answer.
struct Page(Registry);

impl Page {
    fn counter(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
        samples: impl IntoIterator<Item = (Vec<String>, u64)>,
    ) -> prometheus::Result<()> {
        let counters = IntCounterVec::new(Opts::new(name, help), labels)?;
        for (values, count) in samples {
            counters.with_label_values(&values).inc_by(count);
        }
        self.0.register(Box::new(counters))
    }

    fn gauge(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
        samples: impl IntoIterator<Item = (Vec<String>, f64)>,
    ) -> prometheus::Result<()> {
        let gauges = GaugeVec::new(Opts::new(name, help), labels)?;
        for (values, value) in samples {
            gauges.with_label_values(&values).set(value);
        }
        self.0.register(Box::new(gauges))
    }
}
