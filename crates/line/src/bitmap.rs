//! Finds bytes: compares 16 bytes at once, and returns the places of a byte as bitmaps of 64 bytes each.
//!
//! The fields of a line and the pairs of a query are so short that a call of `memchr` for each takes longer than one
//! pass of comparisons over all of them.

use wide::u8x16;

/// Bytes of one bitmap.
pub(crate) const BLOCK: usize = 64;

/// Bytes that are compared or copied at once.
pub(crate) const LANES: usize = 16;

/// For each byte of `wanted`, a bitmap of its places in the [`BLOCK`] bytes from `at` on; the lowest bit is for the
/// first byte. If fewer bytes are left, `beyond` fills the rest.
#[inline]
pub(crate) fn bitmaps<const N: usize>(wanted: [u8; N], bytes: &[u8], at: usize, beyond: u8) -> [u64; N] {
    let of_block = |block: &[u8; BLOCK]| {
        let mut bitmap = [0; N];
        for (n, lanes) in block.as_chunks::<LANES>().0.iter().enumerate() {
            let lanes = u8x16::new(*lanes);
            for (bitmap, byte) in bitmap.iter_mut().zip(wanted) {
                *bitmap |= u64::from(lanes.simd_eq(u8x16::splat(byte)).to_bitmask()) << (n * LANES);
            }
        }
        bitmap
    };
    let rest = bytes.get(at..).unwrap_or_default();
    match rest.first_chunk() {
        Some(block) => of_block(block),
        None => of_block(&padded(rest, beyond)),
    }
}

/// Bitmaps of the bytes of words and of those that only tokens have many of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Words {
    /// Letters and digits of ASCII, `-` and `_`.
    pub(crate) all: u64,
    /// Capital letters and digits.
    pub(crate) strong: u64,
}

/// As [`bitmaps`], and the bitmaps of words. Texts are often shorter than a block, so only as many bytes are compared as
/// there are.
#[inline]
pub(crate) fn bitmaps_and_words<const N: usize>(
    wanted: [u8; N],
    bytes: &[u8],
    at: usize,
) -> ([u64; N], Words) {
    let (mut bitmap, mut words) = ([0; N], Words::default());
    let mut add = |place: usize, lanes: &[u8; LANES]| {
        let lanes = u8x16::new(*lanes);
        for (bitmap, byte) in bitmap.iter_mut().zip(wanted) {
            *bitmap |= u64::from(lanes.simd_eq(u8x16::splat(byte)).to_bitmask()) << place;
        }
        let within = |value: u8x16, from: u8, most: u8| {
            let value = value - u8x16::splat(from);
            value.min(u8x16::splat(most)).simd_eq(value)
        };
        let strong = within(lanes, b'0', 9) | within(lanes, b'A', 25);
        let others =
            within(lanes, b'a', 25) | lanes.simd_eq(u8x16::splat(b'-')) | lanes.simd_eq(u8x16::splat(b'_'));
        words.strong |= u64::from(strong.to_bitmask()) << place;
        words.all |= u64::from((strong | others).to_bitmask()) << place;
    };
    let rest = bytes.get(at..).unwrap_or_default();
    let block = &rest[..rest.len().min(BLOCK)];
    let (lanes, last) = block.as_chunks();
    lanes.iter().enumerate().for_each(|(n, lanes)| add(n * LANES, lanes));
    match block.last_chunk() {
        _ if last.is_empty() => {}
        // Some of these bytes were compared already, with the same result.
        Some(lanes) => add(block.len() - LANES, lanes),
        None => {
            let mut filled = [0; LANES];
            filled[..last.len()].copy_from_slice(last);
            add(0, &filled);
        }
    }
    (bitmap, words)
}

/// The last bytes, filled up with `beyond`.
#[inline(never)]
fn padded(rest: &[u8], beyond: u8) -> [u8; BLOCK] {
    let mut block = [beyond; BLOCK];
    block[..rest.len()].copy_from_slice(rest);
    block
}

/// How many of the bytes are decimal digits.
pub(crate) fn digits(bytes: &[u8]) -> usize {
    let (chunks, rest) = bytes.as_chunks::<LANES>();
    let of_chunk = |lanes: &[u8; LANES]| {
        let values = u8x16::new(*lanes) - u8x16::splat(b'0');
        values.min(u8x16::splat(9)).simd_eq(values).to_bitmask().count_ones() as usize
    };
    chunks.iter().map(of_chunk).sum::<usize>() + rest.iter().filter(|b| b.is_ascii_digit()).count()
}

/// Copies the bytes of `from` up to the first `a` or `b`, at most [`LANES`], to the start of `to`, and returns how many
/// these are. It may write other bytes after them, up to [`LANES`] in all. `None`, and nothing is done, if `from` or
/// `to` has fewer bytes than [`LANES`].
#[inline]
pub(crate) fn copy_up_to(a: u8, b: u8, from: &[u8], to: &mut [u8]) -> Option<usize> {
    let bytes = from.first_chunk::<LANES>()?;
    *to.first_chunk_mut::<LANES>()? = *bytes;
    let bytes = u8x16::new(*bytes);
    let bitmap = bytes.simd_eq(u8x16::splat(a)).to_bitmask() | bytes.simd_eq(u8x16::splat(b)).to_bitmask();
    Some((bitmap | 1 << LANES).trailing_zeros() as usize)
}

/// Removes the lowest bit of `bitmap` and returns its place.
#[inline]
pub(crate) fn next_place(bitmap: &mut u64) -> Option<usize> {
    let place = bitmap.trailing_zeros() as usize;
    *bitmap &= bitmap.wrapping_sub(1);
    (place < BLOCK).then_some(place)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn bitmaps_have_the_places_of_bytes(
            bytes in prop::collection::vec(prop::sample::select(b"ab&\xff".as_slice()), 0..200),
            at in 0_usize..250,
        ) {
            let [mut ends, letters] = bitmaps([b'&', b'a'], &bytes, at, b'b');
            let found: Vec<usize> = std::iter::from_fn(|| next_place(&mut ends)).map(|place| at + place).collect();
            let expect: Vec<usize> = (at..bytes.len().min(at + BLOCK)).filter(|&n| bytes[n] == b'&').collect();
            prop_assert_eq!(found, expect);
            let expect = bytes.iter().skip(at).take(BLOCK).filter(|&&byte| byte == b'a').count();
            prop_assert_eq!(letters.count_ones() as usize, expect);
            let ([ends, letters], words) = bitmaps_and_words([b'&', b'a'], &bytes, at);
            prop_assert_eq!([ends, letters], bitmaps([b'&', b'a'], &bytes, at, 0));
            prop_assert_eq!(words.all, letters | bitmaps([b'b'], &bytes, at, 0)[0]);
            let [beyond] = bitmaps([b'x'], &bytes, at, b'x');
            prop_assert_eq!(beyond.count_ones() as usize, BLOCK - bytes.len().saturating_sub(at).min(BLOCK));
        }

        #[test]
        fn bytes_of_words_are_found(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let (_, words) = bitmaps_and_words([], &bytes, 0);
            for (at, byte) in bytes.iter().enumerate().take(BLOCK) {
                let is_word = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
                prop_assert_eq!(words.all & (1 << at) != 0, is_word, "{} at {}", byte, at);
                let is_strong = byte.is_ascii_uppercase() || byte.is_ascii_digit();
                prop_assert_eq!(words.strong & (1 << at) != 0, is_strong, "{} at {}", byte, at);
            }
        }

        #[test]
        fn digits_are_counted(bytes in prop::collection::vec(prop::sample::select(b"a059/:\xff\0".as_slice()), 0..80)) {
            prop_assert_eq!(digits(&bytes), bytes.iter().filter(|b| b.is_ascii_digit()).count());
        }

        #[test]
        fn bytes_are_copied_up_to_the_first_of_two(
            from in prop::collection::vec(prop::sample::select(b"abc\xff".as_slice()), 0..40),
            room in 0_usize..40,
        ) {
            let mut to = vec![0; room];
            let copied = copy_up_to(b'a', b'b', &from, &mut to);
            prop_assert_eq!(copied.is_some(), from.len() >= LANES && room >= LANES);
            if let Some(count) = copied {
                let first = from.iter().take(LANES).position(|b| matches!(b, b'a' | b'b')).unwrap_or(LANES);
                prop_assert_eq!(count, first);
                prop_assert_eq!(&to[..count], &from[..count]);
            }
        }
    }
}
