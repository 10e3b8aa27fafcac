//! Masks values by their form: e-mail addresses, tokens, numbers of cards, accounts and telephones.
//!
//! A quick check finds nothing in nearly every text; the others are searched from left to right, and each find is
//! masked whole. Both take time in proportion to the bytes of the text, whatever these are.

use super::MASK;
use super::number;
use super::token;
use crate::bitmap::{BLOCK, bitmaps, digits, next_place};

/// Masks what looks personal or secret in `text` and appends the result to `out`. `false`: there is nothing to mask,
/// and `out` is unchanged.
pub fn value(text: &str, out: &mut String) -> bool {
    spans(text, true, out)
}

/// Masks an identifier: as [`value`], except for numbers.
pub fn id_value(text: &str, out: &mut String) -> bool {
    spans(text, false, out)
}

/// Whether an identifier contains an e-mail address or a token. Many identifiers are long numbers, so numbers are not
/// searched for.
pub fn personal_id(text: &str) -> bool {
    suspicious(text, false) && holds_any(text, false)
}

/// Whether anything in `text` is to be masked; numbers of cards, accounts and telephones only if `numbers`.
pub(super) fn holds_any(text: &str, numbers: bool) -> bool {
    Spans::new(text, numbers).next().is_some()
}

fn spans(text: &str, numbers: bool, out: &mut String) -> bool {
    if !suspicious(text, numbers) {
        return false;
    }
    let mut done = 0;
    for (from, until) in Spans::new(text, numbers) {
        out.push_str(&text[done..from]);
        out.push_str(MASK);
        done = until;
    }
    if done > 0 {
        out.push_str(&text[done..]);
    }
    done > 0
}

/// The quick check: whether anything that is masked by its form could be in the text.
pub fn suspicious(text: &str, numbers: bool) -> bool {
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
            let (before, at) = (&bytes[..block + place], block + place);
            if match bytes[at] {
                b'%' => matches!(decoded(bytes, at), Some((b'@', _))),
                _ => before.ends_with(b"ey"),
            } {
                return true;
            }
        }
    }
    token::has_word(bytes)
        || (numbers && bytes.len() >= number::DIGITS_MIN && digits(bytes) >= number::DIGITS_MIN)
}

/// The spans of a text that are to be masked, from left to right. They are not empty, do not overlap, and end at
/// character boundaries.
#[derive(Debug)]
struct Spans<'t> {
    bytes: &'t [u8],
    numbers: bool,
    /// End of the last span.
    floor: usize,
    /// Spans that begin before this were looked for.
    at: usize,
    /// The character before `at` is a letter or a digit.
    in_word: bool,
    /// No JSON web token begins before this: a candidate that ends here had too few parts.
    no_token_before: usize,
}

impl<'t> Spans<'t> {
    fn new(text: &'t str, numbers: bool) -> Self {
        Spans { bytes: text.as_bytes(), numbers, floor: 0, at: 0, in_word: false, no_token_before: 0 }
    }

    /// What begins at the first letter or digit of a word.
    fn at_word(&self, at: usize) -> Option<usize> {
        let Spans { bytes, numbers, floor, .. } = *self;
        let length = bytes[at..].iter().take_while(|b| b.is_ascii_alphanumeric()).count();
        let number = || if numbers { number::at_word(bytes, floor, at, length) } else { None };
        token::at_word(bytes, at, length).or_else(number)
    }

    /// Passes the letters and digits from `self.at` on, and returns the JSON web token among them.
    fn token(&mut self) -> Option<(usize, usize)> {
        let bytes = self.bytes;
        while let Some(b) = bytes.get(self.at).filter(|b| b.is_ascii_alphanumeric()) {
            if *b == b'e' && self.at >= self.no_token_before && bytes[self.at..].starts_with(b"eyJ") {
                match token::jwt(bytes, self.floor, self.at) {
                    Err(end) => self.no_token_before = end,
                    Ok(Some(found)) => return Some(found),
                    Ok(None) => {}
                }
            }
            self.at += 1;
        }
        None
    }

    /// What begins, or has its `@`, at the character at `self.at`, which is neither letter nor digit. If there is nothing,
    /// passes the character.
    fn at_sign(&mut self) -> Option<(usize, usize)> {
        let Spans { bytes, numbers, floor, at, in_word, .. } = *self;
        let (c, taken) = match bytes[at] {
            b'%' => decoded(bytes, at)?,
            plain => (plain, 1),
        };
        let found = match c {
            b'@' => email(bytes, floor, at),
            b'+' | b'(' if numbers && !in_word => number::phone(bytes, at).map(|until| (at, until)),
            _ => None,
        };
        self.in_word = taken > 1 && c.is_ascii_alphanumeric();
        self.at += taken;
        found
    }

    /// What is masked next.
    fn find(&mut self) -> Option<(usize, usize)> {
        while let Some(b) = self.bytes.get(self.at) {
            let found = if !b.is_ascii_alphanumeric() {
                self.at_sign()
            } else if self.in_word {
                self.token()
            } else {
                self.in_word = true;
                let at = self.at;
                // A token that begins here is one even if its first part is the base64 of an address.
                let is_token = *b == b'e' && self.bytes[at..].starts_with(b"eyJ");
                let found = if is_token { self.token() } else { None };
                let found = found.or_else(|| self.at_word(at).map(|until| (at, until)));
                found.or_else(|| self.token())
            };
            if found.is_some() {
                return found;
            }
        }
        None
    }
}

impl Iterator for Spans<'_> {
    type Item = (usize, usize);

    fn next(&mut self) -> Option<(usize, usize)> {
        let found = self.find()?;
        (self.floor, self.at, self.in_word) = (found.1, found.1, false);
        Some(found)
    }
}

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

/// Whether a character may be in the local part of an address without quotes (RFC 5322, 3.2.3), except for those that
/// end a part of a URL.
fn is_local(c: u8) -> bool {
    c.is_ascii_alphanumeric()
        || matches!(c, b'.' | b'_' | b'+' | b'-' | b'\'' | b'!' | b'$' | b'^' | b'~' | b'|' | b'`')
        || c >= 0x80
}

/// The most characters of a local part in quotes (RFC 5321, 4.5.3.1.1).
const QUOTED_MAX: usize = 64;

/// Where the local part begins that ends at `at`: `bob`, `"bob smith"`.
fn local_part(bytes: &[u8], floor: usize, at: usize) -> usize {
    let mut from = at;
    if let Some((b'"', taken)) = decoded_before(bytes, floor, at) {
        from -= taken;
        for _ in 0..QUOTED_MAX {
            match decoded_before(bytes, floor, from) {
                Some((b'"', taken)) => return from - taken,
                Some((b'*', _)) | None => break, // a mask
                Some((_, taken)) => from -= taken,
            }
        }
        return at;
    }
    while let Some((_, taken)) = decoded_before(bytes, floor, from).filter(|(c, _)| is_local(*c)) {
        from -= taken;
    }
    from
}

/// The address around the `@` at `at`.
pub(super) fn email(bytes: &[u8], floor: usize, at: usize) -> Option<(usize, usize)> {
    let (b'@', sign) = decoded(bytes, at)? else { return None };
    let from = local_part(bytes, floor, at);
    if from == at {
        return None; // a handle: `@name`
    }
    if let Some(until) = domain_literal(bytes, at + sign) {
        return Some((from, until));
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

/// The end of a domain that is an address: `[192.0.2.1]`, `[IPv6:2001:db8::1]` (RFC 5321, 4.1.3).
fn domain_literal(bytes: &[u8], at: usize) -> Option<usize> {
    const CHARACTERS_MAX: usize = 50;
    let (b'[', taken) = decoded(bytes, at)? else { return None };
    let (mut end, mut count) = (at + taken, 0);
    for _ in 0..CHARACTERS_MAX {
        match decoded(bytes, end)? {
            (b']', taken) => return (count >= "1.2.3.4".len()).then_some(end + taken),
            (c, taken) if c.is_ascii_alphanumeric() || matches!(c, b'.' | b':') => {
                count += 1;
                end += taken;
            }
            _ => return None,
        }
    }
    None
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
