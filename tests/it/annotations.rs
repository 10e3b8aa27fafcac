//! Annotations: who may write and who sees them, by API, command and page; a text is text, and stands at its day in the graph.

use serde_json::{Value, json};

use crate::dashboard::{DEMO, ENTER, TAB, demo, period, run, share};
use crate::serve::{Api, bearer, token};
use crate::support::bench::Bench;
use crate::support::daemon::alt;
use crate::support::lines::KEY;
use crate::support::page::{Page, Server};
use crate::support::postgres::Database;
use crate::support::webdriver::Engine;

const LEFT: &str = "\u{E012}";
const RIGHT: &str = "\u{E014}";

fn refused(bench: &Bench, args: &[&str]) -> String {
    let output = alt().args(args).arg("--config").arg(&bench.config).output().unwrap();
    assert!(!output.status.success(), "{args:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// The texts of a list of annotations.
fn texts(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|one| one["text"].as_str().unwrap()).collect()
}

#[test]
fn annotations_are_written_by_editors_and_leave_the_house_only_if_public() {
    let bench = Bench::not_started("[[source]]\npaths = [\"DIR/beacon.log\"]", Database::create());
    bench.database.psql("INSERT INTO applications (app_key, name) VALUES ('other', 'Other')");
    let api = Api::start(&bench, "");
    let editor = bearer(&token(&bench, &["--app", KEY, "--role", "editor"]));
    let viewer = bearer(&token(&bench, &["--app", KEY]));
    let bound = bearer(&token(&bench, &["--app", KEY, "--filter", "country is DE"]));
    let others = bearer(&token(&bench, &["--app", "Other", "--role", "editor"]));
    let made = api.ask("POST", &format!("/api/v1/shares?application_id={KEY}"), &editor, r#"{"name": "s"}"#);
    let secret = made.json()["share"].as_str().unwrap().to_owned();
    let target = format!("/api/v1/annotations?application_id={KEY}");
    let add = |body: &str| api.ask("POST", &target, &editor, body);
    let made = add(r#"{"day": "2026-01-31", "text": " <b>Release</b> 2.1 "}"#);
    assert_eq!(made.status, 201, "{}", made.body);
    let made = made.json();
    assert_eq!((&made["text"], &made["is_public"]), (&json!("<b>Release</b> 2.1"), &json!(false)));
    assert_eq!(add(r#"{"day": "2026-01-30", "text": "Newsletter", "is_public": true}"#).status, 201);
    // Whoever sees all of the application sees both; a share, and who is bound to a filter, what is public.
    let shared = format!("{target}&share={secret}");
    for (who, target, expected) in [
        (&editor, &target, &["<b>Release</b> 2.1", "Newsletter"][..]),
        (&viewer, &target, &["<b>Release</b> 2.1", "Newsletter"]),
        (&bound, &target, &["Newsletter"]),
        (&String::new(), &shared, &["Newsletter"]),
    ] {
        let said = api.ask("GET", target, who, "");
        assert_eq!(texts(&said.json()["annotations"]), expected, "{}", said.body);
        let is_share = target.contains("share=");
        let path =
            format!("/api/v1/dashboard{}", if is_share { format!("?share={secret}") } else { String::new() });
        for (period, expected) in [
            ("2026-01-01..2026-01-31", expected.iter().rev().copied().collect::<Vec<_>>()),
            ("2026-01-01..2026-01-29", Vec::new()),
        ] {
            let body = json!({ "application_id": KEY, "period": period }).to_string();
            let said = api.ask("POST", &path, who, &body);
            assert_eq!(texts(&said.json()["annotations"]), expected, "{}", said.body);
        }
    }
    let path = format!("/api/v1/annotations/{}?application_id", made["id"]);
    let its = format!("{path}={KEY}");
    for (method, target) in [("POST", &target), ("PATCH", &its), ("DELETE", &its)] {
        let body = r#"{"day": "2026-01-31", "text": "x"}"#;
        assert_eq!(api.ask(method, target, &viewer, body).status, 403, "{method}");
        assert_eq!(api.ask(method, target, &others, body).status, 404, "{method}");
        if method != "POST" {
            assert_eq!(api.ask(method, &format!("{path}=other"), &others, body).status, 404, "{method}");
        }
    }
    // A part is changed, and the rest stays.
    let said = api.ask("PATCH", &its, &editor, r#"{"is_public": true}"#).json();
    assert_eq!(
        (&said["day"], &said["text"], &said["is_public"]),
        (&made["day"], &made["text"], &json!(true))
    );
    let said = api.ask("PATCH", &its, &editor, r#"{"day": "2026-02-01", "text": "2.2"}"#).json();
    let expected = (&json!("2026-02-01"), &json!("2.2"), &json!(true));
    assert_eq!((&said["day"], &said["text"], &said["is_public"]), expected);
    let long = "x".repeat(201);
    for wrong in [
        json!({ "day": "2026-02-30", "text": "x" }),
        json!({ "day": "31.01.2026", "text": "x" }),
        json!({ "day": "2026-01-31", "text": " " }),
        json!({ "day": "2026-01-31", "text": "a\nb" }),
        json!({ "day": "2026-01-31", "text": long }),
        json!({ "day": "2026-01-31", "text": "x", "is_public": "yes" }),
        json!({ "day": 7, "text": "x" }),
    ] {
        assert_eq!(add(&wrong.to_string()).status, 400, "{wrong}");
        assert_eq!(api.ask("PATCH", &its, &editor, &wrong.to_string()).status, 400, "{wrong}");
    }
    assert_eq!(api.ask("PATCH", &its, &editor, "{}").status, 400);
    assert_eq!(api.ask("DELETE", &its, &editor, "").status, 200);
    assert_eq!(api.ask("DELETE", &its, &editor, "").status, 404);
    assert_eq!(api.ask("PATCH", &its, &editor, r#"{"text": "x"}"#).status, 404);
    let audit = "SELECT action, before ->> 'text', after ->> 'text' FROM audit_log WHERE action LIKE 'annotation.%' ORDER BY id";
    assert_eq!(
        bench.database.psql(audit),
        "annotation.add||<b>Release</b> 2.1\nannotation.add||Newsletter\n\
         annotation.change|<b>Release</b> 2.1|<b>Release</b> 2.1\nannotation.change|<b>Release</b> 2.1|2.2\nannotation.remove|2.2|"
    );
}

#[test]
fn a_list_of_annotations_goes_on_where_it_ended_and_the_command_has_the_same() {
    let bench = Bench::not_started("[[source]]\npaths = [\"DIR/beacon.log\"]", Database::create());
    let api = Api::start(&bench, "");
    let editor = bearer(&token(&bench, &["--app", KEY, "--role", "editor"]));
    for n in 1..=7 {
        run(&bench, &["stats", "annotation", "add", &format!("2026-01-0{}", n % 3 + 1), &format!("n{n}")]);
    }
    let expected = ["n5", "n2", "n7", "n4", "n1", "n6", "n3"];
    let target = format!("/api/v1/annotations?application_id={KEY}");
    let (mut found, mut cursor, mut answers) = (Vec::new(), String::new(), 0);
    loop {
        let said = api.ask("GET", &format!("{target}&limit=2{cursor}"), &editor, "").json();
        found.extend(texts(&said["annotations"]).iter().map(|text| (*text).to_owned()));
        answers += 1;
        match said["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!((found, answers), (expected.map(str::to_owned).to_vec(), 4));
    for wrong in ["x", "2026-01-01", "2026-02-30_1", "-009999-01-01_1", "2026-01-01_x"] {
        assert_eq!(api.ask("GET", &format!("{target}&cursor={wrong}"), &editor, "").status, 400, "{wrong}");
    }
    let list: Value = serde_json::from_str(&run(&bench, &["stats", "annotation", "list", "--json"])).unwrap();
    assert_eq!(texts(&list), expected);
    assert_eq!(list, api.ask("GET", &target, &editor, "").json()["annotations"]);
    // The command is refused with what to do.
    let add = ["stats", "annotation", "add"];
    assert!(refused(&bench, &[&add[..], &["2026-13-01", "x"]].concat()).contains("such as 2026-01-31"));
    assert!(refused(&bench, &[&add[..], &["today", " "]].concat()).contains("1 to 200 characters"));
    let said = refused(&bench, &["stats", "annotation", "remove", "999"]);
    assert!(said.contains("has no annotation 999"), "{said}");
    // `today` is that of the application.
    bench.database.psql("UPDATE applications SET time_zone = 'Pacific/Kiritimati'");
    run(&bench, &[&add[..], &["today", "now", "--public"]].concat());
    let is_today = "SELECT day = (now() AT TIME ZONE 'Pacific/Kiritimati')::date AND is_public FROM stat_annotations WHERE text = 'now'";
    assert_eq!(bench.database.psql(is_today), "t");
    assert!(run(&bench, &["stats", "annotation", "list"]).contains("now"));
    run(&bench, &["stats", "annotation", "remove", &list[0]["id"].to_string()]);
    // No more than fit.
    bench.database.psql(
        "INSERT INTO stat_annotations (app_id, day, text) SELECT id, '2026-01-01', n::text FROM applications, generate_series(1, 493) n",
    );
    assert!(refused(&bench, &[&add[..], &["today", "x"]].concat()).contains("500 annotations"));
    let said = api.ask("POST", &target, &editor, r#"{"day": "today", "text": "x"}"#);
    assert_eq!(said.status, 409, "{}", said.body);
    let told = bench.database.psql("SELECT actor_kind, action, count(*) FROM audit_log WHERE action LIKE 'annotation.%' GROUP BY 1, 2 ORDER BY 2");
    assert_eq!(told, "command|annotation.add|8\ncommand|annotation.remove|1");
}

/// A text that would do something if it were HTML.
const EVIL: &str = "<img src=x onerror=alert(1)> &amp; 2.1";

#[test]
fn an_annotation_is_a_mark_in_the_graph_which_keys_reach_and_never_html() {
    if !Engine::Blink.is_here() {
        return;
    }
    let (bench, server, token) = demo();
    let mut page = Page::new(&server.url, Some(&token));
    let yesterday = bench.database.psql("SELECT (now() AT TIME ZONE 'UTC')::date - 1");
    page.go(&format!("/applications/{DEMO}/settings"));
    page.driver.js(&format!(
        "const day = document.querySelector('[data-setting=annotations] [name=day]'); day.value = '{yesterday}'; \
         document.querySelector('[data-setting=annotations] [name=text]').focus()"
    ));
    page.driver.keys(&[EVIL, TAB, TAB, ENTER]);
    page.driver.until("document.querySelector('[data-setting=annotations] tbody tr')");
    let kept = "SELECT day, text, is_public FROM stat_annotations";
    assert_eq!(bench.database.psql(kept), format!("{yesterday}|{EVIL}|f"));
    assert!(page.text("[data-setting=annotations] tbody tr").contains(EVIL));
    page.check_access();
    run(&bench, &["stats", "annotation", "add", "--app", DEMO, &yesterday, "Newsletter", "--public"]);
    // The last but one of seven days has one mark, and both texts.
    let week = format!("/applications/{DEMO}?period={}", period(&bench, (6, 0)));
    page.go(&week);
    let marks = "[...document.querySelectorAll('[data-mark]')].map(one => one.dataset.mark)";
    assert_eq!(page.value(marks), json!([yesterday]));
    page.driver.js("document.querySelector('.graph svg').focus()");
    page.driver.keys(&[RIGHT]);
    page.driver.until("document.querySelector('.graph .tip b')");
    assert!(!page.text(".graph .tip").contains("Newsletter"), "today has none");
    page.driver.keys(&[LEFT]);
    page.driver.until("document.querySelector('.graph .tip')?.innerText.includes('Newsletter')");
    assert!(page.text(".graph [aria-live]").contains(EVIL), "{}", page.text(".graph .tip"));
    let list = page.text("[data-happened]");
    assert!(list.contains(EVIL) && list.contains("Newsletter"), "{list}");
    assert_eq!(page.value("document.querySelector('main img')"), Value::Null, "it is text");
    page.check_access();
    page.check();
    // By months it is at its month; by hours at the first of its day.
    page.go(&format!("{week}&interval=month"));
    assert_eq!(page.value(marks), json!([&yesterday[..7]]));
    page.go(&format!("{week}&interval=hour"));
    let at = page.value(&format!("{marks}[0]"));
    assert!(at.as_str().unwrap().starts_with(&format!("{yesterday}T00:00")), "{at}");
    page.go(&format!("/applications/{DEMO}?period={}", period(&bench, (0, 0))));
    assert_eq!(page.value(marks), json!([]), "another period");
    // The settings let shares show it; until then they show what is public.
    let secret = share(&server, &token);
    let shared = format!("/share?application_id={DEMO}&share={secret}&period={}", period(&bench, (6, 0)));
    shown_to_others(&server, &shared, &["Newsletter"]);
    page.go(&format!("/applications/{DEMO}/settings"));
    page.driver.js("[...document.querySelectorAll('[data-setting=annotations] tbody [type=checkbox]')].find(one => !one.checked).focus()");
    page.driver.keys(&[" "]);
    page.driver.until(
        "document.querySelectorAll('[data-setting=annotations] :checked[type=checkbox]').length === 2",
    );
    shown_to_others(&server, &shared, &[EVIL, "Newsletter"]);
    page.driver.js("document.querySelector('[data-setting=annotations] tbody button').click()");
    page.driver.until("document.querySelector('[data-setting=annotations] tbody .sure')");
    page.driver.js("document.querySelector('[data-setting=annotations] tbody .sure').click()");
    page.driver.until("document.querySelectorAll('[data-setting=annotations] tbody tr').length === 1");
    page.check();
}

/// Checks which annotations a page shows to somebody who has not signed in.
fn shown_to_others(server: &Server, path: &str, expected: &[&str]) {
    let mut page = Page::new(&server.url, None);
    page.go(path);
    let texts = "[...document.querySelectorAll('[data-happened] li span')].map(one => one.textContent)";
    assert_eq!(page.value(texts), json!(expected));
    page.check();
}
