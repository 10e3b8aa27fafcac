//! `alt stats segment`: filters that an application keeps under a name.

use alt_config::Config;
use alt_statistics::query::saved::Saved;
use alt_store::apps::Application;
use alt_store::web::audit;
use alt_store::web::saved::{self, Kept, New, OF_APP_MAX, Refused, Seen, Visibility};
use alt_store::{Client, in_transaction};
use anyhow::{anyhow, bail};

use crate::cli::{self, SegmentVisibility};
use crate::cmd::access::{LOCK_TIME, actor};
use crate::cmd::{Out, Outcome, show};

/// Dispatches the verbs.
///
/// # Errors
/// The database cannot be asked, there is no such application or segment, or a segment cannot be as it is given.
pub(super) async fn run(config: &Config, verb: &cli::StatsSegment, out: Out<'_>) -> anyhow::Result<Outcome> {
    match verb {
        cli::StatsSegment::Add(args) => {
            let app = crate::cmd::application_of(config, args.app.as_deref()).await?;
            let saved = Saved::checked(&args.name, &texts(&args.filter));
            let actor = actor();
            in_transaction(&*crate::cmd::writer(config).await?, LOCK_TIME, async |client| {
                let new =
                    New::checked(client, &app, saved.clone(), visibility(args.visibility), None).await?;
                let new = new.map_err(|why| anyhow!(why))?;
                let (_, change) = saved::add(client, &app, &new, &actor.name).await?.map_err(refused)?;
                audit::record(client, &actor, &change).await
            })
            .await?;
            writeln!(
                out,
                "added; --filter 'segment is {}' stands for its filters",
                show::safe(args.name.trim())
            )?;
        }
        cli::StatsSegment::List(args) => {
            let app = crate::cmd::application_of(config, args.app.as_deref()).await?;
            let mut reader = crate::cmd::reader(config).await?;
            let all = reader
                .read(async |client| saved::list(client, app.id, Seen::All, "", OF_APP_MAX).await)
                .await?;
            list(&all, args.json, out)?;
        }
        cli::StatsSegment::Change(args) => {
            if args.name.is_none() && args.filter.is_empty() && args.visibility.is_none() {
                bail!("nothing is to be changed: write --name, --filter or --visibility");
            }
            let app = crate::cmd::application_of(config, args.app.as_deref()).await?;
            in_transaction(&*crate::cmd::writer(config).await?, LOCK_TIME, async |client| {
                let before = held(client, &app, &args.segment).await?;
                let name = args.name.as_deref().unwrap_or(&before.name);
                let filters = if args.filter.is_empty() { &before.filters } else { &args.filter };
                let saved = Saved::checked(name, &texts(filters));
                let visibility = args.visibility.map_or(before.visibility, visibility);
                let new = New::checked(client, &app, saved, visibility, before.person).await?;
                let new = new.map_err(|why| anyhow!(why))?;
                let (_, change) = saved::change(client, &app, &before, &new).await?.map_err(refused)?;
                audit::record(client, &actor(), &change).await
            })
            .await?;
            writeln!(out, "changed; what is asked by its name is of the new filters, days before included")?;
        }
        cli::StatsSegment::Remove(args) => {
            let app = crate::cmd::application_of(config, args.app.as_deref()).await?;
            in_transaction(&*crate::cmd::writer(config).await?, LOCK_TIME, async |client| {
                let held = held(client, &app, &args.name).await?;
                let change = saved::remove(client, &app, &held).await?;
                audit::record(client, &actor(), &change).await
            })
            .await?;
            writeln!(out, "removed {}", show::safe(args.name.trim()))?;
        }
    }
    Ok(Outcome::Done)
}

fn texts(filters: &[String]) -> Vec<&str> {
    filters.iter().map(String::as_str).collect()
}

fn visibility(visibility: SegmentVisibility) -> Visibility {
    match visibility {
        SegmentVisibility::Shared => Visibility::Shared,
        SegmentVisibility::Public => Visibility::Public,
    }
}

fn refused(refused: Refused) -> anyhow::Error {
    anyhow!(refused.why())
}

async fn held(client: &Client, app: &Application, name: &str) -> anyhow::Result<Kept> {
    match saved::held_by_name(client, app, name).await? {
        Some(kept) => Ok(kept),
        None => bail!("{} has no segment {name:?}; `alt stats segment list` shows the names", app.name),
    }
}

fn list(all: &[Kept], as_json: bool, out: Out<'_>) -> anyhow::Result<()> {
    if as_json {
        return show::json(out, &all);
    }
    if all.is_empty() {
        writeln!(out, "there is no segment; `alt stats segment add NAME --filter 'country is DE'` adds one")?;
        return Ok(());
    }
    let mut rows = show::Rows::new(&["name", "filters", "visibility", "by", "added (UTC)"]);
    for kept in all {
        rows.add(&[
            kept.name.clone(),
            kept.filters.join(", "),
            kept.visibility.as_str().to_owned(),
            kept.created_by.clone(),
            kept.created_at.clone(),
        ]);
    }
    rows.print(out)
}
