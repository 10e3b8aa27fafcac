//! What watches the daemon works: a real Prometheus scrapes it, the dashboard shows something, and each alert fires when
//! what it is about is really broken, and no other with it. In minutes that would take a day, so the rules are run
//! with their times made shorter ([`shortened`]); the times as shipped are held by promtool's unit tests.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::net::TcpStream;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use regex::Regex;
use serde_json::Value;

use crate::archive::credentials;
use crate::support::daemon::{Daemon, alt, configuration, wait_for};
use crate::support::lines::{KEY, alt1, many, register};
use crate::support::nginx::{Nginx, Setup, read_answer};
use crate::support::not_looked_at;
use crate::support::postgres::{Cluster, Database};
use crate::support::prometheus::{Prometheus, free_port, monitoring, replace_once};
use crate::support::receiver::{Act, Receiver};
use crate::support::s3::{Fault, Server};

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// The rules with their times shortened: every `for` is 2 s and every window 6 s, and limits that are a time, or a
/// number of what only time can bring, are these. Limits of shares and numbers of lines stay.
fn shortened() -> String {
    let rules = read("monitoring/alerts.yml");
    let rules = Regex::new(r"\bfor: \d+[smhd]").unwrap().replace_all(&rules, "for: 2s");
    let rules = Regex::new(r"\[\d+[smhd]\]").unwrap().replace_all(&rules, "[6s]");
    let mut rules = Regex::new(r"offset \d+[smhd]").unwrap().replace_all(&rules, "offset 2s").into_owned();
    for (from, to) in [
        ("alt_lag_seconds > 120", "alt_lag_seconds > 4"),
        ("alt_lag_seconds > 600", "alt_lag_seconds > 6"),
        (r#"{destination="postgres"}[6s]) > 10"#, r#"{destination="postgres"}[6s]) > 2"#),
        ("alt_archive_oldest_seconds > 4 * 3600", "alt_archive_oldest_seconds > 2"),
        ("[6s], 24 * 3600)", "[6s], 30)"),
        ("alt_stats_oldest_seconds > 3600", "alt_stats_oldest_seconds > 4"),
        ("alt_alerts_behind_seconds > 600", "alt_alerts_behind_seconds > 20"),
        ("alt_alert_messages_oldest_seconds > 1800", "alt_alert_messages_oldest_seconds > 4"),
    ] {
        rules = replace_once(&rules, from, to);
    }
    rules
}

/// What the first group of a regular expression matches in a text, each time.
fn found(pattern: &str, text: &str) -> Vec<String> {
    Regex::new(pattern).unwrap().captures_iter(text).map(|found| found[1].to_owned()).collect()
}

/// The names of the alerts in the shipped rules.
fn alerts() -> BTreeSet<String> {
    let rules = read("monitoring/alerts.yml");
    found(r"- alert: (\w+)", &rules).into_iter().collect()
}

fn promtool(arguments: &[&str]) -> String {
    let output = Command::new("promtool").args(arguments).current_dir(monitoring("")).output().unwrap();
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "promtool {arguments:?}: {text}");
    text
}

#[test]
fn the_rules_hold_their_unit_tests() {
    promtool(&["check", "config", "prometheus.yml"]);
    promtool(&["check", "config", "cloudwatch/prometheus.yaml"]);
    promtool(&["check", "rules", "alerts.yml"]);
    promtool(&["test", "rules", "alerts.test.yml"]);
    // Each has a test that fires it, and one that does not.
    let tests = read("monitoring/alerts.test.yml");
    for alert in alerts() {
        let fires = Regex::new(&format!(r"alertname: {alert}\s+exp_alerts:\s+- exp_labels")).unwrap();
        let silent = Regex::new(&format!(r"alertname: {alert},?\s+exp_alerts: \[\]")).unwrap();
        assert!(fires.is_match(&tests) && silent.is_match(&tests), "{alert} has no two tests");
    }
    let short = shortened();
    let left = Regex::new(r"\[\d+[mhd]\]|for: \d+[mhd]|3600|[a-z] > 600|1800").unwrap();
    assert!(!left.is_match(&short), "{short}");
}

#[test]
fn every_alert_is_made_to_fire_here() {
    let this = read("tests/it/monitoring.rs");
    let fired: BTreeSet<String> = Regex::new(r"\.fires\(\s*&\[([^\]]*)\]")
        .unwrap()
        .captures_iter(&this)
        .flat_map(|found| quoted(&found[1]))
        .collect();
    assert_eq!(fired, alerts());
}

/// The words in quotation marks.
fn quoted(list: &str) -> Vec<String> {
    list.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn every_alert_has_a_page_in_the_runbook() {
    let (rules, runbook) = (read("monitoring/alerts.yml"), read("docs/RUNBOOK.md"));
    let pages: BTreeSet<String> = found(r"(?m)^## (Alt\w+)$", &runbook).into_iter().collect();
    assert_eq!(pages, alerts());
    for rule in rules.split("- alert: ").skip(1) {
        let name = rule.lines().next().unwrap();
        let page = format!("runbook: docs/RUNBOOK.md#{}\n", name.to_lowercase());
        assert!(rule.contains(&page), "{name} does not name its page");
        for part in ["severity: ", "summary: ", "description: "] {
            assert!(rule.contains(part), "{name} has no {part}");
        }
    }
    let alarms = read("monitoring/cloudwatch/alarms.yaml");
    let named = found(r"docs/RUNBOOK.md#(\w+)", &alarms);
    assert_eq!(named.len(), alarms.matches("AWS::CloudWatch::Alarm").count());
    let pages: BTreeSet<String> = pages.iter().map(|page| page.to_lowercase()).collect();
    assert!(named.iter().all(|page| pages.contains(page)), "{named:?}");
}

#[test]
fn what_the_runbook_says_to_type_exists() {
    let runbook = read("docs/RUNBOOK.md");
    let database = Database::create();
    let (mut statements, mut commands) = (0, 0);
    for line in runbook.lines().filter_map(|line| line.strip_prefix("    ")) {
        if let Some(sql) = line.strip_prefix("psql alt -c \"") {
            database.psql(sql.strip_suffix('"').unwrap());
            statements += 1;
        }
        let Some(command) = line.strip_prefix("sudo ").unwrap_or(line).strip_prefix("alt ") else { continue };
        commands += 1;
        let command = command.split('#').next().unwrap();
        let help = |verbs: &[&str]| {
            let output = alt().arg("help").args(verbs).output().unwrap();
            output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
        };
        let words: Vec<&str> = command.split_whitespace().collect();
        let text = (1..=words.len().min(2)).rev().find_map(|count| help(&words[..count]));
        let text = text.unwrap_or_else(|| panic!("there is no alt {command}"));
        for option in words.iter().filter(|word| word.starts_with("--")) {
            assert!(text.contains(option), "alt {command}: there is no {option}");
        }
    }
    assert!(statements > 8 && commands > 15, "{statements} statements, {commands} commands");
}

/// The alerts as they come and go.
struct Watch {
    prometheus: Prometheus,
}

impl Watch {
    fn start(admin: u16) -> Watch {
        let watch = Watch { prometheus: Prometheus::start(admin, &shortened()) };
        // Before its first scrape, there is no daemon.
        watch.ends();
        watch
    }

    /// Waits until all of `expected` fire at once. Until then none but these and `allowed` may.
    fn fires(&self, expected: &[&str], allowed: &[&str]) {
        let deadline = Instant::now() + Duration::from_secs(40);
        loop {
            let firing = self.prometheus.firing();
            let stray = firing.iter().find(|name| ![expected, allowed].concat().contains(&name.as_str()));
            assert!(stray.is_none(), "{firing:?} fire, expected {expected:?}; {}", self.state());
            if expected.iter().all(|name| firing.contains(*name)) {
                return;
            }
            assert!(Instant::now() < deadline, "{firing:?} fire, expected {expected:?}; {}", self.state());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits until none fires any more, nor is about to.
    fn ends(&self) {
        let mut since = Instant::now();
        let quiet = || {
            let alerts = self.prometheus.get("alerts", &[]).expect("it answers");
            if alerts["data"]["alerts"] != serde_json::json!([]) {
                since = Instant::now();
            }
            since.elapsed() > Duration::from_millis(1500)
        };
        wait_for(40, quiet, || self.state());
    }

    /// For so many seconds none fires.
    fn silent(&self, seconds: u64) {
        let until = Instant::now() + Duration::from_secs(seconds);
        while Instant::now() < until {
            let firing = self.prometheus.firing();
            assert!(firing.is_empty(), "{firing:?} fire; {}", self.state());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// What the metrics are, for a failed test.
    fn state(&self) -> String {
        let mut lines: Vec<String> = self
            .prometheus
            .query(r#"{__name__=~"ALERTS|up|alt_.+",__name__!~".+_bucket"} != 0"#)
            .iter()
            .map(|series| format!("{} {}", series["metric"], series["value"][1]))
            .collect();
        lines.sort();
        lines.join("\n")
    }
}

/// Does something again and again until it is dropped.
struct Again {
    done: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Again {
    fn every(milliseconds: u64, mut what: impl FnMut() + Send + 'static) -> Again {
        let done = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&done);
        let thread = std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                what();
                std::thread::sleep(Duration::from_millis(milliseconds));
            }
        });
        Again { done, thread: Some(thread) }
    }
}

impl Drop for Again {
    fn drop(&mut self) {
        self.done.store(true, Ordering::Relaxed);
        let _ = self.thread.take().unwrap().join();
    }
}

/// Hits at a steady pace, appended to a log.
fn hits(log: &Path) -> Again {
    let mut file = OpenOptions::new().create(true).append(true).open(log).unwrap();
    Again::every(20, move || file.write_all(alt1().as_bytes()).unwrap())
}

/// One round of everything that clients send: each event type, what is no hit, what is rejected.
fn visit(port: u16, n: u64) {
    let mut connection = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let mut send = |head: String, body: &str| {
        let request = format!(
            "{head} HTTP/1.1\r\nHost: collect.example\r\nX-Forwarded-For: 192.0.2.1\r\nUser-Agent: Mozilla/5.0 (X11; Linux \
             x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        connection.write_all(request.as_bytes()).unwrap();
        let answer = read_answer(&mut connection, head.starts_with("HEAD")).unwrap();
        if answer.header("connection") == "close" {
            connection = TcpStream::connect(("127.0.0.1", port)).unwrap();
        }
    };
    for event in ["pageview", "engagement", "click", "outbound", "search", "cart_add", "of-our-own"] {
        send(format!("GET /b?a={KEY}&e={event}&u=https%3A%2F%2Fshop.example%2F{n}"), "");
    }
    send("POST /api/v1/track".to_owned(), &format!(r#"{{"application_id":"{KEY}","event_type":"click"}}"#));
    send(format!("HEAD /b?a={KEY}"), "");
    send(format!("DELETE /b?a={KEY}"), "");
    send("GET /b?a=nobody".to_owned(), "");
    send("GET /b?x=1".to_owned(), "");
}

/// Names of metrics in a text, without what begins alike in it.
fn metrics_in(text: &str) -> BTreeSet<String> {
    let name = Regex::new(r"\b(?:alt_(?:lines|rows|lag|files|idle|missing|commit|batch|retries|postgres|partition|partitions|retention|clock|database|archive|local|log|build|bytes|application|worker|rejects|agents)|process|http|tracking_events|database_connections)[a-z_]*").unwrap();
    name.find_iter(text).map(|found| found.as_str().to_owned()).collect()
}

fn scraped_names(prometheus: &Prometheus) -> BTreeSet<String> {
    let answer = prometheus.get("label/__name__/values", &[]).unwrap();
    let names = answer["data"].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned());
    names.filter(|name| metrics_in(name).contains(name)).collect()
}

/// The labels that a metric's series have, beside those that a scrape adds.
fn labels(prometheus: &Prometheus, metric: &str) -> BTreeSet<String> {
    let series = prometheus.query(&format!("{{__name__=~\"{metric}(_count)?\"}}"));
    let names = series.iter().flat_map(|one| one["metric"].as_object().unwrap().keys().cloned());
    names.filter(|name| !["__name__", "job", "instance"].contains(&name.as_str())).collect()
}

/// The table in monitoring/README.md names each metric with its type and labels, and nothing else.
fn check_readme(prometheus: &Prometheus) {
    let readme = read("monitoring/README.md");
    let row = Regex::new(r"(?m)^\| `([a-z_]+)(?:\{([a-z_,]+)\})?` \| (\w+) \|").unwrap();
    let metadata = prometheus.get("metadata", &[]).unwrap();
    let mut told = BTreeSet::new();
    for found in row.captures_iter(&readme) {
        let (name, kind) = (&found[1], &found[3]);
        assert_eq!(metadata["data"][name][0]["type"], kind, "{name}");
        let wanted: BTreeSet<String> = found
            .get(2)
            .map(|labels| labels.as_str().split(',').map(str::to_owned).collect())
            .unwrap_or_default();
        assert_eq!(labels(prometheus, name), wanted, "{name}");
        if kind == "histogram" {
            told.extend(["bucket", "count", "sum"].map(|part| format!("{name}_{part}")));
        } else {
            told.insert(name.to_owned());
        }
    }
    let scraped = scraped_names(prometheus);
    let differ: Vec<_> = scraped.symmetric_difference(&told).collect();
    assert!(differ.is_empty(), "scraped or told, and not both: {differ:?}");
}

/// Every query of the dashboard gives something.
fn check_dashboard(prometheus: &Prometheus) {
    let dashboard: Value = serde_json::from_str(&read("monitoring/grafana/dashboard.json")).unwrap();
    let insert = |query: &str| {
        let query = query.replace("$__rate_interval", "10s").replace("$__range", "1m");
        let query = query.replace("$__interval", "10s").replace("$instance", ".+").replace("$app", ".+");
        assert!(!query.replace("\"$1\"", "").contains('$'), "{query}");
        query
    };
    let mut count = 0;
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            let query = insert(target["expr"].as_str().unwrap());
            let (now, then) = (prometheus.query(&query), prometheus.range(&query, 5));
            let is_number = |value: &Value| value[1].as_str().is_some_and(|number| number != "NaN");
            let shown = now.iter().any(|series| is_number(&series["value"]))
                && then.iter().any(|series| series["values"].as_array().unwrap().iter().any(is_number));
            assert!(shown, "{}: {query}: {now:?}", panel["title"]);
            // What a legend names is there.
            let legend = target["legendFormat"].as_str().unwrap();
            for label in found(r"\{\{(\w+)\}\}", legend) {
                assert!(now.iter().all(|series| series["metric"].get(&label).is_some()), "{query}: {legend}");
            }
            count += 1;
        }
    }
    assert!(count > 50, "{count} queries");
    // What it is marked with is there at times only.
    for annotation in dashboard["annotations"]["list"].as_array().unwrap() {
        if let Some(query) = annotation["expr"].as_str() {
            prometheus.range(&insert(query), 5);
        }
    }
    // The events are shown by the application's name.
    let events = dashboard["panels"]
        .as_array()
        .unwrap()
        .iter()
        .find(|panel| panel["type"] == "timeseries" && panel["title"] == "Events by application");
    let names = prometheus.query(&insert(events.unwrap()["targets"][0]["expr"].as_str().unwrap()));
    assert_eq!(names.iter().map(|series| series["metric"]["name"].clone()).collect::<Vec<_>>(), ["Shop"]);
}

/// What CloudWatch's agent is to make metrics of, and alarms are about, is there, with those labels.
fn check_cloudwatch(prometheus: &Prometheus) {
    let names = scraped_names(prometheus);
    let agent: Value =
        serde_json::from_str(&read("monitoring/cloudwatch/amazon-cloudwatch-agent.json")).unwrap();
    let scrape = read("monitoring/cloudwatch/prometheus.yaml");
    let kept = Regex::new(r"(?m)^ +regex: (\S+)$").unwrap().captures(&scrape).unwrap()[1].to_owned();
    let kept = Regex::new(&format!("^(?:{kept})$")).unwrap();
    let kept: BTreeSet<&String> = names.iter().filter(|name| kept.is_match(name)).collect();
    let processor = &agent["logs"]["metrics_collected"]["prometheus"]["emf_processor"];
    let mut sent: Vec<(String, BTreeSet<String>)> = Vec::new();
    for declaration in processor["metric_declaration"].as_array().unwrap() {
        for selector in declaration["metric_selectors"].as_array().unwrap() {
            let selector = selector.as_str().unwrap();
            let metrics = metrics_in(selector);
            assert_eq!(metrics.len(), selector.matches("alt_").count(), "{selector}");
            for metric in metrics {
                assert!(kept.contains(&metric), "{metric} is not scraped");
                let there = labels(prometheus, &metric);
                for dimensions in declaration["dimensions"].as_array().unwrap() {
                    let dimensions: BTreeSet<String> = dimensions
                        .as_array()
                        .unwrap()
                        .iter()
                        .map(|name| name.as_str().unwrap().to_owned())
                        .collect();
                    // host is added by prometheus.yaml
                    assert!(dimensions.iter().all(|name| name == "host" || there.contains(name)), "{metric}");
                    sent.push((metric.clone(), dimensions));
                }
            }
        }
    }
    let metrics: BTreeSet<&String> = sent.iter().map(|(metric, _)| metric).collect();
    assert_eq!(metrics, kept);
    for metric in processor["metric_unit"].as_object().unwrap().keys() {
        assert!(metrics.contains(metric), "{metric}");
    }
    let alarms = read("monitoring/cloudwatch/alarms.yaml");
    let mut count = 0;
    for block in alarms.split("MetricName: ").skip(1) {
        let metric = block.lines().next().unwrap().to_owned();
        let block = block.split("Stat").next().unwrap();
        let dimensions: BTreeSet<String> = found(r"\{Name: (\w+),", block).into_iter().collect();
        let it = (metric, dimensions);
        assert!(sent.contains(&it), "{it:?} is not sent");
        count += 1;
    }
    assert!(count > 15);
}

/// The rules of a Prometheus are all evaluated without an error.
fn check_rules(prometheus: &Prometheus) {
    let rules = prometheus.get("rules", &[]).unwrap();
    let mut names = BTreeSet::new();
    for rule in rules["data"]["groups"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|group| group["rules"].as_array().unwrap())
    {
        assert_eq!(rule["health"], "ok", "{rule}");
        for metric in metrics_in(rule["query"].as_str().unwrap()) {
            assert!(!prometheus.query(&metric).is_empty(), "{metric} of {} is not there", rule["name"]);
        }
        names.insert(rule["name"].as_str().unwrap().to_owned());
    }
    assert_eq!(names, alerts());
}

/// A page of the admin port, as it is.
fn page(admin: u16, path: &str) -> String {
    let url = format!("http://127.0.0.1:{admin}{path}");
    let output = Command::new("curl").args(["-sS", "--max-time", "10", &url]).output().unwrap();
    assert!(output.status.success(), "{url}");
    String::from_utf8(output.stdout).unwrap()
}

fn check_metrics(admin: u16) {
    let mut child = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(page(admin, "/metrics").as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.is_empty(), "{text}");
}

/// A configuration with the admin port open.
fn configured(directory: &Path, database: &Database, log: &Path, more: &str) -> (PathBuf, u16) {
    let source = format!("[[source]]\npaths = [\"{}\"]", log.display());
    let config = configuration(directory, database, &source, "");
    let admin = free_port();
    let text = fs::read_to_string(&config).unwrap();
    // The same port after a restart, as on a site.
    let text = replace_once(&text, "listen = \"127.0.0.1:0\"", &format!("listen = \"127.0.0.1:{admin}\""));
    fs::write(&config, format!("{text}{more}\n")).unwrap();
    (config, admin)
}

#[test]
fn the_dashboard_shows_a_daemon_and_alerts_fire_for_lines_and_archive() {
    let server = Server::start();
    let broken = "location = /broken { include alt/alt-endpoint.conf; proxy_pass http://127.0.0.1:1; }";
    // Of what comes too fast, one in ten is refused and logged: as many of it as half an hour brings, at once.
    let (limit, much) = ("burst=1100 delay=1000", "burst=20000 delay=1000");
    let nginx = Setup::http().edit("alt-endpoint.conf", limit, much).in_server(broken).start();
    let database = Database::create();
    register(&database);
    let (config, admin) =
        configured(nginx.dir(), &database, &nginx.log_path, &server.configuration("monitoring"));
    let daemon = Daemon::start_with(&config, |command| {
        credentials(command);
    });
    let mut n = 0;
    let port = nginx.port;
    let visits = Again::every(200, move || {
        n += 1;
        visit(port, n);
    });
    let watch = Watch::start(admin);
    // One trouble each that is tried again, so that there is something to be seen of it. A connection that is found to be
    // closed before it is used is no trouble.
    server.always(Some(Fault::Answer(503, "SlowDown")));
    nginx.logrotate();
    let retried = |destination: &str| {
        !watch.prometheus.query(&format!("alt_retries_total{{destination=\"{destination}\"}} > 0")).is_empty()
    };
    wait_for(30, || retried("archive"), || watch.state());
    server.always(None);
    let is_tried_again = || {
        database.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'alt'");
        retried("postgres")
    };
    wait_for(30, is_tried_again, || watch.state());
    let archived =
        || !watch.prometheus.query("alt_archive_objects_total > 0 and alt_archive_up == 1").is_empty();
    wait_for(30, archived, || watch.state());
    watch.ends();
    watch.silent(5);

    check_metrics(admin);
    check_rules(&watch.prometheus);
    check_readme(&watch.prometheus);
    check_dashboard(&watch.prometheus);
    check_cloudwatch(&watch.prometheus);

    let append = |text: &str| {
        let mut file = OpenOptions::new().append(true).open(&nginx.log_path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    };
    append(&alt1().replace("\tGET\t", "\t").repeat(150));
    watch.fires(&["AltRejects"], &[]);
    watch.ends();
    append(&many(150).replace("a=shop", "a=shoq"));
    watch.fires(&["AltUnknownApplication"], &[]);
    watch.ends();
    // What a counter begins with when it is seen first is no increase.
    assert_eq!(nginx.get("/broken"), 502);
    let seen = || !watch.prometheus.query("alt_lines_non_hit_total{kind=\"502\"}").is_empty();
    wait_for(10, seen, || watch.state());
    for _ in 0..80 {
        assert_eq!(nginx.get("/broken"), 502);
    }
    watch.fires(&["AltServerErrors"], &[]);
    watch.ends();
    // A flood from one address: a thousand at once are let through. Again, the counter has to be seen first.
    assert!(flood(&nginx, 3000) > 100);
    let seen = || !watch.prometheus.query("alt_lines_non_hit_total{kind=\"429\"}").is_empty();
    wait_for(10, seen, || watch.state());
    assert!(flood(&nginx, 9000) > 600);
    watch.fires(&["AltRateLimited"], &[]);
    watch.ends();
    server.always(Some(Fault::Answer(403, "AccessDenied")));
    nginx.logrotate();
    watch.fires(&["AltArchiveDown", "AltArchiveBehind"], &[]);
    server.always(None);
    watch.ends();
    drop(visits);
    assert!(daemon.stop().success());
}

/// What may fire while no rows are taken.
const DOWN: &[&str] = &["AltPostgresDown", "AltDatabaseRetries", "AltLagging", "AltNotCatchingUp"];

#[test]
fn alerts_fire_for_the_database() {
    let clusters = [(); 2].map(|()| Cluster::start(&["fsync=off"]));
    let databases = clusters.each_ref().map(Cluster::database);
    for database in &databases {
        register(database);
    }
    // Both have the same name, and are reached by one path.
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("socket");
    symlink(clusters[0].dir(), &socket).unwrap();
    clusters[1]
        .psql("postgres", &format!("ALTER DATABASE {} RENAME TO {}", databases[1].name, databases[0].name));
    let log = directory.path().join("beacon.log");
    let visits = hits(&log);
    let (config, admin) = configured(directory.path(), &databases[0], &log, "");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace(clusters[0].dir().to_str().unwrap(), socket.to_str().unwrap())).unwrap();
    let daemon = Daemon::start(&config);
    let watch = Watch::start(admin);
    watch.silent(6);

    // Somebody locks a table and goes for lunch.
    let mut session = lock(&clusters[0], &databases[0]);
    watch.fires(&["AltLagging", "AltNotCatchingUp"], &["AltPostgresDown", "AltDatabaseRetries"]);
    session.kill().unwrap();
    session.wait().unwrap();
    clusters[0].psql(
        "postgres",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'lunch'",
    );
    watch.ends();

    // Connections break again and again: three of four transactions end with their backend.
    clusters[0].psql(
        &databases[0].name,
        "CREATE SEQUENCE attempts; \
         CREATE FUNCTION breaks() RETURNS trigger SECURITY DEFINER LANGUAGE plpgsql AS $$ BEGIN \
           IF nextval('attempts') % 4 <> 0 THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF; \
           RETURN NULL; END $$; \
         CREATE TRIGGER breaks AFTER INSERT OR UPDATE ON checkpoints FOR EACH STATEMENT EXECUTE FUNCTION breaks()",
    );
    watch.fires(&["AltDatabaseRetries"], &["AltPostgresDown", "AltLagging", "AltNotCatchingUp"]);
    clusters[0].psql(&databases[0].name, "DROP FUNCTION breaks CASCADE; DROP SEQUENCE attempts");
    watch.ends();

    clusters[0].down("immediate");
    watch.fires(&["AltPostgresDown"], DOWN);
    clusters[0].up();
    watch.ends();

    // Another cluster takes the place of the first.
    clusters[0].down("fast");
    fs::remove_file(&socket).unwrap();
    symlink(clusters[1].dir(), &socket).unwrap();
    // Its partitions of the months ahead are made within the hour.
    watch.fires(&["AltDatabaseChanged"], &[DOWN, &["AltPartitionsAhead"]].concat());
    let loaded = || {
        let rows: usize =
            clusters[1].psql(&databases[0].name, "SELECT count(*) FROM access_logs").parse().unwrap();
        rows >= fs::read_to_string(&log).unwrap().lines().count()
    };
    drop(visits);
    wait_for(30, loaded, || watch.state());
    assert!(daemon.stop().success());
}

#[test]
fn an_alert_fires_where_statistics_wait() {
    let database = Database::create();
    register(&database);
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("beacon.log");
    fs::write(&log, alt1()).unwrap();
    let (config, admin) = configured(directory.path(), &database, &log, "[stats]\nenabled = true");
    let daemon = Daemon::start_with(&config, |command| _ = command.env("ALT_FAULT_WAIT", "1500"));
    let computed = "SELECT count(*) FROM stat_days WHERE generation > 0";
    wait_for(30, || database.psql(computed) == "1", || daemon.log());
    let watch = Watch::start(admin);
    watch.silent(3);
    // Nobody can replace a day's statistics, and one has waited for two hours.
    database.psql(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION $$refused$$; END'; \
         CREATE TRIGGER refuse BEFORE UPDATE ON stat_days FOR EACH ROW EXECUTE FUNCTION refuse(); \
         INSERT INTO stat_dirty (app_id, day, marked_at) SELECT app_id, day, now() - interval '2 hours' FROM stat_days",
    );
    watch.fires(&["AltStatsBehind"], &["AltWorkerFails"]);
    database.psql("DROP TRIGGER refuse ON stat_days");
    watch.ends();
    assert!(daemon.stop().success());
}

/// A rule that always holds tells two channels: one is at an address that is refused, the receiver of the other is down.
#[test]
fn alerts_fire_where_rules_wait_and_messages_do_not_arrive() {
    let database = Database::create();
    register(&database);
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("beacon.log");
    fs::write(&log, alt1()).unwrap();
    let down = Receiver::start(Act::Answer("HTTP/1.1 503 No\r\nRetry-After: 3600\r\n\r\n".to_owned()));
    let more = format!(
        "[alerts]\nenabled = true\nallow = [\"{}\"]\n\
         [[channel]]\nname = \"refused\"\nkind = \"slack\"\nurl = \"http://127.0.0.1:9/hook\"\n\
         [[channel]]\nname = \"down\"\nkind = \"slack\"\nurl = \"{}\"",
        down.address,
        down.url("/hook")
    );
    let (config, admin) = configured(directory.path(), &database, &log, &more);
    let add = |rule: &str| {
        let file = directory.path().join("rules.toml");
        fs::write(
            &file,
            format!("[[rule]]\nname = \"{rule}\"\ncompare = \">= 0\"\nchannels = [\"{rule}\"]\n"),
        )
        .unwrap();
        let added =
            alt().args(["alerts", "rule", "add"]).arg(&file).arg("--config").arg(&config).output().unwrap();
        assert!(added.status.success(), "{added:?}");
    };
    let daemon = Daemon::start_with(&config, |command| _ = command.env("ALT_FAULT_WAIT", "1500"));
    let watch = Watch::start(admin);
    watch.silent(3);
    add("refused");
    watch.fires(&["AltMessagesDead"], &[]);
    database.psql("UPDATE alert_outbox SET done_at = now() - interval '25 hours' WHERE state = 'dead'");
    watch.ends();
    add("down");
    watch.fires(&["AltMessagesLate"], &[]);
    database.psql("UPDATE alert_outbox SET state = 'sent', done_at = now() WHERE state = 'due'");
    watch.ends();
    // Nobody can store how far is judged.
    database.psql(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION $$refused$$; END'; \
         CREATE TRIGGER refuse BEFORE UPDATE ON alert_apps FOR EACH ROW EXECUTE FUNCTION refuse()",
    );
    watch.fires(&["AltAlertsBehind", "AltRulesNotJudged"], &["AltWorkerFails"]);
    database.psql("DROP TRIGGER refuse ON alert_apps");
    watch.ends();
    assert!(daemon.stop().success());
}

#[test]
fn alerts_fire_for_partitions_clocks_and_the_daemon() {
    let database = Database::create();
    register(&database);
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("beacon.log");
    let visits = hits(&log);
    let (config, admin) = configured(directory.path(), &database, &log, "");
    let mut daemon = Daemon::start(&config);
    let watch = Watch::start(admin);
    watch.silent(6);

    // Somebody detaches the partitions of this month and the next, and they stay as tables of these names.
    let attached = "FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'access_logs'::regclass";
    let names = database.psql(&format!(
        "SELECT c.relname || ' ' || pg_get_expr(c.relpartbound, c.oid) {attached} ORDER BY 1 LIMIT 2"
    ));
    for partition in names.lines() {
        let name = partition.split(' ').next().unwrap();
        database.psql(&format!("ALTER TABLE access_logs DETACH PARTITION {name}"));
    }
    watch.fires(&["AltPartitionMissing", "AltPartitionsAhead"], DOWN);
    for partition in names.lines() {
        database.psql(&format!("ALTER TABLE access_logs ATTACH PARTITION {partition}"));
    }
    watch.ends();

    // The last of those that are made ahead is in the way of itself, which a daemon finds that starts.
    let last = database.psql(&format!(
        "SELECT c.relname || ' ' || pg_get_expr(c.relpartbound, c.oid) {attached} ORDER BY 1 DESC LIMIT 1"
    ));
    let name = last.split(' ').next().unwrap();
    database.psql(&format!("ALTER TABLE access_logs DETACH PARTITION {name}"));
    assert!(daemon.stop().success());
    daemon = Daemon::start(&config);
    watch.fires(&["AltWorkerFails"], &["AltDown"]);
    database.psql(&format!("ALTER TABLE access_logs ATTACH PARTITION {last}"));
    watch.ends();

    // The log is deleted while nobody reads it.
    drop(visits);
    assert!(daemon.stop().success());
    fs::remove_file(&log).unwrap();
    daemon = Daemon::start(&config);
    watch.fires(&["AltLogMissing"], &["AltDown"]);
    let forget = ["status", "--forget", "all", "--config", config.to_str().unwrap()];
    assert!(alt().args(forget).status().unwrap().success());
    watch.ends();

    // Nothing is missing, so the clock alone is wrong.
    assert!(daemon.stop().success());
    daemon = Daemon::start_with(&config, |command| {
        let library = glob::glob("/usr/lib/*/faketime/libfaketime.so.1").unwrap().next().unwrap().unwrap();
        command.env("LD_PRELOAD", library).env("FAKETIME", "-30s").env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    });
    watch.fires(&["AltClockDifference"], &["AltDown"]);
    assert!(daemon.stop().success());
    daemon = Daemon::start_with(&config, |command| {
        let library = glob::glob("/usr/lib/*/faketime/libfaketime.so.1").unwrap().next().unwrap().unwrap();
        command.env("LD_PRELOAD", library).env("FAKETIME", "-3d").env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    });
    watch.fires(&["AltRetentionWaits"], &["AltDown", "AltClockDifference"]);
    let started = || {
        let seen = watch.prometheus.query("process_start_time_seconds");
        seen.first().map(|series| series["value"][1].clone())
    };
    for _ in 0..5 {
        let before = started();
        assert!(daemon.stop().success());
        daemon = Daemon::start(&config);
        // Each is seen by a scrape.
        wait_for(30, || started().is_some_and(|now| Some(now) != before), || watch.state());
    }
    watch.fires(&["AltRestarting"], &["AltDown", "AltClockDifference"]);
    watch.ends();

    assert!(daemon.stop().success());
    watch.fires(&["AltDown"], &[]);
    watch.prometheus.forget_targets();
    watch.fires(&["AltAbsent"], &["AltDown"]);
}

/// Sends so many hits from one address, as fast as it goes, and says how many were refused.
fn flood(nginx: &Nginx, count: usize) -> usize {
    let mut connection = nginx.connect();
    let mut refused = 0;
    for _ in 0..count {
        connection.write_all(b"GET /b?a=shop HTTP/1.1\r\nHost: collect.example\r\n\r\n").unwrap();
        let answer = read_answer(&mut connection, false).unwrap();
        refused += usize::from(answer.status == 429);
        if answer.header("connection") == "close" {
            connection = nginx.connect();
        }
    }
    refused
}

/// A session that holds a lock on the checkpoints.
fn lock(cluster: &Cluster, database: &Database) -> Child {
    let url = format!(
        "postgres:///{}?host={}&user=postgres&application_name=lunch",
        database.name,
        cluster.dir().display()
    );
    let session = Command::new("psql")
        .env("PGPORT", "5432")
        .args(["-XqAt", "-d", &url, "-c", "BEGIN; LOCK TABLE checkpoints; SELECT pg_sleep(60)"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let held = || {
        database.psql("SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted AND relation = 'checkpoints'::regclass") == "1"
    };
    wait_for(10, held, String::new);
    session
}

/// A disk of 64 MiB in memory. Where the system allows no mounts, the test says so and looks at nothing.
#[test]
fn alerts_fire_for_a_disk_that_fills() {
    let directory = tempfile::tempdir().unwrap();
    let disk = directory.path().join("disk");
    fs::create_dir(&disk).unwrap();
    let mounted =
        Command::new("mount").args(["-t", "tmpfs", "-o", "size=64m", "none"]).arg(&disk).output().unwrap();
    if !mounted.status.success() {
        not_looked_at("the alerts of a full disk (that needs root and the right to mount)");
        return;
    }
    let _unmount = Unmount(disk.clone());
    let database = Database::create();
    register(&database);
    let log = disk.join("beacon.log");
    let _visits = hits(&log);
    let (config, admin) = configured(directory.path(), &database, &log, "");
    let _daemon = Daemon::start(&config);
    let watch = Watch::start(admin);
    // More than half is in use, and it stays at that.
    fs::write(disk.join("old"), vec![0; 36 << 20]).unwrap();
    std::thread::sleep(Duration::from_secs(7));
    watch.ends();
    watch.silent(3);
    let mut filler = fs::File::create(disk.join("filler")).unwrap();
    let fills = Again::every(250, move || filler.write_all(&vec![0; 512 << 10]).unwrap());
    watch.fires(&["AltLogDiskFilling"], &[]);
    drop(fills);
    fs::remove_file(disk.join("filler")).unwrap();
    watch.ends();
    fs::write(disk.join("filler"), vec![0; 26 << 20]).unwrap();
    watch.fires(&["AltLogDiskLow"], &["AltLogDiskFilling"]);
    fs::remove_file(disk.join("filler")).unwrap();
    watch.ends();
}

struct Unmount(PathBuf);

impl Drop for Unmount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
