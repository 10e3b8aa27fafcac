//! What the random questions cannot see: what their oracle shares with the engine, and what few rows never meet.

use super::*;
use crate::segment::{codec, hash};
use crate::traffic_class::screen;

/// A page view of a visitor, or without one, in a minute.
fn view(visitor_id: Option<i64>, minute: i64, url_path: &str) -> Event<'_> {
    Event {
        occurred_at: minute * MINUTE,
        event_id: u128::try_from(minute).unwrap(),
        visitor_id,
        traffic_class: "human",
        event_type: "pageview",
        url_path,
        ..Event::default()
    }
}

fn one_segment(events: &[Event<'_>]) -> Vec<Segment> {
    segments(&settings(0), Bounds::default(), events)
}

fn ask(query: &Query, segments: &[Segment]) -> Answer {
    run(query, &parts("d", segments).collect::<Vec<_>>(), &Means::default()).unwrap()
}

fn texts(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

fn page(test: Test) -> Filter {
    Filter::On(Dimension::Page, test)
}

#[test]
fn a_condition_is_true_of_any_of_its_values_anywhere_in_the_text() {
    let is = Test::Is(texts(&["/a", "/b"]));
    let contains = Test::Contains(texts(&["sho", "/B"]));
    let matches = Test::Matches(Regex::new("s[a-h]o").unwrap());
    for (test, yes, no) in [
        (is, ["/a", "/b"], ["/", "/a/"]),
        (contains, ["/shop", "/x/Bob"], ["/SHOP", "/b"]),
        (matches, ["/shop", "sao"], ["/SHOP", "so"]),
    ] {
        assert!(yes.iter().all(|value| test.is_true(value)), "{test:?}");
        assert!(!no.iter().any(|value| test.is_true(value)), "{test:?}");
    }
}

#[test]
fn a_part_is_found_in_each_text_and_never_across_two() {
    let paths = ["/ab", "", "ab/", "/", "aab", "b", "", "/abab"];
    let events: Vec<Event<'_>> = (0..).zip(paths).map(|(n, path)| view(Some(1), n, path)).collect();
    let segments = one_segment(&events);
    for parts in
        [&["ab"][..], &["b"], &["/a"], &["abb"], &["ba"], &["b/", "aab"], &["//"], &["aa", ""], &["/abab"]]
    {
        let contains = Test::Contains(texts(parts));
        let mut want: Vec<&str> = paths.into_iter().filter(|path| contains.is_true(path)).collect();
        want.sort_unstable();
        want.dedup();
        let filter = Some(page(contains));
        let query = Query { filter, order: None, ..all(Dimension::Page, "human", &settings(0)) };
        let got: Vec<String> = ask(&query, &segments).rows.into_iter().map(|row| row.value).collect();
        assert_eq!(got, want, "{parts:?}");
    }
}

#[test]
fn what_a_session_reports_is_summed_in_whatever_room_it_needs() {
    // Of 32 bits, just and no longer; and as many page views as 16 bits count, and one more.
    for (views, dwell_ms, depth) in [
        (2, Some(i32::MAX), Some(2)),
        (3, Some(i32::MAX), Some(2)),
        (65_535, Some(1), Some(2)),
        (65_536, Some(1), None),
        (65_536, None, Some(2)),
    ] {
        let event = |n| Event {
            occurred_at: n,
            event_id: u128::try_from(n).unwrap(),
            dwell_ms,
            scroll_depth: depth,
            ..view(Some(1), 0, "/a")
        };
        let events: Vec<Event<'_>> = (0..views).map(event).collect();
        let segments = one_segment(&events);
        assert_eq!(segments[0].sums().unwrap().is_some(), matches!(views, 2 | 65_535));
        let total = ask(&all(Dimension::Total, "human", &settings(0)), &segments).total.counts;
        let count = |is_there: bool| u64::try_from(if is_there { views } else { 0 }).unwrap();
        let (timed, scrolled) = (count(dwell_ms.is_some()), count(depth.is_some()));
        assert_eq!((total.timed_views, total.scrolled_views), (timed, scrolled));
        assert_eq!(total.scroll_percent, scrolled * 2);
        assert_eq!(total.engaged_ms, timed * u64::try_from(dwell_ms.unwrap_or(0)).unwrap());
    }
}

#[test]
fn a_visitor_behind_sessions_that_are_passed_over_is_another_one() {
    // The first has sessions that are kept, the second none, and of the third's two only the last is kept, which may be in a
    // block of its own: wherever blocks end.
    for kept in 1..9 {
        for dropped in 1..15 {
            let mut events = Vec::new();
            for (visitor, browsers) in
                [(1, vec!["Chrome"; kept]), (2, vec!["Firefox"; dropped]), (3, vec!["Firefox", "Chrome"])]
            {
                for (n, browser) in (0..).zip(browsers) {
                    events.push(Event { browser, ..view(Some(visitor), n * 31, "/a") });
                }
            }
            let filter = Some(Filter::On(Dimension::Browser, Test::Is(texts(&["Chrome"]))));
            let segments = one_segment(&events);
            for dimension in [Dimension::Total, Dimension::Page, Dimension::Browser] {
                let query = Query { filter: filter.clone(), ..all(dimension, "human", &settings(0)) };
                let answer = ask(&query, &segments);
                for counts in [answer.total.counts, answer.rows[0].tally.counts] {
                    assert_eq!((counts.visitors, counts.sessions), (2, kept as u64 + 1), "{kept} {dropped}");
                }
            }
        }
    }
}

#[test]
fn a_screen_has_the_class_in_which_its_width_is() {
    for (class, first, last) in [
        ("", i32::MIN, 0),
        ("1-575", 1, 575),
        ("576-991", 576, 991),
        ("992-1439", 992, 1439),
        ("1440-1919", 1440, 1919),
        ("1920+", 1920, i32::MAX),
    ] {
        assert_eq!((screen(first), screen(last)), (class, class));
    }
}

#[test]
fn two_values_with_the_same_hash_stay_apart() {
    let mut sum = Sum::default();
    let tally = |entered| Tally { entered, ..Tally::default() };
    for (value, entered) in [("a", 1), ("b", 2), ("a", 4), ("b", 8)] {
        sum.add(7, value, &tally(entered));
    }
    let mut values: Vec<(Box<str>, Tally)> = sum.values.into_values().collect();
    values.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(values, [("a".into(), tally(5)), ("b".into(), tally(10))]);
    assert_ne!(hash("a"), hash("b"));
}

#[test]
fn rates_divide_by_what_they_are_of() {
    let mut tally = Tally { entered: 2, ..Tally::default() };
    tally.counts = Counts {
        page_views: 20,
        sessions: 4,
        bounces: 1,
        duration_ms: 600,
        engaged_ms: 500,
        timed_views: 5,
        scroll_percent: 320,
        scrolled_views: 8,
        ..Counts::default()
    };
    for (name, want) in [
        ("bounce_rate", 0.5),
        ("views_per_session", 5.0),
        ("mean_duration_ms", 300.0),
        ("time_on_page_ms", 100.0),
        ("scroll_depth", 40.0),
    ] {
        let metric = Metric::named(name).unwrap();
        assert_eq!(metric.of(&tally), Some(want), "{name}");
        assert_eq!(metric.of(&Tally::default()), None, "{name}");
    }
}

#[test]
fn a_filter_has_at_most_200_conditions_and_20_levels() {
    let segments = one_segment(&[view(Some(1), 0, "/a")]);
    let parts: Vec<Part<'_>> = parts("d", &segments).collect();
    let ask = |filter| run(&Query { filter: Some(filter), ..Query::default() }, &parts, &Means::default());
    let wide = |count| Filter::Any(vec![page(Test::Is(texts(&["/a"]))); count]);
    assert!(ask(wide(200)).is_ok());
    assert_eq!(ask(wide(201)), Err(Failed::Filter));
    let deep =
        |levels| (0..levels).fold(page(Test::Is(texts(&["/a"]))), |filter, _| Filter::Not(Box::new(filter)));
    assert_eq!(ask(deep(20)).unwrap().total.counts.page_views, 1);
    assert_eq!(ask(deep(21)), Err(Failed::Filter));
}

#[test]
fn no_condition_but_a_negated_one_is_true_of_what_had_no_room() {
    let from = |minute, utm_source| Event { utm_source, ..view(Some(minute), minute, "/a") };
    let mut events = vec![from(0, "one"), from(1, "two"), from(2, "three")];
    events[2].url_path = "/b";
    let bounds = Bounds { values: 1, ..Bounds::default() };
    let segments = segments(&settings(0), bounds, &events);
    let views = |dimension, filter| {
        let query = Query { dimension, filter, ..all(dimension, "human", &settings(0)) };
        let answer = ask(&query, &segments);
        assert!(answer.count == 0 || answer.notes.contains(&Note::Other), "{dimension:?}");
        let rows = answer.rows.into_iter().map(|row| (row.value, row.tally.counts.page_views));
        rows.collect::<Vec<_>>()
    };
    let some = |rows: &[(&str, u64)]| -> Vec<(String, u64)> {
        rows.iter().map(|(value, views)| ((*value).to_owned(), *views)).collect()
    };
    // The source of two of the three is not known, and so their channel is not.
    assert_eq!(views(Dimension::Source, None), some(&[("(other)", 2), ("one", 1)]));
    assert_eq!(views(Dimension::Channel, None), some(&[("(other)", 2), ("campaign", 1)]));
    for (dimension, known, kept) in [(Dimension::Page, "/a", 2), (Dimension::Source, "one", 1)] {
        let is = |text: &str| Filter::On(dimension, Test::Is(texts(&[text])));
        let other = if dimension == Dimension::Page { 1 } else { 2 };
        assert_eq!(views(dimension, Some(is(known))), some(&[(known, kept)]));
        assert_eq!(views(dimension, Some(is("(other)"))), some(&[]));
        let contains = Filter::On(dimension, Test::Contains(texts(&["o", "/"])));
        assert_eq!(views(dimension, Some(contains)), some(&[(known, kept)]));
        let not = Filter::Not(Box::new(is(known)));
        assert_eq!(views(dimension, Some(not)), some(&[("(other)", other)]));
    }
}

#[test]
fn a_comparison_finds_values_beyond_the_rows_that_are_shown() {
    let views = |counts: &[(&'static str, i64)]| -> Vec<Event<'static>> {
        let paths = counts.iter().flat_map(|(path, count)| (0..*count).map(|_| *path));
        paths.enumerate().map(|(n, path)| view(Some(1), i64::try_from(n).unwrap(), path)).collect()
    };
    let now = one_segment(&views(&[("/a", 4), ("/b", 3), ("/c", 2)]));
    let mut earlier = views(&[("/c", 9), ("/d", 8), ("/b", 2), ("/a", 1)]);
    earlier.sort_by_key(|event| event.event_id);
    let bounds = Bounds { values: 4, ..Bounds::default() };
    let earlier = segments(&settings(0), bounds, &[earlier, vec![view(Some(1), 30, "/e")]].concat());
    let [now, earlier]: [Vec<Part<'_>>; 2] = [&now, &earlier].map(|all| parts("d", all).collect());
    let order = Metric::named("page_views");
    let mut query = Query { limit: 1, order, ..all(Dimension::Page, "human", &settings(0)) };
    for (after, path, views, before) in [(0, "/a", 4, 1), (1, "/b", 3, 2), (2, "/c", 2, 9)] {
        query.after = after;
        let got = compare(&query, &now, &earlier, &Means::default()).unwrap();
        let row = &got.rows[0];
        assert_eq!((&*row.value, row.tally.counts.page_views), (path, views));
        assert_eq!(row.before.as_ref().unwrap().counts.page_views, before, "{path}");
        assert_eq!((got.total.counts.page_views, got.total_before.unwrap().counts.page_views), (9, 21));
        // Only the earlier time has a path without room.
        assert_eq!((got.rows.len(), got.count, &got.notes[..]), (1, 3, &[Note::Other][..]));
    }
}

#[test]
fn what_is_reported_of_a_page_view_two_segments_before_is_stray() {
    let with_id = |minute, id, path| Event { page_view_id: Some(id), ..view(None, minute, path) };
    let report = |minute, id, dwell| Event {
        event_type: "engagement",
        dwell_ms: Some(dwell),
        ..with_id(minute, id, "/late")
    };
    // A row without a visitor is a segment of its own: the views are 0 and 1, the reports come in 1, 2 and 3.
    let events = [with_id(0, 1, "/a"), with_id(1, 2, "/b"), report(2, 2, 40), report(3, 1, 2)];
    let one = segments(&settings(0), Bounds::default(), &events);
    let many = segments(&settings(0), Bounds { rows: 1, ..Bounds::default() }, &events);
    let of = |segments: &[Segment]| {
        let by_page = rows(&ask(&all(Dimension::Page, "human", &settings(0)), segments));
        let times = by_page.into_iter().map(|(path, tally)| {
            (path, tally.counts.page_views, tally.counts.engaged_ms, tally.counts.stray_ms)
        });
        times.collect::<Vec<_>>()
    };
    let row = |path: &str, views, engaged, stray| (path.to_owned(), views, engaged, stray);
    assert_eq!(of(&one), [row("/a", 1, 2, 0), row("/b", 1, 40, 0)]);
    assert!(many.len() > 1, "{}", many.len());
    assert_eq!(of(&many), [row("/a", 1, 0, 0), row("/b", 1, 40, 0), row("/late", 0, 0, 2)]);
}

#[test]
fn an_answer_of_several_threads_says_what_any_of_them_met() {
    let known = one_segment(&[view(Some(1), 0, "/a")]);
    let full = segments(
        &settings(0),
        Bounds { values: 1, ..Bounds::default() },
        &[view(Some(1), 0, "/a"), view(Some(1), 1, "/b")],
    );
    let query = all(Dimension::Page, "human", &settings(0));
    let [known, full] = [&known[0], &full[0]].map(|segment| Part { day: "d", segment });
    let means = Means { threads: 3, ..Means::default() };
    for place in 0..4 {
        let mut parts = vec![known; 4];
        assert_eq!(run(&query, &parts, &means).unwrap().notes, []);
        parts[place] = full;
        let answer = run(&query, &parts, &means).unwrap();
        assert_eq!((answer.notes, answer.total.counts.page_views), (vec![Note::Other], 5));
        let few = Means { values: 1, ..means };
        assert_eq!(run(&query, &parts, &few), Err(Failed::Values));
    }
}

#[test]
fn segments_of_different_definitions_are_told_of() {
    let mut writer = Writer::new(settings(0), Bounds::default(), None);
    writer.add(&view(Some(1), 0, "/a"));
    let mut bytes = writer.finish().remove(0);
    let now = Segment::open(&bytes).unwrap();
    bytes[5] += 1;
    let at = bytes.len() - codec::SUM;
    let sum = codec::sum(&bytes[..at]);
    bytes[at..].copy_from_slice(&sum);
    let later = Segment::open(&bytes).unwrap();
    let [now, later] = [&now, &later].map(|segment| Part { day: "d", segment });
    let (query, means) = (all(Dimension::Page, "human", &settings(0)), Means::default());
    let notes = |parts: &[Part<'_>]| run(&query, parts, &means).unwrap().notes;
    assert_eq!((notes(&[now, now]), notes(&[later, later])), (vec![], vec![]));
    assert_eq!(notes(&[now, now, later]), [Note::Definitions]);
    let notes = |before: &[Part<'_>]| compare(&query, &[now], before, &means).unwrap().notes;
    assert_eq!((notes(&[]), notes(&[now])), (vec![], vec![]));
    assert_eq!(notes(&[later]), [Note::Definitions]);
    assert_eq!(notes(&[now, later]), [Note::Definitions]);
}

#[test]
fn a_filter_without_its_goals_keeps_the_rest() {
    let all = |texts: &[&str]| Filter::All(texts.iter().map(|text| condition(text).unwrap()).collect());
    assert!(all(&["goal is A", "goal is not B"]).without_goals().is_none());
    let left = all(&["goal is A", "country is DE"]).without_goals();
    assert_eq!(format!("{left:?}"), format!("{:?}", Some(all(&["country is DE"]))));
    let known = [Goal::checked("A", Some("a"), None).unwrap()];
    assert_eq!(all(&["country is X", "goal is not B"]).unknown_goal(&known), Some("B"));
    assert_eq!(all(&["goal is A", "goal contains x"]).unknown_goal(&known), None);
}
