//! Connecting to PostgreSQL: server, user, password and transport.
//!
//! `host`, `sslmode`, `sslrootcert`, `passfile` and `target_session_attrs` are removed from the URL and handled here, and the
//! servers are tried here (`servers`); tokio-postgres sees the rest.
//! Invariants: bytes leave this machine only over TLS with the server's name verified, unless `sslmode=disable` is set.
//! No session setting is changed, so that transaction poolers work.

mod servers;
mod tls;

use std::fmt::Write;
use std::io::{ErrorKind, Read};
use std::ops::{Deref, DerefMut};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use alt_process::fault;
use anyhow::{Context, anyhow, bail};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{Client, NoTls};

use tls::Tls;

/// Where distributions keep the certificates of public authorities.
const SYSTEM_ROOTS: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];
const DEFAULT_SOCKETS: &str = "/var/run/postgresql";

/// How long an address may take to connect, unless `connect_timeout` is in the URL.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest password, as of PostgreSQL's own programs. A file that never ends, such as a device, is refused.
const SECRET_BYTES_MAX: u64 = 64 * 1024;

/// How long the server may take for its last answers after the connection was dropped.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long [`Connection::close`] waits at most.
const CLOSE_WAIT: Duration = Duration::from_secs(1);

/// A connection. After it is dropped, statements in progress may finish; then it is closed. If the server no longer
/// answers, it is closed after half a minute, so that proxies in between notice it.
#[derive(Debug)]
pub struct Connection {
    client: Client,
    _held: oneshot::Sender<()>,
    carrier: JoinHandle<()>,
}

impl Connection {
    /// Closes the connection, and waits for that. For a runtime that nothing drives afterwards.
    pub async fn close(self) {
        let Connection { client, _held, mut carrier } = self;
        drop(client);
        if tokio::time::timeout(CLOSE_WAIT, &mut carrier).await.is_err() {
            carrier.abort();
            // The socket is closed once the runtime has dropped the task.
            let _ = carrier.await;
        }
    }
}

impl Deref for Connection {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl DerefMut for Connection {
    fn deref_mut(&mut self) -> &mut Client {
        &mut self.client
    }
}

/// Connects, and spawns a task that drives the connection until it is dropped.
///
/// # Errors
/// The URL, a password file or a certificate is not usable, or the server cannot be reached or refuses. A
/// [`tokio_postgres::Error`] is in the chain for [`super::classify_any`].
pub async fn connect(config: &alt_config::Postgres, application_name: &str) -> anyhow::Result<Connection> {
    connect_counted(config, application_name, Arc::default()).await
}

/// As [`connect`], but increments `open` while the connection is open.
///
/// # Errors
/// As [`connect`].
pub async fn connect_counted(
    config: &alt_config::Postgres,
    application_name: &str,
    open: Arc<AtomicU64>,
) -> anyhow::Result<Connection> {
    let mut target = Address::read(&config.url)?;
    let password = match target.pg.get_password() {
        Some(_) => None,
        None => find_password(config, &target, |name| std::env::var(name).ok())?,
    };
    if let Some(password) = password {
        target.pg.password(password);
    }
    target.pg.application_name(application_name);
    let place = target.to_string();
    servers::connect(&target, &open).await.with_context(|| format!("connect to {place}"))
}

/// Whether the server will identify the user by this process's account: all hosts are unix sockets, and neither a user
/// nor a password is given.
///
/// # Errors
/// The URL cannot be parsed.
pub fn is_by_peer(config: &alt_config::Postgres) -> anyhow::Result<bool> {
    let target = Address::read(&config.url)?;
    let named = target.pg.get_user().is_some() || target.pg.get_password().is_some();
    Ok(all_sockets(&target.pg) && !named && config.password_file.is_none())
}

/// A unix socket of PostgreSQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Socket {
    /// The directory that it is in.
    pub directory: PathBuf,
    /// The port that is in its name.
    pub port: u16,
}

/// The unix socket by which the database is reached. `None`: it is reached by TCP.
///
/// # Errors
/// The URL cannot be parsed.
pub fn socket(config: &alt_config::Postgres) -> anyhow::Result<Option<Socket>> {
    let target = Address::read(&config.url)?;
    let port = target.pg.get_ports().first().copied().unwrap_or(5432);
    Ok(match target.pg.get_hosts().first() {
        Some(Host::Unix(directory)) => Some(Socket { directory: directory.clone(), port }),
        _ => None,
    })
}

/// Whether every server that may be tried is on this machine.
///
/// # Errors
/// The URL cannot be parsed.
pub fn is_on_this_machine(config: &alt_config::Postgres) -> anyhow::Result<bool> {
    Ok(all_local(&Address::read(&config.url)?.pg))
}

/// The same database by peer authentication, over a unix socket. `None`: it is on another machine, or its socket is not
/// known, because the URL names a user and a socket's directory of its own.
///
/// # Errors
/// The URL cannot be parsed.
pub fn by_peer(config: &alt_config::Postgres) -> anyhow::Result<Option<alt_config::Postgres>> {
    if is_by_peer(config)? {
        return Ok(Some(config.clone()));
    }
    let target = Address::read(&config.url)?;
    if !all_local(&target.pg) || all_sockets(&target.pg) {
        return Ok(None);
    }
    let port = target.pg.get_ports().first().copied().unwrap_or(5432);
    let name = target.pg.get_dbname().or(target.pg.get_user()).unwrap_or("alt");
    let quoted = name.replace('\\', "\\\\").replace('\'', "\\'");
    let url = format!("host={DEFAULT_SOCKETS} port={port} dbname='{quoted}'");
    Ok(Some(alt_config::Postgres { url, password_file: None }))
}

/// Whether the URL itself contains a password.
///
/// # Errors
/// The URL cannot be parsed.
pub fn has_password(config: &alt_config::Postgres) -> anyhow::Result<bool> {
    Ok(Address::read(&config.url)?.pg.get_password().is_some())
}

/// Connects to the one server of `pg`.
async fn connection(
    pg: &tokio_postgres::Config,
    tls: Option<&Tls>,
    open: Counted,
) -> anyhow::Result<Connection> {
    let (held, dropped) = oneshot::channel();
    let (client, carrier) = match tls {
        None => {
            let (client, connection) = pg.connect(NoTls).await.map_err(explain)?;
            (client, tokio::spawn(carry(connection, open, dropped)))
        }
        Some(tls) => {
            let (client, connection) = pg.connect(tls.clone()).await.map_err(explain)?;
            (client, tokio::spawn(carry(connection, open, dropped)))
        }
    };
    Ok(Connection { client, _held: held, carrier })
}

/// Counts a connection while it is open.
struct Counted(Arc<AtomicU64>);

impl Counted {
    fn new(count: Arc<AtomicU64>) -> Counted {
        count.fetch_add(1, Ordering::Relaxed);
        Counted(count)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn carry(
    connection: impl Future<Output = Result<(), tokio_postgres::Error>>,
    _open: Counted,
    dropped: oneshot::Receiver<()>,
) {
    let given_up = async {
        let _ = dropped.await;
        tokio::time::sleep(fault::wait(CLOSE_TIMEOUT)).await;
    };
    tokio::select! {
        ended = connection => match ended {
            Ok(()) => tracing::debug!("the connection to PostgreSQL was closed"),
            Err(error) => tracing::debug!(%error, "the connection to PostgreSQL was lost"),
        },
        () = given_up => tracing::debug!("a connection to PostgreSQL that does not answer was closed"),
    }
}

/// Adds the remedy to errors that are common during setup.
fn explain(error: tokio_postgres::Error) -> anyhow::Error {
    let mend = match error.code().map(tokio_postgres::error::SqlState::code) {
        Some("3D000") => "the database does not exist: run `alt setup` as root, or createdb",
        Some("28000") => {
            "the role does not exist or may not log in like this: run `alt setup` as root, \
                          run this command as user alt, or set postgres.url"
        }
        Some("28P01") => "the password was refused: see postgres.password_file, PGPASSWORD, ~/.pgpass",
        Some(_) => "PostgreSQL refused the connection",
        None => match chained_io(&error).map(std::io::Error::kind) {
            Some(ErrorKind::NotFound | ErrorKind::ConnectionRefused) => {
                "nothing listens there: start PostgreSQL, or set postgres.url"
            }
            Some(ErrorKind::PermissionDenied) => "this user may not open the socket",
            Some(ErrorKind::InvalidData) => {
                "the server's certificate was not accepted: name its authority with sslrootcert=FILE, and \
                 the server by the name in its certificate"
            }
            _ if caused_by(&error, "password missing") => {
                "the server wants a password: see postgres.password_file, PGPASSWORD, ~/.pgpass"
            }
            _ if caused_by(&error, "channel binding") => {
                "channel_binding=require in postgres.url: the server has to ask for a password by scram-sha-256 over \
                 TLS, with a certificate that is signed with RSA or ECDSA; not every pooler can bind"
            }
            _ if caused_by(&error, "does not support TLS") => {
                "the server offers no TLS: turn on ssl there, or accept an open line with sslmode=disable"
            }
            _ => "PostgreSQL cannot be reached",
        },
    };
    anyhow::Error::new(error).context(mend)
}

fn caused_by(error: &tokio_postgres::Error, what: &str) -> bool {
    std::error::Error::source(error).is_some_and(|cause| cause.to_string().contains(what))
}

fn chained_io<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a std::io::Error> {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref() {
            return Some(io);
        }
        cause = error.source();
    }
    None
}

/// The servers, the user, and whether TLS is used.
struct Address {
    pg: tokio_postgres::Config,
    tls: Option<Roots>,
    wanted: servers::Wanted,
    /// The time limit of each address, and of the lookup of each name.
    limit: Duration,
    passfile: Option<PathBuf>,
}

/// The certificate authorities that are trusted to sign a server's certificate.
#[derive(Debug, PartialEq, Eq)]
enum Roots {
    System,
    File(PathBuf),
}

impl std::fmt::Display for Address {
    /// Writes `PostgreSQL, database alt at /var/run/postgresql as user alt`; never the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PostgreSQL")?;
        if let Some(name) = self.pg.get_dbname() {
            write!(f, ", database {name}")?;
        }
        for (i, (host, port)) in self.hosts().iter().enumerate() {
            write!(f, "{}{host}", if i == 0 { " at " } else { " or " })?;
            if !host.starts_with('/') || *port != 5432 {
                write!(f, ":{port}")?;
            }
        }
        self.pg.get_user().map_or(Ok(()), |user| write!(f, " as user {user}"))
    }
}

impl Address {
    fn read(url: &str) -> anyhow::Result<Address> {
        let (rest, taken) =
            take_out(url, &["host", "sslmode", "sslrootcert", "passfile", "target_session_attrs"])
                .context("postgres.url cannot be understood")?;
        let get = |name: &str| taken.iter().rev().find(|pair| pair.0 == name).map(|pair| pair.1.as_str());
        let mut pg: tokio_postgres::Config = rest.parse().map_err(|e| misread(&e, url))?;
        // Several hosts behind the `?` of a URL are one name to tokio-postgres.
        for host in get("host").into_iter().flat_map(|hosts| hosts.split(',')).filter(|host| !host.is_empty())
        {
            pg.host(host);
        }
        if pg.get_hosts().is_empty() && pg.get_hostaddrs().is_empty() {
            pg.host_path(DEFAULT_SOCKETS);
        }
        pg.keepalives(true)
            .keepalives_idle(Duration::from_secs(30))
            .keepalives_interval(Duration::from_secs(10))
            .keepalives_retries(3)
            .tcp_user_timeout(Duration::from_secs(60));
        let roots = get("sslrootcert")
            .filter(|path| *path != "system")
            .map_or(Roots::System, |path| Roots::File(PathBuf::from(path)));
        let tls = match get("sslmode") {
            Some("disable") => None,
            // libpq's require and verify-ca encrypt without verifying the name; here they are as strict as verify-full
            Some("verify-full" | "verify-ca" | "require") => {
                if all_sockets(&pg) {
                    None
                } else {
                    Some(roots)
                }
            }
            // Who names an authority wants its certificate to be verified, also on this machine: behind `localhost` may
            // be a tunnel, or whoever else listens on the port while PostgreSQL is down.
            None => {
                let may_be_open =
                    if get("sslrootcert").is_some() { all_sockets(&pg) } else { all_local(&pg) };
                if may_be_open { None } else { Some(roots) }
            }
            Some(mode @ ("prefer" | "allow")) => bail!(
                "sslmode={mode} in postgres.url would fall back to an open line; write verify-full or disable"
            ),
            Some(mode) => bail!("sslmode={mode} in postgres.url is unknown; write verify-full or disable"),
        };
        pg.ssl_mode(if tls.is_some() { SslMode::Require } else { SslMode::Disable });
        let wanted = servers::Wanted::read(get("target_session_attrs"))?;
        // As in libpq, 0 and less mean that no limit is set.
        let limit = pg.get_connect_timeout().copied().unwrap_or(CONNECT_TIMEOUT);
        Ok(Address { pg, tls, wanted, limit, passfile: get("passfile").map(PathBuf::from) })
    }

    /// Host (or socket directory) and port of every server that may be tried.
    fn hosts(&self) -> Vec<(String, u16)> {
        let names: Vec<String> = if self.pg.get_hosts().is_empty() {
            self.pg.get_hostaddrs().iter().map(ToString::to_string).collect()
        } else {
            self.pg.get_hosts().iter().map(host_name).collect()
        };
        let ports = self.pg.get_ports();
        names
            .into_iter()
            .enumerate()
            .map(|(i, name)| (name, ports.get(i).or(ports.first()).copied().unwrap_or(5432)))
            .collect()
    }
}

/// What is wrong with a URL, without any word that may belong to the password. If the password contains a bare `?` or
/// `&`, or a space among pairs, the rest of it becomes an option. An `@` behind the `?`, or a password there, shows
/// that this may have happened.
fn misread(error: &tokio_postgres::Error, url: &str) -> anyhow::Error {
    let options = url.split_once('?').map_or(url, |(_, options)| options);
    let may_be_secret = options.contains('@') || options.contains("password");
    let form = "postgres.url cannot be understood (the form is postgres://user@host/database)";
    let why = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    let word = why.split('`').nth(1).unwrap_or_default();
    if !may_be_secret && !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') {
        anyhow!("{form}: {why}")
    } else {
        anyhow!("{form}; in a password, write %3F for ?, %26 for &, %40 for @, %2F for /")
    }
}

fn host_name(host: &Host) -> String {
    match host {
        Host::Tcp(name) => name.clone(),
        Host::Unix(path) => path.display().to_string(),
    }
}

fn all_sockets(pg: &tokio_postgres::Config) -> bool {
    pg.get_hostaddrs().is_empty() && pg.get_hosts().iter().all(|host| matches!(host, Host::Unix(_)))
}

fn all_local(pg: &tokio_postgres::Config) -> bool {
    let local_name = |name: &str| {
        name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    };
    if pg.get_hostaddrs().is_empty() {
        pg.get_hosts().iter().all(|host| match host {
            Host::Unix(_) => true,
            Host::Tcp(name) => local_name(name),
        })
    } else {
        pg.get_hostaddrs().iter().all(std::net::IpAddr::is_loopback)
    }
}

/// The certificates of the public authorities: those of the system, else those of Mozilla, which are built in.
pub fn system_roots() -> rustls::RootCertStore {
    let mut store = rustls::RootCertStore::empty();
    for path in SYSTEM_ROOTS {
        let Ok(certificates) = CertificateDer::pem_file_iter(path) else { continue };
        store.add_parsable_certificates(certificates.filter_map(Result::ok));
        break;
    }
    if store.is_empty() {
        store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    store
}

fn tls_config(roots: &Roots) -> anyhow::Result<rustls::ClientConfig> {
    let mut store = rustls::RootCertStore::empty();
    match roots {
        Roots::File(path) => {
            let what = || format!("read the authority's certificate sslrootcert={}", path.display());
            for certificate in CertificateDer::pem_file_iter(path).with_context(what)? {
                store.add(certificate.with_context(what)?).with_context(what)?;
            }
            if store.is_empty() {
                bail!("sslrootcert={} holds no certificate (PEM)", path.display());
            }
        }
        Roots::System => store = system_roots(),
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .context("set up TLS")?
        .with_root_certificates(store)
        .with_no_client_auth())
}

/// A connection string without some of its parameters, and these parameters, decoded.
type TakenOut = (String, Vec<(String, String)>);

fn take_out(url: &str, names: &[&str]) -> anyhow::Result<TakenOut> {
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        Ok(take_out_of_url(url, names))
    } else {
        take_out_of_pairs(url, names)
    }
}

fn take_out_of_url(url: &str, names: &[&str]) -> TakenOut {
    let (head, query) = url.split_once('?').unwrap_or((url, ""));
    let (mut rest, mut taken) = (head.to_owned(), Vec::new());
    let mut separator = '?';
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if names.contains(&name) {
            taken.push((name.to_owned(), percent_decode(value)));
        } else {
            let _ = write!(rest, "{separator}{pair}");
            separator = '&';
        }
    }
    (rest, taken)
}

fn percent_decode(text: &str) -> String {
    let (bytes, mut out, mut i) = (text.as_bytes(), Vec::with_capacity(text.len()), 0);
    while i < bytes.len() {
        let byte = bytes
            .get(i + 1..i + 3)
            .filter(|_| bytes[i] == b'%')
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        i += if byte.is_some() { 3 } else { 1 };
        out.push(byte.unwrap_or_else(|| bytes[i - 1]));
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Parses `key = value 'with spaces' …`, with quotes and backslashes as in libpq.
fn take_out_of_pairs(text: &str, names: &[&str]) -> anyhow::Result<TakenOut> {
    let (mut rest, mut taken) = (String::new(), Vec::new());
    let mut chars = text.chars().peekable();
    loop {
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        let mut name = String::new();
        while let Some(c) = chars.next_if(|c| *c != '=' && !c.is_whitespace()) {
            name.push(c);
        }
        if name.is_empty() && chars.peek().is_none() {
            return Ok((rest, taken));
        }
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        chars.next_if_eq(&'=').ok_or_else(|| {
            // without the word: it may be a password, or part of one
            anyhow!(
                "write postgres://user@host/database, or key=value pairs, with '…' around a value that has spaces"
            )
        })?;
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        let quoted = chars.next_if_eq(&'\'').is_some();
        let mut value = String::new();
        loop {
            match chars.next() {
                Some('\\') => value.extend(chars.next()),
                Some('\'') if quoted => break,
                Some(c) if !quoted && c.is_whitespace() => break,
                Some(c) => value.push(c),
                None if quoted => bail!("the quote of `{name}` is not closed"),
                None => break,
            }
        }
        if names.contains(&name.as_str()) {
            taken.push((name, value));
        } else {
            let value = value.replace('\\', "\\\\").replace('\'', "\\'");
            let _ = write!(rest, "{name}='{value}' ");
        }
    }
}

/// The first password found: `PGPASSWORD`, `password_file`, the systemd credential, the passfile.
fn find_password(
    config: &alt_config::Postgres,
    target: &Address,
    env: impl Fn(&str) -> Option<String>,
) -> anyhow::Result<Option<String>> {
    if let Some(password) = env("PGPASSWORD").filter(|password| !password.is_empty()) {
        return Ok(Some(password));
    }
    if let Some(path) = &config.password_file {
        let password =
            secret(path).with_context(|| format!("read postgres.password_file {}", path.display()))?;
        return Ok(Some(password));
    }
    if let Some(directory) = env("CREDENTIALS_DIRECTORY") {
        let path = Path::new(&directory).join("postgres_password");
        match secret(&path) {
            Ok(password) => return Ok(Some(password)),
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            // The credential is the daemon's, and this is another account, which its socket tells the server.
            Err(e) if e.kind() == ErrorKind::PermissionDenied && is_by_peer(config)? => {}
            Err(e) => return Err(e).with_context(|| format!("read the credential {}", path.display())),
        }
    }
    let named = target.passfile.clone().or_else(|| env("PGPASSFILE").map(PathBuf::from));
    // the account's home, not HOME: a command that root starts continues as user alt
    let home = || nix::unistd::User::from_uid(nix::unistd::geteuid()).ok().flatten().map(|user| user.dir);
    let Some(path) = named.or_else(|| home().map(|home| home.join(".pgpass"))) else { return Ok(None) };
    let Some(lines) = read_passfile(&path) else { return Ok(None) };
    passfile_password(&lines, target)
}

/// Reads a file that holds a secret, without a newline at its end.
fn secret(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    std::fs::File::open(path)?.take(SECRET_BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > SECRET_BYTES_MAX {
        return Err(std::io::Error::new(ErrorKind::InvalidData, "it is too long for a password"));
    }
    Ok(text.trim_end_matches(['\n', '\r']).to_owned())
}

/// The passfile's text. Like libpq, ignores a passfile that others may read.
fn read_passfile(path: &Path) -> Option<String> {
    let meta = std::fs::metadata(path).ok()?;
    if !meta.is_file() {
        tracing::warn!(path = %path.display(), "the password file is not a plain file; it is not used");
        return None;
    }
    if meta.permissions().mode() & 0o077 != 0 {
        tracing::warn!(path = %path.display(), "others may read the password file; it is not used (chmod 0600)");
        return None;
    }
    std::fs::read_to_string(path).ok()
}

/// The password of all servers. If only some servers have it, it is refused, so that the others do not see it.
fn passfile_password(text: &str, target: &Address) -> anyhow::Result<Option<String>> {
    let account = nix::unistd::User::from_uid(nix::unistd::geteuid()).ok().flatten().map(|user| user.name);
    let user = target.pg.get_user().map(str::to_owned).or(account).unwrap_or_default();
    let database = target.pg.get_dbname().unwrap_or(&user);
    let mut found: Vec<Option<String>> = target
        .hosts()
        .iter()
        .map(|(host, port)| {
            let host = if host == DEFAULT_SOCKETS { "localhost" } else { host };
            let wanted = [host, &port.to_string(), database, &user];
            text.lines().find_map(|line| passfile_line(line, &wanted))
        })
        .collect();
    found.dedup();
    match found.as_slice() {
        [one] => Ok(one.clone()),
        [] => Ok(None),
        _ => bail!("the servers in postgres.url have different passwords in the passfile; use PGPASSWORD"),
    }
}

/// Parses `host:port:database:user:password`, with `*` for any value and a backslash before a colon or a backslash.
fn passfile_line(line: &str, wanted: &[&str; 4]) -> Option<String> {
    if line.starts_with('#') {
        return None;
    }
    let mut fields = vec![String::new()];
    let mut wild = vec![true];
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        let last = fields.len() - 1;
        match c {
            ':' if last < 4 => {
                fields.push(String::new());
                wild.push(true);
            }
            '\\' => {
                wild[last] = false;
                fields[last].extend(chars.next());
            }
            c => fields[last].push(c),
        }
    }
    let matches = |(i, wanted): (usize, &&str)| {
        fields.get(i).is_some_and(|field| field == wanted || (field == "*" && wild[i]))
    };
    (fields.len() == 5 && wanted.iter().enumerate().all(matches)).then(|| fields.swap_remove(4))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(url: &str) -> String {
        match Address::read(url) {
            Ok(target) => format!("{target}, TLS {:?}", target.tls),
            Err(e) => format!("{e:#}"),
        }
    }

    #[test]
    fn a_password_stands_in_no_message() {
        for url in [
            "mysql://alt:Sekrit@h/alt",
            "host=h password=ab Sekrit",
            "host=h password='ab Sekrit",
            "postgres://alt:ab?Sekrit@h/alt",
            "postgres://alt:ab?Sekrit=1@h/alt",
            "postgres://alt:ab?sekrit=1@h/alt",
            "postgres://alt@h/alt?password=ab&sekrit=1",
            "host=h password=ab sekrit=1",
            "postgres://alt:ab&Sekrit@h:x/alt",
            "postgres://alt:ab/Sekrit@h/alt?x",
            "postgres://alt:Sekrit@h:99999/alt",
            "postgres://alt:Sekrit@h/alt",
            "Sekrit",
        ] {
            let text = shown(url);
            assert!(!text.to_lowercase().contains("sekrit"), "{text}");
        }
    }

    #[test]
    fn a_url_says_where_and_over_what() {
        let mut all = String::new();
        for url in [
            alt_config::DEFAULT_URL,
            "postgres:///alt",
            "postgresql://alt:secret@localhost/alt",
            "postgres://alt@127.0.0.1:6432/alt",
            "postgres://alt@db.example.net/alt",
            "postgres://alt@db.example.net/alt?sslmode=disable",
            "postgres://alt@db/alt?sslmode=verify-full&sslrootcert=%2Fetc%2Falt%2Fca%20one.pem",
            "postgres://alt@db/alt?sslmode=require&application_name=x",
            "postgres://alt@localhost/alt?sslmode=verify-ca",
            "postgres:///alt?host=/run/pg&sslmode=verify-full",
            "postgres://alt@localhost/alt?sslrootcert=/etc/alt/ca.pem",
            "postgres://alt@[::1]:6432/alt?sslrootcert=system",
            "host=db.example.net hostaddr=127.0.0.1 sslrootcert=/etc/alt/ca.pem",
            "postgres://alt@localhost/alt?sslmode=disable&sslrootcert=/etc/alt/ca.pem",
            "postgres:///alt?host=/run/pg&sslrootcert=/etc/alt/ca.pem",
            "postgres://a,b:5433/alt",
            "postgres:///alt?host=a,b&port=5432,5433",
            "host=a,/run/pg dbname=alt",
            "host='' dbname=alt",
            "postgres://a,b/alt?target_session_attrs=master",
            "host=db user=alt dbname=alt sslrootcert='/etc/alt/it\\'s.pem'",
            "host = /run/pg dbname='my db' sslmode=disable",
            "postgres://db/alt?sslmode=prefer",
            "postgres://db/alt?sslmode=on",
            "postgres://db/alt?sslcert=/x",
            "host=db dbname",
            "host=db dbname='alt",
        ] {
            let _ = writeln!(all, "{url}\n    {}", shown(url));
        }
        insta::assert_snapshot!(all, @r#"
        postgres:///alt?host=/var/run/postgresql
            PostgreSQL, database alt at /var/run/postgresql, TLS None
        postgres:///alt
            PostgreSQL, database alt at /var/run/postgresql, TLS None
        postgresql://alt:secret@localhost/alt
            PostgreSQL, database alt at localhost:5432 as user alt, TLS None
        postgres://alt@127.0.0.1:6432/alt
            PostgreSQL, database alt at 127.0.0.1:6432 as user alt, TLS None
        postgres://alt@db.example.net/alt
            PostgreSQL, database alt at db.example.net:5432 as user alt, TLS Some(System)
        postgres://alt@db.example.net/alt?sslmode=disable
            PostgreSQL, database alt at db.example.net:5432 as user alt, TLS None
        postgres://alt@db/alt?sslmode=verify-full&sslrootcert=%2Fetc%2Falt%2Fca%20one.pem
            PostgreSQL, database alt at db:5432 as user alt, TLS Some(File("/etc/alt/ca one.pem"))
        postgres://alt@db/alt?sslmode=require&application_name=x
            PostgreSQL, database alt at db:5432 as user alt, TLS Some(System)
        postgres://alt@localhost/alt?sslmode=verify-ca
            PostgreSQL, database alt at localhost:5432 as user alt, TLS Some(System)
        postgres:///alt?host=/run/pg&sslmode=verify-full
            PostgreSQL, database alt at /run/pg, TLS None
        postgres://alt@localhost/alt?sslrootcert=/etc/alt/ca.pem
            PostgreSQL, database alt at localhost:5432 as user alt, TLS Some(File("/etc/alt/ca.pem"))
        postgres://alt@[::1]:6432/alt?sslrootcert=system
            PostgreSQL, database alt at ::1:6432 as user alt, TLS Some(System)
        host=db.example.net hostaddr=127.0.0.1 sslrootcert=/etc/alt/ca.pem
            PostgreSQL at db.example.net:5432, TLS Some(File("/etc/alt/ca.pem"))
        postgres://alt@localhost/alt?sslmode=disable&sslrootcert=/etc/alt/ca.pem
            PostgreSQL, database alt at localhost:5432 as user alt, TLS None
        postgres:///alt?host=/run/pg&sslrootcert=/etc/alt/ca.pem
            PostgreSQL, database alt at /run/pg, TLS None
        postgres://a,b:5433/alt
            PostgreSQL, database alt at a:5432 or b:5433, TLS Some(System)
        postgres:///alt?host=a,b&port=5432,5433
            PostgreSQL, database alt at a:5432 or b:5433, TLS Some(System)
        host=a,/run/pg dbname=alt
            PostgreSQL, database alt at a:5432 or /run/pg, TLS Some(System)
        host='' dbname=alt
            PostgreSQL, database alt at /var/run/postgresql, TLS None
        postgres://a,b/alt?target_session_attrs=master
            target_session_attrs in postgres.url is unknown; write read-write, or any, read-only, primary, standby, prefer-standby
        host=db user=alt dbname=alt sslrootcert='/etc/alt/it\'s.pem'
            PostgreSQL, database alt at db:5432 as user alt, TLS Some(File("/etc/alt/it's.pem"))
        host = /run/pg dbname='my db' sslmode=disable
            PostgreSQL, database my db at /run/pg, TLS None
        postgres://db/alt?sslmode=prefer
            sslmode=prefer in postgres.url would fall back to an open line; write verify-full or disable
        postgres://db/alt?sslmode=on
            sslmode=on in postgres.url is unknown; write verify-full or disable
        postgres://db/alt?sslcert=/x
            postgres.url cannot be understood (the form is postgres://user@host/database): unknown option `sslcert`
        host=db dbname
            postgres.url cannot be understood: write postgres://user@host/database, or key=value pairs, with '…' around a value that has spaces
        host=db dbname='alt
            postgres.url cannot be understood: the quote of `dbname` is not closed
        "#);
    }

    #[test]
    fn a_passfile_is_read_as_libpq_reads_it() {
        let password = |lines: &str, url: &str| {
            passfile_password(lines, &Address::read(url).unwrap()).unwrap_or(Some("refused".to_owned()))
        };
        let url = "postgres://alt@db:5433/shop";
        let cases = [
            ("db:5433:shop:alt:right", url, Some("right")),
            ("#db:5433:shop:alt:wrong\ndb:5433:shop:alt:right\n*:*:*:*:later", url, Some("right")),
            ("db:5432:shop:alt:wrong\nother:*:*:*:wrong\n*:*:*:*:a:b\\:c\\\\", url, Some("a:b:c\\")),
            ("db:5433:shop:ALT:wrong", url, None),
            ("\\*:*:*:*:wrong", url, None),
            ("db:5433:shop:wrong", url, None),
            ("", url, None),
            ("localhost:5432:alt:*:right", alt_config::DEFAULT_URL, Some("right")),
            ("/run/pg:5432:alt:*:right", "postgres:///alt?host=/run/pg", Some("right")),
            ("::1:5432:alt:*:wrong", "postgres://[::1]/alt", None),
            ("\\:\\:1:5432:alt:*:right", "postgres://[::1]/alt", Some("right")),
            ("*:*:*:*:both", "postgres://a,b/alt", Some("both")),
            ("a:*:*:*:one\nb:*:*:*:two", "postgres://a,b/alt", Some("refused")),
        ];
        for (lines, url, expected) in cases {
            assert_eq!(password(lines, url).as_deref(), expected, "{lines}");
        }
    }

    #[test]
    fn a_password_is_looked_for_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str, mode: u32| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            path
        };
        let file = write("file", "from file\n", 0o600);
        write("postgres_password", "from credential", 0o600);
        let closed = write("pgpass", "*:*:*:*:from passfile\n", 0o600);
        let open = write("open", "*:*:*:*:from open\n", 0o644);
        let find = |password_file: Option<&Path>, env: &[(&str, &Path)]| {
            let config = alt_config::Postgres {
                password_file: password_file.map(Path::to_path_buf),
                ..alt_config::Postgres::default()
            };
            let target = Address::read(&config.url).unwrap();
            let env =
                |name: &str| env.iter().find(|pair| pair.0 == name).map(|pair| pair.1.display().to_string());
            find_password(&config, &target, env).unwrap()
        };
        let credentials = ("CREDENTIALS_DIRECTORY", dir.path());
        let passfile = ("PGPASSFILE", closed.as_path());
        let all = [("PGPASSWORD", Path::new("from env")), credentials, passfile];
        assert_eq!(find(Some(&file), &all).as_deref(), Some("from env"));
        assert_eq!(find(Some(&file), &all[1..]).as_deref(), Some("from file"));
        assert_eq!(find(None, &all[1..]).as_deref(), Some("from credential"));
        assert_eq!(find(None, &all[2..]).as_deref(), Some("from passfile"));
        assert_eq!(find(None, &[("PGPASSFILE", open.as_path())]), None);
        let config = alt_config::Postgres {
            password_file: Some(dir.path().join("absent")),
            ..alt_config::Postgres::default()
        };
        let target = Address::read(&config.url).unwrap();
        assert!(find_password(&config, &target, |_| None).is_err());
    }
}
