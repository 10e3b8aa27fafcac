//! The rows of a segment that are looked at together.

use crate::segment::Run;

/// Rows of a segment that follow each other: sessions, and all that they have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) sessions: Run,
    pub(super) views: Run,
    pub(super) others: Run,
    pub(super) strays: Run,
}

/// Of what is asked whether a filter keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    Sessions,
    Views,
    Others,
    /// Only of filters on pages.
    Strays,
}

impl Block {
    /// The rows of a table.
    pub(super) fn rows(&self, of: Of) -> Run {
        match of {
            Of::Sessions => self.sessions,
            Of::Views => self.views,
            Of::Others => self.others,
            Of::Strays => self.strays,
        }
    }
}
