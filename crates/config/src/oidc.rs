//! The keys of `[web.oidc]`: signing in by a provider of OpenID Connect.

use url::{Host, Url};

use super::secret::SecretFile;
use super::value::{Set, host};
use super::{Config, Web};

/// The longest name of the provider, which stands on a button.
const NAME_MAX: usize = 40;

/// The provider, and who may come from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Oidc {
    /// What the provider calls itself, exactly: a URL.
    pub issuer: String,
    /// What the provider calls this installation.
    pub client_id: String,
    /// What holds the secret that goes with it; `None` only until it is checked.
    pub secret: Option<SecretFile>,
    /// The provider's name for people.
    pub name: Option<String>,
    /// What is asked for; `openid` is in it.
    pub scopes: Vec<String>,
    /// Domains of e-mail addresses whose owners need not be added before.
    pub allow: Vec<String>,
    /// What those may do with each application that there is when they come first; `None`: they may only read.
    pub role: Option<OidcRole>,
}

/// What somebody may do who was not added before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OidcRole {
    /// Read.
    Viewer,
    /// Read, and change what does not concern people.
    Editor,
}

impl Default for Oidc {
    fn default() -> Self {
        Oidc {
            issuer: String::new(),
            client_id: String::new(),
            secret: None,
            name: None,
            scopes: ["openid", "email", "profile"].map(str::to_owned).to_vec(),
            allow: Vec::new(),
            role: None,
        }
    }
}

impl Oidc {
    /// The provider's name for people: as it is given, or its host.
    pub fn shown(&self) -> String {
        let of_host = || Url::parse(&self.issuer).ok()?.host_str().map(str::to_owned);
        self.name.clone().or_else(of_host).unwrap_or_default()
    }
}

/// The settings of the provider, which begin with the defaults.
fn oidc(config: &mut Config) -> &mut Oidc {
    config.web.oidc.get_or_insert_default()
}

/// Every key of `[web.oidc]`.
pub(super) const OIDC_KEYS: &[(&str, Set<Config>)] = &[
    ("issuer", |c, v| v.checked(issuer).map(|url| oidc(c).issuer = url)),
    ("client_id", |c, v| v.checked(plain).map(|id| oidc(c).client_id = id)),
    ("secret_file", |c, v| {
        v.text().and_then(|text| SecretFile::of(&text)).map(|file| oidc(c).secret = Some(file))
    }),
    ("name", |c, v| v.checked(name).map(|name| oidc(c).name = Some(name))),
    ("scopes", |c, v| {
        let list = v.list_of(plain)?;
        if !list.iter().any(|scope| scope == "openid") {
            return Err("needs \"openid\" among the scopes".to_owned());
        }
        oidc(c).scopes = list;
        Ok(())
    }),
    ("allow", |c, v| {
        v.list_of(host).map(|list| oidc(c).allow = list.iter().map(|one| one.to_ascii_lowercase()).collect())
    }),
    ("role", |c, v| {
        let words = [("viewer", OidcRole::Viewer), ("editor", OidcRole::Editor)];
        v.one_of(&words).map(|role| oidc(c).role = Some(role))
    }),
];

impl Web {
    /// What `[web.oidc]` lacks; each the end of a sentence about it.
    pub(super) fn oidc_problems(&self) -> Vec<&'static str> {
        let Some(oidc) = &self.oidc else { return Vec::new() };
        let all = [
            (oidc.issuer.is_empty(), "needs `issuer`, the URL that the provider calls itself"),
            (oidc.client_id.is_empty(), "needs `client_id`, what the provider calls this installation"),
            (oidc.secret.is_none(), "needs `secret_file`, a file that holds the client's secret"),
            (
                self.public_url.is_none(),
                "needs `public_url` in [web]: the provider sends people back to this address",
            ),
            (
                oidc.role.is_some() && oidc.allow.is_empty(),
                "has `role` without `allow`: nobody is added unless `allow` names the domains of their addresses",
            ),
        ];
        all.iter().filter(|(is_wrong, _)| *is_wrong).map(|(_, what)| *what).collect()
    }
}

/// The URL of a provider. It is compared byte by byte with what the provider calls itself, so that it is kept as it is given.
fn issuer(text: &str) -> Result<(), String> {
    let wrong = |what: &str| {
        Err(format!(
            "is like https://login.example.com/realms/main (http only for a loopback address): `{text}` {what}"
        ))
    };
    if text.len() > 500 || !text.bytes().all(|b| b.is_ascii_graphic() && b != b'\\') {
        return wrong("is longer than 500 characters, or holds others than those of a URL");
    }
    let Ok(url) = Url::parse(text) else { return wrong("is no URL") };
    if text.contains(['?', '#', '@']) {
        return wrong("has a query, a fragment or a user name");
    }
    let is_loopback = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => return wrong("has no host"),
    };
    match url.scheme() {
        "https" => Ok(()),
        "http" if is_loopback => Ok(()),
        _ => wrong("does not begin with https://"),
    }
}

/// A word that a request of OAuth takes as it is (RFC 6749, A.1).
fn plain(text: &str) -> Result<(), String> {
    match text.len() <= 250 && text.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\') {
        true => Ok(()),
        false => Err(format!("is of visible ASCII characters, 250 at most, without \" and \\, not `{text}`")),
    }
}

fn name(text: &str) -> Result<(), String> {
    match text.chars().count() <= NAME_MAX && !text.chars().any(char::is_control) && !text.trim().is_empty() {
        true => Ok(()),
        false => Err(format!("is a name of at most {NAME_MAX} characters, without control characters")),
    }
}
