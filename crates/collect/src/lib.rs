//! The collector: from files to the database, and from there to the archive.
//!
//! `source` finds and reads logs, `pipeline` passes their lines to the writer's channel, `archive` packs logs that are
//! loaded to their ends. The crate knows no command line and no HTTP.

pub mod archive;
pub mod pipeline;
pub mod source;
