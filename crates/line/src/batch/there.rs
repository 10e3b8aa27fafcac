//! Which rows of a batch are in the database already.
//!
//! An event that carries its id is there if its id is. An event whose id was made from its line ([`line_id`]) is there
//! if its id is, or if a row has the same name and is no other line of the same file. Invariant: what is kept is bounded
//! by the batch, however many rows the database has at the times of the batch.

use foldhash::{HashMap, HashSet, HashSetExt};

use super::{Batch, BatchRow, EventKey, Section};
use crate::line_id::{self, Placed, WINDOW_BYTES};

/// The most rows of one name that are kept: more of them are equal lines of one log.
const STORED_MAX: usize = 16;

/// A row with the name of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// The event's id.
    pub event_id: u128,
    /// Key of `log_files`.
    pub file_id: i32,
    /// Offset of its line.
    pub offset: u64,
}

/// Tells whether the file of a section has the line of a row at another offset, too; `None`: that cannot be known.
pub type HasAlso<'a> = &'a dyn Fn(usize, &BatchRow, u64) -> Option<bool>;

/// What was asked of the database, and what it answered.
#[derive(Debug, Default)]
pub struct There {
    asked: HashSet<EventKey>,
    /// By file and offset: the names of lines whose rows an earlier version may have loaded, with another id.
    asked_places: HashMap<(i32, u64), EventKey>,
    ids: HashSet<EventKey>,
    places: HashSet<(i32, u64)>,
    /// By name: rows that may be the events of the lines with this name.
    named: HashMap<EventKey, Vec<Stored>>,
    /// The names of which rows may be from a file that had the key of another one.
    unrecorded: HashSet<EventKey>,
}

impl There {
    /// Asks for a row of the file `file_id`. `recorded`: the rows at this time are from files that `log_files` has.
    pub fn ask(&mut self, row: &BatchRow, file_id: i32, recorded: bool) {
        self.asked.insert(row.key);
        if row.is_made {
            self.named.entry(row.name()).or_default();
            self.asked_places.insert((file_id, row.offset), row.name());
            if !recorded {
                self.unrecorded.insert(row.name());
            }
        }
    }

    /// Takes a row of the database. Most have only the time of a row that was asked for, and are not kept.
    pub fn meet(&mut self, key: EventKey, file_id: i32, offset: u64) {
        if self.asked.contains(&key) {
            self.ids.insert(key);
        }
        let name = named(key);
        if let Some(stored) = self.named.get_mut(&name) {
            if self.asked_places.get(&(file_id, offset)) == Some(&name) {
                self.places.insert((file_id, offset));
            }
            if stored.len() < STORED_MAX {
                stored.push(Stored { event_id: key.event_id, file_id, offset });
            }
        }
    }

    /// Whether the database has no row that matters.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty() && self.named.values().all(Vec::is_empty)
    }

    /// The rows with a name.
    fn named(&self, name: &EventKey) -> &[Stored] {
        self.named.get(name).map_or(&[], Vec::as_slice)
    }
}

fn named(key: EventKey) -> EventKey {
    EventKey { event_id: line_id::name(key.event_id), ..key }
}

/// The rows of a batch that stay in it.
#[derive(Debug, Default)]
struct Kept {
    ids: HashSet<EventKey>,
    /// By name: rows whose ids were made, and their sections.
    named: HashMap<EventKey, Vec<(Stored, u32)>>,
}

impl Kept {
    fn add(&mut self, row: &BatchRow, file_id: i32) {
        self.ids.insert(row.key);
        if row.is_made {
            let stored = self.named.entry(row.name()).or_default();
            if stored.len() < STORED_MAX {
                stored.push((row.stored(file_id), row.section));
            }
        }
    }
}

impl BatchRow {
    /// What it shares with rows that may be the same event.
    pub fn name(&self) -> EventKey {
        if self.is_made { named(self.key) } else { self.key }
    }

    fn stored(&self, file_id: i32) -> Stored {
        Stored { event_id: self.key.event_id, file_id, offset: self.offset }
    }

    fn is_there(&self, file: &File, there: &There, kept: &Kept, has_also: HasAlso<'_>) -> bool {
        if there.ids.contains(&self.key) || kept.ids.contains(&self.key) {
            return true;
        }
        if !self.is_made {
            return false;
        }
        let name = self.name();
        let is_recorded = !there.unrecorded.contains(&name);
        let is_beside = |stored: &Stored| self.is_beside(stored, file, is_recorded, has_also);
        // The lines of one section are lines of one file.
        let mut in_batch = kept.named.get(&name).into_iter().flatten().filter(|(_, s)| *s != self.section);
        there.places.contains(&(file.id, self.offset))
            || in_batch.any(|(stored, _)| !is_beside(stored))
            || there.named(&name).iter().any(|stored| !is_beside(stored))
    }

    /// Whether `stored`, which has the same name, is another line of the same file, and so another event.
    ///
    /// Lines within the window of each other have the same name only in different files, unless both are of this file.
    /// Beyond the window, a file whose bytes can be looked at says so itself. Of a compressed file, only its own rows
    /// are known: those before the place from which it is read.
    fn is_beside(&self, stored: &Stored, file: &File, is_recorded: bool, has_also: HasAlso<'_>) -> bool {
        let is_own = stored.file_id == file.id;
        let own = Placed { id: self.key.event_id, offset: self.offset };
        let begins_alike = line_id::begin_alike(own, Placed { id: stored.event_id, offset: stored.offset });
        if !(is_own && begins_alike) && stored.offset.abs_diff(self.offset) <= WINDOW_BYTES {
            return false;
        }
        has_also(self.section as usize, self, stored.offset).unwrap_or_else(|| {
            let is_before = file.advances_from.map_or(is_recorded, |from| stored.offset < from);
            is_own && is_before && begins_alike
        })
    }
}

/// The file of a section.
struct File {
    /// Key of `log_files`.
    id: i32,
    /// Where its checkpoint is; `None`: it is read beside it.
    advances_from: Option<u64>,
}

impl Batch {
    /// Cuts out the rows whose ids are looked up and whose events are `there` already, or twice in this batch; they count
    /// as already loaded.
    pub fn cut_loaded(&mut self, there: &There, has_also: HasAlso<'_>) {
        if there.is_empty() && self.names_differ() {
            return;
        }
        let file = |s: &Section| File {
            id: s.file.id(),
            advances_from: s.reread.is_none().then_some(s.from.offset),
        };
        let files: Vec<File> = self.sections.iter().map(file).collect();
        let file_of = |row: &BatchRow| &files[row.section as usize];
        // Rows that checkpoints prove to be new stay, wherever in the batch they are.
        let mut kept = Kept::default();
        let is_asked: Vec<bool> = (0..files.len()).map(|section| self.asks_for(section)).collect();
        for row in self.rows.iter().filter(|row| !is_asked[row.section as usize]) {
            kept.add(row, file_of(row).id);
        }
        let sections = &mut self.sections;
        self.rows.retain(|row| {
            let section = &mut sections[row.section as usize];
            if !is_asked[row.section as usize] {
                return true;
            }
            if row.is_there(file_of(row), there, &kept, has_also) {
                section.already_loaded += 1;
                if let Some(reread) = &mut section.reread {
                    reread.ledger.already_loaded += u64::from(row.was_reject);
                }
                return false;
            }
            kept.add(row, file_of(row).id);
            true
        });
    }

    /// Whether no two rows may be one event, which is usual.
    fn names_differ(&self) -> bool {
        let mut met = HashSet::with_capacity(self.rows.len());
        self.rows.iter().all(|row| met.insert(row.name().event_id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::FileRef;
    use crate::checkpoint::{Head, Position, Proof};
    use crate::line_id::LineIds;

    /// The file that is read.
    const FILE: i32 = 1;

    /// A place beyond the window.
    const FAR: u64 = 3 * WINDOW_BYTES;

    /// The id of an equal line at `offset`, in a file that begins with `first`.
    fn id(first: &str, offset: u64) -> u128 {
        LineIds::of(first.as_bytes()).id("site", b"x", offset)
    }

    fn row(section: u32, event_id: u128, offset: u64) -> BatchRow {
        let key = EventKey { app_id: 1, occurred_at: 0, event_id };
        let (event_type, span, was_reject, is_made) = (0, 2, false, true);
        BatchRow { key, event_type, offset, span, section, was_reject, is_made, encoded: 0..0 }
    }

    fn batch(from: u64, files: &[i32]) -> Batch {
        let (mut batch, proof) = (Batch::default(), Proof::of(b""));
        for id in files {
            assert!(batch.open(
                FileRef::Known { id: *id, head: Head { proof, has_id: false } },
                Position { offset: from, tail: proof },
                true
            ));
        }
        batch
    }

    /// A line, a row with its name, and whether the two are one event: of a file whose bytes can be looked at, in which
    /// the line stands also where the row's line is, or does not; and of a compressed file.
    #[test]
    fn a_row_is_the_event_of_a_line_unless_it_is_another_line_of_its_file() {
        let old = id("a", 0) ^ 0x1234_5678;
        // from, offset of the line, the row: id, file, offset; then: also there, not there, compressed
        let cases = [
            ("the line itself", 0, 5, (id("a", 5), FILE, 5), [true, true, true]),
            ("the line in a copy", 0, 5, (id("a", 5), 2, 5), [true, true, true]),
            ("the line by an earlier version", 0, 5, (old, FILE, 5), [true, true, true]),
            ("a line of a copy that is cut", 0, 5, (id("b", 90), 2, 90), [true, true, true]),
            ("a far line of a copy that is cut", 0, 5, (id("b", FAR), 2, FAR), [false, true, true]),
            ("a far line of its own", FAR, FAR, (id("a", 5), FILE, 5), [false, true, false]),
            ("a near line of its own", FAR, FAR, (id("a", FAR - 9), FILE, FAR - 9), [false, true, false]),
            (
                "a line ahead, of another file with its key",
                0,
                5,
                (id("a", FAR), FILE, FAR),
                [false, true, true],
            ),
            ("a line of another file with its key", FAR, FAR, (id("b", 5), FILE, 5), [false, true, true]),
            (
                "a near line of another file with its key",
                FAR,
                FAR,
                (id("b", FAR - 9), FILE, FAR - 9),
                [true; 3],
            ),
            ("a far line by an earlier version", FAR, FAR, (old, FILE, 5), [false, true, true]),
        ];
        for (what, from, offset, (event_id, file, at), expected) in cases {
            for (has_also, expected) in [Some(true), Some(false), None].into_iter().zip(expected) {
                let mut batch = batch(from, &[FILE]);
                batch.rows = vec![row(0, id("a", offset), offset)];
                let mut there = There::default();
                there.ask(&batch.rows[0], FILE, true);
                there.meet(EventKey { app_id: 1, occurred_at: 0, event_id }, file, at);
                batch.cut_loaded(&there, &|_, _, _| has_also);
                assert_eq!(batch.rows.is_empty(), expected, "{what}: {has_also:?}");
                // At another time or of another application it is another event.
                batch.rows = vec![row(0, id("a", offset), offset)];
                let mut there = There::default();
                there.ask(&batch.rows[0], FILE, true);
                there.meet(EventKey { app_id: 1, occurred_at: 1, event_id }, file, at);
                there.meet(EventKey { app_id: 2, occurred_at: 0, event_id }, file, at);
                batch.cut_loaded(&there, &|_, _, _| has_also);
                assert_eq!(batch.rows.len(), 1, "{what}: {has_also:?}");
            }
        }
    }

    #[test]
    fn in_one_batch_the_lines_of_one_file_are_told_apart_and_those_of_copies_are_not() {
        let mut batch = batch(0, &[FILE, 2, 3]);
        batch.rows = vec![
            row(0, id("a", 0), 0),
            row(0, id("a", FAR), FAR),
            // a packed copy, and a cut one
            row(1, id("a", 0), 0),
            row(1, id("a", FAR), FAR),
            row(2, id("b", 7), 7),
        ];
        batch.cut_loaded(&There::default(), &|_, _, _| None);
        let kept: Vec<_> = batch.rows.iter().map(|row| (row.section, row.offset)).collect();
        assert_eq!(kept, [(0, 0), (0, FAR)]);
        assert_eq!(batch.sections.iter().map(|s| s.already_loaded).collect::<Vec<_>>(), [0, 2, 1]);
    }

    #[test]
    fn a_row_at_the_place_of_one_line_with_the_name_of_another_is_neither_event() {
        let mut batch = batch(0, &[FILE]);
        let other = LineIds::of(b"a").id("site", b"y", FAR);
        batch.rows = vec![row(0, id("a", 5), 5), row(0, other, FAR)];
        let mut there = There::default();
        batch.rows.iter().for_each(|row| there.ask(row, FILE, true));
        there.meet(EventKey { app_id: 1, occurred_at: 0, event_id: id("b", FAR) }, FILE, FAR);
        batch.cut_loaded(&there, &|_, _, _| Some(true));
        assert_eq!(batch.rows.len(), 2);
    }

    #[test]
    fn what_is_kept_of_the_database_does_not_grow_with_it() {
        let mut batch = batch(0, &[FILE]);
        batch.rows = vec![row(0, id("a", 5), 5)];
        let mut there = There::default();
        there.ask(&batch.rows[0], FILE, true);
        for n in 0..10_000 {
            there.meet(EventKey { app_id: 1, occurred_at: 0, event_id: id("a", FAR + n) }, FILE, FAR + n);
            there.meet(EventKey { app_id: 1, occurred_at: 0, event_id: u128::from(n) << 64 }, FILE, n);
        }
        let kept = there.named.values().map(Vec::len).sum::<usize>() + there.ids.len() + there.places.len();
        assert!(kept <= STORED_MAX && there.named.len() == 1, "{kept} rows are kept");
    }
}
