//! Reads an nginx `log_format`: text to literals and variables.
//!
//! The text may be the string alone (`$remote_addr [$time_local] …`), the strings of a directive as they stand
//! in nginx.conf (`escape=json '…' '…'`), and the whole directive (`log_format name '…' '…';`).

use crate::parse::escape::Escape;

/// What is wrong with a format, and how to mend it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormatError {
    /// The byte of the format's text, from 0, where the error is.
    pub at: usize,
    /// What is wrong and what to do, lower case, one line.
    pub what: String,
}

impl FormatError {
    pub(super) fn new(at: usize, what: impl Into<String>) -> Self {
        // a quoted part of the format may contain line breaks and control characters
        FormatError { at, what: what.into().replace(char::is_control, " ") }
    }
}

impl std::fmt::Display for FormatError {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(to, "log format, byte {}: {}", self.at, self.what)
    }
}

impl std::error::Error for FormatError {}

/// A piece of a format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// Bytes that every line contains here.
    Literal(Vec<u8>),
    /// A variable without its `$`, and its place in the format's text.
    Variable { name: String, at: usize },
}

/// A format. Two literals never follow each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LogFormat {
    pub(super) escape: Escape,
    pub(super) parts: Vec<Part>,
}

/// A byte of the format, and its place in the configuration's text.
type Placed = (usize, u8);

/// Reads a format.
pub(super) fn read(text: &str) -> Result<LogFormat, FormatError> {
    let start = text.len() - text.trim_start().len();
    let trimmed = &text[start..];
    if trimmed.is_empty() {
        return Err(FormatError::new(
            0,
            "empty: write alt1, combined, common, vhost_combined or an nginx log_format",
        ));
    }
    let named = trimmed.strip_prefix("log_format").is_some_and(|rest| rest.starts_with(char::is_whitespace));
    let (escape, bytes) = if named || trimmed.starts_with('\'') {
        directive(text, start, named)?
    } else if let Some(kind) = trimmed.strip_prefix("escape=") {
        let kind = &kind[..kind.find(char::is_whitespace).unwrap_or(kind.len())];
        let escape = escape_of(kind, start)?;
        let after = skip(text, start + "escape=".len() + kind.len());
        match text.as_bytes().get(after) {
            Some(b'\'' | b'"') => (escape, directive(text, after, false)?.1),
            _ => (escape, bare(text, after)),
        }
    } else {
        (Escape::Default, bare(text, start))
    };
    let foreign = text.find('%').filter(|_| !text.contains('$'));
    if let Some(at) = foreign {
        return Err(FormatError::new(
            at,
            "this looks like an Apache LogFormat: write combined, common or vhost_combined, or the same fields \
             in nginx's notation, such as $remote_addr - $remote_user [$time_local] \"$request\" $status",
        ));
    }
    if !bytes.iter().any(|&(_, byte)| byte == b'$') {
        return Err(FormatError::new(
            start,
            format!(
                "`{}` is no known format: write alt1, combined, common, vhost_combined or an nginx log_format \
                 with its $variables",
                text.trim().chars().take(40).collect::<String>()
            ),
        ));
    }
    Ok(LogFormat { escape, parts: parts(&bytes)? })
}

/// Splits a format at its variables, `$name` or `${name}`.
fn parts(bytes: &[Placed]) -> Result<Vec<Part>, FormatError> {
    let mut parts = Vec::new();
    let mut literal = Vec::new();
    let mut rest = bytes;
    while let Some((&(at, byte), after)) = rest.split_first() {
        rest = after;
        if byte != b'$' {
            literal.push(byte);
            continue;
        }
        let braced = matches!(rest.first(), Some((_, b'{')));
        if braced {
            rest = &rest[1..];
        }
        let length = rest.iter().take_while(|(_, b)| b.is_ascii_alphanumeric() || *b == b'_').count();
        let name: String = rest[..length].iter().map(|&(_, b)| char::from(b)).collect();
        rest = &rest[length..];
        if name.is_empty() {
            return Err(FormatError::new(at, "a `$` without a variable's name after it"));
        }
        if braced {
            match rest.split_first() {
                Some(((_, b'}'), after)) => rest = after,
                _ => {
                    return Err(FormatError::new(
                        at,
                        format!("`${{{name}` is not closed: write `${{{name}}}`"),
                    ));
                }
            }
        }
        if !literal.is_empty() {
            parts.push(Part::Literal(std::mem::take(&mut literal)));
        }
        parts.push(Part::Variable { name, at });
    }
    if !literal.is_empty() {
        parts.push(Part::Literal(literal));
    }
    Ok(parts)
}

/// The string without quotes, from `start` on, without spaces at its end.
fn bare(text: &str, start: usize) -> Vec<Placed> {
    text.trim_end().bytes().enumerate().skip(start).collect()
}

/// The value of the parameter `escape`.
fn escape_of(kind: &str, at: usize) -> Result<Escape, FormatError> {
    match kind {
        "default" => Ok(Escape::Default),
        "json" => Ok(Escape::Json),
        "none" => Ok(Escape::None),
        _ => {
            let what = format!("`escape={kind}`: write escape=default, escape=json or escape=none");
            Err(FormatError::new(at, what))
        }
    }
}

/// The arguments of the directive, joined as nginx joins them.
fn directive(text: &str, start: usize, named: bool) -> Result<(Escape, Vec<Placed>), FormatError> {
    let mut at = start;
    if named {
        for _ in 0..2 {
            // The directive's own name, and the format's.
            at = token(text, &mut Vec::new(), skip(text, at))?;
        }
    }
    let mut escape = Escape::Default;
    let mut format = Vec::new();
    loop {
        at = skip(text, at);
        match text.as_bytes().get(at) {
            None => break,
            Some(b';') => {
                let after = skip(text, at + 1);
                if after < text.len() {
                    return Err(FormatError::new(after, "text after the `;`: give one log_format only"));
                }
                break;
            }
            Some(_) => {}
        }
        let mut argument = Vec::new();
        let end = token(text, &mut argument, at)?;
        match text[at..end].strip_prefix("escape=") {
            Some(kind) if format.is_empty() => escape = escape_of(kind, at)?,
            _ => format.append(&mut argument),
        }
        at = end;
    }
    Ok((escape, format))
}

/// The place of the next character that is no space and in no comment.
fn skip(text: &str, mut at: usize) -> usize {
    let bytes = text.as_bytes();
    loop {
        match bytes.get(at) {
            Some(byte) if byte.is_ascii_whitespace() => at += 1,
            Some(b'#') => at = memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |end| at + end),
            _ => return at,
        }
    }
}

/// Reads a word or a quoted string of nginx.conf at `at`, and returns the place after it.
fn token(text: &str, to: &mut Vec<Placed>, at: usize) -> Result<usize, FormatError> {
    let bytes = text.as_bytes();
    let quote = bytes.get(at).copied().filter(|byte| matches!(byte, b'\'' | b'"'));
    let mut next = at + usize::from(quote.is_some());
    while let Some(&byte) = bytes.get(next) {
        match (byte, quote) {
            (byte, Some(quote)) if byte == quote => return Ok(next + 1),
            (b';', None) => return Ok(next),
            (byte, None) if byte.is_ascii_whitespace() => return Ok(next),
            (b'\\', _) => {
                let meant = match bytes.get(next + 1) {
                    Some(byte @ (b'"' | b'\'' | b'\\')) => Some(*byte),
                    Some(b't') => Some(b'\t'),
                    Some(b'r') => Some(b'\r'),
                    Some(b'n') => Some(b'\n'),
                    _ => None,
                };
                to.push((next, meant.unwrap_or(b'\\')));
                next += 1 + usize::from(meant.is_some());
            }
            _ => {
                to.push((next, byte));
                next += 1;
            }
        }
    }
    match quote {
        Some(quote) => Err(FormatError::new(at, format!("the quote {} is not closed", char::from(quote)))),
        None => Ok(next),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        match read(text) {
            Ok(LogFormat { escape, parts }) => {
                parts.iter().fold(format!("{escape:?}"), |shown, part| match part {
                    Part::Literal(bytes) => format!("{shown} {:?}", String::from_utf8_lossy(bytes)),
                    Part::Variable { name, at } => format!("{shown} {name}@{at}"),
                })
            }
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn formats_are_read_as_nginx_reads_them() {
        for (text, expect) in [
            ("$status", "Default status@0"),
            (" [$time_local] ${status}x ", r#"Default "[" time_local@2 "] " status@15 "x""#),
            ("log_format main '$a '\n  '\"$b\"';", r#"Default a@17 " \"" b@26 "\"""#),
            ("log_format j escape=json '{\"a\":\"$a\"}';", r#"Json "{\"a\":\"" a@32 "\"}""#),
            ("escape=none \"$a\\\"$b\\t\"", r#"None a@13 "\"" b@17 "\t""#),
            ("escape=json $a $b ", r#"Json a@12 " " b@15"#),
            ("'$a' # the first\n '|$b'", r#"Default a@1 "|" b@20"#),
            ("log_format x $a|$b;", r#"Default a@13 "|" b@16"#),
        ] {
            assert_eq!(shown(text), expect, "{text}");
        }
    }

    #[test]
    fn what_is_no_format_is_explained() {
        for (text, at, part) in [
            ("", 0, "empty"),
            ("  ", 0, "empty"),
            ("combned", 0, "`combned` is no known format"),
            ("%h %l %u %t \\\"%r\\\" %>s %b", 0, "Apache"),
            ("LogFormat \"%h %t\"", 11, "Apache"),
            ("$a $", 3, "without a variable's name"),
            ("$a $-", 3, "without a variable's name"),
            ("$a ${b", 3, "not closed"),
            ("${}", 0, "without a variable's name"),
            ("log_format x '$a", 13, "quote ' is not closed"),
            ("log_format x escape=xml '$a';", 13, "escape=xml"),
            ("escape=xml $a", 0, "escape=xml"),
            ("escape=json", 0, "no known format"),
            ("log_format x '$a'; log_format y '$b';", 19, "one log_format only"),
            ("log_format x;", 0, "no known format"),
        ] {
            let error = read(text).unwrap_err();
            assert_eq!(error.at, at, "{text}: {error}");
            assert!(error.to_string().contains(part), "{text}: {error}");
        }
    }
}
