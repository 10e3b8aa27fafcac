//! Who somebody is to a provider of OpenID Connect, and what was begun there and is not finished. Of all secrets the SHA-256
//! is kept.

use anyhow::Context;
use serde_json::json;
use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};

use super::audit::Change;
use super::caller::{Role, hash};
use super::people;
use super::sessions::{self, Account, Of};
use crate::apps;

/// How long somebody may take at the provider.
pub const FLOW_MINUTES: i32 = 10;

/// How long a code of the second factor is waited for then.
const CODE_MINUTES: i32 = 5;

/// How many are kept: the oldest go first.
const FLOWS_MAX: i64 = 20_000;

/// Keeps that a browser, by the secret in its cookie, was sent to the provider with this state. Those that have ended are
/// removed, and the oldest of too many.
///
/// # Errors
/// The database does not do it.
pub async fn begin(client: &Client, browser: &str, state: &str, next: &str) -> anyhow::Result<()> {
    let sql = "DELETE FROM web_flows WHERE browser IN \
               (SELECT browser FROM web_flows WHERE expires_at < now() ORDER BY expires_at LIMIT 100)";
    client.execute_typed(sql, &[]).await.context("remove old flows")?;
    let sql = "DELETE FROM web_flows WHERE browser IN \
               (SELECT browser FROM web_flows ORDER BY expires_at DESC OFFSET $1 LIMIT 100)";
    client.execute_typed(sql, &[(&FLOWS_MAX, Type::INT8)]).await.context("remove flows beyond the most")?;
    let sql = "INSERT INTO web_flows (browser, state, next, expires_at) \
               VALUES ($1, $2, $3, now() + $4 * interval '1 minute')";
    let (browser, state) = (hash(browser), hash(state));
    let parameters: [(&(dyn ToSql + Sync), Type); 4] =
        [(&browser, Type::BYTEA), (&state, Type::BYTEA), (&next, Type::TEXT), (&FLOW_MINUTES, Type::INT4)];
    client.execute_typed(sql, &parameters).await.context("begin the flow")?;
    Ok(())
}

/// Takes a state, once, and only for the browser that was sent away with it; says where it goes then. `None`: there is none,
/// or it has ended, or it is another browser's, for whom it stays.
///
/// # Errors
/// The database does not do it.
pub async fn take(client: &Client, browser: &str, state: &str) -> anyhow::Result<Option<String>> {
    let sql = "DELETE FROM web_flows WHERE browser = $1 AND state = $2 AND expires_at > now() RETURNING next";
    let key = [(&hash(browser) as &(dyn ToSql + Sync), Type::BYTEA), (&hash(state), Type::BYTEA)];
    Ok(client.query_typed_opt(sql, &key).await.context("take the state")?.map(|row| row.get(0)))
}

/// Keeps that the provider has named a person, whose second factor is asked for, to the browser with this secret.
///
/// # Errors
/// The database does not do it.
pub async fn wait_for_code(
    client: &Client,
    browser: &str,
    waiting: &Waiting,
    next: &str,
) -> anyhow::Result<()> {
    let sql = "INSERT INTO web_flows (browser, user_id, subject, next, expires_at) \
               VALUES ($1, $2, $3, $4, now() + $5 * interval '1 minute')";
    let browser = hash(browser);
    let parameters: [(&(dyn ToSql + Sync), Type); 5] = [
        (&browser, Type::BYTEA),
        (&waiting.account.id, Type::INT4),
        (&waiting.subject, Type::TEXT),
        (&next, Type::TEXT),
        (&CODE_MINUTES, Type::INT4),
    ];
    client.execute_typed(sql, &parameters).await.context("wait for the code")?;
    Ok(())
}

/// A person whom the provider has named, and whose second factor is asked for.
#[derive(Debug)]
pub struct Waiting {
    /// The person.
    pub account: Account,
    /// What the provider calls the person.
    pub subject: String,
}

/// Whom the provider has named to the browser with this secret. It stays until [`end`].
///
/// # Errors
/// The database cannot be asked.
pub async fn waiting(client: &Client, browser: &str) -> anyhow::Result<Option<Waiting>> {
    let sql = "SELECT user_id, subject FROM web_flows \
               WHERE browser = $1 AND user_id IS NOT NULL AND expires_at > now()";
    let row = client.query_typed_opt(sql, &[(&hash(browser), Type::BYTEA)]).await;
    let Some(row) = row.context("look for the person")? else { return Ok(None) };
    let account = sessions::account(client, Of::Id(row.get(0))).await?;
    Ok(account.map(|account| Waiting { account, subject: row.get(1) }))
}

/// Ends what the browser with this secret has begun.
///
/// # Errors
/// The database does not do it.
pub async fn end(client: &Client, browser: &str) -> anyhow::Result<()> {
    let sql = "DELETE FROM web_flows WHERE browser = $1";
    client.execute_typed(sql, &[(&hash(browser), Type::BYTEA)]).await.context("end the flow")?;
    Ok(())
}

/// Whom a provider names.
#[derive(Debug, Clone, Copy)]
pub struct Named<'a> {
    /// The provider.
    pub issuer: &'a str,
    /// What it calls the person.
    pub subject: &'a str,
    /// The e-mail address, if the provider says that it is the person's.
    pub email: Option<&'a str>,
    /// What somebody with this address may do who was not added before; `None`: such people are not added.
    pub role: Option<Role>,
}

/// What is known of whom a provider names.
#[derive(Debug)]
pub enum Found {
    /// The person, and what was changed.
    Person(Account, Vec<Change>),
    /// The person of this name is somebody else to the provider.
    Other(String),
    /// Was removed.
    Removed,
    /// Nobody was added with this address.
    Unknown,
    /// The provider names nobody who is known, and does not say that an address is the person's.
    NoAddress,
}

/// Looks for the person whom a provider names: by what the provider calls the person, and only when that is not known by the
/// address, which is never asked again then.
///
/// # Errors
/// The database cannot be asked, or does not do it.
pub async fn find(client: &Client, named: Named<'_>) -> anyhow::Result<Found> {
    let sql = "SELECT user_id FROM web_identities WHERE issuer = $1 AND subject = $2";
    let key: [(&(dyn ToSql + Sync), Type); 2] = [(&named.issuer, Type::TEXT), (&named.subject, Type::TEXT)];
    let row = client.query_typed_opt(sql, &key).await.context("look for the identity")?;
    let was_removed = row.is_some();
    if let Some(id) = row.and_then(|row| row.get(0)) {
        let account = sessions::account(client, Of::Id(id)).await?;
        return Ok(account.map_or(Found::Removed, |account| Found::Person(account, Vec::new())));
    }
    let Some(email) = named.email else { return Ok(Found::NoAddress) };
    let mut changes = Vec::new();
    let account = match (sessions::account(client, Of::Name(email)).await?, named.role) {
        (Some(account), _) => account,
        (None, _) if was_removed || was_named(client, email).await? => return Ok(Found::Removed),
        (None, None) => return Ok(Found::Unknown),
        (None, Some(role)) => {
            changes.push(people::add(client, email, false).await?);
            for app in apps::all(client).await? {
                changes.push(people::grant(client, email, &app, Some(role)).await?);
            }
            let account = sessions::account(client, Of::Name(email)).await?;
            account.context("the person who was added is not there")?
        }
    };
    match bind(client, &account, named.issuer, named.subject).await? {
        Bound::New(change) => changes.push(change),
        Bound::Already => {}
        Bound::Other => return Ok(Found::Other(account.name)),
    }
    Ok(Found::Person(account, changes))
}

/// Whether somebody of this name was removed. It is asked only before somebody is added who was not added by an operator.
async fn was_named(client: &Client, name: &str) -> anyhow::Result<bool> {
    let sql = "SELECT EXISTS (SELECT FROM audit_log \
               WHERE action = 'user.remove' AND lower(object) = lower('user ' || $1::text))";
    Ok(client.query_typed_one(sql, &[(&name, Type::TEXT)]).await.context("look for who was removed")?.get(0))
}

/// What became of binding a person.
#[derive(Debug)]
pub enum Bound {
    /// The person was bound to nothing there.
    New(Change),
    /// The person was bound to this.
    Already,
    /// The person is somebody else there, or this is somebody else.
    Other,
}

/// Binds a person to what a provider calls the person. Who is bound to another provider, that of the configuration before, is
/// bound to this one.
///
/// # Errors
/// The database does not do it.
pub async fn bind(client: &Client, account: &Account, issuer: &str, subject: &str) -> anyhow::Result<Bound> {
    // Of two who come at once with one address, one waits here and is somebody else then.
    let sql = "SELECT FROM web_users WHERE id = $1 FOR UPDATE";
    client.query_typed(sql, &[(&account.id, Type::INT4)]).await.context("lock the person")?;
    let sql = "SELECT issuer, subject FROM web_identities WHERE user_id = $1";
    let row = client.query_typed_opt(sql, &[(&account.id, Type::INT4)]).await;
    let row = row.context("look for the person's identity")?;
    let before: Option<&str> = row.as_ref().map(|row| row.get(0));
    if before == Some(issuer) {
        let is_same = row.as_ref().is_some_and(|row| row.get::<_, &str>(1) == subject);
        return Ok(if is_same { Bound::Already } else { Bound::Other });
    }
    unbind(client, account).await?;
    let sql = "INSERT INTO web_identities (issuer, subject, user_id) VALUES ($1, $2, $3) \
               ON CONFLICT (issuer, subject) DO UPDATE SET user_id = EXCLUDED.user_id, created_at = now() \
               WHERE web_identities.user_id IS NULL";
    let parameters: [(&(dyn ToSql + Sync), Type); 3] =
        [(&issuer, Type::TEXT), (&subject, Type::TEXT), (&account.id, Type::INT4)];
    if client.execute_typed(sql, &parameters).await.context("bind the person")? == 0 {
        return Ok(Bound::Other);
    }
    Ok(Bound::New(Change {
        action: "user.bind",
        object: format!("user {}", account.name),
        before: before.map(|issuer| json!({ "issuer": issuer })),
        after: Some(json!({ "issuer": issuer, "subject": subject })),
    }))
}

/// Forgets what a provider calls a person, who is found by the address again. `None`: the person is bound to nothing.
///
/// # Errors
/// The database does not do it.
pub async fn unbind(client: &Client, account: &Account) -> anyhow::Result<Option<Change>> {
    let sql = "DELETE FROM web_identities WHERE user_id = $1 RETURNING issuer, subject";
    let row = client.query_typed_opt(sql, &[(&account.id, Type::INT4)]).await;
    Ok(row.context("forget the identity")?.map(|row| Change {
        action: "user.unbind",
        object: format!("user {}", account.name),
        before: Some(json!({ "issuer": row.get::<_, &str>(0), "subject": row.get::<_, &str>(1) })),
        after: None,
    }))
}
