//! The API and the page of alerts, on alerts that really fire: rows, rules, silences, channels, and what an editor,
//! a viewer and an owner may do.

use serde_json::{Value, json};

use crate::alerts::{add_rules, ago, done, receiver, slots, start, state, texts, until, with_alerts};
use crate::dashboard::ENTER;
use crate::serve::{Api, Said, bearer, token};
use crate::support::bench::Bench;
use crate::support::daemon::wait_for;
use crate::support::lines::KEY;
use crate::support::page::{Page, Server};
use crate::support::receiver::{Act, Receiver};
use crate::support::webdriver::Engine;

/// Another application.
const OTHER: &str = "other";

/// Adds the other application.
fn add_other(bench: &Bench) {
    bench.database.psql(&format!("INSERT INTO applications (app_key, name) VALUES ('{OTHER}', 'Other')"));
}

/// A rule that fires with more than five events within ten minutes, and so stays open.
fn loud(name: &str) -> String {
    format!("name = {}\nwindow = \"10m\"\ncompare = \"> 5\"\nseverity = \"high\"", json!(name))
}

/// A path of the API, for the application.
fn of_app(path: &str) -> String {
    format!("/api/v1/{path}?application_id={KEY}")
}

/// What a change by the API is answered with.
fn changed(api: &Api, method: &str, path: &str, who: &str, body: &Value) -> Said {
    api.ask(method, &of_app(path), who, &body.to_string())
}

/// An alert of a rule with this name: the number of the rule, and that of the alert.
fn fired(bench: &mut Bench, api: &Api, editor: &str, name: &str) -> (Value, i64) {
    let made = changed(api, "POST", "alert-rules", editor, &json!({ "rule": loud(name) }));
    assert_eq!(made.status, 201, "{}", made.body);
    bench.append("beacon.log", 12);
    until(bench, "SELECT count(*) FROM alert_episodes WHERE ended_at IS NULL", "1");
    let open = api.ask("GET", &of_app("alerts"), editor, "").json();
    (made.json()["id"].clone(), open["alerts"][0]["id"].as_i64().unwrap())
}

#[test]
fn an_alert_is_shown_with_what_was_measured_and_can_be_silenced() {
    let receiver = receiver();
    let mut bench = with_alerts(&[&receiver]);
    add_other(&bench);
    start(&mut bench);
    let api = Api::start(&bench, "");
    let editor = bearer(&token(&bench, &["--app", KEY, "--role", "editor"]));
    let viewer = bearer(&token(&bench, &["--app", KEY]));
    let other = bearer(&token(&bench, &["--app", OTHER]));
    let (_, id) = fired(&mut bench, &api, &editor, "loud");
    let said = api.ask("GET", &of_app(&format!("alerts/{id}/samples")), &viewer, "").json();
    let highest = said["points"].as_array().unwrap().iter().map(|one| one["high"].as_f64().unwrap());
    assert_eq!(highest.fold(0.0, f64::max), 12.0, "{said}");
    assert_eq!((&said["threshold"], &said["is_complete"]), (&json!(5.0), &json!(true)), "{said}");
    // Whoever may see another application alone does not know of it.
    assert_eq!(api.ask("GET", "/api/v1/open-alerts", &other, "").json()["alerts"], json!([]));
    assert_eq!(
        api.ask("GET", &format!("/api/v1/open-alerts?id={id}"), &other, "").json()["alerts"],
        json!([])
    );
    let all = api.ask("GET", "/api/v1/open-alerts", &viewer, "").json();
    assert_eq!(
        (&all["alerts"][0]["id"], &all["alerts"][0]["is_silenced"]),
        (&json!(id), &json!(false)),
        "{all}"
    );
    let silence = json!({ "minutes": 30, "rule": "lou*", "note": "at work" });
    assert_eq!(changed(&api, "POST", "silences", &viewer, &silence).status, 403);
    assert_eq!(changed(&api, "POST", "silences", &editor, &json!({ "minutes": 0 })).status, 400);
    let made = changed(&api, "POST", "silences", &editor, &silence);
    assert_eq!(made.status, 201, "{}", made.body);
    let list = api.ask("GET", &of_app("alerts"), &viewer, "").json();
    assert_eq!(
        (&list["alerts"][0]["is_silenced"], &list["open"]),
        (&json!(true), &json!({ "high": 1 })),
        "{list}"
    );
    let silences = api.ask("GET", &of_app("silences"), &viewer, "").json();
    assert_eq!(
        (&silences["silences"][0]["rule"], &silences["silences"][0]["application"]),
        (&json!("lou*"), &json!(KEY))
    );
    may_last_in_other_ways(&api, &editor);
    // One of all applications is seen, and ended by an owner of everything alone.
    done(&bench, &["silence", "add", "--for", "1h"]);
    let silences = api.ask("GET", &of_app("silences"), &viewer, "").json();
    let of_all = silences["silences"][1]["id"].to_string();
    assert_eq!(changed(&api, "DELETE", &format!("silences/{of_all}"), &editor, &json!({})).status, 403);
    let owner = bearer(&token(&bench, &["--role", "owner"]));
    assert_eq!(changed(&api, "DELETE", &format!("silences/{of_all}"), &owner, &json!({})).status, 200);
    // Under the name of those of the installation, one of an application is not found.
    assert_eq!(api.ask("POST", &format!("/api/v1/open-alerts/{id}/acknowledge"), &owner, "{}").status, 404);
    let own = made.json()["id"].to_string();
    assert_eq!(changed(&api, "DELETE", &format!("silences/{own}"), &editor, &json!({})).status, 200);
    assert_eq!(changed(&api, "DELETE", &format!("silences/{own}"), &editor, &json!({})).status, 404);
    let actions =
        "SELECT string_agg(action, ' ' ORDER BY id) FROM audit_log WHERE action LIKE 'alert_silence%'";
    assert_eq!(
        bench.database.psql(actions),
        "alert_silence.add alert_silence.add alert_silence.add alert_silence.end alert_silence.end alert_silence.add \
         alert_silence.end alert_silence.end"
    );
    bench.stop();
}

/// Silences that end with their alerts, or come each week; and those of which it is only asked what they would be about.
fn may_last_in_other_ways(api: &Api, editor: &str) {
    let add = |body: Value| changed(api, "POST", "silences", editor, &body);
    let until_resolved = json!({ "until_resolved": true, "rule": "lou*" });
    for wrong in [
        json!({}),
        json!({ "until_resolved": true, "minutes": 5 }),
        json!({ "until_resolved": "yes" }),
        json!({ "weekly": "at night" }),
        json!({ "weekly": "mon 08:00-09:00", "zone": "Berlin" }),
        json!({ "weekly": "mon 08:00-09:00", "until_resolved": true }),
    ] {
        assert_eq!(add(wrong.clone()).status, 400, "{wrong}");
    }
    let said = add(json!({ "until_resolved": true, "rule": "quiet" }));
    assert!(said.status == 409 && said.body.contains("no alert is open"), "{}", said.body);
    let preview = |rule: &str| {
        let body = json!({ "minutes": 5, "rule": rule });
        let said = changed(api, "POST", "silences/preview", editor, &body);
        (said.status, said.json()["alerts"].as_array().unwrap().len())
    };
    assert_eq!((preview("lou*"), preview("quiet")), ((200, 1), (200, 0)));
    let weekly = json!({ "weekly": "mon-fri 22:00-06:00", "zone": "Europe/Berlin" });
    let made = [add(until_resolved), add(weekly)];
    let known = api.ask("GET", &of_app("silences"), editor, "").json();
    for (made, wanted) in made.iter().zip([("until_resolved", json!(true)), ("zone", json!("Europe/Berlin"))])
    {
        assert_eq!(made.status, 201, "{}", made.body);
        let id = &made.json()["id"];
        let one = known["silences"].as_array().unwrap().iter().find(|one| one["id"] == *id).unwrap();
        assert_eq!(one[wanted.0], wanted.1, "{known}");
        assert_eq!(changed(api, "DELETE", &format!("silences/{id}"), editor, &json!({})).status, 200);
    }
    let figures = |query: &str| api.ask("GET", &format!("{}{query}", of_app("alert-statistics")), editor, "");
    let said = figures("&days=7");
    assert_eq!(said.json()["severities"]["high"]["open"], json!(1), "{}", said.body);
    assert_eq!(said.json()["rules"][0]["rule"], json!("loud"), "{}", said.body);
    assert_eq!((figures("&days=0").status, figures("").status), (400, 200));
}

#[test]
fn a_rule_becomes_another_version_of_itself_by_whoever_may() {
    let mut bench = with_alerts(&[]);
    start(&mut bench);
    let api = Api::start(&bench, "");
    let editor = bearer(&token(&bench, &["--app", KEY, "--role", "editor"]));
    let owner = bearer(&token(&bench, &["--role", "owner"]));
    let (id, _) = fired(&mut bench, &api, &editor, "loud");
    let path = format!("alert-rules/{id}");
    let put = |who: &str, body: Value| changed(&api, "PUT", &path, who, &body);
    let now = put(&editor, json!({ "rule": loud("loud").replace("> 5", "> 6") }));
    assert_eq!((now.status, &now.json()["version"]), (200, &json!(2)), "{}", now.body);
    assert_eq!(now.json()["application"], json!(KEY));
    assert_eq!(put(&editor, json!({ "rule": loud("loud").replace("> 5", "> 6") })).status, 409);
    let renamed = put(&editor, json!({ "rule": loud("other") }));
    assert_eq!((renamed.status, &renamed.json()["field"]), (400, &json!("name")), "{}", renamed.body);
    for (wrong, field) in [
        ("window = \"7s\"\ncompare = \"> 1\"", json!("window")),
        ("metric = \"nothing\"\ncompare = \"> 1\"", json!("metric")),
        ("window = \"10s\"", json!("compare")),
        ("compare = \"> 1\"\nrecover = 4", json!("recover")),
        ("compare = \"> 1\"\nescalate = \"pager\"", json!("escalate")),
        ("compare = \"> 1\"\nrepeat_interval = \"0s\"", json!("repeat_interval")),
        ("compare = ", Value::Null),
    ] {
        let said = put(&editor, json!({ "rule": format!("name = \"loud\"\n{wrong}") }));
        assert_eq!((said.status, &said.json()["field"]), (400, &field), "{}", said.body);
    }
    assert_eq!(put(&editor, json!({ "enabled": false })).json()["enabled"], json!(false));
    until(&bench, "SELECT count(*) FROM alert_episodes WHERE ended_at IS NULL", "0");
    assert_eq!(put(&editor, json!({ "enabled": false })).status, 409);
    // A rule of all applications is not an editor's to change.
    done(&bench, &["rule", "samples", "--add"]);
    let all = api.ask("GET", &of_app("alert-rules"), &editor, "").json();
    let sample = all["rules"].as_array().unwrap().iter().find(|rule| rule["name"] == "error rate").unwrap();
    assert_eq!(sample["may_change"], json!(false));
    let path = format!("alert-rules/{}", sample["id"]);
    let off = json!({ "enabled": false });
    assert_eq!(changed(&api, "PUT", &path, &editor, &off).status, 403);
    assert_eq!(changed(&api, "DELETE", &path, &editor, &json!({})).status, 403);
    let said = changed(&api, "PUT", &path, &owner, &off);
    assert_eq!((said.status, &said.json()["application"]), (200, &json!("*")), "{}", said.body);
    bench.stop();
}

#[test]
fn a_backtest_in_parts_finds_what_the_command_finds() {
    let mut bench = with_alerts(&[]);
    start(&mut bench);
    let api = Api::start(&bench, "");
    let editor = bearer(&token(&bench, &["--app", KEY, "--role", "editor"]));
    fired(&mut bench, &api, &editor, "loud");
    bench.settle();
    let rule =
        "name = \"x\"\nwindow = \"5s\"\ncompare = \"> 2\"\nkeep_firing = \"1m\"\ngroup_by = [\"host\"]";
    let file = bench.path("rule.toml");
    std::fs::write(&file, format!("[[rule]]\n{rule}\n")).unwrap();
    let would =
        done(&bench, &["backtest", file.to_str().unwrap(), "--since", "30d", "--app", "Shop", "--json"]);
    let would: Value = serde_json::from_str(&would).unwrap();
    assert!(!would.as_array().unwrap().is_empty());
    let ask = |from: &str, until: &str, going: &Value| {
        let body = json!({ "rule": rule, "from": from, "until": until, "going": going, "seconds": 60 });
        let said = changed(&api, "POST", "alert-rules/backtest", &editor, &body);
        assert_eq!(said.status, 200, "{}", said.body);
        said.json()
    };
    // In as many parts as a slow machine needs.
    let (mut body, mut parts) = (json!({ "rule": rule }), Vec::new());
    while !body["from"].is_null() || parts.is_empty() {
        let said = changed(&api, "POST", "alert-rules/backtest", &editor, &body).json();
        let from = if said["is_complete"] == json!(true) { &Value::Null } else { &said["next"] };
        body = json!({ "rule": rule, "from": from, "until": said["until"], "going": said["going"], "seconds": said["seconds"] });
        parts.push(said);
    }
    let alerts: Vec<&Value> = parts.iter().flat_map(|part| part["alerts"].as_array().unwrap()).collect();
    // The alert is over once it has not held for a minute: until then, both say that it goes on.
    assert_eq!(alerts[0]["began"], would[0]["began"], "{parts:?} {would}");
    assert_eq!(alerts.len(), would.as_array().unwrap().len());
    // In two parts, between which the alert is open.
    let after = would[0]["began"].as_str().unwrap();
    let first = ask(parts[0]["from"].as_str().unwrap(), after, &json!([]));
    assert_eq!(first["going"][0]["labels"], would[0]["labels"], "{first}");
    let second = ask(after, parts[0]["until"].as_str().unwrap(), &first["going"]);
    assert_eq!(second["alerts"][0]["began"], would[0]["began"], "{second}");
    assert_eq!(second["alerts"].as_array().unwrap().len(), would.as_array().unwrap().len(), "{second}");
    let odd = json!({ "rule": rule, "from": "2020-01-01T00:00:00Z" });
    assert_eq!(changed(&api, "POST", "alert-rules/backtest", &editor, &odd).status, 400);
    bench.stop();
}

#[test]
fn a_channel_is_tried_and_its_secrets_are_not_told() {
    let receiver = receiver();
    let broken = Receiver::start(Act::Answer("HTTP/1.1 500 Internal Server Error\r\n\r\n".to_owned()));
    let bench = with_alerts(&[&receiver, &broken]);
    let api = Api::start(&bench, "");
    let editor = bearer(&token(&bench, &["--app", KEY, "--role", "editor"]));
    let owner = bearer(&token(&bench, &["--role", "owner"]));
    let listed = || api.ask("GET", &of_app("channels"), &owner, "");
    let said = listed();
    assert_eq!(
        said.json()["channels"][0],
        json!({ "name": "c0", "kind": "slack", "is_disabled": false, "tried": null })
    );
    assert!(!said.body.contains("hook"), "{}", said.body);
    assert_eq!(api.ask("POST", "/api/v1/channels/c0/test", &editor, "").status, 403);
    assert_eq!(api.ask("POST", "/api/v1/channels/c9/test", &owner, "").status, 404);
    assert_eq!(api.ask("POST", "/api/v1/channels/c0/test", &owner, "").status, 201);
    let tried = |n: usize| listed().json()["channels"][n]["tried"]["state"].clone();
    wait_for(30, || tried(0) == "sent", || format!("{}\n{}", listed().body, state(&bench)));
    assert!(texts(&receiver)[0].contains("messages arrive"), "{:?}", texts(&receiver));
    assert_eq!(api.ask("POST", "/api/v1/channels/c1/test", &owner, "").status, 201);
    wait_for(30, || tried(1) == "failed", || listed().body);
    assert!(!listed().body.contains("hook"), "{}", listed().body);
    assert_eq!(bench.database.psql("SELECT count(*) FROM audit_log WHERE action = 'channel.test'"), "2");
}

/// A name that a page must show as it is.
const HOSTILE: &str = "<img src=x onerror=alert(1)> \u{202e}*";

/// The page of alerts, with this behind `?`.
fn at(query: &str) -> String {
    format!("/applications/{KEY}/alerts{query}")
}

/// Types into a field of the editor of rules.
fn fill(page: &mut Page, name: &str, value: &str) {
    page.driver.js(&format!(
        "const field = document.querySelector('.editor [name={name}]'); field.value = {};
         field.dispatchEvent(new Event('input', {{ bubbles: true }}))",
        json!(value)
    ));
}

#[test]
fn an_alert_that_fires_is_acknowledged_by_a_click() {
    if !Engine::Blink.is_here() {
        return;
    }
    let receiver = receiver();
    let mut bench = with_alerts(&[&receiver]);
    start(&mut bench);
    let server = Server::start(&bench, "");
    let editor = token(&bench, &["--app", KEY, "--role", "editor"]);
    let mut page = Page::new(&server.url, Some(&editor));
    page.go(&at(""));
    assert_eq!(page.text("main .notice h2"), "No rule judges this application yet");
    page.check_access();
    // In a slot that is over, for the trial.
    let (text, lines) = slots(ago(2), &[12]);
    bench.append_text("beacon.log", &text, lines);
    bench.settle();
    // A rule is written, and tried while it is.
    page.driver.js("document.querySelector('.notice .main').click()");
    page.driver.until("document.querySelector('.editor [name=name]')");
    fill(&mut page, "name", "loud");
    fill(&mut page, "metric", "events");
    fill(&mut page, "compare", "more than 5");
    page.driver
        .until("document.querySelector('.editor [name=compare]').getAttribute('aria-invalid') === 'true'");
    assert!(page.text(".field-wrong").contains("write compare"), "{}", page.text(".field-wrong"));
    page.check_access();
    fill(&mut page, "compare", "> 5");
    fill(&mut page, "window", "10m");
    page.driver.until("document.querySelector('[data-trial]').dataset.trial === '1'");
    assert_eq!(page.text(".trial .note"), "It would have fired once.");
    page.driver.until("document.querySelector('.trial .fired') && document.querySelector('.trial .limit')");
    page.check_access();
    // As text, it is the same rule, and back again.
    page.driver.js("document.querySelectorAll('.editor .switch button')[1].click()");
    page.driver.until("document.querySelector('.editor textarea')?.value.includes('compare = \"> 5\"')");
    page.driver.js("document.querySelectorAll('.editor .switch button')[0].click()");
    page.driver.until("document.querySelector('.editor [name=window]')?.value === '10m'");
    // Of what events say, and of numbers that somebody sent.
    let is_wrong = |name: &str| {
        format!("document.querySelector('.editor [name={name}]').getAttribute('aria-invalid') === 'true'")
    };
    fill(&mut page, "metric", "sum");
    page.driver.until(&is_wrong("metric"));
    assert!(page.text(".field-wrong").contains("of what?"), "{}", page.text(".field-wrong"));
    page.check_access();
    fill(&mut page, "property", "price");
    page.driver.until("document.querySelector('[data-trial]').dataset.trial === '0'");
    fill(&mut page, "sample", "queue");
    page.driver.until(&is_wrong("property"));
    assert!(page.text(".field-wrong").contains("leave one out"), "{}", page.text(".field-wrong"));
    fill(&mut page, "property", "");
    page.driver.until("document.querySelector('[data-trial]').dataset.trial === '0'");
    page.driver.js("document.querySelectorAll('.editor .switch button')[1].click()");
    page.driver.until("document.querySelector('.editor textarea')?.value.includes('sample = \"queue\"')");
    page.driver.js("document.querySelectorAll('.editor .switch button')[0].click()");
    page.driver.until("document.querySelector('.editor [name=sample]')?.value === 'queue'");
    fill(&mut page, "sample", "");
    fill(&mut page, "metric", "events");
    page.driver.until("document.querySelector('[data-trial]').dataset.trial === '1'");
    page.driver.js("document.querySelector('.editor .main').click()");
    page.driver.until("document.querySelector('[data-rule] .title')?.innerText === 'loud'");
    page.check_access();
    page.check();
    // It fires, and one click says that somebody looks after it.
    bench.append("beacon.log", 12);
    until(&bench, "SELECT count(*) FROM alert_episodes WHERE ended_at IS NULL", "1");
    let id = bench.database.psql("SELECT id FROM alert_episodes");
    page.go(&at(""));
    page.driver.until("document.querySelector('[data-alert] [data-state=active]')");
    page.driver.until("document.querySelector('.badge')?.innerText === '1'");
    assert!(page.text("[data-alert]").contains("limit 5"), "{}", page.text("[data-alert]"));
    page.check_access();
    page.driver.js("document.querySelector('[data-alert] .act button').focus()");
    page.driver.keys(&[ENTER]);
    until(&bench, "SELECT state FROM alert_episodes", "acknowledged");
    let shown = done(&bench, &["show", &id]);
    assert!(shown.contains(&format!("alert {id}, medium, acknowledged")), "{shown}");
    page.driver.until("document.querySelector('[data-alert] [data-state=acknowledged]')");
    page.check();
    // The link of a message leads to it, with what was measured and what became of it.
    page.go(&format!("/alerts/{id}"));
    page.driver.until(&format!("location.search === '?alert={id}' && document.querySelector('.timed')"));
    let drawn = page.value("Number(document.querySelector('.timed').dataset.points)");
    assert!(drawn.as_u64().unwrap() > 5, "{drawn}");
    assert_eq!(page.value("document.querySelector('.timed').dataset.spans"), json!("1"));
    for what in ["transition firing", "act acknowledge", "message sent"] {
        page.driver.until(&format!("document.querySelector('.story [data-what=\"{what}\"]')"));
    }
    page.check_access();
    // What cannot be undone is asked twice.
    page.driver.js("document.querySelector('.deeds > .quiet').click()");
    page.driver.until("document.querySelector('.deeds .sure')");
    page.driver.js("document.querySelector('.deeds .sure').click()");
    until(&bench, "SELECT state FROM alert_episodes", "resolved");
    page.driver.until("document.querySelector('.one-alert [data-state=resolved]')");
    page.check();
    bench.stop();
}

#[test]
fn strange_names_stay_text_and_whoever_may_not_sees_nothing() {
    if !Engine::Blink.is_here() {
        return;
    }
    let receiver = receiver();
    let mut bench = with_alerts(&[&receiver]);
    add_other(&bench);
    add_rules(&bench, &format!("[[rule]]\n{}\nfilter = {{ path = \"*\" }}\n", loud(HOSTILE)));
    start(&mut bench);
    until(&bench, "SELECT count(*) FROM alert_apps", "2");
    bench.append("beacon.log", 12);
    until(&bench, "SELECT count(*) FROM alert_episodes WHERE ended_at IS NULL", "1");
    let id = bench.database.psql("SELECT id FROM alert_episodes");
    let server = Server::start(&bench, "");
    let owner = token(&bench, &["--role", "owner"]);
    let mut page = Page::new(&server.url, Some(&owner));
    page.go(&at(""));
    assert_eq!(page.value("document.querySelector('[data-alert] .title').textContent"), json!(HOSTILE));
    page.go(&at(&format!("?alert={id}")));
    assert_eq!(page.value("document.querySelector('.one-alert h2').textContent"), json!(HOSTILE));
    page.check();
    page.go("/alerts");
    assert_eq!(page.value("document.querySelector('[data-alert] .title').textContent"), json!(HOSTILE));
    page.check_access();
    page.check();
    // By keys: to the only alert, and its title has the focus.
    page.go(&at(""));
    page.driver.until("document.querySelector('[data-alert]')");
    page.driver.js("document.activeElement.blur()");
    page.driver.keys(&["j"]);
    page.driver.until("document.activeElement.matches('[data-alert] .title')");
    page.driver.keys(&["e"]);
    until(&bench, "SELECT state FROM alert_episodes", "acknowledged");
    page.driver.keys(&["?"]);
    page.driver.until("document.querySelector('dialog')?.innerText.includes('Next, previous (K)')");
    // A silence of it, and its end.
    page.go(&at("?show=silences"));
    // Every rule, for some hours: while one chooses, it is shown what that would be about.
    page.driver.until("document.querySelector('.silencing [data-about=\"1\"]')");
    assert!(
        page.text(".silencing [data-about]").contains("about one open alert: <img"),
        "{}",
        page.text(".silencing")
    );
    choose(&mut page, "select[name=rule]", HOSTILE, "change");
    choose(&mut page, "label:nth-child(2) select", "-1", "change");
    page.driver.until("document.querySelector('.silencing [name=weekly]')?.value === 'mon-fri 22:00-06:00'");
    choose(&mut page, "[name=weekly]", "at night", "input");
    page.driver
        .until("document.querySelector('.silencing .bad')?.innerText.includes('is no window of a week')");
    page.check_access();
    choose(&mut page, "[name=weekly]", "sat 00:00-24:00", "input");
    page.driver.until("document.querySelector('.silencing [data-about=\"1\"]')");
    choose(&mut page, "[name=from]", "2026-01-31T12:00", "input");
    page.driver.until("document.querySelector('.silencing .bad')?.innerText.includes('that is to come')");
    choose(&mut page, "[name=from]", "", "input");
    choose(&mut page, "label:nth-child(2) select", "0", "change");
    page.driver.until("!document.querySelector('.silencing [name=from]') && document.querySelector('.silencing [data-about=\"1\"]')");
    page.driver.js("document.querySelector('.add button').click()");
    page.driver.until("document.querySelector('[data-silence]')");
    assert_eq!(page.value("document.querySelector('[data-silence] .title').textContent"), json!(HOSTILE));
    assert_eq!(page.text("[data-silence] time"), "until it is over");
    page.check_access();
    page.go(&at(""));
    page.driver.until("document.querySelector('[data-alert] .state.silenced')");
    // One that begins later, at a time of the application's clock, which is not the browser's.
    page.go(&at("?show=silences"));
    page.driver.until("document.querySelector('.silencing [name=from]')");
    bench.database.psql("UPDATE applications SET time_zone = 'Asia/Kathmandu'");
    page.go(&at("?show=silences"));
    page.driver.until("document.querySelector('.silencing [name=from]')");
    let year = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).year() + 1;
    choose(&mut page, "[name=from]", &format!("{year}-01-31T12:00"), "input");
    page.driver.js("document.querySelector('.add button').click()");
    page.driver.until("document.querySelectorAll('[data-silence]').length === 2");
    let begins = "SELECT to_char(max(from_at) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI') FROM alert_silences";
    assert_eq!(bench.database.psql(begins), format!("{year}-01-31 06:15"));
    assert!(
        page.text("[data-silence]:last-child time").starts_with("From "),
        "{}",
        page.text(".silence-list")
    );
    // What became of all of them.
    page.go(&at("?show=figures"));
    page.driver.until("document.querySelector('[data-severity-of=high]')");
    assert_eq!(page.value("document.querySelector('[data-noisy] th').textContent"), json!(HOSTILE));
    assert_eq!(page.value("[...document.querySelectorAll('[data-severity-of=high] td')].slice(0, 3).map((one) => one.innerText)"), json!(["1", "1", "1"]));
    page.check_access();
    page.driver.js("document.querySelector('.switch button').click()");
    page.driver.until("document.querySelector('.switch button[aria-pressed=true]').innerText === '7 days' && document.querySelector('[data-noisy]')");
    page.check();
    // A channel is tried.
    page.go(&at("?show=channels"));
    page.driver.js("document.querySelector('[data-channel=c0] button').click()");
    page.driver.until("document.querySelector('[data-channel=c0]').dataset.tried === 'sent'");
    page.check_access();
    page.check();
    // What the form has not, is text.
    let rule = bench.database.psql("SELECT id FROM alert_rules");
    page.go(&at(&format!("?rule={rule}")));
    page.driver.until("document.querySelector('.editor textarea')?.value.includes('filter')");
    assert_eq!(page.value("document.querySelector('.editor .switch button').disabled"), json!(true));
    page.check_access();
    for language in ["de", "ja", "ko"] {
        page.driver.js(&format!("localStorage.setItem('alt.language', '{language}')"));
        let shows = ["rules", "silences", "figures"].map(|name| format!("?show={name}"));
        for query in [&[String::new(), format!("?alert={id}"), "?rule=new".to_owned()][..], &shows].concat() {
            page.go(&at(&query));
            page.check();
            assert!(!page.text("main").contains("undefined"), "{language} {query}");
        }
    }
    drop(page);
    let viewer = token(&bench, &["--app", KEY]);
    let mut page = Page::new(&server.url, Some(&viewer));
    page.go(&at(""));
    assert_eq!(page.value("document.querySelectorAll('[data-alert] button').length"), json!(0));
    assert_eq!(page.value("document.querySelectorAll('.heads .tabs a').length"), json!(4));
    page.go(&at("?show=rules"));
    assert_eq!(page.value("document.querySelector('[data-rule] .toggle').disabled"), json!(true));
    drop(page);
    for (args, said) in [
        (&["--app", KEY, "--filter", "page is /a"][..], "You may not see this"),
        (&["--app", OTHER], "There is no such application"),
    ] {
        let other = token(&bench, args);
        let mut page = Page::new(&server.url, Some(&other));
        page.go(&at(""));
        assert_eq!(page.text("main .notice h2"), said);
        assert!(!page.text("body").contains("onerror"));
        page.check_access();
    }
    bench.stop();
}

/// Chooses in the form of silences.
fn choose(page: &mut Page, field: &str, value: &str, event: &str) {
    page.driver.js(&format!(
        "const field = document.querySelector('.silencing ' + {}); field.value = {};
         field.dispatchEvent(new Event('{event}', {{ bubbles: true }}))",
        json!(field),
        json!(value)
    ));
}

/// What is not judged is said where alerts and rules are listed, and a list without alerts is not shown as good news.
#[test]
fn rules_that_are_not_judged_are_shown_with_the_reason() {
    if !Engine::Blink.is_here() {
        return;
    }
    let mut bench = with_alerts(&[]);
    add_rules(&bench, &format!("[[rule]]\n{}\n", loud("loud")));
    start(&mut bench);
    until(&bench, "SELECT count(*) FROM alert_apps WHERE app_id = 1", "1");
    let server = Server::start(&bench, "");
    let viewer = token(&bench, &["--app", KEY]);
    let mut page = Page::new(&server.url, Some(&viewer));
    page.go(&at(""));
    page.driver.until("document.querySelector('main .notice svg.good')");
    assert_eq!(page.value("document.querySelectorAll('.not-judged').length"), json!(0));
    bench.stop();
    bench.database.psql("UPDATE alert_apps SET judged_at = now() - interval '2 minutes'");
    page.go(&at(""));
    page.driver.until("document.querySelector('.not-judged[data-reason=late]')");
    assert!(page.text(".not-judged").contains("No alt run judges them"), "{}", page.text(".not-judged"));
    assert_eq!(page.value("document.querySelectorAll('main .notice svg.good').length"), json!(0));
    page.check_access();
    bench.database.psql(
        "UPDATE alert_apps SET judged_at = now(); INSERT INTO alert_troubles (app_id, rule_id, reason, why) \
         VALUES (1, (SELECT id FROM alert_rules), 'too_many', 'not for viewers')",
    );
    for language in ["de", "ja", "ko", "en"] {
        page.driver.js(&format!("localStorage.setItem('alt.language', '{language}')"));
        page.go(&at("?show=rules"));
        page.driver.until("document.querySelector('[data-rule] [data-state=\"not judged\"]')");
        assert!(page.text(".not-judged").contains("loud"), "{language}: {}", page.text(".not-judged"));
        assert!(!page.text("body").contains("not for viewers"), "{language}");
        page.check_access();
        page.check();
    }
    assert!(page.text(".not-judged").contains("too many series"), "{}", page.text(".not-judged"));
}

/// One of the installation has no page of an application. It comes up by itself where all are listed.
#[test]
fn an_alert_of_the_installation_is_acknowledged_where_all_are_listed() {
    if !Engine::Blink.is_here() {
        return;
    }
    let mut bench = with_alerts(&[]);
    start(&mut bench);
    let server = Server::start(&bench, "");
    let mut page = Page::new(&server.url, Some(&token(&bench, &["--role", "owner"])));
    page.go("/alerts");
    page.driver.until("document.querySelector('main .notice h2')");
    add_rules(
        &bench,
        "[[rule]]\nname = \"memory\"\nmetric = \"mean\"\nsample = \"host.memory_percent\"\nwindow = \"1m\"\n\
         compare = \"> 0\"\nseverity = \"high\"\n",
    );
    until(&bench, "SELECT count(*) FROM alert_episodes WHERE ended_at IS NULL", "1");
    page.driver.until("document.querySelector('[data-alert] .title')?.innerText === 'memory'");
    assert_eq!(page.value("document.querySelectorAll('[data-alert] a').length"), json!(1));
    assert!(page.text("[data-alert]").contains("The installation"), "{}", page.text("[data-alert]"));
    page.check_access();
    let id = bench.database.psql("SELECT id FROM alert_episodes");
    page.driver.keys(&["j", "e"]);
    until(&bench, "SELECT state FROM alert_episodes", "acknowledged");
    // Its own view has what was measured, with the limit, and what became of it.
    page.driver.js("document.querySelector('[data-alert] a').click()");
    page.driver.until("document.querySelector('.one-alert .timed, .timed')");
    assert_eq!(page.value("location.pathname"), json!(format!("/alerts/{id}")));
    let drawn = page.value("Number(document.querySelector('.timed').dataset.points)");
    assert!(drawn.as_u64().unwrap() > 0, "{drawn}");
    page.driver.until("document.querySelector('.timed .limit')");
    for what in ["transition firing", "act acknowledge"] {
        page.driver.until(&format!("document.querySelector('.story [data-what=\"{what}\"]')"));
    }
    assert!(page.text("[data-setting=rule]").contains("host.memory_percent"), "{}", page.text("main"));
    assert!(page.text("[data-setting=rule]").contains("Version 1, by"), "{}", page.text("main"));
    page.check_access();
    // As a table, and back where all are listed.
    page.driver.js("document.querySelector('button[aria-pressed]').click()");
    page.driver.until("location.search === '?table=1' && document.querySelector('.numbers td')");
    page.driver.js("document.querySelector('.back').click()");
    page.driver.until(
        "location.pathname === '/alerts' && document.querySelector('[data-alert] [data-state=acknowledged]')",
    );
    page.go(&format!("/alerts/{id}"));
    page.driver.until("document.querySelector('.deeds .quiet')");
    page.driver.js("document.querySelector('.deeds > .quiet').click()");
    page.driver.until("document.querySelector('.deeds .sure')");
    page.driver.js("document.querySelector('.deeds .sure').click()");
    until(&bench, "SELECT state FROM alert_episodes", "resolved");
    page.driver.until("document.querySelector('.one-alert [data-state=resolved]')");
    page.check();
    bench.stop();
}
