//! Who comes back, by command, by API and on the page: what plain SQL says, with any filter, and no more than the reader may
//! know.

use alt_store::naive::{self, Came, Local};
use jiff::Span;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::goals::demo;
use crate::serve::{Api, bearer, run, token};
use crate::support::bench::Bench;
use crate::support::daemon::alt;
use crate::support::lines::{KEY, alt1_at, now};
use crate::support::page::{Page, Server};
use crate::support::postgres::Database;
use crate::support::webdriver::Engine;

/// What plain SQL says of days, each of which is a period: an answer of the API without what it does not say.
fn wanted(bench: &Bench, from: Date, until: Date, page: Option<&str>) -> Vec<Came> {
    let begin = |day: Date| day.to_zoned(TimeZone::UTC).unwrap().timestamp().as_microsecond();
    let mut days = Vec::new();
    let mut day = from;
    while day <= until {
        let next = day.checked_add(Span::new().days(1)).unwrap();
        days.push(Local { times: begin(day)..begin(next), period: day.to_string() });
        day = next;
    }
    let app = bench.database.psql("SELECT id FROM applications WHERE app_key = 'alt-demo'").parse().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = bench.database.connect().await;
        naive::retention(&client, app, &days, "human", page).await.unwrap()
    })
}

/// An answer by days, as plain SQL tells it.
fn told(answer: &Value) -> Vec<Came> {
    let mut all = Vec::new();
    let mut add = |what: &str, first: &str, period: &Value, people: &Value| {
        let (what, period) = (what.to_owned(), period.as_str().unwrap().to_owned());
        match people.as_u64().unwrap() {
            0 => {}
            people => all.push(Came { what, first: first.to_owned(), period, people }),
        }
    };
    let periods = answer["periods"].as_array().unwrap();
    for (n, period) in periods.iter().enumerate() {
        for what in ["people", "new", "returning", "churned"] {
            add(what, "", &period["from"], &period[what]);
        }
        let cohort = &answer["cohorts"][n];
        assert_eq!((&cohort["from"], &cohort["size"]), (&period["from"], &period["new"]));
        for (after, people) in cohort["people"].as_array().unwrap().iter().enumerate() {
            add("cohort", cohort["from"].as_str().unwrap(), &periods[n + after]["from"], people);
        }
    }
    all.sort();
    all
}

#[test]
fn who_came_back_is_what_sql_says_by_command_and_by_api() {
    let (bench, _) = demo("12");
    let today: Date = bench.database.psql("SELECT (now() AT TIME ZONE 'UTC')::date").parse().unwrap();
    let ago = |days| today.checked_sub(Span::new().days(days)).unwrap();
    let (from, until) = (ago(9), ago(1));
    let days = format!("{from}..{until}");
    let api = Api::start(&bench, "");
    let secret = token(&bench, &["--app", "alt-demo"]);
    let get = |more: &str| {
        api.get(&format!("/api/v1/retention?application_id=alt-demo&period={days}&by=day{more}"), &secret)
    };
    let show = |more: &[&str]| {
        run(&bench, &[&["stats", "people", "Demo", "--period", &days, "--by", "day"], more].concat())
    };
    for (filter, page) in [("", None), ("page is /shop", Some("/shop"))] {
        let encoded = filter.replace(' ', "+").replace('/', "%2F");
        let more = if filter.is_empty() { String::new() } else { format!("&filter={encoded}") };
        let said = get(&more).json();
        let wanted = wanted(&bench, from, until, page);
        assert_eq!(told(&said), wanted, "{said}");
        let (people, comes_back) =
            (said["people"].as_u64().unwrap(), wanted.iter().any(|one| one.what == "returning"));
        // Few of them see this page, and seldom twice.
        match page {
            None => assert!(people > 10 && comes_back, "{people} people, {comes_back}"),
            Some(_) => assert!(people > 0, "nobody saw the page"),
        }
        assert_eq!(
            (&said["notes"], &said["class"], &said["by"]),
            (&json!([]), &json!("human"), &json!("day"))
        );
        let filter: &[&str] = if filter.is_empty() { &[] } else { &["--filter", filter] };
        let shown: Value = serde_json::from_str(&show(&[filter, &["--json"]].concat())).unwrap();
        for name in ["people", "periods", "cohorts", "left_out"] {
            match name {
                // Of each class, by name; and as a list.
                "left_out" => assert!(shown[name].as_object().is_some()),
                _ => assert_eq!(shown[name], said[name], "{name}"),
            }
        }
        let csv = api.get(
            &format!("/api/v1/retention.csv?application_id=alt-demo&period={days}&by=day{more}"),
            &secret,
        );
        assert_eq!(csv.body, show(&[filter, &["--csv"]].concat()));
        let first = &said["cohorts"][0];
        let line = format!("{from},{},1,{},{}", first["size"], ago(8), first["people"][1]);
        assert!(csv.body.lines().any(|one| one == line), "{line}: {}", csv.body);
        // The same people as among the statistics, by any interval.
        for interval in ["", "&interval=month"] {
            let target = format!(
                "/api/v1/statistics?application_id=alt-demo&period={days}&people=true{interval}{more}"
            );
            let all = api.get(&target, &secret).json();
            assert_eq!(all["total"]["people"], said["people"], "{interval}");
            let rows = if interval.is_empty() { &all["days"] } else { &all["series"] };
            let most = rows.as_array().unwrap().iter().map(|row| row["people"].as_u64().unwrap()).max();
            assert!(most > Some(0) && most <= said["people"].as_u64(), "{all}");
        }
    }
    let body = json!({ "site_id": "alt-demo", "metrics": ["people"], "date_range": [from.to_string(), until.to_string()] });
    let asked = api.ask("POST", "/api/v1/query", &bearer(&secret), &body.to_string()).json();
    assert_eq!(asked["results"][0]["metrics"][0], get("").json()["people"]);
    let by =
        format!("/api/v1/statistics?application_id=alt-demo&period={days}&dimension=browser&order=people");
    let browsers: Vec<u64> = api.get(&by, &secret).json()["values"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["people"].as_u64().unwrap())
        .collect();
    assert!(browsers.len() > 1 && browsers.is_sorted_by(|one, next| one >= next), "{browsers:?}");
    let text = show(&[]);
    for part in [&format!("{from} "), "+8", "gone", "people in 9 days"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let shown = run(&bench, &["stats", "--app", "Demo", "--period", &days, "--people", "--json"]);
    assert_eq!(serde_json::from_str::<Value>(&shown).unwrap()["total"]["people"], get("").json()["people"]);
    let verified = run(&bench, &["stats", "verify"]);
    assert!(verified.contains("; 0 are different"), "{verified}");
}

#[test]
fn what_cannot_be_is_told_and_a_filter_of_the_reader_holds() {
    let (bench, _) = demo("4");
    let api = Api::start(&bench, "");
    let secret = token(&bench, &["--role", "owner"]);
    for (wrong, why) in [
        ("&by=year", "by is day, week or month"),
        ("&by=day&period=91d", "choose fewer days, or week"),
        ("&period=2999-01-01..2999-01-02", "have not begun"),
        ("&filter=planet+is+Mars", "planet"),
        ("&filter=goal+is+Buy", "there is no goal"),
    ] {
        let said = api.get(&format!("/api/v1/retention?application_id=alt-demo{wrong}"), &secret);
        assert!(said.status == 400 && said.body.contains(why), "{wrong}: {} {}", said.status, said.body);
    }
    let args = ["stats", "people", "Demo", "--by", "day", "--period", "91d"];
    let output = alt().args(args).arg("--config").arg(&bench.config).output().unwrap();
    assert!(!output.status.success() && String::from_utf8_lossy(&output.stderr).contains("or week"));
    // By default, the last twelve weeks.
    let usual = api.get("/api/v1/retention?application_id=alt-demo", &secret).json();
    assert_eq!((usual["periods"].as_array().unwrap().len(), &usual["by"]), (12, &json!("week")));
    // Whoever is bound to a filter, or has a share with one, sees those whom it keeps, and nobody else.
    let bound = token(&bench, &["--app", "alt-demo", "--filter", "browser is Firefox"]);
    let share = api.ask(
        "POST",
        "/api/v1/shares?application_id=alt-demo",
        &bearer(&secret),
        r#"{"name": "Firefox", "filters": ["browser is Firefox"]}"#,
    );
    let share = share.json()["share"].as_str().unwrap().to_owned();
    let path = "/api/v1/retention?application_id=alt-demo&period=4d&by=day";
    let kept = api.get(&format!("{path}&filter=browser+is+Firefox"), &secret).json();
    let all = api.get(path, &secret).json();
    assert!(kept["people"].as_u64() > Some(0) && kept["people"].as_u64() < all["people"].as_u64());
    for secret in [&bound, &share] {
        let seen = api.get(path, secret).json();
        for name in ["people", "periods", "cohorts"] {
            assert_eq!(seen[name], kept[name], "{name}");
        }
    }
}

#[test]
fn a_site_without_user_ids_is_told_what_to_send() {
    let mut bench = Bench::not_started("[[source]]\npaths = [\"DIR/beacon.log\"]", Database::create());
    let text = std::fs::read_to_string(&bench.config).unwrap();
    std::fs::write(&bench.config, format!("{text}\n[stats]\nenabled = true\n")).unwrap();
    let line = alt1_at(now() - 7_200_000);
    bench.append_text("beacon.log", &line, 1);
    bench.start();
    bench.settle();
    run(&bench, &["stats", "rebuild"]);
    let shown = run(&bench, &["stats", "people", "--by", "day"]);
    assert!(shown.contains("nobody is known") && shown.contains("user_id"), "{shown}");
    assert_eq!(bench.database.psql("SELECT count(*) FROM stat_user_keys"), "0");
    if !Engine::Blink.is_here() {
        return;
    }
    let server = Server::start(&bench, "");
    let secret = token(&bench, &["--role", "owner"]);
    let mut page = Page::new(&server.url, Some(&secret));
    page.go(&format!("/applications/{KEY}/retention?period=7d"));
    page.driver.until("document.querySelector('.nobody')");
    assert!(page.text(".nobody").contains("alt({ user_id: \"u7\" })"), "{}", page.text(".nobody"));
    page.go(&format!("/applications/{KEY}/retention?period=7d&filter=browser+is+Firefox"));
    page.driver.until("document.querySelector('[data-retention] .nothing')");
    page.check();
}

#[test]
fn the_grid_of_the_page_has_the_numbers_of_the_api() {
    if !Engine::Blink.is_here() {
        return;
    }
    let (bench, server, secret) = crate::dashboard::demo();
    // Few people, so that they come back.
    bench
        .database
        .psql("UPDATE access_logs SET user_id = 'u' || abs(visitor_id % 40) WHERE visitor_id IS NOT NULL");
    run(&bench, &["stats", "rebuild"]);
    let days = crate::dashboard::period(&bench, (6, 1));
    let shown: Value = serde_json::from_str(&run(
        &bench,
        &["stats", "people", "Demo", "--period", &days, "--by", "day", "--json"],
    ))
    .unwrap();
    let mut page = Page::new(&server.url, Some(&secret));
    page.go(&format!("/applications/alt-demo/retention?period={days}"));
    page.driver.until("document.querySelector('[data-cohorts]')");
    let came = |page: &mut Page| {
        page.value("[...document.querySelectorAll('[data-came]')].map(one => Number(one.dataset.came))")
    };
    let wanted: Vec<&Value> = shown["cohorts"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|cohort| cohort["people"].as_array().unwrap().iter().skip(1))
        .collect();
    assert_eq!(came(&mut page), json!(wanted), "{shown}");
    assert!(wanted.len() == 15 && wanted.iter().any(|came| came.as_u64() > Some(0)));
    let cohorts =
        page.value("[...document.querySelectorAll('[data-cohort]')].map(one => one.dataset.cohort)");
    let sizes = shown["cohorts"].as_array().unwrap().iter();
    let sizes: Vec<String> =
        sizes.map(|one| format!("{} {}", one["from"].as_str().unwrap(), one["size"])).collect();
    assert_eq!(cohorts, json!(sizes));
    // Shares in the cells, or numbers; by another period; with a filter; by its menu.
    let cell = "document.querySelector('[data-came]').textContent";
    assert!(page.value(cell).as_str().unwrap().ends_with('%') || page.value(cell) == json!("–"));
    page.driver.js("document.querySelector('[data-retention] .switch button').click()");
    page.driver.until("location.search.includes('table=1')");
    assert!(
        !page.value("document.querySelector('[data-cohorts]').textContent").as_str().unwrap().contains('%')
    );
    page.driver.js(
        "const by = document.querySelector('[data-retention] select'); by.value = 'week'; by.dispatchEvent(new Event('change', { bubbles: true }))",
    );
    page.driver.until(
        "location.search.includes('by=week') && document.querySelectorAll('[data-cohort]').length < 4",
    );
    page.check_access();
    page.go(&format!("/applications/alt-demo/retention?period={days}&filter=page+is+/shop"));
    page.driver.until("document.querySelector('[data-cohorts]')");
    assert_ne!(came(&mut page), json!(wanted));
    page.check();
    check_unfinished(&bench, &mut page);
}

/// The day that goes on is told apart in each line, and nobody is said to be gone of it.
fn check_unfinished(bench: &Bench, page: &mut Page) {
    page.go("/applications/alt-demo/retention?period=7d&by=day");
    page.driver.until("document.querySelector('[data-cohorts]')");
    let lines = page.value(
        "[...document.querySelectorAll('[data-cohort]')].map(line => [...line.querySelectorAll('[data-came]')].map(cell => cell.dataset.whole + cell.textContent.endsWith(' *')))",
    );
    let lines: Vec<Vec<String>> = serde_json::from_value(lines).unwrap();
    assert_eq!(lines.iter().map(Vec::len).collect::<Vec<_>>(), [6, 5, 4, 3, 2, 1, 0]);
    for line in lines.iter().filter(|line| !line.is_empty()) {
        let (last, others) = line.split_last().unwrap();
        assert_eq!(last, "falsetrue", "{lines:?}");
        assert!(others.iter().all(|one| one == "truefalse"), "{lines:?}");
    }
    let gone = page.value("[...document.querySelectorAll('[data-gone]')].map(one => one.textContent)");
    let gone: Vec<String> = serde_json::from_value(gone).unwrap();
    assert!(gone[6] == "–" && gone[..6].iter().all(|one| one.parse::<u64>().is_ok()), "{gone:?}");
    let shown = run(bench, &["stats", "people", "Demo", "--period", "7d", "--by", "day"]);
    let lines: Vec<&str> = shown.lines().filter(|line| line.starts_with("20")).collect();
    assert!(lines.len() == 7 && lines[..6].iter().all(|line| line.ends_with(" *")), "{shown}");
    assert!(lines[6].contains(" * ") && lines[6].ends_with('–'), "{shown}");
    page.check();
}
