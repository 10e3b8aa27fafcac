//! Why somebody was told of an alert, or was not: the version of its rule, the messages, and what keeps messages back now.

use alt_alerts::time::Micros;
use anyhow::Context;
use serde::Serialize;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};

use super::ask::Alert;
use super::outbox;
use super::rules::{self, Version};
use super::show::micros_of;
use super::silences::Silence;

/// The most messages of an explanation.
const MESSAGES_MAX: i64 = 200;

/// What is known of how an alert came to be, and who was told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The number of the version of the rule that judged its beginning; `None`: there is none any more.
    pub version: Option<i32>,
    /// Who made that version.
    pub made_by: Option<String>,
    /// When, by the clock: UTC, RFC 3339.
    pub made_at: Option<String>,
    /// The messages, in the order of what they tell.
    pub messages: Vec<Message>,
    /// What keeps messages about it back now.
    pub kept_back: Vec<KeptBack>,
}

/// A message about an alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Message {
    /// What it tells: firing, acknowledged, resolved …
    pub kind: String,
    /// By which channel.
    pub channel: String,
    /// due, sent, dead, moved, dropped, digested; held: silenced, inhibited, flapping, late, grouped.
    pub state: String,
    /// When it was done with: UTC, RFC 3339.
    pub at: Option<String>,
    /// How often it was tried.
    pub attempts: i32,
    /// Why the last attempt did not succeed.
    pub why: Option<String>,
}

/// What keeps messages back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeptBack {
    /// silenced, inhibited, flapping, late, grouped.
    pub reason: String,
    /// The number of the silence.
    pub silence: Option<i32>,
    /// Who made the silence, or the rule that fires.
    pub by: Option<String>,
    /// When the silence ends at the latest: UTC, RFC 3339.
    pub until: Option<String>,
    /// Why the silence was made.
    pub note: Option<String>,
}

impl KeptBack {
    fn of(reason: &str) -> KeptBack {
        KeptBack { reason: reason.to_owned(), silence: None, by: None, until: None, note: None }
    }
}

impl std::fmt::Display for KeptBack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let by = self.by.as_deref().unwrap_or("somebody");
        match (self.reason.as_str(), self.silence) {
            ("silenced", Some(id)) => {
                write!(
                    f,
                    "the silence {id} of {by}, until {}",
                    self.until.as_deref().unwrap_or("it is ended")
                )?;
                self.note.as_ref().map_or(Ok(()), |note| write!(f, ": {note}"))
            }
            ("inhibited", _) => write!(f, "the rule {by} fires, and nobody is told while it does"),
            ("flapping", _) => f.write_str("it flaps: it began four times within an hour"),
            ("late", _) => f.write_str("it is over, and was found late: a digest tells of it"),
            ("grouped", _) => f.write_str("others join it: one message tells of all of them"),
            (reason, _) => f.write_str(reason),
        }
    }
}

/// The version of a rule that judges a time.
fn version_at<'v>(versions: &'v [Version], rule: &str, at: Micros) -> Option<&'v Version> {
    versions.iter().rfind(|version| version.name == rule && version.from <= at)
}

/// Explains an alert of an application. `silences` are those that hold messages back now.
///
/// # Errors
/// The database cannot be asked.
pub async fn explain(
    client: &Client,
    alert: &Alert,
    app_id: i32,
    silences: &[Silence],
) -> anyhow::Result<Explanation> {
    let versions = rules::versions(client).await?;
    let version = version_at(&versions, &alert.rule, micros_of(&alert.began).unwrap_or(0));
    let time = crate::web::time("o.done_at");
    let sql = format!(
        "SELECT coalesce(t.kind, ''), o.channel, o.state, {time}, o.attempts, o.error FROM alert_outbox o \
         LEFT JOIN alert_transitions t ON t.episode_id = o.episode_id AND t.seq = o.seq \
         WHERE o.episode_id = $1 ORDER BY o.seq, o.channel LIMIT {MESSAGES_MAX}"
    );
    let rows = client.query_typed(&sql, &[(&alert.id, Type::INT8)]).await;
    let message = |row: &Row| Message {
        kind: row.get(0),
        channel: row.get(1),
        state: row.get(2),
        at: row.get(3),
        attempts: row.get(4),
        why: row.get(5),
    };
    let messages: Vec<Message> =
        rows.context("read the messages about an alert")?.iter().map(message).collect();
    let has = |state: &str| messages.iter().any(|message| message.state == state);
    let mut kept_back = Vec::new();
    if alert.ended.is_none() {
        let its = silences.iter().filter(|one| one.is_of(&alert.rule, &alert.application_id, &alert.labels));
        kept_back.extend(its.map(|one| KeptBack {
            silence: Some(one.id),
            by: Some(one.by.clone()),
            until: (!one.until_resolved).then(|| one.until.clone()),
            note: one.note.clone(),
            ..KeptBack::of("silenced")
        }));
    }
    if has("inhibited") {
        let firing = outbox::firing(client, app_id).await?;
        let now = versions.iter().rfind(|version| version.name == alert.rule);
        let manner = now.and_then(|version| version.rule.as_ref()).map(|rule| &rule.manner);
        let mut names: Vec<&String> = versions
            .iter()
            .filter(|version| firing.contains(&version.rule_id))
            .map(|version| &version.name)
            .collect();
        names.dedup();
        names
            .retain(|name| **name != alert.rule && manner.is_some_and(|manner| manner.is_silent_while(name)));
        let inhibited = |name: &String| KeptBack { by: Some(name.clone()), ..KeptBack::of("inhibited") };
        kept_back.extend(names.into_iter().map(inhibited));
    }
    kept_back
        .extend(["flapping", "late", "grouped"].into_iter().filter(|state| has(state)).map(KeptBack::of));
    Ok(Explanation {
        version: version.map(|version| version.version),
        made_by: version.map(|version| version.made_by.clone()),
        made_at: version.and_then(|version| {
            let at = jiff::Timestamp::from_microsecond(version.made).ok()?;
            Some(at.round(jiff::Unit::Second).ok()?.to_string())
        }),
        messages,
        kept_back,
    })
}
