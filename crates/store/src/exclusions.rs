//! The exclusions of applications: rules that say whose hits do not count. They stand in `applications.settings`, where
//! people may write them by hand, too; what is no rule there is listed as such, and removed as others are.

use std::net::IpAddr;

use alt_line::enrich::exclusion::{Broken, RULES_MAX, Rule};
use alt_line::enrich::{AppSettings, Exclusions};
use alt_statistics::country;
use anyhow::Context;
use serde::Serialize;
use serde_json::{Value, json};
use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};

use crate::apps::Application;
use crate::web::audit::Change;

/// The most characters of a note.
pub const NOTE_MAX: usize = 200;

/// How many bytes of their hash identify a rule.
const ID_BYTES: usize = 4;

/// A rule as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// Key: a number that the same rule always has.
    pub id: i32,
    /// `address`, `country`, `path` or `host`; `""`: it is no rule.
    pub kind: String,
    /// What has to be there. What is no rule is here as it stands in the settings.
    pub value: String,
    /// Whose it is, or why it is there.
    pub note: Option<String>,
    /// UTC, RFC 3339; absent where it was written by hand.
    pub created_at: Option<String>,
    /// Why it is no rule, and how to mend it.
    pub wrong: Option<String>,
}

impl Kept {
    fn of(entry: &Value, rule: Result<&Rule, Broken>) -> Kept {
        let text = |name: &str| entry.get(name).and_then(Value::as_str).map(str::to_owned);
        let (kind, value, wrong) = match rule {
            Ok(rule) => (rule.kind.as_str(), rule.value.clone(), None),
            Err(broken) => ("", broken.text, Some(broken.why)),
        };
        let id = id(&format!("{kind} {value}"));
        Kept { id, kind: kind.to_owned(), value, note: text("note"), created_at: text("created_at"), wrong }
    }
}

fn id(text: &str) -> i32 {
    let mut bytes = [0; ID_BYTES];
    bytes.copy_from_slice(&blake3::hash(text.as_bytes()).as_bytes()[..ID_BYTES]);
    i32::from_le_bytes(bytes) & i32::MAX
}

/// Reads exclusions from the settings of an application. `each` is told of each entry, in their order.
pub fn read(said: &Value, each: impl FnMut(&Value, Result<&Rule, Broken>)) -> Exclusions {
    Exclusions::read(said, country::zones_of, each)
}

/// A rule as somebody wants it, and its note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct New {
    rule: Rule,
    note: Option<String>,
}

impl New {
    /// A rule of a kind, by its name.
    ///
    /// # Errors
    /// It cannot be; says why, and how to write it.
    pub fn checked(kind: &str, value: &str, note: Option<&str>) -> Result<New, String> {
        let rule = Rule::checked(kind, value, country::zones_of)?;
        let note = note.map(str::trim).filter(|note| !note.is_empty());
        if note.is_some_and(|note| note.chars().count() > NOTE_MAX || note.contains(char::is_control)) {
            return Err(format!("note has at most {NOTE_MAX} characters, none of them a control character"));
        }
        Ok(New { rule, note: note.map(str::to_owned) })
    }

    /// As people are told it: `address 192.0.2.0/24`.
    pub fn text(&self) -> String {
        self.rule.text()
    }
}

/// Why a rule is not added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// The application has this rule.
    Exists,
    /// The application has as many as it may.
    Full,
    /// What stands in the settings is no list: remove it first.
    NoList,
}

impl Refused {
    /// What to do.
    pub fn phrase(self) -> String {
        match self {
            Refused::Exists => "the application has this exclusion already".to_owned(),
            Refused::Full => {
                format!("the application has {RULES_MAX} exclusions, which is the most: remove one")
            }
            Refused::NoList => {
                "what the application's settings have as exclusions is no list: remove it first".to_owned()
            }
        }
    }
}

/// The exclusions of an application.
struct Stored {
    /// As the settings have them.
    said: Value,
    /// Each of them.
    all: Vec<Kept>,
    /// Those that are rules.
    rules: Exclusions,
}

/// Reads the exclusions of an application. `lock` is the end of the statement.
async fn stored(client: &Client, app_id: i32, lock: &str) -> anyhow::Result<Stored> {
    let sql = format!("SELECT settings::text FROM applications WHERE id = $1 {lock}");
    let row = client.query_typed_opt(&sql, &[(&app_id, Type::INT4)]).await.context("read the exclusions")?;
    let settings = row.map(|row| serde_json::from_str::<Value>(row.get(0))).transpose();
    let said =
        settings.context("read the settings")?.and_then(|mut all| Some(all.get_mut("exclusions")?.take()));
    let said = said.unwrap_or_default();
    let mut all = Vec::new();
    let rules = read(&said, |entry, rule| all.push(Kept::of(entry, rule)));
    Ok(Stored { said, all, rules })
}

/// The exclusions of an application, in their order.
///
/// # Errors
/// The database cannot be asked.
pub async fn list(client: &Client, app_id: i32) -> anyhow::Result<Vec<Kept>> {
    Ok(stored(client, app_id, "").await?.all)
}

/// The address of whoever asks, who may want it to be excluded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Own {
    /// The address.
    pub address: String,
    /// What a rule of it would have: of IPv6 the first 64 bits, because browsers change what is behind them.
    pub value: String,
    /// The key of the rule that excludes it already.
    pub excluded_by: Option<i32>,
}

/// The exclusions of an application, and what they say of an address. None is told of an address of this machine, which is
/// that of a proxy and of nobody.
///
/// # Errors
/// The database cannot be asked.
pub async fn list_for(
    client: &Client,
    app_id: i32,
    address: Option<IpAddr>,
) -> anyhow::Result<(Vec<Kept>, Option<Own>)> {
    let Stored { all, rules, .. } = stored(client, app_id, "").await?;
    let address = address.map(|address| address.to_canonical());
    let own =
        address.filter(|address| !address.is_loopback() && !address.is_unspecified()).and_then(|address| {
            let whole = address.to_string();
            let value = if address.is_ipv6() { format!("{address}/64") } else { whole.clone() };
            let rule = Rule::checked("address", &value, country::zones_of).ok()?;
            let excluded_by = rules.of_address(address).map(|rule| id(&rule.text()));
            Some(Own { address: whole, value: rule.value, excluded_by })
        });
    Ok((all, own))
}

/// What is no rule, and settings that are none: of which application, what, and how to mend it.
///
/// # Errors
/// The database cannot be asked.
pub async fn broken(client: &Client) -> anyhow::Result<Vec<(String, Broken)>> {
    let sql = "SELECT name, settings::text FROM applications WHERE disabled_at IS NULL AND settings <> '{}' ORDER BY name, id";
    let mut all = Vec::new();
    for row in client.query_typed(sql, &[]).await.context("read the settings of applications")? {
        let (name, text): (String, &str) = (row.get(0), row.get(1));
        match serde_json::from_str::<AppSettings>(text) {
            Ok(settings) => {
                read(&settings.exclusions, |_, rule| {
                    all.extend(rule.err().map(|wrong| (name.clone(), wrong)));
                });
            }
            Err(error) => {
                let text = text.chars().take(200).collect();
                all.push((
                    name,
                    Broken { text, why: format!("all settings of the application are ignored: {error}") },
                ));
            }
        }
    }
    Ok(all)
}

/// Stores the exclusions of an application.
async fn store(client: &Client, app_id: i32, all: &Value) -> anyhow::Result<()> {
    let sql = "UPDATE applications SET settings = jsonb_set(settings, '{exclusions}', $2::text::jsonb) WHERE id = $1";
    let text = all.to_string();
    client
        .execute_typed(sql, &[(&app_id, Type::INT4), (&text, Type::TEXT)])
        .await
        .context("store the exclusions")?;
    Ok(())
}

fn object(kept: &Kept, app: &Application) -> String {
    format!("exclusion {} ({} {}), application {}", kept.id, kept.kind, kept.value, app.key)
}

/// Adds a rule to an application, within a transaction: nobody else changes its exclusions until this one ends.
///
/// # Errors
/// The database does not do it.
pub async fn add(
    client: &Client,
    app: &Application,
    new: &New,
) -> anyhow::Result<Result<(Kept, Change), Refused>> {
    let Stored { mut said, all: known, .. } = stored(client, app.id, "FOR NO KEY UPDATE").await?;
    if said.is_null() {
        said = json!([]);
    }
    let Some(list) = said.as_array_mut() else { return Ok(Err(Refused::NoList)) };
    let New { rule, note } = new;
    if known.iter().any(|kept| kept.kind == rule.kind.as_str() && kept.value == rule.value) {
        return Ok(Err(Refused::Exists));
    }
    if list.len() >= RULES_MAX {
        return Ok(Err(Refused::Full));
    }
    let none: [(&(dyn ToSql + Sync), Type); 0] = [];
    let sql = format!("SELECT {}", crate::web::time("now()"));
    let now: String = client.query_typed_one(&sql, &none).await.context("ask for the time")?.get(0);
    let mut entry = json!({ rule.kind.as_str(): rule.value, "created_at": now });
    if let Some(note) = note {
        entry["note"] = json!(note);
    }
    let kept = Kept::of(&entry, Ok(rule));
    list.push(entry);
    store(client, app.id, &said).await?;
    let change = Change {
        action: "exclusion.add",
        object: object(&kept, app),
        before: None,
        after: Some(json!(kept)),
    };
    Ok(Ok((kept, change)))
}

/// Removes the rule with this key from an application, or what is no rule. `None`: it has no such one.
///
/// # Errors
/// The database does not do it.
pub async fn remove(client: &Client, app: &Application, id: i32) -> anyhow::Result<Option<Change>> {
    let Stored { mut said, all: known, .. } = stored(client, app.id, "FOR NO KEY UPDATE").await?;
    let Some(kept) = known.iter().find(|kept| kept.id == id) else { return Ok(None) };
    match said.as_array_mut() {
        // Those that follow the most that are read stay.
        Some(list) => {
            let mut keys = known.iter().map(|kept| kept.id);
            list.retain(|_| keys.next() != Some(id));
        }
        None => said = json!([]),
    }
    store(client, app.id, &said).await?;
    let object = object(kept, app);
    Ok(Some(Change { action: "exclusion.remove", object, before: Some(json!(kept)), after: None }))
}

#[cfg(test)]
mod tests {
    use alt_line::enrich::{self, AgentRules, App, Privacy};
    use alt_line::hit::Hit;
    use alt_line::row::TrafficClass;
    use alt_statistics::query::Goal;

    use super::*;

    const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

    #[test]
    fn the_same_rule_has_the_same_key() {
        let kept = |entry: Value| {
            let mut all = Vec::new();
            read(&json!([entry]), |entry, rule| all.push(Kept::of(entry, rule)));
            all.remove(0)
        };
        let one = kept(json!({ "address": "192.0.2.7/24", "note": "office" }));
        assert_eq!((one.value.as_str(), one.note.as_deref()), ("192.0.2.0/24", Some("office")));
        assert_eq!(one.id, kept(json!({ "address": "192.0.2.0/24" })).id);
        assert!(one.id >= 0 && one.id != kept(json!({ "address": "192.0.2.0/25" })).id);
        assert_eq!(kept(json!({ "country": "de" })).value, "DE");
        let wrong = kept(json!({ "country": "Germany" }));
        assert_eq!((wrong.kind.as_str(), wrong.value.as_str()), ("", r#"{"country":"Germany"}"#));
        assert!(wrong.wrong.is_some_and(|why| why.contains("two letters")));
    }

    /// A path of a rule is a page of a goal: what fits one fits the other.
    #[test]
    fn a_path_is_a_pattern_as_goals_have_them() {
        let parts = ["/", "a", "b", "*", "ab", "**", "é"];
        let text = |mut n: usize, parts: &[&str]| {
            let mut text = String::from("/");
            while n > 0 {
                text += parts[n % parts.len()];
                n /= parts.len();
            }
            text
        };
        let rules = AgentRules::builtin();
        let fits = |pattern: &str, path: &str| {
            let exclusions = read(&json!([{ "path": pattern }]), |_, _| {});
            let app = App { exclusions, ..App::default() };
            let hit = Hit { page_url: path, is_request: true, user_agent: FIREFOX, ..Hit::default() };
            enrich::explain(&rules, Privacy::default(), &hit, &app).traffic_class == TrafficClass::Excluded
        };
        let mut met = 0;
        for n in 0..400 {
            let pattern = text(n * 7 + 3, &parts);
            let Ok(goal) = Goal::checked("g", None, Some(&pattern)) else { continue };
            if New::checked("path", &pattern, None).is_err() {
                continue;
            }
            for m in 0..20 {
                let path = text(n * 31 + m * 5, &["a", "b", "/", "ab", "é"]);
                let is_reached = goal.on.is_reached("pageview", Some(&path));
                assert_eq!(fits(&pattern, &path), is_reached, "{pattern} {path}");
                met += usize::from(is_reached);
            }
        }
        assert!(met > 100, "{met}");
    }

    #[test]
    fn a_note_is_bounded() {
        let note = |note: &str| New::checked("country", "DE", Some(note));
        assert_eq!(note("  ").unwrap().note, None);
        assert!(note(&"ü".repeat(200)).is_ok() && note(&"x".repeat(201)).is_err() && note("a\nb").is_err());
    }
}
