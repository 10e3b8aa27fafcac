//! The priority of a line for the journal (`sd-daemon(3)`): `<4>` before a line that a service writes.
//!
//! Without it, journald takes every line for one of priority 6, and `journalctl -p warning` shows none.

use std::fmt;
use std::os::fd::AsFd;

use nix::sys::stat::fstat;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// An error, as the journal counts.
pub const ERROR: &str = "<3>";

/// Whether a stream goes to the journal: `JOURNAL_STREAM` names the device and inode of the service's stream, which a
/// redirected one does not have.
pub fn is_journal(stream: impl AsFd) -> bool {
    let Ok(named) = std::env::var("JOURNAL_STREAM") else { return false };
    fstat(stream).is_ok_and(|stat| named == format!("{}:{}", stat.st_dev, stat.st_ino))
}

/// Begins each event with its priority.
pub struct Prioritized<F>(pub F);

impl<S, N, F> FormatEvent<S, N> for Prioritized<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        ctx: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        writer.write_str(match *event.metadata().level() {
            Level::ERROR => ERROR,
            Level::WARN => "<4>",
            Level::INFO => "<6>",
            _ => "<7>",
        })?;
        self.0.format_event(ctx, writer, event)
    }
}
