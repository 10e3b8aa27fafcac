//! The format `alt1`: a beacon's request as 19 tab-separated fields with `escape=json`.
//!
//! A field cannot contain a tab, so the line is first split at tabs. A reject has the time and the id of the line if
//! they are valid and a tab follows; without the tab, a field may be torn, and its number be a part of another.

use nom::bytes::complete::{tag, take_while};
use nom::sequence::{preceded, terminated};
use nom::{IResult, Parser};

use super::beacon::{self, Keep, Parameter, Params};
use super::escape::Escape;
use super::source::Source;
use super::terms::Terms;
use super::{json, leaves, query};
use crate::arena::Arena;
use crate::bitmap::{BLOCK, bitmaps};
use crate::hit::{Hit, NoHit, NonHit, Reason, Reject, Value};

/// The first field of every line.
const NAME: &[u8] = b"alt1";
/// How every line begins.
const MAGIC: &[u8] = b"alt1\t";
const TAB: &[u8] = b"\t";
/// How many places in a line may be checked for the start of its next piece, and how many bytes at each, so that
/// garbage takes no longer than a line. Time and id have some fifty bytes.
const CANDIDATES_MAX: usize = 16;
const CANDIDATE_BYTES_MAX: usize = 128;
/// Bytes of an id.
const ID_BYTES: usize = 32;
/// Fields of a line, `alt1` among them.
const FIELDS: usize = 19;
/// What nginx writes at most of Sec-GPC and DNT, and of a request's length.
const FLAG_BYTES_MAX: usize = 8;
const LENGTH_DIGITS_MAX: usize = 20;

/// Parses a line, or the torn head of one.
pub(super) fn parse<'a>(
    hit: &mut Hit<'a>,
    line: &'a [u8],
    torn: bool,
    terms: &Terms,
    arena: &mut Arena<'a>,
) -> Result<(), NoHit> {
    let because = |reason| Err(NoHit::Reject(reject(line, reason)));
    if torn {
        return because(Reason::Torn);
    }
    if line.is_empty() {
        return because(Reason::Empty);
    }
    match cells(line) {
        Some(cells) => read(hit, line, &cells, terms, arena),
        None => because(Reason::Shape),
    }
}

/// Parses a line that is surely not torn. `None`: [`next_piece`] has to say where the pieces begin.
pub(super) fn parse_whole<'a>(
    hit: &mut Hit<'a>,
    line: &'a [u8],
    terms: &Terms,
    arena: &mut Arena<'a>,
) -> Option<Result<(), NoHit>> {
    let cells = cells(line)?;
    // Every `alt1\t` within the line is the end of a cell.
    let may_be_torn = |cell: &&[u8]| cell.ends_with(NAME);
    if cells[1..FIELDS - 1].iter().any(may_be_torn) && !are_of_one_write(&cells) {
        return None;
    }
    Some(read(hit, line, &cells, terms, arena))
}

/// Where the next line starts within a torn line: at the first `alt1\t` that is followed by a whole time and id (a
/// field may end with `alt1` before its tab). A line without the 19 fields of a whole one is torn at the first
/// `alt1\t`, whatever follows. A line whose own fields are all in their places is not torn: a visitor may send headers
/// that look like the beginning of a line.
pub(super) fn next_piece(line: &[u8]) -> Option<usize> {
    let cells = cells(line);
    if cells.is_some_and(|cells| are_of_one_write(&cells)) {
        return None;
    }
    let mut first = None;
    let ends =
        memchr::memchr_iter(b'\t', line).filter(|&tab| tab > NAME.len() && line[..tab].ends_with(NAME));
    for piece in ends.map(|tab| tab - NAME.len()).take(CANDIDATES_MAX) {
        if has_time_and_id(&line[piece + MAGIC.len()..]) {
            return Some(piece);
        }
        first = first.or(Some(piece));
    }
    first.filter(|_| cells.is_none())
}

/// Whether 19 fields are those of one line, by the fields that nginx fills itself or cuts: time, id, status, path,
/// Sec-GPC, DNT and length. Two pieces of lines may have 19 fields together, but then a time, an id, an address or a text
/// is in one of these places.
fn are_of_one_write(cells: &[&[u8]; FIELDS]) -> bool {
    let digits = |cell: &[u8]| !cell.is_empty() && cell.iter().all(u8::is_ascii_digit);
    let [_alt1, time, id, _, _, status, _, path, .., gpc, dnt, _trace, length, _body] = *cells;
    leaves::seconds(time).is_some()
        && leaves::request_id(id).is_some()
        && status.len() == 3
        && digits(status)
        && (path.is_empty() || path.starts_with(b"/"))
        && gpc.len() <= FLAG_BYTES_MAX
        && dnt.len() <= FLAG_BYTES_MAX
        && length.len() <= LENGTH_DIGITS_MAX
        && digits(length)
}

/// Whether the bytes begin with a whole time and id, each with its tab.
fn has_time_and_id(rest: &[u8]) -> bool {
    // The cheapest check comes first: garbage may have thousands of these places.
    if !rest.first().is_some_and(u8::is_ascii_digit) {
        return false;
    }
    let near = &rest[..rest.len().min(CANDIDATE_BYTES_MAX)];
    let Some((time, rest)) = memchr::memchr(b'\t', near).map(|tab| (&near[..tab], &near[tab + 1..])) else {
        return false;
    };
    rest.get(ID_BYTES) == Some(&b'\t')
        && leaves::request_id(&rest[..ID_BYTES]).is_some()
        && leaves::seconds(time).is_some()
}

type Cut<'a, T> = IResult<&'a [u8], T, ()>;

/// A field that ends at a tab.
fn cell(input: &[u8]) -> Cut<'_, &[u8]> {
    terminated(take_while(|byte| byte != b'\t'), tag(TAB)).parse(input)
}

/// `alt1`, time, id.
fn head(line: &[u8]) -> Cut<'_, (&[u8], &[u8])> {
    preceded(tag(MAGIC), (cell, cell)).parse(line)
}

/// The fields of a line, still escaped; `None` if their number is wrong or the first is not `alt1`.
fn cells(line: &[u8]) -> Option<[&[u8]; FIELDS]> {
    // Where the cells end. Four ends are written at once, even if there are fewer, so that few blocks need a second
    // turn.
    const AT_ONCE: usize = 4;
    let mut ends = [0; FIELDS + AT_ONCE];
    let mut count = 0;
    for block in (0..line.len()).step_by(BLOCK) {
        let [mut tabs] = bitmaps([b'\t'], line, block, 0);
        let found = tabs.count_ones() as usize;
        for first in (0..found.max(1)).step_by(AT_ONCE) {
            for end in ends.get_mut(count + first..count + first + AT_ONCE)? {
                *end = block + tabs.trailing_zeros() as usize;
                tabs &= tabs.wrapping_sub(1);
            }
        }
        count += found;
    }
    if count != FIELDS - 1 {
        return None;
    }
    ends[count] = line.len();
    let mut cells: [&[u8]; FIELDS] = [&[]; FIELDS];
    let mut from = 0;
    for (cell, end) in cells.iter_mut().zip(ends) {
        *cell = line.get(from..end)?;
        from = end + 1;
    }
    (cells[0] == NAME).then_some(cells)
}

/// A reject with the time and id that `line` begins with, if they are valid.
#[cold]
fn reject(line: &[u8], reason: Reason) -> Reject {
    let time = preceded(tag(MAGIC), cell).parse(line).ok().and_then(|(_, time)| leaves::seconds(time));
    let id = head(line).ok().and_then(|(_, (_, id))| leaves::request_id(id));
    Reject { reason, occurred_at: time, event_id: id }
}

fn read<'a>(
    hit: &mut Hit<'a>,
    line: &'a [u8],
    cells: &[&'a [u8]; FIELDS],
    terms: &Terms,
    arena: &mut Arena<'a>,
) -> Result<(), NoHit> {
    let because = |reason| NoHit::Reject(reject(line, reason));
    let [_alt1, time, id, remote_addr, method, status, host, uri, args, client @ .., body] = *cells;
    let [referer, user_agent, accept_language, origin, sec_purpose, sec_gpc, dnt, trace, _length] = client;
    hit.occurred_at = leaves::seconds(time).ok_or_else(|| because(Reason::BadTime))?;
    hit.event_id = Some(leaves::request_id(id).ok_or_else(|| because(Reason::BadId))?);
    let status = leaves::status(status).ok_or_else(|| because(Reason::BadStatus))?;
    hit.status = Some(status);
    if !(200..300).contains(&status) {
        return Err(NoHit::NonHit(NonHit::Status(status)));
    }
    hit.method = match method {
        b"GET" => "GET",
        b"POST" => "POST",
        _ => return Err(NoHit::NonHit(NonHit::Method)),
    };
    if remote_addr != b"unix:" {
        hit.ip = Some(leaves::address(remote_addr).ok_or_else(|| because(Reason::BadAddress))?);
    }

    let source = Source::new(line);
    let mut text = |field: &'a [u8]| match field {
        [] => "",
        _ => Escape::Json.text(&source, field, arena),
    };
    let referer = text(referer);
    hit.host = text(host);
    hit.user_agent = text(user_agent);
    hit.accept_language = text(accept_language);
    hit.origin = text(origin);
    hit.trace_id = text(trace);
    hit.opted_out = sec_gpc == b"1" || dnt == b"1";
    hit.prefetch = is_prefetch(sec_purpose);

    let mut params = Params::new();
    read_query(hit, &mut params, &source, args, terms, arena);
    if uri.ends_with(b"/track") {
        hit.is_track = hit.method == "POST";
        let trusted = hit.ip.is_some_and(|ip| terms.trusts(ip));
        json::read_body(hit, &mut params, body, trusted, arena).map_err(because)?;
    }
    params.finish(hit, arena);

    if hit.app_key.is_empty() {
        return Err(because(Reason::NoApp));
    }
    if hit.event_type.is_empty() {
        hit.event_type = "pageview";
    }
    if hit.page_url.is_empty() {
        hit.page_url = referer;
    }
    Ok(())
}

/// Whether the fields of `Sec-GPC` or `DNT`, or what stands in their places, have a 1; also if others are missing.
pub(super) fn opted_out(line: &[u8]) -> bool {
    const SEC_GPC: usize = 14;
    line.split(|b| *b == b'\t').skip(SEC_GPC).take(2).any(|field| field == b"1")
}

/// Whether `Sec-Purpose` says that nobody is viewing the page yet.
pub(super) fn is_prefetch(purpose: &[u8]) -> bool {
    let mut tokens = purpose.split(|b| !b.is_ascii_alphanumeric());
    tokens.any(|token| token.eq_ignore_ascii_case(b"prefetch") || token.eq_ignore_ascii_case(b"prerender"))
}

/// Reads the parameters of a pixel: of each name, the first value counts, and `params` has the others.
fn read_query<'a>(
    hit: &mut Hit<'a>,
    params: &mut Params<'a>,
    source: &Source<'a>,
    args: &'a [u8],
    terms: &Terms,
    arena: &mut Arena<'a>,
) {
    let query = Escape::Json.bytes(args, arena);
    // Unescaped bytes are not the line's, even if they are as many: their text is checked by itself.
    let source = if std::ptr::eq(query, args) { *source } else { Source::new(query) };
    let mut pairs = query::Pairs::new(query, source);
    let mut seen = 0_u32;
    while let Some(pair) = pairs.next() {
        let text = pair.value(arena);
        // Nearly all names are known, and need not become text.
        let mut parameter = pair.plain_name().and_then(Parameter::named);
        let (mut name, mut is_json) = ("", false);
        if parameter.is_none() {
            name = pair.name(arena);
            (name, is_json) = name.strip_prefix("j.").map_or((name, false), |name| (name, true));
            parameter = Parameter::named(name.as_bytes()).or_else(|| terms.named(name));
        }
        if let Some(known) = parameter {
            let bit = 1 << known as u32;
            let is_again = seen & bit != 0;
            seen |= bit;
            match (is_again, is_json) {
                (true, _) if !known.is_kept_again() || text.is_empty() => {}
                (true, true) => json::read_typed(hit, params, None, known.long(), text, arena),
                (false, true) => json::read_typed(hit, params, parameter, name, text, arena),
                (false, false) if known.set(hit, text) => {}
                (_, false) => params.add(hit, known.long(), Value::Text(text), Keep::All),
            }
        } else if is_json {
            if !beacon::is_of_the_visitor(name.as_bytes()) {
                json::read_typed(hit, params, None, name, text, arena);
            }
        } else if !beacon::is_of_the_visitor(name.as_bytes()) {
            let name = name.strip_prefix("p.").unwrap_or(name);
            params.add(hit, name, Value::Text(text), Keep::All);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hit::{Micros, Parsed};
    use crate::parse::Format;

    const ID: &str = "000102030405060708090a0b0c0d0e0f";
    const ID_VALUE: u128 = 0x0001_0203_0405_0607_0809_0a0b_0c0d_0e0f;
    const TIME: Micros = 1_700_000_000_123_000;

    /// The fields of a usual line, by name, for tests that change a few.
    fn line(changes: &[(&str, &str)]) -> Vec<u8> {
        let fields = [
            ("magic", "alt1"),
            ("time", "1700000000.123"),
            ("id", ID),
            ("addr", "203.0.113.9"),
            ("method", "GET"),
            ("status", "204"),
            ("host", "t.example.com"),
            ("uri", "/b"),
            ("args", "a=KEY"),
            ("referer", "https://shop.example/p?category=2"),
            ("agent", "Mozilla/5.0"),
            ("language", "de-DE,de;q=0.9"),
            ("origin", "https://shop.example"),
            ("purpose", ""),
            ("gpc", ""),
            ("dnt", ""),
            ("trace", "00-1-2-01"),
            ("length", "512"),
            ("body", ""),
        ];
        for (name, _) in changes {
            assert!(fields.iter().any(|(known, _)| known == name), "{name}");
        }
        let value = |(name, usual)| changes.iter().find(|(n, _)| n == name).map_or(usual, |(_, value)| value);
        fields.iter().map(|(n, v)| value((n, v))).copied().collect::<Vec<_>>().join("\t").into_bytes()
    }

    fn outcome<T>(line: &[u8], look: impl FnOnce(Parsed<'_>) -> T) -> T {
        let mut buffer = vec![0; 1 << 20];
        let names = [("k9".to_owned(), "u".to_owned())].into();
        let terms = Terms::parse(&["10.0.0.0/8".to_owned()], &names).unwrap();
        look(Format::Alt1.parse(line, false, &terms, &mut Arena::new(&mut buffer)))
    }

    fn hit<T>(changes: &[(&str, &str)], look: impl FnOnce(Hit<'_>) -> T) -> T {
        outcome(&line(changes), |parsed| match parsed {
            Parsed::Hit(hit) => look(hit),
            other => panic!("{changes:?}: {other:?}"),
        })
    }

    #[test]
    fn parameters_go_by_their_other_names_too() {
        for (args, page, other) in [
            ("a=KEY&k9=https%3A%2F%2Fs.example%2F1", "https://s.example/1", None),
            // The first value counts, under any of the names.
            (
                "a=KEY&k9=https%3A%2F%2Fs.example%2F1&u=https%3A%2F%2Fs.example%2F2",
                "https://s.example/1",
                Some("https://s.example/2"),
            ),
            (
                "a=KEY&u=https%3A%2F%2Fs.example%2F2&k9=https%3A%2F%2Fs.example%2F1",
                "https://s.example/2",
                Some("https://s.example/1"),
            ),
        ] {
            outcome(&line(&[("args", args)]), |parsed| match parsed {
                Parsed::Hit(hit) => {
                    assert_eq!(hit.page_url, page, "{args}");
                    let other = other.map(|url| ("page_url", Value::Text(url)));
                    assert_eq!(hit.params, Vec::from_iter(other), "{args}");
                }
                other => panic!("{args}: {other:?}"),
            });
        }
    }

    #[test]
    fn a_line_is_a_hit() {
        hit(&[], |hit| {
            let expect = Hit {
                occurred_at: TIME,
                event_id: Some(ID_VALUE),
                app_key: "KEY",
                event_type: "pageview",
                method: "GET",
                status: Some(204),
                ip: Some("203.0.113.9".parse().unwrap()),
                user_agent: "Mozilla/5.0",
                accept_language: "de-DE,de;q=0.9",
                origin: "https://shop.example",
                host: "t.example.com",
                page_url: "https://shop.example/p?category=2",
                trace_id: "00-1-2-01",
                ..Hit::default()
            };
            assert_eq!(hit, expect);
        });
    }

    #[test]
    fn a_query_fills_every_field() {
        let args = "a=KEY&e=click&pv=ff&u=https%3A%2F%2Fshop.example%2Fp%3Fcategory%3D2&r=https://g.example/&t=S%C3%BC%C3%9F+%26&s=S1&i=U1\
            &c=C1&m=M1&d=1500&sd=80&x=12&y=34.5&el=a.buy&tx=Buy&et=product&ei=42&q=red+shoes&n=7&sw=1920&sh=1080\
            &tz=Europe%2FBerlin&ts=1700000000001&wd=1&v=1.2&tr=1&p.color=r%C3%B6d&utm=x&a=OTHER&utm=y";
        hit(&[("args", args)], |hit| {
            let expect = Hit {
                occurred_at: TIME,
                event_id: Some(ID_VALUE),
                app_key: "KEY",
                event_type: "click",
                page_view_id: Some(255),
                page_url: "https://shop.example/p?category=2",
                referrer: "https://g.example/",
                title: "Süß &",
                session_id: "S1",
                user_id: "U1",
                client_sub_id: "C1",
                module_id: "M1",
                dwell_ms: Some(1500),
                scroll_depth: Some(80),
                click_x: Some(12),
                click_y: Some(34),
                element: "a.buy",
                text: "Buy",
                entity_type: "product",
                entity_id: "42",
                search_term: "red shoes",
                result_count: Some(7),
                screen_width: Some(1920),
                screen_height: Some(1080),
                time_zone: "Europe/Berlin",
                client_at: Some(1_700_000_000_001_000),
                automated: true,
                beacon_version: "1.2",
                cut: true,
                params: vec![("color", Value::Text("röd")), ("utm", Value::Json(r#"["x","y"]"#))],
                method: "GET",
                status: Some(204),
                ip: hit.ip,
                user_agent: hit.user_agent,
                accept_language: hit.accept_language,
                origin: hit.origin,
                host: hit.host,
                trace_id: hit.trace_id,
                ..Hit::default()
            };
            assert_eq!(hit, expect);
        });
    }

    #[test]
    fn fields_are_unescaped_before_they_are_decoded() {
        hit(&[("args", r#"a=K\"%41\\&t=\u001b%5C&p.\"=1"#), ("agent", r#"a\"b\u00e9"#)], |hit| {
            assert_eq!((hit.app_key, hit.title, hit.user_agent), ("K\"A\\", "\u{1b}\\", "a\"bé"));
            assert_eq!(hit.params, [("\"", Value::Text("1"))]);
        });
        // A backslash that escapes nothing: the unescaped bytes are as many, but in the arena.
        hit(&[("args", r"a=KEY&t=\x00&p.a=\z")], |hit| {
            assert_eq!((hit.title, &hit.params[..]), (r"\x00", &[("a", Value::Text(r"\z"))][..]));
        });
        let mut raw = line(&[("args", "a=KEY&t=_%A9&s=x"), ("agent", "_")]);
        for byte in raw.iter_mut().filter(|b| **b == b'_') {
            *byte = 0xC3;
        }
        outcome(&raw, |parsed| match parsed {
            Parsed::Hit(hit) => {
                assert_eq!((hit.title, hit.user_agent, hit.session_id), ("é", "\u{FFFD}", "x"));
            }
            other => panic!("{other:?}"),
        });
    }

    #[test]
    fn all_values_of_a_repeated_parameter_are_kept() {
        let json = Value::Json;
        for (args, expect) in [
            (
                "p.tag=red&p.n=1&p.tag=b%22l%5Cue&p.tag=",
                vec![("tag", json(r#"["red","b\"l\\ue",""]"#)), ("n", Value::Text("1"))],
            ),
            ("tag[]=red&tag[]=red", vec![("tag[]", json(r#"["red","red"]"#))]),
            // The first counts as the field, the others are beside it; but not those that say whose the event is.
            ("t=A&title=B&t=&t=C", vec![("title", json(r#"["B","C"]"#))]),
            ("d=x&d=5&d=y", vec![("dwell_ms", json(r#"["x","5","y"]"#))]),
            ("s=1&s=2&i=1&i=2&c=1&c=2&a=OTHER", vec![]),
        ] {
            hit(&[("args", &format!("a=KEY&{args}"))], |hit| assert_eq!(hit.params, expect, "{args}"));
        }
        let many: String = (0..70).map(|n| format!("&p.k={n}")).collect();
        hit(&[("args", &format!("a=KEY{many}"))], |hit| {
            let Value::Json(array) = hit.params[0].1 else { panic!("{hit:?}") };
            assert!(array.starts_with(r#"["0","1","#) && array.ends_with(r#","63"]"#), "{array}");
            assert_eq!(hit.params[1], ("_dropped", json("6")));
        });
    }

    #[test]
    fn what_a_field_cannot_hold_is_kept_and_the_visitors_data_is_not() {
        let args = "a=KEY&sd=deep&d=-5&ts=soon&ip_address=192.0.2.1&user_agent=x&%69p_address=1&=1";
        hit(&[("args", args)], |hit| {
            assert_eq!((hit.scroll_depth, hit.dwell_ms, hit.client_at), (None, None, None));
            let expect = [("scroll_depth", "deep"), ("dwell_ms", "-5"), ("client_time", "soon"), ("", "1")];
            assert_eq!(hit.params, expect.map(|(name, text)| (name, Value::Text(text))));
            assert_eq!(hit.ip, Some("203.0.113.9".parse().unwrap()));
        });
        let many: String = (0..70).map(|n| format!("&p.k{n}={n}")).collect();
        hit(&[("args", &format!("a=KEY{many}&p.k3=again"))], |hit| {
            assert_eq!(hit.params.len(), 65);
            assert_eq!(hit.params[3], ("k3", Value::Text("3")));
            assert_eq!(hit.params[64], ("_dropped", Value::Json("7")));
        });
        // Only this program says how many are missing: who sends the name itself gets one more that is.
        for forged in ["p._dropped=999", "_dropped=999", "p.%5Fdropped=999"] {
            hit(&[("args", &format!("a=KEY&{forged}&p.x=1"))], |hit| {
                assert_eq!(hit.params, [("x", Value::Text("1")), ("_dropped", Value::Json("1"))], "{forged}");
            });
            hit(&[("args", &format!("a=KEY&{forged}{many}"))], |hit| {
                assert_eq!(hit.params.len(), 65);
                assert_eq!(hit.params[64], ("_dropped", Value::Json("7")), "{forged}");
            });
        }
    }

    #[test]
    fn what_is_marked_as_json_keeps_its_type() {
        let args = "a=KEY&j.ts=1700000000123&j.wd=true&j.x=12&j.total=59.9&j.gift=false&j.none=null&p.code=007\
                    &j.items=%5B%7B%22id%22%3A1%7D%5D&j.at=%222026-01-31%22&j.i=42&j.t=%7B%22de%22%3A%22T%22%7D\
                    &j.sd=999&j.y=-5&j.cut=%7B%22a%22%3A&j.big=1e400&j.total=1&j.ip_address=1&j.n=null&j.=7&j.x=13";
        hit(&[("args", args)], |hit| {
            assert_eq!((hit.client_at, hit.automated), (Some(1_700_000_000_123_000), true));
            assert_eq!((hit.click_x, hit.click_y, hit.scroll_depth), (Some(12), None, None));
            assert_eq!((hit.user_id, hit.title, hit.result_count), ("42", "", None));
            let expect = [
                ("total", Value::Json("[59.9,1]")),
                ("gift", Value::Json("false")),
                ("none", Value::Json("null")),
                ("code", Value::Text("007")),
                ("items", Value::Json(r#"[{"id":1}]"#)),
                ("at", Value::Text("2026-01-31")),
                ("title", Value::Json(r#"{"de":"T"}"#)),
                ("scroll_depth", Value::Json("999")),
                ("click_y", Value::Json("-5")),
                ("cut", Value::Text("{\"a\":")),
                ("big", Value::Json("1e400")),
                ("", Value::Json("7")),
                ("click_x", Value::Json("13")),
            ];
            assert_eq!(hit.params, expect);
        });
        let names = [("k".to_owned(), "a".to_owned()), ("z1".to_owned(), "sd".to_owned())].into();
        let terms = Terms::parse(&[], &names).unwrap();
        let raw = line(&[("args", "k=KEY&j.z1=80")]);
        let mut buffer = vec![0; 4 << 20];
        let parsed = Format::Alt1.parse(&raw, false, &terms, &mut Arena::new(&mut buffer));
        let Parsed::Hit(hit) = parsed else { panic!("{parsed:?}") };
        assert_eq!((hit.scroll_depth, hit.params.len()), (Some(80), 0));
    }

    #[test]
    fn headers_say_what_the_visitor_wants() {
        hit(&[("gpc", "1")], |hit| assert!(hit.opted_out));
        hit(&[("dnt", "1")], |hit| assert!(hit.opted_out));
        hit(&[("dnt", "0"), ("gpc", "")], |hit| assert!(!hit.opted_out));
        hit(&[("purpose", "prefetch;prerender")], |hit| assert!(hit.prefetch));
        hit(&[("purpose", "Prefetch")], |hit| assert!(hit.prefetch));
        hit(&[("purpose", "unprefetched")], |hit| assert!(!hit.prefetch));
        hit(&[("addr", "unix:")], |hit| assert_eq!(hit.ip, None));
        hit(&[("addr", "2001:db8::1")], |hit| assert_eq!(hit.ip, Some("2001:db8::1".parse().unwrap())));
        hit(&[("method", "POST"), ("status", "200")], |hit| {
            assert_eq!((hit.method, hit.status), ("POST", Some(200)));
        });
    }

    #[test]
    fn other_answers_are_counted() {
        for (changes, expect) in [
            (&[("status", "429")][..], NonHit::Status(429)),
            (&[("status", "405"), ("method", "PUT"), ("args", "")], NonHit::Status(405)),
            (&[("status", "400"), ("method", ""), ("addr", "?")], NonHit::Status(400)),
            (&[("method", "OPTIONS")], NonHit::Method),
            (&[("method", "HEAD"), ("args", "")], NonHit::Method),
            (&[("method", "get")], NonHit::Method),
        ] {
            outcome(&line(changes), |parsed| assert_eq!(parsed, Parsed::NonHit(expect), "{changes:?}"));
        }
    }

    #[test]
    fn what_is_no_line_is_a_reject_with_what_is_legible() {
        use Reason::*;
        let known = (Some(TIME), Some(ID_VALUE));
        let whole = String::from_utf8(line(&[])).unwrap();
        let changed = |changes: &[(&str, &str)]| String::from_utf8(line(changes)).unwrap();
        let body =
            |body| changed(&[("uri", "/api/v1/track"), ("method", "POST"), ("args", ""), ("body", body)]);
        for (text, reason, (time, id)) in [
            (String::new(), Empty, (None, None)),
            ("alt1".into(), Shape, (None, None)),
            ("alt2\t".into(), Shape, (None, None)),
            ("alt1\t1700000000.123".into(), Shape, (None, None)),
            ("alt1\t1700000000.123\t".into(), Shape, (Some(TIME), None)),
            (format!("alt1\tx\t{ID}\t"), Shape, (None, Some(ID_VALUE))),
            (format!("{whole}\t"), Shape, known),
            (whole.rsplit_once('\t').unwrap().0.to_owned(), Shape, known),
            (format!(" {whole}"), Shape, (None, None)),
            (changed(&[("time", "-")]), BadTime, (None, Some(ID_VALUE))),
            (changed(&[("id", "")]), BadId, (Some(TIME), None)),
            (changed(&[("status", "20")]), BadStatus, known),
            (changed(&[("status", "-")]), BadStatus, known),
            (changed(&[("addr", "")]), BadAddress, known),
            (changed(&[("addr", "host.example")]), BadAddress, known),
            (changed(&[("args", "")]), NoApp, known),
            (changed(&[("args", "a=&a=KEY")]), NoApp, known),
            (changed(&[("args", "b=KEY")]), NoApp, known),
            (body(""), NoBody, known),
            (body("x"), BadJson, known),
            (body(r#"{\"application_id\":\"KEY\"}x"#), BadJson, known),
            (body(r#"{\"application_id\":\"KEY\""#), BadJson, known),
            (body(r#"[{\"application_id\":\"KEY\"}]"#), BadJson, known),
            (body("{}"), NoApp, known),
            (body(r#"{\"application_id\":null}"#), NoApp, known),
        ] {
            let expect = Parsed::Reject(Reject { reason, occurred_at: time, event_id: id });
            outcome(text.as_bytes(), |parsed| assert_eq!(parsed, expect, "{text}"));
        }
    }

    #[test]
    fn garbage_is_cut_in_good_time() {
        // It would take minutes if each candidate were checked to the end of the line.
        let garbage = MAGIC.repeat(50_000);
        let (mut rest, mut pieces) = (garbage.as_slice(), 1);
        while let Some(at) = next_piece(rest) {
            rest = &rest[at..];
            pieces += 1;
        }
        // The last 18 have the fields of one line.
        assert_eq!(pieces, 50_000 - 17);
    }

    #[test]
    fn a_visitor_cannot_tear_a_line() {
        let (time, id) = ("1700000000.5", "ffffffffffffffffffffffffffffffff");
        // A field that ends with `alt1`, and in the two after it what looks like a time and an id.
        let forged = [
            [("args", "a=KEY&t=alt1"), ("referer", time), ("agent", id)],
            [("referer", "https://x.example/alt1"), ("agent", time), ("language", id)],
            [("agent", "alt1"), ("language", time), ("origin", id)],
            [("language", "alt1"), ("origin", time), ("purpose", id)],
        ];
        for changes in forged {
            let line = line(&changes);
            assert_eq!(Format::Alt1.next_piece(&line), None, "{changes:?}");
            outcome(&line, |parsed| match parsed {
                Parsed::Hit(hit) => assert_eq!(hit.event_id, Some(ID_VALUE), "{changes:?}"),
                other => panic!("{changes:?}: {other:?}"),
            });
            let mut buffer = vec![0; 1 << 20];
            let mut hit = Hit::default();
            let whole = parse_whole(&mut hit, &line, &Terms::default(), &mut Arena::new(&mut buffer));
            assert!(matches!(whole, Some(Ok(()))), "{changes:?}");
        }
    }

    #[test]
    fn two_pieces_with_the_fields_of_a_line_are_still_two() {
        let whole = String::from_utf8(line(&[("origin", "::1"), ("gpc", "1")])).unwrap();
        let cells: Vec<&str> = whole.split('\t').collect();
        // The first piece ends in its field n; the second has the rest of the 19 fields, and no newline follows.
        for n in 2..FIELDS - 2 {
            let (head, tail) = (cells[..n].join("\t"), cells[..FIELDS - n + 1].join("\t"));
            let torn = format!("{head}{tail}");
            assert_eq!(torn.matches('\t').count(), FIELDS - 1);
            assert_eq!(next_piece(torn.as_bytes()), Some(head.len()), "{n}: {torn}");
        }
    }

    #[test]
    fn torn_lines_are_cut_where_the_next_one_begins() {
        let whole = String::from_utf8(line(&[])).unwrap();
        for head in ["x", "al", "alt1\t17000", &format!("alt1\t1700000000.123\t{ID}\t203"), &whole] {
            let torn = format!("{head}{whole}");
            assert_eq!(next_piece(torn.as_bytes()), Some(head.len()), "{torn}");
            let mut buffer = [0; 64];
            let parsed =
                Format::Alt1.parse(head.as_bytes(), true, &Terms::default(), &mut Arena::new(&mut buffer));
            let Parsed::Reject(reject) = parsed else { panic!("{parsed:?}") };
            assert_eq!(reject.reason, Reason::Torn);
            assert_eq!(reject.event_id.is_some(), head.len() > 40, "{head}");
        }
        let honest = line(&[("agent", "alt1"), ("args", "a=KEY&q=alt1"), ("body", "alt1")]);
        for none in ["", "alt1\t", "x", "alt1", &whole, std::str::from_utf8(&honest).unwrap()] {
            assert_eq!(next_piece(none.as_bytes()), None, "{none}");
        }
        assert_eq!(next_piece(b"alt1\t17alt1\t18"), Some(7));
        assert_eq!(next_piece(format!("alt1\t1\talt1\t2\t{whole}").as_bytes()), Some(14));
    }
}
