//! The way to a receiver: its name resolved once, the addresses judged, a connection made to one of these very
//! addresses, TLS with the name that was given.
//!
//! Invariant: no address is connected to that was not judged, whatever the name resolves to a moment later. Neither a
//! proxy nor anything else of the environment is asked.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::address::Allow;
use crate::retry::Trouble;
use crate::target::{Host, Place};

/// How many of a name's addresses are tried.
const ADDRESSES_MAX: usize = 4;

/// The addresses of a name, to come.
pub type Addresses<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send + 'a>>;

/// Finds the addresses of a name. It is asked once for each attempt.
pub trait Resolve: Send + Sync {
    /// All addresses of a name.
    fn resolve<'a>(&'a self, name: &'a str) -> Addresses<'a>;
}

/// The machine's resolver.
#[derive(Debug, Clone, Copy)]
pub struct System;

impl Resolve for System {
    fn resolve<'a>(&'a self, name: &'a str) -> Addresses<'a> {
        Box::pin(async move { Ok(tokio::net::lookup_host((name, 0)).await?.map(|at| at.ip()).collect()) })
    }
}

/// A connection, with TLS or without.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// What is needed to connect, made once.
#[derive(Clone)]
pub(crate) struct Way {
    allow: Allow,
    resolver: Arc<dyn Resolve>,
    tls: TlsConnector,
    connect: Duration,
}

impl fmt::Debug for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Way").field("allow", &self.allow).finish_non_exhaustive()
    }
}

impl Way {
    pub(crate) fn new(
        allow: Allow,
        resolver: Arc<dyn Resolve>,
        roots: rustls::RootCertStore,
        connect: Duration,
    ) -> Result<Way, rustls::Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Way { allow, resolver, tls: TlsConnector::from(Arc::new(tls)), connect })
    }

    /// Connects to a place. `sealed`: what is sent will be encrypted, by [`Way::seal`].
    pub(crate) async fn open(&self, place: &Place, sealed: bool) -> Result<TcpStream, Trouble> {
        let addresses = self.judged(place, sealed).await?;
        let mut last = None;
        for address in addresses.into_iter().take(ADDRESSES_MAX) {
            match timeout(self.connect, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(e)) => last = Some(format!("connect to {address}: {}", e.kind())),
                Err(_) => last = Some(format!("connect to {address}: no answer within {:?}", self.connect)),
            }
        }
        Err(Trouble::later(last.unwrap_or_else(|| format!("{} has no address", place.host))))
    }

    /// The addresses of a place that messages may be sent to; at least one.
    async fn judged(&self, place: &Place, sealed: bool) -> Result<Vec<SocketAddr>, Trouble> {
        let found = match &place.host {
            Host::Address(address) => vec![*address],
            Host::Name(name) => match timeout(self.connect, self.resolver.resolve(name)).await {
                Ok(Ok(found)) => found,
                Ok(Err(_)) => return Err(Trouble::later(format!("{name} cannot be resolved"))),
                Err(_) => {
                    return Err(Trouble::later(format!(
                        "resolve {name}: no answer within {:?}",
                        self.connect
                    )));
                }
            },
        };
        let mut refused = None;
        let mut allowed = Vec::new();
        for address in found {
            let address = SocketAddr::new(address, place.port);
            match self.allow.judge(address, sealed) {
                Ok(()) => allowed.push(address),
                Err(why) => refused = refused.or(Some(why)),
            }
        }
        match (allowed.is_empty(), refused) {
            (false, _) => Ok(allowed),
            (true, Some(why)) => Err(Trouble::Refused(format!("nothing is sent to {place}: {why}"))),
            (true, None) => Err(Trouble::later(format!("{} has no address", place.host))),
        }
    }

    /// Puts TLS on a connection. The certificate has to be one for the host as it was named.
    pub(crate) async fn seal(
        &self,
        place: &Place,
        stream: impl Duplex + 'static,
    ) -> Result<Box<dyn Duplex>, Trouble> {
        let name = match &place.host {
            Host::Address(address) => ServerName::IpAddress((*address).into()),
            Host::Name(name) => ServerName::try_from(name.clone())
                .map_err(|_| Trouble::Refused(format!("{name} is no name for a certificate")))?,
        };
        match timeout(self.connect, self.tls.connect(name, stream)).await {
            Ok(Ok(stream)) => Ok(Box::new(stream)),
            Ok(Err(e)) => Err(Trouble::later(format!("TLS with {place}: {}", of_tls(&e)))),
            Err(_) => Err(Trouble::later(format!("TLS with {place}: no answer within {:?}", self.connect))),
        }
    }
}

/// What went wrong with TLS, in words that the other side has no say in.
fn of_tls(error: &io::Error) -> String {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidCertificate(why)) => match why {
            rustls::CertificateError::UnknownIssuer => {
                "the certificate is of no authority that this machine knows".into()
            }
            rustls::CertificateError::Expired | rustls::CertificateError::ExpiredContext { .. } => {
                "the certificate has expired".into()
            }
            rustls::CertificateError::NotValidForName
            | rustls::CertificateError::NotValidForNameContext { .. } => {
                "the certificate is not one for this name".into()
            }
            _ => "the certificate is not valid".into(),
        },
        Some(rustls::Error::AlertReceived(_)) => "the server ended the handshake".into(),
        Some(_) => "the server does not speak TLS as it should".into(),
        None => error.kind().to_string(),
    }
}
