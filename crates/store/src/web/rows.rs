//! Rows of one application: those of the last minutes.

use anyhow::Context;
use tokio_postgres::Client;
use tokio_postgres::types::Type;

/// Distinct visitors, and rows that make visitors, of the last `minutes`, of people: visitors, events.
///
/// # Errors
/// The database cannot be asked.
pub async fn live(client: &Client, app_id: i32, minutes: i32) -> anyhow::Result<(i64, i64)> {
    let sql = "SELECT count(DISTINCT visitor_id), count(*) FROM access_logs WHERE app_id = $1 \
               AND occurred_at > now() - $2 * interval '1 minute' AND occurred_at <= now() + interval '1 minute' \
               AND traffic_class = 'human' AND event_type NOT IN ('request', 'engagement')";
    let row = client.query_typed_one(sql, &[(&app_id, Type::INT4), (&minutes, Type::INT4)]).await;
    let row = row.context("count current visitors")?;
    Ok((row.get(0), row.get(1)))
}
