//! `alt alerts`: alerts, silences and rules. Each change is recorded in `audit_log`, in its own transaction.

mod look;
mod rule;
mod trial;

use std::collections::BTreeMap;

use alt_alerts::rule::Severity;
use alt_alerts::time::{Micros, parse_span};
use alt_config::Config;
use alt_process::clock;
use alt_store::Client;
use alt_store::alerts::acts::{self, Deed};
use alt_store::alerts::ask::{self, Alert, Asked};
use alt_store::alerts::figures;
use alt_store::alerts::silences::{self, Lasts, Silence, Wanted};
use alt_store::alerts::troubles::{self, Trouble};
use alt_store::alerts::weekly::Weekly;
use alt_store::web::audit::{self, Change};
use alt_store::{apps, in_transaction};
use anyhow::{Context, bail};
use serde_json::json;

use super::access::{LOCK_TIME, actor};
use super::{Out, Outcome, show, when};
use crate::cli;

/// Dispatches the verbs.
///
/// # Errors
/// The database cannot be reached, or what is named does not exist or cannot be.
pub fn run(config: &Config, verb: &cli::Alerts, out: Out<'_>) -> anyhow::Result<Outcome> {
    match verb {
        cli::Alerts::List(args) => super::block_on(list(config, args, out)),
        cli::Alerts::Show(args) => super::block_on(show_one(config, args, out)),
        cli::Alerts::Explain(args) => look::explain(config, args, out),
        cli::Alerts::Stats(args) => super::block_on(stats(config, args, out)),
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

/// Seconds as people read them; nothing if there are none.
fn lasted(seconds: Option<f64>) -> String {
    let Some(seconds) = seconds else { return String::new() };
    let seconds = seconds.max(0.0).round();
    let (unit, name) = match seconds {
        0.0..120.0 => (1.0, "s"),
        120.0..7200.0 => (60.0, "min"),
        7200.0..172_800.0 => (3600.0, "h"),
        _ => (86_400.0, "d"),
    };
    format!("{:.0} {name}", seconds / unit)
}

async fn stats(config: &Config, args: &cli::AlertsStats, out: Out<'_>) -> anyhow::Result<Outcome> {
    let since = when::when(&args.since, clock::now()).map_err(|why| anyhow::anyhow!("--since: {why}"))?;
    let mut reader = super::reader(config).await?;
    let app = match &args.app {
        Some(name) => Some(reader.read(async |client| apps::find(client, name).await).await?.id),
        None => None,
    };
    let all = reader.read(async |client| figures::since(client, app, since).await).await?;
    let is_any = !all.rules.is_empty();
    if args.json {
        show::json(out, &all)?;
        return Ok(Outcome::of(is_any));
    }
    if !is_any {
        writeln!(out, "there was no alert")?;
        return Ok(Outcome::of(false));
    }
    let mut rows = show::Rows::new(&["severity", ">alerts", ">open", ">acknowledged", ">after", ">lasted"]);
    let severities = Severity::ALL.into_iter().rev().map(Severity::name);
    for (name, its) in severities.filter_map(|name| Some((name, all.severities.get(name)?))) {
        rows.add(&[
            name.to_owned(),
            its.alerts.to_string(),
            its.open.to_string(),
            its.acknowledged.to_string(),
            lasted(its.seconds_to_acknowledge),
            lasted(its.seconds_to_resolve),
        ]);
    }
    rows.print(out)?;
    writeln!(out)?;
    let mut rows = show::Rows::new(&["rule", ">alerts", ">open for"]);
    for rule in &all.rules {
        rows.add(&[rule.rule.clone(), rule.alerts.to_string(), lasted(Some(rule.open_seconds))]);
    }
    rows.print(out)?;
    Ok(Outcome::Done)
}

/// Prints alerts.
fn table(all: &[Alert], out: Out<'_>) -> anyhow::Result<()> {
    let mut rows =
        show::Rows::new(&[">id", "severity", "state", "began", "ended", "application", "labels", "what"]);
    all.iter().for_each(|alert| rows.add(&line(alert)));
    rows.print(out)
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
        return Ok(Outcome::of(!all.is_empty()));
    }
    match (all.is_empty(), args.all) {
        (false, _) => table(&all, out)?,
        (true, true) => writeln!(out, "there was no alert")?,
        (true, false) => writeln!(out, "no alert is open")?,
    }
    let troubles = reader.read(async |client| troubles::now(client, app).await).await?;
    tell_troubles(&troubles, out)?;
    Ok(Outcome::of(!all.is_empty()))
}

/// Says which rules are not judged: what they would find is not listed.
fn tell_troubles(troubles: &[Trouble], out: Out<'_>) -> anyhow::Result<()> {
    for (n, trouble) in troubles.iter().enumerate() {
        let space = if n == 0 { "\n" } else { "" };
        writeln!(out, "{space}{}", show::safe(&trouble.to_string()))?;
    }
    Ok(())
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
        cli::Silence::Add(args) => return add_silence(config, args, out).await,
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

/// A silence as the options say it.
fn wanted(args: &cli::SilenceAdd) -> anyhow::Result<Wanted> {
    let weekly = args.weekly.as_ref().map(|text| Weekly::parse(text, &args.zone));
    let weekly = weekly.transpose().map_err(|why| anyhow::Error::msg(format!("--weekly: {why}")))?;
    let ends = args.span.as_deref().map(|text| span("--for", text)).transpose()?;
    let lasts = match (weekly, ends) {
        (Some(weekly), ends) => Lasts::Weekly(weekly, ends),
        (None, Some(ends)) => Lasts::For(ends),
        // One of the three is required.
        (None, None) => Lasts::UntilResolved,
    };
    let now = clock::now();
    let from = args.from.as_deref().map(|text| when::when(text, now)).transpose();
    let from = from.map_err(|why| anyhow::anyhow!("--from: {why}"))?;
    if let Some(why) = from.and_then(|from| silences::wrong_begin(from, &lasts, now)) {
        bail!("--from: {why}; write it like 2026-12-24T20:00:00Z");
    }
    Ok(Wanted {
        rule: args.rule.clone().unwrap_or_else(|| "*".to_owned()),
        application: args.app.clone().unwrap_or_else(|| "*".to_owned()),
        labels: args.label.iter().map(|text| pair(text)).collect::<anyhow::Result<_>>()?,
        span: lasts,
        from,
        note: args.note.clone(),
    })
}

async fn add_silence(config: &Config, args: &cli::SilenceAdd, out: Out<'_>) -> anyhow::Result<Outcome> {
    let wanted = wanted(args)?;
    if args.dry_run {
        let mut reader = super::reader(config).await?;
        let open = Asked { only_open: true, limit: ask::LIST_MAX, ..Asked::default() };
        let about = wanted.about(reader.read(async |client| ask::list(client, &open).await).await?);
        if about.is_empty() {
            writeln!(out, "nothing is silenced, and no open alert would be")?;
            return Ok(Outcome::Done);
        }
        writeln!(out, "nothing is silenced; these open alerts would be:")?;
        table(&about, out)?;
        return Ok(Outcome::Done);
    }
    let id = change(config, async |client, by| {
        let (id, change) = silences::add(client, &wanted, by).await?;
        Ok((id, vec![change]))
    });
    let id = id.await?;
    let ends = match (&args.span, &wanted.span) {
        (_, Lasts::UntilResolved) => "ends with the alerts that are open now, within 30 days".to_owned(),
        (Some(span), _) if args.from.is_some() => format!("ends {span} after it has begun"),
        (Some(span), _) => format!("ends in {span}"),
        (None, _) => format!("comes each week, until `alt alerts silence end {id}`"),
    };
    writeln!(out, "the silence {id} {ends}")?;
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
        show::Rows::new(&[">id", "rule", "application", "labels", "weekly", "from", "until", "by", "note"]);
    for one in all {
        rows.add(&[
            one.id.to_string(),
            one.rule.clone(),
            one.application.clone(),
            labels(&one.labels),
            one.weekly.iter().chain(&one.zone).cloned().collect::<Vec<_>>().join(" "),
            one.from.clone(),
            if one.until_resolved { "resolved".to_owned() } else { one.until.clone() },
            one.by.clone(),
            one.note.clone().unwrap_or_default(),
        ]);
    }
    rows.print(out)
}
