//! Spares a channel that does not work: after some failures in a row nothing is tried for a while, then one message.
//!
//! It knows no clock: times are counted by the caller from any moment. What waits for the breaker uses up no attempt.

use std::time::Duration;

use crate::retry::Outcome;

/// Failures in a row that open it.
const FAILURES: u32 = 5;
/// How long it is open at first, and at most.
const PAUSE: Duration = Duration::from_secs(30);
const PAUSE_MAX: Duration = Duration::from_secs(600);

/// Whether a channel is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Breaker {
    state: State,
    pause: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// So many failures in a row.
    Closed(u32),
    /// Nothing is tried until then.
    Open(Duration),
    /// One message is on its way, which decides; if nothing is heard of it until then, another is tried.
    Trial(Duration),
}

impl Default for Breaker {
    fn default() -> Self {
        Breaker { state: State::Closed(0), pause: PAUSE }
    }
}

impl Breaker {
    /// Whether a message may be tried now; if not, how long to wait. After a pause it says yes once.
    ///
    /// # Errors
    /// The time to wait.
    pub fn admit(&mut self, now: Duration) -> Result<(), Duration> {
        match self.state {
            State::Closed(_) => Ok(()),
            State::Open(until) | State::Trial(until) if now < until => Err(until - now),
            State::Open(_) | State::Trial(_) => {
                self.state = State::Trial(now + self.pause);
                Ok(())
            }
        }
    }

    /// Takes note of what became of an attempt. A message that is refused for itself says nothing against the channel.
    pub fn note(&mut self, outcome: &Outcome, now: Duration) {
        match (outcome, self.state) {
            (Outcome::Sent | Outcome::Gone, _) => *self = Breaker::default(),
            (Outcome::Refused { .. }, _) => {}
            (Outcome::Later { .. }, State::Closed(failures)) if failures + 1 < FAILURES => {
                self.state = State::Closed(failures + 1);
            }
            (Outcome::Later { .. }, State::Closed(_)) => self.state = State::Open(now + self.pause),
            (Outcome::Later { .. }, State::Trial(_)) => {
                self.pause = (self.pause * 2).min(PAUSE_MAX);
                self.state = State::Open(now + self.pause);
            }
            // An attempt that began before it opened.
            (Outcome::Later { .. }, State::Open(_)) => {}
        }
    }

    /// Whether nothing is tried but single messages.
    pub fn is_open(&self) -> bool {
        !matches!(self.state, State::Closed(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed() -> Outcome {
        Outcome::Later { after: Duration::ZERO, why: String::new() }
    }

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    /// A breaker that opened at `now`.
    fn opened(now: Duration) -> Breaker {
        let mut breaker = Breaker::default();
        for _ in 0..FAILURES {
            assert_eq!(breaker.admit(now), Ok(()));
            breaker.note(&failed(), now);
        }
        breaker
    }

    #[test]
    fn it_opens_after_failures_in_a_row_and_closes_by_a_message_that_arrives() {
        let mut breaker = Breaker::default();
        for n in 0..100 {
            let outcome = if n % 5 == 4 { Outcome::Sent } else { failed() };
            breaker.note(&outcome, seconds(n));
            assert!(!breaker.is_open(), "{n}");
        }
        let mut breaker = opened(seconds(100));
        assert_eq!(breaker.admit(seconds(100)), Err(seconds(30)));
        assert_eq!(breaker.admit(seconds(129)), Err(seconds(1)));
        assert_eq!(breaker.admit(seconds(130)), Ok(()));
        assert_eq!(breaker.admit(seconds(130)), Err(seconds(30)), "one message is tried, not all");
        breaker.note(&Outcome::Sent, seconds(131));
        assert_eq!(breaker, Breaker::default());
    }

    #[test]
    fn its_pauses_become_longer_up_to_ten_minutes() {
        let mut now = seconds(0);
        let mut breaker = opened(now);
        let mut pauses = Vec::new();
        for _ in 0..7 {
            let pause = breaker.admit(now).unwrap_err();
            pauses.push(pause.as_secs());
            now += pause;
            assert_eq!(breaker.admit(now), Ok(()));
            breaker.note(&failed(), now);
        }
        assert_eq!(pauses, [30, 60, 120, 240, 480, 600, 600]);
    }

    #[test]
    fn what_is_said_of_a_message_says_nothing_of_the_channel() {
        let mut breaker = Breaker::default();
        (0..100).for_each(|n| breaker.note(&Outcome::Refused { why: String::new() }, seconds(n)));
        assert!(!breaker.is_open());
        // A trial of which nobody hears does not keep it open for ever.
        let mut breaker = opened(seconds(0));
        assert_eq!(breaker.admit(seconds(30)), Ok(()));
        assert_eq!(breaker.admit(seconds(60)), Ok(()));
    }
}
