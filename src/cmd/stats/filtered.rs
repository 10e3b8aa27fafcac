//! `alt stats --filter`, `--dimension`, `--interval`, `--compare`: questions to the segments of days.

use std::fmt::Write as _;

use alt_statistics::day::COUNTS;
use alt_statistics::query::{
    self, Answer, Dimension, Filter, Goal, Means, Metric, Note, Property, Query, Row, Tally,
};
use alt_store::apps::Application;
use alt_store::read::Reader;
use alt_store::stats::period::{Dates, Earlier, Period};
use alt_store::stats::segments::{self, Behind};
use alt_store::web::goals;
use alt_web::amounts;
use anyhow::{Context, bail};
use serde_json::{Value, json};

use super::asked::{all, known, number, parts};
use super::field;
use crate::cli;
use crate::cmd::{Out, show};

/// Whether a question to the segments is asked.
pub(super) fn is_asked(args: &cli::StatsShow) -> bool {
    let is_cut = !args.filter.is_empty() || args.dimension.is_some() || args.interval.is_some();
    is_cut || args.compare.is_some() || args.people || args.sum.is_some()
}

/// What the arguments ask for.
fn question(
    args: &cli::StatsShow,
    app: &Application,
    goals: Vec<Goal>,
    filter: Option<Filter>,
) -> anyhow::Result<Query> {
    let dimension = match (&args.interval, &args.dimension) {
        (Some(cli::Interval::Day), _) => Dimension::Day,
        (Some(cli::Interval::Hour), _) => Dimension::HourOfDay,
        (Some(cli::Interval::Minute), _) => Dimension::MinuteOfDay,
        (None, Some(name)) => Dimension::named(name)
            .with_context(|| format!("{name:?} is no dimension: write one of {}", Dimension::names()))?,
        (None, None) => Dimension::Total,
    };
    known(filter.as_ref(), &goals)?;
    let sum_of = args.sum.as_deref().map(|name| {
        Property::named(name)
            .with_context(|| format!("{name:?} is no property: `alt app properties` shows them"))
    });
    Ok(Query {
        dimension,
        filter,
        classes: vec![args.class.clone()],
        order: if args.interval.is_some() { None } else { Metric::named(args.order.unwrap_or("visitors")) },
        limit: args.limit,
        after: 0,
        domains: app.domains.clone(),
        goals,
        funnel: None,
        has_amounts: true,
        sum_of: sum_of.transpose()?,
        has_people: args.people,
        bound: None,
        ..Query::default()
    })
}

/// Answers a question of a period, compared with the days before it, and shows it.
pub(super) async fn answer(
    reader: &mut Reader,
    app: &Application,
    args: &cli::StatsShow,
    period: &Period,
    out: Out<'_>,
) -> anyhow::Result<()> {
    let (goals, filter) = reader
        .read(async |client| Ok((goals::of(client, app.id).await?, all(client, app, &args.filter).await?)))
        .await?;
    let question = question(args, app, goals, filter)?;
    if args.compare.is_some() && args.interval.is_some() {
        bail!("--compare compares values, and no two times have the same days: leave out --interval");
    }
    let before = args.compare.map(|compared| {
        let earlier = match compared {
            cli::Compared::Previous => Earlier::Previous,
            cli::Compared::Week => Earlier::Week,
            cli::Compared::Year => Earlier::Year,
        };
        let with = period.compared_with(earlier).context("there are no such days to compare with")?;
        anyhow::Ok(with.before)
    });
    let before = before.transpose()?;
    let (now, earlier, behind) = reader
        .read(async |client| {
            let now = segments::load(client, app.id, period.from, period.until).await?;
            let behind = segments::behind(client, app.id, period.from, period.until).await?;
            let earlier = match &before {
                Some(before) => segments::load(client, app.id, before.from, before.until).await?,
                None => Vec::new(),
            };
            Ok((now, earlier, behind))
        })
        .await?;
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(4);
    let means = Means { threads, ..Means::default() };
    let answer = if before.is_some() {
        query::compare(&question, &parts(&now), &parts(&earlier), &means)?
    } else {
        query::run(&question, &parts(&now), &means)?
    };
    let notes = notes(&answer, &behind);
    match (args.json, args.csv) {
        (true, _) => show::json(out, &as_json(app, args, period.days(), &answer, &notes)),
        (false, true) => csv(args, &answer, out),
        (false, false) => print(args, &answer, &notes, out),
    }
}

/// What a reader has to know of the numbers.
pub(super) fn notes(answer: &Answer, behind: &Behind) -> Vec<String> {
    let mut notes: Vec<String> = answer
        .notes
        .iter()
        .map(|note| match note {
            Note::Entered => "bounces and durations are of sessions that entered on these pages".to_owned(),
            Note::Other => "some values had no room of their own: they are (other)".to_owned(),
            Note::Definitions => "the days were computed by different definitions".to_owned(),
            Note::Values => {
                "an earlier version computed some days: what their events say is not counted (`alt stats rebuild` \
                 computes them again)"
                    .to_owned()
            }
            Note::Property => {
                "some days were computed without the property: it is not counted there (`alt app properties` chooses \
                 it, `alt stats rebuild` computes them again)"
                    .to_owned()
            }
            Note::People => {
                "some days were computed before user ids were known again: people of them are not counted (`alt stats \
                 rebuild` computes them again)"
                    .to_owned()
            }
            Note::Keys => {
                "the key of user ids was replaced within these days: who was there before and after counts as two people \
                 (`alt stats rebuild` computes them again)"
                    .to_owned()
            }
            Note::Unread => "some events say no number where one is summed: they are in no sum".to_owned(),
            Note::Seconds => {
                "an earlier version computed some days: within a second, page views come first there \
                              (`alt stats rebuild` computes them again)"
                    .to_owned()
            }
        })
        .collect();
    notes.extend(behind.notes());
    if !answer.left_out.is_empty() {
        let all: Vec<String> = answer
            .left_out
            .iter()
            .map(|(class, events)| format!("{} of {}", number(*events), show::safe(class)))
            .collect();
        notes.push(format!("events left out, whatever the filter: {}", all.join(", ")));
    }
    notes
}

fn print(args: &cli::StatsShow, answer: &Answer, notes: &[String], out: Out<'_>) -> anyhow::Result<()> {
    let mut heads = vec!["", ">visitors", ">sessions", ">page views", ">events", ">bounce rate", ">duration"];
    heads.extend(args.people.then_some(">people"));
    heads.extend(args.compare.map(|_| ">visitors before"));
    let said = said(answer);
    let more: Vec<String> = amounts::COLUMNS
        .iter()
        .zip(said)
        .filter(|(_, is_said)| *is_said)
        .map(|(name, _)| head(name))
        .collect();
    heads.extend(more.iter().map(String::as_str));
    let mut rows = show::Rows::new(&heads);
    let mut add = |name: &str, tally: &Tally, before: Option<&Tally>| {
        let counts = &tally.counts;
        let rate = Metric::BounceRate.of(tally).map(|rate| format!("{:.1} %", rate * 100.0));
        let seconds = Metric::MeanDuration.of(tally).map(|ms| format!("{:.0} s", ms / 1000.0));
        let mut row = vec![
            name.to_owned(),
            number(counts.visitors),
            number(counts.sessions),
            number(counts.page_views),
            number(counts.events),
            rate.unwrap_or_default(),
            seconds.unwrap_or_default(),
        ];
        row.extend(args.people.then(|| number(tally.people())));
        row.extend(before.map(|before| number(before.counts.visitors)));
        let amounts = amounts::row(tally).into_iter().zip(said);
        row.extend(amounts.filter(|(_, is_said)| *is_said).map(|(amount, _)| amount));
        rows.add(&row);
    };
    add("total", &answer.total, answer.total_before.as_ref());
    let has_rows = args.dimension.is_some() || args.interval.is_some();
    for row in answer.rows.iter().filter(|_| has_rows) {
        add(if row.value.is_empty() { "(none)" } else { &row.value }, &row.tally, row.before.as_ref());
    }
    rows.print(out)?;
    if let Some(shown) = answer.next {
        writeln!(out, "{shown} of {} values: --limit shows more", answer.count)?;
    }
    for note in notes {
        writeln!(out, "{note}")?;
    }
    Ok(())
}

/// The head of a column of amounts.
fn head(name: &str) -> String {
    format!(">{}", name.replace('_', " "))
}

/// The columns of amounts that have anything.
fn said(answer: &Answer) -> [bool; 8] {
    let mut said = [false; 8];
    let tallies = answer.rows.iter().map(|row| &row.tally).chain([&answer.total]);
    for row in tallies.map(amounts::row) {
        said.iter_mut().zip(row).for_each(|(is_said, amount)| *is_said |= !amount.is_empty());
    }
    said
}

fn tally(args: &cli::StatsShow, tally: &Tally) -> Value {
    let mut object: serde_json::Map<String, Value> =
        COUNTS.iter().map(|count| (count.name.to_owned(), json!((count.get)(&tally.counts)))).collect();
    object.insert("entered".to_owned(), json!(tally.entered));
    object.extend(args.people.then(|| ("people".to_owned(), json!(tally.people()))));
    object.extend(amounts::json(tally).map(|all| ("amounts".to_owned(), all)));
    Value::Object(object)
}

fn as_json(
    app: &Application,
    args: &cli::StatsShow,
    Dates { from, until }: Dates,
    answer: &Answer,
    notes: &[String],
) -> Value {
    let row = |row: &Row| {
        let mut object = tally(args, &row.tally);
        object["value"] = json!(row.value);
        if let Some(before) = &row.before {
            object["before"] = tally(args, before);
        }
        object
    };
    json!({
        "application": app.name,
        "key": app.key,
        "time_zone": app.time_zone,
        "class": args.class,
        "from": from.to_string(),
        "until": until.to_string(),
        "total": tally(args, &answer.total),
        "before": answer.total_before.as_ref().map(|before| tally(args, before)),
        "rows": answer.rows.iter().map(row).collect::<Vec<Value>>(),
        "values": answer.count,
        "left_out": answer.left_out,
        "notes": notes,
    })
}

/// One line for each value.
fn csv(args: &cli::StatsShow, answer: &Answer, out: Out<'_>) -> anyhow::Result<()> {
    let names: Vec<&str> = COUNTS.iter().map(|count| count.name).collect();
    let has_amounts = answer.rows.iter().any(|row| row.tally.amounts.is_some());
    let more: String =
        amounts::COLUMNS.iter().filter(|_| has_amounts).map(|name| format!(",{name}")).collect();
    let people = if args.people { ",people" } else { "" };
    writeln!(out, "value,{},entered{people}{more}", names.join(","))?;
    for row in &answer.rows {
        let mut line = field(&row.value);
        for count in COUNTS {
            let _ = write!(line, ",{}", (count.get)(&row.tally.counts));
        }
        let _ = write!(line, ",{}", row.tally.entered);
        if args.people {
            let _ = write!(line, ",{}", row.tally.people());
        }
        if has_amounts {
            amounts::row(&row.tally).iter().for_each(|one| line += &format!(",{one}"));
        }
        writeln!(out, "{line}")?;
    }
    Ok(())
}
