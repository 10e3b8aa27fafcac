//! How nginx and Apache escape bytes that would break a line, and how to undo it.
//!
//! `escape=json` writes `\"`, `\\`, `\n`, `\r`, `\t`, `\b`, `\f` and `\u00XX` for other bytes below 0x20;
//! `escape=default` writes `\xXX` for `"`, `\`, bytes below 0x20 and above 0x7E; `escape=none` escapes
//! nothing (<https://nginx.org/en/docs/http/ngx_http_log_module.html#log_format>). Apache writes `\"`, `\\`,
//! `\n` … and `\xXX`. Undoing never makes a field longer; a backslash that begins no escape stays.

use memchr::memchr;

use super::source::Source;
use crate::arena::{Arena, Sink};

/// The `escape` parameter of nginx's `log_format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Escape {
    /// nginx's `default`, and Apache's short forms.
    Default,
    Json,
    None,
}

impl Escape {
    /// The field as it was before it was logged: UTF-8 without NUL.
    pub(super) fn text<'a>(self, source: &Source<'a>, field: &'a [u8], arena: &mut Arena<'a>) -> &'a str {
        match self.undo() {
            Some(undo) if source.may_escape && memchr(b'\\', field).is_some() => {
                arena.lossy(field.len(), |to| undo(field, to))
            }
            _ => source.text(field, arena),
        }
    }

    /// The field as it was before it was logged: any bytes.
    pub(super) fn bytes<'a>(self, field: &'a [u8], arena: &mut Arena<'a>) -> &'a [u8] {
        match self.undo() {
            Some(undo) if memchr(b'\\', field).is_some() => arena.bytes(field.len(), |to| undo(field, to)),
            _ => field,
        }
    }

    fn undo(self) -> Option<Undo> {
        match self {
            Escape::Default => Some(unescape_default),
            Escape::Json => Some(unescape_json),
            Escape::None => None,
        }
    }
}

/// Writes a field without its escapes and returns how many bytes were written: never more than the field has.
type Undo = fn(&[u8], &mut [u8]) -> usize;

/// Undoes `escape=json`, and the escapes of any JSON string: a lone surrogate becomes U+FFFD.
pub(super) fn unescape_json(from: &[u8], to: &mut [u8]) -> usize {
    unescape(from, to, |after, sink| {
        let plain = match after.first()? {
            b @ (b'"' | b'\\' | b'/') => *b,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'b' => 0x08,
            b'f' => 0x0C,
            b'u' => return unescape_unit(after, sink),
            _ => return None,
        };
        sink.put(&[plain]);
        Some(1)
    })
}

/// Undoes `escape=default` of nginx and the escaping of Apache.
fn unescape_default(from: &[u8], to: &mut [u8]) -> usize {
    unescape(from, to, |after, sink| {
        let (byte, length) = match after.first()? {
            b'x' => (hex(*after.get(1)?)? << 4 | hex(*after.get(2)?)?, 3),
            b @ (b'"' | b'\\') => (*b, 1),
            b'n' => (b'\n', 1),
            b'r' => (b'\r', 1),
            b't' => (b'\t', 1),
            b'b' => (0x08, 1),
            b'f' => (0x0C, 1),
            b'v' => (0x0B, 1),
            _ => return None,
        };
        sink.put(&[byte]);
        Some(length)
    })
}

/// Copies `from`, and calls `escape` with what follows each backslash. `escape` writes the bytes that the escape stands
/// for and returns its length, or returns `None` if it is no escape.
fn unescape(from: &[u8], to: &mut [u8], escape: impl Fn(&[u8], &mut Sink<'_>) -> Option<usize>) -> usize {
    let mut sink = Sink::new(to);
    let mut rest = from;
    while let Some(at) = memchr(b'\\', rest) {
        sink.put(&rest[..at]);
        rest = &rest[at + 1..];
        match escape(rest, &mut sink) {
            Some(length) => rest = &rest[length..],
            None => sink.put(b"\\"),
        }
    }
    sink.put(rest);
    sink.used()
}

/// `uXXXX`, or a pair of surrogates `uXXXX\uXXXX`, as UTF-8.
fn unescape_unit(after: &[u8], sink: &mut Sink<'_>) -> Option<usize> {
    let first = code_unit(after)?;
    let second = || after.get(5..).and_then(|rest| rest.strip_prefix(b"\\")).and_then(code_unit);
    let (code, length) = match (first, second()) {
        (0xD800..=0xDBFF, Some(low @ 0xDC00..=0xDFFF)) => {
            (0x1_0000 + ((first - 0xD800) << 10) + (low - 0xDC00), 11)
        }
        _ => (first, 5),
    };
    let meant = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
    sink.put(meant.encode_utf8(&mut [0; 4]).as_bytes());
    Some(length)
}

/// The number in `uXXXX`.
pub(super) fn code_unit(text: &[u8]) -> Option<u32> {
    let digits = text.strip_prefix(b"u")?.get(..4)?;
    digits.iter().try_fold(0, |unit, &digit| Some(unit << 4 | u32::from(hex(digit)?)))
}

/// The value of a hexadecimal digit.
pub(super) fn hex(digit: u8) -> Option<u8> {
    let value = HEX[usize::from(digit)];
    (value < 16).then_some(value)
}

/// 0 to 15 for hexadecimal digits, 255 for all else.
pub(super) const HEX: [u8; 256] = {
    let mut table = [255; 256];
    let mut n = 0;
    while n < 10 {
        table[b'0' as usize + n as usize] = n;
        n += 1;
    }
    while n < 16 {
        table[b'a' as usize + n as usize - 10] = n;
        table[b'A' as usize + n as usize - 10] = n;
        n += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_undone_and_what_is_none_stays() {
        let json: &[(&str, &str)] = &[
            ("", ""),
            (r#"a\"b\\c\/d"#, r#"a"b\c/d"#),
            (r"\n\r\t\b\f", "\n\r\t\u{8}\u{c}"),
            (r"\u001b[0m", "\u{1b}[0m"),
            (r"\u00e9\u20AC", "é€"),
            (r"\ud83d\ude00", "😀"),
            (r"\ud83d", "\u{FFFD}"),
            (r"\ud83dx\ude00", "\u{FFFD}x\u{FFFD}"),
            (r"\ud83d\u0041", "\u{FFFD}A"),
            (r"\ud83d\ud83d\ude00", "\u{FFFD}😀"),
            (r"\u0000x", "x"),
            (r"\x41\q", r"\x41\q"),
            (r"\u12", r"\u12"),
            (r"\u12g4", r"\u12g4"),
            (r"end\", r"end\"),
            (r"\u", r"\u"),
        ];
        let default: &[(&str, &str)] = &[
            (r"\x22quoted\x22", r#""quoted""#),
            (r#"\"apache\" \\ \t\v"#, "\"apache\" \\ \t\u{b}"),
            (r"caf\xC3\xA9", "café"),
            (r"\xc3", "\u{FFFD}"),
            (r"a\x00b", "ab"),
            (r"\xZZ\x4", r"\xZZ\x4"),
            (r"\u0041\", r"\u0041\"),
        ];
        for (escape, cases) in [(Escape::Json, json), (Escape::Default, default)] {
            for &(from, expect) in cases {
                check(escape, from, expect);
            }
        }
        check(Escape::None, r"a\nb\x41", r"a\nb\x41");
    }

    fn check(escape: Escape, from: &str, expect: &str) {
        let mut buffer = [0; 128];
        let mut arena = Arena::new(&mut buffer);
        let source = Source::new(from.as_bytes());
        assert_eq!(escape.text(&source, from.as_bytes(), &mut arena), expect, "{escape:?} {from:?}");
    }
}
