//! Several servers in one URL, and several addresses of one name: each is tried, for a time of its own.

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::bench::Bench;
use crate::support::daemon::{Daemon, alt, configuration, wait_for};
use crate::support::not_looked_at;
use crate::support::pace::Pace;
use crate::support::postgres::{Cluster, Database};
use crate::support::proxy::Proxy;

/// An address that swallows packets: the queue of its listener is full, so the kernel drops every SYN.
struct Swallows {
    at: SocketAddr,
    _listener: TcpListener,
    _queue: Vec<TcpStream>,
}

impl Swallows {
    fn at(address: &str) -> Swallows {
        let listener = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let socket = tokio::net::TcpSocket::new_v4().unwrap();
                socket.set_reuseaddr(true).unwrap();
                socket.bind(address.parse().unwrap()).unwrap();
                socket.listen(1).unwrap().into_std().unwrap()
            })
        };
        let listener = std::thread::scope(|scope| scope.spawn(listener).join().unwrap());
        let at = listener.local_addr().unwrap();
        let mut queue = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&at, Duration::from_millis(500)) {
            assert!(queue.len() < 100, "{at} accepts everybody");
            queue.push(stream);
        }
        Swallows { at, _listener: listener, _queue: queue }
    }
}

/// A port at which nothing listens.
fn closed() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

async fn connect(url: &str) -> anyhow::Result<alt_store::connect::Connection> {
    let config = alt_config::Postgres { url: url.to_owned(), password_file: None };
    alt_store::connect(&config, "test").await
}

/// Which server a connection reached.
async fn reached(url: &str) -> &'static str {
    let client = connect(url).await.unwrap_or_else(|e| panic!("{url}: {e:#}"));
    let row = client.query_one("SELECT pg_is_in_recovery()", &[]).await.unwrap();
    client.close().await;
    if row.get(0) { "standby" } else { "primary" }
}

#[tokio::test]
async fn an_address_that_swallows_packets_costs_its_own_time_only() {
    let database = Database::create();
    let proxy = std::thread::scope(|scope| scope.spawn(|| Proxy::before(&database.cluster)).join().unwrap());
    let good = proxy.url(&database).replace("postgres://alt@", "");
    let (first, second) = (Swallows::at("127.0.0.1:0"), Swallows::at("127.0.0.1:0"));

    let started = Instant::now();
    connect(&format!("postgres://alt@{},{},{good}?connect_timeout=1", first.at, second.at)).await.unwrap();
    let took = started.elapsed();
    assert!((Duration::from_secs(2)..Duration::from_secs(10)).contains(&took), "{took:?}");

    // Every server is named with its own error, and what may pass decides what the whole is.
    let closed = closed();
    let none = connect(&format!("postgres://alt@{},{closed}/alt?connect_timeout=1", first.at)).await;
    let none = none.unwrap_err();
    let told = format!("{none:#}");
    for part in [
        format!("{}: no answer within 1s", first.at),
        format!("{closed}: nothing listens there: start PostgreSQL"),
    ] {
        assert!(told.contains(&part), "{told}");
    }
    assert_eq!(alt_store::classify_any(&none), alt_store::Trouble::Transient, "{told}");
    std::thread::scope(|scope| scope.spawn(|| drop(proxy)).join().unwrap());
}

/// Runs a command that sees another `/etc/hosts`. `None`: this may not.
fn with_hosts(hosts: &str) -> Option<impl Fn(&Command) -> Command> {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("hosts");
    std::fs::write(&file, hosts).unwrap();
    let script = "mount --bind \"$1\" /etc/hosts && shift && exec \"$@\"";
    let within = move |command: &Command| {
        let mut outer = Command::new("unshare");
        outer.args(["--mount", "sh", "-c", script, "sh"]).arg(directory.path().join("hosts"));
        outer.arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => outer.env(name, value),
                None => outer.env_remove(name),
            };
        }
        outer
    };
    within(&Command::new("true")).status().is_ok_and(|status| status.success()).then_some(within)
}

#[test]
fn each_address_of_a_name_is_tried() {
    let database = Database::create();
    let proxy = Proxy::before(&database.cluster);
    let (_, port) = proxy.url(&database).rsplit_once(':').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let port = port.split('/').next().unwrap().to_owned();
    let first = Swallows::at(&format!("127.0.0.2:{port}"));
    let Some(within) = with_hosts("127.0.0.2 db.example.net\n127.0.0.1 db.example.net\n") else {
        return not_looked_at("a name with several addresses: this may not mount");
    };
    let directory = tempfile::tempdir().unwrap();
    let status = |more: &str| {
        let mut database = database.moved_to(&database.cluster);
        database.url =
            format!("postgres://alt@db.example.net:{port}/{}?sslmode=disable{more}", database.name);
        let config = configuration(directory.path(), &database, "", "");
        let mut command = alt();
        command.args(["migrate", "--status", "--config"]).arg(config).env("ALT_FAULT_WAIT", "1500");
        let started = Instant::now();
        let output = within(&command).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        started.elapsed()
    };
    // In whichever order the resolver returns them: with each order, once.
    let mut slow = 0;
    for _ in 0..20 {
        slow += usize::from(status("&load_balance_hosts=random") > Duration::from_millis(1500));
        if slow > 1 {
            break;
        }
    }
    assert!(slow > 1, "{} was never the first", first.at);
}

#[test]
fn a_daemon_and_its_workers_load_where_the_first_servers_are_silent() {
    let mut database = Database::create();
    let proxy = Proxy::before(&database.cluster);
    let (first, second) = (Swallows::at("127.0.0.1:0"), Swallows::at("127.0.0.1:0"));
    let servers = format!("@{},{},", first.at, second.at);
    database.url = proxy.url(&database).replace('@', &servers);
    let mut bench = Bench::not_started("[[source]]\npaths = [\"DIR/beacon.log\"]", database);
    let mut pace = Pace::new(&bench);
    pace.append(10);
    let wait = |command: &mut Command| _ = command.env("ALT_FAULT_WAIT", "2000");
    bench.daemon = Some(Daemon::start_with(&bench.config, wait));
    pace.settle(&bench, 60);
    // Upkeep has a connection of its own.
    let partitions = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'access_logs'::regclass";
    let made = || bench.database.psql(partitions).parse::<u32>().unwrap() >= 3;
    wait_for(60, made, || bench.state());
    bench.stop();
}

#[tokio::test]
async fn the_server_is_one_that_target_session_attrs_allows() {
    let primary = Cluster::start(&["fsync=off"]);
    let database = primary.database();
    let standby = Cluster::copy_of(&primary, true);
    standby.up();
    let there = || standby.psql("postgres", "SELECT count(*) FROM pg_stat_wal_receiver") == "1";
    wait_for(30, there, || standby.log());
    let name = |cluster: &Cluster| cluster.dir().display().to_string();
    let (first, second) = (name(&standby), name(&primary));
    let url =
        |hosts: &str, attrs: &str| format!("postgres:///{}?host={hosts}&user=alt{attrs}", database.name);
    let (both, turned) = (format!("{first},{second}"), format!("{second},{first}"));

    // A standby that is named first is passed over, unless it is wanted, or the only one.
    assert_eq!(reached(&url(&both, "")).await, "primary");
    assert_eq!(reached(&url(&first, "")).await, "standby");
    for (attrs, expected) in [
        ("any", "standby"),
        ("read-write", "primary"),
        ("primary", "primary"),
        ("read-only", "standby"),
        ("standby", "standby"),
        ("prefer-standby", "standby"),
    ] {
        assert_eq!(
            reached(&url(&both, &format!("&target_session_attrs={attrs}"))).await,
            expected,
            "{attrs}"
        );
    }
    assert_eq!(reached(&url(&turned, "&target_session_attrs=standby")).await, "standby");
    assert_eq!(reached(&url(&turned, "&target_session_attrs=prefer-standby")).await, "standby");
    assert_eq!(reached(&url(&second, "&target_session_attrs=prefer-standby")).await, "primary");

    let refused = connect(&url(&first, "&target_session_attrs=read-write")).await.unwrap_err();
    assert!(
        format!("{refused:#}").contains("is read-only, and target_session_attrs=read-write"),
        "{refused:#}"
    );
    assert_eq!(alt_store::classify_any(&refused), alt_store::Trouble::Transient);
    let unknown = connect(&url(&first, "&target_session_attrs=master")).await.unwrap_err();
    assert!(
        format!("{unknown:#}").contains("target_session_attrs in postgres.url is unknown"),
        "{unknown:#}"
    );

    let mut found = BTreeSet::new();
    for _ in 0..40 {
        found.insert(reached(&url(&both, "&target_session_attrs=any&load_balance_hosts=random")).await);
    }
    assert_eq!(found.len(), 2, "{found:?}");
}
