//! Replaces secret and personal values by `***`: by the name of a parameter, or by the form of a value.
//!
//! By value: e-mail addresses (also percent-encoded), JSON web tokens, card numbers whose check digit is right. By
//! name: see [`secret_name`]. Most texts contain nothing of the kind, which one quick check shows. Masking is
//! idempotent: masking a masked text changes nothing.

pub(super) mod json;
mod name;
mod value;

pub use json::json;
pub use name::secret_name;
pub use value::{id_value, personal_id, suspicious, value};

use value::decoded;

/// What replaces a masked value.
pub const MASK: &str = "***";

/// Which parameters keep their value.
#[derive(Debug, Clone, Copy)]
pub enum Names<'s> {
    /// All except those whose name shows that the value is secret or personal.
    Secret,
    /// Only these, and `utm_…`.
    Allow(&'s [String]),
}

impl Names<'_> {
    /// Whether a parameter of this name loses its value.
    pub fn masks(self, name: &str) -> bool {
        match self {
            Names::Secret => secret_name(name),
            Names::Allow(list) => {
                !list.iter().any(|allowed| allowed == name)
                    && !name.get(..4).is_some_and(|utm| utm.eq_ignore_ascii_case("utm_"))
            }
        }
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
        let is_masked =
            matches!(names, Names::Allow(_)) && !pair.is_empty() && pair != MASK && names.masks(pair);
        return is_masked.then_some(0);
    };
    let from = equals + 1;
    let rest = &pair[from..];
    if names.masks(&pair[..equals]) {
        return (!rest.is_empty() && rest != MASK).then_some(from);
    }
    nested(rest).map(|at| from + at)
}

/// Where the value of a secret parameter begins within a value: `/login?token=x`, `%2Flogin%3Ftoken%3Dx`.
fn nested(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    // An encoded `=` is %3D, so a text without `=` and `%` has no parameter.
    memchr::memchr2(b'=', b'%', bytes)?;
    let mut name = 0; // where the name begins
    let mut at = 0;
    while let Some((c, taken)) = decoded(bytes, at) {
        match c {
            b'=' if text.is_char_boundary(name) && secret_name(&text[name..at]) => {
                let secret = at + taken;
                return (secret < text.len() && &text[secret..] != MASK).then_some(secret);
            }
            b'=' | b'&' | b';' | b'?' | b'#' | b'/' | b' ' => name = at + taken,
            _ => {}
        }
        at += taken;
    }
    None
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

/// Masks a path: by its form, and matrix parameters by name (`/cart;jsessionid=x/1`).
pub fn path(text: &str, look: bool, out: &mut String) -> bool {
    let start = out.len();
    let seen = look && value(text, out);
    if memchr::memchr(b';', text.as_bytes()).is_none() {
        return seen;
    }
    let plain = if seen { out.split_off(start) } else { text.to_owned() };
    let mut changed = seen;
    for (i, piece) in plain.split_inclusive([';', '/']).enumerate() {
        let body = piece.trim_end_matches([';', '/']);
        match body.split_once('=') {
            Some((name, rest)) if i > 0 && !rest.is_empty() && rest != MASK && secret_name(name) => {
                changed = true;
                out.push_str(name);
                out.push('=');
                out.push_str(MASK);
                out.push_str(&piece[body.len()..]);
            }
            _ => out.push_str(piece),
        }
    }
    if !changed {
        out.truncate(start);
    }
    changed
}

#[cfg(test)]
mod tests;
