//! What has a state (a rule, an application, labels), as it is stored.

use std::collections::{BTreeMap, HashMap};
use std::time::SystemTime;

use alt_alerts::judge::{Act, Change, state_at};
use alt_alerts::state::{Hand, State};
use alt_alerts::time::Micros;
use alt_process::clock::{micros, system_time};
use anyhow::Context;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};

use super::buckets::hash;

/// What tells a key from others of its rule and application, by column.
pub type Labels = BTreeMap<String, String>;

/// A key as it was found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Known {
    /// Its number; `None`: it has none yet.
    pub id: Option<i64>,
    /// Its changes, ascending: from the beginning of the episode that is open at the time from which on it was asked
    /// for, and the last one before.
    pub changes: Vec<Change>,
    /// What people did, ascending.
    pub acts: Vec<Act>,
    /// The episodes that were not over then.
    pub episodes: Vec<Episode>,
}

/// An episode as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Episode {
    /// Its number.
    pub id: i64,
    /// When it began.
    pub began: Micros,
    /// When it ended.
    pub ended: Option<Micros>,
    /// A person ended it.
    pub by_hand: bool,
    /// Its state.
    pub state: String,
    /// The number of its last transition.
    pub seq: i32,
    /// What was measured when it began.
    pub value: Option<f64>,
    /// Who is told.
    pub channels: Vec<String>,
    /// How bad it is.
    pub severity: String,
}

/// By rule and labels.
pub type Keys = BTreeMap<(i32, Labels), Known>;

/// Reads the keys of an application that are not quiet since a time, with what is needed to judge from then on. A key of which
/// somebody did something later is among them, however quiet it is.
///
/// # Errors
/// The database cannot be asked.
pub async fn load(client: &Client, app_id: i32, from: Micros) -> anyhow::Result<Keys> {
    let context = "read the states of an application";
    let at = system_time(from);
    let parameters: [(&(dyn ToSql + Sync), Type); 2] = [(&app_id, Type::INT4), (&at, Type::TIMESTAMPTZ)];
    let sql = include_str!("../../../../sql/alert_keys.sql");
    let rows = client.query_typed(sql, &parameters).await.context(context)?;
    let mut all: HashMap<i64, ((i32, Labels), Known)> = HashMap::new();
    for row in &rows {
        let id: i64 = row.get(0);
        let labels = || serde_json::from_str(row.get(2)).unwrap_or_default();
        let known = all
            .entry(id)
            .or_insert_with(|| ((row.get(1), labels()), Known { id: Some(id), ..Known::default() }));
        if let Some(at) = row.get::<_, Option<SystemTime>>(3) {
            known.1.changes.push(Change { at: micros(at), state: state(row, 4) });
        }
    }
    let ids: Vec<i64> = all.keys().copied().collect();
    if !ids.is_empty() {
        let sql = "SELECT key_id, at, until_at, kind FROM alert_acts WHERE key_id = ANY ($1) ORDER BY at, id";
        for row in client.query_typed(sql, &[(&ids, Type::INT8_ARRAY)]).await.context(context)? {
            if let Some((_, known)) = all.get_mut(&row.get::<_, i64>(0)) {
                known.acts.push(act(&row));
            }
        }
        let parameters: [(&(dyn ToSql + Sync), Type); 2] =
            [(&ids, Type::INT8_ARRAY), (&at, Type::TIMESTAMPTZ)];
        let sql = "SELECT key_id, id, began_at, ended_at, by_hand, state, seq, value, channels, severity FROM alert_episodes \
                   WHERE key_id = ANY ($1) AND (ended_at IS NULL OR ended_at > $2) AND superseded_by IS NULL ORDER \
                   BY began_at, id";
        for row in client.query_typed(sql, &parameters).await.context(context)? {
            if let Some((_, known)) = all.get_mut(&row.get::<_, i64>(0)) {
                known.episodes.push(episode(&row));
            }
        }
    }
    Ok(all.into_values().collect())
}

fn episode(row: &Row) -> Episode {
    Episode {
        id: row.get(1),
        began: micros(row.get::<_, SystemTime>(2)),
        ended: row.get::<_, Option<SystemTime>>(3).map(micros),
        by_hand: row.get(4),
        state: row.get(5),
        seq: row.get(6),
        value: row.get(7),
        channels: row.get(8),
        severity: row.get(9),
    }
}

fn act(row: &Row) -> Act {
    let at = micros(row.get::<_, SystemTime>(1));
    let until = row.get::<_, Option<SystemTime>>(2).map_or(at, micros);
    let hand = match row.get(3) {
        "acknowledge" => Hand::Acknowledge { until },
        _ => Hand::Resolve,
    };
    Act { at, hand }
}

/// The state in three columns: its name, since when, until when.
fn state(row: &Row, first: usize) -> State {
    let time = |n: usize| row.get::<_, Option<SystemTime>>(first + n).map(micros);
    let (since, until) = (time(1), time(2));
    match row.get(first) {
        "pending" => State::Pending { since: since.unwrap_or(0) },
        "active" => State::Active,
        "acknowledged" => State::Acknowledged { until: until.unwrap_or(0) },
        "recovering" => State::Recovering { since: since.unwrap_or(0), acknowledged: until },
        "muted" => State::Muted,
        _ => State::Inactive,
    }
}

/// The number of a key, which gets one if it has none. Runs within a transaction.
///
/// # Errors
/// The database does not do it.
pub async fn number(client: &Client, app_id: i32, rule_id: i32, labels: &Labels) -> anyhow::Result<i64> {
    let (series, text) = (hash(labels), serde_json::json!(labels).to_string());
    let parameters: [(&(dyn ToSql + Sync), Type); 4] =
        [(&app_id, Type::INT4), (&rule_id, Type::INT4), (&series, Type::INT8), (&text, Type::TEXT)];
    let sql = "INSERT INTO alert_keys (app_id, rule_id, series, labels) VALUES ($1, $2, $3, $4::text::jsonb) \
               ON CONFLICT (app_id, rule_id, series) DO UPDATE SET quiet_at = NULL RETURNING id";
    Ok(client.query_typed_one(sql, &parameters).await.context("number what has a state")?.get(0))
}

/// Replaces the changes of a key after a time. Runs within a transaction.
///
/// # Errors
/// The database does not do it.
pub async fn replace(client: &Client, id: i64, from: Micros, changes: &[Change]) -> anyhow::Result<()> {
    let context = "store the states of an application";
    let after = system_time(from);
    let parameters: [(&(dyn ToSql + Sync), Type); 2] = [(&id, Type::INT8), (&after, Type::TIMESTAMPTZ)];
    let sql = "DELETE FROM alert_changes WHERE key_id = $1 AND at > $2";
    client.execute_typed(sql, &parameters).await.context(context)?;
    let new: Vec<&Change> = changes.iter().filter(|change| change.at > from).collect();
    let time = |at: Micros| system_time(at);
    let at: Vec<SystemTime> = new.iter().map(|change| time(change.at)).collect();
    let states: Vec<&str> = new.iter().map(|change| change.state.name()).collect();
    let since: Vec<Option<SystemTime>> = new.iter().map(|change| times(change.state).0.map(time)).collect();
    let until: Vec<Option<SystemTime>> = new.iter().map(|change| times(change.state).1.map(time)).collect();
    let parameters: [(&(dyn ToSql + Sync), Type); 5] = [
        (&id, Type::INT8),
        (&at, Type::TIMESTAMPTZ_ARRAY),
        (&states, Type::TEXT_ARRAY),
        (&since, Type::TIMESTAMPTZ_ARRAY),
        (&until, Type::TIMESTAMPTZ_ARRAY),
    ];
    let sql = "INSERT INTO alert_changes (key_id, at, state, since_at, until_at) \
               SELECT $1, * FROM unnest($2::timestamptz[], $3::text[], $4::timestamptz[], $5::timestamptz[])";
    client.execute_typed(sql, &parameters).await.context(context)?;
    let last = state_at(changes, Micros::MAX);
    let quiet = (last == State::Inactive).then(|| time(changes.last().map_or(from, |change| change.at)));
    let parameters: [(&(dyn ToSql + Sync), Type); 2] = [(&id, Type::INT8), (&quiet, Type::TIMESTAMPTZ)];
    let sql = "UPDATE alert_keys SET quiet_at = $2 WHERE id = $1 AND quiet_at IS DISTINCT FROM $2";
    client.execute_typed(sql, &parameters).await.context(context)?;
    Ok(())
}

fn times(state: State) -> (Option<Micros>, Option<Micros>) {
    match state {
        State::Pending { since } => (Some(since), None),
        State::Acknowledged { until } => (None, Some(until)),
        State::Recovering { since, acknowledged } => (Some(since), acknowledged),
        State::Inactive | State::Active | State::Muted => (None, None),
    }
}
