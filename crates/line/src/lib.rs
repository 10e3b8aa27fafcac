//! From the bytes of a log to rows in the form of COPY, as pure functions.
//!
//! Nothing here is async, opens a file, talks to a network, reads a clock, keeps a global or logs; a
//! test (`tests/it/tidy.rs`) enforces this. The caller passes in what comes from outside: the time, the
//! applications, the salts. The modules are in the order in which a line passes through them.

pub mod arena;
mod bitmap;
pub mod lines;

pub mod hit;
pub mod parse;

pub mod enrich;
pub mod flood;
pub mod row;
pub mod sites;

pub mod batch;
pub mod checkpoint;
pub mod copy;
pub mod outcome;
pub mod reread;

pub mod detect;
pub mod filter;
pub mod line_id;
pub mod processor;
