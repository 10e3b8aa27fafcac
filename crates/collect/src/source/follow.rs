//! The files of one source, live and rotated: finds them, holds them against the checkpoints, keeps them open. What becomes
//! of each, [`lifecycle`](super::lifecycle) decides.
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

use super::lifecycle::{
    Action, Ahead, Closing, Held, Identity, Location, Moment, Observation, Reader, Sight, State, Terms,
    may_be_one, need_ids_to_the_end, step,
};
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

/// Whether there is a file that something was written to.
fn has_lines(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|m| m.len() > 0)
}

/// A file of the source.
#[derive(Debug)]
struct Found {
    key: Key,
    path: PathBuf,
    /// The live path that it is, or is a sibling of.
    live_path: PathBuf,
    sight: Sight,
}

/// A file that is to be held against the checkpoints.
#[derive(Debug)]
pub struct Due {
    found: Found,
    terms: Terms,
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
    /// What the files are that are not read; one that is not here is new.
    known: HashMap<Key, State>,
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

    /// What a file is.
    fn state(&self, key: Key) -> State {
        if self.files.iter().any(|f| f.reading.key == key) {
            return State::Open;
        }
        self.known.get(&key).copied().unwrap_or(State::New)
    }

    /// Notes what a file is that is not read, or not yet.
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

    /// Adds those to what was found that have no name there any more, and lets go of what needs not be kept. `begun` are
    /// live paths whose logs have lines.
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

    /// Whether a look is due before its time.
    pub fn names_changed(&self) -> bool {
        self.watch.names_changed()
    }

    /// Looks at the directories: notes what moved, and returns what is new, for [`Follow::open`].
    pub fn look(&mut self) -> Vec<Due> {
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
                    followed.is_live = now.sight.is_live();
                    followed.live_path = now.live_path;
                }
                // Deleted, or moved where nobody looks: its descriptor still has it.
                None => followed.is_live = false,
            }
        }
        // A live file that was cut starts anew: its copy, if there is one, continues at the checkpoint.
        self.files.retain(|f| !f.reading.was_cut());
        self.make_way(&found);

        let due = |found: Found| match self.ask(&found) {
            Action::Identify(terms) => Some(Due { found, terms }),
            _ => None,
        };
        let mut new: Vec<Due> = found.into_values().filter_map(due).collect();
        // Live files first, because of two with one content the live one is to be read; then rotated files in
        // the order in which they were written; within one age the plain before the compressed copy. What could not
        // be opened the last time does not hold up the others.
        let failed = |due: &Due| self.unopened.contains_key(&due.found.path);
        new.sort_by_cached_key(|due| {
            let Found { path, sight, .. } = &due.found;
            (!sight.is_live(), failed(due), sight.stamp.modified, path.as_os_str().len())
        });
        let rotated = new.iter().filter(|due| !due.found.sight.is_live()).count();
        let room = self.make_room(rotated.min(ROTATED_OPEN_MAX));
        let later = new.split_off(new.len() - rotated + rotated.min(room));
        self.is_more = later.iter().any(|due| !self.unopened.contains_key(&due.found.path));
        new
    }

    /// What is to be done with a file that is not read.
    fn ask(&self, found: &Found) -> Action {
        let state = self.known.get(&found.key).copied().unwrap_or(State::New);
        let reader = match state {
            State::Copy { of, .. } | State::Short { of, .. } => self.reader(of),
            _ => Reader::None,
        };
        step(state, Observation::Seen(found.sight, reader), &self.moment()).1
    }

    /// How the file with this key of `log_files` is read.
    fn reader(&self, file_id: i32) -> Reader {
        let index = self.files.iter().position(|f| f.reading.file_id() == file_id);
        index.map_or(Reader::None, |index| self.reader_at(index))
    }

    fn reader_at(&self, index: usize) -> Reader {
        Reader::of(self.ahead(index), self.files[index].reading.has_unread(), &self.moment())
    }

    /// What stands ahead of the reader of a file.
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

    /// What is to be done with a file that is read.
    pub fn next(&self, index: usize) -> Action {
        step(State::Open, Observation::Turn(self.ahead(index)), &self.moment()).1
    }

    /// Closes a rotated file that is read to its end where a copy of it has more: one of both is read at a time, and
    /// without a live log a rotated file is not finished.
    fn make_way(&mut self, found: &HashMap<Key, Found>) {
        for found in found.values() {
            let Action::MakeWay(of) = self.ask(found) else { continue };
            if let Some(index) = self.files.iter().position(|f| f.reading.file_id() == of) {
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
            if self.reader_at(index) != Reader::AtRotatedEnd {
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
    pub fn open(&mut self, new: Vec<Due>) -> Result<bool, Interrupted> {
        let start = Instant::now();
        let mut all = true;
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

    /// Whether a live log is read by ids without an end because of what other files of it may have to hand over, and they
    /// have nothing, or nothing any more. Only where all files that were found are known.
    pub fn asks_on_in_vain(&self) -> bool {
        self.files.iter().any(|f| self.is_asked_on_in_vain(f))
    }

    fn is_asked_on_in_vain(&self, file: &Followed) -> bool {
        let (by_ids, is_live) = (file.reading.by_ids, file.is_live);
        let unread = |f: &Followed| f.live_path == file.live_path && !f.is_live && f.reading.has_unread();
        let others_unread = self.is_more || by_ids && self.files.iter().any(unread);
        file.ids_until == Micros::MAX && !need_ids_to_the_end(is_live, by_ids, others_unread)
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

    /// All files of the source that are there, by inode.
    fn find(&mut self) -> HashMap<Key, Found> {
        let live = self.place.logs.look();
        let Files { files, problems } = live.files(self.place.source, &|| self.hand.beat.moves());
        for directory in live.directories(self.place.source) {
            self.watch.cover(directory);
        }
        let begun = files.iter().filter(|file| file.is_live && file.stamp.size > 0);
        let begun: HashSet<PathBuf> = begun.map(|file| file.live_path.clone()).collect();
        let mut found = HashMap::new();
        for LogFile { key, path, live_path, is_live, stamp } in files {
            let has_successor = begun.contains(&live_path);
            let location = if is_live { Location::Live } else { Location::Rotated { has_successor } };
            let sight = Sight { stamp, location };
            found.entry(key).or_insert(Found { key, path, live_path, sight });
        }
        self.complain(problems);
        self.add_kept(&mut found, &begun);
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

    /// Opens a file. `false`: it has to wait for another; look again at once.
    fn open_one(&mut self, due: &Due) -> Result<bool, Interrupted> {
        let found = &due.found;
        let Some(opened) = self.open_file(found) else { return Ok(true) };
        let file = opened.plain();
        let action = self.identify(&[], opened, due);
        let is_done = action.map(|action| action != Action::LookAgain);
        let Some(file) = file else { return is_done };
        let is_deleted = file.metadata().is_ok_and(|now| now.nlink() == 0);
        let state = self.state(found.key);
        let is_wanted = !state.is_over() && !matches!(state, State::Broken(_));
        // Nobody knows yet what it is, or it has lost its name since it was found.
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
                let state = self.state(found.key);
                self.set(found.key, step(state, Observation::Unopened(found.sight), &self.moment()).0);
                None
            }
        }
    }

    /// Holds a file against the checkpoints; it is not to be taken for any with these keys of `log_files`.
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
        let identified = match opened.identify(&belongs, choice, &self.store) {
            Ok(identified) => Some(identified?),
            Err(e) => {
                // A compressed file that is being written ends early: look again when it has grown.
                self.cannot_open(&found.path, &e);
                None
            }
        };
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
            (Some(reading), _, Action::Read) => self.read(*reading, found),
            (Some(reading), State::Copy { of, has_more, .. }, _) => {
                if let Some(read) = self.files.iter().find(|f| f.reading.file_id() == of) {
                    self.progress.note(found.key, reading.stands_as_copy(&read.reading, has_more));
                }
            }
            _ => {}
        }
        Ok(action)
    }

    /// What a file was identified as, among those that are read; `None`: it cannot be read.
    fn identity(
        &self,
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
            let has_more = reading.has_more_than(read.reading.read_offset());
            return (Identity::Copy { of, reader: self.reader(of), has_more }, Some(reading));
        }
        (Identity::Readable, Some(reading))
    }

    /// Reads a file from now on, by ids to its end: what another file of its log still has to hand over, of those, too, that
    /// are opened after it, may stand in this one.
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

    /// What is there and not loaded to its end, as of the last look.
    pub fn owed(&mut self) -> Vec<PathBuf> {
        let found = self.find();
        let is_loaded = |found: &Found| self.state(found.key).is_loaded(found.sight.stamp);
        let owed: Vec<PathBuf> =
            found.into_values().filter(|found| !is_loaded(found)).map(|found| found.path).collect();
        // What cannot be looked at may hold anything.
        let unseen = self.complained.keys().chain(self.unopened.keys()).cloned();
        owed.into_iter().chain(unseen).collect()
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
        let read = match reading.metadata() {
            // What was written since the last read is not forgotten with the file.
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
