//! Tests of exclusions: what a rule may be, and whose hits it excludes.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn zones(country: &str) -> Vec<&'static str> {
    match country {
        "DE" => vec!["Europe/Berlin", "Europe/Busingen"],
        "JP" => vec!["Asia/Tokyo"],
        _ => Vec::new(),
    }
}

fn exclusions(said: &Value) -> (Exclusions, Vec<Broken>) {
    let mut broken = Vec::new();
    let read = Exclusions::read(said, zones, |_, rule| broken.extend(rule.err()));
    (read, broken)
}

fn page(url: &str) -> Parts<'_> {
    Parts::of(url)
}

/// Whether one rule excludes a hit.
fn excludes(kind: &str, value: &str, hit: &Hit<'_>) -> bool {
    let (one, broken) = exclusions(&json!([{ kind: value }]));
    assert_eq!(broken, [], "{kind} {value}");
    let page = page(hit.page_url);
    one.of(hit, &page, page.host_and_port()).is_some()
}

#[test]
fn a_rule_has_one_spelling() {
    for (kind, given, kept) in [
        ("address", " 192.0.2.7 ", "192.0.2.7"),
        ("address", "192.0.2.7/32", "192.0.2.7"),
        ("address", "192.0.2.7/24", "192.0.2.0/24"),
        ("address", "10.0.0.0/8", "10.0.0.0/8"),
        ("address", "::ffff:192.0.2.7", "192.0.2.7"),
        ("address", "::ffff:192.0.2.7/120", "192.0.2.0/24"),
        ("address", "2001:DB8:1:2:3:4:5:6/64", "2001:db8:1:2::/64"),
        ("address", "2001:db8:0:0::1", "2001:db8::1"),
        ("address", "2001:db8::/16", "2001::/16"),
        ("country", "de", "DE"),
        ("path", "/admin/*", "/admin/*"),
        ("path", "*/preview", "*/preview"),
        ("path", "/", "/"),
        ("path", "/Größe", "/Größe"),
        ("host", "Staging.Example.com.", "staging.example.com"),
        ("host", "*.Staging.example.com", "*.staging.example.com"),
        ("host", "deploy-*--shop.example", "deploy-*--shop.example"),
        ("host", "localhost:3000", "localhost:3000"),
        ("host", "localhost:*", "localhost"),
        ("host", "localhost:30*", "localhost:30*"),
        ("host", "shop.example:443", "shop.example"),
        ("host", "müller.example", "xn--mller-kva.example"),
        ("host", "[2001:DB8::1]:8080", "[2001:db8::1]:8080"),
    ] {
        let rule = Rule::checked(kind, given, zones).map(|rule| rule.value);
        assert_eq!(rule.as_deref(), Ok(kept), "{kind} {given}");
        // What is kept is read again as the same.
        assert_eq!(Rule::checked(kind, kept, zones).map(|rule| rule.value).as_deref(), Ok(kept), "{kept}");
    }
}

#[test]
fn what_is_no_rule_says_how_to_mend_it() {
    let long = "/".repeat(VALUE_MAX + 1);
    let stars = "/*".repeat(21) + "a";
    for (kind, value, says) in [
        ("agent", "curl", "address, country, path or host"),
        ("address", "", "1 to 500"),
        ("address", "192.0.2.*", "192.0.2.0/24"),
        ("address", "2001:db8:1:2:*", "/64"),
        ("address", "192.0.2", "192.0.2.7"),
        ("address", "192.0.2.7/33", "192.0.2.0/24"),
        ("address", "192.0.2.7/", "192.0.2.0/24"),
        ("address", "192.0.2.7/+8", "192.0.2.0/24"),
        ("address", "192.0.2.7/4294967296", "192.0.2.0/24"),
        ("address", "::ffff:192.0.2.7/24", "192.0.2.0/24"),
        ("address", "2001:db8::/129", "2001:db8::7"),
        ("address", "0.0.0.0/0", "/8 or longer"),
        ("address", "::/0", "/16 or longer"),
        ("address", "::ffff:0:0/96", "/8 or longer"),
        ("address", "shop.example", "no address"),
        ("country", "Germany", "two letters"),
        ("country", "XX", "two letters"),
        ("path", "admin", "begin with /"),
        ("path", "https://shop.example/a", "begin with /"),
        ("path", "/*", "everything"),
        ("path", "**", "everything"),
        ("path", &long, "1 to 500"),
        ("path", &stars, "more than 20"),
        ("path", "/a\n/b", "control character"),
        ("host", "https://shop.example", "without https://"),
        ("host", "shop.example/a", "without https://"),
        ("host", "a b", "no host"),
        ("host", "*", "everything"),
        ("host", "*.*", "everything"),
        ("host", "*.ü", "no host"),
    ] {
        let why = Rule::checked(kind, value, zones).unwrap_err();
        assert!(why.contains(says), "{kind} {value}: {why}");
    }
}

#[test]
fn addresses_are_compared_whole() {
    let from = |ip: &str| Hit { ip: Some(ip.parse().unwrap()), ..Hit::default() };
    for (rule, ip, is_excluded) in [
        ("192.0.2.7", "192.0.2.7", true),
        ("192.0.2.7", "192.0.2.8", false),
        ("192.0.2.7", "::ffff:192.0.2.7", true),
        ("::ffff:192.0.2.7", "192.0.2.7", true),
        ("192.0.2.0/24", "192.0.2.255", true),
        ("192.0.2.0/24", "::ffff:192.0.2.255", true),
        ("192.0.2.0/24", "192.0.3.0", false),
        ("192.0.2.128/25", "192.0.2.127", false),
        ("192.0.2.7/31", "192.0.2.6", true),
        // An address of IPv4 is no prefix of one of IPv6.
        ("192.0.2.0/24", "c000:200::", false),
        ("2001:db8:1:2::/64", "2001:db8:1:2:aaaa:bbbb:cccc:dddd", true),
        ("2001:db8:1:2::/64", "2001:db8:1:3::", false),
        ("2001:db8:1:2::7", "2001:db8:1:2::8", false),
        ("::1", "::1", true),
        ("::1", "127.0.0.1", false),
    ] {
        assert_eq!(excludes("address", rule, &from(ip)), is_excluded, "{rule} {ip}");
    }
    assert!(!excludes("address", "192.0.2.7", &Hit::default()), "a row without an address");
}

#[test]
fn countries_are_those_of_the_browsers_zone() {
    let of = |time_zone| Hit { time_zone, ..Hit::default() };
    assert!(
        excludes("country", "DE", &of("Europe/Berlin")) && excludes("country", "de", &of("Europe/Busingen"))
    );
    for zone in ["Asia/Tokyo", "europe/berlin", "UTC", ""] {
        assert!(!excludes("country", "DE", &of(zone)), "{zone}");
    }
}

#[test]
fn paths_and_hosts_are_those_of_the_page() {
    for (kind, value, url, is_excluded) in [
        ("path", "/", "https://shop.example", true),
        ("path", "/", "https://shop.example/?a=b", true),
        ("path", "/", "https://shop.example/a", false),
        ("path", "/admin/*", "https://shop.example/admin/", true),
        ("path", "/admin/*", "https://shop.example/admin/users?x#y", true),
        ("path", "/admin/*", "https://shop.example/admin", false),
        ("path", "/admin/*", "https://shop.example/Admin/", false),
        ("path", "/admin/*", "/admin/users", true),
        ("path", "*/preview", "https://shop.example/a/preview", true),
        ("path", "/a*b*c", "/abc", true),
        ("path", "/a*b*c", "/a/b/x", false),
        ("path", "/a*a", "/a", false),
        ("path", "/app#/orders/*", "https://shop.example/app#/orders/5", true),
        ("path", "/app", "https://shop.example/app#/orders/5", false),
        ("path", "/#/a", "https://shop.example#/a", true),
        // As statistics show a masked path.
        ("path", "/reset/***", "https://shop.example/reset/bob@example.com", true),
        ("path", "/admin/*", "", false),
        ("host", "staging.example", "https://Staging.Example/a", true),
        ("host", "staging.example", "https://staging.example:8443/", true),
        ("host", "staging.example", "https://www.staging.example/", false),
        ("host", "staging.example:8443", "https://staging.example:8443/", true),
        ("host", "staging.example:8443", "https://staging.example/", false),
        ("host", "*.staging.example", "https://www.staging.example./", true),
        ("host", "*.staging.example", "https://staging.example/", false),
        ("host", "localhost", "http://localhost:3000/", true),
        ("host", "localhost:30*", "http://localhost:3000/", true),
        ("host", "localhost:30*", "http://localhost:8080/", false),
        ("host", "localhost", "", false),
    ] {
        assert_eq!(
            excludes(kind, value, &Hit { page_url: url, ..Hit::default() }),
            is_excluded,
            "{value} {url}"
        );
    }
}

#[test]
fn whatever_stands_in_the_settings_the_rules_are_read() {
    for (said, rules, broken) in [
        (json!(null), 0, 0),
        (json!([]), 0, 0),
        (json!("192.0.2.7"), 0, 1),
        (json!({ "address": "192.0.2.7" }), 0, 1),
        (json!([1, null, [], {}, { "address": 7 }, { "address": "x" }]), 0, 6),
        (json!([{ "address": "192.0.2.7", "host": "shop.example" }]), 0, 1),
        (json!([{ "host": "a.example", "note": 1, "more": {} }, { "path": "x" }, { "country": "jp" }]), 2, 1),
        (json!(vec![json!({ "path": "/a" }); 100]), 100, 0),
        (json!(vec![json!({ "path": "/a" }); 10_000]), 100, 1),
    ] {
        let (read, wrong) = exclusions(&said);
        assert_eq!((read.rules().len(), wrong.len()), (rules, broken), "{said:.100}: {wrong:?}");
        assert!(wrong.iter().all(|one| one.text.chars().count() <= 200 && !one.why.is_empty()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn whatever_a_rule_is_given_as_it_has_one_spelling_which_means_the_same(
        kind in 0..Kind::ALL.len(),
        value in "\\PC{0,12}|[0-9a-f:./*]{1,24}|[aA*.:\\[\\]0-9-]{1,12}|/[a*/é#?]{0,12}|[a-z*]{1,5}\\.example(:[0-9*]{0,3})?",
        url in "\\PC{0,12}|https?://[aA.:0-9-]{1,12}(/[a/é#?]{0,12})?|//[a-z.]{1,9}",
        ip in any::<[u8; 16]>(),
    ) {
        let kind = Kind::ALL[kind].as_str();
        if let Ok(rule) = Rule::checked(kind, &value, zones) {
            let again = Rule::checked(kind, &rule.value, zones);
            prop_assert_eq!(again.as_ref().map(|rule| rule.value.as_str()), Ok(rule.value.as_str()), "{:?}", value);
            let hit = Hit { page_url: &url, ip: Some(ip.into()), time_zone: &url, ..Hit::default() };
            prop_assert_eq!(excludes(kind, &value, &hit), excludes(kind, &rule.value, &hit));
        }
    }
}
