//! Masking within JSON text, without a tree of it.

use std::fmt::Write;

use super::name::{Meaning, meaning};
use super::{MASK, text_value, token, value, value::holds_any};

/// Appends a text as JSON. Control characters are escaped; NUL, which `jsonb` refuses, is left out.
pub(in crate::enrich) fn quote(text: &str, out: &mut String) {
    out.push('"');
    // Without an early exit, so that the compiler compares many bytes at once.
    let is_plain = text.bytes().fold(true, |plain, b| plain & (b >= 0x20) & (b != b'"') & (b != b'\\'));
    if is_plain {
        out.push_str(text);
        out.push('"');
        return;
    }
    let mut plain = 0;
    for (at, b) in text.bytes().enumerate() {
        if b >= 0x20 && b != b'"' && b != b'\\' {
            continue;
        }
        out.push_str(&text[plain..at]);
        plain = at + 1;
        match b {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            0 => {}
            _ => write!(out, "\\u{b:04x}").expect("a string takes all"),
        }
    }
    out.push_str(&text[plain..]);
    out.push('"');
}

/// Masks JSON text as [`crate::hit::Value::Json`] has it: every value with a secret name, and in every text, number
/// and name what looks personal or secret. `false`: there is nothing to mask, and `out` is unchanged.
pub fn json(text: &str, out: &mut String) -> bool {
    let start = out.len();
    let mut walk = Walk { text, at: 0, out, written: 0, passing: false, scratch: String::new() };
    walk.value(0);
    let written = walk.written;
    if written == 0 {
        out.truncate(start);
        return false;
    }
    out.push_str(&text[written..]);
    true
}

/// A walk over JSON text that is known to be well-formed; in other text it ends early.
struct Walk<'t, 'o> {
    text: &'t str,
    at: usize,
    out: &'o mut String,
    written: usize,
    /// Within a value that is masked as a whole: only the value's end is searched for.
    passing: bool,
    scratch: String,
}

impl Walk<'_, '_> {
    fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while bytes.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
        bytes.get(self.at).copied()
    }

    /// Replaces the text from `from` to here by a JSON string.
    fn replace(&mut self, from: usize, with: &str) {
        self.out.push_str(&self.text[self.written..from]);
        quote(with, self.out);
        self.written = self.at;
    }

    /// Passes a string. Returns where its content begins and ends, and whether it has escapes; if so, `scratch` has the
    /// content without escapes.
    fn string(&mut self) -> (usize, usize, bool) {
        let bytes = self.text.as_bytes();
        let from = self.at + 1;
        let mut end = from;
        let mut escaped = false;
        while let Some(b) = bytes.get(end) {
            match b {
                b'"' => break,
                b'\\' => {
                    escaped = true;
                    end += 2;
                }
                _ => end += 1,
            }
        }
        let end = end.min(bytes.len());
        self.at = (end + 1).min(bytes.len());
        self.scratch.clear();
        if escaped
            && let Some(plain) = self.text.get(from - 1..self.at)
            && let Ok(plain) = serde_json::from_str::<String>(plain)
        {
            self.scratch.push_str(&plain);
        }
        (from, end, escaped)
    }

    fn value(&mut self, depth: u32) {
        // The parser does not let deeper values through.
        match self.peek() {
            Some(b'"') => {
                let from = self.at;
                let (start, end, escaped) = self.string();
                let text = self.text;
                let plain = if escaped { std::mem::take(&mut self.scratch) } else { String::new() };
                let content = if escaped { plain.as_str() } else { text.get(start..end).unwrap_or("") };
                let mut masked = String::new();
                if !self.passing && text_value(content, &mut masked) {
                    self.replace(from, &masked);
                }
            }
            Some(open @ (b'{' | b'[')) if depth < 64 => {
                self.at += 1;
                loop {
                    match self.peek() {
                        None => return,
                        Some(b'}' | b']') => {
                            self.at += 1;
                            return;
                        }
                        Some(b',') => self.at += 1,
                        Some(b'"') if open == b'{' => self.member(depth),
                        Some(_) if open == b'[' => self.value(depth + 1),
                        Some(_) => self.at = self.text.len(),
                    }
                }
            }
            Some(_) => {
                let from = self.at;
                let bytes = self.text.as_bytes();
                while bytes
                    .get(self.at)
                    .is_some_and(|b| !matches!(b, b',' | b'}' | b']') && !b.is_ascii_whitespace())
                {
                    self.at += 1;
                }
                if self.at == from {
                    self.at = bytes.len();
                } else if !self.passing
                    && self.text.get(from..self.at).is_some_and(|number| holds_any(number, true))
                {
                    self.replace(from, MASK);
                }
            }
            None => {}
        }
    }

    /// Whether the string that begins here has the form of a token, as it is or as it would be masked.
    fn next_has_form(&mut self) -> bool {
        let at = self.at;
        let (start, end, escaped) = self.string();
        self.at = at;
        let text = self.text;
        let content = if escaped { self.scratch.as_str() } else { text.get(start..end).unwrap_or("") };
        let mut masked = String::new();
        token::has_form(content) || (text_value(content, &mut masked) && token::has_form(&masked))
    }

    fn member(&mut self, depth: u32) {
        let (from, end, escaped) = self.string();
        let text = self.text;
        let scratch = std::mem::take(&mut self.scratch);
        let name = if escaped { scratch.as_str() } else { text.get(from..end).unwrap_or("") };
        let mut masked = String::new();
        let meaning = match !self.passing && value(name, &mut masked) {
            true => {
                self.replace(from - 1, &masked);
                meaning(&masked)
            }
            false => meaning(name),
        };
        if self.peek() != Some(b':') {
            self.at = self.text.len();
            return;
        }
        self.at += 1;
        let begin = self.peek();
        let secret = match meaning {
            Meaning::Plain => false,
            Meaning::ByForm => begin == Some(b'"') && self.next_has_form(),
            Meaning::Secret => true,
        };
        if !secret || self.passing {
            return self.value(depth + 1);
        }
        let start = self.at;
        self.passing = true;
        self.value(depth + 1); // to find its end
        self.passing = false;
        let masked = "\"***\"";
        if !matches!(self.text.get(start..self.at), Some(had) if had == masked || had == "null" || had == "\"\"")
        {
            self.replace(start, MASK);
        }
    }
}
