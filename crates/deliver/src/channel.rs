//! A channel: one receiver, and how it is talked to. Made of what the API or the configuration file says; what cannot
//! work is refused here.

use std::path::PathBuf;

use crate::mail::Letterhead;
use crate::sign::Secret;
use crate::smtp::{Login, Seal, Server};
use crate::target::{Host, Place, Target};

/// The most secrets of a webhook: the one in use, and those that receivers still have.
const SECRETS_MAX: usize = 4;

/// A receiver. `Debug` shows neither secrets nor the path of a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Channel {
    /// A webhook after Standard Webhooks.
    Webhook {
        /// Where to.
        url: Target,
        /// Each makes a signature; at least one.
        secrets: Vec<Secret>,
    },
    /// A chat that takes what Slack takes.
    Slack {
        /// Where to.
        url: Target,
    },
    /// Mail.
    Mail {
        /// The server that is given the mail.
        server: Server,
        /// From whom to whom.
        who: Letterhead,
    },
    /// An Alertmanager.
    Alertmanager {
        /// Its address, before `/api/v2/alerts`.
        url: Target,
    },
    /// Files.
    File {
        /// The directory, which is there.
        directory: PathBuf,
    },
}

impl Channel {
    /// A webhook. `secrets` has the newest first.
    ///
    /// # Errors
    /// What is wrong, without any secret.
    pub fn webhook(url: &str, secrets: &[String]) -> Result<Channel, String> {
        if !(1..=SECRETS_MAX).contains(&secrets.len()) {
            return Err(format!("a webhook has 1 to {SECRETS_MAX} secrets, not {}", secrets.len()));
        }
        let secrets = secrets.iter().map(|text| Secret::parse(text));
        let secrets = secrets.collect::<Result<_, _>>().map_err(|why| format!("the secret {why}"))?;
        Ok(Channel::Webhook { url: target(url)?, secrets })
    }

    /// A chat.
    ///
    /// # Errors
    /// What is wrong with the URL, without the URL.
    pub fn slack(url: &str) -> Result<Channel, String> {
        Ok(Channel::Slack { url: target(url)? })
    }

    /// An Alertmanager.
    ///
    /// # Errors
    /// What is wrong with the URL.
    pub fn alertmanager(url: &str) -> Result<Channel, String> {
        let url = target(url)?;
        match url.path.contains('?') {
            true => Err("the url has a query; write the address of the Alertmanager alone".to_owned()),
            false => Ok(Channel::Alertmanager { url }),
        }
    }

    /// Mail. `server` is a name or an address, with a port, if it is not the usual one of `seal`.
    ///
    /// # Errors
    /// What is wrong, without the password.
    pub fn mail(server: &str, seal: Seal, login: Option<Login>, who: Letterhead) -> Result<Channel, String> {
        if login.is_some() && seal == Seal::None {
            return Err(
                "a password is sent over TLS only: take tls = \"starttls\" or \"implicit\"".to_owned()
            );
        }
        let usual = match seal {
            Seal::Implicit => 465,
            Seal::StartTls => 587,
            Seal::None => 25,
        };
        let (host, port) = match server.rsplit_once(':') {
            // Of an address of IPv6 without a port, the last colon is within the brackets.
            Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok().filter(|port| *port != 0)),
            _ => (server, Some(usual)),
        };
        let port = port.ok_or("the server has a wrong port")?;
        let host = Host::parse(host).map_err(|why| format!("the server {why}"))?;
        Ok(Channel::Mail { server: Server { place: Place { host, port }, seal, login }, who })
    }

    /// The kind, as it stands in the configuration.
    pub fn kind(&self) -> &'static str {
        match self {
            Channel::Webhook { .. } => "webhook",
            Channel::Slack { .. } => "slack",
            Channel::Mail { .. } => "mail",
            Channel::Alertmanager { .. } => "alertmanager",
            Channel::File { .. } => "file",
        }
    }
}

impl Login {
    /// A name and a password.
    pub fn new(user: &str, password: &str) -> Login {
        Login { user: user.to_owned(), password: password.to_owned() }
    }
}

fn target(url: &str) -> Result<Target, String> {
    Target::parse(url).map_err(|why| format!("the url {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who() -> Letterhead {
        Letterhead::new("alt@example.com", &["ops@example.com".to_owned()]).unwrap()
    }

    #[test]
    fn a_mail_server_is_a_name_or_an_address_in_any_spelling() {
        for (server, seal, expected) in [
            ("mail.example.com", Seal::StartTls, "mail.example.com:587"),
            ("mail.example.com.", Seal::Implicit, "mail.example.com:465"),
            ("mail.example.com:2525", Seal::StartTls, "mail.example.com:2525"),
            ("127.1:25", Seal::None, "127.0.0.1:25"),
            ("2130706433", Seal::None, "127.0.0.1:25"),
            ("[::ffff:10.0.0.1]:25", Seal::None, "[::ffff:10.0.0.1]:25"),
            ("[fd00::1]", Seal::Implicit, "[fd00::1]:465"),
        ] {
            match Channel::mail(server, seal, None, who()).unwrap() {
                Channel::Mail { server: found, .. } => assert_eq!(found.place.to_string(), expected),
                other => panic!("{other:?}"),
            }
        }
        for wrong in [
            "",
            ":25",
            "mail.example.com:",
            "mail:0",
            "mail:99999",
            "a b:25",
            "user@mail:25",
            "a\r\nb:25",
            "fd00::1",
        ] {
            assert!(Channel::mail(wrong, Seal::StartTls, None, who()).is_err(), "{wrong:?}");
        }
        let login = Some(Login::new("alt", "secret"));
        let refused = Channel::mail("mail.example.com", Seal::None, login.clone(), who()).unwrap_err();
        assert!(refused.contains("TLS only"), "{refused}");
        let channel = Channel::mail("mail.example.com", Seal::Implicit, login, who()).unwrap();
        assert!(!format!("{channel:?}").contains("secret"));
    }

    #[test]
    fn a_channel_that_cannot_work_is_refused() {
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned();
        assert!(Channel::webhook("https://example.com/", &[]).is_err());
        assert!(Channel::webhook("https://example.com/", &vec![secret.clone(); 5]).is_err());
        assert!(Channel::webhook("ftp://example.com/", std::slice::from_ref(&secret)).is_err());
        assert!(Channel::alertmanager("https://example.com/?a=b").is_err());
        let channel = Channel::webhook("https://example.com/T0/B0/token", &[secret]).unwrap();
        let shown = format!("{channel:?}");
        assert!(!shown.contains("token") && !shown.contains("MfKQ"), "{shown}");
    }
}
