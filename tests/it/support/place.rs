//! Directories for servers: where `TMPDIR` says, else in `/tmp`.

use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;

/// The path of a socket has 107 bytes at most, and a server puts one a little below its directory.
const BYTES_MAX: usize = 64;

/// What a cluster takes at its start, and some more.
const ROOM_BYTES: u64 = 256 << 20;

/// A directory of its own, in which servers of other accounts may have their sockets.
pub(crate) fn place(prefix: &str) -> TempDir {
    let within = std::env::temp_dir();
    let shown = within.display();
    assert!(
        within.as_os_str().len() <= BYTES_MAX,
        "TMPDIR={shown}: the path of a socket in it would be too long; name a directory with {BYTES_MAX} bytes at most"
    );
    let room = nix::sys::statvfs::statvfs(&within).unwrap_or_else(|error| panic!("TMPDIR={shown}: {error}"));
    let free = room.blocks_available() * room.fragment_size();
    assert!(
        free >= ROOM_BYTES,
        "{shown} has {} MB left, and a server takes {}: free some, or name another directory with TMPDIR",
        free >> 20,
        ROOM_BYTES >> 20
    );
    if nix::unistd::geteuid().is_root() {
        for above in within.ancestors().filter(|above| !above.as_os_str().is_empty()) {
            let mode = std::fs::metadata(above).unwrap().permissions().mode();
            assert!(
                mode & 0o001 != 0,
                "TMPDIR={shown}: the account of a server may not go through {}: chmod o+x, or name another directory",
                above.display()
            );
        }
    }
    tempfile::Builder::new().prefix(prefix).tempdir_in(within).unwrap()
}
