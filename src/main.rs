//! `alt`: parses the arguments, starts logging, dispatches, prints an error once, and sets the exit code.

use std::io::{self, Write};
use std::process::ExitCode;

use access_log_tracker::cli::{self, Cli, Command};
use access_log_tracker::cmd::{self, Outcome};
use access_log_tracker::{account, logging};
use alt_config::Config;
use clap::Parser;

/// `EX_CONFIG` of sysexits.h; systemd shows it as `78/CONFIG`.
const EX_CONFIG: u8 = 78;

fn main() -> ExitCode {
    let cli = Cli::parse();
    logging::start(&cli);
    let mut out = Stdout { inner: io::BufWriter::new(io::stdout()), reader_gone: false };
    let result = dispatch(&cli, &mut out).and_then(|outcome| {
        out.flush()?;
        Ok(outcome)
    });
    match result {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Problems) => ExitCode::from(3),
        Ok(Outcome::BadConfiguration) => ExitCode::from(EX_CONFIG),
        Err(_) if out.reader_gone => ExitCode::SUCCESS, // `alt … | head` has seen enough
        Err(error) => {
            let _ = out.flush();
            logging::report(&cli.global, &error);
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
        Command::Report(args) => return cmd::report::run(&config, args, out),
        Command::Explain(args) if args.app.is_none() => return cmd::explain::run(&config, args, out),
        Command::Tail(args) => return block_on(cmd::tail::run(&config, args, out)),
        _ => {}
    }
    let mut config = config;
    match &cli.command {
        Command::Migrate(_)
        | Command::Unload(_)
        | Command::Token(_)
        | Command::User(_)
        | Command::Goal(_)
        | Command::Exclusion(_)
        | Command::Alerts(_)
        | Command::Channel(cli::Channel::Enable(_)) => {
            account::become_owner(&mut config.postgres)?;
        }
        Command::Serve => account::become_web(&config.postgres)?,
        // Root writes where the daemon's account may not.
        Command::Beacon(verb) if verb.writes_here() => {}
        _ => account::become_alt(&config.postgres)?,
    }
    match &cli.command {
        Command::Run(args) => cmd::run::run(&config, path, args),
        Command::Serve => cmd::serve::run(&config),
        Command::Token(verb) => block_on(cmd::access::token(&config, verb, out)),
        Command::User(verb) => block_on(cmd::access::user(&config, verb, out)),
        Command::Goal(verb) => block_on(cmd::goal::run(&config, verb, out)),
        Command::Exclusion(verb) => block_on(cmd::exclusion::run(&config, verb, out)),
        Command::Alerts(verb) => cmd::alerts::run(&config, verb, out),
        Command::Channel(verb) => block_on(cmd::channel::run(&config, verb, out)),
        Command::Replay(args) => cmd::replay::run(&config, args, out),
        Command::Unload(args) => block_on(cmd::unload::run(&config, args, out)),
        Command::Migrate(args) => block_on(cmd::migrate::run(&config, args, out)),
        Command::Beacon(verb) => cmd::beacon::run(&config, path, verb, out),
        Command::App(verb) => cmd::app::run(&config, verb, out),
        Command::Demo(args) => cmd::demo::run(&config, args, out),
        Command::Stats(args) => cmd::stats::run(&config, args, out),
        Command::Explain(args) => cmd::explain::run(&config, args, out),
        Command::Search(args) => block_on(cmd::search::run(&config, args, out)),
        Command::Status(args) => block_on(cmd::status::run(&config, args, out)),
        Command::Archive(verb) => cmd::archive::run(&config, verb, out),
        Command::Rejects(verb) => cmd::rejects::run(&config, verb, out),
        Command::Retention(verb) => block_on(cmd::retention::run(&config, verb, out)),
        Command::Setup(_)
        | Command::Check(_)
        | Command::Pages(_)
        | Command::Ended
        | Command::Parse(_)
        | Command::Report(_)
        | Command::Tail(_) => {
            unreachable!("dispatched above")
        }
    }
}

fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
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
