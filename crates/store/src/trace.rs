//! What became of one hit that is looked for.

use alt_line::hit::Micros;
use alt_process::clock;
use anyhow::Context;
use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};

/// What became of a hit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It is a row, of this traffic class.
    Row(String),
    /// It is a reject, with its reason and details.
    Reject(String, Option<String>),
}

/// Whether an application stores the hits of monitors and other crawlers.
///
/// # Errors
/// The database cannot be asked.
pub async fn stores_monitors(client: &Client, app_key: &str) -> anyhow::Result<bool> {
    let sql =
        "SELECT settings -> 'store_crawlers' IS DISTINCT FROM 'false' FROM applications WHERE app_key = $1";
    let row = client.query_typed_opt(sql, &[(&app_key, Type::TEXT)]).await.context("read the settings")?;
    Ok(row.is_some_and(|row| row.get(0)))
}

/// What became of the hit of an application, by its key, since `since`, that has `mark` as `entity_id`. `None`: nothing yet.
/// A reject is known by the mark in its bytes.
///
/// # Errors
/// The database cannot be asked.
pub async fn fate(client: &Client, app_key: &str, mark: &str, since: Micros) -> anyhow::Result<Option<Fate>> {
    let since = clock::system_time(since);
    let parameters: [(&(dyn ToSql + Sync), Type); 3] =
        [(&app_key, Type::TEXT), (&since, Type::TIMESTAMPTZ), (&mark, Type::TEXT)];
    let sql = "SELECT traffic_class FROM access_logs WHERE app_id = (SELECT id FROM applications WHERE app_key = $1) \
               AND occurred_at >= $2 AND entity_id = $3 LIMIT 1";
    if let Some(row) = client.query_typed_opt(sql, &parameters).await.context("look for the row")? {
        return Ok(Some(Fate::Row(row.get(0))));
    }
    let sql = "SELECT reason, detail FROM rejected_lines \
               WHERE rejected_at >= $1 AND position(convert_to($2, 'UTF8') IN raw) > 0 LIMIT 1";
    let parameters: [(&(dyn ToSql + Sync), Type); 2] = [(&since, Type::TIMESTAMPTZ), (&mark, Type::TEXT)];
    let found = client.query_typed_opt(sql, &parameters).await.context("look for the reject")?;
    Ok(found.map(|row| Fate::Reject(row.get(0), row.get(1))))
}
