//! The statistics of one class while its rows are folded.

use crate::country;
use crate::counts::Counts;
use crate::event::Event;
use crate::settings::Settings;
use crate::source;
use crate::values::{Id, Table, Texts, Values};
use crate::views::{Report, View};
use crate::visitor::{ATTRIBUTES, Session, Visitor};

/// The names of a session's attributes.
const NAMES: [&str; ATTRIBUTES] = [
    "source",
    "channel",
    "campaign",
    "utm_medium",
    "utm_term",
    "utm_content",
    "country",
    "language",
    "browser",
    "os",
    "device",
    "screen",
];

/// An hour, microseconds.
const HOUR: i64 = 3_600_000_000;

/// The class of a screen by its width, pixels.
pub(crate) fn screen(width: i32) -> &'static str {
    match width {
        ..=0 => "",
        1..=575 => "1-575",
        576..=991 => "576-991",
        992..=1439 => "992-1439",
        1440..=1919 => "1440-1919",
        1920.. => "1920+",
    }
}

impl Event<'_> {
    /// The class of its screen's width.
    pub fn screen(&self) -> &'static str {
        screen(self.screen_width)
    }
}

/// The values that a row counts for.
#[derive(Debug, Clone, Copy)]
struct RowIds {
    hour: Id,
    page: Id,
    kind: Id,
    /// It is a page view that was not there before.
    is_new: bool,
}

/// The counts of a class, by dimension and value.
#[derive(Debug)]
pub(crate) struct Class {
    /// `access_logs.traffic_class`.
    pub(crate) name: String,
    total: Counts,
    hours: Values,
    /// The last row's hour, which is most often the next row's.
    last_hour: Option<(i64, Id)>,
    paths: Texts,
    pages: Table,
    entries: Table,
    exits: Table,
    events: Values,
    attributes: [Values; ATTRIBUTES],
}

impl Class {
    /// Without a row.
    pub(crate) fn new(name: &str, settings: &Settings) -> Class {
        let limits = &settings.limits;
        Class {
            name: name.to_owned(),
            total: Counts::default(),
            hours: Values::new(limits),
            last_hour: None,
            paths: Texts::new(limits.paths, limits.path_bytes),
            pages: Table::default(),
            entries: Table::default(),
            exits: Table::default(),
            events: Values::new(limits),
            attributes: std::array::from_fn(|_| Values::new(limits)),
        }
    }

    fn hour(&mut self, event: &Event<'_>, settings: &Settings) -> Id {
        let hour = (event.occurred_at - settings.from).div_euclid(HOUR);
        match self.last_hour {
            Some((last, id)) if last == hour => id,
            _ => {
                let id = self.hours.texts.id(&hour.to_string());
                self.last_hour = Some((hour, id));
                id
            }
        }
    }

    /// The attributes that a session, or a row without a visitor, has by this row.
    fn attributes(&mut self, event: &Event<'_>, settings: &Settings) -> [Id; ATTRIBUTES] {
        let (source, channel) = source::of(event, &settings.domains);
        let texts: [&str; ATTRIBUTES] = [
            &source,
            channel,
            event.utm_campaign,
            event.utm_medium,
            event.utm_term,
            event.utm_content,
            country::of_zone(event.time_zone),
            event.language,
            event.browser,
            event.os,
            event.device,
            screen(event.screen_width),
        ];
        std::array::from_fn(|at| self.attributes[at].texts.id(texts[at]))
    }

    /// Adds a row that is neither `request` nor `engagement`.
    pub(crate) fn visit(
        &mut self,
        event: &Event<'_>,
        visitor: &mut Visitor,
        sessions: &mut u64,
        settings: &Settings,
    ) {
        let hour = self.hour(event, settings);
        let page = self.paths.id(event.url_path);
        let kind = self.events.texts.id(event.event_type);
        let is_page_view = event.event_type == "pageview";
        let is_copy = is_page_view && event.page_view_id.is_some_and(|id| visitor.views.has(id));
        let is_new = is_page_view && !is_copy;
        let ids = RowIds { hour, page, kind, is_new };
        let row = Counts { events: 1, page_views: u64::from(is_new), ..Counts::default() };
        self.total += &row;
        *self.hours.table.counts(hour) += &row;
        *self.pages.counts(page) += &row;
        *self.events.table.counts(kind) += &row;
        if visitor.id.is_none() {
            for (values, id) in self.attributes(event, settings).into_iter().enumerate() {
                *self.attributes[values].table.counts(id) += &row;
            }
        } else {
            self.visit_of_session(event, visitor, sessions, settings, ids);
        }
        if is_page_view {
            self.page_view(event, visitor, ids, settings);
        }
    }

    /// Puts a visitor's row into its session.
    fn visit_of_session(
        &mut self,
        event: &Event<'_>,
        visitor: &mut Visitor,
        sessions: &mut u64,
        settings: &Settings,
        RowIds { hour, page, kind, is_new }: RowIds,
    ) {
        let at = event.occurred_at;
        if visitor.sessions.last().is_none_or(|session| !session.reaches(at)) {
            *sessions += 1;
            visitor.sessions.push(Session {
                number: *sessions,
                first_at: at,
                last_at: at,
                end_at: at,
                hour,
                attributes: self.attributes(event, settings),
                pages: None,
                has_others: false,
                is_authenticated: false,
                counts: Counts::default(),
            });
        }
        let Some(session) = visitor.sessions.last_mut() else { return };
        session.last_at = at;
        session.end_at = session.end_at.max(at);
        session.is_authenticated |= !event.user_id.is_empty();
        session.has_others |= event.event_type != "pageview";
        session.counts.events += 1;
        self.hours.table.meet(hour, visitor.number);
        self.events.table.meet(kind, visitor.number);
        self.events.table.meet_session(kind, session.number);
        if is_new {
            session.counts.page_views += 1;
            self.pages.meet(page, visitor.number);
            self.pages.meet_session(page, session.number);
            if session.pages.is_none() && session.counts.events > 1 {
                session.attributes = self.attributes(event, settings);
            }
            session.pages = Some((session.pages.map_or(page, |pages| pages.0), page));
        }
    }

    /// Remembers a page view, and counts what it reports itself and what has waited for it.
    fn page_view(
        &mut self,
        event: &Event<'_>,
        visitor: &mut Visitor,
        RowIds { hour, page, is_new, .. }: RowIds,
        settings: &Settings,
    ) {
        let own = report(event, page);
        if !is_new {
            self.engage(event, visitor, own, settings);
            return;
        }
        let session = u16::try_from(visitor.sessions.len()).ok().and_then(|count| count.checked_sub(1));
        let mut view = View { session, page, hour, depth: None, is_timed: false };
        self.report(&mut view, &own, &mut visitor.sessions);
        if let Some(id) = event.page_view_id {
            for waited in visitor.views.add(id, view, settings.limits.views) {
                if let Some(view) = visitor.views.get_mut(id) {
                    self.report(view, &waited, &mut visitor.sessions);
                }
            }
        }
    }

    /// Adds a row of type `engagement`.
    pub(crate) fn engagement(&mut self, event: &Event<'_>, visitor: &mut Visitor, settings: &Settings) {
        let page = self.paths.id(event.url_path);
        let session = self.engage(event, visitor, report(event, page), settings);
        if let Some(session) = session.and_then(|session| visitor.sessions.get_mut(session))
            && session.reaches(event.occurred_at)
        {
            session.end_at = session.end_at.max(event.occurred_at);
        }
    }

    /// Counts what a row reports of its view. Returns the view's session.
    fn engage(
        &mut self,
        event: &Event<'_>,
        visitor: &mut Visitor,
        own: Report,
        settings: &Settings,
    ) -> Option<usize> {
        let Some(id) = event.page_view_id else {
            self.stray(&[own]);
            return None;
        };
        if let Some(view) = visitor.views.get_mut(id) {
            self.report(view, &own, &mut visitor.sessions);
            return view.session.map(usize::from);
        }
        let strays = visitor.views.wait(id, own, settings.limits.waiting);
        self.stray(&strays);
        None
    }

    /// Counts a report for its view.
    fn report(&mut self, view: &mut View, report: &Report, sessions: &mut [Session]) {
        let (depth, deepest) = (report.depth, view.depth.max(report.depth));
        let counts = Counts {
            engaged_ms: report.dwell_ms.unwrap_or(0),
            timed_views: u64::from(report.dwell_ms.is_some() && !view.is_timed),
            scrolled_views: u64::from(depth.is_some() && view.depth.is_none()),
            scroll_percent: u64::from(deepest.unwrap_or(0) - view.depth.unwrap_or(0)),
            ..Counts::default()
        };
        view.is_timed |= report.dwell_ms.is_some();
        view.depth = deepest;
        if counts == Counts::default() {
            return;
        }
        self.total += &counts;
        *self.hours.table.counts(view.hour) += &counts;
        *self.pages.counts(view.page) += &counts;
        if let Some(session) = view.session.and_then(|session| sessions.get_mut(usize::from(session))) {
            session.counts += &counts;
        }
    }

    /// Counts reports without a view.
    fn stray(&mut self, reports: &[Report]) {
        for report in reports {
            let stray_ms = report.dwell_ms.unwrap_or(0);
            self.total.stray_ms += stray_ms;
            if stray_ms > 0 {
                self.pages.counts(report.page).stray_ms += stray_ms;
            }
        }
    }

    /// Counts a visitor whose last row was added, and forgets it.
    pub(crate) fn end(&mut self, visitor: &mut Visitor) {
        self.total.visitors += u64::from(!visitor.sessions.is_empty());
        for session in visitor.sessions.drain(..) {
            let counts = session.finish();
            // Its rows were counted one by one already.
            let alone = Counts {
                sessions: 1,
                authenticated: counts.authenticated,
                bounces: counts.bounces,
                duration_ms: counts.duration_ms,
                ..Counts::default()
            };
            self.total += &alone;
            *self.hours.table.counts(session.hour) += &alone;
            for (values, id) in self.attributes.iter_mut().zip(session.attributes) {
                *values.table.counts(id) += &counts;
                values.table.meet(id, visitor.number);
            }
            if let Some((first, last)) = session.pages {
                for (table, page) in [(&mut self.entries, first), (&mut self.exits, last)] {
                    *table.counts(page) += &counts;
                    table.meet(page, visitor.number);
                }
            }
        }
        let strays = visitor.views.end();
        self.stray(&strays);
    }

    /// Passes dimensions, values and counts on.
    pub(crate) fn finish(&self, settings: &Settings, mut each: impl FnMut(&'static str, &str, &Counts)) {
        let limits = &settings.limits;
        each("total", "", &self.total);
        self.hours.finish(limits, |value, counts| each("hour", value, counts));
        self.events.finish(limits, |value, counts| each("event", value, counts));
        for (name, table) in
            [("page", &self.pages), ("entry_page", &self.entries), ("exit_page", &self.exits)]
        {
            table.finish(&self.paths, limits, |value, counts| each(name, value, counts));
        }
        for (name, values) in NAMES.into_iter().zip(&self.attributes) {
            values.finish(limits, |value, counts| each(name, value, counts));
        }
    }
}

/// What a row reports of its view. Numbers below 0 are none.
fn report(event: &Event<'_>, page: Id) -> Report {
    Report {
        page,
        dwell_ms: event.dwell_ms.and_then(|dwell| u64::try_from(dwell).ok()),
        depth: event.scroll_depth.and_then(|depth| u8::try_from(depth.min(100)).ok()),
    }
}
