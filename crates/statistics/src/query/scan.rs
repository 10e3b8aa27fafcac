//! Counts what is kept of a segment.

use std::sync::atomic::Ordering;

use super::filter::{Filter, Node, Of};
use super::groups::{self, Groups, Level, NONE};
use super::{Failed, Part, Query, Sum, Tally};
use crate::segment::Segment;
use crate::segment::columns as c;
use crate::segment::{Broken, Longs};

/// Sessions between two looks at whether somebody still waits.
const BLOCK: usize = 1 << 14;

/// A value's counts, and who was counted last. Numbers begin with 1.
#[derive(Debug, Clone, Copy, Default)]
struct Entry {
    tally: Tally,
    visitor: u32,
    session: u32,
}

impl Entry {
    fn meet(&mut self, visitor: u32) {
        self.tally.counts.visitors += u64::from(self.visitor != visitor);
        self.visitor = visitor;
    }

    fn meet_session(&mut self, session: u32) {
        self.tally.counts.sessions += u64::from(self.session != session);
        self.session = session;
    }
}

/// The columns that are scanned.
struct Columns<'s> {
    flags: &'s [u32],
    starts: &'s [u32],
    durations: &'s [u32],
    views: &'s [u32],
    others: &'s [u32],
    engaged: Longs<'s>,
    depths: &'s [u32],
    /// Only where the dimension or the filter asks for them.
    view_paths: &'s [u32],
    other_paths: &'s [u32],
    other_types: &'s [u32],
    view_times: &'s [u32],
    other_times: &'s [u32],
}

impl<'s> Columns<'s> {
    fn new(segment: &'s Segment, level: &Level, has_page: bool) -> Result<Columns<'s>, Broken> {
        let wanted = |is_wanted: bool, column| if is_wanted { segment.ints(column) } else { Ok(&[][..]) };
        let has_paths = has_page || matches!(level, Level::Pages);
        let has_times = matches!(level, Level::Times { .. });
        Ok(Columns {
            flags: segment.ints(c::FLAGS)?,
            starts: segment.ints(c::START)?,
            durations: segment.ints(c::DURATION)?,
            views: segment.view_starts()?,
            others: segment.other_starts()?,
            engaged: segment.longs(c::VIEW_ENGAGED)?,
            depths: segment.ints(c::VIEW_DEPTH)?,
            view_paths: wanted(has_paths, c::VIEW_PATH)?,
            other_paths: wanted(has_paths, c::OTHER_PATH)?,
            other_types: wanted(matches!(level, Level::Types { .. }), c::OTHER_TYPE)?,
            view_times: wanted(has_times, c::VIEW_TIME)?,
            other_times: wanted(has_times, c::OTHER_TIME)?,
        })
    }
}

/// What a filter keeps, before any row is counted.
enum Kept {
    All,
    Sessions(Vec<bool>),
    Events { views: Vec<bool>, others: Vec<bool> },
}

/// The rows that whoever asks may know of. Of nobody who is bound: all.
struct Bound {
    is_bound: bool,
    views: Vec<bool>,
    others: Vec<bool>,
}

impl Bound {
    fn new(query: &Query, part: &Part<'_>) -> Result<Bound, Failed> {
        let Some(filter) = &query.bound else {
            return Ok(Bound { is_bound: false, views: Vec::new(), others: Vec::new() });
        };
        let node = Node::new(filter, part.segment, part.day, &query.domains)?;
        let (views, others) = (node.mask(part.segment, Of::Views)?, node.mask(part.segment, Of::Others)?);
        Ok(Bound { is_bound: true, views, others })
    }

    /// The rows of sessions, of which `starts` are where each begins, and where the last one ends.
    fn count(&self, starts: &[u32], mask: &[bool]) -> u64 {
        let (Some(from), Some(until)) = (starts.first(), starts.last()) else { return 0 };
        if !self.is_bound {
            return u64::from(*until) - u64::from(*from);
        }
        let rows = mask.get(*from as usize..*until as usize).unwrap_or(&[]);
        u64::try_from(rows.iter().filter(|is_kept| **is_kept).count()).unwrap_or(0)
    }
}

struct Scan<'s> {
    groups: Groups,
    columns: Columns<'s>,
    kept: Kept,
    has_page: bool,
    entries: Vec<Entry>,
    total: Entry,
    visitor: u32,
}

/// Adds a segment's counts.
pub(super) fn scan(
    query: &Query,
    part: &Part<'_>,
    means: &super::Means<'_>,
    sum: &mut Sum,
) -> Result<(), Failed> {
    let segment = part.segment;
    let filters = [&query.bound, &query.filter].into_iter().flatten().cloned().collect::<Vec<Filter>>();
    let filter = (!filters.is_empty()).then_some(Filter::All(filters));
    let filter = filter.as_ref();
    let groups = Groups::new(query.dimension, segment, part.day, &query.domains)?;
    if groups.names.len() > means.values {
        return Err(Failed::Values);
    }
    let has_page = filter.is_some_and(Filter::has_page);
    let node = filter.map(|filter| Node::new(filter, segment, part.day, &query.domains)).transpose()?;
    if let Some(node) = &node {
        sum.has_other = sum.has_other || node.has_other(segment)?;
    }
    let kept = match (&node, filter) {
        (Some(node), Some(filter)) if filter.is_of_events() => {
            Kept::Events { views: node.mask(segment, Of::Views)?, others: node.mask(segment, Of::Others)? }
        }
        (Some(node), _) => Kept::Sessions(node.mask(segment, Of::Sessions)?),
        (None, _) => Kept::All,
    };
    let columns = Columns::new(segment, &groups.level, has_page)?;
    let entries = vec![Entry::default(); groups.names.len()];
    let mut scan = Scan { groups, columns, kept, has_page, entries, total: Entry::default(), visitor: 0 };
    let bound = Bound::new(query, part)?;
    let has_strays = filter.is_none_or(Filter::is_of_pages) && segment.rows(c::Table::Strays) > 0;
    for class in segment.classes() {
        if !query.classes.contains(&class.name) {
            let events = bound.count(&scan.columns.views[class.sessions.0..=class.sessions.1], &bound.views)
                + bound.count(&scan.columns.others[class.sessions.0..=class.sessions.1], &bound.others);
            if events > 0 {
                *sum.left_out.entry(class.name.clone()).or_default() += events;
            }
            continue;
        }
        for from in (class.sessions.0..class.sessions.1).step_by(BLOCK) {
            if means.is_cancelled.is_some_and(|flag| flag.load(Ordering::Relaxed)) {
                return Err(Failed::Cancelled);
            }
            for session in from..class.sessions.1.min(from + BLOCK) {
                scan.session(session);
            }
        }
        if has_strays {
            scan.strays(segment, node.as_ref(), class.strays)?;
        }
    }
    scan.finish(means, sum)
}

impl Scan<'_> {
    /// The counts of a value. Nothing is counted of a row without a value.
    fn entry(&mut self, group: u32) -> Option<&mut Entry> {
        self.entries.get_mut(group as usize)
    }

    fn session(&mut self, session: usize) {
        let columns = &self.columns;
        let flags = columns.flags[session];
        self.visitor += flags & c::NEW_VISITOR;
        let (views, others) = (range(columns.views, session), range(columns.others, session));
        if let Kept::Sessions(kept) = &self.kept
            && !kept[session]
        {
            return;
        }
        let is_whole = !matches!(self.kept, Kept::Events { .. });
        let group = match &self.groups.level {
            Level::Sessions(ids) => Some(ids[session]),
            _ => None,
        };
        let (is_kept, has_entered) = match group {
            Some(group) if is_whole => {
                self.whole(group, flags, views, others);
                (true, true)
            }
            _ => self.events(session, group, flags, views, others),
        };
        if !is_kept || flags & c::NOBODY != 0 {
            return;
        }
        let mut tally = Tally::default();
        tally.counts.sessions = 1;
        tally.counts.authenticated = u64::from(flags & c::AUTHENTICATED != 0);
        if has_entered {
            tally.entered = 1;
            tally.counts.bounces = u64::from(flags & c::BOUNCE != 0);
            tally.counts.duration_ms = u64::from(self.columns.durations[session]);
        }
        let visitor = self.visitor;
        self.total.tally.add(&tally);
        self.total.meet(visitor);
        match (group, &self.groups.level) {
            (Some(group), _) => {
                if let Some(entry) = self.entry(group) {
                    entry.tally.add(&tally);
                    entry.meet(visitor);
                }
            }
            (None, Level::Times { .. }) => {
                let group = self.groups.time(self.columns.starts[session], 0);
                if let Some(entry) = self.entry(group) {
                    entry.tally.add(&tally);
                }
            }
            _ => {}
        }
    }

    /// Counts all events of a session, or of rows without a visitor, for one value.
    fn whole(&mut self, group: u32, flags: u32, views: (usize, usize), others: (usize, usize)) {
        let mut tally = Tally::default();
        let count = |range: (usize, usize)| u64::try_from(range.1 - range.0).unwrap_or(0);
        tally.counts.page_views = count(views);
        tally.counts.events = count(views) + count(others);
        let mut engaged = Tally::default();
        for view in views.0..views.1 {
            engage(&self.columns, view, &mut engaged);
        }
        self.total.tally.add(&tally);
        self.total.tally.add(&engaged);
        // Rows without a visitor have attributes, but what is reported of them belongs to no session.
        let has_engaged = flags & c::NOBODY == 0 || self.groups.has_no_other;
        if let Some(entry) = self.entry(group) {
            entry.tally.add(&tally);
            if has_engaged {
                entry.tally.add(&engaged);
            }
        }
    }

    /// Counts the events of a session that are kept, each for its value. Returns whether there is one, and whether the
    /// session entered on the page of one.
    fn events(
        &mut self,
        session: usize,
        group: Option<u32>,
        flags: u32,
        views: (usize, usize),
        others: (usize, usize),
    ) -> (bool, bool) {
        let entry_page =
            if self.has_page && views.0 < views.1 { self.columns.view_paths[views.0] } else { NONE };
        let (mut is_kept, mut has_entered) = (false, false);
        for at in views.0..views.1 {
            if let Kept::Events { views, .. } = &self.kept
                && !views[at]
            {
                continue;
            }
            is_kept = true;
            has_entered |= !self.has_page || self.columns.view_paths[at] == entry_page;
            let value = match (group, &self.groups.level) {
                (Some(group), _) => group,
                (None, Level::Pages) => self.columns.view_paths[at],
                (None, Level::Types { view }) => *view,
                _ => self.groups.time(self.columns.starts[session], self.columns.view_times[at]),
            };
            self.event(session, value, flags, Some(at), group.is_some());
        }
        for at in others.0..others.1 {
            if let Kept::Events { others, .. } = &self.kept
                && !others[at]
            {
                continue;
            }
            is_kept = true;
            has_entered |= !self.has_page || self.columns.other_paths[at] == entry_page;
            let value = match (group, &self.groups.level) {
                (Some(group), _) => group,
                (None, Level::Pages) => self.columns.other_paths[at],
                (None, Level::Types { .. }) => self.columns.other_types[at],
                _ => self.groups.time(self.columns.starts[session], self.columns.other_times[at]),
            };
            self.event(session, value, flags, None, group.is_some());
        }
        (is_kept, has_entered)
    }

    /// Counts an event, which is this page view or none.
    fn event(&mut self, session: usize, value: u32, flags: u32, view: Option<usize>, is_of_session: bool) {
        let mut tally = Tally::default();
        tally.counts.events = 1;
        tally.counts.page_views = u64::from(view.is_some());
        let mut engaged = Tally::default();
        if let Some(view) = view {
            engage(&self.columns, view, &mut engaged);
        }
        self.total.tally.add(&tally);
        self.total.tally.add(&engaged);
        let is_somebody = flags & c::NOBODY == 0;
        let has_engaged = match self.groups.level {
            Level::Sessions(_) => is_somebody || self.groups.has_no_other,
            Level::Pages | Level::Times { .. } => true,
            Level::Types { .. } => false,
        };
        let (visitor, number) = (self.visitor, u32::try_from(session + 1).unwrap_or(0));
        let meets = match self.groups.level {
            Level::Pages => is_somebody && view.is_some(),
            _ => is_somebody && !is_of_session,
        };
        let meets_session = meets && !matches!(self.groups.level, Level::Times { .. });
        let Some(entry) = self.entry(value) else { return };
        entry.tally.add(&tally);
        if has_engaged {
            entry.tally.add(&engaged);
        }
        if meets {
            entry.meet(visitor);
        }
        if meets_session {
            entry.meet_session(number);
        }
    }

    /// Counts engagement without a page view.
    fn strays(&mut self, segment: &Segment, node: Option<&Node>, rows: (usize, usize)) -> Result<(), Failed> {
        let (paths, times) = (segment.ints(c::STRAY_PATH)?, segment.longs(c::STRAY_TIME)?);
        let kept = node.map(|node| node.mask(segment, Of::Strays)).transpose()?;
        for at in rows.0..rows.1 {
            if kept.as_ref().is_some_and(|kept| !kept[at]) {
                continue;
            }
            let mut tally = Tally::default();
            tally.counts.stray_ms = times.get(at);
            self.total.tally.add(&tally);
            let value = match self.groups.level {
                Level::Pages => paths[at],
                Level::Sessions(_) if self.groups.has_no_other => 0,
                _ => continue,
            };
            if let Some(entry) = self.entry(value) {
                entry.tally.add(&tally);
            }
        }
        Ok(())
    }

    fn finish(self, means: &super::Means<'_>, sum: &mut Sum) -> Result<(), Failed> {
        sum.total.add(&self.total.tally);
        for (n, (name, entry)) in self.groups.names.iter().zip(&self.entries).enumerate() {
            if entry.tally != Tally::default() {
                sum.has_other |= n == 0 && !self.groups.has_no_other;
                sum.add(groups::hash(name), name, &entry.tally);
            }
        }
        if sum.values.len() > means.values { Err(Failed::Values) } else { Ok(()) }
    }
}

/// The rows of a session.
fn range(starts: &[u32], session: usize) -> (usize, usize) {
    (starts[session] as usize, starts[session + 1] as usize)
}

/// Adds what a page view reports.
fn engage(columns: &Columns<'_>, view: usize, tally: &mut Tally) {
    let (engaged, depth) = (columns.engaged.get(view), u64::from(columns.depths[view]));
    let counts = &mut tally.counts;
    counts.engaged_ms += engaged.saturating_sub(1);
    counts.timed_views += u64::from(engaged > 0);
    counts.scroll_percent += depth.saturating_sub(1);
    counts.scrolled_views += u64::from(depth > 0);
}
