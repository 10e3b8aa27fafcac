//! What the API asks and changes: a bounded number of connections (`pool`), who is asking (`caller`), people (`people`),
//! tokens and shares (`keys`), what is given in exchange for tokens (`jwt`), goals (`goals`), what happened on a day (`annotations`), segments (`saved`),
//! signing in (`sessions`), by a provider (`identities`), the record of changes (`audit`), and rows (`rows`).
//!
//! Whoever changes something passes an [`audit::Actor`]: the change and its row in `audit_log` are one transaction.

pub mod annotations;
pub mod audit;
pub mod caller;
pub mod goals;
pub mod identities;
pub mod jwt;
pub mod keys;
pub mod panels;
pub mod people;
pub mod pool;
pub mod rows;
pub mod saved;
pub mod sealing;
pub mod sessions;
pub mod system;

/// A time as the API writes it: RFC 3339, UTC, to the second.
pub(crate) fn time(column: &str) -> String {
    format!("to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')")
}
