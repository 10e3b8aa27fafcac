//! People: those of random days, and those who come back over random months, against plain SQL; and the keys by which their
//! user ids are hashed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Display, Formatter};
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::time::Duration;

use alt_statistics::day::Settings;
use alt_statistics::query::{
    self, Answer, Dimension, Filter, Means, Note, Part, Query, Retention, Tally, Test, condition,
};
use alt_statistics::segment::{Bounds, Segment, Writer};
use alt_store::naive::{self, Came, Local, Met, PEOPLE_OF};
use alt_store::stats::fold::{Done, Due, Folder};
use alt_store::stats::period::{Dates, Every};
use alt_store::stats::rows;
use alt_store::stats::segments;
use alt_store::stats::sort::{BUFFER, Sorter};
use jiff::Span;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use proptest::sample::select;

use super::lives::world::folder;
use crate::support::cases::{self, Ground, Wrong};

/// People by class, dimension and value; with `filter of NAME` as dimension, those of a filter on the value.
pub(super) type ByValue = BTreeMap<[String; 3], u64>;

/// Dimensions of which each value is a filter, too. (`page is` keeps clicks, and `page` counts page views.)
const FILTERS: [&str; 5] = ["browser", "country", "event", "entry_page", "channel"];

fn opened(segments: &[Vec<u8>]) -> Vec<Segment> {
    segments.iter().map(|bytes| Segment::open(bytes).unwrap()).collect()
}

/// The people of a class.
fn query(dimension: Dimension, class: &str) -> Query {
    let domains = super::DOMAINS.iter().map(|domain| (*domain).to_owned()).collect();
    let classes = vec![class.to_owned()];
    Query { dimension, classes, limit: usize::MAX, domains, has_people: true, ..Query::default() }
}

/// The people of a day, by its segments.
pub(super) fn of_day(segments: &[Vec<u8>], classes: &[String]) -> ByValue {
    let segments = opened(segments);
    let parts: Vec<Part<'_>> = segments.iter().map(|segment| Part { day: "d", segment }).collect();
    let mut all = ByValue::new();
    for class in classes {
        for name in PEOPLE_OF {
            let dimension = Dimension::named(name).unwrap();
            let asked = query(dimension, class);
            for row in query::run(&asked, &parts, &Means::default()).unwrap().rows {
                let mut add = |name: &str, people| {
                    if people > 0 {
                        all.insert([class.clone(), name.to_owned(), row.value.clone()], people);
                    }
                };
                add(name, row.tally.people());
                if FILTERS.contains(&name) && row.value != "(other)" {
                    let filter = Some(Filter::On(dimension, Test::Is(vec![row.value.clone()])));
                    let asked = Query { filter, ..query(Dimension::Total, class) };
                    let kept = query::run(&asked, &parts, &Means::default()).unwrap();
                    add(&format!("filter of {name}"), kept.total.people());
                }
            }
        }
    }
    all
}

/// Compares the people of a day.
pub(super) fn compare(got: &ByValue, wanted: Vec<Met>) -> Result<(), Wrong> {
    let mut all = ByValue::new();
    for Met { class, dimension, value, people } in wanted {
        if FILTERS.contains(&dimension.as_str()) && value != "(other)" {
            all.insert([class.clone(), format!("filter of {dimension}"), value.clone()], people);
            super::saw("people of filters", people);
        }
        all.insert([class, dimension, value], people);
        super::saw("people of values", people);
    }
    for key in got.keys().chain(all.keys()).collect::<BTreeSet<_>>() {
        let (got, wanted) = (got.get(key), all.get(key));
        if got != wanted {
            return Err(format!("people of {key:?}: the engine says {got:?}, plain SQL says {wanted:?}"));
        }
    }
    Ok(())
}

/// Where months begin, and which clock they have: Berlin gets another one on 29 March, New York on 8 March and Lord Howe,
/// by half an hour, on 5 April.
const ZONES: [&str; 5] =
    ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Kiritimati"];

/// The first day that anybody comes: a Monday, on which a month does not begin.
const FIRST: &str = "2026-02-23";

/// Days on which somebody comes.
const DAYS: i64 = 60;

/// Somebody comes.
#[derive(Debug, Clone)]
struct Visit {
    day: i64,
    /// Microseconds since the day's first moment, or, if they are below 0, before its end.
    at: i64,
    user: &'static str,
    visitor: Option<i64>,
    class: &'static str,
    kind: &'static str,
    path: &'static str,
}

/// Who comes to an application over two months, and what is asked.
#[derive(Debug, Clone)]
struct Months {
    zone: &'static str,
    every: Every,
    /// The first of the days that are asked for, counted from [`FIRST`], and how many they are.
    from: i64,
    days: i64,
    page: Option<&'static str>,
    visits: Vec<Visit>,
}

impl Display for Months {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Months { zone, every, from, days, page, visits } = self;
        writeln!(f, "{zone} {every:?} from {from}, {days} days, {page:?}")?;
        visits.iter().try_for_each(|visit| writeln!(f, "{visit:?}"))
    }
}

fn months() -> impl Strategy<Value = Months> {
    const MINUTE: i64 = 60_000_000;
    let visit = (
        0..DAYS,
        select(vec![0, 1, -1, -MINUTE, 29 * MINUTE, 600 * MINUTE, 601 * MINUTE, 631 * MINUTE, 900 * MINUTE]),
        select(vec!["", "", "ann", "bob", "eve", "Bob", "é';--", "zoe"]),
        select(vec![Some(1), Some(2), Some(3), None]),
        select(vec!["human", "human", "human", "bot"]),
        select(vec!["pageview", "pageview", "click", "engagement", "request"]),
        select(vec!["/", "/a"]),
    );
    let visit = visit.prop_map(|(day, at, user, visitor, class, kind, path)| Visit {
        day,
        at,
        user,
        visitor,
        class,
        kind,
        path,
    });
    let visits = proptest::collection::vec(visit, 1..150);
    let what = (
        select(&ZONES[..]),
        select(vec![Every::Day, Every::Week, Every::Month]),
        0..20_i64,
        2..DAYS,
        select(vec![None, None, Some("/a")]),
    );
    (what, visits).prop_map(|((zone, every, from, days, page), visits)| Months {
        zone,
        every,
        from,
        days: days.min(DAYS - from),
        page,
        visits,
    })
}

/// How often each kind of thing occurred.
static SEEN: [(&str, AtomicU64); 7] = [
    ("people", AtomicU64::new(0)),
    ("people who returned", AtomicU64::new(0)),
    ("people who left", AtomicU64::new(0)),
    ("people who came back after a gap", AtomicU64::new(0)),
    ("retentions by day", AtomicU64::new(0)),
    ("retentions by week", AtomicU64::new(0)),
    ("retentions by month", AtomicU64::new(0)),
];

fn saw(what: &str, count: u64) {
    let seen = SEEN.iter().find(|seen| seen.0 == what).expect("it is in the list");
    seen.1.fetch_add(count, Ordering::Relaxed);
}

fn months_ground() -> Ground {
    let ground = super::ground();
    // Those between that are not there yet.
    ground.rows("SELECT alt_make_month(2026 * 12 + month - 1) FROM unnest(ARRAY[2, 5]) month");
    ground
}

/// The first microsecond of a local day, and the first behind it.
fn times(day: Date, zone: &TimeZone) -> std::ops::Range<i64> {
    let begin = |day: Date| day.to_zoned(zone.clone()).unwrap().start_of_day().unwrap();
    begin(day).timestamp().as_microsecond()..begin(day.tomorrow().unwrap()).timestamp().as_microsecond()
}

impl Months {
    fn day(&self, n: i64) -> Date {
        FIRST.parse::<Date>().unwrap().checked_add(Span::new().days(n)).unwrap()
    }

    fn insert(&self, app: i32, zone: &TimeZone) -> String {
        let row = |(n, visit): (usize, &Visit)| {
            let day = times(self.day(visit.day), zone);
            let at = if visit.at < 0 { day.end + visit.at } else { day.start + visit.at };
            let visitor = visit.visitor.map_or_else(|| "NULL".to_owned(), |id| id.to_string());
            format!(
                "({app}, 1, {n}, to_timestamp({}) + interval '{} microseconds', '{n:032x}', {visitor}, '{}', '{}', '{}', \
                 nullif('{}', ''))",
                at / 1_000_000,
                at % 1_000_000,
                visit.class,
                visit.kind,
                visit.path,
                visit.user.replace('\'', "''")
            )
        };
        format!(
            "INSERT INTO access_logs (app_id, file_id, file_offset, occurred_at, event_id, visitor_id, traffic_class, \
             event_type, url_path, user_id) VALUES {}",
            self.visits.iter().enumerate().map(row).collect::<Vec<_>>().join(", ")
        )
    }

    /// What is asked of the segments.
    fn query(&self, periods: &[Dates]) -> Query {
        Query {
            filter: self.page.map(|page| condition(&format!("page is {page}")).unwrap()),
            periods: periods.iter().map(|period| period.from.to_string()).collect(),
            ..query(Dimension::Period, "human")
        }
    }
}

/// A retention as plain SQL tells it.
fn told(periods: &[String], found: &Retention) -> Vec<Came> {
    let mut all = Vec::new();
    let mut add = |what: &str, first: &str, period: &String, people| {
        if people > 0 {
            all.push(Came { what: what.to_owned(), first: first.to_owned(), period: period.clone(), people });
        }
    };
    for (n, stay) in found.periods.iter().enumerate() {
        add("people", "", &periods[n], stay.people);
        add("new", "", &periods[n], stay.new);
        add("returning", "", &periods[n], stay.returning);
        add("churned", "", &periods[n], stay.churned);
        for (later, people) in found.cohorts[n].iter().enumerate() {
            add("cohort", &periods[n], &periods[n + later], *people);
        }
    }
    all.sort();
    all
}

fn check(months: &Months, ground: &Ground) -> Result<(), Wrong> {
    static APP: AtomicI32 = AtomicI32::new(1);
    let app = APP.fetch_add(1, Ordering::Relaxed);
    let zone = TimeZone::get(months.zone).unwrap();
    ground.rows(&months.insert(app, &zone));
    let days: Vec<Date> = (months.from..months.from + months.days).map(|n| months.day(n)).collect();
    let periods = months.every.periods(Dates { from: days[0], until: days[days.len() - 1] });
    let of = |day: &Date| periods.iter().find(|one| (one.from..=one.until).contains(day)).unwrap();
    let locals: Vec<Local> = days
        .iter()
        .map(|day| Local { times: times(*day, &zone), period: of(day).from.to_string() })
        .collect();
    let (parts, wanted) = ground.wait(async |client| {
        let mut parts: Vec<(String, Segment)> = Vec::new();
        for (day, local) in days.iter().zip(&locals) {
            let mut sorter = Sorter::new(None, BUFFER);
            rows::read_into(client, app, &local.times, 60_000, &mut sorter).await.unwrap();
            sorter.keep();
            let settings = Settings { from: local.times.start, ..Settings::default() };
            let mut writer = Writer::new(settings, Bounds { rows: 4, ..Bounds::default() }, Some([7; 32]));
            sorter.finish(|event| writer.add(event)).unwrap();
            let name = day.to_string();
            parts.extend(opened(&writer.finish()).into_iter().map(|segment| (name.clone(), segment)));
        }
        let wanted = naive::retention(client, app, &locals, "human", months.page).await.unwrap();
        (parts, wanted)
    });
    let parts: Vec<Part<'_>> = parts.iter().map(|(day, segment)| Part { day, segment }).collect();
    let asked = months.query(&periods);
    let answer = query::run(&asked, &parts, &Means { threads: 2, ..Means::default() }).unwrap();
    let found = Retention::of(&asked.periods, &answer.rows);
    if found.people != answer.total.people() {
        return Err(format!("{} people, and {} in cohorts", answer.total.people(), found.people));
    }
    let got = told(&asked.periods, &found);
    if got != wanted {
        return Err(format!(" the engine says {got:#?}\n plain SQL says {wanted:#?}"));
    }
    saw(&format!("retentions by {}", months.every.name()), u64::from(found.people > 0));
    saw("people", found.people);
    saw("people who returned", found.periods.iter().map(|stay| stay.returning).sum());
    saw("people who left", found.periods.iter().map(|stay| stay.churned).sum());
    // Who left, and is there at the end.
    let left: u64 = found.periods.iter().map(|stay| stay.churned).sum();
    let there = found.periods.last().map_or(0, |stay| stay.people);
    saw("people who came back after a gap", (left + there).saturating_sub(found.people));
    Ok(())
}

/// 150 applications by default, 6,000 with `ALT_TEST_FULL=1`.
#[test]
fn who_comes_back_over_random_months_is_as_plain_sql_says() {
    cases::hold(&months, &months_ground, &check, 150, 1);
    for (what, count) in &SEEN {
        println!("{what}: {}", count.load(Ordering::Relaxed));
    }
    if std::env::var_os("ALT_TEST_SEED").is_none() {
        let never: Vec<_> =
            SEEN.iter().filter(|seen| seen.1.load(Ordering::Relaxed) < 20).map(|seen| seen.0).collect();
        assert!(never.is_empty(), "hardly ever there: {never:?}");
    }
}

/// An application, and rows of users on days of March 2026, UTC.
struct Site<'g> {
    ground: &'g Ground,
    app: i32,
}

impl<'g> Site<'g> {
    fn new(ground: &'g Ground, key: &str) -> Site<'g> {
        let sql = format!("INSERT INTO applications (app_key, name) VALUES ('{key}', '{key}') RETURNING id");
        Site { ground, app: ground.rows(&sql)[0][0].parse().unwrap() }
    }

    fn visit(&self, day: u32, user: &str) {
        let (app, at) = (self.app, format!("2026-03-{day:02}T10:00:00Z"));
        self.ground.rows(&format!(
            "BEGIN; INSERT INTO access_logs (occurred_at, event_id, file_offset, app_id, file_id, visitor_id, traffic_class, \
                 event_type, user_id) \
                 VALUES ('{at}', gen_random_uuid(), 0, {app}, 1, hashtext('{user}'), 'human', 'pageview', nullif('{user}', '')); \
             INSERT INTO batches (part, kind, file_id, from_offset, to_offset, first_at, last_at, rows, apps, hours) \
                 SELECT 0, 'rows', 1, 0, 1, '{at}', '{at}', 1, ARRAY[{app}], \
                        ARRAY[floor(extract(epoch FROM timestamptz '{at}') / 3600)::integer]; COMMIT"
        ));
    }

    /// Lets days be computed again.
    fn mark(&self, from: u32, until: u32) {
        self.ground.rows(&format!(
            "INSERT INTO stat_dirty (app_id, day) SELECT app_id, day FROM stat_days WHERE app_id = {} \
             AND day BETWEEN '2026-03-{from:02}' AND '2026-03-{until:02}'",
            self.app
        ));
    }

    fn total(&self) -> Answer {
        let march = |day| Date::new(2026, 3, day).unwrap();
        let stored = self
            .ground
            .wait(async |client| segments::load(client, self.app, march(1), march(31)).await.unwrap());
        let parts: Vec<Part<'_>> =
            stored.iter().map(|one| Part { day: &one.day, segment: &one.segment }).collect();
        query::run(&query(Dimension::Total, "human"), &parts, &Means::default()).unwrap()
    }

    fn key(&self) -> String {
        self.ground.rows(&format!(
            "SELECT coalesce((SELECT encode(key, 'hex') FROM stat_user_keys WHERE app_id = {}), '')",
            self.app
        ))[0][0]
            .clone()
    }
}

fn fold(folder: &mut Folder) {
    let done = std::thread::scope(|scope| {
        scope.spawn(|| folder.work(Due::Now, Duration::from_secs(60)).unwrap()).join().unwrap()
    });
    assert_eq!(done, Done::All);
}

fn site_ground() -> Ground {
    let ground = Ground::new(super::cluster(), &[]);
    ground.rows("SELECT alt_make_month(2026 * 12 + 2)");
    ground
}

#[test]
fn an_application_has_a_key_of_its_own_as_soon_as_somebody_has_a_user_id() {
    let ground = site_ground();
    let mut folder = folder(&ground);
    let [one, other, none] = ["one", "other", "none"].map(|key| Site::new(&ground, key));
    for site in [&one, &other] {
        site.visit(2, "ann");
        site.visit(3, "ann");
        site.visit(3, "bob");
    }
    none.visit(2, "");
    fold(&mut folder);
    assert_eq!(none.key(), "", "who has no user ids has no key");
    let keys = [one.key(), other.key()];
    assert!(keys.iter().all(|key| key.len() == 64 && *key != "0".repeat(64)) && keys[0] != keys[1]);
    let (of_one, of_other) = (one.total(), other.total());
    assert_eq!((of_one.total.people(), of_one.notes.as_slice()), (2, &[][..]));
    assert_eq!((none.total().total.people(), none.total().notes.as_slice()), (0, &[][..]));
    // The same user ids of two applications have nothing in common.
    let mut both = Tally::default();
    [&of_one.total, &of_other.total].into_iter().for_each(|tally| both.add(tally));
    assert_eq!(both.people(), 4);
    // A day that is computed again, and another one, have the same key.
    one.mark(2, 3);
    one.visit(9, "ann");
    fold(&mut folder);
    assert_eq!((one.total().total.people(), one.key()), (2, keys[0].clone()));
}

#[test]
fn of_a_key_that_is_gone_numbers_begin_anew_and_say_so() {
    let ground = site_ground();
    let mut folder = folder(&ground);
    let site = Site::new(&ground, "site");
    site.visit(2, "ann");
    fold(&mut folder);
    let old = site.key();
    ground.rows("DELETE FROM stat_user_keys");
    site.visit(3, "ann");
    fold(&mut folder);
    assert_ne!(site.key(), old);
    let answer = site.total();
    assert_eq!((answer.total.people(), answer.notes.as_slice()), (2, &[Note::Keys][..]));
    // As the note advises.
    site.mark(2, 3);
    fold(&mut folder);
    let answer = site.total();
    assert_eq!((answer.total.people(), answer.notes.as_slice()), (1, &[][..]));
}

#[test]
fn of_days_that_were_computed_without_a_key_nobody_is_known_which_is_said() {
    let ground = site_ground();
    let mut folder = folder(&ground);
    let site = Site::new(&ground, "site");
    site.visit(2, "ann");
    site.visit(3, "ann");
    site.visit(4, "");
    fold(&mut folder);
    // As an earlier version wrote it.
    let mut writer = Writer::new(Settings::default(), Bounds::default(), None);
    let event = alt_statistics::event::Event {
        visitor_id: Some(2),
        traffic_class: "human",
        event_type: "pageview",
        user_id: "eve",
        ..Default::default()
    };
    writer.add(&event);
    let hex: String = writer.finish()[0].iter().map(|byte| format!("{byte:02x}")).collect();
    ground.rows(&format!("UPDATE stat_segments SET data = '\\x{hex}' WHERE day = '2026-03-02'"));
    let answer = site.total();
    assert_eq!((answer.total.people(), answer.notes.as_slice()), (1, &[Note::People][..]));
    site.mark(2, 2);
    fold(&mut folder);
    let answer = site.total();
    assert_eq!((answer.total.people(), answer.notes.as_slice()), (1, &[][..]));
}

#[test]
fn of_two_who_make_the_key_at_once_one_does_and_both_use_it() {
    let ground = site_ground();
    let mut folder = folder(&ground);
    let site = Site::new(&ground, "site");
    site.visit(2, "ann");
    // Somebody else has made the key, and has not committed.
    ground.rows(&format!(
        "BEGIN; INSERT INTO stat_user_keys (app_id, key) VALUES ({}, repeat('k', 32)::bytea)",
        site.app
    ));
    std::thread::scope(|scope| {
        let folding = scope.spawn(|| folder.work(Due::Now, Duration::from_secs(60)).unwrap());
        std::thread::sleep(Duration::from_millis(700));
        assert!(!folding.is_finished(), "it waits");
        ground.rows("COMMIT");
        assert_eq!(folding.join().unwrap(), Done::All);
    });
    assert_eq!(site.key(), "6b".repeat(32));
    let mut writer = Writer::new(Settings::default(), Bounds::default(), Some([b'k'; 32]));
    writer.add(&alt_statistics::event::Event {
        visitor_id: Some(7),
        traffic_class: "human",
        event_type: "click",
        user_id: "ann",
        ..Default::default()
    });
    let theirs = opened(&writer.finish());
    let parts = [Part { day: "d", segment: &theirs[0] }];
    let mut both = query::run(&query(Dimension::Total, "human"), &parts, &Means::default()).unwrap().total;
    both.add(&site.total().total);
    assert_eq!(both.people(), 1);
}
