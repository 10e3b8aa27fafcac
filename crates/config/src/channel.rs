//! The keys of a `[[channel]]`: a receiver of messages about alerts (docs/CHANNELS.md), and what its kind asks for.

use std::path::PathBuf;

use super::secret::SecretFile;
use super::value::{Set, absolute, endpoint, mail_server};

/// A receiver of messages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Channel {
    /// What rules call it.
    pub name: String,
    /// What it is; `None` only until it is checked.
    pub kind: Option<ChannelKind>,
    /// Where to: of webhooks, chats and Alertmanagers.
    pub url: Option<String>,
    /// What holds its secrets, its URL or its password, by kind.
    pub secret: Option<SecretFile>,
    /// The mail server, with a port or without.
    pub server: Option<String>,
    /// How the connection to the mail server is encrypted.
    pub tls: Option<MailTls>,
    /// The name that the mail server knows.
    pub user: Option<String>,
    /// Who writes mails.
    pub from: Option<String>,
    /// Who is sent mails.
    pub to: Vec<String>,
    /// The directory in which messages are files.
    pub directory: Option<PathBuf>,
    /// The channel that takes what does not arrive here.
    pub fallback: Option<String>,
}

/// What a channel is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChannelKind {
    /// A webhook after Standard Webhooks.
    Webhook,
    /// A chat that takes what Slack takes.
    Slack,
    /// Mail.
    Mail,
    /// An Alertmanager.
    Alertmanager,
    /// Files in a directory.
    File,
}

const KINDS: &[(&str, ChannelKind)] = &[
    ("webhook", ChannelKind::Webhook),
    ("slack", ChannelKind::Slack),
    ("mail", ChannelKind::Mail),
    ("alertmanager", ChannelKind::Alertmanager),
    ("file", ChannelKind::File),
];

/// How the connection to a mail server is encrypted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum MailTls {
    /// By a command before anything else.
    #[default]
    StartTls,
    /// From the first byte.
    Implicit,
    /// Not at all.
    None,
}

const TLS: &[(&str, MailTls)] =
    &[("starttls", MailTls::StartTls), ("implicit", MailTls::Implicit), ("none", MailTls::None)];

/// Every key of a `[[channel]]`.
pub(super) const CHANNEL_KEYS: &[(&str, Set<Channel>)] = &[
    ("name", |c, v| v.checked(name).map(|name| c.name = name)),
    ("kind", |c, v| v.one_of(KINDS).map(|kind| c.kind = Some(kind))),
    ("url", |c, v| v.checked(endpoint).map(|url| c.url = Some(url))),
    ("secret_file", |c, v| v.text().and_then(|text| SecretFile::of(&text)).map(|file| c.secret = Some(file))),
    ("server", |c, v| v.checked(mail_server).map(|server| c.server = Some(server))),
    ("tls", |c, v| v.one_of(TLS).map(|tls| c.tls = Some(tls))),
    ("user", |c, v| v.text().map(|user| c.user = Some(user))),
    ("from", |c, v| v.checked(mail_address).map(|from| c.from = Some(from))),
    ("to", |c, v| v.list_of(mail_address).map(|to| c.to = to)),
    ("directory", |c, v| v.checked(absolute).map(|path| c.directory = Some(path.into()))),
    ("fallback", |c, v| v.checked(name).map(|name| c.fallback = Some(name))),
];

impl Channel {
    /// What is wrong with its fallback; the end of a sentence about the channel. What went in a circle would come back to
    /// where it did not arrive.
    pub(super) fn wrong_fallback(&self, channels: &[Channel]) -> Option<String> {
        let of = |name: &str| channels.iter().find(|channel| channel.name == name);
        let first = self.fallback.as_deref()?;
        if of(first).is_none() {
            return Some(format!("has the fallback `{first}`, and no channel has this name"));
        }
        let next = |at: &&Channel| at.fallback.as_deref().and_then(of);
        let mut way = std::iter::successors(next(&self), next).take(channels.len());
        let leads_back = way.any(|at| at.name == self.name);
        leads_back.then(|| "is its own fallback in the end: a message would go in a circle".to_owned())
    }

    /// What is missing, and what is of another kind; each the end of a sentence about the channel.
    pub(super) fn problems(&self) -> Vec<String> {
        let Some(kind) = self.kind else {
            return vec!["needs `kind`: webhook, slack, mail, alertmanager or file".to_owned()];
        };
        let word = KINDS.iter().find(|known| known.1 == kind).map_or("", |known| known.0);
        let (is_mail, is_file) = (kind == ChannelKind::Mail, kind == ChannelKind::File);
        let mut problems = Vec::new();
        let given = [
            ("url", self.url.is_some(), !is_mail && !is_file),
            ("secret_file", self.secret.is_some(), kind != ChannelKind::Alertmanager && !is_file),
            ("server", self.server.is_some(), is_mail),
            ("tls", self.tls.is_some(), is_mail),
            ("user", self.user.is_some(), is_mail),
            ("from", self.from.is_some(), is_mail),
            ("to", !self.to.is_empty(), is_mail),
            ("directory", self.directory.is_some(), is_file),
        ];
        let strange = given.iter().filter(|(_, is_given, fits)| *is_given && !fits);
        problems.extend(
            strange.map(|(key, ..)| format!("has `{key}`, which a channel of kind \"{word}\" has not")),
        );
        let has = |name: &str| given.iter().any(|key| key.0 == name && key.1);
        let needed: &[&str] = match kind {
            ChannelKind::Webhook => &["url", "secret_file"],
            ChannelKind::Slack => &[],
            ChannelKind::Mail => &["server", "from", "to"],
            ChannelKind::Alertmanager => &["url"],
            ChannelKind::File => &["directory"],
        };
        problems.extend(needed.iter().filter(|key| !has(key)).map(|key| format!("needs `{key}`")));
        match kind {
            ChannelKind::Slack if has("url") == has("secret_file") => {
                problems.push("needs either `url` or `secret_file`, a file that holds the URL".to_owned());
            }
            ChannelKind::Mail if has("user") != has("secret_file") => {
                problems.push("needs both `user` and `secret_file`, or neither".to_owned());
            }
            ChannelKind::Mail if has("user") && self.tls == Some(MailTls::None) => {
                problems.push(
                    "sends a password over TLS only: take tls = \"starttls\" or \"implicit\"".to_owned(),
                );
            }
            _ => {}
        }
        problems
    }
}

fn name(text: &str) -> Result<(), String> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    match text.len() <= 64 && text.bytes().all(fits) {
        true => Ok(()),
        false => Err(format!("is of letters, digits, - and _, 64 at most, not `{text}`")),
    }
}

/// `NAME@HOST`, or `WORDS <NAME@HOST>`.
fn mail_address(text: &str) -> Result<(), String> {
    let bare = text.strip_suffix('>').and_then(|text| text.rsplit_once('<')).map_or(text, |(_, bare)| bare);
    let is_plain =
        text.bytes().all(|b| b == b' ' || b.is_ascii_graphic()) && !bare.contains([' ', '<', '>', ',']);
    match bare.split_once('@') {
        Some((name, host)) if is_plain && !name.is_empty() && !host.is_empty() && !host.contains('@') => {
            Ok(())
        }
        _ => Err(format!(
            "is like \"ops@example.com\" or \"Alerts <alt@example.com>\", in ASCII, not `{text}`"
        )),
    }
}
