//! What is counted.

use std::ops::AddAssign;

/// What is counted of a dimension's value. Means are quotients of two of these sums.
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
    /// Sessions with a `user_id` in one of their rows.
    pub authenticated: u64,
    /// Sessions with one page view and no other event.
    pub bounces: u64,
    /// Durations of the sessions, milliseconds.
    pub duration_ms: u64,
    /// Time in which pages were visible, milliseconds.
    pub engaged_ms: u64,
    /// Page views that report how long their page was visible.
    pub timed_views: u64,
    /// Page views that report how far their page was scrolled.
    pub scrolled_views: u64,
    /// The greatest depth of each of `scrolled_views`, percent, summed.
    pub scroll_percent: u64,
    /// Time that engagement without a page view reports, milliseconds. It is in no other count.
    pub stray_ms: u64,
}

impl AddAssign<&Counts> for Counts {
    fn add_assign(&mut self, more: &Counts) {
        let Counts {
            events,
            page_views,
            visitors,
            sessions,
            authenticated,
            bounces,
            duration_ms,
            engaged_ms,
            timed_views,
            scrolled_views,
            scroll_percent,
            stray_ms,
        } = more;
        self.events += events;
        self.page_views += page_views;
        self.visitors += visitors;
        self.sessions += sessions;
        self.authenticated += authenticated;
        self.bounces += bounces;
        self.duration_ms += duration_ms;
        self.engaged_ms += engaged_ms;
        self.timed_views += timed_views;
        self.scrolled_views += scrolled_views;
        self.scroll_percent += scroll_percent;
        self.stray_ms += stray_ms;
    }
}
