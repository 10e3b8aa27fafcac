//! The bytes of a segment, version 1. Numbers are little-endian.
//!
//! | bytes | |
//! |---|---|
//! | 4 | `ALTS` |
//! | 1, 1, 2 | version, definition, 0 |
//! | 8, 8 | the day's first moment (microseconds since 1970), base (seconds since it) |
//! | 6 × 4 | rows of the tables |
//! | 2 | classes; of each 1 + n: name, 3 × 4: the ends of its sessions, requests and strays |
//! | 2 | columns; of each 2: number, 1: width of a value (0: texts), 1: table (255: none), 3 × 4: rows, bytes, packed bytes |
//! | … | the columns, packed by zstd: of numbers first the lowest bytes of all, then the next; of texts first their lengths |
//! | 8 | BLAKE3 of all before |

use std::cell::RefCell;

use zstd::bulk::Decompressor;

use super::Broken;

/// The first bytes.
pub(crate) const MAGIC: &[u8; 4] = b"ALTS";
/// The version that is written.
pub(crate) const VERSION: u8 = 1;
/// Bytes of the check sum.
pub(crate) const SUM: usize = 8;
/// The most rows of a table.
pub(crate) const ROWS_MAX: u32 = 1 << 24;
/// The most bytes of a column, unpacked.
pub(crate) const COLUMN_MAX: u32 = 1 << 27;
/// What zstd makes of a byte at most: a block of 128 KiB takes 4.
const EXPANDS_MAX: u64 = 33_000;
/// Level of zstd.
const LEVEL: i32 = 3;

/// A column that is packed.
#[derive(Debug)]
pub(crate) struct Packed {
    /// Bytes of a value; 0 of texts.
    pub(crate) width: u8,
    /// Values.
    pub(crate) rows: u32,
    /// Bytes before packing.
    pub(crate) raw: u32,
    /// The packed bytes.
    pub(crate) bytes: Vec<u8>,
}

fn size(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

fn packed(width: u8, rows: usize, raw: &[u8]) -> Packed {
    // In memory, zstd fails only without memory.
    let bytes = zstd::bulk::compress(raw, LEVEL).unwrap_or_default();
    Packed { width, rows: size(rows), raw: size(raw.len()), bytes }
}

/// Packs numbers.
#[allow(clippy::needless_pass_by_value)] // an iterator, which is small
pub(crate) fn pack(values: impl Iterator<Item = u64> + Clone) -> Packed {
    let most = values.clone().max().unwrap_or(0);
    let width: u8 = match u64::BITS - most.leading_zeros() {
        ..=8 => 1,
        9..=16 => 2,
        17..=32 => 4,
        _ => 8,
    };
    let rows = values.clone().count();
    let mut raw = Vec::with_capacity(rows * usize::from(width));
    for plane in 0..width {
        raw.extend(values.clone().map(|value| value.to_le_bytes()[usize::from(plane)]));
    }
    packed(width, rows, &raw)
}

/// Packs texts.
pub(crate) fn pack_texts(texts: &[&str]) -> Packed {
    let mut raw = Vec::with_capacity(texts.iter().map(|text| text.len() + 4).sum());
    for plane in 0..4 {
        raw.extend(texts.iter().map(|text| size(text.len()).to_le_bytes()[plane]));
    }
    for text in texts {
        raw.extend(text.as_bytes());
    }
    packed(0, texts.len(), &raw)
}

/// Whether so many packed bytes can become so many.
pub(crate) fn is_possible(raw: u32, bytes: u32) -> bool {
    raw <= COLUMN_MAX && u64::from(raw) <= 64 + u64::from(bytes) * EXPANDS_MAX
}

thread_local! {
    /// What unpacks columns in this thread: to make it takes as long as to unpack a small column.
    static UNPACKER: RefCell<Decompressor<'static>> = RefCell::default();
}

/// Unpacks exactly `raw` bytes.
pub(crate) fn unpack(bytes: &[u8], raw: u32) -> Option<Vec<u8>> {
    let unpacked = UNPACKER.with_borrow_mut(|unpacker| unpacker.decompress(bytes, raw as usize)).ok()?;
    (unpacked.len() == raw as usize).then_some(unpacked)
}

/// The first 8 bytes of BLAKE3.
pub(crate) fn sum(bytes: &[u8]) -> [u8; SUM] {
    blake3::hash(bytes).as_bytes().first_chunk().copied().unwrap_or_default()
}

/// Reads numbers from the front.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cursor<'b>(pub(crate) &'b [u8]);

impl<'b> Cursor<'b> {
    /// So many bytes.
    pub(crate) fn take(&mut self, count: usize) -> Result<&'b [u8], Broken> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Broken::Cut)?;
        self.0 = rest;
        Ok(taken)
    }

    /// So many bytes as an array.
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Broken> {
        let taken = self.take(N)?;
        taken.first_chunk().copied().ok_or(Broken::Cut)
    }

    /// A byte.
    pub(crate) fn byte(&mut self) -> Result<u8, Broken> {
        Ok(u8::from_le_bytes(self.array()?))
    }

    /// Two bytes.
    pub(crate) fn short(&mut self) -> Result<u16, Broken> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    /// Four bytes.
    pub(crate) fn int(&mut self) -> Result<u32, Broken> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    /// Eight bytes, signed.
    pub(crate) fn long(&mut self) -> Result<i64, Broken> {
        Ok(i64::from_le_bytes(self.array()?))
    }
}
