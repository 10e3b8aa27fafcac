//! One integration binary, one file an area.
#![allow(clippy::unwrap_used)] // clippy knows tests by #[test] and not the functions that they share

mod admin;
mod archive;
mod beacon;
mod browser;
mod citus;
mod cli;
mod equal;
mod flood;
mod follow;
mod host;
mod hostile;
mod inputs;
mod kill;
mod lease;
mod load;
mod loading;
mod model;
mod monitoring;
mod network;
mod nginx;
mod pixels;
mod poison;
mod postgres;
mod publish;
mod rejects;
mod replay;
mod retention;
mod scripts;
mod setup;
mod store;
mod support;
mod tidy;
mod union;
mod unload;
mod worst_lines;
