//! `alt archive list`: the objects, and whether they are loaded.

use alt_collect::archive::ledger::known;
use alt_collect::archive::name::Name;
use alt_config::Config;
use alt_line::hit::Micros;
use serde::Serialize;

use crate::cli;
use crate::cmd::{Out, Outcome, block_on, reader, show, when};

#[derive(Serialize)]
struct Entry {
    uri: String,
    host: String,
    first: Option<String>,
    last: Option<String>,
    bytes: u64,
    raw_bytes: u64,
    loaded: bool,
}

fn shown(at: Micros) -> String {
    jiff::Timestamp::from_microsecond(at).map(|at| at.to_string()).unwrap_or_default()
}

pub(super) fn run(config: &Config, args: &cli::ArchiveList, out: Out<'_>) -> anyhow::Result<Outcome> {
    let since = when::option("--since", args.since.as_deref())?;
    let until = when::option("--until", args.until.as_deref())?;
    let target = super::configured(config)?;
    let mut found = Vec::new();
    target.list("", &mut |listed| {
        if let Some(name) = Name::parse(&listed.key).filter(|name| name.may_hold(since, until)) {
            found.push((target.uri(&listed.key), name, listed.bytes));
        }
        Ok(())
    })?;
    let asked: Vec<_> = found.iter().map(|(uri, name, _)| (uri.clone(), Some(name))).collect();
    let known = block_on(async {
        let mut reader = reader(config).await?;
        known(&mut reader, &asked).await
    })?;
    let entry = |((uri, name, bytes), loaded): ((String, Name, u64), bool)| Entry {
        uri,
        host: name.host,
        first: name.times.map(|times| shown(times.0)),
        last: name.times.map(|times| shown(times.1)),
        bytes,
        raw_bytes: name.raw_bytes,
        loaded,
    };
    let entries: Vec<Entry> = found.into_iter().zip(known).map(entry).collect();
    if args.json {
        show::json(out, &entries)?;
        return Ok(Outcome::Done);
    }
    if entries.is_empty() {
        writeln!(out, "no objects")?;
        return Ok(Outcome::Done);
    }
    let mut rows =
        show::Rows::new(&["object", "host", "first (UTC)", "last (UTC)", ">bytes", ">of the log", "loaded"]);
    let number = |n: u64| show::number(i64::try_from(n).unwrap_or(i64::MAX));
    for entry in entries {
        rows.add(&[
            entry.uri,
            entry.host,
            entry.first.unwrap_or_default(),
            entry.last.unwrap_or_default(),
            number(entry.bytes),
            number(entry.raw_bytes),
            (if entry.loaded { "yes" } else { "no" }).to_owned(),
        ]);
    }
    rows.print(out)?;
    Ok(Outcome::Done)
}
