//! How far the files are loaded, for `alt status`.

use alt_line::checkpoint::Checkpoint;
use anyhow::Context;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};

use super::files::checkpoint;

/// A file that has a checkpoint. Times are UTC, RFC 3339.
#[derive(Debug, Clone, PartialEq)]
pub struct FileStatus {
    /// How far the file is loaded.
    pub checkpoint: Checkpoint,
    /// The host that has the file.
    pub host: String,
    /// Its path, as last seen.
    pub path: String,
    /// Name of its format.
    pub format: String,
    /// Its inode, as last seen.
    pub inode: Option<i64>,
    /// Whether all its rows were taken out.
    pub is_out: bool,
    /// When the last commit of its lines was.
    pub committed_at: Option<String>,
    /// Seconds since then, by the database's clock.
    pub since_commit: f64,
    /// Its lines that are accounted for: `rows` + `non_hits` + `rejects` + `already_loaded` + `unloaded`.
    pub lines: i64,
    /// Lines that are rows.
    pub rows: i64,
    /// Lines that are not events.
    pub non_hits: i64,
    /// Lines that could not become rows.
    pub rejects: i64,
    /// Lines whose events were loaded before.
    pub already_loaded: i64,
    /// Lines whose rows were taken out.
    pub unloaded: i64,
    /// When the archive was verified to hold everything that is loaded of the file.
    pub archived_at: Option<String>,
    /// The archive object that holds everything that is loaded of the file.
    pub archive_uri: Option<String>,
    /// Why it is not archived.
    pub archive_error: Option<String>,
    /// When the file was deleted for its age.
    pub deleted_at: Option<String>,
}

impl FileStatus {
    fn of(row: &Row) -> FileStatus {
        FileStatus {
            checkpoint: checkpoint(row),
            host: row.get("host"),
            path: row.get("path"),
            format: row.get("format"),
            inode: row.get("inode"),
            is_out: row.get("is_out"),
            committed_at: row.get("committed_at"),
            since_commit: row.get("since_commit"),
            lines: row.get("lines"),
            rows: row.get("rows"),
            non_hits: row.get("non_hits"),
            rejects: row.get("rejects"),
            already_loaded: row.get("already_loaded"),
            unloaded: row.get("unloaded"),
            archived_at: row.get("archived_at"),
            archive_uri: row.get("archive_uri"),
            archive_error: row.get("archive_error"),
            deleted_at: row.get("deleted_at"),
        }
    }
}

/// All files that have a checkpoint, of one host or of all hosts, ordered by host and followed path.
///
/// # Errors
/// The database cannot be asked.
pub async fn files(client: &Client, host: Option<&str>) -> anyhow::Result<Vec<FileStatus>> {
    let rows = client.query_typed(include_str!("../../../sql/status.sql"), &[(&host, Type::TEXT)]).await;
    Ok(rows.context("read the checkpoints")?.iter().map(FileStatus::of).collect())
}
