//! The goals of an application.

use alt_statistics::query::Goal;
use alt_store::web::goals::{self, Refused};
use axum::http::StatusCode;
use serde_json::json;

use crate::Web;
use crate::ask::{Answer, Asked};
use crate::problem::Problem;

/// `GET /api/v1/goals`.
pub(crate) async fn list(_web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    let list = goals::list(asked.db()?, asked.app()?.id).await?;
    Ok(Answer::json(json!({ "goals": list })))
}

/// `POST /api/v1/goals`.
pub(crate) async fn add(_web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    let name = asked.text("name")?.ok_or_else(|| Problem::bad("name is missing"))?;
    let conditions = asked.texts("conditions")?.unwrap_or_default();
    let worth = asked.text("revenue")?;
    let goal = Goal::checked(name, asked.text("event")?, asked.text("page")?)
        .and_then(|goal| goal.only(&conditions))
        .and_then(|goal| worth.map_or(Ok(goal.clone()), |property| goal.worth(property)))
        .map_err(Problem::bad)?;
    match goals::add(asked.db()?, asked.app()?, &goal, &conditions).await? {
        Ok((kept, change)) => Ok(Answer::changed(StatusCode::CREATED, json!(kept), change)),
        Err(Refused::Exists) => Err(Problem::conflict("the application has a goal of this name")),
        Err(Refused::Full) => {
            Err(Problem::conflict("the application has as many goals as it may: remove one"))
        }
    }
}

/// `DELETE /api/v1/goals/{id}`.
pub(crate) async fn remove(_web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    match goals::remove(asked.db()?, asked.app()?, asked.key()?).await? {
        Some(change) => Ok(Answer::changed(StatusCode::OK, json!({ "removed": true }), change)),
        None => Err(Problem::not_found("there is no such goal; GET /api/v1/goals lists them")),
    }
}
