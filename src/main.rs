//! `alt`: parses the arguments, starts logging, dispatches, prints an error once, and sets the exit code.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use access_log_tracker::cli::{Cli, Command, Global, LogFormat};
use access_log_tracker::cmd::{self, Outcome};
use access_log_tracker::journal::{ERROR, Prioritized, is_journal};
use access_log_tracker::{account, cmd::show};
use alt_config::Config;
use clap::Parser;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::fmt::format;

fn main() -> ExitCode {
    let cli = Cli::parse();
    start_logging(&cli);
    let mut out = Stdout { inner: io::BufWriter::new(io::stdout()), reader_gone: false };
    let result = dispatch(&cli, &mut out).and_then(|outcome| {
        out.flush()?;
        Ok(outcome)
    });
    match result {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Problems) => ExitCode::from(3),
        Err(_) if out.reader_gone => ExitCode::SUCCESS, // `alt … | head` has seen enough
        Err(error) => {
            let _ = out.flush();
            report(&cli.global, &error);
            ExitCode::FAILURE
        }
    }
}

fn dispatch(cli: &Cli, out: &mut Stdout) -> anyhow::Result<Outcome> {
    let path = cli.global.config();
    let path = path.as_deref();
    match &cli.command {
        Command::Setup(args) => return cmd::setup::run(path, args, out),
        Command::Check(args) => return cmd::check::run(path, args, out),
        Command::Pages(args) => return cmd::pages::run(args),
        Command::Ended => return cmd::ended::run(),
        _ => {}
    }
    let config = Config::load(path)?;
    match &cli.command {
        Command::Parse(args) => return cmd::parse::run(&config, args, out),
        Command::Explain(args) => return cmd::explain::run(&config, args, out),
        Command::Tail(args) => return block_on(cmd::tail::run(&config, args, out)),
        _ => {}
    }
    let mut config = config;
    match &cli.command {
        Command::Migrate(_) | Command::Unload(_) => account::become_owner(&mut config.postgres)?,
        // Root writes where the daemon's account may not.
        Command::Beacon(verb) if verb.writes_here() => {}
        _ => account::become_alt(&config.postgres)?,
    }
    match &cli.command {
        Command::Run(args) => cmd::run::run(&config, path, args),
        Command::Replay(args) => cmd::replay::run(&config, args, out),
        Command::Unload(args) => block_on(cmd::unload::run(&config, args, out)),
        Command::Migrate(args) => block_on(cmd::migrate::run(&config, args, out)),
        Command::Beacon(verb) => cmd::beacon::run(&config, path, verb, out),
        Command::App(verb) => cmd::app::run(&config, verb, out),
        Command::Status(args) => block_on(cmd::status::run(&config, args, out)),
        Command::Archive(verb) => cmd::archive::run(&config, verb, out),
        Command::Rejects(verb) => cmd::rejects::run(&config, verb, out),
        Command::Retention(verb) => block_on(cmd::retention::run(&config, verb, out)),
        Command::Setup(_)
        | Command::Check(_)
        | Command::Pages(_)
        | Command::Ended
        | Command::Parse(_)
        | Command::Explain(_)
        | Command::Tail(_) => {
            unreachable!("dispatched above")
        }
    }
}

fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

fn start_logging(cli: &Cli) {
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
    // journald adds the time to every line
    let journald = is_journal(io::stderr());
    match (global.log_format, journald) {
        (LogFormat::Json, false) => logging.json().flatten_event(true).with_writer(|| JsonErr).init(),
        (LogFormat::Json, true) => {
            let logging = logging.json().flatten_event(true).with_writer(|| JsonErr);
            logging.map_event_format(Prioritized).init();
        }
        (LogFormat::Human, true) => {
            logging.with_ansi(false).without_time().map_event_format(Prioritized).init();
        }
        (LogFormat::Human, false) => logging.with_ansi(color).init(),
    }
}

/// Prints the error, once, with its causes.
fn report(global: &Global, error: &anyhow::Error) {
    match global.log_format {
        LogFormat::Json => tracing::error!(error = format!("{error:#}"), "failed"),
        LogFormat::Human => {
            // line by line: a list of problems keeps its line breaks, and no other control character reaches the
            // terminal
            let text = format!("{error:#}").replace(": \n", ":\n");
            let lines: Vec<_> = text.split('\n').map(show::safe).collect();
            let priority = if is_journal(io::stderr()) { ERROR } else { "" };
            let lines = lines.join(&format!("\n{priority}"));
            let _ = writeln!(io::stderr(), "{priority}alt: {lines}");
        }
    }
}

/// Standard error for JSON lines, which also have to be safe for a terminal.
struct JsonErr;

impl Write for JsonErr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // each call writes one whole line
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

/// Standard output that remembers whether its reader has gone.
struct Stdout {
    inner: io::BufWriter<io::Stdout>,
    reader_gone: bool,
}

impl Stdout {
    fn note<T>(&mut self, result: io::Result<T>) -> io::Result<T> {
        if let Err(e) = &result {
            self.reader_gone |= e.kind() == io::ErrorKind::BrokenPipe;
        }
        result
    }
}

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let result = self.inner.write(bytes);
        self.note(result)
    }

    fn flush(&mut self) -> io::Result<()> {
        let result = self.inner.flush();
        self.note(result)
    }
}
