//! `GET /api/v1/funnel`: how many visitors took one step after the other.

use alt_statistics::query::{Dimension, Funnel, Query, Within};
use alt_store::stats::segments;
use alt_store::web::goals;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::Web;
use crate::ask::{Answer, Asked, number};
use crate::problem::Problem;
use crate::{period, statistics};

/// Answers it.
pub(crate) async fn funnel(web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    let (db, app) = (asked.db()?, asked.app()?);
    let zone = TimeZone::get(&app.time_zone).unwrap_or(TimeZone::UTC);
    let today = Timestamp::now().to_zoned(zone).date();
    let period = period::of(asked.parameter("period").unwrap_or("7d"), today).map_err(Problem::bad)?;
    let within = match asked.parameter("within") {
        None | Some("session") => Within::Session,
        Some("day") => Within::Day,
        Some(_) => return Err(Problem::bad("within is session or day")),
    };
    let is_strict = match asked.parameter("strict") {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(Problem::bad("strict is true or false")),
    };
    let goals = goals::of(db, app.id).await?;
    let filter = statistics::filter(asked, &asked.all("filter").collect::<Vec<&str>>()).await?;
    if let Some(name) = filter.as_ref().and_then(|filter| filter.unknown_goal(&goals)) {
        return Err(Problem::bad(format!("there is no goal {name:?}; GET /api/v1/goals lists them")));
    }
    let texts: Vec<&str> = asked.all("step").collect();
    let funnel = Funnel::read(&texts, within, is_strict, &goals).map_err(Problem::bad)?;
    let query = Query {
        dimension: Dimension::Funnel,
        filter,
        classes: vec![asked.parameter("class").unwrap_or("human").to_owned()],
        domains: app.domains.clone(),
        goals,
        funnel: Some(funnel),
        bound: asked.bound()?,
        ..Query::default()
    };
    let days = period.days();
    let mut answers = web.segments.ask(db, app.id, days, vec![query], None).await?;
    let answer = answers.pop().ok_or_else(Problem::defect)?;
    let behind = segments::behind(db, app.id, days.from, days.until).await?;
    let step = |(n, text): (usize, &&str)| -> Value {
        let name = (n + 1).to_string();
        let counts = answer.rows.iter().find(|row| row.value == name).map(|row| row.tally.counts);
        let counts = counts.unwrap_or_default();
        let sessions = (within == Within::Session).then(|| number(counts.sessions));
        json!({ "step": text, "visitors": number(counts.visitors), "sessions": sessions })
    };
    Ok(Answer::json(json!({
        "application": { "id": app.key, "name": app.name, "time_zone": app.time_zone },
        "period": { "from": period.from.to_string(), "until": period.until.to_string(), "is_over": period.is_over },
        "visitors": number(answer.total.counts.visitors),
        "steps": texts.iter().enumerate().map(step).collect::<Vec<Value>>(),
        "as_of": behind.as_of,
        "is_partial": behind.without > 0 || behind.imported > 0,
        "notes": answer.notes.iter().map(|note| statistics::note(*note)).collect::<Vec<_>>(),
    })))
}
