//! Follows the ledger: the days of what changed are marked.

use anyhow::Context;
use tokio_postgres::Client;
use tokio_postgres::types::Type;

use super::{NAME, backlog, days};
use crate::ledger::{self, Changes};

/// Whether there may be something to take.
///
/// # Errors
/// The database cannot be asked.
pub async fn is_behind(client: &Client) -> anyhow::Result<bool> {
    ledger::is_behind(client, NAME).await
}

/// Ends the follower where statistics are off, if it has not moved for a day: no host has them on. Runs within a
/// transaction.
///
/// # Errors
/// The database does not do it.
pub async fn end(client: &Client) -> anyhow::Result<()> {
    let sql = "DELETE FROM followers WHERE name = $1 AND moved_at < now() - interval '1 day'";
    client.execute_typed(sql, &[(&NAME, Type::TEXT)]).await.context("end the follower of the ledger")?;
    Ok(())
}

/// Takes what changed and marks its days. The first time, or after something was missed, all rows are put into the
/// backlog instead. Runs within a transaction.
///
/// # Errors
/// The database does not do it.
pub async fn take(client: &Client) -> anyhow::Result<()> {
    let is_new = ledger::follow(client, NAME).await?;
    let changes = if is_new { Changes::Missed } else { ledger::take(client, NAME).await? };
    match changes {
        Changes::Hours(hours) => days::mark(client, &hours).await,
        Changes::Missed => {
            tracing::info!("statistics: all rows that are there are read once");
            backlog::add_all(client).await
        }
    }
}
