//! Counts what is kept of a segment, a block of sessions at a time: columns are read and conditions looked up for the whole
//! block, then its sessions or its events are counted one by one.

mod amounts;
mod funnel;
mod goals;
mod sieve;

use std::sync::atomic::Ordering;

use amounts::Summed;
use sieve::{Session, Sieve, Sifted};

use super::amounts::Amounts;
use super::block::{Block, Of};
use super::groups::{Groups, Known, Level, NONE};
use super::people::{Crowd, People};
use super::{Dimension, Failed, Part, Query, Sum, Tally};
use crate::counts::Counts;
use crate::segment::columns as c;
use crate::segment::{Broken, Numbers, Run, Segment, Sums};

/// Sessions of a block. Those of tests have many blocks.
const BLOCK: usize = if cfg!(test) { 7 } else { 1 << 11 };

/// Events of a value, and who was counted last. Visitors and sessions have numbers from 1 on.
///
/// No count of rows overflows: a table has at most 2²⁴ of them, and a depth is below 2³². Only times may be of any size.
#[derive(Debug, Clone, Copy, Default)]
struct Entry {
    visitor: u32,
    session: u32,
    page_views: u32,
    others: u32,
    visitors: u32,
    sessions: u32,
    timed: u32,
    scrolled: u32,
    engaged: u64,
    scroll: u64,
}

impl Entry {
    fn meet(&mut self, visitor: u32) {
        self.visitors += u32::from(self.visitor != visitor);
        self.visitor = visitor;
    }

    fn meet_session(&mut self, session: u32) {
        self.sessions += u32::from(self.session != session);
        self.session = session;
    }

    /// Adds what a page view reports: milliseconds plus 1, and percent plus 1.
    fn engage(&mut self, engaged: u64, depth: u32) {
        self.engaged = self.engaged.saturating_add(engaged.saturating_sub(1));
        self.timed += u32::from(engaged > 0);
        self.scroll += u64::from(depth.saturating_sub(1));
        self.scrolled += u32::from(depth > 0);
    }

    /// Adds what all page views of a session report.
    fn engage_all(&mut self, sums: &Sums) {
        self.engaged = self.engaged.saturating_add(u64::from(sums.engaged));
        self.timed += u32::from(sums.timed);
        self.scroll += u64::from(sums.scroll);
        self.scrolled += u32::from(sums.scrolled);
    }
}

/// What is counted of whole sessions, and engagement without a page view.
#[derive(Debug, Clone, Copy, Default)]
struct Stay {
    authenticated: u32,
    bounces: u32,
    entered: u32,
    duration: u64,
    stray: u64,
}

impl Stay {
    /// Adds a session.
    fn add(&mut self, flags: u32, has_entered: bool, duration: u32) {
        self.authenticated += u32::from(flags & c::AUTHENTICATED != 0);
        self.entered += u32::from(has_entered);
        self.bounces += u32::from(has_entered && flags & c::BOUNCE != 0);
        self.duration += if has_entered { u64::from(duration) } else { 0 };
    }
}

fn tally(entry: &Entry, stay: &Stay, amounts: Option<&mut Amounts>) -> Tally {
    let counts = Counts {
        events: u64::from(entry.page_views) + u64::from(entry.others),
        page_views: entry.page_views.into(),
        visitors: entry.visitors.into(),
        sessions: entry.sessions.into(),
        authenticated: stay.authenticated.into(),
        bounces: stay.bounces.into(),
        duration_ms: stay.duration,
        engaged_ms: entry.engaged,
        timed_views: entry.timed.into(),
        scrolled_views: entry.scrolled.into(),
        scroll_percent: entry.scroll,
        stray_ms: stay.stray,
    };
    let amounts = amounts.map(std::mem::take).filter(|amounts| *amounts != Amounts::default());
    Tally { counts, entered: stay.entered.into(), amounts: amounts.map(Box::new), people: None }
}

/// The columns that are always scanned.
struct Columns<'s> {
    starts: &'s Numbers,
    views: &'s [u32],
    others: &'s [u32],
}

struct Scan<'s> {
    segment: &'s Segment,
    groups: Groups<'s>,
    columns: Columns<'s>,
    has_page: bool,
    /// What each session's page views report, where sessions are counted whole.
    sums: Option<&'s [Sums]>,
    /// Of each value; behind them all rows that have none.
    entries: Vec<Entry>,
    stays: Vec<Stay>,
    /// Of each goal or step, where they are asked for. An event may reach several, and is in `entries` once.
    goals: Vec<Entry>,
    /// What events say, where it is summed.
    summed: Option<Summed>,
    /// Who is met, where people are counted.
    crowd: Option<Crowd<'s>>,
    /// What is in the total and of no value: engagement only.
    apart: Entry,
    /// Visitors and sessions of the total.
    total: Entry,
    total_stay: Stay,
    /// Of the block's sessions, the value of each; none where sessions have no values.
    ids: Vec<u32>,
    /// The last visitor who went through the funnel.
    walked: u32,
    /// Whether the order of events within a second is not known.
    is_by_seconds: bool,
}

/// Adds a segment's counts, for questions with the same filter.
pub(super) fn scan(
    queries: &[Query],
    part: &Part<'_>,
    means: &super::Means<'_>,
    sums: &mut [&mut Sum],
) -> Result<(), Failed> {
    let Some(first) = queries.first() else { return Ok(()) };
    let segment = part.segment;
    let mut sieve = Sieve::new(first, segment, &known(first, part))?;
    let has_other = sieve.has_other()?;
    let mut scans = Vec::with_capacity(queries.len());
    for (n, sum) in sums.iter_mut().enumerate() {
        sum.has_other |= has_other;
        if donor(queries, n).is_none() {
            scans.push((n, Scan::new(&queries[n], part, means, &sieve)?));
        }
    }
    for class in segment.classes() {
        if !first.classes.contains(&class.name) {
            let events = sieve.left_out(class.sessions, BLOCK)?;
            if events > 0 {
                for sum in sums.iter_mut() {
                    *sum.left_out.entry(class.name.clone()).or_default() += events;
                }
            }
            continue;
        }
        if sieve.is_never() {
            continue;
        }
        for run in class.sessions.blocks(BLOCK) {
            if means.is_cancelled.is_some_and(|flag| flag.load(Ordering::Relaxed)) {
                return Err(Failed::Cancelled);
            }
            let sifted = sieve.sift(run)?;
            if sifted.sessions.is_empty() {
                continue;
            }
            for (_, scan) in &mut scans {
                scan.block(&sifted)?;
            }
        }
        if sieve.has_strays {
            let kept = sieve.strays(class.strays)?;
            for (_, scan) in &mut scans {
                scan.strays(class.strays, kept.as_deref())?;
            }
        }
    }
    let mut totals = vec![Tally::default(); queries.len()];
    for (n, scan) in scans {
        totals[n] = scan.finish(means, sums[n])?;
    }
    for (n, query) in queries.iter().enumerate() {
        let Some(from) = donor(queries, n) else { continue };
        let (lacks_people, user_keys) = (sums[from].lacks_people, sums[from].user_keys.clone());
        let amounts = totals[from].amounts.clone().filter(|_| query.has_amounts);
        let total = Tally { amounts, ..totals[from].clone() };
        let groups = Groups::new(query.dimension, segment, &known(query, part))?;
        let (name, hash) = groups.names.get(0);
        sums[n].add_one(hash, name, &total);
        sums[n].lacks_people |= lacks_people;
        sums[n].user_keys.extend(user_keys);
        if sums[n].people > means.people {
            return Err(Failed::People);
        }
    }
    Ok(())
}

/// The question of which the total is the one value of another, so that this one is not counted by itself; `None`: there is
/// none, or it has several values.
fn donor(queries: &[Query], of: usize) -> Option<usize> {
    let is_one =
        |query: &Query| matches!(query.dimension, Dimension::Total | Dimension::Day | Dimension::Period);
    let query = &queries[of];
    let gives = |other: &Query| {
        let has_total = !is_one(other) && !matches!(other.dimension, Dimension::Funnel | Dimension::Goal);
        let has_amounts = !query.has_amounts || other.has_amounts && other.sum_of == query.sum_of;
        has_total && has_amounts && other.has_people == query.has_people
    };
    if is_one(query) { queries.iter().position(gives) } else { None }
}

/// What is known beside the segment.
fn known<'k>(query: &'k Query, part: &Part<'k>) -> Known<'k> {
    Known {
        day: part.day,
        domains: &query.domains,
        goals: &query.goals,
        funnel: query.funnel.as_ref(),
        periods: &query.periods,
    }
}

impl<'s> Scan<'s> {
    fn new(
        query: &Query,
        part: &Part<'s>,
        means: &super::Means<'_>,
        sieve: &Sieve<'s>,
    ) -> Result<Scan<'s>, Failed> {
        let segment = part.segment;
        let groups = Groups::new(query.dimension, segment, &known(query, part))?;
        if groups.names.len() > means.values {
            return Err(Failed::Values);
        }
        let is_of_goals = matches!(groups.level, Level::Goals(_) | Level::Funnel(..));
        let is_whole = matches!(groups.level, Level::Sessions(_)) && !sieve.is_of_events;
        let columns = Columns {
            starts: segment.ints(c::START)?,
            views: segment.view_starts()?,
            others: segment.other_starts()?,
        };
        let values = groups.names.len() + 1;
        Ok(Scan {
            segment,
            columns,
            has_page: sieve.has_page,
            sums: if is_whole { segment.sums()? } else { None },
            entries: vec![Entry::default(); values],
            stays: vec![Stay::default(); values],
            goals: vec![Entry::default(); if is_of_goals { values } else { 0 }],
            summed: Summed::new(query, segment, values)?,
            crowd: if query.has_people { Some(Crowd::new(segment)?) } else { None },
            apart: Entry::default(),
            total: Entry::default(),
            total_stay: Stay::default(),
            ids: vec![NONE; BLOCK],
            walked: 0,
            is_by_seconds: false,
            groups,
        })
    }

    /// Counts sessions that are kept, and all that they have.
    fn block(&mut self, sifted: &Sifted) -> Result<(), Failed> {
        let sessions = sifted.block.sessions;
        let mut ids = std::mem::take(&mut self.ids);
        if let Level::Sessions(all) = &self.groups.level {
            all.read(sessions.from, &mut ids[..sessions.len()]);
        }
        if let Some(crowd) = &mut self.crowd {
            crowd.read(&sifted.block);
        }
        match self.sums {
            Some(sums) => self.whole(sifted, &ids, sums),
            None => self.events(sifted, &ids)?,
        }
        self.amounts(sifted, &ids)?;
        self.ids = ids;
        self.goals(sifted)?;
        self.funnel(sifted)
    }

    /// Counts sessions that are kept whole, for one value each.
    fn whole(&mut self, sifted: &Sifted, ids: &[u32], sums: &[Sums]) {
        let (views, others) = (self.columns.views, self.columns.others);
        let last = self.entries.len() - 1;
        for session in &sifted.sessions {
            let (row, id) = (session.row, (ids[session.n] as usize).min(last));
            let entry = &mut self.entries[id];
            entry.page_views += views[row + 1] - views[row];
            entry.others += others[row + 1] - others[row];
            // Rows without a visitor have attributes, but what is reported of them belongs to no session.
            if session.is_somebody() || self.groups.has_no_other {
                entry.engage_all(&sums[row]);
            } else {
                self.apart.engage_all(&sums[row]);
            }
            if session.is_somebody() {
                entry.sessions += 1;
                entry.meet(session.visitor);
                self.stays[id].add(session.flags, true, session.duration);
                self.total.sessions += 1;
                self.total.meet(session.visitor);
                self.total_stay.add(session.flags, true, session.duration);
                if let Some(crowd) = &mut self.crowd {
                    crowd.join(row, session.flags);
                    crowd.meet(id, row);
                }
            }
        }
    }

    /// Counts the events that are kept, each for its value, and the sessions that have one.
    fn events(&mut self, sifted: &Sifted, ids: &[u32]) -> Result<(), Failed> {
        let Sifted { block, kept, sessions } = sifted;
        let views = Events::new(self.segment, block, Of::Views, &self.groups, self.has_page)?;
        let others = Events::new(self.segment, block, Of::Others, &self.groups, self.has_page)?;
        let reports = Reports::new(self.segment, block.views)?;
        let last = self.entries.len() - 1;
        let rules = Rules::new(&self.groups);
        for session in sessions {
            let id = (ids[session.n] as usize).min(last);
            let is_somebody = session.is_somebody();
            let has_engaged = rules.engages_anybody || rules.engages_somebody && is_somebody;
            let rows = own(self.columns.views, session.row, block.views.from);
            let entry_page = views.pages.get(rows.from).filter(|_| rows.len() > 0).map_or(NONE, |page| *page);
            let (mut is_kept, mut has_entered) = (false, !self.has_page);
            for at in rows.rows().filter(|at| kept.has(*at, true)) {
                is_kept = true;
                has_entered |= views.pages.get(at).is_some_and(|page| *page == entry_page);
                let value = views.values.get(at).map_or(id, |value| (*value as usize).min(last));
                let entry = &mut self.entries[value];
                entry.page_views += 1;
                let to = if has_engaged { &mut *entry } else { &mut self.apart };
                to.engage(reports.engaged(at), reports.depth(at));
                if rules.meets_visitor && is_somebody {
                    self.meet(&rules, value, session);
                }
            }
            let rows = own(self.columns.others, session.row, block.others.from);
            for at in rows.rows().filter(|at| kept.has(*at, false)) {
                is_kept = true;
                has_entered |= others.pages.get(at).is_some_and(|page| *page == entry_page);
                let value = others.values.get(at).map_or(id, |value| (*value as usize).min(last));
                let entry = &mut self.entries[value];
                entry.others += 1;
                if rules.meets_visitor && rules.others_meet && is_somebody {
                    self.meet(&rules, value, session);
                }
            }
            if is_kept && is_somebody {
                self.session(session, has_entered, id);
            }
        }
        Ok(())
    }

    /// Counts the visitor, the person and the session of an event for its value.
    fn meet(&mut self, rules: &Rules, value: usize, session: &Session) {
        let entry = &mut self.entries[value];
        entry.meet(session.visitor);
        if rules.meets_session {
            entry.meet_session(u32::try_from(session.row + 1).unwrap_or(0));
        }
        if let Some(crowd) = &mut self.crowd {
            crowd.meet(value, session.row);
        }
    }

    /// Counts a session with an event that is kept.
    fn session(&mut self, session: &Session, has_entered: bool, id: usize) {
        let Session { row, flags, duration, visitor, .. } = *session;
        self.total.sessions += 1;
        self.total.meet(visitor);
        self.total_stay.add(flags, has_entered, duration);
        if let Some(crowd) = &mut self.crowd {
            crowd.join(row, flags);
        }
        let value = match self.groups.level {
            Level::Sessions(_) => {
                self.entries[id].meet(visitor);
                if let Some(crowd) = &mut self.crowd {
                    crowd.meet(id, row);
                }
                id
            }
            Level::Times { .. } => {
                let start = u32::try_from(self.columns.starts.get(row)).unwrap_or(u32::MAX);
                (self.groups.time(start, 0) as usize).min(self.entries.len() - 1)
            }
            Level::Pages
            | Level::Types { .. }
            | Level::Neighbours { .. }
            | Level::Said(_)
            | Level::Goals(_)
            | Level::Funnel(..) => return,
        };
        self.entries[value].sessions += 1;
        self.stays[value].add(flags, has_entered, duration);
    }

    /// Counts engagement without a page view. `kept` says which; `None`: all.
    fn strays(&mut self, strays: Run, kept: Option<&[u8]>) -> Result<(), Failed> {
        let (paths, times) = (self.segment.ints(c::STRAY_PATH)?, self.segment.longs(c::STRAY_TIME)?);
        for at in strays.rows() {
            if kept.is_some_and(|kept| kept[at - strays.from] == 0) {
                continue;
            }
            let time = times.get(at);
            self.total_stay.stray = self.total_stay.stray.saturating_add(time);
            let value = match self.groups.level {
                Level::Pages => usize::try_from(paths.get(at)).unwrap_or(usize::MAX),
                Level::Sessions(_) if self.groups.has_no_other => 0,
                _ => continue,
            };
            let last = self.stays.len() - 1;
            let stay = &mut self.stays[value.min(last)];
            stay.stray = stay.stray.saturating_add(time);
        }
        Ok(())
    }

    /// Adds what was counted; returns the total.
    fn finish(mut self, means: &super::Means<'_>, sum: &mut Sum) -> Result<Tally, Failed> {
        self.total.engaged = self.apart.engaged;
        self.total.timed = self.apart.timed;
        self.total.scroll = self.apart.scroll;
        self.total.scrolled = self.apart.scrolled;
        for entry in &self.entries {
            self.total.page_views += entry.page_views;
            self.total.others += entry.others;
            self.total.engaged = self.total.engaged.saturating_add(entry.engaged);
            self.total.timed += entry.timed;
            self.total.scroll += entry.scroll;
            self.total.scrolled += entry.scrolled;
        }
        let mut summed = self.summed.take();
        let of_all = summed.as_mut().map(|summed| &mut summed.total);
        let mut total = tally(&self.total, &self.total_stay, of_all);
        let mut met = Vec::new();
        if let Some(crowd) = self.crowd.take() {
            sum.lacks_people |= crowd.is_lacking;
            let (all, of_values) = crowd.ends();
            if all.count() > 0 {
                sum.user_keys.extend(self.segment.user_key()?.map(str::to_owned));
                total.people = Some(Box::new(all));
            }
            met = of_values;
        }
        let mut met = met.chunk_by(|one, next| one.0 == next.0).peekable();
        sum.add_total(&total);
        sum.is_by_seconds |= self.is_by_seconds;
        if matches!(self.groups.level, Level::Goals(_) | Level::Funnel(..)) {
            self.entries = std::mem::take(&mut self.goals);
            sum.has_other = sum.has_other
                || self.segment.ints(c::VIEW_PATH)?.has_zero()
                || self.segment.ints(c::OTHER_TYPE)?.has_zero();
        }
        for (n, (entry, stay)) in
            self.entries.iter().zip(&self.stays).take(self.groups.names.len()).enumerate()
        {
            let amounts = summed.as_mut().and_then(|summed| summed.values.get_mut(n));
            let mut tally = tally(entry, stay, amounts);
            if let Some(some) = met.next_if(|some| some[0].0 as usize == n) {
                tally.people = Some(Box::new(People::of(some.iter().map(|(_, user)| *user).collect())));
            }
            if tally != Tally::default() {
                sum.has_other |= n == 0 && !self.groups.has_no_other;
                let (name, hash) = self.groups.names.get(n);
                sum.add(hash, name, &tally);
            }
        }
        match () {
            () if sum.values.len() > means.values => Err(Failed::Values),
            () if sum.people > means.people => Err(Failed::People),
            () => Ok(total),
        }
    }
}

/// Which events a dimension counts for whom.
struct Rules {
    /// What is reported of page views counts for their values, …
    engages_anybody: bool,
    /// … of page views of visitors only.
    engages_somebody: bool,
    /// Each event counts its visitor …
    meets_visitor: bool,
    /// … and its session for its value; …
    meets_session: bool,
    /// … not only page views do.
    others_meet: bool,
}

impl Rules {
    fn new(groups: &Groups<'_>) -> Rules {
        let is_of_sessions = matches!(groups.level, Level::Sessions(_));
        let is_of_times = matches!(groups.level, Level::Times { .. });
        let is_of_pages = matches!(groups.level, Level::Pages);
        Rules {
            engages_anybody: is_of_pages || is_of_times || is_of_sessions && groups.has_no_other,
            engages_somebody: is_of_sessions,
            meets_visitor: !is_of_sessions,
            meets_session: !is_of_sessions && !is_of_times,
            others_meet: !is_of_pages,
        }
    }
}

/// Events of a block.
struct Events {
    /// The value of each; none where sessions have the values.
    values: Vec<u32>,
    /// The path of each, where the filter asks for pages.
    pages: Vec<u32>,
}

impl Events {
    fn new(
        segment: &Segment,
        block: &Block,
        of: Of,
        groups: &Groups<'_>,
        has_page: bool,
    ) -> Result<Events, Failed> {
        let (rows, paths) = match of {
            Of::Views => (block.views, c::VIEW_PATH),
            _ => (block.others, c::OTHER_PATH),
        };
        let read = |column| segment.ints_of(column, rows);
        let values = match (&groups.level, of) {
            (Level::Sessions(_) | Level::Goals(_) | Level::Funnel(..), _) => Vec::new(),
            (Level::Pages, _) => read(paths)?,
            (Level::Said(said), _) => said.of(block, of).unwrap_or_else(|| vec![NONE; rows.len()]),
            (Level::Neighbours { .. }, _) => groups.neighbours_of(segment, block, of)?.unwrap_or_default(),
            (Level::Types { view }, Of::Views) => vec![*view; rows.len()],
            (Level::Types { .. }, _) => read(c::OTHER_TYPE)?,
            (Level::Times { .. }, _) => groups.times_of(segment, block, of)?.unwrap_or_default(),
        };
        Ok(Events { values, pages: if has_page { read(paths)? } else { Vec::new() } })
    }
}

/// What page views of a block report.
struct Reports<'s> {
    engaged: &'s Numbers,
    depths: &'s Numbers,
    first: usize,
}

impl<'s> Reports<'s> {
    fn new(segment: &'s Segment, views: Run) -> Result<Reports<'s>, Broken> {
        Ok(Reports {
            engaged: segment.longs(c::VIEW_ENGAGED)?,
            depths: segment.ints(c::VIEW_DEPTH)?,
            first: views.from,
        })
    }

    /// Milliseconds plus 1; 0 of none.
    fn engaged(&self, at: usize) -> u64 {
        self.engaged.get(self.first + at)
    }

    /// Percent plus 1; 0 of none.
    fn depth(&self, at: usize) -> u32 {
        u32::try_from(self.depths.get(self.first + at)).unwrap_or(u32::MAX)
    }
}

/// The rows of a session, counted from the first row of its block.
fn own(starts: &[u32], session: usize, first: usize) -> Run {
    Run { from: starts[session] as usize - first, until: starts[session + 1] as usize - first }
}
