//! Reports: the statistics of a period that is over, for channels.
//!
//! A period is due a quarter of an hour after its last day, once all its days are computed, or six hours later whatever they
//! are. In one transaction `told_until` moves to its last day, and one row for each channel is added to the outbox of alerts:
//! so a period is told of once, and of periods that nobody was there for, only the last. What a message says is read when it
//! is sent.

use std::ops::Range;
use std::time::{Duration, SystemTime};

use alt_process::clock::micros;
use alt_process::fault;
use anyhow::Context;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Serialize;
use serde_json::json;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};

use crate::alerts::outbox;
use crate::apps::Application;
use crate::stats::freeze::Missing;
use crate::stats::overview::Overview;
use crate::stats::period::{Every, Period};
use crate::web::audit::Change;

/// The most reports that there are.
pub const REPORTS_MAX: usize = 1000;

/// The most reports of an application.
pub const OF_APP_MAX: usize = 20;

/// Held while a report is added ("alt rept").
const LOCK: i64 = 0x616c_7420_7265_7074;

/// How long after its last day a period is due.
const REST: Duration = Duration::from_secs(900);

/// How long later it is due although some of its days are not computed.
const PATIENCE: Duration = Duration::from_secs(6 * 3600);

/// The class of traffic that reports are of.
const CLASS: &str = "human";

/// A report as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// Key.
    pub id: i32,
    /// Its name.
    pub name: String,
    /// The application, its key in `applications`.
    #[serde(skip)]
    pub app_id: i32,
    /// The public key of the application.
    pub application: String,
    /// The name of the application.
    #[serde(skip)]
    pub app_name: String,
    /// The time zone of its days.
    pub time_zone: String,
    /// day, week, month.
    pub every: String,
    /// The language, as BCP 47 has it.
    pub language: String,
    /// The names of the channels.
    pub channels: Vec<String>,
    /// The last day that was told of.
    pub told_until: String,
    /// UTC, RFC 3339.
    pub created_at: String,
}

fn select() -> String {
    format!(
        "SELECT r.id, r.name, r.app_id, a.app_key, a.name, a.time_zone, r.every, r.language, r.channels, \
         r.told_until::text, {} FROM stat_reports r JOIN applications a ON a.id = r.app_id",
        crate::web::time("r.created_at")
    )
}

fn kept(row: &Row) -> Kept {
    Kept {
        id: row.get(0),
        name: row.get(1),
        app_id: row.get(2),
        application: row.get(3),
        app_name: row.get(4),
        time_zone: row.get(5),
        every: row.get(6),
        language: row.get(7),
        channels: row.get(8),
        told_until: row.get(9),
        created_at: row.get(10),
    }
}

impl Kept {
    /// How long its periods are.
    #[must_use]
    pub fn every(&self) -> Every {
        Every::named(&self.every).unwrap_or(Every::Day)
    }

    fn zone(&self) -> TimeZone {
        TimeZone::get(&self.time_zone).unwrap_or(TimeZone::UTC)
    }

    /// When a period begins, and when it is over.
    fn times(&self, period: &Period) -> anyhow::Result<Range<SystemTime>> {
        let midnight = |day: Date| anyhow::Ok(SystemTime::from(day.to_zoned(self.zone())?.timestamp()));
        Ok(midnight(period.from)?..midnight(period.until.tomorrow()?)?)
    }

    /// Whether the statistics of a period are those of its rows.
    async fn is_computed(&self, client: &Client, period: &Period) -> anyhow::Result<bool> {
        let Range { start, end } = self.times(period)?;
        Ok(!Missing::of(client, start, end, Some(self.app_id)).await?.has_statistics)
    }

    /// The last period that is over.
    ///
    /// # Errors
    /// The time is out of range.
    pub fn last(&self, at: Timestamp) -> anyhow::Result<Period> {
        self.every().last(at.to_zoned(self.zone()).date())
    }

    /// The period that begins on a day, which an outbox has as a number.
    ///
    /// # Errors
    /// The number is that of no day.
    pub fn period(&self, number: i32) -> anyhow::Result<Period> {
        let from = Date::constant(1970, 1, 1)
            .checked_add(jiff::Span::new().try_days(number)?)
            .context("read the day of a report")?;
        let behind = match self.every() {
            Every::Day => from.tomorrow(),
            Every::Week => from.checked_add(jiff::Span::new().days(7)),
            Every::Month => from.last_of_month().tomorrow(),
        };
        self.every().last(behind?)
    }
}

/// The number of the period that begins on a day.
fn number(from: Date) -> anyhow::Result<i32> {
    Ok(Date::constant(1970, 1, 1).until(from)?.get_days())
}

/// All reports, by their names.
///
/// # Errors
/// The database cannot be asked.
pub async fn list(client: &Client) -> anyhow::Result<Vec<Kept>> {
    let sql = format!("{} ORDER BY r.name", select());
    Ok(client.query_typed(&sql, &[]).await.context("read the reports")?.iter().map(kept).collect())
}

/// The reports of an application, by their names.
///
/// # Errors
/// The database cannot be asked.
pub async fn of(client: &Client, app_id: i32) -> anyhow::Result<Vec<Kept>> {
    let sql = format!("{} WHERE r.app_id = $1 ORDER BY r.name", select());
    let rows = client.query_typed(&sql, &[(&app_id, Type::INT4)]).await.context("read the reports")?;
    Ok(rows.iter().map(kept).collect())
}

/// The report with a key. `None`: it was removed.
///
/// # Errors
/// The database cannot be asked.
pub async fn by_id(client: &Client, id: i32) -> anyhow::Result<Option<Kept>> {
    let sql = format!("{} WHERE r.id = $1", select());
    let row = client.query_typed_opt(&sql, &[(&id, Type::INT4)]).await.context("read a report")?;
    Ok(row.as_ref().map(kept))
}

/// What a report says of a period.
#[derive(Debug, Clone)]
pub struct Content {
    /// The report.
    pub report: Kept,
    /// The period.
    pub period: Period,
    /// The statistics.
    pub shown: Overview,
    /// Whether all days are computed.
    pub is_computed: bool,
}

impl Content {
    /// Reads it, with at most `top` values of each dimension that is wanted. Of one state only within one transaction.
    ///
    /// # Errors
    /// The database cannot be asked.
    pub async fn of(
        client: &Client,
        report: Kept,
        period: Period,
        top: i64,
        is_wanted: impl Fn(&str) -> bool,
    ) -> anyhow::Result<Content> {
        let shown = Overview::of(client, report.app_id, CLASS, &period, top, is_wanted).await;
        let shown = shown.with_context(|| format!("read the numbers of the report {}", report.name))?;
        let is_computed = report.is_computed(client, &period).await?;
        Ok(Content { report, period, shown, is_computed })
    }
}

/// A report that is to be added.
#[derive(Debug, Clone)]
pub struct New<'a> {
    /// Its name.
    pub name: &'a str,
    /// Of what.
    pub app: &'a Application,
    /// How often.
    pub every: Every,
    /// In which language.
    pub language: &'a str,
    /// To whom.
    pub channels: Vec<String>,
    /// Whether the last period that is over is told of, too.
    pub is_of_last: bool,
}

/// Why a report is not added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// The application has a report of this name.
    Exists,
    /// The application has [`OF_APP_MAX`] reports, or there are [`REPORTS_MAX`].
    Full,
}

/// Adds a report, within a transaction.
///
/// # Errors
/// The database does not do it.
pub async fn add(client: &Client, new: &New<'_>) -> anyhow::Result<Result<(Kept, Change), Refused>> {
    client.execute_typed("SELECT pg_advisory_xact_lock($1)", &[(&LOCK, Type::INT8)]).await?;
    let known = list(client).await?;
    let of_app = || known.iter().filter(|known| known.app_id == new.app.id);
    if of_app().any(|known| known.name == new.name) {
        return Ok(Err(Refused::Exists));
    }
    if of_app().count() >= OF_APP_MAX || known.len() >= REPORTS_MAX {
        return Ok(Err(Refused::Full));
    }
    let zone = TimeZone::get(&new.app.time_zone).unwrap_or(TimeZone::UTC);
    let last = new.every.last(Timestamp::now().to_zoned(zone).date())?;
    let told = if new.is_of_last { last.before.until } else { last.until }.to_string();
    let parameters: [(&(dyn ToSql + Sync), Type); 6] = [
        (&new.app.id, Type::INT4),
        (&new.name, Type::TEXT),
        (&new.every.name(), Type::TEXT),
        (&new.language, Type::TEXT),
        (&new.channels, Type::TEXT_ARRAY),
        (&told, Type::TEXT),
    ];
    let sql = "INSERT INTO stat_reports (app_id, name, every, language, channels, told_until) \
               VALUES ($1, $2, $3, $4, $5, $6::text::date) RETURNING id";
    let id = client.query_typed_one(sql, &parameters).await.context("add the report")?.get(0);
    let kept = by_id(client, id).await?.context("read the report that was added")?;
    let change =
        Change { action: "report.add", object: object(&kept), before: None, after: Some(json!(kept)) };
    Ok(Ok((kept, change)))
}

fn object(kept: &Kept) -> String {
    format!("report {} ({}), application {}", kept.id, kept.name, kept.application)
}

/// Removes a report. What of it is enqueued is not sent. `None`: it is gone already.
///
/// # Errors
/// The database does not do it.
pub async fn remove(client: &Client, kept: &Kept) -> anyhow::Result<Option<Change>> {
    let sql = "DELETE FROM stat_reports WHERE id = $1";
    let removed = client.execute_typed(sql, &[(&kept.id, Type::INT4)]).await.context("remove the report")?;
    let change =
        || Change { action: "report.remove", object: object(kept), before: Some(json!(kept)), after: None };
    Ok((removed > 0).then(change))
}

/// A period that is due.
#[derive(Debug, Clone)]
pub struct Due {
    report: Kept,
    period: Period,
}

/// The reports of which a period is due.
///
/// # Errors
/// The database cannot be asked.
pub async fn due(client: &Client, now: SystemTime) -> anyhow::Result<Vec<Due>> {
    let at = Timestamp::from_microsecond(micros(now))?;
    let mut due = Vec::new();
    for report in list(client).await? {
        let period = report.last(at)?;
        if report.told_until.parse::<Date>()? >= period.until {
            continue;
        }
        let rest = now.duration_since(report.times(&period)?.end).unwrap_or_default();
        let is_late = rest >= fault::wait(PATIENCE);
        if rest >= fault::wait(REST) && (is_late || report.is_computed(client, &period).await?) {
            due.push(Due { report, period });
        }
    }
    Ok(due)
}

/// Enqueues what is due. Runs within a transaction.
///
/// # Errors
/// The database does not do it.
pub async fn enqueue(client: &Client, due: &[Due]) -> anyhow::Result<()> {
    for Due { report, period } in due {
        let until = period.until.to_string();
        let sql = "UPDATE stat_reports SET told_until = $2::text::date WHERE id = $1 AND told_until < $2::text::date";
        let moved = client
            .execute_typed(sql, &[(&report.id, Type::INT4), (&until, Type::TEXT)])
            .await
            .context("move on to the next period of a report")?;
        if moved > 0 {
            let episode = -i64::from(report.id);
            outbox::enqueue(client, episode, number(period.from)?, &report.channels, "due", None).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_a_period_is_that_of_its_first_day() {
        for (_, every) in Every::ALL {
            let kept = Kept {
                id: 1,
                name: String::new(),
                app_id: 1,
                application: String::new(),
                app_name: String::new(),
                time_zone: "Pacific/Apia".into(),
                every: every.name().into(),
                language: "en".into(),
                channels: Vec::new(),
                told_until: String::new(),
                created_at: String::new(),
            };
            for day in ["2026-03-01T09:59:00Z", "2026-02-28T23:00:00Z", "2011-12-31T12:00:00Z"] {
                let last = kept.last(day.parse().unwrap()).unwrap();
                assert_eq!(kept.period(number(last.from).unwrap()).unwrap(), last, "{every:?} {day}");
            }
        }
    }
}
