//! The files of one source, live and rotated: finds them, keeps them open, knows when each is finished.
//!
//! Right because it looks, not because it is told. At every look the directories say which files there are;
//! each one not known is opened and identified by its own bytes. A file that is open is known by its inode,
//! so it may be renamed, moved or deleted while it is read, and as long as what was read of it is not committed. Nothing
//! here moves a checkpoint.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::{Duration, Instant};

use alt_line::hit::Micros;
use alt_process::clock;
use alt_store::files::{Reached, Stamp};
use alt_store::writer::{Interrupted, Store};

use super::logs::{Files, LogFile, Place, is_absent};
use super::progress::{Progress, Stands};
use super::reading::{Belongs, Choice, Identified, Opened, Reading};
use super::siblings::Key;
use super::trail::Hand;
use super::watch::Watch;

/// Rotated files that are open at the same time: each holds a buffer.
const ROTATED_OPEN_MAX: usize = 4;

/// Time after which rotated files wait for the next look: unpacking one may take long, and live logs wait.
const OPEN_TIME: Duration = Duration::from_millis(50);

/// A deleted file is done with once nobody wrote to it for so long, whether a log follows it or not: its descriptor holds
/// its room on the disk.
const DELETED_STILL: Duration = Duration::from_secs(24 * 3600);

/// What is known of a file that is not open.
#[derive(Debug, Clone, Copy)]
enum Known {
    /// Loaded and sealed, as long as it stays as it is.
    Done(Stamp),
    /// Nothing to do until it is touched: it has no line yet, broke off, or was read to its end; or until it is
    /// complete, where it was not when that was seen.
    Untouched { stamp: Stamp, complete: bool },
    /// A copy of a file that is being read; whether it had more than was read of that.
    Copy { stamp: Stamp, of: i32, has_more: bool },
    /// Has less than is loaded of the file that it begins like, since that time.
    Short { stamp: Stamp, of: i32, since: Micros },
}

fn is_older(since: Micros, than: Duration) -> bool {
    clock::now() - since > Micros::try_from(than.as_micros()).unwrap_or(Micros::MAX)
}

/// Whether there is a file that something was written to.
fn has_lines(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|m| m.len() > 0)
}

/// A file in the source's directories.
#[derive(Debug)]
pub struct Found {
    key: Key,
    path: PathBuf,
    /// The live path that it is, or is a sibling of.
    live_path: PathBuf,
    is_live: bool,
    is_deleted: bool,
    stamp: Stamp,
}

/// A plain file that is not read now, and may have no name.
struct Kept {
    file: Arc<File>,
    path: PathBuf,
    live_path: PathBuf,
    /// How far it is committed; `None`: nothing was read of it.
    reached: Option<Arc<Reached>>,
    is_sealed: bool,
}

/// A file being read, and its part in the source.
pub struct Followed {
    /// The file.
    pub reading: Reading,
    /// The live path that it is, or is a sibling of.
    pub live_path: PathBuf,
    /// Whether it stands at its live path.
    pub is_live: bool,
    /// Until a line is later than this (microseconds since 1970), ids are asked for.
    pub ids_until: Micros,
}

/// The files of one source.
pub struct Follow {
    belongs: Belongs,
    place: Place,
    watch: Watch,
    store: Store,
    progress: Arc<Progress>,
    hand: Hand,
    /// The last look left files for later that there is room for.
    is_more: bool,
    /// It was looked since that was told.
    looked: bool,
    /// What is being read: rotated files, oldest first, then live ones.
    pub files: Vec<Followed>,
    known: HashMap<Key, Known>,
    /// What is not to be lost with its name.
    kept: HashMap<Key, Kept>,
    /// How long live logs were when they were last seen.
    lengths: HashMap<Key, u64>,
    /// What cannot be looked at, and what cannot be opened: said once.
    complained: BTreeMap<PathBuf, String>,
    unopened: BTreeMap<PathBuf, String>,
    /// Configured paths at which no log was ever seen, and whether that was said.
    unseen: Vec<String>,
    said_unseen: bool,
}

/// How a file ends, as far as can be told now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// There is or may be more.
    Open,
    /// Read to its end: to be sealed.
    Finished,
    /// It ends where it should not; to be opened again when it has changed or stood still.
    Later,
}

impl Follow {
    /// Nothing is open yet.
    pub fn new(
        place: Place,
        belongs: Belongs,
        store: Store,
        watch: Watch,
        progress: Arc<Progress>,
        hand: Hand,
    ) -> Follow {
        Follow {
            belongs,
            progress,
            hand,
            is_more: false,
            looked: false,
            unseen: place.paths().to_vec(),
            said_unseen: false,
            place,
            watch,
            store,
            files: Vec::new(),
            known: HashMap::new(),
            kept: HashMap::new(),
            lengths: HashMap::new(),
            complained: BTreeMap::new(),
            unopened: BTreeMap::new(),
        }
    }

    /// Forgets every file: all are identified anew at the next look.
    pub fn forget(&mut self) {
        for followed in std::mem::take(&mut self.files) {
            self.keep(followed);
        }
        // What was sealed may not be, after all.
        self.kept.values_mut().for_each(|kept| kept.is_sealed = false);
        self.known.clear();
    }

    /// Keeps the descriptor of a file that is not read on now.
    fn keep(&mut self, followed: Followed) {
        let Followed { reading, live_path, .. } = followed;
        let Some(file) = reading.plain() else { return };
        let (reached, is_sealed) = (Some(reading.reached), reading.sealed);
        self.kept.insert(reading.key, Kept { file, path: reading.path, live_path, reached, is_sealed });
    }

    /// Adds those to what was found that have no name there any more. What is committed to its end is let go when it is sealed,
    /// or has a name and was looked at since everything was forgotten.
    fn add_kept(&mut self, found: &mut HashMap<Key, Found>) {
        let open: HashSet<Key> = self.files.iter().map(|f| f.reading.key).collect();
        self.kept.retain(|key, kept| {
            let Ok(metadata) = kept.file.metadata() else { return false };
            let is_known = found.contains_key(key) && self.known.contains_key(key);
            let is_committed = kept.reached.as_ref().is_none_or(|to| to.bytes() >= metadata.len());
            if open.contains(key) || is_committed && (is_known || kept.is_sealed) {
                return false;
            }
            found.entry(*key).or_insert_with(|| Found {
                key: *key,
                path: kept.path.clone(),
                live_path: kept.live_path.clone(),
                is_live: false,
                is_deleted: metadata.nlink() == 0,
                stamp: Stamp::of(&metadata),
            });
            true
        });
    }

    /// Whether a look is due before its time.
    pub fn names_changed(&self) -> bool {
        self.watch.names_changed()
    }

    /// Looks at the directories: notes what moved, and returns what is new, for [`Follow::open`].
    pub fn look(&mut self) -> Vec<Found> {
        self.looked = true;
        let mut found = self.find();
        self.say_unseen();
        self.say_cut(&found);
        self.known.retain(|key, _| found.contains_key(key));
        // What is open is not noted again when it comes back.
        let open: HashSet<Key> = self.files.iter().map(|f| f.reading.key).collect();
        self.progress.retain(|key| found.contains_key(key) || open.contains(key));
        self.unopened.retain(|path, _| found.values().any(|f| f.path == *path));
        for followed in &mut self.files {
            match found.remove(&followed.reading.key) {
                Some(now) => {
                    if followed.reading.path != now.path {
                        followed.reading.moved_to(&now.path);
                    }
                    followed.is_live = now.is_live;
                    followed.live_path = now.live_path;
                }
                // Deleted, or moved where nobody looks: its descriptor still has it.
                None => followed.is_live = false,
            }
        }
        // A live file that was cut starts anew: its copy, if there is one, continues at the checkpoint.
        self.files.retain(|f| !f.reading.was_cut());
        self.make_way(&found);

        let mut new: Vec<Found> = found.into_values().filter(|f| self.is_due(f.key, f)).collect();
        // Live files first, because of two with one content the live one is to be read; then rotated files in
        // the order in which they were written; within one age the plain before the compressed copy. What could not
        // be opened the last time does not hold up the others.
        let failed = |f: &Found| self.unopened.contains_key(&f.path);
        new.sort_by_cached_key(|f| (!f.is_live, failed(f), f.stamp.modified, f.path.as_os_str().len()));
        let rotated = new.iter().filter(|f| !f.is_live).count();
        let room = self.make_room(rotated.min(ROTATED_OPEN_MAX));
        let later = new.split_off(new.len() - rotated + rotated.min(room));
        self.is_more = later.iter().any(|f| !self.unopened.contains_key(&f.path));
        new
    }

    /// Closes a rotated file that is read to its end where a copy of it has more: one of both is read at a time, and
    /// without a live log a rotated file is not finished.
    fn make_way(&mut self, found: &HashMap<Key, Found>) {
        for found in found.values() {
            let Some(Known::Copy { of, has_more: true, .. }) = self.known.get(&found.key) else { continue };
            let Some(index) = self.files.iter().position(|f| f.reading.file_id() == *of) else { continue };
            let file = &self.files[index];
            if !file.is_live && file.reading.is_at_end() && self.end(index) == End::Open {
                self.close(index, None);
            }
        }
    }

    /// Closes rotated files that are read to their end, as far as places are wanted; they are opened again to
    /// be sealed. Returns how many places there are.
    fn make_room(&mut self, wanted: usize) -> usize {
        let open = self.files.iter().filter(|f| !f.is_live).count();
        let mut room = ROTATED_OPEN_MAX.saturating_sub(open);
        let mut index = 0;
        while room < wanted && index < self.files.len() {
            let file = &self.files[index];
            if file.is_live || !file.reading.is_at_end() || self.end(index) != End::Open {
                index += 1;
                continue;
            }
            self.close(index, None);
            room += 1;
        }
        room
    }

    /// Opens what [`Follow::look`] found; live files first. The database's answers must cover every batch that
    /// was filled. `false`: not all of it, because of the time that it took, or because one has to wait for
    /// another; look again at once.
    ///
    /// # Errors
    /// The database's answers no longer hold.
    pub fn open(&mut self, new: Vec<Found>) -> Result<bool, Interrupted> {
        let start = Instant::now();
        let mut all = true;
        for found in new {
            if found.is_live || start.elapsed() < OPEN_TIME {
                all &= self.open_one(found)?;
            } else {
                all = false;
            }
        }
        self.files.sort_by_cached_key(|f| (f.is_live, f.reading.modified()));
        Ok(all)
    }

    /// Whether a live log is read by ids without an end because of what other files of it had to hand over, and they have
    /// nothing any more.
    pub fn asks_on_in_vain(&self) -> bool {
        self.files.iter().any(|f| self.is_asked_on_in_vain(f))
    }

    fn is_asked_on_in_vain(&self, file: &Followed) -> bool {
        let unread = |f: &Followed| f.live_path == file.live_path && !f.is_live && f.reading.has_unread();
        file.is_live && file.reading.by_ids && file.ids_until == Micros::MAX && !self.files.iter().any(unread)
    }

    /// Lets such logs be read by ids only until they are past what is loaded. The database's answer must cover every
    /// batch that was filled.
    ///
    /// # Errors
    /// The database's answers no longer hold.
    pub fn ask_no_longer_than_loaded(&mut self) -> Result<(), Interrupted> {
        let loaded_until = self.store.loaded_until()?;
        for index in 0..self.files.len() {
            if self.is_asked_on_in_vain(&self.files[index]) {
                self.files[index].ids_until = loaded_until;
            }
        }
        Ok(())
    }

    /// Whether files wait for their first look that could have it now.
    pub fn has_more(&self) -> bool {
        self.is_more && self.files.iter().filter(|f| !f.is_live).count() < ROTATED_OPEN_MAX
    }

    /// Tells those who watch that every file there is was looked at.
    pub fn tell_all_known(&self) {
        if !self.is_more {
            self.progress.all_known();
        }
    }

    /// Tells those who watch that nothing could be read that is not committed.
    pub fn tell_idle(&mut self) {
        if std::mem::take(&mut self.looked) {
            self.progress.looked_in_vain();
        }
    }

    /// Whether all that is known was read to its present end.
    pub fn is_at_end(&self) -> bool {
        !self.is_more && self.files.iter().all(|f| f.reading.is_at_end())
    }

    /// The time up to which all is committed, to be set by whoever commits it.
    pub fn caught_up(&self) -> &Arc<AtomicI64> {
        self.progress.caught_up()
    }

    /// Notes what is known of a file that is not read.
    fn note(&mut self, key: Key, known: Known) {
        self.known.insert(key, known);
        let stamp = match known {
            Known::Done(stamp) | Known::Untouched { stamp, .. } | Known::Short { stamp, .. } => stamp,
            Known::Copy { .. } => return,
        };
        self.progress.note(key, Stands::Settled(u64::try_from(stamp.size).unwrap_or_default()));
    }

    fn is_due(&self, key: Key, found: &Found) -> bool {
        let is_read = |id: i32| self.files.iter().any(|f| f.reading.file_id() == id);
        match self.known.get(&key) {
            None => true,
            Some(Known::Done(stamp)) => *stamp != found.stamp,
            Some(Known::Untouched { stamp, complete }) => {
                *stamp != found.stamp || (!complete && self.is_complete(found))
            }
            // Its reader, where that waits at its end, makes way if there is more now.
            Some(Known::Copy { stamp, of, has_more }) => {
                let waits = |f: &Followed| f.reading.file_id() == *of && !f.is_live && f.reading.is_at_end();
                !is_read(*of)
                    || *stamp != found.stamp && self.files.iter().any(waits)
                    || (*has_more || *stamp != found.stamp) && self.is_held_up(found, *of)
            }
            Some(Known::Short { stamp, of, since }) => {
                // A log that is not a copy under way is not held up for another file: ids make it safe to read.
                let settled = found.is_live || self.stood_still(found.stamp.modified);
                let waited = settled && self.stood_still(*since) || self.store.is_final();
                waited || (*stamp != found.stamp && (found.is_live || !is_read(*of)))
            }
        }
    }

    /// Whether a file that begins like the live one `of`, and has more than that, has waited for long enough: it stands
    /// still, and the live one was read to its end. So it is another one, and ids make it safe to read.
    fn is_held_up(&self, found: &Found, of: i32) -> bool {
        let ends = |f: &Followed| {
            f.reading.file_id() == of && f.is_live && f.reading.is_at_end() && !f.reading.has_unread()
        };
        self.stood_still(found.stamp.modified) && self.files.iter().any(ends)
    }

    /// Whether a file will not grow any more.
    fn is_complete(&self, found: &Found) -> bool {
        let has_ended = || self.has_ended(&found.live_path, found.stamp.modified, || found.is_deleted);
        self.store.is_final() || !found.is_live && has_ended()
    }

    /// Whether a file that is not live will not grow any more: its successor has lines, and it stood still; or it is deleted,
    /// and stood still for long.
    fn has_ended(&self, live_path: &Path, modified: Micros, is_deleted: impl FnOnce() -> bool) -> bool {
        has_lines(live_path) && self.stood_still(modified)
            || is_older(modified, DELETED_STILL) && is_deleted()
    }

    /// Whether what was so at `since` has been so for long enough.
    fn stood_still(&self, since: Micros) -> bool {
        is_older(since, self.place.seal_after)
    }

    /// All files of the source that are there, by inode.
    fn find(&mut self) -> HashMap<Key, Found> {
        let live = self.place.logs.look();
        let Files { files, problems } = live.files(self.place.source, &|| self.hand.beat.moves());
        for directory in live.directories(self.place.source) {
            self.watch.cover(directory);
        }
        let mut found = HashMap::new();
        for LogFile { key, path, live_path, is_live, stamp } in files {
            let file = Found { key, path, live_path, is_live, is_deleted: false, stamp };
            found.entry(key).or_insert(file);
        }
        self.complain(problems);
        self.add_kept(&mut found);
        found
    }

    /// Says once which logs are not there from the start; that one is away for a moment is how rotation goes.
    fn say_unseen(&mut self) {
        self.unseen.retain(|path| is_absent(path));
        if !std::mem::replace(&mut self.said_unseen, true) {
            for path in &self.unseen {
                tracing::warn!(path, "there is no such log yet: waiting for it");
            }
        }
    }

    /// Says of live logs that are shorter than they were: what is lost by that, nobody else knows.
    fn say_cut(&mut self, found: &HashMap<Key, Found>) {
        let read: HashMap<Key, u64> = self
            .files
            .iter()
            .filter(|f| !f.reading.packed)
            .map(|f| (f.reading.key, f.reading.read_offset()))
            .collect();
        let length = |f: &Found| u64::try_from(f.stamp.size).unwrap_or_default();
        for f in found.values().filter(|f| f.is_live) {
            let before = self.lengths.get(&f.key).max(read.get(&f.key)).copied().unwrap_or_default();
            if length(f) < before {
                tracing::warn!(
                    path = %f.path.display(), from = before, to = length(f),
                    "this log was cut in place (copytruncate?): what was written to it between a copy and the cut is \
                     in neither; let logs be moved away instead"
                );
            }
        }
        self.lengths = found.values().filter(|f| f.is_live).map(|f| (f.key, length(f))).collect();
    }

    /// Says once what cannot be read, and once that it can be again.
    fn complain(&mut self, problems: Vec<(PathBuf, String)>) {
        let problems: BTreeMap<PathBuf, String> = problems.into_iter().collect();
        for (path, problem) in &problems {
            if self.complained.get(path) != Some(problem) {
                tracing::warn!(path = %path.display(), problem, "cannot be read: trying again until it can be");
            }
        }
        for path in self.complained.keys().filter(|path| !problems.contains_key(*path)) {
            tracing::info!(path = %path.display(), "can be read again");
        }
        self.complained = problems;
    }

    fn open_one(&mut self, found: Found) -> Result<bool, Interrupted> {
        let Some(opened) = self.open_file(&found) else { return Ok(true) };
        let (key, path, live_path) = (found.key, found.path.clone(), found.live_path.clone());
        let file = opened.plain();
        let identified = self.identify(&[], opened, found);
        let Some(file) = file else { return identified };
        let is_deleted = file.metadata().is_ok_and(|now| now.nlink() == 0);
        let known = self.known.get(&key);
        let is_settled = matches!(known, Some(Known::Done(_) | Known::Untouched { complete: true, .. }));
        // Nobody knows yet what it is, or it has lost its name since it was found.
        if identified != Ok(true) || is_deleted && !is_settled {
            let kept = Kept { file: Arc::new(file), path, live_path, reached: None, is_sealed: false };
            self.kept.entry(key).or_insert(kept);
        }
        identified
    }

    /// `None`: it cannot be opened now, or is another by now.
    fn open_file(&mut self, found: &Found) -> Option<Opened> {
        let opened = match self.kept.get(&found.key) {
            Some(kept) => {
                kept.file.try_clone().and_then(|file| Opened::of(&found.path, file, Arc::default()))
            }
            None => Opened::new(&found.path, Arc::default()),
        };
        match opened {
            Ok(opened) => {
                if self.unopened.remove(&found.path).is_some() {
                    tracing::info!(path = %found.path.display(), "can be read again");
                }
                // Or it was renamed between the look and the opening: the next look sees it as it is.
                (opened.key() == found.key).then(|| opened.by(&self.hand))
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => None,
            Err(e) => {
                self.cannot_open(&found.path, &e);
                if self.store.is_final() {
                    self.note(found.key, Known::Untouched { stamp: found.stamp, complete: true });
                }
                None
            }
        }
    }

    /// Holds a file against the checkpoints; it is not to be taken for any with these keys of `log_files`.
    fn identify(&mut self, others: &[i32], opened: Opened, found: Found) -> Result<bool, Interrupted> {
        let key = found.key;
        // A file that stays cut short is one of its own: it is read with ids.
        let complete = self.is_complete(&found);
        let short_since = match self.known.get(&key) {
            Some(Known::Short { since, .. }) if found.is_live || self.stood_still(found.stamp.modified) => {
                Some(*since)
            }
            _ => None,
        };
        let stood_short = short_since.is_some_and(|since| self.stood_still(since)) || self.store.is_final();
        let belongs =
            Belongs { source: found.live_path.to_string_lossy().into_owned(), ..self.belongs.clone() };
        let choice =
            Choice { fork_if_shorter: stood_short, complete, unloaded_too: false, other_than: others };
        let is_packed = opened.is_packed();
        let identified = match opened.identify(&belongs, choice, &self.store) {
            Ok(identified) => identified?,
            Err(e) => {
                // A compressed file that is being written ends early: look again when it has grown.
                self.cannot_open(&found.path, &e);
                self.known.insert(key, Known::Untouched { stamp: found.stamp, complete: true });
                return Ok(true);
            }
        };
        match identified {
            // Packed, and nothing in it.
            Identified::TooShort if is_packed => {
                self.note(key, Known::Done(found.stamp));
            }
            Identified::TooShort => {
                if complete {
                    self.kept.remove(&key);
                }
                self.note(key, Known::Untouched { stamp: found.stamp, complete });
            }
            Identified::Done { .. } => {
                self.kept.remove(&key);
                self.note(key, Known::Done(found.stamp));
            }
            Identified::Shorter { file_id } => {
                let since = short_since.unwrap_or_else(clock::now);
                self.note(key, Known::Short { stamp: found.stamp, of: file_id, since });
            }
            Identified::Reading(mut reading) => {
                let collides = |f: &Followed| {
                    let (one, other) = (f.reading.head(), reading.head());
                    f.reading.is_new()
                        && (one.proof == other.proof
                            || (f.live_path == found.live_path && !(one.has_id && other.has_id)))
                };
                if reading.is_new() && self.files.iter().any(collides) {
                    // Whether they are one file can only be told once the first has its checkpoint.
                    self.known.remove(&key);
                    return Ok(false);
                }
                if let Some(read) = self.files.iter().find(|f| f.reading.file_id() == reading.file_id()) {
                    // A copy. One is read at a time.
                    let of = reading.file_id();
                    let has_more = reading.has_more_than(read.reading.read_offset());
                    if has_more && self.is_held_up(&found, of) {
                        let Some(again) = self.open_file(&found) else { return Ok(true) };
                        return self.identify(&[others, &[of]].concat(), again, found);
                    }
                    self.progress.note(key, reading.stands_as_copy(&read.reading, has_more));
                    self.note(key, Known::Copy { stamp: found.stamp, of, has_more });
                    return Ok(true);
                }
                self.known.remove(&key);
                // What another file of this log still has to hand over may stand in this one, too.
                let unread = |f: &Followed| f.live_path == found.live_path && f.reading.has_unread();
                let asks_on = !found.is_live || !reading.by_ids || self.files.iter().any(unread);
                let ids_until = if asks_on { Micros::MAX } else { self.store.loaded_until()? };
                let (path, offset) = (found.path.display(), reading.offset());
                if found.is_live {
                    tracing::info!(%path, offset, "reading");
                } else {
                    tracing::debug!(%path, offset, ids = reading.by_ids, "reading a rotated file");
                }
                self.progress.note(key, reading.stands());
                self.files.push(Followed {
                    reading: *reading,
                    live_path: found.live_path,
                    is_live: found.is_live,
                    ids_until,
                });
            }
        }
        Ok(true)
    }

    /// Whether a file is at its end for good.
    pub fn end(&self, index: usize) -> End {
        let file = &self.files[index];
        if !file.reading.is_at_end() {
            return End::Open;
        }
        if self.store.is_final() {
            return End::Finished;
        }
        if file.reading.packed {
            // One that ends within a line may still be written to, at the end of a member.
            let whole = !file.reading.has_rest() || self.stood_still(file.reading.stamp.modified);
            return if whole { End::Finished } else { End::Later };
        }
        let is_deleted = || matches!(file.reading.metadata(), Some(Ok(now)) if now.nlink() == 0);
        let finished = !file.is_live && self.has_ended(&file.live_path, file.reading.modified(), is_deleted);
        if finished { End::Finished } else { End::Open }
    }

    /// What is there and not loaded to its end, as of the last look.
    pub fn owed(&mut self) -> Vec<PathBuf> {
        let found = self.find();
        let is_done = |found: &Found| {
            found.stamp.size == 0
                || matches!(self.known.get(&found.key), Some(Known::Done(stamp)) if *stamp == found.stamp)
        };
        let owed = found.into_values().filter(|found| !is_done(found)).map(|found| found.path);
        // What cannot be looked at may hold anything.
        let unseen = self.complained.keys().chain(self.unopened.keys()).cloned();
        owed.chain(unseen).collect()
    }

    /// Says once that a file cannot be opened.
    fn cannot_open(&mut self, path: &Path, error: &std::io::Error) {
        let problem = error.to_string();
        if self.unopened.get(path) != Some(&problem) {
            tracing::warn!(path = %path.display(), problem, "cannot be read: trying again until it can be");
            self.unopened.insert(path.to_owned(), problem);
        }
    }

    /// Closes a file: one that is finished, or that cannot be read on, or is not complete yet. What is written to
    /// it later is found by its size and age.
    pub fn close(&mut self, index: usize, error: Option<&std::io::Error>) {
        let file = self.files.remove(index);
        let reading = &file.reading;
        let seen = match reading.metadata() {
            // What was written since the last read is not forgotten with the file.
            Some(Ok(now)) if now.len() == reading.read_offset() => Stamp::of(&now),
            _ => reading.stamp,
        };
        if let Some(error) = error {
            tracing::warn!(
                path = %reading.path.display(), offset = reading.offset(), %error,
                "cannot be read on: looking again when it changes"
            );
            // What is missing of it goes on to be missing.
            self.known.insert(reading.key, Known::Untouched { stamp: reading.stamp, complete: true });
        } else if reading.sealed {
            // Once its last section is committed; until then it stands as it stood.
            self.known.insert(reading.key, Known::Done(seen));
        } else {
            self.note(reading.key, Known::Untouched { stamp: seen, complete: false });
        }
        if error.is_none() {
            self.keep(file);
        }
    }
}
