//! Upkeep, a worker: creates partitions ahead, and deletes expired salts, rejects and rows.
//!
//! Every host with the same `[retention]` could do this. A lease ensures that only one of them does it at a time. Each
//! step is its own transaction, and a failed step does not affect the others.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use alt_line::hit::Micros;
use alt_process::fault::{self, Step};
use alt_process::lock::lock;
use alt_process::metrics::Metrics;
use alt_process::stop::Stop;
use alt_process::worker::{Done, Work};
use anyhow::bail;
use tokio_postgres::Client;

use super::lease::{self, Lease, Lost};
use super::partitions::Dropped;
use super::retention::clock::Trusted;
use super::retention::{self, Plan, Waits};
use super::session::Session;
use super::writer::{COMMIT_TIMEOUT, Watcher};
use super::{alerts, dimensions, in_transaction, is_lock_timeout, ledger, partitions, presence, stats, told};

/// How often upkeep runs.
const INTERVAL: Duration = Duration::from_secs(3600);

/// How often upkeep runs after an error, and while something that is old enough waits.
const RETRY: Duration = Duration::from_secs(60);

/// The maximum time in which one turn deletes rejects. The next turn, a minute later, deletes the rest.
const PURGE_MAX: Duration = Duration::from_secs(600);

/// The maximum number of slices of the ledger that are deleted in one turn: more than an hour's commits.
const PRUNINGS_MAX: u64 = 100;

/// The worker.
pub struct Upkeep {
    retention: alt_config::Retention,
    has_stats: bool,
    has_alerts: bool,
    host: String,
    session: Session,
    lease: Lease,
    writer: Watcher,
    /// The number of databases at the last turn, as returned by [`Watcher::databases`].
    database: u64,
    waits: Arc<Mutex<Option<Waits>>>,
}

impl Upkeep {
    /// Creates the worker for a configuration.
    ///
    /// # Errors
    /// The runtime cannot be created.
    pub fn new(
        config: &alt_config::Config,
        writer: Watcher,
        metrics: &Metrics,
        stop: &Arc<Stop>,
    ) -> anyhow::Result<Upkeep> {
        let (retention, host) = (config.retention.clone(), config.load.host_name());
        Ok(Upkeep {
            session: Session::new(&config.postgres, "upkeep", &host, metrics, stop)?,
            lease: Lease::new(work(&retention), &host),
            database: writer.databases(),
            writer,
            waits: Arc::default(),
            retention,
            has_stats: config.stats.enabled,
            has_alerts: config.alerts.enabled,
            host,
        })
    }

    /// What prevents deletion of something that is old enough.
    pub fn waits(&self) -> Arc<Mutex<Option<Waits>>> {
        Arc::clone(&self.waits)
    }

    /// Runs all steps.
    fn look_after(&mut self) -> anyhow::Result<Done> {
        self.database = self.writer.databases();
        let retry = fault::wait(RETRY);
        let made = self.session.ask_within(COMMIT_TIMEOUT, async |client| {
            for month in partitions::ahead() {
                partitions::ensure(client, month).await?;
            }
            Ok(())
        });
        self.writer.partitions_changed();
        let host = &self.host;
        let time = match self.session.ask(async |client| retention::clock::judge(client, host).await)? {
            Ok(time) => time,
            Err(doubt) => {
                self.tell(Some(Waits::Clock(doubt)));
                made?;
                return Ok(Done::all(retry));
            }
        };
        let plan = self.plan(&time);
        let cleared = self.clear_away(time.at, plan.as_ref().ok());
        let lease = &mut self.lease;
        // A lease that cannot be released expires.
        let _ = self.session.ask(async |client| lease.release(client).await);
        made?;
        let is_waiting = plan?.waits.is_some();
        match cleared {
            Ok(is_done) => Ok(Done::all(if is_waiting || !is_done { retry } else { INTERVAL })),
            Err(error) if error.is::<Lost>() => {
                tracing::debug!("another host deletes what is old enough");
                Ok(Done::all(retry))
            }
            Err(error) => Err(error.context("delete what is old enough")),
        }
    }

    /// Records that the time is correct, and plans which months to drop.
    fn plan(&mut self, time: &Trusted) -> anyhow::Result<Plan> {
        let (host, rows) = (&self.host, self.retention.rows.as_ref());
        let plan = self.session.ask(async |client| {
            let quiet_since = retention::clock::keep(client, host, time).await?;
            match rows {
                Some(keep) => retention::planned(client, keep, time.at, quiet_since).await,
                None => Ok(Plan::default()),
            }
        })?;
        self.tell(plan.waits.clone());
        Ok(plan)
    }

    /// Logs once what prevents a deletion, and once that this is over.
    fn tell(&self, waits: Option<Waits>) {
        let before = std::mem::replace(&mut *lock(&self.waits), waits.clone());
        match waits {
            Some(waits) if before.as_ref().is_none_or(|before| !before.is_like(&waits)) => match waits.word()
            {
                Some(_) => tracing::warn!(mend = waits.mend(), "{waits}"),
                None => tracing::info!("{waits}"),
            },
            None if before.is_some() => tracing::info!("what is old enough is deleted again"),
            _ => {}
        }
    }

    /// Writes in one transaction, if the lease is ours or free.
    fn write<T>(&mut self, statements: impl AsyncFnOnce(&Client) -> anyhow::Result<T>) -> anyhow::Result<T> {
        let lease = &mut self.lease;
        self.session.ask_within(COMMIT_TIMEOUT, async |client| {
            let Some(fence) = lease.take(client).await? else { bail!(Lost) };
            fault::at(Step::LeaseTaken);
            in_transaction(client, partitions::LOCK_TIMEOUT, async |client| {
                fence.check(client).await?;
                fault::at(Step::FenceChecked);
                statements(client).await
            })
            .await
        })
    }

    /// Deletes what is old enough. Runs every step even if another one fails, and returns the first error.
    /// Without a plan, no month is dropped.
    /// Returns whether nothing is left that is old enough.
    fn clear_away(&mut self, now: Micros, plan: Option<&Plan>) -> anyhow::Result<bool> {
        let (salts, rejects) = (self.kill_salts(now), self.purge_rejects(now));
        let months = plan.map_or(Ok(true), |plan| self.drop_months(plan));
        let statistics = self.expire_statistics(now);
        let (ledger, rest) = (self.prune_ledger(), self.forget());
        let is_done = salts.and(rejects)?;
        let is_dropped = months?;
        statistics.and(ledger).and(rest).map(|()| is_done && is_dropped)
    }

    fn kill_salts(&mut self, now: Micros) -> anyhow::Result<()> {
        let host = self.host.clone();
        let killed = self.write(async |client| dimensions::kill_salts(client, now, &host).await)?;
        if killed > 0 {
            tracing::info!(salts = killed, "destroyed the visitor salts of days that are over");
        }
        Ok(())
    }

    /// Deletes rejects to the last that is old enough, unless that takes too long. Returns whether none is left.
    fn purge_rejects(&mut self, now: Micros) -> anyhow::Result<bool> {
        let age = i64::try_from(self.retention.rejects.as_micros()).unwrap_or(i64::MAX);
        let (before, host) = (now.saturating_sub(age), self.host.clone());
        let began = Instant::now();
        let (mut purged, mut is_done) = (0, false);
        let mut place = dimensions::FIRST_PLACE.to_owned();
        while !is_done && began.elapsed() < PURGE_MAX {
            let slice =
                self.write(async |client| dimensions::purge_rejects(client, before, &host, &place).await);
            let (spans, last) = match slice {
                Ok(slice) => slice,
                Err(error) => return Err(error.context(format!("{purged} rejects were deleted"))),
            };
            purged += spans;
            if spans < dimensions::PURGE_SLICE {
                // PostgreSQL may have begun to read in the middle of the table: look from the beginning.
                is_done = place == dimensions::FIRST_PLACE;
                place = dimensions::FIRST_PLACE.to_owned();
            } else if let Some(last) = last {
                place = last;
            }
        }
        if purged > 0 {
            tracing::info!(spans = purged, "deleted rejects that are older than [retention] rejects");
        }
        Ok(is_done)
    }

    /// Drops the months of the plan. A month that cannot be dropped does not affect the others. Returns whether no month
    /// waits for its statistics.
    fn drop_months(&mut self, plan: &Plan) -> anyhow::Result<bool> {
        let (mut first, mut is_all) = (Ok(()), true);
        for &month in &plan.months {
            let (partition, host) = (partitions::name(month), self.host.clone());
            let has_stats = self.has_stats;
            // Before the drop, whose locks loading waits for.
            let frozen = self.write(async |client| {
                if has_stats {
                    stats::freeze::freeze_computed(client, month).await
                } else {
                    stats::freeze::freeze(client, month).await
                }
            });
            if let Err(error) = frozen {
                match error.downcast_ref::<stats::freeze::Unfolded>() {
                    Some(unfolded) => {
                        tracing::info!(partition, "{unfolded}");
                        is_all = false;
                    }
                    None => first = first.and(Err(error)),
                }
                continue;
            }
            match self.write(async |client| partitions::drop_month(client, month, &host).await) {
                Ok(Dropped::Gone(rows)) => {
                    self.writer.partitions_changed();
                    tracing::info!(
                        partition,
                        rows,
                        "dropped a partition: its rows are older than [retention] rows"
                    );
                }
                Ok(Dropped::Absent) => {}
                Err(error) if is_lock_timeout(&error) => {
                    tracing::info!(partition, "in use: dropped later");
                }
                Err(error) => first = first.and(Err(error)),
            }
        }
        first.map(|()| is_all)
    }

    /// Deletes statistics that are older than `[retention] statistics`.
    fn expire_statistics(&mut self, now: Micros) -> anyhow::Result<()> {
        let Some(keep) = self.retention.statistics else { return Ok(()) };
        let (host, before) = (self.host.clone(), keep.before(now));
        let mut expired = 0;
        loop {
            let days = self.write(async |client| stats::freeze::expire(client, before, &host).await)?;
            expired += days;
            if days < stats::freeze::EXPIRED_AT_ONCE {
                break;
            }
        }
        if expired > 0 {
            tracing::info!(days = expired, "deleted statistics that are older than [retention] statistics");
        }
        Ok(())
    }

    fn prune_ledger(&mut self) -> anyhow::Result<()> {
        // Entries come at the rate of commits, and each is deleted once. The rest is deleted in the next turn.
        for _ in 0..PRUNINGS_MAX {
            if self.write(ledger::prune)? < ledger::PRUNE_SLICE {
                break;
            }
        }
        Ok(())
    }

    fn forget(&mut self) -> anyhow::Result<()> {
        let (has_stats, has_alerts) = (self.has_stats, self.has_alerts);
        self.write(async |client| {
            if !has_stats {
                stats::follow::end(client).await?;
            }
            if !has_alerts {
                alerts::follow::end(client).await?;
            }
            retention::trim_drops(client).await?;
            presence::forget_old(client).await?;
            lease::forget_old(client).await
        })
    }
}

impl Work for Upkeep {
    fn name(&self) -> &'static str {
        "upkeep"
    }

    fn is_wanted(&self) -> bool {
        // Another database may lack partitions that were created in the previous one.
        self.writer.databases() != self.database
    }

    fn turn(&mut self) -> anyhow::Result<Done> {
        let done = self.look_after();
        // The next turn is an hour away. Do not occupy a connection until then.
        self.session.close();
        done.map_err(|error| anyhow::Error::msg(told(&error)))
    }

    fn recover(&mut self) {
        self.session.close();
    }
}

/// The name of the work. Hosts that keep rows and rejects for the same time share it.
fn work(retention: &alt_config::Retention) -> String {
    let rows = retention.rows.as_ref().map_or_else(|| "all rows".to_owned(), |keep| format!("rows {keep:?}"));
    format!("upkeep: {rows}, rejects {:?}", retention.rejects)
}
