//! Query strings: our own pixel's, held against the `url` crate, and those of other products.

use std::cell::OnceCell;

use alt_line::hit::{Parsed, Value};
use alt_line::parse::{Format, Spec};
use url::form_urlencoded;

use super::check;

/// Pixels, and the paths of their requests.
const PIXELS: [(&str, &str); 5] = [
    ("matomo", "/matomo.php"),
    ("goatcounter", "/count"),
    ("plausible", "/api/event"),
    ("umami", "/api/send"),
    ("/px.gif?url=u&ref=r&title=t&site=a&ip=ip_address&ua=user_agent&screen=sw&time=ts&rnd=", "/px.gif"),
];

/// More than nginx takes, and few enough for a line, however they are escaped.
const BYTES_MAX: usize = 32 * 1024;

/// A query string. Its first byte says whose pixel it was sent to.
///
/// What our own says is what the `url` crate makes of it, without NUL: the title is the first value of its names, and
/// every custom parameter is the first value of its name. Of other pixels' requests, a hit is a sound one.
pub fn query(data: &[u8]) {
    thread_local! {
        static FORMATS: OnceCell<Vec<Format>> = const { OnceCell::new() };
    }
    let Some((which, query)) = data.split_first().filter(|_| data.len() <= BYTES_MAX) else { return };
    match usize::from(*which) % (PIXELS.len() + 1) {
        0 => ours(query),
        n => FORMATS.with(|formats| {
            let formats = formats.get_or_init(|| PIXELS.map(|(pixel, _)| theirs(pixel)).into());
            let line =
                [b"1700000000.123|10.0.0.1|GET|", PIXELS[n - 1].1.as_bytes(), b"|", &check::escaped(query)]
                    .concat();
            check::parse(&formats[n - 1], &line, |parsed| {
                assert!(!matches!(parsed, Parsed::Reject(_)), "{parsed:?}");
            });
        }),
    }
}

fn theirs(pixel: &str) -> Format {
    let format = "escape=json $msec|$remote_addr|$request_method|$uri|$args";
    let spec = Spec { pixel: Some(pixel.to_owned()), ..Spec::new(format) };
    Format::of(&spec).expect("these are pixels")
}

fn ours(query: &[u8]) {
    let line = [
        b"alt1\t1700000000.123\t000102030405060708090a0b0c0d0e0f\t203.0.113.9\tGET\t204\th\t/b\ta=KEY&"
            .as_slice(),
        &check::escaped(query),
        b"\t\tM\t\t\t\t\t\t\t9\t",
    ]
    .concat();
    let whole = [b"a=KEY&", query].concat();
    let without_nul = |text: &str| text.replace('\0', "");
    let pairs: Vec<(String, String)> = form_urlencoded::parse(&whole)
        .map(|(name, value)| (without_nul(&name), without_nul(&value)))
        .collect();
    let first = |names: &[&str]| {
        pairs.iter().find(|(name, _)| names.contains(&name.as_str())).map_or("", |(_, value)| value)
    };
    check::parse(&Format::Alt1, &line, |parsed| {
        let Parsed::Hit(hit) = parsed else { panic!("{parsed:?}") };
        assert_eq!(hit.app_key, "KEY");
        assert_eq!(hit.title, first(&["t", "title"]));
        assert_eq!(hit.session_id, first(&["s", "session_id"]));
        assert_eq!(hit.page_url, first(&["u", "page_url"]));
        let is_dropped =
            |value: &Value<'_>| matches!(value, Value::Json(count) if count.parse::<u32>().is_ok());
        for (name, value) in &hit.params {
            let Value::Text(text) = value else {
                assert!(*name == "_dropped" && is_dropped(value), "{name}: {value:?}");
                continue;
            };
            let prefixed = format!("p.{name}");
            let is_kept = [name, prefixed.as_str()].iter().any(|name| first(&[name]) == *text);
            // A value that the field of a short name cannot hold stands under the long one.
            let is_unfit = || pairs.iter().any(|(name, value)| name.len() <= 2 && value == text);
            assert!(is_kept || is_unfit(), "{name}: {text}");
        }
    });
}
