//! What one address can make nginx write, and what of it the daemon stores: the bounds of docs/SECURITY.md, on the shipped
//! files.

use std::io::{Read, Write};
use std::time::Instant;

use crate::support::bench::UNBALANCED;
use crate::support::daemon::{Daemon, alt, configuration, wait_for};
use crate::support::http2::Http2;
use crate::support::lines::register;
use crate::support::nginx::{Line, Nginx, Setup, read_lines, until};
use crate::support::pack::gzip;
use crate::support::postgres::Database;

const TRACK: &str = "/api/v1/track";

/// The longest line of a request that is not large, and of one that is.
const LINE_BYTES: usize = 11_200;
const LARGE_LINE_BYTES: usize = 146_000;
/// The longest line of what is no hit.
const REFUSED_LINE_BYTES: usize = 150;
/// Lines at once, and a second.
const RATE: (usize, usize) = (1101, 100);
const LARGE_RATE: (usize, usize) = (551, 10);

/// Entries of HPACK's static table.
const USER_AGENT: usize = 58;
const REFERER: usize = 51;

/// More requests than the rates let pass in the time that they take.
const REQUESTS: usize = 3000;

/// How many lines a rate allows in a time.
fn most((at_once, per_second): (usize, usize), since: Instant) -> usize {
    at_once + per_second * (usize::try_from(since.elapsed().as_secs()).unwrap() + 1)
}

/// Lets `send` make requests, and compares the lines with a rate and a length. Of all that is refused nothing else is
/// written: no line in another log. The hits among the lines.
fn flood(rate: (usize, usize), line_bytes: usize, send: impl FnOnce(&Nginx)) -> Vec<Line> {
    let nginx = Nginx::start();
    let began = Instant::now();
    send(&nginx);
    let lines = nginx.lines();
    let most = most(rate, began);
    assert!(lines.len() <= most, "{} lines in {:?}, {most} are allowed", lines.len(), began.elapsed());
    for line in &lines {
        let bytes = if line.status() == 204 { line_bytes } else { REFUSED_LINE_BYTES };
        assert!(line.raw_len < bytes, "{} bytes, {bytes} are allowed: {line:?}", line.raw_len);
    }
    only_the_beacon_log_is_written(&nginx);
    lines.into_iter().filter(|line| line.status() == 204).collect()
}

fn only_the_beacon_log_is_written(nginx: &Nginx) {
    // The tests have nginx log at `info`; it logs at `error` by default.
    let log = nginx.error_log();
    let shown = |line: &&str| !["[info]", "[notice]"].iter().any(|level| line.contains(level));
    let lines: Vec<&str> = log.lines().filter(shown).take(3).collect();
    assert!(lines.is_empty(), "{lines:?}");
    assert_eq!(nginx.other_log(), "");
}

/// Sends a request so often on kept connections, and reads what comes.
fn send_http_1(nginx: &Nginx, request: &[u8], count: usize) {
    const AT_ONCE: usize = 20;
    let mut buffer = vec![0; 64 * 1024];
    for _ in 0..count.div_ceil(500) {
        let mut connection = nginx.connect();
        for _ in 0..500 / AT_ONCE {
            connection.write_all(&request.repeat(AT_ONCE)).expect("send");
            let mut answers = Vec::new();
            while memchr::memmem::find_iter(&answers, "HTTP/1.1 ").count() < AT_ONCE
                || !answers.ends_with(b"\n")
            {
                let n = connection.read(&mut buffer).expect("read");
                assert!(n > 0, "nginx closed the connection");
                answers.extend_from_slice(&buffer[..n]);
            }
        }
    }
}

fn request(method: &str, path: &str, headers: &[(&str, &[u8])], body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("{method} {path} HTTP/1.1\r\nHost: events.example.com\r\n").into_bytes();
    for (name, value) in headers {
        bytes.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
    }
    if method == "POST" {
        bytes.extend(format!("Content-Length: {}\r\n", body.len()).bytes());
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(body);
    bytes
}

#[test]
fn requests_over_http_1_are_refused_without_a_line_each() {
    let hits = flood(RATE, LINE_BYTES, |nginx| {
        let query = "\"".repeat(3000);
        let headers = [("User-Agent", "\"".repeat(500)), ("Referer", "\"".repeat(500))];
        let headers = headers.each_ref().map(|(name, value)| (*name, value.as_bytes()));
        send_http_1(nginx, &request("GET", &format!("/b?{query}"), &headers, b""), REQUESTS);
    });
    assert!(hits.len() > 1000 && hits[0].raw_len > 8000, "{}: {:?}", hits.len(), hits[0]);
}

#[test]
fn large_requests_have_a_rate_of_their_own() {
    let hits = flood(LARGE_RATE, LARGE_LINE_BYTES, |nginx| {
        let quotes = "\"".repeat(15_900);
        let headers = [("User-Agent", quotes.as_bytes()), ("Referer", quotes.as_bytes())];
        let body = [b"\x1f\x8b", [1; 16_382].as_slice()].concat();
        send_http_1(nginx, &request("POST", &format!("{TRACK}?{quotes}"), &headers, &body), 1000);
    });
    assert!(hits.len() > 450 && hits[0].raw_len > 130_000, "{}: {:?}", hits.len(), hits[0]);
}

#[test]
fn requests_over_http_2_are_refused_without_a_line_each() {
    let values: [(usize, &[u8], usize); 3] = [
        (USER_AGENT, &[1; 3800], 150),     // control bytes: left out
        (USER_AGENT, &[b'"'; 3800], 2300), // cut
        (REFERER, &[b'"'; 3800], 7800),    // whole, each quote as two bytes
    ];
    for (header, value, bytes) in values {
        let mut sent = 0;
        let hits = flood(RATE, LINE_BYTES, |nginx| {
            for _ in 0..REQUESTS.div_ceil(960) {
                let connection =
                    std::net::TcpStream::connect(("127.0.0.1", nginx.h2c_port)).expect("connect");
                let mut http2 = Http2::begin(connection, "GET", "/b?a=1", &[(header, value)]);
                (0..12).for_each(|_| http2.ask(80));
                sent += http2.sent;
            }
        });
        // What is multiplied is what was sent, 100 times and more.
        assert!(sent < 30 * REQUESTS, "{sent} bytes sent");
        assert!(hits.iter().all(|hit| hit.raw_len < bytes), "{}: {:?}", hits[0].raw_len, hits[0]);
        assert!(hits.len() > 1000, "{}", hits.len());
    }
}

#[test]
fn what_is_refused_for_its_method_over_http_2_counts_for_the_rate() {
    flood(RATE, LINE_BYTES, |nginx| {
        for _ in 0..REQUESTS.div_ceil(960) {
            let connection = std::net::TcpStream::connect(("127.0.0.1", nginx.h2c_port)).expect("connect");
            let mut http2 = Http2::begin(connection, "PUT", TRACK, &[(USER_AGENT, &[1; 3800])]);
            (0..12).for_each(|_| http2.ask(80));
        }
    });
}

#[test]
fn control_bytes_are_a_few_of_a_header_or_the_header_is_left_out() {
    for (count, bytes) in [(16, 450), (17, 150), (4000, 150)] {
        let value = vec![1; count];
        let hits = flood(if count < 4000 { RATE } else { LARGE_RATE }, LINE_BYTES, |nginx| {
            let headers = ["User-Agent", "Referer", "Accept-Language"].map(|name| (name, value.as_slice()));
            send_http_1(nginx, &request("GET", "/b?a=1", &headers, b""), REQUESTS);
        });
        assert!(hits.iter().all(|hit| hit.raw_len < bytes), "{count}: {} {:?}", hits[0].raw_len, hits[0]);
    }
}

#[test]
fn gzip_bodies_grow_as_compressed_bytes_do() {
    let text: String =
        (0..40_000_u32).map(|n| char::from(b'a' + u8::try_from(n * n % 26).unwrap())).collect();
    let honest = gzip(format!("{{\"application_id\":\"{text}\"}}").as_bytes(), 9);
    let forged = [b"\x1f\x8b", [1; 2990].as_slice()].concat();
    for (body, whole) in [(honest, true), (forged, false)] {
        let hits = flood(RATE, LINE_BYTES, |nginx| {
            send_http_1(nginx, &request("POST", TRACK, &[], &body), REQUESTS);
        });
        assert!(hits.len() > 1000);
        assert!(hits.iter().all(|hit| hit.body() == if whole { &body[..] } else { b"" }), "{whole}");
    }
}

#[test]
fn bodies_that_are_too_long_count_for_the_rate() {
    flood((551, 10), LINE_BYTES, |nginx| {
        let head = format!("POST {TRACK} HTTP/1.1\r\nHost: h\r\nContent-Length: 16385\r\n\r\n");
        for _ in 0..700 {
            let mut connection = nginx.connect();
            connection.write_all(head.as_bytes()).expect("send");
            let mut answer = [0; 12];
            connection.read_exact(&mut answer).expect("an answer");
            assert!([&b"HTTP/1.1 413"[..], b"HTTP/1.1 429"].contains(&&answer[..]));
        }
    });
}

#[test]
fn what_is_no_beacon_writes_nothing() {
    let nginx = Nginx::start();
    let long = "x".repeat(15_000);
    for path in ["/", "/nothing", "/s/", "/s/nothing.js", "/s/a/b.js", "/health", "/.alt-mirror", "/b/"] {
        nginx.request("GET", path, &[("Referer", &long), ("User-Agent", &long)], b"");
        nginx.request("GET", &format!("{path}?{long}"), &[], b"");
    }
    for raw in [
        b"\x01\r\n\r\n".as_slice(),
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET /b HTTP/9.1\r\nHost: h\r\n\r\n",
        format!("GET /b?{} HTTP/1.1\r\nHost: h\r\n\r\n", "x".repeat(17_000)).as_bytes(),
        format!("GET /b HTTP/1.1\r\nHost: h\r\nReferer: {}\r\n\r\n", "x".repeat(17_000)).as_bytes(),
    ] {
        nginx.raw(raw);
    }
    assert!(nginx.lines().is_empty());
    only_the_beacon_log_is_written(&nginx);
}

/// The rates without anything that comes back in a test's time.
fn slow(rate: &str, at_once: &str) -> Setup {
    Setup::http().edit("alt-http.conf", rate, "rate=1r/m").edit(
        "alt-endpoint.conf",
        at_once,
        "burst=1 delay=1",
    )
}

#[test]
fn what_counts_as_large_is_what_is_long_in_the_log() {
    let nginx = slow("rate=10r/s", "burst=550 delay=500")
        .edit("alt-endpoint.conf", "burst=1 delay=1", "burst=14 delay=14")
        .start();
    let x = |count: usize| "x".repeat(count);
    // The host's name counts too: 18 bytes of it.
    let ask = |method: &str, query: usize, referer: usize, body: usize| {
        let headers = [("Referer", x(referer))];
        let headers: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let path = if method == "POST" { TRACK } else { "/b" };
        nginx.request(method, &format!("{path}?{}", x(query)), &headers, x(body).as_bytes()).status
    };
    let large = [
        ("GET", 4079, 0, 0),
        ("GET", 2000, 2079, 0),
        ("POST", 3079, 0, 999),
        ("POST", 2079, 0, 1000),
        ("POST", 1079, 0, 2999),
        ("POST", 0, 0, 3000),
    ];
    let small =
        [("GET", 4078, 0, 0), ("POST", 3078, 0, 999), ("POST", 2078, 0, 1000), ("POST", 1078, 0, 2999)];
    for (method, query, referer, body) in large.into_iter().chain(large) {
        assert_eq!(ask(method, query, referer, body), 204, "{query} {referer} {body}");
    }
    let chunked = format!(
        "POST {TRACK} HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n"
    );
    for status in [204, 204, 204, 429] {
        assert_eq!(nginx.raw(chunked.as_bytes()).status, status);
    }
    for (method, query, referer, body) in large {
        assert_eq!(ask(method, query, referer, body), 429, "{query} {referer} {body}");
    }
    for (method, query, referer, body) in small {
        assert_eq!(ask(method, query, referer, body), 204, "{query} {referer} {body}");
    }
    // The pixel's body is thrown away.
    assert_eq!(nginx.request("POST", "/b", &[], x(5000).as_bytes()).status, 204);
}

#[test]
fn a_site_of_ipv6_addresses_has_a_rate_together() {
    a_site_counts_together(slow("rate=400r/s", "burst=4400 delay=4000"), "/b");
    // Of large requests the site has no more than an address.
    a_site_counts_together(slow("rate=10r/s", "burst=550 delay=500"), &format!("/b?{}", "x".repeat(5000)));
}

/// Of these rates, with only the shipped ones for the rest, a site has five requests.
fn a_site_counts_together(setup: Setup, path: &str) {
    let nginx = setup
        .edit("alt-endpoint.conf", "burst=1 delay=1", "burst=4 delay=4")
        .edit("realip-alb.conf.example", "set_real_ip_from 10.0.0.0/24;", "set_real_ip_from 127.0.0.1;")
        .in_server("include alt/realip-alb.conf.example;")
        .start();
    let passed = |of: &dyn Fn(usize) -> String| {
        let from = |n| nginx.request("GET", path, &[("X-Forwarded-For", &of(n))], b"").status;
        (1..9).filter(|&n| from(n) == 204).count()
    };
    assert_eq!(passed(&|n| format!("2001:db8:a0d:{n}::1")), 5);
    assert_eq!(passed(&|n| format!("2001:db8:a0d:ffff::{n}")), 0);
    assert_eq!(passed(&|n| format!("2001:db8:{n}:1::1")), 8);
    assert_eq!(passed(&|n| format!("203.0.113.{n}")), 8);
    assert_eq!(passed(&|n| format!("::ffff:198.51.100.{n}")), 8);
}

#[test]
fn of_a_sender_over_its_rate_one_in_ten_is_refused_and_logged() {
    let nginx = Setup::http()
        .edit("alt-http.conf", "rate=100r/s", "rate=1r/m")
        .edit("alt-endpoint.conf", "burst=1100 delay=1000", "burst=2000 delay=1")
        .start();
    send_http_1(&nginx, b"GET /b?a=1 HTTP/1.1\r\nHost: h\r\n\r\n", 2000);
    let lines = nginx.lines();
    let refused = lines.iter().filter(|line| line.status() == 429).count();
    // 203 of 2,000, with a deviation of 13.5.
    assert_eq!(lines.len(), 2000);
    assert!((120..290).contains(&refused), "{refused} of 2,000");
}

#[test]
fn bodies_that_one_address_sends_slowly_are_counted() {
    let nginx =
        Setup::http().edit("alt-endpoint.conf", "limit_conn alt_conn 256", "limit_conn alt_conn 3").start();
    let half = format!("POST {TRACK} HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n{{");
    let mut open: Vec<_> = (0..3)
        .map(|_| {
            let mut connection = nginx.connect();
            connection.write_all(half.as_bytes()).expect("send");
            connection
        })
        .collect();
    until("three bodies are on their way", || Some(nginx.get("/b?a=1")).filter(|&status| status == 429));
    open[0].write_all(b"        }").expect("the rest");
    until("one has come", || Some(nginx.get("/b?a=1")).filter(|&status| status == 204));
    // A line each, without what was asked.
    let refused: Vec<Line> =
        read_lines(&nginx.log_path).into_iter().filter(|line| line.status() == 429).collect();
    assert!(!refused.is_empty() && refused.iter().all(|line| line.args().is_empty()), "{refused:?}");
    only_the_beacon_log_is_written(&nginx);
}

/// The address of who sends too much, of who sends new user agents, and of a neighbour of neither.
const FLOODER: &str = "203.0.113.5";
const INVENTOR: &str = "198.51.100.7";
const VISITOR: &str = "192.0.2.10";

#[test]
fn what_one_network_sends_too_much_takes_no_room_and_nobody_elses_budget() {
    let nginx = Setup::http()
        .edit("realip-alb.conf.example", "set_real_ip_from 10.0.0.0/24;", "set_real_ip_from 127.0.0.1;")
        .in_server("include alt/realip-alb.conf.example;")
        .start();
    let database = Database::create();
    register(&database);
    let source = format!(
        "[[source]]\npaths = [\"{}\"]\n[flood]\nbytes_per_hour = \"1 MiB\"\nagents_per_hour = 50",
        nginx.log_path.display()
    );
    let config = configuration(nginx.dir(), &database, &source, "");
    let daemon = Daemon::start(&config);
    let rows = |address: &str| -> usize {
        let network = address.rsplit_once('.').unwrap().0;
        let sql = format!("SELECT count(*) FROM access_logs WHERE ip <<= '{network}.0/24'");
        database.psql(&sql).parse().unwrap()
    };
    let visit = |count: usize| {
        let usual = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
        let headers = [("X-Forwarded-For", VISITOR.as_bytes()), ("User-Agent", usual.as_bytes())];
        send_http_1(&nginx, &request("GET", "/b?a=shop&sw=1920", &headers, b""), count);
    };
    // All within one hour.
    while crate::support::lines::now() / 1000 % 3600 > 3500 {
        std::thread::sleep(std::time::Duration::from_secs(5));
    }
    for n in 0..300 {
        let agent = format!("Mozilla/5.0 (made {n})");
        let headers = [("X-Forwarded-For", INVENTOR), ("User-Agent", &agent)];
        assert_eq!(nginx.request("GET", "/b?a=shop", &headers, b"").status, 204);
    }
    visit(500);
    let custom: String = (0..40).map(|n| format!(",\"own_{n}\":\"{}\"", "abcdefghij".repeat(37))).collect();
    let body = format!("{{\"application_id\":\"shop\"{custom}}}");
    assert!(body.len() > 15_000 && body.len() < 16_384, "{}", body.len());
    let sent = 500;
    send_http_1(
        &nginx,
        &request("POST", TRACK, &[("X-Forwarded-For", FLOODER.as_bytes())], body.as_bytes()),
        sent,
    );
    visit(500);
    let rejects =
        || database.psql("SELECT coalesce(sum(lines), 0), min(reason), max(reason) FROM rejected_lines");
    let state = || format!("{} {}\n{}", rows(VISITOR), rejects(), daemon.log());
    wait_for(60, || rows(VISITOR) == 1000, state);
    let kept = rows(FLOODER);
    // 1 MiB, and the row that reaches it.
    assert!((1 << 20) / body.len() / 2 < kept && kept <= (1 << 20) / 14_000 + 1, "{kept} rows");
    assert_eq!(rejects(), format!("{}|flood|flood", sent - kept));
    assert_eq!(database.psql(UNBALANCED), "");
    assert_eq!(daemon.metric("alt_lines_rejected_total{reason=\"flood\"}"), (sent - kept) as f64);
    // Nobody else lacks a user agent.
    let agents = "SELECT host(network(ip)), count(user_agent_id) FROM access_logs WHERE user_agent_id IS NOT NULL \
                  GROUP BY 1 ORDER BY 1";
    assert_eq!(database.psql(agents), "192.0.2.0|1000\n198.51.100.0|50");
    assert_eq!(rows(INVENTOR), 300);
    assert_eq!(daemon.metric("alt_agents_left_out_total"), 250.0);
    // Whoever wants them has them.
    let retry =
        alt().args(["rejects", "retry", "--reason", "flood", "--config"]).arg(&config).output().unwrap();
    assert!(retry.status.success(), "{retry:?}");
    assert_eq!((rows(FLOODER), rejects()), (sent, "0||".to_owned()));
    assert_eq!(database.psql(UNBALANCED), "");
    assert!(daemon.stop().success());
}
