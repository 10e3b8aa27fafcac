//! Counts the goals that the events of a block reach: one event may reach several.

use super::sieve::Sifted;
use super::{Scan, own};
use crate::query::Failed;
use crate::query::block::Of;
use crate::query::groups::Level;

impl Scan<'_> {
    /// Counts the events that are kept for each goal that they reach.
    pub(super) fn goals(&mut self, sifted: &Sifted) -> Result<(), Failed> {
        let Level::Goals(reached) = &self.groups.level else { return Ok(()) };
        let Sifted { block, kept, sessions } = sifted;
        let [of_views, of_others] = [Of::Views, Of::Others].map(|of| reached.rows(self.segment, block, of));
        let (of_views, of_others) = (of_views?, of_others?);
        for session in sessions {
            let number = u32::try_from(session.row + 1).unwrap_or(0);
            let crowd = &mut self.crowd;
            let mut count = |mut reached: u64, is_view: bool| {
                while reached != 0 {
                    let goal = reached.trailing_zeros() as usize;
                    let entry = &mut self.goals[goal];
                    reached &= reached - 1;
                    entry.page_views += u32::from(is_view);
                    entry.others += u32::from(!is_view);
                    if session.is_somebody() {
                        entry.meet(session.visitor);
                        entry.meet_session(number);
                        if let Some(crowd) = crowd {
                            crowd.meet(goal, session.row);
                        }
                    }
                }
            };
            let views = own(self.columns.views, session.row, block.views.from);
            for at in views.rows().filter(|at| kept.has(*at, true)) {
                count(of_views[at], true);
            }
            let others = own(self.columns.others, session.row, block.others.from);
            for at in others.rows().filter(|at| kept.has(*at, false)) {
                count(of_others[at], false);
            }
        }
        Ok(())
    }
}
