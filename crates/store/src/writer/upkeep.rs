//! What is done with the database now and then: looks at it, for those who watch, and clears old things away.

use alt_process::clock;
use alt_process::metrics::Observed;
use anyhow::Context;
use tokio_postgres::Client;

use super::{Memory, Trouble};
use crate::{classify, dimensions, partitions};

/// What those who watch want to know of the database.
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

/// The cluster's system identifier and timeline; `None` where they may not be asked for.
async fn identity(client: &Client) -> anyhow::Result<Option<(i64, i32)>> {
    let sql =
        "SELECT s.system_identifier, c.timeline_id FROM pg_control_system() s, pg_control_checkpoint() c";
    match client.query_typed_one(sql, &[]).await {
        Ok(row) => Ok(Some((row.get(0), row.get(1)))),
        Err(error) if error.code().is_some() && classify(&error) == Trouble::Stop => Ok(None),
        Err(error) => Err(error).context("ask which cluster this is"),
    }
}

/// Makes partitions ahead, destroys old salts, purges old rejects, drops old rows.
pub(super) async fn clear_away(
    client: &Client,
    retention: &alt_config::Retention,
    memory: &mut Memory,
) -> anyhow::Result<()> {
    memory.ensure_partitions(client, partitions::ahead()).await?;
    let killed = dimensions::kill_salts(client).await?;
    let age = i64::try_from(retention.rejects.as_micros()).unwrap_or(i64::MAX);
    let purged = dimensions::purge_rejects(client, clock::now().saturating_sub(age)).await?;
    let dropped = match &retention.rows {
        Some(keep) => partitions::drop_before(client, keep.before(clock::now())).await?,
        None => Vec::new(),
    };
    if !dropped.is_empty() {
        memory.forget_partitions();
    }
    tracing::debug!(killed, purged, ?dropped, "upkeep done");
    Ok(())
}
