//! `alt stats funnel`: how many visitors took one step after the other.

use alt_config::Config;
use alt_statistics::query::{self, Answer, Dimension, Filter, Funnel, Means, Query, Within, condition};
use alt_store::apps::Application;
use alt_store::migrate;
use alt_store::stats::period::Period;
use alt_store::stats::segments;
use alt_store::web::goals;
use anyhow::anyhow;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::field;
use super::filtered::{known, notes, number, parts};
use crate::cli;
use crate::cmd::{Out, Outcome, show};

/// A step, and who came so far.
struct Step<'a> {
    text: &'a str,
    visitors: u64,
    sessions: u64,
}

/// Shows every step.
///
/// # Errors
/// The database cannot be asked, or the arguments are not correct.
pub(super) async fn run(config: &Config, args: &cli::StatsFunnel, out: Out<'_>) -> anyhow::Result<Outcome> {
    let mut reader = crate::cmd::reader(config).await?;
    reader.read(migrate::check_compatible).await?;
    let app = crate::cmd::application(&mut reader, args.app.as_deref()).await?;
    let zone = TimeZone::get(&app.time_zone).unwrap_or(TimeZone::UTC);
    let period = Period::of(&args.period, Timestamp::now().to_zoned(zone).date())?;
    let goals = reader.read(async |client| goals::of(client, app.id).await).await?;
    let texts: Vec<&str> = args.steps.iter().map(String::as_str).collect();
    let within = match args.within {
        cli::Within::Session => Within::Session,
        cli::Within::Day => Within::Day,
    };
    let funnel = Funnel::read(&texts, within, args.strict, &goals).map_err(|why| anyhow!(why))?;
    let filters: Vec<Filter> = args.filter.iter().map(|text| condition(text)).collect::<Result<_, _>>()?;
    let filter = (!filters.is_empty()).then_some(Filter::All(filters));
    known(filter.as_ref(), &goals)?;
    let asked = Query {
        dimension: Dimension::Funnel,
        filter,
        classes: vec![args.class.clone()],
        domains: app.domains.clone(),
        goals,
        funnel: Some(funnel),
        ..Query::default()
    };
    let (stored, behind) = reader
        .read(async |client| {
            let stored = segments::load(client, app.id, period.from, period.until).await?;
            Ok((stored, segments::behind(client, app.id, period.from, period.until).await?))
        })
        .await?;
    let answer = query::run(&asked, &parts(&stored), &Means::default())?;
    let steps = steps(&texts, &answer);
    let notes = notes(&answer, &behind);
    let visitors = answer.total.counts.visitors;
    match (args.json, args.csv) {
        (true, _) => show::json(out, &as_json(&app, args, &period, visitors, &steps, &notes))?,
        (false, true) => csv(&steps, out)?,
        (false, false) => print(args, &steps, visitors, &notes, out)?,
    }
    Ok(Outcome::Done)
}

/// All steps, also those that nobody reached.
fn steps<'a>(texts: &[&'a str], answer: &Answer) -> Vec<Step<'a>> {
    let step = |(n, text): (usize, &&'a str)| {
        let name = (n + 1).to_string();
        let tally = answer.rows.iter().find(|row| row.value == name).map(|row| row.tally).unwrap_or_default();
        Step { text, visitors: tally.counts.visitors, sessions: tally.counts.sessions }
    };
    texts.iter().enumerate().map(step).collect()
}

#[allow(clippy::cast_precision_loss)] // shown
fn share(part: u64, of: u64) -> Option<f64> {
    (of > 0).then(|| part as f64 / of as f64)
}

fn percent(part: u64, of: u64) -> String {
    share(part, of).map(|share| format!("{:.1} %", share * 100.0)).unwrap_or_default()
}

fn print(
    args: &cli::StatsFunnel,
    steps: &[Step<'_>],
    visitors: u64,
    notes: &[String],
    out: Out<'_>,
) -> anyhow::Result<()> {
    let is_of_sessions = matches!(args.within, cli::Within::Session);
    let mut heads = vec!["step", ">visitors", ">of the step before", ">of the first"];
    heads.extend(is_of_sessions.then_some(">sessions"));
    let mut rows = show::Rows::new(&heads);
    let first = steps.first().map_or(0, |step| step.visitors);
    let mut before = visitors;
    for step in steps {
        let mut row = vec![
            step.text.to_owned(),
            number(step.visitors),
            percent(step.visitors, before),
            percent(step.visitors, first),
        ];
        row.extend(is_of_sessions.then(|| number(step.sessions)));
        rows.add(&row);
        before = step.visitors;
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
    args: &cli::StatsFunnel,
    period: &Period,
    visitors: u64,
    steps: &[Step<'_>],
    notes: &[String],
) -> Value {
    let is_of_sessions = matches!(args.within, cli::Within::Session);
    let step = |step: &Step<'_>| {
        let sessions = is_of_sessions.then_some(step.sessions);
        json!({ "step": step.text, "visitors": step.visitors, "sessions": sessions })
    };
    json!({
        "application": app.name,
        "key": app.key,
        "time_zone": app.time_zone,
        "class": args.class,
        "from": period.from.to_string(),
        "until": period.until.to_string(),
        "within": if is_of_sessions { "session" } else { "day" },
        "strict": args.strict,
        "visitors": visitors,
        "steps": steps.iter().map(step).collect::<Vec<Value>>(),
        "notes": notes,
    })
}

/// One line for each step.
fn csv(steps: &[Step<'_>], out: Out<'_>) -> anyhow::Result<()> {
    writeln!(out, "step,visitors,sessions")?;
    for step in steps {
        writeln!(out, "{},{},{}", field(step.text), step.visitors, step.sessions)?;
    }
    Ok(())
}
