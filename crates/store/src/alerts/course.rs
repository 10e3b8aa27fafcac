//! Judges the rules of an application over a time, in pieces that fit into memory.
//!
//! A piece before the time up to which the application was judged is judged again. A key is done there once no window
//! sees anything else than before, and it has the state that it was known to have: what is known of it later stays.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use alt_alerts::bucket::Series;
use alt_alerts::judge::{self, Change, Span, state_at};
use alt_alerts::lens::Lens;
use alt_alerts::rule::{Rule, Severity};
use alt_alerts::time::{Micros, SECOND};
use alt_alerts::verdict::Meter;

use super::keys::{Keys, Known, Labels};
use super::rows::{Counted, Reading};
use super::rules::Version;
use super::series::{Stored, series_of};

/// The most time of a piece.
pub const PIECE: Micros = 6 * 3600 * SECOND;

/// A rule, as an application sees its versions.
#[derive(Debug, Clone, PartialEq)]
pub struct Ruled {
    /// Its key.
    pub id: i32,
    /// From when on which version is judged, ascending; `None`: none is.
    pub versions: Vec<(Micros, Option<Rule>)>,
}

impl Ruled {
    /// The rules of an application, by their versions (by rule, ascending).
    pub fn of(versions: &[Version], application: &str) -> Vec<Ruled> {
        let mut all: Vec<Ruled> = Vec::new();
        for version in versions {
            if all.last().is_none_or(|last| last.id != version.rule_id) {
                all.push(Ruled { id: version.rule_id, versions: Vec::new() });
            }
            let rule = version.judged().filter(|rule| rule.is_of(application)).cloned();
            if let Some(last) = all.last_mut() {
                last.versions.push((version.from, rule));
            }
        }
        all.retain(|ruled| ruled.versions.iter().any(|(_, rule)| rule.is_some()));
        all
    }

    /// The version that judges the window that ends at a time.
    pub fn at(&self, at: Micros) -> Option<&Rule> {
        let next = self.versions.partition_point(|(from, _)| *from <= at);
        next.checked_sub(1).and_then(|last| self.versions[last].1.as_ref())
    }

    /// How bad its alerts are, from when on, up to a time.
    fn severities(&self, until: Micros) -> Vec<(Micros, Option<Severity>)> {
        let known = self.versions.iter().filter(|(from, _)| *from <= until);
        known.map(|(from, rule)| (*from, rule.as_ref().map(|rule| rule.severity))).collect()
    }

    /// Those that judge windows that end in a time.
    fn within(&self, from: Micros, until: Micros) -> impl Iterator<Item = &Rule> {
        let first = self.versions.partition_point(|(at, _)| *at <= from).saturating_sub(1);
        let last = self.versions.partition_point(|(at, _)| *at <= until).max(first);
        self.versions[first..last].iter().filter_map(|(_, rule)| rule.as_ref())
    }
}

/// What was found where a key opens or closes.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// What was measured.
    pub value: Option<f64>,
    /// What it was compared with.
    pub threshold: f64,
    /// How bad it is.
    pub severity: Severity,
    /// What is the matter, in one line.
    pub title: String,
    /// Who is told; empty: all channels.
    pub channels: Vec<String>,
}

/// The course of a key.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Course {
    /// What was known of it.
    pub known: Known,
    /// Its changes now, as far back as those of `known`.
    pub changes: Vec<Change>,
    /// What was found at its changes.
    pub found: BTreeMap<Micros, Found>,
    /// How bad its alerts are, from when on; `None`: no version judges.
    severities: Vec<(Micros, Option<Severity>)>,
    is_done: bool,
}

impl Course {
    fn of(known: Known, from: Micros) -> Course {
        let changes = known.changes.iter().filter(|change| change.at <= from).copied().collect();
        Course { known, changes, found: BTreeMap::new(), severities: Vec::new(), is_done: false }
    }

    /// How bad an alert is: as the worst version of its rule that judged it says. `None`: that is not known.
    pub fn severity(&self, began: Micros, ended: Option<Micros>) -> Option<Severity> {
        let next = |n: usize| self.severities.get(n + 1).map_or(Micros::MAX, |next| next.0);
        let judged = self
            .severities
            .iter()
            .enumerate()
            .filter(|(n, (from, _))| next(*n) > began && ended.is_none_or(|ended| *from < ended));
        judged.filter_map(|(_, (_, severity))| *severity).max()
    }

    /// Whether an alert that is open is worse than it was known, or less bad.
    fn has_other_severity(&self) -> bool {
        let open = self.known.episodes.iter().filter(|episode| episode.ended.is_none());
        open.filter_map(|episode| Some((episode, self.severity(episode.began, None)?)))
            .any(|(episode, severity)| episode.severity != severity.name())
    }

    /// Whether anything is other than it was known.
    pub fn is_changed(&self) -> bool {
        self.changes != self.known.changes || self.has_other_severity()
    }
}

/// The courses of keys, by rule and labels.
pub type Courses = BTreeMap<(i32, Labels), Course>;

/// Judges the rules of an application over a time. `keys` has what is known, from `span.from` on. What is not counted, because
/// it is `skipped`, is not known: alerts stay as they are.
///
/// # Errors
/// The database cannot be asked, or there are too many series.
pub fn judge(
    reading: &mut Reading<'_>,
    stored: &Stored,
    rules: &[Ruled],
    keys: Keys,
    span: Span,
    skipped: &BTreeSet<Lens>,
) -> anyhow::Result<Courses> {
    let mut courses: Courses =
        keys.into_iter().map(|(key, known)| (key, Course::of(known, span.from))).collect();
    let mut at = span.from;
    while at < span.until {
        let is_past = at < span.judged;
        let sees_all = at < span.touched || !is_past;
        if !sees_all && courses.values().all(|course| course.is_done) {
            at = span.judged;
            continue;
        }
        if at == span.judged {
            courses.values_mut().for_each(|course| course.is_done = false);
        }
        let end = (at + PIECE).min(span.until).min(if is_past { span.judged } else { Micros::MAX });
        let is_open = |id: i32| courses.iter().any(|(key, course)| key.0 == id && !course.is_done);
        let some: Vec<&Ruled> = rules.iter().filter(|ruled| sees_all || is_open(ruled.id)).collect();
        let is_skipped = |rule: &&Rule| skipped.contains(&rule.lens);
        let judged = some.iter().flat_map(|ruled| ruled.within(at, end));
        let judged: Vec<&Rule> = judged.filter(|rule| !is_skipped(rule)).collect();
        let counted = stored.counts(reading, &judged, &(at..end))?;
        if sees_all {
            some.iter().for_each(|ruled| join(&mut courses, ruled, &counted, &(at..end)));
        }
        let piece = Span { from: at, touched: span.touched.max(at), judged: span.judged.max(at), until: end };
        for ((id, labels), course) in &mut courses {
            let Some(ruled) = rules.iter().find(|ruled| ruled.id == *id) else { continue };
            if course.is_done {
                continue;
            }
            match is_past && ruled.within(at, end).any(|rule| is_skipped(&rule)) {
                true => stays(course, &piece),
                false => step(course, ruled, labels, &counted, skipped, piece),
            }
        }
        at = end;
    }
    for ((id, _), course) in &mut courses {
        if let Some(ruled) = rules.iter().find(|ruled| ruled.id == *id) {
            course.severities = ruled.severities(span.until);
        }
    }
    Ok(courses)
}

/// Adds the keys of a rule that have no course yet.
fn join(courses: &mut Courses, ruled: &Ruled, counted: &Counted, times: &Range<Micros>) {
    for rule in ruled.within(times.start, times.end) {
        if rule.lens.group_by().is_empty() {
            courses.entry((ruled.id, Labels::new())).or_default();
            continue;
        }
        for values in counted.get(&rule.lens).into_iter().flat_map(BTreeMap::keys) {
            courses.entry((ruled.id, labels(&rule.lens, values))).or_default();
        }
    }
}

/// Values of the columns of a lens, with the names of these.
pub fn labels(lens: &Lens, values: &[String]) -> Labels {
    let names = lens.group_by().iter().map(|column| column.name().to_owned());
    names.zip(values.iter().cloned()).collect()
}

/// The series that a rule looks at of these labels. `None`: it tells no such series apart.
fn series<'c>(rule: &Rule, labels: &Labels, counted: &'c Counted) -> Option<&'c Series> {
    let columns = rule.lens.group_by();
    if columns.len() != labels.len() {
        return None;
    }
    let values: Option<Vec<String>> =
        columns.iter().map(|column| labels.get(column.name()).cloned()).collect();
    values.map(|values| series_of(counted, &rule.lens, &values))
}

/// What was known of a key over a piece stays.
fn stays(course: &mut Course, piece: &Span) {
    let known =
        course.known.changes.iter().filter(|change| change.at > piece.from && change.at <= piece.until);
    course.changes.extend(known);
}

/// Judges a key over a piece.
fn step(
    course: &mut Course,
    ruled: &Ruled,
    labels: &Labels,
    counted: &Counted,
    skipped: &BTreeSet<Lens>,
    piece: Span,
) {
    let versions: Vec<judge::Version<'_>> = ruled
        .versions
        .iter()
        .map(|(from, rule)| {
            let found = rule.as_ref().and_then(|rule| Some((rule, series(rule, labels, counted)?)));
            let (rule, series) = found.unzip();
            let series = series.filter(|_| rule.is_none_or(|rule| !skipped.contains(&rule.lens)));
            judge::Version { from: *from, rule, series }
        })
        .collect();
    let old = &course.known.changes;
    let mut known = course.changes.clone();
    let was = state_at(old, piece.from);
    if was != state_at(&known, piece.from) {
        // As it was known to be: what is judged now must not be compared with itself.
        known.push(Change { at: piece.from + 1, state: was });
    }
    known.extend(old.iter().filter(|change| change.at > piece.from));
    let after = judge::judge(&versions, &course.known.acts, &known, piece);
    let after = after.into_iter().filter(|change| change.at <= piece.until);
    for change in after {
        if let Some((rule, series)) =
            ruled.at(change.at).and_then(|rule| Some((rule, series(rule, labels, counted)?)))
            && !skipped.contains(&rule.lens)
        {
            course.found.insert(change.at, found(rule, series, change.at));
        }
        course.changes.push(change);
    }
    let is_past = piece.from < piece.judged;
    let end = piece.until;
    if is_past && end >= piece.touched && state_at(&course.changes, end) == state_at(old, end) {
        course.changes.extend(old.iter().filter(|change| change.at > end));
        course.is_done = true;
    }
}

/// What a rule finds at a time.
fn found(rule: &Rule, series: &Series, at: Micros) -> Found {
    let value = Meter::new(rule, series).at(at).value;
    Found {
        value,
        threshold: rule.threshold(),
        severity: rule.severity,
        title: title(rule, value),
        channels: rule.channels.clone(),
    }
}

/// What is the matter, in one line.
fn title(rule: &Rule, value: Option<f64>) -> String {
    let unit = if rule.unit().is_empty() { String::new() } else { format!(" {}", rule.unit()) };
    match value {
        Some(value) if rule.metric.name != "events" || value != 0.0 => {
            let value = format!("{value:.2}");
            let value = value.trim_end_matches('0').trim_end_matches('.');
            format!("{}: {} ({value}{unit})", rule.name, rule.condition())
        }
        _ => format!("{}: {}", rule.name, rule.condition()),
    }
}
