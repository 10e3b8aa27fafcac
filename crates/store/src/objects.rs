//! What the database records about archive objects, and about the logs that become archive objects.

use std::collections::HashSet;

use alt_line::hit::Micros;
use alt_process::clock::system_time;
use anyhow::Context;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};

/// The number of objects in one query.
const ASKED_AT_ONCE: usize = 1000;

/// The state of a file that may be archived or deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogState {
    /// Loaded bytes of the (uncompressed) log.
    pub loaded_bytes: u64,
    /// The hash of its beginning.
    pub head: Vec<u8>,
    /// Whether the file was read to its end.
    pub sealed: bool,
    /// Whether its rows were taken out. Then somebody may want to load it again.
    pub unloaded: bool,
    /// Whether it was ever archived.
    pub archived: bool,
    /// The URI of its object.
    pub uri: Option<String>,
    /// Bytes of the log in the object.
    pub raw_bytes: Option<u64>,
    /// SHA-256 of the log in the object.
    pub raw_sha256: Option<Vec<u8>>,
    /// Offsets of lines that must not be processed, because they ended the daemon; ascending.
    pub set_aside: Vec<u64>,
}

impl LogState {
    /// Whether the archive holds everything that is loaded of the file.
    pub fn is_archived(&self) -> bool {
        self.archived && self.raw_bytes == Some(self.loaded_bytes) && self.raw_sha256.is_some()
    }
}

/// The state of a file, by its key in `log_files`; `None`: the file has no checkpoint.
///
/// # Errors
/// The database cannot be asked.
pub async fn state(client: &Client, file_id: i32) -> anyhow::Result<Option<LogState>> {
    let sql = include_str!("../../../sql/archive_state.sql");
    let row = client.query_typed_opt(sql, &[(&file_id, Type::INT4)]).await?;
    let unsigned = |n: i64| u64::try_from(n).unwrap_or_default();
    Ok(row.map(|row| LogState {
        loaded_bytes: unsigned(row.get("loaded_bytes")),
        head: row.get("head"),
        sealed: row.get("sealed"),
        unloaded: row.get("unloaded"),
        archived: row.get("archived"),
        uri: row.get("archive_uri"),
        raw_bytes: row.get::<_, Option<i64>>("raw_bytes").map(unsigned),
        raw_sha256: row.get("raw_sha256"),
        set_aside: row.get::<_, Vec<i64>>("set_aside").into_iter().map(unsigned).collect(),
    }))
}

/// A copy of a log that is verified to be in the archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProvenCopy<'c> {
    /// The URI of the object.
    pub uri: &'c str,
    /// The size of the object in bytes.
    pub bytes: u64,
    /// SHA-256 of the object.
    pub sha256: &'c [u8],
    /// Bytes of the log in it.
    pub raw_bytes: u64,
    /// SHA-256 of the log in it.
    pub raw_sha256: &'c [u8],
    /// Lines of the log.
    pub lines: u64,
    /// First and last time of its hits.
    pub times: Option<(Micros, Micros)>,
}

/// Records the copy of a file. `false`: the copy does not hold everything that is loaded, and was not recorded.
///
/// # Errors
/// The database does not accept it.
pub async fn note_copy(client: &Client, file_id: i32, copy: &ProvenCopy<'_>) -> anyhow::Result<bool> {
    let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let parameters: [(&(dyn ToSql + Sync), Type); 9] = [
        (&file_id, Type::INT4),
        (&copy.uri, Type::TEXT),
        (&signed(copy.bytes), Type::INT8),
        (&copy.sha256, Type::BYTEA),
        (&signed(copy.raw_bytes), Type::INT8),
        (&copy.raw_sha256, Type::BYTEA),
        (&signed(copy.lines), Type::INT8),
        (&copy.times.map(|t| system_time(t.0)), Type::TIMESTAMPTZ),
        (&copy.times.map(|t| system_time(t.1)), Type::TIMESTAMPTZ),
    ];
    Ok(client.execute_typed(include_str!("../../../sql/archived.sql"), &parameters).await? > 0)
}

/// Records why a file is not archived.
///
/// # Errors
/// The database does not accept it.
pub async fn note_error(client: &Client, file_id: i32, error: &str) -> anyhow::Result<()> {
    let sql = "UPDATE log_files SET archive_error = $2 WHERE id = $1 AND archive_error IS DISTINCT FROM $2";
    client.execute_typed(sql, &[(&file_id, Type::INT4), (&error, Type::TEXT)]).await?;
    Ok(())
}

/// Records that `host` deleted a local log.
///
/// # Errors
/// The database does not accept it.
pub async fn note_deleted(client: &Client, file_id: i32, host: &str, path: &str) -> anyhow::Result<()> {
    let parameters: [(&(dyn ToSql + Sync), Type); 3] =
        [(&file_id, Type::INT4), (&host, Type::TEXT), (&path, Type::TEXT)];
    client.execute_typed(include_str!("../../../sql/log_deleted.sql"), &parameters).await?;
    Ok(())
}

/// Records that `host` deleted an object, with the first and last time in it. Its log remains recorded as archived.
///
/// # Errors
/// The database does not accept it.
pub async fn note_gone(
    client: &Client,
    uri: &str,
    times: Option<(Micros, Micros)>,
    host: &str,
) -> anyhow::Result<()> {
    let parameters: [(&(dyn ToSql + Sync), Type); 4] = [
        (&uri, Type::TEXT),
        (&host, Type::TEXT),
        (&times.map(|t| system_time(t.0)), Type::TIMESTAMPTZ),
        (&times.map(|t| system_time(t.1)), Type::TIMESTAMPTZ),
    ];
    let sql = include_str!("../../../sql/object_gone.sql");
    client.execute_typed(sql, &parameters).await.context("note that an object is gone")?;
    Ok(())
}

/// An object, as the database knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownObject {
    /// Its URI.
    pub uri: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// SHA-256 of its bytes.
    pub sha256: Vec<u8>,
    /// SHA-256 of the log in it, if it was packed here.
    pub raw_sha256: Option<Vec<u8>>,
}

/// All objects that contain files, by URI.
///
/// # Errors
/// The database cannot be asked.
pub async fn all(client: &Client) -> anyhow::Result<Vec<KnownObject>> {
    let sql = "SELECT archive_uri, archive_bytes, archive_sha256, raw_sha256 FROM log_files \
               WHERE archive_uri IS NOT NULL ORDER BY archive_uri";
    let rows = client.query_typed(sql, &[]).await.context("read the archive's objects")?;
    let noted = |row: &Row| KnownObject {
        uri: row.get("archive_uri"),
        bytes: u64::try_from(row.get::<_, i64>("archive_bytes")).unwrap_or_default(),
        sha256: row.get("archive_sha256"),
        raw_sha256: row.get("raw_sha256"),
    };
    Ok(rows.iter().map(noted).collect())
}

/// An object, as its name describes the log in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// Its URI.
    pub uri: String,
    /// The first 8 bytes of the hash of the log's beginning, if these alone identify the log.
    pub head: Option<[u8; 8]>,
    /// Bytes of the log; `None`: the name does not contain them.
    pub raw_bytes: Option<u64>,
}

/// For each object, whether everything in it is loaded.
///
/// # Errors
/// The database cannot be asked.
pub async fn are_loaded(client: &Client, objects: &[Described]) -> anyhow::Result<Vec<bool>> {
    let mut all = Vec::with_capacity(objects.len());
    for some in objects.chunks(ASKED_AT_ONCE) {
        let uris: Vec<&str> = some.iter().map(|object| object.uri.as_str()).collect();
        let heads: Vec<Option<&[u8]>> =
            some.iter().map(|object| object.head.as_ref().map(|head| &head[..])).collect();
        let signed = |n: u64| i64::try_from(n).unwrap_or(-1);
        let lengths: Vec<i64> = some.iter().map(|object| object.raw_bytes.map_or(-1, signed)).collect();
        let parameters: [(&(dyn ToSql + Sync), Type); 3] =
            [(&uris, Type::TEXT_ARRAY), (&heads, Type::BYTEA_ARRAY), (&lengths, Type::INT8_ARRAY)];
        let sql = include_str!("../../../sql/known_objects.sql");
        let rows = client.query_typed(sql, &parameters).await.context("ask which objects are loaded")?;
        let loaded: HashSet<i32> = rows.iter().map(|row| row.get(0)).collect();
        all.extend((1..).take(some.len()).map(|n| loaded.contains(&n)));
    }
    Ok(all)
}
