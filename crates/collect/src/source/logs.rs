//! Which files are live logs, and which files belong to a log. This module decides it, for all sources together.
//!
//! | a file                                                                        | is                            |
//! |-------------------------------------------------------------------------------|-------------------------------|
//! | is named by a path of a source                                                | live, whatever its name       |
//! | is matched by a pattern, and no sibling of another log that the source names  | live                          |
//! | is a sibling, by name and directory, of a live log, and is not live itself    | a file of that log            |
//! | is a sibling of several live logs                                             | of the longest-named of them  |
//! | was found again by its content (the module `missing`)                          | a file of the log that it was |
//! | anything else                                                                 | not followed                  |
//!
//! A live log has one source: the source that names its path, else the first that has a matching pattern. The part of a
//! path that exists is taken literally; the rest is a pattern if it contains `*`, `?` or `[`.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use alt_config::Config;
use alt_process::lock::lock;
use alt_store::files::Stamp;

use super::siblings::{Key, is_sibling, key};

/// The characters that make a path a pattern.
const MAGIC: [char; 3] = ['*', '?', '['];

/// The logs of all sources of a configuration.
#[derive(Debug, Clone)]
pub struct Logs {
    sources: Arc<[Named]>,
    /// Files that belong to a log for their content, whatever their names; the same for all clones.
    found_again: Arc<Mutex<Vec<FoundAgain>>>,
}

/// The paths and directories of one source.
#[derive(Debug)]
struct Named {
    paths: Vec<String>,
    /// Additional directories that rotated files are moved to.
    rotated: Vec<PathBuf>,
}

/// Where the logs of a source are, and when a log counts as finished.
#[derive(Debug, Clone)]
pub struct Place {
    /// The logs of all sources.
    pub logs: Logs,
    /// The index of the source.
    pub source: usize,
    /// How long a rotated file must stand still before it is sealed.
    pub seal_after: Duration,
}

impl Place {
    /// The existing files of the source.
    pub fn files(&self) -> Files {
        self.logs.look().files(self.source, &|| {})
    }

    /// The existing files of all these places, in their order, by one look. All places have the same logs.
    pub fn files_of_all(places: &[Place]) -> Vec<Files> {
        let Some(first) = places.first() else { return Vec::new() };
        let sources: Vec<usize> = places.iter().map(|place| place.source).collect();
        let mut found = first.logs.look().files_of(&sources, &|| {});
        sources.iter().map(|source| found.remove(source).unwrap_or_default()).collect()
    }

    /// The paths that the source names.
    pub fn paths(&self) -> &[String] {
        &self.logs.sources[self.source].paths
    }
}

/// The live logs at the time of one look.
#[derive(Debug)]
pub struct Live {
    logs: Vec<Log>,
    /// Errors of a source's patterns: source, path and error.
    failed: Vec<(usize, PathBuf, io::Error)>,
    /// The source of each file that was found again, and the file.
    found_again: Vec<(usize, FoundAgain)>,
}

/// A live log; it may not exist now.
#[derive(Debug)]
struct Log {
    path: PathBuf,
    source: usize,
    seen: io::Result<Metadata>,
    /// The directories that may contain siblings, the nearest first.
    homes: Vec<Home>,
}

/// A directory, and the name there of the log whose siblings it may contain.
#[derive(Debug, PartialEq, Eq)]
struct Home {
    directory: PathBuf,
    name: OsString,
}

/// A file of a source.
#[derive(Debug, Clone)]
pub struct LogFile {
    /// Device and inode.
    pub key: Key,
    /// The path.
    pub path: PathBuf,
    /// The live path of the file itself, or of the log that it is a sibling of.
    pub live_path: PathBuf,
    /// Whether the file is at its live path.
    pub is_live: bool,
    /// Its size and age.
    pub stamp: Stamp,
    /// Only its content says which log it belongs to.
    pub is_found_again: bool,
}

/// A file that continues at the checkpoint of a log, and that no log claims by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundAgain {
    /// Device and inode.
    pub key: Key,
    /// Its path.
    pub path: PathBuf,
    /// The path of the live log that it was.
    pub live_path: PathBuf,
}

/// The files of a source.
#[derive(Debug, Default)]
pub struct Files {
    /// The existing files, live files first.
    pub files: Vec<LogFile>,
    /// Paths that cannot be looked at, and the reasons.
    pub problems: Vec<(PathBuf, String)>,
}

impl Logs {
    /// The logs of a configuration.
    pub fn of(config: &Config) -> Logs {
        Logs::named(config.sources.iter().map(|source| (&source.paths[..], &source.rotated[..])))
    }

    /// The logs of sources: their paths, and the directories that rotated files are moved to.
    pub fn named<'a>(sources: impl Iterator<Item = (&'a [String], &'a [String])>) -> Logs {
        let named = |(paths, rotated): (&[String], &[String])| Named {
            paths: paths.to_vec(),
            rotated: rotated.iter().map(PathBuf::from).collect(),
        };
        Logs { sources: sources.map(named).collect(), found_again: Arc::default() }
    }

    /// Makes a file one of its log, from the next look on, until another file has its path.
    pub fn add_found_again(&self, found: FoundAgain) {
        let all = &mut *lock(&self.found_again);
        all.retain(|other| other.key != found.key && other.path != found.path);
        all.push(found);
    }

    /// The number of sources.
    pub fn count(&self) -> usize {
        self.sources.len()
    }

    /// Determines which logs are live now.
    pub fn look(&self) -> Live {
        let (mut paths, mut failed) = (Vec::new(), Vec::new());
        for (source, named) in self.sources.iter().enumerate() {
            let mut candidates = Vec::new();
            for path in &named.paths {
                match Meaning::of(path) {
                    Meaning::Path => candidates.push(Candidate { path: path.into(), source, is_path: true }),
                    Meaning::Pattern(pattern) => {
                        for found in glob::glob(&pattern).into_iter().flatten() {
                            match found {
                                Ok(path) => candidates.push(Candidate { path, source, is_path: false }),
                                Err(error) => {
                                    failed.push((source, error.path().to_owned(), error.into()));
                                }
                            }
                        }
                    }
                }
            }
            // A pattern such as `*.log*` also matches rotated files.
            let is_live =
                |log: &&Candidate| log.is_path || !candidates.iter().any(|other| other.has(log, named));
            paths.extend(candidates.iter().filter(is_live).cloned());
        }
        let logs = each_once(paths).into_iter();
        let logs = logs.map(|log| Log::of(log.path, log.source, &self.sources[log.source].rotated)).collect();
        let found_again = lock(&self.found_again).clone().into_iter();
        let found_again = found_again.filter_map(|one| Some((self.source_of(&one.live_path)?, one)));
        Live { logs, failed, found_again: found_again.collect() }
    }

    /// The source of a live log, whether the log exists or not: the source that names the path, else the first that has
    /// a matching pattern.
    pub fn source_of(&self, path: &Path) -> Option<usize> {
        let position = |is_it: &dyn Fn(&String) -> bool| {
            self.sources.iter().position(|source| source.paths.iter().any(is_it))
        };
        position(&|named| Path::new(named) == path).or_else(|| position(&|named| matches(named, path)))
    }

    /// Whether a pattern of any source matches a path, whether the path is live or not.
    pub fn has_pattern_for(&self, path: &Path) -> bool {
        self.sources.iter().flat_map(|source| &source.paths).any(|named| matches(named, path))
    }

    /// The files that are siblings of a log by name and directory, whichever log they belong to. For callers that
    /// search for a file that they can recognize by its bytes.
    pub fn files_like(&self, live: &Path) -> Vec<PathBuf> {
        let rotated: Vec<PathBuf> =
            self.sources.iter().flat_map(|source| source.rotated.iter().cloned()).collect();
        let is_file = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_file());
        let mut found = Vec::new();
        for Home { directory, name } in Log::of(live.to_owned(), 0, &rotated).homes {
            let entries = fs::read_dir(directory).into_iter().flatten().flatten();
            let siblings = entries.filter(|e| is_sibling(&name, &e.file_name()) && is_file(e));
            found.extend(siblings.map(|entry| entry.path()));
        }
        found
    }
}

impl Live {
    /// The live paths of all sources; they need not exist.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.logs.iter().map(|log| log.path.as_path())
    }

    /// The live paths of one source.
    pub fn paths_of(&self, source: usize) -> impl Iterator<Item = &Path> {
        self.logs.iter().filter(move |log| log.source == source).map(|log| log.path.as_path())
    }

    /// Whether an open file is a live log, under whatever name it was opened.
    pub fn is_live(&self, file: Key) -> bool {
        self.logs.iter().any(|log| log.key() == Some(file))
    }

    /// Whether a file belongs to a log for its content.
    pub fn is_found_again(&self, file: Key) -> bool {
        self.found_again.iter().any(|(_, found)| found.key == file)
    }

    /// Whether a name in this directory is that of a rotated file of any log.
    pub fn names_in(&self, directory: &Path) -> impl Fn(&OsStr) -> bool {
        let owners = self.owners(directory);
        move |name| owner(&owners, name).is_some()
    }

    /// The directories that may contain files of a source.
    pub fn directories(&self, source: usize) -> Vec<&Path> {
        let mut directories: Vec<&Path> = Vec::new();
        for home in self.logs.iter().filter(|log| log.source == source).flat_map(|log| &log.homes) {
            if !directories.contains(&home.directory.as_path()) {
                directories.push(&home.directory);
            }
        }
        directories
    }

    /// The existing files of a source. `each` is called for each file, because looking at many files takes time.
    /// Directories that do not exist contain no files. Links in a directory are skipped, because their targets are
    /// found at their own paths.
    pub fn files(&self, source: usize, each: &dyn Fn()) -> Files {
        self.files_of(&[source], each).remove(&source).unwrap_or_default()
    }

    /// The existing files of several sources, as [`Live::files`] has them. Each directory is listed once, however many
    /// of the sources may have files in it.
    pub fn files_of(&self, sources: &[usize], each: &dyn Fn()) -> HashMap<usize, Files> {
        let mut found: HashMap<usize, Files> = sources.iter().map(|n| (*n, Files::default())).collect();
        for (source, path, error) in &self.failed {
            if let Some(of) = found.get_mut(source) {
                of.problems.push((path.clone(), error.to_string()));
            }
        }
        for log in &self.logs {
            if let Some(of) = found.get_mut(&log.source) {
                each();
                of.add(&log.path, &log.path, true, log.seen.as_ref());
            }
        }
        let paths: HashSet<&Path> = self.paths().collect();
        let live: HashSet<Key> = self.logs.iter().filter_map(Log::key).collect();
        for (directory, owners) in self.homes() {
            let is_wanted =
                |found: &HashMap<usize, Files>| owners.iter().any(|(_, log)| found.contains_key(&log.source));
            if !is_wanted(&found) {
                continue;
            }
            let entries = match fs::read_dir(directory) {
                Ok(entries) => entries,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => {
                    let of: HashSet<usize> = owners.iter().map(|(_, log)| log.source).collect();
                    for (_, of) in found.iter_mut().filter(|(source, _)| of.contains(source)) {
                        of.problems.push((directory.to_owned(), error.to_string()));
                    }
                    continue;
                }
            };
            for entry in entries.flatten() {
                let Some(log) = owner(&owners, &entry.file_name()) else { continue };
                let Some(of) = found.get_mut(&log.source) else { continue };
                let path = entry.path();
                let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
                if !is_file || paths.contains(path.as_path()) {
                    continue;
                }
                each();
                let seen = entry.metadata();
                if !seen.as_ref().is_ok_and(|metadata| live.contains(&key(metadata))) {
                    of.add(&path, &log.path, false, seen.as_ref());
                }
            }
        }
        found.iter_mut().for_each(|(source, of)| self.add_found_again(*source, of));
        found
    }

    /// Adds the files that were found again, as long as they are at their paths. Under another name they are found by
    /// their names, or again by their content.
    fn add_found_again(&self, source: usize, found: &mut Files) {
        for (_, again) in self.found_again.iter().filter(|(of, _)| *of == source) {
            let Ok(metadata) = fs::symlink_metadata(&again.path) else { continue };
            let key = key(&metadata);
            let is_it = metadata.is_file() && key == again.key && !self.is_live(key);
            if is_it && !found.files.iter().any(|file| file.key == key) {
                let (path, live_path) = (again.path.clone(), again.live_path.clone());
                let stamp = Stamp::of(&metadata);
                found.files.push(LogFile {
                    key,
                    path,
                    live_path,
                    is_live: false,
                    stamp,
                    is_found_again: true,
                });
            }
        }
    }

    /// The logs whose siblings may be in a directory, and their names there. A file that several logs claim belongs to
    /// the first of them.
    fn owners(&self, directory: &Path) -> Vec<(&OsStr, &Log)> {
        let mut homes = self.homes();
        let at = homes.iter().position(|(home, _)| *home == directory);
        at.map(|at| homes.swap_remove(at).1).unwrap_or_default()
    }

    /// The directories that may contain files of any source, in the order of the logs, each with its
    /// [`Live::owners`].
    fn homes(&self) -> Vec<(&Path, Vec<(&OsStr, &Log)>)> {
        let mut homes: Vec<(&Path, Vec<_>)> = Vec::new();
        let mut places: HashMap<&Path, usize> = HashMap::new();
        for log in &self.logs {
            for (nearness, home) in log.homes.iter().enumerate() {
                let place = *places.entry(&home.directory).or_insert(homes.len());
                if place == homes.len() {
                    homes.push((&home.directory, Vec::new()));
                }
                homes[place].1.push((Reverse(home.name.len()), nearness, home.name.as_os_str(), log));
            }
        }
        let sorted = |mut owners: Vec<(Reverse<usize>, usize, _, _)>| {
            owners.sort_by_key(|(length, nearness, ..)| (*length, *nearness));
            owners.into_iter().map(|(.., name, log)| (name, log)).collect()
        };
        homes.into_iter().map(|(directory, owners)| (directory, sorted(owners))).collect()
    }
}

/// The log that a rotated file belongs to, by its name.
fn owner<'a>(owners: &[(&OsStr, &'a Log)], name: &OsStr) -> Option<&'a Log> {
    owners.iter().find(|(live, _)| is_sibling(live, name)).map(|(_, log)| *log)
}

impl Files {
    fn add(&mut self, path: &Path, live_path: &Path, is_live: bool, seen: Result<&Metadata, &io::Error>) {
        let problem = match seen {
            Ok(metadata) if metadata.is_file() => {
                self.files.push(LogFile {
                    key: key(metadata),
                    path: path.to_owned(),
                    live_path: live_path.to_owned(),
                    is_live,
                    stamp: Stamp::of(metadata),
                    is_found_again: false,
                });
                return;
            }
            Ok(_) => "not a regular file".to_owned(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(error) => error.to_string(),
        };
        self.problems.push((path.to_owned(), problem));
    }
}

impl Log {
    /// The log in its current state.
    fn of(path: PathBuf, source: usize, rotated: &[PathBuf]) -> Log {
        let mut homes = Vec::new();
        add_homes(&path, rotated, &mut homes);
        let mut seen = fs::symlink_metadata(&path);
        if seen.as_ref().is_ok_and(Metadata::is_symlink) {
            seen = fs::metadata(&path);
            if let Ok(target) = fs::canonicalize(&path) {
                add_homes(&target, rotated, &mut homes);
            }
        }
        Log { path, source, seen, homes }
    }

    fn key(&self) -> Option<Key> {
        self.seen.as_ref().ok().map(key)
    }
}

/// Adds the places of rotated files: the log's directory, `rotated/` in it, and the directories that the source names.
fn add_homes(log: &Path, rotated: &[PathBuf], homes: &mut Vec<Home>) {
    let (Some(directory), Some(name)) = (log.parent(), log.file_name()) else { return };
    let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    let directories = [directory.to_owned(), directory.join("rotated")].into_iter().chain(rotated.to_vec());
    for directory in directories {
        let home = Home { directory, name: name.to_owned() };
        if !homes.contains(&home) {
            homes.push(home);
        }
    }
}

/// A path that may be a live log.
#[derive(Debug, Clone)]
struct Candidate {
    path: PathBuf,
    source: usize,
    /// The source names it by a path, not by a pattern.
    is_path: bool,
}

impl Candidate {
    /// Whether `other` is a rotated file of this log, by its name and directory.
    fn has(&self, other: &Candidate, named: &Named) -> bool {
        let (Some(live), Some(name)) = (self.path.file_name(), other.path.file_name()) else { return false };
        let (here, there) = (self.path.parent(), other.path.parent());
        let is_near = here == there
            || here.map(|here| here.join("rotated")).as_deref() == there
            || named.rotated.iter().any(|directory| Some(directory.as_path()) == there);
        is_near && is_sibling(live, name)
    }
}

/// Each live path, with exactly one source.
fn each_once(candidates: Vec<Candidate>) -> Vec<Candidate> {
    let mut owners: HashMap<&Path, usize> = HashMap::new();
    for (n, log) in candidates.iter().enumerate() {
        let owner = owners.entry(&log.path).or_insert(n);
        if log.is_path && !candidates[*owner].is_path {
            *owner = n;
        }
    }
    let owners: HashSet<usize> = owners.into_values().collect();
    candidates.into_iter().enumerate().filter(|(n, _)| owners.contains(n)).map(|(_, log)| log).collect()
}

/// The meaning of a path in the configuration.
enum Meaning {
    /// The file with this name.
    Path,
    /// All matches of this pattern.
    Pattern(String),
}

impl Meaning {
    fn of(path: &str) -> Meaning {
        if !path.contains(MAGIC) {
            return Meaning::Path;
        }
        let is_there = |path: &&Path| fs::symlink_metadata(path).is_ok();
        let there = Path::new(path).ancestors().find(is_there).and_then(Path::to_str).unwrap_or_default();
        let rest = path[there.len()..].trim_start_matches('/');
        if !rest.contains(MAGIC) {
            return Meaning::Path;
        }
        let there = PathBuf::from(glob::Pattern::escape(there));
        Meaning::Pattern(there.join(rest).to_string_lossy().into_owned())
    }
}

/// The paths that a path of the configuration means, as a pattern, for those who compare it with other programs'
/// configurations. `None`: it is not a valid pattern.
pub fn pattern(path: &str) -> Option<glob::Pattern> {
    let text = match Meaning::of(path) {
        Meaning::Path => glob::Pattern::escape(path),
        Meaning::Pattern(pattern) => pattern,
    };
    glob::Pattern::new(&text).ok()
}

/// Whether a path of the configuration is a pattern that matches.
fn matches(named: &str, path: &Path) -> bool {
    match Meaning::of(named) {
        Meaning::Path => false,
        Meaning::Pattern(pattern) => glob::Pattern::new(&pattern).is_ok_and(|p| p.matches_path(path)),
    }
}

/// Whether nothing exists that a path of the configuration names. A path that cannot be looked at may exist.
pub fn is_absent(path: &str) -> bool {
    match Meaning::of(path) {
        Meaning::Path => fs::metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound),
        Meaning::Pattern(pattern) => glob::glob(&pattern).map_or(0, Iterator::count) == 0,
    }
}

/// Whether anything that a path of the configuration names can be seen.
pub fn is_seen(path: &str) -> bool {
    match Meaning::of(path) {
        Meaning::Path => fs::metadata(path).is_ok(),
        Meaning::Pattern(pattern) => {
            glob::glob(&pattern).is_ok_and(|mut found| found.any(|path| path.is_ok()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Logs in a directory: the paths of the sources, and the existing files.
    struct Scene {
        directory: tempfile::TempDir,
        logs: Logs,
    }

    impl Scene {
        fn new(sources: &[&[&str]], files: &[&str]) -> Scene {
            let directory = tempfile::tempdir().unwrap();
            for file in files {
                let path = directory.path().join(file);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, "x\n").unwrap();
            }
            let of = |path: &&str| directory.path().join(path).to_str().unwrap().to_owned();
            let sources: Vec<Vec<String>> =
                sources.iter().map(|paths| paths.iter().map(of).collect()).collect();
            let logs = Logs::named(sources.iter().map(|paths| (&paths[..], &[][..])));
            Scene { directory, logs }
        }

        fn name(&self, path: &Path) -> String {
            path.strip_prefix(self.directory.path()).unwrap().to_str().unwrap().to_owned()
        }

        /// The files of a source: `live` and `sibling<live`, in order.
        fn files(&self, source: usize) -> Vec<String> {
            let found = self.logs.look().files(source, &|| {});
            assert_eq!(found.problems, []);
            let said = |f: &LogFile| match f.is_live {
                true => self.name(&f.path),
                false => format!("{}<{}", self.name(&f.path), self.name(&f.live_path)),
            };
            let mut said: Vec<String> = found.files.iter().map(said).collect();
            said.sort();
            said
        }
    }

    #[test]
    fn what_is_named_is_live_whatever_its_name() {
        let files =
            ["a.log", "a.log.1", "a-2.log", "a-2.log.1", "a-2-20261120.log", "a-20261120.log", "b.log"];
        let one = Scene::new(&[&["a.log", "a-2.log"]], &files);
        let all = [
            "a-2-20261120.log<a-2.log",
            "a-2.log",
            "a-2.log.1<a-2.log",
            "a-20261120.log<a.log",
            "a.log",
            "a.log.1<a.log",
        ];
        assert_eq!(one.files(0), all);
        let two = Scene::new(&[&["a.log"], &["a-2.log"]], &files);
        assert_eq!(two.files(0), all[3..]);
        assert_eq!(two.files(1), all[..3]);
        // A log that does not exist yet is still live.
        fs::remove_file(two.directory.path().join("a-2.log")).unwrap();
        assert_eq!(two.files(0), all[3..]);
        assert_eq!(two.files(1), [all[0], all[2]]);
    }

    #[test]
    fn a_path_is_compared_with_other_programs_paths_as_it_is_meant() {
        let scene = Scene::new(&[], &["a[1]/x.log"]);
        let at = |path: &str| scene.directory.path().join(path).to_str().unwrap().to_owned();
        for (path, other, is_same) in [
            ("a[1]/x.log", "a[1]/x.log", true),
            ("a[1]/x.log", "a1/x.log", false),
            ("a[1]/y.log", "a[1]/y.log", true),
            ("a[1]/*.log", "a[1]/y.log", true),
            ("a[1]/*.log", "a1/y.log", false),
            ("b[1]/x.log", "b1/x.log", true),
            ("x.log", "x.log", true),
        ] {
            assert_eq!(pattern(&at(path)).unwrap().matches(&at(other)), is_same, "{path} {other}");
        }
        assert!(pattern("/nowhere[/x.log").is_none());
    }

    #[test]
    fn a_pattern_matches_live_logs_and_not_their_siblings() {
        let files =
            ["a.log", "a.log.1", "a.log.1.gz", "b.log.2.gz", "b.log", "rotated/a.log.2", "c.log.gz.tmp"];
        let scene = Scene::new(&[&["*.log*", "rotated/*"], &["b*"]], &files);
        let all = ["a.log", "a.log.1.gz<a.log", "a.log.1<a.log", "b.log", "b.log.2.gz<b.log", "c.log.gz.tmp"];
        assert_eq!(scene.files(0), [&all[..], &["rotated/a.log.2<a.log"]].concat());
        assert_eq!(scene.files(1), [""; 0], "a log has one source");
        // A log belongs to the source that names its path.
        let scene = Scene::new(&[&["*.log*"], &["b.log"]], &files);
        assert_eq!(scene.files(1), ["b.log", "b.log.2.gz<b.log"]);
        assert!(!scene.files(0).contains(&all[3].to_owned()));
        // A log that another source follows by a pattern is no sibling.
        let scene = Scene::new(&[&["a.log"], &["a-*.log"]], &["a.log", "a-8080.log", "a-8080.log.1"]);
        assert_eq!(scene.files(0), ["a.log"]);
        assert_eq!(scene.files(1), ["a-8080.log", "a-8080.log.1<a-8080.log"]);
    }

    #[test]
    fn a_path_that_exists_is_no_pattern() {
        let scene = Scene::new(&[&["a[1]/b.log"]], &["a[1]/b.log", "a[1]/b.log.1", "a1/b.log"]);
        assert_eq!(scene.files(0), ["a[1]/b.log", "a[1]/b.log.1<a[1]/b.log"]);
        fs::remove_file(scene.directory.path().join("a[1]/b.log")).unwrap();
        assert_eq!(scene.files(0), ["a[1]/b.log.1<a[1]/b.log"], "it is away for a moment");
        let scene = Scene::new(&[&["a[1]/*.log"]], &["a[1]/b.log", "a1/b.log"]);
        assert_eq!(scene.files(0), ["a[1]/b.log"]);
        let scene = Scene::new(&[&["a[1]/*.log"]], &["a1/b.log", "a2/b.log"]);
        assert_eq!(scene.files(0), ["a1/b.log"]);
        let path = |name: &str| scene.directory.path().join(name);
        assert_eq!(scene.logs.source_of(&path("a1/c.log")), Some(0));
        assert_eq!(scene.logs.source_of(&path("a2/b.log")), None);
        let is =
            |name: &str| (is_absent(path(name).to_str().unwrap()), is_seen(path(name).to_str().unwrap()));
        assert_eq!(is("a1/b.log"), (false, true));
        assert_eq!(is("a*/b.log"), (false, true));
        assert_eq!(is("a*/c.log"), (true, false));
        assert_eq!(is("a1/c.log"), (true, false));
    }

    #[test]
    fn what_a_live_link_points_to_is_live() {
        let files = ["x/real.log", "x/real.log.1", "x/b.log-1", "x/b.log-2"];
        let scene = Scene::new(&[&["a.log"], &["x/b.log"]], &files);
        let at = |name: &str| scene.directory.path().join(name);
        std::os::unix::fs::symlink("x/real.log", at("a.log")).unwrap();
        std::os::unix::fs::symlink("b.log-2", at("x/b.log")).unwrap();
        assert_eq!(scene.files(0), ["a.log", "x/real.log.1<a.log"]);
        assert_eq!(scene.files(1), ["x/b.log", "x/b.log-1<x/b.log"]);
        let live = scene.logs.look();
        let is_live = |name: &str| live.is_live(key(&fs::metadata(at(name)).unwrap()));
        assert!(is_live("x/real.log") && is_live("x/b.log-2"));
        assert!(!is_live("x/real.log.1") && !is_live("x/b.log-1"));
    }
}
