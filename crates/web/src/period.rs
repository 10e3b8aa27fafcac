//! The days that are asked for, and those before them to compare with.

use jiff::Span;
use jiff::civil::Date;

/// The most days that a period has.
const DAYS_MAX: i64 = 3_700;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Period {
    pub(crate) from: Date,
    pub(crate) until: Date,
    /// As many days right before.
    pub(crate) before: (Date, Date),
    /// The last day is over.
    pub(crate) is_over: bool,
}

impl Period {
    /// `today`, `7d` (so many days, of which the last is today), `month` (this one), or `2026-01-01..2026-01-31`.
    ///
    /// # Errors
    /// What is wrong, and how to write it.
    pub(crate) fn of(text: &str, today: Date) -> Result<Period, String> {
        let bad = || "period is today, 7d, 30d, month or 2026-01-01..2026-01-31".to_owned();
        let back = |day: Date, days: i64| {
            Span::new().try_days(days).and_then(|span| day.checked_sub(span)).map_err(|_| bad())
        };
        let (from, until) = match (text, text.split_once(".."), text.strip_suffix('d')) {
            ("today", ..) => (today, today),
            ("month", ..) => (today.first_of_month(), today),
            (_, Some((from, until)), _) => {
                (from.parse().map_err(|_| bad())?, until.parse().map_err(|_| bad())?)
            }
            (_, None, Some(days)) => match days.parse::<u16>() {
                Ok(days @ 1..) => (back(today, i64::from(days) - 1)?, today),
                _ => return Err(bad()),
            },
            _ => return Err(bad()),
        };
        if from > until {
            return Err(format!("period: {from} is after {until}"));
        }
        let days = from.until(until).map_or(i64::MAX, |span| i64::from(span.get_days()) + 1);
        if days > DAYS_MAX {
            return Err(format!("period has at most {DAYS_MAX} days"));
        }
        Ok(Period { from, until, before: (back(from, days)?, back(from, 1)?), is_over: until < today })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_whole_days() {
        let today: Date = "2026-03-10".parse().unwrap();
        let of = |text: &str| {
            Period::of(text, today).map(|p| format!("{}..{} {}..{}", p.from, p.until, p.before.0, p.before.1))
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
