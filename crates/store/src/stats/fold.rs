//! Computes marked days: takes what changed, reads the backlog, and folds what is due, on a connection of its own and
//! under the lease of this work.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use alt_line::hit::Micros;
use alt_process::fault::{self, Step};
use alt_process::metrics::Metrics;
use alt_process::stop::Stop;
use alt_statistics::day::Fold;
use alt_statistics::segment::{Bounds, Writer};
use alt_statistics::settings::{Limits, Settings};
use anyhow::Context;
use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};

use super::ask::{self, State};
use super::days::AppDay;
use super::replace::{self, Begun, Computed};
use super::rows::{self, Slicer};
use super::sort::{BUFFER, Sorter};
use super::spool::Spool;
use super::{NAME, backlog, follow, user_key};
use crate::lease::{Fence, Lease, Lost};
use crate::session::Session;

/// The statistics of a day that is not over are computed again after this time at the earliest.
const TODAY: Duration = Duration::from_secs(30);

/// A day that is over is computed when it was not marked for so long…
const QUIET: Duration = Duration::from_secs(10);

/// … or has waited for so long.
const WAITS_MAX: Duration = Duration::from_secs(300);

/// The segments of a day that is not over are written again after this time at the earliest.
const SEGMENTS: Duration = Duration::from_secs(600);

/// Segments take less memory in the daemon than by default.
const BOUNDS: Bounds = Bounds {
    rows: 100_000,
    rows_of_one: 1_000_000,
    values: 1_000_000,
    path_bytes: 8 << 20,
    other_bytes: 512 << 10,
    value_bytes: 8 << 20,
    text_bytes: 32 << 20,
};

/// The most days that are asked for at once.
const DAYS_AT_ONCE: i64 = 500;

/// The largest slices in which a day, and the backlog, are read: most days are read in one statement.
const SLICE: Duration = Duration::from_secs(26 * 3600);
const BACKLOG_SLICE: Duration = Duration::from_secs(24 * 3600);

/// Which days are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Today's now and then, and the others when nothing comes for them.
    Quiet,
    /// All that are marked.
    Now,
}

impl Due {
    /// Microseconds for `due_days.sql`.
    fn times(self) -> [i64; 3] {
        let micros = |time| i64::try_from(fault::wait(time).as_micros()).unwrap_or(i64::MAX);
        match self {
            Due::Quiet => [micros(TODAY), micros(QUIET), micros(WAITS_MAX)],
            Due::Now => [0; 3],
        }
    }

    /// How old the segments of a day that goes on are at least when they are written again. A command writes them at
    /// once: whoever gave it looks at the numbers next.
    fn segments_every(self) -> Duration {
        match self {
            Due::Quiet => fault::wait(SEGMENTS),
            Due::Now => Duration::ZERO,
        }
    }
}

/// Whether all was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// Nothing is left that is due.
    All,
    /// Time was up.
    Part,
    /// Another process does this work.
    Elsewhere,
}

/// What computes statistics.
pub struct Folder {
    session: Session,
    lease: Lease,
    /// Where the rows of a large day are sorted; `None`: where temporary files are.
    directory: Option<PathBuf>,
    slicer: Slicer,
    backlog_slicer: Slicer,
    /// Days that were computed.
    pub folded: u64,
}

impl Folder {
    /// Creates a folder that is not connected yet. `verb` is part of its session's name.
    ///
    /// # Errors
    /// The runtime cannot be created.
    pub fn new(
        config: &alt_config::Config,
        verb: &str,
        directory: Option<PathBuf>,
        metrics: &Metrics,
        stop: &Arc<Stop>,
    ) -> anyhow::Result<Folder> {
        let host = config.load.host_name();
        Ok(Folder {
            session: Session::new(&config.postgres, verb, &host, metrics, stop)?,
            lease: Lease::new(NAME.to_owned(), &host),
            directory,
            slicer: Slicer::new(SLICE),
            backlog_slicer: Slicer::new(BACKLOG_SLICE),
            folded: 0,
        })
    }

    /// Takes what changed, and computes what is due, for about `time`. An error of one day does not affect the others.
    ///
    /// # Errors
    /// The database cannot be asked; or the first error of a day.
    pub fn work(&mut self, due: Due, time: Duration) -> anyhow::Result<Done> {
        if due == Due::Quiet && !self.is_wanted()? {
            return Ok(Done::All);
        }
        let done = self.work_under_lease(due, Instant::now() + time);
        match done {
            Err(error) if error.is::<Lost>() => Ok(Done::Elsewhere),
            done => {
                // A lease that cannot be released expires.
                let lease = &mut self.lease;
                let _ = self.session.ask(async |client| lease.release(client).await);
                done
            }
        }
    }

    /// Whether there is anything to do.
    fn is_wanted(&mut self) -> anyhow::Result<bool> {
        self.session.ask(async |client| {
            Ok(follow::is_behind(client).await?
                || backlog::next(client).await?.is_some()
                || !due_days(client, Due::Quiet, 1).await?.is_empty())
        })
    }

    fn work_under_lease(&mut self, due: Due, until: Instant) -> anyhow::Result<Done> {
        self.take()?;
        let mut is_done = true;
        while let Some(part) = self.session.ask(async |client| backlog::next(client).await)? {
            self.pass(&part)?;
            if Instant::now() >= until {
                is_done = false;
                break;
            }
        }
        let (mut first, mut stayed) = (Ok(()), 0);
        let mut tried: BTreeSet<AppDay> = BTreeSet::new();
        loop {
            // Those that stay must not hide the others.
            let most = DAYS_AT_ONCE + stayed;
            let days = self.session.ask(async |client| due_days(client, due, most).await)?;
            // A day that failed, or is marked again at once, is for the next turn.
            let days: Vec<AppDay> = days.into_iter().filter(|day| !tried.contains(day)).collect();
            if days.is_empty() {
                break;
            }
            stayed += i64::try_from(days.len())?;
            for day in days {
                if Instant::now() >= until {
                    is_done = false;
                    break;
                }
                tried.insert(day);
                match self.day(day, due) {
                    Ok(()) => {}
                    Err(error) if error.is::<Lost>() || error.is::<alt_process::stop::Stopped>() => {
                        return Err(error);
                    }
                    Err(error) => {
                        let what = format!("compute the day {} of the application {}", day.day, day.app);
                        first = first.and(Err(error.context(what)));
                    }
                }
            }
            if !is_done {
                break;
            }
        }
        first.map(|()| if is_done { Done::All } else { Done::Part })
    }

    /// Takes the lease, or renews it.
    fn fence(&mut self) -> anyhow::Result<Fence> {
        self.lease.hold(&mut self.session)
    }

    /// Writes in one short transaction, if the lease is ours.
    fn write<T>(&mut self, statements: impl AsyncFnOnce(&Client) -> anyhow::Result<T>) -> anyhow::Result<T> {
        self.fence()?.write(&mut self.session, statements)
    }

    /// Marks the days of what changed.
    fn take(&mut self) -> anyhow::Result<()> {
        if !self.session.ask(async |client| follow::is_behind(client).await)? {
            return Ok(());
        }
        self.write(async |client| {
            follow::take(client).await?;
            fault::at(Step::FoldMarked);
            Ok(())
        })
    }

    /// Reads a slice of the backlog, and marks the days of its rows.
    fn pass(&mut self, part: &backlog::Part) -> anyhow::Result<()> {
        loop {
            let from = part.until.saturating_sub(self.backlog_slicer.size()).max(part.from);
            let most = self.backlog_slicer.most();
            let began = Instant::now();
            let read = self.session.ask(async |client| backlog::hours(client, part, from, most).await);
            match read {
                Ok(hours) => {
                    self.backlog_slicer.worked(began.elapsed());
                    return self.write(async |client| backlog::pass(client, part, from, &hours).await);
                }
                Err(error) if rows::is_too_long(&error) && !self.backlog_slicer.is_least() => {
                    self.backlog_slicer.failed();
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Computes a day and replaces its statistics.
    fn day(&mut self, day: AppDay, due: Due) -> anyhow::Result<()> {
        self.fence()?;
        let every = due.segments_every();
        let begun = self.session.ask(async |client| replace::begin(client, day, every).await)?;
        let Some(begun) = begun.filter(Begun::is_wanted) else { return Ok(()) };
        fault::at(Step::FoldBegun);
        if begun.is_frozen {
            let there = self.count(day.app, &begun)?;
            return self.write(async |client| replace::count_beside(client, day, &begun, there).await);
        }
        let computed = self.read(day.app, &begun)?;
        fault::at(Step::FoldRead);
        let is_replaced =
            self.write(async |client| replace::replace(client, day, &begun, &computed).await)?;
        fault::at(Step::FoldCommitted);
        self.folded += u64::from(is_replaced);
        Ok(())
    }

    /// Reads the rows of a day, and computes its statistics and its segments.
    fn read(&mut self, app: i32, begun: &Begun) -> anyhow::Result<Computed> {
        let mut sorter = Sorter::new(self.directory.as_deref(), BUFFER);
        let count = self.slices(begun, |session, times, most| {
            let read =
                session.ask(async |client| rows::read_into(client, app, times, most, &mut sorter).await);
            // Also where nobody waits for the answer any longer, and a part of the rows was read.
            if read.is_ok() {
                sorter.keep();
            } else {
                sorter.forget();
            }
            read
        })?;
        let settings = Settings {
            from: begun.from,
            domains: begun.domains.clone(),
            properties: begun.properties.clone(),
            requests_are_views: begun.requests_are_views,
            limits: Limits::default(),
        };
        let is_written = begun.writes_segments(count);
        // Who has no user ids needs no key.
        let key = if is_written && sorter.has_users() { Some(self.user_key(app)?) } else { None };
        let mut writer = is_written.then(|| Writer::new(settings.clone(), BOUNDS, key));
        let mut fold = Fold::new(settings);
        let (mut spool, mut spooled) = (Spool::new(self.directory.as_deref()), Ok(()));
        sorter.finish(|event| {
            fold.add(event);
            if let Some(writer) = &mut writer
                && spooled.is_ok()
            {
                writer.add(event);
                spooled = writer.done().try_for_each(|segment| spool.add(segment));
            }
        })?;
        spooled?;
        let last = writer.map(Writer::finish);
        let segments = match last {
            None => None,
            Some(last) => {
                last.into_iter().try_for_each(|segment| spool.add(segment))?;
                Some(spool)
            }
        };
        Ok(Computed { statistics: fold.finish(), rows: count, segments })
    }

    /// The key of an application's user ids, which is made if there is none.
    fn user_key(&mut self, app: i32) -> anyhow::Result<[u8; 32]> {
        if let Some(key) = self.session.ask(async |client| user_key::read(client, app).await)? {
            return Ok(key);
        }
        self.write(async |client| user_key::make(client, app).await)?;
        // Another process may have been first: the key in the table counts.
        let made = self.session.ask(async |client| user_key::read(client, app).await)?;
        made.with_context(|| format!("the key of user ids of the application {app} was deleted at once"))
    }

    /// Counts the rows of a day.
    fn count(&mut self, app: i32, begun: &Begun) -> anyhow::Result<i64> {
        self.slices(begun, |session, times, most| {
            session.ask(async |client| rows::count(client, app, times, most).await)
        })
    }

    /// Reads a day in slices: `read` the rows between two times, in so many milliseconds at most. Returns the sum of what
    /// it returns.
    fn slices(
        &mut self,
        begun: &Begun,
        mut read: impl FnMut(&mut Session, &Range<Micros>, u64) -> anyhow::Result<i64>,
    ) -> anyhow::Result<i64> {
        let (mut at, mut count) = (begun.from, 0);
        while at < begun.until {
            // The lease is renewed, however long the day is.
            self.fence()?;
            let until = at.saturating_add(self.slicer.size()).min(begun.until);
            let (most, began) = (self.slicer.most(), Instant::now());
            match read(&mut self.session, &(at..until), most) {
                Ok(rows) => {
                    self.slicer.worked(began.elapsed());
                    (at, count) = (until, count + rows);
                }
                Err(error) if rows::is_too_long(&error) && !self.slicer.is_least() => self.slicer.failed(),
                Err(error) => return Err(error),
            }
        }
        Ok(count)
    }

    /// What is still to be computed.
    ///
    /// # Errors
    /// The database cannot be asked.
    pub fn state(&mut self) -> anyhow::Result<State> {
        self.session.ask(async |client| ask::state(client, None).await)
    }

    /// Closes the connection.
    pub fn close(&mut self) {
        self.session.close();
    }
}

/// Days that are due, those that have waited longest first.
async fn due_days(client: &Client, due: Due, most: i64) -> anyhow::Result<Vec<AppDay>> {
    let [today, quiet, waits] = due.times();
    let every = i64::try_from(due.segments_every().as_micros())?;
    let parameters: [(&(dyn ToSql + Sync), Type); 6] = [
        (&today, Type::INT8),
        (&quiet, Type::INT8),
        (&waits, Type::INT8),
        (&most, Type::INT8),
        (&every, Type::INT8),
        (&replace::SMALL, Type::INT8),
    ];
    let sql = include_str!("../../../../sql/due_days.sql");
    let rows = client.query_typed(sql, &parameters).await.context("look which days are to be computed")?;
    rows.iter().map(AppDay::read).collect()
}
