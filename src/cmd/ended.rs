//! `alt ended`: what the service manager says of a daemon that has ended, noted for the next one.
//!
//! Hidden: systemd runs it after every end (`ExecStopPost=` in `systemd/alt.service`), and says in the environment how the
//! daemon ended. A process cannot say of itself by which signal it died.

use alt_collect::pipeline::suspicion::End;
use anyhow::{Context, bail};

use super::Outcome;
use super::run::state_directory;

/// Leaves a note in the state directory if the daemon ended by a fault of its own.
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
