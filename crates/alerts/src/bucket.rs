//! What is counted of the events of a slot. Buckets of any times add up, so a window is the sum of its slots.

use crate::time::Micros;

/// What an event says, as far as rules look at it. An absent text is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Event<'a> {
    /// When it happened.
    pub at: Micros,
    /// Its traffic class.
    pub class: &'a str,
    /// Its type.
    pub event_type: &'a str,
    /// Host of the page.
    pub host: &'a str,
    /// Path of the page.
    pub path: &'a str,
    /// The HTTP method.
    pub method: &'a str,
    /// Host of the referrer.
    pub referrer: &'a str,
    /// The kind of thing that it is about.
    pub entity_type: &'a str,
    /// The part of the site.
    pub module: &'a str,
    /// The sub-account.
    pub sub_account: &'a str,
    /// The HTTP status.
    pub status: Option<i16>,
    /// Time that nginx took, milliseconds.
    pub request_ms: Option<i32>,
    /// Bytes of the answer.
    pub bytes: Option<i64>,
    /// Numbers that it says, by their names: millionths.
    pub numbers: &'a [(&'a str, i64)],
}

/// Millionths in one.
pub const ONE: i64 = 1_000_000;

/// The upper bounds of the histogram of `request_ms`, milliseconds. One more count is of what is longer.
pub const BOUNDS: [i32; 30] = [
    1, 2, 3, 5, 7, 10, 15, 20, 30, 40, 50, 70, 100, 150, 200, 300, 400, 500, 700, 1000, 1500, 2000, 3000,
    5000, 7000, 10_000, 15_000, 20_000, 30_000, 60_000,
];

/// The numbers before the histogram.
const NAMED: usize = 16;

/// The numbers of a bucket.
const NUMBERS: usize = NAMED + BOUNDS.len() + 2;

/// The classes in the order in which they are counted. There is room for no more: `excluded` is among all events alone.
const CLASSES: [&str; 7] = ["human", "bot", "ai_bot", "headless", "monitor", "suspect", "server"];

/// The place of a number. What is stored is in this order: a new number goes to the end, behind the histogram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum Number {
    /// Events of any kind.
    Events = 0,
    /// Events of the class `human`; those of the others follow.
    Human = 1,
    /// Page views, as they came.
    PageViews = 8,
    /// Events with a status.
    Answered = 9,
    /// Events with a status from 400 to 499.
    ClientErrors = 10,
    /// Events with a status from 500.
    Errors = 11,
    /// Bytes of the answers.
    Bytes = 12,
    /// Events with a time of the request.
    Timed = 13,
    /// The sum of those times, milliseconds.
    Milliseconds = 14,
    /// The sum of what the lens looks at, before the point: a number is cut at its point, and the two parts are summed apart,
    /// so that sums are exact.
    Whole = 15,
    /// The same, behind the point: millionths.
    Millionths = NUMBERS - 1,
}

/// Counts of events.
#[derive(Clone, PartialEq, Eq)]
pub struct Bucket([i64; NUMBERS]);

impl Default for Bucket {
    fn default() -> Bucket {
        Bucket([0; NUMBERS])
    }
}

impl std::fmt::Debug for Bucket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.stored()).finish()
    }
}

impl Bucket {
    /// Counts an event.
    pub fn count(&mut self, event: &Event<'_>) {
        self.up(Number::Events as usize, 1);
        if let Some(n) = CLASSES.iter().position(|class| *class == event.class) {
            self.up(Number::Human as usize + n, 1);
        }
        if event.event_type == "pageview" {
            self.up(Number::PageViews as usize, 1);
        }
        if let Some(status) = event.status {
            self.up(Number::Answered as usize, 1);
            match status {
                400..500 => self.up(Number::ClientErrors as usize, 1),
                500.. => self.up(Number::Errors as usize, 1),
                _ => {}
            }
        }
        if let Some(bytes) = event.bytes {
            self.up(Number::Bytes as usize, bytes);
        }
        if let Some(ms) = event.request_ms {
            self.up(Number::Timed as usize, 1);
            self.up(Number::Milliseconds as usize, i64::from(ms));
            self.up(NAMED + BOUNDS.partition_point(|bound| *bound < ms), 1);
        }
    }

    /// Adds a number, of millionths, to the sum.
    pub fn sum(&mut self, millionths: i64) {
        self.up(Number::Whole as usize, millionths / ONE);
        self.up(Number::Millionths as usize, millionths % ONE);
    }

    /// The sum of the numbers.
    #[expect(clippy::cast_precision_loss, reason = "the last digits of a large sum say nothing")]
    pub fn total(&self) -> f64 {
        let (whole, rest) = (self.number(Number::Whole), self.number(Number::Millionths));
        let all = i128::from(whole) * i128::from(ONE) + i128::from(rest);
        all as f64 / ONE as f64
    }

    fn up(&mut self, place: usize, by: i64) {
        self.0[place] = self.0[place].saturating_add(by);
    }

    /// Adds what another bucket counted.
    pub fn add(&mut self, other: &Bucket) {
        for (to, from) in self.0.iter_mut().zip(other.0) {
            *to = to.saturating_add(from);
        }
    }

    /// Takes out what was added.
    pub fn subtract(&mut self, other: &Bucket) {
        for (to, from) in self.0.iter_mut().zip(other.0) {
            *to = to.saturating_sub(from);
        }
    }

    /// One of its numbers.
    pub fn number(&self, number: Number) -> i64 {
        self.0[number as usize]
    }

    /// Whether nothing is counted.
    pub fn is_empty(&self) -> bool {
        self.number(Number::Events) == 0
    }

    /// The milliseconds within which a share of the requests was answered, from the histogram: between two bounds, times
    /// are taken as evenly spread. `None`: no request has a time.
    #[expect(clippy::cast_precision_loss, reason = "counts of requests are far below 2^52")]
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let timed = self.number(Number::Timed);
        if timed <= 0 {
            return None;
        }
        let rank = share * timed as f64;
        let (mut below, mut from) = (0.0, 0.0);
        for (bound, count) in BOUNDS.iter().zip(&self.0[NAMED..NAMED + BOUNDS.len()]) {
            let count = *count as f64;
            if count > 0.0 && below + count >= rank {
                return Some(from + (f64::from(*bound) - from) * ((rank - below) / count).clamp(0.0, 1.0));
            }
            below += count;
            from = f64::from(*bound);
        }
        Some(from)
    }

    /// Its numbers, for a table; zeros at the end are left out.
    pub fn stored(&self) -> &[i64] {
        let last = self.0.iter().rposition(|number| *number != 0);
        &self.0[..last.map_or(0, |last| last + 1)]
    }

    /// A bucket of numbers that were stored.
    pub fn restored(numbers: &[i64]) -> Bucket {
        let mut bucket = Bucket::default();
        for (to, from) in bucket.0.iter_mut().zip(numbers) {
            *to = *from;
        }
        bucket
    }
}

/// Buckets of one series, ascending by slot, each slot once. Slots without events are left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Series(Vec<(Micros, Bucket)>);

impl Series {
    /// A series of slots in any order.
    pub fn new(mut slots: Vec<(Micros, Bucket)>) -> Series {
        slots.sort_by_key(|slot| slot.0);
        slots.dedup_by(|next, slot| {
            let is_same = next.0 == slot.0;
            if is_same {
                slot.1.add(&next.1);
            }
            is_same
        });
        Series(slots)
    }

    /// The slots.
    pub fn slots(&self) -> &[(Micros, Bucket)] {
        &self.0
    }

    /// The slots from a time until before another.
    pub fn within(&self, from: Micros, until: Micros) -> &[(Micros, Bucket)] {
        let first = self.0.partition_point(|slot| slot.0 < from);
        let last = self.0.partition_point(|slot| slot.0 < until);
        &self.0[first..last.max(first)]
    }

    /// Replaces the slots from a time until before another.
    pub fn replace(&mut self, from: Micros, until: Micros, by: Series) {
        let first = self.0.partition_point(|slot| slot.0 < from);
        let last = self.0.partition_point(|slot| slot.0 < until);
        self.0.splice(first..last.max(first), by.0);
    }
}

/// A window that slides forward over a series.
#[derive(Debug, Clone)]
pub struct Window<'a> {
    series: &'a Series,
    length: Micros,
    /// The slots that are in the sum.
    range: std::ops::Range<usize>,
    sum: Bucket,
}

impl<'a> Window<'a> {
    /// A window of this length, before the first time.
    pub fn new(series: &'a Series, length: Micros) -> Window<'a> {
        Window { series, length, range: 0..0, sum: Bucket::default() }
    }

    /// The sum of the slots in the window that ends at this time, which never goes back.
    pub fn at(&mut self, end: Micros) -> &Bucket {
        let slots = self.series.slots();
        // Slots that are passed without being in any window need not be added first.
        let begin = end.saturating_sub(self.length);
        if self.range.end < slots.len() && self.range.is_empty() {
            let skipped = slots[self.range.end..].partition_point(|slot| slot.0 < begin);
            self.range = self.range.end + skipped..self.range.end + skipped;
        }
        while let Some(slot) = slots.get(self.range.end).filter(|slot| slot.0 < end) {
            self.sum.add(&slot.1);
            self.range.end += 1;
        }
        while let Some(slot) =
            slots.get(self.range.start).filter(|slot| slot.0 < begin && !self.range.is_empty())
        {
            self.sum.subtract(&slot.1);
            self.range.start += 1;
        }
        &self.sum
    }

    /// The sum, as of the last time.
    pub fn sum(&self) -> &Bucket {
        &self.sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{SECOND, SLOT};

    fn event(status: i16, ms: i32) -> Event<'static> {
        Event {
            class: "bot",
            event_type: "request",
            status: Some(status),
            request_ms: Some(ms),
            ..Event::default()
        }
    }

    #[test]
    fn events_are_counted_and_what_is_stored_comes_back() {
        let mut bucket = Bucket::default();
        for (status, ms) in [(200, 0), (404, 12), (503, 99_999)] {
            bucket.count(&event(status, ms));
        }
        let numbers =
            [Number::Events, Number::Answered, Number::ClientErrors, Number::Errors, Number::Milliseconds];
        assert_eq!(numbers.map(|n| bucket.number(n)), [3, 3, 1, 1, 100_011]);
        assert_eq!(bucket.number(Number::Human), 0);
        assert_eq!(Bucket::restored(bucket.stored()), bucket);
        assert_eq!(Bucket::default().stored(), [0i64; 0]);
        // What a later version counts besides is left out.
        assert_eq!(Bucket::restored(&[7; 100]).number(Number::Events), 7);
    }

    #[test]
    fn a_quantile_lies_between_the_bounds_of_its_times() {
        let mut bucket = Bucket::default();
        assert_eq!(bucket.quantile(0.5), None);
        (0..100).for_each(|n| bucket.count(&event(200, if n < 95 { 45 } else { 4000 })));
        let [median, p95, p99] = [0.5, 0.95, 0.99].map(|share| bucket.quantile(share).unwrap());
        assert!(median > 40.0 && median < 50.0, "{median}");
        assert!((p95 - 50.0).abs() < 0.01, "{p95}");
        assert!(p99 > 3000.0 && p99 < 5000.0, "{p99}");
    }

    #[test]
    fn a_window_that_slides_has_the_sum_of_its_slots() {
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..300 {
            let slot = |random: &mut fastrand::Rng| {
                let mut bucket = Bucket::default();
                (0..random.u8(1..4)).for_each(|_| bucket.count(&event(200, random.i32(0..100))));
                (random.i64(0..60) * SLOT, bucket)
            };
            let series = Series::new((0..random.usize(0..20)).map(|_| slot(&mut random)).collect());
            let length = random.i64(1..10) * SLOT;
            let mut window = Window::new(&series, length);
            let mut end = 0;
            while end < 70 * SLOT {
                let mut expected = Bucket::default();
                let within = series.slots().iter().filter(|slot| slot.0 < end && slot.0 >= end - length);
                within.for_each(|slot| expected.add(&slot.1));
                assert_eq!(window.at(end), &expected, "at {} s of {series:?}", end / SECOND);
                end += random.i64(1..8) * SLOT;
            }
        }
    }
}
