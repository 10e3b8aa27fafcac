//! Random days and random questions against the naive definitions and against the fold.

mod definitions;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use regex::Regex;

use super::groups::Known;
use super::naive::Naive;
use super::*;
use crate::day::{Fold, Settings};
use crate::event::Event;
use crate::segment::{Bounds, Writer};
use crate::settings::Limits;

const MINUTE: i64 = 60_000_000;
const CLASSES: [&str; 2] = ["bot", "human"];

/// Random numbers (SplitMix64).
#[derive(Debug, Clone)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    /// A number below another.
    pub(crate) fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % most
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[usize::try_from(self.below(all.len() as u64)).unwrap()]
    }
}

/// Rows of a day in the order of the fold. Few values, so that they meet.
pub(crate) fn day(dice: &mut Dice, from: i64, rows: u64) -> Vec<Event<'static>> {
    let mut events = plain_day(dice, from, rows);
    events.iter_mut().for_each(|event| tell(dice, event));
    events
}

/// The same of events that say nothing.
pub(crate) fn plain_day(dice: &mut Dice, from: i64, rows: u64) -> Vec<Event<'static>> {
    let mut events: Vec<Event<'static>> = (0..rows).map(|n| event(dice, from, n)).collect();
    events
        .sort_by_key(|e| (e.traffic_class, e.visitor_id.is_none(), e.visitor_id, e.occurred_at, e.event_id));
    events
}

fn event(dice: &mut Dice, from: i64, n: u64) -> Event<'static> {
    let number = |n: u64| i64::try_from(n).unwrap();
    let minute = dice.of(&[0, 10, 29, 30, 31, 60, 61, 90, 180, 600]);
    let jitter = dice.of(&[0, 0, 0, 1, 999_999, 30_000_001]);
    Event {
        occurred_at: from + minute * MINUTE + jitter + number(dice.below(2)) * MINUTE * 30,
        event_id: u128::from(n),
        visitor_id: dice.of(&[Some(0), Some(1), Some(-7), Some(i64::MAX), None]),
        page_view_id: dice.of(&[None, Some(1), Some(2), Some(3), Some(4), Some(5)]),
        traffic_class: dice.of(&["human", "human", "human", "bot"]),
        event_type: dice.of(&[
            "pageview",
            "pageview",
            "pageview",
            "engagement",
            "engagement",
            "click",
            "request",
        ]),
        user_id: dice.of(&["", "", "", "bob", "", "", "", "eve"]),
        url_host: dice.of(&["shop.example", "blog.example"]),
        url_path: dice.of(&["/", "/a", "/b", "/blog/a", ""]),
        url_query: dice.of(&["", "", "", "ref=partner", "a=1&source=Spring&ref=x", "source=&ref="]),
        referrer_host: dice.of(&["", "", "www.google.com", "shop.example", "blog.example", "other.example"]),
        utm_source: dice.of(&["", "", "", "newsletter", "google"]),
        utm_medium: dice.of(&["", "", "email", "cpc"]),
        utm_campaign: dice.of(&["", "", "spring"]),
        utm_term: dice.of(&["", "shoes"]),
        utm_content: dice.of(&["", "top"]),
        click_id: dice.of(&["", "", "gclid", "fbclid"]),
        browser: dice.of(&["Chrome", "Firefox"]),
        os: dice.of(&["Linux", "Windows", ""]),
        device: dice.of(&["desktop", "mobile"]),
        language: dice.of(&["de", "en", ""]),
        time_zone: dice.of(&["Europe/Berlin", "Europe/Busingen", "Asia/Tokyo", "UTC", ""]),
        screen_width: dice.of(&[-1, 0, 390, 1920, 1919]),
        dwell_ms: dice.of(&[None, Some(0), Some(5_000), Some(-1), Some(i32::MAX)]),
        scroll_depth: dice.of(&[None, Some(0), Some(40), Some(300), Some(-1)]),
        status: dice.of(&[None, Some(200), Some(500)]),
        request_ms: dice.of(&[None, Some(0), Some(120)]),
        ..Event::default()
    }
}

/// Makes an event say something.
fn tell(dice: &mut Dice, event: &mut Event<'static>) {
    if event.event_type == "click" {
        event.event_type =
            dice.of(&["click", "click", "outbound", "download", "search", "cart_add", "order", "purchase"]);
    }
    event.entity_type = dice.of(&["", "product", "product", "order"]);
    event.entity_id = dice.of(&["", "17", "18"]);
    event.module_id = dice.of(&["", "", "checkout"]);
    event.params = dice.of(&PARAMS);
}

/// The names of the properties that segments of tests have.
pub(crate) fn properties() -> Vec<String> {
    super::naive::PROPERTIES.map(str::to_owned).to_vec()
}

/// What events say, as PostgreSQL writes it.
const PARAMS: [&str; 15] = [
    "",
    "",
    r#"{"text": "Buy", "custom": {"href": "https://www.Other.example/a"}, "element": "button"}"#,
    r#"{"custom": {"link": "mailto:bob"}, "element": "a#x"}"#,
    r#"{"text": "", "custom": {"plan": "pro", "points": 3}}"#,
    r#"{"custom": {"plan": null, "points": "-0.000001", "download": "https://a.example/b.pdf"}}"#,
    r#"{"custom": {"plan": ["a"], "points": "many"}, "search_term": "shoes", "result_count": 0}"#,
    r#"{"search_term": "red \"shoes\"", "result_count": 70}"#,
    r#"{"search_term": "", "result_count": -1}"#,
    r#"{"custom": {"total": 59.9, "currency": "eur", "name": "Shoe", "category": "Shoes"}}"#,
    r#"{"custom": {"total": "0.10", "currency": "USD", "value": "x"}}"#,
    r#"{"custom": {"price": "19.99", "quantity": 3, "currency": ""}}"#,
    r#"{"custom": {"price": "999999999999", "quantity": "0.5", "name": "Shoe"}}"#,
    r#"{"custom": {"revenue": -5, "currency": "Euro", "quantity": "NaN"}}"#,
    r#"{"custom": {"revenue": "1e400", "points": 2.5}}"#,
];

pub(crate) fn segments(settings: &Settings, bounds: Bounds, events: &[Event<'_>]) -> Vec<Segment> {
    let mut writer = Writer::new(settings.clone(), bounds, Some([7; 32]));
    events.iter().for_each(|event| writer.add(event));
    writer.finish().into_iter().map(|bytes| Segment::open(&bytes).unwrap()).collect()
}

/// A random day, and bounds of its segments. A row without a visitor may report of a page view two segments before, which
/// is stray then: where there are such rows, the day has at most two segments.
fn day_in_parts(dice: &mut Dice, from: i64, small: u64) -> (Vec<Event<'static>>, Bounds) {
    if dice.below(4) > 0 {
        let rows_of_day = dice.below(small);
        let bounds = Bounds { rows: dice.of(&[40, 1_000]), ..Bounds::default() };
        return (day(dice, from, rows_of_day), bounds);
    }
    let rows_of_day = dice.below(small * 4);
    let mut events = day(dice, from, rows_of_day);
    events.retain(|event| event.visitor_id.is_some());
    (events, Bounds { rows: dice.of(&[1, 2, 10, 40]), ..Bounds::default() })
}

fn parts<'s>(day: &'s str, segments: &'s [Segment]) -> impl Iterator<Item = Part<'s>> {
    segments.iter().map(move |segment| Part { day, segment })
}

fn rows(answer: &Answer) -> BTreeMap<String, Tally> {
    answer.rows.iter().map(|row| (row.value.clone(), row.tally.clone())).collect()
}

fn settings(from: i64) -> Settings {
    Settings {
        from,
        domains: vec!["*.blog.example".to_owned()],
        properties: properties(),
        requests_are_views: false,
        limits: Limits::default(),
    }
}

/// All dimensions with a name, and properties: one that is chosen, a column, a number, and one that nobody chose.
pub(crate) fn dimensions() -> Vec<(String, Dimension)> {
    let properties = ["property:plan", "property:module_id", "property:points", "property:unknown"];
    let properties = properties.map(|name| (name.to_owned(), Dimension::named(name).unwrap()));
    let known = Dimension::ALL.iter().map(|(name, dimension)| ((*name).to_owned(), *dimension));
    known.chain(properties).collect()
}

fn all(dimension: Dimension, class: &str, settings: &Settings) -> Query {
    Query {
        dimension,
        classes: vec![class.to_owned()],
        limit: usize::MAX,
        domains: settings.domains.clone(),
        goals: goals(),
        ..Query::default()
    }
}

/// Goals that have rows in common.
pub(crate) fn goals() -> Vec<Goal> {
    let of = [
        ("Click", Some("click"), None),
        ("View", Some("pageview"), None),
        ("Blog", None, Some("/b*")),
        ("Ends", None, Some("*a")),
        ("Home", None, Some("/")),
        ("Any", None, Some("*")),
        ("Never", Some("nothing"), None),
    ];
    let plain = of.into_iter().map(|(name, event, page)| Goal::checked(name, event, page).unwrap());
    let only = |name, event, page, conditions: &[&str]| {
        Goal::checked(name, event, page).unwrap().only(conditions).unwrap()
    };
    let more = [
        only("Pro", Some("click"), None, &["property:plan is pro"]),
        only("Views", None, Some("*"), &["property:module_id is checkout", "country is not JP"]),
        only("Order", Some("order"), None, &["product is 17"]).worth("points").unwrap(),
        only("Unknown", Some("order"), None, &[]).worth("unknown").unwrap(),
    ];
    plain.chain(more).collect()
}

/// A random filter.
fn filter(dice: &mut Dice, level: u64) -> Filter {
    match dice.below(if level > 2 { 2 } else { 6 }) {
        3 => Filter::Not(Box::new(filter(dice, level + 1))),
        4 => Filter::All((0..dice.below(4)).map(|_| filter(dice, level + 1)).collect()),
        5 => Filter::Any((0..dice.below(4)).map(|_| filter(dice, level + 1)).collect()),
        _ => {
            let dimensions = dimensions();
            let (_, dimension) = dimensions[usize::try_from(dice.below(dimensions.len() as u64)).unwrap()];
            let value = dice.of(&[
                "(exit)",
                "(entry)",
                "Click",
                "Blog",
                "Ends",
                "/",
                "/a",
                "/blog/a",
                "click",
                "pageview",
                "0",
                "1",
                "10",
                "google",
                "newsletter",
                "partner",
                "direct",
                "email",
                "paid",
                "spring",
                "DE",
                "JP",
                "de",
                "",
                "Chrome",
                "Linux",
                "mobile",
                "1920+",
                "2026-03-01",
                "Buy",
                "other.example",
                "shoes",
                "17",
                "Shoe",
                "EUR",
                "pro",
                "checkout",
                "order",
            ]);
            let test = match dice.below(4) {
                0 => Test::Contains(vec![value.get(1..).unwrap_or("").to_owned()]),
                1 => Test::Matches(
                    Regex::new(dice.of(&["^/b", "o", "^$", "(?i)CHROME|LINUX", "[0-9]"])).unwrap(),
                ),
                _ => Test::Is(vec![value.to_owned(), dice.of(&["/b", "1", "en", "Firefox"]).to_owned()]),
            };
            Filter::On(dimension, test)
        }
    }
}

#[test]
fn random_days_without_a_filter_are_as_the_fold_says() {
    let mut dice = Dice(1);
    for case in 0..400 {
        let settings = settings(dice.of(&[0, 1_700_000_000_000_123]));
        let (events, bounds) = day_in_parts(&mut dice, settings.from, 60);
        let mut fold = Fold::new(settings.clone());
        events.iter().for_each(|event| fold.add(event));
        let fold = fold.finish();
        let segments = segments(&settings, bounds, &events);
        let parts: Vec<Part<'_>> = parts("2026-03-01", &segments).collect();
        for class in CLASSES {
            for (name, dimension) in Dimension::ALL {
                let got = run(&all(*dimension, class, &settings), &parts, &Means::default()).unwrap();
                let of = fold.values.iter().filter(|((of, dimension, _), counts)| {
                    of == class && dimension == name && **counts != Counts::default()
                });
                let want: BTreeMap<String, Counts> =
                    of.map(|(key, counts)| (key.2.clone(), *counts)).collect();
                let got: BTreeMap<String, Counts> =
                    rows(&got).into_iter().map(|(value, tally)| (value, tally.counts)).collect();
                if dimension.is_stored() && !["day", "day_hour", "day_minute"].contains(name) {
                    assert_eq!(got, want, "case {case}, {class}, {name}");
                }
            }
        }
    }
}

#[test]
fn random_questions_are_answered_as_the_naive_definitions_say() {
    let (mut dice, mut seen) = (Dice(2), 0);
    for case in 0..3_000 {
        let settings = settings(dice.of(&[0, 1_700_000_000_000_123]));
        let mut want: BTreeMap<String, Tally> = BTreeMap::new();
        let mut total = Tally::default();
        let dimensions = dimensions();
        let (_, dimension) = dimensions[usize::try_from(dice.below(dimensions.len() as u64)).unwrap()];
        let filter = (dice.below(10) > 0).then(|| filter(&mut dice, 0));
        let classes: Vec<&str> = CLASSES.into_iter().filter(|_| dice.below(4) > 0).collect();
        let mut left_out: BTreeMap<String, u64> = BTreeMap::new();
        let mut days = Vec::new();
        for name in ["2026-03-01", "2026-03-02"] {
            let (events, bounds) = day_in_parts(&mut dice, settings.from, 40);
            days.push((name, segments(&settings, bounds, &events)));
            for class in CLASSES {
                let goals = goals();
                let known = Known {
                    day: name,
                    domains: &settings.domains,
                    goals: &goals,
                    funnel: None,
                    periods: &[],
                };
                let naive = Naive::new(&events, class, settings.from, &known);
                if !classes.contains(&class) {
                    let events =
                        naive.count(Dimension::Total, None).get("").map_or(0, |tally| tally.counts.events);
                    if events > 0 {
                        *left_out.entry(class.to_owned()).or_default() += events;
                    }
                    continue;
                }
                for (value, tally) in naive.count(dimension, filter.as_ref()) {
                    want.entry(value).or_default().add(&tally);
                }
                for tally in naive.count(Dimension::Total, filter.as_ref()).values() {
                    total.add(tally);
                }
            }
        }
        let parts: Vec<Part<'_>> = days.iter().flat_map(|(day, segments)| parts(day, segments)).collect();
        let classes: Vec<String> = classes.into_iter().map(str::to_owned).collect();
        let sum_of = Property::named("points");
        let has_people = dice.below(4) > 0;
        if !has_people {
            want.values_mut().chain([&mut total]).for_each(|tally| tally.people = None);
        }
        seen += [total.people(), 0][usize::from(!has_people)];
        let query =
            Query { filter, classes, has_amounts: true, has_people, sum_of, ..all(dimension, "", &settings) };
        let means = Means { threads: usize::try_from(1 + dice.below(3)).unwrap(), ..Means::default() };
        let got = run(&query, &parts, &means).unwrap();
        assert_eq!(rows(&got), want, "case {case}, {query:?}");
        assert_eq!(got.total, total, "case {case}, {query:?}");
        assert_eq!(got.left_out, left_out, "case {case}");
        assert_eq!(got.count, want.len());
    }
    assert!(seen > 1_000, "{seen} people");
}

#[test]
fn questions_that_are_asked_together_are_answered_as_each_alone() {
    let (mut dice, mut together) = (Dice(31), 0);
    for case in 0..400 {
        let settings = settings(dice.of(&[0, 1_700_000_000_000_123]));
        let days = ["2026-03-01", "2026-03-02"].map(|name| {
            let (events, bounds) = day_in_parts(&mut dice, settings.from, 40);
            (name, segments(&settings, bounds, &events))
        });
        let parts: Vec<Part<'_>> = days.iter().flat_map(|(day, segments)| parts(day, segments)).collect();
        let filters = [None, Some(filter(&mut dice, 0)), Some(filter(&mut dice, 0))];
        let dimensions = dimensions();
        let questions: Vec<Query> = (0..2 + dice.below(5))
            .map(|_| {
                let (_, dimension) =
                    dimensions[usize::try_from(dice.below(dimensions.len() as u64)).unwrap()];
                let one_of =
                    |dice: &mut Dice, most| filters[usize::try_from(dice.below(most)).unwrap()].clone();
                let (filter, bound) = (one_of(&mut dice, 3), one_of(&mut dice, 2));
                let classes = CLASSES.into_iter().filter(|_| dice.below(8) > 0).map(str::to_owned).collect();
                let has_people = dice.below(3) == 0;
                Query { filter, bound, classes, has_people, ..all(dimension, "", &settings) }
            })
            .collect();
        together += questions.windows(2).filter(|two| two[0].is_of_the_same(&two[1])).count();
        let mut running: Vec<Running> = questions.iter().map(|_| Running::default()).collect();
        for part in &parts {
            Running::add_all(&mut running, &questions, part, &Means::default()).unwrap();
        }
        for (running, question) in running.into_iter().zip(&questions) {
            let alone = run(question, &parts, &Means::default()).unwrap();
            assert_eq!(running.answer(question), alone, "case {case}, {question:?}");
        }
    }
    assert!(together > 100, "{together} pairs have the same filter");
}

#[test]
fn random_funnels_are_counted_as_the_naive_definitions_say() {
    let mut dice = Dice(12);
    let mut deepest = [0; 5];
    for case in 0..1_500 {
        let settings = settings(dice.of(&[0, 1_700_000_000_000_123]));
        let texts: Vec<&str> = (0..2 + dice.below(3))
            .map(|_| {
                dice.of(&[
                    "page /",
                    "page /a",
                    "page *",
                    "page /b*",
                    "event click",
                    "event pageview",
                    "goal Ends",
                    "goal Pro",
                    "page * where country is JP where property:plan is pro",
                    "event click where browser is not Firefox",
                    "page *",
                    "page *",
                    "page *",
                    "page *",
                ])
            })
            .collect();
        let within = dice.of(&[Within::Session, Within::Day]);
        let funnel = Funnel::read(&texts, within, dice.below(2) == 0, &goals()).unwrap();
        let filter = (dice.below(2) > 0).then(|| filter(&mut dice, 0));
        let (events, bounds) = day_in_parts(&mut dice, settings.from, 60);
        let segments = segments(&settings, bounds, &events);
        let parts: Vec<Part<'_>> = parts("2026-03-01", &segments).collect();
        let goals = goals();
        let known = Known {
            day: "2026-03-01",
            domains: &settings.domains,
            goals: &goals,
            funnel: None,
            periods: &[],
        };
        let naive = Naive::new(&events, "human", settings.from, &known);
        let want = naive.funnel(filter.as_ref(), &funnel);
        let all = all(Dimension::Funnel, "human", &settings);
        let query = Query { filter: filter.clone(), funnel: Some(funnel), ..all };
        let got = run(&query, &parts, &Means::default()).unwrap();
        assert_eq!(rows(&got), want, "case {case}, {query:?}");
        let total = naive.count(Dimension::Total, filter.as_ref()).remove("").unwrap_or_default();
        assert_eq!(got.total, Tally { amounts: None, people: None, ..total }, "case {case}");
        assert!(!got.notes.contains(&Note::Seconds));
        deepest[want.len()] += 1;
    }
    assert!(deepest.iter().all(|cases| *cases > 10), "{deepest:?}");
}

/// A day of 200 rows as segments.
fn some() -> Vec<Segment> {
    let mut dice = Dice(5);
    let events = day(&mut dice, 0, 200);
    segments(&settings(0), Bounds { rows: 50, ..Bounds::default() }, &events)
}

#[test]
fn rows_are_ordered_and_go_on_behind_a_cursor() {
    let segments = some();
    let parts: Vec<Part<'_>> = parts("d", &segments).collect();
    for order in [None, Metric::named("page_views"), Metric::named("bounce_rate"), Metric::named("events")] {
        let query = Query { order, ..all(Dimension::Page, "human", &settings(0)) };
        let whole = run(&query, &parts, &Means::default()).unwrap();
        assert_eq!((whole.rows.len(), whole.next), (5, None));
        let key = |row: &Row| order.and_then(|order| order.of(&row.tally)).unwrap_or(-1.0);
        let is_ordered = |two: &[Row]| {
            key(&two[0]) > key(&two[1]) || key(&two[0]) >= key(&two[1]) && two[0].value < two[1].value
        };
        assert!(whole.rows.windows(2).all(is_ordered), "{order:?}");
        let (mut pages, mut after) = (Vec::new(), Some(0));
        while let Some(from) = after {
            let page =
                run(&Query { after: from, limit: 2, ..query.clone() }, &parts, &Means::default()).unwrap();
            assert_eq!(page.count, 5);
            after = page.next;
            pages.extend(page.rows);
        }
        assert_eq!(pages, whole.rows);
    }
}

#[test]
fn a_comparison_has_the_same_values_of_the_earlier_time() {
    let (segments, earlier) =
        (some(), self::segments(&settings(0), Bounds::default(), &day(&mut Dice(6), 0, 90)));
    let [parts, before]: [Vec<Part<'_>>; 2] = [&segments, &earlier].map(|all| parts("d", all).collect());
    let query = Query { limit: 3, ..all(Dimension::Source, "human", &settings(0)) };
    let got = compare(&query, &parts, &before, &Means::default()).unwrap();
    let alone = rows(&run(&Query { limit: 99, ..query }, &before, &Means::default()).unwrap());
    assert_eq!(got.rows.len(), 3);
    for row in &got.rows {
        assert_eq!(row.before, Some(alone.get(&row.value).cloned().unwrap_or_default()));
    }
}

#[test]
fn a_question_ends_when_nobody_waits_or_it_is_too_large() {
    let segments = some();
    let parts: Vec<Part<'_>> = parts("d", &segments).collect();
    let query = all(Dimension::Page, "human", &settings(0));
    let is_cancelled = AtomicBool::new(true);
    let means = Means { is_cancelled: Some(&is_cancelled), threads: 2, ..Means::default() };
    assert_eq!(run(&query, &parts, &means), Err(Failed::Cancelled));
    is_cancelled.store(false, Ordering::Relaxed);
    assert!(run(&query, &parts, &means).is_ok());
    assert_eq!(run(&query, &parts, &Means { values: 4, ..means }), Err(Failed::Values));
    let deep = (0..30).fold(Filter::All(Vec::new()), |filter, _| Filter::Not(Box::new(filter)));
    assert_eq!(run(&Query { filter: Some(deep), ..query }, &parts, &means), Err(Failed::Filter));
}

#[test]
fn the_cache_forgets_what_was_asked_for_longest_ago() {
    let mut writer = Writer::new(settings(0), Bounds::default(), None);
    day(&mut Dice(5), 0, 200).iter().for_each(|event| writer.add(event));
    let bytes = writer.finish().remove(0);
    let mut cache: Cache<u32> = Cache::new(bytes.len() * 5 / 2);
    for key in 0..2 {
        cache.open(&key, &bytes).unwrap();
    }
    assert!(cache.get(&0).is_some());
    cache.open(&2, &bytes).unwrap();
    assert!(cache.get(&1).is_none() && cache.get(&0).is_some() && cache.get(&2).is_some());
    // Columns that are unpacked count.
    cache.get(&0).unwrap().check().unwrap();
    cache.trim(None);
    assert!(cache.memory() <= bytes.len() * 5 / 2);
    assert_eq!(cache.open(&3, &[1; 9]).unwrap_err(), Broken::Cut);
}

#[test]
fn a_page_filter_takes_bounces_and_durations_of_sessions_that_entered_there() {
    let view = |visitor, minute: i64, url_path| Event {
        occurred_at: minute * MINUTE,
        visitor_id: Some(visitor),
        traffic_class: "human",
        event_type: "pageview",
        url_path,
        ..Event::default()
    };
    let events = [view(1, 0, "/a"), view(2, 0, "/"), view(2, 4, "/a"), view(3, 0, "/a"), view(3, 6, "/b")];
    let segments = segments(&settings(0), Bounds::default(), &events);
    let parts: Vec<Part<'_>> = parts("d", &segments).collect();
    let filter = Some(Filter::On(Dimension::Page, Test::Is(vec!["/a".to_owned()])));
    let got = run(&Query { filter, ..Query::default() }, &parts, &Means::default()).unwrap();
    let (total, counts) = (&got.total, got.total.counts);
    assert_eq!((counts.page_views, counts.visitors, counts.sessions), (3, 3, 3));
    assert_eq!((total.entered, counts.bounces, counts.duration_ms), (2, 1, 360_000));
    assert_eq!(Metric::BounceRate.of(total), Some(0.5));
    assert_eq!(got.notes, [Note::Entered]);
}
