//! The verbs, one file each. They take arguments and configuration, write to the output that they are given, and return
//! the outcome. Nothing here exits the process or prints an error.

use std::io::{Read, Write};

use alt_config::Config;
use alt_line::enrich::AgentRules;
use alt_store::apps::{self, Application};
use alt_store::connect::Connection;
use alt_store::read::Reader;
use anyhow::{Context, bail};

/// The most that is read of a list of crawlers; the built-in one has 60 KB.
const RULES_BYTES_MAX: u64 = 16 << 20;

pub mod access;
pub mod alerts;
pub mod app;
pub mod archive;
mod assembly;
pub mod beacon;
pub mod channel;
pub mod check;
mod child;
pub mod demo;
mod drain;
pub mod ended;
pub mod exclusion;
pub mod explain;
pub mod goal;
pub mod migrate;
pub mod pages;
pub mod parse;
pub mod rejects;
pub mod replay;
pub mod report;
pub mod retention;
pub mod run;
pub mod search;
pub mod serve;
pub mod setup;
pub mod show;
pub mod stats;
pub mod status;
pub mod tail;
pub mod unload;
mod when;

/// The outcome of a command that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Done; exit code 0.
    Done,
    /// A check found problems; exit code 3.
    Problems,
    /// The daemon would not take the configuration; exit code 78 (`EX_CONFIG` of sysexits.h).
    BadConfiguration,
}

impl Outcome {
    /// [`Outcome::Done`] if all is well.
    pub fn of(well: bool) -> Outcome {
        if well { Outcome::Done } else { Outcome::Problems }
    }
}

/// Where a command writes its result. A write error ends the command: the reader has gone.
pub type Out<'a> = &'a mut dyn Write;

/// Connects for a command that only reads.
pub(crate) async fn reader(config: &Config) -> anyhow::Result<Reader> {
    Reader::connect(&config.postgres, "alt").await
}

/// Connects for a command that makes changes.
pub(crate) async fn writer(config: &Config) -> anyhow::Result<Connection> {
    alt_store::connect(&config.postgres, "alt").await
}

/// As [`application`], for a verb that asks nothing else of a database of this version.
///
/// # Errors
/// The database cannot be asked, has another schema, or there is no such application, or not just one.
pub(crate) async fn application_of(config: &Config, named: Option<&str>) -> anyhow::Result<Application> {
    let mut reader = reader(config).await?;
    reader.read(alt_store::migrate::check_compatible).await?;
    application(&mut reader, named).await
}

/// The application that is named, or the only one.
pub(crate) async fn application(reader: &mut Reader, named: Option<&str>) -> anyhow::Result<Application> {
    if let Some(app) = named {
        return reader.read(async |client| apps::find(client, app).await).await;
    }
    let mut all = reader.read(apps::enabled).await?;
    match (all.pop(), all.len()) {
        (Some(app), 0) => Ok(app),
        (None, _) => bail!("no application is registered; `alt app add NAME` registers one"),
        _ => bail!("there are several applications: name one with --app; `alt app list` shows them"),
    }
}

/// Runs a future that waits for the database. Call it where blocking is allowed.
pub(crate) fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("start the runtime")?.block_on(work)
}

/// The drop-in that closes the network to the daemon's unit, except this machine.
pub(crate) const LOCAL_ONLY: &str = "/etc/systemd/system/alt.service.d/alt-local.conf";

/// Why the daemon needs more of the network than this machine. `None`: it does not.
pub(crate) fn beyond_this_machine(config: &Config) -> Option<&'static str> {
    let is_local = |url: &str| {
        url::Url::parse(url).is_ok_and(|url| match url.host() {
            Some(url::Host::Domain(name)) => name == "localhost",
            Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
            Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
            None => url.scheme() == "file",
        })
    };
    if !alt_store::connect::is_on_this_machine(&config.postgres).unwrap_or(false) {
        return Some("postgres.url names another machine");
    }
    let archive = config.archive.as_ref();
    if archive.is_some_and(|archive| !is_local(archive.endpoint.as_ref().unwrap_or(&archive.url))) {
        return Some("the archive is on another machine");
    }
    if config.admin.listen.is_some_and(|address| !address.ip().is_loopback()) {
        return Some("[admin] listen is for other machines");
    }
    None
}

/// The configured list of crawlers, or the built-in one.
pub(crate) fn rules(config: &Config) -> anyhow::Result<AgentRules> {
    let Some(path) = &config.agents.rules else { return Ok(AgentRules::builtin()) };
    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(RULES_BYTES_MAX).read_to_string(&mut text))
        .with_context(|| format!("read agents.rules {}", path.display()))?;
    AgentRules::from_json(&text).map_err(|e| anyhow::anyhow!("agents.rules {}: {e}", path.display()))
}
