//! Files as the database knows them: looking checkpoints up, drawing a key for a new file.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::SystemTime;

use alt_line::aside::OldSpan;
use alt_line::checkpoint::{Checkpoint, Hash, Head, Proof};
use alt_line::hit::{Micros, Reason};
use alt_process::clock;
use alt_process::fault::{self, Step};
use anyhow::Context;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};
use uuid::Uuid;

const CAME_FROM: &str = include_str!("../../../sql/came_from.sql");
const CANDIDATES: &str = include_str!("../../../sql/candidates.sql");
const SUSPECT: &str = include_str!("../../../sql/suspect.sql");
const CONVICT: &str = include_str!("../../../sql/convict.sql");

/// Where a file was seen, for `log_files`: hints, never identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The host that has it.
    pub host: String,
    /// The followed path that it belongs to, or `replay`.
    pub source: String,
    /// Its path.
    pub path: String,
    /// Name of its format.
    pub format: String,
    /// What its lines are, as JSON of a [`Spec`](alt_line::parse::Spec).
    pub spec: String,
    /// Its inode.
    pub inode: i64,
    /// Its size and age.
    pub stamp: Stamp,
}

/// How far a file that is being read is committed. Filled by the writer, for those who watch; nothing goes by it.
#[derive(Debug, Default)]
pub struct Reached {
    bytes: AtomicU64,
    until: AtomicI64,
}

impl Reached {
    /// A file that is committed up to there.
    pub fn at(bytes: u64) -> Arc<Reached> {
        Arc::new(Reached { bytes: AtomicU64::new(bytes), until: AtomicI64::new(0) })
    }

    /// Bytes of (uncompressed) log.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Time of the last event that was committed from it; 0 where that is not known.
    pub fn until(&self) -> Micros {
        self.until.load(Ordering::Relaxed)
    }

    /// It is committed up to there; `until` is the time of its last event, if there was any.
    pub fn advance(&self, bytes: u64, until: Option<Micros>) {
        self.bytes.store(bytes, Ordering::Relaxed);
        if let Some(until) = until {
            self.until.store(until, Ordering::Relaxed);
        }
    }
}

/// What tells whether a file was touched since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Bytes on disk.
    pub size: i64,
    /// When it was last written, microseconds since 1970.
    pub modified: Micros,
}

impl Stamp {
    /// Of a file's metadata.
    pub fn of(metadata: &Metadata) -> Stamp {
        Stamp {
            size: i64::try_from(metadata.size()).unwrap_or(i64::MAX),
            modified: metadata.mtime() * 1_000_000 + metadata.mtime_nsec() / 1000,
        }
    }
}

/// A checkpoint that a file may continue, and where its file was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The checkpoint.
    pub checkpoint: Checkpoint,
    /// Its inode, size and age, as last stored.
    pub seen: (i64, Stamp),
    /// Its rows were taken out.
    pub unloaded: bool,
    /// It was read by ids, and not to its end: nothing proves that the lines that follow are new.
    pub by_ids: bool,
    /// What its lines were read as, as JSON of a [`Spec`](alt_line::parse::Spec), if that was noted.
    pub spec: Option<String>,
    /// Offsets of its lines that ended the daemon, and are not to be touched; ascending.
    pub set_aside: Vec<u64>,
}

fn hash(bytes: &[u8]) -> Hash {
    let mut hash = Hash::default();
    let n = bytes.len().min(hash.len());
    hash[..n].copy_from_slice(&bytes[..n]);
    hash
}

fn unsigned<T: TryFrom<i64> + Default>(row: &Row, column: &str) -> T {
    T::try_from(row.get::<_, i64>(column)).unwrap_or_default()
}

fn bytes(row: &Row, column: &str) -> u32 {
    u32::try_from(row.get::<_, i32>(column)).unwrap_or_default()
}

fn offsets(stored: Vec<i64>) -> Vec<u64> {
    stored.into_iter().filter_map(|offset| u64::try_from(offset).ok()).collect()
}

/// How the file of a row begins; of columns `head`, `head_bytes`, `head_has_id`.
pub(crate) fn head(row: &Row) -> Head {
    let proof = Proof { hash: hash(row.get("head")), bytes: bytes(row, "head_bytes") };
    Head { proof, has_id: row.get("head_has_id") }
}

/// The checkpoint of a row that has its columns.
pub(crate) fn checkpoint(row: &Row) -> Checkpoint {
    Checkpoint {
        file_id: row.get("file_id"),
        head: head(row),
        fork: row.get("fork"),
        loaded_bytes: unsigned(row, "loaded_bytes"),
        tail: Proof { hash: hash(row.get("tail")), bytes: bytes(row, "tail_bytes") },
        sealed: row.get("sealed"),
    }
}

fn candidate(row: &Row) -> Candidate {
    Candidate {
        checkpoint: checkpoint(row),
        seen: (
            row.get::<_, Option<i64>>("inode").unwrap_or(-1),
            Stamp {
                size: row.get::<_, Option<i64>>("size_bytes").unwrap_or(-1),
                modified: row.get::<_, Option<SystemTime>>("modified_at").map_or(-1, clock::micros),
            },
        ),
        unloaded: row.get("unloaded"),
        by_ids: row.get("by_ids"),
        spec: row.get("spec"),
        set_aside: offsets(row.get("set_aside")),
    }
}

/// Checkpoints that a file with this head may continue.
pub async fn candidates(
    client: &Client,
    head: Head,
    host: &str,
    source: &str,
) -> Result<Vec<Candidate>, tokio_postgres::Error> {
    let params: [(&(dyn ToSql + Sync), Type); 4] = [
        (&&head.proof.hash[..], Type::BYTEA),
        (&head.has_id, Type::BOOL),
        (&host, Type::TEXT),
        (&source, Type::TEXT),
    ];
    let candidates = client.query_typed(CANDIDATES, &params).await?.iter().map(candidate).collect();
    fault::at(Step::CheckpointsRead);
    Ok(candidates)
}

/// Which rejects of a file.
#[derive(Debug, Clone, Default)]
pub struct Which {
    /// Only of this reason.
    pub reason: Option<String>,
    /// Only with this detail.
    pub detail: Option<String>,
    /// Only rejected since, microseconds since 1970.
    pub since: Option<Micros>,
}

impl Which {
    /// Whether lines that ended the daemon are to be looked at: only where that is said.
    pub fn wants_poison(&self) -> bool {
        self.reason.as_deref() == Some(Reason::Poison.as_str())
    }
}

/// At most `limit` spans of a file's rejects that begin at `from` or later, ascending. Those of a reason that
/// this version does not know are left where they are, and those that ended the daemon, unless they are asked for.
pub async fn spans(
    client: &Client,
    file_id: i32,
    from: u64,
    which: &Which,
    limit: i64,
) -> anyhow::Result<Vec<OldSpan>> {
    let sql = "SELECT file_offset, bytes, lines, reason, detail FROM rejected_lines \
               WHERE file_id = $1 AND file_offset >= $2 AND reason = ANY($3) \
                 AND ($4::text IS NULL OR reason = $4) AND ($5::text IS NULL OR detail = $5) \
                 AND ($6::timestamptz IS NULL OR rejected_at >= $6) \
               ORDER BY file_offset LIMIT $7";
    let is_meant = |reason: &&Reason| **reason != Reason::Poison || which.wants_poison();
    let known: Vec<&str> = Reason::ALL.iter().filter(is_meant).map(|reason| reason.as_str()).collect();
    let rows = client
        .query_typed(
            sql,
            &[
                (&file_id, Type::INT4),
                (&i64::try_from(from).unwrap_or(i64::MAX), Type::INT8),
                (&known, Type::TEXT_ARRAY),
                (&which.reason, Type::TEXT),
                (&which.detail, Type::TEXT),
                (&which.since.map(clock::system_time), Type::TIMESTAMPTZ),
                (&limit, Type::INT8),
            ],
        )
        .await
        .context("read the rejects of a file")?;
    Ok(rows.iter().filter_map(old_span).collect())
}

/// A span of rejects; `None`: this version does not know its reason.
pub(crate) fn old_span(row: &Row) -> Option<OldSpan> {
    Some(OldSpan {
        offset: unsigned(row, "file_offset"),
        bytes: unsigned(row, "bytes"),
        lines: u32::try_from(row.get::<_, i32>("lines")).unwrap_or_default(),
        reason: Reason::named(row.get("reason"))?,
        detail: row.get("detail"),
    })
}

/// A key for a file that has no checkpoint yet. Gaps are harmless.
pub async fn new_file_id(client: &Client) -> anyhow::Result<i32> {
    let sql = "SELECT nextval(pg_get_serial_sequence('log_files', 'id'))::integer";
    let row = client.query_typed_one(sql, &[]).await.context("draw a key for a new file")?;
    fault::at(Step::FileNumbered);
    Ok(row.get(0))
}

/// The latest event that was loaded from anywhere; the beginning of time where there is none.
pub async fn loaded_until(client: &Client) -> anyhow::Result<Micros> {
    let row = client
        .query_typed_one("SELECT max(last_at) FROM (SELECT last_at FROM checkpoints UNION ALL SELECT last_at FROM loaded_by_ids) l", &[])
        .await
        .context("ask for the latest event")?;
    Ok(row.get::<_, Option<SystemTime>>(0).map_or(Micros::MIN, clock::micros))
}

/// Enters a line that may end the daemon, before it is touched; `deaths`: how often it is taken to have done so.
pub async fn suspect(client: &Client, file_id: i32, offset: u64, deaths: i32) -> anyhow::Result<()> {
    let offset = i64::try_from(offset).unwrap_or(i64::MAX);
    client
        .execute_typed(SUSPECT, &[(&file_id, Type::INT4), (&offset, Type::INT8), (&deaths, Type::INT4)])
        .await
        .context("note a line before it is looked at by itself")?;
    Ok(())
}

/// Counts that the daemon ended in a line. How often now; `None`: it was never entered, or is loaded.
pub async fn convict(client: &Client, file_id: i32, offset: u64) -> anyhow::Result<Option<i32>> {
    let offset = i64::try_from(offset).unwrap_or(i64::MAX);
    let row = client
        .query_typed_opt(CONVICT, &[(&file_id, Type::INT4), (&offset, Type::INT8)])
        .await
        .context("note in which line the daemon ended")?;
    Ok(row.map(|row| row.get(0)))
}

/// Stores where a known file was seen last; with its seal, if that is known now.
pub async fn remember(
    client: &Client,
    file_id: i32,
    facts: &Facts,
    sealed: Option<bool>,
) -> Result<(), tokio_postgres::Error> {
    client
        .execute_typed(
            "UPDATE log_files SET path = $2, inode = $3, size_bytes = $4, modified_at = $5, spec = coalesce(spec, $7::text::jsonb), \
                sealed_at = CASE WHEN $6 THEN coalesce(sealed_at, now()) WHEN NOT $6 THEN NULL ELSE sealed_at END \
             WHERE id = $1",
            &[
                (&file_id, Type::INT4),
                (&facts.path, Type::TEXT),
                (&facts.inode, Type::INT8),
                (&facts.stamp.size, Type::INT8),
                (&clock::system_time(facts.stamp.modified), Type::TIMESTAMPTZ),
                (&sealed, Type::BOOL),
                (&facts.spec, Type::TEXT),
            ],
        )
        .await?;
    Ok(())
}

/// Notes from which archive object a file was loaded, so that its lines can be fetched from there.
pub async fn came_from(client: &Client, uri: &str, bytes: u64, sha256: &[u8]) -> anyhow::Result<()> {
    let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
    client
        .execute_typed(CAME_FROM, &[(&uri, Type::TEXT), (&bytes, Type::INT8), (&sha256, Type::BYTEA)])
        .await
        .context("note where a file came from")?;
    Ok(())
}

/// What the lines of files were read as, as JSON of a [`Spec`](alt_line::parse::Spec), where that was noted; by the keys
/// of the files.
///
/// # Errors
/// The database cannot be asked.
pub async fn specs(client: &Client, file_ids: &[i32]) -> anyhow::Result<Vec<(i32, String)>> {
    let sql = "SELECT id, spec::text FROM log_files WHERE id = ANY($1) AND spec IS NOT NULL";
    let rows = client.query_typed(sql, &[(&file_ids, Type::INT4_ARRAY)]).await;
    Ok(rows.context("read how files were loaded")?.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// Where the bytes of a file are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whereabouts {
    /// The host that has it, or had.
    pub host: String,
    /// Its path, as last seen.
    pub path: String,
    /// The archive's object that holds it, and that object's bytes.
    pub object: Option<(String, u64)>,
}

/// Where the bytes of a file are; `None`: there is no such file.
///
/// # Errors
/// The database cannot be asked.
pub async fn whereabouts(client: &Client, file_id: i32) -> anyhow::Result<Option<Whereabouts>> {
    let sql = "SELECT host, path, archive_uri, coalesce(archive_bytes, 0) AS archive_bytes \
               FROM log_files WHERE id = $1";
    let row = client.query_typed_opt(sql, &[(&file_id, Type::INT4)]).await.context("look for the file")?;
    let object =
        |row: &Row| Some((row.get::<_, Option<String>>("archive_uri")?, unsigned(row, "archive_bytes")));
    Ok(row.map(|row| Whereabouts { host: row.get("host"), path: row.get("path"), object: object(&row) }))
}

/// File and offset of the line that an event came from, which happened from `first` to `last`.
///
/// # Errors
/// The database cannot be asked.
pub async fn line_of_event(
    client: &Client,
    event_id: &Uuid,
    (first, last): (Micros, Micros),
) -> anyhow::Result<Option<(i32, u64)>> {
    let sql = "SELECT file_id, file_offset FROM access_logs \
               WHERE event_id = $1 AND occurred_at >= $2 AND occurred_at <= $3 LIMIT 1";
    let (first, last) = (clock::system_time(first), clock::system_time(last));
    let parameters: [(&(dyn ToSql + Sync), Type); 3] =
        [(event_id, Type::UUID), (&first, Type::TIMESTAMPTZ), (&last, Type::TIMESTAMPTZ)];
    let row = client.query_typed_opt(sql, &parameters).await.context("look for the event")?;
    Ok(row.map(|row| (row.get("file_id"), unsigned(&row, "file_offset"))))
}
