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

pub mod source;

pub mod pure;

pub mod store;

pub mod pipeline;

pub mod archive;

pub mod account;
pub mod admin;
pub mod beacon;
pub mod beat;
pub mod cli;
pub mod clock;
pub mod cmd;
pub mod config;
pub mod fault;
pub mod lock;
pub mod metrics;
