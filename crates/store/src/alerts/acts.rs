//! What people do to alerts. It is stored with the time up to which the application was judged, and what it changes is
//! judged like everything else.

use std::time::SystemTime;

use alt_alerts::time::{Micros, SLOT};
use alt_process::clock::{micros, system_time};
use anyhow::{Context, bail};
use serde_json::json;
use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};

use super::follow::{self, AppTime};
use crate::web::audit::Change;

/// What somebody does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// Looks after it for so long.
    Acknowledge(Micros),
    /// Ends it.
    Resolve,
}

/// Does something to an open alert, within a transaction. It shows once the next slot is judged.
///
/// # Errors
/// There is no such alert, it is not open, or the database does not do it.
pub async fn act(
    client: &Client,
    id: i64,
    deed: Deed,
    by: &str,
    note: Option<&str>,
) -> anyhow::Result<Change> {
    let sql = "SELECT e.key_id, e.app_id, e.state, e.ended_at IS NULL, j.judged_at \
               FROM alert_episodes e JOIN alert_apps j ON j.app_id = e.app_id WHERE e.id = $1";
    let row = client.query_typed_opt(sql, &[(&id, Type::INT8)]).await.context("look for the alert")?;
    let Some(row) = row else {
        bail!("there is no alert {id}; `alt alerts list --all` shows those that there are")
    };
    let (key, app_id, state): (i64, i32, &str) = (row.get(0), row.get(1), row.get(2));
    if !row.get::<_, bool>(3) {
        bail!("the alert {id} is {state}: there is nothing to do about it");
    }
    let at = micros(row.get::<_, SystemTime>(4)) + 1;
    let (kind, until) = match deed {
        Deed::Acknowledge(span) => ("acknowledge", Some(system_time(at.saturating_add(span)))),
        Deed::Resolve => ("resolve", None),
    };
    let time = system_time(at);
    let parameters: [(&(dyn ToSql + Sync), Type); 6] = [
        (&key, Type::INT8),
        (&time, Type::TIMESTAMPTZ),
        (&until, Type::TIMESTAMPTZ),
        (&kind, Type::TEXT),
        (&by, Type::TEXT),
        (&note, Type::TEXT),
    ];
    let sql =
        "INSERT INTO alert_acts (key_id, at, until_at, kind, done_by, note) VALUES ($1, $2, $3, $4, $5, $6)";
    client.execute_typed(sql, &parameters).await.context("store what is done")?;
    follow::mark(client, &[AppTime { app_id, from: at - SLOT, until: at }]).await?;
    let action = if kind == "resolve" { "alert.resolve" } else { "alert.acknowledge" };
    let after = json!({ "note": note, "by": by });
    Ok(Change { action, object: format!("alert {id}"), before: Some(json!(state)), after: Some(after) })
}
