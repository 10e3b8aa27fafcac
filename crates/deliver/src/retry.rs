//! What becomes of a message after an attempt, decided in one place.

use std::time::{Duration, SystemTime};

/// How long to wait before each attempt, from the one before.
const DELAYS: [Duration; 10] = [
    Duration::ZERO,
    Duration::from_secs(5),
    Duration::from_secs(5 * 60),
    Duration::from_secs(30 * 60),
    Duration::from_secs(2 * 3600),
    Duration::from_secs(5 * 3600),
    Duration::from_secs(10 * 3600),
    Duration::from_secs(14 * 3600),
    Duration::from_secs(20 * 3600),
    Duration::from_secs(24 * 3600),
];

/// The longest time that a receiver can ask for.
const ASKED_MAX: Duration = Duration::from_secs(24 * 3600);

/// How long to wait before an attempt, which are counted from 0; `None`: there is no such attempt.
pub fn delay(attempt: u32) -> Option<Duration> {
    DELAYS.get(usize::try_from(attempt).ok()?).copied()
}

/// What became of an attempt. The texts are for people and hold nothing that the receiver wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver has it.
    Sent,
    /// Another attempt may succeed.
    Later {
        /// How long to wait before it.
        after: Duration,
        /// What went wrong.
        why: String,
    },
    /// No other attempt is made: a dead letter.
    Refused {
        /// What went wrong.
        why: String,
    },
    /// The receiver wants no more messages: the channel is disabled.
    Gone,
}

/// Why an attempt did not succeed, before it is known whether there is another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// No attempt will succeed.
    Refused(String),
    /// Another attempt may succeed, not before so long, if the receiver said how long.
    Later(String, Option<Duration>),
    /// The receiver wants no more messages.
    Gone,
}

impl Trouble {
    pub(crate) fn later(why: impl Into<String>) -> Trouble {
        Trouble::Later(why.into(), None)
    }
}

/// What becomes of a message after this attempt.
pub(crate) fn outcome(result: Result<(), Trouble>, attempt: u32) -> Outcome {
    match result {
        Ok(()) => Outcome::Sent,
        Err(Trouble::Gone) => Outcome::Gone,
        Err(Trouble::Refused(why)) => Outcome::Refused { why },
        Err(Trouble::Later(why, asked)) => match attempt.checked_add(1).and_then(delay) {
            Some(after) => Outcome::Later { after: after.max(asked.unwrap_or_default().min(ASKED_MAX)), why },
            None => {
                Outcome::Refused { why: format!("{why}; that was the last of {} attempts", DELAYS.len()) }
            }
        },
    }
}

/// What the status of an answer says. Except for 410, a webhook is tried again whatever the status is: a receiver that
/// answers 404 may be mended, and its message waits. `is_strict`: the receiver's 400 and 422 are about the message.
pub(crate) fn judge(status: u16, retry_after: Option<Duration>, is_strict: bool) -> Result<(), Trouble> {
    match status {
        200..=299 => Ok(()),
        410 => Err(Trouble::Gone),
        300..=399 => Err(Trouble::later(format!(
            "the receiver redirects ({status}), which is not followed; write its final address"
        ))),
        400 | 422 if is_strict => {
            Err(Trouble::Refused(format!("the receiver takes no such message ({status})")))
        }
        status => Err(Trouble::Later(format!("the receiver answered {status}"), retry_after)),
    }
}

/// How long `Retry-After` asks to wait: seconds, or a date of HTTP.
pub(crate) fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
        return Some(value.parse().map_or(ASKED_MAX, Duration::from_secs));
    }
    let at = httpdate::parse_http_date(value).ok()?;
    Some(at.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_attempts_take_three_days_and_then_it_is_a_dead_letter() {
        let all: Duration = (0..).map_while(delay).sum();
        assert_eq!(all, Duration::from_secs(75 * 3600 + 35 * 60 + 5));
        assert_eq!((0..).map_while(delay).count(), 10);
        assert_eq!(delay(u32::MAX), None);
        let failed = || Err(Trouble::later("no"));
        for attempt in 0..9 {
            let after = delay(attempt + 1).unwrap();
            assert_eq!(outcome(failed(), attempt), Outcome::Later { after, why: "no".into() });
        }
        for attempt in [9, 10, u32::MAX] {
            let why = "no; that was the last of 10 attempts".into();
            assert_eq!(outcome(failed(), attempt), Outcome::Refused { why });
        }
    }

    #[test]
    fn a_receiver_can_ask_for_a_day_at_most_and_for_no_hurry() {
        let after = |asked| match outcome(Err(Trouble::Later("no".into(), asked)), 1) {
            Outcome::Later { after, .. } => after.as_secs(),
            other => panic!("{other:?}"),
        };
        assert_eq!(after(None), 300);
        assert_eq!(after(Some(Duration::from_secs(1))), 300);
        assert_eq!(after(Some(Duration::from_secs(301))), 301);
        assert_eq!(after(Some(Duration::MAX)), 24 * 3600);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        for (value, seconds) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("99999999999999999999999", Some(24 * 3600)),
            ("Sun, 06 Nov 1994 08:51:37 GMT", Some(120)),
            ("Sunday, 06-Nov-94 08:51:37 GMT", Some(120)),
            ("Sun Nov  6 08:51:37 1994", Some(120)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("", None),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
            ("Sun, 99 Nov 1994 08:51:37 GMT", None),
        ] {
            assert_eq!(retry_after(value, now).map(|d| d.as_secs()), seconds, "{value}");
        }
    }

    #[test]
    fn a_status_says_what_becomes_of_the_message() {
        let of = |status, is_strict| match judge(status, None, is_strict) {
            Ok(()) => "sent",
            Err(Trouble::Gone) => "gone",
            Err(Trouble::Refused(_)) => "refused",
            Err(Trouble::Later(..)) => "later",
        };
        for (status, expected) in [
            (200, "sent"),
            (204, "sent"),
            (202, "sent"),
            (301, "later"),
            (302, "later"),
            (304, "later"),
            (400, "later"),
            (401, "later"),
            (404, "later"),
            (408, "later"),
            (410, "gone"),
            (422, "later"),
            (429, "later"),
            (500, "later"),
            (503, "later"),
            (999, "later"),
        ] {
            assert_eq!(of(status, false), expected, "{status}");
        }
        assert_eq!((of(400, true), of(422, true), of(404, true)), ("refused", "refused", "later"));
    }
}
