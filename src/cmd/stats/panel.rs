//! `alt stats panel`: questions that an application keeps under a name. They are made on the page and by the API.

use alt_config::Config;
use alt_statistics::query::panel::{Drawing, Panel};
use alt_statistics::query::saved::folded;
use alt_store::apps::Application;
use alt_store::stats::period::Period;
use alt_store::web::audit;
use alt_store::web::panels::{self, Kept};
use alt_store::web::saved::Seen;
use alt_store::{Client, in_transaction, migrate};
use anyhow::{Context, bail};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{asked, filtered};
use crate::cli;
use crate::cmd::access::{LOCK_TIME, actor};
use crate::cmd::{Out, Outcome, show};

/// Dispatches the verbs.
///
/// # Errors
/// The database cannot be asked, there is no such application or panel, or the question of a panel cannot be asked any more.
pub(super) async fn run(config: &Config, verb: &cli::StatsPanel, out: Out<'_>) -> anyhow::Result<Outcome> {
    match verb {
        cli::StatsPanel::List(args) => {
            let app = crate::cmd::application_of(config, args.app.as_deref()).await?;
            let mut reader = crate::cmd::reader(config).await?;
            let all = reader.read(async |client| panels::list(client, app.id, Seen::All).await).await?;
            list(&all, args.json, out)?;
        }
        cli::StatsPanel::Show(args) => answer(config, args, out).await?,
        cli::StatsPanel::Remove(args) => {
            let app = crate::cmd::application_of(config, args.app.as_deref()).await?;
            in_transaction(&*crate::cmd::writer(config).await?, LOCK_TIME, async |client| {
                let id = named(client, &app, &args.panel).await?.id;
                let held = panels::held(client, app.id, Seen::All, id).await?;
                let change = panels::remove(client, &app, &held.context("the panel is gone")?).await?;
                audit::record(client, &actor(), &change).await
            })
            .await?;
            writeln!(out, "removed {}", show::safe(args.panel.trim()))?;
        }
    }
    Ok(Outcome::Done)
}

/// The panel of a name or an id.
async fn named(client: &Client, app: &Application, name: &str) -> anyhow::Result<Kept> {
    let all = panels::list(client, app.id, Seen::All).await?;
    let mut found: Vec<Kept> = all.iter().filter(|one| folded(&one.name) == folded(name)).cloned().collect();
    if found.is_empty() {
        found = all.into_iter().filter(|one| one.id.to_string() == name.trim()).collect();
    }
    match (found.pop(), found.as_slice()) {
        (Some(one), []) => Ok(one),
        (Some(last), others) => {
            let ids = others.iter().chain([&last]).map(|one| one.id.to_string()).collect::<Vec<_>>();
            bail!(
                "{} has several panels {name:?}, of several people: name one by its id, {}",
                app.name,
                ids.join(" or ")
            )
        }
        (None, _) => bail!("{} has no panel {name:?}; `alt stats panel list` shows the names", app.name),
    }
}

/// The answer to the question of a panel, with all its numbers.
async fn answer(config: &Config, args: &cli::StatsPanelShow, out: Out<'_>) -> anyhow::Result<()> {
    let mut reader = crate::cmd::reader(config).await?;
    reader.read(migrate::check_compatible).await?;
    let app = crate::cmd::application(&mut reader, args.app.as_deref()).await?;
    let zone = TimeZone::get(&app.time_zone).unwrap_or(TimeZone::UTC);
    let period = Period::of(&args.period, Timestamp::now().to_zoned(zone).date())?;
    let kept = reader.read(async |client| named(client, &app, &args.panel).await).await?;
    let panel = kept.panel();
    let why = || format!("the panel {:?} has no answer until it is changed", kept.name);
    let filter =
        reader.read(async |client| asked::all(client, &app, &panel.filters).await).await.with_context(why)?;
    if let Some(name) = panel.unknown_property(filter.as_ref(), &app.properties) {
        bail!("{}: the application has no property {name:?} any more (`alt app properties` chooses)", why());
    }
    let wanted = question(&panel, args);
    filtered::answer(&mut reader, &app, &wanted, &period, out).await.with_context(why)
}

/// As `alt stats` asks. Months are shown by their days.
fn question(panel: &Panel, args: &cli::StatsPanelShow) -> cli::StatsShow {
    let interval = panel.interval.as_deref().map(|name| match name {
        "hour" => cli::Interval::Hour,
        _ => cli::Interval::Day,
    });
    cli::StatsShow {
        app: args.app.clone(),
        period: args.period.clone(),
        class: "human".to_owned(),
        filter: panel.filters.clone(),
        dimension: panel.dimension.clone(),
        interval,
        compare: (panel.drawing == Drawing::Number).then_some(cli::Compared::Previous),
        sum: panel.sum.clone(),
        people: false,
        limit: if interval.is_some() { usize::MAX } else { usize::try_from(panel.limit).unwrap_or(1) },
        order: panel.order(),
        json: args.json,
        csv: args.csv,
    }
}

fn list(all: &[Kept], as_json: bool, out: Out<'_>) -> anyhow::Result<()> {
    if as_json {
        return show::json(out, &all);
    }
    if all.is_empty() {
        writeln!(
            out,
            "there is no panel; the page *Panels* of the dashboard and POST /api/v1/panels make them"
        )?;
        return Ok(());
    }
    let mut rows =
        show::Rows::new(&[">id", "name", "drawing", "metrics", "by", "filters", "visibility", "made by"]);
    for kept in all {
        rows.add(&[
            kept.id.to_string(),
            kept.name.clone(),
            kept.drawing.to_owned(),
            kept.metrics.join(", "),
            kept.dimension.clone().or_else(|| kept.interval.clone()).unwrap_or_default(),
            kept.filters.join(", "),
            kept.visibility.as_str().to_owned(),
            kept.created_by.clone(),
        ]);
    }
    rows.print(out)
}
