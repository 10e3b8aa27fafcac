//! Exclusions: rules of an application decide, as hits are loaded, whose do not count; they are made by command, by API and
//! on the page, each change is recorded, and whatever stands in the settings, everything else is loaded.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::dashboard::{ENTER, TAB};
use crate::replay::{bench, replay, write};
use crate::serve::{Api, bearer, run, token};
use crate::support::bench::Bench;
use crate::support::daemon::{alt, wait_for};
use crate::support::lines::{KEY, now};
use crate::support::nginx::Setup;
use crate::support::page::{Page, Server};
use crate::support::webdriver::Engine;

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

/// How long a daemon may not know of a rule, seconds, as the documents say.
const KNOWN_AFTER: u64 = 30;

/// A hit, with Sec-GPC or without.
fn line(n: u32, address: &str, agent: &str, page: &str, gpc: &str) -> String {
    let at = now();
    format!(
        "alt1\t{}.{:03}\t{n:032x}\t{address}\tGET\t204\th\t/b\ta={KEY}&{page}\t\t{agent}\tde\t\t\t{gpc}\t\t\t512\t\n",
        at / 1000,
        at % 1000,
    )
}

fn page(path: &str) -> String {
    format!("u=https%3A%2F%2Fshop.example{}", path.replace('/', "%2F"))
}

/// The classes of all rows, by their numbers.
fn classes(bench: &Bench) -> String {
    let sql = "SELECT string_agg(right(event_id::text, 2) || ' ' || traffic_class, ', ' ORDER BY event_id) FROM access_logs";
    bench.database.psql(sql)
}

/// What a command that fails says.
fn refused(bench: &Bench, args: &[&str]) -> String {
    let output = alt().args(args).arg("--config").arg(&bench.config).output().unwrap();
    assert!(!output.status.success(), "{args:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn rules_decide_what_is_loaded_and_a_replay_counts_again() {
    let mut bench = bench();
    for rule in [
        ["--address", "192.0.2.7"],
        ["--address", "2001:db8:1:2::/64"],
        ["--country", "DE"],
        ["--path", "/admin/*"],
        ["--host", "*.shop.example"],
    ] {
        let said = run(&bench, &[&["exclusion", "add", "--app", "Shop"], &rule[..]].concat());
        assert!(said.contains("30 seconds") && said.contains("keep their class"), "{said}");
    }
    let home = page("/");
    let zone = format!("{home}&tz=Europe%2FBerlin");
    let lines = [
        (line(1, "192.0.2.7", FIREFOX, &home, ""), "excluded"),
        (line(2, "::ffff:192.0.2.7", FIREFOX, &home, ""), "excluded"),
        (line(3, "192.0.2.8", FIREFOX, &home, ""), "human"),
        // Of the same network, which is all that is stored.
        (line(4, "2001:db8:1:2:aaaa::1", FIREFOX, &home, ""), "excluded"),
        (line(5, "2001:db8:1:2:bbbb::2", FIREFOX, &home, ""), "excluded"),
        (line(6, "2001:db8:1:3::1", FIREFOX, &home, ""), "human"),
        (line(7, "192.0.2.8", FIREFOX, &zone, ""), "excluded"),
        (line(8, "192.0.2.8", FIREFOX, &page("/admin/users"), ""), "excluded"),
        (line(9, "192.0.2.8", FIREFOX, "u=https%3A%2F%2FStaging.shop.example%2F", ""), "excluded"),
        (line(10, "192.0.2.7", "Googlebot/2.1", &home, ""), "bot"),
        // Without an identity: no row says that it came from the address.
        (line(11, "192.0.2.7", FIREFOX, &home, "1"), "opted out"),
        (line(12, "192.0.2.8", FIREFOX, &home, "1"), "human"),
        (line(13, "192.0.2.8", FIREFOX, &page("/admin/"), "1"), "excluded"),
    ];
    let text: String = lines.iter().map(|(line, _)| line.as_str()).collect();
    write(&mut bench, "log", &text, lines.len());
    let account = replay(&bench, &["log"]).unwrap();
    assert_eq!(
        (&account["rows"], &account["non_hits"]),
        (&json!(12), &json!({ "opted out": 1 })),
        "{account}"
    );
    let expected = |is: &dyn Fn(&str) -> Option<&'static str>| -> String {
        let told =
            lines.iter().zip(1..).filter_map(|((_, class), n)| Some(format!("{n:02x} {}", is(class)?)));
        told.collect::<Vec<_>>().join(", ")
    };
    let with_rules = expected(&|class| match class {
        "opted out" => None,
        "human" => Some("human"),
        "bot" => Some("bot"),
        _ => Some("excluded"),
    });
    assert_eq!(classes(&bench), with_rules);
    let rules = "SELECT DISTINCT traffic_rule FROM access_log_details WHERE traffic_class = 'excluded'";
    assert_eq!(bench.database.psql(rules), "excluded by the application");
    // `alt explain` says the rule.
    for (n, rule) in [
        (1, "excluded: address 192.0.2.7"),
        (4, "excluded: address 2001:db8:1:2::/64"),
        (7, "excluded: country DE"),
        (8, "excluded: path /admin/*"),
        (9, "excluded: host *.shop.example"),
        (3, "default"),
    ] {
        let told: Value =
            serde_json::from_str(&run(&bench, &["explain", "--json", "--app", "Shop", &lines[n - 1].0]))
                .unwrap();
        assert_eq!(told["classified"]["rule"], rule, "{told}");
    }
    let told: Value =
        serde_json::from_str(&run(&bench, &["explain", "--json", "--app", "Shop", &lines[10].0])).unwrap();
    assert_eq!(told["classified"]["dropped"]["reason"], "opted out", "{told}");
    // Removing a rule changes no row; unloading the log and loading it again does.
    for rule in ["192.0.2.7", "2001:db8:1:2::/64", "DE", "/admin/*"] {
        run(&bench, &["exclusion", "remove", "--app", "Shop", rule]);
    }
    assert_eq!(classes(&bench), with_rules);
    let log = bench.path("log").display().to_string();
    run(&bench, &["unload", &log]);
    let account = replay(&bench, &["log"]).unwrap();
    assert_eq!(account["rows"], 13, "{account}");
    assert_eq!(
        classes(&bench),
        lines
            .iter()
            .zip(1..)
            .map(|((_, class), n)| {
                let now = if n == 9 {
                    "excluded"
                } else if *class == "bot" {
                    "bot"
                } else {
                    "human"
                };
                format!("{n:02x} {now}")
            })
            .collect::<Vec<_>>()
            .join(", ")
    );
}

#[test]
fn a_row_without_an_address_is_in_no_range() {
    let mut bench = bench();
    for rule in [["--address", "::/16"], ["--address", "192.0.2.0/24"], ["--path", "/admin/*"]] {
        run(&bench, &[&["exclusion", "add"], &rule[..]].concat());
    }
    let request =
        |path: &str| format!("[30/Nov/2026:17:00:00 +0000] \"GET {path} HTTP/1.1\" 200 5 \"{FIREFOX}\"\n");
    write(&mut bench, "log", &(request("/") + &request("/admin/x")), 2);
    let format = "[$time_local] \"$request\" $status $body_bytes_sent \"$http_user_agent\"";
    let account = replay(&bench, &["log", "--app", KEY, "--format", format]).unwrap();
    assert_eq!(account["rows"], 2, "{account}");
    let rows = "SELECT string_agg(url_path || ' ' || traffic_class || ' ' || coalesce(ip::text, 'none'), ', ' ORDER BY file_offset) FROM access_logs";
    assert_eq!(bench.database.psql(rows), "/ human none, /admin/x excluded none");
}

#[test]
fn a_running_daemon_knows_a_rule_within_half_a_minute_and_statistics_leave_its_hits_out() {
    let mut bench = Bench::not_started(
        "[[source]]\npaths = [\"DIR/beacon.log\"]",
        crate::support::postgres::Database::create(),
    );
    let text = std::fs::read_to_string(&bench.config).unwrap();
    std::fs::write(&bench.config, format!("{text}\n[stats]\nenabled = true\n")).unwrap();
    bench.start();
    let mut n = 0;
    let mut hit = |bench: &mut Bench, address: &str| {
        n += 1;
        bench.append_text("beacon.log", &line(n, address, FIREFOX, &page("/"), ""), 1);
        bench.settle();
        bench.database.psql(&format!("SELECT traffic_class FROM access_logs WHERE event_id = '{n:032x}'"))
    };
    assert_eq!(hit(&mut bench, "192.0.2.7"), "human");
    run(&bench, &["exclusion", "add", "--address", "192.0.2.7"]);
    let began = Instant::now();
    while hit(&mut bench, "192.0.2.7") != "excluded" {
        assert!(began.elapsed() < Duration::from_secs(KNOWN_AFTER + 5), "{:?}", began.elapsed());
        std::thread::sleep(Duration::from_secs(1));
    }
    eprintln!("known after {:?}", began.elapsed());
    assert_eq!(hit(&mut bench, "192.0.2.8"), "human");
    // Those before keep their class; the others are left out, and said to be.
    let humans = bench.database.psql("SELECT count(*) FROM access_logs WHERE traffic_class = 'human'");
    let stats = || -> Value {
        serde_json::from_str(&run(&bench, &["stats", "--period", "today", "--json"])).unwrap()
    };
    let told = || stats()["total"]["page_views"].to_string();
    wait_for(60, || told() == humans, || format!("{} instead of {humans}", stats()));
    assert!(stats().to_string().contains("excluded"), "{}", stats());
    run(&bench, &["stats", "verify"]);
}

#[test]
fn changes_are_made_by_those_who_may_and_each_is_recorded() {
    let bench = bench();
    let api = Api::start(&bench, "");
    let editor = bearer(&token(&bench, &["--app", KEY, "--role", "editor"]));
    let viewer = bearer(&token(&bench, &["--app", KEY]));
    let path = format!("/api/v1/exclusions?application_id={KEY}");
    let body = r#"{"kind": "address", "value": "192.0.2.9/24", "note": " the office "}"#;
    let made = api.ask("POST", &path, &editor, body);
    assert_eq!(made.status, 201, "{}", made.body);
    let made = made.json();
    assert_eq!(
        (&made["value"], &made["note"], &made["wrong"]),
        (&json!("192.0.2.0/24"), &json!("the office"), &Value::Null)
    );
    assert_eq!(api.ask("POST", &path, &viewer, body).status, 403);
    assert_eq!(api.ask("GET", &path, &viewer, "").status, 403, "addresses are of people");
    assert_eq!(api.ask("POST", &path, &editor, body).status, 409);
    let listed = api.ask("GET", &path, &editor, "").json();
    assert_eq!(listed["exclusions"], json!([made]));
    // The proxy says who asks; of an address of IPv6, its network is proposed; that of this machine is nobody's.
    assert_eq!(listed["your_address"], Value::Null);
    for (from, own) in [
        ("192.0.2.77", json!({ "address": "192.0.2.77", "value": "192.0.2.77", "excluded_by": made["id"] })),
        ("198.51.100.1", json!({ "address": "198.51.100.1", "value": "198.51.100.1", "excluded_by": null })),
        (
            "::ffff:198.51.100.1",
            json!({ "address": "198.51.100.1", "value": "198.51.100.1", "excluded_by": null }),
        ),
        (
            "2001:db8:1:2:3:4:5:6",
            json!({ "address": "2001:db8:1:2:3:4:5:6", "value": "2001:db8:1:2::/64", "excluded_by": null }),
        ),
    ] {
        let said = api.ask("GET", &path, &format!("{editor}X-Real-IP: {from}\r\n"), "");
        assert_eq!(said.json()["your_address"], own);
    }
    for wrong in [
        r#"{"kind": "address"}"#,
        r#"{"value": "192.0.2.7"}"#,
        r#"{"kind": "agent", "value": "x"}"#,
        r#"{"kind": "address", "value": "192.0.2.*"}"#,
        r#"{"kind": "address", "value": "0.0.0.0/0"}"#,
        r#"{"kind": "country", "value": "Germany"}"#,
        r#"{"kind": "path", "value": "*"}"#,
        r#"{"kind": "host", "value": "https://shop.example"}"#,
        r#"{"kind": "host", "value": "shop.example", "note": 7}"#,
    ] {
        let said = api.ask("POST", &path, &editor, wrong);
        assert_eq!(said.status, 400, "{wrong}: {}", said.body);
    }
    // The command sees the same, and is refused with a reason.
    assert!(run(&bench, &["exclusion", "list"]).contains("the office"));
    let said = refused(&bench, &["exclusion", "add", "--address", "192.0.2.0/24"]);
    assert!(said.contains("has this exclusion already"), "{said}");
    let said = refused(&bench, &["exclusion", "add", "--address", "2001:db8::*"]);
    assert!(said.contains("/64"), "{said}");
    let said = refused(&bench, &["exclusion", "remove", "192.0.2.1"]);
    assert!(said.contains("no one exclusion 192.0.2.1"), "{said}");
    // No more than fit, and other settings stay.
    bench.database.psql(
        "UPDATE applications SET settings = settings || jsonb_build_object('store_crawlers', true, 'exclusions', \
         settings -> 'exclusions' || (SELECT jsonb_agg(jsonb_build_object('path', '/' || n)) FROM generate_series(1, 99) n))",
    );
    assert_eq!(api.ask("POST", &path, &editor, r#"{"kind": "path", "value": "/more"}"#).status, 409);
    assert!(refused(&bench, &["exclusion", "add", "--path", "/more"]).contains("100 exclusions"));
    let one = format!("/api/v1/exclusions/{}?application_id={KEY}", made["id"]);
    assert_eq!(api.ask("DELETE", &one, &viewer, "").status, 403);
    assert_eq!(api.ask("DELETE", &one, &editor, "").status, 200);
    assert_eq!(api.ask("DELETE", &one, &editor, "").status, 404);
    run(&bench, &["exclusion", "remove", "/7"]);
    let left = "SELECT settings ->> 'store_crawlers' || ' ' || jsonb_array_length(settings -> 'exclusions') FROM applications";
    assert_eq!(bench.database.psql(left), "true 98");
    let recorded = bench.database.psql(
        "SELECT string_agg(actor_kind || ' ' || action || ' ' || (coalesce(before, after) ->> 'value'), ', ' ORDER BY id) \
         FROM audit_log WHERE action LIKE 'exclusion.%'",
    );
    assert_eq!(
        recorded,
        "token exclusion.add 192.0.2.0/24, token exclusion.remove 192.0.2.0/24, command exclusion.remove /7"
    );
}

#[test]
fn what_is_no_rule_stops_nothing_and_is_named() {
    let mut bench = bench();
    for settings in [
        r#"{"exclusions": [{"address": "192.0.2.300"}, 7, {"path": "/a"}, {"country": "Germany", "path": "/b"}]}"#,
        r#"{"exclusions": "192.0.2.7"}"#,
        r#"{"exclusions": {"address": "192.0.2.7"}}"#,
        r#"{"exclusions": null}"#,
        "[]",
    ] {
        bench.database.psql(&format!("UPDATE applications SET settings = '{settings}'"));
        write(&mut bench, "log", &line(1, "192.0.2.7", FIREFOX, &page("/"), ""), 0);
        let account = replay(&bench, &["log", "--dry-run"]).unwrap();
        assert_eq!(account["rows"], 1, "{settings}: {account}");
    }
    bench.database.psql(
        r#"UPDATE applications SET settings = '{"exclusions": [{"address": "192.0.2.300"}, {"path": "/a"}, 7]}'"#,
    );
    write(&mut bench, "log", &line(1, "192.0.2.7", FIREFOX, &page("/a"), ""), 0);
    replay(&bench, &["log"]).unwrap();
    assert_eq!(classes(&bench), "01 excluded", "the other rules are in force");
    let output = alt().args(["check", "--json", "--config"]).arg(&bench.config).output().unwrap();
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    let named: Vec<&Value> =
        said["findings"].as_array().unwrap().iter().filter(|one| one["kind"] == "settings").collect();
    assert_eq!(named.len(), 2, "{said}");
    assert!(
        named[0].to_string().contains("192.0.2.300") && named[0].to_string().contains("no address"),
        "{said}"
    );
    // They are listed with what is wrong, and removed by their ids.
    let listed: Value = serde_json::from_str(&run(&bench, &["exclusion", "list", "--json"])).unwrap();
    assert_eq!((&listed[1]["kind"], &listed[1]["wrong"]), (&json!("path"), &Value::Null));
    assert!(run(&bench, &["exclusion", "list"]).contains("is ignored: "));
    for n in [0, 2] {
        run(&bench, &["exclusion", "remove", &listed[n]["id"].to_string()]);
    }
    assert_eq!(
        bench.database.psql("SELECT settings ->> 'exclusions' FROM applications"),
        r#"[{"path": "/a"}]"#
    );
    // What is no list at all is in the way of adding, until it is removed.
    bench.database.psql(r#"UPDATE applications SET settings = '{"exclusions": "192.0.2.7"}'"#);
    let said = refused(&bench, &["exclusion", "add", "--path", "/b"]);
    assert!(said.contains("is no list: remove it first"), "{said}");
    let listed: Value = serde_json::from_str(&run(&bench, &["exclusion", "list", "--json"])).unwrap();
    run(&bench, &["exclusion", "remove", &listed[0]["id"].to_string()]);
    run(&bench, &["exclusion", "add", "--path", "/b"]);
}

#[test]
fn behind_a_proxy_the_address_is_that_of_the_visitor() {
    let nginx = Setup::http()
        .edit("realip-alb.conf.example", "set_real_ip_from 10.0.0.0/24;", "set_real_ip_from 127.0.0.1;")
        .in_server("include alt/realip-alb.conf.example;")
        .start();
    let mut bench = bench();
    run(&bench, &["exclusion", "add", "--address", "203.0.113.9"]);
    let hit = format!("/b?a={KEY}&u=https%3A%2F%2Fshop.example%2F");
    for visitor in ["203.0.113.9", "203.0.113.8"] {
        let headers = [("X-Forwarded-For", visitor), ("User-Agent", FIREFOX)];
        assert_eq!(nginx.request("GET", &hit, &headers, b"").status, 204);
    }
    nginx.lines();
    let log = nginx.log_path.display().to_string();
    let account = replay(&bench, &[&log]).unwrap();
    assert_eq!(account["rows"], 2, "{account}");
    bench.written += 2;
    let rows =
        bench.database.psql("SELECT string_agg(traffic_class, ' ' ORDER BY file_offset) FROM access_logs");
    assert_eq!(rows, "excluded human");
}

#[test]
fn an_own_address_is_excluded_on_the_page() {
    if !Engine::Blink.is_here() {
        return;
    }
    let bench = bench();
    let server = Server::start(&bench, "");
    let secret = token(&bench, &["--app", KEY, "--role", "editor"]);
    let mut page = Page::new(&server.url, Some(&secret));
    // As nginx passes it on.
    let headers = json!({ "Authorization": format!("Bearer {secret}"), "X-Real-IP": "2001:db8:1:2:3:4:5:6" });
    page.driver.cdp("Network.setExtraHTTPHeaders", &json!({ "headers": headers }));
    page.go(&format!("/applications/{KEY}/settings"));
    page.driver.until("document.querySelector('[data-own]')");
    let said = page.text("[data-own]");
    assert!(said.contains("2001:db8:1:2:3:4:5:6") && said.contains("Addresses change"), "{said}");
    assert!(said.contains("Exclude 2001:db8:1:2::/64"), "{said}");
    page.check_access();
    page.driver.js("document.querySelector('[data-own] button').click()");
    page.driver.until("document.querySelector('[data-own]') && !document.querySelector('[data-own] button')");
    assert!(page.text("[data-own]").ends_with("Excluded"));
    let kept = "SELECT string_agg(rule ->> 'address', ',') FROM applications, jsonb_array_elements(settings -> 'exclusions') rule";
    assert_eq!(bench.database.psql(kept), "2001:db8:1:2::/64");
    // By hand, what is wrong is said.
    let card = "[data-setting=exclusions]";
    page.driver.js(&format!("document.querySelector('{card} [name=value]').focus()"));
    page.driver.keys(&["192.0.2.*", TAB, "me", ENTER]);
    page.driver.until(&format!("document.querySelector('{card} [role=alert]')"));
    page.driver.js(&format!("document.querySelector('{card} [name=value]').select()"));
    page.driver.keys(&["192.0.2.0/24", ENTER]);
    page.driver.until(&format!("document.querySelectorAll('{card} tbody tr').length === 2"));
    assert!(page.text(card).contains("192.0.2.0/24"));
    page.check_access();
    // To remove it, one is asked twice.
    page.driver.js(&format!("document.querySelector('{card} tbody button').click()"));
    page.driver.until(&format!("document.querySelector('{card} tbody .sure')"));
    page.driver.js(&format!("document.querySelector('{card} tbody .sure').click()"));
    page.driver.until(&format!("document.querySelectorAll('{card} tbody tr').length === 1"));
    page.driver.until("document.querySelector('[data-own] button')");
}
