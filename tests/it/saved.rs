//! Segments: filters under a name, which stand for nothing but these filters, by API, command and page; who may write them, who
//! sees them, and that nobody sees more by them.

use serde_json::{Value, json};

use crate::dashboard::{self, DEMO, ENTER, TAB, share, shown};
use crate::goals::demo;
use crate::serve::{Api, bearer, run, token};
use crate::support::bench::Bench;
use crate::support::daemon::{alt, wait_for};
use crate::support::lines::KEY;
use crate::support::page::Page;
use crate::support::postgres::Database;
use crate::support::webdriver::Engine;

fn refused(bench: &Bench, args: &[&str]) -> String {
    let output = alt().args(args).arg("--config").arg(&bench.config).output().unwrap();
    assert!(!output.status.success(), "{args:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// The names of a list of segments.
fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect()
}

#[test]
fn segments_are_written_by_editors_and_personal_ones_are_of_one_person() {
    let bench = Bench::not_started("[[source]]\npaths = [\"DIR/beacon.log\"]", Database::create());
    bench.database.psql("INSERT INTO applications (app_key, name) VALUES ('other', 'Other')");
    let api = Api::start(&bench, "");
    let person = |name: &str| {
        run(&bench, &["user", "add", name]);
        run(&bench, &["user", "grant", name, "--app", KEY, "--role", "editor"]);
        bearer(&token(&bench, &["--user", name, "--role", "editor"]))
    };
    let (jane, bob) = (person("jane"), person("bob"));
    let editor = bearer(&token(&bench, &["--app", KEY, "--role", "editor"]));
    let viewer = bearer(&token(&bench, &["--app", KEY]));
    let bound = bearer(&token(&bench, &["--app", KEY, "--filter", "country is DE"]));
    let boss = bearer(&token(&bench, &["--role", "owner"]));
    let others = bearer(&token(&bench, &["--app", "Other", "--role", "editor"]));
    let made = api.ask("POST", &format!("/api/v1/shares?application_id={KEY}"), &editor, r#"{"name": "s"}"#);
    let secret = made.json()["share"].as_str().unwrap().to_owned();
    let target = format!("/api/v1/segments?application_id={KEY}");
    let add = |who: &str, name: &str, visibility: &str| {
        let body = json!({ "name": name, "filters": ["country is DE"], "visibility": visibility });
        api.ask("POST", &target, who, &body.to_string())
    };
    let made = add(&jane, " Jane's Ärger ", "personal");
    assert_eq!(made.status, 201, "{}", made.body);
    let its = made.json();
    let told = (&its["name"], &its["filters"], &its["visibility"], &its["created_by"]);
    assert_eq!(
        told,
        (&json!("Jane's Ärger"), &json!(["country is DE"]), &json!("personal"), &json!("a token"))
    );
    assert!(its["created_at"].as_str().unwrap().ends_with('Z') && its.get("person").is_none(), "{its}");
    assert_eq!(add(&bob, "Bob's", "personal").status, 201);
    assert_eq!(add(&editor, "all of us", "shared").status, 201);
    assert_eq!(add(&editor, "Everybody", "public").status, 201);
    // Nobody is whose own it would be.
    let said = add(&editor, "mine", "personal");
    assert!(said.status == 400 && said.body.contains("sign in"), "{}", said.body);
    let shared = format!("{target}&share={secret}");
    for (who, target, expected) in [
        (&jane, &target, &["all of us", "Everybody", "Jane's Ärger"][..]),
        (&bob, &target, &["all of us", "Bob's", "Everybody"]),
        (&editor, &target, &["all of us", "Everybody"]),
        (&viewer, &target, &["all of us", "Everybody"]),
        (&boss, &target, &["all of us", "Everybody"]),
        (&bound, &target, &["Everybody"]),
        (&String::new(), &shared, &["Everybody"]),
    ] {
        let said = api.ask("GET", target, who, "");
        assert_eq!(names(&said.json()["segments"]), expected, "{}", said.body);
        // Who sees one may ask by its name, whatever the capitals; to others it is as one that is not there.
        let mark = if target == &shared { format!("&share={secret}") } else { String::new() };
        for name in ["ALL OF US", "bob's", "everybody", "JANE'S ÄRGER", "nothing"] {
            let path = format!("/api/v1/statistics?application_id={KEY}{mark}&filter=segment+is+");
            let said =
                api.ask("GET", &format!("{path}{}", name.replace(' ', "+").replace('Ä', "%C3%84")), who, "");
            if expected.iter().any(|one| one.to_lowercase() == name.to_lowercase()) {
                assert_eq!(said.status, 200, "{name}: {}", said.body);
            } else {
                assert_eq!(said.status, 400, "{name}: {}", said.body);
                assert!(said.body.contains(&format!("there is no segment \\\"{name}\\\"")), "{}", said.body);
            }
        }
    }
    // A name is one of all segments of the application, and of no other application.
    for name in ["ALL of us", "bob's", "jane's ärger"] {
        let said = add(&editor, name, "shared");
        assert_eq!(said.status, 409, "{name}: {}", said.body);
    }
    let body = r#"{"name": "All of us", "filters": ["country is DE"]}"#;
    assert_eq!(api.ask("POST", "/api/v1/segments?application_id=other", &others, body).status, 201);
    rights(&api, &its, &[&viewer, &bound], &[&others], &[&bob, &editor, &boss]);
    // A part is changed, and the rest stays; another capital is no other name.
    let path = format!("/api/v1/segments/{}?application_id={KEY}", its["id"]);
    let said = api.ask("PATCH", &path, &jane, r#"{"name": "JANE'S ÄRGER"}"#).json();
    assert_eq!((&said["name"], &said["filters"]), (&json!("JANE'S ÄRGER"), &its["filters"]));
    assert_eq!(api.ask("PATCH", &path, &jane, r#"{"name": "Bob's"}"#).status, 409);
    let said = api.ask("PATCH", &path, &jane, r#"{"visibility": "shared", "filters": ["page is /"]}"#).json();
    assert_eq!((&said["visibility"], &said["filters"]), (&json!("shared"), &json!(["page is /"])));
    assert_eq!(api.ask("PATCH", &path, &bob, r#"{"name": "ours"}"#).status, 200, "it is everybody's now");
    assert_eq!(api.ask("PATCH", &path, &jane, "{}").status, 400);
    assert_eq!(api.ask("DELETE", &path, &bob, "").status, 200);
    assert_eq!(api.ask("DELETE", &path, &bob, "").status, 404);
    // What is a person's own goes with the person.
    run(&bench, &["user", "remove", "bob"]);
    assert_eq!(
        bench.database.psql("SELECT name FROM stat_saved_filters ORDER BY 1"),
        "All of us\nEverybody\nall of us"
    );
    let audit = "SELECT action, before ->> 'name', after ->> 'name' FROM audit_log WHERE action LIKE 'segment.%' ORDER BY id OFFSET 4";
    assert_eq!(
        bench.database.psql(audit),
        "segment.add||All of us\nsegment.change|Jane's Ärger|JANE'S ÄRGER\n\
         segment.change|JANE'S ÄRGER|JANE'S ÄRGER\nsegment.change|JANE'S ÄRGER|ours\nsegment.remove|ours|"
    );
}

/// Checks who may not write, who does not know of the application, and who does not know of a personal segment.
fn rights(api: &Api, its: &Value, readers: &[&String], others: &[&String], strangers: &[&String]) {
    let target = format!("/api/v1/segments?application_id={KEY}");
    let path = format!("/api/v1/segments/{}?application_id", its["id"]);
    let its = format!("{path}={KEY}");
    let body = r#"{"name": "x", "filters": ["country is DE"]}"#;
    for (method, target) in [("POST", &target), ("PATCH", &its), ("DELETE", &its)] {
        for who in readers {
            assert_eq!(api.ask(method, target, who, body).status, 403, "{method}");
        }
        for who in others {
            assert_eq!(api.ask(method, target, who, body).status, 404, "{method}");
        }
        for who in strangers.iter().filter(|_| method != "POST") {
            let said = api.ask(method, target, who, body);
            assert!(said.status == 404 && said.body.contains("no such segment"), "{method}: {}", said.body);
        }
        for who in others.iter().filter(|_| method != "POST") {
            assert_eq!(api.ask(method, &format!("{path}=other"), who, body).status, 404, "{method}");
        }
    }
}

/// What a filter is in an address.
fn written(filters: &[&str]) -> String {
    let one = |filter: &&str| format!("&filter={}", filter.replace(' ', "+"));
    filters.iter().map(one).collect()
}

#[test]
fn a_segment_counts_what_its_filters_count_and_widens_nothing() {
    let (bench, days) = demo("5");
    for (name, filters) in [
        ("Germans", &["country is DE"][..]),
        ("Shop from Germany", &["country is DE", "page contains /shop"]),
        ("Everything", &["page contains /"]),
    ] {
        let filters = filters.iter().flat_map(|filter| ["--filter", filter]);
        let args: Vec<&str> = ["stats", "segment", "add", name, "--app", "Demo", "--visibility", "public"]
            .into_iter()
            .chain(filters)
            .collect();
        run(&bench, &args);
    }
    let api = Api::start(&bench, "");
    let editor = bearer(&token(&bench, &["--app", "alt-demo", "--role", "editor"]));
    let bound = bearer(&token(&bench, &["--app", "alt-demo", "--filter", "country is DE"]));
    let asked = |who: &str, path: &str, filters: &[&str]| -> Value {
        let target = format!("/api/v1/{path}application_id=alt-demo&period={days}{}", written(filters));
        let said = api.ask("GET", &target, who, "");
        assert_eq!(said.status, 200, "{target}: {}", said.body);
        said.json()
    };
    let total =
        |who: &str, filters: &[&str]| -> Value { asked(who, "statistics?", filters)["total"].clone() };
    let of = |value: &Value, name: &str| value[name].as_u64().unwrap();
    let all = total(&editor, &[]);
    for (segment, filters) in [
        (&["segment is germans"][..], &["country is DE"][..]),
        (&["segment is not GERMANS"], &["country is not DE"]),
        (&["segment is Shop from Germany"], &["country is DE", "page contains /shop"]),
        (&["segment is Germans", "browser is Chrome"], &["country is DE", "browser is Chrome"]),
        (&["segment is Germans", "segment is not Everything"], &["country is DE", "page does not contain /"]),
    ] {
        let expected = total(&editor, filters);
        assert_eq!(total(&editor, segment), expected, "{segment:?}");
        assert!(of(&expected, "events") < of(&all, "events"), "{filters:?} keep all");
        // The same by all that has filters.
        for path in ["funnel?step=page+/shop*&step=event+order&", "visits?"] {
            let (by_name, written) = (asked(&editor, path, segment), asked(&editor, path, filters));
            assert_eq!(by_name, written, "{path} {segment:?}");
        }
        let body = |filters: &[&str]| {
            let body = json!({ "application_id": "alt-demo", "period": days, "filters": filters, "dimensions": ["goal", "page"] });
            let mut said = api.ask("POST", "/api/v1/dashboard", &editor, &body.to_string()).json();
            said["filters"] = Value::Null;
            said
        };
        assert_eq!(body(segment), body(filters), "{segment:?}");
        let command = |filters: &[&str]| -> Value {
            let filters = filters.iter().flat_map(|filter| ["--filter", filter]);
            let args = ["stats", "--app", "Demo", "--period", &days, "--dimension", "page", "--json"];
            serde_json::from_str(&run(&bench, &args.into_iter().chain(filters).collect::<Vec<_>>())).unwrap()
        };
        assert_eq!(command(segment), command(filters), "{segment:?}");
        // Who is bound to a filter sees of a segment what the filter leaves.
        let both: Vec<&str> = filters.iter().copied().chain(["country is DE"]).collect();
        assert_eq!(total(&bound, segment), total(&editor, &both), "{segment:?}");
    }
    // What is not of one page and one country together is more than what is of neither.
    let outside = total(&editor, &["segment is not Shop from Germany"]);
    let inside = total(&editor, &["segment is Shop from Germany"]);
    assert_eq!(of(&outside, "events") + of(&inside, "events"), of(&all, "events"));
    assert_eq!(total(&bound, &["segment is Everything"]), total(&bound, &["country is DE"]));
}

#[test]
fn a_segment_that_cannot_be_is_refused_and_one_that_broke_says_why() {
    let bench = Bench::not_started("[[source]]\npaths = [\"DIR/beacon.log\"]", Database::create());
    let api = Api::start(&bench, "");
    let editor = bearer(&token(&bench, &["--app", KEY, "--role", "editor"]));
    let target = format!("/api/v1/segments?application_id={KEY}");
    let add = |body: &Value| api.ask("POST", &target, &editor, &body.to_string());
    let made = add(&json!({ "name": "here", "filters": ["country is DE"] })).json();
    assert_eq!(made["visibility"], json!("shared"));
    let its = format!("/api/v1/segments/{}?application_id={KEY}", made["id"]);
    let long = format!("page is /{}", "x".repeat(3_900));
    for (wrong, why) in [
        (json!({ "name": " ", "filters": ["country is DE"] }), "1 to 100 characters"),
        (json!({ "name": "not here", "filters": ["country is DE"] }), "the word `not`"),
        (json!({ "name": "x", "filters": [] }), "1 to 20 filters"),
        (json!({ "name": "x", "filters": vec!["country is DE"; 21] }), "1 to 20 filters"),
        (json!({ "name": "x", "filters": [long, long, long] }), "8000 bytes"),
        (json!({ "name": "x", "filters": ["planet is Mars"] }), "is no filter"),
        (json!({ "name": "x", "filters": ["page matches ("] }), "pattern"),
        (json!({ "name": "x", "filters": ["goal is Nothing"] }), "no goal \\\"Nothing\\\""),
        // None consists of another, or of itself.
        (json!({ "name": "x", "filters": ["segment is here"] }), "a segment is named"),
        (json!({ "name": "here", "filters": ["segment is not here"] }), "a segment is named"),
        (
            json!({ "name": "x", "filters": ["country is DE"], "visibility": "hidden" }),
            "personal, shared or public",
        ),
        (json!({ "name": 7, "filters": ["country is DE"] }), "name is a text"),
        (json!({ "name": "x", "filters": "country is DE" }), "list of at most"),
    ] {
        for said in [add(&wrong), api.ask("PATCH", &its, &editor, &wrong.to_string())] {
            assert!(said.status == 400 && said.body.contains(why), "{wrong}: {}", said.body);
        }
    }
    // It is named where questions have filters, and nowhere else.
    let owner = bearer(&token(&bench, &["--role", "owner"]));
    let binding = r#"{"name": "t", "filters": ["segment is here"]}"#;
    for (path, who, body) in [
        ("/api/v1/tokens", &owner, binding),
        (&format!("/api/v1/shares?application_id={KEY}"), &editor, binding),
        (
            &format!("/api/v1/goals?application_id={KEY}"),
            &editor,
            r#"{"name": "g", "event": "e", "conditions": ["segment is here"]}"#,
        ),
    ] {
        let said = api.ask("POST", path, who, body);
        assert!(said.status == 400 && said.body.contains("a segment is named"), "{path}: {}", said.body);
    }
    assert!(
        refused(&bench, &["token", "add", "t", "--filter", "segment is here"]).contains("a segment is named")
    );
    let question = |text: &str| {
        api.ask("GET", &format!("/api/v1/statistics?application_id={KEY}{}", written(&[text])), &editor, "")
    };
    let said = question("segment contains here");
    assert!(said.status == 400 && said.body.contains("segment is NAME"), "{}", said.body);
    // The goal that it names is removed.
    run(&bench, &["goal", "add", "Order", "--event", "order"]);
    let said = api.ask("PATCH", &its, &editor, r#"{"filters": ["goal is Order"]}"#);
    assert_eq!(said.status, 200, "{}", said.body);
    assert_eq!(question("segment is here").status, 200);
    run(&bench, &["goal", "remove", "Order"]);
    let why = question("segment is here");
    assert!(why.status == 400 && why.body.contains("\\\"here\\\" cannot be used until"), "{}", why.body);
    assert!(why.body.contains("there is no goal \\\"Order\\\" any more"), "{}", why.body);
    let why = refused(&bench, &["stats", "--filter", "segment is here"]);
    assert!(why.contains("cannot be used until") && why.contains("Order"), "{why}");
    // A version that was here before knew a filter that this one does not.
    bench.database.psql("UPDATE stat_saved_filters SET filters = '{planet is Mars}'");
    let why = question("segment is not here");
    assert!(why.status == 400 && why.body.contains("planet is Mars"), "{}", why.body);
    // More conditions than a question may have are counted where they stand, within the segments.
    bench
        .database
        .psql("UPDATE stat_saved_filters SET filters = array_fill('country is DE'::text, ARRAY[20])");
    let eleven = written(&["segment is here"; 11]);
    let said = api.ask("GET", &format!("/api/v1/statistics?application_id={KEY}{eleven}"), &editor, "");
    assert!(said.status == 400 && said.body.contains("200"), "{}: {}", said.status, said.body);
}

#[test]
fn a_list_of_segments_goes_on_where_it_ended_and_the_command_has_the_same() {
    let bench = Bench::not_started("[[source]]\npaths = [\"DIR/beacon.log\"]", Database::create());
    let api = Api::start(&bench, "");
    let editor = bearer(&token(&bench, &["--app", KEY, "--role", "editor"]));
    let segment = |args: &[&str]| run(&bench, &[&["stats", "segment"], args].concat());
    assert!(segment(&["list"]).contains("alt stats segment add"));
    for name in ["Delta", "alpha", "Bravo", "émile", "charlie", "Écho"] {
        segment(&["add", name, "--filter", "country is DE", "--filter", "page is /"]);
    }
    let target = format!("/api/v1/segments?application_id={KEY}");
    let (mut found, mut cursor, mut answers) = (Vec::new(), String::new(), 0);
    loop {
        let said = api.ask("GET", &format!("{target}&limit=2{cursor}"), &editor, "").json();
        found.extend(names(&said["segments"]).iter().map(|name| (*name).to_owned()));
        answers += 1;
        match said["next"].as_str() {
            Some(next) => cursor = format!("&cursor={}", next.replace('é', "%C3%A9").replace('É', "%C3%89")),
            None => break,
        }
    }
    let expected = ["alpha", "Bravo", "charlie", "Delta", "Écho", "émile"];
    assert_eq!((found, answers), (expected.map(str::to_owned).to_vec(), 3));
    let list: Value = serde_json::from_str(&segment(&["list", "--json"])).unwrap();
    assert_eq!(list, api.ask("GET", &target, &editor, "").json()["segments"]);
    segment(&["change", "ÉCHO", "--name", "Foxtrot", "--visibility", "public"]);
    segment(&["change", "alpha", "--filter", "country is FR"]);
    let shown = segment(&["list"]);
    assert!(
        shown.contains("Foxtrot") && shown.contains("public") && shown.contains("country is FR"),
        "{shown}"
    );
    segment(&["remove", "foxtrot"]);
    let refuse = |args: &[&str]| refused(&bench, &[&["stats", "segment"], args].concat());
    assert!(refuse(&["remove", "foxtrot"]).contains("no segment \"foxtrot\""));
    assert!(refuse(&["change", "alpha"]).contains("nothing is to be changed"));
    assert!(refuse(&["add", "ALPHA", "--filter", "country is DE"]).contains("a segment of this name"));
    assert!(refuse(&["add", "not x", "--filter", "country is DE"]).contains("the word `not`"));
    // No more than fit.
    bench.database.psql(
        "INSERT INTO stat_saved_filters (app_id, name, folded, filters, visibility, created_by) \
         SELECT id, n::text, n::text, '{page is /}', 'shared', 'x' FROM applications, generate_series(1, 95) n",
    );
    assert!(refuse(&["add", "x", "--filter", "country is DE"]).contains("100 segments"));
    let said = api.ask("POST", &target, &editor, r#"{"name": "x", "filters": ["page is /"]}"#);
    assert_eq!(said.status, 409, "{}", said.body);
    segment(&["change", "alpha", "--name", "Also where it is full"]);
    let told = bench.database.psql("SELECT actor_kind, action, count(*) FROM audit_log WHERE action LIKE 'segment.%' GROUP BY 1, 2 ORDER BY 2");
    assert_eq!(told, "command|segment.add|6\ncommand|segment.change|3\ncommand|segment.remove|1");
}

/// A name that would do something if it were HTML.
const EVIL: &str = "<img src=x onerror=alert(1)> Öl";

/// What saves a segment, and what opens one.
const SAVE: &str =
    "[...document.querySelectorAll('.chips button')].find(one => one.textContent === 'Save as a segment')";
const OPENER: &str = "document.querySelector('.chip [aria-label^=\"Show the filters\"]')";

/// The statistics of a week.
const WEEK: &str = "/applications/alt-demo?period=7d";

/// The filters in the address.
fn filters(page: &mut Page) -> Value {
    page.value("new URLSearchParams(location.search).getAll('filter')")
}

#[test]
fn what_is_shown_is_saved_as_one_chip_that_opens_into_its_filters() {
    if !Engine::Blink.is_here() {
        return;
    }
    let (bench, server, owner) = dashboard::demo();
    let mut page = Page::new(&server.url, Some(&owner));
    page.go(&format!("{WEEK}&filter=country+is+DE&filter=page+contains+/journal"));
    let both = shown(&mut page);
    assert!(both[0] > 5.0, "{both:?}");
    page.driver.until(SAVE);
    page.driver.js(&format!("{SAVE}.focus()"));
    page.driver.keys(&[ENTER]);
    page.driver.until("document.querySelector('dialog[open] [name=name]') === document.activeElement");
    page.check_access();
    page.driver.keys(&[EVIL, TAB, TAB, ENTER]);
    page.driver.until("document.querySelectorAll('.chip').length === 1");
    page.settle();
    assert_eq!(filters(&mut page), json!([format!("segment is {EVIL}")]));
    assert_eq!(shown(&mut page), both, "the numbers are those of the filters");
    assert_eq!(
        bench.database.psql("SELECT name, filters, visibility FROM stat_saved_filters"),
        format!("{EVIL}|{{\"country is DE\",\"page contains /journal\"}}|shared")
    );
    assert_eq!(page.value("document.querySelector('main img')"), Value::Null, "it is text");
    page.check_access();
    turned_and_opened(&mut page, both);
    saved_again(&bench, &mut page);
    chosen(&mut page);
    in_settings(&bench, &mut page);
    // A share sees it once it is public, and saves nothing.
    let shared = |secret: &str| {
        format!("/share?application_id={DEMO}&share={secret}&period=7d&filter=segment+is+french")
    };
    let secret = share(&server, &owner);
    let mut other = Page::new(&server.url, None);
    other.go(&shared(&secret));
    assert!(other.text("main").contains("there is no segment"), "{}", other.text("main"));
    bench.database.psql("UPDATE stat_saved_filters SET visibility = 'public'");
    other.go(&shared(&secret));
    other.driver.until(OPENER);
    assert_eq!(other.value(SAVE), Value::Null);
    other.check_access();
}

/// Turns the segment around, in which it is all others, and is not opened, because these are no list of filters; then opens it.
fn turned_and_opened(page: &mut Page, both: [f64; 3]) {
    page.driver.until(OPENER);
    page.driver.js("document.querySelector('.chip button').click()");
    page.driver.until("document.querySelector('.chip.not')");
    page.settle();
    assert_eq!(page.value(OPENER), Value::Null);
    page.go(WEEK);
    let all = shown(page);
    page.go(&format!("{WEEK}&filter=segment+is+{}", "%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E%20%C3%96L"));
    page.driver.until(OPENER);
    page.driver.js(&format!("{OPENER}.click()"));
    page.driver.until("document.querySelectorAll('.chip').length === 2");
    page.settle();
    assert_eq!(filters(page), json!(["country is DE", "page contains /journal"]));
    assert_eq!(shown(page), both);
    assert!(all[2] > both[2], "{all:?}");
}

/// Gives other filters to the segment.
fn saved_again(bench: &Bench, page: &mut Page) {
    page.go(&format!("{WEEK}&filter=country+is+FR"));
    page.driver.until(SAVE);
    page.driver.js(&format!("{SAVE}.click()"));
    page.driver.until("document.querySelector('dialog[open] [name=name]') === document.activeElement");
    page.driver.keys(&[&EVIL.to_uppercase()]);
    page.driver.until("document.querySelector('dialog[open] .main').textContent === 'Replace the segment'");
    page.driver.keys(&[ENTER]);
    page.driver.until("document.querySelector('.chip b')?.textContent.startsWith('<IMG')");
    assert_eq!(bench.database.psql("SELECT filters FROM stat_saved_filters"), "{\"country is FR\"}");
}

/// Chooses the segment where filters are.
fn chosen(page: &mut Page) {
    page.go(WEEK);
    page.driver.js("document.body.focus()");
    page.driver.keys(&["f"]);
    page.driver.until("document.querySelector('dialog[open] option[value=segment]')");
    page.driver
        .js("const one = document.querySelector('dialog[open] [name=dimension]'); one.value = 'segment'; \
         one.dispatchEvent(new Event('change', { bubbles: true }))");
    page.driver.until("document.querySelector('dialog[open] select[name=value]')?.options.length === 2");
    page.check_access();
    page.driver
        .js("const one = document.querySelector('dialog[open] [name=value]'); one.selectedIndex = 1; \
         one.dispatchEvent(new Event('change', { bubbles: true })); one.focus()");
    page.driver.until("document.querySelector('dialog[open] [name=value]')?.selectedIndex === 1");
    page.driver.keys(&[TAB, ENTER]);
    page.driver.until("document.querySelectorAll('.chip').length === 1");
    assert_eq!(filters(page), json!([format!("segment is {}", EVIL.to_uppercase())]));
    page.check();
}

/// Names a segment anew in the settings, shows it to others, and removes another one.
fn in_settings(bench: &Bench, page: &mut Page) {
    run(bench, &["stats", "segment", "add", "Away", "--app", DEMO, "--filter", "country is DE"]);
    page.go(&format!("/applications/{DEMO}/settings"));
    let of = "document.querySelector('[data-setting=segments] tbody')";
    page.driver.until(&format!("{of}?.rows.length === 2"));
    page.check_access();
    assert!(page.text("[data-setting=segments]").contains("country is FR"));
    page.driver.js(&format!("{of}.rows[0].querySelector('button').click()"));
    page.driver.until(&format!("{of}.querySelector('[name=name]')"));
    page.check_access();
    page.driver.js(&format!(
        "const one = {of}.querySelector('[name=name]'); one.value = 'french'; one.form.requestSubmit()"
    ));
    page.driver.until(&format!("[...{of}.rows].some(one => one.innerText.startsWith('french'))"));
    page.driver.js(&format!(
        "const one = [...{of}.rows].find(one => one.innerText.startsWith('french')).querySelector('select'); \
         one.value = 'public'; one.dispatchEvent(new Event('change', {{ bubbles: true }}))"
    ));
    let kept = "SELECT name, visibility FROM stat_saved_filters WHERE folded = 'french'";
    wait_for(60, || bench.database.psql(kept) == "french|public", || bench.database.psql(kept));
    bench.database.psql("UPDATE stat_saved_filters SET visibility = 'shared'");
    let away = format!(
        "[...{of}.rows].find(one => one.innerText.startsWith('Away')).querySelector('td:last-child button')"
    );
    page.driver.js(&format!("{away}.click()"));
    page.driver.until(&format!("{of}.querySelector('.sure')"));
    page.driver.js(&format!("{of}.querySelector('.sure').click()"));
    page.driver.until(&format!("{of}.rows.length === 1"));
    page.check();
}
