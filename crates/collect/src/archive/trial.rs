//! Tries whether an archive can be written and read.

use std::io::Write;

use anyhow::{Context, bail};

use super::proof::{fetch, hash, spool};
use super::target::{Packed, Put, Target};

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
