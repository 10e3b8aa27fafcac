//! Questions to segments: counts by a dimension, of what a filter keeps.
//!
//! | of a filter | |
//! |---|---|
//! | what it keeps | events for which it is true. A condition on an attribute of sessions is true of all events of the session, or of none; one on `page`, `previous_page`, `next_page`, `event`, `goal`, `hour` of each event alone |
//! | visitors, sessions | those with an event that is kept |
//! | engaged time, scroll depth | of page views that are kept |
//! | `authenticated` | of sessions with an event that is kept |
//! | `bounces`, `duration_ms` | the same; with a condition on `page`, only of those whose entry page is the page of an event that is kept: they entered there. How many these are is [`Tally::entered`] |
//! | stray time | counts if all conditions are on `page` |
//!
//! Without a filter, the counts are those of [`crate::day::Fold`], in each of its dimensions, except that none of the values
//! is summed under `(other)` unless a segment had no room for it.

mod amounts;
mod block;
mod cache;
mod condition;
mod filter;
mod funnel;
mod goal;
mod groups;
#[cfg(test)]
mod naive;
mod neighbours;
pub mod panel;
mod people;
mod performance;
mod said;
pub mod saved;
mod scan;
#[cfg(test)]
mod segment_tests;
#[cfg(test)]
pub(crate) mod tests;

use std::cmp::Ordering as Order;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

// A goal may have conditions, and a condition may be of goals: both are reached by way of this module.
use block::{Block, Of};
pub use cache::Cache;
pub use condition::{Unread, condition};
use filter::Node;
use foldhash::HashMap;
use groups::{Groups, Known, Level, NONE, Names, Numbered};

use crate::counts::Counts;
pub use crate::query::amounts::{Amount, Amounts};
pub use crate::query::filter::{Filter, Test};
pub use crate::query::funnel::{Funnel, STEPS_MAX, Within};
pub use crate::query::goal::{GOALS_MAX, Goal, On};
pub use crate::query::groups::Dimension;
pub use crate::query::people::{PERIODS_MAX, People, Retention, Stay};
pub use crate::query::performance::{Answered, PERCENTILES, Performance, Served, performance};
pub use crate::query::said::Property;
use crate::segment::{Broken, Segment};
use crate::settings::OTHER;

/// Counts, and what rates are computed with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// The counts.
    pub counts: Counts,
    /// The sessions of which `bounces` and `duration_ms` are.
    pub entered: u64,
    /// What the events say, with [`Query::has_amounts`]; `None`: nothing.
    pub amounts: Option<Box<Amounts>>,
    /// People, with [`Query::has_people`]; `None`: nobody is known.
    pub people: Option<Box<People>>,
}

impl Tally {
    /// Adds another.
    pub fn add(&mut self, more: &Tally) {
        self.counts += &more.counts;
        self.entered = self.entered.saturating_add(more.entered);
        if let Some(more) = &more.amounts {
            self.amounts.get_or_insert_default().add(more);
        }
        if let Some(more) = &more.people {
            self.people.get_or_insert_default().add(more);
        }
    }

    /// How many people there are.
    pub fn people(&self) -> u64 {
        self.people.as_deref().map_or(0, People::count)
    }

    fn held(&self) -> usize {
        self.people.as_deref().map_or(0, People::held)
    }
}

/// A number of a tally.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Metric {
    /// A count, by its place in [`crate::day::COUNTS`].
    Count(usize),
    /// Bounces of a session.
    BounceRate,
    /// Page views of a session.
    ViewsPerSession,
    /// Mean duration of a session, milliseconds.
    MeanDuration,
    /// Mean engaged time of a page view that reports one, milliseconds.
    TimeOnPage,
    /// Mean of the greatest depths of page views that report one, percent.
    ScrollDepth,
    /// Revenue of the currency that has most.
    Revenue,
    /// How much of products was ordered.
    Quantity,
    /// Orders.
    Orders,
    /// Events that put something into the cart.
    CartAdds,
    /// Orders of each event that put something into the cart.
    CartToOrder,
    /// Searches without results.
    EmptySearches,
    /// Sum of [`Query::sum_of`].
    SumOf,
    /// People.
    People,
}

/// Rates and amounts by their names.
const RATES: [(&str, Metric); 13] = [
    ("bounce_rate", Metric::BounceRate),
    ("views_per_session", Metric::ViewsPerSession),
    ("mean_duration_ms", Metric::MeanDuration),
    ("time_on_page_ms", Metric::TimeOnPage),
    ("scroll_depth", Metric::ScrollDepth),
    ("revenue", Metric::Revenue),
    ("quantity", Metric::Quantity),
    ("orders", Metric::Orders),
    ("cart_adds", Metric::CartAdds),
    ("cart_to_order", Metric::CartToOrder),
    ("empty_searches", Metric::EmptySearches),
    ("sum", Metric::SumOf),
    ("people", Metric::People),
];

impl Metric {
    /// The metric of a name: that of a count, or `bounce_rate`, `views_per_session`, `mean_duration_ms`,
    /// `time_on_page_ms`, `scroll_depth`; or an amount: `revenue`, `quantity`, `orders`, `cart_adds`, `cart_to_order`,
    /// `empty_searches`, `sum`; or `people`.
    pub fn named(name: &str) -> Option<Metric> {
        let count = crate::day::COUNTS.iter().position(|count| count.name == name);
        let rate = || RATES.iter().find(|rate| rate.0 == name).map(|rate| rate.1);
        count.map(Metric::Count).or_else(rate)
    }

    /// The metric of a tally; `None` where there is nothing to divide by.
    #[allow(clippy::cast_precision_loss)] // shown, and sorted by
    pub fn of(self, tally: &Tally) -> Option<f64> {
        let (c, amounts) = (&tally.counts, tally.amounts.as_deref());
        let share = |part: u64, of: u64| (of > 0).then(|| part as f64 / of as f64);
        match self {
            Metric::Count(at) => crate::day::COUNTS.get(at).map(|count| (count.get)(c) as f64),
            Metric::BounceRate => share(c.bounces, tally.entered),
            Metric::ViewsPerSession => share(c.page_views, c.sessions),
            Metric::MeanDuration => share(c.duration_ms, tally.entered),
            Metric::TimeOnPage => share(c.engaged_ms, c.timed_views),
            Metric::ScrollDepth => share(c.scroll_percent, c.scrolled_views),
            Metric::Revenue => amounts.map(Amounts::most),
            Metric::Quantity => amounts.map(|amounts| amounts.quantity.sum.roughly()),
            Metric::Orders => amounts.map(|amounts| amounts.orders as f64),
            Metric::CartAdds => amounts.map(|amounts| amounts.cart_adds as f64),
            Metric::CartToOrder => amounts.and_then(|amounts| share(amounts.orders, amounts.cart_adds)),
            Metric::EmptySearches => amounts.map(|amounts| amounts.empty_searches as f64),
            Metric::SumOf => amounts.map(|amounts| amounts.sum.sum.roughly()),
            Metric::People => Some(tally.people() as f64),
        }
    }
}

/// A question.
#[derive(Debug, Clone)]
pub struct Query {
    /// What is counted by.
    pub dimension: Dimension,
    /// What is kept; `None`: all.
    pub filter: Option<Filter>,
    /// The classes of traffic. What is counted of several is the sum: a visitor of two classes counts twice.
    pub classes: Vec<String>,
    /// By what rows are ordered, the greatest first; then by their names. `None`: by their names alone.
    pub order: Option<Metric>,
    /// The most rows.
    pub limit: usize,
    /// Rows that were shown before: the cursor of the answer before this one.
    pub after: usize,
    /// `applications.allowed_domains`, by which a referrer is the site itself.
    pub domains: Vec<String>,
    /// The goals of the application, which [`Dimension::Goal`] is about; at most [`GOALS_MAX`].
    pub goals: Vec<Goal>,
    /// The funnel whose steps are counted by, with [`Dimension::Funnel`].
    pub funnel: Option<Funnel>,
    /// Whether what events say is summed, too: [`Tally::amounts`].
    pub has_amounts: bool,
    /// The property that is summed then.
    pub sum_of: Option<Property>,
    /// Whether people are counted, too: [`Tally::people`]. Of a funnel, only those of the total are.
    pub has_people: bool,
    /// The first days of the periods of [`Dimension::Period`], in their order: `2026-01-31`.
    pub periods: Vec<String>,
    /// What whoever asks may know of at all; `None`: everything. It is ANDed with the filter, and unlike the filter it
    /// holds for [`Answer::left_out`], too.
    pub bound: Option<Filter>,
}

impl Query {
    /// Whether it is about the same events as another one.
    fn is_of_the_same(&self, other: &Query) -> bool {
        self.filter == other.filter
            && self.bound == other.bound
            && self.classes == other.classes
            && self.domains == other.domains
            && self.goals == other.goals
    }
}

impl Default for Query {
    fn default() -> Query {
        Query {
            dimension: Dimension::Total,
            filter: None,
            classes: vec!["human".to_owned()],
            order: Some(Metric::Count(2)),
            limit: 100,
            after: 0,
            domains: Vec::new(),
            goals: Vec::new(),
            funnel: None,
            has_amounts: false,
            sum_of: None,
            has_people: false,
            periods: Vec::new(),
            bound: None,
        }
    }
}

/// A segment and the day that it is of.
#[derive(Debug, Clone, Copy)]
pub struct Part<'s> {
    /// The day, as it is shown: `2026-01-31`.
    pub day: &'s str,
    /// A segment of it.
    pub segment: &'s Segment,
}

/// How an answer is computed.
#[derive(Debug, Clone, Copy)]
pub struct Means<'c> {
    /// Threads; at least one works.
    pub threads: usize,
    /// The most values at once, over all segments.
    pub values: usize,
    /// The most people of all values together, of which each takes 8 bytes, and up to twice as much meanwhile.
    pub people: usize,
    /// Set by somebody who no longer waits.
    pub is_cancelled: Option<&'c AtomicBool>,
}

impl Default for Means<'_> {
    fn default() -> Self {
        Means { threads: 1, values: 2_000_000, people: 20_000_000, is_cancelled: None }
    }
}

/// What has to be known of an answer's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Note {
    /// Bounces and durations are of sessions that entered on a page of the filter.
    Entered,
    /// Some values, of the dimension or of a condition, had no room in their segment: they are `(other)`, and no condition but
    /// a negated one is true of them.
    Other,
    /// Segments were made by different definitions.
    Definitions,
    /// Within a second, page views were taken before other events: segments of earlier versions do not tell.
    Seconds,
    /// Segments of earlier versions do not tell what events say.
    Values,
    /// Some segments were made before the property was chosen.
    Property,
    /// Some events say something else where a number is looked for.
    Unread,
    /// Some segments were made without the key of user ids, and do not tell who had one.
    People,
    /// Segments were made with different keys of user ids: people of one are others than those of another.
    Keys,
}

/// A value and its counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The value.
    pub value: String,
    /// Its counts.
    pub tally: Tally,
    /// Those of the time that is compared with; [`compare`] sets it.
    pub before: Option<Tally>,
}

/// An answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// The counts of all that is kept.
    pub total: Tally,
    /// That of the time that is compared with.
    pub total_before: Option<Tally>,
    /// The rows that were asked for.
    pub rows: Vec<Row>,
    /// All rows there are.
    pub count: usize,
    /// The cursor of the rows behind these.
    pub next: Option<usize>,
    /// Events of each class that was not asked for, whatever the filter, within [`Query::bound`].
    pub left_out: BTreeMap<String, u64>,
    /// What has to be known.
    pub notes: Vec<Note>,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failed {
    /// A segment is broken.
    Broken(Broken),
    /// Nobody waits.
    Cancelled,
    /// There are more values than [`Means::values`].
    Values,
    /// There are more people than [`Means::people`].
    People,
    /// The filter is deeper than 20 levels, or has more than 200 conditions.
    Filter,
    /// There are more goals than [`GOALS_MAX`].
    Goals,
    /// A worker ended early.
    Ended,
}

impl From<Broken> for Failed {
    fn from(broken: Broken) -> Failed {
        Failed::Broken(broken)
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failed::Broken(broken) => broken.fmt(f),
            Failed::Cancelled => write!(f, "cancelled"),
            Failed::Values => write!(f, "too many values: ask for fewer days, or filter"),
            Failed::People => write!(f, "too many people: ask for fewer days, or filter"),
            Failed::Filter => write!(f, "the filter has more than 200 conditions, or 20 levels"),
            Failed::Goals => write!(f, "there are more than {GOALS_MAX} goals"),
            Failed::Ended => write!(f, "a thread of the query ended early"),
        }
    }
}

impl std::error::Error for Failed {}

/// What is known of some of the segments. Values are found by 64 bits of their hash; two with the same hash stay apart.
#[derive(Debug, Default)]
struct Sum {
    total: Tally,
    values: HashMap<u64, (Box<str>, Tally)>,
    left_out: BTreeMap<String, u64>,
    has_other: bool,
    is_by_seconds: bool,
    /// Segments do not tell what events say, or have no column of a property.
    lacks_values: bool,
    lacks_property: bool,
    /// Segments do not tell who people are.
    lacks_people: bool,
    definitions: BTreeSet<u8>,
    /// What tells the keys of user ids apart.
    user_keys: BTreeSet<String>,
    /// People that are in memory, of all values.
    people: usize,
}

impl Sum {
    /// Adds a value's counts.
    fn add(&mut self, mut hash: u64, value: &str, tally: &Tally) {
        loop {
            match self.values.get_mut(&hash) {
                None => {
                    self.people += tally.held();
                    self.values.insert(hash, (value.into(), tally.clone()));
                    return;
                }
                Some((known, sum)) if **known == *value => {
                    self.people -= sum.held();
                    sum.add(tally);
                    self.people += sum.held();
                    return;
                }
                Some(_) => hash = hash.wrapping_add(1),
            }
        }
    }

    /// Adds to the total.
    fn add_total(&mut self, tally: &Tally) {
        self.people -= self.total.held();
        self.total.add(tally);
        self.people += self.total.held();
    }

    /// Adds what is the total and one value.
    fn add_one(&mut self, hash: u64, name: &str, total: &Tally) {
        self.add_total(total);
        if *total != Tally::default() {
            self.add(hash, name, total);
        }
    }

    fn merge(&mut self, more: Sum) {
        self.add_total(&more.total);
        self.has_other |= more.has_other;
        self.is_by_seconds |= more.is_by_seconds;
        self.lacks_values |= more.lacks_values;
        self.lacks_property |= more.lacks_property;
        self.lacks_people |= more.lacks_people;
        self.user_keys.extend(more.user_keys);
        self.definitions.extend(more.definitions);
        for (class, events) in more.left_out {
            *self.left_out.entry(class).or_default() += events;
        }
        if self.values.is_empty() {
            self.people += more.values.values().map(|(_, tally)| tally.held()).sum::<usize>();
            self.values = more.values;
        } else {
            for (value, tally) in more.values.into_values() {
                self.add(crate::segment::hash(&value), &value, &tally);
            }
        }
    }
}

/// A question to segments that come one after the other, so that not all of them are in memory.
#[derive(Debug, Default)]
pub struct Running(Sum);

impl Running {
    /// Counts a segment.
    ///
    /// # Errors
    /// See [`Failed`].
    pub fn add(&mut self, query: &Query, part: &Part<'_>, means: &Means<'_>) -> Result<(), Failed> {
        Running::add_all(std::slice::from_mut(self), std::slice::from_ref(query), part, means)
    }

    /// Counts a segment for several questions, of which `all` has what was counted, in their order. What a filter keeps is
    /// found once for all that have it and follow each other.
    ///
    /// # Errors
    /// See [`Failed`].
    pub fn add_all(
        all: &mut [Running],
        queries: &[Query],
        part: &Part<'_>,
        means: &Means<'_>,
    ) -> Result<(), Failed> {
        for (running, query) in all.iter_mut().zip(queries) {
            let filters = [&query.filter, &query.bound];
            if filters.into_iter().flatten().any(|filter| !filter.is_small()) {
                return Err(Failed::Filter);
            }
            running.0.definitions.insert(part.segment.definition());
            running.lack(query, part.segment)?;
        }
        let mut rest = all;
        for same in queries.chunk_by(Query::is_of_the_same) {
            let (some, more) = rest.split_at_mut(same.len().min(rest.len()));
            rest = more;
            let mut sums: Vec<&mut Sum> = some.iter_mut().map(|running| &mut running.0).collect();
            scan::scan(same, part, means, &mut sums)?;
        }
        Ok(())
    }

    /// Looks whether the segment tells what the question is about. One without events lacks nothing.
    fn lack(&mut self, query: &Query, segment: &Segment) -> Result<(), Failed> {
        let mut asked: Vec<Dimension> = vec![query.dimension];
        for filter in [&query.filter, &query.bound].into_iter().flatten() {
            filter.dimensions(&mut asked);
        }
        asked.extend(query.sum_of.map(Dimension::Property));
        if asked.contains(&Dimension::Goal) {
            query.goals.iter().flat_map(|goal| &goal.conditions).for_each(|only| only.dimensions(&mut asked));
            asked.extend(query.goals.iter().filter_map(|goal| goal.worth).map(Dimension::Property));
        }
        if segment.events() == 0 || !query.has_amounts && !asked.iter().any(|asked| asked.is_said()) {
            return Ok(());
        }
        if segment.properties()?.is_none() {
            self.0.lacks_values = true;
            return Ok(());
        }
        for dimension in asked {
            if let Dimension::Property(property) = dimension {
                self.0.lacks_property |= property.column(segment)?.is_none();
            }
        }
        Ok(())
    }

    /// Adds what was counted of other segments.
    pub fn merge(&mut self, more: Running) {
        self.0.merge(more.0);
    }

    /// How many values it holds.
    pub fn values(&self) -> usize {
        self.0.values.len()
    }

    /// How many people it holds, of all values.
    pub fn people(&self) -> usize {
        self.0.people
    }

    /// The answer.
    pub fn answer(self, query: &Query) -> Answer {
        answer(query, self.0)
    }
}

/// Answers a question of segments, each of one day, in any order.
///
/// # Errors
/// See [`Failed`].
pub fn run(query: &Query, parts: &[Part<'_>], means: &Means<'_>) -> Result<Answer, Failed> {
    let next = AtomicUsize::new(0);
    let sum = Mutex::new(Ok(Running::default()));
    let work = || {
        let mut own = Running::default();
        let worked = loop {
            let Some(part) = parts.get(next.fetch_add(1, Ordering::Relaxed)) else { break Ok(()) };
            if let Err(failed) = own.add(query, part, means) {
                break Err(failed);
            }
        };
        if let Ok(mut sum) = sum.lock() {
            match (&mut *sum, worked) {
                (Ok(sum), Ok(())) => sum.merge(own),
                (Ok(_), Err(failed)) => *sum = Err(failed),
                (Err(_), _) => {}
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..means.threads.clamp(1, parts.len().max(1)) {
            scope.spawn(work);
        }
        work();
    });
    let sum = sum.into_inner().map_err(|_| Failed::Ended)??;
    Ok(sum.answer(query))
}

fn answer(query: &Query, sum: Sum) -> Answer {
    let mut notes = Vec::new();
    if query.filter.as_ref().is_some_and(Filter::has_page) {
        notes.push(Note::Entered);
    }
    if sum.has_other || sum.values.values().any(|(value, _)| &**value == OTHER) {
        notes.push(Note::Other);
    }
    if sum.is_by_seconds {
        notes.push(Note::Seconds);
    }
    if sum.definitions.len() > 1 {
        notes.push(Note::Definitions);
    }
    notes.extend(sum.lacks_values.then_some(Note::Values));
    notes.extend(sum.lacks_property.then_some(Note::Property));
    notes.extend(sum.lacks_people.then_some(Note::People));
    notes.extend((sum.user_keys.len() > 1).then_some(Note::Keys));
    notes.extend(sum.total.amounts.as_ref().is_some_and(|all| all.unread > 0).then_some(Note::Unread));
    let mut rows: Vec<(f64, Box<str>, Tally)> = sum
        .values
        .into_values()
        .map(|(value, tally)| {
            (query.order.and_then(|metric| metric.of(&tally)).unwrap_or(-1.0), value, tally)
        })
        .collect();
    let count = rows.len();
    let until = query.after.saturating_add(query.limit);
    let order = |a: &(f64, Box<str>, Tally), b: &(f64, Box<str>, Tally)| -> Order {
        b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1))
    };
    if until < rows.len() {
        rows.select_nth_unstable_by(until, order);
        rows.truncate(until);
    }
    rows.sort_unstable_by(order);
    let rows = rows.into_iter().skip(query.after);
    Answer {
        total: sum.total,
        total_before: None,
        rows: rows.map(|(_, value, tally)| Row { value: value.into(), tally, before: None }).collect(),
        count,
        next: (until < count).then_some(until),
        left_out: sum.left_out,
        notes,
    }
}

/// Answers a question, and compares each row with the same value at an earlier time.
///
/// # Errors
/// See [`Failed`].
pub fn compare(
    query: &Query,
    parts: &[Part<'_>],
    before: &[Part<'_>],
    means: &Means<'_>,
) -> Result<Answer, Failed> {
    let mut answer = run(query, parts, means)?;
    let all = Query { limit: usize::MAX, after: 0, ..query.clone() };
    let earlier = run(&all, before, means)?;
    answer.total_before = Some(earlier.total.clone());
    let values: HashMap<String, Tally> = earlier.rows.into_iter().map(|row| (row.value, row.tally)).collect();
    for row in &mut answer.rows {
        row.before = Some(values.get(&row.value).cloned().unwrap_or_default());
    }
    let is_other =
        |(now, then): (&Part<'_>, &Part<'_>)| now.segment.definition() != then.segment.definition();
    if parts.first().zip(before.first()).is_some_and(is_other) {
        answer.notes.push(Note::Definitions);
    }
    answer.notes.extend(earlier.notes);
    answer.notes.sort_unstable();
    answer.notes.dedup();
    Ok(answer)
}
