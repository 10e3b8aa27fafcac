//! Random rows of an application around one of its days.

use std::fmt::{self, Display, Formatter};
use std::sync::LazyLock;

use alt_statistics::page::is_page;
use proptest::prelude::*;
use proptest::sample::select;

/// A local day of a time zone, microseconds since 1970: the first moment, and the first behind it.
#[derive(Debug)]
pub(super) struct Day {
    pub(super) zone: &'static str,
    pub(super) from: i64,
    pub(super) until: i64,
}

const fn day(zone: &'static str, from: i64, until: i64) -> Day {
    Day { zone, from: from * 1_000_000, until: until * 1_000_000 }
}

/// 10 March 2026 in UTC; days of 23 and 25 hours in Berlin; of 24.5 on Lord Howe; New Year in Kolkata; the day of 23 hours of
/// Chatham, where midnight is at a quarter of an hour of UTC; and the one behind the day that Apia left out.
pub(super) const DAYS: [Day; 7] = [
    day("UTC", 1_773_100_800, 1_773_187_200),
    day("Europe/Berlin", 1_774_738_800, 1_774_821_600),
    day("Europe/Berlin", 1_792_879_200, 1_792_969_200),
    day("Australia/Lord_Howe", 1_775_307_600, 1_775_395_800),
    day("Asia/Kolkata", 1_767_205_800, 1_767_292_200),
    day("Pacific/Chatham", 1_758_971_700, 1_759_054_500),
    day("Pacific/Apia", 1_325_239_200, 1_325_325_600),
];

/// The application's domains.
pub(super) const DOMAINS: &[&str] = &["shop.example", "App.Test"];

const MINUTE: i64 = 60_000_000;

/// Between a row of a visitor and the one before it.
const GAPS: [i64; 10] =
    [0, 0, 1, 1_000, 7_000_123, 4 * MINUTE, 30 * MINUTE - 1, 30 * MINUTE, 30 * MINUTE + 1, 170 * MINUTE];

/// What a client may send as any text.
const HOSTILE: [&str; 12] = [
    "",
    "é\u{202e}\u{10ffff}",
    "';--",
    "%_\\",
    "(other)",
    "a\nb\t",
    "A&b=C",
    "İß",
    "  ",
    "a..b.",
    "\u{1}",
    "(none)",
];

/// Paths of requests: of pages, and of static files.
const REQUESTED: [&str; 16] = [
    "/",
    "/a",
    "/b",
    "/a.html",
    "/.well-known/x",
    "/a.css/",
    "/v1.2/intro",
    "/a#b.css",
    "/a.css",
    "/A.PNG",
    "/feed.xml",
    "/x.Js#top",
    "/.css",
    "/a\n.gif",
    "/ſ.cſs",
    "css",
];

static PATHS: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let long = ["x", "é", "y"].map(|text| &*format!("/{}", text.repeat(8_190 / text.len())).leak());
    ["/", "/a", "/a", "/b", "/c?"].into_iter().chain(long).chain(HOSTILE).collect()
});

const HOSTS: [&str; 14] = [
    "shop.example",
    "www.Google.co.uk:443",
    "mail.google.com",
    "google.evil.com",
    "t.co",
    "a.shop.example",
    "app.test",
    "Blog.Example",
    "www.www.b.example",
    "chatgpt.com",
    "my.email",
    "com.google.android.gm",
    "newsletter",
    "::1",
];

const QUERIES: [&str; 12] = [
    "",
    "a=1",
    "ref=Hacker",
    "xref=a&ref=&ref=b",
    "source=reddit&ref=q",
    "ref=a%20b",
    "source=%C3%9Cber+uns%&ref=q",
    "ref=%ff%c2%85",
    "ref=a%0ab%c3%28%f4%90%80%80",
    "source",
    "source=",
    "&source=\n&",
];

const PARAMS: [&str; 32] = [
    "{}",
    r#"{"utm_source":"Google","utm_medium":"CPC"}"#,
    r#"{"utm_source":"spring","utm_medium":"Email","utm_campaign":"may"}"#,
    r#"{"utm_source":"www.facebook.com"}"#,
    r#"{"utm_source":"x","utm_term":"shoes","utm_content":"top"}"#,
    r#"{"utm_campaign":"may","utm_term":""}"#,
    r#"{"utm_medium":"organic"}"#,
    r#"{"utm_medium":"social","utm_source":"İß '"}"#,
    r#"{"gclid":"1"}"#,
    r#"{"fbclid":"1","language":"tlh","time_zone":"Asia/Calcutta"}"#,
    r#"{"gbraid":"1","li_fat_id":"2"}"#,
    r#"{"yclid":"1","fbclid":"1"}"#,
    r#"{"utm_source":null,"utm_medium":7,"utm_campaign":["a"]}"#,
    r#"{"utm_source":"(other)","utm_campaign":"","time_zone":"Mars"}"#,
    r#"{"text":"Buy","element":"button#buy","custom":{"href":"https://user:pw@www.İ.Other.example:8443/a?b@c"}}"#,
    r#"{"text":"","element":"a","custom":{"href":"","link":"mailto:bob@example.com","plan":"pro"}}"#,
    r#"{"custom":{"download":"HTTPS://a.example","plan":["a","b"],"points":3}}"#,
    r#"{"custom":{"link":"x1+-.y://[::1]:80#x","plan":"\"\u00e9\n\u0001\\","points":-0.000001}}"#,
    r#"{"custom":{"href":"://a","points":"12.5","plan":null}}"#,
    r#"{"search_term":"red \"shoes\"","result_count":0,"custom":{"points":1e400}}"#,
    r#"{"search_term":"","result_count":"12"}"#,
    r#"{"search_term":{"a":[1,"}"]},"result_count":1234567890}"#,
    r#"{"custom":{"total":59.90,"currency":"eur","name":"Shoe","category":"Shoes, \"red\""}}"#,
    r#"{"custom":{"total":"0.1","currency":"USD","value":7,"quantity":2,"price":1}}"#,
    r#"{"custom":{"price":19.99,"quantity":3,"currency":"","name":"(other)"}}"#,
    r#"{"custom":{"price":"0.000001","quantity":"0.5"}}"#,
    r#"{"custom":{"price":999999999999,"quantity":2,"currency":"EUR"}}"#,
    r#"{"custom":{"revenue":-5,"currency":"Euro","quantity":"NaN"}}"#,
    r#"{"custom":{"revenue":"NaN","price":3,"currency":"EUR"}}"#,
    r#"{"custom":{"revenue":999999999999.999999,"currency":"JPY","points":true}}"#,
    r#"{"custom":{"revenue":5,"value":"","total":null,"quantity":-1,"points":"0x1"}}"#,
    r#"{"custom":[1,{"plan":"x"}],"element":7,"text":[]}"#,
];

/// The properties that the application has chosen, one of which is a column.
pub(super) const PROPERTIES: [&str; 3] = ["plan", "module_id", "points"];

/// What the rows refer to, and the partitions for them.
pub(super) fn schema() -> String {
    "SELECT alt_make_month(year * 12 + month - 1) FROM (VALUES (2011, 12), (2012, 1), (2025, 9), (2025, 12), (2026, 1), (2026, 3),
         (2026, 4), (2026, 10))
         months (year, month);
     INSERT INTO user_agents (id, user_agent, browser, os, device, traffic_class, rule) VALUES
         (1, 'a', 'Firefox', 'Linux', 'desktop', 'human', ''), (2, 'b', 'Safari', NULL, 'phone', 'human', ''),
         (3, 'c', '', '(other)', NULL, 'bot', '');
     INSERT INTO environments (id, language, time_zone, screen_width) VALUES
         (1, 'de-DE', 'Europe/Berlin', 1920), (2, 'en', 'America/Buenos_Aires', 575), (3, NULL, 'UTC', 576),
         (4, 'ja', NULL, -1), (5, '', 'Asia/Tokyo', 1439)"
        .to_owned()
}

/// A row. Numbers are places in the tables above, or ids of [`schema`].
#[derive(Debug, Clone)]
pub(super) struct Line {
    /// Microseconds since 1970.
    pub(super) at: i64,
    pub(super) visitor: Option<i64>,
    pub(super) class: &'static str,
    pub(super) kind: &'static str,
    pub(super) path: Option<&'static str>,
    order: u64,
    pub(super) view: Option<i64>,
    hosts: (Option<&'static str>, Option<&'static str>),
    query: Option<&'static str>,
    params: Option<&'static str>,
    agent: Option<i64>,
    environment: Option<i64>,
    dwell: Option<i32>,
    depth: Option<i16>,
    user: Option<&'static str>,
    about: (Option<&'static str>, Option<&'static str>),
    module: Option<&'static str>,
    method: Option<&'static str>,
    status: Option<i16>,
}

impl Line {
    /// Whether a request is a page.
    pub(super) fn is_page(&self) -> bool {
        is_page(self.method.unwrap_or(""), self.status, self.path.unwrap_or(""))
    }
}

/// Rows of an application around a day.
#[derive(Debug, Clone)]
pub(super) struct History {
    /// The day's place in [`DAYS`].
    pub(super) day: usize,
    lines: Vec<Line>,
}

/// Any history. A visitor's rows come in the order of time, those of all visitors do not.
pub(super) fn history() -> impl Strategy<Value = History> {
    let who = (
        // Two of six have no visitor id.
        0..6_usize,
        select(&GAPS[..]),
        select(vec!["human", "human", "human", "human", "bot", "suspect"]),
        select(vec![
            "pageview",
            "pageview",
            "pageview",
            "pageview",
            "pageview",
            "click",
            "click",
            "pageview",
            "pageview",
            "engagement",
            "engagement",
            "engagement",
            "click",
            "request",
            "request",
            "request",
            "",
            "outbound",
            "download",
            "search",
            "cart_add",
            "order",
            "purchase",
        ]),
        proptest::option::weighted(0.8, 1..8_i64),
        any::<u64>(),
    );
    let where_from = (
        proptest::option::weighted(0.9, select(&PATHS[..])),
        proptest::option::weighted(0.8, select(&HOSTS[..])),
        proptest::option::weighted(0.4, select(&HOSTS[..])),
        proptest::option::weighted(0.3, select(&QUERIES[..])),
        proptest::option::weighted(0.7, select(&PARAMS[..])),
    );
    let what = (
        proptest::option::weighted(0.8, 1..5_i64),
        proptest::option::weighted(0.8, 1..7_i64),
        proptest::option::weighted(0.5, select(vec![0, 1, 5_000, 60_000, i32::MAX, -1])),
        proptest::option::weighted(0.4, select(vec![0_i16, 1, 50, 99, 100, 101, -1, i16::MAX])),
        proptest::option::weighted(0.2, select(vec!["", "bob", "eve", "Bob", "é'--"])),
        (
            proptest::option::weighted(0.7, select(vec!["product", "product", "product", "order", ""])),
            proptest::option::weighted(0.8, select(vec!["17", "18", "", "é', --"])),
        ),
        proptest::option::weighted(0.3, select(vec!["checkout", ""])),
        (
            proptest::option::weighted(
                0.9,
                select(vec!["GET", "GET", "GET", "GET", "POST", "HEAD", "get", ""]),
            ),
            proptest::option::weighted(
                0.9,
                select(vec![200_i16, 200, 200, 304, 299, 199, 300, 301, 404, 500]),
            ),
            select(&REQUESTED[..]),
        ),
    );
    let begins = proptest::collection::vec(-90..1_440_i64, 6);
    let lines = proptest::collection::vec((who, where_from, what), 1..60);
    (0..DAYS.len(), begins, lines).prop_map(|(day, begins, lines)| {
        let mut clocks: Vec<i64> = begins.iter().map(|minute| DAYS[day].from + minute * MINUTE).collect();
        let lines = lines.into_iter().map(|(who, from, what)| {
            let (visitor, gap, class, kind, view, order) = who;
            clocks[visitor] = (clocks[visitor] + gap).min(DAYS[day].until + 180 * MINUTE);
            let id = i64::try_from(visitor).unwrap() - 2;
            let (method, status, requested) = what.7;
            // Half of all requests are for one of these paths.
            let path = if kind == "request" && order % 2 == 0 { Some(requested) } else { from.0 };
            Line {
                at: clocks[visitor],
                // -2, -1, 0 and 1: zero is a visitor as any other.
                visitor: (id < 2).then_some(id),
                class,
                kind,
                path,
                order,
                view,
                hosts: (from.1, from.2),
                query: from.3,
                params: from.4,
                agent: what.0,
                environment: what.1,
                dwell: what.2,
                depth: what.3,
                user: what.4,
                about: what.5,
                module: what.6,
                method,
                status,
            }
        });
        History { day, lines: lines.collect() }
    })
}

/// The columns of [`History::row`].
pub(super) const COLUMNS: &str = "app_id, file_id, file_offset, occurred_at, event_id, visitor_id, page_view_id, user_agent_id, \
    environment_id, dwell_ms, scroll_depth, traffic_class, event_type, url_host, url_path, url_query, referrer_host, user_id, \
    params, entity_type, entity_id, module_id, method, status";

fn sql_of(text: Option<&str>) -> String {
    text.map_or_else(|| "NULL".to_owned(), |text| format!("'{}'", text.replace('\'', "''")))
}

fn sql_of_number(number: Option<impl Display>) -> String {
    number.map_or_else(|| "NULL".to_owned(), |number| number.to_string())
}

impl History {
    /// Its rows.
    pub(super) fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// How often a visit row of a visitor follows another in this time, microseconds.
    pub(super) fn pairs(&self, gap: i64) -> u64 {
        let mut visits: Vec<_> = self.lines.iter().filter(|l| l.visitor.is_some()).collect();
        visits.retain(|line| !["request", "engagement"].contains(&line.kind));
        visits.sort_by_key(|line| (line.class, line.visitor, line.at));
        let is_pair = |pair: &&[&Line]| {
            (pair[0].class, pair[0].visitor) == (pair[1].class, pair[1].visitor)
                && pair[1].at - pair[0].at == gap
        };
        visits.windows(2).filter(is_pair).count() as u64
    }

    /// The statement that inserts it. Some lines are in a second log as well, of a host that knows no visitor.
    pub(super) fn insert(&self, app: i32) -> String {
        let count = self.lines.len();
        let rows = (0..count).map(|place| self.row(place, app, 1, place));
        let copied = (0..count).filter(|place| self.lines[*place].order.is_multiple_of(5));
        let copies = copied.map(|place| {
            row_of(&Line { visitor: None, ..self.lines[place].clone() }, place, app, 1, count + place)
        });
        format!(
            "INSERT INTO access_logs ({COLUMNS}) VALUES {}",
            rows.chain(copies).collect::<Vec<_>>().join(", ")
        )
    }

    /// The values of a line as a row of an application, at an offset of a file.
    pub(super) fn row(&self, place: usize, app: i32, file: i32, offset: usize) -> String {
        row_of(&self.lines[place], place, app, file, offset)
    }
}

/// The values of a line as a row.
fn row_of(line: &Line, place: usize, app: i32, file: i32, offset: usize) -> String {
    let numbers = [line.visitor, line.view, line.agent, line.environment].map(sql_of_number).join(", ");
    let texts = [line.hosts.0, line.path, line.query, line.hosts.1, line.user, line.params];
    let texts = texts.into_iter().chain([line.about.0, line.about.1, line.module, line.method]);
    format!(
        "({app}, {file}, {offset}, to_timestamp({}) + interval '{} microseconds', \
         '{:016x}{place:016x}', {numbers}, {}, {}, '{}', '{}', {}, {})",
        line.at / 1_000_000,
        line.at % 1_000_000,
        line.order,
        sql_of_number(line.dwell),
        sql_of_number(line.depth),
        line.class,
        line.kind,
        texts.map(sql_of).collect::<Vec<String>>().join(", "),
        sql_of_number(line.status),
    )
}

impl Display for History {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "day {:?}", DAYS[self.day])?;
        for line in &self.lines {
            let mut line = line.clone();
            line.path =
                line.path.map(|path| path.char_indices().nth(20).map_or(path, |(end, _)| &path[..end]));
            writeln!(f, "{} s of the day: {line:?}", (line.at - DAYS[self.day].from) / 1_000_000)?;
        }
        Ok(())
    }
}
