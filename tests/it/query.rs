//! `POST /api/v1/query`: the shape of Plausible's Stats API, the numbers of `GET /api/v1/statistics`.

use serde_json::{Value, json};

use crate::dashboard::DEMO;
use crate::goals::demo;
use crate::serve::{Api, bearer, run, token};

/// What is answered to a question; `more` overrides or adds members.
fn ask(api: &Api, secret: &str, days: &str, more: &Value) -> (u16, Value) {
    let (from, until) = days.split_once("..").unwrap();
    let mut body = json!({ "site_id": DEMO, "metrics": ["visitors"], "date_range": [from, until] });
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    let said = api.ask("POST", "/api/v1/query", &bearer(secret), &body.to_string());
    (said.status, said.json())
}

/// The rows of an answer: dimension, then metrics.
fn rows(api: &Api, secret: &str, days: &str, more: &Value) -> Vec<String> {
    let (status, said) = ask(api, secret, days, more);
    assert_eq!(status, 200, "{more}: {said}");
    let row = |row: &Value| {
        let all = row["dimensions"].as_array().unwrap().iter().chain(row["metrics"].as_array().unwrap());
        all.map(|one| one.as_str().map_or_else(|| one.to_string(), str::to_owned))
            .collect::<Vec<_>>()
            .join(" ")
    };
    said["results"].as_array().unwrap().iter().map(row).collect()
}

/// The values of `GET /api/v1/statistics`, with these of their counts.
fn values(api: &Api, secret: &str, days: &str, query: &str, counts: &[&str]) -> Vec<String> {
    let target = format!("/api/v1/statistics?application_id={DEMO}&period={days}&limit=1000&{query}");
    let said = api.get(&target, secret);
    assert_eq!(said.status, 200, "{}", said.body);
    let said = said.json();
    let list = if query.contains("dimension=") { &said["values"] } else { &said["series"] };
    let row = |row: &Value| {
        let name = row["value"].as_str().or(row["at"].as_str()).unwrap().to_owned();
        counts.iter().fold(name, |text, count| format!("{text} {}", row[count]))
    };
    list.as_array().unwrap().iter().map(row).collect()
}

#[test]
fn questions_in_the_shape_of_another_product_have_the_numbers_of_statistics() {
    let (bench, days) = demo("5");
    run(&bench, &["goal", "add", "Cart", "--app", DEMO, "--event", "cart_add"]);
    let api = Api::start(&bench, "requests_per_minute = 100000");
    let secret = token(&bench, &["--app", DEMO]);
    let rows = |more: Value| rows(&api, &secret, &days, &more);
    let values = |query: &str, counts: &[&str]| values(&api, &secret, &days, query, counts);
    let four = ["visitors", "sessions", "page_views", "events"];
    let metrics = json!(["visitors", "visits", "pageviews", "events"]);
    for (theirs, ours) in [
        ("event:page", "page"),
        ("visit:source", "source"),
        ("visit:utm_campaign", "campaign"),
        ("visit:country", "country"),
        ("visit:entry_page", "entry_page"),
        ("event:name", "event"),
        ("browser", "browser"),
    ] {
        let got = rows(json!({ "metrics": metrics, "dimensions": [theirs] }));
        assert_eq!(got, values(&format!("dimension={ours}"), &four), "{theirs}");
        assert!(got.len() > 2, "{theirs}: {got:?}");
    }
    // Times, and what is in between.
    let by_day = values("interval=day", &four);
    assert_eq!(rows(json!({ "metrics": metrics, "dimensions": ["time:day"] })), by_day);
    assert_eq!(rows(json!({ "metrics": metrics, "dimensions": ["time"] })), by_day);
    let plain =
        |line: &String| format!("{}{}", line[..19].replace('T', " "), &line[line.find(' ').unwrap()..]);
    let by_hour: Vec<String> = values("interval=hour", &four).iter().map(plain).collect();
    assert_eq!(rows(json!({ "metrics": metrics, "dimensions": ["time:hour"] })), by_hour);
    let by_month = rows(json!({ "dimensions": ["time:month"] }));
    assert!(by_month[0].contains("-01 "), "{by_month:?}");
    // Filters in each of their forms.
    for (filters, ours) in [
        (json!([["is", "visit:country", ["DE"]]]), "filter=country+is+DE"),
        (json!([["is", "visit:country", ["de"], { "case_sensitive": false }]]), "filter=country+is+DE"),
        (json!([["is_not", "visit:country", ["DE"]]]), "filter=country+is+not+DE"),
        (json!([["not", ["is", "visit:country", ["DE"]]]]), "filter=country+is+not+DE"),
        (json!([["contains", "event:page", ["/shop/"]]]), "filter=page+contains+/shop/"),
        (
            json!([["contains", "event:page", ["SHOP/"], { "case_sensitive": false }]]),
            "filter=page+contains+shop/",
        ),
        (json!([["contains_not", "event:page", ["/shop/"]]]), "filter=page+does+not+contain+/shop/"),
        (json!([["matches", "event:page", ["^/s.*d$"]]]), "filter=page+matches+^/s.*d$"),
        (json!([["matches_not", "event:page", ["^/s.*d$"]]]), "filter=page+does+not+match+^/s.*d$"),
        (json!([["is", "event:goal", ["Cart"]]]), "filter=goal+is+Cart"),
        (
            json!([["and", [["is", "visit:country", ["DE"]], ["is", "visit:browser", ["Chrome"]]]]]),
            "filter=country+is+DE&filter=browser+is+Chrome",
        ),
        (
            json!([["is", "visit:country", ["DE"]], ["is", "visit:browser", ["Chrome"]]]),
            "filter=country+is+DE&filter=browser+is+Chrome",
        ),
        (
            json!([["or", [["is", "visit:country", ["DE"]], ["is", "visit:country", ["FR"]]]]]),
            "filter=country+matches+^(DE|FR)$",
        ),
        (json!([["is", "visit:country", ["DE", "FR"]]]), "filter=country+matches+^(DE|FR)$"),
    ] {
        let ours = ours.replace('^', "%5E").replace('|', "%7C").replace('$', "%24");
        let got = rows(json!({ "metrics": metrics, "dimensions": ["visit:source"], "filters": filters }));
        assert_eq!(got, values(&format!("dimension=source&{ours}"), &four), "{filters}");
        assert!(!got.is_empty(), "{filters}");
    }
    // Who is bound to a filter gets what the filter leaves.
    let bound = token(&bench, &["--app", DEMO, "--filter", "country is DE"]);
    let got = self::rows(&api, &bound, &days, &json!({ "metrics": metrics, "dimensions": ["event:page"] }));
    assert_eq!(got, values("dimension=page&filter=country+is+DE", &four));
    // Ratios are those of the counts.
    let (_, said) = ask(
        &api,
        &secret,
        &days,
        &json!({ "metrics": ["visitors", "visits", "pageviews", "views_per_visit", "bounce_rate", "visit_duration", "percentage"] }),
    );
    let total =
        api.get(&format!("/api/v1/statistics?application_id={DEMO}&period={days}"), &secret).json()["total"]
            .clone();
    let of = |name: &str| total[name].as_f64().unwrap();
    let metrics = &said["results"][0]["metrics"];
    let rounded = |value: f64, steps: f64| (value * steps).round() / steps;
    assert_eq!(metrics[3].as_f64().unwrap(), rounded(of("page_views") / of("sessions"), 100.0));
    assert_eq!(metrics[4].as_f64().unwrap(), rounded(100.0 * of("bounces") / of("sessions"), 1.0));
    assert_eq!(metrics[5].as_f64().unwrap(), rounded(of("duration_ms") / of("sessions") / 1000.0, 1.0));
    assert_eq!(metrics[6], json!(100.0));
    assert_eq!((&said["results"][0]["dimensions"], &said["query"]["site_id"]), (&json!([]), &json!(DEMO)));
    let cart = rows(json!({ "metrics": ["visitors", "conversion_rate"], "dimensions": ["event:goal"] }));
    let goal = values("dimension=goal", &["visitors", "conversion_rate"]);
    let rate: f64 = goal[0].rsplit(' ').next().unwrap().parse().unwrap();
    assert_eq!(cart[0].rsplit(' ').next().unwrap(), rounded(rate * 100.0, 100.0).to_string());
}

#[test]
fn rows_come_in_the_order_and_the_part_that_is_asked_for_and_mistakes_are_named() {
    let (bench, days) = demo("4");
    let api = Api::start(&bench, "requests_per_minute = 100000");
    let secret = token(&bench, &["--app", DEMO]);
    let pages = json!({ "metrics": ["visitors", "bounce_rate"], "dimensions": ["event:page"] });
    let with = |more: Value| {
        let mut asked = pages.clone();
        more.as_object().unwrap().iter().for_each(|(name, value)| asked[name] = value.clone());
        rows(&api, &secret, &days, &asked)
    };
    let all = with(json!({}));
    let key = |row: &String, n: usize| row.rsplit(' ').nth(n).unwrap().parse::<f64>().unwrap_or(-1.0);
    let is_sorted =
        |rows: &[String], n: usize| rows.windows(2).all(|pair| key(&pair[0], n) >= key(&pair[1], n));
    assert!(all.len() > 5 && is_sorted(&all, 1), "{all:?}");
    assert!(is_sorted(&with(json!({ "order_by": [["bounce_rate", "desc"]] })), 0));
    let mut rising = with(json!({ "order_by": [["bounce_rate", "asc"]] }));
    rising.reverse();
    assert!(is_sorted(&rising, 0), "{rising:?}");
    let by_name = with(json!({ "order_by": [["event:page", "asc"]] }));
    let mut sorted = by_name.clone();
    sorted.sort_by(|one, other| one.split(' ').next().cmp(&other.split(' ').next()));
    assert_eq!(by_name, sorted);
    assert_eq!(with(json!({ "pagination": { "limit": 2, "offset": 1 } })), all[1..3]);
    assert_eq!(with(json!({ "pagination": { "offset": 10_000 } })), Vec::<String>::new());
    let (_, said) = ask(
        &api,
        &secret,
        &days,
        &json!({ "dimensions": ["time:day"], "include": { "time_labels": true, "total_rows": true } }),
    );
    assert_eq!(
        (&said["meta"]["total_rows"], said["meta"]["time_labels"].as_array().unwrap().len()),
        (&json!(2), 2)
    );
    let falling = rows(
        &api,
        &secret,
        &days,
        &json!({ "dimensions": ["time:day"], "order_by": [["time:day", "desc"]] }),
    );
    assert!(falling[0] > falling[1], "{falling:?}");
    for range in ["day", "7d", "28d", "month", "6mo", "12mo", "year", "all"] {
        let (status, said) =
            ask(&api, &secret, &days, &json!({ "date_range": range, "dimensions": ["time"] }));
        assert_eq!(status, 200, "{range}: {said}");
    }
    let deep = (0..40).fold(json!(["is", "event:page", ["/"]]), |inner, _| json!(["not", inner]));
    let long = "x".repeat(5_000);
    let many = |how: &str, count: usize| json!([how, "event:page", vec!["/"; count]]);
    for filters in [json!([many("is", 100), many("is_not", 100)]), json!([many("matches", 50)])] {
        assert_eq!(ask(&api, &secret, &days, &json!({ "filters": filters })).0, 200);
    }
    for (wrong, why) in [
        (json!({ "metrics": [] }), "metrics is a list"),
        (json!({ "metrics": ["love"] }), "a metric is one of visitors"),
        (json!({ "metrics": "visitors" }), "metrics is a list"),
        (json!({ "date_range": "yesterday" }), "date_range is day"),
        (json!({ "date_range": ["2026-02-30", "2026-03-01"] }), "date_range is day"),
        (json!({ "date_range": ["2026-03-01"] }), "date_range is day"),
        (json!({ "date_range": null }), "date_range is day"),
        (json!({ "dimensions": ["event:page", "visit:source"] }), "one dimension at most"),
        (json!({ "dimensions": ["visit:region"] }), "a dimension is time"),
        (json!({ "date_range": "12mo", "dimensions": ["time:hour"] }), "at most 31 days"),
        (json!({ "filters": [["is", "visit:country", "DE"]] }), "a filter is"),
        (json!({ "filters": [["is", "visit:country", []]] }), "from 1 to 200 values"),
        (json!({ "filters": [["is", "visit:country", [1]]] }), "a filter is"),
        (json!({ "filters": [["equals", "visit:country", ["DE"]]] }), "a filter is"),
        (json!({ "filters": [[]] }), "a filter is"),
        (json!({ "filters": [["is", "visit:country", [long]]] }), "a filter is"),
        (json!({ "filters": [["matches", "event:page", ["("]]] }), "pattern"),
        (json!({ "filters": [["matches", "event:page", [r"(\w{1,500}){1,500}"]]] }), "pattern"),
        (json!({ "filters": [["is", "event:goal", ["None"]]] }), "there is no goal"),
        (json!({ "filters": [deep] }), "at most 15 levels"),
        (json!({ "filters": {} }), "filters is a list"),
        (json!({ "filters": [many("is", 101), many("is_not", 100)] }), "at most 200 values"),
        (
            json!({ "filters": [["or", [many("matches", 50), many("matches", 1)]]] }),
            "of which 50 are patterns",
        ),
        (
            json!({ "filters": [["contains", "event:page", many("is", 51)[2], { "case_sensitive": false }]] }),
            "of which 50",
        ),
        (json!({ "order_by": [["visitors"]] }), "order_by is a list"),
        (json!({ "order_by": [["visitors", "up"]] }), "order_by is a list"),
        (json!({ "pagination": { "limit": 0 } }), "pagination.limit"),
        (json!({ "pagination": { "offset": -1 } }), "pagination.offset"),
        (json!({ "metrics": ["conversion_rate"] }), "needs the dimension event:goal"),
        (json!({ "include": { "comparisons": { "mode": "year_over_year" } } }), "comparisons"),
    ] {
        let (status, said) = ask(&api, &secret, &days, &wrong);
        assert!(status == 400 && said["detail"].as_str().unwrap().contains(why), "{wrong}: {status} {said}");
    }
    let (status, _) = ask(&api, &secret, &days, &json!({ "site_id": "nobody" }));
    assert_eq!(status, 404);
}
