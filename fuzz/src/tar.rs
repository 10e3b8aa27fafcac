//! Archives of logs.

use std::io::Read;

use alt_collect::source::tar::{Archive, Member};

const BLOCK: usize = 512;

/// A longer name is cut.
const NAME_BYTES_MAX: usize = 3 * 4096;

/// An archive. Headers get the sums that they need, because nobody guesses them.
///
/// It comes to an end, well or with an error, after no more members than it has blocks, which have no more bytes than
/// it; read in large pieces and in small ones, and with members left unread, they are the same.
pub fn tar(data: &[u8]) {
    let archive = summed(data);
    let large = members(&archive, 64 << 10);
    assert!(large.0.len() <= archive.len() / BLOCK, "{} members", large.0.len());
    assert!(large.0.iter().map(|(_, bytes)| bytes.len()).sum::<usize>() <= archive.len());
    for (member, bytes) in &large.0 {
        assert!(bytes.len() as u64 <= member.size, "{member:?}: {} bytes", bytes.len());
        assert!(!member.name.contains('\0') && member.name.len() <= NAME_BYTES_MAX, "{member:?}");
    }
    assert_eq!(large, members(&archive, 100));
    let unread = members(&archive, 0);
    assert!(unread.0.iter().map(|(member, _)| member).eq(large.0.iter().map(|(member, _)| member)));
}

/// Every header of a member and its bytes, and whether the archive ended well. With pieces of 0 bytes, nothing is read.
fn members(archive: &[u8], size: usize) -> (Vec<(Member, Vec<u8>)>, bool) {
    let mut archive = Archive::new(archive);
    let (mut all, mut buffer) = (Vec::new(), vec![0; size]);
    loop {
        let member = match archive.advance() {
            Ok(Some(member)) => member,
            Ok(None) => return (all, true),
            Err(_) => return (all, false),
        };
        let mut bytes = Vec::new();
        let well = loop {
            match archive.read(&mut buffer) {
                Ok(0) => break true,
                Ok(n) => bytes.extend_from_slice(&buffer[..n]),
                Err(_) => break false,
            }
        };
        all.push((member, bytes));
        if !well {
            return (all, false);
        }
    }
}

/// The archive with a right sum in each block that calls itself a header.
fn summed(data: &[u8]) -> Vec<u8> {
    let mut archive = data.to_vec();
    for block in archive.chunks_exact_mut(BLOCK).filter(|block| block[257..].starts_with(b"ustar")) {
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
    archive
}
