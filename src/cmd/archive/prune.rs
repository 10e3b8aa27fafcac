//! `alt archive prune`: deletes objects whose events are all older than a given time and are loaded here.

use alt_collect::archive::ledger::known;
use alt_collect::archive::name::Name;
use alt_config::Config;
use alt_store::objects;
use alt_store::retention::clock;
use anyhow::{Context, bail};
use serde::Serialize;

use crate::cli;
use crate::cmd::when::when;
use crate::cmd::{Out, Outcome, reader, show, writer};

#[derive(Serialize)]
struct Pruned {
    dry_run: bool,
    objects: usize,
    bytes: u64,
    /// Objects that are old enough but not loaded in this database: they stay.
    not_loaded: Vec<String>,
}

pub(super) fn run(config: &Config, args: &cli::ArchivePrune, out: Out<'_>) -> anyhow::Result<Outcome> {
    let now = alt_process::clock::now();
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
    let mut account = Pruned { dry_run: args.dry_run, objects: 0, bytes: 0, not_loaded: Vec::new() };
    let asked: Vec<_> = old.iter().map(|(uri, _, name)| (uri.clone(), Some(name))).collect();
    // Delete objects one by one, and record each one after it is deleted.
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("start the runtime")?;
    let mut reader = runtime.block_on(reader(config))?;
    let host = config.load.host_name();
    if goes_by_the_clock && !args.dry_run {
        runtime.block_on(async {
            match reader.read(async |client| clock::judge(client, &host).await).await? {
                Ok(_) => Ok(()),
                Err(doubt) => bail!("{doubt}; {}; or name a day with --before", doubt.mend()),
            }
        })?;
    }
    let known = runtime.block_on(known(&mut reader, &asked))?;
    let writer = if args.dry_run { None } else { Some(runtime.block_on(writer(config))?) };
    for ((uri, listed, name), is_known) in old.iter().zip(known) {
        if !is_known {
            account.not_loaded.push(uri.clone());
            continue;
        }
        if let Some(writer) = &writer {
            target.remove(&listed.key)?;
            runtime.block_on(objects::note_gone(writer, uri, name.times, &host))?;
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
