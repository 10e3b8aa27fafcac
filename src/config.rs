//! Configuration: a TOML file and the environment become one validated struct.
//!
//! Every key stands once, in `KEYS` (or `SOURCE_KEYS`), with the function that checks and stores its
//! value; the file, the environment twins (`[load] commit_interval` is `ALT_LOAD_COMMIT_INTERVAL`) and the
//! suggestions for misspelt keys all go by these two lists. Invariant: a `Config` that exists is valid, and
//! one that is not comes back as *all* of its problems, each with its place.

use std::collections::BTreeMap;
use std::fmt;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use toml::de::{DeTable, DeValue};

pub use crate::pure::enrich::{GpcPolicy, IpPolicy, Privacy};
use crate::pure::parse::{Format, Pixel, Spec, Trusted};
use crate::pure::sites;

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
    /// The JSON endpoint.
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

/// The JSON endpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Track {
    /// Addresses and networks whose requests may speak for somebody else (`ip_address`, `user_agent`).
    pub trusted: Vec<String>,
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
        problems.extend(std::env::vars_os().filter_map(|(name, _)| unknown_twin(name.to_str()?)));
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
        let mut reading = Reading { text, problems: Vec::new() };
        let config = reading.config(&env);
        reading.problems.sort_by(|a, b| a.place.cmp(&b.place));
        if reading.problems.is_empty() { Ok(config) } else { Err(Problems(reading.problems)) }
    }
}

/// A value as it was given, before anybody knows what it should be.
enum Given {
    Text(String),
    List(Vec<String>),
    Pairs(Vec<(String, String)>),
}

/// Checks a value and stores it; the error says what it should have been.
type Set<T> = fn(&mut T, &Given) -> Result<(), String>;

/// Every key outside `[[source]]`: section, key, and how it is checked and stored.
const KEYS: &[(&str, &str, Set<Config>)] = &[
    ("postgres", "url", |c, v| v.text().map(|text| c.postgres.url = text)),
    ("postgres", "password_file", |c, v| v.path().map(|path| c.postgres.password_file = Some(path))),
    ("load", "commit_interval", |c, v| {
        v.time_in(Duration::ZERO, Duration::from_secs(60)).map(|time| c.load.commit_interval = time)
    }),
    ("load", "batch_rows", |c, v| v.count_in(1, 200_000).map(|rows| c.load.batch_rows = rows)),
    ("load", "batch_bytes", |c, v| v.size_in(64 << 10, 64 << 20).map(|bytes| c.load.batch_bytes = bytes)),
    ("load", "look_interval", |c, v| {
        v.time_in(Duration::from_millis(10), Duration::from_secs(60)).map(|time| c.load.look_interval = time)
    }),
    ("load", "seal_after", |c, v| {
        v.time_in(Duration::from_millis(100), days(7)).map(|time| c.load.seal_after = time)
    }),
    ("load", "host", |c, v| v.text().map(|text| c.load.host = Some(text))),
    ("archive", "url", |c, v| v.checked(archive_url).map(|url| archive(c).url = url)),
    ("archive", "endpoint", |c, v| v.checked(endpoint).map(|url| archive(c).endpoint = Some(url))),
    ("archive", "region", |c, v| v.text().map(|region| archive(c).region = Some(region))),
    ("archive", "path_style", |c, v| {
        v.one_of(&[("true", true), ("false", false)]).map(|yes| archive(c).path_style = yes)
    }),
    ("archive", "compression", |c, v| {
        let words = [("zstd", Compression::Zstd), ("gzip", Compression::Gzip)];
        v.one_of(&words).map(|compression| archive(c).compression = compression)
    }),
    ("archive", "level", |c, v| v.count_in(1, 19).map(|level| archive(c).level = u8::try_from(level).ok())),
    ("archive", "delete_after", |c, v| {
        v.time_in(Duration::ZERO, days(36_500)).map(|time| archive(c).delete_after = time)
    }),
    ("archive", "encryption", |c, v| {
        let words = [("AES256", "AES256"), ("aws:kms", "aws:kms"), ("aws:kms:dsse", "aws:kms:dsse")];
        v.one_of(&words).map(|word| archive(c).encryption = Some(word.to_owned()))
    }),
    ("archive", "kms_key", |c, v| v.text().map(|key| archive(c).kms_key = Some(key))),
    ("archive", "storage_class", |c, v| {
        v.checked(storage_class).map(|class| archive(c).storage_class = Some(class))
    }),
    ("archive", "tags", |c, v| v.pairs().map(|tags| archive(c).tags = tags)),
    ("retention", "rows", |c, v| v.keep().map(|keep| c.retention.rows = Some(keep))),
    ("retention", "rejects", |c, v| v.time_in(days(1), days(36_500)).map(|time| c.retention.rejects = time)),
    ("retention", "logs", |c, v| {
        v.time_in(Duration::ZERO, days(36_500)).map(|time| c.retention.logs = Some(time))
    }),
    ("privacy", "ip", |c, v| {
        let words = [("truncate", IpPolicy::Truncate), ("full", IpPolicy::Full), ("drop", IpPolicy::Drop)];
        v.one_of(&words).map(|policy| c.privacy.ip = policy)
    }),
    ("privacy", "gpc", |c, v| {
        let words =
            [("anonymous", GpcPolicy::Anonymous), ("ignore", GpcPolicy::Ignore), ("drop", GpcPolicy::Drop)];
        v.one_of(&words).map(|policy| c.privacy.gpc = policy)
    }),
    ("track", "trusted", |c, v| v.list_of(network).map(|list| c.track.trusted = list)),
    ("admin", "listen", |c, v| v.listen().map(|address| c.admin.listen = address)),
    ("agents", "rules", |c, v| v.path().map(|path| c.agents.rules = Some(path))),
];

/// Every key of a `[[source]]`.
const SOURCE_KEYS: &[(&str, Set<Source>)] = &[
    ("paths", |s, v| {
        let paths = v.list_of(log_path)?;
        if paths.is_empty() {
            return Err("names no log; write the path of one".to_owned());
        }
        s.paths = paths;
        Ok(())
    }),
    ("format", |s, v| {
        s.format = v.text()?;
        Format::compile(&s.format).map(|_| ()).map_err(|e| format!("cannot be compiled: {e}"))
    }),
    ("pixel", |s, v| {
        let pixel = v.text()?;
        Pixel::compile(&pixel).map_err(|e| format!("cannot be compiled: {e}"))?;
        s.pixel = Some(pixel);
        Ok(())
    }),
    ("app", |s, v| v.text().map(|text| s.app = Some(text))),
    ("sites", |s, v| v.sites().map(|sites| s.sites = sites)),
    ("label", |s, v| v.text().map(|text| s.label = Some(text))),
    ("rotated", |s, v| v.list_of(absolute).map(|list| s.rotated = list)),
];

struct Reading<'a> {
    text: &'a str,
    problems: Vec<Problem>,
}

impl Reading<'_> {
    fn config(&mut self, env: &dyn Fn(&str) -> Option<String>) -> Config {
        let mut config = Config::default();
        let (table, errors) = DeTable::parse_recoverable(self.text);
        for e in &errors {
            let at = e.span().map_or(0, |span| span.start);
            self.problem(at, e.message().replace('\n', " "));
        }
        if errors.is_empty() {
            self.table(table.get_ref(), &mut config);
        }
        self.environment(env, &mut config);
        self.sources(&config.sources);
        self.archive(&config);
        config
    }

    fn table(&mut self, table: &DeTable<'_>, config: &mut Config) {
        for (key, value) in table {
            let (section, at) = (key.get_ref().as_ref(), key.span().start);
            match value.get_ref() {
                DeValue::Array(tables) if section == "source" => {
                    config.sources.clear();
                    for table in tables {
                        let mut source = Source::default();
                        match table.get_ref().as_table() {
                            Some(table) => self.keys(table, "source", SOURCE_KEYS, &mut source),
                            None => self.problem(table.span().start, "a source is a [[source]] table"),
                        }
                        config.sources.push(source);
                    }
                    if config.sources.is_empty() {
                        self.problem(at, "names no source; write a [[source]]");
                    }
                }
                _ if section == "source" => self.problem(at, "there may be several: write [[source]]"),
                DeValue::Table(table) if sections().any(|known| known == section) => {
                    let keys: Vec<(&str, Set<Config>)> =
                        KEYS.iter().filter(|k| k.0 == section).map(|k| (k.1, k.2)).collect();
                    self.keys(table, section, &keys, config);
                }
                _ if sections().any(|known| known == section) => {
                    self.problem(at, format!("`{section}` is a table: write [{section}]"));
                }
                _ => {
                    let known: Vec<&str> = std::iter::once("source").chain(sections()).collect();
                    self.problem(at, format!("unknown key `{section}`; {}", nearest(section, &known)));
                }
            }
        }
    }

    fn keys<T>(&mut self, table: &DeTable<'_>, section: &str, keys: &[(&str, Set<T>)], into: &mut T) {
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            let Some((_, set)) = keys.iter().find(|known| known.0 == name) else {
                let known: Vec<&str> = keys.iter().map(|k| k.0).collect();
                let hint = nearest(name, &known);
                self.problem(key.span().start, format!("unknown key `{name}` in [{section}]; {hint}"));
                continue;
            };
            if let Err(what) = given(value.get_ref()).and_then(|given| set(into, &given)) {
                self.problem(value.span().start, format!("`{name}` in [{section}] {what}"));
            }
        }
    }

    fn environment(&mut self, env: &dyn Fn(&str) -> Option<String>, config: &mut Config) {
        for (section, key, set) in KEYS {
            let twin = twin(section, key);
            if let Some(text) = env(&twin)
                && let Err(what) = set(config, &Given::Text(text))
            {
                self.problems.push(Problem { place: Place::Variable(twin), what });
            }
        }
        for (key, set) in SOURCE_KEYS {
            let twin = twin("source", key);
            let Some(text) = env(&twin) else { continue };
            let outcome = match config.sources.as_mut_slice() {
                [source] => set(source, &Given::Text(text)),
                _ => Err("the file has several sources; change them there".to_owned()),
            };
            if let Err(what) = outcome {
                self.problems.push(Problem { place: Place::Variable(twin), what });
            }
        }
    }

    /// What can be wrong between sources, and between the keys of one.
    fn sources(&mut self, sources: &[Source]) {
        let mut seen: Vec<&str> = Vec::new();
        for path in sources.iter().flat_map(|source| &source.paths) {
            if seen.contains(&path.as_str()) {
                let what = format!("{path} is named twice; a log has one source");
                self.problems.push(Problem { place: Place::Whole, what });
            }
            seen.push(path);
        }
        for source in sources {
            // what is wrong with a format is said already
            let Ok(format) = Format::compile(&source.format) else { continue };
            let spec = source.spec();
            if let Err(e) = Format::of(&spec) {
                let what = format!(
                    "the source of {} has the wrong `{}`: {}",
                    source.paths.join(", "),
                    e.part,
                    e.what
                );
                self.problems.push(Problem { place: Place::Whole, what });
            }
            if !format.carries_app() && !spec.names_app() {
                let what = format!(
                    "the source of {} needs `app` or `sites`: its format `{}` does not say whose hits these are",
                    source.paths.join(", "),
                    source.format
                );
                self.problems.push(Problem { place: Place::Whole, what });
            }
        }
    }

    /// What can be wrong between the keys of the archive.
    fn archive(&mut self, config: &Config) {
        let Some(archive) = &config.archive else { return };
        let mut problem =
            |what: &str| self.problems.push(Problem { place: Place::Whole, what: what.to_owned() });
        if archive.url.is_empty() {
            problem("[archive] needs `url`; leave the section out to archive nothing");
        }
        if archive.compression == Compression::Gzip && archive.level.is_some_and(|level| level > 9) {
            problem("`level` in [archive] is a number from 1 to 9 for gzip");
        }
        if archive.kms_key.is_some() && archive.encryption.as_deref().is_none_or(|how| how == "AES256") {
            problem("`kms_key` in [archive] needs encryption = \"aws:kms\"");
        }
    }

    fn problem(&mut self, at: usize, what: impl Into<String>) {
        let line =
            1 + self.text.as_bytes()[..at.min(self.text.len())].iter().filter(|b| **b == b'\n').count();
        self.problems.push(Problem { place: Place::Line(line), what: what.into() });
    }
}

fn given(value: &DeValue<'_>) -> Result<Given, String> {
    match value {
        DeValue::String(text) => Ok(Given::Text(text.as_ref().to_owned())),
        DeValue::Integer(number) => Ok(Given::Text(number.to_string())),
        DeValue::Boolean(yes) => Ok(Given::Text(yes.to_string())),
        DeValue::Array(list) => list
            .iter()
            .map(|item| item.get_ref().as_str().map(str::to_owned))
            .collect::<Option<Vec<_>>>()
            .map(Given::List)
            .ok_or_else(|| "is a list of strings".to_owned()),
        DeValue::Table(table) => table
            .iter()
            .map(|(name, item)| Some((name.get_ref().to_string(), item.get_ref().as_str()?.to_owned())))
            .collect::<Option<Vec<_>>>()
            .map(Given::Pairs)
            .ok_or_else(|| "is a table of strings".to_owned()),
        other => Err(format!("cannot be a {}", other.type_str())),
    }
}

impl Given {
    fn text(&self) -> Result<String, String> {
        match self {
            Given::Text(text) if text.is_empty() => Err("is empty; leave it out or give a value".to_owned()),
            Given::Text(text) if text.contains('\0') => Err("holds a NUL byte".to_owned()),
            Given::Text(text) => Ok(text.clone()),
            Given::List(_) => Err("is one value, not a list".to_owned()),
            Given::Pairs(_) => Err("is one value, not a table".to_owned()),
        }
    }

    /// A text that passes a check.
    fn checked(&self, check: fn(&str) -> Result<(), String>) -> Result<String, String> {
        let text = self.text()?;
        check(&text).map(|()| text)
    }

    fn path(&self) -> Result<PathBuf, String> {
        let text = self.text()?;
        absolute(&text)?;
        Ok(PathBuf::from(text))
    }

    /// A list; an environment variable separates with commas.
    fn list_of(&self, check: fn(&str) -> Result<(), String>) -> Result<Vec<String>, String> {
        let list: Vec<String> = match self {
            Given::List(list) => list.clone(),
            Given::Text(text) => {
                text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
            }
            Given::Pairs(_) => return Err("is a list, not a table".to_owned()),
        };
        list.iter().try_for_each(|item| check(item))?;
        Ok(list)
    }

    /// Names and values: a table, or a list of `NAME=VALUE`.
    fn pairs(&self) -> Result<BTreeMap<String, String>, String> {
        match self {
            Given::Pairs(pairs) => Ok(pairs.iter().cloned().collect()),
            _ => {
                let pair = |item: &String| {
                    let (name, value) = item.split_once('=')?;
                    Some((name.trim().to_owned(), value.trim().to_owned()))
                };
                let pairs = self.list_of(|_| Ok(()))?.iter().map(pair).collect::<Option<_>>();
                pairs.ok_or_else(|| "is a table, or a list of NAME=VALUE".to_owned())
            }
        }
    }

    /// Names of sites and keys of applications: a table, or a list of `NAME=KEY`.
    fn sites(&self) -> Result<BTreeMap<String, String>, String> {
        let wrong = |what: String| format!("has a wrong entry: {what}");
        let pairs = match self {
            Given::Pairs(pairs) => pairs.clone(),
            _ => {
                let list = self.list_of(|_| Ok(()))?;
                list.iter().map(|item| sites::pair(item)).collect::<Result<_, _>>().map_err(wrong)?
            }
        };
        let mut all = BTreeMap::new();
        for (name, key) in pairs {
            sites::check(&name, &key).map_err(wrong)?;
            if all.insert(name.clone(), key).is_some() {
                return Err(format!("has `{name}` twice; a site has one application"));
            }
        }
        Ok(all)
    }

    fn count_in(&self, least: usize, most: usize) -> Result<usize, String> {
        let text = self.text()?;
        let count = text.replace('_', "").parse().ok().filter(|n| (least..=most).contains(n));
        count.ok_or_else(|| format!("is a number from {least} to {most}, not `{text}`"))
    }

    fn size_in(&self, least: usize, most: usize) -> Result<usize, String> {
        let text = self.text()?;
        let size = parse_size(&text).filter(|n| (least..=most).contains(n));
        size.ok_or_else(|| {
            format!("is a size from {} KiB to {} MiB (\"2 MiB\"), not `{text}`", least >> 10, most >> 20)
        })
    }

    fn time_in(&self, least: Duration, most: Duration) -> Result<Duration, String> {
        let text = self.text()?;
        let time = parse_time(&text).filter(|time| (least..=most).contains(time));
        time.ok_or_else(|| {
            format!("is a time from {least:?} to {most:?} (\"50ms\", \"30s\", \"30d\"), not `{text}`")
        })
    }

    /// An address to listen on, or `off`.
    fn listen(&self) -> Result<Option<SocketAddr>, String> {
        let text = self.text()?;
        let address = if text == "off" { Some(None) } else { text.parse().ok().map(Some) };
        address.ok_or_else(|| format!("is ADDRESS:PORT (\"127.0.0.1:9187\") or \"off\", not `{text}`"))
    }

    fn keep(&self) -> Result<Keep, String> {
        let text = self.text()?;
        let (number, unit) = number_and_unit(&text).unwrap_or((0, ""));
        let keep = match unit {
            "month" | "months" => Some(Keep::Months(number)),
            "y" | "year" | "years" => number.checked_mul(12).map(Keep::Months),
            _ => parse_time(&text).filter(|time| *time >= days(1)).map(Keep::Time),
        };
        keep.filter(|_| number > 0)
            .ok_or_else(|| format!("is a time of a day or more (\"13 months\", \"90d\"), not `{text}`"))
    }

    fn one_of<T: Copy>(&self, words: &[(&str, T)]) -> Result<T, String> {
        let text = self.text()?;
        words.iter().find(|word| word.0 == text).map(|word| word.1).ok_or_else(|| {
            let words: Vec<&str> = words.iter().map(|word| word.0).collect();
            format!("is one of {}, not `{text}`", words.join(", "))
        })
    }
}

fn absolute(path: &str) -> Result<(), String> {
    if path.starts_with('/') && !path.contains('\0') {
        Ok(())
    } else {
        Err(format!("holds absolute paths, which `{path}` is not"))
    }
}

/// The archive's settings, begun where there are none.
fn archive(config: &mut Config) -> &mut Archive {
    config.archive.get_or_insert_default()
}

fn archive_url(text: &str) -> Result<(), String> {
    let is_s3 = text.strip_prefix("s3://").is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'));
    if is_s3 || text.strip_prefix("file://").is_some_and(|path| path.starts_with('/')) {
        return Ok(());
    }
    Err(format!("is s3://BUCKET/PREFIX or file:///PATH, not `{text}`"))
}

fn storage_class(text: &str) -> Result<(), String> {
    match text {
        // After a crash an object is read back, to be proven.
        "GLACIER" | "DEEP_ARCHIVE" => Err(format!(
            "is a class from which objects can be read at once, not `{text}`; let a lifecycle rule move them there"
        )),
        _ => Ok(()),
    }
}

fn endpoint(text: &str) -> Result<(), String> {
    match url::Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(()),
        _ => Err(format!("is a URL (\"https://s3.example.com\"), not `{text}`")),
    }
}

fn log_path(path: &str) -> Result<(), String> {
    absolute(path)?;
    glob::Pattern::new(path).map(|_| ()).map_err(|e| format!("holds `{path}`, which is no pattern: {e}"))
}

fn network(text: &str) -> Result<(), String> {
    Trusted::parse(&[text.to_owned()]).map(|_| ()).map_err(|what| format!("is a list of networks: {what}"))
}

const fn days(n: u64) -> Duration {
    Duration::from_secs(n * 86_400)
}

fn number_and_unit(text: &str) -> Option<(u32, &str)> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    Some((text[..end].parse().ok()?, text[end..].trim()))
}

/// A time with its unit: `50ms`, `2 s`, `5m`, `1h`, `30d`, `2 weeks`.
pub fn parse_time(text: &str) -> Option<Duration> {
    let (number, unit) = number_and_unit(text)?;
    let unit_ms: u64 = match unit {
        "ms" => 1,
        "s" | "second" | "seconds" => 1_000,
        "m" | "min" | "minute" | "minutes" => 60_000,
        "h" | "hour" | "hours" => 3_600_000,
        "d" | "day" | "days" => 86_400_000,
        "w" | "week" | "weeks" => 7 * 86_400_000,
        _ => return None,
    };
    Some(Duration::from_millis(u64::from(number) * unit_ms))
}

fn parse_size(text: &str) -> Option<usize> {
    if let Ok(bytes) = text.trim().replace('_', "").parse() {
        return Some(bytes);
    }
    let (number, unit) = number_and_unit(text)?;
    let shift = match unit {
        "B" => 0,
        "KiB" => 10,
        "MiB" => 20,
        _ => return None,
    };
    usize::try_from(number).ok()?.checked_mul(1 << shift)
}

fn sections() -> impl Iterator<Item = &'static str> {
    let mut last = "";
    KEYS.iter().filter_map(move |key| {
        let new = key.0 != last;
        last = key.0;
        new.then_some(key.0)
    })
}

fn twin(section: &str, key: &str) -> String {
    format!("ALT_{section}_{key}").to_ascii_uppercase()
}

/// A variable that looks like a setting and is none.
fn unknown_twin(name: &str) -> Option<Problem> {
    let rest = name.strip_prefix("ALT_")?;
    let section = std::iter::once("source")
        .chain(sections())
        .find(|section| rest.starts_with(&format!("{section}_").to_ascii_uppercase()))?;
    let known: Vec<String> = KEYS
        .iter()
        .filter(|key| key.0 == section)
        .map(|key| twin(section, key.1))
        .chain(SOURCE_KEYS.iter().filter(|_| section == "source").map(|key| twin(section, key.0)))
        .collect();
    if known.iter().any(|twin| twin == name) {
        return None;
    }
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    Some(Problem {
        place: Place::Variable(name.to_owned()),
        what: format!("is no setting; {}", nearest(name, &known)),
    })
}

/// `did you mean …`, or all that there is.
fn nearest(word: &str, known: &[&str]) -> String {
    let best = known.iter().map(|candidate| (distance(word, candidate), *candidate)).min();
    match best {
        Some((steps, candidate)) if steps <= 1 + word.chars().count() / 3 => {
            format!("did you mean `{candidate}`?")
        }
        _ => format!("known are {}", known.join(", ")),
    }
}

/// How many insertions, deletions, replacements and swaps of neighbours make `b` of `a`.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHIPPED: &str = include_str!("../systemd/alt.toml");

    fn read(text: &str) -> Config {
        Config::from_str(text, |_| None).unwrap()
    }

    fn problems(text: &str, env: &[(&str, &str)]) -> String {
        let env = |name: &str| env.iter().find(|pair| pair.0 == name).map(|pair| pair.1.to_owned());
        Config::from_str(text, env).unwrap_err().to_string().trim_start_matches('\n').to_owned()
    }

    #[test]
    fn nothing_said_is_the_default() {
        assert_eq!(read(""), Config::default());
        assert_eq!(read(SHIPPED), Config::default());
    }

    /// The shipped file with the comment sign taken from every line that holds a key.
    fn uncommented() -> String {
        let is_key = |line: &&str| {
            let key = line.split('=').next().unwrap_or("");
            line.contains(" = ") && key.trim().bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
        };
        SHIPPED
            .lines()
            .map(|line| line.strip_prefix("# ").filter(is_key).unwrap_or(line))
            // some keys are for other formats only
            .map(|line| if line == "format = \"alt1\"" { "format = \"combined\"" } else { line })
            .fold(String::new(), |text, line| text + line + "\n")
    }

    #[test]
    fn the_shipped_file_shows_every_key_once_and_all_of_them_parse() {
        let text = uncommented();
        read(&text);
        let table = DeTable::parse(&text).unwrap();
        for (section, key, _) in KEYS {
            let section = table.get_ref().get(*section).and_then(|s| s.get_ref().as_table());
            assert!(section.is_some_and(|s| s.contains_key(*key)), "{key} is missing in systemd/alt.toml");
        }
        let sources = table.get_ref().get("source").and_then(|s| s.get_ref().as_array()).unwrap();
        let source = sources.iter().next().unwrap().get_ref().as_table().unwrap();
        for (key, _) in SOURCE_KEYS {
            assert!(source.contains_key(*key), "{key} is missing in systemd/alt.toml");
        }
    }

    #[test]
    fn values_are_typed() {
        let config = read(
            r#"
            [[source]]
            paths = ["/var/log/nginx/alt/beacon.log", "/srv/*/log/beacon.log"]
            [[source]]
            paths = ["/var/log/nginx/access.log"]
            format = '$remote_addr [$time_local] "$request" $status'
            pixel = "matomo"
            app = "KEY"
            sites = { "1" = "SHOP", "*.example.com" = "BLOG" }
            label = "shop"
            rotated = ["/srv/old"]
            [postgres]
            url = "host=db.example.net user=alt"
            password_file = "/etc/alt/password"
            [load]
            commit_interval = "1 s"
            batch_rows = 500
            batch_bytes = "4 MiB"
            look_interval = "250ms"
            seal_after = "2m"
            host = "web-1"
            [archive]
            url = "s3://bucket/a/prefix"
            endpoint = "https://s3.example.com"
            region = "eu-central-1"
            path_style = true
            compression = "gzip"
            level = 7
            delete_after = "0s"
            encryption = "aws:kms"
            kms_key = "alias/logs"
            storage_class = "STANDARD_IA"
            tags = { "team" = "web", cost = "1" }
            [retention]
            rows = "13 months"
            rejects = "2 weeks"
            logs = "30d"
            [privacy]
            ip = "drop"
            gpc = "ignore"
            [track]
            trusted = ["10.0.0.0/8", "::1"]
            [admin]
            listen = "[::1]:9000"
            [agents]
            rules = "/etc/alt/agents.json"
            "#,
        );
        insta::assert_debug_snapshot!(config, @r#"
        Config {
            sources: [
                Source {
                    paths: [
                        "/var/log/nginx/alt/beacon.log",
                        "/srv/*/log/beacon.log",
                    ],
                    format: "alt1",
                    pixel: None,
                    app: None,
                    sites: {},
                    label: None,
                    rotated: [],
                },
                Source {
                    paths: [
                        "/var/log/nginx/access.log",
                    ],
                    format: "$remote_addr [$time_local] \"$request\" $status",
                    pixel: Some(
                        "matomo",
                    ),
                    app: Some(
                        "KEY",
                    ),
                    sites: {
                        "*.example.com": "BLOG",
                        "1": "SHOP",
                    },
                    label: Some(
                        "shop",
                    ),
                    rotated: [
                        "/srv/old",
                    ],
                },
            ],
            postgres: Postgres {
                url: "host=db.example.net user=alt",
                password_file: Some(
                    "/etc/alt/password",
                ),
            },
            load: Load {
                commit_interval: 1s,
                batch_rows: 500,
                batch_bytes: 4194304,
                look_interval: 250ms,
                seal_after: 120s,
                host: Some(
                    "web-1",
                ),
            },
            archive: Some(
                Archive {
                    url: "s3://bucket/a/prefix",
                    endpoint: Some(
                        "https://s3.example.com",
                    ),
                    region: Some(
                        "eu-central-1",
                    ),
                    path_style: true,
                    compression: Gzip,
                    level: Some(
                        7,
                    ),
                    delete_after: 0ns,
                    encryption: Some(
                        "aws:kms",
                    ),
                    kms_key: Some(
                        "alias/logs",
                    ),
                    storage_class: Some(
                        "STANDARD_IA",
                    ),
                    tags: {
                        "cost": "1",
                        "team": "web",
                    },
                },
            ),
            retention: Retention {
                rows: Some(
                    Months(
                        13,
                    ),
                ),
                rejects: 1209600s,
                logs: Some(
                    2592000s,
                ),
            },
            privacy: Privacy {
                ip: Drop,
                gpc: Ignore,
            },
            track: Track {
                trusted: [
                    "10.0.0.0/8",
                    "::1",
                ],
            },
            agents: Agents {
                rules: Some(
                    "/etc/alt/agents.json",
                ),
            },
            admin: Admin {
                listen: Some(
                    [::1]:9000,
                ),
            },
        }
        "#);
    }

    #[test]
    fn the_environment_wins() {
        let env = |name: &str| match name {
            "ALT_POSTGRES_URL" => Some("postgres://db/alt".to_owned()),
            "ALT_LOAD_BATCH_ROWS" => Some("7".to_owned()),
            "ALT_SOURCE_PATHS" => Some("/a.log, /b.log".to_owned()),
            "ALT_TRACK_TRUSTED" => Some("::1,10.0.0.0/8".to_owned()),
            _ => None,
        };
        let config = Config::from_str("[load]\nbatch_rows = 9", env).unwrap();
        assert_eq!(config.postgres.url, "postgres://db/alt");
        assert_eq!(config.load.batch_rows, 7);
        assert_eq!(config.sources[0].paths, ["/a.log", "/b.log"]);
        assert_eq!(config.track.trusted, ["::1", "10.0.0.0/8"]);
    }

    #[test]
    fn sites_are_a_table_or_a_list() {
        let table = "[[source]]\nformat = \"combined\"\n[source.sites]\n\"a.example\" = \"A\"\n7 = \"B\"";
        let list = "[[source]]\nformat = \"combined\"\nsites = [\"a.example=A\", \"7=B\"]";
        let sites = &read(table).sources[0].sites;
        assert_eq!(
            *sites,
            [("7", "B"), ("a.example", "A")].map(|(a, b)| (a.to_owned(), b.to_owned())).into()
        );
        assert_eq!(read(list).sources[0].sites, *sites);
        let env = |name: &str| (name == "ALT_SOURCE_SITES").then(|| "a.example=A, 7=B".to_owned());
        let config = Config::from_str("[[source]]\nformat = \"combined\"", env).unwrap();
        assert_eq!(config.sources[0].spec().sites, *sites);
    }

    #[test]
    fn all_problems_come_at_once_each_with_its_place() {
        let text = r#"
            [[source]]
            path = ["/a.log"]
            paths = ["a.log"]
            [load]
            comit_interval = "50ms"
            batch_rows = 0
            batch_bytes = "2 MB"
            look_interval = "soon"
            host = ["a"]
            [retention]
            rows = "2h"
            [privacy]
            ip = "keep"
            [track]
            trusted = ["10.0.0.0/33"]
            [postgress]
            [agents]
            rules = true
            colour = "red"
            [admin]
            listen = "localhost:9187"
        "#;
        let env = [("ALT_LOAD_COMMIT_INTERVAL", "5 fortnights")];
        insta::assert_snapshot!(problems(text, &env), @r#"
        line 3: unknown key `path` in [source]; did you mean `paths`?
        line 4: `paths` in [source] holds absolute paths, which `a.log` is not
        line 6: unknown key `comit_interval` in [load]; did you mean `commit_interval`?
        line 7: `batch_rows` in [load] is a number from 1 to 200000, not `0`
        line 8: `batch_bytes` in [load] is a size from 64 KiB to 64 MiB ("2 MiB"), not `2 MB`
        line 9: `look_interval` in [load] is a time from 10ms to 60s ("50ms", "30s", "30d"), not `soon`
        line 10: `host` in [load] is one value, not a list
        line 12: `rows` in [retention] is a time of a day or more ("13 months", "90d"), not `2h`
        line 14: `ip` in [privacy] is one of truncate, full, drop, not `keep`
        line 16: `trusted` in [track] is a list of networks: `10.0.0.0/33` is no network: the number after `/` is 0 to 32
        line 17: unknown key `postgress`; did you mean `postgres`?
        line 19: `rules` in [agents] holds absolute paths, which `true` is not
        line 20: unknown key `colour` in [agents]; known are rules
        line 22: `listen` in [admin] is ADDRESS:PORT ("127.0.0.1:9187") or "off", not `localhost:9187`
        ALT_LOAD_COMMIT_INTERVAL: is a time from 0ns to 60s ("50ms", "30s", "30d"), not `5 fortnights`
        "#);
    }

    #[test]
    fn wrong_archives_are_told() {
        let text = r#"
            [archive]
            url = "bucket/prefix"
            endpoint = "s3.example.com"
            path_style = "yes"
            compression = "xz"
            level = 20
            encryption = "rot13"
            storage_class = "GLACIER"
            tags = ["a"]
        "#;
        insta::assert_snapshot!(problems(text, &[]), @r#"
        line 3: `url` in [archive] is s3://BUCKET/PREFIX or file:///PATH, not `bucket/prefix`
        line 4: `endpoint` in [archive] is a URL ("https://s3.example.com"), not `s3.example.com`
        line 5: `path_style` in [archive] is one of true, false, not `yes`
        line 6: `compression` in [archive] is one of zstd, gzip, not `xz`
        line 7: `level` in [archive] is a number from 1 to 19, not `20`
        line 8: `encryption` in [archive] is one of AES256, aws:kms, aws:kms:dsse, not `rot13`
        line 9: `storage_class` in [archive] is a class from which objects can be read at once, not `GLACIER`; let a lifecycle rule move them there
        line 10: `tags` in [archive] is a table, or a list of NAME=VALUE
        "#);
        let text = "[archive]\ncompression = \"gzip\"\nlevel = 10\nkms_key = \"k\"";
        insta::assert_snapshot!(problems(text, &[]), @r#"
        [archive] needs `url`; leave the section out to archive nothing
        `level` in [archive] is a number from 1 to 9 for gzip
        `kms_key` in [archive] needs encryption = "aws:kms"
        "#);
        assert_eq!(read("[archive]").archive, None);
        let env = |name: &str| (name == "ALT_ARCHIVE_URL").then(|| "file:///x".to_owned());
        assert_eq!(Config::from_str("", env).unwrap().archive.unwrap().url, "file:///x");
    }

    #[test]
    fn wrong_shapes_are_told_apart() {
        let mut all = String::new();
        for text in [
            "[source]\npaths = []",
            "source = []",
            "[[source]]\npaths = []",
            "[[source]]\npaths = [\"/a[.log\"]",
            "[[source]]\npaths = [\"/a\"]\n[[source]]\npaths = [\"/a\"]",
            "[[source]]\npaths = [\"/a\"]\nformat = \"combined\"",
            "[[source]]\npaths = [\"/a\"]\npixel = \"matomo\"\nsites = [\"a\"]",
            "[[source]]\npaths = [\"/a\"]\nsites = [\"a=A\"]",
            "[[source]]\npaths = [\"/a\"]\npixel = \"matom\"\nsites = [\"a=A\", \"a=B\"]",
            "[[source]]\npaths = [\"/a\"]\nformat = \"$msec $uri\"\npixel = \"umami\"\nsites = { \"a*\" = \"A\", b = 1 }",
            "[[source]]\npaths = [\"/a\"]\nlabel = { a = \"b\" }\nsites = { \"a*\" = \"A\" }\nrotated = { a = \"b\" }",
            "load = 3",
            "[load]\nhost = \"\"",
            "[load]\nhost = \"a\"\nhost = \"b\"",
            "[load\nhost =",
        ] {
            all += &format!("{text:?}\n{}\n", problems(text, &[]));
        }
        all += &problems("[[source]]\n[[source]]\npaths = [\"/b\"]", &[("ALT_SOURCE_APP", "KEY")]);
        insta::assert_snapshot!(all, @r#"
        "[source]\npaths = []"
          line 1: there may be several: write [[source]]
        "source = []"
          line 1: names no source; write a [[source]]
        "[[source]]\npaths = []"
          line 2: `paths` in [source] names no log; write the path of one
        "[[source]]\npaths = [\"/a[.log\"]"
          line 2: `paths` in [source] holds `/a[.log`, which is no pattern: Pattern syntax error near position 2: invalid range pattern
        "[[source]]\npaths = [\"/a\"]\n[[source]]\npaths = [\"/a\"]"
          /a is named twice; a log has one source
        "[[source]]\npaths = [\"/a\"]\nformat = \"combined\""
          the source of /a needs `app` or `sites`: its format `combined` does not say whose hits these are
        "[[source]]\npaths = [\"/a\"]\npixel = \"matomo\"\nsites = [\"a\"]"
          line 4: `sites` in [source] has a wrong entry: `a` is no NAME=APP: write the site's name as the log has it, and its application
          the source of /a has the wrong `pixel`: alt1 is what our own pixel logs; give the format of the foreign pixel's log (combined)
        "[[source]]\npaths = [\"/a\"]\nsites = [\"a=A\"]"
          the source of /a has the wrong `sites`: lines of alt1 name their applications themselves; leave the sites out
        "[[source]]\npaths = [\"/a\"]\npixel = \"matom\"\nsites = [\"a=A\", \"a=B\"]"
          line 3: `pixel` in [source] cannot be compiled: `matom` is no pixel that is known (matomo, goatcounter, plausible, umami), and no path: describe your own by its path and what its parameters are in the words of a beacon, as in '/px.gif?url=u&ref=r&site=a'
          line 4: `sites` in [source] has `a` twice; a site has one application
        "[[source]]\npaths = [\"/a\"]\nformat = \"$msec $uri\"\npixel = \"umami\"\nsites = { \"a*\" = \"A\", b = 1 }"
          line 5: `sites` in [source] is a table of strings
          the source of /a has the wrong `pixel`: the format has no query string, which is where a pixel says everything: add $request
          the source of /a needs `app` or `sites`: its format `$msec $uri` does not say whose hits these are
        "[[source]]\npaths = [\"/a\"]\nlabel = { a = \"b\" }\nsites = { \"a*\" = \"A\" }\nrotated = { a = \"b\" }"
          line 3: `label` in [source] is one value, not a table
          line 4: `sites` in [source] has a wrong entry: `a*`: a * stands only at the beginning, for all below a domain: *.example.com
          line 5: `rotated` in [source] is a list, not a table
        "load = 3"
          line 1: `load` is a table: write [load]
        "[load]\nhost = \"\""
          line 2: `host` in [load] is empty; leave it out or give a value
        "[load]\nhost = \"a\"\nhost = \"b\""
          line 3: duplicate key
        "[load\nhost ="
          line 1: unclosed table, expected `]`
          ALT_SOURCE_APP: the file has several sources; change them there
        "#);
    }

    #[test]
    fn a_misspelt_variable_is_found() {
        let shown = |name| unknown_twin(name).map(|problem| problem.to_string());
        assert_eq!(shown("ALT_LOAD_BATCH_ROWS"), None);
        assert_eq!(shown("ALT_SOMETHING"), None);
        assert_eq!(
            shown("ALT_LOAD_BACH_ROWS").as_deref(),
            Some("ALT_LOAD_BACH_ROWS: is no setting; did you mean `ALT_LOAD_BATCH_ROWS`?")
        );
    }

    #[test]
    fn times_have_units() {
        let cases = [
            ("50ms", Some(50)),
            ("2 s", Some(2_000)),
            ("5m", Some(300_000)),
            ("1h", Some(3_600_000)),
            ("1d", Some(86_400_000)),
            ("1 week", Some(604_800_000)),
            ("5", None),
            ("", None),
            ("-1s", None),
            ("1.5s", None),
            ("99999999999s", None),
        ];
        for (text, ms) in cases {
            assert_eq!(parse_time(text), ms.map(Duration::from_millis), "{text}");
        }
    }
}
