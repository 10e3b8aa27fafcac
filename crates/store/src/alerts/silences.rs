//! Silences: alerts of which nobody is told for a time.

use std::collections::BTreeMap;
use std::time::SystemTime;

use alt_process::clock::{micros, system_time};
use alt_watch::lens::is_like;
use alt_watch::time::Micros;
use anyhow::{Context, bail};
use serde::Serialize;
use serde_json::json;
use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};

use super::weekly::Weekly;
use crate::web::audit::Change;

/// A silence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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

/// The silences that are not over; with `now_only`, those that hold messages back now.
///
/// # Errors
/// The database cannot be asked.
pub async fn list(client: &Client, now_only: bool) -> anyhow::Result<Vec<Silence>> {
    let time = crate::web::time;
    let sql = format!(
        "SELECT id, rule, application, labels::text, {}, {}, made_by, note, weekly, zone, clock_timestamp() \
         FROM alert_silences \
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
    };
    let now = rows.first().map_or(0, |row| micros(row.get::<_, SystemTime>(10)));
    Ok(rows.iter().map(silence).filter(|silence| !now_only || silence.is_at(now)).collect())
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
    /// How long, from now.
    pub span: Micros,
    /// Why.
    pub note: Option<String>,
}

/// Makes a silence that begins now, within a transaction. Returns its key.
///
/// # Errors
/// The database does not do it.
pub async fn add(client: &Client, wanted: &Wanted, by: &str) -> anyhow::Result<(i32, Change)> {
    add_weekly(client, wanted, None, by).await
}

/// As [`add`]; it holds messages back in windows of the week alone.
///
/// # Errors
/// As [`add`].
pub async fn add_weekly(
    client: &Client,
    wanted: &Wanted,
    weekly: Option<&Weekly>,
    by: &str,
) -> anyhow::Result<(i32, Change)> {
    let (text, zone) = (weekly.map(Weekly::text), weekly.map(Weekly::zone));
    let labels = json!(wanted.labels).to_string();
    let until = system_time(alt_process::clock::now().saturating_add(wanted.span));
    let parameters: [(&(dyn ToSql + Sync), Type); 8] = [
        (&wanted.rule, Type::TEXT),
        (&wanted.application, Type::TEXT),
        (&labels, Type::TEXT),
        (&until, Type::TIMESTAMPTZ),
        (&by, Type::TEXT),
        (&wanted.note, Type::TEXT),
        (&text, Type::TEXT),
        (&zone, Type::TEXT),
    ];
    let sql = "INSERT INTO alert_silences (rule, application, labels, until_at, made_by, note, weekly, zone) \
               VALUES ($1, $2, $3::text::jsonb, $4, $5, $6, $7, $8) RETURNING id";
    let id: i32 = client.query_typed_one(sql, &parameters).await.context("add the silence")?.get(0);
    let after = json!({ "rule": wanted.rule, "application": wanted.application, "labels": wanted.labels,
                        "seconds": wanted.span / 1_000_000, "note": wanted.note,
                        "weekly": text, "zone": zone });
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
