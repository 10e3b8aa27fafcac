//! The receivers of messages in the configuration, and a message to try one. Neither a secret nor a URL is told.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use alt_config::ChannelKind;
use alt_deliver::address::Allow;
use alt_deliver::configured;
use alt_deliver::connect::System;
use alt_deliver::message::{Kind, Message, Severity};
use alt_deliver::retry::Outcome;
use alt_deliver::{Letter, Limits, Sender};
use alt_process::clock;
use alt_process::lock::lock;
use alt_store::alerts::outbox;
use alt_store::connect::system_roots;
use alt_store::web::audit::Change;
use anyhow::bail;
use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::Web;
use crate::ask::{Answer, Asked, check_bound};
use crate::problem::Problem;
use crate::reports::Means;
use crate::rules::time;

/// The channels of the configuration.
#[derive(Debug)]
pub(crate) struct Channels {
    config: Arc<Config>,
    /// What became of the last message that tried a channel, by this process.
    tried: Arc<Mutex<BTreeMap<String, Tried>>>,
}

/// What sending needs of the configuration.
#[derive(Debug)]
struct Config {
    channels: Vec<alt_config::Channel>,
    alerts: alt_config::Alerts,
    host: String,
    has_statistics: bool,
}

/// A message to try a channel.
#[derive(Debug, Clone)]
struct Tried {
    at: i64,
    /// `None`: it is on its way.
    outcome: Option<Result<(), String>>,
}

impl Channels {
    pub(crate) fn new(config: &alt_config::Config) -> Channels {
        let (channels, alerts) = (config.channels.clone(), config.alerts.clone());
        let has_statistics = config.stats.enabled;
        let config = Config { channels, alerts, host: config.load.host_name(), has_statistics };
        Channels { config: Arc::new(config), tried: Arc::default() }
    }

    /// What sends reports.
    pub(crate) fn means(&self) -> Means<'_> {
        let Config { channels, alerts, has_statistics, .. } = &*self.config;
        Means { has_statistics: *has_statistics, has_alerts: alerts.enabled, channels }
    }

    /// What became of the last message that tried a channel.
    fn tried(&self, name: &str) -> Value {
        let all = lock(&self.tried);
        let Some(tried) = all.get(name) else { return Value::Null };
        let (state, why) = match &tried.outcome {
            None => ("sending", None),
            Some(Ok(())) => ("sent", None),
            Some(Err(why)) => ("failed", Some(why)),
        };
        json!({ "at": time(tried.at), "state": state, "why": why })
    }
}

fn kind(channel: &alt_config::Channel) -> Option<&'static str> {
    Some(match channel.kind? {
        ChannelKind::Webhook => "webhook",
        ChannelKind::Slack => "slack",
        ChannelKind::Mail => "mail",
        ChannelKind::Alertmanager => "alertmanager",
        ChannelKind::File => "file",
    })
}

/// `GET /api/v1/channels`.
pub(crate) async fn list(web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    check_bound(asked)?;
    let disabled = outbox::disabled(asked.db()?).await?;
    let told = |channel: &alt_config::Channel| {
        json!({
            "name": channel.name, "kind": kind(channel), "is_disabled": disabled.contains(&channel.name),
            "tried": web.channels.tried(&channel.name),
        })
    };
    let all: Vec<Value> = web.channels.config.channels.iter().map(told).collect();
    let may_test = asked.caller()?.owns_all();
    Ok(Answer::json(
        json!({ "channels": all, "may_test": may_test, "is_judged": web.channels.config.alerts.enabled }),
    ))
}

/// `POST /api/v1/channels/{name}/test`.
pub(crate) async fn test(web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    let name = asked.part("name").to_owned();
    let config = Arc::clone(&web.channels.config);
    if !config.channels.iter().any(|channel| channel.name == name) {
        return Err(Problem::not_found("the configuration of this server has no such channel"));
    }
    let tried = Arc::clone(&web.channels.tried);
    let at = clock::now();
    {
        let mut all = lock(&tried);
        if all.get(&name).is_some_and(|tried| tried.outcome.is_none()) {
            return Err(Problem::conflict("a message is on its way to this channel"));
        }
        all.insert(name.clone(), Tried { at, outcome: None });
    }
    let object = format!("channel {name}");
    tokio::spawn(async move {
        let sent = send_test(&config.channels, &config.alerts, &config.host, &name).await;
        let outcome = Some(sent.map(|_| ()).map_err(|why| format!("{why:#}")));
        lock(&tried).insert(name, Tried { at, outcome });
    });
    let change = Change { action: "channel.test", object, before: None, after: None };
    Ok(Answer::changed(StatusCode::CREATED, json!({ "state": "sending" }), change))
}

/// Sends a message to try a channel, and waits for what its receiver says. Returns the id of the message.
///
/// # Errors
/// There is no such channel, its secret cannot be read, or the receiver does not take the message; without any secret.
pub async fn send_test(
    channels: &[alt_config::Channel],
    alerts: &alt_config::Alerts,
    host: &str,
    name: &str,
) -> anyhow::Result<String> {
    let Some(channel) = channels.iter().find(|channel| channel.name == name) else {
        bail!("the configuration has no [[channel]] {name}; `alt channel list` shows the names")
    };
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY");
    let channel = configured::open(channel, credentials.as_deref().map(Path::new))?;
    let allow = Allow::new(alerts.allow.clone());
    let sender = Sender::new(allow, Arc::new(System), system_roots(), Limits::default())?;
    let message = test_message(name, host);
    match sender.send(&channel, Letter::Alert(&message), 0).await {
        Outcome::Sent => Ok(message.id),
        Outcome::Gone => bail!("the receiver wants no more messages (410)"),
        Outcome::Later { why, .. } | Outcome::Refused { why } => {
            bail!("the channel {name} was not told: {why}")
        }
    }
}

/// What tells a receiver that it is reached.
fn test_message(name: &str, host: &str) -> Message {
    let now = clock::now();
    let id = format!("test_{now}");
    Message {
        episode: id.clone(),
        id,
        at: now,
        kind: Kind::Test,
        severity: Severity::Low,
        title: format!("A test of the channel {name}: messages arrive"),
        rule: "test".to_owned(),
        application: None,
        labels: BTreeMap::from([("host".to_owned(), host.to_owned())]),
        value: None,
        threshold: None,
        unit: String::new(),
        started: now,
        ended: None,
        link: None,
        members: Vec::new(),
    }
}
