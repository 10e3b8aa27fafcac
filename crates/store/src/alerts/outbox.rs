//! The messages: rows that are enqueued in the transaction of what they tell of, and that one notifier sends.
//!
//! A row is held while nobody is to be told (`silenced`, `flapping`, `late`). It is due once that is over and the alert
//! is not; otherwise it is dropped, or told of in a digest. Rows stay after they are done: their key (alert,
//! transition, channel) is what keeps a transition from being enqueued twice.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use alt_process::clock::{micros, system_time};
use alt_watch::episode;
use alt_watch::time::{Micros, SECOND};
use anyhow::Context;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};

use super::keys::Labels;
use super::silences::Silence;

/// What began longer ago, and is over, is told of in a digest.
pub const NOTIFY_WITHIN: Micros = 3600 * SECOND;

/// What is known of who is told what, in one turn.
#[derive(Debug, Clone, Default)]
pub struct Telling {
    /// All channels of the configuration.
    pub all_channels: Vec<String>,
    /// What began before and is over is told of in a digest.
    pub late_before: Micros,
    /// The silences that have begun and are not over.
    pub silences: Vec<Silence>,
    /// The names of the rules.
    pub names: BTreeMap<i32, String>,
}

impl Telling {
    /// The channels of a rule.
    pub fn channels(&self, named: &[String]) -> Vec<String> {
        if named.is_empty() { self.all_channels.clone() } else { named.to_vec() }
    }

    /// Whether nobody is told.
    pub fn is_silenced(&self, rule_id: i32, application: &str, labels: &Labels) -> bool {
        let rule = self.names.get(&rule_id).map_or("", String::as_str);
        self.silences.iter().any(|silence| silence.is_of(rule, application, labels))
    }
}

/// When the episodes of a key began in the hours before a time.
async fn began(client: &Client, key_id: i64, at: Micros) -> anyhow::Result<Vec<Micros>> {
    let from = system_time(at - 4 * 3600 * SECOND);
    let until = system_time(at);
    let parameters: [(&(dyn ToSql + Sync), Type); 3] =
        [(&key_id, Type::INT8), (&from, Type::TIMESTAMPTZ), (&until, Type::TIMESTAMPTZ)];
    let sql = "SELECT began_at FROM alert_episodes WHERE key_id = $1 AND began_at > $2 AND began_at <= $3 \
               AND corrected_at IS NULL AND superseded_by IS NULL ORDER BY began_at";
    let rows = client.query_typed(sql, &parameters).await.context("look how often an alert began")?;
    Ok(rows.iter().map(|row| micros(row.get::<_, SystemTime>(0))).collect())
}

/// Whether nobody is told of an episode that begins at a time, because its key flaps.
pub(super) async fn is_flapping(client: &Client, key_id: i64, at: Micros) -> anyhow::Result<bool> {
    let began = began(client, key_id, at).await?;
    // The one that makes it flap is told of: it is the last that is, until it is quiet.
    let before = began.len().checked_sub(1).map_or(&[][..], |last| &began[..last]);
    Ok(before.last().is_some_and(|last| episode::is_flapping(before, *last))
        && episode::is_flapping(&began, at))
}

/// Enqueues a transition for channels. One that is there already stays as it is.
pub(super) async fn enqueue(
    client: &Client,
    episode: i64,
    seq: i32,
    channels: &[String],
    state: &str,
) -> anyhow::Result<()> {
    let channels: BTreeSet<&str> = channels.iter().map(String::as_str).collect();
    let channels: Vec<&str> = channels.into_iter().collect();
    let parameters: [(&(dyn ToSql + Sync), Type); 4] =
        [(&episode, Type::INT8), (&seq, Type::INT4), (&channels, Type::TEXT_ARRAY), (&state, Type::TEXT)];
    let sql = "INSERT INTO alert_outbox (episode_id, seq, channel, state) \
               SELECT $1, $2, c, $4 FROM unnest($3::text[]) AS u (c) ON CONFLICT (episode_id, seq, channel) DO NOTHING";
    client.execute_typed(sql, &parameters).await.context("enqueue a message")?;
    Ok(())
}

/// Enqueues a transition for all who were told, or will be told, of the alert.
pub(super) async fn tell_those_who_know(client: &Client, episode: i64, seq: i32) -> anyhow::Result<()> {
    let parameters: [(&(dyn ToSql + Sync), Type); 2] = [(&episode, Type::INT8), (&seq, Type::INT4)];
    let sql = "INSERT INTO alert_outbox (episode_id, seq, channel) SELECT DISTINCT episode_id, $2, channel FROM \
    alert_outbox \
               WHERE episode_id = $1 AND state IN ('due', 'sent', 'digested') \
               ON CONFLICT (episode_id, seq, channel) DO NOTHING";
    client.execute_typed(sql, &parameters).await.context("enqueue a message")?;
    Ok(())
}

/// Lets go of what is held and need not be any longer. Runs within a transaction.
///
/// # Errors
/// The database does not do it.
pub async fn release(client: &Client, telling: &Telling, now: Micros) -> anyhow::Result<()> {
    let sql = include_str!("../../../../sql/held_messages.sql");
    let rows = client.query_typed(sql, &[]).await.context("read the messages that are held")?;
    let (mut due, mut dropped) = (Vec::new(), Vec::new());
    for row in &rows {
        let (id, state): (i64, &str) = (row.get(0), row.get(1));
        let (is_open, key_id, rule_id): (bool, i64, i32) = (row.get(2), row.get(3), row.get(4));
        let labels: Labels = serde_json::from_str(row.get(6)).unwrap_or_default();
        if !is_open {
            dropped.push(id);
        } else if state == "silenced" && !telling.is_silenced(rule_id, row.get(5), &labels)
            || state == "flapping" && !episode::is_flapping(&began(client, key_id, now).await?, now)
        {
            due.push(id);
        }
    }
    for (state, ids) in [("due", due), ("dropped", dropped)] {
        if ids.is_empty() {
            continue;
        }
        let parameters: [(&(dyn ToSql + Sync), Type); 2] = [(&ids, Type::INT8_ARRAY), (&state, Type::TEXT)];
        let sql = "UPDATE alert_outbox SET state = $2, due_at = clock_timestamp(), \
                   done_at = CASE $2 WHEN 'dropped' THEN clock_timestamp() END WHERE id = ANY ($1)";
        client.execute_typed(sql, &parameters).await.context("let go of messages")?;
    }
    digest(client).await
}

/// Makes a digest, for each channel, of what is late: once none has come for 30 seconds, and at most once an hour.
async fn digest(client: &Client) -> anyhow::Result<()> {
    let sql = include_str!("../../../../sql/make_digests.sql");
    let quiet = i64::try_from(alt_process::fault::wait(Duration::from_secs(30)).as_micros())?;
    let every = i64::try_from(alt_process::fault::wait(Duration::from_secs(3600)).as_micros())?;
    let parameters: [(&(dyn ToSql + Sync), Type); 2] = [(&quiet, Type::INT8), (&every, Type::INT8)];
    client.execute_typed(sql, &parameters).await.context("make a digest")?;
    Ok(())
}

/// Whether anything is held.
///
/// # Errors
/// The database cannot be asked.
pub async fn has_held(client: &Client) -> anyhow::Result<bool> {
    let sql = "SELECT EXISTS (SELECT FROM alert_outbox WHERE state IN ('silenced', 'flapping', 'late'))";
    Ok(client.query_typed_one(sql, &[]).await.context("look for messages that are held")?.get(0))
}

/// One alert, as a message tells of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// Its number.
    pub episode: i64,
    /// What became of it: `firing`, `acknowledged`, `resolved`, `corrected`, `superseded`.
    pub kind: String,
    /// When.
    pub at: Micros,
    /// low, medium, high, critical.
    pub severity: String,
    /// What is the matter.
    pub title: String,
    /// The name of the rule.
    pub rule: String,
    /// The name of the application.
    pub application: String,
    /// What tells it from others.
    pub labels: Labels,
    /// What was measured.
    pub value: Option<f64>,
    /// What that was compared with.
    pub threshold: Option<f64>,
    /// When it began.
    pub began: Micros,
    /// When it ended.
    pub ended: Option<Micros>,
}

/// A message that is due.
#[derive(Debug, Clone, PartialEq)]
pub struct Due {
    /// The row.
    pub row: i64,
    /// The episode; 0: a digest.
    pub episode: i64,
    /// The number of the transition, or of the digest.
    pub seq: i32,
    /// To whom.
    pub channel: String,
    /// How many attempts were made.
    pub attempts: u32,
    /// The alert; of a digest, the alerts.
    pub told: Vec<Told>,
}

/// Messages that are due, at most one a channel, to channels that are not in `busy`. Of an alert, none is due before
/// the one before it on its channel is done.
///
/// # Errors
/// The database cannot be asked.
pub async fn due(client: &Client, busy: &[String]) -> anyhow::Result<Vec<Due>> {
    let sql = include_str!("../../../../sql/due_messages.sql");
    let rows = client.query_typed(sql, &[(&busy, Type::TEXT_ARRAY)]).await;
    let rows = rows.context("read the messages that are due")?;
    let mut all = Vec::new();
    for row in &rows {
        let mut due = Due {
            row: row.get(0),
            episode: row.get(1),
            seq: row.get(2),
            channel: row.get(3),
            attempts: u32::try_from(row.get::<_, i32>(4)).unwrap_or(0),
            told: Vec::new(),
        };
        due.told = told(client, &due).await?;
        all.push(due);
    }
    Ok(all)
}

async fn told(client: &Client, due: &Due) -> anyhow::Result<Vec<Told>> {
    let context = "read what a message tells";
    let rows = if due.episode == 0 {
        let parameters: [(&(dyn ToSql + Sync), Type); 2] =
            [(&due.seq, Type::INT4), (&due.channel, Type::TEXT)];
        client
            .query_typed(include_str!("../../../../sql/told_by_digest.sql"), &parameters)
            .await
            .context(context)?
    } else {
        let parameters: [(&(dyn ToSql + Sync), Type); 2] =
            [(&due.episode, Type::INT8), (&due.seq, Type::INT4)];
        client.query_typed(include_str!("../../../../sql/told.sql"), &parameters).await.context(context)?
    };
    Ok(rows.iter().map(one_told).collect())
}

fn one_told(row: &Row) -> Told {
    let time = |n: usize| micros(row.get::<_, SystemTime>(n));
    Told {
        episode: row.get(0),
        kind: row.get(1),
        at: time(2),
        severity: row.get(3),
        title: row.get(4),
        rule: row.get(5),
        application: row.get(6),
        labels: serde_json::from_str(row.get(7)).unwrap_or_default(),
        value: row.get(8),
        threshold: row.get(9),
        began: time(10),
        ended: row.get::<_, Option<SystemTime>>(11).map(micros),
    }
}

/// What becomes of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It arrived.
    Sent,
    /// It is due again after this time, with so many attempts made.
    Due(Duration, u32, Option<String>),
    /// It goes to another channel; why.
    Moved(String, String),
    /// No more attempts; why.
    Dead(String),
}

/// Records what became of a row, and that its channel takes no more messages. Runs within a transaction.
///
/// # Errors
/// The database does not do it.
pub async fn settle(client: &Client, due: &Due, fate: &Fate, disables: bool) -> anyhow::Result<()> {
    let attempts = match fate {
        Fate::Due(_, attempts, _) => *attempts,
        _ => due.attempts.saturating_add(1),
    };
    let (state, after, error) = match fate {
        Fate::Sent => ("sent", Duration::ZERO, None),
        Fate::Due(after, _, why) => ("due", *after, why.as_deref()),
        Fate::Moved(_, why) => ("moved", Duration::ZERO, Some(why.as_str())),
        Fate::Dead(why) => ("dead", Duration::ZERO, Some(why.as_str())),
    };
    let (after, attempts) = (i64::try_from(after.as_micros())?, i32::try_from(attempts)?);
    let parameters: [(&(dyn ToSql + Sync), Type); 5] = [
        (&due.row, Type::INT8),
        (&state, Type::TEXT),
        (&after, Type::INT8),
        (&attempts, Type::INT4),
        (&error, Type::TEXT),
    ];
    let sql = "UPDATE alert_outbox SET state = $2, due_at = clock_timestamp() + $3::bigint * interval '1 microsecond', \
               attempts = $4, error = coalesce($5, error), done_at = CASE WHEN $2 <> 'due' THEN clock_timestamp() END \
               WHERE id = $1 AND state = 'due'";
    client.execute_typed(sql, &parameters).await.context("record what became of a message")?;
    if let Fate::Moved(to, _) = fate {
        enqueue(client, due.episode, due.seq, std::slice::from_ref(to), "due").await?;
    }
    if disables {
        let sql = "INSERT INTO alert_channels (name, why) VALUES ($1, 'the receiver wants no more messages (410)') \
                   ON CONFLICT (name) DO NOTHING";
        client.execute_typed(sql, &[(&due.channel, Type::TEXT)]).await.context("disable a channel")?;
    }
    Ok(())
}

/// The channels that take no messages any more.
///
/// # Errors
/// The database cannot be asked.
pub async fn disabled(client: &Client) -> anyhow::Result<BTreeSet<String>> {
    let rows = client.query_typed("SELECT name FROM alert_channels", &[]).await;
    Ok(rows.context("read which channels are disabled")?.iter().map(|row| row.get(0)).collect())
}

/// Lets a channel take messages again. Returns whether it did not.
///
/// # Errors
/// The database does not do it.
pub async fn enable(client: &Client, name: &str) -> anyhow::Result<bool> {
    let sql = "DELETE FROM alert_channels WHERE name = $1";
    Ok(client.execute_typed(sql, &[(&name, Type::TEXT)]).await.context("enable a channel")? > 0)
}
