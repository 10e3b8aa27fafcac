//! Bytes to lines with absolute offsets.
//!
//! A rolling buffer over one file or stream: the caller reads bytes into [`Lines::room`], says how many came,
//! and takes whole lines. It knows no files. Invariant: `offset` is the absolute position, in the uncompressed
//! file, of the first byte not yet handed out; however the bytes are cut into reads, lines and offsets are
//! the same.

/// The longest line that is parsed, bytes without its newline. A longer one is a reject `too_long`.
pub const LINE_BYTES_MAX: usize = 256 * 1024;

/// Bytes that one read asks for.
const READ_BYTES: usize = 256 * 1024;

/// Bytes of an over-long line that are kept, for the quarantine.
const TOO_LONG_HEAD_BYTES: usize = 2048;

/// Bytes before the next line that are kept at the least, for the proof of a checkpoint.
pub const KEPT_BYTES: usize = 4096;

/// A line: its bytes without the newline, and where it stands in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// Offset of its first byte in the uncompressed file.
    pub offset: u64,
    /// Bytes it takes in the file, newline included.
    pub span: u64,
    /// Its bytes; only the head of it where `too_long`.
    pub bytes: &'a [u8],
    /// Longer than [`LINE_BYTES_MAX`].
    pub too_long: bool,
}

/// The rolling buffer.
#[derive(Debug, Default)]
pub struct Lines {
    buffer: Vec<u8>,
    /// First byte not yet handed out.
    start: usize,
    /// First byte known to be no part of a whole line: newlines are looked for from here.
    searched: usize,
    /// End of the bytes read.
    end: usize,
    /// Absolute offset of `buffer[start]`.
    offset: u64,
    /// Set while inside an over-long line: bytes of it that were thrown away (its head stays in the buffer).
    thrown_away: u64,
    /// `buffer[contiguous..start]` are the bytes that stand right before `offset` in the file.
    contiguous: usize,
    /// Bytes of the line handed out last, newline included.
    last_span: u64,
}

impl Lines {
    /// Goes on at `offset`, which must be the start of a line. `before` are the bytes that stand right before it in the
    /// file: [`KEPT_BYTES`] of them, where there are so many, or what comes next is proven by less.
    pub fn after(before: Vec<u8>, offset: u64) -> Self {
        let start = before.len();
        Lines { buffer: before, start, searched: start, end: start, offset, ..Lines::default() }
    }

    /// Offset of the first byte that was not handed out as part of a line.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Offset at which the next read has to begin.
    pub fn read_offset(&self) -> u64 {
        self.offset + (self.end - self.start) as u64 + self.thrown_away
    }

    /// Where to read to, at least one byte. All whole lines must have been taken before.
    pub fn room(&mut self) -> &mut [u8] {
        if self.buffer.len() < self.end + READ_BYTES {
            self.drop_front(self.droppable());
        }
        if self.end - self.start > LINE_BYTES_MAX {
            // Too long already, whatever follows: keep the head, and what is the tail if it ends now; count the rest.
            let kept = self.start + TOO_LONG_HEAD_BYTES;
            let last = self.end - KEPT_BYTES;
            self.buffer.copy_within(last..self.end, kept);
            self.thrown_away += (last - kept) as u64;
            self.end = kept + KEPT_BYTES;
            self.searched = self.end;
        }
        if self.buffer.len() < self.end + READ_BYTES {
            // Grows to the longest lines met and a read; ordinary files stay with little more than a read.
            self.buffer.resize(self.end + READ_BYTES, 0);
        }
        &mut self.buffer[self.end..self.end + READ_BYTES]
    }

    /// Up to `bytes` of the bytes that were read last and stand right before where the next read begins.
    pub fn read_last(&self, bytes: usize) -> &[u8] {
        let contiguous =
            if self.thrown_away > 0 { self.start + TOO_LONG_HEAD_BYTES } else { self.contiguous };
        &self.buffer[self.end.saturating_sub(bytes).max(contiguous)..self.end]
    }

    /// Says that `n` bytes were read into [`Lines::room`].
    pub fn filled(&mut self, n: usize) {
        self.end += n;
        debug_assert!(self.end <= self.buffer.len());
    }

    /// The next whole line, if there is one in the buffer.
    pub fn next_line(&mut self) -> Option<Line<'_>> {
        match memchr::memchr(b'\n', &self.buffer[self.searched..self.end]) {
            Some(at) => Some(self.take(self.searched + at, 1)),
            None => {
                self.searched = self.end;
                None
            }
        }
    }

    /// Whether [`Lines::next_line`] has one to give.
    pub fn has_line(&mut self) -> bool {
        match memchr::memchr(b'\n', &self.buffer[self.searched..self.end]) {
            Some(at) => {
                self.searched += at;
                true
            }
            None => {
                self.searched = self.end;
                false
            }
        }
    }

    /// Gives the buffer's memory back, all but what is not handed out and what [`Lines::tail`] needs.
    pub fn shrink(&mut self) {
        self.drop_front(self.droppable());
        self.buffer.truncate(self.end);
        self.buffer.shrink_to_fit();
    }

    /// Bytes before the next line that nobody will ask for.
    fn droppable(&self) -> usize {
        let last = usize::try_from(self.last_span).unwrap_or(usize::MAX).min(LINE_BYTES_MAX);
        self.start.saturating_sub(last.max(KEPT_BYTES))
    }

    fn drop_front(&mut self, drop: usize) {
        if drop == 0 {
            return; // or a line that comes in many pieces would be copied for each of them
        }
        self.buffer.copy_within(drop..self.end, 0);
        self.start -= drop;
        self.searched -= drop;
        self.end -= drop;
        self.contiguous = self.contiguous.saturating_sub(drop);
    }

    /// The last line of a file that will not grow, where it has no newline. Call when `next_line` gave none.
    pub fn last_line(&mut self) -> Option<Line<'_>> {
        (self.end > self.start).then(|| self.take(self.end, 0))
    }

    /// Up to `bytes` of the bytes that stand right before the next line in the file; fewer where they are not known. At
    /// least the last line is, unless it was too long, and [`KEPT_BYTES`].
    pub fn tail(&self, bytes: usize) -> &[u8] {
        let from = self.start.saturating_sub(bytes).max(self.contiguous);
        &self.buffer[from..self.start]
    }

    /// Bytes of the line handed out last, newline included; 0 before the first.
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
        // Also where a line that is too long ends with the first byte of a read, and where reading begins in between.
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
    fn an_over_long_last_line_without_a_newline_is_one_line() {
        let lines = cut(&vec![b'y'; 1_000_000], &[READ_BYTES]);
        assert_eq!(lines.len(), 1);
        assert_eq!((lines[0].1, lines[0].3), (1_000_000, true));
    }
}
