//! `alt token` and `alt user`: who may use the API. Each change is recorded in `audit_log`, in its own transaction.

use alt_config::{Config, Listen};
use alt_statistics::query::{Filter, condition};
use alt_store::apps::{self, Application};
use alt_store::in_transaction;
use alt_store::migrate;
use alt_store::read::Reader;
use alt_store::web::audit::{self, Actor, Change};
use alt_store::web::caller::Role;
use alt_store::web::identities;
use alt_store::web::keys::{self, NewToken, Token, checked_name};
use alt_store::web::people;
use alt_store::web::sessions::{self, LINK_MINUTES, Of};
use anyhow::{Context, bail};
use nix::unistd::{User, geteuid};
use serde_json::json;

use super::{Out, Outcome, show};
use crate::cli::{self, RoleName};

/// How long a change waits for a lock.
pub(super) const LOCK_TIME: &str = "10s";

fn role(name: RoleName) -> Role {
    match name {
        RoleName::Viewer => Role::Viewer,
        RoleName::Editor => Role::Editor,
        RoleName::Owner => Role::Owner,
    }
}

/// Who runs this command: by sudo, the person behind it.
pub(super) fn actor() -> Actor {
    let account = || User::from_uid(geteuid()).ok().flatten().map(|user| user.name);
    let name = std::env::var("SUDO_USER").ok().or_else(account).unwrap_or_else(|| geteuid().to_string());
    Actor { kind: "command", id: None, name, address: None }
}

/// Records that somebody reads events of people, before they are shown.
///
/// # Errors
/// It cannot be recorded: nothing is to be shown then.
pub(super) async fn record_read(
    config: &Config,
    app: &Application,
    asked: serde_json::Value,
) -> anyhow::Result<()> {
    let object = format!("application {} ({})", app.key, app.name);
    let read = Change { action: "read", object, before: None, after: Some(asked) };
    audit::record(&*super::writer(config).await?, &actor(), &read).await.context(
        "nothing is shown, because reading events of people is recorded, and it cannot be: connect to the primary, with a role \
         that has the right INSERT on audit_log",
    )
}

/// A token or a share is bound by what no editor of an application can change: not by goals.
fn checked_bound(filter: &Filter) -> anyhow::Result<()> {
    if filter.has_goal() {
        bail!(
            "a token cannot be bound to a goal, because whoever changes the goal would change what it sees"
        );
    }
    Ok(())
}

async fn reader(config: &Config) -> anyhow::Result<Reader> {
    let mut reader = super::reader(config).await?;
    reader.read(migrate::check_compatible).await?;
    Ok(reader)
}

/// Dispatches the verbs of `alt token`.
///
/// # Errors
/// The database cannot be reached, or an application, a person or a token does not exist.
pub async fn token(config: &Config, verb: &cli::Token, out: Out<'_>) -> anyhow::Result<Outcome> {
    let mut reader = reader(config).await?;
    match verb {
        cli::Token::Add(args) => {
            let mut ids = Vec::new();
            for app in &args.apps {
                ids.push(reader.read(async |client| apps::find(client, app).await).await?.id);
            }
            for filter in &args.filters {
                checked_bound(&condition(filter)?)?;
            }
            if !args.filters.is_empty() && args.role != RoleName::Viewer {
                bail!("only a viewer's token can have a --filter, because only statistics are filtered");
            }
            let new = NewToken {
                name: checked_name(&args.name)?,
                user: args.user.as_deref(),
                apps: (!ids.is_empty()).then_some(ids),
                role: role(args.role),
                filters: args.filters.clone(),
                days: args.days,
            };
            let (token, secret) = in_transaction(&*super::writer(config).await?, LOCK_TIME, async |client| {
                let (token, secret, change) = keys::add(client, &new).await?;
                audit::record(client, &actor(), &change).await?;
                Ok((token, secret))
            })
            .await?;
            if args.json {
                let mut shown = json!(token);
                shown["token"] = json!(secret);
                show::json(out, &shown)?;
            } else {
                writeln!(out, "{secret}")?;
                writeln!(out, "\nThis is token {}. Keep it: it is not shown again.", token.id)?;
            }
        }
        cli::Token::List(args) => {
            let mut all: Vec<Token> = Vec::new();
            loop {
                let above = all.last().map_or(0, |token| token.id);
                let more = reader.read(async |client| keys::list(client, above).await).await?;
                if more.is_empty() {
                    break;
                }
                all.extend(more);
            }
            list(&all, args.json, out)?;
        }
        cli::Token::Revoke(args) => {
            in_transaction(&*super::writer(config).await?, LOCK_TIME, async |client| {
                let Some(change) = keys::revoke(client, args.id).await? else {
                    bail!(
                        "there is no token {}, or it was revoked before; `alt token list` shows them",
                        args.id
                    )
                };
                audit::record(client, &actor(), &change).await
            })
            .await?;
            writeln!(out, "revoked token {}", args.id)?;
        }
    }
    Ok(Outcome::Done)
}

fn list(all: &[Token], as_json: bool, out: Out<'_>) -> anyhow::Result<()> {
    if as_json {
        return show::json(out, &all);
    }
    if all.is_empty() {
        writeln!(out, "there is no token; `alt token add NAME` makes one")?;
        return Ok(());
    }
    let names =
        ["id", "name", "role", "applications", "filters", "person", "last used (UTC)", "ends (UTC)", "state"];
    let mut rows = show::Rows::new(&names);
    for token in all {
        let apps = token.applications.as_ref().map_or_else(|| "all".to_owned(), |apps| apps.join(" "));
        let state = if token.revoked_at.is_some() { "revoked" } else { "" };
        rows.add(&[
            token.id.to_string(),
            token.name.clone(),
            token.role.clone(),
            apps,
            token.filters.as_ref().map_or_else(String::new, |filters| filters.join(", ")),
            token.user.clone().unwrap_or_default(),
            token.last_used_at.clone().unwrap_or_else(|| "never".to_owned()),
            token.expires_at.clone().unwrap_or_else(|| "never".to_owned()),
            state.to_owned(),
        ]);
    }
    rows.print(out)
}

/// Where a one-time link leads. Its secret is behind the `#`, which no browser sends and no server logs.
fn link_url(config: &Config, secret: &str) -> String {
    let listen = match &config.web.listen {
        Listen::Address(address) => format!("http://{address}"),
        Listen::Socket(_) => "http://localhost".to_owned(),
    };
    format!("{}/sign-in#link={secret}", config.web.public_url.as_ref().unwrap_or(&listen))
}

fn show_link(config: &Config, name: &str, secret: &str, out: Out<'_>) -> anyhow::Result<()> {
    writeln!(out, "{}", link_url(config, secret))?;
    writeln!(
        out,
        "\nBy this link {} signs in once, within {LINK_MINUTES} minutes, and sets a password. It is not shown again.",
        show::safe(name)
    )?;
    if config.web.public_url.is_none() {
        writeln!(out, "It is for this machine: set public_url in [web] for links that others can open.")?;
    }
    Ok(())
}

/// Dispatches the verbs of `alt user`.
///
/// # Errors
/// The database cannot be reached, a person or an application does not exist, or a name is taken.
pub async fn user(config: &Config, verb: &cli::User, out: Out<'_>) -> anyhow::Result<Outcome> {
    match verb {
        cli::User::Add(args) => add_user(config, args, out).await?,
        cli::User::Link(args) => link_user(config, args, out).await?,
        cli::User::List(args) => list_users(config, args, out).await?,
        cli::User::Unbind(args) => unbind_user(config, &args.name, out).await?,
        cli::User::Remove(args) => {
            in_transaction(&*super::writer(config).await?, LOCK_TIME, async |client| {
                audit::record(client, &actor(), &people::remove(client, &args.name).await?).await
            })
            .await?;
            writeln!(out, "removed {}, with all tokens", show::safe(&args.name))?;
        }
        cli::User::Grant(args) => {
            let app = reader(config).await?.read(async |client| apps::find(client, &args.app).await).await?;
            let new = args.role.map(role);
            in_transaction(&*super::writer(config).await?, LOCK_TIME, async |client| {
                let change = people::grant(client, &args.name, &app, new).await?;
                audit::record(client, &actor(), &change).await
            })
            .await?;
            let what = new.map_or("nothing", Role::as_str);
            writeln!(out, "{} is now {what} of {}", show::safe(&args.name), show::safe(&app.name))?;
        }
    }
    Ok(Outcome::Done)
}

async fn add_user(config: &Config, args: &cli::UserAdd, out: Out<'_>) -> anyhow::Result<()> {
    let mut reader = reader(config).await?;
    let name = checked_name(&args.name)?;
    let is_first = reader.read(people::list).await?.is_empty();
    let link = in_transaction(&*super::writer(config).await?, LOCK_TIME, async |client| {
        audit::record(client, &actor(), &people::add(client, name, args.owner).await?).await?;
        if is_first { Ok(Some(sessions::add_recorded_link(client, name, &actor()).await?)) } else { Ok(None) }
    })
    .await?;
    writeln!(out, "added {}", show::safe(name))?;
    match link {
        Some(secret) => show_link(config, name, &secret, out)?,
        None => writeln!(out, "`alt user link` prints a link by which the person signs in")?,
    }
    Ok(())
}

async fn link_user(config: &Config, args: &cli::UserLink, out: Out<'_>) -> anyhow::Result<()> {
    let link = in_transaction(&*super::writer(config).await?, LOCK_TIME, async |client| {
        let account = sessions::account(client, Of::Name(&args.name)).await?;
        if let Some(account) = account.filter(|account| args.without_code && account.totp.is_some()) {
            audit::record(client, &actor(), &sessions::switch_totp(client, &account, false).await?).await?;
        }
        sessions::add_recorded_link(client, &args.name, &actor()).await
    })
    .await?;
    match args.plain {
        true => writeln!(out, "{}", link_url(config, &link))?,
        false => show_link(config, &args.name, &link, out)?,
    }
    Ok(())
}

async fn unbind_user(config: &Config, name: &str, out: Out<'_>) -> anyhow::Result<()> {
    in_transaction(&*super::writer(config).await?, LOCK_TIME, async |client| {
        let Some(account) = sessions::account(client, Of::Name(name)).await? else {
            bail!("nobody is named {name}; `alt user list` shows the names")
        };
        let Some(change) = identities::unbind(client, &account).await? else {
            bail!("{name} never signed in by a provider, so there is nothing to forget")
        };
        sessions::end_others(client, account.id, None).await?;
        audit::record(client, &actor(), &change).await
    })
    .await?;
    writeln!(out, "forgot who {} is to the provider, and ended all sessions", show::safe(name))?;
    Ok(())
}

async fn list_users(config: &Config, args: &cli::AsJson, out: Out<'_>) -> anyhow::Result<()> {
    let mut reader = reader(config).await?;
    let all = reader.read(people::list).await?;
    if args.json {
        show::json(out, &all)?;
    } else if all.is_empty() {
        writeln!(out, "there is nobody; `alt user add NAME` adds somebody")?;
    } else {
        let mut rows = show::Rows::new(&["name", "added (UTC)", "signs in by", "may"]);
        for person in &all {
            let grants: Vec<String> =
                person.grants.iter().map(|(app, role)| format!("{role} of {app}")).collect();
            let may = if person.is_owner { "everything".to_owned() } else { grants.join(", ") };
            let ways = match person.signs_in_by.is_empty() {
                true => "a link".to_owned(),
                false => person.signs_in_by.join(", "),
            };
            // `alt user link` opens it.
            let may = if person.is_locked { format!("{may} (locked after wrong passwords)") } else { may };
            rows.add(&[person.name.clone(), person.created_at.clone(), ways, may]);
        }
        rows.print(out)?;
    }
    Ok(())
}
