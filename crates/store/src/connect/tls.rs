//! TLS to PostgreSQL, and the channel binding of passwords to it.
//!
//! With channel binding, SCRAM also proves that client and server see the same certificate, so that nobody in between can
//! pass the exchange on. The binding is `tls-server-end-point` (RFC 5929, section 4): a hash of the server's certificate,
//! by the hash function of the certificate's own signature.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::pki_types::ServerName;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::Socket;
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use tokio_rustls::TlsConnector;

use super::{Roots, tls_config};

/// What is needed for TLS, read once for all servers.
#[derive(Clone)]
pub(super) struct Tls(TlsConnector);

impl Tls {
    /// Reads the certificate authorities.
    ///
    /// # Errors
    /// They cannot be read.
    pub(super) fn new(roots: &Roots) -> anyhow::Result<Tls> {
        Ok(Tls(TlsConnector::from(Arc::new(tls_config(roots)?))))
    }
}

/// One handshake to come: with whom.
pub(super) struct Handshake(TlsConnector, String);

impl MakeTlsConnect<Socket> for Tls {
    type Stream = Encrypted<Socket>;
    type TlsConnect = Handshake;
    type Error = std::convert::Infallible;

    fn make_tls_connect(&mut self, name: &str) -> Result<Handshake, Self::Error> {
        Ok(Handshake(self.0.clone(), name.to_owned()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> TlsConnect<S> for Handshake {
    type Stream = Encrypted<S>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Encrypted<S>>> + Send>>;

    fn connect(self, stream: S) -> Self::Future {
        Box::pin(async move {
            let Handshake(connector, name) = self;
            let name = ServerName::try_from(name);
            let name = name.map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
            connector.connect(name, stream).await.map(Encrypted)
        })
    }
}

/// A connection with TLS.
pub(super) struct Encrypted<S>(tokio_rustls::client::TlsStream<S>);

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream for Encrypted<S> {
    fn channel_binding(&self) -> ChannelBinding {
        let certificates = self.0.get_ref().1.peer_certificates().unwrap_or_default();
        let hash = certificates.first().and_then(|certificate| end_point(certificate));
        hash.map_or_else(ChannelBinding::none, ChannelBinding::tls_server_end_point)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Encrypted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        to: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, to)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Encrypted<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, from)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// The binding `tls-server-end-point` of a certificate (DER). `None`: it is not defined for the certificate's signature,
/// which uses no hash function of its own (Ed25519), or an unknown one.
fn end_point(certificate: &[u8]) -> Option<Vec<u8>> {
    Some(match hash_of_signature(certificate)? {
        Hash::Sha224 => Sha224::digest(certificate).to_vec(),
        Hash::Sha256 => Sha256::digest(certificate).to_vec(),
        Hash::Sha384 => Sha384::digest(certificate).to_vec(),
        Hash::Sha512 => Sha512::digest(certificate).to_vec(),
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hash {
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

const SEQUENCE: u8 = 0x30;
const OBJECT_IDENTIFIER: u8 = 0x06;
/// The hash function in the parameters of RSASSA-PSS.
const PSS_HASH: u8 = 0xa0;

/// 1.2.840.113549.1.1, the signatures with RSA.
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01];
/// 1.2.840.10045.4, the signatures with ECDSA.
const ECDSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04];
/// 2.16.840.1.101.3.4.2, the hash functions SHA-2.
const SHA2: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02];
/// 1.3.14.3.2.26, the hash function SHA-1.
const SHA1: &[u8] = &[0x2b, 0x0e, 0x03, 0x02, 0x1a];

/// The hash function with which a certificate (DER, RFC 5280, section 4.1) is signed; SHA-256 in place of MD5 and SHA-1.
fn hash_of_signature(certificate: &[u8]) -> Option<Hash> {
    let (content, _) = element(certificate, SEQUENCE)?;
    let (_to_be_signed, rest) = element(content, SEQUENCE)?;
    let (algorithm, _signature) = element(rest, SEQUENCE)?;
    let (identifier, parameters) = element(algorithm, OBJECT_IDENTIFIER)?;
    if let Some(which) = identifier.strip_prefix(RSA) {
        return match which {
            [4 | 5 | 11] => Some(Hash::Sha256),
            [12] => Some(Hash::Sha384),
            [13] => Some(Hash::Sha512),
            [14] => Some(Hash::Sha224),
            [10] => hash_of_pss(parameters),
            _ => None,
        };
    }
    match identifier.strip_prefix(ECDSA)? {
        [1] | [3, 2] => Some(Hash::Sha256),
        [3, 1] => Some(Hash::Sha224),
        [3, 3] => Some(Hash::Sha384),
        [3, 4] => Some(Hash::Sha512),
        _ => None,
    }
}

/// The hash function in the parameters of RSASSA-PSS (RFC 4055, section 3.1). SHA-1 is the default.
fn hash_of_pss(parameters: &[u8]) -> Option<Hash> {
    let (parameters, _) = element(parameters, SEQUENCE)?;
    let Some((hash, _)) = element(parameters, PSS_HASH) else { return Some(Hash::Sha256) };
    let (algorithm, _) = element(hash, SEQUENCE)?;
    let (identifier, _) = element(algorithm, OBJECT_IDENTIFIER)?;
    match identifier.strip_prefix(SHA2) {
        Some([1]) => Some(Hash::Sha256),
        Some([2]) => Some(Hash::Sha384),
        Some([3]) => Some(Hash::Sha512),
        Some([4]) => Some(Hash::Sha224),
        None if identifier == SHA1 => Some(Hash::Sha256),
        _ => None,
    }
}

/// The content of the first element of DER, if it has this tag, and what follows the element.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        ..=0x7f => (usize::from(first), rest),
        0x81..=0x84 => {
            let (length, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (length.iter().fold(0, |length, &byte| length << 8 | usize::from(byte)), rest)
        }
        _ => return None,
    };
    if found == tag { rest.split_at_checked(length) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn der(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = u16::try_from(content.len()).unwrap().to_be_bytes();
        [&[tag, 0x82][..], &length, content].concat()
    }

    fn certificate(identifier: &[u8], parameters: &[u8]) -> Vec<u8> {
        let algorithm = [der(OBJECT_IDENTIFIER, identifier), parameters.to_vec()].concat();
        der(SEQUENCE, &[der(SEQUENCE, &[0; 300]), der(SEQUENCE, &algorithm), der(0x03, &[0; 64])].concat())
    }

    fn pss(hash: &[u8]) -> Vec<u8> {
        let hash = der(PSS_HASH, &der(SEQUENCE, &der(OBJECT_IDENTIFIER, hash)));
        certificate(&[RSA, &[10]].concat(), &der(SEQUENCE, &hash))
    }

    #[test]
    fn the_hash_is_that_of_the_signature() {
        let rsa = |last: u8| certificate(&[RSA, &[last]].concat(), &[5, 0]);
        let ecdsa = |last: &[u8]| certificate(&[ECDSA, last].concat(), &[]);
        let cases = [
            (rsa(4), Some(Hash::Sha256)),
            (rsa(5), Some(Hash::Sha256)),
            (rsa(11), Some(Hash::Sha256)),
            (rsa(12), Some(Hash::Sha384)),
            (rsa(13), Some(Hash::Sha512)),
            (rsa(14), Some(Hash::Sha224)),
            (rsa(1), None),
            (ecdsa(&[1]), Some(Hash::Sha256)),
            (ecdsa(&[3, 1]), Some(Hash::Sha224)),
            (ecdsa(&[3, 2]), Some(Hash::Sha256)),
            (ecdsa(&[3, 3]), Some(Hash::Sha384)),
            (ecdsa(&[3, 4]), Some(Hash::Sha512)),
            (ecdsa(&[3, 5]), None),
            (pss(SHA1), Some(Hash::Sha256)),
            (pss(&[SHA2, &[1]].concat()), Some(Hash::Sha256)),
            (pss(&[SHA2, &[2]].concat()), Some(Hash::Sha384)),
            (pss(&[SHA2, &[3]].concat()), Some(Hash::Sha512)),
            (pss(&[SHA2, &[8]].concat()), None),
            (certificate(&[RSA, &[10]].concat(), &der(SEQUENCE, &[])), Some(Hash::Sha256)),
            (certificate(&[0x2b, 0x65, 0x70], &[]), None), // Ed25519
        ];
        for (number, (certificate, expected)) in cases.iter().enumerate() {
            assert_eq!(hash_of_signature(certificate), *expected, "{number}");
            // Whatever is cut off has no end point, or the same, and nothing panics.
            for end in 0..certificate.len() {
                assert_eq!(hash_of_signature(&certificate[..end]), None, "{number}, {end}");
            }
        }
    }
}
