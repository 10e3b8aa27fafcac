//! The files of a batch: new files, the advance of their checkpoints, and what was read beside these.

use std::time::SystemTime;

use alt_line::batch::{Added, Batch, FileRef, Section};
use alt_line::checkpoint::Head;
use alt_line::reread::{Reread, UsedSpan};
use alt_process::clock::system_time;
use futures_util::future::join4;
use tokio_postgres::Client;
use tokio_postgres::types::Type;

use super::{Failure, Work};
use crate::files::{self, Facts};

const ADVANCE: &str = include_str!("../../../../sql/advance.sql");
const LENGTHEN_HEAD: &str = include_str!("../../../../sql/lengthen_head.sql");
const TAKE_REJECTS: &str = include_str!("../../../../sql/take_rejects.sql");
const RECORD_REREAD: &str = include_str!("../../../../sql/record_reread.sql");
const NOTE_BY_IDS: &str = include_str!("../../../../sql/note_by_ids.sql");

/// Records the new files, what was read again, where files were seen, and their heads.
pub(super) async fn enter_files(client: &Client, work: &Work, added: &[Added]) -> Result<(), Failure> {
    for ((section, facts), added) in work.batch.sections.iter().zip(&work.facts).zip(added) {
        if let Some(reread) = &section.reread {
            record_reread(client, &work.batch, section, reread, facts.as_ref(), added.rows).await?;
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

/// Advances the checkpoints of known files. The parameters are the columns of `sql/advance.sql`, with one element per
/// section.
pub(super) async fn advance(client: &Client, batch: &Batch, added: &[Added]) -> Result<(), Failure> {
    let known: Vec<usize> = (0..batch.sections.len())
        .filter(|&i| {
            let section = &batch.sections[i];
            section.reread.is_none() && matches!(section.file, FileRef::Known { .. })
        })
        .collect();
    if known.is_empty() {
        return Ok(());
    }
    let sections = || known.iter().map(|&i| &batch.sections[i]);
    let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let narrow = |n: u32| i32::try_from(n).unwrap_or(i32::MAX);
    let of = |f: fn(&Section) -> u64| sections().map(|s| signed(f(s))).collect::<Vec<_>>();
    let rows: Vec<i64> = known.iter().map(|&i| signed(added[i].rows)).collect();
    let first: Vec<Option<SystemTime>> =
        known.iter().map(|&i| added[i].times.map(|t| system_time(t.0))).collect();
    let last: Vec<Option<SystemTime>> =
        known.iter().map(|&i| added[i].times.map(|t| system_time(t.1))).collect();
    let heads: Vec<[u8; 16]> =
        sections().map(|s| s.better_head.unwrap_or(s.file.head()).proof.hash).collect();
    let from_tails: Vec<[u8; 16]> = sections().map(|s| s.from.tail.hash).collect();
    let to_tails: Vec<[u8; 16]> = sections().map(|s| s.to.tail.hash).collect();
    fn slices(hashes: &[[u8; 16]]) -> Vec<&[u8]> {
        hashes.iter().map(|h| &h[..]).collect()
    }
    let advanced = client
        .execute_typed(
            ADVANCE,
            &[
                (&sections().map(|s| s.file.id()).collect::<Vec<_>>(), Type::INT4_ARRAY),
                (&slices(&heads), Type::BYTEA_ARRAY),
                (&of(|s| s.from.offset), Type::INT8_ARRAY),
                (&slices(&from_tails), Type::BYTEA_ARRAY),
                (&of(|s| s.to.offset), Type::INT8_ARRAY),
                (&slices(&to_tails), Type::BYTEA_ARRAY),
                (&sections().map(|s| narrow(s.to.tail.bytes)).collect::<Vec<_>>(), Type::INT4_ARRAY),
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

/// Stores the longer head of a file. If the stored head has changed meanwhile, it stays, and its checkpoint does not
/// advance.
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

/// Records what was read beside a file's checkpoint, such as rejects that are no longer rejects.
async fn record_reread(
    client: &Client,
    batch: &Batch,
    section: &Section,
    reread: &Reread,
    facts: Option<&Facts>,
    rows: u64,
) -> Result<(), Failure> {
    let id = section.file.id();
    let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    if !reread.used.is_empty() {
        let of = |f: fn(&UsedSpan) -> u64| reread.used.iter().map(|u| signed(f(u))).collect::<Vec<_>>();
        let left: Vec<i32> =
            reread.used.iter().map(|u| i32::try_from(u.lines_left).unwrap_or(i32::MAX)).collect();
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
        if usize::try_from(taken).ok() != Some(reread.used.len()) {
            return Err(Failure::Stale("rejects were taken up by another process"));
        }
    }
    let ledger = reread.ledger;
    let were_rejects = batch.rows_that_were_rejects(id);
    if let FileRef::Known { .. } = section.file {
        let entered = client
            .execute_typed(
                RECORD_REREAD,
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

/// Records the times of the rows that the batch adds by ids: files that continue at their checkpoints may contain the
/// same lines.
pub(super) async fn note_by_ids(client: &Client, batch: &Batch, added: &[Added]) -> Result<(), Failure> {
    let (mut files, mut firsts, mut lasts, mut counts) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (section, &Added { rows, times }) in batch.sections.iter().zip(added) {
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

/// Adds a file's row to `log_files`, if it does not exist yet.
async fn add_file(client: &Client, id: i32, facts: &Facts, sealed: bool) -> Result<(), Failure> {
    client
        .execute_typed(
            "INSERT INTO log_files (id, host, source, path, format, inode, size_bytes, modified_at, sealed_at, spec, \
                real_path) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, CASE WHEN $9 THEN now() END, $10::text::jsonb, $11) \
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
                (&facts.real_path, Type::TEXT),
            ],
        )
        .await?;
    Ok(())
}

/// Creates the rows of a new file, under a lock on its head, if the file is still as unknown as when its reader looked.
async fn create(
    client: &Client,
    id: i32,
    section: &Section,
    facts: &Facts,
    disproved: &[i32],
    Added { rows, times }: Added,
) -> Result<(), Failure> {
    let head = section.file.head();
    let lock = if head.has_id {
        head.proof.hash
    } else {
        alt_line::checkpoint::hash(format!("{}\0{}", facts.host, facts.source).as_bytes())
    };
    let mut key = [0; 8];
    key.copy_from_slice(&lock[..8]);
    let lock = async {
        let key = i64::from_be_bytes(key);
        client.execute_typed("SELECT pg_advisory_xact_lock($1)", &[(&key, Type::INT8)]).await
    };
    // Sent together, in this order: each of them begins when the ones before have ended, under the lock.
    let (locked, others, added, entered) = join4(
        lock,
        files::candidates(client, head, &facts.host, &facts.source),
        add_file(client, id, facts, section.seal),
        enter_checkpoint(client, id, section, Added { rows, times }),
    )
    .await;
    locked?;
    if others?.iter().any(|o| !disproved.contains(&o.checkpoint.file_id)) {
        return Err(Failure::Stale("another process began to load the same file"));
    }
    added.and(entered)
}

/// Creates the checkpoint of a new file.
async fn enter_checkpoint(
    client: &Client,
    id: i32,
    section: &Section,
    Added { rows, times }: Added,
) -> Result<(), Failure> {
    let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let head = section.better_head.unwrap_or(section.file.head());
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
                (&signed(section.to.offset), Type::INT8),
                (&&section.to.tail.hash[..], Type::BYTEA),
                (&narrow(section.to.tail.bytes), Type::INT4),
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
