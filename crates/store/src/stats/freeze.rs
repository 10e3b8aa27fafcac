//! Days whose rows are deleted for their age. Before the partition of a month is dropped, each local day that touches it is
//! computed, and then frozen: its statistics stay as they are, whatever comes for it later.

use std::fmt;
use std::time::SystemTime;

use alt_line::hit::Micros;
use alt_process::clock::system_time;
use anyhow::{Context, bail};
use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};

use super::NAME;
use crate::partitions::{self, Month};

/// The days whose statistics are deleted in one transaction.
pub const EXPIRED_AT_ONCE: i64 = 500;

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

/// Fails if a day that touches a month is not computed. Runs in the transaction that freezes the days.
///
/// # Errors
/// [`Unfolded`], or the database cannot be asked.
pub async fn check(client: &Client, month: Month) -> anyhow::Result<()> {
    let (from, until) = times(month);
    let parameters: [(&(dyn ToSql + Sync), Type); 3] =
        [(&NAME, Type::TEXT), (&from, Type::TIMESTAMPTZ), (&until, Type::TIMESTAMPTZ)];
    let sql = include_str!("../../../../sql/unfolded_days.sql");
    let row = client.query_typed_one(sql, &parameters).await.context("look which days are not computed")?;
    let (days, has_backlog, is_behind): (i64, bool, bool) = (row.get(0), row.get(1), row.get(2));
    if days > 0 || has_backlog || is_behind {
        bail!(Unfolded { month, days });
    }
    Ok(())
}

/// Freezes the days that touch a month, before it is dropped. Runs within a transaction.
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
