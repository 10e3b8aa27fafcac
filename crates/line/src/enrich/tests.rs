//! Tests of enriching: from a hit to a row.

use super::*;
use crate::hit::Value;
use insta::assert_snapshot;
use proptest::prelude::*;

const SALT: [u8; 32] = [7; 32];
const FIREFOX: &str = "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:124.0) Gecko/20100101 Firefox/124.0";
const GPTBOT: &str =
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)";

fn enricher(privacy: Privacy) -> Enricher {
    let rules = r#"{"classes": {"ai_bot": {"names": ["GPTBot"]}, "bot": {"words": ["bot"]}}}"#;
    Enricher::new(Arc::new(AgentRules::from_json(rules).unwrap()), privacy)
}

fn app() -> App {
    App { id: 3, key: "k".to_owned(), time_zone: "UTC".to_owned(), ..App::default() }
}

fn beacon<'a>() -> Hit<'a> {
    Hit {
        app_key: "k",
        event_type: "pageview",
        ip: Some("192.0.2.77".parse().unwrap()),
        user_agent: FIREFOX,
        page_url: "https://Shop.Example/a",
        ..Hit::default()
    }
}

fn with_row<T>(privacy: Privacy, hit: &Hit<'_>, app: &App, see: impl FnOnce(&Row<'_>) -> T) -> T {
    let mut memory = vec![0; 1 << 18];
    let mut arena = Arena::new(&mut memory);
    match enricher(privacy).enrich(hit, app, Some(&SALT), &mut arena) {
        Enriched::Row(row) => see(&row),
        Enriched::NonHit(non_hit) => panic!("{non_hit:?}"),
    }
}

/// The parts of a hit's URLs in the row: host, path, query, referrer, referrer's host.
fn check_urls(hit: &Hit<'_>, expect: [&str; 5]) {
    with_row(Privacy::default(), hit, &app(), |row| {
        let got = [row.url_host, row.url_path, row.url_query, row.referrer, row.referrer_host];
        assert_eq!(got, expect, "{} from {}", hit.page_url, hit.referrer);
    });
}

#[test]
fn addresses() {
    let page = |page_url, referrer| Hit { page_url, referrer, ..beacon() };
    let e = "https://shop.example/";
    #[rustfmt::skip]
    let table = [
        (page("https://Shop.Example:443/A/b?Category=2#top", ""), ["shop.example", "/A/b", "Category=2", "", ""]),
        (page("https://shop.example?token=x", ""), ["shop.example", "/", "token=***", "", ""]),
        (page("https://u:p@shop.example/", ""), ["shop.example", "/", "", "", ""]),
        (page("https://shop.example/app?a=1#/orders/5?token=x&b=2", ""), ["shop.example", "/app#/orders/5?token=***&b=2", "a=1", "", ""]),
        (page("https://shop.example/#!/mail/bob@example.com", ""), ["shop.example", "/#!/mail/***", "", "", ""]),
        (page("https://shop.example/#access_token=x", ""), ["shop.example", "/", "", "", ""]),
        (page("https://shop.example/u/bob%40example.com", ""), ["shop.example", "/u/***", "", "", ""]),
        (page("https://shop.example/caf%C3%A9/%2F", ""), ["shop.example", "/caf%C3%A9/%2F", "", "", ""]),
        (page("/a?b=c", ""), ["", "/a", "b=c", "", ""]),
        (page("", ""), ["", "", "", "", ""]),
        (page("file:///home/bob/page.html", ""), ["", "file:", "", "", ""]),
        (page("app://Settings/wifi", ""), ["settings", "/wifi", "", "", ""]),
        (page(e, "https://www.google.com/search?q=red+shoes"), ["shop.example", "/", "", "https://www.google.com/search?q=red+shoes", "www.google.com"]),
        (page(e, "https://u:p@News.Example/a?email=x&b#c"), ["shop.example", "/", "", "https://News.Example/a?email=***&b", "news.example"]),
        (page(e, "https://WWW.shop.example/from"), ["shop.example", "/", "", "https://WWW.shop.example/from", ""]),
        (page(e, "https://shop.example:443/from#/r?key=1"), ["shop.example", "/", "", "https://shop.example:443/from#/r?key=***", ""]),
        (page(e, "https://blog.shop.example/"), ["shop.example", "/", "", "https://blog.shop.example/", "blog.shop.example"]),
        (page(e, "android-app://com.google.android.gm/"), ["shop.example", "/", "", "android-app://com.google.android.gm/", "com.google.android.gm"]),
        (page(e, "mail from bob@example.com"), ["shop.example", "/", "", "mail from ***", ""]),
        (page(e, "https://e.example#x"), ["shop.example", "/", "", "https://e.example", "e.example"]),
        (page("https://bob%40example.com/", "https://bob%40mail.example/"), ["***", "/", "", "https://***/", "***"]),
        (page("::::", "%%%"), ["", "::::", "", "%%%", ""]),
    ];
    for (hit, expect) in table {
        check_urls(&hit, expect);
    }
    // A site's own log names no application; its paths are on the host of the request.
    let request = |page_url, referrer| Hit {
        app_key: "",
        host: "Shop.Example:443",
        page_url,
        referrer,
        is_request: true,
        ..beacon()
    };
    let r = "https://e.example/";
    #[rustfmt::skip]
    let table = [
        (request("/a?token=b", ""), ["shop.example", "/a", "token=***", "", ""]),
        (request("http://Proxy.Example/", ""), ["proxy.example", "/", "", "", ""]),
        (request("//x/y?z", ""), ["shop.example", "//x/y", "z", "", ""]),
        (request("//x@y.example/", ""), ["shop.example", "//***/", "", "", ""]),
        (request("javascript:alert(1)", ""), ["shop.example", "javascript:alert(1)", "", "", ""]),
        // What stands behind a `#` is kept, and masked.
        (request("/a?b=c#d", ""), ["shop.example", "/a#d", "b=c", "", ""]),
        (request("/a#d?token=x", ""), ["shop.example", "/a#d?token=***", "", "", ""]),
        (request("/a#token=x&b=c", ""), ["shop.example", "/a#token=***&b=c", "", "", ""]),
        (request("/a#bob@example.com", ""), ["shop.example", "/a#***", "", "", ""]),
        (request("/a#/r;sid=x", ""), ["shop.example", "/a#/r;sid=***", "", "", ""]),
        (request("/", "https://e.example/#<script>"), ["shop.example", "/", "", "https://e.example/#<script>", "e.example"]),
        (request("/", "https://e.example/?a=b#access_token=x"), ["shop.example", "/", "", "https://e.example/?a=b#access_token=***", "e.example"]),
        (request("/", "//e.example/#x"), ["shop.example", "/", "", "//e.example/#x", "e.example"]),
        (request("/", r), ["shop.example", "/", "", r, "e.example"]),
    ];
    for (hit, expect) in table {
        check_urls(&hit, expect);
    }
}

#[test]
fn params() {
    let mut hit = beacon();
    assert_eq!(with_row(Privacy::default(), &hit, &app(), |row| row.params.to_owned()), "");
    hit = Hit {
        page_url: "https://shop.example/?utm_source=a%20b&utm_medium=bob%40example.com&gclid=G1&utm_source=c&utm_term=%FF%00x",
        element: "#buy \"now\"",
        text: "write to bob@example.com\n",
        search_term: "red shoes",
        result_count: Some(0),
        screen_width: Some(1920),
        screen_height: Some(1080),
        time_zone: "Europe/Berlin",
        automated: true,
        beacon_version: "1",
        cut: true,
        opted_out: true,
        prefetch: true,
        accept_language: "de-DE,de;q=0.9,en;q=0.8",
        origin: "https://frame.example",
        params: vec![
            ("color", Value::Text("red")),
            ("text", Value::Text("a site's own")),
            ("apiKey", Value::Text("abc")),
            ("card", Value::Json("4111111111111111")),
            ("token", Value::Json(r#"{"a":1}"#)),
            ("cart", Value::Json(r#"{"items":[1,2],"email":"x"}"#)),
            ("empty", Value::Text("")),
            ("bob@example.com", Value::Json("true")),
            ("back\\slash\u{1}", Value::Text("\u{1f}\\\"")),
        ],
        ..beacon()
    };
    let as_sent = Privacy { gpc: GpcPolicy::Ignore, ..Privacy::default() };
    let (params, environment) =
        with_row(as_sent, &hit, &app(), |row| (row.params.to_owned(), row.environment_id));
    assert!(environment.is_some(), "what the browser says of itself does not stand in each row");
    assert!(serde_json::from_str::<serde_json::Value>(&params).is_ok());
    assert_snapshot!(params.replace(",\"", ",\n\""), @r##"
    {"element":"#buy \"now\"",
    "text":"write to ***\n",
    "search_term":"red shoes",
    "result_count":0,
    "automated":true,
    "cut":true,
    "prefetch":true,
    "opted_out":true,
    "origin":"https://frame.example",
    "utm_source":"a b",
    "utm_medium":"***",
    "utm_term":"�x",
    "gclid":"G1",
    "custom":{"color":"red",
    "text":"a site's own",
    "apiKey":"***",
    "card":"***",
    "token":"***",
    "cart":{"items":[1,2],
    "email":"***"},
    "empty":"",
    "***":true,
    "back\\slash\u0001":"\u001f\\\""}}
    "##);

    // With a list, the named parameters keep their values, others lose them.
    let mut listed = app();
    listed.settings.query_allow = Some(vec!["color".to_owned()]);
    hit.page_url = "https://shop.example/?utm_source=a&gclid=G1&color=red&size=9";
    hit.params.truncate(2);
    with_row(as_sent, &hit, &listed, |row| {
        assert_eq!(row.url_query, "utm_source=a&gclid=***&color=red&size=***");
        assert!(
            row.params.contains(r#""utm_source":"a","custom":{"color":"red","text":"***"}"#),
            "{}",
            row.params
        );
    });
}

#[test]
fn origins_that_say_nothing_are_left_out() {
    let params = |origin| {
        with_row(Privacy::default(), &Hit { origin, ..beacon() }, &app(), |row| row.params.to_owned())
    };
    assert_eq!(params("https://shop.example"), "");
    assert_eq!(params("https://www.shop.example:443"), "");
    assert_eq!(params("null"), r#"{"origin":"null"}"#);
    assert_eq!(params("https://other.example"), r#"{"origin":"https://other.example"}"#);
}

#[test]
fn who_it_was() {
    let privacy = |gpc| Privacy { gpc, ..Privacy::default() };
    let hit = Hit { user_id: "u1", session_id: "s1", client_sub_id: "c1", ..beacon() };
    let of = |privacy, hit: &Hit<'_>| {
        with_row(privacy, hit, &app(), |row| {
            (
                row.visitor_id.is_some(),
                row.ip.map(|(ip, n)| format!("{ip}/{n}")).unwrap_or_default(),
                [row.user_id.to_owned(), row.session_id.to_owned(), row.client_sub_id.to_owned()],
            )
        })
    };
    let whole = (true, "192.0.2.0/24".to_owned(), ["u1", "s1", "c1"].map(str::to_owned));
    let nobody = (false, String::new(), ["", "", ""].map(str::to_owned));
    assert_eq!(of(privacy(GpcPolicy::Anonymous), &hit), whole);
    let opted_out = Hit { opted_out: true, ..hit.clone() };
    assert_eq!(of(privacy(GpcPolicy::Anonymous), &opted_out), nobody);
    assert_eq!(of(privacy(GpcPolicy::Ignore), &opted_out), whole);
    assert_eq!(of(Privacy { ip: IpPolicy::Drop, ..Privacy::default() }, &hit).1, "");
    assert!(
        of(Privacy { ip: IpPolicy::Drop, ..Privacy::default() }, &hit).0,
        "not stored, and still counted"
    );
    assert!(!of(Privacy::default(), &Hit { ip: None, ..hit.clone() }).0);
    let named = Hit { user_id: "bob@example.com", session_id: "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.", ..hit };
    assert_eq!(of(Privacy::default(), &named).2, ["", "", "c1"].map(str::to_owned));

    let mut memory = vec![0; 4096];
    let mut enricher = enricher(privacy(GpcPolicy::Drop));
    let dropped = enricher.enrich(&opted_out, &app(), Some(&SALT), &mut Arena::new(&mut memory));
    assert_eq!(dropped, Enriched::NonHit(NonHit::OptedOut));
    assert_eq!(enricher.take_new(), New::default(), "nothing of them is kept, the user agent neither");
    let Enriched::Row(dead) = enricher.enrich(&beacon(), &app(), None, &mut Arena::new(&mut memory)) else {
        panic!()
    };
    assert_eq!(dead.visitor_id, None, "the day is dead");
}

/// A hit with an identifier of a person or a browser, `ID…ID`, wherever one can be.
fn identified<'a>() -> Hit<'a> {
    Hit {
        opted_out: true,
        page_url: "https://shop.example/a?uid=ID1ID&gclid=ID2ID&page=3&utm_source=news&mc_eid=ID3ID&client_id=ID4ID",
        referrer: "https://other.example/b?visitor_id=ID5ID&fbclid=ID6ID&q=shoes#/r?_ga=ID7ID&z=1",
        session_id: "ID8ID",
        user_id: "ID9ID",
        client_sub_id: "ID10ID", // Matomo's `_id` and `cid`
        trace_id: "ID11ID",
        page_view_id: Some(17),
        params: vec![
            ("plan", Value::Text("ID12ID")),
            ("_id", Value::Text("ID13ID")),
            ("cart", Value::Json(r#"{"device":"ID14ID"}"#)),
        ],
        ..beacon()
    }
}

#[test]
fn a_custom_parameter_that_has_the_form_of_a_token_when_a_number_in_it_is_masked_is_masked_whole() {
    let params =
        vec![("state", Value::Text("9f8a7b6c5d4e-4111 1111 1111 1111")), ("state_x", Value::Text("x 1"))];
    let hit = Hit { params, ..beacon() };
    let params = with_row(Privacy::default(), &hit, &app(), |row| row.params.to_owned());
    assert_eq!(params, r#"{"custom":{"state":"***","state_x":"x 1"}}"#);
}

#[test]
fn who_asks_not_to_be_tracked_leaves_nothing_that_another_page_has_too() {
    let row = |privacy, app: &App, hit: &Hit<'_>| with_row(privacy, hit, app, |row| format!("{row:?}"));
    let anonymous = row(Privacy::default(), &app(), &identified());
    let left: Vec<&str> = anonymous.split("ID").skip(1).step_by(2).collect();
    assert_eq!(left, Vec::<&str>::new(), "{anonymous}");
    for kept in ["page=3", "utm_source", "q=shoes", "z=1", "/a", "news"] {
        assert!(anonymous.contains(kept), "{kept} says nothing of a person: {anonymous}");
    }
    // The parameters of a route may follow it without a question mark.
    let routed = Hit { referrer: "https://other.example/b#/r&_ga=ID7ID&z=1", ..identified() };
    let routed = row(Privacy::default(), &app(), &routed);
    assert!(!routed.contains("ID7ID") && routed.contains("z=1"), "{routed}");
    // The same hit of somebody who asked for nothing, and where the operator ignores it: all are there.
    let tracked = Hit { opted_out: false, ..identified() };
    let ignored = Privacy { gpc: GpcPolicy::Ignore, ..Privacy::default() };
    for whole in [row(Privacy::default(), &app(), &tracked), row(ignored, &app(), &identified())] {
        for n in 1..=14 {
            assert!(whole.contains(&format!("ID{n}ID")), "ID{n} is not in {whole}");
        }
    }
    // What the application lists is kept, unless its name says that it identifies.
    let mut listing = app();
    listing.settings.query_allow = Some(["plan", "_id", "uid", "page"].map(str::to_owned).into());
    let listed = row(Privacy::default(), &listing, &identified());
    let left: Vec<&str> = listed.split("ID").skip(1).step_by(2).collect();
    assert_eq!(left, ["12"], "{listed}");
}

#[test]
fn a_page_view_of_who_asks_not_to_be_tracked_is_one_of_the_page_and_the_day() {
    let view = |page_url, salt: Option<&[u8; 32]>| {
        let hit = Hit { page_url, ..identified() };
        let mut memory = vec![0; 1 << 16];
        match enricher(Privacy::default()).enrich(&hit, &app(), salt, &mut Arena::new(&mut memory)) {
            Enriched::Row(row) => row.page_view_id,
            Enriched::NonHit(_) => panic!(),
        }
    };
    let first = view("https://shop.example/a", Some(&SALT));
    assert!(first.is_some_and(|id| id != 17), "its parts still belong together");
    assert_eq!(view("https://shop.example/a?x=1", Some(&SALT)), first, "the same page");
    assert_ne!(view("https://shop.example/b", Some(&SALT)), first, "another page");
    assert_ne!(view("https://shop.example/a", Some(&[8; 32])), first, "another day");
    assert_eq!(view("https://shop.example/a", None), None, "a day without salt");
}

#[test]
fn a_user_agent_is_stored_without_what_is_personal_in_it() {
    let (one, two) = ("Crawler/1.0 (+mailto:bob@example.com)", "Crawler/1.0 (+mailto:amy@example.com)");
    let rules = AgentRules::builtin();
    let agent = rules.describe(one);
    assert_eq!(agent.user_agent, "Crawler/1.0 (+mailto:***)");
    assert_eq!(agent.id, id_of(&agent.user_agent), "the key is that of what is stored");
    assert_eq!(rules.describe(two), agent);
    assert_eq!(rules.describe(FIREFOX).user_agent, FIREFOX);
    let token = format!("App/1.0 gh{}{}", "p_", "0123456789abcdefghijABCDEFGHIJ012345");
    assert_eq!(rules.describe(&token).user_agent, "App/1.0 ***");
}

#[test]
fn traffic_classes_and_their_rules() {
    let mut shop = app();
    shop.allowed_domains = vec!["shop.example".to_owned()];
    let rules = AgentRules::builtin();
    let lighthouse = "Mozilla/5.0 (Linux; Android 11) AppleWebKit/537.36 Chrome/109.0.0.0 Mobile Safari/537.36 Chrome-Lighthouse";
    let headless = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/120.0.0.0 Safari/537.36";
    let googlebot =
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html) HeadlessChrome/120.0";
    let hit = beacon;
    let posted = || Hit { is_track: true, method: "POST", page_url: "", ..beacon() };
    #[rustfmt::skip]
    let table = [
        (hit(), TrafficClass::Human, "default"),
        (Hit { page_url: "https://www.shop.example/", ..hit() }, TrafficClass::Human, "default"),
        (Hit { page_url: "", ..hit() }, TrafficClass::Human, "default"),
        (Hit { page_url: "/screen/home", ..hit() }, TrafficClass::Human, "default"),
        (Hit { page_url: "https://shop.example.evil.test/", ..hit() }, TrafficClass::Suspect, "host not allowed: shop.example.evil.test"),
        (Hit { page_url: "http://localhost:3000/", ..hit() }, TrafficClass::Suspect, "host not allowed: localhost:3000"),
        (Hit { page_url: "file:///tmp/a.html", ..hit() }, TrafficClass::Suspect, "host not allowed: "),
        (Hit { app_key: "", host: "shop.example", page_url: "/", ..hit() }, TrafficClass::Human, "default"),
        (Hit { app_key: "", host: "other.example", page_url: "/", ..hit() }, TrafficClass::Suspect, "host not allowed: other.example"),
        (Hit { prefetch: true, ..hit() }, TrafficClass::Human, "default"),
        (Hit { automated: true, ..hit() }, TrafficClass::Headless, "automation flag"),
        (Hit { automated: true, user_agent: GPTBOT, ..hit() }, TrafficClass::Headless, "automation flag"),
        (Hit { user_agent: GPTBOT, page_url: "https://evil.test/", ..hit() }, TrafficClass::AiBot, "crawler:GPTBot"),
        (Hit { user_agent: headless, ..hit() }, TrafficClass::Headless, "headless:HeadlessChrome"),
        (Hit { user_agent: googlebot, ..hit() }, TrafficClass::Bot, "crawler:Googlebot/"),
        (Hit { user_agent: lighthouse, ..hit() }, TrafficClass::Monitor, "monitor:Chrome-Lighthouse"),
        (Hit { user_agent: "", ..hit() }, TrafficClass::Bot, "empty user agent"),
        (Hit { user_agent: "-", ..hit() }, TrafficClass::Bot, "empty user agent"),
        (Hit { user_agent: "curl/8.5.0", ..hit() }, TrafficClass::Bot, "crawler:^curl"),
        (Hit { user_agent: "made-up-crawler", ..hit() }, TrafficClass::Bot, "crawler:crawl"),
        // What the site's own programs post.
        (Hit { user_agent: "python-requests/2.31", ..posted() }, TrafficClass::Server, "posted by a server"),
        (Hit { user_agent: "node", ..posted() }, TrafficClass::Server, "posted by a server"),
        (Hit { user_agent: "WordPress/6.5; https://shop.example", ..posted() }, TrafficClass::Server, "posted by a server"),
        (Hit { user_agent: "", ..posted() }, TrafficClass::Server, "posted by a server"),
        (Hit { user_agent: "curl/8.5.0", page_url: "https://evil.test/", ..posted() }, TrafficClass::Suspect, "host not allowed: evil.test"),
        (Hit { user_agent: "curl/8.5.0", automated: true, ..posted() }, TrafficClass::Headless, "automation flag"),
        // What they pass on of a visitor, and what a browser posts.
        (posted(), TrafficClass::Human, "default"),
        (Hit { user_agent: GPTBOT, ..posted() }, TrafficClass::AiBot, "crawler:GPTBot"),
        (Hit { user_agent: googlebot, ..posted() }, TrafficClass::Bot, "crawler:Googlebot/"),
        (Hit { user_agent: "Twitterbot/1.0", ..posted() }, TrafficClass::Bot, "crawler:Twitterbot"),
        (Hit { user_agent: "made-up-CRAWLER", ..posted() }, TrafficClass::Bot, "crawler:crawl"),
        (Hit { user_agent: "reads (+https://reads.test)", ..posted() }, TrafficClass::Bot, "crawler:http"),
        (Hit { user_agent: lighthouse, ..posted() }, TrafficClass::Monitor, "monitor:Chrome-Lighthouse"),
        (Hit { user_agent: "curl/8.5.0", origin: "https://shop.example", ..posted() }, TrafficClass::Bot, "crawler:^curl"),
    ];
    for (hit, class, rule) in table {
        let got = explain(&rules, Privacy::default(), &hit, &shop);
        assert_eq!((got.traffic_class, got.rule.as_str()), (class, rule), "{hit:?}");
    }
    // Without a list of domains, every host is allowed.
    let elsewhere = Hit { page_url: "https://evil.test/", ..hit() };
    assert_eq!(explain(&rules, Privacy::default(), &elsewhere, &app()).traffic_class, TrafficClass::Human);
}

fn excluding(said: &serde_json::Value) -> App {
    let zones = |country: &str| if country == "DE" { vec!["Europe/Berlin"] } else { Vec::new() };
    App { exclusions: Exclusions::read(said, zones, |_, rule| assert!(rule.is_ok(), "{rule:?}")), ..app() }
}

#[test]
fn exclusions_are_of_what_is_no_program() {
    let mut shop = excluding(&serde_json::json!([
        { "address": "192.0.2.77" }, { "country": "DE" }, { "path": "/admin/*" }, { "host": "localhost" }
    ]));
    shop.allowed_domains = vec!["shop.example".to_owned()];
    let rules = AgentRules::builtin();
    let hit = || Hit { ip: Some("192.0.2.78".parse().unwrap()), ..beacon() };
    let from = || Hit { ip: Some("::ffff:192.0.2.77".parse().unwrap()), ..beacon() };
    let posted = |hit| Hit { is_track: true, method: "POST", user_agent: "curl/8.5.0", page_url: "", ..hit };
    #[rustfmt::skip]
    let table = [
        (hit(), TrafficClass::Human, "default"),
        (from(), TrafficClass::Excluded, "excluded: address 192.0.2.77"),
        (Hit { time_zone: "Europe/Berlin", ..hit() }, TrafficClass::Excluded, "excluded: country DE"),
        (Hit { page_url: "https://shop.example/admin/", ..hit() }, TrafficClass::Excluded, "excluded: path /admin/*"),
        // The first rule that fits is told, and an exclusion before a host that is not allowed.
        (Hit { page_url: "https://shop.example/admin/", ..from() }, TrafficClass::Excluded, "excluded: address 192.0.2.77"),
        (Hit { page_url: "http://localhost:3000/", ..hit() }, TrafficClass::Excluded, "excluded: host localhost"),
        (Hit { page_url: "http://other.example/", ..hit() }, TrafficClass::Suspect, "host not allowed: other.example"),
        // A request of the site's own log.
        (Hit { app_key: "", is_request: true, host: "shop.example", page_url: "/admin/x", ..hit() }, TrafficClass::Excluded, "excluded: path /admin/*"),
        (Hit { app_key: "", is_request: true, host: "LOCALHOST:80", page_url: "/", ..hit() }, TrafficClass::Excluded, "excluded: host localhost"),
        (posted(from()), TrafficClass::Excluded, "excluded: address 192.0.2.77"),
        (posted(hit()), TrafficClass::Server, "posted by a server"),
        // Programs stay what they are.
        (Hit { user_agent: GPTBOT, ..from() }, TrafficClass::AiBot, "crawler:GPTBot"),
        (Hit { automated: true, ..from() }, TrafficClass::Headless, "automation flag"),
        (Hit { ip: None, ..hit() }, TrafficClass::Human, "default"),
    ];
    for (hit, class, rule) in table {
        let got = explain(&rules, Privacy::default(), &hit, &shop);
        assert_eq!((got.traffic_class, got.rule.as_str()), (class, rule), "{hit:?}");
        if class == TrafficClass::Excluded {
            with_row(Privacy::default(), &hit, &shop, |row| assert_eq!(row.traffic_class, class, "{hit:?}"));
        }
    }
    // The address is compared whole, whatever of it is stored, and the row is kept with all that it has.
    for ip in [IpPolicy::Truncate, IpPolicy::Drop, IpPolicy::Full] {
        with_row(Privacy { ip, ..Privacy::default() }, &from(), &shop, |row| {
            assert_eq!(row.traffic_class, TrafficClass::Excluded);
            assert!(row.visitor_id.is_some());
        });
    }
    shop.settings.store_crawlers = false;
    with_row(Privacy::default(), &from(), &shop, |row| assert_eq!(row.traffic_class, TrafficClass::Excluded));
}

#[test]
fn a_row_without_identity_does_not_say_its_address_by_its_class() {
    let shop = excluding(&serde_json::json!([{ "address": "192.0.2.0/24" }, { "path": "/admin/*" }]));
    let rules = AgentRules::builtin();
    let asks = Hit { opted_out: true, ..beacon() };
    let mut memory = vec![0; 4096];
    let kept = enricher(Privacy::default()).enrich(&asks, &shop, Some(&SALT), &mut Arena::new(&mut memory));
    assert!(matches!(kept, Enriched::NonHit(NonHit::OptedOut)), "{kept:?}");
    let told = explain(&rules, Privacy::default(), &asks, &shop);
    assert_eq!(
        (told.dropped, told.rule.as_str()),
        (Some(NonHit::OptedOut), "excluded: address 192.0.2.0/24")
    );
    // By its page, which the row says anyway, it is a row.
    let page = Hit { ip: None, page_url: "https://shop.example/admin/", ..asks };
    with_row(Privacy::default(), &page, &shop, |row| {
        assert_eq!((row.traffic_class, row.visitor_id, row.ip), (TrafficClass::Excluded, None, None));
    });
    // Where the operator treats such visitors as others, they are rows as others are.
    let ignore = Privacy { gpc: GpcPolicy::Ignore, ..Privacy::default() };
    let asks = Hit { opted_out: true, ..beacon() };
    with_row(ignore, &asks, &shop, |row| assert_eq!(row.traffic_class, TrafficClass::Excluded));
    assert_eq!(explain(&rules, ignore, &asks, &shop).dropped, None);
}

#[test]
fn an_application_may_do_without_crawlers() {
    let mut small = app();
    small.settings = serde_json::from_str(r#"{"store_crawlers": false, "unknown": [1]}"#).unwrap();
    small.allowed_domains = vec!["shop.example".to_owned()];
    let mut enricher = enricher(Privacy::default());
    let mut kept = |hit: Hit<'_>| {
        let mut memory = vec![0; 4096];
        let kept = enricher.enrich(&hit, &small, Some(&SALT), &mut Arena::new(&mut memory));
        !matches!(kept, Enriched::NonHit(NonHit::Crawler))
    };
    assert!(kept(beacon()));
    assert!(kept(Hit { page_url: "https://evil.test/", ..beacon() }), "a person may be behind it");
    assert!(!kept(Hit { user_agent: GPTBOT, ..beacon() }));
    assert!(!kept(Hit { user_agent: "", ..beacon() }));
    assert!(kept(Hit { user_agent: "", is_track: true, ..beacon() }), "the application's own server");
    assert!(!kept(Hit { automated: true, ..beacon() }));

    assert_eq!(serde_json::from_str::<AppSettings>("{}").unwrap(), AppSettings::default());
    assert!(AppSettings::default().store_crawlers);
    let privacy: Privacy = serde_json::from_str(r#"{"ip": "full", "gpc": "drop"}"#).unwrap();
    assert_eq!(privacy, Privacy { ip: IpPolicy::Full, gpc: GpcPolicy::Drop });
    assert!(serde_json::from_str::<Privacy>(r#"{"ip": "Half"}"#).is_err());
}

#[test]
fn user_agents_are_reported_once() {
    let mut enricher = enricher(Privacy::default());
    let meet = |enricher: &mut Enricher, user_agent: &str| {
        let mut memory = vec![0; 4096];
        let hit = Hit { user_agent, ..beacon() };
        match enricher.enrich(&hit, &app(), None, &mut Arena::new(&mut memory)) {
            Enriched::Row(row) => row.user_agent_id,
            Enriched::NonHit(_) => panic!(),
        }
    };
    let id = meet(&mut enricher, FIREFOX);
    assert_eq!(meet(&mut enricher, FIREFOX), id);
    assert_eq!(meet(&mut enricher, ""), None);
    meet(&mut enricher, GPTBOT);
    let new = enricher.take_new().agents;
    assert_eq!(
        new.iter().map(|a| (Some(a.id), a.rule.as_str())).collect::<Vec<_>>(),
        [(id, "default"), (Some(id_of(GPTBOT)), "crawler:GPTBot")]
    );
    meet(&mut enricher, FIREFOX);
    assert_eq!(enricher.take_new().agents, []);
    enricher.forget_told();
    meet(&mut enricher, FIREFOX);
    assert_eq!(enricher.take_new().agents.len(), 1);

    // A longer one is cut at a character boundary, and its key is that of the kept part.
    let long = "é".repeat(400);
    let id = meet(&mut enricher, &long);
    let new = enricher.take_new().agents;
    assert_eq!((new[0].user_agent.as_str(), Some(new[0].id)), (&long[..512], id));
    assert_eq!(id, meet(&mut enricher, &long[..600]));

    enricher.begin_hour();
    let stored = (0..50_000).filter(|i| meet(&mut enricher, &i.to_string()).is_some()).count();
    assert_eq!(stored, 1000, "and the others of this address have none");
    assert_eq!(enricher.take_left_out(), 50_000 - 1000);
    assert_eq!(enricher.take_new().agents.len(), stored);
}

#[test]
fn environments_that_are_not_stored_stay_in_params() {
    let mut enricher = enricher(Privacy::default());
    let mut meet = |screen_width: i32, time_zone: &str| {
        let mut memory = vec![0; 4096];
        let hit = Hit {
            screen_width: Some(screen_width),
            screen_height: Some(800),
            time_zone,
            beacon_version: "2",
            accept_language: "fr-CH,fr",
            automated: true,
            ..beacon()
        };
        let mut arena = Arena::new(&mut memory);
        let Enriched::Row(row) = enricher.enrich(&hit, &app(), None, &mut arena) else { panic!() };
        (row.environment_id, row.params.to_owned(), enricher.take_new().environments)
    };
    let (first, params, new) = meet(1280, "Europe/Zurich");
    assert_eq!(params, r#"{"automated":true}"#);
    assert_eq!(new.iter().map(|e| Some(e.id)).collect::<Vec<_>>(), [first]);
    assert_eq!((new[0].language.as_str(), new[0].screen_width), ("fr-CH", Some(1280)));
    assert_eq!(meet(1280, "Europe/Zurich"), (first, params, vec![]));
    let (odd, params, new) = meet(1280, "bob@example.com");
    assert_eq!((odd, new), (None, vec![]));
    let all = |zone| {
        format!(
            r#"{{"screen_width":1280,"screen_height":800,"time_zone":"{zone}","beacon_version":"2","language":"fr-CH","automated":true}}"#
        )
    };
    assert_eq!(params, all("***"));
    // Two of the hour's limit for this address are stored; a flood of others takes the rest.
    let stored = (0..30_000).filter(|i| meet(2000 + i, "").0.is_some()).count();
    assert_eq!(stored, 1000 - 2);
    assert_eq!(meet(1280, "Asia/Tokyo"), (None, all("Asia/Tokyo"), vec![]));
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        ".{0,40}",
        "(https?|app|data|)(:|://|//)?[a-z@:.\\[\\]]{0,12}(/|\\?|#|%|=|&|;|é|token|eyJ|4111111111111111){0,8}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn every_hit_gets_an_answer_and_its_params_are_json(
        texts in prop::collection::vec(text(), 24),
        flags in any::<[bool; 5]>(),
        arena_bytes in prop_oneof![Just(1usize << 16), 0usize..200],
        gpc in prop::sample::select(vec![GpcPolicy::Anonymous, GpcPolicy::Ignore, GpcPolicy::Drop]),
    ) {
        let t = |i: usize| texts[i].as_str();
        let json = serde_json::to_string(t(0)).unwrap();
        let hit = Hit {
            app_key: if flags[0] { "k" } else { "" },
            event_type: t(1), user_agent: t(2), accept_language: t(3), origin: t(4), host: t(5), page_url: t(6),
            referrer: t(7), title: t(8), session_id: t(9), user_id: t(10), client_sub_id: t(11), module_id: t(12),
            element: t(13), text: t(14), entity_type: t(15), entity_id: t(16), search_term: t(17), time_zone: t(18),
            beacon_version: t(19), trace_id: t(20), status: Some(999),
            automated: flags[1], opted_out: flags[2], prefetch: flags[3], is_request: !flags[0],
            params: vec![(t(21), Value::Text(t(22))), (t(23), Value::Json(&json))],
            ..Hit::default()
        };
        let mut app = app();
        if flags[4] {
            app.settings.query_allow = Some(vec!["a".to_owned()]);
            app.allowed_domains = vec![t(5).to_owned()];
        }
        let mut memory = vec![0; arena_bytes];
        let mut arena = Arena::new(&mut memory);
        let got = enricher(Privacy { gpc, ..Privacy::default() }).enrich(&hit, &app, Some(&SALT), &mut arena);
        if let (Enriched::Row(row), 65_536) = (got, arena_bytes) {
            prop_assert!(row.params.is_empty() || serde_json::from_str::<serde_json::Value>(row.params).is_ok(), "{}", row.params);
        }
    }

    #[test]
    fn an_address_that_is_known_says_the_same(
        urls in prop::collection::vec(text(), 2),
        more in prop::sample::select(vec!["", "?a=b", "/x?utm_source=y#z", ":443/#/r", "/?a=4111111111111111"]),
    ) {
        let urls: Vec<String> = urls.iter().map(|url| format!("https://{url}{more}")).collect();
        let hit = Hit { page_url: &urls[0], referrer: &urls[1], origin: "https://shop.example", ..beacon() };
        // Too long for the cache, because of the part that is cut off.
        let long = urls.iter().map(|url| format!("{url}{}{}", if url.contains('#') { "" } else { "#" }, "x".repeat(600)));
        let long: Vec<String> = long.collect();
        let unknown = Hit { page_url: &long[0], referrer: &long[1], ..hit.clone() };
        let mut memory = vec![0; 1 << 18];
        let mut enricher = enricher(Privacy::default());
        let mut told = |hit: &Hit<'_>| match enricher.enrich(hit, &app(), Some(&SALT), &mut Arena::new(&mut memory)) {
            Enriched::Row(row) => format!("{row:?}"),
            Enriched::NonHit(_) => String::new(),
        };
        let first = told(&hit);
        prop_assert_eq!(&first, &told(&hit));
        if !urls.iter().any(|url| url.contains("#/") || url.contains("#!")) {
            prop_assert_eq!(&first, &told(&unknown));
        }
    }
}

#[test]
fn long_texts_are_cut_and_what_they_hold_is_masked_before() {
    // A page's URL of 8 KiB is kept whole.
    let query = format!("q={}", "x".repeat(8192 - "https://shop.example/a?q=".len()));
    let url = format!("https://shop.example/a?{query}");
    assert_eq!(url.len(), 8192);
    with_row(Privacy::default(), &Hit { page_url: &url, referrer: &url, ..beacon() }, &app(), |row| {
        assert_eq!((row.url_query, row.referrer, row.params), (query.as_str(), url.as_str(), ""));
    });
    // A secret across the end is masked, too.
    let across = |most: usize, secret: &str| format!("{}{secret} and more", "é ".repeat((most - 9) / 3));
    let token = format!("eyJ{}.{}.{}", "h".repeat(40), "b".repeat(3000), "s".repeat(40));
    for secret in ["bob@example.com", "4111 1111 1111 1111", token.as_str()] {
        let long = across(length::TEXT, secret);
        let value = across(length::CUSTOM_VALUE, secret);
        let json = format!(r#"["{value}",1]"#);
        let (name, id) = (across(length::CUSTOM_NAME, secret), "i".repeat(length::NAME + 1));
        let path = format!("/{}", across(length::URL, secret));
        let url = format!("https://shop.example{path}?{}&email={secret}", "a&".repeat(length::URL / 2));
        let hit = Hit {
            page_url: &url,
            referrer: &url,
            title: &long,
            search_term: &long,
            user_id: &id,
            trace_id: &id,
            params: vec![(name.as_str(), Value::Text(&value)), ("json", Value::Json(&json))],
            ..beacon()
        };
        let kept = with_row(Privacy::default(), &hit, &app(), |row| {
            for (text, most) in [
                (row.title, length::TEXT),
                (row.url_path, length::URL),
                (row.url_query, length::URL),
                (row.referrer, length::URL),
                (row.user_id, length::NAME),
                (row.trace_id, length::NAME),
            ] {
                assert!((most - 3..=most).contains(&text.len()), "{} bytes: {text}", text.len());
            }
            let params: serde_json::Value = serde_json::from_str(row.params).unwrap();
            assert_eq!(params["cut"], true, "{params}");
            for value in params["custom"].as_object().unwrap().values() {
                let length = value.as_str().unwrap().len();
                assert!((length::CUSTOM_VALUE - 3..=length::CUSTOM_VALUE).contains(&length), "{length}");
            }
            format!("{} {} {} {}", row.title, row.url_path, row.referrer, row.params)
        });
        for piece in ["bob", "4111", "eyJ", "bbb"] {
            assert!(!kept.contains(piece), "{piece} of {secret} is kept");
        }
    }
}
