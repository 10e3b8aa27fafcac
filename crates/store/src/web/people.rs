//! People, and what they may do with applications.

use anyhow::{Context, bail};
use serde::Serialize;
use serde_json::json;
use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};

use super::audit::Change;
use super::caller::Role;

/// A person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Person {
    /// Key.
    pub id: i32,
    /// Name.
    pub name: String,
    /// Owner of everything.
    pub is_owner: bool,
    /// Whether the password is not taken any more, because it was wrong too often.
    pub is_locked: bool,
    /// UTC, RFC 3339.
    pub created_at: String,
    /// What the person may do: application (its key) and role.
    pub grants: Vec<(String, String)>,
    /// How the person signs in, besides by one-time links: `password`, `code`, `provider`.
    pub signs_in_by: Vec<String>,
}

/// After so many wrong passwords or codes in a row, an account takes passwords only from where somebody is signed in to it (NIST
/// SP 800-63B, 5.2.2: 100 at most).
pub const REFUSED_MAX: i32 = 100;

/// The person with the name `$1`, in whatever capitals.
pub(super) const NAMED: &str = "lower(name) = lower($1)";

/// The key of the person with this name.
///
/// # Errors
/// There is none, or the database cannot be asked.
pub async fn id_of(client: &Client, name: &str) -> anyhow::Result<i32> {
    let sql = format!("SELECT id FROM web_users WHERE {NAMED}");
    let row = client.query_typed_opt(&sql, &[(&name, Type::TEXT)]).await?;
    match row {
        Some(row) => Ok(row.get(0)),
        None => bail!("nobody is named {name}; `alt user list` shows the names"),
    }
}

/// The name of the person with this key; `None`: there is none.
///
/// # Errors
/// The database cannot be asked.
pub async fn name_of(client: &Client, id: i32) -> anyhow::Result<Option<String>> {
    let row =
        client.query_typed_opt("SELECT name FROM web_users WHERE id = $1", &[(&id, Type::INT4)]).await?;
    Ok(row.map(|row| row.get(0)))
}

/// Whether nobody but this person is an owner of everything.
///
/// # Errors
/// The database cannot be asked.
pub async fn is_last_owner(client: &Client, id: i32) -> anyhow::Result<bool> {
    // Locked, so that two owners cannot remove each other at once.
    let sql = "SELECT id FROM web_users WHERE is_owner ORDER BY id FOR UPDATE";
    let owners = client.query_typed(sql, &[]).await.context("look for the owners")?;
    Ok(owners.len() == 1 && owners.iter().any(|row| row.get::<_, i32>(0) == id))
}

/// Everybody, by name.
///
/// # Errors
/// The database cannot be asked.
pub async fn list(client: &Client) -> anyhow::Result<Vec<Person>> {
    let sql = format!(
        "SELECT u.id, u.name, u.is_owner, u.refused >= {REFUSED_MAX}, {}, \
         ARRAY(SELECT a.app_key FROM web_grants g JOIN applications a ON a.id = g.app_id WHERE g.user_id = u.id ORDER BY 1), \
         ARRAY(SELECT g.role FROM web_grants g JOIN applications a ON a.id = g.app_id WHERE g.user_id = u.id ORDER BY a.app_key), \
         array_remove(ARRAY[CASE WHEN u.password IS NOT NULL THEN 'password' END, CASE WHEN u.totp IS NOT NULL THEN 'code' END, \
         CASE WHEN EXISTS (SELECT FROM web_identities i WHERE i.user_id = u.id) THEN 'provider' END], NULL) \
         FROM web_users u ORDER BY u.name",
        super::time("u.created_at")
    );
    let rows = client.query_typed(&sql, &[]).await.context("read the people")?;
    let person = |row: &tokio_postgres::Row| Person {
        id: row.get(0),
        name: row.get(1),
        is_owner: row.get(2),
        is_locked: row.get(3),
        created_at: row.get(4),
        grants: row.get::<_, Vec<String>>(5).into_iter().zip(row.get::<_, Vec<String>>(6)).collect(),
        signs_in_by: row.get(7),
    };
    Ok(rows.iter().map(person).collect())
}

/// Adds a person.
///
/// # Errors
/// The name is taken, or the database does not do it.
pub async fn add(client: &Client, name: &str, is_owner: bool) -> anyhow::Result<Change> {
    let sql = "INSERT INTO web_users (name, is_owner) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING id";
    let row = client.query_typed_opt(sql, &[(&name, Type::TEXT), (&is_owner, Type::BOOL)]).await;
    let Some(_) = row.context("add the person")? else {
        bail!("somebody is named {name} already; `alt user link {name}` prints another link")
    };
    let after = Some(json!({ "name": name, "is_owner": is_owner }));
    Ok(Change { action: "user.add", object: format!("user {name}"), before: None, after })
}

/// Removes a person, with all grants and tokens.
///
/// # Errors
/// There is no such person, or the database does not do it.
pub async fn remove(client: &Client, name: &str) -> anyhow::Result<Change> {
    let id = id_of(client, name).await?;
    let before = list(client).await?.into_iter().find(|person| person.id == id);
    client.execute_typed("DELETE FROM web_users WHERE id = $1", &[(&id, Type::INT4)]).await?;
    Ok(Change {
        action: "user.remove",
        object: format!("user {name}"),
        before: Some(json!(before)),
        after: None,
    })
}

/// Gives a person a role with an application, or takes it (`None`).
///
/// # Errors
/// There is no such person, or the database does not do it.
pub async fn grant(
    client: &Client,
    name: &str,
    app: &crate::apps::Application,
    role: Option<Role>,
) -> anyhow::Result<Change> {
    let id = id_of(client, name).await?;
    let key: [(&(dyn ToSql + Sync), Type); 2] = [(&id, Type::INT4), (&app.id, Type::INT4)];
    let taken = client
        .query_typed_opt("DELETE FROM web_grants WHERE user_id = $1 AND app_id = $2 RETURNING role", &key)
        .await?;
    if let Some(role) = role {
        let role = role.as_str();
        let sql = "INSERT INTO web_grants (user_id, app_id, role) VALUES ($1, $2, $3)";
        client.execute_typed(sql, &[(&id, Type::INT4), (&app.id, Type::INT4), (&role, Type::TEXT)]).await?;
    }
    Ok(Change {
        action: "user.grant",
        object: format!("user {name}, application {}", app.key),
        before: taken.map(|row| json!(row.get::<_, &str>(0))),
        after: role.map(|role| json!(role)),
    })
}
