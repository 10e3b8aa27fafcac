//! Silences of an application: times in which nobody is told of its alerts.

use std::collections::BTreeMap;

use alt_alerts::time::SECOND;
use alt_process::clock;
use alt_store::alerts::ask::{self, Asked as Which};
use alt_store::alerts::silences::{self, Lasts, NoneOpen, Silence, Wanted};
use alt_store::alerts::weekly::Weekly;
use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::Web;
use crate::ask::{Answer, Asked, check_bound};
use crate::problem::Problem;
use crate::rules::time_of;

/// The most characters of a pattern, and of a note.
const PATTERN_MAX: usize = 200;
const NOTE_MAX: usize = 1000;

/// The most minutes of a silence.
const MINUTES_MAX: i64 = 43_200;

/// The most characters of windows of the week.
const WEEKLY_MAX: usize = 1000;

/// The most labels of a silence.
const LABELS_MAX: usize = 10;

/// The most silences that are not over.
const SILENCES_MAX: usize = 1000;

/// Whether a silence is about an application.
fn is_of(silence: &Silence, key: &str) -> bool {
    alt_alerts::lens::is_like(&silence.application, key)
}

/// `GET /api/v1/silences`.
pub(crate) async fn list(_web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    check_bound(asked)?;
    let key = &asked.app()?.key;
    let all = silences::list(asked.db()?, false).await?;
    let told = |one: &Silence| {
        let mut value = json!(one);
        value["is_own"] = json!(one.application == *key);
        value
    };
    let its: Vec<Value> = all.iter().filter(|one| is_of(one, key)).map(told).collect();
    Ok(Answer::json(json!({ "silences": its })))
}

/// A text of the body with at most so many characters.
fn short<'a>(asked: &'a Asked, name: &str, most: usize) -> Result<Option<&'a str>, Problem> {
    match asked.text(name)? {
        Some(text) if text.chars().count() > most => {
            Err(Problem::bad(format!("{name} has at most {most} characters")))
        }
        text => Ok(text),
    }
}

fn labels(asked: &Asked) -> Result<BTreeMap<String, String>, Problem> {
    let wrong = || Problem::bad(format!("labels is an object of at most {LABELS_MAX} short texts"));
    let Some(given) = asked.body.get("labels").filter(|value| !value.is_null()) else {
        return Ok(BTreeMap::new());
    };
    let members = given.as_object().filter(|members| members.len() <= LABELS_MAX).ok_or_else(wrong)?;
    let is_short = |text: &str| text.chars().count() <= PATTERN_MAX && !text.contains('\0');
    let pair = |(name, value): (&String, &Value)| {
        let value = value.as_str().filter(|value| is_short(value) && is_short(name)).ok_or_else(wrong)?;
        Ok((name.clone(), value.to_owned()))
    };
    members.iter().map(pair).collect()
}

/// A member that is true or false; false if it is left out.
fn is_wanted(asked: &Asked, name: &str) -> Result<bool, Problem> {
    match asked.body.get(name) {
        None | Some(Value::Null) => Ok(false),
        Some(value) => value.as_bool().ok_or_else(|| Problem::bad(format!("{name} is true or false"))),
    }
}

/// How long the silence lasts: so many minutes, these or all of those in windows of the week, or until its alerts are over.
fn lasts(asked: &Asked) -> Result<Lasts, Problem> {
    let minutes = match asked.body.get("minutes").filter(|value| !value.is_null()) {
        None => None,
        Some(minutes) => match minutes.as_i64() {
            Some(minutes @ 1..=MINUTES_MAX) => Some(minutes * 60 * SECOND),
            _ => return Err(Problem::bad(format!("minutes is a number from 1 to {MINUTES_MAX}"))),
        },
    };
    let weekly = short(asked, "weekly", WEEKLY_MAX)?;
    match (minutes, weekly, is_wanted(asked, "until_resolved")?) {
        (None, None, true) => Ok(Lasts::UntilResolved),
        (_, Some(weekly), false) => {
            let zone = short(asked, "zone", PATTERN_MAX)?.unwrap_or("UTC");
            let weekly = Weekly::parse(weekly, zone).map_err(|why| Problem::bad(format!("weekly: {why}")))?;
            Ok(Lasts::Weekly(weekly, minutes))
        }
        (Some(span), None, false) => Ok(Lasts::For(span)),
        _ => {
            Err(Problem::bad("say how long: minutes; weekly, alone or with minutes; or until_resolved alone"))
        }
    }
}

/// A silence of this application alone, as the body says it.
fn wanted(asked: &Asked) -> Result<Wanted, Problem> {
    check_bound(asked)?;
    let (span, from) = (lasts(asked)?, time_of(asked, "from")?);
    let wrong = from.and_then(|from| silences::wrong_begin(from, &span, clock::now()));
    if let Some(why) = wrong {
        return Err(Problem::bad(format!("from: {why}")));
    }
    Ok(Wanted {
        rule: short(asked, "rule", PATTERN_MAX)?.filter(|rule| !rule.is_empty()).unwrap_or("*").to_owned(),
        application: asked.app()?.key.clone(),
        labels: labels(asked)?,
        span,
        from,
        note: short(asked, "note", NOTE_MAX)?.map(str::to_owned),
    })
}

/// `POST /api/v1/silences/preview`.
pub(crate) async fn preview(_web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    let wanted = wanted(asked)?;
    let (app_id, limit) = (Some(asked.app()?.id), ask::LIST_MAX);
    let which = Which { app_id, only_open: true, limit, ..Which::default() };
    let alerts = wanted.about(ask::list(asked.db()?, &which).await?);
    Ok(Answer::json(json!({ "alerts": alerts })))
}

/// `POST /api/v1/silences`: from now on, or from a later time on.
pub(crate) async fn add(_web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    let (wanted, db) = (wanted(asked)?, asked.db()?);
    if silences::list(db, false).await?.len() >= SILENCES_MAX {
        return Err(Problem::conflict("there are as many silences as there may be: end one"));
    }
    match silences::add(db, &wanted, &asked.caller()?.name).await {
        Ok((id, change)) => Ok(Answer::changed(StatusCode::CREATED, json!({ "id": id }), change)),
        Err(error) if error.is::<NoneOpen>() => Err(Problem::conflict(error.to_string())),
        Err(error) => Err(error.into()),
    }
}

/// `DELETE /api/v1/silences/{id}`: ends one of this application alone; owners of everything end others, too.
pub(crate) async fn end(_web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    check_bound(asked)?;
    let (id, key, db) = (asked.key()?, &asked.app()?.key, asked.db()?);
    let all = silences::list(db, false).await?;
    match all.iter().find(|one| one.id == id && is_of(one, key)) {
        None => Err(Problem::not_found("the application has no such silence that is not over")),
        Some(one) if one.application != *key && !asked.caller()?.owns_all() => {
            Err(Problem::forbidden("a token with the role owner of all applications: it silences several"))
        }
        Some(_) => {
            let change = silences::end(db, id).await?;
            Ok(Answer::changed(StatusCode::OK, json!({ "ended": true }), change))
        }
    }
}
