//! Whether a rule holds at a time.

use crate::bucket::{Bucket, Number, Series, Window};
use crate::rule::{NoData, Operator, Rule, Test};
use crate::time::{Micros, SLOT};

/// Whether a rule holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It does.
    Holds,
    /// It does not, but is not beyond the threshold for its recovery either.
    Between,
    /// It does not.
    Fails,
    /// Nothing was measured, and the rule says that nothing changes then.
    Unknown,
}

/// What was measured at a time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    /// The value that is compared; `None`: nothing was measured.
    pub value: Option<f64>,
    /// Whether the rule holds.
    pub verdict: Verdict,
}

/// Measures a rule over a series, at times that never go back.
#[derive(Debug)]
pub struct Meter<'a> {
    rule: &'a Rule,
    series: &'a Series,
    now: Window<'a>,
    /// Windows that end earlier, and how much.
    before: Vec<(Window<'a>, Micros)>,
    /// What these measure.
    earlier: Vec<f64>,
    last: Verdict,
}

impl<'a> Meter<'a> {
    /// A meter of a rule.
    pub fn new(rule: &'a Rule, series: &'a Series) -> Meter<'a> {
        let length = match rule.test {
            Test::Absent { span } => span,
            _ => rule.window,
        };
        let before = rule.offsets().map(|offset| (Window::new(series, length), offset)).collect();
        let now = Window::new(series, length);
        Meter { rule, series, now, before, earlier: Vec::new(), last: Verdict::Unknown }
    }

    /// Measures over the windows that end at a time.
    pub fn at(&mut self, end: Micros) -> Reading {
        let rule = self.rule;
        let now = self.now.at(end);
        let before = self.before.iter_mut().map(|(window, offset)| window.at(end - *offset));
        let earlier = before.filter_map(|sum| measured(rule, sum));
        self.earlier.clear();
        self.earlier.extend(earlier);
        let value = match rule.test {
            Test::Absent { .. } => Some(count(now)),
            Test::Change { .. } => change(rule, now, self.earlier.first()),
            Test::Past { past, .. } => {
                let windows = self.before.len();
                measured(rule, now).and_then(|now| past.value(now, &mut self.earlier, windows))
            }
            Test::Compare { .. } => measured(rule, now),
        };
        self.last = verdict(rule, value);
        Reading { value, verdict: self.last }
    }

    /// The rule.
    pub fn rule(&self) -> &'a Rule {
        self.rule
    }

    /// The verdict of the last time.
    pub fn last(&self) -> Verdict {
        self.last
    }

    /// The next time at which a slot enters a window. Until then, windows that are empty stay so.
    pub fn next_entry(&self, end: Micros) -> Option<Micros> {
        let next = |from: Micros| {
            let slots = self.series.slots();
            slots.get(slots.partition_point(|slot| slot.0 < from)).map(|slot| slot.0 + SLOT)
        };
        let before = self.before.iter().filter_map(|(_, offset)| Some(next(end - offset)? + offset));
        next(end).into_iter().chain(before).min()
    }

    /// Whether nothing is in its windows, as last measured.
    pub fn is_empty(&self) -> bool {
        self.now.sum().is_empty() && self.before.iter().all(|(before, _)| before.sum().is_empty())
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn count(sum: &Bucket) -> f64 {
    sum.number(Number::Events) as f64
}

/// The value of a window with enough events.
fn measured(rule: &Rule, sum: &Bucket) -> Option<f64> {
    if sum.number(Number::Events) < rule.min_events {
        return None;
    }
    rule.metric.value(sum, rule.window)
}

/// By how many percent a value changed. `None` if the earlier window has too few events, or a value of zero.
fn change(rule: &Rule, now: &Bucket, earlier: Option<&f64>) -> Option<f64> {
    let earlier = earlier.filter(|value| **value != 0.0)?;
    let value = rule.metric.value(now, rule.window)?;
    Some(100.0 * (value - earlier) / earlier.abs())
}

fn verdict(rule: &Rule, value: Option<f64>) -> Verdict {
    let Some(value) = value else {
        return match rule.no_data {
            NoData::Ok => Verdict::Fails,
            NoData::Keep => Verdict::Unknown,
            NoData::Fire => Verdict::Holds,
        };
    };
    let (operator, threshold, recover) = match rule.test {
        Test::Absent { .. } => (Operator::Equal, 0.0, None),
        Test::Compare { operator, threshold, recover } => (operator, threshold, recover),
        Test::Change { operator, percent, recover, .. } => (operator, percent, recover),
        Test::Past { operator, threshold, recover, .. } => (operator, threshold, recover),
    };
    if operator.holds(value, threshold) {
        Verdict::Holds
    } else if recover.is_some_and(|recover| operator.holds(value, recover)) {
        Verdict::Between
    } else {
        Verdict::Fails
    }
}
