//! One request over a connection of its own. Redirects are answers like others; of a message, an answer's body is read up to a
//! limit and shown to nobody.

use std::time::{Duration, SystemTime};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST, HeaderValue, RETRY_AFTER, USER_AGENT};
use hyper::{Method, Response};
use hyper_util::rt::TokioIo;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::connect::{Duplex, Way};
use crate::retry::{Trouble, judge, retry_after};
use crate::target::Target;

/// The most bytes of an answer's head, and of its body.
const ANSWER_BYTES: usize = 64 << 10;
const HEADERS_MAX: usize = 100;

/// How long the body of an answer is waited for: what matters was said before it.
const BODY: Duration = Duration::from_secs(2);

const AGENT: &str = concat!("alt/", env!("CARGO_PKG_VERSION"));

/// A message.
pub(crate) struct Post<'a> {
    pub(crate) target: &'a Target,
    /// Besides those that every message has.
    pub(crate) headers: Vec<Header>,
    /// JSON.
    pub(crate) body: Vec<u8>,
    /// 400 and 422 are about the message.
    pub(crate) is_strict: bool,
}

/// What is sent.
pub(crate) struct Request<'a> {
    pub(crate) target: &'a Target,
    pub(crate) method: Method,
    /// Besides those that every request has.
    pub(crate) headers: Vec<Header>,
    pub(crate) body: Vec<u8>,
}

/// An answer whose body is still to be read.
pub(crate) struct Said {
    pub(crate) response: Response<Incoming>,
    /// The connection: it ends with this.
    _driver: JoinSet<hyper::Result<()>>,
}

/// A header of a request.
pub(crate) struct Header {
    pub(crate) name: &'static str,
    pub(crate) value: String,
}

/// Sends a message, within `total`.
pub(crate) async fn post(way: &Way, post: Post<'_>, total: Duration) -> Result<(), Trouble> {
    let place = post.target.place.clone();
    let late = || Trouble::later(format!("{place} did not answer within {total:?}"));
    timeout(total, told(way, post)).await.unwrap_or_else(|_| Err(late()))
}

async fn told(way: &Way, post: Post<'_>) -> Result<(), Trouble> {
    let Post { target, mut headers, body, is_strict } = post;
    headers.push(Header { name: CONTENT_TYPE.as_str(), value: "application/json".to_owned() });
    let said = exchange(way, Request { target, method: Method::POST, headers, body }).await?;
    let wait = said.response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let wait = wait.and_then(|value| retry_after(value, SystemTime::now()));
    let verdict = judge(said.response.status().as_u16(), wait, is_strict);
    let _ = timeout(BODY, discard(said)).await;
    verdict
}

/// Sends a request, and waits for the head of the answer.
pub(crate) async fn exchange(way: &Way, asked: Request<'_>) -> Result<Said, Trouble> {
    let target = asked.target;
    let request = request(asked)?;
    let stream = way.open(&target.place, target.sealed).await?;
    let stream: Box<dyn Duplex> =
        if target.sealed { way.seal(&target.place, stream).await? } else { Box::new(stream) };
    let broken = |e: &hyper::Error| Trouble::later(format!("{}: {}", target.place, of_http(e)));
    let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
        .max_buf_size(ANSWER_BYTES)
        .max_headers(HEADERS_MAX)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|e| broken(&e))?;
    // Ends with what holds it, however that ends.
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    let response = sender.send_request(request).await.map_err(|e| broken(&e))?;
    Ok(Said { response, _driver: driver })
}

fn request(asked: Request<'_>) -> Result<hyper::Request<Full<Bytes>>, Trouble> {
    let Request { target, method, headers, body } = asked;
    let wrong =
        |what: &str| Trouble::Refused(format!("{}: the {what} cannot be sent over HTTP", target.place));
    let mut request = hyper::Request::builder()
        .method(method)
        .uri(&target.path)
        .header(HOST, target.authority())
        .header(USER_AGENT, AGENT)
        .header(CONNECTION, "close")
        .body(Full::new(Bytes::from(body)))
        .map_err(|_| wrong("path"))?;
    for header in headers {
        let value = HeaderValue::try_from(header.value).map_err(|_| wrong(header.name))?;
        request.headers_mut().insert(header.name, value);
    }
    Ok(request)
}

/// Reads what is left of an answer, so that the receiver does not see its connection reset; not more than a limit.
async fn discard(mut said: Said) {
    let body = said.response.body_mut();
    let mut read = 0;
    while let Some(Ok(frame)) = body.frame().await {
        read += frame.data_ref().map_or(0, Bytes::len);
        if read > ANSWER_BYTES {
            return;
        }
    }
}

/// What went wrong, in words that the other side has no say in.
fn of_http(error: &hyper::Error) -> &'static str {
    if error.is_parse_too_large() {
        "the head of the answer is too large"
    } else if error.is_parse() {
        "the answer is no HTTP"
    } else if error.is_incomplete_message() || error.is_closed() || error.is_canceled() {
        "the connection ended before the answer"
    } else {
        "the connection broke"
    }
}
