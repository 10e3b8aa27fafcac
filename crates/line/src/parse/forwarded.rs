//! Addresses as proxies write them, alone or in a list: `X-Forwarded-For`, `Forwarded` (RFC 7239), and what stands
//! first in an access log.
//!
//! The client in a list is found as nginx's `real_ip_recursive` finds it: from the right, past the proxies, because
//! whatever stands further left was sent by the client itself. Invariant: the work is linear in the list's bytes.

use std::net::{IpAddr, Ipv6Addr};

use super::leaves::address;
use super::terms::Terms;

/// What an entry, or a list, says about the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    /// Its address.
    Address(IpAddr),
    /// Nothing: `-`, `unknown`, or `unix:` for a client on the same machine.
    Nothing,
    /// Something that is no address: a name, or another field.
    Other,
}

/// One entry: an address, perhaps with a port, in brackets, quotes or parentheses, or after `for=`.
pub(super) fn entry(text: &str) -> Said {
    let text = text.trim_matches([' ', '\t', '"', '(', ')']);
    let text = match text.get(..4) {
        Some(name) if name.eq_ignore_ascii_case("for=") => {
            text[4..].split(';').next().unwrap_or_default().trim_matches('"')
        }
        _ => text,
    };
    if matches!(text, "" | "-" | "unknown" | "unix:") {
        return Said::Nothing;
    }
    let found = match text.strip_prefix('[') {
        Some(bracketed) => bracketed.split(']').next().and_then(|inner| address(inner.as_bytes())),
        None => address(text.as_bytes()).or_else(|| address(before_port(text)?.as_bytes())),
    };
    found.map_or(Said::Other, Said::Address)
}

/// `192.0.2.1` of `192.0.2.1:4711`.
fn before_port(text: &str) -> Option<&str> {
    let (host, port) = text.rsplit_once(':')?;
    (!port.is_empty() && port.bytes().all(|b| b.is_ascii_digit())).then_some(host)
}

/// The client in a list whose entries come from the nearest to the farthest: the first that is no proxy. If all are
/// proxies, the farthest. Proxies have a private address, or one of `track.trusted`.
pub(super) fn client<'t>(entries: impl Iterator<Item = &'t str>, terms: &Terms) -> Said {
    let mut found = Said::Nothing;
    for text in entries {
        match (entry(text), found) {
            (Said::Address(address), _) => {
                found = Said::Address(address);
                if !is_proxy(address, terms) {
                    break;
                }
            }
            // Nobody can tell who wrote what stands further left.
            (_, Said::Address(_)) => break,
            (Said::Nothing, _) => {}
            (Said::Other, _) => found = Said::Other,
        }
    }
    found
}

/// The client's address in a comma-separated list, if it has one.
pub(super) fn client_of(list: &str, terms: &Terms) -> Option<IpAddr> {
    match client(list.rsplit(','), terms) {
        Said::Address(address) => Some(address),
        _ => None,
    }
}

/// Whether a text is one address or more, and nothing else.
pub(super) fn is_only_addresses(text: &str) -> bool {
    let mut has_one = false;
    let mut fits = |text: &str| match entry(text) {
        Said::Address(_) => {
            has_one = true;
            true
        }
        said => said == Said::Nothing,
    };
    text.split([',', ' ']).all(&mut fits) && has_one
}

/// Whether an address is none of the internet's, or of a server that may name the client.
fn is_proxy(address: IpAddr, terms: &Terms) -> bool {
    /// 100.64.0.0/10: addresses of a provider's own network (RFC 6598).
    fn is_shared(address: std::net::Ipv4Addr) -> bool {
        address.octets()[0] == 100 && address.octets()[1] & 0xC0 == 64
    }
    let is_inner = match address {
        IpAddr::V4(v4) => v4.is_private() || v4.is_loopback() || v4.is_link_local() || is_shared(v4),
        IpAddr::V6(v6) => v6 == Ipv6Addr::LOCALHOST || v6.is_unique_local() || v6.is_unicast_link_local(),
    };
    is_inner || terms.trusts(address)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn the_client_is_the_nearest_that_is_no_proxy() {
        let terms = Terms::parse(&["192.0.2.0/24".to_owned()], &BTreeMap::new()).unwrap();
        for (list, expect) in [
            ("203.0.113.9", Some("203.0.113.9")),
            // What the client sent itself stands left of its address.
            ("198.51.100.3, 203.0.113.77", Some("203.0.113.77")),
            ("198.51.100.3,203.0.113.77,10.0.0.1", Some("203.0.113.77")),
            ("203.0.113.77, 192.0.2.8, 172.16.0.1, 100.64.1.1, 127.0.0.1", Some("203.0.113.77")),
            ("2001:db8::7, fd00::1, fe80::1%eth0, ::1", Some("2001:db8::7")),
            ("10.1.2.3, 10.0.0.1", Some("10.1.2.3")),
            ("198.51.100.3, unknown, 10.0.0.1", Some("10.0.0.1")),
            ("198.51.100.3, <script>, 10.0.0.1", Some("10.0.0.1")),
            ("203.0.113.9, unknown", Some("203.0.113.9")),
            ("203.0.113.9:4711, 10.0.0.1:80", Some("203.0.113.9")),
            ("\"[2001:db8::1]:443\", [::1]", Some("2001:db8::1")),
            ("(203.0.113.9", Some("203.0.113.9")),
            (
                "for=192.0.2.43, For=\"[2001:db8:cafe::17]:4711\";proto=http;by=203.0.113.43",
                Some("2001:db8:cafe::17"),
            ),
            ("unknown", None),
            ("", None),
            ("a, b,, 999.1.1.1", None),
        ] {
            assert_eq!(client_of(list, &terms), expect.map(|e| e.parse().unwrap()), "{list}");
        }
    }

    #[test]
    fn texts_that_are_only_addresses() {
        for text in
            ["203.0.113.9", "10.0.0.1, 203.0.113.9:80", "-, [::1]:443", "2001:db8::1 10.0.0.1", "\"::1\""]
        {
            assert!(is_only_addresses(text), "{text}");
        }
        for text in
            ["", "-", "unknown", "80", "1.2", "10.0.0.1 x", "12:30", "a:80", "unix:/run/x.sock", "1.2.3.4.5"]
        {
            assert!(!is_only_addresses(text), "{text}");
        }
    }
}
