//! The schema's migrations, embedded from `sql/`.
//!
//! Each migration runs in one transaction, together with its row in `alt_migrations` and under a transaction-level
//! advisory lock. Two that start at once take turns. One that is killed leaves nothing half done. A migration expands
//! first and contracts a version later, so a daemon runs on its own schema and the next.
//!
//! The table was `schema_migrations` before. Other programs have a table of that name, so nothing is trusted by its name
//! alone: a table counts if it has the columns that this module creates. The next migration copies an old table of ours.
//! The old table stays and is continued, because a daemon of an earlier version may run and reads it.

use alt_process::fault::{self, Step};
use anyhow::{Context, bail};
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;

use super::roles;
use super::server;
use super::state;
use super::statements::statements;

/// One step of the schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Migration {
    /// Its number, ascending from 1 without gaps.
    pub version: i32,
    /// Its name.
    pub name: &'static str,
    sql: &'static str,
}

/// All migrations that this version knows.
pub const MIGRATIONS: &[Migration] = &[
    Migration { version: 1, name: "tables", sql: include_str!("../../../sql/0001_tables.sql") },
    Migration { version: 2, name: "replay", sql: include_str!("../../../sql/0002_replay.sql") },
    Migration { version: 3, name: "archive", sql: include_str!("../../../sql/0003_archive.sql") },
    Migration { version: 4, name: "long_paths", sql: include_str!("../../../sql/0004_long_paths.sql") },
    Migration { version: 5, name: "environments", sql: include_str!("../../../sql/0005_environments.sql") },
    Migration { version: 6, name: "suspects", sql: include_str!("../../../sql/0006_suspects.sql") },
    Migration { version: 7, name: "retention", sql: include_str!("../../../sql/0007_retention.sql") },
    Migration { version: 8, name: "leases", sql: include_str!("../../../sql/0008_leases.sql") },
    Migration { version: 9, name: "batches", sql: include_str!("../../../sql/0009_batches.sql") },
    Migration { version: 10, name: "roles", sql: include_str!("../../../sql/0010_roles.sql") },
    Migration { version: 11, name: "missing", sql: include_str!("../../../sql/0011_missing.sql") },
    Migration { version: 12, name: "comments", sql: include_str!("../../../sql/0012_comments.sql") },
    Migration { version: 13, name: "statistics", sql: include_str!("../../../sql/0013_statistics.sql") },
    Migration { version: 14, name: "access", sql: include_str!("../../../sql/0014_access.sql") },
    Migration { version: 15, name: "segments", sql: include_str!("../../../sql/0015_segments.sql") },
    Migration { version: 16, name: "imports", sql: include_str!("../../../sql/0016_imports.sql") },
    Migration { version: 17, name: "sign_in", sql: include_str!("../../../sql/0017_sign_in.sql") },
    Migration { version: 18, name: "goals", sql: include_str!("../../../sql/0018_goals.sql") },
    Migration { version: 19, name: "alerts", sql: include_str!("../../../sql/0019_alerts.sql") },
    Migration { version: 20, name: "event_values", sql: include_str!("../../../sql/0020_event_values.sql") },
    Migration {
        version: 21,
        name: "less_for_alerts",
        sql: include_str!("../../../sql/0021_less_for_alerts.sql"),
    },
    Migration { version: 22, name: "samples", sql: include_str!("../../../sql/0022_samples.sql") },
    Migration { version: 23, name: "reports", sql: include_str!("../../../sql/0023_reports.sql") },
    Migration { version: 24, name: "annotations", sql: include_str!("../../../sql/0024_annotations.sql") },
    Migration { version: 25, name: "jwt_keys", sql: include_str!("../../../sql/0025_jwt_keys.sql") },
    Migration { version: 26, name: "silences", sql: include_str!("../../../sql/0026_silences.sql") },
    Migration {
        version: 27,
        name: "saved_filters",
        sql: include_str!("../../../sql/0027_saved_filters.sql"),
    },
    Migration { version: 28, name: "page_views", sql: include_str!("../../../sql/0028_page_views.sql") },
    Migration {
        version: 29,
        name: "alert_troubles",
        sql: include_str!("../../../sql/0029_alert_troubles.sql"),
    },
    Migration { version: 30, name: "user_keys", sql: include_str!("../../../sql/0030_user_keys.sql") },
    Migration { version: 31, name: "panels", sql: include_str!("../../../sql/0031_panels.sql") },
    Migration { version: 32, name: "accounts", sql: include_str!("../../../sql/0032_accounts.sql") },
    Migration { version: 33, name: "providers", sql: include_str!("../../../sql/0033_providers.sql") },
    Migration { version: 34, name: "crawlers", sql: include_str!("../../../sql/0034_crawlers.sql") },
    Migration { version: 35, name: "daemons", sql: include_str!("../../../sql/0035_daemons.sql") },
];

/// The key of the advisory lock that migrations hold ("alt migr").
const LOCK: i64 = 0x616c_7420_6d69_6772;

/// What to do where names are taken.
const OWN_PLACE: &str = "another program has a table with the name of one of alt's: give alt a database of its own, or a \
                         schema that comes first in its search_path (CREATE SCHEMA alt AUTHORIZATION alt)";

/// The same where alt's tables are there already, and a new one has the name.
const OTHER_NAME: &str = "another program has a table with the name of a new one of alt's: rename that table (ALTER TABLE … RENAME TO …, and \
                          in its program), and run `alt migrate` again; alt's tables and rows are as they were";

/// The schema version that this program is made for.
pub fn newest() -> i32 {
    MIGRATIONS.last().map_or(0, |migration| migration.version)
}

/// A migration, and when it was applied.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Applied {
    /// Its number.
    pub version: i32,
    /// Its name, as recorded or as this version knows it.
    pub name: String,
    /// When it was applied (UTC, RFC 3339); `None`: not yet.
    pub applied_at: Option<String>,
}

/// The database's schema compared with this program's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schema {
    /// No schema at all.
    Missing,
    /// Older: `alt migrate` has not run.
    Older(i32),
    /// As expected, or one version newer.
    Compatible(i32),
    /// Newer by more than one version: this program has to be upgraded.
    TooNew(i32),
}

/// The version of the database's schema, compared with ours.
///
/// # Errors
/// The database cannot be asked.
pub async fn schema(client: &Client) -> anyhow::Result<Schema> {
    let version = version(client).await?;
    Ok(match version {
        None | Some(0) => Schema::Missing,
        Some(v) if v < newest() => Schema::Older(v),
        Some(v) if v <= newest() + 1 => Schema::Compatible(v),
        Some(v) => Schema::TooNew(v),
    })
}

/// Fails if this program cannot work with the schema, and says what to do.
///
/// # Errors
/// The schema is missing, older, or newer by more than one version; the encoding is not UTF8; or the database cannot be
/// asked.
pub async fn check_compatible(client: &Client) -> anyhow::Result<()> {
    server::check_encoding(client).await?;
    match schema(client).await? {
        Schema::Compatible(_) => Ok(()),
        Schema::Missing => bail!("the database has no schema; run `alt migrate`"),
        Schema::Older(version) => {
            bail!("the database's schema is version {version}, older than {}; run `alt migrate`", newest())
        }
        Schema::TooNew(version) => {
            bail!(
                "the database's schema is version {version}, too new for this alt ({}); upgrade alt",
                newest()
            )
        }
    }
}

/// The tables of applied migrations that a database has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Tables {
    /// `alt_migrations` is there.
    has_new: bool,
    /// `schema_migrations` is there, and is ours.
    has_old: bool,
}

impl Tables {
    /// Where the applied migrations are recorded.
    fn current(self) -> Option<&'static str> {
        match self {
            Tables { has_new: true, .. } => Some("alt_migrations"),
            Tables { has_old: true, .. } => Some("schema_migrations"),
            Tables { has_new: false, has_old: false } => None,
        }
    }
}

/// Looks for the tables, and holds their columns against those that `alt` creates.
async fn tables(client: &Client) -> anyhow::Result<Tables> {
    let row = client.query_typed_one(include_str!("../../../sql/migration_tables.sql"), &[]).await;
    let row = row.context("look for the schema")?;
    let (new, old): (Option<bool>, Option<bool>) = (row.get(0), row.get(1));
    if new == Some(false) {
        bail!(
            "the table alt_migrations is in the way: its columns are not those of alt's table; rename it, or give alt a \
             database of its own"
        );
    }
    let mut tables = Tables { has_new: new.is_some(), has_old: false };
    if old == Some(true) {
        let sql = "SELECT EXISTS (SELECT FROM schema_migrations WHERE version = 1 AND name = 'tables')";
        let first = client.query_typed_one(sql, &[]).await;
        tables.has_old = match first {
            Ok(row) => row.get(0),
            // What may not be read need not be ours, if ours is there.
            Err(_) if tables.has_new => false,
            Err(error) => return Err(unreadable(error)),
        };
    }
    Ok(tables)
}

fn unreadable(error: tokio_postgres::Error) -> anyhow::Error {
    let refused = error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE);
    let what = if refused {
        "the role of postgres.url may not read the schema: name the role that owns it"
    } else {
        "read the schema's version"
    };
    anyhow::Error::new(error).context(what)
}

async fn version(client: &Client) -> anyhow::Result<Option<i32>> {
    let Some(table) = tables(client).await?.current() else { return Ok(None) };
    let sql = format!("SELECT coalesce(max(version), 0) FROM {table}");
    let row = client.query_typed_one(&sql, &[]).await.map_err(unreadable)?;
    Ok(Some(row.get(0)))
}

/// Every migration that the database or this program knows, in order.
///
/// # Errors
/// The database cannot be asked.
pub async fn status(client: &Client) -> anyhow::Result<Vec<Applied>> {
    let mut all = Vec::new();
    if let Some(table) = tables(client).await?.current() {
        let sql = format!(
            "SELECT version, name, to_char(applied_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') \
             FROM {table} ORDER BY version"
        );
        for row in client.query_typed(&sql, &[]).await.context("read the applied migrations")? {
            all.push(Applied { version: row.get(0), name: row.get(1), applied_at: Some(row.get(2)) });
        }
    }
    for migration in MIGRATIONS {
        if !all.iter().any(|applied| applied.version == migration.version) {
            let name = migration.name.to_owned();
            all.push(Applied { version: migration.version, name, applied_at: None });
        }
    }
    all.sort_by_key(|applied| applied.version);
    Ok(all)
}

/// Applies the missing migrations and returns them. If none is missing, no right to change a table is needed.
///
/// # Errors
/// A migration failed; the ones before it stay applied. The encoding is not UTF8. Something of another program is in the
/// way. Or the tables belong to another role.
pub async fn apply(client: &mut Client) -> anyhow::Result<Vec<Migration>> {
    server::check_encoding(client).await?;
    let mut applied = Vec::new();
    let before = version(client).await?;
    if before >= Some(newest()) {
        roles::grant(client).await?;
        return Ok(applied);
    }
    let mend = if before > Some(0) { OTHER_NAME } else { OWN_PLACE };
    roles::check_owns(client).await?;
    for migration in MIGRATIONS {
        let what = || format!("apply migration {} ({})", migration.version, migration.name);
        if apply_one(client, migration).await.map_err(|error| explain(error, mend)).with_context(what)? {
            applied.push(*migration);
        }
    }
    roles::grant(client).await?;
    Ok(applied)
}

/// Says what to do where a name is taken.
fn explain(error: anyhow::Error, mend: &'static str) -> anyhow::Error {
    let taken = [SqlState::DUPLICATE_TABLE, SqlState::DUPLICATE_OBJECT, SqlState::DUPLICATE_FUNCTION];
    if state(&error).is_some_and(|state| taken.contains(state)) { error.context(mend) } else { error }
}

async fn apply_one(client: &mut Client, migration: &Migration) -> anyhow::Result<bool> {
    let tx = client.transaction().await?;
    tx.execute_typed("SELECT pg_advisory_xact_lock($1)", &[(&LOCK, Type::INT8)]).await?;
    tx.batch_execute("SET LOCAL client_min_messages = warning").await?;
    let found = tables(tx.client()).await?;
    if found.current().is_none() {
        let in_the_way = server::in_the_way(tx.client()).await?;
        if !in_the_way.is_empty() {
            bail!("{OWN_PLACE}; in the way: {}", in_the_way.join(", "));
        }
    }
    if !found.has_new {
        tx.batch_execute(include_str!("../../../sql/alt_migrations.sql")).await?;
        if found.has_old {
            let copy = "INSERT INTO alt_migrations (version, name, applied_at) SELECT version, name, applied_at FROM schema_migrations";
            tx.batch_execute(copy).await?;
        }
    }
    let done = tx
        .query_typed_opt(
            "SELECT 1 FROM alt_migrations WHERE version = $1",
            &[(&migration.version, Type::INT4)],
        )
        .await?
        .is_some();
    if !done {
        // Send each as its own message: Citus refuses to change a distributed table in a message with other statements.
        for statement in statements(migration.sql) {
            tx.batch_execute(statement).await?;
        }
        let old = found.has_old.then_some("schema_migrations");
        for table in std::iter::once("alt_migrations").chain(old) {
            tx.execute_typed(
                &format!("INSERT INTO {table} (version, name) VALUES ($1, $2)"),
                &[(&migration.version, Type::INT4), (&migration.name, Type::TEXT)],
            )
            .await?;
        }
        fault::at(Step::Migrated);
    }
    tx.commit().await?;
    Ok(!done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_ascend_without_gaps() {
        for (expected, migration) in (1..).zip(MIGRATIONS) {
            assert_eq!(migration.version, expected);
            let file =
                format!("{}/../../sql/{expected:04}_{}.sql", env!("CARGO_MANIFEST_DIR"), migration.name);
            assert_eq!(std::fs::read_to_string(file).unwrap(), migration.sql);
        }
    }
}
