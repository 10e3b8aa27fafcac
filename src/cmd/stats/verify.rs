//! `alt stats verify`: compares statistics with what plain SQL counts of the rows.

use std::collections::BTreeMap;

use alt_config::Config;
use alt_store::stats::days::AppDay;
use alt_store::stats::verify::{self, Difference, Figure, Verified};
use alt_store::{apps, migrate};
use serde_json::json;

use crate::cli;
use crate::cmd::{Out, Outcome, show};

/// How many differences of a day are shown.
const SHOWN: usize = 20;

/// Compares day after day, the newest first.
///
/// # Errors
/// The database cannot be asked, or the arguments are not correct.
pub(super) async fn run(config: &Config, args: &cli::StatsVerify, out: Out<'_>) -> anyhow::Result<Outcome> {
    let mut reader = crate::cmd::reader(config).await?;
    reader.read(migrate::check_compatible).await?;
    let app = match &args.app {
        Some(app) => Some(reader.read(async |client| apps::find(client, app).await).await?.id),
        None => None,
    };
    let (from, until) = (args.from.map(|day| day.to_string()), args.until.map(|day| day.to_string()));
    let (from, until) = (from.as_deref(), until.as_deref());
    let days = reader.read(async |client| verify::days(client, app, from, until).await).await?;
    let mut names = BTreeMap::new();
    for app in reader.read(apps::all).await? {
        names.insert(app.id, app.name);
    }
    let bar = super::bar(days.len() as u64);
    let (mut values, mut equal, mut skipped, mut different) = (0, 0, 0, 0);
    for of in days {
        let verified = reader.read(async |client| verify::day(client, of).await).await?;
        let AppDay { app, day } = of;
        let name = names.get(&app).map_or("", String::as_str);
        if args.json {
            show::json(out, &as_json(name, &day.to_string(), &verified))?;
        }
        match &verified {
            Verified::Equal(count) => {
                values += count;
                equal += 1;
            }
            Verified::Skipped(why) => {
                skipped += 1;
                if !args.json {
                    bar.suspend(|| writeln!(out, "{day}  {}: not compared: {why}", show::safe(name)))?;
                }
            }
            Verified::Different(differences) => {
                different += 1;
                if !args.json {
                    bar.suspend(|| tell(name, &day.to_string(), differences, out))?;
                }
            }
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    if !args.json {
        let number = |n: i64| show::number(n);
        writeln!(
            out,
            "{} days are as plain SQL counts them ({} values); {} are different; {} were not compared",
            number(equal),
            number(i64::try_from(values).unwrap_or(i64::MAX)),
            number(different),
            number(skipped)
        )?;
    }
    Ok(Outcome::of(different == 0))
}

fn as_json(app: &str, day: &str, verified: &Verified) -> serde_json::Value {
    match verified {
        Verified::Equal(values) => json!({"app": app, "day": day, "values": values, "differences": []}),
        Verified::Different(differences) => json!({"app": app, "day": day, "differences": differences}),
        Verified::Skipped(why) => json!({"app": app, "day": day, "not_compared": why}),
    }
}

fn tell(app: &str, day: &str, differences: &[Difference], out: Out<'_>) -> anyhow::Result<()> {
    writeln!(out, "{day}  {}: different", show::safe(app))?;
    let mut rows = show::Rows::new(&["class", "dimension", "value", "count", ">stored", ">plain SQL"]);
    let figure = |figure: &Figure| match figure {
        Figure::Number(n) => show::number(i64::try_from(*n).unwrap_or(i64::MAX)),
        Figure::Text(text) => text.clone(),
    };
    for one in differences.iter().take(SHOWN) {
        let value = if one.value.is_empty() { "(none)" } else { &one.value };
        rows.add(&[
            one.class.clone(),
            one.dimension.clone(),
            value.to_owned(),
            one.count.to_owned(),
            figure(&one.stored),
            figure(&one.counted),
        ]);
    }
    rows.print(out)?;
    if let Some(more) = differences.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        writeln!(out, "and at least {more} more")?;
    }
    Ok(())
}
