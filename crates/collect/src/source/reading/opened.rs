//! An opened file: which checkpoints have the same beginning, and where the loaded part of the file ends.
//!
//! The file is compared with the checkpoints that have the same beginning. It continues at a checkpoint that its own
//! bytes prove, or starts as a new file. A compressed file is unpacked as far as that requires.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use alt_line::batch::FileRef;
use alt_line::checkpoint::{Checkpoint, HEAD_SEARCH_BYTES, Head, Position, Standing, hash};
use alt_line::hit::Micros;
use alt_line::line_id::{LineIds, WINDOW_BYTES};
use alt_line::lines::{KEPT_BYTES, Lines};
use alt_line::parse::Spec;
use alt_process::fault;
use alt_store::files::{Candidate, Facts, Reached, Stamp};
use alt_store::writer::Store;

use super::{Belongs, Halt, Input, Key, Reading, Stamped, Unpacked, fill, fill_at, key, real_path};
use crate::source::trail::{Beating, Hand};
use crate::source::unpack::{self, Blocks, Mark, Packing};

/// A file that is open, but not yet identified.
pub struct Opened {
    path: PathBuf,
    file: File,
    metadata: Metadata,
    packing: Packing,
    progress: Arc<AtomicU64>,
    hand: Hand,
    /// Where a compressed file is unpacked in steps; `None`: at once.
    unpacked: Option<Unpacked>,
}

/// The result of comparing an opened file with the checkpoints.
pub enum Identified {
    /// There is something to read, now or later.
    Reading(Box<Reading>),
    /// The whole file is loaded and sealed.
    Done {
        /// Key of `log_files`.
        file_id: i32,
    },
    /// The file has no whole line yet.
    TooShort,
    /// The file begins like a file of which more is loaded than this one has: an unfinished copy, or a file that was
    /// cut.
    Shorter {
        /// Key of `log_files`.
        file_id: i32,
    },
}

/// The result of opening a file to be read independently of its checkpoint.
pub enum Beside {
    /// There is something to read.
    Reading {
        /// The file, from its beginning.
        reading: Box<Reading>,
        /// How far the file is loaded; `None`: it has no checkpoint.
        loaded_bytes: Option<u64>,
    },
    /// The file has no whole line yet.
    TooShort,
}

/// Options of the identification.
#[derive(Debug, Clone, Copy, Default)]
pub struct Choice<'a> {
    /// The file will not grow: a last line without a newline counts as a line.
    pub complete: bool,
    /// A file that is shorter than its checkpoint is a file of its own.
    pub fork_if_shorter: bool,
    /// A file whose rows were removed (`alt unload`) is loaded again; otherwise it is left alone.
    pub unloaded_too: bool,
    /// The file is none of these files, even if the beginnings are equal: their proofs are ignored.
    pub other_than: &'a [i32],
}

/// How a file is read that is read beside its checkpoint.
#[derive(Debug, Clone, Copy)]
pub struct Again {
    /// The file will not grow: a last line without a newline counts as a line.
    pub complete: bool,
    /// Also the part that is not loaded.
    pub all: bool,
}

/// A file's beginning, and the checkpoints with the same beginning.
struct Begins {
    beginning: Vec<u8>,
    head: Head,
    candidates: Vec<Candidate>,
}

/// How a file compares with a checkpoint.
struct Stood {
    standing: Standing,
    /// The bytes before the position at which reading can continue.
    before: Vec<u8>,
    /// For a compressed file, the stream from that position on.
    stream: Option<Box<dyn Read + Send>>,
}

impl Stood {
    fn at(standing: Standing) -> Self {
        Stood { standing, before: Vec::new(), stream: None }
    }
}

/// Reads a file from its start, independently of other readers, and counts the bytes read from disk.
struct Counted {
    file: File,
    at: u64,
    count: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        fault::unpack();
        let n = self.file.read_at(buffer, self.at)?;
        self.at += n as u64;
        self.count.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

impl Opened {
    /// Opens a regular file and looks at its first bytes. `progress` counts the bytes of a compressed file that were
    /// read from disk.
    pub fn new(path: &Path, progress: Arc<AtomicU64>) -> io::Result<Opened> {
        Opened::of(path, unpack::regular(path)?, progress)
    }

    /// Like [`Opened::new`], for a file that is already open, and may have no name any more.
    pub fn of(path: &Path, file: File, progress: Arc<AtomicU64>) -> io::Result<Opened> {
        let metadata = file.metadata()?;
        let mut first = [0; 4];
        let n = file.read_at(&mut first, 0)?;
        let (path, packing) = (path.to_owned(), unpack::packing(&first[..n])?);
        Ok(Opened { path, file, metadata, packing, progress, hand: Hand::default(), unpacked: None })
    }

    /// The same file, read by a reader that records its work in `hand`.
    #[must_use]
    pub fn by(self, hand: &Hand) -> Opened {
        Opened { hand: hand.clone(), ..self }
    }

    /// The same file. To compare it takes several steps if it is compressed, each of which but the last ends with
    /// [`NotYet`](super::NotYet) within an `io::Error`. They share `unpacked`.
    #[must_use]
    pub fn in_steps(self, unpacked: &Unpacked) -> Opened {
        Opened { unpacked: Some(unpacked.clone()), ..self }
    }

    /// Device and inode.
    pub fn key(&self) -> Key {
        key(&self.metadata)
    }

    /// Whether the file is compressed.
    pub fn is_packed(&self) -> bool {
        self.packing != Packing::Plain
    }

    /// Whether the file contains no byte of a log.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn is_empty(&self) -> io::Result<bool> {
        Ok(fill(&mut self.stream()?, &mut [0])? == 0)
    }

    /// Another descriptor of a plain file.
    pub fn plain(&self) -> Option<File> {
        if self.is_packed() { None } else { self.file.try_clone().ok() }
    }

    /// The time of the last write, microseconds since 1970.
    pub fn modified(&self) -> Micros {
        Stamp::of(&self.metadata).modified
    }

    /// The bytes of the log, decompressed. Read through the descriptor, because the name may belong to another file by
    /// now.
    pub fn stream(&self) -> io::Result<Box<dyn Read + Send>> {
        self.progress.store(0, Ordering::Relaxed);
        let counted = Counted { file: self.file.try_clone()?, at: 0, count: Arc::clone(&self.progress) };
        let unpacked = unpack::unpacked(io::BufReader::with_capacity(128 * 1024, counted))?;
        // A few bytes on disk may unpack to many.
        Ok(Box::new(Beating::new(unpacked, &self.hand.beat)))
    }

    /// The bytes of the log from a mark on, or at its beginning; and where they begin. Keeps further marks.
    fn stream_from(&self, mark: Option<Mark>) -> io::Result<(u64, Box<dyn Read + Send>)> {
        let Some(unpacked) = self.unpacked.as_ref().filter(|_| self.packing == Packing::Bzip2) else {
            return Ok((0, self.stream()?));
        };
        let (at, from) = mark.map_or((0, 0), |mark| (mark.bit / 8, mark.unpacked));
        self.progress.store(at, Ordering::Relaxed);
        let counted = Counted { file: self.file.try_clone()?, at, count: Arc::clone(&self.progress) };
        let on_block = unpacked.marks_of(self.stamped());
        let blocks = Blocks::new(io::BufReader::with_capacity(128 * 1024, counted), mark, on_block);
        Ok((from, Box::new(Beating::new(blocks, &self.hand.beat))))
    }

    /// The next step begins at the beginning: nothing can be unpacked from where this one began.
    fn forget_marks(&self) {
        if let Some(unpacked) = &self.unpacked {
            unpacked.forget_marks();
        }
    }

    fn stamped(&self) -> Stamped {
        Stamped { key: self.key(), stamp: self.stamp() }
    }

    /// The first bytes, enough to find the head, and whether these may be all the bytes there will ever be.
    fn beginning(&self) -> io::Result<(Vec<u8>, bool)> {
        if self.is_packed() {
            let this = self.stamped();
            let known = self.unpacked.as_ref().map_or(Ok(None), |unpacked| unpacked.beginning(this))?;
            if let Some(bytes) = known {
                // It had a head already.
                return Ok((bytes, true));
            }
            let mut bytes = Vec::new();
            let read = self.stream()?.take(HEAD_SEARCH_BYTES as u64).read_to_end(&mut bytes);
            // A stream that breaks off is read as far as it goes. Whoever reads on meets the error again.
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

    /// Whether the file begins with this head. Only then can it be the file of a checkpoint with this head.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn begins_with(&self, head: &Head) -> io::Result<bool> {
        Ok(proves(&self.beginning()?.0, head))
    }

    /// Which of these heads the file begins with.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn begins_with_each<'h>(&self, heads: impl Iterator<Item = &'h Head>) -> io::Result<Vec<bool>> {
        let (beginning, _) = self.beginning()?;
        Ok(heads.map(|head| proves(&beginning, head)).collect())
    }

    /// How the file compares with each of these checkpoints, by their proofs alone.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn standings<'c>(
        &self,
        checkpoints: impl Iterator<Item = &'c Checkpoint>,
    ) -> io::Result<Vec<Standing>> {
        let (beginning, _) = self.beginning()?;
        let this = self.stamped();
        let mut standings = Vec::new();
        for checkpoint in checkpoints {
            let known = self.unpacked.as_ref().and_then(|unpacked| unpacked.judged(this, checkpoint));
            let standing = match known {
                Some(standing) => standing,
                None => self.proven(checkpoint, &beginning)?.standing,
            };
            if let Some(unpacked) = self.unpacked.as_ref().filter(|_| known.is_none()) {
                unpacked.judge(this, checkpoint, standing);
            }
            standings.push(standing);
        }
        if let Some(unpacked) = &self.unpacked {
            unpacked.done(this);
        }
        Ok(standings)
    }

    /// The number of bytes of the log, decompressed.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn log_bytes(&self) -> io::Result<u64> {
        if self.is_packed() {
            io::copy(&mut self.stream()?, &mut io::sink())
        } else {
            Ok(self.file.metadata()?.size())
        }
    }

    /// The file's head; `None`: it has no whole line yet.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn head(&self, belongs: &Belongs, complete: bool) -> io::Result<Option<Head>> {
        Ok(self.beginning_and_head(belongs, complete)?.1)
    }

    fn beginning_and_head(&self, belongs: &Belongs, complete: bool) -> io::Result<(Vec<u8>, Option<Head>)> {
        let (beginning, ends) = self.beginning()?;
        let head = Head::of(&beginning, belongs.alt1, ends || complete);
        Ok((beginning, head))
    }

    /// Compares the file with the checkpoints that have the same beginning.
    ///
    /// # Errors
    /// The file cannot be read, or not yet ([`Opened::in_steps`]); or the database's answers are no longer valid.
    pub fn identify(self, belongs: &Belongs, choice: Choice<'_>, store: &Store) -> Result<Identified, Halt> {
        let Some(Begins { beginning, head, candidates }) = self.begins(belongs, choice.complete, store)?
        else {
            return Ok(Identified::TooShort);
        };
        let all: Vec<i32> = candidates.iter().map(|c| c.checkpoint.file_id).collect();
        let is_meant = |c: &Candidate| {
            let is_other = choice.other_than.contains(&c.checkpoint.file_id);
            !(is_other || c.unloaded && choice.unloaded_too)
        };
        let candidates: Vec<Candidate> = candidates.into_iter().filter(is_meant).collect();
        if self.is_packed() {
            // The file was compared with its checkpoint before, and not touched since: it need not be unpacked again.
            // The head is checked, because two different logs may have the same size and, within a tick of the clock,
            // the same age.
            let facts = self.facts(belongs);
            let seen = |c: &Candidate| {
                c.checkpoint.sealed
                    && c.seen == (facts.inode, facts.stamp)
                    && head_holds(&c.checkpoint, &beginning)
            };
            if let Some(candidate) = candidates.iter().find(|c| seen(c)) {
                return Ok(Identified::Done { file_id: candidate.checkpoint.file_id });
            }
        }
        let mut shorter = None;
        for Candidate { checkpoint, unloaded, by_ids, set_aside, .. } in candidates {
            let stood = self.stand(&checkpoint, &beginning)?;
            match stood.standing {
                Standing::Continues | Standing::Beyond if unloaded => {
                    return Ok(Identified::Done { file_id: checkpoint.file_id });
                }
                Standing::Other | Standing::Diverges => {}
                Standing::Shorter => shorter = shorter.or(Some(checkpoint.file_id)),
                Standing::Done => {
                    store.seen(checkpoint.file_id, self.facts(belongs))?;
                    return Ok(Identified::Done { file_id: checkpoint.file_id });
                }
                Standing::Continues | Standing::Beyond => {
                    let is_beyond = stood.standing == Standing::Beyond;
                    let mut reading = self.continued(&checkpoint, head, stood, &beginning, belongs)?;
                    reading.by_ids = by_ids || is_beyond || !choice.other_than.is_empty();
                    reading.set_aside = set_aside;
                    return Ok(Identified::Reading(reading));
                }
            }
        }
        if let Some(file_id) = shorter.filter(|_| !choice.fork_if_shorter) {
            return Ok(Identified::Shorter { file_id });
        }
        let file = FileRef::New { id: store.new_file_id()?, head, disproved: all };
        Ok(Identified::Reading(self.begun(file, &beginning, belongs)?))
    }

    /// The key and the loaded bytes of the file of `log_files` that is sealed and contains exactly this file's content.
    /// `None`: there is no such file, or not yet.
    ///
    /// # Errors
    /// Those of [`Opened::identify`].
    pub fn done(&self, belongs: &Belongs, store: &Store) -> Result<Option<(i32, u64)>, Halt> {
        let Some(Begins { beginning, candidates, .. }) = self.begins(belongs, true, store)? else {
            return Ok(None);
        };
        for Candidate { checkpoint, .. } in candidates {
            if self.stand(&checkpoint, &beginning)?.standing == Standing::Done {
                return Ok(Some((checkpoint.file_id, checkpoint.loaded_bytes)));
            }
        }
        Ok(None)
    }

    /// The file's stamp when it was opened.
    pub fn stamp(&self) -> Stamp {
        Stamp::of(&self.metadata)
    }

    /// The file's stamp when it was opened, and its stamp now.
    ///
    /// # Errors
    /// The metadata cannot be read.
    pub fn stamps(&self) -> io::Result<(Stamp, Stamp)> {
        Ok((Stamp::of(&self.metadata), Stamp::of(&self.file.metadata()?)))
    }

    /// Opens the file to be read independently of its checkpoint, from its beginning up to the checkpoint. To read
    /// `all` of a file that has more than is loaded, the file is opened as an unknown one: its checkpoint proves
    /// nothing about the rest, and another file with the same beginning may continue at that checkpoint.
    ///
    /// # Errors
    /// Those of [`Opened::identify`].
    pub fn beside(self, belongs: &Belongs, which: Again, store: &Store) -> Result<Beside, Halt> {
        let Again { complete, all } = which;
        let Some(Begins { beginning, head, candidates }) = self.begins(belongs, complete, store)? else {
            return Ok(Beside::TooShort);
        };
        let mut known = None;
        for candidate in candidates.into_iter().filter(|c| !c.unloaded) {
            use Standing::{Beyond, Continues, Done};
            let standing = self.stand(&candidate.checkpoint, &beginning)?.standing;
            if let Continues | Done | Beyond = standing {
                same_events(candidate.spec.as_deref(), belongs)?;
                let ends = || self.file.metadata().map(|m| m.size() == candidate.checkpoint.loaded_bytes);
                if !all || standing == Done || standing == Continues && !self.is_packed() && ends()? {
                    known = Some((candidate.checkpoint, candidate.set_aside));
                }
                break;
            }
        }
        let file = match &known {
            Some((known, _)) => FileRef::Known { id: known.file_id, head: known.head },
            None => FileRef::New { id: store.new_file_id()?, head, disproved: Vec::new() },
        };
        let (loaded_bytes, set_aside) = known.map(|(known, lines)| (known.loaded_bytes, lines)).unzip();
        let mut reading = self.begun(file, &beginning, belongs)?;
        reading.until = loaded_bytes.unwrap_or(u64::MAX);
        reading.set_aside = set_aside.unwrap_or_default();
        Ok(Beside::Reading { reading, loaded_bytes })
    }

    /// The file's beginning, and the checkpoints with the same beginning. The checkpoint that is loaded farthest comes
    /// first, because it proves the most. `None`: there is no whole line yet.
    fn begins(&self, belongs: &Belongs, complete: bool, store: &Store) -> Result<Option<Begins>, Halt> {
        let (beginning, head) = self.beginning_and_head(belongs, complete)?;
        if !self.is_packed() && unpack::packing(&beginning)? != Packing::Plain {
            // A compressor has written its first bytes since the file was opened. The next look identifies the file.
            return Ok(None);
        }
        let Some(head) = head else { return Ok(None) };
        let mut candidates = store.candidates(head, &belongs.host, &belongs.source)?;
        candidates.sort_by_key(|c| std::cmp::Reverse(c.checkpoint.loaded_bytes));
        Ok(Some(Begins { beginning, head, candidates }))
    }

    /// Where reading can continue according to a checkpoint.
    fn stand(&self, checkpoint: &Checkpoint, beginning: &[u8]) -> io::Result<Stood> {
        use Standing::{Diverges, Other, Shorter};
        let this = self.stamped();
        if let Some(standing @ (Other | Diverges | Shorter)) =
            self.unpacked.as_ref().and_then(|unpacked| unpacked.judged(this, checkpoint))
        {
            return Ok(Stood::at(standing));
        }
        let stood = self.proven(checkpoint, beginning)?;
        let standing = unless_within_a_line(stood.standing, &stood.before);
        // Where the next checkpoint takes steps, this one is not looked at again.
        if let (Some(unpacked), Other | Diverges | Shorter) = (&self.unpacked, standing) {
            unpacked.judge(this, checkpoint, standing);
        }
        Ok(Stood { standing, ..stood })
    }

    /// How the file compares with a checkpoint, by the checkpoint's proofs.
    fn proven(&self, checkpoint: &Checkpoint, beginning: &[u8]) -> io::Result<Stood> {
        if !head_holds(checkpoint, beginning) {
            return Ok(Stood::at(Standing::Other));
        }
        let (to, tail) = (checkpoint.loaded_bytes, checkpoint.tail);
        // Of a compressed file also the window for `LineIds`, so that it need not be unpacked a second time.
        let least = if self.is_packed() { WINDOW_BYTES + 1 } else { KEPT_BYTES as u64 };
        let wanted = u64::from(tail.bytes).max(least).min(to);
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
            return Ok(Stood { standing, before, stream: None });
        }
        let (skipped, mut stream) = match &self.unpacked {
            Some(unpacked) => {
                let this = self.stamped();
                unpacked.skip(this, beginning, skip, |mark| self.stream_from(mark))?
            }
            None => {
                let mut stream = self.stream()?;
                (io::copy(&mut stream.by_ref().take(skip), &mut io::sink())?, stream)
            }
        };
        let n = fill(&mut stream, &mut before).inspect_err(|_| self.forget_marks())?;
        let is_whole = skipped == skip && n == before.len();
        if !is_whole || !holds(&before) {
            let read = if is_whole { to } else { skipped + n as u64 };
            return Ok(Stood::at(checkpoint.standing(read, true, false)));
        }
        if !checkpoint.sealed {
            return Ok(Stood { standing: Standing::Continues, before, stream: Some(stream) });
        }
        let mut one = [0];
        let more = fill(&mut stream, &mut one)?;
        let stream: Box<dyn Read + Send> = Box::new(io::Cursor::new(one).take(more as u64).chain(stream));
        let standing = checkpoint.standing(to + more as u64, true, true);
        Ok(Stood { standing, before, stream: Some(stream) })
    }

    fn facts(&self, belongs: &Belongs) -> Facts {
        Facts {
            host: belongs.host.clone(),
            source: belongs.source.clone(),
            path: self.path.to_string_lossy().into_owned(),
            real_path: real_path(&self.path, self.key()),
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
        beginning: &[u8],
        belongs: &Belongs,
    ) -> io::Result<Box<Reading>> {
        let better = (checkpoint.head.is_provisional() && head.proof.bytes > checkpoint.head.proof.bytes)
            .then_some(head);
        let file = FileRef::Known { id: checkpoint.file_id, head: checkpoint.head };
        let Stood { before, stream, .. } = stood;
        // Only an over-long line is loaded in parts, the file of a seal apart.
        let is_within = !checkpoint.sealed && before.last().is_some_and(|byte| *byte != b'\n');
        let mut reading = self.reading(file, stream, before, checkpoint.position(), beginning, belongs)?;
        reading.within_at = is_within.then_some(checkpoint.loaded_bytes);
        reading.better_head = better;
        Ok(reading)
    }

    /// Reads the file from its start. A compressed file must begin as it did when it was identified; otherwise it was
    /// rewritten in the meantime. (A plain file is proven when its lines are committed.)
    fn begun(self, file: FileRef, beginning: &[u8], belongs: &Belongs) -> io::Result<Box<Reading>> {
        let mut stream = None;
        if self.is_packed() {
            let ((_, mut unpacked), proof) = (self.stream_from(None)?, file.head().proof);
            let mut beginning = vec![0; proof.bytes as usize];
            let n = fill(&mut unpacked, &mut beginning)?;
            if n < beginning.len() || hash(&beginning) != proof.hash {
                return Err(io::Error::other("was written anew while it was opened"));
            }
            stream = Some(Box::new(io::Cursor::new(beginning).chain(unpacked)) as Box<dyn Read + Send>);
        }
        let mut reading = self.reading(file, stream, Vec::new(), Position::start(), beginning, belongs)?;
        reading.by_ids = true;
        Ok(reading)
    }

    fn reading(
        self,
        file: FileRef,
        stream: Option<Box<dyn Read + Send>>,
        mut before: Vec<u8>,
        from: Position,
        beginning: &[u8],
        belongs: &Belongs,
    ) -> io::Result<Box<Reading>> {
        // `LineIds` depend on the preceding lines. Those of a compressed file are in `before`.
        let warm = belongs.twins && from.offset > 0;
        let start = if warm { from.offset.saturating_sub(WINDOW_BYTES + 1) } else { from.offset };
        let input = match stream {
            None => Input::Plain(Arc::new(self.file.try_clone()?)),
            Some(stream) if warm => {
                let window = usize::try_from(from.offset - start).unwrap_or(usize::MAX).min(before.len());
                let window = before.split_off(before.len() - window);
                Input::Stream(Box::new(io::Cursor::new(window).chain(stream)))
            }
            Some(stream) => Input::Stream(stream),
        };
        let facts = self.facts(belongs);
        let stamp = Stamp::of(&self.metadata);
        let tail_max = KEPT_BYTES.max(from.tail.bytes as usize);
        let mut reading = Box::new(Reading {
            key: self.key(),
            path: self.path,
            packed: self.packing != Packing::Plain,
            input,
            lines: {
                let before = if warm { Vec::new() } else { before };
                let kept = before.len().saturating_sub(tail_max);
                Lines::after(before[kept..].to_vec(), start).stepwise()
            },
            at_end: false,
            warm_until: from.offset,
            twins: belongs.twins.then(|| LineIds::of(beginning)),
            lines_have_ids: belongs.lines_have_ids,
            alt1: belongs.alt1,
            file,
            facts,
            facts_stored: false,
            from,
            better_head: None,
            stamp,
            by_ids: false,
            until: u64::MAX,
            sealed: false,
            reached: Reached::at(from.offset),
            rest: Arc::default(),
            hand: self.hand,
            within_at: None,
            is_held: false,
            set_aside: Vec::new(),
            passed: 0,
        });
        if start > 0 && warm {
            // `start` lies within a line: the window begins with the next line.
            reading.skip_to_line()?;
        }
        Ok(reading)
    }
}

/// Refuses lines that were loaded `as_what` if they would now be read as different events: each line would become an
/// additional row.
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

/// A seal may follow half a line, which was a reject: a copy that broke off, or that was taken of a file that is still
/// written to. If a file continues there, its line is whole, and the file is read from its start as a file of its own.
fn unless_within_a_line(standing: Standing, last: &[u8]) -> Standing {
    if standing == Standing::Beyond && last.last().is_some_and(|byte| *byte != b'\n') {
        Standing::Diverges
    } else {
        standing
    }
}

/// Whether the checkpoint's head matches this beginning.
fn head_holds(checkpoint: &Checkpoint, beginning: &[u8]) -> bool {
    proves(beginning, &checkpoint.head)
}

fn proves(beginning: &[u8], head: &Head) -> bool {
    beginning.get(..head.proof.bytes as usize).is_some_and(|bytes| hash(bytes) == head.proof.hash)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alt_store::writer::{Options, pair};

    #[test]
    fn a_file_that_a_compressor_begins_while_it_is_opened_is_no_plain_log() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("beacon.log.1.gz");
        std::fs::write(&path, b"").unwrap();
        let opened = Opened::new(&path, Arc::default()).unwrap();
        // Every byte could be a line if the file were taken for text.
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
            postgres: alt_config::Postgres::default(),
            application_name: String::new(),
            looks: false,
            connections: 1,
            patient: false,
            rehearsal: None,
            metrics: Arc::default(),
        });
        // Nobody answers: the result must be known before the database is asked.
        drop(writer);
        let identified = opened.identify(&belongs, Choice::default(), &store);
        assert!(matches!(identified, Ok(Identified::TooShort)));
    }
}
