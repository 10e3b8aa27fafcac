//! Which addresses a message may be sent to. A channel is named by people who may use the API and not the machine's
//! network, so only addresses of the public internet are allowed, and those that the configuration file lists.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Networks of IPv4 where nobody outside has an address, with the length of their prefixes.
const REFUSED_V4: &[(Ipv4Addr, u32, &str)] = &[
    (Ipv4Addr::new(0, 0, 0, 0), 8, "unspecified"),
    (Ipv4Addr::new(10, 0, 0, 0), 8, "private"),
    (Ipv4Addr::new(100, 64, 0, 0), 10, "shared by customers of a provider (CGNAT)"),
    (Ipv4Addr::new(127, 0, 0, 0), 8, "loopback"),
    (Ipv4Addr::new(169, 254, 0, 0), 16, "link-local, as the metadata of clouds"),
    (Ipv4Addr::new(168, 63, 129, 16), 32, "the metadata of a cloud"),
    (Ipv4Addr::new(172, 16, 0, 0), 12, "private"),
    (Ipv4Addr::new(192, 0, 0, 0), 24, "reserved for protocols"),
    (Ipv4Addr::new(192, 0, 2, 0), 24, "for documentation"),
    (Ipv4Addr::new(192, 88, 99, 0), 24, "a relay of 6to4"),
    (Ipv4Addr::new(192, 168, 0, 0), 16, "private"),
    (Ipv4Addr::new(198, 18, 0, 0), 15, "for benchmarks"),
    (Ipv4Addr::new(198, 51, 100, 0), 24, "for documentation"),
    (Ipv4Addr::new(203, 0, 113, 0), 24, "for documentation"),
    (Ipv4Addr::new(224, 0, 0, 0), 4, "multicast"),
    (Ipv4Addr::new(240, 0, 0, 0), 4, "reserved"),
];

/// Networks of IPv6, the same way; the first that fits names the reason. Outside 2000::/3 nothing is allowed at all.
const REFUSED_V6: &[(Ipv6Addr, u32, &str)] = &[
    (Ipv6Addr::UNSPECIFIED, 128, "unspecified"),
    (Ipv6Addr::LOCALHOST, 128, "loopback"),
    (Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96, "an address of IPv4 in IPv6 (v4-mapped)"),
    (Ipv6Addr::UNSPECIFIED, 96, "an address of IPv4 in IPv6 (v4-compatible)"),
    (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 32, "an address of IPv4 in IPv6 (NAT64)"),
    (Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 0), 64, "discarded"),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 32, "an address of IPv4 in IPv6 (Teredo)"),
    (Ipv6Addr::new(0x2001, 2, 0, 0, 0, 0, 0, 0), 48, "for benchmarks"),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23, "reserved for protocols"),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32, "for documentation"),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, "an address of IPv4 in IPv6 (6to4)"),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20, "for documentation"),
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7, "private (unique local)"),
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10, "link-local"),
    (Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 0), 10, "private (site-local)"),
    (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8, "multicast"),
];

/// Why nothing is sent to an address; `None`: it is one of the public internet.
pub fn refusal(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => {
            let fits = |net: Ipv4Addr, bits: u32| (address.to_bits() ^ net.to_bits()).leading_zeros() >= bits;
            REFUSED_V4.iter().find(|(net, bits, _)| fits(*net, *bits)).map(|(_, _, why)| *why)
        }
        IpAddr::V6(address) => {
            let fits = |net: Ipv6Addr, bits: u32| (address.to_bits() ^ net.to_bits()).leading_zeros() >= bits;
            let named = REFUSED_V6.iter().find(|(net, bits, _)| fits(*net, *bits)).map(|(_, _, why)| *why);
            named.or_else(|| {
                let is_global = address.segments()[0] & 0xe000 == 0x2000;
                let is_isatap = matches!(address.segments()[4..6], [0 | 0x200, 0x5efe]);
                match (is_global, is_isatap) {
                    (false, _) => Some("not of the public internet"),
                    (true, true) => Some("an address of IPv4 in IPv6 (ISATAP)"),
                    (true, false) => None,
                }
            })
        }
    }
}

/// The addresses and ports that the configuration file lists: allowed whatever they are, and without TLS.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Allow(Vec<SocketAddr>);

impl Allow {
    /// The list of `[alerts] allow`.
    pub fn new(list: Vec<SocketAddr>) -> Allow {
        Allow(list)
    }

    /// Whether a message may be sent there; `sealed`: over TLS. The error says why not, and how to mend it.
    ///
    /// # Errors
    /// It may not.
    pub fn judge(&self, to: SocketAddr, sealed: bool) -> Result<(), String> {
        if self.0.contains(&to) {
            return Ok(());
        }
        let why = match refusal(to.ip()) {
            Some(why) => format!("{to} is {why}"),
            None if !sealed => format!("{to} would be reached without TLS"),
            None => return Ok(()),
        };
        Err(format!(
            "{why}; if this is meant, write it into [alerts] allow = [\"{to}\"] of the configuration file"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_the_public_internet_are_allowed() {
        let refused = [
            ("0.0.0.0", "unspecified"),
            ("0.1.2.3", "unspecified"),
            ("10.0.0.1", "private"),
            ("10.255.255.255", "private"),
            ("100.64.0.1", "CGNAT"),
            ("100.100.100.200", "CGNAT"),
            ("100.127.255.255", "CGNAT"),
            ("127.0.0.1", "loopback"),
            ("127.255.255.254", "loopback"),
            ("169.254.169.254", "metadata"),
            ("169.254.170.2", "metadata"),
            ("168.63.129.16", "metadata"),
            ("172.16.0.1", "private"),
            ("172.31.255.255", "private"),
            ("192.0.0.192", "protocols"),
            ("192.0.2.1", "documentation"),
            ("192.88.99.1", "6to4"),
            ("192.168.1.1", "private"),
            ("198.18.0.1", "benchmarks"),
            ("198.19.255.255", "benchmarks"),
            ("198.51.100.7", "documentation"),
            ("203.0.113.7", "documentation"),
            ("224.0.0.1", "multicast"),
            ("239.255.255.250", "multicast"),
            ("240.0.0.1", "reserved"),
            ("255.255.255.255", "reserved"),
            ("::", "unspecified"),
            ("::1", "loopback"),
            ("::ffff:10.0.0.1", "v4-mapped"),
            ("::ffff:8.8.8.8", "v4-mapped"),
            ("::127.0.0.1", "v4-compatible"),
            ("64:ff9b::a00:1", "NAT64"),
            ("64:ff9b:1::a00:1", "NAT64"),
            ("100::1", "discarded"),
            ("2001::1", "Teredo"),
            ("2001:0:4136:e378:8000:63bf:3fff:fdd2", "Teredo"),
            ("2001:2::1", "benchmarks"),
            ("2001:10::1", "protocols"),
            ("2001:db8::1", "documentation"),
            ("2002:a00:1::", "6to4"),
            ("3fff::1", "documentation"),
            ("fc00::1", "unique local"),
            ("fd00:ec2::254", "unique local"),
            ("fe80::1", "link-local"),
            ("febf::1", "link-local"),
            ("fec0::1", "site-local"),
            ("ff02::1", "multicast"),
            ("5f00::1", "not of the public internet"),
            ("4000::1", "not of the public internet"),
            ("2606:4700::5efe:a00:1", "ISATAP"),
        ];
        for (address, why) in refused {
            let found = refusal(address.parse().unwrap());
            assert!(found.is_some_and(|found| found.contains(why)), "{address}: {found:?}");
        }
        let allowed = ["8.8.8.8", "1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0"];
        let more = [
            "172.15.255.255",
            "172.32.0.0",
            "192.167.255.255",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
        ];
        let six = [
            "2606:4700:4700::1111",
            "2a00:1450:4001::200e",
            "2001:4860:4860::8888",
            "2003::1",
            "2001:200::1",
        ];
        for address in allowed.iter().chain(&more).chain(&six) {
            assert_eq!(refusal(address.parse().unwrap()), None, "{address}");
        }
    }

    #[test]
    fn the_list_allows_an_address_with_its_port_and_nothing_beside_it() {
        let allow = Allow::new(vec!["10.0.0.5:443".parse().unwrap(), "[fd00::5]:25".parse().unwrap()]);
        let judge = |to: &str, sealed| allow.judge(to.parse().unwrap(), sealed);
        assert_eq!(judge("10.0.0.5:443", true), Ok(()));
        assert_eq!(judge("10.0.0.5:443", false), Ok(()));
        assert_eq!(judge("[fd00::5]:25", false), Ok(()));
        assert_eq!(judge("8.8.8.8:443", true), Ok(()));
        for (to, sealed) in [
            ("10.0.0.5:80", true),
            ("10.0.0.6:443", true),
            ("[fd00::5]:443", true),
            ("[::ffff:10.0.0.5]:443", true),
            ("8.8.8.8:80", false),
        ] {
            assert!(judge(to, sealed).is_err(), "{to}");
        }
        insta::assert_snapshot!(judge("10.0.0.5:80", true).unwrap_err(), @r#"10.0.0.5:80 is private; if this is meant, write it into [alerts] allow = ["10.0.0.5:80"] of the configuration file"#);
        insta::assert_snapshot!(judge("8.8.8.8:80", false).unwrap_err(), @r#"8.8.8.8:80 would be reached without TLS; if this is meant, write it into [alerts] allow = ["8.8.8.8:80"] of the configuration file"#);
    }
}
