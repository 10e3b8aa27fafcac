//! What the database knows about archive objects.

use alt_store::objects::{self, Described};
use alt_store::read::Reader;
use anyhow::Context;

use super::name::Name;

/// Whether the contents of these objects, given by URI and name, are completely loaded, and synced on the server.
///
/// # Errors
/// The database cannot be asked.
pub async fn known(reader: &mut Reader, objects: &[(String, Option<&Name>)]) -> anyhow::Result<Vec<bool>> {
    let described = |(uri, name): &(String, Option<&Name>)| Described {
        uri: uri.clone(),
        // If two logs have the same name except for a hash, the name alone does not say which of them is loaded.
        head: name.filter(|name| name.sha256.is_none()).map(|name| name.head.to_be_bytes()),
        raw_bytes: name.map(|name| name.raw_bytes),
    };
    let described: Vec<Described> = objects.iter().map(described).collect();
    let known = reader.read(async |client| objects::are_loaded(client, &described).await).await?;
    reader.make_durable().await.context("wait until what is loaded is on the server's disk")?;
    Ok(known)
}
