//! What was counted and found of an application in a turn, and how it is stored.

use std::collections::BTreeSet;
use std::ops::Range;

use alt_alerts::lens::Lens;
use alt_alerts::time::{Micros, SECOND};
use alt_process::clock::system_time;
use anyhow::Context;
use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};

use super::buckets::{self, minute_of};
use super::course::{Course, Courses};
use super::follow::{self, AppTime, Mark};
use super::outbox::Telling;
use super::plan::{Piece, Recent};
use super::record::{self, About};
use super::rows::Reading;
use super::series::Fresh;

/// No row lies so far ahead of the clock.
const AHEAD: Micros = 86_400 * SECOND;

/// An application, and how far it was judged.
#[derive(Debug, Clone)]
pub(super) struct App {
    pub id: i32,
    pub key: String,
    pub judged: Option<Micros>,
}

/// What was found of an application.
pub(super) struct Judged {
    pub app: App,
    pub from: Micros,
    pub until: Micros,
    pub is_partial: bool,
    pub courses: Courses,
    /// Counts that replace those that are stored.
    pub counts: Vec<Fresh>,
    pub piece: Piece,
    pub lenses: BTreeSet<Lens>,
    /// It says something new.
    pub is_news: bool,
    /// More is marked.
    pub has_more: bool,
    pub recent: Option<Recent>,
}

/// What was counted of an application.
pub(super) struct Tally {
    pub piece: Piece,
    /// What was counted of the piece.
    pub counted: Option<Fresh>,
    /// What is in memory, up to the end of what is judged.
    pub recent: Option<Recent>,
    pub lenses: BTreeSet<Lens>,
    /// The database's clock.
    pub now: Micros,
}

/// Counts a piece.
pub(super) fn counted(
    reading: &mut Reading<'_>,
    app_id: i32,
    piece: &Piece,
    lenses: &BTreeSet<Lens>,
) -> anyhow::Result<Option<Fresh>> {
    let Some(times) = piece.times.clone() else { return Ok(None) };
    let counted = reading.count(app_id, &times, lenses)?;
    Ok(Some(Fresh { times, counted }))
}

impl Tally {
    /// With what was found by it.
    pub(super) fn judged(self, app: &App, from: Micros, times: Range<Micros>, courses: Courses) -> Judged {
        let Range { start: judged, end: until } = times;
        let mut counts: Vec<Fresh> = self.counted.clone().into_iter().collect();
        let minutes = minute_of(judged)..minute_of(until);
        if let Some(recent) = &self.recent
            && !minutes.is_empty()
        {
            let counted = recent.fresh.within(&minutes);
            counts.extend((!counted.is_empty()).then_some(Fresh { times: minutes, counted }));
        }
        let is_news = !counts.is_empty() || courses.values().any(Course::is_changed);
        let (noted, rows_until, fresh) = match self.recent {
            Some(recent) => (recent.noted, recent.rows_until, Some(recent.fresh)),
            // What was counted is of use if it reaches to the end. What was seen before of later rows is not known.
            None => (None, self.now + AHEAD, self.counted.filter(|fresh| fresh.times.end == until)),
        };
        let recent = fresh.map(|fresh| Recent {
            judged: until,
            is_partial: false,
            lenses: self.lenses.clone(),
            fresh,
            rows_until,
            noted,
        });
        Judged {
            app: app.clone(),
            from,
            until,
            is_partial: false,
            courses,
            counts,
            has_more: !self.piece.dirty().is_empty(),
            piece: self.piece,
            lenses: self.lenses,
            is_news,
            recent,
        }
    }
}

impl Judged {
    /// Of an application that no rule judges, marks are done with.
    pub(super) fn of_no_rule(app: &App, marks: &[Mark]) -> Judged {
        Judged {
            app: app.clone(),
            from: 0,
            until: 0,
            is_partial: false,
            courses: Courses::new(),
            counts: Vec::new(),
            piece: Piece { ids: marks.iter().filter_map(|mark| mark.id).collect(), ..Piece::default() },
            lenses: BTreeSet::new(),
            is_news: true,
            has_more: false,
            recent: None,
        }
    }

    /// Stores it. Runs within a transaction.
    pub(super) async fn store(&self, client: &Client, telling: &Telling, now: Micros) -> anyhow::Result<()> {
        let app_id = self.app.id;
        if !self.counts.is_empty() {
            let ids = buckets::lens_ids(client, &self.lenses).await?;
            for Fresh { times, counted } in &self.counts {
                let length = buckets::length_at(times.start, now);
                // A minute is stored when it is over.
                let times = times.start..times.end.min(minute_of(self.until).max(times.start));
                buckets::replace(client, app_id, &times, &ids, counted, length).await?;
            }
        }
        // Of an application that no rule judges, nothing was judged.
        if self.until > 0 {
            let about = About {
                app_id,
                application: &self.app.key,
                from: self.from,
                until: self.until,
                is_partial: self.is_partial,
                telling,
            };
            let told = record::store(client, &about, &self.courses).await?;
            note_judged(client, &about).await?;
            tracing::debug!(app = self.app.key, told, "judged");
        }
        follow::unmark(client, app_id, &self.piece.ids).await?;
        let left = self.piece.unmarked().into_iter();
        let left: Vec<AppTime> =
            left.map(|time| AppTime { app_id, from: time.start, until: time.end }).collect();
        follow::mark(client, &left).await
    }
}

async fn note_judged(client: &Client, about: &About<'_>) -> anyhow::Result<()> {
    let until = system_time(about.until);
    let parameters: [(&(dyn ToSql + Sync), Type); 3] =
        [(&about.app_id, Type::INT4), (&until, Type::TIMESTAMPTZ), (&about.is_partial, Type::BOOL)];
    let sql = "INSERT INTO alert_apps AS a (app_id, judged_at, partial) VALUES ($1, $2, $3) \
               ON CONFLICT (app_id) DO UPDATE SET judged_at = excluded.judged_at, partial = excluded.partial \
               WHERE (a.judged_at, a.partial) IS DISTINCT FROM (excluded.judged_at, excluded.partial)";
    client.execute_typed(sql, &parameters).await.context("note how far an application is judged")?;
    Ok(())
}
