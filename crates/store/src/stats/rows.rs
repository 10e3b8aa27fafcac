//! Reads what statistics need of rows, in statements that last two seconds at most.
//!
//! A statement is a transaction that is read only, so it holds up neither vacuum nor the drop of a partition for longer.
//! The times stand in it as constants, so the server plans with the partitions that they touch, and locks no other.

use std::ops::Range;
use std::pin::pin;
use std::time::Duration;

use alt_line::hit::Micros;
use anyhow::Context;
use futures_util::TryStreamExt;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::record::{SELECTED, event};
use super::sort::Sorter;

/// The most time of a statement, milliseconds.
pub const STATEMENT_MAX: u64 = 2000;

/// The most time of a statement whose slice cannot be made shorter, milliseconds.
const STATEMENT_LAST: u64 = 50_000;

/// Slices become larger while they are read in less than this.
const GROWS_BELOW: Duration = Duration::from_millis(500);

/// The shortest slice.
const SLICE_MIN: Micros = 1_000_000;

/// Cuts a time into slices that can be read in [`STATEMENT_MAX`] each.
#[derive(Debug, Clone, Copy)]
pub struct Slicer {
    size: Micros,
    most: Micros,
}

impl Slicer {
    /// Begins with slices of this size, which is also the largest.
    pub fn new(size: Duration) -> Slicer {
        let size = Micros::try_from(size.as_micros()).unwrap_or(Micros::MAX);
        Slicer { size, most: size }
    }

    /// The size of the next slice.
    pub fn size(&self) -> Micros {
        self.size
    }

    /// The most time of its statement, milliseconds.
    pub fn most(&self) -> u64 {
        if self.is_least() { STATEMENT_LAST } else { STATEMENT_MAX }
    }

    /// Whether slices cannot be made smaller.
    pub fn is_least(&self) -> bool {
        self.size <= SLICE_MIN
    }

    /// A slice was read in so short a time: the next may be larger.
    pub fn worked(&mut self, took: Duration) {
        if took < GROWS_BELOW {
            self.size = self.size.saturating_mul(2).min(self.most);
        }
    }

    /// A slice took too long. The next is a quarter of it.
    pub fn failed(&mut self) {
        self.size = (self.size / 4).max(SLICE_MIN);
    }
}

/// Whether a statement took too long: the server ended it, or nobody waited for it any longer.
pub fn is_too_long(error: &anyhow::Error) -> bool {
    crate::state(error) == Some(&SqlState::QUERY_CANCELED) || error.is::<tokio::time::error::Elapsed>()
}

/// A time as a constant of SQL.
pub(crate) fn literal(at: Micros) -> String {
    // Such times are infinite for PostgreSQL's dates, too.
    let at = jiff::Timestamp::from_microsecond(at);
    at.map_or_else(|_| "timestamptz '-infinity'".to_owned(), |at| format!("timestamptz '{at}'"))
}

/// Asks in a transaction that only reads, and that the server ends after `most` milliseconds.
pub(crate) async fn short<T>(
    client: &Client,
    most: u64,
    question: impl AsyncFnOnce(&Client) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let begin = format!(
        "BEGIN ISOLATION LEVEL READ COMMITTED, READ ONLY; SET LOCAL statement_timeout = {most}; \
         SET LOCAL lock_timeout = '1s'; SET LOCAL jit = off; SET LOCAL idle_in_transaction_session_timeout = '10s'"
    );
    let answer = async {
        client.batch_execute(&begin).await?;
        question(client).await
    };
    let answer = answer.await;
    let ended = client.batch_execute("ROLLBACK").await;
    let answer = answer?;
    ended?;
    Ok(answer)
}

/// The statement that reads the rows of an application between two times.
pub fn statement(app_id: i32, from: Micros, until: Micros) -> String {
    format!(
        "SELECT l.occurred_at, l.event_id, l.visitor_id, l.traffic_class, {}\n{}WHERE l.app_id = {app_id} \
         AND l.occurred_at >= {} AND l.occurred_at < {}",
        SELECTED.join(", "),
        include_str!("../../../../sql/day_rows.sql"),
        literal(from),
        literal(until)
    )
}

/// Reads the rows of an application between two times into a sorter. Returns how many. After an error, the sorter has to
/// be told ([`Sorter::forget`]).
///
/// # Errors
/// The database cannot be asked, or not in `most` milliseconds ([`is_too_long`]); or the sorter has no disk.
pub async fn read_into(
    client: &Client,
    app_id: i32,
    times: &Range<Micros>,
    most: u64,
    sorter: &mut Sorter,
) -> anyhow::Result<i64> {
    let sql = statement(app_id, times.start, times.end);
    short(client, most, async |client| {
        let none: [(i32, tokio_postgres::types::Type); 0] = [];
        let mut rows = pin!(client.query_typed_raw(&sql, none).await.context("read rows")?);
        let mut count = 0;
        // One by one: an hour may have more rows than there is memory for.
        while let Some(row) = rows.try_next().await.context("read rows")? {
            sorter.add(&event(&row).context("read a row")?)?;
            count += 1;
        }
        Ok(count)
    })
    .await
}

/// Counts the rows of an application between two times.
///
/// # Errors
/// The database cannot be asked, or not in `most` milliseconds ([`is_too_long`]).
pub async fn count(client: &Client, app_id: i32, times: &Range<Micros>, most: u64) -> anyhow::Result<i64> {
    let sql = format!(
        "SELECT count(*) FROM access_logs WHERE app_id = {app_id} AND occurred_at >= {} AND occurred_at < {}",
        literal(times.start),
        literal(times.end)
    );
    short(client, most, async |client| {
        Ok(client.query_typed_one(&sql, &[]).await.context("count rows")?.get(0))
    })
    .await
}
