//! Query strings, exactly as the WHATWG `application/x-www-form-urlencoded` parser reads them
//! (<https://url.spec.whatwg.org/#urlencoded-parsing>): split at `&`, empty pieces skipped, name and value
//! parted at the first `=`, `+` is a space, `%` with two hexadecimal digits is a byte and any other `%` is
//! itself, and what is no UTF-8 after that becomes U+FFFD. NUL is dropped besides, for PostgreSQL.
//!
//! A piece without `%` and `+` is borrowed from the line.

use super::escape::HEX;
use super::source::Source;
use crate::pure::arena::Arena;

/// Goes over the pairs of a query string in one pass.
#[derive(Debug)]
pub(super) struct Pairs<'a> {
    source: Source<'a>,
    rest: &'a [u8],
}

impl<'a> Pairs<'a> {
    /// Begins at the start of `query`, without its `?`, which is cut from `source`.
    pub(super) fn new(query: &'a [u8], source: Source<'a>) -> Self {
        Pairs { source, rest: query }
    }

    /// The next name and value, decoded.
    #[inline(never)]
    pub(super) fn next(&mut self, arena: &mut Arena<'a>) -> Option<(&'a str, &'a str)> {
        while let [b'&', rest @ ..] = self.rest {
            self.rest = rest;
        }
        if self.rest.is_empty() {
            return None;
        }
        let name = self.piece::<true>(arena);
        let value = match self.rest {
            [b'=', rest @ ..] => {
                self.rest = rest;
                self.piece::<false>(arena)
            }
            _ => "",
        };
        Some((name, value))
    }

    /// Takes what stands before the next `&`, or `=` where it is a name.
    #[inline]
    fn piece<const NAME: bool>(&mut self, arena: &mut Arena<'a>) -> &'a str {
        let from = self.rest;
        let mut end = from.len();
        for (at, &byte) in from.iter().enumerate() {
            if IS_SPECIAL[usize::from(byte)] {
                if ends::<NAME>(byte) {
                    end = at;
                    break;
                } else if byte != b'=' {
                    return self.decoded::<NAME>(arena);
                }
            }
        }
        self.rest = &from[end..];
        self.source.text(&from[..end], arena)
    }

    #[inline(never)] // its loop wants all the registers
    fn decoded<const NAME: bool>(&mut self, arena: &mut Arena<'a>) -> &'a str {
        let from = self.rest;
        let mut read = 0;
        let text = arena.lossy(from.len(), |to| {
            let used;
            (read, used) = decode::<NAME>(from, to);
            used
        });
        self.rest = &from[read..];
        text
    }
}

/// Bytes that are something else than themselves, or may be.
const IS_SPECIAL: [bool; 256] = {
    let mut table = [false; 256];
    table[b'%' as usize] = true;
    table[b'+' as usize] = true;
    table[b'=' as usize] = true;
    table[b'&' as usize] = true;
    table
};

#[inline]
fn ends<const NAME: bool>(byte: u8) -> bool {
    byte == b'&' || (NAME && byte == b'=')
}

/// Writes the bytes that a piece at the start of `from` stands for, and says how many were read and written:
/// never more written than read; what has no room is left out.
fn decode<const NAME: bool>(from: &[u8], to: &mut [u8]) -> (usize, usize) {
    let mut read = 0;
    let mut used = 0;
    for place in to.iter_mut() {
        let Some(&byte) = from.get(read) else { break };
        let mut meant = byte;
        if IS_SPECIAL[usize::from(byte)] {
            if ends::<NAME>(byte) {
                break;
            } else if byte == b'+' {
                meant = b' ';
            } else if byte == b'%'
                && let Some(&[high, low]) = from.get(read + 1..read + 3)
            {
                let (high, low) = (HEX[usize::from(high)], HEX[usize::from(low)]);
                if high | low < 16 {
                    read += 2;
                    meant = high << 4 | low;
                }
            }
        }
        *place = meant;
        read += 1;
        used += 1;
    }
    // Nothing is left here but where there was no room.
    let unread = from[read..].iter().position(|&byte| ends::<NAME>(byte));
    (unread.map_or(from.len(), |end| read + end), used)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(query: &[u8]) -> Vec<(String, String)> {
        let mut buffer = vec![0; 16 * query.len() + 16];
        let mut arena = Arena::new(&mut buffer);
        let mut pairs = Pairs::new(query, Source::new(query));
        std::iter::from_fn(|| pairs.next(&mut arena))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
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
