//! Sums by day of which nothing is filtered.
//!
//! The values of a day are kept in memory, in `[web] cache_bytes`, under the version of its statistics. Of more than
//! [`DAYS_MAX`] days the database makes the sums: to read all of their values would take longer.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use alt_line::row::TrafficClass;
use alt_process::lock::lock;
use alt_statistics::day::Counts;
use alt_statistics::query::Dimension;
use alt_statistics::stored::{Stored, Sums};
use alt_store::stats::ask::{self, Asked as Days, Counted, Version};
use alt_store::web::pool::Transaction;
use foldhash::{HashMap, HashMapExt};
use jiff::civil::Date;

use crate::problem::Problem;

/// The most days of which values are read into memory.
const DAYS_MAX: usize = 100;

/// Bytes of a key, and of its place in a table.
const PLACE_BYTES: usize = 96;

/// Whose values they are. They never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    app: i32,
    day: Date,
    generation: i64,
    folded_at: i64,
    class: TrafficClass,
    dimension: &'static str,
}

/// Values of days that were asked for last. Those that were not asked for since half of the room was filled anew are dropped.
#[derive(Debug)]
struct Kept {
    younger: HashMap<Key, Arc<Stored>>,
    older: HashMap<Key, Arc<Stored>>,
    /// Of the younger and of the older ones.
    bytes: [usize; 2],
    most: usize,
}

impl Kept {
    fn get(&mut self, key: &Key) -> Option<Arc<Stored>> {
        if let Some(known) = self.younger.get(key) {
            return Some(Arc::clone(known));
        }
        let known = self.older.remove(key)?;
        self.bytes[1] -= bytes(&known);
        self.put(*key, Arc::clone(&known));
        Some(known)
    }

    fn put(&mut self, key: Key, stored: Arc<Stored>) {
        // Two questions have read the same.
        if self.younger.contains_key(&key) {
            return;
        }
        let more = bytes(&stored);
        if self.bytes[0] + more > self.most / 2 {
            self.older = std::mem::take(&mut self.younger);
            self.bytes = [0, self.bytes[0]];
        }
        self.bytes[0] += more;
        self.younger.insert(key, stored);
    }
}

fn bytes(stored: &Arc<Stored>) -> usize {
    stored.memory() + PLACE_BYTES
}

/// What is kept of days.
#[derive(Debug)]
pub(crate) struct Daily(Mutex<Kept>);

impl Daily {
    /// In so many bytes.
    pub(crate) fn new(most: usize) -> Daily {
        Daily(Mutex::new(Kept { younger: HashMap::new(), older: HashMap::new(), bytes: [0; 2], most }))
    }

    /// Bytes that it holds.
    pub(crate) fn memory(&self) -> usize {
        lock(&self.0).bytes.iter().sum()
    }

    /// Begins to read sums of days.
    pub(crate) async fn of<'r>(
        &'r self,
        db: &'r Transaction,
        days: Days<'r>,
    ) -> Result<Reading<'r>, Problem> {
        let versions = ask::versions(db, &days).await?;
        let class = TrafficClass::ALL.iter().copied().find(|class| class.as_str() == days.class);
        let class = class.filter(|_| versions.len() <= DAYS_MAX);
        Ok(Reading { daily: self, db, days, versions, class })
    }

    /// The values of a dimension, of each day and of each class.
    async fn stored(
        &self,
        db: &Transaction,
        app: i32,
        versions: &[Version],
        dimension: &'static str,
        classes: &[TrafficClass],
    ) -> Result<Vec<Vec<Arc<Stored>>>, Problem> {
        let key = |version: &Version, class: TrafficClass| {
            let Version { day, generation, folded_at, .. } = *version;
            Key { app, day, generation, folded_at, class, dimension }
        };
        let known: Vec<Option<Vec<Arc<Stored>>>> = {
            let mut kept = lock(&self.0);
            let mut of_day = |version| classes.iter().map(|class| kept.get(&key(version, *class))).collect();
            versions.iter().map(&mut of_day).collect()
        };
        let missing =
            versions.iter().zip(&known).filter(|(_, known)| known.is_none()).map(|(version, _)| version);
        let missing: Vec<Date> = missing.map(|version| version.day).collect();
        let names: Vec<&str> = classes.iter().map(|class| class.as_str()).collect();
        let mut read = match missing.is_empty() {
            true => Vec::new(),
            false => ask::stored(db, app, dimension, &missing, &names).await?,
        }
        .into_iter();
        let mut all = Vec::with_capacity(versions.len());
        for known in known {
            let of_day = match known {
                Some(known) => known,
                None => read.next().ok_or_else(Problem::defect)?.into_iter().map(Arc::new).collect(),
            };
            all.push(of_day);
        }
        let mut kept = lock(&self.0);
        for (version, of_day) in
            versions.iter().zip(&all).filter(|(version, _)| missing.contains(&version.day))
        {
            for (class, stored) in classes.iter().zip(of_day) {
                kept.put(key(version, *class), Arc::clone(stored));
            }
        }
        Ok(all)
    }
}

/// Sums of an application's days, of one moment.
#[derive(Debug)]
pub(crate) struct Reading<'r> {
    daily: &'r Daily,
    db: &'r Transaction,
    days: Days<'r>,
    versions: Vec<Version>,
    /// `None`: the database makes the sums.
    class: Option<TrafficClass>,
}

/// What is known of whole days.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    /// By day: `2026-01-31`.
    pub(crate) days: Vec<Counted>,
    /// The events of the other classes.
    pub(crate) left_out: BTreeMap<String, u64>,
    /// Days that come from another product.
    pub(crate) imported: i64,
}

impl Reading<'_> {
    /// The counts of each day, and what of it is left out.
    pub(crate) async fn totals(&self) -> Result<Totals, Problem> {
        let imported = self.versions.iter().filter(|version| version.is_imported).count();
        let mut totals =
            Totals { imported: i64::try_from(imported).unwrap_or(i64::MAX), ..Totals::default() };
        let Some(class) = self.class else {
            totals.days = ask::by_day(self.db, &self.days).await?;
            let others = ask::left_out(self.db, &self.days).await?;
            totals.left_out = others.into_iter().map(|other| (other.name, other.counts.events)).collect();
            return Ok(totals);
        };
        let of_days = self.stored("total", TrafficClass::ALL).await?;
        for (version, of_classes) in self.versions.iter().zip(&of_days) {
            for (of, stored) in TrafficClass::ALL.iter().zip(of_classes) {
                for (_, counts) in stored.values() {
                    if *of == class {
                        totals.days.push(Counted { name: version.day.to_string(), counts });
                    } else {
                        let events = totals.left_out.entry(of.as_str().to_owned()).or_default();
                        *events = events.saturating_add(counts.events);
                    }
                }
            }
        }
        Ok(totals)
    }

    /// The counts of each hour since the beginning of its day: `2026-01-31 05`.
    pub(crate) async fn hours(&self) -> Result<Vec<Counted>, Problem> {
        // No hours are asked for of more than `DAYS_MAX` days: it is none of the classes.
        let Some(class) = self.class else { return Ok(Vec::new()) };
        let of_days = self.stored("hour", &[class]).await?;
        let mut hours = Vec::new();
        for (version, stored) in self.versions.iter().zip(of_days.iter().flatten()) {
            let numbers = stored.values().filter(|(hour, _)| hour.parse::<u8>().is_ok());
            hours.extend(
                numbers.map(|(hour, counts)| Counted { name: format!("{} {hour:0>2}", version.day), counts }),
            );
        }
        Ok(hours)
    }

    /// The values of a dimension with the most visitors, at most `most`.
    pub(crate) async fn top(&self, dimension: &str, most: usize) -> Result<Vec<Counted>, Problem> {
        let Some((class, dimension)) = self.class.zip(static_name(dimension)) else {
            let most = i64::try_from(most).unwrap_or(i64::MAX);
            return Ok(ask::top(self.db, &self.days, dimension, most).await?);
        };
        let of_days = self.stored(dimension, &[class]).await?;
        Ok(counted(Sums::of(of_days.iter().flatten().map(Arc::as_ref)).top(most)))
    }

    /// These values of a dimension.
    pub(crate) async fn of_values(&self, dimension: &str, values: &[&str]) -> Result<Vec<Counted>, Problem> {
        let Some((class, dimension)) = self.class.zip(static_name(dimension)) else {
            return Ok(ask::of_values(self.db, &self.days, dimension, values).await?);
        };
        let of_days = self.stored(dimension, &[class]).await?;
        Ok(counted(Sums::of(of_days.iter().flatten().map(Arc::as_ref)).with_texts(values)))
    }

    async fn stored(
        &self,
        dimension: &'static str,
        classes: &[TrafficClass],
    ) -> Result<Vec<Vec<Arc<Stored>>>, Problem> {
        self.daily.stored(self.db, self.days.app_id, &self.versions, dimension, classes).await
    }
}

fn static_name(dimension: &str) -> Option<&'static str> {
    Dimension::ALL.iter().map(|(name, _)| *name).find(|name| *name == dimension)
}

fn counted(values: Vec<(String, Counts)>) -> Vec<Counted> {
    values.into_iter().map(|(name, counts)| Counted { name, counts }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_stays_within_the_room_and_the_rest_goes() {
        let key = |generation| Key {
            app: 1,
            day: jiff::civil::date(2026, 1, 31),
            generation,
            folded_at: 0,
            class: TrafficClass::Human,
            dimension: "page",
        };
        let one = Stored::pack(&[]).memory() + PLACE_BYTES;
        let mut kept = Kept { younger: HashMap::new(), older: HashMap::new(), bytes: [0; 2], most: 20 * one };
        for generation in 0..1000 {
            kept.put(key(generation), Arc::new(Stored::pack(&[])));
            assert!(kept.get(&key(0)).is_some(), "asked for all the time: {generation}");
            let count = kept.younger.len() + kept.older.len();
            assert!(count <= 20);
            assert_eq!(kept.bytes.iter().sum::<usize>(), count * one, "{generation}");
        }
        assert!(kept.get(&key(999)).is_some());
        assert!(kept.get(&key(1)).is_none());
        let before = kept.bytes;
        kept.put(key(999), Arc::new(Stored::pack(&[])));
        assert_eq!(kept.bytes, before, "two questions read the same");
    }
}
