//! The log of a command: to a terminal, to the journal of systemd, or as JSON lines.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;

use rustix::fs::fstat;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::fmt::format::{self, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::cli::{Cli, Command, Global, LogFormat};
use crate::cmd::show;

/// Starts logging to standard error.
pub fn start(cli: &Cli) {
    let global = &cli.global;
    let daemon = matches!(cli.command, Command::Run(_));
    let filter = match (global.quiet, global.verbose) {
        (true, _) => "error",
        // The errors of the AWS client repeat its messages about credentials, and are shorter. A directive covers all
        // targets that begin with its name: `alt` covers every crate of the workspace.
        (_, 0) if daemon => "warn,aws_config=error,access_log_tracker=info,alt=info",
        (_, 0) => "warn,aws_config=error",
        (_, 1) => "info,access_log_tracker=debug,alt=debug",
        _ => "trace",
    };
    let color = io::stderr().is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty())
        && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
    // The value of a field may come from outside: the path of a file, a server's message.
    let fields = format::debug_fn(|to, field, value| {
        let value = format!("{value:?}");
        match field.name() {
            "message" => write!(to, "{}", show::safe(&value)),
            name => write!(to, "{name}={}", show::safe(&value)),
        }
    });
    let logging = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_writer(io::stderr)
        .with_target(global.verbose > 1)
        .fmt_fields(fields.delimited(" "));
    let is_journal = is_journal(io::stderr());
    let prefixed = |inner| Prefixed { inner, is_journal };
    match global.log_format {
        LogFormat::Json => {
            let json = logging.json().flatten_event(true).with_writer(|| JsonErr);
            json.map_event_format(|inner| Prefixed { inner, is_journal }).init();
        }
        // The journal adds the time to every line.
        LogFormat::Human if is_journal => {
            logging.with_ansi(false).without_time().map_event_format(prefixed).init();
        }
        LogFormat::Human => logging.with_ansi(color).init(),
    }
}

/// Prints the error, once, with its causes.
pub fn report(global: &Global, error: &anyhow::Error) {
    match global.log_format {
        LogFormat::Json => tracing::error!(error = format!("{error:#}"), "failed"),
        LogFormat::Human => {
            // Line by line: a list of problems keeps its line breaks, and no other control character reaches the
            // terminal.
            let text = format!("alt: {error:#}").replace(": \n", ":\n");
            let priority = prefix(io::stderr(), Level::ERROR);
            let lines: String =
                text.split('\n').map(|line| format!("{priority}{}\n", show::safe(line))).collect();
            let _ = io::stderr().write_all(lines.as_bytes());
        }
    }
}

/// What a line begins with that a command writes to `output` itself: its priority if the reader is the journal of
/// systemd, else nothing.
pub fn prefix(output: impl AsFd, level: Level) -> &'static str {
    if is_journal(output) { priority(level) } else { "" }
}

/// Whether `output` is a stream to the journal of systemd: `JOURNAL_STREAM` has the device and the inode of that stream
/// (systemd.exec(5)). A command whose output was redirected inherits the variable all the same.
fn is_journal(output: impl AsFd) -> bool {
    let Some(stream) = std::env::var("JOURNAL_STREAM").ok() else { return false };
    let Ok(output) = fstat(output) else { return false };
    stream == format!("{}:{}", output.st_dev, output.st_ino)
}

/// The prefix by which the journal knows the priority of a line (sd-daemon(3)).
fn priority(level: Level) -> &'static str {
    match level {
        Level::ERROR => "<3>",
        Level::WARN => "<4>",
        Level::INFO => "<6>",
        _ => "<7>",
    }
}

/// Writes an event as `inner` does, after its priority if the reader is the journal.
struct Prefixed<F> {
    inner: F,
    is_journal: bool,
}

impl<S, N, F> FormatEvent<S, N> for Prefixed<F>
where
    S: Subscriber + for<'s> LookupSpan<'s>,
    N: for<'w> FormatFields<'w> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        if self.is_journal {
            writer.write_str(priority(*event.metadata().level()))?;
        }
        self.inner.format_event(context, writer, event)
    }
}

/// Standard error for JSON lines, which also have to be safe for a terminal.
struct JsonErr;

impl Write for JsonErr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Each call writes one whole line.
        let text = String::from_utf8_lossy(bytes);
        let end = if text.ends_with('\n') { "\n" } else { "" };
        let line = text.trim_end_matches('\n');
        io::stderr().write_all(format!("{}{end}", show::safe_json(line)).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
