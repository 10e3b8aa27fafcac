//! `alt replay`: loads archived or foreign logs. Each file continues at its checkpoint, if its bytes prove one. Lines
//! that no checkpoint proves to be new are checked against the ids in the database.

mod account;
pub(super) mod format;
mod loader;
mod objects;

use std::collections::BTreeMap;
use std::io::{self, IsTerminal};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use alt_collect::pipeline::Loader;
use alt_collect::source::inputs::{self, Item, Order};
use alt_collect::source::reading::Belongs;
use alt_config::{ArchiveUrl, Config};
use alt_line::filter::Filter;
use alt_line::parse::{Format, Spec};
use alt_process::lock::lock;
use alt_process::metrics::Totals;
use alt_process::stop::Stop;
use alt_store::rehearsal::Rehearsal;
use alt_store::writer::{self, Options, Store};
use alt_store::{apps, files, migrate};
use anyhow::{Context, bail};

use self::account::{Replayed, Results, summary};
use self::format::{AUTO, Expected};
use self::loader::{Beginnings, FileLoader};
use self::objects::Listing;
use super::assembly::{Assembly, limits};
use super::drain::drain_after;
use super::{Out, Outcome, show, when};
use crate::account::may_not_read;
use crate::cli;

/// The source under which replayed files are recorded.
const SOURCE: &str = "replay";

/// Minimum number of loaders, if there are as many files. They share a connection if there is only one: while one
/// loader's lines are loaded, the other reads or fetches the next file.
const LOADERS_MIN: usize = 2;

/// Update interval of the progress bar.
const DRAW_INTERVAL: Duration = Duration::from_millis(100);

/// The kind of the lines, and which of them are wanted.
struct Kind {
    assembly: Assembly,
    spec: Spec,
    format: Arc<Format>,
    filter: Filter,
}

/// The input: files, and objects to fetch.
struct Given {
    items: Vec<Item>,
    listing: Listing,
}

impl Given {
    fn count(&self) -> usize {
        self.items.len() + self.listing.objects.len()
    }

    fn bytes(&self) -> u64 {
        inputs::total_bytes(&self.items) + self.listing.objects.iter().map(|object| object.bytes).sum::<u64>()
    }
}

/// A replay in progress.
struct Replay<'a> {
    config: &'a Config,
    args: &'a cli::Replay,
    kind: &'a Kind,
    given: &'a Given,
    /// One writer per job.
    stores: &'a [Store],
    stop: &'a Arc<Stop>,
    started: Instant,
}

/// Loads the files and objects that the arguments name.
///
/// # Errors
/// Something cannot be read or loaded, or the replay was interrupted.
pub fn run(config: &Config, args: &cli::Replay, out: Out<'_>) -> anyhow::Result<Outcome> {
    let mut spec = spec(args)?;
    let stop = Arc::new(Stop::default());
    // A named format is checked before standard input is read.
    let found = match spec.format.as_str() {
        AUTO => {
            let found = found(args)?;
            format::detect(&found, &config.track.terms()?)?.clone_into(&mut spec.format);
            Some(found)
        }
        _ => None,
    };
    let kind = kind(config, args, spec)?;
    let given = given(config, args, found, &kind.filter, &stop)?;
    let started = Instant::now();
    let rehearsal = if args.dry_run { Some(rehearsal()?) } else { None };
    let jobs = usize::from(args.jobs).min(given.count()).max(1);
    let stores = writers(config, jobs, rehearsal.as_ref())?;
    let interrupted = Arc::new(AtomicBool::new(false));
    stop_on_signal(&stores, &stop, &interrupted)?;
    let replay = Replay { config, args, kind: &kind, given: &given, stores: &stores, stop: &stop, started };
    let (results, broke) = replay.load()?;
    let durable: Vec<_> = stores.iter().filter(|_| !args.dry_run).map(Store::durable).collect();
    let totals = totals(&stores, rehearsal.as_deref())?;
    let fatal = stores.iter().find_map(Store::take_fatal);
    if broke {
        bail!("a reader broke: this is a defect, please report it with the lines above");
    }
    let files = given.count() + results.skipped + results.members - results.archives;
    let otherwise = otherwise(config, &kind.spec, kind.format.carries_id(), &results.known)?;
    let mut replayed = Replayed::of(&kind.spec, args, files, &results, otherwise, &totals, started.elapsed());
    if config.stats.enabled && replayed.has_rows() && kind.spec.names_app() && args.pixel.is_none() {
        replayed.without_page_views(without_page_views(config, &kind.spec)?);
    }
    summary(&replayed, args, out)?;
    if !args.dry_run {
        drain_after(config, args.json, out)?;
    }
    if let Some(error) = fatal {
        return Err(error.context(match args.dry_run {
            true => "count what would be loaded; run again",
            false => "load; what was committed stays, run again to go on",
        }));
    }
    if interrupted.load(Ordering::Acquire) {
        bail!("interrupted; what was committed stays, run again to go on");
    }
    // Scripts that delete replayed files rely on the exit code.
    if stores.iter().any(Store::is_closed) {
        bail!("a writer broke: this is a defect, please report it with the lines above");
    }
    if durable.contains(&Ok(false)) {
        bail!(
            "the connection to the database was lost on the way, and with synchronous_commit = off what was committed last \
             may be lost with it: run again to be sure"
        );
    }
    if replayed.is_of_another_format() && !args.accept_rejects {
        bail!(
            "nearly all lines are not of the format {}: `alt unload` the files, and name the right format (--format)",
            show::safe(&kind.spec.format)
        );
    }
    results.outcome(files)
}

/// The kind of the lines, from the arguments and the registered applications.
fn kind(config: &Config, args: &cli::Replay, spec: Spec) -> anyhow::Result<Kind> {
    let assembly = Assembly::of(config)?;
    let format = Arc::new(Format::of(&spec)?);
    if !spec.names_app() && format.name() != "alt1" {
        bail!(
            "lines of the format {} name no application: say whose hits they are with --app KEY (see `alt app list`), \
             or by the names of their sites, with --site NAME=KEY",
            format.name()
        );
    }
    let (spec, filter) = with_keys(config, spec, filter(args)?)?;
    Ok(Kind { assembly, spec, format, filter })
}

/// Finds the files that the arguments name.
fn found(args: &cli::Replay) -> anyhow::Result<Vec<Item>> {
    let paths: Vec<String> = args.paths.iter().filter(|path| !ArchiveUrl::is_meant(path)).cloned().collect();
    found_in(&paths, args.files_from.as_deref(), args.order)
}

/// Finds the files of these paths and of a list of paths.
pub(super) fn found_in(
    paths: &[String],
    files_from: Option<&Path>,
    order: Order,
) -> anyhow::Result<Vec<Item>> {
    let items = inputs::items(paths, files_from, order);
    items.map_err(|error| match error.downcast_ref::<io::Error>().map(io::Error::kind) {
        Some(io::ErrorKind::PermissionDenied) => anyhow::anyhow!("{error:#}: {}", may_not_read()),
        _ => error,
    })
}

/// Finds the objects that the arguments name and, if that is not done, the files.
fn given(
    config: &Config,
    args: &cli::Replay,
    found_before: Option<Vec<Item>>,
    filter: &Filter,
    stop: &Arc<Stop>,
) -> anyhow::Result<Given> {
    let mut urls: Vec<String> =
        args.paths.iter().filter(|path| ArchiveUrl::is_meant(path)).cloned().collect();
    if args.missing {
        let Some(archive) = &config.archive else {
            bail!(
                "--missing asks for the objects of the archive, and there is no [archive] in the configuration"
            );
        };
        urls.push(format!("{}/", archive.url.trim_end_matches('/')));
    }
    let items = found_before.map_or_else(|| found(args), Ok)?;
    let listing = objects::listing(config, &urls, filter, args.again, args.order, stop)?;
    Ok(Given { items, listing })
}

fn rehearsal() -> anyhow::Result<Arc<Mutex<Rehearsal>>> {
    let rehearsal = Rehearsal::new(&inputs::temporary_directory());
    Ok(Arc::new(Mutex::new(rehearsal.context("make a temporary file (TMPDIR says where)")?)))
}

/// Starts a writer for each job.
fn writers(
    config: &Config,
    jobs: usize,
    rehearsal: Option<&Arc<Mutex<Rehearsal>>>,
) -> anyhow::Result<Vec<Store>> {
    let mut stores = Vec::new();
    // Several jobs keep the server busy by themselves.
    let connections = if jobs == 1 { config.load.connections } else { 1 };
    for _ in 0..jobs {
        let (store, writer) = writer::pair(Options {
            postgres: config.postgres.clone(),
            application_name: alt_store::session_name("replay", &config.load.host_name()),
            looks: false,
            patient: false,
            connections,
            rehearsal: rehearsal.cloned(),
            metrics: Arc::default(),
        });
        stores.push(store);
        writer.start(()).context("start a writer")?;
    }
    Ok(stores)
}

impl Replay<'_> {
    /// Loads the whole input with several loaders. Returns the outcome, and whether a loader failed.
    fn load(&self) -> anyhow::Result<(Results, bool)> {
        let loaders = self.loaders();
        let (next, beginnings, bytes_done) = (AtomicUsize::new(0), Beginnings::default(), AtomicU64::new(0));
        let Listing { known, outside, .. } = self.given.listing;
        let results = Mutex::new(Results { skipped: known, outside, ..Results::default() });
        let broke = std::thread::scope(|scope| -> anyhow::Result<bool> {
            let mut threads = Vec::new();
            // Nothing is sent: the channel closes when the last loader ends.
            let (alive, ended) = mpsc::sync_channel::<()>(0);
            for store in self.stores.iter().cycle().take(loaders) {
                let mut loader = self.loader(store, &bytes_done, &beginnings)?;
                let (given, next, results, alive) = (self.given, &next, &results, alive.clone());
                threads.push(scope.spawn(move || {
                    let _alive = alive;
                    take_all(&mut loader, given, next, results);
                }));
            }
            drop(alive);
            self.show_progress(&ended, &bytes_done);
            Ok(threads.into_iter().any(|t| t.join().is_err()))
        })?;
        Ok((results.into_inner().unwrap_or_else(PoisonError::into_inner), broke))
    }

    /// The number of loaders.
    fn loaders(&self) -> usize {
        self.stores.len().max(LOADERS_MIN.min(self.given.count()))
    }

    /// A loader with its own handle of a writer.
    fn loader<'j>(
        &'j self,
        store: &Store,
        bytes_done: &'j AtomicU64,
        beginnings: &'j Beginnings,
    ) -> anyhow::Result<FileLoader<'j>> {
        let Kind { assembly, spec, format, filter } = self.kind;
        let (way, belongs) = (assembly.way(spec, format), assembly.belongs(spec, format)?);
        let store = store.another_end();
        let limits = limits(self.config, self.loaders(), self.stores.len().max(self.config.load.connections));
        let loader = Loader::new(store.clone(), way.filtered(filter.clone()), limits);
        let is_alone = self.loaders() == 1;
        Ok(FileLoader {
            loader: if is_alone { loader } else { loader.among_others() },
            store,
            belongs: Belongs { source: SOURCE.to_owned(), ..belongs },
            filtered: !filter.is_open(),
            expected: Expected { format, terms: assembly.terms(), any: self.args.accept_rejects },
            again: self.args.again,
            config: self.config,
            bytes_done,
            beginnings,
            number: 0,
            in_order: self.stores.len() == 1,
            stop: Arc::clone(self.stop),
        })
    }

    /// Updates the bar until all loaders have ended.
    fn show_progress(&self, ended: &mpsc::Receiver<()>, bytes_done: &AtomicU64) {
        let bar = bar(self.given.bytes());
        while ended.recv_timeout(DRAW_INTERVAL) == Err(RecvTimeoutError::Timeout) {
            let lines: u64 = self.stores.iter().map(|s| s.totals().lines).sum();
            bar.set_position(bytes_done.load(Ordering::Relaxed));
            let trouble = self.stores.iter().find_map(|store| store.watcher().trouble());
            bar.set_message(match trouble {
                Some(trouble) => show::safe(&trouble).into_owned(),
                None => format!("{} lines/s", show::number(rate(lines, self.started.elapsed()))),
            });
        }
        bar.finish_and_clear();
    }
}

/// Loads what no other loader has taken, until nothing is left or the replay has to stop.
fn take_all(loader: &mut FileLoader<'_>, given: &Given, next: &AtomicUsize, results: &Mutex<Results>) {
    while !loader.store.is_stopping() && !loader.store.is_closed() {
        let n = next.fetch_add(1, Ordering::Relaxed);
        loader.number = n;
        let _at = loader.beginnings.at(n);
        let object = n.checked_sub(given.items.len()).and_then(|n| given.listing.objects.get(n));
        match (given.items.get(n), object) {
            (Some(item), _) => loader.file(item, results),
            (None, Some(object)) => loader.object(object, results),
            (None, None) => return,
        }
    }
}

/// The counts that were committed, or would be.
fn totals(stores: &[Store], rehearsal: Option<&Mutex<Rehearsal>>) -> anyhow::Result<Totals> {
    let mut totals = Totals::default();
    for store in stores {
        add(&mut totals, &store.totals());
    }
    if let Some(rehearsal) = rehearsal {
        // If the same row would occur twice, the first is loaded.
        let repeated = lock(rehearsal).repeated().context("count what would be loaded")?;
        totals.rows -= repeated;
        totals.already_loaded += repeated;
    }
    Ok(totals)
}

/// What the arguments specify about the lines.
fn spec(args: &cli::Replay) -> anyhow::Result<Spec> {
    let mut spec = Spec {
        pixel: args.pixel.clone(),
        status: args.status.clone(),
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

/// The same with the keys of the named applications. Problems with the database are reported here, before anything is
/// read: lines of an unknown application would all become rejects.
fn with_keys(config: &Config, mut spec: Spec, mut filter: Filter) -> anyhow::Result<(Spec, Filter)> {
    super::block_on(async {
        let mut reader = super::reader(config).await?;
        reader.read(migrate::check_compatible).await?;
        let filtered = filter.apps.iter_mut();
        for named in spec.app.iter_mut().chain(spec.sites.values_mut()).chain(filtered) {
            let app = reader.read(async |client| apps::find(client, named).await).await?;
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

/// The keys of the applications of a log whose newest rows are requests, and no page view.
fn without_page_views(config: &Config, spec: &Spec) -> anyhow::Result<Vec<String>> {
    super::block_on(async {
        let mut reader = super::reader(config).await?;
        let alone =
            reader.read(async |client| apps::with_requests_alone(client, None, i64::MAX).await).await?;
        let is_of_it = |key: &String| spec.app.iter().chain(spec.sites.values()).any(|app| app == key);
        Ok(alone.into_iter().map(|app| app.key).filter(is_of_it).collect())
    })
}

/// Which lines are wanted; applications as the arguments name them.
fn filter(args: &cli::Replay) -> anyhow::Result<Filter> {
    let mut filter = Filter {
        since: when::option("--since", args.since.as_deref())?,
        until: when::option("--until", args.until.as_deref())?,
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

/// The files among these that were loaded with other options, and those options. They still count as loaded, which
/// would surprise a person who corrects a mistake.
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
    let specs = super::block_on(async {
        let mut reader = super::reader(config).await?;
        reader.read(async |client| files::specs(client, &ids).await).await
    })?;
    let before = specs.iter().filter_map(|(id, spec)| Some((*id, serde_json::from_str(spec).ok()?)));
    let before: BTreeMap<i32, Spec> = before.collect();
    let differs = |(id, name): &(i32, String)| {
        let options = before.get(id)?.differs(spec, lines_have_ids);
        (!options.is_empty()).then(|| (name.clone(), options))
    };
    Ok(known.iter().filter_map(differs).collect())
}

/// Ctrl-C and SIGTERM end the work after the current batches.
fn stop_on_signal(stores: &[Store], stop: &Arc<Stop>, interrupted: &Arc<AtomicBool>) -> anyhow::Result<()> {
    let (stores, stop, interrupted) = (stores.to_vec(), Arc::clone(stop), Arc::clone(interrupted));
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
            stop.stop();
        })
        .context("start a thread")?;
    Ok(())
}

/// A bar for so many bytes, hidden if nobody sees it.
pub(super) fn bar(bytes: u64) -> indicatif::ProgressBar {
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

/// How many a second.
pub(super) fn rate(count: u64, time: Duration) -> i64 {
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
