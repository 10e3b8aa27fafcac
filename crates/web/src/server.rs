//! Listens, and answers within bounds: of connections, of a header's size and time, of a body's, of a request's time.
//!
//! Of more connections than are allowed, the oldest that has no request in hand is ended, so that clients that say nothing
//! keep nobody out.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use alt_config::Listen;
use anyhow::{Context, bail};
use axum::Router;
use axum::body::Body;
use axum::extract::{Extension, RawPathParams, Request};
use axum::routing::{MethodFilter, MethodRouter};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::Web;
use crate::guard::{self, Peer};
use crate::problem::Problem;
use crate::routes::{self, ROUTES, Route};

/// How long a header may take to arrive, and how long a connection may wait for its next request.
const HEADER_TIME: Duration = Duration::from_secs(10);

/// The most bytes of a request's line and headers.
const HEADER_BYTES: usize = 16 * 1024;

/// After this time a connection is ended with its next answer.
const CONNECTION_TIME: Duration = Duration::from_secs(300);

/// How long requests in hand may take once the connection, or the server, is to end.
const STOP_TIME: Duration = Duration::from_secs(10);

/// How long to wait after a connection cannot be accepted: no descriptor is free.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// Where it listens.
#[derive(Debug)]
pub struct Listener(Kind);

#[derive(Debug)]
enum Kind {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Listener {
    /// Listens. A socket that a server left behind is replaced; everybody on this machine may connect to it, as to an
    /// address of the loopback: rights are a matter of tokens, and its directory decides who reaches it.
    ///
    /// # Errors
    /// The address is in use or not of this machine, or the socket cannot be made.
    pub async fn open(listen: &Listen) -> anyhow::Result<Listener> {
        match listen {
            Listen::Address(address) => {
                let listener = TcpListener::bind(address).await;
                let listener = listener.with_context(|| {
                    format!("listen on {address}: set listen in [web] to another address")
                })?;
                Ok(Listener(Kind::Tcp(listener)))
            }
            Listen::Socket(path) => {
                remove_old(path).await?;
                let listener =
                    UnixListener::bind(path).with_context(|| format!("listen on {}", path.display()))?;
                std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o666))
                    .with_context(|| format!("open {} to others", path.display()))?;
                Ok(Listener(Kind::Unix(listener)))
            }
        }
    }

    /// Where it listens, for people.
    pub fn place(&self) -> String {
        match &self.0 {
            Kind::Tcp(listener) => {
                listener.local_addr().map_or_else(|_| "?".to_owned(), |address| format!("http://{address}"))
            }
            Kind::Unix(listener) => listener
                .local_addr()
                .ok()
                .and_then(|address| Some(format!("unix:{}", address.as_pathname()?.display())))
                .unwrap_or_default(),
        }
    }
}

/// Removes a socket at which nobody listens any more; never anything else.
async fn remove_old(path: &Path) -> anyhow::Result<()> {
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error).with_context(|| format!("look at {}", path.display())),
        Ok(meta) if !meta.file_type().is_socket() => {
            bail!("{} is there and is no socket: set listen in [web] to another path", path.display())
        }
        Ok(_) => {}
    }
    if tokio::net::UnixStream::connect(path).await.is_ok() {
        bail!("another process listens on {}", path.display());
    }
    std::fs::remove_file(path).with_context(|| format!("remove the old socket {}", path.display()))
}

/// The routes of the table.
fn router(web: &Arc<Web>) -> Router {
    let mut paths: BTreeMap<&'static str, MethodRouter> = BTreeMap::new();
    for route in ROUTES {
        let methods = paths.remove(route.path).unwrap_or_else(|| {
            let web = Arc::clone(web);
            let problem = Problem::method(&routes::methods(route.path));
            MethodRouter::new().fallback(move || async move { guard::refuse(&web, &problem) })
        });
        paths.insert(route.path, add(methods, web, route));
    }
    let router = paths.into_iter().fold(Router::new(), |router, (path, methods)| {
        let router = match routes::alias(path) {
            Some(alias) => router.route(&alias, methods.clone()),
            None => router,
        };
        router.route(path, methods)
    });
    let web = Arc::clone(web);
    router.fallback(move || async move {
        guard::refuse(&web, &Problem::not_found("GET /docs lists the paths that there are"))
    })
}

fn add(methods: MethodRouter, web: &Arc<Web>, route: &'static Route) -> MethodRouter {
    let filter = match route.method {
        "POST" => MethodFilter::POST,
        "PUT" => MethodFilter::PUT,
        "PATCH" => MethodFilter::PATCH,
        "DELETE" => MethodFilter::DELETE,
        _ => MethodFilter::GET,
    };
    let web = Arc::clone(web);
    methods.on(filter, move |path: RawPathParams, Extension(peer): Extension<Peer>, request: Request| {
        let path = path.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        guard::serve(Arc::clone(&web), route, path, peer, request)
    })
}

/// Answers until `stop` says so; then finishes what is in hand.
pub async fn serve(web: Arc<Web>, listener: Listener, clients: usize, mut stop: watch::Receiver<bool>) {
    let router = router(&web);
    let mut open: VecDeque<(AbortHandle, Arc<AtomicBool>)> = VecDeque::new();
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener) => accepted,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        let Ok((stream, address)) = accepted else {
            tokio::time::sleep(ACCEPT_RETRY).await;
            continue;
        };
        open.retain(|(connection, _)| !connection.is_finished());
        if open.len() >= clients {
            let idle = open.iter().position(|(_, is_busy)| !is_busy.load(Ordering::Relaxed));
            // If all have a request in hand, the new one has to come again.
            let Some((connection, _)) = idle.and_then(|idle| open.remove(idle)) else { continue };
            connection.abort();
        }
        let is_busy = Arc::new(AtomicBool::new(false));
        let peer = Peer { address, is_busy: Arc::clone(&is_busy) };
        let served = tokio::spawn(connection(stream, router.clone(), peer, stop.clone()));
        open.push_back((served.abort_handle(), is_busy));
        web.telemetry.clients(open.len());
    }
    drop(listener);
    let deadline = tokio::time::Instant::now() + STOP_TIME;
    while open.iter().any(|(connection, _)| !connection.is_finished())
        && tokio::time::Instant::now() < deadline
    {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A connection of either kind.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

async fn accept(listener: &Listener) -> io::Result<(Box<dyn Stream>, Option<std::net::IpAddr>)> {
    match &listener.0 {
        Kind::Tcp(listener) => {
            let (stream, address) = listener.accept().await?;
            let _ = stream.set_nodelay(true);
            Ok((Box::new(stream), Some(address.ip().to_canonical())))
        }
        Kind::Unix(listener) => Ok((Box::new(listener.accept().await?.0), None)),
    }
}

async fn connection(stream: Box<dyn Stream>, router: Router, peer: Peer, mut stop: watch::Receiver<bool>) {
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(peer.clone());
        router.call(request)
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME)
        .max_buf_size(HEADER_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    let mut served = pin!(served);
    tokio::select! {
        // A client that leaves, or is too slow, gets no answer.
        _ = served.as_mut() => return,
        _ = stop.wait_for(|stop| *stop) => {}
        () = tokio::time::sleep(CONNECTION_TIME) => {}
    }
    served.as_mut().graceful_shutdown();
    let _ = tokio::time::timeout(STOP_TIME, served).await;
}
