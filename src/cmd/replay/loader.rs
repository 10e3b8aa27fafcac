//! One of the parallel loaders of a replay. It takes one file after the other, and reads it by its checkpoint or beside
//! it.

use std::collections::{BTreeSet, HashSet};
use std::io;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use alt_collect::pipeline::{Halt, Loader, Reread};
use alt_collect::source::inputs::{Item, Members, Progress};
use alt_collect::source::logs::Logs;
use alt_collect::source::reading::{Again, Belongs, Beside, Choice, Identified, Opened, Reading};
use alt_config::Config;
use alt_line::hit::Micros;
use alt_process::clock;
use alt_process::lock::lock;
use alt_process::stop::Stop;
use alt_store::writer::{self, Store};

use super::account::{Loaded, Results};
use super::format::Expected;
use super::objects::Fetchable;
use crate::account;
use crate::cmd::assembly::settle;

/// How many unreadable members of one archive are named. The others are only counted.
const FAILED_NAMED: u64 = 1000;

/// Which files the loaders have begun. Loaders that share a connection begin files in order. Files with the same
/// beginning may be the same file, so they are read one at a time: the second loader finds the file loaded.
#[derive(Debug, Default)]
pub(super) struct Beginnings {
    state: Mutex<Begun>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Begun {
    /// This many files, from the first, have begun.
    files: usize,
    /// These later files have also begun.
    more: BTreeSet<usize>,
    /// The beginnings of the files that are being read.
    heads: HashSet<[u8; 16]>,
}

impl Beginnings {
    fn wait_while(&self, condition: impl Fn(&Begun) -> bool) -> MutexGuard<'_, Begun> {
        let state = lock(&self.state);
        self.changed.wait_while(state, |state| condition(state)).unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until all files before file `number` have begun.
    fn wait_for_turn(&self, number: usize) {
        drop(self.wait_while(|begun| begun.files < number));
    }

    /// Marks a loader as being at file `number`. Dropping the result releases the files that wait for it, whatever the
    /// outcome.
    pub(super) fn at(&self, number: usize) -> At<'_> {
        At { all: self, number }
    }

    /// Records that file `number` has begun, or will not begin.
    fn begun(&self, number: usize) {
        let state = &mut *lock(&self.state);
        if number >= state.files {
            state.more.insert(number);
        }
        while state.more.remove(&state.files) {
            state.files += 1;
        }
        self.changed.notify_all();
    }

    /// Waits until no other loader reads a file with this beginning, and keeps the others waiting until the result is
    /// dropped.
    fn take(&self, head: [u8; 16]) -> Beginning<'_> {
        self.wait_while(|begun| begun.heads.contains(&head)).heads.insert(head);
        Beginning { all: self, head }
    }
}

/// A mark that a loader is at a file.
pub(super) struct At<'b> {
    all: &'b Beginnings,
    number: usize,
}

impl Drop for At<'_> {
    fn drop(&mut self) {
        self.all.begun(self.number);
    }
}

/// The beginning of a file that is being read.
struct Beginning<'b> {
    all: &'b Beginnings,
    head: [u8; 16],
}

impl Drop for Beginning<'_> {
    fn drop(&mut self) {
        lock(&self.all.state).heads.remove(&self.head);
        self.all.changed.notify_all();
    }
}

/// One of the parallel loaders.
pub(super) struct FileLoader<'a> {
    pub(super) loader: Loader,
    pub(super) store: Store,
    pub(super) belongs: Belongs,
    pub(super) expected: Expected<'a>,
    /// Some lines are left out, so no checkpoint may move.
    pub(super) filtered: bool,
    /// Lines that are already loaded are read again.
    pub(super) again: bool,
    pub(super) config: &'a Config,
    pub(super) bytes_done: &'a AtomicU64,
    pub(super) beginnings: &'a Beginnings,
    /// The number of the current file.
    pub(super) number: usize,
    /// This loader begins files in order.
    pub(super) in_order: bool,
    pub(super) stop: Arc<Stop>,
}

impl FileLoader<'_> {
    /// Loads a file, or the logs in an archive.
    pub(super) fn file(&mut self, item: &Item, results: &Mutex<Results>) {
        let mut progress = Progress::default();
        let store = self.store.clone();
        let stops = || store.is_stopping() || store.is_closed();
        match item.archive(&stops) {
            Ok(Some(members)) => self.members(members, &mut progress, results),
            // If the beginning cannot be read, loading the file reports it.
            Ok(None) | Err(_) => {
                if let Some(outcome) = self.log(item, &mut progress) {
                    lock(results).note(item.shown(), outcome);
                }
            }
        }
        progress.whole();
        self.progress(&mut progress, item.size);
    }

    /// Fetches an object, and loads its content.
    pub(super) fn object(&mut self, object: &Fetchable, results: &Mutex<Results>) {
        let uri = object.uri();
        let fetched = object.fetch(&self.stop);
        if self.store.is_stopping() || self.store.is_closed() {
            return;
        }
        let (item, bytes, sha256) = match fetched
            .and_then(|(file, bytes, sha256)| Ok((Item::spooled(uri.clone(), file)?, bytes, sha256)))
        {
            Ok(fetched) => fetched,
            Err(error) => return lock(results).note(uri, Err(format!("{error:#}"))),
        };
        self.file(&item, results);
        let failed = lock(results).failed.iter().any(|(name, _)| *name == uri);
        let was_loaded = !failed && !self.store.is_stopping() && !self.store.is_closed();
        if was_loaded && !self.filtered {
            // If the replay stops here, the origin is not recorded, and the next replay finds the lines loaded and does
            // not record it either. The only consequence: a single line cannot be fetched from this object.
            let _ = self.store.came_from(&uri, bytes, sha256);
        }
    }

    /// Loads the logs in an archive, one after the other.
    fn members(&mut self, mut members: Members<'_>, progress: &mut Progress, results: &Mutex<Results>) {
        let (mut read, mut failed) = (0u64, 0u64);
        let end = loop {
            let from = members.bytes_read();
            let member = members.advance();
            if self.store.is_stopping() || self.store.is_closed() {
                return;
            }
            let member = match member {
                Ok(Some(member)) => member,
                Ok(None) => break None,
                Err(error) => break Some(error),
            };
            let outcome = match member.item {
                Err(why) => Err(why),
                Ok(item) => {
                    progress.part(from, members.bytes_read(), item.size);
                    let Some(outcome) = self.log(&item, progress) else { return };
                    self.progress(progress, item.size);
                    outcome
                }
            };
            *(if outcome.is_ok() { &mut read } else { &mut failed }) += 1;
            if outcome.is_ok() || failed <= FAILED_NAMED {
                let mut results = lock(results);
                results.members += 1;
                results.note(member.name, outcome);
            }
        };
        let more = failed.saturating_sub(FAILED_NAMED);
        let why = [
            end.map(|error| format!("{error}; the {read} files in it before that were read")),
            (more > 0).then(|| format!("{more} more of its files could not be read")),
        ];
        let why: Vec<String> = why.into_iter().flatten().collect();
        let mut results = lock(results);
        if why.is_empty() {
            results.archives += 1;
        } else {
            results.note(members.name, Err(why.join("; ")));
        }
    }

    /// Loads one log. Returns the outcome, or why the log was not read to its end. `None`: it was interrupted.
    fn log(&mut self, item: &Item, progress: &mut Progress) -> Option<Result<Loaded, String>> {
        let outcome = loop {
            self.loader.is_current();
            match self.guarded(item, progress) {
                Err(Halt::Interrupted(_)) => {
                    if self.store.is_stopping() || self.store.is_closed() {
                        return None;
                    }
                    // The database was unavailable: try again from the checkpoint.
                }
                Err(Halt::File(error)) => break Err(error),
                Ok(loaded) => break Ok(loaded),
            }
        };
        Some(outcome.map_err(|error| {
            use io::ErrorKind::{NotFound, PermissionDenied, Unsupported};
            let begun = !matches!(error.kind(), NotFound | PermissionDenied | Unsupported);
            match error.kind() {
                PermissionDenied => format!("{error}: {}", account::may_not_read()),
                _ if begun => format!("{error}; whole lines before that are loaded"),
                _ => error.to_string(),
            }
        }))
    }

    /// Moves the bar to `now` bytes of this file.
    fn progress(&self, progress: &mut Progress, now: u64) {
        self.bytes_done.fetch_add(progress.reach(now), Ordering::Relaxed);
    }

    /// As [`FileLoader::try_file`]. A line that causes a panic is an error of this file and does not end the others.
    fn guarded(&mut self, item: &Item, progress: &mut Progress) -> Result<Loaded, Halt> {
        let tried = std::panic::catch_unwind(AssertUnwindSafe(|| self.try_file(item, progress)));
        tried.unwrap_or_else(|_| {
            self.loader.abandon();
            let said = format!(
                "alt breaks over the line at offset {}: this is a defect, please report it with the lines above; the \
                 file is not loaded from there on, nor are up to `batch_rows` lines before it",
                self.loader.at()
            );
            Err(Halt::File(io::Error::new(io::ErrorKind::Unsupported, said)))
        })
    }

    fn try_file(&mut self, item: &Item, progress: &mut Progress) -> Result<Loaded, Halt> {
        let raw = Arc::new(AtomicU64::new(0));
        let mut opened = item.open(Arc::clone(&raw))?;
        // In a file that may still be written to, the last line waits for its newline.
        let quiet = Micros::try_from(self.config.load.seal_after.as_micros()).unwrap_or(Micros::MAX);
        let complete = opened.is_packed() || item.name.is_some() || clock::now() - opened.modified() > quiet;
        let head = opened.head(&self.belongs, complete)?;
        if self.in_order {
            self.beginnings.wait_for_turn(self.number);
        }
        let _alone = head.map(|head| self.beginnings.take(head.proof.hash));
        let mut again = false;
        if self.filtered || self.again {
            self.expected.check(item)?;
            let done = self.beside(opened, complete, &raw, progress)?;
            match done {
                // Without a checkpoint, or beyond it, `--again` is a normal replay.
                Loaded::All | Loaded::Nothing if !self.filtered => again = matches!(done, Loaded::All),
                done => return Ok(done),
            }
            opened = item.open(Arc::clone(&raw))?;
        }
        // A file that begins like a longer one and no longer grows is a separate file: its lines are checked against
        // ids.
        let choice = Choice { complete, fork_if_shorter: complete, unloaded_too: true, other_than: &[] };
        let identified = opened.identify(&self.belongs, choice, &self.store)?;
        self.beginnings.begun(self.number);
        let mut reading = match identified {
            Identified::Done { file_id } => {
                return Ok(if again { Loaded::All } else { Loaded::Before(file_id) });
            }
            Identified::TooShort if item.size > 0 && !complete => return Ok(Loaded::Growing),
            Identified::TooShort => return Ok(Loaded::Nothing),
            Identified::Shorter { .. } => return Ok(Loaded::Shorter),
            Identified::Reading(reading) => reading,
        };
        self.expected.check(item)?;
        reading.by_ids = true;
        if let Some(name) = &item.name {
            reading.moved_to(Path::new(name));
        }
        let start = reading.begins_at();
        self.read_to_the_end(&mut reading, &raw, progress)?;
        // Seal a file only if nothing writes to it any more. The daemon seals live logs.
        let seal = complete && !Logs::of(self.config).look().is_live(reading.key);
        if seal {
            self.loader.read(&mut reading, Micros::MAX, true)?;
        }
        settle(&mut self.loader, &self.store)?;
        let ends = reading.metadata().and_then(Result::ok).map_or(0, |metadata| metadata.len());
        Ok(if !complete && reading.offset() < ends {
            Loaded::Growing
        } else if reading.offset() == start && !again {
            Loaded::Before(reading.file_id())
        } else {
            Loaded::All
        })
    }

    /// Reads a file up to its present end. `raw` counts the bytes of a packed file.
    fn read_to_the_end(
        &mut self,
        reading: &mut Reading,
        raw: &AtomicU64,
        progress: &mut Progress,
    ) -> Result<(), Halt> {
        loop {
            // Another loader, or the end of a connection, may have changed the state that this loader relies on.
            if !self.loader.is_current() {
                return Err(Halt::Interrupted(writer::Interrupted));
            }
            let moved = self.loader.read(reading, Micros::MAX, false);
            if let Err(Halt::File(_)) = moved {
                settle(&mut self.loader, &self.store)?;
            }
            let moved = moved?;
            self.progress(
                progress,
                if reading.packed { raw.load(Ordering::Relaxed) } else { reading.offset() },
            );
            if self.store.is_stopping() {
                settle(&mut self.loader, &self.store)?;
                return Err(Halt::Interrupted(writer::Interrupted));
            }
            if !moved && reading.is_at_end() {
                return Ok(());
            }
        }
    }

    /// Reads a file beside its checkpoint: all of it if lines are left out, otherwise the loaded part.
    fn beside(
        &mut self,
        opened: Opened,
        complete: bool,
        raw: &AtomicU64,
        progress: &mut Progress,
    ) -> Result<Loaded, Halt> {
        let which = Again { complete, all: self.filtered };
        let beside = opened.beside(&self.belongs, which, &self.store)?;
        self.beginnings.begun(self.number);
        let (reading, loaded_bytes) = match beside {
            Beside::Reading { reading, loaded_bytes } => (reading, loaded_bytes),
            Beside::TooShort => return Ok(Loaded::Nothing),
        };
        if !self.filtered && loaded_bytes.is_none() {
            return Ok(Loaded::Nothing);
        }
        let mut reread = Reread::all(reading, loaded_bytes.is_some());
        let (bytes_done, store) = (self.bytes_done, &self.store);
        let done = self.loader.reread_file(&mut reread, complete, &mut |reading| {
            let now = if reading.packed { raw.load(Ordering::Relaxed) } else { reading.offset() };
            bytes_done.fetch_add(progress.reach(now), Ordering::Relaxed);
            !store.is_stopping()
        });
        if !matches!(done, Err(Halt::Interrupted(_))) {
            settle(&mut self.loader, &self.store)?;
        }
        done?;
        let reading = reread.reading;
        let ends = reading.metadata().and_then(Result::ok).map_or(0, |metadata| metadata.len());
        Ok(if self.filtered && !complete && reading.offset() < ends { Loaded::Growing } else { Loaded::All })
    }
}
