//! `alt archive verify`: holds the archive against what the database says of it.

use alt_collect::archive::target::Target;
use alt_collect::archive::{fetch, hash};
use alt_collect::source::stored;
use alt_config::Config;
use anyhow::Context;
use serde::Serialize;
use tokio_postgres::Row;

use crate::cli;
use crate::cmd::{Out, Outcome, block_on, connect, show};

#[derive(Serialize)]
struct Account {
    objects: usize,
    deep: bool,
    problems: Vec<Problem>,
}

#[derive(Serialize)]
struct Problem {
    uri: String,
    problem: String,
}

pub(super) fn run(config: &Config, args: &cli::ArchiveVerify, out: Out<'_>) -> anyhow::Result<Outcome> {
    let sql = "SELECT archive_uri, archive_bytes, archive_sha256, raw_bytes, raw_sha256 FROM log_files \
               WHERE archive_uri IS NOT NULL ORDER BY archive_uri";
    let rows = block_on(async {
        connect(config).await?.query_typed(sql, &[]).await.context("read the archive's objects")
    })?;
    let configured = config.archive.as_ref().map(|_| super::configured(config)).transpose()?;
    let mut problems = Vec::new();
    for row in &rows {
        let uri: String = row.get("archive_uri");
        // One client for all that is in the archive of the configuration.
        let ours = configured.as_deref().and_then(|ours| Some((ours, uri.strip_prefix(&ours.uri(""))?)));
        let problem = match ours {
            Some((target, key)) => problem(target, key, row, args.deep)?,
            None => {
                let (target, key) = super::of_uri(config, &uri)?;
                problem(target.as_ref(), &key, row, args.deep)?
            }
        };
        if let Some(problem) = problem {
            problems.push(Problem { uri, problem });
        }
    }
    let account = Account { objects: rows.len(), deep: args.deep, problems };
    if args.json {
        show::json(out, &account)?;
    } else {
        for Problem { uri, problem } in &account.problems {
            writeln!(out, "{}: {}", show::safe(uri), show::safe(problem))?;
        }
        let how = if args.deep { "read back and compared" } else { "there, and as long as they were" };
        let well = account.objects - account.problems.len();
        writeln!(out, "{well} of {} objects are {how}", account.objects)?;
    }
    Ok(Outcome::of(account.problems.is_empty()))
}

/// What is wrong with an object, if anything is.
fn problem(target: &dyn Target, key: &str, row: &Row, deep: bool) -> anyhow::Result<Option<String>> {
    let Some(found) = target.find(key)? else {
        return Ok(Some("it is not there".to_owned()));
    };
    let bytes = u64::try_from(row.get::<_, i64>("archive_bytes")).unwrap_or_default();
    if found.bytes != bytes {
        return Ok(Some(format!("it has {} bytes, and was stored with {bytes}", found.bytes)));
    }
    let raw: Option<Vec<u8>> = row.get("raw_sha256");
    if let (Some(theirs), Some(ours)) = (found.raw_sha256, &raw)
        && theirs[..] != ours[..]
    {
        return Ok(Some("it was stored as another log".to_owned()));
    }
    if deep { read_back(target, key, row, raw.as_deref()) } else { Ok(None) }
}

fn read_back(
    target: &dyn Target,
    key: &str,
    row: &Row,
    raw: Option<&[u8]>,
) -> anyhow::Result<Option<String>> {
    let (file, _, sha256) = fetch(target, key)?;
    if sha256[..] != *row.get::<_, &[u8]>("archive_sha256") {
        return Ok(Some("its bytes are not those that were stored".to_owned()));
    }
    let Some(raw) = raw else { return Ok(None) };
    Ok(match stored::unpack(file).and_then(hash) {
        Err(error) => Some(format!("it cannot be unpacked: {error}")),
        Ok((_, sha256)) if sha256[..] != *raw => Some("the log in it is not what was archived".to_owned()),
        Ok(_) => None,
    })
}
