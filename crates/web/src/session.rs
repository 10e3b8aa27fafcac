//! Signing in: by name and password, by a one-time link, or to a share that has a password; and what the person who is signed
//! in may change of the own account.
//!
//! What is refused says neither whether there is such an account nor what of it was wrong, and takes the same time. Both that
//! somebody signed in and that somebody was refused is recorded.

use std::time::Instant;

use alt_store::apps;
use alt_store::web::audit::{self, Actor, Change};
use alt_store::web::caller::{self, Caller, Kind};
use alt_store::web::people::REFUSED_MAX;
use alt_store::web::pool::Transaction;
use alt_store::web::sealing::Kind as Kept;
use alt_store::web::sessions::{self, Account, Of, SESSION_DAYS, Whose};
use axum::http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::ask::{Answer, Asked};
use crate::problem::Problem;
use crate::{Web, password, totp};

/// How often somebody may try to sign in within a minute: from one address, and to one account.
pub(crate) const ADDRESS_PER_MINUTE: u32 = 20;
pub(crate) const ACCOUNT_PER_MINUTE: u32 = 10;

/// The cookie of a person, and that of somebody who gave the password of a share.
pub(crate) const COOKIE: &str = "alt_session";
pub(crate) const SHARE_COOKIE: &str = "alt_share";

/// `POST /api/v1/session`.
pub(crate) async fn begin(web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    let now = Instant::now();
    let from = asked.network();
    web.attempts.take(&from, now).map_err(|left| Problem::too_many_attempts(left.wait))?;
    let given = (asked.text("email")?, asked.text("link")?, asked.text("share")?);
    let to = |name: &str| {
        let key = format!("{} {from}", name.trim().to_lowercase());
        web.accounts.take(&key, now).map_err(|left| Problem::too_many_attempts(left.wait))
    };
    match given {
        (Some(name), None, None) => {
            to(name)?;
            by_password(web, asked, name.trim()).await
        }
        (None, Some(link), None) => by_link(web, asked, link).await,
        (None, None, Some(share)) => by_share(web, asked, share).await,
        _ => Err(Problem::bad("write email and password, or link, or share and password")),
    }
}

async fn by_password(web: &Web, asked: &Asked, name: &str) -> Result<Answer, Problem> {
    let given = asked.text("password")?.ok_or_else(|| Problem::bad("password is missing"))?;
    let db = web.pool.read().await?;
    let account = sessions::account(&db, Of::Name(name)).await?;
    let is_locked = match &account {
        Some(account) if account.refused >= REFUSED_MAX => {
            !sessions::is_known(&db, account, asked.address.as_deref()).await?
        }
        _ => false,
    };
    // A password takes time, and no connection.
    db.end().await?;
    let hash = account.as_ref().and_then(|account| account.password.as_deref());
    let is_it = web.passwords.is_of(given, hash).await?;
    let Some(account) = account.filter(|_| is_it && !is_locked) else {
        return refuse(web, asked, name, Problem::not_signed_in()).await;
    };
    let db = web.change().await?;
    if let Err(problem) = check_code(web, &db, asked, &account).await {
        db.end().await?;
        return refuse(web, asked, name, problem).await;
    }
    signed_in(asked, db, &account, Vec::new()).await
}

async fn by_link(web: &Web, asked: &Asked, link: &str) -> Result<Answer, Problem> {
    let db = web.change().await?;
    let account = match sessions::of_link(&db, link).await? {
        Some(id) => sessions::account(&db, Of::Id(id)).await?,
        None => None,
    };
    let Some(account) = account else {
        db.end().await?;
        return refuse(web, asked, "", Problem::no_link()).await;
    };
    if let Err(problem) = check_code(web, &db, asked, &account).await {
        db.end().await?;
        return refuse(web, asked, &account.name, problem).await;
    }
    let mut changes = Vec::new();
    if let Some(new) = asked.text("password")? {
        changes.push(set_password(web, &db, &account, new, None).await?);
    }
    sessions::use_link(&db, link).await?;
    signed_in(asked, db, &account, changes).await
}

async fn by_share(web: &Web, asked: &Asked, share: &str) -> Result<Answer, Problem> {
    let given = asked.text("password")?.ok_or_else(|| Problem::bad("password is missing"))?;
    let db = web.pool.read().await?;
    let found = sessions::share_password(&db, share).await?;
    db.end().await?;
    let is_it = web.passwords.is_of(given, found.as_ref().map(|(_, hash)| hash.as_str())).await?;
    let Some((id, _)) = found.filter(|_| is_it) else {
        return refuse(web, asked, "", Problem::not_signed_in()).await;
    };
    let db = web.change().await?;
    let whose = Whose::Share(id);
    let (secret, change) = sessions::begin(&db, whose, &id.to_string(), asked.address.as_deref()).await?;
    let actor = Actor { kind: "share", id: Some(id), name: String::new(), address: asked.address.clone() };
    audit::record(&db, &actor, &change).await?;
    db.commit().await?;
    let cookie = Some(cookie(SHARE_COOKIE, &secret, SESSION_DAYS, asked.is_secure));
    Ok(Answer { status: StatusCode::CREATED, cookie, ..Answer::json(json!({ "kind": "share" })) })
}

/// Begins the session, and records it with what was changed before.
async fn signed_in(
    asked: &Asked,
    db: Transaction,
    account: &Account,
    mut changes: Vec<Change>,
) -> Result<Answer, Problem> {
    let whose = Whose::Person(account.id);
    sessions::count_refused(&db, account, false).await?;
    let (secret, change) = sessions::begin(&db, whose, &account.name, asked.address.as_deref()).await?;
    changes.push(change);
    let actor = Actor {
        kind: Kind::Session.as_str(),
        id: Some(account.id),
        name: account.name.clone(),
        address: asked.address.clone(),
    };
    for change in &changes {
        audit::record(&db, &actor, change).await?;
    }
    let caller = caller::find(&db, &secret).await?.ok_or_else(Problem::defect)?;
    let shown = shown(&db, &caller).await?;
    db.commit().await?;
    let cookie = Some(cookie(COOKIE, &secret, SESSION_DAYS, asked.is_secure));
    Ok(Answer { status: StatusCode::CREATED, cookie, ..Answer::json(shown) })
}

/// Records that somebody was refused, and refuses. What was written as a name may be a password: only known names are recorded.
async fn refuse(web: &Web, asked: &Asked, name: &str, problem: Problem) -> Result<Answer, Problem> {
    let db = web.change().await?;
    let known = sessions::account(&db, Of::Name(name)).await?;
    if let Some(account) = &known {
        sessions::count_refused(&db, account, true).await?;
    }
    let object = known.as_ref().map_or_else(
        || "an account that is not known".to_owned(),
        |account| format!("user {}", account.name),
    );
    let is_locked = known.is_some_and(|account| account.refused >= REFUSED_MAX);
    let after = is_locked.then(|| json!({ "is_locked": true }));
    let actor = Actor { kind: "nobody", id: None, name: String::new(), address: asked.address.clone() };
    let change = Change { action: "session.refuse", object, before: None, after };
    audit::record(&db, &actor, &change).await?;
    db.commit().await?;
    Err(problem)
}

/// Asks for the code of the second factor, if there is one. Each code is taken once.
async fn check_code(web: &Web, db: &Transaction, asked: &Asked, account: &Account) -> Result<(), Problem> {
    let Some(kept) = &account.totp else { return Ok(()) };
    let given = asked.text("code")?.ok_or_else(Problem::code_needed)?;
    take_code(web, db, account, kept, given).await
}

async fn take_code(
    web: &Web,
    db: &Transaction,
    account: &Account,
    kept: &[u8],
    given: &str,
) -> Result<(), Problem> {
    let secret = web.sealing.reveal(Kept::Totp(account.id), kept).map_err(|error| {
        tracing::error!("nobody can sign in to the account {}: {error:#}", account.name);
        Problem::unavailable("the second factor of this account cannot be read; the log of alt-web says why")
    })?;
    let step = totp::step_of(&secret, given, Timestamp::now().as_second());
    match step {
        Some(step) if sessions::take_step(db, account.id, step).await? => Ok(()),
        _ => Err(Problem::code_needed()),
    }
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

async fn shown(db: &Transaction, caller: &Caller) -> Result<Value, Problem> {
    let apps = apps::all(db).await?;
    let apps = apps.iter().filter_map(|app| {
        let role = caller.role(app.id)?;
        Some(json!({ "id": app.key, "name": app.name, "time_zone": app.time_zone, "role": role }))
    });
    let mut shown = json!({
        "kind": caller.kind.as_str(),
        "name": caller.name,
        "is_owner": caller.owns_all(),
        "applications": apps.collect::<Vec<_>>(),
    });
    if caller.kind == Kind::Session {
        let account = account(db, caller).await?;
        shown["has_password"] = json!(account.password.is_some());
        shown["has_totp"] = json!(account.totp.is_some());
        shown["ends_at"] = json!(sessions::ends(db, caller.id).await?);
    }
    Ok(shown)
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
    let cookie = Some(cookie(COOKIE, "", 0, asked.is_secure));
    Ok(Answer { cookie, ..Answer::changed(StatusCode::OK, json!({ "ended": true }), change) })
}

/// The account of a person who is signed in.
async fn account(db: &Transaction, caller: &Caller) -> Result<Account, Problem> {
    let id = caller.owner.ok_or_else(Problem::defect)?;
    sessions::account(db, Of::Id(id)).await?.ok_or_else(Problem::defect)
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

fn cookie(name: &str, secret: &str, days: i32, is_secure: bool) -> String {
    let secure = if is_secure { "; Secure" } else { "" };
    let seconds = i64::from(days) * 86_400;
    format!("{name}={secret}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}")
}
