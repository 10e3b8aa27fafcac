//! The last lines of a log: what they say about nginx, the proxies before it, and the pages.
//!
//! Only lines of the last hour count, so that what was mended, and a few hits that somebody sent to try it out, are not
//! reported for ever.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::fmt::Write;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{Read, Seek, SeekFrom};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use alt_collect::source::unpack;
use alt_config::{Config, Source};
use alt_line::arena::ARENA_BYTES;
use alt_line::hit::{Micros, Parsed, Reason};
use alt_line::lines::Lines;
use alt_line::parse::{Format, Terms};
use alt_line::processor::pieces;
use alt_process::clock;

use super::finding::{Findings, Kind};
use super::nginx::Site;

/// How many bytes at the end of a log are read.
const SAMPLE_BYTES: u64 = 256 * 1024;
/// How old a line is that still counts (one hour).
const AGE_MAX: Micros = 3_600_000_000;
/// The same for what was configured meanwhile (five minutes).
const AGE_MAX_MENDED: Micros = 300_000_000;
/// Minimum number of lines for a finding about the log.
const LINES_MIN: usize = 5;
/// Minimum number of hits from this machine itself for a finding: fewer are somebody who tries it out.
const LOCAL_MIN: usize = 20;
/// Maximum number of proxies; more private addresses than that are visitors of an intranet.
const PROXIES_MAX: usize = 8;
/// A finding about rejects needs this part of the lines (one in ten).
const REJECTS_PART: usize = 10;
/// How many different keys are counted, and how many are named.
const KEYS_MAX: usize = 1000;
const KEYS_NAMED: usize = 3;
/// The longest part of a key that is shown.
const KEY_CHARS: usize = 40;

/// What the last lines of a log are.
#[derive(Debug, Default)]
pub(super) struct Recent {
    log: PathBuf,
    lines: usize,
    rejects: BTreeMap<Reason, usize>,
    /// The keys that hits name.
    keys: BTreeMap<String, usize>,
    public: usize,
    /// When hits came from private addresses, and their user agents' hashes.
    private: Vec<(IpAddr, Micros, u64)>,
}

/// Reads the last lines of a log.
///
/// # Errors
/// The log cannot be read.
pub(super) fn read(config: &Config, source: &Source, log: &Path) -> std::io::Result<Recent> {
    let bytes = sample(log)?;
    let mut recent = Recent { log: log.to_owned(), ..Recent::default() };
    let (Ok(format), Ok(terms)) = (Format::of(&source.spec()), config.track.terms()) else {
        return Ok(recent); // a configuration that was loaded has been through both
    };
    let now = clock::now();
    // A line without a time has that of the line before it.
    let mut at = file_time(log).unwrap_or(now);
    each_parsed(&bytes, &format, &terms, &mut |parsed| {
        at = match parsed {
            Parsed::Hit(hit) => hit.occurred_at,
            Parsed::Reject(reject) => reject.occurred_at.unwrap_or(at),
            Parsed::NonHit(_) => at,
        };
        if now - at <= AGE_MAX {
            recent.count(parsed, at);
        }
    });
    Ok(recent)
}

impl Recent {
    fn count(&mut self, parsed: &Parsed<'_>, at: Micros) {
        self.lines += 1;
        match parsed {
            Parsed::Reject(reject) => *self.rejects.entry(reject.reason).or_default() += 1,
            Parsed::Hit(hit) => {
                if !hit.app_key.is_empty()
                    && (self.keys.len() < KEYS_MAX || self.keys.contains_key(hit.app_key))
                {
                    *self.keys.entry(hit.app_key.to_owned()).or_default() += 1;
                }
                match hit.ip {
                    Some(ip) if is_private(ip) => {
                        let mut hasher = DefaultHasher::new();
                        hit.user_agent.hash(&mut hasher);
                        self.private.push((ip.to_canonical(), at, hasher.finish()));
                    }
                    Some(_) => self.public += 1,
                    None => {}
                }
            }
            Parsed::NonHit(_) => {}
        }
    }

    fn place(&self) -> String {
        self.log.display().to_string()
    }

    /// Looks at what needs no database.
    pub(super) fn looks(&self, source: &Source, site: Option<&Site>, findings: &mut Findings) {
        let strange = self.rejects.get(&Reason::Shape).copied().unwrap_or_default();
        if self.lines >= LINES_MIN && strange * 2 > self.lines {
            findings.add(
                Kind::Format,
                self.place(),
                format!("{strange} of the last {} lines are not in the format {}", self.lines, source.format),
                format!(
                    "make nginx's log_format and [[source]] format the same; what becomes of each line: alt parse {}",
                    self.place()
                ),
            );
        }
        if let Some(torn) = self.rejects.get(&Reason::Torn) {
            findings.add(
                Kind::DiskWasFull,
                self.place(),
                format!(
                    "{torn} of the last {} lines are cut off: the disk was full when nginx wrote them, and hits of that time are lost",
                    self.lines
                ),
                format!("look what filled it: df -h {0}; du -xh / | sort -h | tail", self.place()),
            );
        }
        self.proxied(site, findings);
    }

    /// Finds a proxy that nginx does not know: its address is that of all visitors.
    fn proxied(&self, site: Option<&Site>, findings: &mut Findings) {
        let has_real_ip = site.is_some_and(Site::has_real_ip);
        let age = if has_real_ip { AGE_MAX_MENDED } else { AGE_MAX };
        let now = clock::now();
        let hits: Vec<&(IpAddr, Micros, u64)> =
            self.private.iter().filter(|(_, at, _)| now - at <= age).collect();
        let all: BTreeSet<IpAddr> = hits.iter().map(|(ip, ..)| *ip).collect();
        let local = hits.iter().filter(|(ip, ..)| ip.is_loopback()).count();
        let agents: BTreeSet<u64> = hits.iter().map(|(.., agent)| *agent).collect();
        // Whoever tries it out from here uses one or two clients.
        let is_enough = hits.len() - local >= LINES_MIN || (local >= LOCAL_MIN && agents.len() > 2);
        if !is_enough || hits.len() <= 9 * self.public || all.len() > PROXIES_MAX {
            return;
        }
        let named: Vec<String> = all.iter().take(KEYS_NAMED).map(ToString::to_string).collect();
        let why = if has_real_ip {
            "a proxy stands before nginx, and set_real_ip_from does not help: it names other networks, is in another server { }, \
             or real_ip_header is not the header that the proxy sends"
        } else {
            "a proxy stands before nginx, and real_ip is missing; or they are your own"
        };
        findings.add(
            Kind::RealIp,
            self.place(),
            format!(
                "{} of the last {} hits come from private addresses ({}): {why}",
                hits.len(),
                hits.len() + self.public,
                named.join(", ")
            ),
            "behind a proxy, copy realip-alb.conf.example or realip-cloudfront.conf.example to /etc/nginx/alt/realip.conf, with \
             its networks, and put `include alt/realip.conf;` in the server { }; then: nginx -t && nginx -s reload",
        );
    }

    /// Finds lines that become no rows, by the applications that there are.
    pub(super) fn rejected(&self, is_known: &dyn Fn(&str) -> bool, findings: &mut Findings) {
        let mut unknown: Vec<(&String, usize)> =
            self.keys.iter().filter(|(key, _)| !is_known(key)).map(|(key, n)| (key, *n)).collect();
        unknown.sort_by_key(|(key, n)| (std::cmp::Reverse(*n), *key));
        let of_keys: usize = unknown.iter().map(|(_, n)| n).sum();
        // Those have findings of their own.
        let others =
            self.rejects.iter().filter(|(reason, _)| !matches!(reason, Reason::Shape | Reason::Torn));
        let of_reasons: usize = others.clone().map(|(_, n)| n).sum();
        let all = of_keys + of_reasons;
        if all < LINES_MIN || all * REJECTS_PART < self.lines {
            return;
        }
        let mut why = String::new();
        for (reason, n) in others {
            let _ = write!(why, "; {n} {reason}");
        }
        if of_keys > 0 {
            let named: Vec<String> = unknown
                .iter()
                .take(KEYS_NAMED)
                .map(|(key, n)| format!("{} ({n})", key.chars().take(KEY_CHARS).collect::<String>()))
                .collect();
            let more = if unknown.len() > KEYS_NAMED { ", …" } else { "" };
            let _ = write!(
                why,
                "; {of_keys} name a key that is not registered, or disabled: {}{more}",
                named.join(", ")
            );
        }
        findings.add(
            Kind::Rejects,
            self.place(),
            format!("{all} of the last {} lines become no rows{why}", self.lines),
            "the keys that there are: alt app list; correct the key in the pages, or register it (alt app add NAME --key KEY), \
             which loads these lines, too; each line: alt rejects list",
        );
    }
}

/// When a log was last written, microseconds since 1970.
fn file_time(log: &Path) -> Option<Micros> {
    let at = std::fs::metadata(log).ok()?.modified().ok()?;
    Micros::try_from(at.duration_since(std::time::UNIX_EPOCH).ok()?.as_micros()).ok()
}

/// The complete lines at the end of a log.
pub(super) fn sample(log: &Path) -> std::io::Result<Vec<u8>> {
    let mut file = unpack::regular(log)?;
    let start = file.metadata()?.len().saturating_sub(SAMPLE_BYTES);
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.take(SAMPLE_BYTES).read_to_end(&mut bytes)?;
    if start > 0 {
        let first = memchr::memchr(b'\n', &bytes).map_or(bytes.len(), |at| at + 1);
        bytes.drain(..first);
    }
    Ok(bytes)
}

fn each_parsed(mut bytes: &[u8], format: &Format, terms: &Terms, each: &mut dyn FnMut(&Parsed<'_>)) {
    let (mut lines, mut scratch) = (Lines::default(), vec![0; ARENA_BYTES]);
    loop {
        while let Some(line) = lines.next_line() {
            let now = clock::now();
            let Ok(()) = pieces::<Infallible>(&line, format, terms, &mut scratch, now, &mut |_, parsed| {
                each(parsed);
                Ok(())
            });
        }
        match bytes.read(lines.room()) {
            Ok(n) if n > 0 => lines.filled(n),
            _ => return,
        }
    }
}

/// Private in the sense of the shipped rate limit: an address that no visitor on the internet has.
fn is_private(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let shared = ip.octets()[0] == 100 && ip.octets()[1] & 0xc0 == 64;
            ip.is_private() || ip.is_loopback() || ip.is_link_local() || shared
        }
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_addresses_are_those_of_the_shipped_rate_limit() {
        let private = [
            "10.1.2.3",
            "172.31.0.1",
            "192.168.0.1",
            "127.0.0.1",
            "169.254.1.1",
            "100.64.0.1",
            "::1",
            "fd00::1",
            "fe80::1",
            "::ffff:10.0.0.1",
        ];
        let public = ["203.0.113.7", "172.32.0.1", "100.128.0.1", "2001:db8::1", "8.8.8.8"];
        assert!(private.iter().all(|ip| is_private(ip.parse().unwrap())));
        assert!(!public.iter().any(|ip| is_private(ip.parse().unwrap())));
    }
}
