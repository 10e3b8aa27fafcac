//! Counts how far the visitors or sessions of a block come in a funnel.

use super::sieve::Sifted;
use super::{Scan, own};
use crate::query::Failed;
use crate::query::block::{Block, Of};
use crate::query::funnel::Within;
use crate::query::groups::Level;
use crate::segment::columns as c;
use crate::segment::{Broken, Run, Segment};

/// The other events of a block, and how they and page views follow each other.
struct Merged {
    types: Vec<u32>,
    order: Order,
}

/// By what it is known whether an event comes before a page view of its session.
enum Order {
    /// How many page views of the session come before each other event.
    Places(Vec<u32>),
    /// Seconds of page views and of other events; in one second, page views come first. Of segments of earlier versions.
    Seconds(Vec<u32>, Vec<u32>),
}

impl Merged {
    fn new(segment: &Segment, block: &Block) -> Result<Merged, Broken> {
        let order = match segment.ints_of(c::OTHER_AFTER, block.others) {
            Err(Broken::Missing(_)) => Order::Seconds(
                segment.ints_of(c::VIEW_TIME, block.views)?,
                segment.ints_of(c::OTHER_TIME, block.others)?,
            ),
            places => Order::Places(places?),
        };
        let types = segment.ints_of(c::OTHER_TYPE, block.others)?;
        Ok(Merged { types, order })
    }

    /// Whether another event of a session comes before its next page view, `nth` of the session from 0.
    fn is_before(&self, other: usize, view: usize, nth: usize) -> bool {
        match &self.order {
            Order::Places(places) => places[other] as usize <= nth,
            Order::Seconds(views, others) => others[other] < views[view],
        }
    }
}

impl Scan<'_> {
    /// Lets the sessions of a block that are kept go through the funnel.
    pub(super) fn funnel(&mut self, sifted: &Sifted) -> Result<(), Failed> {
        let Level::Funnel(reached, walk) = &mut self.groups.level else { return Ok(()) };
        let Sifted { block, kept, sessions } = sifted;
        let merged = Merged::new(self.segment, block)?;
        self.is_by_seconds |= matches!(merged.order, Order::Seconds(..)) && !merged.types.is_empty();
        let [of_views, of_others] = [Of::Views, Of::Others].map(|of| reached.rows(self.segment, block, of));
        let (of_views, of_others) = (of_views?, of_others?);
        let is_named = |kind: u32| reached.types.get(kind as usize).is_some_and(|steps| *steps != 0);
        for session in sessions.iter().filter(|session| session.is_somebody()) {
            if walk.within == Within::Session || self.walked != session.visitor {
                walk.begin();
                self.walked = session.visitor;
            }
            let number = u32::try_from(session.row + 1).unwrap_or(0);
            let Run { from: first_view, until: views } =
                own(self.columns.views, session.row, block.views.from);
            let Run { from: mut other, until: others } =
                own(self.columns.others, session.row, block.others.from);
            let mut view = first_view;
            while view < views || other < others {
                let is_view =
                    other >= others || view < views && !merged.is_before(other, view, view - first_view);
                let (at, steps) = if is_view { (view, of_views[view]) } else { (other, of_others[other]) };
                *(if is_view { &mut view } else { &mut other }) += 1;
                // Events of a type that no step names stand between no steps.
                if !kept.has(at, is_view) || (!is_view && !is_named(merged.types[at])) {
                    continue;
                }
                let before = walk.reached as usize;
                for entry in &mut self.goals[before..walk.go(steps) as usize] {
                    entry.meet(session.visitor);
                    if walk.within == Within::Session {
                        entry.meet_session(number);
                    }
                }
            }
        }
        Ok(())
    }
}
