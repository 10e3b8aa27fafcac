//! The names of archive objects.
//!
//! `dt=YYYY-MM-DD/host=HOST/NAME-FIRST-LAST-HEAD16-RAWLENGTH.log.zst`: the day and the times of the first and the last
//! event (UTC), the beginning of the file's head hash, its raw length. The name is derived from the file alone, so that
//! retries archive a file under the same name, and a listing shows which objects a time range needs. Two files with the
//! same beginning, length and times are distinguished by their raw SHA-256: `…-RAWLENGTH.SHA16.log.zst`.

use alt_line::hit::Micros;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::frames::Compression;

/// Replaces the time if a file has none.
const UNKNOWN: &str = "unknown";

const MICROS_PER_SECOND: Micros = 1_000_000;

/// The parsed name of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// The host that archived it.
    pub host: String,
    /// The name of the live log, without `.log`.
    pub log: String,
    /// The times of the first and the last event, in whole seconds, as microseconds since 1970.
    pub times: Option<(Micros, Micros)>,
    /// First 8 bytes of the file's head hash.
    pub head: u64,
    /// The raw size of the log.
    pub raw_bytes: u64,
    /// First 8 bytes of the SHA-256 of the log, if another object has the name without it.
    pub sha256: Option<u64>,
    /// The suffix: `zst` or `gz`.
    pub suffix: String,
}

impl Name {
    /// The name below the archive's prefix. Characters that are not allowed in it are percent-encoded.
    pub fn key(&self) -> String {
        let day = self.times.map_or(UNKNOWN.to_owned(), |(first, _)| format(first, "%Y-%m-%d"));
        let time = |at: Option<Micros>| at.map_or(UNKNOWN.to_owned(), |at| format(at, "%Y%m%dT%H%M%SZ"));
        let sha256 = self.sha256.map_or(String::new(), |sha256| format!(".{sha256:016x}"));
        format!(
            "dt={day}/{}/{}-{}-{}-{:016x}-{}{sha256}.log.{}",
            folder_of(&self.host),
            encoded(&self.log),
            time(self.times.map(|t| t.0)),
            time(self.times.map(|t| t.1)),
            self.head,
            self.raw_bytes,
            self.suffix
        )
    }

    /// Parses the name of an object; `key` may have a prefix. `None`: not a name of this format.
    pub fn parse(key: &str) -> Option<Name> {
        let mut parts = key.rsplit('/');
        let file = parts.next()?;
        let host = parts.next()?.strip_prefix("host=")?;
        parts.next()?.strip_prefix("dt=")?;
        let (file, suffix) = file.rsplit_once(".log.")?;
        if !matches!(suffix, "zst" | "gz") {
            return None;
        }
        let mut fields = file.rsplitn(5, '-');
        let length = fields.next()?;
        let (length, sha256) = match length.split_once('.') {
            Some((length, sha256)) => (length, Some(hex16(sha256)?)),
            None => (length, None),
        };
        let head = hex16(fields.next()?)?;
        let (last, first) = (fields.next()?, fields.next()?);
        let times = match (first, last) {
            (UNKNOWN, UNKNOWN) => None,
            (first, last) => Some((time(first)?, time(last)?)),
        };
        Some(Name {
            host: decoded(host)?,
            log: decoded(fields.next()?)?,
            times,
            head,
            raw_bytes: length.parse().ok()?,
            sha256,
            suffix: suffix.to_owned(),
        })
    }

    /// Whether the object may contain an event at or after `since` and before `until`.
    pub fn may_hold(&self, since: Option<Micros>, until: Option<Micros>) -> bool {
        let Some((first, last)) = self.times else { return true };
        let ends = last.saturating_add(MICROS_PER_SECOND);
        since.is_none_or(|since| ends > since) && until.is_none_or(|until| first < until)
    }
}

/// The folder of a host's objects, below each day.
pub fn folder_of(host: &str) -> String {
    format!("host={}", encoded(host))
}

/// Builds the name of a file's objects.
pub fn name(
    host: &str,
    live_path: &std::path::Path,
    times: Option<(Micros, Micros)>,
    head: &[u8],
    raw_bytes: u64,
    compression: Compression,
) -> Name {
    let log = live_path.file_name().unwrap_or_default().to_string_lossy();
    let second = |at: Micros| at - at.rem_euclid(MICROS_PER_SECOND);
    Name {
        host: host.to_owned(),
        log: log.strip_suffix(".log").unwrap_or(&log).to_owned(),
        times: times.map(|(first, last)| (second(first), second(last))),
        head: first8(head),
        raw_bytes,
        sha256: None,
        suffix: compression.suffix().to_owned(),
    }
}

/// The first 8 bytes of a hash.
pub fn first8(hash: &[u8]) -> u64 {
    hash.iter().take(8).fold(0, |n, byte| n << 8 | u64::from(*byte))
}

fn format(at: Micros, how: &str) -> String {
    let at = Timestamp::from_microsecond(at).unwrap_or(Timestamp::UNIX_EPOCH);
    at.to_zoned(TimeZone::UTC).strftime(how).to_string()
}

fn time(text: &str) -> Option<Micros> {
    let at = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", text).ok()?;
    Some(at.to_zoned(TimeZone::UTC).ok()?.timestamp().as_microsecond())
}

fn hex16(text: &str) -> Option<u64> {
    (text.len() == 16).then(|| u64::from_str_radix(text, 16).ok())?
}

/// Keeps letters, digits, `.`, `_` and `-`; encodes all other bytes as `%XX`.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"._-".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out += &format!("%{byte:02X}");
        }
    }
    out
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [byte, more @ ..] = rest {
        rest = more;
        if *byte != b'%' {
            bytes.push(*byte);
            continue;
        }
        let hex = rest.get(..2)?;
        bytes.push(u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()?);
        rest = &rest[2..];
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Name {
        name(
            "web-1",
            std::path::Path::new("/var/log/nginx/alt/beacon.log"),
            Some((1_763_980_496_123_456, 1_763_984_100_000_000)),
            &[0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0xff],
            123_456,
            Compression::Zstd(3),
        )
    }

    fn check(name: &Name, key: &str) {
        assert_eq!(name.key(), key);
        assert_eq!(Name::parse(&format!("some/prefix/{key}")).as_ref(), Some(name));
    }

    #[test]
    fn names_say_what_is_in_an_object() {
        let plain = example();
        check(
            &plain,
            "dt=2025-11-24/host=web-1/beacon-20251124T103456Z-20251124T113500Z-0123456789abcdef-123456.log.zst",
        );
        check(
            &Name { sha256: Some(7), suffix: "gz".into(), ..plain.clone() },
            "dt=2025-11-24/host=web-1/beacon-20251124T103456Z-20251124T113500Z-0123456789abcdef-123456.\
             0000000000000007.log.gz",
        );
        check(
            &Name { times: None, host: "a/b =".into(), log: "access-ü".into(), ..plain },
            "dt=unknown/host=a%2Fb%20%3D/access-%C3%BC-unknown-unknown-0123456789abcdef-123456.log.zst",
        );
    }

    #[test]
    fn other_names_are_none_of_ours() {
        for key in [
            "",
            "beacon.log.zst",
            "dt=2025-11-24/host=web-1/beacon.log.zst",
            "dt=2025-11-24/host=web-1/beacon-20251124T103456Z-unknown-0123456789abcdef-1.log.zst",
            "dt=2025-11-24/host=web-1/beacon-20251124T103456Z-20251124T113500Z-0123456789abcdef-x.log.zst",
            "dt=2025-11-24/host=web-1/beacon-20251124T103456Z-20251124T113500Z-0123-1.log.zst",
            "dt=2025-11-24/host=web-1/beacon-20251124T103456Z-20251124T113500Z-0123456789abcdef-1.log.xz",
            "dt=2025-11-24/web-1/beacon-20251124T103456Z-20251124T113500Z-0123456789abcdef-1.log.zst",
            "dt=x/host=%G1/beacon-20251124T103456Z-20251124T113500Z-0123456789abcdef-1.log.zst",
        ] {
            assert_eq!(Name::parse(key), None, "{key}");
        }
    }

    #[test]
    fn times_prune() {
        let name = example();
        let (first, last) = name.times.unwrap();
        assert!(name.may_hold(None, None));
        assert!(name.may_hold(Some(last + 999_999), None) && !name.may_hold(Some(last + 1_000_000), None));
        assert!(name.may_hold(None, Some(first + 1)) && !name.may_hold(None, Some(first)));
        assert!(Name { times: None, ..name }.may_hold(Some(last + 1_000_000), None));
    }
}
