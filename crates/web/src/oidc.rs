//! Signing in by a provider of OpenID Connect: authorization code, PKCE, state and nonce (RFC 9700).
//!
//! A browser that is sent to the provider keeps one secret in a cookie. Of it are made what the token has to say (nonce) and what
//! proves that the code is this browser's (PKCE), so that the database, which keeps hashes, lets nobody finish what somebody
//! else began, and each process finishes what another one began. The provider is asked while no connection of the database is
//! held. Whatever goes wrong leads back to the page to sign in, with a word of this server's own.

use std::time::{Duration, Instant};

use alt_config::OidcRole;
use alt_process::clock;
use alt_store::web::caller::Role;
use alt_store::web::identities::{self, FLOW_MINUTES, Found, Named, Waiting};
use alt_store::web::keys::checked_name;
use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use url::form_urlencoded::Serializer;

use self::provider::{Given, Provider};
use self::token::{Claims, Expected, Wrong};
use crate::Web;
use crate::ask::{Answer, Asked, Content, within};
use crate::problem::Problem;
use crate::session::begun;

pub(crate) mod provider;
pub(crate) mod token;

pub use self::provider::look;

/// Where it begins and ends.
pub(crate) const START: &str = "/api/v1/session/oidc";
pub(crate) const BACK: &str = "/api/v1/session/oidc/callback";

/// How long all questions to the provider for one request may take.
const ASKING: Duration = Duration::from_secs(12);

/// How many requests ask the provider at a time.
const AT_ONCE: usize = 32;

/// The longest code, state and cookie that are looked at.
const GIVEN_MAX: usize = 4096;

/// Signing in by the provider of the configuration.
#[derive(Debug)]
pub(crate) struct Oidc {
    provider: Provider,
    places: Semaphore,
    /// The address under which people reach this server; it begins with https, except on this machine.
    public_url: String,
}

/// Why somebody is sent back to the page to sign in: its parameter `failed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failed {
    /// What was begun is not known: it took too long, was finished, or is another browser's.
    State,
    /// The person, or the provider for the person, did not want to.
    Denied,
    /// The provider does not answer, or what it says is not valid.
    Provider,
    /// The provider does not say that the address is the person's.
    Unverified,
    /// Nobody was added with this address.
    Unknown,
    /// The person is somebody else to the provider.
    Other,
    /// Too many attempts.
    Often,
    /// The database cannot be asked.
    Later,
}

impl Failed {
    fn as_str(self) -> &'static str {
        match self {
            Failed::State => "state",
            Failed::Denied => "denied",
            Failed::Provider => "provider",
            Failed::Unverified => "unverified",
            Failed::Unknown => "unknown",
            Failed::Other => "other",
            Failed::Often => "often",
            Failed::Later => "later",
        }
    }
}

impl From<Problem> for Failed {
    fn from(_: Problem) -> Failed {
        Failed::Later
    }
}

impl From<anyhow::Error> for Failed {
    fn from(error: anyhow::Error) -> Failed {
        Problem::from(error).into()
    }
}

impl Oidc {
    pub(crate) fn new(config: &alt_config::Config) -> anyhow::Result<Option<Oidc>> {
        let (Some(oidc), Some(public_url)) = (&config.web.oidc, &config.web.public_url) else {
            return Ok(None);
        };
        Ok(Some(Oidc {
            provider: Provider::new(oidc, &config.alerts)?,
            places: Semaphore::new(AT_ONCE),
            public_url: public_url.clone(),
        }))
    }

    /// The cookie of a browser that is sent away: of this host alone, where there is TLS.
    pub(crate) fn cookie_name(&self) -> &'static str {
        if self.public_url.starts_with("https://") { "__Host-alt_oidc" } else { "alt_oidc" }
    }

    /// Sent with the provider's redirect, which comes from another site: `Lax`.
    fn cookie(&self, secret: &str, minutes: i32) -> String {
        let secure = if self.public_url.starts_with("https://") { "; Secure" } else { "" };
        let seconds = i64::from(minutes) * 60;
        format!("{}={secret}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}", self.cookie_name())
    }

    fn redirect_uri(&self) -> String {
        format!("{}{BACK}", self.public_url)
    }

    /// What somebody with an address may do who was not added before.
    fn role(&self, email: &str) -> Option<Role> {
        let domain = email.rsplit_once('@')?.1;
        let config = &self.provider.config;
        let is_allowed = config.allow.iter().any(|allowed| allowed.eq_ignore_ascii_case(domain));
        let role = match config.role {
            Some(OidcRole::Editor) => Role::Editor,
            Some(OidcRole::Viewer) | None => Role::Viewer,
        };
        is_allowed.then_some(role)
    }
}

/// `GET /api/v1/session/ways`: how people sign in besides by a password. Nothing of it is secret.
pub(crate) async fn ways(web: &Web, _asked: &Asked) -> Result<Answer, Problem> {
    let provider = web.oidc.as_ref().map(|oidc| json!({ "name": oidc.provider.config.shown() }));
    Ok(Answer::json(json!({ "provider": provider })))
}

/// `GET /api/v1/session/oidc`: sends the browser to the provider.
pub(crate) async fn start(web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    let oidc = configured(web)?;
    let next = local(asked.parameter("next").unwrap_or("/"));
    let begun = tokio::time::timeout(ASKING, begin(web, oidc, asked, next));
    Ok(match begun.await.unwrap_or(Err(Failed::Provider)) {
        Ok(answer) => answer,
        Err(failed) => back(failed, next),
    })
}

async fn begin(web: &Web, oidc: &Oidc, asked: &Asked, next: &str) -> Result<Answer, Failed> {
    web.attempts.take(&asked.network(), Instant::now()).map_err(|_| Failed::Often)?;
    let _place = oidc.places.try_acquire().map_err(|_| Failed::Often)?;
    let document = oidc.provider.document().await.map_err(told)?;
    let (secret, state) = (random()?, random()?);
    within(async {
        let db = web.change().await?;
        identities::begin(&db, &secret, &state, next).await?;
        Ok(db.commit().await?)
    })
    .await?;
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(made_of(&secret, "verifier")));
    let mut url = document.authorization.clone();
    url.query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("client_id", &oidc.provider.config.client_id)
        .append_pair("redirect_uri", &oidc.redirect_uri())
        .append_pair("scope", &oidc.provider.config.scopes.join(" "))
        .append_pair("state", &state)
        .append_pair("nonce", &made_of(&secret, "nonce"))
        .append_pair("code_challenge", &challenge)
        .append_pair("code_challenge_method", "S256");
    Ok(to(url.into(), vec![oidc.cookie(&secret, FLOW_MINUTES)]))
}

/// `GET /api/v1/session/oidc/callback`: the browser comes back from the provider.
pub(crate) async fn callback(web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    let oidc = configured(web)?;
    let mut next = "/".to_owned();
    let finished = finish(web, oidc, asked, &mut next).await;
    Ok(finished.unwrap_or_else(|failed| back(failed, &next)))
}

async fn finish(web: &Web, oidc: &Oidc, asked: &Asked, next: &mut String) -> Result<Answer, Failed> {
    let from = format!("oidc {}", asked.network());
    web.attempts.take(&from, Instant::now()).map_err(|_| Failed::Often)?;
    let (Some(secret), Some(state)) = (asked.flow.as_deref(), given(asked, "state")) else {
        return Err(Failed::State);
    };
    let taken = within(async {
        let db = web.change().await?;
        let taken = identities::take(&db, secret, state).await?;
        db.commit().await?;
        Ok(taken)
    });
    *next = taken.await?.ok_or(Failed::State)?;
    let _place = oidc.places.try_acquire().map_err(|_| Failed::Often)?;
    let asking = tokio::time::timeout(ASKING, named(oidc, asked, secret));
    let late = || told(format!("the provider did not answer within {ASKING:?}"));
    let (given, claims) = match asking.await.unwrap_or_else(|_| Err(late())) {
        Ok(named) => named,
        Err(failed) => return refused(web, oidc, asked, None, failed).await,
    };
    let issuer = oidc.provider.config.issuer.as_str();
    let known = Who { oidc, subject: &claims.subject, email: token::address(&claims.all, issuer) };
    let is_said = claims.all.get("email").is_some();
    match known.sign_in(web, asked, next).await? {
        Ok(answer) => return Ok(answer),
        Err(Failed::Unverified) if !is_said => {}
        Err(failed) => return refused(web, oidc, asked, known.email, failed).await,
    }
    // Many providers say the address only where it is asked for with the token.
    let asking = tokio::time::timeout(ASKING, oidc.provider.userinfo(&given, &claims.subject));
    let said = asking.await.unwrap_or_else(|_| Err("the provider did not answer in time".to_owned()));
    let said = match said.map_err(told) {
        Ok(said) => said.unwrap_or_default(),
        Err(failed) => return refused(web, oidc, asked, None, failed).await,
    };
    let known = Who { email: token::address(&said, issuer), ..known };
    match known.sign_in(web, asked, next).await? {
        Ok(answer) => Ok(answer),
        Err(failed) => refused(web, oidc, asked, known.email, failed).await,
    }
}

/// Whom the provider names, by the code that it gave the browser.
async fn named(oidc: &Oidc, asked: &Asked, secret: &str) -> Result<(Given, Claims), Failed> {
    let provider = &oidc.provider;
    let document = provider.document().await.map_err(told)?;
    // An answer of another provider is never taken for one of this one (RFC 9207).
    match given(asked, "iss") {
        Some(issuer) if issuer == provider.config.issuer => {}
        None if !document.names_itself => {}
        _ => return Err(told("the answer does not name the provider as its issuer (iss)")),
    }
    match given(asked, "error") {
        None => {}
        Some("access_denied") => return Err(Failed::Denied),
        Some(_) => return Err(told("the provider sent the browser back with an error: look at its log")),
    }
    let code =
        given(asked, "code").ok_or_else(|| told("the provider sent the browser back without a code"))?;
    let given =
        provider.exchange(code, &made_of(secret, "verifier"), &oidc.redirect_uri()).await.map_err(told)?;
    let nonce = made_of(secret, "nonce");
    let expected = Expected {
        issuer: &provider.config.issuer,
        client_id: &provider.config.client_id,
        nonce: &nonce,
        now: clock::now().div_euclid(1_000_000),
    };
    let keys = provider.keys(false).await.map_err(told)?;
    let verified = match token::verify(&given.id_token, &keys, expected) {
        Err(Wrong::Key) => {
            let keys = provider.keys(true).await.map_err(told)?;
            token::verify(&given.id_token, &keys, expected)
        }
        other => other,
    };
    let claims = verified.map_err(|wrong| {
        told(match wrong {
            Wrong::Key => "the ID token is signed with a key that the provider does not publish".to_owned(),
            Wrong::Token(why) => format!("the ID token is not valid: {why}"),
        })
    })?;
    Ok((given, claims))
}

/// Whom the provider names.
#[derive(Clone, Copy)]
struct Who<'a> {
    oidc: &'a Oidc,
    subject: &'a str,
    /// Verified.
    email: Option<&'a str>,
}

impl Who<'_> {
    /// Signs the person in; or sends for the code, if the account has a second factor.
    async fn sign_in(self, web: &Web, asked: &Asked, next: &str) -> Result<Result<Answer, Failed>, Failed> {
        let signing = async {
            let db = web.change().await?;
            let email = self.email.and_then(|email| checked_name(email).ok());
            let role = email.and_then(|email| self.oidc.role(email));
            let issuer = &self.oidc.provider.config.issuer;
            let found = identities::find(&db, Named { issuer, subject: self.subject, email, role }).await?;
            let failed = match found {
                Found::Person(account, _) if account.totp.is_some() => {
                    // Nothing is bound before the second factor is given.
                    db.end().await?;
                    let db = web.change().await?;
                    let (secret, subject) = (random()?, self.subject.to_owned());
                    identities::wait_for_code(&db, &secret, &Waiting { account, subject }, next).await?;
                    db.commit().await?;
                    return Ok(Ok(self.oidc.ask_for_code(&secret, next)));
                }
                Found::Person(account, changes) => {
                    let signed = begun::signed_in(asked, db, &account, changes, Some(issuer)).await?;
                    let mut cookies = signed.cookies;
                    cookies.push(self.oidc.cookie("", 0));
                    return Ok(Ok(to(next.to_owned(), cookies)));
                }
                Found::Other(_) => Failed::Other,
                Found::Removed | Found::Unknown => Failed::Unknown,
                Found::NoAddress => Failed::Unverified,
            };
            db.end().await?;
            Ok(Err(failed))
        };
        Ok(within(signing).await?)
    }
}

impl Oidc {
    fn ask_for_code(&self, secret: &str, next: &str) -> Answer {
        let query =
            Serializer::new(String::new()).append_pair("step", "code").append_pair("next", next).finish();
        to(format!("/sign-in?{query}"), vec![self.cookie(secret, FLOW_MINUTES)])
    }
}

/// Records that whom the provider named was refused. The cookie has served.
async fn refused(
    web: &Web,
    oidc: &Oidc,
    asked: &Asked,
    email: Option<&str>,
    failed: Failed,
) -> Result<Answer, Failed> {
    let why = json!({ "provider": oidc.provider.config.issuer, "why": failed.as_str() });
    within(begun::record_refusal(web, asked, email.unwrap_or_default(), begun::Tried::Provider(why))).await?;
    Err(failed)
}

/// Whom the provider named to this browser, and whose second factor is asked for; with the provider's issuer.
pub(crate) async fn waiting<'w>(web: &'w Web, asked: &Asked) -> Result<Option<(Waiting, &'w str)>, Problem> {
    let (Some(oidc), Some(secret)) = (&web.oidc, &asked.flow) else { return Ok(None) };
    let db = web.change().await?;
    let waiting = identities::waiting(&db, secret).await?;
    db.end().await?;
    Ok(waiting.map(|waiting| (waiting, oidc.provider.config.issuer.as_str())))
}

/// Ends what the browser began, in the transaction in which it signs in; the cookie that removes its own.
pub(crate) async fn end(
    web: &Web,
    asked: &Asked,
    db: &alt_store::web::pool::Transaction,
) -> Result<Option<String>, Problem> {
    let (Some(oidc), Some(secret)) = (&web.oidc, &asked.flow) else { return Ok(None) };
    identities::end(db, secret).await?;
    Ok(Some(oidc.cookie("", 0)))
}

fn configured(web: &Web) -> Result<&Oidc, Problem> {
    let none = || Problem::not_found("the configuration of this server has no [web.oidc]");
    web.oidc.as_ref().ok_or_else(none)
}

/// Writes what is wrong with the provider, or with what it says, into the log.
fn told(why: impl Into<String>) -> Failed {
    tracing::warn!(why = why.into(), "somebody is not signed in by the provider");
    Failed::Provider
}

/// A parameter that the provider gave, if it has a length that is looked at.
fn given<'a>(asked: &'a Asked, name: &'static str) -> Option<&'a str> {
    let mut all = asked.all(name);
    let one = all.next().filter(|given| !given.is_empty() && given.len() <= GIVEN_MAX)?;
    all.next().is_none().then_some(one)
}

/// Where to go: a path of this server, as the browser reads it, or `/`.
fn local(next: &str) -> &str {
    let is_path = next.starts_with('/') && !next.starts_with("//") && !next.contains('\\');
    let is_plain = next.len() <= 1000 && next.bytes().all(|b| b.is_ascii_graphic());
    if is_path && is_plain && !next.starts_with("/api/") { next } else { "/" }
}

fn back(failed: Failed, next: &str) -> Answer {
    let mut query = Serializer::new(String::new());
    query.append_pair("failed", failed.as_str());
    if next != "/" {
        query.append_pair("next", next);
    }
    to(format!("/sign-in?{}", query.finish()), Vec::new())
}

fn to(place: String, cookies: Vec<String>) -> Answer {
    let answer = Answer::of(Content::Html(String::new()));
    Answer { status: StatusCode::SEE_OTHER, location: Some(place), cookies, ..answer }
}

/// A secret, or a state.
fn random() -> anyhow::Result<String> {
    let mut bytes = [0u8; 32];
    getrandom::fill(&mut bytes).map_err(|e| anyhow::anyhow!("get random bytes: {e}"))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// A value that only who has the secret can make, and that does not lead to it.
fn made_of(secret: &str, what: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(format!("alt oidc {what} {secret}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_goes_nowhere_but_to_a_path_of_this_server() {
        for path in ["/", "/applications/shop?period=7d&filter=a%20is%20b", "/alerts/7"] {
            assert_eq!(local(path), path);
        }
        for path in [
            "",
            "//evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "https://evil.example",
            "evil",
            "/a b",
            "/\t/evil.example",
            "/\r\nSet-Cookie: a=b",
            "/ü",
            "/api/v1/session/oidc",
            &format!("/{}", "a".repeat(1000)),
        ] {
            assert_eq!(local(path), "/", "{path:?}");
        }
    }
}
