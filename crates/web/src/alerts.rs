//! The alerts and the rules of an application.

use alt_store::alerts::acts::{self, Deed};
use alt_store::alerts::ask::{self, Alert, Asked as Which};
use alt_store::alerts::rules::{self, RULES_MAX, Version};
use alt_watch::rule::parse_one;
use alt_watch::time::SECOND;
use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::Web;
use crate::ask::{Answer, Asked};
use crate::problem::Problem;

/// How long an acknowledgement lasts, in minutes, if nothing else is said.
const ACKNOWLEDGED: i64 = 240;

/// The most characters of a note.
const NOTE_MAX: usize = 1000;

/// Alerts are made of all events: whoever may see some of them alone sees none.
fn check_bound(asked: &Asked) -> Result<(), Problem> {
    match asked.caller()?.filter {
        None => Ok(()),
        Some(_) => Err(Problem::forbidden("a token that is bound to no filter")),
    }
}

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
    let is_full = i64::try_from(all.len()).is_ok_and(|count| count == which.limit);
    let next = all.last().filter(|_| is_full).map(|last| last.id.to_string());
    Ok(Answer::json(json!({ "alerts": all, "next": next })))
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
    let alert = found(asked).await?;
    let history = ask::history(asked.db()?, alert.id).await?;
    Ok(Answer::json(json!({ "alert": alert, "history": history })))
}

/// `POST /api/v1/alerts/{id}/acknowledge`.
pub(crate) async fn acknowledge(_web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    let minutes = match asked.body.get("minutes") {
        None | Some(Value::Null) => ACKNOWLEDGED,
        Some(minutes) => match minutes.as_i64() {
            Some(minutes @ 1..=43_200) => minutes,
            _ => return Err(Problem::bad("minutes is a number from 1 to 43200")),
        },
    };
    act(asked, Deed::Acknowledge(minutes * 60 * SECOND)).await
}

/// `POST /api/v1/alerts/{id}/resolve`.
pub(crate) async fn resolve(_web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    act(asked, Deed::Resolve).await
}

async fn act(asked: &Asked, deed: Deed) -> Result<Answer, Problem> {
    let alert = found(asked).await?;
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

/// Whether a rule is of an application alone.
fn is_own(version: &Version, key: &str) -> bool {
    version.rule.as_ref().is_some_and(|rule| rule.application == key)
}

/// `GET /api/v1/alert-rules`.
pub(crate) async fn list_rules(_web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    check_bound(asked)?;
    let key = &asked.app()?.key;
    let all = rules::present(asked.db()?).await?;
    let its = all.iter().filter(|version| version.rule.as_ref().is_some_and(|rule| rule.is_of(key)));
    Ok(Answer::json(json!({ "rules": its.map(Version::shown).collect::<Vec<_>>() })))
}

/// `GET /api/v1/alert-rules/{id}`.
pub(crate) async fn show_rule(_web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    check_bound(asked)?;
    let (id, key) = (asked.key()?, &asked.app()?.key);
    let all = rules::present(asked.db()?).await?;
    let is_it = |version: &&Version| {
        version.rule_id == id && version.rule.as_ref().is_some_and(|rule| rule.is_of(key))
    };
    match all.iter().find(is_it) {
        Some(version) => Ok(Answer::json(version.shown())),
        None => Err(Problem::not_found("there is no such rule; GET /api/v1/alert-rules lists them")),
    }
}

/// `POST /api/v1/alert-rules`: a rule of the application alone.
pub(crate) async fn add_rule(_web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    check_bound(asked)?;
    let text = asked.text("rule")?.ok_or_else(|| Problem::bad("rule is missing"))?;
    let key = &asked.app()?.key;
    let rule = parse_one(text).map_err(Problem::bad)?;
    let rule = match rule.application.as_str() {
        "*" => rule.of_application(key).map_err(Problem::bad)?,
        own if own == key => rule,
        _ => return Err(Problem::bad("application is another one: leave it out")),
    };
    let all = rules::present(asked.db()?).await?;
    if all.iter().any(|version| version.name == rule.name) {
        return Err(Problem::conflict("there is a rule of this name"));
    }
    if all.len() >= RULES_MAX {
        return Err(Problem::conflict("there are as many rules as there may be: remove one"));
    }
    let change = rules::add(asked.db()?, &rule, None, false, &asked.caller()?.name).await?;
    let all = rules::present(asked.db()?).await?;
    let made = all.iter().find(|version| version.name == rule.name).map(Version::shown);
    Ok(Answer::changed(StatusCode::CREATED, json!(made), change))
}

/// `DELETE /api/v1/alert-rules/{id}`: a rule of the application alone.
pub(crate) async fn remove_rule(_web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    check_bound(asked)?;
    let (id, key) = (asked.key()?, &asked.app()?.key);
    let all = rules::present(asked.db()?).await?;
    let Some(version) = all.iter().find(|version| version.rule_id == id && is_own(version, key)) else {
        return Err(Problem::not_found("the application has no such rule of its own"));
    };
    let change = rules::remove(asked.db()?, &version.name, &asked.caller()?.name).await?;
    Ok(Answer::changed(StatusCode::OK, json!({ "removed": true }), change))
}
