//! How files are identified: an open file by its inode, the rotated files of a log by their names.

use std::ffi::OsStr;
use std::fs::Metadata;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::sync::LazyLock;

use regex::bytes::Regex;

/// Device and inode: identifies an open file, within one process and while the file is open.
pub type Key = (u64, u64);

/// Device and inode of a file's metadata.
pub fn key(metadata: &Metadata) -> Key {
    (metadata.dev(), metadata.ino())
}

/// What rotation appends to a name (or, like logrotate's `extension`, inserts before its last suffix): a number or a
/// date, then perhaps a compressor's suffix.
static ROTATED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^(?:[.-](?:[0-9][0-9T:._+-]*|old|bak))?(?:\.(?:gz|zst|bz2))?$").expect("a constant pattern")
});

/// The number of digits of a date: a mark with fewer digits is a number.
const DATE_DIGITS: usize = 8;

/// Whether `name` may be a rotated file of the log called `live`.
pub fn is_sibling(live: &OsStr, name: &OsStr) -> bool {
    let (live, name) = (live.as_bytes(), name.as_bytes());
    let mark = name.strip_prefix(live).or_else(|| Some(inner_mark(live, name)?.0));
    mark.is_some_and(is_mark)
}

/// Whether a sibling of `live` may, by its name, also be a separate log: `beacon-2.log` next to `beacon.log`. Rotation
/// inserts a date there, and separate logs are not compressed.
pub fn may_be_another(live: &OsStr, name: &OsStr) -> bool {
    let digits = |mark: &[u8]| mark.iter().filter(|byte| byte.is_ascii_digit()).count();
    let mark = inner_mark(live.as_bytes(), name.as_bytes());
    mark.is_some_and(|(mark, is_packed)| is_mark(mark) && !is_packed && digits(mark) < DATE_DIGITS)
}

fn is_mark(mark: &[u8]) -> bool {
    mark.len() > 1 && ROTATED.is_match(mark)
}

/// The mark before the last suffix of a log's name, and whether the name is that of a compressed file: `beacon.log` ->
/// `beacon-20261120.log`, `beacon.1.log.gz`.
fn inner_mark<'a>(live: &[u8], name: &'a [u8]) -> Option<(&'a [u8], bool)> {
    let dot = live.iter().rposition(|b| *b == b'.').filter(|at| *at > 0)?;
    let (stem, suffix) = live.split_at(dot);
    let rest = name.strip_prefix(stem)?;
    let packed = [&b".gz"[..], b".zst", b".bz2"].iter().find_map(|p| rest.strip_suffix(*p));
    Some((packed.unwrap_or(rest).strip_suffix(suffix)?, packed.is_some()))
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
    #[test]
    fn names_that_may_be_those_of_other_logs() {
        let is = |name: &str| may_be_another(OsStr::new("beacon.log"), OsStr::new(name));
        assert!(is("beacon-2.log") && is("beacon.1.log") && is("beacon-8080.log"));
        for name in
            ["beacon.log.1", "beacon-20261120.log", "beacon-2026-11-20.log", "beacon-2.log.gz", "b-2.log"]
        {
            assert!(!is(name), "{name}");
        }
    }
}
