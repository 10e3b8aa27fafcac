//! `alt rejects retry`: processes rejected lines again. Each line leaves the quarantine with its new outcome.
//!
//! The bytes of a line come from its file, if the file is here; its content identifies it. Otherwise they come from the
//! quarantine, if it has the whole line. Rows, rejects and the ledger change in one transaction per batch.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use alt_collect::pipeline::{Halt, Loader, Reread};
use alt_collect::source::logs::Logs;
use alt_collect::source::reading::{Again, Belongs, Beside, Opened, Reading};
use alt_config::Config;
use alt_line::batch::FileRef;
use alt_line::parse::{Format, Spec};
use alt_process::metrics::{Metrics, Totals};
use alt_store::files::Which;
use alt_store::migrate;
use alt_store::rejects::{self, Waiting};
use alt_store::writer::{self, Interrupted, Options, Store};
use anyhow::Context;
use serde::Serialize;

use crate::cmd::assembly::{Assembly, limits, settle};
use crate::cmd::{Out, block_on, show};

/// Number of rejects taken from the quarantine at once.
const RAW_AT_ONCE: i64 = 2000;

/// Which rejects to retry, and where their files may be.
#[derive(Debug, Default)]
pub(in crate::cmd) struct Wanted {
    /// The rejects to retry.
    pub(in crate::cmd) which: Which,
    /// Only rejects of files whose path contains this.
    pub(in crate::cmd) file: Option<String>,
    /// Where the files are, if not where they were last seen.
    pub(in crate::cmd) paths: Vec<PathBuf>,
}

/// The outcome of the rejects. A retried reject is a row, already loaded, a non-hit, or a reject again. Rejects that
/// another process retried meanwhile are in the account of that process, not in this one.
#[derive(Debug, Default, Serialize)]
pub(in crate::cmd) struct Retried {
    files: usize,
    rejects: u64,
    pub(in crate::cmd) rows: u64,
    already_loaded: u64,
    non_hits: u64,
    still_rejects: BTreeMap<String, u64>,
    /// Rejects that were not retried.
    pub(in crate::cmd) left: u64,
    /// The reason, by file.
    left_because: BTreeMap<String, String>,
}

impl Retried {
    /// Whether there were no rejects.
    pub(in crate::cmd) fn is_empty(&self) -> bool {
        self.rejects == 0
    }

    /// Prints the account.
    pub(in crate::cmd) fn print(&self, as_json: bool, out: Out<'_>) -> anyhow::Result<()> {
        if as_json {
            return show::json(out, self);
        }
        if self.is_empty() {
            writeln!(out, "no such rejects")?;
            return Ok(());
        }
        let number = |n: u64| show::number(i64::try_from(n).unwrap_or(i64::MAX));
        writeln!(out, "rejects         {} in {} files", number(self.rejects), self.files)?;
        writeln!(out, "rows            {}", number(self.rows))?;
        writeln!(out, "already loaded  {}", number(self.already_loaded))?;
        if self.non_hits > 0 {
            writeln!(out, "non-hits        {}", number(self.non_hits))?;
        }
        for (reason, lines) in &self.still_rejects {
            writeln!(out, "still rejects   {} ({reason})", number(*lines))?;
        }
        if self.left > 0 {
            writeln!(out, "not looked at   {}", number(self.left))?;
        }
        for (file, why) in &self.left_because {
            writeln!(out, "                {}: {}", show::safe(file), show::safe(why))?;
        }
        Ok(())
    }

    fn add(&mut self, totals: &Totals) {
        self.rows = totals.rows;
        self.already_loaded = totals.already_loaded;
        self.non_hits = totals.non_hits.values().sum();
        self.still_rejects =
            totals.rejects.iter().map(|(why, lines)| (why.as_str().to_owned(), *lines)).collect();
        self.rejects = totals.lines - totals.filtered + self.left;
    }
}

/// Some rejects of a file were not retried.
struct Left {
    why: String,
    /// Except for those whose bytes are all in the quarantine: they were retried.
    but_whole: bool,
}

impl Left {
    fn all(why: impl Into<String>) -> Left {
        Left { why: why.into(), but_whole: false }
    }
}

/// Retries rejects. Call it where blocking is allowed.
///
/// # Errors
/// The database cannot be reached, or refuses the data.
pub(in crate::cmd) fn retry(config: &Config, wanted: &Wanted) -> anyhow::Result<Retried> {
    let waiting = waiting(config, wanted)?;
    let mut account = Retried { files: waiting.len(), ..Retried::default() };
    if waiting.is_empty() {
        return Ok(account);
    }
    let metrics = Arc::new(Metrics::default());
    let assembly = Assembly::of(config)?;
    let (store, writer) = writer::pair(Options {
        postgres: config.postgres.clone(),
        application_name: alt_store::session_name("retry", &config.load.host_name()),
        looks: false,
        patient: false,
        connections: 1,
        rehearsal: None,
        metrics: Arc::clone(&metrics),
    });
    let writing = writer.start(()).context("start a writer")?;
    let mut left_of = BTreeMap::new();
    for file in &waiting {
        let outcome = one(config, &assembly, &store, file, wanted);
        if let Some(error) = store.take_fatal() {
            return Err(error.context("look at rejects again; what was committed stays"));
        }
        if let Some(left) = outcome? {
            left_of.insert(file.id, left);
        }
    }
    if !left_of.is_empty() {
        for file in self::waiting(config, wanted)? {
            let Some(Left { why, but_whole }) = left_of.remove(&file.id) else { continue };
            let left = if but_whole { file.lines - file.whole } else { file.lines };
            account.left += u64::try_from(left).unwrap_or_default();
            if left > 0 {
                account.left_because.insert(format!("{}:{}", file.host, file.path), why);
            }
        }
    }
    drop(store);
    let _ = writing.join();
    account.add(&metrics.totals());
    Ok(account)
}

fn waiting(config: &Config, wanted: &Wanted) -> anyhow::Result<Vec<Waiting>> {
    block_on(async {
        let mut reader = crate::cmd::reader(config).await?;
        reader.read(migrate::check_compatible).await?;
        reader
            .read(async |client| rejects::waiting(client, &wanted.which, wanted.file.as_deref()).await)
            .await
    })
}

/// Retries the rejects of one file. Returns why some of them were not retried, if so.
fn one(
    config: &Config,
    assembly: &Assembly,
    store: &Store,
    file: &Waiting,
    wanted: &Wanted,
) -> anyhow::Result<Option<Left>> {
    let Some(spec) = spec(config, file) else {
        return Ok(Some(Left::all(
            "how its lines are written is not known; load it with `alt replay --again`, and say there",
        )));
    };
    let format = Arc::new(Format::of(&spec)?);
    let belongs = assembly.belongs(&spec, &format)?;
    let belongs = Belongs { host: file.host.clone(), source: file.source.clone(), ..belongs };
    let mut loader = Loader::new(store.clone(), assembly.way(&spec, &format), limits(config, 1, 1));
    loop {
        loader.is_current();
        let done = match find(config, store, file, &belongs, &wanted.paths) {
            Ok(Some(reading)) => from_file(&mut loader, store, reading, wanted),
            Ok(None) => from_quarantine(config, &mut loader, store, file, &belongs, wanted)?,
            Err(interrupted) => Err(Halt::Interrupted(interrupted)),
        };
        match done {
            Ok(left) => return Ok(left),
            Err(Halt::File(error)) => return Ok(Some(Left::all(error.to_string()))),
            // The database was unavailable, or another process was faster: retry what is left.
            Err(Halt::Interrupted(_)) if store.is_closed() => return Ok(None),
            Err(Halt::Interrupted(_)) => {}
        }
    }
}

/// How to read the lines of a file: as they were read before. If that was not yet recorded when the file was loaded: as
/// its source is configured, or by the name of its format.
fn spec(config: &Config, file: &Waiting) -> Option<Spec> {
    if let Some(spec) = &file.spec {
        return serde_json::from_str(spec).ok();
    }
    if let Some(source) = Logs::of(config).source_of(Path::new(&file.source)) {
        return Some(config.sources[source].spec());
    }
    (file.format == "alt1").then(|| Spec::new("alt1"))
}

/// The opened file, if it is here.
fn find(
    config: &Config,
    store: &Store,
    file: &Waiting,
    belongs: &Belongs,
    paths: &[PathBuf],
) -> Result<Option<Box<Reading>>, Interrupted> {
    let mut places = paths.to_vec();
    if file.host == config.load.host_name() {
        places.push(PathBuf::from(&file.path));
        let source = Path::new(&file.source);
        if source.is_absolute() {
            places.push(source.to_owned());
            places.extend(Logs::of(config).files_like(source));
        }
    }
    for place in places {
        let Ok(opened) = Opened::new(&place, Arc::new(AtomicU64::new(0))) else { continue };
        // Compare the beginnings first: with many files and places, few pairs are worth a query.
        if !opened.begins_with(&file.head).unwrap_or(false) {
            continue;
        }
        match opened.beside(belongs, Again { complete: true, all: false }, store) {
            Ok(Beside::Reading { reading, loaded_bytes: Some(_) }) if reading.file_id() == file.id => {
                return Ok(Some(reading));
            }
            Err(Halt::Interrupted(interrupted)) => return Err(interrupted),
            Ok(_) | Err(Halt::File(_)) => {}
        }
    }
    Ok(None)
}

fn from_file(
    loader: &mut Loader,
    store: &Store,
    reading: Box<Reading>,
    wanted: &Wanted,
) -> Result<Option<Left>, Halt> {
    let mut reread = Reread::rejects(reading, wanted.which.clone());
    loader.reread_file(&mut reread, true, &mut |_| !store.is_stopping())?;
    settle(loader, store)?;
    Ok(None)
}

/// Retries the rejects whose bytes are all in the quarantine.
fn from_quarantine(
    config: &Config,
    loader: &mut Loader,
    store: &Store,
    file: &Waiting,
    belongs: &Belongs,
    wanted: &Wanted,
) -> anyhow::Result<Result<Option<Left>, Halt>> {
    let why = format!(
        "the file is not here; on {}, or with the file: alt rejects retry FILE",
        if file.host == config.load.host_name() { "the host that has it" } else { &file.host }
    );
    if !belongs.lines_have_ids {
        // The id of such a line depends on the lines before it.
        return Ok(Ok(Some(Left::all(why))));
    }
    let head = FileRef::Known { id: file.id, head: file.head };
    let mut from = 0;
    loop {
        let lines = block_on(async {
            let mut reader = crate::cmd::reader(config).await?;
            let which = &wanted.which;
            reader.read(async |client| rejects::whole(client, file.id, from, which, RAW_AT_ONCE).await).await
        })?;
        let Some((last, _)) = lines.last() else { return Ok(Ok(Some(Left { why, but_whole: true }))) };
        from = last.end();
        if let Err(interrupted) = loader.reread_lines(&head, &lines).and_then(|()| settle(loader, store)) {
            return Ok(Err(interrupted.into()));
        }
    }
}
