//! The counts of a value, by the names of their columns in `stat_daily`.

use alt_statistics::day::Counts;

/// A count: the name of its column, and where it is.
#[derive(Debug, Clone, Copy)]
pub struct Count {
    /// The name.
    pub name: &'static str,
    /// Reads it.
    pub get: fn(&Counts) -> u64,
    /// Where it is written.
    pub get_mut: fn(&mut Counts) -> &mut u64,
}

macro_rules! counts {
    ($($name:ident,)*) => {
        /// Every count. The compiler sees to it that none is left out.
        pub const COUNTS: &[Count] = &[$(Count {
            name: stringify!($name),
            get: |counts| counts.$name,
            get_mut: |counts| &mut counts.$name,
        },)*];

        /// No `..`: a field that is added in the other crate needs its line here, and its column.
        const _: fn(&Counts) = |counts| {
            let Counts { $($name: _,)* } = counts;
        };
    };
}

counts! {
    events,
    page_views,
    visitors,
    sessions,
    authenticated,
    bounces,
    duration_ms,
    engaged_ms,
    timed_views,
    scrolled_views,
    scroll_percent,
    stray_ms,
}

/// Adds the counts of one value to those of another.
pub fn add(to: &mut Counts, counts: &Counts) {
    for count in COUNTS {
        let sum = (count.get_mut)(to);
        *sum = sum.saturating_add((count.get)(counts));
    }
}

/// The names of all columns, with this before each and commas between them.
pub(super) fn columns(before: &str) -> String {
    let names: Vec<String> = COUNTS.iter().map(|count| format!("{before}{}", count.name)).collect();
    names.join(", ")
}
