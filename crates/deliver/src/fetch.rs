//! A question over HTTP whose answer is read: one request over a connection of its own, to an address that was judged as those
//! of messages are. Redirects are not followed; an answer is read up to a limit of bytes and of time.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use hyper::{Method, StatusCode};
use tokio::time::timeout;

use crate::address::Allow;
use crate::connect::{Resolve, Way};
use crate::http::{Header, Request, exchange};
use crate::retry::Trouble;
use crate::target::Target;

/// The most bytes of an answer's body.
pub const ANSWER_BYTES: usize = 256 << 10;

/// Asks; made once.
#[derive(Debug, Clone)]
pub struct Client {
    way: Way,
    total: Duration,
}

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// Where; whoever is there is named in errors by host and port.
    pub url: &'a str,
    /// The header `Authorization`.
    pub authorization: Option<&'a str>,
    /// Sent by POST, encoded as of a form; `None`: it is asked by GET.
    pub form: Option<&'a str>,
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body, as a whole.
    pub body: Vec<u8>,
}

impl Client {
    /// `allow` comes from the configuration file alone; `roots` are the authorities of certificates. An answer is there within
    /// `total`.
    ///
    /// # Errors
    /// TLS cannot be set up.
    pub fn new(
        allow: Allow,
        resolver: Arc<dyn Resolve>,
        roots: rustls::RootCertStore,
        connect: Duration,
        total: Duration,
    ) -> anyhow::Result<Client> {
        Ok(Client { way: Way::new(allow, resolver, roots, connect)?, total })
    }

    /// Asks once.
    ///
    /// # Errors
    /// Why there is no answer, in words that the other side has no say in.
    pub async fn ask(&self, question: Question<'_>) -> Result<Answer, String> {
        let target = Target::parse(question.url).map_err(|why| format!("the URL {why}"))?;
        let late = || format!("{} did not answer within {:?}", target.place, self.total);
        timeout(self.total, self.answered(&target, question)).await.unwrap_or_else(|_| Err(late()))
    }

    async fn answered(&self, target: &Target, question: Question<'_>) -> Result<Answer, String> {
        let mut headers = vec![Header { name: ACCEPT.as_str(), value: "application/json".to_owned() }];
        if let Some(value) = question.authorization {
            headers.push(Header { name: AUTHORIZATION.as_str(), value: value.to_owned() });
        }
        if question.form.is_some() {
            let value = "application/x-www-form-urlencoded".to_owned();
            headers.push(Header { name: CONTENT_TYPE.as_str(), value });
        }
        let method = if question.form.is_some() { Method::POST } else { Method::GET };
        let body = question.form.unwrap_or_default().as_bytes().to_vec();
        let said =
            exchange(&self.way, Request { target, method, headers, body }).await.map_err(of_trouble)?;
        let status: StatusCode = said.response.status();
        let body = Limited::new(said.response.into_body(), ANSWER_BYTES).collect().await.map_err(
            |error| match error.is::<http_body_util::LengthLimitError>() {
                true => format!("the answer of {} is larger than {ANSWER_BYTES} bytes", target.place),
                false => format!("{}: the connection ended within the answer", target.place),
            },
        )?;
        Ok(Answer { status: status.as_u16(), body: body.to_bytes().to_vec() })
    }
}

fn of_trouble(trouble: Trouble) -> String {
    match trouble {
        Trouble::Refused(why) | Trouble::Later(why, _) => why,
        Trouble::Gone => "it is gone".to_owned(),
    }
}
