//! The alerts of an application, and of all that a caller may see.

use std::time::Instant;

use alt_alerts::rule::Rule;
use alt_alerts::time::{Micros, SECOND, SLOT};
use alt_process::clock;
use alt_store::alerts::acts::{self, Deed};
use alt_store::alerts::ask::{self, Alert, Asked as Which};
use alt_store::alerts::explain;
use alt_store::alerts::figures;
use alt_store::alerts::silences::{self, Silence};
use alt_store::alerts::trial::{self, Question};
use alt_store::alerts::{INSTALLATION, keys, show as shown};
use alt_store::apps;
use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::Web;
use crate::ask::{Answer, Asked, check_bound};
use crate::problem::Problem;
use crate::rules::{BUDGET, points, recover, time, troubles_of};

/// How long an acknowledgement lasts, in minutes, if nothing else is said.
const ACKNOWLEDGED: i64 = 240;

/// The most characters of a note.
const NOTE_MAX: usize = 1000;

/// The most days of which alerts are counted.
const DAYS_MAX: i64 = 400;

/// The points of a chart of an alert, about.
const POINTS: i64 = 240;

/// The most alerts of all applications that are listed.
const ALL_MAX: i64 = 1000;

/// `GET /api/v1/alerts`.
pub(crate) async fn list(_web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    check_bound(asked)?;
    let before = asked.parameter("cursor").map(str::parse::<i64>).transpose();
    let severity = asked.parameter("severity").map(str::to_owned);
    let which = Which {
        app_id: Some(asked.app()?.id),
        rule: asked.parameter("rule").map(str::to_owned),
        only_open: match asked.parameter("state").unwrap_or("open") {
            "open" => true,
            "all" => false,
            _ => return Err(Problem::bad("state is open or all")),
        },
        severity,
        before: before.map_err(|_| Problem::bad("cursor is `next` of the answer before"))?,
        limit: asked.limit(100, 200)?,
    };
    let all = ask::list(asked.db()?, &which).await?;
    let open = shown::open(asked.db()?, asked.app()?.id).await?;
    let silences = silences::list(asked.db()?, true).await?;
    let is_full = i64::try_from(all.len()).is_ok_and(|count| count == which.limit);
    let next = all.last().filter(|_| is_full).map(|last| last.id.to_string());
    let all: Vec<Value> = all.iter().map(|alert| with_silence(alert, &silences)).collect();
    let not_judged = troubles_of(asked).await?;
    Ok(Answer::json(json!({ "alerts": all, "next": next, "open": open, "not_judged": not_judged })))
}

/// An alert, and whether nobody is told of it now.
fn with_silence(alert: &Alert, silences: &[Silence]) -> Value {
    let mut value = json!(alert);
    let is_silenced = alert.ended.is_none()
        && silences.iter().any(|one| one.is_of(&alert.rule, &alert.application_id, &alert.labels));
    value["is_silenced"] = json!(is_silenced);
    value
}

/// `GET /api/v1/open-alerts`.
pub(crate) async fn all_open(_web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    let caller = asked.caller()?;
    let number = |text: &str| text.parse::<i64>().ok().filter(|id| *id > 0);
    let id =
        asked.parameter("id").map(|id| number(id).ok_or_else(|| Problem::bad("id is a number from 1 on")));
    let id = id.transpose()?;
    // Those of the installation are of no application: owners of everything see them.
    let may_see = |app_id: i32| match app_id {
        INSTALLATION => caller.owns_all(),
        id => caller.filter.is_none() && caller.role(id).is_some(),
    };
    let (db, mut all) = (asked.db()?, Vec::new());
    if let Some(id) = id {
        all.extend(ask::find(db, id).await?.filter(|(_, app_id)| may_see(*app_id)).map(|(alert, _)| alert));
    } else if caller.filter.is_none() {
        let apps = apps::enabled(db).await?;
        let which = Which { only_open: true, limit: ALL_MAX, ..Which::default() };
        let is_its = |alert: &Alert| match alert.application_id.as_str() {
            "" => may_see(INSTALLATION),
            key => apps.iter().any(|app| app.key == key && may_see(app.id)),
        };
        all.extend(ask::list(db, &which).await?.into_iter().filter(is_its));
    }
    let silences = silences::list(db, true).await?;
    let all: Vec<Value> = all.iter().map(|alert| with_silence(alert, &silences)).collect();
    Ok(Answer::json(json!({ "alerts": all })))
}

/// `GET /api/v1/alert-statistics`.
pub(crate) async fn statistics(_web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    check_bound(asked)?;
    let days = match asked.parameter("days").map(str::parse::<i64>) {
        None => 30,
        Some(Ok(days @ 1..=DAYS_MAX)) => days,
        Some(_) => return Err(Problem::bad(format!("days is a number from 1 to {DAYS_MAX}"))),
    };
    let from = clock::now() - days * 86_400 * SECOND;
    let figures = figures::since(asked.db()?, Some(asked.app()?.id), from).await?;
    let mut said = json!(figures);
    said["from"] = json!(time(from));
    Ok(Answer::json(said))
}

/// The alert in the path, if it is one of the application.
async fn found(asked: &Asked) -> Result<Alert, Problem> {
    check_bound(asked)?;
    let none = || Problem::not_found("there is no such alert; GET /api/v1/alerts lists them");
    let id = asked.part("id").parse::<i64>().map_err(|_| none())?;
    match ask::find(asked.db()?, id).await? {
        Some((alert, app_id)) if app_id == asked.app()?.id => Ok(alert),
        _ => Err(none()),
    }
}

/// `GET /api/v1/alerts/{id}`.
pub(crate) async fn show(_web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    shown_with_history(asked, found(asked).await?, asked.app()?.id).await
}

/// `GET /api/v1/open-alerts/{id}`.
pub(crate) async fn show_own(_web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    shown_with_history(asked, found_own(asked).await?, INSTALLATION).await
}

/// An alert, with what became of it and why.
async fn shown_with_history(asked: &Asked, alert: Alert, app_id: i32) -> Result<Answer, Problem> {
    let db = asked.db()?;
    let history = ask::history(db, alert.id).await?;
    let silences = silences::list(db, true).await?;
    let explanation = explain::explain(db, &alert, app_id, &silences).await?;
    let alert = with_silence(&alert, &silences);
    Ok(Answer::json(json!({ "alert": alert, "history": history, "explanation": explanation })))
}

/// When the chart of an alert begins and ends: with as much before and after as the rule looks at, and no more than a day
/// of the alert itself.
fn around(alert: &Alert, rule: &Rule) -> std::ops::Range<Micros> {
    let now = clock::now();
    let began = shown::micros_of(&alert.began).unwrap_or(now);
    let ended = alert.ended.as_deref().and_then(shown::micros_of).unwrap_or(now);
    let ended = ended.min(began + 86_400 * SECOND).max(began);
    let pad =
        (2 * rule.window + rule.timing.wait).max((ended - began) / 4).clamp(600 * SECOND, 86_400 * SECOND);
    began - pad..(ended + pad).min(now).max(ended)
}

/// `GET /api/v1/alerts/{id}/samples`.
pub(crate) async fn samples(_web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    measured(asked, found(asked).await?, asked.app()?.id).await
}

/// `GET /api/v1/open-alerts/{id}/samples`.
pub(crate) async fn samples_own(_web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    measured(asked, found_own(asked).await?, INSTALLATION).await
}

/// What the rule of an alert measured around it.
async fn measured(asked: &Asked, alert: Alert, app_id: i32) -> Result<Answer, Problem> {
    let db = asked.db()?;
    let rule = shown::rule_of(db, &alert).await?;
    let rule = rule
        .ok_or_else(|| Problem::not_found("this version of alt does not understand the rule of the alert"))?;
    let times = around(&alert, &rule);
    let labels: &keys::Labels = &alert.labels;
    let step = ((times.end - times.start) / POINTS / SLOT).max(1) * SLOT;
    let question =
        Question { app_id, rule: &rule, times: times.clone(), labels: Some(labels), step, going: vec![] };
    let found = trial::answer(db, &question, Instant::now() + BUDGET).await?;
    Ok(Answer::json(json!({
        "from": time(times.start), "until": time(times.end), "read_until": time(found.until),
        "is_complete": found.until + SLOT > times.end, "seconds": step / SECOND, "points": points(&found),
        "began": alert.began, "ended": alert.ended, "rule": rule.text, "condition": rule.condition(),
        "threshold": rule.threshold(), "recover": recover(&rule), "unit": rule.unit(),
    })))
}

/// The alert in the path, if it is one of the installation.
async fn found_own(asked: &Asked) -> Result<Alert, Problem> {
    let none = || {
        Problem::not_found("there is no such alert of the installation; GET /api/v1/open-alerts lists them")
    };
    let id = asked.part("id").parse::<i64>().map_err(|_| none())?;
    let alert = ask::find(asked.db()?, id).await?.filter(|(_, app_id)| *app_id == INSTALLATION);
    alert.map(|(alert, _)| alert).ok_or_else(none)
}

/// `POST /api/v1/alerts/{id}/acknowledge`.
pub(crate) async fn acknowledge(_web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    act(asked, found(asked).await?, acknowledged(asked)?).await
}

/// `POST /api/v1/open-alerts/{id}/acknowledge`.
pub(crate) async fn acknowledge_own(_web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    act(asked, found_own(asked).await?, acknowledged(asked)?).await
}

/// `POST /api/v1/open-alerts/{id}/resolve`.
pub(crate) async fn resolve_own(_web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    act(asked, found_own(asked).await?, Deed::Resolve).await
}

/// For how long somebody looks after an alert.
fn acknowledged(asked: &Asked) -> Result<Deed, Problem> {
    let minutes = match asked.body.get("minutes") {
        None | Some(Value::Null) => ACKNOWLEDGED,
        Some(minutes) => match minutes.as_i64() {
            Some(minutes @ 1..=43_200) => minutes,
            _ => return Err(Problem::bad("minutes is a number from 1 to 43200")),
        },
    };
    Ok(Deed::Acknowledge(minutes * 60 * SECOND))
}

/// `POST /api/v1/alerts/{id}/resolve`.
pub(crate) async fn resolve(_web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    act(asked, found(asked).await?, Deed::Resolve).await
}

async fn act(asked: &Asked, alert: Alert, deed: Deed) -> Result<Answer, Problem> {
    let note = asked.text("note")?;
    if note.is_some_and(|note| note.chars().count() > NOTE_MAX) {
        return Err(Problem::bad(format!("note has at most {NOTE_MAX} characters")));
    }
    if alert.ended.is_some() {
        return Err(Problem::conflict("the alert is not open: there is nothing to do about it"));
    }
    let change = acts::act(asked.db()?, alert.id, deed, &asked.caller()?.name, note).await?;
    Ok(Answer::changed(StatusCode::OK, json!({ "alert": alert }), change))
}
