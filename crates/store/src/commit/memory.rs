//! What a writer remembers of the database between commits, on whichever of its connections they are.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use alt_line::batch::{Batch, BatchRow};
use alt_process::lock::lock;
use tokio_postgres::Client;

use super::ids::{Loaded, Strays, find_strays};
use super::{Failure, months_of};
use crate::partitions::{self, Month};

/// What is remembered. Discarded after any failure. All copies have the same memory.
#[derive(Debug, Clone, Default)]
pub struct Memory(Arc<Mutex<Remembered>>);

#[derive(Debug, Default)]
struct Remembered {
    partitions: BTreeSet<Month>,
    strays: Strays,
}

impl Memory {
    /// Creates the partitions of `months` that are not known to exist.
    pub async fn ensure_partitions(&self, client: &Client, months: BTreeSet<Month>) -> anyhow::Result<()> {
        let unknown: Vec<Month> = months.difference(&lock(&self.0).partitions).copied().collect();
        for month in unknown {
            partitions::ensure(client, month).await?;
            lock(&self.0).partitions.insert(month);
        }
        Ok(())
    }

    /// Whether the partitions of the batch are known to exist.
    pub(super) fn has_partitions(&self, batch: &Batch) -> bool {
        months_of(batch).is_subset(&lock(&self.0).partitions)
    }

    /// Forgets the known partitions, because some may have been dropped.
    pub fn forget_partitions(&self) {
        lock(&self.0).partitions.clear();
    }

    /// Looks for strays in the hours of a batch that were not looked at before. Takes no message if there is none.
    pub(super) async fn look(&self, client: &Client, batch: &Batch, loaded: &Loaded) -> Result<(), Failure> {
        let new = lock(&self.0).strays.unknown(batch);
        if !new.is_empty() {
            let found = find_strays(client, &new, loaded).await?;
            lock(&self.0).strays.learn(&new, found);
        }
        Ok(())
    }

    /// Which rows of the batch whose ids are looked up may be in the database, and whether they may be strays.
    pub(super) fn suspected<'b>(&self, batch: &'b Batch, loaded: &Loaded) -> Vec<(&'b BatchRow, bool)> {
        let strays = &lock(&self.0).strays;
        let rows = batch.asked_for().map(|row| (row, strays.has(row)));
        rows.filter(|(row, is_stray)| *is_stray || loaded.covers(batch, row)).collect()
    }
}
