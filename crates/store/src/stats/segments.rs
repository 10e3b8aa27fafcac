//! Writes and reads the segments of days.

use std::pin::pin;

use alt_statistics::segment::{DEFINITION, Segment};
use anyhow::{Context, bail};
use futures_util::TryStreamExt;
use jiff::civil::Date;
use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};

use super::days::AppDay;
use super::spool::Spool;

/// Replaces the segments of a day, whose generation has been increased. Runs within its transaction.
pub(super) async fn replace(client: &Client, day: AppDay, segments: &Spool) -> anyhow::Result<()> {
    let date = day.day.to_string();
    let key: [(&(dyn ToSql + Sync), Type); 2] = [(&day.app, Type::INT4), (&date, Type::TEXT)];
    let sql = "DELETE FROM stat_segments WHERE app_id = $1 AND day = $2::text::date";
    client.execute_typed(sql, &key).await.context("delete the segments of a day")?;
    for number in 0..segments.len() {
        let (part, data) = (i32::try_from(number)?, segments.get(number)?);
        let data: &[u8] = &data;
        let sql = include_str!("../../../../sql/add_segment.sql");
        let definition = i16::from(DEFINITION);
        let parameters: [(&(dyn ToSql + Sync), Type); 5] = [
            (&day.app, Type::INT4),
            (&date, Type::TEXT),
            (&part, Type::INT4),
            (&definition, Type::INT2),
            (&data, Type::BYTEA),
        ];
        client.execute_typed(sql, &parameters).await.context("store a segment")?;
    }
    let sql = "UPDATE stat_days SET segments_at = clock_timestamp(), segments_generation = generation, \
               segments_rows = rows WHERE app_id = $1 AND day = $2::text::date";
    client.execute_typed(sql, &key).await.context("record that segments are stored")?;
    Ok(())
}

/// A segment of a day.
#[derive(Debug)]
pub struct Stored {
    /// The day: `2026-01-31`.
    pub day: String,
    /// Its number within the day, from 0.
    pub part: i32,
    /// The generation of the day's statistics that it is of. With application, day and part it names bytes that stay.
    pub generation: i64,
    /// The segment.
    pub segment: Segment,
}

/// The segments of an application's days from `from` to `until`, both included, in their order.
///
/// # Errors
/// The database cannot be asked, or a segment is broken, which names its day.
pub async fn load(client: &Client, app: i32, from: Date, until: Date) -> anyhow::Result<Vec<Stored>> {
    let (from, until) = (from.to_string(), until.to_string());
    let parameters: [(&(dyn ToSql + Sync), Type); 3] =
        [(&app, Type::INT4), (&from, Type::TEXT), (&until, Type::TEXT)];
    let sql = "SELECT day::text, part, generation, data FROM stat_segments \
               WHERE app_id = $1 AND day BETWEEN $2::text::date AND $3::text::date ORDER BY day, part";
    let rows = client.query_typed_raw(sql, parameters).await.context("read segments")?;
    let mut rows = pin!(rows);
    let mut segments = Vec::new();
    // One by one, so that only the segments themselves are in memory.
    while let Some(row) = rows.try_next().await.context("read segments")? {
        let day: String = row.get(0);
        let segment = Segment::open(row.get::<_, &[u8]>(3)).with_context(|| format!("read the day {day}"))?;
        segments.push(Stored { day, part: row.get(1), generation: row.get(2), segment });
    }
    Ok(segments)
}

/// Where the bytes of a segment are, which stay the same under these.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    /// The application.
    pub app: i32,
    /// The day: `2026-01-31`.
    pub day: String,
    /// Its number within the day.
    pub part: i32,
    /// The generation of the day's statistics that it is of.
    pub generation: i64,
    /// The transaction that wrote it: a database that was restored to an earlier time may have a generation twice.
    pub written_by: String,
    /// Bytes.
    pub bytes: i32,
}

/// Where the segments of an application's days from `from` to `until`, both included, are, in their order.
///
/// # Errors
/// The database cannot be asked.
pub async fn places(client: &Client, app: i32, from: Date, until: Date) -> anyhow::Result<Vec<Place>> {
    let (from, until) = (from.to_string(), until.to_string());
    let parameters: [(&(dyn ToSql + Sync), Type); 3] =
        [(&app, Type::INT4), (&from, Type::TEXT), (&until, Type::TEXT)];
    let sql = "SELECT day::text, part, generation, xmin::text, octet_length(data) FROM stat_segments \
               WHERE app_id = $1 AND day BETWEEN $2::text::date AND $3::text::date ORDER BY day, part";
    let rows = client.query_typed(sql, &parameters).await.context("look for segments")?;
    let place = |row: &tokio_postgres::Row| Place {
        app,
        day: row.get(0),
        part: row.get(1),
        generation: row.get(2),
        written_by: row.get(3),
        bytes: row.get(4),
    };
    Ok(rows.iter().map(place).collect())
}

/// The bytes of segments of an application, in the order of `places`. In the transaction of [`places`].
///
/// # Errors
/// The database cannot be asked, or a segment is not there.
pub async fn bytes(client: &Client, app: i32, places: &[&Place]) -> anyhow::Result<Vec<Vec<u8>>> {
    let days: Vec<&str> = places.iter().map(|place| place.day.as_str()).collect();
    let parts: Vec<i32> = places.iter().map(|place| place.part).collect();
    let parameters: [(&(dyn ToSql + Sync), Type); 3] =
        [(&app, Type::INT4), (&days, Type::TEXT_ARRAY), (&parts, Type::INT4_ARRAY)];
    let sql = "SELECT s.data FROM unnest($2::text[], $3::integer[]) WITH ORDINALITY w (day, part, n) \
               JOIN stat_segments s ON s.app_id = $1 AND s.day = w.day::date AND s.part = w.part ORDER BY w.n";
    let rows = client.query_typed_raw(sql, parameters).await.context("read segments")?;
    let mut rows = pin!(rows);
    let mut segments = Vec::with_capacity(places.len());
    // One by one, so that each is in memory once.
    while let Some(row) = rows.try_next().await.context("read segments")? {
        segments.push(row.get(0));
    }
    if segments.len() != places.len() {
        bail!("a segment is not there");
    }
    Ok(segments)
}

/// What is not in the segments of an application's days.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Behind {
    /// Days with statistics that were computed, and without a segment.
    pub without: i64,
    /// Days that were imported, of which there are sums only.
    pub imported: i64,
    /// The time of the segments, UTC, of the day whose segments are older than its statistics.
    pub as_of: Option<String>,
}

impl Behind {
    /// The same for people, a line each.
    pub fn notes(&self) -> impl Iterator<Item = String> {
        let without = (self.without > 0).then(|| {
            format!(
                "{} days have no segments and are not counted: `alt stats rebuild` makes them",
                self.without
            )
        });
        let imported = (self.imported > 0)
            .then(|| format!("{} days were imported as sums and are not counted", self.imported));
        let as_of = self.as_of.as_ref().map(|at| format!("the day that goes on is as of {at}"));
        without.into_iter().chain(imported).chain(as_of)
    }
}

/// What is not in the segments that [`load`] returns.
///
/// # Errors
/// The database cannot be asked.
pub async fn behind(client: &Client, app: i32, from: Date, until: Date) -> anyhow::Result<Behind> {
    let (from, until) = (from.to_string(), until.to_string());
    let parameters: [(&(dyn ToSql + Sync), Type); 3] =
        [(&app, Type::INT4), (&from, Type::TEXT), (&until, Type::TEXT)];
    let sql = include_str!("../../../../sql/segments_behind.sql");
    let row = client.query_typed_one(sql, &parameters).await.context("look which days have segments")?;
    Ok(Behind { without: row.get(0), imported: row.get(1), as_of: row.get(2) })
}
