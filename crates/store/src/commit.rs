//! The one transaction that loads a batch: rows, rejects and the advance of the checkpoints, all or nothing.
//!
//! ```text
//! BEGIN; advisory locks; ids; UPDATE checkpoints … WHERE they stand as the reader knew them; rejects; COPY; COMMIT
//! ```
//!
//! Statements that do not depend on each other's answers are sent together: with small batches, the round trip takes
//! longer than the work. Before the transaction is known to be open, only two kinds of statements are sent: reads, and
//! the insertion of what rows refer to, which has its own commit.
//!
//! All loading goes through [`commit`]. It returns what was counted, or why nothing was committed. After any error, the
//! caller discards its cached state of the database and reads it again.

mod advance;
pub mod ahead;
mod ids;
mod memory;
mod rows;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use alt_line::batch::{Batch, RejectSpan, There};
use alt_line::checkpoint::Proof;
use alt_line::hit::Micros;
use alt_process::clock::system_time;
use alt_process::fault::{self, Step};
use bytes::Bytes;
use futures_util::future::{join, join4};
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;
use uuid::Uuid;

pub use memory::Memory;
pub use rows::Patience;

use super::files::{Facts, Reached};
use super::partitions;
use super::{NOTICE_THAT_WE_ARE_GONE, Trouble, classify, classify_any, dimensions, ledger};
use advance::{advance, enter_files, note_by_ids};
use ids::{ids_there, loaded_times, may_be_there};
use rows::{copy_batch, find_refused, prepare_copy};

const REJECT: &str = include_str!("../../../sql/reject.sql");

/// First key of the advisory locks of hours. The second key is the hour since 1970.
const LOCK_HOURS: i32 = 0x616c_7401;

/// Can verify later that a file still holds what was read from it.
pub trait Proves: Send + Sync {
    /// Whether the file's bytes that end at `at` still hash to `proof`.
    fn holds(&self, proof: &Proof, at: u64) -> bool;

    /// Whether the file has the same bytes from the offset `a` and from `b`.
    fn repeats(&self, a: u64, b: u64, bytes: u32) -> bool;
}

/// A batch, and what its transaction needs to know about its files.
pub struct Work {
    /// The batch to load.
    pub batch: Batch,
    /// Per section: the open file, if its bytes could have changed since they were read.
    pub proofs: Vec<Option<Arc<dyn Proves>>>,
    /// Per section: where the file was seen. Required for new files. Stored for other files if present.
    pub facts: Vec<Option<Facts>>,
    /// The epoch of the database caches with which the batch was made.
    pub epoch: u64,
    /// The batch was full: another follows at once.
    pub is_followed: bool,
    /// What to publish for monitoring after the commit: how far the files are committed, and up to when everything is.
    reached: Vec<(Arc<Reached>, u64, Option<Micros>)>,
    caught_up: Vec<(Arc<AtomicI64>, Micros)>,
}

impl Work {
    /// Creates an empty batch.
    pub fn new(epoch: u64) -> Work {
        Work {
            batch: Batch::default(),
            proofs: Vec::new(),
            facts: Vec::new(),
            epoch,
            is_followed: false,
            reached: Vec::new(),
            caught_up: Vec::new(),
        }
    }

    /// Records how far the file of the section closed last is loaded once this batch is committed.
    pub fn reaches(&mut self, file: &Arc<Reached>, bytes: u64) {
        let current = self.batch.current();
        let last = self.batch.rows.last().filter(|row| row.section as usize == current);
        self.reached.push((Arc::clone(file), bytes, last.map(|row| row.key.occurred_at)));
    }

    /// Records that this commit completes everything that was in the source's files at time `at`.
    pub fn catches_up(&mut self, caught_up: &Arc<AtomicI64>, at: Micros) {
        match self.caught_up.iter_mut().find(|(one, _)| Arc::ptr_eq(one, caught_up)) {
            Some(one) => one.1 = at,
            None => self.caught_up.push((Arc::clone(caught_up), at)),
        }
    }

    /// Publishes the progress after the commit.
    pub fn tell(&self) {
        for (file, bytes, until) in &self.reached {
            file.advance(*bytes, *until);
        }
        for (caught_up, at) in &self.caught_up {
            caught_up.store(*at, Ordering::Relaxed);
        }
    }

    /// Records what belongs to the section closed last.
    pub fn note(&mut self, facts: Option<Facts>, proof: Option<Arc<dyn Proves>>) {
        let sections = self.batch.sections.len();
        self.facts.resize_with(sections, || None);
        self.proofs.resize_with(sections, || None);
        let current = self.batch.current();
        if facts.is_some() {
            self.facts[current] = facts;
        }
        self.proofs[current] = proof;
    }
}

/// Why nothing was committed.
#[derive(Debug)]
pub enum Failure {
    /// A checkpoint or a file differs from what the reader knew. The reader must read it again and continue from there.
    Stale(&'static str),
    /// PostgreSQL returned an error, or no answer.
    Postgres(Trouble, anyhow::Error),
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        let is_checkpoint = error.as_db_error().and_then(|e| e.table()) == Some("checkpoints");
        if is_checkpoint && error.code() == Some(&SqlState::UNIQUE_VIOLATION) {
            return Failure::Stale("another process took the same place among files that begin alike");
        }
        Failure::Postgres(classify(&error), error.into())
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Failure::Postgres(classify_any(&error), error)
    }
}

/// Loads `work` in one transaction. On success, the batch holds what was loaded, with the counts per section; its
/// `data` only keeps its allocation.
pub async fn commit(
    client: &Client,
    work: &mut Work,
    memory: &Memory,
    patience: &Patience,
) -> Result<(), Failure> {
    memory.ensure_partitions(client, months_of(&work.batch)).await?;

    let data = Bytes::from(std::mem::take(&mut work.batch.data));
    loop {
        let outcome = transaction(client, work, memory, &data).await;
        match outcome {
            Ok(()) => {
                patience.refill(work.batch.rows.len());
                work.batch.data = Vec::from(data);
                return Ok(());
            }
            Err(failure) => {
                // If the connection is lost, the server has rolled back by itself.
                let rolled_back = client.batch_execute("ROLLBACK").await.is_ok();
                let Failure::Postgres(Trouble::Data, _) = &failure else { return Err(failure) };
                if !rolled_back {
                    return Err(failure);
                }
                let rows = work.batch.rows.len();
                let refused = find_refused(client, &work.batch, &data).await;
                let ended = client.batch_execute("ROLLBACK").await;
                let refused = refused?;
                ended?;
                if refused.is_empty() || !patience.spend(refused.len(), rows) {
                    return Err(match failure {
                        Failure::Postgres(_, error) => Failure::Postgres(
                            Trouble::Stop,
                            error.context(format!(
                                "PostgreSQL refuses {} of {rows} rows for their data: too many to be the rows' fault; \
                                 was a column or the encoding of the database changed?",
                                refused.len(),
                            )),
                        ),
                        stale @ Failure::Stale(_) => stale,
                    });
                }
                work.batch.refuse(&refused);
            }
        }
    }
}

/// The months of the batch's rows, ascending.
fn months_of(batch: &Batch) -> BTreeSet<partitions::Month> {
    batch.hours().map(partitions::month_of_hour).collect()
}

/// Determines what [`commit`] would do, and writes nothing. Removes rows that exist already from the batch.
pub async fn rehearse(client: &Client, work: &mut Work, memory: &Memory) -> Result<(), Failure> {
    client.batch_execute("BEGIN READ ONLY; SET LOCAL statement_timeout = '5min'").await?;
    let loaded = loaded_times(client, &work.batch).await?;
    memory.look(client, &work.batch, &loaded).await?;
    let there = ids_there(client, &work.batch, &loaded, memory, false).await?;
    client.batch_execute("ROLLBACK").await?;
    cut_loaded(work, &there);
    Ok(())
}

/// Cuts out the rows that are there.
fn cut_loaded(work: &mut Work, there: &There) {
    let proofs = &work.proofs;
    work.batch.cut_loaded(there, &|section, row, at| {
        let proof = proofs.get(section)?.as_ref()?;
        Some(proof.repeats(row.offset, at, row.span))
    });
}

async fn transaction(client: &Client, work: &mut Work, memory: &Memory, data: &Bytes) -> Result<(), Failure> {
    // Only once: when the batch is retried without refused rows, these entries exist.
    let mut new = std::mem::take(&mut work.batch.new);
    let (referred_to, begun, is_doubtful, mut loaded) = join4(
        // Has its own commit, before the transaction begins.
        dimensions::add(client, &mut new),
        begin(client, &work.batch),
        may_be_there(client, &work.batch),
        loaded_times(client, &work.batch),
    )
    .await;
    referred_to.map_err(|error| match classify_any(&error) {
        // This error says nothing about the rows.
        Trouble::Data => Failure::Postgres(Trouble::Stop, error),
        trouble => Failure::Postgres(trouble, error),
    })?;
    fault::at(Step::AgentsAdded);
    begun?;
    if is_doubtful? {
        let is_locked = work.batch.reads_ids();
        work.batch.read_all_ids();
        if !is_locked {
            client.batch_execute("ROLLBACK").await?;
            begin(client, &work.batch).await?;
        }
        loaded = loaded_times(client, &work.batch).await;
    }
    let loaded = loaded?;
    fault::at(Step::Begun);
    if work.batch.reads_ids() {
        memory.look(client, &work.batch, &loaded).await?;
        let there = ids_there(client, &work.batch, &loaded, memory, false).await?;
        fault::at(Step::IdsRead);
        cut_loaded(work, &there);
    }
    // Wait for both, so that no prepared statement is left behind.
    let (entered, copy) = join(enter(client, work), prepare_copy(client)).await;
    entered?;
    copy_batch(client, &copy?, &work.batch, data).await?;
    complete(client, work).await
}

/// Enters all that the batch changes besides the rows.
async fn enter(client: &Client, work: &Work) -> Result<(), Failure> {
    let added = work.batch.added();
    enter_files(client, work, &added).await?;
    let (advanced, noted, quarantined, entered) = join4(
        advance(client, &work.batch, &added),
        note_by_ids(client, &work.batch, &added),
        quarantine(client, &work.batch),
        ledger::enter(client, &work.batch, &added),
    )
    .await;
    advanced.and(noted).and(quarantined)?;
    entered?;
    fault::at(Step::Advanced);
    Ok(())
}

/// Commits the transaction, if the files still are what was read.
async fn complete(client: &Client, work: &Work) -> Result<(), Failure> {
    fault::at(Step::Copied);
    if !is_proven(work) {
        return Err(Failure::Stale("a file changed while it was loaded"));
    }
    client.batch_execute("COMMIT").await?;
    fault::at(Step::Committed);
    Ok(())
}

/// Whether the files still have the bytes that their sections were read from.
fn is_proven(work: &Work) -> bool {
    work.batch.sections.iter().zip(&work.proofs).all(|(section, proof)| {
        let heads = [Some(section.file.head()), section.better_head];
        let ends = [section.from, section.to];
        let holds = |p: &Arc<dyn Proves>| {
            let heads = heads.iter().flatten().all(|head| p.holds(&head.proof, u64::from(head.proof.bytes)));
            heads && ends.iter().all(|end| p.holds(&end.tail, end.offset))
        };
        proof.as_ref().is_none_or(holds)
    })
}

/// Opens the transaction and locks the batch's hours.
async fn begin(client: &Client, batch: &Batch) -> Result<(), Failure> {
    client.batch_execute(&format!("{}; {}", beginning(), hour_locks(batch))).await?;
    Ok(())
}

/// Opens a transaction.
fn beginning() -> String {
    format!(
        // The statement that reads ids relies on this level, whatever the role's default is.
        "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout = '10s'; \
         SET LOCAL statement_timeout = '5min'; {NOTICE_THAT_WE_ARE_GONE}"
    )
}

/// Locks the batch's hours: shared if checkpoints prove all rows new, exclusive if ids are read, so that the reading
/// statement sees everything that others committed.
fn hour_locks(batch: &Batch) -> String {
    let lock = if batch.reads_ids() { "pg_advisory_xact_lock" } else { "pg_advisory_xact_lock_shared" };
    let hours: Vec<String> = batch.hours().map(|h| h.to_string()).collect();
    // unnest returns its rows in order, so the locks are taken in ascending order.
    format!("SELECT count({lock}({LOCK_HOURS}, h)) FROM unnest('{{{}}}'::int[]) h", hours.join(","))
}

async fn quarantine(client: &Client, batch: &Batch) -> Result<(), Failure> {
    let spans: Vec<&RejectSpan> = batch.rejects.iter().filter(|span| span.is_new).collect();
    if spans.is_empty() {
        return Ok(());
    }
    let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    client
        .execute_typed(
            REJECT,
            &[
                (&spans.iter().map(|s| s.file_id).collect::<Vec<_>>(), Type::INT4_ARRAY),
                (&spans.iter().map(|s| signed(s.offset)).collect::<Vec<_>>(), Type::INT8_ARRAY),
                (&spans.iter().map(|s| signed(s.bytes)).collect::<Vec<_>>(), Type::INT8_ARRAY),
                (
                    &spans.iter().map(|s| i32::try_from(s.lines).unwrap_or(i32::MAX)).collect::<Vec<_>>(),
                    Type::INT4_ARRAY,
                ),
                (&spans.iter().map(|s| s.reason.as_str()).collect::<Vec<_>>(), Type::TEXT_ARRAY),
                (&spans.iter().map(|s| s.detail.as_deref()).collect::<Vec<_>>(), Type::TEXT_ARRAY),
                (
                    &spans.iter().map(|s| s.occurred_at.map(system_time)).collect::<Vec<_>>(),
                    Type::TIMESTAMPTZ_ARRAY,
                ),
                (
                    &spans.iter().map(|s| s.event_id.map(Uuid::from_u128)).collect::<Vec<_>>(),
                    Type::UUID_ARRAY,
                ),
                (&spans.iter().map(|s| s.raw.as_deref()).collect::<Vec<_>>(), Type::BYTEA_ARRAY),
            ],
        )
        .await?;
    Ok(())
}
