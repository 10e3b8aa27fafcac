//! Checks the archive: whether it can be reached, and whether its objects can be listed.

use std::sync::Arc;

use alt_collect::archive::open;
use alt_config::Config;
use alt_process::stop::{Stop, Stopped};

use super::Findings;

/// Checks the configured archive. Writes nothing to it.
pub(super) fn look(config: &Config, findings: &mut Findings) {
    let Some(archive) = &config.archive else { return };
    // Listing the first object is enough.
    let looked = open(archive, &Arc::new(Stop::default()))
        .and_then(|target| target.list("dt=", &mut |_| Err(Stopped.into())));
    if let Err(error) = looked
        && !error.is::<Stopped>()
    {
        findings.add(
            archive.url.clone(),
            format!("the archive cannot be used: {error:#}"),
            "mend [archive], the credentials or the bucket; logs wait on the disk until then",
        );
    }
}
