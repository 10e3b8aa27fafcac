//! The values of a dimension in a segment, and which of them each row has.

use std::hash::BuildHasher;

use foldhash::HashMap;
use foldhash::fast::FixedState;

use super::Failed;
use crate::class::screen;
use crate::country;
use crate::event::Event;
use crate::segment::columns::{self as c, Column};
use crate::segment::{Broken, Segment, Texts};
use crate::settings::OTHER;
use crate::source;

/// No value.
pub(super) const NONE: u32 = u32::MAX;

/// The most hours or minutes of a segment. A day has 1,500 minutes.
const TIMES_MAX: i64 = 100_000;

macro_rules! dimensions {
    ($($(#[$doc:meta])+ $dimension:ident = $name:literal,)*) => {
        /// What is counted by. Each has the values that it has in [`crate::day::Day`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Dimension {
            $($(#[$doc])+ $dimension,)*
        }

        impl Dimension {
            /// All, by their names.
            pub const ALL: &[(&str, Dimension)] = &[$(($name, Dimension::$dimension),)*];
        }
    };
}

dimensions! {
    /// All is one value, `""`.
    Total = "total",
    /// The day.
    Day = "day",
    /// Hours of any day since its beginning: `0` to `24`.
    Hour = "hour",
    /// Hours of each day: `2026-01-31 05`.
    HourOfDay = "day_hour",
    /// Minutes of each day since its beginning: `2026-01-31 0305`.
    MinuteOfDay = "day_minute",
    /// Path.
    Page = "page",
    /// Type of events.
    Event = "event",
    /// Path of a session's first page view.
    EntryPage = "entry_page",
    /// Path of a session's last page view.
    ExitPage = "exit_page",
    /// See [`crate::source::of`].
    Source = "source",
    /// See [`crate::source::of`].
    Channel = "channel",
    /// `utm_campaign`.
    Campaign = "campaign",
    /// The parameter.
    Medium = "utm_medium",
    /// The parameter.
    Term = "utm_term",
    /// The parameter.
    Content = "utm_content",
    /// By the time zone.
    Country = "country",
    /// Language.
    Language = "language",
    /// Browser.
    Browser = "browser",
    /// Operating system.
    Os = "os",
    /// Device.
    Device = "device",
    /// Class of the screen's width.
    Screen = "screen",
}

impl Dimension {
    /// The dimension of a name.
    pub fn named(name: &str) -> Option<Dimension> {
        Dimension::ALL.iter().find(|(known, _)| *known == name).map(|(_, dimension)| *dimension)
    }

    /// The names of all, with commas between them.
    pub fn names() -> String {
        Dimension::ALL.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
    }

    /// Whether a condition on it is of single events, and not of whole sessions.
    pub fn is_of_events(self) -> bool {
        use Dimension::{Event, Hour, HourOfDay, MinuteOfDay, Page};
        matches!(self, Page | Event | Hour | HourOfDay | MinuteOfDay)
    }
}

/// What has a value of a dimension.
#[derive(Debug)]
pub(super) enum Level {
    /// Sessions: each one's value.
    Sessions(Vec<u32>),
    /// Events, by their path.
    Pages,
    /// Events, by their type. Page views have this one.
    Types { view: u32 },
    /// Events, by their time: seconds of a value, and of the segment's base since the first value begins.
    Times { width: i64, base: i64 },
}

/// The values of a dimension in a segment. Number 0 is `(other)`, unless there is none.
#[derive(Debug)]
pub(super) struct Groups {
    pub(super) names: Vec<String>,
    pub(super) level: Level,
    pub(super) has_no_other: bool,
}

/// The hash of a value, the same in each segment.
pub(super) fn hash(value: &str) -> u64 {
    FixedState::default().hash_one(value)
}

/// `(other)`, and all texts of a dictionary.
fn names(texts: &Texts) -> Vec<String> {
    std::iter::once(OTHER).chain(texts.iter()).map(str::to_owned).collect()
}

/// Gives texts numbers from 1.
#[derive(Default)]
struct Names {
    ids: HashMap<String, u32>,
    names: Vec<String>,
}

impl Names {
    fn id(&mut self, name: &str) -> u32 {
        if self.names.is_empty() {
            self.names.push(OTHER.to_owned());
        }
        if let Some(id) = self.ids.get(name) {
            return *id;
        }
        let id = u32::try_from(self.names.len()).unwrap_or(0);
        self.names.push(name.to_owned());
        self.ids.insert(name.to_owned(), id);
        id
    }
}

impl Groups {
    pub(super) fn new(
        dimension: Dimension,
        segment: &Segment,
        day: &str,
        domains: &[String],
    ) -> Result<Groups, Failed> {
        let direct = |column: Column, dictionary: u16| -> Result<Groups, Failed> {
            Ok(Groups::of_sessions(segment.ints(column)?.to_vec(), names(segment.texts(dictionary)?)))
        };
        match dimension {
            Dimension::Total => Ok(Groups::one(segment, "")),
            Dimension::Day => Ok(Groups::one(segment, day)),
            Dimension::Hour => Groups::times(segment, 3_600, |n| n.to_string()),
            Dimension::HourOfDay => Groups::times(segment, 3_600, |n| format!("{day} {n:02}")),
            Dimension::MinuteOfDay => Groups::times(segment, 60, |n| format!("{day} {n:04}")),
            Dimension::Page => Ok(Groups {
                names: names(segment.texts(c::PATHS)?),
                level: Level::Pages,
                has_no_other: false,
            }),
            Dimension::Event => {
                let mut names = names(segment.texts(c::TYPES)?);
                let known = names.iter().skip(1).position(|name| name == "pageview").map(|at| at + 1);
                let view = known.unwrap_or_else(|| {
                    names.push("pageview".to_owned());
                    names.len() - 1
                });
                let level = Level::Types { view: u32::try_from(view).unwrap_or(0) };
                Ok(Groups { names, level, has_no_other: false })
            }
            Dimension::EntryPage => Groups::ends(segment, |from, _| from),
            Dimension::ExitPage => Groups::ends(segment, |_, until| until - 1),
            Dimension::Source | Dimension::Channel => sources(segment, dimension, domains),
            Dimension::Campaign => by_origin(segment, c::CAMPAIGN, c::CAMPAIGNS),
            Dimension::Medium => by_origin(segment, c::MEDIUM, c::MEDIUMS),
            Dimension::Term => direct(c::TERM, c::TERMS),
            Dimension::Content => direct(c::CONTENT, c::CONTENTS),
            Dimension::Country => {
                let mut names = Names::default();
                let zones = segment.texts(c::ZONES)?;
                let map: Vec<u32> = std::iter::once(0)
                    .chain(zones.iter().map(|zone| names.id(country::of_zone(zone))))
                    .collect();
                Ok(Groups::mapped(segment.ints(c::ZONE)?, &map, names.names))
            }
            Dimension::Language => direct(c::LANGUAGE, c::LANGUAGES),
            Dimension::Browser => direct(c::BROWSER, c::BROWSERS),
            Dimension::Os => direct(c::OS, c::SYSTEMS),
            Dimension::Device => direct(c::DEVICE, c::DEVICES),
            Dimension::Screen => {
                let mut names = Names::default();
                let widths = segment.ints(c::SCREEN)?.iter();
                let ids = widths.map(|width| names.id(screen(i32::try_from(*width).unwrap_or(0)))).collect();
                Ok(Groups::of_sessions(ids, names.names))
            }
        }
    }

    fn of_sessions(ids: Vec<u32>, names: Vec<String>) -> Groups {
        Groups { names, level: Level::Sessions(ids), has_no_other: false }
    }

    fn mapped(ids: &[u32], map: &[u32], names: Vec<String>) -> Groups {
        let ids = ids.iter().map(|id| map.get(*id as usize).copied().unwrap_or(0)).collect();
        Groups::of_sessions(ids, names)
    }

    fn one(segment: &Segment, name: &str) -> Groups {
        let level = Level::Sessions(vec![0; segment.rows(c::Table::Sessions)]);
        Groups { names: vec![name.to_owned()], level, has_no_other: true }
    }

    /// The paths of one of a session's views.
    fn ends(segment: &Segment, which: impl Fn(u32, u32) -> u32) -> Result<Groups, Failed> {
        let (starts, paths) = (segment.view_starts()?, segment.ints(c::VIEW_PATH)?);
        let flags = segment.ints(c::FLAGS)?;
        let path = |(two, flags): (&[u32], &u32)| {
            let is_there = two[0] < two[1] && flags & c::NOBODY == 0;
            if is_there { paths.get(which(two[0], two[1]) as usize).copied().unwrap_or(NONE) } else { NONE }
        };
        let ids = starts.windows(2).zip(flags).map(path).collect();
        Ok(Groups::of_sessions(ids, names(segment.texts(c::PATHS)?)))
    }

    fn times(segment: &Segment, width: i64, name: impl Fn(i64) -> String) -> Result<Groups, Failed> {
        let first = segment.base().div_euclid(width);
        let mut most = 0;
        let begins = segment.ints(c::START)?;
        for (starts, times) in [
            (segment.view_starts()?, segment.ints(c::VIEW_TIME)?),
            (segment.other_starts()?, segment.ints(c::OTHER_TIME)?),
        ] {
            for (begin, two) in begins.iter().zip(starts.windows(2)) {
                let within = times.get(two[0] as usize..two[1] as usize).unwrap_or(&[]);
                let last = within.iter().max().map_or(0, |last| i64::from(*last));
                most = most.max(i64::from(*begin) + last);
            }
        }
        let base = segment.base().rem_euclid(width);
        let count = (base + most) / width + 1;
        if count > TIMES_MAX {
            return Err(Broken::Large.into());
        }
        let names = (0..count).map(|n| name(first.saturating_add(n))).collect();
        Ok(Groups { names, level: Level::Times { width, base }, has_no_other: true })
    }

    /// The number of the hour or minute of a row: its session's beginning, and seconds since then.
    pub(super) fn time(&self, begin: u32, since: u32) -> u32 {
        match self.level {
            Level::Times { width, base } => {
                u32::try_from((base + i64::from(begin) + i64::from(since)) / width).unwrap_or(NONE)
            }
            _ => NONE,
        }
    }
}

/// The value of a column of the origins.
fn by_origin(segment: &Segment, column: Column, dictionary: u16) -> Result<Groups, Failed> {
    let map: Vec<u32> = std::iter::once(0).chain(segment.ints(column)?.iter().copied()).collect();
    Ok(Groups::mapped(segment.ints(c::ORIGIN)?, &map, names(segment.texts(dictionary)?)))
}

/// Sources or channels, of each origin once.
fn sources(segment: &Segment, dimension: Dimension, domains: &[String]) -> Result<Groups, Failed> {
    let mut texts: Vec<Vec<&str>> = Vec::new();
    let mut columns: Vec<&[u32]> = Vec::new();
    for (column, dictionary) in [
        (c::SOURCE, c::SOURCES),
        (c::MEDIUM, c::MEDIUMS),
        (c::CAMPAIGN, c::CAMPAIGNS),
        (c::CLICK, c::CLICKS),
        (c::REFERRER, c::REFERRERS),
        (c::HOST, c::HOSTS),
        (c::QUERY, c::QUERIES),
    ] {
        texts.push(std::iter::once("").chain(segment.texts(dictionary)?.iter()).collect());
        columns.push(segment.ints(column)?);
    }
    let mut names = Names::default();
    let mut map = vec![0];
    for row in 0..segment.rows(c::Table::Origins) {
        let ids: [u32; 7] = std::array::from_fn(|n| columns[n].get(row).copied().unwrap_or(0));
        let text = |n: usize| texts[n].get(ids[n] as usize).copied().unwrap_or("");
        let event = Event {
            utm_source: text(0),
            utm_medium: text(1),
            utm_campaign: text(2),
            click_id: text(3),
            referrer_host: text(4),
            url_host: text(5),
            url_query: text(6),
            ..Event::default()
        };
        let (source, channel) = source::of(&event, domains);
        // What had no room is unknown, and so is what follows from it.
        let is_whole = ids.iter().all(|id| *id > 0);
        let name = if dimension == Dimension::Source { &*source } else { channel };
        map.push(if is_whole { names.id(name) } else { 0 });
    }
    if names.names.is_empty() {
        names.names.push(OTHER.to_owned());
    }
    Ok(Groups::mapped(segment.ints(c::ORIGIN)?, &map, names.names))
}
