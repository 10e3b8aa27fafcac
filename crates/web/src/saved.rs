//! Segments of people: filters that an application keeps under a name.

use alt_statistics::query::saved::Saved;
use alt_store::web::saved::{self, New, Refused, Seen, Visibility};
use axum::http::StatusCode;
use serde_json::json;

use crate::Web;
use crate::ask::{Answer, Asked};
use crate::problem::Problem;

/// The most segments in an answer.
const LIST_MAX: i64 = 200;

/// Which segments the caller sees. Whoever may know of a part of the application sees those that are public: what others are
/// called, and what they filter by, is known to those who see the whole of it.
pub(crate) fn seen(asked: &Asked) -> Result<Seen, Problem> {
    let caller = asked.caller()?;
    let is_part = caller.is_share() || caller.filter.is_some();
    Ok(if is_part { Seen::Part } else { Seen::Whole(caller.owner) })
}

/// `GET /api/v1/segments`.
pub(crate) async fn list(_web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    let above = asked.parameter("cursor").unwrap_or("");
    let limit = asked.limit(100, LIST_MAX)?;
    // One more, to know whether there are more.
    let mut list = saved::list(asked.db()?, asked.app()?.id, seen(asked)?, above, limit + 1).await?;
    let is_cut = i64::try_from(list.len()).is_ok_and(|len| len > limit);
    list.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let next = list.last().filter(|_| is_cut).map(|last| last.name.clone());
    Ok(Answer::json(json!({ "segments": list, "next": next })))
}

/// `visibility` of the body.
fn visibility(asked: &Asked) -> Result<Option<Visibility>, Problem> {
    let Some(name) = asked.text("visibility")? else { return Ok(None) };
    let bad = || Problem::bad("visibility is personal, shared or public");
    Visibility::named(name).ok_or_else(bad).map(Some)
}

/// A segment as the caller wants it.
async fn wanted(asked: &Asked, name: &str, filters: &[&str], visibility: Visibility) -> Result<New, Problem> {
    let saved = Saved::checked(name, filters);
    // A personal one that is seen is the caller's own.
    let person = asked.caller()?.owner;
    New::checked(asked.db()?, asked.app()?, saved, visibility, person).await?.map_err(Problem::bad)
}

fn refused(refused: Refused) -> Problem {
    Problem::conflict(refused.why())
}

/// `POST /api/v1/segments`.
pub(crate) async fn add(_web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    let name = asked.text("name")?.ok_or_else(|| Problem::bad("name is missing"))?;
    let filters = asked.texts("filters")?.ok_or_else(|| Problem::bad("filters are missing"))?;
    let new = wanted(asked, name, &filters, visibility(asked)?.unwrap_or(Visibility::Shared)).await?;
    let by = &asked.caller()?.name;
    let (kept, change) = saved::add(asked.db()?, asked.app()?, &new, by).await?.map_err(refused)?;
    Ok(Answer::changed(StatusCode::CREATED, json!(kept), change))
}

fn none() -> Problem {
    Problem::not_found("there is no such segment; GET /api/v1/segments lists them")
}

/// `PATCH /api/v1/segments/{id}`.
pub(crate) async fn change(_web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    let (db, app) = (asked.db()?, asked.app()?);
    let before = saved::held(db, app, seen(asked)?, asked.key()?).await?.ok_or_else(none)?;
    let (name, filters, visibility) = (asked.text("name")?, asked.texts("filters")?, visibility(asked)?);
    if name.is_none() && filters.is_none() && visibility.is_none() {
        return Err(Problem::bad("write name, filters or visibility"));
    }
    let filters = filters.unwrap_or_else(|| before.filters.iter().map(String::as_str).collect());
    let (name, visibility) = (name.unwrap_or(&before.name), visibility.unwrap_or(before.visibility));
    let new = wanted(asked, name, &filters, visibility).await?;
    let (now, change) = saved::change(db, app, &before, &new).await?.map_err(refused)?;
    Ok(Answer::changed(StatusCode::OK, json!(now), change))
}

/// `DELETE /api/v1/segments/{id}`.
pub(crate) async fn remove(_web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    let (db, app) = (asked.db()?, asked.app()?);
    let held = saved::held(db, app, seen(asked)?, asked.key()?).await?.ok_or_else(none)?;
    let change = saved::remove(db, app, &held).await?;
    Ok(Answer::changed(StatusCode::OK, json!({ "removed": true }), change))
}
