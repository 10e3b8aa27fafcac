//! `alt serve` with a standby of the database: reads are answered there, whoever changes something sees it, and the loss of either
//! server stops no more than it has to.

use std::fs;
use std::time::{Duration, Instant};

use crate::serve::{Api, bearer, token};
use crate::support::bench::Bench;
use crate::support::daemon::wait_for;
use crate::support::postgres::{Cluster, Database};

/// The name that the API tells of the application, or its status.
fn name(api: &Api, secret: &str) -> String {
    let said = api.get("/api/v1/applications/shop", secret);
    said.json()["name"].as_str().map_or_else(|| said.status.to_string(), str::to_owned)
}

#[test]
fn a_standby_answers_what_only_reads() {
    let primary = Cluster::start(&["fsync=off", "full_page_writes=off"]);
    let bench = Bench::not_started("[[source]]\npaths = [\"DIR/beacon.log\"]", primary.database());
    let secret = token(&bench, &["--role", "owner"]);
    let replica = Cluster::copy_of(&primary, true);
    replica.up();
    let url = bench.database.url.replace(primary.dir().to_str().unwrap(), replica.dir().to_str().unwrap());
    assert_ne!(url, bench.database.url);
    let there = bench.database.moved_to(&replica);
    let reach = || {
        let end = bench.database.psql("SELECT pg_current_wal_flush_lsn()");
        let has = format!("SELECT pg_last_wal_replay_lsn() >= '{end}'");
        wait_for(30, || there.psql(&has) == "t", || there.psql("SELECT * FROM pg_stat_wal_receiver"));
    };
    reach();
    let api = Api::start(&bench, &format!("read_url = \"{url}\""));
    let log = || fs::read_to_string(bench.path("web.stderr")).unwrap();
    let rename = |name: &str| {
        let body = serde_json::json!({ "name": name }).to_string();
        api.ask("PATCH", "/api/v1/applications/shop", &bearer(&secret), &body)
    };
    wait_for(30, || name(&api, &secret) == "Shop", log);
    let sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'alt serve%'";
    assert_ne!(there.psql(sessions), "0", "nothing was read on the standby");

    // Whoever changes something sees it, however far behind the standby is.
    for n in 0..40 {
        if n == 20 {
            there.psql("SELECT pg_wal_replay_pause()");
        }
        let new = format!("Shop {n}");
        assert_eq!(rename(&new).status, 200);
        assert_eq!(name(&api, &secret), new);
    }
    assert_eq!(there.psql("SELECT name FROM applications WHERE app_key = 'shop'"), "Shop 19");
    assert!(log().contains("the server of read_url is not used: it is behind"), "{}", log());
    there.psql("SELECT pg_wal_replay_resume()");
    reach();
    wait_for(
        30,
        || {
            name(&api, &secret);
            log().contains("is used again")
        },
        log,
    );

    // What others change is seen after some seconds, at the latest: of a standby that stays behind, nothing is told any more.
    there.psql("SELECT pg_wal_replay_pause()");
    bench.database.psql("UPDATE applications SET name = 'By others' WHERE app_key = 'shop'");
    let began = Instant::now();
    wait_for(30, || name(&api, &secret) == "By others", log);
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    assert_eq!(there.psql("SELECT name FROM applications WHERE app_key = 'shop'"), "Shop 39");
    there.psql("SELECT pg_wal_replay_resume()");
    reach();

    // Without the primary, what is known is answered; nothing is changed, and no single event is shown without a record.
    primary.down("immediate");
    wait_for(30, || name(&api, &secret) == "By others", log);
    for (method, target) in
        [("PATCH", "/api/v1/applications/shop"), ("GET", "/api/v1/events?application_id=shop")]
    {
        let body = if method == "PATCH" { r#"{"name": "Never"}"# } else { "" };
        let said = api.ask(method, target, &bearer(&secret), body);
        assert_eq!(said.status, 503, "{target}: {}", said.body);
        assert!(said.body.contains("takes no changes now"), "{}", said.body);
    }
    let numbers = api.get("/api/v1/statistics?application_id=shop&dimension=page", &secret);
    assert_eq!(numbers.status, 200, "{}", numbers.body);
    primary.up();
    wait_for(30, || rename("Again").status == 200, log);
    assert_eq!(name(&api, &secret), "Again");

    // Without the standby, the primary answers.
    replica.down("immediate");
    assert_eq!(name(&api, &secret), "Again");
    assert_eq!(rename("Alone").status, 200);
    assert_eq!(name(&api, &secret), "Alone");
    let told = log().matches("is not used").count();
    for _ in 0..20 {
        name(&api, &secret);
    }
    assert_eq!(log().matches("is not used").count(), told, "it is said once\n{}", log());
}

/// A standby that takes connections and says nothing: one request in five seconds waits for it, and no other one.
#[test]
fn a_standby_that_is_silent_holds_up_few() {
    let bench = Bench::not_started("[[source]]\npaths = [\"DIR/beacon.log\"]", Database::create());
    let secret = token(&bench, &["--role", "owner"]);
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://alt@{}/alt?sslmode=disable", silent.local_addr().unwrap());
    let api = Api::start(&bench, &format!("read_url = \"{url}\""));
    let slow = (0..20).filter(|_| {
        let began = Instant::now();
        assert_eq!(name(&api, &secret), "Shop");
        began.elapsed() > Duration::from_secs(1)
    });
    let slow = slow.count();
    assert!(slow <= 2, "{slow} of 20 requests waited");
    let log = fs::read_to_string(bench.path("web.stderr")).unwrap();
    assert_eq!(log.matches("is not used").count(), 1, "{log}");
}
