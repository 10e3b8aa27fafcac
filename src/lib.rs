//! Access Log Tracker: beacon requests that nginx logged become rows in PostgreSQL, exactly once.
//!
//! The way of a line, and the modules in its order:
//!
//! ```text
//! source (files) ▶ pure::lines ▶ pure::parse ▶ pure::enrich ▶ pure::batch, pure::copy ▶ store (PostgreSQL)
//! ```
//!
//! `pure` knows no files, clocks or database; `source` and `store` are the two ends; `pipeline` is the only
//! file that knows both. `cmd` holds one file a verb. See `docs/ARCHITECTURE.md`.

#[path = "../crates/collect/src/source/mod.rs"]
pub mod source;

#[path = "../crates/line/src/lib.rs"]
pub mod pure;

#[path = "../crates/store/src/lib.rs"]
pub mod store;

#[path = "../crates/collect/src/pipeline.rs"]
pub mod pipeline;

#[path = "../crates/collect/src/archive/mod.rs"]
pub mod archive;

pub mod account;
pub mod admin;
pub mod beacon;
pub mod cli;
#[path = "../crates/process/src/clock.rs"]
pub mod clock;
pub mod cmd;
#[path = "../crates/config/src/lib.rs"]
pub mod config;
#[path = "../crates/process/src/fault.rs"]
pub mod fault;
#[path = "../crates/process/src/lock.rs"]
pub mod lock;
#[path = "../crates/process/src/metrics.rs"]
pub mod metrics;
