//! `alt replay`: loads archived or foreign logs. Every file goes on at its checkpoint, if its bytes prove one;
//! what no checkpoint proves to be new is held against the ids that are in the database.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde::Serialize;
use tokio_postgres::types::Type;

use super::run::{limits, way};
use super::when::when;
use super::{Out, Outcome, show};
use crate::account;
use crate::cli;
use crate::clock;
use crate::config::Config;
use crate::pipeline::{Aside, Halt, Loader};
use crate::pure::filter::Filter;
use crate::pure::hit::{Micros, NonHit, Reason};
use crate::pure::parse::Spec;
use crate::source::inputs::{self, Item, Members, Progress};
use crate::source::reading::{Belongs, Beside, Choice, Identified, Key, Opened, key};
use crate::store::rehearsal::Rehearsal;
use crate::store::writer::{self, Options, Store, Totals};
use crate::store::{self, migrate};

/// The source under which replayed files are recorded.
const SOURCE: &str = "replay";

/// How often the progress bar moves.
const DRAW_INTERVAL: Duration = Duration::from_millis(100);

/// Members of one archive that are named where they cannot be read; of more, their number is said.
const FAILED_NAMED: u64 = 1000;

/// Files that are named where they were loaded with other options.
const OTHERWISE_NAMED: usize = 20;

/// What became of the files.
#[derive(Default)]
struct Results {
    /// Logs that were in archives.
    members: usize,
    /// Archives that were read to their end: their members are the files, and not they.
    archives: usize,
    loaded: usize,
    /// What was loaded before: keys of the files, and how they are called now.
    known: Vec<(i32, String)>,
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
    let items = inputs::items(&args.paths, args.files_from.as_deref(), args.order);
    let items = items.map_err(|error| match error.downcast_ref::<io::Error>().map(io::Error::kind) {
        Some(io::ErrorKind::PermissionDenied) => anyhow::anyhow!("{error:#}: {}", account::may_not_read()),
        _ => error,
    })?;
    let started = Instant::now();
    let jobs = usize::from(args.jobs).min(items.len()).max(1);
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Results::default());
    let bytes_done = AtomicU64::new(0);
    let interrupted = Arc::new(AtomicBool::new(false));

    let rehearsal = match args.dry_run {
        true => Some(Arc::new(Mutex::new(
            Rehearsal::new(&inputs::temporary_directory())
                .context("make a temporary file (TMPDIR says where)")?,
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
    let bar = bar(inputs::total_bytes(&items));
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
    let files = items.len() + results.members - results.archives;
    let otherwise = otherwise(config, &spec, belongs.lines_have_ids, &results.known)?;
    summary(files, &results, otherwise, &totals, started.elapsed(), args, out)?;
    if let Some(error) = fatal {
        return Err(error.context(match args.dry_run {
            true => "count what would be loaded; run again",
            false => "load; what was committed stays, run again to go on",
        }));
    }
    if interrupted.load(Ordering::Acquire) {
        bail!("interrupted; what was committed stays, run again to go on");
    }
    // Whoever deletes what was replayed goes by the exit code.
    match (results.failed.len(), results.growing.len() + results.shorter.len()) {
        (0, 0) => Ok(Outcome::Done),
        (0, n) => {
            bail!("{n} of {files} files may still be written to: run again when they stand still")
        }
        (n, _) => bail!("{n} of {files} files could not be read to their end"),
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
    super::block_on(async {
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

/// Which of these files were loaded with other options, and with which: they count as loaded all the same, and to
/// somebody who corrects a mistake that is a surprise.
fn otherwise(
    config: &Config,
    spec: &Spec,
    lines_have_ids: bool,
    known: &[(i32, String)],
) -> anyhow::Result<BTreeMap<String, Vec<&'static str>>> {
    if known.is_empty() {
        return Ok(BTreeMap::new());
    }
    let ids: Vec<i32> = known.iter().map(|(id, _)| *id).collect();
    let sql = "SELECT id, spec::text FROM log_files WHERE id = ANY($1) AND spec IS NOT NULL";
    let rows = super::block_on(async {
        let client = super::connect(config).await?;
        client.query_typed(sql, &[(&ids, Type::INT4_ARRAY)]).await.context("read how files were loaded")
    })?;
    let before = rows.iter().filter_map(|row| Some((row.get(0), serde_json::from_str(row.get(1)).ok()?)));
    let before: BTreeMap<i32, Spec> = before.collect();
    let differs = |(id, name): &(i32, String)| {
        let options = before.get(id)?.differs(spec, lines_have_ids);
        (!options.is_empty()).then(|| (name.clone(), options))
    };
    Ok(known.iter().filter_map(differs).collect())
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
        let mut progress = Progress::default();
        let store = self.store.clone();
        let stops = || store.is_stopping() || store.is_closed();
        match item.archive(&stops) {
            Ok(Some(members)) => self.members(members, &mut progress, results),
            // Where its beginning cannot be read, loading it says so.
            Ok(None) | Err(_) => {
                if let Some(outcome) = self.log(item, &mut progress) {
                    lock(results).note(item.shown(), outcome);
                }
            }
        }
        progress.whole();
        self.progress(&mut progress, item.size);
    }

    /// Loads the logs in an archive, one after the other.
    fn members(&mut self, mut members: Members<'_>, progress: &mut Progress, results: &Mutex<Results>) {
        let (mut read, mut failed) = (0u64, 0u64);
        let end = loop {
            let from = members.bytes_read();
            let member = members.advance();
            if self.store.is_stopping() || self.store.is_closed() {
                return;
            }
            let member = match member {
                Ok(Some(member)) => member,
                Ok(None) => break None,
                Err(error) => break Some(error),
            };
            let outcome = match member.item {
                Err(why) => Err(why),
                Ok(item) => {
                    progress.part(from, members.bytes_read(), item.size);
                    let Some(outcome) = self.log(&item, progress) else { return };
                    self.progress(progress, item.size);
                    outcome
                }
            };
            *(if outcome.is_ok() { &mut read } else { &mut failed }) += 1;
            if outcome.is_ok() || failed <= FAILED_NAMED {
                let mut results = lock(results);
                results.members += 1;
                results.note(member.name, outcome);
            }
        };
        let more = failed.saturating_sub(FAILED_NAMED);
        let why = [
            end.map(|error| format!("{error}; the {read} files in it before that were read")),
            (more > 0).then(|| format!("{more} more of its files could not be read")),
        ];
        let why: Vec<String> = why.into_iter().flatten().collect();
        let mut results = lock(results);
        if why.is_empty() {
            results.archives += 1;
        } else {
            results.note(members.name, Err(why.join("; ")));
        }
    }

    /// Loads one log: what became of it, or why it was not read to its end. `None`: it was interrupted.
    fn log(&mut self, item: &Item, progress: &mut Progress) -> Option<Result<Loaded, String>> {
        let outcome = loop {
            self.loader.is_current();
            match self.try_file(item, progress) {
                Err(Halt::Interrupted(_)) => {
                    if self.store.is_stopping() || self.store.is_closed() {
                        return None;
                    }
                    // The database was away: from the checkpoint on, again.
                }
                Err(Halt::File(error)) => break Err(error),
                Ok(loaded) => break Ok(loaded),
            }
        };
        Some(outcome.map_err(|error| {
            use io::ErrorKind::{NotFound, PermissionDenied, Unsupported};
            let begun = !matches!(error.kind(), NotFound | PermissionDenied | Unsupported);
            match error.kind() {
                PermissionDenied => format!("{error}: {}", account::may_not_read()),
                _ if begun => format!("{error}; whole lines before that are loaded"),
                _ => error.to_string(),
            }
        }))
    }

    /// Moves the bar to `now` bytes of this file.
    fn progress(&self, progress: &mut Progress, now: u64) {
        self.bytes_done.fetch_add(progress.reach(now), Ordering::Relaxed);
    }

    fn try_file(&mut self, item: &Item, progress: &mut Progress) -> Result<Loaded, Halt> {
        let raw = Arc::new(AtomicU64::new(0));
        let mut opened = item.open(Arc::clone(&raw))?;
        // A file that may still be written to keeps its last line until it has a newline.
        let quiet = Micros::try_from(self.config.load.seal_after.as_micros()).unwrap_or(Micros::MAX);
        let complete = opened.is_packed() || item.name.is_some() || clock::now() - opened.modified() > quiet;
        let mut again = false;
        if self.filtered || self.again {
            let done = self.beside(opened, complete, &raw, progress)?;
            match done {
                // Without a checkpoint, or what lies behind it, `--again` is a replay like any other.
                Loaded::All | Loaded::Nothing if !self.filtered => again = matches!(done, Loaded::All),
                done => return Ok(done),
            }
            opened = item.open(Arc::clone(&raw))?;
        }
        // One that begins like a longer one and stands still is a file of its own: its lines are held against ids.
        let choice = Choice { complete, fork_if_shorter: complete, unloaded_too: true };
        let mut reading = match opened.identify(&self.belongs, choice, &self.store)?? {
            Identified::Done { file_id } => {
                return Ok(if again { Loaded::All } else { Loaded::Before(file_id) });
            }
            Identified::TooShort if item.size > 0 && !complete => return Ok(Loaded::Growing),
            Identified::TooShort => return Ok(Loaded::Nothing),
            Identified::Shorter { .. } => return Ok(Loaded::Shorter),
            Identified::Reading(reading) => reading,
        };
        reading.by_ids = true;
        if let Some(name) = &item.name {
            reading.moved_to(Path::new(name));
        }
        let start = reading.begins_at();
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
                progress,
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
            Loaded::Before(reading.file_id())
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
        progress: &mut Progress,
    ) -> Result<Loaded, Halt> {
        let all = (complete, self.filtered);
        let (reading, loaded_bytes) = match opened.beside(&self.belongs, all, &self.store)?? {
            Beside::Reading { reading, loaded_bytes } => (reading, loaded_bytes),
            Beside::TooShort => return Ok(Loaded::Nothing),
        };
        if !self.filtered && loaded_bytes.is_none() {
            return Ok(Loaded::Nothing);
        }
        let mut aside = Aside::all(reading, loaded_bytes.is_some());
        let (bytes_done, store) = (self.bytes_done, &self.store);
        let done = self.loader.read_aside(&mut aside, complete, &mut |reading| {
            let now = if reading.packed { raw.load(Ordering::Relaxed) } else { reading.offset() };
            bytes_done.fetch_add(progress.reach(now), Ordering::Relaxed);
            !store.is_stopping()
        });
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

/// What became of a file.
enum Loaded {
    All,
    /// All of it, before: the key of its file.
    Before(i32),
    Nothing,
    /// Shorter than what is loaded of it, and perhaps a copy under way.
    Shorter,
    /// But for a last line without a newline, which may still get its rest.
    Growing,
}

impl Results {
    fn note(&mut self, name: String, outcome: Result<Loaded, String>) {
        match outcome {
            Ok(Loaded::All) => self.loaded += 1,
            Ok(Loaded::Before(file_id)) => self.known.push((file_id, name)),
            Ok(Loaded::Nothing) => self.empty += 1,
            Ok(Loaded::Shorter) => self.shorter.push(name),
            Ok(Loaded::Growing) => self.growing.push(name),
            Err(why) => self.failed.push((name, why)),
        }
    }
}

fn lock(results: &Mutex<Results>) -> MutexGuard<'_, Results> {
    results.lock().unwrap_or_else(PoisonError::into_inner)
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
    files_loaded_otherwise: BTreeMap<String, Vec<&'static str>>,
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
    files: usize,
    results: &Results,
    otherwise: BTreeMap<String, Vec<&'static str>>,
    totals: &Totals,
    time: Duration,
    args: &cli::Replay,
    out: Out<'_>,
) -> anyhow::Result<()> {
    let account = Account {
        dry_run: args.dry_run,
        files,
        files_loaded: results.loaded,
        files_loaded_before: results.known.len(),
        files_loaded_otherwise: otherwise,
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
    let some =
        args.since.is_some() || args.until.is_some() || args.pattern.is_some() || !args.only_app.is_empty();
    let mut files = match some {
        true => format!("{} read, none counts as loaded by that", account.files_loaded),
        false => format!("{} loaded, {} loaded before", account.files_loaded, account.files_loaded_before),
    };
    if account.files_empty > 0 {
        files += &format!(", {} without a line", account.files_empty);
    }
    let seen = account.files_loaded + account.files_loaded_before + account.files_empty;
    let left = account.files.saturating_sub(seen);
    if left > 0 {
        files += &format!(", {left} not to the end");
    }
    writeln!(out, "files           {files}")?;
    for (name, options) in account.files_loaded_otherwise.iter().take(OTHERWISE_NAMED) {
        let options = options.join(" and ");
        writeln!(out, "                {}: loaded before with another {options}", show::safe(name))?;
    }
    if let Some(more @ 1..) = account.files_loaded_otherwise.len().checked_sub(OTHERWISE_NAMED) {
        writeln!(out, "                and {more} more that were loaded with other options")?;
    }
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
    let shapeless = account.rejects.get(Reason::Shape.as_str()).copied().unwrap_or(0);
    if shapeless > account.lines / 2 {
        writeln!(
            out,
            "\nMost lines are not of the format {}. Where it is the wrong one: `alt unload` these files, and say the \
             right one (--format).",
            show::safe(&args.format)
        )?;
    }
    if !account.files_loaded_otherwise.is_empty() {
        writeln!(
            out,
            "\nWhat was loaded with other options counts as loaded: to load it anew, `alt unload` it first. --again \
             leaves the rows of then where they are."
        )?;
    }
    Ok(())
}
