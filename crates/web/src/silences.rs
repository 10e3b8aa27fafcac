//! Silences of an application: times in which nobody is told of its alerts.

use std::collections::BTreeMap;

use alt_store::alerts::silences::{self, Silence, Wanted};
use alt_watch::time::SECOND;
use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::Web;
use crate::ask::{Answer, Asked, check_bound};
use crate::problem::Problem;

/// The most characters of a pattern, and of a note.
const PATTERN_MAX: usize = 200;
const NOTE_MAX: usize = 1000;

/// The most labels of a silence.
const LABELS_MAX: usize = 10;

/// The most silences that are not over.
const SILENCES_MAX: usize = 1000;

/// Whether a silence is about an application.
fn is_of(silence: &Silence, key: &str) -> bool {
    alt_watch::lens::is_like(&silence.application, key)
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

/// `POST /api/v1/silences`: of this application alone, from now on.
pub(crate) async fn add(_web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    check_bound(asked)?;
    let minutes = match asked.body.get("minutes").and_then(Value::as_i64) {
        Some(minutes @ 1..=43_200) => minutes,
        _ => return Err(Problem::bad("minutes is a number from 1 to 43200")),
    };
    let wanted = Wanted {
        rule: short(asked, "rule", PATTERN_MAX)?.filter(|rule| !rule.is_empty()).unwrap_or("*").to_owned(),
        application: asked.app()?.key.clone(),
        labels: labels(asked)?,
        span: minutes * 60 * SECOND,
        note: short(asked, "note", NOTE_MAX)?.map(str::to_owned),
    };
    let db = asked.db()?;
    if silences::list(db, false).await?.len() >= SILENCES_MAX {
        return Err(Problem::conflict("there are as many silences as there may be: end one"));
    }
    let (id, change) = silences::add(db, &wanted, &asked.caller()?.name).await?;
    Ok(Answer::changed(StatusCode::CREATED, json!({ "id": id }), change))
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
