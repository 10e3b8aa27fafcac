//! `alt replay`: loads archived or foreign logs. Every file goes on at its checkpoint, if its bytes prove one;
//! what no checkpoint proves to be new is held against the ids that are in the database.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde::Serialize;

use super::run::{limits, way};
use super::when::when;
use super::{Out, Outcome, show};
use crate::cli;
use crate::clock;
use crate::config::Config;
use crate::pipeline::{Aside, Halt, Loader};
use crate::pure::filter::Filter;
use crate::pure::hit::{Micros, NonHit};
use crate::pure::parse::Spec;
use crate::source::reading::{Belongs, Beside, Choice, Identified, Key, Opened, key};
use crate::store::files::Stamp;
use crate::store::rehearsal::Rehearsal;
use crate::store::writer::{self, Options, Store, Totals};
use crate::store::{self, migrate};

/// The source under which replayed files are recorded.
const SOURCE: &str = "replay";

/// How often the progress bar moves.
const DRAW_INTERVAL: Duration = Duration::from_millis(100);

/// A file to load.
struct Item {
    path: PathBuf,
    /// What it is called where that is not its path.
    name: Option<String>,
    size: u64,
    modified: Micros,
}

/// What became of the files.
#[derive(Default)]
struct Results {
    loaded: usize,
    known: usize,
    empty: usize,
    shorter: Vec<String>,
    growing: Vec<String>,
    failed: Vec<(String, String)>,
}

/// Loads what is named.
///
/// # Errors
/// Something cannot be read or loaded, or it was interrupted.
pub fn run(config: &Config, args: &cli::Replay, out: Out<'_>) -> anyhow::Result<Outcome> {
    let spec = spec(args)?;
    let (_, belongs) = way(config, &spec)?;
    if !spec.names_app() && belongs.format != "alt1" {
        bail!(
            "lines of this format name no application: say whose hits they are with --app KEY (see `alt app list`), \
             or by the names of their sites, with --site NAME=KEY"
        );
    }
    let (spec, filter) = with_keys(config, spec, filter(args)?)?;
    let (items, _spooled) = items(&args.paths)?;
    let started = Instant::now();
    let jobs = usize::from(args.jobs).min(items.len()).max(1);
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Results::default());
    let bytes_done = AtomicU64::new(0);
    let interrupted = Arc::new(AtomicBool::new(false));

    let rehearsal = match args.dry_run {
        true => Some(Arc::new(Mutex::new(
            Rehearsal::new(&temporary()).context("make a temporary file (TMPDIR says where)")?,
        ))),
        false => None,
    };
    let mut stores = Vec::new();
    for _ in 0..jobs {
        let (store, writer) = writer::pair(Options {
            postgres: config.postgres.clone(),
            application_name: store::session_name("replay", &config.load.host_name()),
            upkeep: None,
            patient: false,
            rehearsal: rehearsal.clone(),
        });
        stores.push(store);
        writer.start(()).context("start a writer")?;
    }
    stop_on_signal(&stores, &interrupted)?;
    let bar = bar(items.iter().map(|i| i.size).sum());
    let broke = std::thread::scope(|scope| -> anyhow::Result<bool> {
        let mut threads = Vec::new();
        for store in &stores {
            let (way, belongs) = way(config, &spec)?;
            let belongs = Belongs { source: SOURCE.to_owned(), ..belongs };
            let mut job = Job {
                loader: Loader::new(store.clone(), way.filtered(filter.clone()), limits(config)),
                store: store.clone(),
                belongs,
                filtered: !filter.is_open(),
                again: args.again,
                config,
                bytes_done: &bytes_done,
            };
            let (items, next, results) = (&items, &next, &results);
            threads.push(scope.spawn(move || {
                while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if job.store.is_stopping() || job.store.is_closed() {
                        return;
                    }
                    job.file(item, results);
                }
            }));
        }
        while threads.iter().any(|t| !t.is_finished()) {
            std::thread::sleep(DRAW_INTERVAL);
            let rows: u64 = stores.iter().map(|s| s.totals().lines).sum();
            bar.set_position(bytes_done.load(Ordering::Relaxed));
            let trouble = stores.iter().find_map(Store::trouble);
            bar.set_message(match trouble {
                Some(trouble) => show::safe(&trouble).into_owned(),
                None => format!("{} lines/s", show::number(rate(rows, started.elapsed()))),
            });
        }
        Ok(threads.into_iter().any(|t| t.join().is_err()))
    })?;
    bar.finish_and_clear();
    let mut totals = Totals::default();
    for store in &stores {
        add(&mut totals, &store.totals());
    }
    let fatal = stores.iter().find_map(Store::take_fatal);
    if let Some(rehearsal) = rehearsal {
        // Of rows that would be met twice, the first is loaded.
        let mut rehearsal = rehearsal.lock().unwrap_or_else(PoisonError::into_inner);
        let repeated = rehearsal.repeated().context("count what would be loaded")?;
        totals.rows -= repeated;
        totals.already_loaded += repeated;
    }
    if broke {
        bail!("a reader broke: this is a defect, please report it with the lines above");
    }
    let results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    summary(&items, &results, &totals, started.elapsed(), args, out)?;
    if let Some(error) = fatal {
        return Err(error.context("load; what was committed stays, run again to go on"));
    }
    if interrupted.load(Ordering::Acquire) {
        bail!("interrupted; what was committed stays, run again to go on");
    }
    // Whoever deletes what was replayed goes by the exit code.
    match (results.failed.len(), results.growing.len() + results.shorter.len()) {
        (0, 0) => Ok(Outcome::Done),
        (0, n) => {
            bail!("{n} of {} files may still be written to: run again when they stand still", items.len())
        }
        (n, _) => bail!("{n} of {} files could not be read to their end", items.len()),
    }
}

/// What the arguments say of the lines.
fn spec(args: &cli::Replay) -> anyhow::Result<Spec> {
    let mut spec = Spec {
        pixel: args.pixel.clone(),
        app: args.app.clone(),
        label: args.label.clone(),
        ..Spec::new(&args.format)
    };
    for (site, app) in &args.sites {
        if spec.sites.insert(site.clone(), app.clone()).is_some() {
            bail!("--site {site} is there twice: a site has one application");
        }
    }
    Ok(spec)
}

/// The same with the keys of the applications that are named. What is wrong with the database is said here,
/// before anything is read: lines of an application that nobody knows would all become rejects.
fn with_keys(config: &Config, mut spec: Spec, mut filter: Filter) -> anyhow::Result<(Spec, Filter)> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("start the runtime")?;
    runtime.block_on(async {
        let client = super::connect(config).await?;
        migrate::check_compatible(&client).await?;
        let filtered = filter.apps.iter_mut();
        for named in spec.app.iter_mut().chain(spec.sites.values_mut()).chain(filtered) {
            let app = super::app::find(&client, named).await?;
            if app.disabled_at.is_some() {
                bail!(
                    "the application {} is disabled and takes no hits; `alt app enable` changes that",
                    app.name
                );
            }
            *named = app.key;
        }
        Ok((spec, filter))
    })
}

/// Which lines are wanted; applications as they are named.
fn filter(args: &cli::Replay) -> anyhow::Result<Filter> {
    let time = |option: &str, text: &Option<String>| {
        let time = text.as_deref().map(|text| when(text, clock::now())).transpose();
        time.map_err(|e| anyhow::anyhow!("{option}: {e}"))
    };
    let mut filter = Filter {
        since: time("--since", &args.since)?,
        until: time("--until", &args.until)?,
        ..Filter::default()
    };
    if let (Some(since), Some(until)) = (filter.since, filter.until)
        && since >= until
    {
        bail!("--since is not before --until: no time lies between them");
    }
    if let Some(pattern) = &args.pattern {
        let pattern = regex::bytes::Regex::new(pattern).with_context(|| format!("--match {pattern}"))?;
        filter.pattern = Some(pattern);
    }
    filter.apps.clone_from(&args.only_app);
    Ok(filter)
}

/// Where temporary files go.
fn temporary() -> PathBuf {
    std::env::var_os("TMPDIR").map_or_else(|| PathBuf::from("/var/tmp"), PathBuf::from)
}

/// Ctrl-C and SIGTERM end the work after the batches that are under way.
fn stop_on_signal(stores: &[Store], interrupted: &Arc<AtomicBool>) -> anyhow::Result<()> {
    let (stores, interrupted) = (stores.to_vec(), Arc::clone(interrupted));
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("start the runtime")?;
    std::thread::Builder::new()
        .name("alt-signals".to_owned())
        .spawn(move || {
            runtime.block_on(async {
                use tokio::signal::unix::{SignalKind, signal};
                let Ok(mut terminate) = signal(SignalKind::terminate()) else { return };
                tokio::select! {
                    _ = tokio::signal::ctrl_c() => {}
                    _ = terminate.recv() => {}
                }
            });
            interrupted.store(true, Ordering::Release);
            stores.iter().for_each(Store::stop);
        })
        .context("start a thread")?;
    Ok(())
}

/// One of the parallel loaders.
struct Job<'a> {
    loader: Loader,
    store: Store,
    belongs: Belongs,
    /// Some lines are left out, so no checkpoint may move.
    filtered: bool,
    /// What is loaded already is read again.
    again: bool,
    config: &'a Config,
    bytes_done: &'a AtomicU64,
}

impl Job<'_> {
    fn file(&mut self, item: &Item, results: &Mutex<Results>) {
        let name = item.name.clone().unwrap_or_else(|| item.path.display().to_string());
        let mut counted = 0;
        let outcome = loop {
            self.loader.is_current();
            match self.try_file(item, &mut counted) {
                Err(Halt::Interrupted(_)) => {
                    if self.store.is_stopping() || self.store.is_closed() {
                        return;
                    }
                    // The database was away: from the checkpoint on, again.
                }
                other => break other,
            }
        };
        self.progress(&mut counted, item.size);
        let results = &mut *results.lock().unwrap_or_else(PoisonError::into_inner);
        match outcome {
            Ok(Loaded::All) => results.loaded += 1,
            Ok(Loaded::Before) => results.known += 1,
            Ok(Loaded::Nothing) => results.empty += 1,
            Ok(Loaded::Shorter) => results.shorter.push(name),
            Ok(Loaded::Growing) => results.growing.push(name),
            Err(Halt::File(error)) => {
                use io::ErrorKind::{NotFound, PermissionDenied, Unsupported};
                let begun = !matches!(error.kind(), NotFound | PermissionDenied | Unsupported);
                let whole = if begun { "; whole lines before that are loaded" } else { "" };
                results.failed.push((name, format!("{error}{whole}")));
            }
            Err(Halt::Interrupted(_)) => {}
        }
    }

    fn progress(&self, counted: &mut u64, now: u64) {
        advance(self.bytes_done, counted, now);
    }

    fn try_file(&mut self, item: &Item, counted: &mut u64) -> Result<Loaded, Halt> {
        let raw = Arc::new(AtomicU64::new(0));
        let mut opened = Opened::new(&item.path, Arc::clone(&raw))?;
        // A file that may still be written to keeps its last line until it has a newline.
        let quiet = Micros::try_from(self.config.load.seal_after.as_micros()).unwrap_or(Micros::MAX);
        let complete = opened.is_packed() || item.name.is_some() || clock::now() - item.modified > quiet;
        let mut again = false;
        if self.filtered || self.again {
            let done = self.beside(opened, complete, &raw, counted)?;
            match done {
                // Without a checkpoint, or what lies behind it, `--again` is a replay like any other.
                Loaded::All | Loaded::Nothing if !self.filtered => again = matches!(done, Loaded::All),
                done => return Ok(done),
            }
            opened = Opened::new(&item.path, Arc::clone(&raw))?;
        }
        // One that begins like a longer one and stands still is a file of its own: its lines are held against ids.
        let choice = Choice { complete, fork_if_shorter: complete, by_ids: true, unloaded_too: true };
        let mut reading = match opened.identify(&self.belongs, choice, &self.store)?? {
            Identified::Done { .. } => return Ok(if again { Loaded::All } else { Loaded::Before }),
            Identified::TooShort if item.size > 0 && !complete => return Ok(Loaded::Growing),
            Identified::TooShort => return Ok(Loaded::Nothing),
            Identified::Shorter { .. } => return Ok(Loaded::Shorter),
            Identified::Reading(reading) => reading,
        };
        reading.read_ids = true;
        if let Some(name) = &item.name {
            reading.moved_to(Path::new(name));
        }
        let start = reading.offset();
        loop {
            // Another loader, or the end of a connection, may have moved what this one stands on.
            if !self.loader.is_current() {
                return Err(Halt::Interrupted(writer::Interrupted));
            }
            let moved = self.loader.read(&mut reading, Micros::MAX, false);
            if let Err(Halt::File(_)) = moved {
                self.finish()?;
            }
            let moved = moved?;
            self.progress(
                counted,
                if reading.packed { raw.load(Ordering::Relaxed) } else { reading.offset() },
            );
            if self.store.is_stopping() {
                self.finish()?;
                return Err(Halt::Interrupted(writer::Interrupted));
            }
            if !moved && reading.is_at_end() {
                break;
            }
        }
        // Sealed only where nobody writes any more; a live log is left to the daemon.
        let seal = complete && !self.is_live(reading.key);
        if seal {
            self.loader.read(&mut reading, Micros::MAX, true)?;
        }
        self.finish()?;
        let ends = reading.metadata().and_then(Result::ok).map_or(0, |metadata| metadata.len());
        Ok(if !complete && reading.offset() < ends {
            Loaded::Growing
        } else if reading.offset() == start && !again {
            Loaded::Before
        } else {
            Loaded::All
        })
    }

    /// Reads a file beside its checkpoint: all of it where lines are left out, else what is loaded of it.
    fn beside(
        &mut self,
        opened: Opened,
        complete: bool,
        raw: &AtomicU64,
        counted: &mut u64,
    ) -> Result<Loaded, Halt> {
        let (mut reading, loaded_bytes) = match opened.beside(&self.belongs, complete, &self.store)?? {
            Beside::Reading { reading, loaded_bytes } => (reading, loaded_bytes),
            Beside::TooShort => return Ok(Loaded::Nothing),
        };
        if !self.filtered {
            let Some(loaded_bytes) = loaded_bytes else { return Ok(Loaded::Nothing) };
            reading.until = loaded_bytes;
        }
        let mut aside = Aside::all(reading, loaded_bytes.is_some());
        let seen = std::cell::Cell::new(*counted);
        let done = self.loader.read_aside(&mut aside, complete, &|reading| {
            let now = if reading.packed { raw.load(Ordering::Relaxed) } else { reading.offset() };
            let mut counted = seen.get();
            advance(self.bytes_done, &mut counted, now);
            seen.set(counted);
            !self.store.is_stopping()
        });
        *counted = seen.get();
        if !matches!(done, Err(Halt::Interrupted(_))) {
            self.finish()?;
        }
        done?;
        let reading = aside.reading;
        let ends = reading.metadata().and_then(Result::ok).map_or(0, |metadata| metadata.len());
        Ok(if self.filtered && !complete && reading.offset() < ends { Loaded::Growing } else { Loaded::All })
    }

    /// Hands over what is left and waits until it is committed.
    fn finish(&mut self) -> Result<(), writer::Interrupted> {
        self.loader.hand_over()?;
        self.store.settled()?;
        if self.loader.is_current() { Ok(()) } else { Err(writer::Interrupted) }
    }

    /// Whether a configured source writes to it, by whatever name it was given.
    fn is_live(&self, opened: Key) -> bool {
        let patterns = self.config.sources.iter().flat_map(|s| &s.paths);
        let mut live = patterns.flat_map(|pattern| glob::glob(pattern).into_iter().flatten().flatten());
        live.any(|path| std::fs::metadata(path).is_ok_and(|m| key(&m) == opened))
    }
}

/// Moves the bar to `now` bytes of a file.
fn advance(bytes_done: &AtomicU64, counted: &mut u64, now: u64) {
    if now > *counted {
        bytes_done.fetch_add(now - *counted, Ordering::Relaxed);
        *counted = now;
    }
}

/// What became of a file.
enum Loaded {
    All,
    Before,
    Nothing,
    /// Shorter than what is loaded of it, and perhaps a copy under way.
    Shorter,
    /// But for a last line without a newline, which may still get its rest.
    Growing,
}

/// The files that the arguments name, oldest first; standard input is spooled, because after an error of the
/// database it is read again.
fn items(paths: &[String]) -> anyhow::Result<(Vec<Item>, Vec<tempfile::NamedTempFile>)> {
    let mut items = Vec::new();
    let mut spooled = Vec::new();
    for path in paths {
        if path == "-" {
            let mut spool = tempfile::Builder::new()
                .prefix("alt-stdin-")
                .tempfile_in(temporary())
                .context("make a temporary file for standard input (TMPDIR says where)")?;
            io::copy(&mut io::stdin().lock(), &mut spool)
                .context("spool standard input (TMPDIR says where)")?;
            spool.flush().context("spool standard input")?;
            items.push(item(spool.path(), Some("-".to_owned()))?);
            spooled.push(spool);
            continue;
        }
        let before = items.len();
        let literal = Path::new(path);
        if std::fs::metadata(literal).is_ok() || !path.contains(['*', '?', '[']) {
            add_path(literal, &mut items)?;
        } else {
            for found in glob::glob(path).with_context(|| format!("pattern {path}"))? {
                add_path(&found.with_context(|| format!("pattern {path}"))?, &mut items)?;
            }
            if items.len() == before {
                bail!("{path} matches no file");
            }
        }
    }
    items.sort_by(|a, b| (a.modified, &a.path).cmp(&(b.modified, &b.path)));
    items.dedup_by(|a, b| a.path == b.path);
    Ok((items, spooled))
}

/// A file, or all files in and below a directory.
fn add_path(path: &Path, items: &mut Vec<Item>) -> anyhow::Result<()> {
    let metadata = std::fs::metadata(path).with_context(|| format!("look at {}", path.display()))?;
    if !metadata.is_dir() && !metadata.is_file() {
        bail!("{} is neither a file nor a directory: pipe it in, and write - for it", path.display());
    }
    if !metadata.is_dir() {
        items.push(item(path, None)?);
        return Ok(());
    }
    for entry in std::fs::read_dir(path).with_context(|| format!("list {}", path.display()))? {
        let entry = entry.with_context(|| format!("list {}", path.display()))?;
        // Links within a directory are passed over: they may lead in a circle.
        let kind = entry.file_type().with_context(|| format!("look at {}", entry.path().display()))?;
        if kind.is_dir() || kind.is_file() {
            add_path(&entry.path(), items)?;
        }
    }
    Ok(())
}

fn item(path: &Path, name: Option<String>) -> anyhow::Result<Item> {
    let metadata = std::fs::metadata(path).with_context(|| format!("look at {}", path.display()))?;
    let stamp = Stamp::of(&metadata);
    // under its own name, wherever it was started
    let path = std::fs::canonicalize(path).with_context(|| format!("look at {}", path.display()))?;
    Ok(Item { path, name, size: metadata.len(), modified: stamp.modified })
}

fn bar(bytes: u64) -> indicatif::ProgressBar {
    if !io::stderr().is_terminal() {
        return indicatif::ProgressBar::hidden();
    }
    let style = "{bar:30} {bytes}/{total_bytes} {msg}, {eta} left";
    let bar = indicatif::ProgressBar::new(bytes);
    if let Ok(style) = indicatif::ProgressStyle::with_template(style) {
        bar.set_style(style);
    }
    bar
}

fn rate(count: u64, time: Duration) -> i64 {
    #[allow(clippy::cast_possible_truncation)] // a rate for people to read
    let rate = (count as f64 / time.as_secs_f64().max(0.001)) as i64;
    rate
}

fn add(to: &mut Totals, from: &Totals) {
    to.commits += from.commits;
    to.lines += from.lines;
    to.rows += from.rows;
    to.already_loaded += from.already_loaded;
    to.filtered += from.filtered;
    to.bytes += from.bytes;
    for (kind, lines) in &from.non_hits {
        *to.non_hits.entry(*kind).or_default() += lines;
    }
    for (reason, lines) in &from.rejects {
        *to.rejects.entry(*reason).or_default() += lines;
    }
}

/// The account of a replay: `lines` = `rows` + `non_hits` + `rejects` + `already_loaded` + `filtered`.
#[derive(Serialize)]
struct Account {
    dry_run: bool,
    files: usize,
    files_loaded: usize,
    files_loaded_before: usize,
    files_empty: usize,
    files_shorter_than_loaded: Vec<String>,
    files_not_ended: Vec<String>,
    files_failed: BTreeMap<String, String>,
    lines: u64,
    rows: u64,
    non_hits: BTreeMap<String, u64>,
    rejects: BTreeMap<String, u64>,
    already_loaded: u64,
    filtered: u64,
    bytes: u64,
    seconds: f64,
    rows_per_second: i64,
}

fn non_hit(kind: NonHit) -> String {
    match kind {
        NonHit::Status(status) => format!("status {status}"),
        NonHit::Method => "method".to_owned(),
        NonHit::OptedOut => "opted out".to_owned(),
        NonHit::Crawler => "crawler".to_owned(),
        NonHit::Other => "not the pixel".to_owned(),
    }
}

fn summary(
    items: &[Item],
    results: &Results,
    totals: &Totals,
    time: Duration,
    args: &cli::Replay,
    out: Out<'_>,
) -> anyhow::Result<()> {
    let account = Account {
        dry_run: args.dry_run,
        files: items.len(),
        files_loaded: results.loaded,
        files_loaded_before: results.known,
        files_empty: results.empty,
        files_shorter_than_loaded: results.shorter.clone(),
        files_not_ended: results.growing.clone(),
        files_failed: results.failed.iter().cloned().collect(),
        lines: totals.lines,
        rows: totals.rows,
        non_hits: totals.non_hits.iter().map(|(kind, lines)| (non_hit(*kind), *lines)).collect(),
        rejects: totals.rejects.iter().map(|(why, lines)| (why.as_str().to_owned(), *lines)).collect(),
        already_loaded: totals.already_loaded,
        filtered: totals.filtered,
        bytes: totals.bytes,
        seconds: (time.as_secs_f64() * 1000.0).round() / 1000.0,
        rows_per_second: rate(totals.rows, time),
    };
    if args.json {
        return show::json(out, &account);
    }
    if args.dry_run {
        writeln!(out, "Nothing was written. A replay would do this:")?;
    }
    let number = |n: u64| show::number(i64::try_from(n).unwrap_or(i64::MAX));
    let mut files = format!("{} loaded, {} loaded before", account.files_loaded, account.files_loaded_before);
    if account.files_empty > 0 {
        files += &format!(", {} without a line", account.files_empty);
    }
    let seen = account.files_loaded + account.files_loaded_before + account.files_empty;
    let left = account.files.saturating_sub(seen);
    if left > 0 {
        files += &format!(", {left} not to the end");
    }
    writeln!(out, "files           {files}")?;
    for name in &account.files_shorter_than_loaded {
        writeln!(
            out,
            "                {}: shorter than what is loaded of it, and written to just now: left alone",
            show::safe(name)
        )?;
    }
    for name in &account.files_not_ended {
        writeln!(
            out,
            "                {}: its last line has no newline, and it was written to just now",
            show::safe(name)
        )?;
    }
    for (name, error) in &account.files_failed {
        writeln!(out, "                {}: {}", show::safe(name), show::safe(error))?;
    }
    writeln!(out, "lines           {}", number(account.lines))?;
    writeln!(out, "rows            {} ({}/s)", number(account.rows), show::number(account.rows_per_second))?;
    writeln!(out, "already loaded  {}", number(account.already_loaded))?;
    if account.filtered > 0 {
        writeln!(out, "filtered out    {}", number(account.filtered))?;
    }
    for (kind, lines) in &account.non_hits {
        writeln!(out, "non-hits        {} ({kind})", number(*lines))?;
    }
    for (reason, lines) in &account.rejects {
        writeln!(out, "rejects         {} ({reason})", number(*lines))?;
    }
    Ok(())
}
