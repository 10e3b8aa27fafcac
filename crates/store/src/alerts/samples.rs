//! Numbers that are of no event: what somebody sent of an application, and what daemons took of themselves and their hosts.
//!
//! A sample is of its own time, and is judged there, however late it comes: what somebody sends marks its time in the same
//! transaction. What daemons take is complete up to when each of them was last seen to live, because a daemon stores its
//! samples before it says so ([`super::watermark`]).

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::pin::pin;
use std::time::SystemTime;

use alt_alerts::bucket::{Event, Series};
use alt_alerts::lens::{Fold, Labels, Lens, Of};
use alt_alerts::time::{Micros, SECOND};
use alt_process::clock::{micros, system_time};
use alt_statistics::decimal::{Decimal, millionths};
use anyhow::Context;
use futures_util::TryStreamExt;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};

use super::INSTALLATION;
use super::follow::{self, AppTime};
use crate::stats::rows::literal;

/// A number of a sample.
pub type Number = Decimal;

/// Numbers by their names.
pub type Numbers = BTreeMap<String, Number>;

/// What is sent may be as old as this.
pub const AGE_MAX: Micros = 90 * 86_400 * SECOND;

/// Samples that are older are deleted: those of applications, and those of the installation, which are many.
const KEPT: [Micros; 2] = [400 * 86_400 * SECOND, 35 * 86_400 * SECOND];

/// How many samples of an application one statement deletes.
const DELETED_AT_ONCE: i64 = 5000;

/// A number as it is stored. `None`: it is none, or has more than 12 digits before the point.
#[expect(clippy::cast_possible_truncation, reason = "it is within the bounds of an i64")]
pub fn number(number: f64) -> Option<Number> {
    let millionths = (number * 1e6).round();
    (millionths.abs() < 1e18).then(|| Decimal::of_millionths(millionths as i64))
}

/// What somebody sends of an application.
#[derive(Debug, Clone, PartialEq)]
pub struct Sent<'a> {
    /// When it was so.
    pub at: Micros,
    /// What it is of.
    pub host: &'a str,
    /// Who sends it.
    pub by: &'a str,
    /// What the sender calls it.
    pub id: Option<&'a str>,
    /// The numbers.
    pub numbers: &'a Numbers,
}

/// Stores what somebody sent of an application, and marks its time. What is sent again is not stored again. Runs within a
/// transaction. Returns whether it was stored.
///
/// # Errors
/// The database does not do it.
pub async fn add(client: &Client, app_id: i32, sent: &Sent<'_>) -> anyhow::Result<bool> {
    let (at, numbers) = (system_time(sent.at), text(sent.numbers));
    let parameters: [(&(dyn ToSql + Sync), Type); 6] = [
        (&app_id, Type::INT4),
        (&at, Type::TIMESTAMPTZ),
        (&sent.host, Type::TEXT),
        (&sent.by, Type::TEXT),
        (&sent.id, Type::TEXT),
        (&numbers, Type::TEXT),
    ];
    let sql = "INSERT INTO alert_samples (app_id, at, host, sent_by, sent_id, numbers) \
               VALUES ($1, $2, $3, $4, $5, $6::text::jsonb) \
               ON CONFLICT (app_id, sent_id) WHERE sent_id IS NOT NULL DO NOTHING";
    let is_new = client.execute_typed(sql, &parameters).await.context("store samples")? > 0;
    if is_new {
        follow::mark(client, &[AppTime { app_id, from: sent.at, until: sent.at + 1 }]).await?;
    }
    Ok(is_new)
}

/// Stores what a daemon took of itself and its host, and returns the time of it.
///
/// # Errors
/// The database does not do it.
pub async fn take(client: &Client, host: &str, numbers: &Numbers) -> anyhow::Result<Micros> {
    let numbers = text(numbers);
    let parameters: [(&(dyn ToSql + Sync), Type); 3] =
        [(&INSTALLATION, Type::INT4), (&host, Type::TEXT), (&numbers, Type::TEXT)];
    let sql = "INSERT INTO alert_samples (app_id, at, host, numbers) \
               VALUES ($1, clock_timestamp(), $2, $3::text::jsonb) RETURNING at";
    let row = client.query_typed_one(sql, &parameters).await.context("store samples of this host")?;
    Ok(micros(row.get::<_, SystemTime>(0)))
}

/// Marks the time of what a daemon took, which may have been judged before it was stored.
///
/// # Errors
/// The database does not do it.
pub async fn mark_late(client: &Client, at: Micros) -> anyhow::Result<()> {
    follow::mark(client, &[AppTime { app_id: INSTALLATION, from: at, until: at + 1 }]).await
}

fn text(numbers: &Numbers) -> String {
    let one = |(name, number): (&String, &Decimal)| format!("{}: {number}", serde_json::json!(name));
    format!("{{{}}}", numbers.iter().map(one).collect::<Vec<_>>().join(", "))
}

/// The names of the numbers that lenses look at.
pub(super) fn names(lenses: &BTreeSet<Lens>) -> Vec<&str> {
    let names: BTreeSet<&str> = lenses
        .iter()
        .filter_map(|lens| match lens.of() {
            Of::Events => None,
            Of::Property(name) | Of::Sample(name) => Some(name.as_str()),
        })
        .collect();
    names.into_iter().collect()
}

/// Columns with the texts of names in an object, the first of which is the parameter `$1`.
pub(super) fn columns(object: &str, names: &[&str]) -> String {
    (1..=names.len()).map(|n| format!(", {object} ->> ${n}")).collect()
}

/// The numbers in columns of a row, of which the first is `first`.
///
/// # Errors
/// The row has no such columns.
pub(super) fn said<'n>(
    row: &Row,
    first: usize,
    names: &[&'n str],
) -> Result<Vec<(&'n str, i64)>, tokio_postgres::Error> {
    let mut all = Vec::new();
    for (n, name) in (first..).zip(names) {
        let number = row.try_get::<_, Option<&str>>(n)?.and_then(millionths);
        all.extend(number.map(|number| (*name, number)));
    }
    Ok(all)
}

/// Counts the samples of an application between two times, by lenses.
pub(super) async fn counted(
    client: &Client,
    app_id: i32,
    times: &Range<Micros>,
    lenses: &BTreeSet<Lens>,
) -> anyhow::Result<Vec<(Lens, BTreeMap<Labels, Series>)>> {
    let names = names(lenses);
    let sql = format!(
        "SELECT at, host{} FROM alert_samples WHERE app_id = {app_id} AND at >= {} AND at < {} ORDER BY at, id",
        columns("numbers", &names),
        literal(times.start),
        literal(times.end)
    );
    let parameters = names.iter().map(|name| (*name, Type::TEXT));
    let mut fold = Fold::new(lenses.iter().cloned());
    let mut rows = pin!(client.query_typed_raw(&sql, parameters).await.context("read samples")?);
    while let Some(row) = rows.try_next().await.context("read samples")? {
        let numbers = said(&row, 2, &names).context("read a sample")?;
        let at = micros(row.get::<_, SystemTime>(0));
        fold.count(&Event { at, host: row.get(1), numbers: &numbers, ..Event::default() });
    }
    Ok(fold.finish())
}

/// Deletes samples that are too old. Runs within a transaction.
///
/// # Errors
/// The database does not do it.
pub(super) async fn forget_old(client: &Client, now: Micros) -> anyhow::Result<()> {
    let [of_apps, of_hosts] = KEPT.map(|kept| system_time(now - kept));
    let parameters: [(&(dyn ToSql + Sync), Type); 3] =
        [(&of_apps, Type::TIMESTAMPTZ), (&of_hosts, Type::TIMESTAMPTZ), (&DELETED_AT_ONCE, Type::INT8)];
    let sql = include_str!("../../../../sql/forget_samples.sql");
    client.execute_typed(sql, &parameters).await.context("delete old samples")?;
    Ok(())
}
