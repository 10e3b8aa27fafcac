//! Finds rows of a batch that exist already, by their ids, if no checkpoint proves that they are new.
//!
//! The result stays valid until the end of the transaction, because of the locks on the batch's hours.

use std::time::SystemTime;

use alt_line::batch::{Batch, BatchRow, EventKey, MICROS_PER_HOUR, There, hour};
use alt_line::hit::Micros;
use alt_process::clock::{micros, system_time};
use foldhash::{HashMap, HashSet};
use futures_util::TryStreamExt;
use futures_util::future::try_join_all;
use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

use super::{Failure, Memory};
use crate::statements::statements;

const IDS_BY_INDEX: &str = include_str!("../../../../sql/ids_by_index.sql");
const IDS_THERE: &str = include_str!("../../../../sql/ids_there.sql");

/// So many hours of applications are looked at together: each takes some two kilobytes until its answer is there.
const LOOKS_MAX: usize = 1000;

/// The most hours of applications that are remembered, two megabytes of them.
const STRAYS_MAX: usize = 100_000;

/// Whether anything was loaded by ids in the period of the batch. A replay of a copy may be ahead of the log from which
/// the copy was made. Then the checkpoint is not sufficient proof.
pub(super) async fn may_be_there(client: &Client, batch: &Batch) -> Result<bool, Failure> {
    let Some((first, last)) = batch.times().filter(|_| batch.trusts_checkpoints()) else { return Ok(false) };
    let sql = "SELECT EXISTS (SELECT 1 FROM loaded_by_ids WHERE first_at <= $2 AND last_at >= $1)";
    let params: [(&(dyn ToSql + Sync), Type); 2] =
        [(&system_time(first), Type::TIMESTAMPTZ), (&system_time(last), Type::TIMESTAMPTZ)];
    Ok(client.query_typed_one(sql, &params).await?.get(0))
}

/// The periods in which rows are in the database, as far as files' records say.
#[derive(Debug, Default)]
pub(super) struct Loaded {
    /// Of all files: disjoint, ascending.
    all: Vec<(Micros, Micros)>,
    /// The same without the periods of one file, for each file of the batch that has any.
    of_others: HashMap<i32, Vec<(Micros, Micros)>>,
}

impl Loaded {
    fn new(batch: &Batch, periods: &[(Micros, Micros, i32)]) -> Loaded {
        let merged = |other_than: Option<i32>| {
            let mut merged: Vec<(Micros, Micros)> = Vec::new();
            for &(from, to, _) in periods.iter().filter(|period| Some(period.2) != other_than) {
                match merged.last_mut() {
                    Some(before) if from <= before.1 => before.1 = before.1.max(to),
                    _ => merged.push((from, to)),
                }
            }
            merged
        };
        let files: HashSet<i32> = periods.iter().map(|period| period.2).collect();
        let advances = batch.sections.iter().filter(|section| section.reread.is_none());
        let of_others = advances
            .map(|section| section.file.id())
            .filter(|file_id| files.contains(file_id))
            .map(|file_id| (file_id, merged(Some(file_id))))
            .collect();
        Loaded { all: merged(None), of_others }
    }

    /// Whether a row of the batch may be there. A file that advances has no row of its own ahead of it, and an id that
    /// was made from a line occurs once in a file. (Otherwise each batch of a file that goes back in time would read the
    /// rows of all batches before.)
    pub(super) fn covers(&self, batch: &Batch, row: &BatchRow) -> bool {
        let own = row.is_made.then(|| &batch.sections[row.section as usize]);
        let others = own.and_then(|section| self.of_others.get(&section.file.id()));
        let periods = others.unwrap_or(&self.all);
        let at = periods.partition_point(|period| period.1 < row.key.occurred_at);
        periods.get(at).is_some_and(|period| period.0 <= row.key.occurred_at)
    }

    /// The parts of an hour, from its first instant to that of the next hour, that no period covers.
    fn gaps(&self, hour: i32) -> Vec<(Micros, Micros)> {
        let (mut from, end) = (i64::from(hour) * MICROS_PER_HOUR, (i64::from(hour) + 1) * MICROS_PER_HOUR);
        let mut gaps = Vec::new();
        let at = self.all.partition_point(|period| period.1 < from);
        for &(first, last) in self.all[at..].iter().take_while(|period| period.0 < end) {
            if first > from {
                gaps.push((from, first));
            }
            from = last + 1;
        }
        if from < end {
            gaps.push((from, end));
        }
        gaps
    }
}

/// The periods, within the times of the rows whose ids are checked, in which something is loaded already.
pub(super) async fn loaded_times(client: &Client, batch: &Batch) -> Result<Loaded, Failure> {
    let times = || batch.asked_for().map(|row| row.key.occurred_at);
    let (Some(first), Some(last)) = (times().min(), times().max()) else { return Ok(Loaded::default()) };
    // The hours are looked at as a whole.
    let first = i64::from(hour(first)) * MICROS_PER_HOUR;
    let last = (i64::from(hour(last)) + 1) * MICROS_PER_HOUR;
    let sql = "SELECT first_at, last_at, file_id FROM checkpoints WHERE first_at <= $2 AND last_at >= $1 \
               UNION ALL \
               SELECT first_at, last_at, file_id FROM loaded_by_ids WHERE first_at <= $2 AND last_at >= $1 \
               ORDER BY first_at";
    let params: [(&(dyn ToSql + Sync), Type); 2] =
        [(&system_time(first), Type::TIMESTAMPTZ), (&system_time(last), Type::TIMESTAMPTZ)];
    let mut periods = Vec::new();
    for row in client.query_typed(sql, &params).await? {
        let (from, to) = (micros(row.get::<_, SystemTime>(0)), micros(row.get::<_, SystemTime>(1)));
        periods.push((from, to, row.get(2)));
    }
    Ok(Loaded::new(batch, &periods))
}

/// The hours of applications in which rows are in the database of which no file's record says so: rows that were restored
/// without `log_files` and `checkpoints`. An hour is looked at once. Rows that come later come with such a record.
#[derive(Debug, Default)]
pub(super) struct Strays(HashMap<(i32, i32), bool>);

impl Strays {
    /// The hours of a batch that were not looked at before.
    pub(super) fn unknown(&mut self, batch: &Batch) -> Vec<(i32, i32)> {
        if self.0.len() > STRAYS_MAX {
            self.0.clear();
        }
        let mut new: Vec<(i32, i32)> = batch.asked_for().map(stray_key).collect();
        new.sort_unstable();
        new.dedup();
        new.retain(|key| !self.0.contains_key(key));
        new
    }

    /// Takes what was found in hours, and in which of them.
    pub(super) fn learn(&mut self, looked_at: &[(i32, i32)], found: Vec<(i32, i32)>) {
        for key in looked_at {
            self.0.entry(*key).or_default();
        }
        self.0.extend(found.into_iter().map(|key| (key, true)));
    }

    pub(super) fn has(&self, row: &BatchRow) -> bool {
        self.0.get(&stray_key(row)).is_some_and(|has_rows| *has_rows)
    }
}

/// The hours among these that have rows of which no file's record says so.
pub(super) async fn find_strays(
    client: &Client,
    hours: &[(i32, i32)],
    loaded: &Loaded,
) -> Result<Vec<(i32, i32)>, Failure> {
    let gaps: Vec<_> =
        hours.iter().flat_map(|&key| loaded.gaps(key.1).into_iter().map(move |gap| (key, gap))).collect();
    let mut found = Vec::new();
    for gaps in gaps.chunks(LOOKS_MAX) {
        let looks = gaps.iter().map(|(key, gap)| has_rows(client, key.0, gap.0, gap.1));
        let has_rows = try_join_all(looks).await?;
        found.extend(gaps.iter().zip(has_rows).filter(|(_, has_rows)| *has_rows).map(|((key, _), _)| *key));
    }
    Ok(found)
}

fn stray_key(row: &BatchRow) -> (i32, i32) {
    (row.key.app_id, hour(row.key.occurred_at))
}

async fn has_rows(client: &Client, app_id: i32, from: Micros, to: Micros) -> Result<bool, Failure> {
    let sql = "SELECT EXISTS (SELECT FROM access_logs WHERE app_id = $1 AND occurred_at >= $2 AND occurred_at < $3)";
    let params: [(&(dyn ToSql + Sync), Type); 3] = [
        (&app_id, Type::INT4),
        (&system_time(from), Type::TIMESTAMPTZ),
        (&system_time(to), Type::TIMESTAMPTZ),
    ];
    Ok(client.query_typed_one(sql, &params).await?.get(0))
}

/// The rows of the batch whose ids are checked and that exist already. Only times at which rows may be there are looked
/// up: nothing is read from an empty period. If the rows of the batch itself `are_copied` already, they do not
/// count, but rows that were loaded from the same lines before do: the checkpoint may be that of a restored backup.
pub(super) async fn ids_there(
    client: &Client,
    batch: &Batch,
    loaded: &Loaded,
    memory: &Memory,
    are_copied: bool,
) -> Result<There, Failure> {
    let mut there = There::default();
    let mut wanted: Vec<(i32, Micros)> = Vec::new();
    for (row, is_stray) in memory.suspected(batch, loaded) {
        wanted.push((row.key.app_id, row.key.occurred_at));
        there.ask(row, batch.sections[row.section as usize].file.id(), !is_stray);
    }
    wanted.sort_unstable();
    wanted.dedup();
    let (apps, times): (Vec<i32>, Vec<SystemTime>) =
        wanted.into_iter().map(|(app, at)| (app, system_time(at))).unzip();
    let (Some(first), Some(last)) = (times.iter().min(), times.iter().max()) else { return Ok(there) };
    // Sent together, but each as its own message, because Citus forwards the whole message that contains a setting.
    let settings = statements(IDS_BY_INDEX).into_iter().map(|setting| client.batch_execute(setting));
    try_join_all(settings).await?;
    let params: [(&(dyn ToSql + Sync), Type); 4] = [
        (&apps, Type::INT4_ARRAY),
        (&times, Type::TIMESTAMPTZ_ARRAY),
        (first, Type::TIMESTAMPTZ),
        (last, Type::TIMESTAMPTZ),
    ];
    // Every line has one row of the batch, so any other of this line is another's.
    let mut own = HashSet::default();
    // One after another: a second of a log may have more rows than fit into memory.
    let mut rows = std::pin::pin!(client.query_typed_raw(IDS_THERE, params).await?);
    while let Some(row) = rows.try_next().await? {
        let (file_id, offset) = (row.get(3), u64::try_from(row.get::<_, i64>(4)).unwrap_or_default());
        if are_copied && batch.advances_over(file_id, offset) && own.insert((file_id, offset)) {
            continue;
        }
        let key = EventKey {
            app_id: row.get(0),
            occurred_at: micros(row.get::<_, SystemTime>(1)),
            event_id: row.get::<_, Uuid>(2).as_u128(),
        };
        there.meet(key, file_id, offset);
    }
    Ok(there)
}
