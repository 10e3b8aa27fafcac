//! A visitor's sessions.

use crate::counts::Counts;
use crate::values::Id;
use crate::views::Views;

/// The greatest gap within a session, microseconds.
pub(crate) const GAP: i64 = 30 * 60 * 1_000_000;

/// How many attributes a session has: source, channel, country …
pub(crate) const ATTRIBUTES: usize = 12;

/// A session. A day has room for 50 of a visitor.
#[derive(Debug)]
pub(crate) struct Session {
    /// Its number among all of the fold's.
    pub(crate) number: u64,
    /// Time of its first row.
    pub(crate) first_at: i64,
    /// Time of its last row.
    pub(crate) last_at: i64,
    /// The same, and of engagement within [`GAP`] behind it.
    pub(crate) end_at: i64,
    /// The hour of its first row.
    pub(crate) hour: Id,
    /// Of its first page view, else of its first row.
    pub(crate) attributes: [Id; ATTRIBUTES],
    /// First and last page.
    pub(crate) pages: Option<(Id, Id)>,
    /// Whether it has a row that is no page view.
    pub(crate) has_others: bool,
    /// Whether one of its rows has a `user_id`.
    pub(crate) is_authenticated: bool,
    /// What is counted of its rows.
    pub(crate) counts: Counts,
}

impl Session {
    /// Whether a row at this time still belongs to it.
    pub(crate) fn reaches(&self, at: i64) -> bool {
        at - self.last_at <= GAP
    }

    /// All its counts, itself included.
    pub(crate) fn finish(&self) -> Counts {
        Counts {
            sessions: 1,
            authenticated: u64::from(self.is_authenticated),
            bounces: u64::from(self.counts.page_views == 1 && !self.has_others),
            duration_ms: u64::try_from((self.end_at - self.first_at) / 1_000).unwrap_or(0),
            ..self.counts
        }
    }
}

/// A visitor, or all rows of a class without one.
#[derive(Debug, Default)]
pub(crate) struct Visitor {
    /// `access_logs.visitor_id`.
    pub(crate) id: Option<i64>,
    /// Its number among all of the fold's.
    pub(crate) number: u64,
    /// In the order of time. Engagement may belong to a view of any.
    pub(crate) sessions: Vec<Session>,
    /// Its page views.
    pub(crate) views: Views,
}
