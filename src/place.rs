//! Writing where somebody else may write, too, as `alt setup` and `alt beacon` do as root.
//!
//! Who may write into a directory can put a link into it while root works there. So the way to a directory is gone step
//! by step, along directories and root's own links only, and from then on the directory is held by its descriptor. A
//! file is written under a name that nobody knows beforehand and that must not exist (`O_EXCL`), and takes its place by
//! a rename, which replaces a link and does not follow it.

use std::ffi::{OsStr, OsString};
use std::fs::{File, Permissions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::{Component, Path};

use nix::fcntl::{AtFlags, OFlag, openat, readlinkat, renameat};
use nix::sys::stat::{Mode, fstatat, mkdirat};
use nix::unistd::{UnlinkatFlags, geteuid, unlinkat};

/// Links on the way to a directory; more are a circle.
const LINKS_MAX: u32 = 40;

/// A directory that stays the same one, whatever becomes of its name.
#[derive(Debug)]
pub struct Folder(File);

impl Folder {
    /// Opens a directory; what is missing of it is made.
    ///
    /// # Errors
    /// The system refuses; what is on the way is no directory; or, for root, a link on the way is another account's.
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

    /// Whether anything has this name, be it a link that leads nowhere.
    pub fn has(&self, name: &OsStr) -> bool {
        fstatat(&self.0, name, AtFlags::AT_SYMLINK_NOFOLLOW).is_ok()
    }

    /// Whether there is a file of this name, and no link, with this text and nothing else.
    pub fn holds(&self, name: &OsStr, text: &str) -> bool {
        let read = || -> io::Result<bool> {
            // a pipe would be waited for
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

    /// Writes a file, in place of what has its name. Whoever asks for it meanwhile gets the old or the new one, and no
    /// part of either.
    ///
    /// # Errors
    /// The system refuses, or a directory has the name.
    pub fn write(&self, name: &OsStr, text: &str, mode: u32) -> io::Result<()> {
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|e| io::Error::other(e.to_string()))?;
        // with ~ at its end it is nothing that nginx or logrotate would read
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

    /// Makes a directory in this one, or takes the one that is there, and gives it to root, a group, and a mode.
    ///
    /// # Errors
    /// The system refuses, or something else has the name, such as a link.
    pub fn directory(&self, name: &OsStr, group: Option<u32>, mode: u32) -> io::Result<()> {
        match mkdirat(&self.0, name, Mode::from_bits_truncate(0o700)) {
            Ok(()) | Err(nix::errno::Errno::EEXIST) => {}
            Err(e) => return Err(e.into()),
        }
        let made = self.open(name, OFlag::O_RDONLY | OFlag::O_DIRECTORY, 0)?;
        fchown(&made, Some(0), group)?;
        made.set_permissions(Permissions::from_mode(mode))
    }

    /// Makes an empty file, or takes the one that is there, and gives it a mode.
    ///
    /// # Errors
    /// The system refuses, or something else has the name, such as a link.
    pub fn touch(&self, name: &OsStr, mode: u32) -> io::Result<()> {
        let flags = OFlag::O_WRONLY | OFlag::O_APPEND | OFlag::O_CREAT | OFlag::O_NONBLOCK;
        let file = self.open(name, flags, mode)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(ErrorKind::InvalidInput, "it is no plain file"));
        }
        file.set_permissions(Permissions::from_mode(mode))
    }

    /// Opens what has this name here, never through a link.
    fn open(&self, name: &OsStr, flags: OFlag, mode: u32) -> io::Result<File> {
        let flags = flags | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        Ok(openat(&self.0, name, flags, Mode::from_bits_truncate(mode)).map(File::from)?)
    }
}

/// A place for other names: it need not be readable.
fn directory() -> OFlag {
    OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC
}

/// What has the name, be it a link.
fn entry(at: &File, name: &OsStr) -> io::Result<File> {
    let found: OwnedFd =
        openat(at, name, OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC, Mode::empty())?;
    Ok(File::from(found))
}

/// The steps of a path, the first one last.
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
        // A name that is taken leaves nothing behind.
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
        // That another account's are not, needs root to try.
        if !geteuid().is_root() {
            return;
        }
        std::os::unix::fs::lchown(place.path().join("relative"), Some(65_534), None).unwrap();
        let error = Folder::make(&place.path().join("absolute/new")).unwrap_err().to_string();
        assert!(error.contains("relative is a link to a/../a/real"), "{error}");
    }
}
