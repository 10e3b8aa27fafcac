//! Whether the time can be trusted for deletion by age. Every such deletion checks this first.
//!
//! A clock that steps forward makes everything old at once. Therefore the times at which the clock was found right are
//! recorded in the database, one row per host. A time is trusted only if
//!
//! - this machine's clock and the database's clock agree within a day; the earlier of the two counts;
//! - it is at most a day after the recorded time. Within the same boot, the time since the first record, by
//!   `CLOCK_BOOTTIME`, is added to that record, so that small steps do not add up. Nobody can tell how long a machine
//!   was off. After a boot, the newest record of any host counts, and after more than a day without any record, a
//!   person has to confirm the date;
//! - it is at most a day before the recorded time.
//!
//! A time that is not trusted is never recorded. Once the clock is right again, deletion continues by itself.

use std::fmt;

use alt_line::hit::Micros;
use alt_process::clock::{self, Uptime, micros, system_time};
use anyhow::{Context, bail};
use jiff::civil::Date;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};

/// How far the clocks may differ, and how far a time may be after or before the recorded time.
const SLACK: Micros = 86_400_000_000;

/// A trusted time, and when it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trusted {
    /// The time.
    pub at: Micros,
    uptime: Uptime,
}

impl Trusted {
    /// The current time: the trusted time plus the time that has passed since, whatever the clock was set to meanwhile.
    ///
    /// # Errors
    /// The kernel does not provide the uptime.
    pub fn now(&self) -> anyhow::Result<Micros> {
        Ok(self.at.saturating_add(clock::uptime()?.micros - self.uptime.micros))
    }
}

/// Why a time is not trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// This machine's clock and the database's clock differ by more than a day.
    Apart {
        /// This machine's time.
        here: Micros,
        /// The database's time.
        there: Micros,
    },
    /// The time is later than the records allow.
    Ahead {
        /// The time.
        now: Micros,
        /// The time according to the records.
        known: Micros,
    },
    /// The time is earlier than a recorded time.
    Behind {
        /// The time.
        now: Micros,
        /// The latest recorded time.
        known: Micros,
    },
    /// There is no record: somebody has deleted all of them.
    Unknown {
        /// The time.
        now: Micros,
    },
}

impl Doubt {
    /// What a person can do.
    pub fn mend(&self) -> String {
        match self {
            Doubt::Apart { .. } => {
                "set the clock right that is wrong (systemd-timesyncd, chrony): all goes on by itself then"
                    .to_owned()
            }
            Doubt::Ahead { now, .. } | Doubt::Behind { now, .. } | Doubt::Unknown { now } => format!(
                "if it is {0} today (UTC), run `alt retention confirm --today {0}`; if not, set the clock right \
                 (systemd-timesyncd, chrony): all goes on by itself then",
                day(*now)
            ),
        }
    }
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Doubt::Apart { here, there } => write!(
                f,
                "this machine's clock says {}, and the database's {}: nothing is deleted for its age",
                shown(*here),
                shown(*there)
            ),
            Doubt::Ahead { now, known } => write!(
                f,
                "the clock says {}, {} beyond what is known of the time ({}): nothing is deleted for its age",
                shown(*now),
                span(now - known),
                shown(*known)
            ),
            Doubt::Behind { now, known } => write!(
                f,
                "the clock says {}, {} before {}, when it was right: nothing is deleted for its age",
                shown(*now),
                span(known - now),
                shown(*known)
            ),
            Doubt::Unknown { now } => write!(
                f,
                "the clock says {}, and nothing is known of the time: nothing is deleted for its age",
                shown(*now)
            ),
        }
    }
}

/// A time in readable form, UTC.
pub fn shown(at: Micros) -> String {
    let at = jiff::Timestamp::from_microsecond(at).ok();
    at.map_or_else(|| "no time".to_owned(), |at| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

/// The day of a time, UTC.
pub fn day(at: Micros) -> Date {
    let at = jiff::Timestamp::from_microsecond(at).ok();
    at.map_or(Date::ZERO, |at| at.to_zoned(jiff::tz::TimeZone::UTC).date())
}

fn span(micros: Micros) -> String {
    let hours = micros / 3_600_000_000;
    if hours < 48 { format!("{hours} hours") } else { format!("{} days", hours / 24) }
}

/// The readings of both clocks at one moment.
#[derive(Debug, Clone)]
struct Reading {
    here: Micros,
    there: Micros,
    uptime: Uptime,
}

/// A record of when a host's clock was found right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Noted {
    /// The host; empty for the time at which the table was created.
    pub host: String,
    /// The boot of its machine, and the machine's uptime at `first`.
    pub uptime: Option<Uptime>,
    /// The first time since that boot at which the clock was found right.
    pub first: Micros,
    /// The last time at which the clock was found right.
    pub last: Micros,
    /// Since when the newest commit has been more than a day old.
    pub quiet_since: Option<Micros>,
}

impl Noted {
    fn of(row: &Row) -> Option<Noted> {
        let at = |name: &str| row.get::<_, Option<_>>(name).map(micros);
        let uptime = row.get::<_, Option<i64>>("uptime_us");
        Some(Noted {
            host: row.get::<_, Option<String>>("host")?,
            uptime: uptime.map(|micros| Uptime { boot_id: row.get("boot_id"), micros }),
            first: at("first_at")?,
            last: at("last_at")?,
            quiet_since: at("quiet_since"),
        })
    }

    /// The current time by this record, if it is of this machine's current boot.
    fn elapsed(&self, host: &str, now: &Uptime) -> Option<Micros> {
        let is_same = |then: &&Uptime| now.boot_id.is_some() && then.boot_id == now.boot_id;
        let then = self.uptime.as_ref().filter(|_| self.host == host).filter(is_same)?;
        let passed = now.micros.checked_sub(then.micros).filter(|passed| *passed >= 0)?;
        Some(self.first.saturating_add(passed))
    }
}

/// Whether a reading can be trusted, according to the records.
fn verdict(host: &str, reading: &Reading, noted: &[Noted]) -> Result<Trusted, Doubt> {
    let Reading { here, there, ref uptime } = *reading;
    if here.abs_diff(there) > SLACK.unsigned_abs() {
        return Err(Doubt::Apart { here, there });
    }
    let now = here.min(there);
    let by_note = |note: &Noted| note.elapsed(host, uptime).unwrap_or(note.last);
    let Some(known) = noted.iter().map(by_note).max() else { return Err(Doubt::Unknown { now }) };
    if now - known > SLACK {
        return Err(Doubt::Ahead { now, known });
    }
    let last = noted.iter().map(|note| note.last).max().unwrap_or(known);
    if last - now > SLACK {
        return Err(Doubt::Behind { now, known: last });
    }
    Ok(Trusted { at: now, uptime: uptime.clone() })
}

async fn read(client: &Client) -> anyhow::Result<(Reading, Vec<Noted>)> {
    let before = clock::now();
    let rows = client.query_typed(include_str!("../../../../sql/retention_clock.sql"), &[]).await;
    let rows = rows.context("read what is known of the time")?;
    let here = before.midpoint(clock::now());
    let there = rows.first().context("the database does not say what time it is")?.get("there");
    let reading = Reading { here, there: micros(there), uptime: clock::uptime()? };
    Ok((reading, rows.iter().filter_map(Noted::of).collect()))
}

/// Whether the current time can be trusted for deletion by age, for a host.
///
/// # Errors
/// The database cannot be asked.
pub async fn judge(client: &Client, host: &str) -> anyhow::Result<Result<Trusted, Doubt>> {
    let (reading, noted) = read(client).await?;
    Ok(verdict(host, &reading, &noted))
}

/// All records, by host.
///
/// # Errors
/// The database cannot be asked.
pub async fn noted(client: &Client) -> anyhow::Result<Vec<Noted>> {
    let (_, mut noted) = read(client).await?;
    noted.sort_by(|a, b| a.host.cmp(&b.host));
    Ok(noted)
}

/// Records that a time is trusted. Returns since when the newest commit has been more than a day old, if it is.
///
/// # Errors
/// The database does not accept it.
pub async fn keep(client: &Client, host: &str, time: &Trusted) -> anyhow::Result<Option<Micros>> {
    let at = system_time(time.at);
    let forget = include_str!("../../../../sql/forget_clocks.sql");
    client
        .execute_typed(forget, &[(&at, Type::TIMESTAMPTZ)])
        .await
        .context("forget the clocks of old hosts")?;
    let keep = include_str!("../../../../sql/keep_clock.sql");
    let row = client.query_typed_one(keep, &parameters(&host, time, &at)).await.context("note the time")?;
    Ok(row.get::<_, Option<_>>(0).map(micros))
}

fn parameters<'a>(
    host: &'a &str,
    time: &'a Trusted,
    at: &'a std::time::SystemTime,
) -> [(&'a (dyn ToSql + Sync), Type); 4] {
    [
        (host, Type::TEXT),
        (&time.uptime.boot_id, Type::TEXT),
        (&time.uptime.micros, Type::INT8),
        (at, Type::TIMESTAMPTZ),
    ]
}

/// Records the date that a person has confirmed, and replaces all earlier records.
///
/// # Errors
/// At least one of the clocks shows another date, or the database does not accept it.
pub async fn confirm(client: &Client, host: &str, today: Date) -> anyhow::Result<Micros> {
    let (reading, _) = read(client).await?;
    for (whose, time) in [("this machine's", reading.here), ("the database's", reading.there)] {
        if day(time) != today {
            bail!("{whose} clock says {} (UTC), and not {today}: set it right first", shown(time));
        }
    }
    let at = reading.here.min(reading.there);
    let time = Trusted { at, uptime: reading.uptime };
    let sql = include_str!("../../../../sql/confirm_clock.sql");
    let at = system_time(time.at);
    client.execute_typed(sql, &parameters(&host, &time, &at)).await.context("note the time")?;
    Ok(time.at)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Micros = SLACK / 24;

    fn uptime(boot_id: &str, hours: i64) -> Uptime {
        Uptime { boot_id: Some(boot_id.to_owned()).filter(|id| !id.is_empty()), micros: hours * HOUR }
    }

    /// A record of web-1, whose uptime was 100 hours then.
    fn note(host: &str, boot_id: &str, first: i64, last: i64) -> Noted {
        let uptime = Some(uptime(boot_id, 100));
        Noted { host: host.to_owned(), uptime, first: first * HOUR, last: last * HOUR, quiet_since: None }
    }

    /// The verdict for web-1 at the given hours by its clock, by the database's clock, and of uptime.
    fn check(here: i64, there: i64, boot_id: &str, up: i64, noted: &[Noted]) -> &'static str {
        let reading = Reading { here: here * HOUR, there: there * HOUR, uptime: uptime(boot_id, up) };
        match verdict("web-1", &reading, noted) {
            Ok(time) => {
                assert_eq!(time.at, here.min(there) * HOUR);
                "right"
            }
            Err(Doubt::Apart { .. }) => "apart",
            Err(Doubt::Ahead { .. }) => "ahead",
            Err(Doubt::Behind { .. }) => "behind",
            Err(Doubt::Unknown { .. }) => "unknown",
        }
    }

    #[test]
    fn a_time_is_right_by_what_was_noted_and_has_passed_since() {
        let own = [note("web-1", "a", 1000, 1050)];
        for (here, there, boot_id, up, expected) in [
            // The same boot.
            (1000, 1000, "a", 100, "behind"),
            (1050, 1050, "a", 150, "right"),
            (1174, 1174, "a", 250, "right"),
            (1175, 1175, "a", 250, "ahead"),
            (1026, 1026, "a", 150, "right"),
            (1025, 1025, "a", 150, "behind"),
            // After months in which no upkeep ran.
            (9000, 9000, "a", 8100, "right"),
            (9025, 9025, "a", 8100, "ahead"),
            // Another boot: nobody knows how long the machine was off.
            (1074, 1074, "b", 1, "right"),
            (1075, 1075, "b", 1, "ahead"),
            (1025, 1025, "b", 1, "behind"),
            // A container's uptime starts again, but the kernel's boot id stays.
            (1074, 1074, "a", 1, "right"),
            (1075, 1075, "a", 1, "ahead"),
            // The boot id is unknown.
            (1074, 1074, "", 150, "right"),
            (1075, 1075, "", 250, "ahead"),
            // One of the clocks is wrong.
            (1100, 1124, "a", 200, "right"),
            (1100, 1125, "a", 200, "apart"),
            (18_600, 1100, "a", 200, "apart"),
        ] {
            assert_eq!(check(here, there, boot_id, up, &own), expected, "{here} {there} {boot_id} {up}");
        }
        // Small steps do not add up: the last record was ahead already.
        assert_eq!(check(1075, 1075, "a", 150, &[note("web-1", "a", 1000, 1070)]), "ahead");
        assert_eq!(check(1000, 1000, "a", 100, &[]), "unknown");
    }

    #[test]
    fn other_hosts_know_the_time_of_one_that_was_off() {
        let other = note("web-2", "x", 1000, 9000);
        let own = note("web-1", "a", 1000, 1050);
        let both = [own.clone(), other.clone()];
        for (now, boot_id, up, noted, expected) in [
            (9001, "b", 1, &both[..], "right"),
            (9001, "b", 1, &both[..1], "ahead"),
            (9025, "b", 1, &both[..], "ahead"),
            (8900, "b", 1, &both[..], "behind"),
            // A suspended virtual machine, whose own uptime did not advance.
            (9001, "a", 160, &both[..], "right"),
            // Another host's uptime says nothing about ours, even if its boot id is the same.
            (9100, "x", 8_300, &[other][..], "ahead"),
            // The time of the migration counts like a record of any other host.
            (1070, "b", 1, &[Noted { host: String::new(), uptime: None, ..own }][..], "right"),
        ] {
            assert_eq!(check(now, now, boot_id, up, noted), expected, "{now} {boot_id} {up}");
        }
    }
}
