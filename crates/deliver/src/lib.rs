//! Delivers one message to one channel: a webhook, a chat, a mail server, an Alertmanager, a directory.
//!
//! `Sender::send` makes one attempt and says what became of it; when the next is, and what becomes of the message then,
//! is a matter of the caller, who holds the messages. This crate knows no database and no rule.
//!
//! Always true: an attempt ends within its time limit and reads a bounded number of bytes, whatever the receiver does;
//! a connection is made only to an address that was judged (`address`); what a receiver writes is shown nowhere; and all
//! texts of a message are taken for those of a stranger (`text`).

pub mod address;
pub mod breaker;
pub mod channel;
pub mod configured;
pub mod connect;
pub mod fetch;
mod file;
pub mod mail;
pub mod message;
pub mod notifier;
pub mod report;
pub mod retry;
pub mod sign;
pub mod smtp;
pub mod target;
pub mod text;

mod http;
mod payload;

use std::sync::Arc;
use std::time::Duration;

use alt_process::clock;
use tokio::time::timeout;

use crate::address::Allow;
use crate::channel::Channel;
use crate::connect::{Resolve, Way};
use crate::http::{Header, Post};
use crate::message::{Message, time};
use crate::report::Report;
use crate::retry::{Outcome, Trouble};
use crate::sign::signature;

/// How long an attempt may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// To resolve the name, to connect to an address, and for the handshake of TLS: each.
    pub connect: Duration,
    /// In all.
    pub total: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { connect: Duration::from_secs(5), total: Duration::from_secs(20) }
    }
}

/// What is told: what became of an alert, or statistics.
#[derive(Debug, Clone, Copy)]
pub enum Letter<'a> {
    /// Of an alert.
    Alert(&'a Message),
    /// Statistics.
    Report(&'a Report),
}

impl Letter<'_> {
    fn id(&self) -> &str {
        match self {
            Letter::Alert(message) => &message.id,
            Letter::Report(report) => &report.id,
        }
    }
}

/// What sends messages; made once.
#[derive(Debug, Clone)]
pub struct Sender {
    way: Way,
    limits: Limits,
}

impl Sender {
    /// `allow` comes from the configuration file alone; `roots` are the authorities of certificates.
    ///
    /// # Errors
    /// TLS cannot be set up.
    pub fn new(
        allow: Allow,
        resolver: Arc<dyn Resolve>,
        roots: rustls::RootCertStore,
        limits: Limits,
    ) -> anyhow::Result<Sender> {
        Ok(Sender { way: Way::new(allow, resolver, roots, limits.connect)?, limits })
    }

    /// Makes one attempt, of those counted from 0.
    pub async fn send(&self, channel: &Channel, letter: Letter<'_>, attempt: u32) -> Outcome {
        retry::outcome(self.attempt(channel, letter).await, attempt)
    }

    async fn attempt(&self, channel: &Channel, letter: Letter<'_>) -> Result<(), Trouble> {
        let now = clock::now();
        let post = match channel {
            Channel::Mail { server, who } => {
                let mail = who.write(letter, clock::system_time(now)).map_err(Trouble::Refused)?;
                let late = || {
                    Trouble::later(format!("{} did not answer within {:?}", server.place, self.limits.total))
                };
                let sent = timeout(self.limits.total, smtp::send(&self.way, server, who, &mail));
                return sent.await.unwrap_or_else(|_| Err(late()));
            }
            Channel::Webhook { url, secrets } => {
                let body = match letter {
                    Letter::Alert(message) => payload::webhook(message),
                    Letter::Report(report) => report::webhook(report, &time(now)),
                };
                let body = body.to_string().into_bytes();
                let seconds = now.div_euclid(1_000_000);
                let header = |name, value| Header { name, value };
                let headers = vec![
                    header("webhook-id", letter.id().to_owned()),
                    header("webhook-timestamp", seconds.to_string()),
                    header("webhook-signature", signature(secrets, letter.id(), seconds, &body)),
                ];
                Post { target: url, headers, body, is_strict: false }
            }
            Channel::Slack { url } => {
                let body = match letter {
                    Letter::Alert(message) => payload::slack(message),
                    Letter::Report(report) => report::slack(report),
                };
                let body = body.to_string().into_bytes();
                Post { target: url, headers: Vec::new(), body, is_strict: false }
            }
            Channel::File { directory } => {
                return file::write(directory, file::files(letter), self.limits.total).await;
            }
            Channel::Alertmanager { url } => {
                let Letter::Alert(message) = letter else {
                    return Err(Trouble::Refused("an Alertmanager takes no reports".to_owned()));
                };
                let url = url.join("/api/v2/alerts");
                let body = payload::alertmanager(message, now).to_string().into_bytes();
                let post = Post { target: &url, headers: Vec::new(), body, is_strict: true };
                return http::post(&self.way, post, self.limits.total).await;
            }
        };
        http::post(&self.way, post, self.limits.total).await
    }
}
