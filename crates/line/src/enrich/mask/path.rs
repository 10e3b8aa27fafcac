//! Masking within paths.

use super::decode::decoded;
use super::value::value;
use super::{MASK, is_secret, opens_token, token};

/// Masks a path, or the route of a single-page application: by its form (if `look`), parameters within it by name
/// (`/cart;jsessionid=x/1`, `#/reset&token=x`), and the tokens of links in mails (`/reset/9f8a…`). Signs may be
/// percent-encoded.
pub fn path(text: &str, look: bool, out: &mut String) -> bool {
    let start = out.len();
    let seen = look && value(text, out);
    if !may_hold(text.as_bytes()) {
        return seen;
    }
    let plain = if seen { out.split_off(start) } else { String::new() };
    let text = if seen { plain.as_str() } else { text };
    let mut written = 0;
    let mut mask = |from: usize, until: usize| {
        out.push_str(&text[written..from]);
        out.push_str(MASK);
        written = until;
    };
    let (mut opened, mut before) = (false, Pieces { text, at: 0 });
    for (from, until, _) in (Pieces { text, at: 0 }) {
        let piece = &text[from..until];
        let (name, value) = match equals(piece) {
            Some((at, taken)) => (&piece[..at], at + taken),
            None => ("", 0),
        };
        let body = &piece[value..];
        if body.is_empty() || body == MASK {
            continue;
        }
        if value > 0 && is_secret(name, body) {
            mask(from + value, until);
        } else if may_be_token(piece) && token::segment_has_form(piece) {
            // Only now the segments before it matter, each once.
            while !opened && before.at < from {
                let Some((from, until, sign)) = before.next() else { break };
                opened = sign == b'/' && opens_token(&text[from..until]);
            }
            if opened {
                mask(from, until);
            }
        }
    }
    if written > 0 {
        out.push_str(&text[written..]);
    } else if seen {
        out.push_str(text);
    }
    seen || written > 0
}

/// The quick check: whether there is a parameter, or a digit or a word long enough for a token.
fn may_hold(bytes: &[u8]) -> bool {
    bytes.len() > "/otp/".len() && bytes.iter().any(|b| matches!(b, b'=' | b'%' | b'0'..=b'9'))
        || bytes.len() > 30
}

/// The quick check of a segment: whether it has a digit and is no shorter than a code, or is longer than words are.
fn may_be_token(piece: &str) -> bool {
    piece.len() >= 6 && (piece.len() >= 24 || piece.bytes().any(|b| b.is_ascii_digit()))
        || piece.len() >= 8 && piece.bytes().any(|b| b.is_ascii_uppercase())
}

/// Where the first `=` of a piece is, and how many bytes it takes.
fn equals(piece: &str) -> Option<(usize, usize)> {
    let bytes = piece.as_bytes();
    memchr::memchr2(b'=', b'%', bytes)?;
    let mut at = 0;
    while let Some((c, taken)) = decoded(bytes, at) {
        if c == b'=' {
            return Some((at, taken));
        }
        at += taken;
    }
    None
}

/// The pieces of a path between its signs: where each begins and ends, and the sign after it (0 at the end).
struct Pieces<'t> {
    text: &'t str,
    at: usize,
}

impl Iterator for Pieces<'_> {
    type Item = (usize, usize, u8);

    fn next(&mut self) -> Option<Self::Item> {
        let bytes = self.text.as_bytes();
        let from = self.at;
        if from >= bytes.len() {
            return None;
        }
        while let Some(b) = bytes.get(self.at) {
            let (c, taken) = if *b == b'%' { decoded(bytes, self.at)? } else { (*b, 1) };
            let end = self.at;
            self.at += taken;
            if matches!(c, b'/' | b';' | b'&' | b'?' | b'#' | b'!' | b',') {
                return Some((from, end, c));
            }
        }
        Some((from, bytes.len(), 0))
    }
}
