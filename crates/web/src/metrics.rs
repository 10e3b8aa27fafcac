//! Numbers that somebody sends of an application, which rules of alerts judge.

use alt_alerts::lens::is_of_installation;
use alt_alerts::looks::{NAME_MAX, is_name};
use alt_alerts::time::{Micros, SECOND};
use alt_process::clock;
use alt_store::alerts::samples::{self, AGE_MAX, Number, Numbers, Sent};
use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::Web;
use crate::ask::{Answer, Asked, check_bound};
use crate::problem::Problem;

/// The most numbers of a request.
const NUMBERS_MAX: usize = 50;

/// A sender's clock may be so far ahead.
const AHEAD: Micros = 60 * SECOND;

/// `POST /api/v1/metrics`.
pub(crate) async fn send(_web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    check_bound(asked)?;
    let (numbers, by) = (numbers(&asked.body["metrics"])?, &asked.caller()?.name);
    let sent = Sent {
        at: at(asked)?,
        host: name(asked, "host")?.unwrap_or(by),
        by,
        id: name(asked, "id")?,
        numbers: &numbers,
    };
    let is_new = samples::add(asked.db()?, asked.app()?.id, &sent).await?;
    let (status, count) = if is_new { (StatusCode::CREATED, numbers.len()) } else { (StatusCode::OK, 0) };
    Ok(Answer { status, ..Answer::json(json!({ "accepted": count })) })
}

/// A name in the body.
fn name<'a>(asked: &'a Asked, key: &str) -> Result<Option<&'a str>, Problem> {
    match asked.text(key)? {
        Some(name) if !is_name(name) => {
            Err(Problem::bad(format!("{key} is a text of 1 to {NAME_MAX} characters in one line")))
        }
        name => Ok(name),
    }
}

/// When the numbers were so.
fn at(asked: &Asked) -> Result<Micros, Problem> {
    let now = clock::now();
    let Some(text) = asked.text("at")? else { return Ok(now) };
    let at = text.parse::<jiff::Timestamp>().map(jiff::Timestamp::as_microsecond);
    let at = at.map_err(|_| Problem::bad("at is a time, such as 2026-01-31T12:00:00Z"))?;
    if at > now + AHEAD || at < now - AGE_MAX {
        return Err(Problem::bad("at is at most 90 days ago, and not in the future"));
    }
    Ok(at)
}

fn numbers(metrics: &Value) -> Result<Numbers, Problem> {
    let metrics = metrics
        .as_object()
        .ok_or_else(|| Problem::bad("metrics is an object of numbers, such as {\"orders\": 12}"))?;
    if metrics.is_empty() || metrics.len() > NUMBERS_MAX {
        return Err(Problem::bad(format!("metrics has 1 to {NUMBERS_MAX} numbers")));
    }
    metrics.iter().map(|(name, value)| number(name, value)).collect()
}

fn number(name: &str, value: &Value) -> Result<(String, Number), Problem> {
    let shown: String = name.chars().take(NAME_MAX).collect();
    if !is_name(name) {
        return Err(Problem::bad(format!(
            "metrics: {shown:?} is no name: it has 1 to {NAME_MAX} characters in one line"
        )));
    }
    if is_of_installation(name) {
        return Err(Problem::bad(format!(
            "metrics: {shown:?} is a name that daemons use; begin with another word"
        )));
    }
    let number = value.as_f64().and_then(samples::number).ok_or_else(|| {
        Problem::bad(format!(
            "metrics: {shown:?} is a number with at most 12 digits before the point; send a larger one in another unit"
        ))
    })?;
    Ok((name.to_owned(), number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_taken_exactly_or_refused_with_a_reason() {
        let good = numbers(&json!({ "orders": 12, "revenue": 99.95, "balance": -0.1, "zero": 0 })).unwrap();
        let told: Vec<String> = good.iter().map(|(name, number)| format!("{name}={number}")).collect();
        assert_eq!(told, ["balance=-0.1", "orders=12", "revenue=99.95", "zero=0"]);
        let many: serde_json::Map<String, Value> = (0..51).map(|n| (n.to_string(), json!(n))).collect();
        for (wrong, why) in [
            (json!(null), "an object of numbers"),
            (json!([1]), "an object of numbers"),
            (json!({}), "1 to 50 numbers"),
            (json!(many), "1 to 50 numbers"),
            (json!({ "orders": "12" }), "\"orders\" is a number"),
            (json!({ "orders": null }), "\"orders\" is a number"),
            (json!({ "orders": 1e12 }), "send a larger one in another unit"),
            (json!({ "orders": -1e300 }), "send a larger one in another unit"),
            (json!({ "": 1 }), "is no name"),
            (json!({ "a\nb": 1 }), "is no name"),
            (json!({ "a\u{0}b": 1 }), "is no name"),
            (json!({ "x".repeat(101): 1 }), "is no name"),
            (json!({ "host.load": 1 }), "a name that daemons use"),
        ] {
            let told = format!("{:?}", numbers(&wrong).expect_err("it is wrong"));
            assert!(told.replace('\\', "").contains(why), "{wrong}: {told}");
        }
    }
}
