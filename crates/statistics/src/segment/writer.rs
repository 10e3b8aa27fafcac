//! Makes the segments of a day of its events.

use super::columns as c;
use super::part::{Attributes, Bounds, Over, Part};
use crate::details::Details;
use crate::event::Event;
use crate::settings::Settings;
use crate::values::Id;
use crate::views::{Report, View, Views};
use crate::visitor::GAP;

/// A second, microseconds.
const SECOND: i64 = 1_000_000;

/// The session, or the run of rows without a visitor, to which rows are added.
#[derive(Debug, Clone, Copy)]
struct Open {
    /// Which of its visitor's, from 0.
    nth: u16,
    first_at: i64,
    last_at: i64,
    end_at: i64,
    views: u32,
    others: u32,
    /// Whether it has an event that is no page view.
    has_others: bool,
    is_authenticated: bool,
    attributes: Attributes,
    user: u64,
}

impl Open {
    fn new(nth: u16, at: i64, attributes: Attributes) -> Open {
        Open {
            nth,
            first_at: at,
            last_at: at,
            end_at: at,
            views: 0,
            others: 0,
            has_others: false,
            is_authenticated: false,
            attributes,
            user: 0,
        }
    }
}

/// The key of the hashes of user ids.
#[derive(Debug)]
struct UserKey {
    key: [u8; 32],
    /// Tells it apart from others, and does not tell it.
    name: String,
}

impl UserKey {
    fn new(key: [u8; 32]) -> UserKey {
        let derived = blake3::derive_key("alt statistics 2026 name of a key of user ids", &key);
        let name = blake3::Hash::from_bytes(derived).to_hex()[..16].to_owned();
        UserKey { key, name }
    }
}

/// Makes segments. Events come as [`crate::day::Fold::add`] wants them.
#[derive(Debug)]
pub struct Writer {
    settings: Settings,
    bounds: Bounds,
    user_key: Option<UserKey>,
    part: Part,
    /// The segment before, while rows without a visitor may still report of its page views.
    previous: Option<Part>,
    done: Vec<Vec<u8>>,
    text_left: usize,
    class: Option<String>,
    visitor: Option<i64>,
    /// Sessions of the visitor that are over.
    sessions: u16,
    views: Views,
    open: Option<Open>,
}

impl Writer {
    /// `user_key` is the key of the hash of `user_id`; without it there is no hash.
    pub fn new(settings: Settings, bounds: Bounds, user_key: Option<[u8; 32]>) -> Writer {
        Writer {
            part: Part::new(0, &settings.properties, &bounds, bounds.text_bytes),
            text_left: bounds.text_bytes,
            settings,
            bounds,
            user_key: user_key.map(UserKey::new),
            previous: None,
            done: Vec::new(),
            class: None,
            visitor: None,
            sessions: 0,
            views: Views::default(),
            open: None,
        }
    }

    /// Adds an event.
    pub fn add(&mut self, event: &Event<'_>) {
        let is_of_class = self.class.as_deref() == Some(event.traffic_class);
        if !is_of_class || self.visitor != event.visitor_id {
            self.end_visitor();
            if !is_of_class {
                self.end_class();
                self.class = Some(event.traffic_class.to_owned());
            }
            self.visitor = event.visitor_id;
        }
        self.make_room();
        // A request that is a page view stays a request, too.
        if event.event_type == "request" {
            self.request(event);
        }
        let event = &event.seen(self.settings.requests_are_views);
        match event.event_type {
            "request" => {}
            "engagement" => self.engagement(event),
            _ => self.visit(event),
        }
    }

    /// Begins another segment, if this one is full.
    fn make_room(&mut self) {
        let rows = self.part.rows();
        if rows < self.bounds.rows {
            return;
        }
        let is_new_visitor = self.open.is_none() && self.sessions == 0;
        if is_new_visitor && self.visitor.is_some() {
            self.rotate();
            self.write_previous();
        } else if self.visitor.is_none() {
            self.rotate();
        } else if rows >= self.bounds.rows_of_one {
            self.end_visitor();
            self.rotate();
        }
    }

    /// Begins another segment, and keeps this one for what is still reported of its views.
    fn rotate(&mut self) {
        self.end_session();
        if let Some(class) = &self.class {
            self.part.end_class(class);
        }
        self.write_previous();
        self.text_left = self.text_left.saturating_sub(self.part.text_bytes());
        let mut next =
            Part::new(self.part.number + 1, &self.settings.properties, &self.bounds, self.text_left);
        let paths = self.part.texts(c::PATHS);
        for report in self.views.waiting_mut() {
            let path = (report.page as usize).checked_sub(1).and_then(|at| paths.get(at));
            report.page = path.map_or(0, |path| next.text(c::PATHS, path));
        }
        self.previous = Some(std::mem::replace(&mut self.part, next));
    }

    fn write_previous(&mut self) {
        let previous = self.previous.take();
        self.done.extend(previous.map(|part| part.bytes(self.settings.from, self.user_key_name())));
    }

    fn seconds(&self, at: i64) -> i64 {
        at.saturating_sub(self.settings.from).div_euclid(SECOND)
    }

    /// Seconds since the open session's first row.
    fn within(&self, at: i64) -> u32 {
        let first = self.open.map_or(at, |open| open.first_at);
        u32::try_from(self.seconds(at) - self.seconds(first)).unwrap_or(0)
    }

    fn request(&mut self, event: &Event<'_>) {
        let path = self.part.text(c::PATHS, event.url_path);
        let status = event.status.and_then(|status| u16::try_from(status).ok()).unwrap_or(0);
        let time = event.request_ms.and_then(|time| u32::try_from(time).ok()).map_or(0, |time| time + 1);
        let at = self.seconds(event.occurred_at);
        self.part.requests.push((path, at, status, time));
    }

    fn visit(&mut self, event: &Event<'_>) {
        let at = event.occurred_at;
        if event.visitor_id.is_some() {
            if self.open.is_none_or(|open| at - open.last_at > GAP) {
                self.end_session();
                self.open = Some(Open::new(self.sessions, at, self.part.attributes(event)));
            }
        } else {
            let attributes = self.part.attributes(event);
            if self.open.is_none_or(|open| open.attributes != attributes) {
                self.end_session();
                self.open = Some(Open::new(self.sessions, at, attributes));
            }
        }
        let is_page_view = event.event_type == "pageview";
        let is_new = is_page_view && !event.page_view_id.is_some_and(|id| self.views.has(id));
        let path = self.part.text(c::PATHS, event.url_path);
        let within = self.within(at);
        let is_late = self.open.is_some_and(|open| open.views == 0 && open.others > 0);
        let attributes =
            (is_new && is_late && event.visitor_id.is_some()).then(|| self.part.attributes(event));
        let user = if event.user_id.is_empty() { 0 } else { self.user(event.user_id) };
        if let Some(open) = &mut self.open {
            open.last_at = at;
            open.end_at = open.end_at.max(at);
            open.has_others |= !is_page_view;
            open.is_authenticated |= !event.user_id.is_empty();
            open.user = if open.user == 0 { user } else { open.user };
            open.attributes = attributes.unwrap_or(open.attributes);
            if is_new {
                open.views += 1;
            } else {
                open.others += 1;
            }
        }
        let details = Details::of(event, &self.settings.properties);
        if is_new {
            if let Some(details) = &details {
                self.part.values.view(self.part.view_paths.len(), details);
            }
            self.page_view(event, path, within);
        } else {
            if let Some(details) = &details {
                self.part.values.other(self.part.other_paths.len(), event.event_type, details);
            }
            self.part.other_paths.push(path);
            self.part.other_times.push(within);
            let kind = self.part.text(c::TYPES, event.event_type);
            self.part.other_types.push(kind);
            self.part.other_after.push(self.open.map_or(0, |open| open.views));
            if is_page_view {
                self.engage(event, path);
            }
        }
    }

    fn user_key_name(&self) -> Option<&str> {
        self.user_key.as_ref().map(|key| key.name.as_str())
    }

    fn user(&self, user_id: &str) -> u64 {
        let Some(UserKey { key, .. }) = &self.user_key else { return 0 };
        let hash = blake3::keyed_hash(key, user_id.as_bytes());
        hash.as_bytes().first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes).max(1))
    }

    fn page_view(&mut self, event: &Event<'_>, path: Id, within: u32) {
        let Ok(at) = u32::try_from(self.part.view_paths.len()) else { return };
        self.part.view_paths.push(path);
        self.part.view_times.push(within);
        self.part.view_engaged.push(0);
        self.part.view_depths.push(0);
        let session = self.open.filter(|_| event.visitor_id.is_some()).map(|open| open.nth);
        let view = View { session, page: at, hour: self.part.number, depth: None, is_timed: false };
        self.report(view, report(event, path));
        if let Some(id) = event.page_view_id {
            for waited in self.views.add(id, view, self.settings.limits.views) {
                self.report(view, waited);
            }
        }
    }

    fn engagement(&mut self, event: &Event<'_>) {
        let path = self.part.text(c::PATHS, event.url_path);
        let session = self.engage(event, path);
        let at = event.occurred_at;
        if let Some(open) = &mut self.open
            && session == Some(open.nth)
            && at - open.last_at <= GAP
        {
            open.end_at = open.end_at.max(at);
        }
    }

    /// Adds what a row reports to its view. Returns the view's session.
    fn engage(&mut self, event: &Event<'_>, path: Id) -> Option<u16> {
        let own = report(event, path);
        let Some(id) = event.page_view_id else {
            self.stray(own);
            return None;
        };
        if let Some(view) = self.views.get_mut(id).copied() {
            self.report(view, own);
            return view.session;
        }
        for stray in self.views.wait(id, own, self.settings.limits.waiting) {
            self.stray(stray);
        }
        None
    }

    /// `view.page` is the view's row, `view.hour` the number of its segment.
    fn report(&mut self, view: View, report: Report) {
        let part = if view.hour == self.part.number {
            Some(&mut self.part)
        } else {
            self.previous.as_mut().filter(|part| part.number == view.hour)
        };
        let Some(part) = part else {
            self.stray(report);
            return;
        };
        let at = view.page as usize;
        if let (Some(dwell), Some(engaged)) = (report.dwell_ms, part.view_engaged.get_mut(at)) {
            *engaged = (*engaged).max(1).saturating_add(dwell);
        }
        if let (Some(depth), Some(deepest)) = (report.depth, part.view_depths.get_mut(at)) {
            *deepest = (*deepest).max(depth + 1);
        }
    }

    fn stray(&mut self, report: Report) {
        if let Some(dwell) = report.dwell_ms.filter(|dwell| *dwell > 0) {
            self.part.strays.push((report.page, dwell));
        }
    }

    fn end_session(&mut self) {
        let Some(open) = self.open.take() else { return };
        let mut flags = 0;
        let mut duration_ms = 0;
        if self.visitor.is_some() {
            let bits = [
                (c::NEW_VISITOR, self.sessions == 0),
                (c::AUTHENTICATED, open.is_authenticated),
                (c::BOUNCE, open.views == 1 && !open.has_others),
            ];
            flags = bits.into_iter().filter(|(_, is_set)| *is_set).fold(0, |flags, (bit, _)| flags | bit);
            duration_ms = u32::try_from((open.end_at - open.first_at) / 1_000).unwrap_or(u32::MAX);
        } else {
            flags |= c::NOBODY;
        }
        self.part.session(Over {
            flags,
            start: self.seconds(open.first_at),
            duration_ms,
            views: open.views,
            others: open.others,
            attributes: open.attributes,
            user: open.user,
        });
        self.sessions = self.sessions.saturating_add(1);
    }

    fn end_visitor(&mut self) {
        self.end_session();
        self.sessions = 0;
        for stray in self.views.end() {
            self.stray(stray);
        }
        self.write_previous();
    }

    fn end_class(&mut self) {
        if let Some(class) = self.class.take() {
            self.part.end_class(&class);
        }
    }

    /// Takes the segments that are finished so far, so that they need not wait in memory.
    pub fn done(&mut self) -> impl Iterator<Item = Vec<u8>> {
        self.done.drain(..)
    }

    /// The day's other segments, after the last event. A day has at least one.
    pub fn finish(mut self) -> Vec<Vec<u8>> {
        self.end_visitor();
        self.end_class();
        if self.part.number == 0 || !self.part.classes.is_empty() {
            let last = self.part.bytes(self.settings.from, self.user_key_name());
            self.done.push(last);
        }
        self.done
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
