//! A message: what a transition of an alert says, whoever is told. The ways to write it (JSON, chat, mail, terminal)
//! are elsewhere, and all of them take its texts for those of a stranger.

use std::collections::BTreeMap;

pub use alt_alerts::rule::Severity;
pub use alt_alerts::time::Micros;
use serde::{Deserialize, Serialize};

/// The most members that a message for people lists; the others are counted.
pub const MEMBERS_MAX: usize = 20;

/// Why a message is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The condition holds.
    Firing,
    /// The condition holds no more, or a person ended the alert.
    Resolved,
    /// Somebody takes care of the alert.
    Acknowledged,
    /// Late data says that there was no alert.
    Corrected,
    /// Several alerts, about which it is too late or too much to send a message each.
    Digest,
    /// Somebody tries the channel.
    Test,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 6] =
        [Kind::Firing, Kind::Resolved, Kind::Acknowledged, Kind::Corrected, Kind::Digest, Kind::Test];

    /// As it stands in payloads.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Firing => "firing",
            Kind::Resolved => "resolved",
            Kind::Acknowledged => "acknowledged",
            Kind::Corrected => "corrected",
            Kind::Digest => "digest",
            Kind::Test => "test",
        }
    }

    /// Whether an alert of which this is the last message is over.
    pub fn is_over(self) -> bool {
        matches!(self, Kind::Resolved | Kind::Corrected)
    }
}

/// What is told, to one channel or to several.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// The same at every attempt and on every channel: receivers leave out what they have. Letters, digits, `_`, `-`.
    pub id: String,
    /// The alert whose transition this is: what its messages have in common. Letters, digits, `_`, `-`.
    pub episode: String,
    /// When the transition was.
    pub at: Micros,
    /// Why it is sent.
    pub kind: Kind,
    /// How much the alert matters.
    pub severity: Severity,
    /// One line that says what is the matter.
    pub title: String,
    /// The name of the rule.
    pub rule: String,
    /// The name of the application; `None`: the alert is about no application.
    pub application: Option<String>,
    /// What tells this alert from others of its rule.
    pub labels: BTreeMap<String, String>,
    /// What was measured.
    pub value: Option<f64>,
    /// What it was compared with.
    pub threshold: Option<f64>,
    /// The unit of both; may be empty.
    pub unit: String,
    /// When the alert began.
    pub started: Micros,
    /// When it ended.
    pub ended: Option<Micros>,
    /// Where people see more; an address of this installation.
    pub link: Option<String>,
    /// The alerts of a digest or a group; empty where the message is about one.
    pub members: Vec<Member>,
}

/// One alert of a digest or a group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Member {
    /// The alert.
    pub episode: String,
    /// What became of it.
    pub kind: Kind,
    /// How much it matters.
    pub severity: Severity,
    /// One line that says what is the matter.
    pub title: String,
    /// What tells it from others of its rule.
    pub labels: BTreeMap<String, String>,
    /// What was measured.
    pub value: Option<f64>,
    /// When it began.
    pub started: Micros,
    /// When it ended.
    pub ended: Option<Micros>,
}

impl Message {
    /// The message about one alert of a digest or a group.
    pub(crate) fn of_member(&self, member: &Member) -> Message {
        Message {
            id: self.id.clone(),
            episode: member.episode.clone(),
            at: self.at,
            kind: member.kind,
            severity: member.severity,
            title: member.title.clone(),
            rule: self.rule.clone(),
            application: self.application.clone(),
            labels: member.labels.clone(),
            value: member.value,
            threshold: self.threshold,
            unit: self.unit.clone(),
            started: member.started,
            ended: member.ended,
            link: self.link.clone(),
            members: Vec::new(),
        }
    }

    /// What was measured and what it was compared with, each with a name.
    pub(crate) fn numbers(&self) -> Vec<(&'static str, String)> {
        let named = [("value", self.value), ("threshold", self.threshold)];
        let known = named.into_iter().filter_map(|(name, number)| Some((name, number?)));
        known
            .map(|(name, number)| (name, format!("{} {}", rounded(number), self.unit).trim_end().to_owned()))
            .collect()
    }
}

/// A number as people read it: four digits behind the point at most.
fn rounded(number: f64) -> String {
    let text = format!("{number:.4}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

/// A time as RFC 3339 has it, in UTC.
pub(crate) fn time(at: Micros) -> String {
    jiff::Timestamp::from_microsecond(at).map_or_else(|_| "unknown".to_owned(), |at| at.to_string())
}

/// A time as people read it, in UTC.
pub(crate) fn minute(at: Micros) -> String {
    jiff::Timestamp::from_microsecond(at)
        .map_or_else(|_| "unknown".to_owned(), |at| at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A message as rules make them.
    pub(crate) fn sample() -> Message {
        Message {
            id: "msg_2f0c7a".into(),
            episode: "ep_19".into(),
            at: 1_795_968_000_000_000,
            kind: Kind::Firing,
            severity: Severity::High,
            title: "Error rate of /api/* is 12.5 %".into(),
            rule: "error-rate".into(),
            application: Some("shop".into()),
            labels: BTreeMap::from([("path".to_owned(), "/api/*".to_owned())]),
            value: Some(12.5),
            threshold: Some(5.0),
            unit: "%".into(),
            started: 1_795_967_700_000_000,
            ended: None,
            link: Some("https://stats.example.com/alerts/19".into()),
            members: Vec::new(),
        }
    }

    #[test]
    fn a_message_is_read_back_as_it_was_written() {
        let mut message = sample();
        message.members.push(Member {
            episode: "ep_20".into(),
            kind: Kind::Resolved,
            severity: Severity::Low,
            title: "\u{202e}\n<b>".into(),
            labels: BTreeMap::new(),
            value: None,
            started: 1,
            ended: Some(2),
        });
        for kind in Kind::ALL {
            message.kind = kind;
            let text = serde_json::to_string(&message).unwrap();
            assert_eq!(serde_json::from_str::<Message>(&text).unwrap(), message);
            assert!(text.contains(&format!("\"kind\":\"{}\"", kind.word())), "{text}");
        }
    }

    #[test]
    fn numbers_are_short_and_times_are_never_a_panic() {
        for (number, text) in
            [(12.5, "12.5"), (0.0, "0"), (100.0, "100"), (1.0 / 3.0, "0.3333"), (f64::NAN, "NaN")]
        {
            assert_eq!(rounded(number), text);
        }
        assert_eq!(time(0), "1970-01-01T00:00:00Z");
        assert_eq!(time(i64::MAX), "unknown");
        assert_eq!(minute(i64::MIN), "unknown");
    }
}
