//! Reads the JSON that PostgreSQL makes of `jsonb`, as far as it is needed: the members of objects, and values as `->>` gives
//! them. Of what is no such JSON, what comes before the mistake is read.

use std::borrow::Cow;

/// The members of an object: names, and values as they stand there. Of anything else there are none.
pub(super) fn members(json: &str) -> Members<'_> {
    Members { rest: json.trim_ascii_start().strip_prefix('{').unwrap_or("") }
}

/// See [`members`].
#[derive(Debug)]
pub(super) struct Members<'j> {
    rest: &'j str,
}

impl<'j> Iterator for Members<'j> {
    type Item = (Cow<'j, str>, &'j str);

    fn next(&mut self) -> Option<Self::Item> {
        let rest = std::mem::take(&mut self.rest).trim_ascii_start();
        let rest = rest.strip_prefix(',').unwrap_or(rest).trim_ascii_start();
        if !rest.starts_with('"') {
            return None;
        }
        let (name, rest) = rest.split_at_checked(length(rest)?)?;
        let rest = rest.trim_ascii_start().strip_prefix(':')?.trim_ascii_start();
        let (value, rest) = rest.split_at_checked(length(rest)?)?;
        self.rest = rest;
        Some((unescaped(name), value))
    }
}

/// The bytes of the value at the beginning of a text. Brackets are counted, so that depth takes no memory.
fn length(json: &str) -> Option<usize> {
    let bytes = json.as_bytes();
    let (mut at, mut depth) = (0, 0_usize);
    loop {
        match bytes.get(at)? {
            b'"' => {
                at += 1;
                while *bytes.get(at)? != b'"' {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
                at += 1;
            }
            b'{' | b'[' => {
                depth += 1;
                at += 1;
                continue;
            }
            b'}' | b']' => {
                depth = depth.checked_sub(1)?;
                at += 1;
            }
            b',' | b':' | b' ' if depth > 0 => {
                at += 1;
                continue;
            }
            _ => {
                let begun = at;
                while bytes
                    .get(at)
                    .is_some_and(|b| !matches!(b, b',' | b':' | b' ' | b'}' | b']' | b'"' | b'{' | b'['))
                {
                    at += 1;
                }
                if at == begun {
                    return None;
                }
            }
        }
        if depth == 0 {
            return Some(at);
        }
    }
}

/// A value as `->>` gives it; `""` of `null`.
pub(super) fn text(value: &str) -> Cow<'_, str> {
    match value {
        "null" => Cow::Borrowed(""),
        value if value.starts_with('"') => unescaped(value),
        value => Cow::Borrowed(value),
    }
}

/// The text of a string with its quotes.
fn unescaped(string: &str) -> Cow<'_, str> {
    let inner = string.strip_prefix('"').unwrap_or(string);
    let inner = inner.strip_suffix('"').unwrap_or(inner);
    let Some((begin, mut rest)) = inner.split_once('\\') else { return Cow::Borrowed(inner) };
    let mut text = String::with_capacity(inner.len());
    text.push_str(begin);
    loop {
        let mut chars = rest.chars();
        match chars.next() {
            Some('n') => text.push('\n'),
            Some('t') => text.push('\t'),
            Some('r') => text.push('\r'),
            Some('b') => text.push('\u{8}'),
            Some('f') => text.push('\u{c}'),
            Some('u') => {
                let digits: String = chars.by_ref().take(4).collect();
                let code = u32::from_str_radix(&digits, 16).ok().filter(|_| digits.len() == 4);
                text.push(code.and_then(char::from_u32).unwrap_or('\u{fffd}'));
            }
            Some(other) => text.push(other),
            None => {}
        }
        match chars.as_str().split_once('\\') {
            Some((more, behind)) => {
                text.push_str(more);
                rest = behind;
            }
            None => {
                text.push_str(chars.as_str());
                return Cow::Owned(text);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_of_an_object_are_read_as_postgresql_writes_them() {
        let json = r#"{"a": 1, "b\"}": "x\\\"y\n\u0001é", "c": {"d": [1, "]}"], "e": {}}, "f": null, "g": [], "h": true, "i": -1.50}"#;
        let all: Vec<(String, String)> =
            members(json).map(|(name, value)| (name.into_owned(), text(value).into_owned())).collect();
        let all: Vec<(&str, &str)> = all.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(
            all,
            [
                ("a", "1"),
                ("b\"}", "x\\\"y\n\u{1}é"),
                ("c", r#"{"d": [1, "]}"], "e": {}}"#),
                ("f", ""),
                ("g", "[]"),
                ("h", "true"),
                ("i", "-1.50"),
            ]
        );
        assert_eq!(members("{}").count() + members("[1]").count() + members("").count(), 0);
        let deep = format!(r#"{{"a": {}{}, "b": 2}}"#, "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(members(&deep).count(), 2);
    }

    #[test]
    fn what_is_cut_off_ends_and_never_panics() {
        let json = r#"{"a": "é\u00e9\\", "b": {"c": [1, 2, {"d": "\""}]}, "e": tru}"#;
        for (at, _) in json.char_indices() {
            members(&json[..at]).for_each(|(_, value)| drop(text(value)));
            members(&json[at..]).for_each(|(_, value)| drop(text(value)));
        }
        assert_eq!(text(r#""\u00"#), "\u{fffd}");
        assert_eq!(text("\"\\"), "");
    }
}
