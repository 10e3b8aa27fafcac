//! Texts of strangers made harmless: labels and titles hold what any visitor may send as a path or a name.
//!
//! Invariant: what comes out of `line` is one line without control characters, and without characters that change the
//! direction of writing or cannot be seen. `chat`, `html` and `terminal` begin with it.

use std::fmt::Write as _;

use crate::message::{MEMBERS_MAX, Message, minute};

/// The most characters of a title, a label or the name of a label.
pub(crate) const CHARS_MAX: usize = 300;

/// One line of at most `most` characters. Breaks of lines and other space become a space, and what cannot be seen is
/// shown as U+FFFD.
#[must_use]
pub fn line(text: &str, most: usize) -> String {
    let mut out = String::new();
    let mut chars = 0;
    for c in text.chars() {
        let c = if c.is_whitespace() {
            if out.is_empty() || out.ends_with(' ') {
                continue;
            }
            ' '
        } else if c.is_control() || is_unseen(c) {
            char::REPLACEMENT_CHARACTER
        } else {
            c
        };
        if chars == most {
            out.push('…');
            break;
        }
        out.push(c);
        chars += 1;
    }
    out.truncate(out.trim_end().len());
    out
}

/// Controls of direction, joiners, tags, and what else has no width.
fn is_unseen(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Text as code in a chat: no mention, no link, no markup. Slack takes `&`, `<` and `>` for markup in code too; behind
/// `@` is a space of no width, so that no program finds a name.
pub(crate) fn chat(text: &str) -> String {
    let text = line(text, CHARS_MAX);
    if text.is_empty() {
        return String::new();
    }
    let mut out = String::with_capacity(text.len() + 8);
    out.push('`');
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '`' => out.push('\u{2cb}'),
            '@' => out.push_str("@\u{200b}"),
            c => out.push(c),
        }
    }
    out.push('`');
    out
}

/// Text between the tags or in a quoted attribute of HTML.
pub(crate) fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in line(text, CHARS_MAX).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// A link of this installation, if it is one: not what a stranger could have written.
pub(crate) fn link(message: &Message) -> Option<&str> {
    web_link(message.link.as_deref()?)
}

/// The same of a text.
pub(crate) fn web_link(link: &str) -> Option<&str> {
    let is_plain = link.bytes().all(|b| b.is_ascii_graphic() && !b"<>\"'`|\\^{}".contains(&b));
    let is_web = link.starts_with("https://") || link.starts_with("http://");
    (is_plain && is_web && link.len() <= 2048).then_some(link)
}

/// `FIRING high: Error rate of …`: the subject of a mail, the first line elsewhere.
pub(crate) fn headline(message: &Message) -> String {
    let word = message.kind.word().to_ascii_uppercase();
    format!("{word} {}: {}", message.severity.name(), line(&message.title, 150))
}

/// Names and values of what a message says, each a line.
pub(crate) fn facts(message: &Message) -> Vec<(String, String)> {
    let mut facts = vec![("rule".to_owned(), line(&message.rule, CHARS_MAX))];
    if let Some(application) = &message.application {
        facts.push(("application".to_owned(), line(application, CHARS_MAX)));
    }
    facts.extend(
        message.numbers().into_iter().map(|(name, number)| (name.to_owned(), line(&number, CHARS_MAX))),
    );
    let labels = message.labels.iter().take(MEMBERS_MAX);
    facts.extend(labels.map(|(name, value)| (line(name, CHARS_MAX), line(value, CHARS_MAX))));
    if let Some(more) = more_than(message.labels.len()) {
        facts.push(("labels".to_owned(), format!("{more} more")));
    }
    facts.push(("started".to_owned(), minute(message.started)));
    facts.extend(message.ended.map(|ended| ("ended".to_owned(), minute(ended))));
    facts
}

/// How many are left out of a list that shows [`MEMBERS_MAX`].
pub(crate) fn more_than(count: usize) -> Option<usize> {
    count.checked_sub(MEMBERS_MAX).filter(|more| *more > 0)
}

/// A message as text for a terminal and for the plain part of a mail.
pub fn describe(message: &Message) -> String {
    let mut out = headline(message);
    out.push('\n');
    let facts = facts(message);
    let width = facts.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0).min(24);
    for (name, value) in &facts {
        let _ = write!(out, "\n  {name:<width$}  {value}");
    }
    if !message.members.is_empty() {
        out.push('\n');
    }
    for member in message.members.iter().take(MEMBERS_MAX) {
        let _ = write!(out, "\n  {}  {}", minute(member.started), headline(&message.of_member(member)));
    }
    if let Some(more) = more_than(message.members.len()) {
        let _ = write!(out, "\n  and {more} more");
    }
    if let Some(link) = link(message) {
        let _ = write!(out, "\n\n{link}");
    }
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::tests::sample;

    #[test]
    fn a_line_is_one_line_and_shows_all_that_is_in_it() {
        for (text, expected) in [
            ("", ""),
            ("plain", "plain"),
            ("a\r\nBcc: x@y", "a Bcc: x@y"),
            ("a\u{2028}b\u{2029}c\u{85}d\u{b}e", "a b c d e"),
            ("  two\t\tspaces  ", "two spaces"),
            ("pay\u{202e}txt.exe\u{202c}", "pay\u{fffd}txt.exe\u{fffd}"),
            ("\u{2066}a\u{2069}\u{200f}\u{61c}", "\u{fffd}a\u{fffd}\u{fffd}\u{fffd}"),
            ("a\0b\u{1b}[31mc\u{7f}", "a\u{fffd}b\u{fffd}[31mc\u{fffd}"),
            ("\u{feff}x\u{200b}y\u{e0041}", "\u{fffd}x\u{fffd}y\u{fffd}"),
            ("grüße 日本", "grüße 日本"),
        ] {
            assert_eq!(line(text, 50), expected, "{text:?}");
        }
        assert_eq!(line("abcdef", 3), "abc…");
        assert_eq!(line("abc", 3), "abc");
        assert_eq!(line(&"\n".repeat(1 << 20), 3), "");
    }

    #[test]
    fn a_chat_is_told_no_mention_no_link_and_no_markup() {
        for (text, expected) in [
            ("<!channel>", "`&lt;!channel&gt;`"),
            ("<!here|x>", "`&lt;!here|x&gt;`"),
            ("<@U024BE7LH>", "`&lt;@\u{200b}U024BE7LH&gt;`"),
            ("@all @everyone @here", "`@\u{200b}all @\u{200b}everyone @\u{200b}here`"),
            ("<https://evil.example|our bank>", "`&lt;https://evil.example|our bank&gt;`"),
            ("[a](https://evil.example) **b** ~~c~~", "`[a](https://evil.example) **b** ~~c~~`"),
            ("``` @all", "`\u{2cb}\u{2cb}\u{2cb} @\u{200b}all`"),
            ("&lt;!channel&gt;", "`&amp;lt;!channel&amp;gt;`"),
            ("a\n# b", "`a # b`"),
            ("\n", ""),
        ] {
            assert_eq!(chat(text), expected, "{text:?}");
        }
    }

    #[test]
    fn html_holds_no_tag_and_no_attribute_of_a_stranger() {
        assert_eq!(
            html("<img src=x onerror='a()'>\"&"),
            "&lt;img src=x onerror=&#39;a()&#39;&gt;&quot;&amp;"
        );
    }

    #[test]
    fn a_link_is_an_address_and_nothing_else() {
        let mut message = sample();
        assert_eq!(link(&message), message.link.as_deref());
        for wrong in
            ["javascript:alert(1)", "https://a b", "https://a\n", "https://a|b>", "https://a\"x", "//a", ""]
        {
            message.link = Some(wrong.to_owned());
            assert_eq!(link(&message), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_terminal_is_told_all_facts_and_no_escape() {
        insta::assert_snapshot!(describe(&sample()), @r#"
        FIRING high: Error rate of /api/* is 12.5 %

          rule         error-rate
          application  shop
          value        12.5 %
          threshold    5 %
          path         /api/*
          started      2026-11-29 15:55:00 UTC

        https://stats.example.com/alerts/19
        "#);
        let mut message = sample();
        message.title = "\u{1b}]0;owned\u{7}\u{202e}".into();
        message.labels = (0..30).map(|n| (format!("l{n:02}\n"), "\u{1b}[2J".to_owned())).collect();
        let text = describe(&message);
        assert!(text.chars().all(|c| c == '\n' || !(c.is_control() || is_unseen(c))), "{text:?}");
        assert!(text.contains("labels       10 more"), "{text}");
    }
}
