//! How far rows are complete. Each daemon notes how far its sources are loaded; the watermark of an application is the
//! least of the live sources that feed it.
//!
//! A source that is behind is left out, so that it does not hold up all others, and what is judged meanwhile is
//! partial: its rows mark their times when they come, and those are judged again. If all are behind, none is left out.

use std::collections::BTreeMap;
use std::time::SystemTime;

use alt_process::clock::{micros, system_time};
use alt_watch::lens::is_like;
use alt_watch::time::{Micros, SECOND};
use anyhow::Context;
use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};

/// A source whose daemon was not seen for so long does not live.
pub const DEAD_AFTER: Micros = 10 * SECOND;

/// A source that is so far behind is left out.
pub const BEHIND: Micros = 10 * SECOND;

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

    /// The latest time that any source has reached.
    pub fn latest(&self) -> Micros {
        self.sources.iter().map(|source| source.upto).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        all.sources.remove(1);
        assert_eq!(told(&all), [None, None, None]);
    }
}
