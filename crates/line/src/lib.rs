//! The way of a line, as pure functions: bytes in, rows out.
//!
//! Nothing here is async, opens a file, talks to a network, reads a clock, keeps a global or logs; a
//! test (`tests/it/tidy.rs`) enforces it. What comes from outside (the time, the applications, the
//! salts) is handed in by the caller. The modules stand in the order in which a line passes them.

pub mod arena;
pub mod lines;
mod marks;

pub mod hit;
pub mod parse;

pub mod enrich;
pub mod row;
pub mod sites;

pub mod aside;
pub mod batch;
pub mod checkpoint;
pub mod copy;
pub mod outcome;

pub mod filter;
pub mod twins;
pub mod way;
