//! Sorts the events of a day with little memory: what does not fit goes to an unnamed file in sorted runs, which are
//! merged at the end.
//!
//! PostgreSQL could sort as well, but in one statement over the whole day, whose snapshot would last as long as the sort
//! and the reading take. Rows that are read hour by hour can be sorted only here.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use alt_statistics::event::Event;
use anyhow::Context;

use super::record;

use super::unnamed_file;

/// The bytes of events that are held in memory.
pub const BUFFER: usize = 16 << 20;

/// The bytes that all runs together are read by at a time.
const MERGE: usize = 2 << 20;

/// The bytes of a key behind the class: a NUL, whether there is no visitor, visitor, time, id, attempt.
const KEY: usize = 1 + 1 + 8 + 8 + 16 + 4;

/// Sorts events by class, visitor (none last), time and id.
#[derive(Debug)]
pub struct Sorter {
    directory: Option<PathBuf>,
    most: usize,
    /// Records, one behind the other: the key, of which bytes are compared as the values are, and the rest.
    records: Vec<u8>,
    /// Where each record begins and ends.
    places: Vec<(u32, u32)>,
    /// The runs: where each begins and ends in the file.
    runs: Vec<Range<u64>>,
    file: Option<File>,
    attempt: u32,
    forgotten: BTreeSet<u32>,
    has_users: bool,
}

impl Sorter {
    /// Creates a sorter that holds `most` bytes in memory, and writes what does not fit to a file in a directory, or in
    /// that for temporary files.
    pub fn new(directory: Option<&Path>, most: usize) -> Sorter {
        Sorter {
            directory: directory.map(Path::to_owned),
            most: most.min(1 << 30),
            records: Vec::new(),
            places: Vec::new(),
            runs: Vec::new(),
            file: None,
            attempt: 0,
            forgotten: BTreeSet::new(),
            has_users: false,
        }
    }

    /// Adds an event.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn add(&mut self, event: &Event<'_>) -> anyhow::Result<()> {
        self.has_users |= !event.user_id.is_empty();
        let from = self.records.len();
        let to = &mut self.records;
        to.extend_from_slice(event.traffic_class.as_bytes());
        to.extend_from_slice(&[0, u8::from(event.visitor_id.is_none())]);
        to.extend_from_slice(&ordered(event.visitor_id.unwrap_or(0)));
        to.extend_from_slice(&ordered(event.occurred_at));
        to.extend_from_slice(&event.event_id.to_be_bytes());
        to.extend_from_slice(&self.attempt.to_be_bytes());
        record::write(event, to);
        self.places.push((u32::try_from(from)?, u32::try_from(to.len())?));
        if to.len() + self.places.len() * size_of::<(u32, u32)>() >= self.most {
            self.spill()
        } else {
            Ok(())
        }
    }

    /// Whether an event that was added has a user id.
    pub fn has_users(&self) -> bool {
        self.has_users
    }

    /// What was added since the last call is complete.
    pub fn keep(&mut self) {
        self.attempt += 1;
    }

    /// Forgets what was added since the last call of [`Sorter::keep`] or this.
    pub fn forget(&mut self) {
        self.forgotten.insert(self.attempt);
        self.attempt += 1;
    }

    fn sort(&mut self) {
        let records = &self.records;
        let of = |&(from, to): &(u32, u32)| &records[from as usize..to as usize];
        self.places.sort_unstable_by(|a, b| of(a).cmp(of(b)));
    }

    /// Writes what is in memory as a run.
    fn spill(&mut self) -> anyhow::Result<()> {
        const CONTEXT: &str = "sort the rows of a day on the disk";
        self.sort();
        if self.file.is_none() {
            self.file = Some(unnamed_file(self.directory.as_deref()).context(CONTEXT)?);
        }
        let Some(file) = &self.file else { return Ok(()) };
        let from = self.runs.last().map_or(0, |run| run.end);
        let (mut at, mut block) = (from, Vec::with_capacity(1 << 17));
        for &(from, to) in &self.places {
            block.extend_from_slice(&(to - from).to_le_bytes());
            block.extend_from_slice(&self.records[from as usize..to as usize]);
            if block.len() >= 1 << 16 {
                file.write_all_at(&block, at).context(CONTEXT)?;
                at += block.len() as u64;
                block.clear();
            }
        }
        file.write_all_at(&block, at).context(CONTEXT)?;
        self.runs.push(from..at + block.len() as u64);
        self.records.clear();
        self.places.clear();
        Ok(())
    }

    /// Passes all events on, in order.
    ///
    /// # Errors
    /// The file cannot be written or read.
    pub fn finish(mut self, mut each: impl FnMut(&Event<'_>)) -> anyhow::Result<()> {
        if self.file.is_none() {
            self.sort();
            for &(from, to) in &self.places {
                pass(&self.records[from as usize..to as usize], &self.forgotten, &mut each)?;
            }
            return Ok(());
        }
        self.spill()?;
        self.records = Vec::new();
        self.places = Vec::new();
        let Some(file) = &self.file else { return Ok(()) };
        let chunk = (MERGE / self.runs.len().max(1)).clamp(4 << 10, 256 << 10);
        let mut runs: Vec<Run<'_>> = self.runs.iter().map(|run| Run::new(file, run.clone(), chunk)).collect();
        let mut heads = BinaryHeap::new();
        for (number, run) in runs.iter_mut().enumerate() {
            let mut record = Vec::new();
            if run.next(&mut record)? {
                heads.push(Reverse((record, number)));
            }
        }
        while let Some(Reverse((mut record, number))) = heads.pop() {
            pass(&record, &self.forgotten, &mut each)?;
            if runs[number].next(&mut record)? {
                heads.push(Reverse((record, number)));
            }
        }
        Ok(())
    }
}

/// Bytes whose order is that of the numbers.
fn ordered(number: i64) -> [u8; 8] {
    (number.cast_unsigned() ^ 1 << 63).to_be_bytes()
}

fn unordered(bytes: [u8; 8]) -> i64 {
    (u64::from_be_bytes(bytes) ^ 1 << 63).cast_signed()
}

/// Passes the event of a record on, unless its attempt is forgotten.
fn pass(record: &[u8], forgotten: &BTreeSet<u32>, each: &mut impl FnMut(&Event<'_>)) -> anyhow::Result<()> {
    let read = event(record).context("a sorted record is cut off: this is a defect")?;
    if !forgotten.contains(&read.0) {
        each(&read.1);
    }
    Ok(())
}

/// The attempt and the event of a record.
fn event(record: &[u8]) -> Option<(u32, Event<'_>)> {
    let end = record.iter().position(|byte| *byte == 0)?;
    let class = std::str::from_utf8(&record[..end]).ok()?;
    let (key, mut rest) = record[end..].split_first_chunk::<KEY>()?;
    let part = |from: usize| key[from..].first_chunk::<8>().copied();
    let mut event = Event {
        traffic_class: class,
        visitor_id: (key[1] == 0).then_some(unordered(part(2)?)),
        occurred_at: unordered(part(10)?),
        event_id: u128::from_be_bytes(*key[18..].first_chunk()?),
        ..Event::default()
    };
    record::read(&mut event, &mut rest)?;
    Some((u32::from_be_bytes(*key[34..].first_chunk()?), event))
}

/// A run that is read.
struct Run<'f> {
    file: &'f File,
    /// What is not in `bytes` yet.
    rest: Range<u64>,
    bytes: Vec<u8>,
    at: usize,
    chunk: usize,
}

impl<'f> Run<'f> {
    fn new(file: &'f File, rest: Range<u64>, chunk: usize) -> Run<'f> {
        Run { file, rest, bytes: Vec::new(), at: 0, chunk }
    }

    /// Reads the next record. `false`: there is none.
    fn next(&mut self, record: &mut Vec<u8>) -> anyhow::Result<bool> {
        record.clear();
        if !self.holds(4)? {
            return Ok(false);
        }
        let length = self.bytes[self.at..].first_chunk::<4>().map_or(0, |n| u32::from_le_bytes(*n)) as usize;
        self.at += 4;
        if !self.holds(length)? {
            return Ok(false);
        }
        record.extend_from_slice(&self.bytes[self.at..self.at + length]);
        self.at += length;
        Ok(true)
    }

    /// Reads until so many bytes are in memory. `false`: there are not so many.
    fn holds(&mut self, count: usize) -> anyhow::Result<bool> {
        if self.bytes.len() - self.at >= count {
            return Ok(true);
        }
        self.bytes.drain(..self.at);
        self.at = 0;
        let held = self.bytes.len();
        let left = usize::try_from(self.rest.end - self.rest.start).unwrap_or(usize::MAX);
        let more = left.min(self.chunk.max(count - held));
        self.bytes.resize(held + more, 0);
        self.file.read_exact_at(&mut self.bytes[held..], self.rest.start).context("read sorted rows")?;
        self.rest.start += more as u64;
        Ok(self.bytes.len() >= count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Events as different as they come.
    fn events(count: u64) -> Vec<Event<'static>> {
        let mut state = 88_172_645_463_325_252_u64;
        let mut random = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        let text = |n: u64| ["", "a", "ab", "ünï\u{1}", "a longer text than the others"][(n % 5) as usize];
        (0..count)
            .map(|n| Event {
                occurred_at: (random() % 7).cast_signed() - 3,
                event_id: u128::from(n) << 70,
                visitor_id: (random() % 3 > 0).then(|| (random() % 5).cast_signed() - 2),
                page_view_id: (random() % 2 > 0).then(|| random().cast_signed()),
                traffic_class: ["bot", "human", "huma"][(random() % 3) as usize],
                event_type: text(random()),
                url_path: text(random()),
                utm_source: text(random()),
                screen_width: (random() % 5000) as i32,
                dwell_ms: (random() % 2 > 0).then_some(-7),
                scroll_depth: Some(i16::MIN),
                ..Event::default()
            })
            .collect()
    }

    fn sorted(events: &[Event<'static>], most: usize, forgets: bool) -> Vec<String> {
        let mut sorter = Sorter::new(None, most);
        for some in events.chunks(100) {
            if forgets {
                some.iter().take(50).for_each(|event| sorter.add(event).unwrap());
                sorter.forget();
            }
            some.iter().for_each(|event| sorter.add(event).unwrap());
            sorter.keep();
        }
        let mut out = Vec::new();
        sorter.finish(|event| out.push(format!("{event:?}"))).unwrap();
        out
    }

    #[test]
    fn events_come_out_in_order_and_as_they_were_whatever_fits() {
        let all = events(3000);
        let mut expected = all.clone();
        expected.sort_by_key(|e| {
            (e.traffic_class, e.visitor_id.is_none(), e.visitor_id, e.occurred_at, e.event_id)
        });
        let expected: Vec<String> = expected.iter().map(|event| format!("{event:?}")).collect();
        for (most, forgets) in [(BUFFER, false), (BUFFER, true), (20_000, false), (20_000, true), (1, false)]
        {
            assert_eq!(sorted(&all, most, forgets), expected, "{most} bytes, {forgets}");
        }
        assert_eq!(sorted(&[], 1, true), Vec::<String>::new());
    }
}
