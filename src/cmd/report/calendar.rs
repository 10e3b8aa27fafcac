//! Local days and hours of times, looked up once for each day that is met.

use std::collections::BTreeMap;

use alt_line::enrich::{LocalDay, local_day};
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// An hour of a day by the clock: the second of two with the same number counts for the first.
pub(super) type Hour = (Date, i8);

/// The days of a time zone.
#[derive(Debug)]
pub(super) struct Calendar {
    zone: TimeZone,
    /// The days that were met, by their first microseconds: of 2000 to today, so at most some 10,000.
    days: BTreeMap<i64, LocalDay>,
    /// The last one, and an hour of it: from, until, number.
    last: Option<(LocalDay, (i64, i64, i8))>,
}

/// The microseconds in which the clock's hour is the same, whatever the zone.
const QUARTER: i64 = 15 * 60 * 1_000_000;

impl Calendar {
    /// Of a time zone.
    pub(super) fn new(zone: TimeZone) -> Calendar {
        Calendar { zone, days: BTreeMap::new(), last: None }
    }

    /// The day that has a time, microseconds since 1970.
    pub(super) fn day(&mut self, at: i64) -> LocalDay {
        if let Some((day, _)) = self.last.filter(|(day, _)| day.contains(at)) {
            return day;
        }
        let known = self.days.range(..=at).next_back().map(|(_, day)| *day).filter(|day| day.contains(at));
        known.unwrap_or_else(|| {
            let day = local_day(&self.zone, at);
            self.days.insert(day.from, day);
            day
        })
    }

    /// The hour that has a time, microseconds since 1970, and its day.
    pub(super) fn hour(&mut self, at: i64) -> (Hour, LocalDay) {
        if let Some((day, (from, until, hour))) = self.last
            && (from..until).contains(&at)
        {
            return ((day.date, hour), day);
        }
        let day = self.day(at);
        let from = at - at.rem_euclid(QUARTER);
        let time = jiff::Timestamp::from_microsecond(from.max(day.from)).unwrap_or_default();
        let hour = time.to_zoned(self.zone.clone()).hour();
        self.last = Some((day, (from.max(day.from), (from + QUARTER).min(day.until), hour)));
        ((day.date, hour), day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_those_of_the_clock() {
        for zone in ["UTC", "Europe/Berlin", "Asia/Kathmandu", "America/Santiago", "Australia/Lord_Howe"] {
            let zone = TimeZone::get(zone).unwrap();
            let mut calendar = Calendar::new(zone.clone());
            for n in 0..20_000 {
                // Every 17 minutes of eight months, and times before them in between.
                let at = (1_700_000_000 + if n % 3 == 0 { 20_000 - n } else { n } * 1020) * 1_000_000 + 1;
                let here = jiff::Timestamp::from_microsecond(at).unwrap().to_zoned(zone.clone());
                let (hour, day) = calendar.hour(at);
                assert_eq!((hour, day.date), ((here.date(), here.hour()), here.date()), "{here}");
            }
            assert!(calendar.days.len() < 300);
        }
    }
}
