//! Annotations: what happened on a day of an application.

use anyhow::Context;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Serialize;
use serde_json::json;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};

use super::audit::Change;
use crate::apps::Application;
use crate::stats::period::Dates;

/// The most annotations of an application.
pub const OF_APP_MAX: i64 = 500;

/// The most characters of a text.
pub const TEXT_MAX: usize = 200;

/// Held while an annotation is added, so that no application gets more than [`OF_APP_MAX`] ("alt note").
const LOCK: i64 = 0x616c_7420_6e6f_7465;

/// An annotation as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// Key.
    pub id: i32,
    /// The day, `2026-01-31`.
    pub day: String,
    /// What happened.
    pub text: String,
    /// Whether shares show it.
    pub is_public: bool,
    /// UTC, RFC 3339.
    pub created_at: String,
}

fn columns() -> String {
    format!("id, day::text, text, is_public, {}", super::time("created_at"))
}

fn kept(row: &Row) -> Kept {
    Kept { id: row.get(0), day: row.get(1), text: row.get(2), is_public: row.get(3), created_at: row.get(4) }
}

/// A day since 1970 that is written as `2026-01-31`, and in no other spelling, of which `Date` knows some.
#[must_use]
pub fn written(day: &str) -> Option<Date> {
    day.parse::<Date>().ok().filter(|known| known.year() >= 1970 && known.to_string() == day)
}

/// An annotation as it is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Annotation {
    day: Date,
    text: String,
    is_public: bool,
}

impl Annotation {
    /// Of a day, `2026-01-31` or `today`, of an application.
    ///
    /// # Errors
    /// It cannot be; says why, and how to write it.
    pub fn checked(app: &Application, day: &str, text: &str, is_public: bool) -> Result<Annotation, String> {
        let day = match day {
            "today" => {
                let zone = TimeZone::get(&app.time_zone).unwrap_or(TimeZone::UTC);
                Some(Timestamp::now().to_zoned(zone).date())
            }
            _ => written(day),
        };
        let day = day.ok_or("day is a day since 1970 such as 2026-01-31, or today")?;
        let text = text.trim();
        if text.is_empty() || text.chars().count() > TEXT_MAX || text.contains(char::is_control) {
            return Err(format!("text has 1 to {TEXT_MAX} characters, none of them a control character"));
        }
        Ok(Annotation { day, text: text.to_owned(), is_public })
    }
}

/// Which annotations somebody sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// All of the application.
    All,
    /// Those that are public.
    Public,
}

/// At most `most` annotations of an application, the latest days first, behind the day and key of `below`.
///
/// # Errors
/// The database cannot be asked.
pub async fn list(
    client: &Client,
    app_id: i32,
    seen: Seen,
    below: Option<(Date, i32)>,
    most: i64,
) -> anyhow::Result<Vec<Kept>> {
    let (day, id) = below.map_or((None, None), |(day, id)| (Some(day.to_string()), Some(id)));
    let sql = format!(
        "SELECT {} FROM stat_annotations WHERE app_id = $1 AND (is_public OR NOT $2) \
         AND ($3::text IS NULL OR (day, id) < ($3::text::date, $4)) ORDER BY day DESC, id DESC LIMIT $5",
        columns()
    );
    let parameters: [(&(dyn ToSql + Sync), Type); 5] = [
        (&app_id, Type::INT4),
        (&(seen == Seen::Public), Type::BOOL),
        (&day, Type::TEXT),
        (&id, Type::INT4),
        (&most, Type::INT8),
    ];
    let rows = client.query_typed(&sql, &parameters).await.context("read the annotations")?;
    Ok(rows.iter().map(kept).collect())
}

/// The annotations of some days of an application, in their order.
///
/// # Errors
/// The database cannot be asked.
pub async fn of(client: &Client, app_id: i32, seen: Seen, days: Dates) -> anyhow::Result<Vec<Kept>> {
    let (from, until) = (days.from.to_string(), days.until.to_string());
    let sql = format!(
        "SELECT {} FROM stat_annotations WHERE app_id = $1 AND (is_public OR NOT $2) \
         AND day BETWEEN $3::text::date AND $4::text::date ORDER BY day, id",
        columns()
    );
    let parameters: [(&(dyn ToSql + Sync), Type); 4] = [
        (&app_id, Type::INT4),
        (&(seen == Seen::Public), Type::BOOL),
        (&from, Type::TEXT),
        (&until, Type::TEXT),
    ];
    let rows = client.query_typed(&sql, &parameters).await.context("read the annotations")?;
    Ok(rows.iter().map(kept).collect())
}

fn object(kept: &Kept, app: &Application) -> String {
    format!("annotation {} ({}), application {}", kept.id, kept.day, app.key)
}

/// Adds an annotation, within a transaction. `None`: the application has [`OF_APP_MAX`] of them.
///
/// # Errors
/// The database does not do it.
pub async fn add(
    client: &Client,
    app: &Application,
    new: &Annotation,
) -> anyhow::Result<Option<(Kept, Change)>> {
    client.execute_typed("SELECT pg_advisory_xact_lock($1)", &[(&LOCK, Type::INT8)]).await?;
    let sql = "SELECT count(*) FROM stat_annotations WHERE app_id = $1";
    let known: i64 = client.query_typed_one(sql, &[(&app.id, Type::INT4)]).await?.get(0);
    if known >= OF_APP_MAX {
        return Ok(None);
    }
    let sql = format!(
        "INSERT INTO stat_annotations (app_id, day, text, is_public) VALUES ($1, $2::text::date, $3, $4) RETURNING {}",
        columns()
    );
    let day = new.day.to_string();
    let parameters: [(&(dyn ToSql + Sync), Type); 4] =
        [(&app.id, Type::INT4), (&day, Type::TEXT), (&new.text, Type::TEXT), (&new.is_public, Type::BOOL)];
    let kept = kept(&client.query_typed_one(&sql, &parameters).await.context("add the annotation")?);
    let change = Change {
        action: "annotation.add",
        object: object(&kept, app),
        before: None,
        after: Some(json!(kept)),
    };
    Ok(Some((kept, change)))
}

/// The annotation of an application with this key; nobody changes it until the transaction ends.
///
/// # Errors
/// The database cannot be asked.
pub async fn held(client: &Client, app: &Application, id: i32) -> anyhow::Result<Option<Kept>> {
    let sql = format!("SELECT {} FROM stat_annotations WHERE app_id = $1 AND id = $2 FOR UPDATE", columns());
    let row = client.query_typed_opt(&sql, &[(&app.id, Type::INT4), (&id, Type::INT4)]).await;
    Ok(row.context("read the annotation")?.as_ref().map(kept))
}

/// Makes of an annotation that is held another one.
///
/// # Errors
/// The database does not do it.
pub async fn change(
    client: &Client,
    app: &Application,
    before: &Kept,
    new: &Annotation,
) -> anyhow::Result<(Kept, Change)> {
    let sql = format!(
        "UPDATE stat_annotations SET day = $3::text::date, text = $4, is_public = $5 \
         WHERE app_id = $1 AND id = $2 RETURNING {}",
        columns()
    );
    let day = new.day.to_string();
    let parameters: [(&(dyn ToSql + Sync), Type); 5] = [
        (&app.id, Type::INT4),
        (&before.id, Type::INT4),
        (&day, Type::TEXT),
        (&new.text, Type::TEXT),
        (&new.is_public, Type::BOOL),
    ];
    let now = kept(&client.query_typed_one(&sql, &parameters).await.context("change the annotation")?);
    let (object, before) = (object(&now, app), Some(json!(before)));
    let change = Change { action: "annotation.change", object, before, after: Some(json!(now)) };
    Ok((now, change))
}

/// Removes the annotation with this key from an application. `None`: it has no such annotation.
///
/// # Errors
/// The database does not do it.
pub async fn remove(client: &Client, app: &Application, id: i32) -> anyhow::Result<Option<Change>> {
    let sql = format!("DELETE FROM stat_annotations WHERE app_id = $1 AND id = $2 RETURNING {}", columns());
    let row = client.query_typed_opt(&sql, &[(&app.id, Type::INT4), (&id, Type::INT4)]).await;
    Ok(row.context("remove the annotation")?.as_ref().map(kept).map(|kept| Change {
        action: "annotation.remove",
        object: object(&kept, app),
        before: Some(json!(kept)),
        after: None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_annotation_has_a_day_and_a_text() {
        let app = Application { time_zone: "Pacific/Kiritimati".into(), ..Application::default() };
        let checked = |day: &str, text: &str| Annotation::checked(&app, day, text, false);
        assert_eq!(checked("2026-01-31", " release 2.1 ").unwrap().text, "release 2.1");
        assert!(checked("today", "x").is_ok() && checked("2026-01-31", &"ü".repeat(200)).is_ok());
        for day in
            ["", "2026-02-30", "1969-12-31", "20260131", "2026-01-31T00:00", "yesterday", "-009999-01-01"]
        {
            assert!(checked(day, "x").unwrap_err().contains("2026-01-31"), "{day}");
        }
        for text in ["", " \u{3000}", "a\nb", "a\u{0}", &"x".repeat(201)] {
            assert!(checked("2026-01-31", text).unwrap_err().contains("1 to 200"), "{text:?}");
        }
    }
}
