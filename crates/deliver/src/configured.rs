//! A channel of the configuration file, with the secrets that stand in files of their own.

use std::path::Path;

use alt_config::{ChannelKind, MailTls};
use anyhow::Context;

use crate::channel::Channel;
use crate::mail::Letterhead;
use crate::smtp::{Login, Seal};

/// Reads the secrets of a channel. `credentials` is where systemd puts credentials (`CREDENTIALS_DIRECTORY`).
///
/// # Errors
/// A secret cannot be read, or the channel cannot work; the error names the channel and no secret.
pub fn open(config: &alt_config::Channel, credentials: Option<&Path>) -> anyhow::Result<Channel> {
    let made = || -> anyhow::Result<Channel> {
        let secrets = match &config.secret {
            Some(file) => file.lines("secret_file", credentials)?,
            None => Vec::new(),
        };
        channel(config, &secrets).map_err(anyhow::Error::msg)
    };
    made().with_context(|| format!("channel {}", config.name))
}

fn channel(config: &alt_config::Channel, secrets: &[String]) -> Result<Channel, String> {
    let url = config.url.as_deref().ok_or("needs `url`");
    // Of all but webhooks the file has one line.
    let secret = || match secrets {
        [one] => Ok(one.as_str()),
        _ => Err(format!("secret_file holds {} lines, and one is needed", secrets.len())),
    };
    match config.kind.ok_or("needs `kind`")? {
        ChannelKind::Webhook => Channel::webhook(url?, secrets),
        ChannelKind::Alertmanager => Channel::alertmanager(url?),
        ChannelKind::Slack => match &config.url {
            Some(url) => Channel::slack(url),
            None => Channel::slack(secret()?).map_err(|why| format!("secret_file holds a URL: {why}")),
        },
        ChannelKind::File => {
            let directory = config.directory.clone().ok_or("needs `directory`")?;
            Ok(Channel::File { directory })
        }
        ChannelKind::Mail => {
            let server = config.server.as_deref().ok_or("needs `server`")?;
            let who = Letterhead::new(config.from.as_deref().ok_or("needs `from`")?, &config.to)?;
            let login = config.user.as_deref().map(|user| Ok::<_, String>(Login::new(user, secret()?)));
            let seal = match config.tls.unwrap_or_default() {
                MailTls::StartTls => Seal::StartTls,
                MailTls::Implicit => Seal::Implicit,
                MailTls::None => Seal::None,
            };
            Channel::mail(server, seal, login.transpose()?, who)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alt_config::SecretFile;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    /// The first channel of a text, opened; the file `secret` holds this.
    fn opened(keys: &str, secret: &str) -> Result<Channel, String> {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("secret"), secret).unwrap();
        let text = format!("[[channel]]\nname = \"a\"\n{keys}");
        let config = alt_config::Config::from_str(&text, |_| None).unwrap();
        open(&config.channels[0], Some(directory.path())).map_err(|e| format!("{e:#}"))
    }

    #[test]
    fn channels_of_all_kinds_are_opened_with_their_secrets() {
        let webhook = "kind = \"webhook\"\nurl = \"https://a.example/h\"\nsecret_file = \"secret\"";
        let mail =
            "kind = \"mail\"\nserver = \"m.example\"\nfrom = \"a@example.com\"\nto = [\"b@example.com\"]";
        let with_user = format!("{mail}\nuser = \"u\"\nsecret_file = \"secret\"");
        let two = [SECRET.to_owned(), SECRET.to_owned()];
        assert_eq!(
            opened(webhook, &format!("{SECRET}\r\n\n{SECRET}\n")),
            Channel::webhook("https://a.example/h", &two)
        );
        assert_eq!(
            opened("kind = \"slack\"\nsecret_file = \"secret\"", "https://a.example/token\n"),
            Channel::slack("https://a.example/token")
        );
        let who = Letterhead::new("a@example.com", &["b@example.com".to_owned()]).unwrap();
        let login = Some(Login::new("u", "pass word "));
        assert_eq!(
            opened(&with_user, "pass word \n"),
            Channel::mail("m.example", Seal::StartTls, login, who.clone())
        );
        assert_eq!(opened(mail, ""), Channel::mail("m.example", Seal::StartTls, None, who));
        assert_eq!(
            opened("kind = \"file\"\ndirectory = \"/var/lib/alt/reports\"", ""),
            Ok(Channel::File { directory: "/var/lib/alt/reports".into() })
        );
        assert_eq!(
            opened("kind = \"alertmanager\"\nurl = \"http://127.0.0.1:9093\"", ""),
            Channel::alertmanager("http://127.0.0.1:9093")
        );
    }

    #[test]
    fn what_cannot_be_opened_is_named_without_a_secret() {
        let webhook = "kind = \"webhook\"\nurl = \"https://a.example/h\"\nsecret_file = ";
        for (keys, secret, expected) in [
            (format!("{webhook}\"secret\""), "", "channel a: a webhook has 1 to 4 secrets, not 0"),
            (format!("{webhook}\"secret\""), "whsec_TOKEN", "channel a: the secret is no secret"),
            (format!("{webhook}\"other\""), "", "channel a: read secret_file"),
            (format!("{webhook}\"secret\""), &"TOKEN\n".repeat(1000), "is too long"),
            (
                "kind = \"slack\"\nsecret_file = \"secret\"".into(),
                "TOKEN",
                "secret_file holds a URL: the url is no URL",
            ),
            (
                "kind = \"slack\"\nsecret_file = \"secret\"".into(),
                "TOKEN\nTOKEN",
                "secret_file holds 2 lines",
            ),
        ] {
            let found = opened(&keys, secret).unwrap_err();
            assert!(found.contains(expected) && !found.contains("TOKEN"), "{keys}: {found}");
        }
        let config =
            alt_config::Channel { secret: Some(SecretFile::Credential("x".into())), ..Default::default() };
        assert!(format!("{:#}", open(&config, None).unwrap_err()).contains("LoadCredential=x:/PATH"));
    }
}
