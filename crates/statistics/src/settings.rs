//! What a fold is told of its application, its day, and its bounds.

/// The name of the value that sums what has no value of its own.
pub const OTHER: &str = "(other)";

/// Settings of a fold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// The moment at which hour 0 begins, microseconds since 1970, UTC. With the day's first moment, the hours are those
    /// of the local day; with 0, they are UTC hours since 1970.
    pub from: i64,
    /// `applications.allowed_domains`: a referrer on one of them, or below, is the site itself.
    pub domains: Vec<String>,
    /// The names of the properties of events that segments keep: at most [`crate::details::PROPERTIES_MAX`].
    pub properties: Vec<String>,
    /// `applications.page_views` is `requests`: see [`crate::event::Event::seen`].
    pub requests_are_views: bool,
    /// What a fold keeps.
    pub limits: Limits,
}

/// Bounds of a fold's memory. What is beyond them is counted under [`OTHER`]; none changes `total`, except `views`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Values of a dimension in the statistics of a class.
    pub values: usize,
    /// Bytes of their text.
    pub value_bytes: usize,
    /// Different paths of a class while it is folded.
    pub paths: usize,
    /// Bytes of their text.
    pub path_bytes: usize,
    /// Different values of each other dimension of a class while it is folded.
    pub others: usize,
    /// Bytes of their text.
    pub other_bytes: usize,
    /// A visitor's page views of which the `page_view_id` is remembered at least. A copy, or an engagement, that comes
    /// after more than so many views is not recognised. Rows of a class without a visitor are as one visitor's.
    pub views: usize,
    /// A visitor's engagement that waits for its page view, because its row comes first.
    pub waiting: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            values: 1_000,
            value_bytes: 1 << 20,
            paths: 50_000,
            path_bytes: 8 << 20,
            others: 5_000,
            other_bytes: 512 << 10,
            // What two hash tables of 2^17 slots hold.
            views: 114_688,
            waiting: 10_000,
        }
    }
}
