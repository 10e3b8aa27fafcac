//! Which events a rule looks at, and by what it tells series apart.

use std::collections::BTreeMap;
use std::fmt;

use crate::bucket::{Bucket, Event, Series};
use crate::time::{Micros, slot_of};

/// The most series of a lens in one slot. The events of others are counted as [`OTHER`].
pub const SERIES_MAX: usize = 1000;

/// The label of what is beyond [`SERIES_MAX`].
pub const OTHER: &str = "(other)";

/// The most characters of a label.
const LABEL_MAX: usize = 200;

/// A column of events by which they are kept or told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Column {
    /// Traffic class.
    Class,
    /// Event type.
    Type,
    /// Host of the page.
    Host,
    /// Path of the page.
    Path,
    /// HTTP method.
    Method,
    /// HTTP status.
    Status,
    /// Host of the referrer.
    Referrer,
    /// Kind of thing.
    EntityType,
    /// Part of the site.
    Module,
    /// Sub-account.
    SubAccount,
}

impl Column {
    /// All columns.
    pub const ALL: [Column; 10] = [
        Column::Class,
        Column::Type,
        Column::Host,
        Column::Path,
        Column::Method,
        Column::Status,
        Column::Referrer,
        Column::EntityType,
        Column::Module,
        Column::SubAccount,
    ];

    /// Its name in rules.
    pub fn name(self) -> &'static str {
        match self {
            Column::Class => "class",
            Column::Type => "type",
            Column::Host => "host",
            Column::Path => "path",
            Column::Method => "method",
            Column::Status => "status",
            Column::Referrer => "referrer",
            Column::EntityType => "entity_type",
            Column::Module => "module",
            Column::SubAccount => "sub_account",
        }
    }

    /// The column with this name.
    pub fn of(name: &str) -> Option<Column> {
        Column::ALL.into_iter().find(|column| column.name() == name)
    }

    /// Passes its text of an event on.
    fn with<T>(self, event: &Event<'_>, f: impl FnOnce(&str) -> T) -> T {
        match self {
            Column::Class => f(event.class),
            Column::Type => f(event.event_type),
            Column::Host => f(event.host),
            Column::Path => f(event.path),
            Column::Method => f(event.method),
            Column::Status => f(&event.status.map_or_else(String::new, |status| status.to_string())),
            Column::Referrer => f(event.referrer),
            Column::EntityType => f(event.entity_type),
            Column::Module => f(event.module),
            Column::SubAccount => f(event.sub_account),
        }
    }
}

/// A condition: the column is like one of the patterns, or like none of them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Condition {
    /// Of which column.
    pub column: Column,
    /// Texts in which `*` stands for anything.
    pub patterns: Vec<String>,
    /// It must be like none.
    pub is_negated: bool,
}

/// What is looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Of {
    /// Events.
    #[default]
    Events,
    /// Events that say a number, by the name of the property.
    Property(String),
    /// Samples with this name: numbers that somebody sent, or that a daemon took of itself and its host.
    Sample(String),
}

/// Samples whose names begin so are of the installation, and of no application.
const OF_INSTALLATION: [&str; 2] = ["host.", "daemon."];

/// Whether samples with this name are of the installation, and of no application.
pub fn is_of_installation(sample: &str) -> bool {
    OF_INSTALLATION.iter().any(|prefix| sample.starts_with(prefix))
}

/// Which events are counted, and by what they are told apart.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lens {
    /// What is looked at.
    of: Of,
    /// All of these hold.
    filter: Vec<Condition>,
    /// The columns by which events are told apart.
    group_by: Vec<Column>,
}

/// The traffic class of what the exclusions of an application leave out.
const EXCLUDED: &str = "excluded";

/// The text is as the pattern, in which `*` stands for any characters. Takes time in the product of their lengths at most.
pub fn is_like(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    true
}

impl Condition {
    fn holds(&self, event: &Event<'_>) -> bool {
        self.column.with(event, |text| self.patterns.iter().any(|pattern| is_like(pattern, text)))
            != self.is_negated
    }
}

impl Lens {
    /// A lens; the order of conditions does not matter.
    pub fn new(mut filter: Vec<Condition>, mut group_by: Vec<Column>) -> Lens {
        for condition in &mut filter {
            condition.patterns.sort();
        }
        filter.sort();
        group_by.sort_unstable();
        group_by.dedup();
        Lens { of: Of::Events, filter, group_by }
    }

    /// The same, of something else.
    #[must_use]
    pub fn looking_at(self, of: Of) -> Lens {
        Lens { of, ..self }
    }

    /// What is looked at.
    pub fn of(&self) -> &Of {
        &self.of
    }

    /// Whether it looks at the installation, and at no application.
    pub fn is_of_installation(&self) -> bool {
        matches!(&self.of, Of::Sample(name) if is_of_installation(name))
    }

    /// The columns that it looks at.
    pub(crate) fn columns(&self) -> impl Iterator<Item = Column> {
        self.filter.iter().map(|condition| condition.column).chain(self.group_by.iter().copied())
    }

    /// The number of an event that is summed. `None`: the event is not counted.
    fn number(&self, event: &Event<'_>) -> Option<i64> {
        match &self.of {
            Of::Events => Some(0),
            Of::Property(name) | Of::Sample(name) => {
                event.numbers.iter().find(|(known, _)| known == name).map(|(_, number)| *number)
            }
        }
    }

    /// Whether it names classes, or tells them apart; to leave some out (`!bot`) does not.
    fn asks_for_classes(&self) -> bool {
        let names = |condition: &Condition| condition.column == Column::Class && !condition.is_negated;
        self.group_by.contains(&Column::Class) || self.filter.iter().any(names)
    }

    /// The columns by which it tells events apart, ascending.
    pub fn group_by(&self) -> &[Column] {
        &self.group_by
    }

    /// The values of an event by which it is told apart; `None`: it is not counted. What the exclusions of an application
    /// leave out counts only where somebody asks for classes.
    fn labels(&self, event: &Event<'_>) -> Option<Labels> {
        if event.class == EXCLUDED && !self.asks_for_classes() {
            return None;
        }
        if !self.filter.iter().all(|condition| condition.holds(event)) {
            return None;
        }
        let cut = |text: &str| text.chars().take(LABEL_MAX).collect();
        Some(self.group_by.iter().map(|column| column.with(event, cut)).collect())
    }
}

impl fmt::Display for Lens {
    /// Equal lenses have equal texts: a lens is stored under its text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.of {
            Of::Events => {}
            Of::Property(name) => write!(f, "property {name:?} ")?,
            Of::Sample(name) => write!(f, "sample {name:?} ")?,
        }
        for condition in &self.filter {
            let sign = if condition.is_negated { "!=" } else { "=" };
            write!(f, "{}{sign}{:?} ", condition.column.name(), condition.patterns)?;
        }
        let names: Vec<&str> = self.group_by.iter().map(|column| column.name()).collect();
        write!(f, "by {}", names.join(","))
    }
}

/// The values of a lens's columns.
pub type Labels = Vec<String>;

/// Counts events by lenses. Events come in the order of their times, so what is in hand is of one slot.
#[derive(Debug)]
pub struct Fold {
    lenses: Vec<Counted>,
    slot: Option<Micros>,
}

/// What a lens has counted.
#[derive(Debug)]
struct Counted {
    lens: Lens,
    /// The slot in hand.
    open: BTreeMap<Labels, Bucket>,
    /// The slots before it.
    done: BTreeMap<Labels, Vec<(Micros, Bucket)>>,
}

impl Fold {
    /// Counts by these lenses.
    pub fn new(lenses: impl IntoIterator<Item = Lens>) -> Fold {
        let counted = |lens| Counted { lens, open: BTreeMap::new(), done: BTreeMap::new() };
        let lenses = lenses.into_iter().map(counted).collect();
        Fold { lenses, slot: None }
    }

    /// Counts an event that is not before the last one.
    pub fn count(&mut self, event: &Event<'_>) {
        let slot = slot_of(event.at);
        if self.slot != Some(slot) {
            self.close();
            self.slot = Some(slot);
        }
        for Counted { lens, open, .. } in &mut self.lenses {
            let Some(number) = lens.number(event) else { continue };
            if let Some(labels) = lens.labels(event) {
                let bucket = open.entry(labels).or_default();
                bucket.count(event);
                bucket.sum(number);
            }
        }
    }

    /// Ends the slot in hand.
    fn close(&mut self) {
        let Some(slot) = self.slot else { return };
        for Counted { lens, open, done } in &mut self.lenses {
            let mut series: Vec<(Labels, Bucket)> = std::mem::take(open).into_iter().collect();
            if series.len() > SERIES_MAX {
                // The order of equal ones is that of their labels.
                series.sort_by_key(|(_, bucket)| {
                    std::cmp::Reverse(bucket.number(crate::bucket::Number::Events))
                });
                let mut other = Bucket::default();
                series.drain(SERIES_MAX - 1..).for_each(|(_, bucket)| other.add(&bucket));
                series.push((vec![OTHER.to_owned(); lens.group_by.len()], other));
            }
            for (labels, bucket) in series {
                done.entry(labels).or_default().push((slot, bucket));
            }
        }
    }

    /// The series of each lens, in the order of the lenses.
    pub fn finish(mut self) -> Vec<(Lens, BTreeMap<Labels, Series>)> {
        self.close();
        let series = |done: BTreeMap<_, _>| {
            done.into_iter().map(|(labels, slots)| (labels, Series::new(slots))).collect()
        };
        self.lenses.into_iter().map(|counted| (counted.lens, series(counted.done))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bucket::Number;
    use crate::time::SECOND;

    #[test]
    fn a_pattern_is_text_with_stars() {
        for (pattern, text, is) in [
            ("/api/*", "/api/x", true),
            ("/api/*", "/api", false),
            ("*", "", true),
            ("", "", true),
            ("", "x", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "acb", false),
            ("*ab", "aab", true),
            ("a*a", "a", false),
            ("**", "x", true),
        ] {
            assert_eq!(is_like(pattern, text), is, "{pattern} {text}");
        }
    }

    fn condition(column: Column, patterns: &[&str], is_negated: bool) -> Condition {
        Condition { column, patterns: patterns.iter().map(ToString::to_string).collect(), is_negated }
    }

    #[test]
    fn events_are_kept_and_told_apart() {
        let filter = vec![
            condition(Column::Status, &["5*", "404"], false),
            condition(Column::Path, &["/health"], true),
        ];
        let lens = Lens::new(filter, vec![Column::Host]);
        assert_eq!(lens.to_string(), r#"path!=["/health"] status=["404", "5*"] by host"#);
        let mut fold = Fold::new([lens, Lens::default()]);
        for (at, host, path, status) in [
            (1, "a", "/", Some(500)),
            (2, "b", "/", Some(404)),
            (3, "a", "/health", Some(500)),
            (4, "a", "/", Some(200)),
            (5, "a", "/", None),
            (6, "a", "/", Some(503)),
        ] {
            fold.count(&Event { at: at * SECOND, host, path, status, ..Event::default() });
        }
        let told = |series: &BTreeMap<Labels, Series>| {
            let of = |(labels, series): (&Labels, &Series)| {
                let counts =
                    series.slots().iter().map(|slot| (slot.0 / SECOND, slot.1.number(Number::Events)));
                (labels.join(","), counts.collect::<Vec<_>>())
            };
            series.iter().map(of).collect::<Vec<_>>()
        };
        let series = fold.finish();
        let is = |labels: &str, counts: &[(i64, i64)]| (labels.to_owned(), counts.to_vec());
        assert_eq!(told(&series[0].1), [is("a", &[(0, 1), (5, 1)]), is("b", &[(0, 1)])]);
        assert_eq!(told(&series[1].1), [is("", &[(0, 4), (5, 2)])]);
    }

    #[test]
    fn what_is_excluded_counts_only_where_classes_are_asked_for() {
        let of = |patterns: &[&str], is_negated| condition(Column::Class, patterns, is_negated);
        for (filter, group_by, counted) in [
            (vec![], vec![], 2),
            (vec![], vec![Column::Path], 2),
            (vec![of(&["bot"], true)], vec![], 1),
            (vec![of(&["human"], false)], vec![], 1),
            (vec![of(&["excluded"], false)], vec![], 1),
            (vec![of(&["*"], false)], vec![], 3),
            (vec![], vec![Column::Class], 3),
        ] {
            let lens = Lens::new(filter, group_by);
            let mut fold = Fold::new([lens.clone()]);
            for class in ["human", "bot", "excluded"] {
                fold.count(&Event { class, ..Event::default() });
            }
            let series = &fold.finish()[0].1;
            let events: i64 = series.values().map(|one| one.slots()[0].1.number(Number::Events)).sum();
            assert_eq!(events, counted, "{lens}");
        }
    }

    #[test]
    fn numbers_that_events_say_are_summed_exactly() {
        let lens = Lens::new(Vec::new(), vec![Column::Host]).looking_at(Of::Property("price".to_owned()));
        assert_eq!(lens.to_string(), r#"property "price" by host"#);
        let mut fold = Fold::new([lens]);
        let all = [(1, "price", 9_990_000), (2, "price", 20_000), (3, "weight", 7), (6, "price", -1_500_000)];
        for (at, name, number) in all {
            fold.count(&Event { at: at * SECOND, numbers: &[(name, number)], ..Event::default() });
        }
        let series = &fold.finish()[0].1[&vec![String::new()]];
        let told: Vec<(i64, f64)> =
            series.slots().iter().map(|slot| (slot.1.number(Number::Events), slot.1.total())).collect();
        assert_eq!(told, [(2, 10.01), (1, -1.5)]);
        let stored = Bucket::restored(series.slots()[1].1.stored());
        assert_eq!(stored, series.slots()[1].1);
        // The largest numbers that there are, a million times.
        let mut sum = Bucket::default();
        (0..1_000_000).for_each(|_| sum.sum(999_999_999_999_999_999));
        assert_eq!((sum.total(), sum.number(Number::Millionths)), (1e18, 999_999_000_000));
    }

    #[test]
    fn what_has_too_many_values_is_counted_together() {
        let mut fold = Fold::new([Lens::new(Vec::new(), vec![Column::Path])]);
        for n in 0..SERIES_MAX + 500 {
            (0..if n == 1200 { 3 } else { 1 }).for_each(|_| {
                fold.count(&Event { path: &format!("/{n}"), ..Event::default() });
            });
        }
        let series = &fold.finish()[0].1;
        assert_eq!(series.len(), SERIES_MAX);
        assert!(series.contains_key(&vec!["/1200".to_owned()]));
        assert_eq!(series[&vec![OTHER.to_owned()]].slots()[0].1.number(Number::Events), 501);
    }
}
