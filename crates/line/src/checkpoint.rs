//! What proves that a file is the one a checkpoint speaks of, and how far it is loaded.
//!
//! A checkpoint is a proof, not a number: `head` hashes the file's beginning, `tail` the bytes that end at
//! `loaded_bytes`. A file continues at a checkpoint only if both hold in its own bytes. This module computes
//! and compares; it reads no files.
//!
//! | the file's bytes                                        | standing   | what follows                      |
//! |---------------------------------------------------------|------------|-----------------------------------|
//! | too few for the head, or another head                   | `Other`    | not this checkpoint               |
//! | head holds, shorter than `loaded_bytes`                 | `Shorter`  | a copy under way, or a cut file   |
//! | head holds, tail does not                               | `Diverges` | begins alike, goes on differently |
//! | both hold, unsealed                                     | `Continues`| read on from `loaded_bytes`       |
//! | both hold, sealed, ends at `loaded_bytes`               | `Done`     | nothing to do                     |
//! | both hold, sealed, goes on                              | `Beyond`   | unknown bytes: read on, with ids  |

use super::lines::{KEPT_BYTES, LINE_BYTES_MAX};

/// Bytes that the head of a format without event ids covers.
pub const HEAD_BYTES: usize = KEPT_BYTES;

/// Bytes from the start of a file within which a line with an id is looked for.
pub const HEAD_SEARCH_BYTES: usize = LINE_BYTES_MAX + HEAD_BYTES;

/// BLAKE3, 16 bytes.
pub type Hash = [u8; 16];

/// Hashes a piece of a file.
pub fn hash(bytes: &[u8]) -> Hash {
    let mut hash = Hash::default();
    hash.copy_from_slice(&blake3::hash(bytes).as_bytes()[..16]);
    hash
}

/// A hash and how many bytes went into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proof {
    /// The hash.
    pub hash: Hash,
    /// Bytes hashed.
    pub bytes: u32,
}

impl Proof {
    /// Of these bytes. They are at most [`HEAD_SEARCH_BYTES`].
    pub fn of(bytes: &[u8]) -> Self {
        Proof { hash: hash(bytes), bytes: u32::try_from(bytes.len()).unwrap_or(u32::MAX) }
    }
}

/// The beginning of a file, as identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Over the file's first bytes.
    pub proof: Proof,
    /// They hold an event id, so that no other file in the world has them; without one, the head counts only
    /// on the same host and source.
    pub has_id: bool,
}

impl Head {
    /// The head of a file whose first bytes are `beginning` (up to [`HEAD_SEARCH_BYTES`] of them). `None` if
    /// there is no whole line yet, unless the file is `complete`.
    ///
    /// For `alt1`, all up to the end of the first line with a request id; for other formats, and where no
    /// line has one, the first [`HEAD_BYTES`], or as many as there are.
    pub fn of(beginning: &[u8], alt1: bool, complete: bool) -> Option<Head> {
        if alt1 {
            let mut start = 0;
            for newline in memchr::memchr_iter(b'\n', beginning) {
                if alt1_has_id(&beginning[start..newline]) {
                    return Some(Head { proof: Proof::of(&beginning[..=newline]), has_id: true });
                }
                start = newline + 1;
            }
        }
        let whole = memchr::memchr(b'\n', beginning).is_some() || beginning.len() >= HEAD_BYTES;
        if beginning.is_empty() || !(whole || complete) {
            return None;
        }
        let bytes = &beginning[..beginning.len().min(HEAD_BYTES)];
        Some(Head { proof: Proof::of(bytes), has_id: false })
    }

    /// Whether a longer beginning of the file would make a better head.
    pub fn is_provisional(&self) -> bool {
        !self.has_id && (self.proof.bytes as usize) < HEAD_BYTES
    }
}

/// `alt1\t` time `\t` 32 hexadecimal digits `\t`
fn alt1_has_id(line: &[u8]) -> bool {
    let Some(rest) = line.strip_prefix(b"alt1\t") else { return false };
    let Some(tab) = memchr::memchr(b'\t', rest) else { return false };
    let id = &rest[tab + 1..];
    id.len() > 32 && id[32] == b'\t' && id[..32].iter().all(u8::is_ascii_hexdigit)
}

/// How many bytes before `loaded_bytes` the tail covers: up to [`HEAD_BYTES`], and where lines have ids, all of the
/// last line (with its newline) if that is more. The last line alone would not do: another selection of the same
/// lines may have it at the same place.
pub fn tail_bytes(has_id: bool, last_line_bytes: u64, loaded_bytes: u64) -> u32 {
    let least = HEAD_BYTES as u64;
    let wanted = if has_id { last_line_bytes.max(least) } else { least };
    u32::try_from(wanted.min(loaded_bytes).min(LINE_BYTES_MAX as u64)).unwrap_or(u32::MAX)
}

/// How far a file is loaded, and the proof of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Key of `log_files`.
    pub file_id: i32,
    /// The file's beginning.
    pub head: Head,
    /// Number among the files that begin alike.
    pub fork: i32,
    /// Everything before this offset is accounted for.
    pub loaded_bytes: u64,
    /// Over the bytes that end at `loaded_bytes`.
    pub tail: Proof,
    /// Nothing more is expected.
    pub sealed: bool,
}

/// What a file's own bytes say of a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Not this checkpoint.
    Other,
    /// The head holds, but the file ends before `loaded_bytes`.
    Shorter,
    /// The head holds, the tail does not.
    Diverges,
    /// Read on from `loaded_bytes`.
    Continues,
    /// Loaded to its end and sealed.
    Done,
    /// Goes on behind its seal.
    Beyond,
}

impl Checkpoint {
    /// Where a file stands. `head_holds` and `tail_holds` say whether the file's own bytes hash to the proofs
    /// (the latter is only looked at where the file is long enough); `file_bytes` is its uncompressed length.
    pub fn standing(&self, file_bytes: u64, head_holds: bool, tail_holds: bool) -> Standing {
        if file_bytes < u64::from(self.head.proof.bytes) || !head_holds {
            Standing::Other
        } else if file_bytes < self.loaded_bytes {
            Standing::Shorter
        } else if !tail_holds {
            Standing::Diverges
        } else if !self.sealed {
            Standing::Continues
        } else if file_bytes == self.loaded_bytes {
            Standing::Done
        } else {
            Standing::Beyond
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "alt1\t1700000000.123\t0123456789abcdef0123456789abcdef\t192.0.2.1\tGET\n";

    fn check(beginning: &str, alt1: bool, complete: bool, expect: Option<(usize, bool)>) {
        let head = Head::of(beginning.as_bytes(), alt1, complete);
        assert_eq!(head.map(|h| (h.proof.bytes as usize, h.has_id)), expect, "{beginning:?}");
    }

    #[test]
    fn the_head_ends_with_the_first_line_that_has_an_id() {
        check(LINE, true, false, Some((LINE.len(), true)));
        check(&format!("{LINE}{LINE}"), true, false, Some((LINE.len(), true)));
        check(&format!("garbage\n\n{LINE}more"), true, false, Some((9 + LINE.len(), true)));
        check("garbage\n", true, false, Some((8, false)));
        check(LINE.trim_end(), true, false, None);
        check(LINE.trim_end(), true, true, Some((LINE.len() - 1, false)));
        check(&LINE.replace("0123", "zzzz"), true, false, Some((LINE.len(), false)));
        check("", true, true, None);
    }

    #[test]
    fn without_ids_the_head_is_the_first_4_kib() {
        check(LINE, false, false, Some((LINE.len(), false)));
        check(&"x".repeat(5000), false, false, Some((4096, false)));
        check("half a line", false, false, None);
        check("half a line", false, true, Some((11, false)));
    }

    #[test]
    fn standing_is_as_the_table_says() {
        let proof = Proof::of(b"x");
        let head = Head { proof: Proof { hash: proof.hash, bytes: 10 }, has_id: true };
        let open = Checkpoint { file_id: 1, head, fork: 0, loaded_bytes: 100, tail: proof, sealed: false };
        let sealed = Checkpoint { sealed: true, ..open.clone() };
        let table = [
            (&open, 9, true, true, Standing::Other),
            (&open, 100, false, true, Standing::Other),
            (&open, 99, true, true, Standing::Shorter),
            (&open, 100, true, false, Standing::Diverges),
            (&open, 100, true, true, Standing::Continues),
            (&open, 500, true, true, Standing::Continues),
            (&sealed, 99, true, true, Standing::Shorter),
            (&sealed, 100, true, true, Standing::Done),
            (&sealed, 101, true, true, Standing::Beyond),
            (&sealed, 101, true, false, Standing::Diverges),
        ];
        for (checkpoint, bytes, head, tail, expect) in table {
            assert_eq!(checkpoint.standing(bytes, head, tail), expect, "{bytes} {head} {tail}");
        }
    }
}
