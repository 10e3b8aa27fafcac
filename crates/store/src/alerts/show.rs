//! What the pages of alerts show beside the alerts themselves.

use std::collections::BTreeMap;

use alt_alerts::rule::Rule;
use alt_alerts::time::Micros;
use anyhow::Context;
use tokio_postgres::Client;
use tokio_postgres::types::Type;

use super::ask::Alert;
use super::course::Ruled;
use super::rules;

/// How many alerts of an application are open, by severity.
///
/// # Errors
/// The database cannot be asked.
pub async fn open(client: &Client, app_id: i32) -> anyhow::Result<BTreeMap<String, i64>> {
    let sql = "SELECT severity, count(*) FROM alert_episodes WHERE app_id = $1 AND ended_at IS NULL GROUP BY severity";
    let rows = client.query_typed(sql, &[(&app_id, Type::INT4)]).await.context("count the open alerts")?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// The time at which something began or ended, as an alert has it.
pub fn micros_of(text: &str) -> Option<Micros> {
    text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_microsecond)
}

/// The rule of an alert, in the version that judged its beginning. `None`: this version of alt does not understand it.
///
/// # Errors
/// The database cannot be asked.
pub async fn rule_of(client: &Client, alert: &Alert) -> anyhow::Result<Option<Rule>> {
    let mut versions = rules::versions(client).await?;
    versions.retain(|version| version.name == alert.rule);
    let began = micros_of(&alert.began).unwrap_or(0);
    let ruled = Ruled::of(&versions, &alert.application_id);
    Ok(ruled.first().and_then(|ruled| ruled.at(began)).cloned())
}
