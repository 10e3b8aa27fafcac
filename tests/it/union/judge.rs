//! What is right: rows are the union of the hits, each is where it says it is, and every account balances.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use alt_line::checkpoint::hash;

use super::oracle::{Event, Holds};
use super::world::World;
use crate::support::bench::NOT_IN_LEDGER;
use crate::support::cases::{Ground, Wrong};

/// How often each event has to be a row, by the files: once where it has an id, else as often as in the file that
/// has it most often.
pub(super) fn union(holds: &[Holds]) -> HashMap<Event, usize> {
    let mut union: HashMap<Event, usize> = HashMap::new();
    for file in holds {
        let mut times: HashMap<&Event, usize> = HashMap::new();
        for hit in &file.hits {
            let n = times.entry(&hit.event).or_default();
            *n = if has_id(&hit.event) { 1 } else { *n + 1 };
        }
        for (event, n) in times {
            let most = union.entry(event.clone()).or_default();
            *most = (*most).max(n);
        }
    }
    union
}

/// A row: its file, the place of its line there, its application, time, id and path.
pub(super) struct Row {
    file: i32,
    offset: u64,
    app: String,
    at: i64,
    pub(super) id: String,
    path: String,
}

pub(super) fn rows(ground: &Ground) -> Vec<Row> {
    let sql = "SELECT file_id, file_offset, (SELECT app_key FROM applications WHERE id = app_id), \
               (extract(epoch FROM occurred_at) * 1000)::bigint, replace(event_id::text, '-', ''), coalesce(url_path, '') FROM access_logs";
    let row = |r: Vec<String>| Row {
        file: r[0].parse().unwrap(),
        offset: r[1].parse().unwrap(),
        app: r[2].clone(),
        at: r[3].parse().unwrap(),
        id: r[4].clone(),
        path: r[5].clone(),
    };
    ground.rows(sql).into_iter().map(row).collect()
}

/// What stood at a path.
#[derive(Clone)]
struct Seen {
    bytes: Vec<u8>,
    holds: Holds,
}

impl Seen {
    /// Whether its last `bytes` before `end` have this hash.
    fn hashes_to(&self, end: usize, bytes: usize, hex: &str) -> bool {
        let piece = end.checked_sub(bytes).and_then(|start| self.bytes.get(start..end));
        piece.is_some_and(|piece| {
            hash(piece).iter().map(|byte| format!("{byte:02x}")).collect::<String>() == hex
        })
    }
}

/// Holds what is in the database against what is in the files.
pub(super) fn look(world: &mut World<'_>) -> Result<(), Wrong> {
    if let Some(row) = world.ground.rows(NOT_IN_LEDGER).first() {
        return Err(format!("the ledger does not tell of {row:?}"));
    }
    let now: Vec<Holds> = world.contents().iter().map(|content| world.oracle.holds(content)).collect();
    let must = union(&now);
    let history: HashMap<PathBuf, Vec<Seen>> = world
        .history
        .clone()
        .into_iter()
        .map(|(path, contents)| {
            let seen = contents.into_iter().map(|bytes| Seen { holds: world.oracle.holds(&bytes), bytes });
            (path, seen.collect())
        })
        .collect();
    let ever: Vec<Seen> = history.values().flatten().cloned().collect();
    let may = union(&ever.iter().map(|seen| seen.holds.clone()).collect::<Vec<_>>());
    let mut by_file: BTreeMap<i32, Vec<Row>> = BTreeMap::new();
    for row in rows(world.ground) {
        by_file.entry(row.file).or_default().push(row);
    }
    let mut there: HashMap<Event, usize> = HashMap::new();
    // Files that were only read beside a checkpoint have none.
    let sql = "SELECT f.id, f.path, coalesce(c.loaded_bytes, 0), coalesce(c.lines, 0), coalesce(c.rows, 0), \
               coalesce(c.non_hits, 0), coalesce(c.rejects, 0), coalesce(c.already_loaded, 0), \
               (SELECT coalesce(sum(lines), 0) FROM rejected_lines r WHERE r.file_id = f.id), c.file_id IS NULL, \
               encode(c.head, 'hex'), c.head_bytes, encode(c.tail, 'hex'), c.tail_bytes \
               FROM log_files f LEFT JOIN checkpoints c ON c.file_id = f.id";
    for file in world.ground.rows(sql) {
        let n = |column: usize| file[column].parse::<u64>().unwrap();
        let id = file[0].parse::<i32>().unwrap();
        let of_file = by_file.remove(&id).unwrap_or_default();
        let (path, loaded, lines) = (PathBuf::from(&file[1]), n(2), n(3));
        let rows_fit = world.special || n(4) == of_file.len() as u64;
        if lines != n(4) + n(5) + n(6) + n(7) || !rows_fit || n(6) != n(8) {
            return Err(format!("file {id} does not balance: {file:?}, it has {} rows", of_file.len()));
        }
        // What begins alike is told apart by no less.
        if file[9] == "f" && n(13) < loaded.min(4096) {
            return Err(format!("file {id} is proven by too little: {file:?}"));
        }
        let events = |holds: &Holds| -> Option<Vec<Event>> {
            let by_offset: HashMap<u64, &Event> = holds.hits.iter().map(|h| (h.offset, &h.event)).collect();
            let event = |row: &Row| by_offset.get(&row.offset).filter(|e| is(row, e)).map(|e| (*e).clone());
            of_file.iter().map(event).collect()
        };
        // Where a file was seen last is a hint: of several that are read at the same time, one may begin like it.
        let others = ever.iter().filter(|_| !world.alone);
        let mut known = history.get(&path).into_iter().flatten().chain(others);
        let fits = |seen: &&Seen| {
            let as_loaded = || {
                let end = |column: usize| file[column].parse::<usize>().unwrap();
                seen.hashes_to(end(11), end(11), &file[10])
                    && seen.hashes_to(usize::try_from(loaded).unwrap(), end(13), &file[12])
                    && lines == seen.holds.ends.iter().filter(|end| **end <= loaded).count() as u64
            };
            events(&seen.holds).is_some() && (file[9] == "t" || as_loaded())
        };
        let Some(Seen { holds, .. }) = known.find(fits) else {
            let places: Vec<_> = of_file.iter().map(|r| (r.offset, &r.id)).collect();
            return Err(format!("no file that ever was there is file {id}: {file:?}, rows at {places:?}"));
        };
        for event in events(holds).unwrap_or_default() {
            *there.entry(event).or_default() += 1;
        }
    }
    if let Some(file) = by_file.keys().next() {
        return Err(format!("rows of a file {file} that is none"));
    }
    for (event, n) in &must {
        let rows = there.get(event).copied().unwrap_or(0);
        if rows < *n {
            return Err(format!("lost: {event:?} is {rows} rows, not {n}"));
        }
    }
    for (event, rows) in &there {
        let n = may.get(event).copied().unwrap_or(0);
        if *rows > n {
            return Err(format!("doubled: {event:?} is {rows} rows, not {n}"));
        }
    }
    Ok(())
}

/// Whether its line carries an id; otherwise its line stands for it.
pub(super) fn has_id(event: &Event) -> bool {
    !event.2.contains(' ')
}

/// Whether a row is of this event. Lines of the same time are told apart by their paths.
fn is(row: &Row, event: &Event) -> bool {
    let is_line = || !has_id(event) && event.2.contains(&format!("GET {}?", row.path));
    row.app == event.0 && row.at == event.1 && (row.id == event.2 || is_line())
}
