//! Rules that cannot be judged: that is told as such, is never an alert of the rule, and keeps no other rule from being judged.

use std::time::Duration;

use serde_json::{Value, json};

use super::{BUSY, add_rules, alerts, done, receiver, start, texts, until, with_alerts};
use crate::serve::{Api, bearer, token};
use crate::support::bench::Bench;
use crate::support::daemon::alt;
use crate::support::lines::KEY;

/// Nothing stores rows in a table any more, until [`allow`].
fn refuse(bench: &Bench, table: &str) {
    bench.database.psql(&format!(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION $$no thanks$$; END'; \
         CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION refuse()"
    ));
}

fn allow(bench: &Bench, table: &str) {
    bench.database.psql(&format!("DROP TRIGGER refuse ON {table}; DROP FUNCTION refuse()"));
}

/// The rules that the API says are not judged: reason, rule, and whether it says what failed.
fn not_judged(api: &Api, who: &str, path: &str) -> Vec<(String, Value, bool)> {
    let said = api.ask("GET", &format!("/api/v1/{path}?application_id={KEY}"), who, "").json();
    let all = said["not_judged"].as_array().unwrap_or_else(|| panic!("{said}"));
    let one = |one: &Value| {
        assert!(one["since"].as_str().unwrap().ends_with('Z'), "{one}");
        (one["reason"].as_str().unwrap().to_owned(), one["rule"].clone(), one["why"].is_string())
    };
    all.iter().map(one).collect()
}

/// The alerts of a rule.
fn alerts_of(rule: &str) -> String {
    format!(
        "SELECT count(*) FROM alert_episodes e JOIN alert_rules r ON r.id = e.rule_id WHERE r.name = '{rule}'"
    )
}

#[test]
fn a_rule_with_too_many_series_is_not_judged_and_all_others_are() {
    let receiver = receiver();
    let mut bench = with_alerts(&[&receiver]);
    add_rules(&bench, BUSY);
    add_rules(
        &bench,
        "[[rule]]\nname = \"wide\"\nmetric = \"sum\"\nsample = \"queue\"\ngroup_by = [\"host\"]\nwindow = \"1h\"\ncompare = \"> 5\"\n",
    );
    bench.database.psql(
        "INSERT INTO alert_samples (app_id, at, host, numbers) SELECT id, now() - interval '30 minutes', 'a', '{\"queue\": 9}' \
         FROM applications",
    );
    start(&mut bench);
    let open = format!("{} AND e.ended_at IS NULL", alerts_of("wide"));
    until(&bench, &open, "1");
    bench.database.psql(
        "INSERT INTO alert_samples (app_id, at, host, numbers) \
         SELECT a.id, date_trunc('minute', now() - interval '40 minutes') + n / 1000 * interval '5 seconds', 'h' || n % 1000, \
         '{\"queue\": 9}' FROM applications a, generate_series(0, 209999) n; \
         INSERT INTO alert_dirty (app_id, from_at, until_at) SELECT id, now() - interval '40 minutes', now() FROM applications",
    );
    let troubles = "SELECT string_agg(t.reason || ' ' || r.name, ', ') FROM alert_troubles t JOIN alert_rules r ON r.id = t.rule_id";
    until(&bench, troubles, "too_many wide");
    // The others are judged, up to where this one would be.
    bench.append("beacon.log", 12);
    until(&bench, &format!("{} AND e.ended_at IS NOT NULL", alerts_of("busy")), "1");
    until(&bench, "SELECT count(*) FROM alert_outbox WHERE state = 'sent'", "3");
    assert!(texts(&receiver).iter().any(|text| text.contains("busy")), "{:?}", texts(&receiver));
    let (code, said) = alerts(&bench, &["list"]);
    assert!(code == 0 && said.contains("too many series apart: keep fewer events"), "{said}");
    let checked = alt().arg("check").arg("--config").arg(&bench.config).output().unwrap();
    let checked = String::from_utf8(checked.stdout).unwrap();
    assert!(checked.contains("too many series apart") && checked.contains("[alerts]"), "{checked}");
    let listed = done(&bench, &["rule", "list"]);
    assert!(said.contains("the rule wide of") && listed.contains("the rule wide of"), "{said} {listed}");
    let state = |name: &str| {
        let line = listed.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
        line.contains("not judged")
    };
    assert_eq!((state("wide"), state("busy")), (true, false), "{listed}");
    let all: Value = serde_json::from_str(&done(&bench, &["rule", "list", "--json"])).unwrap();
    let reasons = |n: usize| all[n]["troubles"].as_array().unwrap().len();
    assert_eq!(
        (reasons(0), reasons(1), &all[1]["troubles"][0]["reason"]),
        (0, 1, &json!("too_many")),
        "{all}"
    );
    let api = Api::start(&bench, "");
    let viewer = bearer(&token(&bench, &["--app", KEY]));
    for path in ["alerts", "alert-rules"] {
        assert_eq!(not_judged(&api, &viewer, path), [("too_many".to_owned(), json!("wide"), false)]);
    }
    // It is the same trouble in each turn, whether there is anything new or not.
    let since = "SELECT since_at FROM alert_troubles";
    let before = bench.database.psql(since);
    std::thread::sleep(Duration::from_secs(7));
    assert_eq!(bench.database.psql(since), before);
    // What was open stays so, and nothing else begins: also not when it is tried again, because another rule was changed.
    done(&bench, &["rule", "disable", "busy"]);
    done(&bench, &["rule", "enable", "busy"]);
    let tried = "SELECT (SELECT min(judged_at) FROM alert_apps WHERE app_id > 0) > (SELECT max(from_at) FROM alert_rule_versions) \
                 AND NOT EXISTS (SELECT FROM alert_dirty)";
    until(&bench, tried, "t");
    assert_eq!(
        (bench.database.psql(&open), bench.database.psql(&alerts_of("wide"))),
        ("1".to_owned(), "1".to_owned())
    );
    until(&bench, troubles, "too_many wide");
    // It can be mended, and what it did not judge stays so.
    done(&bench, &["rule", "remove", "wide"]);
    until(&bench, "SELECT count(*) FROM alert_troubles", "0");
    assert_eq!(not_judged(&api, &viewer, "alerts"), []);
    until(&bench, &open, "0");
    assert_eq!(bench.database.psql(&alerts_of("wide")), "1");
    bench.stop();
}

#[test]
fn what_cannot_be_judged_is_told_with_its_reason_and_is_no_alert() {
    let mut bench = with_alerts(&[]);
    // Where nothing was measured, it fires: but only where it is known that nothing was.
    let silent = "[[rule]]\nname = \"silent\"\nmetric = \"error_rate\"\nwindow = \"5s\"\nno_data = \"fire\"\ncompare = \"> 5\"\n";
    add_rules(&bench, &format!("{BUSY}application = \"nobody\"\n"));
    refuse(&bench, "alert_sources");
    start(&mut bench);
    let api = Api::start(&bench, "");
    let viewer = bearer(&token(&bench, &["--app", KEY]));
    let owner = bearer(&token(&bench, &["--role", "owner"]));
    assert_eq!(not_judged(&api, &owner, "alerts"), [], "no rule is judged here");
    add_rules(&bench, silent);
    let reason = "SELECT string_agg(reason || ' ' || rule_id, ', ') FROM alert_troubles";
    until(&bench, reason, "no_source 0");
    assert_eq!(bench.database.psql(&alerts_of("silent")), "0");
    assert_eq!(not_judged(&api, &viewer, "alert-rules"), [("no_source".to_owned(), Value::Null, false)]);
    let taken = "SELECT max((numbers ->> 'daemon.not_judged')::numeric) FROM alert_samples";
    until(&bench, taken, "1");
    allow(&bench, "alert_sources");
    until(&bench, "SELECT count(*) FROM alert_troubles", "0");
    until(&bench, &alerts_of("silent"), "1");
    // What fails is told to those who run the installation alone.
    refuse(&bench, "alert_apps");
    until(&bench, reason, "failed 0");
    assert_eq!(not_judged(&api, &viewer, "alerts"), [("failed".to_owned(), Value::Null, false)]);
    assert_eq!(not_judged(&api, &owner, "alerts"), [("failed".to_owned(), Value::Null, true)]);
    let said = alerts(&bench, &["list"]).1;
    assert!(said.contains(" are not judged since ") && said.contains("no thanks"), "{said}");
    // It is the same trouble, however often it is tried: for some seconds here.
    let since = "SELECT since_at FROM alert_troubles";
    let before = bench.database.psql(since);
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(bench.database.psql(since), before);
    allow(&bench, "alert_apps");
    until(&bench, "SELECT count(*) FROM alert_troubles", "0");
    // Nobody judges.
    bench.stop();
    assert_eq!(not_judged(&api, &viewer, "alerts"), []);
    bench.database.psql("UPDATE alert_apps SET judged_at = now() - interval '2 minutes'");
    assert_eq!(not_judged(&api, &viewer, "alerts"), [("late".to_owned(), Value::Null, false)]);
    let said = alerts(&bench, &["list"]).1;
    assert!(said.contains("[alerts] enabled = true judges"), "{said}");
}
