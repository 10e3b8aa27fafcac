//! `alt stats funnel`: how many visitors took one step after the other.

use alt_config::Config;
use alt_statistics::query::{self, Answer, Dimension, Funnel, Means, Query, Within};
use anyhow::anyhow;
use serde_json::{Value, json};

use super::asked::{Asked, number, percent};
use super::field;
use super::filtered::notes;
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
    let of = Asked::read(config, &args.of, &args.filter).await?;
    let texts: Vec<&str> = args.steps.iter().map(String::as_str).collect();
    let within = match args.within {
        cli::Within::Session => Within::Session,
        cli::Within::Day => Within::Day,
    };
    let funnel = Funnel::read(&texts, within, args.strict, &of.goals).map_err(|why| anyhow!(why))?;
    let asked = Query { funnel: Some(funnel), ..of.question(Dimension::Funnel) };
    let answer = query::run(&asked, &of.parts(), &Means::default())?;
    let steps = steps(&texts, &answer);
    let notes = notes(&answer, &of.behind);
    let visitors = answer.total.counts.visitors;
    match (args.json, args.csv) {
        (true, _) => show::json(out, &as_json(&of, args, visitors, &steps, &notes))?,
        (false, true) => csv(&steps, out)?,
        (false, false) => print(args, &steps, visitors, &notes, out)?,
    }
    Ok(Outcome::Done)
}

/// All steps, also those that nobody reached.
fn steps<'a>(texts: &[&'a str], answer: &Answer) -> Vec<Step<'a>> {
    let step = |(n, text): (usize, &&'a str)| {
        let name = (n + 1).to_string();
        let counts =
            answer.rows.iter().find(|row| row.value == name).map(|row| row.tally.counts).unwrap_or_default();
        Step { text, visitors: counts.visitors, sessions: counts.sessions }
    };
    texts.iter().enumerate().map(step).collect()
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
    of: &Asked,
    args: &cli::StatsFunnel,
    visitors: u64,
    steps: &[Step<'_>],
    notes: &[String],
) -> Value {
    let is_of_sessions = matches!(args.within, cli::Within::Session);
    let step = |step: &Step<'_>| {
        let sessions = is_of_sessions.then_some(step.sessions);
        json!({ "step": step.text, "visitors": step.visitors, "sessions": sessions })
    };
    let mut shown = of.head();
    shown["within"] = json!(if is_of_sessions { "session" } else { "day" });
    shown["strict"] = json!(args.strict);
    shown["visitors"] = json!(visitors);
    shown["steps"] = steps.iter().map(step).collect();
    shown["notes"] = json!(notes);
    shown
}

/// One line for each step.
fn csv(steps: &[Step<'_>], out: Out<'_>) -> anyhow::Result<()> {
    writeln!(out, "step,visitors,sessions")?;
    for step in steps {
        writeln!(out, "{},{},{}", field(step.text), step.visitors, step.sessions)?;
    }
    Ok(())
}
