//! Periods that people name.

use anyhow::{Context, bail};
use jiff::Span;
use jiff::civil::Date;

/// Days that follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dates {
    /// The first.
    pub from: Date,
    /// The last.
    pub until: Date,
}

/// The days that are asked for, the days before them to compare with, and whether the last one is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// The first day.
    pub from: Date,
    /// The last day.
    pub until: Date,
    /// As many days right before.
    pub before: Dates,
    /// The last day is over.
    pub is_over: bool,
}

impl Period {
    /// `today`, `7d` (so many days, of which the last is today), `month` (this one), or `2026-01-01..2026-01-31`.
    ///
    /// # Errors
    /// The text is no period; says how to write one.
    pub fn of(text: &str, today: Date) -> anyhow::Result<Period> {
        let bad = || format!("{text} is no period: write today, 7d, 30d, month or 2026-01-01..2026-01-31");
        let back = |day: Date, days: i64| day.checked_sub(Span::new().try_days(days)?);
        let (from, until) = match text {
            "today" => (today, today),
            "month" => (today.first_of_month(), today),
            _ => match (text.split_once(".."), text.strip_suffix('d').map(str::parse::<u32>)) {
                (Some((from, until)), _) => {
                    (from.parse().with_context(bad)?, until.parse().with_context(bad)?)
                }
                (None, Some(Ok(days @ 1..=36_500))) => (back(today, i64::from(days) - 1)?, today),
                _ => bail!(bad()),
            },
        };
        if from > until {
            bail!("{text}: the first day is behind the last");
        }
        let days = i64::from(from.until(until)?.get_days()) + 1;
        let before =
            Dates { from: back(from, days).with_context(bad)?, until: back(from, 1).with_context(bad)? };
        Ok(Period { from, until, before, is_over: until < today })
    }

    /// The days that are asked for.
    #[must_use]
    pub fn days(&self) -> Dates {
        Dates { from: self.from, until: self.until }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_is_days_and_those_before_it() {
        let today: Date = "2026-03-02".parse().unwrap();
        let check = |text: &str| {
            let p = Period::of(text, today).unwrap();
            format!("{}..{} {}..{} {}", p.from, p.until, p.before.from, p.before.until, p.is_over)
        };
        assert_eq!(check("today"), "2026-03-02..2026-03-02 2026-03-01..2026-03-01 false");
        assert_eq!(check("7d"), "2026-02-24..2026-03-02 2026-02-17..2026-02-23 false");
        assert_eq!(check("month"), "2026-03-01..2026-03-02 2026-02-27..2026-02-28 false");
        assert_eq!(check("2026-02-01..2026-02-28"), "2026-02-01..2026-02-28 2026-01-04..2026-01-31 true");
        for text in ["", "0d", "week", "2026-02-30..2026-03-01", "2026-03-02..2026-03-01", "99999999d", "-7d"]
        {
            assert!(Period::of(text, today).is_err(), "{text}");
        }
    }
}
