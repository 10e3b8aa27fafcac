//! Days whose rows are deleted for their age. Before the partition of a month is dropped, each local day that touches it is
//! computed, and then frozen: its statistics stay as they are, whatever comes for it later.

use std::fmt;
use std::time::{Duration, SystemTime};

use alt_line::hit::Micros;
use alt_process::clock::system_time;
use alt_process::fault::{self, Step};
use anyhow::{Context, bail};
use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};

use super::NAME;
use crate::ledger;
use crate::partitions::{self, Month};

/// The days whose statistics are deleted in one transaction.
pub const EXPIRED_AT_ONCE: i64 = 500;

/// Longer than any local day.
const DAY_MAX: Duration = Duration::from_secs(48 * 3600);

/// A month cannot be dropped, because statistics of its days are not computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unfolded {
    month: Month,
    /// Days that are known not to be computed.
    days: i64,
}

impl fmt::Display for Unfolded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let month = partitions::label(self.month);
        match self.days {
            0 => write!(f, "the rows of {month} stay until their statistics are computed"),
            n => write!(f, "the rows of {month} stay until the statistics of {n} days are computed"),
        }
    }
}

impl std::error::Error for Unfolded {}

fn times(month: Month) -> (SystemTime, SystemTime) {
    (system_time(partitions::begin(month)), system_time(partitions::begin(month.saturating_add(1))))
}

/// Freezes the days that touch a month, before it is dropped, if all of them are computed. Runs within a transaction, which
/// the caller rolls back after an error.
///
/// # Errors
/// [`Unfolded`], or the database does not do it.
pub async fn freeze_computed(client: &Client, month: Month) -> anyhow::Result<()> {
    // Nobody takes changes meanwhile: days that are marked once they are frozen are not computed again.
    ledger::hold(client, NAME).await?;
    check(client, month).await?;
    fault::at(Step::FoldFreezes);
    freeze(client, month).await?;
    // Rows may have come between the two. Those that come from now on are counted beside the frozen days.
    check(client, month).await
}

/// Fails if a day that touches a month is not computed.
async fn check(client: &Client, month: Month) -> anyhow::Result<()> {
    let (from, until) = times(month);
    // A day that lies in part in the month is frozen as a whole, with what the months before and after have of it.
    let missing = Missing::of(client, from - DAY_MAX, until + DAY_MAX, None).await?;
    if missing.days > 0 || missing.has_rows {
        bail!(Unfolded { month, days: missing.days });
    }
    Ok(())
}

/// What of a time is not computed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Missing {
    /// Days that are not computed, or whose segments are older than their statistics.
    days: i64,
    /// Rows may be of no day yet.
    has_rows: bool,
    /// Statistics of a day may be other than those that are stored.
    pub(crate) has_statistics: bool,
}

impl Missing {
    /// Reads it, of an application or of all.
    pub(crate) async fn of(
        client: &Client,
        from: SystemTime,
        until: SystemTime,
        app_id: Option<i32>,
    ) -> anyhow::Result<Missing> {
        let parameters: [(&(dyn ToSql + Sync), Type); 4] = [
            (&NAME, Type::TEXT),
            (&from, Type::TIMESTAMPTZ),
            (&until, Type::TIMESTAMPTZ),
            (&app_id, Type::INT4),
        ];
        let sql = include_str!("../../../../sql/unfolded_days.sql");
        let row = client.query_typed_one(sql, &parameters).await;
        let row = row.context("look which days are not computed")?;
        let (has_backlog, is_behind, has_days): (bool, bool, bool) = (row.get(1), row.get(2), row.get(3));
        let has_rows = has_backlog || is_behind;
        Ok(Missing { days: row.get(0), has_rows, has_statistics: has_rows || has_days })
    }
}

/// Freezes the days that touch a month, before it is dropped, whether they are computed or not. Runs within a transaction.
///
/// # Errors
/// The database does not do it.
pub async fn freeze(client: &Client, month: Month) -> anyhow::Result<()> {
    let (from, until) = times(month);
    let parameters: [(&(dyn ToSql + Sync), Type); 2] =
        [(&from, Type::TIMESTAMPTZ), (&until, Type::TIMESTAMPTZ)];
    let sql = include_str!("../../../../sql/freeze_days.sql");
    client.execute_typed(sql, &parameters).await.context("freeze the days of a month")?;
    Ok(())
}

/// Deletes the statistics of at most [`EXPIRED_AT_ONCE`] days that were over before a time, and records it as done by a
/// host. Returns how many days. Runs within a transaction.
///
/// # Errors
/// The database does not do it.
pub async fn expire(client: &Client, before: Micros, host: &str) -> anyhow::Result<i64> {
    let before = system_time(before);
    let parameters: [(&(dyn ToSql + Sync), Type); 3] =
        [(&before, Type::TIMESTAMPTZ), (&EXPIRED_AT_ONCE, Type::INT8), (&host, Type::TEXT)];
    let sql = include_str!("../../../../sql/expire_days.sql");
    Ok(client.query_typed_one(sql, &parameters).await.context("delete old statistics")?.get(0))
}
