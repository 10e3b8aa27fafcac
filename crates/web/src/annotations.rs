//! Annotations: what happened on days of an application.

use alt_store::web::annotations::{self, Annotation, OF_APP_MAX, Seen, written};
use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::Web;
use crate::ask::{Answer, Asked};
use crate::problem::Problem;

/// The most annotations in an answer.
const LIST_MAX: i64 = 200;

/// Which annotations the caller sees: whoever may know of a part of the application, those that are public.
pub(crate) fn seen(asked: &Asked) -> Result<Seen, Problem> {
    let caller = asked.caller()?;
    let is_part = caller.is_share() || caller.filter.is_some();
    Ok(if is_part { Seen::Public } else { Seen::All })
}

/// `GET /api/v1/annotations`.
pub(crate) async fn list(_web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    let below = asked.parameter("cursor").map(|cursor| {
        let read = cursor.split_once('_').and_then(|(day, id)| Some((written(day)?, id.parse().ok()?)));
        read.ok_or_else(|| Problem::bad("cursor is `next` of an answer; leave it out to begin"))
    });
    let limit = asked.limit(100, LIST_MAX)?;
    // One more, to know whether there are more.
    let mut list =
        annotations::list(asked.db()?, asked.app()?.id, seen(asked)?, below.transpose()?, limit + 1).await?;
    let is_cut = i64::try_from(list.len()).is_ok_and(|len| len > limit);
    list.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let next = list.last().filter(|_| is_cut).map(|last| format!("{}_{}", last.day, last.id));
    Ok(Answer::json(json!({ "annotations": list, "next": next })))
}

/// `is_public` of the body.
fn is_public(asked: &Asked) -> Result<Option<bool>, Problem> {
    match asked.body.get("is_public") {
        None | Some(Value::Null) => Ok(None),
        Some(is) => is.as_bool().map(Some).ok_or_else(|| Problem::bad("is_public is true or false")),
    }
}

/// `POST /api/v1/annotations`.
pub(crate) async fn add(_web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    let app = asked.app()?;
    let day = asked.text("day")?.ok_or_else(|| Problem::bad("day is missing"))?;
    let text = asked.text("text")?.ok_or_else(|| Problem::bad("text is missing"))?;
    let new =
        Annotation::checked(app, day, text, is_public(asked)?.unwrap_or(false)).map_err(Problem::bad)?;
    match annotations::add(asked.db()?, app, &new).await? {
        Some((kept, change)) => Ok(Answer::changed(StatusCode::CREATED, json!(kept), change)),
        None => Err(Problem::conflict(format!(
            "the application has {OF_APP_MAX} annotations, which is the most: remove one"
        ))),
    }
}

fn none() -> Problem {
    Problem::not_found("there is no such annotation; GET /api/v1/annotations lists them")
}

/// `PATCH /api/v1/annotations/{id}`.
pub(crate) async fn change(_web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    let app = asked.app()?;
    let before = annotations::held(asked.db()?, app, asked.key()?).await?.ok_or_else(none)?;
    let (day, text) = (asked.text("day")?, asked.text("text")?);
    let is_public = is_public(asked)?;
    if day.is_none() && text.is_none() && is_public.is_none() {
        return Err(Problem::bad("write day, text or is_public"));
    }
    let (day, text) = (day.unwrap_or(&before.day), text.unwrap_or(&before.text));
    let new = Annotation::checked(app, day, text, is_public.unwrap_or(before.is_public));
    let (now, change) = annotations::change(asked.db()?, app, &before, &new.map_err(Problem::bad)?).await?;
    Ok(Answer::changed(StatusCode::OK, json!(now), change))
}

/// `DELETE /api/v1/annotations/{id}`.
pub(crate) async fn remove(_web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    match annotations::remove(asked.db()?, asked.app()?, asked.key()?).await? {
        Some(change) => Ok(Answer::changed(StatusCode::OK, json!({ "removed": true }), change)),
        None => Err(none()),
    }
}
