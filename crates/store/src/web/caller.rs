//! Who is asking, and what of it they may do.

use anyhow::Context;
use serde::Serialize;
use sha2::{Digest, Sha256};
use tokio_postgres::Client;
use tokio_postgres::types::Type;

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

/// Somebody with a valid token or share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Key of the token or the share.
    pub id: i32,
    /// Its name.
    pub name: String,
    /// It is a share: a link to the statistics of one application.
    pub is_share: bool,
    /// The most that it may do.
    pub most: Role,
    /// The applications that it is for; `None`: all.
    pub apps: Option<Vec<i32>>,
    /// What the person to whom it belongs may do; `None`: it is bound to no person, or to an owner of everything.
    pub grants: Option<Vec<(i32, Role)>>,
    /// Its last use was not recorded within the last minute.
    pub is_stale: bool,
}

impl Caller {
    /// What it may do with an application; `None`: nothing, not even know of it.
    pub fn role(&self, app_id: i32) -> Option<Role> {
        if self.apps.as_ref().is_some_and(|apps| !apps.contains(&app_id)) {
            return None;
        }
        match &self.grants {
            None => Some(self.most),
            Some(grants) => {
                grants.iter().find(|(app, _)| *app == app_id).map(|(_, role)| self.most.min(*role))
            }
        }
    }

    /// Whether it may do everything with everything: people, tokens, the record of changes.
    pub fn owns_all(&self) -> bool {
        !self.is_share && self.most == Role::Owner && self.apps.is_none() && self.grants.is_none()
    }
}

/// Whose secret this is; `None`: nobody's, or that of a token or share that has ended or was revoked.
///
/// # Errors
/// The database cannot be asked.
pub async fn find(client: &Client, secret: &str) -> anyhow::Result<Option<Caller>> {
    let sql = include_str!("../../../../sql/caller.sql");
    let row = client.query_typed_opt(sql, &[(&hash(secret), Type::BYTEA)]).await;
    let Some(row) = row.context("look the token up")? else { return Ok(None) };
    let granted: Option<(Vec<i32>, Vec<String>)> = match row.get::<_, bool>(5) {
        true => Some((row.get(6), row.get(7))),
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
        is_share: row.get(2),
        most: role(row.get(3))?,
        apps: row.get(4),
        grants,
        is_stale: row.get(8),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(most: Role, apps: Option<Vec<i32>>, grants: Option<Vec<(i32, Role)>>) -> Caller {
        Caller { id: 1, name: String::new(), is_share: false, most, apps, grants, is_stale: false }
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
        assert!(!Caller { is_share: true, ..of_all }.owns_all());
    }
}
