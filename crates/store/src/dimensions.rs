//! What rows refer to: applications, user agents, environments, and the salts of visitor ids.
//!
//! Each is read or added in its own short transaction, before the batch that needs it.

mod registry;

use std::time::SystemTime;

use alt_line::enrich::day::LocalDay;
use alt_line::enrich::{Environment, New, NewAgent};
use alt_line::hit::Micros;
use alt_process::clock;
use alt_process::fault::{self, Step};
use anyhow::Context;
use futures_util::future::join;
use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};

pub use registry::{Keys, Registry, apps, registry};

const ADD_AGENTS: &str = include_str!("../../../sql/add_agents.sql");
const ADD_ENVIRONMENTS: &str = include_str!("../../../sql/add_environments.sql");
const KILL_SALTS: &str = "SELECT alt_kill_salts($1, $2)";
const OVERDUE_SALTS: &str = include_str!("../../../sql/overdue_salts.sql");
const PURGE_REJECTS: &str = include_str!("../../../sql/purge_rejects.sql");

/// Adds the user agents and environments that do not exist yet.
pub async fn add(client: &Client, new: &mut New) -> anyhow::Result<()> {
    let (agents, environments) =
        join(add_agents(client, &mut new.agents), add_environments(client, &mut new.environments)).await;
    agents.and(environments)
}

async fn add_agents(client: &Client, agents: &mut [NewAgent]) -> anyhow::Result<()> {
    if agents.is_empty() {
        return Ok(());
    }
    agents.sort_by_key(|a| a.id);
    let texts = |of: fn(&NewAgent) -> &str| texts(agents, of);
    let ids: Vec<i64> = agents.iter().map(|a| a.id).collect();
    client
        .execute_typed(
            ADD_AGENTS,
            &[
                (&ids, Type::INT8_ARRAY),
                (&agents.iter().map(|a| a.user_agent.as_str()).collect::<Vec<_>>(), Type::TEXT_ARRAY),
                (&texts(|a| &a.browser), Type::TEXT_ARRAY),
                (&texts(|a| &a.browser_version), Type::TEXT_ARRAY),
                (&texts(|a| &a.os), Type::TEXT_ARRAY),
                (&texts(|a| &a.os_version), Type::TEXT_ARRAY),
                (&texts(|a| &a.device), Type::TEXT_ARRAY),
                (&agents.iter().map(|a| a.traffic_class.as_str()).collect::<Vec<_>>(), Type::TEXT_ARRAY),
                (&agents.iter().map(|a| a.rule.as_str()).collect::<Vec<_>>(), Type::TEXT_ARRAY),
            ],
        )
        .await
        .context("add user agents")?;
    Ok(())
}

/// A column of texts; NULL if there is none.
fn texts<T>(all: &[T], of: fn(&T) -> &str) -> Vec<Option<&str>> {
    all.iter().map(|one| Some(of(one)).filter(|text| !text.is_empty())).collect()
}

async fn add_environments(client: &Client, environments: &mut [Environment]) -> anyhow::Result<()> {
    if environments.is_empty() {
        return Ok(());
    }
    environments.sort_by_key(|e| e.id);
    let texts = |of: fn(&Environment) -> &str| texts(environments, of);
    client
        .execute_typed(
            ADD_ENVIRONMENTS,
            &[
                (&environments.iter().map(|e| e.id).collect::<Vec<_>>(), Type::INT8_ARRAY),
                (&texts(|e| &e.language), Type::TEXT_ARRAY),
                (&texts(|e| &e.time_zone), Type::TEXT_ARRAY),
                (&environments.iter().map(|e| e.screen_width).collect::<Vec<_>>(), Type::INT4_ARRAY),
                (&environments.iter().map(|e| e.screen_height).collect::<Vec<_>>(), Type::INT4_ARRAY),
                (&texts(|e| &e.beacon_version), Type::TEXT_ARRAY),
            ],
        )
        .await
        .context("add environments")?;
    Ok(())
}

/// The salt of an application's local day. Creates it if the day has none yet; `None` if it is deleted.
pub async fn salt(client: &Client, app_id: i32, day: &LocalDay) -> anyhow::Result<Option<[u8; 32]>> {
    let date = day.date.to_string();
    let read = "SELECT salt FROM visitor_salts WHERE app_id = $1 AND day = $2::text::date";
    let key: [(&(dyn ToSql + Sync), Type); 2] = [(&app_id, Type::INT4), (&date, Type::TEXT)];
    let found = client.query_typed_opt(read, &key).await.context("read a visitor salt")?;
    let row = match found {
        Some(row) => row,
        None => {
            let mut fresh = [0u8; 32];
            getrandom::fill(&mut fresh).map_err(|e| anyhow::anyhow!("draw a visitor salt: {e}"))?;
            client
                .execute_typed(
                    "INSERT INTO visitor_salts (app_id, day, day_ends_at, salt) \
                     VALUES ($1, $2::text::date, $3, $4) ON CONFLICT DO NOTHING",
                    &[
                        (&app_id, Type::INT4),
                        (&date, Type::TEXT),
                        (&clock::system_time(day.until), Type::TIMESTAMPTZ),
                        (&&fresh[..], Type::BYTEA),
                    ],
                )
                .await
                .context("add a visitor salt")?;
            fault::at(Step::SaltMade);
            // Another daemon may have been first: the value in the table counts.
            client.query_typed_one(read, &key).await.context("read a visitor salt back")?
        }
    };
    let salt: Option<&[u8]> = row.get(0);
    salt.map(|s| s.try_into().context("a visitor salt is not 32 bytes")).transpose()
}

/// Deletes the salts whose time is over at `now`, recorded as done by `host`. Returns how many.
///
/// # Errors
/// The database does not do it.
pub async fn kill_salts(client: &Client, now: Micros, host: &str) -> anyhow::Result<i64> {
    let parameters: [(&(dyn ToSql + Sync), Type); 2] =
        [(&clock::system_time(now), Type::TIMESTAMPTZ), (&host, Type::TEXT)];
    let row = client.query_typed_one(KILL_SALTS, &parameters).await.context("destroy old visitor salts")?;
    Ok(row.get(0))
}

/// The salts of an application that upkeep should have deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overdue {
    /// The public key of the application, if it is registered.
    pub app_key: Option<String>,
    /// How many.
    pub salts: i64,
    /// The first and the last of their days, as `2026-11-28`.
    pub days: (String, String),
}

/// The salts that have been due to be deleted for more than a day, by the database's clock. At most `limit`
/// applications, that with the oldest salt first.
///
/// # Errors
/// The database cannot be asked.
pub async fn overdue_salts(client: &Client, limit: i64) -> anyhow::Result<Vec<Overdue>> {
    let yesterday = client.query_typed_one("SELECT now() - interval '1 day'", &[]).await?;
    let yesterday: SystemTime = yesterday.get(0);
    let parameters: [(&(dyn ToSql + Sync), Type); 2] =
        [(&yesterday, Type::TIMESTAMPTZ), (&limit, Type::INT8)];
    let rows =
        client.query_typed(OVERDUE_SALTS, &parameters).await.context("look for overdue visitor salts")?;
    let overdue = |row: &tokio_postgres::Row| Overdue {
        app_key: row.get("app_key"),
        salts: row.get("salts"),
        days: (row.get("first_day"), row.get("last_day")),
    };
    Ok(rows.iter().map(overdue).collect())
}

/// The number of rejects deleted in one statement, so that nothing waits for long.
pub const PURGE_SLICE: i64 = 10_000;

/// Before the first place of a table, as PostgreSQL writes places (`tid`).
pub const FIRST_PLACE: &str = "(0,0)";

/// Deletes at most [`PURGE_SLICE`] rejects older than `before` that stand behind `place`, recorded as done by `host`.
/// Returns how many spans, and the place of the last.
///
/// # Errors
/// The database does not do it.
pub async fn purge_rejects(
    client: &Client,
    before: Micros,
    host: &str,
    place: &str,
) -> anyhow::Result<(i64, Option<String>)> {
    let parameters: [(&(dyn ToSql + Sync), Type); 4] = [
        (&clock::system_time(before), Type::TIMESTAMPTZ),
        (&host, Type::TEXT),
        (&PURGE_SLICE, Type::INT8),
        (&place, Type::TEXT),
    ];
    let row = client.query_typed_one(PURGE_REJECTS, &parameters).await.context("purge old rejects")?;
    Ok((row.get(0), row.get(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_overdue_is_what_should_have_been_deleted() {
        let condition = |sql: &str| {
            let from = sql.find("WHERE s.salt IS NOT NULL").unwrap();
            let words = sql[from..].split_whitespace().collect::<Vec<_>>().join(" ");
            let until = words.find("ELSE interval '48 hours' END").unwrap();
            words[..until].to_owned()
        };
        let functions = include_str!("../../../sql/0010_roles.sql").replace("PLACE.", "");
        assert_eq!(condition(OVERDUE_SALTS), condition(&functions));
    }
}
