//! Bytes of segments, asked all questions: those of each version, hostile ones, and their bounds.

use super::tests::{Dice, day, dimensions, goals, plain_day, properties, segments};
use super::{
    Dimension, Funnel, Means, Note, Part, Performance, Property, Query, Within, condition, performance, run,
};
use crate::event::Event;
use crate::segment::{Bounds, Broken, Segment, Writer, codec, columns};
use crate::settings::Settings;

/// Segments of `plain_day(Dice(9), 0, 40)` that version 1 wrote: the first ones, and those since requests have the minute of their day,
/// and since other events have their place between page views.
/// They stay readable for ever.
const VERSIONS: [&[u8]; 3] = [
    include_bytes!("../../data/segment-1.bin"),
    include_bytes!("../../data/segment-1-minutes.bin"),
    include_bytes!("../../data/segment-1-order.bin"),
];

/// The same of `day(Dice(9), 0, 200)`, since segments tell what events say.
const VALUES: &[u8] = include_bytes!("../../data/segment-1-values.bin");

/// The same since segments know the key of user ids.
const PEOPLE: &[u8] = include_bytes!("../../data/segment-1-people.bin");

fn segment_of(events: &[Event<'_>]) -> Vec<u8> {
    let settings = Settings { properties: properties(), ..Settings::default() };
    let mut writer = Writer::new(settings, Bounds::default(), Some([7; 32]));
    events.iter().for_each(|event| writer.add(event));
    writer.finish().remove(0)
}

fn bytes(rows: u64) -> Vec<u8> {
    segment_of(&day(&mut Dice(9), 0, rows))
}

/// Everything that is summed.
fn with_amounts(dimension: Dimension) -> Query {
    let sum_of = Property::named("points");
    Query { dimension, goals: goals(), has_amounts: true, sum_of, ..Query::default() }
}

/// Asks everything that reads columns. Errors are allowed, panics are not.
fn ask_all(segment: &Segment) {
    let _ = segment.check();
    for (_, dimension) in dimensions() {
        let _ = run(&with_amounts(dimension), &[Part { day: "d", segment }], &Means::default());
    }
    for is_strict in [false, true] {
        let _ = run(&funnel(is_strict), &[Part { day: "d", segment }], &Means::default());
    }
}

/// A question about views and clicks in their order.
fn funnel(is_strict: bool) -> Query {
    let funnel = Funnel::read(&["page *", "event click", "page *"], Within::Day, is_strict, &[]).unwrap();
    Query { dimension: Dimension::Funnel, funnel: Some(funnel), ..Query::default() }
}

fn seal(bytes: &mut [u8]) {
    let at = bytes.len() - codec::SUM;
    let sum = codec::sum(&bytes[..at]);
    bytes[at..].copy_from_slice(&sum);
}

#[test]
fn every_version_is_readable_and_says_the_same() {
    let now = Segment::open(&segment_of(&plain_day(&mut Dice(9), 0, 40))).unwrap();
    let asked = Performance { classes: vec!["human".to_owned()], limit: 9 };
    for (n, golden) in VERSIONS.into_iter().enumerate() {
        let golden = Segment::open(golden).unwrap();
        golden.check().unwrap();
        for (_, dimension) in Dimension::ALL {
            let query = Query { dimension: *dimension, goals: goals(), ..Query::default() };
            let [mut golden, mut now] = [&golden, &now]
                .map(|segment| run(&query, &[Part { day: "d", segment }], &Means::default()).unwrap());
            // What an old segment does not tell is said.
            // One of the goals has a condition on what events say.
            let is_asked = dimension.is_said() || *dimension == Dimension::Goal;
            assert_eq!(golden.notes.contains(&Note::Values), is_asked);
            for answer in [&mut golden, &mut now] {
                answer.notes.retain(|note| ![Note::Values, Note::Property].contains(note));
            }
            assert_eq!(golden, now);
            assert!(golden.total.counts.events > 5);
        }
        let [walked, walks] = [&golden, &now]
            .map(|segment| run(&funnel(false), &[Part { day: "d", segment }], &Means::default()).unwrap());
        assert_eq!(walked.notes.contains(&Note::Seconds), n < 2);
        assert!(n < 2 || walked == walks && walks.rows.len() == 3);
        let [golden, now] = [&golden, &now]
            .map(|segment| performance(&asked, &[Part { day: "d", segment }], &Means::default()).unwrap());
        assert_eq!(golden.total.percentiles, now.total.percentiles);
        assert_eq!(golden.total.busiest.is_some(), n > 0);
        assert!(n == 0 || golden == now);
    }
}

#[test]
fn what_events_say_is_readable_in_every_version_that_tells_it() {
    let [golden, now] = [VALUES.to_vec(), bytes(200)].map(|bytes| Segment::open(&bytes).unwrap());
    golden.check().unwrap();
    let mut said = 0;
    for (name, dimension) in dimensions() {
        let [golden, now] = [&golden, &now].map(|segment| {
            run(&with_amounts(dimension), &[Part { day: "d", segment }], &Means::default()).unwrap()
        });
        assert_eq!(golden, now, "{name}");
        let is_unknown = ["property:unknown", "goal"].contains(&&*name);
        assert_eq!(golden.notes.contains(&Note::Property), is_unknown, "{name}");
        said += u32::from(dimension.is_said() && !golden.rows.is_empty());
    }
    assert!(said > 8, "{said}");
    // Together with a segment that does not tell, an answer says that it lacks something.
    let old = Segment::open(VERSIONS[0]).unwrap();
    let parts = [&golden, &old].map(|segment| Part { day: "d", segment });
    let both = run(&with_amounts(Dimension::Product), &parts, &Means::default()).unwrap();
    let alone = run(&with_amounts(Dimension::Product), &parts[..1], &Means::default()).unwrap();
    assert_eq!((&both.rows, &both.total.amounts), (&alone.rows, &alone.total.amounts));
    assert_eq!([both, alone].map(|answer| answer.notes.contains(&Note::Values)), [true, false]);
}

#[test]
fn people_are_the_same_in_every_version_that_knows_them() {
    let [golden, now] = [PEOPLE.to_vec(), bytes(200)].map(|bytes| Segment::open(&bytes).unwrap());
    golden.check().unwrap();
    assert_eq!(golden.user_key().unwrap(), now.user_key().unwrap());
    assert!(golden.user_key().unwrap().is_some_and(|key| key.len() == 16));
    for (name, dimension) in dimensions() {
        let query = Query { has_people: true, ..with_amounts(dimension) };
        let [golden, now] = [&golden, &now]
            .map(|segment| run(&query, &[Part { day: "d", segment }], &Means::default()).unwrap());
        assert_eq!(golden, now, "{name}");
        assert_eq!(golden.total.people(), 2, "{name}");
    }
    // Where nobody has a user id, a segment is as it is without a key.
    let mut events = day(&mut Dice(9), 0, 200);
    events.iter_mut().for_each(|event| event.user_id = "");
    let mut without =
        Writer::new(Settings { properties: properties(), ..Settings::default() }, Bounds::default(), None);
    events.iter().for_each(|event| without.add(event));
    assert_eq!(segment_of(&events), without.finish().remove(0));
}

#[test]
fn hostile_bytes_are_an_error_and_never_a_panic() {
    let good = bytes(60);
    Segment::open(&good).unwrap().check().unwrap();
    for length in 0..good.len() {
        assert!(Segment::open(&good[..length]).is_err(), "{length}");
    }
    let mut dice = Dice(3);
    let (mut opened, mut broken) = (0, 0);
    for _ in 0..4_000 {
        let mut bad = good.clone();
        // Most often in what the segment declares, which stands before its columns.
        let most = if dice.below(4) > 0 { 1_100 } else { bad.len() as u64 - 8 };
        for _ in 0..=dice.below(3) {
            let at = usize::try_from(dice.below(most)).unwrap();
            bad[at] = u8::try_from(dice.below(256)).unwrap();
        }
        assert!(bad == good || Segment::open(&bad).is_err(), "the check sum sees it");
        seal(&mut bad);
        if let Ok(segment) = Segment::open(&bad) {
            opened += 1;
            broken += u32::from(segment.check().is_err());
            ask_all(&segment);
        }
    }
    assert!(opened > 200 && broken > 100, "{opened} {broken}");
}

#[test]
fn what_is_declared_too_large_is_refused_before_memory_is_taken() {
    let mut bad = bytes(5);
    // Sessions: 2^32 − 1.
    bad[24..28].copy_from_slice(&[0xff; 4]);
    seal(&mut bad);
    assert_eq!(Segment::open(&bad).unwrap_err(), Broken::Large);
    let mut later = bytes(5);
    later[4] = 2;
    assert_eq!(Segment::open(&later).unwrap_err(), Broken::Version(2));
    assert!(!codec::is_possible(1 << 26, 100));
    assert!(!codec::is_possible(u32::MAX, u32::MAX));
    // Bytes that unpack to more than they declare.
    let packed = codec::pack([0_u64; 1_000].into_iter());
    assert!(codec::unpack(&packed.bytes, 999).is_none());
    assert!(codec::unpack(&packed.bytes, 1_001).is_none());
    assert_eq!(codec::unpack(&packed.bytes, 1_000).unwrap().len(), 1_000);
}

#[test]
fn segments_that_are_taken_while_a_day_is_read_are_those_of_its_end() {
    let mut dice = Dice(11);
    for rows in [0, 1, 39, 40, 41, 400] {
        let events = day(&mut dice, 0, rows);
        let writer = || Writer::new(Settings::default(), Bounds { rows: 20, ..Bounds::default() }, None);
        let (mut at_end, mut meanwhile, mut taken) = (writer(), writer(), Vec::new());
        for event in &events {
            at_end.add(event);
            meanwhile.add(event);
            taken.extend(meanwhile.done());
        }
        let many = taken.len();
        taken.extend(meanwhile.finish());
        assert_eq!(taken, at_end.finish());
        assert!(!taken.is_empty() && (rows < 400 || many > 3));
    }
}

#[test]
fn no_address_no_visitor_and_no_user_id_stands_in_a_segment() {
    let event = Event {
        visitor_id: Some(0x0123_4567_89ab_cdef),
        traffic_class: "human",
        event_type: "pageview",
        user_id: "bob@example.com",
        ..Event::default()
    };
    let with = |key| {
        let mut writer = Writer::new(Settings::default(), Bounds::default(), key);
        writer.add(&event);
        let segment = Segment::open(&writer.finish().remove(0)).unwrap();
        let user = segment.longs(columns::USER).unwrap().get(0);
        let has = |value: u64| {
            columns::COLUMNS.iter().any(|column| {
                (0..segment.rows(column.table)).any(|row| segment.longs(*column).unwrap().get(row) == value)
            })
        };
        assert!(!has(0x0123_4567_89ab_cdef));
        let texts = (columns::PATHS..=columns::QUERIES).flat_map(|id| segment.texts(id).unwrap().iter());
        assert!(texts.into_iter().all(|text| !text.contains("bob")));
        user
    };
    assert_eq!(with(None), 0);
    assert_ne!(with(Some([1; 32])), with(Some([2; 32])));
}

#[test]
fn what_has_no_room_is_other_and_is_said() {
    let paths: Vec<String> = (0..9).map(|n| format!("/{n}")).collect();
    let events: Vec<Event<'_>> = paths
        .iter()
        .enumerate()
        .map(|(n, path)| Event {
            occurred_at: i64::try_from(n).unwrap(),
            visitor_id: Some(1),
            traffic_class: "human",
            event_type: "pageview",
            url_path: path,
            ..Event::default()
        })
        .collect();
    let views = |bounds| {
        let segments = segments(&Settings::default(), bounds, &events);
        let query = Query { dimension: Dimension::Page, ..Query::default() };
        let parts = [Part { day: "d", segment: &segments[0] }];
        let answer = run(&query, &parts, &Means::default()).unwrap();
        let rows: Vec<(String, u64)> =
            answer.rows.iter().map(|row| (row.value.clone(), row.tally.counts.page_views)).collect();
        (rows, answer.notes.len(), answer.total.counts.page_views)
    };
    let some = |names: [&str; 3], other| {
        let mut all = vec![("(other)".to_owned(), other)];
        all.extend(names.map(|name| (name.to_owned(), 1)));
        all
    };
    assert_eq!(views(Bounds { values: 3, ..Bounds::default() }), (some(["/0", "/1", "/2"], 6), 1, 9));
    assert_eq!(views(Bounds { path_bytes: 7, ..Bounds::default() }), (some(["/0", "/1", "/2"], 6), 1, 9));
    assert_eq!(views(Bounds::default()).1, 0);
}

#[test]
fn what_events_say_beyond_the_room_is_other_and_is_said() {
    let params: Vec<String> = (0..9).map(|n| format!(r#"{{"search_term": "shoe {n}"}}"#)).collect();
    let events: Vec<Event<'_>> = params
        .iter()
        .enumerate()
        .map(|(n, params)| Event {
            occurred_at: i64::try_from(n).unwrap(),
            visitor_id: Some(1),
            traffic_class: "human",
            event_type: "search",
            params,
            ..Event::default()
        })
        .collect();
    let said = |bounds| {
        let segments = segments(&Settings::default(), bounds, &events);
        let parts = [Part { day: "d", segment: &segments[0] }];
        let query = Query { dimension: Dimension::Search, order: None, ..Query::default() };
        let answer = run(&query, &parts, &Means::default()).unwrap();
        let filter = Some(condition("search is shoe 8").unwrap());
        let kept = run(&Query { filter, ..Query::default() }, &parts, &Means::default()).unwrap();
        let first = answer.rows.first().map(|row| (row.value.clone(), row.tally.counts.events)).unwrap();
        (answer.rows.len(), first, answer.notes, kept.total.counts.events, kept.notes)
    };
    let other = |events| ("(other)".to_owned(), events);
    let notes = || vec![Note::Other];
    assert_eq!(said(Bounds { values: 3, ..Bounds::default() }), (4, other(6), notes(), 0, notes()));
    assert_eq!(said(Bounds { value_bytes: 13, ..Bounds::default() }), (3, other(7), notes(), 0, notes()));
    let all = said(Bounds::default());
    assert_eq!((all.0, all.2, all.3, all.4), (9, Vec::new(), 1, Vec::new()));
}

#[test]
fn a_visitor_without_end_and_rows_without_a_visitor_end_a_segment_all_the_same() {
    let view = |n: u64, visitor_id| Event {
        occurred_at: i64::try_from(n).unwrap(),
        event_id: u128::from(n),
        visitor_id,
        traffic_class: "human",
        event_type: "pageview",
        ..Event::default()
    };
    let bounds = Bounds { rows: 10, rows_of_one: 40, ..Bounds::default() };
    for (visitor, count) in [(Some(1), 3), (None, 10)] {
        let events: Vec<Event<'_>> = (0..100).map(|n| view(n, visitor)).collect();
        let segments = segments(&Settings::default(), bounds, &events);
        assert_eq!(segments.len(), count);
        assert_eq!(segments.iter().map(Segment::events).sum::<u64>(), 100);
    }
}
