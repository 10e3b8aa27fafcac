//! What events say: dimensions, sums and properties, by command and by API, are what plain SQL says of the rows.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value, json};

use crate::serve::{Api, bearer, run, token};
use crate::support::bench::Bench;
use crate::support::daemon::{alt, within_a_day};
use crate::support::postgres::Database;

/// A bench with made traffic, some of which says something, and the two whole days of it.
fn told() -> (Bench, String) {
    let bench = Bench::not_started("[[source]]\npaths = [\"DIR/beacon.log\"]", Database::create());
    let text = fs::read_to_string(&bench.config).unwrap();
    fs::write(&bench.config, format!("{text}\n[stats]\nenabled = true\n")).unwrap();
    within_a_day();
    run(&bench, &["demo", "--days", "4", "--visitors", "120"]);
    // Orders that name no currency have a sum of their own.
    bench
        .database
        .psql("UPDATE access_logs SET params = params #- '{custom,currency}' WHERE event_type = 'order'");
    let (days, params) = (
        bench.database.psql(
            "SELECT (now() AT TIME ZONE 'UTC')::date - 2 || '..' || (now() AT TIME ZONE 'UTC')::date - 1",
        ),
        "jsonb_build_object('custom', jsonb_build_object('plan', CASE WHEN n % 3 = 0 THEN 'pro' ELSE 'free' END, \
             'points', n % 7, 'total', (n % 100) / 10.0, 'currency', CASE WHEN n % 4 = 0 THEN 'usd' ELSE 'EUR' END, \
             'name', 'Product ' || n % 5, 'category', 'Shoes'))",
    );
    bench.database.psql(&format!(
        "INSERT INTO access_logs SELECT (jsonb_populate_record(l, jsonb_build_object('event_id', gen_random_uuid(), \
             'event_type', CASE WHEN n % 2 = 0 THEN 'order' ELSE 'cart_add' END, 'entity_type', 'product', \
             'entity_id', (n % 5)::text, 'params', {params}))).* \
         FROM (SELECT l, row_number() OVER (ORDER BY event_id) AS n FROM access_logs l WHERE event_type = 'pageview') l"
    ));
    bench.database.psql(
        "INSERT INTO access_logs SELECT (jsonb_populate_record(l, jsonb_build_object('event_id', gen_random_uuid(), \
             'event_type', 'search', 'params', jsonb_build_object('search_term', 'term ' || n % 3, 'result_count', n % 2)))).* \
         FROM (SELECT l, row_number() OVER (ORDER BY event_id) AS n FROM access_logs l WHERE event_type = 'pageview') l",
    );
    (bench, days)
}

/// By value: what SQL says of the rows of people on these days.
fn counted(bench: &Bench, days: &str, value: &str, what: &str, is_of: &str) -> BTreeMap<String, String> {
    let (from, until) = days.split_once("..").unwrap();
    let said = bench.database.psql(&format!(
        "SELECT {value} || '=' || {what} FROM access_logs WHERE traffic_class = 'human' AND ({is_of}) \
           AND (occurred_at AT TIME ZONE 'UTC')::date BETWEEN '{from}' AND '{until}' GROUP BY ({value})::text ORDER BY 1"
    ));
    said.lines()
        .map(|line| line.split_once('=').unwrap())
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .collect()
}

fn shown(rows: &Value, what: impl Fn(&Value) -> String) -> BTreeMap<String, String> {
    let one = |row: &Value| (row["value"].as_str().unwrap().to_owned(), what(row));
    rows.as_array().unwrap().iter().map(one).collect()
}

fn revenue(row: &Value, currency: &str) -> String {
    let all = row["amounts"]["revenue"].as_array().unwrap();
    let one = all.iter().find(|one| one["currency"] == currency);
    one.map_or("0".to_owned(), |one| one["amount"].as_str().unwrap().to_owned())
}

const EUR: &str = "coalesce(trim_scale(sum((params #>> '{custom,total}')::numeric) \
                       FILTER (WHERE event_type = 'order' AND params #>> '{custom,currency}' = 'EUR')), 0)";

#[test]
fn products_searches_and_revenue_are_what_sql_says_by_command_and_by_api() {
    let (bench, days) = told();
    run(&bench, &["stats", "rebuild"]);
    let products = counted(
        &bench,
        &days,
        "entity_id",
        &format!("count(*) || ' ' || count(*) FILTER (WHERE event_type = 'order') || ' ' || {EUR}"),
        "entity_type = 'product'",
    );
    assert!(products.len() > 5, "{products:?}"); // the demo sells some
    let product =
        |row: &Value| format!("{} {} {}", row["events"], row["amounts"]["orders"], revenue(row, "EUR"));
    let command: Value = serde_json::from_str(&run(
        &bench,
        &["stats", "--app", "Demo", "--period", &days, "--dimension", "product", "--json"],
    ))
    .unwrap();
    assert_eq!(shown(&command["rows"], product), products);
    let table = run(&bench, &["stats", "--app", "Demo", "--period", &days, "--dimension", "product"]);
    assert!(table.contains("revenue") && table.contains(" EUR + ") && table.contains(" USD"), "{table}");

    let api = Api::start(&bench, "");
    let secret = token(&bench, &["--app", "alt-demo"]);
    let get = |query: &str| -> Value {
        let target = format!("/api/v1/statistics?application_id=alt-demo&period={days}&{query}");
        let said = api.get(&target, &secret);
        assert_eq!(said.status, 200, "{query}: {}", said.body);
        said.json()
    };
    assert_eq!(shown(&get("dimension=product")["values"], product), products);
    let searches = counted(
        &bench,
        &days,
        "params ->> 'search_term'",
        "count(*) || ' ' || count(*) FILTER (WHERE params ->> 'result_count' = '0')",
        "event_type = 'search'",
    );
    let search = |row: &Value| format!("{} {}", row["events"], row["amounts"]["searches_without_results"]);
    assert_eq!(shown(&get("dimension=search")["values"], search), searches);
    // By revenue: the first has most of a currency, and none is added to another.
    let ordered = get("dimension=product&order=revenue");
    let most = |row: &Value| -> f64 {
        ["EUR", "USD"].map(|currency| revenue(row, currency).parse().unwrap()).into_iter().fold(0.0, f64::max)
    };
    let values = ordered["values"].as_array().unwrap();
    assert!(values.windows(2).all(|two| most(&two[0]) >= most(&two[1])), "{ordered}");
    // The total and the series have amounts where they are asked for.
    assert!(get("dimension=product")["total"]["amounts"].is_null());
    let of_all = counted(&bench, &days, "'all'", EUR, "event_type = 'order'");
    assert_eq!(revenue(&get("amounts=true")["total"], "EUR"), of_all["all"]);
    let body = json!({ "application_id": "alt-demo", "period": days, "amounts": true, "compare": "previous", "limit": 100,
        "dimensions": ["product", "currency", "product_category", "click", "outbound"] });
    let said = api.ask("POST", "/api/v1/dashboard", &bearer(&secret), &body.to_string());
    assert_eq!(said.status, 200, "{}", said.body);
    let all = said.json();
    assert_eq!(revenue(&all["total"], "EUR"), of_all["all"]);
    assert_eq!(shown(&all["lists"]["product"]["values"], product), products);
    let currencies = shown(&all["lists"]["currency"]["values"], |row| {
        row["amounts"]["revenue"].as_array().unwrap().len().to_string()
    });
    // Those that name none are of the currency without a name.
    assert_eq!(currencies, ["", "EUR", "USD"].map(|name| (name.to_owned(), "1".to_owned())).into());
    for wrong in ["amounts=yes", "order=nothing", "sum=", "dimension=property:", "dimension=products"] {
        let target = format!("/api/v1/statistics?application_id=alt-demo&{wrong}");
        assert_eq!(api.get(&target, &secret).status, 400, "{wrong}");
    }
    // What segments say is verified, too: the statistics of the table do not change with what an order is worth.
    run(&bench, &["stats", "verify"]);
    bench.database.psql(
        "UPDATE access_logs SET params = jsonb_set(params, '{custom,total}', '1000') WHERE event_id = \
             (SELECT min(event_id::text)::uuid FROM access_logs WHERE event_type = 'order' AND traffic_class = 'human' \
              AND (occurred_at AT TIME ZONE 'UTC')::date = (now() AT TIME ZONE 'UTC')::date - 1)",
    );
    let output = alt().args(["stats", "verify", "--config"]).arg(&bench.config).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(!output.status.success() && said.contains("amounts") && said.contains("currency"), "{said}");
}

#[test]
fn properties_count_from_when_they_are_chosen_and_goals_can_depend_on_them() {
    let (bench, days) = told();
    run(&bench, &["stats", "rebuild"]);
    let ask = |more: &[&str]| -> Value {
        let of = ["stats", "--app", "Demo", "--period", &days, "--json"];
        serde_json::from_str(&run(&bench, &[&of, more].concat())).unwrap()
    };
    let before = ask(&["--dimension", "property:plan"]);
    assert_eq!(before["rows"].as_array().unwrap().len(), 0);
    assert!(before["notes"].to_string().contains("without the property"), "{before}");
    run(&bench, &["app", "properties", "Demo", "plan", "points"]);
    assert_eq!(run(&bench, &["app", "properties", "Demo"]).trim(), "plan points");
    run(&bench, &["stats", "rebuild"]);
    let plans = counted(
        &bench,
        &days,
        "params #>> '{custom,plan}'",
        "count(*) || ' ' || sum((params #>> '{custom,points}')::int)",
        "params ? 'custom'",
    );
    let after = ask(&["--dimension", "property:plan", "--sum", "points"]);
    let plan = |row: &Value| format!("{} {}", row["events"], row["amounts"]["sum"].as_str().unwrap());
    assert_eq!(shown(&after["rows"], plan), plans);
    assert!(!after["notes"].to_string().contains("without the property"), "{after}");
    let pro = ask(&["--filter", "property:plan is pro"]);
    assert_eq!(pro["total"]["events"].to_string(), plans["pro"].split_once(' ').unwrap().0);

    run(
        &bench,
        &["goal", "add", "--app", "Demo", "Pro", "--event", "order", "--where", "property:plan is pro"],
    );
    run(&bench, &["goal", "add", "--app", "Demo", "Points", "--event", "order", "--revenue", "points"]);
    let goals: Value =
        serde_json::from_str(&run(&bench, &["stats", "goals", "--app", "Demo", "--period", &days, "--json"]))
            .unwrap();
    let goal = |name: &str| {
        goals["goals"].as_array().unwrap().iter().find(|one| one["goal"] == name).unwrap().clone()
    };
    let pro = counted(
        &bench,
        &days,
        "'Pro'",
        &format!("count(*) || ' ' || {EUR}"),
        "event_type = 'order' AND params #>> '{custom,plan}' = 'pro'",
    );
    assert_eq!(format!("{} {}", goal("Pro")["events"], revenue(&goal("Pro"), "EUR")), pro["Pro"]);
    let points = counted(
        &bench,
        &days,
        "'p'",
        "sum((params #>> '{custom,points}')::int) FILTER (WHERE params #>> '{custom,currency}' = 'EUR')",
        "event_type = 'order'",
    );
    assert_eq!(revenue(&goal("Points"), "EUR"), points["p"]);
    for (args, why) in [
        (
            &["goal", "add", "--app", "Demo", "x", "--event", "a", "--where", "goal is Pro"][..],
            "a condition on goals",
        ),
        (&["goal", "add", "--app", "Demo", "x", "--event", "a", "--where", "planet is Mars"], "is no filter"),
        (&["goal", "add", "--app", "Demo", "x", "--event", "a", "--revenue", ""], "no name of a property"),
        (&["app", "properties", "Demo", "a", "a"], "named twice"),
        (&["app", "properties", "Demo", "a\nb"], "control characters"),
    ] {
        let output = alt().args(args).arg("--config").arg(&bench.config).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.contains(why), "{args:?}: {said}");
    }
}

#[test]
fn hostile_values_stop_no_fold_and_what_has_no_room_is_said() {
    let (bench, days) = told();
    run(&bench, &["app", "properties", "Demo", "token"]);
    // 100,000 values of 120 bytes, a few of 16 kB, numbers that are none.
    bench.database.psql(
        "INSERT INTO access_logs SELECT (jsonb_populate_record(l, jsonb_build_object('event_id', gen_random_uuid(), \
             'event_type', 'order', 'params', jsonb_build_object('custom', jsonb_build_object('token', n || repeat('x', \
                 CASE WHEN n % 10000 = 0 THEN 16000 ELSE 120 END), 'total', CASE WHEN n % 2 = 0 THEN to_jsonb('NaN'::text) \
                 ELSE to_jsonb(1e300::numeric) END))))).* \
         FROM (SELECT l FROM access_logs l WHERE event_type = 'pageview' AND traffic_class = 'human' \
               AND (occurred_at AT TIME ZONE 'UTC')::date = (now() AT TIME ZONE 'UTC')::date - 1 LIMIT 1) l, generate_series(1, 100000) n",
    );
    run(&bench, &["stats", "rebuild"]);
    let said: Value = serde_json::from_str(&run(
        &bench,
        &[
            "stats",
            "--app",
            "Demo",
            "--period",
            &days,
            "--json",
            "--dimension",
            "property:token",
            "--limit",
            "10",
        ],
    ))
    .unwrap();
    let notes = said["notes"].to_string();
    assert!(notes.contains("(other)") && notes.contains("no number"), "{notes}");
    // Beside those of the other rows.
    let unread = said["total"]["amounts"]["unread"].as_u64().unwrap();
    assert!((100_000..101_000).contains(&unread), "{unread}");
    let other: u64 = said["rows"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["value"] == "(other)")
        .map(|row| row["events"].as_u64().unwrap())
        .sum();
    assert!(other > 10_000 && other < 60_000, "{other}");
}
