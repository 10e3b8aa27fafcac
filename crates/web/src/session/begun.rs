//! What every way to sign in ends with: the second factor, the session with its cookie, the record.

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
use crate::{Web, totp};

/// The cookie of a person.
pub(crate) const COOKIE: &str = "alt_session";

/// Begins the session, and records it with what was changed before. `provider`: it named the person.
pub(crate) async fn signed_in(
    asked: &Asked,
    db: Transaction,
    account: &Account,
    mut changes: Vec<Change>,
    provider: Option<&str>,
) -> Result<Answer, Problem> {
    let whose = Whose::Person(account.id);
    sessions::count_refused(&db, account, false).await?;
    let (secret, mut change) = sessions::begin(&db, whose, &account.name, asked.address.as_deref()).await?;
    if let (Some(issuer), Some(after)) = (provider, &mut change.after) {
        after["provider"] = Value::from(issuer);
    }
    changes.push(change);
    record(&db, asked, account, &changes).await?;
    let caller = caller::find(&db, &secret, &[Kind::Session]).await?.ok_or_else(Problem::defect)?;
    let shown = shown(&db, &caller).await?;
    db.commit().await?;
    let cookies = vec![cookie(COOKIE, &secret, SESSION_DAYS, asked.is_secure)];
    Ok(Answer { status: StatusCode::CREATED, cookies, ..Answer::json(shown) })
}

/// Records what a person changed by signing in.
pub(crate) async fn record(
    db: &Transaction,
    asked: &Asked,
    account: &Account,
    changes: &[Change],
) -> Result<(), Problem> {
    let actor = Actor {
        kind: Kind::Session.as_str(),
        id: Some(account.id),
        name: account.name.clone(),
        address: asked.address.clone(),
    };
    for change in changes {
        audit::record(db, &actor, change).await?;
    }
    Ok(())
}

/// What somebody tried who was refused.
pub(crate) enum Tried {
    /// A password.
    Password,
    /// A code of the second factor, or a link.
    Code,
    /// What a provider said, and what of it was wrong.
    Provider(Value),
}

/// Records that somebody was refused. What was written as a name may be a password: only known names are recorded. What can be
/// guessed is counted, and locks the account in the end: not what a provider says, and no password where there is none.
pub(crate) async fn record_refusal(
    web: &Web,
    asked: &Asked,
    name: &str,
    tried: Tried,
) -> Result<(), Problem> {
    let db = web.change().await?;
    let known = sessions::account(&db, Of::Name(name)).await?;
    let object = known.as_ref().map_or_else(
        || "an account that is not known".to_owned(),
        |account| format!("user {}", account.name),
    );
    let counts = known.as_ref().filter(|account| match tried {
        Tried::Password => account.password.is_some(),
        Tried::Code => true,
        Tried::Provider(_) => false,
    });
    if let Some(account) = counts {
        sessions::count_refused(&db, account, true).await?;
    }
    let after = match tried {
        Tried::Provider(why) => Some(why),
        _ => counts.filter(|account| account.refused >= REFUSED_MAX).map(|_| json!({ "is_locked": true })),
    };
    let actor = Actor { kind: "nobody", id: None, name: String::new(), address: asked.address.clone() };
    let change = Change { action: "session.refuse", object, before: None, after };
    audit::record(&db, &actor, &change).await?;
    Ok(db.commit().await?)
}

/// Whether nothing that can be guessed opens the account from where the request comes.
pub(super) async fn is_locked(db: &Transaction, asked: &Asked, account: &Account) -> Result<bool, Problem> {
    Ok(account.refused >= REFUSED_MAX && !sessions::is_known(db, account, asked.address.as_deref()).await?)
}

/// Asks for the code of the second factor, if there is one. Each code is taken once.
pub(crate) async fn check_code(
    web: &Web,
    db: &Transaction,
    asked: &Asked,
    account: &Account,
) -> Result<(), Problem> {
    let Some(kept) = &account.totp else { return Ok(()) };
    let given = asked.text("code")?.ok_or_else(Problem::code_needed)?;
    take_code(web, db, account, kept, given).await
}

/// Takes a code, once. `kept`: the second factor, as the database keeps it.
pub(super) async fn take_code(
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

/// Who is signed in, and what the person may do.
pub(super) async fn shown(db: &Transaction, caller: &Caller) -> Result<Value, Problem> {
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

/// The account of a person who is signed in.
pub(super) async fn account(db: &Transaction, caller: &Caller) -> Result<Account, Problem> {
    let id = caller.owner.ok_or_else(Problem::defect)?;
    sessions::account(db, Of::Id(id)).await?.ok_or_else(Problem::defect)
}

/// The header `Set-Cookie` of a session.
pub(super) fn cookie(name: &str, secret: &str, days: i32, is_secure: bool) -> String {
    let secure = if is_secure { "; Secure" } else { "" };
    let seconds = i64::from(days) * 86_400;
    format!("{name}={secret}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}")
}
