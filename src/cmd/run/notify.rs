//! The worker that sends the messages about alerts, and reports. Every host with alerts could; a lease lets one do it at a time.
//!
//! A message is sent, and then what became of it is recorded, if the lease is still held. A process that ends between
//! the two leaves the message due: it is sent again, under the same id. Channels do not wait for each other; of one,
//! messages are sent one after the other. A process that stood still, and may have lost the lease meanwhile, sends nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use alt_config::Config;
use alt_deliver::address::Allow;
use alt_deliver::channel::Channel;
use alt_deliver::connect::System;
use alt_deliver::message::{Kind, Member, Message, Severity};
use alt_deliver::notifier::{self, Claimed, Known, Notifier, Step as Does};
use alt_deliver::report::Report;
use alt_deliver::retry::Outcome;
use alt_deliver::{Letter, Limits, Sender, configured};
use alt_process::fault::{self, Step};
use alt_process::metrics::Metrics;
use alt_process::stop::Stop;
use alt_process::worker::{self, Work};
use alt_store::alerts::NOTIFIER;
use alt_store::alerts::outbox::{self, Due, Fate, Told};
use alt_store::connect::system_roots;
use alt_store::lease::{Fence, Lease, Lost};
use alt_store::reports;
use alt_store::session::Session;
use anyhow::Context;
use tokio::task::JoinSet;

use crate::cmd::stats::report;

/// How often it is looked whether a message is due.
const INTERVAL: Duration = Duration::from_millis(500);

/// How often it is looked whether a report is due.
const REPORTS: Duration = Duration::from_secs(60);

/// How long a turn waits for a message that is on its way.
const SLICE: Duration = Duration::from_millis(100);

/// When a message is looked at again whose channel cannot be opened.
const CLOSED: Duration = Duration::from_secs(300);

/// The worker.
pub(super) struct Notify {
    session: Session,
    lease: Lease,
    sender: Sender,
    runtime: tokio::runtime::Runtime,
    channels: BTreeMap<String, Channel>,
    /// Channels of the configuration that cannot be opened, and why.
    closed: BTreeMap<String, String>,
    notifier: Notifier,
    /// Messages on their way; `None`: it was not sent, because another process may send it.
    sending: JoinSet<(Due, Option<Outcome>)>,
    busy: BTreeSet<String>,
    /// The address of the dashboard.
    public_url: Option<String>,
    fallbacks: BTreeMap<String, String>,
    began: Instant,
    /// When it is looked next whether a report is due.
    reports_at: Instant,
    /// How many messages were given up.
    given_up: Arc<AtomicU64>,
}

impl Notify {
    /// Creates the worker for a configuration.
    ///
    /// # Errors
    /// The runtime cannot be created.
    pub(super) fn new(config: &Config, metrics: &Metrics, stop: &Arc<Stop>) -> anyhow::Result<Notify> {
        let host = config.load.host_name();
        let credentials = std::env::var_os("CREDENTIALS_DIRECTORY");
        let credentials = credentials.as_deref().map(Path::new);
        let (mut channels, mut closed) = (BTreeMap::new(), BTreeMap::new());
        for channel in &config.channels {
            match configured::open(channel, credentials) {
                Ok(open) => _ = channels.insert(channel.name.clone(), open),
                Err(why) => {
                    tracing::warn!(
                        channel = channel.name,
                        error = format!("{why:#}"),
                        "cannot open a channel"
                    );
                    closed.insert(channel.name.clone(), format!("{why:#}"));
                }
            }
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let allow = Allow::new(config.alerts.allow.clone());
        Ok(Notify {
            session: Session::new(&config.postgres, NOTIFIER, &host, metrics, stop)?,
            lease: Lease::new(NOTIFIER.to_owned(), &host),
            sender: Sender::new(allow, Arc::new(System), system_roots(), Limits::default())?,
            runtime: runtime.context("start the runtime")?,
            channels,
            closed,
            notifier: Notifier::default(),
            sending: JoinSet::new(),
            busy: BTreeSet::new(),
            public_url: config.web.public_url.clone(),
            fallbacks: config.channels.iter().filter_map(fallback).collect(),
            began: Instant::now(),
            reports_at: Instant::now(),
            given_up: Arc::default(),
        })
    }

    /// How many messages were given up since the start.
    pub(super) fn given_up(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.given_up)
    }

    /// Takes the lease, or renews it.
    fn fence(&mut self) -> anyhow::Result<Fence> {
        self.lease.hold(&mut self.session)
    }

    /// Sends what is due, and records what became of what was sent. Returns whether anything is on its way.
    fn look(&mut self) -> anyhow::Result<bool> {
        self.record()?;
        self.report()?;
        let busy: Vec<String> = self.busy.iter().cloned().collect();
        let due = self.session.ask(async |client| outbox::due(client, &busy).await)?;
        if due.is_empty() {
            return Ok(!self.sending.is_empty());
        }
        self.fence()?;
        // Read again: whoever had the lease may have sent them meanwhile.
        let (due, disabled) = self
            .session
            .ask(async |client| Ok((outbox::due(client, &busy).await?, outbox::disabled(client).await?)))?;
        let known = |name: &String| {
            let fallback = self.fallbacks.get(name).cloned();
            (name.clone(), Known { enabled: !disabled.contains(name), fallback })
        };
        self.notifier.know(self.channels.keys().chain(self.closed.keys()).map(known).collect());
        for one in due {
            fault::at(Step::NotifyTaken);
            self.begin(one)?;
        }
        Ok(!self.sending.is_empty())
    }

    /// Sends a message, or records why it is not sent.
    fn begin(&mut self, due: Due) -> anyhow::Result<()> {
        if let Some(why) = self.closed.get(&due.channel) {
            let fate = Fate::Due(CLOSED, due.attempts, Some(why.clone()));
            return self.settle(&due, &fate, false);
        }
        let attempt = match self.notifier.begin(&claimed(&due), self.began.elapsed()) {
            Does::Send(attempt) => attempt,
            Does::Settle(fate) => return self.settle(&due, &stored(fate), false),
        };
        let (Some(channel), Some(words)) = (self.channels.get(&due.channel).cloned(), self.words(&due)?)
        else {
            return self.settle(&due, &Fate::Dead("there is nothing to tell".to_owned()), false);
        };
        let sender = self.sender.clone();
        self.busy.insert(due.channel.clone());
        let sure_until = self.lease.sure_until();
        let sends = async move {
            fault::at(Step::NotifySending);
            // If this process stood still, another one sends it.
            if sure_until.is_none_or(|until| Instant::now() >= until) {
                return (due, None);
            }
            let outcome = sender.send(&channel, words.letter(), attempt).await;
            (due, Some(outcome))
        };
        self.sending.spawn_on(sends, self.runtime.handle());
        Ok(())
    }

    /// What a row says. `None`: nothing.
    fn words(&mut self, due: &Due) -> anyhow::Result<Option<Words>> {
        let public_url = self.public_url.as_deref();
        let Some(id) = due.report() else {
            return Ok(message(due, public_url).map(|message| Words::Alert(Box::new(message))));
        };
        let report = report::read(&mut self.session, id, due.seq, public_url)?;
        Ok(report.map(|report| Words::Report(Box::new(report))))
    }

    /// Enqueues the reports that are due, once a minute.
    fn report(&mut self) -> anyhow::Result<()> {
        if Instant::now() < self.reports_at {
            return Ok(());
        }
        // First, so that whoever has no lease does not ask all the time.
        self.reports_at = Instant::now() + fault::wait(REPORTS);
        let due = self.session.ask(async |client| reports::due(client, SystemTime::now()).await)?;
        if !due.is_empty() {
            self.fence()?.write(&mut self.session, async |client| reports::enqueue(client, &due).await)?;
        }
        Ok(())
    }

    /// Records what became of messages that were sent.
    fn record(&mut self) -> anyhow::Result<()> {
        loop {
            let sending = &mut self.sending;
            let ended =
                self.runtime.block_on(async { tokio::time::timeout(SLICE, sending.join_next()).await });
            let Ok(Some(ended)) = ended else { return Ok(()) };
            let (due, outcome) = ended.context("send a message")?;
            self.busy.remove(&due.channel);
            let Some(outcome) = outcome else { continue };
            fault::at(Step::NotifySent);
            let settled = self.notifier.settle(&claimed(&due), outcome, self.began.elapsed());
            if let notifier::Fate::Dead { why } = &settled.fate {
                tracing::warn!(channel = due.channel, episode = due.episode, why, "a message is given up");
            }
            self.settle(&due, &stored(settled.fate), settled.disables)?;
        }
    }

    fn settle(&mut self, due: &Due, fate: &Fate, disables: bool) -> anyhow::Result<()> {
        self.fence()?.write(&mut self.session, async |client| {
            outbox::settle(client, due, fate, disables).await?;
            fault::at(Step::NotifySettled);
            Ok(())
        })?;
        self.given_up.fetch_add(u64::from(matches!(fate, Fate::Dead(_))), Ordering::Relaxed);
        fault::at(Step::NotifyCommitted);
        Ok(())
    }

    /// Sends everything that is due now, once, before the end of a final run.
    pub(super) fn finish(&mut self) -> anyhow::Result<()> {
        while self.look()? {}
        Ok(())
    }
}

impl Work for Notify {
    fn name(&self) -> &'static str {
        NOTIFIER
    }

    fn turn(&mut self) -> anyhow::Result<worker::Done> {
        match self.look() {
            Ok(true) => Ok(worker::Done::all(Duration::ZERO)),
            Ok(false) => Ok(worker::Done::all(INTERVAL)),
            Err(error) if error.is::<Lost>() => {
                self.forget();
                Ok(worker::Done::all(INTERVAL))
            }
            Err(error) => {
                self.recover();
                Err(anyhow::Error::msg(alt_store::told(&error)))
            }
        }
    }

    fn recover(&mut self) {
        self.forget();
        self.session.close();
    }
}

impl Notify {
    /// What is on its way stays due: it is sent again.
    fn forget(&mut self) {
        self.sending = JoinSet::new();
        self.busy.clear();
    }
}

/// What is sent.
enum Words {
    Alert(Box<Message>),
    Report(Box<Report>),
}

impl Words {
    fn letter(&self) -> Letter<'_> {
        match self {
            Words::Alert(message) => Letter::Alert(message),
            Words::Report(report) => Letter::Report(report),
        }
    }
}

/// A channel, and which takes what does not arrive there.
fn fallback(channel: &alt_config::Channel) -> Option<(String, String)> {
    Some((channel.name.clone(), channel.fallback.clone()?))
}

fn claimed(due: &Due) -> Claimed {
    Claimed { row: due.row, channel: due.channel.clone(), attempts: due.attempts }
}

fn stored(fate: notifier::Fate) -> Fate {
    match fate {
        notifier::Fate::Sent => Fate::Sent,
        notifier::Fate::Due { after, attempts, why } => Fate::Due(after, attempts, why),
        notifier::Fate::Moved { to, why } => Fate::Moved(to, why),
        notifier::Fate::Dead { why } => Fate::Dead(why),
    }
}

fn kind(told: &Told) -> Kind {
    match told.kind.as_str() {
        "acknowledged" => Kind::Acknowledged,
        "resolved" => Kind::Resolved,
        "corrected" | "superseded" => Kind::Corrected,
        _ => Kind::Firing,
    }
}

fn severity(told: &Told) -> Severity {
    Severity::ALL.into_iter().find(|one| one.name() == told.severity).unwrap_or(Severity::Medium)
}

fn title(told: &Told) -> String {
    let what = match told.kind.as_str() {
        "repeated" => "Still: ",
        "escalated" => "Nobody looks after it: ",
        _ => "",
    };
    if told.application.is_empty() {
        format!("{what}{}", told.title)
    } else {
        format!("{what}{} ({})", told.title, told.application)
    }
}

/// The title of a message about several alerts.
fn title_of_all(due: &Due) -> String {
    if !due.is_group {
        return format!("Alerts that were not told of in time: {}", due.told.len());
    }
    let rule = due.told.first().map_or("", |told| told.rule.as_str());
    let over = due.told.iter().filter(|told| kind(told) != Kind::Firing).count();
    let (firing, and) =
        (due.told.len() - over, if over > 0 { format!(", {over} over") } else { String::new() });
    format!("{rule}: {firing} firing{and}")
}

/// What a row says. It depends on the row alone, so each attempt says the same under the same id. `None`: nothing.
fn message(due: &Due, public_url: Option<&str>) -> Option<Message> {
    let first = due.told.first()?;
    let link = public_url.map(|url| format!("{url}/alerts"));
    if due.episode != 0 {
        return Some(Message {
            id: format!("msg_{}_{}", due.episode, due.seq),
            episode: format!("ep_{}", first.episode),
            at: first.at,
            kind: kind(first),
            severity: severity(first),
            title: title(first),
            rule: first.rule.clone(),
            application: Some(first.application.clone()).filter(|name| !name.is_empty()),
            labels: first.labels.clone(),
            value: first.value,
            threshold: first.threshold,
            unit: String::new(),
            started: first.began,
            ended: first.ended,
            link: link.map(|link| format!("{link}/{}", first.episode)),
            members: Vec::new(),
        });
    }
    let member = |told: &Told| Member {
        episode: format!("ep_{}", told.episode),
        kind: kind(told),
        severity: severity(told),
        title: title(told),
        labels: told.labels.clone(),
        value: told.value,
        started: told.began,
        ended: told.ended,
    };
    let worst = due.told.iter().map(severity).max().unwrap_or(Severity::Medium);
    let started = due.told.iter().map(|told| told.began).min().unwrap_or(first.began);
    Some(Message {
        id: format!("dig_{}", due.seq),
        episode: format!("dig_{}", due.seq),
        at: due.told.iter().map(|told| told.at).max().unwrap_or(first.at),
        kind: Kind::Digest,
        severity: worst,
        title: title_of_all(due),
        rule: if due.is_group { first.rule.clone() } else { "digest".to_owned() },
        application: None,
        labels: BTreeMap::new(),
        value: None,
        threshold: None,
        unit: String::new(),
        started,
        ended: None,
        link,
        members: due.told.iter().map(member).collect(),
    })
}
