//! The ledger of what changed in `access_logs`: a row of `batches` for each change, entered in the transaction that
//! changes the rows.
//!
//! Whatever is derived from rows follows the ledger, and nothing else is added to the transaction of a batch. A
//! *follower* reads the ledger in one of two ways:
//!
//! - As a set ([`take`]), for what is computed again from the rows that are there. The follower keeps a snapshot of
//!   PostgreSQL, and takes the entries that were committed since that snapshot. No open transaction holds it up, and it
//!   takes each entry once.
//! - In order ([`after`]), for what is passed on. An entry is read when every transaction with a smaller number has
//!   ended. So no entry comes before one that was read, and any open transaction that has written something holds up
//!   the entries behind it.
//!
//! [`prune`] deletes what every follower has read. A follower that has not moved for seven days is no longer waited for:
//! it is told so ([`Changes::Missed`]), and starts again with all rows.
//!
//! On Citus, an entry may be visible shortly before its rows are: the coordinator commits first. Compare the number of
//! [`rows`] with [`Entry::rows`].

use std::time::SystemTime;

use alt_line::batch::{Added, Batch, MICROS_PER_HOUR, hour};
use alt_line::hit::Micros;
use alt_process::clock::{micros, system_time};
use anyhow::Context;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};

/// The number of entries deleted in one statement.
pub const PRUNE_SLICE: i64 = 10_000;

/// An application (its key in `applications`) and a UTC hour since 1970.
pub type AppHour = (i32, i32);

/// What an entry records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Rows were added.
    Rows,
    /// Rows were taken out.
    Removed,
    /// A partition was dropped for its age. What is derived from its rows stays.
    Expired,
}

/// The position of an entry in the order of the ledger.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The number of its transaction (`xid8`).
    pub xid: i64,
    /// Its number among those of the transaction, from 1.
    pub part: i32,
}

/// An entry: one file of a transaction that adds rows, or one application of a transaction that takes rows out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it is.
    pub position: Position,
    /// What it records.
    pub kind: Kind,
    /// The file of the rows: its key in `log_files`. `None`: any file.
    pub file_id: Option<i32>,
    /// The bytes of the file in which the lines lie; of [`Kind::Rows`].
    pub bytes: Option<(i64, i64)>,
    /// The offsets of the lines; `None`: all rows that lie in `bytes`.
    pub offsets: Option<Vec<i64>>,
    /// The first and the last time of the events.
    pub times: (Micros, Micros),
    /// The number of rows, if counted.
    pub rows: Option<i64>,
    /// The applications and UTC hours (since 1970) with such rows.
    pub hours: Vec<AppHour>,
}

/// Rows of an application and an hour that were added or taken out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Touched {
    /// The application and the UTC hour.
    pub hour: AppHour,
    /// No such row is before this time, …
    pub from: Micros,
    /// … and none is after this time. Both are within the hour.
    pub to: Micros,
}

/// What a follower takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changes<T = AppHour> {
    /// The applications and UTC hours (since 1970) in which rows were added or taken out, ascending.
    Hours(Vec<T>),
    /// Entries were pruned before the follower read them, or the database was restored on another server. The follower
    /// must compute everything again. It takes the changes from now on.
    Missed,
}

/// Enters what a batch adds. `added` is what [`Batch::added`] returns.
pub(crate) async fn enter(
    client: &Client,
    batch: &Batch,
    added: &[Added],
) -> Result<(), tokio_postgres::Error> {
    let narrow = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let mut pairs_of: Vec<Vec<AppHour>> = vec![Vec::new(); added.len()];
    for row in &batch.rows {
        let pairs = &mut pairs_of[row.section as usize];
        let at = (row.key.app_id, hour(row.key.occurred_at));
        if pairs.last() != Some(&at) {
            pairs.push(at);
        }
    }
    let (mut files, mut froms, mut tos, mut offsets) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut firsts, mut lasts, mut counts) = (Vec::new(), Vec::new(), Vec::new());
    let (mut apps, mut hours) = (Vec::new(), Vec::new());
    for (n, (section, Added { rows, times })) in batch.sections.iter().zip(added).enumerate() {
        let Some((first, last)) = times else { continue };
        let pairs = &mut pairs_of[n];
        pairs.sort_unstable();
        pairs.dedup();
        files.push(section.file.id());
        // Otherwise, earlier rows of the same bytes would be taken for rows of this batch. Beside the checkpoint, the
        // bytes of the section say nothing of its rows.
        if section.reread.is_some() || section.already_loaded > 0 {
            let rows = || batch.rows.iter().filter(|row| row.section as usize == n);
            froms.push(rows().map(|row| row.offset).min().map_or(0, narrow));
            tos.push(rows().map(|row| row.offset + u64::from(row.span)).max().map_or(0, narrow));
            offsets.push(Some(array(rows().map(|row| row.offset))));
        } else {
            froms.push(narrow(section.from.offset));
            tos.push(narrow(section.to.offset));
            offsets.push(None);
        }
        firsts.push(system_time(*first));
        lasts.push(system_time(*last));
        counts.push(narrow(*rows));
        apps.push(array(pairs.iter().map(|pair| pair.0)));
        let only_one = pairs.iter().all(|pair| pair.1 == pairs[0].1);
        hours.push(array(pairs.iter().map(|pair| pair.1).take(if only_one { 1 } else { usize::MAX })));
    }
    if files.is_empty() {
        return Ok(());
    }
    client
        .execute_typed(
            include_str!("../../../sql/enter_batch.sql"),
            &[
                (&files, Type::INT4_ARRAY),
                (&froms, Type::INT8_ARRAY),
                (&tos, Type::INT8_ARRAY),
                (&offsets, Type::TEXT_ARRAY),
                (&firsts, Type::TIMESTAMPTZ_ARRAY),
                (&lasts, Type::TIMESTAMPTZ_ARRAY),
                (&counts, Type::INT8_ARRAY),
                (&apps, Type::TEXT_ARRAY),
                (&hours, Type::TEXT_ARRAY),
            ],
        )
        .await?;
    Ok(())
}

/// PostgreSQL's text of an array of numbers.
fn array<T: ToString>(numbers: impl IntoIterator<Item = T>) -> String {
    let numbers: Vec<String> = numbers.into_iter().map(|n| n.to_string()).collect();
    format!("{{{}}}", numbers.join(","))
}

/// Registers a follower that reads the ledger as a set, if it is not registered. Returns whether it is new. A new
/// follower takes the changes from now on: it must read the rows that are there after this returns.
///
/// # Errors
/// The database does not do it.
pub async fn follow(client: &Client, name: &str) -> anyhow::Result<bool> {
    register(client, name, include_str!("../../../sql/follow.sql")).await
}

/// Registers a follower that reads the ledger in order, if it is not registered. Returns whether it is new. A new
/// follower reads what is committed from now on, and what was committed shortly before.
///
/// # Errors
/// The database does not do it.
pub async fn follow_in_order(client: &Client, name: &str) -> anyhow::Result<bool> {
    register(client, name, include_str!("../../../sql/follow_in_order.sql")).await
}

async fn register(client: &Client, name: &str, sql: &str) -> anyhow::Result<bool> {
    let cluster = cluster(client).await?;
    let parameters: [(&(dyn ToSql + Sync), Type); 2] = [(&name, Type::TEXT), (&cluster, Type::INT8)];
    let made = client.execute_typed(sql, &parameters).await;
    Ok(made.with_context(|| format!("register the follower {name} of the ledger"))? > 0)
}

/// Ends a follower: the ledger does not wait for it any longer.
///
/// # Errors
/// The database does not do it.
pub async fn unfollow(client: &Client, name: &str) -> anyhow::Result<()> {
    let sql = "DELETE FROM followers WHERE name = $1";
    let done = client.execute_typed(sql, &[(&name, Type::TEXT)]).await;
    done.with_context(|| format!("end the follower {name} of the ledger"))?;
    Ok(())
}

/// Whether a follower that reads the ledger as a set may have something to take, or is not registered.
///
/// # Errors
/// The database cannot be asked.
pub async fn is_behind(client: &Client, name: &str) -> anyhow::Result<bool> {
    let sql = include_str!("../../../sql/is_behind.sql");
    let row = client.query_typed_one(sql, &[(&name, Type::TEXT)]).await;
    Ok(row.context("look whether anything changed")?.get(0))
}

/// Takes the changes that a registered follower has not seen. Runs within a transaction at READ COMMITTED, in which the
/// caller stores what it took. If that transaction is rolled back, nothing is taken.
///
/// # Errors
/// The follower is not registered, or the database does not do it.
pub async fn take(client: &Client, name: &str) -> anyhow::Result<Changes> {
    Ok(match take_times(client, name).await? {
        Changes::Hours(touched) => Changes::Hours(touched.into_iter().map(|one| one.hour).collect()),
        Changes::Missed => Changes::Missed,
    })
}

/// As [`take`], with the times within the hours.
///
/// # Errors
/// As [`take`].
pub async fn take_times(client: &Client, name: &str) -> anyhow::Result<Changes<Touched>> {
    if is_lost(client, name).await? {
        return Ok(Changes::Missed);
    }
    let taken = client
        .query_typed(include_str!("../../../sql/take_changes.sql"), &[(&name, Type::TEXT)])
        .await
        .with_context(|| format!("take what changed for {name}"))?;
    Ok(Changes::Hours(taken.iter().map(|row| touched(row, 0)).collect()))
}

/// What was touched, in four columns: the application, the hour, the first and the last time.
pub(crate) fn touched(row: &Row, first: usize) -> Touched {
    let (app, hour): (i32, i32) = (row.get(first), row.get(first + 1));
    let begins = i64::from(hour) * MICROS_PER_HOUR;
    let within = |at: SystemTime| micros(at).clamp(begins, begins + MICROS_PER_HOUR - 1);
    Touched { hour: (app, hour), from: within(row.get(first + 2)), to: within(row.get(first + 3)) }
}

/// How far a registered follower has read in order. `None`: it missed entries, for the reasons of [`Changes::Missed`],
/// and begins again with what is committed from now on. Runs within a transaction.
///
/// # Errors
/// The follower is not registered, or the database does not do it.
pub async fn position(client: &Client, name: &str) -> anyhow::Result<Option<Position>> {
    if is_lost(client, name).await? {
        return Ok(None);
    }
    let sql = "SELECT position_xid::text::bigint, position_part FROM followers WHERE name = $1";
    let row = client.query_typed_one(sql, &[(&name, Type::TEXT)]).await;
    let row = row.with_context(|| format!("read the position of the follower {name}"))?;
    Ok(Some(Position { xid: row.get(0), part: row.get(1) }))
}

/// Records how far a follower has read in order. Runs in the transaction that stores what the follower made of it.
///
/// # Errors
/// The database does not do it.
pub async fn advance(client: &Client, name: &str, to: Position) -> anyhow::Result<()> {
    let sql = "UPDATE followers SET position_xid = $2::text::xid8, position_part = $3, moved_at = now() WHERE name = $1";
    let xid = to.xid.to_string();
    let parameters: [(&(dyn ToSql + Sync), Type); 3] =
        [(&name, Type::TEXT), (&xid, Type::TEXT), (&to.part, Type::INT4)];
    let moved = client.execute_typed(sql, &parameters).await;
    moved.with_context(|| format!("advance the follower {name} of the ledger"))?;
    Ok(())
}

/// Lets nobody take changes as this follower until the transaction ends.
///
/// # Errors
/// The database cannot be asked.
pub async fn hold(client: &Client, name: &str) -> anyhow::Result<()> {
    let sql = "SELECT FROM followers WHERE name = $1 FOR UPDATE";
    let held = client.query_typed(sql, &[(&name, Type::TEXT)]).await;
    held.with_context(|| format!("hold the follower {name} of the ledger"))?;
    Ok(())
}

/// Locks a follower until the transaction ends, so that two processes do not take the same entries. Returns whether it
/// missed any; if so, it begins again now.
async fn is_lost(client: &Client, name: &str) -> anyhow::Result<bool> {
    let cluster = cluster(client).await?;
    let parameters: [(&(dyn ToSql + Sync), Type); 2] = [(&name, Type::TEXT), (&cluster, Type::INT8)];
    let asked = client.query_typed_one(include_str!("../../../sql/lock_follower.sql"), &parameters).await;
    let lost: bool = asked.with_context(|| format!("lock the follower {name} of the ledger"))?.get(0);
    if lost {
        let begun = client.execute_typed(include_str!("../../../sql/begin_again.sql"), &parameters).await;
        begun.with_context(|| format!("let the follower {name} of the ledger begin again"))?;
    }
    Ok(lost)
}

/// At most `most` entries behind a position, in order.
///
/// # Errors
/// The database cannot be asked.
pub async fn after(client: &Client, position: Position, most: i64) -> anyhow::Result<Vec<Entry>> {
    // The parameter is a text: the driver does not know the type xid8.
    let xid = position.xid.to_string();
    let parameters: [(&(dyn ToSql + Sync), Type); 3] =
        [(&xid, Type::TEXT), (&position.part, Type::INT4), (&most, Type::INT8)];
    let sql = include_str!("../../../sql/batches_in_order.sql");
    let rows = client.query_typed(sql, &parameters).await.context("read the ledger in order")?;
    Ok(rows.iter().map(entry).collect())
}

fn entry(row: &Row) -> Entry {
    let time = |i: usize| micros(row.get::<_, SystemTime>(i));
    let (apps, hours): (Vec<i32>, Vec<i32>) = (row.get(10), row.get(11));
    Entry {
        position: Position { xid: row.get(0), part: row.get(1) },
        kind: match row.get(2) {
            "rows" => Kind::Rows,
            "removed" => Kind::Removed,
            _ => Kind::Expired,
        },
        file_id: row.get(3),
        bytes: row.get::<_, Option<i64>>(4).zip(row.get(5)),
        offsets: row.get(6),
        times: (time(7), time(8)),
        rows: row.get(9),
        hours: apps
            .into_iter()
            .enumerate()
            .filter_map(|(i, app)| Some((app, *hours.get(i).or(hours.first())?)))
            .collect(),
    }
}

/// The rows of an entry of [`Kind::Rows`] that are there now, with these columns of `access_logs`, in no order. A row
/// whose line lies in the same bytes and was a reject when the entry was made may be among them.
///
/// # Errors
/// The database cannot be asked.
pub async fn rows(client: &Client, entry: &Entry, columns: &str) -> anyhow::Result<Vec<Row>> {
    let (Some(file_id), Some((from, to))) = (entry.file_id, entry.bytes) else { return Ok(Vec::new()) };
    let mut apps: Vec<i32> = entry.hours.iter().map(|pair| pair.0).collect();
    apps.dedup();
    let parameters: [(&(dyn ToSql + Sync), Type); 7] = [
        (&file_id, Type::INT4),
        (&from, Type::INT8),
        (&to, Type::INT8),
        (&entry.offsets, Type::INT8_ARRAY),
        (&apps, Type::INT4_ARRAY),
        (&system_time(entry.times.0), Type::TIMESTAMPTZ),
        (&system_time(entry.times.1), Type::TIMESTAMPTZ),
    ];
    let sql = format!("SELECT {columns}\n{}", include_str!("../../../sql/changed_rows.sql"));
    client.query_typed(&sql, &parameters).await.context("read the rows of a batch")
}

/// Deletes at most [`PRUNE_SLICE`] entries that every follower has read. Returns how many. Runs within a transaction.
///
/// # Errors
/// The database does not do it.
pub async fn prune(client: &Client) -> anyhow::Result<i64> {
    let context = "prune the ledger of batches";
    client.execute_typed(include_str!("../../../sql/mark_missed.sql"), &[]).await.context(context)?;
    let sql = include_str!("../../../sql/prune_batches.sql");
    Ok(client.query_typed_one(sql, &[(&PRUNE_SLICE, Type::INT8)]).await.context(context)?.get(0))
}

/// The system identifier of the server, which says of which server the numbers of transactions are. `None` if this role
/// may not read it.
pub(crate) async fn cluster(client: &Client) -> anyhow::Result<Option<i64>> {
    // Asked first: an error would end the caller's transaction.
    let may_ask = "SELECT has_function_privilege('pg_control_system()', 'EXECUTE')";
    let context = "read the system identifier of the server";
    if !client.query_typed_one(may_ask, &[]).await.context(context)?.get::<_, bool>(0) {
        return Ok(None);
    }
    let row = client.query_typed_one("SELECT system_identifier FROM pg_control_system()", &[]).await;
    Ok(Some(row.context(context)?.get(0)))
}
