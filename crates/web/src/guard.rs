//! What happens to each request before and after its handler: what it asks for, who asks, whether this caller may, how often;
//! then the commit, with its row in `audit_log`.
//!
//! A request that is too slow takes neither a connection of the database nor a place among those that are answered: its body
//! is read before either.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use alt_store::web::audit::{self, Actor};
use alt_store::web::caller::{self, Caller, Kind};
use alt_store::web::pool::Transaction;
use alt_store::web::{jwt, keys, sessions};
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{
    ACCEPT, AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, ETAG, HOST,
    IF_NONE_MATCH, LOCATION, ORIGIN, REFERRER_POLICY, SET_COOKIE, VARY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};
use axum::response::Response;
use http_body_util::{BodyExt, Limited};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::ask::{Answer, Asked, Content, within};
use crate::limiter::Left;
use crate::problem::Problem;
use crate::routes::{Access, Route};
use crate::session::begun;
use crate::{Web, assets, oidc, reads, session};

/// The most bytes of a body.
const BODY_MAX: usize = 64 * 1024;

/// How long a body may take to arrive.
const BODY_TIME: Duration = Duration::from_secs(5);

/// How many wrong tokens one address may send in a minute.
pub(crate) const REFUSED_PER_MINUTE: u32 = 60;

/// The longest secret.
const SECRET_MAX: usize = 200;

/// The connection that a request came by.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    /// `None`: a Unix socket.
    pub(crate) address: Option<IpAddr>,
    /// Set while a request is answered: such a connection is not ended for another one.
    pub(crate) is_busy: Arc<AtomicBool>,
}

/// Sets [`Peer::is_busy`] until it is dropped.
struct Busy(Arc<AtomicBool>);

impl Busy {
    fn set(peer: &Peer) -> Busy {
        peer.is_busy.store(true, Ordering::Relaxed);
        Busy(Arc::clone(&peer.is_busy))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// Answers a request for a route.
pub(crate) async fn serve(
    web: Arc<Web>,
    route: &'static Route,
    path: Vec<(String, String)>,
    peer: Peer,
    request: Request,
) -> Response {
    let started = Instant::now();
    let (parts, body) = request.into_parts();
    let mut left = None;
    let answered = async {
        if path.iter().any(|(_, value)| value.contains('\0')) {
            return Err(Problem::not_found("nothing has a name with the character U+0000"));
        }
        let parameters = match route.path {
            path if assets::is_page(path) => Vec::new(),
            oidc::BACK => known_of(route, query_of(&parts.uri)),
            _ => query(route, query_of(&parts.uri))?,
        };
        let body =
            if route.method != "GET" { body_of(route, &parts.headers, body).await? } else { Value::Null };
        let _busy = Busy::set(&peer);
        let is_csv = route.path.ends_with(".csv") || wants_csv(&parts.headers);
        let address = address(&peer, &parts.headers).map(|address| address.to_string());
        let is_secure = is_secure(&web, &peer, &parts.headers);
        let flow = web.oidc.as_ref().and_then(|oidc| cookie(&parts.headers, oidc.cookie_name()));
        let flow = flow.filter(|secret| secret.len() <= SECRET_MAX).map(str::to_owned);
        let (caller, app, db) = (None, None, None);
        let asked = Asked { caller, app, db, path, parameters, body, is_csv, address, is_secure, flow };
        answer(&web, route, asked, &parts.headers, &mut left).await
    };
    let mut response = match answered.await {
        Ok(answer) => response(answer, &parts.headers, route),
        Err(problem) => problem.response(),
    };
    finish(&mut response, route, left);
    web.telemetry.answered(route.method, route.path, response.status().as_u16(), started.elapsed());
    response
}

/// Answers a request for a path, or a method, that is not there.
pub(crate) fn refuse(web: &Web, problem: &Problem) -> Response {
    let mut response = problem.response();
    headers(response.headers_mut(), "default-src 'none'; frame-ancestors 'none'");
    web.telemetry.answered("other", "other", response.status().as_u16(), Duration::ZERO);
    response
}

/// What is behind the `?` of a request's target.
fn query_of(target: &Uri) -> &str {
    let whole = target.path_and_query().map_or("", PathAndQuery::as_str);
    whole.split_once('?').map_or("", |(_, query)| query)
}

/// Parameters of the query. One that is misspelt would change the meaning of an answer unnoticed, so it is refused.
fn query(route: &Route, text: &str) -> Result<Vec<(String, String)>, Problem> {
    let mut all: Vec<(String, String)> = Vec::new();
    for (name, value) in url::form_urlencoded::parse(text.as_bytes()) {
        let Some(parameter) = route.parameter(&name) else {
            let known: Vec<&str> = route.parameters.iter().map(|parameter| parameter.name).collect();
            return Err(Problem::bad(match known.is_empty() {
                true => "this path has no parameters".to_owned(),
                false => format!("a parameter is not known; known are {}", known.join(", ")),
            }));
        };
        if !parameter.is_repeatable && all.iter().any(|(before, _)| *before == name) {
            return Err(Problem::bad(format!("{name} is given twice")));
        }
        // PostgreSQL has no U+0000.
        if value.contains('\0') {
            return Err(Problem::bad(format!("{name} contains the character U+0000")));
        }
        all.push((name.into_owned(), value.into_owned()));
    }
    match route.parameters.iter().find(|one| one.is_required && !all.iter().any(|(name, _)| name == one.name))
    {
        Some(missing) => Err(Problem::bad(format!("the parameter {} is missing", missing.name))),
        None => Ok(all),
    }
}

/// The parameters of the query that are known: a provider may add others.
fn known_of(route: &Route, text: &str) -> Vec<(String, String)> {
    let all = url::form_urlencoded::parse(text.as_bytes());
    let known = all.filter(|(name, value)| route.parameter(name).is_some() && !value.contains('\0'));
    known.map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
}

async fn body_of(route: &Route, headers: &HeaderMap, body: Body) -> Result<Value, Problem> {
    let collected = tokio::time::timeout(BODY_TIME, Limited::new(body, BODY_MAX).collect()).await;
    let bytes = match collected.map_err(|_| Problem::slow())? {
        Ok(collected) => collected.to_bytes(),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => {
            return Err(Problem::too_large(BODY_MAX));
        }
        Err(_) => return Err(Problem::bad("the body is not complete")),
    };
    if route.body.is_empty() {
        return Ok(Value::Null);
    }
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    if !kind.split(';').next().unwrap_or("").trim().eq_ignore_ascii_case("application/json") {
        return Err(Problem::bad("the body is JSON: send `Content-Type: application/json`"));
    }
    let value: Value = serde_json::from_slice(&bytes)
        .map_err(|error| Problem::bad(format!("the body is no JSON: {error}")))?;
    let Value::Object(members) = &value else { return Err(Problem::bad("the body is a JSON object")) };
    if members.keys().any(|name| !route.body.iter().any(|known| known.name == name)) {
        let known: Vec<&str> = route.body.iter().map(|member| member.name).collect();
        return Err(Problem::bad(format!(
            "a member of the body is not known; known are {}",
            known.join(", ")
        )));
    }
    Ok(value)
}

fn wants_csv(headers: &HeaderMap) -> bool {
    headers
        .get(ACCEPT)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|accept| accept.split(',').any(|kind| kind.trim().starts_with("text/csv")))
}

/// The client's address: what the proxy on this machine says, or that of the connection.
fn address(peer: &Peer, headers: &HeaderMap) -> Option<IpAddr> {
    match peer.address {
        Some(address) if !address.is_loopback() => Some(address),
        other => {
            let told = headers.get("x-real-ip").and_then(|value| value.to_str().ok()?.parse().ok());
            told.or(other)
        }
    }
}

/// Whether a client came by TLS: the proxy on this machine says so, or people reach it by TLS alone.
fn is_secure(web: &Web, peer: &Peer, headers: &HeaderMap) -> bool {
    let is_proxy = peer.address.is_none_or(|address| address.is_loopback());
    let told = headers.get("x-forwarded-proto").is_some_and(|scheme| scheme.as_bytes() == b"https");
    (is_proxy && told) || web.public_url.as_ref().is_some_and(|url| url.starts_with("https://"))
}

/// Whether a page of another site may have sent a request that changes something. A browser sends cookies by itself, but says
/// from which site a request comes, and lets no page of another site set a header of its own.
fn is_cross_site(web: &Web, headers: &HeaderMap, is_cookie: bool) -> bool {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = headers.get("sec-fetch-site") {
        return !matches!(site.as_bytes(), b"same-origin" | b"none");
    }
    match text(ORIGIN) {
        Some(origin) => {
            let host = origin.split_once("://").map_or("", |(_, host)| host);
            let is_public = web.public_url.as_deref() == Some(origin);
            !is_public && (host.is_empty() || text(HOST) != Some(host))
        }
        None => is_cookie && !headers.contains_key("x-alt-request"),
    }
}

/// Answers what is open to everybody.
async fn open(web: &Web, route: &Route, asked: &Asked, headers: &HeaderMap) -> Result<Answer, Problem> {
    if route.method != "GET" && is_cross_site(web, headers, false) {
        return Err(Problem::cross_site());
    }
    // What waits for a provider has limits of its own, and holds no connection of the database meanwhile.
    match route.path {
        oidc::START | oidc::BACK => (route.handler)(web, asked).await,
        _ => within((route.handler)(web, asked)).await,
    }
}

async fn answer(
    web: &Arc<Web>,
    route: &Route,
    mut asked: Asked,
    headers: &HeaderMap,
    left: &mut Option<Left>,
) -> Result<Answer, Problem> {
    if route.access == Access::Open {
        return open(web, route, &asked, headers).await;
    }
    let origin = asked.network();
    let given = given(headers, &asked)?;
    if matches!(given, Given::Cookie(_)) && route.method != "GET" && is_cross_site(web, headers, true) {
        return Err(Problem::cross_site());
    }
    if let Err(left) = web.refused.look(&origin, Instant::now()) {
        return Err(Problem::too_many(left.wait));
    }
    let db = if route.changes() { web.change().await? } else { web.pool.read().await? };
    let Some(caller) = within(async { Ok(known(web, &db, &given, route.access).await?) }).await? else {
        let _ = web.refused.take(&origin, Instant::now());
        db.end().await?;
        return Err(Problem::unknown_caller());
    };
    if caller.is_locked && !is_unlocked(&db, headers, &caller).await? {
        db.end().await?;
        return Err(Problem::password_needed());
    }
    let key = format!("{} {}", caller.kind.as_str(), caller.id);
    match web.limiter.take(&key, Instant::now()) {
        Ok(now) => *left = Some(now),
        Err(now) => {
            *left = Some(now);
            db.end().await?;
            return Err(Problem::too_many(now.wait));
        }
    }
    if caller.is_stale {
        record_use(web, &caller);
    }
    let actor = Actor {
        kind: caller.kind.as_str(),
        id: if caller.kind == Kind::Session { caller.owner } else { Some(caller.id) },
        name: caller.name.clone(),
        address: asked.address.clone(),
    };
    asked.caller = Some(caller);
    asked.db = Some(db);
    let answered = within(async {
        allow(route, &mut asked).await?;
        let answer = (route.handler)(web, &asked).await?;
        if route.changes() {
            // Without its row in the record, nothing is changed.
            match &answer.change {
                Some(change) => audit::record(asked.db()?, &actor, change).await?,
                None if route.is_data => {}
                None => return Err(Problem::defect()),
            }
        }
        Ok(answer)
    })
    .await;
    let db = asked.db.take().ok_or_else(Problem::defect)?;
    let read = answered.as_ref().ok().and_then(|answer| reads::read(route, &asked, answer));
    match &answered {
        Ok(_) if route.changes() => db.commit().await?,
        // A transaction that is broken, or in which a statement still runs, is not used again.
        Err(problem) if problem.status.is_server_error() => drop(db),
        _ => db.end().await?,
    }
    if let Some(read) = read {
        reads::record(web, route, &asked, &actor, &read).await?;
    }
    answered
}

/// The secret of a request, and where it is.
enum Given {
    /// In the header `Authorization`.
    Header(String),
    /// In the query.
    Query(String),
    /// In the cookie of a person.
    Cookie(String),
}

fn given(headers: &HeaderMap, asked: &Asked) -> Result<Given, Problem> {
    let mut given = headers.get_all(AUTHORIZATION).iter();
    let share = asked.parameter("share");
    let (secret, place): (&str, fn(String) -> Given) = match (given.next(), given.next(), share) {
        (Some(one), None, None) => {
            let text = one.to_str().map_err(|_| Problem::unknown_caller())?;
            let (scheme, secret) = text.split_once(' ').unwrap_or_default();
            if !scheme.eq_ignore_ascii_case("bearer") {
                return Err(Problem::unknown_caller());
            }
            (secret.trim(), Given::Header)
        }
        (None, None, Some(share)) => (share, Given::Query),
        (None, None, None) => {
            (cookie(headers, begun::COOKIE).ok_or_else(Problem::unknown_caller)?, Given::Cookie)
        }
        _ => return Err(Problem::unknown_caller()),
    };
    let is_ours = secret.len() <= SECRET_MAX && secret.starts_with("alt_");
    let given = place(secret.to_owned());
    match &given {
        Given::Header(secret) if is_ours || jwt::is_like(secret) => Ok(given),
        Given::Query(_) | Given::Cookie(_) if is_ours => Ok(given),
        _ => Err(Problem::unknown_caller()),
    }
}

/// The value of a cookie, if it is there once.
fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let all = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut found = all
        .flat_map(|text| text.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(known, _)| *known == name);
    let (_, value) = found.next()?;
    found.next().is_none().then_some(value)
}

/// Whose secret it is. A share is known only where shares are allowed; a token only in the header, because addresses are
/// recorded in many places; a session only in its cookie.
async fn known(web: &Web, db: &Transaction, given: &Given, access: Access) -> anyhow::Result<Option<Caller>> {
    let is_shared = matches!(access, Access::Shared(_));
    let (secret, kinds): (_, &[Kind]) = match given {
        Given::Header(secret) if is_shared => (secret, &[Kind::Token, Kind::Share]),
        Given::Header(secret) => (secret, &[Kind::Token]),
        Given::Query(secret) if is_shared => (secret, &[Kind::Share]),
        Given::Query(_) => return Ok(None),
        Given::Cookie(secret) => (secret, &[Kind::Session]),
    };
    match secret.starts_with("alt_") {
        true => caller::find(db, secret, kinds).await,
        false => jwt::find(db, secret, &web.sealing).await,
    }
}

/// Whether the password of a share was given by this browser.
async fn is_unlocked(db: &Transaction, headers: &HeaderMap, share: &Caller) -> Result<bool, Problem> {
    let Some(secret) = cookie(headers, session::SHARE_COOKIE).filter(|secret| secret.len() <= SECRET_MAX)
    else {
        return Ok(false);
    };
    let found = within(async { Ok(caller::find(db, secret, &[Kind::Unlocked]).await?) }).await?;
    Ok(found.is_some_and(|found| found.owner == share.owner))
}

/// Whether the caller may, by the table of routes. Looks up the application.
async fn allow(route: &Route, asked: &mut Asked) -> Result<(), Problem> {
    let caller = asked.caller()?;
    match route.access {
        Access::Open | Access::Token => Ok(()),
        Access::Person if caller.kind == Kind::Session => Ok(()),
        Access::Person => Err(Problem::forbidden(&route.access.needs())),
        Access::Everything if caller.owns_all() => Ok(()),
        Access::Everything => Err(Problem::forbidden(&route.access.needs())),
        Access::App(needed) | Access::Shared(needed) => {
            let in_path = Some(asked.part("application_id")).filter(|id| !id.is_empty());
            // Where the shape of a question is that of another product, by its name there.
            let in_body = asked.text("application_id")?.or(asked.text("site_id")?);
            let id = in_path.or(asked.parameter("application_id")).or(in_body).unwrap_or("");
            let app = alt_store::apps::by_key(asked.db()?, id).await?;
            let app = app.ok_or_else(Problem::no_application)?;
            match caller.role(app.id) {
                None => Err(Problem::no_application()),
                Some(role) if role < needed => Err(Problem::forbidden(&route.access.needs())),
                Some(_) => {
                    asked.app = Some(app);
                    Ok(())
                }
            }
        }
    }
}

/// Records that a token or a session was used. Nobody waits for it.
fn record_use(web: &Arc<Web>, caller: &Caller) {
    let (kind, id) = (caller.kind, caller.id);
    let pool = Arc::clone(&web.pool);
    tokio::spawn(async move {
        let recorded = async {
            let db = pool.change().await?;
            match kind {
                Kind::Session | Kind::Unlocked => sessions::used(&db, id).await?,
                Kind::Token | Kind::Jwt | Kind::Share => keys::used(&db, id).await?,
            }
            db.commit().await
        };
        if let Err(error) = recorded.await {
            tracing::debug!(error = format!("{error:#}"), "the use of a token is not recorded");
        }
    });
}

fn response(answer: Answer, headers: &HeaderMap, route: &Route) -> Response {
    let (kind, body) = match answer.content {
        Content::Json(value) => ("application/json", value.to_string() + "\n"),
        Content::Csv(text) => ("text/csv; charset=utf-8; header=present", text),
        Content::Html(text) => ("text/html; charset=utf-8", text),
        Content::Css(text) => ("text/css; charset=utf-8", text.to_owned()),
        Content::File(kind, text) => (kind, text.to_owned()),
    };
    let tag = (route.method == "GET" && answer.location.is_none()).then(|| {
        let hash: String = Sha256::digest(body.as_bytes())[..16].iter().map(|b| format!("{b:02x}")).collect();
        format!("\"{hash}\"")
    });
    let is_same = tag.as_ref().is_some_and(|tag| {
        let known = headers.get(IF_NONE_MATCH).and_then(|value| value.to_str().ok()).unwrap_or("");
        known.split(',').any(|one| one.trim().trim_start_matches("W/") == tag)
    });
    let mut response = Response::new(if is_same { Body::empty() } else { Body::from(body) });
    *response.status_mut() = if is_same { StatusCode::NOT_MODIFIED } else { answer.status };
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    for cookie in answer.cookies.iter().filter_map(|cookie| HeaderValue::from_str(cookie).ok()) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    if let Some(place) = answer.location.and_then(|place| HeaderValue::from_str(&place).ok()) {
        response.headers_mut().insert(LOCATION, place);
    }
    if let Some(tag) = tag.and_then(|tag| HeaderValue::from_str(&tag).ok()) {
        response.headers_mut().insert(ETAG, tag);
    }
    response
}

/// The headers of every answer.
fn finish(response: &mut Response, route: &Route, left: Option<Left>) {
    let policy = match route.path {
        "/docs" => {
            "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        }
        _ => assets::policy(route.path).unwrap_or("default-src 'none'; frame-ancestors 'none'"),
    };
    headers(response.headers_mut(), policy);
    // Answers to the others may have secrets that were made just now (RFC 6749, 5.1).
    if route.method != "GET" || matches!(route.path, oidc::START | oidc::BACK) {
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    if let Some(left) = left {
        let policy = format!("\"requests\";q={};w=60", left.limit);
        let now = format!("\"requests\";r={};t={}", left.remaining, left.wait);
        for (name, value) in [("ratelimit-policy", policy), ("ratelimit", now)] {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().insert(HeaderName::from_static(name), value);
            }
        }
    }
}

fn headers(headers: &mut HeaderMap, policy: &'static str) {
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, policy),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "private, no-cache"),
        (VARY, "Accept, Authorization, Cookie"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}
