//! Which account a command works as.
//!
//! PostgreSQL's peer authentication goes by the account. So that an administrator need not think of it, a
//! command that root starts goes on as `alt`, where that account exists and the connection is by peer.

use std::ffi::CString;

use alt_store::connect;
use anyhow::Context;
use nix::unistd::{User, geteuid, initgroups, setgid, setuid};

/// The account that the daemon runs as.
pub const NAME: &str = "alt";

/// Gives root's rights up for those of `alt`, for good, if the database is reached by peer authentication.
/// To be called before any thread is started.
///
/// # Errors
/// The URL cannot be understood, or the system refuses.
pub fn become_alt(config: &alt_config::Postgres) -> anyhow::Result<()> {
    if geteuid().is_root()
        && connect::is_by_peer(config)?
        && let Some(user) = User::from_name(NAME).context("look the account alt up")?
    {
        enter(&user)?;
    }
    Ok(())
}

/// Goes on as `user`, with its groups.
///
/// # Errors
/// The system refuses.
pub fn enter(user: &User) -> anyhow::Result<()> {
    let name = CString::new(user.name.as_str()).context("name of the account")?;
    initgroups(&name, user.gid)
        .and_then(|()| setgid(user.gid))
        .and_then(|()| setuid(user.uid))
        .with_context(|| format!("go on as account {}", user.name))
}

/// What to say where a file may not be read: an administrator may not know that it is not root who reads it.
pub fn may_not_read() -> String {
    let id = geteuid();
    let name = User::from_uid(id).ok().flatten().map_or_else(|| id.to_string(), |user| user.name);
    format!("the account {name} may not read it; make it a member of a group that may, or pipe the file in")
}
