//! `alt channel`: the receivers of messages in the configuration file, and a message to try one.

use std::path::Path;

use alt_config::Config;
use alt_deliver::configured;
use alt_store::alerts::outbox;
use alt_store::in_transaction;
use alt_store::web::audit::{self, Change};
use anyhow::bail;
use serde_json::json;

use super::access::{LOCK_TIME, actor};
use super::{Out, Outcome, show};
use crate::cli;

/// Dispatches the verbs.
///
/// # Errors
/// There is no such channel, its secret cannot be read, or the receiver does not take the message.
pub async fn run(config: &Config, verb: &cli::Channel, out: Out<'_>) -> anyhow::Result<Outcome> {
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY");
    let credentials = credentials.as_deref().map(Path::new);
    match verb {
        cli::Channel::List(args) => list(config, credentials, args.json, out)?,
        cli::Channel::Enable(args) => {
            let actor = actor();
            in_transaction(&*super::writer(config).await?, LOCK_TIME, async |client| {
                if !outbox::enable(client, &args.name).await? {
                    bail!("the channel {} takes messages already", args.name)
                }
                let object = format!("channel {}", args.name);
                let change = Change { action: "channel.enable", object, before: None, after: None };
                audit::record(client, &actor, &change).await
            })
            .await?;
            writeln!(out, "enabled; messages that were given up stay so")?;
        }
        cli::Channel::Test(args) => {
            let host = config.load.host_name();
            let id =
                alt_web::channels::send_test(&config.channels, &config.alerts, &host, &args.name).await?;
            writeln!(out, "sent: the receiver has taken the message {id}")?;
        }
    }
    Ok(Outcome::Done)
}

fn list(config: &Config, credentials: Option<&Path>, as_json: bool, out: Out<'_>) -> anyhow::Result<()> {
    let opened = config.channels.iter().map(|channel| (channel, configured::open(channel, credentials)));
    // Of a URL not even the host: the URL of a chat is its secret.
    let found: Vec<[String; 3]> = opened
        .map(|(channel, opened)| match opened {
            Ok(opened) => [channel.name.clone(), opened.kind().to_owned(), "ready".to_owned()],
            Err(why) => [channel.name.clone(), String::new(), format!("{why:#}")],
        })
        .collect();
    if as_json {
        let of = |[name, kind, state]: &[String; 3]| json!({ "name": name, "kind": kind, "state": state });
        return show::json(out, &found.iter().map(of).collect::<Vec<_>>());
    }
    if found.is_empty() {
        writeln!(out, "there is no channel; a [[channel]] in the configuration is one")?;
        return Ok(());
    }
    let mut rows = show::Rows::new(&["name", "kind", "state"]);
    for row in &found {
        rows.add(row);
    }
    rows.print(out)
}
