//! Masks values by their form: e-mail addresses, tokens, numbers of cards, accounts and telephones.
//!
//! A quick check finds nothing in nearly every text; the others are searched from left to right, and each find is
//! masked whole. Both take time in proportion to the bytes of the text, whatever these are.

use super::MASK;
use super::decode::decoded;
use super::email::email;
use super::number;
use super::token;
use crate::bitmap::{BLOCK, Words, bitmaps_and_words, digits, next_place};

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
    let number = || numbers && digits(bytes) >= number::DIGITS_MIN && number::may_hold(bytes);
    if bytes.len() < token::BYTES_MIN {
        return holds_sign(bytes) || token::short_may_hold(bytes) || number();
    }
    let (mut runs, mut strong) = (Runs::default(), 0);
    for block in (0..bytes.len()).step_by(BLOCK) {
        let ([ats, percents, letters], words) = bitmaps_and_words([b'@', b'%', b'J'], bytes, block);
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
        strong += words.strong.count_ones() as usize;
        if runs.may_hold_token(bytes, block, words) {
            return true;
        }
    }
    strong >= number::DIGITS_MIN && number()
}

/// Whether a short text has an `@`.
fn holds_sign(bytes: &[u8]) -> bool {
    bytes.iter().enumerate().any(|(at, b)| match b {
        b'@' => true,
        b'%' => matches!(decoded(bytes, at), Some((b'@', _))),
        _ => false,
    })
}

/// The words of a text that are long enough for a token, found in its bitmaps.
#[derive(Default)]
struct Runs {
    /// Those of the block before.
    before: Words,
    /// The end of the last word that was looked at.
    done: usize,
}

impl Runs {
    /// Whether a token may begin in one of the words that reach into the block at `block`.
    fn may_hold_token(&mut self, bytes: &[u8], block: usize, words: Words) -> bool {
        // A word of WORD_MIN bytes that ends here begins at most so many bytes before the block.
        const OVERLAP: u32 = 11;
        const { assert!(token::WORD_MIN == OVERLAP as usize + 1, "the steps below are for 12") };
        let join = |before: u64, now: u64| u128::from(now) << OVERLAP | u128::from(before >> (64 - OVERLAP));
        let (all, strong) = (join(self.before.all, words.all), join(self.before.strong, words.strong));
        self.before = words;
        // Each bit becomes that of a run which begins there: of 2, 4, 8 and 12.
        let mut starts = all;
        for more in [1, 2, 4, 4] {
            starts &= starts >> more;
        }
        while starts != 0 {
            let from = starts.trailing_zeros();
            let length = (all >> from).trailing_ones();
            let run = (u128::MAX >> (128 - length)) << from;
            starts &= !run;
            if strong & run == 0 {
                continue;
            }
            // The whole word, each only once.
            let mut start = (block + from as usize).saturating_sub(OVERLAP as usize);
            if start < self.done {
                continue;
            }
            while start > self.done && token::is_word(bytes[start - 1]) {
                start -= 1;
            }
            self.done = token::end_of_word(bytes, start);
            if token::word_may_hold(bytes, start, self.done) {
                return true;
            }
        }
        false
    }
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
