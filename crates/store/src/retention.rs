//! What is deleted for its age, and what prevents this: the clock ([`clock`]), months that a person has to confirm, or
//! a database into which nothing is loaded.
//!
//! Each deletion is logged, and recorded as a row of `retention_drops`.

pub mod clock;

use std::collections::BTreeSet;
use std::fmt;

use alt_config::Keep;
use alt_line::hit::Micros;
use anyhow::Context;
use jiff::civil::Date;
use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};

use self::clock::{Doubt, shown};
use super::partitions::{self, Month};

/// The maximum number of months that are dropped without confirmation.
const MONTHS_MAX: usize = 2;

/// How long dropping rows waits for a commit if the newest commit is older than a day.
const QUIET: Micros = 86_400_000_000;

/// The number of rows of `retention_drops` that are kept.
const DROPS_MAX: i64 = 100_000;

/// What prevents deletion of something that is old enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Waits {
    /// The time is not trusted: nothing is deleted.
    Clock(Doubt),
    /// Too many months of rows would be dropped at once.
    Months(BTreeSet<Month>),
    /// Nothing was committed for more than a day: rows are kept until this time.
    Quiet(Micros),
}

impl Waits {
    /// The label value in the metric; `None`: the wait ends by itself.
    pub fn word(&self) -> Option<&'static str> {
        match self {
            Waits::Clock(_) => Some("clock"),
            Waits::Months(_) => Some("months"),
            Waits::Quiet(_) => None,
        }
    }

    /// Whether it is the same kind of wait. The times in a clock doubt may differ.
    pub fn is_like(&self, other: &Waits) -> bool {
        match (self, other) {
            (Waits::Clock(a), Waits::Clock(b)) => std::mem::discriminant(a) == std::mem::discriminant(b),
            (a, b) => a == b,
        }
    }

    /// What a person can do.
    pub fn mend(&self) -> String {
        match self {
            Waits::Clock(doubt) => doubt.mend(),
            Waits::Months(due) => {
                let kept = due.last().map_or(0, |last| last + 1);
                format!(
                    "to let them go, run `alt retention confirm --drop-before {}`; to keep them, set `rows` in \
                     [retention] to a longer time",
                    partitions::label(kept)
                )
            }
            Waits::Quiet(_) => "nothing has to be done".to_owned(),
        }
    }
}

impl fmt::Display for Waits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Waits::Clock(doubt) => doubt.fmt(f),
            Waits::Months(due) => {
                let label = |month: Option<&Month>| partitions::label(month.copied().unwrap_or_default());
                write!(
                    f,
                    "{} months of rows are older than [retention] rows, {} to {}: more than {MONTHS_MAX} at once are \
                     not dropped without a word",
                    due.len(),
                    label(due.first()),
                    label(due.last())
                )
            }
            Waits::Quiet(until) => write!(
                f,
                "nothing was committed for more than a day: rows that are old enough are dropped from {} on",
                shown(*until)
            ),
        }
    }
}

/// Which months to drop now, and what prevents dropping others.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The months to drop.
    pub months: BTreeSet<Month>,
    /// Why some months that are old enough are not dropped.
    pub waits: Option<Waits>,
}

/// Which of the existing months to drop. `now` is trusted; `said`: a person has confirmed that months before this one
/// may be dropped; `quiet_since`: since when the newest commit has been more than a day old.
fn plan(
    there: &BTreeSet<Month>,
    keep: &Keep,
    now: Micros,
    said: Option<Month>,
    quiet_since: Option<Micros>,
) -> Plan {
    let first_kept = partitions::month(keep.before(now));
    let due = || there.iter().copied().filter(|month| *month < first_kept);
    let quiet = quiet_since.map(|since| since.saturating_add(QUIET)).filter(|until| now < *until);
    if let Some(until) = quiet.filter(|_| due().next().is_some()) {
        return Plan { months: BTreeSet::new(), waits: Some(Waits::Quiet(until)) };
    }
    let (mut months, unsaid): (BTreeSet<Month>, BTreeSet<Month>) =
        due().partition(|month| said.is_some_and(|said| *month < said));
    if unsaid.len() > MONTHS_MAX {
        return Plan { months, waits: Some(Waits::Months(unsaid)) };
    }
    months.extend(unsaid);
    Plan { months, waits: None }
}

/// Which partitions to drop at a trusted time, and what prevents dropping others.
///
/// # Errors
/// The database cannot be asked.
pub async fn planned(
    client: &Client,
    keep: &Keep,
    now: Micros,
    quiet_since: Option<Micros>,
) -> anyhow::Result<Plan> {
    let there = partitions::attached(client).await?;
    let sql = "SELECT (extract(year FROM drop_before) * 12 + extract(month FROM drop_before) - 1)::integer \
               FROM retention_words WHERE drop_before IS NOT NULL ORDER BY id DESC LIMIT 1";
    let said = client.query_typed_opt(sql, &[]).await.context("read what was said of old months")?;
    Ok(plan(&there, keep, now, said.map(|row| row.get(0)), quiet_since))
}

/// Deletes the oldest rows of `retention_drops`.
///
/// # Errors
/// The database does not do it.
pub async fn trim_drops(client: &Client) -> anyhow::Result<()> {
    let sql = "DELETE FROM retention_drops WHERE id <= (SELECT max(id) FROM retention_drops) - $1";
    client
        .execute_typed(sql, &[(&DROPS_MAX, Type::INT8)])
        .await
        .context("forget what was deleted long ago")?;
    Ok(())
}

/// Records a person's statement on a host: today's date, and the month before which months may be dropped.
///
/// # Errors
/// The database does not accept it.
pub async fn note_word(
    client: &Client,
    host: &str,
    today: Option<Date>,
    drop_before: Option<Date>,
) -> anyhow::Result<()> {
    let (today, drop_before) = (today.map(|day| day.to_string()), drop_before.map(|day| day.to_string()));
    let sql =
        "INSERT INTO retention_words (host, today, drop_before) VALUES ($1, $2::text::date, $3::text::date)";
    let parameters: [(&(dyn ToSql + Sync), Type); 3] =
        [(&host, Type::TEXT), (&today, Type::TEXT), (&drop_before, Type::TEXT)];
    client.execute_typed(sql, &parameters).await.context("note what was said")?;
    Ok(())
}

/// What now prevents deletion of something that is old enough, for a host. `rows` is how long rows are kept.
///
/// # Errors
/// The database cannot be asked.
pub async fn waits(client: &Client, host: &str, rows: Option<&Keep>) -> anyhow::Result<Option<Waits>> {
    let time = match clock::judge(client, host).await? {
        Ok(time) => time,
        Err(doubt) => return Ok(Some(Waits::Clock(doubt))),
    };
    let Some(keep) = rows else { return Ok(None) };
    let noted = clock::noted(client).await?;
    let quiet_since = noted.iter().find(|noted| noted.host == host).and_then(|noted| noted.quiet_since);
    Ok(planned(client, keep, time.at, quiet_since).await?.waits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_months_go_by_themselves_and_more_want_a_word() {
        let month = |text: &str| partitions::month(at(&format!("{text}-15T00:00:00Z")));
        let now = at("2026-11-28T10:00:00Z");
        let keep = Keep::Months(13);
        let there = |first: &str| (month(first)..=month("2027-01")).collect::<BTreeSet<Month>>();
        let check = |first: &str, said: Option<&str>, quiet_since: Option<&str>| {
            let plan = plan(&there(first), &keep, now, said.map(month), quiet_since.map(at));
            let months: Vec<_> = plan.months.iter().map(|month| partitions::label(*month)).collect();
            let waits = plan.waits.map_or(String::new(), |waits| waits.to_string());
            (months.join(" "), waits.split(',').next().unwrap_or_default().to_owned())
        };
        let is = |months: &str, waits: &str| (months.to_owned(), waits.to_owned());
        let many = |count: usize| format!("{count} months of rows are older than [retention] rows");
        assert_eq!(check("2025-10", None, None), is("", ""));
        assert_eq!(check("2025-09", None, None), is("2025-09", ""));
        assert_eq!(check("2025-08", None, None), is("2025-08 2025-09", ""));
        assert_eq!(check("2025-07", None, None), is("", &many(3)));
        assert_eq!(check("2025-07", Some("2025-07"), None), is("", &many(3)));
        assert_eq!(check("2025-07", Some("2025-08"), None), is("2025-07 2025-08 2025-09", ""));
        assert_eq!(check("2025-05", Some("2025-07"), None), is("2025-05 2025-06", &many(3)));
        // A confirmation does not shorten the retention.
        assert_eq!(check("2025-08", Some("2026-11"), None), is("2025-08 2025-09", ""));
        // Without commits, the months wait for a day.
        let quiet = "nothing was committed for more than a day: rows that are old enough are dropped from 2026-11-28T10:00:01Z on";
        assert_eq!(check("2025-09", None, Some("2026-11-27T10:00:01Z")), is("", quiet));
        assert_eq!(check("2025-09", None, Some("2026-11-27T10:00:00Z")), is("2025-09", ""));
        assert_eq!(check("2025-10", None, Some("2026-11-27T10:00:01Z")), is("", ""));
    }

    fn at(text: &str) -> Micros {
        text.parse::<jiff::Timestamp>().unwrap().as_microsecond()
    }
}
