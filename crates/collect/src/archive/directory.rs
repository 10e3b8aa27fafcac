//! An archive in a directory: each object is a file that appears at once, complete and synced to disk.

use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use alt_process::fault::{self, Step};
use alt_process::stop::{Stop, Stoppable};
use anyhow::Context;

use super::name::folder_of;
use super::target::{Bytes, Found, Listed, Packed, Put, Target};

/// The prefix and suffix of an object's name while the object is incomplete.
const UNFINISHED: (&str, &str) = (".alt-", ".part");

/// An unfinished object that is younger than this may still be written by another daemon.
const UNFINISHED_AGE: Duration = Duration::from_secs(3600);

/// Objects contain personal data: the owner may write, a group may read.
const MODE: u32 = 0o640;

/// A directory.
pub(super) struct Directory {
    root: PathBuf,
    stop: Arc<Stop>,
}

impl Directory {
    /// The directory is created when the first object is stored.
    pub(super) fn new(root: impl Into<PathBuf>, stop: Arc<Stop>) -> Directory {
        Directory { root: root.into(), stop }
    }

    fn path(&self, key: &str) -> PathBuf {
        self.root.join(key)
    }

    /// Creates a directory and its parents, and syncs them to disk.
    fn make(&self, directory: &Path) -> io::Result<()> {
        if directory.is_dir() {
            return Ok(());
        }
        let parent = directory.parent().filter(|parent| !parent.as_os_str().is_empty());
        if let Some(parent) = parent {
            self.make(parent)?;
        }
        match fs::create_dir(directory) {
            Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
            other => other?,
        }
        parent.map_or(Ok(()), sync)
    }

    /// Syncs the names in a directory and in its parents, up to the root: whoever created them may have crashed before
    /// that.
    fn settle(&self, directory: &Path) -> io::Result<()> {
        directory.ancestors().take_while(|above| above.starts_with(&self.root)).try_for_each(sync)
    }

    fn store(&self, path: &Path, object: &Packed) -> io::Result<Put> {
        let directory = path.parent().unwrap_or(&self.root);
        self.make(directory)?;
        let mut unfinished = tempfile::Builder::new()
            .prefix(UNFINISHED.0)
            .suffix(UNFINISHED.1)
            .permissions(Permissions::from_mode(MODE))
            .tempfile_in(directory)?;
        let mut file = &object.file;
        file.rewind()?;
        let mut from = Stoppable { from: file, stop: Arc::clone(&self.stop) };
        io::copy(&mut from, &mut unfinished)?;
        fault::at(Step::HalfStored);
        unfinished.as_file().sync_all()?;
        match unfinished.persist_noclobber(path) {
            Ok(_) => {}
            Err(e) if e.error.kind() == ErrorKind::AlreadyExists => {
                self.settle(directory)?;
                return Ok(Put::Exists);
            }
            Err(e) => return Err(e.error),
        }
        fault::at(Step::Named);
        self.settle(directory)?;
        Ok(Put::Unproven)
    }

    /// All files below a directory whose keys may begin with `below`.
    fn walk(
        &self,
        directory: &Path,
        below: &str,
        each: &mut dyn FnMut(PathBuf) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let entries = match fs::read_dir(directory) {
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
            entries => entries.with_context(|| format!("list {}", directory.display()))?,
        };
        let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
        paths.sort();
        for path in paths {
            let kind = match fs::symlink_metadata(&path) {
                Err(e) if e.kind() == ErrorKind::NotFound => continue,
                metadata => metadata.with_context(|| format!("look at {}", path.display()))?.file_type(),
            };
            let key = path.strip_prefix(&self.root).unwrap_or(&path).to_string_lossy().into_owned();
            let may_be_above = key.starts_with(below) || below.starts_with(&format!("{key}/"));
            if kind.is_dir() && may_be_above {
                self.walk(&path, below, each)?;
            } else if kind.is_file() {
                each(path)?;
            }
        }
        Ok(())
    }
}

fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

fn is_unfinished(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with(UNFINISHED.0) && name.ends_with(UNFINISHED.1)
}

impl Target for Directory {
    fn uri(&self, key: &str) -> String {
        format!("file://{}", self.path(key).display())
    }

    fn put(&self, key: &str, object: &Packed) -> anyhow::Result<Put> {
        let path = self.path(key);
        self.store(&path, object).with_context(|| format!("write {}", path.display()))
    }

    fn find(&self, key: &str) -> anyhow::Result<Option<Found>> {
        let path = self.path(key);
        match fs::metadata(&path) {
            Ok(metadata) => {
                let directory = path.parent().unwrap_or(&self.root);
                self.settle(directory).with_context(|| format!("look at {}", path.display()))?;
                Ok(Some(Found { bytes: metadata.len(), raw_sha256: None }))
            }
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e).with_context(|| format!("look at {}", path.display())),
        }
    }

    fn read(&self, key: &str, which: Bytes) -> anyhow::Result<Box<dyn Read + Send>> {
        let path = self.path(key);
        let open = || -> io::Result<Box<dyn Read + Send>> {
            let mut file = File::open(&path)?;
            let most = match which {
                Bytes::All => u64::MAX,
                Bytes::From(at, bytes) => {
                    file.seek(SeekFrom::Start(at))?;
                    bytes
                }
                Bytes::Last(bytes) => {
                    let size = file.metadata()?.len();
                    file.seek(SeekFrom::Start(size.saturating_sub(bytes)))?;
                    bytes
                }
            };
            Ok(Box::new(Stoppable { from: file.take(most), stop: Arc::clone(&self.stop) }))
        };
        open().with_context(|| format!("read {}", path.display()))
    }

    fn list(&self, below: &str, each: &mut dyn FnMut(Listed) -> anyhow::Result<()>) -> anyhow::Result<()> {
        self.walk(&self.root, below, &mut |path| {
            let Some(key) = path.strip_prefix(&self.root).ok().and_then(Path::to_str) else { return Ok(()) };
            if !key.starts_with(below) || is_unfinished(&path) {
                return Ok(());
            }
            let bytes = fs::metadata(&path).map_or(0, |metadata| metadata.len());
            each(Listed { key: key.to_owned(), bytes })
        })
    }

    fn sweep(&self, host: &str) -> anyhow::Result<u64> {
        let mut swept = 0;
        self.walk(&self.root, "", &mut |path| {
            // The final name of the object is unknown, but the directory belongs to its host.
            let folder = path.parent().and_then(Path::file_name).and_then(|folder| folder.to_str());
            let of_host = folder == Some(&folder_of(host));
            let is_old = || {
                let modified = fs::metadata(&path).and_then(|metadata| metadata.modified()).ok()?;
                SystemTime::now().duration_since(modified).ok()
            };
            if is_unfinished(&path) && (of_host || is_old().is_some_and(|age| age > UNFINISHED_AGE)) {
                fs::remove_file(&path).with_context(|| format!("remove {}", path.display()))?;
                swept += 1;
            }
            Ok(())
        })?;
        Ok(swept)
    }

    fn remove(&self, key: &str) -> anyhow::Result<()> {
        let path = self.path(key);
        match fs::remove_file(&path) {
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
            other => other.with_context(|| format!("remove {}", path.display())),
        }
    }
}
