//! `alt stats report`: reports, which channels are sent when a day, a week or a month is over.

use alt_config::Config;
use alt_deliver::report::{self, Report};
use alt_store::reports::{self, Kept, OF_APP_MAX, REPORTS_MAX, Refused};
use alt_store::session::Session;
use alt_store::web::audit;
use alt_store::{Client, in_transaction, migrate};
use alt_web::reports::{Means, Wanted, written};
use anyhow::{anyhow, bail};
use jiff::Timestamp;

use crate::cli;
use crate::cmd::access::{LOCK_TIME, actor};
use crate::cmd::{Out, Outcome, show};

/// Dispatches the verbs.
///
/// # Errors
/// The database cannot be asked, there is no such report, or a report cannot be as it is given.
pub(super) async fn run(config: &Config, verb: &cli::StatsReport, out: Out<'_>) -> anyhow::Result<Outcome> {
    match verb {
        cli::StatsReport::Add(args) => add(config, args, out).await?,
        cli::StatsReport::List(args) => {
            let mut reader = crate::cmd::reader(config).await?;
            reader.read(migrate::check_compatible).await?;
            list(&reader.read(reports::list).await?, args.json, out)?;
        }
        cli::StatsReport::Remove(args) => {
            in_transaction(&*crate::cmd::writer(config).await?, LOCK_TIME, async |client| {
                let kept = named(client, &args.name, args.app.as_deref()).await?;
                let Some(change) = reports::remove(client, &kept).await? else {
                    bail!("the report {} is gone already", args.name)
                };
                audit::record(client, &actor(), &change).await
            })
            .await?;
            writeln!(out, "removed {}", show::safe(&args.name))?;
        }
        cli::StatsReport::Show(args) => show_last(config, args, out).await?,
    }
    Ok(Outcome::Done)
}

async fn add(config: &Config, args: &cli::StatsReportAdd, out: Out<'_>) -> anyhow::Result<()> {
    let mut reader = crate::cmd::reader(config).await?;
    reader.read(migrate::check_compatible).await?;
    let app = crate::cmd::application(&mut reader, args.app.as_deref()).await?;
    let wanted = Wanted {
        name: &args.name,
        every: &args.every,
        language: &args.language,
        channels: args.channels.iter().map(String::as_str).collect(),
        is_of_last: args.last,
    };
    let new = wanted.checked(&app, Means::of(config)).map_err(|why| anyhow!(why))?;
    in_transaction(&*crate::cmd::writer(config).await?, LOCK_TIME, async |client| {
        match reports::add(client, &new).await? {
            Ok((_, change)) => audit::record(client, &actor(), &change).await,
            Err(Refused::Exists) => {
                bail!("{} has a report {} already; `alt stats report list` shows it", app.name, args.name)
            }
            Err(Refused::Full) => bail!(
                "{} has {OF_APP_MAX} reports, or there are {REPORTS_MAX}, which is the most: remove one",
                app.name
            ),
        }
    })
    .await?;
    let when = if args.last { "within a minute, and then when" } else { "when" };
    writeln!(
        out,
        "added; it is sent {when} a {} is over, in the time zone {}",
        new.every.name(),
        show::safe(&app.time_zone)
    )?;
    Ok(())
}

/// The report of a name, of the application with this name or key; it may be left out where one report alone has the name.
async fn named(client: &Client, name: &str, app: Option<&str>) -> anyhow::Result<Kept> {
    let is_asked = |kept: &Kept| app.is_none_or(|app| kept.application == app || kept.app_name == app);
    let all = reports::list(client).await?.into_iter();
    let mut found = all.filter(|kept| kept.name == name && is_asked(kept));
    match (found.next(), found.next()) {
        (Some(kept), None) => Ok(kept),
        (Some(_), Some(_)) => bail!("several applications have a report {name}: name one of them by --app"),
        (None, _) => bail!("there is no report {name}; `alt stats report list` shows the names"),
    }
}

fn list(all: &[Kept], as_json: bool, out: Out<'_>) -> anyhow::Result<()> {
    if as_json {
        return show::json(out, &all);
    }
    if all.is_empty() {
        writeln!(
            out,
            "there is no report; `alt stats report add NAME --every week --channel CHANNEL` adds one"
        )?;
        return Ok(());
    }
    let mut rows = show::Rows::new(&["name", "application", "every", "language", "channels", "told until"]);
    for kept in all {
        rows.add(&[
            kept.name.clone(),
            kept.app_name.clone(),
            kept.every.clone(),
            kept.language.clone(),
            kept.channels.join(", "),
            kept.told_until.clone(),
        ]);
    }
    rows.print(out)
}

async fn show_last(config: &Config, args: &cli::StatsReportShow, out: Out<'_>) -> anyhow::Result<()> {
    let mut reader = crate::cmd::reader(config).await?;
    reader.read(migrate::check_compatible).await?;
    let public_url = config.web.public_url.as_deref();
    let report = reader
        .read(async |client| {
            let kept = named(client, &args.name, args.app.as_deref()).await?;
            let period = kept.last(Timestamp::now())?;
            written(client, kept, period, public_url).await
        })
        .await?;
    match (args.html, args.csv) {
        (true, _) => write!(out, "{}", report::page(&report))?,
        (false, true) => write!(out, "{}", report.csv)?,
        (false, false) => write!(out, "{}", report::describe(&report))?,
    }
    Ok(())
}

/// The report with this key, of the period with this number, as it is sent. `None`: it was removed.
///
/// # Errors
/// The database cannot be asked.
pub(in crate::cmd) fn read(
    session: &mut Session,
    id: i32,
    number: i32,
    public_url: Option<&str>,
) -> anyhow::Result<Option<Report>> {
    session.read(async |client| {
        let Some(kept) = reports::by_id(client, id).await? else { return Ok(None) };
        let period = kept.period(number)?;
        let report = written(client, kept, period, public_url).await?;
        Ok(Some(Report { id: format!("report_{id}_{number}"), ..report }))
    })
}
