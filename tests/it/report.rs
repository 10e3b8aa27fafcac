//! `alt report`: the numbers of a log, and that nothing in a log gets out of its place on the page or in the terminal.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use base64::Engine as _;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::support::browser;

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
const PHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 \
     Mobile/15E148 Safari/604.1";
const GPTBOT: &str =
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko); compatible; GPTBot/1.2; +https://openai.com/gptbot";
const GOOGLEBOT: &str = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";

/// A directory with logs and an empty configuration.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Place {
        let place = Place(tempfile::tempdir().unwrap());
        place.write("alt.toml", "");
        place
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.path().join(name), text).unwrap();
    }

    /// Exit code, standard output and standard error.
    fn alt(&self, arguments: &[&str]) -> (i32, String, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_alt"))
            .arg("report")
            .args(arguments)
            .env_clear()
            .env("ALT_CONFIG", self.path().join("alt.toml"))
            .env("TZ", "UTC")
            .current_dir(self.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    fn done(&self, arguments: &[&str]) -> String {
        let (code, out, err) = self.alt(arguments);
        assert_eq!(code, 0, "{arguments:?}: {out}{err}");
        out
    }

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.done(&[arguments, &["--json"]].concat())).unwrap()
    }
}

/// A line of `combined`, and what nginx took for it.
fn line(ip: &str, at: &str, request: &str, status: u16, from: &str, agent: &str) -> String {
    format!("{ip} - - [{at} +0000] \"{request} HTTP/1.1\" {status} 1000 \"{from}\" \"{agent}\"\n")
}

/// Two days of a site: of the first visitor, two sessions on the first day and one on the second.
fn site() -> String {
    let (ada, bob) = ("192.0.2.1", "2001:db8::7");
    [
        line(ada, "10/Oct/2025:08:00:00", "GET /", 200, "https://www.google.de/", FIREFOX),
        line(ada, "10/Oct/2025:08:00:01", "GET /style.css", 200, "https://www.shop.example/", FIREFOX),
        line(ada, "10/Oct/2025:08:05:00", "GET /shoes?size=42", 304, "https://www.shop.example/", FIREFOX),
        line(ada, "10/Oct/2025:08:05:10", "POST /cart", 200, "https://www.shop.example/shoes", FIREFOX),
        line(ada, "10/Oct/2025:08:05:20", "GET /missing", 404, "https://www.shop.example/shoes", FIREFOX),
        line(ada, "10/Oct/2025:09:00:00", "GET /", 200, "https://shop.example/shoes", FIREFOX),
        line(bob, "10/Oct/2025:09:30:00", "GET /shoes?utm_source=spring&utm_medium=email", 200, "-", PHONE),
        line(bob, "10/Oct/2025:09:30:01", "GET /logo.PNG", 200, "https://shop.example/shoes", PHONE),
        line(ada, "11/Oct/2025:23:30:00", "GET /", 200, "https://blog.example/best", FIREFOX),
        line("198.51.100.7", "10/Oct/2025:10:00:00", "GET /shoes", 200, "-", GPTBOT),
        line("198.51.100.8", "10/Oct/2025:10:00:00", "GET /shoes", 500, "-", GOOGLEBOT),
        line("198.51.100.8", "10/Oct/2025:11:00:00", "GET /robots.txt", 404, "-", GOOGLEBOT),
        "no line of a log\n".to_owned(),
    ]
    .concat()
}

/// The values of a dimension with visitors, sessions and page views.
fn values(report: &Value, dimension: &str) -> Vec<(String, u64, u64, u64)> {
    let lists = report["lists"].as_array().unwrap();
    let list = lists.iter().find(|list| list["dimension"] == dimension);
    let Some(list) = list else { return Vec::new() };
    let n = |value: &Value| value.as_u64().unwrap();
    let values = list["values"].as_array().unwrap().iter();
    values
        .map(|v| {
            (
                v["value"].as_str().unwrap().to_owned(),
                n(&v["visitors"]),
                n(&v["sessions"]),
                n(&v["page_views"]),
            )
        })
        .collect()
}

fn named(all: &Value, name: &str) -> Vec<(String, u64)> {
    let rows = all.as_array().unwrap().iter();
    rows.map(|row| (row[name].as_str().unwrap().to_owned(), row.as_object().unwrap()))
        .map(|(name, row)| {
            (name, ["count", "requests", "lines"].iter().find_map(|n| row.get(*n)?.as_u64()).unwrap())
        })
        .collect()
}

fn pairs<const N: usize>(all: [(&str, u64); N]) -> Vec<(String, u64)> {
    all.map(|(name, count)| (name.to_owned(), count)).to_vec()
}

#[test]
fn a_report_counts_what_the_log_says() {
    let place = Place::new();
    place.write("access.log", site());
    let report = place.json(&["access.log"]);
    assert_eq!(
        (&report["format"], &report["lines"], &report["hits"]),
        (&"combined".into(), &13.into(), &12.into())
    );
    let people = &report["people"];
    // The first visitor is another one on the second day.
    assert_eq!(
        [&people["visitors"], &people["sessions"], &people["page_views"], &people["bounces"]],
        [3, 4, 5, 3].map(Value::from).each_ref()
    );
    assert_eq!(people["duration_seconds"], 300);
    // Most static files are requested by the site's own pages, so that is no source.
    assert_eq!(report["domains"], serde_json::json!(["shop.example"]));
    let value = |name: &str, a, b, c| (name.to_owned(), a, b, c);
    assert_eq!(
        values(&report, "source"),
        [
            value("Google", 1, 1, 2),
            value("blog.example", 1, 1, 1),
            value("direct", 1, 1, 1),
            value("spring", 1, 1, 1)
        ]
    );
    assert_eq!(values(&report, "page"), [value("/", 2, 3, 3), value("/shoes", 2, 2, 2)]);
    assert_eq!(values(&report, "exit_page"), [value("/shoes", 2, 2, 3), value("/", 2, 2, 2)]);
    assert_eq!(values(&report, "browser"), [value("Firefox", 2, 3, 4), value("Safari", 1, 1, 1)]);
    let channels = values(&report, "channel");
    let channels: Vec<&str> = channels.iter().map(|value| value.0.as_str()).collect();
    assert_eq!(channels, ["search", "direct", "email", "referral"]);
    let graph: Vec<_> = report["graph"].as_array().unwrap().iter().filter(|p| p["requests"] != 0).collect();
    let at: Vec<_> =
        graph.iter().map(|p| (p["at"].as_str().unwrap(), p["visitors"].as_u64().unwrap())).collect();
    let hours = ["2025-10-10T08", "2025-10-10T09", "2025-10-10T10", "2025-10-10T11", "2025-10-11T23"];
    assert_eq!(at, hours.into_iter().zip([1, 2, 0, 0, 1]).collect::<Vec<_>>());
    assert_eq!(report["graph"].as_array().unwrap().len(), 48);
    let server = &report["server"];
    assert_eq!(named(&server["statuses"], "name"), pairs([("200", 8), ("304", 1), ("404", 2), ("500", 1)]));
    assert_eq!(named(&server["not_found"]["values"], "value"), pairs([("/missing", 1), ("/robots.txt", 1)]));
    assert_eq!((&server["bytes"], &server["response_times"]), (&12_000.into(), &Value::Null));
    assert_eq!(named(&report["ai_crawlers"]["values"], "value"), pairs([("GPTBot", 1)]));
    assert_eq!(named(&report["crawlers"]["values"], "value"), pairs([("Googlebot", 2)]));
    assert_eq!(named(&report["rejects"], "reason"), pairs([("shape", 1)]));
    assert_eq!(named(&report["classes"], "name"), pairs([("human", 9), ("bot", 2), ("ai_bot", 1)]));
}

#[test]
fn a_report_is_of_a_time_and_a_time_zone() {
    let place = Place::new();
    place.write("access.log", site());
    let berlin = ["access.log", "--time-zone", "Europe/Berlin"];
    let report = place.json(&berlin);
    // Half past eleven at night is the next day there.
    assert_eq!(report["last"], "2025-10-12 01:30:00");
    assert_eq!(report["graph"].as_array().unwrap().len(), 72);
    let some = place.json(
        &[&berlin[..], &["--from", "2025-10-10T11:00", "--until", "2025-10-10T13:00:00+02:00"]].concat(),
    );
    assert_eq!((&some["hits"], &some["filtered"]), (&5.into(), &7.into()));
    for (arguments, expected) in [
        (["--time-zone", "Mars/Olympus"], "--time-zone: Mars/Olympus is no time zone"),
        (["--from", "soon"], "--from: soon is no time"),
    ] {
        let (code, _, err) = place.alt(&[&["access.log"], &arguments[..]].concat());
        assert!(code == 1 && err.contains(expected), "{err}");
    }
}

#[test]
fn response_times_are_those_of_the_log() {
    let place = Place::new();
    let lines: String = (1..=1000)
        .map(|ms| {
            format!(
                "192.0.2.1 [10/Oct/2025:08:00:00 +0000] \"GET /{} HTTP/1.1\" 200 {}.{:03}\n",
                ms % 2,
                ms / 1000,
                ms % 1000
            )
        })
        .collect();
    place.write("access.log", lines);
    let format = "$remote_addr [$time_local] \"$request\" $status $request_time";
    let report = place.json(&["access.log", "--format", format]);
    let times = &report["server"]["response_times"];
    for (name, exact) in [("p50", 500), ("p95", 950), ("p99", 990), ("max", 1000)] {
        let found = times[name].as_u64().unwrap();
        assert!(found >= exact && found <= exact + exact / 16, "{name}: {times}");
    }
    assert_eq!(report["server"]["paths"]["values"][0]["mean_ms"], 501);
}

/// What a log may hold to break out of its place, in fields that are shown.
fn hostile() -> String {
    let evil = "<script>document.title='taken'</script><img/src=x/onerror=alert(1)>'\\x22><svg/onload=alert(1)>&lt;\\x1b[2J\\xe2\\x80\\xae";
    let agent = format!("{evil} Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0");
    let mut log = String::new();
    for n in 0..30 {
        let at = format!("10/Oct/2025:08:00:{n:02}");
        log += &line(
            "192.0.2.1",
            &at,
            &format!("GET /{n}{evil}"),
            200,
            &format!("https://{evil}.example/"),
            FIREFOX,
        );
        log += &line(
            "192.0.2.2",
            &at,
            &format!("GET /{evil}?utm_source={evil}&utm_medium={evil}"),
            200,
            "-",
            &agent,
        );
        log +=
            &line("192.0.2.3", &at, &format!("GET /{evil}"), 404, "-", &format!("{evil}bot/1.0 (+http://x)"));
    }
    log
}

#[test]
fn what_a_log_holds_stays_text_on_the_page_and_in_the_terminal() {
    let place = Place::new();
    place.write("<b>access.log", hostile());
    let page = place.done(&["<b>access.log", "--html"]);
    assert!(page.contains("&lt;script&gt;document.title=&#39;taken"), "{page}");
    let tags: std::collections::BTreeSet<&str> =
        page.split('<').skip(1).map(|tag| tag.split([' ', '>', '/']).next().unwrap()).collect();
    for tag in ["script", "img", "iframe", "a", "link", "object", "form", "base"] {
        assert!(!tags.contains(tag), "<{tag}");
    }
    assert!(!page.contains("\u{1b}") && !page.contains("\u{202e}") && page.contains("\\x1b[2J\\u{202e}"));
    // Nothing runs, and nothing is fetched, whatever slips through; the style sheet is the one that was meant.
    let style = page.split("<style>").nth(1).unwrap().split("</style>").next().unwrap();
    let hash = base64::prelude::BASE64_STANDARD.encode(Sha256::digest(style));
    let policy = format!(
        "content=\"default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'\""
    );
    assert!(page.contains(&policy) && !page.contains("style="), "{policy}");
    for text in [place.done(&["<b>access.log"]), place.done(&["<b>access.log", "--json"])] {
        assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text}");
    }
}

/// What a browser makes of the page: it shows the style, and no name that a script or an image would have.
#[test]
fn a_browser_takes_the_page_as_it_is_meant() {
    if !browser::is_here() {
        return;
    }
    let place = Place::new();
    place.write("access.log", hostile());
    let said = place.done(&["access.log", "--output", "report.html"]);
    assert_eq!(said, "written    report.html\n");
    let (dom, log) = browser::dom(&place.path().join("report.html"));
    assert!(
        dom.contains("<title>access.log</title>") && dom.contains("class=\"card tiles\""),
        "{dom}\n{log}"
    );
    assert!(!log.contains("Content Security Policy"), "{log}");
    for tag in ["<script", "<img", "<svg onload"] {
        assert!(!dom.contains(tag), "{tag}");
    }
}

#[test]
fn a_report_is_the_same_of_packed_logs() {
    let place = Place::new();
    place.write("access.log", site());
    let without = |mut report: Value| {
        for name in ["files", "read_bytes", "seconds"] {
            report[name].take();
        }
        report
    };
    let plain = without(place.json(&["access.log"]));
    let run = |command: &str| {
        let ran = Command::new("sh").args(["-c", command]).current_dir(place.path()).status().unwrap();
        assert!(ran.success(), "{command}");
    };
    run(
        "mkdir in && head -n 5 access.log | gzip >in/access.log.2.gz && tail -n +6 access.log >in/access.log",
    );
    run(
        "gzip -k access.log && bzip2 -k access.log && zstd -q access.log && tar -cf logs.tar -C in access.log.2.gz access.log",
    );
    for arguments in
        [&["access.log.gz"][..], &["access.log.bz2"], &["access.log.zst"], &["in"], &["logs.tar"]]
    {
        assert_eq!(without(place.json(arguments)), plain, "{arguments:?}");
    }
}

#[test]
fn a_log_of_another_format_is_no_report() {
    let place = Place::new();
    let lines: String = (0..200).map(|n| format!("{n} is no line of a log\n")).collect();
    place.write("access.log", lines);
    place.write("good.log", site());
    for arguments in
        [&["access.log"][..], &["access.log", "--format", "combined"], &["good.log", "access.log"]]
    {
        let (code, out, err) = place.alt(arguments);
        assert!(code == 1 && out.is_empty() && err.contains("--format"), "{arguments:?}: {out}{err}");
    }
    let (code, _, err) = place.alt(&["absent.log"]);
    assert!(code == 1 && err.contains("absent.log"), "{err}");
}

#[test]
fn a_page_that_cannot_be_written_is_said_before_anything_is_read() {
    let place = Place::new();
    place.write("access.log", site());
    place.write("file", "");
    let (code, out, err) = place.alt(&["access.log", "--output", "file/report.html"]);
    assert!(code == 1 && out.is_empty() && err.contains("file/report.html"), "{out}{err}");
}

/// A log of beacons is reported with its events, time zones and screens.
#[test]
fn the_events_of_a_beacon_log_are_in_the_report() {
    let place = Place::new();
    let hit = |n: u32, args: &str| {
        format!(
            "alt1\t1760083{n:03}.000\t{n:032x}\t192.0.2.1\tGET\t204\tevents.example.com\t/b\ta=k&tz=Europe%2FBerlin&sw=1920&sh=1080&{args}\t\
             https://shop.example/page\t{FIREFOX}\tde\t\t\t\t\t\t500\t\n"
        )
    };
    let view =
        |pv: &str| format!("pv={pv}&u=https%3A%2F%2Fshop.example%2Fpage&r=https%3A%2F%2Fwww.bing.com%2F");
    // The second is a copy of the first.
    let log = [
        hit(200, &view("a")),
        hit(201, &view("a")),
        hit(210, &view("b")),
        hit(220, &(view("b") + "&e=cart_add")),
    ];
    place.write("beacon.log", log.concat());
    let report = place.json(&["beacon.log"]);
    assert_eq!((&report["format"], &report["server"]), (&"alt1".into(), &Value::Null));
    assert_eq!(report["people"]["page_views"], 2);
    let views: u64 =
        report["graph"].as_array().unwrap().iter().map(|p| p["page_views"].as_u64().unwrap()).sum();
    assert_eq!(views, 2, "of the graph");
    for (dimension, value) in
        [("country", "DE"), ("language", "de"), ("source", "Bing"), ("screen", "1920+"), ("os", "Linux")]
    {
        assert_eq!(values(&report, dimension), [(value.to_owned(), 1, 1, 2)], "{dimension}");
    }
    assert_eq!(
        values(&report, "event").iter().map(|v| v.0.as_str()).collect::<Vec<_>>(),
        ["pageview", "cart_add"]
    );
}

/// Whoever can write into a log, such as by requests for any path, takes neither memory nor more than the lines' time.
#[test]
fn the_memory_of_a_report_is_bounded_whatever_the_log_holds() {
    let place = Place::new();
    let mut log = String::new();
    for n in 0..400_000_u32 {
        let ip = std::net::Ipv4Addr::from(0x0b00_0000 + n);
        let at = format!("10/Oct/2025:{:02}:{:02}:{:02}", n / 36_000 % 24, n / 600 % 60, n / 10 % 60);
        let path = format!("/{n:x}{}", "x".repeat(400));
        let status = if n % 2 == 0 { 200 } else { 404 };
        log += &line(
            &ip.to_string(),
            &at,
            &format!("GET {path}"),
            status,
            &format!("https://{n}.example/"),
            &format!("{FIREFOX} {n}"),
        );
    }
    place.write("access.log", log);
    // Address space, of which an idle thread takes more than memory. Without bounds, paths alone take more.
    let mut said = String::new();
    let command = format!("ulimit -v 250000; exec {} report access.log --json", env!("CARGO_BIN_EXE_alt"));
    let output = Command::new("sh")
        .args(["-c", &command])
        .env("ALT_CONFIG", place.path().join("alt.toml"))
        .current_dir(place.path())
        .output()
        .unwrap();
    let _ = write!(said, "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let people = &report["people"];
    assert_eq!([&people["visitors"], &people["page_views"]], [200_000; 2].map(Value::from).each_ref());
    let listed = report["server"]["not_found"].clone();
    let sum: u64 = named(&listed["values"], "value").iter().map(|(_, n)| n).sum();
    assert_eq!(sum + listed["others"].as_u64().unwrap(), 200_000, "nothing is lost");
}
