//! The statistics of a day, by dimension and value.

use std::collections::BTreeMap;

use crate::event::Event;

/// What is counted of a dimension's value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Rows that make visitors and sessions: all but `request` and `engagement`.
    pub events: u64,
    /// Page views.
    pub page_views: u64,
    /// Visitors.
    pub visitors: u64,
    /// Sessions.
    pub sessions: u64,
    /// Sessions with one page view and no other event.
    pub bounces: u64,
    /// Durations of the sessions, milliseconds.
    pub duration_ms: u64,
    /// Time in which pages were visible, milliseconds.
    pub engaged_ms: u64,
}

/// A day's statistics: for each class, dimension and value, its counts. Dimension `total` with the value `""` has the
/// day's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Day {
    /// By class, dimension and value.
    pub values: BTreeMap<(String, &'static str, String), Counts>,
}

/// Computes a day from its events.
#[derive(Debug, Default)]
pub struct Fold {
    day: Day,
}

impl Fold {
    /// Adds an event. The events of a day come in the order of (`traffic_class`, `visitor_id` with NULL last,
    /// `occurred_at`, `event_id`).
    pub fn add(&mut self, event: &Event<'_>) {
        let key = (event.traffic_class.to_owned(), "total", String::new());
        let counts = self.day.values.entry(key).or_default();
        if !matches!(event.event_type, "request" | "engagement") {
            counts.events += 1;
        }
    }

    /// The statistics, after the last event.
    pub fn finish(self) -> Day {
        self.day
    }
}
