//! Rows of one application: those of the last minutes, and a search from the newest back.
//!
//! A search reads rows in steps of a fixed number, along the index (application, time). So a step takes a bounded time
//! whatever is searched for, and a search that finds nothing can say how far it came.

use anyhow::Context;
use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};

/// How many rows a step reads.
pub const STEP_ROWS: i64 = 10_000;

/// Where a search is: rows before it, in the order (time, event id), are still to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// Microseconds since 1970.
    pub at: i64,
    /// The event id of the last row that was read, as text; greater than every id where none was.
    pub id: String,
}

/// The greatest event id.
pub const LAST_ID: &str = "ffffffff-ffff-ffff-ffff-ffffffffffff";

/// What is searched for; `None` is anything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The first time, microseconds since 1970.
    pub from: i64,
    /// Its event type.
    pub event_type: Option<String>,
    /// How its path begins.
    pub path_prefix: Option<String>,
    /// A text in its path, query, title or referrer; upper and lower case are the same.
    pub text: Option<String>,
    /// Its trace id.
    pub trace_id: Option<String>,
    /// Its user id.
    pub user_id: Option<String>,
    /// Its session id.
    pub session_id: Option<String>,
}

/// What a step found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Rows as JSON objects, the newest first.
    pub found: Vec<String>,
    /// Where to go on; `None`: all rows were read.
    pub next: Option<Position>,
}

/// Reads the next [`STEP_ROWS`] rows before a position, and returns at most `most` of those that are wanted.
///
/// # Errors
/// The database cannot be asked.
pub async fn step(
    client: &Client,
    app_id: i32,
    wanted: &Wanted,
    before: &Position,
    most: i64,
) -> anyhow::Result<Step> {
    let parameters: [(&(dyn ToSql + Sync), Type); 12] = [
        (&app_id, Type::INT4),
        (&wanted.from, Type::INT8),
        (&before.at, Type::INT8),
        (&before.id, Type::TEXT),
        (&STEP_ROWS, Type::INT8),
        (&most, Type::INT8),
        (&wanted.event_type, Type::TEXT),
        (&wanted.path_prefix, Type::TEXT),
        (&wanted.text, Type::TEXT),
        (&wanted.trace_id, Type::TEXT),
        (&wanted.user_id, Type::TEXT),
        (&wanted.session_id, Type::TEXT),
    ];
    let sql = include_str!("../../../../sql/search_rows.sql");
    let rows = client.query_typed(sql, &parameters).await.context("search rows")?;
    let position = |row: &tokio_postgres::Row| Position { at: row.get(1), id: row.get(2) };
    let found: Vec<String> = rows.iter().filter_map(|row| row.get(0)).collect();
    let is_full = i64::try_from(found.len()).is_ok_and(|count| count >= most);
    // The last row of the answer has no object: it says where the step ended, and how many rows it read.
    let end = rows.iter().find(|row| row.get::<_, Option<&str>>(0).is_none());
    let next = match (rows.iter().rfind(|row| row.get::<_, Option<&str>>(0).is_some()), end) {
        (Some(last), _) if is_full => Some(position(last)),
        (_, Some(end)) if end.get::<_, i64>(3) >= STEP_ROWS => Some(position(end)),
        _ => None,
    };
    Ok(Step { found, next })
}

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
