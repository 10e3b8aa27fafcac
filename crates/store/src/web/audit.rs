//! The record of changes.

use anyhow::Context;
use serde::Serialize;
use serde_json::Value;
use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};

/// Who changes something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// `token` or `command`.
    pub kind: &'static str,
    /// Key of the token.
    pub id: Option<i32>,
    /// Name of the token, or the account that runs the command.
    pub name: String,
    /// Address of the client.
    pub address: Option<String>,
}

/// What was changed. No secret is in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// What was done: `token.add`.
    pub action: &'static str,
    /// With what: `token 7 (backup)`.
    pub object: String,
    /// What it was before.
    pub before: Option<Value>,
    /// What it is now.
    pub after: Option<Value>,
}

/// Records a change, in its own transaction.
///
/// # Errors
/// The database does not do it: the change must not be committed either.
pub async fn record(client: &Client, actor: &Actor, change: &Change) -> anyhow::Result<()> {
    let text = |value: &Option<Value>| value.as_ref().map(Value::to_string);
    let (before, after) = (text(&change.before), text(&change.after));
    let sql = "INSERT INTO audit_log (actor_kind, actor_id, actor, address, action, object, before, after) \
               VALUES ($1, $2, $3, $4::text::inet, $5, $6, $7::text::jsonb, $8::text::jsonb)";
    let parameters: [(&(dyn ToSql + Sync), Type); 8] = [
        (&actor.kind, Type::TEXT),
        (&actor.id, Type::INT4),
        (&actor.name, Type::TEXT),
        (&actor.address, Type::TEXT),
        (&change.action, Type::TEXT),
        (&change.object, Type::TEXT),
        (&before, Type::TEXT),
        (&after, Type::TEXT),
    ];
    client.execute_typed(sql, &parameters).await.context("record the change in audit_log")?;
    Ok(())
}

/// A recorded change.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Entry {
    /// Its number; later ones are larger.
    pub id: i64,
    /// When (UTC, RFC 3339).
    pub at: String,
    /// `token` or `command`.
    pub actor_kind: String,
    /// Name of the token, or the account that ran the command.
    pub actor: String,
    /// Address of the client.
    pub address: Option<String>,
    /// What was done.
    pub action: String,
    /// With what.
    pub object: String,
    /// What it was before.
    pub before: Option<Value>,
    /// What it is now.
    pub after: Option<Value>,
}

/// At most `most` changes with numbers below `below`, the newest first.
///
/// # Errors
/// The database cannot be asked.
pub async fn list(client: &Client, below: i64, most: i64) -> anyhow::Result<Vec<Entry>> {
    let sql = format!(
        "SELECT id, {}, actor_kind, actor, host(address), action, object, before::text, after::text \
         FROM audit_log WHERE id < $1 ORDER BY id DESC LIMIT $2",
        super::time("at")
    );
    let rows = client.query_typed(&sql, &[(&below, Type::INT8), (&most, Type::INT8)]).await;
    let value = |text: Option<&str>| text.and_then(|text| serde_json::from_str(text).ok());
    Ok(rows
        .context("read the audit log")?
        .iter()
        .map(|row| Entry {
            id: row.get(0),
            at: row.get(1),
            actor_kind: row.get(2),
            actor: row.get(3),
            address: row.get(4),
            action: row.get(5),
            object: row.get(6),
            before: value(row.get(7)),
            after: value(row.get(8)),
        })
        .collect())
}
