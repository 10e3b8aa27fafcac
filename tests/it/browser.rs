//! The collector, used by a real browser from a page of another site: what arrives, and what becomes of it.

use crate::support::bench::Bench;
use crate::support::browser::{self, Browser};
use crate::support::daemon::wait_for;
use crate::support::nginx::{Line, Nginx, Setup, read_lines};

/// What the page sends, and the one preflight: event, method, path, Referer, Origin. `SITE` is the page's.
const SENT: [[&str; 5]; 14] = [
    ["", "OPTIONS", "/api/v1/track", "", ""],
    ["beacon", "POST", "/b", "SITE/", "SITE"],
    ["beacon_text", "POST", "/b", "SITE/", "SITE"],
    ["fetch", "GET", "/b", "SITE/", ""],
    ["fetch_cors", "GET", "/b", "SITE/", "SITE"],
    ["fetch_post", "POST", "/b", "SITE/", "SITE"],
    ["img", "GET", "/b", "SITE/", ""],
    ["img_full", "GET", "/b", "SITE/shoes.html?size=42", ""],
    ["img_none", "GET", "/b", "", ""],
    ["json_1", "POST", "/api/v1/track", "SITE/", "SITE"],
    ["json_2", "POST", "/api/v1/track", "SITE/", "SITE"],
    ["leave_beacon", "POST", "/b", "SITE/", "SITE"],
    ["leave_fetch", "GET", "/b", "SITE/", ""],
    ["told", "GET", "/b", "SITE/", ""],
];

/// Their rows: event, method, host, path, query, and what the page told.
const ROWS: &str = "\
beacon|POST|shop.example|/shoes.html|size=42|
beacon_text|POST|shop.example|/shoes.html|size=42|
fetch|GET|shop.example|/shoes.html|size=42|
fetch_cors|GET|shop.example|/shoes.html|size=42|
fetch_post|POST|shop.example|/shoes.html|size=42|
img|GET|shop.example|/||
img_full|GET|shop.example|/shoes.html|size=42|
img_none|GET||||
json_1|POST|shop.example|/shoes.html|size=42|
json_2|POST|shop.example|/shoes.html|size=42|
leave_beacon|POST|shop.example|/shoes.html|size=42|
leave_fetch|GET|shop.example|/shoes.html|size=42|
told|GET|shop.example|/shoes.html|size=42|true opaque cors-204 204-204";

/// Puts the page beside the collector, for a host of its own. Where it comes over TLS, its header makes the
/// browser refuse what does not say that any site may embed it.
fn with_page(setup: Setup) -> Nginx {
    setup
        .file("shoes.html", include_str!("data/browser/shoes.html"))
        .in_server(
            "location = /shoes.html { access_log other.log; root alt; types { } default_type text/html; \
             add_header Cross-Origin-Embedder-Policy require-corp; }",
        )
        .start()
}

/// The event that a line of the log is about; of a preflight, none.
fn event(line: &Line) -> String {
    match serde_json::from_slice::<serde_json::Value>(line.body()) {
        Ok(body) => body["event_type"].as_str().unwrap().to_owned(),
        Err(_) => line.args().split("&e=").nth(1).unwrap_or("").split('&').next().unwrap().to_owned(),
    }
}

/// Lets a browser visit the page at `site` and leave it, until all that it sends is in the log.
fn visit(nginx: &Nginx, site: &str, port: u16) {
    let browser =
        Browser::open(&format!("{site}/shoes.html?size=42"), &["shop.example", "events.example.com"], port);
    let seen = || read_lines(&nginx.log_path).iter().map(event).collect::<Vec<_>>();
    wait_for(
        60,
        || SENT.iter().all(|[sent, ..]| seen().iter().any(|event| event == sent)),
        || format!("logged: {:?}\n{}\n{}", seen(), nginx.other_log(), browser.log()),
    );
}

fn check_log(nginx: &Nginx, site: &str) {
    let lines = nginx.lines();
    let mut logged: Vec<[String; 5]> =
        lines.iter().map(|l| [event(l), l.method(), l.text(7), l.text(9), l.text(12)]).collect();
    logged.sort();
    assert_eq!(logged, SENT.map(|line| line.map(|field| field.replace("SITE", site))));
    let page = format!("{site}/shoes.html?size=42").replace(':', "%3A").replace('/', "%2F");
    let page = page.replace('?', "%3F").replace('=', "%3D");
    for line in &lines {
        assert_eq!(line.status(), 204, "{line:?}");
        // Of what is no hit, nothing but what counts it is logged.
        let is_hit = line.method() != "OPTIONS";
        assert_eq!(line.text(10).contains(" HeadlessChrome/"), is_hit, "{line:?}");
        if line.text(7) == "/b" {
            let event = event(line);
            let page = if event.starts_with("img") { String::new() } else { format!("&u={page}") };
            let told = if event == "told" {
                "&p.beacon=true&p.fetch=opaque&p.cors=cors-204&p.json=204-204"
            } else {
                ""
            };
            assert_eq!(line.args(), format!("a=shop&e={event}&pv=ff{page}{told}"));
            assert!(line.body().is_empty(), "{line:?}");
        } else {
            assert_eq!(line.args(), "");
        }
    }
}

#[test]
fn whatever_a_page_of_another_site_sends_arrives_and_becomes_rows() {
    if !browser::is_here() {
        return;
    }
    let nginx = with_page(Setup::http());
    let mut bench = Bench::with(&format!("[[source]]\npaths = [\"{}\"]", nginx.log_path.display()));
    visit(&nginx, "http://shop.example", nginx.port);
    bench.written = SENT.len() - 1;
    bench.settle();
    bench.stop();
    let rows = bench.database.psql(
        "SELECT event_type, method, url_host, url_path, url_query, \
                concat_ws(' ', params->'custom'->>'beacon', params->'custom'->>'fetch', \
                          params->'custom'->>'cors', params->'custom'->>'json') \
         FROM access_logs ORDER BY event_type COLLATE \"C\"",
    );
    assert_eq!(rows, ROWS);
    let common = bench.database.psql(
        "SELECT DISTINCT a.app_key, l.page_view_id, l.status, host(l.ip), l.traffic_class, u.rule, u.browser, \
                u.os, l.visitor_id IS NOT NULL \
         FROM access_logs l JOIN applications a ON a.id = l.app_id JOIN user_agents u ON u.id = l.user_agent_id",
    );
    assert_eq!(common, "shop|255|204|127.0.0.0|headless|headless:HeadlessChrome|HeadlessChrome|Linux|t");
    let traced =
        bench.database.psql("SELECT DISTINCT trace_id FROM access_logs WHERE event_type LIKE 'json%'");
    assert_eq!(traced, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    let checkpoint = bench.database.psql("SELECT lines, rows, non_hits, rejects FROM checkpoints");
    assert_eq!(checkpoint, "14|13|1|0", "the preflight is no event");
    check_log(&nginx, "http://shop.example");
}

#[test]
fn over_tls_and_http_2_it_is_the_same() {
    if !browser::is_here() {
        return;
    }
    let nginx = with_page(Setup::tls());
    visit(&nginx, "https://shop.example", nginx.tls_port);
    check_log(&nginx, "https://shop.example");
    assert!(nginx.other_log().contains("\"GET /shoes.html?size=42 HTTP/2.0\" 200 "), "{}", nginx.other_log());
}
