//! The clock, and times as the standard library has them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use alt_line::hit::Micros;

/// Now, microseconds since 1970.
pub fn now() -> Micros {
    micros(SystemTime::now())
}

/// Microseconds since 1970 of a system time.
pub fn micros(at: SystemTime) -> Micros {
    let whole = |d: Duration| i64::try_from(d.as_micros()).unwrap_or(i64::MAX);
    at.duration_since(UNIX_EPOCH).map_or_else(|e| -whole(e.duration()), whole)
}

/// The system time of microseconds since 1970. `tokio-postgres` maps it to `timestamptz`.
pub fn system_time(at: Micros) -> SystemTime {
    let part = Duration::from_micros(at.unsigned_abs());
    if at >= 0 { UNIX_EPOCH + part } else { UNIX_EPOCH - part }
}
