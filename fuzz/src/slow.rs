//! Lines that take long: a fragment, again and again, wherever a line has room for text.
//!
//! The target repeats what libFuzzer finds, so that what looks at each of many pieces anew takes a thousand times as
//! long as the fragment lets see, and -timeout ends it. `tests/it/worst_lines.rs` counts the instructions of the same
//! lines.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io::Write;
use std::sync::Arc;

use alt_line::batch::{Batch, FileRef};
use alt_line::checkpoint::{Head, Position, Proof};
use alt_line::enrich::{AgentRules, App, Enricher, Privacy};
use alt_line::hit::Micros;
use alt_line::line_id::LineIds;
use alt_line::lines::{LINE_BYTES_MAX, Line};
use alt_line::parse::{Format, Spec};
use alt_line::processor::{Known, Processor};
use alt_line::sites::Sites;

use super::check::{escaped, terms};

const NOW: Micros = 1_900_000_000_000_000;

/// Formats, and the pixels whose logs they are.
const FORMATS: [(&str, Option<&str>); 6] = [
    ("alt1", None),
    ("combined", None),
    ("combined", Some("matomo")),
    (
        r#"escape=json '{"at":"$time_iso8601","id":"$request_id","ip":"$remote_addr","r":"$request","s":$status,'
           '"b":$body_bytes_sent,"f":"$http_referer","a":"$http_user_agent","x":"$http_x_forwarded_for","o":"$other",'
           '"u":"$upstream_response_time","p":"$http_sec_purpose"}'"#,
        None,
    ),
    ("$a $upstream_response_time $b \"$c\" $status $msec", None),
    (
        "$msec $upstream_addr $upstream_status $a $server_name:$server_port $http_x_forwarded_for $status",
        None,
    ),
];

/// How the text of a place is written into the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Written {
    AsItIs,
    /// As nginx writes a body.
    Escaped,
    /// As nginx writes a body that was compressed.
    Packed,
}

/// A place in a line for text.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// What it is called where something is wrong with it.
    pub name: &'static str,
    format: usize,
    before: &'static str,
    /// What of the written text stands before and behind the fragments.
    inner: (&'static str, &'static str),
    behind: &'static str,
    written: Written,
}

macro_rules! places {
    ($($name:literal $format:literal $written:ident $before:expr, $open:literal, $close:literal, $behind:expr;)*) => {
        /// Every place.
        pub const PLACES: &[Place] = &[$(Place {
            name: $name, format: $format, before: $before, inner: ($open, $close), behind: $behind,
            written: Written::$written,
        },)*];
    };
}

/// A hit up to its query, and what follows that.
macro_rules! query {
    ($name:literal) => {
        concat!(
            "alt1\t1700000000.123\t000102030405060708090a0b0c0d0e0f\t203.0.113.9\tGET\t204\th\t/b\ta=shop&",
            $name
        )
    };
}
const AFTER_QUERY: &str = "\t\tM\t\t\t\t\t\t\t9\t";

/// A hit up to its body.
const BODY: &str = "alt1\t1700000000.123\t000102030405060708090a0b0c0d0e0f\t10.0.0.9\tPOST\t204\th\t/api/v1/track\ta=shop\t\tM\t\t\t\t\t\t\t9\t";

/// A hit up to one of its headers, and what follows that.
macro_rules! header {
    ($tabs:literal) => {
        concat!("alt1\t1700000000.123\t000102030405060708090a0b0c0d0e0f\t203.0.113.9\tGET\t204\th\t/b\ta=shop&u=https://h/", $tabs)
    };
}

macro_rules! combined {
    ($start:literal) => {
        concat!("203.0.113.9 - - [10/Oct/2023:13:55:36 -0700] ", $start)
    };
}

macro_rules! object {
    ($start:literal) => {
        concat!(r#"{"at":"2023-10-10T13:55:36-07:00","id":"000102030405060708090a0b0c0d0e0f","ip":"203.0.113.9","r":""#, $start)
    };
}

places! {
    "a line" 0 AsItIs "", "", "", "";
    "a line behind a time" 0 AsItIs "alt1\t1700000000.123\t", "", "", "";
    "address" 0 AsItIs "alt1\t1700000000.123\t000102030405060708090a0b0c0d0e0f\t", "", "", "\tGET\t204\th\t/b\ta=shop\t\tM\t\t\t\t\t\t\t9\t";
    "host" 0 AsItIs "alt1\t1700000000.123\t000102030405060708090a0b0c0d0e0f\t203.0.113.9\tGET\t204\t", "", "", "\t/b\ta=shop\t\tM\t\t\t\t\t\t\t9\t";
    "query" 0 AsItIs query!(""), "", "", AFTER_QUERY;
    "u" 0 AsItIs query!("u="), "", "", AFTER_QUERY;
    "a host in u" 0 AsItIs query!("u=https://"), "", "", AFTER_QUERY;
    "a path in u" 0 AsItIs query!("u=https://h/;x="), "", "", AFTER_QUERY;
    "a query in u" 0 AsItIs query!("u=https://h/?x%3D"), "", "", AFTER_QUERY;
    "a route in u" 0 AsItIs query!("u=https://h/%23/?x%3D"), "", "", AFTER_QUERY;
    "r" 0 AsItIs query!("r=https://h/?x%3D"), "", "", AFTER_QUERY;
    "t" 0 AsItIs query!("t="), "", "", AFTER_QUERY;
    "i" 0 AsItIs query!("i="), "", "", AFTER_QUERY;
    "ei" 0 AsItIs query!("ei="), "", "", AFTER_QUERY;
    "q" 0 AsItIs query!("q="), "", "", AFTER_QUERY;
    "el" 0 AsItIs query!("el="), "", "", AFTER_QUERY;
    "tz" 0 AsItIs query!("tz="), "", "", AFTER_QUERY;
    "d" 0 AsItIs query!("d="), "", "", AFTER_QUERY;
    "ts" 0 AsItIs query!("ts="), "", "", AFTER_QUERY;
    "pv" 0 AsItIs query!("pv="), "", "", AFTER_QUERY;
    "p.x" 0 AsItIs query!("p.x="), "", "", AFTER_QUERY;
    "a name" 0 AsItIs query!("p."), "", "", AFTER_QUERY;
    "Referer" 0 AsItIs header!("\t"), "", "", "\tM\t\t\t\t\t\t\t9\t";
    "User-Agent" 0 AsItIs header!("\t\t"), "", "", "\t\t\t\t\t\t\t9\t";
    "Accept-Language" 0 AsItIs header!("\t\tM\t"), "", "", "\t\t\t\t\t\t9\t";
    "Origin" 0 AsItIs header!("\t\tM\t\t"), "", "", "\t\t\t\t\t9\t";
    "Sec-Purpose" 0 AsItIs header!("\t\tM\t\t\t"), "", "", "\t\t\t\t9\t";
    "trace" 0 AsItIs header!("\t\tM\t\t\t\t\t\t"), "", "", "\t9\t";
    "body" 0 Escaped BODY, "", "", "";
    "members of a body" 0 Escaped BODY, "{", "\"\":0}", "";
    "title of a body" 0 Escaped BODY, r#"{"title":""#, r#""}"#, "";
    "custom_params" 0 Escaped BODY, r#"{"custom_params":{"#, r#""":0}}"#, "";
    "a custom text" 0 Escaped BODY, r#"{"custom_params":{"x":""#, r#""}}"#, "";
    "a custom array" 0 Escaped BODY, r#"{"custom_params":{"x":[["#, r#"0]]}}"#, "";
    "a custom object" 0 Escaped BODY, r#"{"custom_params":{"x":{"y":{"#, r#""":0}}}}"#, "";
    "a secret object" 0 Escaped BODY, r#"{"custom_params":{"x":{"token":{"#, r#""":0}}}}"#, "";
    "texts in a custom array" 0 Escaped BODY, r#"{"custom_params":{"x":[""#, r#""]}}"#, "";
    "ip_address" 0 Escaped BODY, r#"{"ip_address":""#, r#""}"#, "";
    "a packed text" 0 Packed BODY, r#"{"custom_params":{"x":""#, r#""}}"#, "";
    "a packed body" 0 Packed BODY, "{", "\"\":0}", "";
    "bytes of a packed body" 0 AsItIs BODY, "\x1f", "", "";
    "a line of combined" 1 AsItIs "", "", "", "";
    "user" 1 AsItIs "203.0.113.9 - ", "", "", r#" [10/Oct/2023:13:55:36 -0700] "GET / HTTP/1.1" 200 5 "-" "-""#;
    "time" 1 AsItIs "203.0.113.9 - - [", "", "", r#"] "GET / HTTP/1.1" 200 5 "-" "-""#;
    "request" 1 AsItIs combined!("\""), "", "", r#"" 200 5 "-" "-""#;
    "target" 1 AsItIs combined!("\"GET /"), "", "", r#" HTTP/1.1" 200 5 "-" "-""#;
    "query of the target" 1 AsItIs combined!("\"GET /?x="), "", "", r#" HTTP/1.1" 200 5 "-" "-""#;
    "referrer" 1 AsItIs combined!(r#""GET / HTTP/1.1" 200 5 ""#), "", "", r#"" "-""#;
    "agent" 1 AsItIs combined!(r#""GET / HTTP/1.1" 200 5 "-" ""#), "", "", "\"";
    "behind the status" 1 AsItIs combined!(r#""GET / HTTP/1.1" 200 "#), "", "", " 5 \"-\" \"-\"";
    "matomo" 2 AsItIs combined!("\"GET /matomo.php?rec=1&"), "", "", r#" HTTP/1.1" 200 5 "-" "-""#;
    "url of matomo" 2 AsItIs combined!("\"GET /matomo.php?rec=1&url=https://h/?x%3D"), "", "", r#" HTTP/1.1" 200 5 "-" "-""#;
    "_cvar of matomo" 2 AsItIs combined!("\"GET /matomo.php?rec=1&_cvar={%22x%22:%22"), "", "%22}", r#" HTTP/1.1" 200 5 "-" "-""#;
    "cdt of matomo" 2 AsItIs combined!("\"GET /matomo.php?rec=1&cdt="), "", "", r#" HTTP/1.1" 200 5 "-" "-""#;
    "a line of JSON" 3 AsItIs "", "", "", "";
    "request of JSON" 3 AsItIs object!(""), "", "", r#"","s":200,"b":5,"f":"-","a":"-","x":"-","o":"-","u":"-","p":"-"}"#;
    "x of JSON" 3 AsItIs object!(r#"GET / HTTP/1.1","s":200,"b":5,"f":"-","a":"-","x":""#), "", "", r#"","o":"-","u":"-","p":"-"}"#;
    "o of JSON" 3 AsItIs object!(r#"GET / HTTP/1.1","s":200,"b":5,"f":"-","a":"-","x":"-","o":""#), "", "", r#"","u":"-","p":"-"}"#;
    "u of JSON" 3 AsItIs object!(r#"GET / HTTP/1.1","s":200,"b":5,"f":"-","a":"-","x":"-","o":"-","u":""#), "", "", r#"","p":"-"}"#;
    "p of JSON" 3 AsItIs object!(r#"GET / HTTP/1.1","s":200,"b":5,"f":"-","a":"-","x":"-","o":"-","u":"-","p":""#), "", "", "\"}";
    "a line with doubts" 4 AsItIs "", "", "", "";
    "a line with doubts that ends well" 4 AsItIs "", "", "", " \"x\" 200 1700000000.123";
    "before the time" 1 AsItIs "", "", "", r#" [10/Oct/2023:13:55:36 -0700] "GET / HTTP/1.1" 200 5 "-" "-""#;
    "a list before the time" 1 AsItIs "10.0.0.1 ", "", "", r#"203.0.113.9 - - [10/Oct/2023:13:55:36 -0700] "GET / HTTP/1.1" 200 5 "-" "-""#;
    "a list of upstreams" 5 AsItIs "1700000000.123 ", "", "", "10.0.0.1:80 200 a h:80 - 200";
    "a list of statuses" 5 AsItIs "1700000000.123 10.0.0.1:80 ", "", "", "200 a h:80 - 200";
    "a list of addresses" 5 AsItIs "1700000000.123 - - a h:80 ", "", "", "203.0.113.9 200";
    "behind the beginning of a token" 0 AsItIs query!("t=ghp_AAAAAAAAAAAA1-"), "", "", AFTER_QUERY;
    "before a digit" 0 AsItIs query!("t="), "", "", "2\t\tM\t\t\t\t\t\t\t9\t";
}

/// A line that was put together, and how many bytes are read of it: its own, and those that its body unpacks to.
#[derive(Debug)]
pub struct Hostile {
    /// Without its newline.
    pub line: Vec<u8>,
    /// Its bytes, and those of its body once that is unpacked.
    pub bytes: usize,
}

/// The line that has the fragment at a place so often that it has some `bytes`. `#` in a fragment is its number,
/// which makes them differ.
pub fn hostile(place: &Place, fragment: &[u8], bytes: usize) -> Hostile {
    let mut text = place.inner.0.as_bytes().to_vec();
    let room =
        bytes.saturating_sub(place.before.len() + place.behind.len() + text.len() + place.inner.1.len());
    let fragment = if place.written == Written::AsItIs { logged(fragment) } else { fragment.to_vec() };
    let (from, mut number) = (text.len(), 0_u32);
    while !fragment.is_empty() && text.len() - from + fragment.len() <= room {
        for &byte in &fragment {
            match byte {
                b'#' => text.extend_from_slice(format!("{number:x}").as_bytes()),
                _ => text.push(byte),
            }
        }
        number += 1;
    }
    text.extend_from_slice(place.inner.1.as_bytes());
    let unpacked = text.len();
    let written = match place.written {
        Written::AsItIs => text,
        Written::Escaped => escaped(&text),
        Written::Packed => escaped(&packed(&text)),
    };
    let mut line = [place.before.as_bytes(), &written, place.behind.as_bytes()].concat();
    line.truncate(LINE_BYTES_MAX);
    let bytes = line.len() + if place.written == Written::Packed { unpacked } else { 0 };
    Hostile { line, bytes }
}

/// What a fragment becomes where it stands in a log, in which no newline is.
fn logged(fragment: &[u8]) -> Vec<u8> {
    fragment.iter().copied().filter(|&byte| byte != b'\n').collect()
}

/// In members of 4 KiB, which nobody calls too well compressed.
fn packed(text: &[u8]) -> Vec<u8> {
    let member = |piece: &[u8]| {
        let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        writer.write_all(piece).and_then(|()| writer.finish()).expect("memory takes all")
    };
    text.chunks(4096).flat_map(member).collect()
}

/// One application, whatever the key.
struct OneApp(Arc<App>);

impl Known for OneApp {
    type Error = Infallible;

    fn app(&mut self, _: &str) -> Result<Option<Arc<App>>, Infallible> {
        Ok(Some(Arc::clone(&self.0)))
    }

    fn salt(&mut self, _: &App, _: Micros) -> Result<Option<[u8; 32]>, Infallible> {
        Ok(Some([7; 32]))
    }
}

/// Takes lines of every format to their ends.
pub struct Loader {
    processors: Vec<(Processor, LineIds)>,
    app: OneApp,
    offset: u64,
}

impl Loader {
    /// Knows no user agent and no address yet.
    pub fn new() -> Loader {
        let rules = Arc::new(AgentRules::builtin());
        let processor = |&(format, pixel): &(&str, Option<&str>)| {
            let spec = Spec { pixel: pixel.map(str::to_owned), ..Spec::new(format) };
            let format = Arc::new(Format::of(&spec).expect("these are formats"));
            let below = [("*.example", "shop"), ("*.a.b", "shop")]
                .map(|(name, key)| (name.to_owned(), key.to_owned()));
            let sites = Sites::new(Some("shop".to_owned()), &BTreeMap::from(below));
            let enricher = Enricher::new(Arc::clone(&rules), Privacy::default());
            (
                Processor::new(format, Arc::new(terms()), sites, "label".to_owned(), enricher),
                LineIds::default(),
            )
        };
        let app = App { id: 1, key: "shop".into(), time_zone: "UTC".into(), ..App::default() };
        Loader { processors: FORMATS.iter().map(processor).collect(), app: OneApp(Arc::new(app)), offset: 0 }
    }

    /// Loads a line of a place.
    pub fn load(&mut self, place: &Place, line: &[u8]) {
        self.load_all(place.format, &[line]);
    }

    /// Loads lines of our own format.
    pub fn load_ours(&mut self, lines: &[&[u8]]) {
        self.load_all(0, lines);
    }

    fn load_all(&mut self, format: usize, lines: &[&[u8]]) {
        let (processor, ids) = &mut self.processors[format];
        let mut batch = Batch::default();
        let proof = Proof::of(b"");
        assert!(batch.open(
            FileRef::Known { id: 1, head: Head { proof, has_id: false } },
            Position { offset: self.offset, tail: proof },
            false
        ));
        weighed(processor, ids, &mut self.app, &mut batch, self.offset, lines);
        self.offset += lines.iter().map(|line| line.len() as u64 + 1).sum::<u64>();
        let section = &batch.sections[0];
        assert_eq!(section.lines, batch.rows.len() as u64 + section.non_hits + section.rejects);
    }
}

/// What is to take work in proportion to bytes, under a name that stays in the program.
#[inline(never)]
fn weighed(
    processor: &mut Processor,
    ids: &mut LineIds,
    app: &mut OneApp,
    batch: &mut Batch,
    mut offset: u64,
    lines: &[&[u8]],
) {
    for bytes in lines {
        let span = bytes.len() as u64 + 1;
        let line = Line { offset, span, bytes, too_long: false };
        let ids = processor.wants_line_ids().then_some(&mut *ids);
        let Ok(()) = processor.line(&line, ids, NOW, batch, app);
        offset += span;
    }
}

/// Bytes of the lines of the target.
const TARGET_BYTES: usize = 128 * 1024;

/// A place, and a fragment that is repeated there. No line takes long: `-timeout` says what that is.
pub fn slow(data: &[u8]) {
    thread_local! {
        static LOADER: RefCell<Loader> = RefCell::new(Loader::new());
    }
    let Some((which, fragment)) = data.split_first().filter(|(_, fragment)| fragment.len() <= 64) else {
        return;
    };
    let place = &PLACES[usize::from(*which) % PLACES.len()];
    let hostile = hostile(place, fragment, TARGET_BYTES);
    LOADER.with_borrow_mut(|loader| loader.load(place, &hostile.line));
}
