//! `alt stats people`: people by when they came first, and how many of them came back.

use std::fmt::Write as _;

use alt_config::Config;
use alt_statistics::query::{self, Dimension, Means, Retention};
use alt_store::stats::period::{Dates, Every, Period};
use alt_web::retention::{OF_BOUNCES, Periods};
use anyhow::{Context, anyhow};

use super::asked::{Asked, number, percent};
use super::filtered::notes;
use crate::cli;
use crate::cmd::{Out, Outcome, show};

/// Columns of a table that fits into a terminal.
const COLUMNS: usize = 12;

/// Shows cohorts.
///
/// # Errors
/// The database cannot be asked, or the arguments are not correct.
pub(super) async fn run(config: &Config, args: &cli::StatsPeople, out: Out<'_>) -> anyhow::Result<Outcome> {
    let every = match args.by {
        cli::By::Day => Every::Day,
        cli::By::Week => Every::Week,
        cli::By::Month => Every::Month,
    };
    let mut periods = None;
    let days = |today| {
        let all = Periods::of(every, args.period.as_deref(), today).map_err(|why| anyhow!(why))?;
        let Dates { from, until } = periods.insert(all).days();
        Period::of(&format!("{from}..{until}"), today)
    };
    let of = Asked::of(config, args.app.as_deref(), &args.class, &args.filter, days).await?;
    let periods = periods.context("the application has days")?;
    let asked = periods.question(of.question(Dimension::Period));
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(4);
    let mut answer = query::run(&asked, &of.parts(), &Means { threads, ..Means::default() })?;
    answer.notes.retain(|note| *note != OF_BOUNCES);
    let found = periods.retention(&answer);
    let mut notes = notes(&answer, &of.behind);
    if found.people == 0 && args.filter.is_empty() {
        notes.insert(0, NOBODY.to_owned());
    }
    match (args.json, args.csv) {
        (true, _) => {
            let mut shown = of.head();
            let told = periods.json(&found);
            for (name, value) in told.as_object().into_iter().flatten() {
                shown[name] = value.clone();
            }
            shown["left_out"] = serde_json::json!(answer.left_out);
            shown["notes"] = serde_json::json!(notes);
            show::json(out, &shown)?;
        }
        (false, true) => write!(out, "{}", periods.csv(&found))?,
        (false, false) => print(&periods, &found, &notes, out)?,
    }
    Ok(Outcome::Done)
}

/// What is told where nobody is known.
const NOBODY: &str =
    "nobody is known: the site's pages have to send user_id (`alt({ user_id: \"u7\" })`, docs/BEACON.md)";

fn print(periods: &Periods, found: &Retention, notes: &[String], out: Out<'_>) -> anyhow::Result<()> {
    // Not the time before anybody was known.
    if let Some(first) = found.periods.iter().position(|stay| stay.people > 0) {
        cohorts(periods, found, first, out)?;
    }
    for note in notes {
        writeln!(out, "{note}")?;
    }
    Ok(())
}

/// The cohorts from one on; of many, the last ones.
fn cohorts(periods: &Periods, found: &Retention, first: usize, out: Out<'_>) -> anyhow::Result<()> {
    let (count, every) = (periods.all.len(), periods.every.name());
    let from = first.max(count.saturating_sub(COLUMNS));
    let mut heads: Vec<String> = ["", ">people", ">new", ">back", ">gone"].map(str::to_owned).to_vec();
    heads.extend((1..count - from).map(|after| format!(">+{after}")));
    let heads: Vec<&str> = heads.iter().map(String::as_str).collect();
    let mut rows = show::Rows::new(&heads);
    let all = periods.all.iter().zip(&found.periods).zip(&found.cohorts).enumerate();
    for (place, ((of, stay), cohort)) in all.skip(from) {
        let is_whole = periods.is_whole(of);
        let mark = |is_whole: bool| if is_whole { "" } else { " *" };
        let mut row = vec![format!("{}{}", of.from, mark(is_whole))];
        row.extend([stay.people, stay.new, stay.returning].map(number));
        // Whoever is not there yet may still come.
        row.push(if is_whole { number(stay.churned) } else { "–".to_owned() });
        row.extend((1..count - from).map(|after| {
            let share = |came: &u64| {
                let is_whole = periods.all.get(place + after).is_some_and(|then| periods.is_whole(then));
                format!("{}{}", percent(*came, stay.new), mark(is_whole))
            };
            cohort.get(after).map_or(String::new(), share)
        }));
        rows.add(&row);
    }
    rows.print(out)?;
    let mut line = format!("{} people in {count} {every}s", number(found.people));
    if from > first {
        let _ = write!(line, ", of which the last {COLUMNS} are shown: --csv and --json have all");
    }
    writeln!(out, "{line}")?;
    writeln!(
        out,
        "+1: of those who were new, who was there a {every} later; gone: who was there in the {every} before, and not in this one"
    )?;
    if periods.all.iter().any(|of| !periods.is_whole(of)) {
        writeln!(out, "*: not a whole {every}: more may come, and who is gone is not known yet")?;
    }
    Ok(())
}
