//! The input of a replay: files, directories, patterns, lists of paths, standard input, and the logs in tar archives.
//!
//! This module finds and opens them, and does not use the database. Invariants: everything that is named exists, or
//! there is an error before anything is loaded; no file occurs twice, by its canonical path; a spooled file has no name
//! on disk, so it disappears with the process, however the process ends.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Cursor, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use alt_line::hit::Micros;
use alt_process::clock;
use alt_store::files::Stamp;
use anyhow::{Context, bail};

use super::reading::Opened;
use super::{tar, unpack};

/// The maximum length of a list of paths.
const LIST_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// The number of bytes that are spooled at a time.
const SPOOL_BUFFER_BYTES: usize = 128 * 1024;

/// Which files are read first, by the time of their last write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Order {
    /// The oldest files.
    Oldest,
    /// The newest files.
    Newest,
}

/// A log to load, or an archive of logs.
#[derive(Debug)]
pub struct Item {
    /// The path; for an item without a path, its name.
    pub path: PathBuf,
    /// The name, if that is not the path. An item with a name is complete: nobody writes to it any more.
    pub name: Option<String>,
    /// Bytes on disk.
    pub size: u64,
    /// The time of the last write.
    pub modified: Micros,
    /// The temporary file that contains it, if it was spooled.
    spool: Option<File>,
}

impl Item {
    fn of(path: &Path) -> anyhow::Result<Item> {
        let metadata = std::fs::metadata(path).with_context(|| format!("look at {}", path.display()))?;
        // The absolute path, independent of the working directory.
        let path = std::fs::canonicalize(path).with_context(|| format!("look at {}", path.display()))?;
        Ok(Item {
            path,
            name: None,
            size: metadata.len(),
            modified: Stamp::of(&metadata).modified,
            spool: None,
        })
    }

    /// An item that was fetched into a temporary file, with the name that it has at its origin.
    ///
    /// # Errors
    /// The file's metadata cannot be read.
    pub fn spooled(name: String, spool: File) -> io::Result<Item> {
        let metadata = spool.metadata()?;
        let modified = Stamp::of(&metadata).modified;
        Ok(Item {
            path: PathBuf::from(&name),
            name: Some(name),
            size: metadata.len(),
            modified,
            spool: Some(spool),
        })
    }

    /// The name to display.
    pub fn shown(&self) -> String {
        self.name.clone().unwrap_or_else(|| self.path.display().to_string())
    }

    /// Opens the item. `progress` counts the bytes read from disk while the item is read as a stream.
    ///
    /// # Errors
    /// The item cannot be opened, or is compressed in an unsupported format.
    pub fn open(&self, progress: Arc<AtomicU64>) -> io::Result<Opened> {
        match &self.spool {
            Some(file) => Opened::of(&self.path, file.try_clone()?, progress),
            None => Opened::new(&self.path, progress),
        }
    }

    /// The first bytes of the log, unpacked, at most `most`; of an archive, those of the first log in it that has any.
    ///
    /// # Errors
    /// The beginning cannot be read.
    pub fn head(&self, most: usize) -> io::Result<Vec<u8>> {
        let mut stream = self.open(Arc::default())?.stream()?;
        let head = first_bytes(&mut stream, most)?;
        if !tar::begins(&head) {
            return Ok(head);
        }
        let mut archive = tar::Archive::new(Cursor::new(head).chain(stream));
        while archive.advance()?.is_some() {
            let packed = first_bytes(&mut archive, most)?;
            let head = unpack::unpacked(Cursor::new(packed)).and_then(|mut log| first_bytes(&mut log, most));
            match head {
                Ok(head) if !head.is_empty() => return Ok(head),
                // Loading reports a log that cannot be read.
                Ok(_) | Err(_) => {}
            }
        }
        Ok(Vec::new())
    }

    /// The logs in the item, if it is a tar archive, compressed or not. Its bytes decide that, not its name.
    ///
    /// # Errors
    /// The beginning cannot be read.
    pub fn archive<'a>(&self, stops: &'a dyn Fn() -> bool) -> io::Result<Option<Members<'a>>> {
        let from_disk = Arc::new(AtomicU64::new(0));
        let mut stream = self.open(Arc::clone(&from_disk))?.stream()?;
        let mut head = Vec::with_capacity(512);
        stream.by_ref().take(512).read_to_end(&mut head)?;
        if !tar::begins(&head) {
            return Ok(None);
        }
        let archive =
            tar::Archive::new(Stoppable { stream: Box::new(Cursor::new(head).chain(stream)), stops });
        Ok(Some(Members { archive, name: self.shown(), from_disk }))
    }
}

/// Reads at most `most` bytes. Of a stream that breaks off, the whole lines before that: loading reports the error.
fn first_bytes(stream: &mut dyn Read, most: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Err(error) = stream.take(most as u64).read_to_end(&mut bytes) {
        let Some(end) = bytes.iter().rposition(|&byte| byte == b'\n') else { return Err(error) };
        bytes.truncate(end + 1);
    }
    Ok(bytes)
}

/// The total number of bytes on disk.
pub fn total_bytes(items: &[Item]) -> u64 {
    items.iter().map(|item| item.size).sum()
}

/// The files that are named by paths and by a list of paths, in the requested order.
///
/// # Errors
/// One of the files does not exist, or cannot be read.
pub fn items(paths: &[String], files_from: Option<&Path>, order: Order) -> anyhow::Result<Vec<Item>> {
    let standard_inputs =
        paths.iter().map(Path::new).chain(files_from).filter(|p| p.as_os_str() == "-").count();
    if standard_inputs > 1 {
        bail!("standard input can be read once: write - only once, as a PATH or for --files-from");
    }
    let mut found = Found::default();
    for path in paths {
        if path == "-" {
            found.items.push(standard_input()?);
        } else {
            named(path, &mut found)?;
        }
    }
    if let Some(list) = files_from {
        listed(list, &mut found)?;
    }
    let mut items = found.items;
    items.sort_by(|a, b| {
        let by_time = match order {
            Order::Oldest => a.modified.cmp(&b.modified),
            Order::Newest => b.modified.cmp(&a.modified),
        };
        by_time.then_with(|| a.path.cmp(&b.path))
    });
    Ok(items)
}

/// The items found so far.
#[derive(Default)]
struct Found {
    items: Vec<Item>,
    paths: HashSet<PathBuf>,
}

impl Found {
    /// Adds a file, or all files in and below a directory, including hidden ones: silently omitting a log is worse than
    /// reading a file too many, whose lines are counted as rejects.
    fn add(&mut self, path: &Path) -> anyhow::Result<()> {
        let metadata = std::fs::metadata(path).with_context(|| format!("look at {}", path.display()))?;
        if metadata.is_file() {
            let item = Item::of(path)?;
            if self.paths.insert(item.path.clone()) {
                self.items.push(item);
            }
            return Ok(());
        }
        if !metadata.is_dir() {
            bail!("{} is neither a file nor a directory: pipe it in, and write - for it", path.display());
        }
        for entry in std::fs::read_dir(path).with_context(|| format!("list {}", path.display()))? {
            let entry = entry.with_context(|| format!("list {}", path.display()))?;
            // Links within a directory are skipped: they may form a cycle.
            let kind = entry.file_type().with_context(|| format!("look at {}", entry.path().display()))?;
            if kind.is_dir() || kind.is_file() {
                self.add(&entry.path())?;
            }
        }
        Ok(())
    }
}

/// Adds a path, or the matches of a pattern if nothing has that name.
fn named(path: &str, found: &mut Found) -> anyhow::Result<()> {
    let literal = Path::new(path);
    if std::fs::metadata(literal).is_ok() || !path.contains(['*', '?', '[']) {
        return found.add(literal);
    }
    let mut matches = 0;
    for file in glob::glob(path).with_context(|| format!("pattern {path}"))? {
        found.add(&file.with_context(|| format!("pattern {path}"))?)?;
        matches += 1;
    }
    if matches == 0 {
        bail!("{path} matches no file");
    }
    Ok(())
}

/// Adds the paths of a list in the format of `ls`, `find` or `find -print0`.
fn listed(list: &Path, found: &mut Found) -> anyhow::Result<()> {
    let name = if list.as_os_str() == "-" { "standard input".into() } else { list.to_string_lossy() };
    let mut bytes = Vec::new();
    let read = |from: &mut dyn Read, to: &mut Vec<u8>| from.take(LIST_BYTES_MAX + 1).read_to_end(to);
    if list.as_os_str() == "-" {
        read(&mut io::stdin().lock(), &mut bytes)
    } else {
        File::open(list).and_then(|mut file| read(&mut file, &mut bytes))
    }
    .with_context(|| format!("read the list of paths {name}"))?;
    if bytes.len() as u64 > LIST_BYTES_MAX {
        bail!("{name} is longer than 64 MiB: is it a list of paths, one a line?");
    }
    let entries = entries(&bytes);
    if entries.is_empty() {
        bail!("the list of paths {name} names no file");
    }
    for (line, path) in entries {
        found.add(Path::new(OsStr::from_bytes(path))).with_context(|| format!("{name}, line {line}"))?;
    }
    Ok(())
}

/// The paths in a list and their line numbers, starting at 1. If the list contains a NUL, NULs end its paths, and a
/// path may contain any other byte.
fn entries(list: &[u8]) -> Vec<(usize, &[u8])> {
    let (end, spare): (u8, &[u8]) = if list.contains(&0) { (0, b"") } else { (b'\n', b"\r") };
    let paths = list.split(|&byte| byte == end).map(|path| path.strip_suffix(spare).unwrap_or(path));
    (1..).zip(paths).filter(|(_, path)| !path.is_empty()).collect()
}

fn standard_input() -> anyhow::Result<Item> {
    let spool = spool(&mut io::stdin().lock()).map_err(|error| match error {
        SpoolError::Read(error) => anyhow::Error::new(error).context("read standard input"),
        SpoolError::Write(text) => anyhow::anyhow!("spool standard input {text}"),
    })?;
    Item::spooled("-".to_owned(), spool).context("look at the temporary file")
}

enum SpoolError {
    Read(io::Error),
    Write(String),
}

/// The directory for temporary files: `TMPDIR`, else `/var/tmp`, because they may be larger than memory.
pub fn temporary_directory() -> PathBuf {
    std::env::var_os("TMPDIR").map_or_else(|| PathBuf::from("/var/tmp"), PathBuf::from)
}

/// Copies a stream into a temporary file, because it is read again after a database error, and its beginning is
/// inspected first.
fn spool(from: &mut impl Read) -> Result<File, SpoolError> {
    let directory = temporary_directory();
    let unwritten = |error: io::Error| {
        SpoolError::Write(format!("in {}: {error} (TMPDIR names another directory)", directory.display()))
    };
    let mut spool = tempfile::tempfile_in(&directory).map_err(unwritten)?;
    let mut buffer = vec![0; SPOOL_BUFFER_BYTES];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(spool),
            Ok(n) => spool.write_all(&buffer[..n]).map_err(unwritten)?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(SpoolError::Read(error)),
        }
    }
}

/// A stream that ends with an error when it is time to stop: a few bytes may unpack to hours of reading.
struct Stoppable<'a> {
    stream: Box<dyn Read + Send>,
    stops: &'a dyn Fn() -> bool,
}

impl Read for Stoppable<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if (self.stops)() {
            return Err(io::Error::other("stopped"));
        }
        self.stream.read(buffer)
    }
}

/// The logs in an archive.
pub struct Members<'a> {
    archive: tar::Archive<Stoppable<'a>>,
    /// The name of the archive.
    pub name: String,
    from_disk: Arc<AtomicU64>,
}

/// A log in an archive.
pub struct Member {
    /// `ARCHIVE:MEMBER`.
    pub name: String,
    /// The log, or the reason why it cannot be read.
    pub item: Result<Item, String>,
}

impl Members<'_> {
    /// The next log, spooled. Drop the previous log first, so that only one is spooled at a time.
    ///
    /// # Errors
    /// The rest of the archive cannot be read.
    pub fn advance(&mut self) -> io::Result<Option<Member>> {
        let Some(member) = self.archive.advance()? else { return Ok(None) };
        let name = format!("{}:{}", self.name, member.name);
        let item = match member.refused {
            Some(why) => Err(why.to_owned()),
            None => match spool(&mut self.archive) {
                Ok(spool) => {
                    dated(&spool, member.modified);
                    log(name.clone(), spool)
                }
                Err(SpoolError::Write(text)) => Err(format!("spool it {text}")),
                Err(SpoolError::Read(error)) => return Err(error),
            },
        };
        Ok(Some(Member { name, item }))
    }

    /// The number of bytes of the archive that were read from disk.
    pub fn bytes_read(&self) -> u64 {
        self.from_disk.load(Ordering::Relaxed)
    }
}

/// A spooled member, unless it is itself an archive.
fn log(name: String, spool: File) -> Result<Item, String> {
    let item = Item::spooled(name, spool).map_err(|error| error.to_string())?;
    // If the beginning cannot be read, loading the log meets the error again.
    match item.archive(&|| false) {
        Ok(Some(_)) => Err("an archive in an archive: unpack the outer one first".to_owned()),
        Ok(None) | Err(_) => Ok(item),
    }
}

/// Gives a temporary file the age of the member that it contains, if possible.
fn dated(spool: &File, modified: u64) {
    let at = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(modified));
    if let Some(at) = at.filter(|at| clock::micros(*at) < clock::now()) {
        // This is only a hint, by which a compressed member is recognized again without being unpacked.
        let _ = spool.set_modified(at);
    }
}

/// How far a file is read, for a progress bar over the bytes on disk. What is read of a member counts as a share of the
/// member's part of the archive.
#[derive(Debug, Default)]
pub struct Progress {
    told: u64,
    /// The start and the end on disk, and the number of bytes that are read between them.
    part: Option<(u64, u64, u64)>,
}

impl Progress {
    /// From now on, `of` bytes are read that stand for the bytes on disk between `from` and `to`.
    pub fn part(&mut self, from: u64, to: u64, of: u64) {
        self.part = Some((from, to, of));
    }

    /// From now on, the bytes on disk are read.
    pub fn whole(&mut self) {
        self.part = None;
    }

    /// Reading is at `now`. Returns how much farther on disk that is than the farthest position so far.
    pub fn reach(&mut self, now: u64) -> u64 {
        let at = match self.part {
            None => now,
            Some((from, to, of)) => {
                let part =
                    u128::from(to.saturating_sub(from)) * u128::from(now.min(of)) / u128::from(of.max(1));
                from + u64::try_from(part).unwrap_or_default()
            }
        };
        let more = at.saturating_sub(self.told);
        self.told += more;
        more
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_split_at_newlines_or_at_nuls() {
        type Entries<'a> = &'a [(usize, &'a [u8])];
        let cases: [(&[u8], Entries<'_>); 7] = [
            (b"", &[]),
            (b"\n\r\n\n", &[]),
            (b"a\nb", &[(1, b"a"), (2, b"b")]),
            (b"a\r\n\n b \r\n", &[(1, b"a"), (3, b" b ")]),
            (b"# a\n-\n\xff*\n", &[(1, b"# a"), (2, b"-"), (3, b"\xff*")]),
            (b"a\nb\r\0c\0", &[(1, b"a\nb\r"), (2, b"c")]),
            (b"\0", &[]),
        ];
        for (list, expected) in cases {
            assert_eq!(entries(list), expected, "{}", String::from_utf8_lossy(list));
        }
    }

    #[test]
    fn files_come_once_and_in_their_order() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().canonicalize().unwrap().join(name);
        for (name, age) in [("c", 30), ("b", 10), (".hidden", 20), ("a.tmp", 10)] {
            let file = File::create(path(name)).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(age)).unwrap();
        }
        let b = std::fs::metadata(path("b")).unwrap().modified().unwrap();
        File::options().append(true).open(path("a.tmp")).unwrap().set_modified(b).unwrap();
        std::os::unix::fs::symlink(path("c"), path("link")).unwrap();
        let named = |name: &str| path(name).display().to_string();
        let arguments = [named(""), named("link"), named("./b"), named("*"), named("c")];
        let names = |order| -> Vec<_> {
            let items = items(&arguments, None, order).unwrap();
            items.iter().map(|item| item.path.strip_prefix(path("")).unwrap().display().to_string()).collect()
        };
        assert_eq!(names(Order::Oldest), ["c", ".hidden", "a.tmp", "b"]);
        assert_eq!(names(Order::Newest), ["a.tmp", "b", ".hidden", "c"]);
    }

    #[test]
    fn progress_never_goes_back_and_comes_to_the_end() {
        let mut progress = Progress::default();
        assert_eq!((progress.reach(100), progress.reach(40), progress.reach(150)), (100, 0, 50));
        progress.part(100, 300, 1000);
        let told: Vec<u64> = [0, 100, 250, 500, 1000, 2000].map(|now| progress.reach(now)).to_vec();
        assert_eq!(told, [0, 0, 0, 50, 100, 0]);
        progress.part(300, 300, 0);
        assert_eq!(progress.reach(5), 0);
        progress.whole();
        assert_eq!(progress.reach(1000), 700);
    }
}
