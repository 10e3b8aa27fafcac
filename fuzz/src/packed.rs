//! Compressed files.

use std::io::{self, Cursor, Read};

use alt_collect::source::unpack::{self, Packing, packing};

/// Bytes that are unpacked at the most: a few packed ones may stand for very many.
const UNPACKED_BYTES_MAX: u64 = 256 << 10;

/// A file.
///
/// Read in large pieces and in small ones it gives the same bytes, or an error both times; one that is not packed
/// gives its own.
pub fn packed(data: &[u8]) {
    let whole = unpacked(data, 256 << 10);
    let small = unpacked(data, 61);
    let is_cut =
        |read: &io::Result<Vec<u8>>| read.as_ref().is_ok_and(|read| read.len() as u64 == UNPACKED_BYTES_MAX);
    if is_cut(&whole) || is_cut(&small) {
        // what comes behind is met by the one sooner than by the other
        return;
    }
    assert_eq!(whole.is_ok(), small.is_ok(), "{:?} {:?}", whole.as_ref().err(), small.as_ref().err());
    match (packing(data), whole) {
        (Ok(Packing::Plain), whole) => assert!(whole.is_ok_and(|whole| whole == data)),
        (Ok(_), Ok(whole)) => assert!(small.is_ok_and(|small| small == whole)),
        (Ok(_), Err(_)) => {}
        (Err(_), whole) => assert!(whole.is_err_and(|e| e.kind() == io::ErrorKind::Unsupported)),
    }
}

fn unpacked(data: &[u8], size: usize) -> io::Result<Vec<u8>> {
    let mut stream = unpack::unpacked(Cursor::new(data.to_vec()))?.take(UNPACKED_BYTES_MAX);
    let (mut all, mut buffer) = (Vec::new(), vec![0; size]);
    loop {
        match stream.read(&mut buffer)? {
            0 => return Ok(all),
            n => all.extend_from_slice(&buffer[..n]),
        }
    }
}
