//! The report: what is shown on the page and in the terminal, and printed as JSON.

use std::collections::BTreeMap;

use alt_line::hit::NonHit;
use alt_line::row::TrafficClass;
use alt_statistics::day::{Counts, OTHER};
use jiff::civil::Date;
use serde::Serialize;

use super::calendar::Hour;
use super::tally::Tally;
use super::times::Times;
use super::top::{Seen, Top};
use super::visits::{Folded, Visited};

/// The most values of a list.
const LISTED: usize = 100;

/// Of more days than this, no hours are listed.
const DAYS_BY_HOUR: usize = 3;

/// Of more days than this, months are listed.
const DAYS_BY_DAY: usize = 400;

/// The report of some logs.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// The logs.
    pub(super) files: Vec<String>,
    pub(super) format: String,
    /// Whether the lines decided on the format.
    pub(super) format_detected: bool,
    pub(super) time_zone: String,
    /// The first and the last time of a hit, in that time zone.
    pub(super) first: Option<String>,
    pub(super) last: Option<String>,
    /// Hosts whose pages are the site itself.
    pub(super) domains: Vec<String>,
    /// `lines` = `hits` + `filtered` + `non_hits` + `rejects`.
    pub(super) lines: u64,
    pub(super) hits: u64,
    pub(super) filtered: u64,
    pub(super) non_hits: Vec<Named>,
    pub(super) rejects: Vec<Reject>,
    /// Bytes of the logs on disk, and seconds that it took to read them.
    pub(super) read_bytes: u64,
    pub(super) seconds: f64,
    pub(super) people: People,
    /// By day; of few days by hour, of many by month. The visitors of a month are the sum of its days'.
    pub(super) graph: Vec<Point>,
    /// The 24 hours of all days.
    pub(super) hours: Vec<Point>,
    pub(super) lists: Vec<List>,
    /// By traffic class.
    pub(super) classes: Vec<Named>,
    pub(super) crawlers: Ranked,
    pub(super) ai_crawlers: Ranked,
    pub(super) programs: Ranked,
    /// Of a site's own log.
    pub(super) server: Option<Server>,
}

/// A number with a name.
#[derive(Debug, Serialize)]
pub(super) struct Named {
    pub(super) name: String,
    pub(super) count: u64,
}

/// Lines that are not understood.
#[derive(Debug, Serialize)]
pub(super) struct Reject {
    pub(super) reason: &'static str,
    pub(super) meaning: &'static str,
    pub(super) lines: u64,
}

/// What people did.
#[derive(Debug, Default, Serialize)]
pub(super) struct People {
    pub(super) visitors: u64,
    pub(super) sessions: u64,
    pub(super) page_views: u64,
    pub(super) events: u64,
    pub(super) bounces: u64,
    /// Of all sessions together, seconds.
    pub(super) duration_seconds: u64,
}

/// A month, a day or an hour.
#[derive(Debug, Serialize)]
pub(super) struct Point {
    /// `2026-01`, `2026-01-31`, `2026-01-31T07` or, of all days, `07`.
    pub(super) at: String,
    pub(super) visitors: u64,
    pub(super) page_views: u64,
    /// Of all classes.
    pub(super) requests: u64,
}

/// A dimension of what people did.
#[derive(Debug, Serialize)]
pub(super) struct List {
    /// Its name in docs/STATISTICS.md.
    pub(super) dimension: &'static str,
    /// The first by visitors. The value `""` is what is not known.
    pub(super) values: Vec<Value>,
}

/// A value of a dimension.
#[derive(Debug, Serialize)]
pub(super) struct Value {
    pub(super) value: String,
    pub(super) visitors: u64,
    pub(super) sessions: u64,
    pub(super) page_views: u64,
    pub(super) events: u64,
}

/// Texts by requests.
#[derive(Debug, Default, Serialize)]
pub(super) struct Ranked {
    pub(super) values: Vec<Requests>,
    /// All that are not listed.
    pub(super) others: u64,
}

/// What is known of requests with the same text.
#[derive(Debug, Serialize)]
pub(super) struct Requests {
    pub(super) value: String,
    pub(super) requests: u64,
    pub(super) bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mean_ms: Option<u64>,
}

/// What the log of a site says besides.
#[derive(Debug, Serialize)]
pub(super) struct Server {
    pub(super) requests: u64,
    pub(super) bytes: u64,
    pub(super) statuses: Vec<Named>,
    pub(super) response_times: Option<ResponseTimes>,
    pub(super) paths: Ranked,
    pub(super) not_found: Ranked,
    pub(super) hosts: Ranked,
}

/// How long answers took, milliseconds; a percentile is at most a sixteenth too large.
#[derive(Debug, Serialize)]
pub(super) struct ResponseTimes {
    pub(super) requests: u64,
    pub(super) mean: f64,
    pub(super) p50: u64,
    pub(super) p75: u64,
    pub(super) p90: u64,
    pub(super) p95: u64,
    pub(super) p99: u64,
    pub(super) max: u64,
}

/// Dimensions that are listed.
const DIMENSIONS: [&str; 14] = [
    "source",
    "channel",
    "campaign",
    "utm_medium",
    "page",
    "entry_page",
    "exit_page",
    "country",
    "language",
    "browser",
    "os",
    "device",
    "screen",
    "event",
];

/// What the report says of the logs themselves.
pub(super) struct Logs {
    pub(super) files: Vec<String>,
    pub(super) format: String,
    pub(super) format_detected: bool,
    pub(super) time_zone: String,
    pub(super) domains: Vec<String>,
    pub(super) read_bytes: u64,
    pub(super) seconds: f64,
}

impl Report {
    /// Of what was counted.
    pub(super) fn of(logs: Logs, tally: &Tally, folded: &Folded, when: &dyn Fn(i64) -> String) -> Report {
        Report {
            files: logs.files,
            format: logs.format,
            format_detected: logs.format_detected,
            time_zone: logs.time_zone,
            first: tally.times.map(|(first, _)| when(first)),
            last: tally.times.map(|(_, last)| when(last)),
            domains: logs.domains,
            lines: tally.lines,
            hits: tally.hits,
            filtered: tally.filtered,
            non_hits: tally
                .non_hits
                .iter()
                .map(|(kind, count)| Named { name: non_hit(*kind), count: *count })
                .collect(),
            rejects: rejects(tally),
            read_bytes: logs.read_bytes,
            seconds: logs.seconds,
            people: people(folded),
            graph: graph(tally, folded),
            hours: hours(tally, folded),
            lists: DIMENSIONS.iter().filter_map(|dimension| list(folded, dimension)).collect(),
            classes: classes(tally),
            crawlers: ranked(&tally.crawlers),
            ai_crawlers: ranked(&tally.ai_crawlers),
            programs: ranked(&tally.programs),
            server: (tally.requests > 0).then(|| server(tally)),
        }
    }

    /// The values of a dimension.
    pub(super) fn list(&self, dimension: &str) -> &[Value] {
        self.lists.iter().find(|list| list.dimension == dimension).map_or(&[], |list| &list.values)
    }

    /// Lines that are not understood.
    pub(super) fn rejected(&self) -> u64 {
        self.rejects.iter().map(|reject| reject.lines).sum()
    }
}

fn non_hit(kind: NonHit) -> String {
    match kind {
        NonHit::Status(status) => format!("status {status}"),
        kind => kind.phrase().to_owned(),
    }
}

fn rejects(tally: &Tally) -> Vec<Reject> {
    let mut all: Vec<Reject> = tally
        .rejects
        .iter()
        .map(|(reason, lines)| Reject { reason: reason.as_str(), meaning: reason.meaning(), lines: *lines })
        .collect();
    all.sort_by_key(|reject| std::cmp::Reverse(reject.lines));
    all
}

/// The counts of people, by dimension and value.
fn values<'f>(folded: &'f Folded, dimension: &str) -> impl Iterator<Item = (&'f str, &'f Counts)> {
    let of_people = TrafficClass::Human.as_str();
    folded
        .day
        .values
        .iter()
        .filter(move |((class, name, _), _)| class == of_people && *name == dimension)
        .map(|((_, _, value), counts)| (value.as_str(), counts))
}

fn people(folded: &Folded) -> People {
    values(folded, "total").next().map_or_else(People::default, |(_, counts)| People {
        visitors: counts.visitors,
        sessions: counts.sessions,
        page_views: counts.page_views,
        events: counts.events,
        bounces: counts.bounces,
        duration_seconds: counts.duration_ms / 1000,
    })
}

fn list(folded: &Folded, dimension: &'static str) -> Option<List> {
    let mut all: Vec<Value> = values(folded, dimension)
        .map(|(value, counts)| Value {
            value: value.to_owned(),
            visitors: counts.visitors,
            sessions: counts.sessions,
            page_views: counts.page_views,
            events: counts.events,
        })
        .filter(|value| value.events > 0)
        .collect();
    let rank = |value: &Value| (value.visitors, value.page_views, value.events);
    // What is summed up is no value, and comes last.
    all.sort_by_key(|value| (value.value == OTHER, std::cmp::Reverse(rank(value))));
    all.truncate(LISTED);
    (!all.is_empty()).then_some(List { dimension, values: all })
}

fn classes(tally: &Tally) -> Vec<Named> {
    let mut all: Vec<Named> = tally
        .classes
        .iter()
        .map(|(class, count)| Named { name: class.as_str().to_owned(), count: *count })
        .collect();
    all.sort_by_key(|named| std::cmp::Reverse(named.count));
    all
}

fn ranked(top: &Top) -> Ranked {
    let (first, rest) = top.first(LISTED);
    let values = first.into_iter().map(|(text, seen)| requests(text, seen)).collect();
    Ranked { values, others: rest.requests }
}

fn requests(text: &str, seen: Seen) -> Requests {
    let Seen { requests, bytes, took_ms, timed } = seen;
    Requests { value: text.to_owned(), requests, bytes, mean_ms: took_ms.checked_div(timed) }
}

fn server(tally: &Tally) -> Server {
    Server {
        requests: tally.requests,
        bytes: tally.bytes,
        statuses: tally
            .statuses
            .iter()
            .map(|(status, count)| Named { name: status.to_string(), count: *count })
            .collect(),
        response_times: (tally.took.count() > 0).then(|| response_times(&tally.took)),
        paths: ranked(&tally.paths),
        not_found: ranked(&tally.not_found),
        hosts: ranked(&tally.hosts),
    }
}

fn response_times(took: &Times) -> ResponseTimes {
    ResponseTimes {
        requests: took.count(),
        mean: (took.mean_ms() * 10.0).round() / 10.0,
        p50: took.percentile_ms(50),
        p75: took.percentile_ms(75),
        p90: took.percentile_ms(90),
        p95: took.percentile_ms(95),
        p99: took.percentile_ms(99),
        max: took.max_ms(),
    }
}

fn point(at: String, requests: u64, visited: Option<&Visited>) -> Point {
    let Visited { visitors, page_views } = visited.copied().unwrap_or_default();
    Point { at, visitors, page_views, requests }
}

/// By hour, day or month, as many days as there are; also those without a hit in between.
fn graph(tally: &Tally, folded: &Folded) -> Vec<Point> {
    let Some(((first, _), (last, _))) = tally
        .hours
        .first_key_value()
        .zip(tally.hours.last_key_value())
        .map(|(first, last)| (*first.0, *last.0))
    else {
        return Vec::new();
    };
    let days: Vec<Date> = first.series(jiff::Span::new().days(1)).take_while(|day| *day <= last).collect();
    if days.len() <= DAYS_BY_HOUR {
        let hours = days.iter().flat_map(|day| (0..24).map(|hour| (*day, hour)));
        return hours
            .map(|hour| {
                let requests = tally.hours.get(&hour).copied().unwrap_or(0);
                point(format!("{}T{:02}", hour.0, hour.1), requests, folded.hours.get(&hour))
            })
            .collect();
    }
    let name = |day: Date| match days.len() {
        ..=DAYS_BY_DAY => day.to_string(),
        _ => format!("{:04}-{:02}", day.year(), day.month()),
    };
    let mut points: BTreeMap<String, Point> =
        days.iter().map(|day| (name(*day), point(name(*day), 0, None))).collect();
    for ((day, _), requests) in &tally.hours {
        if let Some(point) = points.get_mut(&name(*day)) {
            point.requests += requests;
        }
    }
    for (day, visited) in &folded.days {
        if let Some(point) = points.get_mut(&name(*day)) {
            point.visitors += visited.visitors;
            point.page_views += visited.page_views;
        }
    }
    points.into_values().collect()
}

/// The hours of all days: a visitor of two days counts in both.
fn hours(tally: &Tally, folded: &Folded) -> Vec<Point> {
    let of = |hour: i8| {
        let is_it = |at: &Hour| at.1 == hour;
        let requests: u64 =
            tally.hours.iter().filter(|(at, _)| is_it(at)).map(|(_, requests)| requests).sum();
        let mut visited = Visited::default();
        for (_, more) in folded.hours.iter().filter(|(at, _)| is_it(at)) {
            visited.visitors += more.visitors;
            visited.page_views += more.page_views;
        }
        point(format!("{hour:02}"), requests, Some(&visited))
    };
    (0..24).map(of).collect()
}
