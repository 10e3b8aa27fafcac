//! CPU an event of the fold, over a million made events, and the memory that it takes: `cargo run --release -p
//! alt-statistics --example fold [-- hostile]`. `hostile`: every text is another one, of up to 8 kB.
//!
//! Time is the process's own on the processor, so that what else the machine does counts less.
#![allow(clippy::unwrap_used, clippy::cast_precision_loss)] // a measurement, which may end anywhere

use std::hint::black_box;

use alt_statistics::day::{Fold, Settings};
use alt_statistics::event::Event;
use nix::time::{ClockId, clock_gettime};

const EVENTS: u64 = 1_000_000;

/// Events, times 10 a visitor: five page views with four reports of engagement, and a click.
const A_VISITOR: u64 = 10;

/// A number of 64 bits that looks random (SplitMix64).
fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed ^ (mixed >> 27)
}

/// One of so many, small ones more often.
fn some(number: u64, of: u64) -> usize {
    usize::try_from((mix(number) % of) * (mix(number ^ 77) % of) / of).unwrap()
}

fn main() {
    let is_hostile = std::env::args().any(|argument| argument == "hostile");
    let paths: Vec<String> = (0..20_000).map(|n| format!("/products/category-{}/item-{n}", n % 40)).collect();
    let hosts = ["", "", "www.google.com", "t.co", "blog.example", "www.bing.com", "news.site.example"];
    let browsers = ["Chrome", "Safari", "Firefox", "Edge"];
    let zones = ["Europe/Berlin", "America/New_York", "Asia/Tokyo", "Europe/London"];
    let mut fold = Fold::new(Settings { domains: vec!["shop.example".to_owned()], ..Settings::default() });
    let (mut spent, mut text) = (0, String::new());
    for from in (0..EVENTS).step_by(1_000) {
        // Made in pieces, so that the memory is the fold's.
        let long: Vec<String> = if is_hostile {
            (from..from + 1_000).map(|n| format!("/{n:08000}")).collect()
        } else {
            Vec::new()
        };
        let events: Vec<Event<'_>> = (from..from + 1_000)
            .map(|n| {
                let (visitor, nth) = (n / A_VISITOR, n % A_VISITOR);
                let event_type = match nth {
                    9 => "click",
                    nth if nth % 2 == 1 => "engagement",
                    _ => "pageview",
                };
                let path = &paths[some(n / 2, 20_000)];
                let mut event = Event {
                    occurred_at: i64::try_from((mix(visitor) % 80_000 + nth * 60) * 1_000_000).unwrap(),
                    event_id: u128::from(mix(n)),
                    // The last tenth has none.
                    visitor_id: (n < EVENTS / 10 * 9).then(|| i64::try_from(visitor).unwrap()),
                    page_view_id: Some(i64::try_from(n / 2).unwrap()),
                    traffic_class: "human",
                    event_type,
                    url_host: "shop.example",
                    url_path: path,
                    referrer_host: if nth == 0 { hosts[some(visitor, 7)] } else { "" },
                    utm_source: if nth == 0 && visitor.is_multiple_of(5) { "newsletter" } else { "" },
                    browser: browsers[some(visitor, 4)],
                    os: "Windows",
                    device: "desktop",
                    language: "de-DE",
                    time_zone: zones[some(visitor, 4)],
                    screen_width: 1920,
                    dwell_ms: (event_type == "engagement").then_some(5_000),
                    scroll_depth: (event_type == "engagement").then_some(60),
                    ..Event::default()
                };
                if let Some(long) = long.get(usize::try_from(n - from).unwrap()) {
                    event.url_path = long;
                    // Ends in the number.
                    let other = &long[7_900..];
                    (event.utm_source, event.utm_medium, event.utm_term) = (other, other, other);
                    (event.utm_content, event.utm_campaign, event.language) = (other, other, other);
                    (event.event_type, event.visitor_id) = ("pageview", Some(1));
                    event.page_view_id = Some(i64::try_from(n).unwrap());
                    event.occurred_at = i64::try_from(n * 80_000).unwrap();
                }
                event
            })
            .collect();
        let begun = now();
        events.iter().for_each(|event| fold.add(black_box(event)));
        spent += now() - begun;
    }
    let peak = peak();
    let begun = now();
    let day = black_box(fold.finish());
    spent += now() - begun;
    let values = day.values.len();
    let bytes: usize = day.values.keys().map(|key| key.2.len()).sum();
    text += &format!("{} ns of CPU an event, {values} values of {bytes} bytes, ", spent / EVENTS);
    println!("{text}{peak} kB of memory at most before the end, {} kB at the end", self::peak());
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
