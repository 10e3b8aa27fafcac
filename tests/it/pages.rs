//! The other pages of the dashboard, in Chromium, and its numbers in WebKit: funnels, journeys, single visits and searches
//! are what SQL says, goals and shares are made and removed, and days of 23 and 25 hours have so many.

use serde_json::{Value, json};

use crate::dashboard::{DEMO, ENTER, TAB, counted, demo, period, run, share, shown};
use crate::serve::{Api, token};
use crate::support::bench::Bench;
use crate::support::lines::{KEY, alt1_at};
use crate::support::page::{Page, Server};
use crate::support::postgres::Database;
use crate::support::webdriver::Engine;

/// Visits of one day of the demo: visitor, begin, last row, page views; the one that ended last first.
const VISITS: &str = "SELECT visitor_id, min(occurred_at) AS began, max(occurred_at) AS ended, \
        count(DISTINCT coalesce(page_view_id::text, event_id::text)) FILTER (WHERE event_type = 'pageview') AS views, \
        bool_or(CONDITION) AS is_kept, (array_agg(event_id ORDER BY occurred_at DESC, event_id DESC))[1] AS last_id \
     FROM looked WHERE visitor_id IS NOT NULL AND day = (now() AT TIME ZONE 'UTC')::date - 1 GROUP BY visitor_id, session";

fn path(page: &str, query: &str) -> String {
    format!("/applications/{DEMO}/{page}?{query}")
}

/// The numbers of elements, one after the other.
fn numbers(page: &mut Page, selector: &str, name: &str) -> Vec<String> {
    let found =
        page.value(&format!("[...document.querySelectorAll('{selector}')].map(one => one.dataset.{name})"));
    found.as_array().unwrap().iter().map(|one| one.as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_funnel_is_built_on_the_page_and_is_what_sql_says() {
    if !Engine::Blink.is_here() {
        return;
    }
    let (bench, server, token) = demo();
    let days = period(&bench, (6, 1));
    let reached = |within: &str| -> Vec<String> {
        let behind = |of: &str, before: &str| {
            format!(
                "{of}.day = {before}.day AND {of}.visitor_id = {before}.visitor_id {} \
                 AND ({of}.occurred_at, {of}.event_id) > ({before}.occurred_at, {before}.event_id)",
                within.replace("LEFT", of).replace("RIGHT", before)
            )
        };
        let found = bench.database.psql(&format!(
            "SELECT count(DISTINCT (a.day, a.visitor_id)), \
                    count(DISTINCT (b.day, b.visitor_id)) FILTER (WHERE b.visitor_id IS NOT NULL), \
                    count(DISTINCT (c.day, c.visitor_id)) FILTER (WHERE c.visitor_id IS NOT NULL) \
             FROM looked a LEFT JOIN looked b ON b.event_type = 'cart_add' AND {} \
                  LEFT JOIN looked c ON c.event_type = 'order' AND {} \
             WHERE a.event_type = 'pageview' AND a.url_path = '/shop' AND a.visitor_id IS NOT NULL \
               AND a.day BETWEEN (now() AT TIME ZONE 'UTC')::date - 6 AND (now() AT TIME ZONE 'UTC')::date - 1",
            behind("b", "a"),
            behind("c", "b")
        ));
        found.split('|').map(str::to_owned).collect()
    };
    let mut page = Page::new(&server.url, Some(&token));
    // By hand, from an empty page: the address keeps the steps.
    page.go(&path("funnel", &format!("period={days}")));
    assert_eq!(page.text("main .notice h2"), "Name two steps");
    page.check_access();
    let fill = |page: &mut Page, row: usize, kind: &str, value: &str| {
        let item = format!("document.querySelectorAll('.builder li')[{row}]");
        page.driver.js(&format!(
            "const select = {item}.querySelector('select'); select.value = '{kind}';
             select.dispatchEvent(new Event('change', {{ bubbles: true }}))"
        ));
        page.driver.until(&format!("{item}.querySelector('select').value === '{kind}'"));
        page.driver.js(&format!("{item}.querySelector('input').focus()"));
        page.driver.keys(&[value, ENTER]);
        page.driver.until(&format!(
            "new URLSearchParams(location.search).getAll('step')[{row}] === '{kind} {value}'"
        ));
    };
    fill(&mut page, 0, "page", "/shop");
    fill(&mut page, 1, "event", "cart_add");
    page.driver.js("document.querySelector('.builder .pill').click()");
    page.driver.until("document.querySelectorAll('.builder li').length === 3");
    fill(&mut page, 2, "event", "order");
    page.driver.until("document.querySelectorAll('[data-step]').length === 3");
    page.settle();
    let of_visits = reached("AND LEFT.session = RIGHT.session");
    assert_eq!(numbers(&mut page, "[data-step]", "step"), of_visits);
    let counts: Vec<u32> = of_visits.iter().map(|n| n.parse().unwrap()).collect();
    assert!(counts[0] > counts[1] && counts[1] > 0, "{of_visits:?}");
    // The columns are as high as the numbers are.
    let heights = page
        .value("[...document.querySelectorAll('.funnel .kept')].map(column => Number(column.getAttribute('height')))");
    for (height, count) in heights.as_array().unwrap().iter().zip(&counts) {
        let wanted = f64::from(*count) / f64::from(counts[0]) * 200.0;
        assert!((height.as_f64().unwrap() - wanted).abs() <= 2.0, "{heights} {counts:?}");
    }
    page.check();
    page.check_access();
    let address = page.value("location.pathname + location.search");
    // Within a day there are more, or as many.
    page.go(&format!("{}&within=day", address.as_str().unwrap()));
    assert_eq!(numbers(&mut page, "[data-step]", "step"), reached(""));
    // The table behind it has the same, and a share may see it, without single visits.
    page.driver.keys(&["b"]);
    page.driver.until("document.querySelector('.flow tbody')");
    let table = page.value("[...document.querySelectorAll('.flow tbody tr')].map(row => row.cells[1].innerText.replaceAll(',', ''))");
    assert_eq!(table, json!(reached("")));
    page.check_access();
    let secret = share(&server, &token);
    drop(page);
    let mut page = Page::new(&server.url, None);
    page.go(&format!("/share?application_id={DEMO}&share={secret}&page=funnel&period={days}&step=page+/shop&step=event+cart_add&step=event+order"));
    assert_eq!(numbers(&mut page, "[data-step]", "step"), of_visits);
    let pages = page.value("[...document.querySelectorAll('.pages a')].map(link => link.innerText)");
    assert_eq!(pages, json!(["Statistics", "Funnel", "Journey", "Retention", "Panels"]));
    page.check();
}

#[test]
fn a_journey_leads_from_page_to_page_and_is_what_sql_says() {
    if !Engine::Blink.is_here() {
        return;
    }
    let (bench, server, token) = demo();
    let days = period(&bench, (4, 1));
    let wanted = |of: &str, side: &str, end: &str| -> Vec<String> {
        let said = bench.database.psql(&format!(
            "WITH pages AS (SELECT url_path, lag(url_path) OVER same AS before, lead(url_path) OVER same AS after FROM looked \
               WHERE event_type = 'pageview' AND visitor_id IS NOT NULL \
                 AND day BETWEEN (now() AT TIME ZONE 'UTC')::date - 4 AND (now() AT TIME ZONE 'UTC')::date - 1 \
               WINDOW same AS (PARTITION BY day, visitor_id, session ORDER BY occurred_at, event_id)) \
             SELECT coalesce({side}, '{end}') || ' ' || count(*) FROM pages WHERE url_path = '{of}' GROUP BY {side}"
        ));
        said.lines().map(str::to_owned).collect()
    };
    let drawn = |page: &mut Page, side: &str| -> Vec<String> {
        let found = page.value(&format!(
            "[...document.querySelectorAll('.journey .{side} li')].filter(one => one.dataset.page).map(one => one.dataset.page + ' ' + one.dataset.count)"
        ));
        found.as_array().unwrap().iter().map(|one| one.as_str().unwrap().to_owned()).collect()
    };
    let mut page = Page::new(&server.url, Some(&token));
    page.go(&path("journey", &format!("period={days}&of=/cart")));
    page.driver.until("document.querySelector('.journey .next_page li')");
    for (side, column, end) in [("previous_page", "before", "(entry)"), ("next_page", "after", "(exit)")] {
        let (drawn, all) = (drawn(&mut page, side), wanted("/cart", column, end));
        assert_eq!(drawn.len(), all.len().min(8), "{drawn:?} {all:?}");
        assert!(drawn.len() > 1 && drawn.iter().all(|one| all.contains(one)), "{drawn:?} {all:?}");
    }
    page.check();
    page.check_access();
    // A page leads to its own journey, and back leads back.
    page.driver.js("document.querySelector('.journey .previous_page a').click()");
    page.driver.until("!location.search.includes('of=/cart') && location.search.includes('of=')");
    page.settle();
    let of = page.value("new URLSearchParams(location.search).get('of')");
    let all = wanted(of.as_str().unwrap(), "after", "(exit)");
    assert!(drawn(&mut page, "next_page").iter().all(|one| all.contains(one)), "{all:?}");
    page.driver.back();
    page.driver.until("location.search.includes('of=/cart')");
    page.driver.keys(&["b"]);
    page.driver.until("document.querySelectorAll('.flow tbody').length === 2");
    page.check_access();
    page.go(&path("journey", &format!("period={days}&of=/nowhere")));
    assert_eq!(page.text(".flow .nothing"), "Nobody saw /nowhere in this period");
}

#[test]
fn single_visits_are_those_of_sql_whatever_pages_of_them_are_asked_for() {
    let (bench, server, owner) = demo();
    let api = Api::start(&bench, "");
    let days = period(&bench, (1, 1));
    let editor = token(&bench, &["--app", DEMO, "--role", "editor"]);
    let all = |filter: &str, limit: usize| -> Vec<String> {
        let (mut found, mut cursor) = (Vec::new(), String::new());
        loop {
            let said = api.get(
                &format!("/api/v1/visits?application_id={DEMO}&period={days}&limit={limit}{filter}{cursor}"),
                &editor,
            );
            assert_eq!(said.status, 200, "{}", said.body);
            let said = said.json();
            let visits = said["visits"].as_array().unwrap();
            assert!(visits.len() <= limit);
            for one in visits {
                assert_eq!(one["is_whole"], json!(true));
                found.push(format!(
                    "{} {} {}",
                    one["visitor_id"].as_str().unwrap(),
                    one["began_at"].as_str().unwrap(),
                    one["page_views"]
                ));
            }
            assert_eq!(said["is_complete"], json!(said["next"].is_null()));
            let Some(next) = said["next"].as_str() else { return found };
            cursor = format!("&cursor={next}");
        }
    };
    let wanted = |condition: &str| -> Vec<String> {
        let sql = format!(
            "SELECT visitor_id || ' ' || to_char(began AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US') || ' ' || views \
             FROM ({}) v WHERE is_kept ORDER BY ended DESC, last_id DESC",
            VISITS.replace("CONDITION", condition)
        );
        // The API leaves out zeros behind the point.
        let plain = |line: &str| {
            let parts: Vec<&str> = line.split(' ').collect();
            format!("{} {}Z {}", parts[0], parts[1].trim_end_matches('0').trim_end_matches('.'), parts[2])
        };
        bench.database.psql(&sql).lines().map(plain).collect()
    };
    let plain = wanted("true");
    assert!(plain.len() > 30, "{plain:?}");
    for limit in [100, 7, 1] {
        assert_eq!(all("", limit), plain, "{limit} at a time");
    }
    let of_chrome = wanted("browser = 'Chrome' AND url_path = '/shop'");
    assert!(of_chrome.len() > 1 && of_chrome.len() < plain.len(), "{of_chrome:?}");
    assert_eq!(all("&filter=browser+is+Chrome&filter=page+is+/shop", 3), of_chrome);
    // A goal, and its opposite: of each visit one event that is none is enough.
    run(&bench, &["goal", "add", "Cart", "--app", DEMO, "--event", "cart_add"]);
    assert_eq!(all("&filter=goal+is+Cart", 5), wanted("event_type = 'cart_add'"));
    let told = |filter: &str| api.get(&format!("/api/v1/visits?application_id={DEMO}{filter}"), &editor);
    assert_eq!(told("&filter=hour+is+5").status, 400);
    assert_eq!(told("&filter=goal+is+None").status, 400);
    assert_eq!(told("&cursor=x").status, 400);
    // Nobody sees them who may not see rows.
    let viewer = token(&bench, &["--app", DEMO]);
    assert_eq!(api.get(&format!("/api/v1/visits?application_id={DEMO}"), &viewer).status, 403);
    let secret = share(&server, &owner);
    for shared in ["visits", "events", "events/counts"] {
        let said = api.get(&format!("/api/v1/{shared}?application_id={DEMO}&share={secret}"), "");
        assert!((400..=403).contains(&said.status), "{shared} {}: {}", said.status, said.body);
    }
    look_at_visits(&bench, &server, &owner, &days, &plain, &viewer);
}

/// The page has the first fifty, and each leads to its events in order.
fn look_at_visits(bench: &Bench, server: &Server, owner: &str, days: &str, plain: &[String], viewer: &str) {
    if !Engine::Blink.is_here() {
        return;
    }
    let mut page = Page::new(&server.url, Some(owner));
    page.go(&path("visits", &format!("period={days}")));
    page.driver.until("document.querySelector('[data-visit]')");
    let ids = numbers(&mut page, "[data-visit]", "visit");
    let wanted: Vec<&str> = plain.iter().take(50).map(|one| one.split(' ').next().unwrap()).collect();
    assert_eq!(ids, wanted);
    page.check();
    page.check_access();
    page.driver.js("document.querySelector('[data-visit] button').click()");
    page.driver.until("document.querySelector('dialog[open] [data-event]')");
    let events = numbers(&mut page, "dialog [data-event]", "event").join("\n");
    let began = plain[0].split(' ').nth(1).unwrap();
    let sql = bench.database.psql(&format!(
        "SELECT l.event_id FROM access_logs l WHERE event_type <> 'engagement' AND visitor_id = {} AND occurred_at BETWEEN '{began}' AND \
         (SELECT max(occurred_at) FROM looked WHERE visitor_id = {0} AND session = (SELECT session FROM looked WHERE visitor_id = {0} \
          AND occurred_at = '{began}' LIMIT 1)) ORDER BY occurred_at, event_id",
        wanted[0]
    ));
    assert_eq!(events, sql);
    page.check_access();
    page.driver.back();
    page.driver.until("!document.querySelector('dialog')");
    page.check();
    drop(page);
    let mut page = Page::new(&server.url, Some(viewer));
    for of in ["visits", "search"] {
        page.go(&path(of, ""));
        assert_eq!(page.text("main .notice h2"), "You may not see this");
    }
    page.check_access();
}

#[test]
fn a_search_counts_what_sql_counts_and_goes_on_as_events_arrive() {
    if !Engine::Blink.is_here() {
        return;
    }
    let (mut bench, server, token) = demo();
    let mut page = Page::new(&server.url, Some(&token));
    let total = |page: &mut Page| {
        page.driver.until("document.querySelector('[data-total]')");
        page.value("document.querySelector('[data-total]').dataset.total")
    };
    let count = |condition: &str| {
        json!(bench.database.psql(&format!(
            "SELECT count(*) FROM access_logs l JOIN applications a ON a.id = l.app_id WHERE app_key = '{DEMO}' AND ({condition}) \
             AND (occurred_at AT TIME ZONE 'UTC')::date BETWEEN (now() AT TIME ZONE 'UTC')::date - 3 AND (now() AT TIME ZONE 'UTC')::date - 1"
        )))
    };
    let days = period(&bench, (3, 1));
    page.go(&path("search", &format!("period={days}")));
    assert_eq!(total(&mut page), count("true"));
    assert_eq!(page.value("document.querySelectorAll('.found > li').length"), json!(100));
    page.check();
    page.check_access();
    // By hand: a text, and a class.
    page.driver.js("document.querySelector('[name=text]').focus()");
    page.driver.keys(&["JOURNAL", ENTER]);
    page.driver.until("location.search.includes('text=JOURNAL')");
    page.settle();
    let text = "concat_ws(E'\\n', url_path, url_query, title, referrer) ILIKE '%journal%'";
    assert_eq!(total(&mut page), count(text));
    page.go(&path("search", &format!("period={days}&text=JOURNAL&class=human&type=pageview")));
    let narrow = count(&format!("{text} AND traffic_class = 'human' AND event_type = 'pageview'"));
    assert_eq!(total(&mut page), narrow);
    assert_ne!(narrow, json!("0"));
    // An event opens, and leads to all of its visitor.
    page.driver.js("document.querySelector('.found > li > button').click()");
    page.driver.until("document.querySelector('.details dl')");
    page.check_access();
    let visitor = page.value("[...document.querySelectorAll('.details dt')].find(one => one.innerText === 'visitor_id').nextSibling.innerText");
    page.driver.js("[...document.querySelectorAll('.details .quiet')].find(one => one.innerText === 'All of this visitor').click()");
    page.driver.until("location.search.includes('visitor_id=')");
    page.settle();
    assert_eq!(total(&mut page), count(&format!("visitor_id = {}", visitor.as_str().unwrap())));
    // More than a step reads, and than an answer may have.
    bench.database.psql(&format!(
        "INSERT INTO access_logs (occurred_at, event_id, file_offset, app_id, file_id, traffic_class, event_type) \
         SELECT date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' - n * interval '1 second', gen_random_uuid(), 0, id, 0, \
                'human', 'many' FROM applications, generate_series(1, 25000) n WHERE app_key = '{DEMO}'"
    ));
    page.go(&path("search", &format!("period={days}&type=many")));
    page.driver.until("document.querySelector('[data-total]')?.dataset.total === '25000'");
    // Nothing is found; what is asked for is wrong.
    page.go(&path("search", &format!("period={days}&text=nothing+like+this")));
    assert_eq!(page.text(".rows .nothing"), "Nothing is like this in the period");
    page.go(&path("search", "status=abc"));
    page.driver.until("document.querySelector('[role=alert]')");
    assert!(page.text("[role=alert]").contains("status is a number"), "{}", page.text("[role=alert]"));
    // What arrives is there by itself.
    page.go(&format!("/applications/{KEY}/search?period=today"));
    assert_eq!(page.text(".rows .nothing"), "Nothing in this period");
    page.driver.js(
        "[...document.querySelectorAll('.bar .pill')].find(one => one.innerText === 'Live tail').click()",
    );
    bench.append("beacon.log", 2);
    page.driver.until("document.querySelectorAll('.found > li').length === 2");
    page.check();
}

#[test]
fn goals_and_shares_are_made_on_the_page_and_the_system_says_how_it_is() {
    if !Engine::Blink.is_here() {
        return;
    }
    let (mut bench, server, token) = demo();
    let mut page = Page::new(&server.url, Some(&token));
    let settings = format!("/applications/{KEY}/settings");
    page.go(&settings);
    page.driver.until("document.querySelector('[data-waiting=true]')");
    assert!(page.text("[data-setting=install] pre").contains(&format!("\"{KEY}\"")));
    page.check_access();
    page.driver.js("document.querySelector('[data-setting=goals] [name=name]').focus()");
    page.driver.keys(&["Bought", TAB, TAB, "order", ENTER]);
    page.driver.until("document.querySelector('[data-setting=goals] tbody tr')");
    let goals = "SELECT string_agg(name || ' ' || coalesce(event, page), ',') FROM stat_goals";
    assert_eq!(bench.database.psql(goals), "Bought order");
    // The same name once more is refused, and said.
    page.driver.js("document.querySelector('[data-setting=goals] [name=name]').focus()");
    page.driver.keys(&["Bought", TAB, TAB, "order", ENTER]);
    page.driver.until("document.querySelector('[data-setting=goals] [role=alert]')");
    // To remove it, one is asked twice.
    page.driver.js("document.querySelector('[data-setting=goals] tbody button').click()");
    page.driver.until("document.querySelector('[data-setting=goals] tbody .sure')");
    assert_eq!(bench.database.psql("SELECT count(*) FROM stat_goals"), "1");
    page.driver.js("document.querySelector('[data-setting=goals] tbody .sure').click()");
    page.driver.until("!document.querySelector('[data-setting=goals] tbody tr')");
    assert_eq!(bench.database.psql("SELECT count(*) FROM stat_goals"), "0");
    page.driver.js("document.querySelector('[data-setting=shares] [name=name]').focus()");
    page.driver.keys(&["Board", ENTER]);
    page.driver.until("document.querySelector('[data-setting=shares] pre')");
    let link = page.text("[data-setting=shares] pre");
    // The first hit is seen without anything to press.
    bench.append("beacon.log", 1);
    page.driver.until("document.querySelector('[data-waiting=false]')");
    page.check();
    page.go("/system");
    page.driver.until("document.querySelector('[data-figure=lines]')");
    let lines = bench.database.psql("SELECT sum(lines) FROM checkpoints");
    assert_eq!(page.text("[data-figure=lines] dd").replace(',', ""), lines);
    let files = page.value("document.querySelectorAll('[data-setting=files] tbody tr').length");
    assert_eq!(files, json!(bench.database.psql("SELECT count(*) FROM checkpoints").parse::<u32>().unwrap()));
    page.check();
    page.check_access();
    drop(page);
    let mut page = Page::new(&server.url, None);
    page.go(link.trim_start_matches(&server.url));
    page.driver.until(
        "document.querySelector('[data-metric=visitors] .big') || document.querySelector('main .notice')",
    );
    page.check();
}

#[test]
fn reports_are_made_shown_and_removed_on_the_page() {
    if !Engine::Blink.is_here() {
        return;
    }
    let (bench, server, token) = demo();
    let settings = format!("/applications/{DEMO}/settings");
    let mut page = Page::new(&server.url, Some(&token));
    page.go(&settings);
    // Where nothing sends them, the page says what to do, and has no form.
    page.driver.until("document.querySelector('[data-setting=reports] .warn')");
    assert!(page.text("[data-setting=reports] .warn").contains("[alerts]"));
    assert_eq!(page.value("document.querySelector('[data-setting=reports] form')"), Value::Null);
    drop(server);
    let text = std::fs::read_to_string(&bench.config).unwrap();
    let more = "\n[alerts]\nenabled = true\n[[channel]]\nname = \"team\"\nkind = \"slack\"\nurl = \"http://127.0.0.1:9/x\"\n";
    std::fs::write(&bench.config, format!("{text}{more}")).unwrap();
    let server = Server::start(&bench, "");
    let mut page = Page::new(&server.url, Some(&token));
    page.go(&settings);
    page.driver.js("document.querySelector('[data-setting=reports] [name=name]').focus()");
    page.driver.keys(&["<i>Boss", TAB, "w", TAB, TAB, "D", TAB, ENTER]);
    page.driver.until("document.querySelector('[data-setting=reports] tbody tr')");
    let kept = "SELECT name, every, language, array_to_string(channels, ',') FROM stat_reports";
    assert_eq!(bench.database.psql(kept), "<i>Boss|week|de|team");
    let row = page.text("[data-setting=reports] tbody tr");
    assert!(row.contains("<i>Boss") && row.contains("team") && row.contains("Deutsch"), "{row}");
    // The preview is what is sent.
    page.driver.js("document.querySelector('[data-setting=reports] tbody button').focus()");
    page.driver.keys(&[ENTER]);
    page.driver.until("document.querySelector('[data-preview] pre')");
    let shown = page.text("[data-preview] pre");
    let sent = run(&bench, &["stats", "report", "show", "<i>Boss"]);
    assert!(shown.starts_with("Wochenbericht") && shown.trim() == sent.trim(), "{shown}\n{sent}");
    page.check_access();
    page.driver.js("document.querySelector('[data-setting=reports] tbody td:last-child button').click()");
    page.driver.until("document.querySelector('[data-setting=reports] tbody .sure')");
    assert_eq!(bench.database.psql("SELECT count(*) FROM stat_reports"), "1", "asked twice");
    page.driver.js("document.querySelector('[data-setting=reports] tbody .sure').click()");
    page.driver.until("!document.querySelector('[data-setting=reports] tbody tr')");
    assert_eq!(bench.database.psql("SELECT count(*) FROM stat_reports"), "0");
    assert_eq!(page.value("document.querySelector('[data-preview]')"), Value::Null);
    page.check();
}

#[test]
fn all_pages_fit_in_every_language_and_width() {
    if !Engine::Blink.is_here() {
        return;
    }
    let (_bench, server, token) = demo();
    let mut page = Page::new(&server.url, Some(&token));
    page.go("/");
    for language in ["de", "ja", "ko", "en"] {
        page.driver.js(&format!("localStorage.setItem('alt.language', '{language}')"));
        for width in [390, 1440] {
            let size = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
            page.driver.cdp("Emulation.setDeviceMetricsOverride", &size);
            for path in [
                path("funnel", "period=7d&step=page+/shop&step=event+cart_add&step=event+order"),
                path("journey", "period=7d&of=/shop"),
                path("retention", "period=7d"),
                path("visits", "period=today"),
                path("search", "period=today"),
                path("settings", ""),
                "/system".to_owned(),
                format!("/applications/{DEMO}?wall=1"),
            ] {
                page.go(&path);
                let wide =
                    page.value("document.documentElement.scrollWidth - document.documentElement.clientWidth");
                assert_eq!(wide, json!(0), "{path} at {width} in {language}");
                page.check();
            }
        }
    }
    assert_eq!(
        page.value("getComputedStyle(document.querySelector('.more')).display"),
        json!("none"),
        "a wall"
    );
}

#[test]
fn days_of_23_and_25_hours_have_so_many() {
    if !Engine::Blink.is_here() {
        return;
    }
    let mut bench = Bench::not_started("[[source]]\npaths = [\"DIR/beacon.log\"]", Database::create());
    let text = std::fs::read_to_string(&bench.config).unwrap();
    std::fs::write(&bench.config, format!("{text}\n[stats]\nenabled = true\n")).unwrap();
    bench
        .database
        .psql("INSERT INTO applications (app_key, name, time_zone) VALUES ('berlin', 'B', 'Europe/Berlin')");
    let mut text = String::new();
    for from in ["2026-03-28T23:10:00Z", "2026-10-24T22:10:00Z"] {
        let from: jiff::Timestamp = from.parse().unwrap();
        for n in 0..25 {
            let at = u128::try_from(from.as_millisecond() + n * 3_600_000).unwrap();
            text += &alt1_at(at).replace(&format!("a={KEY}"), "a=berlin");
        }
    }
    bench.append_text("old.log", &text, 50);
    run(&bench, &["replay", bench.path("old.log").to_str().unwrap()]);
    let server = Server::start(&bench, "");
    let said: Value =
        serde_json::from_str(&run(&bench, &["token", "add", "t", "--role", "owner", "--json"])).unwrap();
    let mut page = Page::new(&server.url, said["token"].as_str());
    for (day, hours) in [("2026-03-29", 23), ("2026-10-25", 25)] {
        page.go(&format!("/applications/berlin?period={day}..{day}&table=1"));
        let sql = bench.database.psql(&format!(
            "SELECT count(*) FROM access_logs WHERE (occurred_at AT TIME ZONE 'Europe/Berlin')::date = '{day}'"
        ));
        assert_eq!(page.metric("page_views"), sql);
        assert_eq!(sql, hours.to_string());
        let rows = page.value("[...document.querySelectorAll('.top .numbers tbody tr')].map(row => row.cells[3].innerText).join(' ')");
        assert_eq!(rows, json!(vec!["1"; hours].join(" ")), "{day}");
        assert_eq!(page.value("document.querySelectorAll('.hours li').length"), json!(hours.max(24)));
        // Each hour has a height of its own, and all have the same.
        let heights = page
            .value("new Set([...document.querySelectorAll('.hours i')].map(bar => bar.style.height)).size");
        assert_eq!(heights, json!(if hours == 23 { 2 } else { 1 }), "{day}");
        page.go(&format!("/applications/berlin?period={day}..{day}"));
        page.driver.until("document.querySelector('.graph path.line')");
        let points =
            page.value("document.querySelector('.graph path.line').getAttribute('d').split('L').length");
        assert_eq!(points, json!(hours), "{day}");
        page.go(&format!("/applications/berlin/search?period={day}..{day}"));
        page.driver.until("document.querySelector('[data-total]')");
        assert_eq!(page.value("document.querySelector('[data-total]').dataset.total"), json!(sql), "{day}");
        page.check();
    }
}

#[test]
fn a_search_of_a_day_that_has_just_begun_counts_its_events() {
    if !Engine::Blink.is_here() {
        return;
    }
    let (bench, server, token) = demo();
    // Where it is between midnight and one o'clock now; the sign of such a zone's name is the other way round.
    let hour: i32 =
        bench.database.psql("SELECT extract(hour FROM now() AT TIME ZONE 'UTC')").parse().unwrap();
    let zone = if hour <= 12 { format!("Etc/GMT+{hour}") } else { format!("Etc/GMT-{}", 24 - hour) };
    bench.database.psql(&format!("UPDATE applications SET time_zone = '{zone}' WHERE app_key = '{DEMO}'"));
    let mut page = Page::new(&server.url, Some(&token));
    page.go(&path("search", "period=today"));
    page.driver.until("document.querySelector('[data-total]')");
    page.check();
}

#[test]
fn webkit_shows_the_same() {
    if !Engine::WebKit.is_here() {
        return;
    }
    let (bench, server, token) = demo();
    let said = run(&bench, &["user", "add", "jane@example.com", "--owner"]);
    let link = said.split("#link=").nth(1).unwrap().split_whitespace().next().unwrap();
    let mut page = Page::in_webkit(&server.url);
    page.go(&format!("/sign-in#link={link}"));
    page.driver.js("document.querySelector('[name=password]').focus()");
    page.driver.keys(&["a sentence of some length", ENTER]);
    page.driver.until("location.pathname === '/' && document.querySelectorAll('.site').length === 2");
    let at = |query: &str| format!("/applications/{DEMO}?{query}");
    page.go(&at("period=7d"));
    assert_eq!(shown(&mut page), counted(&bench, (6, 0), "true"));
    page.go(&at("period=7d&filter=browser+is+Chrome&filter=page+is+/journal"));
    assert_eq!(shown(&mut page), counted(&bench, (6, 0), "browser = 'Chrome' AND url_path = '/journal'"));
    page.go(&at("period=7d&filter=browser+is+not+Chrome&filter=page+is+not+/journal"));
    let neither = "browser IS DISTINCT FROM 'Chrome' AND url_path IS DISTINCT FROM '/journal'";
    assert_eq!(shown(&mut page), counted(&bench, (6, 0), neither));
    page.go(&at(&format!("compare=previous&period={}", period(&bench, (3, 1)))));
    assert_eq!(shown(&mut page), counted(&bench, (3, 1), "true"));
    // What the search cannot ask for is told, and not waited for.
    page.go("/applications/nobody/search?period=today");
    page.driver.until("document.querySelector('main .notice:not([aria-busy])')");
    // A row is a filter, back restores, keys reach a view with a filter.
    page.go(&at("period=7d"));
    let plain = shown(&mut page);
    page.driver.js("document.querySelector('[data-panel=devices] tbody a').focus()");
    page.driver.keys(&[ENTER]); // WebKit goes back to nothing that nobody pressed for.
    page.driver.until("location.search.includes('filter=browser')");
    page.settle();
    assert!(shown(&mut page)[0] < plain[0]);
    page.driver.back();
    page.driver.until("!location.search.includes('filter') && !document.querySelector('.chip')");
    page.settle();
    assert_eq!(shown(&mut page), plain);
    // The pages that are loaded later.
    page.go(&path("funnel", "period=7d&step=page+/shop&step=event+cart_add"));
    page.driver.until("document.querySelectorAll('[data-step]').length === 2");
    page.go(&path("search", "period=today"));
    page.driver.until("document.querySelector('[data-total]')");
    page.go(&path("visits", "period=7d"));
    page.driver.until("document.querySelector('[data-visit]')");
    let secret = share(&server, &token);
    page.go(&format!("/share?application_id={DEMO}&share={secret}&period=7d&filter=browser+is+Chrome"));
    assert_eq!(shown(&mut page), counted(&bench, (6, 0), "browser = 'Chrome'"));
}
