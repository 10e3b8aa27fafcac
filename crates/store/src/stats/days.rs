//! Local days of applications: which of them changes touch, and the marks that they get.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::SystemTime;

use alt_line::batch::MICROS_PER_HOUR;
use alt_line::enrich::day::{LocalDay, local_day};
use alt_process::clock::system_time;
use anyhow::Context;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};

use crate::ledger::AppHour;

/// The most days that one statement marks.
const MARKED_AT_ONCE: usize = 5000;

/// A local day of an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct AppDay {
    /// The application (its key in `applications`).
    pub app: i32,
    /// The day.
    pub day: Date,
}

impl AppDay {
    /// Reads an application and the text of a day, in this order.
    pub(super) fn read(row: &Row) -> anyhow::Result<AppDay> {
        Ok(AppDay { app: row.get(0), day: row.get::<_, &str>(1).parse()? })
    }
}

/// Marks the days in which these hours lie. An hour in which a day ends is of two.
pub(super) async fn mark(client: &Client, hours: &[AppHour]) -> anyhow::Result<()> {
    let apps: BTreeSet<i32> = hours.iter().map(|pair| pair.0).collect();
    let zones = zones(client, apps.into_iter().collect()).await?;
    let mut days: BTreeMap<AppDay, LocalDay> = BTreeMap::new();
    for &(app, hour) in hours {
        // An application that is gone has no days.
        let Some(zone) = zones.get(&app) else { continue };
        let from = i64::from(hour) * MICROS_PER_HOUR;
        for at in [from, from + MICROS_PER_HOUR - 1] {
            let day = local_day(zone, at);
            days.insert(AppDay { app, day: day.date }, day);
        }
    }
    let days: Vec<(AppDay, LocalDay)> = days.into_iter().collect();
    for some in days.chunks(MARKED_AT_ONCE) {
        mark_days(client, some).await?;
    }
    Ok(())
}

async fn mark_days(client: &Client, days: &[(AppDay, LocalDay)]) -> anyhow::Result<()> {
    let apps: Vec<i32> = days.iter().map(|(of, _)| of.app).collect();
    let dates: Vec<String> = days.iter().map(|(of, _)| of.day.to_string()).collect();
    let from: Vec<SystemTime> = days.iter().map(|(_, day)| system_time(day.from)).collect();
    let until: Vec<SystemTime> = days.iter().map(|(_, day)| system_time(day.until)).collect();
    let parameters: [(&(dyn ToSql + Sync), Type); 4] = [
        (&apps, Type::INT4_ARRAY),
        (&dates, Type::TEXT_ARRAY),
        (&from, Type::TIMESTAMPTZ_ARRAY),
        (&until, Type::TIMESTAMPTZ_ARRAY),
    ];
    let sql = include_str!("../../../../sql/mark_days.sql");
    client.execute_typed(sql, &parameters).await.context("mark the days that changed")?;
    Ok(())
}

/// The time zones of applications. As where visitors are counted, days of a zone that is not known are those of UTC.
async fn zones(client: &Client, apps: Vec<i32>) -> anyhow::Result<HashMap<i32, TimeZone>> {
    let sql = "SELECT id, time_zone FROM applications WHERE id = ANY ($1)";
    let rows = client.query_typed(sql, &[(&apps, Type::INT4_ARRAY)]).await;
    let zone = |name: &str| TimeZone::get(name).unwrap_or(TimeZone::UTC);
    Ok(rows.context("read the time zones")?.iter().map(|row| (row.get(0), zone(row.get(1)))).collect())
}
