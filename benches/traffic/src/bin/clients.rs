//! Browsers: many open connections that send beacons at a fixed rate, whatever the server does.
//!
//!     clients ADDRESS CONNECTIONS PER_SECOND SECONDS
//!
//! Every request has a time at which it is due, and its latency is counted from then: where the server is late, later
//! requests are late too, and that counts (no coordinated omission). After all connections are open, each line on
//! standard input starts a phase of so many seconds; for each, one JSON object is written. The clock of the timers is
//! in milliseconds, so that latencies have up to one too much.

use std::io::{BufRead, Write};
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use traffic::Traffic;

/// A request without an answer in this time is an error.
const PATIENCE: Duration = Duration::from_secs(10);

/// So many connections are opened before a pause of a millisecond.
const OPENED_AT_ONCE: usize = 5;

struct Plan {
    address: SocketAddr,
    connections: usize,
    per_second: f64,
    seconds: f64,
}

#[derive(Default)]
struct Phase {
    latencies_us: Vec<u64>,
    errors: u64,
}

fn main() {
    let given: Vec<String> = std::env::args().skip(1).collect();
    let [address, connections, per_second, seconds] = &given[..] else {
        eprintln!("usage: clients ADDRESS CONNECTIONS PER_SECOND SECONDS");
        std::process::exit(2);
    };
    let plan = Plan {
        address: address.parse().expect("an address"),
        connections: connections.parse().expect("a number of connections"),
        per_second: per_second.parse().expect("a rate"),
        seconds: seconds.parse().expect("a number of seconds"),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(all(plan));
}

async fn all(plan: Plan) {
    let mut traffic = Traffic::new(7, 1_767_225_600_000, plan.per_second);
    let mut open = Vec::with_capacity(plan.connections);
    for n in 0..plan.connections {
        open.push(TcpStream::connect(plan.address).await.expect("a connection"));
        if n % OPENED_AT_ONCE == 0 {
            sleep(Duration::from_millis(1)).await;
        }
    }
    for line in std::io::stdin().lock().split(b'\n') {
        line.expect("standard input");
        let every = plan.connections as f64 / plan.per_second;
        let mut ready = Vec::with_capacity(open.len());
        for (n, connection) in open.drain(..).enumerate() {
            let first = n as f64 / plan.per_second;
            let count = (0..).take_while(|k| first + every * f64::from(*k) < plan.seconds).count();
            let requests: Vec<Vec<u8>> = (0..count).map(|_| request(&mut traffic)).collect();
            ready.push((connection, Duration::from_secs_f64(first), requests));
        }
        // Only now: the first would be late by the time that it takes to make all of them.
        let start = Instant::now() + Duration::from_millis(200);
        let (address, every) = (plan.address, Duration::from_secs_f64(every));
        let mut browsers = JoinSet::new();
        for (connection, first, requests) in ready {
            browsers.spawn(async move { browser(address, connection, start + first, every, requests).await });
        }
        let mut phase = Phase::default();
        while let Some(done) = browsers.join_next().await {
            let (connection, of_one) = done.expect("a browser ends");
            phase.latencies_us.extend(of_one.latencies_us);
            phase.errors += of_one.errors;
            open.extend(connection);
        }
        report(phase, start.elapsed());
    }
}

fn report(mut phase: Phase, took: Duration) {
    phase.latencies_us.sort_unstable();
    let answered = phase.latencies_us.len();
    let at = |share: f64| {
        let index = ((answered as f64 * share) as usize).min(answered.saturating_sub(1));
        phase.latencies_us.get(index).map_or(0.0, |us| *us as f64 / 1000.0)
    };
    println!(
        "{{\"answered\":{answered},\"errors\":{},\"seconds\":{:.3},\"p50_ms\":{},\"p95_ms\":{},\"p99_ms\":{},\"max_ms\":{}}}",
        phase.errors,
        took.as_secs_f64(),
        at(0.5),
        at(0.95),
        at(0.99),
        at(1.0)
    );
    std::io::stdout().flush().expect("standard output");
}

/// One connection through one phase; a connection that was closed is opened again.
async fn browser(
    address: SocketAddr,
    mut connection: TcpStream,
    first: Instant,
    every: Duration,
    requests: Vec<Vec<u8>>,
) -> (Option<TcpStream>, Phase) {
    let mut phase = Phase::default();
    for (k, request) in (0..).zip(&requests) {
        let due = first + every * k;
        sleep_until(due).await;
        match timeout(PATIENCE, ask(&mut connection, request)).await {
            Ok(Ok(stays_open)) => {
                phase.latencies_us.push(u64::try_from(due.elapsed().as_micros()).unwrap_or(u64::MAX));
                if stays_open {
                    continue;
                }
            }
            _ => phase.errors += 1,
        }
        match TcpStream::connect(address).await {
            Ok(anew) => connection = anew,
            Err(_) => {
                phase.errors += 1;
                return (None, phase);
            }
        }
    }
    (Some(connection), phase)
}

/// Whether the connection stays open after the answer, which has to be a 204.
async fn ask(connection: &mut TcpStream, request: &[u8]) -> std::io::Result<bool> {
    connection.write_all(request).await?;
    let (mut answer, mut used) = ([0; 2048], 0);
    while !answer[..used].ends_with(b"\r\n\r\n") {
        match connection.read(&mut answer[used..]).await? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            more => used += more,
        }
    }
    let answer = String::from_utf8_lossy(&answer[..used]).to_ascii_lowercase();
    if !answer.starts_with("http/1.1 204 ") {
        return Err(std::io::Error::other(answer));
    }
    Ok(!answer.contains("connection: close"))
}

/// The next beacon of the traffic, as its browser sends it.
fn request(traffic: &mut Traffic) -> Vec<u8> {
    let mut line = Vec::new();
    loop {
        line.clear();
        traffic.alt1(&mut line);
        let text = String::from_utf8_lossy(&line);
        let fields: Vec<&str> = text.split('\t').collect();
        let &[_, _, _, _, method, "204", host, "/b", query, referer, agent, language, ..] = &fields[..]
        else {
            continue;
        };
        // nginx answers these with 204 as well; they are left out because there is one in a thousand
        if !matches!(method, "GET" | "POST") || query.len() > 7400 {
            continue;
        }
        let length = if method == "POST" { "Content-Length: 0\r\n" } else { "" };
        // From a private address with X-Forwarded-For nobody is limited.
        return format!(
            "{method} /b?{query} HTTP/1.1\r\nHost: {host}\r\nX-Forwarded-For: 192.0.2.1\r\nReferer: {referer}\r\n\
             User-Agent: {agent}\r\nAccept-Language: {language}\r\n{length}\r\n"
        )
        .into_bytes();
    }
}
