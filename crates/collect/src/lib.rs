//! The collector: from files to the database, and from there to the archive.
//!
//! `source` finds and reads logs, `pipeline` carries their lines to the writer's channel, `archive` packs logs that
//! are loaded to their ends. It knows no command line and no HTTP.

pub mod archive;
pub mod pipeline;
pub mod source;
