//! nginx's list variables (`$upstream_addr`, `$upstream_status` …): one element for each server that nginx asked, with
//! `, ` between them, and ` : ` where an internal redirect led to another group of servers
//! (<https://nginx.org/en/docs/http/ngx_http_upstream_module.html#variables>).

use super::leaves;
use crate::arena::{Arena, Sink};

/// What one value is made of the elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The whole list.
    All,
    /// The last element.
    Last,
    /// The sum of seconds.
    Seconds,
    /// The sum of bytes.
    Bytes,
}

impl Kind {
    /// The kind of a variable; `None` if it is no list.
    pub(super) fn of(variable: &str) -> Option<Kind> {
        Some(match variable {
            "upstream_addr" => Kind::All,
            "upstream_status" => Kind::Last,
            "upstream_connect_time"
            | "upstream_header_time"
            | "upstream_first_byte_time"
            | "upstream_session_time"
            | "upstream_queue_time" => Kind::Seconds,
            "upstream_response_length" | "upstream_bytes_received" | "upstream_bytes_sent" => Kind::Bytes,
            _ => return None,
        })
    }

    /// The value to keep: `""` for none, and the list itself if it is not what it should be.
    pub(super) fn value<'a>(self, list: &'a str, arena: &mut Arena<'a>) -> &'a str {
        if elements(list).nth(1).is_none() {
            return list;
        }
        let sum = match self {
            Kind::All => return list,
            Kind::Last => return elements(list).last().filter(|last| *last != "-").unwrap_or_default(),
            Kind::Seconds => sum(list, |text| leaves::seconds_as_ms(text.as_bytes()).map(i64::from)),
            Kind::Bytes => sum(list, |text| leaves::bytes(text.as_bytes())),
        };
        let Some(sum) = sum else { return list };
        let text =
            if self == Kind::Seconds { format!("{}.{:03}", sum / 1000, sum % 1000) } else { sum.to_string() };
        arena.text(text.len(), |to| {
            let mut sink = Sink::new(to);
            sink.put(text.as_bytes());
            sink.used()
        })
    }
}

/// The elements of a list.
fn elements(list: &str) -> impl Iterator<Item = &str> {
    list.split(", ").flat_map(|part| part.split(" : ")).map(str::trim)
}

/// The sum of the elements that are not `-`; `None` if there is none, or one is no number.
pub(super) fn sum(list: &str, number: impl Fn(&str) -> Option<i64>) -> Option<i64> {
    let mut sum: Option<i64> = None;
    for text in elements(list).filter(|text| *text != "-") {
        sum = Some(number(text)?.checked_add(sum.unwrap_or(0))?);
    }
    sum
}

/// Whether a list of `length` bytes, with which `rest` begins, may end there: at the end of an element behind which no
/// further one follows.
pub(super) fn may_end(rest: &[u8], length: usize) -> bool {
    let (list, behind) = rest.split_at(length);
    // Whether an element must follow next, or a colon.
    let mut wants_element = true;
    for piece in list.split(|b| *b == b' ') {
        match piece {
            b":" if !wants_element => wants_element = true,
            [.., b','] if wants_element => {}
            [] | b":" => return list.is_empty(),
            _ if wants_element => wants_element = false,
            _ => return false,
        }
    }
    !wants_element && !behind.starts_with(b" : ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_become_one_value() {
        for (kind, list, expect) in [
            (
                Kind::All,
                "10.0.0.1:80, 10.0.0.2:80 : unix:/run/x.sock",
                "10.0.0.1:80, 10.0.0.2:80 : unix:/run/x.sock",
            ),
            (Kind::Last, "502, 504 : 200", "200"),
            (Kind::Last, "200", "200"),
            (Kind::Last, "502, -", ""),
            (Kind::Seconds, "0.010, 0.300 : 0.200", "0.510"),
            (Kind::Seconds, "-, 0.2", "0.200"),
            (Kind::Seconds, "0.2", "0.2"),
            (Kind::Seconds, "-, -", "-, -"),
            (Kind::Seconds, "0.1, fast", "0.1, fast"),
            (Kind::Bytes, "0, 1234 : 6", "1240"),
            (Kind::Bytes, "9223372036854775807, 1", "9223372036854775807, 1"),
        ] {
            let mut buffer = [0; 64];
            assert_eq!(kind.value(list, &mut Arena::new(&mut buffer)), expect, "{list}");
        }
    }

    #[test]
    fn a_list_ends_behind_its_last_element() {
        for (list, behind, expect) in [
            ("10.0.0.1:80", " 200", true),
            ("10.0.0.1:80,", " 10.0.0.2:80 200", false),
            ("10.0.0.1:80, 10.0.0.2:80", " 200", true),
            ("10.0.0.1:80", " : 10.0.0.2:80 200", false),
            ("10.0.0.1:80 :", " 10.0.0.2:80 200", false),
            ("10.0.0.1:80 : 10.0.0.2:80", " 200", true),
            ("10.0.0.1:80 200", " x", false),
            ("-", " 200", true),
            ("", " 200", true),
            (":", " 200", false),
            (", ", "x", false),
        ] {
            assert_eq!(may_end(format!("{list}{behind}").as_bytes(), list.len()), expect, "{list}{behind}");
        }
    }
}
