//! Counts of texts from outside, of which there may be any number, in bounded memory.

use std::cmp::{Ordering, Reverse};

use foldhash::{HashMap, HashMapExt};

/// What is counted of a text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// Requests, or hits.
    pub(super) requests: u64,
    /// Bytes of the answers.
    pub(super) bytes: u64,
    /// Time that the answers took, milliseconds, and how many say it.
    pub(super) took_ms: u64,
    pub(super) timed: u64,
}

impl Seen {
    fn add(&mut self, more: Seen) {
        self.requests += more.requests;
        self.bytes += more.bytes;
        self.took_ms += more.took_ms;
        self.timed += more.timed;
    }
}

/// A text and what was seen of it.
type Text = (Box<str>, Seen);

/// The order of texts: by requests, then by the text.
fn rank(a: &Text, b: &Text) -> Ordering {
    (Reverse(a.1.requests), &a.0).cmp(&(Reverse(b.1.requests), &b.0))
}

/// Texts and their counts. Where there are too many, the rarer half is summed up: a text that comes often stays, however
/// many come once. A text that was summed up begins at 0 again if it comes later.
#[derive(Debug)]
pub(super) struct Top {
    all: HashMap<Box<str>, Seen>,
    bytes: usize,
    /// The most texts, and bytes of them.
    most: (usize, usize),
    rest: Seen,
}

impl Top {
    /// Of at most so many texts and bytes of them.
    pub(super) fn new(texts: usize, bytes: usize) -> Top {
        Top { all: HashMap::new(), bytes: 0, most: (texts, bytes), rest: Seen::default() }
    }

    /// Counts a text.
    pub(super) fn add(&mut self, text: &str, seen: Seen) {
        if let Some(known) = self.all.get_mut(text) {
            known.add(seen);
            return;
        }
        if self.all.len() >= self.most.0 || self.bytes + text.len() > self.most.1 {
            self.forget();
        }
        self.bytes += text.len();
        self.all.insert(text.into(), seen);
    }

    /// Sums the rarer texts up, until both bounds are half free.
    fn forget(&mut self) {
        let mut ranked: Vec<(Box<str>, Seen)> = self.all.drain().collect();
        // Most of them came once: only those that stay are put in order.
        let stay = (self.most.0 / 2).min(ranked.len());
        if stay < ranked.len() {
            ranked.select_nth_unstable_by(stay, rank);
            for (_, seen) in ranked.drain(stay..) {
                self.rest.add(seen);
            }
        }
        ranked.sort_unstable_by(rank);
        self.bytes = 0;
        for (text, seen) in ranked {
            if self.all.len() < self.most.0 / 2 && self.bytes + text.len() <= self.most.1 / 2 {
                self.bytes += text.len();
                self.all.insert(text, seen);
            } else {
                self.rest.add(seen);
            }
        }
    }

    /// The first by requests, and what all others are together.
    pub(super) fn first(&self, count: usize) -> (Vec<(&str, Seen)>, Seen) {
        let mut ranked: Vec<(&str, Seen)> = self.all.iter().map(|(text, seen)| (&**text, *seen)).collect();
        ranked.sort_unstable_by_key(|(text, seen)| (Reverse(seen.requests), *text));
        let mut rest = self.rest;
        for (_, seen) in ranked.drain(count.min(ranked.len())..) {
            rest.add(seen);
        }
        (ranked, rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_often_stays_and_memory_is_bounded() {
        const ONE: Seen = Seen { requests: 1, bytes: 10, took_ms: 0, timed: 0 };
        let mut top = Top::new(1000, 20_000);
        for n in 0..200_000 {
            top.add(&format!("/{n}/{}", "x".repeat(n % 50)), ONE);
            if n % 10 == 0 {
                top.add("/often", ONE);
            }
            assert!(top.all.len() <= 1000 && top.bytes <= 20_000);
        }
        let (first, rest) = top.first(1);
        assert_eq!(first, [("/often", Seen { requests: 20_000, bytes: 200_000, took_ms: 0, timed: 0 })]);
        assert_eq!((rest.requests, rest.bytes), (200_000, 2_000_000));
    }

    #[test]
    fn a_text_that_is_longer_than_all_the_room_is_the_only_one() {
        let mut top = Top::new(10, 10);
        for text in ["a", "a text that is too long", "b"] {
            top.add(text, Seen { requests: 1, ..Seen::default() });
        }
        let (first, rest) = top.first(10);
        assert!(first.len() <= 2 && first.len() as u64 + rest.requests == 3, "{first:?} {rest:?}");
    }
}
