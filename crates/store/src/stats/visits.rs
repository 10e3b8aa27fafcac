//! Rows of an application from the newest back, with what the definitions of a visit are made of.

use alt_process::clock::micros;
use alt_statistics::event::Event;
use alt_statistics::page::STATIC;
use anyhow::Context;
use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

use super::record::event;
use super::rows::{literal, statement};
use crate::search::Position;

/// How many rows a step reads.
pub const STEP_ROWS: i64 = 5_000;

/// The longest time between two rows of a visit, microseconds.
pub const GAP: i64 = 30 * 60 * 1_000_000;

/// The most rows that [`later`] reads.
const LATER_ROWS: i64 = 100_000;

/// Reads the next [`STEP_ROWS`] rows before a position, the newest first, back to `from` (microseconds since 1970). Returns
/// the position of the last; `None`: there are no more.
///
/// # Errors
/// The database cannot be asked.
pub async fn step(
    client: &Client,
    app_id: i32,
    from: i64,
    before: &Position,
    mut each: impl FnMut(&Event<'_>),
) -> anyhow::Result<Option<Position>> {
    let sql = format!(
        "{} AND (l.occurred_at < {} OR l.event_id < $1::text::uuid) ORDER BY l.occurred_at DESC, l.event_id DESC LIMIT {STEP_ROWS}",
        statement(app_id, from, before.at.saturating_add(1)),
        literal(before.at),
    );
    let rows =
        client.query_typed(&sql, &[(&before.id, Type::TEXT)]).await.context("read the rows of visits")?;
    for row in &rows {
        each(&event(row)?);
    }
    let is_full = i64::try_from(rows.len()).is_ok_and(|count| count >= STEP_ROWS);
    rows.last().filter(|_| is_full).map(|row| Ok(place(&event(row)?))).transpose()
}

/// Where an event is.
pub fn place(event: &Event<'_>) -> Position {
    Position { at: event.occurred_at, id: Uuid::from_u128(event.event_id).to_string() }
}

/// A condition of SQL: whether a row of an application makes visitors and visits ([`Event::is_of_visits`]).
pub(crate) fn of_visits(app_id: i32) -> String {
    format!(
        "(event_type NOT IN ('request', 'engagement') OR event_type = 'request' AND method = 'GET' \
         AND (status BETWEEN 200 AND 299 OR status = 304) AND coalesce(url_path, '') !~* '^[^#]*\\.({})(#|$)' \
         AND (SELECT page_views = 'requests' FROM applications WHERE id = {app_id}))",
        STATIC.join("|")
    )
}

/// A row of the time right behind a position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Later {
    /// Its visitor.
    pub visitor_id: i64,
    /// Microseconds since 1970.
    pub at: i64,
    /// It is of the type `engagement`: it has no visit of its own.
    pub is_engagement: bool,
    /// The page view that it is of.
    pub page_view_id: Option<i64>,
}

/// The rows of visits at a position and in [`GAP`] behind it, the earliest first: by them, a walk that goes on at the position
/// knows which visits it has seen. `None`: there are too many.
///
/// # Errors
/// The database cannot be asked.
pub async fn later(
    client: &Client,
    app_id: i32,
    class: &str,
    at: &Position,
) -> anyhow::Result<Option<Vec<Later>>> {
    let sql = format!(
        "SELECT visitor_id, occurred_at, event_type = 'engagement', page_view_id FROM access_logs \
         WHERE app_id = {app_id} AND occurred_at >= {from} AND occurred_at <= {} \
           AND (occurred_at > {from} OR event_id >= $1::text::uuid) \
           AND traffic_class = $2 AND (event_type = 'engagement' OR {visits}) AND visitor_id IS NOT NULL \
         ORDER BY occurred_at, event_id LIMIT {LATER_ROWS}",
        literal(at.at.saturating_add(GAP)),
        from = literal(at.at),
        visits = of_visits(app_id),
    );
    let parameters: [(&(dyn ToSql + Sync), Type); 2] = [(&at.id, Type::TEXT), (&class, Type::TEXT)];
    let rows = client.query_typed(&sql, &parameters).await.context("read the rows behind a cursor")?;
    if i64::try_from(rows.len()).is_ok_and(|count| count >= LATER_ROWS) {
        return Ok(None);
    }
    let later = |row: &tokio_postgres::Row| -> anyhow::Result<Later> {
        Ok(Later {
            visitor_id: row.try_get(0)?,
            at: micros(row.try_get(1)?),
            is_engagement: row.try_get(2)?,
            page_view_id: row.try_get(3)?,
        })
    };
    rows.iter().map(later).collect::<anyhow::Result<Vec<Later>>>().map(Some)
}
