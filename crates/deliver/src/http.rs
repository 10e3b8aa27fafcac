//! One POST over a connection of its own. Redirects are answers like others; an answer's body is read up to a limit and
//! shown to nobody.

use std::time::{Duration, SystemTime};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST, HeaderValue, RETRY_AFTER, USER_AGENT};
use hyper::{Request, Response};
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

/// What is sent.
pub(crate) struct Post<'a> {
    pub(crate) target: &'a Target,
    /// Besides those that every request has.
    pub(crate) headers: Vec<Header>,
    /// JSON.
    pub(crate) body: Vec<u8>,
    /// 400 and 422 are about the message.
    pub(crate) is_strict: bool,
}

/// A header of a request.
pub(crate) struct Header {
    pub(crate) name: &'static str,
    pub(crate) value: String,
}

/// Sends, within `total`.
pub(crate) async fn post(way: &Way, post: Post<'_>, total: Duration) -> Result<(), Trouble> {
    let place = post.target.place.clone();
    let late = || Trouble::later(format!("{place} did not answer within {total:?}"));
    timeout(total, exchange(way, post)).await.unwrap_or_else(|_| Err(late()))
}

async fn exchange(way: &Way, post: Post<'_>) -> Result<(), Trouble> {
    let Post { target, headers, body, is_strict } = post;
    let request = request(target, headers, body)?;
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
    // Ends with this function, however it ends.
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    let answer = sender.send_request(request).await.map_err(|e| broken(&e))?;
    let wait = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let wait = wait.and_then(|value| retry_after(value, SystemTime::now()));
    let verdict = judge(answer.status().as_u16(), wait, is_strict);
    let _ = timeout(BODY, discard(answer)).await;
    verdict
}

fn request(target: &Target, headers: Vec<Header>, body: Vec<u8>) -> Result<Request<Full<Bytes>>, Trouble> {
    let wrong =
        |what: &str| Trouble::Refused(format!("{}: the {what} cannot be sent over HTTP", target.place));
    let mut request = Request::post(&target.path)
        .header(HOST, target.authority())
        .header(USER_AGENT, AGENT)
        .header(CONTENT_TYPE, "application/json")
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
async fn discard(answer: Response<Incoming>) {
    let mut body = answer.into_body();
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
