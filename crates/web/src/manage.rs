//! Applications, tokens, shares, people, and the record of changes.

use alt_statistics::query::condition;
use alt_store::apps;
use alt_store::stats::ask;
use alt_store::web::caller::{Kind, Role};
use alt_store::web::jwt::{self, Exchanged};
use alt_store::web::keys::{self, NewShare, NewToken};
use alt_store::web::{audit, people, rows, sessions, system};
use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::ask::{Answer, Asked};
use crate::problem::Problem;
use crate::{Web, session};

/// The most entries of the record in an answer.
pub(crate) const ENTRIES_MAX: i64 = 500;

/// `GET /api/v1/applications`: those that the caller may see.
pub(crate) async fn applications(_web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    let caller = asked.caller()?;
    let all = apps::all(asked.db()?).await?;
    let seen = all.iter().filter_map(|app| caller.role(app.id).map(|role| shown(app, role)));
    Ok(Answer::json(json!({ "applications": seen.collect::<Vec<_>>() })))
}

/// `GET /api/v1/applications/{application_id}`: also the line to paste into its pages, and when its last event was.
pub(crate) async fn application(web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    let (app, caller) = (asked.app()?, asked.caller()?);
    let role = caller.role(app.id).ok_or_else(Problem::no_application)?;
    let mut shown = shown(app, role);
    shown["snippet"] = json!(web.snippet(&app.key));
    // Of a caller with a filter, events that it keeps out would show in the time.
    if caller.filter.is_none() {
        let last = rows::last_event(asked.db()?, app.id).await?;
        shown["is_waiting"] = json!(last.is_none());
        shown["last_event_at"] = json!(last);
        let alone = apps::with_requests_alone(asked.db()?, Some(app.id), 1).await?;
        shown["has_requests_alone"] = json!(!alone.is_empty());
    }
    Ok(Answer::json(shown))
}

fn shown(app: &apps::Application, role: Role) -> Value {
    json!({
        "id": app.key, "name": app.name, "domains": app.domains, "time_zone": app.time_zone, "page_views": app.page_views,
        "properties": app.properties,
        "created_at": app.created_at, "disabled_at": app.disabled_at, "role": role,
    })
}

/// `PATCH /api/v1/applications/{application_id}`: another name, another kind of page views, or other properties.
pub(crate) async fn change_application(_web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    let app = asked.app()?;
    let role = asked.caller()?.role(app.id).ok_or_else(Problem::no_application)?;
    let name = asked.text("name")?.map(checked).transpose()?;
    let page_views = asked.text("page_views")?.map(str::parse).transpose();
    let page_views = page_views.map_err(|error: &str| Problem::bad(format!("page_views: {error}")))?;
    let properties = asked.texts("properties")?.map(|names| apps::checked_properties(&names)).transpose();
    let properties = properties.map_err(|error| Problem::bad(format!("properties: {error}")))?;
    if name.is_none() && page_views.is_none() && properties.is_none() {
        return Err(Problem::bad("nothing is to be changed: name a `name`, `page_views` or `properties`"));
    }
    let wanted = apps::Wanted { name, page_views, properties: properties.as_deref() };
    let Some((now, change)) = apps::change_in(asked.db()?, app, wanted).await? else {
        return Err(Problem::conflict("another application has this name"));
    };
    Ok(Answer::changed(StatusCode::OK, shown(&now, role), change))
}

fn checked(name: &str) -> Result<&str, Problem> {
    keys::checked_name(name).map_err(|error| Problem::bad(format!("name: {error}")))
}

/// `cursor` of a list that goes by keys.
fn above(asked: &Asked) -> Result<i32, Problem> {
    asked.parameter("cursor").map_or(Ok(0), |cursor| {
        cursor.parse().map_err(|_| Problem::bad("cursor is `next` of an answer; leave it out to begin"))
    })
}

/// The cursor behind a list, if it is as long as lists are.
fn next<T>(list: &[T], most: i64, key: impl Fn(&T) -> i64) -> Option<String> {
    let is_full = i64::try_from(list.len()).is_ok_and(|len| len >= most);
    list.last().filter(|_| is_full).map(|last| key(last).to_string())
}

/// `GET /api/v1/tokens`.
pub(crate) async fn tokens(_web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    let list = keys::list(asked.db()?, above(asked)?).await?;
    let next = next(&list, keys::LIST_MAX, |token| token.id.into());
    Ok(Answer::json(json!({ "tokens": list, "next": next })))
}

/// `POST /api/v1/tokens`.
pub(crate) async fn add_token(_web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    let db = asked.db()?;
    let name = checked(asked.text("name")?.ok_or_else(|| Problem::bad("name is missing"))?)?;
    let role = asked.text("role")?.unwrap_or("viewer");
    let role = Role::of(role).ok_or_else(|| Problem::bad("role is viewer, editor or owner"))?;
    let apps = match asked.body.get("applications") {
        None | Some(Value::Null) => None,
        Some(Value::Array(all)) if !all.is_empty() => Some(ids(asked, all).await?),
        Some(_) => {
            return Err(Problem::bad("applications is a list of ids; leave it out for all applications"));
        }
    };
    let user = asked.text("user")?;
    if let Some(user) = user
        && !people::list(db).await?.iter().any(|person| person.name == user)
    {
        return Err(Problem::bad("user: nobody has this name; GET /api/v1/users lists the names"));
    }
    let filters = filters(asked)?;
    if !filters.is_empty() && role != Role::Viewer {
        return Err(Problem::bad(
            "filters: only a viewer's token can have them, because only statistics are filtered",
        ));
    }
    let new = NewToken { name, user, apps, role, filters, days: asked.days()? };
    let (token, secret, change) = keys::add(db, &new).await?;
    let mut shown = json!(token);
    shown["token"] = json!(secret);
    Ok(Answer::changed(StatusCode::CREATED, shown, change))
}

/// `POST /api/v1/jwt`.
pub(crate) async fn exchange_token(web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    let caller = asked.caller()?;
    if caller.kind != Kind::Token {
        return Err(Problem::forbidden("a token, and not what was given in exchange for one"));
    }
    let given = match jwt::exchange(asked.db()?, caller, &web.sealing).await? {
        Exchanged::Given(given) => given,
        Exchanged::NoToken => return Err(Problem::unknown_caller()),
        Exchanged::NoKey => return Err(Problem::no_key()),
    };
    let seconds = jwt::VALID.as_secs();
    // The members of RFC 6749, 5.1.
    let answer = json!({ "access_token": given, "token_type": "Bearer", "expires_in": seconds });
    Ok(Answer { status: StatusCode::CREATED, ..Answer::json(answer) })
}

/// The conditions that bind a token or a share.
fn filters(asked: &Asked) -> Result<Vec<String>, Problem> {
    let texts = asked.texts("filters")?.unwrap_or_default();
    for text in &texts {
        if condition(text).map_err(|error| Problem::bad(error.to_string()))?.has_goal() {
            return Err(Problem::bad(
                "filters: not on goals, because whoever changes the goal would change what is seen",
            ));
        }
    }
    Ok(texts.into_iter().map(str::to_owned).collect())
}

async fn ids(asked: &Asked, all: &[Value]) -> Result<Vec<i32>, Problem> {
    let known = apps::all(asked.db()?).await?;
    let id = |key: &Value| known.iter().find(|app| key.as_str() == Some(&app.key)).map(|app| app.id);
    let ids: Option<Vec<i32>> = all.iter().map(id).collect();
    ids.ok_or_else(|| Problem::bad("applications: one is not known; GET /api/v1/applications lists the ids"))
}

/// `DELETE /api/v1/tokens/{id}`.
pub(crate) async fn revoke_token(_web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    match keys::revoke(asked.db()?, asked.key()?).await? {
        Some(change) => Ok(Answer::changed(StatusCode::OK, json!({ "revoked": true }), change)),
        None => Err(Problem::not_found("there is no such token, or it was revoked before")),
    }
}

/// `GET /api/v1/shares`.
pub(crate) async fn shares(_web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    let list = keys::list_shares(asked.db()?, asked.app()?.id, above(asked)?).await?;
    let next = next(&list, keys::LIST_MAX, |share| share.id.into());
    Ok(Answer::json(json!({ "shares": list, "next": next })))
}

/// `POST /api/v1/shares`.
pub(crate) async fn add_share(web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    let app = asked.app()?;
    let name = checked(asked.text("name")?.ok_or_else(|| Problem::bad("name is missing"))?)?;
    let password = match asked.text("password")? {
        Some(password) => Some(session::hash_of(web, asked.db()?, password, name).await?),
        None => None,
    };
    let new = NewShare { name, app_id: app.id, filters: filters(asked)?, password, days: asked.days()? };
    let (share, secret, change) = keys::add_share(asked.db()?, &new).await?;
    let mut shown = json!(share);
    shown["share"] = json!(secret);
    if let Some(url) = &web.public_url {
        shown["url"] = json!(format!("{url}/share?application_id={}&share={secret}", app.key));
    }
    Ok(Answer::changed(StatusCode::CREATED, shown, change))
}

/// `DELETE /api/v1/shares/{id}`.
pub(crate) async fn revoke_share(_web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    match keys::revoke_share(asked.db()?, asked.app()?.id, asked.key()?).await? {
        Some(change) => Ok(Answer::changed(StatusCode::OK, json!({ "revoked": true }), change)),
        None => Err(Problem::not_found("there is no such share, or it was revoked before")),
    }
}

/// `GET /api/v1/users`.
pub(crate) async fn users(_web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    let list = people::list(asked.db()?).await?;
    let shown = list.iter().map(|person| {
        let grants = person.grants.iter().map(|(app, role)| json!({ "application": app, "role": role }));
        json!({
            "id": person.id, "name": person.name, "is_owner": person.is_owner,
            "created_at": person.created_at, "grants": grants.collect::<Vec<_>>(),
            "signs_in_by": person.signs_in_by,
        })
    });
    Ok(Answer::json(json!({ "users": shown.collect::<Vec<_>>() })))
}

/// The key of the person in the path, and the name.
async fn person(asked: &Asked) -> Result<(i32, String), Problem> {
    let id = asked.key()?;
    let name = people::name_of(asked.db()?, id).await?;
    Ok((id, name.ok_or_else(|| Problem::not_found("there is no such person; GET /api/v1/users lists them"))?))
}

/// `POST /api/v1/users`.
pub(crate) async fn add_user(_web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    let db = asked.db()?;
    let name = checked(asked.text("name")?.ok_or_else(|| Problem::bad("name is missing"))?)?;
    let is_owner = match asked.body.get("is_owner") {
        None | Some(Value::Null) => false,
        Some(Value::Bool(is_owner)) => *is_owner,
        Some(_) => return Err(Problem::bad("is_owner is true or false")),
    };
    if people::list(db).await?.iter().any(|person| person.name == name) {
        return Err(Problem::conflict("somebody has this name"));
    }
    let change = people::add(db, name, is_owner).await?;
    let id = people::id_of(db, name).await?;
    let shown = json!({ "id": id, "name": name, "is_owner": is_owner });
    Ok(Answer::changed(StatusCode::CREATED, shown, change))
}

/// `DELETE /api/v1/users/{id}`.
pub(crate) async fn remove_user(_web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    let (id, name) = person(asked).await?;
    if people::is_last_owner(asked.db()?, id).await? {
        return Err(Problem::bad(
            "nobody else is an owner of everything; `sudo alt user remove` removes the last one",
        ));
    }
    let change = people::remove(asked.db()?, &name).await?;
    Ok(Answer::changed(StatusCode::OK, json!({ "removed": true }), change))
}

/// `PUT /api/v1/users/{id}/grants`: a role with an application, or none.
pub(crate) async fn grant(_web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    let (_, name) = person(asked).await?;
    let key = asked.text("application")?.unwrap_or("");
    let app = apps::by_key(asked.db()?, key).await?;
    let app = app.ok_or_else(|| Problem::bad("application: GET /api/v1/applications lists the ids"))?;
    let role = match asked.text("role")? {
        Some("none") => None,
        Some(role) => {
            Some(Role::of(role).ok_or_else(|| Problem::bad("role is viewer, editor, owner or none"))?)
        }
        None => return Err(Problem::bad("role is missing")),
    };
    let change = people::grant(asked.db()?, &name, &app, role).await?;
    let shown = json!({ "user": name, "application": app.key, "role": role });
    Ok(Answer::changed(StatusCode::OK, shown, change))
}

/// `POST /api/v1/users/{id}/links`: a one-time link.
pub(crate) async fn add_link(web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    let (_, name) = person(asked).await?;
    let (secret, change) = sessions::add_link(asked.db()?, &name).await?;
    let mut shown = json!({ "link": secret, "minutes": sessions::LINK_MINUTES });
    if let Some(url) = &web.public_url {
        shown["url"] = json!(format!("{url}/sign-in#link={secret}"));
    }
    Ok(Answer::changed(StatusCode::CREATED, shown, change))
}

/// `GET /api/metrics`: how the installation is.
pub(crate) async fn metrics(web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    let db = asked.db()?;
    let (loaded, state) = (rows::loaded(db).await?, ask::state(db, None).await?);
    Ok(Answer::json(json!({
        "requests": web.telemetry.numbers(web.pool.open()),
        "loading": {
            "rows_last_minute": loaded.rows_minute,
            "rows_last_hour": loaded.rows_hour,
            "last_batch_at": loaded.last_batch_at,
            "lag_seconds": loaded.lag_seconds,
        },
        "statistics": {
            "is_followed": state.is_followed,
            "days_being_computed": state.days,
            "waiting_seconds": state.oldest_seconds.round(),
            "rows_not_counted": state.frozen_rows,
        },
    })))
}

/// `GET /api/v1/system`: files, daemons, and who works.
pub(crate) async fn system(_web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    let db = asked.db()?;
    let (files, totals) = (system::files(db).await?, system::totals(db).await?);
    let is_cut = i64::try_from(files.len()).is_ok_and(|count| count < totals.files);
    Ok(Answer::json(json!({
        "files": files, "files_are_cut": is_cut, "totals": totals, "workers": system::workers(db).await?,
        "daemons": system::daemons(db).await?,
    })))
}

/// `GET /api/v1/audit`.
pub(crate) async fn audit_log(_web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    let below = match asked.parameter("cursor").map(str::parse::<i64>) {
        None => i64::MAX,
        Some(Ok(below)) => below,
        Some(Err(_)) => return Err(Problem::bad("cursor is `next` of an answer; leave it out to begin")),
    };
    let limit = asked.limit(100, ENTRIES_MAX)?;
    let list = audit::list(asked.db()?, below, limit).await?;
    let next = next(&list, limit, |entry| entry.id);
    Ok(Answer::json(json!({ "entries": list, "next": next })))
}
