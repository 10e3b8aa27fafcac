//! Replaces the statistics of a day, in one short transaction.

use std::collections::BTreeMap;
use std::time::Duration;

use alt_process::fault::{self, Step};
use alt_statistics::day::{COUNTS, Counts, Day};
use anyhow::Context;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};

use super::counts::names;
use super::days::AppDay;
use super::segments;
use super::spool::Spool;

/// First key of the advisory lock under which a day is replaced. The second key is made of application and day.
const LOCK_CLASS: i32 = 0x616c_7403;

/// Segments of so many rows are written whenever they may be: they take some 100 kB.
pub(super) const SMALL: i64 = 20_000;

/// The bytes of a value that are stored.
const VALUE_MAX: usize = 512;

/// The rows that are inserted in one statement.
const INSERTED_AT_ONCE: usize = 2000;

/// A day before its rows are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begun {
    /// Its first microsecond.
    pub from: i64,
    /// The first microsecond after it.
    pub until: i64,
    /// How often it was replaced.
    pub generation: i64,
    /// Whether its statistics stay as they are.
    pub is_frozen: bool,
    /// The marks that it has.
    pub ids: Vec<i64>,
    /// The domains of its application: a referrer on one of them is the site itself.
    pub domains: Vec<String>,
    /// Whether its segments are older than its statistics, and they are to be written although nothing marks the day.
    pub is_stale: bool,
    /// Whether its segments may be written again, …
    pub may_write: bool,
    /// … and of how many rows they are; 0 of a day that is over.
    pub segment_rows: i64,
    /// The properties of events that its segments keep.
    pub properties: Vec<String>,
    /// The application's page views are the requests of its site's own log.
    pub requests_are_views: bool,
}

impl Begun {
    /// Whether anything is to be done.
    pub fn is_wanted(&self) -> bool {
        !self.ids.is_empty() || (self.is_stale && !self.is_frozen)
    }

    /// Whether the segments are written of so many rows. Large ones of a day that goes on are written when a quarter of
    /// their rows came since, so that all that is written in a day is five times what it has at its end, at most. Where
    /// rows went, segments are written at once.
    pub fn writes_segments(&self, rows: i64) -> bool {
        let has_grown = rows >= self.segment_rows + self.segment_rows / 4;
        rows < self.segment_rows || (self.may_write && (rows <= SMALL || has_grown))
    }
}

/// What was computed of a day.
#[derive(Debug, Default)]
pub struct Computed {
    /// The statistics.
    pub statistics: Day,
    /// The rows that they were computed of.
    pub rows: i64,
    /// The segments; `None`: those that are there stay.
    pub segments: Option<Spool>,
}

/// Reads where a day lies, and its marks. Only what is read *after* this may be stored with it. The segments of a day that
/// goes on are written again after `segments_every`.
///
/// # Errors
/// The database cannot be asked.
pub async fn begin(client: &Client, day: AppDay, segments_every: Duration) -> anyhow::Result<Option<Begun>> {
    let date = day.day.to_string();
    let every = i64::try_from(segments_every.as_micros()).unwrap_or(i64::MAX);
    let parameters: [(&(dyn ToSql + Sync), Type); 4] =
        [(&day.app, Type::INT4), (&date, Type::TEXT), (&every, Type::INT8), (&SMALL, Type::INT8)];
    let sql = include_str!("../../../../sql/dirty_day.sql");
    let row = client.query_typed_opt(sql, &parameters).await.context("read what marks a day")?;
    Ok(row.map(|row| Begun {
        from: row.get(0),
        until: row.get(1),
        generation: row.get(2),
        is_frozen: row.get(3),
        ids: row.get(4),
        domains: row.get(5),
        is_stale: row.get(6),
        may_write: row.get(7),
        segment_rows: row.get(8),
        properties: row.get(9),
        requests_are_views: row.get(10),
    }))
}

/// Replaces the statistics of a day, and its segments if there are new ones, and deletes the marks that were read before
/// its rows. Runs within a transaction. Returns whether it did: it does nothing if somebody else computes the day now, has computed it
/// since, or has frozen it.
///
/// # Errors
/// The database does not do it.
pub async fn replace(
    client: &Client,
    day: AppDay,
    begun: &Begun,
    computed: &Computed,
) -> anyhow::Result<bool> {
    let date = day.day.to_string();
    if !lock(client, day).await? || !is_unchanged(client, day, begun).await? {
        return Ok(false);
    }
    unmark(client, day, &begun.ids).await?;
    values(client, day, &computed.statistics).await?;
    let sql = "UPDATE stat_days SET generation = generation + 1, folded_at = clock_timestamp(), rows = $3 \
               WHERE app_id = $1 AND day = $2::text::date";
    let parameters: [(&(dyn ToSql + Sync), Type); 3] =
        [(&day.app, Type::INT4), (&date, Type::TEXT), (&computed.rows, Type::INT8)];
    client.execute_typed(sql, &parameters).await.context("record that a day is computed")?;
    if let Some(segments) = &computed.segments {
        segments::replace(client, day, segments).await?;
    }
    fault::at(Step::FoldReplaced);
    Ok(true)
}

/// Records how many rows a frozen day has beside those of its statistics, and deletes the marks that were read before
/// the rows were counted. Runs within a transaction.
///
/// # Errors
/// The database does not do it.
pub async fn count_beside(client: &Client, day: AppDay, begun: &Begun, there: i64) -> anyhow::Result<()> {
    let date = day.day.to_string();
    unmark(client, day, &begun.ids).await?;
    let sql = include_str!("../../../../sql/count_beside.sql");
    let parameters: [(&(dyn ToSql + Sync), Type); 3] =
        [(&day.app, Type::INT4), (&date, Type::TEXT), (&there, Type::INT8)];
    client.execute_typed(sql, &parameters).await.context("count the rows of a frozen day")?;
    Ok(())
}

/// Locks a day until the transaction ends. Returns whether it did: who works on the day is not waited for.
pub(super) async fn lock(client: &Client, day: AppDay) -> anyhow::Result<bool> {
    let sql = "SELECT pg_try_advisory_xact_lock($1, hashtext($2))";
    let row = take(client, sql, day).await?;
    Ok(row.get(0))
}

/// Locks a day until the transaction ends, and waits for who works on it, as long as `lock_timeout` allows.
pub(super) async fn wait(client: &Client, day: AppDay) -> anyhow::Result<()> {
    let taken = take(client, "SELECT pg_advisory_xact_lock($1, hashtext($2))", day).await;
    taken.map(|_| ()).with_context(|| {
        format!(
            "{} is held by another import, or by a computation of its statistics: run the import again",
            day.day
        )
    })
}

/// Two days with one key only wait for each other.
async fn take(client: &Client, sql: &str, day: AppDay) -> anyhow::Result<Row> {
    let name = format!("{} {}", day.app, day.day);
    let parameters: [(&(dyn ToSql + Sync), Type); 2] = [(&LOCK_CLASS, Type::INT4), (&name, Type::TEXT)];
    client.query_typed_one(sql, &parameters).await.context("lock a day")
}

async fn is_unchanged(client: &Client, day: AppDay, begun: &Begun) -> anyhow::Result<bool> {
    let date = day.day.to_string();
    let sql = "SELECT FROM stat_days WHERE app_id = $1 AND day = $2::text::date AND generation = $3 \
               AND frozen_at IS NULL FOR UPDATE";
    let parameters: [(&(dyn ToSql + Sync), Type); 3] =
        [(&day.app, Type::INT4), (&date, Type::TEXT), (&begun.generation, Type::INT8)];
    Ok(client.query_typed_opt(sql, &parameters).await.context("look at a day again")?.is_some())
}

async fn unmark(client: &Client, day: AppDay, ids: &[i64]) -> anyhow::Result<()> {
    let date = day.day.to_string();
    let parameters: [(&(dyn ToSql + Sync), Type); 3] =
        [(&day.app, Type::INT4), (&date, Type::TEXT), (&ids, Type::INT8_ARRAY)];
    let sql = include_str!("../../../../sql/unmark_day.sql");
    client.execute_typed(sql, &parameters).await.context("delete the marks of a day")?;
    Ok(())
}

/// Replaces the values of a day.
pub(super) async fn values(client: &Client, day: AppDay, statistics: &Day) -> anyhow::Result<()> {
    let date = day.day.to_string();
    let key: [(&(dyn ToSql + Sync), Type); 2] = [(&day.app, Type::INT4), (&date, Type::TEXT)];
    let sql = "DELETE FROM stat_daily WHERE app_id = $1 AND day = $2::text::date";
    client.execute_typed(sql, &key).await.context("delete the statistics of a day")?;
    insert(client, day, statistics).await
}

async fn insert(client: &Client, day: AppDay, statistics: &Day) -> anyhow::Result<()> {
    let date = day.day.to_string();
    let arrays: Vec<String> = (7..7 + COUNTS.len()).map(|n| format!("${n}::bigint[]")).collect();
    let sql = format!(
        "INSERT INTO stat_daily (app_id, day, traffic_class, dimension, value_hash, value, {}) \
         SELECT $1, $2::text::date, * FROM unnest($3::text[], $4::text[], $5::bigint[], $6::text[], {})",
        names(),
        arrays.join(", ")
    );
    let values: Vec<(Key<'_>, (&str, Counts))> = hashed(statistics).into_iter().collect();
    for some in values.chunks(INSERTED_AT_ONCE) {
        let classes: Vec<&str> = some.iter().map(|(key, _)| key.0).collect();
        let dimensions: Vec<&str> = some.iter().map(|(key, _)| key.1).collect();
        let hashes: Vec<i64> = some.iter().map(|(key, _)| key.2).collect();
        let texts: Vec<&str> = some.iter().map(|(_, (value, _))| cut(value)).collect();
        let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        let counts: Vec<Vec<i64>> = COUNTS
            .iter()
            .map(|count| some.iter().map(|(_, (_, counts))| signed((count.get)(counts))).collect())
            .collect();
        let mut parameters: Vec<(&(dyn ToSql + Sync), Type)> = vec![
            (&day.app, Type::INT4),
            (&date, Type::TEXT),
            (&classes, Type::TEXT_ARRAY),
            (&dimensions, Type::TEXT_ARRAY),
            (&hashes, Type::INT8_ARRAY),
            (&texts, Type::TEXT_ARRAY),
        ];
        parameters.extend(counts.iter().map(|count| (count as &(dyn ToSql + Sync), Type::INT8_ARRAY)));
        client.execute_typed(&sql, &parameters).await.context("store the statistics of a day")?;
    }
    Ok(())
}

/// Class, dimension, and hash of the value.
type Key<'d> = (&'d str, &'d str, i64);

/// The values of a day by their keys. Two values with one hash, which hardly ever are, count as the first of them.
fn hashed(statistics: &Day) -> BTreeMap<Key<'_>, (&str, Counts)> {
    let mut values: BTreeMap<Key<'_>, (&str, Counts)> = BTreeMap::new();
    for ((class, dimension, value), counts) in &statistics.values {
        let known = values.entry((class, dimension, hash(value))).or_insert((value, Counts::default()));
        known.1 += counts;
    }
    values
}

/// The first 8 bytes of BLAKE3 of a value.
pub(super) fn hash(value: &str) -> i64 {
    let hash = blake3::hash(value.as_bytes());
    hash.as_bytes().first_chunk::<8>().map_or(0, |bytes| i64::from_be_bytes(*bytes))
}

/// What is stored of a value.
pub(super) fn cut(value: &str) -> &str {
    &value[..value.floor_char_boundary(VALUE_MAX)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_value_is_cut_between_characters_and_stays_apart_from_its_like() {
        let long = format!("/{}", "ü".repeat(3000));
        assert_eq!(cut(&long).len(), 511);
        assert_eq!(cut("/short"), "/short");
        let mut day = Day::default();
        for end in ["a", "b"] {
            day.values.insert(("human".to_owned(), "page", format!("{long}{end}")), Counts::default());
        }
        assert_eq!(hashed(&day).len(), 2);
    }
}
