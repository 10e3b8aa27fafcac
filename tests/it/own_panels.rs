//! Panels that people make: who writes and sees them, in which order they stand, that their answers are those of the API's own
//! questions and of plain SQL, under every bound filter; by API, command and page.

use std::thread;

use serde_json::{Value, json};

use crate::dashboard::{self, DEMO, DOWN, ENTER, TAB, counted, period};
use crate::panels::say_properties;
use crate::serve::{Api, bearer, run, token};
use crate::support::bench::Bench;
use crate::support::daemon::alt;
use crate::support::lines::KEY;
use crate::support::page::Page;
use crate::support::postgres::Database;
use crate::support::webdriver::Engine;

const SOURCE: &str = "[[source]]\npaths = [\"DIR/beacon.log\"]";

fn refused(bench: &Bench, args: &[&str]) -> String {
    let output = alt().args(args).arg("--config").arg(&bench.config).output().unwrap();
    assert!(!output.status.success(), "{args:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// A panel of a number.
fn plain(name: &str, visibility: &str) -> Value {
    json!({ "name": name, "drawing": "number", "metrics": ["visitors"], "visibility": visibility })
}

fn target(app: &str) -> String {
    format!("/api/v1/panels?application_id={app}")
}

fn path(id: &Value, what: &str, app: &str) -> String {
    format!("/api/v1/panels/{id}{what}?application_id={app}")
}

/// The names of the panels that somebody sees, in their order.
fn names(api: &Api, target: &str, who: &str) -> Vec<String> {
    let said = api.ask("GET", target, who, "");
    assert_eq!(said.status, 200, "{}", said.body);
    let all = said.json()["panels"].as_array().unwrap().clone();
    all.iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect()
}

/// Somebody with a role of the application.
fn person(bench: &Bench, name: &str, role: &str, app: &str) -> String {
    run(bench, &["user", "add", name]);
    run(bench, &["user", "grant", name, "--app", app, "--role", role]);
    bearer(&token(bench, &["--user", name, "--role", role]))
}

#[test]
fn panels_of_all_are_written_by_editors_and_personal_ones_are_of_one_person() {
    let bench = Bench::not_started(SOURCE, Database::create());
    bench.database.psql("INSERT INTO applications (app_key, name) VALUES ('other', 'Other')");
    let api = Api::start(&bench, "");
    let (jane, bob) = (person(&bench, "jane", "viewer", KEY), person(&bench, "bob", "editor", KEY));
    let viewer = bearer(&token(&bench, &["--app", KEY]));
    let bound = bearer(&token(&bench, &["--app", KEY, "--filter", "country is DE"]));
    let boss = bearer(&token(&bench, &["--role", "owner"]));
    let others = bearer(&token(&bench, &["--app", "Other", "--role", "editor"]));
    let made = api.ask("POST", &format!("/api/v1/shares?application_id={KEY}"), &boss, r#"{"name": "s"}"#);
    let shared = format!("{}&share={}", target(KEY), made.json()["share"].as_str().unwrap());
    let add = |who: &str, panel: &Value| api.ask("POST", &target(KEY), who, &panel.to_string());
    // A viewer has some of his own, and none for all; a token of nobody has none of its own.
    let said = add(&jane, &plain(" Jane's ", "personal"));
    assert_eq!(
        (said.status, &said.json()["name"], &said.json()["place"]),
        (201, &json!("Jane's"), &json!(1))
    );
    let of_jane = said.json()["id"].clone();
    for visibility in ["shared", "public"] {
        assert_eq!(add(&jane, &plain("for all", visibility)).status, 403);
    }
    assert!(add(&viewer, &plain("mine", "personal")).body.contains("sign in"));
    assert_eq!(add(&bound, &plain("mine", "personal")).status, 403);
    let of_bob = add(&bob, &plain("Jane's", "personal")).json()["id"].clone();
    let of_all = add(&bob, &plain("All", "shared")).json()["id"].clone();
    assert_eq!(add(&bob, &plain("Everybody", "public")).status, 201);
    assert_eq!(add(&bob, &plain("ALL", "shared")).status, 409);
    for (who, target, expected) in [
        (&jane, &target(KEY), &["Jane's", "All", "Everybody"][..]),
        (&bob, &target(KEY), &["Jane's", "All", "Everybody"]),
        (&viewer, &target(KEY), &["All", "Everybody"]),
        (&boss, &target(KEY), &["All", "Everybody"]),
        (&bound, &target(KEY), &["Everybody"]),
        (&String::new(), &shared, &["Everybody"]),
    ] {
        assert_eq!(names(&api, target, who), expected);
    }
    assert_eq!(api.ask("GET", &target(KEY), &others, "").status, 404);
    // What one does not see, one neither answers, changes nor removes; by no other application, either.
    let body = r#"{"name": "taken"}"#;
    for (who, id, app, of_answer, of_change) in [
        (&bob, &of_jane, KEY, 404, 404),
        (&boss, &of_jane, KEY, 404, 404),
        (&jane, &of_bob, KEY, 404, 404),
        (&jane, &of_all, KEY, 200, 403),
        (&viewer, &of_all, KEY, 200, 403),
        (&bound, &of_all, KEY, 404, 403),
        (&others, &of_all, KEY, 404, 404),
        (&others, &of_all, "other", 404, 404),
        (&boss, &of_all, "other", 404, 404),
    ] {
        for (method, what, body, wanted) in [
            ("GET", "/statistics", "", of_answer),
            ("GET", "/statistics.csv", "", of_answer),
            ("PATCH", "", body, of_change),
            ("DELETE", "", "", of_change),
        ] {
            let said = api.ask(method, &path(id, what, app), who, body);
            assert_eq!(said.status, wanted, "{method} {id} {app} {what}: {}", said.body);
        }
    }
    assert_eq!(bench.database.psql("SELECT count(*), min(name) FROM stat_panels"), "4|All");
    // Jane gives nothing to all, and bob takes what is all's for himself.
    assert_eq!(api.ask("PATCH", &path(&of_jane, "", KEY), &jane, r#"{"visibility": "shared"}"#).status, 403);
    let said = api.ask("PATCH", &path(&of_all, "", KEY), &bob, r#"{"visibility": "personal"}"#);
    assert_eq!((said.status, &said.json()["place"]), (200, &json!(2)), "{}", said.body);
    assert_eq!(names(&api, &target(KEY), &jane), ["Jane's", "Everybody"]);
    assert_eq!(api.ask("DELETE", &path(&of_jane, "", KEY), &jane, "").status, 200);
    let told = bench.database.psql("SELECT action, before ->> 'visibility', after ->> 'visibility', object LIKE '%application ' || (SELECT min(app_key) FROM applications WHERE app_key <> 'other') FROM audit_log WHERE action LIKE 'panel.%' ORDER BY id");
    assert_eq!(
        told,
        "panel.add||personal|t\npanel.add||personal|t\npanel.add||shared|t\npanel.add||public|t\npanel.change|shared|personal|t\npanel.remove|personal||t"
    );
    // With a person, what is this person's own goes; with an application, nobody asks any more.
    run(&bench, &["user", "remove", "bob"]);
    assert_eq!(bench.database.psql("SELECT name FROM stat_panels"), "Everybody");
    bench.database.psql(&format!("DELETE FROM applications WHERE app_key = '{KEY}'"));
    assert_eq!(api.ask("GET", &target(KEY), &boss, "").status, 404);
}

#[test]
fn what_is_no_panel_is_refused_and_only_so_many_are_kept() {
    let bench = Bench::not_started(SOURCE, Database::create());
    let api = Api::start(&bench, "");
    let bob = person(&bench, "bob", "editor", KEY);
    let add = |panel: &Value| api.ask("POST", &target(KEY), &bob, &panel.to_string());
    let with = |members: Value| {
        let mut panel = plain("x", "shared");
        members.as_object().unwrap().iter().for_each(|(name, value)| panel[name] = value.clone());
        panel
    };
    let good = add(&plain("good", "shared")).json()["id"].clone();
    for (wrong, why) in [
        (json!({ "name": "n".repeat(10_240) }), "1 to 100 characters"),
        (json!({ "name": "a\u{202e}b" }), "1 to 100 characters"),
        (json!({ "name": "a\u{2066}b" }), "1 to 100 characters"),
        (json!({ "drawing": "pie" }), "number, line, bars or table"),
        (json!({ "drawing": "line" }), "an interval"),
        (json!({ "drawing": "bars", "dimension": "planet" }), "no dimension of a panel"),
        (json!({ "metrics": ["visitors", "clicks"] }), "no metric"),
        (json!({ "metrics": ["sum"] }), "name it in `sum`"),
        (json!({ "sum": "points" }), "none of the metrics"),
        (json!({ "filters": ["planet is Mars"] }), "is no filter"),
        (json!({ "filters": ["segment contains x"] }), "segment is NAME"),
        (json!({ "filters": vec!["country is DE"; 21] }), "at most 20 filters"),
        (json!({ "filters": vec![format!("page is /{}", "x".repeat(3_900)); 3] }), "8000 bytes"),
        (json!({ "limit": 101 }), "from 1 to 100"),
        (json!({ "limit": "10" }), "whole number"),
        (json!({ "visibility": "hidden" }), "personal, shared or public"),
        (json!({ "name": 7 }), "name is a text"),
    ] {
        for said in
            [add(&with(wrong.clone())), api.ask("PATCH", &path(&good, "", KEY), &bob, &wrong.to_string())]
        {
            assert!(said.status == 400 && said.body.contains(why), "{wrong}: {} {}", said.status, said.body);
        }
    }
    assert!(add(&json!({ "name": "x", "metrics": ["visitors"] })).body.contains("drawing is missing"));
    for (wrong, why) in [("{}", "what is to be changed"), (r#"{"place": 0}"#, "from 1")] {
        let said = api.ask("PATCH", &path(&good, "", KEY), &bob, wrong);
        assert!(said.status == 400 && said.body.contains(why), "{}", said.body);
    }
    // Fifty for all, and fifty of each person.
    for visibility in ["shared", "personal"] {
        let there = usize::from(visibility == "shared");
        for n in there..50 {
            assert_eq!(add(&plain(&format!("panel {n}"), visibility)).status, 201);
        }
        let said = add(&plain("one more", visibility));
        assert!(said.status == 409 && said.body.contains("there are 50 panels"), "{}", said.body);
    }
    assert_eq!(names(&api, &target(KEY), &bob).len(), 100);
    let said = api.ask("PATCH", &path(&good, "", KEY), &bob, r#"{"visibility": "personal"}"#);
    assert_eq!(said.status, 409, "{}", said.body);
    assert_eq!(
        api.ask("PATCH", &path(&good, "", KEY), &bob, r#"{"name": "also where it is full"}"#).status,
        200
    );
}

#[test]
fn the_order_is_of_all_who_change_it_at_once() {
    let bench = Bench::not_started(SOURCE, Database::create());
    let api = Api::start(&bench, "");
    let bob = person(&bench, "bob", "editor", KEY);
    let ids: Vec<Value> = ["a", "b", "c", "d", "e", "f", "g", "h"]
        .iter()
        .map(|name| {
            api.ask("POST", &target(KEY), &bob, &plain(name, "shared").to_string()).json()["id"].clone()
        })
        .collect();
    api.ask("POST", &target(KEY), &bob, &plain("own", "personal").to_string());
    let to = |id: &Value, place: usize| {
        let said = api.ask("PATCH", &path(id, "", KEY), &bob, &json!({ "place": place }).to_string());
        assert_eq!(said.status, 200, "{}", said.body);
        said.json()["place"].clone()
    };
    assert_eq!(to(&ids[4], 1), json!(1));
    assert_eq!(to(&ids[0], 3), json!(3));
    assert_eq!(to(&ids[1], 1_000), json!(8));
    let order = |who: &str| names(&api, &target(KEY), who).concat();
    assert_eq!(order(&bob), "owneacdfghb");
    assert_eq!(api.ask("DELETE", &path(&ids[3], "", KEY), &bob, "").status, 200);
    let places =
        "SELECT string_agg(name || place, ' ' ORDER BY place) FROM stat_panels WHERE user_id IS NULL";
    assert_eq!(bench.database.psql(places), "e1 a2 c3 f4 g5 h6 b7");
    // Several at once: each puts its own to where it wants it, and none is lost or stands twice.
    thread::scope(|scope| {
        for (n, id) in [4, 2, 0, 5].into_iter().enumerate() {
            let id = &ids[id];
            let to = &to;
            scope.spawn(move || (0..6).for_each(|round| drop(to(id, 1 + (n + round) % 7))));
        }
    });
    let all = bench.database.psql("SELECT string_agg(place::text, ' ' ORDER BY place), count(DISTINCT name) FROM stat_panels WHERE user_id IS NULL");
    assert_eq!(all, "1 2 3 4 5 6 7|7");
    // Another's own order is no business of these.
    assert_eq!(bench.database.psql("SELECT place FROM stat_panels WHERE name = 'own'"), "1");
}

/// A server beside the demo, and the owner's token, and the last six days that are over.
fn answers() -> (Bench, Api, String, String) {
    let (bench, server, owner) = dashboard::demo();
    drop(server);
    say_properties(&bench);
    run(&bench, &["app", "properties", DEMO, "plan", "points"]);
    run(&bench, &["goal", "add", "Order", "--app", DEMO, "--event", "order"]);
    run(&bench, &["stats", "rebuild", "--app", DEMO]);
    let api = Api::start(&bench, "requests_per_minute = 100000");
    let days = period(&bench, (6, 1));
    (bench, api, bearer(&owner), days)
}

#[test]
fn a_panel_answers_as_its_question_does_and_as_sql_says_also_within_a_bound_filter() {
    let (bench, api, owner, days) = answers();
    let add = |panel: &Value| {
        let said = api.ask("POST", &target(DEMO), &owner, &panel.to_string());
        assert_eq!(said.status, 201, "{}", said.body);
        said.json()["id"].clone()
    };
    let ask = |id: &Value, who: &str, more: &str| {
        api.ask("GET", &format!("{}&period={days}{more}", path(id, "/statistics", DEMO)), who, "")
    };
    let of =
        |counts: &Value| ["visitors", "sessions", "page_views"].map(|name| counts[name].as_f64().unwrap());
    let number = add(
        &json!({ "name": "n", "drawing": "number", "metrics": ["visitors", "page_views"], "filters": ["page is /journal"], "visibility": "public" }),
    );
    let kept = "url_path = '/journal'";
    let said = ask(&number, &owner, "&compare=previous").json();
    assert_eq!(of(&said["total"]), counted(&bench, (6, 1), kept));
    assert!(said["total_before"].is_object() && said.get("values").is_none(), "{said}");
    // What a token or a share is bound to holds, too.
    let bound = bearer(&token(&bench, &["--app", DEMO, "--filter", "browser is Chrome"]));
    let part = counted(&bench, (6, 1), &format!("{kept} AND browser = 'Chrome'"));
    assert!(part[0] > 0.0 && part != counted(&bench, (6, 1), kept), "{part:?}");
    assert_eq!(of(&ask(&number, &bound, "").json()["total"]), part);
    let made = api.ask(
        "POST",
        &format!("/api/v1/shares?application_id={DEMO}"),
        &owner,
        r#"{"name": "s", "filters": ["browser is Chrome"]}"#,
    );
    let share = format!("&share={}", made.json()["share"].as_str().unwrap());
    assert_eq!(of(&ask(&number, "", &share).json()["total"]), part);
    // Values, ordered by their number; the same that the API's own question has.
    let bars = add(
        &json!({ "name": "b", "drawing": "bars", "metrics": ["sum"], "sum": "points", "dimension": "property:plan", "limit": 2, "visibility": "shared" }),
    );
    let said = ask(&bars, &owner, "").json();
    let question = format!(
        "/api/v1/statistics?application_id={DEMO}&period={days}&dimension=property:plan&sum=points&order=sum&limit=2"
    );
    assert_eq!(said["values"], api.ask("GET", &question, &owner, "").json()["values"]);
    assert_eq!(said["values_are_cut"], json!(true));
    let by_sql = bench.database.psql(
        "SELECT string_agg(plan || ' ' || points, ', ' ORDER BY points DESC) FROM (SELECT params #>> '{custom,plan}' AS plan, \
             trim_scale(sum((params #>> '{custom,points}')::numeric) FILTER (WHERE params #>> '{custom,points}' <> 'none')) AS points \
         FROM looked WHERE day BETWEEN (now() AT TIME ZONE 'UTC')::date - 6 AND (now() AT TIME ZONE 'UTC')::date - 1 AND params #>> '{custom,plan}' IS NOT NULL \
         GROUP BY 1 ORDER BY 2 DESC LIMIT 2) some_of_them",
    );
    let shown: Vec<String> = said["values"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| format!("{} {}", one["value"].as_str().unwrap(), one["amounts"]["sum"].as_str().unwrap()))
        .collect();
    assert_eq!(shown.join(", "), by_sql);
    // Times; hours of a long period are days. And the same as CSV.
    let line = add(
        &json!({ "name": "l", "drawing": "line", "metrics": ["visitors"], "interval": "hour", "visibility": "shared" }),
    );
    let said = ask(&line, &owner, "").json();
    assert_eq!((said["series"].as_array().unwrap().len(), &said["interval"]), (144, &json!("hour")));
    let csv = api.ask("GET", &format!("{}&period={days}", path(&line, "/statistics.csv", DEMO)), &owner, "");
    assert_eq!((csv.body.lines().count(), csv.body.starts_with("at,")), (145, true), "{}", csv.body);
    let long = api.ask("GET", &format!("{}&period=60d", path(&line, "/statistics", DEMO)), &owner, "").json();
    assert_eq!((long["series"].as_array().unwrap().len(), &long["interval"]), (60, &json!("day")));
    let wrong =
        api.ask("GET", &format!("{}&period=yesteryear", path(&line, "/statistics", DEMO)), &owner, "");
    assert_eq!(wrong.status, 400, "{}", wrong.body);
    of_command(&bench, &api, &owner, &days);
}

/// The command has the same panels and the same answers.
fn of_command(bench: &Bench, api: &Api, owner: &str, days: &str) {
    let panel = |args: &[&str]| run(bench, &[&["stats", "panel"], args, &["--app", DEMO]].concat());
    let list: Value = serde_json::from_str(&panel(&["list", "--json"])).unwrap();
    assert_eq!(list, api.ask("GET", &target(DEMO), owner, "").json()["panels"]);
    assert!(panel(&["list"]).contains("property:plan"));
    let shown: Value = serde_json::from_str(&panel(&["show", "B", "--period", days, "--json"])).unwrap();
    let id = list.as_array().unwrap().iter().find(|one| one["name"] == "b").unwrap()["id"].clone();
    let said = api.ask("GET", &format!("{}&period={days}", path(&id, "/statistics", DEMO)), owner, "").json();
    let of = |rows: &Value| -> Vec<String> {
        rows.as_array()
            .unwrap()
            .iter()
            .map(|row| format!("{} {} {}", row["value"], row["visitors"], row["amounts"]["sum"]))
            .collect()
    };
    assert_eq!(of(&shown["rows"]), of(&said["values"]));
    let first = said["values"][0]["value"].as_str().unwrap();
    assert!(panel(&["show", &id.to_string(), "--period", days]).contains(first));
    let refuse = |args: &[&str]| refused(bench, &[&["stats", "panel"], args, &["--app", DEMO]].concat());
    assert!(refuse(&["show", "nothing"]).contains("alt stats panel list"));
    assert!(panel(&["remove", "B"]).contains("removed B"));
    assert!(refuse(&["remove", "B"]).contains("no panel"));
    let told =
        bench.database.psql("SELECT actor_kind || ' ' || action FROM audit_log ORDER BY id DESC LIMIT 1");
    assert_eq!(told, "command panel.remove");
}

#[test]
fn a_panel_of_what_is_gone_says_so() {
    let (bench, api, owner, days) = answers();
    let segment = json!({ "name": "Readers", "filters": ["page is /journal"] }).to_string();
    assert_eq!(
        api.ask("POST", &format!("/api/v1/segments?application_id={DEMO}"), &owner, &segment).status,
        201
    );
    let members = [
        json!({ "name": "by plan", "drawing": "bars", "metrics": ["events"], "dimension": "property:plan" }),
        json!({ "name": "sum", "drawing": "number", "metrics": ["sum"], "sum": "points" }),
        json!({ "name": "of plan", "drawing": "number", "metrics": ["events"], "filters": ["property:plan is not pro"] }),
        json!({ "name": "goal", "drawing": "number", "metrics": ["events"], "filters": ["goal is Order"] }),
        json!({ "name": "segment", "drawing": "number", "metrics": ["events"], "filters": ["segment is not Readers"] }),
        json!({ "name": "plain", "drawing": "number", "metrics": ["events"] }),
    ];
    let ids: Vec<Value> = members
        .iter()
        .map(|panel| {
            let mut panel = panel.clone();
            panel["visibility"] = json!("shared");
            let said = api.ask("POST", &target(DEMO), &owner, &panel.to_string());
            assert_eq!(said.status, 201, "{}", said.body);
            said.json()["id"].clone()
        })
        .collect();
    let ask =
        |id: &Value| api.ask("GET", &format!("{}&period={days}", path(id, "/statistics", DEMO)), &owner, "");
    assert!(ids.iter().all(|id| ask(id).status == 200));
    run(&bench, &["app", "properties", DEMO, "other"]);
    run(&bench, &["goal", "remove", "Order", "--app", DEMO]);
    run(&bench, &["stats", "segment", "remove", "Readers", "--app", DEMO]);
    for (id, why) in ids.iter().zip([
        "no property \\\"plan\\\"",
        "no property \\\"points\\\"",
        "no property \\\"plan\\\"",
        "no goal \\\"Order\\\"",
        "no segment \\\"Readers\\\"",
    ]) {
        let said = ask(id);
        assert!(
            said.status == 409 && said.body.contains(why) && said.body.contains("until it is changed"),
            "{why}: {} {}",
            said.status,
            said.body
        );
    }
    assert_eq!(ask(&ids[5]).status, 200);
    let why = refused(&bench, &["stats", "panel", "show", "sum", "--app", DEMO]);
    assert!(why.contains("no property \"points\""), "{why}");
    // It has an answer again once it is changed.
    let said = api.ask("PATCH", &path(&ids[0], "", DEMO), &owner, r#"{"dimension": "browser"}"#);
    assert_eq!(said.status, 200, "{}", said.body);
    assert_eq!(ask(&ids[0]).status, 200);
}

/// A name that would do something if it were HTML.
const EVIL: &str = "<img src=x onerror=alert(1)> Öl";

/// A button of the page or of a menu with this text, within an element.
fn button(within: &str, text: &str) -> String {
    format!("[...{within}.querySelectorAll('button, a')].find(one => one.innerText === {})", json!(text))
}

/// The card of a panel.
fn card(name: &str) -> String {
    format!("document.querySelector('[data-own][aria-label={}]')", json!(name))
}

fn is_gone(page: &mut Page, selector: &str) {
    page.driver.until(&format!("!document.querySelector('{selector}')"));
}

/// Writes a name in the form that is open, and saves it.
fn save(page: &mut Page, name: &str) {
    page.driver.until("document.querySelector('dialog[open] [name=name]') === document.activeElement");
    page.driver.keys(&[name, ENTER]);
}

#[test]
fn panels_are_made_of_what_is_on_the_screen_and_by_a_form_and_are_what_sql_says() {
    if !Engine::Blink.is_here() {
        return;
    }
    let (bench, server, owner) = dashboard::demo();
    let jane = person(&bench, "jane", "editor", DEMO);
    let jane = jane.trim().rsplit(' ').next().unwrap().to_owned();
    let mut page = Page::new(&server.url, Some(&jane));
    let here = format!("/applications/{DEMO}/panels");
    page.go(&here);
    assert_eq!(page.text("main h2:not(.hidden)"), "No panel yet");
    page.check_access();
    // A list and the graph, under the filter of the moment.
    let filtered = format!("/applications/{DEMO}?period=7d&filter=browser+is+Chrome");
    page.go(&filtered);
    let listed = page.rows("sources");
    page.driver.js("document.querySelector('[data-panel=sources] .keep').focus()");
    page.driver.keys(&[ENTER]);
    page.driver.until("document.querySelector('dialog[open] [name=name]')");
    page.check_access();
    save(&mut page, "Sources of Chrome");
    page.driver.until("document.querySelector('dialog[open] [role=status]')");
    page.check_access();
    page.go(&filtered);
    page.driver.js("document.querySelector('.switch .keep').click()");
    save(&mut page, EVIL);
    page.driver.until("document.querySelector('dialog[open] [role=status]')");
    assert_eq!(
        bench.database.psql("SELECT name, drawing, metrics, dimension, interval, filters, visibility, place FROM stat_panels ORDER BY place"),
        format!("Sources of Chrome|bars|{{visitors}}|source||{{\"browser is Chrome\"}}|personal|1\n{EVIL}|line|{{visitors}}||day|{{\"browser is Chrome\"}}|personal|2")
    );
    page.driver.js("document.querySelector('dialog[open] a.main').click()");
    page.driver.until("document.querySelectorAll('[data-own]').length === 2");
    page.settle();
    assert_eq!(page.value("location.pathname + location.search"), json!(format!("{here}?period=7d")));
    let shown = page.value(&format!(
        "[...{}.querySelectorAll('tbody tr')].slice(0, 9).map(row => row.dataset.value + ' ' + row.querySelector('[data-number]').dataset.number).join('\\n')",
        card("Sources of Chrome")
    ));
    assert_eq!(shown, json!(listed));
    assert_eq!(page.value("document.querySelector('main img')"), Value::Null, "it is text");
    page.check_access();
    made_by_form(&bench, &mut page, &here);
    ordered_renamed_and_removed(&bench, &mut page, &here);
    page.check();
    // Nobody else sees what is personal; a share sees what is public, and changes nothing.
    let mut other = Page::new(&server.url, Some(&owner));
    other.go(&here);
    assert_eq!(other.text("main h2:not(.hidden)"), "No panel yet");
    bench.database.psql("UPDATE stat_panels SET visibility = 'public', user_id = NULL");
    let secret = dashboard::share(&server, &owner);
    let mut other = Page::new(&server.url, None);
    other.go(&format!("/share?application_id={DEMO}&share={secret}&page=panels"));
    other.driver.until("document.querySelector('[data-own]')");
    other.settle();
    other.driver.js("document.querySelector('[data-own] .menu .pill').click()");
    assert_eq!(other.text("[data-own] .drop").replace('\n', ", "), "Statistics, CSV of these days");
    assert_eq!(other.value(&button("document", "Add a panel")), Value::Null);
    other.check_access();
    other.check();
}

/// A panel of numbers, by the keyboard alone.
fn made_by_form(bench: &Bench, page: &mut Page, here: &str) {
    page.go(&format!("{here}?period=7d"));
    page.driver.js(&format!("{}.focus()", button("document", "Add a panel")));
    page.driver.keys(&[ENTER]);
    page.driver.until("document.querySelector('dialog[open] [name=name]') === document.activeElement");
    page.driver.keys(&["Readers", TAB, "numbers"]);
    page.driver.until("document.querySelectorAll('dialog[open] [name=metric]').length === 10");
    // Page views beside the visitors.
    page.driver.keys(&[TAB, TAB, TAB, " "]);
    page.driver.js("document.querySelector('dialog[open] textarea').focus()");
    page.driver.keys(&["page is /journal"]);
    page.check_access();
    page.driver.js("document.querySelector('dialog[open] footer .main').focus()");
    page.driver.keys(&[ENTER]);
    page.driver.until(&format!("{}?.querySelectorAll('.tile').length === 2", card("Readers")));
    page.settle();
    let shown = page.value(&format!(
        "[...{}.querySelectorAll('.big')].map(one => Number(one.title.replaceAll(',', '')))",
        card("Readers")
    ));
    let [visitors, _, views] = counted(bench, (6, 0), "url_path = '/journal'");
    assert_eq!(serde_json::from_value::<Vec<f64>>(shown).unwrap(), [visitors, views]);
    // What cannot be is said in the form.
    page.driver.js(&format!("{}.click()", button("document", "Add a panel")));
    page.driver.until("document.querySelector('dialog[open] textarea')");
    page.driver
        .js("const one = document.querySelector('dialog[open] textarea'); one.value = 'planet is Mars'");
    save(page, "Wrong");
    page.driver.until("document.querySelector('dialog[open] [role=alert]')");
    assert!(page.text("dialog [role=alert]").contains("planet is Mars"));
    page.check_access();
}

fn ordered_renamed_and_removed(bench: &Bench, page: &mut Page, here: &str) {
    let names = |page: &mut Page| {
        page.value("[...document.querySelectorAll('[data-own]')].map(one => one.ariaLabel)")
    };
    page.go(&format!("{here}?period=7d"));
    assert_eq!(names(page), json!(["Sources of Chrome", EVIL, "Readers"]));
    // By the keyboard: the menu, its third item, which moves it to the front of one.
    page.driver.js(&format!("{}.querySelector('.menu .pill').focus()", card("Readers")));
    page.driver.keys(&[ENTER]);
    page.driver.until("document.querySelector('[data-own] .drop')");
    page.check_access();
    page.driver.keys(&[DOWN, DOWN, DOWN, ENTER]);
    page.driver.until("document.querySelectorAll('[data-own]')[1].ariaLabel === 'Readers'");
    page.settle();
    let order = "SELECT string_agg(left(name, 4), ' ' ORDER BY place) FROM stat_panels";
    assert_eq!(bench.database.psql(order), "Sour Read <img");
    let deed = |page: &mut Page, name: &str, text: &str| {
        page.driver.js(&format!("{}.querySelector('.menu .pill').click()", card(name)));
        page.driver.until("document.querySelector('[data-own] .drop')");
        page.driver.js(&format!("{}.click()", button("document.querySelector('[data-own] .drop')", text)));
    };
    deed(page, "Readers", "Change");
    page.driver.until("document.querySelector('dialog[open] [name=name]') === document.activeElement");
    page.driver.js("document.activeElement.select()");
    page.driver.keys(&["Readers of the journal", ENTER]);
    is_gone(page, "dialog");
    page.driver.until(&card("Readers of the journal"));
    page.settle();
    deed(page, EVIL, "Remove");
    page.driver.until("document.querySelector('[data-own] .drop .sure')");
    page.driver.js("document.querySelector('[data-own] .drop .sure').click()");
    page.driver.until("document.querySelectorAll('[data-own]').length === 2");
    page.settle();
    assert_eq!(bench.database.psql(order), "Sour Read");
    let told = bench
        .database
        .psql("SELECT action, count(*) FROM audit_log WHERE action LIKE 'panel.%' GROUP BY 1 ORDER BY 1");
    assert_eq!(told, "panel.add|3\npanel.change|2\npanel.remove|1");
}

#[test]
fn fifty_panels_are_asked_few_at_a_time_and_one_that_has_no_answer_breaks_none() {
    if !Engine::Blink.is_here() {
        return;
    }
    let (bench, server, owner) = dashboard::demo();
    bench.database.psql(&format!(
        "INSERT INTO stat_panels (app_id, name, folded, drawing, metrics, dimension, interval, filters, most, visibility, place, created_by) \
         SELECT a.id, 'panel ' || n, 'panel ' || n, (ARRAY['number', 'line', 'bars', 'table'])[1 + n % 4], '{{visitors}}', \
                CASE WHEN n % 4 > 1 THEN (ARRAY['source', 'page', 'product', 'country'])[1 + n / 4 % 4] END, CASE WHEN n % 4 = 1 THEN 'day' END, \
                CASE WHEN n = 7 THEN '{{goal is Gone}}'::text[] WHEN n % 3 = 0 THEN '{{browser is Chrome}}' ELSE '{{}}' END, 10, 'shared', n, 'x' \
         FROM generate_series(1, 50) n, applications a WHERE app_key = '{DEMO}'"
    ));
    let mut page = Page::new(&server.url, Some(&owner));
    page.go(&format!("/applications/{DEMO}/panels?period=7d"));
    page.driver.until("document.querySelectorAll('[data-own]').length === 50");
    page.settle();
    let failed = page.value("[...document.querySelectorAll('[data-own] .warn')].map(one => one.innerText)");
    let failed: Vec<String> = serde_json::from_value(failed).unwrap();
    assert!(failed.len() == 1 && failed[0].contains("no goal \"Gone\""), "{failed:?}");
    let most = page.value(
        "(() => { const all = performance.getEntriesByType('resource').filter(one => one.name.includes('/statistics?')); \
             return [all.length, Math.max(...all.map(one => all.filter(other => other.startTime <= one.startTime && other.responseEnd > one.startTime).length))] })()",
    );
    let [asked, at_once]: [u64; 2] = serde_json::from_value(most).unwrap();
    assert!(asked >= 50 && at_once <= 3, "{asked} questions, {at_once} at a time");
    page.check_access();
    // From a telephone to a wall, without anything to be pushed sideways.
    for width in [390, 768, 1440, 2560] {
        let size = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        page.driver.cdp("Emulation.setDeviceMetricsOverride", &size);
        page.go(&format!("/applications/{DEMO}/panels?period=7d"));
        let wide = page.value("document.documentElement.scrollWidth - document.documentElement.clientWidth");
        assert_eq!(wide, json!(0), "{width}");
        page.check();
    }
}
