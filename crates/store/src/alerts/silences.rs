//! Silences: alerts of which nobody is told for a time.

use std::collections::BTreeMap;
use std::time::SystemTime;

use alt_alerts::lens::is_like;
use alt_alerts::time::{Micros, SECOND};
use alt_process::clock::{micros, system_time};
use anyhow::{Context, bail};
use serde::Serialize;
use serde_json::json;
use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};

use super::ask::Alert;
use super::weekly::Weekly;
use crate::web::audit::Change;

/// How long a silence lasts that comes each week, if nobody says.
const FOR_EVER: Micros = 3650 * 86_400 * SECOND;

/// A silence begins within this time.
pub const AHEAD_MAX: Micros = 400 * 86_400 * SECOND;

/// A silence that ends with alerts is over after this time, although they are open.
const RESOLVED_WITHIN: Micros = 30 * 86_400 * SECOND;

/// A silence.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Silence {
    /// Key.
    pub id: i32,
    /// Names of rules, in which `*` is any text.
    pub rule: String,
    /// Keys of applications, in which `*` is any text.
    pub application: String,
    /// Values of labels, in which `*` is any text.
    pub labels: BTreeMap<String, String>,
    /// UTC, RFC 3339.
    pub from: String,
    /// UTC, RFC 3339.
    pub until: String,
    /// Who made it.
    pub by: String,
    /// Why.
    pub note: Option<String>,
    /// Only in these windows of the week.
    pub weekly: Option<String>,
    /// The zone of `weekly`.
    pub zone: Option<String>,
    /// It ends with the alerts that were open when it was made, if that is earlier.
    pub until_resolved: bool,
}

impl Silence {
    /// Whether a time lies in its windows of the week.
    fn is_at(&self, now: Micros) -> bool {
        match (&self.weekly, &self.zone) {
            (Some(weekly), Some(zone)) => {
                Weekly::parse(weekly, zone).is_ok_and(|weekly| weekly.contains(now))
            }
            _ => true,
        }
    }

    /// Whether it is about an alert.
    pub fn is_of(&self, rule: &str, application: &str, labels: &BTreeMap<String, String>) -> bool {
        let is =
            |name: &String, pattern: &String| labels.get(name).is_some_and(|text| is_like(pattern, text));
        is_like(&self.rule, rule)
            && is_like(&self.application, application)
            && self.labels.iter().all(|(name, pattern)| is(name, pattern))
    }
}

/// An open alert, as silences know it.
struct Open {
    rule: String,
    application: String,
    labels: BTreeMap<String, String>,
    found: Micros,
}

/// The open alerts.
async fn open(client: &Client) -> anyhow::Result<Vec<Open>> {
    let sql = include_str!("../../../../sql/open_alerts.sql");
    let rows = client.query_typed(sql, &[]).await.context("read the open alerts")?;
    let one = |row: &tokio_postgres::Row| Open {
        rule: row.get(0),
        application: row.get(1),
        labels: serde_json::from_str(row.get(2)).unwrap_or_default(),
        found: row.get(3),
    };
    Ok(rows.iter().map(one).collect())
}

/// Whether one of the alerts is open that were, when a silence of them was made.
fn has_begun_with(silence: &Silence, made: Micros, open: &[Open]) -> bool {
    open.iter().any(|one| one.found <= made && silence.is_of(&one.rule, &one.application, &one.labels))
}

/// The silences that are not over; with `now_only`, those that hold messages back now.
///
/// # Errors
/// The database cannot be asked.
pub async fn list(client: &Client, now_only: bool) -> anyhow::Result<Vec<Silence>> {
    let time = crate::web::time;
    let sql = format!(
        "SELECT id, rule, application, labels::text, {}, {}, made_by, note, weekly, zone, until_resolved, from_at, \
         clock_timestamp() FROM alert_silences \
         WHERE until_at > clock_timestamp() AND (from_at <= clock_timestamp() OR NOT $1) ORDER BY id",
        time("from_at"),
        time("until_at")
    );
    let rows = client.query_typed(&sql, &[(&now_only, Type::BOOL)]).await.context("read the silences")?;
    let silence = |row: &tokio_postgres::Row| Silence {
        id: row.get(0),
        rule: row.get(1),
        application: row.get(2),
        labels: serde_json::from_str(row.get(3)).unwrap_or_default(),
        from: row.get(4),
        until: row.get(5),
        by: row.get(6),
        note: row.get(7),
        weekly: row.get(8),
        zone: row.get(9),
        until_resolved: row.get(10),
    };
    let time = |row: &tokio_postgres::Row, n: usize| micros(row.get::<_, SystemTime>(n));
    let now = rows.first().map_or(0, |row| time(row, 12));
    let mut all: Vec<(Silence, Micros)> = rows.iter().map(|row| (silence(row), time(row, 11))).collect();
    if all.iter().any(|(silence, _)| silence.until_resolved) {
        let open = open(client).await?;
        all.retain(|(silence, made)| !silence.until_resolved || has_begun_with(silence, *made, &open));
    }
    Ok(all
        .into_iter()
        .map(|(silence, _)| silence)
        .filter(|silence| !now_only || silence.is_at(now))
        .collect())
}

/// A silence as somebody wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Names of rules.
    pub rule: String,
    /// Keys of applications.
    pub application: String,
    /// Values of labels.
    pub labels: BTreeMap<String, String>,
    /// How long.
    pub span: Lasts,
    /// When it begins, not longer ahead than [`AHEAD_MAX`]; `None`: now.
    pub from: Option<Micros>,
    /// Why.
    pub note: Option<String>,
}

/// How long a silence lasts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lasts {
    /// So long.
    For(Micros),
    /// Until none of the alerts is open that are open now.
    UntilResolved,
    /// In windows of the week, so long, or until somebody ends it.
    Weekly(Weekly, Option<Micros>),
}

impl Lasts {
    fn span(&self) -> Micros {
        match self {
            Lasts::For(span) => *span,
            Lasts::Weekly(_, span) => span.unwrap_or(FOR_EVER),
            Lasts::UntilResolved => RESOLVED_WITHIN,
        }
    }

    fn weekly(&self) -> Option<&Weekly> {
        match self {
            Lasts::Weekly(weekly, _) => Some(weekly),
            _ => None,
        }
    }
}

impl Wanted {
    /// The silence that it would be.
    fn silence(&self) -> Silence {
        Silence {
            rule: self.rule.clone(),
            application: self.application.clone(),
            labels: self.labels.clone(),
            until_resolved: self.span == Lasts::UntilResolved,
            ..Silence::default()
        }
    }

    /// The open alerts, of `all`, that it would be about.
    pub fn about(&self, all: Vec<Alert>) -> Vec<Alert> {
        let silence = self.silence();
        let is = |alert: &Alert| silence.is_of(&alert.rule, &alert.application_id, &alert.labels);
        all.into_iter().filter(is).collect()
    }
}

/// There is no open alert with which a silence could end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoneOpen;

impl std::fmt::Display for NoneOpen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(
            "no alert is open that it is about, so there is none with which it could end: say for how long",
        )
    }
}

impl std::error::Error for NoneOpen {}

/// Why a silence cannot begin at a time. `None`: it can.
pub fn wrong_begin(from: Micros, span: &Lasts, now: Micros) -> Option<String> {
    if *span == Lasts::UntilResolved {
        return Some("a silence that ends with the alerts that are open now begins now".to_owned());
    }
    let days = AHEAD_MAX / (86_400 * SECOND);
    let is_within = from > now && from - now <= AHEAD_MAX;
    (!is_within)
        .then(|| format!("a silence begins now, or at a time that is to come, at most {days} days ahead"))
}

/// Makes a silence, within a transaction. Returns its key.
///
/// # Errors
/// [`NoneOpen`], or the database does not do it.
pub async fn add(client: &Client, wanted: &Wanted, by: &str) -> anyhow::Result<(i32, Change)> {
    let is_until_resolved = wanted.span == Lasts::UntilResolved;
    if is_until_resolved && !has_begun_with(&wanted.silence(), Micros::MAX, &open(client).await?) {
        bail!(NoneOpen);
    }
    let weekly = wanted.span.weekly();
    let (text, zone) = (weekly.map(Weekly::text), weekly.map(Weekly::zone));
    let labels = json!(wanted.labels).to_string();
    let begins = wanted.from.unwrap_or_else(alt_process::clock::now);
    let (until, from) =
        (system_time(begins.saturating_add(wanted.span.span())), wanted.from.map(system_time));
    let parameters: [(&(dyn ToSql + Sync), Type); 10] = [
        (&wanted.rule, Type::TEXT),
        (&wanted.application, Type::TEXT),
        (&labels, Type::TEXT),
        (&until, Type::TIMESTAMPTZ),
        (&by, Type::TEXT),
        (&wanted.note, Type::TEXT),
        (&text, Type::TEXT),
        (&zone, Type::TEXT),
        (&is_until_resolved, Type::BOOL),
        (&from, Type::TIMESTAMPTZ),
    ];
    // By the clock: an alert may have been found since the transaction began.
    let sql = "INSERT INTO alert_silences \
               (rule, application, labels, from_at, until_at, made_by, note, weekly, zone, until_resolved) \
               VALUES ($1, $2, $3::text::jsonb, coalesce($10, clock_timestamp()), $4, $5, $6, $7, $8, $9) RETURNING id";
    let id: i32 = client.query_typed_one(sql, &parameters).await.context("add the silence")?.get(0);
    let after = json!({ "rule": wanted.rule, "application": wanted.application, "labels": wanted.labels,
                        "from": wanted.from.map(|from| from / SECOND),
                        "seconds": wanted.span.span() / SECOND, "note": wanted.note,
                        "weekly": text, "zone": zone, "until_resolved": is_until_resolved });
    let object = format!("silence {id}");
    Ok((id, Change { action: "alert_silence.add", object, before: None, after: Some(after) }))
}

/// Ends a silence now, within a transaction.
///
/// # Errors
/// There is none that is not over, or the database does not do it.
pub async fn end(client: &Client, id: i32) -> anyhow::Result<Change> {
    let sql = "UPDATE alert_silences SET until_at = clock_timestamp() WHERE id = $1 AND until_at > clock_timestamp()";
    if client.execute_typed(sql, &[(&id, Type::INT4)]).await.context("end the silence")? == 0 {
        bail!("there is no silence {id} that is not over; `alt alerts silence list` shows those that are")
    }
    Ok(Change { action: "alert_silence.end", object: format!("silence {id}"), before: None, after: None })
}
