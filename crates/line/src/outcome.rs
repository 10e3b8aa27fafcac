//! What a line became: the one form in which a line leaves its processor and enters a batch.

use super::hit::{NonHit, Reject};
use super::lines::Line;
use super::row::Row;

/// A line, or a piece of a torn line, and what it became.
#[derive(Debug, Clone, Copy)]
pub struct Processed<'a> {
    /// The line: its bytes, and where they are in the file.
    pub line: &'a Line<'a>,
    /// What it became.
    pub outcome: Outcome<'a>,
}

/// What a line became.
#[derive(Debug, Clone, Copy)]
pub enum Outcome<'a> {
    /// A row to load.
    Row {
        /// The row.
        row: &'a Row<'a>,
        /// The id of the event: from the line, or made from it; 0 where there is neither.
        event_id: u128,
        /// The id was made from the line ([`super::line_id`]).
        is_made: bool,
    },
    /// No event: counted, not kept.
    NonHit(NonHit),
    /// A line that cannot become a row.
    Reject {
        /// Why, and what is known of the event.
        reject: Reject,
        /// More of why: the unknown key, the site without an application.
        detail: Option<&'a str>,
        /// The visitor asked not to be tracked: nothing of the line is kept but its place.
        private: bool,
    },
    /// A line that is not to be loaded: counted, and left as it was.
    Filtered,
}
