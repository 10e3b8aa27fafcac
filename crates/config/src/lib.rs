//! Configuration: a TOML file and the environment become one validated struct.
//!
//! Every key stands once, in `keys`, with the function that checks and stores its value; the file, the environment twins (`[load] commit_interval` is `ALT_LOAD_COMMIT_INTERVAL`) and the
//! suggestions for misspelt keys all go by these two lists. Invariant: a `Config` that exists is valid, and
//! one that is not comes back as *all* of its problems, each with its place.

mod keys;
#[cfg(test)]
mod tests;
mod value;

use std::collections::BTreeMap;
use std::fmt;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use alt_line::parse::{Spec, Terms};
use anyhow::Context;

pub use self::value::{ArchiveUrl, parse_time};
pub use alt_line::enrich::{GpcPolicy, IpPolicy, Privacy};

/// Where the configuration is looked for without `--config`.
pub const DEFAULT_FILE: &str = "/etc/alt/alt.toml";
/// The log that nginx writes as shipped, and the source without a configuration.
pub const DEFAULT_LOG: &str = "/var/log/nginx/alt/beacon.log";
/// The database without a configuration: the local one, by peer authentication.
pub const DEFAULT_URL: &str = "postgres:///alt?host=/var/run/postgresql";

/// All settings, validated.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// What is followed; at least one.
    pub sources: Vec<Source>,
    /// The database.
    pub postgres: Postgres,
    /// How batches are cut.
    pub load: Load,
    /// Where rotated logs go; nowhere where absent.
    pub archive: Option<Archive>,
    /// How long things are kept.
    pub retention: Retention,
    /// What is kept of a person.
    pub privacy: Privacy,
    /// What was agreed on with those who send.
    pub track: Track,
    /// Classification of user agents.
    pub agents: Agents,
    /// Where the daemon says how it is.
    pub admin: Admin,
}

/// A log, or several of one format, to follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Absolute paths of live logs; globs allowed.
    pub paths: Vec<String>,
    /// `alt1`, `combined`, `common`, or an nginx `log_format` string.
    pub format: String,
    /// The product whose tracking pixel is logged, or how its requests look.
    pub pixel: Option<String>,
    /// Key of the application whose hits these are, for formats that carry none.
    pub app: Option<String>,
    /// Keys of applications by the names of their sites.
    pub sites: BTreeMap<String, String>,
    /// A name for these logs that outlives a move of the files; part of the ids of events without one.
    pub label: Option<String>,
    /// More directories that rotated siblings are moved to; `rotated/` beside the log is always looked at.
    pub rotated: Vec<String>,
}

/// How the database is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Postgres {
    /// A URL or `key=value` pairs, as libpq takes them.
    pub url: String,
    /// A file that holds the password, and nothing else.
    pub password_file: Option<PathBuf>,
}

/// How batches are cut, and how often files are looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Load {
    /// The least time between the starts of two commits of live lines.
    pub commit_interval: Duration,
    /// The most rows in a batch.
    pub batch_rows: usize,
    /// The most bytes of encoded rows in a batch.
    pub batch_bytes: usize,
    /// Time between two looks at the files, whatever wakes the daemon in between.
    pub look_interval: Duration,
    /// How long a rotated file must stand still, beside a successor that has lines, until it counts as
    /// finished.
    pub seal_after: Duration,
    /// The name under which this machine's files are recorded; the hostname where absent.
    pub host: Option<String>,
}

/// Where rotated logs go once they are loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archive {
    /// `s3://BUCKET/PREFIX` or `file:///PATH`.
    pub url: String,
    /// A store beside AWS that speaks its protocol.
    pub endpoint: Option<String>,
    /// Where the bucket is; the environment's or the instance's where absent.
    pub region: Option<String>,
    /// The bucket stands in the path of requests, and not in the host's name.
    pub path_style: bool,
    /// How objects are compressed.
    pub compression: Compression,
    /// How hard; what suits `compression` where absent.
    pub level: Option<u8>,
    /// Local files that are proven to be in the archive are deleted at this age.
    pub delete_after: Duration,
    /// `AES256` or `aws:kms`: what the store encrypts with, if not by its own default.
    pub encryption: Option<String>,
    /// The key for `aws:kms`, if not AWS's own.
    pub kms_key: Option<String>,
    /// `STANDARD_IA` and the like.
    pub storage_class: Option<String>,
    /// Tags of objects.
    pub tags: BTreeMap<String, String>,
}

/// How archive objects are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// In frames with a table, so that one line can be fetched.
    Zstd,
    /// For readers that know nothing else.
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
    /// Rows, by whole monthly partitions; for ever where absent.
    pub rows: Option<Keep>,
    /// Rejected lines.
    pub rejects: Duration,
    /// Rotated logs that are loaded to their end, where there is no archive; for ever where absent.
    pub logs: Option<Duration>,
}

/// A time to keep something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// Calendar months; a year is twelve.
    Months(u32),
    /// A fixed time.
    Time(Duration),
}

impl Keep {
    /// What happened before this (microseconds since 1970) is past keeping at `now`.
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

/// What was agreed on with those who send.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Track {
    /// Addresses and networks whose requests may speak for somebody else (`ip_address`, `user_agent`).
    pub trusted: Vec<String>,
    /// Other names of the pixel's parameters: what they are called, and a parameter's short or long name.
    pub names: BTreeMap<String, String>,
}

impl Track {
    /// As the parser wants it.
    ///
    /// # Errors
    /// A value is wrong, which one that was read from a file is not.
    pub fn terms(&self) -> anyhow::Result<Terms> {
        Terms::parse(&self.trusted, &self.names).map_err(anyhow::Error::msg).context("[track]")
    }
}

/// Classification of user agents.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Agents {
    /// The operator's list of crawlers, in place of the built-in one.
    pub rules: Option<PathBuf>,
}

/// Where the daemon says how it is: `/healthz`, `/readyz`, `/metrics`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admin {
    /// The address that it listens on; `None`: on none.
    pub listen: Option<SocketAddr>,
}

impl Default for Admin {
    fn default() -> Self {
        Admin { listen: Some(SocketAddr::from(([127, 0, 0, 1], 9187))) }
    }
}

impl Default for Source {
    fn default() -> Self {
        Source {
            paths: vec![DEFAULT_LOG.to_owned()],
            format: "alt1".to_owned(),
            pixel: None,
            app: None,
            sites: BTreeMap::new(),
            label: None,
            rotated: Vec::new(),
        }
    }
}

impl Source {
    /// What its lines are.
    pub fn spec(&self) -> Spec {
        Spec {
            format: self.format.clone(),
            pixel: self.pixel.clone(),
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

impl Default for Load {
    fn default() -> Self {
        Load {
            commit_interval: Duration::from_millis(50),
            batch_rows: 20_000,
            batch_bytes: 2 << 20,
            look_interval: Duration::from_millis(500),
            seal_after: Duration::from_secs(60),
            host: None,
        }
    }
}

impl Default for Retention {
    fn default() -> Self {
        Retention { rows: None, rejects: days(30), logs: None }
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
            privacy: Privacy::default(),
            track: Track::default(),
            agents: Agents::default(),
            admin: Admin::default(),
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

/// Everything that is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// What is wrong, and what to do.
    pub what: String,
}

/// Where a problem is; sorted as people read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// A line of the file, from 1.
    Line(usize),
    /// An environment variable.
    Variable(String),
    /// Between keys.
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
    /// Reads `path`, or [`DEFAULT_FILE`] where that exists, and the process's environment.
    ///
    /// # Errors
    /// The file cannot be read (a missing default file is no error), or is not valid.
    pub fn load(path: Option<&Path>) -> anyhow::Result<Config> {
        let file = path.unwrap_or(Path::new(DEFAULT_FILE));
        let text = match std::fs::read_to_string(file) {
            Ok(text) => text,
            Err(e) if e.kind() == ErrorKind::NotFound && path.is_none() => String::new(),
            Err(e) => return Err(e).with_context(|| format!("read configuration {}", file.display())),
        };
        let config = Config::from_str(&text, |name| std::env::var(name).ok());
        let mut problems = config.as_ref().err().map_or_else(Vec::new, |p| p.0.clone());
        problems.extend(std::env::vars_os().filter_map(|(name, _)| keys::unknown_twin(name.to_str()?)));
        match config {
            Ok(config) if problems.is_empty() => Ok(config),
            _ => Err(anyhow::Error::new(Problems(problems))
                .context(format!("configuration {} is not valid", file.display()))),
        }
    }

    /// Reads the text of a configuration; `env` looks up environment variables, which win.
    ///
    /// # Errors
    /// All problems at once.
    pub fn from_str(text: &str, env: impl Fn(&str) -> Option<String>) -> Result<Config, Problems> {
        keys::read(text, &env)
    }
}

const fn days(n: u64) -> Duration {
    Duration::from_secs(n * 86_400)
}
