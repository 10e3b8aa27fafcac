//! What comes from outside, fed to what reads it: for each parser and decoder a function that takes any bytes and
//! panics where a promise is broken. No promise is only "it does not panic"; each function says what has to hold.
//!
//! `scripts/fuzz` runs them under libFuzzer; `tests/it/hostile.rs` runs them over the committed corpus and mutations
//! of it, for which no nightly compiler is needed. `targets::ALL` names them all.
#![allow(unreachable_pub)] // the tests include this file as a module

mod check;
mod config;
mod json;
mod line;
mod log_format;
mod names;
mod packed;
mod query;
mod segment;
pub mod slow;
mod tar;

pub use check::escaped;
pub use config::config;
pub use json::json;
pub use line::line;
pub use log_format::log_format;
pub use names::names;
pub use packed::packed;
pub use query::query;
pub use segment::segment;
pub use slow::slow;
pub use tar::tar;

/// Takes any bytes, and panics where a promise is broken.
pub type Target = fn(&[u8]);

/// Every target by the name of its corpus.
pub const ALL: [(&str, Target); 10] = [
    ("line", line),
    ("log_format", log_format),
    ("query", query),
    ("json", json),
    ("packed", packed),
    ("tar", tar),
    ("config", config),
    ("names", names),
    ("slow", slow),
    ("segment", segment),
];
