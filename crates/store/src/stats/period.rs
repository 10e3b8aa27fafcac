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

/// How long the periods of a report are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Every {
    /// A day.
    Day,
    /// Monday to Sunday.
    Week,
    /// A month of the calendar.
    Month,
}

impl Every {
    /// All of them, with their names.
    pub const ALL: [(&str, Every); 3] = [("day", Every::Day), ("week", Every::Week), ("month", Every::Month)];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        Every::ALL[self as usize].0
    }

    /// The one of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Every> {
        Every::ALL.into_iter().find(|(known, _)| *known == name).map(|(_, every)| every)
    }

    /// Days cut into periods, of which the first and the last may be shorter than the others.
    #[must_use]
    pub fn periods(self, Dates { from, until }: Dates) -> Vec<Dates> {
        let mut all: Vec<Dates> = Vec::new();
        let mut next = Some(from);
        while let Some(from) = next.filter(|from| *from <= until) {
            let last = self.end(from).map_or(until, |last| last.min(until));
            all.push(Dates { from, until: last });
            next = last.tomorrow().ok();
        }
        all
    }

    /// The last day of the period of a day.
    #[must_use]
    pub fn end(self, day: Date) -> Option<Date> {
        match self {
            Every::Day => Some(day),
            Every::Week => {
                let left = 6 - i64::from(day.weekday().to_monday_zero_offset());
                day.checked_add(Span::new().try_days(left).ok()?).ok()
            }
            Every::Month => Some(day.last_of_month()),
        }
    }

    /// The first day of the period of a day.
    #[must_use]
    pub fn begin(self, day: Date) -> Option<Date> {
        match self {
            Every::Day => Some(day),
            Every::Week => {
                let gone = i64::from(day.weekday().to_monday_zero_offset());
                day.checked_sub(Span::new().try_days(gone).ok()?).ok()
            }
            Every::Month => Some(day.first_of_month()),
        }
    }

    /// The last period that was over before `today`, with the one before it.
    ///
    /// # Errors
    /// The days before are no dates.
    pub fn last(self, today: Date) -> anyhow::Result<Period> {
        let back = |day: Date, days: i64| day.checked_sub(Span::new().try_days(days)?);
        let begin = self.begin(today).context("the week begins before all dates")?;
        let before = |begin: Date| match self {
            Every::Day => back(begin, 1),
            Every::Week => back(begin, 7),
            Every::Month => back(begin, 1).map(Date::first_of_month),
        };
        let from = before(begin)?;
        let before = Dates { from: before(from)?, until: back(from, 1)? };
        Ok(Period { from, until: back(begin, 1)?, before, is_over: true })
    }
}

/// Which days a period is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Earlier {
    /// As many days right before.
    Previous,
    /// The same days of the week, as few weeks earlier as they do not overlap.
    Week,
    /// The same days of the calendar, a year earlier.
    Year,
}

impl Earlier {
    /// All of them, with their names.
    pub const ALL: [(&str, Earlier); 3] =
        [("previous", Earlier::Previous), ("week", Earlier::Week), ("year", Earlier::Year)];

    /// The one of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Earlier> {
        Earlier::ALL.into_iter().find(|(known, _)| *known == name).map(|(_, earlier)| earlier)
    }
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

    /// The same days, compared with others; `None`: there are no such dates. The 29th of February is compared with the 28th.
    #[must_use]
    pub fn compared_with(self, earlier: Earlier) -> Option<Period> {
        let days = i64::from(self.from.until(self.until).ok()?.get_days()) + 1;
        let back = match earlier {
            Earlier::Previous => return Some(self),
            Earlier::Week => Span::new().try_days((days + 6) / 7 * 7).ok()?,
            Earlier::Year => Span::new().years(1),
        };
        let [from, until] = [self.from, self.until].map(|day| day.checked_sub(back).ok());
        Some(Period { before: Dates { from: from?, until: until? }, ..self })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_period_is_over_whatever_the_day() {
        let check = |every: Every, today: &str| {
            let p = every.last(today.parse().unwrap()).unwrap();
            format!("{}..{} {}..{}", p.from, p.until, p.before.from, p.before.until)
        };
        assert_eq!(check(Every::Day, "2026-03-01"), "2026-02-28..2026-02-28 2026-02-27..2026-02-27");
        for monday_to_sunday in ["2026-03-02", "2026-03-05", "2026-03-08"] {
            assert_eq!(check(Every::Week, monday_to_sunday), "2026-02-23..2026-03-01 2026-02-16..2026-02-22");
        }
        assert_eq!(check(Every::Month, "2026-01-31"), "2025-12-01..2025-12-31 2025-11-01..2025-11-30");
        assert_eq!(check(Every::Month, "2024-03-01"), "2024-02-01..2024-02-29 2024-01-01..2024-01-31");
        for (name, every) in Every::ALL {
            assert_eq!((Every::named(name), every.name()), (Some(every), name));
        }
        assert_eq!(Every::named("year"), None);
    }

    #[test]
    fn a_period_is_compared_with_the_same_days_of_the_week_or_of_the_year() {
        let today: Date = "2026-03-02".parse().unwrap();
        let check = |text: &str, name: &str| {
            let p = Period::of(text, today).unwrap();
            let p = p.compared_with(Earlier::named(name).unwrap()).unwrap();
            assert_eq!(p.days(), Period::of(text, today).unwrap().days());
            format!("{}..{}", p.before.from, p.before.until)
        };
        assert_eq!(check("today", "previous"), "2026-03-01..2026-03-01");
        assert_eq!(check("today", "week"), "2026-02-23..2026-02-23");
        assert_eq!(check("7d", "week"), "2026-02-17..2026-02-23");
        // Of eight days and more, so many weeks that no day is compared with one of them.
        assert_eq!(check("8d", "week"), "2026-02-09..2026-02-16");
        assert_eq!(check("2026-02-23..2026-02-24", "week"), "2026-02-16..2026-02-17");
        assert_eq!(check("month", "year"), "2025-03-01..2025-03-02");
        assert_eq!(check("2024-02-29..2024-02-29", "year"), "2023-02-28..2023-02-28");
        assert_eq!(Earlier::named("month"), None);
        let first = Period::of("-9999-01-01..-9999-01-02", today);
        assert!(first.is_err() || first.unwrap().compared_with(Earlier::Year).is_none());
    }

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
