//! `alt check`: what is wrong, where, and how to fix it.
//!
//! Each area checks on its own and adds findings; none stops the others. What only root can read (nginx's whole
//! configuration) is read first. The rest is checked as the daemon's account.

mod archive;
mod database;
mod files;
mod fits;
mod logrotate;
mod nginx;

use std::path::Path;

use alt_config::Config;
use anyhow::Context;
use serde::Serialize;

use super::{Out, Outcome, show};
use crate::{account, cli};

/// A problem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Finding {
    /// The problem.
    what: String,
    /// The place: a file, a directive, a server.
    place: String,
    /// What to do.
    mend: String,
}

/// The findings so far.
#[derive(Debug, Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, place: impl Into<String>, what: impl Into<String>, mend: impl Into<String>) {
        let finding = Finding { what: what.into(), place: place.into(), mend: mend.into() };
        if !self.0.contains(&finding) {
            self.0.push(finding);
        }
    }
}

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
    let mut not_checked = Vec::new();
    let file = path.unwrap_or(Path::new(alt_config::DEFAULT_FILE));
    // the same as the daemon does at SIGHUP
    match crate::cmd::run::reloaded(path) {
        Ok(_) if args.config_only => {}
        Ok(config) => {
            files::secrets(&config, file, &mut findings);
            look(&config, args, &mut findings, &mut not_checked)?;
        }
        Err(e) => {
            let place = file.display().to_string();
            findings.add(place, format!("{e:#}"), "correct it; nothing else was looked at");
        }
    }
    let findings = findings.0;
    if args.json {
        show::json(out, &Report { findings: &findings, not_checked: &not_checked })?;
    } else {
        for finding in &findings {
            let what: Vec<_> = finding.what.split('\n').map(show::safe).collect();
            writeln!(out, "{}: {}", show::safe(&finding.place), what.join("\n"))?;
            writeln!(out, "    {}", show::safe(&finding.mend))?;
        }
        for area in &not_checked {
            writeln!(out, "not looked at: {area}")?;
        }
        match findings.len() {
            0 => writeln!(out, "nothing is wrong")?,
            1 => writeln!(out, "1 problem")?,
            n => writeln!(out, "{n} problems")?,
        }
    }
    Ok(match findings.is_empty() {
        true => Outcome::Done,
        false if args.config_only => Outcome::BadConfiguration,
        false => Outcome::Problems,
    })
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

fn look(
    config: &Config,
    args: &cli::Check,
    findings: &mut Findings,
    not_checked: &mut Vec<String>,
) -> anyhow::Result<()> {
    let site = match nginx::Site::read(args.nginx_conf.as_deref()) {
        Ok(site) => Some(site),
        Err(e) => {
            not_checked.push(format!("nginx's configuration ({e:#})"));
            None
        }
    };
    files::logrotate(config, &args.logrotate_dir, findings);
    // the database check below reports a URL that cannot be understood
    if alt_store::connect::is_by_peer(&config.postgres).is_ok() {
        account::become_alt(&config.postgres)?;
    }
    if let Some(site) = &site {
        nginx::formats(config, site, findings);
    }
    files::logs(config, site.as_ref(), findings);
    files::spool(config, findings);
    files::sandbox(config, findings);
    fits::room(config, findings);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("start")?;
    runtime.block_on(database::look(config, findings));
    archive::look(config, findings);
    Ok(())
}
