//! `alt stats journey`: which pages visitors come from and go to within a session, of one page.

use alt_config::Config;
use alt_statistics::query::{self, Answer, Dimension, Filter, Means, Metric, Query, Test};
use serde_json::{Value, json};

use super::asked::{Asked, number};
use super::field;
use super::filtered::notes;
use crate::cli;
use crate::cmd::{Out, Outcome, show};

/// What is shown of a page: the pages before it, and those after.
const SIDES: [(&str, Dimension); 2] = [("before", Dimension::PreviousPage), ("after", Dimension::NextPage)];

/// Shows both sides of a page.
///
/// # Errors
/// The database cannot be asked, or the arguments are not correct.
pub(super) async fn run(config: &Config, args: &cli::StatsJourney, out: Out<'_>) -> anyhow::Result<Outcome> {
    let of = Asked::read(config, &args.of, &args.filter).await?;
    let page = Filter::On(Dimension::Page, Test::Is(vec![args.page.clone()]));
    let filter = Filter::All(of.filter.iter().cloned().chain([page]).collect());
    let mut sides = Vec::new();
    for (name, dimension) in SIDES {
        let asked = Query {
            filter: Some(filter.clone()),
            order: Metric::named("page_views"),
            limit: args.limit,
            ..of.question(dimension)
        };
        sides.push((name, query::run(&asked, &of.parts(), &Means::default())?));
    }
    let notes = sides.first().map(|(_, answer)| notes(answer, &of.behind)).unwrap_or_default();
    match (args.json, args.csv) {
        (true, _) => show::json(out, &as_json(&of, args, &sides, &notes))?,
        (false, true) => csv(&sides, out)?,
        (false, false) => {
            print(&sides, out)?;
            for note in notes {
                writeln!(out, "{note}")?;
            }
        }
    }
    Ok(Outcome::Done)
}

fn print(sides: &[(&str, Answer)], out: Out<'_>) -> anyhow::Result<()> {
    for (name, answer) in sides {
        let mut rows = show::Rows::new(&[name, ">page views", ">visitors", ">sessions"]);
        for row in &answer.rows {
            let counts = &row.tally.counts;
            rows.add(&[
                if row.value.is_empty() { "(none)".to_owned() } else { row.value.clone() },
                number(counts.page_views),
                number(counts.visitors),
                number(counts.sessions),
            ]);
        }
        rows.print(out)?;
        if let Some(shown) = answer.next {
            writeln!(out, "{shown} of {} pages: --limit shows more", answer.count)?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn as_json(of: &Asked, args: &cli::StatsJourney, sides: &[(&str, Answer)], notes: &[String]) -> Value {
    let row = |row: &query::Row| {
        let counts = &row.tally.counts;
        json!({
            "page": row.value, "page_views": counts.page_views, "visitors": counts.visitors, "sessions": counts.sessions,
        })
    };
    let mut shown = of.head();
    shown["page"] = json!(args.page);
    shown["notes"] = json!(notes);
    for (name, answer) in sides {
        shown[*name] = answer.rows.iter().map(row).collect();
    }
    shown
}

/// One line for each page of a side.
fn csv(sides: &[(&str, Answer)], out: Out<'_>) -> anyhow::Result<()> {
    writeln!(out, "side,page,page_views,visitors,sessions")?;
    for (name, answer) in sides {
        for row in &answer.rows {
            let c = &row.tally.counts;
            writeln!(out, "{name},{},{},{},{}", field(&row.value), c.page_views, c.visitors, c.sessions)?;
        }
    }
    Ok(())
}
