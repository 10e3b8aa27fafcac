//! Rules, in versions: a window is judged by the version of its time.

use std::collections::HashMap;
use std::time::SystemTime;

use alt_alerts::rule::{Rule, parse_one};
use alt_alerts::time::{Micros, SECOND, SLOT};
use alt_process::clock::{micros, system_time};
use anyhow::{Context, bail};
use serde_json::json;
use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};

use super::follow;
use crate::web::audit::Change;

/// The most rules.
pub const RULES_MAX: usize = 1000;

/// Held while rules are changed ("alt rule").
const LOCK: i64 = 0x616c_7420_7275_6c65;

/// How far ahead of now a change of a rule marks: nothing is judged that lies ahead of any clock by more.
const AHEAD: Micros = 60 * SECOND;

/// A rule as it was from a time on.
#[derive(Debug, Clone, PartialEq)]
pub struct Version {
    /// The rule: its key.
    pub rule_id: i32,
    /// The name.
    pub name: String,
    /// The number of the version.
    pub version: i32,
    /// Windows that end then or later are judged by it.
    pub from: Micros,
    /// What it says; `None`: it was removed, or this version of alt does not understand it.
    pub rule: Option<Rule>,
    /// Why it is not understood.
    pub broken: Option<String>,
    /// When it was made, by the clock.
    pub made: Micros,
    /// Who made it.
    pub made_by: String,
}

impl Version {
    /// The first time of which it looks at events.
    pub fn looks_back_to(&self) -> Micros {
        self.from - self.rule.as_ref().map_or(0, Rule::reach) - SLOT
    }

    /// It, as programs read it.
    pub fn shown(&self) -> serde_json::Value {
        let rule = self.rule.as_ref();
        json!({
            "id": self.rule_id, "name": self.name, "version": self.version,
            "from": jiff::Timestamp::from_microsecond(self.from).map(|at| at.to_string()).ok(),
            "enabled": rule.is_some_and(|rule| rule.is_enabled), "problem": self.broken,
            "severity": rule.map(|rule| rule.severity), "condition": rule.map(Rule::condition),
            "description": rule.map(|rule| &rule.description), "application": rule.map(|rule| &rule.application),
            "channels": rule.map(|rule| &rule.channels), "made_by": self.made_by,
            "text": rule.map(|rule| &rule.text),
        })
    }

    /// The rule, if it is judged.
    pub fn judged(&self) -> Option<&Rule> {
        self.rule.as_ref().filter(|rule| rule.is_enabled)
    }
}

/// All versions of all rules, by rule, ascending.
///
/// # Errors
/// The database cannot be asked.
pub async fn versions(client: &Client) -> anyhow::Result<Vec<Version>> {
    versions_by(client, &mut Parsed::new()).await
}

/// Texts of rules that were read before, and what they say.
pub type Parsed = HashMap<String, Result<Rule, String>>;

/// As [`versions`]; a text is parsed once.
///
/// # Errors
/// As [`versions`].
pub async fn versions_by(client: &Client, parsed: &mut Parsed) -> anyhow::Result<Vec<Version>> {
    let sql = "SELECT r.id, r.name, v.version, v.from_at, v.text, v.made_at, v.made_by \
               FROM alert_rules r JOIN alert_rule_versions v ON v.rule_id = r.id ORDER BY r.id, v.version";
    let rows = client.query_typed(sql, &[]).await.context("read the rules")?;
    if parsed.len() > 2 * rows.len() + 100 {
        parsed.clear();
    }
    let mut parse = |text: &str| match parsed.get(text) {
        Some(known) => known.clone(),
        None => parsed.entry(text.to_owned()).or_insert_with(|| parse_one(text)).clone(),
    };
    let version = |row: &tokio_postgres::Row| {
        let text: Option<&str> = row.get(4);
        let parsed = text.map(&mut parse);
        Version {
            rule_id: row.get(0),
            name: row.get(1),
            version: row.get(2),
            from: micros(row.get::<_, SystemTime>(3)),
            broken: parsed.as_ref().and_then(|parsed| parsed.as_ref().err().cloned()),
            rule: parsed.and_then(Result::ok),
            made: micros(row.get::<_, SystemTime>(5)),
            made_by: row.get(6),
        }
    };
    Ok(rows.iter().map(version).collect())
}

/// The present version of each rule, by name; those that were removed are left out.
///
/// # Errors
/// The database cannot be asked.
pub async fn present(client: &Client) -> anyhow::Result<Vec<Version>> {
    let mut all = versions(client).await?;
    all.reverse();
    all.dedup_by_key(|version| version.rule_id);
    all.retain(|version| version.rule.is_some() || version.broken.is_some());
    all.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(all)
}

/// Adds a rule, or another version of it, within a transaction. Without `from`, it judges what comes from now on; with
/// it, also what is there since then.
///
/// # Errors
/// There is such a rule and it may not be replaced, or the database does not do it.
pub async fn add(
    client: &Client,
    rule: &Rule,
    from: Option<Micros>,
    replaces: bool,
    by: &str,
) -> anyhow::Result<Change> {
    client.execute_typed("SELECT pg_advisory_xact_lock($1)", &[(&LOCK, Type::INT8)]).await?;
    let all = versions(client).await?;
    let last = all.iter().rfind(|version| version.name == rule.name);
    let is_there = last.is_some_and(|last| last.rule.is_some() || last.broken.is_some());
    if is_there && !replaces {
        bail!("there is a rule {} already; --replace makes this its next version", rule.name);
    }
    let names = all.chunk_by(|a, b| a.rule_id == b.rule_id).count();
    if last.is_none() && names >= RULES_MAX {
        bail!("there are {RULES_MAX} rules, which is the most");
    }
    let id = match last {
        Some(last) => last.rule_id,
        None => {
            let sql = "INSERT INTO alert_rules (name) VALUES ($1) RETURNING id";
            let row = client.query_typed_one(sql, &[(&rule.name, Type::TEXT)]).await;
            row.context("add the rule")?.get(0)
        }
    };
    let before = last.and_then(|last| last.rule.as_ref()).map(|rule| json!(rule.text));
    insert(client, id, last, Some(rule), from, by).await?;
    let object = format!("rule {id} ({})", rule.name);
    let action = if is_there { "alert_rule.change" } else { "alert_rule.add" };
    Ok(Change { action, object, before, after: Some(json!(rule.text)) })
}

/// Removes a rule, within a transaction: what it found stays, and its open alerts end.
///
/// # Errors
/// There is no such rule, or the database does not do it.
pub async fn remove(client: &Client, name: &str, by: &str) -> anyhow::Result<Change> {
    client.execute_typed("SELECT pg_advisory_xact_lock($1)", &[(&LOCK, Type::INT8)]).await?;
    let all = versions(client).await?;
    let Some(last) = all.iter().rfind(|version| version.name == name && !is_gone(version)) else {
        bail!("there is no rule {name}; `alt alerts rule list` shows the names")
    };
    insert(client, last.rule_id, Some(last), None, None, by).await?;
    let object = format!("rule {} ({name})", last.rule_id);
    let before = last.rule.as_ref().map(|rule| json!(rule.text));
    Ok(Change { action: "alert_rule.remove", object, before, after: None })
}

fn is_gone(version: &Version) -> bool {
    version.rule.is_none() && version.broken.is_none()
}

/// Switches a rule on or off, within a transaction. `None`: it is so already.
///
/// # Errors
/// There is no such rule, or the database does not do it.
pub async fn enable(client: &Client, name: &str, is_on: bool, by: &str) -> anyhow::Result<Option<Change>> {
    let all = present(client).await?;
    let Some(rule) = all.iter().find(|version| version.name == name).and_then(|one| one.rule.as_ref()) else {
        bail!("there is no rule {name}; `alt alerts rule list` shows the names")
    };
    if rule.is_enabled == is_on {
        return Ok(None);
    }
    let rule = rule.switched(is_on).map_err(anyhow::Error::msg)?;
    add(client, &rule, None, true, by).await.map(Some)
}

/// Adds a version. It begins after the last one, and after all that was judged, if no time is given.
async fn insert(
    client: &Client,
    id: i32,
    last: Option<&Version>,
    rule: Option<&Rule>,
    from: Option<Micros>,
    by: &str,
) -> anyhow::Result<()> {
    let sql = "SELECT greatest(clock_timestamp(), max(judged_at) + interval '1 microsecond'), clock_timestamp() \
               FROM alert_apps";
    let row = client.query_typed_one(sql, &[]).await.context("look how far all is judged")?;
    let (next, now) = (micros(row.get::<_, SystemTime>(0)), micros(row.get::<_, SystemTime>(1)));
    let least = last.map_or(Micros::MIN, |last| last.from + 1);
    let from = match from {
        Some(from) if from > now => bail!("a rule cannot begin in the future"),
        Some(from) if from < least => bail!("the version before begins later than that"),
        Some(from) => from,
        None => next.max(least),
    };
    let (version, text) = (last.map_or(1, |last| last.version + 1), rule.map(|rule| rule.text.as_str()));
    let parameters: [(&(dyn ToSql + Sync), Type); 5] = [
        (&id, Type::INT4),
        (&version, Type::INT4),
        (&system_time(from), Type::TIMESTAMPTZ),
        (&text, Type::TEXT),
        (&by, Type::TEXT),
    ];
    let sql = "INSERT INTO alert_rule_versions (rule_id, version, from_at, text, made_by) VALUES ($1, $2, $3, $4, $5)";
    client.execute_typed(sql, &parameters).await.context("add a version of a rule")?;
    let back = from - rule.map_or(0, Rule::reach) - SLOT;
    follow::mark_all(client, back, now + AHEAD, true).await
}
