//! The visitor as a keyed hash, which nobody can reverse once the day's salt is deleted, and the stored address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::Deserialize;

/// How much of an address is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IpPolicy {
    /// The network: /24 of IPv4, /48 of IPv6.
    #[default]
    Truncate,
    /// The whole address.
    Full,
    /// No address.
    Drop,
}

/// An IPv4 address that is mapped into IPv6 (`::ffff:192.0.2.1`) becomes the IPv4 address.
pub fn plain(ip: IpAddr) -> IpAddr {
    ip.to_canonical()
}

/// The address as it is stored, with its prefix length.
pub fn stored(ip: IpAddr, policy: IpPolicy) -> Option<(IpAddr, u8)> {
    match (plain(ip), policy) {
        (_, IpPolicy::Drop) => None,
        (ip @ IpAddr::V4(_), IpPolicy::Full) => Some((ip, 32)),
        (ip @ IpAddr::V6(_), IpPolicy::Full) => Some((ip, 128)),
        (IpAddr::V4(ip), IpPolicy::Truncate) => {
            let [a, b, c, _] = ip.octets();
            Some((Ipv4Addr::new(a, b, c, 0).into(), 24))
        }
        (IpAddr::V6(ip), IpPolicy::Truncate) => {
            let [a, b, c, ..] = ip.segments();
            Some((Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0).into(), 48))
        }
    }
}

/// The page view of a visitor who asked not to be tracked: keyed with the day's salt, of application, page view and page,
/// so that a number that a site gives to more than one page, or for more than a day, does not connect them. `None`
/// without a salt.
pub fn page_view_id(salt: Option<&[u8; 32]>, app_id: i32, view: i64, host: &str, path: &str) -> Option<i64> {
    let mut hasher = blake3::Hasher::new_keyed(salt?);
    hasher.update(b"page view");
    hasher.update(&app_id.to_le_bytes());
    hasher.update(&view.to_le_bytes());
    hasher.update(host.as_bytes());
    hasher.update(b"\0");
    hasher.update(path.as_bytes());
    let mut id = [0; 8];
    id.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    Some(i64::from_le_bytes(id))
}

/// The visitor of a day: the first 8 bytes of BLAKE3, keyed with the day's salt, of application (little endian), whole
/// address (16 bytes, IPv4 mapped) and, if there is a user agent, its key in `user_agents` (little endian). These fit
/// into one block of the hash; a user agent itself would take two or three.
pub fn visitor_id(salt: &[u8; 32], app_id: i32, ip: IpAddr, user_agent_id: Option<i64>) -> i64 {
    let ip = match plain(ip) {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    };
    let mut who = [0; 28];
    who[..4].copy_from_slice(&app_id.to_le_bytes());
    who[4..20].copy_from_slice(&ip.octets());
    let length = match user_agent_id {
        Some(id) => {
            who[20..].copy_from_slice(&id.to_le_bytes());
            28
        }
        None => 20,
    };
    let mut id = [0; 8];
    id.copy_from_slice(&blake3::keyed_hash(salt, &who[..length]).as_bytes()[..8]);
    i64::from_le_bytes(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_cut_to_their_network() {
        let check = |ip: &str, policy, expect: Option<(&str, u8)>| {
            let expect = expect.map(|(ip, length)| (ip.parse().unwrap(), length));
            assert_eq!(stored(ip.parse().unwrap(), policy), expect, "{ip} {policy:?}");
        };
        check("192.0.2.123", IpPolicy::Truncate, Some(("192.0.2.0", 24)));
        check("::ffff:192.0.2.123", IpPolicy::Truncate, Some(("192.0.2.0", 24)));
        check("2001:db8:1:2:3:4:5:6", IpPolicy::Truncate, Some(("2001:db8:1::", 48)));
        check("::1", IpPolicy::Truncate, Some(("::", 48)));
        check("192.0.2.123", IpPolicy::Full, Some(("192.0.2.123", 32)));
        check("::ffff:192.0.2.123", IpPolicy::Full, Some(("192.0.2.123", 32)));
        check("2001:db8::6", IpPolicy::Full, Some(("2001:db8::6", 128)));
        check("192.0.2.123", IpPolicy::Drop, None);
        check("2001:db8::6", IpPolicy::Drop, None);
    }

    #[test]
    fn every_part_makes_another_visitor_and_nothing_else_does() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let base = visitor_id(&[1; 32], 7, ip("192.0.2.1"), Some(9));
        assert_eq!(base, visitor_id(&[1; 32], 7, ip("::ffff:192.0.2.1"), Some(9)), "one address");
        for other in [
            visitor_id(&[2; 32], 7, ip("192.0.2.1"), Some(9)),
            visitor_id(&[1; 32], 8, ip("192.0.2.1"), Some(9)),
            visitor_id(&[1; 32], 7, ip("192.0.2.2"), Some(9)), // the whole address counts, not the stored part
            visitor_id(&[1; 32], 7, ip("192.0.2.1"), Some(8)),
            visitor_id(&[1; 32], 7, ip("192.0.2.1"), None),
        ] {
            assert_ne!(base, other);
        }
        // Fixed: with other hashes, visitors would be counted twice on the day of an update.
        assert_eq!(base, 7_193_868_365_646_352_546);
    }
}
