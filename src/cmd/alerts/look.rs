//! `alt alerts backtest` and `alt alerts explain`: what a rule finds, and what it measures, by the rows that are there.

use std::path::Path;

use alt_alerts::rule::Rule;
use alt_alerts::time::{Micros, SECOND, SLOT, slot_of, span as span_text};
use alt_config::Config;
use alt_process::clock;
use alt_store::alerts::ask::{self, Alert};
use alt_store::alerts::backtest::{Backtest, Would};
use alt_store::alerts::explain::{self, Explanation};
use alt_store::alerts::{INSTALLATION, rules, show as of_alerts, silences};
use alt_store::apps::{self, Application};
use anyhow::{Context, bail};
use serde_json::json;

use super::super::{Out, Outcome, show, when};
use super::{labels, print, rule};
use crate::cli;

/// The slots that are shown before and after an alert began.
const AROUND: Micros = 12 * SLOT;

/// Shows what rules would have found.
///
/// # Errors
/// There is no such rule or application, or the database cannot be asked.
pub(super) fn backtest(config: &Config, args: &cli::AlertsBacktest, out: Out<'_>) -> anyhow::Result<Outcome> {
    let now = clock::now();
    let from = when::when(&args.since, now).map_err(|why| anyhow::anyhow!("--since: {why}"))?;
    let (rules, mut apps) = super::super::block_on(subjects(config, args))?;
    if args.app.is_none() {
        apps.push(installation());
    }
    let mut backtest = Backtest::new(config)?;
    let mut found: Vec<(&Rule, &Application, Would)> = Vec::new();
    for rule in &rules {
        for app in apps.iter().filter(|app| rule.is_of(&app.key)) {
            let would = backtest.run(app.id, rule, &(from..now));
            let would = would.with_context(|| format!("rule {:?}, application {}", rule.name, app.key))?;
            found.extend(would.into_iter().map(|would| (rule, app, would)));
        }
    }
    found.sort_by_key(|(_, _, would)| would.interval.began);
    if args.json {
        let of = |(rule, app, would): &(&Rule, &Application, Would)| {
            json!({
                "rule": rule.name, "application_id": app.key, "labels": would.labels,
                "severity": rule.severity, "began": time(would.interval.began),
                "ended": would.interval.ended.map(time),
                "value": would.found.as_ref().and_then(|found| found.value),
            })
        };
        show::json(out, &found.iter().map(of).collect::<Vec<_>>())?;
        return Ok(Outcome::Done);
    }
    if found.is_empty() {
        writeln!(out, "there would have been no alert")?;
        return Ok(Outcome::Done);
    }
    let mut rows = show::Rows::new(&["began", "ended", "application", "labels", "what"]);
    for (rule, app, would) in &found {
        rows.add(&[
            time(would.interval.began),
            would.interval.ended.map(time).unwrap_or_default(),
            app.name.clone(),
            labels(&would.labels),
            would.found.as_ref().map_or_else(|| rule.name.clone(), |found| found.title.clone()),
        ]);
    }
    rows.print(out)?;
    Ok(Outcome::Done)
}

/// What stands for the installation, of which rules about hosts and daemons are.
fn installation() -> Application {
    Application { id: INSTALLATION, name: "(the installation)".to_owned(), ..Application::default() }
}

/// A time as people and programs read it.
fn time(at: Micros) -> String {
    jiff::Timestamp::from_microsecond(at).map_or_else(|_| "unknown".to_owned(), |at| at.to_string())
}

/// The rules and the applications that are named.
async fn subjects(
    config: &Config,
    args: &cli::AlertsBacktest,
) -> anyhow::Result<(Vec<Rule>, Vec<Application>)> {
    let mut reader = super::super::reader(config).await?;
    let known = reader.read(async |client| rules::present(client).await).await?;
    let named = known.into_iter().find(|version| version.name == args.rule).and_then(|version| version.rule);
    let rules = match named {
        Some(rule) => vec![rule],
        None if Path::new(&args.rule).is_file() => rule::read(Path::new(&args.rule))?,
        None => {
            bail!("there is neither a rule nor a file {}; `alt alerts rule list` shows the rules", args.rule)
        }
    };
    let apps = match &args.app {
        Some(name) => vec![reader.read(async |client| apps::find(client, name).await).await?],
        None => reader.read(apps::enabled).await?,
    };
    Ok((rules, apps))
}

/// Shows why there is an alert, and who was told.
///
/// # Errors
/// There is no such alert, or the database cannot be asked.
pub(super) fn explain(config: &Config, args: &cli::AlertsShow, out: Out<'_>) -> anyhow::Result<Outcome> {
    let Subject { alert, app_id, rule, explanation } = super::super::block_on(subject(config, args.id))?;
    let began: Micros = alert.began.parse::<jiff::Timestamp>().map_or(0, jiff::Timestamp::as_microsecond);
    let times = slot_of(began) - AROUND..began + AROUND;
    let measured = Backtest::new(config)?.measure(app_id, &rule, &alert.labels, &times)?;
    if args.json {
        let values: Vec<_> =
            measured.iter().map(|(at, value)| json!({ "at": time(*at), "value": value })).collect();
        let said = json!({
            "alert": alert, "rule": rule.text, "condition": rule.condition(), "threshold": rule.threshold(),
            "window_seconds": rule.window / SECOND, "measured": values, "explanation": explanation,
        });
        show::json(out, &said)?;
        return Ok(Outcome::Done);
    }
    print(&alert, out)?;
    let by = explanation.made_by.as_deref().unwrap_or("somebody");
    let version = match (explanation.version, &explanation.made_at) {
        (Some(version), Some(at)) => format!("version {version}, made by {by} at {at}"),
        _ => "as it was then".to_owned(),
    };
    writeln!(out, "\nthe rule, {}:\n", show::safe(&version))?;
    for line in rule.text.trim_end().lines() {
        writeln!(out, "    {}", show::safe(line))?;
    }
    let unit = if rule.unit().is_empty() { String::new() } else { format!(", {}", rule.unit()) };
    let (window, limit) = (span_text(rule.window), rule.threshold());
    writeln!(
        out,
        "\nmeasured over {window}, by the rows that are there now{unit}; the limit is {limit}, and it fired at {}:\n",
        time(began)
    )?;
    let mut rows = show::Rows::new(&["end of the window", ">value", ""]);
    for (at, value) in measured {
        let fired = if at == began { "fired" } else { "" };
        let value = value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"));
        rows.add(&[time(at), value, fired.to_owned()]);
    }
    rows.print(out)?;
    told(&explanation, out)
}

/// Who was told, and what keeps messages back.
fn told(explanation: &Explanation, out: Out<'_>) -> anyhow::Result<Outcome> {
    if explanation.messages.is_empty() {
        writeln!(out, "\nnobody is told: the rule has no channel")?;
        return Ok(Outcome::Done);
    }
    writeln!(out, "\nwho was told:\n")?;
    let mut rows = show::Rows::new(&["time", "channel", "of", "state", ">attempts", "why"]);
    for one in &explanation.messages {
        rows.add(&[
            one.at.clone().unwrap_or_default(),
            one.channel.clone(),
            one.kind.clone(),
            one.state.clone(),
            one.attempts.to_string(),
            one.why.clone().unwrap_or_default(),
        ]);
    }
    rows.print(out)?;
    for (n, kept) in explanation.kept_back.iter().enumerate() {
        let title = if n == 0 { "\nwhat keeps messages back:\n\n" } else { "" };
        writeln!(out, "{title}    {}", show::safe(&kept.to_string()))?;
    }
    Ok(Outcome::Done)
}

/// What an explanation is of.
struct Subject {
    alert: Alert,
    app_id: i32,
    rule: Rule,
    explanation: Explanation,
}

/// An alert, its application, the version of its rule that judged its beginning, and who was told.
async fn subject(config: &Config, id: i64) -> anyhow::Result<Subject> {
    let mut reader = super::super::reader(config).await?;
    let found = reader.read(async |client| {
        let Some((alert, app_id)) = ask::find(client, id).await? else { return Ok(None) };
        let rule = of_alerts::rule_of(client, &alert).await?;
        let silences = silences::list(client, true).await?;
        let explanation = explain::explain(client, &alert, app_id, &silences).await?;
        Ok(Some((alert, app_id, rule, explanation)))
    });
    let Some((alert, app_id, rule, explanation)) = found.await? else {
        bail!("there is no alert {id}; `alt alerts list --all` shows those that there are")
    };
    let rule = rule.context("this version of alt does not understand the rule that the alert is of")?;
    Ok(Subject { alert, app_id, rule, explanation })
}
