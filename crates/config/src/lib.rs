//! Configuration: a TOML file and the environment become one validated struct.
//!
//! `keys` lists every key once, with the function that checks and stores its value. The file, the environment
//! variables (`ALT_LOAD_COMMIT_INTERVAL` is `[load] commit_interval`) and the suggestions for misspelt keys use this
//! list. Invariant: a `Config` is always valid; reading one that is not returns *all* of its problems, each with its
//! place.

mod channel;
mod keys;
mod oidc;
mod secret;
#[cfg(test)]
mod tests;
mod value;

use std::collections::BTreeMap;
use std::fmt;
use std::io::{ErrorKind, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use alt_line::parse::{Spec, Terms};
use anyhow::Context;

pub use self::channel::{Channel, ChannelKind, MailTls};
pub use self::oidc::{Oidc, OidcRole};
pub use self::secret::SecretFile;
pub use self::value::{ArchiveUrl, parse_time};
pub use alt_line::enrich::{GpcPolicy, IpPolicy, Privacy};
pub use alt_line::flood::Limits as Flood;

/// The configuration file without `--config`.
pub const DEFAULT_FILE: &str = "/etc/alt/alt.toml";
/// The log that nginx writes with the shipped configuration; the default source.
pub const DEFAULT_LOG: &str = "/var/log/nginx/alt/beacon.log";
/// The default database: the local one, with peer authentication.
pub const DEFAULT_URL: &str = "postgres:///alt?host=/var/run/postgresql";

/// All settings, validated.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The logs to follow; at least one.
    pub sources: Vec<Source>,
    /// The database.
    pub postgres: Postgres,
    /// How batches are cut.
    pub load: Load,
    /// Where rotated logs are archived; `None`: nowhere.
    pub archive: Option<Archive>,
    /// How long things are kept.
    pub retention: Retention,
    /// Statistics by day.
    pub stats: Stats,
    /// What is stored about a visitor.
    pub privacy: Privacy,
    /// What is stored of one network in an hour.
    pub flood: Flood,
    /// Agreements with the senders of events.
    pub track: Track,
    /// Classification of user agents.
    pub agents: Agents,
    /// The admin port.
    pub admin: Admin,
    /// What `alt check` needs to know.
    pub check: Check,
    /// The API (`alt serve`).
    pub web: Web,
    /// What messages about alerts may reach.
    pub alerts: Alerts,
    /// Receivers of messages about alerts.
    pub channels: Vec<Channel>,
}

/// A log, or several of one format, to follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Absolute paths of live logs; globs allowed.
    pub paths: Vec<String>,
    /// `alt1`, `combined`, `common`, or an nginx `log_format` string.
    pub format: String,
    /// The product whose tracking pixel is logged, or the form of its requests.
    pub pixel: Option<String>,
    /// Which requests are events, by their status (`2xx,304`).
    pub status: Option<String>,
    /// Key of the application, for formats without one.
    pub app: Option<String>,
    /// Names of sites, and the keys of their applications.
    pub sites: BTreeMap<String, String>,
    /// A name for these logs that stays when the files are moved; part of the ids that are made for lines without one.
    pub label: Option<String>,
    /// More directories to which rotated siblings are moved, besides `rotated/` beside the log.
    pub rotated: Vec<String>,
}

/// How the database is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Postgres {
    /// A URL or `key=value` pairs, as for libpq.
    pub url: String,
    /// A file that contains the password and nothing else.
    pub password_file: Option<PathBuf>,
}

/// How batches are cut, and how often files are looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Load {
    /// The least time between the starts of two commits of live lines.
    pub commit_interval: Duration,
    /// The most rows in a batch.
    pub batch_rows: usize,
    /// The most bytes of encoded rows in a batch; `None`: a share of what all batches together may take.
    pub batch_bytes: Option<usize>,
    /// How many batches of one backlog or replay are loaded at the same time, each on its own connection: 1 or 2.
    pub connections: usize,
    /// The longest time between two looks at the files.
    pub look_interval: Duration,
    /// How long a rotated file must not change, while its successor has lines, until it counts as finished.
    pub seal_after: Duration,
    /// The name under which this machine's files are recorded; `None`: the hostname.
    pub host: Option<String>,
}

/// Where rotated logs go once they are loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archive {
    /// `s3://BUCKET/PREFIX` or `file:///PATH`.
    pub url: String,
    /// Another store than AWS that has the S3 protocol.
    pub endpoint: Option<String>,
    /// The bucket's region; `None`: the environment's or the instance's.
    pub region: Option<String>,
    /// Requests have the bucket in their path, and not in the host name.
    pub path_style: bool,
    /// How objects are compressed.
    pub compression: Compression,
    /// The level of compression; `None`: the usual one.
    pub level: Option<u8>,
    /// Local files are deleted at this age, if they are proven to be in the archive.
    pub delete_after: Duration,
    /// `AES256` or `aws:kms`: how the store encrypts; `None`: the store's default.
    pub encryption: Option<String>,
    /// The key for `aws:kms`; `None`: AWS's own.
    pub kms_key: Option<String>,
    /// `STANDARD_IA` and others; `None`: the store's default.
    pub storage_class: Option<String>,
    /// The tags of objects.
    pub tags: BTreeMap<String, String>,
}

/// How archive objects are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// In frames with a seek table, so that single lines can be fetched.
    Zstd,
    /// For readers without zstd.
    Gzip,
}

impl Default for Archive {
    fn default() -> Self {
        Archive {
            url: String::new(),
            endpoint: None,
            region: None,
            path_style: false,
            compression: Compression::Zstd,
            level: None,
            delete_after: days(30),
            encryption: None,
            kms_key: None,
            storage_class: None,
            tags: BTreeMap::new(),
        }
    }
}

/// How long things are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retention {
    /// Rows, by whole monthly partitions; `None`: for ever.
    pub rows: Option<Keep>,
    /// Rejected lines.
    pub rejects: Duration,
    /// Rotated logs that are loaded to their end, if there is no archive; `None`: for ever.
    pub logs: Option<Duration>,
    /// Statistics of days; `None`: for ever.
    pub statistics: Option<Keep>,
}

/// Statistics by application and local day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Whether they are computed.
    pub enabled: bool,
}

/// How long to keep something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// Calendar months; a year is twelve.
    Months(u32),
    /// A fixed time.
    Time(Duration),
}

impl Keep {
    /// The time (microseconds since 1970) before which nothing is kept any more at `now`.
    pub fn before(&self, now: i64) -> i64 {
        let span = match self {
            Keep::Months(months) => jiff::Span::new().months(i64::from(*months)),
            Keep::Time(time) => {
                return now.saturating_sub(i64::try_from(time.as_micros()).unwrap_or(i64::MAX));
            }
        };
        jiff::Timestamp::from_microsecond(now)
            .and_then(|at| at.to_zoned(jiff::tz::TimeZone::UTC).checked_sub(span))
            .map_or(i64::MIN, |at| at.timestamp().as_microsecond())
    }
}

/// Agreements with the senders of events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Track {
    /// Addresses and networks whose requests may name the visitor (`ip_address`, `user_agent`).
    pub trusted: Vec<String>,
    /// Other names of the pixel's parameters, each with the short or long name of its parameter.
    pub names: BTreeMap<String, String>,
}

impl Track {
    /// As the parser needs them.
    ///
    /// # Errors
    /// A value is wrong; values that were read from a file never are.
    pub fn terms(&self) -> anyhow::Result<Terms> {
        Terms::parse(&self.trusted, &self.names).map_err(anyhow::Error::msg).context("[track]")
    }
}

/// Classification of user agents.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Agents {
    /// The operator's list of crawlers, instead of the built-in one.
    pub rules: Option<PathBuf>,
}

/// What messages about alerts may reach.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Alerts {
    /// Whether rules are judged and messages are sent.
    pub enabled: bool,
    /// Receivers inside the network, or without TLS, to which messages may be sent all the same.
    pub allow: Vec<SocketAddr>,
}

/// What `alt check` needs to know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Check {
    /// Findings that are known and stay: the name of the kind, or `KIND PLACE`.
    pub accepted: Vec<String>,
    /// The names that pages send beacons to, each with a port, if need be; empty: those of nginx's sites.
    pub hosts: Vec<String>,
}

/// The admin port: `/healthz`, `/readyz`, `/metrics`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admin {
    /// The address to listen on; `None`: there is no admin port.
    pub listen: Option<SocketAddr>,
    /// Host names under which the port may be asked, besides addresses and `localhost`.
    pub hosts: Vec<String>,
}

impl Default for Admin {
    fn default() -> Self {
        Admin { listen: Some(SocketAddr::from(([127, 0, 0, 1], 9187))), hosts: Vec::new() }
    }
}

/// Where the API listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listen {
    /// An address of TCP.
    Address(SocketAddr),
    /// The absolute path of a Unix socket.
    Socket(PathBuf),
}

/// The API: `alt serve`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Web {
    /// Where it listens.
    pub listen: Listen,
    /// Its own admin port (`/healthz`, `/readyz`, `/metrics`); `None`: there is none.
    pub admin: Option<SocketAddr>,
    /// The address under which people reach it, without a slash at its end; `None`: not known.
    pub public_url: Option<String>,
    /// A standby, which answers what only reads; `None`: `[postgres] url` does.
    pub read_url: Option<String>,
    /// The most connections to the database.
    pub connections: usize,
    /// The most connections of clients at once.
    pub clients: usize,
    /// The most requests of one token or share in a minute.
    pub requests_per_minute: usize,
    /// Memory for what questions read, for the next ones: sums of days, and segments of days.
    pub cache_bytes: usize,
    /// A provider by which people sign in; `None`: there is none.
    pub oidc: Option<Oidc>,
    /// The keys that seal the secrets which the database keeps; `None`: those of the credential `web_key`, if there is one.
    pub key_file: Option<SecretFile>,
}

impl Default for Web {
    fn default() -> Self {
        Web {
            listen: Listen::Address(SocketAddr::from(([127, 0, 0, 1], 8600))),
            admin: Some(SocketAddr::from(([127, 0, 0, 1], 9188))),
            public_url: None,
            read_url: None,
            connections: 8,
            clients: 1024,
            requests_per_minute: 600,
            cache_bytes: 64 << 20,
            oidc: None,
            key_file: None,
        }
    }
}

impl Default for Source {
    fn default() -> Self {
        Source {
            paths: vec![DEFAULT_LOG.to_owned()],
            format: "alt1".to_owned(),
            pixel: None,
            status: None,
            app: None,
            sites: BTreeMap::new(),
            label: None,
            rotated: Vec::new(),
        }
    }
}

impl Source {
    /// The description of its lines.
    pub fn spec(&self) -> Spec {
        Spec {
            format: self.format.clone(),
            pixel: self.pixel.clone(),
            status: self.status.clone(),
            app: self.app.clone(),
            sites: self.sites.clone(),
            label: self.label.clone(),
        }
    }
}

impl Default for Postgres {
    fn default() -> Self {
        Postgres { url: DEFAULT_URL.to_owned(), password_file: None }
    }
}

/// What the encoded rows of all batches together take at most, if `batch_bytes` says nothing else.
const BATCHES_BYTES: usize = 36 << 20;

/// The least share of a batch.
const BATCH_BYTES_MIN: usize = 256 << 10;

impl Load {
    /// The most bytes of encoded rows in a batch, where there are so many batches at the same time.
    pub fn bytes_of_a_batch(&self, batches: usize) -> usize {
        self.batch_bytes.unwrap_or_else(|| (BATCHES_BYTES / batches.max(1)).max(BATCH_BYTES_MIN))
    }
}

impl Default for Load {
    fn default() -> Self {
        Load {
            commit_interval: Duration::from_millis(50),
            batch_rows: 20_000,
            batch_bytes: None,
            connections: 2,
            look_interval: Duration::from_millis(500),
            seal_after: Duration::from_secs(60),
            host: None,
        }
    }
}

impl Default for Retention {
    fn default() -> Self {
        Retention { rows: None, rejects: days(30), logs: None, statistics: None }
    }
}

impl Default for Config {
    fn default() -> Self {
        Config {
            sources: vec![Source::default()],
            postgres: Postgres::default(),
            load: Load::default(),
            archive: None,
            retention: Retention::default(),
            stats: Stats::default(),
            privacy: Privacy::default(),
            track: Track::default(),
            flood: Flood::default(),
            agents: Agents::default(),
            admin: Admin::default(),
            check: Check::default(),
            web: Web::default(),
            alerts: Alerts::default(),
            channels: Vec::new(),
        }
    }
}

impl Load {
    /// The name under which this machine's files are recorded.
    pub fn host_name(&self) -> String {
        self.host.clone().unwrap_or_else(|| {
            nix::unistd::gethostname()
                .map_or_else(|_| "localhost".to_owned(), |name| name.to_string_lossy().into_owned())
        })
    }
}

/// All problems of a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

/// A problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// What is wrong, and what to do.
    pub what: String,
}

/// Where a problem is, in the order in which problems are shown.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// A line of the file, from 1.
    Line(usize),
    /// An environment variable.
    Variable(String),
    /// The file as a whole.
    Whole,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Line(line) => write!(f, "line {line}: {}", self.what),
            Place::Variable(name) => write!(f, "{name}: {}", self.what),
            Place::Whole => f.write_str(&self.what),
        }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

impl std::error::Error for Problems {}

impl Config {
    /// Reads `path`, or [`DEFAULT_FILE`] if it exists, and the environment of the process.
    ///
    /// # Errors
    /// The file cannot be read (a missing default file is no error), or it is not valid.
    pub fn load(path: Option<&Path>) -> anyhow::Result<Config> {
        let file = path.unwrap_or(Path::new(DEFAULT_FILE));
        let text = match text_of(file) {
            Ok(text) => text,
            Err(e) if e.kind() == ErrorKind::NotFound && path.is_none() => String::new(),
            Err(e) => return Err(e).with_context(|| format!("read configuration {}", file.display())),
        };
        let config = Config::from_str(&text, |name| std::env::var(name).ok());
        let mut problems = config.as_ref().err().map_or_else(Vec::new, |p| p.0.clone());
        problems.extend(std::env::vars_os().filter_map(|(name, _)| keys::unknown_variable(name.to_str()?)));
        match config {
            Ok(config) if problems.is_empty() => Ok(config),
            _ => Err(anyhow::Error::new(Problems(problems))
                .context(format!("configuration {} is not valid", file.display()))),
        }
    }

    /// Reads the text of a configuration. `env` looks up environment variables, which override the text.
    ///
    /// # Errors
    /// All problems of the configuration.
    pub fn from_str(text: &str, env: impl Fn(&str) -> Option<String>) -> Result<Config, Problems> {
        keys::read(text, &env)
    }
}

/// The text of a file; of one that is too large, such as a device that never ends, only as much as shows that.
fn text_of(file: &Path) -> std::io::Result<String> {
    let mut text = Vec::new();
    std::fs::File::open(file)?.take(keys::BYTES_MAX as u64 + 1).read_to_end(&mut text)?;
    String::from_utf8(text).map_err(|_| std::io::Error::new(ErrorKind::InvalidData, "it is not UTF-8"))
}

const fn days(n: u64) -> Duration {
    Duration::from_secs(n * 86_400)
}
