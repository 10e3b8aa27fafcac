//! How far a compressed file was unpacked to be compared with its checkpoints: in steps, so that nothing else waits.
//!
//! A checkpoint may stand many gigabytes behind the beginning of a compressed file, and nothing leads there but unpacking
//! everything before it. What was unpacked is kept from one step to the next, also while the database's answers become
//! invalid in between, as long as the file does not change. After a restart, bzip2 is unpacked from a mark on; gzip and
//! Zstandard, which are ten times as fast and have no place at which they could begin, from the beginning.

use std::io::{self, Read};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use alt_line::checkpoint::{Checkpoint, Hash, Standing};
use alt_process::lock::lock;

use super::marks::{Marks, Stamped};
use crate::source::siblings::Key;
use crate::source::unpack::{Mark, OnBlock};

/// How long a step takes at most.
pub(super) const STEP_TIME: Duration = Duration::from_millis(50);

/// Bytes that are unpacked between two looks at the clock.
pub(super) const CHUNK_BYTES: u64 = 128 * 1024;

/// After this time, a file that nobody asked for again gives way to another one.
const KEPT_TIME: Duration = Duration::from_secs(10);

/// The maximum number of files that are known to wait.
const WAITING_MAX: usize = 4096;

/// Within an [`io::Error`]: the comparison goes on in the next step.
#[derive(Debug)]
pub struct NotYet;

impl NotYet {
    fn error() -> io::Error {
        io::Error::new(io::ErrorKind::WouldBlock, NotYet)
    }

    /// Whether an error says so.
    pub fn is(error: &io::Error) -> bool {
        matches!(error.get_ref(), Some(inner) if inner.is::<NotYet>())
    }
}

impl std::fmt::Display for NotYet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("it is still being unpacked")
    }
}

impl std::error::Error for NotYet {}

/// A stream of a compressed file, unpacked.
type Stream = Box<dyn Read + Send>;

/// The file that the sources of a reader thread unpack in steps; one at a time, because each decompressor needs memory.
/// Clones share it.
#[derive(Clone, Default)]
pub struct Unpacked {
    file: Arc<Mutex<Option<Unpacking>>>,
    marks: Marks,
}

struct Unpacking {
    of: Stamped,
    /// Its first bytes, so that they are not unpacked anew in each step.
    beginning: Vec<u8>,
    asked: Instant,
    /// The stream, and its position.
    stream: Option<(u64, Stream)>,
    /// The checkpoints that it was compared with, and how it stands to them.
    judged: Vec<(Judged, Standing)>,
    /// Files that have to wait until this one is done.
    waiting: Vec<Stamped>,
}

impl Unpacking {
    /// Whether a file has to wait for this one.
    fn is_before(&self, key: Key) -> bool {
        self.of.key != key && self.asked.elapsed() < KEPT_TIME
    }
}

/// What identifies a checkpoint, as far as the standing depends on it: key, position, proof, seal.
type Judged = (i32, u64, Hash, bool);

fn judged(checkpoint: &Checkpoint) -> Judged {
    (checkpoint.file_id, checkpoint.loaded_bytes, checkpoint.tail.hash, checkpoint.sealed)
}

impl Unpacked {
    /// Begins where these marks say, after a restart.
    pub fn keeping(marks: Marks) -> Unpacked {
        Unpacked { marks, ..Unpacked::default() }
    }

    /// Forgets the marks, because a file cannot be unpacked from where they say.
    pub(super) fn forget_marks(&self) {
        self.marks.forget();
    }

    /// What keeps the marks of a file.
    pub(super) fn marks_of(&self, file: Stamped) -> OnBlock {
        self.marks.of(file)
    }

    /// The stream of a file, beginning at `to` or, if the file is shorter, at its end; and where it begins. `open` opens
    /// the stream at a mark or at its beginning, and returns where that is.
    ///
    /// # Errors
    /// [`NotYet`]; or the file cannot be read.
    pub(super) fn skip(
        &self,
        of: Stamped,
        beginning: &[u8],
        to: u64,
        open: impl FnOnce(Option<Mark>) -> io::Result<(u64, Stream)>,
    ) -> io::Result<(u64, Stream)> {
        let started = Instant::now();
        let held = &mut *lock(&self.file);
        if let Some(other) = held.as_mut().filter(|other| other.is_before(of.key)) {
            if other.waiting.len() < WAITING_MAX && !other.waiting.contains(&of) {
                other.waiting.push(of);
            }
            return Err(NotYet::error());
        }
        if held.as_ref().is_none_or(|file| file.of != of) {
            let beginning = beginning.to_vec();
            let (judged, waiting) = (Vec::new(), Vec::new());
            *held = Some(Unpacking { of, beginning, asked: started, stream: None, judged, waiting });
        }
        let Some(file) = held else { return Err(NotYet::error()) };
        file.asked = started;
        let (mut at, mut stream) = match file.stream.take().filter(|(at, _)| *at <= to) {
            Some(before) => before,
            None => open(self.marks.before(to, of))?,
        };
        while at < to {
            if started.elapsed() >= STEP_TIME {
                file.stream = Some((at, stream));
                return Err(NotYet::error());
            }
            let most = CHUNK_BYTES.min(to - at);
            let passed = io::copy(&mut stream.by_ref().take(most), &mut io::sink());
            let passed = passed.inspect_err(|_| self.forget_marks())?;
            at += passed;
            if passed < most {
                break;
            }
        }
        Ok((at, stream))
    }

    /// The first bytes of a file, if it is the one that is being unpacked.
    ///
    /// # Errors
    /// [`NotYet`]: the file is known to wait for another one, so not even its beginning has to be unpacked.
    pub(super) fn beginning(&self, file: Stamped) -> io::Result<Option<Vec<u8>>> {
        let held = lock(&self.file);
        let Some(held) = &*held else { return Ok(None) };
        if held.is_before(file.key) && held.waiting.contains(&file) {
            return Err(NotYet::error());
        }
        Ok((held.of == file).then(|| held.beginning.clone()))
    }

    /// How a file was found to stand to a checkpoint; `None`: it was not compared yet.
    pub(super) fn judged(&self, file: Stamped, checkpoint: &Checkpoint) -> Option<Standing> {
        let held = lock(&self.file);
        let held = held.as_ref().filter(|held| held.of == file)?;
        held.judged.iter().find(|one| one.0 == judged(checkpoint)).map(|one| one.1)
    }

    /// Remembers how a file stands to a checkpoint.
    pub(super) fn judge(&self, file: Stamped, checkpoint: &Checkpoint, standing: Standing) {
        let held = &mut *lock(&self.file);
        if let Some(held) = held.as_mut().filter(|held| held.of == file) {
            held.judged.push((judged(checkpoint), standing));
        }
    }

    /// Lets go of a file that was compared with all checkpoints.
    pub fn done(&self, file: Stamped) {
        let held = &mut *lock(&self.file);
        if held.as_ref().is_some_and(|held| held.of == file) {
            *held = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use alt_line::checkpoint::{Head, Proof};
    use alt_store::files::Stamp;

    use super::*;

    /// Zeros that come slowly, and a count of how many were read.
    struct Slow(Arc<Mutex<u64>>);

    impl Read for Slow {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            std::thread::sleep(Duration::from_millis(1));
            let n = buffer.len().min(8192);
            buffer[..n].fill(0);
            *lock(&self.0) += n as u64;
            Ok(n)
        }
    }

    fn opened(count: &Arc<Mutex<u64>>) -> io::Result<(u64, Stream)> {
        Ok((0, Box::new(Slow(Arc::clone(count)))))
    }

    #[test]
    fn a_file_is_unpacked_in_steps_and_once() {
        let (unpacked, count) = (Unpacked::default(), Arc::new(Mutex::new(0)));
        let stamp = Stamp { size: 9, modified: 9 };
        let (file, other) = (Stamped { key: (1, 1), stamp }, Stamped { key: (1, 2), stamp });
        let to = 16 * CHUNK_BYTES;
        let mut steps = 0;
        let (at, _) = loop {
            let before = *lock(&count);
            match unpacked.skip(file, b"b", to, |_| opened(&count)) {
                Ok(there) => break there,
                Err(error) => assert!(NotYet::is(&error), "{error}"),
            }
            assert!(*lock(&count) > before && *lock(&count) < to, "each step goes on, and none to the end");
            let waits = unpacked.skip(other, b"o", 1, |_| opened(&count));
            assert!(NotYet::is(&waits.err().unwrap()), "one at a time");
            assert_eq!(unpacked.beginning(file).unwrap(), Some(b"b".to_vec()));
            assert!(NotYet::is(&unpacked.beginning(other).unwrap_err()), "it is not asked for in vain");
            steps += 1;
        };
        assert_eq!((at, *lock(&count)), (to, to), "it was read once");
        assert!(steps > 1, "{steps}");
        unpacked.done(file);
        assert_eq!(unpacked.skip(other, b"o", 8192, |_| opened(&count)).unwrap().0, 8192);
    }

    #[test]
    fn a_file_that_changed_or_ended_up_behind_is_unpacked_anew() {
        let (unpacked, count) = (Unpacked::default(), Arc::new(Mutex::new(0)));
        let file = |size| Stamped { key: (1, 1), stamp: Stamp { size, modified: 9 } };
        let far = 1 << 40;
        let step =
            |file| assert!(NotYet::is(&unpacked.skip(file, b"b", far, |_| opened(&count)).err().unwrap()));
        step(file(1));
        let read = *lock(&count);
        assert_eq!(unpacked.skip(file(1), b"b", 8192, |_| opened(&count)).unwrap().0, 8192);
        assert_eq!(*lock(&count), read + 8192, "what lies before is read from the beginning");
        step(file(1));
        let read = *lock(&count);
        assert_eq!(unpacked.skip(file(2), b"c", 8192, |_| opened(&count)).unwrap().0, 8192);
        assert_eq!(*lock(&count), read + 8192, "another content");
    }

    #[test]
    fn a_standing_holds_for_one_file_and_one_checkpoint() {
        let (unpacked, count) = (Unpacked::default(), Arc::new(Mutex::new(0)));
        let file = |size| Stamped { key: (1, 1), stamp: Stamp { size, modified: 9 } };
        let proof = Proof::of(b"x");
        let head = Head { proof, has_id: true };
        let open = Checkpoint { file_id: 1, head, fork: 0, loaded_bytes: 9, tail: proof, sealed: false };
        let sealed = Checkpoint { sealed: true, ..open };
        assert!(unpacked.skip(file(1), b"b", 1 << 40, |_| opened(&count)).is_err());
        unpacked.judge(file(1), &open, Standing::Diverges);
        assert_eq!(unpacked.judged(file(1), &open), Some(Standing::Diverges));
        assert_eq!(unpacked.judged(file(1), &sealed), None);
        assert_eq!(unpacked.judged(file(1), &Checkpoint { loaded_bytes: 8, ..open }), None);
        assert_eq!(unpacked.judged(file(2), &open), None);
    }
}
