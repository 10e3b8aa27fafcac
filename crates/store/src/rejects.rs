//! The quarantine: what it contains, and which of it can be retried.

use alt_line::checkpoint::Head;
use alt_line::hit::{Micros, Reason};
use alt_line::reread::OldSpan;
use alt_process::clock;
use anyhow::Context;
use serde::Serialize;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};

use super::files::{Which, head, old_span};

/// Consecutive lines in the quarantine, as listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Span {
    /// Path of its file, if still known.
    pub file: Option<String>,
    /// Host of its file, if still known.
    pub host: Option<String>,
    /// Its offset in the uncompressed file.
    pub offset: i64,
    /// Its bytes.
    pub bytes: i64,
    /// Its lines.
    pub lines: i32,
    /// Why they were rejected, as [`Reason`] spells it.
    pub reason: String,
    /// Details of the reason.
    pub detail: Option<String>,
    /// When the event happened (UTC, RFC 3339), if known.
    pub occurred_at: Option<String>,
    /// The event's id, if known.
    pub event_id: Option<String>,
    /// When it was rejected (UTC, RFC 3339).
    pub rejected_at: String,
    /// Its first bytes, if kept.
    pub raw: Option<String>,
}

impl Span {
    fn of(row: &Row) -> Span {
        Span {
            file: row.get("path"),
            host: row.get("host"),
            offset: row.get("file_offset"),
            bytes: row.get("bytes"),
            lines: row.get("lines"),
            reason: row.get("reason"),
            detail: row.get("detail"),
            occurred_at: row.get("occurred_at"),
            event_id: row.get("event_id"),
            rejected_at: row.get("rejected_at"),
            raw: row.get::<_, Option<&[u8]>>("raw").map(|raw| String::from_utf8_lossy(raw).into_owned()),
        }
    }
}

/// At most `limit` spans, the newest first. Optional filters: a reason, a part `file` of the path, rejected since.
///
/// # Errors
/// The database cannot be asked.
pub async fn newest(
    client: &Client,
    reason: Option<&str>,
    file: Option<&str>,
    since: Option<Micros>,
    limit: u32,
) -> anyhow::Result<Vec<Span>> {
    let since = since.map(clock::system_time);
    let limit = i64::from(limit);
    let parameters: [(&(dyn ToSql + Sync), Type); 4] =
        [(&reason, Type::TEXT), (&file, Type::TEXT), (&since, Type::TIMESTAMPTZ), (&limit, Type::INT8)];
    let sql = include_str!("../../../sql/rejects.sql");
    let rows = client.query_typed(sql, &parameters).await.context("read the rejects")?;
    Ok(rows.iter().map(Span::of).collect())
}

/// A file with rejects that can be retried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Key of `log_files`.
    pub id: i32,
    /// The host that has the file.
    pub host: String,
    /// The followed path that it belongs to, or `replay`.
    pub source: String,
    /// Its path, as last seen.
    pub path: String,
    /// Name of its format.
    pub format: String,
    /// How its lines were read, as JSON of a [`Spec`](alt_line::parse::Spec), if recorded.
    pub spec: Option<String>,
    /// The head of the file.
    pub head: Head,
    /// The number of lines in its rejects.
    pub lines: i64,
    /// The number of lines whose bytes are all in the quarantine.
    pub whole: i64,
}

impl Waiting {
    fn of(row: &Row) -> Waiting {
        Waiting {
            id: row.get("id"),
            host: row.get("host"),
            source: row.get("source"),
            path: row.get("path"),
            format: row.get("format"),
            spec: row.get("spec"),
            head: head(row),
            lines: row.get("lines"),
            whole: row.get("whole"),
        }
    }
}

/// The files that have such rejects, and whose paths contain `file`.
///
/// # Errors
/// The database cannot be asked.
pub async fn waiting(client: &Client, which: &Which, file: Option<&str>) -> anyhow::Result<Vec<Waiting>> {
    let parameters: [(&(dyn ToSql + Sync), Type); 4] = [
        (&which.reason, Type::TEXT),
        (&which.detail, Type::TEXT),
        (&which.since.map(clock::system_time), Type::TIMESTAMPTZ),
        (&file, Type::TEXT),
    ];
    let sql = include_str!("../../../sql/waiting_rejects.sql");
    let rows = client.query_typed(sql, &parameters).await.context("look for rejects")?;
    Ok(rows.iter().map(Waiting::of).collect())
}

/// At most `limit` rejects of a file, with their bytes, from an offset on, ascending. Only rejects whose bytes are all
/// in the quarantine.
///
/// # Errors
/// The database cannot be asked.
pub async fn whole(
    client: &Client,
    file_id: i32,
    from: u64,
    which: &Which,
    limit: i64,
) -> anyhow::Result<Vec<(OldSpan, Vec<u8>)>> {
    let parameters: [(&(dyn ToSql + Sync), Type); 6] = [
        (&file_id, Type::INT4),
        (&i64::try_from(from).unwrap_or(i64::MAX), Type::INT8),
        (&which.reason, Type::TEXT),
        (&which.detail, Type::TEXT),
        (&which.since.map(clock::system_time), Type::TIMESTAMPTZ),
        (&limit, Type::INT8),
    ];
    let sql = include_str!("../../../sql/raw_rejects.sql");
    let rows = client.query_typed(sql, &parameters).await.context("read the bytes of rejects")?;
    Ok(rows.iter().filter_map(|row| Some((old_span(row)?, row.get("raw")))).collect())
}

/// Path and offset of lines that ended the daemon of a host and were set aside: the last `limit`, the newest first.
///
/// # Errors
/// The database cannot be asked.
pub async fn set_aside(client: &Client, host: &str, limit: i64) -> anyhow::Result<Vec<(String, i64)>> {
    let sql = "SELECT f.path, r.file_offset FROM rejected_lines r JOIN log_files f ON f.id = r.file_id \
               WHERE r.reason = $3 AND f.host = $1 ORDER BY r.rejected_at DESC LIMIT $2";
    let parameters: [(&(dyn ToSql + Sync), Type); 3] =
        [(&host, Type::TEXT), (&limit, Type::INT8), (&Reason::Poison.as_str(), Type::TEXT)];
    let rows = client.query_typed(sql, &parameters).await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}
