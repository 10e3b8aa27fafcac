//! A file system that can be full.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::daemon::wait_for;
use super::not_looked_at;

/// A small file system of its own.
pub(crate) struct Disk(pub(crate) PathBuf);

impl Disk {
    /// `None`, and said so: this may not mount.
    pub(crate) fn mount(at: &Path, megabytes: u32) -> Option<Disk> {
        fs::create_dir_all(at).unwrap();
        let size = format!("size={megabytes}m,mode=777");
        let mounted = nix::unistd::geteuid().is_root()
            && Command::new("mount")
                .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
                .arg(at)
                .status()
                .unwrap()
                .success();
        if !mounted {
            not_looked_at("a full disk: this may not mount a file system");
        }
        mounted.then(|| Disk(at.to_owned()))
    }

    /// Fills it but for so many kilobytes.
    pub(crate) fn fill(&self, but: usize) {
        let ballast = self.0.join("ballast");
        let bytes = vec![1; 1 << 16];
        let mut file = fs::File::create(&ballast).unwrap();
        while std::io::Write::write_all(&mut file, &bytes).is_ok() {}
        let size = file.metadata().unwrap().len();
        file.set_len(size.saturating_sub(but as u64 * 1024)).unwrap();
    }

    /// Gives that back.
    pub(crate) fn free(&self) {
        let ballast = self.0.join("ballast");
        let bytes = fs::metadata(&ballast).unwrap().len();
        fs::remove_file(ballast).unwrap();
        // A child of another test's may have it open for a moment yet.
        let free = || {
            let stat = nix::sys::statvfs::statvfs(&self.0).unwrap();
            stat.blocks_free() * stat.fragment_size()
        };
        wait_for(10, || free() >= bytes / 2, || "the disk stays full".to_owned());
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
