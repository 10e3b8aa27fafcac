//! The provider: what it says of itself, its keys, and what it gives for a code.
//!
//! What it says of itself and its keys are kept for an hour, and asked for by one request at a time; if it does not answer then,
//! what is known serves for a day. Keys are asked for again where a token names another one, at most once a minute. Every
//! question has limits of bytes and time, and goes only where messages may go ([`alt_deliver::address`]).

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use alt_config::Oidc;
use alt_deliver::address::Allow;
use alt_deliver::connect::System;
use alt_deliver::fetch::{Client, Question};
use alt_store::connect::system_roots;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tokio::sync::Mutex;
use url::Url;
use url::form_urlencoded::{Serializer, byte_serialize};

use super::token::Keys;

/// How long connecting, and one question, may take.
const CONNECT: Duration = Duration::from_secs(3);
const TOTAL: Duration = Duration::from_secs(5);

/// After this time it is asked again.
const FRESH: Duration = Duration::from_secs(3600);

/// After this time what is known is of no use, if it does not answer.
const OLD: Duration = Duration::from_secs(24 * 3600);

/// How long it is not asked again after it did not answer.
const PAUSE: Duration = Duration::from_secs(5);

/// How often keys are asked for because a token names another one.
const KEYS_AGAIN: Duration = Duration::from_secs(60);

/// The errors of RFC 6749, 5.2: of all that a provider says, these alone are written into the log.
const ERRORS: &[&str] = &[
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
];

/// What the provider says of itself.
#[derive(Debug, Clone)]
pub(crate) struct Document {
    /// Where people sign in.
    pub(crate) authorization: Url,
    token: String,
    keys: String,
    userinfo: Option<String>,
    /// The client's secret is sent in the header, and not in the body.
    is_basic: bool,
    /// It names itself in each answer (RFC 9207).
    pub(crate) names_itself: bool,
}

impl Document {
    fn of(said: &Value, issuer: &str) -> Result<Document, String> {
        let text = |name: &str| said[name].as_str();
        match text("issuer") {
            Some(own) if own == issuer => {}
            Some(_) => {
                return Err("it calls itself otherwise: write into `issuer` what its document has as \"issuer\", to the last slash".to_owned());
            }
            None => {
                return Err("its document has no \"issuer\": is it a provider of OpenID Connect?".to_owned());
            }
        }
        let is_sealed = issuer.starts_with("https://");
        let place = |name: &str| {
            let given = text(name).ok_or_else(|| format!("its document has no \"{name}\""))?;
            let url = Url::parse(given).map_err(|_| format!("its \"{name}\" is no URL"))?;
            let is_usable = url.scheme() == "https" || (!is_sealed && url.scheme() == "http");
            let is_plain = given.len() <= 2000 && url.fragment().is_none() && url.username().is_empty();
            if is_usable && is_plain {
                Ok(url)
            } else {
                Err(format!("its \"{name}\" is no URL that begins with https://"))
            }
        };
        let ways = said["token_endpoint_auth_methods_supported"].as_array();
        let has = |way: &str| ways.is_none_or(|all| all.iter().any(|one| one == way));
        Ok(Document {
            authorization: place("authorization_endpoint")?,
            token: place("token_endpoint")?.into(),
            keys: place("jwks_uri")?.into(),
            userinfo: said
                .get("userinfo_endpoint")
                .map(|_| place("userinfo_endpoint"))
                .transpose()?
                .map(Url::into),
            is_basic: has("client_secret_basic") || !has("client_secret_post"),
            names_itself: said["authorization_response_iss_parameter_supported"] == true,
        })
    }
}

/// What was learnt at a time.
#[derive(Debug)]
struct Learnt<T> {
    value: Arc<T>,
    at: Instant,
}

impl<T> Learnt<T> {
    fn new(value: T) -> Learnt<T> {
        Learnt { value: Arc::new(value), at: Instant::now() }
    }

    fn within(&self, time: Duration) -> Option<Arc<T>> {
        (self.at.elapsed() < time).then(|| Arc::clone(&self.value))
    }
}

#[derive(Debug, Default)]
struct Known {
    document: Option<Learnt<Document>>,
    keys: Option<Learnt<Keys>>,
    /// When keys were asked for because a token named another one.
    asked_again: Option<Instant>,
    /// When it did not answer, and why.
    failed: Option<(Instant, String)>,
}

impl Known {
    /// Whether it did not answer just now.
    fn pause(&self) -> Result<(), String> {
        match &self.failed {
            Some((at, why)) if at.elapsed() < PAUSE => Err(why.clone()),
            _ => Ok(()),
        }
    }

    /// Keeps in its place what was asked for. If there was no answer, keeps why, and gives what is known, unless it is too old.
    fn learn<T>(
        &mut self,
        asked: Result<T, String>,
        place: impl Fn(&mut Known) -> &mut Option<Learnt<T>>,
    ) -> Result<Arc<T>, String> {
        match asked {
            Ok(value) => Ok(Arc::clone(&place(self).insert(Learnt::new(value)).value)),
            Err(why) => {
                if self.pause().is_ok() {
                    self.failed = Some((Instant::now(), why.clone()));
                }
                place(self).as_ref().and_then(|learnt| learnt.within(OLD)).ok_or(why)
            }
        }
    }
}

/// What it gives for a code.
#[derive(Debug)]
pub(crate) struct Given {
    pub(crate) id_token: String,
    access_token: Option<String>,
}

/// A provider.
#[derive(Debug)]
pub(crate) struct Provider {
    pub(crate) config: Oidc,
    client: Client,
    known: Mutex<Known>,
}

impl Provider {
    pub(crate) fn new(config: &Oidc, alerts: &alt_config::Alerts) -> anyhow::Result<Provider> {
        let allow = Allow::new(alerts.allow.clone());
        let client = Client::new(allow, Arc::new(System), system_roots(), CONNECT, TOTAL)?;
        Ok(Provider { config: config.clone(), client, known: Mutex::default() })
    }

    /// What it says of itself.
    pub(crate) async fn document(&self) -> Result<Arc<Document>, String> {
        let mut known = self.known.lock().await;
        self.document_of(&mut known).await
    }

    async fn document_of(&self, known: &mut Known) -> Result<Arc<Document>, String> {
        if let Some(document) = known.document.as_ref().and_then(|learnt| learnt.within(FRESH)) {
            return Ok(document);
        }
        let asked = async {
            known.pause()?;
            let issuer = &self.config.issuer;
            let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
            Document::of(&self.json(&url, None).await?, issuer)
        };
        let asked = asked.await;
        known.learn(asked, |known| &mut known.document)
    }

    /// Its keys; `again`: not those that are known, unless they were asked for again a short while ago.
    pub(crate) async fn keys(&self, again: bool) -> Result<Arc<Keys>, String> {
        let mut known = self.known.lock().await;
        let document = self.document_of(&mut known).await?;
        let may_again = known.asked_again.is_none_or(|at| at.elapsed() >= KEYS_AGAIN);
        let fresh = known.keys.as_ref().and_then(|learnt| learnt.within(FRESH));
        if let Some(keys) = fresh.filter(|_| !again || !may_again) {
            return Ok(keys);
        }
        if again {
            known.asked_again = Some(Instant::now());
        }
        let asked = async {
            known.pause()?;
            Keys::of(&self.json(&document.keys, None).await?)
        };
        let asked = asked.await;
        known.learn(asked, |known| &mut known.keys)
    }

    /// What it gives for a code, which it takes once.
    pub(crate) async fn exchange(&self, code: &str, verifier: &str, redirect: &str) -> Result<Given, String> {
        let document = self.document().await?;
        let file = self.config.secret.as_ref().ok_or("[web.oidc] needs `secret_file`")?;
        let credentials = std::env::var_os("CREDENTIALS_DIRECTORY");
        let secret = file.line("secret_file", credentials.as_deref().map(Path::new));
        let secret = secret.map_err(|why| format!("{why:#}"))?;
        let (header, form) = self.asked_for(&document, &secret, [code, verifier, redirect]);
        let question = Question { url: &document.token, authorization: header.as_deref(), form: Some(&form) };
        let said = self.client.ask(question).await?;
        let value: Value = serde_json::from_slice(&said.body).unwrap_or_default();
        if said.status != 200 {
            let named = ERRORS.iter().find(|error| value["error"] == **error).unwrap_or(&"no known error");
            return Err(format!("the provider gives nothing for the code: status {} ({named})", said.status));
        }
        let text = |name: &str| value[name].as_str().map(str::to_owned);
        let id_token = text("id_token").ok_or("the provider gives no ID token for the code")?;
        Ok(Given { id_token, access_token: text("access_token") })
    }

    /// The header and the body with which a code, with what proves that it is this browser's and where it was sent, is exchanged.
    fn asked_for(
        &self,
        document: &Document,
        secret: &str,
        [code, verifier, redirect]: [&str; 3],
    ) -> (Option<String>, String) {
        let id = &self.config.client_id;
        let mut form = Serializer::new(String::new());
        form.append_pair("grant_type", "authorization_code")
            .append_pair("code", code)
            .append_pair("redirect_uri", redirect)
            .append_pair("code_verifier", verifier);
        if !document.is_basic {
            form.append_pair("client_id", id).append_pair("client_secret", secret);
            return (None, form.finish());
        }
        let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
        let both = format!("{}:{}", encoded(id), encoded(secret));
        (Some(format!("Basic {}", STANDARD.encode(both))), form.finish())
    }

    /// What it says of a person besides the token; `None`: it says nothing, or it is of somebody else.
    pub(crate) async fn userinfo(&self, given: &Given, subject: &str) -> Result<Option<Value>, String> {
        let document = self.document().await?;
        let (Some(url), Some(token)) = (&document.userinfo, &given.access_token) else { return Ok(None) };
        let said = self.json(url, Some(&format!("Bearer {token}"))).await?;
        Ok(Some(said).filter(|said| said["sub"] == subject))
    }

    async fn json(&self, url: &str, authorization: Option<&str>) -> Result<Value, String> {
        let said = self.client.ask(Question { url, authorization, form: None }).await?;
        let place =
            Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
        if said.status != 200 {
            return Err(format!(
                "{place} answers with status {} where it should have a document",
                said.status
            ));
        }
        let value: Value =
            serde_json::from_slice(&said.body).map_err(|_| format!("the document of {place} is no JSON"))?;
        if value.is_object() { Ok(value) } else { Err(format!("the document of {place} is no JSON object")) }
    }
}

/// Looks whether a provider can be reached, is the one that is meant, and has keys; and whether the secret can be read.
///
/// # Errors
/// What is wrong, with how to mend it where it is of this machine.
pub async fn look(config: &alt_config::Config) -> anyhow::Result<()> {
    let Some(oidc) = &config.web.oidc else { return Ok(()) };
    let provider = Provider::new(oidc, &config.alerts)?;
    provider.keys(false).await.map_err(anyhow::Error::msg)?;
    if let Some(file) = &oidc.secret {
        let credentials = std::env::var_os("CREDENTIALS_DIRECTORY");
        // A credential is given to the unit alone.
        if matches!(file, alt_config::SecretFile::Path(_)) || credentials.is_some() {
            file.line("secret_file", credentials.as_deref().map(Path::new))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_known_serves_for_a_day_where_there_is_no_answer() {
        let keys = |id: &str| {
            Keys::of(&json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "kid": id, "x": "AA" }] }))
        };
        let mut known = Known::default();
        assert_eq!(
            known.learn(Err("no answer".to_owned()), |known| &mut known.keys).unwrap_err(),
            "no answer"
        );
        assert_eq!(known.pause().unwrap_err(), "no answer");
        let one = known.learn(keys("a"), |known| &mut known.keys).unwrap();
        let same = known.learn(Err("again".to_owned()), |known| &mut known.keys).unwrap();
        assert!(Arc::ptr_eq(&one, &same));
        assert_eq!(known.pause().unwrap_err(), "no answer", "the pause is not made longer");
        let other = known.learn(keys("b"), |known| &mut known.keys).unwrap();
        assert!(!Arc::ptr_eq(&one, &other));
        known.keys.as_mut().unwrap().at = Instant::now().checked_sub(OLD).unwrap();
        assert_eq!(known.learn(Err("late".to_owned()), |known| &mut known.keys).unwrap_err(), "late");
    }
}
