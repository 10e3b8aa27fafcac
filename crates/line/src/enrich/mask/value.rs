//! Masks values by their form: e-mail addresses, JSON web tokens, card numbers.
//!
//! A quick check finds nothing in nearly every text; the others are searched from left to right, and each find is
//! masked whole. Both take time in proportion to the bytes of the text, whatever these are.

use super::MASK;
use crate::bitmap::{BLOCK, bitmaps, digits, next_place};

/// Masks what looks personal or secret in `text` and appends the result to `out`. `false`: there is nothing to mask,
/// and `out` is unchanged.
pub fn value(text: &str, out: &mut String) -> bool {
    spans(text, true, out)
}

/// Masks an identifier: as [`value`], except for card numbers.
pub fn id_value(text: &str, out: &mut String) -> bool {
    spans(text, false, out)
}

/// Whether an identifier contains an e-mail address or a token. Many identifiers are long numbers, so card numbers are
/// not searched for.
pub fn personal_id(text: &str) -> bool {
    suspicious(text, false) && holds_any(text, false)
}

/// Whether anything in `text` is to be masked; card numbers only if `cards`.
pub(super) fn holds_any(text: &str, cards: bool) -> bool {
    Spans::new(text, cards).next().is_some()
}

fn spans(text: &str, cards: bool, out: &mut String) -> bool {
    if !suspicious(text, cards) {
        return false;
    }
    let mut done = 0;
    for (from, until) in Spans::new(text, cards) {
        out.push_str(&text[done..from]);
        out.push_str(MASK);
        done = until;
    }
    if done > 0 {
        out.push_str(&text[done..]);
    }
    done > 0
}

/// The quick check: whether any of the three could be in the text.
pub fn suspicious(text: &str, cards: bool) -> bool {
    let bytes = text.as_bytes();
    if bytes.len() < "a@b.cc".len() {
        return false;
    }
    for block in (0..bytes.len()).step_by(BLOCK) {
        let [ats, percents, letters] = bitmaps([b'@', b'%', b'J'], bytes, block, 0);
        if ats != 0 {
            return true;
        }
        let mut signs = percents | letters;
        while let Some(place) = next_place(&mut signs) {
            let (before, after) = (&bytes[..block + place], &bytes[block + place + 1..]);
            if match bytes[block + place] {
                b'%' => after.starts_with(b"40") || after.starts_with(b"2540"),
                _ => before.ends_with(b"ey"),
            } {
                return true;
            }
        }
    }
    // Every card number has four digits in a row, so looking at every fourth byte is enough.
    cards
        && bytes.len() >= 14
        && digits(bytes) >= 14
        && bytes
            .iter()
            .enumerate()
            .skip(3)
            .step_by(4)
            .any(|(at, b)| b.is_ascii_digit() && digits_near(bytes, at))
}

/// Bytes of the longest card number from its first digit to its last: sixteen digits, and three separators of five
/// bytes (`%2520`).
const CARD_BYTES_MAX: usize = 16 + 3 * 5;

/// Whether at least 14 digits are around `at`, separators between them, as near as those of a card number are.
fn digits_near(bytes: &[u8], at: usize) -> bool {
    let count = |near: &mut dyn Iterator<Item = &u8>| {
        near.take(CARD_BYTES_MAX)
            .take_while(|b| b.is_ascii_digit() || matches!(b, b' ' | b'-' | b'+' | b'%'))
            .filter(|b| b.is_ascii_digit())
            .take(14)
            .count()
    };
    count(&mut bytes[at..].iter()) + count(&mut bytes[..at].iter().rev()) >= 14
}

/// The spans of a text that are to be masked, from left to right. They are not empty, do not overlap, and end at
/// character boundaries.
#[derive(Debug)]
struct Spans<'t> {
    bytes: &'t [u8],
    cards: bool,
    /// End of the last span.
    floor: usize,
    /// Spans that begin before this were looked for.
    at: usize,
    /// No token begins before this: a candidate that ends here had too few parts.
    no_token_before: usize,
}

impl<'t> Spans<'t> {
    fn new(text: &'t str, cards: bool) -> Self {
        Spans { bytes: text.as_bytes(), cards, floor: 0, at: 0, no_token_before: 0 }
    }
}

impl Iterator for Spans<'_> {
    type Item = (usize, usize);

    fn next(&mut self) -> Option<(usize, usize)> {
        let Spans { bytes, cards, floor, .. } = *self;
        while self.at < bytes.len() {
            let at = self.at;
            let found = match bytes[at] {
                b'@' | b'%' => email(bytes, floor, at),
                b'e' if at >= self.no_token_before => jwt(bytes, floor, at).unwrap_or_else(|end| {
                    self.no_token_before = end;
                    None
                }),
                b'0'..=b'9' if cards => card(bytes, at),
                _ => None,
            };
            if let Some((_, until)) = found {
                (self.floor, self.at) = (until, until);
                return found;
            }
            self.at += 1;
        }
        None
    }
}

/// The character at `at`, percent-decoded (twice if it was encoded twice), and how many bytes it takes.
pub(super) fn decoded(bytes: &[u8], at: usize) -> Option<(u8, usize)> {
    let hex = |i: usize| bytes.get(i).and_then(|b| hex_digit(*b));
    let first = *bytes.get(at)?;
    if first != b'%' {
        return Some((first, 1));
    }
    let skip =
        if bytes[at..].starts_with(b"%25") && hex(at + 3).is_some() && hex(at + 4).is_some() { 3 } else { 1 };
    match (hex(at + skip), hex(at + skip + 1)) {
        (Some(high), Some(low)) => Some((high << 4 | low, skip + 2)),
        _ => Some((first, 1)),
    }
}

fn hex_digit(b: u8) -> Option<u8> {
    match b {
        b'0'..=b'9' => Some(b - b'0'),
        b'a'..=b'f' => Some(b - b'a' + 10),
        b'A'..=b'F' => Some(b - b'A' + 10),
        _ => None,
    }
}

/// The same backwards: the character that ends at `end`.
fn decoded_before(bytes: &[u8], floor: usize, end: usize) -> Option<(u8, usize)> {
    for length in [5, 3] {
        let Some(start) = end.checked_sub(length).filter(|s| *s >= floor) else { continue };
        if bytes[start] == b'%'
            && let Some((c, taken)) = decoded(bytes, start)
            && taken == length
        {
            return Some((c, length));
        }
    }
    (end > floor).then(|| (bytes[end - 1], 1))
}

fn email(bytes: &[u8], floor: usize, at: usize) -> Option<(usize, usize)> {
    let (b'@', sign) = decoded(bytes, at)? else { return None };
    let mut from = at;
    while let Some((c, taken)) = decoded_before(bytes, floor, from) {
        if !(c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'+' | b'-' | b'\'') || c >= 0x80) {
            break;
        }
        from -= taken;
    }
    if from == at {
        return None; // a handle: `@name`
    }
    // The domain ends with the last label that can be a top-level domain: `bob@example.com.2024`.
    let (mut label, mut labels, mut until, mut file) = (at + sign, 0, None, false);
    let mut end = label;
    loop {
        let next = decoded(bytes, end)
            .filter(|(c, _)| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'.') || *c >= 0x80);
        if let Some((c, taken)) = next
            && c != b'.'
        {
            end += taken;
            continue;
        }
        if end == label {
            break; // a dot at the end, of a sentence
        }
        labels += 1;
        if labels >= 2 {
            let top = top_level(&bytes[label..end]);
            file = top == Some(0);
            until = top.filter(|length| *length > 0).map(|length| label + length).or(until);
        }
        let Some((_, taken)) = next else { break };
        end += taken;
        label = end;
    }
    until.filter(|_| !file).map(|until| (from, until))
}

/// How many bytes of a label are a top-level domain: letters, at least two. 0 for the extension of a file
/// (`logo@2x.png`, `vue@3.min.js`).
fn top_level(label: &[u8]) -> Option<usize> {
    const FILES: [&[u8]; 26] = [
        b"png", b"jpg", b"jpeg", b"gif", b"svg", b"webp", b"avif", b"ico", b"bmp", b"js", b"mjs", b"cjs",
        b"css", b"map", b"html", b"htm", b"json", b"xml", b"pdf", b"woff", b"mp4", b"webm", b"min", b"esm",
        b"umd", b"prod",
    ];
    if label.contains(&b'%')
        || !label.is_ascii()
        || label.get(..4).is_some_and(|x| x.eq_ignore_ascii_case(b"xn--"))
    {
        return Some(label.len()); // an international name, which may be encoded
    }
    let letters = label.iter().take_while(|b| b.is_ascii_alphabetic()).count();
    if letters < 2 || label.get(letters).is_some_and(u8::is_ascii_digit) {
        return None;
    }
    let file = FILES.iter().any(|f| label[..letters].eq_ignore_ascii_case(f));
    Some(if file { 0 } else { letters })
}

/// `eyJ….….…`: the base64 of `{"`, and two more parts (four if encrypted). The error is the end of a candidate with too
/// few parts: no token begins before this end.
fn jwt(bytes: &[u8], floor: usize, at: usize) -> Result<Option<(usize, usize)>, usize> {
    const BYTES_MIN: usize = 20;
    if !bytes[at..].starts_with(b"eyJ") {
        return Ok(None);
    }
    let is = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    let part = |from: usize| from + bytes[from..].iter().take_while(|b| is(b)).count();
    let mut end = part(at);
    let mut parts = 1;
    while parts < 5 && bytes.get(end) == Some(&b'.') {
        end = part(end + 1);
        parts += 1;
    }
    if parts < 3 {
        return Err(end);
    }
    if end - at < BYTES_MIN {
        return Ok(None); // too short for a token; it costs little to look at it again
    }
    // Characters of a token right before it may be part of it.
    let mut start = at;
    while let Some((c, 1)) = decoded_before(bytes, floor, start)
        && is(&c)
    {
        start -= 1;
    }
    Ok(Some((start, end)))
}

/// 14 to 19 digits that begin like a card number of that length, with the right check digit: in one piece, or in the
/// groups that are printed on cards (4-4-4-4, 4-6-5, 4-6-4).
fn card(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    if at > 0 && bytes[at - 1].is_ascii_alphanumeric() {
        return None;
    }
    if at > 0 && bytes[at - 1] == b'%' && decoded(bytes, at - 1).is_some_and(|(_, n)| n > 1) {
        return None; // the digits of `%41`
    }
    let mut digits = [0u8; 19];
    let mut count = 0;
    let mut groups = [0usize; 4];
    let mut end = at;
    let mut separator = None;
    for group in 0..groups.len() {
        let start = end;
        while let Some(d) = bytes.get(end).filter(|b| b.is_ascii_digit()) {
            *digits.get_mut(count)? = d - b'0';
            count += 1;
            end += 1;
        }
        groups[group] = end - start;
        let shape = matches!(&groups[..=group], [14..=19] | [4, 4, 4, 4] | [4, 6, 4 | 5]);
        let ends = !bytes.get(end).is_some_and(u8::is_ascii_alphanumeric);
        if shape && ends && issued(&digits[..count]) && check_digit(&digits[..count]) {
            return Some((at, end));
        }
        // The next group follows the same separator.
        let (c, taken) = decoded(bytes, end).filter(|(c, _)| matches!(c, b' ' | b'+' | b'-'))?;
        let more = bytes.get(end + taken).is_some_and(u8::is_ascii_digit);
        if !more || separator.is_some_and(|s| s != c) || groups[0] != 4 {
            return None;
        }
        separator = Some(c);
        end += taken;
    }
    None
}

/// Whether a number begins like a card number of this length.
fn issued(digits: &[u8]) -> bool {
    let four = digits.iter().take(4).fold(0u32, |n, d| n * 10 + u32::from(*d));
    match digits.len() {
        14 => matches!(four, 3000..=3059 | 3600..=3699 | 3800..=3899),
        15 => matches!(four, 3400..=3499 | 3700..=3799),
        16 => matches!(
            four,
            4000..=4999 | 5100..=5599 | 2221..=2720 | 3528..=3589 | 6011 | 6440..=6599 | 6200..=6299
                | 5018 | 5020 | 5038 | 5893 | 6304 | 6759 | 6761..=6763
        ),
        17..=19 => matches!(four, 6200..=6299 | 5018 | 5020 | 5038 | 5893 | 6304 | 6759 | 6761..=6763),
        _ => false,
    }
}

/// The Luhn check.
fn check_digit(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(i, d)| {
            u32::from(if i % 2 == 0 { *d } else { [0, 2, 4, 6, 8, 1, 3, 5, 7, 9][usize::from(*d)] })
        })
        .sum();
    sum.is_multiple_of(10)
}
