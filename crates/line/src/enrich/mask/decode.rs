//! Reads percent-encoded text character by character, forwards and backwards.

/// How often a `%` that was encoded itself is decoded: `%40`, `%2540`, `%252540`, `%25252540`.
const ENCODED_MAX: usize = 4;

/// The character at `at`, percent-decoded (as often as it was encoded, at most [`ENCODED_MAX`] times), and how many
/// bytes it takes.
pub(super) fn decoded(bytes: &[u8], at: usize) -> Option<(u8, usize)> {
    let hex = |i: usize| bytes.get(i).and_then(|b| hex_digit(*b));
    let first = *bytes.get(at)?;
    if first != b'%' {
        return Some((first, 1));
    }
    let mut skip = 1;
    while skip < 2 * ENCODED_MAX - 1
        && bytes[at + skip..].starts_with(b"25")
        && hex(at + skip + 2).is_some()
        && hex(at + skip + 3).is_some()
    {
        skip += 2;
    }
    match (hex(at + skip), hex(at + skip + 1)) {
        (Some(high), Some(low)) => Some((high << 4 | low, skip + 2)),
        _ => Some((first, 1)),
    }
}

pub(super) fn hex_digit(b: u8) -> Option<u8> {
    match b {
        b'0'..=b'9' => Some(b - b'0'),
        b'a'..=b'f' => Some(b - b'a' + 10),
        b'A'..=b'F' => Some(b - b'A' + 10),
        _ => None,
    }
}

/// The same backwards: the character that ends at `end`.
pub(super) fn decoded_before(bytes: &[u8], floor: usize, end: usize) -> Option<(u8, usize)> {
    let plain = (end > floor).then(|| (bytes[end - 1], 1))?;
    if hex_digit(plain.0).is_none() {
        return Some(plain);
    }
    for length in (3..=2 * ENCODED_MAX + 1).rev().step_by(2) {
        let Some(start) = end.checked_sub(length).filter(|s| *s >= floor) else { continue };
        if bytes[start] == b'%'
            && let Some((c, taken)) = decoded(bytes, start)
            && taken == length
        {
            return Some((c, length));
        }
    }
    Some(plain)
}
