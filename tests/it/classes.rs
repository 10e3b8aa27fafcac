//! Who sent a row: its class and the rule that decided it, for those who read the tables.

use serde_json::Value;

use crate::replay::{bench, counts, replay, write};
use crate::support::daemon::alt;
use crate::support::lines::{KEY, now};
use crate::support::postgres::Database;

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
const CHROME: &str = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/120.0.0.0 Safari/537.36";

/// A beacon, or with a body, a POST of the API.
fn line(n: u32, agent: &str, origin: &str, query: &str, body: &str) -> String {
    let at = now();
    let (method, path) = if body.is_empty() { ("GET", "/b") } else { ("POST", "/api/v1/track") };
    let query = if body.is_empty() { format!("a={KEY}&{query}") } else { String::new() };
    let body = body.replace('"', "\\\"");
    format!(
        "alt1\t{}.{:03}\t{n:032x}\t192.0.2.{n}\t{method}\t204\th\t{path}\t{query}\t\t{agent}\tde\t{origin}\t\t\t\t\t512\t{body}\n",
        at / 1000,
        at % 1000,
    )
}

#[test]
fn what_the_sites_own_server_posts_is_of_a_class_of_its_own() {
    let mut bench = bench();
    bench.database.psql("UPDATE applications SET allowed_domains = '{shop.example}'");
    let order = |more: &str| {
        format!(
            r#"{{"application_id":"{KEY}","event_type":"order","entity_type":"order","entity_id":"1"{more}}}"#
        )
    };
    let page = "u=https%3A%2F%2Fshop.example%2F";
    let elsewhere = "u=https%3A%2F%2Fother.example%2F";
    let lines = [
        (line(1, "python-requests/2.31", "", "", &order("")), "server", "posted by a server"),
        (line(2, "", "", "", &order("")), "server", "posted by a server"),
        (line(3, FIREFOX, "https://shop.example", "", &order("")), "human", "default"),
        (line(4, "Googlebot/2.1", "", "", &order("")), "bot", "crawler:Googlebot/"),
        (line(5, "python-requests/2.31", "", page, ""), "bot", "crawler:python-requests"),
        (line(6, FIREFOX, "", page, ""), "human", "default"),
        (line(7, FIREFOX, "", &format!("{page}&wd=1"), ""), "headless", "automation flag"),
        (line(8, CHROME, "", page, ""), "headless", "headless:HeadlessChrome"),
        (line(9, FIREFOX, "", elsewhere, ""), "suspect", "host not allowed: other.example"),
        (
            line(10, "curl/8", "", "", &order(r#","page_url":"https://other.example/""#)),
            "suspect",
            "host not allowed: other.example",
        ),
    ];
    let text: String = lines.iter().map(|(line, ..)| line.as_str()).collect();
    write(&mut bench, "log", &text, lines.len());
    let account = replay(&bench, &["log"]).unwrap();
    assert_eq!(counts(&account), (10, 10, 0), "{account}");
    let rule = |n: usize| {
        let sql = "SELECT traffic_class || '|' || coalesce(traffic_rule, 'NULL') FROM access_log_details WHERE event_id =";
        bench.database.psql(&format!("{sql} '{n:032x}'"))
    };
    for (n, (line, class, why)) in (1..).zip(&lines) {
        // An absent user agent is in no table: the view does not know it, and does not need to.
        assert_eq!(rule(n), format!("{class}|{why}"), "{line}");
        let output = alt().args(["explain", "--json", "--domain", "shop.example", line]).output().unwrap();
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        let said = &told["classified"];
        assert_eq!((&said["traffic_class"], &said["rule"]), (&(*class).into(), &(*why).into()), "{told}");
    }
    let orders = "FROM access_logs WHERE event_type = 'order' AND traffic_class IN ('human', 'server')";
    assert_eq!(bench.database.psql(&format!("SELECT count(*) {orders}")), "3");
    // A row from before the class keeps what it has, and its rule is that of its user agent. Where neither the hit nor
    // the user agent explains a class, the rule is not known.
    let set = |class: &str| {
        bench
            .database
            .psql(&format!("UPDATE access_logs SET traffic_class = '{class}' WHERE event_id = '{:032x}'", 1));
    };
    set("bot");
    assert_eq!(rule(1), "bot|crawler:python-requests");
    set("monitor");
    assert_eq!(rule(1), "monitor|NULL");
}

#[test]
fn every_table_and_column_says_what_it_is() {
    let database = Database::create();
    let silent = "SELECT string_agg(concat_ws('.', c.relname, a.attname), ' ' ORDER BY c.relname, a.attnum)
        FROM pg_class c
        JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = current_schema()
        JOIN LATERAL (SELECT 0 AS attnum, NULL::name AS attname UNION ALL
                      SELECT attnum, attname FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped) a ON true
        WHERE c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition
          AND coalesce(CASE a.attnum WHEN 0 THEN obj_description(c.oid, 'pg_class')
                       ELSE col_description(c.oid, a.attnum) END, '') = ''";
    let silent = database.psql(silent);
    assert_eq!(silent, "", "no COMMENT ON in sql/: a migration that makes one says what it is");
    let one = "SELECT col_description('access_log_details'::regclass, attnum) FROM pg_attribute
        WHERE attrelid = 'access_log_details'::regclass AND attname = 'traffic_rule'";
    assert_eq!(database.psql(one), "What decided traffic_class; NULL: not known");
}

#[test]
fn the_query_of_the_documentation_counts_visits() {
    let mut bench = bench();
    let page = |at: &str, n: u32| {
        let midday = now() / 86_400_000 * 86_400_000 - 86_400_000 + 43_200_000;
        let (minutes, agent) = at.split_once(' ').unwrap();
        let at = midday + minutes.parse::<u128>().unwrap() * 60_000;
        let of_now = line(n, agent, "", "u=https%3A%2F%2Fshop.example%2F", "")
            .replace(&format!("192.0.2.{n}"), "192.0.2.1");
        let mut fields: Vec<&str> = of_now.split('\t').collect();
        let time = format!("{}.000", at / 1000);
        fields[1] = &time;
        fields.join("\t")
    };
    // One browser comes twice, another once, and a bot does not count.
    let chrome = FIREFOX.replace("rv:140.0", "rv:139.0");
    let times = [
        format!("0 {FIREFOX}"),
        format!("20 {FIREFOX}"),
        format!("80 {FIREFOX}"),
        format!("5 {chrome}"),
        "6 curl/8".to_owned(),
    ];
    let text: String = times.iter().zip(1..).map(|(at, n)| page(at, n)).collect();
    write(&mut bench, "log", &text, times.len());
    assert_eq!(counts(&replay(&bench, &["log"]).unwrap()), (5, 5, 0));
    let docs = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/BEACON.md")).unwrap();
    let query = docs.split("\n## Visits\n").nth(1).unwrap();
    let query = &query[query.find("    SELECT").unwrap()..];
    let query = &query[..=query.find(';').unwrap()];
    let told = bench.database.psql(&query.replace("Europe/Berlin", "UTC"));
    // That of the README: the hours of that day.
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let query = &readme[readme.find("    SELECT date_trunc").unwrap()..];
    let hours = bench.database.psql(&query[..=query.find(';').unwrap()].replace("My shop", "Shop"));
    let hours: Vec<&str> = hours.split('\n').map(|hour| hour.split_once('|').unwrap().1).collect();
    assert_eq!(hours, ["3|2", "1|1"]);
    assert_eq!(told.split_once('|').unwrap().1, "3|2|4", "{told}");
}
