//! Panels of people: questions that an application keeps under a name, their order, and their answers.

use alt_statistics::query::panel::{Drawing, Panel};
use alt_store::web::caller::Role;
use alt_store::web::panels::{self, Kept, New, Refused};
use alt_store::web::saved::Visibility;
use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::ask::{Answer, Asked, check_bound};
use crate::problem::Problem;
use crate::{Web, saved, statistics};

/// How many values a panel has, if nothing else is said.
const LIMIT: i32 = 10;

/// `GET /api/v1/panels`.
pub(crate) async fn list(_web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    let all = panels::list(asked.db()?, asked.app()?.id, saved::seen(asked)?).await?;
    Ok(Answer::json(json!({ "panels": all })))
}

/// A member of the body: what it says; `Some(None)`: it is `null`; `None`: it is left out.
fn member<'a>(asked: &'a Asked, name: &str) -> Result<Option<Option<&'a str>>, Problem> {
    match asked.body.get(name) {
        None => Ok(None),
        Some(_) => asked.text(name).map(Some),
    }
}

fn number(asked: &Asked, name: &str) -> Result<Option<i32>, Problem> {
    match asked.body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_i64().and_then(|number| i32::try_from(number).ok()) {
            Some(number) => Ok(Some(number)),
            None => Err(Problem::bad(format!("{name} is a whole number"))),
        },
    }
}

/// What the body makes of a panel; what is left out stays.
fn panel(asked: &Asked, before: Panel) -> Result<Panel, Problem> {
    let drawing = match asked.text("drawing")? {
        None => before.drawing,
        Some(name) => {
            Drawing::named(name).ok_or_else(|| Problem::bad("drawing is number, line, bars or table"))?
        }
    };
    let owned = |all: Vec<&str>| all.into_iter().map(str::to_owned).collect();
    let optional = |name: &str, before: Option<String>| -> Result<Option<String>, Problem> {
        Ok(member(asked, name)?
            .map_or(before, |text| text.filter(|text| !text.is_empty()).map(str::to_owned)))
    };
    let panel = Panel {
        name: asked.text("name")?.map_or(before.name, str::to_owned),
        drawing,
        metrics: asked.texts("metrics")?.map_or(before.metrics, owned),
        dimension: optional("dimension", before.dimension)?,
        interval: optional("interval", before.interval)?,
        filters: asked.texts("filters")?.map_or(before.filters, owned),
        sum: optional("sum", before.sum)?,
        limit: number(asked, "limit")?.unwrap_or(before.limit),
    };
    panel.checked().map_err(Problem::bad)
}

/// `visibility` of the body.
fn visibility(asked: &Asked) -> Result<Option<Visibility>, Problem> {
    let Some(name) = asked.text("visibility")? else { return Ok(None) };
    let bad = || Problem::bad("visibility is personal, shared or public");
    Visibility::named(name).ok_or_else(bad).map(Some)
}

/// Whoever sees an application has panels of his own; editors have those of all.
fn check_right(asked: &Asked, visibility: Visibility) -> Result<(), Problem> {
    let role = asked.caller()?.role(asked.app()?.id);
    if visibility == Visibility::Personal || role >= Some(Role::Editor) {
        return Ok(());
    }
    Err(Problem::forbidden(
        "a token with the role editor of the application, or `\"visibility\": \"personal\"`",
    ))
}

/// A panel as the caller wants it. A personal one that is seen is the caller's own.
fn wanted(asked: &Asked, panel: Panel, visibility: Visibility) -> Result<New, Problem> {
    check_right(asked, visibility)?;
    let person = asked.caller()?.owner.filter(|_| visibility == Visibility::Personal);
    Ok(New { panel, visibility, person })
}

fn refused(refused: Refused) -> Problem {
    match refused {
        Refused::Nobody => Problem::bad(refused.why()),
        Refused::Exists | Refused::Full => Problem::conflict(refused.why()),
    }
}

/// `POST /api/v1/panels`.
pub(crate) async fn add(_web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    check_bound(asked)?;
    for name in ["name", "drawing", "metrics"] {
        if asked.body.get(name).is_none_or(Value::is_null) {
            return Err(Problem::bad(format!("{name} is missing")));
        }
    }
    let none = Panel {
        name: String::new(),
        drawing: Drawing::Table,
        metrics: Vec::new(),
        dimension: None,
        interval: None,
        filters: Vec::new(),
        sum: None,
        limit: LIMIT,
    };
    let new = wanted(asked, panel(asked, none)?, visibility(asked)?.unwrap_or(Visibility::Personal))?;
    let by = &asked.caller()?.name;
    let (kept, change) = panels::add(asked.db()?, asked.app()?, &new, by).await?.map_err(refused)?;
    Ok(Answer::changed(StatusCode::CREATED, json!(kept), change))
}

fn none() -> Problem {
    Problem::not_found("there is no such panel; GET /api/v1/panels lists them")
}

/// The panel that the path names, if the caller sees it and may change it; held until the transaction ends.
async fn held(asked: &Asked) -> Result<Kept, Problem> {
    check_bound(asked)?;
    let held = panels::held(asked.db()?, asked.app()?.id, saved::seen(asked)?, asked.key()?).await?;
    let held = held.ok_or_else(none)?;
    check_right(asked, held.visibility)?;
    Ok(held)
}

/// `PATCH /api/v1/panels/{id}`.
pub(crate) async fn change(_web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    let before = held(asked).await?;
    if asked.body.as_object().is_none_or(serde_json::Map::is_empty) {
        return Err(Problem::bad(
            "write what is to be changed: name, place, visibility or a part of the question",
        ));
    }
    let visibility = visibility(asked)?.unwrap_or(before.visibility);
    let new = wanted(asked, panel(asked, before.panel())?, visibility)?;
    let place = number(asked, "place")?;
    if place.is_some_and(|place| place < 1) {
        return Err(Problem::bad("place is a number from 1"));
    }
    let (now, change) =
        panels::change(asked.db()?, asked.app()?, &before, &new, place).await?.map_err(refused)?;
    Ok(Answer::changed(StatusCode::OK, json!(now), change))
}

/// `DELETE /api/v1/panels/{id}`.
pub(crate) async fn remove(_web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    let held = held(asked).await?;
    let change = panels::remove(asked.db()?, asked.app()?, &held).await?;
    Ok(Answer::changed(StatusCode::OK, json!({ "removed": true }), change))
}

/// `GET /api/v1/panels/{id}/statistics`, as JSON or CSV.
pub(crate) async fn answer(web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    let kept = panels::one(asked.db()?, asked.app()?.id, saved::seen(asked)?, asked.key()?).await?;
    statistics::of_panel(web, asked, &kept.ok_or_else(none)?.panel()).await
}
