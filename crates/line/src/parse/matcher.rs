//! Matches a line against a format: finds the values of its variables by the literals between them.
//!
//! A variable ends where the literal after it begins, at the first place with which the rest of the line matches. The
//! search backtracks. Its work is bounded in proportion to the line's length; a line that takes more does not match.

use memchr::memmem::Finder;

use super::role::Role;
use super::syslog;

/// A variable, and how its end is found.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) variable: Box<str>,
    pub(super) role: Role,
    /// A quote is before the value.
    pub(super) quoted: bool,
    pub(super) end: End,
}

impl Step {
    /// Whether the value may end `length` bytes after the beginning of `rest`, before its `literal`.
    fn may_end(&self, literal: &[u8], rest: &[u8], length: usize) -> bool {
        match literal {
            // A list could contain this literal itself.
            [b' ', b':', ..] => true,
            [b' ', ..] => self.role.may_end(rest, length),
            // `[2001:db8::1]` does not end within its brackets.
            [b':', ..] => !rest.starts_with(b"[") || rest[..length].contains(&b']'),
            _ => true,
        }
    }
}

/// How the end of a variable is found.
#[derive(Debug)]
pub(super) enum End {
    /// Where this literal begins.
    Literal(Box<Finder<'static>>),
    /// After this many bytes.
    Fixed(usize),
    /// Before a `/`, with which the next variable begins.
    Slash,
    /// At the end of the line.
    Line,
}

/// Finds the values of the variables of `steps` in `line`, from `start` to its end; false if the line does not match.
/// If not `typed`, times, ids and statuses match whatever they look like.
pub(super) fn find_values<'a>(
    steps: &[Step],
    line: &'a [u8],
    start: usize,
    quotes_escaped: bool,
    typed: bool,
    values: &mut [&'a [u8]],
) -> bool {
    let bytes_left = 16 * line.len() + 4096;
    let padding = syslog::padding(line);
    Matcher { steps, line, quotes_escaped, typed, padding, bytes_left }.from(0, start, values) == Match::Found
}

/// Looks for the ends of the variables in one line.
struct Matcher<'t, 'a> {
    steps: &'t [Step],
    line: &'a [u8],
    /// A quote in a value is escaped by a backslash.
    quotes_escaped: bool,
    /// Values with a reason of their own to reject the line must look like what they are, too.
    typed: bool,
    /// The place of a space that belongs to the one before it.
    padding: Option<usize>,
    /// How many more bytes may be looked at, so that no line takes long.
    bytes_left: usize,
}

/// Whether the rest of a line matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Match {
    Found,
    /// Not from here; perhaps if an earlier variable is longer.
    Blocked,
    /// Never: a literal is missing in the whole rest of the line, or the search takes too long.
    Never,
}

impl<'a> Matcher<'_, 'a> {
    /// Matches the rest of the line, from `start` on, against the steps from number `at` on.
    fn from(&mut self, at: usize, start: usize, values: &mut [&'a [u8]]) -> Match {
        let Some(step) = self.steps.get(at) else {
            return if start == self.line.len() { Match::Found } else { Match::Blocked };
        };
        let finder = match &step.end {
            End::Literal(finder) => finder,
            End::Line => return self.take(at, start, self.line.len(), 0, values),
            End::Fixed(length) => return self.take(at, start, start + length, 0, values),
            End::Slash => match memchr::memchr(b'/', &self.line[start..]) {
                Some(found) => return self.take(at, start, start + found, 0, values),
                None => return Match::Never,
            },
        };
        let literal = finder.needle();
        let is_last = at + 1 == self.steps.len();
        let closing = self.quotes_escaped && literal.starts_with(b"\"");
        let mut from = start;
        loop {
            let found = if is_last {
                // The last literal ends the line.
                self.line
                    .len()
                    .checked_sub(literal.len())
                    .filter(|&end| end >= from && self.line.ends_with(literal))
            } else {
                finder.find(&self.line[from..]).map(|found| from + found)
            };
            // If it was found before, an earlier variable may have taken too little.
            let Some(end) = found else { return if from == start { Match::Never } else { Match::Blocked } };
            // The bytes that were searched, and that `fits` may look at.
            let cost = end - start + 1;
            if cost > self.bytes_left {
                return Match::Never;
            }
            self.bytes_left -= cost;
            let value = &self.line[start..end];
            if closing && step.quoted && has_bare_quote(value) {
                return Match::Blocked;
            }
            let goes_on = closing && is_escaped(value)
                || literal == b" " && self.padding == Some(end)
                || !step.may_end(literal, &self.line[start..], value.len());
            if !goes_on {
                match self.take(at, start, end, literal.len(), values) {
                    Match::Blocked => {}
                    found => return found,
                }
            }
            if is_last {
                return Match::Blocked;
            }
            from = end + 1;
        }
    }

    /// Takes the bytes from `start` to `end` as the value of step number `at`, and goes on `skip` bytes later.
    fn take(&mut self, at: usize, start: usize, end: usize, skip: usize, values: &mut [&'a [u8]]) -> Match {
        let Some(value) = self.line.get(start..end) else { return Match::Never };
        let role = self.steps[at].role;
        if (self.typed || !role.has_reason()) && !role.fits(value) {
            return Match::Blocked;
        }
        values[at] = value;
        let next = end + skip;
        self.from(at + 1, if skip > 0 && self.padding == Some(next) { next + 1 } else { next }, values)
    }
}

/// Whether the byte after `before` is escaped: `before` ends with an odd number of backslashes.
fn is_escaped(before: &[u8]) -> bool {
    before.iter().rev().take_while(|b| **b == b'\\').count() % 2 == 1
}

/// Whether `value` contains a quote that is not escaped.
fn has_bare_quote(value: &[u8]) -> bool {
    memchr::memchr_iter(b'"', value).any(|quote| !is_escaped(&value[..quote]))
}
