//! Scratch memory for one line: it holds decoded and masked text until the line is encoded.
//!
//! Invariant: the pieces that the arena hands out do not overlap and live until the line is encoded. No piece is
//! freed by itself; the next line begins with an empty arena. So no field costs a heap allocation.

/// The most scratch memory that one line needs, bytes: a line has at most [`crate::lines::LINE_BYTES_MAX`], and
/// unescaping, decoding and masking together make at most 16 times as many bytes of it.
pub const ARENA_BYTES: usize = 16 * crate::lines::LINE_BYTES_MAX;

/// A bump allocator for text, over a buffer of the caller's.
#[derive(Debug)]
pub struct Arena<'a> {
    free: &'a mut [u8],
}

impl<'a> Arena<'a> {
    /// Takes a buffer; its content does not matter. [`ARENA_BYTES`] are enough for any line.
    pub fn new(buffer: &'a mut [u8]) -> Self {
        Arena { free: buffer }
    }

    /// Gives `write` the first `most` free bytes (fewer when the arena is nearly full) and keeps as many of them as
    /// `write` returns, as text. If they are not valid UTF-8, only their valid beginning is kept.
    pub fn text(&mut self, most: usize, write: impl FnOnce(&mut [u8]) -> usize) -> &'a str {
        let free = std::mem::take(&mut self.free);
        let most = most.min(free.len());
        let used = write(&mut free[..most]).min(most);
        let (kept, rest) = free.split_at_mut(used);
        self.free = rest;
        match std::str::from_utf8(kept) {
            Ok(text) => text,
            Err(e) => std::str::from_utf8(&kept[..e.valid_up_to()]).unwrap_or(""),
        }
    }

    /// Like [`Arena::text`], for bytes that need not be text.
    pub fn bytes(&mut self, most: usize, write: impl FnOnce(&mut [u8]) -> usize) -> &'a [u8] {
        let free = std::mem::take(&mut self.free);
        let most = most.min(free.len());
        let used = write(&mut free[..most]).min(most);
        let (kept, rest) = free.split_at_mut(used);
        self.free = rest;
        kept
    }

    /// Like [`Arena::text`], and makes the bytes a text that PostgreSQL takes: every maximal piece of invalid
    /// UTF-8 becomes U+FFFD (as the WHATWG decoder does it), and NUL is dropped.
    pub fn lossy(&mut self, most: usize, write: impl FnOnce(&mut [u8]) -> usize) -> &'a str {
        let bytes = self.bytes(most, write);
        self.mended(bytes)
    }

    /// `bytes` itself if it is UTF-8 without NUL, else a copy, changed as [`Arena::lossy`] does it.
    pub fn mended(&mut self, bytes: &'a [u8]) -> &'a str {
        match std::str::from_utf8(bytes) {
            Ok(text) if memchr::memchr(0, bytes).is_none() => text,
            _ => self.text(bytes.len().saturating_mul(3), |to| write_mended(bytes, to)),
        }
    }

    /// Copies `text` into the arena; if the arena is nearly full, only a part, which ends at a character boundary.
    pub fn copy(&mut self, text: &str) -> &'a str {
        self.text(text.len(), |to| {
            let n = to.len();
            to.copy_from_slice(&text.as_bytes()[..n]);
            n
        })
    }
}

/// Writes `bytes` as UTF-8 without NUL and returns how many bytes were written: at most three times as many. What
/// does not fit is left out.
fn write_mended(bytes: &[u8], to: &mut [u8]) -> usize {
    let mut sink = Sink::new(to);
    for chunk in bytes.utf8_chunks() {
        for piece in chunk.valid().as_bytes().split(|&b| b == 0) {
            sink.put(piece);
        }
        if !chunk.invalid().is_empty() {
            sink.put("\u{FFFD}".as_bytes());
        }
    }
    sink.used()
}

/// Appends to a piece of the arena, and leaves out what does not fit.
#[derive(Debug)]
pub struct Sink<'t> {
    to: &'t mut [u8],
    used: usize,
}

impl<'t> Sink<'t> {
    /// Begins at the start of `to`.
    pub fn new(to: &'t mut [u8]) -> Self {
        Sink { to, used: 0 }
    }

    /// Appends as much of `piece` as there is room for.
    pub fn put(&mut self, piece: &[u8]) {
        let n = piece.len().min(self.to.len() - self.used);
        self.to[self.used..self.used + n].copy_from_slice(&piece[..n]);
        self.used += n;
    }

    /// Bytes written so far.
    pub fn used(&self) -> usize {
        self.used
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_text_are_mended() {
        let cases: &[(&[u8], &str)] = &[
            (b"plain", "plain"),
            (b"a\0b\0", "ab"),
            (b"\0", ""),
            (b"\xff\xfe", "\u{FFFD}\u{FFFD}"),
            (b"\xe2\x82", "\u{FFFD}"),
            (b"\xe2\x82x\xc3\xa9", "\u{FFFD}x\u{e9}"),
            (b"\xed\xa0\x80", "\u{FFFD}\u{FFFD}\u{FFFD}"),
            (b"\xf0\x9f\x98\0\x80", "\u{FFFD}\u{FFFD}"),
        ];
        for &(bytes, expect) in cases {
            let mut buffer = [0u8; 64];
            let mut arena = Arena::new(&mut buffer);
            assert_eq!(arena.mended(bytes), expect, "{bytes:?}");
            assert_eq!(
                arena.lossy(bytes.len(), |to| {
                    to.copy_from_slice(bytes);
                    bytes.len()
                }),
                expect
            );
        }
        let mut buffer = [0u8; 4];
        assert_eq!(Arena::new(&mut buffer).mended(b"ab\xff\xff"), "ab");
    }

    #[test]
    fn pieces_are_disjoint_and_a_full_arena_cuts_at_a_character() {
        let mut buffer = [0u8; 8];
        let mut arena = Arena::new(&mut buffer);
        let a = arena.copy("abc");
        let b = arena.copy("défgh");
        let c = arena.copy("x");
        assert_eq!((a, b, c), ("abc", "défg", ""));
    }
}
