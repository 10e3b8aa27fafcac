//! What became of alerts as a whole: how many there were, how long it took until somebody looked after them, and how long they
//! lasted.

use std::collections::BTreeMap;

use alt_alerts::time::Micros;
use alt_process::clock::system_time;
use anyhow::Context;
use serde::Serialize;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};

/// What became of the alerts of a time, without those that never were or are a part of another.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Figures {
    /// By low, medium, high, critical.
    pub severities: BTreeMap<String, Severity>,
    /// The rules with most alerts, ten at most.
    pub rules: Vec<Noisy>,
}

/// The alerts of a severity.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Severity {
    /// How many began.
    pub alerts: i64,
    /// How many of them are open.
    pub open: i64,
    /// After how many somebody looked.
    pub acknowledged: i64,
    /// How long it took until somebody did, on average, since the alert was found.
    pub seconds_to_acknowledge: Option<f64>,
    /// How long those lasted, on average, that are over.
    pub seconds_to_resolve: Option<f64>,
}

/// A rule with many alerts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Noisy {
    /// Its name.
    pub rule: String,
    /// How many alerts began.
    pub alerts: i64,
    /// For how long they were open, together.
    pub open_seconds: f64,
}

/// What became of the alerts that began from a time on; of an application, or of all and the installation.
///
/// # Errors
/// The database cannot be asked.
pub async fn since(client: &Client, app_id: Option<i32>, from: Micros) -> anyhow::Result<Figures> {
    let from = system_time(from);
    let parameters: [(&(dyn ToSql + Sync), Type); 2] = [(&app_id, Type::INT4), (&from, Type::TIMESTAMPTZ)];
    let context = "count the alerts";
    let sql = include_str!("../../../../sql/alert_figures.sql");
    let severities = client.query_typed(sql, &parameters).await.context(context)?;
    let sql = include_str!("../../../../sql/noisy_rules.sql");
    let rules = client.query_typed(sql, &parameters).await.context(context)?;
    let severity = |row: &Row| {
        let its = Severity {
            alerts: row.get(1),
            open: row.get(2),
            acknowledged: row.get(3),
            seconds_to_acknowledge: row.get(4),
            seconds_to_resolve: row.get(5),
        };
        (row.get(0), its)
    };
    let noisy = |row: &Row| Noisy { rule: row.get(0), alerts: row.get(1), open_seconds: row.get(2) };
    Ok(Figures {
        severities: severities.iter().map(severity).collect(),
        rules: rules.iter().map(noisy).collect(),
    })
}
