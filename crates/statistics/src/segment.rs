//! A day's events of one application as compact columns, for questions that sums of values cannot answer.
//!
//! A day is one segment or several: a segment ends where a visitor ends. What is counted of a day is the sum over its
//! segments. Texts stand as they came: source, channel and country are mapped when they are asked for. There is no address
//! and no `visitor_id` in a segment. The layout stands in `columns`, the bytes in `codec`.

pub(crate) mod codec;
pub(crate) mod columns;
mod numbers;
mod part;
mod reader;
mod sums;
mod values;
mod writer;

use std::fmt;

pub(crate) use numbers::Numbers;
pub use part::Bounds;
pub use reader::Segment;
pub(crate) use reader::{Named, Origins, Run, Texts, hash};
pub(crate) use sums::Sums;
pub use writer::Writer;

/// The version of the definitions by which rows become segments (docs/STATISTICS.md). It changes when the same rows would
/// give other segments.
pub const DEFINITION: u8 = 1;

/// Why bytes are no segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// Shorter than what they declare, or without the first bytes of a segment.
    Cut,
    /// Of a version that this program does not know; a later one may.
    Version(u8),
    /// The check sum is another.
    Sum,
    /// More rows, texts or bytes are declared than a segment has.
    Large,
    /// A column does not fit the rows that are declared.
    Column(u16),
    /// A column is not there.
    Missing(u16),
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Broken::Cut => write!(f, "the segment is cut off"),
            Broken::Version(version) => {
                write!(f, "the segment is of version {version}, which a later version of alt reads")
            }
            Broken::Sum => write!(f, "the segment's check sum is wrong: compute its day again"),
            Broken::Large => write!(f, "the segment declares more than a segment has: compute its day again"),
            Broken::Column(id) => write!(f, "the segment's column {id} is broken: compute its day again"),
            Broken::Missing(id) => write!(f, "the segment has no column {id}: compute its day again"),
        }
    }
}

impl std::error::Error for Broken {}
