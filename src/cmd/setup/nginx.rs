//! The steps of `alt setup` for nginx: the snippets, the site, its certificate.

use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, bail};

use super::certificate::{self, Pair, WEBROOT};
use super::site::{Site, Standing, Tls, files, is_default, takes};
use super::{Steps, folder_of};
use crate::beacon::{self, SCRIPT};
use crate::cli;
use crate::cmd::check::nginx::dump;
use crate::cmd::child::command;

/// The shipped files that nginx includes.
const SNIPPETS: [(&str, &str); 3] = [
    ("/etc/nginx/alt/alt-http.conf", include_str!("../../../nginx/alt-http.conf")),
    ("/etc/nginx/alt/alt-endpoint.conf", include_str!("../../../nginx/alt-endpoint.conf")),
    ("/etc/nginx/alt/alt-locations.conf", include_str!("../../../nginx/alt-locations.conf")),
];
const SITE: &str = "/etc/nginx/conf.d/alt.conf";
/// Where the site is moved when the package is removed, so that nginx can still start.
const SITE_ASIDE: &str = "/etc/nginx/conf.d/alt.conf.removed";
/// The directory that nginx serves as /s/.
const SCRIPTS: &str = "/var/www/alt";
const PROCESS: &str = "/run/nginx.pid";
/// How long nginx may take until its workers answer with a new configuration.
pub(super) const RELOAD: Duration = Duration::from_millis(300);

/// What becomes of the site.
#[derive(Debug)]
pub(super) enum Plan {
    /// nginx is not installed here.
    NoNginx,
    /// Somebody's own file stays as it is.
    Leave { file: String, host: Option<String>, has_tls: bool },
    /// Setup writes it.
    Write { host: Option<String>, given: Option<Pair>, was: Option<Site> },
}

/// What decides on the site's TLS.
struct Wanted<'w> {
    /// The host name.
    host: Option<&'w str>,
    /// The certificate that was named.
    given: Option<&'w Pair>,
    /// The site that is there.
    was: Option<&'w Site>,
}

impl Plan {
    /// The host name of the site.
    pub(super) fn host(&self) -> Option<&str> {
        match self {
            Plan::NoNginx => None,
            Plan::Leave { host, .. } | Plan::Write { host, .. } => host.as_deref(),
        }
    }
}

/// Decides what becomes of the site, before anything is changed.
///
/// # Errors
/// What was asked for cannot be done: the site was changed by hand and has another name, another site has this name or
/// answers in its place, or the certificate is of no use.
pub(super) fn plan(args: &cli::Setup) -> anyhow::Result<Plan> {
    if !Path::new("/etc/nginx/conf.d").is_dir() {
        return Ok(Plan::NoNginx);
    }
    let text = fs::read_to_string(SITE).or_else(|_| fs::read_to_string(SITE_ASIDE)).ok();
    let was = match text.as_deref().map(Standing::of) {
        Some(Standing::Own { names, has_tls }) => return own(args, &names, has_tls),
        Some(Standing::Ours(site)) => Some(site),
        None => None,
    };
    let host = args.host.clone().or_else(|| was.as_ref().and_then(|site| site.host.clone()));
    if let Some(plan) = beside(host.as_deref())? {
        return Ok(plan);
    }
    let given = match (&args.tls_cert, &args.tls_key, &host) {
        (Some(certificate), Some(key), Some(host)) => Some(certificate::checked(certificate, key, host)?),
        _ => None,
    };
    Ok(Plan::Write { host, given, was })
}

/// The plan for a site that was changed by hand.
fn own(args: &cli::Setup, names: &[String], has_tls: bool) -> anyhow::Result<Plan> {
    let all = names.join(" ");
    let host = args.host.clone().or_else(|| names.iter().find(|name| *name != "_").cloned());
    if let Some(host) = &args.host
        && !names.iter().any(|name| name.eq_ignore_ascii_case(host))
    {
        bail!(
            "--host {host}: {SITE} was changed by hand, and its server_name is {all}. Add {host} there, and run `nginx -t && \
             nginx -s reload`; or move the file away, and setup writes a new one"
        );
    }
    if args.tls_cert.is_some() {
        bail!(
            "--tls-cert: {SITE} was changed by hand. Write ssl_certificate and ssl_certificate_key there, as in \
             site-tls.conf.example; or move the file away, and setup writes a new one"
        );
    }
    Ok(Plan::Leave { file: SITE.to_owned(), host, has_tls: has_tls || args.no_tls })
}

/// Looks for another site that has the name, or that answers to every name. `None`: there is none.
fn beside(host: Option<&str>) -> anyhow::Result<Option<Plan>> {
    // A configuration that nginx does not accept is reported when the site is there.
    let dump = dump().unwrap_or_default();
    for (file, text) in files(&dump).iter().filter(|(file, _)| *file != SITE) {
        match host {
            None if is_default(text) => bail!(
                "without --host, the site has to answer to any name, but {file} has the default server of port 80 and would get \
                 all requests: run setup with --host NAME, or take that site out (rm {file}; nginx -s reload)"
            ),
            None => {}
            Some(host) => match takes(text, host) {
                Some(true) => {
                    let has_tls = text.contains("ssl_certificate");
                    let host = Some(host.to_owned());
                    return Ok(Some(Plan::Leave { file: (*file).to_owned(), host, has_tls }));
                }
                Some(false) => bail!(
                    "--host {host}: {file} has a site of this name already. Let that site take the events: put `include \
                     alt/alt-locations.conf;` into its server {{ }} and `include alt/alt-http.conf;` before it, and run setup \
                     with --no-nginx; or name another host"
                ),
                None => {}
            },
        }
    }
    Ok(None)
}

/// What was there before, to be restored if nginx does not accept the new configuration.
struct Before {
    site: Option<String>,
    was_aside: bool,
}

impl Steps<'_> {
    /// Prepares nginx. Returns whether the site is another one than before.
    pub(super) fn nginx(&mut self, args: &cli::Setup, plan: &Plan) -> anyhow::Result<bool> {
        if matches!(plan, Plan::NoNginx) {
            if self.dry_run {
                self.go("write nginx's files, once nginx is installed")?;
                return Ok(false);
            }
            bail!("nginx is not installed here (no /etc/nginx/conf.d): install it, or run with --no-nginx");
        }
        let mut changed = false;
        for (path, text) in SNIPPETS {
            changed |= self.file(Path::new(path), text, self.renew)?;
        }
        let script = beacon::script(&beacon::Options::default())?;
        for name in [SCRIPT.to_owned(), beacon::hashed(SCRIPT, &script)] {
            self.file(&Path::new(SCRIPTS).join(name), &script.text, true)?;
        }
        let before = Before {
            site: fs::read_to_string(SITE).ok(),
            was_aside: fs::symlink_metadata(SITE).is_err() && fs::symlink_metadata(SITE_ASIDE).is_ok(),
        };
        if before.was_aside {
            changed = true;
            if self.go(&format!("put {SITE_ASIDE} back"))? {
                fs::rename(SITE_ASIDE, SITE).with_context(|| format!("put {SITE_ASIDE} back"))?;
            }
        }
        match plan {
            Plan::NoNginx => Ok(false),
            Plan::Leave { file, has_tls, host } => {
                self.there(&format!("{file}, a site of somebody's own"))?;
                if !has_tls && !args.no_tls {
                    let host = host.as_deref().unwrap_or("its name");
                    self.missing(&format!(
                        "TLS: {file} has no certificate for {host}: browsers do not load the script. Add one, as in \
                         site-tls.conf.example; behind a load balancer that ends TLS, run setup with --no-tls"
                    ));
                }
                self.reload(changed, &before)?;
                Ok(false)
            }
            Plan::Write { host, given, was } => {
                let tls = self.tls(
                    args,
                    &Wanted { host: host.as_deref(), given: given.as_ref(), was: was.as_ref() },
                    &before,
                )?;
                let site = Site { host: host.clone(), tls };
                let is_new = self.put(&site)?;
                self.reload(changed || is_new, &before)?;
                Ok(was.as_ref().is_some_and(|was| was.host != site.host))
            }
        }
    }

    /// Writes the site, if it is not there already.
    fn put(&mut self, site: &Site) -> anyhow::Result<bool> {
        let text = site.text();
        let old = fs::read_to_string(SITE).ok();
        if let Some(Standing::Ours(old)) = old.as_deref().map(Standing::of)
            && old != *site
        {
            let name = |site: &Site| site.host.clone().unwrap_or_else(|| "any name".to_owned());
            let (old, new) = (name(&old), name(site));
            let what = if old == new { format!("for {new}") } else { format!("from {old} to {new}") };
            if self.go(&format!("change {SITE} {what}"))? {
                let (folder, file) = folder_of(Path::new(SITE))?;
                folder.write(file, &text, 0o644).with_context(|| format!("change {SITE}"))?;
            }
            return Ok(true);
        }
        // Of another version's site, whose text is another, the name and the certificate are what counts.
        self.file(Path::new(SITE), &text, false)
    }

    /// Decides who ends TLS, and makes the certificate.
    fn tls(&mut self, args: &cli::Setup, wanted: &Wanted<'_>, before: &Before) -> anyhow::Result<Tls> {
        let &Wanted { host, given, was } = wanted;
        if args.no_tls {
            return Ok(Tls::Elsewhere);
        }
        if let Some((certificate, key)) = given {
            return Ok(Tls::Here(certificate.clone(), key.clone()));
        }
        let Some(host) = host else {
            if was.is_some_and(|was| was.tls == Tls::Elsewhere) {
                return Ok(Tls::Elsewhere);
            }
            self.missing(
                "TLS: a certificate is for a name, and browsers load the script over https alone: run setup with --host NAME, \
                 or behind a load balancer that ends TLS with --no-tls",
            );
            return Ok(Tls::Nobody);
        };
        let (certificate, key) = certificate::own(host);
        match was.filter(|was| was.host.as_deref() == Some(host)).map(|was| &was.tls) {
            Some(Tls::Elsewhere) if args.email.is_none() => return Ok(Tls::Elsewhere),
            Some(Tls::Here(file, its_key))
                if *file != certificate && fs::metadata(file).and(fs::metadata(its_key)).is_ok() =>
            {
                return Ok(Tls::Here(file.clone(), its_key.clone()));
            }
            _ => {}
        }
        if let Some((certificate, key)) = certificate::of_certbot(host) {
            return Ok(Tls::Here(certificate, key));
        }
        if certificate::is_private(host) {
            if certificate::has_own(host) {
                self.there(&format!("the certificate {}", certificate.display()))?;
            } else if self.go(&format!("sign a certificate for {host}, {}", certificate.display()))? {
                certificate::sign(host)?;
            }
            writeln!(
                self.out,
                "note     browsers trust {} only where it is added to their authorities",
                certificate.display()
            )?;
            return Ok(Tls::Here(certificate, key));
        }
        self.by_certbot(args, host, before)
    }

    /// Gets a certificate by certbot: by files that nginx serves, or, where nginx does not run, by certbot's own server.
    fn by_certbot(&mut self, args: &cli::Setup, host: &str, before: &Before) -> anyhow::Result<Tls> {
        let mut arguments = match certificate::by_certbot(host, args.email.as_deref()) {
            Ok(arguments) => arguments,
            Err(what) => {
                self.missing(&format!(
                    "TLS: there is no certificate for {host}, so browsers do not load the script: {what}"
                ));
                return Ok(Tls::Nobody);
            }
        };
        let plain = Site { host: Some(host.to_owned()), tls: Tls::Nobody };
        let is_new = self.put(&plain)?;
        self.reload(is_new, before)?;
        if self.dry_run || is_running() {
            arguments.extend(["--webroot", "-w", WEBROOT].map(str::to_owned));
            if !self.dry_run {
                fs::create_dir_all(WEBROOT).with_context(|| format!("make {WEBROOT}"))?;
            }
        } else {
            arguments.push("--standalone".to_owned());
        }
        let live = Path::new("/etc/letsencrypt/live").join(host);
        let here = Tls::Here(live.join("fullchain.pem"), live.join("privkey.pem"));
        if !self.go(&format!("get a certificate: certbot {}", arguments.join(" ")))? {
            return Ok(here);
        }
        let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
        if let Err(e) = command("certbot", &words) {
            self.missing(&format!(
                "TLS: certbot got no certificate for {host}: {e:#}. Let the name lead to this machine, with port 80 open, and run \
                 setup again"
            ));
            return Ok(Tls::Nobody);
        }
        if words.contains(&"--standalone") {
            self.missing(&format!(
                "the renewal of the certificate: certbot got it by its own server, because nginx did not run, and would need port \
                 80 again: start nginx, then run certbot certonly --webroot -w {WEBROOT} -d {host} --force-renewal"
            ));
        }
        Ok(here)
    }

    /// Lets nginx read its configuration again, or restores what was there before.
    fn reload(&mut self, changed: bool, before: &Before) -> anyhow::Result<()> {
        if !changed || !self.go("test nginx's configuration and reload nginx")? {
            return Ok(());
        }
        if let Err(e) = command("nginx", &["-t", "-q"]) {
            // a broken site must not keep nginx from starting later
            let _ = match &before.site {
                Some(text) => {
                    folder_of(Path::new(SITE)).and_then(|(folder, name)| Ok(folder.write(name, text, 0o644)?))
                }
                None if before.was_aside => fs::rename(SITE, SITE_ASIDE).map_err(Into::into),
                None => fs::remove_file(SITE).map_err(Into::into),
            };
            let done = if before.site.is_some() { "is as it was before" } else { "was taken out again" };
            return Err(e.context(format!("nginx does not accept its new configuration; the site {done}")));
        }
        if is_running() {
            command("nginx", &["-s", "reload"])?;
            sleep(RELOAD);
        } else if Path::new("/run/systemd/system").is_dir()
            && command("systemctl", &["start", "nginx"]).is_ok()
        {
            writeln!(self.out, "note     nginx was not running, and was started")?;
        } else {
            writeln!(self.out, "note     nginx is not running; start it: systemctl start nginx")?;
        }
        Ok(())
    }
}

pub(super) fn is_running() -> bool {
    fs::read_to_string(PROCESS).is_ok_and(|pid| !pid.trim().is_empty())
}
