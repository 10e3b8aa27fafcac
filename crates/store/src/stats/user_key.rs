//! The key by which an application's user ids are hashed in its segments.

use anyhow::Context;
use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};

/// The key of an application; `None`: there is none yet.
///
/// # Errors
/// The database cannot be asked, or the key is none.
pub(super) async fn read(client: &Client, app: i32) -> anyhow::Result<Option<[u8; 32]>> {
    let sql = "SELECT key FROM stat_user_keys WHERE app_id = $1";
    let row = client.query_typed_opt(sql, &[(&app, Type::INT4)]).await.context("read the key of user ids")?;
    row.map(|row| row.get::<_, &[u8]>(0).try_into().context("the key of user ids is not 32 bytes"))
        .transpose()
}

/// Makes the key of an application, unless somebody else has made one.
///
/// # Errors
/// The database does not do it, or there is no randomness.
pub(super) async fn make(client: &Client, app: i32) -> anyhow::Result<()> {
    let mut fresh = [0_u8; 32];
    getrandom::fill(&mut fresh).map_err(|error| anyhow::anyhow!("draw a key of user ids: {error}"))?;
    let sql = "INSERT INTO stat_user_keys (app_id, key) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    let parameters: [(&(dyn ToSql + Sync), Type); 2] = [(&app, Type::INT4), (&&fresh[..], Type::BYTEA)];
    client.execute_typed(sql, &parameters).await.context("store a key of user ids")?;
    Ok(())
}
