//! Properties of every format, for any bytes.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::hit::{Hit, Reason, Value};

/// A byte as nginx writes it with `escape=json`.
pub(super) fn escaped(byte: u8) -> Vec<u8> {
    match byte {
        b'"' => br#"\""#.to_vec(),
        b'\\' => br"\\".to_vec(),
        b'\n' => br"\n".to_vec(),
        b'\r' => br"\r".to_vec(),
        b'\t' => br"\t".to_vec(),
        0x08 => br"\b".to_vec(),
        0x0C => br"\f".to_vec(),
        0..0x20 => format!(r"\u{byte:04X}").into_bytes(),
        _ => vec![byte],
    }
}

/// A byte as nginx writes it with `escape=default`.
fn escaped_by_default(byte: u8) -> String {
    match byte {
        b'"' | b'\\' | 0..0x20 | 0x7F.. => format!(r"\x{byte:02X}"),
        _ => char::from(byte).to_string(),
    }
}

/// A whole `alt1` line of raw fields.
fn alt1_line(fields: &[Vec<u8>]) -> Vec<u8> {
    let escaped = |field: &Vec<u8>| field.iter().flat_map(|&b| escaped(b)).collect::<Vec<u8>>();
    fields.iter().map(escaped).collect::<Vec<_>>().join(&b'\t')
}

fn formats() -> Vec<Format> {
    [
        "alt1",
        "combined",
        "common",
        "vhost_combined",
        r#"escape=json {"t":"$time_iso8601","id":"$request_id","r":"$request","u":$upstream_response_time}"#,
        r#"escape=none $msec $remote_addr $http_x_forwarded_for "$request" $status $host$request_uri $uri $args"#,
    ]
    .map(|text| Format::compile(text).unwrap())
    .into_iter()
    .chain(["matomo", "goatcounter", "plausible", "umami", "/x?a=u&p=t&t=sw"].map(|pixel| {
        let spec = Spec { pixel: Some(pixel.to_owned()), ..Spec::new("combined") };
        Format::of(&spec).unwrap()
    }))
    .collect()
}

/// Checks the invariants of a hit.
fn check_hit(hit: &Hit<'_>) {
    let mut texts = vec![hit.app_key, hit.event_type, hit.method, hit.user_agent, hit.accept_language];
    texts.extend([hit.origin, hit.host, hit.page_url, hit.referrer, hit.title, hit.session_id, hit.user_id]);
    texts.extend([hit.client_sub_id, hit.module_id, hit.element, hit.text, hit.entity_type, hit.entity_id]);
    texts.extend([hit.search_term, hit.time_zone, hit.beacon_version, hit.trace_id, hit.site]);
    for (at, &(name, value)) in hit.params.iter().enumerate() {
        texts.push(name);
        assert!(hit.params[..at].iter().all(|(other, _)| *other != name), "{name}");
        match value {
            Value::Text(text) => texts.push(text),
            Value::Json(text) => {
                texts.push(text);
                serde_json::from_str::<serde_json::Value>(text).unwrap();
            }
        }
    }
    assert!(texts.iter().all(|text| !text.contains('\0')), "{hit:?}");
    assert!(hit.params.len() <= beacon::PARAMS_MAX + 1);
}

fn check_all(line: &[u8], arena_bytes: usize) {
    let terms = Terms::parse(&["0.0.0.0/0".to_owned()], &BTreeMap::new()).unwrap();
    for format in formats() {
        for torn in [false, true] {
            let mut buffer = vec![0; arena_bytes];
            if let Parsed::Hit(hit) = format.parse(line, torn, &terms, &mut Arena::new(&mut buffer)) {
                check_hit(&hit);
            }
        }
        assert!(format.next_piece(line).is_none_or(|at| at > 0 && at < line.len()));
    }
}

/// Pieces of good lines and of bad ones, in any order.
fn near_lines() -> impl Strategy<Value = Vec<u8>> {
    let pieces: &[&[u8]] = &[
        b"alt1\t",
        b"1700000000.123\t000102030405060708090a0b0c0d0e0f\t",
        b"203.0.113.9\tPOST\t204\t",
        b"h\t/api/v1/track\t",
        b"a=K&p.\xff=%ff%00&t=\\u0000\\ud800%C3\t",
        b"\t\t\t\t\t\t",
        br#"{\"a\":\"K\",\"x\":[1e99999]}"#,
        b"\\u001f\x8b\\u0008",
        b"203.0.113.9 - - [10/Oct/2000:13:55:36 -0700] ",
        br#""GET /\x22\x00 HTTP/1.1" 200 5 "-" "\"""#,
        br#""GET /matomo.php?idsite=%ff&rec=1&res=1x&cdt=\x00&e_a=\xc3&cvar=%7B HTTP/1.1" 200 5 "-" "-""#,
        b"{\"t\":\"2000-10-10T13:55:36-07:00\",\"id\":\"000102030405060708090a0b0c0d0e0f\",\"r\":\"",
        b"\0\xff\\",
    ];
    let piece = prop::sample::select(pieces).prop_map(<[u8]>::to_vec);
    let noise = prop::collection::vec(any::<u8>(), 0..6);
    prop::collection::vec(prop_oneof![6 => piece, 1 => noise], 0..14).prop_map(|pieces| pieces.concat())
}

/// Lines of `alt1` that nginx could have written, with any content.
fn whole_lines() -> impl Strategy<Value = Vec<u8>> {
    let bytes = |most| prop::collection::vec(any::<u8>(), 0..most);
    let inside = prop::collection::vec(prop::sample::select(&b"{}[]\",:\\u0123e9dxtnull \xff\0"[..]), 0..40);
    let body = prop_oneof![
        bytes(40),
        inside.prop_map(|inside| [b"{\"k\":\"", &inside[..], b"\"}"].concat()),
        prop::collection::vec("[ -~]{0,9}", 0..6).prop_map(|texts| {
            serde_json::json!({ "title": texts, "custom_params": { "k": texts } }).to_string().into()
        }),
    ];
    let free = prop::collection::vec(bytes(10), 8);
    (bytes(60), body, free, any::<bool>()).prop_map(|(args, body, free, is_track)| {
        let uri = if is_track { "/api/v1/track" } else { "/b" };
        let head = ["alt1", "1.5", "000102030405060708090a0b0c0d0e0f", "192.0.2.1", "POST", "204", "h", uri];
        let mut fields: Vec<Vec<u8>> = head.map(|text| text.as_bytes().to_vec()).into();
        fields.push([b"a=K&", &args[..]].concat());
        fields.extend(free);
        fields.extend([b"1".to_vec(), body]);
        alt1_line(&fields)
    })
}

#[test]
fn long_lines_and_small_arenas_are_no_trouble() {
    let params: String = (0..20_000).map(|n| format!("&p.{n}=%C3%A9%FF")).collect();
    let mut line = b"alt1\t1.5\t000102030405060708090a0b0c0d0e0f\t192.0.2.1\tPOST\t204\th\t/b\ta=K".to_vec();
    line.extend(params.as_bytes());
    line.extend(b"\t".repeat(10));
    for arena_bytes in [0, 1, 7, 100, 1 << 22] {
        check_all(&line, arena_bytes);
        check_all(&vec![b'['; 1 << 18], arena_bytes);
        check_all(&vec![0xFF; 1 << 18], arena_bytes);
    }
}

#[test]
fn formats_have_names_and_say_what_they_carry() {
    for (text, name, id, app) in [
        ("alt1", "alt1", true, true),
        (" alt1\n", "alt1", true, true),
        ("combined", "combined", false, false),
        ("$msec $request_id", "custom", true, false),
    ] {
        let format = Format::compile(text).unwrap();
        assert_eq!((format.name(), format.carries_id(), format.carries_app()), (name, id, app), "{text}");
    }
    for text in ["", "alt2", "ALT1", "json"] {
        assert!(Format::compile(text).is_err(), "{text}");
    }
    assert_eq!(Format::compile("combined").unwrap().next_piece(b"x alt1\talt1\t"), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn any_bytes_have_an_outcome(line in prop::collection::vec(any::<u8>(), 0..200), arena in 0..300_usize) {
        check_all(&line, arena);
    }

    #[test]
    fn near_lines_have_an_outcome(line in near_lines(), arena in 0..2000_usize) {
        check_all(&line, arena);
    }

    #[test]
    fn whole_lines_have_an_outcome(line in whole_lines(), small in 0..200_usize) {
        check_all(&line, 1 << 16);
        check_all(&line, small);
    }

    #[test]
    fn torn_lines_are_cut_into_what_they_are_made_of(line in whole_lines(), at in any::<prop::sample::Index>()) {
        let head = &line[..at.index(line.len()).max(1)];
        let torn = [head, &line].concat();
        prop_assert_eq!(Format::Alt1.next_piece(&torn), Some(head.len()));
        let parsed = Format::Alt1.parse(head, true, &Terms::default(), &mut Arena::new(&mut []));
        prop_assert!(matches!(parsed, Parsed::Reject(reject) if reject.reason == Reason::Torn));
        prop_assert_eq!(Format::Alt1.next_piece(&line), None);
    }

    #[test]
    fn any_format_text_is_compiled_or_explained(text in "[$a-z{}'\"\\\\;# \n_=%|]{0,40}", known in 0..4_usize) {
        let known = ["", "log_format x ", "escape=json ", "$msec "][known];
        let text = format!("{known}{text}");
        match Format::compile(&text) {
            Ok(format) => prop_assert_eq!(format.name(), "custom"),
            Err(error) => prop_assert!(error.at <= text.len() && text.is_char_boundary(error.at), "{}", error),
        }
    }

    #[test]
    fn a_rendered_line_of_a_site_is_parsed_to_what_it_was(
        // A space would end a user or a target.
        raw in prop::collection::vec(prop::collection::vec(prop_oneof![1..b' ', b'!'..=255], 1..12), 4),
        status in 0..1000_u16,
        bytes in any::<u32>(),
        seconds in 0..4_102_444_800_i64,
    ) {
        // `-` stands for what is absent.
        prop_assume!(raw.iter().all(|text| text != b"-"));
        let logged: Vec<String> = raw.iter().map(|text| text.iter().map(|&b| escaped_by_default(b)).collect()).collect();
        let time = jiff::Timestamp::from_second(seconds).unwrap().strftime("%d/%b/%Y:%H:%M:%S +0000");
        let [user, target, referer, agent] = &logged[..] else { unreachable!() };
        let line = format!(
            "192.0.2.1 - {user} [{time}] \"GET {target} HTTP/1.1\" {status:03} {bytes} \"{referer}\" \"{agent}\""
        );
        let mut buffer = vec![0; 1 << 12];
        let format = Format::compile("combined").unwrap();
        let parsed = format.parse(line.as_bytes(), false, &Terms::default(), &mut Arena::new(&mut buffer));
        let text = |at: usize| String::from_utf8_lossy(&raw[at]);
        let expect = Hit {
            occurred_at: seconds * 1_000_000,
            event_type: "request",
            method: "GET",
            status: Some(status),
            bytes_sent: Some(bytes.into()),
            ip: Some("192.0.2.1".parse().unwrap()),
            user_id: &text(0),
            page_url: &text(1),
            is_request: true,
            referrer: &text(2),
            user_agent: &text(3),
            ..Hit::default()
        };
        prop_assert_eq!(parsed, Parsed::Hit(expect), "{}", line);
    }

    #[test]
    fn a_rendered_hit_is_parsed_to_itself(
        texts in prop::collection::vec("[^\0]{0,12}", 22),
        numbers in prop::collection::vec(prop::option::of(any::<i16>()), 6),
        names in prop::collection::btree_set("[^\0]{1,6}", 0..6),
        (id, time, page_view) in (any::<u128>(), 0..10_000_000_000_000_i64, any::<i64>()),
        ip in any::<[u8; 16]>(),
        flags in any::<[bool; 4]>(),
    ) {
        let text = |at: usize| texts[at].as_str();
        let or = |at: usize, other| if texts[at].is_empty() { other } else { text(at) };
        let number = |at: usize| numbers[at].map(i32::from);
        let percent = |at: usize| numbers[at].map(|number| number.rem_euclid(101));
        let hit = Hit {
            occurred_at: time * 1000,
            client_at: numbers[0].map(|_| time),
            event_id: Some(id),
            app_key: or(0, "KEY"),
            event_type: or(1, "pageview"),
            page_view_id: Some(page_view),
            method: "POST",
            status: Some(204),
            ip: Some(std::net::IpAddr::from(ip).to_canonical()),
            user_agent: text(2),
            accept_language: text(3),
            origin: text(4),
            host: text(5),
            page_url: text(6),
            referrer: text(7),
            title: text(8),
            session_id: text(9),
            user_id: text(10),
            client_sub_id: text(11),
            module_id: text(12),
            dwell_ms: number(0).filter(|ms| *ms >= 0),
            scroll_depth: percent(1),
            click_x: percent(2),
            click_y: percent(3),
            element: text(13).trim_end_matches('#'),
            text: text(14).trim_end(),
            entity_type: text(15),
            entity_id: text(16),
            search_term: text(17),
            result_count: number(4),
            screen_width: number(5),
            screen_height: number(0),
            time_zone: text(18),
            automated: flags[0],
            beacon_version: text(19),
            cut: flags[1],
            opted_out: flags[2],
            prefetch: flags[3],
            trace_id: text(20),
            params: names.iter().map(|name| (name.as_str(), Value::Text(text(21)))).collect(),
            ..Hit::default()
        };
        let line = rendered(&hit);
        let mut buffer = vec![0; 1 << 16];
        let parsed = Format::Alt1.parse(&line, false, &Terms::default(), &mut Arena::new(&mut buffer));
        prop_assert_eq!(parsed, Parsed::Hit(hit));
    }
}

/// The line that nginx writes for a beacon's event.
fn rendered(hit: &Hit<'_>) -> Vec<u8> {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    let texts = [
        ("a", hit.app_key),
        ("e", hit.event_type),
        ("u", hit.page_url),
        ("r", hit.referrer),
        ("t", hit.title),
        ("s", hit.session_id),
        ("i", hit.user_id),
        ("c", hit.client_sub_id),
        ("m", hit.module_id),
        ("el", hit.element),
        ("tx", hit.text),
        ("et", hit.entity_type),
        ("ei", hit.entity_id),
        ("q", hit.search_term),
        ("tz", hit.time_zone),
        ("v", hit.beacon_version),
    ];
    query.extend_pairs(texts);
    let shown = |number: Option<i32>| number.map(|n| n.to_string()).unwrap_or_default();
    let short = |number: Option<i16>| shown(number.map(i32::from));
    let numbers = [
        ("d", shown(hit.dwell_ms)),
        ("sd", short(hit.scroll_depth)),
        ("x", short(hit.click_x)),
        ("y", short(hit.click_y)),
        ("n", shown(hit.result_count)),
        ("sw", shown(hit.screen_width)),
        ("sh", shown(hit.screen_height)),
        ("pv", hit.page_view_id.map(|id| format!("{id:x}")).unwrap_or_default()),
        ("ts", hit.client_at.map(|t| format!("{}.{:03}", t / 1000, t % 1000)).unwrap_or_default()),
        ("wd", u8::from(hit.automated).to_string()),
        ("tr", u8::from(hit.cut).to_string()),
    ];
    query.extend_pairs(numbers);
    for (name, value) in &hit.params {
        let Value::Text(value) = value else { panic!("{value:?}") };
        query.append_pair(&format!("p.{name}"), value);
    }
    let fields = [
        "alt1".to_owned(),
        format!("{}.{:03}", hit.occurred_at / 1_000_000, hit.occurred_at / 1000 % 1000),
        format!("{:032x}", hit.event_id.unwrap_or_default()),
        hit.ip.map(|ip| ip.to_string()).unwrap_or_default(),
        hit.method.to_owned(),
        hit.status.map(|status| status.to_string()).unwrap_or_default(),
        hit.host.to_owned(),
        "/b".to_owned(),
        query.finish(),
        String::new(),
        hit.user_agent.to_owned(),
        hit.accept_language.to_owned(),
        hit.origin.to_owned(),
        if hit.prefetch { "prefetch" } else { "" }.to_owned(),
        if hit.opted_out { "1" } else { "" }.to_owned(),
        String::new(),
        hit.trace_id.to_owned(),
        "700".to_owned(),
        String::new(),
    ];
    alt1_line(&fields.map(String::into_bytes))
}
