//! What a site owner looks for on the dashboard: numbers that mean nothing are not shown as facts, each list opens, sorts and says
//! what it is worth, and a page says where to go on.

use serde_json::{Value, json};

use crate::dashboard::{DEMO, ENTER, counted, demo, period, run, shown};
use crate::support::bench::Bench;
use crate::support::page::{Page, Server};
use crate::support::postgres::Database;
use crate::support::webdriver::Engine;

/// The cells of the first row of a panel, and the heads above them.
fn first_row(page: &mut Page, panel: &str) -> Value {
    page.value(&format!(
        "[...document.querySelectorAll('[data-panel={panel}] table tr')].slice(0, 2).map(row => [...row.cells].map(cell => cell.innerText.trim()))"
    ))
}

#[test]
fn numbers_that_mean_nothing_under_a_filter_are_not_shown_as_facts() {
    if !Engine::Blink.is_here() {
        return;
    }
    let (bench, server, token) = demo();
    run(&bench, &["goal", "add", "Order", "--app", DEMO, "--event", "order"]);
    run(&bench, &["goal", "add", "Thanks", "--app", DEMO, "--page", "/thanks"]);
    let mut page = Page::new(&server.url, Some(&token));
    let at = |query: &str| format!("/applications/{DEMO}?period=7d&{query}");
    let tiles = ["visitors", "sessions", "page_views", "views_per_visit", "bounce_rate", "duration"];
    let orders = counted(&bench, (6, 0), "event_type = 'order'");
    let of_thanks = counted(&bench, (6, 0), "event_type = 'pageview' AND url_path = '/thanks'");
    assert!(orders[0] > 3.0, "{orders:?}");
    for filter in ["event+is+order", "goal+is+Order", "event+is+not+pageview&filter=event+is+order"] {
        page.go(&at(&format!("filter={filter}")));
        let said = tiles.map(|name| page.metric(name));
        assert_eq!(said[..2], orders[..2].iter().map(f64::to_string).collect::<Vec<_>>(), "{filter}");
        assert_eq!(said[2..5], ["–", "–", "–"], "{filter}");
        assert!(said[5].ends_with('s'), "{filter}: visits have a duration: {said:?}");
        // Nobody read the page as far as the filter knows, but the orders came from it.
        let events = bench.database.psql(
            "SELECT count(*) FROM looked WHERE event_type = 'order' AND day >= (now() AT TIME ZONE 'UTC')::date - 6",
        );
        assert_eq!(
            first_row(&mut page, "pages"),
            json!([["Page", "Events"], ["/thanks", events]]),
            "{filter}"
        );
        assert_eq!(page.value("document.querySelectorAll('[data-no-views]').length"), json!(1), "{filter}");
        page.check();
    }
    // The graph of such a number says why there is none; that of visitors is drawn.
    page.go(&at("filter=event+is+order&metric=bounce_rate"));
    assert_eq!(
        page.text(".graph"),
        "Page views and bounce rate do not apply: the filter keeps events that are not page views"
    );
    page.go(&at("filter=event+is+order"));
    assert_eq!(page.value("document.querySelectorAll('.graph svg .line').length > 0"), json!(true));
    // Where they mean something, they are there: of a goal that is a page, of a page, of visits, and of nobody.
    for (filter, wanted) in [("goal+is+Thanks", of_thanks), ("page+is+/thanks", of_thanks)] {
        page.go(&at(&format!("filter={filter}")));
        assert_eq!(shown(&mut page)[2], wanted[2], "{filter}");
        assert_eq!(page.value("document.querySelectorAll('[data-no-views]').length"), json!(0), "{filter}");
    }
    page.go(&at("filter=country+is+AQ"));
    assert_eq!([page.metric("visitors"), page.metric("page_views")], ["0", "0"]);
    // The same in a panel of one's own.
    let panel = json!({ "name": "Orders", "drawing": "number", "metrics": ["visitors", "page_views", "bounce_rate"],
        "filters": ["event is order"], "visibility": "shared" });
    let api = crate::serve::Api::start(&bench, "");
    let path = format!("/api/v1/panels?application_id={DEMO}");
    assert_eq!(api.ask("POST", &path, &crate::serve::bearer(&token), &panel.to_string()).status, 201);
    page.go(&format!("/applications/{DEMO}/panels?period=7d"));
    page.driver.until("document.querySelector('[data-own] [data-metric=bounce_rate]')");
    let said = ["visitors", "page_views", "bounce_rate"].map(|name| page.metric(name));
    assert_eq!(said, [&orders[0].to_string(), "–", "–"]);
    page.check();
    // And behind a link whose filter nobody is told.
    let body = json!({ "name": "Orders", "filters": ["event is order"] }).to_string();
    let path = format!("/api/v1/shares?application_id={DEMO}");
    let made = api.ask("POST", &path, &crate::serve::bearer(&token), &body);
    assert_eq!(made.status, 201, "{}", made.body);
    let secret = made.json()["share"].as_str().unwrap().to_owned();
    let mut guest = Page::new(&server.url, None);
    guest.go(&format!("/share?application_id={DEMO}&share={secret}&period=7d"));
    let said = tiles.map(|name| guest.metric(name));
    assert_eq!(said[..2], orders[..2].iter().map(f64::to_string).collect::<Vec<_>>());
    assert_eq!(said[2..5], ["–", "–", "–"]);
}

#[test]
fn crawlers_have_names_and_their_pages_are_a_click_away() {
    if !Engine::Blink.is_here() {
        return;
    }
    let (bench, server, token) = demo();
    let by = |what: &str, condition: &str| -> Value {
        let sql = format!(
            "SELECT coalesce(json_agg(json_build_array({what}, n)), '[]') FROM (SELECT {what}, count(*) AS n \
             FROM access_log_details l JOIN applications a ON a.id = l.app_id WHERE a.app_key = '{DEMO}' AND traffic_class = 'ai_bot' \
             AND {condition} AND (occurred_at AT TIME ZONE 'UTC')::date >= (now() AT TIME ZONE 'UTC')::date - 6 \
             GROUP BY 1 ORDER BY n DESC, 1 LIMIT 3) x"
        );
        serde_json::from_str(&bench.database.psql(&sql)).unwrap()
    };
    let mut page = Page::new(&server.url, Some(&token));
    page.go(&format!("/applications/{DEMO}?period=7d"));
    page.driver.until("document.querySelector('[data-left-out] a')");
    page.driver.js("[...document.querySelectorAll('[data-left-out] a')].find(one => one.innerText.startsWith('AI crawlers')).click()");
    page.driver.until("document.querySelector('[data-traffic=ai_bot]')");
    page.driver.until("document.querySelector('[data-panel=devices] tbody [data-value=GPTBot]')");
    assert!(page.value("location.search").as_str().unwrap().contains("class=ai_bot"));
    assert_eq!(page.text("[data-panel=devices] [aria-selected=true]"), "Programs");
    assert_eq!(page.value("document.querySelectorAll('.keep').length"), json!(0), "panels are of people");
    // As many page views as SQL counts, of the programs and of the pages that one of them read.
    let opened = |page: &mut Page, panel: &str| -> Vec<(String, String)> {
        page.driver.js(&format!("document.querySelector('[data-panel={panel}] button.all').click()"));
        page.driver.until("document.querySelectorAll('dialog tbody tr').length > 0");
        let rows = page.value(
            "[...document.querySelectorAll('dialog tbody tr')].map(row => \
             [row.cells[0].innerText.trim(), row.querySelector('[data-column=page_views]').innerText.replace(/,/g, '')])",
        );
        let csv = page.value("document.querySelector('dialog a[href*=csv]').href");
        assert!(csv.as_str().unwrap().contains("class=ai_bot"), "{csv}");
        page.driver.js("document.querySelector('dialog').close()");
        page.driver.until("!document.querySelector('dialog')");
        serde_json::from_value(rows).unwrap()
    };
    let agrees = |shown: &[(String, String)], wanted: &Value| {
        let wanted = wanted.as_array().unwrap();
        assert!(!wanted.is_empty());
        for one in wanted {
            let row = shown.iter().find(|(name, _)| name.as_str() == one[0].as_str().unwrap());
            assert_eq!(row.map(|row| row.1.as_str()), Some(one[1].to_string().as_str()), "{one}: {shown:?}");
        }
    };
    let programs = by("browser", "true");
    assert!(programs.to_string().contains("ClaudeBot"), "{programs}");
    agrees(&opened(&mut page, "devices"), &programs);
    page.driver.js("document.querySelector('[data-panel=devices] [data-value=GPTBot] a').click()");
    page.driver
        .until("document.querySelectorAll('.chips .chip').length === 2 && !document.querySelector('.old')");
    agrees(&opened(&mut page, "pages"), &by("url_path", "browser = 'GPTBot'"));
    assert!(
        page.value("document.querySelector('[data-left-out]').innerText")
            .as_str()
            .unwrap()
            .contains("People")
    );
    page.check();
    // Back to people: by the chip, and by another page of the application.
    page.driver.js("document.querySelector('[data-traffic] .x').click()");
    page.driver.until("!document.querySelector('[data-traffic]')");
    assert!(!page.value("location.search").as_str().unwrap().contains("class"));
    page.go(&format!("/applications/{DEMO}?period=7d&class=nonsense"));
    assert_eq!(page.value("document.querySelectorAll('[data-traffic]').length"), json!(0));
    page.check();
}

#[test]
fn a_customer_and_an_order_are_found_and_a_visit_says_what_was_bought() {
    if !Engine::Blink.is_here() {
        return;
    }
    let (bench, server, token) = demo();
    let mut page = Page::new(&server.url, Some(&token));
    let found = |page: &mut Page, text: &str, condition: &str| {
        let events = bench.database.psql(&format!("SELECT count(*) FROM access_logs WHERE {condition}"));
        page.go(&format!("/applications/{DEMO}/search?period=30d&text={text}"));
        page.driver.until(&format!("document.querySelector('[data-total]')?.dataset.total === '{events}'"));
        assert_ne!(events, "0", "{text}");
    };
    let order = "SELECT entity_id || ' ' || (params #>> '{custom,total}') || ' ' || visitor_id \
                 FROM access_logs WHERE event_type = 'order' ORDER BY occurred_at DESC LIMIT 1";
    let order = bench.database.psql(order);
    let [number, total, visitor] = order.split(' ').collect::<Vec<_>>()[..] else { panic!("{order}") };
    let customer = bench.database.psql(
        "SELECT user_id FROM access_logs WHERE user_id IS NOT NULL GROUP BY 1 ORDER BY count(*), 1 LIMIT 1",
    );
    found(&mut page, &customer.to_uppercase(), &format!("user_id = '{customer}'"));
    found(&mut page, number, &format!("entity_id = '{number}'"));
    found(
        &mut page,
        "raised+bed",
        "title ILIKE '%raised bed%' OR params::text ILIKE '%raised bed%' OR referrer ILIKE '%raised bed%'",
    );
    // The name of a parameter is nothing that an event says.
    page.go(&format!("/applications/{DEMO}/search?period=30d&text=result_count"));
    page.driver.until("document.querySelector('[data-total]')?.dataset.total === '0'");
    found(&mut page, number, &format!("entity_id = '{number}'"));
    // What the row says has the user agent, and the class a name.
    page.driver.js("document.querySelector('.found [data-event] button').click()");
    page.driver.until("document.querySelector('.details')");
    assert!(page.text(".details").contains("user_agent\nMozilla/5.0"), "{}", page.text(".details"));
    // The last visit with an order.
    page.go(&format!("/applications/{DEMO}/visits?period=30d&filter=event+is+order"));
    page.driver.until(&format!("document.querySelector('[data-visit=\"{visitor}\"]')"));
    page.driver.js(&format!("document.querySelector('[data-visit=\"{visitor}\"] button').click()"));
    page.driver.until("document.querySelector('dialog[open] [data-event]')");
    let said = page.text("dialog");
    for part in [number, &format!("€{total}"), "read for ", "/thanks"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!said.contains("engagement"), "{said}");
    let facts = bench.database.psql(&format!(
        "SELECT browser || ' ' || os FROM access_log_details WHERE visitor_id = {visitor} LIMIT 1"
    ));
    let shown = page.text("[data-facts]").replace(" · ", " ");
    assert!(shown.contains(&facts) && shown.split(' ').count() > 3, "{facts}: {shown}");
    page.check();
}

/// Opens all values of what a panel shows.
fn open(page: &mut Page, path: &str, panel: &str) {
    page.go(path);
    page.driver.js(&format!("document.querySelector('[data-panel={panel}] button.all').click()"));
    page.driver.until("document.querySelectorAll('dialog tbody tr').length > 0");
}

/// The columns of the open list.
fn columns(page: &mut Page) -> Vec<String> {
    let found = page.value(
        "[...document.querySelectorAll('dialog tbody tr:first-child td')].map(cell => cell.dataset.column)",
    );
    serde_json::from_value(found).unwrap()
}

/// The cells of a column of the open list, from top to bottom.
fn cells(page: &mut Page, column: &str) -> Vec<String> {
    let found = page.value(&format!(
        "[...document.querySelectorAll('dialog [data-column={column}]')].map(cell => cell.innerText)"
    ));
    serde_json::from_value(found).unwrap()
}

fn whole(text: &str) -> u64 {
    text.replace(',', "").parse().unwrap()
}

/// Sorts the open list by the head of a column, twice: the most first, and the least.
fn check_sorts(page: &mut Page, column: &str, head: &str) {
    for (direction, is_down) in [("descending", true), ("ascending", false)] {
        page.driver.js(&format!(
            "[...document.querySelectorAll('dialog thead button')].find(one => one.innerText.startsWith({})).click()",
            json!(head)
        ));
        page.driver.until(&format!(
            "document.querySelector('dialog [aria-sort={direction}] button')?.innerText.startsWith({})",
            json!(head)
        ));
        let mut numbers: Vec<u64> = cells(page, column).iter().map(|cell| whole(cell)).collect();
        assert!(numbers.iter().any(|number| *number != numbers[0]), "{column}: {numbers:?}");
        if is_down {
            numbers.reverse();
        }
        assert!(numbers.is_sorted(), "{column}, {direction}: {numbers:?}");
    }
}

#[test]
fn each_list_opens_sorts_and_says_what_it_is_worth() {
    if !Engine::Blink.is_here() {
        return;
    }
    let (bench, server, token) = demo();
    let of_people = "visitor_id IS NOT NULL AND day >= (now() AT TIME ZONE 'UTC')::date - 6";
    let mut page = Page::new(&server.url, Some(&token));
    let at = |query: &str| format!("/applications/{DEMO}?period=7d&{query}");
    // A list with fewer values than there is room for.
    open(&mut page, &at("lists=device"), "devices");
    assert_eq!(
        columns(&mut page),
        ["visitors", "sessions", "page_views", "bounce_rate", "duration", "orders", "revenue", "share"]
    );
    let orders: u64 = cells(&mut page, "orders").iter().map(|cell| whole(cell)).sum();
    let by_sql = bench
        .database
        .psql(&format!("SELECT count(*) FROM looked WHERE event_type = 'order' AND {of_people}"));
    assert_eq!(orders.to_string(), by_sql);
    // Its worth has a currency and two digits, and is what SQL says in cents.
    let revenue = cells(&mut page, "revenue");
    let cents = |text: &str| -> u64 {
        let digits = text.strip_prefix('€').unwrap_or_else(|| panic!("{text}"));
        let (whole, cents) = digits.split_once('.').unwrap();
        assert_eq!(cents.len(), 2, "{text}");
        whole.replace(',', "").parse::<u64>().unwrap() * 100 + cents.parse::<u64>().unwrap()
    };
    let sum: u64 = revenue.iter().filter(|cell| *cell != "–").map(|cell| cents(cell)).sum();
    let by_sql = bench.database.psql(&format!(
        "SELECT (sum((params -> 'custom' ->> 'total')::numeric) * 100)::bigint FROM looked WHERE event_type = 'order' AND {of_people}"
    ));
    assert_eq!(sum.to_string(), by_sql);
    let visitors: u64 = cells(&mut page, "visitors").iter().map(|cell| whole(cell)).sum();
    assert_eq!(visitors.to_string(), counted(&bench, (6, 0), "visitor_id IS NOT NULL")[0].to_string());
    assert_eq!(page.value("document.querySelectorAll('dialog a[download]').length"), json!(1));
    check_sorts(&mut page, "orders", "Orders");
    page.check_access();
    page.check();
    // Searches: by what found nothing; page views, which they have none of, are left out.
    open(&mut page, &at("lists=search"), "events");
    assert_eq!(columns(&mut page), ["visitors", "sessions", "events", "no_results", "share"]);
    check_sorts(&mut page, "no_results", "No results");
    // A page has orders of its own only where they are sent from.
    open(&mut page, &at("filter=device+is+desktop"), "pages");
    assert_eq!(columns(&mut page), ["visitors", "sessions", "page_views", "share"]);
    // An exit page has no page views of its own.
    open(&mut page, &at("lists=exit_page"), "pages");
    assert_eq!(columns(&mut page), ["visitors", "sessions", "orders", "revenue", "share"]);
    // Compared, changes sort with the greatest loss first, as elsewhere.
    open(&mut page, &format!("/applications/{DEMO}?period=3d&compare=previous"), "sources");
    assert!(columns(&mut page).contains(&"change".to_owned()));
    check_goals(&bench, &mut page);
}

/// Goals have the share of the visitors who reached them, beside what they are worth.
fn check_goals(bench: &Bench, page: &mut Page) {
    run(bench, &["goal", "add", "Order", "--app", DEMO, "--event", "order"]);
    page.go(&format!("/applications/{DEMO}?period=7d&lists=goal"));
    let [all, buyers] =
        ["true", "event_type = 'order'"].map(|condition| counted(bench, (6, 0), condition)[0]);
    let row = first_row(page, "events");
    assert_eq!(row[0], json!(["Goal", "Visitors", "Conversion", "Revenue"]));
    assert_eq!((&row[1][0], &row[1][1]), (&json!("Order"), &json!(buyers.to_string())));
    let shown = row[1][2].as_str().unwrap().trim_end_matches('%').parse::<f64>().unwrap();
    assert!((shown - 100.0 * buyers / all).abs() < 0.51, "{row}");
    assert!(row[1][3].as_str().unwrap().starts_with('€'), "{row}");
    open(page, &format!("/applications/{DEMO}?period=7d&lists=goal"), "events");
    assert_eq!(columns(page), ["visitors", "sessions", "orders", "revenue", "share"]);
    page.check();
}

#[test]
fn empty_goals_lead_to_the_settings_which_know_what_there_is() {
    if !Engine::Blink.is_here() {
        return;
    }
    let (_bench, server, token) = demo();
    let mut page = Page::new(&server.url, Some(&token));
    page.go(&format!("/applications/{DEMO}?period=7d&lists=goal&filter=device+is+phone"));
    let said = page.text("[data-panel=events] .nothing");
    assert!(said.starts_with("No goal yet") && !said.contains('`'), "{said}");
    page.driver.js("document.querySelector('[data-panel=events] .nothing a').click()");
    page.driver.until(&format!(
        "location.pathname === '/applications/{DEMO}/settings' && !location.search.includes('filter')"
    ));
    page.settle();
    let form = "document.querySelector('[data-setting=goals] form')";
    let known = format!("[...{form}.querySelectorAll('datalist option')].map(one => one.value)");
    page.driver.until(&format!("{known}.includes('order') && {form}.elements.value.list"));
    assert!(!page.value(&known).as_array().unwrap().contains(&json!("/cart")));
    page.driver.js(&format!(
        "const kind = {form}.elements.kind; kind.value = 'page'; kind.dispatchEvent(new Event('change', {{ bubbles: true }}))"
    ));
    page.driver.until(&format!("{known}.includes('/cart') && !{known}.includes('order')"));
    page.driver.js(&format!("const form = {form}; form.elements.name.value = 'In the cart'; form.elements.value.value = '/cart'; form.requestSubmit()"));
    page.driver
        .until("document.querySelector('[data-setting=goals] tbody')?.innerText.includes('Page /cart')");
    // The form is empty again, and suggests what its choice says.
    page.driver.until(&format!("{form}.elements.kind.value === 'event' && {known}.includes('order')"));
    page.check_access();
    page.check();
}

#[test]
fn filters_and_tabs_are_in_sight() {
    if !Engine::Blink.is_here() {
        return;
    }
    let (_bench, server, token) = demo();
    let mut page = Page::new(&server.url, Some(&token));
    let button = "(({ className, innerText, dataset }) => [className, innerText.trim().replace(/\\s+/g, ' '), dataset.filters])(document.querySelector('.bar [data-filters]'))";
    page.go(&format!("/applications/{DEMO}?period=7d"));
    assert_eq!(page.value(button), json!(["pill", "Filter", "0"]));
    for path in ["", "/funnel", "/retention", "/visits"] {
        page.go(&format!(
            "/applications/{DEMO}{path}?period=7d&filter=browser+is+Chrome&filter=device+is+not+tv"
        ));
        assert_eq!(page.value(button), json!(["pill on", "Filter 2", "2"]), "{path}");
        let colour = "getComputedStyle(document.querySelector('.bar [data-filters]')).backgroundColor";
        assert_ne!(page.value(colour), json!("rgba(0, 0, 0, 0)"), "{path}");
    }
    // No tab is cut off, in any language, at any width.
    for language in ["de", "ja", "ko", "en"] {
        page.driver.js(&format!("localStorage.setItem('alt.language', '{language}')"));
        for width in [390, 1366] {
            let size = json!({ "width": width, "height": 850, "deviceScaleFactor": 1, "mobile": false });
            page.driver.cdp("Emulation.setDeviceMetricsOverride", &size);
            page.go(&format!("/applications/{DEMO}?period=7d&lists=click"));
            let cut = page.value(
                "[...document.querySelectorAll('.tabs button')].filter(one => { const [own, all] = [one, one.closest('.panel')].map(of => of.getBoundingClientRect());
                    return own.left < all.left || own.right > all.right || own.width < 8 }).map(one => one.innerText)",
            );
            assert_eq!(cut, json!([]), "{language}, {width}");
            page.check();
        }
    }
}

#[test]
fn the_system_says_whether_a_daemon_runs() {
    if !Engine::Blink.is_here() {
        return;
    }
    let mut bench = Bench::not_started("[[source]]\npaths = [\"DIR/beacon.log\"]", Database::create());
    let text = std::fs::read_to_string(&bench.config).unwrap();
    std::fs::write(&bench.config, format!("{text}\n[stats]\nenabled = true\n")).unwrap();
    // A command loads rows and takes leases, too: that is no daemon.
    run(&bench, &["demo", "--days", "2", "--visitors", "10"]);
    let server = Server::start(&bench, "");
    let said: Value =
        serde_json::from_str(&run(&bench, &["token", "add", "of the test", "--role", "owner", "--json"]))
            .unwrap();
    let mut page = Page::new(&server.url, said["token"].as_str());
    page.go("/system");
    assert_eq!(
        page.text("[data-health] li").replace('\n', " "),
        "No daemon is running: what nginx logs now is not loaded systemctl status alt"
    );
    page.check();
    bench.start();
    page.driver.until("!document.querySelector('[data-health]').innerText.includes('No daemon')");
    let version = env!("CARGO_PKG_VERSION");
    // Right after its start, it is not known yet by how much it is behind.
    page.driver.until("document.querySelector('[data-figure=lag] dd').innerText === 'nothing'");
    let running = page.text("[data-setting=daemons] tbody tr");
    assert!(running.contains(version) && running.contains("runs now"), "{running}");
    page.check();
    // One that was told to end is missed if there is no other.
    bench.stop();
    page.go("/system");
    assert!(page.text("[data-health] li").starts_with("No daemon is running"));
    let ended = page.text("[data-setting=daemons] tbody tr");
    assert!(ended.contains("stopped"), "{ended}");
    // One that was not is missed beside others, until a day later.
    // Entries of the ledger go once they are read: what was loaded long ago was loaded.
    bench.database.psql("DELETE FROM batches");
    let other = "INSERT INTO daemons VALUES ('web-2', '/etc/alt/alt.toml', '1.0', 1, now(), now(), NULL, 75); \
                 UPDATE daemons SET host = 'web-1', ended_at = NULL, seen_at = now() - interval '3 minutes' WHERE host <> 'web-2'";
    bench.database.psql(other);
    page.go("/system");
    let sick = page.text("[data-health]");
    assert!(sick.contains("The daemon of web-1 was last seen 3 minutes ago"), "{sick}");
    assert!(sick.contains("Loading is behind by 1m 15s"), "{sick}");
    assert!(!sick.contains("Nothing was ever loaded"), "{sick}");
    assert!(page.text("[data-figure=last_loaded] dd").ends_with("ago"));
    bench.database.psql("UPDATE daemons SET seen_at = now() - interval '25 hours' WHERE host = 'web-1'; UPDATE daemons SET lag = 0, seen_at = now()  WHERE host = 'web-2'");
    page.go("/system");
    let sick = page.text("[data-health]");
    assert!(!sick.contains("web-1") && !sick.contains("behind"), "{sick}");
}

#[test]
fn the_duration_of_visits_is_the_same_on_the_page_and_in_the_terminal() {
    if !Engine::Blink.is_here() {
        return;
    }
    let (bench, server, token) = demo();
    let mut page = Page::new(&server.url, Some(&token));
    for day in 1..8 {
        let days = period(&bench, (day, day));
        page.go(&format!("/applications/{DEMO}?period={days}"));
        let (minutes, seconds) = page
            .metric("duration")
            .trim_end_matches('s')
            .split_once("m ")
            .map(|(m, s)| (m.to_owned(), s.to_owned()))
            .unwrap();
        let said = run(&bench, &["stats", "--app", "Demo", "--period", &days]);
        let wanted = format!("{minutes}m {seconds:0>2}s");
        assert!(said.contains(&wanted), "{wanted}: {said}");
    }
}

#[test]
fn a_funnel_answers_while_its_steps_are_named() {
    if !Engine::Blink.is_here() {
        return;
    }
    let (_bench, server, token) = demo();
    let mut page = Page::new(&server.url, Some(&token));
    page.go(&format!("/applications/{DEMO}/funnel?period=7d"));
    let input = |n: usize| format!("document.querySelectorAll('.builder input[list]')[{n}]");
    let focus = |page: &mut Page, n: usize| page.driver.js(&format!("{}.focus()", input(n)));
    focus(&mut page, 0);
    page.driver.keys(&["/cart"]);
    page.driver.until("location.search.includes('step=page+/cart')");
    focus(&mut page, 1);
    // The field is not left, and nothing is pressed.
    page.driver.keys(&["/thanks"]);
    page.driver.until("document.querySelectorAll('[data-funnel] [data-step]').length === 2");
    assert_eq!(page.value(&format!("document.activeElement === {}", input(1))), json!(true));
    // What is typed stays as it is, also with a space at its end, and the answer follows.
    page.driver.keys(&["* "]);
    page.driver.until("location.search.includes('step=page+/thanks*')");
    assert_eq!(page.value(&format!("{}.value", input(1))), json!("/thanks* "));
    page.driver.keys(&["where device is phone"]);
    page.driver.until("location.search.includes('device+is+phone')");
    page.settle();
    assert_eq!(page.value(&format!("{}.value", input(1))), json!("/thanks* where device is phone"));
    // Steps that change their places take their texts along.
    page.driver.js("document.querySelectorAll('.builder button.icon')[2].click()");
    page.driver.until(&format!(
        "{}.value === '/thanks* where device is phone' && {}.value === '/cart'",
        input(0),
        input(1)
    ));
    page.check();
}

#[test]
fn an_hour_opens_as_a_filter() {
    if !Engine::Blink.is_here() {
        return;
    }
    let (bench, server, token) = demo();
    let mut page = Page::new(&server.url, Some(&token));
    let day = period(&bench, (1, 1));
    let of_hour = |hour: u32| {
        counted(&bench, (1, 1), &format!("extract(hour FROM occurred_at AT TIME ZONE 'UTC') = {hour}"))
    };
    // A column of the hours; a second click takes the filter away.
    page.go(&format!("/applications/{DEMO}?period={day}"));
    let all = shown(&mut page);
    page.driver.js("document.querySelectorAll('.hours a')[15].click()");
    page.driver.until("location.search.includes('filter=hour+is+15')");
    page.settle();
    assert_eq!(shown(&mut page), of_hour(15));
    assert!(shown(&mut page)[0] > 1.0);
    assert_eq!(page.text(".chip").replace('\n', " "), "Hour is 15:00 ×");
    page.check_access();
    page.driver.js("document.querySelectorAll('.hours a')[15].click()");
    page.driver.until("!location.search.includes('filter')");
    page.settle();
    assert_eq!(shown(&mut page), all);
    // A point of a graph of hours leads to the hour of its day, in place of another hour.
    let week = period(&bench, (1, 0));
    page.go(&format!("/applications/{DEMO}?period={week}&interval=hour&filter=hour+is+3"));
    page.driver.js("document.querySelector('.graph svg').focus()");
    page.driver.keys(&[&["\u{E011}"][..], &["\u{E014}"; 14][..], &[ENTER]].concat());
    page.driver.until("location.search.includes('filter=hour+is+14')");
    page.settle();
    let search = page.value("location.search").as_str().unwrap().to_owned();
    assert!(search.contains(&format!("period={day}")) && !search.contains("hour+is+3"), "{search}");
    assert_eq!(shown(&mut page), of_hour(14));
    page.check();
}

#[test]
fn a_period_is_compared_with_the_same_days_of_the_week_or_of_the_year() {
    if !Engine::Blink.is_here() {
        return;
    }
    let (bench, server, token) = demo();
    let api = crate::serve::Api::start(&bench, "");
    let ask = |compare: &str, days: &str| {
        let path = format!("/api/v1/statistics?application_id={DEMO}&period={days}&compare={compare}");
        api.get(&path, &token)
    };
    let day = |ago: i32| period(&bench, (ago, ago)).split("..").next().unwrap().to_owned();
    let (yesterday, two) = (period(&bench, (1, 1)), period(&bench, (1, 0)));
    for (days, compare, from, until) in [
        (&yesterday, "previous", day(2), day(2)),
        (&yesterday, "week", day(8), day(8)),
        (&two, "week", day(8), day(7)),
        (&two, "previous", day(3), day(2)),
    ] {
        let said = ask(compare, days).json();
        let told = &said["compared_with"];
        assert_eq!(
            (&told["from"], &told["until"]),
            (&json!(from), &json!(until)),
            "{days} {compare}: {told}"
        );
    }
    let a_year =
        bench.database.psql("SELECT ((now() AT TIME ZONE 'UTC')::date - 1 - interval '1 year')::date");
    assert_eq!(ask("year", &yesterday).json()["compared_with"]["from"], json!(a_year));
    let said = ask("month", &yesterday);
    assert!(said.status == 400 && said.body.contains("compare is previous, week or year"), "{}", said.body);
    let mut page = Page::new(&server.url, Some(&token));
    page.go(&format!("/applications/{DEMO}?period={yesterday}&compare=previous"));
    let before = page.value("document.querySelector('[data-metric=visitors] .change').title");
    assert_eq!(before, json!(format!("Before: {}", counted(&bench, (2, 2), "true")[0])));
    let choose = |page: &mut Page, name: &str| {
        page.driver.js(&format!(
            "const choice = document.querySelector('[name=earlier]'); choice.value = '{name}'; choice.dispatchEvent(new Event('change', {{ bubbles: true }}))"
        ));
        page.driver.until(&format!("location.search.includes('earlier={name}')"));
        page.settle();
    };
    // The demo is not so old: nothing is compared, and that is said.
    choose(&mut page, "week");
    choose(&mut page, "year");
    assert!(page.text(".legend").contains("no numbers of"), "{}", page.text(".legend"));
    assert_eq!(page.text("[data-metric=visitors] .change"), "");
    choose(&mut page, "previous");
    assert_eq!(page.value("document.querySelector('[data-metric=visitors] .change').title"), before);
    page.check();
    // Weeks are periods, and one that goes on is compared with the same days of the one before.
    page.go(&format!("/applications/{DEMO}?period=week"));
    assert_eq!(page.value("document.querySelector('[name=earlier]').value"), json!("week"));
    let gone: i32 =
        bench.database.psql("SELECT extract(isodow FROM now() AT TIME ZONE 'UTC')::int - 1").parse().unwrap();
    assert_eq!(shown(&mut page), counted(&bench, (gone, 0), "true"));
    page.go(&format!("/applications/{DEMO}?period=last_week"));
    assert_eq!(page.value("document.querySelector('[name=earlier]').value"), json!("previous"));
    assert_eq!(shown(&mut page), counted(&bench, (gone + 7, gone + 1), "true"));
    page.check_access();
    page.check();
}
