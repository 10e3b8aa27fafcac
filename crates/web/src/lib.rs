//! The API: what `alt serve` answers over HTTP.
//!
//! [`routes`] is the one table of what can be asked, and by whom; `guard` applies it to each request, before a handler sees
//! anything of the database: who is asking, whether this caller may, and how often. The OpenAPI document is made of the same
//! table. A handler gets a request that is allowed, with the application that it is about, and a transaction. A change is
//! committed by `guard`, with its row in `audit_log`; without one it is not committed.

mod alerts;
pub mod amounts;
mod annotations;
mod ask;
mod assets;
pub mod channels;
pub mod csv;
mod daily;
mod exclusions;
mod funnel;
mod goals;
mod guard;
mod health;
mod limiter;
mod manage;
mod metrics;
mod numbers;
pub mod oidc;
mod openapi;
mod panels;
mod password;
mod period;
mod plausible;
mod problem;
mod reads;

pub mod reports;
pub mod retention;
pub mod routes;
mod rules;
mod saved;
mod search;
mod segments;
pub mod server;
mod session;
mod silences;
mod statistics;
pub mod telemetry;
mod times;
mod totp;
mod visits;
mod walk;

use std::path::Path;
use std::sync::Arc;

use alt_store::web::pool::{Pool, Transaction};
use alt_store::web::sealing::Sealing;

use tokio::sync::Semaphore;

use self::channels::Channels;
use self::daily::Daily;
use self::limiter::Limiter;
use self::oidc::Oidc;
use self::password::Passwords;
use self::problem::Problem;
use self::reads::Reads;
use self::segments::Segments;
use self::telemetry::Telemetry;

/// How many rules are tried at a time.
const TRIALS: usize = 2;

/// The most of the cache that sums by day have.
const DAILY_SHARE: usize = 4;

/// What all requests share.
#[derive(Debug)]
pub struct Web {
    /// Connections to the database.
    pub pool: Arc<Pool>,
    /// What is counted.
    pub telemetry: Arc<Telemetry>,
    /// Sums by day.
    daily: Arc<Daily>,
    /// Segments, and who asks them.
    segments: Segments,
    /// Requests of each token and share.
    limiter: Limiter,
    /// Wrong tokens of each address.
    refused: Limiter,
    /// Attempts to sign in, by address.
    attempts: Limiter,
    /// Attempts to sign in, by account and address.
    accounts: Limiter,
    /// The provider by which people sign in.
    oidc: Option<Oidc>,
    /// Passwords.
    passwords: Passwords,
    /// What seals the secrets that the database keeps.
    pub sealing: Sealing,
    /// What was read lately.
    reads: Reads,
    /// The address under which people reach it.
    public_url: Option<String>,
    /// The line to paste into the pages of an application: of the host that collects, and of the key.
    snippet: (String, Snippet),
    /// The receivers of messages, and what became of messages to try them.
    channels: Channels,
    /// Rules that are being tried.
    trials: Semaphore,
    /// The OpenAPI document.
    document: serde_json::Value,
    /// The page `/docs`.
    page: String,
}

/// Makes the line to paste into the pages of an application, of a host that collects and of the application's key.
pub type Snippet = fn(&str, &str) -> anyhow::Result<String>;

impl Web {
    /// For a configuration; `host` is this machine's name.
    ///
    /// # Errors
    /// The metrics cannot be registered, the keys of `key_file` cannot be read, or the system gives no random bytes.
    pub fn new(config: &alt_config::Config, host: &str, snippet: Snippet) -> anyhow::Result<Arc<Web>> {
        let per_minute = u32::try_from(config.web.requests_per_minute).unwrap_or(u32::MAX);
        let credentials = std::env::var_os("CREDENTIALS_DIRECTORY");
        let daily = Arc::new(Daily::new(config.web.cache_bytes / DAILY_SHARE));
        Ok(Arc::new(Web {
            pool: Pool::new(&config.postgres, config.web.read_url.as_deref(), host, config.web.connections),
            telemetry: Arc::new(Telemetry::new()?),
            segments: Segments::new(config.web.cache_bytes, Arc::clone(&daily)),
            daily,
            limiter: Limiter::new(per_minute),
            refused: Limiter::new(guard::REFUSED_PER_MINUTE),
            attempts: Limiter::new(session::ADDRESS_PER_MINUTE),
            accounts: Limiter::new(session::ACCOUNT_PER_MINUTE),
            oidc: Oidc::new(config)?,
            reads: Reads::default(),
            sealing: Sealing::open(config.web.key_file.as_ref(), credentials.as_deref().map(Path::new))?,
            passwords: Passwords::new()?,
            snippet: (config.check.hosts.first().map_or("YOUR-HOST", String::as_str).to_owned(), snippet),
            channels: Channels::new(config),
            trials: Semaphore::new(TRIALS),
            document: openapi::document(config.web.public_url.as_deref()),
            page: openapi::page(),
            public_url: config.web.public_url.clone(),
        }))
    }

    /// Begins to change something.
    ///
    /// # Errors
    /// The database cannot be asked.
    pub(crate) async fn change(&self) -> Result<Transaction, Problem> {
        match self.pool.change().await {
            Ok(db) => Ok(db),
            Err(error) if self.pool.has_replica() => {
                tracing::warn!(error = format!("{error:#}"), "nothing can be changed");
                Err(Problem::unavailable(
                    "the database takes no changes now, and does not record what is read; statistics are answered",
                ))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The line to paste into the pages of an application, of the first of `[check] hosts`.
    pub(crate) fn snippet(&self, key: &str) -> Option<String> {
        let (host, snippet) = &self.snippet;
        snippet(host, key).ok()
    }
}
