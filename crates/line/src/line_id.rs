//! Ids for the lines of formats that carry no event id.
//!
//! An id is a UUID of version 8 (RFC 9562): a hash of the source's label, the line, and how many equal lines begin in
//! the 1 MiB of the file before it. So a line that is read again, from the same file or a copy of it, has the same id,
//! and equal lines of one file have different ids. Equal lines on both sides of a rotation may get the same id.

use std::collections::{HashMap, VecDeque};

/// How far back equal lines are counted, bytes of the uncompressed file.
pub const WINDOW_BYTES: u64 = 1024 * 1024;

/// The lines of the last [`WINDOW_BYTES`] of one file.
#[derive(Debug, Default)]
pub struct LineIds {
    lines: VecDeque<(u64, u64)>,
    counts: HashMap<u64, u32>,
}

impl LineIds {
    /// Takes the line at `offset` into the window and returns its id. It must be called for every line of a file that
    /// can become a row, in order, beginning [`WINDOW_BYTES`] before the first line whose id is used.
    pub fn id(&mut self, label: &str, line: &[u8], offset: u64) -> u128 {
        while let Some(&(at, key)) = self.lines.front()
            && at + WINDOW_BYTES < offset
        {
            self.lines.pop_front();
            if let Some(count) = self.counts.get_mut(&key) {
                *count -= 1;
                if *count == 0 {
                    self.counts.remove(&key);
                }
            }
        }
        let digest = blake3::Hasher::new()
            .update(&(label.len() as u64).to_le_bytes())
            .update(label.as_bytes())
            .update(line)
            .finalize();
        let mut half = [0u8; 16];
        half.copy_from_slice(&digest.as_bytes()[..16]);
        let whole = u128::from_be_bytes(half);
        #[allow(clippy::cast_possible_truncation)] // half of a hash is a hash
        let key = whole as u64;
        let equal = self.counts.entry(key).or_insert(0);
        // The id of the first of equal lines is the hash itself; for the others their number goes into another hash.
        let id = if *equal == 0 {
            whole
        } else {
            let digest = blake3::Hasher::new().update(&half).update(&equal.to_le_bytes()).finalize();
            half.copy_from_slice(&digest.as_bytes()[..16]);
            u128::from_be_bytes(half)
        };
        *equal += 1;
        self.lines.push_back((offset, key));
        uuid::Builder::from_custom_bytes(id.to_be_bytes()).into_uuid().as_u128()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(lines: &[(&str, u64)], label: &str) -> Vec<u128> {
        let mut ids = LineIds::default();
        lines.iter().map(|(line, offset)| ids.id(label, line.as_bytes(), *offset)).collect()
    }

    #[test]
    fn equal_lines_have_ids_of_their_own_and_always_the_same() {
        let a = ids(&[("x", 0), ("x", 2), ("y", 4), ("x", 6)], "site");
        assert_eq!(
            a,
            ids(&[("x", 100), ("y", 102), ("x", 104), ("x", 106)], "site").as_slice().swap_middle()
        );
        let distinct: std::collections::HashSet<_> = a.iter().collect();
        assert_eq!(distinct.len(), 4);
        assert_ne!(a, ids(&[("x", 0), ("x", 2), ("y", 4), ("x", 6)], "other"));
        assert!(a.iter().all(|id| uuid::Uuid::from_u128(*id).get_version_num() == 8));
    }

    #[test]
    fn lines_out_of_the_window_do_not_count() {
        let a = ids(&[("x", 0), ("x", WINDOW_BYTES), ("x", 2 * WINDOW_BYTES + 1)], "site");
        assert_ne!(a[0], a[1]);
        assert_eq!(a[0], a[2]);
    }

    trait SwapMiddle {
        fn swap_middle(&self) -> Vec<u128>;
    }
    impl SwapMiddle for [u128] {
        fn swap_middle(&self) -> Vec<u128> {
            vec![self[0], self[2], self[1], self[3]]
        }
    }
}
