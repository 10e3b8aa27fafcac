//! How much of rejects is kept, so that a flood of garbage does not fill the database: budgets of raw bytes and of spans.
//!
//! Both have a burst, and refill slowly. A reject beyond them stays in the log, and is counted like any other. The budget
//! of spans is for a daemon alone: what a person loads is no flood.

use std::time::Instant;

use alt_line::batch::RejectSpan;
use alt_line::hit::Reason;

/// Raw bytes of rejects that are kept in a burst, and how many more per second.
const RAW: Bucket = Bucket::full(8.0 * 1024.0 * 1024.0, 1024.0);

/// Spans of rejects that are kept in a burst, and how many more per second: with some 150 bytes each, 15 MB, and 26 MB a
/// day.
const SPANS: Bucket = Bucket::full(100_000.0, 2.0);

/// A budget that refills up to its burst.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    left: f64,
    burst: f64,
    per_second: f64,
}

impl Bucket {
    const fn full(burst: f64, per_second: f64) -> Bucket {
        Bucket { left: burst, burst, per_second }
    }

    fn refill(&mut self, seconds: f64) {
        self.left = (self.left + seconds * self.per_second).min(self.burst);
    }

    fn take(&mut self, amount: f64) -> bool {
        let is_left = amount <= self.left;
        if is_left {
            self.left -= amount;
        }
        is_left
    }
}

/// The budgets.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    raw: Bucket,
    spans: Bucket,
    /// Whether spans are limited.
    limits_spans: bool,
    /// Spans were left out since the budget was half full.
    is_short: bool,
    since: Instant,
}

impl Budget {
    pub(super) fn new(limits_spans: bool, now: Instant) -> Budget {
        Budget { raw: RAW, spans: SPANS, limits_spans, is_short: false, since: now }
    }

    /// Leaves out what the budgets have no room for, and returns what is left of them once the rejects are committed.
    #[must_use]
    pub(super) fn spare(mut self, rejects: &mut [RejectSpan], now: Instant) -> Budget {
        let seconds = now.saturating_duration_since(self.since).as_secs_f64();
        self.raw.refill(seconds);
        self.spans.refill(seconds);
        self.since = now;
        if self.spans.left > self.spans.burst / 2.0 {
            self.is_short = false;
        }
        for span in rejects.iter_mut().filter(|span| span.is_new && !span.is_only_copy) {
            // Only `rejected_lines` shows that a line was set aside.
            let is_kept = !self.limits_spans || span.reason == Reason::Poison || self.spans.take(1.0);
            let bytes = span.raw.as_ref().map_or(0, Vec::len) as f64;
            if !is_kept || !self.raw.take(bytes) {
                span.raw = None;
            }
            span.is_new = is_kept;
            self.is_short |= !is_kept;
        }
        self
    }

    /// Whether the budget of spans is spent, and was not `before`.
    pub(super) fn has_run_short(&self, before: &Budget) -> bool {
        self.is_short && !before.is_short
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn rejects(count: usize, reason: Reason) -> Vec<RejectSpan> {
        let span = |n: usize| RejectSpan {
            file_id: 1,
            offset: 2 * n as u64,
            bytes: 1,
            lines: 1,
            reason,
            detail: None,
            occurred_at: None,
            event_id: None,
            raw: Some(vec![b'x'; 2048]),
            is_new: true,
            is_only_copy: false,
            filtered: false,
        };
        (0..count).map(span).collect()
    }

    /// How many spans are kept, and how many with their bytes.
    fn kept(rejects: &[RejectSpan]) -> (usize, usize) {
        let kept = || rejects.iter().filter(|span| span.is_new);
        (kept().count(), kept().filter(|span| span.raw.is_some()).count())
    }

    #[test]
    fn spans_and_their_bytes_have_a_budget_that_refills() {
        let now = Instant::now();
        let full = Budget::new(true, now);
        let mut flood = rejects(150_000, Reason::Shape);
        let spent = full.spare(&mut flood, now);
        assert_eq!(kept(&flood), (100_000, 4096));
        assert!(spent.has_run_short(&full) && !spent.has_run_short(&spent));
        // What was not committed takes nothing.
        let mut again = rejects(150_000, Reason::Shape);
        let _ = full.spare(&mut again, now);
        assert_eq!(kept(&again), (100_000, 4096));
        let mut later = rejects(1000, Reason::Shape);
        let spent = spent.spare(&mut later, now + Duration::from_secs(100));
        assert_eq!(kept(&later), (200, 50));
        let mut poison = rejects(3, Reason::Poison);
        let spent = spent.spare(&mut poison, now + Duration::from_secs(100));
        assert_eq!(kept(&poison), (3, 0));
        let mut next_day = rejects(100_001, Reason::Shape);
        let _ = spent.spare(&mut next_day, now + Duration::from_secs(86_400));
        assert_eq!(kept(&next_day).0, 100_000);
    }

    #[test]
    fn what_a_person_loads_is_kept_and_so_are_only_copies() {
        let now = Instant::now();
        let mut replayed = rejects(150_000, Reason::Shape);
        let spent = Budget::new(false, now).spare(&mut replayed, now);
        assert_eq!(kept(&replayed), (150_000, 4096));
        assert!(!spent.is_short);
        let mut copies = rejects(150_000, Reason::Shape);
        copies.iter_mut().for_each(|span| span.is_only_copy = true);
        let _ = Budget::new(true, now).spare(&mut copies, now);
        assert_eq!(kept(&copies), (150_000, 150_000));
    }
}
