//! `alt stats`: an overview of an application's statistics; and marking days, so that they are computed again.

mod annotation;
mod asked;
mod filtered;
mod funnel;
mod goals;
mod import;
mod journey;
mod panel;
mod people;
mod performance;
pub(super) mod report;
mod segment;
mod verify;

use std::fmt::Write as _;
use std::io::{IsTerminal, stderr};
use std::time::Duration;

use alt_config::Config;
use alt_statistics::day::{COUNTS, Counts};
use alt_store::apps::{self, Application};
use alt_store::stats::ask::Counted;
use alt_store::stats::backlog;
use alt_store::stats::overview::Overview;
use alt_store::stats::period::Period;
use alt_store::{in_transaction, migrate};
use anyhow::bail;
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use super::drain::drain;
use super::{Out, Outcome, show, when};
use crate::cli;

/// How many values of a dimension are listed.
const TOP: i64 = 10;

/// The dimensions that are listed for people, in this order, and then all others but hours.
const FIRST: [&str; 15] = [
    "channel",
    "source",
    "campaign",
    "utm_medium",
    "utm_term",
    "utm_content",
    "page",
    "entry_page",
    "exit_page",
    "event",
    "country",
    "language",
    "device",
    "browser",
    "os",
];

/// The heights of a day in the row of all days.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Shows statistics, or lets days be computed again. Call it where blocking is allowed.
///
/// # Errors
/// The database cannot be asked, or the arguments are not correct.
pub fn run(config: &Config, args: &cli::Stats, out: Out<'_>) -> anyhow::Result<Outcome> {
    match &args.verb {
        None => super::block_on(async { overview(config, &args.show, out).await }),
        Some(cli::StatsVerb::Mark(args)) => {
            super::block_on(async { mark(config, args).await })?;
            writeln!(out, "marked; `alt run` computes these days, or `alt stats rebuild --resume` does now")?;
            Ok(Outcome::Done)
        }
        Some(cli::StatsVerb::Funnel(args)) => super::block_on(async { funnel::run(config, args, out).await }),
        Some(cli::StatsVerb::Journey(args)) => {
            super::block_on(async { journey::run(config, args, out).await })
        }
        Some(cli::StatsVerb::People(args)) => super::block_on(async { people::run(config, args, out).await }),
        Some(cli::StatsVerb::Goals(args)) => super::block_on(async { goals::run(config, args, out).await }),
        Some(cli::StatsVerb::Performance(args)) => {
            super::block_on(async { performance::run(config, args, out).await })
        }
        Some(cli::StatsVerb::Report(verb)) => super::block_on(async { report::run(config, verb, out).await }),
        Some(cli::StatsVerb::Annotation(verb)) => {
            super::block_on(async { annotation::run(config, verb, out).await })
        }
        Some(cli::StatsVerb::Segment(verb)) => {
            super::block_on(async { segment::run(config, verb, out).await })
        }
        Some(cli::StatsVerb::Panel(verb)) => super::block_on(async { panel::run(config, verb, out).await }),
        Some(cli::StatsVerb::Rebuild(args)) => rebuild(config, args, out),
        Some(cli::StatsVerb::Import(args)) => super::block_on(async { import::run(config, args, out).await }),
        Some(cli::StatsVerb::Verify(args)) => super::block_on(async { verify::run(config, args, out).await }),
    }
}

async fn mark(config: &Config, args: &cli::StatsMark) -> anyhow::Result<()> {
    let mut reader = super::reader(config).await?;
    reader.read(migrate::check_compatible).await?;
    is_on(config)?;
    let app = reader.read(async |client| apps::find(client, &args.app).await).await?;
    let from = when::option("--from", Some(&args.from))?.unwrap_or(i64::MIN);
    let until = when::option("--until", Some(&args.until))?.unwrap_or(i64::MAX);
    if from >= until {
        bail!("--from is not before --until: no time lies between them");
    }
    add(config, Some(app.id), from, until).await
}

/// How statistics are switched on.
pub(super) const SWITCH_ON: &str = "write `enabled = true` below [stats] in the configuration (/etc/alt/alt.toml), then: systemctl restart alt";

fn is_on(config: &Config) -> anyhow::Result<()> {
    if !config.stats.enabled {
        bail!("statistics are off: {SWITCH_ON}");
    }
    Ok(())
}

async fn add(config: &Config, app_id: Option<i32>, from: i64, until: i64) -> anyhow::Result<()> {
    let writer = super::writer(config).await?;
    in_transaction(&writer, "10s", async |client| match app_id {
        None => backlog::add_all(client).await,
        Some(_) => backlog::add(client, app_id, from, until).await,
    })
    .await
}

/// How long `alt stats rebuild` waits for another process to end its turn.
const PATIENCE: Duration = Duration::from_secs(60);

fn rebuild(config: &Config, args: &cli::StatsRebuild, out: Out<'_>) -> anyhow::Result<Outcome> {
    is_on(config)?;
    super::block_on(async {
        let mut reader = super::reader(config).await?;
        reader.read(migrate::check_compatible).await?;
        if args.resume {
            return Ok(());
        }
        let app = match &args.app {
            Some(app) => Some(reader.read(async |client| apps::find(client, app).await).await?.id),
            None => None,
        };
        add(config, app, i64::MIN, i64::MAX).await
    })?;
    let is_done = drain(config, PATIENCE, out)?;
    Ok(Outcome::of(is_done))
}

/// What is shown of an application.
struct Shown {
    app: Application,
    class: String,
    period: Period,
    all: Overview,
    /// Its newest rows are requests, and no page view.
    has_requests_alone: bool,
}

async fn overview(config: &Config, args: &cli::StatsShow, out: Out<'_>) -> anyhow::Result<Outcome> {
    let mut reader = super::reader(config).await?;
    reader.read(migrate::check_compatible).await?;
    let app = super::application(&mut reader, args.app.as_deref()).await?;
    let zone = TimeZone::get(&app.time_zone).unwrap_or(TimeZone::UTC);
    let period = Period::of(&args.period, Timestamp::now().to_zoned(zone).date())?;
    if filtered::is_asked(args) {
        filtered::answer(&mut reader, &app, args, &period, out).await?;
        return Ok(Outcome::Done);
    }
    // In one transaction, so that all of it is of one state.
    let all = reader
        .read(async |client| Overview::of(client, app.id, &args.class, &period, TOP, |_| true).await)
        .await?;
    let has_requests_alone = all.now.page_views == 0
        && !reader
            .read(async |client| apps::with_requests_alone(client, Some(app.id), 1).await)
            .await?
            .is_empty();
    let shown = Shown { app, class: args.class.clone(), period, all, has_requests_alone };
    let note = note(config, &shown);
    match (args.json, args.csv) {
        (true, _) => show::json(out, &as_json(config, &shown))?,
        (false, true) => csv(&shown, out)?,
        (false, false) => {
            if !shown.all.days.is_empty() {
                print(&shown, out)?;
            }
            if let Some(note) = &note {
                writeln!(out, "{note}")?;
            }
        }
    }
    Ok(Outcome::Done)
}

/// What a reader has to know of the numbers.
fn note(config: &Config, shown: &Shown) -> Option<String> {
    let mut notes = Vec::new();
    if !config.stats.enabled {
        notes.push(format!("statistics are off on this machine: {SWITCH_ON}"));
    }
    let state = &shown.all.state;
    match (state.days, state.months) {
        (0, 0) if !state.is_followed && config.stats.enabled => {
            notes.push("nothing is computed yet: `alt run` computes statistics".to_owned());
        }
        (0, 0) if shown.all.days.is_empty() => {
            notes.push(format!("nothing of the class {} in this time", shown.class));
        }
        (0, 0) => {}
        _ => notes.push(state.to_string()),
    }
    let imported = shown.all.imported;
    if imported > 0 {
        let days = if imported == 1 { "1 day is".to_owned() } else { format!("{imported} days are") };
        notes.push(format!("{days} imported from another product"));
    }
    if state.frozen_rows > 0 {
        notes.push(format!(
            "{} rows came after the rows of their days were deleted: they are in no statistics",
            show::number(state.frozen_rows)
        ));
    }
    (!notes.is_empty()).then(|| notes.join("; "))
}

/// The six numbers of a sum: name, value, and how it is shown.
fn six(counts: &Counts) -> [(&'static str, f64, String); 6] {
    let whole = |n: u64| (n as f64, show::number(i64::try_from(n).unwrap_or(i64::MAX)));
    let share = |part: u64, of: u64| if of == 0 { 0.0 } else { part as f64 / of as f64 };
    let (visitors, sessions, views) =
        (whole(counts.visitors), whole(counts.sessions), whole(counts.page_views));
    let per_session = share(counts.page_views, counts.sessions);
    let bounces = share(counts.bounces, counts.sessions);
    // As the dashboard does: the nearest second.
    let seconds = (share(counts.duration_ms, counts.sessions) / 1000.0).round();
    [
        ("visitors", visitors.0, visitors.1),
        ("sessions", sessions.0, sessions.1),
        ("page views", views.0, views.1),
        ("views per session", per_session, format!("{per_session:.2}")),
        ("bounce rate", bounces, format!("{:.1} %", bounces * 100.0)),
        ("duration", seconds, format!("{:.0}m {:02.0}s", (seconds / 60.0).floor(), seconds % 60.0)),
    ]
}

/// By how much a number has changed.
fn change(now: f64, before: f64) -> Option<String> {
    (before > 0.0).then(|| format!("{:+.1} %", (now / before - 1.0) * 100.0))
}

fn print(shown: &Shown, out: Out<'_>) -> anyhow::Result<()> {
    let period = &shown.period;
    writeln!(
        out,
        "{}, {} to {} ({})",
        show::safe(&shown.app.name),
        period.from,
        period.until,
        show::safe(&shown.app.time_zone)
    )?;
    let mut rows = show::Rows::new(&["", ">", ">change"]);
    for ((name, now, text), (_, before, _)) in six(&shown.all.now).into_iter().zip(six(&shown.all.before)) {
        // A day that goes on is no match for a whole one.
        let change = change(now, before).filter(|_| period.is_over).unwrap_or_default();
        rows.add(&[name.to_owned(), text, change]);
    }
    rows.print(out)?;
    if period.from < period.until {
        writeln!(out, "page views by day  {}", sparkline(shown))?;
    }
    let mut lists: Vec<_> =
        shown.all.lists.iter().filter(|(name, values)| name != "hour" && is_used(values)).collect();
    lists.sort_by_key(|(name, _)| FIRST.iter().position(|first| first == name).unwrap_or(FIRST.len()));
    for (dimension, values) in lists {
        let mut rows = show::Rows::new(&[dimension, ">visitors", ">sessions", ">page views"]);
        for value in values {
            let number = |n: u64| show::number(i64::try_from(n).unwrap_or(i64::MAX));
            let counts = &value.counts;
            let name = if value.name.is_empty() { "(none)" } else { &value.name };
            rows.add(&[
                name.to_owned(),
                number(counts.visitors),
                number(counts.sessions),
                number(counts.page_views),
            ]);
        }
        writeln!(out)?;
        rows.print(out)?;
    }
    if !shown.all.left_out.is_empty() {
        let all: Vec<String> = shown
            .all
            .left_out
            .iter()
            .map(|class| {
                let events = show::number(i64::try_from(class.counts.events).unwrap_or(i64::MAX));
                format!("{events} of {}", show::safe(&class.name))
            })
            .collect();
        writeln!(out, "\nevents left out: {}", all.join(", "))?;
    }
    if shown.has_requests_alone {
        writeln!(
            out,
            "\nThe newest rows are requests of the site's own log, which are no page views: `alt app page-views {} requests` \
             counts them.",
            shown.app.key
        )?;
    }
    if !period.is_over {
        writeln!(out, "no change is shown, because the last day is not over")?;
    }
    Ok(())
}

/// Whether anything has a value of the dimension.
fn is_used(values: &[Counted]) -> bool {
    values.iter().any(|value| !value.name.is_empty())
}

/// A bar for each day of the period.
fn sparkline(shown: &Shown) -> String {
    let views = |day: &Counted| {
        day.counts.page_views.max(if day.counts.page_views == 0 { day.counts.events } else { 0 })
    };
    let most = shown.all.days.iter().map(views).max().unwrap_or(0);
    let mut line = String::new();
    let mut day = shown.period.from;
    while day <= shown.period.until {
        let name = day.to_string();
        let n = shown.all.days.iter().find(|one| one.name == name).map_or(0, views);
        let height = if most == 0 { 0 } else { n.saturating_mul(7).div_ceil(most) };
        line.push(BARS[usize::try_from(height).unwrap_or(0).min(7)]);
        let Ok(next) = day.tomorrow() else { break };
        day = next;
    }
    line
}

fn counts_of(counts: &Counts) -> Map<String, Value> {
    COUNTS.iter().map(|count| (count.name.to_owned(), json!((count.get)(counts)))).collect()
}

fn as_json(config: &Config, shown: &Shown) -> Value {
    let named = |key: &str, all: &[Counted]| -> Vec<Value> {
        let one = |counted: &Counted| {
            let mut object = counts_of(&counted.counts);
            object.insert(key.to_owned(), json!(counted.name));
            Value::Object(object)
        };
        all.iter().map(one).collect()
    };
    let lists: Map<String, Value> =
        shown.all.lists.iter().map(|(name, values)| (name.clone(), json!(named("value", values)))).collect();
    json!({
        "application": shown.app.name,
        "key": shown.app.key,
        "time_zone": shown.app.time_zone,
        "class": shown.class,
        "from": shown.period.from.to_string(),
        "until": shown.period.until.to_string(),
        "enabled": config.stats.enabled,
        "days_being_computed": shown.all.state.days,
        "months_being_read": shown.all.state.months,
        "frozen_rows": shown.all.state.frozen_rows,
        "imported_days": shown.all.imported,
        "total": counts_of(&shown.all.now),
        "before": counts_of(&shown.all.before),
        "days": named("day", &shown.all.days),
        "dimensions": lists,
        "left_out": named("class", &shown.all.left_out),
    })
}

/// One line for each day and for each value of a list.
fn csv(shown: &Shown, out: Out<'_>) -> anyhow::Result<()> {
    let names: Vec<&str> = COUNTS.iter().map(|count| count.name).collect();
    writeln!(out, "dimension,value,{}", names.join(","))?;
    let days = std::iter::once(("day", shown.all.days.as_slice()));
    for (dimension, values) in
        days.chain(shown.all.lists.iter().map(|(name, all)| (name.as_str(), all.as_slice())))
    {
        for value in values {
            let mut line = format!("{},{}", field(dimension), field(&value.name));
            for count in COUNTS {
                let _ = write!(line, ",{}", (count.get)(&value.counts));
            }
            writeln!(out, "{line}")?;
        }
    }
    Ok(())
}

/// How many of the days are done, on a terminal.
fn bar(days: u64) -> ProgressBar {
    if !stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(days);
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} days, {eta} left") {
        bar.set_style(style);
    }
    bar
}

/// A field of CSV, safe for a terminal, too.
pub(super) fn field(text: &str) -> String {
    alt_web::csv::field(&show::safe(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_of_csv_is_one_and_no_formula() {
        assert_eq!(field("/a,\"b\""), "\"/a,\"\"b\"\"\"");
        assert_eq!(field("=1+1"), "'=1+1");
        assert_eq!(field("a\nb"), "a\\nb");
    }
}
