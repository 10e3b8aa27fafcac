//! Copies the rows of a batch with COPY, and finds the rows that PostgreSQL refuses.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use alt_line::batch::Batch;
use alt_line::copy::{self, HEADER, TRAILER};
use alt_process::fault::{self, Step};
use alt_process::lock::lock;
use bytes::Bytes;
use futures_util::SinkExt;
use tokio_postgres::{Client, Statement};

use super::Failure;
use crate::{NOTICE_THAT_WE_ARE_GONE, Trouble};

/// Bytes in one message of COPY.
const COPY_CHUNK_BYTES: usize = 128 * 1024;

/// The maximum number of refused rows that become rejects before more accepted rows must come. More refusals than that
/// are not the rows' fault.
const REFUSED_MAX: f64 = 10.0;

/// How many rows PostgreSQL may still refuse before loading stops. Refills with each accepted row, and with time. All copies
/// are one.
#[derive(Debug, Clone, Default)]
pub struct Patience(Arc<Mutex<Left>>);

#[derive(Debug)]
struct Left {
    rows: f64,
    since: Instant,
}

impl Default for Left {
    fn default() -> Self {
        Left { rows: REFUSED_MAX, since: Instant::now() }
    }
}

impl Patience {
    pub(super) fn spend(&self, refused: usize, rows: usize) -> bool {
        let mut left = lock(&self.0);
        // On a quiet site, accepted rows are rare. Therefore it also refills with time.
        left.rows = (left.rows + left.since.elapsed().as_secs_f64() / 60.0).min(REFUSED_MAX);
        left.since = Instant::now();
        let (refused, rows) = (refused as f64, rows as f64);
        if refused > left.rows.max(rows / 100.0) {
            return false;
        }
        left.rows = (left.rows - refused).max(0.0);
        true
    }

    pub(super) fn refill(&self, rows: usize) {
        let mut left = lock(&self.0);
        left.rows = (left.rows + rows as f64 / 100.0).min(REFUSED_MAX);
    }
}

/// Prepares the COPY of rows.
pub(super) async fn prepare_copy(client: &Client) -> Result<Statement, Failure> {
    Ok(client.prepare(&copy::statement()).await?)
}

/// Copies the rows of the batch, if it has any.
pub(super) async fn copy_batch(
    client: &Client,
    copy: &Statement,
    batch: &Batch,
    data: &Bytes,
) -> Result<(), Failure> {
    if batch.rows.is_empty() {
        return Ok(());
    }
    copy_rows(client, copy, batch, data, 0..batch.rows.len()).await
}

/// Copies the rows `which` of the batch. Also a COPY of none locks the table until the transaction, or a savepoint before
/// it, is rolled back.
pub(super) async fn copy_rows(
    client: &Client,
    copy: &Statement,
    batch: &Batch,
    data: &Bytes,
    which: std::ops::Range<usize>,
) -> Result<(), Failure> {
    let sink = client.copy_in::<_, Bytes>(copy).await?;
    let mut sink = std::pin::pin!(sink);
    sink.feed(Bytes::from_static(HEADER)).await?;
    for range in batch.ranges(which.start, which.end) {
        let mut rest = data.slice(range);
        while !rest.is_empty() {
            let chunk = rest.split_to(rest.len().min(COPY_CHUNK_BYTES));
            sink.feed(chunk).await?;
            fault::at(Step::Copying);
        }
    }
    sink.feed(Bytes::from_static(TRAILER)).await?;
    let copied = sink.as_mut().finish().await?;
    if copied != which.len() as u64 {
        return Err(Failure::Postgres(
            Trouble::Stop,
            anyhow::anyhow!(
                "PostgreSQL took {copied} of {} rows: does a trigger or rule on access_logs drop rows?",
                which.len()
            ),
        ));
    }
    Ok(())
}

/// Finds the rows that PostgreSQL refuses for their data, by bisection, in a transaction that the caller rolls back.
/// Returns indices into `batch.rows`, ascending, with PostgreSQL's message.
pub(super) async fn find_refused(
    client: &Client,
    batch: &Batch,
    data: &Bytes,
) -> Result<Vec<(usize, String)>, Failure> {
    client
        .batch_execute(&format!("BEGIN; SET LOCAL lock_timeout = '10s'; SET LOCAL statement_timeout = '5min'; {NOTICE_THAT_WE_ARE_GONE}"))
        .await?;
    let statement = prepare_copy(client).await?;
    // A savepoint that is rolled back gives its locks up. With this one, nobody mends the table before the last row was
    // tried: otherwise the rows that were tried before would seem to be the only ones at fault.
    copy_rows(client, &statement, batch, data, 0..0).await?;
    let mut refused = Vec::new();
    let mut halves: Vec<_> = std::iter::once(0..batch.rows.len()).collect();
    while let Some(range) = halves.pop() {
        client.batch_execute("SAVEPOINT half").await?;
        match copy_rows(client, &statement, batch, data, range.clone()).await {
            Ok(()) => client.batch_execute("RELEASE SAVEPOINT half").await?,
            Err(Failure::Postgres(Trouble::Data, error)) => {
                client.batch_execute("ROLLBACK TO SAVEPOINT half").await?;
                fault::at(Step::RefusedTried);
                if range.len() == 1 {
                    let said = error.downcast_ref::<tokio_postgres::Error>().and_then(|e| e.as_db_error());
                    let message = said.map_or_else(|| format!("{error:#}"), |e| e.message().to_owned());
                    refused.push((range.start, message));
                } else {
                    let middle = range.start + range.len() / 2;
                    halves.push(middle..range.end);
                    halves.push(range.start..middle);
                }
            }
            Err(other) => return Err(other),
        }
        // Far more than could be rejects: there is no need to try every row.
        if refused.len() as f64 > REFUSED_MAX.max(batch.rows.len() as f64 / 100.0) {
            break;
        }
    }
    Ok(refused)
}
