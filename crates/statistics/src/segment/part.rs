//! A segment while it is written.

use foldhash::{HashMap, HashMapExt};

use super::codec::{self, Packed};
use super::columns::{self as c, Column, DICTIONARIES, TABLES};
use super::values::Values;
use crate::event::Event;
use crate::source::parameter;
use crate::values::{Id, Texts};

/// Bounds of segments and of the memory in which they are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Rows after which a segment ends with its visitor. Rows without a visitor end it at once.
    pub rows: usize,
    /// Rows of one visitor after which a segment ends all the same; what comes is as another visitor's.
    pub rows_of_one: usize,
    /// Values of a dictionary.
    pub values: usize,
    /// Bytes of the paths of a segment.
    pub path_bytes: usize,
    /// Bytes of each other dictionary of a segment, of those of sessions.
    pub other_bytes: usize,
    /// Bytes of all that events say in a segment.
    pub value_bytes: usize,
    /// Bytes of the texts of all segments of a day.
    pub text_bytes: usize,
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds {
            rows: 500_000,
            rows_of_one: 2_000_000,
            values: 1_000_000,
            path_bytes: 32 << 20,
            other_bytes: 2 << 20,
            value_bytes: 32 << 20,
            text_bytes: 64 << 20,
        }
    }
}

/// The attributes of a session as their numbers in the dictionaries, in the order of [`ATTRIBUTES`].
pub(super) type Attributes = [u32; 9];

const ATTRIBUTES: [Column; 9] =
    [c::ORIGIN, c::TERM, c::CONTENT, c::LANGUAGE, c::BROWSER, c::OS, c::DEVICE, c::ZONE, c::SCREEN];

/// What sessions came from, in the order of the columns of the origins.
type Origin = [Id; 7];

/// A session, or a run of rows without a visitor, that is over.
#[derive(Debug, Clone, Copy)]
pub(super) struct Over {
    pub(super) flags: u32,
    /// Seconds since the day's beginning.
    pub(super) start: i64,
    pub(super) duration_ms: u32,
    pub(super) views: u32,
    pub(super) others: u32,
    pub(super) attributes: Attributes,
    pub(super) user: u64,
}

/// Where a class ends: sessions, requests, strays.
type Ends = (String, [u32; 3]);

#[derive(Debug)]
pub(super) struct Part {
    pub(super) number: u32,
    sessions: Vec<Over>,
    pub(super) view_paths: Vec<Id>,
    pub(super) view_times: Vec<u32>,
    /// Milliseconds plus 1.
    pub(super) view_engaged: Vec<u64>,
    /// Percent plus 1.
    pub(super) view_depths: Vec<u8>,
    pub(super) other_paths: Vec<Id>,
    pub(super) other_times: Vec<u32>,
    pub(super) other_types: Vec<Id>,
    /// Page views of the session before each.
    pub(super) other_after: Vec<u32>,
    /// Path, seconds since the day's beginning, status, milliseconds plus 1.
    pub(super) requests: Vec<(Id, i64, u16, u32)>,
    pub(super) strays: Vec<(Id, u64)>,
    origins: Vec<Origin>,
    origin_ids: HashMap<Origin, Id>,
    pub(super) classes: Vec<Ends>,
    dictionaries: [Texts; DICTIONARIES],
    /// What events say.
    pub(super) values: Values,
}

impl Part {
    /// With room for so many bytes of texts.
    pub(super) fn new(number: u32, properties: &[String], bounds: &Bounds, text_left: usize) -> Part {
        let dictionary = |n: usize| {
            let most = if n == 0 { bounds.path_bytes } else { bounds.other_bytes };
            Texts::new(bounds.values, most.min(text_left))
        };
        Part {
            number,
            sessions: Vec::new(),
            view_paths: Vec::new(),
            view_times: Vec::new(),
            view_engaged: Vec::new(),
            view_depths: Vec::new(),
            other_paths: Vec::new(),
            other_times: Vec::new(),
            other_types: Vec::new(),
            other_after: Vec::new(),
            requests: Vec::new(),
            strays: Vec::new(),
            origins: Vec::new(),
            origin_ids: HashMap::new(),
            classes: Vec::new(),
            dictionaries: std::array::from_fn(dictionary),
            values: Values::new(properties, bounds, text_left),
        }
    }

    /// All rows.
    pub(super) fn rows(&self) -> usize {
        self.view_paths.len() + self.other_paths.len() + self.requests.len() + self.strays.len()
    }

    /// Bytes of its texts.
    pub(super) fn text_bytes(&self) -> usize {
        self.dictionaries.iter().map(Texts::bytes).sum::<usize>() + self.values.bytes()
    }

    /// The number of a text in a dictionary.
    pub(super) fn text(&mut self, dictionary: u16, text: &str) -> Id {
        self.dictionaries[usize::from(dictionary - c::PATHS)].id(text)
    }

    /// The texts of a dictionary.
    pub(super) fn texts(&self, dictionary: u16) -> Vec<&str> {
        self.dictionaries[usize::from(dictionary - c::PATHS)].in_order()
    }

    /// The attributes by a row.
    pub(super) fn attributes(&mut self, event: &Event<'_>) -> Attributes {
        let screen = u32::try_from(event.screen_width).unwrap_or(0);
        [
            self.origin(event),
            self.text(c::TERMS, event.utm_term),
            self.text(c::CONTENTS, event.utm_content),
            self.text(c::LANGUAGES, event.language),
            self.text(c::BROWSERS, event.browser),
            self.text(c::SYSTEMS, event.os),
            self.text(c::DEVICES, event.device),
            self.text(c::ZONES, event.time_zone),
            screen,
        ]
    }

    fn origin(&mut self, event: &Event<'_>) -> Id {
        let [source, r#ref] = ["source", "ref"].map(|name| parameter(event.url_query, name));
        let query = match (source, r#ref) {
            ("", "") => String::new(),
            (source, "") => format!("source={source}"),
            ("", r#ref) => format!("ref={}", r#ref),
            (source, r#ref) => format!("source={source}&ref={}", r#ref),
        };
        let origin: Origin = [
            self.text(c::SOURCES, event.utm_source),
            self.text(c::MEDIUMS, event.utm_medium),
            self.text(c::CAMPAIGNS, event.utm_campaign),
            self.text(c::CLICKS, event.click_id),
            self.text(c::REFERRERS, event.referrer_host),
            self.text(c::HOSTS, event.url_host),
            self.text(c::QUERIES, &query),
        ];
        let origins = &mut self.origins;
        *self.origin_ids.entry(origin).or_insert_with(|| {
            origins.push(origin);
            Id::try_from(origins.len()).unwrap_or(0)
        })
    }

    /// Adds a session.
    pub(super) fn session(&mut self, over: Over) {
        self.sessions.push(over);
    }

    /// Ends a class.
    pub(super) fn end_class(&mut self, name: &str) {
        let name = &name[..name.floor_char_boundary(255)];
        let ends = [self.sessions.len(), self.requests.len(), self.strays.len()];
        let ends = ends.map(|end| u32::try_from(end).unwrap_or(u32::MAX));
        self.classes.push((name.to_owned(), ends));
    }

    /// Its bytes. `from` is the day's first moment, `user_key` tells the key of user ids apart from others.
    pub(super) fn bytes(&self, from: i64, user_key: Option<&str>) -> Vec<u8> {
        let starts = self.sessions.iter().map(|session| session.start);
        let base = starts.chain(self.requests.iter().map(|request| request.1)).min().unwrap_or(0);
        let since = move |at: i64| u64::try_from(at - base).unwrap_or(0).min(u64::from(u32::MAX));
        let mut columns: Vec<(u16, u8, Packed)> = Vec::new();
        let mut add = |column: Column, packed| columns.push((column.id, column.table as u8, packed));
        let sessions = self.sessions.iter();
        add(c::FLAGS, codec::pack(sessions.clone().map(|s| u64::from(s.flags))));
        add(c::START, codec::pack(sessions.clone().map(|s| since(s.start))));
        add(c::DURATION, codec::pack(sessions.clone().map(|s| u64::from(s.duration_ms))));
        add(c::VIEW_COUNT, codec::pack(sessions.clone().map(|s| u64::from(s.views))));
        add(c::OTHER_COUNT, codec::pack(sessions.clone().map(|s| u64::from(s.others))));
        for (n, column) in ATTRIBUTES.into_iter().enumerate() {
            add(column, codec::pack(sessions.clone().map(|s| u64::from(s.attributes[n]))));
        }
        add(c::USER, codec::pack(sessions.map(|s| s.user)));
        for (column, ids) in [
            (c::VIEW_PATH, &self.view_paths),
            (c::VIEW_TIME, &self.view_times),
            (c::OTHER_PATH, &self.other_paths),
            (c::OTHER_TIME, &self.other_times),
            (c::OTHER_TYPE, &self.other_types),
            (c::OTHER_AFTER, &self.other_after),
        ] {
            add(column, codec::pack(ids.iter().map(|id| u64::from(*id))));
        }
        add(c::VIEW_ENGAGED, codec::pack(self.view_engaged.iter().copied()));
        add(c::VIEW_DEPTH, codec::pack(self.view_depths.iter().map(|depth| u64::from(*depth))));
        let requests = self.requests.iter();
        add(c::REQUEST_PATH, codec::pack(requests.clone().map(|r| u64::from(r.0))));
        add(c::REQUEST_MINUTE, codec::pack(requests.clone().map(|r| since(r.1) / 60)));
        let minute = |at: i64| u64::try_from(at.div_euclid(60)).unwrap_or(0);
        add(c::REQUEST_AT, codec::pack(requests.clone().map(move |r| minute(r.1))));
        add(c::REQUEST_STATUS, codec::pack(requests.clone().map(|r| u64::from(r.2))));
        add(c::REQUEST_TIME, codec::pack(requests.map(|r| u64::from(r.3))));
        add(c::STRAY_PATH, codec::pack(self.strays.iter().map(|stray| u64::from(stray.0))));
        add(c::STRAY_TIME, codec::pack(self.strays.iter().map(|stray| stray.1)));
        let origins = [c::SOURCE, c::MEDIUM, c::CAMPAIGN, c::CLICK, c::REFERRER, c::HOST, c::QUERY];
        for (n, column) in origins.into_iter().enumerate() {
            add(column, codec::pack(self.origins.iter().map(|origin| u64::from(origin[n]))));
        }
        for (id, dictionary) in (c::PATHS..).zip(&self.dictionaries) {
            columns.push((id, 255, codec::pack_texts(&dictionary.in_order())));
        }
        let rows: [usize; TABLES] = [
            self.sessions.len(),
            self.view_paths.len(),
            self.other_paths.len(),
            self.requests.len(),
            self.strays.len(),
            self.origins.len(),
        ];
        columns.extend(self.values.pack(&rows));
        // Where nobody has a user id, everything is as without a key.
        if let Some(name) = user_key.filter(|_| self.sessions.iter().any(|session| session.user > 0)) {
            columns.push((c::USER_KEY, 255, codec::pack_texts(&[name])));
        }
        assemble(from, base, rows, &self.classes, &columns)
    }
}

fn assemble(
    from: i64,
    base: i64,
    rows: [usize; TABLES],
    classes: &[Ends],
    columns: &[(u16, u8, Packed)],
) -> Vec<u8> {
    let int = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).to_le_bytes();
    let short = |n: usize| u16::try_from(n).unwrap_or(u16::MAX).to_le_bytes();
    let mut bytes = codec::MAGIC.to_vec();
    bytes.extend([codec::VERSION, super::DEFINITION, 0, 0]);
    bytes.extend(from.to_le_bytes());
    bytes.extend(base.to_le_bytes());
    rows.iter().for_each(|rows| bytes.extend(int(*rows)));
    bytes.extend(short(classes.len()));
    for (name, ends) in classes {
        bytes.push(u8::try_from(name.len()).unwrap_or(0));
        bytes.extend(name.as_bytes());
        ends.iter().for_each(|end| bytes.extend(end.to_le_bytes()));
    }
    bytes.extend(short(columns.len()));
    for (id, table, packed) in columns {
        bytes.extend(id.to_le_bytes());
        bytes.extend([packed.width, *table]);
        bytes.extend(packed.rows.to_le_bytes());
        bytes.extend(packed.raw.to_le_bytes());
        bytes.extend(int(packed.bytes.len()));
    }
    columns.iter().for_each(|(_, _, packed)| bytes.extend(&packed.bytes));
    let sum = codec::sum(&bytes);
    bytes.extend(sum);
    bytes
}
