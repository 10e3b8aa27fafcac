//! What a site owner looks for on the dashboard: numbers that mean nothing are not shown as facts, each list opens, sorts and says
//! what it is worth, and a page says where to go on.

use serde_json::{Value, json};

use crate::dashboard::{DEMO, counted, demo, run, shown};
use crate::support::page::Page;
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
        assert_eq!(first_row(&mut page, "pages"), json!([["Page", "Events"], ["/thanks", events]]), "{filter}");
        assert_eq!(page.value("document.querySelectorAll('[data-no-views]').length"), json!(1), "{filter}");
        page.check();
    }
    // The graph of such a number says why there is none; that of visitors is drawn.
    page.go(&at("filter=event+is+order&metric=bounce_rate"));
    assert_eq!(page.text(".graph"), "Page views and bounce rate do not apply: the filter keeps events that are not page views");
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
}
