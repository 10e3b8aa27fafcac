//! Days whose statistics come from another product. They are frozen: nothing computes them. A row that comes later for such
//! a day is counted as one that is in no statistics.

use alt_line::enrich::day::local_day;
use alt_process::clock::system_time;
use alt_statistics::day::Day;
use anyhow::Context;
use jiff::tz::TimeZone;
use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};

use super::days::AppDay;
use super::{backlog, replace};

/// Stores the statistics of a day, in place of those that were imported before. Returns whether it did: a day that has
/// statistics or rows of its own stays as it is. Runs within a transaction, and waits for another that has the day.
///
/// # Errors
/// The database does not do it.
pub async fn store(client: &Client, day: AppDay, zone: &TimeZone, statistics: &Day) -> anyhow::Result<bool> {
    let date = day.day.to_string();
    let noon = day.day.at(12, 0, 0, 0).to_zoned(zone.clone()).context("find the day")?;
    let times = local_day(zone, noon.timestamp().as_microsecond());
    // A day that a zone left out.
    if times.date != day.day {
        return Ok(false);
    }
    replace::wait(client, day).await?;
    let (from, until) = (system_time(times.from), system_time(times.until));
    let sql = "SELECT EXISTS (SELECT FROM access_logs WHERE app_id = $1 AND occurred_at >= $2 AND occurred_at < $3)";
    let parameters: [(&(dyn ToSql + Sync), Type); 3] =
        [(&day.app, Type::INT4), (&from, Type::TIMESTAMPTZ), (&until, Type::TIMESTAMPTZ)];
    let row = client.query_typed_one(sql, &parameters).await.context("look for rows of a day")?;
    if row.get(0) {
        return Ok(false);
    }
    let parameters: [(&(dyn ToSql + Sync), Type); 4] = [
        (&day.app, Type::INT4),
        (&date, Type::TEXT),
        (&from, Type::TIMESTAMPTZ),
        (&until, Type::TIMESTAMPTZ),
    ];
    let sql = include_str!("../../../../sql/import_day.sql");
    if client.query_typed_opt(sql, &parameters).await.context("take a day")?.is_none() {
        return Ok(false);
    }
    replace::values(client, day, statistics).await?;
    Ok(true)
}

/// Deletes the statistics that were imported for an application, and lets rows of these days be computed. Returns how many
/// days. Runs within a transaction.
///
/// # Errors
/// The database does not do it.
pub async fn remove(client: &Client, app: i32) -> anyhow::Result<u64> {
    let key: [(&(dyn ToSql + Sync), Type); 1] = [(&app, Type::INT4)];
    let sql = "DELETE FROM stat_daily s USING stat_days d WHERE d.app_id = $1 AND d.imported_at IS NOT NULL \
               AND s.app_id = d.app_id AND s.day = d.day";
    client.execute_typed(sql, &key).await.context("delete imported statistics")?;
    let sql = "DELETE FROM stat_days WHERE app_id = $1 AND imported_at IS NOT NULL";
    let days = client.execute_typed(sql, &key).await.context("delete imported days")?;
    if days > 0 {
        backlog::add(client, Some(app), i64::MIN, i64::MAX).await?;
    }
    Ok(days)
}
