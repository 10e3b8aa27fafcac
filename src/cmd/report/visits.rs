//! Visitors, sessions, sources and pages: the engine of the statistics, over the events of all days at once.
//!
//! A visitor's number is made with the salt of a day, so a visitor lives for one day here as in the database, and what
//! the engine computes of all days is the sum of theirs.

use std::collections::BTreeMap;
use std::path::Path;

use alt_statistics::day::{Day, Fold};
use alt_statistics::event::Event;
use alt_statistics::settings::Settings;
use alt_store::stats::sort::Sorter;
use anyhow::Context;
use foldhash::HashSet;

use super::calendar::{Calendar, Hour};

/// The bytes of events that are sorted in memory.
const BUFFER: usize = 64 << 20;

/// A visitor's page views of which the number is remembered.
const VIEWS: usize = 100_000;

/// Page views and visitors of an hour, or of a day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Visited {
    pub(super) page_views: u64,
    pub(super) visitors: u64,
}

/// The statistics of people.
#[derive(Debug, Default)]
pub(super) struct Folded {
    /// By dimension and value.
    pub(super) day: Day,
    pub(super) hours: BTreeMap<Hour, Visited>,
    pub(super) days: BTreeMap<jiff::civil::Date, Visited>,
}

/// The events of people.
#[derive(Debug)]
pub(super) struct Visits {
    sorter: Sorter,
    count: u64,
}

impl Visits {
    /// None. What does not fit into the memory is sorted in an unnamed file of `directory`.
    pub(super) fn new(directory: &Path) -> Visits {
        Visits { sorter: Sorter::new(Some(directory), BUFFER), count: 0 }
    }

    /// Adds an event of a person. Its `event_id` is its place among all.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(super) fn add(&mut self, mut event: Event<'_>) -> anyhow::Result<()> {
        self.count += 1;
        event.event_id = u128::from(self.count);
        self.sorter.add(&event).context("sort the page views (TMPDIR names another directory)")
    }

    /// The statistics. Referrers on one of `domains` are the site itself.
    ///
    /// # Errors
    /// The file cannot be written or read.
    pub(super) fn fold(self, domains: Vec<String>, calendar: &mut Calendar) -> anyhow::Result<Folded> {
        let mut fold = Fold::new(Settings { domains, ..Settings::default() });
        let mut folded = Folded::default();
        let mut visitor = Seen::default();
        self.sorter.finish(|event| {
            fold.add(event);
            visitor.see(event, calendar, &mut folded);
        })?;
        folded.day = fold.finish();
        Ok(folded)
    }
}

/// A visitor, as far as hours and days count it.
#[derive(Debug, Default)]
struct Seen {
    /// The last event's; `None` before the first.
    id: Option<Option<i64>>,
    hour: Option<Hour>,
    views: HashSet<i64>,
}

impl Seen {
    fn see(&mut self, event: &Event<'_>, calendar: &mut Calendar, folded: &mut Folded) {
        if event.event_type == "engagement" {
            return;
        }
        if self.id != Some(event.visitor_id) || self.views.len() >= VIEWS {
            *self = Seen { id: Some(event.visitor_id), ..Seen::default() };
        }
        let (hour, day) = calendar.hour(event.occurred_at);
        let is_new =
            event.event_type == "pageview" && event.page_view_id.is_none_or(|id| self.views.insert(id));
        let of_hour = folded.hours.entry(hour).or_default();
        let of_day = folded.days.entry(day.date).or_default();
        of_hour.page_views += u64::from(is_new);
        of_day.page_views += u64::from(is_new);
        if event.visitor_id.is_some() {
            of_day.visitors += u64::from(self.hour.is_none());
            of_hour.visitors += u64::from(self.hour != Some(hour));
            self.hour = Some(hour);
        }
    }
}
