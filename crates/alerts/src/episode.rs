//! Episodes: the times in which a key is open, and which of those that are known they are.

use crate::judge::Change;
use crate::state::State;
use crate::time::{Micros, SECOND};

/// An episode by its times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    /// When it fired.
    pub began: Micros,
    /// When it ended. `None`: it is open.
    pub ended: Option<Micros>,
    /// A person ended it.
    pub is_by_hand: bool,
}

impl Interval {
    fn overlaps(&self, other: &Interval) -> bool {
        let end = |interval: &Interval| interval.ended.unwrap_or(Micros::MAX);
        self.began < end(other) && other.began < end(self)
    }
}

/// The episodes of a key, by its changes.
pub fn intervals(changes: &[Change]) -> Vec<Interval> {
    let mut all: Vec<Interval> = Vec::new();
    for change in changes {
        let open = all.last_mut().filter(|interval| interval.ended.is_none());
        match (open, change.state.is_open()) {
            (None, true) => all.push(Interval { began: change.at, ended: None, is_by_hand: false }),
            (Some(interval), false) => {
                interval.ended = Some(change.at);
                interval.is_by_hand = change.state == State::Muted;
            }
            _ => {}
        }
    }
    all
}

/// An episode that is known under a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// Its number.
    pub id: i64,
    /// Its times, as they were known.
    pub interval: Interval,
}

/// What becomes of an episode that was known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It has these times now.
    Is(Interval),
    /// It is a part of another one, which began earlier.
    Superseded {
        /// The number of the other.
        by: i64,
    },
    /// It never was.
    Corrected,
}

/// Episodes of a key, compared with those that were known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Matched {
    /// What became of those that were known, in their order.
    pub fates: Vec<(i64, Fate)>,
    /// Those that have no number yet.
    pub new: Vec<Interval>,
}

/// Compares the episodes of a key with those that were known; both are ascending. An episode takes the number of the
/// earliest known one that it overlaps and that has no earlier part. Others that it overlaps are superseded.
pub fn reconcile(known: &[Known], now: &[Interval]) -> Matched {
    let mut fates: Vec<Option<Fate>> = vec![None; known.len()];
    let mut new = Vec::new();
    for interval in now {
        let overlapping: Vec<usize> =
            (0..known.len()).filter(|n| known[*n].interval.overlaps(interval)).collect();
        let free = overlapping.iter().copied().find(|n| fates[*n].is_none());
        match free {
            Some(first) => {
                for n in overlapping {
                    let fate = if n == first {
                        Fate::Is(*interval)
                    } else {
                        Fate::Superseded { by: known[first].id }
                    };
                    fates[n].get_or_insert(fate);
                }
            }
            None => new.push(*interval),
        }
    }
    let fates = known.iter().zip(fates).map(|(known, fate)| (known.id, fate.unwrap_or(Fate::Corrected)));
    Matched { fates: fates.collect(), new }
}

/// So many episodes within [`FLAPPING_WITHIN`] are too many to tell of each.
const FLAPPING: usize = 4;

/// As [`FLAPPING`] says.
const FLAPPING_WITHIN: Micros = 3600 * SECOND;

/// It is over after such a time without a new episode.
const FLAPPING_QUIET: Micros = 1800 * SECOND;

/// Whether a key flaps at a time. `began` are the beginnings of its episodes, ascending.
pub fn is_flapping(began: &[Micros], at: Micros) -> bool {
    let began = &began[..began.partition_point(|began| *began <= at)];
    let mut is = false;
    for n in 0..began.len() {
        if n > 0 && began[n] - began[n - 1] >= FLAPPING_QUIET {
            is = false;
        }
        is |= n + 1 >= FLAPPING && began[n] - began[n + 1 - FLAPPING] < FLAPPING_WITHIN;
    }
    is && began.last().is_some_and(|last| at - last < FLAPPING_QUIET)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(began: i64, ended: i64) -> Interval {
        Interval { began, ended: (ended != 0).then_some(ended), is_by_hand: false }
    }

    #[test]
    fn episodes_are_where_a_key_is_open() {
        let change = |at, state| Change { at, state };
        let changes = [
            change(5, State::Pending { since: 5 }),
            change(10, State::Active),
            change(15, State::Acknowledged { until: 99 }),
            change(20, State::Recovering { since: 20, acknowledged: None }),
            change(25, State::Inactive),
            change(30, State::Active),
            change(35, State::Muted),
            change(40, State::Inactive),
            change(45, State::Active),
        ];
        let by_hand = Interval { is_by_hand: true, ..interval(30, 35) };
        assert_eq!(intervals(&changes), [interval(10, 25), by_hand, interval(45, 0)]);
    }

    #[track_caller]
    fn check(known: &[(i64, i64)], now: &[(i64, i64)], expected: &str) {
        let known: Vec<Known> =
            (1..).zip(known).map(|(id, (from, to))| Known { id, interval: interval(*from, *to) }).collect();
        let now: Vec<Interval> = now.iter().map(|(from, to)| interval(*from, *to)).collect();
        let matched = reconcile(&known, &now);
        let tell = |(id, fate): &(i64, Fate)| match fate {
            Fate::Is(interval) => format!("{id}={}-{}", interval.began, interval.ended.unwrap_or(0)),
            Fate::Superseded { by } => format!("{id}<{by}"),
            Fate::Corrected => format!("{id}!"),
        };
        let mut told: Vec<String> = matched.fates.iter().map(tell).collect();
        told.extend(matched.new.iter().map(|new| format!("+{}-{}", new.began, new.ended.unwrap_or(0))));
        assert_eq!(told.join(" "), expected);
    }

    #[test]
    fn an_episode_keeps_its_number() {
        check(&[(10, 20)], &[(10, 20)], "1=10-20");
        check(&[(10, 0)], &[(5, 40)], "1=5-40");
        // What only touches is another one.
        check(&[(10, 20)], &[(20, 30)], "1! +20-30");
        check(&[], &[(1, 2)], "+1-2");
        check(&[(1, 2)], &[], "1!");
        // Merged: the earliest stays. Split: the first part has the number.
        check(&[(10, 20), (30, 40), (50, 0)], &[(10, 40), (50, 0)], "1=10-40 2<1 3=50-0");
        check(&[(10, 40)], &[(10, 20), (30, 40)], "1=10-20 +30-40");
        // Both at once.
        check(&[(10, 30), (40, 60)], &[(10, 15), (20, 50)], "1=10-15 2=20-50");
    }

    #[test]
    fn many_episodes_an_hour_are_flapping_until_it_is_quiet() {
        let minute = 60 * SECOND;
        let began: Vec<i64> = [0, 10, 20, 30, 100].map(|n| n * minute).to_vec();
        for (at, is) in [(20, false), (29, false), (30, true), (59, true), (60, false), (100, false)] {
            assert_eq!(is_flapping(&began, at * minute), is, "{at}");
        }
        assert!(!is_flapping(&[0, 25, 50, 75].map(|n| n * minute), 75 * minute));
    }
}
