//! The account that a command runs as.
//!
//! PostgreSQL's peer authentication depends on the account. So that an administrator need not think about it, a command
//! that root starts continues as `alt`, if that account exists and the connection uses peer authentication.

use std::ffi::CString;

use alt_store::{connect, roles};
use anyhow::Context;
use nix::sys::prctl::set_no_new_privs;
use nix::unistd::{Uid, User, geteuid, initgroups, setresgid, setresuid, setuid};

/// The account that the daemon runs as.
pub const NAME: &str = "alt";
/// The account that the API runs as.
pub const WEB: &str = "alt_web";

/// Gives up root's rights for those of `alt`, permanently, if the database is reached by peer authentication. Call it
/// before any thread is started.
///
/// # Errors
/// The URL cannot be understood, or the system refuses.
pub fn become_alt(config: &alt_config::Postgres) -> anyhow::Result<()> {
    become_one(config, NAME)
}

/// As [`become_alt`], for the API's account.
///
/// # Errors
/// As [`become_alt`].
pub fn become_web(config: &alt_config::Postgres) -> anyhow::Result<()> {
    become_one(config, WEB)
}

fn become_one(config: &alt_config::Postgres, name: &str) -> anyhow::Result<()> {
    if geteuid().is_root()
        && connect::is_by_peer(config)?
        && let Some(user) = User::from_name(name).with_context(|| format!("look the account {name} up"))?
    {
        enter(&user)?;
    }
    Ok(())
}

/// Like [`become_alt`], for a command that changes what only the tables' owner may change. Where `alt setup` gave the tables
/// to a role of their own, root continues as the account of this role, and `config` then names the local server's socket.
///
/// # Errors
/// The URL cannot be understood, or the system refuses.
pub fn become_owner(config: &mut alt_config::Postgres) -> anyhow::Result<()> {
    let owner = User::from_name(roles::OWNER).context("look the account of the tables' owner up")?;
    let may_become = |user: &User| geteuid().is_root() || geteuid() == user.uid;
    match (owner.filter(may_become), connect::by_peer(config)?) {
        (Some(user), Some(by_peer)) => {
            if geteuid().is_root() {
                enter(&user)?;
            }
            *config = by_peer;
            Ok(())
        }
        _ => become_alt(config),
    }
}

/// Continues as `user`, with its groups and no others, permanently: no id of root is kept, and no program that is
/// started later gets more rights than `user` has (like the unit's `NoNewPrivileges`).
///
/// # Errors
/// The system refuses.
pub fn enter(user: &User) -> anyhow::Result<()> {
    let name = CString::new(user.name.as_str()).context("name of the account")?;
    initgroups(&name, user.gid)
        .and_then(|()| setresgid(user.gid, user.gid, user.gid))
        .and_then(|()| setresuid(user.uid, user.uid, user.uid))
        .and_then(|()| set_no_new_privs())
        .with_context(|| format!("go on as account {}", user.name))?;
    anyhow::ensure!(
        user.uid.is_root() || setuid(Uid::from_raw(0)).is_err(),
        "root's rights could not be given up"
    );
    Ok(())
}

/// A hint for a file that may not be read: an administrator may not know that the reader is not root.
pub fn may_not_read() -> String {
    let id = geteuid();
    let name = User::from_uid(id).ok().flatten().map_or_else(|| id.to_string(), |user| user.name);
    format!("the account {name} may not read it; make it a member of a group that may, or pipe the file in")
}
