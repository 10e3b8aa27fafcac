//! The body of a `POST`, plain and compressed.

use alt_line::hit::{Parsed, Reason};
use alt_line::parse::Format;
use serde::de::IgnoredAny;

use super::check;

/// More than nginx takes, and few enough for a line, however they are escaped.
const BYTES_MAX: usize = 32 * 1024;

/// A body.
///
/// What serde_json reads as an object is never refused as none, and what is no JSON always is. A trusted sender's and
/// anybody's differ in nothing but address and user agent. Compressed, a body says the same.
pub fn json(data: &[u8]) {
    if data.len() > BYTES_MAX {
        return;
    }
    let text = String::from_utf8_lossy(data).replace('\0', "");
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let is_packed = data.starts_with(&[0x1f, 0x8b]);
    let of_anybody = outcome("203.0.113.9", data);
    if !is_packed {
        let refused = of_anybody == Err(Reason::BadJson);
        if serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text).is_ok() {
            assert!(!refused, "an object was refused: {text}");
        }
        if serde_json::from_str::<IgnoredAny>(text).is_err() {
            assert!(refused || data.is_empty(), "no JSON was taken: {text}");
        }
        if !data.is_empty() {
            assert_eq!(of_anybody, outcome("203.0.113.9", &packed(data)), "compressed: {text}");
        }
    }
    let of_server = outcome("10.0.0.1", data);
    assert_eq!(of_anybody.is_ok(), of_server.is_ok());
}

/// What a request with this body from this address comes to.
fn outcome(address: &str, body: &[u8]) -> Result<String, Reason> {
    let line = [
        b"alt1\t1700000000.123\t000102030405060708090a0b0c0d0e0f\t".as_slice(),
        address.as_bytes(),
        b"\tPOST\t204\th\t/api/v1/track\ta=KEY\t\tM\t\t\t\t\t\t\t9\t",
        &check::escaped(body),
    ]
    .concat();
    check::parse(&Format::Alt1, &line, |parsed| match parsed {
        Parsed::Hit(hit) => Ok(format!("{hit:?}")),
        Parsed::Reject(reject) => Err(reject.reason),
        Parsed::NonHit(_) => panic!("{parsed:?}"),
    })
}

/// One member of gzip, in which the body stands as it is.
fn packed(body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).expect("a small body");
    let mut crc = flate2::Crc::new();
    crc.update(body);
    let mut member = b"\x1f\x8b\x08\0\0\0\0\0\0\xff\x01".to_vec();
    member.extend(length.to_le_bytes());
    member.extend((!length).to_le_bytes());
    member.extend_from_slice(body);
    member.extend(crc.sum().to_le_bytes());
    member.extend(u32::from(length).to_le_bytes());
    member
}
