//! Where bytes come from: files, live and rotated, plain and compressed.

pub mod follow;
pub mod inputs;
pub mod lifecycle;
pub mod logs;
pub mod missing;
pub mod progress;
pub mod reading;
pub mod siblings;
pub mod tar;
pub mod trail;
pub mod unpack;
pub mod watch;
