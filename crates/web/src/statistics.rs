//! Statistics by day, of the table `stat_daily`.

use alt_statistics::day::COUNTS;
use alt_store::stats::ask::{self, Asked as Days, Counted};
use alt_store::web::rows;
use axum::http::StatusCode;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use crate::Web;
use crate::ask::{Answer, Asked, Content, number};
use crate::csv::field;
use crate::period;
use crate::problem::Problem;

/// The most values of a dimension in an answer.
pub(crate) const VALUES_MAX: i64 = 1000;

/// How many minutes a visitor is a current one.
const LIVE_MINUTES: i32 = 5;

/// `GET /api/v1/statistics`, as JSON or CSV.
pub(crate) async fn statistics(_web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    let (db, app) = (asked.db()?, asked.app()?);
    let zone = TimeZone::get(&app.time_zone).unwrap_or(TimeZone::UTC);
    let today = Timestamp::now().to_zoned(zone).date();
    let period = period::of(asked.parameter("period").unwrap_or("7d"), today).map_err(Problem::bad)?;
    let class = asked.parameter("class").unwrap_or("human");
    let limit = asked.limit(100, VALUES_MAX)?;
    let compares = match asked.parameter("compare") {
        None => false,
        Some("previous") => true,
        Some(_) => return Err(Problem::bad("compare is previous")),
    };
    let days = Days { app_id: app.id, class, from: period.from, until: period.until };
    let by_day = ask::by_day(db, &days).await?;
    let values = match asked.parameter("dimension") {
        None => None,
        Some(dimension) => Some(top(asked, &days, dimension, limit).await?),
    };
    if asked.is_csv {
        let table = match &values {
            Some((values, _)) => csv("value", values),
            None => csv("day", &by_day),
        };
        return Ok(Answer { status: StatusCode::OK, content: Content::Csv(table), change: None });
    }
    let state = ask::state(db, Some(app.id)).await?;
    let left_out = ask::left_out(db, &days).await?;
    let mut answer = json!({
        "application": { "id": app.key, "name": app.name, "time_zone": app.time_zone },
        "period": { "from": period.from.to_string(), "until": period.until.to_string(), "is_over": period.is_over },
        "class": class,
        "is_complete": state.is_followed && state.is_done(),
        "days_being_computed": state.days,
        "rows_not_counted": state.frozen_rows,
        "total": sum(&by_day),
        "days": named("day", &by_day),
        "left_out": left_out.iter().map(|c| json!({ "class": c.name, "events": number(c.counts.events) })).collect::<Vec<_>>(),
    });
    if let Some((values, is_cut)) = &values {
        answer["dimension"] = json!(asked.parameter("dimension"));
        answer["values"] = json!(named("value", values));
        answer["values_are_cut"] = json!(is_cut);
    }
    if compares {
        let before = Days { from: period.before.0, until: period.before.1, ..days };
        let (from, until) = (before.from.to_string(), before.until.to_string());
        let total = sum(&ask::by_day(db, &before).await?);
        answer["compared_with"] = json!({ "from": from, "until": until, "total": total });
    }
    Ok(Answer::json(answer))
}

/// The values of a dimension, and whether there are more.
async fn top(
    asked: &Asked,
    days: &Days<'_>,
    dimension: &str,
    limit: i64,
) -> Result<(Vec<Counted>, bool), Problem> {
    let db = asked.db()?;
    let mut values = ask::top(db, days, dimension, limit + 1).await?;
    if values.is_empty() || dimension == "total" {
        let known = ask::dimensions(db, days).await?;
        if !known.is_empty() && !known.iter().any(|name| name == dimension) {
            return Err(Problem::bad(format!("dimension is one of {}", known.join(", "))));
        }
    }
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let is_cut = values.len() > most;
    values.truncate(most);
    Ok((values, is_cut))
}

fn counts_of(counted: &Counted) -> Map<String, Value> {
    COUNTS.iter().map(|count| (count.name.to_owned(), number((count.get)(&counted.counts)))).collect()
}

fn named(key: &str, all: &[Counted]) -> Vec<Value> {
    let one = |counted: &Counted| {
        let mut object = Map::from_iter([(key.to_owned(), json!(counted.name))]);
        object.extend(counts_of(counted));
        Value::Object(object)
    };
    all.iter().map(one).collect()
}

fn sum(days: &[Counted]) -> Value {
    let mut total = Counted { name: String::new(), counts: Default::default() };
    for day in days {
        total.counts += &day.counts;
    }
    Value::Object(counts_of(&total))
}

/// RFC 4180, with a line of names.
fn csv(key: &str, all: &[Counted]) -> String {
    let names: Vec<&str> = COUNTS.iter().map(|count| count.name).collect();
    let mut table = format!("{key},{}\r\n", names.join(","));
    for counted in all {
        table += &field(&counted.name);
        for count in COUNTS {
            table += &format!(",{}", (count.get)(&counted.counts));
        }
        table += "\r\n";
    }
    table
}

/// `GET /api/v1/live`: current visitors.
pub(crate) async fn live(_web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    let app = asked.app()?;
    let (visitors, events) = rows::live(asked.db()?, app.id, LIVE_MINUTES).await?;
    let count = |n: i64| number(u64::try_from(n).unwrap_or(0));
    let at = Timestamp::from_second(Timestamp::now().as_second()).unwrap_or_default();
    Ok(Answer::json(json!({
        "application": { "id": app.key, "name": app.name, "time_zone": app.time_zone },
        "at": at.to_string(),
        "minutes": LIVE_MINUTES,
        "visitors": count(visitors),
        "events": count(events),
    })))
}
