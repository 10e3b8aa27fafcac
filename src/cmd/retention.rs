//! `alt retention`: what is deleted for its age, what prevents it, and a person's confirmation of the clock and of old
//! months.

use alt_config::Config;
use alt_store::deletions::{self, Deletion};
use alt_store::read::Reader;
use alt_store::retention::clock::{self, shown};
use alt_store::retention::{self, Waits};
use alt_store::{migrate, partitions};
use anyhow::{Context, bail};
use jiff::civil::Date;
use serde::Serialize;

use super::{Out, Outcome, show};
use crate::cli;

/// Shows the state, or records what a person confirms.
///
/// # Errors
/// The database cannot be asked, or the confirmation is not correct.
pub async fn run(config: &Config, verb: &cli::Retention, out: Out<'_>) -> anyhow::Result<Outcome> {
    let mut reader = super::reader(config).await?;
    reader.read(migrate::check_compatible).await?;
    match verb {
        cli::Retention::Show(args) => print(&mut reader, config, args, out).await,
        cli::Retention::Confirm(args) => confirm(&mut reader, config, args, out).await,
    }
}

#[derive(Serialize)]
struct Shown {
    /// What prevents data from being deleted, and what to do.
    waits: Option<Waiting>,
    clocks: Vec<KnownClock>,
    drops: Vec<Deletion>,
}

#[derive(Serialize)]
struct Waiting {
    what: String,
    mend: String,
}

#[derive(Serialize)]
struct KnownClock {
    host: String,
    first_right_at: String,
    last_right_at: String,
}

async fn print(
    reader: &mut Reader,
    config: &Config,
    args: &cli::RetentionShow,
    out: Out<'_>,
) -> anyhow::Result<Outcome> {
    let (host, rows) = (config.load.host_name(), config.retention.rows.as_ref());
    let waits = reader.read(async |client| retention::waits(client, &host, rows).await).await?;
    let is_well = waits.as_ref().is_none_or(|waits| waits.word().is_none());
    let told = |waits: Waits| Waiting { what: waits.to_string(), mend: waits.mend() };
    let noted = reader.read(clock::noted).await?.into_iter().filter(|noted| !noted.host.is_empty());
    let clocks = noted.map(|noted| KnownClock {
        host: noted.host,
        first_right_at: shown(noted.first),
        last_right_at: shown(noted.last),
    });
    let clocks = clocks.collect();
    let drops = reader.read(async |client| deletions::newest(client, args.limit).await).await?;
    let shown = Shown { waits: waits.map(told), clocks, drops };
    if args.json {
        show::json(out, &shown)?;
        return Ok(Outcome::of(is_well));
    }
    match &shown.waits {
        Some(waits) => writeln!(out, "{}\n    {}", show::safe(&waits.what), show::safe(&waits.mend))?,
        None => writeln!(out, "nothing waits")?,
    }
    let mut rows = show::Rows::new(&["host", "its clock was right first (UTC)", "and last"]);
    for clock in &shown.clocks {
        rows.add(&[clock.host.clone(), clock.first_right_at.clone(), clock.last_right_at.clone()]);
    }
    rows.print(out)?;
    let mut rows = show::Rows::new(&["deleted (UTC)", "by", "what", "name", "from", "until", ">count"]);
    for drop in shown.drops {
        rows.add(&[
            drop.dropped_at,
            drop.host,
            drop.what,
            drop.name.unwrap_or_default(),
            drop.from.unwrap_or_default(),
            drop.until.unwrap_or_default(),
            drop.count.map(show::number).unwrap_or_default(),
        ]);
    }
    rows.print(out)?;
    Ok(Outcome::of(is_well))
}

async fn confirm(
    reader: &mut Reader,
    config: &Config,
    args: &cli::RetentionConfirm,
    out: Out<'_>,
) -> anyhow::Result<Outcome> {
    let host = config.load.host_name();
    let today = args.today.as_deref().map(day).transpose()?;
    let drop_before = args.drop_before.as_deref().map(month).transpose()?;
    if drop_before.is_some() && config.retention.rows.is_none() {
        bail!("[retention] rows is not set on this machine: it drops no rows");
    }
    let writer = super::writer(config).await?;
    if let Some(today) = today {
        let now = clock::confirm(&writer, &host, today).await?;
        writeln!(out, "it is {}", shown(now))?;
    }
    retention::note_word(&writer, &host, today, drop_before).await?;
    let Some(keep) = &config.retention.rows else { return Ok(Outcome::Done) };
    match reader.read(async |client| clock::judge(client, &host).await).await? {
        Ok(time) => {
            let plan =
                reader.read(async |client| retention::planned(client, keep, time.at, None).await).await?;
            for month in &plan.months {
                writeln!(out, "{} will be dropped within a minute", partitions::name(*month))?;
            }
            if let Some(waits) = plan.waits {
                writeln!(out, "{waits}\n    {}", waits.mend())?;
            }
        }
        Err(doubt) => writeln!(out, "{doubt}\n    {}", doubt.mend())?,
    }
    Ok(Outcome::Done)
}

fn day(text: &str) -> anyhow::Result<Date> {
    text.parse().map_err(|_| anyhow::anyhow!("--today: {text} is no day: write 2026-11-28"))
}

/// The first day of a month.
fn month(text: &str) -> anyhow::Result<Date> {
    let is_month = text.len() == "2026-11".len();
    let first = format!("{text}-01").parse().ok().filter(|_| is_month);
    first.with_context(|| format!("--drop-before: {text} is no month: write 2025-10"))
}
