//! The admin port: reports over HTTP whether the daemon is alive (`/healthz`), whether it can work (`/readyz`), and all
//! its counters (`/metrics`).
//!
//! It has its own thread, so that it answers whatever the other threads wait for. It only reads, and answers everybody
//! who can reach it: the address decides who that is. It is bounded: a limited number of connections at once, each for
//! one request and a short time. If the port cannot be opened, the daemon reports that and tries again; loading
//! continues without the port.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use alt_process::lock::lock;
use alt_process::metrics::Metrics;
use anyhow::Context;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::Serialize;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot};

/// Maximum number of connections that are served at the same time. Others wait until one of them ends.
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

/// The current source of the answers; `None` while the daemon starts or restarts.
type Present = Arc<Mutex<Option<Arc<dyn Answers>>>>;

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

    /// Uses `answers` from now on.
    pub fn answer_by(&self, answers: Arc<dyn Answers>) {
        *lock(&self.present) = Some(answers);
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
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((connection, _)) => {
                let port = port.clone();
                tokio::spawn(async move {
                    // A client that leaves, or is too slow, gets no answer.
                    let _ = tokio::time::timeout(CONNECTION_TIME, serve(connection, port)).await;
                    drop(place);
                });
            }
            // No descriptor is free, or the client has already left.
            Err(_) => tokio::time::sleep(ACCEPT_RETRY).await,
        }
    }
}

async fn serve(connection: TcpStream, port: Port) -> Result<(), hyper::Error> {
    let service = service_fn(move |request: Request<Incoming>| {
        let port = port.clone();
        async move { Ok::<_, Infallible>(port.answer(request.method(), request.uri().path())) }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .keep_alive(false)
        .max_buf_size(16 * 1024)
        .serve_connection(TokioIo::new(connection), service)
        .await
}

impl Port {
    fn answer(&self, method: &Method, path: &str) -> Response<Full<Bytes>> {
        let started = Instant::now();
        let known = ["/healthz", "/readyz", "/metrics"].into_iter().find(|known| *known == path);
        let mut response = match known {
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

    fn page(&self, path: &str) -> Response<Full<Bytes>> {
        let present = lock(&self.present).clone();
        let Some(answers) = present else {
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

fn text(status: StatusCode, said: &str) -> Response<Full<Bytes>> {
    page(status, "text/plain; charset=utf-8", said.to_owned())
}

fn page(status: StatusCode, kind: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
