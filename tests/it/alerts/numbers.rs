//! Rules about numbers: what events say, what somebody sends, and what daemons take of themselves and their hosts.

use serde_json::{Value, json};

use super::{
    add_rules, ago, alerts, alerts_with, append, done, intervals, judged, receiver, rfc3339, settled, start,
    start_with,
};
use super::{state, texts, until, with_alerts};
use crate::serve::{Api, bearer, token};
use crate::support::bench::Bench;
use crate::support::lines::{KEY, alt1_at};

const REVENUE: &str = "[[rule]]\nname = \"revenue\"\nmetric = \"sum\"\nproperty = \"price\"\nwindow = \"10s\"\n\
                       filter = { type = \"pageview\" }\ncompare = \"> 20\"\n";

const ORDERS: &str = "[[rule]]\nname = \"orders\"\nmetric = \"sum\"\nsample = \"orders\"\nwindow = \"10s\"\ncompare = \"> 5\"\n";

/// A path of the API, for the application.
fn of_app(path: &str) -> String {
    format!("/api/v1/{path}?application_id={KEY}")
}

/// A line of an event that says a price.
fn bought(at: u128, price: &str) -> String {
    alt1_at(at).replace("&sw=1920", &format!("&p.price={price}"))
}

/// The alerts of a rule as a backtest finds them: when they begin and end.
fn backtest(bench: &Bench, rule: &str) -> Vec<(Value, Value)> {
    let found = done(bench, &["backtest", rule, "--since", "1h", "--json"]);
    let found: Vec<Value> = serde_json::from_str(&found).unwrap();
    found.iter().map(|one| (one["began"].clone(), one["ended"].clone())).collect()
}

/// When the alerts of a rule began and ended, as they are listed.
fn listed(bench: &Bench, rule: &str) -> Vec<(Value, Value)> {
    let (_, all) = alerts(bench, &["list", "--all", "--json", "--rule", rule]);
    let all: Vec<Value> = serde_json::from_str(&all).unwrap();
    let all = all.iter().filter(|one| one["state"] == "resolved");
    all.map(|one| (one["began"].clone(), one["ended"].clone())).collect()
}

#[test]
fn sums_of_what_events_say_are_exact() {
    let receiver = receiver();
    let mut bench = with_alerts(&[&receiver]);
    add_rules(&bench, REVENUE);
    let from = ago(10);
    // 20.00 is not more than 20; 20.01 is. What is no number is not counted.
    let prices = [
        (0, "9.99"),
        (1, "10.01"),
        (2, "free"),
        (3, "1e3"),
        (60, "0.01"),
        (61, "20"),
        (120, "20"),
        (126, "0.1"),
    ];
    let text: String = prices.iter().map(|(at, price)| bought(from + at * 1000, price)).collect();
    bench.append_text("beacon.log", &text, prices.len());
    start(&mut bench);
    bench.settle();
    judged(&bench);
    let at = |seconds: u128| json!(rfc3339(from + seconds * 1000));
    let expected = [(at(65), at(75)), (at(130), at(135))];
    assert_eq!(
        listed(&bench, "revenue").into_iter().rev().collect::<Vec<_>>(),
        expected,
        "{}",
        state(&bench)
    );
    assert_eq!(backtest(&bench, "revenue"), expected);
    until(&bench, "SELECT count(*) FROM alert_outbox WHERE state = 'sent'", "4");
    let told = texts(&receiver).remove(0);
    assert!(told.contains("sum of price over 10s") && told.contains("(20.01)"), "{told}");
    settled(&bench, &receiver);
    let id = bench.database.psql("SELECT min(id) FROM alert_episodes");
    let explained = done(&bench, &["explain", &id]);
    assert!(explained.contains("20.01") && explained.contains("property = \"price\""), "{explained}");
    bench.stop();
}

/// Who may send what; what is late is judged in its time, and what is sent again is not counted again.
#[test]
fn what_somebody_sends_is_judged_in_its_time() {
    let receiver = receiver();
    let mut bench = with_alerts(&[&receiver]);
    add_rules(&bench, ORDERS);
    start(&mut bench);
    let api = Api::start(&bench, "");
    let editor = bearer(&token(&bench, &["--app", KEY, "--role", "editor"]));
    let viewer = bearer(&token(&bench, &["--app", KEY]));
    let bound = bearer(&token(&bench, &["--app", KEY, "--filter", "page is /a"]));
    // Within a minute, what is late is judged together: apart, an alert that was longer for a moment would keep its number.
    let from = ago(10) / 60_000 * 60_000;
    let path = of_app("metrics");
    let send = |seconds: u128, orders: Value, id: &str| {
        let at = rfc3339(from + seconds * 1000);
        let body = json!({ "metrics": { "orders": orders, "queue": 3 }, "at": at, "id": id }).to_string();
        let said = api.ask("POST", &path, &editor, &body);
        (said.status, said.json()["accepted"].as_i64().unwrap_or(-1))
    };
    let body = r#"{"metrics": {"orders": 1}}"#;
    assert_eq!(api.ask("POST", &path, &viewer, body).status, 403);
    assert_eq!(api.ask("POST", &path, &bound, body).status, 403);
    assert_eq!(api.ask("POST", "/api/v1/metrics?application_id=nobody", &editor, body).status, 404);
    for (wrong, why) in [
        (r#"{"metrics": {"host.load": 1}}"#, "daemons use"),
        (r#"{"metrics": {"orders": 1}, "at": "yesterday"}"#, "at is a time"),
        (r#"{"metrics": {"orders": 1}, "at": "2001-01-01T00:00:00Z"}"#, "at most 90 days ago"),
        (r#"{"metrics": {"orders": 1}, "at": "2999-01-01T00:00:00Z"}"#, "not in the future"),
        (r#"{"metrics": {"orders": 1}, "host": "a\nb"}"#, "host is a text"),
        (r#"{}"#, "metrics"),
    ] {
        let said = api.ask("POST", &path, &editor, wrong);
        assert!(said.status == 400 && said.body.contains(why), "{wrong}: {}", said.body);
    }
    judged(&bench);
    assert_eq!(
        (send(3, json!(3), "a"), send(3, json!(3), "a"), send(4, json!(2.5), "b")),
        ((201, 2), (200, 0), (201, 2))
    );
    until(&bench, "SELECT count(*) FROM alert_episodes WHERE state = 'resolved'", "1");
    let at = |seconds: u128| json!(rfc3339(from + seconds * 1000));
    assert_eq!(listed(&bench, "orders"), [(at(5), at(15))], "{}", state(&bench));
    // Later, fewer orders are said of the same time, and more of the time before.
    assert_eq!((send(2, json!(-1), "c"), send(14, json!(7), "d")), ((201, 2), (201, 2)));
    until(&bench, "SELECT count(*) FROM alert_episodes WHERE state = 'resolved'", "1");
    until(&bench, "SELECT count(*) FROM alert_dirty", "0");
    until(&bench, "SELECT count(*) FROM alert_episodes WHERE state = 'corrected'", "1");
    assert_eq!(listed(&bench, "orders"), [(at(15), at(25))], "{}", state(&bench));
    assert_eq!(backtest(&bench, "orders"), [(at(15), at(25))]);
    let tried = json!({ "rule": ORDERS.replace("[[rule]]\n", ""), "from": at(0), "until": at(300) });
    let tried = api.ask("POST", &of_app("alert-rules/backtest"), &editor, &tried.to_string()).json();
    assert_eq!((&tried["alerts"][0]["began"], &tried["alerts"][1]), (&at(15), &Value::Null), "{tried}");
    let host =
        json!({ "rule": "name = \"x\"\nsample = \"host.load\"\nmetric = \"mean\"\ncompare = \"> 1\"" });
    for what in ["alert-rules/backtest", "alert-rules"] {
        let said = api.ask("POST", &of_app(what), &editor, &host.to_string());
        assert_eq!((said.status, said.json()["field"].as_str()), (400, Some("sample")), "{}", said.body);
    }
    // Who sent them stands beside the numbers, and not in the record of changes.
    let sent = "SELECT DISTINCT host, sent_by FROM alert_samples WHERE app_id > 0";
    assert_eq!(bench.database.psql(sent), "a token|a token");
    assert_eq!(bench.database.psql("SELECT count(*) FROM audit_log WHERE action LIKE '%sample%'"), "0");
    bench.stop();
}

/// The rules of what daemons take are of no application: owners of everything see their alerts, and nobody else does.
#[test]
fn daemons_take_numbers_of_themselves_and_their_hosts() {
    let receiver = receiver();
    let mut bench = with_alerts(&[&receiver]);
    append(&bench, "");
    add_rules(
        &bench,
        "[[rule]]\nname = \"memory\"\nmetric = \"mean\"\nsample = \"host.memory_percent\"\ngroup_by = [\"host\"]\n\
         window = \"1m\"\ncompare = \"> 0\"\nseverity = \"high\"\n\
         [[rule]]\nname = \"rows\"\nmetric = \"sum\"\nsample = \"daemon.rows\"\nwindow = \"1h\"\ncompare = \">= 12\"\n",
    );
    start(&mut bench);
    until(&bench, "SELECT count(*) FROM alert_episodes WHERE app_id = 0 AND ended_at IS NULL", "1");
    let taken = "SELECT count(*) >= 3 FROM alert_samples WHERE app_id = 0";
    until(&bench, taken, "t");
    bench.append("beacon.log", 12);
    until(&bench, "SELECT count(*) FROM alert_episodes WHERE app_id = 0 AND ended_at IS NULL", "2");
    let names =
        "SELECT string_agg(DISTINCT n, ' ' ORDER BY n) FROM alert_samples, jsonb_object_keys(numbers) n";
    let names = bench.database.psql(names);
    for name in [
        "daemon.given_up",
        "daemon.lag_seconds",
        "daemon.rejects",
        "daemon.rows",
        "host.cpu_percent",
        "host.disk_percent",
    ] {
        assert!(names.contains(name), "{names}");
    }
    until(&bench, "SELECT count(*) FROM alert_outbox WHERE state = 'sent'", "2");
    assert!(texts(&receiver)[0].contains("memory"), "{:?}", texts(&receiver));
    let listed: Value = serde_json::from_str(&done(&bench, &["list", "--rule", "memory", "--json"])).unwrap();
    assert_eq!(listed[0]["application_id"], "", "{listed}");
    assert!(listed[0]["labels"]["host"].is_string(), "{listed}");
    let explained = done(&bench, &["explain", &listed[0]["id"].to_string()]);
    assert!(explained.contains("host.memory_percent"), "{explained}");
    let tried = done(&bench, &["backtest", "memory", "--since", "1h"]);
    assert!(tried.contains("(the installation)") && tried.contains("host="), "{tried}");
    judged_back(&bench);
    seen_by_owners(&bench, &listed[0]["id"]);
    bench.stop();
}

/// A rule of the installation that begins in the past judges what was taken then.
fn judged_back(bench: &Bench) {
    bench.database.psql(
        "INSERT INTO alert_samples (app_id, at, host, numbers) \
         VALUES (0, now() - interval '10 minutes', 'h', '{\"daemon.rejects\": 500}')",
    );
    add_rules(
        bench,
        "[[rule]]\nname = \"past\"\nmetric = \"sum\"\nsample = \"daemon.rejects\"\nwindow = \"10s\"\ncompare = \"> 400\"\n",
    );
    let past =
        "SELECT state FROM alert_episodes e JOIN alert_rules r ON r.id = e.rule_id WHERE r.name = 'past'";
    until(bench, past, "resolved");
}

/// A daemon that needs long to store what it took marks the time of it: others may have judged that meanwhile.
#[test]
fn what_a_daemon_stores_late_is_marked() {
    let mut bench = with_alerts(&[]);
    add_rules(
        &bench,
        "[[rule]]\nname = \"memory\"\nmetric = \"mean\"\nsample = \"host.memory_percent\"\nwindow = \"1m\"\ncompare = \"> 0\"\n",
    );
    // It waits for longer than that for an answer.
    bench.daemon = Some(start_with(&bench, |command| _ = command.env("ALT_FAULT_WAIT", "15000")));
    until(&bench, "SELECT count(*) FROM alert_episodes WHERE app_id = 0 AND ended_at IS NULL", "1");
    until(&bench, "SELECT count(*) FROM alert_dirty", "0");
    let ask = |sql: &str| bench.database.psql(sql);
    ask("CREATE TABLE marked (app_id integer); \
         CREATE FUNCTION mark() RETURNS trigger SECURITY DEFINER LANGUAGE plpgsql AS \
         'BEGIN INSERT INTO marked VALUES (NEW.app_id); RETURN NEW; END'; \
         CREATE TRIGGER mark AFTER INSERT ON alert_dirty FOR EACH ROW EXECUTE FUNCTION mark()");
    // One that is to be stored waits for six seconds.
    ask("BEGIN; LOCK TABLE alert_samples IN SHARE MODE; \
         DO $$ BEGIN FOR n IN 1..2400 LOOP \
           PERFORM pg_stat_clear_snapshot(); \
           EXIT WHEN EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'INSERT INTO alert_samples%'); \
           PERFORM pg_sleep(0.05); \
         END LOOP; END $$; SELECT pg_sleep(6); COMMIT");
    until(&bench, "SELECT string_agg(DISTINCT app_id::text, ' ') FROM marked", "0");
    bench.stop();
}

fn seen_by_owners(bench: &Bench, id: &Value) {
    let api = Api::start(bench, "");
    let owner = bearer(&token(bench, &["--role", "owner"]));
    let editor = bearer(&token(bench, &["--app", KEY, "--role", "owner"]));
    let open =
        |who: &str| api.ask("GET", "/api/v1/open-alerts", who, "").json()["alerts"].as_array().unwrap().len();
    assert_eq!((open(&owner), open(&editor)), (2, 0));
    let one = |who: &str| {
        api.ask("GET", &format!("/api/v1/open-alerts?id={id}"), who, "").json()["alerts"][0]["rule"].clone()
    };
    assert_eq!((one(&owner), one(&editor)), (json!("memory"), Value::Null));
    let path = format!("/api/v1/open-alerts/{id}/acknowledge");
    assert_eq!(api.ask("POST", &path, &editor, "{}").status, 403);
    // By an application, nobody finds it.
    assert_eq!(api.ask("GET", &of_app(&format!("alerts/{id}")), &owner, "").status, 404);
    let said = api.ask("POST", &path, &owner, r#"{"minutes": 5}"#);
    assert_eq!(said.status, 200, "{}", said.body);
    until(bench, "SELECT count(*) FROM alert_episodes WHERE state = 'acknowledged'", "1");
    let said = api.ask("POST", &format!("/api/v1/open-alerts/{id}/resolve"), &owner, "{}");
    assert_eq!(said.status, 200, "{}", said.body);
    until(bench, "SELECT count(*) FROM alert_episodes WHERE by_hand", "1");
}

#[test]
fn rules_about_numbers_are_tried_without_a_database() {
    let bench = with_alerts(&[]);
    let test = "[[test]]\nrule = \"orders\"\nuntil = \"00:40\"\n\
                events = [{ from = \"00:02\", numbers = { orders = 5.5 } }, { from = \"00:03\", numbers = { queue = 9 } }]\n\
                expect = [{ began = \"00:05\", ended = \"00:15\" }]\n";
    assert_eq!(
        alerts_with(&bench, &["test", "-"], &format!("{ORDERS}{test}")),
        (0, "test 1 (orders): passed\n".to_owned())
    );
    let (code, said) =
        alerts_with(&bench, &["test", "-"], &format!("{ORDERS}{}", test.replace("5.5", "1e12")));
    assert!(code == 1 && said.contains("orders has at most 12 digits"), "{said}");
    assert_eq!(intervals(&bench), "");
}
