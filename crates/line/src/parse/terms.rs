//! Agreements with the senders of events: who may name the visitor, and other names for parameters.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::beacon::{Parameter, is_of_the_visitor};

/// The most bytes of another name of a parameter.
const NAME_BYTES_MAX: usize = 16;

/// Networks from which a body may name the visitor's address and user agent (`track.trusted`), and other names of the
/// pixel's parameters (`track.names`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Terms {
    networks: Vec<(IpAddr, u8)>,
    names: Vec<(Box<str>, Parameter)>,
}

impl Terms {
    /// Reads addresses and networks in CIDR notation (`10.0.0.0/8`, `fd00::/8`, `192.0.2.7`), and other names, each
    /// with the short or long name of its parameter.
    ///
    /// # Errors
    /// Says which item is no network, or which name cannot be one, and why.
    pub fn parse(networks: &[String], names: &BTreeMap<String, String>) -> Result<Terms, String> {
        Ok(Terms {
            networks: networks.iter().map(|item| network(item.trim())).collect::<Result<_, _>>()?,
            names: names
                .iter()
                .map(|(name, meant)| Ok((name.as_str().into(), parameter(name, meant)?)))
                .collect::<Result<_, String>>()?,
        })
    }

    /// The parameter that has this other name.
    pub(super) fn named(&self, name: &str) -> Option<Parameter> {
        self.names.iter().find(|(known, _)| **known == *name).map(|(_, parameter)| *parameter)
    }

    /// The name by which the beacon sends a parameter: the first of its other names, else its short name.
    pub fn sent_as<'n>(&'n self, short: &'n str) -> &'n str {
        let meant = Parameter::named(short.as_bytes());
        self.names.iter().find(|(_, parameter)| Some(*parameter) == meant).map_or(short, |(name, _)| name)
    }

    /// Whether a sender with this address may name the visitor.
    pub fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.networks.iter().any(|&(network, prefix)| match (network, address) {
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

/// The parameter for another name. The error is a text to follow the name of the setting.
fn parameter(name: &str, meant: &str) -> Result<Parameter, String> {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    if name.len() > NAME_BYTES_MAX
        || !name.bytes().all(fits)
        || !name.bytes().next().is_some_and(|b| b.is_ascii_lowercase())
    {
        return Err(format!(
            "has `{name}`: write up to {NAME_BYTES_MAX} small letters, digits and `_`, a letter first"
        ));
    }
    if Parameter::named(name.as_bytes()).is_some() || is_of_the_visitor(name.as_bytes()) {
        return Err(format!("has `{name}`, which is the name of another parameter already"));
    }
    Parameter::named(meant.as_bytes()).ok_or_else(|| {
        format!("says that `{name}` is `{meant}`, which is no parameter (docs/FORMAT.md has them)")
    })
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
        let terms = Terms::parse(&items, &BTreeMap::new()).unwrap();
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
            assert_eq!(terms.trusts(address.parse().unwrap()), expect, "{address}");
        }
        assert!(!Terms::default().trusts("127.0.0.1".parse().unwrap()));
        let all = Terms::parse(&["0.0.0.0/0".to_owned()], &BTreeMap::new()).unwrap();
        assert!(all.trusts("203.0.113.9".parse().unwrap()) && !all.trusts("::1".parse().unwrap()));
    }

    #[test]
    fn what_is_no_network_is_named() {
        for item in
            ["", "10.0.0.0/33", "::/129", "10.0.0/8", "10.0.0.0/", "10.0.0.0/-1", "localhost", "10.0.0.0/8/8"]
        {
            let error = Terms::parse(&["::1".to_owned(), item.to_owned()], &BTreeMap::new()).unwrap_err();
            assert!(error.contains(&format!("`{item}`")), "{error}");
        }
    }

    #[test]
    fn parameters_have_other_names() {
        let names = |pairs: &[(&str, &str)]| {
            let pairs = pairs.iter().map(|(name, meant)| ((*name).to_owned(), (*meant).to_owned())).collect();
            Terms::parse(&[], &pairs)
        };
        let terms = names(&[("k", "a"), ("z_9", "page_url"), ("zz", "u")]).unwrap();
        assert_eq!(terms.named("k"), Some(Parameter::Application));
        assert_eq!(
            (terms.named("z_9"), terms.named("zz")),
            (Some(Parameter::PageUrl), Some(Parameter::PageUrl))
        );
        assert_eq!((terms.named("a"), terms.named("")), (None, None));
        assert_eq!((terms.sent_as("a"), terms.sent_as("u"), terms.sent_as("e")), ("k", "z_9", "e"));
        for name in ["", "a", "page_url", "ip_address", "K", "9a", "a-b", "a.b", "ä", "abcdefghijklmnopq"] {
            let error = names(&[(name, "u")]).unwrap_err();
            assert!(error.contains(&format!("`{name}`")), "{error}");
        }
        assert!(names(&[("k", "url")]).unwrap_err().contains("`url`"));
    }
}
