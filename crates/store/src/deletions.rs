//! Lists what was deleted for its age.

use anyhow::Context;
use serde::Serialize;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};

/// A deletion. Times are UTC, RFC 3339.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Deletion {
    /// When it was deleted.
    pub dropped_at: String,
    /// The host that deleted it.
    pub host: String,
    /// What was deleted: `rows`, `rejects`, `salts`, `log` or `object`.
    pub what: String,
    /// The name of what was deleted, if it has one.
    pub name: Option<String>,
    /// The first time in it.
    pub from: Option<String>,
    /// The last time in it.
    pub until: Option<String>,
    /// How many, if known.
    pub count: Option<i64>,
}

impl Deletion {
    fn of(row: &Row) -> Deletion {
        Deletion {
            dropped_at: row.get("dropped_at"),
            host: row.get("host"),
            what: row.get("what"),
            name: row.get("name"),
            from: row.get("from_at"),
            until: row.get("until_at"),
            count: row.get("count"),
        }
    }
}

/// At most `limit` deletions, the newest first.
///
/// # Errors
/// The database cannot be asked.
pub async fn newest(client: &Client, limit: u32) -> anyhow::Result<Vec<Deletion>> {
    let sql = include_str!("../../../sql/drops.sql");
    let rows = client.query_typed(sql, &[(&i64::from(limit), Type::INT8)]).await;
    Ok(rows.context("read what was deleted")?.iter().map(Deletion::of).collect())
}
