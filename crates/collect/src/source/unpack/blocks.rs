//! bzip2, unpacked block by block, so that unpacking can begin at any block.
//!
//! A bzip2 file has no index, but each block begins with the same 48 bits, at any bit, and depends on no other block.
//! bzip2 is by far the slowest of the formats that are read: 6 GB take three quarters of an hour, of gzip three minutes. So
//! this is the format for which it is worth while to remember how far a file was unpacked.
//!
//! Each block is unpacked as a stream of its own. The checksum of each block is compared, and that of each stream.

use std::io::{self, Cursor, Read};

use bzip2::read::MultiBzDecoder;

/// The bits with which a block begins, and those with which a stream ends.
const BLOCK: u64 = 0x3141_5926_5359;
const END: u64 = 0x1772_4538_5090;
const MAGIC_BITS: u64 = 48;
const MAGIC_MASK: u64 = (1 << MAGIC_BITS) - 1;

/// Bits of a checksum.
const CRC_BITS: u64 = 32;

/// No block is larger when it is packed: 900,001 symbols of 20 bits at most, and the tables.
const PACKED_MAX: usize = 4 * 1024 * 1024;

/// Bytes that are read at once.
const READ_BYTES: usize = 64 * 1024;

/// A place of a bzip2 file at which unpacking can begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mark {
    /// The bit of the file at which a block begins.
    pub bit: u64,
    /// The number of unpacked bytes before it.
    pub unpacked: u64,
    /// The checksum of the stream's blocks before it.
    pub crc: u32,
}

/// Is called with the mark of each block that begins.
pub type OnBlock = Box<dyn FnMut(Mark) + Send>;

/// The unpacked bytes of a bzip2 file, from a mark on.
pub struct Blocks<R> {
    from: R,
    /// Packed bytes, and the bit of the file at which they begin.
    packed: Vec<u8>,
    packed_at: u64,
    next: Mark,
    /// `next` is within a stream, not at the beginning of one.
    is_within: bool,
    block: Option<Block>,
    on_block: OnBlock,
}

/// A block that is being unpacked: its first byte, the others, and its checksum.
struct Block {
    bytes: io::Chain<Cursor<[u8; 1]>, MultiBzDecoder<Cursor<Vec<u8>>>>,
    crc: u32,
}

impl<R: Read> Blocks<R> {
    /// Unpacks a file from its beginning, or from `mark` on. `from` begins at the byte in which the mark is.
    pub fn new(from: R, mark: Option<Mark>, on_block: OnBlock) -> Blocks<R> {
        let next = mark.unwrap_or_default();
        Blocks {
            from,
            packed: Vec::new(),
            packed_at: next.bit / 8 * 8,
            next,
            is_within: mark.is_some(),
            block: None,
            on_block,
        }
    }

    /// Reads until there are packed bytes up to this bit of the file. `false`: the file ends before.
    fn reach(&mut self, bit: u64) -> io::Result<bool> {
        while self.packed_at + self.packed.len() as u64 * 8 < bit {
            if self.from.by_ref().take(READ_BYTES as u64).read_to_end(&mut self.packed)? == 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// At most 48 bits of the file.
    fn bits(&self, at: u64, count: u64) -> u64 {
        let skip = at - self.packed_at;
        let (first, last) = (skip / 8, (skip + count).div_ceil(8));
        let bytes = (first..last).map(|n| self.packed.get(index(n)).copied().unwrap_or_default());
        let all = bytes.fold(0_u64, |all, byte| all << 8 | u64::from(byte));
        all >> (last * 8 - skip - count) & ((1 << count) - 1)
    }

    /// Begins the next block; `false`: the file ends here.
    fn begin(&mut self) -> io::Result<bool> {
        loop {
            self.drop_passed();
            let at = self.next.bit;
            if !self.is_within {
                if !self.reach(at + 8)? {
                    return Ok(false);
                }
                self.expect(at + 32)?;
                let (name, level) = (self.bits(at, 24), self.bits(at + 24, 8));
                if name != 0x42_5a68 || !(0x31..=0x39).contains(&level) {
                    return Err(invalid("no bzip2 stream begins here"));
                }
                (self.next.bit, self.next.crc, self.is_within) = (at + 32, 0, true);
                continue;
            }
            self.expect(at + MAGIC_BITS + CRC_BITS)?;
            let crc = u32::try_from(self.bits(at + MAGIC_BITS, CRC_BITS)).unwrap_or_default();
            match self.bits(at, MAGIC_BITS) {
                BLOCK => {
                    (self.on_block)(self.next);
                    return self.open(crc).map(|()| true);
                }
                END if crc == self.next.crc => {
                    self.next.bit = (at + MAGIC_BITS + CRC_BITS).next_multiple_of(8);
                    self.is_within = false;
                }
                END => return Err(invalid("the checksum of a bzip2 stream is wrong")),
                _ => return Err(invalid("no bzip2 block begins here")),
            }
        }
    }

    /// Like [`Blocks::reach`], where the file may not end.
    fn expect(&mut self, bit: u64) -> io::Result<()> {
        if self.reach(bit)? { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    fn drop_passed(&mut self) {
        let passed = (self.next.bit - self.packed_at) / 8;
        self.packed.drain(..index(passed).min(self.packed.len()));
        self.packed_at += passed * 8;
    }

    /// Opens the block at `next`.
    fn open(&mut self, crc: u32) -> io::Result<()> {
        let mut from = self.next.bit + MAGIC_BITS + CRC_BITS;
        loop {
            let end = self.end(from)?;
            let mut decoder = MultiBzDecoder::new(Cursor::new(self.alone(end, crc)));
            let mut first = [0];
            match decoder.read_exact(&mut first) {
                Ok(()) => {
                    let bytes = Cursor::new(first).chain(decoder);
                    self.block = Some(Block { bytes, crc });
                    self.next.bit = end;
                    return Ok(());
                }
                // The bits of a block may happen to be those with which one begins.
                Err(_) if (end - self.next.bit) / 8 < PACKED_MAX as u64 => from = end + 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// The first bit from `from` on at which a block may begin or a stream may end.
    fn end(&mut self, from: u64) -> io::Result<u64> {
        let mut seen = 0_u64;
        let mut byte = index((from - self.packed_at) / 8);
        loop {
            if byte >= self.packed.len() {
                self.expect(self.packed_at + (byte as u64 + 1) * 8)?;
            }
            if byte > PACKED_MAX + READ_BYTES {
                return Err(invalid("a bzip2 block has no end"));
            }
            seen = seen << 8 | u64::from(self.packed[byte]);
            byte += 1;
            for behind in (0..8).rev() {
                let magic = seen >> behind & MAGIC_MASK;
                if magic == BLOCK || magic == END {
                    let at = (self.packed_at + byte as u64 * 8 - behind).checked_sub(MAGIC_BITS);
                    if let Some(at) = at.filter(|at| *at >= from) {
                        return Ok(at);
                    }
                }
            }
        }
    }

    /// The bits from `next` to `end` as a stream that has only this block.
    fn alone(&self, end: u64, crc: u32) -> Vec<u8> {
        let mut stream = b"BZh9".to_vec();
        let mut at = self.next.bit;
        let (skip, shift) = (index((at - self.packed_at) / 8), (at - self.packed_at) % 8);
        let whole = index((end - at) / 8);
        let pairs = (skip..skip + whole).map(|n| {
            let next = self.packed.get(n + 1).copied().unwrap_or_default();
            let pair = u16::from(self.packed[n]) << 8 | u16::from(next);
            (pair >> (8 - shift)).to_be_bytes()[1]
        });
        stream.extend(pairs);
        at += whole as u64 * 8;
        let rest = end - at;
        let tail = u128::from(if rest > 0 { self.bits(at, rest) } else { 0 });
        let tail = (tail << MAGIC_BITS | u128::from(END)) << CRC_BITS | u128::from(crc);
        let bits = rest + MAGIC_BITS + CRC_BITS;
        let bytes = index(bits.div_ceil(8));
        let tail = tail << (bytes as u64 * 8 - bits);
        stream.extend(&tail.to_be_bytes()[16 - bytes..]);
        stream
    }
}

impl<R: Read> Read for Blocks<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !buffer.is_empty() {
            if let Some(block) = &mut self.block {
                let n = block.bytes.read(buffer)?;
                if n > 0 {
                    self.next.unpacked += n as u64;
                    return Ok(n);
                }
                self.next.crc = self.next.crc.rotate_left(1) ^ block.crc;
                self.block = None;
            }
            if !self.begin()? {
                break;
            }
        }
        Ok(0)
    }
}

fn index(n: u64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    /// Text of which little can be packed.
    fn text(bytes: usize) -> Vec<u8> {
        let mut state = 7_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state.to_be_bytes()[3]
        };
        (0..bytes).map(|n| if n % 100 == 99 { b'\n' } else { b' ' + next() % 64 }).collect()
    }

    fn pack(text: &[u8], level: u32) -> Vec<u8> {
        let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::new(level));
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    /// What is unpacked, and the marks on the way.
    fn unpack(packed: &[u8], mark: Option<Mark>) -> (io::Result<Vec<u8>>, Vec<Mark>) {
        let marks = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&marks);
        let from = &packed[mark.map_or(0, |mark| (mark.bit / 8) as usize)..];
        let mut out = Vec::new();
        let on_block = Box::new(move |mark| noted.lock().unwrap().push(mark));
        let read = Blocks::new(from, mark, on_block).read_to_end(&mut out).map(|_| out);
        (read, Arc::try_unwrap(marks).unwrap().into_inner().unwrap())
    }

    #[test]
    fn a_file_is_unpacked_from_any_block_on() {
        let zeros = vec![0; 3_000_000];
        let texts = [text(1_000_000), Vec::new(), zeros, b"x".to_vec(), text(250_000)];
        let whole = texts.concat();
        for level in [1, 9] {
            let packed: Vec<u8> = texts.iter().flat_map(|text| pack(text, level)).collect();
            let (all, marks) = unpack(&packed, None);
            assert!(all.unwrap() == whole, "level {level}");
            assert!(marks.len() >= 5, "{marks:?}");
            assert!(marks.iter().any(|mark| mark.bit % 8 != 0), "{marks:?}");
            for mark in marks {
                let (rest, _) = unpack(&packed, Some(mark));
                assert!(rest.unwrap() == whole[index(mark.unpacked)..], "level {level}, {mark:?}");
            }
        }
        assert_eq!(unpack(&[], None).0.unwrap(), b"");
    }

    #[test]
    fn what_breaks_off_or_was_changed_is_an_error() {
        let whole = text(250_000);
        let packed = pack(&whole, 1);
        for cut in [1, 5, 11, packed.len() / 2, packed.len() - 3] {
            assert!(unpack(&packed[..packed.len() - cut], None).0.is_err(), "without {cut} bytes");
        }
        for at in (0..packed.len()).step_by(packed.len() / 97).chain(packed.len() - 6..packed.len() - 1) {
            let mut packed = packed.clone();
            packed[at] ^= 0x10;
            // The level of a stream is only how much memory it may need.
            assert!(at == 3 || unpack(&packed, None).0.is_err(), "byte {at}");
        }
        let junk = [packed.as_slice(), b"junk"].concat();
        assert!(unpack(&junk, None).0.is_err());
        let mark = unpack(&packed, None).1[1];
        assert!(unpack(&packed, Some(Mark { bit: mark.bit + 1, ..mark })).0.is_err());
        assert!(unpack(&packed, Some(Mark { crc: mark.crc ^ 1, ..mark })).0.is_err());
    }

    #[test]
    fn a_block_that_contains_the_bits_of_a_beginning_is_one_block() {
        let whole = text(250_000);
        let packed = pack(&whole, 1);
        let (_, marks) = unpack(&packed, None);
        let mut blocks = Blocks::new(&packed[..], None, Box::new(|_| {}));
        let (from, to) = (marks[0].bit, marks[1].bit);
        blocks.reach(to + 48).unwrap();
        (blocks.next.bit, blocks.is_within) = (from, true);
        // Cut where its bits would be met.
        let crc = u32::try_from(blocks.bits(from + MAGIC_BITS, CRC_BITS)).unwrap();
        for cut in [100, 1001, 80_000, to - from - 9] {
            let mut decoder = MultiBzDecoder::new(Cursor::new(blocks.alone(from + cut, crc)));
            assert!(decoder.read_exact(&mut [0]).is_err(), "no byte comes of a part: {cut} bits");
        }
        let mut decoder = MultiBzDecoder::new(Cursor::new(blocks.alone(to, crc)));
        let mut block = Vec::new();
        decoder.read_to_end(&mut block).unwrap();
        assert!(block == whole[..index(marks[1].unpacked)]);
    }
}
