//! Goals, funnels and journeys. Goals are added, listed and removed by command and by API, and who reached them is what plain SQL says, with any
//! filter, by command and by API alike.

use std::fs;

use serde_json::{Value, json};

use crate::serve::{Api, bearer, run, token};
use crate::support::bench::Bench;
use crate::support::daemon::{alt, within_a_day};
use crate::support::postgres::Database;

/// A bench with made traffic of so many days, and two whole days of it, the last of which is yesterday.
pub(crate) fn demo(days: &str) -> (Bench, String) {
    let bench = Bench::not_started("[[source]]\npaths = [\"DIR/beacon.log\"]", Database::create());
    let text = fs::read_to_string(&bench.config).unwrap();
    fs::write(&bench.config, format!("{text}\n[stats]\nenabled = true\n")).unwrap();
    within_a_day();
    run(&bench, &["demo", "--days", days, "--visitors", "600"]);
    let days = bench
        .database
        .psql("SELECT (now() AT TIME ZONE 'UTC')::date - 2 || '..' || (now() AT TIME ZONE 'UTC')::date - 1");
    (bench, days)
}

/// What a command that fails says.
fn refused(bench: &Bench, args: &[&str]) -> String {
    let output = alt().args(args).arg("--config").arg(&bench.config).output().unwrap();
    assert!(!output.status.success(), "{args:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// Events and visitors of rows, as SQL counts them.
fn counted(bench: &Bench, days: &str, what: &str) -> (u64, u64) {
    let (from, until) = days.split_once("..").unwrap();
    let said = bench.database.psql(&format!(
        "SELECT count(*) || ' ' || count(DISTINCT ((occurred_at AT TIME ZONE 'UTC')::date, visitor_id)) FROM access_logs \
         WHERE traffic_class = 'human' AND event_type NOT IN ('request', 'engagement') AND ({what}) \
           AND (occurred_at AT TIME ZONE 'UTC')::date BETWEEN '{from}' AND '{until}'"
    ));
    let (events, visitors) = said.split_once(' ').unwrap();
    (events.parse().unwrap(), visitors.parse().unwrap())
}

fn row<'a>(rows: &'a Value, key: &str, name: &str) -> &'a Value {
    rows.as_array().unwrap().iter().find(|row| row[key] == name).unwrap_or_else(|| panic!("{name}: {rows}"))
}

#[test]
fn who_reached_a_goal_is_what_sql_says_by_command_and_by_api() {
    let (bench, days) = demo("5");
    for args in [
        &["Order", "--event", "order"][..],
        &["Shop", "--page", "/shop*"],
        &["Read", "--page", "/journal/*"],
        &["Never", "--event", "nothing"],
    ] {
        run(&bench, &[&["goal", "add", "--app", "Demo"], args].concat());
    }
    let of = ["stats", "goals", "--app", "Demo", "--period", &days];
    let told = |more: &[&str]| -> Value {
        serde_json::from_str(&run(&bench, &[&of, more, &["--json"]].concat())).unwrap()
    };
    let api = Api::start(&bench, "");
    let secret = token(&bench, &["--app", "alt-demo"]);
    let dashboard = |filters: &[&str], more: Value| -> Value {
        let mut body = json!({ "application_id": "alt-demo", "period": days, "filters": filters, "dimensions": ["goal", "page"] });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let said = api.ask("POST", "/api/v1/dashboard", &bearer(&secret), &body.to_string());
        assert_eq!(said.status, 200, "{}", said.body);
        said.json()
    };
    let german = "visitor_id IN (SELECT g.visitor_id FROM access_logs g JOIN environments e ON e.id = g.environment_id \
                  WHERE e.time_zone = 'Europe/Berlin')";
    for (filters, kept) in [
        (&[][..], "true"),
        (&["country is DE"], german),
        (&["page contains /shop"], "url_path LIKE '%/shop%'"),
        (&["event is order"], "event_type = 'order'"),
    ] {
        let args: Vec<&str> = filters.iter().flat_map(|filter| ["--filter", filter]).collect();
        let (told, said) = (told(&args), dashboard(filters, json!({})));
        let all = counted(&bench, &days, kept).1;
        assert_eq!(
            (told["visitors"].as_u64(), said["lists"]["goal"]["visitors"].as_u64()),
            (Some(all), Some(all))
        );
        assert_eq!(told["goals"].as_array().unwrap().len(), 4, "also what nobody reached");
        for (goal, what) in [
            ("Order", "event_type = 'order'"),
            ("Shop", "event_type = 'pageview' AND url_path LIKE '/shop%'"),
            ("Read", "event_type = 'pageview' AND url_path LIKE '/journal/%'"),
            ("Never", "false"),
        ] {
            let (events, visitors) = counted(&bench, &days, &format!("({what}) AND ({kept})"));
            for one in
                [row(&told["goals"], "goal", goal), row(&said["lists"]["goal"]["values"], "value", goal)]
            {
                let context = format!("{goal} {filters:?} {one}");
                assert_eq!(
                    (one["events"].as_u64(), one["visitors"].as_u64()),
                    (Some(events), Some(visitors)),
                    "{context}"
                );
                let rate = one["conversion_rate"].as_f64().unwrap();
                #[allow(clippy::cast_precision_loss)]
                let wanted = visitors as f64 / all as f64;
                assert!((rate - wanted).abs() < 1e-9, "{context}");
            }
        }
        assert_eq!(said["lists"]["goal"]["is_partial"], json!(false));
    }
    assert!(counted(&bench, &days, "event_type = 'order'").1 > 3, "the made traffic has orders");
    // A goal is a filter of the events that reach it; its share stays that of all visitors.
    let (orders, buyers) = counted(&bench, &days, "event_type = 'order'");
    let said = dashboard(&["goal is Order"], json!({ "compare": "previous" }));
    assert_eq!(
        (said["total"]["events"].as_u64(), said["total"]["visitors"].as_u64()),
        (Some(orders), Some(buyers))
    );
    assert_eq!(said["lists"]["goal"]["visitors"].as_u64(), Some(counted(&bench, &days, "true").1));
    assert_eq!(row(&said["lists"]["goal"]["values"], "value", "Order")["visitors"].as_u64(), Some(buyers));
    let filtered = told(&["--filter", "goal is Order"]);
    assert_eq!(filtered["visitors"].as_u64(), Some(counted(&bench, &days, "true").1));
    // Before: the same goals of the days before.
    let plain = dashboard(&[], json!({ "compare": "previous" }));
    let (from, _) = days.split_once("..").unwrap();
    let before = bench.database.psql(&format!("SELECT date '{from}' - 2 || '..' || date '{from}' - 1"));
    let earlier = counted(&bench, &before, "event_type = 'order'").1;
    assert_eq!(
        row(&plain["lists"]["goal"]["values"], "value", "Order")["before"]["visitors"].as_u64(),
        Some(earlier)
    );
    let csv = run(&bench, &[&of[..], &["--csv"]].concat());
    assert!(csv.contains(&format!("\nOrder,{orders},0,{buyers},")), "{csv}");
    let shown = run(&bench, &of);
    assert!(shown.contains("Order") && shown.contains('%') && shown.contains("Never"), "{shown}");
    let said = api.get(
        &format!("/api/v1/statistics?application_id=alt-demo&period={days}&dimension=goal&limit=2"),
        &secret,
    );
    let said = said.json();
    assert_eq!((said["values"].as_array().unwrap().len(), &said["values_are_cut"]), (2, &json!(true)));
    assert!(said["visitors"].as_u64().unwrap() > 0);
}

#[test]
fn goals_are_changed_by_those_who_may_and_each_change_is_recorded() {
    let (bench, _) = demo("5");
    let api = Api::start(&bench, "");
    let editor = bearer(&token(&bench, &["--app", "alt-demo", "--role", "editor"]));
    let viewer = bearer(&token(&bench, &["--app", "alt-demo"]));
    let goals = "/api/v1/goals?application_id=alt-demo";
    let body = r#"{"name": "Order", "event": "order"}"#;
    let made = api.ask("POST", goals, &editor, body);
    assert_eq!(made.status, 201, "{}", made.body);
    let made = made.json();
    assert_eq!(api.ask("POST", goals, &viewer, body).status, 403);
    assert_eq!(api.ask("POST", goals, &editor, body).status, 409, "the name is taken");
    assert_eq!(api.ask("GET", goals, &viewer, "").json()["goals"], json!([made]));
    for wrong in [
        r#"{"name": "x"}"#,
        r#"{"name": "x", "event": "a", "page": "/a"}"#,
        r#"{"name": " ", "event": "a"}"#,
        r#"{"name": "x", "event": "request"}"#,
        r#"{"name": "x", "page": "thanks"}"#,
        r#"{"name": "x", "page": 7}"#,
    ] {
        let said = api.ask("POST", goals, &editor, wrong);
        assert_eq!(said.status, 400, "{wrong}: {}", said.body);
    }
    // The command sees the same, and is refused with a reason.
    assert!(run(&bench, &["goal", "list", "--app", "Demo"]).contains("Order"));
    let add = ["goal", "add", "--app", "Demo"];
    let said = refused(&bench, &[&add[..], &["Order", "--page", "/a"]].concat());
    assert!(said.contains("has a goal Order already"), "{said}");
    let said = refused(&bench, &[&add[..], &["x", "--page", "a"]].concat());
    assert!(said.contains("does not begin with /"), "{said}");
    let said = refused(&bench, &["goal", "remove", "--app", "Demo", "Buy"]);
    assert!(said.contains("has no goal Buy"), "{said}");
    let said = refused(&bench, &["stats", "--app", "Demo", "--filter", "goal is Buy"]);
    assert!(said.contains("there is no goal \"Buy\""), "{said}");
    let said = api.ask("GET", "/api/v1/statistics?application_id=alt-demo&filter=goal+is+Buy", &viewer, "");
    assert_eq!(said.status, 400, "{}", said.body);
    // Whoever is bound to a filter is not bound by what an editor changes.
    let said = refused(&bench, &["token", "add", "x", "--app", "Demo", "--filter", "goal is Order"]);
    assert!(said.contains("cannot be bound to a goal"), "{said}");
    let share = r#"{"name": "s", "filters": ["goal is not Order"]}"#;
    assert_eq!(api.ask("POST", "/api/v1/shares?application_id=alt-demo", &editor, share).status, 400);
    let bound = bearer(&token(&bench, &["--app", "alt-demo", "--filter", "country is DE"]));
    bench.database.psql("UPDATE web_tokens SET filter = '{goal is not Order}' WHERE filter IS NOT NULL");
    let said = api.ask("GET", "/api/v1/statistics?application_id=alt-demo", &bound, "");
    assert_eq!(said.status, 500, "nothing is shown by such a filter: {}", said.body);
    // No more than fit.
    bench.database.psql(
        "INSERT INTO stat_goals (app_id, name, event) SELECT id, 'g' || n, 'e' || n FROM applications, generate_series(1, 49) n \
         WHERE app_key = 'alt-demo'",
    );
    let said = api.ask("POST", goals, &editor, r#"{"name": "one more", "event": "a"}"#);
    assert_eq!(said.status, 409, "{}", said.body);
    assert!(refused(&bench, &[&add[..], &["more", "--event", "a"]].concat()).contains("50 goals"));
    let path = format!("/api/v1/goals/{}?application_id=alt-demo", made["id"]);
    assert_eq!(api.ask("DELETE", &path, &viewer, "").status, 403);
    assert_eq!(api.ask("DELETE", &path, &editor, "").status, 200);
    assert_eq!(api.ask("DELETE", &path, &editor, "").status, 404);
    run(&bench, &["goal", "remove", "--app", "Demo", "g7"]);
    let recorded = bench.database.psql(
        "SELECT string_agg(actor_kind || ' ' || action || ' ' || (coalesce(before, after) ->> 'name'), ', ' ORDER BY id) \
         FROM audit_log WHERE action LIKE 'goal.%'",
    );
    assert_eq!(recorded, "token goal.add Order, token goal.remove Order, command goal.remove g7");
}

#[test]
fn a_funnel_is_counted_as_sql_counts_it_by_command_and_by_api() {
    let (bench, days) = demo("5");
    run(&bench, &["goal", "add", "--app", "Demo", "Order", "--event", "order"]);
    let api = Api::start(&bench, "");
    let secret = token(&bench, &["--app", "alt-demo"]);
    let (from, until) = days.split_once("..").unwrap();
    // Who has an order behind a view of the cart on the same day.
    let wanted = |kept: &str| -> u64 {
        let said = bench.database.psql(&format!(
            "SELECT count(DISTINCT ((c.occurred_at AT TIME ZONE 'UTC')::date, c.visitor_id)) FROM access_logs c \
             JOIN access_logs o ON o.visitor_id = c.visitor_id AND o.traffic_class = c.traffic_class \
               AND (o.occurred_at, o.event_id) > (c.occurred_at, c.event_id) \
               AND (o.occurred_at AT TIME ZONE 'UTC')::date = (c.occurred_at AT TIME ZONE 'UTC')::date \
             WHERE c.traffic_class = 'human' AND c.event_type = 'pageview' AND c.url_path = '/cart' AND o.event_type = 'order' \
               AND (c.occurred_at AT TIME ZONE 'UTC')::date BETWEEN '{from}' AND '{until}' AND {kept}"
        ));
        said.parse().unwrap()
    };
    let carts = |kept: &str| -> u64 {
        let said = bench.database.psql(&format!(
            "SELECT count(DISTINCT ((c.occurred_at AT TIME ZONE 'UTC')::date, c.visitor_id)) FROM access_logs c \
             WHERE c.traffic_class = 'human' AND c.event_type = 'pageview' AND c.url_path = '/cart' \
               AND (c.occurred_at AT TIME ZONE 'UTC')::date BETWEEN '{from}' AND '{until}' AND {kept}"
        ));
        said.parse().unwrap()
    };
    let german = "c.visitor_id IN (SELECT g.visitor_id FROM access_logs g JOIN environments e ON e.id = g.environment_id \
                  WHERE e.time_zone = 'Europe/Berlin')";
    for (filter, kept) in [("class", "true"), ("country is DE", german)] {
        let args =
            ["--step", "page /cart", "--step", "goal Order", "--within", "day", "--period", &days, "--json"];
        let mut all = [&["stats", "funnel", "--app", "Demo"][..], &args].concat();
        let mut target = format!(
            "/api/v1/funnel?application_id=alt-demo&period={days}&within=day&step=page+/cart&step=event+order"
        );
        if filter != "class" {
            all.extend(["--filter", filter]);
            target += "&filter=country+is+DE";
        }
        let told: Value = serde_json::from_str(&run(&bench, &all)).unwrap();
        let said = api.get(&target, &secret);
        assert_eq!(said.status, 200, "{}", said.body);
        let said = said.json();
        let of = |answer: &Value| -> Vec<u64> {
            answer["steps"]
                .as_array()
                .unwrap()
                .iter()
                .map(|step| step["visitors"].as_u64().unwrap())
                .collect()
        };
        assert_eq!(of(&told), of(&said));
        assert_eq!(of(&told)[1], wanted(kept), "{told}");
        // On some days, everybody with a view of the cart has an order.
        assert_eq!(of(&told)[0], carts(kept), "{told}");
        assert!(of(&told)[1] > 0, "{told}");
        assert_eq!((&told["visitors"], &said["notes"]), (&said["visitors"], &json!([])));
    }
    // The order comes right after the page that thanks, and never right after the cart.
    let strict = |steps: [&str; 2]| -> u64 {
        let said = run(
            &bench,
            &[
                "stats", "funnel", "--app", "Demo", "--period", &days, "--strict", "--csv", "--step",
                steps[0], "--step", steps[1],
            ],
        );
        said.lines().nth(2).unwrap().split(',').nth(1).unwrap().parse().unwrap()
    };
    assert_eq!(strict(["page /thanks", "event order"]), wanted("true"));
    assert_eq!(strict(["page /cart", "event order"]), 0);
    let shown = run(
        &bench,
        &["stats", "funnel", "--app", "Demo", "--period", &days, "--step", "page /", "--step", "page /cart"],
    );
    assert!(shown.contains("of the step before") && shown.contains("sessions"), "{shown}");
    for (wrong, why) in [
        ("&step=page+/", "from 2 to 10 steps"),
        ("&step=page+/&step=order", "is no step"),
        ("&step=page+/&step=goal+Buy", "no goal"),
        ("&step=page+/&step=page+/a&within=week", "within is session or day"),
        ("&step=page+/&step=page+/a&strict=1", "strict is true or false"),
    ] {
        let said = api.get(&format!("/api/v1/funnel?application_id=alt-demo{wrong}"), &secret);
        assert!(said.status == 400 && said.body.contains(why), "{wrong}: {}", said.body);
    }
    let said = refused(&bench, &["stats", "funnel", "--app", "Demo", "--step", "page /", "--step", "cart"]);
    assert!(said.contains("is no step: write page PATH"), "{said}");
}

#[test]
fn a_journey_has_the_pages_before_and_after_as_sql_says() {
    let (bench, days) = demo("5");
    let (from, until) = days.split_once("..").unwrap();
    let wanted = |side: &str, end: &str| -> Vec<String> {
        let said = bench.database.psql(&format!(
            "WITH visits AS (SELECT *, (occurred_at AT TIME ZONE 'UTC')::date AS day FROM access_logs \
               WHERE event_type NOT IN ('request', 'engagement') AND traffic_class = 'human' AND visitor_id IS NOT NULL \
                 AND (occurred_at AT TIME ZONE 'UTC')::date BETWEEN '{from}' AND '{until}'), \
             gaps AS (SELECT *, (occurred_at - lag(occurred_at) OVER same > interval '30 minutes')::int AS begins FROM visits \
               WINDOW same AS (PARTITION BY day, visitor_id ORDER BY occurred_at, event_id)), \
             numbered AS (SELECT *, sum(begins) OVER (PARTITION BY day, visitor_id ORDER BY occurred_at, event_id) AS session \
               FROM gaps), \
             pages AS (SELECT url_path, lag(url_path) OVER same AS before, lead(url_path) OVER same AS after FROM numbered \
               WHERE event_type = 'pageview' \
               WINDOW same AS (PARTITION BY day, visitor_id, coalesce(session, 0) ORDER BY occurred_at, event_id)) \
             SELECT coalesce({side}, '{end}') || ' ' || count(*) FROM pages WHERE url_path = '/cart' GROUP BY {side}"
        ));
        let mut all: Vec<String> = said.lines().map(str::to_owned).collect();
        all.sort();
        all
    };
    let said = run(&bench, &["stats", "journey", "/cart", "--app", "Demo", "--period", &days, "--json"]);
    let told: Value = serde_json::from_str(&said).unwrap();
    let of = |rows: &Value, name: &str| -> Vec<String> {
        let row = |row: &Value| format!("{} {}", row[name].as_str().unwrap(), row["page_views"]);
        let mut all: Vec<String> = rows.as_array().unwrap().iter().map(row).collect();
        all.sort();
        all
    };
    assert_eq!(of(&told["before"], "page"), wanted("before", "(entry)"));
    assert_eq!(of(&told["after"], "page"), wanted("after", "(exit)"));
    assert!(of(&told["after"], "page").len() > 1, "{told}");
    // The API has them as dimensions, with a filter and without.
    let api = Api::start(&bench, "");
    let secret = token(&bench, &["--app", "alt-demo"]);
    let ask = |more: &str| -> Value {
        let said = api.get(
            &format!("/api/v1/statistics?application_id=alt-demo&period={days}&limit=1000{more}"),
            &secret,
        );
        assert_eq!(said.status, 200, "{}", said.body);
        said.json()
    };
    let said = ask("&dimension=next_page&filter=page+is+/cart");
    assert_eq!(of(&said["values"], "value"), of(&told["after"], "page"));
    let said = ask("&dimension=next_page&compare=previous");
    let row = said["values"].as_array().unwrap().iter().find(|row| row["value"] == "(exit)").unwrap();
    assert_eq!(row["sessions"], ask("&filter=next_page+is+(exit)")["total"]["sessions"]);
    let shown = run(&bench, &["stats", "journey", "/cart", "--app", "Demo", "--period", &days]);
    assert!(shown.contains("before") && shown.contains("(exit)"), "{shown}");
}
