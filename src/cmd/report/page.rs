//! The report as one HTML page: no script, nothing that is fetched, and nothing from a log that is not escaped.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest as _, Sha256};

use super::chart;
use super::summary::{Named, Ranked, Report, Server, Value};
use super::words::{self, escaped, number, percent, size};

/// The style sheet, and the widths of bars.
const STYLE: &str = include_str!("page.css");

/// How many values of a list are shown before somebody unfolds it.
const SHOWN: usize = 10;

/// The whole page.
pub(super) fn page(report: &Report) -> String {
    let mut style = STYLE.trim_end().to_owned();
    for width in 0..=100 {
        let _ = write!(style, ".w{width}{{width:{width}%}}");
    }
    // Nothing else may run or be fetched, whatever a mistake above might let through.
    let hash = BASE64_STANDARD.encode(Sha256::digest(&style));
    let title = escaped(&words::title(report));
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; \
         form-action 'none'\">\n<meta name=\"viewport\" content=\"width=device-width\">\n<meta name=\"robots\" content=\"noindex\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n<title>{title}</title>\n<style>{style}</style>\n</head>\n<body>\n<main>\n"
    );
    let _ = writeln!(html, "<header><h1>{title}</h1><p>{}</p></header>", escaped(&words::period(report)));
    people(report, &mut html);
    if let Some(server) = &report.server {
        requests(server, &mut html);
    }
    robots(report, &mut html);
    lines(report, &mut html);
    html.push_str("</main>\n</body>\n</html>\n");
    html
}

/// A card with several lists, of which one is seen at a time.
struct Card<'h> {
    html: &'h mut String,
    name: &'static str,
    tabs: Vec<(&'static str, String)>,
}

impl<'h> Card<'h> {
    /// `name` is in the names of its controls.
    fn new(html: &'h mut String, name: &'static str) -> Card<'h> {
        Card { html, name, tabs: Vec::new() }
    }

    fn tab(mut self, title: &'static str, content: String) -> Card<'h> {
        self.tabs.push((title, content));
        self
    }

    /// Writes the card. `class` is added to it.
    fn end(self, class: &str) {
        let Card { html, name, tabs } = self;
        let _ = write!(html, "<div class=\"card{class}\">");
        if let [(title, content)] = tabs.as_slice() {
            let _ = writeln!(html, "<h2>{title}</h2><section class=\"only\">{content}</section></div>");
            return;
        }
        for (at, (title, _)) in tabs.iter().enumerate() {
            let checked = if at == 0 { " checked" } else { "" };
            let _ = write!(
                html,
                "<input type=\"radio\" name=\"{name}\" id=\"{name}{at}\"{checked}><label for=\"{name}{at}\">{title}</label>"
            );
        }
        for (_, content) in &tabs {
            let _ = write!(html, "<section>{content}</section>");
        }
        html.push_str("</div>\n");
    }
}

fn people(report: &Report, html: &mut String) {
    html.push_str("<dl class=\"card tiles\">");
    for (name, value) in words::tiles(report) {
        let _ = write!(html, "<div class=\"tile\"><dt>{name}</dt><dd>{value}</dd></div>");
    }
    html.push_str("</dl>\n");
    let mut card = Card::new(html, "graph");
    for (title, of) in words::CURVES {
        card = card.tab(title, chart::curve(&report.graph, of, title));
    }
    card.end("");
    html.push_str("<div class=\"grid\">\n");
    cards(report, html);
    html.push_str("</div>\n");
}

/// The lists of what people did, in cards.
fn cards(report: &Report, html: &mut String) {
    let mut one = |name: &'static str, dimensions: &[&str]| {
        let mut card = Card::new(&mut *html, name);
        for (title, dimension) in
            words::LISTS.into_iter().filter(|(_, dimension)| dimensions.contains(dimension))
        {
            let values = report.list(dimension);
            let is_known = values.iter().any(|value| !value.value.is_empty());
            if is_known || matches!(dimension, "source" | "page" | "country" | "browser") {
                card = card.tab(title, list(values, dimension));
            }
        }
        if !card.tabs.is_empty() {
            card.end("");
        }
    };
    one("sources", &["source", "channel", "campaign", "utm_medium"]);
    one("pages", &["page", "entry_page", "exit_page"]);
    one("places", &["country", "language"]);
    one("devices", &["browser", "os", "device", "screen"]);
    let is_of_events = report.list("event").iter().any(|value| value.value != "pageview");
    if is_of_events {
        one("events", &["event"]);
    }
    let wide = if is_of_events { "" } else { " wide" };
    Card::new(html, "hours").tab("Hours of the day", chart::columns(&report.hours)).end(wide);
}

/// The share of a whole, for the width of a bar.
fn width(part: u64, of: u64) -> u64 {
    (u128::from(part) * 100).div_ceil(u128::from(of.max(1))).try_into().unwrap_or(100)
}

/// Rows of a list: a bar with its text, and numbers behind it.
struct Rows {
    html: String,
    count: usize,
    is_folded: bool,
}

impl Rows {
    /// With the titles of the columns.
    fn new(titles: &[&str]) -> Rows {
        let mut html = String::from("<div class=\"row head\"><b><span></span></b>");
        for title in titles {
            let _ = write!(html, "<em>{title}</em>");
        }
        html.push_str("</div>");
        Rows { html, count: 0, is_folded: false }
    }

    /// Adds a row. `class` colours it.
    fn add(&mut self, class: &str, text: &str, width: u64, numbers: &[String]) {
        self.count += 1;
        if self.count > SHOWN && !self.is_folded {
            self.html.push_str("<details><summary>more</summary>");
            self.is_folded = true;
        }
        let text = escaped(text);
        let _ = write!(
            self.html,
            "<div class=\"row{class}\"><b title=\"{text}\"><i class=\"w{}\"></i><span>{text}</span></b>",
            width.min(100)
        );
        for (at, number) in numbers.iter().enumerate() {
            let small = if at == 0 { "" } else { " class=\"small\"" };
            let _ = write!(self.html, "<em{small}>{number}</em>");
        }
        self.html.push_str("</div>");
    }

    fn end(mut self) -> String {
        if self.is_folded {
            self.html.push_str("</details>");
        }
        self.html
    }
}

/// Values of a dimension by visitors; where no row has one, by page views.
fn list(values: &[Value], dimension: &str) -> String {
    if values.iter().all(|value| value.value.is_empty()) {
        let why = match dimension {
            "country" => "Countries are known by the browser's time zone, which these logs do not have.",
            _ => "Nothing in these logs.",
        };
        return format!("<p class=\"empty\">{why}</p>");
    }
    let is_of_events = dimension == "event";
    let has_visitors = values.iter().any(|value| value.visitors > 0);
    let counts = |value: &Value| {
        let second = if is_of_events { value.events } else { value.page_views };
        if has_visitors { (value.visitors, Some(second)) } else { (second, None) }
    };
    let both = ["Visitors", if is_of_events { "Events" } else { "Views" }];
    let mut rows = Rows::new(if has_visitors { &both } else { &both[1..] });
    let most = values.iter().map(|value| counts(value).0).max().unwrap_or(0);
    for value in values {
        let (first, more) = counts(value);
        let numbers: Vec<String> = [Some(first), more].into_iter().flatten().map(number).collect();
        rows.add("", words::known(&value.value), width(first, most), &numbers);
    }
    rows.end()
}

fn ranked(ranked: &Ranked, with_bytes: bool) -> String {
    if ranked.values.is_empty() {
        return "<p class=\"empty\">None.</p>".to_owned();
    }
    let is_timed = ranked.values.iter().any(|value| value.mean_ms.is_some());
    let mut titles = vec!["Requests"];
    titles.extend(with_bytes.then_some("Bytes"));
    titles.extend(is_timed.then_some("Mean"));
    let mut rows = Rows::new(&titles);
    let most = ranked.values.iter().map(|value| value.requests).max().unwrap_or(0);
    for value in &ranked.values {
        let mut numbers = vec![number(value.requests)];
        if with_bytes {
            numbers.push(size(value.bytes));
        }
        if is_timed {
            numbers.push(value.mean_ms.map(|ms| format!("{} ms", number(ms))).unwrap_or_default());
        }
        rows.add("", &value.value, width(value.requests, most), &numbers);
    }
    if ranked.others > 0 {
        rows.add("", "(others)", 0, &[number(ranked.others)]);
    }
    rows.end()
}

/// Numbers with names, and their shares.
fn shares(all: &[Named], of: u64, class: impl Fn(&str) -> &'static str, title: &str) -> String {
    let mut rows = Rows::new(&[title, "Share"]);
    for named in all {
        rows.add(
            class(&named.name),
            &named.name,
            width(named.count, of),
            &[number(named.count), percent(named.count, of)],
        );
    }
    rows.end()
}

fn requests(server: &Server, html: &mut String) {
    html.push_str("<h3>Requests</h3>\n<div class=\"grid\">\n");
    let colour = |status: &str| match status.as_bytes().first() {
        Some(b'2') => " good",
        Some(b'4') => " warn",
        Some(b'5') => " bad",
        _ => "",
    };
    let mut figures = format!("<dl class=\"figures\">{}", figure("Requests", &number(server.requests)));
    figures += &figure("Bytes", &size(server.bytes));
    if let Some(times) = &server.response_times {
        for (name, ms) in [
            ("Median", times.p50),
            ("90 %", times.p90),
            ("95 %", times.p95),
            ("99 %", times.p99),
            ("Longest", times.max),
        ] {
            figures += &figure(name, &format!("{} ms", number(ms)));
        }
    }
    figures += "</dl>";
    if server.response_times.is_none() {
        figures += "<p class=\"note\">The log has no response times ($request_time).</p>";
    }
    Card::new(html, "figures").tab("Requests and response times", figures).end(" wide");
    let mut classes: Vec<Named> = Vec::new();
    for status in &server.statuses {
        let name = format!("{}xx", status.name.get(..1).unwrap_or("?"));
        match classes.iter_mut().find(|class| class.name == name) {
            Some(class) => class.count += status.count,
            None => classes.push(Named { name, count: status.count }),
        }
    }
    Card::new(html, "status")
        .tab("Status", shares(&classes, server.requests, colour, "Requests"))
        .tab("Codes", shares(&server.statuses, server.requests, colour, "Requests"))
        .end("");
    Card::new(html, "missing").tab("Not found (404)", ranked(&server.not_found, false)).end("");
    let mut card = Card::new(html, "paths").tab("Requested paths", ranked(&server.paths, true));
    if server.hosts.values.len() > 1 {
        card = card.tab("Hosts", ranked(&server.hosts, true));
    }
    card.end(" wide");
    html.push_str("</div>\n");
}

fn figure(name: &str, value: &str) -> String {
    format!("<div><dt>{name}</dt><dd>{value}</dd></div>")
}

fn robots(report: &Report, html: &mut String) {
    let is_of_people = report.classes.iter().all(|class| class.name == "human");
    if is_of_people {
        return;
    }
    html.push_str("<h3>People and programs</h3>\n<div class=\"grid\">\n");
    let colour = |class: &str| if class == "human" { " good" } else { "" };
    Card::new(html, "classes").tab("Traffic", shares(&report.classes, report.hits, colour, "Hits")).end("");
    Card::new(html, "robots")
        .tab("AI crawlers", ranked(&report.ai_crawlers, false))
        .tab("Crawlers", ranked(&report.crawlers, false))
        .tab("Other programs", ranked(&report.programs, false))
        .end("");
    html.push_str("</div>\n");
}

fn lines(report: &Report, html: &mut String) {
    let mut said = format!(
        "{} lines ({}) were read in {:.1} s, as {}",
        number(report.lines),
        size(report.read_bytes),
        report.seconds,
        escaped(&report.format)
    );
    if report.filtered > 0 {
        let _ = write!(said, "; {} are of another time", number(report.filtered));
    }
    for kind in &report.non_hits {
        let _ = write!(said, "; {} are no hits ({})", number(kind.count), escaped(&kind.name));
    }
    if !report.rejects.is_empty() {
        let of_all = Named { name: "rejected".to_owned(), count: report.rejected() };
        let mut rows = Rows::new(&["Lines", "Share"]);
        for reject in &report.rejects {
            let text = format!("{}: {}", reject.reason, reject.meaning);
            let numbers = [number(reject.lines), percent(reject.lines, report.lines)];
            rows.add(" bad", &text, width(reject.lines, of_all.count), &numbers);
        }
        html.push_str("<h3>Rejected lines</h3>\n");
        Card::new(html, "rejects").tab("Reasons", rows.end()).end("");
    }
    let domains = match report.domains.as_slice() {
        [] => String::new(),
        domains => format!(" Pages of {} are the site itself.", escaped(&domains.join(", "))),
    };
    let _ = writeln!(
        html,
        "<footer>{said}.{domains} Visitors are counted by address and browser, for one day each.</footer>"
    );
}
