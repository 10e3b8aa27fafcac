//! `alt beacon`: makes the script that pages load, and the lines to paste.

use std::ffi::OsStr;
use std::path::Path;

use alt_collect::archive::{self, Published};
use alt_config::Config;
use alt_store::apps;
use anyhow::{Context, bail};
use nix::unistd::geteuid;
use serde::Serialize;

use super::child::myself;
use super::{Out, Outcome, app, show};
use crate::beacon::{DOWNLOADS_LONG, Options, Page, Script, hashed, script, snippets};
use crate::cli;
use crate::place::Folder;

/// Dispatches the verbs of `alt beacon`.
///
/// # Errors
/// An option is wrong, a file cannot be written, or the database cannot be asked for the applications.
pub fn run(
    config: &Config,
    path: Option<&Path>,
    verb: &cli::Beacon,
    out: Out<'_>,
) -> anyhow::Result<Outcome> {
    match verb {
        cli::Beacon::Build(args) => build(config, path, args, out),
        cli::Beacon::Publish(args) => publish(config, args, out),
    }
}

#[derive(Serialize)]
struct Built<'b> {
    /// The stable name, and the name whose content never changes.
    script: String,
    hashed: String,
    bytes: usize,
    integrity: &'b str,
    applications: Vec<Snippet>,
    nginx: Option<String>,
}

#[derive(Serialize)]
struct Snippet {
    key: String,
    name: Option<String>,
    html: String,
    html_with_integrity: String,
}

/// A script, and the lines that load it into pages.
struct Made {
    name: String,
    script: Script,
    applications: Vec<Snippet>,
    nginx: Option<String>,
}

impl Made {
    fn new(config: &Config, args: &cli::BeaconMade, keys: Keys) -> anyhow::Result<Made> {
        let host = app::checked_host(args.host.as_deref().unwrap_or("YOUR-HOST"))?;
        let name = checked_script(&args.script)?;
        let options = Options {
            endpoint: args.endpoint.clone(),
            global: args.global.clone(),
            hash: args.hash,
            frames: args.frames,
            off: args.off,
            downloads: match args.downloads.as_str() {
                "long" => DOWNLOADS_LONG.to_owned(),
                list => list.to_owned(),
            },
            allow: (!args.allow.is_empty()).then(|| args.allow.clone()),
            full: args.full || args.wait,
            wait: args.wait,
            terms: config.track.terms()?,
        };
        let script = script(&options)?;
        let scripts = match &args.scripts {
            Some(url) if is_folder(url) => url.clone(),
            Some(url) => {
                bail!("--scripts {url}: write the URL of a folder, such as https://cdn.example.com/s/")
            }
            None => format!("https://{host}/s/"),
        };
        let mut applications = Vec::new();
        for (key, title) in keys {
            let page = Page { host, scripts: &scripts, name, key: &key };
            let (html, html_with_integrity) = snippets(&page, &script, &options);
            applications.push(Snippet { key, name: title, html, html_with_integrity });
        }
        let endpoint = &options.endpoint;
        let nginx = (endpoint.starts_with('/') && endpoint != "/b").then(|| location(endpoint));
        Ok(Made { name: name.to_owned(), script, applications, nginx })
    }

    /// Reports what was made; `first` reports what was done with it.
    fn tell(self, args: &cli::BeaconMade, first: &str, out: Out<'_>) -> anyhow::Result<Outcome> {
        let built = Built {
            hashed: hashed(&self.name, &self.script),
            script: self.name,
            bytes: self.script.text.len(),
            integrity: &self.script.integrity,
            applications: self.applications,
            nginx: self.nginx,
        };
        if args.json {
            show::json(out, &built)?;
            return Ok(Outcome::Done);
        }
        writeln!(out, "{first}")?;
        writeln!(out, "script     {} and {} ({} bytes)", built.script, built.hashed, built.bytes)?;
        writeln!(out, "integrity  {}", built.integrity)?;
        for app in &built.applications {
            let name = app.name.as_deref().map(|name| format!(" ({})", show::safe(name))).unwrap_or_default();
            writeln!(out, "\nFor {}{name}, before </head>:\n\n{}", app.key, app.html)?;
            writeln!(out, "\nor this version only, by its hash:\n\n{}", app.html_with_integrity)?;
        }
        if let Some(nginx) = &built.nginx {
            writeln!(out, "\nnginx:\n\n{nginx}")?;
        }
        if args.host.is_none() {
            writeln!(out, "\nYOUR-HOST is the name that nginx answers to (--host NAME puts it in).")?;
        }
        Ok(Outcome::Done)
    }
}

fn build(
    config: &Config,
    path: Option<&Path>,
    args: &cli::BeaconBuild,
    out: Out<'_>,
) -> anyhow::Result<Outcome> {
    // Root stays root, to write the files; a child asks the database as the daemon's account.
    let keys = match (geteuid().is_root() && args.out.is_some(), args.made.app.is_empty()) {
        (true, true) => told_keys(path)?,
        _ => keys(config, &args.made)?,
    };
    let made = Made::new(config, &args.made, keys)?;
    let first = match &args.out {
        None => "nothing is written without --out DIR (nginx serves /var/www/alt as /s/)".to_owned(),
        Some(directory) => {
            write(directory, &made)?;
            format!("written    into {}", show::safe(&directory.display().to_string()))
        }
    };
    made.tell(&args.made, &first, out)
}

fn publish(config: &Config, args: &cli::BeaconPublish, out: Out<'_>) -> anyhow::Result<Outcome> {
    let made = Made::new(config, &args.made, keys(config, &args.made)?)?;
    let fixed = hashed(&made.name, &made.script);
    let file = |name, is_fixed| Published { name, text: made.script.text.as_str(), is_fixed };
    // The file that pages name by its hash has to exist before anything that may lead to it.
    let files = [file(fixed.as_str(), true), file(made.name.as_str(), false)];
    let sent = archive::publish(config.archive.as_ref(), &args.to, &files)?;
    let first = format!("published  {} to {}", sent.join(", "), show::safe(&args.to));
    made.tell(&args.made, &first, out)
}

/// The URL of a folder, safe to put into an attribute.
fn is_folder(url: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-._~:/[]%".contains(c);
    url.starts_with("https://") && url.ends_with('/') && url.chars().all(fits)
}

/// Applications by their keys, with their names if known.
type Keys = Vec<(String, Option<String>)>;

/// All applications, as `alt app list` says them.
fn told_keys(path: Option<&Path>) -> anyhow::Result<Keys> {
    #[derive(serde::Deserialize)]
    struct Told {
        key: String,
        name: String,
        disabled_at: Option<String>,
    }
    let json = myself(path, &["app", "list", "--json"], &[])
        .context("ask which applications there are (--app KEY names one)")?;
    let told: Vec<Told> = serde_json::from_str(&json).context("read the list of applications")?;
    let enabled = told.into_iter().filter(|app| app.disabled_at.is_none());
    // A key becomes a part of a file's name.
    enabled.map(|app| Ok((app::checked_key(&app.key)?.to_owned(), Some(app.name)))).collect()
}

/// The named applications, or all applications.
fn keys(config: &Config, args: &cli::BeaconMade) -> anyhow::Result<Keys> {
    if !args.app.is_empty() {
        let key = |key: &String| app::checked_key(key).map(|key| (key.to_owned(), None)).context("--app");
        return args.app.iter().map(key).collect();
    }
    super::block_on(async {
        let mut reader =
            super::reader(config).await.context("ask which applications there are (--app KEY names one)")?;
        let apps = reader.read(apps::enabled).await?;
        Ok(apps.into_iter().map(|app| (app.key, Some(app.name))).collect())
    })
}

fn checked_script(name: &str) -> anyhow::Result<&str> {
    let stem = name.strip_suffix(".js").unwrap_or_default();
    if stem.is_empty() || !stem.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b)) {
        bail!("--script {name}: write a name of letters, digits, _ and - that ends with .js");
    }
    Ok(name)
}

/// nginx's configuration for an endpoint of another name: the content of the shipped location for `/b`.
fn location(endpoint: &str) -> String {
    format!(
        "# In the server {{ }} that includes alt/alt-locations.conf, beside that line.\n\
         location = {endpoint} {{\n    set $alt_methods \"GET, POST, HEAD, OPTIONS\";\n    include alt/alt-endpoint.conf;\n    \
         client_max_body_size 0;\n    root /dev/null;\n    try_files /.none $alt_pixel_next;\n}}\n"
    )
}

/// Writes the script under both names, its lines to paste, and nginx's lines. Never overwrites what never changes.
fn write(directory: &Path, made: &Made) -> anyhow::Result<()> {
    let Made { name, script, applications, nginx } = made;
    let folder = Folder::make(directory).with_context(|| format!("make {}", directory.display()))?;
    let stem = name.trim_end_matches(".js");
    let fixed = hashed(name, script);
    let mut files = vec![
        (format!("{fixed}.map"), script.source_map.as_str()),
        (format!("{name}.map"), &script.source_map),
        (fixed, &script.text),
        (name.clone(), &script.text),
    ];
    let pages: Vec<(String, String)> = applications
        .iter()
        .map(|app| {
            let both = format!(
                "<!-- changes with every new version -->\n{}\n\n<!-- this version only, by its hash -->\n{}\n",
                app.html, app.html_with_integrity
            );
            (format!("{stem}.{}.html", app.key), both)
        })
        .collect();
    files.extend(pages.iter().map(|(name, text)| (name.clone(), text.as_str())));
    if let Some(nginx) = nginx {
        files.push((format!("{stem}.nginx.conf"), nginx));
    }
    for (name, text) in files {
        let name = OsStr::new(&name);
        if !folder.holds(name, text) {
            let what = || format!("write {}", directory.join(name).display());
            folder.write(name, text, 0o644).with_context(what)?;
        }
    }
    Ok(())
}
