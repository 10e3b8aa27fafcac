//! Questions with filters over HTTP: they are answered as the command answers them, and a caller that is bound to a filter
//! learns nothing of what it leaves out.

use std::collections::BTreeMap;
use std::fs;
use std::time::Instant;

use serde_json::{Value, json};

use crate::goals::demo;
use crate::serve::{Api, bearer, run, token};
use crate::support::daemon::patience;

/// A text in a query.
fn encoded(text: &str) -> String {
    text.bytes()
        .map(|b| if b.is_ascii_alphanumeric() { (b as char).to_string() } else { format!("%{b:02X}") })
        .collect()
}

fn ask(api: &Api, secret: &str, query: &[(&str, &str)]) -> Value {
    let query: Vec<String> =
        query.iter().map(|(name, value)| format!("&{name}={}", encoded(value))).collect();
    let said = api.get(&format!("/api/v1/statistics?application_id=alt-demo{}", query.concat()), secret);
    assert_eq!(said.status, 200, "{}", said.body);
    said.json()
}

fn dashboard(api: &Api, secret: &str, body: &Value) -> Value {
    let mut body = body.clone();
    body["application_id"] = json!("alt-demo");
    let said = api.ask("POST", "/api/v1/dashboard", &bearer(secret), &body.to_string());
    assert_eq!(said.status, 200, "{}", said.body);
    said.json()
}

fn by_value(rows: &Value) -> BTreeMap<String, String> {
    let row = |row: &Value| (row["value"].to_string(), format!("{:?}", counts(row)));
    rows.as_array().unwrap().iter().map(row).collect()
}

/// The counts of an object, without what only one of two answers has.
fn counts(object: &Value) -> BTreeMap<String, u64> {
    let all = object.as_object().unwrap().iter().filter(|(name, _)| *name != "entered");
    all.filter_map(|(name, count)| Some((name.clone(), count.as_u64()?))).collect()
}

#[test]
fn filters_intervals_and_comparisons_are_those_of_the_command_and_of_sql() {
    let (bench, days) = demo("4");
    let api = Api::start(&bench, "");
    let secret = token(&bench, &["--app", "alt-demo"]);
    let command = |more: &[&str]| -> Value {
        let of = ["stats", "--app", "Demo", "--period", &days, "--json"];
        serde_json::from_str(&run(&bench, &[&of, more].concat())).unwrap()
    };
    for filters in [
        &["country is DE"][..],
        &["page contains /journal", "source is not Google"],
        &["device matches ^[mt]"],
    ] {
        let args: Vec<&str> = filters.iter().flat_map(|filter| ["--filter", filter]).collect();
        let told =
            command(&[&["--dimension", "page", "--limit", "1000", "--compare"], args.as_slice()].concat());
        let mut query = vec![
            ("period", days.as_str()),
            ("dimension", "page"),
            ("limit", "1000"),
            ("compare", "previous"),
            ("amounts", "true"),
        ];
        query.extend(filters.iter().map(|filter| ("filter", *filter)));
        let said = ask(&api, &secret, &query);
        assert!(said["total"]["visitors"].as_u64().unwrap() > 0, "{filters:?}");
        assert_eq!(said["total"], told["total"], "{filters:?}");
        assert_eq!(said["compared_with"]["total"], told["before"], "{filters:?}");
        assert_eq!(by_value(&said["values"]), by_value(&told["rows"]), "{filters:?}");
        let shown = dashboard(
            &api,
            &secret,
            &json!({ "period": days, "filters": filters, "compare": "previous", "dimensions": ["page", "country"], "limit": 100, "amounts": true }),
        );
        assert_eq!((&shown["total"], &shown["total_before"]), (&told["total"], &told["before"]));
        assert_eq!(by_value(&shown["lists"]["page"]["values"]), by_value(&told["rows"]));
        let before = |rows: &Value| -> Vec<Value> {
            rows.as_array().unwrap().iter().map(|row| row["before"].clone()).collect()
        };
        assert_eq!(before(&shown["lists"]["page"]["values"]), before(&told["rows"]));
    }
    // The days a week before are other ones, which have no traffic.
    for earlier in ["previous", "week", "year"] {
        let told = command(&["--filter", "country is DE", &format!("--compare={earlier}")]);
        let said =
            ask(&api, &secret, &[("period", &days), ("filter", "country is DE"), ("compare", earlier)]);
        assert_eq!(counts(&said["compared_with"]["total"]), counts(&told["before"]), "{earlier}");
        assert_eq!(told["before"]["visitors"].as_u64().unwrap() > 0, earlier == "previous", "{told}");
    }
    // Without a filter, an answer is of the table; all of a dashboard agrees with it.
    let plain = ask(
        &api,
        &secret,
        &[("period", &days), ("dimension", "source"), ("limit", "10"), ("compare", "previous")],
    );
    let all = json!({ "period": days, "compare": "previous", "interval": "hour", "dimensions": ["source", "event", "exit_page"] });
    let shown = dashboard(&api, &secret, &all);
    assert_eq!(plain["values"].as_array().unwrap().len(), 10);
    assert_eq!(by_value(&shown["lists"]["source"]["values"]), by_value(&plain["values"]));
    assert_eq!(shown["lists"]["source"]["is_cut"], plain["values_are_cut"]);
    for name in ["total", "left_out", "is_complete"] {
        assert_eq!(shown[name], plain[name], "{name}");
    }
    assert_eq!(shown["total_before"], plain["compared_with"]["total"]);
    assert_eq!(shown["current_visitors"].to_string(), bench.database.psql(
        "SELECT count(DISTINCT visitor_id) FROM access_logs WHERE occurred_at > now() - interval '5 minutes' \
         AND traffic_class = 'human' AND event_type NOT IN ('request', 'engagement')"));
    let hours = shown["series"].as_array().unwrap();
    assert_eq!(
        (hours.len(), hours[5]["at"].as_str().unwrap().ends_with("T05:00:00Z")),
        (48, true),
        "{hours:?}"
    );
    // An hour has what plain SQL says, by the table and by segments.
    let sql = "SELECT count(*), count(DISTINCT visitor_id) FROM access_logs WHERE traffic_class = 'human' \
               AND event_type NOT IN ('request', 'engagement') AND date_trunc('hour', occurred_at AT TIME ZONE 'UTC') = ";
    for filters in [&[][..], &["country matches "]] {
        let shown =
            dashboard(&api, &secret, &json!({ "period": days, "interval": "hour", "filters": filters }));
        for hour in [&shown["series"][13], &shown["series"][40]] {
            let at = hour["at"].as_str().unwrap();
            let counted = bench.database.psql(&format!("{sql} timestamp '{}'", at.trim_end_matches('Z')));
            assert_eq!(format!("{}|{}", hour["events"], hour["visitors"]), counted, "{at} {filters:?}");
        }
    }
    let csv = |more: &str| {
        api.get(&format!("/api/v1/statistics.csv?application_id=alt-demo&period={days}&{more}"), &secret).body
    };
    let lines = csv("interval=hour&filter=country+is+DE");
    assert_eq!(lines.lines().count(), 49, "{lines}");
    let month = dashboard(&api, &secret, &json!({ "period": days, "interval": "month" }));
    let sum: u64 =
        month["series"].as_array().unwrap().iter().map(|m| m["page_views"].as_u64().unwrap()).sum();
    assert_eq!(sum, month["total"]["page_views"].as_u64().unwrap());
    for wrong in [
        "filter=planet+is+Mars",
        "filter=page+matches+(",
        "interval=week",
        "dimension=day_hour",
        "interval=hour&period=40d",
    ] {
        let said = api.get(&format!("/api/v1/statistics?application_id=alt-demo&{wrong}"), &secret);
        assert_eq!(said.status, 400, "{wrong}: {}", said.body);
    }
    for wrong in [
        json!({ "filters": "country is DE" }),
        json!({ "limit": 101 }),
        json!({ "dimensions": ["total"] }),
        json!({ "filters": vec!["page is /"; 51] }),
    ] {
        let mut body = wrong.clone();
        body["application_id"] = json!("alt-demo");
        let said = api.ask("POST", "/api/v1/dashboard", &bearer(&secret), &body.to_string());
        assert_eq!(said.status, 400, "{wrong}: {}", said.body);
    }
}

#[test]
fn a_day_that_goes_on_is_compared_up_to_the_same_minute() {
    let (bench, _) = demo("4");
    // The same rows today as yesterday, of each minute: so the change is none, whatever the time is.
    bench.database.psql("DELETE FROM access_logs WHERE occurred_at >= date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'");
    bench.database.psql(
        "INSERT INTO access_logs SELECT (jsonb_populate_record(l, jsonb_build_object('event_id', gen_random_uuid(), \
             'occurred_at', l.occurred_at + interval '1 day'))).* FROM access_logs l \
         WHERE l.occurred_at >= date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' - interval '1 day' \
           AND l.occurred_at < now() - interval '1 day' - interval '2 minutes'",
    );
    // Nothing happened in the minutes that pass while the test looks, on any day.
    bench.database.psql(
        "DELETE FROM access_logs USING generate_series(0, 3) n \
         WHERE occurred_at >= now() - n * interval '1 day' - interval '4 minutes' \
           AND occurred_at < now() - n * interval '1 day' + interval '10 minutes'",
    );
    run(&bench, &["stats", "rebuild"]);
    let api = Api::start(&bench, "");
    let secret = token(&bench, &["--app", "alt-demo"]);
    for filters in [&[][..], &["country is DE"]] {
        let shown = dashboard(
            &api,
            &secret,
            &json!({ "period": "today", "compare": "previous", "interval": "hour", "filters": filters, "dimensions": ["browser"] }),
        );
        for name in ["events", "page_views", "visitors", "sessions"] {
            assert_eq!(
                shown["total"][name], shown["total_before"][name],
                "{name} {filters:?} {}",
                shown["compared_with"]
            );
        }
        assert_eq!(
            shown["series"].as_array().unwrap().len(),
            shown["series_before"].as_array().unwrap().len()
        );
        for value in shown["lists"]["browser"]["values"].as_array().unwrap() {
            assert_eq!(value["visitors"], value["before"]["visitors"], "{value} {filters:?}");
        }
        // With days before it, these are whole.
        let two =
            dashboard(&api, &secret, &json!({ "period": "2d", "compare": "previous", "filters": filters }));
        let day = |n: i64| {
            let is_german = match filters.is_empty() {
                true => "",
                false => {
                    "AND visitor_id IN (SELECT g.visitor_id FROM access_logs g JOIN environments e ON e.id = g.environment_id \
                          WHERE e.time_zone = 'Europe/Berlin')"
                }
            };
            bench.database.psql(&format!(
                "SELECT count(*) FROM access_logs WHERE traffic_class = 'human' {is_german} \
                 AND event_type NOT IN ('request', 'engagement') AND (occurred_at AT TIME ZONE 'UTC')::date = (now() AT TIME ZONE 'UTC')::date - {n} \
                 AND occurred_at < date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' - interval '2 days' + CASE WHEN {n} = 2 \
                     THEN now() - date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' ELSE interval '1 day' END")).parse::<i64>().unwrap()
        };
        let expected = day(3) + day(2);
        assert!(
            (two["total_before"]["events"].as_i64().unwrap() - expected).abs() <= 3,
            "{expected} {}",
            two["total_before"]
        );
    }
}

/// Segments of the day that goes on are written every ten minutes at most; but who computes statistics by a command looks
/// at them next.
#[test]
fn what_a_command_computes_is_shown_with_filters_at_once() {
    let (bench, _) = demo("4");
    let api = Api::start(&bench, "");
    let secret = token(&bench, &["--app", "alt-demo"]);
    let events = |filters: &[&str]| {
        let shown = dashboard(&api, &secret, &json!({ "period": "today", "filters": filters }));
        shown["total"]["events"].as_i64().unwrap()
    };
    let before = events(&["country is not XX"]);
    assert_eq!(before, events(&[]));
    bench.database.psql(
        "INSERT INTO access_logs SELECT (jsonb_populate_record(l, jsonb_build_object('event_id', gen_random_uuid(), \
             'occurred_at', date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'))).* FROM access_logs l \
         WHERE l.event_type = 'click' AND l.traffic_class = 'human'",
    );
    run(&bench, &["stats", "rebuild"]);
    let after = events(&[]);
    assert!(after > before, "{before} {after}");
    assert_eq!(events(&["country is not XX"]), after);
}

/// Sums of days are kept in memory: an answer is that of the table, whatever replaced the statistics since the one before.
#[test]
fn sums_that_are_kept_are_those_of_the_table_whatever_replaces_them() {
    let (bench, days) = demo("4");
    let api = Api::start(&bench, "");
    let secret = token(&bench, &["--app", "alt-demo"]);
    let until = days.split_once("..").unwrap().1;
    // Of so many days with statistics the database makes the sums.
    let long = format!("{}..{until}", bench.database.psql("SELECT (now() AT TIME ZONE 'UTC')::date - 300"));
    // What the table has, and what is answered: lines of values, and events of the total.
    let same = |days: &str, class: &str| -> u64 {
        let (from, until) = days.split_once("..").unwrap();
        let rows = format!(
            "FROM stat_daily WHERE traffic_class = '{class}' AND day BETWEEN '{from}' AND '{until}' AND dimension ="
        );
        let mut events = 0;
        for dimension in ["page", "event", "country"] {
            let query = [
                ("period", days),
                ("class", class),
                ("dimension", dimension),
                ("limit", "30"),
                ("compare", "previous"),
            ];
            let said = ask(&api, &secret, &query);
            let line = |row: &Value| {
                let [visitors, views, engaged] =
                    ["visitors", "page_views", "engaged_ms"].map(|name| &row[name]);
                format!("{} {visitors} {views} {engaged}", row["value"].as_str().unwrap())
            };
            let lines: Vec<String> = said["values"].as_array().unwrap().iter().map(line).collect();
            let wanted = bench.database.psql(&format!(
                "SELECT string_agg(line, E'\n' ORDER BY n) FROM (SELECT row_number() OVER \
                   (ORDER BY sum(visitors) DESC, sum(page_views) DESC, sum(events) DESC, min(value) COLLATE \"C\") AS n, \
                   min(value) || ' ' || sum(visitors) || ' ' || sum(page_views) || ' ' || sum(engaged_ms) AS line \
                 {rows} '{dimension}' GROUP BY value_hash) v WHERE n <= 30"
            ));
            assert_eq!(lines.join("\n"), wanted, "{days} {class} {dimension}");
            let total = bench.database.psql(&format!("SELECT coalesce(sum(events), 0) {rows} 'total'"));
            assert_eq!(said["total"]["events"].to_string(), total, "{days} {class}");
            events = said["total"]["events"].as_u64().unwrap();
            let others = rows.replace("traffic_class =", "traffic_class <>");
            let others = bench.database.psql(&format!("SELECT coalesce(sum(events), 0) {others} 'total'"));
            let left_out =
                said["left_out"].as_array().unwrap().iter().map(|one| one["events"].as_u64().unwrap());
            assert_eq!(left_out.sum::<u64>().to_string(), others, "{days} {class}");
        }
        if days != long {
            let said = ask(&api, &secret, &[("period", days), ("class", class), ("interval", "hour")]);
            let hours =
                said["series"].as_array().unwrap().iter().map(|hour| hour["events"].as_u64().unwrap());
            assert_eq!(hours.sum::<u64>(), events, "{days} {class}");
        }
        events
    };
    let all = || {
        let [human, many] = [same(&days, "human"), same(&long, "human")];
        assert!(human > 0 && many > human, "{human} {many}");
        assert!(same(&days, "bot") > 0);
        assert_eq!(same(&days, "nobody"), 0);
        human
    };
    bench.database.psql(
        "INSERT INTO stat_days (app_id, day, from_at, until_at, generation, folded_at, frozen_at, imported_at) \
         SELECT a.id, d::date, d, d + interval '1 day', 1, now(), now(), now() FROM applications a, \
           generate_series((now() AT TIME ZONE 'UTC')::date - 200, (now() AT TIME ZONE 'UTC')::date - 50, '1 day') d \
         WHERE a.app_key = 'alt-demo'; \
         INSERT INTO stat_daily SELECT s.app_id, d.day, value_hash, events, page_views, visitors, sessions, authenticated, bounces, \
           duration_ms, engaged_ms, timed_views, scrolled_views, scroll_percent, stray_ms, traffic_class, dimension, value \
         FROM stat_daily s, stat_days d WHERE d.imported_at IS NOT NULL AND s.day = (now() AT TIME ZONE 'UTC')::date - 1",
    );
    let first = all();
    assert_eq!(first, all(), "from memory");
    // Computed anew, of fewer rows.
    bench.database.psql("DELETE FROM access_logs WHERE event_type = 'click' AND traffic_class = 'human'");
    run(&bench, &["stats", "rebuild"]);
    let fewer = all();
    assert!(fewer < first, "{fewer} {first}");
    // A database that was restored to an earlier time has a generation twice.
    bench.database.psql(
        "UPDATE stat_daily SET events = events * 2; UPDATE stat_days SET folded_at = folded_at + interval '1 microsecond'",
    );
    assert!(all() > first);
    // Deleted for their age.
    bench.database.psql("DELETE FROM stat_daily; UPDATE stat_days SET expired = true");
    assert_eq!((same(&days, "human"), same(&long, "human")), (0, 0));
}

/// All that a caller can learn of these days.
fn learnt(api: &Api, headers: &str, days: &str) -> Vec<String> {
    let mut all = Vec::new();
    let dimensions = [
        "page",
        "event",
        "source",
        "channel",
        "country",
        "browser",
        "screen",
        "campaign",
        "entry_page",
        "hour",
        "goal",
    ];
    for filter in ["", "&filter=country+is+not+DE", "&filter=page+contains+%2Fshop"] {
        for path in ["statistics", "statistics.csv"] {
            for dimension in dimensions {
                let target = format!(
                    "/api/v1/{path}?application_id=alt-demo&period={days}&dimension={dimension}&compare=previous{filter}"
                );
                all.push(api.ask("GET", &target, headers, ""));
            }
            for interval in ["", "&interval=hour", "&interval=month"] {
                let target =
                    format!("/api/v1/{path}?application_id=alt-demo&period={days}{interval}{filter}");
                all.push(api.ask("GET", &target, headers, ""));
            }
        }
    }
    for class in ["human", "crawler"] {
        let body = json!({ "application_id": "alt-demo", "period": days, "compare": "previous", "class": class, "dimensions": dimensions });
        all.push(api.ask("POST", "/api/v1/dashboard", headers, &body.to_string()));
    }
    for more in ["within=day", "strict=true"] {
        let target = format!(
            "/api/v1/funnel?application_id=alt-demo&period={days}&step=page+*&step=page+/shop*&{more}"
        );
        all.push(api.ask("GET", &target, headers, ""));
    }
    for path in ["retention", "retention.csv", "statistics"] {
        let target = format!("/api/v1/{path}?application_id=alt-demo&period={days}&people=true");
        all.push(api.ask(
            "GET",
            &target.replace("&people=true", if path == "statistics" { "&people=true" } else { "&by=day" }),
            headers,
            "",
        ));
    }
    for path in ["live", "events", "shares"] {
        all.push(api.ask("GET", &format!("/api/v1/{path}?application_id=alt-demo"), headers, ""));
    }
    all.push(api.ask("GET", "/api/v1/applications/alt-demo", headers, ""));
    all.push(api.ask("GET", "/api/v1/applications", headers, ""));
    all.into_iter().map(|said| format!("{} {}", said.status, said.body)).collect()
}

/// Stray time, and the other counts.
fn without_stray(total: &Value) -> (u64, Value) {
    let mut total = total.clone();
    let stray = total.as_object_mut().unwrap().remove("stray_ms").unwrap();
    (stray.as_u64().unwrap(), total)
}

#[test]
fn who_is_bound_to_a_filter_learns_nothing_of_the_rest() {
    let (bench, days) = demo("4");
    // Crawlers come from there as well.
    let german = "(SELECT id FROM environments WHERE time_zone = 'Europe/Berlin')";
    bench.database.psql(&format!(
        "UPDATE access_logs SET environment_id = (SELECT max(id) FROM {german} e) WHERE traffic_class <> 'human' AND file_offset % 2 = 0; \
         INSERT INTO access_logs SELECT (jsonb_populate_record(l, jsonb_build_object('event_id', gen_random_uuid(), \
             'event_type', 'engagement', 'page_view_id', 1, 'dwell_ms', 5000))).* FROM access_logs l \
         WHERE traffic_class = 'human' AND event_type = 'pageview' AND environment_id IN {german}"
    ));
    run(&bench, &["stats", "rebuild"]);
    run(&bench, &["goal", "add", "--app", "Demo", "Order", "--event", "order"]);
    let api = Api::start(&bench, "requests_per_minute = 100000");
    let owner = token(&bench, &["--role", "owner"]);
    let bound = bearer(&token(&bench, &["--app", "alt-demo", "--filter", "country is DE"]));
    let share = api.ask(
        "POST",
        "/api/v1/shares?application_id=alt-demo",
        &bearer(&owner),
        r#"{"name": "Germany", "filters": ["country is DE"]}"#,
    );
    assert_eq!(share.status, 201, "{}", share.body);
    let share = bearer(share.json()["share"].as_str().unwrap());
    // They see what the filter keeps, and the crawlers that it keeps.
    let body = json!({ "application_id": "alt-demo", "period": days, "dimensions": ["country"] });
    let seen = api.ask("POST", "/api/v1/dashboard", &bound, &body.to_string()).json();
    let asked = dashboard(&api, &owner, &json!({ "period": days, "filters": ["country is DE"] }));
    assert!(seen["total"]["visitors"].as_u64().unwrap() > 0);
    assert_eq!(seen["total"], asked["total"]);
    let listed = seen["lists"]["country"]["values"].as_array().unwrap();
    assert_eq!(listed.iter().map(|row| row["value"].as_str().unwrap()).collect::<Vec<_>>(), ["DE"]);
    let left_out = bench.database.psql(&format!(
        "SELECT count(*) FROM access_logs WHERE traffic_class <> 'human' AND environment_id IN {german} \
         AND event_type NOT IN ('request', 'engagement') AND (occurred_at AT TIME ZONE 'UTC')::date BETWEEN '{}' AND '{}'",
        &days[..10], &days[12..]));
    let sum = |answer: &Value| {
        answer["left_out"]
            .as_array()
            .unwrap()
            .iter()
            .map(|class| class["events"].as_u64().unwrap())
            .sum::<u64>()
    };
    assert_eq!(sum(&seen).to_string(), left_out);
    assert!(sum(&seen) > 0 && sum(&asked) > sum(&seen), "{} {}", asked["left_out"], seen["left_out"]);
    // They may do what viewers may, whatever the database says of their role.
    bench.database.psql("UPDATE web_tokens SET role = 'owner' WHERE filter IS NOT NULL");
    let other = "/api/v1/statistics?application_id=alt-demo&filter=country+is+not+DE";
    assert_eq!(counts(&api.ask("GET", other, &bound, "").json()["total"]).values().sum::<u64>(), 0);
    for (target, status) in [
        ("/api/v1/events?application_id=alt-demo", 403),
        ("/api/v1/live?application_id=alt-demo", 403),
        ("/api/v1/tokens", 403),
    ] {
        assert_eq!(api.ask("GET", target, &bound, "").status, status, "{target}");
    }
    // Whatever else is there, or is not: they are told the same, byte by byte.
    let before = [learnt(&api, &bound, &days), learnt(&api, &share, &days)];
    bench.database.psql(&format!(
        "DELETE FROM access_logs l WHERE NOT CASE WHEN l.visitor_id IS NULL THEN coalesce(l.environment_id IN {german}, false) \
         ELSE l.visitor_id IN (SELECT g.visitor_id FROM access_logs g WHERE g.environment_id IN {german} AND g.visitor_id IS NOT NULL) END"
    ));
    run(&bench, &["stats", "rebuild"]);
    bench.database.psql("UPDATE stat_days SET frozen_rows = 7");
    let after = [learnt(&api, &bound, &days), learnt(&api, &share, &days)];
    for (before, after) in before.iter().flatten().zip(after.iter().flatten()) {
        assert_eq!(before, after);
    }
    // The rest is gone. A page that was read over midnight is stray time of the next day, which has no country.
    let [(stray, rest), (no_stray, kept)] = [dashboard(&api, &owner, &json!({ "period": days })), seen]
        .map(|answer| without_stray(&answer["total"]));
    assert_eq!(rest, kept);
    assert!(stray > 0 && no_stray == 0, "{stray} {no_stray}");
    // A filter that is not understood shows nothing at all.
    bench.database.psql("UPDATE web_tokens SET filter = '{nonsense}' WHERE filter IS NOT NULL");
    assert_eq!(api.ask("GET", other, &bound, "").status, 500);
}

#[test]
fn many_questions_at_once_take_a_bounded_amount_of_memory_and_all_end() {
    let (bench, _) = demo("4");
    // Each day a hundred times.
    bench.database.psql(
        "INSERT INTO stat_segments SELECT s.app_id, s.day - n * 5, s.part, s.generation, s.definition, s.data \
         FROM stat_segments s, generate_series(1, 300) n",
    );
    let api = Api::start(&bench, "requests_per_minute = 100000");
    let secret = token(&bench, &["--app", "alt-demo"]);
    let began = Instant::now();
    std::thread::scope(|scope| {
        for n in 0..24 {
            let (api, secret) = (&api, &secret);
            scope.spawn(move || {
                for round in 0..4 {
                    let body = json!({ "application_id": "alt-demo", "period": "1500d", "compare": "previous",
                        "filters": [format!("page does not contain /{n}-{round}")], "dimensions": ["page", "source", "exit_page", "country"] });
                    let said = api.ask("POST", "/api/v1/dashboard", &bearer(secret), &body.to_string());
                    assert!([200, 503].contains(&said.status), "{}", said.body);
                    if said.status == 503 {
                        assert!(said.header("retry-after").is_some());
                    }
                }
            });
        }
    });
    assert!(began.elapsed() < patience(60), "{:?}", began.elapsed());
    // A plain question is answered at once, and one with a filter again.
    let asked = Instant::now();
    ask(&api, &secret, &[("period", "7d")]);
    assert!(asked.elapsed() < patience(2), "{:?}", asked.elapsed());
    ask(&api, &secret, &[("period", "7d"), ("filter", "country is DE")]);
    let status = fs::read_to_string(format!("/proc/{}/status", api.child.id())).unwrap();
    let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    let peak: u64 = peak.split_whitespace().nth(1).unwrap().parse().unwrap();
    println!("at most {peak} KiB, {:?}", began.elapsed());
    assert!(peak < 256 * 1024, "{peak} KiB");
}
