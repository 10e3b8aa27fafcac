//! Times as people write them on the command line.

use alt_config::parse_time;
use alt_line::hit::Micros;
use alt_process::clock;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// Parses a time: `2026-01-31`, `2026-01-31T12:00:00`, with a zone (`Z`, `+01:00`), or without one in UTC; or a
/// duration before `now`: `90m`, `7d`, `7d ago`.
pub(super) fn when(text: &str, now: Micros) -> Result<Micros, String> {
    when_in(text, now, &TimeZone::UTC)
}

/// As [`when`], but a time without a zone is one in `zone`.
fn when_in(text: &str, now: Micros, zone: &TimeZone) -> Result<Micros, String> {
    let text = text.trim();
    if let Some(ago) = parse_time(text.strip_suffix(" ago").unwrap_or(text)) {
        let ago = Micros::try_from(ago.as_micros()).unwrap_or(Micros::MAX);
        return Ok(now.saturating_sub(ago));
    }
    let here = |time: DateTime| time.to_zoned(zone.clone()).map(|time| time.timestamp());
    text.parse::<Timestamp>()
        .or_else(|_| text.parse::<DateTime>().and_then(here))
        .map(Timestamp::as_microsecond)
        .map_err(|_| {
            format!("{text} is no time: write 2026-01-31, 2026-01-31T12:00:00Z, or 7d for seven days ago")
        })
}

/// The time that an option gives, if the option is present. The error names the option.
pub(super) fn option(name: &str, text: Option<&str>) -> anyhow::Result<Option<Micros>> {
    option_in(name, text, &TimeZone::UTC)
}

/// As [`option`], but a time without a zone is one in `zone`.
pub(super) fn option_in(name: &str, text: Option<&str>, zone: &TimeZone) -> anyhow::Result<Option<Micros>> {
    let time = text.map(|text| when_in(text, clock::now(), zone)).transpose();
    time.map_err(|e| anyhow::anyhow!("{name}: {e}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_day_an_instant_or_so_long_ago() {
        let now = 1_800_000_000_000_000;
        for (text, seconds) in [
            ("2026-01-31", 1_769_817_600),
            ("2026-01-31T12:00:00", 1_769_860_800),
            ("2026-01-31 12:00", 1_769_860_800),
            ("2026-01-31T12:00:00Z", 1_769_860_800),
            ("2026-01-31T12:00:00+01:00", 1_769_857_200),
            ("1h", 1_799_996_400),
            ("1h ago", 1_799_996_400),
            (" 7d ", 1_799_395_200),
        ] {
            assert_eq!(when(text, now), Ok(seconds * 1_000_000), "{text}");
        }
        for text in ["", "soon", "2026-02-30", "31.01.2026", "7", "-1h", "12:00", "2026-01-31T25:00:00Z"] {
            assert!(when(text, now).is_err(), "{text}");
        }
    }
}
