//! Where unpacking a bzip2 file can begin: a record on disk, so that a restart loses little of it.
//!
//! Each reader thread has one, for the file that it unpacked last. The page cache keeps it, however the process ends.
//! A record that is damaged, or of another file, is none.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, Mutex, Weak};

use alt_line::checkpoint::hash;
use alt_process::lock::lock;
use alt_store::files::Stamp;

use crate::source::siblings::Key;
use crate::source::unpack::{Mark, OnBlock};

/// Unpacked bytes between two marks that are noted.
const SPACING: u64 = 1024 * 1024;

/// Marks that are noted. A file is read farther than its checkpoint, so the last mark alone would be of no use.
const MARKS: usize = 64;

/// A key, a stamp, the marks, and a hash of them.
const RECORD_BYTES: usize = 32 + MARKS * 20 + 16;

/// A packed file, and its stamp: one with another stamp is unpacked anew.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stamped {
    /// Its device and inode.
    pub key: Key,
    /// Its size and time.
    pub stamp: Stamp,
}

/// The marks of a file.
#[derive(Debug, Clone, Default, PartialEq)]
struct Record {
    file: Option<Stamped>,
    /// Ascending.
    marks: Vec<Mark>,
}

impl Record {
    fn bytes(&self) -> Vec<u8> {
        let Stamped { key: (device, inode), stamp: Stamp { size, modified } } = self.file.unwrap_or_default();
        let mut bytes = Vec::with_capacity(RECORD_BYTES);
        for number in [device, inode, size.cast_unsigned(), modified.cast_unsigned()] {
            bytes.extend(number.to_le_bytes());
        }
        for mark in &self.marks {
            bytes.extend(mark.bit.to_le_bytes());
            bytes.extend(mark.unpacked.to_le_bytes());
            bytes.extend(mark.crc.to_le_bytes());
        }
        bytes.resize(RECORD_BYTES - 16, 0);
        bytes.extend(hash(&bytes));
        bytes
    }

    fn of(bytes: &[u8]) -> Option<Record> {
        let (content, proof) = bytes.split_at_checked(RECORD_BYTES - 16)?;
        if hash(content) != *proof {
            return None;
        }
        let number = |at: usize| content.get(at..at + 8)?.try_into().ok().map(u64::from_le_bytes);
        let stamp = Stamp { size: number(16)?.cast_signed(), modified: number(24)?.cast_signed() };
        let mark = |at: usize| {
            let crc = content.get(at + 16..at + 20)?.try_into().ok().map(u32::from_le_bytes)?;
            Some(Mark { bit: number(at)?, unpacked: number(at + 8)?, crc })
        };
        let marks = (0..MARKS).map_while(|n| mark(32 + n * 20)).take_while(|mark| mark.bit > 0).collect();
        let key = (number(0)?, number(8)?);
        Some(Record { file: Some(Stamped { key, stamp }), marks })
    }
}

/// The marks of the file that a reader thread unpacked last. Clones share them.
#[derive(Clone, Default)]
pub struct Marks(Arc<Mutex<Noted>>);

#[derive(Default)]
struct Noted {
    record: Record,
    /// Alive as long as the file that the marks belong to is being unpacked.
    holder: Weak<()>,
    /// `None`: a restart forgets the marks.
    disk: Option<File>,
}

impl Marks {
    /// Reads the marks that the last run left at this path, and keeps further ones there.
    ///
    /// # Errors
    /// The file cannot be read or created.
    pub fn at(path: &Path) -> io::Result<Marks> {
        let disk = File::options().read(true).write(true).create(true).truncate(false).open(path)?;
        let mut bytes = vec![0; RECORD_BYTES];
        let n = disk.read_at(&mut bytes, 0)?;
        let record = Record::of(&bytes[..n]).unwrap_or_default();
        Ok(Marks(Arc::new(Mutex::new(Noted { record, holder: Weak::new(), disk: Some(disk) }))))
    }

    /// The last mark of a file from which `to` can be reached.
    pub(super) fn before(&self, to: u64, file: Stamped) -> Option<Mark> {
        let noted = lock(&self.0);
        let marks = noted.record.marks.iter().filter(|_| noted.record.file == Some(file));
        marks.rev().find(|mark| mark.unpacked <= to).copied()
    }

    /// Forgets the marks, because nothing can be unpacked from there.
    pub(super) fn forget(&self) {
        let noted = &mut *lock(&self.0);
        noted.record = Record::default();
        noted.write();
    }

    /// Keeps the marks of this file, unless another file that is being unpacked has its marks noted.
    pub(super) fn of(&self, file: Stamped) -> OnBlock {
        let (marks, holder) = (self.clone(), Arc::new(()));
        Box::new(move |mark| marks.note(file, &holder, mark))
    }

    fn note(&self, file: Stamped, holder: &Arc<()>, mark: Mark) {
        let noted = &mut *lock(&self.0);
        if noted.record.file != Some(file) {
            if noted.holder.strong_count() > 0 {
                return;
            }
            noted.record = Record { file: Some(file), marks: Vec::new() };
        }
        noted.holder = Arc::downgrade(holder);
        let marks = &mut noted.record.marks;
        if marks.last().is_some_and(|last| mark.unpacked < last.unpacked + SPACING) {
            return;
        }
        if marks.len() == MARKS {
            marks.remove(0);
        }
        marks.push(mark);
        noted.write();
    }
}

impl Noted {
    fn write(&self) {
        if let Some(disk) = &self.disk {
            // Without the record, a restart unpacks the file from its beginning.
            let _ = disk.write_all_at(&self.record.bytes(), 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: Stamped = Stamped { key: (1, u64::MAX), stamp: Stamp { size: 9, modified: -9 } };

    fn mark(n: u64) -> Mark {
        Mark { bit: 32 + n, unpacked: n * SPACING, crc: u32::try_from(n).unwrap() }
    }

    #[test]
    fn marks_outlive_the_process_and_the_oldest_give_way() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("unpacked-0");
        let marks = Marks::at(&path).unwrap();
        assert_eq!(marks.before(u64::MAX, FILE), None);
        let mut on_block = marks.of(FILE);
        for n in 0..100 {
            on_block(mark(n));
            on_block(Mark { unpacked: mark(n).unpacked + 1, ..mark(n) });
        }
        let marks = Marks::at(&path).unwrap();
        assert_eq!(marks.before(u64::MAX, FILE), Some(mark(99)));
        assert_eq!(marks.before(mark(90).unpacked, FILE), Some(mark(90)));
        assert_eq!(marks.before(mark(90).unpacked - 1, FILE), Some(mark(89)));
        assert_eq!(marks.before(mark(36).unpacked, FILE), Some(mark(36)));
        assert_eq!(marks.before(mark(35).unpacked, FILE), None);
        let grown = Stamped { stamp: Stamp { size: 10, ..FILE.stamp }, ..FILE };
        assert_eq!(marks.before(u64::MAX, grown), None);
        marks.of(FILE)(mark(100));
        let mut held = marks.of(FILE);
        held(mark(101));
        marks.of(grown)(mark(3));
        assert_eq!(marks.before(u64::MAX, grown), None, "the other one is being unpacked");
        drop(held);
        marks.of(grown)(mark(3));
        assert_eq!(marks.before(u64::MAX, FILE), None);
        assert_eq!(Marks::at(&path).unwrap().before(u64::MAX, grown), Some(mark(3)));
        marks.forget();
        assert_eq!(Marks::at(&path).unwrap().before(u64::MAX, grown), None);
    }

    #[test]
    fn a_damaged_record_is_none() {
        let record = Record { file: Some(FILE), marks: vec![mark(1), mark(2)] };
        let bytes = record.bytes();
        assert_eq!(Record::of(&bytes), Some(record));
        for at in (0..RECORD_BYTES).step_by(13) {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1;
            assert_eq!(Record::of(&bytes), None, "byte {at}");
            assert_eq!(Record::of(&bytes[..at]), None);
        }
    }
}
