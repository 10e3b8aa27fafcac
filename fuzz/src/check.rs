//! What holds for every hit and every encoded row.

use alt_line::arena::{ARENA_BYTES, Arena};
use alt_line::copy;
use alt_line::hit::{Hit, Micros, Parsed, Value};
use alt_line::parse::{Format, Terms};
use serde::de::IgnoredAny;

/// The year 0001 and the end of the year 9999.
const TIMES: std::ops::RangeInclusive<Micros> = -62_135_683_200_000_000..=253_402_387_199_999_999;

/// Custom parameters of a hit, and `_dropped`.
const PARAMS_MAX: usize = 65;

/// How deep `jsonb` values are nested at the most.
const DEPTH_MAX: usize = 32;

/// A byte as nginx writes it with `escape=json`.
pub fn escaped(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    for &byte in bytes {
        match byte {
            b'"' | b'\\' => out.extend([b'\\', byte]),
            b'\n' => out.extend(b"\\n"),
            b'\r' => out.extend(b"\\r"),
            b'\t' => out.extend(b"\\t"),
            0x08 => out.extend(b"\\b"),
            0x0c => out.extend(b"\\f"),
            0..0x20 => out.extend(format!("\\u{byte:04X}").bytes()),
            _ => out.push(byte),
        }
    }
    out
}

/// Parses a line that stands alone, with scratch memory that is kept from call to call.
pub fn parse<T>(format: &Format, line: &[u8], look: impl FnOnce(Parsed<'_>) -> T) -> T {
    thread_local! {
        static SCRATCH: std::cell::RefCell<Vec<u8>> = std::cell::RefCell::new(vec![0; ARENA_BYTES]);
    }
    SCRATCH.with_borrow_mut(|scratch| {
        let parsed = format.parse(line, false, &terms(), &mut Arena::new(scratch));
        if let Parsed::Hit(hit) = &parsed {
            self::hit(hit);
        }
        look(parsed)
    })
}

/// Half of all addresses, so that both ways are taken.
pub fn terms() -> Terms {
    let networks = ["10.0.0.0/8".to_owned(), "8000::/1".to_owned()];
    Terms::parse(&networks, &std::collections::BTreeMap::new()).expect("these are networks")
}

/// Texts without NUL, times that PostgreSQL holds, few parameters, each once, with values that `jsonb` takes.
pub fn hit(hit: &Hit<'_>) {
    let texts = [
        hit.app_key,
        hit.event_type,
        hit.method,
        hit.user_agent,
        hit.accept_language,
        hit.origin,
        hit.host,
        hit.site,
        hit.page_url,
        hit.referrer,
        hit.title,
        hit.session_id,
        hit.user_id,
        hit.client_sub_id,
        hit.module_id,
        hit.element,
        hit.text,
        hit.entity_type,
        hit.entity_id,
        hit.search_term,
        hit.time_zone,
        hit.beacon_version,
        hit.trace_id,
    ];
    assert!(texts.iter().all(|text| !text.contains('\0')), "NUL in {hit:?}");
    assert!(
        TIMES.contains(&hit.occurred_at) && hit.client_at.is_none_or(|at| TIMES.contains(&at)),
        "{hit:?}"
    );
    assert!(hit.params.len() <= PARAMS_MAX, "{} parameters", hit.params.len());
    for (at, &(name, value)) in hit.params.iter().enumerate() {
        assert!(hit.params[..at].iter().all(|(other, _)| *other != name), "`{name}` twice");
        assert!(!name.contains('\0'), "NUL in a name: {name:?}");
        match value {
            Value::Text(text) => assert!(!text.contains('\0'), "NUL in `{name}`"),
            Value::Json(text) => jsonb(text),
        }
    }
}

/// JSON that every PostgreSQL takes as `jsonb`.
fn jsonb(text: &str) {
    serde_json::from_str::<IgnoredAny>(text).unwrap_or_else(|e| panic!("no JSON, {e}: {text}"));
    // A number may be larger than an f64, but serde_json says first what is wrong with the strings.
    if let Err(error) = serde_json::from_str::<serde_json::Value>(text) {
        assert!(error.to_string().contains("number out of range"), "{error}: {text}");
    }
    let (mut depth, mut deepest, mut in_string, mut escapes) = (0_usize, 0, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escapes => {
                assert!(!text[at..].starts_with("u0000"), "NUL: {text}");
                escapes = false;
            }
            b'\\' => escapes = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !in_string => depth -= 1,
            _ => {}
        }
    }
    assert!(deepest <= DEPTH_MAX, "{deepest} deep: {text}");
}

/// What a row's fields are: fixed lengths, an address, JSON, or text.
enum Kind {
    Bytes(usize),
    Address,
    Json,
    Text,
}

fn kind(type_name: &str) -> Kind {
    match type_name {
        "uuid" => Kind::Bytes(16),
        "timestamptz" | "int8" => Kind::Bytes(8),
        "int4" => Kind::Bytes(4),
        "int2" => Kind::Bytes(2),
        "inet" => Kind::Address,
        "jsonb" => Kind::Json,
        "text" => Kind::Text,
        other => panic!("a column of type {other}"),
    }
}

/// A row as binary COPY: all columns, each what its type's `recv` function takes, and not a byte more.
pub fn row(encoded: &[u8]) {
    let mut rest = encoded;
    let mut take = |n: usize| {
        let (taken, after) = rest.split_at_checked(n).expect("a row breaks off");
        rest = after;
        taken
    };
    let count: [u8; 2] = take(2).try_into().expect("two bytes");
    assert_eq!(usize::from(u16::from_be_bytes(count)), copy::COLUMNS.len());
    for &copy::Column { name: column, type_name } in copy::COLUMNS {
        let length = i32::from_be_bytes(take(4).try_into().expect("four bytes"));
        let Ok(length) = usize::try_from(length) else {
            assert_eq!(length, -1, "{column}");
            continue;
        };
        let field = take(length);
        match kind(type_name) {
            Kind::Bytes(n) => assert_eq!(length, n, "{column}"),
            Kind::Address => {
                assert!(matches!((field[0], field[3], length), (2, 4, 8) | (3, 16, 20)), "{field:?}");
            }
            Kind::Json => {
                assert_eq!(field[0], 1);
                jsonb(std::str::from_utf8(&field[1..]).expect("parameters are UTF-8"));
            }
            Kind::Text => {
                let text = std::str::from_utf8(field).expect("texts are UTF-8");
                assert!(!text.is_empty() && !text.contains('\0'), "{column}: {text:?}");
            }
        }
    }
    assert!(rest.is_empty(), "{} bytes too many", rest.len());
}
