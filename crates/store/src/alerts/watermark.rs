//! How far rows are complete. Each daemon notes how far its sources are loaded; the watermark of an application is the
//! least of the live sources that feed it.
//!
//! A source that is behind is left out, so that it does not hold up all others, and what is judged meanwhile is
//! partial: its rows mark their times when they come, and those are judged again. If all are behind, none is left out.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use alt_alerts::lens::is_like;
use alt_alerts::time::{Micros, SECOND, SLOT, slot_of};
use alt_process::clock::{micros, system_time};
use anyhow::Context;
use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};

/// A source whose daemon was not seen for so long does not live.
pub const DEAD_AFTER: Micros = 10 * SECOND;

/// A source that is so far behind is left out.
pub const BEHIND: Micros = 10 * SECOND;

/// A source is complete up to so long before the last look at its end: nginx writes a line a little later than its
/// time.
pub const SLACK: Micros = SECOND;

/// The shortest and the longest time until it is looked again how far the sources are.
const LOOKED_AGAIN: [Micros; 2] = [SECOND / 20, SECOND];

/// How often that is looked at of a source of which it should be known for a second that a slot has ended.
const LATE_AGAIN: Micros = SECOND / 4;

/// A source that brought rows of an application so long ago, in hours, feeds it.
const FEEDS_FOR: i32 = 24;

/// How far a source is loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The host.
    pub host: String,
    /// Its paths, with `, ` between them.
    pub source: String,
    /// Everything until then is committed.
    pub upto: Micros,
    /// When its daemon was last seen to live.
    pub beat: Micros,
}

/// How far the rows of an application are complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watermark {
    /// Until then, …
    pub at: Micros,
    /// … except for sources that are behind.
    pub is_partial: bool,
}

/// All that watermarks are made of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Watermarks {
    /// The database's clock.
    pub now: Micros,
    /// The sources.
    pub sources: Vec<Source>,
    /// By application: the hosts and followed paths that brought rows of it lately.
    feeds: BTreeMap<i32, Vec<(String, String)>>,
}

/// Notes how far the sources of a host are loaded. A time never goes back.
///
/// # Errors
/// The database does not do it.
pub async fn beat(client: &Client, host: &str, sources: &[(String, Micros)]) -> anyhow::Result<()> {
    let names: Vec<&str> = sources.iter().map(|(name, _)| name.as_str()).collect();
    let times: Vec<SystemTime> = sources.iter().map(|(_, upto)| system_time(*upto)).collect();
    let parameters: [(&(dyn ToSql + Sync), Type); 3] =
        [(&host, Type::TEXT), (&names, Type::TEXT_ARRAY), (&times, Type::TIMESTAMPTZ_ARRAY)];
    let sql = "INSERT INTO alert_sources AS s (host, source, upto, beat_at) \
               SELECT $1, n, t, clock_timestamp() FROM unnest($2::text[], $3::timestamptz[]) AS u (n, t) ORDER BY n \
               ON CONFLICT (host, source) DO UPDATE SET upto = greatest(s.upto, excluded.upto), beat_at = \
               excluded.beat_at";
    client.execute_typed(sql, &parameters).await.context("note how far the sources are loaded")?;
    Ok(())
}

/// Reads how far everything is.
///
/// # Errors
/// The database cannot be asked.
pub async fn read(client: &Client) -> anyhow::Result<Watermarks> {
    let context = "read how far the sources are loaded";
    let sql = "SELECT host, source, upto, beat_at, clock_timestamp() FROM alert_sources \
               WHERE beat_at > now() - interval '1 day' ORDER BY host, source";
    let rows = client.query_typed(sql, &[]).await.context(context)?;
    let time = |at: SystemTime| micros(at);
    let now = rows.first().map_or_else(alt_process::clock::now, |row| time(row.get(4)));
    let source = |row: &tokio_postgres::Row| Source {
        host: row.get(0),
        source: row.get(1),
        upto: time(row.get(2)),
        beat: time(row.get(3)),
    };
    let sources = rows.iter().map(source).collect();
    let mut feeds: BTreeMap<i32, Vec<(String, String)>> = BTreeMap::new();
    let since = i32::try_from(now / (3600 * SECOND)).unwrap_or(i32::MAX) - FEEDS_FOR;
    let sql = "SELECT app_id, host, source FROM alert_feeds WHERE hour >= $1 ORDER BY app_id, host, source";
    for row in client.query_typed(sql, &[(&since, Type::INT4)]).await.context(context)? {
        feeds.entry(row.get(0)).or_default().push((row.get(1), row.get(2)));
    }
    Ok(Watermarks { now, sources, feeds })
}

impl Source {
    /// Whether a followed path is one of its own.
    fn has(&self, host: &str, path: &str) -> bool {
        self.host == host && self.source.split(", ").any(|pattern| is_like(pattern, path))
    }
}

impl Watermarks {
    /// The watermark of an application. `None`: no source lives that could feed it.
    pub fn of(&self, app_id: i32) -> Option<Watermark> {
        let live: Vec<&Source> =
            self.sources.iter().filter(|source| source.beat > self.now - DEAD_AFTER).collect();
        let feeds = self.feeds.get(&app_id).map_or(&[][..], Vec::as_slice);
        let is_fed_by = |source: &Source| feeds.iter().any(|(host, path)| source.has(host, path));
        let mut its: Vec<&Source> = live.iter().copied().filter(|source| is_fed_by(source)).collect();
        // Whom nothing has fed yet, or nothing that lives, any source may feed next.
        if its.is_empty() {
            its = live;
        }
        let upto = |sources: &[&Source]| sources.iter().map(|source| source.upto).min();
        let count = its.len();
        let in_time: Vec<&Source> =
            its.iter().copied().filter(|source| source.upto > self.now - BEHIND).collect();
        match upto(&in_time) {
            Some(at) => Some(Watermark { at, is_partial: in_time.len() < count }),
            None => upto(&its).map(|at| Watermark { at, is_partial: false }),
        }
    }

    /// The watermark of the installation, of what daemons take of themselves: a daemon stores that before it is seen to live.
    /// However far its sources are behind, it is judged. `None`: no daemon lives.
    pub fn of_installation(&self) -> Option<Watermark> {
        let beats =
            self.sources.iter().map(|source| source.beat).filter(|beat| *beat > self.now - DEAD_AFTER);
        beats.min().map(|at| Watermark { at, is_partial: false })
    }

    /// The slots that the sources have reached. An application is judged further once one of them is another: its sources are
    /// not those that are ahead of all others.
    pub fn slots(&self) -> Vec<Micros> {
        self.sources.iter().map(|source| slot_of(source.upto)).collect()
    }

    /// How long nothing new can be known of the slots. Each host notes about a second after the end of a slot that it has all of
    /// it: then it is looked often, so that nobody waits for the next look, and before seldom.
    pub fn next_in(&self) -> Duration {
        let [least, most] = LOOKED_AGAIN;
        let wait = |source: &Source| match slot_of(source.upto) + SLOT + SLACK - self.now {
            late if late < -SECOND => LATE_AGAIN,
            wait => wait.clamp(least, most),
        };
        let live = self.sources.iter().filter(|source| source.beat > self.now - DEAD_AFTER);
        Duration::from_micros(u64::try_from(live.map(wait).min().unwrap_or(LATE_AGAIN)).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_looked_often_only_when_a_slot_should_be_known_to_have_ended() {
        let now = 1_000_000 * SECOND;
        let all = |sources: &[(Micros, Micros)]| Watermarks {
            now,
            sources: sources
                .iter()
                .map(|(upto, silent)| Source {
                    host: String::new(),
                    source: String::new(),
                    upto: now + upto * SECOND / 10,
                    beat: now - silent * SECOND,
                })
                .collect(),
            feeds: BTreeMap::new(),
        };
        let millis = |sources: &[(Micros, Micros)]| all(sources).next_in().as_millis();
        // Reached up to a second ago, at the begin of a slot: it ends in five seconds, and is known one later.
        assert_eq!(millis(&[(0, 0)]), 1000);
        assert_eq!(millis(&[(-50, 0)]), 1000);
        // Slots ended 0.6 seconds ago, of which one is not known yet.
        let at = |tenths: Micros| Watermarks { now: now + tenths * SECOND / 10, ..all(&[(-50, 0)]) };
        assert_eq!(
            [6, 10, 15, 19, 21].map(|tenths| at(tenths).next_in().as_millis()),
            [400, 50, 50, 50, 250]
        );
        // The next of several counts; of one that does not live, nothing comes.
        assert_eq!(millis(&[(0, 0), (-50, 0), (-100, 0)]), 250);
        assert_eq!(millis(&[(0, 0), (-100, 11)]), 1000);
        assert_eq!(millis(&[]), 250);
    }

    #[test]
    fn the_least_of_the_live_sources_that_feed_an_application_counts() {
        let now = 1_000_000 * SECOND;
        let source = |host: &str, source: &str, behind: i64, silent: i64| Source {
            host: host.to_owned(),
            source: source.to_owned(),
            upto: now - behind * SECOND,
            beat: now - silent * SECOND,
        };
        let feed = |host: &str, path: &str| (host.to_owned(), path.to_owned());
        let mut all = Watermarks {
            now,
            sources: vec![source("a", "/l/x.log, /l/*.txt", 1, 0), source("b", "/l/x.log", 3, 0)],
            feeds: BTreeMap::from([
                (1, vec![feed("a", "/l/y.txt")]),
                (2, vec![feed("a", "/l/x.log"), feed("b", "/l/x.log")]),
            ]),
        };
        let told = |all: &Watermarks| {
            [1, 2, 3].map(|app| all.of(app).map(|w| ((now - w.at) / SECOND, w.is_partial)))
        };
        assert_eq!(told(&all), [Some((1, false)), Some((3, false)), Some((3, false))]);
        all.sources[1] = source("b", "/l/x.log", 11, 0);
        assert_eq!(told(&all), [Some((1, false)), Some((1, true)), Some((1, true))]);
        all.sources[0] = source("a", "/l/x.log, /l/*.txt", 20, 0);
        assert_eq!(told(&all), [Some((20, false)), Some((20, false)), Some((20, false))]);
        all.sources[0] = source("a", "/l/x.log, /l/*.txt", 11, 11);
        assert_eq!(told(&all), [Some((11, false)), Some((11, false)), Some((11, false))]);
        // Of the installation, the least beat of those that live counts, however far their sources are behind.
        all.sources.push(source("c", "/l/x.log", 900, 3));
        assert_eq!(all.of_installation().map(|w| ((now - w.at) / SECOND, w.is_partial)), Some((3, false)));
        all.sources.pop();
        all.sources.remove(1);
        assert_eq!(told(&all), [None, None, None]);
        assert_eq!(all.of_installation(), None);
    }
}
