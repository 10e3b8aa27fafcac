//! Splits a script of SQL into its statements, so that each can be sent as its own message. Citus refuses to change a
//! distributed table in a message with other statements.

/// The statements of a script, without the semicolons between them. Recognizes comments, quotes and dollar quotes, as
/// PostgreSQL does with `standard_conforming_strings`. Does not support `E''` and nested comments.
pub fn statements(sql: &str) -> Vec<&str> {
    let (mut all, mut begin, mut at, mut is_empty) = (Vec::new(), 0, 0, true);
    while let Some(next) = sql[at..].chars().next() {
        let rest = &sql[at..];
        let closed = |open: usize, close: &str| {
            rest[open..].find(close).map_or(rest.len(), |end| open + end + close.len())
        };
        let (length, is_word) = match next {
            ';' => {
                if !is_empty {
                    all.push(sql[begin..at].trim());
                }
                (begin, is_empty) = (at + 1, true);
                (1, false)
            }
            '-' if rest.starts_with("--") => (closed(2, "\n"), false),
            '/' if rest.starts_with("/*") => (closed(2, "*/"), false),
            '\'' => (closed(1, "'"), true),
            '"' => (closed(1, "\""), true),
            '$' => match dollar_quote(rest) {
                Some(quote) => (closed(quote.len(), quote), true),
                None => (1, true),
            },
            other => (other.len_utf8(), !other.is_whitespace()),
        };
        is_empty &= !is_word;
        at += length;
    }
    if !is_empty {
        all.push(sql[begin..].trim());
    }
    all
}

/// The `$$` or `$name$` at the beginning of a text. A parameter (`$1`) does not count.
fn dollar_quote(text: &str) -> Option<&str> {
    let end = 1 + text.get(1..)?.find('$')?;
    let name = &text[1..end];
    let is_name = name.chars().all(|c| c.is_alphanumeric() || c == '_')
        && !name.starts_with(|c: char| c.is_ascii_digit());
    is_name.then(|| &text[..=end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_cut_into_its_statements() {
        let cases: &[(&str, &[&str])] = &[
            ("", &[]),
            (" ;; -- nothing;\n /* or; this */ ;", &[]),
            ("SELECT 1", &["SELECT 1"]),
            ("a; b;\nc", &["a", "b", "c"]),
            ("-- of a;\na; b -- of b; too\n;", &["-- of a;\na", "b -- of b; too"]),
            ("SELECT ';', 'it''s;'; b", &["SELECT ';', 'it''s;'", "b"]),
            ("SELECT \";\"; b", &["SELECT \";\"", "b"]),
            ("DO $$ a; $x$ b; $$; c", &["DO $$ a; $x$ b; $$", "c"]),
            ("DO $do$ a; $$ b; $do$; c", &["DO $do$ a; $$ b; $do$", "c"]),
            ("SELECT $1; SELECT $2", &["SELECT $1", "SELECT $2"]),
            ("SELECT 'é;'; 'open; b", &["SELECT 'é;'", "'open; b"]),
        ];
        for (sql, expected) in cases {
            assert_eq!(statements(sql), *expected, "{sql}");
        }
        assert_eq!(statements(include_str!("../../../sql/0005_environments.sql")).len(), 4);
    }
}
