//! Stores what was judged: states, episodes, transitions, and messages about them. All of it runs within the
//! transaction that deletes the marks.

use alt_alerts::episode::{Fate, Interval, Known as KnownEpisode, intervals, reconcile};
use alt_alerts::judge::{Change, state_at};
use alt_alerts::rule::Severity;
use alt_alerts::state::State;
use alt_alerts::time::Micros;
use alt_process::clock::system_time;
use anyhow::Context;
use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};

use super::course::{Course, Courses, Found};
use super::keys::{self, Episode, Labels};
use super::outbox::{self, Subject, Telling};

/// What is the same for all keys of an application.
#[derive(Debug, Clone)]
pub struct About<'a> {
    /// The application: its key in `applications`, …
    pub app_id: i32,
    /// … and its public key.
    pub application: &'a str,
    /// The time from which on was judged.
    pub from: Micros,
    /// The time until which was judged.
    pub until: Micros,
    /// A source was behind, and left out.
    pub is_partial: bool,
    /// Who is told what.
    pub telling: &'a Telling,
}

/// What becomes known of an episode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Firing,
    Acknowledged,
    Resolved,
    Corrected,
    Superseded,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Firing => "firing",
            Kind::Acknowledged => "acknowledged",
            Kind::Resolved => "resolved",
            Kind::Corrected => "corrected",
            Kind::Superseded => "superseded",
        }
    }
}

/// Stores the courses of an application that changed. Returns the number of transitions.
///
/// # Errors
/// The database does not do it.
pub async fn store(client: &Client, about: &About<'_>, courses: &Courses) -> anyhow::Result<usize> {
    let mut count = 0;
    for ((rule_id, labels), course) in courses.iter().filter(|(_, course)| course.is_changed()) {
        let id = match course.known.id {
            Some(id) => id,
            None => keys::number(client, about.app_id, *rule_id, labels).await?,
        };
        keys::replace(client, id, about.from, &course.changes).await?;
        count += Key { client, about, id, rule_id: *rule_id, labels, course }.episodes().await?;
    }
    if count > 0 {
        outbox::inhibit(client, about.telling, about.app_id).await?;
    }
    Ok(count)
}

/// A key whose episodes are stored.
struct Key<'a> {
    client: &'a Client,
    about: &'a About<'a>,
    id: i64,
    rule_id: i32,
    labels: &'a Labels,
    course: &'a Course,
}

impl Key<'_> {
    async fn episodes(&self) -> anyhow::Result<usize> {
        let (live, corrected): (Vec<&Episode>, Vec<&Episode>) =
            self.course.known.episodes.iter().partition(|episode| episode.state != "corrected");
        let known: Vec<KnownEpisode> = live
            .iter()
            .map(|episode| {
                let (began, ended, is_by_hand) = (episode.began, episode.ended, episode.by_hand);
                KnownEpisode { id: episode.id, interval: Interval { began, ended, is_by_hand } }
            })
            .collect();
        let matched = reconcile(&known, &intervals(&self.course.changes));
        let mut count = 0;
        for (episode, (_, fate)) in live.iter().zip(&matched.fates) {
            count += match fate {
                Fate::Is(interval) => self.goes_on(episode, *interval).await?,
                Fate::Superseded { by } => self.is_over(episode, Kind::Superseded, Some(*by)).await?,
                Fate::Corrected => self.is_over(episode, Kind::Corrected, None).await?,
            };
        }
        for interval in &matched.new {
            // What was corrected, and is as it was before, is the same alert.
            let again = corrected.iter().find(|episode| episode.began == interval.began);
            count += match again {
                Some(episode) => {
                    let closed = Episode { ended: Some(episode.began), ..(*episode).clone() };
                    self.goes_on(&closed, *interval).await?
                }
                None => self.begins(*interval).await?,
            };
        }
        Ok(count)
    }

    /// The state of an episode with this interval.
    fn state_of(&self, interval: Interval) -> State {
        match interval.ended {
            Some(_) => State::Inactive,
            None => state_at(&self.course.changes, Micros::MAX),
        }
    }

    /// What is known of an alert without what its rule measured.
    fn not_measured(&self) -> Found {
        let title = self.about.telling.names.get(&self.rule_id).cloned().unwrap_or_default();
        Found { value: None, threshold: 0.0, severity: Severity::Medium, title, channels: Vec::new() }
    }

    async fn begins(&self, interval: Interval) -> anyhow::Result<usize> {
        let found = self.course.found.get(&interval.began).cloned().unwrap_or_else(|| self.not_measured());
        let channels = self.about.telling.channels(&found.channels);
        let severity = self.course.severity(interval.began, interval.ended).unwrap_or(found.severity).name();
        let state = name(self.state_of(interval));
        let (began, ended) = (system_time(interval.began), interval.ended.map(system_time));
        let parameters: [(&(dyn ToSql + Sync), Type); 13] = [
            (&self.id, Type::INT8),
            (&began, Type::TIMESTAMPTZ),
            (&ended, Type::TIMESTAMPTZ),
            (&found.value, Type::FLOAT8),
            (&found.threshold, Type::FLOAT8),
            (&self.rule_id, Type::INT4),
            (&self.about.app_id, Type::INT4),
            (&interval.is_by_hand, Type::BOOL),
            (&self.about.is_partial, Type::BOOL),
            (&severity, Type::TEXT),
            (&state, Type::TEXT),
            (&found.title, Type::TEXT),
            (&channels, Type::TEXT_ARRAY),
        ];
        let sql = "INSERT INTO alert_episodes (key_id, began_at, ended_at, value, threshold, rule_id, app_id, by_hand, \
                   partial, severity, state, title, channels) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) RETURNING id";
        let row = self.client.query_typed_one(sql, &parameters).await.context("store an alert")?;
        let mut episode = Episode {
            id: row.get(0),
            began: interval.began,
            ended: interval.ended,
            by_hand: interval.is_by_hand,
            state: state.to_owned(),
            seq: 0,
            value: found.value,
            channels,
            severity: severity.to_owned(),
        };
        self.transition(&mut episode, Kind::Firing, interval.began, interval).await?;
        if let Some(at) = interval.ended {
            self.transition(&mut episode, Kind::Resolved, at, interval).await?;
            return Ok(2);
        }
        Ok(1)
    }

    /// An episode that was known has these times now.
    async fn goes_on(&self, episode: &Episode, interval: Interval) -> anyhow::Result<usize> {
        let state = name(self.state_of(interval));
        let mut now = Episode { ended: interval.ended, state: state.to_owned(), ..episode.clone() };
        let steps = steps(episode, &self.course.changes, interval, state);
        for (kind, at) in &steps {
            self.transition(&mut now, *kind, *at, interval).await?;
        }
        let (began, ended) = (system_time(interval.began), interval.ended.map(system_time));
        let found = self.course.found.get(&interval.began);
        let value = found.map_or(episode.value, |found| found.value);
        let (threshold, title) =
            (found.map(|found| found.threshold), found.map(|found| found.title.as_str()));
        let severity = self.course.severity(interval.began, interval.ended).map(Severity::name);
        let parameters: [(&(dyn ToSql + Sync), Type); 10] = [
            (&episode.id, Type::INT8),
            (&began, Type::TIMESTAMPTZ),
            (&ended, Type::TIMESTAMPTZ),
            (&interval.is_by_hand, Type::BOOL),
            (&state, Type::TEXT),
            (&self.about.is_partial, Type::BOOL),
            (&value, Type::FLOAT8),
            (&threshold, Type::FLOAT8),
            (&title, Type::TEXT),
            (&severity, Type::TEXT),
        ];
        let sql = "UPDATE alert_episodes SET began_at = $2, ended_at = $3, by_hand = $4, state = $5, \
                   partial = $6, value = $7, threshold = coalesce($8, threshold), title = coalesce($9, title), \
                   severity = coalesce($10, severity), \
                   corrected_at = NULL WHERE id = $1";
        self.client.execute_typed(sql, &parameters).await.context("store an alert")?;
        Ok(steps.len())
    }

    /// An episode that was known is none any longer.
    async fn is_over(&self, episode: &Episode, kind: Kind, by: Option<i64>) -> anyhow::Result<usize> {
        let mut now = episode.clone();
        let ended = episode.ended.unwrap_or(self.about.until);
        let interval = Interval { began: episode.began, ended: Some(ended), is_by_hand: episode.by_hand };
        self.transition(&mut now, kind, self.about.until, interval).await?;
        let ended = system_time(ended);
        let parameters: [(&(dyn ToSql + Sync), Type); 4] = [
            (&episode.id, Type::INT8),
            (&ended, Type::TIMESTAMPTZ),
            (&by, Type::INT8),
            (&kind.name(), Type::TEXT),
        ];
        let sql = "UPDATE alert_episodes SET ended_at = $2, superseded_by = $3, state = $4, \
                   corrected_at = CASE WHEN $3 IS NULL THEN now() END WHERE id = $1";
        self.client.execute_typed(sql, &parameters).await.context("correct an alert")?;
        Ok(1)
    }

    /// Stores a transition, and enqueues the messages about it.
    async fn transition(
        &self,
        episode: &mut Episode,
        kind: Kind,
        at: Micros,
        interval: Interval,
    ) -> anyhow::Result<()> {
        episode.seq += 1;
        let value = self.course.found.get(&at).and_then(|found: &Found| found.value);
        let time = system_time(at);
        let parameters: [(&(dyn ToSql + Sync), Type); 5] = [
            (&episode.id, Type::INT8),
            (&episode.seq, Type::INT4),
            (&time, Type::TIMESTAMPTZ),
            (&value, Type::FLOAT8),
            (&kind.name(), Type::TEXT),
        ];
        let sql = "WITH told AS (INSERT INTO alert_transitions (episode_id, seq, at, value, kind) VALUES ($1, $2, \
        $3, $4, $5)) \
                   UPDATE alert_episodes SET seq = $2 WHERE id = $1";
        self.client.execute_typed(sql, &parameters).await.context("store what became of an alert")?;
        let telling = self.about.telling;
        let subject = Subject {
            rule_id: self.rule_id,
            app_id: self.about.app_id,
            application: self.about.application,
            labels: self.labels,
            key_id: self.id,
        };
        let group = telling.group(&subject);
        let group = group.as_deref();
        if kind != Kind::Firing {
            return outbox::tell_those_who_know(self.client, episode.id, episode.seq, group).await;
        }
        let is_late = interval.ended.is_some() && interval.began < telling.late_before;
        let state = if is_late {
            "late"
        } else if let Some(why) = outbox::held(self.client, telling, &subject).await? {
            why
        } else if outbox::is_flapping(self.client, self.id, at).await? {
            "flapping"
        } else if group.is_some() {
            "grouped"
        } else {
            "due"
        };
        let group = group.filter(|_| !is_late);
        outbox::enqueue(self.client, episode.id, episode.seq, &episode.channels, state, group).await
    }
}

/// What became of an episode that goes on, with the time of it.
fn steps(was: &Episode, changes: &[Change], interval: Interval, state: &str) -> Vec<(Kind, Micros)> {
    let last_change = || changes.last().map_or(interval.began, |change| change.at);
    match (was.ended, interval.ended) {
        (None, Some(at)) => vec![(Kind::Resolved, at)],
        (Some(at), None) => vec![(Kind::Firing, at)],
        (None, None) if state == "acknowledged" && was.state != state => {
            vec![(Kind::Acknowledged, last_change())]
        }
        // The acknowledgement has ended, and nobody looks after it.
        (None, None) if state == "active" && was.state == "acknowledged" => {
            vec![(Kind::Firing, last_change())]
        }
        _ if was.state == "corrected" => {
            let ended = interval.ended.map(|at| (Kind::Resolved, at));
            [Some((Kind::Firing, interval.began)), ended].into_iter().flatten().collect()
        }
        _ => Vec::new(),
    }
}

fn name(state: State) -> &'static str {
    if state.is_open() { state.name() } else { "resolved" }
}
