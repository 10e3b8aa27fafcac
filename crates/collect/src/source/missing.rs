//! Logs that are not loaded to their ends, and whose files have no name by which their source finds them: searches for
//! each of them by its content, and tells which are missing.
//!
//! A log may get any name while the daemon does not run: rotation inserts a date in a form of its own, a script moves
//! the file, a symbolic link is pointed at another directory. The checkpoint proves which file is meant: the file begins
//! and continues as the checkpoint says. The inode only decides which files are opened first. A search costs something
//! only while a log is missing, opens each file once as long as it does not change, and opens few files at a time.

use std::collections::{BTreeSet, HashMap};
use std::fs::{self, DirEntry, Metadata};
use std::io;
use std::os::unix::fs::{DirEntryExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use alt_store::unfinished::{Missing, Unfinished};

use super::lifecycle::{Claim, Rest, claims, rest};
use super::logs::{FoundAgain, Live, Logs};
use super::reading::{NotYet, Opened, Unpacked};
use super::siblings::{Key, key};

/// How much one search may do before it returns.
#[derive(Debug, Clone, Copy)]
pub struct Limit {
    /// Files that are opened.
    pub files: usize,
    /// The time that it takes.
    pub time: Duration,
}

impl Limit {
    /// For readers, which have live logs to read.
    pub const BRIEF: Limit = Limit { files: 256, time: Duration::from_millis(50) };
    /// For commands, which wait for the result.
    pub const NONE: Limit = Limit { files: usize::MAX, time: Duration::MAX };
}

/// The result of a search.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Files that were found.
    pub found: Vec<FoundAgain>,
    /// Logs that are missing.
    pub missing: Vec<Missing>,
    /// Files were left for the next search.
    pub is_more: bool,
}

/// Shows whether a file was changed, or can be read by others, since.
type Look = (u64, i64, i64, i64, i64);

fn look(metadata: &Metadata) -> Look {
    (metadata.size(), metadata.mtime(), metadata.mtime_nsec(), metadata.ctime(), metadata.ctime_nsec())
}

/// Searches for the same logs again and again.
#[derive(Default)]
pub struct Search {
    /// The logs that the rest applies to.
    sought: BTreeSet<i32>,
    /// Files that are none of these logs, as long as they do not change.
    unlike: HashMap<Key, Look>,
    hints: HashMap<i32, String>,
    /// The pass through all directories that is under way.
    pass: Option<Pass>,
    unpacked: Unpacked,
}

/// A pass through all directories.
#[derive(Debug)]
struct Pass {
    /// Files that are to be opened, the last one first.
    ahead: Vec<Candidate>,
    /// The logs for which a file was found, and how the file is known.
    claims: HashMap<i32, Claim>,
    /// Logs of which it is certain which file they are. What else begins like them would be a copy.
    certain: BTreeSet<i32>,
}

/// A file in one of the directories.
#[derive(Debug)]
struct Candidate {
    path: PathBuf,
    key: Key,
    look: Look,
    /// A log claims it by its name or place.
    is_claimed: bool,
    /// It has the inode of one of the logs.
    is_likely: bool,
}

impl Search {
    /// A search by a reader whose sources share `unpacked`.
    pub fn in_steps(unpacked: &Unpacked) -> Search {
        Search { unpacked: unpacked.clone(), ..Search::default() }
    }

    /// Searches for logs of this configuration. `each` is called for each file, because looking at many files takes
    /// time.
    pub fn run(&mut self, logs: &Logs, lost: &[Unfinished], limit: Limit, each: &dyn Fn()) -> Outcome {
        let ids: BTreeSet<i32> = lost.iter().map(|one| one.checkpoint.file_id).collect();
        if !ids.is_subset(&self.sought) {
            *self = Search::in_steps(&self.unpacked);
        }
        self.sought = ids;
        if lost.is_empty() {
            *self = Search::in_steps(&self.unpacked);
            return Outcome::default();
        }
        let start = Instant::now();
        let mut pass = match self.pass.take() {
            Some(pass) => pass,
            None => self.begin(logs, lost, each),
        };
        let mut outcome = Outcome::default();
        let mut opened = 0;
        while !lost.iter().all(|one| pass.certain.contains(&one.checkpoint.file_id)) {
            if !pass.ahead.is_empty() && (opened >= limit.files || start.elapsed() >= limit.time) {
                outcome.is_more = true;
                self.pass = Some(pass);
                return outcome;
            }
            let Some(candidate) = pass.ahead.pop() else { break };
            opened += 1;
            each();
            match self.open(&candidate, lost, limit, &mut pass) {
                Some(found) => outcome.found.extend(found),
                None => {
                    pass.ahead.push(candidate);
                    outcome.is_more = true;
                    self.pass = Some(pass);
                    return outcome;
                }
            }
        }
        for one in lost {
            let claim = pass.claims.get(&one.checkpoint.file_id).copied();
            if rest(false, claim, true) == Rest::Missing {
                outcome.missing.push(self.missing(one));
            }
        }
        outcome
    }

    /// Begins a pass: looks which files there are, and leaves out those that are known to be none of the logs.
    fn begin(&mut self, logs: &Logs, lost: &[Unfinished], each: &dyn Fn()) -> Pass {
        let mut ahead = candidates(logs, lost, each);
        let there: HashMap<Key, Look> = ahead.iter().map(|one| (one.key, one.look)).collect();
        self.unlike.retain(|key, look| there.get(key) == Some(look));
        ahead.retain(|one| !self.unlike.contains_key(&one.key));
        ahead.reverse();
        Pass { ahead, claims: HashMap::new(), certain: BTreeSet::new() }
    }

    /// Compares a file with the logs. Returns the file if it is one of them and nothing else says so. The outer `None`:
    /// a compressed file is not compared yet.
    fn open(
        &mut self,
        candidate: &Candidate,
        lost: &[Unfinished],
        limit: Limit,
        pass: &mut Pass,
    ) -> Option<Option<FoundAgain>> {
        let proven = self.proven(candidate, lost, limit)?;
        if proven.is_empty() {
            self.unlike.insert(candidate.key, candidate.look);
        }
        for one in &proven {
            let id = one.checkpoint.file_id;
            if candidate.is_claimed {
                pass.claims.insert(id, Claim::Named);
            } else {
                pass.claims.entry(id).or_insert(Claim::Nameless);
            }
            if candidate.is_claimed || is_inode(one, candidate.key.1) {
                pass.certain.insert(id);
            }
        }
        let Some(one) = proven.first().filter(|_| !candidate.is_claimed) else { return Some(None) };
        let (path, live_path) = (candidate.path.clone(), PathBuf::from(&one.source));
        Some(Some(FoundAgain { key: candidate.key, path, live_path }))
    }

    /// The logs that this file continues, the one that is loaded farthest first. `None`: that is not known yet.
    fn proven<'l>(
        &mut self,
        candidate: &Candidate,
        lost: &'l [Unfinished],
        limit: Limit,
    ) -> Option<Vec<&'l Unfinished>> {
        let is_brief = limit.time < Duration::MAX;
        let standings = Opened::new(&candidate.path, Arc::default())
            .map(|opened| if is_brief { opened.in_steps(&self.unpacked) } else { opened })
            .and_then(|opened| opened.standings(lost.iter().map(|one| &one.checkpoint)));
        let mut proven = Vec::new();
        match standings {
            Ok(standings) => {
                let all = lost.iter().zip(standings);
                for (one, standing) in all {
                    if claims(standing) {
                        proven.push(one);
                    } else if candidate.is_claimed && is_inode(one, candidate.key.1) {
                        let path = candidate.path.display();
                        let hint = format!(
                            "{path} has its inode and other content: it was cut or written over in place, or deleted"
                        );
                        self.hints.entry(one.checkpoint.file_id).or_insert(hint);
                    }
                }
            }
            Err(error) if NotYet::is(&error) => return None,
            Err(error) => self.hint_unread(candidate, lost, &error),
        }
        proven.sort_by_key(|one| std::cmp::Reverse(one.checkpoint.loaded_bytes));
        Some(proven)
    }

    /// Remembers that a file may be one of the logs, but cannot be read.
    fn hint_unread(&mut self, candidate: &Candidate, lost: &[Unfinished], error: &io::Error) {
        let name = candidate.path.file_name().unwrap_or_default().to_string_lossy();
        for one in lost {
            let live = Path::new(&one.source).file_stem().unwrap_or_default().to_string_lossy();
            if is_inode(one, candidate.key.1) || live.len() > 2 && name.contains(&*live) {
                let hint = format!("{} may be it, and cannot be read: {error}", candidate.path.display());
                self.hints.insert(one.checkpoint.file_id, hint);
            }
        }
    }

    fn missing(&self, one: &Unfinished) -> Missing {
        let file_id = one.checkpoint.file_id;
        Missing {
            file_id,
            path: one.path.clone(),
            offset: one.checkpoint.loaded_bytes,
            seen_behind: one.seen_behind(),
            hint: self.hints.get(&file_id).cloned(),
        }
    }
}

fn is_inode(one: &Unfinished, inode: u64) -> bool {
    one.inode.is_some() && one.inode == i64::try_from(inode).ok()
}

/// The files in all directories in which one of the logs may be; first those with the inode of one of them.
fn candidates(logs: &Logs, lost: &[Unfinished], each: &dyn Fn()) -> Vec<Candidate> {
    let live = logs.look();
    let (mut all, mut met) = (Vec::new(), BTreeSet::new());
    for directory in directories(logs, &live, lost) {
        let is_named = live.names_in(&directory);
        for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
            each();
            let Some(metadata) = regular(&entry) else { continue };
            let key = key(&metadata);
            if !met.insert(key) {
                continue;
            }
            let is_claimed = live.is_live(key) || live.is_found_again(key) || is_named(&entry.file_name());
            let is_likely = lost.iter().any(|one| is_inode(one, entry.ino()));
            all.push(Candidate { path: entry.path(), key, look: look(&metadata), is_claimed, is_likely });
        }
    }
    all.sort_by_key(|one| (!one.is_likely, one.is_claimed));
    all
}

fn regular(entry: &DirEntry) -> Option<Metadata> {
    entry.file_type().ok().filter(fs::FileType::is_file)?;
    entry.metadata().ok()
}

/// The directories of the sources that the logs belong to, and those in which the logs were seen, each with `rotated/`.
fn directories(logs: &Logs, live: &Live, lost: &[Unfinished]) -> Vec<PathBuf> {
    let mut directories: Vec<PathBuf> = Vec::new();
    let mut add = |directory: &Path| {
        if !directories.iter().any(|one| one == directory) {
            directories.push(directory.to_owned());
        }
    };
    let sources: BTreeSet<usize> =
        lost.iter().filter_map(|one| logs.source_of(Path::new(&one.source))).collect();
    for source in sources {
        live.directories(source).into_iter().for_each(&mut add);
    }
    for seen in lost.iter().flat_map(|one| one.real_path.iter().chain([&one.path])) {
        if let Some(directory) = Path::new(seen).parent().filter(|directory| directory.is_absolute()) {
            add(directory);
            add(&directory.join("rotated"));
        }
    }
    directories
}
