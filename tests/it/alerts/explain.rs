//! Why somebody was told, or was not; what a rule that becomes worse does to those who look after its alerts; silences that
//! begin later; and the same of alerts of the installation.

use std::time::Duration;

use serde_json::{Value, json};

use super::{alerts, alerts_with, done, receiver, start, state, texts, until, with_alerts};
use crate::serve::{Api, bearer, token};
use crate::support::bench::Bench;
use crate::support::daemon::wait_for;
use crate::support::lines::KEY;

/// A rule that fires with more than five events within ten minutes, and so stays open.
fn loud(severity: &str) -> String {
    format!("[[rule]]\nname = \"loud\"\nwindow = \"10m\"\ncompare = \"> 5\"\nseverity = \"{severity}\"\n")
}

fn replace(bench: &Bench, rule: &str) {
    let (code, said) = alerts_with(bench, &["rule", "add", "-", "--replace"], rule);
    assert_eq!(code, 0, "{said}");
}

/// Everything is judged by the last version of the rule.
fn judged_by_the_last(bench: &Bench) {
    let sql = "SELECT (SELECT judged_at FROM alert_apps WHERE app_id = 1) >= (SELECT max(from_at) FROM alert_rule_versions)";
    until(bench, sql, "t");
}

#[test]
fn who_looks_after_an_alert_hears_of_it_again_when_it_becomes_worse() {
    let receiver = receiver();
    let mut bench = with_alerts(&[&receiver]);
    replace(&bench, &loud("low"));
    start(&mut bench);
    until(&bench, "SELECT count(*) FROM alert_apps WHERE app_id = 1", "1");
    bench.append("beacon.log", 12);
    let now = "SELECT string_agg(state || ' ' || severity, ', ') FROM alert_episodes";
    until(&bench, now, "active low");
    let id = bench.database.psql("SELECT id FROM alert_episodes");
    let acknowledge = || {
        done(&bench, &["ack", &id]);
    };
    acknowledge();
    until(&bench, now, "acknowledged low");
    // What is as bad as before, changes nothing.
    replace(&bench, &loud("low").replace("> 5", "> 6"));
    judged_by_the_last(&bench);
    assert_eq!(bench.database.psql(now), "acknowledged low");
    replace(&bench, &loud("high"));
    until(&bench, now, "active high");
    until(&bench, "SELECT count(*) FROM alert_outbox WHERE state = 'sent'", "3");
    assert_eq!(
        texts(&receiver).iter().filter(|text| text.contains("FIRING")).count(),
        2,
        "{:?}",
        texts(&receiver)
    );
    // One that nobody looks after becomes worse as well, and tells of it no more often.
    replace(&bench, &loud("critical"));
    until(&bench, now, "active critical");
    acknowledge();
    until(&bench, now, "acknowledged critical");
    replace(&bench, &loud("medium"));
    judged_by_the_last(&bench);
    assert_eq!(
        bench.database.psql(now),
        "acknowledged critical",
        "it stays as bad as it was: {}",
        state(&bench)
    );
    let kinds = "SELECT string_agg(kind, ' ' ORDER BY seq) FROM alert_transitions";
    assert_eq!(bench.database.psql(kinds), "firing acknowledged firing acknowledged");
    is_explained(&bench, &id);
    bench.stop();
}

/// The alert was told of; another one is not, because of a silence.
fn is_explained(bench: &Bench, id: &str) {
    let said = done(bench, &["explain", id]);
    for part in
        ["the rule, version 1, made by", "measured over 10m", "the limit is 5", "fired\n", "who was told:"]
    {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!said.contains("what keeps messages back"), "{said}");
    let table = said.split("who was told:").nth(1).unwrap();
    let times =
        |kind: &str| table.lines().filter(|line| line.contains(kind) && line.contains("sent")).count();
    assert_eq!((times("firing"), table.contains("c0")), (2, true), "{table}");
    done(bench, &["silence", "add", "--rule", "quiet", "--for", "1h", "--note", "at work"]);
    replace(bench, &loud("low").replace("loud", "quiet"));
    // Rules judge what comes from now on, and the window looks back.
    until(bench, "SELECT state FROM alert_outbox WHERE state = 'silenced'", "silenced");
    let id = bench.database.psql("SELECT episode_id FROM alert_outbox WHERE state = 'silenced'");
    let said = done(bench, &["explain", &id]);
    assert!(said.contains("what keeps messages back") && said.contains("the silence 1 of "), "{said}");
    assert!(said.contains(": at work"), "{said}");
    let said: Value = serde_json::from_str(&done(bench, &["explain", &id, "--json"])).unwrap();
    assert_eq!((&said["window_seconds"], &said["threshold"]), (&json!(600), &json!(5.0)), "{said}");
    let api = Api::start(bench, "");
    let viewer = bearer(&token(bench, &["--app", KEY]));
    let of_api = api.ask("GET", &format!("/api/v1/alerts/{id}?application_id={KEY}"), &viewer, "").json();
    assert_eq!(of_api["explanation"], said["explanation"], "{of_api}");
    let kept = &of_api["explanation"]["kept_back"][0];
    assert_eq!(
        (&kept["reason"], &kept["silence"], &kept["note"]),
        (&json!("silenced"), &json!(1), &json!("at work"))
    );
    let message = &of_api["explanation"]["messages"][0];
    assert_eq!(
        (&message["kind"], &message["state"], &message["channel"]),
        (&json!("firing"), &json!("silenced"), &json!("c0"))
    );
}

#[test]
fn a_silence_may_begin_later() {
    let mut bench = with_alerts(&[]);
    replace(&bench, &loud("high"));
    start(&mut bench);
    until(&bench, "SELECT count(*) FROM alert_apps WHERE app_id = 1", "1");
    bench.append("beacon.log", 12);
    until(&bench, "SELECT count(*) FROM alert_episodes WHERE ended_at IS NULL", "1");
    for (args, wanted) in [
        (&["--from", "1h", "--for", "1h"][..], "a silence begins now, or at a time that is to come"),
        (&["--from", "2125-01-01T00:00:00Z", "--for", "1h"], "at most 400 days ahead"),
        (&["--from", "2125-01-01T00:00:00Z", "--until-resolved"], "cannot be used with"),
    ] {
        let (code, said) = alerts(&bench, &[&["silence", "add", "--rule", "loud"], args].concat());
        assert!(code != 0 && said.contains(wanted), "{args:?}: {said}");
    }
    let api = Api::start(&bench, "");
    let editor = bearer(&token(&bench, &["--app", KEY, "--role", "editor"]));
    let ask = |method: &str, path: &str, body: Value| {
        let body = if method == "GET" { String::new() } else { body.to_string() };
        api.ask(method, &format!("/api/v1/{path}?application_id={KEY}"), &editor, &body)
    };
    let at = |seconds: u64| (jiff::Timestamp::now() + Duration::from_secs(seconds)).to_string();
    for wrong in
        [json!({ "minutes": 5, "from": "tomorrow" }), json!({ "until_resolved": true, "from": at(60) })]
    {
        assert_eq!(ask("POST", "silences", wrong.clone()).status, 400, "{wrong}");
    }
    let from = at(5);
    let made = ask("POST", "silences", json!({ "minutes": 30, "rule": "loud", "from": from }));
    assert_eq!(made.status, 201, "{}", made.body);
    let is_silenced = || ask("GET", "alerts", Value::Null).json()["alerts"][0]["is_silenced"] == true;
    assert!(!is_silenced(), "it has not begun");
    let listed = ask("GET", "silences", Value::Null).json();
    let length = "SELECT extract(epoch FROM until_at - from_at)::integer FROM alert_silences";
    assert_eq!(
        (&listed["silences"][0]["id"], bench.database.psql(length).as_str()),
        (&made.json()["id"], "1800")
    );
    wait_for(20, is_silenced, || ask("GET", "silences", Value::Null).body);
    assert!(at(0) > from, "it began before its time");
    bench.stop();
}

#[test]
fn an_alert_of_the_installation_is_shown_to_owners_of_everything() {
    let mut bench = with_alerts(&[]);
    replace(
        &bench,
        "[[rule]]\nname = \"memory\"\nmetric = \"mean\"\nsample = \"host.memory_percent\"\nwindow = \"1m\"\ncompare = \"> 0\"\n",
    );
    replace(&bench, &loud("high"));
    start(&mut bench);
    until(&bench, "SELECT count(*) FROM alert_apps WHERE app_id = 1", "1");
    bench.append("beacon.log", 12);
    until(&bench, "SELECT count(*) FROM alert_episodes WHERE ended_at IS NULL", "2");
    let id = |rule: &str| {
        bench.database.psql(&format!(
            "SELECT e.id FROM alert_episodes e JOIN alert_rules r ON r.id = e.rule_id WHERE r.name = '{rule}'"
        ))
    };
    let (own, other) = (id("memory"), id("loud"));
    let api = Api::start(&bench, "");
    let owner = bearer(&token(&bench, &["--role", "owner"]));
    let viewer = bearer(&token(&bench, &["--role", "viewer"]));
    let get = |who: &str, path: &str| api.ask("GET", &format!("/api/v1/open-alerts/{path}"), who, "");
    let said = get(&owner, &own).json();
    assert_eq!(
        (&said["alert"]["rule"], &said["explanation"]["version"]),
        (&json!("memory"), &json!(1)),
        "{said}"
    );
    assert_eq!(said["history"][0]["kind"], json!("firing"), "{said}");
    let measured = get(&owner, &format!("{own}/samples")).json();
    let points = measured["points"].as_array().unwrap();
    let is_percent = |one: &Value| one["high"].as_f64().is_some_and(|high| (0.1..=100.0).contains(&high));
    assert!(!points.is_empty() && points.iter().all(is_percent), "{measured}");
    assert_eq!((&measured["threshold"], &measured["is_complete"]), (&json!(0.0), &json!(true)), "{measured}");
    for path in [own.clone(), format!("{own}/samples")] {
        assert_eq!(get(&viewer, &path).status, 403, "{path}");
        // Under the name of those of an application, it is not found, and those are not found here.
        let of_app = api.ask("GET", &format!("/api/v1/alerts/{path}?application_id={KEY}"), &owner, "");
        assert_eq!((of_app.status, get(&owner, &path.replace(&own, &other)).status), (404, 404), "{path}");
    }
    done(&bench, &["resolve", &own]);
    until(&bench, "SELECT count(*) FROM alert_episodes WHERE ended_at IS NOT NULL", "1");
    assert_eq!(
        get(&owner, &own).json()["alert"]["state"],
        json!("resolved"),
        "one that is over is shown as well"
    );
    bench.stop();
}
