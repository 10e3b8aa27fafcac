//! The rows that a dry run would load. Used to count rows that occur more than once.
//!
//! Every row's name (16 bytes) is kept in a temporary file, partitioned by its first byte. At the end, each partition
//! is examined alone. So memory is bounded, however much is rehearsed.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use alt_line::batch::BatchRow;

/// The number of names of one partition that are written at once.
const BLOCK_NAMES: usize = 256;

const NAME_BYTES: usize = 16;

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

    /// Adds rows that are not in the database.
    ///
    /// # Errors
    /// The temporary file cannot be written.
    pub fn add(&mut self, rows: &[BatchRow]) -> io::Result<()> {
        for key in rows.iter().map(|row| row.key) {
            let digest = blake3::Hasher::new()
                .update(&key.event_id.to_be_bytes())
                .update(&key.occurred_at.to_be_bytes())
                .update(&key.app_id.to_be_bytes())
                .finalize();
            let mut name = Name::default();
            name.copy_from_slice(&digest.as_bytes()[..NAME_BYTES]);
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

    /// How many rows are repetitions. The first occurrence of a row does not count.
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
            let all = names.len();
            names.sort_unstable();
            names.dedup();
            repeated += (all - names.len()) as u64;
        }
        Ok(repeated)
    }
}

#[cfg(test)]
mod tests {
    use alt_line::batch::EventKey;

    use super::*;

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
            encoded: 0..0,
        };
        let rows: Vec<BatchRow> = (0..200_000).map(row).collect();
        rehearsal.add(&rows).unwrap();
        rehearsal.add(&rows[..1234]).unwrap();
        rehearsal.add(&rows[..1000]).unwrap();
        // another event, although its id is known
        let mut other = row(0);
        other.key.occurred_at = 2;
        rehearsal.add(&[other]).unwrap();
        assert_eq!(rehearsal.repeated().unwrap(), 2234);
    }
}
