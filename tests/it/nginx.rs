//! The shipped nginx files, run by a real nginx: what a client is answered, and what is in the log.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::support::nginx::{
    Answer, Line, Nginx, Setup, read_answer, read_lines, sbin, shipped, until, web_user,
};
use crate::support::pack::gzip;

const TRACK: &str = "/api/v1/track";
/// What the loader takes as one line.
const LINE_BYTES_MAX: usize = alt_line::lines::LINE_BYTES_MAX;
/// The longest line that a request makes, as docs/SECURITY.md says.
const LARGEST_LINE_BYTES: usize = 146_000;

/// A setup in which a single address may send five requests, and then one a minute.
fn five_at_once() -> Setup {
    Setup::http().edit("alt-http.conf", "rate=100r/s", "rate=1r/m").edit(
        "alt-endpoint.conf",
        "burst=1100 delay=1000",
        "burst=4 delay=4",
    )
}

/// A setup that believes what 127.0.0.1 says about the visitor's address.
fn behind_a_proxy(setup: Setup) -> Setup {
    setup
        .edit("realip-alb.conf.example", "set_real_ip_from 10.0.0.0/24;", "set_real_ip_from 127.0.0.1;")
        .in_server("include alt/realip-alb.conf.example;")
}

/// Bytes of which all 256 values occur, and which repeat only after a long while. They begin as gzip does: a body of other
/// binary bytes is left out of the log.
fn bytes(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_u32;
    let gzip = [0x1f, 0x8b].into_iter().take(length);
    gzip.chain((0..length.saturating_sub(2)).map(|i| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        if i < 256 { i.to_le_bytes()[0] } else { state.to_be_bytes()[0] }
    }))
    .collect()
}

fn chunked(path: &str, body: &[u8], chunk_bytes: usize) -> Vec<u8> {
    let mut request =
        format!("POST {path} HTTP/1.1\r\nHost: events.example.com\r\nTransfer-Encoding: chunked\r\n\r\n")
            .into_bytes();
    for chunk in body.chunks(chunk_bytes) {
        request.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        request.extend_from_slice(chunk);
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"0\r\n\r\n");
    request
}

fn assert_cors(answer: &Answer, what: &str) {
    assert_eq!(answer.header("access-control-allow-origin"), "*", "{what}");
    assert_eq!(answer.header("access-control-allow-credentials"), "", "{what}");
    assert_eq!(answer.header("cross-origin-resource-policy"), "cross-origin", "{what}");
    assert_eq!(answer.header("cache-control"), "no-store", "{what}");
}

/// The log's lines, where nginx may log some only after the client is gone.
fn at_least(nginx: &Nginx, count: usize) -> Vec<Line> {
    until("the lines are there", || Some(nginx.lines()).filter(|lines| lines.len() >= count))
}

fn no_body_was_written_to_a_file(nginx: &Nginx) {
    let log = nginx.error_log();
    assert!(!log.contains("temporary file"), "{log}");
}

// ------------------------------------------------------------------------------------------ the format

#[test]
fn every_field_stands_in_its_place() {
    let nginx = Nginx::start();
    let before = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs_f64();
    let headers = [
        ("Referer", "https://shop.example/?a=1"),
        ("User-Agent", "Agent/1.0 (\"x\")"),
        ("Accept-Language", "de-AT,de;q=0.9"),
        ("Origin", "https://shop.example"),
        ("Sec-Purpose", "prefetch;prerender"),
        ("Sec-GPC", "1"),
        ("DNT", "0"),
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ("X-Amzn-Trace-Id", "Root=1-67891233-abcdef012345678912345678"),
        ("Cookie", "secret=not-for-the-log"),
        ("X-Forwarded-For", "198.51.100.7"),
    ];
    let answer = nginx.request("POST", TRACK, &headers, b"{\"application_id\":\"a\"}");
    assert_eq!(answer.status, 204);

    let line = nginx.line();
    let at: f64 = line.text(1).parse().expect("$msec is a number");
    assert!(at >= before - 1.0 && at < before + 60.0, "{at} {before}");
    assert_eq!(line.text(1).split_once('.').expect("milliseconds").1.len(), 3);
    assert_eq!(line.text(2).len(), 32);
    assert!(line.text(2).bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')));
    assert!(line.text(17).parse::<u32>().expect("$request_length") > 400);
    let rest: Vec<String> =
        [0, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18].map(|i| line.text(i)).into();
    assert_eq!(
        rest,
        [
            "alt1",
            "127.0.0.1",
            "POST",
            "204",
            "events.example.com",
            TRACK,
            "",
            "https://shop.example/?a=1",
            "Agent/1.0 (\"x\")",
            "de-AT,de;q=0.9",
            "https://shop.example",
            "prefetch;prerender",
            "1",
            "0",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "{\"application_id\":\"a\"}",
        ]
    );
}

#[test]
fn without_traceparent_the_load_balancers_trace_is_logged() {
    let nginx = Nginx::start();
    nginx.request("GET", "/b?1", &[("X-Amzn-Trace-Id", "Root=1-2-3")], b"");
    nginx.get("/b?2");
    let traces: Vec<String> = nginx.lines().iter().map(|line| line.text(16)).collect();
    assert_eq!(traces, ["Root=1-2-3", ""]);
}

#[test]
fn request_ids_differ() {
    let nginx = Nginx::start();
    for _ in 0..50 {
        nginx.get("/b");
    }
    let ids: std::collections::HashSet<String> = nginx.lines().iter().map(|line| line.text(2)).collect();
    assert_eq!(ids.len(), 50);
}

#[test]
fn hostile_bytes_stay_in_their_field() {
    let nginx = Nginx::start();
    // In a query every byte but control bytes and the space passes; in a header, all but NUL, CR and LF.
    let in_query: Vec<u8> = (0x21..=0xff).filter(|&b| b != 0x7f && b != b'#').collect();
    let in_header: Vec<u8> = (0x01..=0xff).filter(|&b| b != b'\r' && b != b'\n').collect();
    // Spaces and tabs around a value belong to the header's syntax. With more than 16 control bytes it is left out.
    let header = |bytes: &[u8]| [b"<", bytes, b">"].concat();
    let in_agent = header(&in_header[..16]);
    let in_language = header(&in_header[16..]);
    let in_origin = header(&in_header[..17]);
    let mut request = b"GET /b?".to_vec();
    request.extend_from_slice(&in_query);
    request.extend_from_slice(b" HTTP/1.1\r\nHost: h\r\nUser-Agent: ");
    request.extend_from_slice(&in_agent);
    request.extend_from_slice(b"\r\nReferer: alt1\talt1\t\\u0041\\\"\r\nAccept-Language: ");
    request.extend_from_slice(&in_language);
    request.extend_from_slice(b"\r\nOrigin: ");
    request.extend_from_slice(&in_origin);
    request.extend_from_slice(b"\r\nConnection: close\r\n\r\n");
    assert_eq!(nginx.raw(&request).status, 204);

    let line = nginx.line();
    assert_eq!(line.field(8), in_query);
    assert_eq!(line.field(9), b"alt1\talt1\t\\u0041\\\"");
    assert_eq!(line.field(10), in_agent);
    assert_eq!(line.field(11), in_language);
    assert_eq!(line.field(12), b"");
}

#[test]
fn what_is_no_request_is_refused_and_is_in_no_log() {
    let nginx = Nginx::start();
    let refused: &[&[u8]] = &[
        b"GET /b?a\x01b HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET /b?a\x7fb HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET /b?a b HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET /b HTTP/1.1\r\nHost: h\r\nUser-Agent: a\x00b\r\n\r\n",
        b"GET /b HTTP/1.1\r\n\r\n",
        b"POST /api/v1/track HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /api/v1/track HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n",
    ];
    for request in refused {
        assert_eq!(nginx.raw(request).status, 400, "{}", String::from_utf8_lossy(request));
    }
    assert!(nginx.lines().is_empty());
    assert_eq!(nginx.other_log(), "");
}

// ----------------------------------------------------------------------------------- methods and CORS

#[test]
fn each_method_has_its_answer_and_its_line() {
    let nginx = Nginx::start();
    let cases = [
        ("/b", "GET", 204),
        ("/b", "POST", 204),
        ("/b", "HEAD", 204),
        ("/b", "OPTIONS", 204),
        ("/b", "PUT", 405),
        ("/b", "DELETE", 405),
        ("/b", "PATCH", 405),
        ("/b", "PROPFIND", 405),
        ("/b", "BREW", 405),
        (TRACK, "POST", 204),
        (TRACK, "OPTIONS", 204),
        (TRACK, "GET", 405),
        (TRACK, "HEAD", 405),
        (TRACK, "PUT", 405),
    ];
    for (path, method, status) in cases {
        let what = format!("{method} {path}");
        let answer = nginx.request(method, &format!("{path}?m={method}"), &[], b"");
        assert_eq!(answer.status, status, "{what}");
        assert_cors(&answer, &what);
        let methods = if path == "/b" { "GET, POST, HEAD, OPTIONS" } else { "POST, OPTIONS" };
        let only_if = |yes: bool, value| if yes { value } else { "" };
        let preflight = method == "OPTIONS";
        assert_eq!(answer.header("allow"), only_if(status == 405, methods), "{what}");
        assert_eq!(answer.header("access-control-allow-methods"), only_if(preflight, methods), "{what}");
        assert_eq!(answer.header("access-control-max-age"), only_if(preflight, "86400"), "{what}");
        let headers = answer.header("access-control-allow-headers");
        assert_eq!(
            headers.contains("Content-Type") && headers.contains("Content-Encoding"),
            preflight,
            "{what}"
        );
        if status == 204 {
            assert!(answer.body.is_empty(), "{what}");
        }
        assert_eq!(answer.header("strict-transport-security"), "", "{what}");
    }
    let logged: Vec<(String, String, u16)> =
        nginx.lines().iter().map(|line| (line.text(7), line.method(), line.status())).collect();
    let expected: Vec<(String, String, u16)> =
        cases.iter().map(|&(path, method, status)| (path.into(), method.into(), status)).collect();
    assert_eq!(logged, expected);
}

#[test]
fn what_browsers_send_without_a_preflight_is_a_hit() {
    let nginx = Nginx::start();
    let common = [
        ("Origin", "https://shop.example"),
        ("Referer", "https://shop.example/"),
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Mode", "no-cors"),
    ];
    let with = |more: &[(&'static str, &'static str)]| [common.as_slice(), more].concat();
    // <img src="…">
    let image = with(&[("Sec-Fetch-Dest", "image"), ("Accept", "image/avif,image/webp,*/*;q=0.8")]);
    assert_eq!(nginx.request("GET", "/b?how=img", &image, b"").status, 204);
    // navigator.sendBeacon(url), (url, "text"), (url, new URLSearchParams()), (url, new FormData())
    let ping = with(&[("Sec-Fetch-Dest", "empty")]);
    assert_eq!(nginx.request("POST", "/b?how=beacon", &ping, b"").status, 204);
    for (content_type, body) in [
        ("text/plain;charset=UTF-8", b"hello".as_slice()),
        ("application/x-www-form-urlencoded;charset=UTF-8", b"a=1"),
        ("multipart/form-data; boundary=x", b"--x--\r\n"),
    ] {
        let headers = with(&[("Sec-Fetch-Dest", "empty"), ("Content-Type", content_type)]);
        assert_eq!(nginx.request("POST", "/b?how=body", &headers, body).status, 204);
    }
    // fetch(url, {method: "POST", keepalive: true, mode: "no-cors"})
    assert_eq!(nginx.request("POST", "/b?how=fetch", &ping, b"").status, 204);
    // The same to the track endpoint, with a type that needs no preflight.
    let text = with(&[("Content-Type", "text/plain;charset=UTF-8")]);
    assert_eq!(nginx.request("POST", "/api/v1/track", &text, b"{}").status, 204);

    let lines = nginx.lines();
    let seen: Vec<String> = lines.iter().map(Line::args).collect();
    assert_eq!(seen, ["how=img", "how=beacon", "how=body", "how=body", "how=body", "how=fetch", ""]);
    assert!(lines[..6].iter().all(|line| line.body().is_empty()), "the pixel's bodies are not kept");
    assert_eq!(lines[6].body(), b"{}");
    assert!(lines.iter().all(|line| line.status() == 204 && line.text(12) == "https://shop.example"));
}

// ------------------------------------------------------------------------------------------ rate limit

/// Sends `count` requests on keep-alive connections as fast as nginx reads them; answers by status.
fn flood(nginx: &Nginx, request: &[u8], count: usize) -> HashMap<u16, usize> {
    const PER_CONNECTION: usize = 500; // nginx closes a connection after 1,000
    let mut statuses = HashMap::new();
    for _ in 0..count / PER_CONNECTION {
        let mut connection = nginx.connect();
        for _ in 0..PER_CONNECTION / 50 {
            connection.write_all(&request.repeat(50)).expect("send");
            let mut seen = 0;
            let mut received = Vec::new();
            let mut buffer = [0; 16 * 1024];
            // Refusals have a body; a status line is enough to count an answer.
            while seen < 50 || !received.ends_with(b"\n") {
                let n = connection.read(&mut buffer).expect("read");
                assert!(n > 0, "nginx closed the connection after {seen} of 50 answers");
                received.extend_from_slice(&buffer[..n]);
                seen = received.windows(9).filter(|w| *w == b"HTTP/1.1 ").count();
            }
            for at in memchr::memmem::find_iter(&received, "HTTP/1.1 ") {
                let status = std::str::from_utf8(&received[at + 9..at + 12]).expect("digits");
                *statuses.entry(status.parse().expect("a status")).or_insert(0) += 1;
            }
        }
    }
    statuses
}

fn the_limit_lets_1000_pass_and_100_a_second(request: &[u8]) {
    let nginx = Nginx::start();
    let began = Instant::now();
    let statuses = flood(&nginx, request, 3000);
    let refused_one = nginx.raw(request);
    let seconds = began.elapsed().as_secs_f64();

    let passed = statuses.get(&204).copied().unwrap_or(0);
    let refused = statuses.get(&429).copied().unwrap_or(0);
    assert_eq!(passed + refused, 3000, "{statuses:?}");
    // 1 + delay= at once, nine in ten of 100 more, and what the rate gives back meanwhile.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let most = 1101 + (seconds * 100.0).ceil() as usize;
    assert!((1001..most).contains(&passed), "{passed} passed in {seconds} s, less than {most} may");
    assert!(refused > 0, "the machine was too slow for a flood: {seconds} s");

    // Every hit is logged; of the refusals as many as the rate has room for.
    let lines = nginx.lines();
    let logged = |status| lines.iter().filter(|line| line.status() == status).count();
    assert!(lines.len() <= most, "{} lines in {seconds} s, at most {most} may be", lines.len());
    assert_eq!(logged(204), passed + usize::from(refused_one.status == 204));
    assert!(logged(429) > 0 && logged(204) + logged(429) == lines.len(), "{}", logged(429));
    assert!(!nginx.error_log().contains("[error]"), "{}", nginx.error_log());
}

#[test]
fn the_rate_limit_really_limits_the_pixel() {
    the_limit_lets_1000_pass_and_100_a_second(b"GET /b?a=1 HTTP/1.1\r\nHost: h\r\n\r\n");
}

#[test]
fn the_rate_limit_really_limits_the_track_endpoint() {
    the_limit_lets_1000_pass_and_100_a_second(
        b"POST /api/v1/track HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}",
    );
}

#[test]
fn all_that_an_address_asks_counts_together_and_a_refusal_is_readable() {
    let nginx = five_at_once().start();
    let requests = [
        ("GET", "/b"),
        ("OPTIONS", "/b"),
        ("POST", TRACK),
        ("PUT", "/b"),
        ("GET", TRACK),
        ("GET", "/b"),
        ("OPTIONS", TRACK),
        ("POST", TRACK),
        ("PUT", "/b"),
    ];
    let answers: Vec<Answer> =
        requests.iter().map(|(method, path)| nginx.request(method, path, &[], b"{}")).collect();
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, [204, 204, 204, 405, 405, 429, 429, 429, 429]);
    for answer in &answers[5..] {
        assert_cors(answer, "429");
        assert_eq!(answer.header("retry-after"), "1");
    }
    assert_eq!(answers[0].header("retry-after"), "");
    // What the rates have no room for at all is not logged.
    let logged: Vec<u16> = nginx.lines().iter().map(Line::status).collect();
    assert_eq!(logged, statuses[..5]);
    // Neither is what is no beacon.
    for _ in 0..10 {
        assert_eq!(nginx.get("/health"), 200);
    }
}

#[test]
fn an_ipv6_network_counts_as_one_address_and_an_ipv4_address_as_one() {
    let nginx = behind_a_proxy(five_at_once()).start();
    let count = |addresses: &[&str]| {
        let from = |address: &&str| nginx.request("GET", "/b", &[("X-Forwarded-For", address)], b"").status;
        addresses.iter().filter(|address| from(address) == 204).count()
    };
    // Eight addresses of one /64, in as many textual forms as there are.
    let one_net = [
        "2001:db8:1:2::1",
        "2001:db8:1:2::2",
        "2001:db8:1:2:3:4:5:6",
        "2001:db8:1:2:ffff:ffff:ffff:ffff",
        "2001:db8:1:2:0:1::",
        "2001:db8:1:2::",
        "2001:db8:1:2:a::1",
        "2001:db8:1:2::3",
    ];
    assert_eq!(count(&one_net), 5);
    // A prefix that ends in zeros; bytes 0a and 0d, which a careless pattern stops at.
    assert_eq!(
        count(&[
            "2001:db8::1",
            "2001:db8::2",
            "2001:db8:0:0:1::",
            "2001:db8:0:0:1:2:3:4",
            "2001:db8::5:6",
            "2001:db8::7"
        ]),
        5
    );
    assert_eq!(
        count(&[
            "2a0d:0a0a::1",
            "2a0d:0a0a::2",
            "2a0d:0a0a::3",
            "2a0d:0a0a::4",
            "2a0d:0a0a::5",
            "2a0d:0a0a::6"
        ]),
        5
    );
    // Neighbouring networks have limits of their own.
    assert_eq!(
        count(&[
            "2001:db8:1:3::1",
            "2001:db8:1:4::1",
            "2001:db8:1:5::1",
            "2001:db8:1:6::1",
            "2001:db8:1:7::1",
            "2001:db8:1:8::1"
        ]),
        6
    );
    assert_eq!(count(&["203.0.113.1"; 8]), 5);
    assert_eq!(
        count(&["203.0.113.2", "203.0.113.3", "203.0.113.4", "203.0.113.5", "203.0.113.6", "203.0.113.7"]),
        6
    );
    // IPv4 in IPv6, as a socket that takes both shows it: each its own.
    assert_eq!(
        count(&[
            "::ffff:198.51.100.1",
            "::ffff:198.51.100.2",
            "::ffff:198.51.100.3",
            "::ffff:198.51.100.4",
            "::ffff:198.51.100.5",
            "::ffff:198.51.100.6"
        ]),
        6
    );
    assert_eq!(count(&["::ffff:198.51.100.7"; 8]), 5);
}

#[test]
fn where_real_ip_is_evidently_missing_nobody_is_limited() {
    let nginx = five_at_once().start();
    let statuses = |headers: &[(&str, &str)]| -> Vec<u16> {
        (0..8).map(|_| nginx.request("GET", "/b", headers, b"").status).collect()
    };
    assert_eq!(statuses(&[("X-Forwarded-For", "203.0.113.1")]), [204; 8]);
    assert_eq!(statuses(&[]), [204, 204, 204, 204, 204, 429, 429, 429]);
    // The log shows it: a private address, whoever asked.
    assert!(nginx.lines().iter().all(|line| line.address() == "127.0.0.1"));
}

// --------------------------------------------------------------------------------------- the sizes

#[test]
fn queries_of_any_length_that_a_beacon_makes_are_whole() {
    let nginx = Nginx::start();
    let lengths = [0, 1, 100, 1000, 1023, 1024, 1025, 4096, 7500, 8000, 8180, 8192, 8193, 9000, 16_000];
    for length in lengths {
        let query = "q".repeat(length);
        assert_eq!(nginx.get(&format!("/b?{query}")), 204, "{length}");
        assert_eq!(nginx.request("POST", &format!("/b?{query}"), &[], b"").status, 204, "{length}");
        let answer = nginx.curl(&nginx.h2c(&format!("/b?{query}")), &["--http2-prior-knowledge"], b"");
        assert_eq!((answer.status, answer.version.as_str()), (204, "HTTP/2"), "{length}");
        assert_cors(&answer, "HTTP/2");
    }
    let logged: Vec<usize> = nginx.lines().iter().map(|line| line.field(8).len()).collect();
    assert_eq!(logged, lengths.iter().flat_map(|&length| [length; 3]).collect::<Vec<_>>());
}

#[test]
fn a_request_line_beyond_16_kb_is_414_and_in_no_log() {
    let nginx = Nginx::start();
    assert_eq!(nginx.get(&format!("/b?{}", "q".repeat(16_384))), 414);
    assert!(nginx.lines().is_empty());
    assert_eq!(nginx.other_log(), "");
}

#[test]
fn a_fat_cookie_does_not_cost_the_hit() {
    let nginx = Nginx::start();
    for length in [4_000, 8_000, 9_000, 16_000] {
        let cookie = format!("c={}", "x".repeat(length));
        assert_eq!(nginx.request("GET", &format!("/b?{length}"), &[("Cookie", &cookie)], b"").status, 204);
        assert_eq!(nginx.request("POST", TRACK, &[("Cookie", &cookie)], b"{}").status, 204);
        let header = format!("Cookie: {cookie}");
        let args = ["--http2-prior-knowledge", "-H", header.as_str()];
        assert_eq!(nginx.curl(&nginx.h2c("/b"), &args, b"").status, 204);
    }
    let fat = "x".repeat(15_000);
    let many = [("Cookie", fat.as_str()); 6];
    assert_eq!(nginx.request("GET", "/b?many", &many, b"").status, 204);
    let lines = nginx.lines();
    assert_eq!(lines.len(), 13);
    assert!(lines.iter().all(|line| line.status() == 204));
    // Beyond that it does, and not silently.
    let too_fat = "x".repeat(17_000);
    assert_eq!(nginx.request("GET", "/b", &[("Cookie", &too_fat)], b"").status, 400);
}

#[test]
fn what_is_logged_of_a_header_ends_where_browsers_end() {
    let nginx = Nginx::start();
    let page = format!("https://shop.example/{}", "p".repeat(4096 - 21));
    let agent = "a".repeat(1024);
    let language = "l".repeat(512);
    let origin = format!("https://{}", "o".repeat(504));
    let purpose = "prefetch".repeat(8);
    let trace = "t".repeat(256);
    let with = |more: &str| {
        [
            ("Referer", &page),
            ("User-Agent", &agent),
            ("Accept-Language", &language),
            ("Origin", &origin),
            ("Sec-Purpose", &purpose),
            ("Sec-GPC", &"1".to_owned()),
            ("DNT", &"1".to_owned()),
            ("traceparent", &trace),
        ]
        .map(|(name, value)| (name, format!("{value}{more}")))
    };
    let send = |headers: &[(&str, String)]| {
        let headers: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(nginx.request("GET", "/b?a=1", &headers, b"").status, 204);
    };
    send(&with(""));
    send(&with("x"));
    send(&with(&"x".repeat(9)));
    let lines = nginx.lines();
    let logged = |i: usize| [9, 10, 11, 12, 13, 14, 15, 16].map(|field| lines[i].text(field));
    let expected = with("").map(|(_, value)| value);
    assert_eq!(logged(0), expected);
    // Of a page its site, and of what can be cut the head; the rest is worth nothing in pieces.
    let cut = ["https://shop.example/", &agent, &language, "", &purpose, "1x", "1x", ""];
    assert_eq!(logged(1), cut);
    let cut = ["https://shop.example/", &agent, &language, "", &purpose, "", "", ""];
    assert_eq!(logged(2), cut);
}

#[test]
fn of_what_is_no_hit_only_what_counts_it_is_logged() {
    let nginx = Nginx::start();
    let long = "x".repeat(1000);
    let headers = [
        ("Referer", long.as_str()),
        ("User-Agent", &long),
        ("Accept-Language", &long),
        ("Origin", &long),
        ("Sec-Purpose", &long),
        ("Sec-GPC", "1"),
        ("DNT", "1"),
        ("traceparent", "00-1-2-01"),
    ];
    let query = "q".repeat(1000);
    let method = "M".repeat(1000);
    let cases = [
        ("HEAD", "/b", 204, "HEAD"),
        ("OPTIONS", TRACK, 204, "OPTIONS"),
        ("PUT", TRACK, 405, "PUT"),
        (&method, "/b", 405, &method[..16]),
    ];
    for (method, path, status, _) in cases {
        assert_eq!(nginx.request(method, &format!("{path}?{query}"), &headers, b"").status, status);
    }
    let body = bytes(16_385);
    assert_eq!(nginx.request("POST", &format!("{TRACK}?{query}"), &headers, &body).status, 413);
    assert_eq!(nginx.raw(&chunked(&format!("{TRACK}?{query}"), &body, 4096)).status, 413);
    let lines = at_least(&nginx, 6);
    assert_eq!(lines.len(), 6);
    let refused = [("POST", TRACK, 413, "POST"), ("POST", TRACK, 413, "POST")];
    for (line, (_, path, status, method)) in lines.iter().zip(cases.into_iter().chain(refused)) {
        assert_eq!((line.method().as_str(), line.status(), line.text(7).as_str()), (method, status, path));
        assert_eq!(line.address(), "127.0.0.1");
        assert_eq!(line.text(2).len(), 32);
        let empty = [6, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18];
        assert!(empty.iter().all(|&field| line.field(field).is_empty()), "{line:?}");
        assert!(line.raw_len <= 150, "{}: {line:?}", line.raw_len);
    }
}

#[test]
fn no_request_makes_a_line_that_the_loader_refuses() {
    let nginx = Nginx::start();
    // Everything that is escaped, as long as it is let through: two bytes for one, and six for a control byte, of
    // which a body that looks like gzip may have any.
    let query = "\"".repeat(16_000);
    let quotes = "\"".repeat(15_900);
    let headers: Vec<(&str, &str)> =
        ["User-Agent", "Referer", "Accept-Language", "Origin", "Sec-Purpose", "traceparent"]
            .iter()
            .map(|name| (*name, quotes.as_str()))
            .collect();
    let path = format!("{TRACK}?{query}");
    let body = [&b"\x1f\x8b"[..], &[1; 16_382]].concat();
    assert_eq!(nginx.request("POST", &path, &headers, &body).status, 204);
    let line = nginx.line();
    assert_eq!((line.field(8).len(), line.field(10).len(), line.body().len()), (16_000, 1024, 16_384));
    assert!(line.raw_len > 130_000 && line.raw_len < LARGEST_LINE_BYTES, "{}", line.raw_len);

    // Of other bodies, as of headers, control bytes are not the larger part.
    for (count, whole) in [(64, true), (65, false)] {
        let body = [&b"{\""[..], &vec![1; count], b"\":\t\r\n1}"].concat();
        assert_eq!(nginx.request("POST", &format!("{TRACK}?{count}"), &[], &body).status, 204);
        let lines = nginx.lines();
        assert_eq!(lines[lines.len() - 1].body(), if whole { body.as_slice() } else { b"" });
    }
}

/// How a body may come; each returns the status that the client saw.
type Send = fn(&Nginx, &str, &[u8]) -> u16;
const WAYS: [(&str, Send); 7] = [
    ("Content-Length", |nginx, path, body| nginx.request("POST", path, &[], body).status),
    ("one chunk", |nginx, path, body| nginx.raw(&chunked(path, body, body.len().max(1))).status),
    ("chunks of 4 KB", |nginx, path, body| nginx.raw(&chunked(path, body, 4096)).status),
    ("chunks of one byte", |nginx, path, body| nginx.raw(&chunked(path, body, 1)).status),
    ("Expect: 100-continue", |nginx, path, body| {
        let url = format!("http://127.0.0.1:{}{path}", nginx.port);
        let args = ["--data-binary", "@-", "-H", "Expect: 100-continue"];
        nginx.curl(&url, &args, body).status
    }),
    ("HTTP/2 with a length", |nginx, path, body| {
        nginx.curl(&nginx.h2c(path), &["--http2-prior-knowledge", "--data-binary", "@-"], body).status
    }),
    ("HTTP/2 without a length", |nginx, path, body| {
        nginx.curl(&nginx.h2c(path), &["--http2-prior-knowledge", "-X", "POST", "-T", "-"], body).status
    }),
];

#[test]
fn bodies_up_to_16_kib_are_logged_byte_for_byte_however_they_come() {
    let nginx = Nginx::start();
    let lengths = [0, 1, 2, 255, 256, 1000, 1024, 4095, 8192, 12_000, 16_383, 16_384];
    for (i, (way, send)) in WAYS.iter().enumerate() {
        for length in lengths {
            let status = send(&nginx, &format!("{TRACK}?{i}-{length}"), &bytes(length));
            assert_eq!(status, 204, "{length} bytes, {way}");
        }
    }
    let lines = nginx.lines();
    assert_eq!(lines.len(), WAYS.len() * lengths.len());
    for line in &lines {
        let args = line.args();
        let (way, length) = args.split_once('-').expect("the number of a way and a length");
        let way = WAYS[way.parse::<usize>().expect("a number")].0;
        let sent = bytes(length.parse().expect("a length"));
        assert!(line.body() == sent, "{length} bytes, {way}: logged {}", line.body().len());
        assert_eq!((line.status(), line.method().as_str()), (204, "POST"));
        assert!(line.raw_len < LINE_BYTES_MAX);
    }
    no_body_was_written_to_a_file(&nginx);
}

#[test]
fn a_body_beyond_16_kib_is_413() {
    let nginx = Nginx::start();
    for (way, send) in WAYS {
        for length in [16_385, 20_000] {
            let status = send(&nginx, TRACK, &bytes(length));
            // Over HTTP/2 curl 7.88 takes the reset of the stream for an error, and forgets the answer.
            assert!(
                status == 413 || (status == 0 && way.contains("HTTP/2")),
                "{length} bytes, {way}: {status}"
            );
        }
    }
    let lines = at_least(&nginx, WAYS.len() * 2);
    assert_eq!(lines.len(), WAYS.len() * 2);
    for line in &lines {
        assert_eq!(line.status(), 413); // of a body without a length, the line has what had come
        assert!(line.raw_len < LINE_BYTES_MAX);
    }
    let answer = nginx.request("POST", TRACK, &[], &bytes(16_385));
    assert_eq!(answer.status, 413);
    assert_cors(&answer, "413");
    // The pixel has the same limit, although it keeps no body.
    assert_eq!(nginx.request("POST", "/b", &[], &bytes(16_384)).status, 204);
    assert_eq!(nginx.request("POST", "/b", &[], &bytes(16_385)).status, 413);
    no_body_was_written_to_a_file(&nginx);
}

#[test]
fn a_compressed_body_is_logged_as_it_came_and_inflates_to_what_was_sent() {
    let nginx = Nginx::start();
    let sent: Vec<Vec<u8>> = [2, 300, 12_000]
        .map(|length| {
            // Text that compresses little, so that the compressed bytes are many and of all values.
            let noise: String = bytes(length).iter().fold(String::new(), |mut text, b| {
                let _ = write!(text, "{b:02x}");
                text
            });
            format!("{{\"application_id\":\"ü\",\"t\":\"{noise}\"}}").into_bytes()
        })
        .into();
    for body in &sent {
        let compressed = gzip(body, 9);
        assert!(compressed.len() <= 16_384);
        let headers = [("Content-Type", "application/json"), ("Content-Encoding", "gzip")];
        assert_eq!(nginx.request("POST", TRACK, &headers, &compressed).status, 204);
        assert_eq!(nginx.raw(&chunked(TRACK, &compressed, 1000)).status, 204);
        let args = ["--http2-prior-knowledge", "-H", "Content-Encoding: gzip", "--data-binary", "@-"];
        assert_eq!(nginx.curl(&nginx.h2c(TRACK), &args, &compressed).status, 204);
    }
    let lines = nginx.lines();
    assert_eq!(lines.len(), 9);
    for (body, line) in sent.iter().flat_map(|body| [body; 3]).zip(&lines) {
        assert_eq!(line.body(), gzip(body, 9));
        assert_eq!(line.body()[..2], [0x1f, 0x8b]);
        let mut inflated = Vec::new();
        flate2::read::MultiGzDecoder::new(line.body()).read_to_end(&mut inflated).expect("inflate");
        assert_eq!(&inflated, body);
    }
    no_body_was_written_to_a_file(&nginx);
}

// -------------------------------------------------------------------------------------- connections

#[test]
fn requests_on_one_connection_are_answered_and_logged_one_by_one() {
    let nginx = Nginx::start();
    let mut connection = nginx.connect();
    let requests: [&[u8]; 5] = [
        b"GET /b?1 HTTP/1.1\r\nHost: h\r\n\r\n",
        b"POST /b?2 HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nGET /",
        b"POST /api/v1/track?3 HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}",
        b"POST /api/v1/track?4 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        b"GET /b?5 HTTP/1.1\r\nHost: h\r\n\r\n",
    ];
    for request in requests {
        connection.write_all(request).expect("send");
        let answer = read_answer(&mut connection, false).expect("an answer");
        assert_eq!((answer.status, answer.header("connection")), (204, "keep-alive"));
    }
    // And all at once, without waiting for answers.
    connection.write_all(&requests.concat()).expect("send");
    connection.shutdown(std::net::Shutdown::Write).expect("half-close");
    let mut rest = Vec::new();
    connection.read_to_end(&mut rest).expect("read");
    assert_eq!(memchr::memmem::find_iter(&rest, "HTTP/1.1 204 ").count(), 5);

    let lines = nginx.lines();
    let logged: Vec<(String, &[u8])> = lines.iter().map(|line| (line.args(), line.body())).collect();
    let once = [("1", b"".as_slice()), ("2", b""), ("3", b"{}"), ("4", b"{}"), ("5", b"")];
    let expected: Vec<(String, &[u8])> =
        once.iter().chain(&once).map(|(args, body)| ((*args).to_owned(), *body)).collect();
    assert_eq!(logged, expected);
}

#[test]
fn a_client_that_leaves_after_its_request_is_a_hit_all_the_same() {
    let nginx = Nginx::start();
    for i in 0..20 {
        let body = bytes(3000);
        let mut request =
            format!("POST {TRACK}?{i} HTTP/1.1\r\nHost: h\r\nContent-Length: 3000\r\n\r\n").into_bytes();
        request.extend_from_slice(&body);
        nginx.connect().write_all(&request).expect("send"); // closed at once, the answer unread
        nginx
            .connect()
            .write_all(format!("GET /b?{i} HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes())
            .expect("send");
    }
    let lines = at_least(&nginx, 40);
    assert_eq!(lines.len(), 40);
    for line in lines {
        assert_eq!(line.status(), 204, "{line:?}");
        assert_eq!(line.body().len(), if line.method() == "POST" { 3000 } else { 0 });
    }
}

#[test]
fn a_client_that_leaves_in_the_middle_of_its_body_is_no_hit() {
    let nginx = Nginx::start();
    nginx
        .connect()
        .write_all(b"POST /api/v1/track HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n{\"half\":")
        .expect("send");
    let lines = at_least(&nginx, 1);
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0].status(), 400);
}

#[test]
fn a_killed_nginx_starts_again_and_appends_to_its_log() {
    let mut nginx = Nginx::start();
    assert_eq!(nginx.get("/b?before"), 204);
    // nginx answers, then logs: killed in between, it loses the line.
    assert_eq!(nginx.line().args(), "before");
    nginx.kill_and_start_again();
    assert_eq!(nginx.request("POST", &format!("{TRACK}?after"), &[], b"{}").status, 204);
    let logged: Vec<String> = nginx.lines().iter().map(Line::args).collect();
    assert_eq!(logged, ["before", "after"]);
}

// ---------------------------------------------------------------------------------- the other locations

#[test]
fn health_answers_and_is_not_logged() {
    let nginx = Nginx::start();
    let answer = nginx.request("GET", "/health", &[], b"");
    assert_eq!((answer.status, answer.body.as_slice()), (200, b"ok\n".as_slice()));
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(nginx.request("HEAD", "/health", &[], b"").status, 200);
    assert!(nginx.lines().is_empty());
    assert!(!nginx.other_log().contains("/health"));
}

#[test]
fn what_is_meant_for_nginx_alone_is_not_for_clients() {
    let nginx = Nginx::start();
    for path in
        ["/.alt-mirror", "/@alt_read_body", "/.none", "/b/", "/bb", "/api/v1/track/", "/s/../nginx.conf"]
    {
        assert!(matches!(nginx.get(path), 404 | 400), "{path}");
    }
    assert!(nginx.lines().is_empty());
}

#[test]
fn a_script_is_kept_an_hour_or_for_ever_by_its_name() {
    let nginx = Nginx::start();
    let script = format!("var a={:?};", "x".repeat(2000));
    let hashed = "b.0123456789abcdef.js";
    for name in ["b.js", hashed, "b.0123456.js"] {
        std::fs::write(nginx.script_dir.join(name), &script).expect("write a script");
    }
    for (name, cache) in [
        ("b.js", "public, max-age=3600"),
        (hashed, "public, max-age=31536000, immutable"),
        ("b.0123456.js", "public, max-age=3600"),
    ] {
        let answer =
            nginx.request("GET", &format!("/s/{name}?v=1"), &[("Origin", "https://shop.example")], b"");
        assert_eq!((answer.status, answer.body.as_slice()), (200, script.as_bytes()), "{name}");
        assert_eq!(answer.header("cache-control"), cache, "{name}");
        assert_eq!(answer.header("content-type"), "text/javascript; charset=utf-8", "{name}");
        assert_eq!(answer.header("access-control-allow-origin"), "*", "{name}");
        assert_eq!(answer.header("cross-origin-resource-policy"), "cross-origin", "{name}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{name}");
        assert_eq!(answer.header("sourcemap"), format!("/s/{name}.map"), "{name}");
        assert_eq!(answer.header("vary"), "Accept-Encoding", "{name}");
        let again = [("If-None-Match", answer.header("etag"))];
        let answer = nginx.request("GET", &format!("/s/{name}"), &again, b"");
        assert_eq!((answer.status, answer.header("cache-control")), (304, cache), "{name}");
    }
    let url = format!("http://127.0.0.1:{}/s/b.js", nginx.port);
    let answer = nginx.curl(&url, &["-H", "Accept-Encoding: gzip", "--output", "-"], b"");
    assert_eq!(answer.header("content-encoding"), "gzip");

    let missing = nginx.request("GET", "/s/gone.0123456789abcdef.js", &[], b"");
    assert_eq!((missing.status, missing.header("cache-control")), (404, ""));
    // A name that would end the header has none.
    std::fs::write(nginx.script_dir.join("b\r\nX-Other: 1\r\n.js"), &script).expect("write a script");
    let answer = nginx.request("GET", "/s/b%0D%0AX-Other:%201%0D%0A.js", &[], b"");
    assert_eq!((answer.status, answer.header("x-other"), answer.header("sourcemap")), (200, "", ""));
    assert_eq!(nginx.get("/s/"), 403);
    assert_eq!(nginx.request("POST", "/s/b.js", &[], b"").status, 405);
    assert!(nginx.lines().is_empty(), "scripts are no events");
}

// --------------------------------------------------------------------------------------------- TLS

#[test]
fn the_tls_site_redirects_and_says_so_for_a_year() {
    const YEAR: &str = "max-age=31536000";
    let nginx = Setup::tls()
        .edit("alt-http.conf", "rate=100r/s", "rate=1r/m")
        .edit("alt-endpoint.conf", "burst=1100 delay=1000", "burst=7 delay=7")
        .start();
    std::fs::write(nginx.script_dir.join("b.js"), "1").expect("write a script");

    let answer = nginx.request("POST", "/b?a=1&b=%20", &[], b"{}");
    assert_eq!(answer.status, 308);
    assert_eq!(answer.header("location"), "https://events.example.com/b?a=1&b=%20");
    // Over plain HTTP the header means nothing, and must not be sent.
    assert_eq!(answer.header("strict-transport-security"), "");
    let challenge = ".well-known/acme-challenge/token";
    std::fs::write(nginx.dir().join("acme").join(challenge), "proof").expect("write a challenge");
    let answer = nginx.request("GET", &format!("/{challenge}"), &[], b"");
    assert_eq!((answer.status, answer.body.as_slice()), (200, b"proof".as_slice()));

    let body = ["--data-binary", "{}"];
    let ask = |path: &str, more: &[&str]| nginx.curl(&nginx.https(path), more, b"");
    for (path, args, status) in [
        ("/b?1", [].as_slice(), 204),
        (TRACK, body.as_slice(), 204),
        ("/b?2", &["-X", "PUT"], 405),
        ("/health", &[], 200),
        ("/s/b.js", &[], 200),
        ("/elsewhere", &[], 404),
    ] {
        let answer = ask(path, args);
        assert_eq!((answer.status, answer.version.as_str()), (status, "HTTP/2"), "{path}");
        // /health is for machines.
        let expected = if path == "/health" { "" } else { YEAR };
        assert_eq!(answer.header("strict-transport-security"), expected, "{path}");
    }
    let old = ask("/b?3", &["--http1.1"]);
    assert_eq!((old.status, old.version.as_str()), (204, "HTTP/1.1"));
    let logged: Vec<(u16, Vec<u8>)> =
        nginx.lines().iter().map(|line| (line.status(), line.body().to_vec())).collect();
    assert_eq!(logged, [(204, vec![]), (204, b"{}".to_vec()), (405, vec![]), (204, vec![])]);
    // What is refused says it too.
    let refused = until("a refusal", || Some(ask("/b?4", &[])).filter(|answer| answer.status == 429));
    assert_eq!(refused.header("strict-transport-security"), YEAR);
}

#[test]
fn nginx_finds_nothing_to_complain_about() {
    for setup in [Setup::http(), Setup::tls(), behind_a_proxy(Setup::http())] {
        let nginx = setup.start();
        // The http level is also valid alone: before the site is there, and after it is gone.
        let whole = nginx.dir().join("nginx.conf");
        let alone = nginx.dir().join("alone.conf");
        let conf = std::fs::read_to_string(&whole).expect("nginx.conf");
        let lines: Vec<&str> = conf.split('\n').filter(|line| !line.contains("include alt/site-")).collect();
        std::fs::write(&alone, lines.join("\n")).expect("write");
        for conf in [whole, alone] {
            let output = Command::new(sbin("nginx"))
                .arg("-t")
                .arg("-p")
                .arg(nginx.dir())
                .arg("-c")
                .arg(conf)
                .output()
                .expect("run nginx -t");
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{said}");
            // Not run by root, it warns of what only root can do.
            assert!(web_user().is_none() || !said.contains("[warn]"), "{said}");
        }
        assert!(!nginx.error_log().contains("[warn]"), "{}", nginx.error_log());
    }
}

#[test]
fn what_a_person_changes_stands_in_one_place() {
    let count = |needle: &str| -> usize {
        ["alt-http.conf", "alt-locations.conf", "alt-endpoint.conf"]
            .map(|file| {
                std::fs::read_to_string(shipped(file)).expect("a shipped file").matches(needle).count()
            })
            .iter()
            .sum()
    };
    for once in [
        "/var/log/nginx/alt/beacon.log",
        "/var/www/alt/",
        "rate=100r/s",
        "burst=1100 delay=1000",
        "location = /b {",
    ] {
        assert_eq!(count(once), 1, "{once}");
    }
}

// ------------------------------------------------------------------------------------------ addresses

#[test]
fn without_real_ip_a_forged_address_is_not_believed() {
    let nginx = Nginx::start();
    let headers =
        [("X-Forwarded-For", "203.0.113.9"), ("X-Real-IP", "203.0.113.9"), ("Forwarded", "for=203.0.113.9")];
    assert_eq!(nginx.request("GET", "/b", &headers, b"").status, 204);
    assert_eq!(nginx.line().address(), "127.0.0.1");
}

#[test]
fn behind_a_load_balancer_the_last_address_that_no_proxy_spoke_for_counts() {
    let nginx = behind_a_proxy(Setup::http()).start();
    let cases = [
        (None, "127.0.0.1"),
        (Some("203.0.113.9"), "203.0.113.9"),
        // The visitor forged an address; the load balancer appended the true one.
        (Some("6.6.6.6, 203.0.113.9"), "203.0.113.9"),
        (Some("127.0.0.1, 6.6.6.6, 203.0.113.9"), "203.0.113.9"),
        // Two proxies of our own, one behind the other.
        (Some("6.6.6.6, 203.0.113.9, 10.0.1.7"), "203.0.113.9"),
        (Some("203.0.113.9:4711"), "203.0.113.9"),
        (Some("2001:DB8:0:0::9"), "2001:db8::9"),
        // Nonsense is left alone.
        (Some("unknown"), "127.0.0.1"),
        (Some("203.0.113.9, ' OR 1=1"), "127.0.0.1"),
    ];
    for (said, _) in cases {
        let headers: Vec<(&str, &str)> = said.map(|said| ("X-Forwarded-For", said)).into_iter().collect();
        assert_eq!(nginx.request("GET", "/b", &headers, b"").status, 204);
    }
    // Who is not the load balancer says what he likes.
    let url = format!("http://127.0.0.1:{}/b", nginx.port);
    let args = ["--interface", "127.0.0.2", "-H", "X-Forwarded-For: 203.0.113.9"];
    assert_eq!(nginx.curl(&url, &args, b"").status, 204);

    let logged: Vec<String> = nginx.lines().iter().map(Line::address).collect();
    let expected: Vec<&str> = cases.iter().map(|&(_, address)| address).chain(["127.0.0.2"]).collect();
    assert_eq!(logged, expected);
}

#[test]
fn behind_cloudfront_its_rendered_ranges_are_believed() {
    let list = r#"{"CLOUDFRONT_GLOBAL_IP_LIST": ["127.0.0.1/32", "2600:9000::/28"],
                   "CLOUDFRONT_REGIONAL_EDGE_IP_LIST": ["13.113.196.64/26"]}"#;
    let ranges = realip(list.as_bytes());
    assert!(ranges.status.success());
    let nginx = Setup::http()
        .file("cloudfront-ranges.conf", &String::from_utf8_lossy(&ranges.stdout))
        .in_server("include alt/realip-cloudfront.conf.example;")
        .start();
    let headers = [("X-Forwarded-For", "6.6.6.6, 203.0.113.9, 13.113.196.70, 2600:900f::1")];
    assert_eq!(nginx.request("GET", "/b", &headers, b"").status, 204);
    assert_eq!(nginx.line().address(), "203.0.113.9");
}

#[test]
fn the_truncated_variant_writes_networks() {
    let setup = Setup::http().edit("alt-endpoint.conf", "beacon.log alt1 ", "beacon.log alt1_truncated ");
    let nginx = behind_a_proxy(setup).start();
    let cases = [
        ("203.0.113.9", "203.0.113.0"),
        ("198.51.100.255", "198.51.100.0"),
        ("::ffff:203.0.113.9", "::ffff:203.0.113.0"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::"),
        ("2001:db8:1:2::6", "2001:db8:1::"),
        ("2001:db8:1::6", "2001:db8:1::"),
        ("2001:db8:1::", "2001:db8:1::"),
        ("2001:db8::6", "2001:db8::"),
        ("2001:db8:0:3:4:5:6:7", "2001:db8:0::"),
        ("2001::3:4:5:6", "2001::"),
        ("2001:0:5:6:7:8:9:a", "2001:0:5::"),
        ("2001::4:5:6:7:8", "2001::"),
        ("0:0:5:6:7:8:9:a", "0:0:5::"),
        ("::6:7:8:9:a", "::"),
        ("::6", "::"),
        ("fe80::1", "fe80::"),
    ];
    for (address, _) in cases {
        assert_eq!(nginx.request("GET", "/b", &[("X-Forwarded-For", address)], b"").status, 204);
    }
    assert_eq!(nginx.request("POST", TRACK, &[("X-Forwarded-For", "203.0.113.9")], b"{}").status, 204);
    let lines = nginx.lines();
    for ((address, expected), line) in cases.iter().zip(&lines) {
        assert_eq!(line.address(), *expected, "{address}");
        assert!(line.address().parse::<std::net::IpAddr>().is_ok());
    }
    let raw = std::fs::read_to_string(&nginx.log_path).expect("the log");
    assert!(!raw.contains("203.0.113.9") && !raw.contains("4:5:6"), "{raw}");

    // Apart from the address the two formats are one.
    let conf = std::fs::read_to_string(shipped("alt-http.conf")).expect("alt-http.conf");
    let format = |name: &str| {
        let rest = conf.split(&format!("log_format {name} escape=json")).nth(1).expect("the format");
        rest.split(';').next().expect("its end").to_owned()
    };
    assert_eq!(format("alt1").replace("$remote_addr", "$alt_truncated_addr"), format("alt1_truncated"));
}

fn realip(list: &[u8]) -> Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/cloudfront-realip");
    let mut child = Command::new(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("run the script");
    let _ = child.stdin.take().expect("stdin").write_all(list);
    child.wait_with_output().expect("wait for the script")
}

#[test]
fn cloudfronts_ranges_are_rendered_from_both_published_lists() {
    let aws = r#"{
      "syncToken": "1700000000",
      "createDate": "2026-01-01-00-00-00",
      "prefixes": [
        {"ip_prefix": "3.4.12.4/32", "region": "eu-west-1", "service": "AMAZON", "network_border_group": "x"},
        {"ip_prefix": "120.52.22.96/27", "region": "GLOBAL", "service": "CLOUDFRONT", "network_border_group": "GLOBAL"},
        {"ip_prefix": "120.52.22.96/27", "region": "GLOBAL", "service": "AMAZON", "network_border_group": "GLOBAL"},
        {"service": "CLOUDFRONT_ORIGIN_FACING", "region": "GLOBAL", "ip_prefix": "13.113.196.64/26"},
        {"ip_prefix": "120.52.22.96/27", "region": "GLOBAL", "service": "CLOUDFRONT_ORIGIN_FACING"}
      ],
      "ipv6_prefixes": [
        {"ipv6_prefix": "2600:9000:1000::/36", "region": "GLOBAL", "service": "CLOUDFRONT"},
        {"ipv6_prefix": "2600:1f00::/40", "region": "GLOBAL", "service": "EC2"}
      ]
    }"#;
    let cloudfront = r#"{"CLOUDFRONT_GLOBAL_IP_LIST":["120.52.22.96/27","2600:9000:1000::/36"],
                         "CLOUDFRONT_REGIONAL_EDGE_IP_LIST":["13.113.196.64/26"]}"#;
    for (list, expected) in [
        (aws, ["120.52.22.96/27", "13.113.196.64/26", "2600:9000:1000::/36"]),
        (cloudfront, ["120.52.22.96/27", "2600:9000:1000::/36", "13.113.196.64/26"]),
    ] {
        // The same in one line, or with the line ends of another system.
        for list in [list.to_owned(), list.replace('\n', ""), list.replace('\n', "\r\n")] {
            let output = realip(list.as_bytes());
            let text = String::from_utf8(output.stdout).expect("text");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let ranges: Vec<&str> = text
                .split('\n')
                .filter_map(|line| line.strip_prefix("set_real_ip_from ")?.strip_suffix(';'))
                .collect();
            assert_eq!(ranges, expected);
        }
    }
}

#[test]
fn a_list_that_is_not_wholly_good_renders_nothing() {
    let with = |range: &str| {
        format!(
            r#"{{"CLOUDFRONT_GLOBAL_IP_LIST":["120.52.22.96/27","{range}"],"CLOUDFRONT_REGIONAL_EDGE_IP_LIST":[]}}"#
        )
    };
    let mut cases: Vec<(String, &str)> = vec![
        (String::new(), "empty"),
        ("  \n".into(), "empty"),
        ("<html>Access Denied</html>".into(), "not JSON"),
        ("{}".into(), "neither"),
        (r#"{"prefixes":[]}"#.into(), "ipv6_prefixes"),
        (r#"{"prefixes":[],"ipv6_prefixes":[]}"#.into(), "no range"),
        (
            r#"{"prefixes":[{"ip_prefix":"1.2.3.0/24","service":"AMAZON"}],"ipv6_prefixes":[]}"#.into(),
            "no range",
        ),
        (r#"{"prefixes":[{"service":"CLOUDFRONT"}],"ipv6_prefixes":[]}"#.into(), "ip_prefix"),
        (r#"{"prefixes":[{"ip_prefix":"120.52.22.96/27","service":"CLOUDFRONT"}"#.into(), "cut off"),
        (r#"{"prefixes":[{"ip_prefix":"120.52.22.96/27","service":"CLOU"#.into(), "cut off"),
        (r#"{"CLOUDFRONT_GLOBAL_IP_LIST":["120.52.22.96/27"]}"#.into(), "CLOUDFRONT_REGIONAL_EDGE_IP_LIST"),
    ];
    for range in [
        "0.0.0.0/0",
        "1.2.3.4/7",
        "::/0",
        "2600::/15",
        "1.2.3.4/24",
        "1.2.3/24",
        "1.2.3.256/32",
        "01.2.3.4/32",
        "1.2.3.4",
        "1.2.3.4/",
        "1.2.3.4/33",
        "1.2.3.4/-1",
        "1.2.3.4.5/32",
        "2600:9000:/36",
        "2600::1::/36",
        ":::/16",
        "2600:9000::/129",
        "26000::/32",
        "1:2:3:4:5:6:7/64",
        "1:2:3:4:5:6:7:8:9/64",
        "1:2:3:4:5:6:7:8::/64",
        "g::/32",
        "all",
        "unix:",
        "1.2.3.4/32;include/etc/passwd",
        "",
    ] {
        cases.push((with(range), "is refused"));
    }
    for (list, why) in cases {
        let output = realip(list.as_bytes());
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{list}");
        assert!(output.stdout.is_empty(), "{list}");
        assert!(said.starts_with("cloudfront-realip: ") && said.contains(why), "{list}: {said}");
        assert_eq!(said.matches('\n').count(), 1, "{said}");
    }
    assert!(realip(with("1:2:3:4:5:6:7::/112").as_bytes()).status.success());
    assert!(realip(with("2600:9000::/28").as_bytes()).status.success());
}

// ------------------------------------------------------------------------------------------- rotation

#[test]
fn logs_rotate_many_times_a_day_and_no_line_is_lost() {
    let nginx = Nginx::start();
    let live = nginx.log_path.parent().expect("a directory").to_path_buf();
    // As installed: nginx's workers may pass through to reopen the log, and no more.
    std::fs::set_permissions(&live, std::fs::Permissions::from_mode(0o2751)).expect("set permissions");
    let second = || SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();

    let done = AtomicBool::new(false);
    let sent = std::thread::scope(|scope| {
        let visitor = scope.spawn(|| {
            let mut sent = 0;
            let mut connection = nginx.connect();
            // Not limited: see where_real_ip_is_evidently_missing_nobody_is_limited.
            while !done.load(Ordering::Relaxed) {
                let request =
                    format!("GET /b?n{sent} HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n");
                connection.write_all(request.as_bytes()).expect("send");
                let answer = read_answer(&mut connection, false).expect("an answer");
                assert_eq!(answer.status, 204);
                sent += 1;
                if answer.header("connection") == "close" {
                    connection = nginx.connect();
                }
            }
            sent
        });
        // Also when a rotation fails: else the failed test would wait for its visitor for ever.
        let visitor_ends = OnDrop(|| done.store(true, Ordering::Relaxed));
        let mut last = 0;
        for _ in 0..3 {
            // The name tells the second: a rotation within the same one is put off by logrotate.
            until("the next second", || Some(()).filter(|()| second() > last));
            until("the live log has lines", || Some(()).filter(|()| !read_lines(&nginx.log_path).is_empty()));
            nginx.logrotate();
            last = second();
        }
        drop(visitor_ends);
        visitor.join().expect("the visitor")
    });

    let rotated = nginx.rotated_dir();
    let mut names: Vec<String> = std::fs::read_dir(&rotated)
        .expect("rotated/ was made")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    assert_eq!(names.len(), 3, "{names:?}");
    let mut lines = Vec::new();
    for name in &names {
        // beacon.log-20260102-030405
        let stamp = name.strip_prefix("beacon.log-").expect("the live file's name and a date");
        assert!(stamp.len() == 15 && stamp.as_bytes()[8] == b'-', "{name}");
        lines.extend(read_lines(&rotated.join(name)));
    }
    lines.extend(nginx.lines());
    let logged: Vec<String> = lines.iter().map(Line::args).collect();
    let expected: Vec<String> = (0..sent).map(|n| format!("n{n}")).collect();
    assert!(logged == expected, "{} sent, {} logged", expected.len(), logged.len());

    let mode = |path: &Path| std::fs::metadata(path).expect("metadata").permissions().mode() & 0o7777;
    assert_eq!(mode(&rotated), 0o2770);
    assert_eq!(mode(&nginx.log_path), 0o640);
    // Rotated today, small: without -f there is nothing to do.
    nginx.logrotate_with(&[]);
    assert_eq!(std::fs::read_dir(&rotated).expect("rotated/").count(), 3);
}

#[test]
fn after_a_rename_and_usr1_lines_go_to_the_new_file() {
    let nginx = Nginx::start();
    nginx.get("/b?old");
    assert_eq!(nginx.line().args(), "old");
    let renamed = nginx.log_path.with_file_name("beacon.log.1");
    std::fs::rename(&nginx.log_path, &renamed).expect("rename");
    nginx.get("/b?late");
    nginx.reopen();
    nginx.get("/b?new");
    assert_eq!(nginx.line().args(), "new");
    let old: Vec<String> = read_lines(&renamed).iter().map(Line::args).collect();
    assert_eq!(old, ["old", "mark-of-the-test-0", "late"]);
}

struct OnDrop<F: Fn()>(F);

impl<F: Fn()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}
