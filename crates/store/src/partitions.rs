//! Monthly partitions of `access_logs`, created when first needed.
//!
//! Each partition is created in its own transaction, by a function of the tables' owner (`sql/0010_roles.sql`). It is created
//! like its parent, with a CHECK that makes the scan of ATTACH unnecessary, and then attached, which blocks neither reading
//! nor loading. Names are `access_logs_yYYYYmMM`.

use std::collections::BTreeSet;

use alt_line::batch::MICROS_PER_HOUR;
use alt_line::hit::Micros;
use alt_process::clock;
use alt_process::fault::{self, Step};
use anyhow::{Context, bail};
use jiff::civil::Date;
use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};

use super::in_transaction;

/// First key of the advisory lock under which a partition is created. The second key is the month.
const LOCK_CLASS: i32 = 0x616c_7402;

/// The maximum wait for a lock on a partition, or on `access_logs`.
pub(super) const LOCK_TIMEOUT: &str = "2s";

const ATTACHED: &str = "SELECT c.relname::text FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid \
                        WHERE i.inhparent = 'access_logs'::regclass";

/// A month (UTC), as months since year 0.
pub type Month = i32;

/// The month of a time.
pub fn month(at: Micros) -> Month {
    // Times are between 2000 and tomorrow, so the conversion to a timestamp always succeeds.
    let date = jiff::Timestamp::from_microsecond(at)
        .map_or(Date::constant(2000, 1, 1), |t| t.to_zoned(jiff::tz::TimeZone::UTC).date());
    i32::from(date.year()) * 12 + i32::from(date.month()) - 1
}

/// The month of an hour since 1970, as returned by [`hour`](alt_line::batch::hour).
pub fn month_of_hour(hour: i32) -> Month {
    month(i64::from(hour) * MICROS_PER_HOUR)
}

/// Name of the month's partition.
pub fn name(month: Month) -> String {
    format!("access_logs_y{:04}m{:02}", month.div_euclid(12), month.rem_euclid(12) + 1)
}

/// A month in readable form: `2026-01`.
pub fn label(month: Month) -> String {
    format!("{:04}-{:02}", month.div_euclid(12), month.rem_euclid(12) + 1)
}

/// When a month begins.
pub fn begin(month: Month) -> Micros {
    let day = Date::new(i16::try_from(month.div_euclid(12)).unwrap_or(i16::MAX), 1, 1);
    let months = jiff::Span::new().months(i64::from(month.rem_euclid(12)));
    let begin =
        day.and_then(|day| day.checked_add(months)).and_then(|day| day.to_zoned(jiff::tz::TimeZone::UTC));
    begin.map_or(Micros::MAX, |begin| begin.timestamp().as_microsecond())
}

/// Creates the partition of a month, if it is missing.
pub async fn ensure(client: &Client, month: Month) -> anyhow::Result<()> {
    let name = name(month);
    let made = in_transaction(client, LOCK_TIMEOUT, async |client| {
        // Also if it exists: a transaction that creates it releases the lock once every session has been told. Before
        // that, PostgreSQL shows the partition to others, and yet refuses their rows.
        lock(client, month).await?;
        if is_attached(client, &name).await? {
            return Ok(false);
        }
        fault::at(Step::PartitionBegun);
        make_locked(client, month, &name).await?;
        fault::at(Step::PartitionMade);
        Ok(true)
    });
    if made.await.with_context(|| format!("make partition {name}"))? {
        fault::at(Step::PartitionCommitted);
        tracing::info!(partition = name, "made a partition");
    }
    Ok(())
}

/// Waits for everybody else who creates or drops the partition of a month, until the transaction ends.
async fn lock(client: &Client, month: Month) -> Result<(), tokio_postgres::Error> {
    client.batch_execute(&format!("SELECT pg_advisory_xact_lock({LOCK_CLASS}, {month})")).await
}

async fn is_attached(client: &Client, name: &str) -> anyhow::Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM pg_inherits \
               WHERE inhparent = 'access_logs'::regclass AND inhrelid = to_regclass($1))";
    let row = client
        .query_typed_one(sql, &[(&name, Type::TEXT)])
        .await
        .with_context(|| format!("look for partition {name}"))?;
    Ok(row.get(0))
}

async fn make_locked(client: &Client, month: Month, name: &str) -> anyhow::Result<()> {
    let exists: bool =
        client.query_typed_one("SELECT to_regclass($1) IS NOT NULL", &[(&name, Type::TEXT)]).await?.get(0);
    if exists {
        bail!(
            "table {name} exists but is no partition of access_logs: attach it again (ALTER TABLE access_logs \
             ATTACH PARTITION …), or rename it if its rows are to stay out"
        );
    }
    // The owner of the tables does it, whoever asks.
    client.query_typed("SELECT alt_make_month($1)", &[(&month, Type::INT4)]).await?;
    Ok(())
}

/// The months whose partitions are attached. Only partitions with this program's names count.
pub async fn attached(client: &Client) -> anyhow::Result<BTreeSet<Month>> {
    let rows = client.query_typed(ATTACHED, &[]).await.context("list the partitions")?;
    Ok(rows.iter().filter_map(|row| month_of(row.get(0))).collect())
}

/// The month in a partition's name.
fn month_of(name: &str) -> Option<Month> {
    let (year, month) = name.strip_prefix("access_logs_y")?.split_once('m')?;
    let month = year.parse::<Month>().ok()?.checked_mul(12)?.checked_add(month.parse::<Month>().ok()? - 1)?;
    (self::name(month) == name).then_some(month)
}

/// The result of dropping a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dropped {
    /// It was dropped. The number of rows is PostgreSQL's estimate, if there is one.
    Gone(Option<i64>),
    /// It did not exist: somebody else was first.
    Absent,
}

/// Drops the partition of a month, and records in `retention_drops` that `host` did so. Runs within a transaction.
///
/// # Errors
/// The database does not do it. SQLSTATE `55P03`: somebody is reading the partition.
pub async fn drop_month(client: &Client, month: Month, host: &str) -> anyhow::Result<Dropped> {
    let name = name(month);
    let context = || format!("drop partition {name}");
    lock(client, month).await.with_context(context)?;
    let parameters: [(&(dyn ToSql + Sync), Type); 2] = [(&month, Type::INT4), (&host, Type::TEXT)];
    let dropped = client.query_typed_opt("SELECT alt_drop_month($1, $2)", &parameters).await;
    let Some(dropped) = dropped.with_context(context)? else { return Ok(Dropped::Absent) };
    Ok(Dropped::Gone(dropped.get(0)))
}

/// The current and following months whose partitions should exist before they are needed.
pub fn ahead() -> impl Iterator<Item = Month> {
    let now = month(clock::now());
    now..=now + 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_is_named_by_its_year_and_number() {
        let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_microsecond();
        assert_eq!(name(month(at("2026-11-30T23:59:59.999999Z"))), "access_logs_y2026m11");
        assert_eq!(name(month(at("2026-12-31T23:59:59Z")) + 1), "access_logs_y2027m01");
        assert_eq!(begin(month(at("2026-11-30T23:59:59.999999Z"))), at("2026-11-01T00:00:00Z"));
        assert_eq!(begin(month(at("2026-12-31T23:59:59Z")) + 1), at("2027-01-01T00:00:00Z"));
        assert_eq!(month_of("access_logs_y2026m11"), Some(month(at("2026-11-01T00:00:00Z"))));
        for other in
            ["access_logs_y2026m1", "access_logs_y2026m13", "access_logs_old", "access_logs_y9999999999m01"]
        {
            assert_eq!(month_of(other), None, "{other}");
        }
    }
}
