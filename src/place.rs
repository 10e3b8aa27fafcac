//! Writes in places where others may also write, as `alt setup` and `alt beacon` do as root.
//!
//! Whoever may write into a directory can put a link into it while root works there. So the path to a directory is
//! followed step by step, only along directories and root's own links. From then on a descriptor holds the directory. A
//! file is written under an unpredictable name that must not exist (`O_EXCL`). A rename then moves it to its final
//! name: it replaces a link there and does not follow it.

use std::ffi::{OsStr, OsString};
use std::fs::{File, Permissions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::{Component, Path};

use nix::fcntl::{AtFlags, OFlag, openat, readlinkat, renameat};
use nix::sys::stat::{Mode, fstatat, mkdirat};
use nix::unistd::{UnlinkatFlags, geteuid, unlinkat};

/// Maximum number of links on the way to a directory; more count as a circle.
const LINKS_MAX: u32 = 40;

/// A directory that stays the same, even if its name is changed or reused.
#[derive(Debug)]
pub struct Folder(File);

impl Folder {
    /// Opens a directory and creates its missing parts.
    ///
    /// # Errors
    /// The system refuses; a part of the path is not a directory; or, for root, a link on the way belongs to another
    /// account.
    pub fn make(path: &Path) -> io::Result<Folder> {
        let from = if path.is_absolute() { "/" } else { "." };
        let mut at = File::from(openat(nix::fcntl::AT_FDCWD, from, directory(), Mode::empty())?);
        let mut rest = names(path);
        let mut links = 0;
        while let Some(name) = rest.pop() {
            let next = match entry(&at, &name) {
                Err(e) if e.kind() == ErrorKind::NotFound => {
                    match mkdirat(&at, name.as_os_str(), Mode::from_bits_truncate(0o777)) {
                        Ok(()) | Err(nix::errno::Errno::EEXIST) => entry(&at, &name)?,
                        Err(e) => return Err(e.into()),
                    }
                }
                next => next?,
            };
            let metadata = next.metadata()?;
            if metadata.is_dir() {
                at = next;
            } else if metadata.is_symlink() {
                links += 1;
                if links > LINKS_MAX {
                    return Err(nix::errno::Errno::ELOOP.into());
                }
                let target = readlinkat(&next, "")?;
                if geteuid().is_root() && metadata.uid() != 0 {
                    return Err(foreign(&name, &target, metadata.uid()));
                }
                if Path::new(&target).is_absolute() {
                    at = File::from(openat(nix::fcntl::AT_FDCWD, "/", directory(), Mode::empty())?);
                }
                rest.extend(names(Path::new(&target)));
            } else {
                return Err(nix::errno::Errno::ENOTDIR.into());
            }
        }
        Ok(Folder(at))
    }

    /// Whether anything has this name, even a link that leads nowhere.
    pub fn has(&self, name: &OsStr) -> bool {
        fstatat(&self.0, name, AtFlags::AT_SYMLINK_NOFOLLOW).is_ok()
    }

    /// Whether a file, not a link, has this name and exactly this text.
    pub fn holds(&self, name: &OsStr, text: &str) -> bool {
        let read = || -> io::Result<bool> {
            // opening a pipe would block
            let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK;
            let file = self.open(name, flags, 0)?;
            let metadata = file.metadata()?;
            if !metadata.is_file() || metadata.len() != text.len() as u64 {
                return Ok(false);
            }
            let mut there = Vec::with_capacity(text.len());
            file.take(text.len() as u64 + 1).read_to_end(&mut there)?;
            Ok(there == text.as_bytes())
        };
        read().unwrap_or(false)
    }

    /// Writes a file and replaces what has its name. A concurrent reader gets the complete old or new file.
    ///
    /// # Errors
    /// The system refuses, or a directory has this name.
    pub fn write(&self, name: &OsStr, text: &str, mode: u32) -> io::Result<()> {
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|e| io::Error::other(e.to_string()))?;
        // nginx and logrotate do not read names that end with ~
        let new = OsString::from(format!(".alt-{:016x}~", u64::from_le_bytes(random)));
        let mut file = self.open(&new, OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL, 0o600)?;
        let written = file
            .write_all(text.as_bytes())
            .and_then(|()| file.set_permissions(Permissions::from_mode(mode)))
            .and_then(|()| Ok(renameat(&self.0, new.as_os_str(), &self.0, name)?));
        if written.is_err() {
            let _ = unlinkat(&self.0, new.as_os_str(), UnlinkatFlags::NoRemoveDir);
        }
        written
    }

    /// Creates a directory in this one, or uses the existing one, and sets its owner to root, its group, and its mode.
    ///
    /// # Errors
    /// The system refuses, or something else has this name, such as a link.
    pub fn directory(&self, name: &OsStr, group: Option<u32>, mode: u32) -> io::Result<()> {
        match mkdirat(&self.0, name, Mode::from_bits_truncate(0o700)) {
            Ok(()) | Err(nix::errno::Errno::EEXIST) => {}
            Err(e) => return Err(e.into()),
        }
        let made = self.open(name, OFlag::O_RDONLY | OFlag::O_DIRECTORY, 0)?;
        fchown(&made, Some(0), group)?;
        made.set_permissions(Permissions::from_mode(mode))
    }

    /// Opens the directory of this name for a change of its attributes.
    ///
    /// # Errors
    /// The system refuses, or something else has this name, such as a link.
    pub fn open_directory(&self, name: &OsStr) -> io::Result<File> {
        self.open(name, OFlag::O_RDONLY | OFlag::O_DIRECTORY, 0)
    }

    /// Creates an empty file, or uses the existing one, and sets its mode.
    ///
    /// # Errors
    /// The system refuses, or something else has this name, such as a link.
    pub fn touch(&self, name: &OsStr, mode: u32) -> io::Result<()> {
        let flags = OFlag::O_WRONLY | OFlag::O_APPEND | OFlag::O_CREAT | OFlag::O_NONBLOCK;
        let file = self.open(name, flags, mode)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(ErrorKind::InvalidInput, "it is no plain file"));
        }
        file.set_permissions(Permissions::from_mode(mode))
    }

    /// Opens the entry of this name, never through a link.
    fn open(&self, name: &OsStr, flags: OFlag, mode: u32) -> io::Result<File> {
        let flags = flags | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        Ok(openat(&self.0, name, flags, Mode::from_bits_truncate(mode)).map(File::from)?)
    }
}

/// Flags for a directory that is only used to find names in it: it need not be readable.
fn directory() -> OFlag {
    OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC
}

/// The entry of this name, even if it is a link.
fn entry(at: &File, name: &OsStr) -> io::Result<File> {
    let found: OwnedFd =
        openat(at, name, OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC, Mode::empty())?;
    Ok(File::from(found))
}

/// The parts of a path, the first one last.
fn names(path: &Path) -> Vec<OsString> {
    let step = |step: Component<'_>| match step {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some(OsString::from("..")),
        _ => None,
    };
    path.components().rev().filter_map(step).collect()
}

fn foreign(name: &OsStr, target: &OsStr, owner: u32) -> io::Error {
    let owner = nix::unistd::User::from_uid(nix::unistd::Uid::from_raw(owner)).ok().flatten();
    let owner = owner.map_or_else(|| "another".to_owned(), |user| user.name);
    io::Error::new(
        ErrorKind::PermissionDenied,
        format!(
            "{} is a link to {}, which the account {owner} made; root does not follow it: name the directory itself, or \
             take the link away",
            name.display(),
            target.display()
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_file_takes_the_place_of_a_link_and_what_it_leads_to_stays() {
        let place = tempfile::tempdir().unwrap();
        let (inside, victim) = (place.path().join("a/b"), place.path().join("victim"));
        fs::write(&victim, "old").unwrap();
        let folder = Folder::make(&inside).unwrap();
        let name = OsStr::new("m.js");
        assert!(!folder.has(name));
        symlink(&victim, inside.join("m.js")).unwrap();
        assert!(folder.has(name) && !folder.holds(name, "old"));
        folder.write(name, "new", 0o640).unwrap();
        assert!(folder.holds(name, "new") && !folder.holds(name, "ne") && !folder.holds(name, "newer"));
        assert_eq!(fs::read_to_string(&victim).unwrap(), "old");
        assert_eq!(fs::symlink_metadata(inside.join("m.js")).unwrap().mode(), 0o100_640);
        assert_eq!(fs::read_dir(&inside).unwrap().count(), 1);
        // A failed write leaves nothing behind.
        fs::create_dir(inside.join("d")).unwrap();
        assert!(folder.write(OsStr::new("d"), "new", 0o640).is_err());
        assert_eq!(fs::read_dir(&inside).unwrap().count(), 2);
    }

    #[test]
    fn a_directory_a_log_and_a_comparison_follow_no_link_and_wait_for_no_pipe() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::make(place.path()).unwrap();
        fs::create_dir(place.path().join("victim")).unwrap();
        let before = fs::metadata(place.path().join("victim")).unwrap().mode();
        symlink("victim", place.path().join("logs")).unwrap();
        symlink("nowhere", place.path().join("log")).unwrap();
        let pipe = place.path().join("pipe");
        nix::unistd::mkfifo(&pipe, Mode::S_IRWXU).unwrap();
        assert!(folder.directory(OsStr::new("logs"), None, 0o2770).is_err());
        assert!(folder.touch(OsStr::new("log"), 0o640).is_err());
        assert!(folder.touch(OsStr::new("pipe"), 0o640).is_err());
        assert!(!folder.holds(OsStr::new("pipe"), ""));
        assert_eq!(fs::metadata(place.path().join("victim")).unwrap().mode(), before);
        assert!(fs::symlink_metadata(place.path().join("nowhere")).is_err());
        folder.touch(OsStr::new("new"), 0o640).unwrap();
        assert_eq!(fs::metadata(place.path().join("new")).unwrap().mode(), 0o100_640);
    }

    #[test]
    fn links_on_the_way_are_gone_along_where_they_are_ones_own() {
        let place = tempfile::tempdir().unwrap();
        fs::create_dir_all(place.path().join("a/real")).unwrap();
        symlink("a/../a/real", place.path().join("relative")).unwrap();
        symlink(place.path().join("relative"), place.path().join("absolute")).unwrap();
        symlink("circle", place.path().join("circle")).unwrap();
        let folder = Folder::make(&place.path().join("absolute/new")).unwrap();
        folder.write(OsStr::new("f"), "x", 0o644).unwrap();
        assert_eq!(fs::read_to_string(place.path().join("a/real/new/f")).unwrap(), "x");
        assert!(Folder::make(&place.path().join("circle")).is_err());
        assert!(Folder::make(&place.path().join("absolute/new/f/g")).is_err());
        // To test links of another account needs root.
        if !geteuid().is_root() {
            return;
        }
        std::os::unix::fs::lchown(place.path().join("relative"), Some(65_534), None).unwrap();
        let error = Folder::make(&place.path().join("absolute/new")).unwrap_err().to_string();
        assert!(error.contains("relative is a link to a/../a/real"), "{error}");
    }
}
