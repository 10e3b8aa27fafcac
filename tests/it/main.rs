//! One integration binary, one file an area.
#![allow(clippy::unwrap_used)] // clippy knows tests by #[test] and not the functions that they share
