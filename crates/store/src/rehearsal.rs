//! The rows that a dry run would load. Used to count rows that occur more than once.
//!
//! Every row's name (16 bytes) is kept in a temporary file with its file's key, partitioned by its first byte. At the
//! end, each partition is examined alone. So memory is bounded, however much is rehearsed.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use alt_line::batch::Batch;

/// The number of names of one partition that are written at once.
const BLOCK_NAMES: usize = 256;

/// Bytes of the hash of what rows share that may be one event.
const HASH_BYTES: usize = 16;

const NAME_BYTES: usize = HASH_BYTES + size_of::<i32>();

/// The hash, then the key of the row's file; 0 for a row whose id the line carries, which is one event in any file.
type Name = [u8; NAME_BYTES];

/// What was rehearsed so far.
#[derive(Debug)]
pub struct Rehearsal {
    file: File,
    end: u64,
    parts: Vec<Part>,
}

#[derive(Debug, Default)]
struct Part {
    names: Vec<Name>,
    /// Offsets of the partition's blocks in the file.
    blocks: Vec<u64>,
}

impl Rehearsal {
    /// An empty rehearsal. `directory` is where the temporary file is created; the file has no name.
    ///
    /// # Errors
    /// The file cannot be created.
    pub fn new(directory: &std::path::Path) -> io::Result<Rehearsal> {
        let parts = std::iter::repeat_with(Part::default).take(256).collect();
        Ok(Rehearsal { file: tempfile::tempfile_in(directory)?, end: 0, parts })
    }

    /// Adds the rows of a batch, which are not in the database.
    ///
    /// # Errors
    /// The temporary file cannot be written.
    pub fn add(&mut self, batch: &Batch) -> io::Result<()> {
        for row in &batch.rows {
            let key = row.name();
            let digest = blake3::Hasher::new()
                .update(&key.event_id.to_be_bytes())
                .update(&key.occurred_at.to_be_bytes())
                .update(&key.app_id.to_be_bytes())
                .finalize();
            let mut name = Name::default();
            name[..HASH_BYTES].copy_from_slice(&digest.as_bytes()[..HASH_BYTES]);
            if row.is_made {
                let file_id = batch.sections[row.section as usize].file.id();
                name[HASH_BYTES..].copy_from_slice(&file_id.to_be_bytes());
            }
            let part = &mut self.parts[usize::from(name[0])];
            part.names.push(name);
            if part.names.len() == BLOCK_NAMES {
                self.file.write_all_at(part.names.as_flattened(), self.end)?;
                part.blocks.push(self.end);
                self.end += (BLOCK_NAMES * NAME_BYTES) as u64;
                part.names.clear();
            }
        }
        Ok(())
    }

    /// How many rows are repetitions. The first occurrence of a row does not count, and neither do equal lines of one
    /// file.
    ///
    /// # Errors
    /// The temporary file cannot be read.
    pub fn repeated(&mut self) -> io::Result<u64> {
        let mut repeated = 0;
        for part in &mut self.parts {
            let mut names = std::mem::take(&mut part.names);
            for at in &part.blocks {
                let from = names.len();
                names.resize(from + BLOCK_NAMES, Name::default());
                self.file.read_exact_at(names[from..].as_flattened_mut(), *at)?;
            }
            names.sort_unstable();
            for rows in names.chunk_by(|a, b| a[..HASH_BYTES] == b[..HASH_BYTES]) {
                repeated += (rows.len() - events(rows)) as u64;
            }
        }
        Ok(repeated)
    }
}

/// How many events rows with one hash are, sorted: as many as the file has that has the most.
fn events(rows: &[Name]) -> usize {
    let of_one_file = rows.chunk_by(|a, b| a == b);
    let most = of_one_file.map(|rows| if rows[0][HASH_BYTES..] == [0; 4] { 1 } else { rows.len() }).max();
    most.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use alt_line::batch::{BatchRow, EventKey, FileRef};
    use alt_line::checkpoint::{Head, Position, Proof};

    use super::*;

    /// A batch of rows from the file with the key `file`.
    fn batch(file: i32, rows: &[BatchRow]) -> Batch {
        let proof = Proof::of(b"");
        let mut batch = Batch::default();
        let head = Head { proof, has_id: false };
        assert!(batch.open(FileRef::Known { id: file, head }, Position::start(), true));
        batch.rows = rows.to_vec();
        batch
    }

    #[test]
    fn what_comes_twice_is_counted() {
        let mut rehearsal = Rehearsal::new(&std::env::temp_dir()).unwrap();
        let row = |event_id: u128| BatchRow {
            key: EventKey { app_id: 1, occurred_at: 1, event_id },
            event_type: 0,
            offset: 0,
            span: 1,
            section: 0,
            was_reject: false,
            is_made: false,
            encoded: 0..0,
        };
        let rows: Vec<BatchRow> = (0..200_000).map(row).collect();
        rehearsal.add(&batch(1, &rows)).unwrap();
        rehearsal.add(&batch(1, &rows[..1234])).unwrap();
        rehearsal.add(&batch(2, &rows[..1000])).unwrap();
        // another event, although its id is known
        let mut other = row(0);
        other.key.occurred_at = 2;
        rehearsal.add(&batch(1, &[other])).unwrap();
        assert_eq!(rehearsal.repeated().unwrap(), 2234);
        // Three lines with one name in one file are three events, wherever in the file they are; two in another file
        // are two of these.
        let made = |at: u128| BatchRow { is_made: true, ..row(1 << 100 | at) };
        let mut rehearsal = Rehearsal::new(&std::env::temp_dir()).unwrap();
        rehearsal.add(&batch(3, &[made(1), made(2)])).unwrap();
        rehearsal.add(&batch(-4, &[made(7), made(8)])).unwrap();
        rehearsal.add(&batch(3, &[made(3)])).unwrap();
        assert_eq!(rehearsal.repeated().unwrap(), 2);
    }
}
