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

/// The long names of parameters that have a field.
const FIELDS: [&str; 27] = [
    "application_id",
    "event_type",
    "page_view_id",
    "page_url",
    "referrer",
    "title",
    "session_id",
    "user_id",
    "client_sub_id",
    "module_id",
    "dwell_ms",
    "scroll_depth",
    "click_x",
    "click_y",
    "element",
    "text",
    "entity_type",
    "entity_id",
    "search_term",
    "result_count",
    "screen_width",
    "screen_height",
    "time_zone",
    "client_time",
    "automated",
    "beacon_version",
    "cut",
];

/// More than nginx takes, and few enough for a line, however they are escaped.
const BYTES_MAX: usize = 32 * 1024;

/// A query string. Its first byte says whose pixel it was sent to.
///
/// What our own says is what the `url` crate makes of it, without NUL: the title is the first value of its names, and
/// every custom parameter has the values of its name, in their order; of a query with values that are JSON (`j.NAME`),
/// only the key is looked at. Of other pixels' requests, a hit is a sound one.
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
        if pairs.iter().any(|(name, _)| name.starts_with("j.")) {
            return;
        }
        assert_eq!(hit.title, first(&["t", "title"]));
        assert_eq!(hit.session_id, first(&["s", "session_id"]));
        assert_eq!(hit.page_url, first(&["u", "page_url"]));
        for (name, value) in &hit.params {
            let values: Vec<String> = match value {
                Value::Text(text) => vec![(*text).to_owned()],
                Value::Json(count) if *name == "_dropped" => {
                    assert!(count.parse::<u32>().is_ok(), "{count}");
                    continue;
                }
                Value::Json(array) => {
                    serde_json::from_str(array).expect("several values are an array of texts")
                }
            };
            let own = pairs.iter().filter(|(other, _)| other.strip_prefix("p.").unwrap_or(other) == *name);
            let is_whole = own.map(|(_, value)| value).eq(&values);
            // Further values of a field's parameter, and what its field cannot hold, stand under the long name; of too
            // many values, some are left out.
            // A short name may also be a field's, which takes the values that were sent without `p.`.
            let is_partly = name.len() <= 2
                || FIELDS.contains(name)
                || hit.params.iter().any(|(name, _)| *name == "_dropped");
            let was_sent = |value: &String| pairs.iter().any(|(_, sent)| sent == value);
            assert!(is_whole || is_partly && values.iter().all(was_sent), "{name}: {values:?}");
        }
    });
}
