//! The output for people: tables, JSON, and text from outside made harmless.

use std::borrow::Cow;
use std::fmt::Write as _;

use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};
use serde::Serialize;

use super::Out;

/// Makes text from outside safe for a terminal. Control and escape characters, and characters that change the writing
/// direction, are shown as `\x1b`, `\u{202e}`.
pub fn safe(text: &str) -> Cow<'_, str> {
    if !text.contains(harmful) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if harmful(c) && c <= '\u{ff}' => {
                let _ = write!(out, "\\x{:02x}", u32::from(c));
            }
            c if harmful(c) => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

fn harmful(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// Writes a value as JSON on one line, safe for a terminal: escapes also the characters that JSON would not escape.
///
/// # Errors
/// The output is closed.
pub fn json(out: Out<'_>, value: &impl Serialize) -> anyhow::Result<()> {
    writeln!(out, "{}", safe_json(&serde_json::to_string(value)?))?;
    Ok(())
}

/// Makes JSON on one line safe for a terminal.
pub fn safe_json(text: &str) -> Cow<'_, str> {
    if !text.contains(harmful) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if harmful(c) {
            // only inside strings; all of them are in the Basic Multilingual Plane
            let _ = write!(escaped, "\\u{:04x}", u32::from(c));
        } else {
            escaped.push(c);
        }
    }
    Cow::Owned(escaped)
}

/// A table with these columns. The names of numeric columns begin with `>`.
pub struct Rows {
    table: Table,
    right: Vec<bool>,
}

impl Rows {
    /// An empty table.
    pub fn new(header: &[&str]) -> Rows {
        let mut table = Table::new();
        table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        let right: Vec<bool> = header.iter().map(|name| name.starts_with('>')).collect();
        let mut rows = Rows { table, right };
        let header: Vec<Cell> =
            header.iter().enumerate().map(|(i, name)| rows.cell(i, name.trim_start_matches('>'))).collect();
        rows.table.set_header(header);
        rows
    }

    /// Adds a row.
    pub fn add(&mut self, cells: &[String]) {
        let cells: Vec<Cell> = cells.iter().enumerate().map(|(i, text)| self.cell(i, text)).collect();
        self.table.add_row(cells);
    }

    fn cell(&self, column: usize, text: &str) -> Cell {
        let right = self.right.get(column).copied().unwrap_or(false);
        Cell::new(safe(text)).set_alignment(if right { CellAlignment::Right } else { CellAlignment::Left })
    }

    /// Writes the table.
    ///
    /// # Errors
    /// The output is closed.
    pub fn print(&self, out: Out<'_>) -> anyhow::Result<()> {
        for line in self.table.to_string().split('\n') {
            // every cell has a space on either side
            writeln!(out, "{}", line.strip_prefix(' ').unwrap_or(line).trim_end())?;
        }
        Ok(())
    }
}

/// The number of characters of a line for people.
pub const WIDTH: usize = 100;

/// Writes parts with `between` after each but the last, in lines of at most [`WIDTH`] characters that begin with
/// `indent`; a part that is longer stands alone. Lines after the first are indented by two more.
///
/// # Errors
/// The output is closed.
pub fn wrapped(indent: &str, parts: &[String], between: &str, out: Out<'_>) -> anyhow::Result<()> {
    let mut line = indent.to_owned();
    let mut is_begun = false;
    for (i, part) in parts.iter().enumerate() {
        let end = if i + 1 < parts.len() { between } else { "" };
        let part = format!("{}{end}", safe(part));
        if is_begun && line.chars().count() + part.trim_end().chars().count() > WIDTH {
            writeln!(out, "{}", line.trim_end())?;
            line = format!("{indent}  ");
        }
        line.push_str(&part);
        is_begun = true;
    }
    writeln!(out, "{}", line.trim_end())?;
    Ok(())
}

/// A number with thousands separators: `1,234,567`.
pub fn number(n: i64) -> String {
    let digits = n.unsigned_abs().to_string();
    let mut out = String::from(if n < 0 { "-" } else { "" });
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_outside_is_harmless() {
        let cases = [
            ("plain, ünïcode 日本", "plain, ünïcode 日本"),
            ("\x1b[2J\x07", "\\x1b[2J\\x07"),
            ("a\nb\rc\td", "a\\nb\\rc\\td"),
            ("\u{9b}31m\u{7f}", "\\x9b31m\\x7f"),
            ("\u{202e}gpj.exe\u{200b}", "\\u{202e}gpj.exe\\u{200b}"),
        ];
        for (text, expected) in cases {
            assert_eq!(safe(text), expected);
        }
    }

    #[test]
    fn json_is_harmless_too_and_says_the_same() {
        let text = "\x1b[2J \u{9b}31m \u{202e} \" \\ ü";
        let mut out = Vec::new();
        json(&mut out, &text).unwrap();
        let written = String::from_utf8(out).unwrap();
        assert!(!written.trim_end().contains(harmful), "{written:?}");
        assert_eq!(serde_json::from_str::<String>(&written).unwrap(), text);
    }

    #[test]
    fn a_table_is_aligned() {
        let mut rows = Rows::new(&["name", ">rows"]);
        rows.add(&["a\x1b".to_owned(), number(1_234_567)]);
        rows.add(&["bcdefghijk".to_owned(), number(-12)]);
        let mut out = Vec::new();
        rows.print(&mut out).unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap(), @r"
        name             rows
        a\x1b       1,234,567
        bcdefghijk        -12
        ");
    }
}
