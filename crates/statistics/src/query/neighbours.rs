//! Which page comes before or after each page view of a block in its session.

use crate::query::Failed;
use crate::query::block::{Block, Of};
use crate::query::groups::{Groups, Level, NONE, Names};
use crate::segment::columns as c;
use crate::segment::{Broken, Segment};

/// The value of a page view with none before it in its session.
const ENTRY: &str = "(entry)";
/// The value of a page view with none behind it in its session.
const EXIT: &str = "(exit)";

impl<'s> Groups<'s> {
    /// Paths, and behind them the number of the end of a session.
    pub(super) fn neighbours(segment: &'s Segment, is_next: bool) -> Result<Groups<'s>, Failed> {
        let (texts, hashes) = (segment.texts(c::PATHS)?, segment.hashes(c::PATHS)?);
        let end = u32::try_from(texts.len() + 1).map_err(|_| Broken::Large)?;
        Ok(Groups {
            names: Names::Ended(texts, hashes, if is_next { EXIT } else { ENTRY }),
            level: Level::Neighbours { is_next, end },
            has_no_other: false,
        })
    }

    /// The neighbours of a block's page views; none of those without a visitor, who have no session. `None`: nothing else has
    /// any.
    pub(super) fn neighbours_of(
        &self,
        segment: &Segment,
        block: &Block,
        of: Of,
    ) -> Result<Option<Vec<u32>>, Failed> {
        let Level::Neighbours { is_next, end } = self.level else { return Ok(None) };
        if of != Of::Views {
            return Ok(None);
        }
        let from = block.views.from;
        let paths = segment.ints_of(c::VIEW_PATH, block.views)?;
        let starts = &segment.view_starts()?[block.sessions.from..=block.sessions.until];
        let flags = segment.ints(c::FLAGS)?;
        let mut values = vec![NONE; paths.len()];
        for (session, two) in (block.sessions.from..).zip(starts.windows(2)) {
            if flags.get(session) & u64::from(c::NOBODY) != 0 || two[0] == two[1] {
                continue;
            }
            let (first, last) = (two[0] as usize - from, two[1] as usize - from);
            let (own, all) = (&mut values[first..last], &paths[first..last]);
            if is_next {
                own[..all.len() - 1].copy_from_slice(&all[1..]);
                own[all.len() - 1] = end;
            } else {
                own[1..].copy_from_slice(&all[..all.len() - 1]);
                own[0] = end;
            }
        }
        Ok(Some(values))
    }
}
