//! A record on disk of what each reader has in hand: it shows where a daemon that died was working.
//!
//! A file with one slot for each reader, in the daemon's state directory. A reader writes its slot before it processes
//! what it has read, once for each read and not for each line, and again when it is done. The page cache keeps the
//! slot, however the process ends. Only the search for a line that crashes the daemon uses it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use alt_line::checkpoint::Hash;
use alt_process::beat::Beat;

use super::siblings::Key;

/// The size of a slot. Several slots fit into a page; no slot crosses a page boundary.
const SLOT_BYTES: usize = 64;

/// What a reader is doing with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// Nothing is in hand.
    Rests,
    /// Several lines.
    Lines,
    /// One line, by itself.
    Line,
    /// No line: the file is being unpacked.
    Unpacks,
}

/// What a reader has, or had, in hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// What the reader does with it.
    pub how: How,
    /// It was, or was to be, a single line.
    pub is_one: bool,
    /// Key of `log_files`, if the file has a checkpoint; otherwise it has no meaning.
    pub file_id: i32,
    /// Hash of the file's beginning.
    pub head: Hash,
    /// Device and inode of a file that has no permanent name yet; otherwise zeros.
    pub key: Key,
    /// Offset of the first line.
    pub from: u64,
    /// Offset after the last byte that was read.
    pub to: u64,
}

impl Held {
    fn bytes(&self) -> [u8; SLOT_BYTES] {
        let mut bytes = [0; SLOT_BYTES];
        bytes[0] = match self.how {
            How::Rests => 1,
            How::Lines => 2,
            How::Line => 3,
            How::Unpacks => 4,
        };
        bytes[1] = u8::from(self.is_one);
        bytes[4..8].copy_from_slice(&self.file_id.to_le_bytes());
        bytes[8..24].copy_from_slice(&self.head);
        for (at, number) in [(24, self.key.0), (32, self.key.1), (40, self.from), (48, self.to)] {
            bytes[at..at + 8].copy_from_slice(&number.to_le_bytes());
        }
        bytes
    }

    fn of(bytes: &[u8]) -> Option<Held> {
        let number = |at: usize| bytes.get(at..at + 8)?.try_into().ok().map(u64::from_le_bytes);
        Some(Held {
            how: match bytes.first()? {
                1 => How::Rests,
                2 => How::Lines,
                3 => How::Line,
                4 => How::Unpacks,
                _ => return None,
            },
            is_one: *bytes.get(1)? == 1,
            file_id: i32::from_le_bytes(bytes.get(4..8)?.try_into().ok()?),
            head: bytes.get(8..24)?.try_into().ok()?,
            key: (number(24)?, number(32)?),
            from: number(40)?,
            to: number(48)?,
        })
    }
}

/// The slots of one run, by reader; `None`: the reader never had anything in hand.
///
/// # Errors
/// The file cannot be read.
pub fn read(path: &Path) -> io::Result<Vec<Option<Held>>> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(bytes.chunks(SLOT_BYTES).map(Held::of).collect()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Creates empty slots for this many readers.
///
/// # Errors
/// The file cannot be created or written.
pub fn begin(path: &Path, readers: usize) -> io::Result<Vec<Slot>> {
    let file = File::create(path)?;
    // Reserves the space, so that later writes succeed even if the disk is full.
    file.write_all_at(&vec![0; readers * SLOT_BYTES], 0)?;
    let file = Arc::new(file);
    Ok((0..readers).map(|n| Slot { file: Arc::clone(&file), at: (n * SLOT_BYTES) as u64 }).collect())
}

/// A reader's slot.
#[derive(Debug, Clone)]
pub struct Slot {
    file: Arc<File>,
    at: u64,
}

/// What a reader shows while it works: its heartbeat, and what it has in hand.
#[derive(Debug, Clone, Default)]
pub struct Hand {
    /// The heartbeat.
    pub beat: Arc<Beat>,
    /// Where the reader records what it has in hand; `None`: nowhere.
    pub slot: Option<Slot>,
}

impl Hand {
    /// Records that the reader now has this in hand.
    pub fn holds(&self, held: &Held) {
        if let Some(slot) = &self.slot {
            // Without the record, a line that crashes the daemon is not found; all other lines are still loaded.
            let _ = slot.file.write_all_at(&held.bytes(), slot.at);
        }
    }
}

/// Advances the reader's heartbeat with every read.
pub(super) struct Beating<R> {
    from: R,
    beat: Arc<Beat>,
}

impl<R> Beating<R> {
    pub(super) fn new(from: R, beat: &Arc<Beat>) -> Beating<R> {
        Beating { from, beat: Arc::clone(beat) }
    }
}

impl<R: io::Read> io::Read for Beating<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.beat.moves();
        self.from.read(buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_held_last_is_read_back() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("trail");
        assert_eq!(read(&path).unwrap(), []);
        let slots = begin(&path, 3).unwrap();
        assert_eq!(read(&path).unwrap(), [None, None, None]);
        let held = Held {
            how: How::Lines,
            is_one: false,
            file_id: -7,
            head: [9; 16],
            key: (u64::MAX, 1 << 40),
            from: 123_456_789_012,
            to: u64::MAX - 1,
        };
        let hand = Hand { slot: Some(slots[1].clone()), ..Hand::default() };
        for how in [How::Lines, How::Line, How::Unpacks, How::Rests] {
            let held = Held { how, is_one: how == How::Line, ..held };
            hand.holds(&held);
            assert_eq!(read(&path).unwrap(), [None, Some(held), None]);
        }
        // A file that another version left.
        std::fs::write(&path, [7; 100]).unwrap();
        assert_eq!(read(&path).unwrap(), [None, None]);
    }
}
