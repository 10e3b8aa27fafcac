//! One file being read: its bytes, where in it the next line starts, and what proves it.
//!
//! Opened, a file is held against the checkpoints that begin like it; it goes on at one that its own bytes
//! prove, or begins as a new file. The descriptor is kept, so that a rename, a delete or a reused inode
//! changes nothing. Invariant: every line between `from` and the next line's offset is in the caller's batch.

use std::collections::VecDeque;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::progress::Stands;
use super::stored::{self, Packing};
use crate::clock;
use crate::pure::aside::{Among, OldSpan};
use crate::pure::batch::{Batch, FileRef};
use crate::pure::checkpoint::{
    Checkpoint, HEAD_BYTES, HEAD_SEARCH_BYTES, Head, Proof, Standing, hash, tail_bytes,
};
use crate::pure::hit::Micros;
use crate::pure::lines::{KEPT_BYTES, Line, Lines};
use crate::pure::parse::Spec;
use crate::pure::twins::{Twins, WINDOW_BYTES};
use crate::store::commit::Proves;
use crate::store::files::{Candidate, Facts, Reached, Stamp};
use crate::store::writer::{Interrupted, Store};

/// Device and inode: a name for an open file, within one process and while it is open.
pub type Key = (u64, u64);

/// Device and inode of a file's metadata.
pub fn key(metadata: &Metadata) -> Key {
    (metadata.dev(), metadata.ino())
}

/// Opens a regular file; never waits for a pipe's other end.
pub fn open(path: &Path) -> io::Result<(File, Metadata)> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(nix::fcntl::OFlag::O_NONBLOCK.bits() | nix::fcntl::OFlag::O_CLOEXEC.bits())
        .open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    Ok((file, metadata))
}

/// Whether a file is told apart by ids in its lines, and what its source is called: what identity needs.
#[derive(Debug, Clone)]
pub struct Belongs {
    /// The host.
    pub host: String,
    /// The source: the live path, or `replay`.
    pub source: String,
    /// Name of the format.
    pub format: String,
    /// What the lines are, as JSON of a [`Spec`].
    pub spec: String,
    /// Lines have an id of their own, and the file's beginning can be told by it.
    pub alt1: bool,
    /// Lines have an id of their own.
    pub lines_have_ids: bool,
    /// Lines need [`Twins`].
    pub twins: bool,
}

/// Within an [`io::Error`]: the file holds something else by now than what was read of it.
#[derive(Debug)]
pub struct WrittenOver;

impl std::fmt::Display for WrittenOver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("it was written over while it was read")
    }
}

impl std::error::Error for WrittenOver {}

/// Bytes before a read that are looked at again with it: a line's end is like another's, a few lines are not.
const SEAM_BYTES: usize = 4096;

enum Input {
    Plain(Arc<File>),
    Stream(Box<dyn Read + Send>),
}

/// A file that was opened and not yet identified.
pub struct Opened {
    path: PathBuf,
    file: File,
    metadata: Metadata,
    packing: Packing,
    progress: Arc<AtomicU64>,
}

/// What opening a file against the checkpoints came to.
pub enum Identified {
    /// There is something to read, now or later.
    Reading(Box<Reading>),
    /// All of it is loaded and sealed.
    Done {
        /// Key of `log_files`.
        file_id: i32,
    },
    /// It has not a whole line yet.
    TooShort,
    /// It begins like a file of which more is loaded than it has: a copy under way, or a cut file.
    Shorter {
        /// Key of `log_files`.
        file_id: i32,
    },
}

/// What a file is read as beside its checkpoint.
pub enum Beside {
    /// There is something to read.
    Reading {
        /// The file, from its beginning on.
        reading: Box<Reading>,
        /// How far it is loaded; `None` where it has no checkpoint.
        loaded_bytes: Option<u64>,
    },
    /// It has not a whole line yet.
    TooShort,
}

/// How identification goes where there is a choice.
#[derive(Debug, Clone, Copy, Default)]
pub struct Choice<'a> {
    /// The file will not grow: a last line without a newline is a line.
    pub complete: bool,
    /// A file shorter than its checkpoint is one of its own.
    pub fork_if_shorter: bool,
    /// A file whose rows were taken out (`alt unload`) is loaded anew; else it is left alone.
    pub unloaded_too: bool,
    /// It is none of these files, however alike they begin: what checkpoints prove of it is nothing.
    pub other_than: &'a [i32],
}

/// How a file begins, and what begins like it.
struct Begins {
    beginning: Vec<u8>,
    head: Head,
    candidates: Vec<Candidate>,
}

/// Where a file stands against a checkpoint.
struct Stood {
    standing: Standing,
    /// Where it may be read on: the bytes that end there.
    before: Vec<u8>,
    /// And if it is compressed, what comes next.
    stream: Option<Box<dyn Read + Send>>,
}

impl Stood {
    fn at(standing: Standing) -> Self {
        Stood { standing, before: Vec::new(), stream: None }
    }
}

/// A file from its start on, whoever else reads it, that counts the bytes it took from the disk.
struct Counted {
    file: File,
    at: u64,
    count: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read_at(buffer, self.at)?;
        self.at += n as u64;
        self.count.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

impl Opened {
    /// Opens a regular file and looks at its first bytes. `progress` says how many bytes of a compressed file
    /// were taken from the disk.
    pub fn new(path: &Path, progress: Arc<AtomicU64>) -> io::Result<Opened> {
        let (file, _) = open(path)?;
        Opened::of(path, file, progress)
    }

    /// As [`Opened::new`], of a file that is open already, and may have no name any more.
    pub fn of(path: &Path, file: File, progress: Arc<AtomicU64>) -> io::Result<Opened> {
        let metadata = file.metadata()?;
        let mut first = [0; 4];
        let n = file.read_at(&mut first, 0)?;
        Ok(Opened { path: path.to_owned(), packing: stored::packing(&first[..n])?, file, metadata, progress })
    }

    /// Device and inode.
    pub fn key(&self) -> Key {
        key(&self.metadata)
    }

    /// Whether it is compressed.
    pub fn is_packed(&self) -> bool {
        self.packing != Packing::Plain
    }

    /// Whether there is no byte of a log in it.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn is_empty(&self) -> io::Result<bool> {
        Ok(fill(&mut self.stream()?, &mut [0])? == 0)
    }

    /// When it was last written, microseconds since 1970.
    pub fn modified(&self) -> Micros {
        Stamp::of(&self.metadata).modified
    }

    /// The bytes of the log in it, decompressed. By the descriptor: its name may be another file's by now.
    pub fn stream(&self) -> io::Result<Box<dyn Read + Send>> {
        self.progress.store(0, Ordering::Relaxed);
        let counted = Counted { file: self.file.try_clone()?, at: 0, count: Arc::clone(&self.progress) };
        stored::unpack(io::BufReader::with_capacity(128 * 1024, counted))
    }

    /// The first bytes, enough to find the head in, and whether they may be all that there ever are.
    fn beginning(&self) -> io::Result<(Vec<u8>, bool)> {
        if self.is_packed() {
            let mut bytes = Vec::new();
            let read = self.stream()?.take(HEAD_SEARCH_BYTES as u64).read_to_end(&mut bytes);
            // One that breaks off is read as far as it goes; who reads it that far meets the error again.
            return match read {
                Err(error) if bytes.is_empty() => Err(error),
                read => Ok((bytes, read.is_ok())),
            };
        }
        let mut bytes = vec![0; HEAD_SEARCH_BYTES];
        let n = fill_at(&self.file, &mut bytes, 0)?;
        bytes.truncate(n);
        Ok((bytes, false))
    }

    /// Whether it begins so: only then can it be the file of a checkpoint with this head.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn begins_with(&self, head: &Head) -> io::Result<bool> {
        Ok(proves(&self.beginning()?.0, head))
    }

    /// Its head; `None` where there is not a whole line yet.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn head(&self, belongs: &Belongs, complete: bool) -> io::Result<Option<Head>> {
        Ok(self.beginning_and_head(belongs, complete)?.1)
    }

    fn beginning_and_head(&self, belongs: &Belongs, complete: bool) -> io::Result<(Vec<u8>, Option<Head>)> {
        let (beginning, ends) = self.beginning()?;
        let head = Head::of(&beginning, belongs.alt1, ends || complete);
        Ok((beginning, head))
    }

    /// Holds the file against the checkpoints that begin like it.
    ///
    /// # Errors
    /// The outer one: the file cannot be read. The inner: the database's answers no longer hold.
    pub fn identify(
        self,
        belongs: &Belongs,
        choice: Choice<'_>,
        store: &Store,
    ) -> io::Result<Result<Identified, Interrupted>> {
        let Begins { beginning, head, candidates } = match self.begins(belongs, choice.complete, store)? {
            Ok(Some(begins)) => begins,
            Ok(None) => return Ok(Ok(Identified::TooShort)),
            Err(interrupted) => return Ok(Err(interrupted)),
        };
        let all: Vec<i32> = candidates.iter().map(|c| c.checkpoint.file_id).collect();
        let is_meant = |c: &Candidate| {
            let is_other = choice.other_than.contains(&c.checkpoint.file_id);
            !(is_other || c.unloaded && choice.unloaded_too)
        };
        let candidates: Vec<Candidate> = candidates.into_iter().filter(is_meant).collect();
        if self.is_packed() {
            // Held against its checkpoint once, and not touched since: no need to unpack all of it again.
            let seen = |c: &Candidate| {
                c.checkpoint.sealed
                    && c.seen == Stamp::of(&self.metadata)
                    && head_holds(&c.checkpoint, &beginning)
            };
            if let Some(candidate) = candidates.iter().find(|c| seen(c)) {
                return Ok(Ok(Identified::Done { file_id: candidate.checkpoint.file_id }));
            }
        }
        let mut shorter = None;
        for Candidate { checkpoint, unloaded, by_ids, .. } in candidates {
            let stood = self.stand(&checkpoint, &beginning)?;
            match stood.standing {
                Standing::Continues | Standing::Beyond if unloaded => {
                    return Ok(Ok(Identified::Done { file_id: checkpoint.file_id }));
                }
                Standing::Other | Standing::Diverges => {}
                Standing::Shorter => shorter = shorter.or(Some(checkpoint.file_id)),
                Standing::Done => {
                    if let Err(interrupted) = store.seen(checkpoint.file_id, self.facts(belongs)) {
                        return Ok(Err(interrupted));
                    }
                    return Ok(Ok(Identified::Done { file_id: checkpoint.file_id }));
                }
                Standing::Continues | Standing::Beyond => {
                    let is_beyond = stood.standing == Standing::Beyond;
                    let ids = by_ids || is_beyond || !choice.other_than.is_empty();
                    return self
                        .continued(&checkpoint, head, stood, ids, belongs)
                        .map(|r| Ok(Identified::Reading(r)));
                }
            }
        }
        if let Some(file_id) = shorter.filter(|_| !choice.fork_if_shorter) {
            return Ok(Ok(Identified::Shorter { file_id }));
        }
        let id = match store.new_file_id() {
            Ok(id) => id,
            Err(interrupted) => return Ok(Err(interrupted)),
        };
        let file = FileRef::New { id, head, disproved: all };
        self.begun(file, belongs).map(|r| Ok(Identified::Reading(r)))
    }

    /// Key of the file of which this is all that is loaded, and which is sealed. `None`: there is none, or not yet.
    ///
    /// # Errors
    /// As those of [`Opened::identify`].
    pub fn done(&self, belongs: &Belongs, store: &Store) -> io::Result<Result<Option<i32>, Interrupted>> {
        let Begins { beginning, candidates, .. } = match self.begins(belongs, true, store)? {
            Ok(Some(begins)) => begins,
            Ok(None) => return Ok(Ok(None)),
            Err(interrupted) => return Ok(Err(interrupted)),
        };
        for Candidate { checkpoint, .. } in candidates {
            if self.stand(&checkpoint, &beginning)?.standing == Standing::Done {
                return Ok(Ok(Some(checkpoint.file_id)));
            }
        }
        Ok(Ok(None))
    }

    /// The file's metadata when it was opened, and as it is now.
    ///
    /// # Errors
    /// It cannot be looked at.
    pub fn stamps(&self) -> io::Result<(Stamp, Stamp)> {
        Ok((Stamp::of(&self.metadata), Stamp::of(&self.file.metadata()?)))
    }

    /// Opens the file to be read beside its checkpoint, from its beginning to where that stands. To read `all` of a
    /// file of which more is there than is loaded, it is opened as one that nobody knows: what its checkpoint proves
    /// of the rest is nothing, and another file that begins alike may take it.
    ///
    /// # Errors
    /// As those of [`Opened::identify`].
    pub fn beside(
        self,
        belongs: &Belongs,
        (complete, all): (bool, bool),
        store: &Store,
    ) -> io::Result<Result<Beside, Interrupted>> {
        let Begins { beginning, head, candidates } = match self.begins(belongs, complete, store)? {
            Ok(Some(begins)) => begins,
            Ok(None) => return Ok(Ok(Beside::TooShort)),
            Err(interrupted) => return Ok(Err(interrupted)),
        };
        let mut known = None;
        for candidate in candidates.into_iter().filter(|c| !c.unloaded) {
            use Standing::{Beyond, Continues, Done};
            let standing = self.stand(&candidate.checkpoint, &beginning)?.standing;
            if let Continues | Done | Beyond = standing {
                same_events(candidate.spec.as_deref(), belongs)?;
                let ends = || self.file.metadata().map(|m| m.size() == candidate.checkpoint.loaded_bytes);
                if !all || standing == Done || standing == Continues && !self.is_packed() && ends()? {
                    known = Some(candidate.checkpoint);
                }
                break;
            }
        }
        let file = match &known {
            Some(known) => FileRef::Known { id: known.file_id, head: known.head },
            None => match store.new_file_id() {
                Ok(id) => FileRef::New { id, head, disproved: Vec::new() },
                Err(interrupted) => return Ok(Err(interrupted)),
            },
        };
        let loaded_bytes = known.map(|known| known.loaded_bytes);
        self.begun(file, belongs).map(|mut reading| {
            reading.until = loaded_bytes.unwrap_or(u64::MAX);
            Ok(Beside::Reading { reading, loaded_bytes })
        })
    }

    /// The file's beginning, and the checkpoints that begin like it, the one that is loaded farthest first: what
    /// it proves is the most. `None`: there is not a whole line yet.
    fn begins(
        &self,
        belongs: &Belongs,
        complete: bool,
        store: &Store,
    ) -> io::Result<Result<Option<Begins>, Interrupted>> {
        let (beginning, head) = self.beginning_and_head(belongs, complete)?;
        if !self.is_packed() && stored::packing(&beginning)? != Packing::Plain {
            // A compressor wrote its first bytes since they were looked at: what it is, the next look tells.
            return Ok(Ok(None));
        }
        let Some(head) = head else { return Ok(Ok(None)) };
        Ok(store.candidates(head, &belongs.host, &belongs.source).map(|mut candidates| {
            candidates.sort_by_key(|c| std::cmp::Reverse(c.checkpoint.loaded_bytes));
            Some(Begins { beginning, head, candidates })
        }))
    }

    /// Where the file stands against a checkpoint.
    fn stand(&self, checkpoint: &Checkpoint, beginning: &[u8]) -> io::Result<Stood> {
        if !head_holds(checkpoint, beginning) {
            return Ok(Stood::at(Standing::Other));
        }
        let (to, tail) = (checkpoint.loaded_bytes, checkpoint.tail);
        let wanted = u64::from(tail.bytes).max(KEPT_BYTES as u64).min(to);
        let mut before = vec![0; usize::try_from(wanted).unwrap_or(usize::MAX)];
        let holds = |before: &[u8]| {
            let from = before.len().checked_sub(tail.bytes as usize);
            from.is_some_and(|from| hash(&before[from..]) == tail.hash)
        };
        let skip = to - wanted;
        if !self.is_packed() {
            let size = self.file.metadata()?.size();
            let is_whole = fill_at(&self.file, &mut before, skip)? == before.len();
            let standing = checkpoint.standing(size, true, is_whole && holds(&before));
            return Ok(Stood { standing: unless_within_a_line(standing, &before), before, stream: None });
        }
        let mut stream = self.stream()?;
        let skipped = io::copy(&mut stream.by_ref().take(skip), &mut io::sink())?;
        let n = fill(&mut stream, &mut before)?;
        if skipped < skip || n < before.len() {
            return Ok(Stood::at(checkpoint.standing(skipped + n as u64, true, false)));
        }
        if !holds(&before) {
            return Ok(Stood::at(checkpoint.standing(to, true, false)));
        }
        if !checkpoint.sealed {
            return Ok(Stood { standing: Standing::Continues, before, stream: Some(stream) });
        }
        let mut one = [0];
        let more = fill(&mut stream, &mut one)?;
        let stream: Box<dyn Read + Send> = Box::new(io::Cursor::new(one).take(more as u64).chain(stream));
        let standing = checkpoint.standing(to + more as u64, true, true);
        Ok(Stood { standing: unless_within_a_line(standing, &before), before, stream: Some(stream) })
    }

    fn facts(&self, belongs: &Belongs) -> Facts {
        Facts {
            host: belongs.host.clone(),
            source: belongs.source.clone(),
            path: self.path.to_string_lossy().into_owned(),
            format: belongs.format.clone(),
            spec: belongs.spec.clone(),
            inode: i64::try_from(self.metadata.ino()).unwrap_or(i64::MAX),
            stamp: Stamp::of(&self.metadata),
        }
    }

    fn continued(
        self,
        checkpoint: &Checkpoint,
        head: Head,
        stood: Stood,
        unknown: bool,
        belongs: &Belongs,
    ) -> io::Result<Box<Reading>> {
        let better = (checkpoint.head.is_provisional() && head.proof.bytes > checkpoint.head.proof.bytes)
            .then_some(head);
        let file = FileRef::Known { id: checkpoint.file_id, head: checkpoint.head };
        let Stood { before, stream, .. } = stood;
        let mut reading =
            self.reading(file, stream, before, (checkpoint.loaded_bytes, checkpoint.tail), belongs)?;
        reading.by_ids = unknown;
        reading.better_head = better;
        Ok(reading)
    }

    /// From its start. A compressed file has to begin as it did when it was identified, or it was written anew
    /// meanwhile. (A plain one is proven when its lines are committed.)
    fn begun(self, file: FileRef, belongs: &Belongs) -> io::Result<Box<Reading>> {
        let mut stream = None;
        if self.is_packed() {
            let (mut unpacked, proof) = (self.stream()?, file.head().proof);
            let mut beginning = vec![0; proof.bytes as usize];
            let n = fill(&mut unpacked, &mut beginning)?;
            if n < beginning.len() || hash(&beginning) != proof.hash {
                return Err(io::Error::other("was written anew while it was opened"));
            }
            stream = Some(Box::new(io::Cursor::new(beginning).chain(unpacked)) as Box<dyn Read + Send>);
        }
        let mut reading = self.reading(file, stream, Vec::new(), (0, Proof::of(b"")), belongs)?;
        reading.by_ids = true;
        Ok(reading)
    }

    fn reading(
        self,
        file: FileRef,
        stream: Option<Box<dyn Read + Send>>,
        before: Vec<u8>,
        (from, from_tail): (u64, Proof),
        belongs: &Belongs,
    ) -> io::Result<Box<Reading>> {
        // Twins are counted in what stands before: a compressed file is read from its start for them.
        let warm = belongs.twins && from > 0;
        let start = if warm { from.saturating_sub(WINDOW_BYTES + 1) } else { from };
        let input = match stream {
            None => Input::Plain(Arc::new(self.file.try_clone()?)),
            Some(_) if warm => {
                let mut stream = self.stream()?;
                io::copy(&mut stream.by_ref().take(start), &mut io::sink())?;
                Input::Stream(stream)
            }
            Some(stream) => Input::Stream(stream),
        };
        let facts = self.facts(belongs);
        let stamp = Stamp::of(&self.metadata);
        let mut reading = Box::new(Reading {
            key: self.key(),
            path: self.path,
            packed: self.packing != Packing::Plain,
            input,
            lines: Lines::after(if warm { Vec::new() } else { before }, start),
            at_end: false,
            warm_until: from,
            twins: belongs.twins.then(Twins::default),
            lines_have_ids: belongs.lines_have_ids,
            alt1: belongs.alt1,
            file,
            facts,
            facts_stored: false,
            from,
            from_tail,
            better_head: None,
            stamp,
            by_ids: false,
            until: u64::MAX,
            sealed: false,
            reached: Reached::at(from),
            rest: Arc::default(),
        });
        if start > 0 && warm {
            // `start` lies within a line: the window begins with the one after it.
            reading.skip_to_line()?;
        }
        Ok(reading)
    }
}

/// A file being read.
pub struct Reading {
    /// Device and inode.
    pub key: Key,
    /// Where it was seen last.
    pub path: PathBuf,
    /// Compressed: it ends where the stream ends.
    pub packed: bool,
    input: Input,
    lines: Lines,
    /// The last read gave nothing.
    at_end: bool,
    /// Lines before this are loaded, and only counted as twins.
    warm_until: u64,
    twins: Option<Twins>,
    lines_have_ids: bool,
    alt1: bool,
    file: FileRef,
    facts: Facts,
    facts_stored: bool,
    /// Where the next section begins, and its proof.
    from: u64,
    from_tail: Proof,
    better_head: Option<Head>,
    /// As it was when it was opened.
    pub stamp: Stamp,
    /// No checkpoint proves that its next lines are new.
    pub by_ids: bool,
    /// It is read no farther than to the line that begins here or later.
    pub until: u64,
    /// Its seal is on its way.
    pub sealed: bool,
    /// How far it is committed, and how many bytes of a line without its end stand behind what was handed out.
    pub reached: Arc<Reached>,
    rest: Arc<AtomicU64>,
}

/// What a line of a file is for.
pub enum Step<'a> {
    /// To be taken to its end.
    New(Line<'a>, Option<&'a mut Twins>),
    /// Loaded already; only its twins count.
    Warm(Line<'a>, &'a mut Twins),
    /// There is no whole line at the moment.
    End,
}

impl Reading {
    /// Key of `log_files`.
    pub fn file_id(&self) -> i32 {
        self.file.id()
    }

    /// Whether it has no checkpoint yet.
    pub fn is_new(&self) -> bool {
        matches!(self.file, FileRef::New { .. })
    }

    /// Its beginning, as identity.
    pub fn head(&self) -> Head {
        self.file.head()
    }

    /// Offset up to which its lines were handed over or are loaded; reading may begin before it, for twins.
    pub fn begins_at(&self) -> u64 {
        self.from
    }

    /// Offset behind the last line handed out.
    pub fn offset(&self) -> u64 {
        self.lines.offset()
    }

    /// Offset behind the last byte read.
    pub fn read_offset(&self) -> u64 {
        self.lines.read_offset()
    }

    /// Whether it has bytes behind `offset`, which are not loaded; of a compressed file they are read, and it is not to be
    /// read on. False where it cannot be read.
    pub fn has_more_than(&mut self, offset: u64) -> bool {
        let at = self.lines.read_offset();
        let more = offset.max(self.from).saturating_sub(at);
        match &mut self.input {
            Input::Plain(file) => file.metadata().is_ok_and(|metadata| metadata.size() > at + more),
            Input::Stream(stream) => {
                let skipped = io::copy(&mut stream.take(more), &mut io::sink());
                skipped.is_ok_and(|n| n == more) && fill(stream, &mut [0]).is_ok_and(|n| n > 0)
            }
        }
    }

    /// Whether there may be bytes on the disk that were not read yet.
    pub fn has_unread(&self) -> bool {
        !matches!(self.metadata(), Some(Ok(now)) if now.len() == self.read_offset())
    }

    /// Whether it was read to its present end; a line without a newline may be left.
    pub fn is_at_end(&self) -> bool {
        self.at_end
    }

    /// Whether bytes without a newline are left.
    pub fn has_rest(&self) -> bool {
        self.lines.read_offset() > self.lines.offset()
    }

    /// How it stands, for those who watch.
    pub fn stands(&self) -> Stands {
        let reached = Arc::clone(&self.reached);
        if self.packed { Stands::Unpacked(reached) } else { Stands::Read(reached, Arc::clone(&self.rest)) }
    }

    /// How it stands, for those who watch, where it waits because `other` is read, which it begins like.
    pub fn stands_as_copy(&self, other: &Reading, has_more: bool) -> Stands {
        let (reached, rest) = (Arc::clone(&other.reached), Arc::clone(&other.rest));
        match (self.packed, has_more) {
            (true, true) => Stands::Settled(0),
            (true, false) => Stands::Settled(u64::try_from(self.stamp.size).unwrap_or_default()),
            (false, _) => Stands::Copy(other.key, reached, rest),
        }
    }

    /// Tells those who watch what is left of the file where it was read to its present end.
    pub fn tell_rest(&self) {
        let rest = if self.at_end { self.lines.read_offset() - self.lines.offset() } else { 0 };
        self.rest.store(rest, Ordering::Relaxed);
    }

    /// The file as it stands on disk now, by its descriptor. `None` for a stream.
    pub fn metadata(&self) -> Option<io::Result<Metadata>> {
        match &self.input {
            Input::Plain(file) => Some(file.metadata()),
            Input::Stream(_) => None,
        }
    }

    fn skip_to_line(&mut self) -> io::Result<()> {
        // What is left of the line that the window begins in; where it ends with what is loaded, all of it.
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

    /// Reads once. Bytes read; 0 at the end.
    ///
    /// # Errors
    /// It cannot be read, or holds something else by now than what was read of it ([`WrittenOver`]).
    fn read(&mut self) -> io::Result<usize> {
        let at = self.lines.read_offset();
        if let Input::Plain(file) = &self.input
            && file.metadata()?.size() <= at
        {
            // Cheaper than making room to read nothing.
            self.at_end = true;
            return Ok(0);
        }
        let room = self.lines.room();
        // Not beyond what is loaded while warming up: a sealed file may end within a line there.
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
            // What was read before is of another content than what comes now. The proofs of a section would not show it.
            return Err(io::Error::other(WrittenOver));
        }
        self.lines.filled(n);
        self.at_end = n == 0;
        Ok(n)
    }

    /// Whether what was read last still stands right before `at`.
    fn joins(&self, at: u64) -> io::Result<bool> {
        let Input::Plain(file) = &self.input else { return Ok(true) };
        let last = self.lines.read_last(SEAM_BYTES);
        let mut now = [0; SEAM_BYTES];
        let now = &mut now[..last.len()];
        let n = fill_at(file, now, at - last.len() as u64)?;
        Ok(now[..n] == *last)
    }

    /// The next line, reading where none is in the buffer.
    pub fn step(&mut self) -> io::Result<Step<'_>> {
        if self.lines.offset() >= self.until {
            self.at_end = true;
            return Ok(Step::End);
        }
        // Two looks at the buffer, because a line that is handed out borrows it.
        while !self.lines.has_line() {
            let (offset, read) = (self.lines.offset(), self.lines.read_offset());
            if offset < self.warm_until && read == self.warm_until {
                // What was loaded ended without a newline.
                return Ok(match (self.lines.last_line(), &mut self.twins) {
                    (Some(line), Some(twins)) => Step::Warm(line, twins),
                    _ => Step::End,
                });
            }
            if self.read()? == 0 {
                return Ok(Step::End);
            }
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

    /// The last line, where the file ended without a newline. Call at the end.
    pub fn last(&mut self) -> Step<'_> {
        if self.lines.offset() >= self.until {
            return Step::End;
        }
        match self.lines.last_line() {
            Some(line) => Step::New(line, self.twins.as_mut()),
            None => Step::End,
        }
    }

    /// Whether lines were handed out that belong to no section yet.
    pub fn has_news(&self) -> bool {
        self.lines.offset() > self.from
    }

    /// Opens its section in the batch: lines from here on are its. `false`: the batch holds other bytes of it.
    #[must_use]
    pub fn open_section(&self, batch: &mut Batch) -> bool {
        batch.open(self.file.clone(), self.from, self.from_tail, self.by_ids)
    }

    /// Closes its section; all lines up to [`Reading::offset`] are in the batch. Returns where it was seen, if
    /// that is to be stored.
    pub fn close_section(&mut self, batch: &mut Batch, seal: bool) -> Option<Facts> {
        let to = self.lines.offset();
        if to > self.from {
            let want = tail_bytes(self.lines_have_ids, self.lines.last_span(), to);
            self.from_tail = Proof::of(self.lines.tail(want as usize));
        }
        let head = self.file.head();
        if self.better_head.is_none() && head.is_provisional() && to > u64::from(head.proof.bytes) {
            self.better_head = self.longer_head(to);
        }
        batch.close(to, self.from_tail, seal, self.better_head, self.by_ids);
        self.sealed |= seal;
        self.from = to;
        let new = matches!(self.file, FileRef::New { .. });
        let head = self.better_head.take().unwrap_or(head);
        self.file = FileRef::Known { id: self.file.id(), head };
        let tell = new || seal || !self.facts_stored;
        self.facts_stored = true;
        tell.then(|| self.facts())
    }

    /// Goes on at `offset`, the start of a line, if that is ahead and can be reached without reading up to it.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn skip_to(&mut self, offset: u64) -> io::Result<()> {
        if let Input::Plain(file) = &self.input
            && self.twins.is_none()
            && offset > self.lines.offset()
        {
            let kept = offset.min(KEPT_BYTES as u64);
            let mut before = vec![0; usize::try_from(kept).unwrap_or(KEPT_BYTES)];
            let n = fill_at(file, &mut before, offset - kept)?;
            before.truncate(n);
            self.lines = Lines::after(before, offset);
        }
        Ok(())
    }

    /// Opens its section beside its checkpoint; `spans` are rejects ahead.
    pub fn open_aside(&mut self, batch: &mut Batch, among: Among, spans: VecDeque<OldSpan>) {
        self.from = self.lines.offset();
        batch.open_aside(self.file.clone(), self.from, self.from_tail, among, spans);
    }

    /// Closes its section beside its checkpoint. Returns the rejects ahead, and where it was seen.
    pub fn close_aside(&mut self, batch: &mut Batch) -> (VecDeque<OldSpan>, Facts) {
        let to = self.lines.offset();
        let want = tail_bytes(self.lines_have_ids, self.lines.last_span(), to);
        self.from_tail = Proof::of(self.lines.tail(want as usize));
        (batch.close_aside(to, self.from_tail), self.facts())
    }

    /// The head over more of the file, for one that was short when it was stored.
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

    fn facts(&self) -> Facts {
        let mut facts = self.facts.clone();
        facts.path = self.path.to_string_lossy().into_owned();
        if let Some(Ok(metadata)) = self.metadata() {
            facts.stamp = Stamp::of(&metadata);
        }
        facts
    }

    /// Notes a new place of the file; it is stored with its next section.
    pub fn moved_to(&mut self, path: &Path) {
        self.path = path.to_owned();
        self.facts_stored = false;
    }

    /// What can show before the commit that the file still holds what was read.
    pub fn proof(&self) -> Option<Arc<dyn Proves>> {
        match &self.input {
            Input::Plain(file) => Some(Arc::new(PlainProof(Arc::clone(file)))),
            Input::Stream(_) => None,
        }
    }

    /// Gives memory back while there is nothing to read.
    pub fn rest(&mut self) {
        self.lines.shrink();
    }

    /// A file that was cut below what was read of it, or what it was identified by. Only of a plain file.
    pub fn was_cut(&self) -> bool {
        let least = self.lines.read_offset().max(u64::from(self.head().proof.bytes));
        self.metadata().is_some_and(|m| m.is_ok_and(|m| m.size() < least))
    }

    /// When it was last written, microseconds since 1970; now, if that is unknown.
    pub fn modified(&self) -> Micros {
        self.metadata().and_then(Result::ok).map_or_else(clock::now, |m| Stamp::of(&m).modified)
    }
}

struct PlainProof(Arc<File>);

impl Proves for PlainProof {
    fn holds(&self, proof: &Proof, at: u64) -> bool {
        tail_holds(&self.0, at, proof)
    }
}

/// Refuses lines that were loaded `as_what` where they are to be read otherwise, as other events: each would become one
/// more row.
fn same_events(as_what: Option<&str>, belongs: &Belongs) -> io::Result<()> {
    let spec = |json: &str| serde_json::from_str::<Spec>(json).ok();
    let (Some(before), Some(now)) = (as_what.and_then(spec), spec(&belongs.spec)) else { return Ok(()) };
    if !before.makes_others_than(&now, !belongs.lines_have_ids) {
        return Ok(());
    }
    let said = |option: &str, value: &Option<String>| match value {
        Some(value) => format!("{option} {value}"),
        None => format!("no {option}"),
    };
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        format!(
            "it was loaded with {} and {}, and read otherwise each of its lines would be one more event: say the same, \
             or take its rows out first (`alt unload`)",
            said("--app", &before.app),
            said("--label", &before.label)
        ),
    ))
}

/// A seal may stand behind half a line, which was a reject: a copy that broke off, or was taken of a file that is
/// written to. Where a file goes on there, its line is whole, and read from its start: as a file of its own.
fn unless_within_a_line(standing: Standing, last: &[u8]) -> Standing {
    if standing == Standing::Beyond && last.last().is_some_and(|byte| *byte != b'\n') {
        Standing::Diverges
    } else {
        standing
    }
}

/// Whether a file that begins so has the checkpoint's head.
fn head_holds(checkpoint: &Checkpoint, beginning: &[u8]) -> bool {
    proves(beginning, &checkpoint.head)
}

fn proves(beginning: &[u8], head: &Head) -> bool {
    beginning.get(..head.proof.bytes as usize).is_some_and(|bytes| hash(bytes) == head.proof.hash)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::writer::{Options, pair};

    #[test]
    fn a_file_that_a_compressor_begins_while_it_is_opened_is_no_plain_log() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("beacon.log.1.gz");
        std::fs::write(&path, b"").unwrap();
        let opened = Opened::new(&path, Arc::default()).unwrap();
        // Every byte of it could be a line, to who takes it for text.
        std::fs::write(&path, b"\x1f\x8b\x08\0\n\n\n\n").unwrap();
        let belongs = Belongs {
            host: String::new(),
            source: String::new(),
            format: "alt1".to_owned(),
            spec: "{}".to_owned(),
            alt1: true,
            lines_have_ids: true,
            twins: false,
        };
        let (store, writer) = pair(Options {
            postgres: crate::config::Postgres::default(),
            application_name: String::new(),
            upkeep: None,
            patient: false,
            rehearsal: None,
            metrics: Arc::default(),
        });
        // Nobody answers: it must be told before the database is asked.
        drop(writer);
        let identified = opened.identify(&belongs, Choice::default(), &store).unwrap();
        assert!(matches!(identified, Ok(Identified::TooShort)));
    }
}
