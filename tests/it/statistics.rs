//! The engine of statistics against plain SQL: random days of an application in a real PostgreSQL, read back, folded, and
//! compared in every count of every value with what sql/naive_*.sql says.

mod borders;
mod history;
mod lives;
mod people;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use alt_statistics::day::{Counts, Fold, Settings};
use alt_statistics::query::{self, Dimension, Funnel, Goal, Means, Part, Property, Query, Within};
use alt_statistics::segment::{Bounds, Segment, Writer};
use alt_store::naive::Value;
use alt_store::stats::rows;
use alt_store::stats::sort::{BUFFER, Sorter};
use tokio_postgres::Client;

use crate::support::cases::{self, Ground, Wrong};
use crate::support::postgres::Cluster;
use history::{DAYS, DOMAINS, History, Line, history};

fn cluster() -> &'static Arc<Cluster> {
    static SHARED: OnceLock<Arc<Cluster>> = OnceLock::new();
    SHARED.get_or_init(|| Cluster::start(&["fsync=off", "full_page_writes=off", "jit=off"]))
}

/// How often each kind of thing occurred, so that nobody tests what is never there.
static SEEN: [(&str, AtomicU64); 26] = [
    ("people of values", AtomicU64::new(0)),
    ("people of filters", AtomicU64::new(0)),
    ("values of properties", AtomicU64::new(0)),
    ("products", AtomicU64::new(0)),
    ("currencies", AtomicU64::new(0)),
    ("days with numbers that are none", AtomicU64::new(0)),
    ("visitors at a funnel's second step", AtomicU64::new(0)),
    ("visitors of goals", AtomicU64::new(0)),
    ("histories", AtomicU64::new(0)),
    ("rows", AtomicU64::new(0)),
    ("rows without a visitor", AtomicU64::new(0)),
    ("copies of page views", AtomicU64::new(0)),
    ("engagement", AtomicU64::new(0)),
    ("stray engagement, ms", AtomicU64::new(0)),
    ("requests", AtomicU64::new(0)),
    ("requests that are page views", AtomicU64::new(0)),
    ("requests that are none, where others are", AtomicU64::new(0)),
    ("rows of other days", AtomicU64::new(0)),
    ("sessions", AtomicU64::new(0)),
    ("second sessions of a visitor", AtomicU64::new(0)),
    ("bounces", AtomicU64::new(0)),
    ("gaps of 30 minutes exactly", AtomicU64::new(0)),
    ("equal times", AtomicU64::new(0)),
    ("paths of 8 kB", AtomicU64::new(0)),
    ("authenticated", AtomicU64::new(0)),
    ("scrolled views", AtomicU64::new(0)),
];

fn saw(what: &str, count: u64) {
    let seen = SEEN.iter().find(|seen| seen.0 == what).expect("it is in the list");
    seen.1.fetch_add(count, Ordering::Relaxed);
}

/// A database with what the lists of the engine and the rows refer to.
fn ground() -> Ground {
    let ground = Ground::new(cluster(), &[]);
    ground.rows(&history::schema());
    ground
}

/// By class, dimension and value: what the engine says, and what plain SQL says.
type Both = BTreeMap<(String, String, String), (Option<Counts>, Option<Counts>)>;

/// Goals that have rows in common.
fn goals() -> Vec<Goal> {
    let of = [
        ("View", Some("pageview"), None),
        ("Click", Some("click"), None),
        ("Odd", Some("';--"), None),
        ("A", None, Some("/a")),
        ("Any", None, Some("*")),
        ("Below", None, Some("/*")),
        ("Ends", None, Some("*é")),
        ("Like", None, Some("*%_\\")),
    ];
    of.into_iter().map(|(name, event, page)| Goal::checked(name, event, page).unwrap()).collect()
}

/// A funnel: each history has another one.
fn funnel(app: i32) -> Funnel {
    let steps = [
        &["page /", "page /a"][..],
        &["page *", "page *"],
        &["event pageview", "event click"],
        &["page *", "event click", "page *"],
        &["event click", "event pageview", "page /a"],
        &["page /*", "page /*", "page /*", "page /*"],
        &["event ';--", "page *"],
        &["event click where property:plan is pro", "page *"],
        &["page *", "page * where property:plan is pro", "page *"],
    ];
    let number = usize::try_from(app).unwrap();
    let within = if number % 2 == 0 { Within::Day } else { Within::Session };
    Funnel::read(steps[number % steps.len()], within, number / 2 % 2 == 0, &[]).unwrap()
}

/// The counts of goals and of a funnel by class, as the segments of a day say.
fn reached(segments: &[Vec<u8>], classes: &[String], app: i32) -> Vec<((String, String, String), Counts)> {
    let segments: Vec<Segment> = segments.iter().map(|bytes| Segment::open(bytes).unwrap()).collect();
    let parts: Vec<Part<'_>> = segments.iter().map(|segment| Part { day: "d", segment }).collect();
    let mut all = Vec::new();
    for class in classes {
        let asked = Query {
            dimension: Dimension::Goal,
            classes: vec![class.clone()],
            goals: goals(),
            ..Query::default()
        };
        let answer = query::run(&asked, &parts, &Means::default()).unwrap();
        let rows = answer.rows.into_iter();
        all.extend(rows.map(|row| ((class.clone(), "goal".to_owned(), row.value), row.tally.counts)));
        for (name, dimension) in
            [("previous_page", Dimension::PreviousPage), ("next_page", Dimension::NextPage)]
        {
            let asked = Query { dimension, limit: usize::MAX, ..asked.clone() };
            let rows = query::run(&asked, &parts, &Means::default()).unwrap().rows.into_iter();
            all.extend(rows.map(|row| ((class.clone(), name.to_owned(), row.value), row.tally.counts)));
        }
        let asked = Query { dimension: Dimension::Funnel, funnel: Some(funnel(app)), ..asked };
        let answer = query::run(&asked, &parts, &Means::default()).unwrap();
        let rows = answer.rows.into_iter();
        all.extend(rows.map(|row| ((class.clone(), "funnel".to_owned(), row.value), row.tally.counts)));
    }
    all
}

/// Folds a day as the daemon does; the values by class, dimension and value. `buffer`: bytes of rows that are sorted in
/// memory.
async fn folded(
    client: &Client,
    app: i32,
    day: &history::Day,
    buffer: usize,
) -> (Values, SaidBy, people::ByValue) {
    let mut sorter = Sorter::new(None, buffer);
    rows::read_into(client, app, &(day.from..day.until), 60_000, &mut sorter).await.unwrap();
    sorter.keep();
    let domains = DOMAINS.iter().map(|domain| (*domain).to_owned()).collect();
    let properties = properties();
    let requests_are_views = requests_are_views(app);
    let settings =
        Settings { from: day.from, domains, properties, requests_are_views, ..Settings::default() };
    let mut writer = Writer::new(settings.clone(), Bounds::default(), Some([7; 32]));
    let mut fold = Fold::new(settings);
    sorter
        .finish(|event| {
            fold.add(event);
            writer.add(event);
        })
        .unwrap();
    let values = fold.finish().values.into_iter();
    let mut values: BTreeMap<(String, String, String), Counts> = values
        .map(|((class, dimension, value), counts)| ((class, dimension.to_owned(), value), counts))
        .collect();
    let classes: BTreeSet<String> = values.keys().map(|key| key.0.clone()).collect();
    let classes: Vec<String> = classes.into_iter().collect();
    let segments = writer.finish();
    values.extend(reached(&segments, &classes, app));
    (values, said(&segments, &classes), people::of_day(&segments, &classes))
}

/// Counts by class, dimension and value.
type Values = BTreeMap<(String, String, String), Counts>;

/// What events say, by class, dimension and value: counts, and amounts as text.
type SaidBy = BTreeMap<(String, String, String), (Counts, String)>;

fn properties() -> Vec<String> {
    history::PROPERTIES.map(str::to_owned).to_vec()
}

/// What events say, as the segments of a day tell; those of all events together in the dimension `total`.
fn said(segments: &[Vec<u8>], classes: &[String]) -> SaidBy {
    let segments: Vec<Segment> = segments.iter().map(|bytes| Segment::open(bytes).unwrap()).collect();
    let parts: Vec<Part<'_>> = segments.iter().map(|segment| Part { day: "d", segment }).collect();
    let named = properties().into_iter().map(|name| format!("property:{name}"));
    let said = Dimension::ALL.iter().filter(|(_, dimension)| dimension.is_said());
    let names: Vec<String> = said.map(|(name, _)| (*name).to_owned()).chain(named).collect();
    let mut all = SaidBy::new();
    for class in classes {
        for name in names.iter().map(String::as_str).chain(["total", "goal"]) {
            let asked = Query {
                dimension: Dimension::named(name).unwrap(),
                classes: vec![class.clone()],
                limit: usize::MAX,
                has_amounts: true,
                sum_of: Property::named("points"),
                goals: telling_goals(),
                ..Query::default()
            };
            for row in query::run(&asked, &parts, &Means::default()).unwrap().rows {
                let counts = match name {
                    "total" => some(&row.tally.counts),
                    _ => row.tally.counts,
                };
                let amounts = alt_store::naive::amounts(&row.tally.amounts.unwrap_or_default());
                all.insert((class.clone(), name.to_owned(), row.value), (counts, amounts));
            }
        }
    }
    all
}

/// Goals, one of which only some events reach.
fn telling_goals() -> Vec<Goal> {
    let of = |name, event, page| Goal::checked(name, event, page).unwrap();
    vec![
        of("Order", Some("order"), None),
        of("Any", None, Some("*")),
        of("Pro", Some("click"), None).only(&["property:plan is pro"]).unwrap(),
        of("Pro page", None, Some("/*")).only(&["property:plan is pro"]).unwrap(),
    ]
}

/// The counts that dimensions of single events have.
fn some(counts: &Counts) -> Counts {
    Counts {
        events: counts.events,
        page_views: counts.page_views,
        visitors: counts.visitors,
        sessions: counts.sessions,
        ..Counts::default()
    }
}

/// Whether the page views of an application are requests, too: those of every second.
fn requests_are_views(app: i32) -> bool {
    app % 2 == 0
}

fn check(history: &History, ground: &Ground) -> Result<(), Wrong> {
    static APP: AtomicI32 = AtomicI32::new(1);
    let app = APP.fetch_add(1, Ordering::Relaxed);
    if requests_are_views(app) {
        ground.rows(&format!(
            "INSERT INTO applications (id, app_key, name, page_views) OVERRIDING SYSTEM VALUE \
             VALUES ({app}, 'views{app}', 'views{app}', 'requests')"
        ));
    }
    ground.rows(&history.insert(app));
    let requests = history.lines().iter().filter(|line| line.kind == "request" && requests_are_views(app));
    let (views, none): (Vec<_>, Vec<_>) = requests.partition(|line| line.is_page());
    saw("requests that are page views", views.len() as u64);
    saw("requests that are none, where others are", none.len() as u64);
    let day = &DAYS[history.day];
    let ((got, got_said, got_people), wanted, wanted_said, wanted_people) = ground.wait(async |client| {
        let domains: Vec<String> = DOMAINS.iter().map(|domain| (*domain).to_owned()).collect();
        let mut naive = Vec::new();
        let each = |value| {
            naive.push(value);
            Ok(())
        };
        alt_store::naive::values(client, app, day.from..day.until, &domains, each).await.unwrap();
        let times = day.from..day.until;
        naive.extend(alt_store::naive::goals(client, app, times.clone(), &domains, &goals()).await.unwrap());
        naive.extend(
            alt_store::naive::funnel(client, app, times.clone(), &domains, &funnel(app)).await.unwrap(),
        );
        naive.extend(alt_store::naive::journeys(client, app, times.clone(), &domains).await.unwrap());
        // Every other day is sorted on the disk.
        let buffer = if app % 2 == 0 { BUFFER } else { 4096 };
        let (properties, telling) = (properties(), telling_goals());
        let people = alt_store::naive::people(client, app, times.clone(), &domains).await.unwrap();
        let said = alt_store::naive::said(client, app, times, &properties, "points", &telling);
        let said = said.await.unwrap();
        (folded(client, app, day, buffer).await, naive, said, people)
    });
    people::compare(&got_people, wanted_people)?;
    let wanted_said: SaidBy = wanted_said
        .into_iter()
        .map(|said| {
            ((said.value.class, said.value.dimension, said.value.value), (said.value.counts, said.amounts))
        })
        .collect();
    let count_of = |name: &str| wanted_said.keys().filter(|key| key.1 == name).count() as u64;
    saw("values of properties", count_of("property:plan"));
    saw("products", count_of("product"));
    saw("currencies", count_of("currency"));
    let unread =
        wanted_said.iter().filter(|(key, (_, all))| key.1 == "total" && !all.starts_with("unread 0"));
    saw("days with numbers that are none", unread.count() as u64);
    // A class of nothing but requests is not in both.
    let keys: BTreeSet<_> =
        got_said.iter().filter(|(_, said)| said.0.events > 0).map(|said| said.0).collect();
    for key in keys.into_iter().chain(wanted_said.keys()) {
        let (got, wanted) = (got_said.get(key), wanted_said.get(key));
        if got != wanted {
            return Err(format!("{key:?}:\n the engine says {got:?}\n plain SQL says {wanted:?}"));
        }
    }
    let mut both = Both::new();
    for Value { class, dimension, value, counts } in wanted {
        both.entry((class, dimension, value)).or_default().1 = Some(counts);
    }
    for (key, counts) in got {
        both.entry(key).or_default().0 = Some(counts);
    }
    count(history, &both);
    for ((class, dimension, value), (got, wanted)) in both {
        if got != wanted {
            let value: String = value.chars().take(80).collect();
            return Err(format!(
                "{class} {dimension} {value:?}:\n the engine says {got:?}\n plain SQL says {wanted:?}"
            ));
        }
    }
    Ok(())
}

/// Counts what occurred.
fn count(history: &History, both: &Both) {
    let lines = history.lines();
    let of = |what: fn(&Line) -> bool| lines.iter().filter(|line| what(line)).count() as u64;
    saw("histories", 1);
    saw("rows", lines.len() as u64);
    saw("rows without a visitor", of(|line| line.visitor.is_none()));
    saw("engagement", of(|line| line.kind == "engagement"));
    saw("requests", of(|line| line.kind == "request"));
    saw("paths of 8 kB", of(|line| line.path.is_some_and(|path| path.len() > 8_000)));
    let day = &DAYS[history.day];
    saw("rows of other days", lines.iter().filter(|l| !(day.from..day.until).contains(&l.at)).count() as u64);
    saw("gaps of 30 minutes exactly", history.pairs(30 * 60 * 1_000_000));
    saw("equal times", history.pairs(0));
    for ((_, dimension, value), counts) in both {
        if dimension == "funnel" && value == "2" {
            saw("visitors at a funnel's second step", counts.1.map_or(0, |counts| counts.visitors));
        }
        if dimension == "goal" {
            saw("visitors of goals", counts.1.map_or(0, |counts| counts.visitors));
        }
        let Some(counts) = counts.1.filter(|_| dimension == "total") else { continue };
        saw("stray engagement, ms", counts.stray_ms);
        saw("sessions", counts.sessions);
        saw("second sessions of a visitor", counts.sessions - counts.visitors);
        saw("bounces", counts.bounces);
        saw("authenticated", counts.authenticated);
        saw("scrolled views", counts.scrolled_views);
    }
    let views = both.iter().filter(|(key, _)| key.1 == "event" && key.2 == "pageview");
    saw(
        "copies of page views",
        views.filter_map(|(_, counts)| counts.1).map(|c| c.events - c.page_views).sum(),
    );
}

/// 300 days by default, 10,000 with `ALT_TEST_FULL=1`.
#[test]
fn random_days_are_as_plain_sql_says() {
    let full = std::env::var_os("ALT_TEST_FULL").is_some();
    cases::hold(&history, &ground, &check, if full { 250 } else { 300 }, 1);
    for (what, count) in &SEEN {
        println!("{what}: {}", count.load(Ordering::Relaxed));
    }
    if std::env::var_os("ALT_TEST_SEED").is_none() {
        let never: Vec<_> =
            SEEN.iter().filter(|seen| seen.1.load(Ordering::Relaxed) < 50).map(|s| s.0).collect();
        assert!(never.is_empty(), "hardly ever there: {never:?}");
    }
}
