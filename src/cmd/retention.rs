//! `alt retention`: what is deleted for its age, what keeps it, and a person's word for the clock and for old months.

use alt_config::Config;
use alt_store::retention::clock::{self, shown};
use alt_store::retention::{self, Waits};
use alt_store::{migrate, partitions};
use anyhow::{Context, bail};
use jiff::civil::Date;
use serde::Serialize;
use tokio_postgres::Client;
use tokio_postgres::types::Type;

use super::{Out, Outcome, show};
use crate::cli;

/// Shows, or notes what a person says.
///
/// # Errors
/// The database cannot be asked, or what is said is not so.
pub async fn run(config: &Config, verb: &cli::Retention, out: Out<'_>) -> anyhow::Result<Outcome> {
    let client = super::connect(config).await?;
    migrate::check_compatible(&client).await?;
    match verb {
        cli::Retention::Show(args) => print(&client, config, args, out).await,
        cli::Retention::Confirm(args) => confirm(&client, config, args, out).await,
    }
}

#[derive(Serialize)]
struct Shown {
    /// What keeps something from being deleted, and what to do.
    waits: Option<Waiting>,
    clocks: Vec<KnownClock>,
    drops: Vec<Drop>,
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

#[derive(Serialize)]
struct Drop {
    dropped_at: String,
    host: String,
    what: String,
    name: Option<String>,
    from: Option<String>,
    until: Option<String>,
    count: Option<i64>,
}

async fn print(
    client: &Client,
    config: &Config,
    args: &cli::RetentionShow,
    out: Out<'_>,
) -> anyhow::Result<Outcome> {
    let waits = retention::waits(client, &config.load.host_name(), config.retention.rows.as_ref()).await?;
    let is_well = waits.as_ref().is_none_or(|waits| waits.word().is_none());
    let told = |waits: Waits| Waiting { what: waits.to_string(), mend: waits.mend() };
    let noted = clock::noted(client).await?.into_iter().filter(|noted| !noted.host.is_empty());
    let clocks = noted.map(|noted| KnownClock {
        host: noted.host,
        first_right_at: shown(noted.first),
        last_right_at: shown(noted.last),
    });
    let clocks = clocks.collect();
    let shown = Shown { waits: waits.map(told), clocks, drops: drops(client, args.limit).await? };
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

async fn drops(client: &Client, limit: u32) -> anyhow::Result<Vec<Drop>> {
    let sql = include_str!("../../sql/drops.sql");
    let rows = client.query_typed(sql, &[(&i64::from(limit), Type::INT8)]).await;
    let rows = rows.context("read what was deleted")?;
    let drop = |row: &tokio_postgres::Row| Drop {
        dropped_at: row.get("dropped_at"),
        host: row.get("host"),
        what: row.get("what"),
        name: row.get("name"),
        from: row.get("from_at"),
        until: row.get("until_at"),
        count: row.get("count"),
    };
    Ok(rows.iter().map(drop).collect())
}

async fn confirm(
    client: &Client,
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
    if let Some(today) = today {
        let now = clock::confirm(client, &host, today).await?;
        writeln!(out, "it is {}", shown(now))?;
    }
    retention::note_word(client, &host, today, drop_before).await?;
    let Some(keep) = &config.retention.rows else { return Ok(Outcome::Done) };
    match clock::judge(client, &host).await? {
        Ok(time) => {
            let plan = retention::planned(client, keep, time.at, None).await?;
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
