//! How a rule tells of its alerts: again after a time, to others if nobody looks after them, several in one message, or not
//! while another rule fires.

use crate::lens::is_like;
use crate::rule::{Reader, texts};
use crate::time::{Micros, parse_span};

/// The keys of a rule that say so.
pub const KEYS: [&str; 4] = ["repeat_interval", "escalate", "silent_while", "messages_by"];

/// The most steps of an escalation.
const STEPS_MAX: usize = 10;

/// How a rule tells of its alerts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Manner {
    /// Those who were told are told again after this time, until somebody looks after the alert or it ends.
    pub repeat: Option<Micros>,
    /// Who else is told, if nobody looks after it; ascending.
    pub escalate: Vec<Escalation>,
    /// Names of rules, in which `*` is any text. While one of them fires for the application, nobody is told.
    pub silent_while: Vec<String>,
    /// Alerts that are equal in these labels come in one message. `None`: each has its own.
    pub messages_by: Option<Vec<String>>,
}

/// A step of an escalation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Escalation {
    /// How long after the alert was told of.
    pub after: Micros,
    /// Who is told.
    pub channels: Vec<String>,
}

impl Manner {
    /// Whether nobody is told while an alert of the rule with this name is open.
    pub fn is_silent_while(&self, rule: &str) -> bool {
        self.silent_while.iter().any(|pattern| is_like(pattern, rule))
    }

    /// Who is told after so long without anybody looking after the alert.
    pub fn escalated(&self, after: Micros) -> impl Iterator<Item = &String> {
        self.escalate.iter().filter(move |step| step.after <= after).flat_map(|step| &step.channels)
    }
}

/// Reads it from the table of the rule with this name.
pub(crate) fn parse(read: &Reader<'_>, name: &str) -> Result<Manner, String> {
    let repeat = read.text("repeat_interval")?.map(|text| time("repeat_interval", text)).transpose()?;
    let silent_while = read.texts("silent_while")?;
    if silent_while.iter().any(|pattern| is_like(pattern, name)) {
        return Err("silent_while names the rule itself: it would never be told of".to_owned());
    }
    let messages_by = read.table().contains_key("messages_by").then(|| read.texts("messages_by"));
    Ok(Manner { repeat, escalate: escalate(read)?, silent_while, messages_by: messages_by.transpose()? })
}

/// A time that has passed when something is told.
fn time(key: &str, text: &str) -> Result<Micros, String> {
    match parse_span(text) {
        Ok(0) => Err(format!("{key} is 5s at least")),
        Ok(span) => Ok(span),
        Err(why) => Err(format!("{key}: {why}")),
    }
}

fn escalate(read: &Reader<'_>) -> Result<Vec<Escalation>, String> {
    let wrong =
        || "escalate is a list of steps: escalate = [{ after = \"15m\", channels = [\"pager\"] }]".to_owned();
    let Some(value) = read.table().get("escalate") else { return Ok(Vec::new()) };
    let steps = value.as_array().ok_or_else(wrong)?;
    if steps.len() > STEPS_MAX {
        return Err(format!("escalate has {STEPS_MAX} steps at most"));
    }
    let mut all = Vec::new();
    for step in steps {
        let step = step.as_table().ok_or_else(wrong)?;
        if step.keys().any(|key| key != "after" && key != "channels") {
            return Err(wrong());
        }
        let after = step.get("after").and_then(toml::Value::as_str).ok_or_else(wrong)?;
        let channels = texts(step.get("channels").ok_or_else(wrong)?, "channels of escalate")?;
        if channels.is_empty() {
            return Err(wrong());
        }
        all.push(Escalation { after: time("after of escalate", after)?, channels });
    }
    all.sort_by_key(|step| step.after);
    Ok(all)
}

#[cfg(test)]
mod tests {
    use crate::rule::parse_one;
    use crate::time::SECOND;

    fn manner(rest: &str) -> Result<super::Manner, String> {
        Ok(parse_one(&format!("name = \"x\"\ncompare = \"> 1\"\n{rest}"))?.manner)
    }

    #[test]
    fn a_rule_says_how_it_tells() {
        let manner = manner(
            "repeat_interval = \"4h\"\nsilent_while = \"host *\"\nmessages_by = []\n\
             escalate = [{ after = \"1h\", channels = [\"b\", \"c\"] }, { after = \"15m\", channels = \"a\" }]",
        )
        .unwrap();
        assert_eq!(manner.repeat, Some(4 * 3600 * SECOND));
        assert!(manner.is_silent_while("host down") && !manner.is_silent_while("x"));
        assert_eq!(manner.messages_by, Some(vec![]));
        let told = |minutes: i64| manner.escalated(minutes * 60 * SECOND).cloned().collect::<String>();
        assert_eq!([14, 15, 59, 60].map(told), ["", "a", "a", "abc"]);
        assert_eq!(self::manner("").unwrap(), super::Manner::default());
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, wanted) in [
            ("repeat_interval = \"0s\"", "5s at least"),
            ("repeat_interval = 5", "in quotes"),
            ("silent_while = \"*\"", "names the rule itself"),
            ("escalate = \"pager\"", "list of steps"),
            ("escalate = [{ after = \"5m\" }]", "list of steps"),
            ("escalate = [{ after = \"5m\", channels = [], to = 1 }]", "list of steps"),
            ("escalate = [{ after = \"5x\", channels = \"a\" }]", "write 30s"),
            ("messages_by = 1", "a text, or a list of texts"),
        ] {
            let error = manner(text).unwrap_err();
            assert!(error.contains(wanted), "{text}: {error}");
        }
    }
}
