//! Compares the statistics of a day with what plain SQL counts of its rows.

mod differ;
mod people;
mod said;
mod ways;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use alt_process::clock::system_time;
use alt_statistics::day::{COUNTS, Counts, OTHER};
use alt_statistics::settings::Limits;
use anyhow::Context;
use serde::Serialize;
use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};

use super::NAME;
use super::counts::names;
use super::days::AppDay;
use super::replace::{self, Begun, hash};
use crate::naive::{self, Value};

/// What a comparison found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verified {
    /// So many values, and all are as plain SQL counts them.
    Equal(usize),
    /// Some are not.
    Different(Vec<Difference>),
    /// The day was not compared, for this reason.
    Skipped(&'static str),
}

/// A count that is not what plain SQL counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The class of traffic.
    pub class: String,
    /// The dimension.
    pub dimension: String,
    /// The value, at most 512 bytes of it.
    pub value: String,
    /// The count.
    pub count: &'static str,
    /// What `stat_daily`, or the day's segments, have.
    pub stored: Figure,
    /// What plain SQL counts.
    pub counted: Figure,
}

/// What is compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Figure {
    /// A count.
    Number(u64),
    /// What events say, summed.
    Text(String),
}

/// The most differences of a day that are kept.
const DIFFERENCES_MAX: usize = 100;

/// Class and dimension.
type List = (String, String);

/// The values of a day by class, dimension and hash of the value: how each begins, and its counts.
type Values = BTreeMap<(List, i64), (String, Counts)>;

/// Compares a day. Has to run in one snapshot (`REPEATABLE READ`): what is stored and the rows are held against each other.
///
/// # Errors
/// The database cannot be asked.
pub async fn day(client: &Client, day: AppDay) -> anyhow::Result<Verified> {
    let Some(begun) = replace::begin(client, day, Duration::ZERO).await? else {
        return Ok(Verified::Skipped("it has no statistics"));
    };
    if begun.is_frozen {
        return Ok(Verified::Skipped("rows of it may be gone: its statistics stay as they are"));
    }
    if !begun.ids.is_empty() || is_behind(client, day.app, &begun).await? {
        return Ok(Verified::Skipped("it is being computed"));
    }
    // Compiling a plan of this size takes longer than most days do.
    client.batch_execute("SET LOCAL jit = off").await.context("prepare to count by plain SQL")?;
    let mut counted = Counted::default();
    let times = begun.from..begun.until;
    naive::values(client, day.app, times, &begun.domains, |value| {
        counted.add(value);
        Ok(())
    })
    .await?;
    counted.end_list();
    let stored = stored(client, day).await?;
    let (mut differences, equal) = compare(&stored, &counted);
    let more = said::compare(client, day, &begun, &mut differences).await?;
    Ok(if differences.is_empty() { Verified::Equal(equal + more) } else { Verified::Different(differences) })
}

/// Whether a change of the day's rows is known to the ledger, and does not mark the day yet.
async fn is_behind(client: &Client, app: i32, begun: &Begun) -> anyhow::Result<bool> {
    let (from, until) = (system_time(begun.from), system_time(begun.until));
    let parameters: [(&(dyn ToSql + Sync), Type); 4] =
        [(&NAME, Type::TEXT), (&app, Type::INT4), (&from, Type::TIMESTAMPTZ), (&until, Type::TIMESTAMPTZ)];
    let sql = include_str!("../../../../sql/is_behind_rows.sql");
    Ok(client.query_typed_one(sql, &parameters).await.context("ask what changed in a day")?.get(0))
}

/// What plain SQL counts, cut as the engine cuts it: values beyond the limits of a list are one value, [`OTHER`].
#[derive(Default)]
struct Counted {
    limits: Limits,
    values: Values,
    /// Lists with more values than the engine tells apart.
    too_long: BTreeSet<List>,
    list: List,
    count: usize,
    bytes: usize,
    rest: Counts,
}

impl Counted {
    /// Adds a value. Values come by class and dimension, in the order in which the engine ranks them.
    fn add(&mut self, value: Value) {
        let list = (value.class, value.dimension);
        if self.list != list {
            self.end_list();
            self.list = list;
        }
        self.count += 1;
        self.bytes += value.value.len();
        // The total has one value, which is always there; of others, a value without a count is none.
        if value.counts == Counts::default() && self.list.1 != "total" {
            return;
        }
        if self.count <= self.limits.values && self.bytes <= self.limits.value_bytes {
            self.insert(&value.value, &value.counts);
        } else {
            self.rest += &value.counts;
        }
    }

    fn insert(&mut self, value: &str, counts: &Counts) {
        let key = (self.list.clone(), hash(value));
        let known =
            self.values.entry(key).or_insert_with(|| (replace::cut(value).to_owned(), Counts::default()));
        known.1 += counts;
    }

    /// Whether the engine tells fewer values of a list apart. Entry and exit pages are in the dictionary of all pages.
    fn is_too_long(&self, list: &List) -> bool {
        let pages =
            |dimension: &str| dimension.ends_with("page").then(|| (list.0.clone(), "page".to_owned()));
        self.too_long.contains(list) || pages(&list.1).is_some_and(|pages| self.too_long.contains(&pages))
    }

    /// Ends the list of a class and dimension.
    fn end_list(&mut self) {
        let rest = std::mem::take(&mut self.rest);
        if rest != Counts::default() {
            self.insert(OTHER, &rest);
        }
        let limits = &self.limits;
        let (most, bytes) = if self.list.1.ends_with("page") {
            (limits.paths, limits.path_bytes)
        } else {
            (limits.others, limits.other_bytes)
        };
        if self.count > most || self.bytes > bytes {
            self.too_long.insert(self.list.clone());
        }
        (self.count, self.bytes) = (0, 0);
    }
}

async fn stored(client: &Client, day: AppDay) -> anyhow::Result<Values> {
    let sql = format!(
        "SELECT traffic_class, dimension, value_hash, value, {} FROM stat_daily \
         WHERE app_id = $1 AND day = $2::text::date",
        names()
    );
    let date = day.day.to_string();
    let parameters: [(&(dyn ToSql + Sync), Type); 2] = [(&day.app, Type::INT4), (&date, Type::TEXT)];
    let rows = client.query_typed(&sql, &parameters).await.context("read the statistics of a day")?;
    let mut values = Values::new();
    for row in rows {
        let mut counts = Counts::default();
        for (n, count) in COUNTS.iter().enumerate() {
            *(count.get_mut)(&mut counts) = row.get::<_, i64>(n + 4).cast_unsigned();
        }
        values.insert(((row.get(0), row.get(1)), row.get(2)), (row.get(3), counts));
    }
    Ok(values)
}

/// The differences, and how many values were compared.
fn compare(stored: &Values, counted: &Counted) -> (Vec<Difference>, usize) {
    let keys: BTreeSet<_> = stored.keys().chain(counted.values.keys()).collect();
    let mut differences = Vec::new();
    let mut equal = 0;
    let nothing = (String::new(), Counts::default());
    for key in keys {
        let (list, _) = key;
        if counted.is_too_long(list) {
            continue;
        }
        let (one, other) = (stored.get(key), counted.values.get(key));
        let value = &one.or(other).unwrap_or(&nothing).0;
        let (one, other) = (&one.unwrap_or(&nothing).1, &other.unwrap_or(&nothing).1);
        equal += 1;
        for count in COUNTS {
            let (stored, counted) = ((count.get)(one), (count.get)(other));
            if stored != counted && differences.len() < DIFFERENCES_MAX {
                differences.push(Difference {
                    class: list.0.clone(),
                    dimension: list.1.clone(),
                    value: value.clone(),
                    count: count.name,
                    stored: Figure::Number(stored),
                    counted: Figure::Number(counted),
                });
            }
        }
    }
    (differences, equal)
}

/// The days of an application, or of all, that have statistics, between two days.
///
/// # Errors
/// The database cannot be asked.
pub async fn days(
    client: &Client,
    app: Option<i32>,
    from: Option<&str>,
    until: Option<&str>,
) -> anyhow::Result<Vec<AppDay>> {
    let sql = "SELECT app_id, day::text FROM stat_days WHERE ($1::integer IS NULL OR app_id = $1) \
               AND ($2::text IS NULL OR day >= $2::text::date) AND ($3::text IS NULL OR day <= $3::text::date) \
               AND generation > 0 ORDER BY day DESC, app_id";
    let parameters: [(&(dyn ToSql + Sync), Type); 3] =
        [(&app, Type::INT4), (&from, Type::TEXT), (&until, Type::TEXT)];
    let rows = client.query_typed(sql, &parameters).await.context("read which days there are")?;
    rows.iter().map(AppDay::read).collect()
}
