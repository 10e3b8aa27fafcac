//! Access Log Tracker: loads the beacon requests that nginx logged into PostgreSQL, exactly once.
//!
//! This crate is the command line: the arguments, one file per verb in `cmd`, and what only verbs need. The crates
//! below do the work; `docs/ARCHITECTURE.md` has the map.

pub mod account;
pub mod acl;
pub mod admin;
pub mod beacon;
pub mod cli;
pub mod cmd;
pub mod journal;
pub mod place;
