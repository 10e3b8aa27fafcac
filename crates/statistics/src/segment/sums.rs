//! What the page views of each session report, summed: most questions keep sessions whole.

use super::numbers::Numbers;

/// The sums of a session's page views.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    /// Milliseconds.
    pub(crate) engaged: u32,
    /// Percent.
    pub(crate) scroll: u32,
    /// Page views that report a time.
    pub(crate) timed: u16,
    /// Page views that report a depth.
    pub(crate) scrolled: u16,
}

/// Page views that are read at once: few in tests.
const BLOCK: usize = if cfg!(test) { 3 } else { 1 << 10 };

impl Sums {
    /// The sums of all sessions; `None` where one of them has no room here: then page views are to be summed. `starts` has
    /// for each session the first of its views, and behind the last one how many views there are.
    pub(super) fn of_all(starts: &[u32], engaged: &Numbers, depths: &Numbers) -> Option<Vec<Sums>> {
        let sessions = starts.len().checked_sub(1)?;
        let mut all = Vec::with_capacity(sessions);
        let (mut times, mut deepest) = ([0_u64; BLOCK], [0_u32; BLOCK]);
        // Views that are read: from `first` on, as many as `filled`.
        let (mut first, mut filled) = (0, 0);
        let views = starts.last().map_or(0, |views| *views as usize);
        for two in starts.windows(2) {
            let (mut time, mut scroll, mut timed, mut scrolled) = (0_u64, 0_u64, 0_u32, 0_u32);
            for view in two[0] as usize..two[1] as usize {
                if view >= first + filled {
                    first = view;
                    filled = BLOCK.min(views - view);
                    engaged.read_long(first, &mut times[..filled]);
                    depths.read(first, &mut deepest[..filled]);
                }
                let (one, depth) = (times[view - first], deepest[view - first]);
                time = time.saturating_add(one.saturating_sub(1));
                scroll += u64::from(depth.saturating_sub(1));
                timed += u32::from(one > 0);
                scrolled += u32::from(depth > 0);
            }
            all.push(Sums {
                engaged: u32::try_from(time).ok()?,
                scroll: u32::try_from(scroll).ok()?,
                timed: u16::try_from(timed).ok()?,
                scrolled: u16::try_from(scrolled).ok()?,
            });
        }
        Some(all)
    }
}
