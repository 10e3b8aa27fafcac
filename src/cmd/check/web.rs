//! Checks the dashboard and the API (`alt serve`), where they are wanted: the role's rights, the unit, the answer, and the site of
//! nginx. They are wanted if people have an address for them (`public_url` in `[web]`), or their unit is enabled.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use alt_config::{Config, Listen, SecretFile};
use alt_store::read::Reader;
use alt_store::server;
use alt_store::web::sealing::{CREDENTIAL, Sealing};

use super::finding::{Findings, Kind};
use super::nginx::Site;
use super::request::get;

const UNIT: &str = "alt-web.service";

/// Looks at all of it.
pub(super) async fn look(
    config: &Config,
    site: Option<&Site>,
    reader: Option<&mut Reader>,
    findings: &mut Findings,
) {
    if config.web.public_url.is_none() && !asks("is-enabled") {
        return;
    }
    if let Some(reader) = reader {
        rights(reader, findings).await;
    }
    provider(config, findings).await;
    if Path::new("/run/systemd/system").is_dir() && !asks("is-active") {
        findings.add(
            Kind::Web,
            UNIT,
            "does not run: nobody reaches the dashboard and the API",
            "systemctl enable --now alt-web; journalctl -u alt-web says why it ended",
        );
        return;
    }
    key(config, findings);
    answer(config, findings);
    if let (Some(url), Some(site)) = (&config.web.public_url, site) {
        public(url, site, findings);
    }
}

async fn rights(reader: &mut Reader, findings: &mut Findings) {
    match reader.read(server::web_lacks).await {
        Ok(lacks) => {
            for lack in lacks {
                findings.add(Kind::Web, "PostgreSQL", lack.what, lack.mend);
            }
        }
        Err(e) => findings.not_checked(format!("the rights of alt_web ({e:#})")),
    }
}

/// Whether people can sign in by the provider, if there is one.
async fn provider(config: &Config, findings: &mut Findings) {
    let Some(oidc) = &config.web.oidc else { return };
    if let Err(error) = alt_web::oidc::look(config).await {
        findings.add(
            Kind::Web,
            "[web.oidc]",
            format!("nobody signs in by {}: {error:#}", oidc.issuer),
            "correct [web.oidc] in the configuration, or see to it that this machine reaches the provider; \
             docs/API.md says what belongs there",
        );
    }
}

/// Whether there is a key that seals secrets, as the unit passes it on.
fn key(config: &Config, findings: &mut Findings) {
    if matches!(config.web.key_file, Some(SecretFile::Credential(_))) {
        return; // The unit's own drop-in says where it is.
    }
    let folder = Path::new("/etc/alt");
    match Sealing::open(config.web.key_file.as_ref(), Some(folder)) {
        Ok(sealing) if sealing.has_key() => {}
        Ok(_) => findings.add(
            Kind::Web,
            folder.join(CREDENTIAL).display().to_string(),
            "is not there: nobody can set up a second factor, and no token can be exchanged for a JSON Web Token",
            "sudo alt setup --web --host NAME makes it; then: sudo systemctl restart alt-web",
        ),
        Err(e) if e.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == ErrorKind::PermissionDenied) => {
            findings.not_checked(format!("the key that seals secrets ({e:#})"));
        }
        Err(e) => findings.add(
            Kind::Web,
            "key_file",
            format!("alt serve does not start: {e:#}"),
            "put a key there: openssl rand -base64 32",
        ),
    }
}

/// Whether systemd says yes of the unit.
fn asks(verb: &str) -> bool {
    let mut command = Command::new("systemctl");
    command.args([verb, "--quiet", UNIT]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// What it answers on this machine.
fn answer(config: &Config, findings: &mut Findings) {
    let Listen::Address(address) = config.web.listen else { return };
    let here = match address.ip().is_unspecified() {
        true => SocketAddr::from(([127, 0, 0, 1], address.port())),
        false => address,
    };
    let place = format!("http://{here}/health");
    match get("localhost", &[here], false, "/health") {
        Ok(answer) if answer.status == 200 => {}
        Ok(answer) => findings.add(
            Kind::Web,
            place,
            format!(
                "answers {}: its database does not answer, or another program listens there",
                answer.status
            ),
            "journalctl -u alt-web; ss -ltnp shows which program listens",
        ),
        Err(_) => findings.add(
            Kind::Web,
            place,
            "nothing answers, so the dashboard and the API are out of reach",
            "systemctl enable --now alt-web, or correct listen in [web]",
        ),
    }
}

/// Whether nginx has a site of the name under which people reach it.
fn public(url: &str, site: &Site, findings: &mut Findings) {
    let host = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = host.split(['/', ':']).next().unwrap_or(host);
    let mend = format!(
        "sudo alt setup --web --host {host}; or, if another machine has the site, accept this: accepted = [\"web\"] in [check]"
    );
    if site.named(host).next().is_none() {
        let what = format!("no site has the name {host}, which is public_url in [web]");
        findings.add(Kind::Web, "nginx", what, mend);
    } else if url.starts_with("https://") && !site.named(host).any(|server| server.has_tls) {
        findings.add(
            Kind::Web,
            "nginx",
            format!("the site {host} has no TLS, and public_url says https"),
            mend,
        );
    }
}
