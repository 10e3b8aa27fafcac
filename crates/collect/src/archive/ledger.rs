//! What the database says of archive objects.

use std::collections::HashSet;

use alt_line::hit::Micros;
use alt_process::clock::system_time;
use alt_store::make_durable;
use anyhow::Context;
use tokio_postgres::Client;
use tokio_postgres::types::Type;

use super::name::Name;

/// Objects that are looked up at once.
const ASKED_AT_ONCE: usize = 1000;

/// Whether all that is in these objects, by URI and name, is loaded.
///
/// # Errors
/// The database cannot be asked.
pub async fn known(client: &Client, objects: &[(String, Option<&Name>)]) -> anyhow::Result<Vec<bool>> {
    let mut all = Vec::with_capacity(objects.len());
    for some in objects.chunks(ASKED_AT_ONCE) {
        // Where two logs share a name but for a hash, the name alone does not say which of them is loaded.
        let head = |name: &&Name| name.sha256.is_none().then(|| name.head.to_be_bytes().to_vec());
        let raw = |name: &Name| i64::try_from(name.raw_bytes).unwrap_or(-1);
        let uris: Vec<&str> = some.iter().map(|(uri, _)| uri.as_str()).collect();
        let heads: Vec<_> = some.iter().map(|(_, name)| name.as_ref().and_then(head)).collect();
        let lengths: Vec<i64> = some.iter().map(|(_, name)| name.map_or(-1, raw)).collect();
        let rows = client
            .query_typed(
                include_str!("../../../../sql/known_objects.sql"),
                &[(&uris, Type::TEXT_ARRAY), (&heads, Type::BYTEA_ARRAY), (&lengths, Type::INT8_ARRAY)],
            )
            .await
            .context("ask which objects are loaded")?;
        let known: HashSet<i32> = rows.iter().map(|row| row.get(0)).collect();
        all.extend((1..).take(some.len()).map(|n| known.contains(&n)));
    }
    make_durable(client).await.context("wait until what is loaded is on the server's disk")?;
    Ok(all)
}

/// Notes that an object is gone, with the first and last time in it, as `host`; that its log was archived stays known.
///
/// # Errors
/// The database does not take it.
pub async fn gone(
    client: &Client,
    uri: &str,
    times: Option<(Micros, Micros)>,
    host: &str,
) -> anyhow::Result<()> {
    client
        .execute_typed(
            include_str!("../../../../sql/object_gone.sql"),
            &[
                (&uri, Type::TEXT),
                (&host, Type::TEXT),
                (&times.map(|t| system_time(t.0)), Type::TIMESTAMPTZ),
                (&times.map(|t| system_time(t.1)), Type::TIMESTAMPTZ),
            ],
        )
        .await
        .context("note that an object is gone")?;
    Ok(())
}
