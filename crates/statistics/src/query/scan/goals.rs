//! Counts the goals that the events of a block reach: one event may reach several.

use super::{Kept, Scan, own};
use crate::query::Failed;
use crate::query::block::{Block, Of};
use crate::query::groups::Level;
use crate::segment::columns as c;

impl Scan<'_> {
    /// Counts the events that are kept for each goal that they reach. `visitor` is the number of the last visitor before the
    /// block.
    pub(super) fn goals(
        &mut self,
        block: &Block,
        kept: &Kept,
        flags: &[u32],
        mut visitor: u32,
    ) -> Result<(), Failed> {
        let Level::Goals(reached) = &self.groups.level else { return Ok(()) };
        let [of_views, of_others] = [Of::Views, Of::Others].map(|of| reached.rows(self.segment, block, of));
        let (of_views, of_others) = (of_views?, of_others?);
        let is_kept = |at: usize, is_view: bool| match kept {
            Kept::Events { views, others } => (if is_view { views } else { others })[at] != 0,
            Kept::All | Kept::Sessions(_) => true,
        };
        for (n, flags) in flags.iter().enumerate() {
            visitor += flags & c::NEW_VISITOR;
            if let Kept::Sessions(mask) = kept
                && mask[n] == 0
            {
                continue;
            }
            let session = block.sessions.from + n;
            let number = u32::try_from(session + 1).unwrap_or(0);
            let is_somebody = flags & c::NOBODY == 0;
            let crowd = &mut self.crowd;
            let mut count = |mut reached: u64, is_view: bool| {
                while reached != 0 {
                    let goal = reached.trailing_zeros() as usize;
                    let entry = &mut self.goals[goal];
                    reached &= reached - 1;
                    entry.page_views += u32::from(is_view);
                    entry.others += u32::from(!is_view);
                    if is_somebody {
                        entry.meet(visitor);
                        entry.meet_session(number);
                        if let Some(crowd) = crowd {
                            crowd.meet(goal, session);
                        }
                    }
                }
            };
            let views = own(self.columns.views, session, block.views.from);
            for at in views.rows().filter(|at| is_kept(*at, true)) {
                count(of_views[at], true);
            }
            let others = own(self.columns.others, session, block.others.from);
            for at in others.rows().filter(|at| is_kept(*at, false)) {
                count(of_others[at], false);
            }
        }
        Ok(())
    }
}
