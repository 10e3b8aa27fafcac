//! The exclusions of an application: whose hits do not count.

use alt_store::exclusions::{self, New, Refused};
use axum::http::StatusCode;
use serde_json::json;

use crate::Web;
use crate::ask::{Answer, Asked};
use crate::problem::Problem;

/// `GET /api/v1/exclusions`.
pub(crate) async fn list(_web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    let address = asked.address.as_deref().and_then(|address| address.parse().ok());
    let (list, own) = exclusions::list_for(asked.db()?, asked.app()?.id, address).await?;
    Ok(Answer::json(json!({ "exclusions": list, "your_address": own })))
}

/// `POST /api/v1/exclusions`.
pub(crate) async fn add(_web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    let kind = asked.text("kind")?.ok_or_else(|| Problem::bad("kind is missing"))?;
    let value = asked.text("value")?.ok_or_else(|| Problem::bad("value is missing"))?;
    let new = New::checked(kind, value, asked.text("note")?).map_err(Problem::bad)?;
    match exclusions::add(asked.db()?, asked.app()?, &new).await? {
        Ok((kept, change)) => Ok(Answer::changed(StatusCode::CREATED, json!(kept), change)),
        Err(refused @ (Refused::Exists | Refused::Full | Refused::NoList)) => {
            Err(Problem::conflict(refused.phrase()))
        }
    }
}

/// `DELETE /api/v1/exclusions/{id}`.
pub(crate) async fn remove(_web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    match exclusions::remove(asked.db()?, asked.app()?, asked.key()?).await? {
        Some(change) => Ok(Answer::changed(StatusCode::OK, json!({ "removed": true }), change)),
        None => Err(Problem::not_found("there is no such exclusion; GET /api/v1/exclusions lists them")),
    }
}
