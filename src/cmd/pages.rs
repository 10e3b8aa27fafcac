//! `alt pages`: manual pages and shell completions, from the same definition as the help.
//!
//! Hidden: `scripts/package` runs it once, so that the installed pages always fit the installed program.

use std::fs;

use anyhow::Context;
use clap::CommandFactory;
use clap_complete::Shell;

use super::Outcome;
use crate::cli;

/// Writes `alt.1`, one page per subcommand, and one completion file each for bash, zsh and fish.
///
/// # Errors
/// The directory cannot be created or written.
pub fn run(args: &cli::Pages) -> anyhow::Result<Outcome> {
    let what = || format!("write the pages to {}", args.dir.display());
    fs::create_dir_all(&args.dir).with_context(what)?;
    clap_mangen::generate_to(cli::Cli::command(), &args.dir).with_context(what)?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        clap_complete::generate_to(shell, &mut cli::Cli::command(), "alt", &args.dir).with_context(what)?;
    }
    Ok(Outcome::Done)
}
