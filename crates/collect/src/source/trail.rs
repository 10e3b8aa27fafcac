//! What each reader has in hand, on the disk: where a daemon that died was at work.
//!
//! A file of one slot a reader, in the daemon's state directory. A reader writes its slot before it touches what it has
//! read, once a read and not once a line, and again when it is done with it. The page cache keeps that, however the process
//! ends. Nothing but the search for a line that ends the daemon goes by it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use alt_line::checkpoint::Hash;
use alt_process::beat::Beat;

use super::siblings::Key;

/// Bytes of a slot: a few of them in a page, none across two.
const SLOT_BYTES: usize = 64;

/// How a file is at work.
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

/// What a reader has in hand, or had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// What is done with it.
    pub how: How,
    /// It was, or was to be, one line by itself.
    pub is_one: bool,
    /// Key of `log_files`, if the file has a checkpoint; else it means nothing.
    pub file_id: i32,
    /// Hash of the file's beginning.
    pub head: Hash,
    /// Its device and inode, where nothing else names it yet that stays; else zeros.
    pub key: Key,
    /// Offset of the first line.
    pub from: u64,
    /// Offset behind the last byte that was read.
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

/// The slots of one run, by reader; `None` where one never had anything in hand.
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

/// Empty slots for so many readers.
///
/// # Errors
/// The file cannot be made or written.
pub fn begin(path: &Path, readers: usize) -> io::Result<Vec<Slot>> {
    let file = File::create(path)?;
    // So that what is written later finds its room, whatever the disk has left.
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

/// What a reader shows of itself while it works: that it moves, and what it has in hand.
#[derive(Debug, Clone, Default)]
pub struct Hand {
    /// That it moves.
    pub beat: Arc<Beat>,
    /// Where it writes what it has in hand; `None`: nobody wants to know.
    pub slot: Option<Slot>,
}

impl Hand {
    /// It has this in hand now.
    pub fn holds(&self, held: &Held) {
        if let Some(slot) = &self.slot {
            // Without it a line that ends the daemon is not found; every other is loaded all the same.
            let _ = slot.file.write_all_at(&held.bytes(), slot.at);
        }
    }
}

/// Moves its reader's beat with all that is read through it.
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
        // What is left of another version's.
        std::fs::write(&path, [7; 100]).unwrap();
        assert_eq!(read(&path).unwrap(), [None, None]);
    }
}
