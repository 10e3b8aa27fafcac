//! A search of rows, the newest first.

use std::time::{Duration, Instant};

use alt_store::web::rows::{self, LAST_ID, Position, Wanted};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::Web;
use crate::ask::{Answer, Asked};
use crate::problem::Problem;

/// How long a request searches before it says how far it came.
const BUDGET: Duration = Duration::from_millis(1000);

/// The most rows in an answer.
pub(crate) const ROWS_MAX: i64 = 200;

/// An answer is not made larger than this.
const BYTES_MAX: usize = 1 << 20;

/// No event is older: the year 2000.
const FIRST: i64 = 946_684_800_000_000;
/// Nor younger: the year 3000.
const LAST: i64 = 32_503_680_000_000_000;

/// `GET /api/v1/events`, `GET /api/logs`.
pub(crate) async fn events(_web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    let text = |name| asked.parameter(name).map(str::to_owned);
    let wanted = Wanted {
        from: time(asked, "from")?.unwrap_or(FIRST),
        event_type: text("type"),
        path_prefix: text("path"),
        text: text("text"),
        trace_id: text("trace_id"),
        user_id: text("user_id"),
        session_id: text("session_id"),
    };
    answer(asked, wanted).await
}

/// `GET /api/logs/trace/{id}`: the rows of a trace.
pub(crate) async fn trace(_web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    let from = time(asked, "from")?.unwrap_or(FIRST);
    let trace_id = Some(asked.part("id").to_owned());
    answer(asked, Wanted { from, trace_id, ..Wanted::default() }).await
}

async fn answer(asked: &Asked, wanted: Wanted) -> Result<Answer, Problem> {
    let (db, app) = (asked.db()?, asked.app()?);
    let limit = usize::try_from(asked.limit(100, ROWS_MAX)?).unwrap_or(1);
    let until = time(asked, "until")?.unwrap_or(LAST);
    let mut position = match asked.parameter("cursor") {
        None => Position { at: until, id: LAST_ID.to_owned() },
        Some(cursor) => from_cursor(cursor).ok_or_else(|| {
            Problem::bad("cursor is `next` of an answer; leave it out to begin with the newest row")
        })?,
    };
    let started = Instant::now();
    let mut found: Vec<Box<RawValue>> = Vec::new();
    let mut bytes = 0;
    let next = loop {
        let most = i64::try_from((limit - found.len()).min(50)).unwrap_or(1);
        let step = rows::step(db, app.id, &wanted, &position, most).await?;
        for row in step.found {
            bytes += row.len();
            found.push(RawValue::from_string(row).map_err(|_| Problem::defect())?);
        }
        let Some(next) = step.next else { break None };
        if found.len() >= limit || bytes >= BYTES_MAX || started.elapsed() >= BUDGET {
            break Some(next);
        }
        position = next;
    };
    let searched_to = next.as_ref().map_or(wanted.from, |next| next.at);
    Ok(Answer::json(json!({
        "application": { "id": app.key, "name": app.name, "time_zone": app.time_zone },
        "events": found.iter().map(|row| serde_json::from_str(row.get()).unwrap_or(Value::Null)).collect::<Vec<_>>(),
        "is_complete": next.is_none(),
        "searched_back_to": Timestamp::from_microsecond(searched_to).unwrap_or_default().to_string(),
        "next": next.as_ref().map(to_cursor),
    })))
}

fn time(asked: &Asked, name: &str) -> Result<Option<i64>, Problem> {
    let Some(text) = asked.parameter(name) else { return Ok(None) };
    let at = text.parse::<Timestamp>().map(Timestamp::as_microsecond);
    match at {
        Ok(at) if (FIRST..=LAST).contains(&at) => Ok(Some(at)),
        _ => Err(Problem::bad(format!("{name} is a time with a zone, such as 2026-01-31T12:00:00Z"))),
    }
}

fn to_cursor(position: &Position) -> String {
    URL_SAFE_NO_PAD.encode(format!("{} {}", position.at, position.id))
}

/// `None`: it is no cursor of ours. It holds nothing that a caller may not choose.
fn from_cursor(cursor: &str) -> Option<Position> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let (at, id) = std::str::from_utf8(&bytes).ok()?.split_once(' ')?;
    let at = at.parse().ok().filter(|at| (FIRST..=LAST).contains(at))?;
    let dashes = [8, 13, 18, 23];
    let is_id = id.len() == LAST_ID.len()
        && id.bytes().enumerate().all(|(n, b)| match dashes.contains(&n) {
            true => b == b'-',
            false => b.is_ascii_hexdigit(),
        });
    is_id.then(|| Position { at, id: id.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_back_and_nothing_else_is_one() {
        let position = Position { at: 1_700_000_000_000_000, id: LAST_ID.to_owned() };
        assert_eq!(from_cursor(&to_cursor(&position)), Some(position));
        let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let wrong = ["", "x", "1 2", "-5 ffffffff-ffff-ffff-ffff-ffffffffffff", "1700000000000000 '; DROP"];
        for wrong in wrong {
            assert_eq!(from_cursor(&encode(wrong)), None, "{wrong}");
            assert_eq!(from_cursor(wrong), None, "{wrong}");
        }
    }
}
