//! Requests for other products' pixels, and what each of their parameters becomes.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::super::{Format, Spec};
use super::*;
use crate::hit::{Parsed, Value};

const FORMAT: &str = r#"$msec $remote_addr $host "$request" $status "$http_referer""#;

fn format(pixel: &str) -> Format {
    let spec = Spec { pixel: Some(pixel.to_owned()), ..Spec::new(FORMAT) };
    Format::of(&spec).unwrap_or_else(|e| panic!("{pixel}: {e}"))
}

fn outcome<T>(format: &Format, line: &str, look: impl FnOnce(Parsed<'_>) -> T) -> T {
    let mut buffer = vec![0; 1 << 16];
    let terms = Terms::parse(&["10.0.0.0/8".to_owned()], &BTreeMap::new()).unwrap();
    look(format.parse(line.as_bytes(), false, &terms, &mut Arena::new(&mut buffer)))
}

/// What a request states, except the line's time, address, method and status.
fn of_hit(hit: &Hit<'_>) -> String {
    let mut shown = hit.event_type.to_owned();
    let number = |number: Option<i32>| number.map(|n| n.to_string()).unwrap_or_default();
    for (name, text) in [
        ("site", hit.site),
        ("url", hit.page_url),
        ("ref", hit.referrer),
        ("title", hit.title),
        ("user", hit.user_id),
        ("sub", hit.client_sub_id),
        ("session", hit.session_id),
        ("module", hit.module_id),
        ("about", hit.entity_type),
        ("id", hit.entity_id),
        ("search", hit.search_term),
        ("results", &number(hit.result_count)),
        ("width", &number(hit.screen_width)),
        ("height", &number(hit.screen_height)),
        ("dwell", &number(hit.dwell_ms)),
        ("depth", &number(hit.scroll_depth.map(i32::from))),
        ("view", if hit.page_view_id.is_some() { "yes" } else { "" }),
        ("at", &hit.client_at.map(|at| at.to_string()).unwrap_or_default()),
        ("language", hit.accept_language),
        ("agent", hit.user_agent),
        ("version", hit.beacon_version),
        ("robot", if hit.automated { "yes" } else { "" }),
        ("host", hit.host),
    ] {
        if !text.is_empty() {
            shown += &format!(" {name}={text}");
        }
    }
    for (name, value) in &hit.params {
        match value {
            Value::Text(text) => shown += &format!(" | {name}={text}"),
            Value::Json(text) => shown += &format!(" | {name}=json {text}"),
        }
    }
    shown
}

fn shown(pixel: &str, target: &str, referer: &str) -> String {
    let line = format!(r#"1700000000.000 192.0.2.1 stats.example "GET {target} HTTP/1.1" 200 "{referer}""#);
    outcome(&format(pixel), &line, |parsed| match parsed {
        Parsed::Hit(hit) => of_hit(&hit),
        other => format!("{other:?}"),
    })
}

#[test]
fn matomo() {
    let shown = |query: &str| {
        shown("matomo", &format!("/matomo/matomo.php?idsite=7&rec=1&{query}"), "https://shop.example/from?x")
    };
    insta::assert_snapshot!(shown("action_name=Red%20shoes%20%7C%20Shop&r=929409&h=10&m=8&s=9&url=https%3A%2F%2Fshop.example%2Fshoes%3Fcolor%3Dred&urlref=https%3A%2F%2Fwww.google.com%2F&_id=0a0eb2e9175a04ab&_idn=1&_refts=0&send_image=0&pdf=1&qt=0&realp=0&wma=0&fla=0&java=0&ag=0&cookie=1&res=1280x1024&pf_net=12&pf_srv=108&pv_id=4fglKu&uadata=%7B%22mobile%22%3Afalse%7D"), @"pageview site=7 url=https://shop.example/shoes?color=red ref=https://www.google.com/ title=Red shoes | Shop sub=0a0eb2e9175a04ab width=1280 height=1024 view=yes | idsite=7 | pf_net=12 | pf_srv=108");
    insta::assert_snapshot!(shown("ping=1&url=https%3A%2F%2Fshop.example%2F"), @"engagement site=7 url=https://shop.example/ | idsite=7");
    insta::assert_snapshot!(shown("search=shoes&search_cat=all&search_count=0"), @"search site=7 url=https://shop.example/from?x search=shoes results=0 | idsite=7 | search_cat=all");
    insta::assert_snapshot!(shown("download=https%3A%2F%2Fshop.example%2Flist.pdf&url=https%3A%2F%2Fshop.example%2F"), @"download site=7 url=https://shop.example/ | idsite=7 | download=https://shop.example/list.pdf");
    insta::assert_snapshot!(shown("link=https%3A%2F%2Fother.example%2F%3Ftoken%3Dx"), @"outbound site=7 url=https://shop.example/from?x | idsite=7 | link=https://other.example/?token=x");
    insta::assert_snapshot!(shown("e_c=Video&e_a=play&e_n=Intro&e_v=2.5&ca=1"), @"play site=7 url=https://shop.example/from?x | idsite=7 | e_c=Video | e_n=Intro | e_v=2.5");
    insta::assert_snapshot!(shown("idgoal=0&ec_id=A-17&revenue=19.9&ec_items=%5B%5B%22sku%22%2C%22Shoe%22%2C%5B%5D%2C19.9%2C1%5D%5D"), @r#"order site=7 url=https://shop.example/from?x about=order id=A-17 | idsite=7 | revenue=19.9 | ec_items=json [["sku","Shoe",[],19.9,1]]"#);
    insta::assert_snapshot!(shown("idgoal=0&revenue=5"), @"cart_update site=7 url=https://shop.example/from?x | idsite=7 | revenue=5");
    insta::assert_snapshot!(shown("idgoal=5&url=https%3A%2F%2Fshop.example%2Fthanks"), @"goal site=7 url=https://shop.example/thanks about=goal id=5 | idsite=7");
    insta::assert_snapshot!(shown("_pks=sku9&_pkp=3.5&_pkn=Shoe"), @"pageview site=7 url=https://shop.example/from?x about=product id=sku9 | idsite=7 | _pkp=3.5 | _pkn=Shoe");
    insta::assert_snapshot!(shown("c_n=Ad&c_p=ad.jpg&c_t=https%3A%2F%2Fad.example"), @"content_impression site=7 url=https://shop.example/from?x | idsite=7 | c_p=ad.jpg | c_t=https://ad.example | c_n=Ad");
    insta::assert_snapshot!(shown("c_n=Ad&c_i=click"), @"content_interaction site=7 url=https://shop.example/from?x | idsite=7 | c_n=Ad | c_i=click");
    insta::assert_snapshot!(shown("ca=1&fa_vid=NF7NS9&fa_name=form"), @"custom site=7 url=https://shop.example/from?x | idsite=7 | fa_vid=NF7NS9 | fa_name=form");
    insta::assert_snapshot!(shown("uid=U1&cid=1111111111111111&_id=2222222222222222&cdt=1699999999&lang=de&dimension1=gold&cvar=%7B%221%22%3A%5B%22a%22%2C%22b%22%5D%7D&token_auth=secret"), @r#"pageview site=7 url=https://shop.example/from?x user=U1 sub=1111111111111111 at=1699999999000000 language=de | idsite=7 | _id=2222222222222222 | dimension1=gold | cvar=json {"1":["a","b"]} | token_auth=secret"#);
    for target in ["/stats/t.php?idsite=7&rec=1", "/matomo.php?idsite=7&rec=1"] {
        assert_eq!(super::tests::shown("matomo:/t.php", target, ""), "pageview site=7 | idsite=7");
    }
    // Invalid values are kept as they were sent.
    insta::assert_snapshot!(shown("res=unknown&search_count=many&cdt=yesterday&ping=maybe&cvar=%7Bnone&url=&cip=203.0.113.9&ua=x&=1&url=/p"), @"pageview site=7 url=https://shop.example/from?x | idsite=7 | res=unknown | search_count=many | cdt=yesterday | cvar={none | =1 | url=/p | ping=maybe");
    insta::assert_snapshot!(shown("url=shop.example%2Fx&urlref=%2Fy&search=%FF%00&e_a=&rand=1&apiv=1"), @"search site=7 url=shop.example/x ref=/y search=� | idsite=7");
}

#[test]
fn goatcounter() {
    let shown = |query: &str| shown("goatcounter", &format!("/count?{query}"), "https://shop.example:8443/");
    insta::assert_snapshot!(shown("p=%2Fshoes%3Fcolor%3Dred&r=https%3A%2F%2Fwww.google.com%2F&t=Red+shoes&s=1280%2C1024%2C1.5&b=0&q=%3Fcolor%3Dred&rnd=x8k2q"), @"pageview site=stats.example url=https://shop.example:8443/shoes?color=red ref=https://www.google.com/ title=Red shoes width=1280 height=1024");
    insta::assert_snapshot!(shown("p=%2Fcanonical&q=%3Futm_source%3Dnews&r=Newsletter"), @"pageview site=stats.example url=https://shop.example:8443/canonical?utm_source=news ref=Newsletter");
    insta::assert_snapshot!(shown("p=sign-up&e=true&t=Sign+up&q=%3Fa%3Db"), @"sign-up site=stats.example url=https://shop.example:8443/ title=Sign up | q=?a=b");
    insta::assert_snapshot!(shown("p=%2F&e=1"), @"event site=stats.example url=https://shop.example:8443/");
    insta::assert_snapshot!(shown("p=about&e=false&b=153"), @"pageview site=stats.example url=https://shop.example:8443/about robot=yes | b=153");
    insta::assert_snapshot!(shown("p=https%3A%2F%2Fother.example%2Fx&e=maybe&b=no&s=1280&q=color"), @"pageview site=stats.example url=https://other.example/x | s=1280 | e=maybe | q=color | b=no");
    insta::assert_snapshot!(shown("p=%2Fa%3Fb&q=%3Fc"), @"pageview site=stats.example url=https://shop.example:8443/a?b | q=?c");
    insta::assert_snapshot!(shown("p=about%3Fnext%3Dhttp%3A%2F%2Fx"), @"pageview site=stats.example url=https://shop.example:8443/about?next=http://x");
    insta::assert_snapshot!(shown("p=//x.example/"), @"pageview site=stats.example url=https://shop.example:8443/x.example/");
    assert_eq!(shown("t=x"), "NonHit(Other)");
    assert_eq!(shown("p="), "NonHit(Other)");
}

#[test]
fn plausible() {
    let shown = |query: &str| shown("plausible", &format!("/pl/api/event?{query}"), "https://shop.example/");
    insta::assert_snapshot!(shown("n=pageview&u=https%3A%2F%2Fshop.example%2Fa&d=shop.example&r=https%3A%2F%2Fg.example%2F&w=1280&h=1&v=26"), @"pageview site=shop.example url=https://shop.example/a ref=https://g.example/ width=1280 version=26 | d=shop.example");
    insta::assert_snapshot!(shown("name=Signup&url=https%3A%2F%2Fshop.example%2Fa&domain=shop.example%2Call.example&referrer=&screen_width=wide&props=%7B%22email%22%3A%22a%40b.example%22%7D"), @r#"Signup site=shop.example url=https://shop.example/a | domain=shop.example,all.example | screen_width=wide | props=json {"email":"a@b.example"}"#);
    insta::assert_snapshot!(shown("n=engagement&u=https%3A%2F%2Fshop.example%2Fa&sd=80&e=5300&d=shop.example"), @"engagement site=shop.example url=https://shop.example/a dwell=5300 depth=80 | d=shop.example");
    insta::assert_snapshot!(shown("n=Outbound+Link%3A+Click&u=%2Fa&p=%7B%22url%22%3A%22https%3A%2F%2Fo.example%22%7D&i=false&n=again"), @r#"outbound site=stats.example url=https://shop.example/a | p=json {"url":"https://o.example"} | i=false | n=again"#);
    insta::assert_snapshot!(shown("n=File+Download&name=other&u=%2Fa&url=%2Fb"), @"download site=stats.example url=https://shop.example/a | name=other | url=/b");
    for query in ["", "n=pageview", "u=%2Fa", "d=shop.example"] {
        assert_eq!(shown(query), "NonHit(Other)", "{query}");
    }
}

#[test]
fn umami() {
    let shown = |query: &str| shown("umami", &format!("/api/send?{query}"), "http://shop.example:8080/x");
    insta::assert_snapshot!(shown("type=event&website=94db1cb1-74f4-4a40-ad6c-962362670409&hostname=shop.example&url=%2Fa%3Fb&referrer=%2Ffrom&title=A&screen=1920x1080&language=de-DE"), @"pageview site=94db1cb1-74f4-4a40-ad6c-962362670409 url=http://shop.example:8080/a?b ref=http://shop.example:8080/from title=A width=1920 height=1080 language=de-DE | website=94db1cb1-74f4-4a40-ad6c-962362670409");
    insta::assert_snapshot!(shown("website=W&hostname=www.shop.example&url=%2Fa&referrer=https%3A%2F%2Fg.example%2F&name=signup&data=%7B%22plan%22%3A%22pro%22%7D&tag=b"), @r#"signup site=W url=https://www.shop.example/a ref=https://g.example/ | website=W | data=json {"plan":"pro"} | tag=b"#);
    insta::assert_snapshot!(shown("website=W&type=identify&id=U1&vid=V1&timestamp=1699999999"), @"identify site=W url=http://shop.example:8080/x user=U1 sub=V1 at=1699999999000000 | website=W");
    insta::assert_snapshot!(shown("website=W&type=performance&url=https%3A%2F%2Fshop.example%2Fa&hostname=other.example&lcp=1200"), @"performance site=W url=https://shop.example/a | website=W | lcp=1200 | hostname=other.example");
    insta::assert_snapshot!(shown("website=W&type=new&name=x&engagement=-1&screen=big&ip=203.0.113.9&userAgent=x"), @"x site=W url=http://shop.example:8080/x | website=W | engagement=-1 | screen=big | type=new");
    assert_eq!(shown("url=%2Fa"), "NonHit(Other)");
    let pixel = super::tests::shown("umami", "/p/k3Ab9", "https://mail.example/inbox");
    insta::assert_snapshot!(pixel, @"pageview site=k3Ab9 url=https://mail.example/inbox | pixel=k3Ab9");
    assert_eq!(super::tests::shown("umami", "/p/", ""), "NonHit(Other)");
    assert_eq!(super::tests::shown("umami", "/q/k3Ab9", ""), "NonHit(Other)");
}

#[test]
fn a_pixel_of_the_users_own() {
    let spec = "/px.gif?url=u&ref=referrer&ttl=t&site=a&who=i&rnd=&x%26y=p.z";
    assert!(Pixel::compile(spec).unwrap_err().contains("`x&y=p.z`: a beacon has no `p.z`"));
    let spec = "/px.gif?url=u&ref=referrer&ttl=t&site=a&who=i&rnd=&px=x&addr=ip_address&ua=user_agent";
    let shown = |target: &str| shown(spec, target, "https://shop.example/page?x");
    insta::assert_snapshot!(shown("/stats/px.gif?url=https%3A%2F%2Fshop.example%2F&ref=%2Ffrom&ttl=T&site=shop&who=U&rnd=1&px=50&more=1&more=2&addr=203.0.113.9"), @r#"pageview site=shop url=https://shop.example/ ref=https://shop.example/from title=T user=U | site=shop | more=json ["1","2"]"#);
    insta::assert_snapshot!(shown("http://stats.example/px.gif"), @"pageview site=stats.example url=https://shop.example/page?x");
    insta::assert_snapshot!(shown("/px.gif?px=far&user_agent=x&ip_address=y&u=z"), @"pageview site=stats.example url=https://shop.example/page?x | px=far | u=z");
    assert_eq!(shown("/stats/xpx.gif?url=x"), "NonHit(Other)");
    for (text, part) in [
        ("", "no pixel that is known (matomo, goatcounter, plausible, umami), and no path"),
        ("mattomo", "`mattomo` is no pixel that is known"),
        ("px.gif?url=u", "no path"),
        ("https://a.example/px.gif?url=u", "no path"),
        ("/px gif?url=u", "`/px gif` is no path"),
        ("/px.gif?url=link", "`url=link`: a beacon has no `link`; after the = stands one of application_id"),
        ("/px.gif?=u", "`=u`: a parameter of the pixel stands before"),
        ("/px.gif?url=u&url=r", "`url` is there twice"),
        (&("/px?".to_owned() + &(0..101).map(|n| format!("k{n}=&")).collect::<String>()), "more than 100"),
    ] {
        let error = Pixel::compile(text).unwrap_err();
        assert!(error.contains(part), "{text}: {error}");
    }
    assert_eq!(Pixel::compile(" Matomo ").unwrap().name(), "matomo");
    for (text, part) in [
        ("matomo:", "`matomo:` is no pixel that is known"),
        ("matomo:stats.php", "`matomo:stats.php` is no pixel that is known"),
        ("matom:/stats.php", "`matom:/stats.php` is no pixel that is known"),
        ("matomo:/stats.php?idsite=a", "`/stats.php?idsite=a` is no path"),
    ] {
        assert!(Pixel::compile(text).unwrap_err().contains(part), "{text}");
    }
    assert_eq!(Pixel::compile("/x").unwrap().name(), "custom");
}

#[test]
fn other_requests_are_no_hits() {
    let matomo = format("matomo");
    let line = |request: &str, status: &str| {
        format!(r#"1700000000.000 192.0.2.1 stats.example "{request}" {status} "-""#)
    };
    for (request, status, expect) in [
        ("GET /index.php?module=API&idsite=1&rec=1 HTTP/1.1", "200", "NonHit(Other)"),
        ("GET /matomo.js HTTP/1.1", "200", "NonHit(Other)"),
        ("GET /matomo.php HTTP/1.1", "200", "NonHit(Other)"),
        ("POST /matomo.php HTTP/1.1", "204", "NonHit(Other)"),
        ("GET /matomo.php?idsite=1 HTTP/1.1", "200", "NonHit(Other)"),
        ("GET /matomo.php?idsite=1&rec=0 HTTP/1.1", "200", "NonHit(Other)"),
        ("GET /matomo.php/x?idsite=1&rec=1 HTTP/1.1", "200", "NonHit(Other)"),
        ("GET /xmatomo.php?idsite=1&rec=1 HTTP/1.1", "200", "NonHit(Other)"),
        ("GET /wp-login.php HTTP/1.1", "404", "NonHit(Other)"),
        (r"\x16\x03\x01", "400", "NonHit(Other)"),
        ("-", "408", "NonHit(Other)"),
        ("", "400", "NonHit(Other)"),
        ("GET /matomo.php?idsite=1&rec=1 HTTP/1.1", "302", "NonHit(Status(302))"),
        ("GET /matomo.php?idsite=1&rec=1 HTTP/1.1", "301", "NonHit(Status(301))"),
        ("OPTIONS /matomo.php?idsite=1&rec=1 HTTP/1.1", "405", "NonHit(Method)"),
        ("OPTIONS /matomo.php?idsite=1&rec=1 HTTP/1.1", "204", "NonHit(Method)"),
        ("HEAD /matomo.php?idsite=1&rec=1 HTTP/1.1", "200", "NonHit(Method)"),
        ("get /matomo.php?idsite=1&rec=1 HTTP/1.1", "200", "NonHit(Method)"),
        ("GET /matomo.php?idsite=1&rec=1 HTTP/1.1", "2000", "Reject(Reject { reason: BadStatus"),
    ] {
        let got = outcome(&matomo, &line(request, status), |parsed| format!("{parsed:?}"));
        assert!(got.starts_with(expect), "{request} {status}: {got}");
    }
    for (request, status) in [
        ("GET /matomo.php?idsite=1&rec=1 HTTP/1.1", "304"),
        // The product was down, or refused it: what was sent is in the log nevertheless.
        ("GET /matomo.php?idsite=1&rec=1 HTTP/1.1", "403"),
        ("GET /matomo.php?idsite=1&rec=1 HTTP/1.1", "502"),
        ("GET /matomo.php?idsite=1&rec=1 HTTP/1.1", "000"),
        ("POST /piwik.php?idsite=1&rec=1 HTTP/2.0", "204"),
        ("GET /js/tracker.php?idsite=1&rec=1 HTTP/1.1", "200"),
        ("GET /stats/js/?idsite=1&rec=1 HTTP/1.1", "200"),
        ("GET http://stats.example/matomo.php?idsite=1&rec=1 HTTP/1.1", "200"),
    ] {
        outcome(&matomo, &line(request, status), |parsed| {
            assert!(matches!(parsed, Parsed::Hit(_)), "{request}: {parsed:?}");
        });
    }
    let chosen = Spec { pixel: Some("matomo".into()), status: Some("2xx".into()), ..Spec::new(FORMAT) };
    let chosen = Format::of(&chosen).unwrap();
    for (request, status, expect) in [
        ("GET /matomo.php?idsite=1&rec=1 HTTP/1.1", "502", "NonHit(Status(502))"),
        ("GET /matomo.php?idsite=1&rec=1 HTTP/1.1", "304", "NonHit(Status(304))"),
        ("GET /other HTTP/1.1", "502", "NonHit(Other)"),
        ("GET /matomo.php?idsite=1&rec=1 HTTP/1.1", "204", "Hit(Hit"),
    ] {
        let got = outcome(&chosen, &line(request, status), |parsed| format!("{parsed:?}"));
        assert!(got.starts_with(expect), "{request} {status}: {got}");
    }
    // Without a status, every request counts; the parts of a request may be separate variables.
    for (format, line) in [
        ("$msec $request_uri", "1.5 /matomo.php?idsite=1&rec=1"),
        ("$msec $uri?$args", "1.5 /matomo.php?idsite=1&rec=1"),
        ("$msec $request_method $uri$is_args$args", "1.5 POST /matomo.php?idsite=1&rec=1"),
    ] {
        let format = Format::of(&Spec { pixel: Some("matomo".into()), ..Spec::new(format) }).unwrap();
        outcome(&format, line, |parsed| assert!(matches!(parsed, Parsed::Hit(_)), "{line}: {parsed:?}"));
    }
}

#[test]
fn what_cannot_go_together_is_refused() {
    let sites = std::collections::BTreeMap::from([("a".to_owned(), "b".to_owned())]);
    for (format, pixel, sites, expect) in [
        ("alt1", Some("matomo"), None, "pixel: alt1 is what our own pixel logs"),
        ("alt1", None, Some(&sites), "sites: lines of alt1 name their applications"),
        ("combind", Some("matomo"), None, "format: "),
        ("combined", Some("matom"), None, "pixel: `matom` is no pixel"),
        ("$msec $uri", Some("matomo"), None, "pixel: the format has no query string"),
        ("$msec $args", Some("matomo"), None, "pixel: the format has no query string"),
    ] {
        let spec = Spec {
            pixel: pixel.map(str::to_owned),
            sites: sites.cloned().unwrap_or_default(),
            ..Spec::new(format)
        };
        let error = Format::of(&spec).unwrap_err().to_string();
        assert!(error.starts_with(expect), "{error}");
    }
    assert_eq!(format("umami").pixel(), Some("umami"));
    assert_eq!(Format::of(&Spec { sites, ..Spec::new("combined") }).unwrap().pixel(), None);
}

#[test]
fn servers_that_are_trusted_speak_for_visitors() {
    let line = |ip| {
        format!(
            r#"1700000000.000 {ip} stats.example "GET /matomo.php?idsite=1&rec=1&cip=203.0.113.9&ua=Mozilla HTTP/1.1" 200 "-""#
        )
    };
    for (ip, expect, agent) in [("10.0.0.1", "203.0.113.9", "Mozilla"), ("192.0.2.1", "192.0.2.1", "")] {
        outcome(&format("matomo"), &line(ip), |parsed| match parsed {
            Parsed::Hit(hit) => {
                assert_eq!((hit.ip, hit.user_agent), (Some(expect.parse().unwrap()), agent));
                assert!(hit.params.iter().all(|(name, _)| *name == "idsite"), "{:?}", hit.params);
            }
            other => panic!("{other:?}"),
        });
    }
}

#[test]
fn what_the_log_says_stands_beside_what_the_pixel_says() {
    let spec = Spec {
        pixel: Some("matomo".into()),
        ..Spec::new(r#"$msec "$request" $scheme $remote_user "$http_referer""#)
    };
    let line = r#"1.5 "GET /matomo.php?idsite=1&rec=1&scheme=mine&uid=U&url=/a HTTP/1.1" https admin "ftp://bob@a.example/x""#;
    outcome(&Format::of(&spec).unwrap(), line, |parsed| match parsed {
        Parsed::Hit(hit) => {
            insta::assert_snapshot!(of_hit(&hit), @"pageview site=1 url=/a user=U | scheme=https | idsite=1 | p.scheme=mine | remote_user=admin");
        }
        other => panic!("{other:?}"),
    });
}

fn pixels() -> Vec<(Format, Pixel)> {
    ["matomo", "goatcounter", "plausible", "umami", "/px?url=u&n=n&w=sw&t=t&z=&v=pv&who=i&what=e&site=a"]
        .map(|text| (format(text), Pixel::compile(text).unwrap()))
        .into()
}

/// Texts of a hit's fields, and numbers as texts.
fn held(hit: &Hit<'_>) -> String {
    let mut all = format!("{hit:?}");
    for (_, value) in &hit.params {
        let (Value::Text(text) | Value::Json(text)) = value;
        all += text;
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_request_has_an_outcome(
        path in prop::sample::select(&["/matomo.php", "/count", "/api/event", "/api/send", "/p/x", "/px", "/", ""][..]),
        query in "([a-z_]{1,6}=[ -~\u{e9}]{0,9}&){0,9}",
        referer in "(https?://)?[ -!#-~]{0,20}",
        arena in 0..400_usize,
    ) {
        thread_local!(static PIXELS: Vec<(Format, Pixel)> = pixels());
        let line = format!("1.5 192.0.2.1 h \"GET {path}?rec=1&p=/&n=a&u=b&website=c&{query} HTTP/1.1\" 200 \"{referer}\"");
        PIXELS.with(|pixels| for (format, _) in pixels {
            let mut buffer = vec![0; arena];
            let _ = format.parse(line.as_bytes(), false, &Terms::default(), &mut Arena::new(&mut buffer));
        });
    }

    #[test]
    fn every_value_is_somewhere_or_of_no_meaning(
        picked in prop::collection::btree_map(0..60_usize, 1_000_000..9_999_999_u32, 0..20),
        own in prop::collection::btree_map("x[a-z]{1,5}", 1_000_000..9_999_999_u32, 0..5),
    ) {
        thread_local!(static PIXELS: Vec<(Format, Pixel)> = pixels());
        PIXELS.with(|pixels| for (format, pixel) in pixels {
            let path = match pixel.name {
                "matomo" => "/matomo.php?rec=1",
                "goatcounter" => "/count?p=/goat",
                "plausible" => "/api/event?n=x&u=/y",
                "umami" => "/api/send?website=w",
                _ => "/px?",
            };
            let given: BTreeSet<&str> =
                path.split(['?', '&']).filter_map(|pair| pair.split_once('=')).map(|(name, _)| name).collect();
            let mut pairs: Vec<(&str, String)> = Vec::new();
            let mut expect = Vec::new();
            for (at, value) in &picked {
                let (name, meaning) = &pixel.names[at % pixel.names.len()];
                if given.contains(&**name) || pairs.iter().any(|(known, _)| *known == &**name) {
                    continue;
                }
                let value = value.to_string();
                match meaning {
                    Meaning::Nothing | Meaning::Address | Meaning::Agent => {}
                    // These have another form: a hash, microseconds, a flag.
                    Meaning::Ours(Parameter::PageView) | Meaning::Time | Meaning::Tells(Tell::Robot) => {}
                    _ => expect.push((name.to_string(), value.clone())),
                }
                pairs.push((name, value));
            }
            for (name, value) in &own {
                pairs.push((name, value.to_string()));
                expect.push((name.clone(), value.to_string()));
            }
            let query: String = pairs.iter().map(|(name, value)| format!("&{name}={value}")).collect();
            let line = format!("1.5 192.0.2.1 h \"GET {path}{query} HTTP/1.1\" 200 \"https://a.example/\"");
            outcome(format, &line, |parsed| match parsed {
                Parsed::Hit(hit) => {
                    let held = held(&hit);
                    for (name, value) in &expect {
                        assert!(held.contains(value.as_str()), "{}: {name}={value} of {line} is not in {hit:?}", pixel.name);
                    }
                }
                other => panic!("{line}: {other:?}"),
            });
        });
    }
}
