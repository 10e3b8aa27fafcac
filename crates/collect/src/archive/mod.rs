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
mod pack;
mod proof;
#[cfg(feature = "s3")]
mod s3;
pub mod target;
mod trial;
mod writers;

use std::sync::Arc;

use alt_config::ArchiveUrl;
use alt_process::stop::Stop;
use anyhow::bail;

use directory::Directory;
pub use pack::{PackedLog, Unreadable, pack};
pub use proof::{Stored, fetch, hash, spool, store};
#[cfg(feature = "s3")]
use s3::S3;
use target::Target;
pub use trial::{is_trial, try_out};

/// The number of bytes read at once.
const READ_BYTES: usize = 128 * 1024;

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

/// Says that this build has no S3.
///
/// # Errors
/// Always.
#[cfg(not(feature = "s3"))]
pub fn publish<'p>(
    _: Option<&alt_config::Archive>,
    _: &str,
    _: &[Published<'p>],
) -> anyhow::Result<Vec<&'p str>> {
    bail!("this build has no S3: use `alt beacon build --out`, or build with the feature `s3`")
}

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
