//! What is counted of the lines of all logs, in bounded memory.

use std::collections::BTreeMap;

use alt_line::hit::{Hit, NonHit, Reason};
use alt_line::row::{Row, TrafficClass};
use alt_statistics::page::is_static;

use super::calendar::Hour;
use super::times::Times;
use super::top::{Seen, Top};

/// The most different texts of a list, and bytes of them.
const TEXTS: usize = 20_000;
const TEXT_BYTES: usize = 4 << 20;

/// The counts.
#[derive(Debug)]
pub(super) struct Tally {
    /// Lines, or pieces of torn ones.
    pub(super) lines: u64,
    /// Of them, hits; the rest is in the next three.
    pub(super) hits: u64,
    pub(super) filtered: u64,
    pub(super) non_hits: BTreeMap<NonHit, u64>,
    pub(super) rejects: BTreeMap<Reason, u64>,
    /// Hits that are requests of a site's own log.
    pub(super) requests: u64,
    pub(super) classes: BTreeMap<TrafficClass, u64>,
    /// Hits of all classes.
    pub(super) hours: BTreeMap<Hour, u64>,
    /// The first and the last time, microseconds since 1970.
    pub(super) times: Option<(i64, i64)>,
    /// By status of the answer.
    pub(super) statuses: BTreeMap<i16, u64>,
    pub(super) bytes: u64,
    pub(super) took: Times,
    /// Requests by path, those that were not found, and hosts.
    pub(super) paths: Top,
    pub(super) not_found: Top,
    pub(super) hosts: Top,
    /// Programs by name: crawlers of search engines and others, those of language models, and all others.
    pub(super) crawlers: Top,
    pub(super) ai_crawlers: Top,
    pub(super) programs: Top,
    /// Hosts of the pages that static files were requested by: most of them is the site itself.
    pub(super) embedders: Top,
}

impl Tally {
    /// Of no line.
    pub(super) fn new() -> Tally {
        let top = || Top::new(TEXTS, TEXT_BYTES);
        Tally {
            lines: 0,
            hits: 0,
            filtered: 0,
            non_hits: BTreeMap::new(),
            rejects: BTreeMap::new(),
            requests: 0,
            classes: BTreeMap::new(),
            hours: BTreeMap::new(),
            times: None,
            statuses: BTreeMap::new(),
            bytes: 0,
            took: Times::default(),
            paths: top(),
            not_found: top(),
            hosts: top(),
            crawlers: top(),
            ai_crawlers: top(),
            programs: top(),
            embedders: top(),
        }
    }

    /// Counts a hit. `rule` says by what the program was known (see [`alt_line::enrich::NewAgent`]).
    pub(super) fn hit(&mut self, hit: &Hit<'_>, row: &Row<'_>, hour: Hour, rule: &str) {
        self.hits += 1;
        *self.classes.entry(row.traffic_class).or_default() += 1;
        *self.hours.entry(hour).or_default() += 1;
        let at = row.occurred_at;
        self.times = Some(self.times.map_or((at, at), |(first, last)| (first.min(at), last.max(at))));
        let seen = Seen {
            requests: 1,
            bytes: row.bytes_sent.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(0),
            took_ms: row.request_ms.and_then(|ms| u64::try_from(ms).ok()).unwrap_or(0),
            timed: u64::from(row.request_ms.is_some()),
        };
        self.program(row.traffic_class, rule, seen);
        if hit.is_request {
            self.request(row, seen);
        }
    }

    fn program(&mut self, class: TrafficClass, rule: &str, seen: Seen) {
        let name = rule.split_once(':').map_or(rule, |(_, name)| name);
        // The list has `Googlebot/`, so that no other name begins like it.
        let name = name.trim_end_matches('/');
        match class {
            TrafficClass::Human | TrafficClass::Suspect | TrafficClass::Server | TrafficClass::Excluded => {}
            TrafficClass::AiBot => self.ai_crawlers.add(name, seen),
            TrafficClass::Bot if rule.starts_with("crawler:") => self.crawlers.add(name, seen),
            _ => self.programs.add(name, seen),
        }
    }

    /// Counts a request of a site's own log.
    fn request(&mut self, row: &Row<'_>, seen: Seen) {
        self.requests += 1;
        self.bytes += seen.bytes;
        if let Some(ms) = row.request_ms.and_then(|ms| u32::try_from(ms).ok()) {
            self.took.add(ms);
        }
        if let Some(status) = row.status {
            *self.statuses.entry(status).or_default() += 1;
        }
        self.paths.add(row.url_path, seen);
        if row.status == Some(404) {
            self.not_found.add(row.url_path, seen);
        }
        if !row.url_host.is_empty() {
            self.hosts.add(row.url_host, seen);
        }
        if !row.referrer_host.is_empty() && is_static(row.url_path) {
            self.embedders.add(bare(row.referrer_host), seen);
        }
    }

    /// The site's own host, if the log does not name it: most static files are requested by its own pages.
    pub(super) fn own_host(&self) -> Option<String> {
        let (first, rest) = self.embedders.first(1);
        let (host, seen) = first.first()?;
        (seen.requests > rest.requests).then(|| (*host).to_owned())
    }
}

/// A host without port and `www.`.
fn bare(host: &str) -> &str {
    let host = host.split(':').next().unwrap_or(host);
    host.strip_prefix("www.").unwrap_or(host)
}
