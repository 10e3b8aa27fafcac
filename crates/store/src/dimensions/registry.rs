//! Which applications there are: all of them where they are few; otherwise all keys, and those applications that are used.
//!
//! Each reader thread keeps a registry. An application takes some 400 bytes, its key 8.

use std::hash::{BuildHasher, RandomState};
use std::pin::pin;

use alt_line::enrich::{App, AppSettings};
use anyhow::Context;
use futures_util::TryStreamExt;
use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};

use crate::exclusions;

/// So many applications are kept whole.
const WHOLE_MAX: usize = 1000;

const COLUMNS: &str = "SELECT id, app_key, time_zone, allowed_domains, settings::text, name FROM applications \
                       WHERE disabled_at IS NULL";
const KEYS: &str = "SELECT app_key FROM applications WHERE disabled_at IS NULL";

/// What is known of the applications that are not disabled.
#[derive(Debug, Default)]
pub struct Registry {
    /// All applications; or, if there are keys, those that were asked for.
    pub apps: Vec<App>,
    /// The keys of all applications, if these are many.
    pub keys: Option<Keys>,
}

/// A set of keys, as hashes that nobody outside can foresee.
#[derive(Debug, Default)]
pub struct Keys {
    state: RandomState,
    /// Ascending.
    hashes: Vec<u64>,
}

impl Keys {
    /// Whether the set contains a key; by a chance of 2^-64 for each key, also another one.
    pub fn contain(&self, key: &str) -> bool {
        self.hashes.binary_search(&self.state.hash_one(key)).is_ok()
    }

    /// Takes a key out.
    pub fn remove(&mut self, key: &str) {
        if let Ok(at) = self.hashes.binary_search(&self.state.hash_one(key)) {
            self.hashes.remove(at);
        }
    }
}

/// Reads the registry, with the applications that have the keys `used` if there are many.
///
/// # Errors
/// The database cannot be asked.
pub async fn registry(client: &Client, used: &[String]) -> anyhow::Result<Registry> {
    let mut keys = Keys::default();
    let none: [(&(dyn ToSql + Sync), Type); 0] = [];
    let mut rows = pin!(client.query_typed_raw(KEYS, none).await.context("read the applications' keys")?);
    while let Some(row) = rows.try_next().await.context("read the applications' keys")? {
        keys.hashes.push(keys.state.hash_one(row.get::<_, &str>(0)));
    }
    if keys.hashes.len() > WHOLE_MAX {
        keys.hashes.sort_unstable();
        keys.hashes.shrink_to_fit();
        return Ok(Registry { apps: apps(client, used).await?, keys: Some(keys) });
    }
    let rows = client.query_typed(COLUMNS, &[]).await.context("read the applications")?;
    Ok(Registry { apps: rows.iter().map(app).collect(), keys: None })
}

/// The applications with these keys that are not disabled.
///
/// # Errors
/// The database cannot be asked.
pub async fn apps(client: &Client, keys: &[String]) -> anyhow::Result<Vec<App>> {
    let sql = format!("{COLUMNS} AND app_key = ANY($1)");
    let rows = client.query_typed(&sql, &[(&keys, Type::TEXT_ARRAY)]).await.context("read applications")?;
    Ok(rows.iter().map(app).collect())
}

fn app(row: &tokio_postgres::Row) -> App {
    let key: String = row.get(1);
    let text: String = row.get(4);
    let mut settings: AppSettings = serde_json::from_str(&text).unwrap_or_else(|error| {
        // A mistake in one application's settings must not hold up the others.
        tracing::warn!(app = key, settings = text, %error, "applications.settings is not understood: using the defaults");
        Default::default()
    });
    // Once here, and not for each hit. What is no rule is told by `alt check`: this is read again and again.
    let exclusions = exclusions::read(&settings.exclusions.take(), |_, _| {});
    App {
        id: row.get(0),
        time_zone: row.get(2),
        allowed_domains: row.get(3),
        settings,
        exclusions,
        name: row.get(5),
        key,
    }
}
