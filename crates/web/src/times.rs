//! The times of a series, in an application's time zone.

use std::collections::BTreeMap;

use alt_statistics::query::Tally;
use alt_store::stats::period::Dates;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, Zoned};

/// The most days of a series by hours.
pub(crate) const HOURS_DAYS_MAX: i32 = 31;

/// How long each time of a series is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interval {
    Hour,
    Day,
    Month,
}

impl Interval {
    /// The interval of a name.
    pub(crate) fn named(name: &str) -> Option<Interval> {
        Some(match name {
            "hour" => Interval::Hour,
            "day" => Interval::Day,
            "month" => Interval::Month,
            _ => return None,
        })
    }

    /// Its name.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Interval::Hour => "hour",
            Interval::Day => "day",
            Interval::Month => "month",
        }
    }

    /// Every time from the day `from` to the day `until`, both included, that has begun at `now`, with what was found of it: an
    /// hour as RFC 3339, a day as `2026-01-31`, a month as `2026-01`.
    pub(crate) fn series(
        self,
        Dates { from, until }: Dates,
        zone: &TimeZone,
        now: Timestamp,
        found: &BTreeMap<String, Tally>,
    ) -> Vec<(String, Tally)> {
        let mut all: Vec<(String, Tally)> = Vec::new();
        let mut day = from;
        while day <= until {
            let Some(begin) = begin(day, zone).filter(|begin| begin.timestamp() <= now) else { break };
            let next = day.tomorrow();
            let key = day.to_string();
            let of = |key: &str| found.get(key).cloned().unwrap_or_default();
            match self {
                Interval::Day => all.push((key.clone(), of(&key))),
                Interval::Month => {
                    let month = key.get(..key.len() - 3).unwrap_or(&key);
                    match all.last_mut() {
                        Some((last, sum)) if last == month => sum.add(&of(&key)),
                        _ => all.push((month.to_owned(), of(&key))),
                    }
                }
                Interval::Hour => {
                    let end = next.as_ref().ok().and_then(|next| self::begin(*next, zone));
                    all.extend(hours(&key, &begin, end.as_ref(), now).map(|(at, key)| (at, of(&key))));
                }
            }
            let Ok(next) = next else { break };
            day = next;
        }
        all
    }
}

/// When a day begins.
pub(crate) fn begin(day: Date, zone: &TimeZone) -> Option<Zoned> {
    day.to_zoned(zone.clone()).ok()?.start_of_day().ok()
}

/// The hours of a day up to `now`: when each begins, and how it is found.
fn hours(
    day: &str,
    begin: &Zoned,
    end: Option<&Zoned>,
    now: Timestamp,
) -> impl Iterator<Item = (String, String)> {
    (0..26_i64).map_while(move |n| {
        let at = begin.checked_add(Span::new().hours(n)).ok()?;
        let is_in = at.timestamp() <= now && end.is_none_or(|end| at.timestamp() < end.timestamp());
        is_in.then(|| (rfc3339(&at), format!("{day} {n:02}")))
    })
}

/// A time with its offset, which is `Z` in UTC.
pub(crate) fn rfc3339(at: &Zoned) -> String {
    if at.offset().is_zero() {
        return at.timestamp().to_string();
    }
    at.timestamp().display_with_offset(at.offset()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(interval: Interval, from: &str, until: &str, now: &str, found: &[&str]) -> Vec<String> {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let mut one = Tally::default();
        one.counts.events = 1;
        let found = found.iter().map(|key| ((*key).to_owned(), one.clone())).collect();
        let days = Dates { from: from.parse().unwrap(), until: until.parse().unwrap() };
        let all = interval.series(days, &zone, now.parse().unwrap(), &found);
        all.into_iter().map(|(at, tally)| format!("{at} {}", tally.counts.events)).collect()
    }

    #[test]
    fn every_time_that_has_begun_is_there() {
        let now = "2026-03-02T00:30:00+01:00";
        let days = series(Interval::Day, "2026-02-27", "2026-03-09", now, &["2026-02-28"]);
        assert_eq!(days, ["2026-02-27 0", "2026-02-28 1", "2026-03-01 0", "2026-03-02 0"]);
        let months = series(Interval::Month, "2026-01-30", "2026-03-09", now, &["2026-01-30", "2026-01-31"]);
        assert_eq!(months, ["2026-01 2", "2026-02 0", "2026-03 0"]);
        let hours = series(Interval::Hour, "2026-03-02", "2026-03-02", now, &["2026-03-02 00"]);
        assert_eq!(hours, ["2026-03-02T00:00:00+01:00 1"]);
    }

    #[test]
    fn a_day_has_23_or_25_hours_when_clocks_change() {
        let later = "2027-01-01T00:00:00Z";
        let spring = series(Interval::Hour, "2026-03-29", "2026-03-29", later, &["2026-03-29 02"]);
        assert_eq!(spring.len(), 23);
        assert_eq!(spring[2], "2026-03-29T03:00:00+02:00 1");
        assert_eq!(series(Interval::Hour, "2026-10-25", "2026-10-25", later, &[]).len(), 25);
    }
}
