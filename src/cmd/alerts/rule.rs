//! `alt alerts rule`: adds, lists, removes and switches rules.

use std::io::Read;
use std::path::Path;

use alt_alerts::rule::{Rule, parse_all};
use alt_config::Config;
use alt_process::clock;
use alt_store::alerts::rules::{self, Version};
use alt_store::alerts::troubles::{self, Trouble};
use anyhow::{Context, bail};

use super::super::{Out, Outcome, show, when};
use super::{change, hint};
use crate::cli;

/// Rules to begin with.
const SAMPLES: &str = include_str!("samples.toml");

/// The most that is read of a file of rules.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Dispatches the verbs.
///
/// # Errors
/// The database cannot be reached, or a rule does not exist or cannot be as it is given.
pub(super) async fn run(config: &Config, verb: &cli::AlertRule, out: Out<'_>) -> anyhow::Result<Outcome> {
    match verb {
        cli::AlertRule::Add(args) => {
            let all = read(&args.file)?;
            if all.is_empty() {
                bail!("{} has no [[rule]]", args.file.display());
            }
            check_channels(config, &all, out)?;
            let from = args.from.as_deref().map(|text| when::when(text, clock::now()));
            let from = from.transpose().map_err(|why| anyhow::anyhow!("--from: {why}"))?;
            add(config, &all, from, args.replace).await?;
            writeln!(out, "added: {}", names(&all))?;
            hint(config, out)
        }
        cli::AlertRule::List(args) => {
            let mut reader = super::super::reader(config).await?;
            let all = reader.read(async |client| rules::present(client).await).await?;
            let troubles = reader.read(async |client| troubles::now(client, None).await).await?;
            list(&all, &troubles, args.json, out)
        }
        cli::AlertRule::Remove(args) => {
            change(config, async |client, by| Ok(((), vec![rules::remove(client, &args.name, by).await?])))
                .await?;
            writeln!(out, "removed; what it found stays")?;
            Ok(Outcome::Done)
        }
        cli::AlertRule::Enable(args) => switch(config, &args.name, true, out).await,
        cli::AlertRule::Disable(args) => switch(config, &args.name, false, out).await,
        cli::AlertRule::Samples(args) if !args.add => {
            write!(out, "{SAMPLES}")?;
            Ok(Outcome::Done)
        }
        cli::AlertRule::Samples(_) => {
            let mut reader = super::super::reader(config).await?;
            let known = reader.read(async |client| rules::present(client).await).await?;
            let mut all = parse_all(SAMPLES).map_err(anyhow::Error::msg)?;
            all.retain(|rule| !known.iter().any(|version| version.name == rule.name));
            add(config, &all, None, false).await?;
            match all.is_empty() {
                true => writeln!(out, "all of them are there already")?,
                false => writeln!(out, "added: {}", names(&all))?,
            }
            hint(config, out)
        }
    }
}

fn names(all: &[Rule]) -> String {
    all.iter().map(|rule| show::safe(&rule.name).into_owned()).collect::<Vec<_>>().join(", ")
}

async fn add(config: &Config, all: &[Rule], from: Option<i64>, replaces: bool) -> anyhow::Result<()> {
    change(config, async |client, by| {
        let mut changes = Vec::new();
        for rule in all {
            let added = rules::add(client, rule, from, replaces, by).await;
            changes.push(added.with_context(|| format!("rule {:?}", rule.name))?);
        }
        Ok(((), changes))
    })
    .await
}

async fn switch(config: &Config, name: &str, is_on: bool, out: Out<'_>) -> anyhow::Result<Outcome> {
    let is_changed = change(config, async |client, by| {
        let change = rules::enable(client, name, is_on, by).await?;
        Ok((change.is_some(), change.into_iter().collect()))
    });
    let (what, now) = if is_on { ("is judged", "enabled") } else { ("is not judged", "disabled") };
    match is_changed.await? {
        true => writeln!(out, "{now}")?,
        false => writeln!(out, "it {what} already")?,
    }
    if is_on { hint(config, out) } else { Ok(Outcome::Done) }
}

/// The rules of a file.
///
/// # Errors
/// It cannot be read, or what is wrong in it.
pub(super) fn read(file: &Path) -> anyhow::Result<Vec<Rule>> {
    let text = text(file)?;
    parse_all(&text).map_err(anyhow::Error::msg).with_context(|| file.display().to_string())
}

/// The text of a file of rules; `-` is the standard input.
///
/// # Errors
/// It cannot be read, or is too long.
pub(super) fn text(file: &Path) -> anyhow::Result<String> {
    let mut text = String::new();
    let context = || format!("read {}", file.display());
    let read = if file == Path::new("-") {
        std::io::stdin().take(FILE_BYTES_MAX + 1).read_to_string(&mut text)
    } else {
        std::fs::File::open(file).with_context(context)?.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)
    };
    read.with_context(context)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        bail!("{} is larger than a mebibyte: that is no file of rules", file.display());
    }
    Ok(text)
}

/// Says which channels of rules this configuration does not have.
fn check_channels(config: &Config, all: &[Rule], out: Out<'_>) -> anyhow::Result<()> {
    for rule in all {
        let is_known = |name: &String| config.channels.iter().any(|channel| channel.name == *name);
        for channel in rule.channels.iter().filter(|name| !is_known(name)) {
            let (name, channel) = (show::safe(&rule.name), show::safe(channel));
            writeln!(out, "rule {name}: there is no [[channel]] {channel} in this configuration")?;
        }
    }
    Ok(())
}

/// A rule, and where it is not judged.
fn shown(version: &Version, troubles: &[Trouble]) -> serde_json::Value {
    let mut value = version.shown();
    value["troubles"] = serde_json::json!(of(version, troubles).collect::<Vec<_>>());
    value
}

/// The applications in which a rule is not judged.
fn of<'t>(version: &'t Version, troubles: &'t [Trouble]) -> impl Iterator<Item = &'t Trouble> {
    let is_its = |one: &Trouble| version.judged().is_some_and(|rule| rule.is_of(&one.application_id));
    troubles.iter().filter(move |one| one.is_of(&version.name) && is_its(one))
}

fn list(all: &[Version], troubles: &[Trouble], as_json: bool, out: Out<'_>) -> anyhow::Result<Outcome> {
    if as_json {
        show::json(out, &all.iter().map(|version| shown(version, troubles)).collect::<Vec<_>>())?;
        return Ok(Outcome::Done);
    }
    if all.is_empty() {
        writeln!(out, "there is no rule; `alt alerts rule samples --add` adds some to begin with")?;
        return Ok(Outcome::Done);
    }
    let mut rows = show::Rows::new(&["name", "severity", "state", "application", "channels", "when"]);
    for version in all {
        let row = match &version.rule {
            Some(rule) => [
                version.name.clone(),
                rule.severity.name().to_owned(),
                match rule.is_enabled {
                    true if of(version, troubles).next().is_some() => "not judged".to_owned(),
                    true => "on".to_owned(),
                    false => "off".to_owned(),
                },
                rule.application.clone(),
                if rule.channels.is_empty() { "all".to_owned() } else { rule.channels.join(" ") },
                rule.condition(),
            ],
            None => {
                let why = version.broken.clone().unwrap_or_default();
                [
                    version.name.clone(),
                    String::new(),
                    "not understood".to_owned(),
                    String::new(),
                    String::new(),
                    why,
                ]
            }
        };
        rows.add(&row);
    }
    rows.print(out)?;
    super::tell_troubles(troubles, out)?;
    Ok(Outcome::Done)
}
