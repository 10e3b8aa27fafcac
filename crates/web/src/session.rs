//! Signing in: by name and password, by a one-time link, by the code of who a provider named (`oidc`), or to a share that has a password; and what the person who is signed
//! in may change of the own account.
//!
//! What is refused says neither whether there is such an account nor what of it was wrong, and takes the same time. Both that
//! somebody signed in and that somebody was refused is recorded.

pub(crate) mod begun;

use std::time::Instant;

use alt_store::apps;
use alt_store::web::audit::{self, Actor, Change};
use alt_store::web::caller::Kind;
use alt_store::web::identities::{self, Bound, Waiting};
use alt_store::web::pool::Transaction;
use alt_store::web::sealing::Kind as Kept;
use alt_store::web::sessions::{self, Account, Of, SESSION_DAYS, Whose};
use axum::http::StatusCode;
use serde_json::json;

use self::begun::{
    COOKIE, Tried, account, check_code, cookie, is_locked, record_refusal, shown, signed_in, take_code,
};
use crate::ask::{Answer, Asked};
use crate::problem::Problem;
use crate::{Web, oidc, password, totp};

/// How often somebody may try to sign in within a minute: from one address, and to one account.
pub(crate) const ADDRESS_PER_MINUTE: u32 = 20;
pub(crate) const ACCOUNT_PER_MINUTE: u32 = 10;

/// The cookie of somebody who gave the password of a share.
pub(crate) const SHARE_COOKIE: &str = "alt_share";

/// `POST /api/v1/session`.
pub(crate) async fn begin(web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    let now = Instant::now();
    let from = asked.network();
    web.attempts.take(&from, now).map_err(|left| Problem::too_many_attempts(left.wait))?;
    let given = (asked.text("email")?, asked.text("link")?, asked.text("share")?);
    let has_provider = asked.body.get("provider").is_some_and(|given| *given == true);
    let to = |name: &str| {
        let key = format!("{} {from}", name.trim().to_lowercase());
        web.accounts.take(&key, now).map_err(|left| Problem::too_many_attempts(left.wait))
    };
    match (given, has_provider) {
        ((Some(name), None, None), false) => {
            to(name)?;
            by_password(web, asked, name.trim()).await
        }
        ((None, Some(link), None), false) => by_link(web, asked, link).await,
        ((None, None, Some(share)), false) => by_share(web, asked, share).await,
        ((None, None, None), true) => {
            let found = oidc::waiting(web, asked).await?;
            let Some((waiting, issuer)) = found else { return Err(Problem::begin_again()) };
            to(&waiting.account.name)?;
            by_code(web, asked, &waiting, issuer).await
        }
        _ => Err(Problem::bad(
            "write email and password, or link, or share and password, or provider and code",
        )),
    }
}

async fn by_password(web: &Web, asked: &Asked, name: &str) -> Result<Answer, Problem> {
    let given = asked.text("password")?.ok_or_else(|| Problem::bad("password is missing"))?;
    let db = web.pool.read().await?;
    let account = sessions::account(&db, Of::Name(name)).await?;
    let is_refused = match &account {
        Some(account) => is_locked(&db, asked, account).await?,
        None => false,
    };
    // A password takes time, and no connection.
    db.end().await?;
    let hash = account.as_ref().and_then(|account| account.password.as_deref());
    let is_it = web.passwords.is_of(given, hash).await?;
    let Some(account) = account.filter(|_| is_it && !is_refused) else {
        return refuse(web, asked, name, Tried::Password, Problem::not_signed_in()).await;
    };
    let db = web.change().await?;
    if let Err(problem) = check_code(web, &db, asked, &account).await {
        db.end().await?;
        return refuse(web, asked, name, Tried::Code, problem).await;
    }
    signed_in(asked, db, &account, Vec::new(), None).await
}

/// The second factor of whom a provider named.
async fn by_code(web: &Web, asked: &Asked, waiting: &Waiting, issuer: &str) -> Result<Answer, Problem> {
    let Waiting { account, subject } = waiting;
    let db = web.change().await?;
    let checked = match is_locked(&db, asked, account).await? {
        false => check_code(web, &db, asked, account).await,
        true => Err(Problem::code_needed()),
    };
    if let Err(problem) = checked {
        db.end().await?;
        return refuse(web, asked, &account.name, Tried::Code, problem).await;
    }
    let changes = match identities::bind(&db, account, issuer, subject).await? {
        Bound::New(change) => vec![change],
        Bound::Already => Vec::new(),
        Bound::Other => {
            db.end().await?;
            return refuse(web, asked, &account.name, Tried::Code, Problem::begin_again()).await;
        }
    };
    let gone = oidc::end(web, asked, &db).await?;
    let mut answer = signed_in(asked, db, account, changes, Some(issuer)).await?;
    answer.cookies.extend(gone);
    Ok(answer)
}

async fn by_link(web: &Web, asked: &Asked, link: &str) -> Result<Answer, Problem> {
    let db = web.change().await?;
    let account = match sessions::of_link(&db, link).await? {
        Some(id) => sessions::account(&db, Of::Id(id)).await?,
        None => None,
    };
    let Some(account) = account else {
        db.end().await?;
        return refuse(web, asked, "", Tried::Code, Problem::no_link()).await;
    };
    if let Err(problem) = check_code(web, &db, asked, &account).await {
        db.end().await?;
        return refuse(web, asked, &account.name, Tried::Code, problem).await;
    }
    let mut changes = Vec::new();
    if let Some(new) = asked.text("password")? {
        changes.push(set_password(web, &db, &account, new, None).await?);
    }
    sessions::use_link(&db, link).await?;
    signed_in(asked, db, &account, changes, None).await
}

async fn by_share(web: &Web, asked: &Asked, share: &str) -> Result<Answer, Problem> {
    let given = asked.text("password")?.ok_or_else(|| Problem::bad("password is missing"))?;
    let db = web.pool.read().await?;
    let found = sessions::share_password(&db, share).await?;
    db.end().await?;
    let is_it = web.passwords.is_of(given, found.as_ref().map(|(_, hash)| hash.as_str())).await?;
    let Some((id, _)) = found.filter(|_| is_it) else {
        return refuse(web, asked, "", Tried::Password, Problem::not_signed_in()).await;
    };
    let db = web.change().await?;
    let whose = Whose::Share(id);
    let (secret, change) = sessions::begin(&db, whose, &id.to_string(), asked.address.as_deref()).await?;
    let actor = Actor { kind: "share", id: Some(id), name: String::new(), address: asked.address.clone() };
    audit::record(&db, &actor, &change).await?;
    db.commit().await?;
    let cookies = vec![cookie(SHARE_COOKIE, &secret, SESSION_DAYS, asked.is_secure)];
    Ok(Answer { status: StatusCode::CREATED, cookies, ..Answer::json(json!({ "kind": "share" })) })
}

/// Records that somebody was refused, and refuses.
async fn refuse(
    web: &Web,
    asked: &Asked,
    name: &str,
    tried: Tried,
    problem: Problem,
) -> Result<Answer, Problem> {
    record_refusal(web, asked, name, tried).await?;
    Err(problem)
}

/// Sets a password, and ends the sessions of the person but `but`.
async fn set_password(
    web: &Web,
    db: &Transaction,
    account: &Account,
    new: &str,
    but: Option<i32>,
) -> Result<Change, Problem> {
    let hash = hash_of(web, db, new, &account.name).await?;
    sessions::end_others(db, account.id, but).await?;
    Ok(sessions::set_password(db, account, &hash).await?)
}

/// The hash of a new password of somebody, or of a share, with this name; refuses one that is easily guessed.
pub(crate) async fn hash_of(web: &Web, db: &Transaction, new: &str, name: &str) -> Result<String, Problem> {
    let mut words: Vec<String> = web.public_url.iter().cloned().collect();
    for app in apps::all(db).await? {
        words.push(app.name);
        words.extend(app.domains);
    }
    password::check(new, name, &words)?;
    web.passwords.hash(new).await
}

/// `GET /api/v1/session`: who is signed in, and what the person may do.
pub(crate) async fn session(_web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    Ok(Answer::json(shown(asked.db()?, asked.caller()?).await?))
}

/// `DELETE /api/v1/session`.
pub(crate) async fn end(_web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    let caller = asked.caller()?;
    if caller.kind != Kind::Session {
        return Err(Problem::not_found(
            "nobody is signed in: a token is ended by DELETE /api/v1/tokens/{id}",
        ));
    }
    let change = sessions::end(asked.db()?, caller.id).await?;
    let cookies = vec![cookie(COOKIE, "", 0, asked.is_secure)];
    Ok(Answer { cookies, ..Answer::changed(StatusCode::OK, json!({ "ended": true }), change) })
}

/// The account, after its password was given once more, if it has one. A session that was left open is not enough to change how
/// somebody signs in.
async fn proven(web: &Web, asked: &Asked) -> Result<Account, Problem> {
    let account = account(asked.db()?, asked.caller()?).await?;
    if account.password.is_none() {
        return Ok(account);
    }
    let key = format!("{} {}", account.name.to_lowercase(), asked.network());
    web.accounts.take(&key, Instant::now()).map_err(|left| Problem::too_many_attempts(left.wait))?;
    let given =
        asked.text("current")?.ok_or_else(|| Problem::bad("current, the password until now, is missing"))?;
    match web.passwords.is_of(given, account.password.as_deref()).await? {
        true => Ok(account),
        false => Err(Problem::forbidden("the password until now in `current`")),
    }
}

/// `PUT /api/v1/session/password`: another password. All other sessions of the person end.
pub(crate) async fn change_password(web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    let new = asked.text("password")?.ok_or_else(|| Problem::bad("password, the new one, is missing"))?;
    let account = proven(web, asked).await?;
    let but = Some(asked.caller()?.id);
    let change = set_password(web, asked.db()?, &account, new, but).await?;
    Ok(Answer::changed(StatusCode::OK, json!({ "has_password": true }), change))
}

/// `POST /api/v1/session/totp`: a secret for an authenticator app. It is not asked for before it is confirmed.
pub(crate) async fn propose_totp(web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    let account = proven(web, asked).await?;
    let secret = totp::new_secret()?;
    let kept = web.sealing.seal(Kept::Totp(account.id), &secret)?.ok_or_else(Problem::no_key)?;
    let change = sessions::propose_totp(asked.db()?, &account, &kept).await?;
    let shown = json!({ "secret": totp::base32(&secret), "url": totp::address(&secret, &account.name) });
    Ok(Answer::changed(StatusCode::CREATED, shown, change))
}

/// `PUT /api/v1/session/totp`: confirms it by a code. From now on, signing in needs one.
pub(crate) async fn confirm_totp(web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    let db = asked.db()?;
    let account = account(db, asked.caller()?).await?;
    let key = format!("{} {}", account.name.to_lowercase(), asked.network());
    web.accounts.take(&key, Instant::now()).map_err(|left| Problem::too_many_attempts(left.wait))?;
    let secret = account.totp_new.clone();
    let secret =
        secret.ok_or_else(|| Problem::bad("there is none to confirm: POST /api/v1/session/totp first"))?;
    let given = asked.text("code")?.ok_or_else(|| Problem::bad("code is missing"))?;
    take_code(web, db, &account, &secret, given).await?;
    let change = sessions::switch_totp(db, &account, true).await?;
    Ok(Answer::changed(StatusCode::OK, json!({ "has_totp": true }), change))
}

/// `POST /api/v1/session/totp/remove`: signing in needs no code any more.
pub(crate) async fn remove_totp(web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    let account = proven(web, asked).await?;
    let change = sessions::switch_totp(asked.db()?, &account, false).await?;
    Ok(Answer::changed(StatusCode::OK, json!({ "has_totp": false }), change))
}
