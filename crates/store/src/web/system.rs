//! How loading is: files, and who works.

use anyhow::Context;
use serde::Serialize;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};

/// The most files of an answer.
pub const FILES_MAX: i64 = 100;

/// A file that has a checkpoint. Times are UTC, RFC 3339.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct File {
    /// Key.
    pub id: i32,
    /// The host that has it.
    pub host: String,
    /// Its path, as last seen.
    pub path: String,
    /// Lines that are accounted for.
    pub lines: i64,
    /// Those that are rows.
    pub rows: i64,
    /// Those that could not become rows.
    pub rejects: i64,
    /// It is read to its end.
    pub is_sealed: bool,
    /// When its lines were last committed.
    pub committed_at: Option<String>,
    /// When the archive was verified to hold it.
    pub archived_at: Option<String>,
    /// Why it is not archived.
    pub archive_error: Option<String>,
}

/// Sums over all files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Files that have a checkpoint.
    pub files: i64,
    /// See [`File::lines`].
    pub lines: i64,
    /// See [`File::rows`].
    pub rows: i64,
    /// See [`File::rejects`].
    pub rejects: i64,
    /// Files with an archive error.
    pub archive_errors: i64,
}

/// Work that one process does at a time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Worker {
    /// Its name.
    pub name: String,
    /// The host of the process.
    pub host: String,
    /// Until its lease ends; below zero: nobody has renewed it.
    pub expires_in_seconds: f64,
}

/// A daemon that runs or ran.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Daemon {
    /// Its host.
    pub host: String,
    /// Path of its configuration.
    pub config: String,
    /// Its version.
    pub version: String,
    /// How many sources it follows.
    pub sources: i32,
    /// When it started, or read its configuration again (UTC, RFC 3339).
    pub started_at: String,
    /// When it last said that it runs.
    pub seen_at: String,
    /// When it ended because it was told to.
    pub ended_at: Option<String>,
    /// For how long the oldest line that is not loaded had been there then, seconds.
    pub lag_seconds: Option<f64>,
    /// Whether it runs, as far as is known.
    pub is_running: bool,
}

fn file(row: &Row) -> File {
    File {
        id: row.get(0),
        host: row.get(1),
        path: row.get(2),
        lines: row.get(3),
        rows: row.get(4),
        rejects: row.get(5),
        is_sealed: row.get(6),
        committed_at: row.get(7),
        archived_at: row.get(8),
        archive_error: row.get(9),
    }
}

/// Files, those with an archive error first and then those that were committed last; at most [`FILES_MAX`].
///
/// # Errors
/// The database cannot be asked.
pub async fn files(client: &Client) -> anyhow::Result<Vec<File>> {
    let sql = format!(
        "SELECT f.id, f.host, f.path, c.lines, c.rows, c.rejects, c.sealed, {}, {}, f.archive_error \
         FROM checkpoints c JOIN log_files f ON f.id = c.file_id \
         ORDER BY f.archive_error IS NULL, c.committed_at DESC NULLS LAST, f.id DESC LIMIT $1",
        super::time("c.committed_at"),
        super::time("f.archived_at")
    );
    let rows = client.query_typed(&sql, &[(&FILES_MAX, Type::INT8)]).await.context("read the files")?;
    Ok(rows.iter().map(file).collect())
}

/// Sums over all files.
///
/// # Errors
/// The database cannot be asked.
pub async fn totals(client: &Client) -> anyhow::Result<Totals> {
    let sql = "SELECT count(*), coalesce(sum(c.lines), 0)::bigint, coalesce(sum(c.rows), 0)::bigint, \
                      coalesce(sum(c.rejects), 0)::bigint, count(*) FILTER (WHERE f.archive_error IS NOT NULL) \
               FROM checkpoints c JOIN log_files f ON f.id = c.file_id";
    let row = client.query_typed_one(sql, &[]).await.context("sum up the files")?;
    Ok(Totals {
        files: row.get(0),
        lines: row.get(1),
        rows: row.get(2),
        rejects: row.get(3),
        archive_errors: row.get(4),
    })
}

/// Who works at what.
///
/// # Errors
/// The database cannot be asked.
pub async fn workers(client: &Client) -> anyhow::Result<Vec<Worker>> {
    let sql = "SELECT name, split_part(holder, ' ', 1), extract(epoch FROM expires_at - now())::float8 \
               FROM leases ORDER BY name";
    let rows = client.query_typed(sql, &[]).await.context("read the leases")?;
    let worker = |row: &Row| Worker { name: row.get(0), host: row.get(1), expires_in_seconds: row.get(2) };
    Ok(rows.iter().map(worker).collect())
}

/// Daemons: those that run first, then those that were seen last; at most [`FILES_MAX`].
///
/// # Errors
/// The database cannot be asked.
pub async fn daemons(client: &Client) -> anyhow::Result<Vec<Daemon>> {
    let is_running = "ended_at IS NULL AND seen_at > now() - interval '90 seconds'";
    let sql = format!(
        "SELECT host, config, version, sources, {}, {}, {}, lag, {is_running} FROM daemons \
         ORDER BY NOT ({is_running}), seen_at DESC, host, config LIMIT $1",
        super::time("started_at"),
        super::time("seen_at"),
        super::time("ended_at")
    );
    let rows = client.query_typed(&sql, &[(&FILES_MAX, Type::INT8)]).await.context("read the daemons")?;
    let daemon = |row: &Row| Daemon {
        host: row.get(0),
        config: row.get(1),
        version: row.get(2),
        sources: row.get(3),
        started_at: row.get(4),
        seen_at: row.get(5),
        ended_at: row.get(6),
        lag_seconds: row.get(7),
        is_running: row.get(8),
    };
    Ok(rows.iter().map(daemon).collect())
}
