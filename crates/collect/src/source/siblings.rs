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
/// date, also with a month's name (27Nov2026) or in UTC (T101010Z), then perhaps a compressor's suffix.
static ROTATED: LazyLock<Regex> = LazyLock::new(|| {
    let month = "(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)";
    let date = format!("(?:[0-9]|{month}[._-]?[0-9])(?:[0-9T:._+-]|{month}[._-]?[0-9])*Z?");
    Regex::new(&format!(r"^(?:[._-](?:{date}|old|bak))?(?:\.(?:gz|zst|bz2))?$")).expect("a constant pattern")
});

/// The number of digits of a date: a mark with fewer digits is a number.
const DATE_DIGITS: usize = 8;

/// The number of digits that the name of a month stands for.
const MONTH_DIGITS: usize = 2;

/// Whether `name` may be a rotated file of the log called `live`.
pub fn is_sibling(live: &OsStr, name: &OsStr) -> bool {
    let (live, name) = (live.as_bytes(), name.as_bytes());
    match name.strip_prefix(live) {
        Some(mark) => is_mark(mark),
        None => {
            let inner = inner_mark(live, name).is_some_and(|(mark, _)| is_mark(mark) && may_be_inner(mark));
            inner || is_dated_before(live, name)
        }
    }
}

/// Whether a mark before the last suffix can be rotation's. `beacon_2.log` is another log than `beacon.log`;
/// `beacon_20261127.log` is not.
fn may_be_inner(mark: &[u8]) -> bool {
    mark.first() != Some(&b'_') || date_digits(mark) >= DATE_DIGITS
}

/// Whether the name is that of the log with a date before it: `20261127-beacon.log`, also compressed.
fn is_dated_before(live: &[u8], name: &[u8]) -> bool {
    let plain = [&b".gz"[..], b".zst", b".bz2"].iter().find_map(|p| name.strip_suffix(*p)).unwrap_or(name);
    let Some((last, date)) = plain.strip_suffix(live).and_then(<[u8]>::split_last) else { return false };
    let dated = [b"-", date].concat();
    matches!(last, b'.' | b'-' | b'_') && date_digits(date) >= DATE_DIGITS && is_mark(&dated)
}

/// The number of digits of a mark, where the name of a month counts as two.
fn date_digits(mark: &[u8]) -> usize {
    let is_start =
        |at: usize| mark[at].is_ascii_alphabetic() && (at == 0 || !mark[at - 1].is_ascii_alphabetic());
    let months = (0..mark.len())
        .filter(|at| is_start(*at) && mark.len() - at > 3 && mark[at + 1].is_ascii_alphabetic());
    mark.iter().filter(|byte| byte.is_ascii_digit()).count() + months.count() * MONTH_DIGITS
}

/// Whether a sibling of `live` may, by its name, also be a separate log: `beacon-2.log` next to `beacon.log`. Rotation
/// inserts a date there, and separate logs are not compressed.
pub fn may_be_another(live: &OsStr, name: &OsStr) -> bool {
    let mark = inner_mark(live.as_bytes(), name.as_bytes());
    mark.is_some_and(|(mark, is_packed)| is_mark(mark) && !is_packed && date_digits(mark) < DATE_DIGITS)
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
            "beacon.log_20261127",
            "beacon.log_2.gz",
            "beacon.log-27Nov2026",
            "beacon.log-Nov-27-2026.gz",
            "beacon.log-20261127T101010Z",
            "beacon.log-20261127T101010Z.zst",
            "beacon_20261127.log",
            "beacon-27Nov2026.log",
            "20261127-beacon.log",
            "2026-11-27_beacon.log.gz",
            "20261127T101010Z.beacon.log",
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
            "beacon_2.log",
            "beacon_nov.log",
            "beacon.log-nov",
            "beacon.log-november2026",
            "beacon.log.1.xz",
            "20261127beacon.log",
            "2026-beacon.log",
            "20261127-abeacon.log",
            "20261127-beacon.log.1",
            "abc20261127-beacon.log",
            "-beacon.log",
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
