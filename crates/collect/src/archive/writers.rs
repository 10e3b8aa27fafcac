//! Whether a process has a file open for writing, as far as this account can see.
//!
//! `/proc` shows root the open files of all processes, and other accounts only those of their own processes. A lease
//! (`fcntl(F_SETLEASE)`) would cover every process, but is available only to the file's owner, and logs belong to
//! nginx.

use std::fs;
use std::path::Path;

use crate::source::siblings::{Key, key};

/// Who has a file open for writing.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Writers {
    /// No process on this machine.
    Nobody,
    /// At least the process with this id.
    Process(u32),
    /// No process that this account can see.
    Unseen,
}

/// Determines who has a file open for writing.
pub(super) fn of(file: Key) -> Writers {
    let mut is_all_seen = true;
    for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(number) = process.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        match fs::read_dir(process.path().join("fd")) {
            Ok(descriptors) => {
                let mut paths = descriptors.flatten().map(|descriptor| descriptor.path());
                if paths.any(|path| writes(&path, file)) {
                    return Writers::Process(number);
                }
            }
            // A process that has ended in the meantime has nothing open.
            Err(_) => is_all_seen &= fs::metadata(process.path()).is_err(),
        }
    }
    // If processes are hidden, process 1 is hidden, too.
    is_all_seen &= fs::read_dir("/proc/1/fd").is_ok();
    if is_all_seen { Writers::Nobody } else { Writers::Unseen }
}

/// Whether a descriptor of a process refers to this file, and is open for writing.
fn writes(descriptor: &Path, file: Key) -> bool {
    if !fs::metadata(descriptor).is_ok_and(|metadata| key(&metadata) == file) {
        return false;
    }
    let (Some(process), Some(number)) = (descriptor.ancestors().nth(2), descriptor.file_name()) else {
        return true;
    };
    let Ok(info) = fs::read_to_string(process.join("fdinfo").join(number)) else { return true };
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
    // The last two bits are the access mode: 0 is read-only.
    flags.and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok()).is_none_or(|flags| flags & 3 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_open_for_writing_as_long_as_somebody_writes() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let key = key(&file.as_file().metadata().unwrap());
        assert_eq!(of(key), Writers::Process(std::process::id()));
        let path = file.into_temp_path();
        let reads = fs::File::open(&path).unwrap();
        assert!(!matches!(of(key), Writers::Process(_)));
        drop(reads);
    }
}
