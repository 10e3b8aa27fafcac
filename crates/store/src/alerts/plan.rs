//! Which times of an application are counted of rows in a turn, as arithmetic on values.
//!
//! What was counted of the last minutes is kept in memory ([`Recent`]), so that a slot is read once, although it is stored
//! with its minute. Whoever begins, or has missed a turn of another one, knows nothing of the kind: then what is judged
//! and not stored is counted again.

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Instant;

use alt_alerts::judge::Span;
use alt_alerts::lens::Lens;
use alt_alerts::rule::Rule;
use alt_alerts::time::{Micros, SECOND, SLOT, slot_from};

use super::buckets::{self, minute_of};
use super::course::{PIECE, Ruled};
use super::follow::Mark;
use super::series::Fresh;

/// So much is kept in memory of an application whose rules look at so much.
const KEPT: Micros = 600 * SECOND;

/// With more counts in memory, only those are kept that are not stored.
const KEPT_COUNTS: usize = 2000;

/// What was counted and judged last of an application.
#[derive(Debug)]
pub struct Recent {
    /// How far it is judged.
    pub judged: Micros,
    /// A source was left out.
    pub is_partial: bool,
    /// What rules look at.
    pub lenses: BTreeSet<Lens>,
    /// What was counted, until `judged`: all that is not stored, and more.
    pub fresh: Fresh,
    /// Rows behind `judged` may be there, up to then.
    pub rows_until: Micros,
    /// When it was last noted how far it is judged.
    pub noted: Option<Instant>,
}

impl Recent {
    /// Whether it has what is to be known of the time until `judged`, for rules that look at this, after these changes.
    pub fn covers(&self, lenses: &BTreeSet<Lens>, marks: &[Mark], until: Micros) -> bool {
        let has_changed = |mark: &Mark| mark.from < self.judged && mark.until > self.fresh.times.start;
        self.lenses == *lenses
            && self.fresh.times.start <= minute_of(self.judged)
            && until - self.judged <= KEPT
            && !marks.iter().any(has_changed)
    }

    /// Forgets what is stored and need not be in memory.
    pub fn shorten(&mut self) {
        let from = minute_of(self.judged - KEPT);
        self.fresh.forget_before(from);
        if self.fresh.len() > KEPT_COUNTS {
            self.fresh.forget_before(minute_of(self.judged));
        }
    }
}

/// A time of an application whose rows are counted again, and its marks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Piece {
    /// Counted again; empty: nothing is.
    pub times: Option<Range<Micros>>,
    /// Marks that are done with it.
    pub ids: Vec<i64>,
    /// What is left of them.
    pub rest: Option<Range<Micros>>,
    /// Other marks, which lie in other times.
    pub others: Vec<Mark>,
}

impl Piece {
    /// The latest run of marks that lie together, up to a length. Nothing from `end` on is counted.
    pub fn of(marks: &[Mark], now: Micros, end: Micros) -> Piece {
        // By their ends: of what ends earlier than a mark that does not reach the run, nothing does.
        let mut marks = marks.to_vec();
        marks.sort_by_key(|mark| (mark.until, mark.id));
        let Some(last) = marks.last() else { return Piece::default() };
        let (mut from, mut until) = (last.from, last.until);
        let mut first = marks.len() - 1;
        while let Some(mark) = first.checked_sub(1).map(|n| marks[n]).filter(|mark| mark.until + SLOT >= from)
        {
            (from, until) = (from.min(mark.from), until.max(mark.until));
            first -= 1;
        }
        // A mark that began earlier may reach into this time as well.
        let length = buckets::border_at(from, now);
        let begins = from.div_euclid(length) * length;
        let ends = -(-until).div_euclid(length) * length;
        let cut = ends.min(begins + PIECE).min(end);
        Piece {
            times: (begins < cut).then_some(begins..cut),
            ids: marks[first..].iter().filter_map(|mark| mark.id).collect(),
            rest: (cut < until).then_some(cut..until),
            others: marks[..first].to_vec(),
        }
    }

    /// The times that stay to be counted again.
    pub fn dirty(&self) -> Vec<Range<Micros>> {
        self.others.iter().map(|mark| mark.from..mark.until).chain(self.rest.clone()).collect()
    }

    /// The times that have to be marked in the database: what is left, and what is marked in memory alone.
    pub fn unmarked(&self) -> Vec<Range<Micros>> {
        let only_here = self.others.iter().filter(|mark| mark.id.is_none());
        only_here.map(|mark| mark.from..mark.until).chain(self.rest.clone()).collect()
    }
}

/// When the first version of a rule begins to judge.
pub fn first_from(ruled: &Ruled) -> Option<Micros> {
    ruled.versions.iter().find(|(_, rule)| rule.is_some()).map(|(from, _)| *from)
}

/// Up to when is judged before there was a rule, of which the first begins at a time.
pub fn begins(first: Micros) -> Micros {
    slot_from(first) - SLOT
}

/// What the rules look at.
pub fn lenses(rules: &[Ruled]) -> BTreeSet<Lens> {
    let all = rules.iter().flat_map(|ruled| &ruled.versions).filter_map(|(_, rule)| rule.as_ref());
    all.map(|rule| rule.lens.clone()).collect()
}

/// What is judged: from what is counted again, or from where it was judged, up to a time.
pub fn span(
    counted: Option<&Range<Micros>>,
    rules: &[Ruled],
    first: Micros,
    judged: Micros,
    until: Micros,
) -> Span {
    let all = rules.iter().flat_map(|ruled| &ruled.versions).filter_map(|(_, rule)| rule.as_ref());
    let reach = all.map(Rule::reach).max().unwrap_or(0);
    let (from, touched) =
        counted.map_or((judged, judged), |times| (times.start.min(judged), times.end + reach + SLOT));
    // Before there was a rule, nothing is judged.
    let from = from.max(begins(first)).min(judged);
    Span { from, touched: slot_from(touched), judged, until }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerts::rows::Counted;

    fn mark(id: i64, from: i64, until: i64) -> Mark {
        Mark { id: (id > 0).then_some(id), from: from * SECOND, until: until * SECOND }
    }

    /// Seconds: what is counted, which marks are done, what is left.
    type Told = (Option<(i64, i64)>, Vec<i64>, Vec<(i64, i64)>);

    fn told(piece: &Piece) -> Told {
        let seconds = |range: Range<Micros>| (range.start / SECOND, range.end / SECOND);
        (
            piece.times.clone().map(seconds),
            piece.ids.clone(),
            piece.unmarked().into_iter().map(seconds).collect(),
        )
    }

    #[test]
    fn the_latest_run_of_marks_is_counted_by_whole_minutes_and_not_beyond_the_end() {
        let (now, end) = (100_000 * SECOND, 99_995 * SECOND);
        let marks = [mark(1, 600, 601), mark(0, 900, 905), mark(2, 99_910, 99_920), mark(0, 99_922, 99_995)];
        assert_eq!(told(&Piece::of(&marks, now, end)), (Some((99_900, 99_995)), vec![2], vec![(900, 905)]));
        assert_eq!(told(&Piece::of(&marks[..1], now, end)), (Some((600, 660)), vec![1], vec![]));
        let long = [mark(3, 0, 30_000)];
        assert_eq!(told(&Piece::of(&long, now, end)), (Some((0, 21_600)), vec![3], vec![(21_600, 30_000)]));
        assert_eq!(Piece::of(&[], now, end), Piece::default());
        // One that is over lies between two that touch.
        let within = [mark(4, 99_785, 99_825), mark(5, 99_790, 99_791), mark(0, 99_800, 99_825)];
        assert_eq!(told(&Piece::of(&within, now, end)), (Some((99_780, 99_840)), vec![5, 4], vec![]));
    }

    #[test]
    fn what_is_in_memory_covers_what_did_not_change() {
        let fresh = Fresh { times: 540 * SECOND..625 * SECOND, counted: Counted::new() };
        let recent = Recent {
            judged: 625 * SECOND,
            is_partial: false,
            lenses: BTreeSet::from([Lens::default()]),
            fresh,
            rows_until: 0,
            noted: None,
        };
        let lenses = recent.lenses.clone();
        let covers = |marks: &[Mark], until: i64| recent.covers(&lenses, marks, until * SECOND);
        assert!(covers(&[mark(0, 625, 630), mark(0, 500, 540)], 630));
        assert!(!covers(&[mark(0, 624, 630)], 630));
        assert!(!covers(&[], 1300));
        assert!(!recent.covers(&BTreeSet::new(), &[], 630 * SECOND));
    }
}
