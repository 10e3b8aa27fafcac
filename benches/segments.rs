//! Segments of a made application: bytes and CPU an event, and how long questions take. `cargo run --release -p
//! alt-statistics --example segments [-- DAYS [ROWS_A_DAY]] [says] [people]`; without numbers 30 days of 667,000 rows. `says`: clicks have
//! texts and addresses, every hundredth row is an order, and page views have two properties. `people`: every visitor is one of a
//! million people, and who comes back is asked, too.
//!
//! Cold: no column is unpacked. Warm: the columns that the question needs are. Two threads.
#![allow(clippy::unwrap_used, clippy::cast_precision_loss)] // a measurement, which may end anywhere

use std::time::{Duration, Instant};

use alt_statistics::day::Settings;
use alt_statistics::event::Event;
use alt_statistics::query::{Dimension, Filter, Means, Part, Query, Retention, Test, run};
use alt_statistics::segment::{Bounds, Segment, Writer};
use nix::time::{ClockId, clock_gettime};

/// Rows of a visitor: five page views with four reports of engagement, and a click.
const A_VISITOR: u64 = 10;

/// A number of 64 bits that looks random (SplitMix64).
fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed ^ (mixed >> 27)
}

/// One of so many, small ones more often.
fn some(number: u64, of: usize) -> usize {
    let of = of as u64;
    usize::try_from((mix(number) % of) * (mix(number ^ 77) % of) / of).unwrap()
}

struct Names {
    paths: Vec<String>,
    hosts: Vec<String>,
    /// What clicks, orders and page views say; empty where they say nothing.
    clicks: Vec<String>,
    orders: Vec<String>,
    views: Vec<String>,
    /// Of a million people; empty where a few are signed in.
    users: Vec<String>,
}

/// One of the texts; `""` of none.
fn text(all: &[String], number: u64) -> &str {
    if all.is_empty() { "" } else { &all[some(number, all.len())] }
}

const BROWSERS: [&str; 8] =
    ["Chrome", "Safari", "Firefox", "Edge", "Samsung Internet", "Opera", "Vivaldi", "Brave"];
const SYSTEMS: [&str; 6] = ["Windows", "iOS", "Android", "macOS", "Linux", "ChromeOS"];
const LANGUAGES: [&str; 8] = ["de-DE", "en-US", "en-GB", "fr-FR", "ja-JP", "ko-KR", "es-ES", "de-AT"];
const ZONES: [&str; 6] =
    ["Europe/Berlin", "America/New_York", "Asia/Tokyo", "Europe/London", "Europe/Paris", "Asia/Seoul"];

fn event(names: &Names, day: u64, n: u64, rows: u64) -> Event<'_> {
    let (visitor, nth) = (n / A_VISITOR, n % A_VISITOR);
    let person = day * rows + visitor;
    let event_type = match nth {
        9 if !names.orders.is_empty() && person.is_multiple_of(10) => "order",
        9 => "click",
        nth if nth % 2 == 1 => "engagement",
        _ => "pageview",
    };
    let is_first = nth == 0;
    let is_report = event_type == "engagement";
    Event {
        occurred_at: i64::try_from(
            (mix(person) % 80_000 + nth * (20 + mix(person) % 90)) * 1_000_000 + mix(n) % 1_000_000,
        )
        .unwrap(),
        event_id: u128::from(mix(n)),
        // The last tenth has none.
        visitor_id: (n < rows / 10 * 9).then(|| i64::try_from(visitor).unwrap()),
        page_view_id: Some(i64::try_from(n / 2).unwrap()),
        traffic_class: "human",
        event_type,
        user_id: match names.users.len() as u64 {
            0 if person.is_multiple_of(20) => "somebody",
            0 => "",
            count => &names.users[usize::try_from(mix(person ^ 17) % count).unwrap()],
        },
        url_host: "shop.example",
        url_path: &names.paths[some(day * rows + n / 2, names.paths.len())],
        referrer_host: if is_first { &names.hosts[some(person, names.hosts.len())] } else { "" },
        utm_source: if is_first && person.is_multiple_of(5) { "newsletter" } else { "" },
        utm_medium: if is_first && person.is_multiple_of(5) { "email" } else { "" },
        utm_campaign: if is_first && person.is_multiple_of(5) {
            ["spring", "summer", "sale"][some(person, 3)]
        } else {
            ""
        },
        browser: BROWSERS[some(person, 8)],
        os: SYSTEMS[some(person ^ 3, 6)],
        device: ["desktop", "mobile", "tablet"][some(person ^ 5, 3)],
        language: LANGUAGES[some(person ^ 7, 8)],
        time_zone: ZONES[some(person ^ 9, 6)],
        screen_width: [390, 1920, 1440, 412, 1280, 2560, 768, 360][some(person ^ 11, 8)],
        dwell_ms: is_report.then(|| i32::try_from(mix(n) % 60_000).unwrap()),
        scroll_depth: is_report.then(|| i16::try_from(mix(n ^ 1) % 101).unwrap()),
        entity_type: if event_type == "order" { "product" } else { "" },
        entity_id: if event_type == "order" { &names.paths[some(person ^ 13, 2_000)][20..] } else { "" },
        params: match event_type {
            "order" => text(&names.orders, person),
            "click" => text(&names.clicks, n),
            "pageview" => text(&names.views, n),
            _ => "",
        },
        ..Event::default()
    }
}

/// Segments of all days, as bytes; and CPU of making them, nanoseconds an event.
fn write(days: u64, rows: u64, says: bool, people: bool) -> (Vec<Vec<Vec<u8>>>, u64) {
    let paths = (0..20_000).map(|n| format!("/products/category-{}/item-{n}", n % 40)).collect();
    let known = ["", "", "www.google.com", "t.co", "www.bing.com", "news.ycombinator.com"];
    let hosts = known.iter().map(ToString::to_string).chain((0..60).map(|n| format!("blog-{n}.example")));
    let of = |count: u64, text: &dyn Fn(u64) -> String| (0..if says { count } else { 0 }).map(text).collect();
    let users = (0..if people { 1_000_000 } else { 0 }).map(|n| format!("customer-{n}")).collect();
    let names = Names {
        users,
        paths,
        hosts: hosts.collect(),
        clicks: of(3_000, &|n| {
            format!(
                r#"{{"text": "Link {n}", "custom": {{"href": "https://shop.example/{n}"}}, "element": "a#{n}"}}"#
            )
        }),
        orders: of(50_000, &|n| {
            format!(
                r#"{{"custom": {{"total": {}.{:02}, "currency": "EUR", "quantity": {}}}}}"#,
                n % 400,
                n % 100,
                1 + n % 3
            )
        }),
        views: of(30, &|n| format!(r#"{{"custom": {{"plan": "plan {}", "author": "author {n}"}}}}"#, n % 3)),
    };
    let properties = ["plan", "author"].into_iter().filter(|_| says).map(str::to_owned).collect();
    let settings = Settings { properties, ..Settings::default() };
    let mut spent = 0;
    let mut all = Vec::new();
    for day in 0..days {
        let mut writer = Writer::new(settings.clone(), Bounds::default(), Some([1; 32]));
        // Made in pieces of whole visitors, so that the memory is the writer's.
        for from in (0..rows).step_by(10_000) {
            let mut events: Vec<Event<'_>> =
                (from..rows.min(from + 10_000)).map(|n| event(&names, day, n, rows)).collect();
            events.sort_by_key(|e| (e.visitor_id.is_none(), e.visitor_id, e.occurred_at, e.event_id));
            let begun = now();
            events.iter().for_each(|event| writer.add(event));
            spent += now() - begun;
        }
        let begun = now();
        all.push(writer.finish());
        spent += now() - begun;
    }
    (all, spent / (days * rows))
}

fn open(days: &[Vec<Vec<u8>>]) -> Vec<(String, Segment)> {
    let segments = days.iter().enumerate().flat_map(|(day, segments)| {
        segments.iter().map(move |bytes| (format!("2026-03-{:02}", day + 1), Segment::open(bytes).unwrap()))
    });
    segments.collect()
}

fn is(dimension: Dimension, value: &str) -> Filter {
    Filter::On(dimension, Test::Is(vec![value.to_owned()]))
}

fn questions(people: bool) -> Vec<(&'static str, Query)> {
    let three = |dimension, page: bool| {
        let mut all = vec![
            is(Dimension::Country, "DE"),
            is(Dimension::Device, "desktop"),
            if page {
                Filter::On(Dimension::Page, Test::Contains(vec!["category-7/".to_owned()]))
            } else {
                Filter::Not(Box::new(is(Dimension::Channel, "email")))
            },
        ];
        all.rotate_left(1);
        Query { dimension, filter: Some(Filter::All(all)), ..Query::default() }
    };
    let plain = |dimension| Query { dimension, ..Query::default() };
    let periods = |every| (1..=30).step_by(every).map(|day| format!("2026-03-{day:02}")).collect();
    let coming = |periods| Query { periods, has_people: true, ..plain(Dimension::Period) };
    if people {
        return vec![
            ("people who come back, by day", coming(periods(1))),
            ("people who come back, by week", coming(periods(7))),
            ("people, by source", Query { has_people: true, ..plain(Dimension::Source) }),
        ];
    }
    vec![
        ("overview, by day", plain(Dimension::Day)),
        ("top sources", plain(Dimension::Source)),
        ("top pages", plain(Dimension::Page)),
        ("three filters of sessions, by day", three(Dimension::Day, false)),
        ("three filters of sessions, top sources", three(Dimension::Source, false)),
        ("three filters of sessions, top pages", three(Dimension::Page, false)),
        ("three filters with pages, by day", three(Dimension::Day, true)),
    ]
}

fn main() {
    let says = std::env::args().any(|argument| argument == "says");
    let people = std::env::args().any(|argument| argument == "people");
    let mut numbers = std::env::args().skip(1).filter_map(|n| n.parse::<u64>().ok());
    let (days, rows) = (numbers.next().unwrap_or(30), numbers.next().unwrap_or(667_000));
    let (bytes, spent) = write(days, rows, says, people);
    let sum: usize = bytes.iter().flatten().map(Vec::len).sum();
    let segments = open(&bytes);
    let events: u64 = segments.iter().map(|(_, segment)| segment.events()).sum();
    println!(
        "{days} days of {rows} rows: {spent} ns of CPU a row; {:.1} MB, {:.2} bytes a row, {:.2} an event; {} kB of memory at most",
        sum as f64 / 1e6,
        sum as f64 / (days * rows) as f64,
        sum as f64 / events as f64,
        peak()
    );
    // What an unfiltered overview by day, source and page reads: docs/STATISTICS.md.
    let overview: usize = segments
        .iter()
        .flat_map(|(_, segment)| segment.column_bytes())
        .filter(|(id, _)| [1, 2, 3, 4, 5, 6, 20, 22, 23].contains(id))
        .map(|(_, bytes)| bytes)
        .sum();
    println!("columns of the overview: {:.2} bytes an event", overview as f64 / events as f64);
    let mut columns: Vec<(u16, usize)> = Vec::new();
    for (id, bytes) in segments.iter().flat_map(|(_, segment)| segment.column_bytes()) {
        match columns.iter_mut().find(|column| column.0 == id) {
            Some(column) => column.1 += bytes,
            None => columns.push((id, bytes)),
        }
    }
    columns.retain(|(_, bytes)| *bytes as f64 > 0.02 * events as f64);
    let each: Vec<String> =
        columns.iter().map(|(id, bytes)| format!("{id}: {:.2}", *bytes as f64 / events as f64)).collect();
    println!("bytes an event of columns: {}", each.join(", "));
    drop(segments);
    let means = Means { threads: 2, ..Means::default() };
    let ask = |query: &Query, segments: &[(String, Segment)]| -> (Duration, u64) {
        let parts: Vec<Part<'_>> = segments.iter().map(|(day, segment)| Part { day, segment }).collect();
        let (begun, spent) = (Instant::now(), now());
        let answer = std::hint::black_box(run(query, &parts, &means).unwrap());
        if query.dimension == Dimension::Period {
            std::hint::black_box(Retention::of(&query.periods, &answer.rows));
        }
        (begun.elapsed(), now() - spent)
    };
    for (name, query) in questions(people) {
        let cold: Vec<(Duration, u64)> = (0..5).map(|_| ask(&query, &open(&bytes))).collect();
        let segments = open(&bytes);
        ask(&query, &segments);
        let warm: Vec<(Duration, u64)> = (0..20).map(|_| ask(&query, &segments)).collect();
        let memory: usize = segments.iter().map(|(_, segment)| segment.memory()).sum();
        println!("{name}: cold {}, warm {}, {} MB", shown(cold), shown(warm), memory >> 20);
        if people {
            println!("{} kB of memory at most", peak());
        }
    }
}

/// Half of all, and 95 of 100; and the mean of the CPU that was spent, which other work on the machine changes less.
fn shown(mut times: Vec<(Duration, u64)>) -> String {
    times.sort_unstable();
    let at = |share: usize| times[(times.len() * share).div_ceil(100) - 1].0.as_secs_f64() * 1e3;
    let spent = times.iter().map(|time| time.1).sum::<u64>() as f64 / times.len() as f64 / 1e6;
    format!("p50 {:.0} ms p95 {:.0} ms CPU {spent:.0} ms", at(50), at(95))
}

/// CPU of the process, nanoseconds.
fn now() -> u64 {
    let spent = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).unwrap();
    u64::try_from(spent.tv_sec() * 1_000_000_000 + spent.tv_nsec()).unwrap()
}

/// The most memory that the process has had, kB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
