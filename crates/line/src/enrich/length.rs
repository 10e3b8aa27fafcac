//! How long the texts of a row may be, in bytes. A longer one is masked, then cut at a character.
//!
//! In this order, so that a cut never parts a secret from what shows that it is one: what is kept is the beginning of a text
//! that is masked already. A row of which anything was cut says so (`cut` in `params`). What nginx takes of a request is
//! 16 KiB, so that only a line of another origin, or a body that was sent compressed, comes near most of these.

/// A host with its port: a name of the DNS has 253 at the most.
pub(super) const HOST: usize = 512;

/// Path, query and referrer, each: an address of so many bytes is kept whole.
pub(super) const ADDRESS: usize = 8 * 1024;

/// Identifiers and types: of session, user, sub-account, module, entity, event and trace.
pub(super) const NAME: usize = 1024;

/// The page's title; the element that was clicked, and its text; the search term; the origin; the value of a campaign's
/// parameter.
pub(super) const TEXT: usize = 2 * 1024;

/// The method of the request, as a format has it that is not ours.
pub(super) const METHOD: usize = 64;

/// The name of a custom parameter.
pub(super) const CUSTOM_NAME: usize = 256;

/// The value of a custom parameter. JSON that is longer is kept as the text that it is, and cut.
pub(super) const CUSTOM_VALUE: usize = 16 * 1024;

/// The beginning of `text` that is kept, where at `most` so many bytes are; notes in `was_cut` whether that is less.
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
