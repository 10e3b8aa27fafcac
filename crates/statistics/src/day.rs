//! The statistics of a day, by dimension and value.

use std::collections::BTreeMap;

pub use crate::counts::{COUNTS, Count, Counts};
use crate::event::Event;
pub use crate::settings::{OTHER, Settings};
use crate::traffic_class::Class;
use crate::visitor::Visitor;

/// A day's statistics: for each class, dimension and value, its counts. Dimension `total` with the value `""` has the
/// day's, of each class of which there is a row.
///
/// | dimension | value |
/// |---|---|
/// | `total` | `""` |
/// | `hour` | hours since [`Settings::from`], a decimal number |
/// | `page` | path |
/// | `event` | type |
/// | `entry_page`, `exit_page` | path of a session's first and last page view |
/// | `source`, `channel` | see [`crate::source::of`] |
/// | `campaign`, `utm_medium`, `utm_term`, `utm_content` | the parameter, `campaign` for `utm_campaign` |
/// | `country` | see [`crate::country::of_zone`] |
/// | `language`, `browser`, `os`, `device` | the column |
/// | `screen` | width in pixels: `1-575`, `576-991`, `992-1439`, `1440-1919`, `1920+` |
///
/// A value that is not known is `""`. What each count means in a dimension:
///
/// | count | `total` | `hour` | `page` | `event` | all others: a session's |
/// |---|---|---|---|---|---|
/// | `events` | all | rows in it | rows with the path | rows of the type | rows of these sessions, and rows without a visitor that have the value themselves |
/// | `page_views` | all | in it | of the page | of type `pageview` | as `events` |
/// | `visitors` | all | with a row in it | with a page view of it | with such a row | with such a session |
/// | `sessions` | all | whose first row is in it | with a page view of it | with such a row | all |
/// | `authenticated`, `bounces`, `duration_ms` | all | of these sessions | 0 | 0 | of these sessions |
/// | `engaged_ms`, `timed_views`, `scrolled_views`, `scroll_percent` | all | of page views in it | of its page views | 0 | of page views of these sessions |
/// | `stray_ms` | all | 0 | of engagement with the path | 0 | 0 |
///
/// `entry_page` and `exit_page` have no sessions without a page view, and no rows without a visitor.
///
/// Of a dimension at most 1,000 values stay, the first by page views, then events, then value (byte by byte). The others
/// are summed under [`OTHER`]: a visitor of two of them counts twice there. See [`crate::settings::Limits`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Day {
    /// By class, dimension and value.
    pub values: BTreeMap<(String, &'static str, String), Counts>,
}

/// Computes a day from its events. Its memory is bounded, whatever the rows are: [`crate::settings::Limits`].
#[derive(Debug, Default)]
pub struct Fold {
    day: Day,
    settings: Settings,
    class: Option<Class>,
    visitor: Visitor,
    /// How many visitors and sessions there were.
    visitors: u64,
    sessions: u64,
}

impl Fold {
    /// With other settings than [`Settings::default`].
    pub fn new(settings: Settings) -> Fold {
        Fold { settings, ..Fold::default() }
    }

    /// Adds an event. The events of a day come in the order of (`traffic_class`, `visitor_id` with NULL last,
    /// `occurred_at`, `event_id`).
    pub fn add(&mut self, event: &Event<'_>) {
        let event = &event.seen(self.settings.requests_are_views);
        let is_of_class = self.class.as_ref().is_some_and(|class| class.name == event.traffic_class);
        if !is_of_class || self.visitor.id != event.visitor_id {
            self.end_visitor();
            self.visitors += 1;
            self.visitor.id = event.visitor_id;
            self.visitor.number = self.visitors;
        }
        if !is_of_class {
            self.end_class();
        }
        let settings = &self.settings;
        let class = self.class.get_or_insert_with(|| Class::new(event.traffic_class, settings));
        match event.event_type {
            "request" => {}
            "engagement" => class.engagement(event, &mut self.visitor, settings),
            _ => class.visit(event, &mut self.visitor, &mut self.sessions, settings),
        }
    }

    fn end_visitor(&mut self) {
        if let Some(class) = &mut self.class {
            class.end(&mut self.visitor);
        }
    }

    fn end_class(&mut self) {
        let Some(class) = self.class.take() else { return };
        let values = &mut self.day.values;
        class.finish(&self.settings, |dimension, value, counts| {
            *values.entry((class.name.clone(), dimension, value.to_owned())).or_default() += counts;
        });
    }

    /// The statistics, after the last event.
    pub fn finish(mut self) -> Day {
        self.end_visitor();
        self.end_class();
        self.day
    }
}
