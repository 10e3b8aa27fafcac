//! Finds rows of a batch that exist already, by their ids, if no checkpoint proves that they are new.
//!
//! The result stays valid until the end of the transaction, because of the locks on the batch's hours.

use std::time::SystemTime;

use alt_line::batch::{Batch, EventKey};
use alt_line::hit::Micros;
use alt_process::clock::{micros, system_time};
use foldhash::{HashSet, HashSetExt};
use futures_util::future::try_join_all;
use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

use super::Failure;
use crate::statements::statements;

const IDS_BY_INDEX: &str = include_str!("../../../../sql/ids_by_index.sql");
const IDS_THERE: &str = include_str!("../../../../sql/ids_there.sql");

/// Whether anything was loaded by ids in the period of the batch. A replay of a copy may be ahead of the log from which
/// the copy was made. Then the checkpoint is not sufficient proof.
pub(super) async fn may_be_there(client: &Client, batch: &Batch) -> Result<bool, Failure> {
    let Some((first, last)) = batch.times().filter(|_| batch.trusts_checkpoints()) else { return Ok(false) };
    let sql = "SELECT EXISTS (SELECT 1 FROM loaded_by_ids WHERE first_at <= $2 AND last_at >= $1)";
    let params: [(&(dyn ToSql + Sync), Type); 2] =
        [(&system_time(first), Type::TIMESTAMPTZ), (&system_time(last), Type::TIMESTAMPTZ)];
    Ok(client.query_typed_one(sql, &params).await?.get(0))
}

/// The periods, within the times of the rows whose ids are checked, in which something is loaded already: disjoint,
/// ascending.
pub(super) async fn loaded_times(client: &Client, batch: &Batch) -> Result<Vec<(Micros, Micros)>, Failure> {
    let mut loaded: Vec<(Micros, Micros)> = Vec::new();
    let times = || batch.asked_for().map(|row| row.key.occurred_at);
    let (Some(first), Some(last)) = (times().min(), times().max()) else { return Ok(loaded) };
    let sql = "SELECT first_at, last_at FROM checkpoints WHERE first_at <= $2 AND last_at >= $1 \
               UNION ALL \
               SELECT first_at, last_at FROM loaded_by_ids WHERE first_at <= $2 AND last_at >= $1 \
               ORDER BY first_at";
    let params: [(&(dyn ToSql + Sync), Type); 2] =
        [(&system_time(first), Type::TIMESTAMPTZ), (&system_time(last), Type::TIMESTAMPTZ)];
    for row in client.query_typed(sql, &params).await? {
        let (from, to) = (micros(row.get::<_, SystemTime>(0)), micros(row.get::<_, SystemTime>(1)));
        match loaded.last_mut() {
            Some(before) if from <= before.1 => before.1 = before.1.max(to),
            _ => loaded.push((from, to)),
        }
    }
    Ok(loaded)
}

/// The rows of the batch whose ids are checked and that exist already. Only times within the loaded periods are looked
/// up: nothing is read from an empty period.
pub(super) async fn ids_there(
    client: &Client,
    batch: &Batch,
    loaded: &[(Micros, Micros)],
) -> Result<HashSet<EventKey>, Failure> {
    let mut there = HashSet::new();
    let mut wanted: Vec<(i32, Micros)> = Vec::new();
    for key in batch.asked_for().map(|row| row.key) {
        let at = loaded.partition_point(|range| range.1 < key.occurred_at);
        if loaded.get(at).is_some_and(|range| range.0 <= key.occurred_at) {
            wanted.push((key.app_id, key.occurred_at));
        }
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
    for row in client.query_typed(IDS_THERE, &params).await? {
        there.insert(EventKey {
            app_id: row.get(0),
            occurred_at: micros(row.get::<_, SystemTime>(1)),
            event_id: row.get::<_, Uuid>(2).as_u128(),
        });
    }
    Ok(there)
}
