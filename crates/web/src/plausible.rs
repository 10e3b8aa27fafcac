//! `POST /api/v1/query`: a question in the shape of Plausible's Stats API (version 2), so that programs written for that API
//! need another address alone. Names, filters and answers are those of <https://plausible.io/docs/stats-api>; the numbers are
//! those of docs/STATISTICS.md.

use alt_statistics::query::{Dimension, Filter, Metric, Tally, Test, Unread};
use alt_store::stats::period::{Dates, Period};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use serde_json::{Value, json};

use crate::Web;
use crate::ask::{Answer, Asked, number};
use crate::numbers::{Found, List, Question};
use crate::period;
use crate::problem::Problem;
use crate::statistics::{VALUES_MAX, goals_of, list, note};
use crate::times::{HOURS_DAYS_MAX, Interval};

/// The most metrics of a question, values and patterns of all of its filters together, and levels of these.
const METRICS_MAX: usize = 20;
const FILTER_VALUES_MAX: usize = 200;
const PATTERNS_MAX: usize = 50;
const LEVELS_MAX: usize = 15;

/// The longest text in a filter, bytes.
const TEXT_MAX: usize = 4_000;

/// Days that a range has at least to be shown by days, and by months, where the interval is open.
const BY_DAYS: i32 = 2;
const BY_MONTHS: i32 = 100;

/// What a row's visitors are a share of.
#[derive(Clone, Copy)]
struct Whole {
    /// The visitors of the question.
    all: u64,
    /// Of goals: those under the same filters without the ones on goals.
    of: u64,
}

/// What the counts of a row say of a metric.
type Told = fn(&Tally, Whole) -> Value;

/// A metric.
struct Measure {
    name: &'static str,
    /// The engine's metric that orders by it, if there is one.
    order: Option<&'static str>,
    told: Told,
}

const MEASURES: &[Measure] = &[
    Measure { name: "visitors", order: Some("visitors"), told: |tally, _| number(tally.counts.visitors) },
    Measure { name: "visits", order: Some("sessions"), told: |tally, _| number(tally.counts.sessions) },
    Measure {
        name: "pageviews",
        order: Some("page_views"),
        told: |tally, _| number(tally.counts.page_views),
    },
    Measure { name: "events", order: Some("events"), told: |tally, _| number(tally.counts.events) },
    Measure { name: "people", order: Some("people"), told: |tally, _| number(tally.people()) },
    Measure {
        name: "views_per_visit",
        order: None,
        told: |tally, _| ratio(tally.counts.page_views, tally.counts.sessions, 1.0, 100.0),
    },
    Measure {
        name: "bounce_rate",
        order: None,
        told: |tally, _| ratio(tally.counts.bounces, tally.entered, 100.0, 1.0),
    },
    Measure {
        name: "visit_duration",
        order: None,
        told: |tally, _| ratio(tally.counts.duration_ms, tally.entered, 0.001, 1.0),
    },
    Measure {
        name: "scroll_depth",
        order: None,
        told: |tally, _| ratio(tally.counts.scroll_percent, tally.counts.scrolled_views, 1.0, 1.0),
    },
    Measure {
        name: "time_on_page",
        order: None,
        told: |tally, _| ratio(tally.counts.engaged_ms, tally.counts.timed_views, 0.001, 1.0),
    },
    Measure {
        name: "percentage",
        order: None,
        told: |tally, whole| ratio(tally.counts.visitors, whole.all, 100.0, 100.0),
    },
    Measure {
        name: "conversion_rate",
        order: None,
        told: |tally, whole| ratio(tally.counts.visitors, whole.of, 100.0, 100.0),
    },
];

/// Dimensions by their names there; those of `event:props:NAME`, and our own names, are understood, too.
const DIMENSIONS: &[(&str, &str)] = &[
    ("event:page", "page"),
    ("event:goal", "goal"),
    ("event:name", "event"),
    ("visit:entry_page", "entry_page"),
    ("visit:exit_page", "exit_page"),
    ("visit:source", "source"),
    ("visit:channel", "channel"),
    ("visit:utm_campaign", "campaign"),
    ("visit:utm_medium", "utm_medium"),
    ("visit:utm_content", "utm_content"),
    ("visit:utm_term", "utm_term"),
    ("visit:country", "country"),
    ("visit:device", "device"),
    ("visit:browser", "browser"),
    ("visit:os", "os"),
];

/// A part of a whole, times `by`, in steps of one `steps`-th. Of nothing: `null`.
#[allow(clippy::cast_precision_loss)] // shown
fn ratio(part: u64, whole: u64, by: f64, steps: f64) -> Value {
    if whole == 0 {
        return Value::Null;
    }
    json!((part as f64 / whole as f64 * by * steps).round() / steps)
}

/// What rows are of.
enum By {
    /// All events: one row.
    All,
    /// A time each.
    Time(Interval),
    /// A value each.
    Values(String, Dimension),
}

/// What is asked, read.
struct Wanted {
    days: Dates,
    metrics: Vec<&'static Measure>,
    by: By,
    filter: Option<Filter>,
    order: Order,
    offset: usize,
    limit: usize,
    has_labels: bool,
    has_total: bool,
}

/// In which order rows come.
struct Order {
    /// By which metric; `None`: by the value, or the time.
    by: Option<&'static Measure>,
    is_descending: bool,
}

/// A row: what it is of, and its numbers.
type Row = (String, Tally);

/// `POST /api/v1/query`.
pub(crate) async fn answer(web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    let (db, app) = (asked.db()?, asked.app()?);
    let zone = TimeZone::get(&app.time_zone).unwrap_or(TimeZone::UTC);
    let wanted = Wanted::read(asked, Timestamp::now().to_zoned(zone.clone()).date())?;
    let (lists, interval) = match &wanted.by {
        By::All => (Vec::new(), Interval::Day),
        By::Time(interval) => (Vec::new(), *interval),
        By::Values(name, dimension) => (vec![(name.clone(), *dimension)], Interval::Day),
    };
    let order = wanted.engine_order();
    let question = Question {
        app,
        class: "human",
        goals: goals_of(asked, wanted.filter.as_ref(), &lists).await?,
        filter: wanted.filter.clone(),
        bound: asked.bound()?,
        interval,
        lists,
        // Sums by day are ordered by visitors alone.
        has_amounts: order.is_some(),
        sum_of: None,
        has_people: wanted.has_people(),
        order,
        limit: usize::try_from(VALUES_MAX).unwrap_or(1),
    };
    let found = question.now(web, db, wanted.days).await?;
    let list = found.lists.first();
    let mut rows: Vec<Row> = match &wanted.by {
        By::All => vec![(String::new(), found.total.clone())],
        By::Time(interval) => wanted.times(*interval, &zone, &found),
        By::Values(..) => list.map(|list| list.values.clone()).unwrap_or_default(),
    };
    let of = list.and_then(|list| list.of.as_ref()).map_or(0, |of| of.visitors);
    let whole = Whole { all: found.total.counts.visitors, of };
    wanted.sort(&mut rows, list, whole)?;
    let total = rows.len();
    let labels: Vec<String> = rows.iter().map(|(label, _)| label.clone()).collect();
    let row = |(label, tally): &Row| {
        let told = wanted.metrics.iter().map(|one| (one.told)(tally, whole));
        let dimensions = if matches!(wanted.by, By::All) { vec![] } else { vec![label.as_str()] };
        json!({ "dimensions": dimensions, "metrics": told.collect::<Vec<_>>() })
    };
    let rows: Vec<Value> = rows.iter().skip(wanted.offset).take(wanted.limit).map(row).collect();
    let is_cut = list.is_some_and(|list| list.is_cut);
    let mut meta = json!({
        "as_of": found.as_of,
        "notes": found.notes.iter().map(|one| note(*one)).collect::<Vec<_>>(),
        "rows_are_cut": is_cut,
    });
    if wanted.has_labels && matches!(wanted.by, By::Time(_)) {
        meta["time_labels"] = json!(labels);
    }
    if wanted.has_total {
        meta["total_rows"] = if is_cut { Value::Null } else { json!(total) };
    }
    let member = |name: &str, otherwise: Value| asked.body.get(name).cloned().unwrap_or(otherwise);
    Ok(Answer::json(json!({
        "results": rows,
        "meta": meta,
        "query": {
            "site_id": app.key,
            "metrics": wanted.metrics.iter().map(|one| one.name).collect::<Vec<_>>(),
            "date_range": [wanted.days.from.to_string(), wanted.days.until.to_string()],
            "dimensions": member("dimensions", json!([])),
            "filters": member("filters", json!([])),
        },
    })))
}

impl Wanted {
    fn read(asked: &Asked, today: Date) -> Result<Wanted, Problem> {
        let body = &asked.body;
        let member = |name: &str| body.get(name).filter(|value| !value.is_null());
        let range = member("date_range").ok_or_else(|| Problem::bad(RANGES))?;
        let days = days(range, today)?;
        let metrics = asked.texts("metrics")?.unwrap_or_default();
        if metrics.is_empty() || metrics.len() > METRICS_MAX {
            return Err(Problem::bad(format!("metrics is a list of 1 to {METRICS_MAX} of {}", names())));
        }
        let metrics = metrics.into_iter().map(metric).collect::<Result<Vec<_>, _>>()?;
        let by = by(&asked.texts("dimensions")?.unwrap_or_default(), days)?;
        let mut left = Left { values: FILTER_VALUES_MAX, patterns: PATTERNS_MAX };
        let filters = match member("filters") {
            None => Vec::new(),
            Some(Value::Array(all)) if all.len() <= FILTER_VALUES_MAX => {
                all.iter().map(|one| filter(one, 0, &mut left)).collect::<Result<Vec<_>, _>>()?
            }
            Some(_) => return Err(Problem::bad("filters is a list of filters")),
        };
        let filter = (!filters.is_empty()).then_some(Filter::All(filters));
        if metrics.iter().any(|one| one.name == "conversion_rate")
            && !matches!(by, By::Values(_, Dimension::Goal))
        {
            return Err(Problem::bad("conversion_rate needs the dimension event:goal"));
        }
        let order = order(member("order_by"), &by)?;
        let page = |name: &str, usual: usize, least: u64| {
            let value = member("pagination").and_then(|page| page.get(name)).filter(|value| !value.is_null());
            let Some(value) = value else { return Ok(usual) };
            let number = value.as_u64().filter(|n| (least..=10_000).contains(n));
            let number = number.and_then(|n| usize::try_from(n).ok());
            number.ok_or_else(|| Problem::bad(format!("pagination.{name} is a number up to 10000")))
        };
        let includes = |name: &str| {
            let value = member("include").and_then(|include| include.get(name));
            value.is_some_and(|value| value == &Value::Bool(true))
        };
        if includes("comparisons") || member("include").is_some_and(|all| all.get("comparisons").is_some()) {
            return Err(Problem::bad(
                "include.comparisons: ask for the other date_range in a question of its own",
            ));
        }
        let (offset, limit) = (page("offset", 0, 0)?, page("limit", 10_000, 1)?);
        let (has_labels, has_total) = (includes("time_labels"), includes("total_rows"));
        Ok(Wanted { days, metrics, by, filter, order, offset, limit, has_labels, has_total })
    }

    /// Whether people are counted.
    fn has_people(&self) -> bool {
        let ordered = self.order.by.iter().copied();
        self.metrics.iter().copied().chain(ordered).any(|one| one.name == "people")
    }

    /// The order in which the engine gives values; `None`: by visitors, which sums by day have, too.
    fn engine_order(&self) -> Option<Metric> {
        let by = self.order.by.filter(|by| self.order.is_descending && by.name != "visitors")?;
        by.order.and_then(Metric::named)
    }

    /// Puts rows in order.
    fn sort(&self, rows: &mut [Row], list: Option<&List>, whole: Whole) -> Result<(), Problem> {
        let Order { by, is_descending } = &self.order;
        let is_of_engine = self.engine_order().is_some() || by.is_some_and(|by| by.name == "visitors");
        let is_given = *is_descending && is_of_engine && matches!(self.by, By::Values(..));
        if list.is_some_and(|list| list.is_cut) && !is_given {
            return Err(Problem::bad(format!(
                "there are more than {VALUES_MAX} values, and these can be ordered by visitors, visits, pageviews, people and events, \
                 descending, alone: filter, or order by one of them"
            )));
        }
        match by {
            _ if is_given => {}
            None => rows.sort_by(|one, other| one.0.cmp(&other.0)),
            Some(by) => {
                let of = |row: &Row| (by.told)(&row.1, whole).as_f64().unwrap_or(-1.0);
                rows.sort_by(|one, other| of(one).total_cmp(&of(other)));
            }
        }
        if !is_given && *is_descending {
            rows.reverse();
        }
        Ok(())
    }

    /// The rows of times, as that API writes times.
    fn times(&self, interval: Interval, zone: &TimeZone, found: &Found) -> Vec<Row> {
        let all = interval.series(self.days, zone, Timestamp::now(), &found.series);
        let written = all.into_iter().map(|(at, tally)| match interval {
            Interval::Day => (at, tally),
            Interval::Month => (format!("{at}-01"), tally),
            Interval::Hour => (at.get(..19).unwrap_or(&at).replace('T', " "), tally),
        });
        written.collect()
    }
}

fn names() -> String {
    MEASURES.iter().map(|measure| measure.name).collect::<Vec<_>>().join(", ")
}

fn metric(name: &str) -> Result<&'static Measure, Problem> {
    let known = MEASURES.iter().find(|known| known.name == name);
    known.ok_or_else(|| Problem::bad(format!("a metric is one of {}", names())))
}

const RANGES: &str = "date_range is day, 7d (so many days, of which the last is today), month, 6mo, 12mo, year, all, or \
                      [\"2026-01-01\", \"2026-01-31\"]";

/// The days of a range.
fn days(range: &Value, today: Date) -> Result<Dates, Problem> {
    let bad = || Problem::bad(RANGES);
    let months =
        |months: i64| today.first_of_month().checked_sub(Span::new().months(months - 1)).map_err(|_| bad());
    let text = match range {
        Value::String(range) => match range.as_str() {
            "day" => "today".to_owned(),
            "6mo" => format!("{}..{today}", months(6)?),
            "12mo" => format!("{}..{today}", months(12)?),
            "year" => format!("{}..{today}", today.first_of_year()),
            "all" => format!("{}d", period::DAYS_MAX),
            other => other.to_owned(),
        },
        Value::Array(all) => match &**all {
            [Value::String(from), Value::String(until)] => format!("{from}..{until}"),
            _ => return Err(bad()),
        },
        _ => return Err(bad()),
    };
    let period: Period = period::of(&text, today).map_err(|why| Problem::bad(format!("{RANGES}: {why}")))?;
    Ok(period.days())
}

/// What rows are of.
fn by(names: &[&str], days: Dates) -> Result<By, Problem> {
    let length = days.from.until(days.until).map_or(i32::MAX, |span| span.get_days()) + 1;
    let [name] = names else {
        let several = "a question has one dimension at most: ask for each by itself, or filter by the other";
        return if names.is_empty() { Ok(By::All) } else { Err(Problem::bad(several)) };
    };
    Ok(match *name {
        "time" if length < BY_DAYS => By::Time(Interval::Hour),
        "time" if length > BY_MONTHS => By::Time(Interval::Month),
        "time" | "time:day" => By::Time(Interval::Day),
        "time:hour" if length > HOURS_DAYS_MAX => {
            return Err(Problem::bad(format!("time:hour is for at most {HOURS_DAYS_MAX} days")));
        }
        "time:hour" => By::Time(Interval::Hour),
        "time:month" => By::Time(Interval::Month),
        name => {
            let (name, dimension) = dimension(name)?;
            By::Values(name, dimension)
        }
    })
}

/// A dimension that has values.
fn dimension(name: &str) -> Result<(String, Dimension), Problem> {
    let known = DIMENSIONS.iter().find(|(known, _)| *known == name).map(|(_, ours)| (*ours).to_owned());
    let property = || name.strip_prefix("event:props:").map(|property| format!("property:{property}"));
    let ours = known.or_else(property).unwrap_or_else(|| name.to_owned());
    list(&ours).map_err(|_| {
        let all: Vec<&str> = DIMENSIONS.iter().map(|(name, _)| *name).collect();
        Problem::bad(format!(
            "a dimension is time, time:hour, time:day, time:month, {}, event:props:NAME, or one of GET /api/v1/statistics",
            all.join(", ")
        ))
    })
}

/// The order of rows: as it is asked, else times as they go, and values by visitors.
fn order(asked: Option<&Value>, by: &By) -> Result<Order, Problem> {
    let bad = || Problem::bad("order_by is a list of one [\"METRIC or DIMENSION\", \"asc\" or \"desc\"]");
    let usual = match by {
        By::Values(..) => Order { by: Some(metric("visitors")?), is_descending: true },
        By::All | By::Time(_) => Order { by: None, is_descending: false },
    };
    let Some(asked) = asked else { return Ok(usual) };
    let pair = match asked.as_array().map(Vec::as_slice) {
        Some([]) => return Ok(usual),
        Some([Value::Array(pair)]) => pair,
        _ => return Err(bad()),
    };
    let [Value::String(name), Value::String(way)] = &**pair else { return Err(bad()) };
    let is_descending = match way.as_str() {
        "desc" => true,
        "asc" => false,
        _ => return Err(bad()),
    };
    if name.contains(':') || name == "time" {
        return Ok(Order { by: None, is_descending });
    }
    Ok(Order { by: Some(metric(name)?), is_descending })
}

/// How much the filters of a question may still have: each value is compared with each value of its dimension, and each pattern
/// takes memory of its own.
struct Left {
    values: usize,
    patterns: usize,
}

impl Left {
    fn take(&mut self, values: usize, patterns: usize) -> Result<(), Problem> {
        let left = self.values.checked_sub(values).zip(self.patterns.checked_sub(patterns));
        let (values, patterns) = left.ok_or_else(|| {
            Problem::bad(format!(
                "all filters together have at most {FILTER_VALUES_MAX} values, of which {PATTERNS_MAX} are patterns or ignore case"
            ))
        })?;
        *self = Left { values, patterns };
        Ok(())
    }
}

/// A filter: `["is", "visit:country", ["DE"]]`, `["and", [FILTER, …]]`, `["not", FILTER]`.
fn filter(value: &Value, level: usize, left: &mut Left) -> Result<Filter, Problem> {
    let bad = || {
        Problem::bad(
            "a filter is [OPERATOR, DIMENSION, [VALUE, …]], where OPERATOR is is, is_not, contains, contains_not, matches or \
             matches_not; or [\"and\", [FILTER, …]], [\"or\", [FILTER, …]], [\"not\", FILTER]",
        )
    };
    if level > LEVELS_MAX {
        return Err(Problem::bad(format!("filters have at most {LEVELS_MAX} levels")));
    }
    let mut all = |value: &Value| match value {
        Value::Array(all) if all.len() <= FILTER_VALUES_MAX => {
            all.iter().map(|one| filter(one, level + 1, left)).collect::<Result<Vec<_>, _>>()
        }
        _ => Err(bad()),
    };
    let parts = value.as_array().ok_or_else(bad)?;
    let operator = parts.first().and_then(Value::as_str).ok_or_else(bad)?;
    match (operator, &parts[1..]) {
        ("and", [filters]) => return Ok(Filter::All(all(filters)?)),
        ("or", [filters]) => return Ok(Filter::Any(all(filters)?)),
        ("not", [one]) => return Ok(Filter::Not(Box::new(filter(one, level + 1, left)?))),
        _ => {}
    }
    let (name, values, more) = match &parts[1..] {
        [Value::String(name), Value::Array(values)] => (name, values, None),
        [Value::String(name), Value::Array(values), more] => (name, values, Some(more)),
        _ => return Err(bad()),
    };
    let texts = values.iter().map(|value| value.as_str().filter(|text| text.len() <= TEXT_MAX));
    let texts: Vec<&str> = texts.collect::<Option<_>>().ok_or_else(bad)?;
    if texts.is_empty() || texts.len() > FILTER_VALUES_MAX {
        return Err(Problem::bad(format!("a filter has from 1 to {FILTER_VALUES_MAX} values")));
    }
    let dimension = dimension(name)?.1;
    let ignores_case = more.and_then(|more| more.get("case_sensitive")) == Some(&Value::Bool(false));
    let owned = || texts.iter().map(|text| (*text).to_owned()).collect();
    let (how, is_negated) = match operator.strip_suffix("_not") {
        Some(how) => (how, true),
        None => (operator, false),
    };
    let has_patterns = ignores_case || how == "matches";
    left.take(texts.len(), if has_patterns { texts.len() } else { 0 })?;
    let found = match (how, ignores_case) {
        ("is", false) => Filter::On(dimension, Test::Is(owned())),
        ("contains", false) => Filter::On(dimension, Test::Contains(owned())),
        ("is", true) => any(dimension, &texts, |text| Test::like(text, true))?,
        ("contains", true) => any(dimension, &texts, |text| Test::like(text, false))?,
        ("matches", _) => any(dimension, &texts, Test::matching)?,
        _ => return Err(bad()),
    };
    Ok(if is_negated { Filter::Not(Box::new(found)) } else { found })
}

/// One of these tests is true.
fn any(
    dimension: Dimension,
    texts: &[&str],
    test: impl Fn(&str) -> Result<Test, Unread>,
) -> Result<Filter, Problem> {
    let of = |text: &&str| test(text).map(|test| Filter::On(dimension, test));
    let all = texts.iter().map(of).collect::<Result<Vec<_>, _>>();
    all.map(Filter::Any).map_err(|why| Problem::bad(why.to_string()))
}
