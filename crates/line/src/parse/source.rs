//! The bytes of which fields are parts, and how a field becomes text.
//!
//! Invariant: a field that is UTF-8 without NUL and without escapes is borrowed, never copied. The check is made once
//! for all bytes, and not again for each field.

use nom::Offset;

use crate::arena::Arena;

/// A line, or an unescaped part of one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'a> {
    bytes: &'a [u8],
    /// The same bytes, if they are UTF-8 without NUL.
    text: Option<&'a str>,
    /// They contain a backslash, so a field may have escapes.
    pub(super) may_escape: bool,
}

impl<'a> Source<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        // Most lines contain neither, so one search looks for both.
        let special = memchr::memchr2(0, b'\\', bytes).map(|at| &bytes[at..]).unwrap_or_default();
        let has_nul = memchr::memchr(0, special).is_some();
        Source {
            bytes,
            text: if has_nul { None } else { std::str::from_utf8(bytes).ok() },
            may_escape: memchr::memchr(b'\\', special).is_some(),
        }
    }

    /// For text without NUL, which needs no check.
    pub(super) fn of_text(text: &'a str) -> Self {
        Source { bytes: text.as_bytes(), text: Some(text), may_escape: false }
    }

    /// Whether its bytes are UTF-8 without NUL.
    pub(super) fn is_text(&self) -> bool {
        self.text.is_some()
    }

    /// A field without escapes. `field` is a part of these bytes, between characters below 0x80.
    pub(super) fn text(&self, field: &'a [u8], arena: &mut Arena<'a>) -> &'a str {
        let borrowed = self.text.and_then(|text| {
            let at = self.bytes.offset(field);
            text.get(at..at + field.len())
        });
        borrowed.unwrap_or_else(|| arena.mended(field))
    }
}
