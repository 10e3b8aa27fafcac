//! Checks the archive: whether its objects can be listed, and whether an object can be stored and read back.

use std::io::Write;
use std::sync::Arc;

use alt_collect::archive::target::Target;
use alt_collect::archive::{open, spool, try_out};
use alt_config::Config;
use alt_process::stop::{Stop, Stopped};

use super::finding::{Findings, Kind, is_ordinary};

/// Checks the configured archive: stores a small object in it, and removes the object if that is allowed.
pub(super) fn look(config: &Config, findings: &mut Findings) {
    let Some(archive) = &config.archive else { return };
    if is_ordinary() {
        return findings
            .not_checked(format!("the archive {}, which the daemon's account writes", archive.url));
    }
    let looked = open(archive, &Arc::new(Stop::default())).and_then(|target| {
        list(target.as_ref())?;
        // What is wrong with the directory of temporary files is a finding of its own, and not the archive's fault.
        if !has_temporary_files() {
            return Ok(None);
        }
        try_out(target.as_ref(), &config.load.host_name())
    });
    match looked {
        Ok(None) => {}
        // The daemon needs no permission to remove objects (docs/ARCHIVE.md).
        Ok(Some(error)) => tracing::debug!(error = format!("{error:#}"), "the object of the trial stays"),
        Err(error) => findings.add(
            Kind::Archive,
            archive.url.clone(),
            format!("the archive cannot be used: {error:#}"),
            "mend [archive], the credentials or the bucket, then: sudo alt check; logs wait on the disk until then",
        ),
    }
}

/// Whether a temporary file can be written.
fn has_temporary_files() -> bool {
    spool().is_ok_and(|mut file| file.write_all(b"x").is_ok())
}

/// Listing the first object is enough.
fn list(target: &dyn Target) -> anyhow::Result<()> {
    match target.list("dt=", &mut |_| Err(Stopped.into())) {
        Err(error) if !error.is::<Stopped>() => Err(error),
        _ => Ok(()),
    }
}
