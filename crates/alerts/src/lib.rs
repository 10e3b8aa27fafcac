//! Alerts: rules, and the intervals in which they hold, computed of what was committed.
//!
//! All of it is pure. Time is the time of the events: nothing here asks a clock, so a replay, late lines, and a second
//! process come to the same alerts as live reading did. In the order in which it is used:
//!
//! - [`rule`] reads rules; [`lens`] says which events a rule looks at (read by [`looks`]), [`metric`] what it measures.
//! - [`bucket`] counts the events of five seconds; buckets add up.
//! - [`verdict`] says whether a rule holds at a time; [`state`] makes states of verdicts, one step at a time.
//! - [`judge`] steps through a time, the first time or again; [`episode`] makes episodes of the states, and says which of
//!   those that are known they are.

pub mod bucket;
pub mod episode;
pub mod judge;
pub mod lens;
pub mod looks;
pub mod manner;
pub mod metric;
#[cfg(test)]
mod model;
pub mod packed;
pub mod past;
pub mod rule;
pub mod state;
pub mod time;
pub mod verdict;
