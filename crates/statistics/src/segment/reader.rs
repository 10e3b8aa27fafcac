//! Opens segments. Columns are unpacked when they are asked for, and kept.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::Broken;
use super::codec::{self, Cursor, ROWS_MAX, SUM};
use super::columns::{self as c, COLUMNS, Column, TABLES, Table};

/// The most classes and columns of a segment.
const CLASSES_MAX: u16 = 1_000;
const COLUMNS_MAX: u16 = 1_000;

/// Texts of a dictionary. Number 0 stands for all that had no room; the first text has number 1.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    ends: Vec<u32>,
    text: String,
}

impl Texts {
    /// All, in the order of their numbers, from 1.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        let begins = std::iter::once(0).chain(self.ends.iter().copied());
        begins.zip(&self.ends).map(|(from, until)| &self.text[from as usize..*until as usize])
    }

    fn unpack(raw: &[u8], rows: u32) -> Option<Texts> {
        let (lengths, text) = raw.split_at_checked(rows as usize * 4)?;
        let lengths: Vec<u32> =
            codec::numbers(lengths, 4, |value, byte, plane| *value |= u32::from(byte) << (8 * plane));
        let text = String::from_utf8(text.to_vec()).ok()?;
        let mut ends = Vec::with_capacity(lengths.len());
        let mut end = 0_u32;
        for length in lengths {
            end = end.checked_add(length)?;
            if !text.is_char_boundary(end as usize) {
                return None;
            }
            ends.push(end);
        }
        (end as usize == text.len()).then_some(Texts { ends, text })
    }
}

/// A column that is unpacked.
#[derive(Debug)]
enum Unpacked {
    Ints(Vec<u32>),
    Longs(Vec<u64>),
    Texts(Texts),
}

impl Unpacked {
    fn bytes(&self) -> usize {
        match self {
            Unpacked::Ints(ints) => ints.len() * 4,
            Unpacked::Longs(longs) => longs.len() * 8,
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
    from: usize,
    until: usize,
    unpacked: OnceLock<Result<Unpacked, Broken>>,
}

/// The rows of a class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Class {
    /// `access_logs.traffic_class`.
    pub(crate) name: String,
    /// The first session, and the first that is no longer of the class.
    pub(crate) sessions: (usize, usize),
    /// The same of strays.
    pub(crate) strays: (usize, usize),
}

/// A segment. It is opened with all checks that take no unpacking; a column is checked when it is unpacked.
#[derive(Debug)]
pub struct Segment {
    bytes: Vec<u8>,
    definition: u8,
    from: i64,
    base: i64,
    rows: [u32; TABLES],
    classes: Vec<Class>,
    columns: Vec<Entry>,
    view_starts: OnceLock<Result<Vec<u32>, Broken>>,
    other_starts: OnceLock<Result<Vec<u32>, Broken>>,
    unpacked_bytes: AtomicUsize,
}

impl Segment {
    /// Opens the bytes of a segment of any version.
    ///
    /// # Errors
    /// They are none, or of a later version.
    pub fn open(bytes: Vec<u8>) -> Result<Segment, Broken> {
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
        let columns = directory(&mut cursor, &rows, body.len())?;
        let (view_starts, other_starts) = (OnceLock::new(), OnceLock::new());
        let unpacked_bytes = AtomicUsize::new(0);
        Ok(Segment {
            bytes,
            definition,
            from,
            base,
            rows,
            classes,
            columns,
            view_starts,
            other_starts,
            unpacked_bytes,
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
        self.bytes.len() + self.unpacked_bytes.load(Ordering::Relaxed)
    }

    /// Events, that is page views, copies of them, and other events.
    pub fn events(&self) -> u64 {
        u64::from(self.rows[Table::Views as usize]) + u64::from(self.rows[Table::Others as usize])
    }

    /// Packed bytes of each column, by its number: what it takes where it is stored.
    pub fn column_bytes(&self) -> impl Iterator<Item = (u16, usize)> {
        self.columns.iter().map(|entry| (entry.id, entry.until - entry.from))
    }

    /// Unpacks and checks all that is there.
    ///
    /// # Errors
    /// A column is broken, or not there.
    pub fn check(&self) -> Result<(), Broken> {
        for column in COLUMNS {
            match self.unpacked(column.id)? {
                Unpacked::Texts(_) => return Err(Broken::Column(column.id)),
                Unpacked::Ints(_) | Unpacked::Longs(_) => {}
            }
        }
        for id in c::PATHS..=c::QUERIES {
            self.texts(id)?;
        }
        self.view_starts()?;
        self.other_starts().map(|_| ())
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
    pub(crate) fn ints(&self, column: Column) -> Result<&[u32], Broken> {
        match self.unpacked(column.id)? {
            Unpacked::Ints(ints) => Ok(ints),
            _ => Err(Broken::Column(column.id)),
        }
    }

    /// A number of a column, whatever its width.
    pub(crate) fn longs(&self, column: Column) -> Result<Longs<'_>, Broken> {
        match self.unpacked(column.id)? {
            Unpacked::Ints(ints) => Ok(Longs::Short(ints)),
            Unpacked::Longs(longs) => Ok(Longs::Long(longs)),
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
            let counts_of = self.ints(counts)?;
            let mut starts = Vec::with_capacity(counts_of.len() + 1);
            let mut at = 0_u32;
            starts.push(at);
            for count in counts_of {
                at = at.checked_add(*count).ok_or(Broken::Column(counts.id))?;
                starts.push(at);
            }
            if at as usize != self.rows(table) {
                return Err(Broken::Column(counts.id));
            }
            self.unpacked_bytes.fetch_add(starts.len() * 4, Ordering::Relaxed);
            Ok(starts)
        });
        starts.as_deref().map_err(|broken| *broken)
    }

    fn unpacked(&self, id: u16) -> Result<&Unpacked, Broken> {
        let entry = self.columns.iter().find(|entry| entry.id == id).ok_or(Broken::Missing(id))?;
        let unpacked = entry.unpacked.get_or_init(|| {
            let unpacked = self.unpack(entry).ok_or(Broken::Column(id))?;
            self.unpacked_bytes.fetch_add(unpacked.bytes(), Ordering::Relaxed);
            Ok(unpacked)
        });
        unpacked.as_ref().map_err(|broken| *broken)
    }

    fn unpack(&self, entry: &Entry) -> Option<Unpacked> {
        let raw = codec::unpack(self.bytes.get(entry.from..entry.until)?, entry.raw)?;
        match entry.width {
            0 => Texts::unpack(&raw, entry.rows).map(Unpacked::Texts),
            8 => {
                let longs = codec::numbers(&raw, 8, |value: &mut u64, byte, plane| {
                    *value |= u64::from(byte) << (8 * plane);
                });
                Some(Unpacked::Longs(longs))
            }
            width => {
                let ints: Vec<u32> = codec::numbers(&raw, width, |value, byte, plane| {
                    *value |= u32::from(byte) << (8 * plane);
                });
                let column = COLUMNS.iter().find(|column| column.id == entry.id)?;
                let most = match column.of {
                    None => u32::MAX,
                    Some(c::ORIGINS) => self.rows[Table::Origins as usize],
                    Some(dictionary) => self.columns.iter().find(|entry| entry.id == dictionary)?.rows,
                };
                ints.iter().all(|id| *id <= most).then_some(Unpacked::Ints(ints))
            }
        }
    }
}

/// A column of numbers of any width.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Longs<'s> {
    /// Below 2³².
    Short(&'s [u32]),
    /// Any.
    Long(&'s [u64]),
}

impl Longs<'_> {
    /// The number of a row.
    pub(crate) fn get(self, at: usize) -> u64 {
        match self {
            Longs::Short(ints) => ints.get(at).map_or(0, |int| u64::from(*int)),
            Longs::Long(longs) => longs.get(at).copied().unwrap_or(0),
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
        classes.push(Class {
            name,
            sessions: (before[0] as usize, ends[0] as usize),
            strays: (before[2] as usize, ends[2] as usize),
        });
    }
    let of = [Table::Sessions, Table::Requests, Table::Strays].map(|table| rows[table as usize]);
    if ends == of { Ok(classes) } else { Err(Broken::Large) }
}

/// Reads where the columns are, and compares each with the rows of its table.
fn directory(cursor: &mut Cursor<'_>, rows: &[u32; TABLES], length: usize) -> Result<Vec<Entry>, Broken> {
    let count = cursor.short()?;
    if count > COLUMNS_MAX {
        return Err(Broken::Large);
    }
    let mut entries: Vec<Entry> = Vec::new();
    let mut packed_bytes = Vec::new();
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
        packed_bytes.push(packed as usize);
        entries.push(Entry { id, width, rows: of, raw, from: 0, until: 0, unpacked: OnceLock::new() });
    }
    let mut at = length - cursor.0.len();
    for (entry, packed) in entries.iter_mut().zip(packed_bytes) {
        entry.from = at;
        at = at.checked_add(packed).filter(|end| *end <= length).ok_or(Broken::Cut)?;
        entry.until = at;
    }
    if at == length { Ok(entries) } else { Err(Broken::Cut) }
}
