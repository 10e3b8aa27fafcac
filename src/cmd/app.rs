//! `alt app`: applications, and the line to paste into their pages.

use alt_collect::pipeline::APPS_ASKED_AGAIN;
use alt_config::Config;
use alt_line::hit::Reason;
use alt_line::processor::UNKNOWN_KEY_BYTES;
use alt_store::apps::{self, Application, PageViews};
use alt_store::files::Which;
use alt_store::web::audit;
use alt_store::{in_transaction, migrate};
use anyhow::{Context, bail};
use serde::Serialize;

use super::access::{LOCK_TIME, actor};
use super::rejects::{self, Wanted};
use super::{Out, Outcome, show};
use crate::beacon;
use crate::cli;

/// Characters of a key. No two of them are confused when read aloud or from paper.
const KEY_ALPHABET: &[u8; 31] = b"23456789abcdefghjkmnpqrstuvwxyz";
/// 16 of 31 characters are 79 bits: a key cannot be guessed, and no two keys are the same.
const KEY_CHARS: usize = 16;

/// Dispatches the verbs of `alt app`.
///
/// # Errors
/// The database cannot be reached, or the application does not exist or is not unique.
pub fn run(config: &Config, verb: &cli::App, out: Out<'_>) -> anyhow::Result<Outcome> {
    super::block_on(dispatch(config, verb, out))?;
    // Hits that arrived before their application existed are in the quarantine, under its key.
    if let cli::App::Add(args) = verb
        && let Some(key) = &args.key
    {
        // A daemon rejects them until it next asks for the applications.
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
    let mut reader = super::reader(config).await?;
    reader.read(migrate::check_compatible).await?;
    match verb {
        cli::App::Add(args) => {
            let app = add(config, args).await?;
            show_one(&app, args.host.as_deref(), args.json, out)?;
        }
        cli::App::List(args) => list(&reader.read(apps::all).await?, args.json, out)?,
        cli::App::Show(args) => {
            let app = reader.read(async |client| apps::find(client, &args.app).await).await?;
            show_one(&app, args.host.as_deref(), args.json, out)?;
        }
        cli::App::Rename(args) => {
            let name = checked_name(&args.name)?;
            let app = apps::rename(&mut *super::writer(config).await?, &args.app, name).await?;
            writeln!(out, "{} ({}) is now {}", show::safe(&app.name), app.key, show::safe(name))?;
        }
        cli::App::Properties(args) => properties(config, args, out).await?,
        cli::App::PageViews(args) => page_views(config, args, out).await?,
        cli::App::Disable(args) => {
            let app = apps::disable(&mut *super::writer(config).await?, &args.app).await?;
            writeln!(out, "disabled {} ({}); its rows stay", show::safe(&app.name), app.key)?;
        }
        cli::App::Enable(args) => {
            let app = apps::enable(&mut *super::writer(config).await?, &args.app).await?;
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

/// Chooses the properties of events that statistics keep the values of, or shows them.
async fn properties(config: &Config, args: &cli::AppProperties, out: Out<'_>) -> anyhow::Result<()> {
    let writer = super::writer(config).await?;
    let app = apps::find(&writer, &args.app).await?;
    if args.names.is_empty() && !args.none {
        let all = if app.properties.is_empty() { "none".to_owned() } else { app.properties.join(" ") };
        writeln!(out, "{}", show::safe(&all))?;
        return Ok(());
    }
    let names = apps::checked_properties(&args.names)?;
    in_transaction(&writer, LOCK_TIME, async |client| {
        let wanted = apps::Wanted { properties: Some(&names), ..apps::Wanted::default() };
        let changed = apps::change_in(client, &app, wanted).await?;
        let (_, change) = changed.context("the application is gone")?;
        audit::record(client, &actor(), &change).await
    })
    .await?;
    writeln!(
        out,
        "statistics that are computed from now on keep {} of {}; `alt stats rebuild` computes the days before",
        if names.is_empty() { "no property".to_owned() } else { show::safe(&names.join(", ")).to_string() },
        show::safe(&app.name)
    )?;
    Ok(())
}

/// Chooses what the page views of an application are, or shows it.
async fn page_views(config: &Config, args: &cli::AppPageViews, out: Out<'_>) -> anyhow::Result<()> {
    let writer = super::writer(config).await?;
    let app = apps::find(&writer, &args.app).await?;
    let Some(wanted) = &args.page_views else {
        writeln!(out, "{}", app.page_views.as_str())?;
        return Ok(());
    };
    let wanted: PageViews = wanted.parse().map_err(anyhow::Error::msg)?;
    let name = show::safe(&app.name);
    if wanted == app.page_views {
        writeln!(out, "page views of {name} are {} already", wanted.as_str())?;
        return Ok(());
    }
    in_transaction(&writer, LOCK_TIME, async |client| {
        let wanted = apps::Wanted { page_views: Some(wanted), ..apps::Wanted::default() };
        let changed = apps::change_in(client, &app, wanted).await?;
        let (_, change) = changed.context("the application is gone")?;
        audit::record(client, &actor(), &change).await
    })
    .await?;
    writeln!(
        out,
        "page views of {name} are {} from now on; the daemon computes the days before again (`alt stats rebuild` does it now)",
        match wanted {
            PageViews::Events => "the events that its pages send",
            PageViews::Requests => "its events and the requests for pages",
        }
    )?;
    Ok(())
}

async fn add(config: &Config, args: &cli::AppAdd) -> anyhow::Result<Application> {
    let name = checked_name(&args.name)?;
    let domains: Vec<String> =
        args.domains.iter().map(|domain| checked_domain(domain)).collect::<Result<_, _>>()?;
    let time_zone = checked_time_zone(&args.time_zone)?;
    let key = match &args.key {
        Some(key) => checked_key(key)?.to_owned(),
        None => new_key()?,
    };
    apps::add(&mut *super::writer(config).await?, &key, name, &domains, &time_zone).await
}

fn list(apps: &[Application], as_json: bool, out: Out<'_>) -> anyhow::Result<()> {
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
        rows.add(&[
            app.name.clone(),
            app.key.clone(),
            domains,
            app.time_zone.clone(),
            app.created_at.clone(),
            state.to_owned(),
        ]);
    }
    rows.print(out)
}

#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    application: &'a Application,
    /// For pages with the script.
    html: String,
    /// For pages without the script.
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

/// The pixel. Without referrerpolicy, a browser would send only the page's host to a pixel on another site.
fn pixel(host: &str, key: &str) -> String {
    format!(
        "<img src=\"https://{host}/b?a={key}\" alt=\"\" width=\"1\" height=\"1\" loading=\"eager\" \
         referrerpolicy=\"no-referrer-when-downgrade\" style=\"position:absolute\">"
    )
}

/// Checks that a name is safe in a URL and in an attribute.
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

/// Lower case and without a leading `*.`: a domain includes all its subdomains.
pub(super) fn checked_domain(domain: &str) -> anyhow::Result<String> {
    let lower = domain.trim().trim_end_matches('.').to_lowercase();
    match url::Host::parse(lower.strip_prefix("*.").unwrap_or(&lower)) {
        Ok(url::Host::Ipv6(address)) => Ok(address.to_string()),
        Ok(host) if host.to_string().contains(|c: char| c.is_ascii_alphanumeric()) => Ok(host.to_string()),
        _ => bail!("`{domain}` is no domain; write one like example.com, without https://"),
    }
}

/// The time zone as the tz database spells it.
pub(super) fn checked_time_zone(name: &str) -> anyhow::Result<String> {
    match jiff::tz::TimeZone::get(name) {
        Ok(zone) => Ok(zone.iana_name().unwrap_or(name).to_owned()),
        Err(_) => bail!("`{name}` is no time zone; write one like Europe/Berlin or UTC"),
    }
}

/// Checks a key that is already in pages. A reject keeps at most `UNKNOWN_KEY_BYTES` of a key.
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
        // five bits each; the one value of 32 that is no character is left out, so that all characters are equally
        // likely
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
