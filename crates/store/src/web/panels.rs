//! Panels of people: questions that applications keep under a name, in an order. Those of a person are ordered by themselves, and
//! so are those that are nobody's own.

use alt_statistics::query::panel::{Drawing, Panel};
use alt_statistics::query::saved::folded;
use anyhow::Context;
use serde::Serialize;
use serde_json::json;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};

use super::audit::Change;
use super::saved::{IS_SEEN, Seen, Visibility};
use crate::apps::Application;

/// The most panels of an application that are nobody's own, and the most of each person in it.
pub const OF_ALL_MAX: i64 = 50;

/// Held while panels of an application are added, ordered, named anew or removed, so that none is lost in their order, and no more
/// than [`OF_ALL_MAX`] are kept ("alt pane").
const LOCK: i64 = 0x616c_7420_7061_6e65;

/// A panel as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// Key.
    pub id: i32,
    /// Its name.
    pub name: String,
    /// How it is drawn.
    pub drawing: &'static str,
    /// Its numbers.
    pub metrics: Vec<String>,
    /// What is counted by.
    pub dimension: Option<String>,
    /// By which times it is counted.
    pub interval: Option<String>,
    /// Its filters, of which all hold.
    pub filters: Vec<String>,
    /// The property that is summed.
    pub sum: Option<String>,
    /// The most values.
    pub limit: i32,
    /// Who sees it.
    pub visibility: Visibility,
    /// Its place among those that are ordered together, from 1.
    pub place: i32,
    /// Who made it.
    pub created_by: String,
    /// UTC, RFC 3339.
    pub created_at: String,
    /// The person whose own it is; `None`: nobody's.
    #[serde(skip)]
    pub person: Option<i32>,
}

impl Kept {
    /// The question.
    #[must_use]
    pub fn panel(&self) -> Panel {
        Panel {
            name: self.name.clone(),
            drawing: Drawing::named(self.drawing).unwrap_or(Drawing::Table),
            metrics: self.metrics.clone(),
            dimension: self.dimension.clone(),
            interval: self.interval.clone(),
            filters: self.filters.clone(),
            sum: self.sum.clone(),
            limit: self.limit,
        }
    }
}

fn columns() -> String {
    format!(
        "id, name, drawing, metrics, dimension, interval, filters, sum, most, visibility, place, created_by, {}, user_id",
        super::time("created_at")
    )
}

fn kept(row: &Row) -> anyhow::Result<Kept> {
    Ok(Kept {
        id: row.get(0),
        name: row.get(1),
        drawing: Drawing::named(row.get(2)).context("a drawing of a panel that is not known")?.as_str(),
        metrics: row.get(3),
        dimension: row.get(4),
        interval: row.get(5),
        filters: row.get(6),
        sum: row.get(7),
        limit: row.get(8),
        visibility: Visibility::named(row.get(9)).context("a visibility of a panel that is not known")?,
        place: row.get(10),
        created_by: row.get(11),
        created_at: row.get(12),
        person: row.get(13),
    })
}

/// A panel as it is to be: who sees it, and whose own it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct New {
    /// What is asked, and how it is drawn.
    pub panel: Panel,
    /// Who sees it.
    pub visibility: Visibility,
    /// The person whose own it is, if it is a personal one.
    pub person: Option<i32>,
}

/// Why a panel is not added or changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// There is another panel of this name.
    Exists,
    /// There are [`OF_ALL_MAX`] panels.
    Full,
    /// A personal panel of nobody.
    Nobody,
}

impl Refused {
    /// What to do.
    #[must_use]
    pub fn why(self) -> String {
        match self {
            Refused::Exists => {
                "there is a panel of this name: take another name, or change that panel".to_owned()
            }
            Refused::Full => format!(
                "there are {OF_ALL_MAX} panels, which is the most of a person and the most that are nobody's own: remove one"
            ),
            Refused::Nobody => {
                "a personal panel is one of a person: sign in, use a token of a person, or let it be shared"
                    .to_owned()
            }
        }
    }
}

/// The panels of an application that somebody sees, one's own first.
///
/// # Errors
/// The database cannot be asked.
pub async fn list(client: &Client, app_id: i32, seen: Seen) -> anyhow::Result<Vec<Kept>> {
    // As many as there can be: those of all, and one person's; those of all people for who administers the installation.
    let sql = format!(
        "SELECT {} FROM stat_panels WHERE {} ORDER BY user_id NULLS LAST, place, id LIMIT 1000",
        columns(),
        IS_SEEN
    );
    let parameters: [(&(dyn ToSql + Sync), Type); 3] =
        [(&app_id, Type::INT4), (&seen.visibilities(), Type::TEXT_ARRAY), (&seen.person(), Type::INT4)];
    let rows = client.query_typed(&sql, &parameters).await.context("read the panels")?;
    rows.iter().map(kept).collect()
}

/// The panel of an application with this key, if it is seen.
///
/// # Errors
/// The database cannot be asked.
pub async fn one(client: &Client, app_id: i32, seen: Seen, id: i32) -> anyhow::Result<Option<Kept>> {
    let sql = format!("SELECT {} FROM stat_panels WHERE {} AND id = $4", columns(), IS_SEEN);
    let parameters: [(&(dyn ToSql + Sync), Type); 4] = [
        (&app_id, Type::INT4),
        (&seen.visibilities(), Type::TEXT_ARRAY),
        (&seen.person(), Type::INT4),
        (&id, Type::INT4),
    ];
    let row = client.query_typed_opt(&sql, &parameters).await.context("read the panel")?;
    row.as_ref().map(kept).transpose()
}

/// The same, and nobody changes or orders panels until the transaction ends.
///
/// # Errors
/// The database cannot be asked.
pub async fn held(client: &Client, app_id: i32, seen: Seen, id: i32) -> anyhow::Result<Option<Kept>> {
    lock(client).await?;
    one(client, app_id, seen, id).await
}

async fn lock(client: &Client) -> anyhow::Result<()> {
    client.execute_typed("SELECT pg_advisory_xact_lock($1)", &[(&LOCK, Type::INT8)]).await?;
    Ok(())
}

fn object(kept: &Kept, app: &Application) -> String {
    format!("panel {} ({}), application {}", kept.id, kept.name, app.key)
}

/// Whether those that are ordered together have another one of this name; and how many they are.
async fn known(client: &Client, app_id: i32, new: &New, but: i32) -> anyhow::Result<(bool, i64)> {
    let sql = "SELECT coalesce(bool_or(folded = $3), false), count(*) FROM stat_panels \
               WHERE app_id = $1 AND user_id IS NOT DISTINCT FROM $2 AND id <> $4";
    let folded = folded(&new.panel.name);
    let parameters: [(&(dyn ToSql + Sync), Type); 4] =
        [(&app_id, Type::INT4), (&new.person, Type::INT4), (&folded, Type::TEXT), (&but, Type::INT4)];
    let row = client.query_typed_one(sql, &parameters).await.context("count the panels")?;
    Ok((row.get(0), row.get(1)))
}

/// Whether it may be kept, beside those that are there.
async fn checked(client: &Client, app_id: i32, new: &New, but: i32) -> anyhow::Result<Result<i64, Refused>> {
    if (new.visibility == Visibility::Personal) != new.person.is_some() {
        return Ok(Err(Refused::Nobody));
    }
    Ok(match known(client, app_id, new, but).await? {
        (true, _) => Err(Refused::Exists),
        (false, count) if count >= OF_ALL_MAX => Err(Refused::Full),
        (false, count) => Ok(count),
    })
}

/// Adds a panel behind all others, within a transaction. `by` is who does it.
///
/// # Errors
/// The database does not do it.
pub async fn add(
    client: &Client,
    app: &Application,
    new: &New,
    by: &str,
) -> anyhow::Result<Result<(Kept, Change), Refused>> {
    lock(client).await?;
    let count = match checked(client, app.id, new, 0).await? {
        Ok(count) => count,
        Err(refused) => return Ok(Err(refused)),
    };
    let place = i32::try_from(count + 1).context("count the panels")?;
    let sql = format!(
        "INSERT INTO stat_panels (app_id, name, folded, drawing, metrics, dimension, interval, filters, sum, most, visibility, \
             user_id, place, created_by) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) RETURNING {}",
        columns()
    );
    let folded = folded(&new.panel.name);
    let (drawing, visibility) = (new.panel.drawing.as_str(), new.visibility.as_str());
    let parameters: [(&(dyn ToSql + Sync), Type); 14] = [
        (&app.id, Type::INT4),
        (&new.panel.name, Type::TEXT),
        (&folded, Type::TEXT),
        (&drawing, Type::TEXT),
        (&new.panel.metrics, Type::TEXT_ARRAY),
        (&new.panel.dimension, Type::TEXT),
        (&new.panel.interval, Type::TEXT),
        (&new.panel.filters, Type::TEXT_ARRAY),
        (&new.panel.sum, Type::TEXT),
        (&new.panel.limit, Type::INT4),
        (&visibility, Type::TEXT),
        (&new.person, Type::INT4),
        (&place, Type::INT4),
        (&by, Type::TEXT),
    ];
    let kept = kept(&client.query_typed_one(&sql, &parameters).await.context("add the panel")?)?;
    let (object, after) = (object(&kept, app), Some(json!(kept)));
    Ok(Ok((kept, Change { action: "panel.add", object, before: None, after })))
}

/// Makes of a panel that is held another one, at the place `place` of those that are ordered with it; `None`: at its own, or
/// behind all others, if these are others now.
///
/// # Errors
/// The database does not do it.
pub async fn change(
    client: &Client,
    app: &Application,
    before: &Kept,
    new: &New,
    place: Option<i32>,
) -> anyhow::Result<Result<(Kept, Change), Refused>> {
    if let Err(refused) = checked(client, app.id, new, before.id).await? {
        return Ok(Err(refused));
    }
    let sql = "UPDATE stat_panels SET name = $3, folded = $4, drawing = $5, metrics = $6, dimension = $7, interval = $8, filters = $9, \
               sum = $10, most = $11, visibility = $12, user_id = $13 WHERE app_id = $1 AND id = $2";
    let folded = folded(&new.panel.name);
    let (drawing, visibility) = (new.panel.drawing.as_str(), new.visibility.as_str());
    let parameters: [(&(dyn ToSql + Sync), Type); 13] = [
        (&app.id, Type::INT4),
        (&before.id, Type::INT4),
        (&new.panel.name, Type::TEXT),
        (&folded, Type::TEXT),
        (&drawing, Type::TEXT),
        (&new.panel.metrics, Type::TEXT_ARRAY),
        (&new.panel.dimension, Type::TEXT),
        (&new.panel.interval, Type::TEXT),
        (&new.panel.filters, Type::TEXT_ARRAY),
        (&new.panel.sum, Type::TEXT),
        (&new.panel.limit, Type::INT4),
        (&visibility, Type::TEXT),
        (&new.person, Type::INT4),
    ];
    client.execute_typed(sql, &parameters).await.context("change the panel")?;
    if new.person != before.person {
        order(client, app.id, before.person, None).await?;
    }
    let place = place.or((new.person != before.person).then_some(i32::MAX));
    if let Some(place) = place {
        order(client, app.id, new.person, Some(Moved { id: before.id, place })).await?;
    }
    let now = one(client, app.id, Seen::All, before.id).await?.context("the panel is gone")?;
    let (object, before) = (object(&now, app), Some(json!(before)));
    let change = Change { action: "panel.change", object, before, after: Some(json!(now)) };
    Ok(Ok((now, change)))
}

/// A panel, and the place at which it is to be.
struct Moved {
    id: i32,
    place: i32,
}

/// Numbers those that are ordered together from 1. Who orders them at the same time waits for the lock, and moves a panel among
/// those that the one before left.
async fn order(
    client: &Client,
    app_id: i32,
    person: Option<i32>,
    moved: Option<Moved>,
) -> anyhow::Result<()> {
    let Moved { id, place } = moved.unwrap_or(Moved { id: 0, place: 0 });
    // The others keep their order, and stand around it.
    let sql = "WITH others AS (SELECT id, row_number() OVER (ORDER BY place, id) AS n FROM stat_panels \
                   WHERE app_id = $1 AND user_id IS NOT DISTINCT FROM $2 AND id <> $3), \
               placed AS (SELECT id, n, 1 AS side FROM others UNION ALL SELECT $3, $4::bigint, 0 WHERE $3 <> 0), \
               numbered AS (SELECT id, row_number() OVER (ORDER BY n, side) AS n FROM placed) \
               UPDATE stat_panels p SET place = numbered.n FROM numbered \
               WHERE p.id = numbered.id AND p.app_id = $1 AND p.place <> numbered.n";
    let parameters: [(&(dyn ToSql + Sync), Type); 4] =
        [(&app_id, Type::INT4), (&person, Type::INT4), (&id, Type::INT4), (&place, Type::INT4)];
    client.execute_typed(sql, &parameters).await.context("order the panels")?;
    Ok(())
}

/// Removes a panel that is held.
///
/// # Errors
/// The database does not do it.
pub async fn remove(client: &Client, app: &Application, held: &Kept) -> anyhow::Result<Change> {
    let sql = "DELETE FROM stat_panels WHERE app_id = $1 AND id = $2";
    let parameters: [(&(dyn ToSql + Sync), Type); 2] = [(&app.id, Type::INT4), (&held.id, Type::INT4)];
    client.execute_typed(sql, &parameters).await.context("remove the panel")?;
    order(client, app.id, held.person, None).await?;
    let before = Some(json!(held));
    Ok(Change { action: "panel.remove", object: object(held, app), before, after: None })
}
