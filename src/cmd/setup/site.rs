//! The site that `alt setup` writes for nginx: what it has to say, and what is there of it.
//!
//! The first line has a hash of all others. As long as it fits, nobody changed the file by hand, and setup may write it
//! anew for another host name or a certificate. A file that somebody changed is never touched.

use std::fmt::Write;
use std::path::PathBuf;

use sha2::{Digest, Sha256};

use crate::cmd::check::nginx::tokens;

const PLAIN: &str = include_str!("../../../nginx/site-http.conf.example");
const WITH_TLS: &str = include_str!("../../../nginx/site-tls.conf.example");
/// The host name in both.
const EXAMPLE: &str = "events.example.com";
/// What begins the first line.
pub(super) const MARK: &str =
    "# Written by `alt setup`; yours to change. As long as it is unchanged, `alt setup` may write it anew: ";
const ELSEWHERE: &str = "# TLS ends before this machine (--no-tls).\n";
/// The name of a site that answers to any name.
const ANY: &str = "_";

/// Who ends TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Tls {
    /// This site, with a certificate and its key.
    Here(PathBuf, PathBuf),
    /// A machine before this one.
    Elsewhere,
    /// Nobody: browsers cannot load the script.
    Nobody,
}

/// A site as setup writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Site {
    /// Its host name; `None`: any.
    pub(super) host: Option<String>,
    pub(super) tls: Tls,
}

/// The file of the site.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// As setup wrote it.
    Ours(Site),
    /// As somebody changed it: its host names, and whether it has a certificate.
    Own { names: Vec<String>, has_tls: bool },
}

impl Site {
    /// The content of the file.
    pub(super) fn text(&self) -> String {
        let host = self.host.as_deref().unwrap_or(ANY);
        // The comments at the head of the examples are for whoever copies them by hand.
        let body = |text: &'static str| text.find("server {").map_or(text, |at| &text[at..]);
        let mut rest = String::from("include alt/alt-http.conf;\n\n");
        match &self.tls {
            Tls::Here(certificate, key) => {
                let live = format!("/etc/letsencrypt/live/{EXAMPLE}");
                let text = body(WITH_TLS)
                    .replace(&format!("{live}/fullchain.pem"), &quoted(certificate))
                    .replace(&format!("{live}/privkey.pem"), &quoted(key));
                rest.push_str(&text.replace(EXAMPLE, host));
            }
            tls => {
                if *tls == Tls::Elsewhere {
                    rest.push_str(ELSEWHERE);
                }
                rest.push_str(&body(PLAIN).replace(EXAMPLE, host));
            }
        }
        if self.host.is_none() {
            rest = rest.replace(":80;", ":80 default_server;").replace(" 80;", " 80 default_server;");
        }
        format!("{MARK}{}\n{rest}", hash(&rest))
    }
}

impl Standing {
    /// Reads the content of the file.
    pub(super) fn of(text: &str) -> Standing {
        let directives = tokens(text);
        let values = |name: &str| -> Vec<String> {
            let all = directives.iter().filter(|d| d.first().is_some_and(|first| first == name));
            all.flat_map(|d| d[1..].to_vec()).collect()
        };
        let (names, certificates) = (values("server_name"), values("ssl_certificate"));
        let (first, rest) = text.split_once('\n').unwrap_or_default();
        if first.strip_prefix(MARK) != Some(hash(rest).as_str()) {
            return Standing::Own { names, has_tls: !certificates.is_empty() };
        }
        let tls = match (certificates.first(), values("ssl_certificate_key").first()) {
            (Some(certificate), Some(key)) => Tls::Here(certificate.into(), key.into()),
            _ if rest.contains(ELSEWHERE) => Tls::Elsewhere,
            _ => Tls::Nobody,
        };
        Standing::Ours(Site { host: names.into_iter().next().filter(|name| name != ANY), tls })
    }
}

/// The files of nginx's configuration, as `nginx -T` prints them: path and text.
pub(super) fn files(dump: &str) -> Vec<(&str, String)> {
    let mut files: Vec<(&str, String)> = Vec::new();
    for line in dump.lines() {
        match line.strip_prefix("# configuration file ").and_then(|rest| rest.strip_suffix(':')) {
            Some(path) => files.push((path, String::new())),
            None => {
                if let Some((_, text)) = files.last_mut() {
                    let _ = writeln!(text, "{line}");
                }
            }
        }
    }
    files
}

/// Whether a file of nginx's configuration has the default server of port 80, which answers to every other name.
pub(super) fn is_default(text: &str) -> bool {
    tokens(text).iter().any(|d| {
        let is_listen = d.first().is_some_and(|first| first == "listen");
        let is_default = d.iter().any(|word| word == "default_server" || word == "default");
        is_listen && is_default && d.get(1).is_some_and(|address| is_port_80(address))
    })
}

/// Whether an address of `listen` is one of port 80, which is also the port of an address without one.
fn is_port_80(address: &str) -> bool {
    if address.starts_with("unix:") {
        return false;
    }
    let after = address.rsplit_once(']').map_or(address, |(_, after)| after);
    match after.rsplit_once(':') {
        Some((_, port)) => port == "80",
        None => after.is_empty() || after.parse::<u16>().map_or(true, |port| port == 80),
    }
}

/// Whether a file of nginx's configuration has a site of this name, and whether it takes events.
pub(super) fn takes(text: &str, host: &str) -> Option<bool> {
    let directives = tokens(text);
    let has = |name: &str, is: &dyn Fn(&str) -> bool| {
        let all = directives.iter().filter(|d| d.first().is_some_and(|first| first == name));
        all.flat_map(|d| &d[1..]).any(|word| is(word))
    };
    has("server_name", &|word| word.eq_ignore_ascii_case(host))
        .then(|| has("include", &|word| word.ends_with("alt/alt-locations.conf")))
}

pub(super) fn hash(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().take(16).fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// A path as one word of nginx's configuration.
pub(super) fn quoted(path: &std::path::Path) -> String {
    let text = path.display().to_string();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    if text.chars().all(is_plain) {
        return text;
    }
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_is_read_back_as_it_was_written_and_any_change_makes_it_somebodys_own() {
        let here = Tls::Here("/a b/\"c.pem".into(), "/k.pem".into());
        for host in [None, Some("shop.example.com".to_owned())] {
            for tls in [Tls::Nobody, Tls::Elsewhere, here.clone()] {
                let site = Site { host: host.clone(), tls };
                let text = site.text();
                assert!(!text.contains(EXAMPLE), "{text}");
                assert_eq!(Standing::of(&text), Standing::Ours(site.clone()), "{text}");
                let own = Standing::of(&text.replace("10s", "11s"));
                assert!(matches!(own, Standing::Own { has_tls, .. } if has_tls == (site.tls == here)));
            }
        }
        assert!(Site { host: None, tls: Tls::Nobody }.text().contains("listen [::]:80 default_server;"));
        let before = "# Written by `alt setup`; yours to change.\nserver { server_name a b; }\n";
        let names = vec!["a".to_owned(), "b".to_owned()];
        assert_eq!(Standing::of(before), Standing::Own { names, has_tls: false });
        assert_eq!(Standing::of(""), Standing::Own { names: Vec::new(), has_tls: false });
    }

    #[test]
    fn the_default_server_of_port_80_is_found_in_its_file() {
        let dump = "ignored\n# configuration file /etc/nginx/nginx.conf:\nhttp { }\n\
                    # configuration file /etc/nginx/sites-enabled/default:\nserver {\n listen 80 default_server;\n}\n";
        let files = files(dump);
        assert_eq!(
            files.iter().map(|(path, _)| *path).collect::<Vec<_>>()[1],
            "/etc/nginx/sites-enabled/default"
        );
        assert!(!is_default(&files[0].1) && is_default(&files[1].1));
        for (listen, expected) in [
            ("80", false),
            ("80 default_server", true),
            ("[::]:80 default", true),
            ("[::1] default_server", true),
            ("10.0.0.1 default_server", true),
            ("*:8080 default_server", false),
            ("443 ssl default_server", false),
            ("unix:/x default_server", false),
        ] {
            assert_eq!(is_default(&format!("server {{ listen {listen}; }}")), expected, "{listen}");
        }
    }

    #[test]
    fn a_site_of_a_name_is_found_and_whether_it_takes_events() {
        let site = |more: &str| format!("server {{ server_name a Shop.example; {more} }}");
        assert_eq!(takes(&site(""), "shop.example"), Some(false));
        assert_eq!(takes(&site("include alt/alt-locations.conf;"), "shop.example"), Some(true));
        assert_eq!(takes(&site(""), "example"), None);
    }
}
