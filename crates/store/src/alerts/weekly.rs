//! Windows of a week in the time of a zone: `mon-fri 22:00-06:00, sun 00:00-24:00`. One that ends before it begins ends on
//! the next day.

use alt_alerts::time::Micros;
use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

/// The most windows.
const WINDOWS_MAX: usize = 20;

const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

/// Windows of a week.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weekly {
    text: String,
    windows: Vec<Window>,
    zone: TimeZone,
}

/// A window: on which days it begins, and the minutes of the day at which it begins and ends.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Window {
    days: [bool; 7],
    from: i16,
    until: i16,
}

impl Weekly {
    /// Reads windows, and the name of a zone.
    ///
    /// # Errors
    /// What is wrong, and how windows are written.
    pub fn parse(text: &str, zone: &str) -> Result<Weekly, String> {
        let zone = TimeZone::get(zone)
            .map_err(|_| format!("the zone {zone:?} is not known: write one like Europe/Berlin"))?;
        let windows: Vec<Window> =
            text.split(',').map(|part| Window::parse(part.trim())).collect::<Result<_, _>>()?;
        if windows.len() > WINDOWS_MAX {
            return Err(format!("there are {WINDOWS_MAX} windows at most"));
        }
        Ok(Weekly { text: text.trim().to_owned(), windows, zone })
    }

    /// The windows as they were written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The name of the zone.
    pub fn zone(&self) -> &str {
        self.zone.iana_name().unwrap_or("UTC")
    }

    /// Whether a time lies in one of them.
    pub fn contains(&self, at: Micros) -> bool {
        let Ok(at) = Timestamp::from_microsecond(at) else { return false };
        let local = at.to_zoned(self.zone.clone()).datetime();
        let minute = i16::from(local.hour()) * 60 + i16::from(local.minute());
        let Ok(before) = local.date().checked_sub(1.day()) else { return false };
        let (day, before) = (place(local.date().weekday()), place(before.weekday()));
        self.windows.iter().any(|window| {
            if window.from < window.until {
                return window.days[day] && (window.from..window.until).contains(&minute);
            }
            window.days[day] && minute >= window.from || window.days[before] && minute < window.until
        })
    }
}

fn place(day: Weekday) -> usize {
    DAYS.iter().position(|known| known.1 == day).unwrap_or(0)
}

impl Window {
    fn parse(text: &str) -> Result<Window, String> {
        let wrong = || {
            format!("{text:?} is no window of a week: write \"mon-fri 22:00-06:00\" or \"sat 00:00-24:00\"")
        };
        let (days, times) = text.split_once(' ').ok_or_else(wrong)?;
        let day = |text: &str| DAYS.iter().position(|known| known.0.eq_ignore_ascii_case(text));
        let (first, last) = days.split_once('-').unwrap_or((days, days));
        let (first, last) = day(first).zip(day(last)).ok_or_else(wrong)?;
        let (from, until) = times.trim().split_once('-').ok_or_else(wrong)?;
        let (from, until) = minute(from).zip(minute(until)).ok_or_else(wrong)?;
        if from == until || from == 1440 {
            return Err(wrong());
        }
        // From the first on, as far as the last.
        let length = (last + 7 - first) % 7;
        let days = std::array::from_fn(|day| (day + 7 - first) % 7 <= length);
        Ok(Window { days, from, until })
    }
}

/// The minute of the day of `HH:MM`; 24:00 is its end.
fn minute(text: &str) -> Option<i16> {
    let (hour, minute) = text.split_once(':')?;
    let is_plain = |text: &str| (1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    if !is_plain(hour) || minute.len() != 2 || !is_plain(minute) {
        return None;
    }
    let (hour, minute): (i16, i16) = (hour.parse().ok()?, minute.parse().ok()?);
    (hour < 24 && minute < 60 || (hour, minute) == (24, 0)).then_some(hour * 60 + minute)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_in(weekly: &Weekly, at: &str) -> bool {
        weekly.contains(at.parse::<Timestamp>().unwrap().as_microsecond())
    }

    #[test]
    fn windows_are_of_local_time_and_may_end_on_the_next_day() {
        let night = Weekly::parse("fri-sat 22:00-06:00, wed 9:30-24:00", "Europe/Berlin").unwrap();
        for (at, is) in [
            // 27 November 2026 is a Friday; Berlin is an hour ahead of UTC.
            ("2026-11-27T20:59:59Z", false),
            ("2026-11-27T21:00:00Z", true),
            ("2026-11-28T04:59:59Z", true),
            ("2026-11-28T05:00:00Z", false),
            ("2026-11-29T04:00:00Z", true),
            ("2026-11-29T22:00:00Z", false),
            ("2026-12-02T08:29:00Z", false),
            ("2026-12-02T22:59:59Z", true),
            ("2026-12-02T23:00:00Z", false),
            // In summer, two hours.
            ("2026-07-03T20:00:00Z", true),
            ("2026-07-03T19:59:59Z", false),
        ] {
            assert_eq!(is_in(&night, at), is, "{at}");
        }
        let around = Weekly::parse("sun-mon 00:00-24:00", "UTC").unwrap();
        let days = ["28T12", "29T00", "30T23"].map(|d| is_in(&around, &format!("2026-11-{d}:00:00Z")));
        assert_eq!(days, [false, true, true]);
    }

    #[test]
    fn what_is_no_window_is_refused() {
        for text in
            ["", "mon", "mon 8-9", "mon 08:00-08:00", "mon 24:00-08:00", "mon 08:60-09:00", "x 08:00-09:00"]
        {
            assert!(Weekly::parse(text, "UTC").unwrap_err().contains("write \"mon-fri"), "{text}");
        }
        assert!(
            Weekly::parse("mon 08:00-09:00", "Berlin/Europe").unwrap_err().contains("like Europe/Berlin")
        );
    }
}
