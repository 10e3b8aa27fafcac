//! A lease decides which of several processes does a piece of work on one database.
//!
//! A lease is a row of `leases` with a holder, a fence and an expiry time by the database's clock. Each new holder gets
//! a larger fence, and checks it in every transaction that writes ([`Fence::check`]). The check locks the row until the
//! transaction ends, so nobody takes the lease between the check and the commit. Therefore a holder that was stopped
//! for a while, or cut off, changes nothing once another holder works. No state belongs to a session, so transaction
//! poolers work.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};

use super::session::Session;
use super::{in_transaction, is_lock_timeout};

/// How long a lease lasts without renewal.
const TERM: Duration = Duration::from_secs(5);

/// A lease that was renewed more recently is not renewed again.
const RENEWAL: Duration = Duration::from_secs(1);

/// For so long after it asked for the lease, a holder is sure that nobody else has it, although no clock is exact.
const SURE: Duration = Duration::from_secs(4);

/// How long a holder's transaction waits for a lock.
const LOCK_TIMEOUT: &str = "2s";

/// A piece of work, and its holder in this process.
#[derive(Debug)]
pub struct Lease {
    name: String,
    holder: String,
    held: Option<(Fence, Instant)>,
}

/// The right to write, until another holder takes the lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fence {
    name: String,
    holder: String,
    number: i64,
}

/// Another holder has taken the lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lost;

impl std::fmt::Display for Lost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("another process has taken this work over")
    }
}

impl std::error::Error for Lost {}

impl Lease {
    /// Creates the lease of the work `name`, not held yet. Two leases of one process are two holders.
    pub fn new(name: String, host: &str) -> Lease {
        let mut random = [0u8; 8];
        // Without randomness, the process id still distinguishes the processes of a host.
        let _ = getrandom::fill(&mut random);
        let random = u64::from_ne_bytes(random);
        Lease { name, holder: format!("{host} {} {random:016x}", std::process::id()), held: None }
    }

    /// Takes the lease, or renews it. `None`: another holder has it.
    ///
    /// # Errors
    /// The database cannot be asked.
    pub async fn take(&mut self, client: &Client) -> anyhow::Result<Option<Fence>> {
        if let Some((fence, renewed)) = &self.held
            && renewed.elapsed() < RENEWAL
        {
            return Ok(Some(fence.clone()));
        }
        self.held = None;
        let (asked, term) = (Instant::now(), i64::try_from(TERM.as_micros())?);
        let sql = include_str!("../../../sql/take_lease.sql");
        let taken = in_transaction(client, "1s", async |client| {
            let parameters: [(&(dyn ToSql + Sync), Type); 3] =
                [(&self.name, Type::TEXT), (&self.holder, Type::TEXT), (&term, Type::INT8)];
            Ok(client.query_typed_opt(sql, &parameters).await?)
        });
        let number = match taken.await {
            Ok(row) => row.map(|row| row.get(0)),
            // A transaction of the holder has locked the row: the holder is about to write.
            Err(error) if is_lock_timeout(&error) => None,
            Err(error) => return Err(error.context(format!("take the lease of {}", self.name))),
        };
        let fence =
            number.map(|number| Fence { name: self.name.clone(), holder: self.holder.clone(), number });
        self.held = fence.clone().map(|fence| (fence, asked));
        Ok(fence)
    }

    /// Whether the lease could be taken now. Nothing is written, so it may be asked often.
    ///
    /// # Errors
    /// The database cannot be asked.
    pub async fn is_free(&self, client: &Client) -> anyhow::Result<bool> {
        // As take_lease.sql.
        let sql = "SELECT NOT EXISTS (SELECT FROM leases WHERE name = $1 AND holder <> $2 AND expires_at > clock_timestamp() \
                   AND expires_at <= clock_timestamp() + 2 * $3::bigint * interval '1 microsecond')";
        let term = i64::try_from(TERM.as_micros())?;
        let parameters: [(&(dyn ToSql + Sync), Type); 3] =
            [(&self.name, Type::TEXT), (&self.holder, Type::TEXT), (&term, Type::INT8)];
        Ok(client.query_typed_one(sql, &parameters).await.context("look who has a lease")?.get(0))
    }

    /// Whether the lease is held, and was not renewed for so long.
    pub fn is_older_than(&self, time: Duration) -> bool {
        self.held.as_ref().is_some_and(|(_, renewed)| renewed.elapsed() >= time)
    }

    /// Until when it is sure that nobody else has the lease, for what is done outside the database. `None`: it is not held.
    pub fn sure_until(&self) -> Option<Instant> {
        self.held.as_ref().map(|(_, renewed)| *renewed + SURE)
    }

    /// As [`Lease::take`], for a worker that cannot go on without the lease.
    ///
    /// # Errors
    /// [`Lost`], or those of [`Session::ask`].
    pub fn hold(&mut self, session: &mut Session) -> anyhow::Result<Fence> {
        let fence = session.ask(async |client| self.take(client).await)?;
        let Some(fence) = fence else { bail!(Lost) };
        Ok(fence)
    }

    /// Releases the lease, if it is held.
    ///
    /// # Errors
    /// The database cannot be asked. Then the lease expires by itself.
    pub async fn release(&mut self, client: &Client) -> anyhow::Result<()> {
        let Some((fence, _)) = self.held.take() else { return Ok(()) };
        let sql =
            "UPDATE leases SET expires_at = clock_timestamp() WHERE name = $1 AND holder = $2 AND fence = $3";
        client.execute_typed(sql, &fence.parameters()).await.context("release a lease")?;
        Ok(())
    }
}

impl Fence {
    /// Whether nobody else has held the lease since this holder had the other fence. A holder whose lease expired has the
    /// next number; with another holder between, it has one after that.
    pub fn follows(&self, other: &Fence) -> bool {
        (0..=1).contains(&(self.number - other.number))
    }

    /// Checks, within a transaction, that this holder may still write.
    ///
    /// # Errors
    /// [`Lost`], or the database cannot be asked.
    pub async fn check(&self, client: &Client) -> anyhow::Result<()> {
        let sql = "SELECT FROM leases WHERE name = $1 AND holder = $2 AND fence = $3 FOR SHARE";
        match client.query_typed_opt(sql, &self.parameters()).await.context("check a lease")? {
            Some(_) => Ok(()),
            None => bail!(Lost),
        }
    }

    /// Writes in one short transaction, if nobody else has held the lease since this fence was taken. What a holder read before,
    /// it may write only under the fence that it had then: another may have worked meanwhile, and released the lease.
    ///
    /// # Errors
    /// [`Lost`], those of the statements, or those of [`Session::ask`].
    pub fn write<T>(
        &self,
        session: &mut Session,
        statements: impl AsyncFnOnce(&Client) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        session.ask(async |client| {
            in_transaction(client, LOCK_TIMEOUT, async |client| {
                self.check(client).await?;
                statements(client).await
            })
            .await
        })
    }

    fn parameters(&self) -> [(&(dyn ToSql + Sync), Type); 3] {
        [(&self.name, Type::TEXT), (&self.holder, Type::TEXT), (&self.number, Type::INT8)]
    }
}

/// Deletes leases that nobody has held for a month.
///
/// # Errors
/// The database does not do it.
pub async fn forget_old(client: &Client) -> anyhow::Result<()> {
    let sql = "DELETE FROM leases WHERE expires_at < clock_timestamp() - interval '30 days'";
    client.execute_typed(sql, &[]).await.context("forget old leases")?;
    Ok(())
}
