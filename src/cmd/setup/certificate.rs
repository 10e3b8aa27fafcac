//! The certificate of the site: which one is there, and how one is made.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::cmd::child::command;
use crate::place::Folder;

/// Where certbot keeps the certificates, one directory a name.
const LIVE: &str = "/etc/letsencrypt/live";
const ACCOUNTS: &str = "/etc/letsencrypt/accounts";
/// Where setup keeps those that it signs itself.
const OWN: &str = "/etc/alt/tls";
/// The directory of challenges, as the site names it.
pub(super) const WEBROOT: &str = "/var/www/html";
/// How long a certificate that setup signs is valid. Apple's systems refuse one of more than 825 days.
const DAYS: &str = "820";
/// A certificate that ends within this time is made anew (30 days).
const SECONDS_LEFT_MIN: &str = "2592000";

/// The last labels of names that no public authority signs (RFC 2606, 6761, 6762, 8375, 9476).
const PRIVATE: [&str; 14] = [
    "alt",
    "corp",
    "example",
    "home",
    "internal",
    "intranet",
    "invalid",
    "lan",
    "local",
    "localdomain",
    "localhost",
    "onion",
    "private",
    "test",
];

/// A certificate and its key.
pub(super) type Pair = (PathBuf, PathBuf);

/// Whether no public authority signs a certificate for this name: an address, a name without a dot, or one that is not of
/// the public DNS.
pub(super) fn is_private(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    let last = host.trim_end_matches('.').rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    let home = host.trim_end_matches('.').to_ascii_lowercase().ends_with(".home.arpa");
    address.is_ok() || !host.contains('.') || home || PRIVATE.contains(&last.as_str())
}

/// The certificate that certbot keeps for this name, also as one of several names of it.
pub(super) fn of_certbot(host: &str) -> Option<Pair> {
    let mut all: Vec<PathBuf> =
        fs::read_dir(LIVE).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    // The one of this name first, then by name.
    all.sort_by_key(|path| (path.file_name() != Some(OsStr::new(host)), path.clone()));
    let pairs = all.into_iter().map(|path| (path.join("fullchain.pem"), path.join("privkey.pem")));
    pairs
        .filter(|(certificate, key)| fs::metadata(key).is_ok() && is_for(certificate, host))
        .find(|pair| is_valid(&pair.0))
}

/// Checks a pair that a person named.
///
/// # Errors
/// A file cannot be read, the certificate is for other names or has ended.
pub(super) fn checked(certificate: &Path, key: &Path, host: &str) -> anyhow::Result<Pair> {
    let absolute = |path: &Path| std::path::absolute(path).and_then(|path| fs::metadata(&path).map(|_| path));
    let pair = (
        absolute(certificate).with_context(|| format!("--tls-cert {}", certificate.display()))?,
        absolute(key).with_context(|| format!("--tls-key {}", key.display()))?,
    );
    let name = pair.0.display();
    command("openssl", &["x509", "-noout", "-in", &text(&pair.0)?])
        .with_context(|| format!("--tls-cert {name}: it is no certificate (PEM)"))?;
    if !is_for(&pair.0, host) {
        bail!("--tls-cert {name}: the certificate is not for the name {host}, so browsers would refuse it");
    }
    if command("openssl", &["x509", "-noout", "-checkend", "0", "-in", &text(&pair.0)?]).is_err() {
        bail!("--tls-cert {name}: the certificate has ended; renew it first");
    }
    Ok(pair)
}

fn text(path: &Path) -> anyhow::Result<String> {
    path.to_str().map(str::to_owned).with_context(|| format!("{} is not UTF-8", path.display()))
}

/// Whether a certificate is for this name. openssl tells by its output alone.
fn is_for(certificate: &Path, host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let check = if bare.parse::<IpAddr>().is_ok() { "-checkip" } else { "-checkhost" };
    text(certificate)
        .and_then(|path| command("openssl", &["x509", "-noout", check, bare, "-in", &path]))
        .is_ok_and(|said| said.contains("does match certificate"))
}

fn is_valid(certificate: &Path) -> bool {
    text(certificate)
        .and_then(|path| command("openssl", &["x509", "-noout", "-checkend", "0", "-in", &path]))
        .is_ok()
}

/// The names of the certificate that setup signs for a host, whether it is there or not.
pub(super) fn own(host: &str) -> Pair {
    let stem = host.replace(|c: char| !c.is_ascii_alphanumeric() && c != '.' && c != '-', "_");
    (Path::new(OWN).join(format!("{stem}.crt")), Path::new(OWN).join(format!("{stem}.key")))
}

/// Whether the certificate that setup signed is there, and valid for a month.
pub(super) fn has_own(host: &str) -> bool {
    let (certificate, key) = own(host);
    fs::metadata(&key).is_ok_and(|meta| meta.len() > 0)
        && is_for(&certificate, host)
        && text(&certificate)
            .and_then(|path| {
                command("openssl", &["x509", "-noout", "-checkend", SECONDS_LEFT_MIN, "-in", &path])
            })
            .is_ok()
}

/// Makes a key, and signs a certificate for the host with it.
///
/// # Errors
/// openssl is not installed, or fails, or writes none: it says nothing of a disk that is full.
pub(super) fn sign(host: &str) -> anyhow::Result<()> {
    let (certificate, key) = own(host);
    Folder::make(Path::new(OWN)).with_context(|| format!("make {OWN}"))?;
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let kind = if bare.parse::<IpAddr>().is_ok() { "IP" } else { "DNS" };
    let names = format!("subjectAltName={kind}:{bare}");
    // A common name has at most 64 characters; browsers look at the alternative names only.
    let subject = if bare.len() <= 64 { format!("/CN={bare}") } else { "/CN=alt".to_owned() };
    // openssl would make an authority of it, whose key could sign for any name.
    let mut config = tempfile::NamedTempFile::new().context("write openssl's configuration")?;
    writeln!(
        config,
        "[req]\ndistinguished_name=dn\nx509_extensions=ext\n[dn]\n[ext]\nbasicConstraints=critical,CA:FALSE\n\
         extendedKeyUsage=serverAuth\n{names}"
    )
    .context("write openssl's configuration")?;
    let (certificate, key, config_path) = (text(&certificate)?, text(&key)?, text(config.path())?);
    let kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", DAYS];
    let files = ["-config", &config_path, "-subj", &subject, "-keyout", &key, "-out", &certificate];
    command("openssl", &[&["req", "-x509"], &kind[..], &files].concat())
        .context("sign a certificate by openssl")?;
    if !has_own(host) {
        let _ = (fs::remove_file(&certificate), fs::remove_file(&key));
        bail!("openssl wrote no certificate into {OWN}: is the disk full (df -h {OWN})?");
    }
    Ok(())
}

/// How a certificate can be had by certbot. `Err`: what is missing.
pub(super) fn by_certbot(host: &str, email: Option<&str>) -> Result<Vec<String>, String> {
    let again = format!("sudo alt setup --host {host}");
    if command("certbot", &["--version"]).is_err() {
        return Err(format!(
            "install certbot and run setup again (sudo apt-get install certbot; {again} --email YOU@EXAMPLE.COM), name a \
             certificate ({again} --tls-cert FILE --tls-key FILE), or say that a load balancer ends TLS ({again} --no-tls)"
        ));
    }
    let account = match email {
        Some(address) => vec!["--agree-tos".to_owned(), "-m".to_owned(), address.to_owned()],
        None if has_account() => Vec::new(),
        None => {
            return Err(format!(
                "certbot has no account here; this makes one, and accepts the terms of Let's Encrypt: {again} --email \
                 YOU@EXAMPLE.COM"
            ));
        }
    };
    let arguments =
        ["certonly", "--non-interactive", "--keep-until-expiring", "--cert-name", host, "-d", host];
    // certbot notes the hook, and runs it after each renewal.
    let hook = ["--deploy-hook", "nginx -s reload || true"];
    let all = arguments.iter().chain(&hook).map(|&word| word.to_owned());
    Ok(all.chain(account).collect())
}

fn has_account() -> bool {
    let of = |path: PathBuf| fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    // accounts/SERVER/PATH/ACCOUNT
    of(ACCOUNTS.into()).flat_map(of).flat_map(of).next().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_no_public_authority_signs() {
        for host in
            ["shop", "localhost", "shop.lan", "a.home.arpa", "10.0.0.1", "192.0.2.1", "[::1]", "A.LOCAL."]
        {
            assert!(is_private(host), "{host}");
        }
        for host in ["events.example.com", "lan.example.org", "home.arpa.de"] {
            assert!(!is_private(host), "{host}");
        }
    }
}
