//! What one transaction loads: sections of files, the rows in them as COPY bytes, and the rejects.
//!
//! Invariant: for every section, `lines` = rows + non-hits + rejects + already loaded + filtered, whichever rows are
//! cut out. All that belongs to a row is in its [`BatchRow`], so that the row can be cut out with all of it.

mod there;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;

pub use there::{HasAlso, Stored, There};

use super::checkpoint::{Head, Position};
use super::copy::{self, Origin};
use super::enrich::New;
use super::hit::{Micros, NonHit, Reason, Reject, event_type_index};
use super::lines::Line;
use super::outcome::{Outcome, Processed};
use super::reread::{Among, OldSpan, Reread};
use super::row::Row;

/// The most UTC hours of a batch's rows, because each needs an advisory lock.
pub const HOURS_MAX: usize = 256;

/// The most raw bytes that are kept of a reject.
const RAW_BYTES_MAX: usize = 2048;

/// The most raw bytes of rejects in one batch.
const RAW_BYTES_PER_BATCH: usize = 256 * 1024;

/// More than the bytes of nearly every row.
const ROW_BYTES: usize = 4096;

/// The most spans of rejects in a batch.
const REJECTS_MAX: usize = 20_000;

/// Microseconds of an hour.
pub const MICROS_PER_HOUR: i64 = 3_600_000_000;

/// The file of a section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileRef {
    /// A file that has a checkpoint.
    Known {
        /// Key of `log_files`.
        id: i32,
        /// The head as the checkpoint has it.
        head: Head,
    },
    /// A file whose rows in `log_files` and `checkpoints` are made with this section.
    New {
        /// Key for `log_files`, from its sequence.
        id: i32,
        /// Its beginning.
        head: Head,
        /// Files with the same head that are known to be others. If there are more, the section is not loaded.
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

    /// The head that the database has, or will have.
    pub fn head(&self) -> Head {
        match self {
            FileRef::Known { head, .. } | FileRef::New { head, .. } => *head,
        }
    }
}

/// A range of one file, and the advance of its checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// The file.
    pub file: FileRef,
    /// Where the checkpoint has to be.
    pub from: Position,
    /// Where the checkpoint will be.
    pub to: Position,
    /// A longer head, if the stored one is provisional.
    pub better_head: Option<Head>,
    /// The file will not grow: it is sealed.
    pub seal: bool,
    /// No checkpoint proves that these lines are new: their ids are looked up in the database.
    pub by_ids: bool,
    /// The ids of the lines that follow have to be looked up, too.
    pub goes_on_by_ids: bool,
    /// How many lines.
    pub lines: u64,
    /// How many non-hits.
    pub non_hits: u64,
    /// How many rejects.
    pub rejects: u64,
    /// How many lines whose events are in the database already, or are twice in this batch.
    pub already_loaded: u64,
    /// How many lines were left out, by the filter or because only rejects are processed; only where a file is read again.
    pub filtered: u64,
    /// For a section that is read beside the checkpoint, which then does not advance.
    pub reread: Option<Reread>,
}

impl Section {
    /// Whether it has no byte of the file.
    fn is_empty(&self) -> bool {
        self.from.offset == self.to.offset
    }
}

/// The identity of an event: two rows with the same key are one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EventKey {
    /// The event's application.
    pub app_id: i32,
    /// The event's time.
    pub occurred_at: Micros,
    /// The event's id.
    pub event_id: u128,
}

/// A row that waits in the batch: what is known of it, and where its encoded bytes are.
///
/// Whatever belongs to one row until the row is inserted has its field here, and is set in `BatchRow::new`. So it is
/// committed, cut out and refused with the row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchRow {
    /// The event's identity.
    pub key: EventKey,
    /// Index of its type among [`EVENT_TYPES`](super::hit::EVENT_TYPES).
    pub event_type: u8,
    /// Offset of its line.
    pub offset: u64,
    /// Bytes of its line, newline included.
    pub span: u32,
    /// Index of its section.
    pub section: u32,
    /// Its line was a reject before.
    pub was_reject: bool,
    /// Its id was made from its line ([`super::line_id`]).
    pub is_made: bool,
    /// Its bytes in [`Batch::data`].
    pub encoded: Range<u32>,
}

/// The id of an event, and whether it was made from its line.
#[derive(Debug, Clone, Copy)]
struct Id {
    event_id: u128,
    is_made: bool,
}

impl BatchRow {
    /// What is known of `row`, which `line` became.
    fn new(
        row: &Row<'_>,
        id: Id,
        line: &Line<'_>,
        section: usize,
        was_reject: bool,
        encoded: Range<usize>,
    ) -> Self {
        let narrow = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        BatchRow {
            key: EventKey { app_id: row.app_id, occurred_at: row.occurred_at, event_id: id.event_id },
            event_type: event_type_index(row.event_type),
            offset: line.offset,
            span: u32::try_from(line.span).unwrap_or(u32::MAX),
            section: narrow(section),
            was_reject,
            is_made: id.is_made,
            encoded: narrow(encoded.start)..narrow(encoded.end),
        }
    }
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
    /// Details of the reason.
    pub detail: Option<String>,
    /// Time of the first line, if it is valid.
    pub occurred_at: Option<Micros>,
    /// Id of the first line, if it is valid.
    pub event_id: Option<u128>,
    /// Bytes of the first line, at most 2 KiB; `None` once the batch's budget is spent, and if the visitor asked not to be
    /// tracked.
    pub raw: Option<Vec<u8>>,
    /// It is inserted into `rejected_lines`; else it is only counted.
    pub is_new: bool,
    /// `raw` comes from `rejected_lines`, and may be the only copy of the line: it is inserted again.
    pub is_only_copy: bool,
    /// A filter left the lines out: they were rejects and stay so, and are counted as filtered.
    pub filtered: bool,
}

/// How a line enters the quarantine: the first and the last as [`RejectSpan`] has them, `private` as [`Outcome`].
#[derive(Debug, Clone, Copy)]
struct Quarantined {
    is_new: bool,
    private: bool,
    filtered: bool,
}

/// How many rows a section adds, and the first and the last of their times.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Added {
    /// How many rows.
    pub rows: u64,
    /// The times of the first and the last; `None`: there are no rows.
    pub times: Option<(Micros, Micros)>,
}

/// Memory for the rows of a batch.
#[derive(Debug, Default)]
pub struct Room {
    data: Vec<u8>,
    rows: Vec<BatchRow>,
}

/// How much memory the rows of a batch take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Extent {
    bytes: usize,
    rows: usize,
}

/// What one transaction loads.
#[derive(Debug, Default)]
pub struct Batch {
    /// Rows as binary COPY, without header and trailer.
    pub data: Vec<u8>,
    /// The rows in `data`, in order.
    pub rows: Vec<BatchRow>,
    /// The rejects, in order.
    pub rejects: Vec<RejectSpan>,
    /// The sections, in order.
    pub sections: Vec<Section>,
    /// What rows refer to and the database may not have yet.
    pub new: New,
    /// The non-hits in it, by kind.
    pub non_hits: BTreeMap<NonHit, u64>,
    /// User agents and environments of its rows that are beyond the limits of an hour, and are not stored.
    pub left_out: u64,
    /// Index of the section that lines go to.
    current: usize,
    /// The ids of all rows are looked up, whatever checkpoints prove.
    all_by_ids: bool,
    hours: BTreeSet<i32>,
    raw_bytes: usize,
}

impl Batch {
    /// How large it is.
    pub fn extent(&self) -> Extent {
        Extent { bytes: self.data.len(), rows: self.rows.len() }
    }

    /// An empty batch with memory for another of this extent, and some more: a growing batch would be copied again
    /// and again. The memory is `spare`, unless that is too little or far too much.
    pub fn with_room_for(other: Extent, spare: Room) -> Batch {
        fn room<T>(like: usize, spare: Vec<T>) -> Vec<T> {
            let least = like + like / 16;
            if (least..=8 * least).contains(&spare.capacity()) {
                spare
            } else {
                Vec::with_capacity(2 * least - like)
            }
        }
        Batch { data: room(other.bytes, spare.data), rows: room(other.rows, spare.rows), ..Batch::default() }
    }

    /// The memory, for another batch.
    pub fn into_room(mut self) -> Room {
        self.data.clear();
        self.rows.clear();
        Room { data: self.data, rows: self.rows }
    }

    /// Index of the section opened last.
    pub fn current(&self) -> usize {
        self.current
    }

    /// Whether there is nothing to commit.
    pub fn is_empty(&self) -> bool {
        self.sections.is_empty()
    }

    /// Whether it has to be committed before more is added. Its rows happened in at most `hours_max` UTC hours.
    pub fn is_full(&self, rows_max: usize, bytes_max: usize, hours_max: usize) -> bool {
        self.rows.len() >= rows_max
            || self.data.len() >= bytes_max
            || self.hours.len() >= hours_max.min(HOURS_MAX)
            || self.rejects.len() >= REJECTS_MAX
    }

    /// Opens a section of `file` at `from`; lines go to the section opened last. A batch has one section for each file:
    /// if the batch has a section that ends at `from`, that one is continued. `false`, and nothing is done, if it has
    /// other bytes of the file: the two would overlap or leave a gap; or if it has another new file that may be the same.
    #[must_use]
    pub fn open(&mut self, file: FileRef, from: Position, by_ids: bool) -> bool {
        if let Some(at) = self.sections.iter().position(|s| s.file.id() == file.id()) {
            if self.sections[at].to.offset != from.offset || self.sections[at].reread.is_some() {
                return false;
            }
            self.sections[at].by_ids |= by_ids;
            self.current = at;
            return true;
        }
        if self.sections.iter().any(|s| may_be_one(&s.file, &file)) {
            return false;
        }
        self.add_section(file, from, by_ids, None);
        true
    }

    /// Opens a section beside the checkpoint of `file`; the batch must have no section of the file. `spans` are rejects
    /// of the file ahead of `from`, ascending.
    pub fn open_reread(&mut self, file: FileRef, from: Position, among: Among, spans: VecDeque<OldSpan>) {
        self.add_section(file, from, true, Some(Reread::new(among, spans)));
    }

    fn add_section(&mut self, file: FileRef, from: Position, by_ids: bool, reread: Option<Reread>) {
        self.current = self.sections.len();
        self.sections.push(Section {
            file,
            from,
            to: from,
            better_head: None,
            seal: false,
            by_ids,
            goes_on_by_ids: by_ids,
            lines: 0,
            non_hits: 0,
            rejects: 0,
            already_loaded: 0,
            filtered: 0,
            reread,
        });
    }

    /// Closes the section opened last: its file is processed up to `to`, and continues there, `by_ids` or not.
    pub fn close(&mut self, to: Position, seal: bool, better_head: Option<Head>, by_ids: bool) {
        let section = self.section();
        section.goes_on_by_ids = by_ids;
        (section.to, section.seal) = (to, seal);
        section.better_head = better_head.or(section.better_head);
    }

    /// Closes the section opened last, which reads a file again, and returns the rejects ahead.
    pub fn close_reread(&mut self, to: Position) -> VecDeque<OldSpan> {
        let section = self.section();
        section.to = to;
        section.reread.as_mut().map(Reread::close).unwrap_or_default()
    }

    /// Removes the section opened last, if it is empty.
    pub fn cancel(&mut self) {
        let last = self.sections.len().checked_sub(1);
        if last == Some(self.current) && self.section().lines == 0 && self.section().is_empty() {
            self.sections.pop();
            self.current = 0;
        }
    }

    fn section(&mut self) -> &mut Section {
        &mut self.sections[self.current]
    }

    /// Adds a line, or a piece of one, to the section opened last, whatever it became.
    pub fn add(&mut self, processed: &Processed<'_>) {
        self.section().lines += 1;
        let line = processed.line;
        match processed.outcome {
            Outcome::Row { row, event_id, is_made } => self.add_row(row, Id { event_id, is_made }, line),
            Outcome::NonHit(kind) => self.add_non_hit(kind, line),
            Outcome::Reject { reject, detail, private } => self.add_reject(reject, detail, private, line),
            Outcome::Filtered => self.add_filtered(line),
        }
    }

    fn add_row(&mut self, row: &Row<'_>, id: Id, line: &Line<'_>) {
        let section = self.section();
        let file_id = section.file.id();
        let was_reject = section.reread.as_mut().is_some_and(|reread| reread.meet(line.offset, line.span));
        if section.reread.as_ref().is_some_and(|reread| reread.passes_over(was_reject)) {
            section.filtered += 1;
            return;
        }
        let start = self.data.len();
        make_room(&mut self.data, ROW_BYTES);
        make_room(&mut self.rows, 1);
        copy::row(&mut self.data, row, Origin { event_id: id.event_id, file_id, file_offset: line.offset });
        // Lines are in order, so the hour is nearly always that of the row before.
        let of_row = hour(row.occurred_at);
        if self.rows.last().is_none_or(|last| hour(last.key.occurred_at) != of_row) {
            self.hours.insert(of_row);
        }
        let encoded = start..self.data.len();
        self.rows.push(BatchRow::new(row, id, line, self.current, was_reject, encoded));
    }

    fn add_non_hit(&mut self, kind: NonHit, line: &Line<'_>) {
        let section = self.section();
        if let Some(reread) = &mut section.reread {
            let was_reject = reread.meet(line.offset, line.span);
            if reread.passes_over(was_reject) {
                section.filtered += 1;
                return;
            }
            reread.ledger.non_hits += u64::from(was_reject);
        }
        section.non_hits += 1;
        *self.non_hits.entry(kind).or_default() += 1;
    }

    /// Counts a line that is left out; if it was a reject, it stays one.
    fn add_filtered(&mut self, line: &Line<'_>) {
        let section = self.section();
        section.filtered += 1;
        let Some(reread) = &mut section.reread else { return };
        if reread.meet(line.offset, line.span)
            && let Some((reason, detail)) = reread.met()
            && !reread.leaves(reason, detail.as_deref())
        {
            reread.ledger.rejects += 1;
            let kind = Quarantined { is_new: true, private: false, filtered: true };
            self.quarantine(Reject::new(reason), detail.as_deref(), line, kind);
        }
    }

    fn add_reject(&mut self, reject: Reject, detail: Option<&str>, private: bool, line: &Line<'_>) {
        let section = self.section();
        let mut is_new = true;
        if let Some(reread) = &mut section.reread {
            is_new = reread.meet(line.offset, line.span);
            if reread.passes_over(is_new) {
                section.filtered += 1;
                return;
            }
            is_new = is_new && !reread.leaves(reject.reason, detail);
            reread.ledger.rejects += u64::from(is_new);
        }
        section.rejects += 1;
        let kind = Quarantined { is_new, private, filtered: false };
        self.quarantine(reject, detail, line, kind);
    }

    /// Adds a line to the span of rejects before it, or begins one. Bytes of a private line are kept only if they come
    /// from `rejected_lines` and may be the only copy.
    fn quarantine(&mut self, reject: Reject, detail: Option<&str>, line: &Line<'_>, kind: Quarantined) {
        let Quarantined { is_new, private, filtered } = kind;
        let file_id = self.section().file.id();
        let is_only_copy = is_new && self.section().reread.as_ref().is_some_and(Reread::keeps_bytes);
        if let Some(last) = self.rejects.last_mut()
            && last.lines < u32::MAX
            && !is_only_copy
            && last.file_id == file_id
            && last.reason == reject.reason
            && last.detail.as_deref() == detail
            && last.offset + last.bytes == line.offset
            && (last.is_new, last.filtered) == (is_new, filtered)
        {
            last.bytes += line.span;
            last.lines += 1;
            return;
        }
        let raw = &line.bytes[..line.bytes.len().min(RAW_BYTES_MAX)];
        let keep = is_only_copy || is_new && !private && self.raw_bytes + raw.len() <= RAW_BYTES_PER_BATCH;
        if keep {
            self.raw_bytes += raw.len();
        }
        self.rejects.push(RejectSpan {
            file_id,
            offset: line.offset,
            bytes: line.span,
            lines: 1,
            reason: reject.reason,
            detail: detail.map(str::to_owned),
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

    /// Whether the ids of any rows are looked up.
    pub fn reads_ids(&self) -> bool {
        self.all_by_ids || self.sections.iter().any(|s| s.by_ids)
    }

    /// Whether the ids of some rows are not looked up.
    pub fn trusts_checkpoints(&self) -> bool {
        !self.all_by_ids && self.sections.iter().any(|s| !s.by_ids)
    }

    /// Makes all rows be looked up by their ids, because the events of lines that a checkpoint proves to be new may
    /// have been loaded from a copy. The sections do not change.
    pub fn read_all_ids(&mut self) {
        self.all_by_ids = true;
    }

    /// Whether the ids of a section's rows are looked up.
    pub fn asks_for(&self, section: usize) -> bool {
        self.all_by_ids || self.sections[section].by_ids
    }

    /// Whether a checkpoint advances over this line of a file with the batch.
    pub fn advances_over(&self, file_id: i32, offset: u64) -> bool {
        let is_its = |s: &&Section| s.file.id() == file_id && s.reread.is_none();
        self.sections.iter().filter(is_its).any(|s| (s.from.offset..s.to.offset).contains(&offset))
    }

    /// The rows whose ids are looked up.
    pub fn asked_for(&self) -> impl Iterator<Item = &BatchRow> {
        self.rows.iter().filter(|row| self.asks_for(row.section as usize))
    }

    /// First and last time of its rows.
    pub fn times(&self) -> Option<(Micros, Micros)> {
        let times = || self.rows.iter().map(|row| row.key.occurred_at);
        times().min().zip(times().max())
    }

    /// Turns rows that PostgreSQL refused (indices into `rows`, ascending, with its message) into rejects.
    pub fn refuse(&mut self, refused: &[(usize, String)]) {
        for (index, message) in refused {
            let row = &self.rows[*index];
            let section = &mut self.sections[row.section as usize];
            section.rejects += 1;
            let is_new = section.reread.as_mut().is_none_or(|reread| {
                reread.ledger.rejects += u64::from(row.was_reject);
                row.was_reject
            });
            self.rejects.push(RejectSpan {
                file_id: section.file.id(),
                offset: row.offset,
                bytes: u64::from(row.span),
                lines: 1,
                reason: Reason::Refused,
                detail: Some(message.clone()),
                occurred_at: Some(row.key.occurred_at),
                event_id: Some(row.key.event_id),
                raw: None,
                is_new,
                is_only_copy: false,
                filtered: false,
            });
        }
        let mut index = 0;
        self.rows.retain(|_| {
            let keep = refused.binary_search_by_key(&index, |r| r.0).is_err();
            index += 1;
            keep
        });
    }

    /// Whether a row of the section opened last happened after `at`.
    pub fn is_past(&self, at: Micros) -> bool {
        let of_current = |row: &&BatchRow| row.section as usize == self.current;
        self.rows.iter().rev().take_while(of_current).any(|row| row.key.occurred_at > at)
    }

    /// Ranges of `data` that hold the rows `rows[from..to]`, neighbours joined.
    pub fn ranges(&self, from: usize, to: usize) -> Vec<Range<usize>> {
        let mut ranges: Vec<Range<usize>> = Vec::new();
        for row in &self.rows[from..to] {
            let (start, end) = (row.encoded.start as usize, row.encoded.end as usize);
            match ranges.last_mut() {
                Some(last) if last.end == start => last.end = end,
                _ => ranges.push(start..end),
            }
        }
        ranges
    }

    /// Rows of a file whose lines were rejects until now.
    pub fn rows_that_were_rejects(&self, file_id: i32) -> u64 {
        let of_file = |row: &&BatchRow| self.sections[row.section as usize].file.id() == file_id;
        self.rows.iter().filter(|row| row.was_reject).filter(of_file).count() as u64
    }

    /// Offset of the first span of rejects that ends after `offset`, in the section opened last.
    pub fn next_ahead(&self, offset: u64) -> Option<u64> {
        self.sections.get(self.current)?.reread.as_ref()?.next(offset)
    }

    /// What each section adds.
    pub fn added(&self) -> Vec<Added> {
        let mut added = vec![Added::default(); self.sections.len()];
        for row in &self.rows {
            let Added { rows, times } = &mut added[row.section as usize];
            *rows += 1;
            let at = row.key.occurred_at;
            let (first, last) = times.unwrap_or((at, at));
            *times = Some((first.min(at), last.max(at)));
        }
        added
    }
}

/// Whether both files are new and begin with the same id: only one of them can have a checkpoint with that head.
fn may_be_one(one: &FileRef, other: &FileRef) -> bool {
    let is_new = |file: &FileRef| matches!(file, FileRef::New { .. });
    is_new(one) && is_new(other) && one.head().has_id && one.head() == other.head()
}

/// Makes room for `more`, and for a quarter of what is there: a vector would make room for as much again, and a batch
/// is large.
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
    use super::*;
    use crate::checkpoint::Proof;

    #[test]
    fn the_room_of_a_batch_is_used_again_where_it_fits() {
        let filled = |rows: i64| {
            let mut batch = batch(false);
            (0..rows).for_each(|n| add_row(&mut batch, n, n.unsigned_abs().into(), n.unsigned_abs(), 1));
            batch
        };
        let (large, little) = (filled(2000), filled(20));
        assert!(large.data.capacity() < large.data.len() * 3 / 2, "it grew by more than it needs");
        let (room, rows) = (large.data.capacity(), large.rows.capacity());
        let next = Batch::with_room_for(filled(1500).extent(), large.into_room());
        assert!(next.is_empty() && next.data.is_empty() && next.rows.is_empty());
        assert_eq!((next.data.capacity(), next.rows.capacity()), (room, rows));
        // After a backlog, its memory must not be kept.
        let next = Batch::with_room_for(little.extent(), next.into_room());
        assert!(next.data.capacity() < room / 8 && next.data.capacity() > little.data.len());
        assert_eq!(
            Batch::with_room_for(little.extent(), Room::default()).data.capacity(),
            next.data.capacity()
        );
    }

    fn add(batch: &mut Batch, outcome: Outcome<'_>, offset: u64, bytes: &[u8], span: u64) {
        let line = Line { offset, span, bytes, too_long: false };
        batch.add(&Processed { line: &line, outcome });
    }

    fn add_row(batch: &mut Batch, at: Micros, event_id: u128, offset: u64, span: u64) {
        let row = Row { occurred_at: at, app_id: 1, event_type: "pageview", ..Row::default() };
        add(batch, Outcome::Row { row: &row, event_id, is_made: false }, offset, b"", span);
    }

    fn reject(reason: Reason) -> Outcome<'static> {
        Outcome::Reject { reject: Reject::new(reason), detail: None, private: false }
    }

    fn batch(by_ids: bool) -> Batch {
        let proof = Proof::of(b"x");
        let head = Head { proof, has_id: true };
        let mut batch = Batch::default();
        assert!(batch.open(FileRef::Known { id: 9, head }, Position { offset: 0, tail: proof }, by_ids));
        for (i, id) in [7u128, 8, 9, 7].into_iter().enumerate() {
            add_row(&mut batch, 1_000_000 * i64::from(id == 8), id, i as u64 * 10, 10);
        }
        add(&mut batch, Outcome::NonHit(NonHit::Status(429)), 40, b"", 10);
        add(&mut batch, reject(Reason::Shape), 50, b"garbage", 10);
        add(&mut batch, reject(Reason::Shape), 60, b"more", 5);
        add(&mut batch, reject(Reason::Empty), 65, b"", 1);
        batch.close(Position { offset: 66, tail: proof }, false, None, by_ids);
        batch
    }

    /// Cuts out the rows of which these are in the database.
    fn cut(batch: &mut Batch, keys: &[EventKey]) {
        let mut there = There::default();
        batch.asked_for().for_each(|row| there.ask(row, 9, true));
        keys.iter().for_each(|key| there.meet(*key, 1, 0));
        batch.cut_loaded(&there, &|_, _, _| None);
    }

    fn holds(batch: &Batch) {
        let s = &batch.sections[0];
        assert_eq!(s.lines, batch.added()[0].rows + s.non_hits + s.rejects + s.already_loaded);
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
        let key = EventKey { app_id: 1, occurred_at: 1_000_000, event_id: 8 };
        let mut proven = batch(false);
        cut(&mut proven, &[key]);
        assert_eq!(proven.rows.len(), 4);
        holds(&proven);
        let mut unproven = batch(true);
        cut(&mut unproven, &[key]);
        assert_eq!(unproven.rows.iter().map(|row| row.key.event_id).collect::<Vec<_>>(), [7, 9]);
        assert_eq!(unproven.sections[0].already_loaded, 2);
        holds(&unproven);
        let ranges = unproven.ranges(0, 2);
        assert_eq!(ranges.len(), 2, "the cut row parts them");
    }

    #[test]
    fn what_a_checkpoint_proves_is_never_cut_for_what_none_does() {
        let mut batch = batch(true);
        let head = batch.sections[0].file.head();
        assert!(batch.open(FileRef::Known { id: 10, head }, Position::start(), false));
        add_row(&mut batch, 0, 7, 500, 10);
        cut(&mut batch, &[]);
        let kept: Vec<_> = batch.rows.iter().map(|row| (row.section, row.key.event_id)).collect();
        assert_eq!(kept, [(0, 8), (0, 9), (1, 7)]);
        assert_eq!(batch.sections[0].already_loaded, 2);
    }

    #[test]
    fn a_section_goes_on_where_it_ended_and_nowhere_else() {
        let mut batch = batch(false);
        let file = batch.sections[0].file.clone();
        let at = |offset| Position { offset, tail: file.head().proof };
        assert!(!batch.open(file.clone(), at(0), false));
        assert!(!batch.open(file.clone(), at(67), false));
        assert!(batch.open(file.clone(), at(66), false));
        assert_eq!(batch.sections.len(), 1);
    }

    #[test]
    fn new_files_that_begin_with_one_id_share_no_batch() {
        let new = |id, bytes: &[u8], has_id| {
            let head = Head { proof: Proof::of(bytes), has_id };
            FileRef::New { id, head, disproved: Vec::new() }
        };
        let mut batch = Batch::default();
        let mut opens = |file| batch.open(file, Position::start(), true);
        assert!(opens(new(1, b"one", true)) && opens(new(2, b"other", true)));
        assert!(!opens(new(3, b"one", true)), "only one of them can have the checkpoint");
        assert!(opens(new(4, b"none", false)) && opens(new(5, b"none", false)), "they are of different logs");
        assert!(opens(new(1, b"one", true)), "it goes on");
    }

    #[test]
    fn a_row_leaves_with_all_that_belongs_to_it() {
        let mut batch = batch(true);
        for (at, event_type) in (70..).step_by(10).zip(super::super::hit::EVENT_TYPES) {
            let row = Row { occurred_at: 0, app_id: 2, event_type, ..Row::default() };
            let event_id = u128::from(event_type_index(event_type)) << 64 | 1;
            add(&mut batch, Outcome::Row { row: &row, event_id, is_made: false }, at, b"", 10);
        }
        let there = [0, 3, 4].map(|t| EventKey { app_id: 2, occurred_at: 0, event_id: t << 64 | 1 });
        cut(&mut batch, &there);
        batch.refuse(&[(3, "no".into()), (7, "no".into())]);
        let left: Vec<_> = batch.rows.iter().filter(|row| row.key.app_id == 2).collect();
        assert_eq!(left.iter().map(|row| row.event_type).collect::<Vec<_>>(), [2, 5, 6, 8, 9]);
        for row in left {
            assert_eq!(row.key.event_id >> 64, u128::from(row.event_type));
            assert_eq!(row.offset, 70 + 10 * u64::from(row.event_type));
            let encoded = &batch.data[row.encoded.start as usize..row.encoded.end as usize];
            let id = row.key.event_id.to_be_bytes();
            assert!(encoded.windows(16).any(|bytes| bytes == id), "other bytes than its own: {row:?}");
        }
    }

    #[test]
    fn refused_rows_become_rejects() {
        let mut batch = batch(false);
        batch.refuse(&[(1, "no".into()), (3, "no".into())]);
        assert_eq!(batch.rows.iter().map(|row| row.offset).collect::<Vec<_>>(), [0, 20]);
        holds(&batch);
    }

    #[test]
    fn a_batch_over_too_many_hours_is_full() {
        let mut batch = batch(false);
        for i in 0..HOURS_MAX as i64 - 1 {
            assert!(!batch.is_full(usize::MAX, usize::MAX, usize::MAX));
            assert!(batch.is_full(usize::MAX, usize::MAX, batch.hours.len()));
            add_row(&mut batch, (i + 1) * MICROS_PER_HOUR, 1, 0, 1);
        }
        assert!(batch.is_full(usize::MAX, usize::MAX, usize::MAX));
    }
}
