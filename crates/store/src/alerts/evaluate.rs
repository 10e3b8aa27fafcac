//! Judges the rules: takes what changed, reads what is marked, and stores what was found, on a connection of its own
//! and under the lease of this work.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use alt_process::clock::{micros, system_time};
use alt_process::fault::{self, Step};
use alt_process::metrics::Metrics;
use alt_process::stop::{Stop, Stopped};
use alt_watch::judge::Span;
use alt_watch::lens::Lens;
use alt_watch::rule::Rule;
use alt_watch::time::{Micros, SLOT, slot_from, slot_of};
use anyhow::Context;
use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};

use super::buckets;
use super::course::{self, Courses, PIECE, Ruled};
use super::follow::{self, AppTime, Mark};
use super::outbox::{self, Telling};
use super::record::{self, About};
use super::rows::{Counted, Reading, SLICE};
use super::rules::{self, Version};
use super::series::{Fresh, Stored};
use super::watermark::{self, Watermark, Watermarks};
use super::{NAME, keys, silences};
use crate::lease::{Fence, Lease, Lost};
use crate::ledger;
use crate::session::Session;
use crate::stats::rows::Slicer;

/// What came late is taken after this time at the latest, though no slot has ended.
const TAKEN_EVERY: Duration = Duration::from_secs(5);

/// How often it is noted which source feeds which application.
const FEEDS_EVERY: Duration = Duration::from_secs(60);

/// How often old counts are looked for, and how many hours of them are added up in one turn.
const ROLLED_EVERY: Duration = Duration::from_secs(600);
const ROLLED_AT_ONCE: usize = 20;

/// Whether all was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// Nothing is left to judge.
    All,
    /// Time was up.
    Part,
    /// Another process does this work.
    Elsewhere,
}

/// An application, and how far it was judged.
#[derive(Debug, Clone)]
struct App {
    id: i32,
    key: String,
    judged: Option<Micros>,
    has_marks: bool,
}

/// A time of an application whose rows are counted again, and its marks.
#[derive(Debug, Clone, Default)]
struct Piece {
    /// Counted again; empty: nothing is.
    times: Option<Range<Micros>>,
    /// Marks that are done with it.
    ids: Vec<i64>,
    /// What is left of them.
    rest: Option<Range<Micros>>,
    /// Other marks that lie in other times.
    others: Vec<Range<Micros>>,
}

/// What judges.
pub struct Evaluator {
    session: Session,
    lease: Lease,
    slicer: Slicer,
    channels: Vec<String>,
    /// The latest slot of which any source was seen to have all.
    slot: Micros,
    taken: Option<Instant>,
    fed: Option<Instant>,
    rolled: Option<Instant>,
}

impl Evaluator {
    /// Creates an evaluator that is not connected yet.
    ///
    /// # Errors
    /// The runtime cannot be created.
    pub fn new(
        config: &alt_config::Config,
        metrics: &Metrics,
        stop: &Arc<Stop>,
    ) -> anyhow::Result<Evaluator> {
        let host = config.load.host_name();
        Ok(Evaluator {
            session: Session::new(&config.postgres, NAME, &host, metrics, stop)?,
            lease: Lease::new(NAME.to_owned(), &host),
            slicer: Slicer::new(SLICE),
            channels: config.channels.iter().map(|channel| channel.name.clone()).collect(),
            slot: 0,
            taken: None,
            fed: None,
            rolled: None,
        })
    }

    /// Judges what is to be judged, for about `time`. Does nothing before a slot has ended, or some seconds have gone
    /// by.
    ///
    /// # Errors
    /// The database cannot be asked; or the first error of an application.
    pub fn work(&mut self, time: Duration) -> anyhow::Result<Done> {
        let watermarks = self.session.ask(async |client| watermark::read(client).await)?;
        let slot = slot_of(watermarks.latest());
        let is_early = self.taken.is_some_and(|taken| taken.elapsed() < fault::wait(TAKEN_EVERY));
        if slot <= self.slot && is_early {
            return Ok(Done::All);
        }
        let versions = self.session.ask(async |client| rules::versions(client).await)?;
        let done = if versions.is_empty() {
            Ok(Done::All)
        } else {
            self.work_under_lease(&versions, &watermarks, Instant::now() + time)
        };
        match done {
            Err(error) if error.is::<Lost>() => Ok(Done::Elsewhere),
            done => {
                if matches!(done, Ok(Done::All)) {
                    (self.slot, self.taken) = (slot, Some(Instant::now()));
                }
                // A lease that cannot be released expires.
                let lease = &mut self.lease;
                let _ = self.session.ask(async |client| lease.release(client).await);
                done
            }
        }
    }

    fn work_under_lease(
        &mut self,
        versions: &[Version],
        watermarks: &Watermarks,
        until: Instant,
    ) -> anyhow::Result<Done> {
        self.take(versions, watermarks.now)?;
        if self.fed.is_none_or(|fed| fed.elapsed() >= FEEDS_EVERY) {
            self.write(async |client| follow::note_feeds(client).await)?;
            self.fed = Some(Instant::now());
        }
        let telling = self.telling(versions, watermarks.now)?;
        let (mut first, mut is_done) = (Ok(()), true);
        for app in self.session.ask(async |client| apps(client).await)? {
            if !app.has_marks && Ruled::of(versions, &app.key).is_empty() {
                continue;
            }
            let watermark = watermarks.of(app.id);
            let ends = watermark.map_or(Micros::MIN, |watermark| slot_of(watermark.at));
            while is_done && (app.has_marks || app.judged.is_none_or(|judged| judged < ends)) {
                match self.app(&app, watermark, watermarks.now, &telling) {
                    Ok(has_more) if has_more && Instant::now() < until => {}
                    Ok(has_more) => {
                        is_done = !has_more;
                        break;
                    }
                    Err(error) if error.is::<Lost>() || error.is::<Stopped>() => return Err(error),
                    Err(error) => {
                        let what = format!("judge the rules of the application {}", app.key);
                        first = first.and(Err(error.context(what)));
                        break;
                    }
                }
            }
        }
        if self.session.ask(async |client| outbox::has_held(client).await)? {
            self.write(async |client| outbox::release(client, &telling, watermarks.now).await)?;
        }
        self.roll_up(watermarks.now)?;
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

    /// Marks the times of what changed.
    fn take(&mut self, versions: &[Version], now: Micros) -> anyhow::Result<()> {
        self.fence()?;
        if !self.session.ask(async |client| ledger::is_behind(client, NAME).await)? {
            return Ok(());
        }
        let first = versions.iter().map(Version::looks_back_to).min();
        self.write(async |client| {
            follow::take(client, first, now).await?;
            fault::at(Step::JudgeMarked);
            Ok(())
        })
    }

    fn telling(&mut self, versions: &[Version], now: Micros) -> anyhow::Result<Telling> {
        let silences = self.session.ask(async |client| silences::list(client, true).await)?;
        Ok(Telling {
            all_channels: self.channels.clone(),
            late_before: now - outbox::NOTIFY_WITHIN,
            silences,
            names: versions.iter().map(|version| (version.rule_id, version.name.clone())).collect(),
        })
    }

    /// Judges an application: the latest of what is marked, and up to its watermark. Returns whether more is marked.
    fn app(
        &mut self,
        app: &App,
        watermark: Option<Watermark>,
        now: Micros,
        telling: &Telling,
    ) -> anyhow::Result<bool> {
        let fence = self.fence()?;
        // First what is marked, then the rules, the states and the rows: what changes meanwhile is marked anew.
        let (marks, judged) = self.session.ask(async |client| begin(client, app.id).await)?;
        fault::at(Step::JudgeBegun);
        let versions = self.session.ask(async |client| rules::versions(client).await)?;
        let rules = Ruled::of(&versions, &app.key);
        let Some(first) = rules.iter().filter_map(first_from).min() else {
            let ids: Vec<i64> = marks.iter().map(|mark| mark.id).collect();
            fence.write(&mut self.session, async |client| follow::unmark(client, app.id, &ids).await)?;
            return Ok(false);
        };
        let judged = judged.unwrap_or(slot_from(first) - SLOT);
        let until = judged.max(watermark.map_or(Micros::MIN, |watermark| slot_of(watermark.at)));
        let piece = Piece::of(&marks, now);
        let span = span(&piece, &rules, first, judged, until);
        let lenses = lenses(&rules);
        let (counted, courses) = self.judge(app.id, &rules, &lenses, &piece, span, now)?;
        fault::at(Step::JudgeRead);
        let about = About {
            app_id: app.id,
            application: &app.key,
            from: span.from,
            until,
            is_partial: watermark.is_some_and(|watermark| watermark.is_partial),
            telling,
        };
        // Renewed, so that the transaction has time; but under the fence of what was read: another holder may have judged in
        // the meantime, and released the lease.
        self.fence()?;
        fence.write(&mut self.session, async |client| {
            if let Some(times) = &piece.times {
                let ids = buckets::lens_ids(client, &lenses).await?;
                let length = buckets::length_at(times.start, now);
                buckets::replace(client, app.id, times, &ids, &counted, length).await?;
            }
            let told = record::store(client, &about, &courses).await?;
            note_judged(client, &about).await?;
            piece.unmark(client, app.id).await?;
            fault::at(Step::JudgeStored);
            tracing::debug!(app = app.key, told, "judged");
            Ok(())
        })?;
        fault::at(Step::JudgeCommitted);
        Ok(piece.rest.is_some() || !piece.others.is_empty())
    }

    /// Counts what is marked, and judges.
    fn judge(
        &mut self,
        app_id: i32,
        rules: &[Ruled],
        lenses: &BTreeSet<Lens>,
        piece: &Piece,
        span: Span,
        now: Micros,
    ) -> anyhow::Result<(Counted, Courses)> {
        let (keys, ids) = self.session.ask(async |client| {
            let keys = keys::load(client, app_id, span.from).await?;
            Ok((keys, buckets::known_lenses(client, lenses).await?))
        })?;
        let Evaluator { session, lease, slicer, .. } = self;
        let mut reading = Reading { session, lease: Some(lease), slicer };
        let counted = match &piece.times {
            Some(times) => reading.count(app_id, times, lenses)?,
            None => Counted::new(),
        };
        let mut dirty = piece.others.clone();
        dirty.extend(piece.rest.clone());
        let fresh = piece.times.clone().map(|times| Fresh { times, counted: counted.clone() });
        let stored = Stored { app_id, ids, fine_from: now - buckets::FINE, dirty, fresh };
        let courses = course::judge(&mut reading, &stored, rules, keys, span)?;
        Ok((counted, courses))
    }

    /// Adds up counts that need not be fine any longer.
    fn roll_up(&mut self, now: Micros) -> anyhow::Result<()> {
        if self.rolled.is_some_and(|rolled| rolled.elapsed() < ROLLED_EVERY) {
            return Ok(());
        }
        for _ in 0..ROLLED_AT_ONCE {
            let Some((app_id, from, length)) =
                self.session.ask(async |client| buckets::too_fine(client, now).await)?
            else {
                self.rolled = Some(Instant::now());
                break;
            };
            self.write(async |client| buckets::roll_up(client, app_id, from, length).await)?;
        }
        Ok(())
    }

    /// How far all is judged.
    ///
    /// # Errors
    /// The database cannot be asked.
    pub fn state(&mut self) -> anyhow::Result<super::ask::State> {
        self.session.ask(async |client| super::ask::state(client).await)
    }

    /// Closes the connection.
    pub fn close(&mut self) {
        self.session.close();
    }
}

/// When the first version of a rule begins to judge.
fn first_from(ruled: &Ruled) -> Option<Micros> {
    ruled.versions.iter().find(|(_, rule)| rule.is_some()).map(|(from, _)| *from)
}

/// What the rules look at.
fn lenses(rules: &[Ruled]) -> BTreeSet<Lens> {
    let all = rules.iter().flat_map(|ruled| &ruled.versions).filter_map(|(_, rule)| rule.as_ref());
    all.map(|rule| rule.lens.clone()).collect()
}

/// What is judged: from what is marked, or from where it was judged, up to a time.
fn span(piece: &Piece, rules: &[Ruled], first: Micros, judged: Micros, until: Micros) -> Span {
    let all = rules.iter().flat_map(|ruled| &ruled.versions).filter_map(|(_, rule)| rule.as_ref());
    let reach = all.map(Rule::reach).max().unwrap_or(0);
    let (from, touched) = piece
        .times
        .as_ref()
        .map_or((judged, judged), |times| (times.start.min(judged), times.end + reach + SLOT));
    // Before there was a rule, nothing is judged.
    let from = from.max(slot_from(first) - SLOT).min(judged);
    Span { from, touched: slot_from(touched), judged, until }
}

impl Piece {
    /// The latest run of marks that lie together, up to a length.
    fn of(marks: &[Mark], now: Micros) -> Piece {
        let Some(last) = marks.last() else { return Piece::default() };
        let (mut from, mut until) = (last.from, last.until);
        let mut first = marks.len() - 1;
        while let Some(mark) = first.checked_sub(1).map(|n| marks[n]).filter(|mark| mark.until + SLOT >= from)
        {
            (from, until) = (from.min(mark.from), until.max(mark.until));
            first -= 1;
        }
        // A mark that began earlier may reach into this time as well.
        let length = buckets::length_at(from, now);
        let begins = from.div_euclid(length) * length;
        let ends = -(-until).div_euclid(length) * length;
        let cut = ends.min(begins + PIECE);
        Piece {
            times: (begins < cut).then_some(begins..cut),
            ids: marks[first..].iter().map(|mark| mark.id).collect(),
            rest: (cut < until).then_some(cut..until),
            others: marks[..first].iter().map(|mark| mark.from..mark.until).collect(),
        }
    }
}

impl Piece {
    /// Deletes its marks, and marks what is left of them. Runs within the transaction that stores what was judged.
    async fn unmark(&self, client: &Client, app_id: i32) -> anyhow::Result<()> {
        follow::unmark(client, app_id, &self.ids).await?;
        let Some(rest) = &self.rest else { return Ok(()) };
        follow::mark(client, &[AppTime { app_id, from: rest.start, until: rest.end }]).await
    }
}

/// All applications.
async fn apps(client: &Client) -> anyhow::Result<Vec<App>> {
    let sql = "SELECT a.id, a.app_key, j.judged_at, EXISTS (SELECT FROM alert_dirty d WHERE d.app_id = a.id) \
               FROM applications a LEFT JOIN alert_apps j ON j.app_id = a.id ORDER BY a.id";
    let rows = client.query_typed(sql, &[]).await.context("read how far all is judged")?;
    let app = |row: &tokio_postgres::Row| App {
        id: row.get(0),
        key: row.get(1),
        judged: row.get::<_, Option<SystemTime>>(2).map(micros),
        has_marks: row.get(3),
    };
    Ok(rows.iter().map(app).collect())
}

/// The marks of an application, and how far it was judged.
async fn begin(client: &Client, app_id: i32) -> anyhow::Result<(Vec<Mark>, Option<Micros>)> {
    let marks = follow::marks(client, app_id).await?;
    let sql = "SELECT judged_at FROM alert_apps WHERE app_id = $1";
    let row = client.query_typed_opt(sql, &[(&app_id, Type::INT4)]).await;
    let row = row.context("read how far an application is judged")?;
    Ok((marks, row.map(|row| micros(row.get::<_, SystemTime>(0)))))
}

async fn note_judged(client: &Client, about: &About<'_>) -> anyhow::Result<()> {
    let until = system_time(about.until);
    let parameters: [(&(dyn ToSql + Sync), Type); 3] =
        [(&about.app_id, Type::INT4), (&until, Type::TIMESTAMPTZ), (&about.is_partial, Type::BOOL)];
    let sql = "INSERT INTO alert_apps AS a (app_id, judged_at, partial) VALUES ($1, $2, $3) \
               ON CONFLICT (app_id) DO UPDATE SET judged_at = excluded.judged_at, partial = excluded.partial \
               WHERE (a.judged_at, a.partial) IS DISTINCT FROM (excluded.judged_at, excluded.partial)";
    client.execute_typed(sql, &parameters).await.context("note how far an application is judged")?;
    Ok(())
}
