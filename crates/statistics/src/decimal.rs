//! Exact decimal numbers: amounts of money, quantities, and other numbers that events say.

use std::fmt;
use std::ops::AddAssign;

/// Digits behind the point.
const DIGITS: usize = 6;

/// The most digits before the point.
const WHOLE_MAX: usize = 12;

/// Millionths in one.
const ONE: i64 = 1_000_000;

/// A decimal number, or a sum of such numbers: millionths, exactly.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Decimal(i128);

impl Decimal {
    /// One.
    pub(crate) const ONE: i64 = ONE;

    /// Of millionths.
    pub fn of_millionths(millionths: i64) -> Decimal {
        Decimal(millionths.into())
    }

    /// Its millionths, or the nearest that there are.
    pub fn millionths(self) -> i64 {
        i64::try_from(self.0).unwrap_or(if self.0 < 0 { i64::MIN } else { i64::MAX })
    }

    /// Of a whole number.
    pub fn of_whole(number: u64) -> Decimal {
        Decimal(i128::from(number) * i128::from(ONE))
    }

    /// Nearly the same number, to sort by.
    #[allow(clippy::cast_precision_loss)] // sorted by
    pub fn roughly(self) -> f64 {
        self.0 as f64 / ONE as f64
    }
}

impl AddAssign for Decimal {
    fn add_assign(&mut self, more: Decimal) {
        self.0 = self.0.saturating_add(more.0);
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let one = i128::from(ONE).unsigned_abs();
        let (sign, all) = (if self.0 < 0 { "-" } else { "" }, self.0.unsigned_abs());
        let (whole, rest) = (all / one, all % one);
        if rest == 0 {
            return write!(f, "{sign}{whole}");
        }
        let rest = format!("{rest:06}");
        write!(f, "{sign}{whole}.{}", rest.trim_end_matches('0'))
    }
}

/// The millionths of a decimal number: a `-` or none, 1 to 12 digits, and at most 6 behind a point, with any zeros behind these.
/// Everything else, such as `1e3`, `NaN` or `1,5`, is none.
pub fn millionths(text: &str) -> Option<i64> {
    let (is_negative, text) = text.strip_prefix('-').map_or((false, text), |text| (true, text));
    let (whole, rest) = match text.split_once('.') {
        Some((_, "")) => return None,
        Some(parts) => parts,
        None => (text, ""),
    };
    // Databases and programs write more zeros than anybody needs.
    let digits = rest.trim_end_matches('0').len().max(DIGITS.min(rest.len()));
    let rest = rest.split_at(digits).0;
    let is_number = |text: &str| text.bytes().all(|digit| digit.is_ascii_digit());
    if whole.is_empty()
        || whole.len() > WHOLE_MAX
        || rest.len() > DIGITS
        || !is_number(whole)
        || !is_number(rest)
    {
        return None;
    }
    let whole: i64 = whole.parse().ok()?;
    let rest: i64 = format!("{rest:0<DIGITS$}").parse().ok()?;
    let all = whole * ONE + rest;
    Some(if is_negative { -all } else { all })
}

/// A product of two numbers of millionths, if it is one exactly, of at most 12 digits before the point.
pub(crate) fn product(one: i64, other: i64) -> Option<i64> {
    let product = i128::from(one) * i128::from(other);
    let (all, rest) = (product / i128::from(ONE), product % i128::from(ONE));
    let most = i128::from(ONE) * i128::from(ONE) * i128::from(ONE);
    if rest == 0 && all.abs() < most { i64::try_from(all).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_exactly_or_not_at_all() {
        for (text, shown) in [
            ("0", "0"),
            ("-0", "0"),
            ("59.9", "59.9"),
            ("59.90", "59.9"),
            ("3.8000000000000000", "3.8"),
            ("0.1", "0.1"),
            ("-12.000001", "-12.000001"),
            ("-0.5", "-0.5"),
            ("007", "7"),
            ("999999999999.999999", "999999999999.999999"),
        ] {
            assert_eq!(Decimal::of_millionths(millionths(text).unwrap()).to_string(), shown, "{text}");
        }
        for text in [
            "",
            "-",
            ".",
            ".5",
            "5.",
            "+1",
            "1e3",
            "1E400",
            "NaN",
            "Infinity",
            "1,5",
            " 1",
            "1 ",
            "--1",
            "1.2.3",
            "0.0000001",
            "1000000000000",
            "٣",
            "0x10",
            "1_000",
            "$5",
        ] {
            assert_eq!(millionths(text), None, "{text}");
        }
    }

    #[test]
    fn sums_and_products_are_exact() {
        let mut sum = Decimal::default();
        for _ in 0..1_000_000 {
            sum += Decimal::of_millionths(millionths("0.1").unwrap());
        }
        assert_eq!(sum.to_string(), "100000");
        let of = |text| millionths(text).unwrap();
        assert_eq!(product(of("19.99"), of("3")), Some(of("59.97")));
        assert_eq!(product(of("19.99"), of("0.5")), Some(of("9.995")));
        assert_eq!(product(of("0.000001"), of("0.1")), None);
        assert_eq!(product(of("999999999999"), of("2")), None);
        assert_eq!(product(of("-999999999999"), of("1")), Some(of("-999999999999")));
    }
}
