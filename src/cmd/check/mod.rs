//! `alt check`: what is wrong, where, and how to fix it.
//!
//! Each area checks on its own and adds findings; none stops the others. What only root can read (nginx's whole
//! configuration) is read first. The rest is checked as the daemon's account.

mod archive;
mod database;
mod errors;
mod files;
mod finding;
mod fits;
mod logrotate;
pub(crate) mod nginx;
mod public;
mod recent;
mod request;
mod unit;
mod web;

use std::path::Path;

use alt_config::Config;
use anyhow::Context;
use serde::Serialize;
use tracing::Level;

use self::finding::{Finding, Findings, Kind, is_ordinary};
use super::{Out, Outcome, show};
use crate::{account, cli, logging};

#[derive(Serialize)]
struct Report<'a> {
    findings: &'a [Finding],
    not_checked: &'a [String],
}

/// Checks everything and prints the problems.
///
/// # Errors
/// The account cannot be changed, or the output is closed.
pub fn run(path: Option<&Path>, args: &cli::Check, out: Out<'_>) -> anyhow::Result<Outcome> {
    if args.roles {
        return roles(&Config::load(path)?, args.json, out);
    }
    let mut findings = Findings::default();
    let file = path.unwrap_or(Path::new(alt_config::DEFAULT_FILE));
    // the same as the daemon does at SIGHUP
    match crate::cmd::run::reloaded(path) {
        Ok(_) if args.config_only => {}
        Ok(config) => {
            files::secrets(&config, file, &mut findings);
            look(&config, args, &mut findings)?;
            findings.accept(&config);
        }
        Err(e) => {
            let place = file.display().to_string();
            let mend = "correct it, and see `alt check --config-only`; nothing else was looked at";
            findings.add(Kind::Configuration, place, format!("{e:#}"), mend);
        }
    }
    let Findings { all, not_checked } = findings;
    if args.json {
        show::json(out, &Report { findings: &all, not_checked: &not_checked })?;
    } else {
        print(&all, &not_checked, out)?;
    }
    Ok(match all.iter().any(Finding::counts) {
        false => Outcome::Done,
        true if args.config_only => Outcome::BadConfiguration,
        true => Outcome::Problems,
    })
}

fn print(all: &[Finding], not_checked: &[String], out: Out<'_>) -> anyhow::Result<()> {
    // systemctl reload says no more than that it failed; the journal has to say why.
    let error = logging::prefix(std::io::stdout(), Level::ERROR);
    for finding in all {
        let priority = if finding.counts() { error } else { "" };
        let what: Vec<_> = finding.what.split('\n').map(show::safe).collect();
        let (place, what, id) =
            (show::safe(&finding.place), what.join(&format!("\n{priority}")), finding.kind.id());
        write!(out, "{priority}")?;
        if finding.accepted {
            writeln!(out, "accepted: {place}: {what} [{id}]")?;
            continue;
        }
        writeln!(out, "{}: {place}: {what} [{id}]", finding.severity.as_str())?;
        writeln!(out, "    {}", show::safe(&finding.mend))?;
    }
    for area in not_checked {
        writeln!(out, "not looked at: {}", show::safe(area))?;
    }
    match all.iter().filter(|finding| finding.counts()).count() {
        0 if is_ordinary() => {
            writeln!(out, "nothing is wrong with what this account may see; run it as root: sudo alt check")?;
        }
        0 => writeln!(out, "nothing is wrong")?,
        1 => writeln!(out, "1 problem")?,
        n => writeln!(out, "{n} problems")?,
    }
    Ok(())
}

/// Shows what each role of PostgreSQL may do.
fn roles(config: &Config, as_json: bool, out: Out<'_>) -> anyhow::Result<Outcome> {
    account::become_alt(&config.postgres)?;
    let all = super::block_on(async { super::reader(config).await?.read(alt_store::roles::rights).await })?;
    if as_json {
        show::json(out, &all)?;
        return Ok(Outcome::Done);
    }
    let mut rows = show::Rows::new(&["role", "may", "tables, views, functions"]);
    for one in all {
        rows.add(&[one.role, one.rights, one.objects]);
    }
    rows.print(out)?;
    Ok(Outcome::Done)
}

fn look(config: &Config, args: &cli::Check, findings: &mut Findings) -> anyhow::Result<()> {
    let site = match nginx::Site::read(args.nginx_conf.as_deref()) {
        Ok(site) => Some(site),
        Err(e) => {
            findings.not_checked(format!("nginx's configuration ({e:#})"));
            None
        }
    };
    files::logrotate(config, &args.logrotate_dir, findings);
    // nginx's error log is root's alone
    errors::look(config, site.as_ref(), findings);
    // the database check below reports a URL that cannot be understood
    if alt_store::connect::is_by_peer(&config.postgres).is_ok() {
        account::become_alt(&config.postgres)?;
    }
    if let Some(site) = &site {
        nginx::formats(config, site, findings);
    }
    let recent = files::logs(config, site.as_ref(), findings);
    files::spool(config, findings);
    files::sandbox(config, findings);
    fits::room(config, findings);
    unit::look(config, findings);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("start")?;
    runtime.block_on(async {
        let mut reader = database::look(config, &recent, findings).await;
        web::look(config, site.as_ref(), reader.as_mut(), findings).await;
        if !args.no_request {
            public::look(config, site.as_ref(), reader, findings).await;
        }
    });
    archive::look(config, findings);
    Ok(())
}
