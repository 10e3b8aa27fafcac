//! People: distinct `user_id`s, which segments have as keyed hashes of 64 bits; and who of them comes back.
//!
//! | of people | |
//! |---|---|
//! | person | a distinct `user_id` over the days that are asked for: of a session the first that one of its events has |
//! | of a value | people of the sessions that count for it: those with the value, or with such an event that is kept |
//! | rows without a visitor | have no session, and are no person |
//!
//! Of days whose segments were made without a key nobody is known, and the hashes of two keys have nothing in common. Answers
//! say both ([`super::Note::People`], [`super::Note::Keys`]).

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::Row;
use super::block::Block;
use crate::segment::columns as c;
use crate::segment::{Numbers, Segment};

/// The most periods of a retention.
pub const PERIODS_MAX: usize = 90;

/// Hashes that wait at least until they are put in order.
const WAITING: usize = 1024;

/// A set of people.
#[derive(Debug, Clone, Default)]
pub struct People {
    /// Their hashes: each once and in order, up to `ordered`; then any.
    ids: Vec<u64>,
    ordered: usize,
}

impl PartialEq for People {
    fn eq(&self, other: &People) -> bool {
        self.in_order() == other.in_order()
    }
}

impl Eq for People {}

impl People {
    /// Those of these hashes.
    pub(super) fn of(ids: Vec<u64>) -> People {
        let mut people = People { ids, ordered: 0 };
        people.settle();
        people
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.in_order().len() as u64
    }

    /// Hashes that are in memory.
    pub(super) fn held(&self) -> usize {
        self.ids.len()
    }

    /// Adds others.
    pub(super) fn add(&mut self, more: &People) {
        self.ids.extend_from_slice(&more.ids);
        if self.ids.len() - self.ordered > self.ordered / 2 + WAITING {
            self.settle();
        }
    }

    fn settle(&mut self) {
        if self.ordered < self.ids.len() {
            // Finds the part that is in order.
            self.ids.sort();
            self.ids.dedup();
            self.ordered = self.ids.len();
        }
    }

    fn in_order(&self) -> Cow<'_, [u64]> {
        if self.ordered == self.ids.len() {
            return Cow::Borrowed(&self.ids);
        }
        let mut all = self.clone();
        all.settle();
        Cow::Owned(all.ids)
    }
}

/// Who is met in a segment.
#[derive(Debug)]
pub(super) struct Crowd<'s> {
    users: &'s Numbers,
    /// Those of the sessions of a block, and the first of these sessions.
    of_block: Vec<u64>,
    from: usize,
    /// Values, and who has them.
    met: Vec<(u32, u64)>,
    all: Vec<u64>,
    /// A session has a `user_id` of which there is no hash.
    pub(super) is_lacking: bool,
}

impl<'s> Crowd<'s> {
    pub(super) fn new(segment: &'s Segment) -> Result<Crowd<'s>, crate::segment::Broken> {
        let users = segment.longs(c::USER)?;
        Ok(Crowd {
            users,
            of_block: Vec::new(),
            from: 0,
            met: Vec::new(),
            all: Vec::new(),
            is_lacking: false,
        })
    }

    /// Reads who the sessions of a block are.
    pub(super) fn read(&mut self, block: &Block) {
        self.from = block.sessions.from;
        self.of_block.clear();
        self.of_block.resize(block.sessions.len(), 0);
        self.users.read_long(self.from, &mut self.of_block);
    }

    fn user(&self, session: usize) -> Option<u64> {
        self.of_block.get(session.checked_sub(self.from)?).copied().filter(|user| *user > 0)
    }

    /// A session of the block, which is one of somebody, counts.
    pub(super) fn join(&mut self, session: usize, flags: u32) {
        match self.user(session) {
            Some(user) => self.all.push(user),
            None => self.is_lacking |= flags & c::AUTHENTICATED != 0,
        }
    }

    /// A session of the block, which is one of somebody, counts for a value.
    pub(super) fn meet(&mut self, value: usize, session: usize) {
        if let Some(user) = self.user(session) {
            let met = (u32::try_from(value).unwrap_or(u32::MAX), user);
            if self.met.last() != Some(&met) {
                self.met.push(met);
            }
        }
    }

    /// Everybody, and who has which value, in the order of values.
    pub(super) fn ends(mut self) -> (People, Vec<(u32, u64)>) {
        self.met.sort_unstable();
        self.met.dedup();
        (People::of(self.all), self.met)
    }
}

/// A period of a retention.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stay {
    /// People who were there.
    pub people: u64,
    /// Those of them who were there for the first time within all periods.
    pub new: u64,
    /// The others of them.
    pub returning: u64,
    /// People who were there in the period before, and not in this one.
    pub churned: u64,
}

/// Who came back: cohorts are people whose first period is the same.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Retention {
    /// People of all periods.
    pub people: u64,
    /// Each period.
    pub periods: Vec<Stay>,
    /// The cohort of each period: how many of it were there in this period, which are all, in the next, and so on to the last.
    pub cohorts: Vec<Vec<u64>>,
}

impl Retention {
    /// Of periods in their order, at most [`PERIODS_MAX`], by the rows of an answer by [`super::Dimension::Period`].
    pub fn of(periods: &[String], rows: &[Row]) -> Retention {
        let count = periods.len().min(PERIODS_MAX);
        let of_period = |name: &String| rows.iter().find(|row| row.value == *name);
        let sets: Vec<Cow<'_, [u64]>> = periods[..count]
            .iter()
            .map(|name| of_period(name).and_then(|row| row.tally.people.as_deref()))
            .map(|people| people.map_or(Cow::Borrowed(&[][..]), People::in_order))
            .collect();
        let mut found = Retention {
            people: 0,
            periods: vec![Stay::default(); count],
            cohorts: (0..count).map(|first| vec![0; count - first]).collect(),
        };
        // All sets are in order: who is next in any of them is next of all.
        let mut places = vec![0; count];
        let mut heads: BinaryHeap<Reverse<(u64, usize)>> =
            sets.iter().enumerate().filter_map(|(n, set)| Some(Reverse((*set.first()?, n)))).collect();
        while let Some(Reverse((id, n))) = heads.pop() {
            let mut was_in: u128 = 1 << n;
            advance(&mut heads, &sets, &mut places, n);
            while let Some(Reverse((_, n))) = heads.peek().copied().filter(|head| head.0.0 == id) {
                heads.pop();
                was_in |= 1 << n;
                advance(&mut heads, &sets, &mut places, n);
            }
            found.add(was_in);
        }
        found
    }

    /// Adds a person, who was there in these periods.
    fn add(&mut self, was_in: u128) {
        let first = was_in.trailing_zeros() as usize;
        self.people += 1;
        for (n, stay) in self.periods.iter_mut().enumerate() {
            let was = |n: usize| was_in >> n & 1 == 1;
            if was(n) {
                stay.people += 1;
                *(if n == first { &mut stay.new } else { &mut stay.returning }) += 1;
                self.cohorts[first][n - first] += 1;
            } else if n > 0 && was(n - 1) {
                stay.churned += 1;
            }
        }
    }
}

/// Passes on to the next of a set.
fn advance(
    heads: &mut BinaryHeap<Reverse<(u64, usize)>>,
    sets: &[Cow<'_, [u64]>],
    places: &mut [usize],
    n: usize,
) {
    places[n] += 1;
    heads.extend(sets[n].get(places[n]).map(|id| Reverse((*id, n))));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::Tally;

    #[test]
    fn sets_of_people_are_the_same_in_whatever_order_they_come() {
        let (mut one, mut other) = (People::default(), People::default());
        for n in 0..5_000_u64 {
            one.add(&People::of(vec![n % 1_700, n % 900]));
            other.add(&People::of(vec![(4_999 - n) % 1_700]));
        }
        assert_eq!((one.count(), &one), (1_700, &other));
        assert!(one.held() < 1_700 * 2 + WAITING, "{} are held", one.held());
        one.add(&People::of(vec![1_700]));
        assert_ne!(one, other);
    }

    #[test]
    fn a_cohort_is_who_came_first_in_a_period_and_shrinks_and_grows() {
        let names: Vec<String> = ["2026-01-05", "2026-01-12", "2026-01-19"].map(str::to_owned).to_vec();
        let row = |name: &String, ids: &[u64]| Row {
            value: name.clone(),
            tally: Tally { people: Some(Box::new(People::of(ids.to_vec()))), ..Tally::default() },
            before: None,
        };
        // 1 is there always, 2 leaves and comes back, 3 comes later, 4 leaves for ever.
        let rows = [row(&names[2], &[3, 2, 1]), row(&names[0], &[4, 1, 2, 1]), row(&names[1], &[1, 3])];
        let found = Retention::of(&names, &rows);
        let stay = |people, new, returning, churned| Stay { people, new, returning, churned };
        assert_eq!(found.people, 4);
        assert_eq!(found.periods, [stay(3, 3, 0, 0), stay(2, 1, 1, 2), stay(3, 0, 3, 0)]);
        assert_eq!(found.cohorts, [vec![3, 1, 2], vec![1, 1], vec![0]]);
        assert_eq!(Retention::of(&names[..1], &rows).people, 3);
        assert_eq!(Retention::of(&[], &rows), Retention::default());
    }
}
