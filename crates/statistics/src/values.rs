//! The values of a dimension while a class is folded, and which of them stay.

use std::cmp::Reverse;

use foldhash::{HashMap, HashMapExt};

use crate::counts::Counts;
use crate::settings::{Limits, OTHER};

/// The number of a value in its dictionary. [`OTHERS`] stands for all that the dictionary has no room for.
pub(crate) type Id = u32;

/// What has no number of its own.
pub(crate) const OTHERS: Id = 0;

/// A dictionary of texts, bounded.
#[derive(Debug)]
pub(crate) struct Texts {
    ids: HashMap<Box<str>, Id>,
    bytes: usize,
    most: (usize, usize),
}

impl Texts {
    /// Of at most so many texts and bytes.
    pub(crate) fn new(texts: usize, bytes: usize) -> Texts {
        Texts { ids: HashMap::new(), bytes: 0, most: (texts, bytes) }
    }

    /// The number of a text.
    pub(crate) fn id(&mut self, text: &str) -> Id {
        self.id_within(text, usize::MAX)
    }

    /// The number of a text, which if it is new has at most so many bytes.
    pub(crate) fn id_within(&mut self, text: &str, most: usize) -> Id {
        if let Some(id) = self.ids.get(text) {
            return *id;
        }
        let Ok(id) = Id::try_from(self.ids.len() + 1) else { return OTHERS };
        let has_room = text.len() <= most && text.len() <= self.most.1.saturating_sub(self.bytes);
        if self.ids.len() >= self.most.0 || !has_room {
            return OTHERS;
        }
        self.bytes += text.len();
        self.ids.insert(text.into(), id);
        id
    }

    /// The texts in the order of their numbers, of which the first is 1.
    pub(crate) fn in_order(&self) -> Vec<&str> {
        let mut texts: Vec<(Id, &str)> = self.ids.iter().map(|(text, id)| (*id, &**text)).collect();
        texts.sort_unstable_by_key(|(id, _)| *id);
        texts.into_iter().map(|(_, text)| text).collect()
    }

    /// Bytes of all texts.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

/// A value's counts, and who was counted last.
#[derive(Debug, Clone, Copy, Default)]
struct Entry {
    counts: Counts,
    visitor: u64,
    session: u64,
}

/// The counts of a dimension's values, by their numbers. Visitors come one after the other, and so do their sessions:
/// the last one that a value has counted is all that is needed to count each once.
#[derive(Debug, Default)]
pub(crate) struct Table {
    entries: Vec<Entry>,
}

impl Table {
    fn entry(&mut self, id: Id) -> &mut Entry {
        let at = id as usize;
        if at >= self.entries.len() {
            self.entries.resize(at + 1, Entry::default());
        }
        &mut self.entries[at]
    }

    /// The counts of a value.
    pub(crate) fn counts(&mut self, id: Id) -> &mut Counts {
        &mut self.entry(id).counts
    }

    /// Counts a visitor, once. Numbers of visitors begin with 1.
    pub(crate) fn meet(&mut self, id: Id, visitor: u64) {
        let entry = self.entry(id);
        entry.counts.visitors += u64::from(entry.visitor != visitor);
        entry.visitor = visitor;
    }

    /// Counts a session of a visitor, once. Numbers of sessions begin with 1.
    pub(crate) fn meet_session(&mut self, id: Id, session: u64) {
        let entry = self.entry(id);
        entry.counts.sessions += u64::from(entry.session != session);
        entry.session = session;
    }

    /// Passes the values on that stay: the first by page views, events and text. The others are one value, [`OTHER`].
    pub(crate) fn finish(&self, texts: &Texts, limits: &Limits, mut each: impl FnMut(&str, &Counts)) {
        let mut rest = Counts::default();
        let mut ranked: Vec<(&str, &Counts)> = Vec::new();
        let is_there = |counts: &Counts| *counts != Counts::default();
        let count = |id: Id| self.entries.get(id as usize).map(|e| &e.counts).filter(|c| is_there(c));
        if let Some(counts) = count(OTHERS) {
            rest += counts;
        }
        ranked.extend(texts.ids.iter().filter_map(|(text, id)| Some((&**text, count(*id)?))));
        ranked.sort_unstable_by_key(|(text, c)| (Reverse((c.page_views, c.events)), *text));
        let mut bytes = 0;
        for (rank, (text, counts)) in ranked.into_iter().enumerate() {
            bytes += text.len();
            if rank < limits.values && bytes <= limits.value_bytes {
                each(text, counts);
            } else {
                rest += counts;
            }
        }
        if is_there(&rest) {
            each(OTHER, &rest);
        }
    }
}

/// A dimension with a dictionary of its own.
#[derive(Debug)]
pub(crate) struct Values {
    pub(crate) texts: Texts,
    pub(crate) table: Table,
}

impl Values {
    /// Bounded as all dimensions are whose values are no paths.
    pub(crate) fn new(limits: &Limits) -> Values {
        Values { texts: Texts::new(limits.others, limits.other_bytes), table: Table::default() }
    }

    /// Passes the values on that stay.
    pub(crate) fn finish(&self, limits: &Limits, each: impl FnMut(&str, &Counts)) {
        self.table.finish(&self.texts, limits, each);
    }
}
