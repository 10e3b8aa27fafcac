//! Who is asking, and what of it they may do.

use anyhow::Context;
use serde::Serialize;
use sha2::{Digest, Sha256};
use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};

/// What somebody may do with an application; each includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// See statistics.
    Viewer,
    /// See rows, and change the application.
    Editor,
    /// Everything.
    Owner,
}

impl Role {
    /// All, from the least.
    pub const ALL: [Role; 3] = [Role::Viewer, Role::Editor, Role::Owner];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Editor => "editor",
            Role::Owner => "owner",
        }
    }

    /// The role with this name.
    pub fn of(name: &str) -> Option<Role> {
        Role::ALL.into_iter().find(|role| role.as_str() == name)
    }
}

/// What a secret is kept as.
pub fn hash(secret: &str) -> Vec<u8> {
    Sha256::digest(secret.as_bytes()).to_vec()
}

/// After how many minutes without a request a session ends.
pub const IDLE_MINUTES: i32 = 7 * 24 * 60;

/// By what somebody is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A token.
    Token,
    /// What was given in exchange for a token, for a quarter of an hour ([`jwt`](super::jwt)).
    Jwt,
    /// A share: a link to the statistics of one application.
    Share,
    /// The cookie of a person who is signed in.
    Session,
    /// The cookie of somebody who has given a share's password.
    Unlocked,
}

impl Kind {
    /// As it is recorded.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Token | Kind::Jwt => "token",
            Kind::Share | Kind::Unlocked => "share",
            Kind::Session => "person",
        }
    }
}

/// Somebody with a valid token, share or session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Key of the token, the share or the session.
    pub id: i32,
    /// Name of the token, the share or the person.
    pub name: String,
    /// By what it is known.
    pub kind: Kind,
    /// The most that it may do.
    pub most: Role,
    /// The applications that it is for; `None`: all.
    pub apps: Option<Vec<i32>>,
    /// What the person to whom it belongs may do; `None`: it is bound to no person, or to an owner of everything.
    pub grants: Option<Vec<(i32, Role)>>,
    /// Its last use was not recorded within the last minute.
    pub is_stale: bool,
    /// Conditions, all of which hold for what it may know of; `None`: it may know of everything.
    pub filter: Option<Vec<String>>,
    /// A share that is nothing without its password.
    pub is_locked: bool,
    /// Key of the person to whom the token or session belongs, or of the share.
    pub owner: Option<i32>,
}

impl Caller {
    /// What it may do with an application; `None`: nothing, not even know of it.
    pub fn role(&self, app_id: i32) -> Option<Role> {
        if self.apps.as_ref().is_some_and(|apps| !apps.contains(&app_id)) {
            return None;
        }
        // Only statistics can be filtered.
        let most = if self.filter.is_some() { Role::Viewer } else { self.most };
        match &self.grants {
            None => Some(most),
            Some(grants) => grants.iter().find(|(app, _)| *app == app_id).map(|(_, role)| most.min(*role)),
        }
    }

    /// Whether it may do everything with everything: people, tokens, the record of changes.
    pub fn owns_all(&self) -> bool {
        // What ends by itself makes nothing that does not, and adds nobody.
        !matches!(self.kind, Kind::Share | Kind::Unlocked | Kind::Jwt)
            && self.most == Role::Owner
            && self.apps.is_none()
            && self.grants.is_none()
            && self.filter.is_none()
    }

    /// Whether it is a share.
    pub fn is_share(&self) -> bool {
        matches!(self.kind, Kind::Share | Kind::Unlocked)
    }
}

/// Whose secret this is, one of these kinds; `None`: nobody's, or that of a token or share that has ended or was revoked.
/// Each kind is looked up by itself: PostgreSQL would plan a question for all of them for a millisecond.
///
/// # Errors
/// The database cannot be asked.
pub async fn find(client: &Client, secret: &str, kinds: &[Kind]) -> anyhow::Result<Option<Caller>> {
    let hash = hash(secret);
    for kind in kinds {
        if let found @ Some(_) = of(client, &hash, *kind).await? {
            return Ok(found);
        }
    }
    Ok(None)
}

/// Whose secret has this hash.
pub(super) async fn of(client: &Client, hash: &[u8], kind: Kind) -> anyhow::Result<Option<Caller>> {
    let after: (&(dyn ToSql + Sync), Type) = (&IDLE_MINUTES, Type::INT4);
    let (sql, ends) = match kind {
        Kind::Token | Kind::Jwt => (include_str!("../../../../sql/caller_token.sql"), None),
        Kind::Share => (include_str!("../../../../sql/caller_share.sql"), None),
        Kind::Session => (include_str!("../../../../sql/caller_session.sql"), Some(after)),
        Kind::Unlocked => (include_str!("../../../../sql/caller_unlocked.sql"), Some(after)),
    };
    let hash: (&(dyn ToSql + Sync), Type) = (&hash, Type::BYTEA);
    let parameters: Vec<_> = std::iter::once(hash).chain(ends).collect();
    let row = client.query_typed_opt(sql, &parameters).await;
    let Some(row) = row.context("look the token up")? else { return Ok(None) };
    let granted: Option<(Vec<i32>, Vec<String>)> = match row.get::<_, bool>(4) {
        true => Some((row.get(5), row.get(6))),
        false => None,
    };
    let role = |name: &str| Role::of(name).with_context(|| format!("a role that is not known: {name}"));
    let grants = match granted {
        None => None,
        Some((apps, roles)) => {
            let roles: Vec<Role> = roles.iter().map(|name| role(name)).collect::<Result<_, _>>()?;
            Some(apps.into_iter().zip(roles).collect())
        }
    };
    Ok(Some(Caller {
        id: row.get(0),
        name: row.get(1),
        kind,
        most: role(row.get(2))?,
        apps: row.get(3),
        grants,
        is_stale: row.get(7),
        filter: row.get(8),
        is_locked: row.get(9),
        owner: row.get(10),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(most: Role, apps: Option<Vec<i32>>, grants: Option<Vec<(i32, Role)>>) -> Caller {
        Caller {
            id: 1,
            name: String::new(),
            kind: Kind::Token,
            most,
            apps,
            grants,
            is_stale: false,
            filter: None,
            is_locked: false,
            owner: None,
        }
    }

    #[test]
    fn a_token_may_do_what_both_it_and_its_person_may() {
        let of_all = caller(Role::Owner, None, None);
        assert!(of_all.owns_all() && of_all.role(7) == Some(Role::Owner));
        let of_one = caller(Role::Owner, Some(vec![1]), None);
        assert!(!of_one.owns_all());
        assert_eq!((of_one.role(1), of_one.role(2)), (Some(Role::Owner), None));
        let of_person = caller(Role::Owner, None, Some(vec![(1, Role::Viewer), (2, Role::Owner)]));
        assert!(!of_person.owns_all());
        assert_eq!(of_person.role(1), Some(Role::Viewer));
        assert_eq!((of_person.role(2), of_person.role(3)), (Some(Role::Owner), None));
        let narrow = caller(Role::Viewer, Some(vec![2]), Some(vec![(1, Role::Owner), (2, Role::Owner)]));
        assert_eq!((narrow.role(1), narrow.role(2)), (None, Some(Role::Viewer)));
        assert!(!caller(Role::Viewer, None, None).owns_all());
        let bound = Caller { filter: Some(Vec::new()), ..of_all.clone() };
        assert!(!bound.owns_all() && bound.role(1) == Some(Role::Viewer));
        assert!(!Caller { kind: Kind::Share, ..of_all }.owns_all());
    }
}
