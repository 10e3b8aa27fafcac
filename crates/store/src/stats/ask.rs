//! Reads statistics, and what of them is still to be computed.

use std::fmt;
use std::pin::pin;

use alt_line::row::TrafficClass;
use alt_statistics::day::{COUNTS, Counts};
use alt_statistics::stored::{Stored, Value};
use anyhow::Context;
use futures_util::TryStreamExt;
use jiff::civil::Date;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};

use super::NAME;
use super::counts::{names, sums};

/// What is still to be computed.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct State {
    /// Whether the ledger is followed: somebody has computed statistics, and has not been switched off.
    pub is_followed: bool,
    /// Days that are marked.
    pub days: i64,
    /// Since when the first of them waits, seconds.
    pub oldest_seconds: f64,
    /// Parts of the backlog, of a month each, of which the days are not known yet.
    pub months: i64,
    /// Rows of frozen days that are not in their statistics.
    pub frozen_rows: i64,
}

impl State {
    /// Whether everything is computed.
    pub fn is_done(&self) -> bool {
        self.days == 0 && self.months == 0
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days = |n: i64| if n == 1 { "1 day is".to_owned() } else { format!("{n} days are") };
        write!(f, "{} being computed", days(self.days))?;
        match self.months {
            0 => Ok(()),
            1 => write!(f, ", and the rows of 1 month are being read"),
            n => write!(f, ", and the rows of {n} months are being read"),
        }
    }
}

/// What is still to be computed, of an application or of all.
///
/// # Errors
/// The database cannot be asked.
pub async fn state(client: &Client, app_id: Option<i32>) -> anyhow::Result<State> {
    let sql = include_str!("../../../../sql/stat_state.sql");
    let parameters: [(&(dyn ToSql + Sync), Type); 2] = [(&NAME, Type::TEXT), (&app_id, Type::INT4)];
    let row = client.query_typed_one(sql, &parameters).await.context("ask what is to be computed")?;
    Ok(State {
        is_followed: row.get(0),
        days: row.get(1),
        oldest_seconds: row.get::<_, Option<f64>>(2).unwrap_or(0.0).max(0.0),
        months: row.get(3),
        frozen_rows: row.get(4),
    })
}

/// Which statistics are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked<'a> {
    /// The application, its key in `applications`.
    pub app_id: i32,
    /// The class of traffic.
    pub class: &'a str,
    /// The first day.
    pub from: Date,
    /// The last day.
    pub until: Date,
}

/// The counts of a day or of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// The day (`2026-01-31`) or the value.
    pub name: String,
    /// Its counts.
    pub counts: Counts,
}

/// The rows of a class and a dimension, on the days from `$3` to `$4` of the application `$1`. In the primary key the day comes
/// before the class and the dimension: each day is looked up, so that the rows of other dimensions are not read.
fn rows(class: &str, dimension: &str) -> String {
    format!(
        "FROM (SELECT app_id AS of_app, day AS of_day FROM stat_days \
               WHERE app_id = $1 AND day BETWEEN $3::text::date AND $4::text::date) d \
         CROSS JOIN LATERAL (SELECT * FROM stat_daily WHERE app_id = of_app AND day = of_day \
                             AND traffic_class = {class} AND dimension = {dimension} OFFSET 0) s"
    )
}

/// The statistics of each day that has any.
///
/// # Errors
/// The database cannot be asked.
pub async fn by_day(client: &Client, asked: &Asked<'_>) -> anyhow::Result<Vec<Counted>> {
    let sql = format!("SELECT day::text, {} {} ORDER BY day", names(), rows("$2", "'total'"));
    select(client, &sql, asked, &[]).await
}

/// These values of a dimension: sums over the days.
///
/// # Errors
/// The database cannot be asked.
pub async fn of_values(
    client: &Client,
    asked: &Asked<'_>,
    dimension: &str,
    values: &[&str],
) -> anyhow::Result<Vec<Counted>> {
    let sql = format!(
        "SELECT min(value), {} {} WHERE value = ANY ($6) GROUP BY value_hash",
        sums(),
        rows("$2", "$5")
    );
    select(client, &sql, asked, &[(&dimension, Type::TEXT), (&values, Type::TEXT_ARRAY)]).await
}

/// The values of a dimension with the most visitors, at most `most`: sums over the days.
///
/// # Errors
/// The database cannot be asked.
pub async fn top(
    client: &Client,
    asked: &Asked<'_>,
    dimension: &str,
    most: i64,
) -> anyhow::Result<Vec<Counted>> {
    let sql = format!(
        "SELECT min(value), {} {} GROUP BY value_hash \
         ORDER BY sum(visitors) DESC, sum(page_views) DESC, sum(events) DESC, 1 LIMIT $6",
        sums(),
        rows("$2", "$5")
    );
    select(client, &sql, asked, &[(&dimension, Type::TEXT), (&most, Type::INT8)]).await
}

/// The events of each other class, those with the most first.
///
/// # Errors
/// The database cannot be asked.
pub async fn left_out(client: &Client, asked: &Asked<'_>) -> anyhow::Result<Vec<Counted>> {
    let sql = format!(
        "SELECT traffic_class, {} {} WHERE traffic_class <> $2 GROUP BY traffic_class ORDER BY sum(events) DESC, 1",
        sums(),
        rows("ANY ($5)", "'total'")
    );
    let classes: Vec<&str> = TrafficClass::ALL.iter().map(|class| class.as_str()).collect();
    select(client, &sql, asked, &[(&classes, Type::TEXT_ARRAY)]).await
}

/// A day with statistics. Under the same version its rows of `stat_daily` are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version {
    /// The day.
    pub day: Date,
    /// How often its statistics were replaced.
    pub generation: i64,
    /// When they were, microseconds since 1970: a database that was restored to an earlier time may have a generation twice.
    pub folded_at: i64,
    /// They come from another product.
    pub is_imported: bool,
}

/// The days that have statistics, in their order.
///
/// # Errors
/// The database cannot be asked.
pub async fn versions(client: &Client, asked: &Asked<'_>) -> anyhow::Result<Vec<Version>> {
    let sql = "SELECT day::text, generation, (extract(epoch FROM folded_at) * 1000000)::bigint, imported_at IS NOT NULL \
               FROM stat_days WHERE app_id = $1 AND day BETWEEN $2::text::date AND $3::text::date \
               AND generation > 0 AND NOT expired ORDER BY day";
    let (from, until) = (asked.from.to_string(), asked.until.to_string());
    let parameters: [(&(dyn ToSql + Sync), Type); 3] =
        [(&asked.app_id, Type::INT4), (&from, Type::TEXT), (&until, Type::TEXT)];
    let rows = client.query_typed(sql, &parameters).await.context("read which days have statistics")?;
    let version = |row: &Row| {
        let day = row.get::<_, &str>(0).parse()?;
        let folded_at = row.get::<_, Option<i64>>(2).unwrap_or(0);
        Ok(Version { day, generation: row.get(1), folded_at, is_imported: row.get(3) })
    };
    rows.iter().map(version).collect()
}

/// The values of a dimension on days of an application, of each of these days and of each of these classes.
///
/// # Errors
/// The database cannot be asked.
pub async fn stored(
    client: &Client,
    app_id: i32,
    dimension: &str,
    days: &[Date],
    classes: &[&str],
) -> anyhow::Result<Vec<Vec<Stored>>> {
    // As in [`rows`], each day is looked up.
    let sql = format!(
        "SELECT d.n, c.n, value_hash, value, {} FROM unnest($2::text[]) WITH ORDINALITY d (of_day, n) \
         CROSS JOIN unnest($3::text[]) WITH ORDINALITY c (of_class, n) \
         CROSS JOIN LATERAL (SELECT * FROM stat_daily WHERE app_id = $1 AND day = of_day::date \
                             AND traffic_class = of_class AND dimension = $4 OFFSET 0) s",
        names()
    );
    let dates: Vec<String> = days.iter().map(Date::to_string).collect();
    let parameters: [(&(dyn ToSql + Sync), Type); 4] = [
        (&app_id, Type::INT4),
        (&dates, Type::TEXT_ARRAY),
        (&classes, Type::TEXT_ARRAY),
        (&dimension, Type::TEXT),
    ];
    let rows = client.query_typed_raw(&sql, parameters).await.context("read statistics")?;
    let mut rows = pin!(rows);
    let mut values: Vec<Vec<Vec<Value>>> = vec![vec![Vec::new(); classes.len()]; days.len()];
    while let Some(row) = rows.try_next().await.context("read statistics")? {
        let number = |n: usize| usize::try_from(row.get::<_, i64>(n) - 1).unwrap_or(usize::MAX);
        let of = values.get_mut(number(0)).and_then(|day| day.get_mut(number(1)));
        let of = of.context("a day that was not asked for")?;
        of.push(Value { hash: row.get(2), text: row.get(3), counts: counts(&row, 4) });
    }
    Ok(values.iter().map(|day| day.iter().map(|values| Stored::pack(values)).collect()).collect())
}

/// How many of the days were imported from another product.
///
/// # Errors
/// The database cannot be asked.
pub async fn imported(client: &Client, asked: &Asked<'_>) -> anyhow::Result<i64> {
    let sql = "SELECT count(*) FROM stat_days WHERE app_id = $1 AND imported_at IS NOT NULL AND NOT expired \
               AND day BETWEEN $2::text::date AND $3::text::date";
    let (from, until) = (asked.from.to_string(), asked.until.to_string());
    let parameters: [(&(dyn ToSql + Sync), Type); 3] =
        [(&asked.app_id, Type::INT4), (&from, Type::TEXT), (&until, Type::TEXT)];
    Ok(client.query_typed_one(sql, &parameters).await.context("read which days are imported")?.get(0))
}

/// The dimensions that have values, without the total.
///
/// # Errors
/// The database cannot be asked.
pub async fn dimensions(client: &Client, asked: &Asked<'_>) -> anyhow::Result<Vec<String>> {
    let sql = "SELECT DISTINCT dimension FROM stat_daily WHERE app_id = $1 AND traffic_class = $2 \
               AND day BETWEEN $3::text::date AND $4::text::date AND dimension <> 'total' ORDER BY 1";
    let (from, until) = (asked.from.to_string(), asked.until.to_string());
    let parameters: [(&(dyn ToSql + Sync), Type); 4] =
        [(&asked.app_id, Type::INT4), (&asked.class, Type::TEXT), (&from, Type::TEXT), (&until, Type::TEXT)];
    let rows = client.query_typed(sql, &parameters).await.context("read which dimensions there are")?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

async fn select(
    client: &Client,
    sql: &str,
    asked: &Asked<'_>,
    more: &[(&(dyn ToSql + Sync), Type)],
) -> anyhow::Result<Vec<Counted>> {
    let (from, until) = (asked.from.to_string(), asked.until.to_string());
    let mut parameters: Vec<(&(dyn ToSql + Sync), Type)> = vec![
        (&asked.app_id, Type::INT4),
        (&asked.class, Type::TEXT),
        (&from, Type::TEXT),
        (&until, Type::TEXT),
    ];
    parameters.extend(more.iter().map(|(value, kind)| (*value, kind.clone())));
    let rows = client.query_typed(sql, &parameters).await.context("read statistics")?;
    Ok(rows.iter().map(counted).collect())
}

fn counted(row: &Row) -> Counted {
    Counted { name: row.get(0), counts: counts(row, 1) }
}

/// The counts of a row, from a column on.
fn counts(row: &Row, first: usize) -> Counts {
    let mut counts = Counts::default();
    for (n, count) in COUNTS.iter().enumerate() {
        *(count.get_mut)(&mut counts) = u64::try_from(row.get::<_, i64>(first + n)).unwrap_or(0);
    }
    counts
}
