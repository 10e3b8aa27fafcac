//! The days that are asked for.

use alt_store::stats::period::Period;
use jiff::civil::Date;

/// The most days that a period has.
pub(crate) const DAYS_MAX: i64 = 3_700;

/// As [`Period::of`], of a bounded number of days.
///
/// # Errors
/// What is wrong, and how to write it.
pub(crate) fn of(text: &str, today: Date) -> Result<Period, String> {
    let period = Period::of(text, today).map_err(|error| error.to_string())?;
    let days = period.from.until(period.until).map_or(i64::MAX, |span| i64::from(span.get_days()) + 1);
    if days > DAYS_MAX { Err(format!("a period has at most {DAYS_MAX} days")) } else { Ok(period) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_whole_days() {
        let today: Date = "2026-03-10".parse().unwrap();
        let of = |text: &str| {
            super::of(text, today)
                .map(|p| format!("{}..{} {}..{}", p.from, p.until, p.before.from, p.before.until))
        };
        assert_eq!(of("today").unwrap(), "2026-03-10..2026-03-10 2026-03-09..2026-03-09");
        assert_eq!(of("7d").unwrap(), "2026-03-04..2026-03-10 2026-02-25..2026-03-03");
        assert_eq!(of("month").unwrap(), "2026-03-01..2026-03-10 2026-02-19..2026-02-28");
        assert_eq!(of("2026-01-01..2026-01-31").unwrap(), "2026-01-01..2026-01-31 2025-12-01..2025-12-31");
        for wrong in [
            "",
            "0d",
            "-1d",
            "9999999999d",
            "60000d",
            "d",
            "..",
            "2026-02-30..2026-03-01",
            "2026-02-02..2026-02-01",
            "-009999-01-01..9999-12-31",
            "-009999-01-01..-009999-01-02",
            "yesterday",
        ] {
            assert!(of(wrong).is_err(), "{wrong}");
        }
    }
}
