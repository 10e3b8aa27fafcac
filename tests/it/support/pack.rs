//! Bytes, packed as tools pack files.

use std::io::Write;

/// One gzip member.
pub(crate) fn gzip(bytes: &[u8], level: u32) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(level));
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// One bzip2 stream.
pub(crate) fn bzip2(bytes: &[u8], level: u32) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::new(level));
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// One zstd frame.
pub(crate) fn zstandard(bytes: &[u8], level: u32) -> Vec<u8> {
    zstd::encode_all(bytes, i32::try_from(level).unwrap()).unwrap()
}

/// One of them.
pub(crate) type Pack = fn(&[u8], u32) -> Vec<u8>;
