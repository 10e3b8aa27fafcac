//! Stored files: plain or compressed, read as the bytes of the log.
//!
//! The first bytes of a file determine its type, not its name. Invariant: a compressed file is read to the end of its
//! last member, and a file that breaks off inside a member is an error, never a short log.

mod blocks;

use std::fs::{File, OpenOptions};
use std::io::{self, Cursor, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use flate2::read::MultiGzDecoder;

pub use blocks::{Blocks, Mark, OnBlock};

/// How a file is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// Not compressed.
    Plain,
    /// gzip.
    Gzip,
    /// Zstandard.
    Zstd,
    /// bzip2.
    Bzip2,
}

/// Recognizes the packing by the first four bytes of a file. No line of a log begins with one of these.
///
/// # Errors
/// The packing is unsupported: read as lines, the whole file would be rejects.
pub fn packing(head: &[u8]) -> io::Result<Packing> {
    let unread = |by: &str| {
        Err(io::Error::new(
            io::ErrorKind::Unsupported,
            format!("packed by {by}, which is not read: unpack it first"),
        ))
    };
    Ok(match head {
        [0xfd, b'7', b'z', b'X', ..] => return unread("xz"),
        [b'P', b'K', 3, 4, ..] => return unread("zip"),
        [b'7', b'z', 0xbc, 0xaf, ..] => return unread("7-Zip"),
        [0x04, 0x22, 0x4d, 0x18, ..] => return unread("lz4"),
        [0x1f, 0x8b, 0x08, ..] => Packing::Gzip,
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Packing::Zstd,
        // A skippable frame: a seek table, or what pzstd writes first.
        [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Packing::Zstd,
        [b'B', b'Z', b'h', b'1'..=b'9', ..] => Packing::Bzip2,
        _ => Packing::Plain,
    })
}

/// Opens a log, which is a regular file. It waits for nobody: neither for the other end of a pipe, nor for a device, which
/// may also do something when it is opened.
///
/// # Errors
/// The file is not a regular file, or cannot be opened.
pub fn regular(path: &Path) -> io::Result<File> {
    let refused = || io::Error::new(io::ErrorKind::InvalidInput, "not a regular file");
    if !std::fs::metadata(path)?.is_file() {
        return Err(refused());
    }
    // It may be another file by now.
    let flags = nix::fcntl::OFlag::O_NONBLOCK | nix::fcntl::OFlag::O_CLOEXEC;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits()).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(refused()) }
}

/// Opens a file for reading the bytes of the log in it, decompressed; `-` is standard input.
///
/// # Errors
/// The file cannot be opened or read.
pub fn open(path: &Path) -> io::Result<Box<dyn Read + Send>> {
    if path.as_os_str() == "-" {
        return unpacked(io::stdin());
    }
    let file = File::open(path)?;
    if file.metadata()?.is_dir() {
        return Err(io::Error::from(io::ErrorKind::IsADirectory));
    }
    unpacked(file)
}

/// Decompresses a stream if its first bytes mark it as compressed.
///
/// # Errors
/// The stream cannot be read.
pub fn unpacked(mut stream: impl Read + Send + 'static) -> io::Result<Box<dyn Read + Send>> {
    let mut head = Vec::with_capacity(4);
    stream.by_ref().take(4).read_to_end(&mut head)?;
    let packing = packing(&head)?;
    let whole = Cursor::new(head).chain(stream);
    Ok(match packing {
        Packing::Plain => Box::new(whole),
        Packing::Gzip => Box::new(MultiGzDecoder::new(whole)),
        Packing::Zstd => Box::new(zstd::stream::read::Decoder::new(whole)?),
        Packing::Bzip2 => Box::new(bzip2::read::MultiBzDecoder::new(whole)),
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zstandard(bytes: &[u8]) -> Vec<u8> {
        zstd::encode_all(bytes, 1).unwrap()
    }

    fn bzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn unpacked(bytes: Vec<u8>) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        super::unpacked(Cursor::new(bytes))?.read_to_end(&mut out).map(|_| out)
    }

    type Pack = fn(&[u8]) -> Vec<u8>;
    const PACKS: [(&str, Pack); 3] = [("gzip", gzip), ("zstd", zstandard), ("bzip2", bzip)];

    #[test]
    fn all_members_are_read() {
        for (name, pack) in PACKS {
            let two = [pack(b"one\n"), pack(b"two\n")].concat();
            assert_eq!(unpacked(two).unwrap(), b"one\ntwo\n", "{name}");
            assert_eq!(unpacked(pack(b"")).unwrap(), b"", "{name}");
        }
        let skippable =
            [&[0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 9, 9], zstandard(b"one\n").as_slice()].concat();
        assert_eq!(unpacked(skippable).unwrap(), b"one\n");
    }

    #[test]
    fn a_file_that_breaks_off_is_an_error() {
        let text: Vec<u8> =
            (0..20_000u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        for (name, pack) in PACKS {
            let whole = pack(&text);
            for cut in [1, 5, whole.len() / 2] {
                assert!(unpacked(whole[..whole.len() - cut].to_vec()).is_err(), "{name} without {cut} bytes");
            }
        }
    }

    #[test]
    fn what_is_packed_otherwise_is_refused() {
        for head in [&b"\xfd7zXZ\0\0"[..], b"PK\x03\x04..", b"7z\xbc\xaf\x27\x1c", b"\x04\x22\x4d\x18"] {
            assert_eq!(unpacked(head.to_vec()).unwrap_err().kind(), io::ErrorKind::Unsupported);
        }
    }

    #[test]
    fn what_is_not_compressed_comes_as_it_is() {
        for bytes in [&b""[..], b"a", b"alt1", b"BZ", b"BZhello", b"\x1f\x8b", b"203.0.113.1 - -"] {
            assert_eq!(unpacked(bytes.to_vec()).unwrap(), bytes);
        }
    }
}
