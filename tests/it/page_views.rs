//! Page views that are requests of a site's own log: of an application whose pages send nothing.

use std::fs;

use alt_store::apps::{self, PageViews, Wanted};
use serde_json::{Value, json};

use crate::replay::replay;
use crate::serve::{Api, bearer, token};
use crate::stats::run;
use crate::support::bench::Bench;
use crate::support::daemon::wait_for;
use crate::support::lines::KEY;
use crate::support::page::{Page, Server};
use crate::support::postgres::Database;
use crate::support::webdriver::Engine;

const BROWSER: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
const BOT: &str = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";

/// A line of the format `combined`.
fn line(bench: &Bench, at: &str, who: &str, request: &str, status: u16, agent: &str) -> String {
    let at =
        bench.database.psql(&format!("SELECT to_char(({at}) AT TIME ZONE 'UTC', 'DD/Mon/YYYY:HH24:MI:SS')"));
    format!("{who} - - [{at} +0000] \"{request} HTTP/1.1\" {status} 512 \"-\" \"{agent}\"\n")
}

/// A bench with the log of yesterday: four page views of two visitors in three sessions, and other requests.
fn bench() -> Bench {
    let bench = Bench::not_started("[[source]]\npaths = [\"DIR/beacon.log\"]", Database::create());
    let text = fs::read_to_string(&bench.config).unwrap();
    fs::write(&bench.config, format!("{text}\n[stats]\nenabled = true\n")).unwrap();
    let (one, two, three) = ("192.0.2.1", "192.0.2.2", "203.0.113.5");
    let lines = [
        (0, one, "GET /", 200, BROWSER),
        (1, one, "GET /style.css?v=2", 200, BROWSER),
        (90, one, "GET /docs?a=1", 304, BROWSER),
        (90 + 1801, one, "GET /docs", 200, BROWSER),
        (100, two, "GET /", 200, BROWSER),
        (101, two, "HEAD /", 200, BROWSER),
        (102, two, "POST /login", 200, BROWSER),
        (103, two, "GET /old", 301, BROWSER),
        (104, two, "GET /missing", 404, BROWSER),
        (200, three, "GET /feed.xml", 200, BROWSER),
        (300, "198.51.100.9", "GET /", 200, BOT),
    ];
    let noon = "date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' - interval '12 hours'";
    let of = |(second, who, request, status, agent): (u32, &str, &str, u16, &str)| {
        line(&bench, &format!("{noon} + interval '{second} seconds'"), who, request, status, agent)
    };
    fs::write(bench.path("access.log"), lines.map(of).concat()).unwrap();
    bench
}

fn done(bench: &Bench, args: &[&str]) -> String {
    let (code, text) = run(bench, args);
    assert_eq!(code, 0, "{args:?}: {text}");
    text
}

/// Page views, visitors, sessions and bounces of people, yesterday.
fn yesterday(bench: &Bench) -> String {
    bench.database.psql(
        "SELECT page_views, visitors, sessions, bounces FROM stat_daily \
         WHERE dimension = 'total' AND traffic_class = 'human' AND day = (now() AT TIME ZONE 'UTC')::date - 1",
    )
}

#[test]
fn requests_for_pages_are_page_views_where_an_application_says_so() {
    let mut bench = bench();
    let args = ["replay", "--format", "combined", "--app", KEY, "access.log"];
    let told = done(&bench, &args);
    let hint = format!("alt app page-views {KEY} requests");
    assert!(
        told.contains(&format!(
            "Requests are no page views of statistics. To count those for pages: {hint}."
        )),
        "{told}"
    );
    assert_eq!(yesterday(&bench), "0|0|0|0");
    assert!(done(&bench, &["stats"]).contains(&hint));
    let notes = run(&bench, &["check"]).1;
    assert!(
        notes.contains("has requests of its site's own log, and no page view") && notes.contains(&hint),
        "{notes}"
    );
    assert_eq!(done(&bench, &["app", "page-views", KEY]), "events\n");
    // Without a daemon, a command computes the days; with one, it does it by itself.
    let told = done(&bench, &["app", "page-views", KEY, "requests"]);
    assert!(told.contains("are its events and the requests for pages from now on"), "{told}");
    assert_eq!(done(&bench, &["app", "page-views", KEY]), "requests\n");
    assert!(done(&bench, &["app", "page-views", KEY, "requests"]).contains("already"));
    assert!(run(&bench, &["app", "page-views", KEY, "clicks"]).1.contains("events, requests"));
    assert_eq!(yesterday(&bench), "0|0|0|0");
    done(&bench, &["stats", "rebuild", "--resume"]);
    assert_eq!(yesterday(&bench), "4|2|3|2");
    done(&bench, &["stats", "verify"]);
    assert!(
        !done(&bench, &["stats"]).contains("page-views") && !run(&bench, &["check"]).1.contains("page-views")
    );
    let asked = |args: &[&str]| -> Value {
        serde_json::from_str(&done(&bench, &[&["stats", "--json", "--period", "7d"], args].concat())).unwrap()
    };
    // Filters ask the segments, which have each request both as one and as a page view.
    let docs = asked(&["--dimension", "page", "--filter", "entry_page is /"]);
    let pages: Vec<&str> =
        docs["rows"].as_array().unwrap().iter().map(|row| row["value"].as_str().unwrap()).collect();
    assert_eq!(pages, ["/", "/docs"], "{docs}");
    let served: Value =
        serde_json::from_str(&done(&bench, &["stats", "performance", "--json", "--period", "7d"])).unwrap();
    assert_eq!(served["total"]["requests"], 10, "{served}");
    let record = "SELECT action, before, after FROM audit_log WHERE action LIKE 'application.%'";
    assert_eq!(
        bench.database.psql(record),
        "application.change|{\"page_views\": \"events\"}|{\"page_views\": \"requests\"}"
    );
    // A day that is frozen stays as it is; the others are computed by a running daemon.
    bench.start();
    let noon = "date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' - interval '36 hours'";
    fs::write(bench.path("older.log"), line(&bench, noon, "192.0.2.1", "GET /", 200, BROWSER)).unwrap();
    replay(&bench, &["--format", "combined", "--app", KEY, "older.log"]).unwrap();
    let views = |day: i32| {
        bench.database.psql(&format!(
            "SELECT coalesce(sum(page_views), 0) FROM stat_daily WHERE dimension = 'total' AND traffic_class = 'human' \
             AND day = (now() AT TIME ZONE 'UTC')::date - {day}"
        ))
    };
    wait_for(30, || views(2) == "1", || views(2));
    bench
        .database
        .psql("UPDATE stat_days SET frozen_at = now() WHERE day = (now() AT TIME ZONE 'UTC')::date - 2");
    done(&bench, &["app", "page-views", KEY, "events"]);
    wait_for(30, || views(1) == "0", || views(1));
    assert_eq!(views(2), "1");
    done(&bench, &["stats", "verify"]);
}

#[test]
fn editors_choose_it_and_all_that_is_shown_agrees() {
    let bench = bench();
    // The visit before that of two page views, which is told in an answer of its own.
    let before = line(&bench, "now() - interval '3 days'", "192.0.2.7", "GET /", 200, BROWSER);
    let now = line(&bench, "now()", "192.0.2.1", "GET /now", 200, BROWSER);
    fs::write(bench.path("now.log"), before + &now).unwrap();
    replay(&bench, &["--format", "combined", "--app", KEY, "access.log", "now.log"]).unwrap();
    let api = Api::start(&bench, "");
    let target = format!("/api/v1/applications/{KEY}");
    let [viewer, editor] = ["viewer", "editor"].map(|role| token(&bench, &["--app", KEY, "--role", role]));
    let bound = token(&bench, &["--app", KEY, "--filter", "country is DE"]);
    let app = |who: &str| api.get(&target, who).json();
    let told = app(&viewer);
    assert_eq!(
        (&told["page_views"], &told["has_requests_alone"]),
        (&json!("events"), &json!(true)),
        "{told}"
    );
    assert!(app(&bound).get("has_requests_alone").is_none());
    let change = |who: &str, body: &str| api.ask("PATCH", &target, &bearer(who), body);
    let wanted = r#"{"page_views": "requests"}"#;
    assert_eq!(change(&viewer, wanted).status, 403);
    for body in ["{}", r#"{"page_views": "clicks"}"#, r#"{"page_views": 1}"#, r#"{"page_views": null}"#] {
        let refused = change(&editor, body);
        assert!(refused.status == 400 && refused.body.contains("page_views"), "{}", refused.body);
    }
    let live = || api.get(&format!("/api/v1/live?application_id={KEY}"), &editor).json()["visitors"].clone();
    let visits = || -> Vec<Value> {
        let mut all = Vec::new();
        // One by one, so that each goes on at a cursor.
        let mut cursor = String::new();
        loop {
            let said =
                api.get(&format!("/api/v1/visits?application_id={KEY}&period=7d&limit=1{cursor}"), &editor);
            assert_eq!(said.status, 200, "{}", said.body);
            let said = said.json();
            all.extend(said["visits"].as_array().unwrap().iter().map(|one| one["page_views"].clone()));
            let Some(next) = said["next"].as_str() else { return all };
            cursor = format!("&cursor={next}");
        }
    };
    assert_eq!((live(), visits()), (json!(0), vec![]));
    let changed = change(&editor, r#"{"page_views": "requests", "name": "My docs"}"#);
    assert_eq!(
        (changed.status, &changed.json()["page_views"]),
        (200, &json!("requests")),
        "{}",
        changed.body
    );
    assert_eq!(
        bench.database.psql("SELECT action, before, after FROM audit_log WHERE action LIKE 'application.%'"),
        "application.change|{\"name\": \"Shop\", \"page_views\": \"events\"}|{\"name\": \"My docs\", \"page_views\": \"requests\"}"
    );
    assert_eq!(app(&viewer)["has_requests_alone"], json!(false));
    assert_eq!((live(), visits()), (json!(1), [1, 1, 1, 2, 1].map(|views| json!(views)).to_vec()));
    done(&bench, &["stats", "rebuild", "--resume"]);
    assert_eq!(yesterday(&bench), "4|2|3|2");
    // Nobody computes again what is the same.
    assert_eq!(change(&editor, wanted).status, 200);
    assert_eq!(bench.database.psql("SELECT count(*) FROM stat_backlog"), "0");
}

/// Somebody who read the application before another changed it has its days computed again all the same.
#[tokio::test]
async fn who_changes_it_back_at_the_same_moment_has_its_days_computed_again() {
    let bench = bench();
    replay(&bench, &["--format", "combined", "--app", KEY, "access.log"]).unwrap();
    let client = bench.database.connect().await;
    let read_before = apps::find(&client, KEY).await.unwrap();
    bench.database.psql("UPDATE applications SET page_views = 'requests'");
    let wanted = Wanted { page_views: Some(PageViews::Events), ..Wanted::default() };
    client.batch_execute("BEGIN").await.unwrap();
    let (now, change) = apps::change_in(&client, &read_before, wanted).await.unwrap().unwrap();
    client.batch_execute("COMMIT").await.unwrap();
    assert_eq!(
        (now.page_views, change.before),
        (PageViews::Events, Some(json!({ "page_views": "requests" })))
    );
    assert_ne!(bench.database.psql("SELECT count(*) FROM stat_backlog"), "0");
}

#[test]
fn the_page_of_a_site_without_page_views_says_what_to_do() {
    if !Engine::Blink.is_here() {
        return;
    }
    let mut bench = bench();
    replay(&bench, &["--format", "combined", "--app", KEY, "access.log"]).unwrap();
    bench.start();
    let server = Server::start(&bench, "");
    let editor = token(&bench, &["--app", KEY, "--role", "editor"]);
    let mut page = Page::new(&server.url, Some(&editor));
    page.go(&format!("/applications/{KEY}?period=7d"));
    page.driver
        .until("document.querySelector('main h2')?.innerText === 'The log has requests, but no page views'");
    page.check();
    page.value("document.querySelector('main .notice button').click()");
    page.driver.until("document.querySelector('select[name=page_views]')?.value === 'events'");
    page.check();
    page.value(
        "(() => { const one = document.querySelector('select[name=page_views]'); one.value = 'requests'; \
         one.dispatchEvent(new Event('change', { bubbles: true })); return true; })()",
    );
    page.driver.until("document.querySelector('select[name=page_views]')?.value === 'requests'");
    wait_for(30, || yesterday(&bench) == "4|2|3|2", || yesterday(&bench));
    page.go(&format!("/applications/{KEY}?period=7d"));
    page.driver.until("document.querySelector('[data-metric=page_views] .big')?.title === '4'");
    page.check();
}
