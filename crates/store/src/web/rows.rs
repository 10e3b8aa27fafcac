//! Rows of one application: those of the last minutes.

use anyhow::Context;
use tokio_postgres::Client;
use tokio_postgres::types::Type;

use crate::stats::visits::of_visits;

/// Distinct visitors, and rows that make visitors, of the last `minutes`, of people: visitors, events.
///
/// # Errors
/// The database cannot be asked.
pub async fn live(client: &Client, app_id: i32, minutes: i32) -> anyhow::Result<(i64, i64)> {
    let sql = format!(
        "SELECT count(DISTINCT visitor_id), count(*) FROM access_logs WHERE app_id = $1 \
         AND occurred_at > now() - $2 * interval '1 minute' AND occurred_at <= now() + interval '1 minute' \
         AND traffic_class = 'human' AND {}",
        of_visits(app_id)
    );
    let row = client.query_typed_one(&sql, &[(&app_id, Type::INT4), (&minutes, Type::INT4)]).await;
    let row = row.context("count current visitors")?;
    Ok((row.get(0), row.get(1)))
}

/// When the last event of an application was (UTC, RFC 3339); `None`: there was none.
///
/// # Errors
/// The database cannot be asked.
pub async fn last_event(client: &Client, app_id: i32) -> anyhow::Result<Option<String>> {
    let sql = format!(
        "SELECT {} FROM access_logs WHERE app_id = $1 AND event_type <> 'alt_check' ORDER BY occurred_at DESC LIMIT 1",
        super::time("occurred_at")
    );
    let row =
        client.query_typed_opt(&sql, &[(&app_id, Type::INT4)]).await.context("look for the last event")?;
    Ok(row.map(|row| row.get(0)))
}

/// What was loaded lately.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// Rows of the last minute.
    pub rows_minute: i64,
    /// Rows of the last hour.
    pub rows_hour: i64,
    /// When rows were last loaded (UTC, RFC 3339).
    pub last_batch_at: Option<String>,
    /// From the last event of that batch to its rows, seconds.
    pub lag_seconds: Option<f64>,
}

/// What was loaded lately. Batches that every follower has read are removed, so an hour may be known in part.
///
/// # Errors
/// The database cannot be asked.
pub async fn loaded(client: &Client) -> anyhow::Result<Loaded> {
    let sql = format!(
        "SELECT coalesce(sum(rows) FILTER (WHERE entered_at > now() - interval '1 minute'), 0)::bigint, \
                coalesce(sum(rows), 0)::bigint, {}, \
                (SELECT extract(epoch FROM entered_at - last_at)::float8 FROM batches WHERE kind = 'rows' \
                 ORDER BY entered_at DESC LIMIT 1) \
         FROM batches WHERE kind = 'rows' AND entered_at > now() - interval '1 hour'",
        super::time("max(entered_at)")
    );
    let row = client.query_typed_one(&sql, &[]).await.context("ask what was loaded")?;
    Ok(Loaded {
        rows_minute: row.get(0),
        rows_hour: row.get(1),
        last_batch_at: row.get(2),
        lag_seconds: row.get(3),
    })
}
