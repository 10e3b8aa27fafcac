//! How long answers took: percentiles of any number of times, in 2 kB.

/// Classes of one power of two. A percentile is at most 1/16 too large.
const PARTS: usize = 16;

/// Counts of times, by classes that grow with the time.
#[derive(Debug, Clone)]
pub(super) struct Times {
    classes: Vec<u64>,
    count: u64,
    sum_ms: u64,
    max_ms: u32,
}

impl Default for Times {
    fn default() -> Times {
        Times { classes: vec![0; PARTS * 29], count: 0, sum_ms: 0, max_ms: 0 }
    }
}

/// The class of a time, milliseconds. Below [`PARTS`], each time has its own.
fn class(ms: u32) -> usize {
    let ms = ms as usize;
    if ms < PARTS {
        return ms;
    }
    // How often it has to be halved until it is below 2 * PARTS.
    let halves = (usize::BITS - 1 - ms.leading_zeros()) as usize - PARTS.ilog2() as usize;
    (halves + 1) * PARTS + (ms >> halves) - PARTS
}

/// The largest time of a class, milliseconds.
fn end(class: usize) -> u64 {
    if class < PARTS {
        return class as u64;
    }
    let halves = class / PARTS - 1;
    (((class % PARTS + PARTS + 1) as u64) << halves) - 1
}

impl Times {
    /// Counts a time, milliseconds.
    pub(super) fn add(&mut self, ms: u32) {
        if let Some(count) = self.classes.get_mut(class(ms)) {
            *count += 1;
        }
        self.count += 1;
        self.sum_ms += u64::from(ms);
        self.max_ms = self.max_ms.max(ms);
    }

    /// How many times there are.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// The longest, milliseconds.
    pub(super) fn max_ms(&self) -> u64 {
        u64::from(self.max_ms)
    }

    /// The mean, milliseconds.
    #[allow(clippy::cast_precision_loss)] // for people to read
    pub(super) fn mean_ms(&self) -> f64 {
        self.sum_ms as f64 / self.count.max(1) as f64
    }

    /// The time that so many percent of all do not exceed, milliseconds.
    pub(super) fn percentile_ms(&self, percent: u64) -> u64 {
        let wanted = (self.count * percent).div_ceil(100).max(1);
        let mut sum = 0;
        for (class, count) in self.classes.iter().enumerate() {
            sum += count;
            if sum >= wanted {
                return end(class).min(self.max_ms());
            }
        }
        self.max_ms()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_right_to_a_sixteenth() {
        for ms in (0..100_000).chain([1 << 30, u32::MAX / 2, i32::MAX as u32]) {
            let end = end(class(ms));
            assert!(end >= u64::from(ms) && end - u64::from(ms) <= u64::from(ms) / 16, "{ms} {end}");
        }
        let mut times = Times::default();
        for ms in 1..=10_000 {
            times.add(ms);
        }
        for (percent, exact) in [(50, 5000), (95, 9500), (99, 9900), (100, 10_000)] {
            let found = times.percentile_ms(percent);
            assert!(found >= exact && found - exact <= exact / 16, "{percent}: {found}");
        }
        assert_eq!((times.count(), times.max_ms()), (10_000, 10_000));
        assert_eq!(Times::default().percentile_ms(50), 0);
    }
}
