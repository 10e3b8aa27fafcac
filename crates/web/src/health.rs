//! Whether the API can answer, and the pages that describe it.

use serde_json::json;

use crate::Web;
use crate::ask::{Answer, Asked, Content};
use crate::problem::Problem;

/// `GET /health`, `GET /api/health`: whether the database answers.
pub(crate) async fn health(web: &Web, _asked: &Asked) -> Result<Answer, Problem> {
    web.pool.read().await?.end().await?;
    Ok(Answer::json(json!({ "status": "ok" })))
}

/// `GET /api/openapi.json`.
pub(crate) async fn openapi(web: &Web, _asked: &Asked) -> Result<Answer, Problem> {
    Ok(Answer::json(web.document.clone()))
}

/// `GET /docs`.
pub(crate) async fn docs(web: &Web, _asked: &Asked) -> Result<Answer, Problem> {
    Ok(Answer::of(Content::Html(web.page.clone())))
}

/// `GET /docs.css`.
pub(crate) async fn style(_web: &Web, _asked: &Asked) -> Result<Answer, Problem> {
    Ok(Answer::of(Content::Css(include_str!("docs.css"))))
}
