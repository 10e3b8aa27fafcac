//! `alt demo`: an application with made traffic, to look at.

use std::io::{BufWriter, Write};
use std::time::SystemTime;

use alt_config::Config;
use alt_store::{apps, migrate};
use anyhow::{Context, bail};

use super::{Out, Outcome, replay, show};
use crate::cli;
use crate::demo::{Demo, HOST};

/// The key of the application.
const KEY: &str = "alt-demo";

/// Registers the application, makes its traffic, and loads it as any other log. Call it where blocking is allowed.
///
/// # Errors
/// The application is there already, or the traffic cannot be written or loaded.
pub fn run(config: &Config, args: &cli::Demo, out: Out<'_>) -> anyhow::Result<Outcome> {
    super::block_on(register(config))?;
    let until = SystemTime::UNIX_EPOCH.elapsed().context("the clock is before 1970")?;
    let demo = Demo {
        key: KEY.to_owned(),
        until: u64::try_from(until.as_millis())?,
        days: args.days,
        visitors: args.visitors,
        seed: args.seed,
    };
    let directory = tempfile::tempdir().context("make a temporary directory (TMPDIR says where)")?;
    let path = directory.path().join("alt-demo.log");
    let write = || -> std::io::Result<u64> {
        let mut to = BufWriter::new(std::fs::File::create(&path)?);
        let lines = demo.write(&mut to)?;
        to.flush()?;
        Ok(lines)
    };
    let lines = write().with_context(|| format!("write {}", path.display()))?;
    writeln!(
        out,
        "{} lines of {} days are made; loading them",
        show::number(i64::try_from(lines)?),
        args.days
    )?;
    let outcome = replay::run(config, &cli::Replay::of(path.display().to_string()), out)?;
    writeln!(out)?;
    if !config.stats.enabled {
        writeln!(out, "Before it:      {}", super::stats::SWITCH_ON)?;
    }
    writeln!(out, "Look at it:     alt stats --app Demo --period {}d", args.days)?;
    writeln!(out, "Take it out:    alt unload --app {KEY} && alt app disable {KEY}")?;
    Ok(outcome)
}

async fn register(config: &Config) -> anyhow::Result<()> {
    let mut reader = super::reader(config).await?;
    reader.read(migrate::check_compatible).await?;
    let there = reader.read(apps::all).await?.into_iter().find(|app| app.key == KEY);
    let mut writer = super::writer(config).await?;
    match there {
        None => {
            apps::add(&mut writer, KEY, "Demo", &[HOST.to_owned()], "UTC").await?;
        }
        // It was taken out.
        Some(app) if app.disabled_at.is_some() => {
            apps::enable(&mut writer, KEY).await?;
        }
        Some(app) => bail!(
            "the demo is there already, as the application {} ({KEY}): `alt unload --app {KEY} && alt app disable {KEY}` takes \
             it out",
            show::safe(&app.name)
        ),
    }
    Ok(())
}
