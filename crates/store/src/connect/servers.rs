//! The servers that a URL names, tried one after the other.
//!
//! A URL may name several servers, and a name may have several addresses. Each address has a time limit of its own, which
//! covers everything from the first packet to the first answer. An address that swallows packets therefore costs its own
//! time only. As in libpq, `target_session_attrs` says which servers will do, and `load_balance_hosts` in which order they
//! are tried. Unlike libpq, the next one is tried after any error.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use alt_process::fault;
use anyhow::{Context, anyhow, bail};
use tokio_postgres::Config;
use tokio_postgres::config::{Host, LoadBalanceHosts};

use super::tls::Tls;
use super::{Address, Connection, Counted, connection};
use crate::{Trouble, classify_any, told};

/// Which session is wanted: the parameter `target_session_attrs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// The parameter is not set: the first of several servers that takes rows; if none does, the first that answers.
    /// The daemon has to write, and after a failover the first server may be a standby.
    Unsaid,
    Any,
    ReadWrite,
    ReadOnly,
    Primary,
    Standby,
    PreferStandby,
}

/// How a session answers what is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fit {
    Fits,
    /// It is used if no other one fits.
    Spare,
    Fails(&'static str),
}

impl Wanted {
    /// Reads the value of the parameter.
    ///
    /// # Errors
    /// The value is unknown.
    pub(super) fn read(value: Option<&str>) -> anyhow::Result<Wanted> {
        Ok(match value {
            None => Wanted::Unsaid,
            Some("any") => Wanted::Any,
            Some("read-write") => Wanted::ReadWrite,
            Some("read-only") => Wanted::ReadOnly,
            Some("primary") => Wanted::Primary,
            Some("standby") => Wanted::Standby,
            Some("prefer-standby") => Wanted::PreferStandby,
            Some(_) => bail!(
                "target_session_attrs in postgres.url is unknown; write read-write, or any, read-only, primary, \
                 standby, prefer-standby"
            ),
        })
    }

    /// Whether the session has to be asked.
    fn asks(self, several: bool) -> bool {
        match self {
            Wanted::Any => false,
            Wanted::Unsaid => several,
            _ => true,
        }
    }

    fn fit(self, is_read_only: bool, is_standby: bool) -> Fit {
        let only_if = |fits: bool, why: &'static str| if fits { Fit::Fits } else { Fit::Fails(why) };
        match self {
            Wanted::Any => Fit::Fits,
            Wanted::Unsaid if is_read_only => Fit::Spare,
            Wanted::PreferStandby if !is_standby => Fit::Spare,
            Wanted::Unsaid | Wanted::PreferStandby => Fit::Fits,
            Wanted::ReadWrite => only_if(!is_read_only, "is read-only, and target_session_attrs=read-write"),
            Wanted::ReadOnly => only_if(is_read_only, "is not read-only, and target_session_attrs=read-only"),
            Wanted::Primary => only_if(!is_standby, "is a standby, and target_session_attrs=primary"),
            Wanted::Standby => only_if(is_standby, "is no standby, and target_session_attrs=standby"),
        }
    }
}

/// One server of a URL.
#[derive(Debug, Clone)]
struct Server {
    host: Option<Host>,
    address: Option<IpAddr>,
    port: u16,
}

/// An attempt that failed: the server, and why.
type Failed = (String, anyhow::Error);

/// Connects to the first server that will do.
///
/// # Errors
/// No server will do. The error names each of them, and why.
pub(super) async fn connect(target: &Address, open: &Arc<AtomicU64>) -> anyhow::Result<Connection> {
    let tls = target.tls.as_ref().map(Tls::new).transpose()?;
    let limit = fault::wait(target.limit);
    let is_random = target.pg.get_load_balance_hosts() == LoadBalanceHosts::Random;
    let mut servers = servers(&target.pg)?;
    if is_random {
        shuffle(&mut servers);
    }
    let (mut spare, mut failed) = (None, Vec::new());
    for server in &servers {
        let mut addresses = match within(limit, server.addresses()).await {
            Ok(addresses) => addresses,
            Err(error) => {
                failed.push((server.name(None), error));
                continue;
            }
        };
        if is_random {
            shuffle(&mut addresses);
        }
        let asks = target.wanted.asks(servers.len() > 1 || addresses.len() > 1);
        for address in addresses {
            let pg = server.only(&target.pg, address);
            let attempt = async {
                let opened = connection(&pg, tls.as_ref(), Counted::new(Arc::clone(open))).await?;
                let fit = if asks { ask(&opened, target.wanted).await? } else { Fit::Fits };
                Ok((opened, fit))
            };
            match within(limit, attempt).await {
                Ok((opened, Fit::Fits)) => return Ok(opened),
                Ok((opened, Fit::Spare)) => spare = spare.or(Some(opened)),
                // A standby may be promoted: this passes, as an error of input and output does.
                Ok((_, Fit::Fails(why))) => {
                    failed.push((server.name(address), std::io::Error::other(why).into()));
                }
                Err(error) => failed.push((server.name(address), error)),
            }
        }
    }
    spare.map_or_else(|| Err(together(failed)), Ok)
}

/// Waits for an attempt no longer than `limit`.
async fn within<T>(limit: Duration, attempt: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let done = tokio::time::timeout(limit, attempt).await;
    done.unwrap_or_else(|late| Err(anyhow::Error::new(late).context(format!("no answer within {limit:?}"))))
}

async fn ask(client: &Connection, wanted: Wanted) -> anyhow::Result<Fit> {
    let sql = "SELECT current_setting('transaction_read_only') = 'on', pg_is_in_recovery()";
    let row = client.query_typed_one(sql, &[]).await.context("ask whether the server takes rows")?;
    Ok(wanted.fit(row.get(0), row.get(1)))
}

/// One error of all attempts. An error that passes decides what the whole is: another attempt may succeed.
fn together(mut failed: Vec<Failed>) -> anyhow::Error {
    let passes = failed.iter().rposition(|(_, error)| classify_any(error) == Trouble::Transient);
    let chosen = passes.unwrap_or(failed.len().saturating_sub(1));
    if failed.is_empty() {
        return anyhow!("postgres.url names no server");
    }
    let (server, error) = failed.remove(chosen);
    if failed.is_empty() {
        return error;
    }
    let mut text = String::new();
    for (server, error) in &failed {
        text += &format!("{server}: {}; ", told(error));
    }
    error.context(text + &server)
}

/// The servers of a URL, in its order.
///
/// # Errors
/// The numbers of hosts, addresses and ports do not match.
fn servers(pg: &Config) -> anyhow::Result<Vec<Server>> {
    let (hosts, addresses, ports) = (pg.get_hosts(), pg.get_hostaddrs(), pg.get_ports());
    let count = hosts.len().max(addresses.len());
    if !hosts.is_empty() && !addresses.is_empty() && hosts.len() != addresses.len() {
        bail!("postgres.url has {} hosts and {} hostaddr; write one for each", hosts.len(), addresses.len());
    }
    if ports.len() > 1 && ports.len() != count {
        bail!("postgres.url has {count} hosts and {} ports; write one port, or one for each", ports.len());
    }
    let server = |i: usize| Server {
        host: hosts.get(i).cloned(),
        address: addresses.get(i).copied(),
        port: ports.get(i).or(ports.first()).copied().unwrap_or(5432),
    };
    Ok((0..count).map(server).collect())
}

impl Server {
    /// The addresses of the server. `None`: a unix socket.
    async fn addresses(&self) -> anyhow::Result<Vec<Option<IpAddr>>> {
        let name = match (&self.host, self.address) {
            (_, Some(address)) => return Ok(vec![Some(address)]),
            (Some(Host::Tcp(name)), None) => name,
            (Some(Host::Unix(_)) | None, None) => return Ok(vec![None]),
        };
        let found = tokio::net::lookup_host((name.as_str(), self.port)).await;
        let found = found.context("the name of the server cannot be resolved: see postgres.url, and DNS")?;
        let mut addresses: Vec<Option<IpAddr>> = found.map(|address| Some(address.ip())).collect();
        addresses.dedup();
        if addresses.is_empty() {
            let none = std::io::Error::from(std::io::ErrorKind::NotFound);
            return Err(anyhow::Error::new(none).context("the name of the server has no address"));
        }
        Ok(addresses)
    }

    /// How the server is named in messages: `db:5432 (192.0.2.1)`.
    fn name(&self, address: Option<IpAddr>) -> String {
        let port = self.port;
        match (&self.host, address.or(self.address)) {
            (Some(Host::Unix(path)), _) => path.display().to_string(),
            (Some(Host::Tcp(name)), Some(address)) if *name != address.to_string() => {
                format!("{name}:{port} ({address})")
            }
            (Some(Host::Tcp(name)), _) => format!("{name}:{port}"),
            (None, Some(address)) => format!("{address}:{port}"),
            (None, None) => String::new(),
        }
    }

    /// The settings of `pg`, for this server alone, without `connect_timeout`, which covers more than the first packets
    /// here.
    fn only(&self, pg: &Config, address: Option<IpAddr>) -> Config {
        let mut one = Config::new();
        match &self.host {
            Some(Host::Tcp(name)) => _ = one.host(name),
            Some(Host::Unix(path)) => _ = one.host_path(path),
            None => {}
        }
        address.map(|address| one.hostaddr(address));
        one.port(self.port);
        pg.get_user().map(|user| one.user(user));
        pg.get_password().map(|password| one.password(password));
        pg.get_dbname().map(|name| one.dbname(name));
        pg.get_options().map(|options| one.options(options));
        pg.get_application_name().map(|name| one.application_name(name));
        pg.get_tcp_user_timeout().map(|timeout| one.tcp_user_timeout(*timeout));
        pg.get_keepalives_interval().map(|interval| one.keepalives_interval(interval));
        pg.get_keepalives_retries().map(|retries| one.keepalives_retries(retries));
        one.keepalives(pg.get_keepalives())
            .keepalives_idle(pg.get_keepalives_idle())
            .ssl_mode(pg.get_ssl_mode())
            .ssl_negotiation(pg.get_ssl_negotiation())
            .channel_binding(pg.get_channel_binding())
            .target_session_attrs(pg.get_target_session_attrs())
            .load_balance_hosts(pg.get_load_balance_hosts());
        one
    }
}

/// Puts the items in a random order.
fn shuffle<T>(items: &mut [T]) {
    for last in (1..items.len()).rev() {
        let mut random = [0u8; 8];
        // Without randomness, the order stays as it is written.
        let chosen = getrandom::fill(&mut random)
            .map_or(last as u64, |()| u64::from_le_bytes(random) % (last as u64 + 1));
        items.swap(last, usize::try_from(chosen).unwrap_or(last));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_keeps_every_setting_of_the_url() {
        let url = "host=db hostaddr=192.0.2.1 port=5433 user=u password=p dbname=d options=-cx=y application_name=a \
                   sslmode=require sslnegotiation=direct tcp_user_timeout=4 keepalives=0 \
                   keepalives_idle=5 keepalives_interval=6 keepalives_retries=7 channel_binding=require \
                   target_session_attrs=read-write load_balance_hosts=random";
        let pg: Config = url.parse().unwrap();
        let servers = servers(&pg).unwrap();
        assert!(servers[0].only(&pg, servers[0].address) == pg);
    }

    #[test]
    fn numbers_of_hosts_addresses_and_ports_have_to_match() {
        let names = |url: &str| {
            let pg: Config = url.parse().unwrap();
            servers(&pg).map(|all| all.iter().map(|one| one.name(None)).collect::<Vec<_>>().join(" "))
        };
        let cases = [
            ("host=a,b", "a:5432 b:5432"),
            ("host=a,b port=1", "a:1 b:1"),
            ("host=a,/run/pg port=1,2", "a:1 /run/pg"),
            ("host=a,192.0.2.2 hostaddr=192.0.2.1,192.0.2.2", "a:5432 (192.0.2.1) 192.0.2.2:5432"),
            ("hostaddr=192.0.2.1,::1 port=1,2", "192.0.2.1:1 ::1:2"),
            ("host=a,b,c port=1,2", "postgres.url has 3 hosts and 2 ports; write one port, or one for each"),
            ("host=a,b hostaddr=192.0.2.1", "postgres.url has 2 hosts and 1 hostaddr; write one for each"),
        ];
        for (url, expected) in cases {
            assert_eq!(names(url).unwrap_or_else(|e| e.to_string()), expected, "{url}");
        }
    }

    #[test]
    fn a_session_fits_what_is_wanted_as_in_libpq() {
        // a primary, a primary whose role only reads, a standby
        let sessions = [(false, false), (true, false), (true, true)];
        let fits = |value: Option<&str>| {
            let wanted = Wanted::read(value).unwrap();
            sessions.map(|(is_read_only, is_standby)| match wanted.fit(is_read_only, is_standby) {
                Fit::Fits => '+',
                Fit::Spare => '?',
                Fit::Fails(_) => '-',
            })
        };
        assert_eq!(fits(None), ['+', '?', '?']);
        assert_eq!(fits(Some("any")), ['+', '+', '+']);
        assert_eq!(fits(Some("read-write")), ['+', '-', '-']);
        assert_eq!(fits(Some("read-only")), ['-', '+', '+']);
        assert_eq!(fits(Some("primary")), ['+', '+', '-']);
        assert_eq!(fits(Some("standby")), ['-', '-', '+']);
        assert_eq!(fits(Some("prefer-standby")), ['?', '?', '+']);
        assert!(Wanted::read(Some("master")).is_err());
    }

    #[test]
    fn a_shuffled_list_keeps_its_items_and_has_every_order() {
        let mut orders = std::collections::BTreeSet::new();
        for _ in 0..1_000 {
            let mut items = [1, 2, 3];
            shuffle(&mut items);
            orders.insert(items);
        }
        assert_eq!(orders.len(), 6);
    }
}
