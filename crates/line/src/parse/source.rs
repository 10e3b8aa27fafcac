//! The bytes that fields are cut from, and how a field of them becomes text.
//!
//! Invariant: a field that is UTF-8 without NUL and has nothing to undo is borrowed, never copied. The
//! check is made once for all the bytes, so that cutting a field costs no second look at it.

use nom::Offset;

use crate::arena::Arena;

/// A line, or a piece of one that was unescaped.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'a> {
    bytes: &'a [u8],
    /// The same bytes, where they are UTF-8 without NUL.
    text: Option<&'a str>,
    /// There is a backslash in them, so that a field may have escapes.
    pub(super) may_escape: bool,
}

impl<'a> Source<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        // Neither is in most lines, so both are looked for at once.
        let special = memchr::memchr2(0, b'\\', bytes).map(|at| &bytes[at..]).unwrap_or_default();
        let has_nul = memchr::memchr(0, special).is_some();
        Source {
            bytes,
            text: if has_nul { None } else { std::str::from_utf8(bytes).ok() },
            may_escape: memchr::memchr(b'\\', special).is_some(),
        }
    }

    /// Of text without NUL, which needs no look.
    pub(super) fn of_text(text: &'a str) -> Self {
        Source { bytes: text.as_bytes(), text: Some(text), may_escape: false }
    }

    /// Whether its bytes are UTF-8 without NUL.
    pub(super) fn is_text(&self) -> bool {
        self.text.is_some()
    }

    /// A field as it stands. `field` is cut from this source's bytes, at characters below 0x80.
    pub(super) fn text(&self, field: &'a [u8], arena: &mut Arena<'a>) -> &'a str {
        let borrowed = self.text.and_then(|text| {
            let at = self.bytes.offset(field);
            text.get(at..at + field.len())
        });
        borrowed.unwrap_or_else(|| arena.mended(field))
    }
}
