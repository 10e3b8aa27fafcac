//! How often somebody may ask: a bucket for each, which fills up evenly in a minute.
//!
//! Memory is bounded: of more than `KEYS_MAX`, those with a full bucket go, which are those that have asked for nothing of
//! late; if there are none, all go.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Instant;

use alt_process::lock::lock;

/// How many are remembered.
const KEYS_MAX: usize = 20_000;

/// What is left of a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Left {
    /// Requests in a minute.
    pub(crate) limit: u32,
    /// Requests that may follow at once.
    pub(crate) remaining: u32,
    /// Seconds until another one may follow; 0: at once.
    pub(crate) wait: u64,
}

#[derive(Debug)]
pub(crate) struct Limiter {
    per_minute: u32,
    /// What each has left, and since when.
    buckets: Mutex<HashMap<String, (f64, Instant)>>,
}

impl Limiter {
    pub(crate) fn new(per_minute: u32) -> Limiter {
        Limiter { per_minute, buckets: Mutex::default() }
    }

    /// Takes one request of `key`, if there is one left, and says what is left.
    ///
    /// # Errors
    /// None is left.
    pub(crate) fn take(&self, key: &str, now: Instant) -> Result<Left, Left> {
        self.change(key, now, 1.0)
    }

    /// As [`Limiter::take`], without taking one.
    ///
    /// # Errors
    /// None is left.
    pub(crate) fn look(&self, key: &str, now: Instant) -> Result<Left, Left> {
        self.change(key, now, 0.0)
    }

    fn change(&self, key: &str, now: Instant, taken: f64) -> Result<Left, Left> {
        let most = f64::from(self.per_minute);
        let filled = |(left, at): (f64, Instant)| {
            (left + now.duration_since(at).as_secs_f64() * most / 60.0).min(most)
        };
        let mut buckets = lock(&self.buckets);
        if buckets.len() >= KEYS_MAX && !buckets.contains_key(key) {
            buckets.retain(|_, bucket| filled(*bucket) < most);
            if buckets.len() >= KEYS_MAX {
                buckets.clear();
            }
        }
        let mut left = buckets.get(key).map_or(most, |bucket| filled(*bucket));
        let is_left = left >= 1.0;
        if is_left {
            left -= taken;
        }
        if taken > 0.0 {
            buckets.insert(key.to_owned(), (left, now));
        }
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // between 0 and per_minute
        let remaining = left as u32;
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // at most 60
        let wait = if left >= 1.0 { 0 } else { ((1.0 - left) * 60.0 / most).ceil() as u64 };
        let left = Left { limit: self.per_minute, remaining, wait };
        if is_left { Ok(left) } else { Err(left) }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_bucket_runs_empty_and_fills_up_and_is_one_key_s() {
        let limiter = Limiter::new(60);
        let start = Instant::now();
        let left: Vec<u32> = (0..60).map(|_| limiter.take("a", start).unwrap().remaining).collect();
        assert_eq!((left[0], left[59]), (59, 0));
        assert_eq!(limiter.take("a", start).unwrap_err().wait, 1);
        assert!(limiter.take("b", start).is_ok());
        let later = start + Duration::from_secs(2);
        assert!(limiter.take("a", later).is_ok() && limiter.take("a", later).is_ok());
        assert!(limiter.take("a", later).is_err());
    }

    #[test]
    fn no_number_of_keys_takes_more_memory() {
        let limiter = Limiter::new(60);
        let now = Instant::now();
        for n in 0..3 * KEYS_MAX {
            limiter.take(&n.to_string(), now).unwrap();
        }
        assert!(lock(&limiter.buckets).len() <= KEYS_MAX);
    }
}
