//! The finished segments of a day until they are stored: what does not fit in memory waits in an unnamed file.
//!
//! They are written to `stat_segments` in the transaction that finds the day unchanged, and not before: a day that is computed
//! in vain leaves nothing in the database, and nothing in its log.

use std::borrow::Cow;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::unnamed_file;

/// The bytes of segments that are held in memory.
const MEMORY: usize = 1 << 20;

/// A segment.
#[derive(Debug)]
enum Place {
    Memory(Vec<u8>),
    /// Where it begins in the file, and its bytes.
    File(u64, usize),
}

/// Segments in their order.
#[derive(Debug)]
pub struct Spool {
    directory: Option<PathBuf>,
    most: usize,
    held: usize,
    file: Option<File>,
    end: u64,
    places: Vec<Place>,
}

impl Spool {
    /// Creates a spool that holds 1 MiB in memory, and writes what does not fit to a file in a directory, or in that for
    /// temporary files.
    pub fn new(directory: Option<&Path>) -> Spool {
        Spool {
            directory: directory.map(Path::to_owned),
            most: MEMORY,
            held: 0,
            file: None,
            end: 0,
            places: Vec::new(),
        }
    }

    /// How many segments it has.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Adds a segment.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn add(&mut self, segment: Vec<u8>) -> anyhow::Result<()> {
        const CONTEXT: &str = "keep the segments of a day on the disk";
        if self.held + segment.len() <= self.most {
            self.held += segment.len();
            self.places.push(Place::Memory(segment));
            return Ok(());
        }
        if self.file.is_none() {
            self.file = Some(unnamed_file(self.directory.as_deref()).context(CONTEXT)?);
        }
        let Some(file) = &self.file else { return Ok(()) };
        file.write_all_at(&segment, self.end).context(CONTEXT)?;
        self.places.push(Place::File(self.end, segment.len()));
        self.end += segment.len() as u64;
        Ok(())
    }

    /// A segment, by its number from 0.
    ///
    /// # Errors
    /// The file cannot be read, or there is no such segment.
    pub fn get(&self, number: usize) -> anyhow::Result<Cow<'_, [u8]>> {
        let place = self.places.get(number).context("there is no such segment: this is a defect")?;
        match (place, &self.file) {
            (Place::Memory(segment), _) => Ok(Cow::Borrowed(segment)),
            (Place::File(from, length), Some(file)) => {
                let mut segment = vec![0; *length];
                file.read_exact_at(&mut segment, *from)
                    .context("read the segments of a day from the disk")?;
                Ok(Cow::Owned(segment))
            }
            (Place::File(..), None) => anyhow::bail!("a segment has no file: this is a defect"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_come_back_as_they_were_whatever_fits() {
        let segments: Vec<Vec<u8>> = (0..40_u8).map(|n| vec![n; usize::from(n) * 100 % 1_300]).collect();
        for most in [0, 1, 1_000, 5_000, 1 << 20] {
            let mut spool = Spool { most, ..Spool::new(None) };
            assert!(spool.is_empty());
            segments.iter().for_each(|segment| spool.add(segment.clone()).unwrap());
            assert_eq!(spool.len(), segments.len());
            for (number, segment) in segments.iter().enumerate() {
                assert_eq!(*spool.get(number).unwrap(), **segment, "{most} {number}");
            }
            assert!(spool.held <= most && (spool.end > 0) == (most < 1 << 20), "{most}");
            assert!(spool.get(segments.len()).is_err());
        }
    }
}
