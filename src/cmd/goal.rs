//! `alt goal`: the goals of an application. Each change is recorded in `audit_log`, in its own transaction.

use alt_config::Config;
use alt_statistics::query::{GOALS_MAX, Goal};
use alt_store::in_transaction;
use alt_store::web::audit;
use alt_store::web::goals::{self, Refused};
use anyhow::{anyhow, bail};

use super::access::{LOCK_TIME, actor};
use super::{Out, Outcome, show};
use crate::cli;

/// Dispatches the verbs.
///
/// # Errors
/// The database cannot be reached, the application or the goal does not exist, or a goal cannot be as it is given.
pub async fn run(config: &Config, verb: &cli::Goal, out: Out<'_>) -> anyhow::Result<Outcome> {
    match verb {
        cli::Goal::Add(args) => {
            let goal = Goal::checked(&args.name, args.event.as_deref(), args.page.as_deref());
            let conditions: Vec<&str> = args.only.iter().map(String::as_str).collect();
            let goal = goal.and_then(|goal| goal.only(&conditions)).and_then(|goal| match &args.revenue {
                None => Ok(goal),
                Some(property) => goal.worth(property),
            });
            let goal = goal.map_err(|why| anyhow!(why))?;
            let app = super::application_of(config, args.app.as_deref()).await?;
            in_transaction(&*super::writer(config).await?, LOCK_TIME, async |client| {
                match goals::add(client, &app, &goal, &conditions).await? {
                    Ok((_, change)) => audit::record(client, &actor(), &change).await,
                    Err(Refused::Exists) => {
                        bail!("{} has a goal {} already; `alt goal list` shows it", app.name, goal.name)
                    }
                    Err(Refused::Full) => bail!(
                        "the application {} has {GOALS_MAX} goals, which is the most: remove one",
                        app.name
                    ),
                }
            })
            .await?;
            writeln!(
                out,
                "added; `alt stats goals` shows who reached it, also on the days before: no day is computed again"
            )?;
        }
        cli::Goal::List(args) => {
            let app = super::application_of(config, args.app.as_deref()).await?;
            let all =
                super::reader(config).await?.read(async |client| goals::list(client, app.id).await).await?;
            list(&all, args.json, out)?;
        }
        cli::Goal::Remove(args) => {
            let app = super::application_of(config, args.app.as_deref()).await?;
            in_transaction(&*super::writer(config).await?, LOCK_TIME, async |client| {
                let known = goals::list(client, app.id).await?;
                let Some(goal) = known.iter().find(|goal| goal.name == args.name) else {
                    bail!("{} has no goal {}; `alt goal list` shows the names", app.name, args.name)
                };
                let Some(change) = goals::remove(client, &app, goal.id).await? else {
                    bail!("the goal {} is gone already", args.name)
                };
                audit::record(client, &actor(), &change).await
            })
            .await?;
            writeln!(out, "removed {}", show::safe(&args.name))?;
        }
    }
    Ok(Outcome::Done)
}

fn list(all: &[goals::Kept], as_json: bool, out: Out<'_>) -> anyhow::Result<()> {
    if as_json {
        return show::json(out, &all);
    }
    if all.is_empty() {
        writeln!(out, "there is no goal; `alt goal add NAME --event TYPE` adds one")?;
        return Ok(());
    }
    let mut rows = show::Rows::new(&["name", "event", "page", "only where", "revenue", "added (UTC)"]);
    for goal in all {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        rows.add(&[
            goal.name.clone(),
            text(&goal.event),
            text(&goal.page),
            goal.conditions.join(", "),
            text(&goal.revenue),
            goal.created_at.clone(),
        ]);
    }
    rows.print(out)
}
