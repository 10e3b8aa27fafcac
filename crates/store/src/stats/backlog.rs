//! Times of which the ledger does not tell what changed: their rows are read once, for all applications, and the days of
//! these are marked. From the newest to the oldest, in slices; each slice is recorded, so it goes on after any end.

use std::time::SystemTime;

use alt_line::hit::Micros;
use alt_process::clock::{micros, system_time};
use anyhow::Context;
use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};

use super::days;
use super::rows::{literal, short};
use crate::partitions;

/// A part of the backlog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    id: i32,
    /// The application; `None`: all.
    app_id: Option<i32>,
    /// Where the part begins.
    pub from: Micros,
    /// How far down it is read.
    pub until: Micros,
}

/// Puts all rows into the backlog, by partition, in place of what is in it; and marks the days that are known. Runs
/// within a transaction.
///
/// # Errors
/// The database does not do it.
pub async fn add_all(client: &Client) -> anyhow::Result<()> {
    client.execute_typed("DELETE FROM stat_backlog", &[]).await.context("begin again with all rows")?;
    add(client, None, Micros::MIN, Micros::MAX).await
}

/// Puts the rows of an application, or of all, between two times into the backlog, and marks the days that are known
/// there. Runs within a transaction.
///
/// # Errors
/// The database does not do it.
pub async fn add(client: &Client, app_id: Option<i32>, from: Micros, until: Micros) -> anyhow::Result<()> {
    let Some((first, last)) = add_rows(client, app_id, from, until).await? else { return Ok(()) };
    let sql = include_str!("../../../../sql/mark_known_days.sql");
    let parameters: [(&(dyn ToSql + Sync), Type); 3] =
        [(&app_id, Type::INT4), (&first, Type::TIMESTAMPTZ), (&last, Type::TIMESTAMPTZ)];
    client.execute_typed(sql, &parameters).await.context("mark the days that are known")?;
    Ok(())
}

/// Puts the rows of an application, or of all, between two times into the backlog: the days that have rows are computed again. Runs
/// within a transaction. Returns where the time begins and ends; `None`: there can be no row.
///
/// # Errors
/// The database does not do it.
pub async fn add_rows(
    client: &Client,
    app_id: Option<i32>,
    from: Micros,
    until: Micros,
) -> anyhow::Result<Option<(SystemTime, SystemTime)>> {
    let (mut froms, mut untils) = (Vec::new(), Vec::new());
    for month in partitions::attached(client).await? {
        let (first, last) =
            (partitions::begin(month).max(from), partitions::begin(month.saturating_add(1)).min(until));
        if first < last {
            froms.push(system_time(first));
            untils.push(system_time(last));
        }
    }
    let (Some(first), Some(last)) = (froms.iter().min(), untils.iter().max()) else { return Ok(None) };
    let sql = "INSERT INTO stat_backlog (app_id, from_at, until_at) \
               SELECT $1, * FROM unnest($2::timestamptz[], $3::timestamptz[])";
    let parameters: [(&(dyn ToSql + Sync), Type); 3] =
        [(&app_id, Type::INT4), (&froms, Type::TIMESTAMPTZ_ARRAY), (&untils, Type::TIMESTAMPTZ_ARRAY)];
    client.execute_typed(sql, &parameters).await.context("put times into the backlog")?;
    Ok(Some((*first, *last)))
}

/// The part of the backlog that comes next.
///
/// # Errors
/// The database cannot be asked.
pub async fn next(client: &Client) -> anyhow::Result<Option<Part>> {
    let sql = "SELECT id, app_id, from_at, until_at FROM stat_backlog ORDER BY until_at DESC, id LIMIT 1";
    let row = client.query_typed_opt(sql, &[]).await.context("read the backlog of statistics")?;
    Ok(row.map(|row| Part {
        id: row.get(0),
        app_id: row.get(1),
        from: micros(row.get(2)),
        until: micros(row.get(3)),
    }))
}

/// The applications and UTC hours with rows from `from` on in a part: what [`pass`] marks.
///
/// # Errors
/// The database cannot be asked, or not in so short a time ([`super::rows::is_too_long`]).
pub async fn hours(
    client: &Client,
    part: &Part,
    from: Micros,
    most: u64,
) -> anyhow::Result<Vec<crate::ledger::AppHour>> {
    let app = part.app_id.map_or_else(String::new, |app| format!(" AND app_id = {app}"));
    let sql = format!(
        "SELECT DISTINCT app_id, floor(extract(epoch FROM occurred_at) / 3600)::integer FROM access_logs \
         WHERE occurred_at >= {} AND occurred_at < {}{app}",
        literal(from),
        literal(part.until)
    );
    short(client, most, async |client| {
        let rows = client.query_typed(&sql, &[]).await.context("read which days have rows")?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    })
    .await
}

/// Marks the days of these hours, and records that a part is read down to `from`. Runs within a transaction.
///
/// # Errors
/// The database does not do it.
pub async fn pass(
    client: &Client,
    part: &Part,
    from: Micros,
    hours: &[crate::ledger::AppHour],
) -> anyhow::Result<()> {
    days::mark(client, hours).await?;
    let from = system_time(from);
    let passed = async {
        let sql = "UPDATE stat_backlog SET until_at = $2 WHERE id = $1";
        client.execute_typed(sql, &[(&part.id, Type::INT4), (&from, Type::TIMESTAMPTZ)]).await?;
        let sql = "DELETE FROM stat_backlog WHERE id = $1 AND until_at <= from_at";
        client.execute_typed(sql, &[(&part.id, Type::INT4)]).await
    };
    passed.await.context("record how far the backlog is read")?;
    Ok(())
}
