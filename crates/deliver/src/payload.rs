//! Messages as JSON: for webhooks, for chats that take what Slack takes, for an Alertmanager.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::message::{Kind, MEMBERS_MAX, Member, Message, Micros, minute, time};
use crate::text::{CHARS_MAX, chat, facts, line, link, more_than};

/// The most members of a webhook's message, and the most characters of each of its texts.
const WEBHOOK_MEMBERS_MAX: usize = 100;
const WEBHOOK_CHARS_MAX: usize = 1000;

/// How long an Alertmanager holds an alert of which it hears nothing more. It would otherwise end it after five minutes,
/// and only Prometheus repeats its alerts all the time.
const HOLD_MICROS: Micros = 30 * 86_400 * 1_000_000;

/// How long an Alertmanager holds what somebody tries a channel with.
const TEST_MICROS: Micros = 5 * 60 * 1_000_000;

/// The body of a webhook: `type`, `timestamp` and `data`, as Standard Webhooks recommends. Texts are as they are, since
/// programs read them; only their length is bounded.
pub(crate) fn webhook(message: &Message) -> Value {
    let members: Vec<Value> = message.members.iter().take(WEBHOOK_MEMBERS_MAX).map(webhook_member).collect();
    json!({
        "type": format!("alert.{}", message.kind.word()),
        "timestamp": time(message.at),
        "data": {
            "id": message.id,
            "episode": message.episode,
            "severity": message.severity.name(),
            "title": cut(&message.title),
            "rule": cut(&message.rule),
            "application": message.application.as_deref().map(cut),
            "labels": labels(&message.labels),
            "value": message.value,
            "threshold": message.threshold,
            "unit": cut(&message.unit),
            "started": time(message.started),
            "ended": message.ended.map(time),
            "link": link(message),
            "members": members,
            "members_left_out": message.members.len().saturating_sub(WEBHOOK_MEMBERS_MAX),
        },
    })
}

fn webhook_member(member: &Member) -> Value {
    json!({
        "episode": member.episode,
        "state": member.kind.word(),
        "severity": member.severity.name(),
        "title": cut(&member.title),
        "labels": labels(&member.labels),
        "value": member.value,
        "started": time(member.started),
        "ended": member.ended.map(time),
    })
}

/// As much of a text as a webhook has.
pub(crate) fn cut(text: &str) -> &str {
    text.char_indices().nth(WEBHOOK_CHARS_MAX).map_or(text, |(at, _)| &text[..at])
}

fn labels(labels: &BTreeMap<String, String>) -> BTreeMap<&str, &str> {
    labels.iter().take(WEBHOOK_MEMBERS_MAX).map(|(name, value)| (cut(name), cut(value))).collect()
}

/// The body for a chat: `text` alone, which Slack, Mattermost, Rocket.Chat, Discord (`/slack`) and Google Chat take. What
/// strangers could have written is code in it.
pub(crate) fn slack(message: &Message) -> Value {
    let head = |message: &Message| {
        let word = message.kind.word().to_ascii_uppercase();
        format!("*{word}* {} {}", message.severity.name(), chat(&message.title))
    };
    let mut lines = vec![head(message)];
    lines.extend(facts(message).iter().map(|(name, value)| format!("{}: {}", chat(name), chat(value))));
    for member in message.members.iter().take(MEMBERS_MAX) {
        lines.push(format!("• {} {}", minute(member.started), head(&message.of_member(member))));
    }
    lines.extend(more_than(message.members.len()).map(|more| format!("and {more} more")));
    lines.extend(link(message).map(str::to_owned));
    json!({ "text": lines.join("\n"), "unfurl_links": false, "unfurl_media": false, "link_names": false })
}

/// The body for `POST /api/v2/alerts`: one alert for each that the message is about.
pub(crate) fn alertmanager(message: &Message, now: Micros) -> Value {
    if message.members.is_empty() {
        return json!([alert(message, now)]);
    }
    let alerts = message.members.iter().take(WEBHOOK_MEMBERS_MAX);
    alerts.map(|member| alert(&message.of_member(member), now)).collect()
}

fn alert(message: &Message, now: Micros) -> Value {
    let mut labels = BTreeMap::new();
    for (name, value) in message.labels.iter().take(WEBHOOK_MEMBERS_MAX) {
        labels.insert(label_name(name), line(value, CHARS_MAX));
    }
    // Behind the others: a stranger's label does not replace these.
    labels.extend(message.application.iter().map(|name| ("application".to_owned(), line(name, CHARS_MAX))));
    labels.insert("alertname".to_owned(), line(&message.rule, CHARS_MAX));
    labels.insert("severity".to_owned(), message.severity.name().to_owned());
    // An Alertmanager refuses all alerts of a request for one label without a name.
    labels.retain(|_, value| !value.is_empty());
    let mut annotations = BTreeMap::from([("summary".to_owned(), line(&message.title, CHARS_MAX))]);
    annotations.extend(message.numbers().into_iter().map(|(name, number)| (name.to_owned(), number)));
    annotations.insert("episode".to_owned(), message.episode.clone());
    annotations.retain(|_, value| !value.is_empty());
    let until = match message.kind {
        kind if kind.is_over() => message.ended.unwrap_or(message.at).max(message.started),
        Kind::Test => now.saturating_add(TEST_MICROS),
        _ => now.saturating_add(HOLD_MICROS),
    };
    json!({
        "labels": labels,
        "annotations": annotations,
        "startsAt": time(message.started),
        "endsAt": time(until),
        "generatorURL": link(message).unwrap_or_default(),
    })
}

/// A name that every Alertmanager takes: `[a-zA-Z_][a-zA-Z0-9_]*`.
fn label_name(name: &str) -> String {
    let fits = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let name: String = name.chars().take(CHARS_MAX).map(fits).collect();
    if name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') { name } else { format!("_{name}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::tests::sample;

    #[test]
    fn a_webhook_has_all_that_is_known() {
        insta::assert_snapshot!(serde_json::to_string_pretty(&webhook(&sample())).unwrap(), @r#"
        {
          "type": "alert.firing",
          "timestamp": "2026-11-29T16:00:00Z",
          "data": {
            "id": "msg_2f0c7a",
            "episode": "ep_19",
            "severity": "high",
            "title": "Error rate of /api/* is 12.5 %",
            "rule": "error-rate",
            "application": "shop",
            "labels": {
              "path": "/api/*"
            },
            "value": 12.5,
            "threshold": 5.0,
            "unit": "%",
            "started": "2026-11-29T15:55:00Z",
            "ended": null,
            "link": "https://stats.example.com/alerts/19",
            "members": [],
            "members_left_out": 0
          }
        }
        "#);
    }

    #[test]
    fn a_chat_gets_one_text_in_which_all_of_strangers_is_code() {
        insta::assert_snapshot!(slack(&sample())["text"].as_str().unwrap(), @r#"
        *FIRING* high `Error rate of /api/* is 12.5 %`
        `rule`: `error-rate`
        `application`: `shop`
        `value`: `12.5 %`
        `threshold`: `5 %`
        `path`: `/api/*`
        `started`: `2026-11-29 15:55:00 UTC`
        https://stats.example.com/alerts/19
        "#);
        let evil =
            "\n<!channel> <!here> <@U1> @all @everyone <https://evil.example|x> [a](https://evil.example) `";
        let mut message = sample();
        message.title = evil.into();
        message.rule = evil.into();
        message.application = Some(evil.into());
        message.unit = evil.into();
        message.labels = BTreeMap::from([(evil.to_owned(), evil.to_owned())]);
        message.link = Some(format!("https://x/{evil}"));
        let text = slack(&message)["text"].as_str().unwrap().to_owned();
        for word in ["<!", "<@", "<h", "@all", "@everyone", "\n#"] {
            assert!(!text.contains(word), "{word}: {text}");
        }
        for line in text.lines() {
            let outside: String = line.split('`').step_by(2).collect();
            assert_eq!(line.matches('`').count() % 2, 0, "{line}");
            assert!(!outside.contains("evil") && !outside.contains('<') && !outside.contains('['), "{line}");
        }
    }

    #[test]
    fn an_alertmanager_is_given_names_that_it_takes_and_times_in_order() {
        let now = sample().at + 1;
        insta::assert_snapshot!(serde_json::to_string_pretty(&alertmanager(&sample(), now)).unwrap(), @r#"
        [
          {
            "labels": {
              "alertname": "error-rate",
              "application": "shop",
              "path": "/api/*",
              "severity": "high"
            },
            "annotations": {
              "episode": "ep_19",
              "summary": "Error rate of /api/* is 12.5 %",
              "threshold": "5 %",
              "value": "12.5 %"
            },
            "startsAt": "2026-11-29T15:55:00Z",
            "endsAt": "2026-12-29T16:00:00.000001Z",
            "generatorURL": "https://stats.example.com/alerts/19"
          }
        ]
        "#);
        let mut message = sample();
        message.kind = Kind::Resolved;
        message.ended = Some(message.started - 1);
        message.labels =
            [("1st-é", "x"), ("severity", "none"), ("alertname", "other"), ("", "empty"), ("gone", "\n")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into();
        let alert = &alertmanager(&message, now)[0];
        assert_eq!(alert["endsAt"], alert["startsAt"]);
        let labels = json!({"_": "empty", "_1st__": "x", "alertname": "error-rate", "application": "shop", "severity": "high"});
        assert_eq!(alert["labels"], labels);
    }

    #[test]
    fn texts_and_lists_are_bounded() {
        let mut message = sample();
        message.title = "é".repeat(1 << 20);
        message.labels = (0..10_000).map(|n| (format!("l{n}"), "x".repeat(5000))).collect();
        let member = Member {
            episode: "e".into(),
            kind: Kind::Firing,
            severity: message.severity,
            title: "x".repeat(5000),
            labels: BTreeMap::new(),
            value: None,
            started: 0,
            ended: None,
        };
        message.members = vec![member; 5000];
        assert!(webhook(&message).to_string().len() < 500_000);
        assert!(slack(&message).to_string().len() < 40_000);
        assert!(alertmanager(&message, 0).to_string().len() < 500_000);
        assert_eq!(webhook(&message)["data"]["members_left_out"], 4900);
    }
}
