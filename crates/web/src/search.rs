//! A search of rows, the newest first.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use alt_store::search::{self, FIRST, LAST, Position, Wanted};
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

/// The most times of [`counts`].
const TIMES_MAX: i64 = 500;

/// `GET /api/v1/events`, `GET /api/logs`.
pub(crate) async fn events(_web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    answer(asked, wanted(asked)?).await
}

fn wanted(asked: &Asked) -> Result<Wanted, Problem> {
    let text = |name| asked.parameter(name).map(str::to_owned);
    let visitor = asked.parameter("visitor_id").map(str::parse::<i64>);
    Ok(Wanted {
        from: time(asked, "from")?.unwrap_or(FIRST),
        class: text("class"),
        status: asked.parameter("status").map(status).transpose()?,
        event_type: text("type"),
        path_prefix: text("path"),
        text: text("text"),
        trace_id: text("trace_id"),
        user_id: text("user_id"),
        session_id: text("session_id"),
        visitor_id: visitor.transpose().map_err(|_| Problem::bad("visitor_id is a number"))?,
    })
}

/// `GET /api/v1/events/counts`: how many events are wanted, by time.
pub(crate) async fn counts(_web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    let (db, app, wanted) = (asked.db()?, asked.app()?, wanted(asked)?);
    let until = time(asked, "until")?.unwrap_or_else(|| Timestamp::now().as_microsecond());
    let seconds = asked.parameter("seconds").map(str::parse::<i64>);
    let width = match seconds {
        Some(Ok(seconds @ 1..=86_400)) => seconds * 1_000_000,
        _ => return Err(Problem::bad("seconds is a number from 1 to 86400")),
    };
    if (until - wanted.from) / width > TIMES_MAX {
        return Err(Problem::bad(format!(
            "from and until are at most {TIMES_MAX} times of so many seconds apart"
        )));
    }
    let mut position = first(asked, until)?;
    let started = Instant::now();
    let mut times: BTreeMap<i64, i64> = BTreeMap::new();
    let next = loop {
        let (more, next) = search::count(db, app.id, &wanted, &position, width).await?;
        more.into_iter().for_each(|(at, count)| *times.entry(at).or_default() += count);
        match next {
            Some(next) if started.elapsed() < BUDGET => position = next,
            next => break next,
        }
    };
    let times = times.iter().map(|(at, count)| json!({ "at": text_of(*at), "events": count }));
    Ok(Answer::json(json!({
        "times": times.collect::<Vec<_>>(),
        "is_complete": next.is_none(),
        "searched_back_to": text_of(next.as_ref().map_or(wanted.from, |next| next.at)),
        "next": next.as_ref().map(Position::to_string),
    })))
}

/// Where a search begins: at the cursor, or at its last time.
fn first(asked: &Asked, until: i64) -> Result<Position, Problem> {
    match asked.parameter("cursor") {
        None => Ok(Position::before(until)),
        Some(cursor) => cursor.parse().map_err(|()| {
            Problem::bad("cursor is `next` of an answer; leave it out to begin with the newest row")
        }),
    }
}

fn text_of(at: i64) -> String {
    Timestamp::from_microsecond(at).unwrap_or_default().to_string()
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
    let mut position = first(asked, until)?;
    let started = Instant::now();
    let mut found: Vec<Box<RawValue>> = Vec::new();
    let mut bytes = 0;
    let next = loop {
        let most = i64::try_from((limit - found.len()).min(50)).unwrap_or(1);
        let step = search::step(db, app.id, &wanted, &position, most).await?;
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
        "searched_back_to": text_of(searched_to),
        "next": next.as_ref().map(Position::to_string),
    })))
}

fn status(text: &str) -> Result<(i16, i16), Problem> {
    search::status(text).ok_or_else(|| Problem::bad("status is a number such as 404, or a class such as 5xx"))
}

fn time(asked: &Asked, name: &str) -> Result<Option<i64>, Problem> {
    let Some(text) = asked.parameter(name) else { return Ok(None) };
    let at = text.parse::<Timestamp>().map(Timestamp::as_microsecond);
    match at {
        Ok(at) if (FIRST..=LAST).contains(&at) => Ok(Some(at)),
        _ => Err(Problem::bad(format!("{name} is a time with a zone, such as 2026-01-31T12:00:00Z"))),
    }
}
