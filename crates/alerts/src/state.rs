//! The state of a key: one step a slot.
//!
//! | state | a rule that holds | between its thresholds | a rule that does not hold | unknown |
//! |---|---|---|---|---|
//! | inactive | pending, or active if `for` is 0 | stays | stays | stays |
//! | pending | active once it has held for `for` | inactive | inactive | stays |
//! | active, acknowledged | stays | stays | recovering, or inactive if `keep_firing` is 0 | stays |
//! | recovering | active or acknowledged, as before | stays; inactive after `keep_firing` | as between | stays |
//! | muted | stays | stays | inactive | stays |
//!
//! Before that, in this order: a person who acknowledges makes an active key acknowledged until a time, and one who
//! resolves makes an open key muted; an acknowledgement whose time has come ends, as does one when the severity of the rule
//! rises. What a person does to a key that is not
//! open does nothing. A key is *open* while it is active, acknowledged or recovering: that is an episode.
//!
//! A step depends on nothing but the state, the input and the two times of the rule. So once two courses of a key are in
//! one state at one time and see the same from then on, they are the same for ever.

use crate::time::Micros;
use crate::verdict::Verdict;

/// The state of a key (rule, application, labels).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum State {
    /// Nothing is wrong.
    #[default]
    Inactive,
    /// It holds, but not for long enough.
    Pending {
        /// When it was first found to hold.
        since: Micros,
    },
    /// It fires.
    Active,
    /// It fires, and somebody looks after it.
    Acknowledged {
        /// When the acknowledgement ends.
        until: Micros,
    },
    /// It does not hold any more, but not for long enough.
    Recovering {
        /// When it was first found not to hold.
        since: Micros,
        /// Until when it is acknowledged, if it is.
        acknowledged: Option<Micros>,
    },
    /// A person resolved it while it held: nothing happens until it does not hold.
    Muted,
}

impl State {
    /// Whether an episode is open.
    pub fn is_open(self) -> bool {
        matches!(self, State::Active | State::Acknowledged { .. } | State::Recovering { .. })
    }

    /// The state in which nobody looks after it.
    #[must_use]
    pub fn unattended(self) -> State {
        match self {
            State::Acknowledged { .. } => State::Active,
            State::Recovering { since, .. } => State::Recovering { since, acknowledged: None },
            state => state,
        }
    }

    /// Its name, as people and tables have it.
    pub fn name(self) -> &'static str {
        match self {
            State::Inactive => "inactive",
            State::Pending { .. } => "pending",
            State::Active => "active",
            State::Acknowledged { .. } => "acknowledged",
            State::Recovering { .. } => "recovering",
            State::Muted => "muted",
        }
    }
}

/// What a person does to a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hand {
    /// Looks after it until a time.
    Acknowledge {
        /// When that ends.
        until: Micros,
    },
    /// Resolves it.
    Resolve,
}

/// What a step depends on, besides the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Input {
    /// The end of the slot.
    pub at: Micros,
    /// Whether the rule holds.
    pub verdict: Verdict,
    /// What a person did since the last step.
    pub hand: Option<Hand>,
}

/// The times of a rule.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Timing {
    /// How long it has to hold before it fires.
    pub wait: Micros,
    /// How long it must not hold before it ends.
    pub keep_firing: Micros,
}

/// The state after a step.
pub fn step(state: State, input: Input, timing: Timing) -> State {
    judged(expired(touched(state, input.hand), input.at), input, timing)
}

fn touched(state: State, hand: Option<Hand>) -> State {
    match (hand, state) {
        (Some(Hand::Resolve), open) if open.is_open() => State::Muted,
        (Some(Hand::Acknowledge { until }), State::Active | State::Acknowledged { .. }) => {
            State::Acknowledged { until }
        }
        (Some(Hand::Acknowledge { until }), State::Recovering { since, .. }) => {
            State::Recovering { since, acknowledged: Some(until) }
        }
        (_, state) => state,
    }
}

fn expired(state: State, at: Micros) -> State {
    match state {
        State::Acknowledged { until } | State::Recovering { acknowledged: Some(until), .. }
            if until <= at =>
        {
            state.unattended()
        }
        state => state,
    }
}

fn judged(state: State, Input { at, verdict, .. }: Input, timing: Timing) -> State {
    use Verdict::{Between, Fails, Holds, Unknown};
    match (state, verdict) {
        (state, Unknown) => state,
        (State::Inactive, Holds) if timing.wait == 0 => State::Active,
        (State::Inactive, Holds) => State::Pending { since: at },
        (State::Pending { since }, Holds) if at - since >= timing.wait => State::Active,
        (State::Pending { .. }, Between | Fails) | (State::Muted, Fails) => State::Inactive,
        (State::Active | State::Acknowledged { .. }, Fails) if timing.keep_firing == 0 => State::Inactive,
        (State::Active, Fails) => State::Recovering { since: at, acknowledged: None },
        (State::Acknowledged { until }, Fails) => State::Recovering { since: at, acknowledged: Some(until) },
        (State::Recovering { acknowledged: None, .. }, Holds) => State::Active,
        (State::Recovering { acknowledged: Some(until), .. }, Holds) => State::Acknowledged { until },
        (State::Recovering { since, .. }, Between | Fails) if at - since >= timing.keep_firing => {
            State::Inactive
        }
        (state, _) => state,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::SECOND;

    /// Steps once a second: `+` holds, `~` is between, `-` does not hold, `?` is unknown, `a` is acknowledged for 5
    /// seconds while it holds, `r` is resolved while it holds.
    #[track_caller]
    fn check(wait: i64, keep: i64, inputs: &str, expected: &str) {
        let timing = Timing { wait: wait * SECOND, keep_firing: keep * SECOND };
        let mut state = State::default();
        let mut states = String::new();
        for (at, input) in (1..).zip(inputs.chars()) {
            let at = at * SECOND;
            let verdict = match input {
                '-' => Verdict::Fails,
                '~' => Verdict::Between,
                '?' => Verdict::Unknown,
                _ => Verdict::Holds,
            };
            let hand = match input {
                'a' => Some(Hand::Acknowledge { until: at + 5 * SECOND }),
                'r' => Some(Hand::Resolve),
                _ => None,
            };
            state = step(state, Input { at, verdict, hand }, timing);
            states.push(match state {
                State::Inactive => '.',
                State::Pending { .. } => 'p',
                State::Active => 'A',
                State::Acknowledged { .. } => 'K',
                State::Recovering { acknowledged: None, .. } => 'v',
                State::Recovering { acknowledged: Some(_), .. } => 'k',
                State::Muted => 'm',
            });
        }
        assert_eq!(states, expected, "for {wait}, keep_firing {keep}, {inputs}");
    }

    #[test]
    fn it_fires_and_ends_at_once_without_times() {
        check(0, 0, "-+++--+-", ".AAA..A.");
    }

    #[test]
    fn it_waits_before_it_fires_and_before_it_ends() {
        check(2, 3, "++-+++-----", "pp.ppAvvv..");
        check(2, 3, "+++--+----", "ppAvvAvvv.");
    }

    #[test]
    fn between_its_thresholds_it_stays_as_it_is() {
        check(1, 1, "~+~+++~~-~", ".p.pAAAAv.");
        check(0, 2, "+-~~+", "Avv.A");
    }

    #[test]
    fn what_is_unknown_changes_nothing() {
        check(1, 1, "?+??+?-??-?", ".pppAAvvv..");
        check(0, 0, "+r?+-+", "Ammm.A");
    }

    #[test]
    fn who_acknowledges_is_left_alone_until_it_ends_or_the_time_is_over() {
        check(0, 2, "+a++-+-+++", "AKKKkKvAAA");
        check(0, 1, "+a--+", "AKk.A");
        // Of a key that is not open, nothing.
        check(2, 0, "-a++", ".ppA");
    }

    #[test]
    fn what_was_resolved_is_muted_until_it_does_not_hold() {
        check(1, 2, "++r++~?-++", "pAmmmmm.pA");
        check(1, 2, "++--r", "pAvvm");
    }
}
