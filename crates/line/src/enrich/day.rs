//! The local day in which a hit happened; it has the salt for the visitor's hash.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use crate::hit::Micros;

/// A day in a time zone: 23 to 25 hours if clocks are changed in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocalDay {
    /// The day.
    pub date: Date,
    /// Its first microsecond.
    pub from: Micros,
    /// The first microsecond after it.
    pub until: Micros,
}

impl LocalDay {
    /// Whether a time is in this day.
    pub fn contains(&self, at: Micros) -> bool {
        self.from <= at && at < self.until
    }
}

/// The day of the zone that contains `at`. A time outside of the calendar (years −9999 to 9999) counts as the nearest
/// time within.
pub fn local_day(time_zone: &TimeZone, at: Micros) -> LocalDay {
    let at = at.clamp(Timestamp::MIN.as_microsecond(), Timestamp::MAX.as_microsecond());
    let here = Timestamp::from_microsecond(at).unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(time_zone.clone());
    let start = |date: Date| date.to_zoned(time_zone.clone()).map(|z| z.timestamp().as_microsecond());
    let date = here.date();
    LocalDay {
        date,
        from: start(date).unwrap_or(Micros::MIN).min(at),
        until: date.checked_add(1.day()).and_then(start).unwrap_or(Micros::MAX).max(at + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(zone: &str, at: &str, expect: (&str, &str, &str)) {
        let zone = TimeZone::get(zone).unwrap();
        let at: Timestamp = at.parse().unwrap();
        let day = local_day(&zone, at.as_microsecond());
        let text = |t| Timestamp::from_microsecond(t).unwrap().to_string();
        let got = (day.date.to_string(), text(day.from), text(day.until));
        assert_eq!((got.0.as_str(), got.1.as_str(), got.2.as_str()), expect);
        assert!(day.contains(at.as_microsecond()));
        assert!(!day.contains(day.until) && !day.contains(day.from - 1));
    }

    #[test]
    fn a_day_is_the_places_own() {
        check(
            "UTC",
            "2025-01-31T23:59:59.999999Z",
            ("2025-01-31", "2025-01-31T00:00:00Z", "2025-02-01T00:00:00Z"),
        );
        check(
            "Europe/Berlin",
            "2025-01-31T23:30:00Z",
            ("2025-02-01", "2025-01-31T23:00:00Z", "2025-02-01T23:00:00Z"),
        );
        // Clocks go forward: 23 hours. Back: 25.
        check(
            "Europe/Berlin",
            "2025-03-30T12:00:00Z",
            ("2025-03-30", "2025-03-29T23:00:00Z", "2025-03-30T22:00:00Z"),
        );
        check(
            "Europe/Berlin",
            "2025-10-26T12:00:00Z",
            ("2025-10-26", "2025-10-25T22:00:00Z", "2025-10-26T23:00:00Z"),
        );
        // Midnight itself is skipped if clocks go forward at 0:00.
        check(
            "America/Santiago",
            "2024-09-08T12:00:00Z",
            ("2024-09-08", "2024-09-08T04:00:00Z", "2024-09-09T03:00:00Z"),
        );
        // Samoa had no 30 December 2011.
        check(
            "Pacific/Apia",
            "2011-12-30T09:59:59Z",
            ("2011-12-29", "2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z"),
        );
    }

    #[test]
    fn no_time_is_outside_of_all_days() {
        for zone in ["UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago"] {
            let zone = TimeZone::get(zone).unwrap();
            for at in [Micros::MIN, -1, 0, 253_402_300_800_000_000, Micros::MAX] {
                let day = local_day(&zone, at);
                assert!(day.from < day.until);
            }
        }
    }
}
