//! Which names of parameters show that their value is secret or personal.
//!
//! The lists (`words.rs`) contain whole words, so that `keyword`, `monkey` and `promo_code` are not masked. Nothing is
//! allocated.

use super::decode::decoded;
use super::words::{
    ABOUT, BY_FORM, NUMBERED, OPENING, OPENING_CODES, PASS_OF, PERSONS_NAMES, PLAIN_KEYS, SECRET,
    SECRET_ENDS, TRACKING, WITHOUT_BORDERS,
};

/// What a name says of its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Nothing.
    Plain,
    /// The value is secret if it has the form of a token.
    ByForm,
    /// The value is secret or personal.
    Secret,
}

/// Whether a parameter of this name has a secret or personal value. Names are compared word by word. A word ends at any
/// character that is no letter or digit, at a `camelCase` border, and before digits at its end. The name may be
/// percent-encoded. A name of several words also counts as one word (`mot-de-passe`, `AWSAccessKeyId`).
pub fn secret_name(name: &str) -> bool {
    meaning(name) == Meaning::Secret
}

/// What a name says of its value; the name is read as [`secret_name`] does.
pub(super) fn meaning(name: &str) -> Meaning {
    let mut buffer = [0u8; 128];
    let name = plain(name, &mut buffer);
    let (mut before, mut last) = (&b""[..], &b""[..]);
    let (mut secret, mut words) = (false, 0);
    for word in (Words { rest: name }) {
        words += 1;
        before = last;
        last = word;
        secret |= SECRET_WORDS.have(word)
            || starts_with(word, "aspsessionid") // and eight letters
            || (may_end_secret(word) && SECRET_ENDS.iter().any(|end| ends_with(word, end)));
    }
    let mut whole = [0; LONGEST];
    let joined = if words > 1 { joined(name, &mut whole) } else { last };
    if words > 1 {
        secret |= joined.len() >= JOINED_MIN && SECRET_WORDS.have(joined);
    }
    if secret {
        return if words > 1 && listed(last, ABOUT) { Meaning::Plain } else { Meaning::Secret };
    }
    if name.iter().any(|b| *b >= 0xE0) && without_borders(name) {
        return Meaning::Secret;
    }
    if is_secret_by_its_end(before, last, words == 1) {
        return Meaning::Secret;
    }
    if FORM_WORDS.have(last) || (words > 1 && FORM_WORDS.have(joined)) {
        return Meaning::ByForm;
    }
    Meaning::Plain
}

/// Whether a parameter of this name identifies a browser or a person on other pages, too.
pub fn tracking_name(name: &str) -> bool {
    let mut buffer = [0u8; 128];
    let name = plain(name, &mut buffer);
    let mut whole = [0; LONGEST];
    let joined = joined(name, &mut whole);
    // `_id` is Matomo's visitor; `id` may be anything.
    name == b"_id"
        || TRACKING_WORDS.have(joined)
        || Words { rest: name }.any(|word| word.len() > 3 && TRACKING_WORDS.have(word))
}

/// Whether one of the words of a path's segment opens a token. The segment may be percent-encoded.
pub(super) fn opens_token(segment: &str) -> bool {
    let mut buffer = [0u8; 128];
    let segment = plain(segment, &mut buffer);
    Words { rest: segment }.any(|word| OPENING_WORDS.have(word))
}

/// `pin=`, `code=`, `key=` alone, or after a word of the lists.
fn is_secret_by_its_end(before: &[u8], last: &[u8], alone: bool) -> bool {
    let mut lower = [0; "response".len()];
    let Some(last_in_lower) = lower.get_mut(..last.len()) else { return false };
    last_in_lower.copy_from_slice(last);
    last_in_lower.make_ascii_lowercase();
    match &*last_in_lower {
        b"key" => alone || !listed(before, PLAIN_KEYS),
        b"code" => alone || listed(before, OPENING_CODES),
        b"pass" | b"pin" => alone || listed(before, PASS_OF),
        b"name" => listed(before, PERSONS_NAMES),
        b"number" | b"no" => listed(before, NUMBERED),
        b"hint" => listed(before, &["login"]),
        b"response" => listed(before, &["saml"]),
        _ => false,
    }
}

/// The least bytes of a name that counts as one word without its borders: shorter ones would be other words by chance.
const JOINED_MIN: usize = 5;

/// More than the bytes of the longest word of the lists.
const LONGEST: usize = 32;

/// A list of words by their length, so that nearly every word is compared with few or none.
struct Table<const N: usize> {
    words: [&'static str; N],
    /// Where the words of each length begin.
    starts: [usize; LONGEST + 1],
    /// For each length, the first letters of its words, a bit each.
    firsts: [u32; LONGEST],
}

impl<const N: usize> Table<N> {
    const fn of(list: &[&'static str]) -> Self {
        let (mut words, mut starts, mut firsts) = ([""; N], [0; LONGEST + 1], [0; LONGEST]);
        let (mut length, mut to) = (0, 0);
        while length < LONGEST {
            starts[length] = to;
            let mut i = 0;
            while i < list.len() {
                if list[i].len() == length {
                    words[to] = list[i];
                    firsts[length] |= 1 << (list[i].as_bytes()[0] & 31);
                    to += 1;
                }
                i += 1;
            }
            length += 1;
        }
        starts[LONGEST] = to;
        assert!(to == list.len(), "a word is longer than LONGEST");
        Table { words, starts, firsts }
    }

    fn have(&self, word: &[u8]) -> bool {
        let (Some(first), Some(firsts)) = (word.first(), self.firsts.get(word.len())) else { return false };
        firsts & (1 << (first & 31)) != 0
            && self.words[self.starts[word.len()]..self.starts[word.len() + 1]]
                .iter()
                .any(|w| (w.as_bytes()[0] ^ first) & 31 == 0 && w.as_bytes().eq_ignore_ascii_case(word))
    }
}

static SECRET_WORDS: Table<{ SECRET.len() }> = Table::of(SECRET);
static FORM_WORDS: Table<{ BY_FORM.len() }> = Table::of(BY_FORM);
static OPENING_WORDS: Table<{ OPENING.len() }> = Table::of(OPENING);
static TRACKING_WORDS: Table<{ TRACKING.len() }> = Table::of(TRACKING);

/// The last letters of [`SECRET_ENDS`], a bit each.
const SECRET_LAST: u32 = {
    let (mut last, mut i) = (0, 0);
    while i < SECRET_ENDS.len() {
        let end = SECRET_ENDS[i].as_bytes();
        last |= 1 << (end[end.len() - 1] & 31);
        i += 1;
    }
    last
};

fn may_end_secret(word: &[u8]) -> bool {
    word.last().is_some_and(|last| SECRET_LAST & (1 << (last & 31)) != 0)
}

fn listed(word: &[u8], list: &[&str]) -> bool {
    list.iter().any(|w| w.len() == word.len() && w.as_bytes().eq_ignore_ascii_case(word))
}

fn ends_with(word: &[u8], end: &str) -> bool {
    word.len() > end.len() && word[word.len() - end.len()..].eq_ignore_ascii_case(end.as_bytes())
}

fn starts_with(word: &[u8], start: &str) -> bool {
    word.len() > start.len() && word[..start.len()].eq_ignore_ascii_case(start.as_bytes())
}

fn without_borders(name: &[u8]) -> bool {
    WITHOUT_BORDERS.iter().any(|word| memchr::memmem::find(name, word.as_bytes()).is_some())
}

/// The letters and digits of a name, up to the digits at its end; nothing if they are more than [`LONGEST`].
fn joined<'b>(name: &[u8], buffer: &'b mut [u8; LONGEST]) -> &'b [u8] {
    let mut to = 0;
    for b in name.iter().filter(|b| is_of_word(b)) {
        let Some(slot) = buffer.get_mut(to) else { return &[] };
        *slot = *b;
        to += 1;
    }
    without_digits(&buffer[..to])
}

fn without_digits(word: &[u8]) -> &[u8] {
    let digits = word.iter().rev().take_while(|b| b.is_ascii_digit()).count();
    if digits < word.len() { &word[..word.len() - digits] } else { word }
}

/// The name without percent-encoding, as much as fits into the buffer.
fn plain<'n>(name: &'n str, buffer: &'n mut [u8]) -> &'n [u8] {
    let name = name.as_bytes();
    if memchr::memchr(b'%', name).is_none() {
        return name;
    }
    let (mut from, mut to) = (0, 0);
    while let Some((c, taken)) = decoded(name, from) {
        let Some(slot) = buffer.get_mut(to) else { break };
        *slot = c;
        from += taken;
        to += 1;
    }
    &buffer[..to]
}

/// Letters of other scripts are bytes from 0x80 on.
fn is_of_word(b: &u8) -> bool {
    b.is_ascii_alphanumeric() || *b >= 0x80
}

/// The words of a name.
struct Words<'n> {
    rest: &'n [u8],
}

impl<'n> Iterator for Words<'n> {
    type Item = &'n [u8];

    fn next(&mut self) -> Option<&'n [u8]> {
        let start = self.rest.iter().position(is_of_word)?;
        let rest = &self.rest[start..];
        let mut end = 1;
        while let Some(c) = rest.get(end).filter(|c| is_of_word(c)) {
            let next_is_lower = rest.get(end + 1).is_some_and(u8::is_ascii_lowercase);
            let before = rest[end - 1];
            // accessToken, APIKey
            if c.is_ascii_uppercase()
                && (before.is_ascii_lowercase() || (before.is_ascii_uppercase() && next_is_lower))
            {
                break;
            }
            end += 1;
        }
        self.rest = &rest[end..];
        Some(without_digits(&rest[..end]))
    }
}
