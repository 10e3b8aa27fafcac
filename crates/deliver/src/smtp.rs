//! Gives one mail to one server: SMTP over a connection that was judged, with TLS from the start, by STARTTLS, or not.
//!
//! A server's texts are not shown; its codes are. All replies together have a limit, and the caller has a time limit.

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Take};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::connect::{Duplex, Way};
use crate::mail::Letterhead;
use crate::retry::Trouble;
use crate::target::Place;

/// The most bytes of all replies of a server.
const REPLIES_BYTES: u64 = 64 << 10;

/// How a connection to a mail server is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seal {
    /// TLS from the first byte; usually port 465.
    Implicit,
    /// TLS after a command, which the server has to know; usually port 587.
    StartTls,
    /// None, which only servers of `[alerts] allow` are talked to with.
    None,
}

/// A name and a password for the server.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    pub(crate) user: String,
    pub(crate) password: String,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Login({})", self.user)
    }
}

/// A mail server, and how to talk to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    pub(crate) place: Place,
    pub(crate) seal: Seal,
    pub(crate) login: Option<Login>,
}

/// Gives a mail to a server.
pub(crate) async fn send(way: &Way, server: &Server, who: &Letterhead, mail: &[u8]) -> Result<(), Trouble> {
    let stream = way.open(&server.place, server.seal != Seal::None).await?;
    let name = match stream.local_addr() {
        Ok(at) if at.is_ipv4() => format!("[{}]", at.ip()),
        Ok(at) => format!("[IPv6:{}]", at.ip()),
        Err(_) => "localhost".to_owned(),
    };
    let stream: Box<dyn Duplex> = match server.seal {
        Seal::Implicit => way.seal(&server.place, stream).await?,
        Seal::StartTls | Seal::None => Box::new(stream),
    };
    let mut talk = Talk::new(stream, &server.place);
    talk.reply("its greeting", 220).await?;
    let mut known = talk.hello(&name).await?;
    if server.seal == Seal::StartTls {
        if !known.has("STARTTLS") {
            return Err(Trouble::later(format!("{} offers no STARTTLS", server.place)));
        }
        talk.say("STARTTLS", "STARTTLS", 220).await?;
        talk = Talk::new(way.seal(&server.place, talk.into_stream()?).await?, &server.place);
        known = talk.hello(&name).await?;
    }
    if let Some(login) = &server.login {
        talk.log_in(login, &known).await?;
    }
    talk.give(who, mail).await?;
    // The server has the mail: whether it says goodbye changes nothing.
    let _ = talk.say("QUIT", "QUIT", 221).await;
    Ok(())
}

/// What a server said that it knows.
struct Known(Vec<String>);

impl Known {
    fn has(&self, keyword: &str) -> bool {
        self.0.iter().any(|line| line.split(' ').next() == Some(keyword))
    }

    fn has_mechanism(&self, name: &str) -> bool {
        let lines = self.0.iter().filter(|line| line.starts_with("AUTH ") || line.starts_with("AUTH="));
        lines.flat_map(|line| line[5..].split(' ')).any(|mechanism| mechanism == name)
    }
}

/// A conversation with a server.
struct Talk<'a> {
    stream: BufReader<Take<Box<dyn Duplex>>>,
    place: &'a Place,
}

impl<'a> Talk<'a> {
    fn new(stream: Box<dyn Duplex>, place: &'a Place) -> Talk<'a> {
        Talk { stream: BufReader::new(stream.take(REPLIES_BYTES)), place }
    }

    /// The bare connection. What came before TLS and would be read behind it is of nobody known.
    fn into_stream(self) -> Result<Box<dyn Duplex>, Trouble> {
        if !self.stream.buffer().is_empty() {
            return Err(Trouble::later(format!("{} sent more than it was asked before TLS", self.place)));
        }
        Ok(self.stream.into_inner().into_inner())
    }

    async fn hello(&mut self, name: &str) -> Result<Known, Trouble> {
        self.say("EHLO", &format!("EHLO {name}"), 250).await.map(Known)
    }

    async fn log_in(&mut self, login: &Login, known: &Known) -> Result<(), Trouble> {
        let encode = |text: &str| BASE64_STANDARD.encode(text);
        if known.has_mechanism("PLAIN") {
            let both = format!("\0{}\0{}", login.user, login.password);
            self.say("the password", &format!("AUTH PLAIN {}", encode(&both)), 235).await?;
        } else if known.has_mechanism("LOGIN") {
            self.say("the password", "AUTH LOGIN", 334).await?;
            self.say("the password", &encode(&login.user), 334).await?;
            self.say("the password", &encode(&login.password), 235).await?;
        } else {
            return Err(Trouble::later(format!("{} takes no password (PLAIN or LOGIN)", self.place)));
        }
        Ok(())
    }

    /// From here on, what a server refuses for good (5xx) is the mail.
    async fn give(&mut self, who: &Letterhead, mail: &[u8]) -> Result<(), Trouble> {
        let about_mail = |trouble| match trouble {
            Said::Code(code, why) if code >= 500 => Trouble::Refused(why),
            said => said.into(),
        };
        let from = format!("MAIL FROM:<{}>", who.from.email);
        self.ask("the sender", &from, 250).await.map_err(about_mail)?;
        for to in &who.to {
            let to = format!("RCPT TO:<{}>", to.email);
            self.ask("a recipient", &to, 250).await.map_err(about_mail)?;
        }
        self.ask("DATA", "DATA", 354).await.map_err(about_mail)?;
        self.write(&stuffed(mail)).await?;
        self.heard("the mail", 250).await.map_err(about_mail)?;
        Ok(())
    }

    async fn say(&mut self, what: &str, command: &str, expected: u16) -> Result<Vec<String>, Trouble> {
        Ok(self.ask(what, command, expected).await?)
    }

    async fn reply(&mut self, what: &str, expected: u16) -> Result<Vec<String>, Trouble> {
        Ok(self.heard(what, expected).await?)
    }

    async fn ask(&mut self, what: &str, command: &str, expected: u16) -> Result<Vec<String>, Said> {
        self.write(format!("{command}\r\n").as_bytes()).await?;
        self.heard(what, expected).await
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), Trouble> {
        let stream = self.stream.get_mut().get_mut();
        let written = async {
            stream.write_all(bytes).await?;
            stream.flush().await
        };
        written.await.map_err(|e| Trouble::later(format!("{}: {}", self.place, e.kind())))
    }

    /// Reads a reply: the texts of its lines, if its code is the expected one, or 251 for 250.
    async fn heard(&mut self, what: &str, expected: u16) -> Result<Vec<String>, Said> {
        let mut lines = Vec::new();
        loop {
            let mut line = Vec::new();
            let read = self.stream.read_until(b'\n', &mut line).await;
            read.map_err(|e| Trouble::later(format!("{}: {}", self.place, e.kind())))?;
            if !line.ends_with(b"\n") {
                let why =
                    if self.stream.get_ref().limit() == 0 { "says too much" } else { "ended the connection" };
                return Err(Trouble::later(format!("{} {why}", self.place)).into());
            }
            let text = String::from_utf8_lossy(&line);
            let code: Option<u16> = text.get(..3).and_then(|code| code.parse().ok());
            let Some(code) = code.filter(|code| (200..600).contains(code)) else {
                return Err(Trouble::later(format!("{} does not speak SMTP", self.place)).into());
            };
            let is_last = !text[3..].starts_with('-');
            lines.push(text[3..].trim_start_matches(['-', ' ']).trim_end().to_ascii_uppercase());
            if is_last {
                let well = code == expected || (expected == 250 && code == 251);
                let why = format!("{} answered {what} with {code}", self.place);
                return if well { Ok(lines) } else { Err(Said::Code(code, why)) };
            }
        }
    }
}

/// Why a server did not do what it was asked for.
enum Said {
    /// It answered something else.
    Code(u16, String),
    /// It did not answer.
    Nothing(Trouble),
}

impl From<Trouble> for Said {
    fn from(trouble: Trouble) -> Said {
        Said::Nothing(trouble)
    }
}

impl From<Said> for Trouble {
    fn from(said: Said) -> Trouble {
        match said {
            Said::Code(_, why) => Trouble::Later(why, None),
            Said::Nothing(trouble) => trouble,
        }
    }
}

/// A mail as it goes over the wire: a dot before a line that begins with one, and a dot at the end.
fn stuffed(mail: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(mail.len() + 64);
    for line in mail.split_inclusive(|b| *b == b'\n') {
        if line.starts_with(b".") {
            out.push(b'.');
        }
        out.extend_from_slice(line);
    }
    if !out.ends_with(b"\r\n") {
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b".\r\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_with_a_dot_does_not_end_the_mail() {
        assert_eq!(stuffed(b"a\r\n.\r\n..b\r\nc"), b"a\r\n..\r\n...b\r\nc\r\n.\r\n");
        assert_eq!(stuffed(b""), b"\r\n.\r\n");
        assert_eq!(stuffed(b".\r\n"), b"..\r\n.\r\n");
    }

    #[test]
    fn what_a_server_knows_is_read_by_words() {
        let known =
            Known(vec!["MAIL.EXAMPLE.COM".into(), "STARTTLSX".into(), "AUTH LOGIN PLAIN-CLIENT".into()]);
        assert!(!known.has("STARTTLS") && known.has_mechanism("LOGIN") && !known.has_mechanism("PLAIN"));
    }
}
