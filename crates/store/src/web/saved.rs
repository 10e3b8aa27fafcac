//! Segments of people: filters that applications keep under a name.

use alt_statistics::query::Filter;
use alt_statistics::query::saved::{self, Saved, folded};
use anyhow::Context;
use serde::Serialize;
use serde_json::json;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};

use super::audit::Change;
use super::goals;
use crate::apps::Application;

/// The most segments of an application.
pub const OF_APP_MAX: i64 = 100;

/// Held while a segment is added or named anew, so that no application gets more than [`OF_APP_MAX`], or two of one name
/// ("alt save").
const LOCK: i64 = 0x616c_7420_7361_7665;

/// Who sees a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Visibility {
    /// The person alone who made it.
    Personal,
    /// Everybody who sees the whole application.
    Shared,
    /// Shares, and whoever is bound to a filter, too.
    Public,
}

impl Visibility {
    /// All of them.
    pub const ALL: [Visibility; 3] = [Visibility::Personal, Visibility::Shared, Visibility::Public];

    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Visibility::Personal => "personal",
            Visibility::Shared => "shared",
            Visibility::Public => "public",
        }
    }

    /// The one with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Visibility> {
        Visibility::ALL.into_iter().find(|one| one.as_str() == name)
    }
}

/// Whose eyes look at segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// Those of whoever administers the installation: all segments.
    All,
    /// Those of somebody who sees the whole application: what is shared, and of this person what is personal.
    Whole(Option<i32>),
    /// Those of somebody who may know of a part of it: what is public.
    Part,
}

impl Seen {
    pub(super) fn visibilities(self) -> &'static [&'static str] {
        match self {
            Seen::All => &["personal", "shared", "public"],
            Seen::Whole(_) => &["shared", "public"],
            Seen::Part => &["public"],
        }
    }

    pub(super) fn person(self) -> Option<i32> {
        match self {
            Seen::Whole(person) => person,
            Seen::All | Seen::Part => None,
        }
    }
}

/// Which rows somebody sees, by the first three parameters of a statement.
pub(super) const IS_SEEN: &str = "app_id = $1 AND (visibility = ANY ($2) OR user_id = $3)";

/// A segment as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// Key.
    pub id: i32,
    /// Its name.
    pub name: String,
    /// Its filters, of which all hold.
    pub filters: Vec<String>,
    /// Who sees it.
    pub visibility: Visibility,
    /// Who made it.
    pub created_by: String,
    /// UTC, RFC 3339.
    pub created_at: String,
    /// The person whose own it is; `None`: nobody's.
    #[serde(skip)]
    pub person: Option<i32>,
}

fn columns() -> String {
    format!("id, name, filters, visibility, created_by, {}, user_id", super::time("created_at"))
}

fn kept(row: &Row) -> anyhow::Result<Kept> {
    Ok(Kept {
        id: row.get(0),
        name: row.get(1),
        filters: row.get(2),
        visibility: Visibility::named(row.get(3)).context("a visibility of a segment that is not known")?,
        created_by: row.get(4),
        created_at: row.get(5),
        person: row.get(6),
    })
}

/// A segment as it is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct New {
    saved: Saved,
    visibility: Visibility,
    /// The person whose own it is.
    person: Option<i32>,
}

impl New {
    /// With this name and these filters, which may be on goals that the application has. `person` is whose own it is, if it
    /// is a personal one.
    ///
    /// # Errors
    /// The database cannot be asked. Within: it cannot be; says why, and how to mend it.
    pub async fn checked(
        client: &Client,
        app: &Application,
        saved: Result<Saved, String>,
        visibility: Visibility,
        person: Option<i32>,
    ) -> anyhow::Result<Result<New, String>> {
        let checked = saved.and_then(|saved| saved.filter().map(|filter| (saved, filter)));
        let (saved, filter) = match checked {
            Ok(checked) => checked,
            Err(why) => return Ok(Err(why)),
        };
        if visibility == Visibility::Personal && person.is_none() {
            return Ok(Err(
                "a personal segment is one of a person: sign in, use a token of a person, or let it be \
                           shared"
                    .to_owned(),
            ));
        }
        let person = person.filter(|_| visibility == Visibility::Personal);
        let goal = unknown_goal(client, app.id, &filter).await?;
        Ok(match goal {
            Some(goal) => {
                Err(format!("there is no goal {goal:?}; GET /api/v1/goals and `alt goal list` list them"))
            }
            None => Ok(New { saved, visibility, person }),
        })
    }
}

/// A goal that a filter names, and that an application does not have.
async fn unknown_goal(client: &Client, app_id: i32, filter: &Filter) -> anyhow::Result<Option<String>> {
    if !filter.has_goal() {
        return Ok(None);
    }
    let goals = goals::of(client, app_id).await?;
    Ok(filter.unknown_goal(&goals).map(str::to_owned))
}

/// At most `most` segments of an application by their names, behind the name `above`.
///
/// # Errors
/// The database cannot be asked.
pub async fn list(
    client: &Client,
    app_id: i32,
    seen: Seen,
    above: &str,
    most: i64,
) -> anyhow::Result<Vec<Kept>> {
    let sql = format!(
        "SELECT {} FROM stat_saved_filters WHERE {IS_SEEN} AND folded COLLATE \"C\" > $4 \
         ORDER BY folded COLLATE \"C\" LIMIT $5",
        columns()
    );
    let above = folded(above);
    let parameters: [(&(dyn ToSql + Sync), Type); 5] = [
        (&app_id, Type::INT4),
        (&seen.visibilities(), Type::TEXT_ARRAY),
        (&seen.person(), Type::INT4),
        (&above, Type::TEXT),
        (&most, Type::INT8),
    ];
    let rows = client.query_typed(&sql, &parameters).await.context("read the segments")?;
    rows.iter().map(kept).collect()
}

/// The segments of an application with these names, as [`folded`] writes them.
async fn named(client: &Client, app_id: i32, seen: Seen, names: &[String]) -> anyhow::Result<Vec<Saved>> {
    let sql = format!("SELECT name, filters FROM stat_saved_filters WHERE {IS_SEEN} AND folded = ANY ($4)");
    let parameters: [(&(dyn ToSql + Sync), Type); 4] = [
        (&app_id, Type::INT4),
        (&seen.visibilities(), Type::TEXT_ARRAY),
        (&seen.person(), Type::INT4),
        (&names, Type::TEXT_ARRAY),
    ];
    let rows = client.query_typed(&sql, &parameters).await.context("read the segments")?;
    Ok(rows.iter().map(|row| Saved { name: row.get(0), filters: row.get(1) }).collect())
}

/// All of these filters, as people write them; `segment is NAME` stands for the filters of a segment of the application that
/// is seen. `None`: there is no filter.
///
/// # Errors
/// The database cannot be asked. Within: one is no filter, or its segment is not there, or cannot be used; says which, and
/// how to mend it.
pub async fn filter(
    client: &Client,
    app_id: i32,
    seen: Seen,
    texts: &[&str],
) -> anyhow::Result<Result<Option<Filter>, String>> {
    let names = match saved::names(texts) {
        Ok(names) if names.is_empty() => return Ok(saved::all(texts, &[])),
        Ok(names) => names,
        Err(why) => return Ok(Err(why)),
    };
    let known = named(client, app_id, seen, &names).await?;
    for saved in &known {
        let goal = match saved.filter() {
            Ok(filter) => unknown_goal(client, app_id, &filter).await?,
            Err(why) => return Ok(Err(why)),
        };
        if let Some(goal) = goal {
            return Ok(Err(format!(
                "the segment {:?} cannot be used until it is changed: there is no goal {goal:?} any more",
                saved.name
            )));
        }
    }
    Ok(saved::all(texts, &known))
}

/// Why a segment is not added or changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// The application has another segment of this name.
    Exists,
    /// The application has [`OF_APP_MAX`] segments.
    Full,
}

impl Refused {
    /// What to do.
    #[must_use]
    pub fn why(self) -> String {
        match self {
            Refused::Exists => {
                "the application has a segment of this name, perhaps a personal one of somebody: take another name"
                    .to_owned()
            }
            Refused::Full => {
                format!("the application has {OF_APP_MAX} segments, which is the most: remove one")
            }
        }
    }
}

fn object(kept: &Kept, app: &Application) -> String {
    format!("segment {} ({}), application {}", kept.id, kept.name, app.key)
}

/// Whether the application has a segment of this name other than `but`; and how many segments it has. Nobody adds or renames
/// one until the transaction ends.
async fn known(client: &Client, app: &Application, name: &str, but: i32) -> anyhow::Result<(bool, i64)> {
    client.execute_typed("SELECT pg_advisory_xact_lock($1)", &[(&LOCK, Type::INT8)]).await?;
    let sql = "SELECT coalesce(bool_or(folded = $2 AND id <> $3), false), count(*) FROM stat_saved_filters \
               WHERE app_id = $1";
    let folded = folded(name);
    let parameters: [(&(dyn ToSql + Sync), Type); 3] =
        [(&app.id, Type::INT4), (&folded, Type::TEXT), (&but, Type::INT4)];
    let row = client.query_typed_one(sql, &parameters).await.context("count the segments")?;
    Ok((row.get(0), row.get(1)))
}

/// Adds a segment, within a transaction. `by` is who does it.
///
/// # Errors
/// The database does not do it.
pub async fn add(
    client: &Client,
    app: &Application,
    new: &New,
    by: &str,
) -> anyhow::Result<Result<(Kept, Change), Refused>> {
    match known(client, app, &new.saved.name, 0).await? {
        (true, _) => return Ok(Err(Refused::Exists)),
        (false, count) if count >= OF_APP_MAX => return Ok(Err(Refused::Full)),
        (false, _) => {}
    }
    let sql = format!(
        "INSERT INTO stat_saved_filters (app_id, name, folded, filters, visibility, user_id, created_by) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING {}",
        columns()
    );
    let folded = folded(&new.saved.name);
    let parameters: [(&(dyn ToSql + Sync), Type); 7] = [
        (&app.id, Type::INT4),
        (&new.saved.name, Type::TEXT),
        (&folded, Type::TEXT),
        (&new.saved.filters, Type::TEXT_ARRAY),
        (&new.visibility.as_str(), Type::TEXT),
        (&new.person, Type::INT4),
        (&by, Type::TEXT),
    ];
    let kept = kept(&client.query_typed_one(&sql, &parameters).await.context("add the segment")?)?;
    let after = Some(json!(kept));
    let change = Change { action: "segment.add", object: object(&kept, app), before: None, after };
    Ok(Ok((kept, change)))
}

/// The segment of an application with this name, whatever its capitals; nobody changes it until the transaction ends.
///
/// # Errors
/// The database cannot be asked.
pub async fn held_by_name(client: &Client, app: &Application, name: &str) -> anyhow::Result<Option<Kept>> {
    let sql =
        format!("SELECT {} FROM stat_saved_filters WHERE app_id = $1 AND folded = $2 FOR UPDATE", columns());
    let folded = folded(name);
    let row = client.query_typed_opt(&sql, &[(&app.id, Type::INT4), (&folded, Type::TEXT)]).await;
    row.context("read the segment")?.as_ref().map(kept).transpose()
}

/// The segment of an application with this key, if it is seen; nobody changes it until the transaction ends.
///
/// # Errors
/// The database cannot be asked.
pub async fn held(client: &Client, app: &Application, seen: Seen, id: i32) -> anyhow::Result<Option<Kept>> {
    let sql = format!("SELECT {} FROM stat_saved_filters WHERE {IS_SEEN} AND id = $4 FOR UPDATE", columns());
    let parameters: [(&(dyn ToSql + Sync), Type); 4] = [
        (&app.id, Type::INT4),
        (&seen.visibilities(), Type::TEXT_ARRAY),
        (&seen.person(), Type::INT4),
        (&id, Type::INT4),
    ];
    let row = client.query_typed_opt(&sql, &parameters).await.context("read the segment")?;
    row.as_ref().map(kept).transpose()
}

/// Makes of a segment that is held another one.
///
/// # Errors
/// The database does not do it.
pub async fn change(
    client: &Client,
    app: &Application,
    before: &Kept,
    new: &New,
) -> anyhow::Result<Result<(Kept, Change), Refused>> {
    if known(client, app, &new.saved.name, before.id).await?.0 {
        return Ok(Err(Refused::Exists));
    }
    let sql = format!(
        "UPDATE stat_saved_filters SET name = $3, folded = $4, filters = $5, visibility = $6, user_id = $7 \
         WHERE app_id = $1 AND id = $2 RETURNING {}",
        columns()
    );
    let folded = folded(&new.saved.name);
    let parameters: [(&(dyn ToSql + Sync), Type); 7] = [
        (&app.id, Type::INT4),
        (&before.id, Type::INT4),
        (&new.saved.name, Type::TEXT),
        (&folded, Type::TEXT),
        (&new.saved.filters, Type::TEXT_ARRAY),
        (&new.visibility.as_str(), Type::TEXT),
        (&new.person, Type::INT4),
    ];
    let now = kept(&client.query_typed_one(&sql, &parameters).await.context("change the segment")?)?;
    let (object, before) = (object(&now, app), Some(json!(before)));
    let change = Change { action: "segment.change", object, before, after: Some(json!(now)) };
    Ok(Ok((now, change)))
}

/// Removes a segment that is held.
///
/// # Errors
/// The database does not do it.
pub async fn remove(client: &Client, app: &Application, held: &Kept) -> anyhow::Result<Change> {
    let sql = "DELETE FROM stat_saved_filters WHERE app_id = $1 AND id = $2";
    let parameters: [(&(dyn ToSql + Sync), Type); 2] = [(&app.id, Type::INT4), (&held.id, Type::INT4)];
    client.execute_typed(sql, &parameters).await.context("remove the segment")?;
    let before = Some(json!(held));
    Ok(Change { action: "segment.remove", object: object(held, app), before, after: None })
}
