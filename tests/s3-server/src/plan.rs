//! What is to go wrong, and what was asked.

use std::str::FromStr;

/// What goes wrong with one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// An answer of this status and code, and nothing done.
    Answer(u16, String),
    /// The connection is closed, and nothing done.
    Reset,
    /// It is done, and the connection closed before the answer.
    NoAnswer,
    /// It is done, and half of the answer's body comes.
    HalfAnswer,
    /// It takes so many milliseconds longer.
    Slow(u64),
}

/// What goes wrong at random.
const FAULTS: [&str; 7] = [
    "answer:500:InternalError",
    "answer:503:SlowDown",
    "answer:403:AccessDenied",
    "reset",
    "no-answer",
    "half-answer",
    "slow:30",
];

impl FromStr for Fault {
    type Err = String;

    /// `answer:STATUS:CODE`, `reset`, `no-answer`, `half-answer`, `slow:MILLISECONDS`.
    fn from_str(text: &str) -> Result<Fault, String> {
        let number = |text: &str| text.parse::<u64>().map_err(|e| format!("{text}: {e}"));
        let words: Vec<&str> = text.split(':').collect();
        match words.as_slice() {
            ["answer", status, code] => {
                let status = u16::try_from(number(status)?).map_err(|e| format!("{status}: {e}"))?;
                Ok(Fault::Answer(status, (*code).to_owned()))
            }
            ["reset"] => Ok(Fault::Reset),
            ["no-answer"] => Ok(Fault::NoAnswer),
            ["half-answer"] => Ok(Fault::HalfAnswer),
            ["slow", time] => Ok(Fault::Slow(number(time)?)),
            _ => Err(format!("{text} is no fault")),
        }
    }
}

/// A fault, or `none`.
fn maybe(text: &str) -> Result<Option<Fault>, String> {
    if text == "none" { Ok(None) } else { text.parse().map(Some) }
}

/// What is to go wrong.
#[derive(Default)]
pub struct Plan {
    /// With the next requests; `None`: nothing.
    next: Vec<Option<Fault>>,
    /// With all requests from now on.
    always: Option<Fault>,
    /// With so many of a hundred, at random.
    percent: u64,
    random: u64,
    requests: Vec<String>,
}

impl Plan {
    /// Takes `next FAULT…`, `always FAULT`, or `percent NUMBER SEED`, where a fault may be `none`.
    ///
    /// # Errors
    /// It is none of these.
    pub fn take(&mut self, words: &[&str]) -> Result<(), String> {
        match words {
            ["next", faults @ ..] => {
                for fault in faults {
                    self.next.push(maybe(fault)?);
                }
            }
            ["always", fault] => self.always = maybe(fault)?,
            ["percent", percent, seed] => {
                let number = |text: &str| text.parse::<u64>().map_err(|e| format!("{text}: {e}"));
                (self.percent, self.random) = (number(percent)?, number(seed)?);
            }
            _ => return Err(format!("{words:?} is no plan")),
        }
        Ok(())
    }

    /// Notes a request, and says what goes wrong with it.
    pub fn meet(&mut self, request: String) -> Option<Fault> {
        self.requests.push(request);
        if !self.next.is_empty() {
            return self.next.remove(0);
        }
        if self.always.is_some() {
            return self.always.clone();
        }
        // SplitMix64
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut n = self.random;
        n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        n ^= n >> 31;
        let which = usize::try_from(n / 100 % FAULTS.len() as u64).unwrap_or(0);
        (n % 100 < self.percent).then(|| FAULTS[which].parse().expect("is a fault"))
    }

    /// The requests since the last call.
    pub fn requests(&mut self) -> Vec<String> {
        std::mem::take(&mut self.requests)
    }
}
