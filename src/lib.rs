//! Access Log Tracker: beacon requests that nginx logged become rows in PostgreSQL, exactly once.
//!
//! This crate is the command line: the arguments, one file a verb in `cmd`, and what only verbs need. What they do
//! is done by the crates below; `docs/ARCHITECTURE.md` has the map.

pub mod account;
pub mod admin;
pub mod beacon;
pub mod cli;
pub mod cmd;
pub mod place;
