//! Applications: registering them, and finding them by key or name.

use std::str::FromStr;

use alt_line::hit::Micros;
use alt_statistics::details::{PROPERTIES_MAX, PROPERTY_MAX};
use alt_statistics::query::Property;
use anyhow::{Context, bail};
use serde::Serialize;
use serde_json::json;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row, Transaction};

use super::stats::backlog;
use super::web::audit::Change;

/// Held while an application is named, so that no two applications get the same name ("alt apps").
const LOCK: i64 = 0x616c_7420_6170_7073;

const COLUMNS: &str = "id, app_key, name, allowed_domains, time_zone, properties, page_views, \
    to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') AS created_at, \
    to_char(disabled_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') AS disabled_at";

/// What the page views of an application are, beside its events of the type `pageview`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PageViews {
    /// Nothing else.
    #[default]
    Events,
    /// Requests of its site's own log that are pages: [`alt_statistics::page::is_page`].
    Requests,
}

impl PageViews {
    /// As `applications.page_views` has it.
    pub fn as_str(self) -> &'static str {
        match self {
            PageViews::Events => "events",
            PageViews::Requests => "requests",
        }
    }
}

impl FromStr for PageViews {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<PageViews, &'static str> {
        let all = [PageViews::Events, PageViews::Requests];
        all.into_iter().find(|one| one.as_str() == text).ok_or("page views are `events` or `requests`")
    }
}

/// A registered application.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Application {
    /// Key of `applications`.
    #[serde(skip)]
    pub id: i32,
    /// The public key, which pages contain.
    pub key: String,
    /// Its name.
    pub name: String,
    /// Domains that its hits may come from; empty: any domain.
    pub domains: Vec<String>,
    /// The time zone of its days, as an IANA name.
    pub time_zone: String,
    /// The properties of events that statistics keep the values of.
    pub properties: Vec<String>,
    /// What its page views are.
    pub page_views: PageViews,
    /// UTC, RFC 3339.
    pub created_at: String,
    /// Since when its hits are rejected (UTC, RFC 3339); `None`: its hits are accepted.
    pub disabled_at: Option<String>,
}

impl Application {
    fn of(row: &Row) -> Application {
        Application {
            id: row.get("id"),
            key: row.get("app_key"),
            name: row.get("name"),
            domains: row.get("allowed_domains"),
            time_zone: row.get("time_zone"),
            properties: row.get("properties"),
            page_views: row.get::<_, &str>("page_views").parse().unwrap_or_default(),
            created_at: row.get("created_at"),
            disabled_at: row.get("disabled_at"),
        }
    }
}

/// All applications, by name.
///
/// # Errors
/// The database cannot be asked.
pub async fn all(client: &Client) -> anyhow::Result<Vec<Application>> {
    let sql = format!("SELECT {COLUMNS} FROM applications ORDER BY name, id");
    let rows = client.query_typed(&sql, &[]).await.context("read the applications")?;
    Ok(rows.iter().map(Application::of).collect())
}

/// The applications whose hits are accepted, by name.
///
/// # Errors
/// The database cannot be asked.
pub async fn enabled(client: &Client) -> anyhow::Result<Vec<Application>> {
    let mut apps = all(client).await?;
    apps.retain(|app| app.disabled_at.is_none());
    Ok(apps)
}

/// The application with this key, or else the one with this name.
///
/// # Errors
/// There is no such application, several have this name, or the database cannot be asked.
pub async fn find(client: &Client, app: &str) -> anyhow::Result<Application> {
    let sql =
        format!("SELECT {COLUMNS} FROM applications WHERE app_key = $1 OR name = $1 ORDER BY app_key <> $1");
    let rows = client.query_typed(&sql, &[(&app, Type::TEXT)]).await?;
    let found: Vec<Application> = rows.iter().map(Application::of).collect();
    match found.as_slice() {
        [] => bail!("no application has the name or key {app}; `alt app list` shows them"),
        [first, second, ..] if first.key != app && second.name == first.name => {
            bail!("several applications are named {app}; use the key of one")
        }
        _ => Ok(found.into_iter().next().context("one was found")?),
    }
}

/// The application with this key; `None`: there is none.
///
/// # Errors
/// The database cannot be asked.
pub async fn by_key(client: &Client, key: &str) -> anyhow::Result<Option<Application>> {
    let sql = format!("SELECT {COLUMNS} FROM applications WHERE app_key = $1");
    let row =
        client.query_typed_opt(&sql, &[(&key, Type::TEXT)]).await.context("look for the application")?;
    Ok(row.as_ref().map(Application::of))
}

/// Registers an application.
///
/// # Errors
/// The name or the key is taken, or the database does not accept it.
pub async fn add(
    client: &mut Client,
    key: &str,
    name: &str,
    domains: &[String],
    time_zone: &str,
) -> anyhow::Result<Application> {
    let tx = client.transaction().await?;
    refuse_taken_name(&tx, name).await?;
    let taken =
        tx.query_typed_opt("SELECT name FROM applications WHERE app_key = $1", &[(&key, Type::TEXT)]).await?;
    if let Some(row) = taken {
        bail!("the application {} has the key {key} already", row.get::<_, &str>(0));
    }
    let sql = format!(
        "INSERT INTO applications (app_key, name, allowed_domains, time_zone) VALUES ($1, $2, $3, $4) \
         RETURNING {COLUMNS}"
    );
    let parameters: [(&(dyn ToSql + Sync), Type); 4] =
        [(&key, Type::TEXT), (&name, Type::TEXT), (&domains, Type::TEXT_ARRAY), (&time_zone, Type::TEXT)];
    let row = tx.query_typed_one(&sql, &parameters).await.context("register the application")?;
    tx.commit().await?;
    Ok(Application::of(&row))
}

/// Renames an application, given by key or name. Returns the application as it was before.
///
/// # Errors
/// There is no such application, the name is taken, or the database does not do it.
pub async fn rename(client: &mut Client, app: &str, name: &str) -> anyhow::Result<Application> {
    let app = find(client, app).await?;
    if app.name != name {
        let tx = client.transaction().await?;
        refuse_taken_name(&tx, name).await?;
        let sql = "UPDATE applications SET name = $2 WHERE app_key = $1";
        tx.execute_typed(sql, &[(&app.key, Type::TEXT), (&name, Type::TEXT)]).await?;
        tx.commit().await?;
    }
    Ok(app)
}

/// What an application becomes; `None`: it stays.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted<'a> {
    /// Its name.
    pub name: Option<&'a str>,
    /// What its page views are.
    pub page_views: Option<PageViews>,
    /// The properties of events that statistics keep the values of from now on.
    pub properties: Option<&'a [String]>,
}

/// The names of properties, if an application can have them.
///
/// # Errors
/// What is wrong, and how to mend it.
pub fn checked_properties(names: &[impl AsRef<str>]) -> anyhow::Result<Vec<String>> {
    if names.len() > PROPERTIES_MAX {
        bail!("an application has at most {PROPERTIES_MAX} properties; these are {}", names.len());
    }
    let mut checked: Vec<String> = Vec::with_capacity(names.len());
    for name in names.iter().map(AsRef::as_ref) {
        if Property::named(name).is_none() {
            bail!(
                "the property {name:?} has no name that can be one: 1 to {PROPERTY_MAX} bytes, without control characters"
            );
        }
        if checked.iter().any(|known| known == name) {
            bail!("the property {name} is named twice");
        }
        checked.push(name.to_owned());
    }
    Ok(checked)
}

/// Changes an application within the caller's transaction; returns it and what to record. `None`: the name is taken. Where
/// page views become something else, the rows are put into the backlog of statistics: the days that are not frozen are computed again.
///
/// # Errors
/// The database does not do it.
pub async fn change_in(
    client: &Client,
    app: &Application,
    wanted: Wanted<'_>,
) -> anyhow::Result<Option<(Application, Change)>> {
    client.execute_typed("SELECT pg_advisory_xact_lock($1)", &[(&LOCK, Type::INT8)]).await?;
    // As it is now: somebody else may have changed it since the caller read it.
    let before = by_key(client, &app.key).await?;
    let app = before.as_ref().unwrap_or(app);
    let sql = format!(
        "UPDATE applications SET name = coalesce($2, name), page_views = coalesce($3, page_views), \
         properties = coalesce($4, properties) WHERE app_key = $1 \
         AND NOT EXISTS (SELECT FROM applications WHERE name = $2 AND app_key <> $1) RETURNING {COLUMNS}"
    );
    let page_views = wanted.page_views.map(PageViews::as_str);
    let parameters: [(&(dyn ToSql + Sync), Type); 4] = [
        (&app.key, Type::TEXT),
        (&wanted.name, Type::TEXT),
        (&page_views, Type::TEXT),
        (&wanted.properties, Type::TEXT_ARRAY),
    ];
    let row = client.query_typed_opt(&sql, &parameters).await.context("change the application")?;
    let Some(now) = row.as_ref().map(Application::of) else { return Ok(None) };
    if now.page_views != app.page_views {
        backlog::add_rows(client, Some(app.id), Micros::MIN, Micros::MAX).await?;
    }
    let told = |app: &Application| {
        let mut told = serde_json::Map::new();
        if wanted.name.is_some() {
            told.insert("name".to_owned(), json!(app.name));
        }
        if wanted.page_views.is_some() {
            told.insert("page_views".to_owned(), json!(app.page_views));
        }
        if wanted.properties.is_some() {
            told.insert("properties".to_owned(), json!(app.properties));
        }
        Some(told.into())
    };
    let change = Change {
        action: match wanted {
            Wanted { name: Some(_), page_views: None, properties: None } => "application.rename",
            Wanted { name: None, page_views: None, properties: Some(_) } => "application.properties",
            _ => "application.change",
        },
        object: format!("application {}", app.key),
        before: told(app),
        after: told(&now),
    };
    Ok(Some((now, change)))
}

/// Applications whose hits are accepted, whose page views are events alone, and of which the newest rows are requests of a
/// site's own log, and no page view: by name, at most so many, of the first thousand. `app_id`: of this application alone.
///
/// # Errors
/// The database cannot be asked.
pub async fn with_requests_alone(
    client: &Client,
    app_id: Option<i32>,
    most: i64,
) -> anyhow::Result<Vec<Application>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM (SELECT * FROM applications WHERE page_views = 'events' AND disabled_at IS NULL \
             AND ($1::integer IS NULL OR id = $1) ORDER BY id LIMIT 1000) a \
         WHERE (SELECT bool_or(event_type = 'request') AND NOT bool_or(event_type = 'pageview') \
                FROM (SELECT event_type FROM access_logs WHERE app_id = a.id ORDER BY occurred_at DESC LIMIT 500) newest) \
         ORDER BY name LIMIT $2"
    );
    let rows = client.query_typed(&sql, &[(&app_id, Type::INT4), (&most, Type::INT8)]).await;
    let rows = rows.context("look for applications without page views")?;
    Ok(rows.iter().map(Application::of).collect())
}

/// Rejects the hits of an application, given by key or name, from now on. Returns the application as it was before.
///
/// # Errors
/// There is no such application, or the database does not do it.
pub async fn disable(client: &mut Client, app: &str) -> anyhow::Result<Application> {
    set(client, app, "UPDATE applications SET disabled_at = coalesce(disabled_at, now()) WHERE app_key = $1")
        .await
}

/// Accepts the hits of an application, given by key or name, again. Returns the application as it was before.
///
/// # Errors
/// There is no such application, or the database does not do it.
pub async fn enable(client: &mut Client, app: &str) -> anyhow::Result<Application> {
    set(client, app, "UPDATE applications SET disabled_at = NULL WHERE app_key = $1").await
}

async fn set(client: &Client, app: &str, sql: &str) -> anyhow::Result<Application> {
    let app = find(client, app).await?;
    client.execute_typed(sql, &[(&app.key, Type::TEXT)]).await.context("change the application")?;
    Ok(app)
}

async fn refuse_taken_name(tx: &Transaction<'_>, name: &str) -> anyhow::Result<()> {
    tx.execute_typed("SELECT pg_advisory_xact_lock($1)", &[(&LOCK, Type::INT8)]).await?;
    let sql = "SELECT app_key FROM applications WHERE name = $1 LIMIT 1";
    match tx.query_typed_opt(sql, &[(&name, Type::TEXT)]).await? {
        Some(row) => {
            bail!("an application named {name} is there already, with the key {}", row.get::<_, &str>(0))
        }
        None => Ok(()),
    }
}
