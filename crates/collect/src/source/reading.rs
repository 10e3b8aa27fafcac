//! One file being read: its bytes, the offset of the next line, and the proofs of its content.
//!
//! The descriptor is kept, so that a rename, a delete or a reused inode changes nothing. Invariant: every line between
//! `from` and the next line's offset is in the caller's batch.

mod halt;
mod marks;
mod opened;
mod unpacked;

use std::collections::VecDeque;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use alt_line::batch::{Batch, FileRef};
use alt_line::checkpoint::{HEAD_BYTES, HEAD_SEARCH_BYTES, Head, Position, Proof, hash, tail_bytes};
use alt_line::hit::Micros;
use alt_line::line_id::LineIds;
use alt_line::lines::{KEPT_BYTES, Line, Lines};
use alt_line::reread::{Among, OldSpan};
use alt_process::clock;
use alt_store::commit::Proves;
use alt_store::files::{Facts, Reached, Stamp};
use nix::errno::Errno;
use nix::unistd::{Whence, lseek};

pub use halt::Halt;
pub use marks::{Marks, Stamped};
pub use opened::{Again, Beside, Choice, Identified, Opened};
use unpacked::{CHUNK_BYTES, STEP_TIME};
pub use unpacked::{NotYet, Unpacked};

use super::progress::Stands;
use super::siblings::{Key, key};
use super::trail::{Hand, Held, How};

/// What identification needs to know about a source: its names, its format, and whether its lines have ids.
#[derive(Debug, Clone)]
pub struct Belongs {
    /// The host.
    pub host: String,
    /// The source: the live path, or `replay`.
    pub source: String,
    /// Name of the format.
    pub format: String,
    /// The meaning of the lines, as JSON of a [`Spec`](alt_line::parse::Spec).
    pub spec: String,
    /// Lines have an id of their own, which identifies the beginning of the file.
    pub alt1: bool,
    /// Lines have an id of their own.
    pub lines_have_ids: bool,
    /// Lines need [`LineIds`].
    pub twins: bool,
}

/// Within an [`io::Error`]: the file no longer contains what was read from it.
#[derive(Debug)]
pub struct WrittenOver;

impl std::fmt::Display for WrittenOver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("it was written over while it was read")
    }
}

impl std::error::Error for WrittenOver {}

/// Bytes before a read that are read again with it. The end of one line may equal the end of another; several lines do
/// not.
const SEAM_BYTES: usize = 4096;

enum Input {
    Plain(Arc<File>),
    Stream(Box<dyn Read + Send>),
}

/// A file being read.
pub struct Reading {
    /// Device and inode.
    pub key: Key,
    /// The path at which the file was last seen.
    pub path: PathBuf,
    /// The file is compressed, so it ends where the stream ends.
    pub packed: bool,
    input: Input,
    lines: Lines,
    /// The last read returned nothing.
    at_end: bool,
    /// Lines before this offset are loaded, and only counted as twins.
    warm_until: u64,
    twins: Option<LineIds>,
    lines_have_ids: bool,
    alt1: bool,
    file: FileRef,
    facts: Facts,
    facts_stored: bool,
    /// Where the next section begins.
    from: Position,
    better_head: Option<Head>,
    /// The file's stamp when it was opened.
    pub stamp: Stamp,
    /// No checkpoint proves that the next lines are new.
    pub by_ids: bool,
    /// Reading stops at the first line that begins at or after this offset.
    pub until: u64,
    /// The seal is on its way to the database.
    pub sealed: bool,
    /// How far the file is committed, and the number of bytes of an unfinished line after the last line handed out.
    pub reached: Arc<Reached>,
    rest: Arc<AtomicU64>,
    hand: Hand,
    /// The offset at which the file continues within an over-long line, of which the beginning is loaded.
    within_at: Option<u64>,
    /// The trail records that what was read is in hand.
    is_held: bool,
    /// Offsets of lines that must not be processed, because they crashed the daemon; ascending.
    set_aside: Vec<u64>,
    /// Bytes of a compressed file that [`Reading::has_more_than`] unpacked behind those that were read.
    passed: u64,
}

/// What to do with a line of a file.
pub enum Step<'a> {
    /// A part of an over-long line that was handed out before: there is nothing to process.
    Passed,
    /// To be processed completely.
    New(Line<'a>, Option<&'a mut LineIds>),
    /// Already loaded; only counted as a twin.
    Warm(Line<'a>, &'a mut LineIds),
    /// There is no whole line now.
    End,
}

/// What comes next in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// A line.
    Line,
    /// A last line without a newline.
    Last,
    /// Nothing now.
    Nothing,
}

impl Reading {
    /// Key of `log_files`.
    pub fn file_id(&self) -> i32 {
        self.file.id()
    }

    /// Whether the file has no checkpoint yet.
    pub fn is_new(&self) -> bool {
        matches!(self.file, FileRef::New { .. })
    }

    /// The file's head, by which it is identified.
    pub fn head(&self) -> Head {
        self.file.head()
    }

    /// Offset up to which the lines were handed over or are loaded. Reading may begin before this offset, to count
    /// twins.
    pub fn begins_at(&self) -> u64 {
        self.from.offset
    }

    /// Offset after the last line handed out.
    pub fn offset(&self) -> u64 {
        self.lines.offset()
    }

    /// Offset after the last byte read.
    pub fn read_offset(&self) -> u64 {
        self.lines.read_offset()
    }

    /// Whether the file has bytes after `offset` that are not loaded. For a compressed file this reads them, and the
    /// file must not be read further; `None`: the next call goes on, because each takes a limited time. False if the file
    /// cannot be read.
    pub fn has_more_than(&mut self, offset: u64) -> Option<bool> {
        let at = self.lines.read_offset();
        let to = offset.max(self.from.offset).max(at);
        let stream = match &mut self.input {
            Input::Plain(file) => return Some(file.metadata().is_ok_and(|metadata| metadata.size() > to)),
            Input::Stream(stream) => stream,
        };
        let started = Instant::now();
        while at + self.passed < to {
            if started.elapsed() >= STEP_TIME {
                return None;
            }
            let most = CHUNK_BYTES.min(to - at - self.passed);
            match io::copy(&mut stream.take(most), &mut io::sink()) {
                Ok(n) if n == most => self.passed += n,
                _ => return Some(false),
            }
        }
        Some(fill(stream, &mut [0]).is_ok_and(|n| n > 0))
    }

    /// Whether there may be bytes on disk that were not read yet.
    pub fn has_unread(&self) -> bool {
        !matches!(self.metadata(), Some(Ok(now)) if now.len() == self.read_offset())
    }

    /// Whether the file was read to its present end; a line without a newline may be left.
    pub fn is_at_end(&self) -> bool {
        self.at_end
    }

    /// Whether a whole line was read that was not handed out.
    pub fn has_line(&mut self) -> bool {
        self.lines.has_line()
    }

    /// Whether bytes without a newline are left.
    pub fn has_rest(&self) -> bool {
        self.lines.read_offset() > self.lines.offset()
    }

    /// The file's state for monitoring.
    pub fn stands(&self) -> Stands {
        let reached = Arc::clone(&self.reached);
        if self.packed { Stands::Unpacked(reached) } else { Stands::Read(reached, Arc::clone(&self.rest)) }
    }

    /// The file's state for monitoring, while it waits because `other`, which has the same beginning, is being read.
    pub fn stands_as_copy(&self, other: &Reading, has_more: bool) -> Stands {
        let (reached, rest) = (Arc::clone(&other.reached), Arc::clone(&other.rest));
        match (self.packed, has_more) {
            (true, true) => Stands::Settled(0),
            (true, false) => Stands::Settled(u64::try_from(self.stamp.size).unwrap_or_default()),
            (false, _) => Stands::Copy(other.key, reached, rest),
        }
    }

    /// Reports to monitoring what is left of the file if it was read to its present end.
    pub fn tell_rest(&self) {
        let rest = if self.at_end { self.lines.read_offset() - self.lines.offset() } else { 0 };
        self.rest.store(rest, Ordering::Relaxed);
    }

    /// The file's current metadata, through its descriptor. `None` for a stream.
    pub fn metadata(&self) -> Option<io::Result<Metadata>> {
        match &self.input {
            Input::Plain(file) => Some(file.metadata()),
            Input::Stream(_) => None,
        }
    }

    fn skip_to_line(&mut self) -> io::Result<()> {
        // Skips the rest of the line that the window begins in. If that line ends with the loaded part, skips all of
        // it.
        loop {
            if self.lines.next_line().is_some() {
                return Ok(());
            }
            if self.lines.read_offset() >= self.warm_until || self.read()? == 0 {
                self.lines.last_line();
                return Ok(());
            }
        }
    }

    /// Records in the trail that what was read and not yet handed out, or only the next line, is in hand.
    fn hold(&mut self, how: How, to: u64) {
        self.is_held = how != How::Rests;
        if self.hand.slot.is_none() {
            return;
        }
        self.show(how, how == How::Line, self.lines.offset(), to);
    }

    /// Records in the trail that only the next line is in hand.
    pub fn hold_line(&mut self) {
        self.hold(How::Line, self.lines.read_offset());
    }

    /// Records in the trail that nothing is in hand any more, although it may still be on its way to the database;
    /// `one`: it was only the line at this offset.
    pub fn let_go(&mut self, one: Option<u64>) {
        if !std::mem::take(&mut self.is_held) || self.hand.slot.is_none() {
            return;
        }
        let (from, is_one) = (one.unwrap_or_default(), one.is_some());
        self.show(How::Rests, is_one, from, self.lines.read_offset());
    }

    fn show(&self, how: How, is_one: bool, from: u64, to: u64) {
        let (file_id, head) = (self.file.id(), self.file.head().proof.hash);
        // A later log may reuse this inode, so the key is recorded only while the file has no permanent name.
        let key = if self.is_new() && !self.file.head().has_id { self.key } else { (0, 0) };
        self.hand.holds(&Held { how, is_one, file_id, head, key, from, to });
    }

    /// Marks the line at `offset` as one that must not be processed.
    pub fn set_aside(&mut self, offset: u64) {
        if let Err(at) = self.set_aside.binary_search(&offset) {
            self.set_aside.insert(at, offset);
        }
    }

    /// Whether the line at `offset` must not be processed.
    pub fn is_set_aside(&self, offset: u64) -> bool {
        !self.set_aside.is_empty() && self.set_aside.binary_search(&offset).is_ok()
    }

    /// What comes next, without handing it out; reads until that is known. `finish`: a last line without a newline
    /// counts as a line.
    ///
    /// # Errors
    /// Those of [`Reading::step`].
    pub fn next(&mut self, finish: bool) -> io::Result<Next> {
        if self.lines.offset() >= self.until {
            self.at_end = true;
            return Ok(Next::Nothing);
        }
        self.begin_within();
        while self.lines.is_within() {
            if !self.lines.pass_rest() && self.read()? == 0 {
                return Ok(Next::Nothing);
            }
        }
        while !self.lines.has_line() {
            if self.read()? == 0 {
                return Ok(if finish && self.has_rest() { Next::Last } else { Next::Nothing });
            }
        }
        Ok(Next::Line)
    }

    /// Reads once. Returns the number of bytes read; 0 at the end.
    ///
    /// # Errors
    /// The file cannot be read, or no longer contains what was read from it ([`WrittenOver`]).
    fn read(&mut self) -> io::Result<usize> {
        self.hand.beat.moves();
        let at = self.lines.read_offset();
        if let Input::Plain(file) = &self.input
            && file.metadata()?.size() <= at
        {
            // This is cheaper than making room to read nothing.
            self.at_end = true;
            return Ok(0);
        }
        if at >= self.warm_until && self.lines.is_over_long() {
            let hole = self.hole(at)?;
            if hole > 0 {
                self.lines.pass_zeros(hole);
                self.at_end = false;
                return Ok(KEPT_BYTES);
            }
        }
        let room = self.lines.room();
        // While warming up, reading stops at the end of the loaded part: a sealed file may end within a line there.
        let most = if at < self.warm_until {
            room.len().min(usize::try_from(self.warm_until - at).unwrap_or(usize::MAX))
        } else {
            room.len()
        };
        let n = loop {
            let read = match &mut self.input {
                Input::Plain(file) => file.read_at(&mut room[..most], at),
                Input::Stream(stream) => stream.read(&mut room[..most]),
            };
            match read {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                other => break other?,
            }
        };
        if n > 0 && !self.joins(at)? {
            // What was read before belongs to other content than what comes now. The proofs of a section would not show
            // that.
            return Err(io::Error::other(WrittenOver));
        }
        self.lines.filled(n);
        self.at_end = n == 0;
        Ok(n)
    }

    /// The number of zeros from `at` on that the disk does not have, because nothing was ever written there; 0 if it is
    /// less than [`KEPT_BYTES`]. To read them would take as long as to read anything else.
    fn hole(&self, at: u64) -> io::Result<u64> {
        let Input::Plain(file) = &self.input else { return Ok(0) };
        let Ok(from) = i64::try_from(at) else { return Ok(0) };
        let to = match lseek(file, from, Whence::SeekData) {
            Ok(data) => u64::try_from(data).unwrap_or(at),
            // The hole reaches to the end of the file.
            Err(Errno::ENXIO) => file.metadata()?.size(),
            // Not every file system knows its holes.
            Err(_) => at,
        };
        let hole = to.saturating_sub(at);
        if hole < KEPT_BYTES as u64 {
            return Ok(0);
        }
        if self.joins(at)? { Ok(hole) } else { Err(io::Error::other(WrittenOver)) }
    }

    /// Takes notice that reading has come to the rest of an over-long line.
    fn begin_within(&mut self) {
        if self.within_at.is_some_and(|at| at <= self.lines.offset()) {
            self.within_at = None;
            self.lines.begin_within();
        }
    }

    /// Whether the bytes read last are still directly before `at`.
    fn joins(&self, at: u64) -> io::Result<bool> {
        let Input::Plain(file) = &self.input else { return Ok(true) };
        let last = self.lines.read_last(SEAM_BYTES);
        let mut now = [0; SEAM_BYTES];
        let now = &mut now[..last.len()];
        let n = fill_at(file, now, at - last.len() as u64)?;
        Ok(now[..n] == *last)
    }

    /// The next line; reads if the buffer has none.
    pub fn step(&mut self) -> io::Result<Step<'_>> {
        if self.lines.offset() >= self.until {
            self.at_end = true;
            return Ok(Step::End);
        }
        self.begin_within();
        if self.lines.is_within() {
            if !self.lines.pass_rest() {
                if self.read()? == 0 {
                    return Ok(Step::End);
                }
                self.lines.pass_rest();
            }
            return Ok(Step::Passed);
        }
        // The buffer is checked first and taken from later, because a line that is handed out borrows it.
        while !self.lines.has_line() {
            let (offset, read) = (self.lines.offset(), self.lines.read_offset());
            if offset < self.warm_until && read == self.warm_until {
                // The loaded part ended without a newline.
                return Ok(match (self.lines.last_line(), &mut self.twins) {
                    (Some(line), Some(twins)) => Step::Warm(line, twins),
                    _ => Step::End,
                });
            }
            if self.read()? == 0 {
                return Ok(Step::End);
            }
            self.is_held = false;
        }
        if !self.is_held {
            self.hold(How::Lines, self.lines.read_offset());
        }
        let warm = self.lines.offset() < self.warm_until;
        Ok(match (self.lines.next_line(), &mut self.twins) {
            (None, _) => Step::End,
            (Some(line), Some(twins)) => {
                if warm {
                    Step::Warm(line, twins)
                } else {
                    Step::New(line, Some(twins))
                }
            }
            (Some(line), None) => Step::New(line, None),
        })
    }

    /// The last line, if the file ended without a newline. Call this at the end.
    pub fn last(&mut self) -> Step<'_> {
        if self.lines.offset() >= self.until {
            return Step::End;
        }
        if self.lines.is_within() {
            self.lines.pass_rest();
            return Step::End;
        }
        if !self.is_held {
            self.hold(How::Lines, self.lines.read_offset());
        }
        match self.lines.last_line() {
            Some(line) => Step::New(line, self.twins.as_mut()),
            None => Step::End,
        }
    }

    /// Whether lines were handed out that do not belong to a section yet.
    pub fn has_news(&self) -> bool {
        self.lines.offset() > self.from.offset
    }

    /// Opens the file's section in the batch: the lines from here on belong to it. `false`: the batch contains other
    /// bytes of the file.
    #[must_use]
    pub fn open_section(&self, batch: &mut Batch) -> bool {
        batch.open(self.file.clone(), self.from, self.by_ids)
    }

    /// Closes the file's section; all lines up to [`Reading::offset`] are in the batch. Returns the file's facts if
    /// they must be stored.
    pub fn close_section(&mut self, batch: &mut Batch, seal: bool) -> Option<Facts> {
        let to = self.lines.offset();
        if to > self.from.offset {
            self.from = self.position();
        }
        let head = self.file.head();
        if self.better_head.is_none() && head.is_provisional() && to > u64::from(head.proof.bytes) {
            self.better_head = self.longer_head(to);
        }
        batch.close(self.from, seal, self.better_head, self.by_ids);
        self.sealed |= seal;
        let new = matches!(self.file, FileRef::New { .. });
        let head = self.better_head.take().unwrap_or(head);
        self.file = FileRef::Known { id: self.file.id(), head };
        let tell = new || seal || !self.facts_stored;
        self.facts_stored = true;
        tell.then(|| self.facts())
    }

    /// Continues at `offset`, the start of a line, if `offset` is ahead and can be reached without reading up to it.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn skip_to(&mut self, offset: u64) -> io::Result<()> {
        if let Input::Plain(file) = &self.input
            && self.twins.is_none()
            && offset > self.lines.offset()
        {
            let kept = offset.min(KEPT_BYTES as u64);
            let mut before = vec![0; usize::try_from(kept).unwrap_or(KEPT_BYTES)];
            let n = fill_at(file, &mut before, offset - kept)?;
            before.truncate(n);
            self.lines = Lines::after(before, offset).stepwise();
            self.within_at = None;
        }
        Ok(())
    }

    /// Opens the file's section independently of its checkpoint; `spans` are the rejects ahead.
    pub fn open_reread(&mut self, batch: &mut Batch, among: Among, spans: VecDeque<OldSpan>) {
        self.from.offset = self.lines.offset();
        batch.open_reread(self.file.clone(), self.from, among, spans);
    }

    /// Closes the section that is independent of the checkpoint. Returns the rejects ahead, and the file's facts.
    pub fn close_reread(&mut self, batch: &mut Batch) -> (VecDeque<OldSpan>, Facts) {
        self.from = self.position();
        (batch.close_reread(self.from), self.facts())
    }

    /// Where the next line begins.
    fn position(&self) -> Position {
        let offset = self.lines.offset();
        let want = tail_bytes(self.lines_have_ids, self.lines.last_span(), offset);
        Position { offset, tail: Proof::of(self.lines.tail(want as usize)) }
    }

    /// The head over more of the file, for a head that was short when it was stored.
    fn longer_head(&self, loaded: u64) -> Option<Head> {
        let Input::Plain(file) = &self.input else { return None };
        let most = usize::try_from(loaded).unwrap_or(usize::MAX).min(if self.alt1 {
            HEAD_SEARCH_BYTES
        } else {
            HEAD_BYTES
        });
        let mut bytes = vec![0; most];
        let n = fill_at(file, &mut bytes, 0).ok()?;
        Head::of(&bytes[..n], self.alt1, false)
    }

    /// Where the file is, and how large: now.
    pub fn facts(&self) -> Facts {
        let mut facts = self.facts.clone();
        facts.path = self.path.to_string_lossy().into_owned();
        facts.real_path = real_path(&self.path, self.key);
        if let Some(Ok(metadata)) = self.metadata() {
            facts.stamp = Stamp::of(&metadata);
        }
        facts
    }

    /// Records a new path of the file; the path is stored with the file's next section.
    pub fn moved_to(&mut self, path: &Path) {
        self.path = path.to_owned();
        self.facts_stored = false;
    }

    /// Proves before the commit that the file still contains what was read.
    pub fn proof(&self) -> Option<Arc<dyn Proves>> {
        self.plain().map(|file| Arc::new(PlainProof(file)) as Arc<dyn Proves>)
    }

    /// Releases memory while there is nothing to read.
    pub fn rest(&mut self) {
        self.lines.shrink();
    }

    /// Whether a plain file was cut below what was read of it, or below the bytes that identify it.
    pub fn was_cut(&self) -> bool {
        let least = self.lines.read_offset().max(u64::from(self.head().proof.bytes));
        self.metadata().is_some_and(|m| m.is_ok_and(|m| m.size() < least))
    }

    /// The descriptor of a plain file, for opening the file again when it may have no name any more.
    pub fn plain(&self) -> Option<Arc<File>> {
        match &self.input {
            Input::Plain(file) => Some(Arc::clone(file)),
            Input::Stream(_) => None,
        }
    }

    /// The time of the last write, microseconds since 1970; the current time if that is unknown.
    pub fn modified(&self) -> Micros {
        self.metadata().and_then(Result::ok).map_or_else(clock::now, |m| Stamp::of(&m).modified)
    }
}

/// The path without symbolic links, if it is another one and leads to this file.
fn real_path(path: &Path, file: Key) -> Option<String> {
    let real = std::fs::canonicalize(path).ok().filter(|real| real != path)?;
    let is_it = std::fs::metadata(&real).is_ok_and(|metadata| key(&metadata) == file);
    is_it.then(|| real.to_string_lossy().into_owned())
}

struct PlainProof(Arc<File>);

impl Proves for PlainProof {
    fn holds(&self, proof: &Proof, at: u64) -> bool {
        tail_holds(&self.0, at, proof)
    }

    fn repeats(&self, a: u64, b: u64, bytes: u32) -> bool {
        let read = |at| {
            let mut bytes = vec![0; bytes as usize];
            self.0.read_exact_at(&mut bytes, at).ok().map(|()| bytes)
        };
        read(a).is_some_and(|line| read(b) == Some(line))
    }
}

/// Whether the bytes that end at `to` hash to `tail`.
fn tail_holds(file: &File, to: u64, tail: &Proof) -> bool {
    let Some(from) = to.checked_sub(u64::from(tail.bytes)) else { return false };
    let mut bytes = vec![0; tail.bytes as usize];
    file.read_exact_at(&mut bytes, from).is_ok() && hash(&bytes) == tail.hash
}

fn fill(from: &mut impl Read, to: &mut [u8]) -> io::Result<usize> {
    fill_with(to, |rest, _| from.read(rest))
}

fn fill_at(file: &File, to: &mut [u8], offset: u64) -> io::Result<usize> {
    fill_with(to, |rest, done| file.read_at(rest, offset + done as u64))
}

fn fill_with(
    to: &mut [u8],
    mut read: impl FnMut(&mut [u8], usize) -> io::Result<usize>,
) -> io::Result<usize> {
    let mut done = 0;
    while done < to.len() {
        match read(&mut to[done..], done) {
            Ok(0) => break,
            Ok(n) => done += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(done)
}
