//! Database access: connecting, the schema, all SQL statements, and the classification of errors.
//!
//! To use the database, call an operation of this crate. It takes a client and returns a type. The crates above contain
//! no SQL. Queries that only read go through a [`read::Reader`], which cannot change anything.
//!
//! Only the caller that owns the connection decides about retries. This module only classifies errors by SQLSTATE.

pub mod alerts;
pub mod apps;
pub mod commit;
pub mod connect;
pub mod deletions;
pub mod dimensions;
pub mod exclusions;
pub mod files;
pub mod lease;
pub mod ledger;
pub mod migrate;
pub mod naive;
pub mod objects;
pub mod partitions;
pub mod presence;
pub mod read;
pub mod rehearsal;
pub mod rejects;
pub mod reports;
pub mod retention;
pub mod roles;
pub mod search;
pub mod server;
pub mod session;
pub mod statements;
pub mod stats;
pub mod status;
pub mod trace;
pub mod unfinished;
pub mod unload;
pub mod upkeep;
pub mod web;
pub mod writer;

pub use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

pub use connect::connect;

/// Set in every transaction that holds locks for longer than a statement. If this process is cut off, the server
/// notices within minutes and frees the locks.
const NOTICE_THAT_WE_ARE_GONE: &str = "SET LOCAL idle_in_transaction_session_timeout = '2min'; \
    SET LOCAL client_connection_check_interval = '5s'; SET LOCAL tcp_keepalives_idle = 30; \
    SET LOCAL tcp_keepalives_interval = 10; SET LOCAL tcp_keepalives_count = 3; SET LOCAL tcp_user_timeout = 60000";

/// One short transaction of a worker, at READ COMMITTED. It waits for a lock for at most `lock_timeout`. If this
/// process is stopped within the transaction, the server soon ends it.
///
/// # Errors
/// Any error of `statements`, after which everything is rolled back; or the database does not commit.
pub async fn in_transaction<T>(
    client: &Client,
    lock_timeout: &str,
    statements: impl AsyncFnOnce(&Client) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let begin = format!(
        "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout = '{lock_timeout}'; \
         {NOTICE_THAT_WE_ARE_GONE}; SET LOCAL idle_in_transaction_session_timeout = '10s'"
    );
    let done = async {
        client.batch_execute(&begin).await?;
        statements(client).await
    };
    let done = done.await;
    // Also if it did not begin: otherwise the connection would be unusable.
    let ended = client.batch_execute(if done.is_ok() { "COMMIT" } else { "ROLLBACK" }).await;
    let done = done?;
    ended?;
    Ok(done)
}

/// Waits until everything that anybody committed before is on the server's disk. Call this before any action that
/// cannot be undone and relies on those commits. Returns whether commits of this session do not wait for the disk by
/// themselves (`synchronous_commit = off`).
///
/// # Errors
/// The database returns an error or no answer. The last commits may be lost.
pub async fn make_durable(client: &Client) -> Result<bool, tokio_postgres::Error> {
    let row = client.query_typed_opt(include_str!("../../../sql/make_durable.sql"), &[]).await?;
    Ok(row.is_some_and(|row| row.get(0)))
}

/// The name of a session in `pg_stat_activity`, truncated as PostgreSQL truncates it.
pub fn session_name(verb: &str, host: &str) -> String {
    let mut name = format!("alt {verb} {host}");
    name.truncate(name.floor_char_boundary(63));
    name
}

/// What to do about an error of PostgreSQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Passes by itself: retry for ever.
    Transient,
    /// One row's data was refused: find the row, and continue without it.
    Data,
    /// Somebody has to repair something, and no row is at fault: stop, alert, retry later.
    Stop,
}

/// Classifies an error by its SQLSTATE.
pub fn classify(error: &tokio_postgres::Error) -> Trouble {
    let Some(error) = error.as_db_error() else { return Trouble::Transient };
    // A row without a partition: another host has dropped the month. The next attempt creates it again. The SQLSTATE is
    // that of a CHECK, whose error names a constraint.
    let is_of_rows = error.table() == Some("access_logs") && error.constraint().is_none();
    if *error.code() == SqlState::CHECK_VIOLATION && is_of_rows {
        return Trouble::Transient;
    }
    classify_state(error.code().code())
}

/// Classifies any error of talking to PostgreSQL. An error that does not come from PostgreSQL is a [`Trouble::Stop`],
/// except our own timeouts.
pub fn classify_any(error: &anyhow::Error) -> Trouble {
    for cause in error.chain() {
        if let Some(error) = cause.downcast_ref::<tokio_postgres::Error>() {
            return classify(error);
        }
        if cause.is::<tokio::time::error::Elapsed>() || cause.is::<std::io::Error>() {
            return Trouble::Transient;
        }
    }
    Trouble::Stop
}

/// Whether a statement waited for a lock until `lock_timeout`.
fn is_lock_timeout(error: &anyhow::Error) -> bool {
    state(error) == Some(&SqlState::LOCK_NOT_AVAILABLE)
}

/// Whether the server has no memory left, such as for locks (`max_locks_per_transaction`).
fn is_out_of_memory(error: &anyhow::Error) -> bool {
    state(error) == Some(&SqlState::OUT_OF_MEMORY)
}

/// The SQLSTATE of an error that comes from PostgreSQL.
fn state(error: &anyhow::Error) -> Option<&SqlState> {
    let postgres = error.chain().find_map(|cause| cause.downcast_ref::<tokio_postgres::Error>());
    postgres.and_then(tokio_postgres::Error::code)
}

/// An error without PostgreSQL's DETAIL, which would show the refused row.
pub fn told(error: &anyhow::Error) -> String {
    let text = format!("{error:#}");
    let Some((said, detail)) = text.split_once("\nDETAIL: ") else { return text };
    // The hint is PostgreSQL's own text, and comes last.
    let hint = detail.rfind("\nHINT: ").map_or("", |at| &detail[at..]);
    format!("{said}{hint}")
}

/// Only class 22 is a data error. Classes 23 (a constraint somebody added), 42 (a missing column, a revoked grant), 28
/// and 3D (no access, no database) would refuse every row alike. To treat these as data errors would turn all rows into
/// rejects and lose them.
fn classify_state(state: &str) -> Trouble {
    match state {
        // read-only: a standby, until it is promoted; 25P03 and 25P04: the server's own timeouts
        "25006" | "25P03" | "25P04" => return Trouble::Transient,
        _ => {}
    }
    match state.get(..2).unwrap_or("") {
        "22" => Trouble::Data,
        // connection; rollback (serialization, deadlock); resources; not in state (locks); operator
        // intervention (shutdown, cancel); system (disk); internal
        "08" | "40" | "53" | "55" | "57" | "58" | "XX" => Trouble::Transient,
        _ => Trouble::Stop,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_classified_by_its_state() {
        use Trouble::{Data, Stop, Transient};
        let cases = [
            ("22001", Data),      // string_data_right_truncation
            ("22003", Data),      // numeric_value_out_of_range
            ("22021", Data),      // character_not_in_repertoire
            ("22P03", Data),      // invalid_binary_representation
            ("22P05", Data),      // untranslatable_character
            ("23502", Stop),      // not_null_violation
            ("23505", Stop),      // unique_violation
            ("23514", Stop),      // check_violation
            ("28P01", Stop),      // invalid_password
            ("3D000", Stop),      // invalid_catalog_name
            ("42501", Stop),      // insufficient_privilege
            ("42P01", Stop),      // undefined_table
            ("42703", Stop),      // undefined_column
            ("0A000", Stop),      // feature_not_supported
            ("25001", Stop),      // active_sql_transaction
            ("P0001", Stop),      // raise_exception, of somebody's trigger
            ("", Stop),           // none that PostgreSQL knows
            ("25006", Transient), // read_only_sql_transaction
            ("25P03", Transient), // idle_in_transaction_session_timeout
            ("08006", Transient), // connection_failure
            ("40001", Transient), // serialization_failure
            ("40P01", Transient), // deadlock_detected
            ("53100", Transient), // disk_full
            ("53300", Transient), // too_many_connections
            ("55P03", Transient), // lock_not_available
            ("57014", Transient), // query_canceled
            ("57P01", Transient), // admin_shutdown
            ("57P03", Transient), // cannot_connect_now
            ("58030", Transient), // io_error
            ("XX000", Transient), // internal_error
        ];
        for (state, trouble) in cases {
            assert_eq!(classify_state(state), trouble, "{state}");
        }
    }

    #[test]
    fn an_error_is_told_without_the_row_that_is_refused() {
        for (error, expected) in [
            (
                "ERROR: no\nDETAIL: Failing row contains (secret,\nHINT: x).\nHINT: mend it",
                "ERROR: no\nHINT: mend it",
            ),
            ("ERROR: no\nDETAIL: Failing row contains (secret).", "ERROR: no"),
            ("ERROR: no\nHINT: mend it", "ERROR: no\nHINT: mend it"),
        ] {
            let error = anyhow::anyhow!(error).context("load a batch");
            assert_eq!(told(&error), format!("load a batch: {expected}"));
        }
    }

    #[test]
    fn an_error_from_elsewhere_is_told_apart() {
        let refused = anyhow::Error::new(std::io::Error::from(std::io::ErrorKind::ConnectionRefused));
        assert_eq!(classify_any(&refused.context("connect")), Trouble::Transient);
        assert_eq!(classify_any(&anyhow::anyhow!("the schema is older")), Trouble::Stop);
    }
}
