//! What all parts of the process share: the clock, the stop signal, workers, fault points for the tests, mutex locking,
//! and the metrics.
//!
//! This crate knows no database, no files and no configuration.

pub mod beat;
pub mod clock;
pub mod fault;
pub mod lock;
pub mod metrics;
pub mod stop;
pub mod worker;
