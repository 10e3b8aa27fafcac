//! The counts that windows look at: those that are stored, and, where these are not what the rows say or are too
//! coarse, the rows themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use alt_alerts::bucket::Series;
use alt_alerts::lens::{Labels, Lens};
use alt_alerts::rule::{Rule, Test};
use alt_alerts::time::{Micros, SLOT, slot_from, slot_of};

use super::buckets::{self, LensIds};
use super::rows::{Counted, Reading};

/// No events.
static NOTHING: std::sync::LazyLock<Series> = std::sync::LazyLock::new(Series::default);

/// What was counted of a time, and may not be stored yet.
#[derive(Debug, Clone)]
pub struct Fresh {
    /// Of which time.
    pub times: Range<Micros>,
    /// What.
    pub counted: Counted,
}

impl Fresh {
    /// The part of it that lies in a time.
    pub fn within(&self, times: &Range<Micros>) -> Counted {
        let mut all = Counted::new();
        for (lens, by_labels) in &self.counted {
            for (labels, series) in by_labels {
                let slots = series.within(times.start, times.end);
                if !slots.is_empty() {
                    let series = Series::new(slots.to_vec());
                    all.entry(lens.clone()).or_default().insert(labels.clone(), series);
                }
            }
        }
        all
    }

    /// Adds what was counted of the time right behind it.
    pub fn extend(&mut self, until: Micros, counted: Counted) {
        join(&mut self.counted, &(self.times.end..until), counted);
        self.times.end = until;
    }

    /// Forgets what is earlier than a time.
    pub fn forget_before(&mut self, from: Micros) {
        if from <= self.times.start {
            return;
        }
        for by_labels in self.counted.values_mut() {
            by_labels.values_mut().for_each(|series| series.replace(Micros::MIN, from, Series::default()));
            by_labels.retain(|_, series| !series.slots().is_empty());
        }
        self.times.start = from;
    }

    /// How many counts it has.
    pub fn len(&self) -> usize {
        self.counted.values().flat_map(BTreeMap::values).map(|series| series.slots().len()).sum()
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What is known of the stored counts of an application.
#[derive(Debug, Clone, Default)]
pub struct Stored {
    /// The application.
    pub app_id: i32,
    /// The keys of the lenses. Of one that has none, nothing is stored.
    pub ids: LensIds,
    /// What is earlier is not stored by five seconds.
    pub fine_from: Micros,
    /// What is not earlier is not stored yet.
    pub until: Micros,
    /// Times whose rows have changed since they were counted.
    pub dirty: Vec<Range<Micros>>,
    /// What was counted of times that do not overlap, ascending.
    pub fresh: Vec<Fresh>,
}

impl Stored {
    /// The counts of all that the rules look at to judge windows that end in a time.
    ///
    /// # Errors
    /// The database cannot be asked, or there are too many series.
    pub fn counts(
        &self,
        reading: &mut Reading<'_>,
        rules: &[&Rule],
        times: &Range<Micros>,
    ) -> anyhow::Result<Counted> {
        let lenses: BTreeSet<Lens> = rules.iter().map(|rule| rule.lens.clone()).collect();
        let mut all = Counted::new();
        for range in ranges(rules, times) {
            let mut at = range.start;
            // What was just counted, and what lies between.
            for fresh in self.fresh.iter().filter(|fresh| fresh.times.end > range.start) {
                let (from, until) = (fresh.times.start.clamp(at, range.end), fresh.times.end.min(range.end));
                self.range(reading, &(at..from), &lenses, &mut all)?;
                if from < until {
                    join(&mut all, &(from..until), fresh.within(&(from..until)));
                }
                at = until.max(at);
            }
            self.range(reading, &(at..range.end), &lenses, &mut all)?;
        }
        super::rows::check_counts(super::rows::sizes(&all))?;
        Ok(all)
    }

    /// Adds the counts of a time that are stored, or else of its rows.
    fn range(
        &self,
        reading: &mut Reading<'_>,
        range: &Range<Micros>,
        lenses: &BTreeSet<Lens>,
        all: &mut Counted,
    ) -> anyhow::Result<()> {
        let (from, until) = (range.start, range.end.min(self.until.max(range.start)));
        let is_known = lenses.iter().all(|lens| self.ids.contains_key(lens));
        let is_dirty = self.dirty.iter().any(|time| time.start < until && from < time.end);
        let stored = if from < self.fine_from || is_dirty || !is_known { from..from } else { from..until };
        if stored.start < stored.end {
            let ids: LensIds =
                lenses.iter().filter_map(|lens| Some((lens.clone(), *self.ids.get(lens)?))).collect();
            let counted = reading
                .session
                .ask(async |client| buckets::load(client, self.app_id, &stored, &ids).await)?;
            join(all, &stored, counted);
        }
        if stored.end < range.end {
            let rest = stored.end..range.end;
            let counted = reading.count(self.app_id, &rest, lenses)?;
            join(all, &rest, counted);
        }
        Ok(())
    }
}

/// Adds counts of a time that is not among those before.
fn join(all: &mut Counted, times: &Range<Micros>, more: Counted) {
    for (lens, by_labels) in more {
        let known = all.entry(lens).or_default();
        for (labels, series) in by_labels {
            known.entry(labels).or_default().replace(times.start, times.end, series);
        }
    }
}

/// The times that windows of rules look at that end in a time, ascending and apart.
fn ranges(rules: &[&Rule], times: &Range<Micros>) -> Vec<Range<Micros>> {
    let (from, until) = (times.start, times.end);
    let mut all = Vec::new();
    for rule in rules {
        let window = match rule.test {
            Test::Absent { span } => span,
            _ => rule.window,
        };
        all.push((from - window, until));
        all.extend(rule.offsets().map(|offset| (from - offset - window, until - offset)));
    }
    let mut all: Vec<(Micros, Micros)> =
        all.into_iter().map(|(from, until)| (slot_of(from) - SLOT, slot_from(until))).collect();
    all.sort_unstable();
    let mut merged: Vec<Range<Micros>> = Vec::new();
    for (from, until) in all {
        match merged.last_mut().filter(|last| last.end >= from) {
            Some(last) => last.end = last.end.max(until),
            None => merged.push(from..until),
        }
    }
    merged
}

/// The series of a rule with these labels.
pub fn series_of<'c>(counted: &'c Counted, lens: &Lens, labels: &Labels) -> &'c Series {
    counted.get(lens).and_then(|by_labels| by_labels.get(labels)).unwrap_or(&NOTHING)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alt_alerts::rule::parse_one;
    use alt_alerts::time::SECOND;

    #[test]
    fn only_what_windows_look_at_is_read() {
        let rule = |rest: &str| parse_one(&format!("name = \"x\"\n{rest}")).unwrap();
        let (short, change) = (
            rule("window = \"10s\"\ncompare = \"> 5\""),
            rule("window = \"1m\"\ncompare = \"change < -50 %\"\noffset = \"1d\""),
        );
        let day = 86_400;
        let told = |rules: &[&Rule]| {
            let seconds = |range: Range<i64>| (range.start / SECOND, range.end / SECOND);
            ranges(rules, &(10 * day * SECOND..(10 * day + 7) * SECOND))
                .into_iter()
                .map(seconds)
                .collect::<Vec<_>>()
        };
        assert_eq!(told(&[&short]), [(10 * day - 15, 10 * day + 10)]);
        assert_eq!(told(&[&short, &change]), [(9 * day - 65, 9 * day + 10), (10 * day - 65, 10 * day + 10)]);
        assert_eq!(told(&[]), []);
    }
}
