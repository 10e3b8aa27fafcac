//! The body of a reader thread, which reads several sources in turns.
//!
//! The number of threads is fixed, and a source always belongs to the same one. All sources of a thread share its batch
//! and its caches; the rest of a source's state is its own. Each round looks at the directories that are due, gives
//! every source that was read to its end a turn, which costs little, and then one turn to one of the sources that have a
//! backlog. So a live line waits for one turn of a backlog at most, however many backlogs there are. Batches are large only where
//! no source of the thread has live lines.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use alt_line::hit::Micros;
use alt_line::processor::Own;
use alt_process::clock;
use alt_store::writer::{Interrupted, Store, Wake};

use super::{Halt, Loader};
use crate::source::follow::{Due, Follow};
use crate::source::lifecycle::Action;

/// The maximum time for which an idle reader sleeps at once: its heartbeat must advance.
const SLEEP_MAX: Duration = Duration::from_secs(5);

/// The maximum number of compressed files of all sources of a thread that are open at the same time, and where there is
/// one source: each holds a decompressor.
const PACKED_OPEN_MAX: usize = 2;
const PACKED_OPEN_OF_ONE_MAX: usize = 4;

/// After this time, looks wait for the next round: the files of one source may take long to open.
const LOOKS_TIME: Duration = Duration::from_millis(100);

/// More open files than this keep no buffer between their turns.
const BUFFERS_MAX: usize = 8;

/// How long a source whose file was written over has batches of its own, so that it takes nobody else's with it.
const ALONE_TIME: Duration = Duration::from_secs(600);

/// A source of a reader thread.
pub struct Sourced {
    follow: Follow,
    own: Own,
    next_look: Instant,
    /// The last turn left something to read.
    is_busy: bool,
    /// The file that is next where a turn ends before all files had theirs.
    next_file: usize,
    /// Until then, the source has batches of its own.
    alone_until: Option<Instant>,
}

impl Sourced {
    /// A source that was not looked at yet.
    pub fn new(follow: Follow, own: Own) -> Sourced {
        Sourced { follow, own, next_look: Instant::now(), is_busy: false, next_file: 0, alone_until: None }
    }

    fn forget(&mut self) {
        self.follow.forget();
        (self.next_look, self.is_busy, self.next_file) = (Instant::now(), false, 0);
    }

    fn is_alone(&self) -> bool {
        self.alone_until.is_some_and(|until| Instant::now() < until)
    }
}

/// Follows the files of several sources until the store stops or, if no log is written to any more, until the files are
/// loaded to their ends. Returns the files that are not. This is the body of a reader thread. `on_turn` is called with
/// the number of each source whose turn begins.
pub fn follow(
    mut sources: Vec<Sourced>,
    mut loader: Loader,
    store: &Store,
    wake: &Wake,
    on_turn: &dyn Fn(usize),
) -> Vec<PathBuf> {
    let mut rounds = Rounds { last_busy: 0, last_look: 0, on_turn };
    while !store.is_closed() {
        rounds.begin(&mut sources, &mut loader);
        let round = rounds.round(&mut sources, &mut loader, store);
        if store.is_stopping() {
            // Hands over what was read. The rest is read the next time.
            let _ = loader.hand_over();
            break;
        }
        let Ok(progress) = round else { continue };
        if loader.may_hand_over() && loader.hand_over().is_err() {
            continue;
        }
        if progress {
            continue;
        }
        if store.is_final() && sources.iter().all(|source| source.follow.files.is_empty()) {
            if is_all_loaded(&mut sources, &mut loader, store) {
                break;
            }
            continue;
        }
        if loader.is_empty() || !store.is_idle() {
            // The thread is woken when something is written, or when the writer is done.
            let next_look = sources.iter().map(|source| source.next_look).min();
            let until_look = next_look.map_or(SLEEP_MAX, |at| at.saturating_duration_since(Instant::now()));
            wake.wait(until_look.clamp(Duration::from_millis(1), SLEEP_MAX));
        } else {
            // The batch waits for its time, and for more lines: waking up earlier is useless.
            std::thread::sleep(loader.until_next().min(Duration::from_millis(50)));
        }
    }
    sources.iter_mut().flat_map(|source| source.follow.owed()).collect()
}

/// Whether all files were loaded to their ends and nothing more is found, in a final run. Otherwise the next round looks
/// again. This result decides whether the machine can be discarded.
fn is_all_loaded(sources: &mut [Sourced], loader: &mut Loader, store: &Store) -> bool {
    let settled = loader.hand_over().and_then(|()| store.settled()).and_then(|()| store.durable());
    if !loader.is_current() {
        // Data on its way was discarded, possibly including seals.
        sources.iter_mut().for_each(Sourced::forget);
        return false;
    }
    let is_over =
        |source: &mut Sourced| source.follow.look().is_empty() && matches!(source.follow.search(), Ok(false));
    let is_all = settled.is_ok() && sources.iter_mut().all(is_over);
    sources.iter_mut().for_each(|source| source.next_look = Instant::now());
    is_all
}

struct Rounds<'a> {
    /// The number, within the thread, of the source with a backlog that had the last turn.
    last_busy: usize,
    /// The number of the source that was looked at last.
    last_look: usize,
    on_turn: &'a dyn Fn(usize),
}

impl Rounds<'_> {
    /// Discards everything if the database's answers so far are no longer valid.
    fn begin(&self, sources: &mut [Sourced], loader: &mut Loader) {
        if let Some(first) = sources.first() {
            (self.on_turn)(first.follow.source());
        }
        if !loader.is_current() {
            for source in sources {
                source.forget();
                source.own.forget();
            }
        }
    }

    /// Looks at what is due, and gives turns. Returns whether there may be more to read at once.
    fn round(
        &mut self,
        sources: &mut [Sourced],
        loader: &mut Loader,
        store: &Store,
    ) -> Result<bool, Interrupted> {
        self.look(sources, loader)?;
        let turned_at = clock::now();
        let keeps_buffers = sources.iter().map(|s| s.follow.files.len()).sum::<usize>() <= BUFFERS_MAX;
        let count = sources.len();
        let busy = (1..=count).map(|n| (self.last_busy + n) % count).find(|n| sources[*n].is_busy);
        // Only what is read to its end has lines that were just written.
        loader.set_live(!sources.iter().all(|source| source.is_busy));
        let calm = (0..count).filter(|n| !sources[*n].is_busy).collect::<Vec<_>>();
        for n in calm.into_iter().chain(busy) {
            if Some(n) == busy {
                self.last_busy = n;
            }
            let source = &mut sources[n];
            (self.on_turn)(source.follow.source());
            source.is_busy = turn(source, loader, keeps_buffers)?;
            tell_end(source, loader, store, turned_at);
        }
        Ok(sources.iter().any(|source| source.is_busy))
    }

    /// Looks at the directories of the sources that are due, once for all of them.
    fn look(&mut self, sources: &mut [Sourced], loader: &mut Loader) -> Result<(), Interrupted> {
        let now = Instant::now();
        let is_due = |source: &Sourced| source.follow.names_changed() || now >= source.next_look;
        let count = sources.len();
        let in_turn = (1..=count).map(|n| (self.last_look + n) % count);
        let due: Vec<usize> = in_turn.filter(|n| is_due(&sources[*n])).collect();
        let Some(&first) = due.first() else { return Ok(()) };
        let live = sources[first].follow.live();
        let numbers: Vec<usize> = due.iter().map(|n| sources[*n].follow.source()).collect();
        let mut files = live.files_of(&numbers, &|| (self.on_turn)(numbers[0]));
        for (place, n) in due.into_iter().enumerate() {
            let packed: usize = sources.iter().map(|source| source.follow.packed()).sum();
            let room = if count == 1 { PACKED_OPEN_OF_ONE_MAX } else { PACKED_OPEN_MAX };
            let source = &mut sources[n];
            if place > 0 && now.elapsed() > LOOKS_TIME {
                // What was found is old by now.
                source.next_look = now;
                continue;
            }
            (self.on_turn)(numbers[place]);
            let files = files.remove(&numbers[place]).unwrap_or_default();
            let new = source.follow.see(&live, files);
            look_on(source, loader, new, room.saturating_sub(packed))?;
            self.last_look = n;
        }
        Ok(())
    }
}

/// Compares what a look found with the checkpoints, and opens it. There is room for `room` more compressed files.
fn look_on(source: &mut Sourced, loader: &mut Loader, new: Vec<Due>, room: usize) -> Result<(), Interrupted> {
    let follow = &mut source.follow;
    let mut all = true;
    if !new.is_empty() {
        // The database's answer about a file must cover everything that was read of it.
        loader.hand_over()?;
        all = follow.open(new, room)?;
    }
    if all && follow.asks_on_in_vain() {
        loader.hand_over()?;
        follow.ask_no_longer_than_loaded()?;
    }
    if all {
        follow.tell_all_known();
    }
    if all && follow.is_search_due() {
        all = !follow.search()?;
    }
    all &= !follow.has_more();
    source.next_look = Instant::now() + if all { loader.limits.look_interval } else { Duration::ZERO };
    Ok(())
}

/// Gives a source its turn. Returns whether there may be more to read at once.
fn turn(source: &mut Sourced, loader: &mut Loader, keeps_buffers: bool) -> Result<bool, Interrupted> {
    let is_alone = source.is_alone();
    if is_alone {
        loader.hand_over()?;
    }
    let epoch = loader.epoch;
    loader.exchange(&mut source.own);
    let done = turns_of_files(source, loader, keeps_buffers);
    loader.exchange(&mut source.own);
    if done.is_err() && epoch == loader.store.epoch() {
        // Not the database, but this source's file is another one than it was.
        source.alone_until = Some(Instant::now() + ALONE_TIME);
        if is_alone {
            loader.start_over();
            source.own.forget();
            source.forget();
            return Ok(false);
        }
    } else if is_alone {
        loader.hand_over()?;
    }
    done
}

/// Gives each file a turn, until one of them leaves something to read. Returns whether one does.
fn turns_of_files(
    source: &mut Sourced,
    loader: &mut Loader,
    keeps_buffers: bool,
) -> Result<bool, Interrupted> {
    let follow = &mut source.follow;
    let first = std::mem::take(&mut source.next_file);
    let mut index = first;
    while index < follow.files.len() {
        let action = follow.next(index);
        if action == Action::Close {
            follow.close(index, None);
            continue;
        }
        let file = &mut follow.files[index];
        let has_more = match loader.read(&mut file.reading, file.ids_until, action == Action::Seal) {
            Ok(moved) => {
                file.reading.tell_rest();
                moved && !file.reading.is_at_end()
            }
            Err(Halt::Interrupted(interrupted)) => return Err(interrupted),
            Err(Halt::File(error)) => {
                follow.close(index, Some(&error));
                continue;
            }
        };
        if follow.files[index].reading.sealed {
            // The last section is on its way. If it fails, all files are identified again.
            follow.close(index, None);
            source.next_look = Instant::now();
            continue;
        }
        if !keeps_buffers {
            follow.files[index].reading.rest();
        }
        index += 1;
        if has_more {
            source.next_file = index;
            return Ok(true);
        }
    }
    // The files before the first one are next.
    Ok(first > 0)
}

/// Records for monitoring that everything of a source that was there at this time was read.
fn tell_end(source: &mut Sourced, loader: &mut Loader, store: &Store, at: Micros) {
    if !source.is_busy && source.follow.is_at_end() {
        loader.catch_up(source.follow.caught_up(), at);
        if loader.is_empty() && store.is_idle() {
            source.follow.tell_idle();
        }
    }
}
