//! Programs that a command runs, and waits for.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

/// Runs `alt` itself as a command, with this configuration. Returns what it printed.
///
/// # Errors
/// It cannot be run, or it fails.
pub(crate) fn myself(path: Option<&Path>, arguments: &[&str], more: &[&str]) -> anyhow::Result<String> {
    let exe = std::env::current_exe().context("find this program")?;
    let mut command = Command::new(exe);
    if let Some(path) = path {
        command.arg("--config").arg(path);
    }
    command.args(arguments).args(more);
    output(&mut command)
}

/// Runs a program. Returns what it printed.
///
/// # Errors
/// It cannot be run, or it fails.
pub(crate) fn command(program: &str, arguments: &[&str]) -> anyhow::Result<String> {
    output(Command::new(program).args(arguments))
}

/// As [`command`].
///
/// # Errors
/// As [`command`].
pub(crate) fn output(command: &mut Command) -> anyhow::Result<String> {
    let what = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("run {what}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said: Vec<&str> = said.split('\n').map(str::trim).filter(|line| !line.is_empty()).collect();
        bail!("{what} failed: {}", said.join(" "));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
