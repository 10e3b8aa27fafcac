//! Bytes to lines with absolute offsets.
//!
//! A rolling buffer over one file or stream: the caller reads bytes into [`Lines::room`], says how many were read, and
//! takes whole lines. Invariant: `offset` is the position, in the uncompressed file, of the first byte that was not
//! handed out. Lines and offsets do not depend on the sizes of the reads.

/// The longest line that is parsed, in bytes without its newline. A longer line is a reject `too_long`.
pub const LINE_BYTES_MAX: usize = 256 * 1024;

/// Bytes that one read asks for.
const READ_BYTES: usize = 256 * 1024;

/// Bytes of an over-long line that are kept, for `rejected_lines`.
const TOO_LONG_HEAD_BYTES: usize = 2048;

/// An over-long line is handed out as soon as this much of it was read, where that is asked for. The rest of it then
/// belongs to no line.
const HANDED_OUT_BYTES: u64 = 64 * 1024 * 1024;

/// Bytes before the next line that are kept at least, for the proof of a checkpoint.
pub const KEPT_BYTES: usize = 4096;

/// A line: its bytes without the newline, and where it is in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// Offset of its first byte in the uncompressed file.
    pub offset: u64,
    /// Its bytes in the file, newline included.
    pub span: u64,
    /// Its bytes; if it is `too_long`, only their beginning.
    pub bytes: &'a [u8],
    /// Longer than [`LINE_BYTES_MAX`].
    pub too_long: bool,
}

/// The rolling buffer.
#[derive(Debug, Default)]
pub struct Lines {
    buffer: Vec<u8>,
    /// The first byte that was not handed out.
    start: usize,
    /// No newline is between `start` and here; the search for one goes on here.
    searched: usize,
    /// End of the bytes read.
    end: usize,
    /// Absolute offset of `buffer[start]`.
    offset: u64,
    /// Bytes of the present line that were dropped because it is over-long; its beginning stays in the buffer.
    thrown_away: u64,
    /// `buffer[contiguous..start]` are the bytes right before `offset` in the file.
    contiguous: usize,
    /// Bytes of the last line that was handed out, newline included.
    last_span: u64,
    /// Over-long lines are handed out before their ends.
    is_stepwise: bool,
    /// `offset` lies within an over-long line that was handed out.
    is_within: bool,
}

impl Lines {
    /// Begins at `offset`, which must be the start of a line. `before` are the bytes right before it in the file:
    /// [`KEPT_BYTES`], or all that there are. With fewer, the proof of the next checkpoint covers fewer.
    pub fn after(before: Vec<u8>, offset: u64) -> Self {
        let start = before.len();
        Lines { buffer: before, start, searched: start, end: start, offset, ..Lines::default() }
    }

    /// Offset of the first byte that was not handed out.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Offset at which the next read has to begin.
    pub fn read_offset(&self) -> u64 {
        self.offset + (self.end - self.start) as u64 + self.thrown_away
    }

    /// Hands out an over-long line before its end, so that reading one takes bounded steps. The caller then has to ask
    /// [`Lines::is_within`] before each line.
    #[must_use]
    pub fn stepwise(self) -> Lines {
        Lines { is_stepwise: true, ..self }
    }

    /// Whether the next bytes are the rest of an over-long line that was handed out: [`Lines::pass_rest`] comes next.
    pub fn is_within(&self) -> bool {
        self.is_within
    }

    /// Declares that the next bytes are the rest of such a line.
    pub fn begin_within(&mut self) {
        self.is_within = true;
    }

    /// Passes over the rest of an over-long line, as far as it was read. Returns whether there was any.
    pub fn pass_rest(&mut self) -> bool {
        let newline = memchr::memchr(b'\n', &self.buffer[self.start..self.end]);
        self.is_within = newline.is_none();
        let to = newline.map_or(self.end, |at| self.start + at + 1);
        let passed = (to - self.start) as u64;
        (self.start, self.searched) = (to, to);
        self.offset += passed;
        passed > 0
    }

    /// Whether the bytes that were read belong to an over-long line, so that [`Lines::pass_zeros`] may follow.
    pub fn is_over_long(&self) -> bool {
        self.is_within || self.thrown_away > 0 || self.end - self.start > LINE_BYTES_MAX
    }

    /// Takes so many zeros as read, at least [`KEPT_BYTES`], within an over-long line.
    pub fn pass_zeros(&mut self, bytes: u64) {
        self.room();
        self.buffer[self.end..self.end + KEPT_BYTES].fill(0);
        if self.is_within {
            // The rest of a line: nothing of it is kept but the last bytes, for the proof.
            self.buffer.copy_within(self.end..self.end + KEPT_BYTES, 0);
            self.offset += (self.end - self.start) as u64 + bytes;
            (self.start, self.searched, self.end) = (KEPT_BYTES, KEPT_BYTES, KEPT_BYTES);
            self.contiguous = 0;
        } else {
            let kept = self.start + TOO_LONG_HEAD_BYTES;
            self.thrown_away += (self.end - kept) as u64 + bytes - KEPT_BYTES as u64;
            self.buffer.copy_within(self.end..self.end + KEPT_BYTES, kept);
            self.end = kept + KEPT_BYTES;
            self.searched = self.end;
        }
    }

    /// Room for the next read, at least one byte. The caller must have taken all whole lines before.
    pub fn room(&mut self) -> &mut [u8] {
        if self.buffer.len() < self.end + READ_BYTES {
            self.drop_front(self.droppable());
        }
        if self.end - self.start > LINE_BYTES_MAX {
            // The line is too long, whatever follows: keep its beginning, and the last bytes for the proof.
            let kept = self.start + TOO_LONG_HEAD_BYTES;
            let last = self.end - KEPT_BYTES;
            self.buffer.copy_within(last..self.end, kept);
            self.thrown_away += (last - kept) as u64;
            self.end = kept + KEPT_BYTES;
            self.searched = self.end;
        }
        if self.buffer.len() < self.end + READ_BYTES {
            // It grows to the longest line so far and one read; for ordinary files this is little more than a read.
            self.buffer.resize(self.end + READ_BYTES, 0);
        }
        &mut self.buffer[self.end..self.end + READ_BYTES]
    }

    /// The last bytes that were read, right before the next read; at most `bytes`.
    pub fn read_last(&self, bytes: usize) -> &[u8] {
        let contiguous =
            if self.thrown_away > 0 { self.start + TOO_LONG_HEAD_BYTES } else { self.contiguous };
        &self.buffer[self.end.saturating_sub(bytes).max(contiguous)..self.end]
    }

    /// Takes the first `n` bytes of [`Lines::room`] as read.
    pub fn filled(&mut self, n: usize) {
        self.end += n;
        debug_assert!(self.end <= self.buffer.len());
    }

    /// The next whole line, if the buffer has one.
    pub fn next_line(&mut self) -> Option<Line<'_>> {
        match memchr::memchr(b'\n', &self.buffer[self.searched..self.end]) {
            Some(at) => Some(self.take(self.searched + at, 1)),
            None => {
                self.searched = self.end;
                self.begins_far_back().then(|| {
                    self.is_within = true;
                    self.take(self.end, 0)
                })
            }
        }
    }

    /// Whether [`Lines::next_line`] would return a line.
    pub fn has_line(&mut self) -> bool {
        match memchr::memchr(b'\n', &self.buffer[self.searched..self.end]) {
            Some(at) => {
                self.searched += at;
                true
            }
            None => {
                self.searched = self.end;
                self.begins_far_back()
            }
        }
    }

    /// Whether the present line is handed out before its end.
    fn begins_far_back(&self) -> bool {
        self.is_stepwise && self.thrown_away >= HANDED_OUT_BYTES
    }

    /// Frees the buffer, except the bytes that were not handed out and those that [`Lines::tail`] needs.
    pub fn shrink(&mut self) {
        self.drop_front(self.droppable());
        self.buffer.truncate(self.end);
        self.buffer.shrink_to_fit();
    }

    /// How many bytes at the buffer's beginning nobody will ask for.
    fn droppable(&self) -> usize {
        let last = usize::try_from(self.last_span).unwrap_or(usize::MAX).min(LINE_BYTES_MAX);
        self.start.saturating_sub(last.max(KEPT_BYTES))
    }

    fn drop_front(&mut self, drop: usize) {
        if drop == 0 {
            return; // else a line that arrives in many reads would be copied at each of them
        }
        self.buffer.copy_within(drop..self.end, 0);
        self.start -= drop;
        self.searched -= drop;
        self.end -= drop;
        self.contiguous = self.contiguous.saturating_sub(drop);
    }

    /// The last line of a file that will not grow, if it has no newline. Call it when `next_line` returns `None`.
    pub fn last_line(&mut self) -> Option<Line<'_>> {
        (self.end > self.start).then(|| self.take(self.end, 0))
    }

    /// The bytes right before the next line in the file: at most `bytes`, and fewer if the buffer has fewer. It has at
    /// least [`KEPT_BYTES`], and the last line unless that was too long.
    pub fn tail(&self, bytes: usize) -> &[u8] {
        let from = self.start.saturating_sub(bytes).max(self.contiguous);
        &self.buffer[from..self.start]
    }

    /// Bytes of the last line that was handed out, newline included; 0 before the first.
    pub fn last_span(&self) -> u64 {
        self.last_span
    }

    fn take(&mut self, stop: usize, newline: usize) -> Line<'_> {
        let (start, offset) = (self.start, self.offset);
        let span = (stop + newline - start) as u64 + self.thrown_away;
        let length = span - newline as u64;
        let too_long = length > LINE_BYTES_MAX as u64;
        if self.thrown_away > 0 {
            self.contiguous = start + TOO_LONG_HEAD_BYTES;
            self.thrown_away = 0;
        }
        self.start = stop + newline;
        self.searched = self.start;
        self.offset += span;
        self.last_span = span;
        let stop = if too_long { stop.min(start + TOO_LONG_HEAD_BYTES) } else { stop };
        Line { offset, span, bytes: &self.buffer[start..stop], too_long }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Feeds `bytes` in chunks of the given sizes (cycled) and returns (offset, span, bytes, too_long).
    fn cut(bytes: &[u8], sizes: &[usize]) -> Vec<(u64, u64, Vec<u8>, bool)> {
        let mut lines = Lines::after(b"before\n".to_vec(), 7);
        let (mut at, mut out, mut turn) = (0, Vec::new(), 0);
        let own = |l: Line<'_>| (l.offset, l.span, l.bytes.to_vec(), l.too_long);
        while at < bytes.len() {
            assert_eq!(lines.read_offset(), 7 + at as u64);
            let room = lines.room();
            let n = sizes[turn % sizes.len()].min(bytes.len() - at).min(room.len());
            room[..n].copy_from_slice(&bytes[at..at + n]);
            lines.filled(n);
            at += n;
            turn += 1;
            while let Some(line) = lines.next_line() {
                out.push(own(line));
            }
        }
        out.extend(lines.last_line().map(own));
        out
    }

    proptest! {
        #[test]
        fn any_chunking_gives_the_same_lines(text in "[a\n]{0,200}", sizes in prop::collection::vec(1usize..50, 1..5)) {
            let lines = cut(text.as_bytes(), &sizes);
            prop_assert_eq!(&lines, &cut(text.as_bytes(), &[1000]));
            let mut next = 7;
            let mut glued = Vec::new();
            for (offset, span, bytes, too_long) in lines {
                prop_assert_eq!(offset, next);
                prop_assert!(!too_long);
                next += span;
                glued.extend_from_slice(&bytes);
                if span > bytes.len() as u64 { glued.push(b'\n'); }
            }
            prop_assert_eq!(glued, text.as_bytes());
        }
    }

    #[test]
    fn the_tail_is_the_bytes_before_the_next_line() {
        let text: Vec<u8> = (0u32..200_000).flat_map(|i| format!("line {i}\n").into_bytes()).collect();
        let text = [text, vec![b'z'; 700_000], b"\nlast\n".to_vec()].concat();
        let too_long = text.iter().position(|b| *b == b'z').unwrap();
        // Also if an over-long line ends with the first byte of a read, and if reading begins within one.
        for (begin, size) in
            [(0, 4999), (too_long, 4999), (too_long + 700_000 - 9 * 4999, 4999), (0, READ_BYTES)]
        {
            let mut lines =
                Lines::after(text[begin.saturating_sub(KEPT_BYTES)..begin].to_vec(), begin as u64);
            let mut at = begin;
            while at < text.len() {
                let room = lines.room();
                let n = size.min(text.len() - at).min(room.len());
                room[..n].copy_from_slice(&text[at..at + n]);
                lines.filled(n);
                at += n;
                while lines.next_line().is_some() {}
                let next = usize::try_from(lines.offset()).unwrap();
                for wanted in [0, 1, 9, KEPT_BYTES] {
                    let tail = lines.tail(wanted);
                    assert_eq!(tail, &text[next - wanted.min(next)..next]);
                    let last = lines.read_last(wanted);
                    assert_eq!(last, &text[at - wanted.min(at)..at]);
                }
            }
            assert_eq!(lines.tail(5), b"last\n");
        }
    }

    #[test]
    fn a_line_may_have_256_kib_and_not_a_byte_more() {
        for (length, too_long) in [(LINE_BYTES_MAX, false), (LINE_BYTES_MAX + 1, true), (3_000_000, true)] {
            let mut text = vec![b'x'; length];
            text.extend_from_slice(b"\nnext\n");
            for size in [999, READ_BYTES, LINE_BYTES_MAX - 1] {
                let lines = cut(&text, &[size]);
                assert_eq!(lines.len(), 2, "{length} {size}");
                assert_eq!((lines[0].1, lines[0].3), (length as u64 + 1, too_long), "{length} {size}");
                assert_eq!(lines[0].2.len(), if too_long { TOO_LONG_HEAD_BYTES } else { length });
                assert_eq!(lines[1], (7 + length as u64 + 1, 5, b"next".to_vec(), false));
            }
        }
    }

    #[test]
    fn an_enormous_line_is_handed_out_before_its_end_and_once() {
        let length = usize::try_from(HANDED_OUT_BYTES).unwrap() + 3_000_000;
        let text = [b"first\n".to_vec(), vec![b'x'; length], b"\nnext\n".to_vec()].concat();
        let mut lines = Lines::default().stepwise();
        let (mut at, mut got, mut passed) = (0, Vec::new(), 0);
        while at < text.len() {
            let n = lines.room().len().min(text.len() - at);
            lines.room()[..n].copy_from_slice(&text[at..at + n]);
            lines.filled(n);
            at += n;
            loop {
                if lines.is_within() {
                    let from = lines.offset();
                    if !lines.pass_rest() {
                        break;
                    }
                    passed += lines.offset() - from;
                    continue;
                }
                let Some(line) = lines.next_line() else { break };
                got.push((line.offset, line.span, line.too_long));
            }
            let next = usize::try_from(lines.offset()).unwrap();
            assert_eq!(lines.tail(KEPT_BYTES), &text[next - KEPT_BYTES.min(next)..next]);
            assert_eq!(lines.read_offset(), at as u64);
        }
        let span = got[1].1;
        assert!((HANDED_OUT_BYTES..HANDED_OUT_BYTES + 1_000_000).contains(&span), "{span}");
        assert_eq!(passed, length as u64 + 1 - span);
        assert_eq!(got, [(0, 6, false), (6, span, true), (7 + length as u64, 5, false)]);
    }

    #[test]
    fn zeros_that_are_passed_count_as_read() {
        for hole in [KEPT_BYTES as u64, 1 << 20, 1 << 41] {
            let mut lines = Lines::default().stepwise();
            while !lines.is_over_long() {
                let room = lines.room();
                room.fill(0);
                let n = room.len();
                lines.filled(n);
                assert!(!lines.has_line());
            }
            for _ in 0..2 {
                let before = lines.read_offset();
                lines.pass_zeros(hole);
                assert_eq!(lines.read_offset(), before + hole);
                assert_eq!(lines.read_last(KEPT_BYTES), [0; KEPT_BYTES]);
                // Once the line was handed out, what is passed belongs to none.
                if lines.has_line() && !lines.is_within() {
                    assert!(lines.next_line().unwrap().too_long);
                }
            }
            let read = lines.read_offset();
            lines.room()[..6].copy_from_slice(b"end\nok");
            lines.filled(6);
            if lines.is_within() {
                assert!(lines.pass_rest());
            } else {
                assert_eq!(lines.next_line().map(|line| (line.offset, line.span)), Some((0, read + 4)));
            }
            assert_eq!(lines.offset(), read + 4);
            assert_eq!(lines.tail(9), b"\0\0\0\0\0end\n");
        }
    }

    #[test]
    fn an_over_long_last_line_without_a_newline_is_one_line() {
        let lines = cut(&vec![b'y'; 1_000_000], &[READ_BYTES]);
        assert_eq!(lines.len(), 1);
        assert_eq!((lines[0].1, lines[0].3), (1_000_000, true));
    }
}
