//! The steps of `alt setup --web`: the API's site for nginx with TLS, its address in the configuration, its unit.

use std::fs;
use std::path::Path;
use std::thread::sleep;

use alt_config::{Config, DEFAULT_FILE, Listen};
use alt_store::web::sealing::{CREDENTIAL, Sealing};
use anyhow::{Context, bail};

use super::certificate::{self, Pair, WEBROOT};
use super::nginx::{RELOAD, is_running};
use super::site::{MARK, files, hash, quoted, takes};
use super::{Steps, folder_of};
use crate::cli;
use crate::cmd::check::nginx::dump;
use crate::cmd::child::command;

/// The site of the API.
pub(in crate::cmd) const SITE: &str = "/etc/nginx/conf.d/alt-web.conf";
const TEXT: &str = include_str!("../../../nginx/site-web.conf.example");
/// The host name in it, and where it listens for `alt serve`.
const EXAMPLE: &str = "stats.example.com";
const SERVER: &str = "127.0.0.1:8600";
const UNIT: &str = "alt-web";

/// The text of the site. Without a certificate, only the part that answers an authority's challenges.
fn text(host: &str, listen: &Listen, pair: Option<&Pair>) -> String {
    let body = TEXT.find("# What one address").map_or(TEXT, |at| &TEXT[at..]);
    let server = match listen {
        Listen::Address(address) if address.ip().is_unspecified() => format!("127.0.0.1:{}", address.port()),
        Listen::Address(address) => address.to_string(),
        Listen::Socket(path) => format!("unix:{}", path.display()),
    };
    let live = format!("/etc/letsencrypt/live/{EXAMPLE}");
    let body = match pair {
        Some((certificate, key)) => body
            .replace(&format!("{live}/fullchain.pem"), &quoted(certificate))
            .replace(&format!("{live}/privkey.pem"), &quoted(key)),
        None => {
            let begin = body.find("server {").unwrap_or(0);
            let end = body[begin..].find("\n}\n").map_or(body.len(), |at| begin + at + 3);
            body[begin..end].to_owned()
        }
    };
    let rest = body.replace(EXAMPLE, host).replace(SERVER, &server);
    format!("{MARK}{}\n{rest}", hash(&rest))
}

/// Whether the file is as setup wrote it.
fn is_ours(text: &str) -> bool {
    let (first, rest) = text.split_once('\n').unwrap_or_default();
    first.strip_prefix(MARK) == Some(hash(rest).as_str())
}

/// A configuration with another `public_url` in `[web]`; `None`: it has one that is not `url`, which stays.
fn with_public_url(text: &str, url: &str) -> Option<String> {
    let line = format!("public_url = \"{url}\"");
    let mut lines: Vec<&str> = text.lines().collect();
    let Some(begin) = lines.iter().position(|line| line.trim() == "[web]") else {
        return Some(format!("{}\n\n[web]\n{line}\n", text.trim_end()));
    };
    let end = lines.iter().skip(begin + 1).position(|line| line.trim_start().starts_with('['));
    let end = end.map_or(lines.len(), |at| begin + 1 + at);
    if lines[begin..end].iter().any(|line| line.trim_start().starts_with("public_url")) {
        return None;
    }
    lines.insert(begin + 1, &line);
    Some(lines.join("\n") + "\n")
}

impl Steps<'_> {
    /// All steps.
    pub(super) fn web(&mut self, path: Option<&Path>, args: &cli::Setup) -> anyhow::Result<()> {
        let host = args.host.as_deref().context(
            "--web needs --host NAME: the name under which people reach the dashboard, such as stats.example.com",
        )?;
        let config = Config::load(path)?;
        self.only_roles(&config)?;
        self.schema(path)?;
        if args.no_nginx {
            writeln!(self.out, "leave    nginx: --no-nginx")?;
        } else {
            self.web_site(args, host, &config)?;
        }
        let path = path.unwrap_or(Path::new(DEFAULT_FILE));
        self.public_url(path, &config, host)?;
        self.web_key(path, &config)?;
        if Path::new("/run/systemd/system").is_dir() {
            let is_on = command("systemctl", &["is-active", "--quiet", UNIT]).is_ok();
            if is_on && self.done == 0 {
                self.there(&format!("{UNIT}.service, running"))?;
            } else if self.go(&format!("enable and start {UNIT}.service"))? {
                command("systemctl", &["enable", UNIT])?;
                command("systemctl", &["restart", UNIT])?;
            }
        } else {
            writeln!(self.out, "leave    {UNIT}.service: no systemd runs here; start `alt serve` yourself")?;
        }
        Ok(())
    }

    fn web_site(&mut self, args: &cli::Setup, host: &str, config: &Config) -> anyhow::Result<()> {
        if !Path::new("/etc/nginx/conf.d").is_dir() {
            bail!("nginx is not installed here (no /etc/nginx/conf.d): install it, or run with --no-nginx");
        }
        let was = fs::read_to_string(SITE).ok();
        if was.as_deref().is_some_and(|text| !is_ours(text)) {
            return self.there(&format!("{SITE}, a site of somebody's own"));
        }
        for (file, text) in files(&dump().unwrap_or_default()).iter().filter(|(file, _)| *file != SITE) {
            if takes(text, host).is_some() {
                bail!(
                    "--host {host}: {file} has a site of this name already; name another host, such as stats.{host}"
                );
            }
        }
        let pair = match (&args.tls_cert, &args.tls_key) {
            (Some(certificate), Some(key)) => Some(certificate::checked(certificate, key, host)?),
            _ => self.web_certificate(args, host, config, was.as_deref())?,
        };
        self.put_web(host, &text(host, &config.web.listen, pair.as_ref()), was.as_deref())
    }

    /// The certificate of the site, which is made if need be; `None`: there is none yet.
    fn web_certificate(
        &mut self,
        args: &cli::Setup,
        host: &str,
        config: &Config,
        was: Option<&str>,
    ) -> anyhow::Result<Option<Pair>> {
        if let Some(pair) = certificate::of_certbot(host) {
            return Ok(Some(pair));
        }
        if certificate::is_private(host) {
            let pair = certificate::own(host);
            if certificate::has_own(host) {
                self.there(&format!("the certificate {}", pair.0.display()))?;
            } else if self.go(&format!("sign a certificate for {host}, {}", pair.0.display()))? {
                certificate::sign(host)?;
            }
            writeln!(
                self.out,
                "note     browsers trust {} only where it is added to their authorities",
                pair.0.display()
            )?;
            return Ok(Some(pair));
        }
        let mut arguments = match certificate::by_certbot(host, args.email.as_deref()) {
            Ok(arguments) => arguments,
            Err(what) => {
                self.missing(&format!(
                    "TLS: there is no certificate for {host}: {}",
                    what.replace("alt setup", "alt setup --web")
                ));
                return Ok(None);
            }
        };
        self.put_web(host, &text(host, &config.web.listen, None), was)?;
        arguments.extend(["--webroot", "-w", WEBROOT].map(str::to_owned));
        let live = Path::new("/etc/letsencrypt/live").join(host);
        let pair = (live.join("fullchain.pem"), live.join("privkey.pem"));
        if !self.go(&format!("get a certificate: certbot {}", arguments.join(" ")))? {
            return Ok(Some(pair));
        }
        fs::create_dir_all(WEBROOT).with_context(|| format!("make {WEBROOT}"))?;
        let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
        if let Err(e) = command("certbot", &words) {
            self.missing(&format!(
                "TLS: certbot got no certificate for {host}: {e:#}. Let the name lead to this machine, with port 80 open, and run \
                 setup again"
            ));
            return Ok(None);
        }
        Ok(Some(pair))
    }

    /// Writes the site, and lets nginx read it; if nginx does not accept it, what was there before is restored.
    fn put_web(&mut self, host: &str, text: &str, was: Option<&str>) -> anyhow::Result<()> {
        if fs::read_to_string(SITE).is_ok_and(|there| there == text) {
            return self.there(&format!("{SITE} for {host}"));
        }
        if !self.go(&format!("write {SITE} for {host}, test nginx's configuration and reload nginx"))? {
            return Ok(());
        }
        let (folder, name) = folder_of(Path::new(SITE))?;
        folder.write(name, text, 0o644).with_context(|| format!("write {SITE}"))?;
        if let Err(e) = command("nginx", &["-t", "-q"]) {
            let _ = match was {
                Some(was) => folder.write(name, was, 0o644).map_err(anyhow::Error::from),
                None => fs::remove_file(SITE).map_err(Into::into),
            };
            return Err(
                e.context("nginx does not accept its new configuration; the site is as it was before")
            );
        }
        if is_running() {
            command("nginx", &["-s", "reload"])?;
            sleep(RELOAD);
        } else {
            writeln!(self.out, "note     nginx is not running; start it: systemctl start nginx")?;
        }
        Ok(())
    }

    /// Makes the key that seals the secrets which the database keeps, in a file that only root reads: the unit passes it on.
    fn web_key(&mut self, path: &Path, config: &Config) -> anyhow::Result<()> {
        if config.web.key_file.is_some() {
            return self.there(&format!("key_file in {}", path.display()));
        }
        let file = path.with_file_name(CREDENTIAL);
        if fs::metadata(&file).is_ok_and(|file| file.len() > 0) {
            return self.there(&format!("{}, which seals secrets", file.display()));
        }
        if self
            .go(&format!("make {}, which seals the secrets of second factors and tokens", file.display()))?
        {
            let (folder, name) = folder_of(&file)?;
            folder
                .write(name, &format!("{}\n", Sealing::new_key()?), 0o600)
                .with_context(|| format!("write {}", file.display()))?;
        }
        Ok(())
    }

    /// Writes the address under which people reach the API into the configuration.
    fn public_url(&mut self, path: &Path, config: &Config, host: &str) -> anyhow::Result<()> {
        let url = format!("https://{host}");
        if let Some(there) = &config.web.public_url {
            if *there != url {
                self.missing(&format!(
                    "public_url in [web] of {} is {there}: is {url} meant?",
                    path.display()
                ));
            }
            return self.there(&format!("public_url in {}", path.display()));
        }
        if !self.go(&format!("write public_url = \"{url}\" below [web] in {}", path.display()))? {
            return Ok(());
        }
        let text = fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
        let Some(text) = with_public_url(&text, &url) else { return Ok(()) };
        let mode = std::os::unix::fs::MetadataExt::mode(&fs::metadata(path)?) & 0o7777;
        let (folder, name) = folder_of(path)?;
        folder.write(name, &text, mode).with_context(|| format!("write {}", path.display()))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_site_has_the_name_the_certificate_and_where_the_api_listens() {
        let pair = ("/c.pem".into(), "/a b/k.pem".into());
        let listen = Listen::Address("0.0.0.0:8700".parse().unwrap());
        let site = text("stats.shop.lan", &listen, Some(&pair));
        for part in [
            "server_name stats.shop.lan;",
            "ssl_certificate     /c.pem;",
            "ssl_certificate_key \"/a b/k.pem\";",
            "server 127.0.0.1:8700;",
            "proxy_set_header X-Forwarded-Proto $scheme;",
        ] {
            assert!(site.contains(part), "{part}: {site}");
        }
        assert!(!site.contains(EXAMPLE) && is_ours(&site));
        assert!(!is_ours(&site.replace("20r/s", "30r/s")));
        let plain = text("stats.shop.lan", &Listen::Socket("/run/alt-web/web.sock".into()), None);
        assert!(
            plain.contains("acme-challenge") && !plain.contains("ssl_certificate") && plain.ends_with("}\n"),
            "{plain}"
        );
        let socket = text("a", &Listen::Socket("/run/alt-web/web.sock".into()), Some(&pair));
        assert!(socket.contains("server unix:/run/alt-web/web.sock;"), "{socket}");
    }

    #[test]
    fn the_address_is_written_once_and_below_its_section() {
        let url = "https://stats.example.com";
        let shipped = include_str!("../../../systemd/alt.toml");
        let text = with_public_url(shipped, url).unwrap();
        let config = Config::from_str(&text, |_| None).unwrap();
        assert_eq!(config.web.public_url.as_deref(), Some(url));
        assert_eq!(with_public_url(&text, "https://other.example.com"), None);
        let bare = with_public_url("[[source]]\npaths = [\"/a\"]\n", url).unwrap();
        assert_eq!(Config::from_str(&bare, |_| None).unwrap().web.public_url.as_deref(), Some(url));
    }
}
