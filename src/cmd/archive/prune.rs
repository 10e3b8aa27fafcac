//! `alt archive prune`: deletes objects whose events are all older than a time, and loaded here.

use alt_collect::archive::ledger::{gone, known};
use alt_collect::archive::name::Name;
use alt_config::Config;
use alt_process::clock;
use alt_store::retention;
use anyhow::{Context, bail};
use serde::Serialize;

use crate::cli;
use crate::cmd::when::when;
use crate::cmd::{Out, Outcome, connect, show};

#[derive(Serialize)]
struct Account {
    dry_run: bool,
    objects: usize,
    bytes: u64,
    /// Old enough, and not loaded in this database: they stay.
    not_loaded: Vec<String>,
}

pub(super) fn run(config: &Config, args: &cli::ArchivePrune, out: Out<'_>) -> anyhow::Result<Outcome> {
    let now = clock::now();
    let before_at = |now| when(&args.before, now).map_err(|e| anyhow::anyhow!("--before: {e}"));
    let before = before_at(now)?;
    let goes_by_the_clock = before != before_at(now - 1)?;
    let target = super::configured(config)?;
    let mut old = Vec::new();
    target.list("", &mut |listed| {
        let name = Name::parse(&listed.key).filter(|name| name.times.is_some());
        if let Some(name) = name.filter(|name| !name.may_hold(Some(before), None)) {
            old.push((target.uri(&listed.key), listed, name));
        }
        Ok(())
    })?;
    let mut account = Account { dry_run: args.dry_run, objects: 0, bytes: 0, not_loaded: Vec::new() };
    let asked: Vec<_> = old.iter().map(|(uri, _, name)| (uri.clone(), Some(name))).collect();
    // One connection for all: objects go one by one, each noted when it is gone.
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("start the runtime")?;
    let client = runtime.block_on(connect(config))?;
    let host = config.load.host_name();
    if goes_by_the_clock && !args.dry_run {
        runtime.block_on(async {
            match retention::clock::judge(&client, &host).await? {
                Ok(_) => Ok(()),
                Err(doubt) => bail!("{doubt}; {}; or name a day with --before", doubt.mend()),
            }
        })?;
    }
    let known = runtime.block_on(known(&client, &asked))?;
    for ((uri, listed, name), is_known) in old.iter().zip(known) {
        if !is_known {
            account.not_loaded.push(uri.clone());
            continue;
        }
        if !args.dry_run {
            target.remove(&listed.key)?;
            runtime.block_on(gone(&client, uri, name.times, &host))?;
            tracing::info!(uri, "deleted an object of the archive: it is loaded, and as old as was said");
        }
        account.objects += 1;
        account.bytes += listed.bytes;
    }
    if args.json {
        show::json(out, &account)?;
        return Ok(Outcome::Done);
    }
    if args.dry_run {
        writeln!(out, "Nothing was deleted. Without --dry-run this would be:")?;
    }
    for uri in &account.not_loaded {
        writeln!(out, "{}: stays, it is not loaded in this database", show::safe(uri))?;
    }
    let number = |n: u64| show::number(i64::try_from(n).unwrap_or(i64::MAX));
    writeln!(out, "{} objects, {} bytes", number(account.objects as u64), number(account.bytes))?;
    Ok(Outcome::Done)
}
