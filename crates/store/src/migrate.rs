//! The schema's migrations, embedded from `sql/`.
//!
//! Each migration runs in one transaction, together with its row in `schema_migrations` and under a transaction-level
//! advisory lock. Two that start at once take turns. One that is killed leaves nothing half done. A migration expands
//! first and contracts a version later, so a daemon runs on its own schema and the next.

use alt_process::fault::{self, Step};
use anyhow::{Context, bail};
use tokio_postgres::Client;
use tokio_postgres::types::Type;

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
    Migration { version: 11, name: "missing", sql: include_str!("../../../sql/0011_missing.sql") },
];

/// The key of the advisory lock that migrations hold ("alt migr").
const LOCK: i64 = 0x616c_7420_6d69_6772;

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
/// The schema is missing, older, or newer by more than one version; or the database cannot be asked.
pub async fn check_compatible(client: &Client) -> anyhow::Result<()> {
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

async fn version(client: &Client) -> anyhow::Result<Option<i32>> {
    let there = client
        .query_typed_one("SELECT to_regclass('schema_migrations') IS NOT NULL", &[])
        .await
        .context("look for the schema")?;
    if !there.get::<_, bool>(0) {
        return Ok(None);
    }
    let row = client
        .query_typed_one("SELECT coalesce(max(version), 0) FROM schema_migrations", &[])
        .await
        .map_err(|error| {
            let refused = error.code() == Some(&tokio_postgres::error::SqlState::INSUFFICIENT_PRIVILEGE);
            let what = if refused {
                "the role of postgres.url may not read the schema: name the role that owns it"
            } else {
                "read the schema's version"
            };
            anyhow::Error::new(error).context(what)
        })?;
    Ok(Some(row.get(0)))
}

/// Every migration that the database or this program knows, in order.
///
/// # Errors
/// The database cannot be asked.
pub async fn status(client: &Client) -> anyhow::Result<Vec<Applied>> {
    let mut all = Vec::new();
    if version(client).await?.is_some() {
        let sql = "SELECT version, name, to_char(applied_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') \
                   FROM schema_migrations ORDER BY version";
        for row in client.query_typed(sql, &[]).await.context("read the applied migrations")? {
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

/// Applies the missing migrations and returns them.
///
/// # Errors
/// A migration failed; the ones before it stay applied.
pub async fn apply(client: &mut Client) -> anyhow::Result<Vec<Migration>> {
    let mut applied = Vec::new();
    for migration in MIGRATIONS {
        let what = || format!("apply migration {} ({})", migration.version, migration.name);
        if apply_one(client, migration).await.with_context(what)? {
            applied.push(*migration);
        }
    }
    Ok(applied)
}

async fn apply_one(client: &mut Client, migration: &Migration) -> anyhow::Result<bool> {
    let tx = client.transaction().await?;
    tx.execute_typed("SELECT pg_advisory_xact_lock($1)", &[(&LOCK, Type::INT8)]).await?;
    tx.batch_execute("SET LOCAL client_min_messages = warning").await?;
    tx.batch_execute(include_str!("../../../sql/schema_migrations.sql")).await?;
    let done = tx
        .query_typed_opt(
            "SELECT 1 FROM schema_migrations WHERE version = $1",
            &[(&migration.version, Type::INT4)],
        )
        .await?
        .is_some();
    if !done {
        // Send each as its own message: Citus refuses to change a distributed table in a message with other statements.
        for statement in statements(migration.sql) {
            tx.batch_execute(statement).await?;
        }
        tx.execute_typed(
            "INSERT INTO schema_migrations (version, name) VALUES ($1, $2)",
            &[(&migration.version, Type::INT4), (&migration.name, Type::TEXT)],
        )
        .await?;
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
