//! What a value is against those of the windows before it: how many times their median, or how many standard deviations
//! from their mean.

use std::fmt;

use crate::time::Micros;

/// How a value is compared with earlier ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Past {
    /// As a multiple of their median.
    Factor,
    /// By its distance from their mean in standard deviations, to either side.
    Distance,
    /// The same, above the mean only: below it, the distance is negative.
    Above,
}

/// The fewest windows before.
pub const WINDOWS_MIN: Micros = 3;

/// The most windows before.
pub const WINDOWS_MAX: Micros = 96;

/// How many windows before are looked at if a rule does not say it.
pub const WINDOWS: Micros = 12;

/// The greatest distance that is told: values that never differ have a standard deviation of zero.
const DISTANCE_MAX: f64 = 1000.0;

impl Past {
    /// What a value is against earlier ones. `None` if less than half of the `windows` measured something, or their median
    /// is zero.
    pub fn value(self, now: f64, earlier: &mut [f64], windows: usize) -> Option<f64> {
        if earlier.is_empty() || earlier.len() * 2 < windows {
            return None;
        }
        match self {
            Past::Factor => {
                let median = median(earlier);
                (median != 0.0).then(|| now / median)
            }
            Past::Distance => Some(distance(now, earlier).abs()),
            Past::Above => Some(distance(now, earlier)),
        }
    }

    /// The unit of the value.
    pub fn unit(self) -> &'static str {
        match self {
            Past::Factor => "×",
            Past::Distance | Past::Above => "σ",
        }
    }
}

impl fmt::Display for Past {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Past::Factor => "times the median",
            Past::Distance => "standard deviations from the mean",
            Past::Above => "standard deviations above the mean",
        })
    }
}

/// The median; of an even number of values, the mean of the two in the middle.
fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len().is_multiple_of(2) {
        f64::midpoint(values[middle - 1], values[middle])
    } else {
        values[middle]
    }
}

/// How far a value is from the mean of others, in their (sample) standard deviations.
#[expect(clippy::cast_precision_loss, reason = "a few windows")]
fn distance(now: f64, values: &[f64]) -> f64 {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let deviation = (squares / (count - 1.0).max(1.0)).sqrt();
    let difference = now - mean;
    // Sums of floating-point numbers: what is equal may differ in the last digits.
    if difference.abs() <= 1e-9 * mean.abs().max(1e-9) {
        return 0.0;
    }
    (difference / deviation.max(difference.abs() / DISTANCE_MAX)).clamp(-DISTANCE_MAX, DISTANCE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_told_against_those_before() {
        let value =
            |past: Past, now: f64, earlier: &[f64], windows| past.value(now, &mut earlier.to_vec(), windows);
        assert_eq!(value(Past::Factor, 30.0, &[30.0, 2.0, 8.0, 12.0], 4), Some(3.0));
        assert_eq!(value(Past::Factor, 30.0, &[5.0, 200.0, 10.0], 3), Some(3.0));
        assert_eq!(value(Past::Factor, 30.0, &[0.0, 0.0, 10.0], 3), None);
        // The mean is 6, the deviation 2.
        let earlier = [4.0, 6.0, 8.0];
        assert_eq!(value(Past::Distance, 0.0, &earlier, 3), Some(3.0));
        assert_eq!(value(Past::Above, 0.0, &earlier, 3), Some(-3.0));
        assert_eq!(value(Past::Above, 12.0, &earlier, 3), Some(3.0));
        assert_eq!(value(Past::Distance, 6.0, &earlier, 3), Some(0.0));
        // They never differed: whatever differs is far away, and no value is infinite.
        assert_eq!(value(Past::Distance, 20.0, &[0.0; 12], 12), Some(1000.0));
        assert_eq!(value(Past::Above, 0.1 + 0.2, &[0.3; 12], 12), Some(0.0));
        // Too little was measured.
        assert_eq!(value(Past::Distance, 0.0, &earlier, 7), None);
        assert_eq!(value(Past::Distance, 0.0, &earlier, 6), Some(3.0));
        assert_eq!(value(Past::Distance, 0.0, &[], 0), None);
    }
}
