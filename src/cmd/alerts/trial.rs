//! `alt alerts test`: rules on made events, and the alerts that are expected of them.

use std::collections::BTreeMap;
use std::path::Path;

use alt_alerts::bucket::{Event, Series};
use alt_alerts::episode::intervals;
use alt_alerts::judge::{Span, Version, judge};
use alt_alerts::lens::Fold;
use alt_alerts::rule::{Rule, parse_all};
use alt_alerts::time::{Micros, SECOND, SLOT, parse_span, slot_from};
use alt_store::alerts::samples::{self, Number};
use anyhow::{Context, bail};
use serde::Deserialize;

use super::super::{Out, Outcome, show};
use super::{labels, rule};

/// The most events of a test.
const EVENTS_MAX: usize = 1_000_000;

/// Tests of rules.
#[derive(Debug, Deserialize)]
struct File {
    #[serde(default)]
    test: Vec<Test>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Test {
    rule: String,
    until: String,
    #[serde(default)]
    events: Vec<Events>,
    #[serde(default)]
    expect: Vec<Expected>,
}

/// Events that come again and again.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Events {
    from: String,
    until: Option<String>,
    every: Option<String>,
    #[serde(default)]
    class: String,
    #[serde(default, rename = "type")]
    event_type: String,
    #[serde(default)]
    host: String,
    #[serde(default)]
    path: String,
    #[serde(default)]
    method: String,
    #[serde(default)]
    referrer: String,
    #[serde(default)]
    entity_type: String,
    #[serde(default)]
    module: String,
    #[serde(default)]
    sub_account: String,
    status: Option<i16>,
    request_ms: Option<i32>,
    bytes: Option<i64>,
    /// Numbers that they say; of samples, these are all there is.
    #[serde(default)]
    numbers: BTreeMap<String, f64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    began: String,
    ended: Option<String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

/// Tries the rules of a file.
///
/// # Errors
/// The file cannot be read, or what is wrong in it.
pub(super) fn run(file: &Path, out: Out<'_>) -> anyhow::Result<Outcome> {
    let text = rule::text(file)?;
    let name = || file.display().to_string();
    let mut table: toml::Table = text.parse().with_context(name)?;
    let tests: File = toml::Value::Table(table.clone()).try_into().with_context(name)?;
    table.remove("test");
    let rules = parse_all(&table.to_string()).map_err(anyhow::Error::msg).with_context(name)?;
    if tests.test.is_empty() {
        bail!("{}: there is no [[test]]; `alt alerts test --help` shows one", name());
    }
    let mut failed = 0;
    for (n, test) in (1..).zip(&tests.test) {
        let Some(rule) = rules.iter().find(|rule| rule.name == test.rule) else {
            bail!("{}: test {n}: the file has no rule {:?}", name(), test.rule)
        };
        let (got, wanted) = test.tried(rule).with_context(|| format!("{}: test {n}", name()))?;
        let rule = show::safe(&test.rule).into_owned();
        if got == wanted {
            writeln!(out, "test {n} ({rule}): passed")?;
            continue;
        }
        failed += 1;
        writeln!(out, "test {n} ({rule}): failed")?;
        for (what, all) in [("expected", &wanted), ("found", &got)] {
            let all = if all.is_empty() { "no alert".to_owned() } else { all.join(", ") };
            writeln!(out, "  {what}: {}", show::safe(&all))?;
        }
    }
    Ok(Outcome::of(failed == 0))
}

impl Test {
    /// What is found, and what is expected, as texts.
    fn tried(&self, rule: &Rule) -> anyhow::Result<(Vec<String>, Vec<String>)> {
        let until = slot_from(at(&self.until)?);
        let mut times: Vec<(Micros, &Events)> = Vec::new();
        for events in &self.events {
            let (from, every) = (at(&events.from)?, step(events)?);
            let last = events.until.as_deref().map_or(Ok(from), at)?;
            let count = usize::try_from((last - from).max(0) / every).unwrap_or(usize::MAX);
            if times.len().saturating_add(count) >= EVENTS_MAX {
                bail!("there are more than {EVENTS_MAX} events");
            }
            times.extend((0..).map(|n| from + n * every).take_while(|at| *at <= last).map(|at| (at, events)));
        }
        times.sort_by_key(|(at, _)| *at);
        let mut fold = Fold::new([rule.lens.clone()]);
        for (at, events) in &times {
            let numbers = events.millionths()?;
            fold.count(&Event { numbers: &numbers, ..events.at(*at) });
        }
        let mut all: Vec<_> = fold.finish().into_iter().flat_map(|(_, series)| series).collect();
        if all.is_empty() && rule.lens.group_by().is_empty() {
            all.push((Vec::new(), Series::default()));
        }
        let mut got = Vec::new();
        for (values, series) in &all {
            let versions = [Version { from: 0, rule: Some(rule), series: Some(series) }];
            let changes = judge(&versions, &[], &[], Span { from: 0, touched: 0, judged: 0, until });
            let names = rule.lens.group_by().iter().map(|column| column.name().to_owned());
            let its: BTreeMap<String, String> = names.zip(values.iter().cloned()).collect();
            got.extend(intervals(&changes).iter().map(|one| told(one.began, one.ended, &its)));
        }
        let expected = |one: &Expected| {
            Ok(told(at(&one.began)?, one.ended.as_deref().map(at).transpose()?, &one.labels))
        };
        let mut wanted: Vec<String> = self.expect.iter().map(expected).collect::<anyhow::Result<_>>()?;
        got.sort_unstable();
        wanted.sort_unstable();
        Ok((got, wanted))
    }
}

fn step(events: &Events) -> anyhow::Result<Micros> {
    let Some(text) = &events.every else { return Ok(SLOT) };
    // Slots are what spans of rules consist of; events may come more often.
    let seconds = text.trim().strip_suffix('s').and_then(|number| number.parse::<i64>().ok());
    match seconds.map(|seconds| seconds.saturating_mul(SECOND)) {
        Some(step) if step > 0 => Ok(step),
        _ => match parse_span(text) {
            Ok(step) if step > 0 => Ok(step),
            _ => bail!("every = {text:?}: write 1s, 30s, 5m"),
        },
    }
}

impl Events {
    fn millionths(&self) -> anyhow::Result<Vec<(&str, i64)>> {
        let all = self.numbers.iter().map(|(name, number)| {
            let number = samples::number(*number).map(Number::millionths);
            let number =
                number.with_context(|| format!("numbers: {name} has at most 12 digits before the point"))?;
            Ok((name.as_str(), number))
        });
        all.collect()
    }

    fn at(&self, at: Micros) -> Event<'_> {
        Event {
            at,
            class: &self.class,
            event_type: &self.event_type,
            host: &self.host,
            path: &self.path,
            method: &self.method,
            referrer: &self.referrer,
            entity_type: &self.entity_type,
            module: &self.module,
            sub_account: &self.sub_account,
            status: self.status,
            request_ms: self.request_ms,
            bytes: self.bytes,
            numbers: &[],
        }
    }
}

/// `MM:SS` or `HH:MM:SS`, from the beginning.
fn at(text: &str) -> anyhow::Result<Micros> {
    let parts: Option<Vec<i64>> = text.split(':').map(|part| part.parse().ok()).collect();
    let seconds = match parts.as_deref() {
        Some([minutes @ 0..=1439, seconds @ 0..=59]) => minutes * 60 + seconds,
        Some([hours @ 0..=47, minutes @ 0..=59, seconds @ 0..=59]) => hours * 3600 + minutes * 60 + seconds,
        _ => bail!("{text:?} is no time: write MM:SS or HH:MM:SS, counted from the beginning"),
    };
    Ok(seconds * SECOND)
}

fn told(began: Micros, ended: Option<Micros>, its: &BTreeMap<String, String>) -> String {
    let clock = |at: Micros| {
        let seconds = at / SECOND;
        format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
    };
    let ended = ended.map_or_else(|| "open".to_owned(), clock);
    format!("{}-{ended} {}", clock(began), labels(its)).trim_end().to_owned()
}
