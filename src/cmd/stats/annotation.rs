//! `alt stats annotation`: what happened on days of an application.

use alt_config::Config;
use alt_store::in_transaction;
use alt_store::web::annotations::{self, Annotation, Kept, OF_APP_MAX, Seen};
use alt_store::web::audit;
use anyhow::{anyhow, bail};

use crate::cli;
use crate::cmd::access::{LOCK_TIME, actor};
use crate::cmd::{Out, Outcome, show};

/// Dispatches the verbs.
///
/// # Errors
/// The database cannot be asked, there is no such application or annotation, or an annotation cannot be as it is given.
pub(super) async fn run(
    config: &Config,
    verb: &cli::StatsAnnotation,
    out: Out<'_>,
) -> anyhow::Result<Outcome> {
    match verb {
        cli::StatsAnnotation::Add(args) => {
            let app = crate::cmd::application_of(config, args.app.as_deref()).await?;
            let new = Annotation::checked(&app, &args.day, &args.text, args.public);
            let new = new.map_err(|why| anyhow!(why))?;
            let mut id = 0;
            in_transaction(&*crate::cmd::writer(config).await?, LOCK_TIME, async |client| {
                let Some((kept, change)) = annotations::add(client, &app, &new).await? else {
                    bail!("{} has {OF_APP_MAX} annotations, which is the most: remove one", app.name)
                };
                id = kept.id;
                audit::record(client, &actor(), &change).await
            })
            .await?;
            writeln!(out, "added as {id}")?;
        }
        cli::StatsAnnotation::List(args) => {
            let app = crate::cmd::application_of(config, args.app.as_deref()).await?;
            let mut reader = crate::cmd::reader(config).await?;
            let all = reader
                .read(async |client| annotations::list(client, app.id, Seen::All, None, OF_APP_MAX).await)
                .await?;
            list(&all, args.json, out)?;
        }
        cli::StatsAnnotation::Remove(args) => {
            let app = crate::cmd::application_of(config, args.app.as_deref()).await?;
            in_transaction(&*crate::cmd::writer(config).await?, LOCK_TIME, async |client| {
                let Some(change) = annotations::remove(client, &app, args.id).await? else {
                    bail!(
                        "{} has no annotation {}; `alt stats annotation list` shows the numbers",
                        app.name,
                        args.id
                    )
                };
                audit::record(client, &actor(), &change).await
            })
            .await?;
            writeln!(out, "removed {}", args.id)?;
        }
    }
    Ok(Outcome::Done)
}

fn list(all: &[Kept], as_json: bool, out: Out<'_>) -> anyhow::Result<()> {
    if as_json {
        return show::json(out, &all);
    }
    if all.is_empty() {
        writeln!(out, "there is no annotation; `alt stats annotation add today 'Release 2.1'` adds one")?;
        return Ok(());
    }
    let mut rows = show::Rows::new(&["number", "day", "what happened", "public"]);
    for kept in all {
        let is_public = if kept.is_public { "yes" } else { "no" };
        rows.add(&[kept.id.to_string(), kept.day.clone(), kept.text.clone(), is_public.to_owned()]);
    }
    rows.print(out)
}
