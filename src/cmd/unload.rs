//! `alt unload`: takes rows out again, so that a wrong import can be undone.
//!
//! The rows of each month go in one transaction, with what changes in the ledgers of their files. A file that goes as a
//! whole is marked first: from then on nobody loads it by its checkpoint.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use alt_config::Config;
use alt_line::hit::Micros;
use alt_process::clock::{micros, system_time};
use alt_store::{migrate, partitions};
use anyhow::{Context, bail};
use serde::Serialize;
use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};

use super::{Out, Outcome, show, status, when};
use crate::cli;

/// What is taken out: of a file, or of an application.
struct What {
    file_id: Option<i32>,
    app_id: Option<i32>,
    since: Micros,
    until: Micros,
}

/// What was taken out.
#[derive(Default, Serialize)]
struct Account {
    dry_run: bool,
    files: Vec<String>,
    rows: i64,
    rows_by_month: BTreeMap<String, i64>,
    rejects: i64,
}

/// Takes rows out.
///
/// # Errors
/// The database cannot be reached, or a file is unknown, or still followed.
pub async fn run(config: &Config, args: &cli::Unload, out: Out<'_>) -> anyhow::Result<Outcome> {
    let mut client = super::connect(config).await?;
    migrate::check_compatible(&client).await?;
    let mut account = Account { dry_run: args.dry_run, ..Account::default() };
    if let Some(app) = &args.app {
        let what = of_app(&client, app, args).await?;
        take_out(&mut client, &what, &mut account).await?;
    }
    // All are looked up before anything is done.
    let mut files = Vec::new();
    for file in &args.files {
        for id in find(&client, &config.load.host_name(), file).await? {
            if !files.contains(&id) {
                files.push(id);
            }
        }
        account.files.push(file.display().to_string());
    }
    for id in files {
        file(&mut client, id, &mut account).await?;
    }
    if args.json {
        show::json(out, &account)?;
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

async fn of_app(client: &Client, app: &str, args: &cli::Unload) -> anyhow::Result<What> {
    let key = super::app::find(client, app).await?.key;
    let sql = "SELECT id FROM applications WHERE app_key = $1";
    let app_id = client.query_typed_one(sql, &[(&key, Type::TEXT)]).await?.get(0);
    let since = when::option("--since", args.since.as_deref())?.unwrap_or(Micros::MIN);
    let until = when::option("--until", args.until.as_deref())?.unwrap_or(Micros::MAX);
    if since >= until {
        bail!("--since is not before --until: no time lies between them");
    }
    Ok(What { file_id: None, app_id: Some(app_id), since, until })
}

/// Keys of the files that are meant: by their bytes, or, where they are gone or were only loaded beside their
/// checkpoint, by their path.
async fn find(client: &Client, host: &str, path: &Path) -> anyhow::Result<Vec<i32>> {
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
    let mut found = if there { status::known_as(client, host, path).await? } else { Vec::new() };
    let sql = "SELECT f.id FROM log_files f LEFT JOIN checkpoints c ON c.file_id = f.id \
               WHERE f.host = $1 AND f.path = $2 AND (c.file_id IS NULL OR NOT $3) ORDER BY f.id";
    let parameters: [(&(dyn ToSql + Sync), Type); 3] =
        [(&host, Type::TEXT), (&absolute.to_string_lossy(), Type::TEXT), (&there, Type::BOOL)];
    found.extend(client.query_typed(sql, &parameters).await?.iter().map(|row| row.get::<_, i32>(0)));
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
    for id in &found {
        let sql = "SELECT f.source, f.path FROM checkpoints c JOIN log_files f ON f.id = c.file_id \
                   WHERE c.file_id = $1 AND NOT c.sealed AND f.source <> 'replay'";
        if let Some(row) = client.query_typed_opt(sql, &[(id, Type::INT4)]).await? {
            bail!(
                "{} is followed by the daemon, as the log {}: what is written to it would stay out from now on. Take \
                 rows out of the database with --app, --since and --until, or wait until it is rotated and sealed",
                path.display(),
                row.get::<_, String>(0)
            );
        }
    }
    Ok(found)
}

/// Takes a whole file out.
async fn file(client: &mut Client, id: i32, account: &mut Account) -> anyhow::Result<()> {
    let what = What { file_id: Some(id), app_id: None, since: Micros::MIN, until: Micros::MAX };
    if !account.dry_run {
        let mark = "UPDATE checkpoints SET unloaded_at = coalesce(unloaded_at, now()) WHERE file_id = $1";
        client.execute_typed(mark, &[(&id, Type::INT4)]).await.context("mark the file")?;
    }
    let mut loaded = loaded_by_ids(client, id).await?;
    loop {
        take_out(client, &what, account).await?;
        if account.dry_run {
            break;
        }
        // A file that is read beside no checkpoint has no mark: rows that came meanwhile go too.
        let sql = "DELETE FROM loaded_by_ids WHERE file_id = $1 AND loaded_at = $2";
        client.execute_typed(sql, &[(&id, Type::INT4), (&loaded, Type::TIMESTAMPTZ)]).await?;
        loaded = loaded_by_ids(client, id).await?;
        if loaded.is_none() {
            break;
        }
    }
    let rejects = if account.dry_run {
        "SELECT coalesce(sum(lines), 0)::bigint FROM rejected_lines WHERE file_id = $1"
    } else {
        "WITH gone AS (DELETE FROM rejected_lines WHERE file_id = $1 RETURNING lines), \
              moved AS (UPDATE checkpoints SET rejects = 0, unloaded = unloaded + rejects WHERE file_id = $1) \
         SELECT coalesce(sum(lines), 0)::bigint FROM gone"
    };
    let row = client.query_typed_one(rejects, &[(&id, Type::INT4)]).await.context("take its rejects out")?;
    account.rejects += row.get::<_, i64>(0);
    Ok(())
}

/// When rows of a file were last loaded by ids.
async fn loaded_by_ids(client: &Client, id: i32) -> anyhow::Result<Option<SystemTime>> {
    let sql = "SELECT loaded_at FROM loaded_by_ids WHERE file_id = $1";
    Ok(client.query_typed_opt(sql, &[(&id, Type::INT4)]).await?.map(|row| row.get(0)))
}

/// Takes rows out, month by month.
async fn take_out(client: &mut Client, what: &What, account: &mut Account) -> anyhow::Result<()> {
    let sql = "SELECT min(first_at), max(last_at) FROM (SELECT file_id, first_at, last_at FROM checkpoints \
               UNION ALL SELECT file_id, first_at, last_at FROM loaded_by_ids) l \
               WHERE $1::integer IS NULL OR file_id = $1";
    let row = client.query_typed_one(sql, &[(&what.file_id, Type::INT4)]).await?;
    let (Some(first), Some(last)) = (row.get(0), row.get(1)) else { return Ok(()) };
    let (first, last) = (micros(first).max(what.since), micros(last).min(what.until.saturating_sub(1)));
    if first > last {
        return Ok(());
    }
    for month in partitions::month(first)..=partitions::month(last) {
        let from = system_time(partitions::begin(month).max(what.since));
        let to = system_time(partitions::begin(month + 1).min(what.until));
        let sql = if account.dry_run {
            "SELECT count(*) FROM access_logs WHERE ($1::integer IS NULL OR file_id = $1) \
             AND ($2::integer IS NULL OR app_id = $2) AND occurred_at >= $3 AND occurred_at < $4"
        } else {
            include_str!("../../sql/unload.sql")
        };
        let parameters: [(&(dyn ToSql + Sync), Type); 4] = [
            (&what.file_id, Type::INT4),
            (&what.app_id, Type::INT4),
            (&from, Type::TIMESTAMPTZ),
            (&to, Type::TIMESTAMPTZ),
        ];
        let name = partitions::label(month);
        let rows: i64 = client
            .query_typed_one(sql, &parameters)
            .await
            .with_context(|| format!("take the rows of {name} out"))?
            .get(0);
        if rows > 0 {
            account.rows += rows;
            *account.rows_by_month.entry(name).or_default() += rows;
        }
    }
    Ok(())
}
