//! Ids for the lines of formats that carry no event id.
//!
//! An id is a UUID of version 8 (RFC 9562) with two parts. Its first 80 bits are the *name*: a hash of the source's
//! label, the line, and how many equal lines begin in the 1 MiB of the file before it. Its last 48 bits are the *place*:
//! a hash of the file's first line, plus the line's offset. So a line that is read again, from the same file or a copy
//! of it, has the same id, and no two lines of a file have the same id, however many lines are equal.
//!
//! Names tell which lines may be the same event: a copy that was cut, merged or edited has its lines elsewhere, so the
//! places differ, and the names do not. Where two rows with one name are lines of one file, they are two events (equal
//! lines more than 1 MiB apart); where they are not, they are one: `batch/there` decides.
//!
//! In the ids that earlier versions stored, the last 48 bits are more of the hash. The names are the same, so these events
//! are found.

use std::collections::{HashMap, VecDeque};

/// How far back equal lines are counted, bytes of the uncompressed file.
pub const WINDOW_BYTES: u64 = 1024 * 1024;

/// The bits of an id that are its place.
const PLACE: u128 = (1 << 48) - 1;

/// The bytes of a file's first line that its places depend on: what is there of every file that is identified.
const FIRST_LINE_BYTES: usize = super::checkpoint::HEAD_BYTES;

/// The name in an id that was made from a line.
pub fn name(id: u128) -> u128 {
    id & !PLACE
}

/// Whether two ids, each with the offset of its line, have places in files with the same first line. Of an id that
/// was made by an earlier version, that is unknown, and the answer is `false`.
pub fn begin_alike(a: Placed, b: Placed) -> bool {
    a.origin() == b.origin()
}

/// An id that was made from a line, and the offset of the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed {
    /// The id.
    pub id: u128,
    /// Offset of the line in its file, in bytes.
    pub offset: u64,
}

impl Placed {
    /// What the file's first line adds to the place.
    fn origin(self) -> u128 {
        self.id.wrapping_sub(u128::from(self.offset)) & PLACE
    }
}

/// The lines of the last [`WINDOW_BYTES`] of one file.
#[derive(Debug, Default)]
pub struct LineIds {
    /// Hash of the file's first line.
    origin: u64,
    lines: VecDeque<(u64, u64)>,
    counts: HashMap<u64, u32>,
}

impl LineIds {
    /// For a file that begins with these bytes, which contain a whole line or the first 4 KiB.
    pub fn of(beginning: &[u8]) -> LineIds {
        let most = &beginning[..beginning.len().min(FIRST_LINE_BYTES)];
        let line = &most[..memchr::memchr(b'\n', most).unwrap_or(most.len())];
        let mut origin = [0; 8];
        origin.copy_from_slice(&blake3::hash(line).as_bytes()[..8]);
        LineIds { origin: u64::from_be_bytes(origin), ..LineIds::default() }
    }

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
        let id = uuid::Builder::from_custom_bytes(id.to_be_bytes()).into_uuid().as_u128();
        name(id) | u128::from(self.origin.wrapping_add(offset)) & PLACE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(lines: &[(&str, u64)], label: &str) -> Vec<u128> {
        let mut ids = LineIds::of(b"a\nb");
        lines.iter().map(|(line, offset)| ids.id(label, line.as_bytes(), *offset)).collect()
    }

    fn names(lines: &[(&str, u64)], label: &str) -> Vec<u128> {
        ids(lines, label).into_iter().map(name).collect()
    }

    #[test]
    fn equal_lines_have_names_of_their_own_and_always_the_same() {
        let a = names(&[("x", 0), ("x", 2), ("y", 4), ("x", 6)], "site");
        let b = names(&[("x", 100), ("y", 102), ("x", 104), ("x", 106)], "site");
        assert_eq!(a, [b[0], b[2], b[1], b[3]]);
        let distinct: std::collections::HashSet<_> = a.iter().collect();
        assert_eq!(distinct.len(), 4);
        assert_ne!(a, names(&[("x", 0), ("x", 2), ("y", 4), ("x", 6)], "other"));
        let ids = ids(&[("x", 0), ("x", u64::MAX)], "site");
        assert!(ids.iter().all(|id| uuid::Uuid::from_u128(*id).get_version_num() == 8));
    }

    #[test]
    fn lines_out_of_the_window_have_the_same_name_and_another_id() {
        let lines = [("x", 0), ("x", WINDOW_BYTES), ("x", 2 * WINDOW_BYTES + 1)];
        let (ids, names) = (ids(&lines, "site"), names(&lines, "site"));
        assert_ne!(names[0], names[1]);
        assert_eq!(names[0], names[2]);
        assert_ne!(ids[0], ids[2]);
        // Equal lines all the way: the numbers of equal lines repeat, the ids do not.
        let mut all = LineIds::default();
        let many: std::collections::HashSet<_> = (0..50_000).map(|n| all.id("site", b"x", n * 100)).collect();
        assert_eq!(many.len(), 50_000);
        assert!(all.lines.len() <= 10_500 && all.counts.len() == 1, "the window has no bound");
    }

    #[test]
    fn what_is_read_from_the_middle_has_the_ids_of_the_whole_file() {
        let line = |n: u64| (if n.is_multiple_of(7) { "y" } else { "x" }, n * 1000);
        let whole: Vec<_> = (0..5000).map(line).collect();
        let all = ids(&whole, "site");
        for from in [1, 1048, 1049, 1050, 3000, 4999] {
            let warm = whole.iter().position(|l| l.1 + WINDOW_BYTES >= whole[from].1).unwrap();
            assert_eq!(ids(&whole[warm..], "site")[from - warm..], all[from..], "from {from}");
        }
    }

    #[test]
    fn the_first_line_decides_which_files_begin_alike() {
        let first = |beginning: &[u8]| Placed { id: LineIds::of(beginning).id("site", b"x", 7), offset: 7 };
        let (short, long) = (first(b"a\n"), first(b"a\nb\nc"));
        assert!(begin_alike(short, long) && short == long);
        let far = Placed { id: LineIds::of(b"a").id("site", b"y", 1 << 40), offset: 1 << 40 };
        assert!(begin_alike(short, far));
        assert!(!begin_alike(short, first(b"b\n")));
        // As much of a long line as a file has at least when it is identified.
        let long = |n| first(&vec![b'x'; n]);
        assert_eq!(long(FIRST_LINE_BYTES), long(2 * FIRST_LINE_BYTES));
        assert_ne!(long(FIRST_LINE_BYTES - 1), long(FIRST_LINE_BYTES));
    }

    #[test]
    fn the_names_are_those_of_the_ids_that_earlier_versions_made() {
        // What an earlier `alt replay` stored for three equal lines.
        let old = [
            "0254efd2-17a4-86db-80b5-c0200d346096",
            "20aca7f8-836f-8166-9eab-42aae488b480",
            "c300bf2c-641e-8565-88e5-f043f429148d",
        ];
        let line = "192.0.2.7 - - [10/Oct/2023:13:55:36 +0000] \"GET /health HTTP/1.1\" 200 2 \"-\" \"kube-probe/1.27\"";
        let now = ids(&[(line, 0), (line, 94), (line, 188)], "site");
        for (old, (&id, offset)) in old.iter().zip(now.iter().zip([0, 94, 188])) {
            let old = uuid::Uuid::parse_str(old).unwrap().as_u128();
            assert_eq!(name(old), name(id));
            assert_ne!(old, id);
            assert!(!begin_alike(Placed { id: old, offset }, Placed { id, offset }));
        }
    }
}
