//! Each definition, by a small example. A day begins at minute 0.

use crate::day::{Counts, Day, Fold, OTHER, Settings};
use crate::event::Event;
use crate::settings::Limits;

const MINUTE: i64 = 60_000_000;

/// A person's page view of `/a` at a minute, with a page view id of its own.
fn view(minute: i64) -> Event<'static> {
    Event {
        occurred_at: minute * MINUTE,
        visitor_id: Some(1),
        page_view_id: Some(minute + 1_000),
        traffic_class: "human",
        event_type: "pageview",
        url_path: "/a",
        ..Event::default()
    }
}

fn click(minute: i64) -> Event<'static> {
    Event { event_type: "click", page_view_id: None, ..view(minute) }
}

/// What is reported at a minute of the page view of another.
fn engagement(minute: i64, of: i64) -> Event<'static> {
    Event {
        event_type: "engagement",
        page_view_id: view(of).page_view_id,
        dwell_ms: Some(5_000),
        ..view(minute)
    }
}

fn fold_with(settings: Settings, events: &[Event<'_>]) -> Day {
    let mut events = events.to_vec();
    events
        .sort_by_key(|e| (e.traffic_class, e.visitor_id.is_none(), e.visitor_id, e.occurred_at, e.event_id));
    let mut fold = Fold::new(settings);
    events.iter().for_each(|event| fold.add(event));
    fold.finish()
}

fn fold(events: &[Event<'_>]) -> Day {
    fold_with(Settings::default(), events)
}

impl Day {
    fn of(&self, dimension: &'static str, value: &str) -> Counts {
        self.of_class("human", dimension, value)
    }

    fn of_class(&self, class: &str, dimension: &'static str, value: &str) -> Counts {
        self.values.get(&(class.to_owned(), dimension, value.to_owned())).copied().unwrap_or_default()
    }

    /// Values and page views of a dimension.
    fn page_views(&self, dimension: &str) -> Vec<(&str, u64)> {
        let of = self.values.iter().filter(|((_, name, _), _)| *name == dimension);
        of.map(|((_, _, value), counts)| (value.as_str(), counts.page_views)).collect()
    }
}

fn total(events: &[Event<'_>]) -> Counts {
    fold(events).of("total", "")
}

#[test]
fn requests_and_engagement_make_no_visitor_and_no_session() {
    let request = Event { event_type: "request", ..view(0) };
    assert_eq!(total(&[request, engagement(1, 0)]), Counts { stray_ms: 5_000, ..Counts::default() });
    assert_eq!(total(&[click(0)]), Counts { events: 1, visitors: 1, sessions: 1, ..Counts::default() });
}

#[test]
fn a_page_view_counts_once_by_its_id() {
    let copy = Event { occurred_at: 5, ..view(0) };
    let got = total(&[view(0), copy]);
    assert_eq!((got.events, got.page_views, got.bounces), (2, 1, 1));
    // Without an id, each row is one.
    let without = Event { page_view_id: None, ..view(0) };
    assert_eq!(total(&[without, without]).page_views, 2);
    // Another visitor's is another.
    let other = Event { visitor_id: Some(2), ..view(0) };
    assert_eq!(total(&[view(0), other]).page_views, 2);
    // Without a visitor, the class's rows are as one visitor's, who is not counted.
    let nobody = Event { visitor_id: None, ..view(0) };
    let got = total(&[nobody, nobody]);
    assert_eq!(got, Counts { events: 2, page_views: 1, ..Counts::default() });
}

#[test]
fn a_visitor_counts_once_a_class() {
    let bot = Event { traffic_class: "bot", ..view(1) };
    let day = fold(&[view(0), view(40), bot]);
    assert_eq!(day.of("total", "").visitors, 1);
    assert_eq!(day.of_class("bot", "total", "").visitors, 1);
    // The visitor 0 is one as any other.
    assert_eq!(total(&[Event { visitor_id: Some(0), ..view(0) }]).visitors, 1);
}

#[test]
fn a_session_ends_with_a_gap_of_more_than_30_minutes() {
    assert_eq!(total(&[view(0), view(30)]).sessions, 1);
    let late = Event { occurred_at: 30 * MINUTE + 1, ..view(31) };
    assert_eq!(total(&[view(0), late]).sessions, 2);
    // Engagement in between does not keep it open.
    assert_eq!(total(&[view(0), engagement(20, 0), view(40)]).sessions, 2);
}

#[test]
fn a_session_has_the_attributes_of_its_first_page_view() {
    let first = Event { browser: "Safari", time_zone: "Asia/Calcutta", screen_width: 575, ..click(0) };
    let second = Event { browser: "Firefox", time_zone: "Europe/Berlin", screen_width: 1440, ..view(1) };
    let day = fold(&[first, second, Event { browser: "Edge", ..view(2) }]);
    assert_eq!(day.page_views("browser"), [("Firefox", 2)]);
    assert_eq!(day.page_views("country"), [("DE", 2)]);
    assert_eq!(day.page_views("screen"), [("1440-1919", 2)]);
    assert_eq!(day.of("browser", "Firefox").events, 3);
    // Without a page view, of its first row.
    let day = fold(&[first, Event { browser: "Edge", ..click(1) }]);
    assert_eq!(day.page_views("country"), [("IN", 0)]);
    assert_eq!(day.page_views("screen"), [("1-575", 0)]);
}

#[test]
fn entry_and_exit_page_are_the_first_and_the_last_page_view() {
    let [a, b, c] = [view(0), Event { url_path: "/b", ..view(1) }, Event { url_path: "/c", ..click(2) }];
    let day = fold(&[a, b, c]);
    assert_eq!(day.page_views("entry_page"), [("/a", 2)]);
    assert_eq!(day.page_views("exit_page"), [("/b", 2)]);
    assert_eq!(day.page_views("page"), [("/a", 1), ("/b", 1), ("/c", 0)]);
    assert!(fold(&[c]).page_views("entry_page").is_empty());
}

#[test]
fn a_bounce_is_one_page_view_and_no_other_event() {
    assert_eq!(total(&[view(0)]).bounces, 1);
    assert_eq!(total(&[view(0), engagement(1, 0)]).bounces, 1);
    assert_eq!(total(&[view(0), click(1)]).bounces, 0);
    assert_eq!(total(&[view(0), view(1)]).bounces, 0);
    assert_eq!(total(&[click(0)]).bounces, 0);
}

#[test]
fn the_duration_is_from_the_first_row_to_the_last_or_to_engagement_within_30_minutes() {
    let minutes = |events: &[Event<'_>]| total(events).duration_ms / 60_000;
    assert_eq!(minutes(&[view(0), click(7)]), 7);
    assert_eq!(minutes(&[view(0), engagement(30, 0)]), 30);
    assert_eq!(minutes(&[view(0), engagement(31, 0)]), 0);
    // Engagement with the view of the first session does not extend the second.
    assert_eq!(minutes(&[view(0), view(40), engagement(50, 0)]), 0);
}

#[test]
fn engagement_belongs_to_its_view_wherever_it_comes() {
    let second = Event { url_path: "/b", ..view(1) };
    let day = fold(&[view(0), second, engagement(2, 0), engagement(3, 0), engagement(0, 1)]);
    let page = |path| (day.of("page", path).engaged_ms, day.of("page", path).timed_views);
    assert_eq!((page("/a"), page("/b")), ((10_000, 1), (5_000, 1)));
    assert_eq!(day.of("total", "").engaged_ms, 15_000);
    assert_eq!(day.of("source", "direct").engaged_ms, 15_000);
    // Of a view that is not there, it is the path's, apart from the others.
    let day = fold(&[view(0), engagement(2, 77)]);
    let page = day.of("page", "/a");
    assert_eq!((page.engaged_ms, page.stray_ms), (0, 5_000));
}

#[test]
fn the_greatest_depth_of_a_view_counts() {
    let depth = |minute, depth| Event { scroll_depth: Some(depth), dwell_ms: None, ..engagement(minute, 0) };
    let got = total(&[view(0), depth(1, 20), depth(2, 70), depth(3, 50), view(4)]);
    assert_eq!((got.scrolled_views, got.scroll_percent, got.timed_views), (1, 70, 0));
}

#[test]
fn a_user_id_anywhere_makes_a_session_authenticated() {
    assert_eq!(total(&[view(0), Event { user_id: "bob", ..click(1) }, view(50)]).authenticated, 1);
}

#[test]
fn a_visitor_counts_in_each_hour_and_a_session_in_its_first() {
    let settings = Settings { from: -30 * MINUTE, ..Settings::default() };
    let day = fold_with(settings, &[view(20), view(40)]);
    let hour = |hour| {
        (day.of("hour", hour).visitors, day.of("hour", hour).sessions, day.of("hour", hour).page_views)
    };
    assert_eq!((hour("0"), hour("1")), ((1, 1, 1), (1, 0, 1)));
}

#[test]
fn a_row_without_a_visitor_has_its_own_attributes_and_no_session() {
    let nobody = Event { visitor_id: None, language: "de", ..view(0) };
    let day = fold(&[nobody, Event { language: "en", ..nobody }]);
    assert_eq!(day.page_views("language"), [("de", 1), ("en", 0)]);
    assert_eq!(day.of("language", "de").sessions, 0);
    assert!(day.page_views("entry_page").is_empty());
}

#[test]
fn what_is_beyond_the_limits_is_other() {
    let paths: Vec<String> = (0..9).map(|n| format!("/{n}")).collect();
    let events: Vec<Event<'_>> =
        (0..45).map(|n| Event { url_path: &paths[usize::try_from(n).unwrap() % 9], ..view(n) }).collect();
    let all = fold(&events);
    assert_eq!(all.page_views("page").len(), 9);
    let limits = Limits { values: 2, ..Limits::default() };
    let few = fold_with(Settings { limits, ..Settings::default() }, &events);
    assert_eq!(few.page_views("page"), [(OTHER, 35), ("/0", 5), ("/1", 5)]);
    // Of a visitor who has seen seven of them: the sum.
    assert_eq!(few.of("page", OTHER).visitors, 7);
    let limits = Limits { value_bytes: 6, ..Limits::default() };
    let short = fold_with(Settings { limits, ..Settings::default() }, &events);
    assert_eq!(short.page_views("page").len(), 4);
    // Those that came first have a value of their own.
    let limits = Limits { paths: 3, ..Limits::default() };
    let bounded = fold_with(Settings { limits, ..Settings::default() }, &events);
    assert_eq!(bounded.page_views("page"), [(OTHER, 30), ("/0", 5), ("/1", 5), ("/2", 5)]);
    assert_eq!(bounded.of("page", OTHER).visitors, 1);
    assert_eq!(bounded.of("total", ""), all.of("total", ""));
}

#[test]
fn the_last_views_are_remembered_and_so_is_the_engagement_that_waits() {
    let limits = Limits { views: 2, waiting: 1, ..Limits::default() };
    let fold =
        |events: &[Event<'_>]| fold_with(Settings { limits, ..Settings::default() }, events).of("total", "");
    let copy = |of: i64, minute: i64| Event { occurred_at: minute * MINUTE, ..view(of) };
    assert_eq!(fold(&[view(0), view(1), view(2), copy(0, 3)]).page_views, 3);
    assert_eq!(fold(&[view(0), view(1), view(2), view(3), view(4), copy(0, 5)]).page_views, 6);
    assert_eq!(fold(&[engagement(0, 1), view(1)]).engaged_ms, 5_000);
    assert_eq!(fold(&[engagement(0, 2), engagement(1, 2), view(2)]).stray_ms, 10_000);
}

#[test]
fn a_class_with_requests_alone_has_a_total_of_nothing() {
    let day = fold(&[Event { event_type: "request", ..view(0) }]);
    assert_eq!(day.values.len(), 1);
    assert_eq!(day.of("total", ""), Counts::default());
    assert!(Fold::default().finish().values.is_empty());
}
