//! Counts what is kept of a segment, a block of sessions at a time: columns are read and conditions looked up for the whole
//! block, then its sessions or its events are counted one by one.

mod amounts;
mod funnel;
mod goals;

use std::sync::atomic::Ordering;

use amounts::Summed;

use super::amounts::Amounts;
use super::block::{Block, Of};
use super::filter::{Filter, Node};
use super::groups::{Groups, Known, Level, NONE};
use super::people::{Crowd, People};
use super::{Failed, Part, Query, Sum, Tally};
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
    flags: &'s Numbers,
    starts: &'s Numbers,
    durations: &'s Numbers,
    views: &'s [u32],
    others: &'s [u32],
}

/// What of a filter is kept, of a block.
enum Kept {
    All,
    Sessions(Vec<u8>),
    Events { views: Vec<u8>, others: Vec<u8> },
}

struct Scan<'s> {
    segment: &'s Segment,
    groups: Groups<'s>,
    columns: Columns<'s>,
    node: Option<Node<'s>>,
    /// Whether the filter is of single events.
    is_of_events: bool,
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
    visitor: u32,
    /// Whether the order of events within a second is not known.
    is_by_seconds: bool,
}

/// Adds a segment's counts.
pub(super) fn scan(
    query: &Query,
    part: &Part<'_>,
    means: &super::Means<'_>,
    sum: &mut Sum,
) -> Result<(), Failed> {
    let segment = part.segment;
    let known = Known {
        day: part.day,
        domains: &query.domains,
        goals: &query.goals,
        funnel: query.funnel.as_ref(),
        periods: &query.periods,
    };
    let both = match (&query.bound, &query.filter) {
        (Some(bound), Some(filter)) => Some(Filter::All(vec![bound.clone(), filter.clone()])),
        _ => None,
    };
    let filter = both.as_ref().or(query.bound.as_ref()).or(query.filter.as_ref());
    let bound = query.bound.as_ref().map(|bound| Node::new(bound, segment, &known)).transpose()?;
    let groups = Groups::new(query.dimension, segment, &known)?;
    if groups.names.len() > means.values {
        return Err(Failed::Values);
    }
    let node = filter.map(|filter| Node::new(filter, segment, &known)).transpose()?;
    if let Some(node) = &node {
        sum.has_other = sum.has_other || node.has_other(segment)?;
    }
    let has_strays = filter.is_none_or(Filter::is_of_pages) && segment.rows(c::Table::Strays) > 0;
    let is_never = node.as_ref().is_some_and(Node::is_never);
    let mut scan = Scan::new(segment, groups, node, filter)?;
    scan.summed = Summed::new(query, segment, scan.entries.len())?;
    scan.crowd = if query.has_people { Some(Crowd::new(segment)?) } else { None };
    for class in segment.classes() {
        if !query.classes.contains(&class.name) {
            let events = scan.left_out(class.sessions, bound.as_ref())?;
            if events > 0 {
                *sum.left_out.entry(class.name.clone()).or_default() += events;
            }
            continue;
        }
        if is_never {
            continue;
        }
        for run in class.sessions.blocks(BLOCK) {
            if means.is_cancelled.is_some_and(|flag| flag.load(Ordering::Relaxed)) {
                return Err(Failed::Cancelled);
            }
            scan.block(run)?;
        }
        if has_strays {
            scan.strays(class.strays)?;
        }
    }
    scan.finish(means, sum)
}

impl<'s> Scan<'s> {
    fn new(
        segment: &'s Segment,
        groups: Groups<'s>,
        node: Option<Node<'s>>,
        filter: Option<&Filter>,
    ) -> Result<Scan<'s>, Failed> {
        let is_of_events = filter.is_some_and(Filter::is_of_events);
        let is_of_goals = matches!(groups.level, Level::Goals(_) | Level::Funnel(..));
        let is_whole = matches!(groups.level, Level::Sessions(_)) && !is_of_events;
        let columns = Columns {
            flags: segment.ints(c::FLAGS)?,
            starts: segment.ints(c::START)?,
            durations: segment.ints(c::DURATION)?,
            views: segment.view_starts()?,
            others: segment.other_starts()?,
        };
        let values = groups.names.len() + 1;
        Ok(Scan {
            segment,
            columns,
            node,
            is_of_events,
            has_page: filter.is_some_and(Filter::has_page),
            sums: if is_whole { segment.sums()? } else { None },
            entries: vec![Entry::default(); values],
            stays: vec![Stay::default(); values],
            goals: vec![Entry::default(); if is_of_goals { values } else { 0 }],
            summed: None,
            crowd: None,
            apart: Entry::default(),
            total: Entry::default(),
            total_stay: Stay::default(),
            visitor: 0,
            is_by_seconds: false,
            groups,
        })
    }

    /// The rows of sessions.
    fn rows(&self, sessions: Run) -> Block {
        let rows = |starts: &[u32]| Run {
            from: starts[sessions.from] as usize,
            until: starts[sessions.until] as usize,
        };
        Block {
            sessions,
            views: rows(self.columns.views),
            others: rows(self.columns.others),
            strays: Run::default(),
        }
    }

    /// How many events sessions have of which whoever asks may know.
    fn left_out(&self, sessions: Run, bound: Option<&Node<'_>>) -> Result<u64, Failed> {
        let Some(bound) = bound else {
            let Block { views, others, .. } = self.rows(sessions);
            return Ok((views.len() + others.len()) as u64);
        };
        let mut events = 0;
        for run in sessions.blocks(BLOCK) {
            let block = self.rows(run);
            for of in [Of::Views, Of::Others] {
                let mask = bound.mask(self.segment, &block, of)?;
                events += mask.iter().filter(|kept| **kept != 0).count() as u64;
            }
        }
        Ok(events)
    }

    /// Counts sessions, and all that they have.
    fn block(&mut self, sessions: Run) -> Result<(), Failed> {
        let block = self.rows(sessions);
        let mut flags = [0; BLOCK];
        let flags = &mut flags[..sessions.len()];
        self.columns.flags.read(sessions.from, flags);
        let kept = match &self.node {
            None => Kept::All,
            Some(node) if self.is_of_events => Kept::Events {
                views: node.mask(self.segment, &block, Of::Views)?,
                others: node.mask(self.segment, &block, Of::Others)?,
            },
            Some(node) => Kept::Sessions(node.mask(self.segment, &block, Of::Sessions)?),
        };
        let has_none = match &kept {
            Kept::All => false,
            Kept::Sessions(mask) => mask.iter().all(|kept| *kept == 0),
            Kept::Events { views, others } => views.iter().chain(others).all(|kept| *kept == 0),
        };
        if has_none {
            self.visitor += flags.iter().map(|flags| flags & c::NEW_VISITOR).sum::<u32>();
            return Ok(());
        }
        let mut durations = [0; BLOCK];
        self.columns.durations.read(sessions.from, &mut durations[..sessions.len()]);
        let mut ids = [NONE; BLOCK];
        if let Level::Sessions(all) = &self.groups.level {
            all.read(sessions.from, &mut ids[..sessions.len()]);
        }
        if let Some(crowd) = &mut self.crowd {
            crowd.read(&block);
        }
        let last = self.entries.len() - 1;
        let ids = ids.map(|id| (id as usize).min(last));
        let before = self.visitor;
        match self.sums {
            Some(sums) => self.whole(&block, &kept, flags, &durations, &ids, sums),
            None => self.events(&block, &kept, flags, &durations, &ids)?,
        }
        self.amounts(&block, &kept, &ids)?;
        self.goals(&block, &kept, flags, before)?;
        self.funnel(&block, &kept, flags, before)
    }

    /// Counts sessions that are kept whole, for one value each.
    fn whole(
        &mut self,
        block: &Block,
        kept: &Kept,
        flags: &[u32],
        durations: &[u32],
        ids: &[usize],
        sums: &[Sums],
    ) {
        let from = block.sessions.from;
        let sessions = flags.iter().zip(durations).zip(ids).zip(&sums[from..]);
        let starts = self.columns.views[from..].windows(2).zip(self.columns.others[from..].windows(2));
        for (n, ((((flags, duration), id), sums), (views, others))) in sessions.zip(starts).enumerate() {
            self.visitor += flags & c::NEW_VISITOR;
            if let Kept::Sessions(mask) = kept
                && mask[n] == 0
            {
                continue;
            }
            let is_somebody = flags & c::NOBODY == 0;
            let entry = &mut self.entries[*id];
            entry.page_views += views[1] - views[0];
            entry.others += others[1] - others[0];
            // Rows without a visitor have attributes, but what is reported of them belongs to no session.
            if is_somebody || self.groups.has_no_other {
                entry.engage_all(sums);
            } else {
                self.apart.engage_all(sums);
            }
            if is_somebody {
                entry.sessions += 1;
                entry.meet(self.visitor);
                self.stays[*id].add(*flags, true, *duration);
                self.total.sessions += 1;
                self.total.meet(self.visitor);
                self.total_stay.add(*flags, true, *duration);
                if let Some(crowd) = &mut self.crowd {
                    crowd.join(from + n, *flags);
                    crowd.meet(*id, from + n);
                }
            }
        }
    }

    /// Counts the events that are kept, each for its value, and the sessions that have one.
    fn events(
        &mut self,
        block: &Block,
        kept: &Kept,
        flags: &[u32],
        durations: &[u32],
        ids: &[usize],
    ) -> Result<(), Failed> {
        let segment = self.segment;
        let views = Events::new(segment, block, Of::Views, &self.groups, self.has_page)?;
        let others = Events::new(segment, block, Of::Others, &self.groups, self.has_page)?;
        let reports = Reports::new(segment, block.views)?;
        let (view_mask, other_mask) = match kept {
            Kept::Events { views, others } => (Some(&views[..]), Some(&others[..])),
            _ => (None, None),
        };
        let (first_view, first_other) = (block.views.from, block.others.from);
        let last = self.entries.len() - 1;
        let rules = Rules::new(&self.groups);
        for (n, flags) in flags.iter().enumerate() {
            let session = block.sessions.from + n;
            self.visitor += flags & c::NEW_VISITOR;
            if let Kept::Sessions(mask) = kept
                && mask[n] == 0
            {
                continue;
            }
            let is_somebody = flags & c::NOBODY == 0;
            let has_engaged = rules.engages_anybody || rules.engages_somebody && is_somebody;
            let rows = own(self.columns.views, session, first_view);
            let entry_page = views.pages.get(rows.from).filter(|_| rows.len() > 0).map_or(NONE, |page| *page);
            let (mut is_kept, mut has_entered) = (false, !self.has_page);
            for at in rows.rows() {
                if view_mask.is_some_and(|mask| mask[at] == 0) {
                    continue;
                }
                is_kept = true;
                has_entered |= views.pages.get(at).is_some_and(|page| *page == entry_page);
                let value = views.values.get(at).map_or(ids[n], |value| (*value as usize).min(last));
                let entry = &mut self.entries[value];
                entry.page_views += 1;
                let to = if has_engaged { &mut *entry } else { &mut self.apart };
                to.engage(reports.engaged[at], reports.depths[at]);
                if rules.meets_visitor && is_somebody {
                    self.meet(&rules, value, session);
                }
            }
            let rows = own(self.columns.others, session, first_other);
            for at in rows.rows() {
                if other_mask.is_some_and(|mask| mask[at] == 0) {
                    continue;
                }
                is_kept = true;
                has_entered |= others.pages.get(at).is_some_and(|page| *page == entry_page);
                let value = others.values.get(at).map_or(ids[n], |value| (*value as usize).min(last));
                let entry = &mut self.entries[value];
                entry.others += 1;
                if rules.meets_visitor && rules.others_meet && is_somebody {
                    self.meet(&rules, value, session);
                }
            }
            if is_kept && is_somebody {
                self.session(session, *flags, has_entered, durations[n], ids[n]);
            }
        }
        Ok(())
    }

    /// Counts the visitor, the person and the session of an event for its value.
    fn meet(&mut self, rules: &Rules, value: usize, session: usize) {
        let entry = &mut self.entries[value];
        entry.meet(self.visitor);
        if rules.meets_session {
            entry.meet_session(u32::try_from(session + 1).unwrap_or(0));
        }
        if let Some(crowd) = &mut self.crowd {
            crowd.meet(value, session);
        }
    }

    /// Counts a session with an event that is kept.
    fn session(&mut self, session: usize, flags: u32, has_entered: bool, duration: u32, id: usize) {
        self.total.sessions += 1;
        self.total.meet(self.visitor);
        self.total_stay.add(flags, has_entered, duration);
        if let Some(crowd) = &mut self.crowd {
            crowd.join(session, flags);
        }
        let value = match self.groups.level {
            Level::Sessions(_) => {
                self.entries[id].meet(self.visitor);
                if let Some(crowd) = &mut self.crowd {
                    crowd.meet(id, session);
                }
                id
            }
            Level::Times { .. } => {
                let start = u32::try_from(self.columns.starts.get(session)).unwrap_or(u32::MAX);
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

    /// Counts engagement without a page view.
    fn strays(&mut self, strays: Run) -> Result<(), Failed> {
        let (paths, times) = (self.segment.ints(c::STRAY_PATH)?, self.segment.longs(c::STRAY_TIME)?);
        let none = Run::default();
        let block = Block { sessions: none, views: none, others: none, strays };
        let kept = self.node.as_ref().map(|node| node.mask(self.segment, &block, Of::Strays)).transpose()?;
        for at in strays.rows() {
            if kept.as_ref().is_some_and(|kept| kept[at - strays.from] == 0) {
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

    fn finish(mut self, means: &super::Means<'_>, sum: &mut Sum) -> Result<(), Failed> {
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
            () => Ok(()),
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
struct Reports {
    engaged: Vec<u64>,
    depths: Vec<u32>,
}

impl Reports {
    fn new(segment: &Segment, views: Run) -> Result<Reports, Broken> {
        let (mut engaged, mut depths) = (vec![0; views.len()], vec![0; views.len()]);
        segment.longs(c::VIEW_ENGAGED)?.read_long(views.from, &mut engaged);
        segment.ints(c::VIEW_DEPTH)?.read(views.from, &mut depths);
        Ok(Reports { engaged, depths })
    }
}

/// The rows of a session, counted from the first row of its block.
fn own(starts: &[u32], session: usize, first: usize) -> Run {
    Run { from: starts[session] as usize - first, until: starts[session + 1] as usize - first }
}
