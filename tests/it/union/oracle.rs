//! What has to be in the database: lines as nginx writes them, and the hits that a file's bytes hold.
//!
//! Whether bytes are a whole hit line, the parser says, which has tests of its own. Which event a line is, that was
//! not cut (its application, its time), is known here from when it was made.

use std::collections::HashMap;

use alt_line::arena::{ARENA_BYTES, Arena};
use alt_line::hit::Parsed;
use alt_line::parse::{Format, Terms};
use alt_line::processor::timed;
use alt_process::clock;

use super::case::{Gap, LineSpec, Lines, Log, What};

/// Keys of the applications; all but the last are registered.
pub(super) const APPS: [&str; 4] = ["shop", "news", "club", "nobody"];

/// The application of lines that name none, and the label that goes into their ids.
pub(super) const OWNER: (&str, &str) = (APPS[0], "site");

/// 2023-11-14T22:13:20Z, in milliseconds.
pub(super) const FIRST: i64 = 1_700_000_000_000;

const HOUR: i64 = 3_600_000;

/// What a row says, as far as it is looked at: key of the application, milliseconds since 1970, and the id where
/// the line carries one, else the line.
pub(super) type Event = (String, i64, String);

/// A hit in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) offset: u64,
    pub(super) event: Event,
}

/// What is in the bytes of a file.
#[derive(Debug, Clone, Default)]
pub(super) struct Holds {
    pub(super) hits: Vec<Found>,
    /// Offsets at which lines end; a line that was torn has several.
    pub(super) ends: Vec<u64>,
}

/// Makes lines, and reads them.
pub(super) struct Oracle {
    lines: Lines,
    format: Format,
    scratch: Vec<u8>,
    /// The last application is, too.
    pub(super) registered: bool,
    /// By line: what it says. Lines that were cut and put together may say anything.
    made: HashMap<String, Event>,
}

impl Oracle {
    pub(super) fn new(lines: Lines) -> Oracle {
        let format = Format::compile(if lines == Lines::Alt1 { "alt1" } else { "combined" }).unwrap();
        Oracle { lines, format, scratch: vec![0; ARENA_BYTES / 64], registered: false, made: HashMap::new() }
    }

    /// The bytes of a log; `number` makes its lines differ from those of other logs.
    pub(super) fn log(&mut self, number: usize, log: &Log) -> Vec<u8> {
        let mut at = FIRST + i64::from(log.start) * HOUR;
        let mut bytes = Vec::new();
        for (index, spec) in log.lines.iter().enumerate() {
            at += gap(spec.gap, index);
            bytes.extend(self.line(number, index, at, spec));
        }
        bytes
    }

    /// A line, with its newline.
    pub(super) fn line(&mut self, log: usize, index: usize, at: i64, spec: &LineSpec) -> Vec<u8> {
        let text = if self.lines == Lines::Alt1 {
            self.alt1(log, index, at, spec)
        } else {
            let index = if self.lines == Lines::Twins { index % 3 } else { index };
            combined(log, index, if self.lines == Lines::Twins { FIRST } else { at }, spec)
        };
        (text + "\n").into_bytes()
    }

    fn alt1(&mut self, log: usize, index: usize, at: i64, spec: &LineSpec) -> String {
        let id = format!("{:016x}{:016x}", log + 1, index + 1);
        let mut app = APPS[index % 3];
        let mut time = format!("{}.{:03}", at / 1000, at % 1000);
        let (mut method, mut status, mut uri, mut body) = ("GET", "204", "/b", String::new());
        match spec.what {
            What::Hit | What::Torn => {}
            What::Json => {
                (method, uri) = ("POST", "/api/v1/track");
                body = format!(r#"{{\"application_id\":\"{app}\",\"title\":\"{}\"}}"#, pad(spec));
            }
            What::Body => (method, body) = ("POST", "sent as text ".repeat(4)),
            What::NonHit => status = "429",
            What::Garbage => return format!("{}\u{7f}\t{}", pad(spec), pad(spec)),
            What::Empty => return String::new(),
            What::UnknownApp => app = APPS[3],
            What::BadTime => time = "17.5".to_owned(),
        }
        let args = if uri == "/b" { format!("a={app}&t={}", pad(spec)) } else { String::new() };
        let line = format!(
            "alt1\t{time}\t{id}\t192.0.2.{}\t{method}\t{status}\tcollect.example\t{uri}\t{args}\thttps://shop.example/\t\
             Firefox\tde\t\t\t\t\t\t512\t{body}",
            index % 250
        );
        if !matches!(spec.what, What::NonHit | What::BadTime) {
            self.made.insert(line.clone(), (app.to_owned(), at, id.clone()));
        }
        if spec.what == What::Torn {
            // Another line, cut in the middle, stands before it.
            let torn = line.replace(&id, &format!("{:032x}", u128::from(spec.pad)));
            return format!("{}{line}", &torn[..20 + usize::from(spec.pad) * 2]);
        }
        line
    }

    /// What is in these bytes, also behind the last newline.
    pub(super) fn holds(&mut self, bytes: &[u8]) -> Holds {
        let mut holds = Holds::default();
        let mut offset = 0;
        for whole in bytes.split_inclusive(|b| *b == b'\n') {
            let mut line = whole.strip_suffix(b"\n").unwrap_or(whole);
            let mut at = offset;
            while let Some(next) = self.format.next_piece(line) {
                at += next;
                line = &line[next..];
                holds.ends.push(at as u64);
            }
            if let Some(event) = self.event(line) {
                holds.hits.push(Found { offset: at as u64, event });
            }
            offset += whole.len();
            holds.ends.push(offset as u64);
        }
        holds
    }

    /// The event that a line is, if it is one.
    fn event(&mut self, line: &[u8]) -> Option<Event> {
        let mut arena = Arena::new(&mut self.scratch);
        let parsed = self.format.parse(line, false, &Terms::default(), &mut arena);
        let Parsed::Hit(hit) = timed(parsed, clock::now()) else { return None };
        let Some(id) = hit.event_id else {
            let line = String::from_utf8_lossy(line).into_owned();
            return Some((OWNER.0.to_owned(), hit.occurred_at / 1000, line));
        };
        if !APPS[..if self.registered { 4 } else { 3 }].contains(&hit.app_key) {
            return None;
        }
        let event = (hit.app_key.to_owned(), hit.occurred_at / 1000, format!("{id:032x}"));
        if let Some(made) = std::str::from_utf8(line).ok().and_then(|line| self.made.get(line)) {
            assert_eq!(event, *made);
        }
        Some(event)
    }
}

fn pad(spec: &LineSpec) -> String {
    "x".repeat(usize::from(spec.pad))
}

fn combined(log: usize, index: usize, at: i64, spec: &LineSpec) -> String {
    match spec.what {
        What::Garbage | What::Torn => return format!("{}\u{7f} {index}", pad(spec)),
        What::Empty => return String::new(),
        What::BadTime => {
            return format!("192.0.2.1 - - [yesterday] \"GET /{log}/{index} HTTP/1.1\" 200 5 \"-\" \"-\"");
        }
        _ => {}
    }
    let time = jiff::Timestamp::from_second(at / 1000).unwrap().strftime("%d/%b/%Y:%H:%M:%S +0000");
    format!(
        "192.0.2.{} - - [{time}] \"GET /{log}/{index}?{} HTTP/1.1\" 200 5 \"-\" \"Firefox\"",
        index % 250,
        pad(spec)
    )
}

/// The time to the next line.
pub(super) fn gap(gap: Gap, index: usize) -> i64 {
    let few = 1 + i64::try_from(index % 7).unwrap();
    match gap {
        Gap::None => 0,
        Gap::Milliseconds => few,
        Gap::Seconds => few * 1000,
        Gap::Hours => few * HOUR,
        Gap::Weeks => 24 * 7 * HOUR,
    }
}
