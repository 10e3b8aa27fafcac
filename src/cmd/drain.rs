//! Computes the statistics that a command made necessary, at its end: there may be no daemon that does.

use std::sync::Arc;
use std::time::{Duration, Instant};

use alt_config::Config;
use alt_process::fault;
use alt_process::metrics::Metrics;
use alt_process::stop::Stop;
use alt_store::stats::fold::{Done, Due, Folder};
use alt_store::told;

use super::Out;

/// How often it is said what is done.
const TELLS: Duration = Duration::from_secs(10);

/// How often the work is tried while another process does it.
const TRIES: Duration = Duration::from_millis(200);

/// Computes everything that is marked. Where another process does this work, waits for it for `patience`. Returns whether
/// all is done.
///
/// # Errors
/// The database does not do it, or the output is closed.
pub(super) fn drain(config: &Config, patience: Duration, out: Out<'_>) -> anyhow::Result<bool> {
    let stop = Arc::new(Stop::default());
    let directory = super::run::state_directory();
    let mut folder = Folder::new(config, "stats", directory, &Metrics::default(), &stop)?;
    let mut waits_until = None;
    loop {
        let before = folder.folded;
        match folder.work(Due::Now, TELLS)? {
            Done::All => break,
            Done::Part if folder.folded > before => {
                writeln!(out, "statistics      {} days computed", folder.folded)?;
            }
            Done::Part => {}
            Done::Elsewhere => {
                // The daemon takes the work for a turn of some seconds, and releases it.
                let until = *waits_until.get_or_insert_with(|| Instant::now() + fault::wait(patience));
                if Instant::now() >= until {
                    writeln!(out, "statistics      another process computes them")?;
                    return Ok(false);
                }
                stop.sleep(TRIES);
                continue;
            }
        }
        waits_until = None;
    }
    writeln!(out, "statistics      {} days computed", folder.folded)?;
    Ok(true)
}

/// The same at the end of a command that has done its work, if statistics are on. What is left is computed by the daemon.
/// May be called within a runtime.
pub(super) fn drain_after(config: &Config, as_json: bool, out: Out<'_>) -> anyhow::Result<()> {
    if !config.stats.enabled {
        return Ok(());
    }
    let mut said = Vec::new();
    // The folder has a runtime of its own.
    let drained = std::thread::scope(|scope| scope.spawn(|| drain(config, Duration::ZERO, &mut said)).join());
    match drained {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => {
            let error = told(&error);
            tracing::warn!(
                error,
                "statistics are not computed yet: `alt run` or `alt stats rebuild --resume` does"
            );
        }
        Err(_) => anyhow::bail!("computing statistics broke: this is a defect, please report it"),
    }
    if !as_json {
        out.write_all(&said)?;
    }
    Ok(())
}
