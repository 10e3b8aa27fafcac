//! The proof that a checkpoint belongs to a file, and how far the file is loaded.
//!
//! A checkpoint contains two hashes: `head` of the file's beginning, `tail` of the bytes that end at `loaded_bytes`. A
//! file continues at a checkpoint only if its bytes match both (the head *holds*, the tail *holds*). This module
//! computes and compares; it reads no files.
//!
//! | the file's bytes                                        | standing   | what follows                      |
//! |---------------------------------------------------------|------------|-----------------------------------|
//! | too few for the head, or another head                   | `Other`    | not this checkpoint               |
//! | head holds, shorter than `loaded_bytes`                 | `Shorter`  | an unfinished copy, or a cut file |
//! | head holds, tail does not                               | `Diverges` | begins alike, goes on differently |
//! | both hold, unsealed                                     | `Continues`| read on from `loaded_bytes`       |
//! | both hold, sealed, ends at `loaded_bytes`               | `Done`     | nothing to do                     |
//! | both hold, sealed, goes on                              | `Beyond`   | unknown bytes: read on, with ids  |

use super::lines::{KEPT_BYTES, LINE_BYTES_MAX};

/// Bytes of the head for a format without event ids.
pub const HEAD_BYTES: usize = KEPT_BYTES;

/// Bytes at the start of a file in which a line with an id is searched for.
pub const HEAD_SEARCH_BYTES: usize = LINE_BYTES_MAX + HEAD_BYTES;

/// BLAKE3, 16 bytes.
pub type Hash = [u8; 16];

/// Hashes a piece of a file.
pub fn hash(bytes: &[u8]) -> Hash {
    let mut hash = Hash::default();
    hash.copy_from_slice(&blake3::hash(bytes).as_bytes()[..16]);
    hash
}

/// A hash, and the number of bytes that were hashed.
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

/// The beginning of a file, by which the file is identified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Over the file's first bytes.
    pub proof: Proof,
    /// These bytes contain an event id, so no other file begins with them. Without an id, the head identifies a file
    /// only among those of one host and source.
    pub has_id: bool,
}

impl Head {
    /// The head of a file whose first bytes are `beginning` (up to [`HEAD_SEARCH_BYTES`] of them). `None` if
    /// there is no whole line yet, unless the file is `complete`.
    ///
    /// For `alt1`, the head ends with the first line that has a request id. For other formats, and if no line has an
    /// id, it is the first [`HEAD_BYTES`], or all that there are.
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

/// How many bytes before `loaded_bytes` the tail covers: up to [`HEAD_BYTES`], or, if lines have ids, the whole last
/// line (with its newline) if that is longer. The last line alone would not be enough: a file with other lines before
/// it may have it at the same place.
pub fn tail_bytes(has_id: bool, last_line_bytes: u64, loaded_bytes: u64) -> u32 {
    let least = HEAD_BYTES as u64;
    let wanted = if has_id { last_line_bytes.max(least) } else { least };
    u32::try_from(wanted.min(loaded_bytes).min(LINE_BYTES_MAX as u64)).unwrap_or(u32::MAX)
}

/// A position in a file, and the proof that it is one of this file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The number of bytes before it.
    pub offset: u64,
    /// Proof of the bytes that end there.
    pub tail: Proof,
}

impl Position {
    /// The beginning of any file.
    pub fn start() -> Self {
        Position { offset: 0, tail: Proof::of(b"") }
    }
}

/// How far a file is loaded, and the proof of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Key of `log_files`.
    pub file_id: i32,
    /// The file's beginning.
    pub head: Head,
    /// Its number among the files with the same head.
    pub fork: i32,
    /// Everything before this offset is accounted for.
    pub loaded_bytes: u64,
    /// Proof of the bytes that end at `loaded_bytes`.
    pub tail: Proof,
    /// Nothing more is expected.
    pub sealed: bool,
}

/// How a file's bytes compare with a checkpoint.
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
    /// Has more bytes than were loaded when it was sealed.
    Beyond,
}

impl Checkpoint {
    /// Where reading goes on.
    pub fn position(&self) -> Position {
        Position { offset: self.loaded_bytes, tail: self.tail }
    }

    /// Compares a file. `head_holds` and `tail_holds` say whether the file's bytes match the proofs (`tail_holds`
    /// counts only if the file is long enough); `file_bytes` is the file's uncompressed length.
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
