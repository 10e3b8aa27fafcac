//! `alt search`: events in the database, the newest first, and then as they are loaded.
//!
//! A search reads the rows of an application from the newest back, in steps of a fixed number. Each step is a short
//! transaction of its own, so that a long search holds up neither VACUUM nor retention. Before the first step, the search is
//! recorded in `audit_log`.

use std::collections::{HashSet, VecDeque};
use std::io::IsTerminal;
use std::time::Duration;

use alt_config::Config;
use alt_line::hit::Micros;
use alt_process::clock;
use alt_store::read::Reader;
use alt_store::search::{self, FIRST, LAST, Position, Wanted};
use alt_store::{Trouble, classify_any, migrate};
use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use super::access::record_read;
use super::{Out, Outcome, show, when};
use crate::cli;

/// How many events are asked for at once.
const AT_ONCE: i64 = 200;

/// How often new events are asked for.
const POLL: Duration = Duration::from_secs(1);

/// How much earlier than the newest event an event may be that is loaded after it, and still be shown.
const LATE: Micros = 60_000_000;

/// The most events of [`LATE`] of which it is known that they were shown.
const SHOWN_MAX: usize = 100_000;

/// Searches, and follows until Ctrl-C where that is asked.
///
/// # Errors
/// The arguments are not correct, or the database cannot be asked.
pub async fn run(config: &Config, args: &cli::Search, out: Out<'_>) -> anyhow::Result<Outcome> {
    let wanted = wanted(args)?;
    let start = match &args.cursor {
        Some(cursor) => match cursor.parse() {
            Ok(position) => position,
            Err(()) => bail!(
                "--cursor is what a search printed at its end; leave it out to begin with the newest event"
            ),
        },
        None => Position::before(when::option("--until", args.until.as_deref())?.unwrap_or(LAST)),
    };
    if start.at < wanted.from {
        bail!("--from is not before --until: no time lies between them");
    }
    let mut reader = super::reader(config).await?;
    reader.read(migrate::check_compatible).await?;
    let app = super::application(&mut reader, args.app.as_deref()).await?;
    record_read(config, &app, asked(args)).await?;
    let zone = TimeZone::get(&app.time_zone).unwrap_or(TimeZone::UTC);
    let mut search = Search { reader, app_id: app.id, wanted, zone, json: args.json };
    if args.follow {
        return search.follow(config, args.limit, out).await;
    }
    let (found, next) = search.all(start, args.limit, out).await?;
    match next {
        Some(next) if args.json => tracing::info!(cursor = %next, "there are more events"),
        Some(next) => writeln!(out, "there are more: --cursor {next}")?,
        None => {}
    }
    if found == 0 && !args.json {
        writeln!(out, "no such event")?;
    }
    Ok(Outcome::of(found > 0))
}

/// What is asked, for the record: what was given.
fn asked(args: &cli::Search) -> Value {
    let given = [
        ("from", &args.from),
        ("until", &args.until),
        ("type", &args.event_type),
        ("path", &args.path),
        ("status", &args.status),
        ("class", &args.class),
        ("trace", &args.trace),
        ("user", &args.user),
        ("session", &args.session),
        ("text", &args.text),
        ("cursor", &args.cursor),
    ];
    let mut asked = Map::from_iter([("command".to_owned(), json!("alt search"))]);
    asked.extend(
        given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), json!(value.as_ref()?)))),
    );
    if args.follow {
        asked.insert("follow".to_owned(), json!(true));
    }
    Value::Object(asked)
}

fn wanted(args: &cli::Search) -> anyhow::Result<Wanted> {
    let status = match args.status.as_deref() {
        Some(text) => {
            Some(search::status(text).context("--status is a number such as 404, or a class such as 5xx")?)
        }
        None => None,
    };
    Ok(Wanted {
        from: when::option("--from", args.from.as_deref())?.unwrap_or(FIRST),
        class: args.class.clone(),
        status,
        event_type: args.event_type.clone(),
        path_prefix: args.path.clone(),
        text: args.text.clone(),
        trace_id: args.trace.clone(),
        user_id: args.user.clone(),
        session_id: args.session.clone(),
        visitor_id: None,
    })
}

struct Search {
    reader: Reader,
    app_id: i32,
    wanted: Wanted,
    zone: TimeZone,
    json: bool,
}

impl Search {
    /// Prints what is found, the newest first; how many, and where to go on.
    async fn all(
        &mut self,
        start: Position,
        limit: u32,
        out: Out<'_>,
    ) -> anyhow::Result<(u32, Option<Position>)> {
        let bar = bar();
        let (mut found, mut position) = (0, start);
        loop {
            let most = i64::from(limit - found).min(AT_ONCE);
            let step = self.step(&position, most).await?;
            for row in &step.found {
                bar.suspend(|| self.print(row, out))?;
                found += 1;
            }
            let Some(next) = step.next else { return Ok((found, None)) };
            if found >= limit {
                return Ok((found, Some(next)));
            }
            bar.set_message(time(next.at, &self.zone));
            bar.tick();
            position = next;
        }
    }

    async fn step(&mut self, position: &Position, most: i64) -> anyhow::Result<search::Step> {
        let (app_id, wanted) = (self.app_id, &self.wanted);
        self.reader.read(async |client| search::step(client, app_id, wanted, position, most).await).await
    }

    /// Prints the newest events, then those that are loaded, the oldest first. While the database is away, it waits.
    async fn follow(&mut self, config: &Config, limit: u32, out: Out<'_>) -> anyhow::Result<Outcome> {
        let from = self.wanted.from;
        let mut shown = Shown::default();
        let mut newest = from;
        let mut limit = usize::try_from(limit)?;
        let mut is_away = false;
        loop {
            let looked = if is_away { self.reconnect(config).await } else { Ok(()) };
            let found = match looked {
                Ok(()) => self.news(&shown, limit).await,
                Err(e) => Err(e),
            };
            match found {
                Ok((found, last)) => {
                    if is_away {
                        tracing::warn!("the database is back");
                    }
                    is_away = false;
                    newest = newest.max(last.unwrap_or(newest));
                    // What is not printed for the limit is not new later.
                    let new: Vec<&String> = found.iter().filter(|row| shown.is_new(row)).collect();
                    for row in new.iter().take(limit).rev() {
                        self.print(row, out)?;
                    }
                    out.flush()?;
                    // The first time, the limit that was asked for; then everything that is new.
                    limit = usize::MAX;
                    // A clock that is ahead hides nothing.
                    self.wanted.from = from.max(newest.min(clock::now()) - LATE);
                }
                Err(e) if classify_any(&e) == Trouble::Transient => {
                    if !is_away {
                        tracing::warn!(error = format!("{e:#}"), "the database is away: waiting for it");
                    }
                    is_away = true;
                }
                Err(e) => return Err(e),
            }
            tokio::select! {
                () = tokio::time::sleep(POLL) => {}
                _ = tokio::signal::ctrl_c() => return Ok(Outcome::Done),
            }
        }
    }

    async fn reconnect(&mut self, config: &Config) -> anyhow::Result<()> {
        self.reader = super::reader(config).await?;
        Ok(())
    }

    /// The events that were not shown, the newest first, so many or some more; and the time of the newest of all.
    async fn news(&mut self, shown: &Shown, limit: usize) -> anyhow::Result<(Vec<String>, Option<Micros>)> {
        let (mut new, mut newest) = (Vec::new(), None);
        let mut position = Position::before(LAST);
        loop {
            let step = self.step(&position, AT_ONCE).await?;
            newest = newest.max(step.newest);
            new.extend(step.found.into_iter().filter(|row| !shown.has(row)));
            match step.next {
                Some(next) if new.len() < limit => position = next,
                _ => break,
            }
        }
        Ok((new, newest))
    }

    fn print(&self, row: &str, out: Out<'_>) -> anyhow::Result<()> {
        if self.json {
            writeln!(out, "{}", show::safe_json(row))?;
        } else {
            let row: Value = serde_json::from_str(row).context("read an event")?;
            writeln!(out, "{}", show::safe(&line(&row, &self.zone)))?;
        }
        Ok(())
    }
}

/// Events that were shown.
#[derive(Debug, Default)]
struct Shown {
    ids: HashSet<String>,
    order: VecDeque<String>,
}

impl Shown {
    fn has(&self, row: &str) -> bool {
        id(row).is_none_or(|id| self.ids.contains(&id))
    }

    /// Whether the event was not shown yet; it is known from now on.
    fn is_new(&mut self, row: &str) -> bool {
        let Some(id) = id(row) else { return false };
        if !self.ids.insert(id.clone()) {
            return false;
        }
        self.order.push_back(id);
        if self.order.len() > SHOWN_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
        true
    }
}

/// The id of an event.
fn id(row: &str) -> Option<String> {
    serde_json::from_str::<Value>(row).ok()?["event_id"].as_str().map(str::to_owned)
}

fn time(at: Micros, zone: &TimeZone) -> String {
    let at = Timestamp::from_microsecond(at).unwrap_or_default().to_zoned(zone.clone());
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// An event in a line for people; times are those of the application's zone.
fn line(row: &Value, zone: &TimeZone) -> String {
    let text = |name: &str| match &row[name] {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let at = row["occurred_at"].as_str().and_then(|at| at.parse::<Timestamp>().ok()).unwrap_or_default();
    let mut page = text("url_path");
    if !text("url_query").is_empty() {
        page = format!("{page}?{}", text("url_query"));
    }
    let kind = match text("event_type").as_str() {
        "request" => format!("{} {}", text("method"), text("status")),
        other => other.to_owned(),
    };
    let mut line = format!("{}  {:<15} {kind:<11} {page}", time(at.as_microsecond(), zone), text("ip"));
    if text("traffic_class") != "human" {
        line += &format!("  class={}", text("traffic_class"));
    }
    let named = [
        ("title", "title"),
        ("ref", "referrer"),
        ("user", "user_id"),
        ("session", "session_id"),
        ("trace", "trace_id"),
        ("browser", "browser"),
        ("ms", "request_ms"),
        ("dwell_ms", "dwell_ms"),
    ];
    for (name, column) in named {
        let value = text(column);
        if !value.is_empty() {
            line += &format!("  {name}={value}");
        }
    }
    line
}

/// Shows on a terminal how far a search came, once it takes a second.
fn bar() -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{elapsed_precise}  searched back to {msg}") {
        bar.set_style(style);
    }
    bar
}
