//! The admin port: reports over HTTP whether the daemon is alive (`/healthz`), whether it can work (`/readyz`), and all
//! its counters (`/metrics`).
//!
//! It has its own thread, so that it answers whatever the other threads wait for. It only reads, and answers everybody
//! who can reach it: the address decides who that is. Pages in a browser on this machine reach it, too; they cannot read
//! an answer, unless a name of theirs leads here (DNS rebinding). Therefore a request has to name an address,
//! `localhost`, or a host of the configuration. It is bounded: a limited number of connections at once, each for one
//! request and a short time. One more ends the oldest, so that connections that say nothing keep nobody out. If the port cannot be opened, the daemon reports that and tries again; loading
//! continues without the port.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use alt_process::lock::lock;
use alt_process::metrics::Metrics;
use anyhow::Context;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HOST, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::Serialize;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

/// Maximum number of connections that are served at the same time. One more ends the oldest of them.
const CONNECTIONS_MAX: usize = 64;

/// Maximum lifetime of a connection, which is for one request.
const CONNECTION_TIME: Duration = Duration::from_secs(10);

/// How long to wait after an address cannot be listened on, or a connection cannot be accepted.
const RETRY: Duration = Duration::from_secs(5);
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// Whether the daemon can work, and if not, why.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Readiness {
    /// The daemon can load new lines.
    pub ready: bool,
    /// What prevents loading.
    pub postgres: Option<String>,
    /// What prevents archiving; loading continues.
    pub archive: Option<String>,
    /// What prevents deleting what is old enough; loading continues.
    pub retention: Option<String>,
    /// What prevents other workers from working, by worker name; loading continues.
    pub workers: BTreeMap<&'static str, String>,
}

/// The source of the answers.
pub trait Answers: Send + Sync {
    /// Whether the daemon's threads move.
    fn is_alive(&self) -> bool;
    /// Whether the daemon can work.
    fn readiness(&self) -> Readiness;
    /// The daemon's counters, as [`Metrics::page`] writes them.
    ///
    /// # Errors
    /// The counters cannot be written.
    fn metrics(&self) -> anyhow::Result<String>;
}

/// The current source of the answers, and the host names that may be asked for; `None` while the daemon starts.
type Present = Arc<Mutex<Option<(Arc<dyn Answers>, Vec<String>)>>>;

/// The port, open until this value is dropped.
pub struct Admin {
    address: SocketAddr,
    present: Present,
    /// Dropping it ends the thread.
    _open: oneshot::Sender<()>,
}

impl Admin {
    /// Listens on an address as soon as the address is available.
    ///
    /// # Errors
    /// The thread or the runtime cannot be started.
    pub fn start(address: SocketAddr, metrics: Arc<Metrics>) -> anyhow::Result<Admin> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("start the runtime")?;
        let (open, closed) = oneshot::channel();
        let present = Present::default();
        let port = Port { present: Arc::clone(&present), metrics };
        std::thread::Builder::new()
            .name("alt-admin".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        () = listen(address, port) => {}
                        _ = closed => {}
                    }
                });
            })
            .context("start the admin port's thread")?;
        Ok(Admin { address, present, _open: open })
    }

    /// The address that the port was started with.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Uses `answers` from now on. `hosts`: names under which it is asked, besides addresses and `localhost`.
    pub fn answer_by(&self, answers: Arc<dyn Answers>, hosts: &[String]) {
        *lock(&self.present) = Some((answers, hosts.to_vec()));
    }
}

#[derive(Clone)]
struct Port {
    present: Present,
    metrics: Arc<Metrics>,
}

async fn listen(address: SocketAddr, port: Port) {
    let mut is_told = false;
    let listener = loop {
        match TcpListener::bind(address).await {
            Ok(listener) => break listener,
            Err(error) => {
                if !std::mem::replace(&mut is_told, true) {
                    tracing::warn!(
                        %address, %error,
                        "cannot listen on the admin port, trying again: set listen in [admin], or \"off\""
                    );
                }
                tokio::time::sleep(RETRY).await;
            }
        }
    };
    let address = listener.local_addr().unwrap_or(address);
    tracing::info!(%address, "answering /healthz, /readyz and /metrics");
    let mut open: VecDeque<AbortHandle> = VecDeque::new();
    loop {
        match listener.accept().await {
            Ok((connection, _)) => {
                open.retain(|connection| !connection.is_finished());
                if open.len() >= CONNECTIONS_MAX
                    && let Some(oldest) = open.pop_front()
                {
                    oldest.abort();
                }
                let port = port.clone();
                let served = tokio::spawn(async move {
                    // A client that leaves, or is too slow, gets no answer.
                    let _ = tokio::time::timeout(CONNECTION_TIME, serve(connection, port)).await;
                });
                open.push_back(served.abort_handle());
            }
            // No descriptor is free, or the client has already left.
            Err(_) => tokio::time::sleep(ACCEPT_RETRY).await,
        }
    }
}

async fn serve(connection: TcpStream, port: Port) -> Result<(), hyper::Error> {
    let service = service_fn(move |request: Request<Incoming>| {
        let port = port.clone();
        async move { Ok::<_, Infallible>(port.answer(&request)) }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .keep_alive(false)
        .max_buf_size(16 * 1024)
        .serve_connection(TokioIo::new(connection), service)
        .await
}

impl Port {
    fn answer<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        let started = Instant::now();
        let (method, path) = (request.method(), request.uri().path());
        let known = ["/healthz", "/readyz", "/metrics"].into_iter().find(|known| *known == path);
        let mut response = match known {
            _ if !self.is_meant(request) => text(
                StatusCode::MISDIRECTED_REQUEST,
                "ask for an address, for localhost, or for a name in [admin] hosts\n",
            ),
            None => text(StatusCode::NOT_FOUND, "there are /healthz, /readyz and /metrics\n"),
            Some(_) if ![Method::GET, Method::HEAD].contains(method) => {
                let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "GET or HEAD\n");
                response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
                response
            }
            Some(path) => self.page(path),
        };
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        self.metrics.answered(known.unwrap_or("other"), response.status().as_u16(), started.elapsed());
        response
    }

    /// Whether a request is for a name that is this machine's for certain. Browsers always send a name.
    fn is_meant<B>(&self, request: &Request<B>) -> bool {
        let in_target = request.uri().authority().map(hyper::http::uri::Authority::as_str);
        let mut names = request
            .headers()
            .get_all(HOST)
            .iter()
            .map(|value| value.to_str().ok())
            .chain(in_target.map(Some));
        let hosts = lock(&self.present).as_ref().map(|present| present.1.clone()).unwrap_or_default();
        names.all(|name| name.is_some_and(|name| is_ours(name, &hosts)))
    }

    fn page(&self, path: &str) -> Response<Full<Bytes>> {
        let present = lock(&self.present).clone();
        let Some((answers, _)) = present else {
            return text(StatusCode::SERVICE_UNAVAILABLE, "starting\n");
        };
        match path {
            "/healthz" if answers.is_alive() => text(StatusCode::OK, "ok\n"),
            "/healthz" => text(StatusCode::SERVICE_UNAVAILABLE, "a thread does not move any more\n"),
            "/readyz" => {
                let readiness = answers.readiness();
                let status = if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
                let json = serde_json::to_string(&readiness).unwrap_or_default() + "\n";
                page(status, "application/json", json)
            }
            _ => match answers.metrics() {
                Ok(metrics) => page(StatusCode::OK, prometheus::TEXT_FORMAT, metrics),
                Err(error) => {
                    text(StatusCode::INTERNAL_SERVER_ERROR, &format!("cannot be written down: {error:#}\n"))
                }
            },
        }
    }
}

/// Whether `HOST` or `HOST:PORT` is an address, `localhost`, or one of `hosts`: nobody else can make these lead here.
fn is_ours(name: &str, hosts: &[String]) -> bool {
    let host = match name.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !host.is_empty() => host,
        _ => name,
    };
    if let Some(address) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        return address.parse::<Ipv6Addr>().is_ok();
    }
    let host = host.strip_suffix('.').unwrap_or(host);
    host.parse::<IpAddr>().is_ok()
        || host.eq_ignore_ascii_case("localhost")
        || hosts.iter().any(|ours| ours.eq_ignore_ascii_case(host))
}

fn text(status: StatusCode, said: &str) -> Response<Full<Bytes>> {
    page(status, "text/plain; charset=utf-8", said.to_owned())
}

fn page(status: StatusCode, kind: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_nobody_else_can_give_this_machine_are_answered() {
        let hosts = ["web-1.example.net".to_owned()];
        for ours in [
            "127.0.0.1:9187",
            "127.0.0.1",
            "10.0.0.5:9187",
            "[::1]:9187",
            "[::1]",
            "localhost",
            "LOCALHOST:9187",
            "localhost.:80",
            "Web-1.example.net:9187",
            "web-1.example.net.",
        ] {
            assert!(is_ours(ours, &hosts), "{ours}");
        }
        for foreign in [
            "",
            ":9187",
            "evil.example",
            "evil.example:9187",
            "localhost.evil.example",
            "127.0.0.1.evil.example:9187",
            "web-1.example.net.evil.example",
            "[evil.example]",
            "x@localhost",
            "localhost:x",
        ] {
            assert!(!is_ours(foreign, &hosts), "{foreign}");
        }
    }
}
