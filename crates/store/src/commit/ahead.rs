//! Copies the rows of a batch while the batch before it is still being committed on another connection.
//!
//! ```text
//! BEGIN; COPY; (the batch before is committed) advisory locks; ids; UPDATE checkpoints …; rejects; ledger; COMMIT
//! ```
//!
//! Until the client has the answer to the `COMMIT` of the batch before, the transaction holds no lock of an hour and none
//! of a row, and has proven nothing. So it stands in nobody's way, except for who wants `access_logs` or a partition for
//! himself. A wait for this transaction may be a wait for the client, which PostgreSQL cannot see: the batch before may
//! stand behind somebody who waits for this one. Therefore the transaction is rolled back once anybody waits for it.
//!
//! What a transaction of its own does under its locks before COPY is done after COPY here: ids, and whether what a
//! checkpoint proves to be new may be there from a copy. If a row is there, the transaction is rolled back, and the batch
//! is loaded like any other. Nothing of the batch was visible to anybody.

use std::time::Duration;

use alt_line::batch::{Batch, There};
use alt_process::fault::{self, Step};
use bytes::Bytes;
use futures_util::future::{join, join3};
use tokio::sync::oneshot;
use tokio_postgres::Client;

use super::ids::{ids_there, loaded_times, may_be_there};
use super::rows::{copy_batch, prepare_copy};
use super::{Failure, Memory, Patience, Work, beginning, commit, complete, cut_loaded, enter, hour_locks};
use crate::{Trouble, classify_any, dimensions};

/// How often a transaction that waits for its turn looks whether anybody waits for it.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);

/// If more than one row of so many may be in the database, ids are read before anything is copied.
const ROWS_A_DOUBT: usize = 20;

/// How long a rollback is waited for. What is sent afterwards on the same connection comes after it anyway.
const ROLLBACK_TIMEOUT: Duration = Duration::from_secs(1);

/// Whether anybody waits for this transaction.
const IS_IN_THE_WAY: &str = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND pid <> pg_backend_pid() \
                             AND pg_backend_pid() = ANY (pg_blocking_pids(pid)))";

/// Tells a batch that the batch before it is committed.
pub struct Turn {
    told: oneshot::Receiver<()>,
    has_come: Option<bool>,
}

impl Turn {
    /// A turn that comes when the sender says so, and never if the sender is dropped.
    pub fn new(told: oneshot::Receiver<()>) -> Turn {
        Turn { told, has_come: None }
    }

    /// Waits for it. An error: it never comes.
    async fn comes(&mut self) -> Result<(), Failure> {
        let has_come = match self.has_come {
            Some(has_come) => has_come,
            None => *self.has_come.insert((&mut self.told).await.is_ok()),
        };
        if has_come { Ok(()) } else { Err(Failure::Stale("the batch before was not committed")) }
    }
}

/// Whether the rows of a batch may be copied ahead of its turn.
pub fn may_go_ahead(batch: &Batch, memory: &Memory) -> bool {
    // What is read beside a checkpoint may be lines that the batch before has, too.
    batch.sections.iter().all(|section| section.reread.is_none()) && memory.has_partitions(batch)
}

/// As [`commit`], on another connection than that of the batch before, which has to be committed first. If it is not, the
/// caller drops this future and closes the connection.
pub async fn commit_in_turn(
    client: &Client,
    work: &mut Work,
    memory: &Memory,
    patience: &Patience,
    mut turn: Turn,
) -> Result<(), Failure> {
    let data = Bytes::from(std::mem::take(&mut work.batch.data));
    let mut done = copy(client, work, memory, &data).await;
    if let Ok(Way::On) = done {
        fault::at(Step::CopiedAhead);
        done = wait_for(&mut turn, client).await;
    }
    if let Ok(Way::On) = done {
        done = finish(client, work, memory).await;
    }
    work.batch.data = Vec::from(data);
    let why = match done {
        Ok(Way::On) => {
            patience.refill(work.batch.rows.len());
            return Ok(());
        }
        Ok(Way::Back(why)) => why,
        Err(Failure::Postgres(Trouble::Data, _)) => "PostgreSQL refuses a row",
        Err(failure) => {
            roll_back(client).await;
            // Whatever it was, the batch before is told first.
            turn.comes().await?;
            return Err(failure);
        }
    };
    tracing::debug!(why, "a batch was copied in vain");
    roll_back(client).await;
    turn.comes().await?;
    commit(client, work, memory, patience).await
}

/// How a batch goes on.
#[derive(Clone, Copy)]
enum Way {
    /// As it began.
    On,
    /// It is rolled back for this reason, and loaded like any other.
    Back(&'static str),
}

async fn roll_back(client: &Client) {
    let _ = tokio::time::timeout(fault::wait(ROLLBACK_TIMEOUT), client.batch_execute("ROLLBACK")).await;
}

/// Begins the transaction and copies the rows, if few of them may be in the database.
async fn copy(client: &Client, work: &mut Work, memory: &Memory, data: &Bytes) -> Result<Way, Failure> {
    // Has its own commit. It stays in the batch, which may have to be loaded like any other.
    dimensions::add(client, &mut work.batch.new).await.map_err(|error| match classify_any(&error) {
        Trouble::Data => Failure::Postgres(Trouble::Stop, error),
        trouble => Failure::Postgres(trouble, error),
    })?;
    if are_likely_there(client, &work.batch, memory).await? {
        return Ok(Way::Back("its rows may be there"));
    }
    if work.batch.reads_ids() {
        // Of lines that are twice in the batch itself, one is loaded.
        cut_loaded(work, &There::default());
    }
    let begin = beginning();
    let (begun, copy) = join(client.batch_execute(&begin), prepare_copy(client)).await;
    begun?;
    copy_batch(client, &copy?, &work.batch, data).await?;
    Ok(Way::On)
}

/// Whether many rows of the batch may be in the database already, or any of which no file's record tells.
async fn are_likely_there(client: &Client, batch: &Batch, memory: &Memory) -> Result<bool, Failure> {
    // One snapshot: a row that is committed between two of these statements is recorded in neither or in both.
    let read = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = '5min'";
    let (begun, is_doubtful, loaded) =
        join3(client.batch_execute(read), may_be_there(client, batch), loaded_times(client, batch)).await;
    begun?;
    let (is_doubtful, loaded) = (is_doubtful?, loaded?);
    memory.look(client, batch, &loaded).await?;
    client.batch_execute("COMMIT").await?;
    let suspected = memory.suspected(batch, &loaded);
    let has_strays = suspected.iter().any(|(_, is_stray)| *is_stray);
    Ok(is_doubtful || has_strays || suspected.len() * ROWS_A_DOUBT > batch.rows.len())
}

/// Waits for the turn of the batch.
async fn wait_for(turn: &mut Turn, client: &Client) -> Result<Way, Failure> {
    loop {
        match tokio::time::timeout(LOOK_INTERVAL, turn.comes()).await {
            Ok(come) => return come.map(|()| Way::On),
            Err(_) if client.query_typed_one(IS_IN_THE_WAY, &[]).await?.get(0) => {
                return Ok(Way::Back("somebody waits for it"));
            }
            Err(_) => {}
        }
    }
}

/// Completes the transaction, whose rows are copied, after the batch before.
async fn finish(client: &Client, work: &mut Work, memory: &Memory) -> Result<Way, Failure> {
    let (locked, is_doubtful, loaded) = join3(
        client.batch_execute(&hour_locks(&work.batch)),
        may_be_there(client, &work.batch),
        loaded_times(client, &work.batch),
    )
    .await;
    locked?;
    if is_doubtful? {
        return Ok(Way::Back("its lines may be in a copy that was loaded"));
    }
    fault::at(Step::Begun);
    if work.batch.reads_ids() {
        let there = ids_there(client, &work.batch, &loaded?, memory, true).await?;
        fault::at(Step::IdsRead);
        let rows = work.batch.rows.len();
        cut_loaded(work, &there);
        if work.batch.rows.len() < rows {
            return Ok(Way::Back("some of its rows are there"));
        }
    } else {
        loaded?;
    }
    enter(client, work).await?;
    complete(client, work).await?;
    Ok(Way::On)
}
