//! What the events of an application say by names of its own, on the page: chosen in the settings, shown, summed and filtered by
//! as plain SQL says.

use serde_json::{Value, json};

use crate::dashboard::{DEMO, TAB, demo, run, share};
use crate::serve::{Api, bearer, token};
use crate::support::bench::Bench;
use crate::support::page::Page;
use crate::support::webdriver::Engine;

/// The names of properties of made events, and what SQL has them by: one of them has a space and a comma.
const PLAN: &str = "params #>> '{custom,plan}'";
const POINTS: &str = "params #>> '{custom,points}'";
const COUPON: &str = "coupon, code";

/// Lets events of the demo say a plan, points and a coupon, of which some points are no number.
pub(crate) fn say_properties(bench: &Bench) {
    bench.database.psql(
        "UPDATE access_logs l SET params = coalesce(params, '{}') || jsonb_build_object('custom', coalesce(params -> 'custom', '{}') \
             || jsonb_build_object('plan', (ARRAY['free', 'pro', 'team & co'])[1 + n % 3], \
                    'points', CASE WHEN n % 40 = 0 THEN '\"none\"'::jsonb ELSE to_jsonb(n % 7 + 0.5) END, 'coupon, code', 'C' || n % 4)) \
         FROM (SELECT event_id AS id, row_number() OVER (ORDER BY event_id) AS n FROM access_logs WHERE event_type IN ('click', 'order', 'search')) AS chosen \
         WHERE l.event_id = chosen.id",
    );
}

/// By value, as SQL counts the last seven days of people: visitors, events, sum of the points.
fn counted(bench: &Bench, value: &str, condition: &str) -> Vec<String> {
    let found = bench.database.psql(&format!(
        "SELECT {value} || '|' || count(DISTINCT ((occurred_at AT TIME ZONE 'UTC')::date, visitor_id)) || '|' || count(*) || '|' \
             || trim_scale(coalesce(sum(CASE WHEN {POINTS} ~ '^[0-9.]+$' THEN ({POINTS})::numeric END), 0)) \
         FROM access_logs l JOIN applications a ON a.id = l.app_id WHERE app_key = '{DEMO}' AND traffic_class = 'human' AND ({condition}) \
             AND event_type NOT IN ('request', 'engagement') AND {value} IS NOT NULL AND occurred_at AT TIME ZONE 'UTC' >= (now() AT TIME ZONE 'UTC')::date - 6 GROUP BY {value}"
    ));
    let mut lines: Vec<String> = found.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

const PANEL: &str = "document.querySelector('[data-panel=properties]')";

/// The rows of the panel, as [`counted`] writes them.
fn shown(page: &mut Page, has_sum: bool) -> Vec<String> {
    if has_sum {
        page.driver.until(&format!("{PANEL}.querySelector('[data-third]')?.title"));
    }
    let rows = page.value(&format!(
        "[...{PANEL}.querySelectorAll('tbody tr')].map(row => [row.dataset.value, ...[...row.querySelectorAll('td')].map((cell, n) => \
             (n === 1 ? cell.innerText : cell.title).replaceAll(',', ''))].join('|'))"
    ));
    let mut rows: Vec<String> = serde_json::from_value(rows).unwrap();
    rows.sort();
    rows
}

fn without_sum(lines: &[String]) -> Vec<String> {
    lines.iter().map(|line| line.rsplit_once('|').unwrap().0.to_owned()).collect()
}

/// Chooses an option of a select of the panel, as a keyboard does it.
fn choose(page: &mut Page, name: &str, value: &str) {
    page.driver.js(&format!("{PANEL}.querySelector('select[name={name}]').focus()"));
    page.driver.keys(&[value]);
    page.settle();
}

#[test]
fn the_panel_of_properties_is_what_sql_says_plain_filtered_and_summed() {
    if !Engine::Blink.is_here() {
        return;
    }
    let (bench, server, owner) = demo();
    say_properties(&bench);
    let mut page = Page::new(&server.url, Some(&owner));
    let app = format!("/applications/{DEMO}");
    // None is chosen: it says what to do, and leads there.
    page.go(&format!("{app}?period=7d"));
    let said = page.text("[data-panel=properties]");
    assert!(said.contains("No property is chosen yet"), "{said}");
    page.check_access();
    page.driver.js(&format!("{PANEL}.querySelector('a').click()"));
    page.driver.until("document.querySelector('[data-setting=properties] [name=name]')");
    page.settle();
    chosen_in_settings(&bench, &mut page);
    // Days that were computed before are missing, which is said.
    page.go(&format!("{app}?period=7d"));
    page.driver.until(&format!("{PANEL}.querySelector('[data-part]')"));
    let said = page.text("[data-panel=properties] [data-part]");
    assert!(said.contains("plan") && said.contains("alt stats rebuild"), "{said}");
    page.check_access();
    run(&bench, &["stats", "rebuild", "--app", DEMO]);
    page.go(&format!("{app}?period=7d"));
    page.driver.until(&format!("{PANEL}.querySelector('tbody tr')"));
    let plans = counted(&bench, PLAN, "true");
    assert!(plans.len() == 3 && plans[2].starts_with("team & co|"), "{plans:?}");
    assert_eq!(shown(&mut page, false), without_sum(&plans));
    assert_eq!(page.value(&format!("{PANEL}.querySelector('[data-part]')")), Value::Null);
    // Summed by another, with the keyboard; and by itself unasked, if it is a number.
    page.driver.js(&format!("{PANEL}.querySelector('select[name=property]').focus()"));
    page.driver.keys(&[TAB, "Sum of points"]);
    page.driver.until("location.search.includes('sum=points')");
    page.settle();
    assert_eq!(shown(&mut page, true), plans);
    page.check_access();
    choose(&mut page, "property", "points");
    page.driver.until("decodeURIComponent(location.search).includes('lists=property:points')");
    page.go(&format!("{app}?period=7d&lists=property:points"));
    page.driver.until(&format!("{PANEL}.querySelector('[data-sum]')"));
    let sums =
        counted(&bench, POINTS, "true").into_iter().map(|line| line.rsplit_once('|').unwrap().1.to_owned());
    let total: f64 = sums.map(|sum| sum.parse::<f64>().unwrap()).sum();
    let said = page.value(&format!("Number({PANEL}.querySelector('[data-sum]').dataset.sum)"));
    assert_eq!(said.as_f64(), Some(total));
    assert!(page.text("[data-panel=properties] [data-sum]").contains("no number"));
    filtered(&bench, &mut page);
    // A share sees the same; one that is bound sees its part.
    let secret = share(&server, &owner);
    let mut other = Page::new(&server.url, None);
    other.go(&format!("/share?application_id={DEMO}&share={secret}&period=7d&sum=points"));
    other.driver.until(&format!("{PANEL}.querySelector('tbody tr')"));
    assert_eq!(shown(&mut other, true), plans);
    other.check();
    other.check_access();
    let bound = token(&bench, &["--app", DEMO, "--filter", "browser is Chrome"]);
    let mut other = Page::new(&server.url, Some(&bound));
    other.go(&format!("{app}?period=7d&sum=points"));
    other.driver.until(&format!("{PANEL}.querySelector('tbody tr')"));
    let part =
        counted(&bench, PLAN, "user_agent_id IN (SELECT id FROM user_agents WHERE browser = 'Chrome')");
    assert_eq!(shown(&mut other, true), part);
    assert_ne!(part, plans);
}

/// Chooses properties in the settings, of which one is taken away again.
fn chosen_in_settings(bench: &Bench, page: &mut Page) {
    let card = "document.querySelector('[data-setting=properties]')";
    page.check_access();
    for (n, name) in ["plan", "points", COUPON, "nonsense"].into_iter().enumerate() {
        page.driver.js(&format!("{card}.querySelector('[name=name]').focus()"));
        page.driver.keys(&[name, "\u{E007}"]);
        page.driver.until(&format!("{card}.querySelectorAll('tbody tr').length === {}", n + 1));
    }
    page.driver.js(&format!("[...{card}.querySelectorAll('tbody button')].at(-1).click()"));
    page.driver.until(&format!("{card}.querySelector('.sure')"));
    page.driver.js(&format!("{card}.querySelector('.sure').click()"));
    page.driver.until(&format!("{card}.querySelectorAll('tbody tr').length === 3"));
    let kept = bench
        .database
        .psql(&format!("SELECT array_to_string(properties, '|') FROM applications WHERE app_key = '{DEMO}'"));
    assert_eq!(kept, format!("plan|points|{COUPON}"));
    let told = bench.database.psql(
        "SELECT actor_kind, count(*), max(jsonb_array_length(after -> 'properties')) FROM audit_log WHERE action = 'application.properties' GROUP BY 1",
    );
    assert_eq!(told, "token|5|4");
    page.check();
}

/// A row is a filter, by a name with a space and a comma, too; turned around, it leaves out.
fn filtered(bench: &Bench, page: &mut Page) {
    page.go(&format!("/applications/{DEMO}?period=7d&lists=property:coupon%252C+code&sum=points"));
    page.driver.until(&format!("{PANEL}.querySelector('tbody tr')"));
    let coupon = format!("params #>> '{{custom,\"{COUPON}\"}}'");
    assert_eq!(shown(page, true), counted(bench, &coupon, "true"));
    page.driver.js(&format!("{PANEL}.querySelector('[data-value=C1] a').click()"));
    page.driver.until("document.querySelector('.chip')");
    page.settle();
    assert_eq!(
        page.value("new URLSearchParams(location.search).getAll('filter')"),
        json!([format!("property:{COUPON} is C1")])
    );
    assert!(page.text(".chip").starts_with("coupon, code is C1"), "{}", page.text(".chip"));
    let kept = format!("{coupon} = 'C1'");
    page.go(&format!("/applications/{DEMO}?period=7d&sum=points&filter=property:coupon,+code+is+C1"));
    page.driver.until(&format!("{PANEL}.querySelector('tbody tr')"));
    assert_eq!(shown(page, true), counted(bench, PLAN, &kept));
    page.driver.js("document.querySelector('.chip button').click()");
    page.driver.until("document.querySelector('.chip.not')");
    page.settle();
    assert_eq!(shown(page, true), counted(bench, PLAN, &format!("({kept}) IS NOT TRUE")));
    page.check();
}

#[test]
fn properties_are_chosen_by_editors_and_checked() {
    let bench = Bench::not_started(
        "[[source]]\npaths = [\"DIR/beacon.log\"]",
        crate::support::postgres::Database::create(),
    );
    let api = Api::start(&bench, "");
    let key = crate::support::lines::KEY;
    let [viewer, editor] =
        ["viewer", "editor"].map(|role| bearer(&token(&bench, &["--app", key, "--role", role])));
    let path = format!("/api/v1/applications/{key}");
    let choose =
        |who: &str, names: &Value| api.ask("PATCH", &path, who, &json!({ "properties": names }).to_string());
    assert_eq!(choose(&viewer, &json!(["plan"])).status, 403);
    let long = "x".repeat(61);
    let many: Vec<String> = (0..31).map(|n| n.to_string()).collect();
    for (wrong, why) in [
        (json!(["a", "a"]), "named twice"),
        (json!([""]), "1 to 60 bytes"),
        (json!([long]), "1 to 60 bytes"),
        (json!(["a\u{7}"]), "without control characters"),
        (json!(many), "at most 30"),
        (json!("plan"), "list of at most"),
    ] {
        let said = choose(&editor, &wrong);
        assert!(said.status == 400 && said.body.contains(why), "{wrong}: {}", said.body);
    }
    let said = choose(&editor, &json!(["plan", "module_id"]));
    assert_eq!((said.status, &said.json()["properties"]), (200, &json!(["plan", "module_id"])));
    let answer = api.ask("GET", &format!("/api/v1/statistics?application_id={key}"), &viewer, "").json();
    assert_eq!(answer["application"]["properties"], json!(["plan", "module_id"]));
    assert_eq!(run(&bench, &["app", "properties", key]).trim(), "plan module_id");
    assert_eq!(choose(&editor, &json!([])).json()["properties"], json!([]));
}
