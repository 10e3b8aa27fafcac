//! Tokens of programs, and shares: secrets that are kept as their SHA-256.

use anyhow::{Context, bail};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde_json::json;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};

use super::audit::Change;
use super::caller::{Role, hash};

/// The most tokens or shares that are listed at once.
pub const LIST_MAX: i64 = 1000;

/// A new secret: `alt_` and 256 random bits.
///
/// # Errors
/// The system gives no random bytes.
pub fn new_secret() -> anyhow::Result<String> {
    let mut random = [0u8; 32];
    getrandom::fill(&mut random).map_err(|e| anyhow::anyhow!("get random bytes: {e}"))?;
    Ok(format!("alt_{}", URL_SAFE_NO_PAD.encode(random)))
}

/// A token, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Token {
    /// Key.
    pub id: i32,
    /// What it is for.
    pub name: String,
    /// The person to whom it belongs.
    pub user: Option<String>,
    /// Keys of its applications; `None`: all.
    pub applications: Option<Vec<String>>,
    /// The most that it may do.
    pub role: String,
    /// Conditions, all of which hold for what it sees; `None`: it sees everything.
    pub filters: Option<Vec<String>>,
    /// UTC, RFC 3339.
    pub created_at: String,
    /// When it ends.
    pub expires_at: Option<String>,
    /// When it was last used, to a minute.
    pub last_used_at: Option<String>,
    /// When it was revoked.
    pub revoked_at: Option<String>,
}

/// A token to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewToken<'a> {
    /// What it is for.
    pub name: &'a str,
    /// Name of the person to whom it is to belong.
    pub user: Option<&'a str>,
    /// Its applications; `None`: all.
    pub apps: Option<Vec<i32>>,
    /// The most that it may do.
    pub role: Role,
    /// Conditions, all of which hold for what it sees; of none: it sees everything.
    pub filters: Vec<String>,
    /// For how many days; `None`: for ever.
    pub days: Option<i32>,
}

fn columns() -> String {
    format!(
        "t.id, t.name, (SELECT u.name FROM web_users u WHERE u.id = t.user_id), \
         CASE WHEN t.apps IS NOT NULL THEN ARRAY(SELECT a.app_key FROM applications a WHERE a.id = ANY (t.apps) \
         ORDER BY 1) END, t.role, t.filter, {}, {}, {}, {}",
        super::time("t.created_at"),
        super::time("t.expires_at"),
        super::time("t.last_used_at"),
        super::time("t.revoked_at")
    )
}

fn token(row: &Row) -> Token {
    Token {
        id: row.get(0),
        name: row.get(1),
        user: row.get(2),
        applications: row.get(3),
        role: row.get(4),
        filters: row.get(5),
        created_at: row.get(6),
        expires_at: row.get(7),
        last_used_at: row.get(8),
        revoked_at: row.get(9),
    }
}

/// Makes a token; returns it, its secret, which nobody can read again, and what to record.
///
/// # Errors
/// There is no such person, or the database does not do it.
pub async fn add(client: &Client, new: &NewToken<'_>) -> anyhow::Result<(Token, String, Change)> {
    let user_id = match new.user {
        None => None,
        Some(name) => Some(super::people::id_of(client, name).await?),
    };
    let secret = new_secret()?;
    let sql = format!(
        "INSERT INTO web_tokens AS t (secret, name, user_id, apps, role, expires_at, filter) \
         VALUES ($1, $2, $3, $4, $5, now() + $6 * interval '1 day', $7) RETURNING {}",
        columns()
    );
    let (hash, role) = (hash(&secret), new.role.as_str());
    let filters = (!new.filters.is_empty()).then_some(&new.filters);
    let parameters: [(&(dyn ToSql + Sync), Type); 7] = [
        (&hash, Type::BYTEA),
        (&new.name, Type::TEXT),
        (&user_id, Type::INT4),
        (&new.apps, Type::INT4_ARRAY),
        (&role, Type::TEXT),
        (&new.days, Type::INT4),
        (&filters, Type::TEXT_ARRAY),
    ];
    let token = token(&client.query_typed_one(&sql, &parameters).await.context("make the token")?);
    let after = Some(json!(token));
    let change = Change { action: "token.add", object: format!("token {}", token.id), before: None, after };
    Ok((token, secret, change))
}

/// At most [`LIST_MAX`] tokens with keys above `above`, by key.
///
/// # Errors
/// The database cannot be asked.
pub async fn list(client: &Client, above: i32) -> anyhow::Result<Vec<Token>> {
    let sql = format!("SELECT {} FROM web_tokens t WHERE t.id > $1 ORDER BY t.id LIMIT $2", columns());
    let rows = client.query_typed(&sql, &[(&above, Type::INT4), (&LIST_MAX, Type::INT8)]).await;
    Ok(rows.context("read the tokens")?.iter().map(token).collect())
}

/// Revokes a token. `None`: there is no such token, or it was revoked before.
///
/// # Errors
/// The database does not do it.
pub async fn revoke(client: &Client, id: i32) -> anyhow::Result<Option<Change>> {
    let sql = format!(
        "UPDATE web_tokens t SET revoked_at = now() WHERE t.id = $1 AND t.revoked_at IS NULL RETURNING {}",
        columns()
    );
    let row = client.query_typed_opt(&sql, &[(&id, Type::INT4)]).await.context("revoke the token")?;
    Ok(row.map(|row| Change {
        action: "token.revoke",
        object: format!("token {id}"),
        before: Some(json!(Token { revoked_at: None, ..token(&row) })),
        after: Some(json!(token(&row))),
    }))
}

/// Records that a token was used now.
///
/// # Errors
/// The database does not do it.
pub async fn used(client: &Client, id: i32) -> anyhow::Result<()> {
    let sql = "UPDATE web_tokens SET last_used_at = now() \
               WHERE id = $1 AND coalesce(last_used_at < now() - interval '1 minute', true)";
    client.execute_typed(sql, &[(&id, Type::INT4)]).await.context("record the use of a token")?;
    Ok(())
}

/// A share, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Share {
    /// Key.
    pub id: i32,
    /// What it is for.
    pub name: String,
    /// Conditions, all of which hold for what it shows; `None`: it shows everything.
    pub filters: Option<Vec<String>>,
    /// It is nothing without its password.
    pub has_password: bool,
    /// UTC, RFC 3339.
    pub created_at: String,
    /// When it ends.
    pub expires_at: Option<String>,
    /// When it was revoked.
    pub revoked_at: Option<String>,
}

fn share_columns() -> String {
    format!(
        "id, name, filter, password IS NOT NULL, {}, {}, {}",
        super::time("created_at"),
        super::time("expires_at"),
        super::time("revoked_at")
    )
}

fn share(row: &Row) -> Share {
    Share {
        id: row.get(0),
        name: row.get(1),
        filters: row.get(2),
        has_password: row.get(3),
        created_at: row.get(4),
        expires_at: row.get(5),
        revoked_at: row.get(6),
    }
}

/// A share to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewShare<'a> {
    /// What it is for.
    pub name: &'a str,
    /// Its application.
    pub app_id: i32,
    /// Conditions, all of which hold for what it shows; of none: it shows everything.
    pub filters: Vec<String>,
    /// The hash of its password; `None`: it needs none.
    pub password: Option<String>,
    /// For how many days; `None`: for ever.
    pub days: Option<i32>,
}

/// Makes a share of an application; returns it, its secret and what to record.
///
/// # Errors
/// The database does not do it.
pub async fn add_share(client: &Client, new: &NewShare<'_>) -> anyhow::Result<(Share, String, Change)> {
    let secret = new_secret()?;
    let sql = format!(
        "INSERT INTO web_shares (secret, name, app_id, expires_at, filter, password) \
         VALUES ($1, $2, $3, now() + $4 * interval '1 day', $5, $6) RETURNING {}",
        share_columns()
    );
    let hash = hash(&secret);
    let filters = (!new.filters.is_empty()).then_some(&new.filters);
    let parameters: [(&(dyn ToSql + Sync), Type); 6] = [
        (&hash, Type::BYTEA),
        (&new.name, Type::TEXT),
        (&new.app_id, Type::INT4),
        (&new.days, Type::INT4),
        (&filters, Type::TEXT_ARRAY),
        (&new.password, Type::TEXT),
    ];
    let share = share(&client.query_typed_one(&sql, &parameters).await.context("make the share")?);
    let after = Some(json!(share));
    let change = Change { action: "share.add", object: format!("share {}", share.id), before: None, after };
    Ok((share, secret, change))
}

/// At most [`LIST_MAX`] shares of an application with keys above `above`, by key.
///
/// # Errors
/// The database cannot be asked.
pub async fn list_shares(client: &Client, app_id: i32, above: i32) -> anyhow::Result<Vec<Share>> {
    let sql = format!(
        "SELECT {} FROM web_shares WHERE app_id = $1 AND id > $2 ORDER BY id LIMIT $3",
        share_columns()
    );
    let parameters: [(&(dyn ToSql + Sync), Type); 3] =
        [(&app_id, Type::INT4), (&above, Type::INT4), (&LIST_MAX, Type::INT8)];
    let rows = client.query_typed(&sql, &parameters).await.context("read the shares")?;
    Ok(rows.iter().map(share).collect())
}

/// Revokes a share of an application. `None`: it has no such share, or the share was revoked before.
///
/// # Errors
/// The database does not do it.
pub async fn revoke_share(client: &Client, app_id: i32, id: i32) -> anyhow::Result<Option<Change>> {
    let sql = format!(
        "UPDATE web_shares SET revoked_at = now() WHERE app_id = $1 AND id = $2 AND revoked_at IS NULL RETURNING {}",
        share_columns()
    );
    let row = client.query_typed_opt(&sql, &[(&app_id, Type::INT4), (&id, Type::INT4)]).await;
    Ok(row.context("revoke the share")?.map(|row| Change {
        action: "share.revoke",
        object: format!("share {id}"),
        before: Some(json!(Share { revoked_at: None, ..share(&row) })),
        after: Some(json!(share(&row))),
    }))
}

/// Checks the name of a token, a share or a person.
///
/// # Errors
/// It is empty, too long, or has a control character.
pub fn checked_name(name: &str) -> anyhow::Result<&str> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > 200 || name.contains(char::is_control) {
        bail!("a name has 1 to 200 characters, none of them a control character");
    }
    Ok(name)
}
