//! Steps a key through a time: the first time, or again after its events changed.
//!
//! What is known of a key are its [`Change`]s of state. When events of a time change, the key is judged again from there:
//! from the state that it had before, forward until it is in the state that it was known to be in, and nothing that it
//! looks at changed. From then on, what is known stays.

use crate::bucket::Series;
use crate::rule::{NoData, Rule, Test};
use crate::state::{Hand, Input, State, step};
use crate::time::{Micros, SLOT, slot_from, slot_of};
use crate::verdict::{Meter, Verdict};

/// A key has this state from this time on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// The end of the slot after which it has the state.
    pub at: Micros,
    /// The state.
    pub state: State,
}

/// Nothing was counted.
static NOTHING: std::sync::LazyLock<Series> = std::sync::LazyLock::new(Series::default);

/// A version of a rule, and the key's series as this version sees it.
#[derive(Debug, Clone, Copy)]
pub struct Version<'a> {
    /// Windows that end then or later are judged by it, until the next version.
    pub from: Micros,
    /// `None`: there is no rule for the key: it was deleted or switched off, or tells no such series apart.
    pub rule: Option<&'a Rule>,
    /// The series; `None`: it is not known, and nothing is found to begin or to end.
    pub series: Option<&'a Series>,
}

/// What a person did at a time of the events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Act {
    /// When.
    pub at: Micros,
    /// What.
    pub hand: Hand,
}

/// What is judged. Times are ends of slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The state at this time is known and stays.
    pub from: Micros,
    /// The end of the last window that may see other events than when it was last judged.
    pub touched: Micros,
    /// How far the key was judged.
    pub judged: Micros,
    /// How far to judge.
    pub until: Micros,
}

/// The state of a key at a time, by its changes.
pub fn state_at(changes: &[Change], at: Micros) -> State {
    let next = changes.partition_point(|change| change.at <= at);
    next.checked_sub(1).map_or(State::Inactive, |last| changes[last].state)
}

/// Judges a key over a time. `known` has its changes until `span.judged`, ascending, as far back as `span.from` at least.
/// `acts` are ascending, as are `versions`. Returns all changes after `span.from`, those that stay among them.
pub fn judge(versions: &[Version<'_>], acts: &[Act], known: &[Change], span: Span) -> Vec<Change> {
    let mut state = state_at(known, span.from);
    let mut changes = Vec::new();
    let mut at = slot_of(span.from);
    for (n, version) in versions.iter().enumerate() {
        let end = versions.get(n + 1).map_or(Micros::MAX, |next| slot_from(next.from));
        let mut working = version.rule.map(|rule| Working {
            meter: Meter::new(rule, version.series.unwrap_or(&NOTHING)),
            is_known: version.series.is_some(),
            raised: is_raised(versions, n).then_some(version.from),
        });
        while at + SLOT <= span.until && at + SLOT < end {
            at += SLOT;
            if at < version.from {
                // Before the first version, there is no rule.
                note(&mut changes, &mut state, at, State::Inactive);
                continue;
            }
            let next = next_state(state, at, &mut working, acts);
            note(&mut changes, &mut state, at, next);
            if at >= span.touched && at < span.judged && state == state_at(known, at) {
                // From here to where it was judged, all is as it was.
                let stays = known.iter().filter(|change| change.at > at && change.at <= span.judged);
                changes.extend(stays);
                at = span.judged;
                state = state_at(known, at);
                continue;
            }
            if let Some(idle) = idle_until(state, at, working.as_ref(), acts) {
                // The last step before something may happen.
                at = at.max(idle.min(span.until).min(end - SLOT).min(next_look(span, at)) - SLOT);
            }
        }
    }
    changes
}

/// A version that judges.
struct Working<'a> {
    meter: Meter<'a>,
    /// Whether it is known what was counted.
    is_known: bool,
    /// Its alerts are worse than those of the version before, from this time on.
    raised: Option<Micros>,
}

/// Whether the alerts of a version are worse than those of the version before.
fn is_raised(versions: &[Version<'_>], n: usize) -> bool {
    let severity = |version: &Version<'_>| version.rule.map(|rule| rule.severity);
    let before = n.checked_sub(1).and_then(|before| severity(&versions[before]));
    severity(&versions[n]).zip(before).is_some_and(|(now, before)| now > before)
}

/// The next time at which what is known matters: a step may not pass it.
fn next_look(span: Span, at: Micros) -> Micros {
    if at < span.touched { span.touched } else { Micros::MAX }
}

fn note(changes: &mut Vec<Change>, state: &mut State, at: Micros, next: State) {
    if *state != next {
        changes.push(Change { at, state: next });
        *state = next;
    }
}

/// The state after the slot that ends at a time.
fn next_state(state: State, at: Micros, working: &mut Option<Working<'_>>, acts: &[Act]) -> State {
    let Some(Working { meter, is_known, raised }) = working else { return State::Inactive };
    let verdict = if *is_known { meter.at(at).verdict } else { Verdict::Unknown };
    let timing = meter.rule().timing;
    let acts =
        &acts[acts.partition_point(|act| act.at <= at - SLOT)..acts.partition_point(|act| act.at <= at)];
    let hand = |state: State, act: &Act| {
        step(state, Input { at, verdict: Verdict::Unknown, hand: Some(act.hand) }, timing)
    };
    let raised = raised.filter(|raised| *raised <= at && *raised > at - SLOT);
    // Whoever said before that they look after it, did not know how bad it is.
    let (before, after) = acts.split_at(acts.partition_point(|act| raised.is_some_and(|from| act.at < from)));
    let mut state = before.iter().fold(state, hand);
    if raised.is_some() {
        state = state.unattended();
    }
    // Of several acts in one slot, all but the last are steps in which nothing is known.
    let Some((last, others)) = after.split_last() else {
        return step(state, Input { at, verdict, hand: None }, timing);
    };
    step(others.iter().fold(state, hand), Input { at, verdict, hand: Some(last.hand) }, timing)
}

/// If nothing is in the windows of a key that is inactive and stays so: the next time at which that may end.
fn idle_until(state: State, at: Micros, working: Option<&Working<'_>>, acts: &[Act]) -> Option<Micros> {
    if state != State::Inactive {
        return None;
    }
    let Some(Working { meter, is_known, .. }) = working else { return Some(Micros::MAX) };
    if !is_known {
        return Some(Micros::MAX);
    }
    let rule = meter.rule();
    let is_quiet = meter.is_empty()
        && !matches!(rule.test, Test::Absent { .. })
        && rule.no_data != NoData::Fire
        && meter.last() == Verdict::Fails;
    let next_act = acts.get(acts.partition_point(|act| act.at <= at)).map(|act| slot_from(act.at));
    is_quiet.then(|| meter.next_entry(at).into_iter().chain(next_act).min().unwrap_or(Micros::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bucket::{Bucket, Event};
    use crate::rule::parse_one;
    use crate::time::SECOND;

    /// A series with so many events in each slot.
    fn series(counts: &[u32]) -> Series {
        let bucket = |n: u32| {
            let mut bucket = Bucket::default();
            (0..n).for_each(|_| bucket.count(&Event::default()));
            bucket
        };
        let slots = (0..).step_by(5).zip(counts).filter(|(_, n)| **n > 0);
        Series::new(slots.map(|(at, n)| (at * SECOND, bucket(*n))).collect())
    }

    fn rule(rest: &str) -> Rule {
        parse_one(&format!("name = \"x\"\nwindow = \"5s\"\n{rest}")).unwrap()
    }

    /// The changes as text: seconds and the first letter of the state.
    fn told(changes: &[Change]) -> String {
        let tell = |change: &Change| format!("{}{}", change.at / SECOND, &change.state.name()[..1]);
        changes.iter().map(tell).collect::<Vec<_>>().join(" ")
    }

    fn all(until: Micros) -> Span {
        Span { from: 0, touched: until, judged: 0, until }
    }

    #[test]
    fn it_steps_at_the_end_of_each_slot_and_skips_what_is_quiet() {
        let series = series(&[0, 0, 3, 3, 0, 0, 0, 0, 9]);
        let rule = rule("compare = \"> 2\"\nfor = \"5s\"\nkeep_firing = \"10s\"");
        let version = Version { from: 0, rule: Some(&rule), series: Some(&series) };
        assert_eq!(told(&judge(&[version], &[], &[], all(60 * SECOND))), "15p 20a 25r 35i 45p 50i");
    }

    #[test]
    fn what_is_absent_holds_where_nothing_is() {
        let series = series(&[1, 1, 0, 0, 0, 1, 0, 0, 0]);
        let rule = rule("compare = \"absent for 10s\"");
        let version = Version { from: 10 * SECOND, rule: Some(&rule), series: Some(&series) };
        assert_eq!(told(&judge(&[version], &[], &[], all(45 * SECOND))), "20a 30i 40a");
        let change = self::rule("compare = \"change < -50 %\"\noffset = \"10s\"");
        let series = self::series(&[9, 9, 9, 3, 0, 0, 0, 1]);
        let version = Version { from: 0, rule: Some(&change), series: Some(&series) };
        assert_eq!(told(&judge(&[version], &[], &[], all(60 * SECOND))), "20a 35i 50a 55i");
    }

    #[test]
    fn earlier_windows_matter_though_the_last_ones_are_empty() {
        let series = series(&[1, 1]);
        let text = "name = \"x\"\nwindow = \"10s\"\ncompare = \"below baseline by 50 %\"\noffset = \"30s\"";
        let rule = parse_one(text).unwrap();
        let version = Version { from: 0, rule: Some(&rule), series: Some(&series) };
        // Both events are in one of the three windows before, or in two of them.
        assert_eq!(told(&judge(&[version], &[], &[], all(90 * SECOND))), "25a 30i 35a 40i");
    }

    #[test]
    fn a_version_is_judged_by_from_its_time_on() {
        let series = series(&[5, 5, 5, 5, 5, 5]);
        let (low, high) = (rule("compare = \"> 2\""), rule("compare = \"> 7\""));
        let of = |from, rule| Version { from: from * SECOND, rule, series: Some(&series) };
        let versions = [of(8, Some(&low)), of(20, Some(&high)), of(25, Some(&low)), of(28, None)];
        assert_eq!(told(&judge(&versions, &[], &[], all(60 * SECOND))), "10a 20i 25a 30i");
    }

    #[test]
    fn people_act_at_a_time_of_the_events() {
        let series = series(&[3, 3, 3, 3, 3, 3, 0, 3]);
        let rule = rule("compare = \"> 2\"");
        let version = Version { from: 0, rule: Some(&rule), series: Some(&series) };
        let ack = Act { at: 8 * SECOND, hand: Hand::Acknowledge { until: 20 * SECOND } };
        let resolve = Act { at: 21 * SECOND, hand: Hand::Resolve };
        let changes = judge(&[version], &[ack, resolve], &[], all(60 * SECOND));
        assert_eq!(told(&changes), "5a 10a 20a 25m 35i 40a 45i");
        let both = [ack, Act { at: 9 * SECOND, hand: Hand::Resolve }];
        assert_eq!(told(&judge(&[version], &both, &[], all(60 * SECOND))), "5a 10m 35i 40a 45i");
    }

    /// Not known what was measured: an alert that is open stays open, none begins, and people are heard all the same.
    #[test]
    fn what_is_not_known_begins_and_ends_nothing() {
        let series = series(&[3, 3, 0, 3, 0, 0]);
        let rule = rule("compare = \"> 2\"\nno_data = \"fire\"");
        let of = |from, series| Version { from: from * SECOND, rule: Some(&rule), series };
        let versions = [of(0, Some(&series)), of(12, None), of(28, Some(&series))];
        assert_eq!(told(&judge(&versions, &[], &[], all(40 * SECOND))), "5a 30i");
        let resolve = Act { at: 21 * SECOND, hand: Hand::Resolve };
        assert_eq!(told(&judge(&versions, &[resolve], &[], all(40 * SECOND))), "5a 25m 30i");
        assert_eq!(told(&judge(&versions[1..2], &[], &[], all(40 * SECOND))), "");
    }

    #[test]
    fn an_acknowledgement_ends_when_the_severity_rises_and_not_when_it_falls() {
        let series = series(&[3; 12]);
        let of = |severity: &str| rule(&format!("compare = \"> 2\"\nseverity = \"{severity}\""));
        let (low, high) = (of("low"), of("high"));
        let version = |from, rule| Version { from: from * SECOND, rule: Some(rule), series: Some(&series) };
        let ack = |at: i64| Act { at: at * SECOND, hand: Hand::Acknowledge { until: 50 * SECOND } };
        let told =
            |versions: &[Version<'_>], acts: &[Act]| told(&judge(versions, acts, &[], all(55 * SECOND)));
        let rises = [version(0, &low), version(23, &high)];
        assert_eq!(told(&rises, &[ack(8)]), "5a 10a 25a");
        // Who says so afterwards, even in the same slot, knows it; who says so before does not.
        assert_eq!(told(&rises, &[ack(24)]), "5a 25a 50a");
        assert_eq!(told(&rises, &[ack(21)]), "5a");
        assert_eq!(told(&[version(0, &high), version(23, &low)], &[ack(8)]), "5a 10a 50a");
    }

    /// Judging again what changed gives what judging all would give.
    #[test]
    fn judged_again_it_is_as_if_judged_once() {
        let mut random = fastrand::Rng::with_seed(11);
        let mut stayed = 0;
        for _ in 0..3000 {
            let rule = parse_one(&format!(
                "name = \"x\"\nwindow = \"{}s\"\ncompare = \"{}\"\nfor = \"{}s\"\nkeep_firing = \"{}s\"",
                random.i64(1..5) * 5,
                ["> 3", "< 2", "absent for 10s", "change < -40 %"][random.usize(0..4)],
                random.i64(0..4) * 5,
                random.i64(0..4) * 5
            ))
            .unwrap();
            let mut counts: Vec<u32> = (0..60).map(|_| random.u32(0..4) * random.u32(0..2)).collect();
            let (w, until) = (random.i64(20..50) * SLOT, 70 * SLOT);
            let before = series(&counts);
            let version = |series| Version { from: 3 * SLOT, rule: Some(&rule), series: Some(series) };
            let known = judge(&[version(&before)], &[], &[], all(w));
            let slot = random.usize(0..20);
            counts[slot] = random.u32(0..6);
            let after = series(&counts);
            let from = i64::try_from(slot).unwrap() * SLOT;
            let span = Span { from, touched: from + SLOT + rule.reach(), judged: w, until };
            let mut again: Vec<Change> = known.iter().filter(|change| change.at <= from).copied().collect();
            again.extend(judge(&[version(&after)], &[], &known, span));
            let once = judge(&[version(&after)], &[], &[], all(until));
            stayed +=
                usize::from(again.iter().any(|change| known.contains(change) && change.at > span.touched));
            assert_eq!(
                told(&again),
                told(&once),
                "{rule:?} of {counts:?}, judged again from slot {slot}, to {w}"
            );
        }
        assert!(stayed > 100, "hardly anything stayed as it was: {stayed}");
    }
}
