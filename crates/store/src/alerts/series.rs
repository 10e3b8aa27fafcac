//! The counts that windows look at: those that are stored, and, where these are not what the rows say or are too
//! coarse, the rows themselves.

use std::collections::BTreeSet;
use std::ops::Range;

use alt_watch::bucket::Series;
use alt_watch::lens::{Labels, Lens};
use alt_watch::rule::{Rule, Test};
use alt_watch::time::{Micros, SLOT, slot_from, slot_of};

use super::buckets::{self, LensIds};
use super::rows::{Counted, Reading};

/// No events.
static NOTHING: std::sync::LazyLock<Series> = std::sync::LazyLock::new(Series::default);

/// What was just counted, and is not stored yet.
#[derive(Debug, Clone)]
pub struct Fresh {
    /// Of which time.
    pub times: Range<Micros>,
    /// What.
    pub counted: Counted,
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
    /// Times whose rows have changed since they were counted.
    pub dirty: Vec<Range<Micros>>,
    /// What was just counted.
    pub fresh: Option<Fresh>,
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
            let mut counted = self.range(reading, &range, &lenses)?;
            if let Some(fresh) = &self.fresh {
                lay_over(&mut counted, &range, fresh);
            }
            for (lens, by_labels) in counted {
                let known = all.entry(lens).or_default();
                for (labels, series) in by_labels {
                    // Ranges do not overlap and ascend.
                    known.entry(labels).or_default().replace(range.start, range.end, series);
                }
            }
        }
        super::rows::check_count(
            all.values().flat_map(|some| some.values()).map(|one| one.slots().len()).sum(),
        )?;
        Ok(all)
    }

    fn range(
        &self,
        reading: &mut Reading<'_>,
        range: &Range<Micros>,
        lenses: &BTreeSet<Lens>,
    ) -> anyhow::Result<Counted> {
        let is_dirty = self.dirty.iter().any(|time| time.start < range.end && range.start < time.end);
        let is_known = lenses.iter().all(|lens| self.ids.contains_key(lens));
        if range.start < self.fine_from || is_dirty || !is_known {
            return reading.count(self.app_id, range, lenses);
        }
        let ids: LensIds = self
            .ids
            .iter()
            .filter(|(lens, _)| lenses.contains(lens))
            .map(|(l, id)| (l.clone(), *id))
            .collect();
        reading.session.ask(async |client| buckets::load(client, self.app_id, range, &ids).await)
    }
}

/// Replaces counts of a range by what was just counted, where both have the time.
fn lay_over(counted: &mut Counted, range: &Range<Micros>, fresh: &Fresh) {
    let (from, until) = (fresh.times.start.max(range.start), fresh.times.end.min(range.end));
    if from >= until {
        return;
    }
    for series in counted.values_mut().flat_map(|by_labels| by_labels.values_mut()) {
        series.replace(from, until, Series::default());
    }
    for (lens, by_labels) in &fresh.counted {
        for (labels, series) in by_labels {
            let within = series.slots().iter().filter(|slot| slot.0 >= from && slot.0 < until);
            let within = Series::new(within.cloned().collect());
            if !within.slots().is_empty() {
                let known = counted.entry(lens.clone()).or_default().entry(labels.clone()).or_default();
                known.replace(from, until, within);
            }
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
        if let Test::Change { offset, .. } = rule.test {
            all.push((from - offset - window, until - offset));
        }
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
    use alt_watch::rule::parse_one;
    use alt_watch::time::SECOND;

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
