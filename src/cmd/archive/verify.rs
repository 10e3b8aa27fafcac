//! `alt archive verify`: compares the archive with what the database says about it.

use alt_collect::archive::target::Target;
use alt_collect::archive::{fetch, hash};
use alt_collect::source::unpack;
use alt_config::Config;
use alt_store::objects::{self, KnownObject};
use anyhow::bail;
use serde::Serialize;

use crate::cli;
use crate::cmd::{Out, Outcome, block_on, reader, show};

#[derive(Serialize)]
struct Verified {
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
    let known = block_on(async { reader(config).await?.read(objects::all).await })?;
    if known.is_empty() && config.archive.is_none() {
        bail!(
            "there is no archive: the configuration has no [archive], and the database knows of no object; nothing was \
             verified"
        );
    }
    let configured = config.archive.as_ref().map(|_| super::configured(config)).transpose()?;
    let mut problems = Vec::new();
    for object in &known {
        let uri = &object.uri;
        // One client for all objects in the configured archive.
        let ours = configured.as_deref().and_then(|ours| Some((ours, uri.strip_prefix(&ours.uri(""))?)));
        let problem = match ours {
            Some((target, key)) => problem(target, key, object, args.deep)?,
            None => {
                let (target, key) = super::of_uri(config, uri)?;
                problem(target.as_ref(), &key, object, args.deep)?
            }
        };
        if let Some(problem) = problem {
            problems.push(Problem { uri: uri.clone(), problem });
        }
    }
    let account = Verified { objects: known.len(), deep: args.deep, problems };
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

/// What is wrong with an object, if anything.
fn problem(
    target: &dyn Target,
    key: &str,
    object: &KnownObject,
    deep: bool,
) -> anyhow::Result<Option<String>> {
    let Some(found) = target.find(key)? else {
        return Ok(Some("it is not there".to_owned()));
    };
    if found.bytes != object.bytes {
        return Ok(Some(format!("it has {} bytes, and was stored with {}", found.bytes, object.bytes)));
    }
    if let (Some(theirs), Some(ours)) = (found.raw_sha256, &object.raw_sha256)
        && theirs[..] != ours[..]
    {
        return Ok(Some("it was stored as another log".to_owned()));
    }
    if deep { read_back(target, key, object) } else { Ok(None) }
}

fn read_back(target: &dyn Target, key: &str, object: &KnownObject) -> anyhow::Result<Option<String>> {
    let (file, _, sha256) = fetch(target, key)?;
    if sha256[..] != object.sha256[..] {
        return Ok(Some("its bytes are not those that were stored".to_owned()));
    }
    let Some(raw) = &object.raw_sha256 else { return Ok(None) };
    Ok(match unpack::unpacked(file).and_then(hash) {
        Err(error) => Some(format!("it cannot be unpacked: {error}")),
        Ok((_, sha256)) if sha256[..] != raw[..] => Some("the log in it is not what was archived".to_owned()),
        Ok(_) => None,
    })
}
