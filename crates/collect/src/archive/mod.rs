//! Rotated logs become proven copies in an archive, and can be fetched from there.
//!
//! An object is created in a temporary file, so that its name, length and hashes are known before it is sent, and
//! memory use does not grow with the log. Invariant: [`store`] returns only when the archive holds the object, proven
//! by the archive's own SHA-256 of the received bytes or by reading the object back; an existing object is never
//! overwritten.

pub mod archiver;
mod directory;
pub mod frames;
pub mod ledger;
pub mod name;
#[cfg(feature = "s3")]
mod s3;
pub mod target;
mod writers;

use std::convert::Infallible;
use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, Write};
use std::sync::Arc;

use alt_config::ArchiveUrl;
use alt_line::arena::ARENA_BYTES;
use alt_line::hit::{Micros, Parsed};
use alt_line::lines::{Line, Lines};
use alt_line::parse::{Format, Terms};
use alt_line::processor::pieces;
use alt_process::clock;
use alt_process::fault;
use alt_process::stop::{Stop, Stoppable};
use anyhow::{Context, bail};
use sha2::Digest;

use crate::source::stored;
use directory::Directory;
use frames::Compression;
use name::{Name, first8};
#[cfg(feature = "s3")]
use s3::S3;
use target::{Bytes, Packed, Put, Sha256, Target};

/// The archive that contains what a URL names, with `settings` except for their URL, and the name within the archive.
/// The name is empty if the URL is a bucket, or ends with a slash.
///
/// # Errors
/// Those of [`open`].
pub fn at(
    settings: Option<&alt_config::Archive>,
    url: &str,
    stop: &Arc<Stop>,
) -> anyhow::Result<(Box<dyn Target>, String)> {
    let (folder, name) =
        url.rsplit_once('/').filter(|(folder, _)| !folder.ends_with('/')).unwrap_or((url, ""));
    let archive = alt_config::Archive { url: folder.to_owned(), ..settings.cloned().unwrap_or_default() };
    Ok((open(&archive, stop)?, name.to_owned()))
}

/// A script that browsers fetch from a bucket.
#[derive(Debug, Clone, Copy)]
pub struct Published<'p> {
    /// The script's name below the URL.
    pub name: &'p str,
    /// The script's contents.
    pub text: &'p str,
    /// The contents never change under this name.
    pub is_fixed: bool,
}

/// Stores scripts below an `s3://` URL, with the endpoint, region and path style of `settings`. Returns the scripts
/// that were sent; the others were there already.
///
/// # Errors
/// The URL is not of that kind, or the store refuses.
#[cfg(feature = "s3")]
pub fn publish<'p>(
    settings: Option<&alt_config::Archive>,
    url: &str,
    files: &[Published<'p>],
) -> anyhow::Result<Vec<&'p str>> {
    let Some(ArchiveUrl::Bucket { bucket, prefix }) = ArchiveUrl::parse(url) else {
        bail!("--to {url}: write s3://BUCKET/PREFIX; for a directory there is `alt beacon build --out`");
    };
    let (endpoint, region, path_style) = match settings {
        Some(archive) => (archive.endpoint.clone(), archive.region.clone(), archive.path_style),
        None => (None, None, false),
    };
    let archive = alt_config::Archive { endpoint, region, path_style, ..alt_config::Archive::default() };
    let store = S3::new(&archive, bucket, prefix, Arc::default())?;
    let mut sent = Vec::new();
    for file in files {
        if store.publish(file)? {
            sent.push(file.name);
        }
    }
    Ok(sent)
}

/// The log cannot be read; all other errors have another cause.
#[derive(Debug)]
pub struct Unreadable(io::Error);

impl std::fmt::Display for Unreadable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "read the log: {}", self.0)
    }
}

impl std::error::Error for Unreadable {}

/// The archive of a configuration.
///
/// # Errors
/// The archive cannot be reached, as far as that is checked here.
pub fn open(archive: &alt_config::Archive, stop: &Arc<Stop>) -> anyhow::Result<Box<dyn Target>> {
    match ArchiveUrl::parse(&archive.url) {
        Some(ArchiveUrl::Directory(path)) => Ok(Box::new(Directory::new(path, Arc::clone(stop)))),
        Some(ArchiveUrl::Bucket { bucket, prefix }) => open_s3(archive, bucket, prefix, stop),
        None => bail!("{} is neither s3://BUCKET/PREFIX nor file:///PATH", archive.url),
    }
}

#[cfg(feature = "s3")]
fn open_s3(
    archive: &alt_config::Archive,
    bucket: &str,
    prefix: &str,
    stop: &Arc<Stop>,
) -> anyhow::Result<Box<dyn Target>> {
    Ok(Box::new(S3::new(archive, bucket, prefix, Arc::clone(stop))?))
}

#[cfg(not(feature = "s3"))]
fn open_s3(_: &alt_config::Archive, _: &str, _: &str, _: &Arc<Stop>) -> anyhow::Result<Box<dyn Target>> {
    bail!("this build has no S3: use file:///PATH, or build with the feature `s3`")
}

/// The number of bytes read at once.
const READ_BYTES: usize = 128 * 1024;

/// A packed log, and a summary of its contents.
pub struct PackedLog {
    /// The object.
    pub packed: Packed,
    /// Lines in it.
    pub lines: u64,
    /// The times of the first and the last hit.
    pub times: Option<(Micros, Micros)>,
}

/// Packs a log into `spool`, an empty file. The lines at the offsets `set_aside`, ascending, are packed like all
/// others, but not parsed.
///
/// # Errors
/// The log cannot be read, the object cannot be written, or it is time to stop.
pub fn pack(
    log: impl Read,
    format: &Format,
    set_aside: &[u64],
    compression: Compression,
    spool: File,
    stop: &Arc<Stop>,
) -> anyhow::Result<PackedLog> {
    let mut log = Stoppable { from: log, stop: Arc::clone(stop) };
    let mut writer = frames::Writer::new(BufWriter::new(spool), compression);
    let mut reader =
        Times { format, set_aside, scratch: vec![0; ARENA_BYTES], now: clock::now(), times: None, lines: 0 };
    let mut raw_sha256 = sha2::Sha256::new();
    let mut lines = Lines::default();
    let mut raw_bytes = 0;
    loop {
        let room = lines.room();
        let n = match log.read(&mut room[..READ_BYTES]) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            n => n.map_err(Unreadable)?,
        };
        if n == 0 {
            break;
        }
        raw_sha256.update(&room[..n]);
        writer.write(&room[..n]).context("write the archive object into a temporary file")?;
        raw_bytes += n as u64;
        lines.filled(n);
        while let Some(line) = lines.next_line() {
            reader.line(&line);
        }
    }
    if let Some(line) = lines.last_line() {
        reader.line(&line);
    }
    let written = writer.finish().context("write the archive object into a temporary file")?;
    let file = written
        .to
        .into_inner()
        .map_err(io::IntoInnerError::into_error)
        .context("write the archive object")?;
    let packed = Packed {
        file,
        bytes: written.bytes,
        sha256: written.sha256,
        raw_bytes,
        raw_sha256: raw_sha256.finalize().into(),
    };
    Ok(PackedLog { packed, lines: reader.lines, times: reader.times })
}

/// Collects the times of a log's hits.
struct Times<'a> {
    format: &'a Format,
    set_aside: &'a [u64],
    scratch: Vec<u8>,
    now: Micros,
    times: Option<(Micros, Micros)>,
    lines: u64,
}

impl Times<'_> {
    fn line(&mut self, line: &Line<'_>) {
        if self.set_aside.binary_search(&line.offset).is_ok() {
            self.lines += 1;
            return;
        }
        fault::line(line.bytes);
        let (lines, times) = (&mut self.lines, &mut self.times);
        let mut each = |_: &Line<'_>, parsed: &Parsed<'_>| {
            *lines += 1;
            if let Parsed::Hit(hit) = parsed {
                let (first, last) = times.unwrap_or((hit.occurred_at, hit.occurred_at));
                *times = Some((first.min(hit.occurred_at), last.max(hit.occurred_at)));
            }
            Ok::<(), Infallible>(())
        };
        let Ok(()) = pieces(line, self.format, &Terms::default(), &mut self.scratch, self.now, &mut each);
    }
}

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
        let raw = stored::unpack(Stoppable { from: spool, stop: Arc::clone(stop) }).and_then(hash);
        stop.check()?;
        // An object that cannot be unpacked does not contain the log.
        if raw.ok() != Some((packed.raw_bytes, packed.raw_sha256)) {
            return Ok(None);
        }
    }
    Ok(Some(Stored { key: key.to_owned(), bytes, sha256 }))
}

/// The beginning of the name of an object that only tries the archive.
const TRIAL: &str = "alt-check-";

/// What a trial stores.
const TRIAL_TEXT: &str = "Stored by `alt check` to see whether it can. This object may be removed.\n";

/// Whether a key is that of a trial: no log, and no object of the archive.
pub fn is_trial(key: &str) -> bool {
    key.rsplit('/').next().is_some_and(|name| name.starts_with(TRIAL) && name.ends_with(".txt"))
}

/// Stores a small object as logs are stored, reads it back, and removes it. The object has one name for each host, so
/// that where it may not be removed, one object stays, which the next trial finds. Returns why it could not be removed.
///
/// # Errors
/// The object could not be stored, or not be read back.
pub fn try_out(target: &dyn Target, host: &str) -> anyhow::Result<Option<anyhow::Error>> {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-._".contains(c) { c } else { '_' };
    let key = format!("{TRIAL}{}.txt", host.chars().map(plain).collect::<String>());
    let mut file = spool()?;
    file.write_all(TRIAL_TEXT.as_bytes()).context("write into a temporary file (TMPDIR says where)")?;
    let (raw_bytes, raw_sha256) = hash(TRIAL_TEXT.as_bytes())?;
    let packed = Packed { file, bytes: raw_bytes, sha256: raw_sha256, raw_bytes, raw_sha256 };
    let put = target.put(&key, &packed)?;
    let (_, _, sha256) = fetch(target, &key)?;
    // An object that was there may be another version's.
    if put != Put::Exists && sha256 != raw_sha256 {
        bail!("{} was stored, and reads back as something else", target.uri(&key));
    }
    Ok(target.remove(&key).err())
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
