//! `alt alerts`: alerts, silences and rules. Each change is recorded in `audit_log`, in its own transaction.

mod look;
mod rule;
mod trial;

use std::collections::BTreeMap;

use alt_config::Config;
use alt_store::Client;
use alt_store::alerts::acts::{self, Deed};
use alt_store::alerts::ask::{self, Alert, Asked};
use alt_store::alerts::silences::{self, Silence, Wanted};
use alt_store::alerts::weekly::Weekly;
use alt_store::web::audit::{self, Change};
use alt_store::{apps, in_transaction};
use alt_watch::time::{Micros, SECOND, parse_span};
use anyhow::{Context, bail};
use serde_json::json;

use super::access::{LOCK_TIME, actor};
use super::{Out, Outcome, show};
use crate::cli;

/// How long a silence lasts that comes each week, if nobody says.
const FOR_EVER: Micros = 3650 * 86_400 * SECOND;

/// Dispatches the verbs.
///
/// # Errors
/// The database cannot be reached, or what is named does not exist or cannot be.
pub fn run(config: &Config, verb: &cli::Alerts, out: Out<'_>) -> anyhow::Result<Outcome> {
    match verb {
        cli::Alerts::List(args) => super::block_on(list(config, args, out)),
        cli::Alerts::Show(args) => super::block_on(show_one(config, args, out)),
        cli::Alerts::Explain(args) => look::explain(config, args, out),
        cli::Alerts::Ack(args) => {
            let span = span("--for", &args.span)?;
            super::block_on(act(config, args.id, Deed::Acknowledge(span), args.note.as_deref()))?;
            writeln!(out, "acknowledged for {}; it shows within some seconds", args.span)?;
            hint(config, out)
        }
        cli::Alerts::Resolve(args) => {
            super::block_on(act(config, args.id, Deed::Resolve, args.note.as_deref()))?;
            writeln!(out, "resolved; it shows within some seconds")?;
            hint(config, out)
        }
        cli::Alerts::Silence(verb) => super::block_on(silence(config, verb, out)),
        cli::Alerts::Rule(verb) => super::block_on(rule::run(config, verb, out)),
        cli::Alerts::Backtest(args) => look::backtest(config, args, out),
        cli::Alerts::Test(args) => trial::run(&args.file, out),
    }
}

/// Says what is missing if nothing judges rules here.
fn hint(config: &Config, out: Out<'_>) -> anyhow::Result<Outcome> {
    if !config.alerts.enabled {
        writeln!(
            out,
            "[alerts] enabled is not true in this configuration: rules are judged only where it is, by `alt run`"
        )?;
    }
    Ok(Outcome::Done)
}

/// A span of time, as an option has it.
fn span(option: &str, text: &str) -> anyhow::Result<Micros> {
    match parse_span(text) {
        Ok(0) => bail!("{option}: 5s at least"),
        Ok(span) => Ok(span),
        Err(why) => bail!("{option}: {why}"),
    }
}

/// Changes something, and records that.
async fn change<T>(
    config: &Config,
    statements: impl AsyncFnOnce(&Client, &str) -> anyhow::Result<(T, Vec<Change>)>,
) -> anyhow::Result<T> {
    let actor = actor();
    in_transaction(&*super::writer(config).await?, LOCK_TIME, async |client| {
        let (answer, changes) = statements(client, &actor.name).await?;
        for change in &changes {
            audit::record(client, &actor, change).await?;
        }
        Ok(answer)
    })
    .await
}

async fn act(config: &Config, id: i64, deed: Deed, note: Option<&str>) -> anyhow::Result<()> {
    change(config, async |client, by| Ok(((), vec![acts::act(client, id, deed, by, note).await?]))).await
}

async fn list(config: &Config, args: &cli::AlertsList, out: Out<'_>) -> anyhow::Result<Outcome> {
    let mut reader = super::reader(config).await?;
    let app = match &args.app {
        Some(name) => Some(reader.read(async |client| apps::find(client, name).await).await?.id),
        None => None,
    };
    let asked = Asked {
        app_id: app,
        rule: args.rule.clone(),
        only_open: !args.all,
        severity: args.severity.clone(),
        before: None,
        limit: args.limit,
    };
    let all = reader.read(async |client| ask::list(client, &asked).await).await?;
    if args.json {
        show::json(out, &all)?;
    } else if all.is_empty() {
        writeln!(out, "{}", if args.all { "there was no alert" } else { "no alert is open" })?;
    } else {
        let mut rows =
            show::Rows::new(&[">id", "severity", "state", "began", "ended", "application", "labels", "what"]);
        for alert in &all {
            rows.add(&line(alert));
        }
        rows.print(out)?;
    }
    Ok(Outcome::of(!all.is_empty()))
}

fn line(alert: &Alert) -> [String; 8] {
    [
        alert.id.to_string(),
        alert.severity.clone(),
        alert.state.clone(),
        alert.began.clone(),
        alert.ended.clone().unwrap_or_default(),
        alert.application.clone(),
        labels(&alert.labels),
        alert.title.clone(),
    ]
}

/// Labels as people read them.
fn labels(labels: &BTreeMap<String, String>) -> String {
    labels.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
}

async fn show_one(config: &Config, args: &cli::AlertsShow, out: Out<'_>) -> anyhow::Result<Outcome> {
    let mut reader = super::reader(config).await?;
    let found = reader.read(async |client| {
        let Some((alert, _)) = ask::find(client, args.id).await? else { return Ok(None) };
        Ok(Some((alert, ask::history(client, args.id).await?)))
    });
    let Some((alert, history)) = found.await? else {
        bail!("there is no alert {}; `alt alerts list --all` shows those that there are", args.id)
    };
    if args.json {
        show::json(out, &json!({ "alert": alert, "history": history }))?;
        return Ok(Outcome::Done);
    }
    print(&alert, out)?;
    writeln!(out)?;
    let mut rows = show::Rows::new(&["time", "what", "kind", ">no.", "who", "note"]);
    for event in history {
        let number = event.seq.map_or_else(String::new, |seq| seq.to_string());
        let (at, who) = (event.at.unwrap_or_default(), event.who.unwrap_or_default());
        rows.add(&[at, event.what, event.kind, number, who, event.note.unwrap_or_default()]);
    }
    rows.print(out)?;
    Ok(Outcome::Done)
}

/// An alert in a few lines.
fn print(alert: &Alert, out: Out<'_>) -> anyhow::Result<()> {
    let safe = |text: &str| show::safe(text).into_owned();
    writeln!(out, "{}", safe(&alert.title))?;
    writeln!(out, "alert {}, {}, {}", alert.id, alert.severity, alert.state)?;
    writeln!(out, "application {}, rule {}", safe(&alert.application), safe(&alert.rule))?;
    if !alert.labels.is_empty() {
        writeln!(out, "{}", safe(&labels(&alert.labels)))?;
    }
    let ended = alert.ended.as_deref().map_or_else(String::new, |at| format!(", ended {at}"));
    let by_hand = if alert.by_hand { " by hand" } else { "" };
    writeln!(out, "began {}{ended}{by_hand}", alert.began)?;
    if let Some(by) = alert.superseded_by {
        writeln!(out, "it is a part of the alert {by}")?;
    }
    if alert.partial {
        writeln!(out, "a source was behind when it was judged: it is judged again when the lines are there")?;
    }
    Ok(())
}

async fn silence(config: &Config, verb: &cli::Silence, out: Out<'_>) -> anyhow::Result<Outcome> {
    match verb {
        cli::Silence::Add(args) => {
            let weekly = args.weekly.as_ref().map(|text| Weekly::parse(text, &args.zone));
            let weekly = weekly.transpose().map_err(|why| anyhow::Error::msg(format!("--weekly: {why}")))?;
            let ends = args.span.as_deref().map(|text| span("--for", text)).transpose()?;
            let wanted = Wanted {
                rule: args.rule.clone().unwrap_or_else(|| "*".to_owned()),
                application: args.app.clone().unwrap_or_else(|| "*".to_owned()),
                labels: args.label.iter().map(|text| pair(text)).collect::<anyhow::Result<_>>()?,
                span: ends.unwrap_or(FOR_EVER),
                note: args.note.clone(),
            };
            let id = change(config, async |client, by| {
                let (id, change) = silences::add_weekly(client, &wanted, weekly.as_ref(), by).await?;
                Ok((id, vec![change]))
            });
            let id = id.await?;
            let ends = match &args.span {
                Some(span) => format!("ends in {span}"),
                None => format!("comes each week, until `alt alerts silence end {id}`"),
            };
            writeln!(out, "the silence {id} {ends}")?;
        }
        cli::Silence::List(args) => {
            let mut reader = super::reader(config).await?;
            let all = reader.read(async |client| silences::list(client, false).await).await?;
            list_silences(&all, args.json, out)?;
        }
        cli::Silence::End(args) => {
            let ends = async |client: &Client, _: &str| Ok(((), vec![silences::end(client, args.id).await?]));
            change(config, ends).await?;
            writeln!(out, "ended")?;
        }
    }
    Ok(Outcome::Done)
}

fn pair(text: &str) -> anyhow::Result<(String, String)> {
    let (name, value) = text
        .split_once('=')
        .with_context(|| format!("--label {text:?}: write NAME=PATTERN, such as path=/api/*"))?;
    Ok((name.trim().to_owned(), value.to_owned()))
}

fn list_silences(all: &[Silence], as_json: bool, out: Out<'_>) -> anyhow::Result<()> {
    if as_json {
        return show::json(out, &all);
    }
    if all.is_empty() {
        writeln!(out, "nothing is silenced")?;
        return Ok(());
    }
    let mut rows =
        show::Rows::new(&[">id", "rule", "application", "labels", "weekly", "until", "by", "note"]);
    for one in all {
        rows.add(&[
            one.id.to_string(),
            one.rule.clone(),
            one.application.clone(),
            labels(&one.labels),
            one.weekly.iter().chain(&one.zone).cloned().collect::<Vec<_>>().join(" "),
            one.until.clone(),
            one.by.clone(),
            one.note.clone().unwrap_or_default(),
        ]);
    }
    rows.print(out)
}
