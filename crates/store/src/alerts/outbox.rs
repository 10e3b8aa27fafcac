//! The messages: rows that are enqueued in the transaction of what they tell of, and that one notifier sends.
//!
//! A row is held while nobody is to be told (`silenced`, `inhibited`, `flapping`, `late`), or while others join it
//! (`grouped`). It is due once that is over and the alert is not; otherwise it is dropped, or told of among others. Rows
//! stay after they are done: their key (alert, transition, channel) is what keeps a transition from being enqueued twice.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use alt_alerts::episode;
use alt_alerts::manner::Manner;
use alt_alerts::time::{Micros, SECOND};
use alt_process::clock::{micros, system_time};
use anyhow::Context;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};

use super::keys::Labels;
use super::rules::Version;
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
    /// How the rules tell of their alerts, as they are now.
    pub manners: BTreeMap<i32, Manner>,
}

/// What somebody may be told of.
#[derive(Debug, Clone)]
pub(super) struct Subject<'a> {
    /// The rule.
    pub rule_id: i32,
    /// The application: its key in `applications`, …
    pub app_id: i32,
    /// … and its public key.
    pub application: &'a str,
    /// What tells it from others.
    pub labels: &'a Labels,
    /// Its key.
    pub key_id: i64,
}

impl Telling {
    /// The manners of rules, by their versions (by rule, ascending).
    pub fn manners(versions: &[Version]) -> BTreeMap<i32, Manner> {
        let manner = |version: &Version| {
            Some((version.rule_id, version.rule.as_ref().map(|rule| rule.manner.clone())?))
        };
        versions.iter().filter_map(manner).collect()
    }

    /// What is equal in the alerts that come in one message with this one. `None`: it has its own.
    pub(super) fn group(&self, subject: &Subject<'_>) -> Option<String> {
        let by = self.manners.get(&subject.rule_id)?.messages_by.as_ref()?;
        let values: Vec<&str> =
            by.iter().map(|name| subject.labels.get(name).map_or("", String::as_str)).collect();
        let (rule_id, app_id) = (subject.rule_id, subject.app_id);
        Some(format!("{rule_id} {app_id} {:x}", super::buckets::hash(&values)))
    }

    /// The rules of which nobody is told while another one fires.
    fn inhibited(&self) -> Vec<i32> {
        let is = |manner: &Manner| !manner.silent_while.is_empty();
        self.manners.iter().filter(|(_, manner)| is(manner)).map(|(id, _)| *id).collect()
    }

    /// The rules that tell again, or others.
    fn reminding(&self) -> Vec<i32> {
        let is = |manner: &Manner| manner.repeat.is_some() || !manner.escalate.is_empty();
        self.manners.iter().filter(|(_, manner)| is(manner)).map(|(id, _)| *id).collect()
    }

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

/// The rules of which an alert of an application is open.
pub(super) async fn firing(client: &Client, app_id: i32) -> anyhow::Result<BTreeSet<i32>> {
    let sql = "SELECT DISTINCT rule_id FROM alert_episodes WHERE app_id = $1 AND ended_at IS NULL";
    let rows =
        client.query_typed(sql, &[(&app_id, Type::INT4)]).await.context("look which alerts are open")?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Whether nobody is told of a rule while one of others fires.
fn is_inhibited(telling: &Telling, rule_id: i32, firing: &BTreeSet<i32>) -> bool {
    let Some(manner) = telling.manners.get(&rule_id) else { return false };
    let name = |id: &i32| telling.names.get(id).map_or("", String::as_str);
    firing.iter().any(|id| *id != rule_id && manner.is_silent_while(name(id)))
}

/// Why nobody is told of an alert now, whether it flaps or not. `None`: everybody is.
pub(super) async fn held(
    client: &Client,
    telling: &Telling,
    subject: &Subject<'_>,
) -> anyhow::Result<Option<&'static str>> {
    if telling.is_silenced(subject.rule_id, subject.application, subject.labels) {
        return Ok(Some("silenced"));
    }
    let has_others = telling.manners.get(&subject.rule_id).is_some_and(|m| !m.silent_while.is_empty());
    if has_others && is_inhibited(telling, subject.rule_id, &firing(client, subject.app_id).await?) {
        return Ok(Some("inhibited"));
    }
    Ok(None)
}

/// Holds messages of an application back of which nobody is to be told because of what was just stored. Runs within the
/// transaction that stores it, so that the order in which alerts are stored does not matter.
pub(super) async fn inhibit(client: &Client, telling: &Telling, app_id: i32) -> anyhow::Result<()> {
    let rules = telling.inhibited();
    if rules.is_empty() {
        return Ok(());
    }
    let firing = firing(client, app_id).await?;
    let rules: Vec<i32> = rules.into_iter().filter(|id| is_inhibited(telling, *id, &firing)).collect();
    if rules.is_empty() {
        return Ok(());
    }
    let parameters: [(&(dyn ToSql + Sync), Type); 2] = [(&app_id, Type::INT4), (&rules, Type::INT4_ARRAY)];
    let sql = include_str!("../../../../sql/unsent_messages.sql");
    let rows = client.query_typed(sql, &parameters).await.context("read the messages that are due")?;
    let ids: Vec<i64> = rows.iter().map(|row| row.get(0)).collect();
    set_state(client, &ids, "inhibited").await
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
pub(crate) async fn enqueue(
    client: &Client,
    episode: i64,
    seq: i32,
    channels: &[String],
    state: &str,
    group: Option<&str>,
) -> anyhow::Result<()> {
    let channels: BTreeSet<&str> = channels.iter().map(String::as_str).collect();
    let channels: Vec<&str> = channels.into_iter().collect();
    let parameters: [(&(dyn ToSql + Sync), Type); 5] = [
        (&episode, Type::INT8),
        (&seq, Type::INT4),
        (&channels, Type::TEXT_ARRAY),
        (&state, Type::TEXT),
        (&group, Type::TEXT),
    ];
    let sql = "INSERT INTO alert_outbox (episode_id, seq, channel, state, group_key) \
               SELECT $1, $2, c, $4, $5 FROM unnest($3::text[]) AS u (c) ON CONFLICT (episode_id, seq, channel) DO NOTHING";
    client.execute_typed(sql, &parameters).await.context("enqueue a message")?;
    Ok(())
}

/// Enqueues a transition for all who were told, or will be told, of the alert.
/// In a group, they are told with others.
pub(super) async fn tell_those_who_know(
    client: &Client,
    episode: i64,
    seq: i32,
    group: Option<&str>,
) -> anyhow::Result<()> {
    let parameters: [(&(dyn ToSql + Sync), Type); 3] =
        [(&episode, Type::INT8), (&seq, Type::INT4), (&group, Type::TEXT)];
    let sql = "INSERT INTO alert_outbox (episode_id, seq, channel, state, group_key) \
               SELECT DISTINCT episode_id, $2, channel, CASE WHEN $3 IS NULL THEN 'due' ELSE 'grouped' END, $3 \
               FROM alert_outbox \
               WHERE episode_id = $1 AND state IN ('due', 'grouped', 'sent', 'digested') \
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
    let mut all: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
    for row in &rows {
        let (id, state): (i64, &str) = (row.get(0), row.get(1));
        let labels: Labels = serde_json::from_str(row.get(7)).unwrap_or_default();
        let subject = Subject {
            rule_id: row.get(4),
            app_id: row.get(5),
            application: row.get(6),
            labels: &labels,
            key_id: row.get(3),
        };
        let flaps =
            state == "flapping" && episode::is_flapping(&began(client, subject.key_id, now).await?, now);
        let next = match (row.get::<_, bool>(2), state) {
            (true, _) => {
                let other = held(client, telling, &subject).await?;
                other.or(flaps.then_some("flapping")).unwrap_or("due")
            }
            // Once it is quiet, one message tells of all of them.
            (false, "flapping") => {
                if flaps {
                    state
                } else {
                    "late"
                }
            }
            (false, _) => "dropped",
        };
        if next != state {
            all.entry(next).or_default().push(id);
        }
    }
    for (state, ids) in all {
        set_state(client, &ids, state).await?;
    }
    group(client).await?;
    digest(client).await
}

/// Holds messages, or lets go of them. One of a group that is let go of joins the others.
async fn set_state(client: &Client, ids: &[i64], state: &str) -> anyhow::Result<()> {
    let parameters: [(&(dyn ToSql + Sync), Type); 2] = [(&ids, Type::INT8_ARRAY), (&state, Type::TEXT)];
    let sql = "UPDATE alert_outbox SET state = CASE WHEN $2 = 'due' AND group_key IS NOT NULL THEN 'grouped' ELSE $2 END, \
               due_at = clock_timestamp(), done_at = CASE $2 WHEN 'dropped' THEN clock_timestamp() END \
               WHERE id = ANY ($1)";
    client.execute_typed(sql, &parameters).await.context("hold messages, or let go of them")?;
    Ok(())
}

/// Makes one message of those of a group: after 20 seconds, and at most every five minutes.
async fn group(client: &Client) -> anyhow::Result<()> {
    let sql = include_str!("../../../../sql/make_groups.sql");
    let first = i64::try_from(alt_process::fault::wait(Duration::from_secs(20)).as_micros())?;
    let every = i64::try_from(alt_process::fault::wait(Duration::from_secs(300)).as_micros())?;
    let parameters: [(&(dyn ToSql + Sync), Type); 2] = [(&first, Type::INT8), (&every, Type::INT8)];
    client.execute_typed(sql, &parameters).await.context("make messages of groups")?;
    Ok(())
}

/// An open alert after which nobody looks.
struct Unattended {
    episode: i64,
    /// To whom it is told again, …
    again: Vec<String>,
    /// … and to whom for the first time.
    others: Vec<String>,
    group: Option<String>,
}

/// The alerts that are to be told of again, or to others.
///
/// # Errors
/// The database cannot be asked.
async fn unattended(client: &Client, telling: &Telling) -> anyhow::Result<Vec<Unattended>> {
    let rules = telling.reminding();
    if rules.is_empty() {
        return Ok(Vec::new());
    }
    let sql = include_str!("../../../../sql/unattended_alerts.sql");
    let rows = client.query_typed(sql, &[(&rules, Type::INT4_ARRAY)]).await;
    let mut all = Vec::new();
    for row in &rows.context("read after which alerts nobody looks")? {
        let labels: Labels = serde_json::from_str(row.get(5)).unwrap_or_default();
        let subject = Subject {
            rule_id: row.get(1),
            app_id: row.get(3),
            application: row.get(4),
            labels: &labels,
            key_id: row.get(2),
        };
        let Some(manner) = telling.manners.get(&subject.rule_id) else { continue };
        let (since, told): (i64, Option<i64>) = (row.get(6), row.get(7));
        let (told_to, enqueued): (Vec<String>, Vec<String>) = (row.get(8), row.get(9));
        let is_due = manner.repeat.zip(told).is_some_and(|(every, told)| told >= every);
        let again = if is_due { told_to } else { Vec::new() };
        let others: Vec<String> =
            manner.escalated(since).filter(|channel| !enqueued.contains(channel)).cloned().collect();
        let is_any = !again.is_empty() || !others.is_empty();
        if is_any && held(client, telling, &subject).await?.is_none() {
            let group = telling.group(&subject);
            all.push(Unattended { episode: row.get(0), again, others, group });
        }
    }
    Ok(all)
}

/// Whether somebody is to be told again, or somebody else.
///
/// # Errors
/// The database cannot be asked.
pub async fn has_unattended(client: &Client, telling: &Telling) -> anyhow::Result<bool> {
    Ok(!unattended(client, telling).await?.is_empty())
}

/// Tells those who were told again, and others, of alerts after which nobody looks. Runs within a transaction.
///
/// # Errors
/// The database does not do it.
pub async fn remind(client: &Client, telling: &Telling) -> anyhow::Result<()> {
    for alert in unattended(client, telling).await? {
        for (kind, channels) in [("repeated", &alert.again), ("escalated", &alert.others)] {
            if channels.is_empty() {
                continue;
            }
            let sql = "WITH next AS (UPDATE alert_episodes SET seq = seq + 1 WHERE id = $1 RETURNING id, seq) \
                       INSERT INTO alert_transitions (episode_id, seq, at, kind) \
                       SELECT id, seq, clock_timestamp(), $2 FROM next RETURNING seq";
            let parameters: [(&(dyn ToSql + Sync), Type); 2] =
                [(&alert.episode, Type::INT8), (&kind, Type::TEXT)];
            let row = client.query_typed_one(sql, &parameters).await.context("tell of an alert again")?;
            let group = alert.group.as_deref();
            let state = if group.is_some() { "grouped" } else { "due" };
            enqueue(client, alert.episode, row.get(0), channels, state, group).await?;
        }
    }
    Ok(())
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
    let sql = "SELECT EXISTS (SELECT FROM alert_outbox WHERE state IN ('silenced', 'flapping', 'late', \
               'inhibited', 'grouped'))";
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
    /// The episode; 0: a digest; below 0: the report with this key.
    pub episode: i64,
    /// The number of the transition, of the digest, or of the report's period.
    pub seq: i32,
    /// To whom.
    pub channel: String,
    /// How many attempts were made.
    pub attempts: u32,
    /// Of several: they are of one group, and not late.
    pub is_group: bool,
    /// The alert; of a digest, the alerts.
    pub told: Vec<Told>,
}

impl Due {
    /// The key of the report that it is.
    #[must_use]
    pub fn report(&self) -> Option<i32> {
        (self.episode < 0).then(|| i32::try_from(-self.episode).ok()).flatten()
    }
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
            is_group: row.get(5),
            told: Vec::new(),
        };
        due.told = told(client, &due).await?;
        all.push(due);
    }
    Ok(all)
}

async fn told(client: &Client, due: &Due) -> anyhow::Result<Vec<Told>> {
    let context = "read what a message tells";
    if due.report().is_some() {
        return Ok(Vec::new());
    }
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
        enqueue(client, due.episode, due.seq, std::slice::from_ref(to), "due", None).await?;
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

#[cfg(test)]
mod tests {
    use alt_alerts::rule::parse_one;

    use super::*;

    #[test]
    fn alerts_come_in_one_message_if_rule_application_and_labels_are_equal() {
        let manner = |by: &str| parse_one(&format!("name = \"x\"\ncompare = \"> 1\"\n{by}")).unwrap().manner;
        let telling = Telling {
            manners: BTreeMap::from([
                (1, manner("messages_by = [\"host\"]")),
                (2, manner("messages_by = [\"host\"]")),
                (3, manner("")),
                (4, manner("messages_by = []")),
            ]),
            ..Telling::default()
        };
        let group = |rule_id: i32, app_id: i32, host: &str, path: &str| {
            let labels =
                Labels::from([("host".to_owned(), host.to_owned()), ("path".to_owned(), path.to_owned())]);
            let subject = Subject { rule_id, app_id, application: "a", labels: &labels, key_id: 1 };
            telling.group(&subject)
        };
        let one = group(1, 1, "h", "/a");
        assert!(one.is_some());
        assert_eq!(group(1, 1, "h", "/b"), one);
        for other in [group(2, 1, "h", "/a"), group(1, 2, "h", "/a"), group(1, 1, "i", "/a")] {
            assert!(other.is_some() && other != one, "{other:?}");
        }
        assert_eq!(group(3, 1, "h", "/a"), None);
        assert_eq!(group(4, 1, "h", "/a"), group(4, 1, "i", "/b"));
    }
}
