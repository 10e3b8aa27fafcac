//! The statistics of a day by plain SQL over `access_logs`: slow, and independent of the engine, which it is compared
//! with. The definitions stand in docs/STATISTICS.md.

use std::pin::pin;

use alt_line::hit::Micros;
use alt_process::clock::system_time;
use alt_statistics::day::{COUNTS, Counts};
use alt_statistics::query::{Funnel, Goal, On, Within};
use alt_statistics::{country, source};
use anyhow::Context;
use futures_util::TryStreamExt;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, RowStream};

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
    (from, until): (Micros, Micros),
    domains: &[String],
    mut each: impl FnMut(Value) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let rows = select(client, &statement(), (app, from, until), domains, &[]).await;
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
    (app, from, until): (i32, Micros, Micros),
    domains: &[String],
    more: &[(&(dyn ToSql + Sync), Type)],
) -> anyhow::Result<RowStream> {
    let (from, until) = (system_time(from), system_time(until));
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
    (from, until): (Micros, Micros),
    domains: &[String],
    goals: &[Goal],
) -> anyhow::Result<Vec<Value>> {
    let names: Vec<&str> = goals.iter().map(|goal| goal.name.as_str()).collect();
    let (events, pages) = columns_of(goals.iter().map(|goal| &goal.on));
    let more: [(&(dyn ToSql + Sync), Type); 3] =
        [(&names, Type::TEXT_ARRAY), (&events, Type::TEXT_ARRAY), (&pages, Type::TEXT_ARRAY)];
    let rows = select(client, &format!("{ROWS} {GOALS}"), (app, from, until), domains, &more).await?;
    reached(rows).await
}

/// The page views, visitors and sessions by the page before and the page after, of a local day.
///
/// # Errors
/// The database cannot be asked.
pub async fn journeys(
    client: &Client,
    app: i32,
    (from, until): (Micros, Micros),
    domains: &[String],
) -> anyhow::Result<Vec<Value>> {
    reached(select(client, &format!("{ROWS} {JOURNEYS}"), (app, from, until), domains, &[]).await?).await
}

/// The visitors and sessions of each step of a funnel on a local day; the steps have the names `1`, `2` …
///
/// # Errors
/// The database cannot be asked.
pub async fn funnel(
    client: &Client,
    app: i32,
    (from, until): (Micros, Micros),
    domains: &[String],
    funnel: &Funnel,
) -> anyhow::Result<Vec<Value>> {
    let numbers: Vec<i32> = (1..).take(funnel.len()).collect();
    let (events, pages) = columns_of(funnel.steps());
    let (is_day, is_strict) = (funnel.within == Within::Day, funnel.is_strict);
    let more: [(&(dyn ToSql + Sync), Type); 5] = [
        (&numbers, Type::INT4_ARRAY),
        (&events, Type::TEXT_ARRAY),
        (&pages, Type::TEXT_ARRAY),
        (&is_day, Type::BOOL),
        (&is_strict, Type::BOOL),
    ];
    let sql = format!("{} {FUNNEL}", ROWS.replacen("WITH day", "WITH RECURSIVE day", 1));
    reached(select(client, &sql, (app, from, until), domains, &more).await?).await
}

/// Reads class, dimension, value, and the counts of what was reached.
async fn reached(rows: RowStream) -> anyhow::Result<Vec<Value>> {
    let mut rows = pin!(rows);
    let mut values = Vec::new();
    while let Some(row) = rows.try_next().await.context("count by plain SQL")? {
        let count = |column| row.try_get::<_, i64>(column).map(i64::cast_unsigned);
        let counts = Counts {
            events: count(3)?,
            page_views: count(4)?,
            visitors: count(5)?,
            sessions: count(6)?,
            ..Counts::default()
        };
        values.push(Value {
            class: row.try_get(0)?,
            dimension: row.try_get(1)?,
            value: row.try_get(2)?,
            counts,
        });
    }
    Ok(values)
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
