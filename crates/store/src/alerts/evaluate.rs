//! Judges the rules: looks what changed, reads what is to be counted, and stores what was found, on a connection of its
//! own and under the lease of this work.
//!
//! What is judged is stored if it says something new: an alert, a minute of counts. Otherwise only this process knows it,
//! for some seconds, and whoever begins there would find the same. So what changed is noted as seen when something is
//! stored, and not for each slot.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use alt_alerts::lens::Lens;
use alt_alerts::time::{Micros, slot_of};
use alt_process::clock::micros;
use alt_process::fault::{self, Step};
use alt_process::metrics::Metrics;
use alt_process::stop::{Stop, Stopped};
use anyhow::Context;
use tokio_postgres::Client;
use tokio_postgres::types::Type;

use super::buckets::{self, LensIds, minute_of};
use super::course::{self, Ruled};
use super::follow::{self, AppTime, Mark};
use super::judged::{App, Judged, Tally, counted};
use super::outbox::{self, Telling};
use super::plan::{self, Piece, Recent};
use super::rows::{Reading, SLICE, TooMany};
use super::rules::{self, Parsed, Version};
use super::series::Stored;
use super::troubles::{self, ALL_RULES, Known as Trouble};
use super::watermark::{self, Watermark, Watermarks};
use super::{INSTALLATION, NAME, keys, samples, silences};
use crate::lease::{Fence, Lease, Lost};
use crate::session::Session;
use crate::stats::rows::Slicer;

/// What came late is taken after this time at the latest, though no slot has ended.
const TAKEN_EVERY: Duration = Duration::from_secs(5);

/// What sources reach within this time is judged together.
const TOGETHER: Duration = Duration::from_millis(250);

/// A lease that was not renewed for so long is renewed, although nothing is to be judged.
const RENEWED_EVERY: Duration = Duration::from_secs(3);

/// What says nothing new is stored after this time.
const NOTED_EVERY: Duration = Duration::from_secs(15);

/// How often it is noted which source feeds which application.
const FEEDS_EVERY: Duration = Duration::from_secs(60);

/// How often old counts are looked for, and how many hours of them are added up in one turn.
const ROLLED_EVERY: Duration = Duration::from_secs(600);
const ROLLED_AT_ONCE: usize = 20;

/// What was found of so many applications is stored in one transaction.
const STORED_AT_ONCE: usize = 50;

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

/// What is the same for all applications of a turn.
struct Turn {
    fence: Fence,
    now: Micros,
    versions: Vec<Version>,
    telling: Telling,
}

/// What judges.
pub struct Evaluator {
    session: Session,
    lease: Lease,
    slicer: Slicer,
    channels: Vec<String>,
    parsed: Parsed,
    lens_ids: LensIds,
    /// The slots that the sources had reached when all was judged.
    slots: Vec<Micros>,
    /// When it can be that they have reached others.
    next: Instant,
    taken: Option<Instant>,
    fed: Option<Instant>,
    rolled: Option<Instant>,
    /// By application: what tells too many series apart. It is not counted, and its rules are not judged; all others are.
    skipped: BTreeMap<i32, BTreeSet<Lens>>,
    /// How many versions of rules there were when everything was last tried.
    tried: Option<usize>,
    /// Why rules could not be judged in this turn, by application and rule.
    troubles: BTreeMap<(i32, i32), Trouble>,
    memory: Memory,
}

/// What only this process knows. It is worth nothing once another one has judged.
#[derive(Debug, Default)]
struct Memory {
    /// The right under which it was found.
    fence: Option<Fence>,
    /// What of the ledger is in `changed`, or was judged.
    seen: Option<String>,
    /// When that was last stored.
    noted: Option<Instant>,
    changed: BTreeMap<i32, Vec<Mark>>,
    recent: BTreeMap<i32, Recent>,
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
            parsed: Parsed::new(),
            lens_ids: LensIds::new(),
            slots: Vec::new(),
            next: Instant::now(),
            taken: None,
            fed: None,
            rolled: None,
            skipped: BTreeMap::new(),
            tried: None,
            troubles: BTreeMap::new(),
            memory: Memory::default(),
        })
    }

    /// Judges what is to be judged, for about `time`. Does nothing before a slot has ended, or some seconds have gone
    /// by. The lease is kept, so that what is in memory is of use.
    ///
    /// # Errors
    /// The database cannot be asked; or the first error of an application.
    pub fn work(&mut self, time: Duration) -> anyhow::Result<Done> {
        let lease = &self.lease;
        if !self.session.ask(async |client| lease.is_free(client).await)? {
            return Ok(Done::Elsewhere);
        }
        let watermarks = self.session.ask(async |client| watermark::read(client).await)?;
        let slots = watermarks.slots();
        self.next = Instant::now() + watermarks.next_in();
        let is_early = self.taken.is_some_and(|taken| taken.elapsed() < fault::wait(TAKEN_EVERY));
        if slots == self.slots && is_early {
            return self.renew();
        }
        let done = self.turn(&watermarks, Instant::now() + time);
        match done {
            Err(error) if error.is::<Lost>() => {
                self.memory = Memory::default();
                Ok(Done::Elsewhere)
            }
            done => {
                if matches!(done, Ok(Done::All)) {
                    (self.slots, self.taken) = (slots, Some(Instant::now()));
                }
                done
            }
        }
    }

    /// How long there can be nothing to judge. After a turn, others may have ended a slot as well: they are judged together.
    pub fn rest(&self) -> Duration {
        let is_judged = self.taken.is_some_and(|taken| taken.elapsed() < TOGETHER);
        let rest = self.next.saturating_duration_since(Instant::now());
        if is_judged { rest.max(TOGETHER) } else { rest }
    }

    /// Keeps the lease.
    fn renew(&mut self) -> anyhow::Result<Done> {
        if self.lease.is_older_than(RENEWED_EVERY) {
            let lease = &mut self.lease;
            self.session.ask(async |client| lease.take(client).await)?;
        }
        Ok(Done::All)
    }

    /// Judges at the next opportunity, although no slot has ended.
    pub fn wake(&mut self) {
        self.taken = None;
    }

    /// Lets others judge.
    ///
    /// # Errors
    /// The database cannot be asked. Then the lease expires by itself.
    pub fn leave(&mut self) -> anyhow::Result<()> {
        let lease = &mut self.lease;
        self.session.ask(async |client| lease.release(client).await)
    }

    /// Judges all applications. What changed is looked at first, then the marks, then the rules, the states and the rows:
    /// what changes meanwhile is there the next time.
    fn turn(&mut self, watermarks: &Watermarks, until: Instant) -> anyhow::Result<Done> {
        let parsed = &mut self.parsed;
        let versions = self.session.ask(async |client| rules::versions_by(client, parsed).await)?;
        if versions.is_empty() {
            return Ok(Done::All);
        }
        let fence = self.begin()?;
        self.try_again(versions.len())?;
        self.look(&versions, watermarks.now)?;
        if self.fed.is_none_or(|fed| fed.elapsed() >= FEEDS_EVERY) {
            self.write(async |client| follow::note_feeds(client).await)?;
            self.fed = Some(Instant::now());
        }
        let mut marks = self.session.ask(async |client| follow::marks(client).await)?;
        fault::at(Step::JudgeBegun);
        let parsed = &mut self.parsed;
        let versions = self.session.ask(async |client| rules::versions_by(client, parsed).await)?;
        let telling = self.telling(&versions, watermarks.now)?;
        let turn = Turn { fence, now: watermarks.now, versions, telling };
        let (mut first, mut is_done, mut found) = (Ok(()), true, Vec::new());
        let (apps, mut looked) = (self.session.ask(async |client| apps(client).await)?, 0);
        self.troubles.clear();
        for app in &apps {
            looked += 1;
            let watermark = match app.id {
                INSTALLATION => watermarks.of_installation(),
                id => watermarks.of(id),
            };
            let judged = self.app(&turn, app, watermark, &marks.remove(&app.id).unwrap_or_default());
            match judged {
                Ok(Some(judged)) => {
                    is_done &= !judged.has_more;
                    found.push(judged);
                }
                Ok(None) => {}
                Err(error) => first = first.and(Err(self.failed(app, error)?)),
            }
            if Instant::now() >= until {
                is_done = false;
                break;
            }
            if found.len() >= STORED_AT_ONCE {
                first = first.and(self.store(&turn, std::mem::take(&mut found), false)?);
            }
        }
        first = first.and(self.store(&turn, found, true)?);
        first = first.and(self.note(&apps[..looked].iter().map(|app| app.id).collect())?);
        if self.session.ask(async |client| outbox::has_held(client).await)? {
            self.write(async |client| outbox::release(client, &turn.telling, turn.now).await)?;
        }
        if self.session.ask(async |client| outbox::has_unattended(client, &turn.telling).await)? {
            self.write(async |client| outbox::remind(client, &turn.telling).await)?;
        }
        self.roll_up(turn.now)?;
        first.map(|()| if is_done { Done::All } else { Done::Part })
    }

    /// Takes the lease, or renews it.
    fn fence(&mut self) -> anyhow::Result<Fence> {
        self.lease.hold(&mut self.session)
    }

    /// Takes the lease, and forgets what is in memory if somebody else may have judged.
    fn begin(&mut self) -> anyhow::Result<Fence> {
        let fence = self.fence()?;
        if !self.memory.fence.as_ref().is_some_and(|before| fence.follows(before)) {
            self.memory = Memory::default();
            self.tried = None;
        }
        self.memory.fence = Some(fence.clone());
        Ok(fence)
    }

    /// Tries what was skipped again, once a rule is another one, or somebody else may have judged. What was not counted meanwhile
    /// is marked, because what is stored of it is not what the rows say.
    fn try_again(&mut self, versions: usize) -> anyhow::Result<()> {
        if self.tried == Some(versions) {
            return Ok(());
        }
        if self.session.ask(async |client| troubles::has_skipped(client).await)? {
            self.write(async |client| troubles::mark_skipped(client).await)?;
        }
        self.skipped.clear();
        self.tried = Some(versions);
        Ok(())
    }

    /// Writes in one short transaction, if the lease is ours.
    fn write<T>(&mut self, statements: impl AsyncFnOnce(&Client) -> anyhow::Result<T>) -> anyhow::Result<T> {
        self.fence()?.write(&mut self.session, statements)
    }

    /// Looks what changed. What is much is marked in the database.
    fn look(&mut self, versions: &[Version], now: Micros) -> anyhow::Result<()> {
        let seen = self.memory.seen.clone();
        let peeked = self.session.ask(async |client| follow::peek(client, seen.as_deref()).await)?;
        if let Some(peeked) = peeked {
            for AppTime { app_id, from, until } in peeked.times {
                self.memory.changed.entry(app_id).or_default().push(Mark { id: None, from, until });
            }
            self.memory.seen = Some(peeked.seen);
            return Ok(());
        }
        // What the follower takes may be in memory as well: then it is judged once more.
        let first = versions.iter().map(Version::looks_back_to).min();
        self.write(async |client| {
            follow::take(client, first, now).await?;
            fault::at(Step::JudgeMarked);
            Ok(())
        })?;
        self.memory = Memory { fence: self.memory.fence.take(), ..Memory::default() };
        Ok(())
    }

    fn telling(&mut self, versions: &[Version], now: Micros) -> anyhow::Result<Telling> {
        let silences = self.session.ask(async |client| silences::list(client, true).await)?;
        Ok(Telling {
            all_channels: self.channels.clone(),
            late_before: now - outbox::NOTIFY_WITHIN,
            silences,
            names: versions.iter().map(|version| (version.rule_id, version.name.clone())).collect(),
            manners: Telling::manners(versions),
        })
    }

    /// Judges an application: the latest of what is marked, and up to its watermark. `None`: there is nothing to judge. A rule
    /// that tells too many series apart keeps no other one from being judged.
    fn app(
        &mut self,
        turn: &Turn,
        app: &App,
        watermark: Option<Watermark>,
        marks: &[Mark],
    ) -> anyhow::Result<Option<Judged>> {
        loop {
            let error = match self.rules_of(turn, app, watermark, marks.to_vec()) {
                Err(error) => error,
                done => return done,
            };
            let lens = error.downcast_ref::<TooMany>().and_then(|too_many| too_many.lens.clone());
            let skipped = self.skipped.entry(app.id).or_default();
            match lens {
                Some(lens) if !skipped.contains(&lens) => {
                    tracing::warn!(app = app.key, lens = lens.to_string(), "not judged: {error:#}");
                    skipped.insert(lens);
                }
                _ => return Err(error),
            }
        }
    }

    /// Judges the rules of an application, but for those that are skipped.
    fn rules_of(
        &mut self,
        turn: &Turn,
        app: &App,
        watermark: Option<Watermark>,
        mut marks: Vec<Mark>,
    ) -> anyhow::Result<Option<Judged>> {
        let changed = self.memory.changed.get(&app.id).cloned().unwrap_or_default();
        let rules = Ruled::of(&turn.versions, &app.key);
        let Some(first) = rules.iter().filter_map(plan::first_from).min() else {
            self.memory.changed.remove(&app.id);
            return Ok((!marks.is_empty()).then(|| Judged::of_no_rule(app, &marks)));
        };
        let before = self.memory.recent.get_mut(&app.id);
        let judged =
            before.as_ref().map(|recent| recent.judged).or(app.judged).unwrap_or(plan::begins(first));
        let until = judged.max(watermark.map_or(Micros::MIN, |watermark| slot_of(watermark.at)));
        // What lies behind is counted when it is judged, marked or not.
        let rows_until = changed.iter().chain(&marks).map(|mark| mark.until).max().unwrap_or(Micros::MIN);
        if marks.is_empty() && until == judged && changed.iter().all(|mark| mark.from >= until) {
            if let Some(recent) = before {
                recent.rows_until = recent.rows_until.max(rows_until);
            }
            self.memory.changed.remove(&app.id);
            self.cannot_judge(turn, app, &rules, watermark);
            return Ok(None);
        }
        marks.extend(changed);
        marks.iter_mut().for_each(|mark| mark.until = mark.until.min(until));
        let done: Vec<i64> = marks.iter().filter(|m| m.from >= m.until).filter_map(|m| m.id).collect();
        marks.retain(|mark| mark.from < mark.until);
        let mut lenses = plan::lenses(&rules);
        if let Some(skipped) = self.skipped.get(&app.id) {
            lenses.retain(|lens| !skipped.contains(lens));
        }
        let is_known = before.is_some_and(|recent| recent.covers(&lenses, &marks, until));
        let before = self.memory.recent.remove(&app.id).filter(|_| is_known);
        let counted = self.count(turn, app, &lenses, &marks, before, judged..until)?;
        let mut found = self.judge(turn, app, &rules, counted, Judging { first, judged, until })?;
        found.piece.ids.extend(done);
        found.is_partial = watermark.is_some_and(|watermark| watermark.is_partial);
        if let Some(recent) = &mut found.recent {
            found.is_news |= recent.is_partial != found.is_partial;
            recent.is_partial = found.is_partial;
            recent.rows_until = recent.rows_until.max(rows_until);
        }
        found.is_news |= !found.piece.ids.is_empty();
        self.cannot_judge(turn, app, &rules, watermark);
        Ok(Some(found))
    }

    /// Counts what is marked, and what is not judged.
    fn count(
        &mut self,
        turn: &Turn,
        app: &App,
        lenses: &BTreeSet<Lens>,
        marks: &[Mark],
        before: Option<Recent>,
        unjudged: Range<Micros>,
    ) -> anyhow::Result<Tally> {
        let Range { start: judged, end: until } = unjudged;
        let Evaluator { session, lease, slicer, .. } = self;
        let mut reading = Reading { session, lease: Some(lease), slicer };
        let Some(mut recent) = before else {
            let mut marks = marks.to_vec();
            if minute_of(judged) < until {
                marks.push(Mark { id: None, from: minute_of(judged), until });
            }
            let piece = Piece::of(&marks, turn.now, until);
            let counted = counted(&mut reading, app.id, &piece, lenses)?;
            return Ok(Tally { piece, counted, recent: None, lenses: lenses.clone(), now: turn.now });
        };
        let (late, new): (Vec<Mark>, Vec<Mark>) = marks.iter().partition(|mark| mark.from < judged);
        // What daemons take of themselves is marked by nobody.
        let may_have = recent.rows_until > judged || !new.is_empty() || app.id == INSTALLATION;
        if until > judged && may_have {
            recent.fresh.extend(until, reading.count(app.id, &(judged..until), lenses)?);
        } else {
            recent.fresh.times.end = until;
        }
        let mut piece = Piece::of(&late, turn.now, recent.fresh.times.start);
        piece.ids.extend(new.iter().filter_map(|mark| mark.id));
        let counted = counted(&mut reading, app.id, &piece, lenses)?;
        Ok(Tally { piece, counted, recent: Some(recent), lenses: lenses.clone(), now: turn.now })
    }

    /// Judges by what was counted.
    fn judge(
        &mut self,
        turn: &Turn,
        app: &App,
        rules: &[Ruled],
        tally: Tally,
        what: Judging,
    ) -> anyhow::Result<Judged> {
        let Judging { first, judged, until } = what;
        let piece = &tally.piece;
        let times = tally.counted.as_ref().map(|fresh| &fresh.times);
        let span = plan::span(times, rules, first, judged, until);
        self.know(&tally.lenses)?;
        let keys = self.session.ask(async |client| keys::load(client, app.id, span.from).await)?;
        let tail = tally.recent.as_ref().map(|recent| recent.fresh.clone());
        let stored = Stored {
            app_id: app.id,
            ids: self.lens_ids.clone(),
            fine_from: turn.now - buckets::FINE,
            until: minute_of(judged),
            dirty: piece.dirty(),
            fresh: tally.counted.iter().cloned().chain(tail).collect(),
        };
        let Evaluator { session, lease, slicer, .. } = self;
        let mut reading = Reading { session, lease: Some(lease), slicer };
        let skipped = self.skipped.get(&app.id).cloned().unwrap_or_default();
        let courses = course::judge(&mut reading, &stored, rules, keys, span, &skipped)?;
        fault::at(Step::JudgeRead);
        Ok(tally.judged(app, span.from, judged..until, courses))
    }

    /// Reads the keys of lenses.
    fn know(&mut self, lenses: &BTreeSet<Lens>) -> anyhow::Result<()> {
        if lenses.iter().all(|lens| self.lens_ids.contains_key(lens)) {
            return Ok(());
        }
        let known = self.session.ask(async |client| buckets::known_lenses(client, lenses).await)?;
        self.lens_ids.extend(known);
        Ok(())
    }

    /// Stores what was found, if it says something new or some time has gone by, and remembers it. Returns the first error
    /// of an application. What was seen of the ledger is noted at the end of a turn: it is judged, or marked.
    fn store(
        &mut self,
        turn: &Turn,
        found: Vec<Judged>,
        is_last: bool,
    ) -> anyhow::Result<anyhow::Result<()>> {
        let is_old = |at: Option<Instant>| at.is_none_or(|at| at.elapsed() >= fault::wait(NOTED_EVERY));
        let is_due = is_last && is_old(self.memory.noted);
        let is_stored = |judged: &Judged| {
            judged.is_news || judged.recent.as_ref().is_none_or(|recent| is_old(recent.noted))
        };
        let (stored, kept): (Vec<Judged>, Vec<Judged>) = found.into_iter().partition(is_stored);
        for judged in kept {
            self.remember(judged, false);
        }
        if stored.is_empty() && !is_due {
            return Ok(Ok(()));
        }
        match self.write_all(turn, &stored, is_due) {
            Ok(()) => {
                stored.into_iter().for_each(|judged| self.remember(judged, true));
                return Ok(Ok(()));
            }
            Err(error) if stored.len() < 2 || error.is::<Lost>() || error.is::<Stopped>() => {
                return match stored.first() {
                    Some(judged) => Ok(Err(self.failed(&judged.app, error)?)),
                    None => Err(error),
                };
            }
            Err(error) => tracing::debug!("stored one by one: {error:#}"),
        }
        // One of them is why: the others are stored.
        let mut first = Ok(());
        for judged in stored {
            match self.write_all(turn, std::slice::from_ref(&judged), false) {
                Ok(()) => self.remember(judged, true),
                Err(error) => first = first.and(Err(self.failed(&judged.app, error)?)),
            }
        }
        Ok(first)
    }

    /// The error of an application, which is noted as the reason why its rules are not judged. What ends the whole turn is
    /// returned as such.
    fn failed(&mut self, app: &App, error: anyhow::Error) -> anyhow::Result<anyhow::Error> {
        if error.is::<Lost>() || error.is::<Stopped>() {
            return Err(error);
        }
        self.troubles.insert((app.id, ALL_RULES), Trouble::of(&error));
        Ok(error.context(match app.id {
            INSTALLATION => "judge the rules of the installation".to_owned(),
            _ => format!("judge the rules of the application {}", app.key),
        }))
    }

    /// Remembers which rules of an application cannot be judged now.
    fn cannot_judge(&mut self, turn: &Turn, app: &App, rules: &[Ruled], watermark: Option<Watermark>) {
        let judged: Vec<(i32, &Lens)> =
            rules.iter().filter_map(|ruled| Some((ruled.id, &ruled.at(turn.now)?.lens))).collect();
        if watermark.is_none() && !judged.is_empty() {
            self.troubles.insert((app.id, ALL_RULES), Trouble::no_source());
        }
        let Some(skipped) = self.skipped.get(&app.id) else { return };
        for (id, _) in judged.into_iter().filter(|(_, lens)| skipped.contains(lens)) {
            self.troubles.insert((app.id, id), Trouble::too_many());
        }
    }

    /// Stores which rules of applications cannot be judged, and which can again.
    fn note(&mut self, apps: &BTreeSet<i32>) -> anyhow::Result<anyhow::Result<()>> {
        let noted = (|| {
            let known = self.session.ask(async |client| troubles::known(client).await)?;
            let mut changed: Vec<((i32, i32), Option<Trouble>)> = Vec::new();
            let over = known.keys().filter(|key| apps.contains(&key.0) && !self.troubles.contains_key(key));
            changed.extend(over.map(|key| (*key, None)));
            let new = self.troubles.iter().filter(|(key, trouble)| known.get(key) != Some(trouble));
            changed.extend(new.map(|(key, trouble)| (*key, Some(trouble.clone()))));
            if changed.is_empty() {
                return Ok(());
            }
            self.write(async |client| troubles::note(client, &changed).await)
        })();
        match noted {
            Err(error) if error.is::<Lost>() || error.is::<Stopped>() => Err(error),
            noted => Ok(noted),
        }
    }

    /// Stores what was found of applications in one transaction; with `is_due`, also what was seen of the ledger.
    fn write_all(&mut self, turn: &Turn, found: &[Judged], is_due: bool) -> anyhow::Result<()> {
        // Renewed, so that the transaction has time; but under the fence of what was read: another holder may have judged in
        // the meantime, and released the lease.
        self.fence()?;
        let seen = self.memory.seen.clone().filter(|_| is_due);
        let judged: BTreeSet<i32> = found.iter().map(|judged| judged.app.id).collect();
        let left = self.memory.changed.iter().filter(|(id, _)| !judged.contains(id));
        let left: Vec<AppTime> = left
            .flat_map(|(id, marks)| {
                marks.iter().map(|mark| AppTime { app_id: *id, from: mark.from, until: mark.until })
            })
            .collect();
        turn.fence.write(&mut self.session, async |client| {
            for judged in found {
                judged.store(client, &turn.telling, turn.now).await?;
            }
            if let Some(seen) = &seen {
                follow::mark(client, &left).await?;
                follow::note_seen(client, seen).await?;
            }
            fault::at(Step::JudgeStored);
            Ok(())
        })?;
        fault::at(Step::JudgeCommitted);
        if seen.is_some() {
            self.memory.noted = Some(Instant::now());
            self.memory.changed.retain(|id, _| judged.contains(id));
        }
        Ok(())
    }

    /// Keeps in memory what was found of an application.
    fn remember(&mut self, judged: Judged, is_stored: bool) {
        self.memory.changed.remove(&judged.app.id);
        if let Some(mut recent) = judged.recent {
            if is_stored {
                recent.noted = Some(Instant::now());
            }
            recent.shorten();
            self.memory.recent.insert(judged.app.id, recent);
        }
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
                self.write(async |client| samples::forget_old(client, now).await)?;
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

    /// Closes the connection, and forgets what is in memory.
    pub fn close(&mut self) {
        self.session.close();
        self.memory = Memory::default();
    }
}

/// What is judged of an application.
#[derive(Debug, Clone, Copy)]
struct Judging {
    /// When the first rule begins.
    first: Micros,
    judged: Micros,
    until: Micros,
}

/// All applications, and what stands for the installation.
async fn apps(client: &Client) -> anyhow::Result<Vec<App>> {
    let sql = "SELECT a.id, a.app_key, j.judged_at \
               FROM (SELECT id, app_key FROM applications UNION ALL SELECT $1, '') a \
               LEFT JOIN alert_apps j ON j.app_id = a.id ORDER BY a.id";
    let rows = client
        .query_typed(sql, &[(&INSTALLATION, Type::INT4)])
        .await
        .context("read how far all is judged")?;
    let app = |row: &tokio_postgres::Row| App {
        id: row.get(0),
        key: row.get(1),
        judged: row.get::<_, Option<SystemTime>>(2).map(micros),
    };
    Ok(rows.iter().map(app).collect())
}
