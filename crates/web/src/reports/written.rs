//! A report as it is sent: the numbers of the store in the words of a language.

use std::fmt::Write as _;

use alt_deliver::report::{Entry, List, Report, Total, Words};
use alt_deliver::text::line;
use alt_statistics::day::Counts;
use alt_store::Client;
use alt_store::reports::{Content, Kept};
use alt_store::stats::ask::Counted;
use alt_store::stats::overview::Overview;
use alt_store::stats::period::Period;
use jiff::civil::Date;

use crate::csv::field;

/// The values of a dimension that a report lists.
const TOP: i64 = 10;

/// Whether a report lists a dimension.
fn is_listed(dimension: &str) -> bool {
    Words::dimensions().any(|known| known == dimension)
}

/// A report of what is stored of a period. Of one state only within one transaction.
///
/// # Errors
/// The database cannot be asked.
pub async fn written(
    client: &Client,
    report: Kept,
    period: Period,
    public_url: Option<&str>,
) -> anyhow::Result<Report> {
    Ok(of(&Content::of(client, report, period, TOP, is_listed).await?, public_url))
}

fn of(content: &Content, public_url: Option<&str>) -> Report {
    let Content { report: kept, period, shown, is_computed } = content;
    let left_out = shown.left_out.iter().map(|class| (class.name.clone(), class.counts.events));
    let Period { from, until, .. } = period;
    Report {
        id: String::new(),
        thread: format!("report_{}", kept.id),
        name: kept.name.clone(),
        every: kept.every().name(),
        application: kept.app_name.clone(),
        time_zone: kept.time_zone.clone(),
        from: from.to_string(),
        until: until.to_string(),
        totals: totals(&shown.now, &shown.before),
        days: days(shown, period),
        lists: lists(shown),
        left_out: left_out.filter(|(_, events)| *events > 0).collect(),
        is_unfinished: !is_computed,
        link: public_url.map(|url| {
            format!("{url}/applications/{}?period={from}..{until}&compare=previous", kept.application)
        }),
        csv: table(shown),
        words: Words::of_or_english(&kept.language),
    }
}

/// The numbers in the order of [`alt_deliver::report::TOTALS`].
fn totals(now: &Counts, before: &Counts) -> [Total; 6] {
    let share = |part: u64, of: u64| if of == 0 { 0.0 } else { part as f64 / of as f64 };
    let numbers = |counts: &Counts| {
        [
            counts.visitors as f64,
            counts.sessions as f64,
            counts.page_views as f64,
            share(counts.page_views, counts.sessions),
            share(counts.bounces, counts.sessions),
            share(counts.duration_ms, counts.sessions),
        ]
    };
    let (now, before) = (numbers(now), numbers(before));
    std::array::from_fn(|i| Total { now: now[i], before: before[i] })
}

fn entry(counted: &Counted) -> Entry {
    let counts = &counted.counts;
    Entry { name: counted.name.clone(), visitors: counts.visitors, page_views: counts.page_views }
}

/// Each day of the period, also those on which nobody came.
fn days(shown: &Overview, period: &Period) -> Vec<Entry> {
    let day = |day: Date| {
        let name = day.to_string();
        let known = shown.days.iter().find(|one| one.name == name).map(entry);
        known.unwrap_or(Entry { name, visitors: 0, page_views: 0 })
    };
    period.from.series(jiff::Span::new().days(1)).take_while(|one| *one <= period.until).map(day).collect()
}

/// The dimensions that are listed, in their order; values that are none are left out.
fn lists(shown: &Overview) -> Vec<List> {
    let list = |name: &str| {
        let (_, values) = shown.lists.iter().find(|(known, _)| known == name)?;
        let rows = values.iter().filter(|value| !value.name.is_empty()).map(entry).collect();
        Some(List { name: name.to_owned(), rows })
    };
    Words::dimensions().filter_map(list).collect()
}

/// All of it as a table with a line for each day and for each value.
fn table(shown: &Overview) -> String {
    let mut out = String::from("dimension,value,visitors,sessions,page_views\n");
    let days = std::iter::once(("day", &shown.days));
    for (dimension, values) in days.chain(shown.lists.iter().map(|(name, all)| (name.as_str(), all))) {
        for value in values {
            let counts = &value.counts;
            let (visitors, sessions, views) = (counts.visitors, counts.sessions, counts.page_views);
            let value = field(&line(&value.name, usize::MAX));
            let _ = writeln!(out, "{},{value},{visitors},{sessions},{views}", field(dimension));
        }
    }
    out
}
