//! `alt stats journey`: which pages visitors come from and go to within a session, of one page.

use alt_config::Config;
use alt_statistics::query::{self, Answer, Dimension, Filter, Means, Metric, Query, Test, condition};
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

/// What is shown of a page: the pages before it, and those after.
const SIDES: [(&str, Dimension); 2] = [("before", Dimension::PreviousPage), ("after", Dimension::NextPage)];

/// Shows both sides of a page.
///
/// # Errors
/// The database cannot be asked, or the arguments are not correct.
pub(super) async fn run(config: &Config, args: &cli::StatsJourney, out: Out<'_>) -> anyhow::Result<Outcome> {
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
    let mut filters: Vec<Filter> =
        args.filter.iter().map(|text| condition(text)).collect::<Result<_, _>>()?;
    filters.push(Filter::On(Dimension::Page, Test::Is(vec![args.page.clone()])));
    let filter = Filter::All(filters);
    known(Some(&filter), &goals)?;
    let mut sides = Vec::new();
    for (name, dimension) in SIDES {
        let asked = Query {
            dimension,
            filter: Some(filter.clone()),
            classes: vec![args.class.clone()],
            order: Metric::named("page_views"),
            limit: args.limit,
            domains: app.domains.clone(),
            goals: goals.clone(),
            ..Query::default()
        };
        sides.push((name, query::run(&asked, &parts(&stored), &Means::default())?));
    }
    match (args.json, args.csv) {
        (true, _) => show::json(out, &as_json(&app, args, &period, &sides))?,
        (false, true) => csv(&sides, out)?,
        (false, false) => {
            print(&sides, out)?;
            for note in sides.first().map(|(_, answer)| notes(answer, &behind)).unwrap_or_default() {
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

fn as_json(app: &Application, args: &cli::StatsJourney, period: &Period, sides: &[(&str, Answer)]) -> Value {
    let row = |row: &query::Row| {
        let counts = &row.tally.counts;
        json!({
            "page": row.value, "page_views": counts.page_views, "visitors": counts.visitors, "sessions": counts.sessions,
        })
    };
    let mut shown = json!({
        "application": app.name,
        "key": app.key,
        "time_zone": app.time_zone,
        "class": args.class,
        "from": period.from.to_string(),
        "until": period.until.to_string(),
        "page": args.page,
    });
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
