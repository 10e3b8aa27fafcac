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
    if !may_hold(text) {
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
    for Piece { from, until, equals, may_be_token, .. } in (Pieces { text, at: 0 }) {
        let (name, value) = match equals {
            Some((at, taken)) => (&text[from..at], at + taken),
            None => ("", from),
        };
        let body = &text[value..until];
        if body.is_empty() || body == MASK {
            continue;
        }
        if may_be_token {
            // Only now the segments before it matter, each once.
            while !opened && before.at < from {
                let Some(piece) = before.next() else { break };
                opened = piece.sign == b'/' && opens_token(&text[piece.from..piece.until]);
            }
            if opened && token::segment_has_form(&text[from..until]) {
                mask(from, until);
                continue;
            }
        }
        if equals.is_some() && is_secret(name, body) {
            mask(value, until);
        }
    }
    if written > 0 {
        out.push_str(&text[written..]);
    } else if seen {
        out.push_str(text);
    }
    seen || written > 0
}

/// What a byte of a path is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Other,
    /// A digit or a capital letter, of which every token has some.
    Strong,
    /// Ends a piece.
    Sign,
    Equals,
    Percent,
}

static KINDS: [Kind; 256] = {
    let mut kinds = [Kind::Other; 256];
    let mut b = 0_u8;
    loop {
        kinds[b as usize] = match b {
            b'0'..=b'9' | b'A'..=b'Z' => Kind::Strong,
            b'/' | b';' | b'&' | b'?' | b'#' | b'!' | b',' => Kind::Sign,
            b'=' => Kind::Equals,
            b'%' => Kind::Percent,
            _ => Kind::Other,
        };
        if b == u8::MAX {
            break kinds;
        }
        b += 1;
    }
};

/// The quick check: whether there is a parameter, or what may be a token.
fn may_hold(text: &str) -> bool {
    text.len() >= 24 || text.bytes().any(|b| !matches!(KINDS[usize::from(b)], Kind::Other | Kind::Sign))
}

/// The pieces of a path between its signs.
struct Pieces<'t> {
    text: &'t str,
    at: usize,
}

/// A piece of a path.
struct Piece {
    from: usize,
    until: usize,
    /// The sign after it; 0 at the end.
    sign: u8,
    /// Where the first `=` is, and how many bytes it takes.
    equals: Option<(usize, usize)>,
    /// It has a digit, a capital letter, or more letters than words have.
    may_be_token: bool,
}

impl Iterator for Pieces<'_> {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        let bytes = self.text.as_bytes();
        let from = self.at;
        let (mut equals, mut strong) = (None, false);
        let end = |until, sign, equals, strong| {
            let length: usize = until - from;
            let may_be_token = length >= 24 || (length >= 6 && strong);
            Some(Piece { from, until, sign, equals, may_be_token })
        };
        while let Some(b) = bytes.get(self.at) {
            let at = self.at;
            self.at += 1;
            let kind = match KINDS[usize::from(*b)] {
                Kind::Other => continue,
                // The signs are %2x and %3x, also encoded again.
                Kind::Percent if matches!(bytes.get(at + 1), Some(b'2' | b'3')) => {
                    let (c, taken) = decoded(bytes, at)?;
                    self.at = at + taken;
                    KINDS[usize::from(c)]
                }
                kind => kind,
            };
            match kind {
                Kind::Sign => {
                    let (sign, _) = decoded(bytes, at)?;
                    return end(at, sign, equals, strong);
                }
                Kind::Equals => equals = equals.or(Some((at, self.at - at))),
                Kind::Strong => strong = true,
                Kind::Percent | Kind::Other => {}
            }
        }
        if from == bytes.len() { None } else { end(bytes.len(), 0, equals, strong) }
    }
}
