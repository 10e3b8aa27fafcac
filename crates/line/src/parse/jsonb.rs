//! Replaces what PostgreSQL's `jsonb` does not accept in valid JSON.
//!
//! Input and output are valid JSON values. Only strings, numbers and brackets are read.

use std::borrow::Cow;

use super::escape::code_unit;

/// The most levels of arrays and objects; a value with more is kept as text.
const DEPTH_MAX: usize = 32;
/// The greatest exponent and length of a number that every PostgreSQL accepts; other numbers are kept as text.
const EXPONENT_MAX: u32 = 1000;
const NUMBER_BYTES_MAX: usize = 1000;

/// Makes a valid JSON value one that `jsonb` accepts: it removes `\u0000`, writes U+FFFD for lone surrogates, and
/// quotes numbers that `numeric` cannot hold. `None` if the value has too many levels.
pub(super) fn for_jsonb(value: &str) -> Option<Cow<'_, str>> {
    let bytes = value.as_bytes();
    let mut mended = String::new();
    let mut kept = 0;
    let mut depth = 0_usize;
    let mut at = 0;
    let mut replace = |from: usize, to: usize, by: &str| {
        mended.push_str(&value[kept..from]);
        mended.push_str(by);
        kept = to;
    };
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'{' | b'[' => {
                depth += 1;
                if depth > DEPTH_MAX {
                    return None;
                }
                at += 1;
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                at += 1;
            }
            b'"' => at = mend_string(bytes, at + 1, &mut replace),
            b'-' | b'0'..=b'9' => {
                let end = at + number_length(&bytes[at..]);
                if !fits_numeric(&value[at..end]) {
                    replace(at, end, &format!("\"{}\"", &value[at..end]));
                }
                at = end;
            }
            _ => at += 1,
        }
    }
    if kept == 0 && mended.is_empty() {
        return Some(Cow::Borrowed(value));
    }
    mended.push_str(&value[kept..]);
    Some(Cow::Owned(mended))
}

/// Reads a string whose first byte is at `at`, calls `replace` for escapes that `jsonb` does not accept, and returns
/// the place after the closing quote.
fn mend_string(bytes: &[u8], mut at: usize, replace: &mut impl FnMut(usize, usize, &str)) -> usize {
    while let Some(found) = bytes.get(at..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
        at += found;
        if bytes[at] == b'"' {
            return at + 1;
        }
        let after = &bytes[at + 1..];
        let unit = code_unit(after);
        let next = after.get(5..).and_then(|rest| rest.strip_prefix(b"\\")).and_then(code_unit);
        at += match (unit, next) {
            (None, _) => 2,
            (Some(0), _) => {
                replace(at, at + 6, "");
                6
            }
            (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => 12,
            (Some(0xD800..=0xDFFF), _) => {
                replace(at, at + 6, "\\ufffd");
                6
            }
            (Some(_), _) => 6,
        };
    }
    bytes.len()
}

fn number_length(text: &[u8]) -> usize {
    text.iter().take_while(|b| matches!(b, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')).count()
}

/// Whether `numeric`, and therefore `jsonb`, surely accepts a JSON number.
fn fits_numeric(number: &str) -> bool {
    let exponent = number.split_once(['e', 'E']).map_or("0", |(_, exponent)| exponent);
    let exponent = exponent.trim_start_matches(['+', '-']).trim_start_matches('0');
    let exponent = if exponent.is_empty() { Ok(0) } else { exponent.parse::<u32>() };
    number.len() <= NUMBER_BYTES_MAX && exponent.is_ok_and(|exponent| exponent <= EXPONENT_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_jsonb_refuses_is_replaced_and_all_else_is_borrowed() {
        let digits = "1".repeat(1000);
        let deep = |n: usize| r#"[{"":"#.repeat(n / 2) + "0" + &"}]".repeat(n / 2);
        for text in [
            "1",
            "-0.0E+10",
            "1e1000",
            "-1E-1000",
            "0e+0000000000001",
            &digits,
            "[ true , null ]",
            r#""\u0001\\u0000""#,
            r#"{"a":"\ud83d\ude00"}"#,
            r#""1e9999""#,
            r#""\"[[[""#,
            &deep(32),
        ] {
            assert!(matches!(for_jsonb(text), Some(Cow::Borrowed(same)) if same == text), "{text}");
        }
        let longer = format!("{digits}0");
        for (text, expect) in [
            ("1e1001", r#""1e1001""#),
            ("1E-999999", r#""1E-999999""#),
            ("1e99999999999999999999", r#""1e99999999999999999999""#),
            (&longer, &format!("\"{longer}\"")),
            (
                r#"["a\u0000b","\ud83d\ude00\ud800","\\u0000",1e9999]"#,
                r#"["ab","\ud83d\ude00\ufffd","\\u0000","1e9999"]"#,
            ),
            (r#"{"\u0000k\uDC00":"1e9999"}"#, r#"{"k\ufffd":"1e9999"}"#),
            (r#"["\ud800\u0000\udc00"]"#, r#"["\ufffd\ufffd"]"#),
            (r#"["\ud800\ud800\udc00"]"#, r#"["\ufffd\ud800\udc00"]"#),
        ] {
            assert_eq!(for_jsonb(text).as_deref(), Some(expect), "{text}");
        }
        assert_eq!(for_jsonb(&deep(34)), None);
        assert_eq!(for_jsonb(&("[".repeat(33) + &"]".repeat(33))), None);
    }
}
