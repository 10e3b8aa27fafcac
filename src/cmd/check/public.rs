//! Follows one hit on its whole way: the public name, TLS, nginx's answer, the line in the log, the row.
//!
//! The hit is that of a monitor: its user agent makes it a row of the traffic class `monitor`, which no question about
//! visitors counts; its type is `alt_check`. Where the public name does not lead here, or there is no network, the same hit
//! is sent to nginx on this machine, so that the rest of the way is looked at as well.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};

use alt_collect::source::logs::Logs;
use alt_config::Config;
use alt_line::hit::Micros;
use alt_process::clock;
use alt_store::apps::{self, Application};
use alt_store::read::Reader;
use alt_store::server;
use alt_store::trace::{self, Fate};

use super::finding::{Findings, Kind};
use super::nginx::{Server, Site};
use super::recent::sample;
use super::request::{Answer, Failure, addresses, get};

/// How many names are tried.
const NAMES_MAX: usize = 5;
/// How long a hit may take from nginx's answer to its row.
const ROW_WAIT: Duration = Duration::from_secs(6);
/// How often the database is asked meanwhile.
const ROW_LOOK: Duration = Duration::from_millis(100);
/// How long a hit may take from nginx's answer to its line.
const LINE_WAIT: Duration = Duration::from_secs(2);
/// How often the logs are read meanwhile.
const LINE_LOOK: Duration = Duration::from_millis(20);
/// The clocks of nginx and the database agree so far, at least (one minute).
const SKEW: Micros = 60_000_000;
const SCRIPT: &str = "/s/m.js";
const BESIDE_SCRIPT: &str = "sudo alt setup writes it; or: sudo alt beacon build --out /var/www/alt";

/// A hit that was answered, and is looked for.
struct Sent<'a> {
    host: &'a str,
    mark: String,
    app: &'a str,
    at: Micros,
}

/// Follows a hit through each public name.
pub(super) async fn look(
    config: &Config,
    site: Option<&Site>,
    reader: Option<Reader>,
    findings: &mut Findings,
) {
    if !config.sources.iter().any(|source| source.format == "alt1") {
        return;
    }
    let servers: Vec<&Server> = site.into_iter().flat_map(Site::takes_events).collect();
    let mut names: Vec<&str> = config.check.hosts.iter().map(String::as_str).collect();
    if names.is_empty() {
        names = servers.iter().flat_map(|server| &server.names).map(String::as_str).collect();
        names.sort_unstable();
        names.dedup();
    }
    if names.is_empty() {
        let way = "the way of a hit from its public name to its row";
        if site.is_none() {
            findings.not_checked(format!("{way}, because nginx's configuration has the names"));
        } else if !servers.is_empty() {
            findings.not_checked(format!(
                "{way}: nginx's site has no server_name; write the name into alt.toml, [check] hosts = [\"NAME\"]"
            ));
        }
        return;
    }
    let Some(mut reader) = reader else {
        return findings.not_checked(
            "the way of a hit from its public name to its row, which needs the database and the key of an application",
        );
    };
    let app = match application(&mut reader).await {
        Ok(Some(app)) => app,
        Ok(None) => return,
        Err(e) => return findings.not_checked(format!("the way of a hit ({e:#})")),
    };
    for host in names.iter().take(NAMES_MAX) {
        if let Some(sent) = send(host, &servers, &app, findings) {
            follow(config, &mut reader, &sent, findings).await;
        }
    }
}

/// An application whose hits are stored, also those of monitors.
async fn application(reader: &mut Reader) -> anyhow::Result<Option<Application>> {
    let apps = reader.read(apps::enabled).await?;
    for app in apps {
        let key = app.key.clone();
        if reader.read(async |client| trace::stores_monitors(client, &key).await).await? {
            return Ok(Some(app));
        }
    }
    Ok(None)
}

/// Sends a hit by the public name; else to nginx on this machine. `None`: nginx did not take it.
fn send<'a>(
    host: &'a str,
    servers: &[&Server],
    app: &'a Application,
    findings: &mut Findings,
) -> Option<Sent<'a>> {
    let mark = format!("check-{}", clock::now() % 1_000_000_000);
    let page = app.domains.first().map_or(host, String::as_str);
    let path = format!("/b?a={}&e=alt_check&ei={mark}&u=https%3A%2F%2F{page}%2Falt-check", app.key);
    let sent = Sent { host, mark, app: &app.key, at: clock::now() };
    let outside = from_outside(host, findings);
    if let Some(to) = &outside {
        match get(host, to, true, &path) {
            Ok(answer) => {
                certificate(host, &answer, findings);
                script(host, to, findings);
                return is_taken(host, &answer, findings).then_some(sent);
            }
            Err(failure) => failed(host, to, &failure, findings),
        }
    }
    // To see where it ends, on to nginx itself.
    let own = servers.iter().find(|server| server.names.iter().any(|name| name == host));
    let with_tls = own.is_some_and(|server| server.has_tls);
    let here = [SocketAddr::from((Ipv4Addr::LOCALHOST, if with_tls { 443 } else { 80 }))];
    match get(host, &here, with_tls, &path) {
        Ok(answer) => is_taken(host, &answer, findings).then_some(sent),
        Err(Failure::Connect(e)) => {
            findings.add(
                Kind::Answer,
                host,
                format!("nginx does not answer on this machine either, at {}: {e}", here[0]),
                "systemctl status nginx; nginx -t; systemctl restart nginx",
            );
            None
        }
        Err(Failure::Tls(e) | Failure::Answer(e)) => {
            findings.add(
                Kind::Answer,
                host,
                format!("what answers on this machine at {} does not understand the request: {e}", here[0]),
                "see which program listens there: ss -ltnp",
            );
            None
        }
    }
}

/// Where the name leads.
fn from_outside(host: &str, findings: &mut Findings) -> Option<Vec<SocketAddr>> {
    match addresses(host) {
        Ok(all) => Some(all.into_iter().map(|ip| SocketAddr::from((ip, 443))).collect()),
        Err((why, true)) => {
            findings.not_checked(format!("{host} from outside: DNS does not answer here ({why})"));
            None
        }
        Err((why, false)) => {
            findings.add(
                Kind::Name,
                host,
                format!("the name leads nowhere: {why}"),
                format!("let its DNS have an A or AAAA record with the address of this machine or its load balancer; see: getent ahosts {host}"),
            );
            None
        }
    }
}

/// Nothing answers where the name leads.
fn failed(host: &str, to: &[SocketAddr], failure: &Failure, findings: &mut Findings) {
    let place = to.first().map_or_else(String::new, |address| format!("{address}"));
    match failure {
        Failure::Connect(e) => {
            // A router need not lead back a connection from within to its own outer address.
            let is_here = to.iter().all(|address| is_of_this_machine(address.ip()));
            let kind = if is_here { Kind::Name } else { Kind::NameFromHere };
            let mend = if is_here {
                format!("pages load https://{host}{SCRIPT}; {}", get_certificate(host))
            } else {
                format!(
                    "open port 443 in the firewall, and see from another machine whether it answers: curl -I https://{host}{SCRIPT}"
                )
            };
            findings.add(kind, host, format!("nothing takes a connection for https at {place} ({e})"), mend);
        }
        Failure::Tls(e) => findings.add(
            Kind::Certificate,
            host,
            format!("{place} takes connections for https, and does not speak TLS as browsers do: {e}"),
            format!("see what it says: openssl s_client -connect {host}:443 -servername {host}"),
        ),
        Failure::Answer(e) => findings.add(
            Kind::Answer,
            host,
            format!("{place} gives no answer over https: {e}"),
            format!("see what it says: curl -v https://{host}/health; then nginx's error log"),
        ),
    }
}

fn is_of_this_machine(ip: IpAddr) -> bool {
    // An address that can be listened at is one of this machine.
    std::net::UdpSocket::bind((ip, 0)).is_ok()
}

/// How a site gets a certificate.
fn get_certificate(host: &str) -> String {
    format!(
        "give the site a certificate: sudo alt setup --host {host} (for a public name with --email YOU@EXAMPLE.COM, or with \
         --tls-cert and --tls-key)"
    )
}

/// Whether a browser takes the certificate.
fn certificate(host: &str, answer: &Answer, findings: &mut Findings) {
    use rustls::{CertificateError as E, Error};
    let Some(refused) = &answer.refused else { return };
    let own = Path::new("/etc/alt/tls").join(format!("{host}.crt"));
    match refused {
        Error::InvalidCertificate(E::UnknownIssuer) if std::fs::metadata(&own).is_ok() => findings.add(
            Kind::PrivateCertificate,
            host,
            "its certificate is one that alt setup signed: only browsers to which it was added take it",
            format!("add {} to the authorities of the browsers and systems that use the site", own.display()),
        ),
        Error::InvalidCertificate(E::Expired | E::ExpiredContext { .. }) => findings.add(
            Kind::Certificate,
            host,
            "its certificate has ended: browsers refuse it",
            format!(
                "certbot renew --cert-name {host}, or sudo alt setup --host {host}; then: nginx -s reload"
            ),
        ),
        Error::InvalidCertificate(E::NotValidForName | E::NotValidForNameContext { .. }) => findings.add(
            Kind::Certificate,
            host,
            "its certificate is for other names: browsers refuse it",
            get_certificate(host),
        ),
        other => findings.add(
            Kind::Certificate,
            host,
            format!("browsers refuse its certificate: {other}"),
            get_certificate(host),
        ),
    }
}

/// Whether the script is there that pages load.
fn script(host: &str, to: &[SocketAddr], findings: &mut Findings) {
    let Ok(answer) = get(host, to, true, SCRIPT) else { return };
    let is_script = answer.content_type.is_some_and(|content| content.contains("javascript"));
    if answer.status != 200 || !is_script {
        let what = format!(
            "https://{host}{SCRIPT}, which pages load, is answered {} and is no script",
            answer.status
        );
        findings.add(Kind::Script, host, what, BESIDE_SCRIPT);
    }
}

/// Whether the answer is that of the shipped locations.
fn is_taken(host: &str, answer: &Answer, findings: &mut Findings) -> bool {
    let elsewhere = answer.location.as_deref().map(|to| format!(", to {to}")).unwrap_or_default();
    let mend = match answer.status {
        204 => return true,
        404 => format!(
            "another site takes the name: nginx -T | grep -n server_name; the site of {host} has to include alt/alt-locations.conf: \
             sudo alt setup --host {host}"
        ),
        429 => {
            "this machine's own requests exceed the rate: wait, and look again (sudo alt check)".to_owned()
        }
        500.. => "see nginx's error log (/var/log/nginx/error.log), and that of a load balancer before it"
            .to_owned(),
        _ => format!(
            "see which server answers: curl -sv https://{host}/b -o /dev/null; pages send to https, without a redirect"
        ),
    };
    let what = format!("a hit is answered {}{elsewhere}, and not 204: it is not counted", answer.status);
    findings.add(Kind::Answer, host, what, mend);
    false
}

/// Follows a hit from nginx's answer to its row, or says where it was lost.
async fn follow(config: &Config, reader: &mut Reader, sent: &Sent<'_>, findings: &mut Findings) {
    let end = Instant::now() + ROW_WAIT;
    let mut fate = Ok(None);
    let name = alt_store::session_name("run", &config.load.host_name());
    let runs = reader.read(async |client| server::has_session(client, &name).await).await.unwrap_or(false);
    // Without a daemon there is no row; its absence has a finding of its own.
    while runs && matches!(fate, Ok(None)) && Instant::now() < end {
        tokio::time::sleep(ROW_LOOK).await;
        let since = sent.at - SKEW;
        fate = reader.read(async |client| trace::fate(client, sent.app, &sent.mark, since).await).await;
    }
    let (host, mark) = (sent.host, &sent.mark);
    match fate {
        Ok(Some(Fate::Row(class))) if class != "human" => {}
        Ok(Some(Fate::Row(class))) => findings.add(
            Kind::LostHit,
            host,
            format!("the hit of alt check became a row of the class {class}: the list of crawlers in use does not know monitors"),
            "add the word monitor to [agents] rules; or: alt check --no-request",
        ),
        Ok(Some(Fate::Reject(reason, detail))) => findings.add(
            Kind::LostHit,
            host,
            format!("a hit was answered 204 and became a reject, {reason} {}", detail.unwrap_or_default()),
            format!("alt rejects list --reason {reason}"),
        ),
        Ok(None) => match in_a_log(config, mark).await {
            Some(log) if runs => findings.add(
                Kind::LostHit,
                host,
                format!("a hit was answered 204 and is in {log}, and is no row after {} s", ROW_WAIT.as_secs()),
                "alt status says how far the log is loaded, journalctl -u alt what keeps the daemon",
            ),
            Some(_) => {}
            None => findings.add(
                Kind::LostHit,
                host,
                "a hit was answered 204 and is in no log that is followed: the request went to another machine, or nginx logs it \
                 elsewhere, or not at all",
                "nginx -T | grep -n access_log; [[source]] paths in alt.toml has to name the log of alt-endpoint.conf",
            ),
        },
        Err(e) => findings.not_checked(format!("the row of a hit to {host} ({e:#})")),
    }
}

/// The log that has this mark in its last lines. nginx writes a line after its answer, so that the line is waited for.
async fn in_a_log(config: &Config, mark: &str) -> Option<String> {
    let end = Instant::now() + LINE_WAIT;
    loop {
        let log = log_with(config, mark);
        if log.is_some() || Instant::now() >= end {
            return log;
        }
        tokio::time::sleep(LINE_LOOK).await;
    }
}

fn log_with(config: &Config, mark: &str) -> Option<String> {
    let live = Logs::of(config).look();
    let finder = memchr::memmem::Finder::new(mark.as_bytes());
    let has_it = |log: &&Path| sample(log).is_ok_and(|bytes| finder.find(&bytes).is_some());
    let log = (0..config.sources.len()).flat_map(|n| live.paths_of(n)).find(|log| has_it(log))?;
    Some(log.display().to_string())
}
