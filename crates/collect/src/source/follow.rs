//! The files of one source, live and rotated: finds them, compares them with the checkpoints, keeps them open.
//! [`lifecycle`](super::lifecycle) decides what becomes of each file.
//!
//! Correctness depends on looks, not on notifications. Every look lists the directories; each unknown file is opened
//! and identified by its own bytes. An open file is known by its inode, so it may be renamed, moved or deleted while it
//! is read, and until what was read of it is committed. Nothing here moves a checkpoint.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::{Duration, Instant};

use alt_line::hit::Micros;
use alt_process::clock;
use alt_store::files::{Reached, Stamp};
use alt_store::unfinished::{Missing, Unfinished};
use alt_store::writer::{Interrupted, Store};

use super::lifecycle::{
    Action, Ahead, Closing, Held, Identity, Location, Moment, Observation, Reader, Rest, Sight, State, Terms,
    may_be_one, need_ids_to_the_end, rest, step,
};
use super::logs::{Files, Live, LogFile, Place, is_absent};
use super::missing::{Limit, Search};
use super::progress::{Progress, Stands};
use super::reading::{Belongs, Choice, Halt, Identified, NotYet, Opened, Reading, Stamped, Unpacked};
use super::siblings::Key;
use super::trail::Hand;
use super::watch::Watch;

/// The maximum number of rotated files of a source that are open at the same time: each holds a buffer.
const ROTATED_OPEN_MAX: usize = 4;
/// The maximum number of rotated files of all sources of a reader, but for one of each source.
const ROTATED_OPEN_OF_ALL_MAX: usize = 32;

/// Time after which rotated files wait for the next look: unpacking one may take long, and live logs must not wait.
const OPEN_TIME: Duration = Duration::from_millis(50);

/// The time between two searches for missing logs, if none is missing, and if one is.
const SEARCH_INTERVAL: Duration = Duration::from_secs(60);
const SEARCH_AGAIN: Duration = Duration::from_secs(5);
/// The time after which a search goes on that has not looked at all files.
const SEARCH_ON: Duration = Duration::from_millis(50);

/// Whether the file exists and is not empty.
fn has_lines(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|m| m.len() > 0)
}

/// A file of the source.
#[derive(Debug)]
struct Found {
    key: Key,
    path: PathBuf,
    /// The live path of the file itself, or of the log that it is a sibling of.
    live_path: PathBuf,
    sight: Sight,
}

/// A file that is due to be compared with the checkpoints.
#[derive(Debug)]
pub struct Due {
    found: Found,
    terms: Terms,
}

/// A plain file that is not being read, and may have no name.
struct Kept {
    file: Arc<File>,
    path: PathBuf,
    live_path: PathBuf,
    /// How far the file is committed; `None`: nothing of it was read.
    reached: Option<Arc<Reached>>,
    is_sealed: bool,
}

/// A file that is being read, and its role in the source.
pub struct Followed {
    /// The file.
    pub reading: Reading,
    /// The live path of the file itself, or of the log that it is a sibling of.
    pub live_path: PathBuf,
    /// Whether the file is at its live path.
    pub is_live: bool,
    /// Lines are checked by id until a line is later than this (microseconds since 1970).
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
    /// The last look deferred files for which there was no room.
    is_more: bool,
    /// The maximum number of rotated files that are open at the same time, and of those that are compressed.
    rotated_max: usize,
    packed_max: usize,
    /// A compressed file waits for room.
    packed_wait: bool,
    /// The compressed file that is being compared with its checkpoints.
    unpacked: Unpacked,
    /// A compressed copy of a file that is being read, while it is found out whether the copy has more.
    compared: Option<Box<Reading>>,
    /// There was a look since the last idle report.
    looked: bool,
    /// The files that are being read: rotated files, oldest first, then live files.
    pub files: Vec<Followed>,
    /// The states of the files that are not being read; a file without an entry is new.
    known: HashMap<Key, State>,
    /// The keys of `log_files` of the files that were identified.
    file_ids: HashMap<Key, i32>,
    /// The search for missing logs, when it is due, and the missing logs that were logged.
    search: Search,
    next_search: Instant,
    told_missing: BTreeSet<i32>,
    /// Files whose descriptors are kept, because their names may disappear.
    kept: HashMap<Key, Kept>,
    /// The lengths of live logs at the last look.
    lengths: HashMap<Key, u64>,
    /// Paths that cannot be looked at, and files that cannot be opened, so that each problem is logged once.
    complained: BTreeMap<PathBuf, String>,
    unopened: BTreeMap<PathBuf, String>,
    /// Configured paths at which no log was ever seen, and whether that was logged.
    unseen: Vec<String>,
    said_unseen: bool,
}

impl Follow {
    /// Creates the source with no file open.
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
            rotated_max: ROTATED_OPEN_MAX,
            packed_max: ROTATED_OPEN_MAX,
            packed_wait: false,
            unpacked: Unpacked::default(),
            compared: None,
            looked: false,
            unseen: place.paths().to_vec(),
            said_unseen: false,
            place,
            watch,
            store,
            files: Vec::new(),
            known: HashMap::new(),
            file_ids: HashMap::new(),
            search: Search::default(),
            next_search: Instant::now(),
            told_missing: BTreeSet::new(),
            kept: HashMap::new(),
            lengths: HashMap::new(),
            complained: BTreeMap::new(),
            unopened: BTreeMap::new(),
        }
    }

    /// One of this many sources that one reader reads.
    #[must_use]
    pub fn among(self, sources: usize) -> Follow {
        let rotated_max = (ROTATED_OPEN_OF_ALL_MAX / sources.max(1)).clamp(1, ROTATED_OPEN_MAX);
        Follow { rotated_max, ..self }
    }

    /// Shares the decompressor with which files are compared with their checkpoints with other sources of the reader.
    #[must_use]
    pub fn sharing(self, unpacked: &Unpacked) -> Follow {
        Follow { unpacked: unpacked.clone(), search: Search::in_steps(unpacked), ..self }
    }

    /// The index of the source.
    pub fn source(&self) -> usize {
        self.place.source
    }

    /// The live logs of all sources now.
    pub fn live(&self) -> Live {
        self.place.logs.look()
    }

    /// Forgets every file: the next look identifies all files again.
    pub fn forget(&mut self) {
        for followed in std::mem::take(&mut self.files) {
            self.keep(followed);
        }
        // A file that counted as sealed may not be sealed after all.
        self.kept.values_mut().for_each(|kept| kept.is_sealed = false);
        self.compared = None;
        self.known.clear();
        self.file_ids.clear();
        self.next_search = Instant::now();
    }

    /// Keeps the descriptor of a file whose reading stops for now.
    fn keep(&mut self, followed: Followed) {
        let Followed { reading, live_path, .. } = followed;
        let Some(file) = reading.plain() else { return };
        let (reached, is_sealed) = (Some(reading.reached), reading.sealed);
        self.kept.insert(reading.key, Kept { file, path: reading.path, live_path, reached, is_sealed });
    }

    /// The state of a file.
    fn state(&self, key: Key) -> State {
        if self.files.iter().any(|f| f.reading.key == key) {
            return State::Open;
        }
        self.known.get(&key).copied().unwrap_or(State::New)
    }

    /// Records the state of a file that is not being read.
    fn set(&mut self, key: Key, state: State) {
        match state {
            State::New | State::Open => _ = self.known.remove(&key),
            known => _ = self.known.insert(key, known),
        }
        if let Some(stamp) = state.settled() {
            self.progress.note(key, Stands::Settled(u64::try_from(stamp.size).unwrap_or_default()));
        }
    }

    fn moment(&self) -> Moment {
        let seal_after = Micros::try_from(self.place.seal_after.as_micros()).unwrap_or(Micros::MAX);
        Moment { now: clock::now(), seal_after, is_final: self.store.is_final() }
    }

    /// Adds the kept files that no longer have a name to `found`, and drops those that need not be kept. `begun` holds
    /// the live paths whose logs have lines.
    fn add_kept(&mut self, found: &mut HashMap<Key, Found>, begun: &HashSet<PathBuf>) {
        let mut all = std::mem::take(&mut self.kept);
        all.retain(|key, kept| {
            let Ok(metadata) = kept.file.metadata() else { return false };
            let held = Held {
                state: self.state(*key),
                has_name: found.contains_key(key),
                is_committed: kept.reached.as_ref().is_none_or(|to| to.bytes() >= metadata.len()),
                is_sealed: kept.is_sealed,
            };
            if !held.is_kept() {
                return false;
            }
            let has_successor = begun.contains(&kept.live_path);
            let location = match metadata.nlink() {
                0 => Location::Deleted { has_successor },
                _ => Location::Rotated { has_successor },
            };
            found.entry(*key).or_insert_with(|| Found {
                key: *key,
                path: kept.path.clone(),
                live_path: kept.live_path.clone(),
                sight: Sight { stamp: Stamp::of(&metadata), location },
            });
            true
        });
        self.kept = all;
    }

    /// Whether a look is due before its regular time.
    pub fn names_changed(&self) -> bool {
        self.watch.names_changed()
    }

    /// Looks at the directories by itself, as [`Follow::see`] does.
    pub fn look(&mut self) -> Vec<Due> {
        let live = self.live();
        let files = live.files(self.place.source, &|| self.hand.beat.moves());
        self.see(&live, files)
    }

    /// Takes what a look found: records moves, and returns the files that are due for [`Follow::open`]. Nothing of the
    /// source may be read between the look and this.
    pub fn see(&mut self, live: &Live, files: Files) -> Vec<Due> {
        self.looked = true;
        let mut found = self.find(live, files);
        self.say_unseen();
        self.say_cut(&found);
        self.known.retain(|key, _| found.contains_key(key));
        // An open file is not recorded again when it reappears, so its entry is kept.
        let open: HashSet<Key> = self.files.iter().map(|f| f.reading.key).collect();
        self.file_ids.retain(|key, _| found.contains_key(key) || open.contains(key));
        self.progress.retain(|key| found.contains_key(key) || open.contains(key));
        self.unopened.retain(|path, _| found.values().any(|f| f.path == *path));
        for followed in &mut self.files {
            match found.remove(&followed.reading.key) {
                Some(now) => {
                    if followed.reading.path != now.path {
                        followed.reading.moved_to(&now.path);
                    }
                    followed.is_live = now.sight.is_live();
                    followed.live_path = now.live_path;
                }
                // Deleted, or moved out of the source's directories: the descriptor still reaches the file.
                None => followed.is_live = false,
            }
        }
        // A live file that was cut is read from its start. Its copy, if there is one, continues at the checkpoint.
        self.files.retain(|f| !f.reading.was_cut());
        self.make_way(&found);

        let due = |found: Found| match self.ask(&found) {
            Action::Identify(terms) => Some(Due { found, terms }),
            _ => None,
        };
        let mut new: Vec<Due> = found.into_values().filter_map(due).collect();
        // Live files come first, because if two files have the same content, the live one must be read. Rotated files
        // follow in the order in which they were written; of two of the same age, the plain copy comes before the
        // compressed one. Files that could not be opened the last time come after the other files, so that they delay
        // none.
        let failed = |due: &Due| self.unopened.contains_key(&due.found.path);
        new.sort_by_cached_key(|due| {
            let Found { path, sight, .. } = &due.found;
            (!sight.is_live(), failed(due), sight.stamp.modified, path.as_os_str().len())
        });
        let rotated = new.iter().filter(|due| !due.found.sight.is_live()).count();
        let room = self.make_room(rotated.min(self.rotated_max));
        let later = new.split_off(new.len() - rotated + rotated.min(room));
        self.is_more = later.iter().any(|due| !self.unopened.contains_key(&due.found.path));
        new
    }

    /// What to do with a file that is not being read.
    fn ask(&self, found: &Found) -> Action {
        let state = self.known.get(&found.key).copied().unwrap_or(State::New);
        let reader = match state {
            State::Copy { of, .. } | State::Short { of, .. } => self.reader(of),
            _ => Reader::None,
        };
        step(state, Observation::Seen(found.sight, reader), &self.moment()).1
    }

    /// The reader's position in the file with this key of `log_files`.
    fn reader(&self, file_id: i32) -> Reader {
        let index = self.files.iter().position(|f| f.reading.file_id() == file_id);
        index.map_or(Reader::None, |index| self.reader_at(index))
    }

    fn reader_at(&self, index: usize) -> Reader {
        Reader::of(self.ahead(index), self.files[index].reading.has_unread(), &self.moment())
    }

    /// What the reader of a file meets next.
    fn ahead(&self, index: usize) -> Ahead {
        let Followed { reading, live_path, is_live, .. } = &self.files[index];
        if !reading.is_at_end() {
            return Ahead::More;
        }
        if reading.packed {
            let is_within_line = reading.has_rest();
            return Ahead::PackedEnd { modified: reading.stamp.modified, is_within_line };
        }
        if *is_live {
            return Ahead::PlainEnd(Sight { stamp: reading.stamp, location: Location::Live });
        }
        let has_successor = has_lines(live_path);
        let rotated = Location::Rotated { has_successor };
        let (stamp, location) = match reading.metadata() {
            Some(Ok(now)) if now.nlink() == 0 => (Stamp::of(&now), Location::Deleted { has_successor }),
            Some(Ok(now)) => (Stamp::of(&now), rotated),
            _ => (Stamp { modified: clock::now(), ..reading.stamp }, rotated),
        };
        Ahead::PlainEnd(Sight { stamp, location })
    }

    /// What to do with a file that is being read.
    pub fn next(&self, index: usize) -> Action {
        step(State::Open, Observation::Turn(self.ahead(index)), &self.moment()).1
    }

    /// Closes a rotated file that was read to its end if a copy of it has more. Only one of the two is read at a time,
    /// and a rotated file is not finished while its live log is missing.
    fn make_way(&mut self, found: &HashMap<Key, Found>) {
        for found in found.values() {
            let Action::MakeWay(of) = self.ask(found) else { continue };
            if let Some(index) = self.files.iter().position(|f| f.reading.file_id() == of) {
                self.close(index, None);
            }
        }
    }

    /// Closes rotated files that were read to their end, until `wanted` places are free; they are opened again to be
    /// sealed. Returns the number of free places.
    fn make_room(&mut self, wanted: usize) -> usize {
        let open = self.files.iter().filter(|f| !f.is_live).count();
        let mut room = self.rotated_max.saturating_sub(open);
        let mut index = 0;
        while room < wanted && index < self.files.len() {
            if self.reader_at(index) != Reader::AtRotatedEnd {
                index += 1;
                continue;
            }
            self.close(index, None);
            room += 1;
        }
        room
    }

    /// Opens the files that [`Follow::look`] found, live files first. The database's answers must cover every batch
    /// that was filled. At most `packed_room` compressed files are opened; the others wait, as those do for which
    /// [`Follow::see`] had no room. Returns `false` if some files were not opened, because time ran out or because one
    /// file must wait for another; then look again at once.
    ///
    /// # Errors
    /// The database's answers are no longer valid.
    pub fn open(&mut self, new: Vec<Due>, packed_room: usize) -> Result<bool, Interrupted> {
        let start = Instant::now();
        let mut all = true;
        self.packed_max = self.packed() + packed_room;
        self.packed_wait = false;
        for due in new {
            if due.found.sight.is_live() || start.elapsed() < OPEN_TIME {
                all &= self.open_one(&due)?;
            } else {
                all = false;
            }
        }
        self.files.sort_by_cached_key(|f| (f.is_live, f.reading.modified()));
        Ok(all)
    }

    /// Whether a live log is checked by id to its end only because other files of the log might hold unread lines,
    /// although none of them does any more. True only if all files that were found are known.
    pub fn asks_on_in_vain(&self) -> bool {
        self.files.iter().any(|f| self.is_asked_on_in_vain(f))
    }

    fn is_asked_on_in_vain(&self, file: &Followed) -> bool {
        let (by_ids, is_live) = (file.reading.by_ids, file.is_live);
        let unread = |f: &Followed| f.live_path == file.live_path && !f.is_live && f.reading.has_unread();
        let others_unread = self.is_more || by_ids && self.files.iter().any(unread);
        file.ids_until == Micros::MAX && !need_ids_to_the_end(is_live, by_ids, others_unread)
    }

    /// Limits the check by id of such logs to lines that are not later than all loaded lines. The database's answers
    /// must cover every batch that was filled.
    ///
    /// # Errors
    /// The database's answers are no longer valid.
    pub fn ask_no_longer_than_loaded(&mut self) -> Result<(), Interrupted> {
        let loaded_until = self.store.loaded_until()?;
        for index in 0..self.files.len() {
            if self.is_asked_on_in_vain(&self.files[index]) {
                self.files[index].ids_until = loaded_until;
            }
        }
        Ok(())
    }

    /// Whether files wait for their first look, and there is room for one of them.
    pub fn has_more(&self) -> bool {
        self.is_more
            && self.files.iter().filter(|f| !f.is_live).count() < self.rotated_max
            && (!self.packed_wait || self.packed() < self.packed_max)
    }

    /// The number of compressed files that are open.
    pub fn packed(&self) -> usize {
        self.files.iter().filter(|f| f.reading.packed).count()
    }

    /// Reports to monitoring that every existing file was looked at.
    pub fn tell_all_known(&self) {
        if !self.is_more {
            self.progress.all_known();
        }
    }

    /// Reports to monitoring that there was nothing to read that is not committed.
    pub fn tell_idle(&mut self) {
        if std::mem::take(&mut self.looked) {
            self.progress.looked_in_vain();
        }
    }

    /// Whether it is time to search for missing logs: all files that were found are identified.
    pub fn is_search_due(&self) -> bool {
        !self.is_more && Instant::now() >= self.next_search
    }

    /// Searches for the files of logs that are not loaded to their ends and were not found by their names. Returns
    /// whether a file was found: then look again at once.
    ///
    /// # Errors
    /// The database's answers are no longer valid.
    pub fn search(&mut self) -> Result<bool, Interrupted> {
        let unfinished = self.store.unfinished(&self.belongs.host)?;
        let known: HashSet<i32> =
            self.file_ids.values().copied().chain(self.files.iter().map(|f| f.reading.file_id())).collect();
        let is_ours =
            |one: &Unfinished| self.place.logs.source_of(Path::new(&one.source)) == Some(self.place.source);
        let ours: Vec<Unfinished> = unfinished.into_iter().filter(is_ours).collect();
        let is_known = |one: &&Unfinished| known.contains(&one.checkpoint.file_id);
        let lost: Vec<Unfinished> =
            ours.iter().filter(|one| rest(is_known(one), None, true) == Rest::Missing).cloned().collect();
        let beat = || self.hand.beat.moves();
        let limit = if self.store.is_final() { Limit::NONE } else { Limit::BRIEF };
        let outcome = self.search.run(&self.place.logs, &lost, limit, &beat);
        let wait = match () {
            () if outcome.is_more => SEARCH_ON,
            () if lost.is_empty() => SEARCH_INTERVAL,
            () => SEARCH_AGAIN,
        };
        self.next_search = Instant::now() + wait;
        let is_found = !outcome.found.is_empty();
        for found in outcome.found {
            tracing::warn!(
                path = %found.path.display(), log = %found.live_path.display(),
                "found a rotated log by its content: its name is none that is followed; `alt check` looks at how \
                 logs are rotated"
            );
            self.place.logs.add_found_again(found);
        }
        if !outcome.is_more && !is_found {
            for one in &outcome.missing {
                if self.told_missing.insert(one.file_id) {
                    tracing::error!(path = one.path, mend = one.mend(), "{one}");
                }
            }
            self.note_missing(&ours, outcome.missing)?;
        }
        Ok(is_found)
    }

    /// Records for monitoring and for commands which logs are missing.
    fn note_missing(&self, ours: &[Unfinished], missing: Vec<Missing>) -> Result<(), Interrupted> {
        let missing_ids: Vec<i32> = missing.iter().map(|one| one.file_id).collect();
        self.progress.note_missing(missing);
        let is_news = |one: &Unfinished| one.is_noted != missing_ids.contains(&one.checkpoint.file_id);
        if ours.iter().any(is_news) {
            let all = ours.iter().map(|one| one.checkpoint.file_id).collect();
            self.store.note_missing(all, missing_ids)?;
        }
        Ok(())
    }

    /// Whether all known files were read to their present end.
    pub fn is_at_end(&self) -> bool {
        !self.is_more && self.files.iter().all(|f| f.reading.is_at_end())
    }

    /// The time up to which everything is committed. The code that commits sets it.
    pub fn caught_up(&self) -> &Arc<AtomicI64> {
        self.progress.caught_up()
    }

    /// All existing files of the source, by inode.
    fn find(&mut self, live: &Live, files: Files) -> HashMap<Key, Found> {
        let Files { files, problems } = files;
        for directory in live.directories(self.place.source) {
            self.watch.cover(directory);
        }
        let begun = files.iter().filter(|file| file.is_live && file.stamp.size > 0);
        let begun: HashSet<PathBuf> = begun.map(|file| file.live_path.clone()).collect();
        let mut found = HashMap::new();
        for LogFile { key, path, live_path, is_live, stamp, .. } in files {
            let has_successor = begun.contains(&live_path);
            let location = if is_live { Location::Live } else { Location::Rotated { has_successor } };
            let sight = Sight { stamp, location };
            found.entry(key).or_insert(Found { key, path, live_path, sight });
        }
        self.complain(problems);
        self.add_kept(&mut found, &begun);
        found
    }

    /// Logs once which logs do not exist at the start. A log that is absent for a moment is normal during rotation.
    fn say_unseen(&mut self) {
        self.unseen.retain(|path| is_absent(path));
        if !std::mem::replace(&mut self.said_unseen, true) {
            for path in &self.unseen {
                tracing::warn!(path, "there is no such log yet: waiting for it");
            }
        }
    }

    /// Warns about live logs that are shorter than before: lines may be lost, and nothing else can detect that.
    fn say_cut(&mut self, found: &HashMap<Key, Found>) {
        let read: HashMap<Key, u64> = self
            .files
            .iter()
            .filter(|f| !f.reading.packed)
            .map(|f| (f.reading.key, f.reading.read_offset()))
            .collect();
        let length = |f: &Found| u64::try_from(f.sight.stamp.size).unwrap_or_default();
        for f in found.values().filter(|f| f.sight.is_live()) {
            let before = self.lengths.get(&f.key).max(read.get(&f.key)).copied().unwrap_or_default();
            if length(f) < before {
                tracing::warn!(
                    path = %f.path.display(), from = before, to = length(f),
                    "this log was cut in place (copytruncate?): what was written to it between a copy and the cut is \
                     in neither; let logs be moved away instead"
                );
            }
        }
        self.lengths = found.values().filter(|f| f.sight.is_live()).map(|f| (f.key, length(f))).collect();
    }

    /// Logs once what cannot be read, and once that it can be read again.
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

    /// Opens a file. Returns `false` if the file must wait for another; then look again at once.
    fn open_one(&mut self, due: &Due) -> Result<bool, Interrupted> {
        let found = &due.found;
        let Some(opened) = self.open_file(found) else { return Ok(true) };
        if opened.is_packed() && self.packed() >= self.packed_max {
            (self.packed_wait, self.is_more) = (true, true);
            return Ok(true);
        }
        let file = opened.plain();
        let action = self.identify(&[], opened, due);
        let is_done = action.map(|action| action != Action::LookAgain);
        let Some(file) = file else { return is_done };
        let is_deleted = file.metadata().is_ok_and(|now| now.nlink() == 0);
        let state = self.state(found.key);
        let is_wanted = !state.is_over() && !matches!(state, State::Broken(_));
        // The file is not identified yet, or has lost its name since it was found.
        if is_done != Ok(true) || is_deleted && is_wanted {
            self.kept.entry(found.key).or_insert(Kept {
                file: Arc::new(file),
                path: found.path.clone(),
                live_path: found.live_path.clone(),
                reached: None,
                is_sealed: false,
            });
        }
        is_done
    }

    /// `None`: the file cannot be opened now, or another file has its name.
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
                // If the file was renamed between the look and the opening, the next look sees it under its new name.
                (opened.key() == found.key).then(|| opened.by(&self.hand).in_steps(&self.unpacked))
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => None,
            Err(e) => {
                self.cannot_open(&found.path, &e);
                let state = self.state(found.key);
                self.set(found.key, step(state, Observation::Unopened(found.sight), &self.moment()).0);
                None
            }
        }
    }

    /// Compares a file with the checkpoints, except those with the keys of `log_files` in `others`.
    fn identify(&mut self, others: &[i32], opened: Opened, due: &Due) -> Result<Action, Interrupted> {
        let Due { found, terms } = due;
        let belongs =
            Belongs { source: found.live_path.to_string_lossy().into_owned(), ..self.belongs.clone() };
        let choice = Choice {
            complete: terms.is_complete,
            fork_if_shorter: terms.is_own_if_short,
            unloaded_too: false,
            other_than: others,
        };
        let is_packed = opened.is_packed();
        let identified = match self.compare(opened, &belongs, choice) {
            Ok(identified) => Some(identified),
            Err(Halt::Interrupted(interrupted)) => return Err(interrupted),
            // The next look takes the next step.
            Err(Halt::File(e)) if NotYet::is(&e) => return Ok(Action::LookAgain),
            Err(Halt::File(e)) => {
                // A compressed file that is still being written ends early: look again when it has grown.
                self.cannot_open(&found.path, &e);
                None
            }
        };
        match &identified {
            Some(Identified::Reading(reading)) => _ = self.file_ids.insert(found.key, reading.file_id()),
            Some(Identified::Done { file_id } | Identified::Shorter { file_id }) => {
                _ = self.file_ids.insert(found.key, *file_id);
            }
            _ => _ = self.file_ids.remove(&found.key),
        }
        let (identity, reading) = self.identity(identified, is_packed, found);
        let observation = Observation::Identified(found.sight, *terms, identity);
        let (state, action) = step(self.state(found.key), observation, &self.moment());
        if let Action::IdentifyAsAnother(of) = action {
            let Some(again) = self.open_file(found) else { return Ok(Action::Leave) };
            return self.identify(&[others, &[of]].concat(), again, due);
        }
        self.set(found.key, state);
        if state.is_over() {
            self.kept.remove(&found.key);
        }
        match (reading, state, action) {
            (Some(reading), _, Action::Read) => {
                // If the file is lost before its lines are committed, this is all that is known of them.
                if !reading.is_new() && !reading.packed && reading.has_unread() {
                    self.store.seen(reading.file_id(), reading.facts())?;
                }
                self.read(*reading, found);
            }
            (Some(reading), State::Copy { of, has_more, .. }, _) => {
                if let Some(read) = self.files.iter().find(|f| f.reading.file_id() == of) {
                    self.progress.note(found.key, reading.stands_as_copy(&read.reading, has_more));
                }
            }
            _ => {}
        }
        Ok(action)
    }

    /// Compares a file with the checkpoints. Keeps what was unpacked for it while the comparison goes on.
    fn compare(&mut self, opened: Opened, belongs: &Belongs, choice: Choice<'_>) -> Result<Identified, Halt> {
        let others = choice.other_than;
        let (key, stamp) = (opened.key(), opened.stamp());
        // It was unpacked beyond its checkpoint, so that it cannot be read any more once it is no copy.
        let is_compared = |copy: &mut Box<Reading>| {
            let is_read = self.files.iter().any(|f| f.reading.file_id() == copy.file_id());
            (copy.key, copy.stamp) == (key, stamp) && others.is_empty() && is_read
        };
        let identified = match self.compared.take_if(is_compared) {
            Some(copy) => Ok(Identified::Reading(copy)),
            None => opened.identify(belongs, choice, &self.store),
        };
        let goes_on = match &identified {
            Err(Halt::File(error)) => NotYet::is(error),
            // After the interruption, what was unpacked is good for the same question.
            Err(Halt::Interrupted(_)) => true,
            Ok(_) => false,
        };
        if !goes_on {
            self.unpacked.done(Stamped { key, stamp });
        }
        identified
    }

    /// The file's identity among the files that are being read. An `identified` of `None` means that it cannot be read.
    fn identity(
        &mut self,
        identified: Option<Identified>,
        is_packed: bool,
        found: &Found,
    ) -> (Identity, Option<Box<Reading>>) {
        let mut reading = match identified {
            None => return (Identity::Unreadable, None),
            Some(Identified::TooShort) => return (Identity::TooShort { is_packed }, None),
            Some(Identified::Done { .. }) => return (Identity::Done, None),
            Some(Identified::Shorter { file_id }) => return (Identity::Shorter(file_id), None),
            Some(Identified::Reading(reading)) => reading,
        };
        let is_unclear = |f: &Followed| {
            let is_one_log = f.live_path == found.live_path;
            f.reading.is_new() && may_be_one(&f.reading.head(), &reading.head(), is_one_log)
        };
        if reading.is_new() && self.files.iter().any(is_unclear) {
            return (Identity::Unclear, None);
        }
        let of = reading.file_id();
        if let Some(read) = self.files.iter().find(|f| f.reading.file_id() == of) {
            let Some(has_more) = reading.has_more_than(read.reading.read_offset()) else {
                // The next look takes the next step.
                self.compared = Some(reading);
                return (Identity::Unclear, None);
            };
            return (Identity::Copy { of, reader: self.reader(of), has_more }, Some(reading));
        }
        (Identity::Readable, Some(reading))
    }

    /// Starts to read a file, by ids to its end: this file may already contain lines that another file of its log has
    /// yet to deliver, even one that is opened later.
    fn read(&mut self, reading: Reading, found: &Found) {
        let is_live = found.sight.is_live();
        let (path, offset) = (found.path.display(), reading.offset());
        if is_live {
            tracing::info!(%path, offset, "reading");
        } else {
            tracing::debug!(%path, offset, ids = reading.by_ids, "reading a rotated file");
        }
        self.progress.note(found.key, reading.stands());
        let live_path = found.live_path.clone();
        self.files.push(Followed { reading, live_path, is_live, ids_until: Micros::MAX });
    }

    /// The files that are not loaded to their end, as of the last look and the last search.
    pub fn owed(&mut self) -> Vec<PathBuf> {
        let live = self.live();
        let files = live.files(self.place.source, &|| self.hand.beat.moves());
        let found = self.find(&live, files);
        let is_loaded = |found: &Found| self.state(found.key).is_loaded(found.sight.stamp);
        let owed: Vec<PathBuf> =
            found.into_values().filter(|found| !is_loaded(found)).map(|found| found.path).collect();
        // A path that cannot be looked at may hold anything.
        let unseen = self.complained.keys().chain(self.unopened.keys()).cloned();
        let missing =
            self.progress.missing().into_iter().flatten().map(|missing| PathBuf::from(missing.path));
        owed.into_iter().chain(unseen).chain(missing).collect()
    }

    /// Logs once that a file cannot be opened.
    fn cannot_open(&mut self, path: &Path, error: &std::io::Error) {
        let problem = error.to_string();
        if self.unopened.get(path) != Some(&problem) {
            tracing::warn!(path = %path.display(), problem, "cannot be read: trying again until it can be");
            self.unopened.insert(path.to_owned(), problem);
        }
    }

    /// Closes a file that is finished, cannot be read further, or is not complete yet. Later writes to it are detected
    /// by its size and age.
    pub fn close(&mut self, index: usize, error: Option<&std::io::Error>) {
        let file = self.files.remove(index);
        let reading = &file.reading;
        let read = match reading.metadata() {
            // What was written since the last read must not be forgotten when the file is closed.
            Some(Ok(now)) if now.len() == reading.read_offset() => Some(Stamp::of(&now)),
            _ => None,
        };
        if let Some(error) = error {
            tracing::warn!(
                path = %reading.path.display(), offset = reading.offset(), %error,
                "cannot be read on: looking again when it changes"
            );
        }
        let why = match error {
            Some(_) => Closing::Breaks,
            None if reading.sealed => Closing::Sealed,
            None => Closing::Waits,
        };
        let observation = Observation::Closed { why, opened: reading.stamp, read };
        self.set(reading.key, step(State::Open, observation, &self.moment()).0);
        if error.is_none() {
            self.keep(file);
        }
    }
}
