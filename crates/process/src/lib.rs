//! What all parts of the process share: the clock, the signal to stop, workers, the fault points of the tests, how a
//! mutex is locked, and the metrics.
//!
//! It knows no database, no files and no configuration.

pub mod beat;
pub mod clock;
pub mod fault;
pub mod lock;
pub mod metrics;
pub mod stop;
pub mod worker;
