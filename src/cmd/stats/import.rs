//! `alt stats import`: statistics of the time before, from the exports of other products.

mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;

use alt_config::Config;
use alt_statistics::day::Day;
use alt_store::apps::{self, Application};
use alt_store::connect::Connection;
use alt_store::stats::days::AppDay;
use alt_store::stats::import;
use alt_store::{in_transaction, migrate};
use anyhow::{Context, bail};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::json;

use crate::cli;
use crate::cmd::{Out, Outcome, show};
use table::{Account, Days, Sums, Taken};

/// The class of the visitors that other products count.
const CLASS: &str = "human";

/// How many days one transaction stores.
const DAYS_AT_ONCE: usize = 20;

/// The most bytes that are unpacked of a file of a ZIP archive, so that a small archive is no endless one.
const UNPACKED_MAX: u64 = 4 << 30;

/// The days that stay as they are, of which so many are named.
const NAMED: usize = 5;

/// Imports statistics, or removes those that were imported.
///
/// # Errors
/// The database cannot be asked, the arguments are not correct, or a file is none of the known kinds.
pub(super) async fn run(config: &Config, args: &cli::StatsImport, out: Out<'_>) -> anyhow::Result<Outcome> {
    let mut reader = crate::cmd::reader(config).await?;
    reader.read(migrate::check_compatible).await?;
    let app = reader.read(async |client| apps::find(client, &args.app).await).await?;
    if args.remove {
        let writer = crate::cmd::writer(config).await?;
        let days =
            in_transaction(&writer, "30s", async |client| import::remove(client, app.id).await).await?;
        match args.json {
            true => show::json(out, &json!({ "removed_days": days }))?,
            false => writeln!(out, "the statistics of {days} imported days are removed")?,
        }
        return Ok(Outcome::Done);
    }
    let label = args.dimension.as_deref().map(dimension).transpose()?;
    let taken = Taken { label, from: args.from, until: args.until };
    let mut days = Days::default();
    let mut accounts = Vec::new();
    for path in &args.files {
        read(path, taken, &mut days, &mut accounts)?;
    }
    let mut days = days.finish();
    // A day that goes on, or is to come, would stay as it is imported, whatever happens in it.
    let zone = TimeZone::get(&app.time_zone).unwrap_or(TimeZone::UTC);
    let today = Timestamp::now().to_zoned(zone.clone()).date();
    let not_over = days.split_off(&today);
    let without: Vec<&Date> = days
        .iter()
        .filter(|(_, sums)| !sums.contains_key(&("total", String::new())))
        .map(|day| day.0)
        .collect();
    if let Some(first) = without.first() {
        bail!(
            "no file has the totals of {} of {} days, from {first} on: add the table with one line a day (Plausible's is \
             imported_visitors_….csv)",
            without.len(),
            days.len()
        );
    }
    let stored = if args.dry_run { BTreeSet::new() } else { store(config, app.id, &zone, &days).await? };
    let imported = Imported { accounts, days, stored };
    tell(args, &app, &imported, out)?;
    if let Some((first, _)) = not_over.first_key_value() {
        tracing::warn!(days = not_over.len(), %first, "days that are not over are not imported");
    }
    Ok(Outcome::of(args.dry_run || !imported.stored.is_empty()))
}

fn dimension(name: &str) -> anyhow::Result<&'static str> {
    let Some(known) = table::dimensions().find(|known| *known == name) else {
        let all: Vec<&str> = table::dimensions().collect();
        bail!("--dimension {name} is none of {}", all.join(", "));
    };
    Ok(known)
}

/// The name of a table, and what was read of it.
type Table = (String, Account);

/// Reads a table, or each table of a ZIP archive.
fn read(path: &Path, taken: Taken, days: &mut Days, accounts: &mut Vec<Table>) -> anyhow::Result<()> {
    let mut file = File::open(path).with_context(|| format!("open {}", path.display()))?;
    let mut begin = [0; 4];
    let is_zip = matches!(file.read(&mut begin), Ok(4)) && begin == *b"PK\x03\x04";
    file.rewind()
        .with_context(|| format!("read {} from its beginning: it has to be a file", path.display()))?;
    if !is_zip {
        let account = table::add(file, taken, days).with_context(|| format!("{}", path.display()))?;
        accounts.push((path.display().to_string(), account));
        return Ok(());
    }
    let mut archive =
        zip::ZipArchive::new(file).with_context(|| format!("read {} as a ZIP archive", path.display()))?;
    for n in 0..archive.len() {
        let entry = archive.by_index(n).with_context(|| format!("unpack {}", path.display()))?;
        let name =
            entry.name().with_context(|| format!("read the names within {}", path.display()))?.into_owned();
        let is_table = Path::new(&name).extension().is_some_and(|end| end.eq_ignore_ascii_case("csv"));
        if !entry.is_file() || !is_table {
            continue;
        }
        let within = || format!("{}: {}", path.display(), show::safe(&name));
        let mut limited = entry.take(UNPACKED_MAX);
        let account = table::add(&mut limited, taken, days).with_context(within)?;
        if limited.limit() == 0 {
            bail!("{}: it has more than {} GiB", within(), UNPACKED_MAX >> 30);
        }
        accounts.push((name, account));
    }
    Ok(())
}

/// Stores the days; those that were.
async fn store(
    config: &Config,
    app: i32,
    zone: &TimeZone,
    days: &BTreeMap<Date, Sums>,
) -> anyhow::Result<BTreeSet<Date>> {
    let writer: Connection = crate::cmd::writer(config).await?;
    let bar = super::bar(days.len() as u64);
    let mut stored = BTreeSet::new();
    let all: Vec<(&Date, &Sums)> = days.iter().collect();
    for some in all.chunks(DAYS_AT_ONCE) {
        let taken = in_transaction(&writer, "60s", async |client| {
            let mut taken = Vec::new();
            for (date, sums) in some {
                if import::store(client, AppDay { app, day: **date }, zone, &statistics(sums)).await? {
                    taken.push(**date);
                }
            }
            Ok(taken)
        })
        .await?;
        stored.extend(taken);
        bar.inc(some.len() as u64);
    }
    bar.finish_and_clear();
    Ok(stored)
}

fn statistics(sums: &Sums) -> Day {
    let values = sums
        .iter()
        .map(|((dimension, value), counts)| ((CLASS.to_owned(), *dimension, value.clone()), *counts));
    Day { values: values.collect() }
}

/// What became of an import.
struct Imported {
    accounts: Vec<Table>,
    days: BTreeMap<Date, Sums>,
    /// The days that were stored.
    stored: BTreeSet<Date>,
}

fn tell(
    args: &cli::StatsImport,
    app: &Application,
    Imported { accounts, days, stored }: &Imported,
    out: Out<'_>,
) -> anyhow::Result<()> {
    let kept: Vec<String> =
        days.keys().filter(|day| !args.dry_run && !stored.contains(day)).map(Date::to_string).collect();
    if args.json {
        let files = accounts.iter().map(|(name, account)| {
            json!({ "file": name, "lines": account.lines, "dimensions": account.dimensions, "ignored": account.ignored })
        });
        return show::json(
            out,
            &json!({
                "application": app.name,
                "files": files.collect::<Vec<_>>(),
                "days": days.len(),
                "imported": stored.len(),
                "kept": kept,
            }),
        );
    }
    let mut rows = show::Rows::new(&["file", ">lines", "for", "columns left out"]);
    for (name, account) in accounts {
        let dimensions: Vec<&str> = account.dimensions.iter().copied().collect();
        rows.add(&[
            Path::new(name).file_name().map_or(name.clone(), |name| name.display().to_string()),
            show::number(i64::try_from(account.lines).unwrap_or(i64::MAX)),
            dimensions.join(", "),
            account.ignored.join(", "),
        ]);
    }
    rows.print(out)?;
    let (first, last) = (days.keys().next(), days.keys().next_back());
    let (Some(first), Some(last)) = (first, last) else {
        writeln!(out, "no day lies in that time")?;
        return Ok(());
    };
    match args.dry_run {
        true => writeln!(out, "{} days, {first} to {last}, would be imported", days.len())?,
        false => writeln!(out, "{} of {} days, {first} to {last}, are imported", stored.len(), days.len())?,
    }
    if !kept.is_empty() {
        let more = kept.len().saturating_sub(NAMED);
        let named = kept.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        writeln!(out, "these have events of their own and stay as they are: {named}{more}")?;
    }
    Ok(())
}
