//! Opens segments. Columns are unpacked when they are asked for, and kept.

use std::hash::BuildHasher;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use foldhash::fast::FixedState;

use super::Broken;
use super::codec::{self, Cursor, ROWS_MAX, SUM};
use super::columns::{self as c, COLUMNS, Column, TABLES, Table};
use super::numbers::Numbers;
use super::sums::Sums;

/// The most classes and columns of a segment.
const CLASSES_MAX: u16 = 1_000;
const COLUMNS_MAX: u16 = 1_000;

/// Texts of a dictionary. Number 0 stands for all that had no room; the first text has number 1.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    ends: Vec<u32>,
    text: String,
    hashes: OnceLock<Vec<u64>>,
}

/// The hash of a text, the same in each segment.
pub(crate) fn hash(text: &str) -> u64 {
    FixedState::default().hash_one(text)
}

impl Texts {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The text of a number, from 1.
    pub(crate) fn get(&self, number: usize) -> Option<&str> {
        let until = *self.ends.get(number.checked_sub(1)?)?;
        let from = number.checked_sub(2).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        self.text.get(from as usize..until as usize)
    }

    /// All texts, one behind the other; and where each ends.
    pub(crate) fn whole(&self) -> (&str, &[u32]) {
        (&self.text, &self.ends)
    }

    /// All, in the order of their numbers, from 1.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        let begins = std::iter::once(0).chain(self.ends.iter().copied());
        begins.zip(&self.ends).map(|(from, until)| &self.text[from as usize..*until as usize])
    }

    fn unpack(raw: &[u8], rows: u32) -> Option<Texts> {
        let (lengths, text) = raw.split_at_checked(rows as usize * 4)?;
        let mut ends = vec![0; rows as usize];
        Numbers::unpack(lengths.to_vec(), 4)?.read(0, &mut ends);
        let text = str::from_utf8(text).ok()?.to_owned();
        let mut at = 0_u32;
        for end in &mut ends {
            at = at.checked_add(*end)?;
            if !text.is_char_boundary(at as usize) {
                return None;
            }
            *end = at;
        }
        (at as usize == text.len()).then_some(Texts { ends, text, hashes: OnceLock::new() })
    }
}

/// A column that is unpacked.
#[derive(Debug)]
enum Unpacked {
    Numbers(Numbers),
    Texts(Texts),
}

impl Unpacked {
    fn bytes(&self) -> usize {
        match self {
            Unpacked::Numbers(numbers) => numbers.bytes(),
            Unpacked::Texts(texts) => texts.ends.len() * 4 + texts.text.len(),
        }
    }
}

#[derive(Debug)]
struct Entry {
    id: u16,
    width: u8,
    rows: u32,
    raw: u32,
    /// Packed bytes, …
    packed: usize,
    /// … which go once the column is unpacked and kept.
    bytes: Mutex<Option<Box<[u8]>>>,
    unpacked: OnceLock<Result<Unpacked, Broken>>,
}

impl Entry {
    /// The packed bytes. Whoever has the lock does not panic.
    fn lock(&self) -> MutexGuard<'_, Option<Box<[u8]>>> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Rows of a table that follow each other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Run {
    /// The first.
    pub(crate) from: usize,
    /// The first that is no longer of it.
    pub(crate) until: usize,
}

impl Run {
    pub(crate) fn len(self) -> usize {
        self.until - self.from
    }

    pub(crate) fn rows(self) -> std::ops::Range<usize> {
        self.from..self.until
    }

    /// Itself, cut into runs of so many rows at most.
    pub(crate) fn blocks(self, most: usize) -> impl Iterator<Item = Run> {
        self.rows().step_by(most).map(move |from| Run { from, until: self.until.min(from + most) })
    }
}

/// The rows of a class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Class {
    /// `access_logs.traffic_class`.
    pub(crate) name: String,
    /// Its sessions.
    pub(crate) sessions: Run,
    /// Its requests.
    pub(crate) requests: Run,
    /// Its strays.
    pub(crate) strays: Run,
}

/// Values of the origins.
#[derive(Debug)]
pub(crate) struct Named {
    /// The values. Number 0 is what had no room.
    pub(crate) names: Vec<String>,
    /// By the numbers of origins, the numbers of their values.
    pub(crate) ids: Vec<u32>,
}

/// Where the sessions of origins come from, on a site with these domains.
#[derive(Debug)]
pub(crate) struct Origins {
    pub(crate) domains: Vec<String>,
    pub(crate) sources: Named,
    pub(crate) channels: Named,
}

impl Origins {
    fn bytes(&self) -> usize {
        let of = |named: &Named| {
            named.ids.len() * 4
                + named.names.iter().map(|name| size_of::<String>() + name.len()).sum::<usize>()
        };
        of(&self.sources) + of(&self.channels)
    }
}

/// A segment. It is opened with all checks that take no unpacking; a column is checked when it is unpacked.
#[derive(Debug)]
pub struct Segment {
    definition: u8,
    from: i64,
    base: i64,
    rows: [u32; TABLES],
    classes: Vec<Class>,
    columns: Vec<Entry>,
    view_starts: OnceLock<Result<Vec<u32>, Broken>>,
    other_starts: OnceLock<Result<Vec<u32>, Broken>>,
    sums: OnceLock<Result<Option<Vec<Sums>>, Broken>>,
    last_second: OnceLock<Result<u64, Broken>>,
    origins: OnceLock<Result<Origins, Broken>>,
    bytes: AtomicUsize,
}

impl Segment {
    /// Opens the bytes of a segment of any version.
    ///
    /// # Errors
    /// They are none, or of a later version.
    pub fn open(bytes: &[u8]) -> Result<Segment, Broken> {
        let (body, sum) = bytes.split_last_chunk::<SUM>().ok_or(Broken::Cut)?;
        let mut cursor = Cursor(body);
        if cursor.array::<4>()? != *codec::MAGIC {
            return Err(Broken::Cut);
        }
        let version = cursor.byte()?;
        if version != codec::VERSION {
            return Err(Broken::Version(version));
        }
        if codec::sum(body) != *sum {
            return Err(Broken::Sum);
        }
        let definition = cursor.byte()?;
        cursor.short()?;
        let (from, base) = (cursor.long()?, cursor.long()?);
        let mut rows = [0; TABLES];
        for table in &mut rows {
            *table = cursor.int()?;
            if *table > ROWS_MAX {
                return Err(Broken::Large);
            }
        }
        let classes = classes(&mut cursor, &rows)?;
        let columns = directory(&mut cursor, &rows)?;
        let (view_starts, other_starts) = (OnceLock::new(), OnceLock::new());
        let bytes = AtomicUsize::new(bytes.len());
        Ok(Segment {
            definition,
            from,
            base,
            rows,
            classes,
            columns,
            view_starts,
            other_starts,
            sums: OnceLock::new(),
            last_second: OnceLock::new(),
            origins: OnceLock::new(),
            bytes,
        })
    }

    /// The version of the definitions by which it was made: [`super::DEFINITION`] of then.
    pub fn definition(&self) -> u8 {
        self.definition
    }

    /// The day's first moment, microseconds since 1970, UTC.
    pub fn from(&self) -> i64 {
        self.from
    }

    /// Bytes of memory that it takes, columns that are unpacked included.
    pub fn memory(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Events, that is page views, copies of them, and other events.
    pub fn events(&self) -> u64 {
        u64::from(self.rows[Table::Views as usize]) + u64::from(self.rows[Table::Others as usize])
    }

    /// Packed bytes of each column, by its number: what it takes where it is stored.
    pub fn column_bytes(&self) -> impl Iterator<Item = (u16, usize)> {
        self.columns.iter().map(|entry| (entry.id, entry.packed))
    }

    /// Unpacks and checks all that is there.
    ///
    /// # Errors
    /// A column is broken, or not there.
    pub fn check(&self) -> Result<(), Broken> {
        for column in COLUMNS {
            if [c::REQUEST_AT.id, c::OTHER_AFTER.id].contains(&column.id) && self.entry(column.id).is_err() {
                continue;
            }
            match self.unpacked(column.id)? {
                Unpacked::Texts(_) => return Err(Broken::Column(column.id)),
                Unpacked::Numbers(_) => {}
            }
        }
        for id in c::PATHS..=c::QUERIES {
            self.texts(id)?;
        }
        self.check_values()?;
        self.user_key()?;
        self.view_starts()?;
        self.other_starts().map(|_| ())
    }

    fn check_values(&self) -> Result<(), Broken> {
        let known =
            [c::LABEL, c::CLICK_TARGET, c::OUTBOUND, c::DOWNLOAD, c::SEARCH, c::PRODUCT, c::PRODUCT_NAME];
        let more = [c::CATEGORY, c::RESULTS, c::QUANTITY, c::REVENUE, c::CURRENCY];
        let properties = (0..self.properties()?.map_or(0, Texts::len)).map(c::property);
        for column in known.into_iter().chain(more).chain(properties) {
            self.value(column, Table::Views)?;
            self.value(column, Table::Others)?;
            self.value_texts(column)?;
        }
        Ok(())
    }

    /// The names of the properties that it has; `None`: it was written before it was known what events say.
    pub(crate) fn properties(&self) -> Result<Option<&Texts>, Broken> {
        if self.entry(c::PROPERTIES).is_err() { Ok(None) } else { self.texts(c::PROPERTIES).map(Some) }
    }

    /// What tells the key apart by which user ids are hashed; `None`: none is, because nobody has one or there was no key.
    pub(crate) fn user_key(&self) -> Result<Option<&str>, Broken> {
        if self.entry(c::USER_KEY).is_err() { Ok(None) } else { Ok(self.texts(c::USER_KEY)?.get(1)) }
    }

    /// What the events of a table say; `None`: none of them says anything.
    pub(crate) fn value(&self, column: c::Valued, table: Table) -> Result<Option<&Numbers>, Broken> {
        let Some(id) = column.of(table).filter(|id| self.entry(*id).is_ok()) else { return Ok(None) };
        match self.unpacked(id)? {
            Unpacked::Numbers(numbers) if numbers.len() == self.rows(table) => Ok(Some(numbers)),
            _ => Err(Broken::Column(id)),
        }
    }

    /// The dictionary of what events say, and the hashes of its texts; `None`: none of them says anything.
    pub(crate) fn value_texts(&self, column: c::Valued) -> Result<Option<(&Texts, &[u64])>, Broken> {
        let id = column.dictionary;
        if id == 0 || self.entry(id).is_err() {
            return Ok(None);
        }
        Ok(Some((self.texts(id)?, self.hashes(id)?)))
    }

    /// Seconds from the day's first moment from which times count.
    pub(crate) fn base(&self) -> i64 {
        self.base
    }

    /// Its classes.
    pub(crate) fn classes(&self) -> &[Class] {
        &self.classes
    }

    /// Rows of a table.
    pub(crate) fn rows(&self, table: Table) -> usize {
        self.rows[table as usize] as usize
    }

    /// A column of numbers below 2³².
    pub(crate) fn ints(&self, column: Column) -> Result<&Numbers, Broken> {
        self.longs(column)
            .and_then(|numbers| if numbers.is_long() { Err(Broken::Column(column.id)) } else { Ok(numbers) })
    }

    /// The values of a column of numbers below 2³² in a run of rows.
    pub(crate) fn ints_of(&self, column: Column, run: Run) -> Result<Vec<u32>, Broken> {
        let mut values = vec![0; run.len()];
        self.ints(column)?.read(run.from, &mut values);
        Ok(values)
    }

    /// A column of numbers of any width.
    pub(crate) fn longs(&self, column: Column) -> Result<&Numbers, Broken> {
        match self.unpacked(column.id)? {
            Unpacked::Numbers(numbers) => Ok(numbers),
            Unpacked::Texts(_) => Err(Broken::Column(column.id)),
        }
    }

    /// A dictionary.
    pub(crate) fn texts(&self, dictionary: u16) -> Result<&Texts, Broken> {
        match self.unpacked(dictionary)? {
            Unpacked::Texts(texts) => Ok(texts),
            _ => Err(Broken::Column(dictionary)),
        }
    }

    /// The hashes of a dictionary's texts, from number 1 on.
    pub(crate) fn hashes(&self, dictionary: u16) -> Result<&[u64], Broken> {
        let texts = self.texts(dictionary)?;
        Ok(texts.hashes.get_or_init(|| {
            self.bytes.fetch_add(texts.len() * 8, Ordering::Relaxed);
            texts.iter().map(hash).collect()
        }))
    }

    /// For each session the first of its views; and behind the last one, how many views there are.
    pub(crate) fn view_starts(&self) -> Result<&[u32], Broken> {
        self.starts(&self.view_starts, c::VIEW_COUNT, Table::Views)
    }

    /// The same of its other events.
    pub(crate) fn other_starts(&self) -> Result<&[u32], Broken> {
        self.starts(&self.other_starts, c::OTHER_COUNT, Table::Others)
    }

    fn starts<'s>(
        &'s self,
        known: &'s OnceLock<Result<Vec<u32>, Broken>>,
        counts: Column,
        table: Table,
    ) -> Result<&'s [u32], Broken> {
        let starts = known.get_or_init(|| {
            let rows = self.rows(Table::Sessions);
            let mut starts = vec![0; rows + 1];
            self.once(counts, |numbers| numbers.read(0, &mut starts[1..]))?;
            let mut at = 0_u32;
            for start in &mut starts {
                at = at.checked_add(*start).ok_or(Broken::Column(counts.id))?;
                *start = at;
            }
            if at as usize != self.rows(table) {
                return Err(Broken::Column(counts.id));
            }
            self.bytes.fetch_add(starts.len() * 4, Ordering::Relaxed);
            Ok(starts)
        });
        starts.as_deref().map_err(|broken| *broken)
    }

    /// What the page views of each session report, summed; `None` where the sums have no room.
    pub(crate) fn sums(&self) -> Result<Option<&[Sums]>, Broken> {
        let sums = self.sums.get_or_init(|| {
            let starts = self.view_starts()?;
            let sums = self.once(c::VIEW_ENGAGED, |engaged| {
                self.once(c::VIEW_DEPTH, |depths| match depths.is_long() {
                    true => Err(Broken::Column(c::VIEW_DEPTH.id)),
                    false => Ok(Sums::of_all(starts, engaged, depths)),
                })
            })???;
            let bytes = sums.as_ref().map_or(0, |sums| size_of_val(sums.as_slice()));
            self.bytes.fetch_add(bytes, Ordering::Relaxed);
            Ok(sums)
        });
        sums.as_ref().map(Option::as_deref).map_err(|broken| *broken)
    }

    /// Seconds of the last event since the base.
    pub(crate) fn last_second(&self) -> Result<u64, Broken> {
        let last = self.last_second.get_or_init(|| {
            let begins = self.ints(c::START)?;
            let mut last = 0;
            for (starts, times) in [
                (self.view_starts()?, self.ints(c::VIEW_TIME)?),
                (self.other_starts()?, self.ints(c::OTHER_TIME)?),
            ] {
                let mut within = vec![0; starts.last().map_or(0, |rows| *rows as usize)];
                times.read(0, &mut within);
                for (session, two) in starts.windows(2).enumerate() {
                    let times = within.get(two[0] as usize..two[1] as usize).unwrap_or(&[]);
                    let greatest = times.iter().max().map_or(0, |time| u64::from(*time));
                    last = last.max(begins.get(session) + greatest);
                }
            }
            Ok(last)
        });
        *last
    }

    /// Reads a column of numbers, and keeps it only where it is kept already.
    fn once<T>(&self, column: Column, read: impl FnOnce(&Numbers) -> T) -> Result<T, Broken> {
        let entry = self.entry(column.id)?;
        // Locked as long as it is read, so that the bytes are there, or the column is.
        let bytes = entry.lock();
        match &*bytes {
            Some(bytes) => match self.unpack(entry, bytes) {
                Some(Unpacked::Numbers(numbers)) => Ok(read(&numbers)),
                _ => Err(Broken::Column(column.id)),
            },
            None => {
                drop(bytes);
                self.longs(column).map(read)
            }
        }
    }

    /// Sources and channels, which `make` makes; `None`: those of other domains are kept.
    pub(crate) fn origins(
        &self,
        domains: &[String],
        make: impl FnOnce() -> Result<Origins, Broken>,
    ) -> Result<Option<&Origins>, Broken> {
        let origins = self.origins.get_or_init(|| {
            let origins = make()?;
            self.bytes.fetch_add(origins.bytes(), Ordering::Relaxed);
            Ok(origins)
        });
        let origins = origins.as_ref().map_err(|broken| *broken)?;
        Ok(Some(origins).filter(|origins| origins.domains == domains))
    }

    fn entry(&self, id: u16) -> Result<&Entry, Broken> {
        self.columns.iter().find(|entry| entry.id == id).ok_or(Broken::Missing(id))
    }

    fn unpacked(&self, id: u16) -> Result<&Unpacked, Broken> {
        let entry = self.entry(id)?;
        let unpacked = entry.unpacked.get_or_init(|| {
            let bytes = entry.lock().take().ok_or(Broken::Column(id))?;
            let unpacked = self.unpack(entry, &bytes).ok_or(Broken::Column(id))?;
            self.bytes.fetch_add(unpacked.bytes(), Ordering::Relaxed);
            self.bytes.fetch_sub(bytes.len(), Ordering::Relaxed);
            Ok(unpacked)
        });
        unpacked.as_ref().map_err(|broken| *broken)
    }

    fn unpack(&self, entry: &Entry, bytes: &[u8]) -> Option<Unpacked> {
        let raw = codec::unpack(bytes, entry.raw)?;
        match entry.width {
            0 => Texts::unpack(&raw, entry.rows).map(Unpacked::Texts),
            width => {
                let numbers = Numbers::unpack(raw, width)?;
                // A column that is not known, and so of no dictionary, is checked no further.
                let of = COLUMNS.iter().find(|column| column.id == entry.id).and_then(|column| column.of);
                let most = match of {
                    None => u64::MAX,
                    Some(c::ORIGINS) => u64::from(self.rows[Table::Origins as usize]),
                    Some(dictionary) => u64::from(self.entry(dictionary).ok()?.rows),
                };
                (numbers.greatest() <= most).then_some(Unpacked::Numbers(numbers))
            }
        }
    }
}

fn classes(cursor: &mut Cursor<'_>, rows: &[u32; TABLES]) -> Result<Vec<Class>, Broken> {
    let count = cursor.short()?;
    if count > CLASSES_MAX {
        return Err(Broken::Large);
    }
    let mut classes = Vec::new();
    let mut ends = [0_u32; 3];
    for _ in 0..count {
        let length = usize::from(cursor.byte()?);
        let name = str::from_utf8(cursor.take(length)?).map_err(|_| Broken::Cut)?.to_owned();
        let before = ends;
        ends = [cursor.int()?, cursor.int()?, cursor.int()?];
        if ends.iter().zip(before).any(|(end, before)| *end < before) {
            return Err(Broken::Large);
        }
        let run = |table: usize| Run { from: before[table] as usize, until: ends[table] as usize };
        classes.push(Class { name, sessions: run(0), requests: run(1), strays: run(2) });
    }
    let of = [Table::Sessions, Table::Requests, Table::Strays].map(|table| rows[table as usize]);
    if ends == of { Ok(classes) } else { Err(Broken::Large) }
}

/// Reads where the columns are, and compares each with the rows of its table.
fn directory(cursor: &mut Cursor<'_>, rows: &[u32; TABLES]) -> Result<Vec<Entry>, Broken> {
    let count = cursor.short()?;
    if count > COLUMNS_MAX {
        return Err(Broken::Large);
    }
    let mut entries: Vec<Entry> = Vec::new();
    for _ in 0..count {
        let (id, width, _table) = (cursor.short()?, cursor.byte()?, cursor.byte()?);
        let (of, raw, packed) = (cursor.int()?, cursor.int()?, cursor.int()?);
        if !codec::is_possible(raw, packed) {
            return Err(Broken::Large);
        }
        let is_sized = match width {
            0 => u64::from(raw) >= u64::from(of) * 4,
            1 | 2 | 4 | 8 => u64::from(raw) == u64::from(of) * u64::from(width),
            _ => false,
        };
        let known = COLUMNS.iter().find(|column| column.id == id);
        let fits = known.is_none_or(|column| of == rows[column.table as usize] && width != 0);
        if !is_sized || !fits || entries.iter().any(|entry| entry.id == id) {
            return Err(Broken::Column(id));
        }
        let (bytes, unpacked) = (Mutex::default(), OnceLock::new());
        entries.push(Entry { id, width, rows: of, raw, packed: packed as usize, bytes, unpacked });
    }
    for entry in &mut entries {
        entry.bytes = Mutex::new(Some(cursor.take(entry.packed)?.into()));
    }
    if cursor.0.is_empty() { Ok(entries) } else { Err(Broken::Cut) }
}
