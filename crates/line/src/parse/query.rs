//! Query strings, exactly as the WHATWG `application/x-www-form-urlencoded` parser reads them
//! (<https://url.spec.whatwg.org/#urlencoded-parsing>): split at `&`, empty pieces skipped, name and value
//! parted at the first `=`, `+` is a space, `%` with two hexadecimal digits is a byte and any other `%` is
//! itself, and what is no UTF-8 after that becomes U+FFFD. NUL is dropped besides, for PostgreSQL.
//!
//! A name or value without `%` and `+` is borrowed from the line.

use super::escape::HEX;
use super::source::Source;
use crate::arena::Arena;
use crate::bitmap::{BLOCK, LANES, bitmaps, copy_up_to};

/// The pairs of a query string, in one pass.
#[derive(Debug)]
pub(super) struct Pairs<'a> {
    source: Source<'a>,
    query: &'a [u8],
    /// Where the next pair begins.
    at: usize,
    /// Where the block of the following bitmaps begins: of `&`, of `=`, and of bytes to decode.
    block: usize,
    ends: u64,
    equals: u64,
    escapes: u64,
}

impl<'a> Pairs<'a> {
    /// The pairs of `query`, which is a part of `source`, without its `?`.
    pub(super) fn new(query: &'a [u8], source: Source<'a>) -> Self {
        let mut pairs = Pairs { source, query, at: 0, block: 0, ends: 0, equals: 0, escapes: 0 };
        pairs.mark(0);
        pairs
    }

    fn mark(&mut self, block: usize) {
        // The byte after the query ends the last pair.
        let [ends, equals, percents, pluses] = bitmaps([b'&', b'=', b'%', b'+'], self.query, block, b'&');
        (self.block, self.ends, self.equals, self.escapes) = (block, ends, equals, percents | pluses);
    }

    /// The next name and value.
    #[inline]
    pub(super) fn next(&mut self) -> Option<Pair<'a>> {
        while self.at < self.query.len() {
            let from = self.at;
            let pair = self.pair();
            self.at = pair.end + 1;
            if from != pair.end {
                return Some(pair);
            }
        }
        None
    }

    /// The pair that begins here; it may be empty.
    #[inline]
    fn pair(&mut self) -> Pair<'a> {
        let (query, source, from) = (self.query, self.source, self.at);
        if from >= self.block + BLOCK {
            self.mark(self.block + BLOCK);
        }
        let mut ahead = u64::MAX << (from - self.block);
        let mut parted = None;
        let (mut name_escaped, mut value_escaped) = (false, false);
        loop {
            let ends = self.ends & ahead;
            // The bytes from here to the end of the pair, and of these the bytes up to the first `=`.
            let here = ahead & ends.wrapping_sub(1) & !ends;
            let of_name = if parted.is_some() {
                0
            } else {
                let equals = self.equals & here;
                parted = (equals != 0).then(|| self.block + equals.trailing_zeros() as usize);
                equals.wrapping_sub(1) & !equals & here
            };
            name_escaped |= self.escapes & of_name != 0;
            value_escaped |= self.escapes & here & !of_name != 0;
            if ends != 0 {
                let end = self.block + ends.trailing_zeros() as usize;
                return Pair {
                    query,
                    source,
                    from,
                    parted: parted.unwrap_or(end),
                    end,
                    name_escaped,
                    value_escaped,
                };
            }
            // The pair continues in the next block.
            self.mark(self.block + BLOCK);
            ahead = u64::MAX;
        }
    }
}

/// A name and a value, as the query has them.
#[derive(Debug)]
pub(super) struct Pair<'a> {
    query: &'a [u8],
    source: Source<'a>,
    from: usize,
    /// The place of the first `=`; `end` if there is none.
    parted: usize,
    end: usize,
    name_escaped: bool,
    value_escaped: bool,
}

impl<'a> Pair<'a> {
    /// The name, if it needs no decoding.
    #[inline]
    pub(super) fn plain_name(&self) -> Option<&'a [u8]> {
        if self.name_escaped { None } else { Some(&self.query[self.from..self.parted]) }
    }

    /// The name, decoded.
    pub(super) fn name(&self, arena: &mut Arena<'a>) -> &'a str {
        self.text(self.from, self.parted, self.name_escaped, arena)
    }

    /// The value, decoded.
    #[inline]
    pub(super) fn value(&self, arena: &mut Arena<'a>) -> &'a str {
        if self.parted == self.end {
            return "";
        }
        self.text(self.parted + 1, self.end, self.value_escaped, arena)
    }

    #[inline]
    fn text(&self, from: usize, end: usize, escaped: bool, arena: &mut Arena<'a>) -> &'a str {
        if escaped {
            let mut has_nul = false;
            // With room for the bytes that are copied beyond the end.
            let bytes = arena.bytes(end - from + LANES, |to| {
                let (used, nul) = decode(&self.query[from..], end - from, to);
                has_nul = nul;
                used
            });
            match std::str::from_utf8(bytes) {
                Ok(text) if !has_nul && self.source.is_text() => text,
                _ => arena.mended(bytes),
            }
        } else {
            self.source.text(&self.query[from..end], arena)
        }
    }
}

/// Decodes the first `length` bytes of `from`. Returns how many bytes were written, at most `length`, and whether an
/// escape stands for NUL. What does not fit is left out.
#[inline(never)] // the loop needs all registers
fn decode(from: &[u8], length: usize, to: &mut [u8]) -> (usize, bool) {
    let (mut read, mut used, mut has_nul) = (0, 0, false);
    while read < length {
        if let Some(plain) = copy_up_to(b'%', b'+', &from[read..], to.get_mut(used..).unwrap_or_default()) {
            let plain = plain.min(length - read);
            (read, used) = (read + plain, used + plain);
            if plain == LANES || read == length {
                continue;
            }
        }
        let (byte, Some(place)) = (from[read], to.get_mut(used)) else { break };
        *place = if byte == b'+' { b' ' } else { byte };
        if byte == b'%'
            && let Some(&[high, low]) = from[..length].get(read + 1..read + 3)
        {
            let (high, low) = (HEX[usize::from(high)], HEX[usize::from(low)]);
            if high | low < 16 {
                *place = high << 4 | low;
                has_nul |= *place == 0;
                read += 2;
            }
        }
        (read, used) = (read + 1, used + 1);
    }
    (used, has_nul)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(query: &[u8]) -> Vec<(String, String)> {
        let mut buffer = vec![0; 16 * query.len() + 16];
        let mut arena = Arena::new(&mut buffer);
        let mut pairs = Pairs::new(query, Source::new(query));
        std::iter::from_fn(|| pairs.next())
            .map(|pair| (pair.name(&mut arena).to_owned(), pair.value(&mut arena).to_owned()))
            .collect()
    }

    fn by_the_url_crate(query: &[u8]) -> Vec<(String, String)> {
        let mended = |text: &str| text.replace('\0', "");
        url::form_urlencoded::parse(query).map(|(name, value)| (mended(&name), mended(&value))).collect()
    }

    #[test]
    fn queries_are_read_as_browsers_write_them() {
        let cases: &[(&str, &[(&str, &str)])] = &[
            ("", &[]),
            ("&&&", &[]),
            ("a", &[("a", "")]),
            ("=", &[("", "")]),
            ("=b", &[("", "b")]),
            ("a=b&&c=d=e&", &[("a", "b"), ("c", "d=e")]),
            ("a+b=c+d%2B", &[("a b", "c d+")]),
            ("%61=%62%3d%26", &[("a", "b=&")]),
            ("a=100%&b=%zz&c=%4", &[("a", "100%"), ("b", "%zz"), ("c", "%4")]),
            ("a=%%41", &[("a", "%A")]),
            ("t=caf%C3%A9", &[("t", "café")]),
            ("t=%C3", &[("t", "\u{FFFD}")]),
            ("t=%E2%82x%F0%9F%98", &[("t", "\u{FFFD}x\u{FFFD}")]),
            ("t=%ED%A0%80", &[("t", "\u{FFFD}\u{FFFD}\u{FFFD}")]),
            ("t=a%00b", &[("t", "ab")]),
            ("t=%EF%BB%BFx", &[("t", "\u{FEFF}x")]),
            ("a;b=c", &[("a;b", "c")]),
        ];
        for (query, expect) in cases {
            let got = parsed(query.as_bytes());
            let got: Vec<_> = got.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            assert_eq!(&got, expect, "{query}");
        }
        assert_eq!(parsed(b"t=\xC3%A9"), [("t".to_owned(), "é".to_owned())]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_as_the_url_crate_reads_them(
            query in prop::collection::vec(prop_oneof![
                any::<u8>(),
                prop::sample::select(b"&=%+2EeCcFfAa90\xc3\xa9".as_slice()),
            ], 0..80),
        ) {
            prop_assert_eq!(parsed(&query), by_the_url_crate(&query));
        }
    }
}
