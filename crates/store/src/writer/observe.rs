//! Reads the state of the database for monitoring.

use alt_process::clock;
use alt_process::metrics::Observed;
use anyhow::Context;
use tokio_postgres::Client;

use super::Trouble;
use crate::{classify, partitions};

/// Reads the state.
pub(super) async fn observe(client: &Client) -> anyhow::Result<Observed> {
    let before = clock::now();
    let row = client.query_typed_one("SELECT clock_timestamp()", &[]).await.context("ask for the time")?;
    let here = before.midpoint(clock::now());
    let there = clock::micros(row.get(0));
    let months = partitions::attached(client).await?;
    let now = partitions::month(here);
    let ahead = (now + 1..).take_while(|month| months.contains(month)).count();
    Ok(Observed {
        clock_difference: (there - here) as f64 / 1e6,
        has_current_partition: months.contains(&now),
        partitions_ahead: i32::try_from(ahead).unwrap_or(i32::MAX),
        identity: identity(client).await?,
    })
}

/// The cluster's system identifier and timeline; `None` if the role may not read them.
async fn identity(client: &Client) -> anyhow::Result<Option<(i64, i32)>> {
    let sql =
        "SELECT s.system_identifier, c.timeline_id FROM pg_control_system() s, pg_control_checkpoint() c";
    match client.query_typed_one(sql, &[]).await {
        Ok(row) => Ok(Some((row.get(0), row.get(1)))),
        Err(error) if error.code().is_some() && classify(&error) == Trouble::Stop => Ok(None),
        Err(error) => Err(error).context("ask which cluster this is"),
    }
}
