//! What is counted.

use std::ops::AddAssign;

/// A count: its name, and where it is.
#[derive(Debug, Clone, Copy)]
pub struct Count {
    /// The name, which is also that of the column in `stat_daily`.
    pub name: &'static str,
    /// Reads it.
    pub get: fn(&Counts) -> u64,
    /// Where it is written.
    pub get_mut: fn(&mut Counts) -> &mut u64,
}

macro_rules! counts {
    ($($(#[$doc:meta])+ $name:ident,)*) => {
        /// What is counted of a dimension's value. Means are quotients of two of these sums.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub struct Counts {
            $($(#[$doc])+ pub $name: u64,)*
        }

        /// Every count.
        pub const COUNTS: &[Count] = &[$(Count {
            name: stringify!($name),
            get: |counts| counts.$name,
            get_mut: |counts| &mut counts.$name,
        },)*];

        impl AddAssign<&Counts> for Counts {
            fn add_assign(&mut self, more: &Counts) {
                $(self.$name = self.$name.saturating_add(more.$name);)*
            }
        }
    };
}

counts! {
    /// Rows that make visitors and sessions: all but `request` and `engagement`.
    events,
    /// Page views.
    page_views,
    /// Visitors.
    visitors,
    /// Sessions.
    sessions,
    /// Sessions with a `user_id` in one of their rows.
    authenticated,
    /// Sessions with one page view and no other event.
    bounces,
    /// Durations of the sessions, milliseconds.
    duration_ms,
    /// Time in which pages were visible, milliseconds.
    engaged_ms,
    /// Page views that report how long their page was visible.
    timed_views,
    /// Page views that report how far their page was scrolled.
    scrolled_views,
    /// The greatest depth of each of `scrolled_views`, percent, summed.
    scroll_percent,
    /// Time that engagement without a page view reports, milliseconds. It is in no other count.
    stray_ms,
}
