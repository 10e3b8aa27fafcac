//! The values of a dimension in a segment, and which of them each row has.

use std::borrow::Cow;

use foldhash::HashMap;

use super::Failed;
use super::block::{Block, Of};
use super::funnel::{Funnel, Walk};
use super::goal::{GOALS_MAX, Goal, Reached};
use super::said::{Property, Said};
use crate::country;
use crate::event::Event;
use crate::segment::columns::{self as c, Column};
use crate::segment::{Broken, Named, Numbers, Origins, Segment, Texts, hash};
use crate::settings::OTHER;
use crate::source;
use crate::traffic_class::screen;

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
            /// Steps of [`super::Query::funnel`], from `1`. It has no name, because it is no attribute of anything.
            Funnel,
            /// The periods of [`super::Query::periods`], by their first days. It has no name, because a filter has no periods.
            Period,
            /// A property of events that the application has chosen. Its name begins with `property:`.
            Property(Property),
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
    /// Path of the page view before a page view in its session; `(entry)`: there is none.
    PreviousPage = "previous_page",
    /// Path of the page view after a page view in its session; `(exit)`: there is none.
    NextPage = "next_page",
    /// Goals of the application, by their names. An event may reach several.
    Goal = "goal",
    /// What was clicked: its text, or else the element.
    Click = "click",
    /// Where clicks lead to.
    ClickTarget = "click_url",
    /// Hosts that outbound links lead to.
    Outbound = "outbound",
    /// Where outbound links lead to.
    OutboundTarget = "outbound_url",
    /// What was downloaded.
    Download = "download",
    /// What was searched for.
    Search = "search",
    /// Ids of products.
    Product = "product",
    /// Names of products.
    ProductName = "product_name",
    /// Categories of products.
    Category = "product_category",
    /// Currencies of what events are worth.
    Currency = "currency",
}

/// What the names of properties begin with as dimensions.
const PROPERTY: &str = "property:";

impl Dimension {
    /// The dimension of a name.
    pub fn named(name: &str) -> Option<Dimension> {
        let known = Dimension::ALL.iter().find(|(known, _)| *known == name).map(|(_, dimension)| *dimension);
        known.or_else(|| name.strip_prefix(PROPERTY).and_then(Property::named).map(Dimension::Property))
    }

    /// What it is called.
    pub fn name(self) -> String {
        match self {
            Dimension::Property(name) => format!("{PROPERTY}{}", &*name),
            other => {
                let known = Dimension::ALL.iter().find(|(_, dimension)| *dimension == other);
                let unnamed = if other == Dimension::Period { "period" } else { "funnel" };
                known.map_or(unnamed, |(name, _)| *name).to_owned()
            }
        }
    }

    /// The names of all, with commas between them.
    pub fn names() -> String {
        let all = Dimension::ALL.iter().map(|(name, _)| *name).chain(["property:NAME"]);
        all.collect::<Vec<_>>().join(", ")
    }

    /// Whether its values are listed where people ask for the values of a dimension.
    pub fn is_listed(self) -> bool {
        !matches!(
            self,
            Dimension::Total
                | Dimension::Day
                | Dimension::HourOfDay
                | Dimension::MinuteOfDay
                | Dimension::Funnel
        )
    }

    /// The names of those whose values are listed, with commas between them.
    pub fn listed() -> String {
        let all = Dimension::ALL.iter().filter(|(_, dimension)| dimension.is_listed()).map(|(name, _)| *name);
        all.chain(["property:NAME"]).collect::<Vec<_>>().join(", ")
    }

    /// Whether `stat_daily` has its values. Those of other dimensions are looked up in segments.
    pub fn is_stored(self) -> bool {
        let is_looked_up = matches!(
            self,
            Dimension::Goal
                | Dimension::Funnel
                | Dimension::Period
                | Dimension::PreviousPage
                | Dimension::NextPage
        );
        !is_looked_up && !self.is_said()
    }

    /// Whether its values are what single events say.
    pub fn is_said(self) -> bool {
        use Dimension as D;
        matches!(
            self,
            D::Click
                | D::ClickTarget
                | D::Outbound
                | D::OutboundTarget
                | D::Download
                | D::Search
                | D::Product
                | D::ProductName
                | D::Category
                | D::Currency
                | D::Property(_)
        )
    }

    /// Whether a condition on it is of single events, and not of whole sessions.
    pub fn is_of_events(self) -> bool {
        use Dimension::{Event, Funnel, Goal, Hour, HourOfDay, MinuteOfDay, NextPage, Page, PreviousPage};
        let is_one = matches!(
            self,
            Page | PreviousPage | NextPage | Event | Goal | Funnel | Hour | HourOfDay | MinuteOfDay
        );
        is_one || self.is_said()
    }
}

/// Which value each session has.
#[derive(Debug)]
pub(super) enum Ids<'s> {
    /// All have value 0.
    One,
    /// That of a column; or what a map has at the column's number.
    Column(&'s Numbers, Option<Cow<'s, [u32]>>),
    /// A number for each session.
    Own(Vec<u32>),
}

impl Ids<'_> {
    /// The values of sessions from one on, as many as there is room for.
    pub(super) fn read(&self, from: usize, to: &mut [u32]) {
        match self {
            Ids::One => to.fill(0),
            Ids::Column(numbers, map) => {
                numbers.read(from, to);
                if let Some(map) = map {
                    to.iter_mut().for_each(|id| *id = map.get(*id as usize).copied().unwrap_or(0));
                }
            }
            Ids::Own(ids) => {
                let until = ids.len().min(from + to.len());
                let known = ids.get(from..until).unwrap_or(&[]);
                to.iter_mut().zip(known).for_each(|(id, known)| *id = *known);
            }
        }
    }

    /// Whether a session has value 0.
    pub(super) fn has_zero(&self, sessions: usize) -> bool {
        match self {
            Ids::One => sessions > 0,
            Ids::Column(numbers, None) => numbers.has_zero(),
            Ids::Column(numbers, Some(map)) => {
                let is_zero = |id: usize| map.get(id).is_none_or(|id| *id == 0);
                numbers.has_zero() && is_zero(0)
                    || map.iter().skip(1).any(|id| *id == 0)
                        && (0..sessions).any(|at| usize::try_from(numbers.get(at)).is_ok_and(is_zero))
            }
            Ids::Own(ids) => ids.contains(&0),
        }
    }
}

/// What is known beside a segment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'k> {
    /// The segment's day, as it is shown.
    pub(super) day: &'k str,
    /// Domains of the application.
    pub(super) domains: &'k [String],
    /// Goals of the application.
    pub(super) goals: &'k [Goal],
    /// What [`Dimension::Funnel`] is about.
    pub(super) funnel: Option<&'k Funnel>,
    /// First days of periods.
    pub(super) periods: &'k [String],
}

impl<'k> Known<'k> {
    /// The first day of the period of the day. A day before all of them is its own.
    fn period(&self) -> &'k str {
        let behind = self.periods.partition_point(|first| first.as_str() <= self.day);
        behind.checked_sub(1).and_then(|at| self.periods.get(at)).map_or(self.day, String::as_str)
    }
}

/// What has a value of a dimension.
#[derive(Debug)]
pub(super) enum Level<'s> {
    /// Sessions.
    Sessions(Ids<'s>),
    /// Events, by their path.
    Pages,
    /// Events, by their type. Page views have this one.
    Types { view: u32 },
    /// Events, by their time: seconds of a value, and of the segment's base since the first value begins.
    Times { width: i64, base: i64 },
    /// Page views, by the page view before or after them; `end` is the number of none.
    Neighbours { is_next: bool, end: u32 },
    /// Events, by what they say.
    Said(Said<'s>),
    /// Events, by the goals that they reach.
    Goals(Reached<'s>),
    /// Visitors or sessions, by the steps that they reach.
    Funnel(Reached<'s>, Walk),
}

/// The names of values by their numbers.
#[derive(Debug)]
pub(super) enum Names<'s> {
    /// `(other)`, and the texts of a dictionary, of which the hashes are known.
    Dictionary(&'s Texts, &'s [u64]),
    /// The same, and this one behind them.
    Ended(&'s Texts, &'s [u64], &'static str),
    /// These.
    Own(Vec<String>),
    /// The same, which the segment keeps.
    Kept(&'s [String]),
}

impl<'s> Names<'s> {
    fn dictionary(segment: &'s Segment, dictionary: u16) -> Result<Names<'s>, Broken> {
        Ok(Names::Dictionary(segment.texts(dictionary)?, segment.hashes(dictionary)?))
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        match self {
            Names::Dictionary(texts, _) => texts.len() + 1,
            Names::Ended(texts, ..) => texts.len() + 2,
            Names::Own(names) => names.len(),
            Names::Kept(names) => names.len(),
        }
    }

    /// A name, and its hash.
    pub(super) fn get(&self, number: usize) -> (&str, u64) {
        match (self, number) {
            (Names::Dictionary(..) | Names::Ended(..), 0) => (OTHER, hash(OTHER)),
            (Names::Ended(texts, _, end), _) if number == texts.len() + 1 => (end, hash(end)),
            (Names::Dictionary(texts, hashes) | Names::Ended(texts, hashes, _), _) => {
                let known = texts.get(number).zip(hashes.get(number - 1));
                known.map_or((OTHER, hash(OTHER)), |(text, hash)| (text, *hash))
            }
            (Names::Own(names), _) => named(names, number),
            (Names::Kept(names), _) => named(names, number),
        }
    }
}

fn named(names: &[String], number: usize) -> (&str, u64) {
    let name = names.get(number).map_or(OTHER, String::as_str);
    (name, hash(name))
}

/// The values of a dimension in a segment. Number 0 is `(other)`, unless there is none.
#[derive(Debug)]
pub(super) struct Groups<'s> {
    pub(super) names: Names<'s>,
    pub(super) level: Level<'s>,
    pub(super) has_no_other: bool,
}

/// Gives texts numbers from 1.
pub(super) struct Numbered {
    ids: HashMap<String, u32>,
    pub(super) names: Vec<String>,
}

impl Numbered {
    pub(super) fn new() -> Numbered {
        Numbered { ids: HashMap::default(), names: vec![OTHER.to_owned()] }
    }

    pub(super) fn id(&mut self, name: &str) -> u32 {
        if let Some(id) = self.ids.get(name) {
            return *id;
        }
        let id = u32::try_from(self.names.len()).unwrap_or(0);
        self.names.push(name.to_owned());
        self.ids.insert(name.to_owned(), id);
        id
    }

    fn groups(self, numbers: &Numbers, map: Vec<u32>) -> Groups<'_> {
        Groups::of_sessions(Ids::Column(numbers, Some(map.into())), Names::Own(self.names))
    }
}

impl<'s> Groups<'s> {
    pub(super) fn new(
        dimension: Dimension,
        segment: &'s Segment,
        known: &Known<'_>,
    ) -> Result<Groups<'s>, Failed> {
        let Known { day, domains, funnel, .. } = *known;
        let direct = |column: Column, dictionary: u16| -> Result<Groups<'s>, Failed> {
            let ids = Ids::Column(segment.ints(column)?, None);
            Ok(Groups::of_sessions(ids, Names::dictionary(segment, dictionary)?))
        };
        match dimension {
            Dimension::Total => Ok(Groups::one("")),
            Dimension::Day => Ok(Groups::one(day)),
            Dimension::Period => Ok(Groups::one(known.period())),
            Dimension::Hour => Groups::times(segment, 3_600, |n| n.to_string()),
            Dimension::HourOfDay => Groups::times(segment, 3_600, |n| format!("{day} {n:02}")),
            Dimension::MinuteOfDay => Groups::times(segment, 60, |n| format!("{day} {n:04}")),
            Dimension::Page => Ok(Groups {
                names: Names::dictionary(segment, c::PATHS)?,
                level: Level::Pages,
                has_no_other: false,
            }),
            Dimension::Event => Groups::types(segment),
            Dimension::PreviousPage => Groups::neighbours(segment, false),
            Dimension::NextPage => Groups::neighbours(segment, true),
            Dimension::EntryPage => Groups::ends(segment, |from, _| from),
            Dimension::ExitPage => Groups::ends(segment, |_, until| until - 1),
            Dimension::Goal => Groups::goals(segment, known),
            Dimension::Click => Groups::said(segment, c::LABEL),
            Dimension::ClickTarget => Groups::said(segment, c::CLICK_TARGET),
            Dimension::Outbound => Groups::hosts(segment),
            Dimension::OutboundTarget => Groups::said(segment, c::OUTBOUND),
            Dimension::Download => Groups::said(segment, c::DOWNLOAD),
            Dimension::Search => Groups::said(segment, c::SEARCH),
            Dimension::Product => Groups::said(segment, c::PRODUCT),
            Dimension::ProductName => Groups::said(segment, c::PRODUCT_NAME),
            Dimension::Category => Groups::said(segment, c::CATEGORY),
            Dimension::Currency => Groups::currencies(segment),
            Dimension::Property(name) => Groups::property(segment, &name),
            Dimension::Funnel => Groups::funnel(segment, funnel.ok_or(Failed::Goals)?, known),
            Dimension::Source | Dimension::Channel => sources(segment, dimension, domains),
            Dimension::Campaign => by_origin(segment, c::CAMPAIGN, c::CAMPAIGNS),
            Dimension::Medium => by_origin(segment, c::MEDIUM, c::MEDIUMS),
            Dimension::Term => direct(c::TERM, c::TERMS),
            Dimension::Content => direct(c::CONTENT, c::CONTENTS),
            Dimension::Country => Groups::countries(segment),
            Dimension::Language => direct(c::LANGUAGE, c::LANGUAGES),
            Dimension::Browser => direct(c::BROWSER, c::BROWSERS),
            Dimension::Os => direct(c::OS, c::SYSTEMS),
            Dimension::Device => direct(c::DEVICE, c::DEVICES),
            Dimension::Screen => Groups::screens(segment),
        }
    }

    /// Of types of events; page views are one.
    fn types(segment: &'s Segment) -> Result<Groups<'s>, Failed> {
        let texts = segment.texts(c::TYPES)?.iter();
        let mut names: Vec<String> = std::iter::once(OTHER).chain(texts).map(str::to_owned).collect();
        let known = names.iter().skip(1).position(|name| name == "pageview").map(|at| at + 1);
        let view = known.unwrap_or_else(|| {
            names.push("pageview".to_owned());
            names.len() - 1
        });
        let level = Level::Types { view: u32::try_from(view).unwrap_or(0) };
        Ok(Groups { names: Names::Own(names), level, has_no_other: false })
    }

    /// Of countries, by the zones of browsers.
    fn countries(segment: &'s Segment) -> Result<Groups<'s>, Failed> {
        let mut names = Numbered::new();
        let zones = segment.texts(c::ZONES)?;
        let map =
            std::iter::once(0).chain(zones.iter().map(|zone| names.id(country::of_zone(zone)))).collect();
        Ok(names.groups(segment.ints(c::ZONE)?, map))
    }

    /// Of classes of widths of screens.
    fn screens(segment: &'s Segment) -> Result<Groups<'s>, Failed> {
        let mut names = Numbered::new();
        let mut ids = vec![0; segment.rows(c::Table::Sessions)];
        segment.ints(c::SCREEN)?.read(0, &mut ids);
        // Few widths are different ones.
        let mut known = [(0, names.id(screen(0))); 64];
        for id in &mut ids {
            let one = &mut known[*id as usize % 64];
            if one.0 != *id {
                *one = (*id, names.id(screen(i32::try_from(*id).unwrap_or(0))));
            }
            *id = one.1;
        }
        Ok(Groups::of_sessions(Ids::Own(ids), Names::Own(names.names)))
    }

    /// Of goals, by their names.
    fn goals(segment: &'s Segment, known: &Known<'_>) -> Result<Groups<'s>, Failed> {
        let goals = known.goals;
        if goals.len() > GOALS_MAX {
            return Err(Failed::Goals);
        }
        let names = Names::Own(goals.iter().map(|goal| goal.name.clone()).collect());
        Ok(Groups { names, level: Level::Goals(Reached::of(segment, goals, known)?), has_no_other: true })
    }

    /// Of the steps of a funnel, by their numbers.
    fn funnel(segment: &'s Segment, funnel: &Funnel, known: &Known<'_>) -> Result<Groups<'s>, Failed> {
        let names = Names::Own((1..=funnel.len()).map(|n| n.to_string()).collect());
        let level = Level::Funnel(Reached::of(segment, &funnel.steps, known)?, Walk::new(funnel));
        Ok(Groups { names, level, has_no_other: true })
    }

    fn of_sessions(ids: Ids<'s>, names: Names<'s>) -> Groups<'s> {
        Groups { names, level: Level::Sessions(ids), has_no_other: false }
    }

    fn one(name: &str) -> Groups<'s> {
        let names = Names::Own(vec![name.to_owned()]);
        Groups { names, level: Level::Sessions(Ids::One), has_no_other: true }
    }

    /// The paths of one of a session's views.
    fn ends(segment: &'s Segment, which: impl Fn(u32, u32) -> u32) -> Result<Groups<'s>, Failed> {
        let (starts, paths) = (segment.view_starts()?, segment.ints(c::VIEW_PATH)?);
        let flags = segment.ints(c::FLAGS)?;
        let path = |(session, two): (usize, &[u32])| {
            let is_there = two[0] < two[1] && flags.get(session) & u64::from(c::NOBODY) == 0;
            if !is_there {
                return NONE;
            }
            u32::try_from(paths.get(which(two[0], two[1]) as usize)).unwrap_or(NONE)
        };
        let ids = starts.windows(2).enumerate().map(path).collect();
        Ok(Groups::of_sessions(Ids::Own(ids), Names::dictionary(segment, c::PATHS)?))
    }

    fn times(segment: &'s Segment, width: i64, name: impl Fn(i64) -> String) -> Result<Groups<'s>, Failed> {
        let first = segment.base().div_euclid(width);
        let most = i64::try_from(segment.last_second()?).unwrap_or(i64::MAX / 2);
        let base = segment.base().rem_euclid(width);
        let count = (base + most) / width + 1;
        if count > TIMES_MAX {
            return Err(Broken::Large.into());
        }
        let names = Names::Own((0..count).map(|n| name(first.saturating_add(n))).collect());
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

    /// The hours or minutes of a block's views or other events. `None`: nothing of this kind has a time.
    pub(super) fn times_of(
        &self,
        segment: &Segment,
        block: &Block,
        of: Of,
    ) -> Result<Option<Vec<u32>>, Failed> {
        let (starts, times, run) = match of {
            Of::Views => (segment.view_starts()?, segment.ints(c::VIEW_TIME)?, block.views),
            Of::Others => (segment.other_starts()?, segment.ints(c::OTHER_TIME)?, block.others),
            Of::Sessions | Of::Strays => return Ok(None),
        };
        let mut groups = vec![0; run.len()];
        times.read(run.from, &mut groups);
        let begins = segment.ints_of(c::START, block.sessions)?;
        let ends = starts[block.sessions.from..].windows(2).map(|two| (two[1] - two[0]) as usize);
        let mut rest = &mut groups[..];
        for (begin, count) in begins.iter().zip(ends) {
            let (own, more) = rest.split_at_mut(count.min(rest.len()));
            own.iter_mut().for_each(|time| *time = self.time(*begin, *time));
            rest = more;
        }
        Ok(Some(groups))
    }
}

/// The value of a column of the origins.
fn by_origin(segment: &Segment, column: Column, dictionary: u16) -> Result<Groups<'_>, Failed> {
    let mut map = vec![0; segment.rows(c::Table::Origins) + 1];
    segment.ints(column)?.read(0, &mut map[1..]);
    let ids = Ids::Column(segment.ints(c::ORIGIN)?, Some(map.into()));
    Ok(Groups::of_sessions(ids, Names::dictionary(segment, dictionary)?))
}

/// Sources or channels. The segment keeps them for the domains of which it was asked first.
fn sources<'s>(segment: &'s Segment, dimension: Dimension, domains: &[String]) -> Result<Groups<'s>, Failed> {
    let numbers = segment.ints(c::ORIGIN)?;
    let is_source = dimension == Dimension::Source;
    let (map, names) = match segment.origins(domains, || origins(segment, domains))? {
        Some(kept) => {
            let named = if is_source { &kept.sources } else { &kept.channels };
            (Cow::Borrowed(named.ids.as_slice()), Names::Kept(&named.names))
        }
        None => {
            let Origins { sources, channels, .. } = origins(segment, domains)?;
            let named = if is_source { sources } else { channels };
            (Cow::Owned(named.ids), Names::Own(named.names))
        }
    };
    Ok(Groups::of_sessions(Ids::Column(numbers, Some(map)), names))
}

/// Sources and channels, of each origin once.
fn origins(segment: &Segment, domains: &[String]) -> Result<Origins, Broken> {
    let mut texts: Vec<Vec<&str>> = Vec::new();
    let mut columns: Vec<&Numbers> = Vec::new();
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
    let (mut sources, mut channels) = (Numbered::new(), Numbered::new());
    let mut ids = [vec![0], vec![0]];
    for row in 0..segment.rows(c::Table::Origins) {
        let of: [u64; 7] = std::array::from_fn(|n| columns[n].get(row));
        let text =
            |n: usize| usize::try_from(of[n]).ok().and_then(|id| texts[n].get(id)).copied().unwrap_or("");
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
        let is_whole = of.iter().all(|id| *id > 0);
        ids[0].push(if is_whole { sources.id(&source) } else { 0 });
        ids[1].push(if is_whole { channels.id(channel) } else { 0 });
    }
    let [of_sources, of_channels] = ids;
    Ok(Origins {
        domains: domains.to_vec(),
        sources: Named { names: sources.names, ids: of_sources },
        channels: Named { names: channels.names, ids: of_channels },
    })
}
