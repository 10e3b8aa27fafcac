//! What people ask of alerts.

use std::collections::BTreeMap;

use anyhow::Context;
use serde::Serialize;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};

/// The most alerts that are listed at once.
pub const LIST_MAX: i64 = 1000;

/// How it stands with alerts as a whole.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct State {
    /// Rules that are judged.
    pub rules: i64,
    /// How many seconds ago the application that is farthest behind was judged up to; `None`: none ever was.
    pub behind_seconds: Option<f64>,
    /// Times that wait to be judged.
    pub marks: i64,
    /// Applications whose rules cannot be judged; the installation counts as one.
    pub troubled: i64,
    /// Messages that are due.
    pub due: i64,
    /// For how many seconds the oldest of them has waited since it was enqueued.
    pub oldest_due_seconds: Option<f64>,
    /// Messages that were given up in the last day.
    pub dead: i64,
    /// Open alerts, by severity.
    pub open: BTreeMap<String, i64>,
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let open: i64 = self.open.values().sum();
        write!(f, "{open} open, {} rules", self.rules)?;
        if let Some(behind) = self.behind_seconds.filter(|_| self.rules > 0) {
            write!(f, ", judged up to {behind:.0} s ago")?;
        }
        if self.troubled > 0 {
            write!(f, ", the rules of {} applications cannot be judged", self.troubled)?;
        }
        if self.due > 0 {
            write!(f, ", {} messages due", self.due)?;
        }
        if self.dead > 0 {
            write!(f, ", {} messages given up in the last day", self.dead)?;
        }
        Ok(())
    }
}

/// How it stands.
///
/// # Errors
/// The database cannot be asked.
pub async fn state(client: &Client) -> anyhow::Result<State> {
    let sql = include_str!("../../../../sql/alert_state.sql");
    let row = client.query_typed_one(sql, &[]).await.context("ask how it stands with alerts")?;
    let sql = "SELECT severity, count(*) FROM alert_episodes WHERE ended_at IS NULL GROUP BY severity";
    let open = client.query_typed(sql, &[]).await.context("count the open alerts")?;
    Ok(State {
        rules: row.get(0),
        behind_seconds: row.get(1),
        marks: row.get(2),
        troubled: row.get(3),
        due: row.get(4),
        oldest_due_seconds: row.get(5),
        dead: row.get(6),
        open: open.iter().map(|row| (row.get(0), row.get(1))).collect(),
    })
}

/// An alert.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Alert {
    /// Its number.
    pub id: i64,
    /// The name of its rule.
    pub rule: String,
    /// The public key of its application.
    pub application_id: String,
    /// The name of its application.
    pub application: String,
    /// What tells it from others of its rule.
    pub labels: BTreeMap<String, String>,
    /// low, medium, high, critical.
    pub severity: String,
    /// active, acknowledged, recovering, resolved, corrected, superseded.
    pub state: String,
    /// What is the matter.
    pub title: String,
    /// What was measured when it began.
    pub value: Option<f64>,
    /// What that was compared with.
    pub threshold: Option<f64>,
    /// When it began, in the time of the events: UTC, RFC 3339.
    pub began: String,
    /// When it ended.
    pub ended: Option<String>,
    /// A person ended it.
    pub by_hand: bool,
    /// It was judged while a source was behind.
    pub partial: bool,
    /// The alert of which it is a part.
    pub superseded_by: Option<i64>,
}

/// Which alerts are listed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// Those of this application.
    pub app_id: Option<i32>,
    /// Those of the rule with this name.
    pub rule: Option<String>,
    /// Those that are open.
    pub only_open: bool,
    /// Those with this severity.
    pub severity: Option<String>,
    /// Those with smaller numbers.
    pub before: Option<i64>,
    /// At most so many.
    pub limit: i64,
}

/// Alerts, the newest first.
///
/// # Errors
/// The database cannot be asked.
pub async fn list(client: &Client, asked: &Asked) -> anyhow::Result<Vec<Alert>> {
    let limit = asked.limit.clamp(1, LIST_MAX);
    let parameters: [(&(dyn ToSql + Sync), Type); 6] = [
        (&asked.app_id, Type::INT4),
        (&asked.rule, Type::TEXT),
        (&asked.only_open, Type::BOOL),
        (&asked.severity, Type::TEXT),
        (&asked.before, Type::INT8),
        (&limit, Type::INT8),
    ];
    let sql = format!(
        "{} WHERE ($1::integer IS NULL OR e.app_id = $1) AND ($2::text IS NULL OR r.name = $2) \
         AND (NOT $3 OR e.ended_at IS NULL) AND ($4::text IS NULL OR e.severity = $4) \
         AND ($5::bigint IS NULL OR e.id < $5) ORDER BY e.id DESC LIMIT $6",
        selected()
    );
    let rows = client.query_typed(&sql, &parameters).await.context("read the alerts")?;
    Ok(rows.iter().map(alert).collect())
}

/// The alert with this number, and the key of its application in `applications`. `None`: there is none.
///
/// # Errors
/// The database cannot be asked.
pub async fn find(client: &Client, id: i64) -> anyhow::Result<Option<(Alert, i32)>> {
    let sql = format!("{} WHERE e.id = $1", selected());
    let row = client.query_typed_opt(&sql, &[(&id, Type::INT8)]).await.context("look for the alert")?;
    Ok(row.map(|row| (alert(&row), row.get(15))))
}

fn selected() -> String {
    let time = |column: &str| crate::web::time(column);
    format!(
        "SELECT e.id, r.name, coalesce(a.app_key, ''), coalesce(a.name, ''), k.labels::text, e.severity, e.state, \
         e.title, \
         e.value, e.threshold, {}, {}, e.by_hand, e.partial, e.superseded_by, e.app_id FROM alert_episodes e \
         JOIN alert_rules r ON r.id = e.rule_id JOIN alert_keys k ON k.id = e.key_id \
         LEFT JOIN applications a ON a.id = e.app_id",
        time("e.began_at"),
        time("e.ended_at")
    )
}

fn alert(row: &Row) -> Alert {
    Alert {
        id: row.get(0),
        rule: row.get(1),
        application_id: row.get(2),
        application: row.get(3),
        labels: serde_json::from_str(row.get(4)).unwrap_or_default(),
        severity: row.get(5),
        state: row.get(6),
        title: row.get(7),
        value: row.get(8),
        threshold: row.get(9),
        began: row.get(10),
        ended: row.get(11),
        by_hand: row.get(12),
        partial: row.get(13),
        superseded_by: row.get(14),
    }
}

/// Something that became of an alert, that somebody did to it, or that was told of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Event {
    /// `transition`, `act` or `message`.
    pub what: String,
    /// When, in the time of the events; of a message, when it was done: UTC, RFC 3339.
    pub at: Option<String>,
    /// firing, resolved …; acknowledge, resolve; due, sent, dead …
    pub kind: String,
    /// The number of the transition.
    pub seq: Option<i32>,
    /// Who did it, or the channel.
    pub who: Option<String>,
    /// The value, a note, or why the last attempt did not succeed.
    pub note: Option<String>,
}

/// All that became of an alert, in its order.
///
/// # Errors
/// The database cannot be asked.
pub async fn history(client: &Client, id: i64) -> anyhow::Result<Vec<Event>> {
    let sql = include_str!("../../../../sql/alert_history.sql");
    let rows = client.query_typed(sql, &[(&id, Type::INT8)]).await.context("read what became of an alert")?;
    let event = |row: &Row| Event {
        what: row.get(0),
        at: row.get(1),
        kind: row.get(2),
        seq: row.get(3),
        who: row.get(4),
        note: row.get(5),
    };
    Ok(rows.iter().map(event).collect())
}
