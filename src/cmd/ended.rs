//! `alt ended`: records for the next daemon how the service manager says that the last one ended.
//!
//! Hidden: systemd runs it after every end (`ExecStopPost=` in `systemd/alt.service`), and the environment says how the
//! daemon ended. A process cannot report itself by which signal it died.

use alt_collect::pipeline::suspicion::End;
use anyhow::{Context, bail};

use super::Outcome;
use super::run::state_directory;

/// Leaves a note in the state directory if the daemon ended by its own fault.
///
/// # Errors
/// There is no state directory, or it cannot be written.
pub fn run() -> anyhow::Result<Outcome> {
    let said = |name: &str| std::env::var(name).unwrap_or_default();
    if let Some(end) = End::of(&said("SERVICE_RESULT"), &said("EXIT_STATUS")) {
        let Some(directory) = state_directory() else {
            bail!("STATE_DIRECTORY names no directory: systemd sets it by StateDirectory=");
        };
        end.note(&directory).with_context(|| format!("note it in {}", directory.display()))?;
    }
    Ok(Outcome::Done)
}
