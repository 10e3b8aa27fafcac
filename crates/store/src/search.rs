//! A search of the rows of one application, from the newest back.
//!
//! A search reads rows in steps of a fixed number, along the index (application, time). So a step takes a bounded time
//! whatever is searched for, and a search that finds nothing can say how far it came.

use std::fmt;
use std::str::FromStr;

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
const LAST_ID: &str = "ffffffff-ffff-ffff-ffff-ffffffffffff";

/// No row is older: the year 2000, in microseconds since 1970.
pub const FIRST: i64 = 946_684_800_000_000;
/// Nor younger: the year 3000.
pub const LAST: i64 = 32_503_680_000_000_000;

impl Position {
    /// Before all rows of this time and of earlier times.
    pub fn before(at: i64) -> Position {
        Position { at, id: LAST_ID.to_owned() }
    }
}

/// As [`FromStr`] reads it: the time, a dot, the event id.
impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.at, self.id)
    }
}

/// Whoever asks may choose all of a position, so that nothing in it is secret; what is no position is an error.
impl FromStr for Position {
    type Err = ();

    fn from_str(text: &str) -> Result<Position, ()> {
        let (at, id) = text.split_once('.').ok_or(())?;
        let at = at.parse().ok().filter(|at| (FIRST..=LAST).contains(at)).ok_or(())?;
        let dashes = [8, 13, 18, 23];
        let is_id = id.len() == LAST_ID.len()
            && id.bytes().enumerate().all(|(n, b)| match dashes.contains(&n) {
                true => b == b'-',
                false => b.is_ascii_hexdigit(),
            });
        is_id.then(|| Position { at, id: id.to_owned() }).ok_or(())
    }
}

/// What is searched for; `None` is anything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The first time, microseconds since 1970.
    pub from: i64,
    /// Its traffic class.
    pub class: Option<String>,
    /// The lowest and the highest status of its answer.
    pub status: Option<(i16, i16)>,
    /// Its event type.
    pub event_type: Option<String>,
    /// How its path begins.
    pub path_prefix: Option<String>,
    /// A text in its path, query, title, referrer, user id, entity id or what the event says; upper and lower case are the same.
    pub text: Option<String>,
    /// Its trace id.
    pub trace_id: Option<String>,
    /// Its user id.
    pub user_id: Option<String>,
    /// Its session id.
    pub session_id: Option<String>,
    /// Its visitor.
    pub visitor_id: Option<i64>,
}

/// The statuses that a text names: `404`, or `5xx` for all from 500 to 599.
pub fn status(text: &str) -> Option<(i16, i16)> {
    match text.strip_suffix("xx") {
        Some(class) => class
            .parse()
            .ok()
            .filter(|class| (1..=9).contains(class))
            .map(|class: i16| (class * 100, class * 100 + 99)),
        None => {
            text.parse().ok().filter(|status| (100..=999).contains(status)).map(|status| (status, status))
        }
    }
}

/// What a step found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Rows as JSON objects, the newest first.
    pub found: Vec<String>,
    /// Where to go on; `None`: all rows were read.
    pub next: Option<Position>,
    /// The time of the newest row that was read, wanted or not, in microseconds since 1970.
    pub newest: Option<i64>,
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
    let rows = rows(client, app_id, wanted, before, most, None).await?;
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
    let newest = end.and_then(|end| end.get(4));
    Ok(Step { found, next, newest })
}

/// Counts those of the next [`STEP_ROWS`] rows before a position that are wanted, by times of `width` microseconds: when each
/// begins, and how many. Returns where to go on; `None`: all rows were read.
///
/// # Errors
/// The database cannot be asked.
pub async fn count(
    client: &Client,
    app_id: i32,
    wanted: &Wanted,
    before: &Position,
    width: i64,
) -> anyhow::Result<(Vec<(i64, i64)>, Option<Position>)> {
    let rows = rows(client, app_id, wanted, before, 0, Some(width)).await?;
    let Some(end) = rows.last() else { return Ok((Vec::new(), None)) };
    let (times, counts): (Option<Vec<i64>>, Option<Vec<i64>>) = (end.get(5), end.get(6));
    let next = (end.get::<_, i64>(3) >= STEP_ROWS).then(|| Position { at: end.get(1), id: end.get(2) });
    Ok((times.unwrap_or_default().into_iter().zip(counts.unwrap_or_default()).collect(), next))
}

async fn rows(
    client: &Client,
    app_id: i32,
    wanted: &Wanted,
    before: &Position,
    most: i64,
    width: Option<i64>,
) -> anyhow::Result<Vec<tokio_postgres::Row>> {
    let (least, greatest) = wanted.status.unzip();
    let parameters: [(&(dyn ToSql + Sync), Type); 17] = [
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
        (&wanted.class, Type::TEXT),
        (&least, Type::INT2),
        (&greatest, Type::INT2),
        (&wanted.visitor_id, Type::INT8),
        (&width, Type::INT8),
    ];
    let sql = include_str!("../../../sql/search_rows.sql");
    client.query_typed(sql, &parameters).await.context("search rows")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_read_back_and_nothing_else_is_one() {
        let position = Position::before(1_700_000_000_000_000);
        assert_eq!(position.to_string().parse(), Ok(position));
        let wrong = [
            "",
            "x",
            "1.2",
            "-5.ffffffff-ffff-ffff-ffff-ffffffffffff",
            "1700000000000000.'; DROP TABLE access_logs",
        ];
        for wrong in wrong {
            assert_eq!(wrong.parse::<Position>(), Err(()), "{wrong}");
        }
    }
}
