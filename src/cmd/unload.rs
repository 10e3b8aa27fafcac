//! `alt unload`: takes rows out of the database again, to undo a wrong import.
//!
//! Finds the files or the application that the arguments mean. [`alt_store::unload`] changes the database.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use alt_config::Config;
use alt_line::hit::Micros;
use alt_store::read::Reader;
use alt_store::unload::{self, Selection, Taken};
use alt_store::{apps, migrate};
use anyhow::{Context, bail};
use serde::Serialize;

use super::drain::drain_after;
use super::{Out, Outcome, show, status, when};
use crate::cli;

/// What was taken out.
#[derive(Default, Serialize)]
struct Unloaded {
    dry_run: bool,
    files: Vec<String>,
    rows: i64,
    rows_by_month: BTreeMap<String, i64>,
    rejects: i64,
}

impl Unloaded {
    fn add(&mut self, taken: Taken) {
        for (month, rows) in taken.rows_by_month {
            self.rows += rows;
            *self.rows_by_month.entry(month).or_default() += rows;
        }
        self.rejects += taken.rejects;
    }
}

/// Takes rows out.
///
/// # Errors
/// The database cannot be reached, or a file is unknown or still followed.
pub async fn run(config: &Config, args: &cli::Unload, out: Out<'_>) -> anyhow::Result<Outcome> {
    let mut reader = super::reader(config).await?;
    reader.read(migrate::check_compatible).await?;
    let mut account = Unloaded { dry_run: args.dry_run, ..Unloaded::default() };
    // Look up all files before changing anything.
    let rows = match &args.app {
        Some(app) => Some(of_app(&mut reader, app, args).await?),
        None => None,
    };
    let mut files = Vec::new();
    for file in &args.files {
        for id in find(&mut reader, &config.load.host_name(), file).await? {
            if !files.contains(&id) {
                files.push(id);
            }
        }
        account.files.push(file.display().to_string());
    }
    if args.dry_run {
        if let Some(rows) = &rows {
            account.add(reader.read(async |client| unload::count_rows(client, rows).await).await?);
        }
        for id in files {
            account.add(reader.read(async |client| unload::count_file(client, id).await).await?);
        }
    } else {
        let mut writer = super::writer(config).await?;
        alt_store::roles::check_owns(&writer).await?;
        if let Some(rows) = &rows {
            account.add(unload::take_rows(&mut writer, rows).await?);
        }
        for id in files {
            account.add(unload::take_file(&mut writer, id).await?);
        }
    }
    let outcome = tell(&account, args, out)?;
    if !args.dry_run {
        drain_after(config, args.json, out)?;
    }
    Ok(outcome)
}

fn tell(account: &Unloaded, args: &cli::Unload, out: Out<'_>) -> anyhow::Result<Outcome> {
    if args.json {
        show::json(out, account)?;
        return Ok(Outcome::Done);
    }
    if args.dry_run {
        writeln!(out, "Nothing was taken out. Without --dry-run this would be:")?;
    }
    for (month, rows) in &account.rows_by_month {
        writeln!(out, "{month}   {} rows", show::number(*rows))?;
    }
    writeln!(
        out,
        "in all    {} rows, {} rejects",
        show::number(account.rows),
        show::number(account.rejects)
    )?;
    Ok(Outcome::Done)
}

async fn of_app(reader: &mut Reader, app: &str, args: &cli::Unload) -> anyhow::Result<Selection> {
    let app = reader.read(async |client| apps::find(client, app).await).await?;
    let since = when::option("--since", args.since.as_deref())?.unwrap_or(Micros::MIN);
    let until = when::option("--until", args.until.as_deref())?.unwrap_or(Micros::MAX);
    if since >= until {
        bail!("--since is not before --until: no time lies between them");
    }
    Ok(Selection::of_app(app.id, since, until))
}

/// Keys of the files that the path means, found by their bytes. If a file is gone or was only loaded beside its
/// checkpoint, it is found by its path.
async fn find(reader: &mut Reader, host: &str, path: &Path) -> anyhow::Result<Vec<i32>> {
    let is_standard_input = path.as_os_str() == "-";
    let absolute = match std::fs::canonicalize(path).or_else(|_| std::path::absolute(path)) {
        Ok(absolute) if !is_standard_input => absolute,
        _ => PathBuf::from(path),
    };
    let there = match std::fs::metadata(path) {
        _ if is_standard_input => false,
        Ok(_) => true,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => false,
        Err(e) => return Err(e).with_context(|| format!("look at {}", path.display())),
    };
    let mut found = if there { status::known_as(reader, host, path).await? } else { Vec::new() };
    let absolute = absolute.to_string_lossy();
    found.extend(reader.read(async |client| unload::files_at(client, host, &absolute, there).await).await?);
    if found.is_empty() && path.as_os_str() == "-" {
        bail!(
            "what came from standard input is known by its bytes alone: write it into a file and name that, or take \
             rows out with --app, --since and --until"
        );
    }
    if found.is_empty() {
        bail!(
            "nothing is loaded of {}: `alt status --all-hosts` shows the files that are known",
            path.display()
        );
    }
    for &id in &found {
        if let Some(log) = reader.read(async |client| unload::followed_as(client, id).await).await? {
            bail!(
                "{} is followed by the daemon, as the log {log}: what is written to it would stay out from now on. Take \
                 rows out of the database with --app, --since and --until, or wait until it is rotated and sealed",
                path.display()
            );
        }
    }
    Ok(found)
}
