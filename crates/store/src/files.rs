//! Files as the database knows them: reading checkpoints, and assigning a key to a new file.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::SystemTime;

use alt_line::checkpoint::{Checkpoint, Hash, Head, Proof};
use alt_line::hit::{Micros, Reason};
use alt_line::reread::OldSpan;
use alt_process::clock;
use alt_process::fault::{self, Step};
use anyhow::Context;
use futures_util::future::try_join_all;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};
use uuid::Uuid;

use super::partitions;

const CAME_FROM: &str = include_str!("../../../sql/came_from.sql");
const CANDIDATES: &str = include_str!("../../../sql/candidates.sql");
const SUSPECT: &str = include_str!("../../../sql/suspect.sql");
const CONVICT: &str = include_str!("../../../sql/convict.sql");

/// Where a file was seen, for `log_files`: hints, never the file's identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The host that has the file.
    pub host: String,
    /// The followed path that it belongs to, or `replay`.
    pub source: String,
    /// Its path.
    pub path: String,
    /// Its path without symbolic links, if it is another one: where to look for the file after a link has changed.
    pub real_path: Option<String>,
    /// Name of its format.
    pub format: String,
    /// How its lines are read, as JSON of a [`Spec`](alt_line::parse::Spec).
    pub spec: String,
    /// Its inode.
    pub inode: i64,
    /// Its size and modification time.
    pub stamp: Stamp,
}

/// How far a file that is being read is committed. The writer updates it for monitoring only. No decision depends on
/// it.
#[derive(Debug, Default)]
pub struct Reached {
    bytes: AtomicU64,
    until: AtomicI64,
}

impl Reached {
    /// A file that is committed up to `bytes`.
    pub fn at(bytes: u64) -> Arc<Reached> {
        Arc::new(Reached { bytes: AtomicU64::new(bytes), until: AtomicI64::new(0) })
    }

    /// Bytes of (uncompressed) log.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Time of the last event that was committed from the file; 0 if unknown.
    pub fn until(&self) -> Micros {
        self.until.load(Ordering::Relaxed)
    }

    /// Records that the file is committed up to `bytes`; `until` is the time of its last event, if it had any.
    pub fn advance(&self, bytes: u64, until: Option<Micros>) {
        self.bytes.store(bytes, Ordering::Relaxed);
        if let Some(until) = until {
            self.until.store(until, Ordering::Relaxed);
        }
    }
}

/// Shows whether a file has changed since.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stamp {
    /// Bytes on disk.
    pub size: i64,
    /// When it was last written, microseconds since 1970.
    pub modified: Micros,
}

impl Stamp {
    /// The stamp in a file's metadata.
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
    /// The file's inode, size and modification time, as last stored.
    pub seen: (i64, Stamp),
    /// Whether the file's rows were taken out.
    pub unloaded: bool,
    /// Whether it was read by ids, and not to its end. Then nothing proves that the following lines are new.
    pub by_ids: bool,
    /// How its lines were read, as JSON of a [`Spec`](alt_line::parse::Spec), if recorded.
    pub spec: Option<String>,
    /// Offsets of its lines that ended the daemon and must not be processed; ascending.
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

/// The head of the file in a row, from the columns `head`, `head_bytes`, `head_has_id`.
pub(crate) fn head(row: &Row) -> Head {
    let proof = Proof { hash: hash(row.get("head")), bytes: bytes(row, "head_bytes") };
    Head { proof, has_id: row.get("head_has_id") }
}

/// The checkpoint in a row that has its columns.
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

/// Selects rejects of a file.
#[derive(Debug, Clone, Default)]
pub struct Which {
    /// Only of this reason.
    pub reason: Option<String>,
    /// Only with this detail.
    pub detail: Option<String>,
    /// Only those rejected since, microseconds since 1970.
    pub since: Option<Micros>,
}

impl Which {
    /// Whether lines that ended the daemon are wanted: only if their reason is named.
    pub fn wants_poison(&self) -> bool {
        self.reason.as_deref() == Some(Reason::Poison.as_str())
    }
}

/// At most `limit` spans of a file's rejects that begin at `from` or later, ascending. Rejects with a reason that this
/// version does not know are skipped. So are lines that ended the daemon, unless they are asked for.
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

/// Draws a key for a file that has no checkpoint yet. Gaps are harmless.
pub async fn new_file_id(client: &Client) -> anyhow::Result<i32> {
    let sql = "SELECT nextval(pg_get_serial_sequence('log_files', 'id'))::integer";
    let row = client.query_typed_one(sql, &[]).await.context("draw a key for a new file")?;
    fault::at(Step::FileNumbered);
    Ok(row.get(0))
}

/// So many applications are asked for one by one.
const APPS_EACH_MAX: usize = 100;

/// The time of the latest event in the database; the minimum if there is none. Usually files' records have it; rows that
/// were restored without these may be later.
///
/// Each statement looks at one month: a server with few locks (`max_locks_per_transaction`) could not look at all at once.
pub async fn loaded_until(client: &Client) -> anyhow::Result<Micros> {
    let recorded = "SELECT max(last_at), ARRAY(SELECT id FROM applications) \
                    FROM (SELECT last_at FROM checkpoints UNION ALL SELECT last_at FROM loaded_by_ids) l";
    let row = client.query_typed_one(recorded, &[]).await.context("ask for the latest event")?;
    let recorded = row.get::<_, Option<SystemTime>>(0).map_or(Micros::MIN, clock::micros);
    let apps: Vec<i32> = row.get(1);
    for month in partitions::attached(client).await?.into_iter().rev() {
        let (begin, end) = (partitions::begin(month), partitions::begin(month + 1));
        if end <= recorded {
            break;
        }
        let times = [begin.max(recorded.saturating_add(1)), end].map(clock::system_time);
        // Of a whole month, any row will do. Of the rest of one, this would read the month.
        if begin > recorded {
            let any = "SELECT EXISTS (SELECT FROM access_logs WHERE occurred_at >= $1 AND occurred_at < $2)";
            let parameters: [(&(dyn ToSql + Sync), Type); 2] =
                [(&times[0], Type::TIMESTAMPTZ), (&times[1], Type::TIMESTAMPTZ)];
            let any = client.query_typed_one(any, &parameters).await.context("look for later rows")?;
            if !any.get::<_, bool>(0) {
                continue;
            }
        }
        let later = latest(client, &apps, times).await.context("ask for the latest row")?;
        let times = later.iter().filter_map(|row| row.get::<_, Option<SystemTime>>(0)).map(clock::micros);
        if let Some(latest) = times.max() {
            return Ok(latest);
        }
    }
    Ok(recorded)
}

/// The latest rows of these applications within a month, from the first time on and before the second.
async fn latest(
    client: &Client,
    apps: &[i32],
    times: [SystemTime; 2],
) -> Result<Vec<Row>, tokio_postgres::Error> {
    if apps.len() > APPS_EACH_MAX {
        // The rows of this time are fewer than the questions would be.
        let of_all = "SELECT max(occurred_at) FROM access_logs \
                      WHERE app_id = ANY ($1) AND occurred_at >= $2 AND occurred_at < $3";
        let parameters: [(&(dyn ToSql + Sync), Type); 3] =
            [(&apps, Type::INT4_ARRAY), (&times[0], Type::TIMESTAMPTZ), (&times[1], Type::TIMESTAMPTZ)];
        return Ok(vec![client.query_typed_one(of_all, &parameters).await?]);
    }
    // The index has the latest row of one application at once.
    let of_one = "SELECT max(occurred_at) FROM access_logs WHERE app_id = $1 AND occurred_at >= $2 AND occurred_at < $3";
    let each = apps.iter().map(async |app_id| {
        let parameters: [(&(dyn ToSql + Sync), Type); 3] =
            [(app_id, Type::INT4), (&times[0], Type::TIMESTAMPTZ), (&times[1], Type::TIMESTAMPTZ)];
        client.query_typed_one(of_one, &parameters).await
    });
    try_join_all(each).await
}

/// Records a line that may end the daemon, before it is processed. `deaths` is how often the line is assumed to have
/// done so.
pub async fn suspect(client: &Client, file_id: i32, offset: u64, deaths: i32) -> anyhow::Result<()> {
    let offset = i64::try_from(offset).unwrap_or(i64::MAX);
    client
        .execute_typed(SUSPECT, &[(&file_id, Type::INT4), (&offset, Type::INT8), (&deaths, Type::INT4)])
        .await
        .context("note a line before it is looked at by itself")?;
    Ok(())
}

/// Counts that the daemon ended in a line. Returns the new count; `None`: the line was never recorded, or it is loaded.
pub async fn convict(client: &Client, file_id: i32, offset: u64) -> anyhow::Result<Option<i32>> {
    let offset = i64::try_from(offset).unwrap_or(i64::MAX);
    let row = client
        .query_typed_opt(CONVICT, &[(&file_id, Type::INT4), (&offset, Type::INT8)])
        .await
        .context("note in which line the daemon ended")?;
    Ok(row.map(|row| row.get(0)))
}

/// Stores where a known file was seen last, and its seal if it is now known. A file that was forgotten while it was
/// missing is looked for again. A file that a replay began belongs to the source that follows it.
pub async fn remember(
    client: &Client,
    file_id: i32,
    facts: &Facts,
    sealed: Option<bool>,
) -> Result<(), tokio_postgres::Error> {
    client
        .execute_typed(
            "UPDATE log_files SET path = $2, inode = $3, size_bytes = $4, modified_at = $5, spec = coalesce(spec, $7::text::jsonb), \
                real_path = $8, missing_at = NULL, forgotten_at = NULL, \
                source = CASE WHEN source = 'replay' THEN $9 ELSE source END, \
                host = CASE WHEN source = 'replay' THEN $10 ELSE host END, \
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
                (&facts.real_path, Type::TEXT),
                (&facts.source, Type::TEXT),
                (&facts.host, Type::TEXT),
            ],
        )
        .await?;
    Ok(())
}

/// Records from which archive object a file was loaded, so that its lines can be fetched from there.
pub async fn came_from(client: &Client, uri: &str, bytes: u64, sha256: &[u8]) -> anyhow::Result<()> {
    let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
    client
        .execute_typed(CAME_FROM, &[(&uri, Type::TEXT), (&bytes, Type::INT8), (&sha256, Type::BYTEA)])
        .await
        .context("note where a file came from")?;
    Ok(())
}

/// How the lines of files were read, as JSON of a [`Spec`](alt_line::parse::Spec), if recorded, by the files' keys.
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
    /// The host that has or had the file.
    pub host: String,
    /// Its path, as last seen.
    pub path: String,
    /// The archive object that holds the file, and that object's size in bytes.
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

/// File and offset of the line of an event that happened between `first` and `last`.
///
/// # Errors
/// The database cannot be asked.
pub async fn line_of_event(
    client: &Client,
    event_id: &Uuid,
    first: Micros,
    last: Micros,
) -> anyhow::Result<Option<(i32, u64)>> {
    let sql = "SELECT file_id, file_offset FROM access_logs \
               WHERE event_id = $1 AND occurred_at >= $2 AND occurred_at <= $3 LIMIT 1";
    let (first, last) = (clock::system_time(first), clock::system_time(last));
    let parameters: [(&(dyn ToSql + Sync), Type); 3] =
        [(event_id, Type::UUID), (&first, Type::TIMESTAMPTZ), (&last, Type::TIMESTAMPTZ)];
    let row = client.query_typed_opt(sql, &parameters).await.context("look for the event")?;
    Ok(row.map(|row| (row.get("file_id"), unsigned(&row, "file_offset"))))
}
