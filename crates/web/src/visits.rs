//! `GET /api/v1/visits`: single visits, those that ended last first, from rows.
//!
//! Rows are read from the newest back, in steps, so that a request takes a bounded time whatever is asked for. A visit is
//! found at its last row, and told once no row can belong to it that was not read. A request that goes on at a cursor reads
//! the half hour behind it, by which it knows the visits that were told before.

use std::time::{Duration, Instant};

use alt_statistics::query::{Dimension, Filter};
use alt_store::search::{LAST, Position};
use alt_store::stats::visits;
use alt_store::web::goals;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::Web;
use crate::ask::{Answer, Asked};
use crate::problem::Problem;
use crate::walk::{Visit, Walk};
use crate::{period, statistics, times};

/// How long a request reads before it says how far it came.
const BUDGET: Duration = Duration::from_millis(1000);

/// The most visits in an answer.
const VISITS_MAX: i64 = 100;

/// Answers it.
pub(crate) async fn visits(_web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    let (db, app) = (asked.db()?, asked.app()?);
    let limit = usize::try_from(asked.limit(50, VISITS_MAX)?).unwrap_or(1);
    let filter = statistics::filter(asked, &asked.all("filter").collect::<Vec<&str>>()).await?;
    match filter.as_ref().and_then(not_of_visits) {
        None => {}
        Some(dimension) if dimension.is_said() => {
            let name = dimension.name();
            return Err(Problem::bad(format!(
                "visits cannot be filtered by {name}; filter by page, event, or goal"
            )));
        }
        Some(dimension) => {
            let name = dimension.name();
            return Err(Problem::bad(format!("visits cannot be filtered by {name}; choose a period")));
        }
    }
    let goals = match filter.as_ref().is_some_and(Filter::has_goal) {
        true => goals::of(db, app.id).await?,
        false => Vec::new(),
    };
    if let Some(name) = filter.as_ref().and_then(|filter| filter.unknown_goal(&goals)) {
        return Err(Problem::bad(format!("there is no goal {name:?}; GET /api/v1/goals lists them")));
    }
    let (from, until) = between(asked)?;
    let class = asked.parameter("class").unwrap_or("human");
    let mut walk = Walk::new(class, app);
    let mut position = Position::before(until - 1);
    if let Some(cursor) = asked.parameter("cursor") {
        position = cursor.parse().map_err(|()| {
            Problem::bad("cursor is `next` of an answer; leave it out to begin with the latest visit")
        })?;
        let later = visits::later(db, app.id, class, &position).await?;
        walk.has_seen(later.ok_or_else(|| {
            Problem::unavailable("there are too many rows around the cursor; ask for another period")
        })?);
    }
    let started = Instant::now();
    let (mut told, mut found): (Option<Position>, Vec<Value>) = (None, Vec::new());
    let mut is_over = false;
    let next = loop {
        while let Some(visit) = walk.next_whole((!is_over).then_some(position.at)) {
            told = Some(visit.last.clone());
            if filter.as_ref().is_none_or(|filter| visit.passes(filter, &goals)) {
                found.push(shown(&visit));
            }
            if found.len() >= limit {
                break;
            }
        }
        if found.len() >= limit || is_over {
            break (!is_over || walk.has_more()).then_some(told).flatten();
        }
        if started.elapsed() >= BUDGET {
            // Of a visit that goes on for longer than can be read at once, what was read is told.
            if told.is_none()
                && let Some(visit) = walk.cut()
            {
                told = Some(visit.last.clone());
                found.push(shown(&visit));
            }
            break Some(told.unwrap_or(position));
        }
        match visits::step(db, app.id, from, &position, |event| walk.read(event)).await? {
            Some(next) => position = next,
            None => is_over = true,
        }
    };
    let back_to = next.as_ref().map_or(from, |next| next.at);
    Ok(Answer::json(json!({
        "application": { "id": app.key, "name": app.name, "time_zone": app.time_zone },
        "visits": found,
        "is_complete": next.is_none(),
        "searched_back_to": time(back_to),
        "next": next.as_ref().map(Position::to_string),
    })))
}

/// The first and, behind it, the end of the days that are asked for, microseconds since 1970.
fn between(asked: &Asked) -> Result<(i64, i64), Problem> {
    let zone = TimeZone::get(&asked.app()?.time_zone).unwrap_or(TimeZone::UTC);
    let today = Timestamp::now().to_zoned(zone.clone()).date();
    let period = period::of(asked.parameter("period").unwrap_or("7d"), today).map_err(Problem::bad)?;
    let begin = |day| times::begin(day, &zone).map(|begin| begin.timestamp().as_microsecond());
    let end = period.until.tomorrow().ok().and_then(begin);
    Ok((begin(period.from).unwrap_or(0), end.unwrap_or(LAST)))
}

/// The first dimension of a filter that visits cannot be filtered by: a time, or what single events say.
fn not_of_visits(filter: &Filter) -> Option<Dimension> {
    match filter {
        Filter::All(all) | Filter::Any(all) => all.iter().find_map(not_of_visits),
        Filter::Not(filter) => not_of_visits(filter),
        Filter::On(dimension, _) => {
            use Dimension::{Day, Hour, HourOfDay, MinuteOfDay, Total};
            let is_time = matches!(dimension, Day | Hour | HourOfDay | MinuteOfDay | Total);
            (is_time || dimension.is_said()).then_some(*dimension)
        }
    }
}

fn time(at: i64) -> String {
    Timestamp::from_microsecond(at).unwrap_or_default().to_string()
}

fn shown(visit: &Visit) -> Value {
    let (first, last) = (visit.first, visit.last.at);
    let head = &visit.head;
    let views = visit.views();
    let end = |row: Option<&&crate::walk::Row>| row.map(|row| row.path.clone());
    json!({
        "visitor_id": visit.visitor.to_string(),
        "began_at": time(first),
        "last_event_at": time(last),
        "duration_ms": (visit.end() - first) / 1000,
        "page_views": views.len(),
        "events": visit.rows.len(),
        "entry_page": end(views.first()),
        "exit_page": end(views.last()),
        "source": head.source, "channel": head.channel, "campaign": head.campaign,
        "country": head.country, "language": head.language,
        "browser": head.browser, "os": head.os, "device": head.device,
        "is_authenticated": visit.is_authenticated,
        // Whether all its rows were read.
        "is_whole": visit.is_whole,
    })
}
