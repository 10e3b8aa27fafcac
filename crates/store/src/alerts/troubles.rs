//! Why rules are not judged, and since when: no daemon says how far it is, a question to the database failed, or nobody judges
//! at all. That is about the rules, and is never taken for a rule that holds.
//!
//! Whoever judges stores what it cannot judge, in a turn in which that changes. That nobody judges is stored by nobody: it is
//! seen by the time up to which an application is judged.

use std::collections::BTreeMap;
use std::time::SystemTime;

use alt_alerts::time::{Micros, SECOND};
use alt_process::clock::micros;
use anyhow::Context;
use serde::Serialize;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};

use super::INSTALLATION;
use super::rules;
use crate::stats::rows::is_too_long;

/// An application that is judged up to longer ago is not judged in time. What was judged is noted every 15 seconds.
pub const LATE: Micros = 60 * SECOND;

/// The most characters of what an attempt said.
const WHY_MAX: usize = 500;

/// In place of a rule: all rules of an application.
pub(super) const ALL_RULES: i32 = 0;

/// Why rules cannot be judged, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    reason: String,
    why: String,
}

impl Known {
    /// No daemon says how far its logs are loaded.
    pub(super) fn no_source() -> Known {
        Known { reason: "no_source".to_owned(), why: String::new() }
    }

    /// The rule tells too many series apart.
    pub(super) fn too_many() -> Known {
        Known { reason: "too_many".to_owned(), why: String::new() }
    }

    /// An attempt failed.
    pub(super) fn of(error: &anyhow::Error) -> Known {
        let reason = if is_too_long(error) { "too_slow" } else { "failed" };
        let why = crate::told(error).replace('\0', "").chars().take(WHY_MAX).collect();
        Known { reason: reason.to_owned(), why }
    }
}

/// By application and rule.
pub(super) type AllKnown = BTreeMap<(i32, i32), Known>;

/// Why which rules cannot be judged, as it is stored.
///
/// # Errors
/// The database cannot be asked.
pub(super) async fn known(client: &Client) -> anyhow::Result<AllKnown> {
    let sql = "SELECT app_id, rule_id, reason, why FROM alert_troubles";
    let rows = client.query_typed(sql, &[]).await.context("read which rules cannot be judged")?;
    let one = |row: &Row| ((row.get(0), row.get(1)), Known { reason: row.get(2), why: row.get(3) });
    Ok(rows.iter().map(one).collect())
}

/// Stores why rules cannot be judged; `None`: they can. It is the same trouble as long as there is any. Runs within a
/// transaction.
///
/// # Errors
/// The database does not do it.
pub(super) async fn note(client: &Client, changed: &[((i32, i32), Option<Known>)]) -> anyhow::Result<()> {
    for ((app_id, rule_id), known) in changed {
        let key: [(&(dyn ToSql + Sync), Type); 2] = [(app_id, Type::INT4), (rule_id, Type::INT4)];
        let done = match known {
            None => {
                let sql = "DELETE FROM alert_troubles WHERE app_id = $1 AND rule_id = $2";
                client.execute_typed(sql, &key).await
            }
            Some(Known { reason, why }) => {
                let [app, rule] = key;
                let sql = "INSERT INTO alert_troubles (app_id, rule_id, reason, why) VALUES ($1, $2, $3, $4) \
                           ON CONFLICT (app_id, rule_id) DO UPDATE SET reason = $3, why = $4";
                client.execute_typed(sql, &[app, rule, (reason, Type::TEXT), (why, Type::TEXT)]).await
            }
        };
        done.context("store which rules cannot be judged")?;
    }
    Ok(())
}

/// Whether a rule was skipped, because it tells too many series apart.
///
/// # Errors
/// The database cannot be asked.
pub(super) async fn has_skipped(client: &Client) -> anyhow::Result<bool> {
    let sql = "SELECT EXISTS (SELECT FROM alert_troubles WHERE reason = 'too_many')";
    Ok(client.query_typed_one(sql, &[]).await.context("look which rules were skipped")?.get(0))
}

/// Marks the times in which rules were skipped, and the day before, of which lines may have come late. Runs within a
/// transaction.
///
/// # Errors
/// The database does not do it.
pub(super) async fn mark_skipped(client: &Client) -> anyhow::Result<()> {
    let sql = "INSERT INTO alert_dirty (app_id, from_at, until_at) \
               SELECT app_id, min(since_at) - interval '1 day', clock_timestamp() FROM alert_troubles \
               WHERE reason = 'too_many' GROUP BY app_id";
    client.execute_typed(sql, &[]).await.context("mark when rules were skipped")?;
    Ok(())
}

/// Why the rules of an application, or of the installation, are not judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trouble {
    /// The public key of the application; empty: the installation.
    pub application_id: String,
    /// The name of the application.
    pub application: String,
    /// `no_source`, `too_many`, `too_slow`, `failed`; `late`: nobody judges, or it is far behind.
    pub reason: String,
    /// The name of the rule; `None`: all rules of the application.
    pub rule: Option<String>,
    /// Since when: UTC, RFC 3339.
    pub since: String,
    /// What the last attempt said, for those who run the installation.
    pub why: Option<String>,
}

impl Trouble {
    /// It, without what only those who run the installation may know: what failed may name anything.
    #[must_use]
    pub fn without_details(self) -> Trouble {
        Trouble { why: None, ..self }
    }
}

impl Trouble {
    /// Whether a rule with this name is not judged because of it, if it is one of the application.
    pub fn is_of(&self, rule: &str) -> bool {
        self.rule.as_deref().is_none_or(|name| name == rule)
    }
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let whose = match self.application.as_str() {
            "" => "the installation".to_owned(),
            name => format!("the application {name}"),
        };
        match &self.rule {
            Some(rule) => write!(f, "the rule {rule} of {whose} is not judged since {}: ", self.since)?,
            None => write!(f, "the rules of {whose} are not judged since {}: ", self.since)?,
        }
        f.write_str(match (self.reason.as_str(), &self.why) {
            ("no_source", _) => "no daemon says how far its logs are loaded; `alt check` says more",
            ("too_many", _) => {
                "it tells too many series apart: keep fewer events by a filter, or take a shorter window"
            }
            ("late", _) => {
                "no `alt run` with [alerts] enabled = true judges, or it is behind; `alt check` says more"
            }
            (_, Some(why)) => why,
            (_, None) => "`journalctl -u alt` says what prevents it",
        })
    }
}

/// Which rules are not judged, and why.
///
/// # Errors
/// The database cannot be asked.
pub async fn now(client: &Client, app_id: Option<i32>) -> anyhow::Result<Vec<Trouble>> {
    let rules = rules::present(client).await?;
    let sql = include_str!("../../../../sql/alert_troubles.sql");
    let parameters: [(&(dyn ToSql + Sync), Type); 2] = [(&INSTALLATION, Type::INT4), (&app_id, Type::INT4)];
    let rows = client.query_typed(sql, &parameters).await.context("look which rules are not judged")?;
    let trouble = |row: &Row| {
        let key: String = row.get(0);
        let its = rules.iter().filter(|version| version.judged().is_some_and(|rule| rule.is_of(&key)));
        // Of a rule that was just made, nothing is judged yet.
        let made = its.map(|version| version.made).min()?;
        let time = |n: usize| row.get::<_, Option<SystemTime>>(n).map(micros);
        let (noted, judged, created, clock) = (time(2), time(3), time(4), time(5)?);
        let since = noted.or(judged).unwrap_or_else(|| made.max(created.unwrap_or(made)));
        if noted.is_none() && since > clock - LATE {
            return None;
        }
        Some(Trouble {
            application_id: key,
            application: row.get(1),
            reason: row.get::<_, Option<String>>(6).unwrap_or_else(|| "late".to_owned()),
            rule: row.get(7),
            since: jiff::Timestamp::from_microsecond(since).ok()?.round(jiff::Unit::Second).ok()?.to_string(),
            why: row.get::<_, Option<String>>(8).filter(|why| !why.is_empty()),
        })
    };
    Ok(rows.iter().filter_map(trouble).collect())
}
