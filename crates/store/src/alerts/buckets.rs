//! Counts of slots as they are stored: 48 hours by five seconds, 90 days by a minute, then by an hour. They can be made
//! of rows again as long as these are there, and are replaced whenever rows change.
//!
//! Slots of five seconds are stored once their minute is over and judged, in one row for all that the minute has: a row
//! for each slot would be most of what alerts write.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::SystemTime;

use alt_alerts::bucket::{Bucket, Series};
use alt_alerts::lens::{Labels, Lens};
use alt_alerts::packed;
use alt_alerts::time::{Micros, SECOND, SLOT};
use alt_process::clock::{micros, system_time};
use anyhow::Context;
use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};

use super::rows::{COUNTS_MAX, Counted, Slots, check_counts};

/// What is older is stored by the minute.
pub const FINE: Micros = 48 * 3600 * SECOND;

/// What is older is stored by the hour.
const MINUTES: Micros = 90 * 86_400 * SECOND;

/// The slots of so much time are stored in one row.
pub const MINUTE: Micros = 60 * SECOND;

/// The beginning of the minute in which a time lies.
pub fn minute_of(at: Micros) -> Micros {
    at.div_euclid(MINUTE) * MINUTE
}

/// The most rows of one statement.
const AT_ONCE: usize = 2000;

/// The keys of lenses.
pub type LensIds = BTreeMap<Lens, i32>;

/// The keys of lenses; those that are new get one. Runs within a transaction.
///
/// # Errors
/// The database does not do it.
pub async fn lens_ids(client: &Client, lenses: &BTreeSet<Lens>) -> anyhow::Result<LensIds> {
    let texts: Vec<String> = lenses.iter().map(ToString::to_string).collect();
    let known = known_lenses(client, lenses).await?;
    if known.len() == lenses.len() {
        return Ok(known);
    }
    let sql = "INSERT INTO alert_lenses (text) SELECT t FROM unnest($1::text[]) AS u (t) ORDER BY t \
               ON CONFLICT (text) DO NOTHING";
    client.execute_typed(sql, &[(&texts, Type::TEXT_ARRAY)]).await.context("note what rules look at")?;
    known_lenses(client, lenses).await
}

/// The keys of those lenses that have one.
///
/// # Errors
/// The database cannot be asked.
pub async fn known_lenses(client: &Client, lenses: &BTreeSet<Lens>) -> anyhow::Result<LensIds> {
    let texts: Vec<String> = lenses.iter().map(ToString::to_string).collect();
    let sql = "SELECT text, id FROM alert_lenses WHERE text = ANY ($1)";
    let rows = client.query_typed(sql, &[(&texts, Type::TEXT_ARRAY)]).await;
    let rows = rows.context("read what rules look at")?;
    let ids: BTreeMap<String, i32> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    Ok(lenses.iter().filter_map(|lens| Some((lens.clone(), *ids.get(&lens.to_string())?))).collect())
}

/// The counts by five seconds of an application between two times.
///
/// # Errors
/// The database cannot be asked, or there are too many.
pub async fn load(
    client: &Client,
    app_id: i32,
    times: &Range<Micros>,
    ids: &LensIds,
) -> anyhow::Result<Counted> {
    let keys: Vec<i32> = ids.values().copied().collect();
    let most = i64::try_from(COUNTS_MAX + 1)?;
    let parameters: [(&(dyn ToSql + Sync), Type); 5] = [
        (&app_id, Type::INT4),
        (&keys, Type::INT4_ARRAY),
        (&system_time(minute_of(times.start)), Type::TIMESTAMPTZ),
        (&system_time(times.end), Type::TIMESTAMPTZ),
        (&most, Type::INT8),
    ];
    let sql = "SELECT lens_id, labels, at, seconds, counts, packed FROM alert_buckets \
               WHERE app_id = $1 AND lens_id = ANY ($2) AND seconds = 5 AND at >= $3 AND at < $4 LIMIT $5";
    let rows = client.query_typed(sql, &parameters).await.context("read counts")?;
    let lens_of: BTreeMap<i32, &Lens> = ids.iter().map(|(lens, id)| (*id, lens)).collect();
    if rows.len() > COUNTS_MAX {
        let mut sizes: BTreeMap<&Lens, usize> = BTreeMap::new();
        let lenses = rows.iter().filter_map(|row| lens_of.get(&row.get::<_, i32>(0)));
        lenses.for_each(|lens| *sizes.entry(*lens).or_default() += 1);
        check_counts(sizes.into_iter())?;
    }
    let (mut slots, mut count): (BTreeMap<&Lens, Slots>, usize) = (BTreeMap::new(), 0);
    for row in &rows {
        let Some(lens) = lens_of.get(&row.get::<_, i32>(0)) else { continue };
        let within = stored_slots(row).into_iter().filter(|slot| times.contains(&slot.0));
        let known = slots.entry(*lens).or_default().entry(row.get(1)).or_default();
        let before = known.len();
        known.extend(within);
        count += known.len() - before;
        if count > COUNTS_MAX {
            let size = |by_labels: &Slots| by_labels.values().map(Vec::len).sum();
            check_counts(slots.iter().map(|(lens, by_labels)| (*lens, size(by_labels))))?;
        }
    }
    let series = |by_labels: Slots| {
        by_labels.into_iter().map(|(labels, slots)| (labels, Series::new(slots))).collect()
    };
    Ok(slots.into_iter().map(|(lens, by_labels)| (lens.clone(), series(by_labels))).collect())
}

/// The slots of a row: lens, labels, time, length, and what was counted.
fn stored_slots(row: &tokio_postgres::Row) -> Vec<(Micros, Bucket)> {
    let (at, seconds) = (micros(row.get::<_, SystemTime>(2)), i64::from(row.get::<_, i32>(3)));
    match row.get::<_, Option<&[u8]>>(5) {
        Some(bytes) => {
            let time = |place: u8| at + i64::from(place) * seconds * SECOND;
            packed::slots(bytes).into_iter().map(|(place, bucket)| (time(place), bucket)).collect()
        }
        None => vec![(at, Bucket::restored(&row.get::<_, Vec<i64>>(4)))],
    }
}

/// Replaces the counts of an application between two times, which are borders of minutes, by what was counted of its
/// rows. What is older than two days is stored by longer slots; the times are borders of these then. Runs within a
/// transaction.
///
/// # Errors
/// The database does not do it.
pub async fn replace(
    client: &Client,
    app_id: i32,
    times: &Range<Micros>,
    ids: &LensIds,
    counted: &Counted,
    length: Micros,
) -> anyhow::Result<()> {
    let keys: Vec<i32> = ids.values().copied().collect();
    let parameters: [(&(dyn ToSql + Sync), Type); 4] = [
        (&app_id, Type::INT4),
        (&keys, Type::INT4_ARRAY),
        (&system_time(times.start), Type::TIMESTAMPTZ),
        (&system_time(times.end), Type::TIMESTAMPTZ),
    ];
    let sql = "DELETE FROM alert_buckets WHERE app_id = $1 AND lens_id = ANY ($2) AND at >= $3 AND at < $4";
    client.execute_typed(sql, &parameters).await.context("delete counts")?;
    let mut all: Vec<Row<'_>> = Vec::new();
    for (lens, by_labels) in counted {
        let Some(id) = ids.get(lens) else { continue };
        for (labels, series) in by_labels {
            let within = series.slots().iter().filter(|slot| times.contains(&slot.0));
            let coarse = within.map(|(at, bucket)| (at.div_euclid(length) * length, bucket.clone()));
            let rows = rows_of(&Series::new(coarse.collect()), length);
            all.extend(rows.into_iter().map(|(at, packed)| Row { lens_id: *id, labels, at, packed }));
        }
    }
    for some in all.chunks(AT_ONCE) {
        insert(client, app_id, some, length).await?;
    }
    Ok(())
}

/// The rows of slots of a length: when each begins, and its bytes.
fn rows_of(series: &Series, length: Micros) -> Vec<(Micros, Vec<u8>)> {
    let mut rows: Vec<(Micros, Vec<u8>)> = Vec::new();
    for (at, bucket) in series.slots() {
        let begins = if length < MINUTE { minute_of(*at) } else { *at };
        if rows.last().is_none_or(|last| last.0 != begins) {
            rows.push((begins, Vec::new()));
        }
        if let Some((begins, bytes)) = rows.last_mut() {
            packed::push(bytes, u8::try_from((at - *begins) / length).unwrap_or(0), bucket);
        }
    }
    rows
}

/// Counts of a series in a minute, or in a longer slot.
struct Row<'a> {
    lens_id: i32,
    labels: &'a Labels,
    at: Micros,
    packed: Vec<u8>,
}

async fn insert(client: &Client, app_id: i32, some: &[Row<'_>], length: Micros) -> anyhow::Result<()> {
    let lens: Vec<i32> = some.iter().map(|one| one.lens_id).collect();
    let series: Vec<i64> = some.iter().map(|one| hash(one.labels)).collect();
    let labels: Vec<String> = some.iter().map(|one| serde_json::json!(one.labels).to_string()).collect();
    let at: Vec<SystemTime> = some.iter().map(|one| system_time(one.at)).collect();
    let packed: Vec<&[u8]> = some.iter().map(|one| one.packed.as_slice()).collect();
    let seconds = i32::try_from(length / SECOND)?;
    let parameters: [(&(dyn ToSql + Sync), Type); 7] = [
        (&app_id, Type::INT4),
        (&seconds, Type::INT4),
        (&lens, Type::INT4_ARRAY),
        (&series, Type::INT8_ARRAY),
        (&labels, Type::TEXT_ARRAY),
        (&at, Type::TIMESTAMPTZ_ARRAY),
        (&packed, Type::BYTEA_ARRAY),
    ];
    let sql = include_str!("../../../../sql/add_buckets.sql");
    client.execute_typed(sql, &parameters).await.context("store counts")?;
    Ok(())
}

/// Which key of an index stands for labels, which may be long.
pub(super) fn hash(labels: &impl serde::Serialize) -> i64 {
    let hash = blake3::hash(serde_json::json!(labels).to_string().as_bytes());
    hash.as_bytes().first_chunk::<8>().map_or(0, |bytes| i64::from_be_bytes(*bytes))
}

/// The borders at which what is stored of a time may be replaced.
pub fn border_at(from: Micros, now: Micros) -> Micros {
    length_at(from, now).max(MINUTE)
}

/// The length of the slots of a time, as it is stored now.
pub fn length_at(from: Micros, now: Micros) -> Micros {
    if from >= now - FINE {
        SLOT
    } else if from >= now - MINUTES {
        60 * SECOND
    } else {
        3600 * SECOND
    }
}

/// An hour of an application whose counts are finer than they need be any longer, and how long its slots become.
/// `None`: there is none.
///
/// # Errors
/// The database cannot be asked.
pub async fn too_fine(client: &Client, now: Micros) -> anyhow::Result<Option<(i32, Micros, Micros)>> {
    for (seconds, age, length) in [(5, FINE, 60 * SECOND), (60, MINUTES, 3600 * SECOND)] {
        // An hour more, so that no window that is judged live meets the border.
        let before = system_time((now - age - 3600 * SECOND).div_euclid(3600 * SECOND) * 3600 * SECOND);
        let parameters: [(&(dyn ToSql + Sync), Type); 2] =
            [(&seconds, Type::INT4), (&before, Type::TIMESTAMPTZ)];
        let sql = include_str!("../../../../sql/too_fine.sql");
        if let Some(row) = client.query_typed_opt(sql, &parameters).await.context("look for old counts")? {
            let at = micros(row.get::<_, SystemTime>(1));
            return Ok(Some((row.get(0), at.div_euclid(3600 * SECOND) * 3600 * SECOND, length)));
        }
    }
    Ok(None)
}

/// Adds the counts of an hour up to longer slots. Runs within a transaction.
///
/// # Errors
/// The database does not do it.
pub async fn roll_up(client: &Client, app_id: i32, from: Micros, length: Micros) -> anyhow::Result<()> {
    let until = from + 3600 * SECOND;
    let parameters: [(&(dyn ToSql + Sync), Type); 3] = [
        (&app_id, Type::INT4),
        (&system_time(from), Type::TIMESTAMPTZ),
        (&system_time(until), Type::TIMESTAMPTZ),
    ];
    let sql = "SELECT lens_id, labels, at, seconds, counts, packed FROM alert_buckets \
               WHERE app_id = $1 AND at >= $2 AND at < $3";
    let rows = client.query_typed(sql, &parameters).await.context("read counts of an hour")?;
    let mut sums: BTreeMap<(i32, Labels), Vec<(Micros, Bucket)>> = BTreeMap::new();
    for row in &rows {
        let coarse = |(at, bucket): (Micros, Bucket)| (at.div_euclid(length) * length, bucket);
        sums.entry((row.get(0), row.get(1))).or_default().extend(stored_slots(row).into_iter().map(coarse));
    }
    let sql = "DELETE FROM alert_buckets WHERE app_id = $1 AND at >= $2 AND at < $3";
    client.execute_typed(sql, &parameters).await.context("delete counts of an hour")?;
    let mut all: Vec<Row<'_>> = Vec::new();
    for ((lens_id, labels), slots) in &mut sums {
        let rows = rows_of(&Series::new(std::mem::take(slots)), length);
        all.extend(rows.into_iter().map(|(at, packed)| Row { lens_id: *lens_id, labels, at, packed }));
    }
    for some in all.chunks(AT_ONCE) {
        insert(client, app_id, some, length).await?;
    }
    Ok(())
}
