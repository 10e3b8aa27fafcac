//! Replaces secret and personal values by `***`: by the name of a parameter, or by the form of a value.
//!
//! By value: e-mail addresses (also percent-encoded, in base64, in hexadecimal digits), JSON web tokens, PASETO, tokens
//! and keys whose vendors publish their form, numbers of cards and accounts whose check digits are right, telephone
//! numbers with their country. By name: see [`secret_name`]. By both: what has the form of a token behind a name such
//! as `state` or a path such as `/reset/`. Most texts contain nothing of the kind, which one quick check shows. Masking
//! is idempotent: masking a masked text changes nothing.

mod decode;
mod email;
pub(super) mod json;
mod name;
mod number;
mod path;
mod token;
mod value;
mod words;

pub use json::json;
pub use name::{secret_name, tracking_name};
pub use path::path;
pub use value::{id_value, personal_id, suspicious, value};

use decode::decoded;
use name::{Meaning, meaning, opens_token};

/// What replaces a masked value.
pub const MASK: &str = "***";

/// Which parameters keep their value.
#[derive(Debug, Clone, Copy)]
pub enum Names<'s> {
    /// All except those whose name shows that the value is secret or personal.
    Secret,
    /// The same, but for identifiers that follow a browser or a person, too.
    Untracked,
    /// Only these, and `utm_…`. With `untracked`, of these only those that [`Names::Untracked`] keeps.
    Allow {
        /// The names.
        list: &'s [String],
        /// Whether identifiers lose their values although they are listed.
        untracked: bool,
    },
}

impl Names<'_> {
    /// Whether a parameter of this name loses its value, which is `value`.
    pub fn masks(self, name: &str, value: &str) -> bool {
        match self {
            Names::Secret => is_secret(name, value),
            Names::Untracked => is_secret(name, value) || tracking_name(name),
            Names::Allow { list, untracked } => {
                (untracked && tracking_name(name))
                    || (!list.iter().any(|allowed| allowed == name)
                        && !name.get(..4).is_some_and(|utm| utm.eq_ignore_ascii_case("utm_")))
            }
        }
    }

    /// Whether only listed parameters keep their values.
    fn are_listed(self) -> bool {
        matches!(self, Names::Allow { .. })
    }
}

/// Whether the name alone shows that the value is secret or personal, or the name and the value's form together.
pub(super) fn is_secret(name: &str, value: &str) -> bool {
    match meaning(name) {
        Meaning::Plain => false,
        Meaning::ByForm => token::has_form(value),
        Meaning::Secret => true,
    }
}

/// Masks a query (`a=b&c=d`, also with `;`) and appends the result to `out`. `false`: there is nothing to mask, and
/// `out` is unchanged. Parameters within a value (`next=/login?token=x`, also encoded) are masked by name too, up to
/// the value's end. `look` says whether to look at the values: [`suspicious`] of the whole text.
pub fn query(text: &str, names: Names<'_>, look: bool, out: &mut String) -> bool {
    let mut written = 0; // how much of the text is in `out`
    let mut from = 0;
    let bytes = text.as_bytes();
    while from < bytes.len() {
        let end = memchr::memchr2(b'&', b';', &bytes[from..]).map_or(bytes.len(), |at| from + at);
        if parameter(&text[written..from], &text[from..end], names, look, out) {
            written = end;
        }
        from = end + 1;
    }
    if written == 0 {
        return false;
    }
    out.push_str(&text[written..]);
    true
}

/// Masks a parameter and appends it, after the text `before` it. `false`, and nothing is appended, if there is nothing
/// to mask. Masking by value comes first, so that masking the result again sees the same name.
fn parameter(before: &str, pair: &str, names: Names<'_>, look: bool, out: &mut String) -> bool {
    let mut seen = String::new(); // allocates only if there is something to mask
    let is_seen = look && value(pair, &mut seen);
    let pair = if is_seen { &seen } else { pair };
    match kept_by_name(pair, names) {
        Some(kept) => [before, &pair[..kept], MASK].iter().for_each(|piece| out.push_str(piece)),
        None if is_seen => [before, pair].iter().for_each(|piece| out.push_str(piece)),
        None => return false,
    }
    true
}

/// How many bytes of a parameter stay before the mask, if its name, or a name within its value, is secret.
fn kept_by_name(pair: &str, names: Names<'_>) -> Option<usize> {
    let Some(equals) = memchr::memchr(b'=', pair.as_bytes()) else {
        // A word without `=`, which may be a name or a value.
        let is_masked = names.are_listed() && !pair.is_empty() && pair != MASK && names.masks(pair, "");
        return is_masked.then_some(0);
    };
    let from = equals + 1;
    let rest = &pair[from..];
    if names.masks(&pair[..equals], rest) {
        return (!rest.is_empty() && rest != MASK).then_some(from);
    }
    let at = nested(rest)?;
    // What is masked now may be what made the whole value none to be masked.
    let is_whole = may_be_token(at) && names.masks(&pair[..equals], &[&rest[..at], MASK].concat());
    Some(if is_whole { from } else { from + at })
}

/// Whether a mask behind so many bytes of a value decides on the value's form.
fn may_be_token(bytes: usize) -> bool {
    bytes < token::FORM_BYTES_MAX
}

/// Where a secret begins within a value: that of a parameter (`/login?token=x`, `%2Flogin%3Ftoken%3Dx`), of a member of
/// a JSON object (`{"token":"x"}`), or a token in a path (`/reset/9f8a…`).
fn nested(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    // An encoded `=` is %3D, so a text without these three has nothing of the kind.
    if memchr::memchr3(b'=', b'%', b'/', bytes).is_none() && memchr::memchr(b'"', bytes).is_none() {
        return None;
    }
    let secret = Walk { text, ..Walk::default() }.secret()?;
    Some(earliest(text, secret))
}

/// Where the mask begins, if it has to reach from `secret` to the text's end. It may begin earlier: a sign that is
/// masked now may have been what made a value before it no token.
fn earliest(text: &str, secret: usize) -> usize {
    let mut walk = Walk { text, doubtful: Some(Vec::new()), ..Walk::default() };
    walk.secret();
    let mut doubtful = walk.doubtful.unwrap_or_default();
    doubtful.sort_unstable_by_key(|one| std::cmp::Reverse(one.from));
    let mut begin = secret;
    for Doubtful { from, until, has_form } in doubtful {
        let is_cut = from < begin && begin < until && may_be_token(begin - from);
        if is_cut && text.get(from..begin).is_some_and(|kept| has_form(&[kept, MASK].concat())) {
            begin = from;
        }
    }
    begin
}

/// What would be masked if it had the form of a token.
struct Doubtful {
    from: usize,
    until: usize,
    has_form: fn(&str) -> bool,
}

/// The signs that [`Walk::sign`] knows, and `%`.
static IS_SIGN: [bool; 256] = {
    let (mut is, signs, mut i) = ([false; 256], b"%=:/?#&;\" ", 0);
    while i < signs.len() {
        is[signs[i] as usize] = true;
        i += 1;
    }
    is
};

/// A walk through a value, from sign to sign.
#[derive(Default)]
struct Walk<'t> {
    text: &'t str,
    at: usize,
    /// Where the name of a parameter, or the segment of a path, begins.
    name: usize,
    /// Where the last text in quotes begins, and where it ended; 0 while it goes on.
    quoted: usize,
    unquoted: usize,
    /// A segment of the path opens a token.
    opened: bool,
    /// The segment is the host of a URL, which opens none: `//login.example.com/`.
    host: bool,
    /// The last sign.
    before: u8,
    /// What was found to be no token; `None`: nobody asks.
    doubtful: Option<Vec<Doubtful>>,
}

impl Walk<'_> {
    /// Where the first secret begins that is found.
    fn secret(&mut self) -> Option<usize> {
        let bytes = self.text.as_bytes();
        while let Some(b) = bytes.get(self.at) {
            if !IS_SIGN[usize::from(*b)] {
                self.at += 1;
                continue;
            }
            let (c, taken) = decoded(bytes, self.at)?;
            if let Some(secret) = self.sign(c, taken) {
                self.doubt(self.opened, self.name, self.text.len(), token::segment_has_form);
                return Some(secret);
            }
            self.at += taken;
        }
        self.segment_ends()
    }

    fn doubt(&mut self, if_so: bool, from: usize, until: usize, has_form: fn(&str) -> bool) {
        if if_so && let Some(doubtful) = &mut self.doubtful {
            doubtful.push(Doubtful { from, until, has_form });
        }
    }

    /// What begins behind the character at `self.at`, if that is a secret.
    fn sign(&mut self, c: u8, taken: usize) -> Option<usize> {
        let behind = self.at + taken;
        match c {
            b'=' | b':' => {
                if c == b'='
                    && let secret @ Some(_) = self.segment_ends()
                {
                    return secret;
                }
                let name = if c == b'=' { Some(self.piece(self.name, self.at)) } else { self.quoted_name() };
                let rest = self.piece(behind, self.text.len());
                if let Some(name) = name.filter(|_| !rest.is_empty() && rest != MASK) {
                    if is_secret(name, rest) {
                        return Some(behind);
                    }
                    let by_form = self.doubtful.is_some() && meaning(name) == Meaning::ByForm;
                    self.doubt(by_form, behind, self.text.len(), token::has_form);
                }
            }
            b'/' | b'?' | b'#' | b'&' | b';' => {
                let secret = self.segment_ends();
                let opens = c == b'/' && !self.host && opens_token(self.piece(self.name, self.at));
                self.opened = c == b'/' && (self.opened || opens);
                self.host = c == b'/' && self.before == b'/' && self.name == self.at;
                if secret.is_some() {
                    return secret;
                }
            }
            b'"' => {
                let begins = self.unquoted > 0 || self.quoted == 0;
                (self.quoted, self.unquoted) = if begins { (behind, 0) } else { (self.quoted, self.at) };
            }
            b' ' => {}
            _ => return None,
        }
        if !matches!(c, b':' | b'"') {
            (self.name, self.before) = (behind, c);
        }
        None
    }

    fn piece(&self, from: usize, to: usize) -> &str {
        self.text.get(from..to).unwrap_or_default()
    }

    /// The name of a member, if the text in quotes is right before `self.at`, except for spaces.
    fn quoted_name(&self) -> Option<&str> {
        const SPACES_MAX: usize = 4;
        let behind =
            self.unquoted + decoded(self.text.as_bytes(), self.unquoted).filter(|_| self.unquoted > 0)?.1;
        let is_near = self.at.checked_sub(behind).is_some_and(|bytes| bytes <= SPACES_MAX);
        is_near.then(|| self.piece(self.quoted, self.unquoted))
    }

    /// Where the segment that ends here begins, if it is a token.
    fn segment_ends(&mut self) -> Option<usize> {
        let until = self.at.min(self.text.len());
        let segment = self.piece(self.name, until);
        let is_token = self.opened && segment != MASK && token::segment_has_form(segment);
        self.doubt(self.opened && !is_token, self.name, until, token::segment_has_form);
        is_token.then_some(self.name)
    }
}

/// Masks a parameter's value that stands alone: by its form, and the parameters within it by name.
pub fn text_value(text: &str, out: &mut String) -> bool {
    let start = out.len();
    let seen = value(text, out);
    let plain = if seen { &out[start..] } else { text };
    let Some(secret) = nested(plain) else { return seen };
    if seen {
        out.truncate(start + secret);
    } else {
        out.push_str(&text[..secret]);
    }
    out.push_str(MASK);
    true
}

#[cfg(test)]
mod tests;
