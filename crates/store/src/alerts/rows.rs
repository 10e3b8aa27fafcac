//! Reads what rules look at, rows and samples, in the order of their times, and counts it by lenses.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::pin::pin;
use std::time::{Duration, Instant};

use alt_alerts::bucket::{Bucket, Event, Series};
use alt_alerts::lens::{Fold, Labels, Lens, Of};
use alt_alerts::time::{Micros, SLOT, slot_from, slot_of};
use alt_process::clock::micros;
use anyhow::{Context, bail};
use futures_util::TryStreamExt;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};

use super::samples;
use crate::lease::Lease;
use crate::session::Session;
use crate::stats::rows::{Slicer, is_too_long, literal, short};

/// The largest slice that is read in one statement.
pub const SLICE: Duration = Duration::from_secs(6 * 3600);

/// The most counts (of a series in a slot) in memory: some 80 MB.
pub const COUNTS_MAX: usize = 200_000;

/// By labels: slots in any order.
pub(super) type Slots = BTreeMap<Labels, Vec<(Micros, Bucket)>>;

/// By lens and labels: what was counted.
pub type Counted = BTreeMap<Lens, BTreeMap<Labels, Series>>;

/// What is read with, and the lease that is renewed between slices.
pub struct Reading<'a> {
    /// The connection.
    pub session: &'a mut Session,
    /// The lease; `None`: somebody only looks.
    pub lease: Option<&'a mut Lease>,
    /// How large slices are.
    pub slicer: &'a mut Slicer,
}

/// The columns that an event is made of.
const COLUMNS: &str = "occurred_at, traffic_class, event_type, url_host, url_path, method, referrer_host, \
                       entity_type, module_id, client_sub_id, status, request_ms, bytes_sent";

/// How many columns these are.
const COLUMNS_COUNT: usize = 13;

/// The event of a row of [`COLUMNS`].
fn event<'r>(row: &'r Row, numbers: &'r [(&'r str, i64)]) -> Result<Event<'r>, tokio_postgres::Error> {
    let text = |n: usize| Ok::<_, tokio_postgres::Error>(row.try_get::<_, Option<&str>>(n)?.unwrap_or(""));
    Ok(Event {
        at: micros(row.try_get(0)?),
        class: text(1)?,
        event_type: text(2)?,
        host: text(3)?,
        path: text(4)?,
        method: text(5)?,
        referrer: text(6)?,
        entity_type: text(7)?,
        module: text(8)?,
        sub_account: text(9)?,
        status: row.try_get(10)?,
        request_ms: row.try_get(11)?,
        bytes: row.try_get(12)?,
        numbers,
    })
}

/// What was counted by each lens.
pub(super) type ByLens = Vec<(Lens, BTreeMap<Labels, Series>)>;

/// Counts the rows and the samples of an application between two times, both of which are ends of slots. Runs within a
/// transaction that reads.
///
/// # Errors
/// The database cannot be asked.
pub(super) async fn counted(
    client: &Client,
    app_id: i32,
    times: &Range<Micros>,
    lenses: &BTreeSet<Lens>,
) -> anyhow::Result<ByLens> {
    let (of_samples, of_events): (BTreeSet<Lens>, BTreeSet<Lens>) =
        lenses.iter().cloned().partition(|lens| matches!(lens.of(), Of::Sample(_)));
    let mut all = ByLens::new();
    if !of_events.is_empty() {
        all.extend(counted_rows(client, app_id, times, &of_events).await?);
    }
    if !of_samples.is_empty() {
        all.extend(samples::counted(client, app_id, times, &of_samples).await?);
    }
    Ok(all)
}

async fn counted_rows(
    client: &Client,
    app_id: i32,
    times: &Range<Micros>,
    lenses: &BTreeSet<Lens>,
) -> anyhow::Result<ByLens> {
    let names = samples::names(lenses);
    let sql = format!(
        "SELECT {COLUMNS}{} FROM access_logs WHERE app_id = {app_id} AND occurred_at >= {} AND occurred_at < {} \
         ORDER BY occurred_at",
        samples::columns("params -> 'custom'", &names),
        literal(times.start),
        literal(times.end)
    );
    let parameters = names.iter().map(|name| (*name, Type::TEXT));
    let mut fold = Fold::new(lenses.iter().cloned());
    let mut rows = pin!(client.query_typed_raw(&sql, parameters).await.context("read rows")?);
    while let Some(row) = rows.try_next().await.context("read rows")? {
        let numbers = samples::said(&row, COLUMNS_COUNT, &names).context("read a row")?;
        fold.count(&event(&row, &numbers).context("read a row")?);
    }
    Ok(fold.finish())
}

impl Reading<'_> {
    /// Renews the lease.
    ///
    /// # Errors
    /// Somebody else has it, or the database cannot be asked.
    pub fn renew(&mut self) -> anyhow::Result<()> {
        let Some(lease) = self.lease.as_deref_mut() else { return Ok(()) };
        lease.hold(self.session)?;
        Ok(())
    }

    /// Counts the rows and samples of an application that are there now, between two times, by lenses. Slots are counted whole.
    ///
    /// # Errors
    /// The database cannot be asked, or [`TooMany`].
    pub fn count(
        &mut self,
        app_id: i32,
        times: &Range<Micros>,
        lenses: &BTreeSet<Lens>,
    ) -> anyhow::Result<Counted> {
        let mut slots: BTreeMap<Lens, Slots> = BTreeMap::new();
        let (mut at, until) = (slot_of(times.start), slot_from(times.end));
        while at < until && !lenses.is_empty() {
            self.renew()?;
            let next = slot_of(at + self.slicer.size()).max(at + SLOT).min(until);
            let (most, began) = (self.slicer.most(), Instant::now());
            let read = self.session.ask(async |client| {
                short(client, most, async |client| counted(client, app_id, &(at..next), lenses).await).await
            });
            match read {
                Ok(all) => {
                    self.slicer.worked(began.elapsed());
                    for (lens, by_labels) in all {
                        for (labels, series) in by_labels {
                            let entry = slots.entry(lens.clone()).or_default().entry(labels).or_default();
                            entry.extend_from_slice(series.slots());
                        }
                    }
                    let size = |by_labels: &Slots| by_labels.values().map(Vec::len).sum();
                    check_counts(slots.iter().map(|(lens, by_labels)| (lens, size(by_labels))))?;
                    at = next;
                }
                Err(error) if is_too_long(&error) && !self.slicer.is_least() => self.slicer.failed(),
                Err(error) => return Err(error),
            }
        }
        let series = |by_labels: Slots| {
            by_labels.into_iter().map(|(labels, slots)| (labels, Series::new(slots))).collect()
        };
        Ok(slots.into_iter().map(|(lens, by_labels)| (lens, series(by_labels))).collect())
    }
}

/// Rules tell too many series apart.
#[derive(Debug, Clone, PartialEq)]
pub struct TooMany {
    /// What the rule looks at that tells most of them apart.
    pub lens: Option<Lens>,
}

impl std::fmt::Display for TooMany {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "rules with group_by tell too many series apart: more than {COUNTS_MAX} counts; \
             keep fewer events by a filter, or take a shorter window"
        )
    }
}

impl std::error::Error for TooMany {}

/// Refuses what would take too much memory, by how many counts each lens has.
pub(super) fn check_counts<'l>(lenses: impl Iterator<Item = (&'l Lens, usize)>) -> anyhow::Result<()> {
    let (mut all, mut most, mut greatest) = (0, 0, None);
    for (lens, count) in lenses {
        all += count;
        if count > most {
            (most, greatest) = (count, Some(lens));
        }
    }
    if all > COUNTS_MAX {
        bail!(TooMany { lens: greatest.cloned() });
    }
    Ok(())
}

/// How many counts of each lens there are.
pub(super) fn sizes(counted: &Counted) -> impl Iterator<Item = (&Lens, usize)> {
    counted.iter().map(|(lens, some)| (lens, some.values().map(|one| one.slots().len()).sum()))
}
