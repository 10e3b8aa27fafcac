//! `alt parse`: converts lines to JSON, one object per line, without a database.

use std::io::{self, Cursor, Read};
use std::path::Path;

use alt_collect::source::unpack;
use alt_config::Config;
use alt_line::arena::ARENA_BYTES;
use alt_line::detect::{self, Guess, HEAD_BYTES};
use alt_line::hit::{Hit, Micros, NonHit, Parsed, Value};
use alt_line::lines::{Line, Lines};
use alt_line::parse::{Format, Spec, Terms};
use alt_line::processor::pieces;
use alt_process::clock;
use anyhow::Context;
use serde_json::{Map, Value as Json};

use super::replay::format::{AUTO, DEFAULT};
use super::{Out, Outcome, show};
use crate::cli;

/// Parses every line of the files.
///
/// # Errors
/// A file cannot be read, or the format cannot be compiled.
pub fn run(config: &Config, args: &cli::Parse, out: Out<'_>) -> anyhow::Result<Outcome> {
    let terms = config.track.terms()?;
    for path in &args.paths {
        let file = (args.paths.len() > 1).then(|| path.display().to_string());
        each_line(path, args, &terms, &mut |line, parsed| {
            show::json(out, &object(file.as_deref(), line, parsed))
        })?;
    }
    Ok(Outcome::Done)
}

/// The named format or, if it is `auto`, the one that the first bytes of a log have. If that is not clear, `alt1`: each
/// line then says that it is a reject.
pub(super) fn named<'n>(format: &'n str, head: &[u8], terms: &Terms) -> &'n str {
    match format {
        AUTO => match detect::guess(head, terms) {
            Guess::Named(name) => name,
            _ => DEFAULT,
        },
        named => named,
    }
}

/// Compiles `--format`, `--pixel` and `--status`.
pub(super) fn compile(format: &str, pixel: Option<&str>, status: Option<&str>) -> anyhow::Result<Format> {
    let owned = |text: Option<&str>| text.map(str::to_owned);
    let spec = Spec { pixel: owned(pixel), status: owned(status), ..Spec::new(format) };
    Format::of(&spec).map_err(|e| anyhow::anyhow!("--{} cannot be compiled: {}", e.part, e.what))
}

/// Reads the first bytes of a log; of standard input, which may be typed, only its first lines.
fn look(stream: &mut dyn Read, path: &Path, head: &mut Vec<u8>) -> io::Result<()> {
    let typed = path.as_os_str() == "-";
    let mut buffer = [0; 8192];
    while head.len() < HEAD_BYTES && !(typed && head.contains(&b'\n')) {
        let room = buffer.len().min(HEAD_BYTES - head.len());
        match stream.read(&mut buffer[..room]) {
            Ok(0) => break,
            Ok(n) => head.extend_from_slice(&buffer[..n]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// An error that a stream had, as a stream.
struct Broken(Option<io::Error>);

impl Read for Broken {
    fn read(&mut self, _buffer: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

/// Calls `each` with every line of a file, or piece of a torn line, and its kind.
fn each_line(
    path: &Path,
    args: &cli::Parse,
    terms: &Terms,
    each: &mut dyn FnMut(&Line<'_>, &Parsed<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut stream = unpack::open(path).with_context(|| format!("open {}", path.display()))?;
    let mut head = Vec::new();
    let looked = if args.format == AUTO { look(&mut stream, path, &mut head) } else { Ok(()) };
    let format = named(&args.format, &head, terms);
    let format = &compile(format, args.pixel.as_deref(), args.status.as_deref())?;
    // An error is met again behind the bytes before it.
    let mut stream = Cursor::new(head).chain(Broken(looked.err())).chain(stream);
    let mut lines = Lines::default();
    let mut scratch = vec![0; ARENA_BYTES];
    loop {
        while let Some(line) = lines.next_line() {
            pieces(&line, format, terms, &mut scratch, clock::now(), each)?;
        }
        let n = stream.read(lines.room()).with_context(|| format!("read {}", path.display()))?;
        if n == 0 {
            break;
        }
        lines.filled(n);
    }
    match lines.last_line() {
        Some(line) => pieces(&line, format, terms, &mut scratch, clock::now(), each),
        None => Ok(()),
    }
}

fn object(file: Option<&str>, line: &Line<'_>, parsed: &Parsed<'_>) -> Json {
    let mut object = Map::new();
    object.insert("line".to_owned(), Json::from(kind(parsed)));
    if let Some(file) = file {
        object.insert("file".to_owned(), Json::from(file));
    }
    object.insert("offset".to_owned(), Json::from(line.offset));
    object.insert("bytes".to_owned(), Json::from(line.span));
    match parsed {
        Parsed::Hit(hit) => object.extend(fields(hit)),
        Parsed::NonHit(why) => {
            object.extend(non_hit(*why));
        }
        Parsed::Reject(reject) => {
            object.insert("reason".to_owned(), Json::from(reject.reason.as_str()));
            insert_some(&mut object, "occurred_at", reject.occurred_at.map(time));
            insert_some(&mut object, "event_id", reject.event_id.map(id));
            let raw = String::from_utf8_lossy(&line.bytes[..line.bytes.len().min(2048)]);
            object.insert("raw".to_owned(), Json::from(raw));
        }
    }
    Json::Object(object)
}

/// The outcome of a line, in one word.
pub(super) fn kind(parsed: &Parsed<'_>) -> &'static str {
    match parsed {
        Parsed::Hit(_) => "hit",
        Parsed::NonHit(_) => "non_hit",
        Parsed::Reject(_) => "reject",
    }
}

/// Why a line is not an event.
pub(super) fn non_hit(why: NonHit) -> Map<String, Json> {
    let mut told = Map::new();
    told.insert("reason".to_owned(), Json::from(why.phrase()));
    if let NonHit::Status(status) = why {
        told.insert("status".to_owned(), Json::from(status));
    }
    told
}

/// The fields that a hit has, in the order of its type.
pub(super) fn fields(hit: &Hit<'_>) -> Map<String, Json> {
    let mut all = Map::new();
    insert_some(&mut all, "occurred_at", Some(time(hit.occurred_at)));
    insert_some(&mut all, "client_at", hit.client_at.map(time));
    insert_some(&mut all, "event_id", hit.event_id.map(id));
    insert_text(&mut all, "app_key", hit.app_key);
    insert_text(&mut all, "event_type", hit.event_type);
    insert_some(&mut all, "page_view_id", hit.page_view_id);
    insert_text(&mut all, "method", hit.method);
    insert_some(&mut all, "status", hit.status);
    insert_some(&mut all, "bytes_sent", hit.bytes_sent);
    insert_some(&mut all, "request_ms", hit.request_ms);
    insert_some(&mut all, "upstream_ms", hit.upstream_ms);
    insert_some(&mut all, "ip", hit.ip.map(|ip| ip.to_string()));
    insert_text(&mut all, "user_agent", hit.user_agent);
    insert_text(&mut all, "accept_language", hit.accept_language);
    insert_text(&mut all, "origin", hit.origin);
    insert_text(&mut all, "host", hit.host);
    if hit.site != hit.host {
        insert_text(&mut all, "site", hit.site);
    }
    insert_text(&mut all, "page_url", hit.page_url);
    insert_text(&mut all, "referrer", hit.referrer);
    insert_text(&mut all, "title", hit.title);
    insert_text(&mut all, "session_id", hit.session_id);
    insert_text(&mut all, "user_id", hit.user_id);
    insert_text(&mut all, "client_sub_id", hit.client_sub_id);
    insert_text(&mut all, "module_id", hit.module_id);
    insert_some(&mut all, "dwell_ms", hit.dwell_ms);
    insert_some(&mut all, "scroll_depth", hit.scroll_depth);
    insert_some(&mut all, "click_x", hit.click_x);
    insert_some(&mut all, "click_y", hit.click_y);
    insert_text(&mut all, "element", hit.element);
    insert_text(&mut all, "text", hit.text);
    insert_text(&mut all, "entity_type", hit.entity_type);
    insert_text(&mut all, "entity_id", hit.entity_id);
    insert_text(&mut all, "search_term", hit.search_term);
    insert_some(&mut all, "result_count", hit.result_count);
    insert_some(&mut all, "screen_width", hit.screen_width);
    insert_some(&mut all, "screen_height", hit.screen_height);
    insert_text(&mut all, "time_zone", hit.time_zone);
    insert_some(&mut all, "automated", hit.automated.then_some(true));
    insert_text(&mut all, "beacon_version", hit.beacon_version);
    insert_some(&mut all, "cut", hit.cut.then_some(true));
    insert_some(&mut all, "opted_out", hit.opted_out.then_some(true));
    insert_some(&mut all, "prefetch", hit.prefetch.then_some(true));
    insert_text(&mut all, "trace_id", hit.trace_id);
    if !hit.params.is_empty() {
        let params = hit.params.iter().map(|(name, value)| ((*name).to_owned(), parameter(*value)));
        all.insert("params".to_owned(), Json::Object(params.collect()));
    }
    all
}

fn parameter(value: Value<'_>) -> Json {
    match value {
        Value::Text(text) => Json::from(text),
        Value::Json(text) => serde_json::from_str(text).unwrap_or_else(|_| Json::from(text)),
    }
}

pub(super) fn insert_text(all: &mut Map<String, Json>, name: &str, text: &str) {
    if !text.is_empty() {
        all.insert(name.to_owned(), Json::from(text));
    }
}

pub(super) fn insert_some(all: &mut Map<String, Json>, name: &str, value: Option<impl Into<Json>>) {
    if let Some(value) = value {
        all.insert(name.to_owned(), value.into());
    }
}

/// RFC 3339, UTC, microseconds; the number itself if it is not a valid time.
pub(super) fn time(at: Micros) -> String {
    jiff::Timestamp::from_microsecond(at).map_or_else(|_| at.to_string(), |time| format!("{time:.6}"))
}

/// As PostgreSQL writes a uuid.
pub(super) fn id(event_id: u128) -> String {
    uuid::Uuid::from_u128(event_id).to_string()
}
