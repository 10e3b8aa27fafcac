//! Follows the ledger: the times of what changed are marked, by application.

use std::collections::BTreeMap;
use std::time::SystemTime;

use alt_alerts::time::Micros;
use alt_process::clock::{micros, system_time};
use anyhow::Context;
use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};

use super::{INSTALLATION, NAME};
use crate::ledger::{self, Changes};

/// The most times that one statement marks.
const MARKED_AT_ONCE: usize = 5000;

/// A time of an application (its key in `applications`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AppTime {
    /// The application.
    pub app_id: i32,
    /// The beginning.
    pub from: Micros,
    /// The first microsecond after it.
    pub until: Micros,
}

impl AppTime {
    fn of(one: &ledger::Touched) -> AppTime {
        AppTime { app_id: one.hour.0, from: one.from, until: one.to + 1 }
    }
}

/// A mark: a time whose rows, rules or acts have changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Its number; `None`: it is in memory alone.
    pub id: Option<i64>,
    /// The beginning of the time.
    pub from: Micros,
    /// The first microsecond after it.
    pub until: Micros,
}

/// Takes what changed and marks its times. The first time, or after something was missed, all times from `first` on are
/// marked: the first of which there are rules. Runs within a transaction.
///
/// # Errors
/// The database does not do it.
pub async fn take(client: &Client, first: Option<Micros>, now: Micros) -> anyhow::Result<()> {
    let is_new = ledger::follow(client, NAME).await?;
    let changes = if is_new { Changes::Missed } else { ledger::take_times(client, NAME).await? };
    match changes {
        Changes::Hours(touched) => mark(client, &touched.iter().map(AppTime::of).collect::<Vec<_>>()).await,
        Changes::Missed => match first {
            Some(from) => {
                tracing::info!("alerts: all times of which there are rules are judged");
                // Samples are not in the ledger: of them, nothing was missed.
                mark_all(client, from, now, false).await
            }
            None => Ok(()),
        },
    }
}

/// Marks times.
pub(super) async fn mark(client: &Client, times: &[AppTime]) -> anyhow::Result<()> {
    for some in times.chunks(MARKED_AT_ONCE) {
        let apps: Vec<i32> = some.iter().map(|time| time.app_id).collect();
        let from: Vec<SystemTime> = some.iter().map(|time| system_time(time.from)).collect();
        let until: Vec<SystemTime> = some.iter().map(|time| system_time(time.until)).collect();
        let parameters: [(&(dyn ToSql + Sync), Type); 3] =
            [(&apps, Type::INT4_ARRAY), (&from, Type::TIMESTAMPTZ_ARRAY), (&until, Type::TIMESTAMPTZ_ARRAY)];
        let sql = "INSERT INTO alert_dirty (app_id, from_at, until_at) \
                   SELECT * FROM unnest($1::integer[], $2::timestamptz[], $3::timestamptz[])";
        client.execute_typed(sql, &parameters).await.context("mark the times that changed")?;
    }
    Ok(())
}

/// Marks a time of every application, and of the installation if that is asked for.
pub(super) async fn mark_all(
    client: &Client,
    from: Micros,
    until: Micros,
    with_installation: bool,
) -> anyhow::Result<()> {
    let parameters: [(&(dyn ToSql + Sync), Type); 4] = [
        (&system_time(from), Type::TIMESTAMPTZ),
        (&system_time(until.max(from)), Type::TIMESTAMPTZ),
        (&INSTALLATION, Type::INT4),
        (&with_installation, Type::BOOL),
    ];
    let sql = "INSERT INTO alert_dirty (app_id, from_at, until_at) SELECT id, $1, $2 FROM applications \
               UNION ALL SELECT $3, $1, $2 WHERE $4";
    client.execute_typed(sql, &parameters).await.context("mark a time of all applications")?;
    Ok(())
}

/// All marks, by application, ascending by their beginnings.
///
/// # Errors
/// The database cannot be asked.
pub async fn marks(client: &Client) -> anyhow::Result<BTreeMap<i32, Vec<Mark>>> {
    let sql = "SELECT app_id, id, from_at, until_at FROM alert_dirty ORDER BY app_id, from_at, id";
    let rows = client.query_typed(sql, &[]).await.context("read what is to be judged")?;
    let mut all: BTreeMap<i32, Vec<Mark>> = BTreeMap::new();
    for row in &rows {
        let time = |n: usize| micros(row.get::<_, SystemTime>(n));
        all.entry(row.get(0)).or_default().push(Mark { id: Some(row.get(1)), from: time(2), until: time(3) });
    }
    Ok(all)
}

/// What changed, and when it was looked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peeked {
    /// All that this snapshot sees is among what changed, or was before.
    pub seen: String,
    /// The times.
    pub times: Vec<AppTime>,
}

/// Looks what changed since a snapshot, or since the follower last noted what it has seen; nothing is stored. `None`: it
/// has to be taken ([`take`]), because the follower is new, has missed something, or much has changed.
///
/// # Errors
/// The database cannot be asked.
pub async fn peek(client: &Client, since: Option<&str>) -> anyhow::Result<Option<Peeked>> {
    let cluster = ledger::cluster(client).await?;
    let parameters: [(&(dyn ToSql + Sync), Type); 3] =
        [(&NAME, Type::TEXT), (&since, Type::TEXT), (&cluster, Type::INT8)];
    let sql = include_str!("../../../../sql/peek_changes.sql");
    let rows = client.query_typed(sql, &parameters).await.context("look what changed")?;
    let Some(first) = rows.first().filter(|_| rows.len() <= MARKED_AT_ONCE) else { return Ok(None) };
    if first.get::<_, bool>(1) {
        return Ok(None);
    }
    let changed = rows.iter().filter(|row| row.get::<_, Option<i32>>(2).is_some());
    let times = changed.map(|row| AppTime::of(&ledger::touched(row, 2))).collect();
    Ok(Some(Peeked { seen: first.get(0), times }))
}

/// Notes that the follower has seen what a snapshot sees. Runs within a transaction.
///
/// # Errors
/// The database does not do it.
pub async fn note_seen(client: &Client, seen: &str) -> anyhow::Result<()> {
    let sql = "UPDATE followers SET seen = $2::text::pg_snapshot, moved_at = now() WHERE name = $1";
    let parameters: [(&(dyn ToSql + Sync), Type); 2] = [(&NAME, Type::TEXT), (&seen, Type::TEXT)];
    client.execute_typed(sql, &parameters).await.context("note what was seen of the ledger")?;
    Ok(())
}

/// Deletes marks of an application. Runs within a transaction.
///
/// # Errors
/// The database does not do it.
pub async fn unmark(client: &Client, app_id: i32, ids: &[i64]) -> anyhow::Result<()> {
    let parameters: [(&(dyn ToSql + Sync), Type); 2] = [(&app_id, Type::INT4), (&ids, Type::INT8_ARRAY)];
    let sql = "DELETE FROM alert_dirty WHERE app_id = $1 AND id = ANY ($2)";
    client.execute_typed(sql, &parameters).await.context("delete the marks of an application")?;
    Ok(())
}

/// Notes which source brought rows of which application lately.
///
/// # Errors
/// The database does not do it.
pub async fn note_feeds(client: &Client) -> anyhow::Result<()> {
    let sql = include_str!("../../../../sql/note_feeds.sql");
    client.execute_typed(sql, &[]).await.context("note which source feeds which application")?;
    Ok(())
}

/// Ends the follower where alerts are off, if it has not moved for a day: no host has them on. Runs within a
/// transaction.
///
/// # Errors
/// The database does not do it.
pub async fn end(client: &Client) -> anyhow::Result<()> {
    let sql = "DELETE FROM followers WHERE name = $1 AND moved_at < now() - interval '1 day'";
    client.execute_typed(sql, &[(&NAME, Type::TEXT)]).await.context("end the follower of the ledger")?;
    Ok(())
}
