//! Random histories of a key against a reference that judges once, from all events that are there at the end.
//!
//! The one under test judges as events come: live, late, taken out and loaded again, with rules that change and people who
//! act. The reference adds up events for each window anew and steps by conditions of its own.

use std::collections::BTreeMap;

use crate::bucket::Event;
use crate::episode::{Fate, Interval, Known, intervals, reconcile};
use crate::judge::{Act, Change, Span, Version, judge};
use crate::lens::Fold;
use crate::rule::{Operator, Rule, Test, parse_one};
use crate::state::Hand;
use crate::time::{Micros, SLOT, slot_of};

/// A history: what is there, and what was computed of it.
struct World {
    random: fastrand::Rng,
    events: Vec<Micros>,
    unloaded: Vec<Micros>,
    rules: Vec<(Micros, Option<Rule>)>,
    acts: Vec<Act>,
    changes: Vec<Change>,
    episodes: Vec<Known>,
    dirty: Option<(Micros, Micros)>,
    judged: Micros,
    watermark: Micros,
    next_id: i64,
}

fn random_rule(random: &mut fastrand::Rng) -> Rule {
    let tests = [
        "> 4",
        "< 2",
        "absent for 15s",
        "change < -40 %",
        ">= 6\"\nrecover = \"4",
        "> 3\"\nrecover = \"1",
        "above baseline by 2x",
        "below baseline by 50 %",
        "moving average ± 1.5",
        "moving average + 2\"\nrecover = \"0.5",
    ];
    let window = random.i64(1..5) * 5;
    let test = tests[random.usize(0..tests.len())].replace("recover = \"", "recover = ");
    let quote = if test.contains("recover") { "" } else { "\"" };
    let text = format!(
        "name = \"x\"\nwindow = \"{window}s\"\nfor = \"{}s\"\nkeep_firing = \"{}s\"\ncompare = \"{test}{quote}",
        random.i64(0..4) * 5,
        random.i64(0..4) * 5,
    );
    let is_past = test.contains("baseline") || test.contains("average");
    let offset = is_past.then(|| format!("\noffset = \"{}s\"", window * random.i64(3..6)));
    let text = text + &offset.unwrap_or_default();
    parse_one(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

impl World {
    fn new(seed: u64) -> World {
        let mut random = fastrand::Rng::with_seed(seed);
        let rules = vec![(random.i64(0..4) * SLOT, Some(random_rule(&mut random)))];
        World {
            random,
            events: Vec::new(),
            unloaded: Vec::new(),
            rules,
            acts: Vec::new(),
            changes: Vec::new(),
            episodes: Vec::new(),
            dirty: None,
            judged: 0,
            watermark: 0,
            next_id: 1,
        }
    }

    fn touch(&mut self, at: Micros) {
        let (from, until) = self.dirty.unwrap_or((Micros::MAX, Micros::MIN));
        self.dirty = Some((from.min(slot_of(at)), until.max(slot_of(at) + SLOT)));
    }

    /// Something happens to the data, the rules, or by a person.
    fn play(&mut self) {
        match self.random.u8(0..20) {
            0..10 => {
                let (from, count) = (self.watermark, self.random.u32(0..9));
                for _ in 0..count {
                    self.load(from, from + 3 * SLOT);
                }
                self.watermark += self.random.i64(1..4) * SLOT;
            }
            10..13 if self.watermark > 0 => self.load(0, self.watermark),
            13..16 if !self.events.is_empty() => {
                let n = self.random.usize(0..self.events.len());
                let at = self.events.swap_remove(n);
                self.unloaded.push(at);
                self.touch(at);
            }
            16 => {
                for at in std::mem::take(&mut self.unloaded) {
                    self.events.push(at);
                    self.touch(at);
                }
            }
            17 => {
                // A version begins behind what was judged.
                let rule = self.random.bool().then(|| random_rule(&mut self.random));
                self.rules.push((self.judged + 1, rule));
            }
            _ => {
                let until = self.judged + self.random.i64(1..9) * SLOT;
                let acknowledges = self.random.bool();
                let hand = if acknowledges { Hand::Acknowledge { until } } else { Hand::Resolve };
                self.acts.push(Act { at: self.judged + 1, hand });
            }
        }
    }

    fn load(&mut self, from: Micros, until: Micros) {
        let at = self.random.i64(from..until);
        self.events.push(at);
        self.touch(at);
    }

    /// What a turn of the evaluator does.
    fn turn(&mut self) {
        let mut sorted = self.events.clone();
        sorted.sort_unstable();
        let mut fold = Fold::new([crate::lens::Lens::default()]);
        sorted.iter().for_each(|at| fold.count(&Event { at: *at, ..Event::default() }));
        let series = fold.finish().remove(0).1.remove(&Vec::new()).unwrap_or_default();
        let versions: Vec<Version<'_>> = self
            .rules
            .iter()
            .map(|(from, rule)| Version { from: *from, rule: rule.as_ref(), series: Some(&series) })
            .collect();
        let reach = self.rules.iter().filter_map(|(_, rule)| Some(rule.as_ref()?.reach())).max().unwrap_or(0);
        let (from, touched) = self
            .dirty
            .take()
            .map_or((self.judged, self.judged), |(from, until)| (from.min(self.judged), until + reach));
        let span = Span { from, touched, judged: self.judged, until: self.watermark };
        let after = judge(&versions, &self.acts, &self.changes, span);
        self.changes.retain(|change| change.at <= from);
        self.changes.extend(after);
        self.judged = self.watermark;
        let matched = reconcile(&self.episodes, &intervals(&self.changes));
        let kept = |(id, fate): &(i64, Fate)| match fate {
            Fate::Is(interval) => Some(Known { id: *id, interval: *interval }),
            _ => None,
        };
        self.episodes = matched.fates.iter().filter_map(kept).collect();
        for interval in matched.new {
            self.episodes.push(Known { id: self.next_id, interval });
            self.next_id += 1;
        }
        self.episodes.sort_by_key(|known| known.interval.began);
    }

    /// The reference: every window from all events, and the course of the key by booleans and times.
    fn reference(&self) -> Vec<Interval> {
        let mut all: Vec<Interval> = Vec::new();
        let (mut true_since, mut false_since, mut is_open, mut is_muted) = (None, None, false, false);
        let mut at = 0;
        while at + SLOT <= self.watermark {
            at += SLOT;
            let resolves = |act: &&Act| act.at > at - SLOT && act.at <= at && act.hand == Hand::Resolve;
            let rule =
                self.rules.iter().rev().find(|(from, _)| *from <= at).and_then(|(_, rule)| rule.as_ref());
            let was_open = is_open;
            if is_open && rule.is_some() && self.acts.iter().any(|act| resolves(&act)) {
                (is_open, is_muted) = (false, true);
            }
            let (holds, fails) = rule.map_or((false, true), |rule| self.conditions(rule, at));
            true_since = if holds { true_since.or(Some(at)) } else { None };
            if rule.is_none() || is_muted {
                (is_open, is_muted) = (false, is_muted && !fails);
                // What was muted, and holds again later, waits from then on.
                true_since = None;
                false_since = None;
            } else if let Some(rule) = rule {
                if !is_open && true_since.is_some_and(|since| at - since >= rule.timing.wait) {
                    (is_open, false_since) = (true, None);
                } else if is_open {
                    false_since = if holds {
                        None
                    } else if fails {
                        false_since.or(Some(at))
                    } else {
                        false_since
                    };
                    is_open = false_since.is_none_or(|since| at - since < rule.timing.keep_firing);
                }
            }
            match (was_open, is_open) {
                (false, true) => all.push(Interval { began: at, ended: None, is_by_hand: false }),
                (true, false) => {
                    let last = all.last_mut().expect("an open one was pushed");
                    last.ended = Some(at);
                }
                _ => {}
            }
        }
        all
    }

    /// Whether a rule holds, and whether it is beyond its recovery, by counting.
    #[expect(clippy::cast_precision_loss, reason = "few events")]
    fn conditions(&self, rule: &Rule, at: Micros) -> (bool, bool) {
        let count = |from: Micros, until: Micros| {
            self.events.iter().filter(|event| slot_of(**event) >= from && slot_of(**event) < until).count()
                as f64
        };
        let now = count(at - rule.window, at);
        let (operator, threshold, recover, value) = match rule.test {
            Test::Absent { span } => (Operator::Equal, 0.0, None, count(at - span, at)),
            Test::Compare { operator, threshold, recover } => (operator, threshold, recover, now),
            Test::Past { past, operator, threshold, recover, offset } => {
                let ends = (1..=offset / rule.window).map(|n| at - n * rule.window);
                let mut earlier: Vec<f64> = ends.map(|end| count(end - rule.window, end)).collect();
                let windows = earlier.len();
                match past.value(now, &mut earlier, windows) {
                    Some(value) => (operator, threshold, recover, value),
                    None => return (false, true),
                }
            }
            Test::Change { operator, percent, recover, offset } => {
                let before = count(at - offset - rule.window, at - offset);
                let change = if before == 0.0 { 0.0 } else { 100.0 * (now - before) / before };
                (operator, percent, recover, change)
            }
        };
        let holds = operator.holds(value, threshold);
        (holds, !holds && !recover.is_some_and(|recover| operator.holds(value, recover)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_histories_have_the_episodes_of_the_reference() {
        let (mut with_episode, sequences) = (0, 10_000);
        for seed in 0..sequences {
            let mut world = World::new(seed);
            for _ in 0..world.random.u8(10..40) {
                world.play();
                if world.random.bool() {
                    world.turn();
                }
            }
            world.turn();
            let plain = |interval: Interval| Interval { is_by_hand: false, ..interval };
            let found: Vec<Interval> = world.episodes.iter().map(|known| plain(known.interval)).collect();
            assert_eq!(found, world.reference(), "seed {seed}: {:?} {:?}", world.rules, world.acts);
            let open = found.iter().filter(|interval| interval.ended.is_none()).count();
            assert!(open <= 1, "seed {seed}: {open} episodes are open");
            let mut ids: BTreeMap<i64, u32> = BTreeMap::new();
            world.episodes.iter().for_each(|known| *ids.entry(known.id).or_default() += 1);
            assert!(ids.values().all(|times| *times == 1), "seed {seed}: a number is given twice");
            with_episode += u64::from(!found.is_empty());
        }
        let share = 100 * with_episode / sequences;
        println!("{sequences} sequences, {share} % with an episode");
        assert!(share >= 30, "{share} % of the sequences have an episode");
    }
}
