//! Which files belong to a live log: the log itself and what rotation made of it, where they are, and how an open file
//! is told from others.

use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use regex::bytes::Regex;

/// Where the logs of a source are, and when one of them counts as finished.
#[derive(Debug, Clone)]
pub struct Place {
    /// Live paths; globs allowed.
    pub paths: Vec<String>,
    /// More directories that rotated files are moved to.
    pub rotated: Vec<PathBuf>,
    /// How long a rotated file must stand still before it is sealed.
    pub seal_after: Duration,
}

/// Device and inode: a name for an open file, within one process and while it is open.
pub type Key = (u64, u64);

/// Device and inode of a file's metadata.
pub fn key(metadata: &Metadata) -> Key {
    (metadata.dev(), metadata.ino())
}

/// What rotation puts behind a name (or, as logrotate's `extension` does, before its last suffix): a number or
/// a date, then perhaps a compressor's suffix.
static ROTATED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^(?:[.-](?:[0-9][0-9T:._+-]*|old|bak))?(?:\.(?:gz|zst|bz2))?$").expect("a constant pattern")
});

/// Whether `name` is what rotation may have made of the log called `live`.
pub fn is_sibling(live: &OsStr, name: &OsStr) -> bool {
    let (live, name) = (live.as_bytes(), name.as_bytes());
    let is_rotated = |rest: &[u8]| rest.len() > 1 && ROTATED.is_match(rest);
    if let Some(rest) = name.strip_prefix(live) {
        return is_rotated(rest);
    }
    // beacon.log -> beacon-20261120.log, beacon.1.log.gz
    let Some(dot) = live.iter().rposition(|b| *b == b'.').filter(|at| *at > 0) else { return false };
    let (stem, suffix) = live.split_at(dot);
    let Some(rest) = name.strip_prefix(stem) else { return false };
    let packed = [&b".gz"[..], b".zst", b".bz2"].iter().find_map(|p| rest.strip_suffix(*p)).unwrap_or(rest);
    packed.strip_suffix(suffix).is_some_and(is_rotated)
}

/// The rotated siblings of a live log: in its directory, in `rotated/` beside it, in `more` directories, and,
/// where it is a symbolic link, beside what it points to. Directories that cannot be read are passed over
/// and returned with the reason.
pub fn siblings(live: &Path, more: &[PathBuf]) -> (Vec<PathBuf>, Vec<(PathBuf, std::io::Error)>) {
    let mut places: Vec<(PathBuf, PathBuf)> = Vec::new();
    let mut add = |live: &Path| {
        if let (Some(directory), Some(name)) = (live.parent(), live.file_name()) {
            let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
            for place in
                [directory.to_owned(), directory.join("rotated")].into_iter().chain(more.iter().cloned())
            {
                let pair = (place, PathBuf::from(name));
                if !places.contains(&pair) {
                    places.push(pair);
                }
            }
        }
    };
    add(live);
    if fs::symlink_metadata(live).is_ok_and(|m| m.is_symlink())
        && let Ok(target) = fs::canonicalize(live)
    {
        add(&target);
    }
    let (mut found, mut failed) = (Vec::new(), Vec::new());
    for (place, name) in places {
        let entries = match fs::read_dir(&place) {
            Ok(entries) => entries,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => continue,
            Err(e) => {
                failed.push((place, e));
                continue;
            }
        };
        for entry in entries.flatten() {
            // Links are passed over: what they point to is found where it is.
            if is_sibling(name.as_os_str(), &entry.file_name())
                && entry.file_type().is_ok_and(|t| t.is_file())
            {
                found.push(entry.path());
            }
        }
    }
    (found, failed)
}

/// The live logs that paths and patterns name, and what of the patterns could not be looked at.
pub fn live_paths(patterns: &[String]) -> (Vec<PathBuf>, Vec<(PathBuf, std::io::Error)>) {
    let (mut live, mut failed) = (Vec::new(), Vec::new());
    for pattern in patterns {
        if !pattern.contains(['*', '?', '[']) {
            live.push(PathBuf::from(pattern));
            continue;
        }
        // The pattern was checked with the configuration.
        for path in glob::glob(pattern).into_iter().flatten() {
            match path {
                Ok(path) => live.push(path),
                Err(error) => failed.push((error.path().to_owned(), error.into())),
            }
        }
    }
    // A glob such as `*.log*` names rotated files too: they are siblings, not logs of their own.
    let all = live.clone();
    live.retain(|path| {
        !all.iter().any(|other| {
            other.parent() == path.parent()
                && other.file_name().zip(path.file_name()).is_some_and(|(live, name)| is_sibling(live, name))
        })
    });
    (live, failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_rotated_logs() {
        let yes = [
            "beacon.log.1",
            "beacon.log.12.gz",
            "beacon.log-20261120",
            "beacon.log-20261120.zst",
            "beacon.log-2026-11-20T10:00:00",
            "beacon.log.1700000000",
            "beacon.log.old",
            "beacon.log.gz",
            "beacon-20261120.log",
            "beacon-20261120.log.gz",
            "beacon.1.log",
            "beacon.log-20261120-1700000000",
        ];
        let no = [
            "beacon.log",
            "beacon.log.",
            "beacon.logx",
            "beacon.log.swp",
            "beacon.log~",
            "beacon.log.1.tmp",
            "beacon.log.offset",
            "other.log.1",
            "beacon.error.log",
            "beacon-error.log",
            "beacon",
            "beacon.log.1.gz.part",
            "abeacon.log.1",
            "beacon.log.err",
            "beacon.",
        ];
        for name in yes {
            assert!(is_sibling(OsStr::new("beacon.log"), OsStr::new(name)), "{name}");
        }
        for name in no {
            assert!(!is_sibling(OsStr::new("beacon.log"), OsStr::new(name)), "{name}");
        }
        assert!(is_sibling(OsStr::new("access"), OsStr::new("access.1")));
        assert!(!is_sibling(OsStr::new(".log"), OsStr::new("x.log")));
    }
}
