//! The body of `POST /api/v1/track`: one event as a JSON object.
//!
//! serde_json checks the grammar and returns the text of each value; this module decides what the values mean, and what
//! PostgreSQL's `jsonb` would not accept. Of two values with one name the last counts, as in JSON, and `params` has the
//! others.

use std::borrow::Cow;
use std::io::Read;

use flate2::bufread::MultiGzDecoder;
use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::beacon::{Keep, Parameter, Params};
use super::escape::{Escape, unescape_json};
use super::jsonb::for_jsonb;
use super::leaves;
use crate::arena::Arena;
use crate::hit::{Hit, Reason, Value};

/// The most bytes of a decompressed body.
const INFLATED_BYTES_MAX: usize = 256 * 1024;
/// A body may decompress to this length whatever its compression ratio: nginx accepts as much of an uncompressed body.
const INFLATED_FREELY_BYTES: usize = 16 * 1024;
/// The greatest compression ratio of longer bodies. That of an event's JSON is three to ten.
const INFLATED_TIMES_MAX: usize = 32;

/// Reads the event in a `body` that is still escaped; its values replace those in `hit`. Address and user agent are
/// taken only from a `trusted` sender.
pub(super) fn read_body<'a>(
    hit: &mut Hit<'a>,
    params: &mut Params<'a>,
    body: &'a [u8],
    trusted: bool,
    arena: &mut Arena<'a>,
) -> Result<(), Reason> {
    let body = Escape::Json.bytes(body, arena);
    if body.is_empty() {
        return Err(Reason::NoBody);
    }
    let body = if body.starts_with(&[0x1F, 0x8B]) { inflate(body, arena)? } else { body };
    let body = arena.mended(body);
    let members = members(body.strip_prefix('\u{FEFF}').unwrap_or(body)).ok_or(Reason::BadJson)?;

    let mut known: [Option<&'a str>; Parameter::ALL.len()] = [None; Parameter::ALL.len()];
    let (mut custom, mut ip_address, mut user_agent) = (Vec::new(), None, None);
    for (name, value) in members {
        let name = string(name, arena).unwrap_or(name);
        let place = match (Parameter::named(name.as_bytes()), name) {
            (Some(parameter), _) => {
                let before = known[parameter as usize].replace(value);
                let is_said = |value: &&str| !matches!(*value, "null" | "\"\"");
                if let Some(before) = before.filter(|before| parameter.is_kept_again() && is_said(before)) {
                    let before = custom_value(before, arena);
                    params.add(hit, parameter.long(), before, Keep::All);
                }
                continue;
            }
            (None, "custom_params") => {
                custom.push(value);
                continue;
            }
            (None, "ip_address") => &mut ip_address,
            (None, "user_agent") => &mut user_agent,
            (None, _) => {
                let value = custom_value(value, arena);
                params.add(hit, name, value, Keep::All);
                continue;
            }
        };
        *place = Some(value);
    }

    for &parameter in Parameter::ALL {
        let Some(value) = known[parameter as usize].filter(|value| *value != "null") else { continue };
        set_known(hit, params, parameter, value, arena);
    }
    for custom in custom.into_iter().filter(|custom| *custom != "null") {
        match members_of_object(custom) {
            Some(members) => {
                for (name, value) in members {
                    let name = string(name, arena).unwrap_or(name);
                    let value = custom_value(value, arena);
                    params.add(hit, name, value, Keep::All);
                }
            }
            None => {
                let value = custom_value(custom, arena);
                params.add(hit, "custom_params", value, Keep::All);
            }
        }
    }
    if trusted {
        read_visitor(hit, ip_address, user_agent, arena);
    }
    Ok(())
}

/// Sets the field of a parameter to a JSON value; if the field cannot hold the value, `params` has it.
fn set_known<'a>(
    hit: &mut Hit<'a>,
    params: &mut Params<'a>,
    parameter: Parameter,
    value: &'a str,
    arena: &mut Arena<'a>,
) {
    let text = match value.as_bytes() {
        [b'{' | b'[', ..] => None,
        _ => Some(string(value, arena).unwrap_or(value)),
    };
    let held = match text {
        Some(text) => parameter.set(hit, text),
        None => {
            parameter.set(hit, "");
            false
        }
    };
    if !held {
        let value = custom_value(value, arena);
        params.add(hit, parameter.long(), value, Keep::All);
    }
}

/// Reads a parameter of a query whose text is JSON. A text that is no JSON, such as one that was cut, counts as it is.
pub(super) fn read_typed<'a>(
    hit: &mut Hit<'a>,
    params: &mut Params<'a>,
    parameter: Option<Parameter>,
    name: &'a str,
    text: &'a str,
    arena: &mut Arena<'a>,
) {
    let json = serde_json::from_str::<&RawValue>(text).ok().map(RawValue::get);
    match (parameter, json) {
        (Some(_), Some("null")) => {}
        (Some(parameter), Some(value)) => set_known(hit, params, parameter, value, arena),
        (Some(parameter), None) => {
            if !parameter.set(hit, text) {
                params.add(hit, parameter.long(), Value::Text(text), Keep::All);
            }
        }
        (None, json) => {
            let value = json.map_or(Value::Text(text), |value| custom_value(value, arena));
            params.add(hit, name, value, Keep::All);
        }
    }
}

/// Sets the visitor that a trusted server names. If the named address is not valid, the hit has none, because the
/// sender's own address would be wrong.
fn read_visitor<'a>(
    hit: &mut Hit<'a>,
    ip_address: Option<&'a str>,
    user_agent: Option<&'a str>,
    arena: &mut Arena<'a>,
) {
    if let Some(address) = ip_address.and_then(|value| string(value, arena)).filter(|text| !text.is_empty()) {
        hit.ip = leaves::first_address(address);
    }
    if let Some(agent) = user_agent.and_then(|value| string(value, arena)).filter(|text| !text.is_empty()) {
        hit.user_agent = agent;
    }
}

/// Decompresses a gzip body of one or more members, within limits, so that a few bytes cannot cost much time.
fn inflate<'a>(body: &[u8], arena: &mut Arena<'a>) -> Result<&'a [u8], Reason> {
    let mut whole = true;
    let most = INFLATED_FREELY_BYTES.max(INFLATED_TIMES_MAX * body.len()).min(INFLATED_BYTES_MAX);
    let inflated = arena.bytes(most, |to| {
        let mut reader = MultiGzDecoder::new(body);
        let mut used = 0;
        loop {
            // One byte beyond the limit distinguishes a body that fits exactly from a longer one.
            let mut beyond = [0];
            let room = if used < to.len() { &mut to[used..] } else { &mut beyond[..] };
            match reader.read(room) {
                Ok(0) => return used,
                Ok(n) if used < to.len() => used += n,
                _ => {
                    whole = false;
                    return used;
                }
            }
        }
    });
    if whole { Ok(inflated) } else { Err(Reason::BadJson) }
}

type Members<'a> = Vec<(&'a str, &'a str)>;

/// Names and values of an object, both as JSON text.
fn members(object: &str) -> Option<Members<'_>> {
    struct Object;
    impl<'de> Visitor<'de> for Object {
        type Value = Members<'de>;

        fn expecting(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            to.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut members = Vec::new();
            while let Some((name, value)) = map.next_entry::<&RawValue, &RawValue>()? {
                members.push((name.get(), value.get()));
            }
            Ok(members)
        }
    }
    let mut reader = serde_json::Deserializer::from_str(object);
    let members = reader.deserialize_map(Object).ok()?;
    reader.end().ok()?;
    Some(members)
}

fn members_of_object(value: &str) -> Option<Members<'_>> {
    value.starts_with('{').then(|| members(value)).flatten()
}

/// The text of a JSON string; `None` for any other value.
fn string<'a>(value: &'a str, arena: &mut Arena<'a>) -> Option<&'a str> {
    let inner = value.strip_prefix('"')?.strip_suffix('"')?;
    Some(match memchr::memchr(b'\\', inner.as_bytes()) {
        None => inner,
        Some(_) => arena.lossy(inner.len(), |to| unescape_json(inner.as_bytes(), to)),
    })
}

/// A value, as a custom parameter has it.
fn custom_value<'a>(value: &'a str, arena: &mut Arena<'a>) -> Value<'a> {
    if let Some(text) = string(value, arena) {
        return Value::Text(text);
    }
    match for_jsonb(value) {
        None => Value::Text(value),
        Some(Cow::Borrowed(value)) => Value::Json(value),
        // A number that jsonb would not accept was quoted; a value that is only this number becomes text.
        Some(Cow::Owned(quoted)) if quoted.starts_with('"') => Value::Text(value),
        Some(Cow::Owned(mended)) => match arena.copy(&mended) {
            // A full arena cuts, and a part of a value is not valid.
            cut if cut.len() < mended.len() => Value::Text(value),
            mended => Value::Json(mended),
        },
    }
}

/// A text, as a custom parameter has it: as JSON if it is an object or an array.
pub(super) fn value_of<'a>(text: &'a str, arena: &mut Arena<'a>) -> Value<'a> {
    match serde_json::from_str::<&RawValue>(text) {
        Ok(json) if matches!(json.get().as_bytes(), [b'{' | b'[', ..]) => custom_value(json.get(), arena),
        _ => Value::Text(text),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::super::tests::escaped;
    use super::*;

    /// Reads a body as it was sent, before nginx escaped it.
    fn check(body: &[u8], trusted: bool, look: impl FnOnce(Result<Hit<'_>, Reason>)) {
        let mut buffer = vec![0; 4 << 20];
        let mut arena = Arena::new(&mut buffer);
        let mut hit = Hit { ip: Some("10.0.0.1".parse().unwrap()), user_agent: "server/1", ..Hit::default() };
        let mut params = Params::new();
        let body: Vec<u8> = body.iter().flat_map(|&b| escaped(b)).collect();
        let outcome = read_body(&mut hit, &mut params, &body, trusted, &mut arena);
        params.finish(&mut hit, &mut arena);
        look(outcome.map(|()| hit));
    }

    fn hit(body: &str, look: impl FnOnce(Hit<'_>)) {
        check(body.as_bytes(), false, |outcome| match outcome {
            Ok(hit) => look(hit),
            Err(reason) => panic!("{body}: {reason}"),
        });
    }

    #[test]
    fn long_and_short_names_fill_the_fields() {
        let body = r#"{"application_id":"KEY","event_type":"search","page_view_id":"ff","page_url":"https://a.example/",
            "referrer":"https://g.example/","title":"S\u00fc\u00df","session_id":"S","user_id":42,"client_sub_id":"C",
            "module_id":"M","dwell_ms":1500,"scroll_depth":"80","click_x":12.5,"click_y":3,"element":"a","text":"T",
            "entity_type":"product","entity_id":7,"search_term":"shoes","result_count":0,"screen_width":390,
            "screen_height":844,"time_zone":"Asia/Tokyo","client_time":"2023-11-14T22:13:20.001Z","automated":true,
            "beacon_version":"1.2","cut":1,"custom_params":{"a":"b","n":1.50,"l":[1,{"x":null}],"z":null}}"#;
        hit(body, |hit| {
            let expect = Hit {
                app_key: "KEY",
                event_type: "search",
                page_view_id: Some(255),
                page_url: "https://a.example/",
                referrer: "https://g.example/",
                title: "Süß",
                session_id: "S",
                user_id: "42",
                client_sub_id: "C",
                module_id: "M",
                dwell_ms: Some(1500),
                scroll_depth: Some(80),
                click_x: Some(12),
                click_y: Some(3),
                element: "a",
                text: "T",
                entity_type: "product",
                entity_id: "7",
                search_term: "shoes",
                result_count: Some(0),
                screen_width: Some(390),
                screen_height: Some(844),
                time_zone: "Asia/Tokyo",
                client_at: Some(1_700_000_000_001_000),
                automated: true,
                beacon_version: "1.2",
                cut: true,
                ip: hit.ip,
                user_agent: "server/1",
                params: vec![
                    ("a", Value::Text("b")),
                    ("n", Value::Json("1.50")),
                    ("l", Value::Json(r#"[1,{"x":null}]"#)),
                    ("z", Value::Json("null")),
                ],
                ..Hit::default()
            };
            assert_eq!(hit, expect);
        });
        let short = "\u{FEFF}{\"a\":\"KEY\",\"e\":\"x\",\"p.c\":\"d\",\"\\u0074\":\"T\",\"\0\":1}";
        hit(short, |hit| {
            assert_eq!((hit.app_key, hit.event_type, hit.title), ("KEY", "x", "T"));
            assert_eq!(hit.params, [("p.c", Value::Text("d")), ("", Value::Json("1"))]);
        });
    }

    #[test]
    fn the_last_value_counts_and_null_is_absent() {
        hit(
            r#"{"title":"a","t":"b","user_id":"u","user_id":null,"x":1,"y":1,"x":"2","k":1,"k":2,"k":"x","k":[3]}"#,
            |hit| {
                assert_eq!((hit.title, hit.user_id, hit.click_x, hit.click_y), ("b", "", Some(2), Some(1)));
                let expect = [
                    ("title", Value::Text("a")),
                    ("click_x", Value::Json("1")),
                    ("k", Value::Json(r#"[1,2,"x",[3]]"#)),
                ];
                assert_eq!(hit.params, expect);
            },
        );
        hit(r#"{"custom_params":{"a":1},"custom_params":{"b":2,"b":3}}"#, |hit| {
            assert_eq!(hit.params, [("a", Value::Json("1")), ("b", Value::Json("[2,3]"))]);
        });
    }

    #[test]
    fn what_a_field_cannot_hold_is_kept() {
        let body = r#"{"dwell_ms":-1,"scroll_depth":1e3,"title":{"de":"T"},"user_id":[1],"automated":"maybe","custom_params":"x"}"#;
        hit(body, |hit| {
            assert_eq!((hit.dwell_ms, hit.scroll_depth, hit.title, hit.user_id), (None, None, "", ""));
            let expect = [
                ("title", Value::Json(r#"{"de":"T"}"#)),
                ("user_id", Value::Json("[1]")),
                ("dwell_ms", Value::Json("-1")),
                ("scroll_depth", Value::Json("1e3")),
                ("automated", Value::Text("maybe")),
                ("custom_params", Value::Text("x")),
            ];
            assert_eq!(hit.params, expect);
        });
    }

    #[test]
    fn values_are_such_as_jsonb_takes() {
        let deep = "[".repeat(5000) + &"]".repeat(5000);
        for (text, expect) in [
            ("1", Value::Json("1")),
            ("1e9999", Value::Text("1e9999")),
            (r#""a\u0000b\ud800""#, Value::Text("ab\u{FFFD}")),
            (r#"["a\u0000b",1e9999]"#, Value::Json(r#"["ab","1e9999"]"#)),
            (&deep, Value::Text(&deep)),
        ] {
            hit(&format!(r#"{{"custom_params":{{"k":{text}}}}}"#), |hit| {
                assert_eq!(hit.params, [("k", expect)], "{text}");
            });
        }
    }

    #[test]
    fn only_trusted_senders_name_the_visitor() {
        let body = br#"{"ip_address":"203.0.113.9","user_agent":"Mozilla/5.0"}"#;
        check(body, true, |hit| {
            let hit = hit.unwrap();
            assert_eq!((hit.ip, hit.user_agent), (Some("203.0.113.9".parse().unwrap()), "Mozilla/5.0"));
        });
        for (body, trusted, ip) in [
            (&body[..], false, Some("10.0.0.1")),
            (br#"{"ip_address":null,"user_agent":""}"#, true, Some("10.0.0.1")),
            (br#"{"ip_address":"","user_agent":5}"#, true, Some("10.0.0.1")),
            (br#"{"ip_address":"hidden"}"#, true, None),
        ] {
            check(body, trusted, |hit| {
                let hit = hit.unwrap();
                assert_eq!((hit.ip, hit.user_agent), (ip.map(|ip| ip.parse().unwrap()), "server/1"));
                assert_eq!(hit.params, []);
            });
        }
    }

    fn compressed(body: &[u8]) -> Vec<u8> {
        let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        writer.write_all(body).unwrap();
        writer.finish().unwrap()
    }

    #[test]
    fn compressed_bodies_are_inflated_within_limits() {
        let members = [compressed(br#"{"title":"#), compressed("\"Süß\"}".as_bytes())].concat();
        check(&members, false, |hit| assert_eq!(hit.unwrap().title, "Süß"));
        let padded = |n: usize| compressed(&[&b"{}"[..], &b" ".repeat(n - 2)].concat());
        check(&padded(INFLATED_FREELY_BYTES), false, |hit| assert!(hit.is_ok()));
        check(&padded(INFLATED_FREELY_BYTES + 1), false, |hit| assert_eq!(hit, Err(Reason::BadJson)));
        check(&padded(50 << 20), false, |hit| assert_eq!(hit, Err(Reason::BadJson)));
        // Empty members make the body so large that the ratio does not limit it.
        let nothing = compressed(b"").repeat(INFLATED_BYTES_MAX / INFLATED_TIMES_MAX / 20);
        let padded = |n: usize| [nothing.clone(), padded(n)].concat();
        check(&padded(INFLATED_BYTES_MAX), false, |hit| assert!(hit.is_ok()));
        check(&padded(INFLATED_BYTES_MAX + 1), false, |hit| assert_eq!(hit, Err(Reason::BadJson)));
        check(&members[..members.len() - 9], false, |hit| assert_eq!(hit, Err(Reason::BadJson)));
        check(b"\x1f\x8b", false, |hit| assert_eq!(hit, Err(Reason::BadJson)));
    }

    #[test]
    fn what_is_no_object_is_a_reject() {
        check(b"", false, |hit| assert_eq!(hit, Err(Reason::NoBody)));
        for body in [
            "[]",
            "null",
            "1",
            "\"x\"",
            "{",
            "}",
            "{}{}",
            "{} x",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{a:1}",
            "{'a':1}",
            "{\"a\":01}",
            "{\"a\":1.}",
            "{\"a\":nul}",
            "{\"a\":\"\n\"}",
            "{\"a\":\"\\x\"}",
            "{\"a\":[1}",
            " ",
            "a=KEY",
            "{\"a\":NaN}",
            "{/**/}",
        ] {
            check(body.as_bytes(), false, |hit| assert_eq!(hit, Err(Reason::BadJson), "{body}"));
        }
    }

    fn any_json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(serde_json::Value::from),
            any::<i64>().prop_map(serde_json::Value::from),
            any::<String>().prop_map(serde_json::Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
                prop::collection::btree_map("[a-z]{0,4}", inner, 0..4)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    fn without_nul(value: serde_json::Value) -> serde_json::Value {
        match value {
            serde_json::Value::String(text) => text.replace('\0', "").into(),
            serde_json::Value::Array(items) => items.into_iter().map(without_nul).collect(),
            serde_json::Value::Object(members) => {
                members.into_iter().map(|(name, value)| (name, without_nul(value))).collect()
            }
            other => other,
        }
    }

    proptest! {
        #[test]
        fn what_serde_json_writes_is_kept(value in any_json()) {
            let body = format!(r#"{{"custom_params":{{"k":{value}}}}}"#);
            let expect = without_nul(value);
            check(body.as_bytes(), false, |hit| {
                let kept = match hit.unwrap().params[..] {
                    [("k", Value::Text(text))] => serde_json::Value::from(text),
                    [("k", Value::Json(text))] => serde_json::from_str(text).unwrap(),
                    ref other => panic!("{other:?}"),
                };
                assert_eq!(kept, expect);
            });
        }
    }
}
