//! Times: microseconds since 1970 in UTC, slots of five seconds, and spans as people write them.

/// Microseconds since 1970, or of a span.
pub type Micros = i64;

/// A second.
pub const SECOND: Micros = 1_000_000;

/// The length of a slot. Rules are judged at the ends of slots.
pub const SLOT: Micros = 5 * SECOND;

/// The beginning of the slot in which a time lies.
pub fn slot_of(at: Micros) -> Micros {
    at.div_euclid(SLOT) * SLOT
}

/// The beginning of the first slot that begins at this time or later.
pub fn slot_from(at: Micros) -> Micros {
    slot_of(at.saturating_add(SLOT - 1))
}

/// Reads a span: `30s`, `5m`, `2h`, `1d`. It consists of whole slots.
///
/// # Errors
/// What is wrong with it.
pub fn parse_span(text: &str) -> Result<Micros, String> {
    let wrong = || format!("{text:?} is no span of time: write 30s, 5m, 2h or 1d");
    let text = text.trim();
    let at = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let (number, unit) = text.split_at(at);
    let number: i64 = number.parse().map_err(|_| wrong())?;
    let unit = match unit.trim() {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err(wrong()),
    };
    let span = number.checked_mul(unit).and_then(|n| n.checked_mul(SECOND)).ok_or_else(wrong)?;
    if span % SLOT != 0 {
        return Err(format!("{text:?} is not a multiple of 5s: rules are judged every five seconds"));
    }
    Ok(span)
}

/// A span as people write it: `90s` is `90s`, `300s` is `5m`.
pub fn span(micros: Micros) -> String {
    let seconds = micros / SECOND;
    let units = [(86_400, "d"), (3600, "h"), (60, "m")];
    let unit = units.iter().find(|(size, _)| seconds != 0 && seconds % size == 0);
    unit.map_or_else(|| format!("{seconds}s"), |(size, name)| format!("{}{name}", seconds / size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_and_written() {
        for (text, seconds, written) in [
            ("30s", 30, "30s"),
            ("5m", 300, "5m"),
            ("90s", 90, "90s"),
            ("120 m", 7200, "2h"),
            ("1d", 86_400, "1d"),
        ] {
            assert_eq!(parse_span(text), Ok(seconds * SECOND), "{text}");
            assert_eq!(span(seconds * SECOND), written);
        }
        assert_eq!(parse_span("0s"), Ok(0));
        for text in
            ["", "5", "m", "5 minutes", "-5m", "1.5h", "99999999999999999999s", "9223372036854775807d"]
        {
            assert!(parse_span(text).unwrap_err().contains("write 30s"), "{text}");
        }
        assert!(parse_span("7s").unwrap_err().contains("multiple of 5s"));
    }

    #[test]
    fn slots_are_of_five_seconds_also_before_1970() {
        assert_eq!(slot_of(12_345_678), 10_000_000);
        assert_eq!(slot_of(-1), -5_000_000);
        assert_eq!(slot_from(10_000_000), 10_000_000);
        assert_eq!(slot_from(10_000_001), 15_000_000);
    }
}
