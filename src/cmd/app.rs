//! `alt app`: applications, and the line to paste into their pages.

use alt_collect::pipeline::APPS_ASKED_AGAIN;
use alt_config::Config;
use alt_line::hit::Reason;
use alt_line::processor::UNKNOWN_KEY_BYTES;
use alt_store::files::Which;
use alt_store::migrate;
use anyhow::{Context, bail};
use serde::Serialize;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};

use super::rejects::{self, Wanted};
use super::{Out, Outcome, show};
use crate::beacon;
use crate::cli;

/// Characters of a key: no two that are mistaken for each other when read aloud or from paper.
const KEY_ALPHABET: &[u8; 31] = b"23456789abcdefghjkmnpqrstuvwxyz";
/// 16 of 31 are 79 bits: a key cannot be guessed, and two are never the same.
const KEY_CHARS: usize = 16;
/// Held while an application is named, so that no two get one name ("alt apps").
const LOCK: i64 = 0x616c_7420_6170_7073;

const COLUMNS: &str = "app_key, name, allowed_domains, time_zone, \
    to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), \
    to_char(disabled_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')";

#[derive(Debug, Serialize)]
pub(super) struct Application {
    pub(super) key: String,
    pub(super) name: String,
    domains: Vec<String>,
    time_zone: String,
    created_at: String,
    pub(super) disabled_at: Option<String>,
}

impl Application {
    fn of(row: &Row) -> Application {
        Application {
            key: row.get(0),
            name: row.get(1),
            domains: row.get(2),
            time_zone: row.get(3),
            created_at: row.get(4),
            disabled_at: row.get(5),
        }
    }
}

/// Dispatches the verbs of `alt app`.
///
/// # Errors
/// The database cannot be reached, or the application is not there, or not unique.
pub fn run(config: &Config, verb: &cli::App, out: Out<'_>) -> anyhow::Result<Outcome> {
    super::block_on(dispatch(config, verb, out))?;
    // Hits that came before their application are in the quarantine, under its key.
    if let cli::App::Add(args) = verb
        && let Some(key) = &args.key
    {
        // A daemon rejects them until it asks for the applications the next time.
        std::thread::sleep(2 * APPS_ASKED_AGAIN);
        let reason = Some(Reason::UnknownApp.as_str().to_owned());
        let which = Which { reason, detail: Some(key.clone()), since: None };
        let account = rejects::retry(config, &Wanted { which, ..Wanted::default() })?;
        if !account.is_empty() && !args.json {
            writeln!(out, "\nIts hits that had been rejected:\n")?;
            account.print(false, out)?;
        }
    }
    Ok(Outcome::Done)
}

async fn dispatch(config: &Config, verb: &cli::App, out: Out<'_>) -> anyhow::Result<()> {
    let mut client = super::connect(config).await?;
    migrate::check_compatible(&client).await?;
    match verb {
        cli::App::Add(args) => {
            let app = add(&mut client, args).await?;
            show_one(&app, args.host.as_deref(), args.json, out)?;
        }
        cli::App::List(args) => list(&client, args.json, out).await?,
        cli::App::Show(args) => {
            let app = find(&client, &args.app).await?;
            show_one(&app, args.host.as_deref(), args.json, out)?;
        }
        cli::App::Rename(args) => rename(&mut client, args, out).await?,
        cli::App::Disable(args) => {
            let app = find(&client, &args.app).await?;
            set(&client, &app, "disabled_at = coalesce(disabled_at, now())").await?;
            writeln!(out, "disabled {} ({}); its rows stay", show::safe(&app.name), app.key)?;
        }
        cli::App::Enable(args) => {
            let app = find(&client, &args.app).await?;
            set(&client, &app, "disabled_at = NULL").await?;
            writeln!(out, "enabled {} ({})", show::safe(&app.name), app.key)?;
            writeln!(
                out,
                "What it was sent meanwhile is loaded by: alt rejects retry --reason unknown_app --detail {}",
                app.key
            )?;
        }
    }
    Ok(())
}

async fn add(client: &mut Client, args: &cli::AppAdd) -> anyhow::Result<Application> {
    let name = checked_name(&args.name)?;
    let domains: Vec<String> =
        args.domains.iter().map(|domain| checked_domain(domain)).collect::<Result<_, _>>()?;
    let time_zone = checked_time_zone(&args.time_zone)?;
    let key = match &args.key {
        Some(key) => checked_key(key)?.to_owned(),
        None => new_key()?,
    };
    let tx = client.transaction().await?;
    refuse_taken_name(&tx, name).await?;
    let taken =
        tx.query_typed_opt("SELECT name FROM applications WHERE app_key = $1", &[(&key, Type::TEXT)]).await?;
    if let Some(row) = taken {
        bail!("the application {} has the key {key} already", row.get::<_, &str>(0));
    }
    let sql = format!(
        "INSERT INTO applications (app_key, name, allowed_domains, time_zone) VALUES ($1, $2, $3, $4) \
         RETURNING {COLUMNS}"
    );
    let row = tx
        .query_typed_one(
            &sql,
            &[
                (&key, Type::TEXT),
                (&name, Type::TEXT),
                (&domains, Type::TEXT_ARRAY),
                (&time_zone, Type::TEXT),
            ],
        )
        .await
        .context("register the application")?;
    tx.commit().await?;
    Ok(Application::of(&row))
}

async fn refuse_taken_name(tx: &tokio_postgres::Transaction<'_>, name: &str) -> anyhow::Result<()> {
    tx.execute_typed("SELECT pg_advisory_xact_lock($1)", &[(&LOCK, Type::INT8)]).await?;
    match tx
        .query_typed_opt("SELECT app_key FROM applications WHERE name = $1 LIMIT 1", &[(&name, Type::TEXT)])
        .await?
    {
        Some(row) => {
            bail!("an application named {name} is there already, with the key {}", row.get::<_, &str>(0))
        }
        None => Ok(()),
    }
}

async fn rename(client: &mut Client, args: &cli::AppRename, out: Out<'_>) -> anyhow::Result<()> {
    let name = checked_name(&args.name)?;
    let app = find(client, &args.app).await?;
    if app.name != name {
        let tx = client.transaction().await?;
        refuse_taken_name(&tx, name).await?;
        tx.execute_typed(
            "UPDATE applications SET name = $2 WHERE app_key = $1",
            &[(&app.key, Type::TEXT), (&name, Type::TEXT)],
        )
        .await?;
        tx.commit().await?;
    }
    writeln!(out, "{} ({}) is now {}", show::safe(&app.name), app.key, show::safe(name))?;
    Ok(())
}

async fn all(client: &Client) -> anyhow::Result<Vec<Application>> {
    let sql = format!("SELECT {COLUMNS} FROM applications ORDER BY name, id");
    Ok(client.query_typed(&sql, &[]).await?.iter().map(Application::of).collect())
}

/// The applications whose hits are taken.
pub(super) async fn enabled(client: &Client) -> anyhow::Result<Vec<Application>> {
    let mut apps = all(client).await.context("read the applications")?;
    apps.retain(|app| app.disabled_at.is_none());
    Ok(apps)
}

async fn list(client: &Client, as_json: bool, out: Out<'_>) -> anyhow::Result<()> {
    let apps = all(client).await?;
    if as_json {
        return show::json(out, &apps);
    }
    if apps.is_empty() {
        writeln!(out, "no application is registered; `alt app add NAME` registers one")?;
        return Ok(());
    }
    let mut rows = show::Rows::new(&["name", "key", "domains", "time zone", "created (UTC)", "state"]);
    for app in apps {
        let domains = if app.domains.is_empty() { "any".to_owned() } else { app.domains.join(" ") };
        let state = if app.disabled_at.is_some() { "disabled" } else { "" };
        rows.add(&[app.name, app.key, domains, app.time_zone, app.created_at, state.to_owned()]);
    }
    rows.print(out)
}

/// The application of that key, or else the one of that name.
pub(super) async fn find(client: &Client, app: &str) -> anyhow::Result<Application> {
    let sql =
        format!("SELECT {COLUMNS} FROM applications WHERE app_key = $1 OR name = $1 ORDER BY app_key <> $1");
    let rows = client.query_typed(&sql, &[(&app, Type::TEXT)]).await?;
    let found: Vec<Application> = rows.iter().map(Application::of).collect();
    match found.as_slice() {
        [] => bail!("no application has the name or key {app}; `alt app list` shows them"),
        [first, second, ..] if first.key != app && second.name == first.name => {
            bail!("several applications are named {app}; use the key of one")
        }
        _ => Ok(found.into_iter().next().context("one was found")?),
    }
}

async fn set(client: &Client, app: &Application, what: &str) -> anyhow::Result<()> {
    let sql = format!("UPDATE applications SET {what} WHERE app_key = $1");
    client.execute_typed(&sql, &[(&app.key, Type::TEXT)]).await.map(|_| ()).context("change the application")
}

#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    application: &'a Application,
    /// With the script.
    html: String,
    /// Without.
    pixel: String,
}

fn show_one(app: &Application, host: Option<&str>, as_json: bool, out: Out<'_>) -> anyhow::Result<()> {
    let name = checked_host(host.unwrap_or("YOUR-HOST"))?;
    let pixel = pixel(name, &app.key);
    let html = beacon::default_snippet(name, &app.key)?;
    if as_json {
        return show::json(out, &Shown { application: app, html, pixel });
    }
    let domains = if app.domains.is_empty() { "any".to_owned() } else { app.domains.join(" ") };
    writeln!(out, "name       {}", show::safe(&app.name))?;
    writeln!(out, "key        {}", app.key)?;
    writeln!(out, "domains    {}", show::safe(&domains))?;
    writeln!(out, "time zone  {}", app.time_zone)?;
    writeln!(out, "created    {}", app.created_at)?;
    if let Some(at) = &app.disabled_at {
        writeln!(out, "disabled   {at}")?;
    }
    writeln!(out, "\nPaste this into every page, before </head>:\n\n{html}")?;
    writeln!(out, "\nor, where there are no scripts, before </body>:\n\n{pixel}")?;
    if host.is_none() {
        writeln!(out, "\nYOUR-HOST is the name that nginx answers to (--host NAME puts it in).")?;
    }
    Ok(())
}

/// The pixel. Without referrerpolicy, a browser would tell another site's pixel the page's host only.
fn pixel(host: &str, key: &str) -> String {
    format!(
        "<img src=\"https://{host}/b?a={key}\" alt=\"\" width=\"1\" height=\"1\" loading=\"eager\" \
         referrerpolicy=\"no-referrer-when-downgrade\" style=\"position:absolute\">"
    )
}

/// A name that can stand in a URL and in an attribute.
pub(super) fn checked_host(host: &str) -> anyhow::Result<&str> {
    let well = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
    if host.is_empty() || !host.chars().all(well) {
        bail!("--host {host}: write a host name, with a port if need be (events.example.com:8443)");
    }
    Ok(host)
}

pub(super) fn checked_name(name: &str) -> anyhow::Result<&str> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > 200 || name.contains(char::is_control) {
        bail!("a name has 1 to 200 characters, none of them a control character");
    }
    Ok(name)
}

/// Lower case and without `*.` before it: a domain stands for itself and all below it.
pub(super) fn checked_domain(domain: &str) -> anyhow::Result<String> {
    let lower = domain.trim().trim_end_matches('.').to_lowercase();
    match url::Host::parse(lower.strip_prefix("*.").unwrap_or(&lower)) {
        Ok(url::Host::Ipv6(address)) => Ok(address.to_string()),
        Ok(host) if host.to_string().contains(|c: char| c.is_ascii_alphanumeric()) => Ok(host.to_string()),
        _ => bail!("`{domain}` is no domain; write one like example.com, without https://"),
    }
}

/// As the list of zones spells it.
pub(super) fn checked_time_zone(name: &str) -> anyhow::Result<String> {
    match jiff::tz::TimeZone::get(name) {
        Ok(zone) => Ok(zone.iana_name().unwrap_or(name).to_owned()),
        Err(_) => bail!("`{name}` is no time zone; write one like Europe/Berlin or UTC"),
    }
}

/// A key that is in pages already. What a reject keeps of one is no longer.
pub(super) fn checked_key(key: &str) -> anyhow::Result<&str> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if key.is_empty() || key.len() > UNKNOWN_KEY_BYTES || !key.bytes().all(fits) {
        bail!("--key {key}: a key is 1 to {UNKNOWN_KEY_BYTES} letters, digits, - and _");
    }
    Ok(key)
}

fn new_key() -> anyhow::Result<String> {
    let mut key = String::with_capacity(KEY_CHARS);
    while key.len() < KEY_CHARS {
        let mut random = [0u8; 32];
        getrandom::fill(&mut random).map_err(|e| anyhow::anyhow!("get random bytes: {e}"))?;
        // five bits each; the one value of 32 that is no character is left out, so that all are as likely
        let chars = random.iter().filter_map(|byte| KEY_ALPHABET.get(usize::from(byte & 31)));
        key.extend(chars.take(KEY_CHARS - key.len()).map(|byte| char::from(*byte)));
    }
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_of_the_alphabet_and_differ() {
        let keys: std::collections::HashSet<String> = (0..1000).map(|_| new_key().unwrap()).collect();
        assert_eq!(keys.len(), 1000);
        assert!(keys.iter().all(|key| key.len() == 16 && key.bytes().all(|b| KEY_ALPHABET.contains(&b))));
        let used: std::collections::HashSet<u8> = keys.iter().flat_map(|key| key.bytes()).collect();
        assert_eq!(used.len(), KEY_ALPHABET.len());
    }

    #[test]
    fn domains_are_names_of_hosts() {
        let cases = [
            ("Example.COM", Some("example.com")),
            ("*.example.com", Some("example.com")),
            ("example.com.", Some("example.com")),
            ("müller.example", Some("xn--mller-kva.example")),
            ("localhost", Some("localhost")),
            ("192.0.2.1", Some("192.0.2.1")),
            ("https://example.com", None),
            ("example.com/shop", None),
            ("a b", None),
            ("", None),
            ("*.", None),
            ("*", None),
        ];
        for (domain, expected) in cases {
            assert_eq!(checked_domain(domain).ok().as_deref(), expected, "{domain}");
        }
    }

    #[test]
    fn a_host_cannot_leave_its_attribute() {
        for host in ["", "a\"b", "a<b", "a/b", "a b", "a?b", "ä"] {
            assert!(checked_host(host).is_err(), "{host}");
        }
        assert_eq!(checked_host("events.example.com:8443").unwrap(), "events.example.com:8443");
    }
}
