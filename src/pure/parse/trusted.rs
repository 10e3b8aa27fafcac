//! Who may say on whose behalf they speak.

use std::net::IpAddr;

/// Networks whose track bodies may name the visitor's address and user agent (`track.trusted`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trusted(Vec<(IpAddr, u8)>);

impl Trusted {
    /// Reads addresses and networks in CIDR notation (`10.0.0.0/8`, `fd00::/8`, `192.0.2.7`).
    ///
    /// # Errors
    /// Says which item is no network, and why.
    pub fn parse(items: &[String]) -> Result<Trusted, String> {
        items.iter().map(|item| network(item.trim())).collect::<Result<_, _>>().map(Trusted)
    }

    /// Whether an address lies in one of the networks.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|&(network, prefix)| match (network, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
                network.to_bits() & mask == address.to_bits() & mask
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
                network.to_bits() & mask == address.to_bits() & mask
            }
            _ => false,
        })
    }
}

fn network(item: &str) -> Result<(IpAddr, u8), String> {
    let (address, prefix) = item.split_once('/').map_or((item, None), |(a, p)| (a, Some(p)));
    let address: IpAddr = address
        .parse()
        .map_err(|_| format!("`{item}` is no network: write an address such as 10.0.0.0/8 or fd00::/8"))?;
    let longest = if address.is_ipv4() { 32 } else { 128 };
    let prefix = match prefix {
        None => longest,
        Some(text) => text
            .parse()
            .ok()
            .filter(|&prefix| prefix <= longest)
            .ok_or_else(|| format!("`{item}` is no network: the number after `/` is 0 to {longest}"))?,
    };
    Ok((address, prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_contain_their_addresses_and_no_others() {
        let items = ["10.0.0.0/8", "192.0.2.7", " fd00::/8 ", "2001:db8::1"].map(str::to_owned);
        let trusted = Trusted::parse(&items).unwrap();
        for (address, expect) in [
            ("10.255.0.1", true),
            ("11.0.0.1", false),
            ("192.0.2.7", true),
            ("192.0.2.6", false),
            ("::ffff:10.1.2.3", true),
            ("fdff::1", true),
            ("fe80::1", false),
            ("2001:db8::1", true),
            ("2001:db8::2", false),
        ] {
            assert_eq!(trusted.contains(address.parse().unwrap()), expect, "{address}");
        }
        assert!(!Trusted::default().contains("127.0.0.1".parse().unwrap()));
        let all = Trusted::parse(&["0.0.0.0/0".to_owned()]).unwrap();
        assert!(all.contains("203.0.113.9".parse().unwrap()) && !all.contains("::1".parse().unwrap()));
    }

    #[test]
    fn what_is_no_network_is_named() {
        for item in
            ["", "10.0.0.0/33", "::/129", "10.0.0/8", "10.0.0.0/", "10.0.0.0/-1", "localhost", "10.0.0.0/8/8"]
        {
            let error = Trusted::parse(&["::1".to_owned(), item.to_owned()]).unwrap_err();
            assert!(error.contains(&format!("`{item}`")), "{error}");
        }
    }
}
