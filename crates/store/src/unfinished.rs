//! Logs that are not loaded to their ends: where they were seen last, and which of them nobody looks for any more.

use alt_line::checkpoint::Checkpoint;
use anyhow::Context;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};

use super::files::checkpoint;

const UNFINISHED: &str = include_str!("../../../sql/unfinished.sql");

/// The maximum number of logs that are looked for at the same time, the newest first.
const FILES_MAX: i64 = 10_000;

/// A log that has a checkpoint and no seal, and where it was seen: hints, never the file's identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfinished {
    /// How far it is loaded.
    pub checkpoint: Checkpoint,
    /// The followed path that it belongs to.
    pub source: String,
    /// Its path, as last seen.
    pub path: String,
    /// That path without symbolic links, if it was another one.
    pub real_path: Option<String>,
    /// Its inode, as last seen.
    pub inode: Option<i64>,
    /// Its bytes on disk, as last seen.
    pub size: Option<i64>,
    /// A running daemon has noted that it does not find the file.
    pub is_noted: bool,
}

impl Unfinished {
    fn of(row: &Row) -> Unfinished {
        Unfinished {
            checkpoint: checkpoint(row),
            source: row.get("source"),
            path: row.get("path"),
            real_path: row.get("real_path"),
            inode: row.get("inode"),
            size: row.get("size_bytes"),
            is_noted: row.get("is_noted"),
        }
    }

    /// How many bytes the file was seen to have behind its checkpoint. For a compressed file, compressed bytes are
    /// compared with uncompressed ones, so this says too little.
    pub fn seen_behind(&self) -> u64 {
        let size = self.size.and_then(|size| u64::try_from(size).ok()).unwrap_or_default();
        size.saturating_sub(self.checkpoint.loaded_bytes)
    }
}

/// A log of which lines may be missing: no file that can be found continues at its checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// Key of `log_files`.
    pub file_id: i32,
    /// Its path, as last seen.
    pub path: String,
    /// How far it is loaded, in bytes of (uncompressed) log.
    pub offset: u64,
    /// How many bytes it was seen to have behind that.
    pub seen_behind: u64,
    /// What is at the place of the file, if that says anything.
    pub hint: Option<String>,
}

impl Missing {
    /// What a person can do about it.
    pub fn mend(&self) -> String {
        format!(
            "look for it under another name, in another directory or in a backup, and load it: `alt replay FILE`; if it \
             is gone, `alt status --forget {}`",
            self.file_id
        )
    }
}

impl std::fmt::Display for Missing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "was loaded up to byte {} (file {}), and is not found any more: its lines behind that are not loaded; {} \
             bytes of them were seen",
            self.offset, self.file_id, self.seen_behind
        )?;
        self.hint.iter().try_for_each(|hint| write!(f, "; {hint}"))
    }
}

/// The unfinished logs of a host, the newest first; those that were forgotten are not among them.
///
/// # Errors
/// The database cannot be asked.
pub async fn of(client: &Client, host: &str) -> anyhow::Result<Vec<Unfinished>> {
    let rows = client.query_typed(UNFINISHED, &[(&host, Type::TEXT), (&FILES_MAX, Type::INT8)]).await;
    Ok(rows.context("ask which logs are not loaded to their ends")?.iter().map(Unfinished::of).collect())
}

/// Notes which of a daemon's unfinished logs it does not find, and that it finds the others. A command cannot judge that
/// by itself: the daemon may have files open that have no name any more.
///
/// # Errors
/// The database cannot be asked.
pub async fn note(client: &Client, all: &[i32], missing: &[i32]) -> anyhow::Result<()> {
    let sql = "UPDATE log_files SET missing_at = CASE WHEN id = ANY($2) THEN now() END \
               WHERE id = ANY($1) AND (missing_at IS NULL) = (id = ANY($2))";
    let noted = client.execute_typed(sql, &[(&all, Type::INT4_ARRAY), (&missing, Type::INT4_ARRAY)]).await;
    noted.context("note which logs are missing")?;
    Ok(())
}

/// Notes that the rests of these logs need not be looked for, until a log is seen again. Returns how many were noted.
///
/// # Errors
/// The database cannot be asked.
pub async fn forget(client: &Client, file_ids: &[i32]) -> anyhow::Result<u64> {
    let sql = "UPDATE log_files SET forgotten_at = now() WHERE id = ANY($1) AND forgotten_at IS NULL";
    let forgotten = client.execute_typed(sql, &[(&file_ids, Type::INT4_ARRAY)]).await;
    forgotten.context("note that a log is not looked for any more")
}
