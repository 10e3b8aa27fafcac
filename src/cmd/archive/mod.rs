//! `alt archive`: what is in the archive, and how to get it back.

mod get;
mod list;
mod prune;
mod verify;

use std::sync::Arc;

use alt_collect::archive::target::Target;
use alt_collect::archive::{at, open};
use alt_config::Config;
use alt_process::stop::Stop;
use anyhow::bail;

use super::{Out, Outcome};
use crate::cli;

/// Lists, gets, verifies or prunes objects.
///
/// # Errors
/// The archive or the database cannot be reached, or the requested object or line does not exist.
pub fn run(config: &Config, verb: &cli::Archive, out: Out<'_>) -> anyhow::Result<Outcome> {
    match verb {
        cli::Archive::List(args) => list::run(config, args, out),
        cli::Archive::Get(args) => get::run(config, args, out),
        cli::Archive::Verify(args) => verify::run(config, args, out),
        cli::Archive::Prune(args) => prune::run(config, args, out),
    }
}

/// The configured archive.
fn configured(config: &Config) -> anyhow::Result<Box<dyn Target>> {
    let Some(archive) = &config.archive else {
        bail!("there is no archive: set url in [archive]");
    };
    open(archive, &Arc::new(Stop::default()))
}

/// The archive of an object's URI, and the object's key in it.
fn of_uri(config: &Config, uri: &str) -> anyhow::Result<(Box<dyn Target>, String)> {
    match at(config.archive.as_ref(), uri, &Arc::new(Stop::default()))? {
        (_, key) if key.is_empty() => bail!("{uri} names no object"),
        found => Ok(found),
    }
}
