//! Proves that the archive holds a log: by its own SHA-256 of the bytes, or by reading the object back.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::sync::Arc;

use alt_process::stop::{Stop, Stoppable};
use anyhow::{Context, bail};
use sha2::Digest;

use super::READ_BYTES;
use super::name::{Name, first8};
use super::target::{Bytes, Packed, Put, Sha256, Target};
use crate::source::unpack;

/// An object that is proven to be in the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The object's name below the archive's prefix.
    pub key: String,
    /// The object's size.
    pub bytes: u64,
    /// SHA-256 of the object.
    pub sha256: Sha256,
}

/// Stores an object under its name, or finds that it is already there.
///
/// # Errors
/// The object is not proven to be in the archive. Retry later.
pub fn store(
    target: &dyn Target,
    mut name: Name,
    packed: &Packed,
    stop: &Arc<Stop>,
) -> anyhow::Result<Stored> {
    // If another log has the name, the name is extended by a part of the hash.
    for _ in 0..2 {
        let key = name.key();
        let put = match target.find(&key)? {
            Some(found) if found.raw_sha256.is_some_and(|raw| raw != packed.raw_sha256) => None,
            Some(_) => Some(Put::Exists),
            None => Some(target.put(&key, packed)?),
        };
        match put {
            Some(Put::Proven) => {
                return Ok(Stored { key, bytes: packed.bytes, sha256: packed.sha256 });
            }
            Some(Put::Unproven | Put::Exists) => {
                if let Some(stored) = read_back(target, &key, packed, stop)? {
                    return Ok(stored);
                }
            }
            None => {}
        }
        name.sha256 = Some(first8(&packed.raw_sha256));
    }
    bail!(
        "{} is there and holds something else: what was stored under that name is broken, and is left for you to look at",
        target.uri(&name.key())
    )
}

/// The object with this name, if it contains this log; reads the object back to verify that.
fn read_back(
    target: &dyn Target,
    key: &str,
    packed: &Packed,
    stop: &Arc<Stop>,
) -> anyhow::Result<Option<Stored>> {
    let (spool, bytes, sha256) = fetch(target, key)?;
    if sha256 != packed.sha256 {
        // An object that was packed by another version, or at another level, may contain the same log.
        let raw = unpack::unpacked(Stoppable { from: spool, stop: Arc::clone(stop) }).and_then(hash);
        stop.check()?;
        // An object that cannot be unpacked does not contain the log.
        if raw.ok() != Some((packed.raw_bytes, packed.raw_sha256)) {
            return Ok(None);
        }
    }
    Ok(Some(Stored { key: key.to_owned(), bytes, sha256 }))
}

/// The size and SHA-256 of a log.
///
/// # Errors
/// The log cannot be read.
pub fn hash(mut log: impl Read) -> io::Result<(u64, Sha256)> {
    let mut hash = sha2::Sha256::new();
    let mut buffer = vec![0; READ_BYTES];
    let mut bytes = 0;
    loop {
        match log.read(&mut buffer) {
            Ok(0) => return Ok((bytes, hash.finalize().into())),
            Ok(n) => {
                hash.update(&buffer[..n]);
                bytes += n as u64;
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

/// Fetches an object into a temporary file, positioned at its start. Also returns the object's size and SHA-256.
///
/// # Errors
/// The object cannot be read, or there is no space for it.
pub fn fetch(target: &dyn Target, key: &str) -> anyhow::Result<(File, u64, Sha256)> {
    let mut from = target.read(key, Bytes::All)?;
    let mut spool = spool()?;
    let mut hash = sha2::Sha256::new();
    let mut buffer = vec![0; READ_BYTES];
    let mut bytes = 0;
    loop {
        let n = match from.read(&mut buffer) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            n => n.with_context(|| format!("read {}", target.uri(key)))?,
        };
        if n == 0 {
            break;
        }
        hash.update(&buffer[..n]);
        spool.write_all(&buffer[..n]).context("write into a temporary file (TMPDIR says where)")?;
        bytes += n as u64;
    }
    spool.rewind().context("read a temporary file")?;
    Ok((spool, bytes, hash.finalize().into()))
}

/// Creates an empty file without a name.
///
/// # Errors
/// The file cannot be created.
pub fn spool() -> anyhow::Result<File> {
    let directory = crate::source::inputs::temporary_directory();
    tempfile::tempfile_in(&directory)
        .with_context(|| format!("make a temporary file in {} (TMPDIR names another)", directory.display()))
}
