//! What one transaction loads: sections of files, the rows in them as COPY bytes, and the rejects.
//!
//! Invariant: for every section, `lines` = rows + non-hits + rejects + already loaded + filtered, whatever is
//! cut out. A row keeps its key and its range of bytes, so that it can be cut out of the encoded bytes.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use foldhash::{HashSet, HashSetExt};

use super::aside::{Among, Aside, OldSpan};
use super::checkpoint::{Head, Proof};
use super::copy::{self, Origin};
use super::enrich::New;
use super::hit::{Micros, NonHit, Reason, Reject, event_type_index};
use super::row::Row;

/// Advisory locks are taken per UTC hour; a batch that would need more than this many is full.
const HOURS_MAX: usize = 256;

/// Raw bytes of a reject that are kept.
const RAW_BYTES_MAX: usize = 2048;

/// Raw bytes of rejects that one batch carries at the most.
const RAW_BYTES_PER_BATCH: usize = 256 * 1024;

/// What hardly a row takes more than.
const ROW_BYTES: usize = 4096;

/// Distinct reject spans that fill a batch.
const REJECTS_MAX: usize = 20_000;

/// Microseconds of an hour.
pub const MICROS_PER_HOUR: i64 = 3_600_000_000;

/// Whose lines a section holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileRef {
    /// A file that has a checkpoint.
    Known {
        /// Key of `log_files`.
        id: i32,
        /// The head as the checkpoint has it.
        head: Head,
    },
    /// A file that gets its rows in `log_files` and `checkpoints` with this section.
    New {
        /// Key for `log_files`, already drawn from its sequence.
        id: i32,
        /// Its beginning.
        head: Head,
        /// Files that begin alike and were disproved; there must be no others.
        disproved: Vec<i32>,
    },
}

impl FileRef {
    /// Key of `log_files`.
    pub fn id(&self) -> i32 {
        match self {
            FileRef::Known { id, .. } | FileRef::New { id, .. } => *id,
        }
    }

    /// The head that is stored, or will be.
    pub fn head(&self) -> Head {
        match self {
            FileRef::Known { head, .. } | FileRef::New { head, .. } => *head,
        }
    }
}

/// A stretch of one file, and the advance of its checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// The file.
    pub file: FileRef,
    /// Where the checkpoint has to stand, and on what proof.
    pub from: u64,
    /// Proof of `from`.
    pub from_tail: Proof,
    /// Where it will stand.
    pub to: u64,
    /// Proof of `to`.
    pub to_tail: Proof,
    /// A longer head than the stored one, where that was provisional.
    pub better_head: Option<Head>,
    /// The file ends here for good.
    pub seal: bool,
    /// No checkpoint proves that these lines are new: their ids are asked for.
    pub by_ids: bool,
    /// Neither will it of the lines that follow.
    pub goes_on_by_ids: bool,
    /// Lines in it.
    pub lines: u64,
    /// Counted non-hits.
    pub non_hits: u64,
    /// Lines rejected.
    pub rejects: u64,
    /// Lines whose rows were there already, or twice in this batch.
    pub already_loaded: u64,
    /// Lines that were left out, by the reader's filter or because only rejects are looked at; only aside.
    pub filtered: u64,
    /// Read beside the checkpoint, which stays where it is; `None`: it advances.
    pub aside: Option<Aside>,
}

/// A row that waits in the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// The event's time.
    pub occurred_at: Micros,
    /// The event's id.
    pub event_id: u128,
    /// Offset of its line.
    pub offset: u64,
    /// Bytes of its line, newline included.
    pub span: u32,
    /// Its application.
    pub app_id: i32,
    /// Index of its section.
    pub section: u32,
    /// Index of its type among [`EVENT_TYPES`](super::hit::EVENT_TYPES).
    pub event_type: u8,
    /// Its line was a reject until now.
    pub was_reject: bool,
    /// Its range in [`Batch::data`].
    pub start: u32,
    /// End of the range.
    pub end: u32,
}

/// Adjacent lines of one file that were rejected for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectSpan {
    /// Key of `log_files`.
    pub file_id: i32,
    /// Offset of the first line.
    pub offset: u64,
    /// Bytes of all lines, newlines included.
    pub bytes: u64,
    /// How many lines.
    pub lines: u32,
    /// Why.
    pub reason: Reason,
    /// More of why.
    pub detail: Option<String>,
    /// Of the first line, where legible.
    pub occurred_at: Option<Micros>,
    /// Of the first line, where legible.
    pub event_id: Option<u128>,
    /// Of the first line, at most 2 KiB; none once the batch's budget is spent.
    pub raw: Option<Vec<u8>>,
    /// Goes into the quarantine; else it is only counted, because its file's ledger has the line already, or
    /// is not to have it.
    pub is_new: bool,
    /// `raw` comes from the quarantine: nothing else may have it, so it goes there again.
    pub is_only_copy: bool,
    /// A filter left it out: it was a reject and stays one, and counts as filtered.
    pub filtered: bool,
}

/// How many rows a section adds, and the first and the last of their times.
pub type Added = (u64, Option<(Micros, Micros)>);

/// Room for the rows of a batch, and nothing in it.
#[derive(Debug, Default)]
pub struct Room {
    data: Vec<u8>,
    keys: Vec<Key>,
}

/// What one transaction loads.
#[derive(Debug, Default)]
pub struct Batch {
    /// Rows as binary COPY, without header and trailer.
    pub data: Vec<u8>,
    /// The rows in `data`, in order.
    pub keys: Vec<Key>,
    /// Rejects, in order.
    pub rejects: Vec<RejectSpan>,
    /// Sections, in order.
    pub sections: Vec<Section>,
    /// What its rows may be the first to refer to.
    pub new: New,
    /// The non-hits in it, by kind.
    pub non_hits: BTreeMap<NonHit, u64>,
    /// Index of the section that lines go to.
    current: usize,
    /// The ids of all rows are asked for, whatever checkpoints prove.
    all_by_ids: bool,
    hours: BTreeSet<i32>,
    raw_bytes: usize,
}

impl Batch {
    /// An empty one with room for the rows of another, and a few more: growing a batch would copy it again and again.
    /// The room is `spare`, unless that is too little, or far too much.
    pub fn with_room_for(other: &Batch, spare: Room) -> Batch {
        fn room<T>(like: &[T], spare: Vec<T>) -> Vec<T> {
            let least = like.len() + like.len() / 16;
            if (least..=8 * least).contains(&spare.capacity()) {
                spare
            } else {
                Vec::with_capacity(2 * least - like.len())
            }
        }
        Batch { data: room(&other.data, spare.data), keys: room(&other.keys, spare.keys), ..Batch::default() }
    }

    /// What another may use of it once its rows are loaded.
    pub fn into_room(mut self) -> Room {
        self.data.clear();
        self.keys.clear();
        Room { data: self.data, keys: self.keys }
    }

    /// Index of the section opened last.
    pub fn current(&self) -> usize {
        self.current
    }

    /// Whether there is nothing to commit.
    pub fn is_empty(&self) -> bool {
        self.sections.is_empty()
    }

    /// Whether it should be committed before more is added.
    pub fn is_full(&self, rows_max: usize, bytes_max: usize) -> bool {
        self.keys.len() >= rows_max
            || self.data.len() >= bytes_max
            || self.hours.len() >= HOURS_MAX
            || self.rejects.len() >= REJECTS_MAX
    }

    /// Opens a section of `file` at `from`; lines go to the one opened last. Where the batch already holds the
    /// bytes up to `from`, that section goes on: a batch has one section a file. `false`, and nothing done,
    /// where it holds other bytes of the file: the two would overlap or leave a gap.
    #[must_use]
    pub fn open(&mut self, file: FileRef, from: u64, from_tail: Proof, by_ids: bool) -> bool {
        if let Some(at) = self.sections.iter().position(|s| s.file.id() == file.id()) {
            if self.sections[at].to != from || self.sections[at].aside.is_some() {
                return false;
            }
            self.sections[at].by_ids |= by_ids;
            self.current = at;
            return true;
        }
        self.add_section(file, from, from_tail, by_ids, None);
        true
    }

    /// Opens a section beside the checkpoint of `file`, in a batch that has none of it. `spans` are rejects of
    /// the file that lie ahead, ascending.
    pub fn open_aside(
        &mut self,
        file: FileRef,
        from: u64,
        from_tail: Proof,
        among: Among,
        spans: VecDeque<OldSpan>,
    ) {
        self.add_section(file, from, from_tail, true, Some(Aside::new(among, spans)));
    }

    fn add_section(
        &mut self,
        file: FileRef,
        from: u64,
        from_tail: Proof,
        by_ids: bool,
        aside: Option<Aside>,
    ) {
        self.current = self.sections.len();
        self.sections.push(Section {
            file,
            from,
            from_tail,
            to: from,
            to_tail: from_tail,
            better_head: None,
            seal: false,
            by_ids,
            goes_on_by_ids: by_ids,
            lines: 0,
            non_hits: 0,
            rejects: 0,
            already_loaded: 0,
            filtered: 0,
            aside,
        });
    }

    /// Closes the section opened last: its file is accounted for up to `to`, and goes on there, `by_ids` or not.
    pub fn close(&mut self, to: u64, to_tail: Proof, seal: bool, better_head: Option<Head>, by_ids: bool) {
        let section = self.section();
        section.goes_on_by_ids = by_ids;
        (section.to, section.to_tail, section.seal) = (to, to_tail, seal);
        section.better_head = better_head.or(section.better_head);
    }

    /// Closes the section opened last, which is aside, and gives back the rejects that lie ahead.
    pub fn close_aside(&mut self, to: u64, to_tail: Proof) -> VecDeque<OldSpan> {
        let section = self.section();
        (section.to, section.to_tail) = (to, to_tail);
        section.aside.as_mut().map(Aside::close).unwrap_or_default()
    }

    /// Takes the section opened last back, where nothing is in it.
    pub fn cancel(&mut self) {
        let last = self.sections.len().checked_sub(1);
        if last == Some(self.current) && self.section().lines == 0 && self.section().from == self.section().to
        {
            self.sections.pop();
            self.current = 0;
        }
    }

    fn section(&mut self) -> &mut Section {
        &mut self.sections[self.current]
    }

    /// Adds a row; `offset` and `span` are its line's.
    pub fn row(&mut self, row: &Row<'_>, event_id: u128, offset: u64, span: u64) {
        let section = self.section();
        section.lines += 1;
        let file_id = section.file.id();
        let was_reject = section.aside.as_mut().is_some_and(|aside| aside.meet(offset, span));
        if section.aside.as_ref().is_some_and(|aside| aside.passes_over(was_reject)) {
            section.filtered += 1;
            return;
        }
        let start = self.data.len();
        make_room(&mut self.data, ROW_BYTES);
        make_room(&mut self.keys, 1);
        copy::row(&mut self.data, row, Origin { event_id, file_id, file_offset: offset });
        // Lines come in order: nearly always it is the hour of the row before.
        let of_row = hour(row.occurred_at);
        if self.keys.last().is_none_or(|last| hour(last.occurred_at) != of_row) {
            self.hours.insert(of_row);
        }
        let narrow = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        self.keys.push(Key {
            occurred_at: row.occurred_at,
            event_id,
            offset,
            span: u32::try_from(span).unwrap_or(u32::MAX),
            app_id: row.app_id,
            section: narrow(self.current),
            event_type: event_type_index(row.event_type),
            was_reject,
            start: narrow(start),
            end: narrow(self.data.len()),
        });
    }

    /// Counts a non-hit; `offset` and `span` are its line's.
    pub fn non_hit(&mut self, kind: NonHit, offset: u64, span: u64) {
        let section = self.section();
        section.lines += 1;
        if let Some(aside) = &mut section.aside {
            let was_reject = aside.meet(offset, span);
            if aside.passes_over(was_reject) {
                section.filtered += 1;
                return;
            }
            aside.ledger.non_hits += u64::from(was_reject);
        }
        section.non_hits += 1;
        *self.non_hits.entry(kind).or_default() += 1;
    }

    /// Counts a line that a filter left out; one that was a reject stays what it was. `raw` are its bytes.
    pub fn filtered(&mut self, offset: u64, span: u64, raw: &[u8]) {
        let section = self.section();
        section.lines += 1;
        section.filtered += 1;
        let Some(aside) = &mut section.aside else { return };
        if aside.meet(offset, span)
            && let Some((reason, detail)) = aside.met()
            && !aside.leaves(reason, detail.as_deref())
        {
            aside.ledger.rejects += 1;
            self.add_reject(Reject::new(reason), detail, (offset, span), raw, (true, true));
        }
    }

    /// Adds a rejected line; `raw` are its bytes.
    pub fn reject(&mut self, reject: Reject, detail: Option<String>, offset: u64, span: u64, raw: &[u8]) {
        let section = self.section();
        section.lines += 1;
        let mut is_new = true;
        if let Some(aside) = &mut section.aside {
            is_new = aside.meet(offset, span);
            if aside.passes_over(is_new) {
                section.filtered += 1;
                return;
            }
            is_new = is_new && !aside.leaves(reject.reason, detail.as_deref());
            aside.ledger.rejects += u64::from(is_new);
        }
        section.rejects += 1;
        self.add_reject(reject, detail, (offset, span), raw, (is_new, false));
    }

    fn add_reject(
        &mut self,
        reject: Reject,
        detail: Option<String>,
        (offset, span): (u64, u64),
        raw: &[u8],
        (is_new, filtered): (bool, bool),
    ) {
        let file_id = self.section().file.id();
        let is_only_copy = is_new && self.section().aside.as_ref().is_some_and(Aside::keeps_bytes);
        if let Some(last) = self.rejects.last_mut()
            && last.lines < u32::MAX
            && !is_only_copy
            && last.file_id == file_id
            && last.reason == reject.reason
            && last.detail == detail
            && last.offset + last.bytes == offset
            && (last.is_new, last.filtered) == (is_new, filtered)
        {
            last.bytes += span;
            last.lines += 1;
            return;
        }
        let raw = &raw[..raw.len().min(RAW_BYTES_MAX)];
        let keep = is_only_copy || is_new && self.raw_bytes + raw.len() <= RAW_BYTES_PER_BATCH;
        if keep {
            self.raw_bytes += raw.len();
        }
        self.rejects.push(RejectSpan {
            file_id,
            offset,
            bytes: span,
            lines: 1,
            reason: reject.reason,
            detail,
            occurred_at: reject.occurred_at,
            event_id: reject.event_id,
            raw: keep.then(|| raw.to_vec()),
            is_new,
            is_only_copy,
            filtered,
        });
    }

    /// The UTC hours (since 1970) in which its rows happened, ascending.
    pub fn hours(&self) -> impl Iterator<Item = i32> + '_ {
        self.hours.iter().copied()
    }

    /// Whether the ids of any rows are asked for.
    pub fn reads_ids(&self) -> bool {
        self.all_by_ids || self.sections.iter().any(|s| s.by_ids)
    }

    /// Whether the ids of some rows are not asked for.
    pub fn trusts_checkpoints(&self) -> bool {
        !self.all_by_ids && self.sections.iter().any(|s| !s.by_ids)
    }

    /// Asks for the ids of all its rows: what was loaded by ids may be what checkpoints prove to be new. Its sections
    /// stay what they are; their lines stand in no other files because of that.
    pub fn read_all_ids(&mut self) {
        self.all_by_ids = true;
    }

    /// The rows whose ids are asked for.
    pub fn asked_for(&self) -> impl Iterator<Item = &Key> {
        self.keys.iter().filter(|key| self.all_by_ids || self.sections[key.section as usize].by_ids)
    }

    /// First and last time of its rows.
    pub fn times(&self) -> Option<(Micros, Micros)> {
        let times = || self.keys.iter().map(|k| k.occurred_at);
        times().min().zip(times().max())
    }

    /// Cuts out the rows whose ids are asked for and that are `there` already, by application, time and id, or
    /// stand twice in this batch; they count as already loaded.
    pub fn cut_loaded(&mut self, there: &HashSet<(i32, Micros, u128)>) {
        if there.is_empty() && self.ids_differ() {
            return;
        }
        let name = |key: &Key| (key.app_id, key.occurred_at, key.event_id);
        let (sections, all) = (&mut self.sections, self.all_by_ids);
        // What checkpoints prove to be new stays, wherever in the batch it stands.
        let proven = self.keys.iter().filter(|k| !all && !sections[k.section as usize].by_ids);
        let mut met: HashSet<_> = proven.map(name).collect();
        self.keys.retain(|key| {
            let section = &mut sections[key.section as usize];
            let name = name(key);
            if (all || section.by_ids) && (there.contains(&name) || !met.insert(name)) {
                section.already_loaded += 1;
                if let Some(aside) = &mut section.aside {
                    aside.ledger.already_loaded += u64::from(key.was_reject);
                }
                return false;
            }
            true
        });
    }

    /// Whether no two of its rows have one id, as is usual.
    fn ids_differ(&self) -> bool {
        let mut met = HashSet::with_capacity(self.keys.len());
        self.keys.iter().all(|key| met.insert(key.event_id))
    }

    /// Turns rows that PostgreSQL refused (indices into `keys`, ascending, with its message) into rejects.
    pub fn refuse(&mut self, refused: &[(usize, String)]) {
        for (index, message) in refused {
            let key = self.keys[*index];
            let section = &mut self.sections[key.section as usize];
            section.rejects += 1;
            let is_new = section.aside.as_mut().is_none_or(|aside| {
                aside.ledger.rejects += u64::from(key.was_reject);
                key.was_reject
            });
            self.rejects.push(RejectSpan {
                file_id: section.file.id(),
                offset: key.offset,
                bytes: u64::from(key.span),
                lines: 1,
                reason: Reason::Refused,
                detail: Some(message.clone()),
                occurred_at: Some(key.occurred_at),
                event_id: Some(key.event_id),
                raw: None,
                is_new,
                is_only_copy: false,
                filtered: false,
            });
        }
        let mut index = 0;
        self.keys.retain(|_| {
            let keep = refused.binary_search_by_key(&index, |r| r.0).is_err();
            index += 1;
            keep
        });
    }

    /// Whether a row of the section opened last happened after `at`.
    pub fn is_past(&self, at: Micros) -> bool {
        let of_current = |k: &&Key| k.section as usize == self.current;
        self.keys.iter().rev().take_while(of_current).any(|k| k.occurred_at > at)
    }

    /// Ranges of `data` that hold the rows `keys[from..to]`, neighbours joined.
    pub fn ranges(&self, from: usize, to: usize) -> Vec<std::ops::Range<usize>> {
        let mut ranges: Vec<std::ops::Range<usize>> = Vec::new();
        for key in &self.keys[from..to] {
            let (start, end) = (key.start as usize, key.end as usize);
            match ranges.last_mut() {
                Some(last) if last.end == start => last.end = end,
                _ => ranges.push(start..end),
            }
        }
        ranges
    }

    /// Rows of a file whose lines were rejects until now.
    pub fn rows_that_were_rejects(&self, file_id: i32) -> u64 {
        let of_file = |key: &&Key| self.sections[key.section as usize].file.id() == file_id;
        self.keys.iter().filter(|key| key.was_reject).filter(of_file).count() as u64
    }

    /// Offset of the next reject that lies at `offset` or ahead, in the section opened last.
    pub fn next_ahead(&self, offset: u64) -> Option<u64> {
        self.sections.get(self.current)?.aside.as_ref()?.next(offset)
    }

    /// What each section adds.
    pub fn added(&self) -> Vec<Added> {
        let mut added = vec![(0, None); self.sections.len()];
        for key in &self.keys {
            let (rows, times): &mut Added = &mut added[key.section as usize];
            *rows += 1;
            let (first, last) = times.unwrap_or((key.occurred_at, key.occurred_at));
            *times = Some((first.min(key.occurred_at), last.max(key.occurred_at)));
        }
        added
    }
}

/// Makes room for `more`, and for a quarter of what is there: a vector would make room for as much again, and a batch is
/// large.
fn make_room<T>(vector: &mut Vec<T>, more: usize) {
    if vector.capacity() - vector.len() < more {
        vector.reserve_exact(vector.len() / 4 + 16 * more);
    }
}

/// UTC hour since 1970.
pub fn hour(at: Micros) -> i32 {
    i32::try_from(at.div_euclid(MICROS_PER_HOUR)).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::row::TrafficClass;
    use super::*;

    #[test]
    fn the_room_of_a_batch_is_used_again_where_it_fits() {
        let filled = |rows: i64| {
            let mut batch = batch(false);
            (0..rows).for_each(|n| batch.row(&plain_row(n), n.unsigned_abs().into(), n.unsigned_abs(), 1));
            batch
        };
        let (large, little) = (filled(2000), filled(20));
        assert!(large.data.capacity() < large.data.len() * 3 / 2, "it grew by more than it needs");
        let (room, rows) = (large.data.capacity(), large.keys.capacity());
        let next = Batch::with_room_for(&filled(1500), large.into_room());
        assert!(next.is_empty() && next.data.is_empty() && next.keys.is_empty());
        assert_eq!((next.data.capacity(), next.keys.capacity()), (room, rows));
        // What followed a backlog is not to keep its room.
        let next = Batch::with_room_for(&little, next.into_room());
        assert!(next.data.capacity() < room / 8 && next.data.capacity() > little.data.len());
        assert_eq!(Batch::with_room_for(&little, Room::default()).data.capacity(), next.data.capacity());
    }

    fn plain_row(at: Micros) -> Row<'static> {
        Row { occurred_at: at, app_id: 1, event_type: "pageview", ..Row::empty(TrafficClass::Human) }
    }

    fn batch(by_ids: bool) -> Batch {
        let proof = Proof::of(b"x");
        let head = Head { proof, has_id: true };
        let mut batch = Batch::default();
        assert!(batch.open(FileRef::Known { id: 9, head }, 0, proof, by_ids));
        for (i, id) in [7u128, 8, 9, 7].into_iter().enumerate() {
            batch.row(&plain_row(1_000_000 * i64::from(id == 8)), id, i as u64 * 10, 10);
        }
        batch.non_hit(NonHit::Status(429), 40, 10);
        batch.reject(Reject::new(Reason::Shape), None, 50, 10, b"garbage");
        batch.reject(Reject::new(Reason::Shape), None, 60, 5, b"more");
        batch.reject(Reject::new(Reason::Empty), None, 65, 1, b"");
        batch.close(66, proof, false, None, by_ids);
        batch
    }

    fn holds(batch: &Batch) {
        let s = &batch.sections[0];
        assert_eq!(s.lines, batch.added()[0].0 + s.non_hits + s.rejects + s.already_loaded);
        let lines: u64 = batch.rejects.iter().map(|r| u64::from(r.lines)).sum();
        assert_eq!(lines, s.rejects);
    }

    #[test]
    fn adjacent_rejects_of_one_reason_share_a_span() {
        let batch = batch(false);
        holds(&batch);
        let spans: Vec<_> = batch.rejects.iter().map(|r| (r.offset, r.bytes, r.lines)).collect();
        assert_eq!(spans, [(50, 15, 2), (65, 1, 1)]);
    }

    #[test]
    fn loaded_rows_are_cut_only_where_ids_are_read() {
        let there = HashSet::from_iter([(1, 1_000_000, 8)]);
        let mut proven = batch(false);
        proven.cut_loaded(&there);
        assert_eq!(proven.keys.len(), 4);
        holds(&proven);
        let mut unproven = batch(true);
        unproven.cut_loaded(&there);
        assert_eq!(unproven.keys.iter().map(|k| k.event_id).collect::<Vec<_>>(), [7, 9]);
        assert_eq!(unproven.sections[0].already_loaded, 2);
        holds(&unproven);
        let ranges = unproven.ranges(0, 2);
        assert_eq!(ranges.len(), 2, "the cut row parts them");
    }

    #[test]
    fn what_a_checkpoint_proves_is_never_cut_for_what_none_does() {
        let mut batch = batch(true);
        let head = batch.sections[0].file.head();
        assert!(batch.open(FileRef::Known { id: 10, head }, 0, head.proof, false));
        batch.row(&plain_row(0), 7, 500, 10);
        batch.cut_loaded(&HashSet::default());
        let kept: Vec<_> = batch.keys.iter().map(|k| (k.section, k.event_id)).collect();
        assert_eq!(kept, [(0, 8), (0, 9), (1, 7)]);
        assert_eq!(batch.sections[0].already_loaded, 2);
    }

    #[test]
    fn a_section_goes_on_where_it_ended_and_nowhere_else() {
        let mut batch = batch(false);
        let file = batch.sections[0].file.clone();
        assert!(!batch.open(file.clone(), 0, file.head().proof, false));
        assert!(!batch.open(file.clone(), 67, file.head().proof, false));
        assert!(batch.open(file.clone(), 66, file.head().proof, false));
        assert_eq!(batch.sections.len(), 1);
    }

    #[test]
    fn refused_rows_become_rejects() {
        let mut batch = batch(false);
        batch.refuse(&[(1, "no".into()), (3, "no".into())]);
        assert_eq!(batch.keys.iter().map(|k| k.offset).collect::<Vec<_>>(), [0, 20]);
        holds(&batch);
    }

    #[test]
    fn a_batch_over_too_many_hours_is_full() {
        let mut batch = batch(false);
        for i in 0..HOURS_MAX as i64 - 1 {
            assert!(!batch.is_full(usize::MAX, usize::MAX));
            batch.row(&plain_row((i + 1) * MICROS_PER_HOUR), 1, 0, 1);
        }
        assert!(batch.is_full(usize::MAX, usize::MAX));
    }
}
