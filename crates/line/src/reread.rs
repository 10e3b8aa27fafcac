//! Reading a file again, beside its checkpoint: for rows that are missing, and to process rejects again.
//!
//! The rejects of a file are in `rejected_lines` as spans of adjacent lines. A line of a span that is read again leaves
//! the span, and the file's counts change by what the line becomes; those of all other lines stay. Invariant: `ledger`
//! has the changes of the counts of the file's checkpoint, so that the counts still add up.

use std::collections::VecDeque;

use super::hit::Reason;

/// A span of `rejected_lines`: adjacent lines of a file that were rejected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OldSpan {
    /// Offset of the first line.
    pub offset: u64,
    /// Bytes of all lines, newlines included.
    pub bytes: u64,
    /// How many lines.
    pub lines: u32,
    /// Why they were rejected.
    pub reason: Reason,
    /// More of why.
    pub detail: Option<String>,
}

impl OldSpan {
    /// Offset of the end of its last line.
    pub fn end(&self) -> u64 {
        self.offset + self.bytes
    }
}

/// A span of which lines were read again: as it is in `rejected_lines`, and what is left of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsedSpan {
    /// Its offset in `rejected_lines`.
    pub offset: u64,
    /// Its bytes in `rejected_lines`.
    pub bytes: u64,
    /// How many bytes at its beginning were read again.
    pub bytes_read: u64,
    /// How many lines after these stay; 0 if the whole span was read.
    pub lines_left: u32,
}

/// Which lines are processed beside a checkpoint.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Among {
    /// All.
    #[default]
    Lines,
    /// Those in the spans; other pieces of the same lines are passed over.
    Rejects,
    /// The same, and `rejected_lines` has the only copy of these lines.
    Copies,
}

/// How the counts of a file's checkpoint change, except the count of rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ledger {
    /// Lines that leave `rejected_lines`.
    pub gone: u64,
    /// How many of these are non-hits now.
    pub non_hits: u64,
    /// How many are rejects again.
    pub rejects: u64,
    /// How many are already loaded.
    pub already_loaded: u64,
}

/// What a section needs that reads a file again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reread {
    among: Among,
    /// Spans that do not end before the present line, ascending.
    ahead: VecDeque<OldSpan>,
    /// How many bytes and lines of the first of them were read.
    read: (u64, u32),
    /// Spans of which lines were read.
    pub used: Vec<UsedSpan>,
    /// How the counts change.
    pub ledger: Ledger,
}

impl Reread {
    /// Begins with these spans ahead, ascending.
    pub fn new(among: Among, ahead: VecDeque<OldSpan>) -> Reread {
        Reread { among, ahead, ..Reread::default() }
    }

    /// Whether a line is passed over.
    pub fn passes_over(&self, was_reject: bool) -> bool {
        !was_reject && self.among != Among::Lines
    }

    /// Notes a line, or a piece of one, and returns whether it was a reject. Lines must come in order.
    pub fn meet(&mut self, offset: u64, span: u64) -> bool {
        while self.ahead.front().is_some_and(|old| old.end() <= offset) {
            self.use_first();
            self.ahead.pop_front();
        }
        let Some(old) = self.ahead.front().filter(|old| old.offset <= offset) else { return false };
        self.read = ((offset + span).min(old.end()) - old.offset, self.read.1.saturating_add(1));
        true
    }

    /// Whether the last line, which is rejected again for this reason, is a whole span with the same reason and detail.
    /// If so, the span is left as it is, with its bytes.
    pub fn leaves(&mut self, reason: Reason, detail: Option<&str>) -> bool {
        let is_same = self.ahead.front().is_some_and(|old| {
            let is_whole = old.lines == 1 && self.read == (old.bytes, 1);
            is_whole && old.reason == reason && old.detail.as_deref() == detail
        });
        if is_same {
            self.read = (0, 0);
        }
        is_same
    }

    /// Whether a line that is rejected again has to keep its bytes, whatever their number.
    pub fn keeps_bytes(&self) -> bool {
        self.among == Among::Copies
    }

    /// Offset of the first span that ends after `offset`.
    pub fn next(&self, offset: u64) -> Option<u64> {
        self.ahead.iter().find(|old| old.end() > offset).map(|old| old.offset)
    }

    /// Why the last line had been rejected.
    pub fn met(&self) -> Option<(Reason, Option<String>)> {
        self.ahead.front().map(|old| (old.reason, old.detail.clone()))
    }

    /// Ends the section. Returns the spans ahead, with the rest of a span in which the section ends.
    pub fn close(&mut self) -> VecDeque<OldSpan> {
        let rest = self.use_first();
        let mut ahead = std::mem::take(&mut self.ahead);
        if let Some((bytes, lines)) = rest
            && let Some(mut old) = ahead.pop_front()
            && lines > 0
        {
            old.offset += bytes;
            old.bytes -= bytes;
            old.lines = lines;
            ahead.push_front(old);
        }
        ahead
    }

    /// Notes what was read of the first span ahead. Returns how many bytes were read and how many lines are left, if
    /// anything was read.
    fn use_first(&mut self) -> Option<(u64, u32)> {
        let (bytes, lines) = std::mem::take(&mut self.read);
        let old = self.ahead.front()?;
        if bytes == 0 {
            return None;
        }
        // The lines may have been cut otherwise when they were rejected; while bytes are left, a line is.
        let lines_left = if bytes == old.bytes { 0 } else { old.lines.saturating_sub(lines).max(1) };
        self.ledger.gone += u64::from(old.lines.saturating_sub(lines_left));
        self.used.push(UsedSpan { offset: old.offset, bytes: old.bytes, bytes_read: bytes, lines_left });
        Some((bytes, lines_left))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn old(offset: u64, bytes: u64, lines: u32) -> OldSpan {
        OldSpan { offset, bytes, lines, reason: Reason::UnknownApp, detail: None }
    }

    /// Notes lines of ten bytes at these offsets; checks which were rejects, then the used spans and those ahead.
    fn check(
        spans: &[OldSpan],
        lines: &[u64],
        rejects: &[u64],
        used: &[(u64, u64, u32)],
        ahead: &[(u64, u64, u32)],
    ) {
        let mut reread = Reread::new(Among::Lines, spans.iter().cloned().collect());
        let met: Vec<u64> = lines.iter().copied().filter(|&at| reread.meet(at, 10)).collect();
        assert_eq!(met, rejects);
        let left = reread.close();
        let shown: Vec<_> = reread.used.iter().map(|u| (u.offset, u.bytes_read, u.lines_left)).collect();
        assert_eq!(shown, used);
        assert_eq!(left.iter().map(|s| (s.offset, s.bytes, s.lines)).collect::<Vec<_>>(), ahead);
        let lines = |spans: &mut dyn Iterator<Item = u32>| spans.map(u64::from).sum::<u64>();
        let before = lines(&mut spans.iter().map(|s| s.lines));
        let untouched = lines(&mut left.iter().map(|s| s.lines));
        let passed = spans.iter().filter(|s| !used.iter().any(|u| u.0 == s.offset));
        let passed = lines(&mut passed.filter(|s| !left.contains(s)).map(|s| s.lines));
        assert_eq!(reread.ledger.gone, before - untouched - passed);
    }

    #[test]
    fn lines_leave_the_spans_that_they_stand_in() {
        let spans = [old(10, 20, 2), old(50, 10, 1), old(90, 30, 3)];
        check(&spans, &[], &[], &[], &[(10, 20, 2), (50, 10, 1), (90, 30, 3)]);
        check(&spans, &[0], &[], &[], &[(10, 20, 2), (50, 10, 1), (90, 30, 3)]);
        check(&spans, &[0, 10], &[10], &[(10, 10, 1)], &[(20, 10, 1), (50, 10, 1), (90, 30, 3)]);
        check(&spans, &[10, 20, 30, 50], &[10, 20, 50], &[(10, 20, 0), (50, 10, 0)], &[(90, 30, 3)]);
        check(&spans, &[100, 110], &[100, 110], &[(90, 30, 0)], &[]);
    }

    #[test]
    fn a_span_that_stays_what_it_was_is_not_used() {
        let mut reread = Reread::new(Among::Rejects, [old(0, 10, 1), old(10, 20, 2), old(40, 10, 1)].into());
        assert!(
            reread.meet(0, 10)
                && !reread.leaves(Reason::Torn, None)
                && reread.leaves(Reason::UnknownApp, None)
        );
        // One of several lines: what the others become is not known yet.
        assert!(reread.meet(10, 10) && !reread.leaves(Reason::UnknownApp, None));
        assert!(reread.meet(20, 10) && !reread.leaves(Reason::UnknownApp, None));
        assert!(reread.meet(40, 10) && reread.leaves(Reason::UnknownApp, None));
        reread.close();
        assert_eq!(reread.used.iter().map(|u| u.offset).collect::<Vec<_>>(), [10]);
        assert_eq!(reread.ledger.gone, 2);
    }

    #[test]
    fn a_line_that_counts_as_several_now_leaves_nothing_behind_or_something_for_what_is_left() {
        // Three pieces where one line was rejected.
        let mut reread = Reread::new(Among::Lines, [old(0, 30, 1)].into());
        assert!(reread.meet(0, 10) && reread.meet(10, 10));
        let ahead = reread.close();
        assert_eq!((ahead[0].offset, ahead[0].bytes, ahead[0].lines), (20, 10, 1));
        assert_eq!(reread.ledger.gone, 0);
        let mut reread = Reread::new(Among::Lines, ahead);
        assert!(reread.meet(20, 50));
        assert!(reread.close().is_empty());
        assert_eq!(reread.ledger.gone, 1);
        assert_eq!(reread.used, [UsedSpan { offset: 20, bytes: 10, bytes_read: 10, lines_left: 0 }]);
    }
}
