//! Taking rows out, and updating the ledgers of their files.
//!
//! The rows of each month are deleted in one transaction, together with the change of the ledgers. A file that is taken
//! out as a whole is marked first. From then on, nobody loads it by its checkpoint.

use std::collections::BTreeMap;
use std::time::SystemTime;

use alt_line::hit::Micros;
use alt_process::clock::{micros, system_time};
use anyhow::Context;
use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};

use super::partitions;

const TAKE_ROWS: &str = include_str!("../../../sql/unload.sql");

const COUNT_ROWS: &str = "SELECT count(*) FROM access_logs WHERE ($1::integer IS NULL OR file_id = $1) \
    AND ($2::integer IS NULL OR app_id = $2) AND occurred_at >= $3 AND occurred_at < $4";

const TAKE_REJECTS: &str = "WITH gone AS (DELETE FROM rejected_lines WHERE file_id = $1 RETURNING lines), \
         moved AS (UPDATE checkpoints SET rejects = 0, unloaded = unloaded + rejects WHERE file_id = $1) \
    SELECT coalesce(sum(lines), 0)::bigint FROM gone";

const COUNT_REJECTS: &str = "SELECT coalesce(sum(lines), 0)::bigint FROM rejected_lines WHERE file_id = $1";

/// Selects rows: those of a file, or those of an application that happened within a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Selection {
    file_id: Option<i32>,
    app_id: Option<i32>,
    since: Micros,
    until: Micros,
}

impl Selection {
    /// All rows of a file, by its key in `log_files`.
    pub fn of_file(file_id: i32) -> Selection {
        Selection { file_id: Some(file_id), app_id: None, since: Micros::MIN, until: Micros::MAX }
    }

    /// The rows of an application, by its key in `applications`, from `since` on and before `until`.
    pub fn of_app(app_id: i32, since: Micros, until: Micros) -> Selection {
        Selection { file_id: None, app_id: Some(app_id), since, until }
    }
}

/// What was taken out, or would be taken out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Taken {
    /// The number of rows by the month in which they happened (`2026-01`). Only months with rows.
    pub rows_by_month: BTreeMap<String, i64>,
    /// Lines of rejects.
    pub rejects: i64,
}

/// Keys of the files of a host with this path. If `is_there`, only those without a checkpoint, because the bytes
/// identify the others.
///
/// # Errors
/// The database cannot be asked.
pub async fn files_at(client: &Client, host: &str, path: &str, is_there: bool) -> anyhow::Result<Vec<i32>> {
    let sql = "SELECT f.id FROM log_files f LEFT JOIN checkpoints c ON c.file_id = f.id \
               WHERE f.host = $1 AND f.path = $2 AND (c.file_id IS NULL OR NOT $3) ORDER BY f.id";
    let parameters: [(&(dyn ToSql + Sync), Type); 3] =
        [(&host, Type::TEXT), (&path, Type::TEXT), (&is_there, Type::BOOL)];
    Ok(client.query_typed(sql, &parameters).await?.iter().map(|row| row.get(0)).collect())
}

/// The followed path of a file, if a daemon follows the file. Lines that are written to it later would not be loaded.
///
/// # Errors
/// The database cannot be asked.
pub async fn followed_as(client: &Client, file_id: i32) -> anyhow::Result<Option<String>> {
    let sql = "SELECT f.source FROM checkpoints c JOIN log_files f ON f.id = c.file_id \
               WHERE c.file_id = $1 AND NOT c.sealed AND f.source <> 'replay'";
    Ok(client.query_typed_opt(sql, &[(&file_id, Type::INT4)]).await?.map(|row| row.get(0)))
}

/// Counts what [`take_rows`] would take out.
///
/// # Errors
/// The database cannot be asked.
pub async fn count_rows(client: &Client, which: &Selection) -> anyhow::Result<Taken> {
    let mut taken = Taken::default();
    by_month(client, COUNT_ROWS, which, &mut taken).await?;
    Ok(taken)
}

/// Takes rows out, month by month.
///
/// # Errors
/// The database does not do it. The months before the failed one are taken out.
pub async fn take_rows(client: &mut Client, which: &Selection) -> anyhow::Result<Taken> {
    let mut taken = Taken::default();
    by_month(client, TAKE_ROWS, which, &mut taken).await?;
    Ok(taken)
}

/// Counts what [`take_file`] would take out.
///
/// # Errors
/// The database cannot be asked.
pub async fn count_file(client: &Client, file_id: i32) -> anyhow::Result<Taken> {
    let mut taken = count_rows(client, &Selection::of_file(file_id)).await?;
    taken.rejects = rejects(client, COUNT_REJECTS, file_id).await?;
    Ok(taken)
}

/// Takes a file out: its rows and its rejects.
///
/// # Errors
/// The database does not do it. What was taken out before the error stays out, and the file stays marked.
pub async fn take_file(client: &mut Client, file_id: i32) -> anyhow::Result<Taken> {
    let mark = "UPDATE checkpoints SET unloaded_at = coalesce(unloaded_at, now()) WHERE file_id = $1";
    client.execute_typed(mark, &[(&file_id, Type::INT4)]).await.context("mark the file")?;
    let mut taken = Taken::default();
    let mut loaded = loaded_by_ids(client, file_id).await?;
    loop {
        by_month(client, TAKE_ROWS, &Selection::of_file(file_id), &mut taken).await?;
        // A file that is read without a checkpoint has no mark: rows that were loaded meanwhile are deleted too.
        let sql = "DELETE FROM loaded_by_ids WHERE file_id = $1 AND loaded_at = $2";
        client.execute_typed(sql, &[(&file_id, Type::INT4), (&loaded, Type::TIMESTAMPTZ)]).await?;
        loaded = loaded_by_ids(client, file_id).await?;
        if loaded.is_none() {
            break;
        }
    }
    taken.rejects = rejects(client, TAKE_REJECTS, file_id).await?;
    Ok(taken)
}

async fn rejects(client: &Client, sql: &str, file_id: i32) -> anyhow::Result<i64> {
    let row = client.query_typed_one(sql, &[(&file_id, Type::INT4)]).await.context("take its rejects out")?;
    Ok(row.get(0))
}

/// When rows of a file were last loaded by ids.
async fn loaded_by_ids(client: &Client, file_id: i32) -> anyhow::Result<Option<SystemTime>> {
    let sql = "SELECT loaded_at FROM loaded_by_ids WHERE file_id = $1";
    Ok(client.query_typed_opt(sql, &[(&file_id, Type::INT4)]).await?.map(|row| row.get(0)))
}

/// Runs a statement for each month that may contain such rows, and adds up the row counts that it returns.
async fn by_month(client: &Client, sql: &str, which: &Selection, taken: &mut Taken) -> anyhow::Result<()> {
    let Some((first, last)) = times(client, which).await? else { return Ok(()) };
    for month in partitions::month(first)..=partitions::month(last) {
        let from = system_time(partitions::begin(month).max(which.since));
        let to = system_time(partitions::begin(month + 1).min(which.until));
        let parameters: [(&(dyn ToSql + Sync), Type); 4] = [
            (&which.file_id, Type::INT4),
            (&which.app_id, Type::INT4),
            (&from, Type::TIMESTAMPTZ),
            (&to, Type::TIMESTAMPTZ),
        ];
        let name = partitions::label(month);
        let row = client.query_typed_one(sql, &parameters).await;
        let rows: i64 = row.with_context(|| format!("take the rows of {name} out"))?.get(0);
        if rows > 0 {
            *taken.rows_by_month.entry(name).or_default() += rows;
        }
    }
    Ok(())
}

/// The first and the last time at which such rows may have happened, according to the ledgers.
async fn times(client: &Client, which: &Selection) -> anyhow::Result<Option<(Micros, Micros)>> {
    let sql = "SELECT min(first_at), max(last_at) FROM (SELECT file_id, first_at, last_at FROM checkpoints \
               UNION ALL SELECT file_id, first_at, last_at FROM loaded_by_ids) l \
               WHERE $1::integer IS NULL OR file_id = $1";
    let row = client.query_typed_one(sql, &[(&which.file_id, Type::INT4)]).await?;
    let (Some(first), Some(last)) = (row.get(0), row.get(1)) else { return Ok(None) };
    let (first, last) = (micros(first).max(which.since), micros(last).min(which.until.saturating_sub(1)));
    Ok((first <= last).then_some((first, last)))
}
