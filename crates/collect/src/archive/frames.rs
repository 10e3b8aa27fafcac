//! The bytes of archive objects: independent zstd frames of whole lines, and a table of the frames' positions.
//!
//! The table is that of the seekable format (`contrib/seekable_format` of the zstd project): a skippable frame at the
//! end. `zstd -d` therefore reads an object like any other, and reading one line requires one frame. Invariant: a frame
//! begins where a line begins, unless a line is longer than a frame.

use std::io::{self, Write};

use sha2::{Digest, Sha256};

/// The number of raw bytes after which a frame ends with the current line.
pub const FRAME_BYTES: u64 = 8 << 20;

/// The window is as large as a frame: 8 MiB, which every decoder allows.
const WINDOW_LOG: u32 = 23;

/// The maximum number of bytes of a line by which a full frame is extended.
const OVERHANG_BYTES_MAX: u64 = 1 << 20;

const SKIPPABLE_MAGIC: u32 = 0x184d_2a5e;
const SEEKABLE_MAGIC: u32 = 0x8f92_eab1;

/// Bytes at the end of a seek table: number of frames, descriptor, magic.
const FOOTER_BYTES: usize = 9;

/// The compression of objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Frames with a seek table, at this level.
    Zstd(i32),
    /// Members, at this level; to find a line, everything before it is read.
    Gzip(u32),
}

impl Compression {
    /// The suffix of an object's name.
    pub fn suffix(self) -> &'static str {
        match self {
            Compression::Zstd(_) => "zst",
            Compression::Gzip(_) => "gz",
        }
    }
}

/// Counts and hashes the bytes that pass through.
struct Hashed<W> {
    to: W,
    bytes: u64,
    sha256: Sha256,
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.to.write(bytes)?;
        self.sha256.update(&bytes[..n]);
        self.bytes += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

enum Frame<W: Write> {
    Closed(Hashed<W>),
    Zstd(zstd::stream::write::Encoder<'static, Hashed<W>>),
    Gzip(flate2::write::GzEncoder<Hashed<W>>),
    /// Lost because of an error.
    Broken,
}

/// The result of writing an object.
pub struct Written<W> {
    /// The destination.
    pub to: W,
    /// Bytes of the object.
    pub bytes: u64,
    /// SHA-256 of the object.
    pub sha256: [u8; 32],
}

/// Writes an object, line by line.
pub struct Writer<W: Write> {
    compression: Compression,
    frame: Frame<W>,
    /// Raw bytes in the open frame, and in the line that is being written.
    frame_raw: u64,
    line_raw: u64,
    /// The start of the open frame in the object.
    frame_start: u64,
    table: Vec<(u32, u32)>,
}

impl<W: Write> Writer<W> {
    /// Creates a writer; nothing is written yet.
    pub fn new(to: W, compression: Compression) -> Self {
        let to = Hashed { to, bytes: 0, sha256: Sha256::new() };
        Writer {
            compression,
            frame: Frame::Closed(to),
            frame_raw: 0,
            line_raw: 0,
            frame_start: 0,
            table: Vec::new(),
        }
    }

    /// Writes raw bytes of the log, in pieces of any size.
    ///
    /// # Errors
    /// The object cannot be written.
    pub fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            if self.frame_raw >= FRAME_BYTES && (self.line_raw == 0 || self.line_raw > OVERHANG_BYTES_MAX) {
                self.end_frame()?;
            }
            // A full frame takes bytes only up to the end of the line. Frames therefore do not depend on the pieces.
            let is_full = self.frame_raw >= FRAME_BYTES;
            let most =
                if is_full { OVERHANG_BYTES_MAX + 1 - self.line_raw } else { FRAME_BYTES - self.frame_raw };
            let mut piece = &bytes[..bytes.len().min(usize::try_from(most).unwrap_or(usize::MAX))];
            if is_full && let Some(end) = memchr::memchr(b'\n', piece) {
                piece = &piece[..=end];
            }
            self.open_frame()?;
            match &mut self.frame {
                Frame::Zstd(encoder) => encoder.write_all(piece)?,
                Frame::Gzip(encoder) => encoder.write_all(piece)?,
                Frame::Closed(_) | Frame::Broken => return Err(broken()),
            }
            self.frame_raw += piece.len() as u64;
            self.line_raw = match memchr::memrchr(b'\n', piece) {
                Some(at) => (piece.len() - at - 1) as u64,
                None => self.line_raw + piece.len() as u64,
            };
            bytes = &bytes[piece.len()..];
        }
        Ok(())
    }

    /// Finishes the object.
    ///
    /// # Errors
    /// The object cannot be written.
    pub fn finish(mut self) -> io::Result<Written<W>> {
        if self.table.is_empty() {
            // An empty log must also be a valid compressed file.
            self.open_frame()?;
        }
        self.end_frame()?;
        let Frame::Closed(mut to) = self.frame else { return Err(broken()) };
        if let Compression::Zstd(_) = self.compression {
            to.write_all(&seek_table(&self.table))?;
        }
        to.flush()?;
        Ok(Written { to: to.to, bytes: to.bytes, sha256: to.sha256.finalize().into() })
    }

    fn open_frame(&mut self) -> io::Result<()> {
        let Frame::Closed(_) = &self.frame else { return Ok(()) };
        let Frame::Closed(to) = std::mem::replace(&mut self.frame, Frame::Broken) else {
            return Err(broken());
        };
        self.frame_start = to.bytes;
        self.frame = match self.compression {
            Compression::Zstd(level) => {
                let mut encoder = zstd::stream::write::Encoder::new(to, level)?;
                encoder.include_checksum(true)?;
                // Lines of the same page or visitor may be anywhere in the frame, so matches can be far apart.
                encoder.window_log(WINDOW_LOG)?;
                encoder.long_distance_matching(true)?;
                Frame::Zstd(encoder)
            }
            Compression::Gzip(level) => {
                Frame::Gzip(flate2::write::GzEncoder::new(to, flate2::Compression::new(level)))
            }
        };
        Ok(())
    }

    fn end_frame(&mut self) -> io::Result<()> {
        let to = match std::mem::replace(&mut self.frame, Frame::Broken) {
            Frame::Zstd(encoder) => encoder.finish()?,
            Frame::Gzip(encoder) => encoder.finish()?,
            Frame::Closed(to) => {
                self.frame = Frame::Closed(to);
                return Ok(());
            }
            Frame::Broken => return Err(broken()),
        };
        let narrow = |n: u64| u32::try_from(n).map_err(|_| io::Error::other("a frame of more than 4 GiB"));
        self.table.push((narrow(to.bytes - self.frame_start)?, narrow(self.frame_raw)?));
        self.frame_raw = 0;
        self.frame = Frame::Closed(to);
        Ok(())
    }
}

fn broken() -> io::Error {
    io::Error::other("an earlier write of this object failed")
}

fn seek_table(frames: &[(u32, u32)]) -> Vec<u8> {
    let narrow = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let (count, bytes) = (narrow(frames.len()), narrow(frames.len() * 8 + FOOTER_BYTES));
    let mut table = Vec::with_capacity(frames.len() * 8 + FOOTER_BYTES + 8);
    table.extend(SKIPPABLE_MAGIC.to_le_bytes());
    table.extend(bytes.to_le_bytes());
    for (packed, raw) in frames {
        table.extend(packed.to_le_bytes());
        table.extend(raw.to_le_bytes());
    }
    table.extend(count.to_le_bytes());
    table.push(0); // no checksums here: frames carry their own
    table.extend(SEEKABLE_MAGIC.to_le_bytes());
    table
}

/// The position of one frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The frame's first byte in the object.
    pub at: u64,
    /// The frame's compressed size.
    pub bytes: u64,
    /// Offset in the log of the frame's first raw byte.
    pub raw_at: u64,
    /// The number of raw bytes in the frame.
    pub raw_bytes: u64,
}

/// What the end of an object says about its frames.
#[derive(Debug, PartialEq, Eq)]
pub enum Table {
    /// The frame that contains a raw offset.
    Frame(Place),
    /// This many bytes of the object's end are needed.
    More(u64),
    /// The object has no frame with that offset.
    Beyond,
    /// The object has no seek table.
    None,
}

/// Looks up a raw offset in the seek table in the last bytes of an object.
pub fn locate(end: &[u8], raw_offset: u64) -> Table {
    let word = |at: usize| end.get(at..at + 4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    let Some(footer) = end.len().checked_sub(FOOTER_BYTES) else { return Table::More(FOOTER_BYTES as u64) };
    if word(end.len() - 4) != Some(SEEKABLE_MAGIC) {
        return Table::None;
    }
    let (count, descriptor) = (word(footer).unwrap_or(0) as usize, end[footer + 4]);
    let entry = if descriptor & 0x80 == 0 { 8 } else { 12 };
    let bytes = count * entry + FOOTER_BYTES + 8;
    let Some(start) = end.len().checked_sub(bytes) else { return Table::More(bytes as u64) };
    if word(start) != Some(SKIPPABLE_MAGIC) {
        return Table::None;
    }
    let (mut at, mut raw_at) = (0, 0);
    for frame in 0..count {
        let place = start + 8 + frame * entry;
        let (Some(packed), Some(raw)) = (word(place), word(place + 4)) else { return Table::None };
        let (bytes, raw_bytes) = (u64::from(packed), u64::from(raw));
        if raw_offset < raw_at + raw_bytes {
            return Table::Frame(Place { at, bytes, raw_at, raw_bytes });
        }
        (at, raw_at) = (at + bytes, raw_at + raw_bytes);
    }
    Table::Beyond
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use crate::source::unpack;

    /// A range of bytes, by offset and length of the types that files use.
    fn cut(bytes: &[u8], at: u64, length: u64) -> &[u8] {
        &bytes[usize::try_from(at).unwrap()..][..usize::try_from(length).unwrap()]
    }

    fn log(lines: usize, bytes: usize) -> Vec<u8> {
        (0..lines).flat_map(|n| format!("{n:08} {}\n", "x".repeat(bytes)).into_bytes()).collect()
    }

    fn packed(raw: &[u8], compression: Compression, piece: usize) -> Written<Vec<u8>> {
        let mut writer = Writer::new(Vec::new(), compression);
        raw.chunks(piece).for_each(|piece| writer.write(piece).unwrap());
        writer.finish().unwrap()
    }

    fn unpacked(object: &[u8]) -> Vec<u8> {
        let mut raw = Vec::new();
        unpack::unpacked(io::Cursor::new(object.to_vec())).unwrap().read_to_end(&mut raw).unwrap();
        raw
    }

    /// Offsets in the log at which frames begin; empty without a table.
    fn frames(object: &[u8]) -> Vec<u64> {
        let (mut starts, mut at) = (Vec::new(), 0);
        while let Table::Frame(place) = locate(object, at) {
            starts.push(place.raw_at);
            at = place.raw_at + place.raw_bytes;
        }
        starts
    }

    #[test]
    fn an_object_unpacks_to_the_log_whose_frames_are_the_same_however_it_was_read() {
        for raw in [Vec::new(), b"a line without an end".to_vec(), log(3, 10), log(40_000, 700)] {
            for compression in [Compression::Zstd(1), Compression::Gzip(1)] {
                let object = packed(&raw, compression, 300_000);
                assert!(unpacked(&object.to) == raw);
                let sha256: [u8; 32] = Sha256::digest(&object.to).into();
                assert_eq!((object.bytes, object.sha256), (object.to.len() as u64, sha256));
                // Other pieces produce other blocks, but the same frames.
                let other = packed(&raw, compression, 77_777).to;
                assert!(unpacked(&other) == raw && frames(&other) == frames(&object.to));
            }
        }
    }

    #[test]
    fn every_line_is_in_one_frame_that_the_table_finds() {
        let raw = log(40_000, 700);
        let object = packed(&raw, Compression::Zstd(1), 1 << 20).to;
        let mut frames = Vec::new();
        let mut offset = 0;
        for line in raw.split_inclusive(|b| *b == b'\n') {
            let Table::Frame(place) = locate(&object, offset) else { panic!("no frame at {offset}") };
            if frames.last() != Some(&place) {
                frames.push(place);
            }
            assert!(offset + line.len() as u64 <= place.raw_at + place.raw_bytes);
            offset += line.len() as u64;
        }
        assert_eq!(frames.len() as u64, (raw.len() as u64).div_ceil(FRAME_BYTES));
        assert_eq!(locate(&object, offset), Table::Beyond);
        for place in frames {
            let frame = cut(&object, place.at, place.bytes);
            assert!(unpacked(frame) == cut(&raw, place.raw_at, place.raw_bytes));
        }
    }

    #[test]
    fn a_line_longer_than_a_frame_is_cut() {
        let raw = vec![b'x'; 20 << 20];
        let object = packed(&raw, Compression::Zstd(1), 1 << 20).to;
        assert!(unpacked(&object) == raw);
        assert!(matches!(locate(&object, 19 << 20), Table::Frame(place) if place.raw_at == 16 << 20));
    }

    #[test]
    fn ends_that_are_no_table_are_told() {
        let object = packed(&log(40_000, 700), Compression::Zstd(1), 1 << 20).to;
        let end = |bytes: u64| locate(cut(&object, object.len() as u64 - bytes, bytes), 0);
        assert_eq!(end(3), Table::More(9));
        assert!(matches!(end(9), Table::More(n) if n > 9 && matches!(end(n), Table::Frame(_))));
        assert_eq!(locate(b"just some bytes at an end", 0), Table::None);
        assert_eq!(locate(&packed(&log(3, 10), Compression::Gzip(1), 9).to, 0), Table::None);
        // A table that claims more than the object contains.
        let mut lies = object.clone();
        let at = lies.len() - 9;
        lies[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(matches!(locate(&lies, 0), Table::More(_)));
    }
}
