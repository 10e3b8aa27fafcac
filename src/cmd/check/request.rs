//! One request of `alt check` over HTTP or HTTPS, with a time limit for each step.
//!
//! A certificate that a browser would refuse does not end the request: what is wrong with it is returned, so that the rest
//! of the way can be looked at as well.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use alt_process::lock::lock;
use alt_store::connect::system_roots;
use anyhow::Context;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned};

/// How long each of these may take: the answer of DNS, a connection, an answer.
const STEP: Duration = Duration::from_secs(3);
/// The most that is read of an answer: its headers, and the beginning of the content.
const ANSWER_BYTES_MAX: usize = 32 * 1024;

/// Says in logs that this is no visitor: the word `monitor` makes its traffic class.
pub(super) const USER_AGENT: &str = concat!("alt-check/", env!("CARGO_PKG_VERSION"), " (monitor)");

/// An answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) location: Option<String>,
    pub(super) content_type: Option<String>,
    /// Why a browser would refuse the certificate.
    pub(super) refused: Option<rustls::Error>,
}

/// Where a request ended.
#[derive(Debug)]
pub(super) enum Failure {
    /// Nothing takes the connection.
    Connect(io::Error),
    /// TLS cannot be agreed upon.
    Tls(io::Error),
    /// What comes is no answer of HTTP.
    Answer(io::Error),
}

/// The addresses of a name, in time. `Err`: what DNS says, and whether it may be the network that is missing.
pub(super) fn addresses(host: &str) -> Result<Vec<IpAddr>, (String, bool)> {
    let (sender, receiver) = mpsc::sync_channel(1);
    let name = host.to_owned();
    // The system's resolver has no time limit that one could set; the thread ends with the process.
    std::thread::spawn(move || {
        sender.send((name.as_str(), 443).to_socket_addrs().map(Iterator::collect::<Vec<_>>))
    });
    match receiver.recv_timeout(STEP) {
        Ok(Ok(found)) if !found.is_empty() => {
            let mut all: Vec<IpAddr> = found.into_iter().map(|address: SocketAddr| address.ip()).collect();
            all.dedup();
            Ok(all)
        }
        Ok(Ok(_)) => Err(("it has no address".to_owned(), false)),
        Ok(Err(e)) => {
            let text = e.to_string();
            let text = text.rsplit(": ").next().unwrap_or(&text).to_owned();
            let is_network = text.contains("Temporary failure") || text.contains("try again");
            Err((text, is_network))
        }
        Err(_) => Err((format!("no answer within {} s", STEP.as_secs()), true)),
    }
}

/// Sends `GET path` to one of these addresses, as a client of `host` does.
pub(super) fn get(host: &str, to: &[SocketAddr], with_tls: bool, path: &str) -> Result<Answer, Failure> {
    let mut connected = Err(io::Error::other("no address"));
    for address in to.iter().take(2) {
        connected = TcpStream::connect_timeout(address, STEP);
        if connected.is_ok() {
            break;
        }
    }
    let stream = connected.map_err(Failure::Connect)?;
    stream
        .set_read_timeout(Some(STEP))
        .and_then(|()| stream.set_write_timeout(Some(STEP)))
        .map_err(Failure::Connect)?;
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {USER_AGENT}\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    );
    if !with_tls {
        return exchange(stream, &request).map_err(Failure::Answer);
    }
    let verifier = Recording::new().map_err(|e| Failure::Tls(io::Error::other(format!("{e:#}"))))?;
    let verifier = Arc::new(verifier);
    let connection =
        connection(host, &verifier).map_err(|e| Failure::Tls(io::Error::other(format!("{e:#}"))))?;
    let mut stream = StreamOwned::new(connection, stream);
    stream.flush().map_err(Failure::Tls)?;
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock).map_err(Failure::Tls)?;
    }
    let mut answer = exchange(stream, &request).map_err(Failure::Answer)?;
    answer.refused = lock(&verifier.refused).take();
    Ok(answer)
}

fn exchange(mut stream: impl Read + Write, request: &str) -> io::Result<Answer> {
    stream.write_all(request.as_bytes())?;
    stream.flush()?;
    let (mut bytes, end) = (Vec::new(), Instant::now() + STEP);
    let mut part = [0; 4096];
    while bytes.len() < ANSWER_BYTES_MAX && !bytes.windows(4).any(|four| four == b"\r\n\r\n") {
        if Instant::now() > end {
            return Err(io::ErrorKind::TimedOut.into());
        }
        match stream.read(&mut part) {
            Ok(0) => break,
            Ok(n) => bytes.extend_from_slice(&part[..n]),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    let text = String::from_utf8_lossy(&bytes);
    let status = text.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)?.parse().ok());
    let header = |name: &str| {
        let mut lines = text.lines().skip(1).take_while(|line| !line.is_empty());
        lines.find_map(|line| {
            let (header, value) = line.split_once(':')?;
            header.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    };
    Ok(Answer {
        status: status.ok_or_else(|| io::Error::other("it is no HTTP"))?,
        location: header("location"),
        content_type: header("content-type"),
        refused: None,
    })
}

fn connection(host: &str, verifier: &Arc<Recording>) -> anyhow::Result<ClientConnection> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .context("set up TLS")?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(verifier) as Arc<dyn ServerCertVerifier>)
        .with_no_client_auth();
    let name = ServerName::try_from(host.to_owned()).context("the name is none for TLS")?;
    Ok(ClientConnection::new(Arc::new(config), name)?)
}

/// Verifies as a browser does, notes why a certificate is refused, and goes on.
#[derive(Debug)]
struct Recording {
    inner: Arc<WebPkiServerVerifier>,
    refused: Mutex<Option<rustls::Error>>,
}

impl Recording {
    fn new() -> anyhow::Result<Recording> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let inner = WebPkiServerVerifier::builder_with_provider(Arc::new(system_roots()), provider).build();
        Ok(Recording {
            inner: inner.context("read the authorities' certificates")?,
            refused: Mutex::new(None),
        })
    }
}

impl ServerCertVerifier for Recording {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        // The name first: of a certificate of no known authority, it would not be looked at.
        let named = ParsedCertificate::try_from(end_entity)
            .and_then(|parsed| verify_server_name(&parsed, server_name));
        let verified = named.and_then(|()| {
            self.inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
        });
        if let Err(refused) = verified {
            *lock(&self.refused) = Some(refused);
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}
