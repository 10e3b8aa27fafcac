//! Every key, how its value is checked and where it is stored; reads the file and the environment by this list.

use std::time::Duration;

use alt_line::parse::{Format, Pixel, Statuses};
use toml::de::{DeTable, DeValue};

use super::channel::{CHANNEL_KEYS, Channel};
use super::oidc::OIDC_KEYS;
use super::secret::SecretFile;
use super::value::{
    Given, Set, absolute, archive_url, endpoint, finding, given, host, log_path, network, public_url,
    socket_address, storage_class,
};
use super::{Archive, Compression, Config, GpcPolicy, IpPolicy, Place, Problem, Problems, Source, days};

/// A configuration has some hundred bytes; a larger file is something else, given by mistake.
pub(super) const BYTES_MAX: usize = 1 << 20;

/// The one section within another.
const OIDC: &str = "web.oidc";

/// How many syntax errors are named at most.
const ERRORS_MAX: usize = 20;

/// Every key outside `[[source]]`: section, key, and how its value is checked and stored.
pub(super) const KEYS: &[(&str, &str, Set<Config>)] = &[
    ("postgres", "url", |c, v| v.text().map(|text| c.postgres.url = text)),
    ("postgres", "password_file", |c, v| v.path().map(|path| c.postgres.password_file = Some(path))),
    ("load", "commit_interval", |c, v| {
        v.time_in(Duration::ZERO, Duration::from_secs(60)).map(|time| c.load.commit_interval = time)
    }),
    ("load", "batch_rows", |c, v| v.count_in(1, 200_000).map(|rows| c.load.batch_rows = rows)),
    ("load", "batch_bytes", |c, v| {
        v.size_in(64 << 10, 64 << 20).map(|bytes| c.load.batch_bytes = Some(bytes))
    }),
    ("load", "connections", |c, v| v.count_in(1, 2).map(|count| c.load.connections = count)),
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
    ("retention", "statistics", |c, v| v.keep().map(|keep| c.retention.statistics = Some(keep))),
    ("stats", "enabled", |c, v| {
        v.one_of(&[("true", true), ("false", false)]).map(|yes| c.stats.enabled = yes)
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
    ("flood", "bytes_per_hour", |c, v| {
        v.size_in(1 << 20, 1 << 40).map(|bytes| c.flood.bytes_per_hour = bytes as u64)
    }),
    ("flood", "agents_per_hour", |c, v| {
        v.count_in(1, 20_000).map(|agents| c.flood.agents_per_hour = agents as u64)
    }),
    ("track", "trusted", |c, v| v.list_of(network).map(|list| c.track.trusted = list)),
    ("track", "names", |c, v| v.names().map(|names| c.track.names = names)),
    ("admin", "listen", |c, v| v.listen().map(|address| c.admin.listen = address)),
    ("admin", "hosts", |c, v| v.list_of(host).map(|list| c.admin.hosts = list)),
    ("check", "accepted", |c, v| v.list_of(finding).map(|list| c.check.accepted = list)),
    ("check", "hosts", |c, v| v.list_of(host).map(|list| c.check.hosts = list)),
    ("web", "listen", |c, v| v.listen_or_socket().map(|listen| c.web.listen = listen)),
    ("web", "admin", |c, v| v.listen().map(|address| c.web.admin = address)),
    ("web", "public_url", |c, v| {
        v.checked(public_url).map(|url| c.web.public_url = Some(url.trim_end_matches('/').to_owned()))
    }),
    ("web", "read_url", |c, v| v.text().map(|url| c.web.read_url = Some(url))),
    ("web", "key_file", |c, v| {
        v.text().and_then(|text| SecretFile::of(&text)).map(|file| c.web.key_file = Some(file))
    }),
    ("web", "connections", |c, v| v.count_in(1, 100).map(|most| c.web.connections = most)),
    ("web", "clients", |c, v| v.count_in(1, 100_000).map(|most| c.web.clients = most)),
    ("web", "requests_per_minute", |c, v| {
        v.count_in(1, 1_000_000).map(|most| c.web.requests_per_minute = most)
    }),
    ("web", "cache_bytes", |c, v| v.size_in(1 << 20, 64 << 30).map(|bytes| c.web.cache_bytes = bytes)),
    ("alerts", "enabled", |c, v| {
        v.one_of(&[("true", true), ("false", false)]).map(|yes| c.alerts.enabled = yes)
    }),
    ("alerts", "allow", |c, v| {
        let list = v.list_of(socket_address)?;
        c.alerts.allow = list.iter().filter_map(|address| address.parse().ok()).collect();
        Ok(())
    }),
    ("agents", "rules", |c, v| v.path().map(|path| c.agents.rules = Some(path))),
];

/// Every key of a `[[source]]`.
pub(super) const SOURCE_KEYS: &[(&str, Set<Source>)] = &[
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
    ("status", |s, v| {
        let status = v.text()?;
        Statuses::compile(&status)?;
        s.status = Some(status);
        Ok(())
    }),
    ("app", |s, v| v.text().map(|text| s.app = Some(text))),
    ("sites", |s, v| v.sites().map(|sites| s.sites = sites)),
    ("label", |s, v| v.text().map(|text| s.label = Some(text))),
    ("rotated", |s, v| v.list_of(absolute).map(|list| s.rotated = list)),
];

/// Reads a text; values in the environment override it.
pub(super) fn read(text: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<Config, Problems> {
    if text.len() > BYTES_MAX {
        let what = "is larger than 1 MiB: is it a configuration?".to_owned();
        return Err(Problems(vec![Problem { place: Place::Whole, what }]));
    }
    let mut reading = Reading { text, problems: Vec::new() };
    let config = reading.config(env);
    reading.problems.sort_by(|a, b| a.place.cmp(&b.place));
    if reading.problems.is_empty() { Ok(config) } else { Err(Problems(reading.problems)) }
}

struct Reading<'a> {
    text: &'a str,
    problems: Vec<Problem>,
}

impl Reading<'_> {
    fn config(&mut self, env: &dyn Fn(&str) -> Option<String>) -> Config {
        let mut config = Config::default();
        let (table, errors) = DeTable::parse_recoverable(self.text);
        for e in errors.iter().take(ERRORS_MAX) {
            let at = e.span().map_or(0, |span| span.start);
            self.problem(at, e.message().replace('\n', " "));
        }
        if let Some(more) = errors.len().checked_sub(ERRORS_MAX).filter(|more| *more > 0) {
            let what = format!("and {more} more places that are no TOML");
            self.problems.push(Problem { place: Place::Whole, what });
        }
        if errors.is_empty() {
            self.table(table.get_ref(), &mut config);
        }
        self.environment(env, &mut config);
        self.sources(&config.sources);
        self.archive(&config);
        self.channels(&config.channels);
        let what = |what| Problem { place: Place::Whole, what: format!("[{OIDC}] {what}") };
        self.problems.extend(config.web.oidc_problems().into_iter().map(what));
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
                DeValue::Array(tables) if section == "channel" => {
                    for table in tables {
                        let mut channel = Channel::default();
                        match table.get_ref().as_table() {
                            Some(table) => self.keys(table, "channel", CHANNEL_KEYS, &mut channel),
                            None => self.problem(table.span().start, "a channel is a [[channel]] table"),
                        }
                        config.channels.push(channel);
                    }
                }
                _ if ["source", "channel"].contains(&section) => {
                    self.problem(at, format!("there may be several: write [[{section}]]"));
                }
                DeValue::Table(table) if sections().any(|known| known == section) => {
                    let keys: Vec<(&str, Set<Config>)> =
                        KEYS.iter().filter(|k| k.0 == section).map(|k| (k.1, k.2)).collect();
                    self.keys(table, section, &keys, config);
                    if let Some(within) = OIDC.strip_prefix(section).and_then(|rest| rest.strip_prefix('.')) {
                        self.within(table, within, config);
                    }
                }
                _ if sections().any(|known| known == section) => {
                    self.problem(at, format!("`{section}` is a table: write [{section}]"));
                }
                _ => {
                    let known: Vec<&str> = ["source", "channel"].into_iter().chain(sections()).collect();
                    self.problem(at, format!("unknown key `{section}`; {}", nearest(section, &known)));
                }
            }
        }
    }

    /// The section within a section. That it is there is what switches it on, so that an empty one lacks its keys.
    fn within(&mut self, outer: &DeTable<'_>, name: &str, config: &mut Config) {
        let Some((_, value)) = outer.iter().find(|(key, _)| key.get_ref().as_ref() == name) else { return };
        config.web.oidc.get_or_insert_default();
        match value.get_ref() {
            DeValue::Table(table) => self.keys(table, OIDC, OIDC_KEYS, config),
            _ => self.problem(value.span().start, format!("`{name}` is a table: write [{OIDC}]")),
        }
    }

    fn keys<T>(&mut self, table: &DeTable<'_>, section: &str, keys: &[(&str, Set<T>)], into: &mut T) {
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            if OIDC.split_once('.') == Some((section, name)) {
                continue;
            }
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
        let of_oidc = OIDC_KEYS.iter().map(|(key, set)| (&OIDC, key, set));
        for (section, key, set) in KEYS.iter().map(|(section, key, set)| (section, key, set)).chain(of_oidc) {
            let variable = variable(section, key);
            if let Some(text) = env(&variable)
                && let Err(what) = set(config, &Given::Text(text))
            {
                self.problems.push(Problem { place: Place::Variable(variable), what });
            }
        }
        for (key, set) in SOURCE_KEYS {
            let variable = variable("source", key);
            let Some(text) = env(&variable) else { continue };
            let outcome = match config.sources.as_mut_slice() {
                [source] => set(source, &Given::Text(text)),
                _ => Err("the file has several sources; change them there".to_owned()),
            };
            if let Err(what) = outcome {
                self.problems.push(Problem { place: Place::Variable(variable), what });
            }
        }
    }

    /// Checks sources against each other, and the keys of a source against each other.
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
            // a wrong format was reported already
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

    /// Checks the keys of the archive against each other.
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

    /// Checks channels against each other, and the keys of a channel against each other.
    fn channels(&mut self, channels: &[Channel]) {
        for (n, channel) in channels.iter().enumerate() {
            let mut whats = channel.problems();
            whats.extend(channel.wrong_fallback(channels));
            if channel.name.is_empty() {
                whats.push("needs `name`".to_owned());
            } else if channels[..n].iter().any(|other| other.name == channel.name) {
                whats.push("has the name of another channel".to_owned());
            }
            let who = match channel.name.as_str() {
                "" => format!("channel {}", n + 1),
                name => format!("the channel {name}"),
            };
            let problem = |what: String| Problem { place: Place::Whole, what: format!("{who} {what}") };
            self.problems.extend(whats.into_iter().map(problem));
        }
    }

    fn problem(&mut self, at: usize, what: impl Into<String>) {
        let line =
            1 + self.text.as_bytes()[..at.min(self.text.len())].iter().filter(|b| **b == b'\n').count();
        self.problems.push(Problem { place: Place::Line(line), what: what.into() });
    }
}

/// The archive's settings, which begin with the defaults.
fn archive(config: &mut Config) -> &mut Archive {
    config.archive.get_or_insert_default()
}

fn sections() -> impl Iterator<Item = &'static str> {
    let mut last = "";
    KEYS.iter().filter_map(move |key| {
        let new = key.0 != last;
        last = key.0;
        new.then_some(key.0)
    })
}

fn variable(section: &str, key: &str) -> String {
    format!("ALT_{section}_{key}").replace('.', "_").to_ascii_uppercase()
}

/// The problem of a variable whose name looks like a setting, but is none.
pub(super) fn unknown_variable(name: &str) -> Option<Problem> {
    let rest = name.strip_prefix("ALT_")?;
    let section = std::iter::once("source")
        .chain(sections())
        .find(|section| rest.starts_with(&format!("{section}_").to_ascii_uppercase()))?;
    let known: Vec<String> = KEYS
        .iter()
        .filter(|key| key.0 == section)
        .map(|key| variable(section, key.1))
        .chain(SOURCE_KEYS.iter().filter(|_| section == "source").map(|key| variable(section, key.0)))
        .chain(OIDC_KEYS.iter().filter(|_| OIDC.starts_with(section)).map(|key| variable(OIDC, key.0)))
        .collect();
    if known.iter().any(|variable| variable == name) {
        return None;
    }
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    Some(Problem {
        place: Place::Variable(name.to_owned()),
        what: format!("is no setting; {}", nearest(name, &known)),
    })
}

/// `did you mean …`, or all known words.
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
