//! `alt stats goals`: how many visitors reached each goal of an application.

use alt_config::Config;
use alt_statistics::query::{self, Answer, Dimension, Means, Metric, Query, Tally};
use alt_web::amounts;
use serde_json::{Value, json};

use super::asked::{Asked, number, percent, share};
use super::field;
use super::filtered::notes;
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
    let of = Asked::read(config, &args.of, &args.filter).await?;
    if of.goals.is_empty() && !args.json && !args.csv {
        writeln!(out, "{} has no goal: `alt goal add NAME --event TYPE` adds one", show::safe(&of.app.name))?;
        return Ok(Outcome::Done);
    }
    let order = Metric::named("visitors");
    let asked = Query { order, has_amounts: true, ..of.question(Dimension::Goal) };
    let answer = query::run(&asked, &of.parts(), &Means::default())?;
    let visitors = match asked.filter.as_ref().filter(|filter| filter.has_goal()) {
        None => answer.total.counts.visitors,
        Some(filter) => {
            let all = Query { dimension: Dimension::Total, filter: filter.without_goals(), ..asked.clone() };
            query::run(&all, &of.parts(), &Means::default())?.total.counts.visitors
        }
    };
    let notes = notes(&answer, &of.behind);
    let reached = with_all(answer, &asked);
    match (args.json, args.csv) {
        (true, _) => show::json(out, &as_json(&of, visitors, &reached, &notes))?,
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

fn print(reached: &[Reached], visitors: u64, notes: &[String], out: Out<'_>) -> anyhow::Result<()> {
    let revenue = |one: &Reached| one.tally.amounts.as_deref().map(amounts::revenue).unwrap_or_default();
    let has_revenue = reached.iter().any(|one| !revenue(one).is_empty());
    let mut heads = vec!["goal", ">visitors", ">of all", ">sessions", ">events"];
    heads.extend(has_revenue.then_some(">revenue"));
    let mut rows = show::Rows::new(&heads);
    for one in reached {
        let counts = &one.tally.counts;
        let mut row = vec![
            one.name.clone(),
            number(counts.visitors),
            percent(counts.visitors, visitors),
            number(counts.sessions),
            number(counts.events),
        ];
        row.extend(has_revenue.then(|| revenue(one)));
        rows.add(&row);
    }
    rows.print(out)?;
    writeln!(out, "of {} visitors", number(visitors))?;
    for note in notes {
        writeln!(out, "{note}")?;
    }
    Ok(())
}

fn as_json(of: &Asked, visitors: u64, reached: &[Reached], notes: &[String]) -> Value {
    let row = |one: &Reached| {
        let counts = &one.tally.counts;
        json!({
            "goal": one.name, "events": counts.events, "page_views": counts.page_views, "visitors": counts.visitors,
            "sessions": counts.sessions, "conversion_rate": share(counts.visitors, visitors),
            "amounts": amounts::json(&one.tally),
        })
    };
    let mut shown = of.head();
    shown["visitors"] = json!(visitors);
    shown["goals"] = reached.iter().map(row).collect();
    shown["notes"] = json!(notes);
    shown
}

/// One line for each goal.
fn csv(reached: &[Reached], visitors: u64, out: Out<'_>) -> anyhow::Result<()> {
    writeln!(out, "goal,events,page_views,visitors,sessions,of_visitors,revenue")?;
    for one in reached {
        let c = &one.tally.counts;
        let name = field(&one.name);
        let revenue = one.tally.amounts.as_deref().map(amounts::revenue).unwrap_or_default();
        writeln!(
            out,
            "{name},{},{},{},{},{visitors},{revenue}",
            c.events, c.page_views, c.visitors, c.sessions
        )?;
    }
    Ok(())
}
