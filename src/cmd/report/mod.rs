//! `alt report`: what logs say of a site, as a page or for a terminal, without a database.
//!
//! One pass over the lines counts what is bounded (`tally`) and sorts the events of people on the disk (`visits`); then
//! the engine of the statistics folds these. Nothing is kept.

mod calendar;
mod chart;
mod page;
mod reader;
mod summary;
mod tally;
mod terminal;
mod times;
mod top;
mod visits;
mod words;

use std::ffi::OsString;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use alt_collect::source::inputs::{self, Item, Order, Progress};
use alt_config::Config;
use alt_line::lines::Lines;
use alt_line::parse::{Format, Spec};
use alt_process::clock;
use anyhow::{Context, bail};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use self::calendar::Calendar;
use self::reader::{Range, Reader, State};
use self::summary::{Logs, Report};
use self::visits::Visits;
use super::replay::format::{self, AUTO, Expected};
use super::replay::{bar, found_in, rate};
use super::{Out, Outcome, show, when};
use crate::cli;
use crate::place::Folder;

/// How many lines are read before the bar moves.
const LINES_AT_ONCE: u64 = 20_000;

/// Reads the logs, and writes the report.
///
/// # Errors
/// A log cannot be read, nearly all lines are of another format, or the report cannot be written.
pub fn run(config: &Config, args: &cli::Report, out: Out<'_>) -> anyhow::Result<Outcome> {
    let started = Instant::now();
    let zone = zone(args.time_zone.as_deref())?;
    let range = range(args, &zone)?;
    let items = found_in(&args.paths, None, Order::Oldest)?;
    let terms = config.track.terms()?;
    let name = match args.format.as_str() {
        AUTO => format::detect(&items, &terms)?,
        named => named,
    };
    let spec = Spec { pixel: args.pixel.clone(), ..Spec::new(name) };
    let format =
        Format::of(&spec).map_err(|e| anyhow::anyhow!("--{} cannot be compiled: {}", e.part, e.what))?;
    // Before a long time of reading: it may not be possible to write there.
    let output = args.output.as_deref().map(Output::create).transpose()?;
    let visits = Visits::new(&inputs::temporary_directory());
    let reader = Reader::new(config, range, Calendar::new(zone.clone()), visits)?;
    let mut reading = Reading {
        reader,
        format: &format,
        bar: bar(inputs::total_bytes(&items)),
        started,
        files: Vec::new(),
    };
    for item in &items {
        Expected { format: &format, terms: &terms, any: false }.check(item).with_context(|| item.shown())?;
        reading.item(item)?;
    }
    reading.bar.finish_and_clear();
    let files = std::mem::take(&mut reading.files);
    let State { tally, visits, mut calendar, .. } = reading.reader.finish();
    let mut domains = args.domains.clone();
    if domains.is_empty() {
        domains.extend(tally.own_host());
    }
    let folded = visits.fold(domains.clone(), &mut calendar)?;
    let logs = Logs {
        files,
        format: format.name().to_owned(),
        format_detected: args.format == AUTO,
        time_zone: zone.iana_name().unwrap_or("local time").to_owned(),
        domains,
        read_bytes: inputs::total_bytes(&items),
        seconds: (started.elapsed().as_secs_f64() * 1000.0).round() / 1000.0,
    };
    let report = Report::of(logs, &tally, &folded, &|at| shown(&zone, at));
    if let Some(output) = &output {
        output.write(&page::page(&report))?;
    }
    match (args.json, args.html, &output) {
        (true, ..) => show::json(out, &report)?,
        (_, true, _) => out.write_all(page::page(&report).as_bytes())?,
        (.., Some(output)) => writeln!(out, "written    {}", show::safe(&output.name))?,
        (.., None) => terminal::print(&report, out)?,
    }
    Ok(Outcome::Done)
}

/// The zone of local days: the one that is named, else this machine's.
fn zone(named: Option<&str>) -> anyhow::Result<TimeZone> {
    match named {
        None => Ok(TimeZone::system()),
        Some(name) => TimeZone::get(name).map_err(|_| {
            anyhow::anyhow!("--time-zone: {name} is no time zone: write a name such as Europe/Berlin or UTC")
        }),
    }
}

/// Which hits are wanted.
fn range(args: &cli::Report, zone: &TimeZone) -> anyhow::Result<Range> {
    let range = Range {
        from: when::option_in("--from", args.from.as_deref(), zone)?,
        until: when::option_in("--until", args.until.as_deref(), zone)?,
    };
    if let (Some(from), Some(until)) = (range.from, range.until)
        && from >= until
    {
        bail!("--from is not before --until: no time lies between them");
    }
    Ok(range)
}

/// `2026-01-31 12:00:00`, in the zone.
fn shown(zone: &TimeZone, at: i64) -> String {
    Timestamp::from_microsecond(at).map_or_else(
        |_| at.to_string(),
        |time| time.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string(),
    )
}

/// Where the page is written.
struct Output {
    folder: Folder,
    file: OsString,
    name: String,
}

impl Output {
    /// Opens the directory, so that a mistake is known before a long time of reading.
    fn create(path: &Path) -> anyhow::Result<Output> {
        let name = path.display().to_string();
        let Some(file) = path.file_name() else { bail!("--output {name}: it is no name of a file") };
        let directory = path.parent().unwrap_or(Path::new(""));
        let folder = Folder::make(directory).with_context(|| format!("--output {name}"))?;
        Ok(Output { folder, file: file.to_owned(), name })
    }

    fn write(&self, page: &str) -> anyhow::Result<()> {
        self.folder.write(&self.file, page, 0o644).with_context(|| format!("write {}", self.name))
    }
}

/// Logs that are read one after the other.
struct Reading<'f> {
    reader: Reader,
    format: &'f Format,
    bar: indicatif::ProgressBar,
    started: Instant,
    /// The logs that were read.
    files: Vec<String>,
}

impl Reading<'_> {
    /// Reads a log, or the logs in an archive.
    fn item(&mut self, item: &Item) -> anyhow::Result<()> {
        let mut progress = Progress::default();
        if let Some(mut members) = item.archive(&|| false).with_context(|| item.shown())? {
            loop {
                let from = members.bytes_read();
                let Some(member) = members.advance().with_context(|| item.shown())? else { break };
                let log = member.item.map_err(|why| anyhow::anyhow!("{}: {why}", member.name))?;
                progress.part(from, members.bytes_read(), log.size);
                self.log(&log, &mut progress)?;
            }
        } else {
            self.log(item, &mut progress)?;
        }
        progress.whole();
        self.bar.inc(progress.reach(item.size));
        Ok(())
    }

    /// Reads a log.
    fn log(&mut self, item: &Item, progress: &mut Progress) -> anyhow::Result<()> {
        let read = Arc::new(AtomicU64::new(0));
        let context = || format!("read {}", item.shown());
        let mut stream =
            item.open(Arc::clone(&read)).and_then(|opened| opened.stream()).with_context(context)?;
        let (mut lines, mut next) = (Lines::default(), 0);
        loop {
            let now = clock::now();
            while let Some(line) = lines.next_line() {
                self.reader.line(&line, self.format, now)?;
            }
            if self.reader.lines() >= next {
                next = self.reader.lines() + LINES_AT_ONCE;
                self.bar.inc(progress.reach(read.load(Ordering::Relaxed)));
                let per_second = rate(self.reader.lines(), self.started.elapsed());
                self.bar.set_message(format!("{} lines/s", show::number(per_second)));
            }
            match stream.read(lines.room()) {
                Ok(0) => break,
                Ok(n) => lines.filled(n),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error).with_context(context),
            }
        }
        if let Some(line) = lines.last_line() {
            self.reader.line(&line, self.format, clock::now())?;
        }
        self.files.push(item.shown());
        Ok(())
    }
}
