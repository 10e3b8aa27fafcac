//! The admin port: what it says holds, whatever is away.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::support::bench::Bench;
use crate::support::daemon::{Daemon, http, patience, sample_of, wait_for};
use crate::support::lines::{alt1, many};
use crate::support::postgres::{Cluster, Database};

const SOURCE: &str = "[[source]]\npaths = [\"DIR/beacon.log\"]";

fn daemon(bench: &Bench) -> &Daemon {
    bench.daemon.as_ref().unwrap()
}

/// The sum of a family's samples.
fn sum(page: &str, family: &str) -> f64 {
    let samples = page.lines().filter(|line| {
        line.strip_prefix(family).is_some_and(|rest| rest.starts_with(' ') || rest.starts_with('{'))
    });
    samples.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
}

fn lag(bench: &Bench, what: &str) -> f64 {
    let path = bench.path("beacon.log");
    daemon(bench).metric(&format!("alt_lag_{what}{{source=\"{}\"}}", path.display()))
}

/// Waits until a sample has a value.
fn becomes(bench: &Bench, sample: &str, value: f64) {
    let is_so = || daemon(bench).metric(sample) == value;
    wait_for(30, is_so, || format!("{sample}: {}\n{}", daemon(bench).ask("/metrics").1, bench.state()));
}

#[test]
fn every_line_is_counted_once_and_as_what_it_became() {
    let mut bench = Bench::new();
    let twice = alt1();
    bench.append("beacon.log", 40);
    bench.append_text("beacon.log", &twice, 1);
    bench.append_text("beacon.log", &alt1().replace("&u=", "&e=search&u="), 1);
    bench.append_text("beacon.log", &alt1().replace("&u=", "&e=my-own&u="), 1);
    bench.append_text("beacon.log", &alt1().replace("\tGET\t204", "\tGET\t405"), 0);
    bench.append_text("beacon.log", &alt1().replace("\tGET\t204", "\tOPTIONS\t204"), 0);
    bench.append_text("beacon.log", "no line of ours\n\n", 0);
    bench.append_text("beacon.log", &alt1().replace("a=shop", "a=nobody"), 0);
    becomes(&bench, "alt_lines_read_total", 48.0);
    // a copy of the file, which brings nothing new
    fs::write(bench.path("beacon.log.1"), many(1) + &twice).unwrap();
    bench.written += 1;
    becomes(&bench, "alt_lines_read_total", 50.0);
    becomes(&bench, "alt_partitions_ahead", 2.0);
    becomes(&bench, "database_connections", 1.0);

    let page = daemon(&bench).ask("/metrics").1;
    let is = |sample: &str, value: f64| assert_eq!(sample_of(&page, sample), Some(value), "{sample}: {page}");
    is("alt_rows_loaded_total", 44.0);
    is("alt_lines_already_loaded_total", 1.0);
    is("alt_lines_rejected_total{reason=\"shape\"}", 1.0);
    is("alt_lines_rejected_total{reason=\"empty\"}", 1.0);
    is("alt_lines_rejected_total{reason=\"unknown_app\"}", 1.0);
    is("alt_lines_rejected_total{reason=\"refused\"}", 0.0);
    is("alt_lines_non_hit_total{kind=\"405\"}", 1.0);
    is("alt_lines_non_hit_total{kind=\"method\"}", 1.0);
    is("tracking_events_total{app=\"shop\",event_type=\"pageview\"}", 42.0);
    is("tracking_events_total{app=\"shop\",event_type=\"search\"}", 1.0);
    is("tracking_events_total{app=\"shop\",event_type=\"custom\"}", 1.0);
    is("alt_application_info{app=\"shop\",name=\"Shop\"}", 1.0);
    let bytes = fs::metadata(bench.path("beacon.log")).unwrap().len()
        + fs::metadata(bench.path("beacon.log.1")).unwrap().len();
    is("alt_bytes_read_total", bytes as f64);
    is("alt_commit_seconds_count", sample_of(&page, "alt_batch_rows_count").unwrap());
    is("alt_batch_rows_sum", 44.0);
    is("alt_postgres_up", 1.0);
    is("alt_partitions_ahead", 2.0);
    is("alt_partition_current", 1.0);
    is("alt_database_changes_total", 0.0);
    is("database_connections", 1.0);
    assert!(sample_of(&page, "alt_clock_difference_seconds").unwrap().abs() < 5.0, "{page}");
    let disk = |what| sum(&page, &format!("alt_log_disk_{what}_bytes"));
    assert!(0.0 < disk("free") && disk("free") < disk("size"), "{page}");
    for process in ["cpu_seconds_total", "resident_memory_bytes", "open_fds", "start_time_seconds", "threads"]
    {
        assert!(sample_of(&page, &format!("process_{process}")).unwrap() > 0.0, "{process}: {page}");
    }
}

#[test]
fn the_counts_agree_in_every_answer_under_load() {
    let mut bench = Bench::new();
    let until = Instant::now() + Duration::from_secs(3);
    let mut read = BTreeSet::new();
    while Instant::now() < until {
        bench.append("beacon.log", 200);
        bench.append_text("beacon.log", "not a line\n", 0);
        bench.append_text("beacon.log", &alt1().replace("\tGET\t204", "\tGET\t429"), 0);
        let page = daemon(&bench).ask("/metrics").1;
        let parts = ["alt_rows_loaded_total", "alt_lines_rejected_total", "alt_lines_non_hit_total"];
        let parts: f64 = parts.iter().map(|family| sum(&page, family)).sum();
        let lines = sum(&page, "alt_lines_read_total");
        assert_eq!(lines, parts + sum(&page, "alt_lines_already_loaded_total"), "{page}");
        assert_eq!(sum(&page, "tracking_events_total"), sum(&page, "alt_rows_loaded_total"), "{page}");
        read.insert(lines.to_string());
    }
    assert!(read.len() > 3, "it was not looked at while lines came: {read:?}");
}

#[test]
fn a_database_that_goes_away_is_told_and_what_waits_for_it() {
    let cluster = Cluster::start(&[]);
    let mut bench = Bench::not_started(SOURCE, cluster.database());
    bench.start();
    bench.append("beacon.log", 10);
    bench.settle();
    wait_for(10, || daemon(&bench).ask("/readyz").0 == 200, || bench.state());
    assert_eq!(
        daemon(&bench).ask("/readyz").1,
        "{\"ready\":true,\"postgres\":null,\"archive\":null,\"retention\":null,\"workers\":{}}\n"
    );
    wait_for(10, || lag(&bench, "bytes") == 0.0, || bench.state());
    assert_eq!(lag(&bench, "seconds"), 0.0);

    cluster.down("immediate");
    let more = many(30);
    bench.append_text("beacon.log", &more, 30);
    wait_for(20, || daemon(&bench).ask("/readyz").0 == 503, || bench.state());
    let (_, why) = daemon(&bench).ask("/readyz");
    assert!(why.starts_with("{\"ready\":false,\"postgres\":\"") && why.contains("connect"), "{why}");
    assert_eq!(daemon(&bench).ask("/healthz"), (200, "ok\n".to_owned()), "it is alive all the same");
    assert_eq!(lag(&bench, "bytes"), more.len() as f64);
    // rotated meanwhile, it is still known how much is loaded of it, and the new one is seen
    fs::rename(bench.path("beacon.log"), bench.path("beacon.log.1")).unwrap();
    let newest = many(5);
    bench.append_text("beacon.log", &newest, 5);
    assert_eq!(lag(&bench, "bytes"), (more.len() + newest.len()) as f64);
    let before = lag(&bench, "seconds");
    std::thread::sleep(Duration::from_secs(2));
    let after = lag(&bench, "seconds");
    assert!(after - before > 1.5 && after < 60.0, "{before} {after}");
    assert_eq!(daemon(&bench).metric("alt_postgres_up"), 0.0);
    assert_eq!(daemon(&bench).metric("database_connections"), 0.0);
    let page = daemon(&bench).ask("/metrics").1;
    assert!(sum(&page, "alt_retries_total") > 0.0, "{page}");

    cluster.up();
    bench.settle();
    wait_for(10, || lag(&bench, "bytes") == 0.0, || bench.state());
    assert_eq!(lag(&bench, "seconds"), 0.0);
    wait_for(10, || daemon(&bench).ask("/readyz").0 == 200, || bench.state());
    assert_eq!(daemon(&bench).metric("alt_database_changes_total"), 0.0, "it is the same one");
}

#[test]
fn another_database_in_the_same_place_is_told() {
    let (one, other) = (Cluster::start(&[]), Cluster::start(&[]));
    let bench = Bench::not_started(SOURCE, one.database());
    // the same database twice, behind one name that is moved
    let twin = other.database();
    crate::support::lines::register(&twin);
    let link = bench.path("socket");
    std::os::unix::fs::symlink(one.dir(), &link).unwrap();
    let config = fs::read_to_string(&bench.config).unwrap();
    let moved =
        |cluster: &Cluster| config.replace(&cluster.dir().display().to_string(), &link.display().to_string());
    let name = |url: &str| url.split("///").nth(1).unwrap().split('?').next().unwrap().to_owned();
    other.psql(
        "postgres",
        &format!("ALTER DATABASE {} RENAME TO {}", name(&twin.url), name(&bench.database.url)),
    );
    fs::write(&bench.config, moved(&one)).unwrap();
    let mut bench = bench;
    bench.start();
    bench.append("beacon.log", 5);
    bench.settle();
    becomes(&bench, "alt_partition_current", 1.0);
    fs::remove_file(&link).unwrap();
    std::os::unix::fs::symlink(other.dir(), &link).unwrap();
    one.down("fast");
    bench.append("beacon.log", 1);
    becomes(&bench, "alt_database_changes_total", 1.0);
    assert!(daemon(&bench).log().contains("another database cluster"), "{}", daemon(&bench).log());
    // and all that is still in the log is in the other one, too
    let rows = || other.psql(&name(&bench.database.url), "SELECT count(*) FROM access_logs");
    wait_for(30, || rows() == "6", || bench.state());
}

#[test]
fn an_archive_that_refuses_is_told_and_loading_goes_on() {
    let bench = Bench::not_started(SOURCE, Database::create());
    let archive = bench.path("archive");
    fs::write(&archive, "no directory").unwrap();
    let mut config = fs::read_to_string(&bench.config).unwrap();
    config += &format!("[archive]\nurl = \"file://{}\"\n", archive.display());
    fs::write(&bench.config, config).unwrap();
    let mut bench = bench;
    bench.start();
    bench.append("beacon.log", 20);
    bench.settle();
    fs::rename(bench.path("beacon.log"), bench.path("beacon.log.1")).unwrap();
    bench.append("beacon.log", 1);
    bench.settle();
    becomes(&bench, "alt_archive_up", 0.0);
    let (status, said) = daemon(&bench).ask("/readyz");
    assert_eq!(status, 200, "loading goes on: {said}");
    assert!(said.contains("\"ready\":true") && said.contains("\"archive\":\""), "{said}");
    let page = daemon(&bench).ask("/metrics").1;
    assert!(
        sample_of(&page, "alt_retries_total{cause=\"store\",destination=\"archive\"}").unwrap() > 0.0,
        "{page}"
    );

    fs::remove_file(&archive).unwrap();
    becomes(&bench, "alt_archive_objects_total", 1.0);
    becomes(&bench, "alt_archive_up", 1.0);
    becomes(&bench, "alt_archive_queue_files", 0.0);
    let size = fs::metadata(bench.path("beacon.log.1")).unwrap().len() as f64;
    assert_eq!(daemon(&bench).metric("alt_archive_raw_bytes_total"), size);
    let stored = daemon(&bench).metric("alt_archive_stored_bytes_total");
    assert!(0.0 < stored && stored < size, "{stored} of {size}");
    assert!(daemon(&bench).ask("/readyz").1.contains("\"archive\":null"));
    // one that cannot be archived is owed, and since when is told
    let unreadable = bench.path("beacon.log.2");
    fs::write(&unreadable, b"\x1f\x8b no gzip at all").unwrap();
    let old = std::time::SystemTime::now() - Duration::from_secs(3600);
    fs::File::options().write(true).open(&unreadable).unwrap().set_modified(old).unwrap();
    becomes(&bench, "alt_archive_queue_files", 1.0);
    let oldest = daemon(&bench).metric("alt_archive_oldest_seconds");
    assert!((3600.0..3700.0).contains(&oldest), "{oldest}");
}

#[test]
fn unreadable_logs_are_behind_and_hold_up_no_others() {
    if !nix::unistd::geteuid().is_root() {
        return; // everything here could be read by its owner all the same
    }
    let mut bench = Bench::not_started(SOURCE, Database::create());
    fs::set_permissions(bench.directory.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let mut hidden = 0;
    for n in 1..=6 {
        // older than the others, and more of them than are open at once
        let name = format!("beacon.log.{}", 10 + n);
        fs::write(bench.path(&name), many(2)).unwrap();
        hidden += fs::metadata(bench.path(&name)).unwrap().len();
        fs::set_permissions(bench.path(&name), fs::Permissions::from_mode(0o000)).unwrap();
    }
    std::thread::sleep(Duration::from_millis(20));
    for n in 1..=3 {
        bench.append(&format!("beacon.log.{n}"), 10);
        fs::set_permissions(bench.path(&format!("beacon.log.{n}")), fs::Permissions::from_mode(0o644))
            .unwrap();
    }
    fs::set_permissions(&bench.config, fs::Permissions::from_mode(0o644)).unwrap();
    bench.daemon = Some(Daemon::start_as_nobody(&bench.config));
    bench.settle();
    wait_for(10, || lag(&bench, "bytes") == hidden as f64, || daemon(&bench).ask("/metrics").1);
    for n in 1..=6 {
        fs::set_permissions(bench.path(&format!("beacon.log.{}", 10 + n)), fs::Permissions::from_mode(0o644))
            .unwrap();
        bench.written += 2;
    }
    bench.settle();
    wait_for(10, || lag(&bench, "bytes") == 0.0, || daemon(&bench).ask("/metrics").1);
}

#[test]
fn a_reload_keeps_the_counts_and_may_move_the_port() {
    let mut bench = Bench::new();
    bench.append("beacon.log", 10);
    becomes(&bench, "alt_rows_loaded_total", 10.0);
    let listens = |address: &str| daemon(&bench).log().contains(&format!("address={address}"));
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let config = fs::read_to_string(&bench.config).unwrap();
    let moved = config.replace("127.0.0.1:0", &port.to_string());
    fs::write(&bench.config, &moved).unwrap();
    daemon(&bench).signal(Signal::SIGHUP);
    wait_for(10, || listens(&port.to_string()), || bench.state());
    let named = || http(&port.to_string(), "GET /healthz HTTP/1.1\r\nHost: web-1.example.net\r\n\r\n").0;
    assert_eq!(named(), 421);
    let hosts = "[admin]\nhosts = [\"web-1.example.net\"]\n";
    fs::write(&bench.config, moved.replace("[admin]\n", hosts)).unwrap();
    daemon(&bench).signal(Signal::SIGHUP);
    wait_for(10, || named() == 200, || bench.state());
    becomes(&bench, "alt_rows_loaded_total", 10.0);
    bench.append("beacon.log", 5);
    becomes(&bench, "alt_rows_loaded_total", 15.0);
    fs::write(&bench.config, config.replace("127.0.0.1:0", "off")).unwrap();
    daemon(&bench).signal(Signal::SIGHUP);
    wait_for(10, || TcpStream::connect(port).is_err(), || bench.state());
    bench.append("beacon.log", 5);
    bench.settle();
}

#[test]
fn a_port_that_is_taken_keeps_nothing_from_being_loaded() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().to_string();
    let bench = Bench::not_started(SOURCE, Database::create());
    let config = fs::read_to_string(&bench.config).unwrap();
    fs::write(&bench.config, config.replace("127.0.0.1:0", &port)).unwrap();
    let mut bench = bench;
    bench.start();
    bench.append("beacon.log", 10);
    bench.settle();
    assert!(daemon(&bench).log().contains("cannot listen on the admin port"), "{}", bench.state());
    drop(taken);
    let ask = || TcpStream::connect(&port).is_ok();
    wait_for(20, ask, || bench.state());
    assert_eq!(http(&port, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"), (200, "ok\n".to_owned()));
}

#[test]
fn requests_of_every_kind_are_answered() {
    let bench = Bench::new();
    becomes(&bench, "alt_postgres_up", 1.0);
    let address = daemon(&bench).admin();
    let asked = |request: &str| http(&address, &format!("{request} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    assert_eq!(asked("HEAD /healthz"), (200, String::new()));
    assert_eq!(asked("GET /").0, 404);
    assert_eq!(asked("GET /metrics/../etc/passwd").0, 404);
    assert_eq!(asked("POST /metrics").0, 405);
    assert_eq!(asked("GET /healthz?x=1").0, 200);
    assert_eq!(http(&address, "nonsense\r\n\r\n").0, 400);
    // A page whose own name was made to lead here sends that name.
    let named = |host: &str| http(&address, &format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\n\r\n")).0;
    assert_eq!([named("evil.example"), named(&format!("evil.example{}", &address[9..]))], [421, 421]);
    assert_eq!(named(&address), 200);
    let absolute = "GET http://evil.example/metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
    assert_eq!(http(&address, absolute).0, 421);
    let twice = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n";
    assert_ne!(http(&address, twice).0, 200);
    assert_eq!(http(&address, "GET /metrics HTTP/1.0\r\n\r\n").0, 200);
    let long = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(100_000));
    let mut connection = TcpStream::connect(&address).unwrap();
    // it may hang up before all of that is sent
    let _ = connection.write_all(long.as_bytes());
    // connections that say nothing are ended, and keep nobody out, however many there are
    let silent: Vec<_> = (0..300).map(|_| TcpStream::connect(&address).unwrap()).collect();
    let started = Instant::now();
    assert_eq!(asked("GET /healthz").0, 200);
    assert!(started.elapsed() < patience(5), "{:?}", started.elapsed());
    let mut first = &silent[299];
    first.set_read_timeout(Some(Duration::from_secs(15))).unwrap();
    assert_eq!(first.read(&mut [0]).unwrap_or(0), 0, "it was hung up on");
    let page = daemon(&bench).ask("/metrics").1;
    assert_eq!(sample_of(&page, "http_requests_total{path=\"other\",status=\"404\"}"), Some(2.0), "{page}");
    assert_eq!(
        sample_of(&page, "http_requests_total{path=\"/metrics\",status=\"405\"}"),
        Some(1.0),
        "{page}"
    );
}
