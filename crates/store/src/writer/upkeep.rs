//! What is done with the database now and then: looks at it, for those who watch, and clears old things away.

use alt_process::clock;
use alt_process::metrics::Observed;
use anyhow::Context;
use tokio_postgres::Client;

use super::{Memory, Trouble, Upkeep};
use crate::retention::{self, Waits};
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

/// Makes partitions ahead, and deletes what is old enough: salts, rejects, rows. What keeps something of it.
pub(super) async fn clear_away(
    client: &Client,
    upkeep: &Upkeep,
    memory: &mut Memory,
) -> anyhow::Result<Option<Waits>> {
    let (config, host) = (&upkeep.retention, &upkeep.host);
    memory.ensure_partitions(client, partitions::ahead()).await?;
    let time = match retention::clock::judge(client, host).await? {
        Ok(time) => time,
        Err(doubt) => return Ok(Some(Waits::Clock(doubt))),
    };
    let quiet_since = retention::clock::keep(client, host, &time).await?;
    let killed = dimensions::kill_salts(client, time.at, host).await?;
    let age = i64::try_from(config.rejects.as_micros()).unwrap_or(i64::MAX);
    let purged = dimensions::purge_rejects(client, time.at.saturating_sub(age), host).await?;
    if killed > 0 {
        tracing::info!(salts = killed, "destroyed the visitor salts of days that are over");
    }
    if purged > 0 {
        tracing::info!(spans = purged, "deleted rejects that are older than [retention] rejects");
    }
    let waits = match &config.rows {
        Some(keep) => {
            let plan = retention::planned(client, keep, time.at, quiet_since).await?;
            if retention::drop_months(client, &plan, host).await? > 0 {
                memory.forget_partitions();
            }
            plan.waits
        }
        None => None,
    };
    retention::trim_drops(client).await?;
    tracing::debug!(killed, purged, "upkeep done");
    Ok(waits)
}
