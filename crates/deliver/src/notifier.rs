//! What becomes of the rows of an outbox, as arithmetic on values: which rows are tried, and what each outcome makes of
//! them. Who holds the rows does what it says in a transaction; who sends does not decide.
//!
//! Invariant: every row that was claimed comes back with exactly one fate, and a row keeps its message, with its id, at
//! every attempt and on every channel.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::breaker::Breaker;
use crate::retry::{Outcome, delay};

/// A channel that has a fallback is tried so often.
const ATTEMPTS_BEFORE_FALLBACK: u32 = 3;

/// A row that was claimed: one message for one channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// The row.
    pub row: i64,
    /// The channel.
    pub channel: String,
    /// How many attempts were made before.
    pub attempts: u32,
}

/// What is known of a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// It takes messages.
    pub enabled: bool,
    /// Takes the messages that do not arrive here.
    pub fallback: Option<String>,
}

/// What becomes of a row. Times are from now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It arrived.
    Sent,
    /// It is due again after this time; `attempts` is what the row holds then.
    Due {
        /// How long.
        after: Duration,
        /// Attempts made.
        attempts: u32,
        /// What went wrong; `None`: nothing was tried.
        why: Option<String>,
    },
    /// It goes to another channel, as a row of its own with no attempt made; this one is dead.
    Moved {
        /// The channel.
        to: String,
        /// What went wrong.
        why: String,
    },
    /// No more attempts: an alert tells of it.
    Dead {
        /// What went wrong.
        why: String,
    },
}

/// What is to be done with a claimed row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// It is sent, with so many attempts made before.
    Send(u32),
    /// Nothing is sent.
    Settle(Fate),
}

/// What one outcome makes of a row and of its channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// What becomes of the row.
    pub fate: Fate,
    /// The channel takes no more messages: it is disabled in the same transaction.
    pub disables: bool,
}

/// The channels, and how well each works.
#[derive(Debug, Default)]
pub struct Notifier {
    channels: BTreeMap<String, Known>,
    breakers: BTreeMap<String, Breaker>,
}

impl Notifier {
    /// Takes what is known of the channels now; what was noted of those that stay is kept.
    pub fn know(&mut self, channels: BTreeMap<String, Known>) {
        self.breakers.retain(|name, _| channels.contains_key(name));
        self.channels = channels;
    }

    /// Whether a claimed row is sent now. What waits for a channel that does not work uses up no attempt.
    pub fn begin(&mut self, claimed: &Claimed, now: Duration) -> Step {
        match self.channels.get(&claimed.channel) {
            None => Step::Settle(Fate::Dead { why: format!("there is no channel {}", claimed.channel) }),
            Some(known) if !known.enabled => {
                Step::Settle(self.given_up(claimed, "the channel is disabled".to_owned()))
            }
            Some(_) if delay(claimed.attempts).is_none() => {
                Step::Settle(self.given_up(claimed, "no attempt is left".to_owned()))
            }
            Some(_) => match self.breakers.entry(claimed.channel.clone()).or_default().admit(now) {
                Ok(()) => Step::Send(claimed.attempts),
                Err(after) => Step::Settle(Fate::Due { after, attempts: claimed.attempts, why: None }),
            },
        }
    }

    /// What the outcome of an attempt makes of the row.
    pub fn settle(&mut self, claimed: &Claimed, outcome: Outcome, now: Duration) -> Settled {
        if let Some(breaker) = self.breakers.get_mut(&claimed.channel) {
            breaker.note(&outcome, now);
        }
        let fate = match outcome {
            Outcome::Sent => Fate::Sent,
            Outcome::Later { after, why } => {
                let attempts = claimed.attempts.saturating_add(1);
                match self.fallback(claimed).filter(|_| attempts >= ATTEMPTS_BEFORE_FALLBACK) {
                    Some(to) => Fate::Moved { to, why },
                    None => Fate::Due { after, attempts, why: Some(why) },
                }
            }
            Outcome::Refused { why } => self.given_up(claimed, why),
            Outcome::Gone => {
                if let Some(known) = self.channels.get_mut(&claimed.channel) {
                    known.enabled = false;
                }
                let fate = self.given_up(claimed, "the receiver wants no more messages (410)".to_owned());
                return Settled { fate, disables: true };
            }
        };
        Settled { fate, disables: false }
    }

    /// What becomes of a message that does not arrive on its channel: the first fallback that takes messages has it.
    fn given_up(&self, claimed: &Claimed, why: String) -> Fate {
        match self.fallback(claimed) {
            Some(to) => Fate::Moved { to, why },
            None => Fate::Dead { why },
        }
    }

    /// The first fallback that takes messages. Fallbacks that lead back to where the message was are at an end.
    fn fallback(&self, claimed: &Claimed) -> Option<String> {
        let mut seen = vec![claimed.channel.as_str()];
        let mut next = self.channels.get(&claimed.channel).and_then(|known| known.fallback.as_deref());
        while let Some(name) = next.filter(|name| !seen.contains(name)) {
            let Some(known) = self.channels.get(name) else { break };
            if known.enabled {
                return Some(name.to_owned());
            }
            seen.push(name);
            next = known.fallback.as_deref();
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notifier(channels: &[(&str, bool, Option<&str>)]) -> Notifier {
        let mut notifier = Notifier::default();
        let known =
            |enabled: bool, fallback: Option<&str>| Known { enabled, fallback: fallback.map(str::to_owned) };
        notifier.know(channels.iter().map(|(name, on, to)| ((*name).to_owned(), known(*on, *to))).collect());
        notifier
    }

    fn row(channel: &str, attempts: u32) -> Claimed {
        Claimed { row: 1, channel: channel.to_owned(), attempts }
    }

    fn later(seconds: u64) -> Outcome {
        Outcome::Later { after: Duration::from_secs(seconds), why: "no".into() }
    }

    fn refused() -> Outcome {
        Outcome::Refused { why: "no".into() }
    }

    const NOW: Duration = Duration::ZERO;

    #[test]
    fn an_outcome_says_what_becomes_of_a_row() {
        let dead = || Fate::Dead { why: "no".into() };
        let moved = |to: &str| Fate::Moved { to: to.into(), why: "no".into() };
        let due = Fate::Due { after: Duration::from_secs(7), attempts: 4, why: Some("no".into()) };
        for (channels, outcome, fate) in [
            (&[("a", true, None)][..], Outcome::Sent, Fate::Sent),
            (&[("a", true, Some("b")), ("b", false, None)], later(7), due),
            (&[("a", true, Some("b")), ("b", true, None)], later(7), moved("b")),
            (&[("a", true, None)], refused(), dead()),
            (&[("a", true, Some("b")), ("b", true, None)], refused(), moved("b")),
            (&[("a", true, Some("b")), ("b", false, Some("c")), ("c", true, None)], refused(), moved("c")),
            (&[("a", true, Some("b")), ("b", false, None)], refused(), dead()),
            (&[("a", true, Some("gone"))], refused(), dead()),
            // In a circle, and to itself.
            (&[("a", true, Some("b")), ("b", false, Some("a"))], refused(), dead()),
            (&[("a", true, Some("a"))], refused(), dead()),
            (&[("a", true, Some("b")), ("b", false, Some("b"))], refused(), dead()),
        ] {
            let settled = notifier(channels).settle(&row("a", 3), outcome, NOW);
            assert_eq!(settled, Settled { fate, disables: false }, "{channels:?}");
        }
    }

    #[test]
    fn what_does_not_arrive_goes_to_the_fallback_after_three_attempts() {
        let fates: Vec<Fate> = (0..3)
            .map(|attempts| {
                let mut notifier = notifier(&[("a", true, Some("b")), ("b", true, None)]);
                notifier.settle(&row("a", attempts), later(5), NOW).fate
            })
            .collect();
        assert!(matches!(&fates[..], [Fate::Due { .. }, Fate::Due { .. }, Fate::Moved { .. }]), "{fates:?}");
    }

    #[test]
    fn a_channel_that_is_gone_is_disabled_and_its_next_rows_are_not_sent() {
        let mut notifier = notifier(&[("a", true, Some("b")), ("b", true, None)]);
        assert_eq!(notifier.begin(&row("a", 0), NOW), Step::Send(0));
        let settled = notifier.settle(&row("a", 0), Outcome::Gone, NOW);
        assert!(
            settled.disables && matches!(&settled.fate, Fate::Moved { to, .. } if to == "b"),
            "{settled:?}"
        );
        let step = notifier.begin(&row("a", 0), NOW);
        assert!(matches!(&step, Step::Settle(Fate::Moved { to, .. }) if to == "b"), "{step:?}");
        let step = notifier.begin(&row("never", 0), NOW);
        assert!(matches!(&step, Step::Settle(Fate::Dead { .. })), "{step:?}");
    }

    #[test]
    fn what_waits_for_a_channel_uses_up_no_attempt() {
        let mut notifier = notifier(&[("a", true, None), ("b", true, None)]);
        for n in 0..5 {
            assert_eq!(notifier.begin(&row("a", n), NOW), Step::Send(n));
            notifier.settle(&row("a", n), later(5), NOW);
        }
        let due = Fate::Due { after: Duration::from_secs(30), attempts: 2, why: None };
        assert_eq!(notifier.begin(&row("a", 2), NOW), Step::Settle(due));
        assert_eq!(notifier.begin(&row("b", 0), NOW), Step::Send(0), "the other channel works");
        // What is known anew does not close it; a channel that was removed is forgotten.
        let known = notifier.channels.clone();
        notifier.know(known.clone());
        assert!(matches!(notifier.begin(&row("a", 2), NOW), Step::Settle(Fate::Due { .. })));
        notifier.know(BTreeMap::new());
        notifier.know(known);
        assert_eq!(notifier.begin(&row("a", 2), NOW), Step::Send(2));
    }

    #[test]
    fn a_row_ends_whatever_its_channel_does() {
        // Each attempt fails: ten of them, then it is dead, and nothing is tried again.
        let mut notifier = notifier(&[("a", true, None)]);
        let (mut claimed, mut now, mut sent) = (row("a", 0), NOW, 0);
        let fate = loop {
            let fate = match notifier.begin(&claimed, now) {
                Step::Send(attempt) => {
                    sent += 1;
                    let outcome = crate::retry::outcome(Err(crate::retry::Trouble::later("no")), attempt);
                    notifier.settle(&claimed, outcome, now).fate
                }
                Step::Settle(fate) => fate,
            };
            match fate {
                Fate::Due { after, attempts, .. } => {
                    now += after;
                    claimed.attempts = attempts;
                }
                fate => break fate,
            }
        };
        assert!(matches!(&fate, Fate::Dead { why } if why.contains("last of 10")), "{fate:?}");
        assert_eq!(sent, 10);
        assert!(now >= Duration::from_secs(75 * 3600) && now < Duration::from_secs(77 * 3600), "{now:?}");
        assert_eq!(
            notifier.begin(&row("a", 10), now),
            Step::Settle(Fate::Dead { why: "no attempt is left".into() })
        );
    }
}
