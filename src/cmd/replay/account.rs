//! The outcome of the files and lines of a replay, for people and as JSON.

use std::collections::BTreeMap;
use std::time::Duration;

use alt_line::detect;
use alt_line::hit::{NonHit, Reason};
use alt_line::parse::Spec;
use alt_process::metrics::Totals;
use anyhow::bail;
use serde::Serialize;

use super::format::AUTO;
use super::rate;
use crate::cli;
use crate::cmd::{Out, Outcome, show};

/// How many files that were loaded with other options are named.
const OTHERWISE_NAMED: usize = 20;

/// The outcome of the files.
#[derive(Default)]
pub(super) struct Results {
    /// Logs that were in archives.
    pub(super) members: usize,
    /// Archives that were read to their end. Their members count as files; the archives do not.
    pub(super) archives: usize,
    /// Objects that were not fetched because all of them is loaded.
    pub(super) skipped: usize,
    /// Objects that were not fetched because they hold nothing of the requested time.
    pub(super) outside: usize,
    pub(super) loaded: usize,
    /// Files that were loaded before: their keys, and their current names.
    pub(super) known: Vec<(i32, String)>,
    pub(super) empty: usize,
    pub(super) shorter: Vec<String>,
    pub(super) growing: Vec<String>,
    pub(super) failed: Vec<(String, String)>,
}

/// The outcome of a file.
pub(super) enum Loaded {
    All,
    /// All of it was loaded before: the key of its file.
    Before(i32),
    Nothing,
    /// Shorter than what is loaded of it; perhaps a copy in progress.
    Shorter,
    /// Loaded except for a last line without a newline, which may still be completed.
    Growing,
}

impl Results {
    pub(super) fn note(&mut self, name: String, outcome: Result<Loaded, String>) {
        match outcome {
            Ok(Loaded::All) => self.loaded += 1,
            Ok(Loaded::Before(file_id)) => self.known.push((file_id, name)),
            Ok(Loaded::Nothing) => self.empty += 1,
            Ok(Loaded::Shorter) => self.shorter.push(name),
            Ok(Loaded::Growing) => self.growing.push(name),
            Err(why) => self.failed.push((name, why)),
        }
    }

    /// The outcome of a replay of this number of files, as far as the files decide it.
    ///
    /// # Errors
    /// Some files were not read to their end.
    pub(super) fn outcome(&self, files: usize) -> anyhow::Result<Outcome> {
        match (self.failed.len(), self.growing.len() + self.shorter.len()) {
            (0, 0) => Ok(Outcome::Done),
            (0, n) => {
                bail!("{n} of {files} files may still be written to: run again when they stand still")
            }
            (n, _) => bail!("{n} of {files} files could not be read to their end"),
        }
    }
}

/// The account of a replay: `lines` = `rows` + `non_hits` + `rejects` + `already_loaded` + `filtered`.
#[derive(Serialize)]
pub(super) struct Replayed {
    dry_run: bool,
    format: String,
    /// The first lines decided on the format.
    format_detected: bool,
    files: usize,
    files_loaded: usize,
    files_loaded_before: usize,
    files_outside: usize,
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
    /// Keys of its applications whose newest rows are requests, and no page view.
    apps_with_requests_alone: Vec<String>,
}

fn non_hit(kind: NonHit) -> String {
    match kind {
        NonHit::Status(status) => format!("status {status}"),
        kind => kind.phrase().to_owned(),
    }
}

impl Replayed {
    /// The account of a replay, from its number of files and its duration.
    pub(super) fn of(
        spec: &Spec,
        args: &cli::Replay,
        files: usize,
        results: &Results,
        otherwise: BTreeMap<String, Vec<&'static str>>,
        totals: &Totals,
        time: Duration,
    ) -> Replayed {
        Replayed {
            dry_run: args.dry_run,
            format: spec.format.clone(),
            format_detected: args.format == AUTO,
            files,
            files_loaded: results.loaded,
            files_loaded_before: results.known.len() + results.skipped,
            files_outside: results.outside,
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
            apps_with_requests_alone: Vec::new(),
        }
    }

    /// Whether rows were written.
    pub(super) fn has_rows(&self) -> bool {
        self.rows > 0 && !self.dry_run
    }

    /// The applications whose newest rows are requests, and no page view.
    pub(super) fn without_page_views(&mut self, keys: Vec<String>) {
        self.apps_with_requests_alone = keys;
    }

    /// Lines that are not written in the format.
    fn shapeless(&self) -> u64 {
        let of_the_form = Reason::ALL.iter().filter(|reason| reason.is_of_the_form());
        of_the_form.filter_map(|reason| self.rejects.get(reason.as_str())).sum()
    }

    /// Nearly all of many lines are not written in the format.
    pub(super) fn is_of_another_format(&self) -> bool {
        detect::is_another(self.lines, self.lines.saturating_sub(self.shapeless()))
    }

    /// The number of files for each outcome. `some`: only some lines are wanted.
    fn print_counts(&self, some: bool, out: Out<'_>) -> anyhow::Result<()> {
        let mut files = match some {
            true => format!("{} read, none counts as loaded by that", self.files_loaded),
            false => format!("{} loaded, {} loaded before", self.files_loaded, self.files_loaded_before),
        };
        if self.files_empty > 0 {
            files += &format!(", {} without a line", self.files_empty);
        }
        if self.files_outside > 0 {
            files += &format!("; {} hold nothing of that time", self.files_outside);
        }
        let seen = self.files_loaded + self.files_loaded_before + self.files_empty;
        let left = self.files.saturating_sub(seen);
        if left > 0 {
            files += &format!(", {left} not to the end");
        }
        writeln!(out, "files           {files}")?;
        Ok(())
    }

    /// The files that a person should know about.
    fn print_files(&self, out: Out<'_>) -> anyhow::Result<()> {
        for (name, options) in self.files_loaded_otherwise.iter().take(OTHERWISE_NAMED) {
            let options = options.join(" and ");
            writeln!(out, "                {}: loaded before with another {options}", show::safe(name))?;
        }
        if let Some(more @ 1..) = self.files_loaded_otherwise.len().checked_sub(OTHERWISE_NAMED) {
            writeln!(out, "                and {more} more that were loaded with other options")?;
        }
        for name in &self.files_shorter_than_loaded {
            writeln!(
                out,
                "                {}: shorter than what is loaded of it, and written to just now: left alone",
                show::safe(name)
            )?;
        }
        for name in &self.files_not_ended {
            writeln!(
                out,
                "                {}: its last line has no newline, and it was written to just now",
                show::safe(name)
            )?;
        }
        for (name, error) in &self.files_failed {
            writeln!(out, "                {}: {}", show::safe(name), show::safe(error))?;
        }
        Ok(())
    }

    /// The number of lines for each outcome.
    fn print_lines(&self, out: Out<'_>) -> anyhow::Result<()> {
        let number = |n: u64| show::number(i64::try_from(n).unwrap_or(i64::MAX));
        writeln!(out, "lines           {}", number(self.lines))?;
        writeln!(out, "rows            {} ({}/s)", number(self.rows), show::number(self.rows_per_second))?;
        writeln!(out, "already loaded  {}", number(self.already_loaded))?;
        if self.filtered > 0 {
            writeln!(out, "filtered out    {}", number(self.filtered))?;
        }
        for (kind, lines) in &self.non_hits {
            writeln!(out, "non-hits        {} ({kind})", number(*lines))?;
        }
        for (reason, lines) in &self.rejects {
            writeln!(out, "rejects         {} ({reason})", number(*lines))?;
        }
        Ok(())
    }

    /// What may have been a mistake.
    fn print_hints(&self, args: &cli::Replay, out: Out<'_>) -> anyhow::Result<()> {
        if self.shapeless() > self.lines / 2 {
            writeln!(
                out,
                "\nMost lines are not of the format {}. Where it is the wrong one: `alt unload` these files, and say the \
                 right one (--format).",
                show::safe(&self.format)
            )?;
        }
        if args.pixel.is_some() && args.status.is_none() && self.rows > 0 {
            writeln!(
                out,
                "\nRequests that were answered 4xx or 5xx are events, too (`status` of the row). To leave them out: \
                 --status 2xx,304."
            )?;
        }
        if let [first, more @ ..] = &*self.apps_with_requests_alone {
            let others = if more.is_empty() { "" } else { ", and the same for the other applications" };
            writeln!(
                out,
                "\nRequests are no page views of statistics. To count those for pages: alt app page-views {first} requests{others}."
            )?;
        }
        if !self.files_loaded_otherwise.is_empty() {
            writeln!(
                out,
                "\nWhat was loaded with other options counts as loaded: to load it anew, `alt unload` it first. --again \
                 leaves the rows of then where they are."
            )?;
        }
        Ok(())
    }
}

/// Prints the account.
pub(super) fn summary(account: &Replayed, args: &cli::Replay, out: Out<'_>) -> anyhow::Result<()> {
    if args.json {
        return show::json(out, account);
    }
    if args.dry_run {
        writeln!(out, "Nothing was written. A replay would do this:")?;
    }
    let some =
        args.since.is_some() || args.until.is_some() || args.pattern.is_some() || !args.only_app.is_empty();
    if account.format_detected {
        writeln!(out, "format          {} (by the first lines, as --format names none)", account.format)?;
    }
    account.print_counts(some, out)?;
    account.print_files(out)?;
    account.print_lines(out)?;
    account.print_hints(args, out)
}
