//! What a rule measures, and what it would find, for somebody who waits for the answer: for a bounded time, by the rows
//! that are there. An answer says how far it came, and in which state; the next one goes on from there. Nothing is stored.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::{Duration, Instant};

use alt_alerts::bucket::Series;
use alt_alerts::judge::{Change, Span, Version, judge};
use alt_alerts::lens::Labels as Values;
use alt_alerts::rule::Rule;
use alt_alerts::state::State;
use alt_alerts::time::{Micros, SECOND, SLOT, slot_of};
use alt_alerts::verdict::Meter;
use anyhow::bail;
use serde::{Deserialize, Serialize};
use tokio_postgres::Client;

use super::course::labels;
use super::keys::Labels;
use super::rows::{self, check_counts};

/// How long a part of the work takes, about.
const PART: Duration = Duration::from_millis(80);

/// The first part, and the largest.
const PARTS: Range<Micros> = 600 * SECOND..6 * 3600 * SECOND;

/// The most alerts of an answer.
const ALERTS_MAX: usize = 500;

/// The most states that an answer hands over to the next one.
pub const GOING_MAX: usize = 200;

/// What is asked.
#[derive(Debug, Clone)]
pub struct Question<'a> {
    /// The application.
    pub app_id: i32,
    /// The rule.
    pub rule: &'a Rule,
    /// The ends of the windows that are judged.
    pub times: Range<Micros>,
    /// The series with these labels; `None`: all.
    pub labels: Option<&'a Labels>,
    /// How long the time of each point is.
    pub step: Micros,
    /// States at the beginning, of the answer before.
    pub going: Vec<Going>,
}

/// A state that goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Going {
    /// Of which series.
    pub labels: Labels,
    /// pending, active, recovering.
    pub state: String,
    /// Since when it is pending or recovering, in microseconds since 1970.
    pub since: Micros,
    /// When its alert began.
    pub began: Option<Micros>,
}

/// The least and the greatest value of a time, over all series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// The beginning of the time.
    pub at: Micros,
    /// The least.
    pub low: f64,
    /// The greatest.
    pub high: f64,
}

/// What would have been an alert.
#[derive(Debug, Clone, PartialEq)]
pub struct Would {
    /// What tells it from others.
    pub labels: Labels,
    /// When it began.
    pub began: Micros,
    /// When it ended; `None`: it goes on.
    pub ended: Option<Micros>,
}

/// The answer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Answer {
    /// How far it came.
    pub until: Micros,
    /// Values, ascending. Times in which nothing was measured are left out.
    pub points: Vec<Point>,
    /// Alerts that ended, and, if it came to the end, those that go on.
    pub alerts: Vec<Would>,
    /// There were more alerts than it says.
    pub is_cut: bool,
    /// What goes on.
    pub going: Vec<Going>,
}

/// A series, and its state.
#[derive(Debug, Default)]
struct Key {
    series: Series,
    state: State,
    began: Option<Micros>,
}

/// Answers, by a transaction that reads, until about `deadline`.
///
/// # Errors
/// The database cannot be asked, or the windows have more events than can be read in this time.
pub async fn answer(client: &Client, asked: &Question<'_>, deadline: Instant) -> anyhow::Result<Answer> {
    let (from, until) = (slot_of(asked.times.start), slot_of(asked.times.end));
    let mut work = Work::new(asked);
    let mut read = slot_of(from - asked.rule.reach()) - SLOT;
    let (mut at, mut part) = (from, PARTS.start);
    while at < until {
        let began = Instant::now();
        let to = slot_of(read + part).min(until);
        work.read(client, read..to).await?;
        read = to;
        if read > at {
            work.judge(at..read);
            at = read;
        }
        if Instant::now() >= deadline {
            break;
        }
        part = match began.elapsed() {
            short if short < PART / 2 => (part * 4).min(PARTS.end),
            long if long > PART * 2 => (part / 4).max(SLOT * 12),
            _ => part,
        };
        // Others are answered, too.
        tokio::task::yield_now().await;
    }
    if at == from && at < until {
        bail!("the windows of a rule have too many events for an answer")
    }
    Ok(work.finish(at, at >= until))
}

struct Work<'a> {
    asked: &'a Question<'a>,
    keys: BTreeMap<Values, Key>,
    points: BTreeMap<Micros, Point>,
    alerts: Vec<Would>,
    is_cut: bool,
}

impl<'a> Work<'a> {
    fn new(asked: &'a Question<'a>) -> Work<'a> {
        let columns = asked.rule.lens.group_by();
        let mut keys: BTreeMap<Values, Key> = BTreeMap::new();
        let values = |labels: &Labels| -> Values {
            columns.iter().map(|column| labels.get(column.name()).cloned().unwrap_or_default()).collect()
        };
        if columns.is_empty() {
            keys.insert(Values::new(), Key::default());
        } else if let Some(labels) = asked.labels {
            keys.insert(values(labels), Key::default());
        }
        for going in &asked.going {
            let key = keys.entry(values(&going.labels)).or_default();
            key.began = going.began;
            key.state = match going.state.as_str() {
                "pending" => State::Pending { since: going.since },
                "recovering" => State::Recovering { since: going.since, acknowledged: None },
                _ => State::Active,
            };
        }
        Work { asked, keys, points: BTreeMap::new(), alerts: Vec::new(), is_cut: false }
    }

    /// Counts the rows of a time, both ends of which are those of slots.
    async fn read(&mut self, client: &Client, times: Range<Micros>) -> anyhow::Result<()> {
        let lenses = BTreeSet::from([self.asked.rule.lens.clone()]);
        let counted = rows::counted(client, self.asked.app_id, &times, &lenses).await?;
        for (values, series) in counted.into_iter().flat_map(|(_, by_labels)| by_labels) {
            let is_wanted = self.asked.labels.is_none() || self.keys.contains_key(&values);
            if is_wanted {
                self.keys.entry(values).or_default().series.replace(times.start, times.end, series);
            }
        }
        let count = self.keys.values().map(|key| key.series.slots().len()).sum();
        check_counts([(&self.asked.rule.lens, count)].into_iter())
    }

    /// Judges the windows that end in a time, and forgets what later ones do not see.
    fn judge(&mut self, times: Range<Micros>) {
        let rule = self.asked.rule;
        let span = Span { from: times.start, touched: times.start, judged: times.start, until: times.end };
        let mut keys = std::mem::take(&mut self.keys);
        for (values, key) in &mut keys {
            let versions = [Version { from: Micros::MIN, rule: Some(rule), series: Some(&key.series) }];
            let known = [Change { at: times.start, state: key.state }];
            let changes = judge(&versions, &[], &known, span);
            for change in &changes {
                match (key.began, change.state.is_open()) {
                    (None, true) => key.began = Some(change.at),
                    (Some(began), false) => {
                        key.began = None;
                        let labels = labels(&rule.lens, values);
                        self.add(Would { labels, began, ended: Some(change.at) });
                    }
                    _ => {}
                }
            }
            if let Some(last) = changes.last() {
                key.state = last.state;
            }
            self.measure(&key.series, &times);
            key.series.replace(Micros::MIN, times.end - rule.reach() - SLOT, Series::default());
        }
        if !rule.lens.group_by().is_empty() && self.asked.labels.is_none() {
            keys.retain(|_, key| key.state != State::Inactive || !key.series.slots().is_empty());
        }
        self.keys = keys;
    }

    fn add(&mut self, would: Would) {
        self.is_cut |= self.alerts.len() >= ALERTS_MAX;
        if !self.is_cut {
            self.alerts.push(would);
        }
    }

    fn measure(&mut self, series: &Series, times: &Range<Micros>) {
        let mut meter = Meter::new(self.asked.rule, series);
        let slots = (1..).map(|n| times.start + n * SLOT).take_while(|at| *at <= times.end);
        for at in slots {
            let Some(value) = meter.at(at).value.filter(|value| value.is_finite()) else { continue };
            let begin = (at - SLOT).div_euclid(self.asked.step) * self.asked.step;
            let new = Point { at: begin, low: value, high: value };
            let point = self.points.entry(begin).or_insert(new);
            (point.low, point.high) = (point.low.min(value), point.high.max(value));
        }
    }

    fn finish(mut self, at: Micros, is_whole: bool) -> Answer {
        let lens = &self.asked.rule.lens;
        let mut going = Vec::new();
        for (values, key) in std::mem::take(&mut self.keys) {
            let labels = labels(lens, &values);
            if let Some(began) = key.began.filter(|_| is_whole) {
                self.add(Would { labels: labels.clone(), began, ended: None });
            }
            let since = match key.state {
                State::Pending { since } | State::Recovering { since, .. } => since,
                State::Active => at,
                _ => continue,
            };
            going.push(Going { labels, state: key.state.name().to_owned(), since, began: key.began });
        }
        self.is_cut |= going.len() > GOING_MAX;
        going.truncate(GOING_MAX);
        let points = self.points.into_values().collect();
        Answer { until: at, points, alerts: self.alerts, is_cut: self.is_cut, going }
    }
}
