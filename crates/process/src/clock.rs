//! The clock, and conversions to and from the standard library's times.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use alt_line::hit::Micros;
use anyhow::Context;
use nix::time::{ClockId, clock_gettime};

/// A moment by the clock that nobody can set. It starts with the machine, and continues while the machine sleeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uptime {
    /// Identifies the boot that it counts from, 32 hexadecimal digits; `None`: the id cannot be read here.
    pub boot_id: Option<String>,
    /// Microseconds since that boot, by `CLOCK_BOOTTIME`.
    pub micros: Micros,
}

/// How long this machine has been up.
///
/// # Errors
/// The kernel does not provide it.
pub fn uptime() -> anyhow::Result<Uptime> {
    let since = Duration::from(clock_gettime(ClockId::CLOCK_BOOTTIME).context("read CLOCK_BOOTTIME")?);
    Ok(Uptime { boot_id: boot_id(), micros: i64::try_from(since.as_micros()).unwrap_or(i64::MAX) })
}

/// The kernel's id of this boot. With `ProcSubset=pid` the file is not readable, so the unit passes the id (`%b`).
fn boot_id() -> Option<String> {
    let told = std::env::var("ALT_BOOT_ID").ok().and_then(|text| digits(&text));
    told.or_else(|| digits(&std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?))
}

/// The digits of an id that is written with or without dashes.
fn digits(text: &str) -> Option<String> {
    let digits: String = text.trim().chars().filter(|c| *c != '-').collect();
    (digits.len() == 32 && digits.chars().all(|c| c.is_ascii_hexdigit())).then_some(digits)
}

/// Now, microseconds since 1970.
pub fn now() -> Micros {
    micros(SystemTime::now())
}

/// Converts a system time to microseconds since 1970.
pub fn micros(at: SystemTime) -> Micros {
    let whole = |d: Duration| i64::try_from(d.as_micros()).unwrap_or(i64::MAX);
    at.duration_since(UNIX_EPOCH).map_or_else(|e| -whole(e.duration()), whole)
}

/// Converts microseconds since 1970 to a system time. `tokio-postgres` maps it to `timestamptz`.
pub fn system_time(at: Micros) -> SystemTime {
    let part = Duration::from_micros(at.unsigned_abs());
    if at >= 0 { UNIX_EPOCH + part } else { UNIX_EPOCH - part }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_the_same_with_dashes_and_without() {
        let plain = "0f3c5d6e7a8b4c9d8e0f112233445566";
        assert_eq!(digits(plain).as_deref(), Some(plain));
        assert_eq!(digits("0f3c5d6e-7a8b-4c9d-8e0f-112233445566\n").as_deref(), Some(plain));
        for other in ["", "%b", "0f3c5d6e", "0f3c5d6e7a8b4c9d8e0f11223344556g"] {
            assert_eq!(digits(other), None, "{other}");
        }
        assert!(uptime().unwrap().boot_id.is_some() && uptime().unwrap().micros > 0);
    }
}
