//! The statistics of a day by plain SQL over `access_logs`: slow, and independent of the engine, which it is compared
//! with. The definitions stand in docs/STATISTICS.md.

use std::ops::Range;
use std::pin::pin;

use alt_line::hit::Micros;
use alt_process::clock::system_time;
use alt_statistics::day::{COUNTS, Counts};
use alt_statistics::query::{Amount, Amounts, Dimension, Filter, Funnel, Goal, On, Test, Within};
use alt_statistics::{country, source};
use anyhow::{Context, bail};
use futures_util::TryStreamExt;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row, RowStream};

use crate::stats::counts::columns;

/// The rows of the day by all definitions; what each of [`GROUPS`] selects from.
const ROWS: &str = include_str!("../../../sql/naive_rows.sql");

/// Each group of dimensions. They select the same columns.
const GROUPS: [&str; 4] = [
    include_str!("../../../sql/naive_hour.sql"),
    include_str!("../../../sql/naive_page.sql"),
    include_str!("../../../sql/naive_event.sql"),
    include_str!("../../../sql/naive_session.sql"),
];

/// Of the goals of an application.
const GOALS: &str = include_str!("../../../sql/naive_goal.sql");

/// Of a funnel.
const FUNNEL: &str = include_str!("../../../sql/naive_funnel.sql");

/// Of what events say.
const VALUES: &str = include_str!("../../../sql/naive_values.sql");

/// Of people.
const PEOPLE: &str = include_str!("../../../sql/naive_people.sql");

/// Of those who come back.
const RETENTION: &str = include_str!("../../../sql/naive_retention.sql");

/// Of the pages before and after page views.
const JOURNEYS: &str = include_str!("../../../sql/naive_journey.sql");

/// The requests of pages ([`alt_statistics::query::performance`]): of $1 application, $2 and $3 its first moment and the first
/// behind it, $4 class of traffic.
pub const PERFORMANCE: &str = include_str!("../../../sql/naive_performance.sql");

/// The counts of a value of a dimension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    /// `access_logs.traffic_class`.
    pub class: String,
    /// The dimension.
    pub dimension: String,
    /// The value, whole.
    pub value: String,
    /// Its counts.
    pub counts: Counts,
}

/// Passes the counts of every value of a local day of an application on. Nothing is left out for being one of many
/// values. They come by class and dimension, those with the most page views first, then the most events, then by value
/// (byte by byte). Memory is that of one value.
///
/// # Errors
/// The database cannot be asked, or `each` fails.
pub async fn values(
    client: &Client,
    app: i32,
    times: Range<Micros>,
    domains: &[String],
    mut each: impl FnMut(Value) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let rows = select(client, &statement(), app, times, domains, &[]).await;
    let mut rows = pin!(rows?);
    while let Some(row) = rows.try_next().await.context("count by plain SQL")? {
        let mut counts = Counts::default();
        for (n, count) in COUNTS.iter().enumerate() {
            *(count.get_mut)(&mut counts) = row.try_get::<_, i64>(n + 3)?.cast_unsigned();
        }
        each(Value { class: row.try_get(0)?, dimension: row.try_get(1)?, value: row.try_get(2)?, counts })?;
    }
    Ok(())
}

/// Asks something of the rows of a day by all definitions.
async fn select(
    client: &Client,
    sql: &str,
    app: i32,
    times: Range<Micros>,
    domains: &[String],
    more: &[(&(dyn ToSql + Sync), Type)],
) -> anyhow::Result<RowStream> {
    let (from, until) = (system_time(times.start), system_time(times.end));
    let (countries, zones): (Vec<&str>, Vec<&str>) = country::list().unzip();
    let mut sources: [Vec<&str>; 3] = Default::default();
    for (host, channel, name) in source::list() {
        for (list, text) in sources.iter_mut().zip([host, channel, name]) {
            list.push(text);
        }
    }
    let mut parameters: Vec<(&(dyn ToSql + Sync), Type)> = vec![
        (&app, Type::INT4),
        (&from, Type::TIMESTAMPTZ),
        (&until, Type::TIMESTAMPTZ),
        (&domains, Type::TEXT_ARRAY),
        (&zones, Type::TEXT_ARRAY),
        (&countries, Type::TEXT_ARRAY),
        (&sources[0], Type::TEXT_ARRAY),
        (&sources[1], Type::TEXT_ARRAY),
        (&sources[2], Type::TEXT_ARRAY),
    ];
    parameters.extend(more.iter().map(|(value, kind)| (*value, kind.clone())));
    client.query_typed_raw(sql, parameters).await.context("count by plain SQL")
}

/// What reaches goals or steps, in columns: types of events, and paths.
fn columns_of<'a>(all: impl Iterator<Item = &'a On>) -> (Vec<Option<&'a str>>, Vec<Option<&'a str>>) {
    all.map(|on| match on {
        On::Event(event) => (Some(event.as_str()), None),
        On::Page(page) => (None, Some(page.as_str())),
    })
    .unzip()
}

/// The events, page views, visitors and sessions of each goal of a local day that somebody reached.
///
/// # Errors
/// The database cannot be asked.
pub async fn goals(
    client: &Client,
    app: i32,
    times: Range<Micros>,
    domains: &[String],
    goals: &[Goal],
) -> anyhow::Result<Vec<Value>> {
    let names: Vec<&str> = goals.iter().map(|goal| goal.name.as_str()).collect();
    let (events, pages) = columns_of(goals.iter().map(|goal| &goal.on));
    let more: [(&(dyn ToSql + Sync), Type); 3] =
        [(&names, Type::TEXT_ARRAY), (&events, Type::TEXT_ARRAY), (&pages, Type::TEXT_ARRAY)];
    let rows = select(client, &format!("{ROWS} {GOALS}"), app, times, domains, &more).await?;
    reached(rows).await
}

/// The page views, visitors and sessions by the page before and the page after, of a local day.
///
/// # Errors
/// The database cannot be asked.
pub async fn journeys(
    client: &Client,
    app: i32,
    times: Range<Micros>,
    domains: &[String],
) -> anyhow::Result<Vec<Value>> {
    reached(select(client, &format!("{ROWS} {JOURNEYS}"), app, times, domains, &[]).await?).await
}

/// The people of a value of a dimension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Met {
    /// `access_logs.traffic_class`.
    pub class: String,
    /// The dimension.
    pub dimension: String,
    /// The value.
    pub value: String,
    /// How many there are.
    pub people: u64,
}

/// The people of each value of a local day, of the dimensions that plain SQL knows of them ([`PEOPLE_OF`]).
///
/// # Errors
/// The database cannot be asked.
pub async fn people(
    client: &Client,
    app: i32,
    times: Range<Micros>,
    domains: &[String],
) -> anyhow::Result<Vec<Met>> {
    let rows = select(client, &format!("{ROWS} {PEOPLE}"), app, times, domains, &[]).await?;
    let mut rows = pin!(rows);
    let mut all = Vec::new();
    while let Some(row) = rows.try_next().await.context("count people by plain SQL")? {
        let people = row.try_get::<_, i64>(3)?.cast_unsigned();
        all.push(Met { class: row.try_get(0)?, dimension: row.try_get(1)?, value: row.try_get(2)?, people });
    }
    Ok(all)
}

/// The dimensions of which plain SQL knows people.
pub const PEOPLE_OF: [&str; 15] = [
    "total",
    "hour",
    "event",
    "page",
    "entry_page",
    "exit_page",
    "source",
    "channel",
    "campaign",
    "country",
    "language",
    "browser",
    "os",
    "device",
    "screen",
];

/// A local day and the period that it is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Local {
    /// Its first microsecond, and the first behind it.
    pub times: Range<Micros>,
    /// The first day of its period.
    pub period: String,
}

/// A number of a retention.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Came {
    /// `cohort`, `people`, `new`, `returning` or `churned`.
    pub what: String,
    /// Of a cohort, its first period.
    pub first: String,
    /// The period.
    pub period: String,
    /// How many people; 0 is not told.
    pub people: u64,
}

/// Who came back, of days in their order. `page`: of sessions with an event of this path alone.
///
/// # Errors
/// The database cannot be asked.
pub async fn retention(
    client: &Client,
    app: i32,
    days: &[Local],
    class: &str,
    page: Option<&str>,
) -> anyhow::Result<Vec<Came>> {
    let [first, .., last] = days else { bail!("a retention has two days at least") };
    let (from, until): (Vec<_>, Vec<_>) =
        days.iter().map(|day| (system_time(day.times.start), system_time(day.times.end))).unzip();
    let periods: Vec<&str> = days.iter().map(|day| day.period.as_str()).collect();
    let more: [(&(dyn ToSql + Sync), Type); 5] = [
        (&from, Type::TIMESTAMPTZ_ARRAY),
        (&until, Type::TIMESTAMPTZ_ARRAY),
        (&periods, Type::TEXT_ARRAY),
        (&class, Type::TEXT),
        (&page, Type::TEXT),
    ];
    let times = first.times.start..last.times.end;
    let rows = select(client, &format!("{ROWS} {RETENTION}"), app, times, &[], &more).await?;
    let mut rows = pin!(rows);
    let mut all = Vec::new();
    while let Some(row) = rows.try_next().await.context("count who came back by plain SQL")? {
        let people = row.try_get::<_, i64>(3)?.cast_unsigned();
        all.push(Came { what: row.try_get(0)?, first: row.try_get(1)?, period: row.try_get(2)?, people });
    }
    all.sort();
    Ok(all)
}

/// What events say of a value of a dimension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Class, dimension, value, and the counts of who has it; `total` with the value `""` has those of all events.
    pub value: Value,
    /// What is summed, as text: see [`amounts`].
    pub amounts: String,
}

/// What the events of a local day say, by each of the dimensions that are what events say, and of all of them together.
///
/// # Errors
/// The database cannot be asked.
pub async fn said(
    client: &Client,
    app: i32,
    times: Range<Micros>,
    properties: &[String],
    sum_of: &str,
    goals: &[Goal],
) -> anyhow::Result<Vec<Said>> {
    let names: Vec<&str> = goals.iter().map(|goal| goal.name.as_str()).collect();
    let (events, pages) = columns_of(goals.iter().map(|goal| &goal.on));
    let Conditions { properties: conditions, values } = conditions_of(goals.iter())?;
    let more: [(&(dyn ToSql + Sync), Type); 7] = [
        (&properties, Type::TEXT_ARRAY),
        (&sum_of, Type::TEXT),
        (&names, Type::TEXT_ARRAY),
        (&events, Type::TEXT_ARRAY),
        (&pages, Type::TEXT_ARRAY),
        (&conditions, Type::TEXT_ARRAY),
        (&values, Type::TEXT_ARRAY),
    ];
    let rows = select(client, &format!("{ROWS} {VALUES}"), app, times, &[], &more).await?;
    let mut rows = pin!(rows);
    let mut all = Vec::new();
    while let Some(row) = rows.try_next().await.context("count what events say by plain SQL")? {
        let number = |column| row.try_get::<_, i64>(column);
        let text = |column| row.try_get::<_, &str>(column).map(trimmed);
        let revenue: Vec<String> = row
            .try_get::<_, &str>(17)?
            .split_terminator(' ')
            .filter_map(|one| Some((one.split_once('=')?.0, one.split_once('=')?.1.split_once('/')?)))
            .map(|(currency, (sum, events))| format!("{currency}={}/{events}", trimmed(sum)))
            .collect();
        let amounts = format!(
            "unread {} cart {} orders {} quantity {}/{} sum {}/{} results {}/{} empty {} revenue {}",
            number(7)?,
            number(8)?,
            number(9)?,
            text(11)?,
            number(10)?,
            text(13)?,
            number(12)?,
            text(15)?,
            number(14)?,
            number(16)?,
            revenue.join(" ")
        );
        all.push(Said { value: reached_value(&row)?, amounts });
    }
    Ok(all)
}

/// The properties that are columns.
const COLUMNS: [&str; 4] = ["client_sub_id", "module_id", "entity_type", "entity_id"];

/// Whether plain SQL knows the conditions of a goal, and what it is worth.
pub(crate) fn knows(goal: &Goal) -> bool {
    goal.worth.is_none() && condition_of(goal).is_ok()
}

/// For each of several goals, the property of its condition, and the value: see [`condition_of`].
struct Conditions<'a> {
    properties: Vec<Option<&'a str>>,
    values: Vec<Option<&'a str>>,
}

fn conditions_of<'a>(goals: impl Iterator<Item = &'a Goal>) -> anyhow::Result<Conditions<'a>> {
    let all = goals.map(condition_of).collect::<anyhow::Result<Vec<_>>>()?;
    let (properties, values) = all.into_iter().map(Option::unzip).unzip();
    Ok(Conditions { properties, values })
}

/// The property and its value of a goal with one condition of this kind: plain SQL knows no other.
fn condition_of(goal: &Goal) -> anyhow::Result<Option<(&str, &str)>> {
    match &goal.conditions[..] {
        [] => Ok(None),
        [Filter::On(Dimension::Property(property), Test::Is(values))]
            if !COLUMNS.contains(&&**property) && values.len() == 1 && !values[0].is_empty() =>
        {
            Ok(Some((property, &values[0])))
        }
        _ => bail!("the goal {} has conditions that plain SQL does not know", goal.name),
    }
}

/// Amounts as [`Said::amounts`] has them: sums, and behind a slash of how many events they are.
pub fn amounts(of: &Amounts) -> String {
    let one = |amount: &Amount| format!("{}/{}", amount.sum, amount.events);
    let revenue = of.revenue.iter().map(|(currency, amount)| format!("{currency}={}", one(amount)));
    format!(
        "unread {} cart {} orders {} quantity {} sum {} results {} empty {} revenue {}",
        of.unread,
        of.cart_adds,
        of.orders,
        one(&of.quantity),
        one(&of.sum),
        one(&of.results),
        of.empty_searches,
        revenue.collect::<Vec<String>>().join(" ")
    )
}

/// A number of PostgreSQL without the zeros at its end.
fn trimmed(number: &str) -> &str {
    if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { number }
}

/// The visitors and sessions of each step of a funnel on a local day; the steps have the names `1`, `2` …
///
/// # Errors
/// The database cannot be asked.
pub async fn funnel(
    client: &Client,
    app: i32,
    times: Range<Micros>,
    domains: &[String],
    funnel: &Funnel,
) -> anyhow::Result<Vec<Value>> {
    let numbers: Vec<i32> = (1..).take(funnel.len()).collect();
    let (events, pages) = columns_of(funnel.steps().map(|step| &step.on));
    let (is_day, is_strict) = (funnel.within == Within::Day, funnel.is_strict);
    let Conditions { properties, values } = conditions_of(funnel.steps())?;
    let more: [(&(dyn ToSql + Sync), Type); 7] = [
        (&numbers, Type::INT4_ARRAY),
        (&events, Type::TEXT_ARRAY),
        (&pages, Type::TEXT_ARRAY),
        (&is_day, Type::BOOL),
        (&is_strict, Type::BOOL),
        (&properties, Type::TEXT_ARRAY),
        (&values, Type::TEXT_ARRAY),
    ];
    let sql = format!("{} {FUNNEL}", ROWS.replacen("WITH day", "WITH RECURSIVE day", 1));
    reached(select(client, &sql, app, times, domains, &more).await?).await
}

/// Reads class, dimension, value, and the counts of what was reached.
async fn reached(rows: RowStream) -> anyhow::Result<Vec<Value>> {
    let mut rows = pin!(rows);
    let mut values = Vec::new();
    while let Some(row) = rows.try_next().await.context("count by plain SQL")? {
        values.push(reached_value(&row)?);
    }
    Ok(values)
}

fn reached_value(row: &Row) -> anyhow::Result<Value> {
    let count = |column| row.try_get::<_, i64>(column).map(i64::cast_unsigned);
    let counts = Counts {
        events: count(3)?,
        page_views: count(4)?,
        visitors: count(5)?,
        sessions: count(6)?,
        ..Counts::default()
    };
    Ok(Value { class: row.try_get(0)?, dimension: row.try_get(1)?, value: row.try_get(2)?, counts })
}

/// Selects class, dimension, value, and each count of [`COUNTS`].
fn statement() -> String {
    let groups = GROUPS.map(|group| format!("({group})"));
    format!(
        "{ROWS} SELECT class, dimension, value, {} FROM ({}) every \
         ORDER BY class, dimension, page_views DESC, events DESC, value COLLATE \"C\"",
        columns(|name| format!("{name}::bigint")),
        groups.join(" UNION ALL ")
    )
}
