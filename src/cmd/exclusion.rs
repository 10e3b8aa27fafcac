//! `alt exclusion`: the exclusions of an application. Each change is recorded in `audit_log`, in its own transaction.

use alt_config::Config;
use alt_store::exclusions::{self, Kept, New};
use alt_store::in_transaction;
use alt_store::web::audit;
use anyhow::{anyhow, bail};

use super::access::{LOCK_TIME, actor};
use super::{Out, Outcome, show};
use crate::cli;

/// Dispatches the verbs.
///
/// # Errors
/// The database cannot be reached, the application or the exclusion does not exist, or an exclusion cannot be as it is given.
pub async fn run(config: &Config, verb: &cli::Exclusion, out: Out<'_>) -> anyhow::Result<Outcome> {
    match verb {
        cli::Exclusion::Add(args) => add(config, args, out).await?,
        cli::Exclusion::List(args) => {
            let app = super::application_of(config, args.app.as_deref()).await?;
            let mut reader = super::reader(config).await?;
            let all = reader.read(async |client| exclusions::list(client, app.id).await).await?;
            list(&all, args.json, out)?;
        }
        cli::Exclusion::Remove(args) => remove(config, args, out).await?,
    }
    Ok(Outcome::Done)
}

async fn add(config: &Config, args: &cli::ExclusionAdd, out: Out<'_>) -> anyhow::Result<()> {
    let given =
        [("address", &args.address), ("country", &args.country), ("path", &args.path), ("host", &args.host)];
    let mut given = given.into_iter().filter_map(|(kind, value)| Some((kind, value.as_deref()?)));
    let Some((kind, value)) = given.next() else { bail!("name an address, a country, a path or a host") };
    let new = New::checked(kind, value, args.note.as_deref()).map_err(|why| anyhow!(why))?;
    let app = super::application_of(config, args.app.as_deref()).await?;
    in_transaction(&*super::writer(config).await?, LOCK_TIME, async |client| {
        match exclusions::add(client, &app, &new).await? {
            Ok((_, change)) => audit::record(client, &actor(), &change).await,
            Err(refused) => {
                bail!("{}: {}; `alt exclusion list` shows them", new.text(), refused.phrase())
            }
        }
    })
    .await?;
    writeln!(
        out,
        "added {} to {}: what is loaded from now on is left out, by a running `alt run` after 30 seconds at most.\n\
         Rows that are there keep their class; `alt unload` and `alt replay` of their logs count them again.",
        show::safe(&new.text()),
        show::safe(&app.name)
    )?;
    Ok(())
}

async fn remove(config: &Config, args: &cli::ExclusionRemove, out: Out<'_>) -> anyhow::Result<()> {
    let app = super::application_of(config, args.app.as_deref()).await?;
    let removed = in_transaction(&*super::writer(config).await?, LOCK_TIME, async |client| {
        let known = exclusions::list(client, app.id).await?;
        let is_it = |kept: &&Kept| kept.id.to_string() == args.rule || kept.value == args.rule;
        let mut found = known.into_iter().filter(|kept| is_it(&kept));
        let (Some(kept), None) = (found.next(), found.next()) else {
            bail!(
                "{} has no one exclusion {}; `alt exclusion list` shows the values and ids",
                app.name,
                args.rule
            )
        };
        let Some(change) = exclusions::remove(client, &app, kept.id).await? else {
            bail!("the exclusion {} is gone already", args.rule)
        };
        audit::record(client, &actor(), &change).await?;
        Ok(format!("{} {}", kept.kind, kept.value))
    })
    .await?;
    writeln!(
        out,
        "removed {}; rows that it left out keep their class, and `alt unload` and `alt replay` of their logs count them again",
        show::safe(removed.trim_start())
    )?;
    Ok(())
}

fn list(all: &[Kept], as_json: bool, out: Out<'_>) -> anyhow::Result<()> {
    if as_json {
        return show::json(out, &all);
    }
    if all.is_empty() {
        writeln!(out, "there is no exclusion; `alt exclusion add --address ADDRESS` adds one")?;
        return Ok(());
    }
    let mut rows = show::Rows::new(&["id", "kind", "value", "note", "added (UTC)"]);
    for kept in all {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let kind = if kept.wrong.is_some() { "no rule" } else { &kept.kind };
        rows.add(&[
            kept.id.to_string(),
            kind.to_owned(),
            kept.value.clone(),
            text(&kept.note),
            text(&kept.created_at),
        ]);
    }
    rows.print(out)?;
    for kept in all {
        if let Some(why) = &kept.wrong {
            writeln!(out, "\n{} is ignored: {}", kept.id, show::safe(why))?;
        }
    }
    Ok(())
}
