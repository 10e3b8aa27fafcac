//! Cutting a line where a format's literals stand.
//!
//! A variable ends where the literal after it begins, at the first place that lets the rest of the line match.
//! The search goes back where it must, and the work is bounded by the line's length: a line that takes more
//! is not cut.

use memchr::memmem::Finder;

use super::role::Role;

/// A variable and how its end is found.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) variable: Box<str>,
    pub(super) role: Role,
    /// A quote stands before the value.
    pub(super) quoted: bool,
    pub(super) end: End,
}

/// How the end of a variable is found.
#[derive(Debug)]
pub(super) enum End {
    /// Where this literal begins.
    Literal(Box<Finder<'static>>),
    /// After so many bytes.
    Fixed(usize),
    /// Before a `/`, with which the next variable begins.
    Slash,
    /// With the line.
    Line,
}

/// Cuts `line` from `start` to its end into the values of the variables of `steps`; false where that can't be
/// done. Where not `typed`, times, ids and statuses need not look like such.
pub(super) fn cut<'a>(
    steps: &[Step],
    line: &'a [u8],
    start: usize,
    quotes_escaped: bool,
    typed: bool,
    values: &mut [&'a [u8]],
) -> bool {
    let bytes_left = 16 * line.len() + 4096;
    Cutter { steps, line, quotes_escaped, typed, bytes_left }.from(0, start, values) == Way::Found
}

/// Looks for the ends of the variables in one line.
struct Cutter<'t, 'a> {
    steps: &'t [Step],
    line: &'a [u8],
    /// A quote in a value is escaped by a backslash.
    quotes_escaped: bool,
    /// Values must look like what they are also where a reject of their own would say that they don't.
    typed: bool,
    /// Bytes that may yet be looked at, so that no line takes long.
    bytes_left: usize,
}

/// Whether the rest of a line can be cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Found,
    /// Not from here; perhaps if an earlier variable is longer.
    Blocked,
    /// Not at all: a literal is missing in all that is left of the line, or the search has gone on too long.
    None,
}

impl<'a> Cutter<'_, 'a> {
    /// Cuts what is left at `start` among the steps from number `at` on.
    fn from(&mut self, at: usize, start: usize, values: &mut [&'a [u8]]) -> Way {
        let Some(step) = self.steps.get(at) else {
            return if start == self.line.len() { Way::Found } else { Way::Blocked };
        };
        let finder = match &step.end {
            End::Literal(finder) => finder,
            End::Line => return self.take(at, start, self.line.len(), 0, values),
            End::Fixed(length) => return self.take(at, start, start + length, 0, values),
            End::Slash => match memchr::memchr(b'/', &self.line[start..]) {
                Some(found) => return self.take(at, start, start + found, 0, values),
                None => return Way::None,
            },
        };
        let literal = finder.needle();
        let is_last = at + 1 == self.steps.len();
        let closing = self.quotes_escaped && literal.starts_with(b"\"");
        let mut from = start;
        loop {
            let found = if is_last {
                // Only the line's end will do.
                self.line
                    .len()
                    .checked_sub(literal.len())
                    .filter(|&end| end >= from && self.line.ends_with(literal))
            } else {
                finder.find(&self.line[from..]).map(|found| from + found)
            };
            let Some(end) = found else { return Way::None };
            // What was searched and what may be looked at to see whether it fits.
            let cost = end - start + 1;
            if cost > self.bytes_left {
                return Way::None;
            }
            self.bytes_left -= cost;
            if closing && step.quoted && has_bare_quote(&self.line[start..end]) {
                return Way::Blocked;
            }
            if !(closing && is_escaped(&self.line[start..end])) {
                match self.take(at, start, end, literal.len(), values) {
                    Way::Blocked => {}
                    way => return way,
                }
            }
            if is_last {
                return Way::Blocked;
            }
            from = end + 1;
        }
    }

    /// Gives the bytes from `start` to `end` to step number `at`, and goes on after `skip` more.
    fn take(&mut self, at: usize, start: usize, end: usize, skip: usize, values: &mut [&'a [u8]]) -> Way {
        let Some(value) = self.line.get(start..end) else { return Way::None };
        let role = self.steps[at].role;
        if (self.typed || !role.has_reason()) && !role.fits(value) {
            return Way::Blocked;
        }
        values[at] = value;
        self.from(at + 1, end + skip, values)
    }
}

/// Whether what follows `before` is escaped: an odd number of backslashes stands at its end.
fn is_escaped(before: &[u8]) -> bool {
    before.iter().rev().take_while(|b| **b == b'\\').count() % 2 == 1
}

/// Whether a quote in `value` is not escaped.
fn has_bare_quote(value: &[u8]) -> bool {
    memchr::memchr_iter(b'"', value).any(|quote| !is_escaped(&value[..quote]))
}
