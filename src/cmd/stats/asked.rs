//! What questions to the segments of an application begin with: its days, its goals, the filters; and how answers are shown.

use alt_config::Config;
use alt_statistics::query::{Dimension, Filter, Goal, Part, Query};
use alt_store::apps::Application;
use alt_store::stats::period::Period;
use alt_store::stats::segments::{self, Behind, Stored};
use alt_store::web::goals;
use alt_store::web::saved::{self, Seen};
use alt_store::{Client, migrate};
use anyhow::{anyhow, bail};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::cli;
use crate::cmd::show;

/// An application's segments of a period, and what is asked of them.
pub(super) struct Asked {
    pub(super) app: Application,
    pub(super) zone: TimeZone,
    /// When the segments were read.
    pub(super) now: Timestamp,
    pub(super) period: Period,
    pub(super) goals: Vec<Goal>,
    /// All filters; `None`: there is none.
    pub(super) filter: Option<Filter>,
    pub(super) stored: Vec<Stored>,
    /// What is not in the segments.
    pub(super) behind: Behind,
    class: String,
}

impl Asked {
    /// Reads what the arguments name, in one transaction.
    ///
    /// # Errors
    /// A filter is not correct, there is no such application or goal, or the database cannot be asked.
    pub(super) async fn read(
        config: &Config,
        of: &cli::StatsOf,
        filters: &[String],
    ) -> anyhow::Result<Asked> {
        let days = |today| Period::of(&of.period, today);
        Asked::of(config, of.app.as_deref(), &of.class, filters, days).await
    }

    /// The same of days that depend on today, by the application's time zone.
    ///
    /// # Errors
    /// As [`Asked::read`].
    pub(super) async fn of(
        config: &Config,
        app: Option<&str>,
        class: &str,
        filters: &[String],
        days: impl FnOnce(Date) -> anyhow::Result<Period>,
    ) -> anyhow::Result<Asked> {
        let mut reader = crate::cmd::reader(config).await?;
        reader.read(migrate::check_compatible).await?;
        let app = crate::cmd::application(&mut reader, app).await?;
        let zone = TimeZone::get(&app.time_zone).unwrap_or(TimeZone::UTC);
        let now = Timestamp::now();
        let period = days(now.to_zoned(zone.clone()).date())?;
        let (goals, filter, stored, behind) = reader
            .read(async |client| {
                let goals = goals::of(client, app.id).await?;
                let filter = all(client, &app, filters).await?;
                known(filter.as_ref(), &goals)?;
                let stored = segments::load(client, app.id, period.from, period.until).await?;
                let behind = segments::behind(client, app.id, period.from, period.until).await?;
                Ok((goals, filter, stored, behind))
            })
            .await?;
        Ok(Asked { app, zone, now, period, goals, filter, stored, behind, class: class.to_owned() })
    }

    /// The question by a dimension.
    pub(super) fn question(&self, dimension: Dimension) -> Query {
        Query {
            dimension,
            filter: self.filter.clone(),
            classes: vec![self.class.clone()],
            domains: self.app.domains.clone(),
            goals: self.goals.clone(),
            ..Query::default()
        }
    }

    /// The segments.
    pub(super) fn parts(&self) -> Vec<Part<'_>> {
        parts(&self.stored)
    }

    /// What every answer in JSON begins with.
    pub(super) fn head(&self) -> Value {
        json!({
            "application": self.app.name,
            "key": self.app.key,
            "time_zone": self.app.time_zone,
            "class": self.class,
            "from": self.period.from.to_string(),
            "until": self.period.until.to_string(),
        })
    }
}

/// Filters as people write them, of which all have to be true, also by the names of the application's segments. `None`: there
/// is none.
pub(super) async fn all(
    client: &Client,
    app: &Application,
    filters: &[String],
) -> anyhow::Result<Option<Filter>> {
    let texts: Vec<&str> = filters.iter().map(String::as_str).collect();
    saved::filter(client, app.id, Seen::All, &texts).await?.map_err(|why| anyhow!(why))
}

/// Refuses a filter with a goal that the application does not have.
pub(super) fn known(filter: Option<&Filter>, goals: &[Goal]) -> anyhow::Result<()> {
    match filter.and_then(|filter| filter.unknown_goal(goals)) {
        Some(name) => bail!("there is no goal {name:?}: `alt goal list` shows the names"),
        None => Ok(()),
    }
}

pub(super) fn parts(stored: &[Stored]) -> Vec<Part<'_>> {
    stored.iter().map(|stored| Part { day: &stored.day, segment: &stored.segment }).collect()
}

pub(super) fn number(n: u64) -> String {
    show::number(i64::try_from(n).unwrap_or(i64::MAX))
}

/// `None`: there is nothing to be a part of.
#[allow(clippy::cast_precision_loss)] // shown
pub(super) fn share(part: u64, of: u64) -> Option<f64> {
    (of > 0).then(|| part as f64 / of as f64)
}

/// A share as `12.3 %`; empty where there is nothing to be a part of.
pub(super) fn percent(part: u64, of: u64) -> String {
    share(part, of).map(|share| format!("{:.1} %", share * 100.0)).unwrap_or_default()
}
