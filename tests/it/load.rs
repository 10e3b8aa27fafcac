//! Under load: real nginx, real rotations, kills and restarts, and every request is one row.
//!
//! Short by default; `ALT_TEST_FULL=1` runs them at the length that the promises are stated for. Figures that they
//! print mean something in a release build only:
//!
//! ```text
//! ALT_TEST_FULL=1 cargo test --release --test it load:: -- --nocapture --test-threads=1
//! ```

use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::support::daemon::{Daemon, alt, configuration, wait_for};
use crate::support::lines::{KEY, alt1_aged, register};
use crate::support::nginx::{Nginx, read_answer};
use crate::support::postgres::{Cluster, Database};

fn full() -> bool {
    std::env::var_os("ALT_TEST_FULL").is_some()
}

/// Connections that send requests at an even pace, each request with a number of its own (`n`).
fn send(nginx: &Nginx, per_second: u64, done: &AtomicBool) -> Vec<u64> {
    const CONNECTIONS: u64 = 4;
    const BURST: u64 = 25;
    std::thread::scope(|scope| {
        let senders: Vec<_> = (0..CONNECTIONS)
            .map(|which| {
                scope.spawn(move || {
                    let (mut sent, mut connection) = (Vec::new(), nginx.connect());
                    let start = Instant::now();
                    let mut n = which;
                    while !done.load(Ordering::Relaxed) {
                        for _ in 0..BURST {
                            // With X-Forwarded-For from a private address nobody is limited.
                            let request = format!(
                                "GET /b?a={KEY}&u=https%3A%2F%2Fshop.example%2F%3Fcategory%3D{n}&s=s{}&p.n={n} HTTP/1.1\r\n\
                                 Host: collect.example\r\nX-Forwarded-For: 192.0.2.1\r\n\
                                 User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n\r\n",
                                n % 1000
                            );
                            connection.write_all(request.as_bytes()).unwrap();
                            let answer = read_answer(&mut connection, false).unwrap();
                            assert_eq!(answer.status, 204);
                            sent.push(n);
                            n += CONNECTIONS;
                            if answer.header("connection") == "close" {
                                connection = nginx.connect();
                            }
                        }
                        let due = Duration::from_secs_f64(sent.len() as f64 * CONNECTIONS as f64 / per_second as f64);
                        std::thread::sleep(due.saturating_sub(start.elapsed()));
                    }
                    sent
                })
            })
            .collect();
        senders.into_iter().flat_map(|s| s.join().unwrap()).collect()
    })
}

/// nginx, a PostgreSQL that writes to disk, a daemon between them.
struct Bench {
    nginx: Nginx,
    cluster: Arc<Cluster>,
    database: Database,
    config: PathBuf,
}

impl Bench {
    fn new() -> Bench {
        let nginx = Nginx::start();
        let cluster = Cluster::start(&["track_commit_timestamp=on"]);
        let database = cluster.database();
        register(&database);
        let source = format!("[[source]]\npaths = [\"{}\"]", nginx.log_path.display());
        let config = configuration(nginx.dir(), &database, &source, "");
        Bench { nginx, cluster, database, config }
    }

    fn rows(&self) -> String {
        self.database.psql("SELECT count(*) FROM access_logs")
    }

    /// Waits until as many rows as requests are there, and checks that they are the same ones.
    fn check(&self, mut sent: Vec<u64>) {
        wait_for(
            60,
            || self.rows().parse::<usize>().unwrap() >= sent.len(),
            || format!("{} sent, {} rows; {}", sent.len(), self.rows(), self.state()),
        );
        let rows = self.database.psql("SELECT (params->'custom'->>'n')::bigint FROM access_logs ORDER BY 1");
        let rows: Vec<u64> = rows.lines().map(|n| n.parse().unwrap()).collect();
        sent.sort_unstable();
        assert!(rows == sent, "{} sent, {} rows; {}", sent.len(), rows.len(), self.state());
        let rejects = self.database.psql("SELECT reason, count(*) FROM rejected_lines GROUP BY 1");
        assert_eq!(rejects, "");
        let unbalanced = self
            .database
            .psql("SELECT * FROM checkpoints WHERE lines <> rows + non_hits + rejects + already_loaded");
        assert_eq!(unbalanced, "");
    }

    fn state(&self) -> String {
        let log = std::fs::read_to_string(self.config.with_extension("stderr")).unwrap_or_default();
        let log = log.lines().rev().take(40).collect::<Vec<_>>();
        format!(
            "{}\n{}",
            self.database.psql("SELECT f.path, c.* FROM checkpoints c JOIN log_files f ON f.id = c.file_id"),
            log.into_iter().rev().collect::<Vec<_>>().join("\n")
        )
    }
}

#[test]
fn every_request_is_a_row_within_300_ms() {
    let bench = Bench::new();
    let daemon = Daemon::start(&bench.config);
    let seconds = if full() { 60 } else { 10 };
    let done = AtomicBool::new(false);
    let sent = std::thread::scope(|scope| {
        let sender = scope.spawn(|| send(&bench.nginx, 5000, &done));
        std::thread::sleep(Duration::from_secs(seconds / 2));
        bench.nginx.logrotate();
        std::thread::sleep(Duration::from_secs(seconds / 2));
        done.store(true, Ordering::Relaxed);
        sender.join().unwrap()
    });
    let count = sent.len();
    bench.check(sent);
    // Not a test of speed: whether it keeps up at all on a machine that does other things too, where a few requests may
    // wait for seconds. The figure is printed; the benchmark measures it.
    let lag = bench.database.psql(
        "SELECT percentile_disc(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP \
         (ORDER BY extract(epoch FROM pg_xact_commit_timestamp(xmin) - occurred_at)) FROM access_logs",
    );
    println!(
        "{count} requests in {seconds} s; p50, p95, p99 from request to commit: {lag} s; peak {} KiB",
        daemon.peak_rss_kib()
    );
    let lags: Vec<f64> = lag.trim_matches(['{', '}']).split(',').map(|lag| lag.parse().unwrap()).collect();
    assert!(if full() { lags[2] < 0.3 } else { lags[0] < 2.0 }, "{lag}");
    let rotated = bench.database.psql("SELECT count(*) FROM log_files WHERE path LIKE '%/rotated/%'");
    assert_eq!(rotated, "1");
}

#[test]
fn kills_and_restarts_lose_and_double_nothing() {
    let bench = Bench::new();
    let (seconds, kills, restarts, rotations) = if full() { (900, 1000, 20, 200) } else { (12, 10, 2, 2) };
    let done = AtomicBool::new(false);
    let mut random: u64 = u64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos()).unwrap();
    println!("seed {random}");
    let mut up_to = |most: u64| {
        // xorshift64
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % most
    };
    let sent = std::thread::scope(|scope| {
        let sender = scope.spawn(|| send(&bench.nginx, 5000, &done));
        let mut daemon = Daemon::start(&bench.config);
        // A rotated log is named by the second.
        let mut rotated = Instant::now();
        for n in 0..kills {
            std::thread::sleep(Duration::from_millis(up_to(2 * 1000 * seconds / kills)));
            daemon.kill();
            daemon = Daemon::start(&bench.config);
            if n % (kills / restarts) == 0 {
                // At once as if it crashed, or in order.
                bench.cluster.down(if up_to(2) == 0 { "immediate" } else { "fast" });
                std::thread::sleep(Duration::from_millis(up_to(500)));
                bench.cluster.up();
            }
            if n % (kills / rotations) == 0 {
                std::thread::sleep(Duration::from_millis(1100).saturating_sub(rotated.elapsed()));
                bench.nginx.logrotate();
                rotated = Instant::now();
            }
        }
        done.store(true, Ordering::Relaxed);
        let sent = sender.join().unwrap();
        // What it was given last is loaded before it is let go.
        wait_for(60, || bench.rows().parse::<usize>().unwrap() >= sent.len(), || bench.state());
        assert!(daemon.stop().success());
        sent
    });
    println!("{} requests, {kills} kills, {restarts} restarts, {rotations} rotations", sent.len());
    bench.check(sent);
}

#[test]
fn a_backlog_does_not_fill_the_memory() {
    let cluster = Cluster::start(&[]);
    let database = cluster.database();
    register(&database);
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("beacon.log");
    let bytes: u64 = if full() { 10 << 30 } else { 60 << 20 };
    let mut file = BufWriter::new(std::fs::File::create(&log).unwrap());
    let (mut written, mut lines) = (0, 0u64);
    while written < bytes {
        let line = alt1_aged((bytes - written) / 4096);
        file.write_all(line.as_bytes()).unwrap();
        written += line.len() as u64;
        lines += 1;
    }
    file.flush().unwrap();
    let source = format!("[[source]]\npaths = [\"{}\"]", log.display());
    let config = configuration(directory.path(), &database, &source, "");
    let daemon = Daemon::start(&config);
    // Counted only once, in the end: there are many.
    let rows = || database.psql("SELECT coalesce(sum(rows), 0) FROM checkpoints").parse::<u64>().unwrap();
    wait_for(if full() { 3600 } else { 300 }, || rows() > lines / 4, || daemon.log());
    cluster.down("immediate");
    std::thread::sleep(Duration::from_secs(if full() { 60 } else { 3 }));
    cluster.up();
    wait_for(if full() { 7200 } else { 1200 }, || rows() >= lines, || daemon.log());
    let peak = daemon.peak_rss_kib();
    println!("{} MiB of backlog, {lines} lines: peak {peak} KiB", bytes >> 20);
    assert!(peak < 64 * 1024, "{peak} KiB");
    let counted = database.psql("SELECT count(*), count(DISTINCT event_id) FROM access_logs");
    assert_eq!(counted, format!("{lines}|{lines}"));
}

/// 2023-10-01T00:00:00Z, and how long that month is, in milliseconds.
const OCTOBER: u64 = 1_696_118_400_000;
const MONTH: u64 = 31 * 24 * 3_600_000;

/// Writes so many bytes of hits of 500 applications, in the order of their times, evenly over 31 days from `start`.
/// Returns how many, and where each thousandth line begins.
fn month(path: &Path, bytes: u64, start: u64) -> (u64, Vec<u64>) {
    let mut file = BufWriter::new(File::create(path).unwrap());
    let (mut written, mut lines, mut blocks) = (0, 0, Vec::new());
    while written < bytes {
        if lines % 1000 == 0 {
            blocks.push(written);
        }
        let at = start + MONTH * written / bytes;
        let line = format!(
            "alt1\t{}.{:03}\t{start:016x}{lines:016x}\t192.0.2.{}\tGET\t204\tcollect.example\t/b\t\
             a=app-{}&u=https%3A%2F%2Fshop.example%2Fp%2F{lines}&sw=1920\thttps://shop.example/\tMozilla/5.0 (X11; \
             Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\tde-DE\t\t\t\t\t\t512\t\n",
            at / 1000,
            at % 1000,
            lines % 250,
            // Few are large, many are small.
            (lines * 7919 % 500) * (lines * 104_729 % 500) / 500,
        );
        file.write_all(line.as_bytes()).unwrap();
        written += line.len() as u64;
        lines += 1;
    }
    file.flush().unwrap();
    blocks.push(written);
    (lines, blocks)
}

/// Copies a file, its blocks in another order.
fn shuffle(from: &Path, blocks: &[u64], to: &Path) {
    let (mut from, mut to) = (File::open(from).unwrap(), BufWriter::new(File::create(to).unwrap()));
    let mut order: Vec<&[u64]> = blocks.windows(2).collect();
    order.sort_by_cached_key(|block| block[0].wrapping_mul(0x9e37_79b9_7f4a_7c15));
    for block in order {
        from.seek(SeekFrom::Start(block[0])).unwrap();
        std::io::copy(&mut Read::by_ref(&mut from).take(block[1] - block[0]), &mut to).unwrap();
    }
    to.flush().unwrap();
}

/// A server whose figures mean something; in the short run one that is quick.
fn server() -> Arc<Cluster> {
    if cfg!(debug_assertions) {
        println!(
            "a build for tests; for figures: ALT_TEST_FULL=1 cargo test --release --test it load:: -- --nocapture \
             --test-threads=1"
        );
    }
    Cluster::start(if full() { &["max_wal_size=4GB"] } else { &["fsync=off", "synchronous_commit=off"] })
}

/// What a replay came to.
struct Replayed {
    lines: u64,
    rows: u64,
    already_loaded: u64,
    seconds: f64,
    peak_kib: u64,
}

/// Replays one file as a process of its own, and watches its memory.
fn replay(config: &Path, log: &Path, args: &[&str]) -> Replayed {
    let mut child = alt()
        .args(["replay", "--json", "--config"])
        .arg(config)
        .arg(log)
        .args(args)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut peak_kib = 0;
    let status = loop {
        let memory = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
        let peak = memory.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak = peak.and_then(|text| text.split_whitespace().next()?.parse().ok());
        peak_kib = peak.unwrap_or(peak_kib);
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    assert!(status.success());
    let account: serde_json::Value = serde_json::from_reader(child.stdout.take().unwrap()).unwrap();
    let n = |name: &str| account[name].as_u64().unwrap();
    let seconds = account["seconds"].as_f64().unwrap();
    Replayed { lines: n("lines"), rows: n("rows"), already_loaded: n("already_loaded"), seconds, peak_kib }
}

#[test]
fn a_backlog_over_a_month_for_500_applications() {
    let database = server().database();
    database.psql(
        "INSERT INTO applications (app_key, name) SELECT 'app-' || n, 'App ' || n FROM generate_series(0, 499) n",
    );
    let directory = tempfile::tempdir().unwrap();
    let config = configuration(directory.path(), &database, "", "");
    let bytes: u64 = if full() { 2 << 30 } else { 40 << 20 };
    let (log, copy) = (directory.path().join("log"), directory.path().join("copy"));
    let mut loaded = 0;
    let mut times = Vec::new();
    // Into an empty table, and into one that holds another month.
    for start in [OCTOBER, OCTOBER + MONTH] {
        let (lines, blocks) = month(&log, bytes, start);
        let first = replay(&config, &log, &[]);
        assert_eq!((first.lines, first.rows), (lines, lines));
        loaded += lines;
        shuffle(&log, &blocks, &copy);
        let again = replay(&config, &copy, &[]);
        assert_eq!((again.lines, again.rows, again.already_loaded), (lines, 0, lines));
        let peak = first.peak_kib.max(again.peak_kib);
        println!(
            "{} MiB, {lines} lines of 500 applications over a month: loaded in {:.1} s, {:.0} rows/s; a shuffled copy, \
             all there already, in {:.1} s ({:.2} of that); peak {peak} KiB",
            bytes >> 20,
            first.seconds,
            lines as f64 / first.seconds,
            again.seconds,
            again.seconds / first.seconds,
        );
        assert!(peak < 64 * 1024, "{peak} KiB");
        times.push(first.seconds);
    }
    println!("with another month in the table: {:.2} of the time into an empty one", times[1] / times[0]);
    let rows = database.psql("SELECT count(*), count(DISTINCT event_id) FROM access_logs");
    assert_eq!(rows, format!("{loaded}|{loaded}"));
}

#[test]
fn ten_million_combined_lines() {
    let database = server().database();
    register(&database);
    let directory = tempfile::tempdir().unwrap();
    let config = configuration(directory.path(), &database, "", "");
    let lines: u64 = if full() { 10_000_000 } else { 100_000 };
    let log = directory.path().join("access.log");
    let mut file = BufWriter::new(File::create(&log).unwrap());
    let first = i64::try_from(OCTOBER / 1000).unwrap();
    for n in 0..lines {
        // Twenty a second.
        let time = jiff::Timestamp::from_second(first + i64::try_from(n / 20).unwrap()).unwrap();
        let time = time.strftime("%d/%b/%Y:%H:%M:%S +0000");
        writeln!(
            file,
            "192.0.2.{} - - [{time}] \"GET /p/{}?category={} HTTP/1.1\" 200 5120 \"https://shop.example/\" \"Mozilla/5.0 \
             (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\"",
            n % 250,
            n % 1009,
            n % 7,
        )
        .unwrap();
    }
    file.flush().unwrap();
    let args = ["--format", "combined", "--app", KEY, "--label", "site"];
    let loaded = replay(&config, &log, &args);
    assert_eq!((loaded.lines, loaded.rows), (lines, lines));
    println!(
        "{lines} lines of combined in {:.1} s: {:.0} rows/s, peak {} KiB",
        loaded.seconds,
        lines as f64 / loaded.seconds,
        loaded.peak_kib
    );
    let rows = database.psql("SELECT count(*), count(DISTINCT event_id) FROM access_logs");
    assert_eq!(rows, format!("{lines}|{lines}"));
}
