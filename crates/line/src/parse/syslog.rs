//! The header that syslog writes before a line: `Jan  3 12:00:00 web-1 nginx: …`, `2026-01-03T12:00:00Z web-1 nginx: …`.
//!
//! A day of one digit is padded with a second space (RFC 3164, section 4.1.2), so a format with single spaces would
//! find an empty value there.

const MONTHS: [&[u8]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];
const WEEKDAYS: [&[u8]; 7] = [b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun"];

/// The place of the space that pads the day of a date with which `line` begins.
pub(super) fn padding(line: &[u8]) -> Option<usize> {
    let from = line.len() - without_priority(line).len();
    let date = &line[from..];
    // As `date` and `ctime` write it: `Sat Jan  3`.
    let named = |names: &[&[u8]], at: usize| {
        date.get(at..at + 3).is_some_and(|name| names.contains(&name)) && date.get(at + 3) == Some(&b' ')
    };
    let month = if named(&WEEKDAYS, 0) { 4 } else { 0 };
    let is_padded =
        named(&MONTHS, month) && matches!(date.get(month + 4..month + 7), Some([b' ', b'1'..=b'9', b' ']));
    is_padded.then_some(from + month + 4)
}

/// `line` without `<13>`, with which a message on the wire begins.
fn without_priority(line: &[u8]) -> &[u8] {
    match line {
        [b'<', b'0'..=b'9', b'>', rest @ ..]
        | [b'<', b'0'..=b'9', b'0'..=b'9', b'>', rest @ ..]
        | [b'<', b'0'..=b'9', b'0'..=b'9', b'0'..=b'9', b'>', rest @ ..] => rest,
        _ => line,
    }
}

/// What stands behind the header: date, host (unless it is left out), and a tag that ends with a colon. A text without
/// a header is returned as it is.
pub(super) fn without_header(text: &str) -> &str {
    behind_header(text).unwrap_or(text)
}

fn behind_header(text: &str) -> Option<&str> {
    let text = &text[text.len() - without_priority(text.as_bytes()).len()..];
    let rest = behind_date(text)?;
    let (first, rest) = rest.split_once(' ')?;
    if first.ends_with(':') {
        return Some(rest);
    }
    let (tag, rest) = rest.split_once(' ')?;
    tag.ends_with(':').then_some(rest)
}

fn behind_date(text: &str) -> Option<&str> {
    let bytes = text.as_bytes();
    let is_clock = |clock: &[u8]| clock.len() == 8 && clock[2] == b':' && clock[5] == b':';
    if bytes.get(..3).is_some_and(|name| MONTHS.contains(&name)) {
        // `Jan  3 12:00:00 `
        let is_date = bytes.get(3) == Some(&b' ')
            && bytes.get(6) == Some(&b' ')
            && bytes.get(7..15).is_some_and(is_clock)
            && bytes.get(15) == Some(&b' ');
        return text.get(16..).filter(|_| is_date);
    }
    let (date, rest) = text.split_once(' ')?;
    super::leaves::rfc3339(date.as_bytes()).map(|_| rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_padded_day_is_found() {
        for (line, expect) in [
            ("Jan  3 12:00:00 web-1 nginx: x", Some(4)),
            ("<190>Jan  3 12:00:00 web-1 nginx: x", Some(9)),
            ("Sat Jan  3 12:00:00 2026", Some(8)),
            ("Jan 13 12:00:00 web-1 nginx: x", None),
            ("Jan  13", None),
            ("Jan   ", None),
            ("Jan  3", None),
            ("Foo  3 x", None),
            ("<1900>Jan  3 x", None),
            ("", None),
        ] {
            assert_eq!(padding(line.as_bytes()), expect, "{line}");
        }
    }

    #[test]
    fn headers_are_left_out() {
        for header in [
            "Jan  3 12:00:00 web-1 nginx: ",
            "Jan 13 12:00:00 web-1 nginx[12]: ",
            "<190>Jan  3 12:00:00 nginx: ",
            "2026-01-03T12:00:00.123456+01:00 web-1 nginx: ",
            "",
        ] {
            assert_eq!(without_header(&format!("{header}192.0.2.1 - -")), "192.0.2.1 - -", "{header}");
        }
        for text in [
            "Jan  3 12:00:00",
            "Jan  3 12:00 web-1 nginx: x",
            "Jan x",
            "Jané",
            "2026-01-03 web-1 a: x",
            "a b: c",
        ] {
            assert_eq!(without_header(text), text);
        }
    }
}
