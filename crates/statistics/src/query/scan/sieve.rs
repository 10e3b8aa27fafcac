//! What a filter keeps of a segment, a block of sessions at a time. It is found once for all questions with this filter.

use crate::query::block::{Block, Of};
use crate::query::filter::{Filter, Node};
use crate::query::groups::Known;
use crate::query::{Failed, Query};
use crate::segment::columns as c;
use crate::segment::{Numbers, Run, Segment};

/// What of a block's sessions that are kept is kept.
pub(super) enum Kept {
    All,
    Events { views: Vec<u8>, others: Vec<u8> },
}

impl Kept {
    /// Whether an event is kept. `at` counts from the first one of the block.
    pub(super) fn has(&self, at: usize, is_view: bool) -> bool {
        match self {
            Kept::Events { views, others } => (if is_view { views } else { others })[at] != 0,
            Kept::All => true,
        }
    }
}

/// A session of a block.
#[derive(Debug, Clone, Copy)]
pub(super) struct Session {
    /// Its row.
    pub(super) row: usize,
    /// Its place in the block.
    pub(super) n: usize,
    /// Bits of [`c::FLAGS`].
    pub(super) flags: u32,
    /// Milliseconds.
    pub(super) duration: u32,
    /// The number of its visitor, from 1 on.
    pub(super) visitor: u32,
}

impl Session {
    /// Whether it is one of a visitor.
    pub(super) fn is_somebody(&self) -> bool {
        self.flags & c::NOBODY == 0
    }
}

/// What is kept of a block.
pub(super) struct Sifted {
    pub(super) block: Block,
    pub(super) kept: Kept,
    /// Those that have an event that is kept; of a filter that keeps all, all.
    pub(super) sessions: Vec<Session>,
}

/// A filter for one segment, and how far it was asked.
pub(super) struct Sieve<'s> {
    segment: &'s Segment,
    /// What has to be true of a session, …
    of_sessions: Option<Node<'s>>,
    /// … and of each event of it.
    of_events: Option<Node<'s>>,
    bound: Option<Node<'s>>,
    flags: &'s Numbers,
    durations: &'s Numbers,
    views: &'s [u32],
    others: &'s [u32],
    /// Whether the filter is of single events.
    pub(super) is_of_events: bool,
    /// Whether it has a condition on pages.
    pub(super) has_page: bool,
    /// Whether engagement without a page view counts.
    pub(super) has_strays: bool,
    /// The number of the last visitor.
    visitor: u32,
}

impl<'s> Sieve<'s> {
    pub(super) fn new(query: &Query, segment: &'s Segment, known: &Known<'_>) -> Result<Sieve<'s>, Failed> {
        let mut conditions = Vec::new();
        [&query.bound, &query.filter]
            .into_iter()
            .flatten()
            .for_each(|filter| flatten(filter, &mut conditions));
        let (of_events, of_sessions): (Vec<Filter>, Vec<Filter>) =
            conditions.iter().map(|filter| (*filter).clone()).partition(Filter::is_of_events);
        let all = |filters: Vec<Filter>| (!filters.is_empty()).then_some(Filter::All(filters));
        let has = |is_such: fn(&Filter) -> bool| conditions.iter().any(|filter| is_such(filter));
        let node =
            |filter: Option<&Filter>| filter.map(|filter| Node::new(filter, segment, known)).transpose();
        Ok(Sieve {
            segment,
            of_sessions: node(all(of_sessions).as_ref())?,
            of_events: node(all(of_events).as_ref())?,
            bound: node(query.bound.as_ref())?,
            flags: segment.ints(c::FLAGS)?,
            durations: segment.ints(c::DURATION)?,
            views: segment.view_starts()?,
            others: segment.other_starts()?,
            is_of_events: has(Filter::is_of_events),
            has_page: has(Filter::has_page),
            has_strays: conditions.iter().all(|filter| filter.is_of_pages())
                && segment.rows(c::Table::Strays) > 0,
            visitor: 0,
        })
    }

    fn nodes(&self) -> impl Iterator<Item = &Node<'s>> {
        self.of_sessions.iter().chain(&self.of_events)
    }

    /// Whether a value that it looks at had no room in the segment.
    pub(super) fn has_other(&self) -> Result<bool, Failed> {
        for node in self.nodes() {
            if node.has_other(self.segment)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether it keeps nothing, as far as dictionaries tell.
    pub(super) fn is_never(&self) -> bool {
        self.nodes().any(Node::is_never)
    }

    /// The rows of sessions.
    fn block(&self, sessions: Run) -> Block {
        let rows = |starts: &[u32]| Run {
            from: starts[sessions.from] as usize,
            until: starts[sessions.until] as usize,
        };
        Block { sessions, views: rows(self.views), others: rows(self.others), strays: Run::default() }
    }

    /// How many events sessions have of which whoever asks may know. `most` sessions are looked at together.
    pub(super) fn left_out(&self, sessions: Run, most: usize) -> Result<u64, Failed> {
        let Some(bound) = &self.bound else {
            let Block { views, others, .. } = self.block(sessions);
            return Ok((views.len() + others.len()) as u64);
        };
        let mut events = 0;
        for run in sessions.blocks(most) {
            let block = self.block(run);
            for of in [Of::Views, Of::Others] {
                let mask = bound.mask(self.segment, &block, of)?;
                events += mask.iter().filter(|kept| **kept != 0).count() as u64;
            }
        }
        Ok(events)
    }

    /// Which engagement without a page view is kept; `None`: all. It belongs to no session.
    pub(super) fn strays(&self, strays: Run) -> Result<Option<Vec<u8>>, Failed> {
        let none = Run::default();
        let block = Block { sessions: none, views: none, others: none, strays };
        let mut kept: Option<Vec<u8>> = None;
        for node in self.nodes() {
            let mask = node.mask(self.segment, &block, Of::Strays)?;
            match &mut kept {
                None => kept = Some(mask),
                Some(kept) => kept.iter_mut().zip(mask).for_each(|(one, two)| *one &= two),
            }
        }
        Ok(kept)
    }

    /// What is kept of sessions, the next ones of the segment.
    pub(super) fn sift(&mut self, sessions: Run) -> Result<Sifted, Failed> {
        let block = self.block(sessions);
        let of_sessions = &self.of_sessions;
        let of_sessions =
            of_sessions.as_ref().map(|node| node.mask(self.segment, &block, Of::Sessions)).transpose()?;
        let is_empty = of_sessions.as_ref().is_some_and(|mask| mask.iter().all(|kept| *kept == 0));
        let kept = match &self.of_events {
            Some(node) if !is_empty => Kept::Events {
                views: node.mask(self.segment, &block, Of::Views)?,
                others: node.mask(self.segment, &block, Of::Others)?,
            },
            _ => Kept::All,
        };
        let (mut flags, mut durations) = (vec![0; sessions.len()], vec![0; sessions.len()]);
        self.flags.read(sessions.from, &mut flags);
        self.durations.read(sessions.from, &mut durations);
        let any = |starts: &[u32], first: usize, row: usize, mask: &[u8]| {
            mask[super::own(starts, row, first).rows()].iter().any(|kept| *kept != 0)
        };
        let mut some = Vec::new();
        for (n, (flags, duration)) in flags.into_iter().zip(durations).enumerate() {
            let row = sessions.from + n;
            self.visitor += flags & c::NEW_VISITOR;
            let is_kept = of_sessions.as_ref().is_none_or(|mask| mask[n] != 0)
                && match &kept {
                    Kept::All => true,
                    Kept::Events { views, others } => {
                        any(self.views, block.views.from, row, views)
                            || any(self.others, block.others.from, row, others)
                    }
                };
            if is_kept {
                some.push(Session { row, n, flags, duration, visitor: self.visitor });
            }
        }
        Ok(Sifted { block, kept, sessions: some })
    }
}

/// The conditions that all have to be true.
fn flatten<'f>(filter: &'f Filter, to: &mut Vec<&'f Filter>) {
    match filter {
        Filter::All(all) => all.iter().for_each(|filter| flatten(filter, to)),
        filter => to.push(filter),
    }
}
