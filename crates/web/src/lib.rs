//! The API: what `alt serve` answers over HTTP.
//!
//! [`routes`] is the one table of what can be asked, and by whom; `guard` applies it to each request, before a handler sees
//! anything of the database: who is asking, whether this caller may, and how often. The OpenAPI document is made of the same
//! table. A handler gets a request that is allowed, with the application that it is about, and a transaction. A change is
//! committed by `guard`, with its row in `audit_log`; without one it is not committed.

mod ask;
pub mod csv;
mod guard;
mod health;
mod limiter;
mod manage;
mod openapi;
mod period;
mod problem;
pub mod routes;
mod search;
pub mod server;
mod statistics;
pub mod telemetry;

use std::sync::Arc;

use alt_store::web::pool::Pool;

use self::limiter::Limiter;
use self::telemetry::Telemetry;

/// What all requests share.
#[derive(Debug)]
pub struct Web {
    /// Connections to the database.
    pub pool: Arc<Pool>,
    /// What is counted.
    pub telemetry: Arc<Telemetry>,
    /// Requests of each token and share.
    limiter: Limiter,
    /// Wrong tokens of each address.
    refused: Limiter,
    /// The address under which people reach it.
    public_url: Option<String>,
    /// The OpenAPI document.
    document: serde_json::Value,
    /// The page `/docs`.
    page: String,
}

impl Web {
    /// For a configuration; `host` is this machine's name.
    ///
    /// # Errors
    /// The metrics cannot be registered.
    pub fn new(config: &alt_config::Config, host: &str) -> anyhow::Result<Arc<Web>> {
        let per_minute = u32::try_from(config.web.requests_per_minute).unwrap_or(u32::MAX);
        Ok(Arc::new(Web {
            pool: Pool::new(&config.postgres, host, config.web.connections),
            telemetry: Arc::new(Telemetry::new()?),
            limiter: Limiter::new(per_minute),
            refused: Limiter::new(guard::REFUSED_PER_MINUTE),
            document: openapi::document(config.web.public_url.as_deref()),
            page: openapi::page(),
            public_url: config.web.public_url.clone(),
        }))
    }
}
