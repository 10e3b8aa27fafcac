//! The one transaction: rows, rejects and the advance of the checkpoints, all or nothing.
//!
//! ```text
//! BEGIN; advisory locks; ids; UPDATE checkpoints … WHERE they stand as the reader knew them; rejects; COPY; COMMIT
//! ```
//!
//! Statements that do not need each other's answers are sent together: where batches are small, the way to the server and
//! back takes longer than the work. Nothing but reading is sent before the transaction is known to be open, and what rows
//! refer to, which is committed by itself.
//!
//! Everything that loads goes through [`commit`]. It returns what was counted, or why nothing was: the caller
//! forgets all it knows of the database after any error, and reads it back.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Instant, SystemTime};

use bytes::Bytes;
use foldhash::{HashSet, HashSetExt};
use futures_util::SinkExt;
use futures_util::future::join4;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Statement};
use uuid::Uuid;

use super::files::{Facts, Reached};
use super::partitions::{self, Month};
use super::{NOTICE_THAT_WE_ARE_GONE, Trouble, classify, classify_any, dimensions, files};
use crate::clock::{micros, system_time};
use crate::fault::{self, Step};
use crate::pure::aside::{Aside, UsedSpan};
use crate::pure::batch::{Added, Batch, FileRef, RejectSpan, Section};
use crate::pure::checkpoint::{Head, Proof};
use crate::pure::copy::{COLUMNS, HEADER, TRAILER};
use crate::pure::hit::Micros;

const ADVANCE: &str = include_str!("../../sql/advance.sql");
const LENGTHEN_HEAD: &str = include_str!("../../sql/lengthen_head.sql");
const REJECT: &str = include_str!("../../sql/reject.sql");
const TAKE_REJECTS: &str = include_str!("../../sql/take_rejects.sql");
const IDS_BY_INDEX: &str = include_str!("../../sql/ids_by_index.sql");
const IDS_THERE: &str = include_str!("../../sql/ids_there.sql");
const ENTER_ASIDE: &str = include_str!("../../sql/enter_aside.sql");
const NOTE_BY_IDS: &str = include_str!("../../sql/note_by_ids.sql");

/// First key of the advisory locks of hours; the second is the hour since 1970.
const LOCK_HOURS: i32 = 0x616c_7401;

/// Bytes that go into one message of COPY.
const COPY_CHUNK_BYTES: usize = 128 * 1024;

/// Refused rows that are taken for rejects before more good rows must come: beyond it, it is not the rows.
const REFUSED_MAX: f64 = 10.0;

/// Something that can still show that a file holds what was read from it.
pub trait Proves: Send + Sync {
    /// Whether the file's bytes that end at `at` still hash to `proof`.
    fn holds(&self, proof: &Proof, at: u64) -> bool;
}

/// A batch with what its transaction needs of its files.
pub struct Work {
    /// What to load.
    pub batch: Batch,
    /// Per section: the open file, where its bytes could have changed since they were read.
    pub proofs: Vec<Option<Arc<dyn Proves>>>,
    /// Per section: where the file was seen. Needed for new files; for others stored where given.
    pub facts: Vec<Option<Facts>>,
    /// The state of the database's caches under which it was made.
    pub epoch: u64,
    /// What is told to those who watch once it is committed: how far files are, and up to when all is.
    reached: Vec<(Arc<Reached>, u64, Option<Micros>)>,
    caught_up: Option<(Arc<AtomicI64>, Micros)>,
}

impl Work {
    /// Nothing yet.
    pub fn new(epoch: u64) -> Work {
        Work {
            batch: Batch::default(),
            proofs: Vec::new(),
            facts: Vec::new(),
            epoch,
            reached: Vec::new(),
            caught_up: None,
        }
    }

    /// Notes how far a file is, whose section was closed last, once this is committed.
    pub fn reaches(&mut self, file: &Arc<Reached>, bytes: u64) {
        let current = self.batch.current();
        let last = self.batch.keys.last().filter(|key| key.section as usize == current);
        self.reached.push((Arc::clone(file), bytes, last.map(|key| key.occurred_at)));
    }

    /// Notes that once this is committed, all is that was in the source's files at a time.
    pub fn catches_up(&mut self, caught_up: &Arc<AtomicI64>, at: Micros) {
        self.caught_up = Some((Arc::clone(caught_up), at));
    }

    /// It is committed.
    pub fn tell(&self) {
        for (file, bytes, until) in &self.reached {
            file.advance(*bytes, *until);
        }
        if let Some((caught_up, at)) = &self.caught_up {
            caught_up.store(*at, Ordering::Relaxed);
        }
    }

    /// Notes what belongs to the section closed last.
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
    /// A checkpoint or a file is not what the reader knew: read it back and go on from there.
    Stale(&'static str),
    /// PostgreSQL said no, or nothing.
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

/// What one connection remembers between commits; thrown away with it, and after any failure.
#[derive(Debug, Default)]
pub struct Memory {
    partitions: BTreeSet<Month>,
}

impl Memory {
    /// Makes the partitions of `months` that are not known to be there.
    pub async fn ensure_partitions(
        &mut self,
        client: &Client,
        months: impl Iterator<Item = Month>,
    ) -> anyhow::Result<()> {
        partitions::ensure(client, months, &mut self.partitions).await
    }

    /// Partitions may have gone.
    pub fn forget_partitions(&mut self) {
        self.partitions.clear();
    }
}

/// How many rows PostgreSQL may still refuse before loading stops: refills with the rows it takes, and with time.
#[derive(Debug)]
pub struct Patience {
    left: f64,
    since: Instant,
}

impl Default for Patience {
    fn default() -> Self {
        Patience { left: REFUSED_MAX, since: Instant::now() }
    }
}

impl Patience {
    fn spend(&mut self, refused: usize, rows: usize) -> bool {
        // On a quiet site good rows are rare: time heals too.
        self.left = (self.left + self.since.elapsed().as_secs_f64() / 60.0).min(REFUSED_MAX);
        self.since = Instant::now();
        let (refused, rows) = (refused as f64, rows as f64);
        if refused > self.left.max(rows / 100.0) {
            return false;
        }
        self.left = (self.left - refused).max(0.0);
        true
    }

    fn refill(&mut self, rows: usize) {
        self.left = (self.left + rows as f64 / 100.0).min(REFUSED_MAX);
    }
}

/// Loads `work` in one transaction. On success the batch holds what was loaded, with the counts per section; its `data`
/// only keeps its room.
pub async fn commit(
    client: &Client,
    work: &mut Work,
    memory: &mut Memory,
    patience: &mut Patience,
) -> Result<(), Failure> {
    let months: BTreeSet<Month> = work.batch.hours().map(partitions::month_of_hour).collect();
    memory.ensure_partitions(client, months.into_iter()).await?;

    let data = Bytes::from(std::mem::take(&mut work.batch.data));
    loop {
        let outcome = transaction(client, work, &data).await;
        match outcome {
            Ok(()) => {
                patience.refill(work.batch.keys.len());
                work.batch.data = Vec::from(data);
                return Ok(());
            }
            Err(failure) => {
                // A connection that is gone has rolled back by itself.
                let rolled_back = client.batch_execute("ROLLBACK").await.is_ok();
                let Failure::Postgres(Trouble::Data, _) = &failure else { return Err(failure) };
                if !rolled_back {
                    return Err(failure);
                }
                let rows = work.batch.keys.len();
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

/// Finds out what [`commit`] would do, and writes nothing: rows that are there already are cut out.
pub async fn rehearse(client: &Client, work: &mut Work) -> Result<(), Failure> {
    client.batch_execute("BEGIN READ ONLY; SET LOCAL statement_timeout = '5min'").await?;
    let loaded = loaded_times(client, &work.batch).await?;
    let there = ids_there(client, &work.batch, &loaded).await?;
    client.batch_execute("ROLLBACK").await?;
    work.batch.cut_loaded(&there);
    Ok(())
}

async fn transaction(client: &Client, work: &mut Work, data: &Bytes) -> Result<(), Failure> {
    // Once: where it is tried again without refused rows, they are there.
    let mut new = std::mem::take(&mut work.batch.new);
    let (referred_to, begun, is_doubtful, mut loaded) = join4(
        // Committed by itself, before the transaction begins.
        dimensions::add(client, &mut new),
        begin(client, &work.batch),
        may_be_there(client, &work.batch),
        loaded_times(client, &work.batch),
    )
    .await;
    referred_to.map_err(|error| match classify_any(&error) {
        // Of the rows it says nothing.
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
        let there = ids_there(client, &work.batch, &loaded).await?;
        fault::at(Step::IdsRead);
        work.batch.cut_loaded(&there);
    }
    let added = work.batch.added();
    enter_files(client, work, &added).await?;
    // All of them to their ends, so that no statement is left behind prepared.
    let (advanced, noted, quarantined, copy) = join4(
        advance(client, &work.batch, &added),
        note_by_ids(client, &work.batch, &added),
        quarantine(client, &work.batch),
        prepare_copy(client),
    )
    .await;
    advanced.and(noted).and(quarantined)?;
    fault::at(Step::Advanced);
    copy_rows(client, &copy?, &work.batch, data, 0..work.batch.keys.len()).await?;
    fault::at(Step::Copied);
    for (section, proof) in work.batch.sections.iter().zip(&work.proofs) {
        let heads = [Some(section.file.head()), section.better_head];
        let ends = [(&section.from_tail, section.from), (&section.to_tail, section.to)];
        let holds = |p: &Arc<dyn Proves>| {
            let heads = heads.iter().flatten().all(|head| p.holds(&head.proof, u64::from(head.proof.bytes)));
            heads && ends.iter().all(|(tail, at)| p.holds(tail, *at))
        };
        if !proof.as_ref().is_none_or(holds) {
            return Err(Failure::Stale("a file changed while it was loaded"));
        }
    }
    client.batch_execute("COMMIT").await?;
    fault::at(Step::Committed);
    Ok(())
}

/// Opens the transaction and takes the locks of the batch's hours: shared where checkpoints prove all of it,
/// exclusive where ids are read, so that the reading statement sees all that others committed.
async fn begin(client: &Client, batch: &Batch) -> Result<(), Failure> {
    let mut sql = format!(
        // The level that the id-reading statement relies on, whatever the role's default.
        "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout = '10s'; \
         SET LOCAL statement_timeout = '5min'; {NOTICE_THAT_WE_ARE_GONE}"
    );
    let lock = if batch.reads_ids() { "pg_advisory_xact_lock" } else { "pg_advisory_xact_lock_shared" };
    let hours: Vec<String> = batch.hours().map(|h| h.to_string()).collect();
    if !hours.is_empty() {
        // unnest gives its rows in order, so the locks are taken in ascending order.
        sql += &format!(
            "; SELECT count({lock}({LOCK_HOURS}, h)) FROM unnest('{{{}}}'::int[]) h",
            hours.join(",")
        );
    }
    client.batch_execute(&sql).await?;
    Ok(())
}

/// Whether anything was loaded by ids in the time of the batch: a replay of a copy may have run ahead of the log that
/// it was copied from, and then a checkpoint proves too little.
async fn may_be_there(client: &Client, batch: &Batch) -> Result<bool, Failure> {
    let Some((first, last)) = batch.times().filter(|_| batch.trusts_checkpoints()) else { return Ok(false) };
    let sql = "SELECT EXISTS (SELECT 1 FROM loaded_by_ids WHERE first_at <= $2 AND last_at >= $1)";
    let params: [(&(dyn ToSql + Sync), Type); 2] =
        [(&system_time(first), Type::TIMESTAMPTZ), (&system_time(last), Type::TIMESTAMPTZ)];
    Ok(client.query_typed_one(sql, &params).await?.get(0))
}

/// From when to when something is loaded already, of the time of the rows whose ids are asked for: disjoint, ascending.
async fn loaded_times(client: &Client, batch: &Batch) -> Result<Vec<(Micros, Micros)>, Failure> {
    let mut loaded: Vec<(Micros, Micros)> = Vec::new();
    let times = || batch.asked_for().map(|k| k.occurred_at);
    let (Some(first), Some(last)) = (times().min(), times().max()) else { return Ok(loaded) };
    let sql = "SELECT first_at, last_at FROM checkpoints WHERE first_at <= $2 AND last_at >= $1 \
               UNION ALL \
               SELECT first_at, last_at FROM loaded_by_ids WHERE first_at <= $2 AND last_at >= $1 \
               ORDER BY first_at";
    let params: [(&(dyn ToSql + Sync), Type); 2] =
        [(&system_time(first), Type::TIMESTAMPTZ), (&system_time(last), Type::TIMESTAMPTZ)];
    for row in client.query_typed(sql, &params).await? {
        let (from, to) = (micros(row.get::<_, SystemTime>(0)), micros(row.get::<_, SystemTime>(1)));
        match loaded.last_mut() {
            Some(before) if from <= before.1 => before.1 = before.1.max(to),
            _ => loaded.push((from, to)),
        }
    }
    Ok(loaded)
}

/// Those of the batch's rows whose ids are asked for that are there already. Only instants that lie within what
/// is loaded are looked up: into an empty range nothing is read.
async fn ids_there(
    client: &Client,
    batch: &Batch,
    loaded: &[(Micros, Micros)],
) -> Result<HashSet<(i32, Micros, u128)>, Failure> {
    let mut there = HashSet::new();
    let mut wanted: Vec<(i32, Micros)> = Vec::new();
    for key in batch.asked_for() {
        let at = loaded.partition_point(|range| range.1 < key.occurred_at);
        if loaded.get(at).is_some_and(|range| range.0 <= key.occurred_at) {
            wanted.push((key.app_id, key.occurred_at));
        }
    }
    wanted.sort_unstable();
    wanted.dedup();
    let (apps, times): (Vec<i32>, Vec<SystemTime>) =
        wanted.into_iter().map(|(app, at)| (app, system_time(at))).unzip();
    let (Some(first), Some(last)) = (times.iter().min(), times.iter().max()) else { return Ok(there) };
    client.batch_execute(IDS_BY_INDEX).await?;
    let params: [(&(dyn ToSql + Sync), Type); 4] = [
        (&apps, Type::INT4_ARRAY),
        (&times, Type::TIMESTAMPTZ_ARRAY),
        (first, Type::TIMESTAMPTZ),
        (last, Type::TIMESTAMPTZ),
    ];
    for row in client.query_typed(IDS_THERE, &params).await? {
        let at = micros(row.get::<_, SystemTime>(1));
        there.insert((row.get(0), at, row.get::<_, Uuid>(2).as_u128()));
    }
    Ok(there)
}

/// Enters the files that are new, those read aside, where files were seen, and how they begin.
async fn enter_files(client: &Client, work: &Work, added: &[Added]) -> Result<(), Failure> {
    for ((section, facts), added) in work.batch.sections.iter().zip(&work.facts).zip(added) {
        if let Some(aside) = &section.aside {
            enter_aside(client, &work.batch, section, aside, facts.as_ref(), added.0).await?;
        } else if let FileRef::New { id, disproved, .. } = &section.file {
            let facts = facts.as_ref().ok_or(Failure::Stale("a new file came without its facts"))?;
            create(client, *id, section, facts, disproved, *added).await?;
        } else {
            if let Some(facts) = facts {
                files::remember(client, section.file.id(), facts, Some(section.seal)).await?;
            }
            if let Some(better) = section.better_head {
                lengthen_head(client, section.file.id(), section.file.head(), better).await?;
            }
        }
    }
    Ok(())
}

/// Advances the checkpoints of known files. Columns of `sql/advance.sql`, one element a section.
async fn advance(client: &Client, batch: &Batch, added: &[Added]) -> Result<(), Failure> {
    let known: Vec<usize> = (0..batch.sections.len())
        .filter(|&i| {
            let section = &batch.sections[i];
            section.aside.is_none() && matches!(section.file, FileRef::Known { .. })
        })
        .collect();
    if known.is_empty() {
        return Ok(());
    }
    let sections = || known.iter().map(|&i| &batch.sections[i]);
    let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let narrow = |n: u32| i32::try_from(n).unwrap_or(i32::MAX);
    let of = |f: fn(&Section) -> u64| sections().map(|s| signed(f(s))).collect::<Vec<_>>();
    let rows: Vec<i64> = known.iter().map(|&i| signed(added[i].0)).collect();
    let first: Vec<Option<SystemTime>> =
        known.iter().map(|&i| added[i].1.map(|t| system_time(t.0))).collect();
    let last: Vec<Option<SystemTime>> = known.iter().map(|&i| added[i].1.map(|t| system_time(t.1))).collect();
    let heads: Vec<[u8; 16]> =
        sections().map(|s| s.better_head.unwrap_or(s.file.head()).proof.hash).collect();
    let from_tails: Vec<[u8; 16]> = sections().map(|s| s.from_tail.hash).collect();
    let to_tails: Vec<[u8; 16]> = sections().map(|s| s.to_tail.hash).collect();
    fn slices(hashes: &[[u8; 16]]) -> Vec<&[u8]> {
        hashes.iter().map(|h| &h[..]).collect()
    }
    let advanced = client
        .execute_typed(
            ADVANCE,
            &[
                (&sections().map(|s| s.file.id()).collect::<Vec<_>>(), Type::INT4_ARRAY),
                (&slices(&heads), Type::BYTEA_ARRAY),
                (&of(|s| s.from), Type::INT8_ARRAY),
                (&slices(&from_tails), Type::BYTEA_ARRAY),
                (&of(|s| s.to), Type::INT8_ARRAY),
                (&slices(&to_tails), Type::BYTEA_ARRAY),
                (&sections().map(|s| narrow(s.to_tail.bytes)).collect::<Vec<_>>(), Type::INT4_ARRAY),
                (&sections().map(|s| s.seal).collect::<Vec<_>>(), Type::BOOL_ARRAY),
                (&of(|s| s.lines), Type::INT8_ARRAY),
                (&rows, Type::INT8_ARRAY),
                (&of(|s| s.non_hits), Type::INT8_ARRAY),
                (&of(|s| s.rejects), Type::INT8_ARRAY),
                (&of(|s| s.already_loaded), Type::INT8_ARRAY),
                (&first, Type::TIMESTAMPTZ_ARRAY),
                (&last, Type::TIMESTAMPTZ_ARRAY),
                (&sections().map(|s| s.goes_on_by_ids).collect::<Vec<_>>(), Type::BOOL_ARRAY),
            ],
        )
        .await?;
    if advanced != known.len() as u64 {
        return Err(Failure::Stale("a checkpoint was moved by another process"));
    }
    Ok(())
}

/// Stores the longer beginning of a file. Where its checkpoint is another by now, it does not advance.
async fn lengthen_head(client: &Client, file_id: i32, head: Head, better: Head) -> Result<(), Failure> {
    client
        .execute_typed(
            LENGTHEN_HEAD,
            &[
                (&file_id, Type::INT4),
                (&&head.proof.hash[..], Type::BYTEA),
                (&&better.proof.hash[..], Type::BYTEA),
                (&i32::try_from(better.proof.bytes).unwrap_or(i32::MAX), Type::INT4),
                (&better.has_id, Type::BOOL),
            ],
        )
        .await?;
    Ok(())
}

/// Enters what was read beside a file's checkpoint: rejects that are none any more.
async fn enter_aside(
    client: &Client,
    batch: &Batch,
    section: &Section,
    aside: &Aside,
    facts: Option<&Facts>,
    rows: u64,
) -> Result<(), Failure> {
    let id = section.file.id();
    let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    if !aside.used.is_empty() {
        let of = |f: fn(&UsedSpan) -> u64| aside.used.iter().map(|u| signed(f(u))).collect::<Vec<_>>();
        let left: Vec<i32> =
            aside.used.iter().map(|u| i32::try_from(u.lines_left).unwrap_or(i32::MAX)).collect();
        let taken: i64 = client
            .query_typed_one(
                TAKE_REJECTS,
                &[
                    (&id, Type::INT4),
                    (&of(|u| u.offset), Type::INT8_ARRAY),
                    (&of(|u| u.bytes), Type::INT8_ARRAY),
                    (&of(|u| u.bytes_read), Type::INT8_ARRAY),
                    (&left, Type::INT4_ARRAY),
                ],
            )
            .await?
            .get(0);
        if usize::try_from(taken).ok() != Some(aside.used.len()) {
            return Err(Failure::Stale("rejects were taken up by another process"));
        }
    }
    let ledger = aside.ledger;
    let were_rejects = batch.rows_that_were_rejects(id);
    if let FileRef::Known { .. } = section.file {
        let entered = client
            .execute_typed(
                ENTER_ASIDE,
                &[
                    (&id, Type::INT4),
                    (&signed(ledger.gone), Type::INT8),
                    (&signed(were_rejects), Type::INT8),
                    (&signed(ledger.non_hits), Type::INT8),
                    (&signed(ledger.rejects), Type::INT8),
                    (&signed(ledger.already_loaded), Type::INT8),
                    (&signed(rows.saturating_sub(were_rejects)), Type::INT8),
                ],
            )
            .await?;
        if entered == 0 {
            return Err(Failure::Stale("a file was taken out by another process"));
        }
    }
    if let FileRef::New { .. } = section.file
        && rows > 0
    {
        let facts = facts.ok_or(Failure::Stale("a new file came without its facts"))?;
        add_file(client, id, facts, false).await?;
    }
    Ok(())
}

/// Notes when the rows happened that the batch adds by ids: files that go on at their checkpoints may hold the same
/// lines.
async fn note_by_ids(client: &Client, batch: &Batch, added: &[Added]) -> Result<(), Failure> {
    let (mut files, mut firsts, mut lasts, mut counts) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (section, &(rows, times)) in batch.sections.iter().zip(added) {
        let Some((first, last)) = times.filter(|_| section.by_ids) else { continue };
        files.push(section.file.id());
        firsts.push(system_time(first));
        lasts.push(system_time(last));
        counts.push(i64::try_from(rows).unwrap_or(i64::MAX));
    }
    if files.is_empty() {
        return Ok(());
    }
    client
        .execute_typed(
            NOTE_BY_IDS,
            &[
                (&files, Type::INT4_ARRAY),
                (&firsts, Type::TIMESTAMPTZ_ARRAY),
                (&lasts, Type::TIMESTAMPTZ_ARRAY),
                (&counts, Type::INT8_ARRAY),
            ],
        )
        .await?;
    Ok(())
}

/// Adds a file's row to `log_files`, if it is not there yet.
async fn add_file(client: &Client, id: i32, facts: &Facts, sealed: bool) -> Result<(), Failure> {
    client
        .execute_typed(
            "INSERT INTO log_files (id, host, source, path, format, inode, size_bytes, modified_at, sealed_at, spec) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, CASE WHEN $9 THEN now() END, $10::text::jsonb) \
             ON CONFLICT (id) DO NOTHING",
            &[
                (&id, Type::INT4),
                (&facts.host, Type::TEXT),
                (&facts.source, Type::TEXT),
                (&facts.path, Type::TEXT),
                (&facts.format, Type::TEXT),
                (&facts.inode, Type::INT8),
                (&facts.stamp.size, Type::INT8),
                (&system_time(facts.stamp.modified), Type::TIMESTAMPTZ),
                (&sealed, Type::BOOL),
                (&facts.spec, Type::TEXT),
            ],
        )
        .await?;
    Ok(())
}

/// Makes the rows of a new file, under a lock on its beginning, if it is still as unknown as when its reader
/// looked.
async fn create(
    client: &Client,
    id: i32,
    section: &Section,
    facts: &Facts,
    disproved: &[i32],
    (rows, times): Added,
) -> Result<(), Failure> {
    let head = section.file.head();
    let lock = if head.has_id {
        head.proof.hash
    } else {
        crate::pure::checkpoint::hash(format!("{}\0{}", facts.host, facts.source).as_bytes())
    };
    let mut key = [0; 8];
    key.copy_from_slice(&lock[..8]);
    client
        .execute_typed("SELECT pg_advisory_xact_lock($1)", &[(&i64::from_be_bytes(key), Type::INT8)])
        .await?;
    let others = files::candidates(client, head, &facts.host, &facts.source).await?;
    if others.iter().any(|o| !disproved.contains(&o.checkpoint.file_id)) {
        return Err(Failure::Stale("another process began to load the same file"));
    }
    add_file(client, id, facts, section.seal).await?;
    let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let head = section.better_head.unwrap_or(head);
    let narrow = |n: u32| i32::try_from(n).unwrap_or(i32::MAX);
    client
        .execute_typed(
            "INSERT INTO checkpoints (file_id, head, head_bytes, head_has_id, fork, loaded_bytes, tail, tail_bytes, \
                sealed, lines, rows, non_hits, rejects, already_loaded, first_at, last_at, by_ids) \
             VALUES ($1, $2, $3, $4, (SELECT coalesce(max(fork) + 1, 0) FROM checkpoints WHERE head = $2), \
                $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
            &[
                (&id, Type::INT4),
                (&&head.proof.hash[..], Type::BYTEA),
                (&narrow(head.proof.bytes), Type::INT4),
                (&head.has_id, Type::BOOL),
                (&signed(section.to), Type::INT8),
                (&&section.to_tail.hash[..], Type::BYTEA),
                (&narrow(section.to_tail.bytes), Type::INT4),
                (&section.seal, Type::BOOL),
                (&signed(section.lines), Type::INT8),
                (&signed(rows), Type::INT8),
                (&signed(section.non_hits), Type::INT8),
                (&signed(section.rejects), Type::INT8),
                (&signed(section.already_loaded), Type::INT8),
                (&times.map(|t| system_time(t.0)), Type::TIMESTAMPTZ),
                (&times.map(|t| system_time(t.1)), Type::TIMESTAMPTZ),
                (&section.goes_on_by_ids, Type::BOOL),
            ],
        )
        .await?;
    Ok(())
}

/// Prepares the COPY of rows.
async fn prepare_copy(client: &Client) -> Result<Statement, Failure> {
    Ok(client.prepare(&format!("COPY access_logs ({}) FROM STDIN (FORMAT binary)", COLUMNS)).await?)
}

/// Copies the rows `which` of the batch.
async fn copy_rows(
    client: &Client,
    copy: &Statement,
    batch: &Batch,
    data: &Bytes,
    which: std::ops::Range<usize>,
) -> Result<(), Failure> {
    if which.is_empty() {
        return Ok(());
    }
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

/// Finds the rows that PostgreSQL refuses for their data, by halves, in a transaction that the caller rolls
/// back: indices into `batch.keys`, ascending, with PostgreSQL's message.
async fn find_refused(client: &Client, batch: &Batch, data: &Bytes) -> Result<Vec<(usize, String)>, Failure> {
    client
        .batch_execute(&format!("BEGIN; SET LOCAL lock_timeout = '10s'; SET LOCAL statement_timeout = '5min'; {NOTICE_THAT_WE_ARE_GONE}"))
        .await?;
    let statement = prepare_copy(client).await?;
    let mut refused = Vec::new();
    let mut halves: Vec<_> = std::iter::once(0..batch.keys.len()).collect();
    while let Some(range) = halves.pop() {
        client.batch_execute("SAVEPOINT half").await?;
        match copy_rows(client, &statement, batch, data, range.clone()).await {
            Ok(()) => client.batch_execute("RELEASE SAVEPOINT half").await?,
            Err(Failure::Postgres(Trouble::Data, error)) => {
                client.batch_execute("ROLLBACK TO SAVEPOINT half").await?;
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
        // Far beyond what could be rejects: no need to try every row.
        if refused.len() as f64 > REFUSED_MAX.max(batch.keys.len() as f64 / 100.0) {
            break;
        }
    }
    Ok(refused)
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
