//! What is different of a value that segments have and plain SQL counts.

use alt_statistics::day::Counts;

use super::{DIFFERENCES_MAX, Difference, Figure};
use crate::stats::replace;

/// Class, dimension and value.
pub(super) type Key = (String, String, String);

/// A count, and its name.
type Counted = (&'static str, fn(&Counts) -> u64);

/// The counts that dimensions of single events have.
const COUNTED: [Counted; 4] = [
    ("events", |counts| counts.events),
    ("page_views", |counts| counts.page_views),
    ("visitors", |counts| counts.visitors),
    ("sessions", |counts| counts.sessions),
];

/// Adds what is different of a value.
pub(super) fn differ(
    key: &Key,
    got: Option<&(Counts, String)>,
    wanted: Option<&(Counts, String)>,
    differences: &mut Vec<Difference>,
) {
    let nothing = (Counts::default(), String::new());
    let (got, wanted) = (got.unwrap_or(&nothing), wanted.unwrap_or(&nothing));
    let mut add = |count, stored, counted| {
        if differences.len() < DIFFERENCES_MAX {
            differences.push(Difference {
                class: key.0.clone(),
                dimension: key.1.clone(),
                value: replace::cut(&key.2).to_owned(),
                count,
                stored,
                counted,
            });
        }
    };
    for (count, of) in COUNTED {
        if of(&got.0) != of(&wanted.0) {
            add(count, Figure::Number(of(&got.0)), Figure::Number(of(&wanted.0)));
        }
    }
    if got.1 != wanted.1 {
        add("amounts", Figure::Text(got.1.clone()), Figure::Text(wanted.1.clone()));
    }
}
