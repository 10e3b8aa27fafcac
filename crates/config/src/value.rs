//! Values as they are given, and checks of what they have to be.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use alt_line::parse::Terms;
use alt_line::sites;
use toml::de::DeValue;

use super::{Keep, Listen, days};

/// Checks a value and stores it; the error says what the value should be.
pub(super) type Set<T> = fn(&mut T, &Given) -> Result<(), String>;

/// A value as it was given, before it is checked.
pub(super) enum Given {
    Text(String),
    List(Vec<String>),
    Pairs(Vec<(String, String)>),
}

pub(super) fn given(value: &DeValue<'_>) -> Result<Given, String> {
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
    pub(super) fn text(&self) -> Result<String, String> {
        match self {
            Given::Text(text) if text.is_empty() => Err("is empty; leave it out or give a value".to_owned()),
            Given::Text(text) if text.contains('\0') => Err("holds a NUL byte".to_owned()),
            Given::Text(text) => Ok(text.clone()),
            Given::List(_) => Err("is one value, not a list".to_owned()),
            Given::Pairs(_) => Err("is one value, not a table".to_owned()),
        }
    }

    /// A text that passes a check.
    pub(super) fn checked(&self, check: fn(&str) -> Result<(), String>) -> Result<String, String> {
        let text = self.text()?;
        check(&text).map(|()| text)
    }

    pub(super) fn path(&self) -> Result<PathBuf, String> {
        let text = self.text()?;
        absolute(&text)?;
        Ok(PathBuf::from(text))
    }

    /// A list; in an environment variable, commas separate the items.
    pub(super) fn list_of(&self, check: fn(&str) -> Result<(), String>) -> Result<Vec<String>, String> {
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
    pub(super) fn pairs(&self) -> Result<BTreeMap<String, String>, String> {
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
    pub(super) fn sites(&self) -> Result<BTreeMap<String, String>, String> {
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

    /// Names of parameters, and the parameters: a table, or a list of `NAME=PARAMETER`.
    pub(super) fn names(&self) -> Result<BTreeMap<String, String>, String> {
        let names = self.pairs()?;
        Terms::parse(&[], &names).map(|_| names)
    }

    pub(super) fn count_in(&self, least: usize, most: usize) -> Result<usize, String> {
        let text = self.text()?;
        let count = text.replace('_', "").parse().ok().filter(|n| (least..=most).contains(n));
        count.ok_or_else(|| format!("is a number from {least} to {most}, not `{text}`"))
    }

    pub(super) fn size_in(&self, least: usize, most: usize) -> Result<usize, String> {
        let text = self.text()?;
        let size = parse_size(&text).filter(|n| (least..=most).contains(n));
        size.ok_or_else(|| {
            format!("is a size from {} KiB to {} MiB (\"2 MiB\"), not `{text}`", least >> 10, most >> 20)
        })
    }

    pub(super) fn time_in(&self, least: Duration, most: Duration) -> Result<Duration, String> {
        let text = self.text()?;
        let time = parse_time(&text).filter(|time| (least..=most).contains(time));
        time.ok_or_else(|| {
            format!("is a time from {least:?} to {most:?} (\"50ms\", \"30s\", \"30d\"), not `{text}`")
        })
    }

    /// An address to listen on, or `off`.
    pub(super) fn listen(&self) -> Result<Option<SocketAddr>, String> {
        let text = self.text()?;
        let address = if text == "off" { Some(None) } else { text.parse().ok().map(Some) };
        address.ok_or_else(|| format!("is ADDRESS:PORT (\"127.0.0.1:9187\") or \"off\", not `{text}`"))
    }

    /// An address to listen on, or the path of a Unix socket.
    pub(super) fn listen_or_socket(&self) -> Result<Listen, String> {
        let text = self.text()?;
        let socket = text.strip_prefix("unix:").filter(|path| absolute(path).is_ok());
        let listen = match socket {
            Some(path) => Some(Listen::Socket(PathBuf::from(path))),
            None => text.parse().ok().map(Listen::Address),
        };
        listen.ok_or_else(|| {
            format!("is ADDRESS:PORT (\"127.0.0.1:8600\") or unix:/PATH (\"unix:/run/alt-web/web.sock\"), not `{text}`")
        })
    }

    pub(super) fn keep(&self) -> Result<Keep, String> {
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

    pub(super) fn one_of<T: Copy>(&self, words: &[(&str, T)]) -> Result<T, String> {
        let text = self.text()?;
        words.iter().find(|word| word.0 == text).map(|word| word.1).ok_or_else(|| {
            let words: Vec<&str> = words.iter().map(|word| word.0).collect();
            format!("is one of {}, not `{text}`", words.join(", "))
        })
    }
}

pub(super) fn absolute(path: &str) -> Result<(), String> {
    if path.starts_with('/') && !path.contains('\0') {
        Ok(())
    } else {
        Err(format!("holds absolute paths, which `{path}` is not"))
    }
}

const S3: &str = "s3://";
const FILE: &str = "file://";

/// A URL of an archive, or of something in one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArchiveUrl<'u> {
    /// `file:///PATH`: an absolute path.
    Directory(&'u str),
    /// `s3://BUCKET/PREFIX`.
    Bucket {
        /// The bucket; not empty.
        bucket: &'u str,
        /// What the names of objects begin with, without slashes around it; may be empty.
        prefix: &'u str,
    },
}

impl<'u> ArchiveUrl<'u> {
    /// What a URL says; `None`: it is none of an archive.
    pub fn parse(url: &'u str) -> Option<ArchiveUrl<'u>> {
        if let Some(path) = url.strip_prefix(FILE) {
            return path.starts_with('/').then_some(ArchiveUrl::Directory(path));
        }
        let rest = url.strip_prefix(S3)?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let prefix = prefix.trim_matches('/');
        (!bucket.is_empty()).then_some(ArchiveUrl::Bucket { bucket, prefix })
    }

    /// Whether a text means to be such a URL, and not a path.
    pub fn is_meant(text: &str) -> bool {
        text.starts_with(S3) || text.starts_with(FILE)
    }
}

pub(super) fn archive_url(text: &str) -> Result<(), String> {
    match ArchiveUrl::parse(text) {
        Some(_) => Ok(()),
        None => Err(format!("is s3://BUCKET/PREFIX or file:///PATH, not `{text}`")),
    }
}

/// The address of a site: no path, no query, and `http` only on this machine.
pub(super) fn public_url(text: &str) -> Result<(), String> {
    let rest = text.trim_end_matches('/');
    let host = rest.strip_prefix("https://").or_else(|| {
        let host = rest.strip_prefix("http://")?;
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        ["localhost", "127.0.0.1", "[::1]"].contains(&name).then_some(host)
    });
    let fits = |c: char| c.is_ascii_alphanumeric() || "-.:[]".contains(c);
    match host {
        Some(host) if !host.is_empty() && host.chars().all(fits) => Ok(()),
        _ => Err(format!("is like https://stats.example.com (http only for localhost), not `{text}`")),
    }
}

pub(super) fn storage_class(text: &str) -> Result<(), String> {
    match text {
        // After a crash, an object is read back as a proof.
        "GLACIER" | "DEEP_ARCHIVE" => Err(format!(
            "is a class from which objects can be read at once, not `{text}`; let a lifecycle rule move them there"
        )),
        _ => Ok(()),
    }
}

pub(super) fn endpoint(text: &str) -> Result<(), String> {
    match url::Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(()),
        _ => Err(format!("is a URL (\"https://s3.example.com\"), not `{text}`")),
    }
}

/// A name or an address, with a port or without.
pub(super) fn mail_server(text: &str) -> Result<(), String> {
    let wrong = || format!("is HOST or HOST:PORT (\"mail.example.com:587\"), not `{text}`");
    let (name, port) = match text.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
        _ => (text, None),
    };
    let is_port = |port: &str| port.parse::<u16>().is_ok_and(|port| port != 0);
    let is_host = !name.is_empty() && name.is_ascii() && url::Host::parse(name).is_ok();
    if is_host && port.is_none_or(is_port) { Ok(()) } else { Err(wrong()) }
}

/// The address and the port of a receiver.
pub(super) fn socket_address(text: &str) -> Result<(), String> {
    match text.parse::<SocketAddr>() {
        Ok(address) if address.port() != 0 => Ok(()),
        _ => Err(format!(
            "holds ADDRESS:PORT (\"10.0.0.5:443\", \"[fd00::5]:443\"; no names), which `{text}` is not"
        )),
    }
}

pub(super) fn log_path(path: &str) -> Result<(), String> {
    absolute(path)?;
    glob::Pattern::new(path).map(|_| ()).map_err(|e| format!("holds `{path}`, which is no pattern: {e}"))
}

pub(super) fn network(text: &str) -> Result<(), String> {
    Terms::parse(&[text.to_owned()], &BTreeMap::new())
        .map(|_| ())
        .map_err(|what| format!("is a list of networks: {what}"))
}

/// A host name, as it stands in a request: without scheme and port.
pub(super) fn host(name: &str) -> Result<(), String> {
    let is_label = |label: &str| {
        !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    if name.len() <= 253 && name.split('.').all(is_label) {
        Ok(())
    } else {
        Err(format!("holds host names (\"web-1.example.net\"), which `{name}` is not"))
    }
}

/// A finding of `alt check` that is accepted: the name of its kind, and the place behind a space, if only one is meant.
pub(super) fn finding(text: &str) -> Result<(), String> {
    let id = text.split(' ').next().unwrap_or_default();
    if !id.is_empty() && id.bytes().all(|b| b.is_ascii_lowercase() || b == b'-') {
        Ok(())
    } else {
        Err(format!("holds kinds of findings as alt check writes them (\"real-ip\"), which `{text}` is not"))
    }
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
        "GiB" => 30,
        _ => return None,
    };
    usize::try_from(number).ok()?.checked_mul(1 << shift)
}
