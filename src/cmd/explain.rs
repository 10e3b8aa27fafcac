//! `alt explain`: how a line is parsed, enriched and classified, and by which rule. It needs no database, unless an
//! application is named; else the application is one with the given domains. The day's salt is zero, so visitor ids are not shown.

use std::io::Read;
use std::sync::Arc;

use alt_config::Config;
use alt_line::arena::{ARENA_BYTES, Arena};
use alt_line::copy;
use alt_line::enrich::{self, AgentRules, App, Enriched, Enricher, Environment};
use alt_line::hit::{Hit, Parsed};
use alt_line::lines::{LINE_BYTES_MAX, Line};
use alt_line::parse::Format;
use alt_line::processor::pieces;
use alt_line::row::Row;
use alt_process::clock;
use alt_store::dimensions;
use anyhow::{Context, bail};
use serde_json::{Map, Value as Json, json};

use super::parse::{insert_some, insert_text};
use super::{Out, Outcome, parse, show};
use crate::cli;

/// Explains the line from the arguments, or the first line of standard input.
///
/// # Errors
/// There is no line, or the rules of the configuration cannot be read.
pub fn run(config: &Config, args: &cli::Explain, out: Out<'_>) -> anyhow::Result<Outcome> {
    let line = match &args.line {
        Some(name) if std::fs::metadata(name).is_ok_and(|file| file.is_file()) => {
            bail!("{name} is a file, and no line: head -n 1 {name} | alt explain");
        }
        Some(line) => line.clone().into_bytes(),
        None => first_line()?,
    };
    let line = line.strip_suffix(b"\n").unwrap_or(&line);
    if line.is_empty() {
        bail!("there is no line; give one as argument or on standard input");
    }
    let terms = config.track.terms()?;
    let format = parse::named(&args.format, line, &terms);
    let format = parse::compile(format, args.pixel.as_deref(), args.status.as_deref())?;
    let rules = Arc::new(super::rules(config)?);
    let app = match &args.app {
        Some(name) => super::block_on(named_app(config, name))?,
        None => App { allowed_domains: args.domains.clone(), time_zone: "UTC".to_owned(), ..App::default() },
    };
    let mut scratch = vec![0; ARENA_BYTES];
    let whole =
        Line { offset: 0, span: line.len() as u64, bytes: line, too_long: line.len() > LINE_BYTES_MAX };
    pieces(&whole, &format, &terms, &mut scratch, clock::now(), &mut |piece, parsed| {
        let told = tell(config, &rules, &app, &format, piece, parsed);
        if args.json { show::json(out, &told) } else { print(&told, out) }
    })?;
    Ok(Outcome::Done)
}

/// An application as loading knows it.
async fn named_app(config: &Config, name: &str) -> anyhow::Result<App> {
    let known = super::application_of(config, Some(name)).await?;
    let keys = [known.key];
    let found =
        super::reader(config).await?.read(async |client| dimensions::apps(client, &keys).await).await?;
    let Some(app) = found.into_iter().next() else {
        bail!("{name} is disabled: its hits are rejected; `alt app enable` accepts them")
    };
    Ok(app)
}

fn first_line() -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::io::stdin()
        .take(LINE_BYTES_MAX as u64 + 2)
        .read_to_end(&mut bytes)
        .context("read standard input")?;
    let end = memchr::memchr(b'\n', &bytes).unwrap_or(bytes.len());
    bytes.truncate(end);
    Ok(bytes)
}

fn tell(
    config: &Config,
    rules: &Arc<AgentRules>,
    app: &App,
    format: &Format,
    line: &Line<'_>,
    parsed: &Parsed<'_>,
) -> Json {
    let mut told = Map::new();
    told.insert("line".to_owned(), Json::from(parse::kind(parsed)));
    told.insert("format".to_owned(), Json::from(format.name()));
    if let Some(pixel) = format.pixel() {
        told.insert("pixel".to_owned(), Json::from(pixel));
    }
    match parsed {
        Parsed::Hit(hit) => {
            told.insert("parsed".to_owned(), Json::Object(parse::fields(hit)));
            told.insert("classified".to_owned(), classified(config, rules, hit, app));
            told.insert("stored".to_owned(), stored(config, rules, hit, app));
        }
        Parsed::NonHit(why) => {
            told.insert("because".to_owned(), Json::Object(parse::non_hit(*why)));
        }
        Parsed::Reject(reject) => {
            let mut because = Map::new();
            because.insert("reason".to_owned(), Json::from(reject.reason.as_str()));
            because.insert("meaning".to_owned(), Json::from(reject.reason.meaning()));
            because.insert("bytes".to_owned(), Json::from(line.span));
            told.insert("because".to_owned(), Json::Object(because));
        }
    }
    Json::Object(told)
}

fn classified(config: &Config, rules: &AgentRules, hit: &Hit<'_>, app: &App) -> Json {
    let explanation = enrich::explain(rules, config.privacy, hit, app);
    let agent = &explanation.agent;
    let mut all = Map::new();
    all.insert("traffic_class".to_owned(), Json::from(explanation.traffic_class.as_str()));
    all.insert("rule".to_owned(), Json::from(explanation.rule));
    for (name, value) in [
        ("browser", &agent.browser),
        ("browser_version", &agent.browser_version),
        ("os", &agent.os),
        ("os_version", &agent.os_version),
        ("device", &agent.device),
    ] {
        insert_text(&mut all, name, value);
    }
    if explanation.anonymous {
        all.insert("anonymous".to_owned(), json!("asked not to be tracked (privacy.gpc)"));
    }
    if let Some(why) = explanation.dropped {
        all.insert("dropped".to_owned(), Json::Object(parse::non_hit(why)));
    }
    Json::Object(all)
}

/// The columns of the row that differ from the hit or are not in the hit.
fn stored(config: &Config, rules: &Arc<AgentRules>, hit: &Hit<'_>, app: &App) -> Json {
    let mut enricher = Enricher::new(rules.clone(), config.privacy);
    let mut scratch = vec![0; ARENA_BYTES];
    let mut arena = Arena::new(&mut scratch);
    match enricher.enrich(hit, app, Some(&[0; 32]), &mut arena) {
        Enriched::Row(row) => {
            let mut all = columns(&row);
            for environment in enricher.take_new().environments {
                insert_environment(&mut all, &environment);
            }
            Json::Object(all)
        }
        Enriched::NonHit(_) => Json::Null,
    }
}

/// Columns whose value `parsed` or `classified` already shows.
const SHOWN_ABOVE: [&str; 3] = ["traffic_class", "method", "trace_id"];

fn columns(row: &Row<'_>) -> Map<String, Json> {
    let mut all = Map::new();
    for (name, text) in copy::texts(row).filter(|(name, _)| !SHOWN_ABOVE.contains(name)) {
        insert_text(&mut all, name, text);
    }
    if let Some((ip, prefix)) = row.ip {
        all.insert("ip".to_owned(), Json::from(format!("{ip}/{prefix}")));
    }
    all.insert(
        "visitor_id".to_owned(),
        Json::from(if row.visitor_id.is_some() { "of the day's salt" } else { "none" }),
    );
    if !row.params.is_empty() {
        let params = serde_json::from_str(row.params).unwrap_or_else(|_| Json::from(row.params));
        all.insert("params".to_owned(), params);
    }
    all
}

/// What `access_log_details` shows of a row's environment.
fn insert_environment(all: &mut Map<String, Json>, environment: &Environment) {
    insert_text(all, "language", &environment.language);
    insert_text(all, "time_zone", &environment.time_zone);
    insert_text(all, "beacon_version", &environment.beacon_version);
    insert_some(all, "screen_width", environment.screen_width);
    insert_some(all, "screen_height", environment.screen_height);
}

fn print(told: &Json, out: Out<'_>) -> anyhow::Result<()> {
    let Json::Object(told) = told else { return Ok(()) };
    for (name, value) in told {
        match value {
            Json::Object(fields) => {
                writeln!(out, "\n{name}")?;
                for (field, value) in fields {
                    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                    writeln!(out, "  {:<16} {}", show::safe(field), show::safe(&text))?;
                }
            }
            value => {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                writeln!(out, "{name:<8} {}", show::safe(&text))?;
            }
        }
    }
    Ok(())
}
