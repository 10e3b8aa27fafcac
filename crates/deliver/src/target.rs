//! Where a channel is: a URL, or the name and port of a mail server, taken apart once.
//!
//! Invariant: a host that is written as an address in any of the ways that programs take (`0x7f.1`, `2130706433`) is an
//! address here, never a name. Errors and `Debug` show host and port alone: the path of a webhook is often its secret.

use std::fmt;
use std::net::IpAddr;

use url::Url;

const BYTES_MAX: usize = 2048;

/// A host, as it was named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Host {
    /// A name, in lower case and ASCII, without a dot at its end.
    Name(String),
    /// An address.
    Address(IpAddr),
}

impl Host {
    /// Takes what URLs take: names and addresses in any spelling.
    pub(crate) fn parse(text: &str) -> Result<Host, String> {
        if text.is_empty()
            || text.len() > 260
            || !text.is_ascii()
            || text.bytes().any(|b| b <= b' ' || b == 0x7f)
        {
            return Err("has no host name".to_owned());
        }
        url::Host::parse(text).map_err(|e| format!("has a wrong host: {e}")).and_then(|host| Host::of(&host))
    }

    fn of<S: AsRef<str>>(host: &url::Host<S>) -> Result<Host, String> {
        match host {
            url::Host::Ipv4(address) => Ok(Host::Address(IpAddr::V4(*address))),
            url::Host::Ipv6(address) => Ok(Host::Address(IpAddr::V6(*address))),
            url::Host::Domain(name) => {
                let name = name.as_ref();
                let name = name.strip_suffix('.').unwrap_or(name);
                let is_label = |label: &str| {
                    let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
                    (1..=63).contains(&label.len()) && label.bytes().all(fits)
                };
                match name.len() <= 253 && name.split('.').all(is_label) {
                    true => Ok(Host::Name(name.to_ascii_lowercase())),
                    false => Err("has a wrong host".to_owned()),
                }
            }
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Name(name) => f.write_str(name),
            Host::Address(IpAddr::V4(address)) => address.fmt(f),
            Host::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

/// A host and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) host: Host,
    pub(crate) port: u16,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// The URL of a receiver.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    pub(crate) place: Place,
    /// `https`.
    pub(crate) sealed: bool,
    /// The path and the query.
    pub(crate) path: String,
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({}://{}/…)", if self.sealed { "https" } else { "http" }, self.place)
    }
}

impl Target {
    /// Takes a URL apart. `http` is taken too; whether it may be used is decided by the address (`Allow::judge`).
    ///
    /// # Errors
    /// What is wrong with it, as the end of a sentence: `has a user name; …`.
    pub fn parse(text: &str) -> Result<Target, String> {
        if text.len() > BYTES_MAX {
            return Err(format!("is longer than {BYTES_MAX} bytes"));
        }
        // `Url` would drop some of these silently.
        if !text.bytes().all(|b| b.is_ascii_graphic()) || text.contains('\\') {
            return Err(
                "holds a space, a control character, a backslash or a character outside ASCII".to_owned()
            );
        }
        let url = Url::parse(text).map_err(|e| format!("is no URL: {e}"))?;
        let sealed = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return Err("does not begin with https://".to_owned()),
        };
        if !url.username().is_empty() || url.password().is_some() || has_user(text) {
            return Err("has a user name before an `@`; leave it out".to_owned());
        }
        if url.fragment().is_some() {
            return Err("has a fragment behind `#`, which is never sent; leave it out".to_owned());
        }
        let host = url.host().ok_or("has no host name")?;
        let port = url.port_or_known_default().filter(|port| *port != 0).ok_or("has no port")?;
        let path = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        Ok(Target { place: Place { host: Host::of(&host)?, port }, sealed, path })
    }

    /// The value of the header `Host`.
    pub(crate) fn authority(&self) -> String {
        let usual = if self.sealed { 443 } else { 80 };
        if self.place.port == usual { self.place.host.to_string() } else { self.place.to_string() }
    }

    /// This target with a path behind its own.
    pub(crate) fn join(&self, path: &str) -> Target {
        let own = self.path.split('?').next().unwrap_or_default().trim_end_matches('/');
        Target { path: format!("{own}{path}"), ..self.clone() }
    }
}

/// Whether there is an `@` before the path, even one with nothing before it.
fn has_user(text: &str) -> bool {
    let behind = text.split_once("://").map_or(text, |(_, rest)| rest);
    behind.split(['/', '?', '#']).next().is_some_and(|authority| authority.contains('@'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_however_it_is_spelt() {
        for (host, address) in [
            ("127.0.0.1", "127.0.0.1"),
            ("0x7f.1", "127.0.0.1"),
            ("0x7f000001", "127.0.0.1"),
            ("2130706433", "127.0.0.1"),
            ("127.1", "127.0.0.1"),
            ("0177.0.0.1", "127.0.0.1"),
            ("127.0.0.1.", "127.0.0.1"),
            ("%31%32%37.0.0.1", "127.0.0.1"),
            ("[::ffff:10.0.0.1]", "::ffff:10.0.0.1"),
            ("[0:0:0:0:0:0:0:1]", "::1"),
            ("[::FFFF:A00:1]", "::ffff:10.0.0.1"),
        ] {
            let expected = Host::Address(address.parse().unwrap());
            assert_eq!(
                Target::parse(&format!("https://{host}/hook")).unwrap().place.host,
                expected,
                "{host}"
            );
            assert_eq!(Host::parse(host).unwrap(), expected, "{host}");
        }
        for name in ["example.com", "EXAMPLE.com.", "example.com."] {
            let expected = Host::Name("example.com".to_owned());
            assert_eq!(
                Target::parse(&format!("https://{name}/hook")).unwrap().place.host,
                expected,
                "{name}"
            );
        }
    }

    #[test]
    fn a_url_that_is_not_plain_is_refused() {
        for (url, why) in [
            ("", "no URL"),
            ("example.com/hook", "no URL"),
            ("ftp://example.com/", "https://"),
            ("file:///etc/passwd", "https://"),
            ("gopher://127.0.0.1:25/", "https://"),
            ("https://", "no URL"),
            ("https://user@example.com/", "user name"),
            ("https://example.com:pw@10.0.0.1/", "user name"),
            ("https://@example.com/", "user name"),
            ("https://:@example.com/", "user name"),
            ("https://example.com\\@10.0.0.1/", "backslash"),
            ("https://example.com/#x", "fragment"),
            ("https://exam\nple.com/", "control"),
            ("https://exa\tmple.com/", "control"),
            (" https://example.com/", "space"),
            ("https://example.com/a b", "space"),
            ("https://ex\u{e4}mple.com/", "ASCII"),
            ("https://example.com:0/", "port"),
            ("https://example.com:99999/", "no URL"),
            ("https://a..b/", "host"),
            ("https://1.2.3.4.5/", "no URL"),
            ("https://256.0.0.1/", "no URL"),
            ("https://[::1%25eth0]/", "no URL"),
            ("https://*.example.com/", "host"),
        ] {
            let found = Target::parse(url).unwrap_err();
            assert!(found.contains(why), "{url:?}: {found}");
        }
        assert!(Target::parse(&format!("https://example.com/{}", "a".repeat(BYTES_MAX))).is_err());
    }

    #[test]
    fn a_target_shows_no_secret_and_keeps_its_path() {
        let target = Target::parse("https://hooks.example.com:8443/T0/B0/secret?key=1").unwrap();
        assert_eq!(format!("{target:?}"), "Target(https://hooks.example.com:8443/…)");
        assert_eq!(target.path, "/T0/B0/secret?key=1");
        assert_eq!(target.authority(), "hooks.example.com:8443");
        let target = Target::parse("http://[fd00::1]/am/").unwrap();
        assert_eq!(
            (target.authority().as_str(), target.join("/api/v2/alerts").path.as_str()),
            ("[fd00::1]", "/am/api/v2/alerts")
        );
    }
}
