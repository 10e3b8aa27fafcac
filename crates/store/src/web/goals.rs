//! The goals of applications, by which statistics count who reached them.

use alt_statistics::query::{GOALS_MAX, Goal, On};
use anyhow::Context;
use serde::Serialize;
use serde_json::json;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};

use super::audit::Change;
use crate::apps::Application;

/// Held while a goal is added, so that no application gets more than [`GOALS_MAX`] ("alt goal").
const LOCK: i64 = 0x616c_7420_676f_616c;

/// A goal as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// Key.
    pub id: i32,
    /// Its name.
    pub name: String,
    /// The type of the events that reach it.
    pub event: Option<String>,
    /// The path of the page views that reach it, in which `*` is any text.
    pub page: Option<String>,
    /// What has to be true of these, too: filters.
    pub conditions: Vec<String>,
    /// The property whose number they are worth; `None`: their own revenue.
    pub revenue: Option<String>,
    /// UTC, RFC 3339.
    pub created_at: String,
}

fn columns() -> String {
    format!("id, name, event, page, conditions, worth, {}", super::time("created_at"))
}

fn kept(row: &Row) -> Kept {
    Kept {
        id: row.get(0),
        name: row.get(1),
        event: row.get(2),
        page: row.get(3),
        conditions: row.get(4),
        revenue: row.get(5),
        created_at: row.get(6),
    }
}

impl Kept {
    /// As statistics know it. `None`: the table was changed by hand, and it is none.
    fn goal(self) -> Option<Goal> {
        let on = self.event.map(On::Event).or(self.page.map(On::Page))?;
        let conditions: Vec<&str> = self.conditions.iter().map(String::as_str).collect();
        let goal =
            Goal { name: self.name, on, conditions: Vec::new(), worth: None }.only(&conditions).ok()?;
        match self.revenue {
            None => Some(goal),
            Some(property) => goal.worth(&property).ok(),
        }
    }
}

/// The goals of an application, by their names.
///
/// # Errors
/// The database cannot be asked.
pub async fn list(client: &Client, app_id: i32) -> anyhow::Result<Vec<Kept>> {
    let sql = format!("SELECT {} FROM stat_goals WHERE app_id = $1 ORDER BY name", columns());
    let rows = client.query_typed(&sql, &[(&app_id, Type::INT4)]).await.context("read the goals")?;
    Ok(rows.iter().map(kept).collect())
}

/// The same, as statistics know them.
///
/// # Errors
/// The database cannot be asked.
pub async fn of(client: &Client, app_id: i32) -> anyhow::Result<Vec<Goal>> {
    Ok(list(client, app_id).await?.into_iter().filter_map(Kept::goal).collect())
}

/// Why a goal is not added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// The application has a goal of this name.
    Exists,
    /// The application has [`GOALS_MAX`] goals.
    Full,
}

/// Adds a goal to an application, within a transaction: no other one adds a goal until this one ends. `conditions` are the
/// goal's, as they are written.
///
/// # Errors
/// The database does not do it.
pub async fn add(
    client: &Client,
    app: &Application,
    goal: &Goal,
    conditions: &[&str],
) -> anyhow::Result<Result<(Kept, Change), Refused>> {
    client.execute_typed("SELECT pg_advisory_xact_lock($1)", &[(&LOCK, Type::INT8)]).await?;
    let known = list(client, app.id).await?;
    if known.iter().any(|known| known.name == goal.name) {
        return Ok(Err(Refused::Exists));
    }
    if known.len() >= GOALS_MAX {
        return Ok(Err(Refused::Full));
    }
    let (event, page) = match &goal.on {
        On::Event(event) => (Some(event), None),
        On::Page(page) => (None, Some(page)),
    };
    let sql = format!(
        "INSERT INTO stat_goals (app_id, name, event, page, conditions, worth) VALUES ($1, $2, $3, $4, $5, $6) RETURNING {}",
        columns()
    );
    let worth = goal.worth.as_deref();
    let parameters: [(&(dyn ToSql + Sync), Type); 6] = [
        (&app.id, Type::INT4),
        (&goal.name, Type::TEXT),
        (&event, Type::TEXT),
        (&page, Type::TEXT),
        (&conditions, Type::TEXT_ARRAY),
        (&worth, Type::TEXT),
    ];
    let row = client.query_typed_one(&sql, &parameters).await.context("add the goal")?;
    let kept = kept(&row);
    let change =
        Change { action: "goal.add", object: object(&kept, app), before: None, after: Some(json!(kept)) };
    Ok(Ok((kept, change)))
}

fn object(kept: &Kept, app: &Application) -> String {
    format!("goal {} ({}), application {}", kept.id, kept.name, app.key)
}

/// Removes the goal with this key from an application. `None`: it has no such goal.
///
/// # Errors
/// The database does not do it.
pub async fn remove(client: &Client, app: &Application, id: i32) -> anyhow::Result<Option<Change>> {
    let sql = format!("DELETE FROM stat_goals WHERE app_id = $1 AND id = $2 RETURNING {}", columns());
    let row = client.query_typed_opt(&sql, &[(&app.id, Type::INT4), (&id, Type::INT4)]).await;
    Ok(row.context("remove the goal")?.map(|row| {
        let kept = kept(&row);
        Change { action: "goal.remove", object: object(&kept, app), before: Some(json!(kept)), after: None }
    }))
}
