//! Signing in: accounts, one-time links, sessions. Secrets are kept as their SHA-256.

use anyhow::{Context, bail};
use serde_json::json;
use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};

use super::audit::{self, Actor, Change};
use super::caller::hash;
use super::keys::new_secret;
use super::people::NAMED;

/// After so many days a session ends, however much it is used.
pub const SESSION_DAYS: i32 = 30;

/// How long a one-time link is valid.
pub const LINK_MINUTES: i32 = 15;

/// A person, with what is needed to sign in.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// Key.
    pub id: i32,
    /// Name.
    pub name: String,
    /// argon2id hash of the password, in the PHC format.
    pub password: Option<String>,
    /// Secret of the second factor, as it is kept ([`super::sealing`]).
    pub totp: Option<Vec<u8>>,
    /// Secret of a second factor that is not confirmed yet.
    pub totp_new: Option<Vec<u8>>,
    /// Attempts to sign in that were refused, since the last one that was not.
    pub refused: i32,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account").field("id", &self.id).field("name", &self.name).finish_non_exhaustive()
    }
}

/// To whom an account is asked for.
#[derive(Debug, Clone, Copy)]
pub enum Of<'a> {
    /// The person of a name.
    Name(&'a str),
    /// The person of a key.
    Id(i32),
}

/// An account; `None`: there is none.
///
/// # Errors
/// The database cannot be asked.
pub async fn account(client: &Client, of: Of<'_>) -> anyhow::Result<Option<Account>> {
    let columns = "SELECT id, name, password, totp, totp_new, refused FROM web_users WHERE";
    let row = match of {
        Of::Name(name) => client.query_typed_opt(&format!("{columns} {NAMED}"), &[(&name, Type::TEXT)]).await,
        Of::Id(id) => client.query_typed_opt(&format!("{columns} id = $1"), &[(&id, Type::INT4)]).await,
    };
    Ok(row.context("look for the account")?.map(|row| Account {
        id: row.get(0),
        name: row.get(1),
        password: row.get(2),
        totp: row.get(3),
        totp_new: row.get(4),
        refused: row.get(5),
    }))
}

/// Counts an attempt to sign in that is refused, or (`false`) begins to count again.
///
/// # Errors
/// The database does not do it.
pub async fn count_refused(client: &Client, account: &Account, is_one: bool) -> anyhow::Result<()> {
    let sql = "UPDATE web_users SET refused = CASE WHEN $2 THEN refused + 1 ELSE 0 END WHERE id = $1 AND ($2 OR refused > 0)";
    let parameters: [(&(dyn ToSql + Sync), Type); 2] = [(&account.id, Type::INT4), (&is_one, Type::BOOL)];
    client.execute_typed(sql, &parameters).await.context("count the attempt to sign in")?;
    Ok(())
}

/// Whether somebody is signed in to this account from this address, or, of IPv6, from its /64.
///
/// # Errors
/// The database cannot be asked.
pub async fn is_known(client: &Client, account: &Account, address: Option<&str>) -> anyhow::Result<bool> {
    let sql = "SELECT EXISTS (SELECT FROM web_sessions WHERE user_id = $1 AND expires_at > now() \
               AND network(set_masklen(address, CASE family(address) WHEN 4 THEN 32 ELSE 64 END)) >>= $2::text::inet)";
    let parameters: [(&(dyn ToSql + Sync), Type); 2] = [(&account.id, Type::INT4), (&address, Type::TEXT)];
    Ok(client.query_typed_one(sql, &parameters).await.context("look for sessions of the account")?.get(0))
}

/// The password of the share with this secret, with the key of the share; `None`: there is no such share, or it has none.
///
/// # Errors
/// The database cannot be asked.
pub async fn share_password(client: &Client, secret: &str) -> anyhow::Result<Option<(i32, String)>> {
    let sql = "SELECT id, password FROM web_shares WHERE secret = $1 AND password IS NOT NULL \
               AND revoked_at IS NULL AND coalesce(expires_at > now(), true)";
    let row = client.query_typed_opt(sql, &[(&hash(secret), Type::BYTEA)]).await;
    Ok(row.context("look for the share")?.map(|row| (row.get(0), row.get(1))))
}

/// Whose session begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// Of the person with this key.
    Person(i32),
    /// Of somebody who has the password of the share with this key.
    Share(i32),
}

/// Begins a session; returns its secret, and what to record. Sessions that have ended are removed.
///
/// # Errors
/// The database does not do it.
pub async fn begin(
    client: &Client,
    whose: Whose,
    name: &str,
    address: Option<&str>,
) -> anyhow::Result<(String, Change)> {
    let sql = "DELETE FROM web_sessions WHERE id IN \
               (SELECT id FROM web_sessions WHERE expires_at < now() ORDER BY expires_at LIMIT 100)";
    client.execute_typed(sql, &[]).await.context("remove old sessions")?;
    let secret = new_secret()?;
    let (user, share) = match whose {
        Whose::Person(id) => (Some(id), None),
        Whose::Share(id) => (None, Some(id)),
    };
    let sql = "INSERT INTO web_sessions (secret, user_id, share_id, expires_at, address) \
               VALUES ($1, $2, $3, now() + $4 * interval '1 day', $5::text::inet) RETURNING id";
    let hash = hash(&secret);
    let parameters: [(&(dyn ToSql + Sync), Type); 5] = [
        (&hash, Type::BYTEA),
        (&user, Type::INT4),
        (&share, Type::INT4),
        (&SESSION_DAYS, Type::INT4),
        (&address, Type::TEXT),
    ];
    let row = client.query_typed_one(sql, &parameters).await.context("begin the session")?;
    let id: i32 = row.get(0);
    let of = if user.is_some() { format!("user {name}") } else { format!("share {name}") };
    let change = Change {
        action: "session.begin",
        object: format!("session {id} of {of}"),
        before: None,
        after: Some(json!({ "id": id })),
    };
    Ok((secret, change))
}

/// Ends a session.
///
/// # Errors
/// The database does not do it.
pub async fn end(client: &Client, id: i32) -> anyhow::Result<Change> {
    client.execute_typed("DELETE FROM web_sessions WHERE id = $1", &[(&id, Type::INT4)]).await?;
    Ok(Change {
        action: "session.end",
        object: format!("session {id}"),
        before: Some(json!({ "id": id })),
        after: None,
    })
}

/// Ends all sessions of a person but one.
///
/// # Errors
/// The database does not do it.
pub async fn end_others(client: &Client, user_id: i32, but: Option<i32>) -> anyhow::Result<()> {
    let sql = "DELETE FROM web_sessions WHERE user_id = $1 AND id IS DISTINCT FROM $2";
    client.execute_typed(sql, &[(&user_id, Type::INT4), (&but, Type::INT4)]).await?;
    Ok(())
}

/// Records that a session was used now.
///
/// # Errors
/// The database does not do it.
pub async fn used(client: &Client, id: i32) -> anyhow::Result<()> {
    let sql =
        "UPDATE web_sessions SET used_at = now() WHERE id = $1 AND used_at < now() - interval '1 minute'";
    client.execute_typed(sql, &[(&id, Type::INT4)]).await.context("record the use of a session")?;
    Ok(())
}

/// When a session ends at the latest (UTC, RFC 3339).
///
/// # Errors
/// The database cannot be asked.
pub async fn ends(client: &Client, id: i32) -> anyhow::Result<Option<String>> {
    let sql = format!("SELECT {} FROM web_sessions WHERE id = $1", super::time("expires_at"));
    Ok(client.query_typed_opt(&sql, &[(&id, Type::INT4)]).await?.map(|row| row.get(0)))
}

/// Sets a password, of which `hash` is. Links that were made before are void.
///
/// # Errors
/// The database does not do it.
pub async fn set_password(client: &Client, account: &Account, hash: &str) -> anyhow::Result<Change> {
    let sql = "UPDATE web_users SET password = $2, password_at = now() WHERE id = $1";
    client.execute_typed(sql, &[(&account.id, Type::INT4), (&hash, Type::TEXT)]).await?;
    let sql = "DELETE FROM web_links WHERE user_id = $1 AND used_at IS NULL";
    client.execute_typed(sql, &[(&account.id, Type::INT4)]).await?;
    Ok(Change {
        action: "user.password",
        object: format!("user {}", account.name),
        before: Some(json!({ "has_password": account.password.is_some() })),
        after: Some(json!({ "has_password": true })),
    })
}

/// Takes the code of a step of time, once. `false`: a code of this step or of a later one was taken before.
///
/// # Errors
/// The database does not do it.
pub async fn take_step(client: &Client, user_id: i32, step: i64) -> anyhow::Result<bool> {
    let sql = "UPDATE web_users SET totp_step = $2 WHERE id = $1 AND coalesce(totp_step < $2, true)";
    let taken = client.execute_typed(sql, &[(&user_id, Type::INT4), (&step, Type::INT8)]).await;
    Ok(taken.context("take the code")? == 1)
}

/// Keeps the secret of a second factor that is to be confirmed; `kept` is sealed.
///
/// # Errors
/// The database does not do it.
pub async fn propose_totp(client: &Client, account: &Account, kept: &[u8]) -> anyhow::Result<Change> {
    let sql = "UPDATE web_users SET totp_new = $2 WHERE id = $1";
    client.execute_typed(sql, &[(&account.id, Type::INT4), (&kept, Type::BYTEA)]).await?;
    Ok(totp_change("user.totp_new", account, account.totp.is_some()))
}

/// Asks for the second factor from now on (`true`), or no longer.
///
/// # Errors
/// The database does not do it.
pub async fn switch_totp(client: &Client, account: &Account, is_on: bool) -> anyhow::Result<Change> {
    let sql = "UPDATE web_users SET totp = CASE WHEN $2 THEN totp_new END, totp_new = NULL WHERE id = $1";
    client.execute_typed(sql, &[(&account.id, Type::INT4), (&is_on, Type::BOOL)]).await?;
    Ok(totp_change("user.totp", account, is_on))
}

fn totp_change(action: &'static str, account: &Account, is_on: bool) -> Change {
    Change {
        action,
        object: format!("user {}", account.name),
        before: Some(json!({ "has_totp": account.totp.is_some() })),
        after: Some(json!({ "has_totp": is_on })),
    }
}

/// Makes a one-time link for a person; returns its secret and what to record.
///
/// # Errors
/// There is nobody of this name, or the database does not do it.
pub async fn add_link(client: &Client, name: &str) -> anyhow::Result<(String, Change)> {
    let Some(account) = account(client, Of::Name(name)).await? else {
        bail!("nobody is named {name}; `alt user list` shows the names")
    };
    client.execute_typed("DELETE FROM web_links WHERE expires_at < now() - interval '1 day'", &[]).await?;
    let secret = new_secret()?;
    let sql = "INSERT INTO web_links (secret, user_id, expires_at) VALUES ($1, $2, now() + $3 * interval '1 minute')";
    let hash = hash(&secret);
    let parameters: [(&(dyn ToSql + Sync), Type); 3] =
        [(&hash, Type::BYTEA), (&account.id, Type::INT4), (&LINK_MINUTES, Type::INT4)];
    client.execute_typed(sql, &parameters).await.context("make the link")?;
    let change =
        Change { action: "user.link", object: format!("user {}", account.name), before: None, after: None };
    Ok((secret, change))
}

/// As [`add_link`], and records it.
///
/// # Errors
/// As [`add_link`].
pub async fn add_recorded_link(client: &Client, name: &str, actor: &Actor) -> anyhow::Result<String> {
    let (secret, change) = add_link(client, name).await?;
    audit::record(client, actor, &change).await?;
    Ok(secret)
}

/// The key of the person of a one-time link that is valid. It stays valid until [`use_link`].
///
/// # Errors
/// The database cannot be asked.
pub async fn of_link(client: &Client, secret: &str) -> anyhow::Result<Option<i32>> {
    let sql = "SELECT user_id FROM web_links WHERE secret = $1 AND used_at IS NULL AND expires_at > now() FOR UPDATE";
    let row = client.query_typed_opt(sql, &[(&hash(secret), Type::BYTEA)]).await;
    Ok(row.context("look for the link")?.map(|row| row.get(0)))
}

/// Ends a one-time link.
///
/// # Errors
/// The database does not do it.
pub async fn use_link(client: &Client, secret: &str) -> anyhow::Result<()> {
    let sql = "UPDATE web_links SET used_at = now() WHERE secret = $1";
    client.execute_typed(sql, &[(&hash(secret), Type::BYTEA)]).await?;
    Ok(())
}
