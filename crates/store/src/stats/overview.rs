//! What is shown of an application at once: its days, the period before, and the values of each dimension with the most
//! visitors.

use alt_statistics::day::Counts;
use tokio_postgres::Client;

use super::ask::{self, Asked, Counted, State};
use super::period::Period;

/// The statistics of a period.
#[derive(Debug, Clone)]
pub struct Overview {
    /// Each day that has any.
    pub days: Vec<Counted>,
    /// All days.
    pub now: Counts,
    /// All days of the period before.
    pub before: Counts,
    /// Dimensions, and their values with the most visitors.
    pub lists: Vec<(String, Vec<Counted>)>,
    /// The events of the other classes.
    pub left_out: Vec<Counted>,
    /// What is still to be computed.
    pub state: State,
    /// Days whose statistics come from another product.
    pub imported: i64,
}

impl Overview {
    /// Reads it, of the dimensions that are wanted. Of one state only within one transaction.
    ///
    /// # Errors
    /// The database cannot be asked.
    pub async fn of(
        client: &Client,
        app_id: i32,
        class: &str,
        period: &Period,
        top: i64,
        is_wanted: impl Fn(&str) -> bool,
    ) -> anyhow::Result<Overview> {
        let asked = Asked { app_id, class, from: period.from, until: period.until };
        let earlier = Asked { from: period.before.from, until: period.before.until, ..asked };
        let mut lists = Vec::new();
        for dimension in ask::dimensions(client, &asked).await? {
            if is_wanted(&dimension) {
                let values = ask::top(client, &asked, &dimension, top).await?;
                lists.push((dimension, values));
            }
        }
        let (days, before) = (ask::by_day(client, &asked).await?, ask::by_day(client, &earlier).await?);
        Ok(Overview {
            now: sum(&days),
            before: sum(&before),
            days,
            lists,
            left_out: ask::left_out(client, &asked).await?,
            state: ask::state(client, Some(app_id)).await?,
            imported: ask::imported(client, &asked).await?,
        })
    }
}

fn sum(days: &[Counted]) -> Counts {
    let mut total = Counts::default();
    for day in days {
        total += &day.counts;
    }
    total
}
