//! The access control list that a directory gives to the files made in it (POSIX 1003.1e, `acl(5)`).
//!
//! nginx opens its log with mode 0644. After a log was renamed by hand, the next one would be readable for everybody. A
//! default list replaces the process's umask: whoever makes a file here makes it for the owner and the group.

use std::io;
use std::os::fd::AsFd;

use rustix::fs::{XattrFlags, fgetxattr, fsetxattr};
use rustix::io::Errno;

const NAME: &str = "system.posix_acl_default";

/// The list as Linux stores it (`posix_acl_xattr.h`): version 2, then tag, permissions and no id for the owner, the
/// group and all others. `user::rwx,group::r-x,other::---`; of the log's 0644 that leaves 0640.
#[rustfmt::skip]
const CLOSED: [u8; 28] = [
    2, 0, 0, 0,
    0x01, 0, 7, 0, 0xff, 0xff, 0xff, 0xff,
    0x04, 0, 5, 0, 0xff, 0xff, 0xff, 0xff,
    0x20, 0, 0, 0, 0xff, 0xff, 0xff, 0xff,
];

/// Bytes of one entry, after the four of the version.
const ENTRY_BYTES: usize = 8;
const OTHER: u8 = 0x20;

/// What becomes of the permissions of all others, for the files that are made in a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Others {
    /// A default list takes them away.
    None,
    /// There is no default list that does.
    AsAsked,
    /// The file system has no such lists.
    Unsupported,
}

/// What a directory's default list leaves to all others.
///
/// # Errors
/// The directory cannot be asked.
pub fn others(directory: impl AsFd) -> io::Result<Others> {
    // As many entries as ext4 stores; a longer list is one of somebody's own.
    let mut list = [0; 4096];
    let length = match fgetxattr(directory, NAME, &mut list[..]) {
        Ok(length) => length,
        Err(Errno::NODATA | Errno::RANGE) => return Ok(Others::AsAsked),
        Err(Errno::NOTSUP) => return Ok(Others::Unsupported),
        Err(e) => return Err(e.into()),
    };
    let entries = list[..length].get(4..).unwrap_or_default().chunks_exact(ENTRY_BYTES);
    let is_closed = |entry: &[u8]| entry[0] == OTHER && entry[2] == 0;
    Ok(if entries.into_iter().any(is_closed) { Others::None } else { Others::AsAsked })
}

/// Gives a directory the default list that leaves nothing to all others.
///
/// # Errors
/// The system refuses, or the file system has no such lists.
pub fn close(directory: impl AsFd) -> io::Result<()> {
    Ok(fsetxattr(directory, NAME, &CLOSED, XattrFlags::empty())?)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_made_in_a_closed_directory_is_closed() {
        let dir = tempfile::tempdir().unwrap();
        let folder = File::open(dir.path()).unwrap();
        match others(&folder).unwrap() {
            Others::Unsupported => return,
            found => assert_eq!(found, Others::AsAsked),
        }
        close(&folder).unwrap();
        assert_eq!(others(&folder).unwrap(), Others::None);
        let file = dir.path().join("beacon.log");
        // As nginx opens it: 0644.
        let flags = rustix::fs::OFlags::CREATE | rustix::fs::OFlags::WRONLY;
        rustix::fs::open(&file, flags, rustix::fs::Mode::from_raw_mode(0o644)).unwrap();
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
    }
}
