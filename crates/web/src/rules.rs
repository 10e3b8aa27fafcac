//! The rules of an application: those of its own, which its editors change, and those of several, which owners of
//! everything change.

use std::time::{Duration, Instant};

use alt_alerts::rule::{Rule, Test, parse_one};
use alt_alerts::time::{Micros, SECOND};
use alt_process::clock;
use alt_store::alerts::rules::{self, RULES_MAX, Version};
use alt_store::alerts::trial::{self, Answer as Found, GOING_MAX, Going, Question};
use alt_store::alerts::troubles::{self, Trouble};
use alt_store::web::caller::Role;
use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::Web;
use crate::ask::{Answer, Asked, check_bound};
use crate::problem::Problem;

/// How long an answer reads rows.
pub(crate) const BUDGET: Duration = Duration::from_millis(700);

/// How long a rule waits until another one was tried.
const WAIT: Duration = Duration::from_millis(700);

/// How much time a backtest is about, if nothing else is said, and at most.
const SINCE: Micros = 30 * 86_400 * SECOND;
const SINCE_MAX: Micros = 31 * 86_400 * SECOND;

/// How many points a backtest has at most.
const POINTS: i64 = 360;

/// The most bytes of a rule.
const TEXT_MAX: usize = 20_000;

/// A time as programs read it.
pub(crate) fn time(at: Micros) -> Option<String> {
    jiff::Timestamp::from_microsecond(at).map(|at| at.to_string()).ok()
}

/// The points of a chart.
pub(crate) fn points(found: &Found) -> Value {
    let point = |one: &trial::Point| json!({ "at": time(one.at), "low": one.low, "high": one.high });
    Value::Array(found.points.iter().map(point).collect())
}

/// Whether the caller may change a rule: an editor those of the application alone.
fn may_change(asked: &Asked, rule: &Rule) -> Result<bool, Problem> {
    Ok(rule.application == asked.app()?.key || asked.caller()?.owns_all())
}

/// Which rules of the application of the request are not judged. Whoever runs the installation is told what failed.
pub(crate) async fn troubles_of(asked: &Asked) -> Result<Vec<Trouble>, Problem> {
    let all = troubles::now(asked.db()?, Some(asked.app()?.id)).await?;
    let owns_all = asked.caller()?.owns_all();
    Ok(all.into_iter().map(|one| if owns_all { one } else { one.without_details() }).collect())
}

/// A rule, and whether the caller may change it.
fn told(asked: &Asked, version: &Version) -> Result<Value, Problem> {
    let may = version.rule.as_ref().map_or(Ok(false), |rule| may_change(asked, rule))?;
    let mut value = version.shown();
    value["may_change"] = json!(may && asked.caller()?.role(asked.app()?.id) >= Some(Role::Editor));
    Ok(value)
}

/// `GET /api/v1/alert-rules`.
pub(crate) async fn list(_web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    check_bound(asked)?;
    let key = &asked.app()?.key;
    let all = rules::present(asked.db()?).await?;
    // Of one that is not understood, it is not known of which applications it is.
    let owns_all = asked.caller()?.owns_all();
    let is_its = |version: &&Version| version.rule.as_ref().map_or(owns_all, |rule| rule.is_of(key));
    let its = all.iter().filter(is_its);
    let its = its.map(|version| told(asked, version)).collect::<Result<Vec<_>, _>>()?;
    Ok(Answer::json(json!({ "rules": its, "not_judged": troubles_of(asked).await? })))
}

/// The rule in the path, if it judges the application.
async fn found(asked: &Asked) -> Result<(Version, Rule), Problem> {
    check_bound(asked)?;
    let (id, key) = (asked.key()?, &asked.app()?.key);
    let all = rules::present(asked.db()?).await?;
    let of_app = all.into_iter().filter(|version| version.rule_id == id);
    let mut its =
        of_app.filter_map(|version| Some((version.clone(), version.rule.filter(|rule| rule.is_of(key))?)));
    its.next().ok_or_else(|| Problem::not_found("there is no such rule; GET /api/v1/alert-rules lists them"))
}

/// The rule in the path, if the caller may change it.
async fn own(asked: &Asked) -> Result<(Version, Rule), Problem> {
    let (version, rule) = found(asked).await?;
    match may_change(asked, &rule)? {
        true => Ok((version, rule)),
        false => Err(Problem::forbidden(
            "a token with the role owner of all applications: the rule judges several",
        )),
    }
}

/// `GET /api/v1/alert-rules/{id}`.
pub(crate) async fn show(_web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    let (version, _) = found(asked).await?;
    Ok(Answer::json(told(asked, &version)?))
}

/// A rule as its text says.
fn parsed(text: &str) -> Result<Rule, Problem> {
    if text.len() > TEXT_MAX {
        return Err(Problem::bad(format!("rule has at most {TEXT_MAX} bytes")));
    }
    of_application(parse_one(text).map_err(|why| Problem::of_rule(&why))?)
}

/// Refuses a rule that is of no application.
fn of_application(rule: Rule) -> Result<Rule, Problem> {
    if rule.lens.is_of_installation() {
        let why =
            "sample is of the installation, and of no application: `alt alerts rule add` adds such a rule";
        return Err(Problem::of_rule(why));
    }
    Ok(rule)
}

/// A rule for the application of the request alone.
fn narrowed(asked: &Asked, rule: Rule) -> Result<Rule, Problem> {
    let key = &asked.app()?.key;
    match rule.application.as_str() {
        "*" => rule.of_application(key).map_err(Problem::bad),
        own if own == key => Ok(rule),
        _ => Err(Problem::of_rule("application is another one: leave it out")),
    }
}

/// The value beyond which it is over.
pub(crate) fn recover(rule: &Rule) -> Option<f64> {
    match rule.test {
        Test::Compare { recover, .. } | Test::Change { recover, .. } | Test::Past { recover, .. } => recover,
        Test::Absent { .. } => None,
    }
}

/// `POST /api/v1/alert-rules`: a rule of the application alone.
pub(crate) async fn add(_web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    check_bound(asked)?;
    let text = asked.text("rule")?.ok_or_else(|| Problem::bad("rule is missing"))?;
    let rule = narrowed(asked, parsed(text)?)?;
    let all = rules::present(asked.db()?).await?;
    if all.iter().any(|version| version.name == rule.name) {
        return Err(Problem::conflict("there is a rule of this name"));
    }
    if all.len() >= RULES_MAX {
        return Err(Problem::conflict("there are as many rules as there may be: remove one"));
    }
    let change = rules::add(asked.db()?, &rule, None, false, &asked.caller()?.name).await?;
    let made = present(asked, &rule.name).await?;
    Ok(Answer::changed(StatusCode::CREATED, made, change))
}

/// The present version of the rule with a name.
async fn present(asked: &Asked, name: &str) -> Result<Value, Problem> {
    let all = rules::present(asked.db()?).await?;
    all.iter().find(|version| version.name == name).map_or(Ok(Value::Null), |version| told(asked, version))
}

/// `PUT /api/v1/alert-rules/{id}`: another version of it.
pub(crate) async fn change(_web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    let (version, before) = own(asked).await?;
    let by = &asked.caller()?.name;
    let is_on = match asked.body.get("enabled") {
        None | Some(Value::Null) => None,
        Some(Value::Bool(is_on)) => Some(*is_on),
        Some(_) => return Err(Problem::bad("enabled is true or false")),
    };
    let change = match (asked.text("rule")?, is_on) {
        (Some(text), None) => {
            let rule = parsed(text)?;
            // A rule of several applications stays one: only an owner of everything comes here with it.
            let is_of_several = before.application != asked.app()?.key;
            let rule = if is_of_several { rule } else { narrowed(asked, rule)? };
            if rule.name != version.name {
                return Err(Problem::of_rule(
                    "name is what its history is known by: add another rule, and remove this one",
                ));
            }
            if rule == before {
                return Err(Problem::conflict("the rule says this already"));
            }
            rules::add(asked.db()?, &rule, None, true, by).await?
        }
        (None, Some(is_on)) => {
            let change = rules::enable(asked.db()?, &version.name, is_on, by).await?;
            change.ok_or_else(|| Problem::conflict("the rule is so already"))?
        }
        _ => return Err(Problem::bad("either rule or enabled is needed")),
    };
    let now = present(asked, &version.name).await?;
    Ok(Answer::changed(StatusCode::OK, now, change))
}

/// `DELETE /api/v1/alert-rules/{id}`.
pub(crate) async fn remove(_web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    let (version, _) = own(asked).await?;
    let change = rules::remove(asked.db()?, &version.name, &asked.caller()?.name).await?;
    Ok(Answer::changed(StatusCode::OK, json!({ "removed": true }), change))
}

/// `POST /api/v1/alert-rules/backtest`.
pub(crate) async fn backtest(web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    check_bound(asked)?;
    let text = asked.text("rule")?.ok_or_else(|| Problem::bad("rule is missing"))?;
    let rule = parsed(text)?;
    let now = clock::now();
    let until = time_of(asked, "until")?.unwrap_or(now).min(now);
    let from = time_of(asked, "from")?.unwrap_or(until - SINCE);
    if from > until || until - from > SINCE_MAX {
        return Err(Problem::bad("from is before until, by 31 days at most"));
    }
    let going = going(asked)?;
    // The points of all answers of a backtest lie on one grid, whatever the first of them came to.
    let seconds = match asked.body.get("seconds") {
        None | Some(Value::Null) => ((until - from) / POINTS / SECOND).max(5),
        Some(seconds) => match seconds.as_i64() {
            Some(seconds @ 5..=86_400) => seconds,
            _ => return Err(Problem::bad("seconds is a number from 5 to 86400")),
        },
    };
    // Whoever does not wait any longer lets go of it: the request is dropped then.
    let Ok(Ok(_permit)) = tokio::time::timeout(WAIT, web.trials.acquire()).await else {
        return Err(Problem::unavailable("other rules are being tried; ask again"));
    };
    let step = seconds * SECOND;
    let question =
        Question { app_id: asked.app()?.id, rule: &rule, times: from..until, labels: None, step, going };
    let found = trial::answer(asked.db()?, &question, Instant::now() + BUDGET).await?;
    let is_complete = found.until + alt_alerts::time::SLOT > until;
    let alerts: Vec<Value> = found
        .alerts
        .iter()
        .map(|one| json!({ "labels": one.labels, "began": time(one.began), "ended": one.ended.and_then(time) }))
        .collect();
    Ok(Answer::json(json!({
        "from": time(from), "until": time(until), "read_until": time(found.until), "is_complete": is_complete,
        "next": (!is_complete).then(|| time(found.until)), "going": found.going, "seconds": seconds,
        "points": points(&found), "alerts": alerts, "is_cut": found.is_cut, "name": rule.name,
        "condition": rule.condition(), "threshold": rule.threshold(), "recover": recover(&rule),
        "unit": rule.unit(), "severity": rule.severity,
    })))
}

/// A time of the body.
pub(crate) fn time_of(asked: &Asked, name: &str) -> Result<Option<Micros>, Problem> {
    let read = |text: &str| {
        let at = text.parse::<jiff::Timestamp>().map(jiff::Timestamp::as_microsecond);
        at.map_err(|_| Problem::bad(format!("{name} is a time, such as 2026-01-31T12:00:00Z")))
    };
    asked.text(name)?.map(read).transpose()
}

/// What the answer before handed over.
fn going(asked: &Asked) -> Result<Vec<Going>, Problem> {
    let wrong = || Problem::bad("going is `going` of the answer before");
    let given =
        asked.body.get("going").filter(|value| !value.is_null()).cloned().unwrap_or_else(|| json!([]));
    let all: Vec<Going> = serde_json::from_value(given).map_err(|_| wrong())?;
    if all.len() > GOING_MAX { Err(wrong()) } else { Ok(all) }
}
