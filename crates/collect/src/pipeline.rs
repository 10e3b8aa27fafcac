//! The direct path from files to the database: a reader thread reads, parses, enriches and encodes, and hands batches
//! to the writer. This is the only module that knows both ends. `rounds` has what a thread does with several sources.

mod reread;
mod rounds;
pub mod suspicion;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use alt_line::batch::Batch;
use alt_line::enrich::App;
use alt_line::enrich::day::{LocalDay, local_day};
use alt_line::hit::{Micros, Reason, Reject};
use alt_line::lines::Line;
use alt_line::outcome::{Outcome, Processed};
use alt_line::processor::{Known, Own, Processor};
use alt_process::clock;
use alt_process::fault;
use alt_store::commit::Work;
use alt_store::dimensions::Keys;
use alt_store::writer::{Interrupted, Store};
use foldhash::{HashMap, HashMapExt};
use jiff::tz::TimeZone;

pub use reread::Reread;
pub use rounds::{Sourced, follow};

pub use crate::source::reading::Halt;
use crate::source::reading::{Next, Reading, Step};
use suspicion::{Stretch, Suspicion};

/// Cache lifetime of the list of applications for a known key.
const APPS_FRESH: Duration = Duration::from_secs(30);
/// Cache lifetime of a miss.
pub const APPS_ASKED_AGAIN: Duration = Duration::from_secs(1);

/// Salts are read again after this time, so that deleted salts are not used any more.
const SALTS_FRESH: Duration = Duration::from_secs(1800);

/// The maximum number of salts in the cache.
const SALTS_MAX: usize = 20_000;

/// The maximum number of applications in the cache. An application takes some 400 bytes.
const APPS_MAX: usize = 10_000;

/// The maximum number of bytes of one file before the next file has its turn, and as much more as was read already.
const TURN_BYTES: u64 = 1024 * 1024;

/// The maximum number of lines that are loaded one by one before the next file has its turn.
const TURN_LINES: usize = 16;

/// The most rows of a batch, and the most bytes, where lines that were just written wait for the same batch.
const LIVE_ROWS_MAX: usize = 5000;
const LIVE_BYTES_MAX: usize = 2 << 20;

/// The limits of batches.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Rows in a batch.
    pub rows: usize,
    /// Bytes of a batch's encoded rows.
    pub bytes: usize,
    /// The minimum time between the starts of two commits that are not full.
    pub commit_interval: Duration,
    /// The maximum time between two looks at the directories.
    pub look_interval: Duration,
}

impl Limits {
    /// Whether a batch has to be committed before more is added. `live`: lines that were just written wait for it.
    fn are_reached(&self, batch: &Batch, live: bool, hours: usize) -> bool {
        let (rows, bytes) = if live { (LIVE_ROWS_MAX, LIVE_BYTES_MAX) } else { (usize::MAX, usize::MAX) };
        batch.is_full(self.rows.min(rows), self.bytes.min(bytes), hours)
    }
}

/// A day and its salt; `None`: the salt is deleted.
type Salt = (LocalDay, Option<[u8; 32]>);

/// An application in the cache.
struct Cached {
    app: Arc<App>,
    zone: TimeZone,
    /// It was asked for since the applications were read.
    is_used: bool,
}

impl Cached {
    fn new(app: App) -> (String, Cached) {
        (app.key.clone(), Cached { zone: zone(&app), app: Arc::new(app), is_used: false })
    }
}

/// The time zone was checked when the application was added. If it has become unknown, days are UTC days.
fn zone(app: &App) -> TimeZone {
    TimeZone::get(&app.time_zone).unwrap_or(TimeZone::UTC)
}

/// A cache of what the database knows about applications.
pub struct Catalog {
    store: Store,
    /// All applications; if there are many, those in use.
    apps: HashMap<String, Cached>,
    /// The keys of all applications, if there are many.
    keys: Option<Keys>,
    asked: Option<Instant>,
    /// When the database was last asked for a key that is not among the keys.
    missed: Option<Instant>,
    /// The days seen for each application, with the salts that are not deleted.
    salts: HashMap<i32, Vec<Salt>>,
    salt_count: usize,
    salts_since: Instant,
    /// The time of the last call of [`Catalog::tick`]. Reading the clock for every line would cost more than the
    /// lookup.
    now: Instant,
}

impl Catalog {
    /// Creates an empty cache.
    pub fn new(store: Store) -> Catalog {
        Catalog {
            store,
            apps: HashMap::new(),
            keys: None,
            asked: None,
            missed: None,
            salts: HashMap::new(),
            salt_count: 0,
            salts_since: Instant::now(),
            now: Instant::now(),
        }
    }

    /// Reads the clock, which determines the age of the cached data.
    pub fn tick(&mut self) {
        self.now = Instant::now();
    }

    fn age(&self, since: Instant) -> Duration {
        self.now.saturating_duration_since(since)
    }

    /// Empties the cache, because the database may have changed.
    pub fn forget(&mut self) {
        self.apps.clear();
        (self.keys, self.asked, self.missed) = (None, None, None);
        self.forget_salts();
    }

    fn forget_salts(&mut self) {
        self.salts.clear();
        self.salt_count = 0;
        self.salts_since = Instant::now();
    }

    /// Reads the applications again: all, or those in use and the one with this key.
    fn ask(&mut self, key: &str) -> Result<(), Interrupted> {
        let used = self.apps.iter().filter(|(_, kept)| kept.is_used).map(|(key, _)| key.clone());
        let registry = self.store.registry(used.chain([key.to_owned()]).collect())?;
        self.apps = registry.apps.into_iter().map(Cached::new).collect();
        self.keys = registry.keys;
        self.asked = Some(Instant::now());
        Ok(())
    }

    /// Asks for one application that is not in the cache, if it is among the keys; for others only now and then, because
    /// anybody can make up keys.
    fn ask_for(&mut self, key: &str) -> Result<(), Interrupted> {
        let Some(keys) = &mut self.keys else { return Ok(()) };
        let is_listed = keys.contain(key);
        if !is_listed {
            let since = self.missed.map(|missed| self.now.saturating_duration_since(missed));
            if since.is_some_and(|since| since <= APPS_ASKED_AGAIN) {
                return Ok(());
            }
            self.missed = Some(self.now);
        }
        let found = self.store.apps(vec![key.to_owned()])?;
        if found.is_empty() && is_listed {
            // It was disabled meanwhile.
            keys.remove(key);
        }
        if self.apps.len() >= APPS_MAX {
            self.apps.clear();
        }
        self.apps.extend(found.into_iter().map(Cached::new));
        Ok(())
    }

    fn used(&mut self, key: &str) -> Option<Arc<App>> {
        let kept = self.apps.get_mut(key)?;
        kept.is_used = true;
        Some(Arc::clone(&kept.app))
    }
}

impl Known for Catalog {
    type Error = Interrupted;

    fn app(&mut self, key: &str) -> Result<Option<Arc<App>>, Interrupted> {
        let age = self.asked.map_or(Duration::MAX, |asked| self.age(asked));
        if age <= APPS_FRESH
            && let Some(app) = self.used(key)
        {
            return Ok(Some(app));
        }
        if age <= APPS_FRESH && self.keys.is_some() {
            self.ask_for(key)?;
        } else if age > APPS_ASKED_AGAIN {
            self.ask(key)?;
        }
        Ok(self.used(key))
    }

    fn salt(&mut self, app: &App, at: Micros) -> Result<Option<[u8; 32]>, Interrupted> {
        if self.salt_count >= SALTS_MAX || self.age(self.salts_since) > SALTS_FRESH {
            self.forget_salts();
        }
        let days = self.salts.entry(app.id).or_default();
        // Days come in order, so the requested day is usually the last one.
        if let Some((_, salt)) = days.iter().rev().find(|(day, _)| day.contains(at)) {
            return Ok(*salt);
        }
        let zone = self.apps.get(&app.key).map_or_else(|| zone(app), |kept| kept.zone.clone());
        let day = local_day(&zone, at);
        let salt = self.store.salt(app.id, day)?;
        days.push((day, salt));
        self.salt_count += 1;
        Ok(salt)
    }
}

/// Fills batches from files and hands them over. Each reader thread has one.
pub struct Loader {
    store: Store,
    way: Processor,
    catalog: Catalog,
    limits: Limits,
    epoch: u64,
    /// A batch was discarded: the files must be identified again.
    interrupted: bool,
    work: Work,
    handed_over: Instant,
    /// Lines that were just written may wait for the batch.
    live: bool,
    /// Each batch is followed by another at once.
    is_followed: bool,
    /// Lines that may have crashed the daemon; `None`: no search for them.
    suspicion: Option<Arc<Suspicion>>,
    /// Offset of the line that is being processed.
    at: u64,
}

impl Loader {
    /// Creates a loader with an empty batch.
    pub fn new(store: Store, way: Processor, limits: Limits) -> Loader {
        let epoch = store.epoch();
        Loader {
            catalog: Catalog::new(store.clone()),
            store,
            way,
            limits,
            epoch,
            interrupted: false,
            work: Work::new(epoch),
            handed_over: Instant::now(),
            live: false,
            is_followed: false,
            suspicion: None,
            at: 0,
        }
    }

    /// Other loaders hand batches to the same writer, too: these come one behind the other even if they are small.
    #[must_use]
    pub fn among_others(self) -> Loader {
        Loader { is_followed: true, ..self }
    }

    /// Loads suspected lines one by one.
    #[must_use]
    pub fn suspecting(self, suspicion: Option<Arc<Suspicion>>) -> Loader {
        Loader { suspicion, ..self }
    }

    /// Whether the database's answers so far are still valid. If not, everything is forgotten: the caller must identify
    /// its files again.
    pub fn is_current(&mut self) -> bool {
        let epoch = self.store.epoch();
        if epoch == self.epoch && !self.interrupted {
            return true;
        }
        (self.epoch, self.interrupted) = (epoch, false);
        self.work = Work::new(epoch);
        self.catalog.forget();
        self.way.forget();
        false
    }

    /// Takes the part of a source whose turn begins, and gives that of the one before; or the reverse, when it ends.
    pub fn exchange(&mut self, own: &mut Own) {
        self.way.exchange(own);
    }

    /// Discards the batch, which has only what one source read: its files must be identified again, and no others.
    fn start_over(&mut self) {
        self.work = Work::new(self.epoch);
        self.interrupted = false;
        self.way.forget();
    }

    /// Whether lines that were just written may wait for the batch, which is small then.
    pub fn set_live(&mut self, live: bool) {
        self.live = live;
    }

    /// Whether the batch has nothing to commit.
    pub fn is_empty(&self) -> bool {
        self.work.batch.is_empty()
    }

    /// Records that everything in the source's files at this time was read. `caught_up` is set once that is committed.
    pub fn catch_up(&mut self, caught_up: &Arc<AtomicI64>, at: Micros) {
        if !self.is_empty() {
            self.work.catches_up(caught_up, at);
        } else if self.store.is_idle() {
            caught_up.store(at, Ordering::Relaxed);
        }
    }

    /// Whether a small batch may be handed over now: the writer is idle, and `commit_interval` has passed since the
    /// last batch.
    pub fn may_hand_over(&self) -> bool {
        !self.is_empty() && self.store.is_idle() && self.until_next().is_zero()
    }

    /// Time until the next small batch may be handed over.
    pub fn until_next(&self) -> Duration {
        self.limits.commit_interval.saturating_sub(self.handed_over.elapsed())
    }

    /// Hands the batch over.
    pub fn hand_over(&mut self) -> Result<(), Interrupted> {
        if self.is_empty() {
            return Ok(());
        }
        self.handed_over = Instant::now();
        let mut work = std::mem::replace(&mut self.work, Work::new(self.epoch));
        work.is_followed |= self.is_followed;
        let extent = work.batch.extent();
        self.store.commit(work)?;
        // Only now is the memory of the batch before free.
        self.work.batch = Batch::with_room_for(extent, self.store.spare());
        Ok(())
    }

    /// Reads lines of a file into the batch, to the file's present end or for one turn; hands over full batches. At the
    /// end, `finish` also takes a last line without a newline, and seals the file. Returns whether there was any
    /// progress. `ids_until`: after a line later than this, the file's next sections need no ids.
    ///
    /// After an error of the file, the lines before the error are in the batch. After an interruption the batch is
    /// discarded, and [`Loader::is_current`] returns false.
    pub fn read(&mut self, reading: &mut Reading, ids_until: Micros, finish: bool) -> Result<bool, Halt> {
        let done = match self.suspicion.as_ref().and_then(|suspicion| suspicion.of(reading)) {
            None => self.read_turn(reading, ids_until, finish, u64::MAX),
            Some(stretch) => self.read_suspected(reading, ids_until, finish, &stretch),
        };
        reading.let_go(None);
        if let Err(Halt::Interrupted(_)) = done {
            self.abandon();
        }
        done
    }

    /// Processes the next line completely. `false`: there is no next line.
    fn take(&mut self, reading: &mut Reading, now: Micros) -> Result<bool, Halt> {
        self.at = reading.offset();
        let is_set_aside = reading.is_set_aside(self.at);
        match reading.step()? {
            Step::New(line, _) if is_set_aside => self.set_aside(&line),
            Step::New(line, twins) => {
                fault::line(line.bytes);
                self.way.line(&line, twins, now, &mut self.work.batch, &mut self.catalog)?;
            }
            Step::Warm(..) if is_set_aside => {}
            Step::Warm(line, twins) => {
                fault::line(line.bytes);
                self.way.warm(&line, twins);
            }
            Step::Passed => {}
            Step::End => return Ok(false),
        }
        Ok(true)
    }

    /// Processes a last line without a newline completely, if there is one.
    fn take_last(&mut self, reading: &mut Reading, now: Micros) -> Result<(), Interrupted> {
        self.at = reading.offset();
        let is_set_aside = reading.is_set_aside(self.at);
        match reading.last() {
            Step::New(line, _) if is_set_aside => self.set_aside(&line),
            Step::New(line, twins) => {
                fault::line(line.bytes);
                self.way.line(&line, twins, now, &mut self.work.batch, &mut self.catalog)?;
            }
            Step::Warm(..) | Step::Passed | Step::End => {}
        }
        Ok(())
    }

    /// Turns a line that crashed the daemon into a reject that records only the position.
    fn set_aside(&mut self, line: &Line<'_>) {
        let private = self.way.is_private(line);
        let outcome = Outcome::Reject { reject: Reject::new(Reason::Poison), detail: None, private };
        self.work.batch.add(&Processed { line, outcome });
    }

    /// Reads a file that contains a suspected stretch: the lines before it as usual, and each suspected line in a batch
    /// of its own, after recording it in the database.
    fn read_suspected(
        &mut self,
        reading: &mut Reading,
        ids_until: Micros,
        finish: bool,
        stretch: &Stretch,
    ) -> Result<bool, Halt> {
        let Some(suspicion) = self.suspicion.clone() else { return Ok(false) };
        let mut deaths = stretch.deaths;
        if let Some(at) = stretch.ended_at {
            let counted = self.store.convict(reading.file_id(), at)?;
            suspicion.counted(reading, counted);
            if counted.is_some_and(|deaths| deaths > 1) {
                deaths = 0;
                reading.set_aside(at);
                tracing::error!(
                    path = %reading.path.display(), offset = at,
                    "this line has ended the daemon twice: it is set aside, as a reject `poison`"
                );
            }
        }
        let start = reading.offset();
        let first = stretch.from.max(reading.begins_at());
        if start < first {
            return self.read_turn(reading, ids_until, finish, first);
        }
        self.settle()?;
        if reading.is_new() {
            // Lines of the file can be recorded once the file has a permanent key.
            self.open(reading)?;
            let facts = reading.close_section(&mut self.work.batch, false);
            self.work.note(facts, reading.proof());
            self.settle()?;
        }
        for _ in 0..TURN_LINES {
            let at = reading.offset();
            if at >= stretch.to {
                suspicion.passed(reading);
                tracing::info!(path = %reading.path.display(), offset = at, "loading several lines at once again");
                return Ok(true);
            }
            let next = reading.next(finish)?;
            if next == Next::Nothing {
                return if finish {
                    self.read_turn(reading, ids_until, true, u64::MAX)
                } else {
                    Ok(at > start)
                };
            }
            if !reading.is_set_aside(at) {
                self.store.suspect(reading.file_id(), at, deaths)?;
            }
            self.catalog.tick();
            self.open(reading)?;
            reading.hold_line();
            match next {
                Next::Last => self.take_last(reading, clock::now())?,
                _ => _ = self.take(reading, clock::now())?,
            }
            reading.let_go(Some(at));
            self.close(reading, ids_until, false);
            self.settle()?;
        }
        Ok(true)
    }

    /// Hands over the batch, and waits until it is committed.
    fn settle(&mut self) -> Result<(), Interrupted> {
        self.hand_over()?;
        self.store.settled()?;
        if self.store.epoch() == self.epoch { Ok(()) } else { Err(Interrupted) }
    }

    /// Offset of the last line that was processed: the line to blame if processing panicked.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// Discards the batch: the files must be identified again.
    pub fn abandon(&mut self) {
        self.work = Work::new(self.epoch);
        self.interrupted = true;
    }

    /// Reads lines that begin before `to`.
    fn read_turn(
        &mut self,
        reading: &mut Reading,
        ids_until: Micros,
        finish: bool,
        to: u64,
    ) -> Result<bool, Halt> {
        let start = reading.offset();
        let now = clock::now();
        self.catalog.tick();
        let mut outcome = Ok(());
        let mut seal = false;
        self.open(reading)?;
        // A turn ends where nothing is left of what was read, so that the file needs no memory until its next turn.
        while (reading.offset() - start < TURN_BYTES || reading.has_line()) && reading.offset() < to {
            match self.take(reading, now) {
                Ok(true) => {}
                Ok(false) => {
                    if finish {
                        self.take_last(reading, now)?;
                        seal = true;
                    }
                    break;
                }
                Err(Halt::Interrupted(interrupted)) => return Err(interrupted.into()),
                Err(error) => {
                    outcome = Err(error);
                    break;
                }
            }
            if self.limits.are_reached(&self.work.batch, self.live, self.store.hours_max()) {
                reading.let_go(None);
                self.close(reading, ids_until, false);
                self.work.is_followed = true;
                self.hand_over()?;
                self.open(reading)?;
            }
        }
        self.close(reading, ids_until, seal);
        outcome.map(|()| seal || reading.offset() > start)
    }

    fn open(&mut self, reading: &Reading) -> Result<(), Interrupted> {
        if reading.open_section(&mut self.work.batch) {
            return Ok(());
        }
        // A file of another source is the same, or may be. The writer decides which of the two goes on.
        self.hand_over()?;
        if reading.open_section(&mut self.work.batch) { Ok(()) } else { Err(Interrupted) }
    }

    /// Closes the file's section; removes a section without content.
    fn close(&mut self, reading: &mut Reading, ids_until: Micros, seal: bool) {
        if !seal && !reading.has_news() {
            self.work.batch.cancel();
            return;
        }
        if self.work.batch.is_past(ids_until) {
            reading.by_ids = false;
        }
        let facts = reading.close_section(&mut self.work.batch, seal);
        self.work.note(facts, reading.proof());
        self.work.reaches(&reading.reached, if seal && reading.packed { u64::MAX } else { reading.offset() });
    }
}

#[cfg(test)]
mod tests {
    use alt_line::batch::FileRef;
    use alt_line::checkpoint::{Head, Position, Proof};
    use alt_line::row::Row;

    use super::*;

    #[test]
    fn a_batch_is_small_where_live_lines_wait_for_it() {
        let head = Head { proof: Proof::of(b"x"), has_id: true };
        let mut batch = Batch::default();
        assert!(batch.open(FileRef::Known { id: 1, head }, Position { offset: 0, tail: head.proof }, false));
        let (commit_interval, look_interval) = (Duration::ZERO, Duration::ZERO);
        let limits = Limits { rows: 6000, bytes: 64 << 20, commit_interval, look_interval };
        for n in 0..6000u32 {
            let reached = |live| limits.are_reached(&batch, live, usize::MAX);
            assert_eq!((reached(true), reached(false)), (n >= 5000, false), "{n} rows");
            let row = Row { app_id: 1, event_type: "pageview", ..Row::default() };
            let line = Line { offset: n.into(), span: 1, bytes: b"", too_long: false };
            let outcome = Outcome::Row { row: &row, event_id: n.into(), is_made: false };
            batch.add(&Processed { line: &line, outcome });
        }
        assert!(limits.are_reached(&batch, false, usize::MAX));
        let few = Limits { rows: 10, ..limits };
        assert!(few.are_reached(&batch, true, usize::MAX), "what is configured is never exceeded");
    }
}
