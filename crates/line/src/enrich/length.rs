//! How long the texts of a row may be, in bytes. A longer text is masked first, and then cut at a character boundary.
//!
//! A cut before masking could separate a secret from the name that shows that it is one. If anything of a row was cut,
//! `params` has `cut`. nginx takes at most 16 KiB of a request, so only lines of other servers, or bodies that were
//! sent compressed, come near most of these lengths.

/// A host with its port; a DNS name has at most 253.
pub(super) const HOST: usize = 512;

/// Path, query and referrer, each; so a URL of this length is kept whole.
pub(super) const URL: usize = 8 * 1024;

/// Identifiers and types: of session, user, sub-account, module, entity, event and trace.
pub(super) const NAME: usize = 1024;

/// The page's title; the element that was clicked, and its text; the search term; the origin; the value of a campaign's
/// parameter.
pub(super) const TEXT: usize = 2 * 1024;

/// The method of a request, in formats other than `alt1`.
pub(super) const METHOD: usize = 64;

/// The name of a custom parameter.
pub(super) const CUSTOM_NAME: usize = 256;

/// The value of a custom parameter. JSON that is longer is cut and kept as text.
pub(super) const CUSTOM_VALUE: usize = 16 * 1024;

/// The first bytes of `text`, at most `most`, up to a character boundary; sets `was_cut` if these are not all.
pub(super) fn cut<'t>(text: &'t str, most: usize, was_cut: &mut bool) -> &'t str {
    if text.len() <= most {
        return text;
    }
    *was_cut = true;
    &text[..text.floor_char_boundary(most)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_at_a_character_and_only_where_they_are_longer() {
        for (text, most, expect) in
            [("", 0, ""), ("ab", 2, "ab"), ("abc", 2, "ab"), ("aé", 3, "aé"), ("aé", 2, "a"), ("éé", 3, "é")]
        {
            let mut was_cut = false;
            assert_eq!(cut(text, most, &mut was_cut), expect, "{text} {most}");
            assert_eq!(was_cut, text != expect, "{text} {most}");
        }
    }
}
