//! The beacon's script: the templates that `beacon/build.mjs` made small, filled in, and the HTML that brings it into a
//! page.
//!
//! A script knows no application: the page names it in the tag (`data-a`), so that one file serves all.

use std::fmt::Write as _;

use anyhow::bail;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256, Sha384};

const TEMPLATE: &str = include_str!("../beacon/beacon.min.js");
const FULL_TEMPLATE: &str = include_str!("../beacon/beacon.full.min.js");

/// The endings of downloads, as parts of a regular expression.
pub const DOWNLOADS: &str = "pdf,zip,docx?,xlsx?,csv";

/// More of them, for `--downloads long`.
pub const DOWNLOADS_LONG: &str =
    "7z,apk,avi,csv,dmg,docx?,exe,gz,iso,mov,mp[34],od[pst],pdf,pkg,pptx?,rar,rtf,tgz,txt,xlsx?,zip";

/// What of a parameter's name says that its value is a secret or a person. What is loaded is masked by more than that.
const SECRETS: &str = "[^=]*(tok|key|auth|code|sig|pass|sess|mail)[^=]*";

/// What a request's parameters are called, in the templates between dollars.
const PARAMETERS: [&str; 18] =
    ["d", "e", "el", "pv", "r", "s", "sd", "sh", "sw", "t", "tr", "ts", "tx", "tz", "u", "wd", "x", "y"];

/// What may be chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Where requests go: a path on the script's host, or an https URL.
    pub endpoint: String,
    /// The one global name.
    pub global: String,
    /// A fragment is part of the page's address.
    pub hash: bool,
    /// It works in frames, too.
    pub frames: bool,
    /// Endings of downloads, between commas.
    pub downloads: String,
    /// Only these parameters of an address, and `utm_…`, keep their values.
    pub allow: Option<Vec<String>>,
    /// With opting out, search and cart helpers, screen and time zone.
    pub full: bool,
    /// Nothing is sent before the page says `on`; needs `full`.
    pub wait: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            endpoint: "/b".to_owned(),
            global: "alt".to_owned(),
            hash: false,
            frames: false,
            downloads: DOWNLOADS.to_owned(),
            allow: None,
            full: false,
            wait: false,
        }
    }
}

/// A script, ready to be served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// Its text.
    pub text: String,
    /// The first 16 digits of its SHA-256, hexadecimal: its name where it never changes.
    pub hash: String,
    /// The value of `integrity` ([Subresource Integrity](https://www.w3.org/TR/sri-2/)).
    pub integrity: String,
}

/// Fills the template in. The same options give the same bytes.
///
/// # Errors
/// An option is not what it should be; the message names it as the command line does.
pub fn script(options: &Options) -> anyhow::Result<Script> {
    check(options)?;
    let mask = match &options.allow {
        None => SECRETS.to_owned(),
        Some(names) => {
            let names: Vec<String> = names.iter().map(|name| regex::escape(name)).collect();
            format!("(?!(utm_\\w+|{})=)[^=]*", names.join("|"))
        }
    };
    let downloads = options.downloads.replace(',', "|");
    let endpoint = format!("{}?v=1", options.endpoint);
    let mut text = if options.full { FULL_TEMPLATE } else { TEMPLATE }.trim_end().to_owned();
    for (place, value) in [
        ("$E$", endpoint.as_str()),
        ("$G$", &options.global),
        ("$F$", if options.hash { "(?!)" } else { "#.*" }),
        ("$M$", &mask),
        ("$X$", &downloads),
        ("$W$", if options.wait { "1" } else { "0" }),
        ("$T$", if options.frames { "1" } else { "top==self" }),
    ] {
        text = text.replace(place, value);
    }
    for name in PARAMETERS {
        text = text.replace(&format!("${name}$"), name);
    }
    let filled = text + "\n";
    let sha256 = Sha256::digest(&filled);
    let hash = sha256[..8].iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    let integrity = format!("sha384-{}", STANDARD.encode(Sha384::digest(&filled)));
    Ok(Script { text: filled, hash, integrity })
}

fn check(options: &Options) -> anyhow::Result<()> {
    let endpoint = &options.endpoint;
    let path = endpoint
        .strip_prefix("https://")
        .map_or(endpoint.as_str(), |rest| rest.find('/').map_or("", |at| &rest[at..]));
    let fits = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    let host_fits = |c: char| c.is_ascii_alphanumeric() || "-.:[]".contains(c);
    let host = &endpoint[..endpoint.len() - path.len()];
    if !(path.len() > 1
        && path.starts_with('/')
        && path.chars().all(fits)
        && (host.is_empty() || host.trim_start_matches("https://").chars().all(host_fits)))
    {
        bail!(
            "--endpoint {endpoint}: write a path such as /b, or https://HOST/PATH, of letters, digits, `.`, `_` and `-`"
        );
    }
    let global = &options.global;
    let is_name = global.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && global.bytes().next().is_some_and(|b| !b.is_ascii_digit());
    if !is_name {
        bail!("--global {global}: write a name of letters, digits and _, such as alt");
    }
    let is_ending =
        |e: &str| !e.is_empty() && e.chars().all(|c| c.is_ascii_alphanumeric() || "?[]".contains(c));
    if !options.downloads.split(',').all(is_ending) || regex::Regex::new(&options.downloads).is_err() {
        bail!("--downloads {}: write endings without a dot, such as pdf,zip", options.downloads);
    }
    if options.wait && !options.full {
        bail!("--wait needs --full, which has the call that ends the waiting");
    }
    Ok(())
}

/// How a page gets a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<'p> {
    /// `https://HOST`, where the script's endpoint is, unless that names its own.
    pub host: &'p str,
    /// The folder of the scripts, as a URL that ends with `/`.
    pub scripts: &'p str,
    /// The stable name.
    pub name: &'p str,
    /// The application's key.
    pub key: &'p str,
}

/// The lines to paste: with the stable name, and with one that never changes, and its hash.
pub fn snippets(page: &Page<'_>, script: &Script, options: &Options) -> (String, String) {
    let Page { host, scripts, name, key } = page;
    let Options { global, endpoint, .. } = options;
    let pixel =
        if endpoint.starts_with('/') { format!("https://{host}{endpoint}") } else { endpoint.clone() };
    let queue = format!(
        "<script>window.{global}=window.{global}||function(){{({global}.q={global}.q||[]).push(arguments)}}</script>"
    );
    let noscript = format!(
        "<noscript><img src=\"{pixel}?a={key}\" alt=\"\" width=\"1\" height=\"1\" \
         referrerpolicy=\"no-referrer-when-downgrade\"></noscript>"
    );
    let plain =
        format!("{queue}\n<script async src=\"{scripts}{name}\" data-a=\"{key}\"></script>\n{noscript}");
    let pinned = format!(
        "{queue}\n<script async src=\"{scripts}{}\" integrity=\"{}\" crossorigin=\"anonymous\" data-a=\"{key}\"></script>\n\
         {noscript}",
        hashed(name, script),
        script.integrity
    );
    (plain, pinned)
}

/// The name of the script that `alt setup` puts up.
pub const SCRIPT: &str = "m.js";

/// The lines to paste for the script as `alt setup` puts it up.
///
/// # Errors
/// None, as long as the default options are valid.
pub fn default_snippet(host: &str, key: &str) -> anyhow::Result<String> {
    let (options, scripts) = (Options::default(), format!("https://{host}/s/"));
    let page = Page { host, scripts: &scripts, name: SCRIPT, key };
    Ok(snippets(&page, &script(&options)?, &options).0)
}

/// The name under which a script never changes.
pub fn hashed(name: &str, script: &Script) -> String {
    format!("{}.{}.js", name.trim_end_matches(".js"), script.hash)
}
