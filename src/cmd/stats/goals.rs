//! `alt stats goals`: how many visitors reached each goal of an application.

use alt_config::Config;
use alt_statistics::query::{self, Answer, Dimension, Filter, Means, Metric, Query, Tally, condition};
use alt_store::apps::Application;
use alt_store::migrate;
use alt_store::stats::period::Period;
use alt_store::stats::segments;
use alt_store::web::goals;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::field;
use super::filtered::{known, notes, number, parts};
use crate::cli;
use crate::cmd::{Out, Outcome, show};

/// A goal and what reached it.
struct Reached {
    name: String,
    tally: Tally,
}

/// Shows every goal, also those that nobody reached.
///
/// # Errors
/// The database cannot be asked, or the arguments are not correct.
pub(super) async fn run(config: &Config, args: &cli::StatsGoals, out: Out<'_>) -> anyhow::Result<Outcome> {
    let mut reader = crate::cmd::reader(config).await?;
    reader.read(migrate::check_compatible).await?;
    let app = crate::cmd::application(&mut reader, args.app.as_deref()).await?;
    let zone = TimeZone::get(&app.time_zone).unwrap_or(TimeZone::UTC);
    let period = Period::of(&args.period, Timestamp::now().to_zoned(zone).date())?;
    let (goals, stored, behind) = reader
        .read(async |client| {
            let stored = segments::load(client, app.id, period.from, period.until).await?;
            let behind = segments::behind(client, app.id, period.from, period.until).await?;
            Ok((goals::of(client, app.id).await?, stored, behind))
        })
        .await?;
    if goals.is_empty() && !args.json && !args.csv {
        writeln!(out, "{} has no goal: `alt goal add NAME --event TYPE` adds one", show::safe(&app.name))?;
        return Ok(Outcome::Done);
    }
    let filters: Vec<Filter> = args.filter.iter().map(|text| condition(text)).collect::<Result<_, _>>()?;
    let filter = (!filters.is_empty()).then_some(Filter::All(filters));
    known(filter.as_ref(), &goals)?;
    let asked = Query {
        dimension: Dimension::Goal,
        filter,
        classes: vec![args.class.clone()],
        order: Metric::named("visitors"),
        domains: app.domains.clone(),
        goals,
        ..Query::default()
    };
    let answer = query::run(&asked, &parts(&stored), &Means::default())?;
    let visitors = match asked.filter.as_ref().filter(|filter| filter.has_goal()) {
        None => answer.total.counts.visitors,
        Some(filter) => {
            let all = Query { dimension: Dimension::Total, filter: filter.without_goals(), ..asked.clone() };
            query::run(&all, &parts(&stored), &Means::default())?.total.counts.visitors
        }
    };
    let notes = notes(&answer, &behind);
    let reached = with_all(answer, &asked);
    match (args.json, args.csv) {
        (true, _) => show::json(out, &as_json(&app, args, &period, visitors, &reached, &notes))?,
        (false, true) => csv(&reached, visitors, out)?,
        (false, false) => print(&reached, visitors, &notes, out)?,
    }
    Ok(Outcome::Done)
}

/// The goals that somebody reached, and behind them all others.
fn with_all(answer: Answer, asked: &Query) -> Vec<Reached> {
    let mut reached: Vec<Reached> =
        answer.rows.into_iter().map(|row| Reached { name: row.value, tally: row.tally }).collect();
    for goal in &asked.goals {
        if !reached.iter().any(|one| one.name == goal.name) {
            reached.push(Reached { name: goal.name.clone(), tally: Tally::default() });
        }
    }
    reached
}

/// The share of the visitors who reached a goal.
#[allow(clippy::cast_precision_loss)] // shown
fn rate(tally: &Tally, visitors: u64) -> Option<f64> {
    (visitors > 0).then(|| tally.counts.visitors as f64 / visitors as f64)
}

fn print(reached: &[Reached], visitors: u64, notes: &[String], out: Out<'_>) -> anyhow::Result<()> {
    let mut rows = show::Rows::new(&["goal", ">visitors", ">of all", ">sessions", ">events"]);
    for one in reached {
        let counts = &one.tally.counts;
        let share = rate(&one.tally, visitors).map(|rate| format!("{:.1} %", rate * 100.0));
        rows.add(&[
            one.name.clone(),
            number(counts.visitors),
            share.unwrap_or_default(),
            number(counts.sessions),
            number(counts.events),
        ]);
    }
    rows.print(out)?;
    writeln!(out, "of {} visitors", number(visitors))?;
    for note in notes {
        writeln!(out, "{note}")?;
    }
    Ok(())
}

fn as_json(
    app: &Application,
    args: &cli::StatsGoals,
    period: &Period,
    visitors: u64,
    reached: &[Reached],
    notes: &[String],
) -> Value {
    let row = |one: &Reached| {
        let counts = &one.tally.counts;
        json!({
            "goal": one.name, "events": counts.events, "page_views": counts.page_views, "visitors": counts.visitors,
            "sessions": counts.sessions, "conversion_rate": rate(&one.tally, visitors),
        })
    };
    json!({
        "application": app.name,
        "key": app.key,
        "time_zone": app.time_zone,
        "class": args.class,
        "from": period.from.to_string(),
        "until": period.until.to_string(),
        "visitors": visitors,
        "goals": reached.iter().map(row).collect::<Vec<Value>>(),
        "notes": notes,
    })
}

/// One line for each goal.
fn csv(reached: &[Reached], visitors: u64, out: Out<'_>) -> anyhow::Result<()> {
    writeln!(out, "goal,events,page_views,visitors,sessions,of_visitors")?;
    for one in reached {
        let c = &one.tally.counts;
        let name = field(&one.name);
        writeln!(out, "{name},{},{},{},{},{visitors}", c.events, c.page_views, c.visitors, c.sessions)?;
    }
    Ok(())
}
