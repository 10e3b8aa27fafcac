//! Exclusions: the rules of an application that say whose hits do not count.
//!
//! `applications.settings` has them as a list `exclusions` of objects such as `{"address": "192.0.2.0/24"}`. Everything
//! else in such an object is left as it is. Invariants: whatever stands there, the application is loaded, and what is no
//! rule is told apart from the rules; a hit is compared with the whole address, before it is cut; a path is compared as it
//! was sent, so that a pattern with `***`, as statistics show what is masked, fits it, too.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv6Addr};

use foldhash::HashMap;
use serde_json::{Map, Value};

use super::url::{self, Parts};
use super::visitor;
use crate::hit::Hit;

/// The most rules of an application.
pub const RULES_MAX: usize = 100;

/// The longest value of a rule, bytes.
pub const VALUE_MAX: usize = 500;

/// The most `*` of a pattern.
const STARS_MAX: usize = 20;

/// The shortest prefixes: shorter ones are mistakes, and would leave out a good part of the world.
const PREFIX_MIN_V4: u32 = 8;
const PREFIX_MIN_V6: u32 = 16;

/// What a rule looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The client's address.
    Address,
    /// The country of the browser's time zone.
    Country,
    /// The path of the page.
    Path,
    /// The host of the page.
    Host,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 4] = [Kind::Address, Kind::Country, Kind::Path, Kind::Host];

    /// Its name, which is the name in the object of a rule, too.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Address => "address",
            Kind::Country => "country",
            Kind::Path => "path",
            Kind::Host => "host",
        }
    }
}

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// What it looks at.
    pub kind: Kind,
    /// What has to be there, in the one spelling that it has.
    pub value: String,
}

/// What hits are compared with.
enum Test {
    Network(Network),
    Zones(Vec<&'static str>),
    Path(Pattern),
    Host(HostPattern),
}

/// A network: its bits, and which of them count. IPv4 is mapped into IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network {
    bits: u128,
    mask: u128,
}

impl Network {
    fn has(self, address: u128) -> bool {
        address & self.mask == self.bits
    }
}

/// Of a host with its port, or of a host with any port.
#[derive(Debug, Clone, PartialEq, Eq)]
struct HostPattern {
    pattern: Pattern,
    has_port: bool,
}

/// A text in which `*` is any text.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pattern {
    first: Box<str>,
    /// What follows each `*`; empty: the pattern has none.
    rest: Box<[Box<str>]>,
}

impl Pattern {
    fn new(text: &str) -> Pattern {
        let mut parts = text.split('*').map(Box::from);
        Pattern { first: parts.next().unwrap_or_default(), rest: parts.collect() }
    }

    /// Each part is looked for once, behind the one before it.
    fn fits(&self, text: &str) -> bool {
        let Some(mut left) = text.strip_prefix(&*self.first) else { return false };
        let Some((last, middle)) = self.rest.split_last() else { return left.is_empty() };
        for part in middle {
            let Some(at) = left.find(&**part) else { return false };
            left = &left[at + part.len()..];
        }
        left.ends_with(&**last)
    }
}

/// The time zones of a country (ISO 3166-1, two letters); none: it is no country.
pub type Zones = fn(&str) -> Vec<&'static str>;

impl Rule {
    /// A rule of a kind, by its name.
    ///
    /// # Errors
    /// What is wrong, and how to mend it.
    pub fn checked(kind: &str, value: &str, zones: Zones) -> Result<Rule, String> {
        Rule::compiled(kind, value, zones).map(|(rule, _)| rule)
    }

    fn compiled(kind: &str, value: &str, zones: Zones) -> Result<(Rule, Test), String> {
        let Some(kind) = Kind::ALL.into_iter().find(|known| known.as_str() == kind) else {
            return Err(format!("there is no rule of {kind:?}: write address, country, path or host"));
        };
        let value = value.trim();
        if value.is_empty() || value.len() > VALUE_MAX {
            return Err(format!("the {} has from 1 to {VALUE_MAX} bytes", kind.as_str()));
        }
        if let Some(one) = value.chars().find(|one| one.is_control()) {
            return Err(format!("the {} has a control character ({one:?})", kind.as_str()));
        }
        if value.matches('*').count() > STARS_MAX {
            return Err(format!("the {} has more than {STARS_MAX} *", kind.as_str()));
        }
        let (value, test) = match kind {
            Kind::Address => network(value)?,
            Kind::Country => country(value, zones)?,
            Kind::Path => path(value)?,
            Kind::Host => host(value)?,
        };
        Ok((Rule { kind, value }, test))
    }

    /// As people are told it: `address 192.0.2.0/24`.
    pub fn text(&self) -> String {
        format!("{} {}", self.kind.as_str(), self.value)
    }
}

fn network(text: &str) -> Result<(String, Test), String> {
    let wrong = || {
        format!(
            "{text:?} is no address: write one such as 192.0.2.7 or 2001:db8::7, or a range such as 192.0.2.0/24 or \
             2001:db8:1:2::/64 (no *)"
        )
    };
    let (address, prefix) = match text.split_once('/') {
        None => (text, None),
        Some((address, prefix)) => {
            let is_number = !prefix.is_empty() && prefix.bytes().all(|byte| byte.is_ascii_digit());
            (address, Some(prefix.parse::<u32>().ok().filter(|_| is_number).ok_or_else(wrong)?))
        }
    };
    let given: IpAddr = address.parse().map_err(|_| wrong())?;
    let plain = visitor::plain(given);
    // Of a mapped address, the prefix counts the 96 bits before it, too.
    let is_mapped = given.is_ipv6() && plain.is_ipv4();
    let (whole, least) = match plain {
        IpAddr::V4(_) => (32, PREFIX_MIN_V4),
        IpAddr::V6(_) => (128, PREFIX_MIN_V6),
    };
    let prefix = match prefix {
        None => whole,
        Some(prefix) if is_mapped => prefix.checked_sub(96).ok_or_else(wrong)?,
        Some(prefix) => prefix,
    };
    if prefix > whole {
        return Err(wrong());
    }
    if prefix < least {
        return Err(format!("{text} is too large a range: its prefix is /{least} or longer"));
    }
    let mask = u128::MAX << (whole - prefix);
    let bits = bits(plain) & mask;
    let first = Ipv6Addr::from(bits);
    let first = match plain {
        IpAddr::V4(_) => visitor::plain(first.into()),
        IpAddr::V6(_) => first.into(),
    };
    let value = if prefix == whole { first.to_string() } else { format!("{first}/{prefix}") };
    Ok((value, Test::Network(Network { bits, mask })))
}

/// The bits of an address, one of IPv4 as it is mapped into IPv6.
fn bits(address: IpAddr) -> u128 {
    match visitor::plain(address) {
        IpAddr::V4(address) => address.to_ipv6_mapped().into(),
        IpAddr::V6(address) => address.into(),
    }
}

fn country(text: &str, zones: Zones) -> Result<(String, Test), String> {
    let code = text.to_ascii_uppercase();
    let zones = zones(&code);
    if zones.is_empty() {
        return Err(format!(
            "{text:?} is no country: write two letters such as DE, as statistics show countries"
        ));
    }
    Ok((code, Test::Zones(zones)))
}

fn path(text: &str) -> Result<(String, Test), String> {
    if !text.starts_with(['/', '*']) {
        return Err(format!(
            "the path {text:?} does not begin with / or *: write a path such as /preview or /admin/*"
        ));
    }
    refuse_everything(text, &['/', '*'])?;
    Ok((text.to_owned(), Test::Path(Pattern::new(text))))
}

fn host(text: &str) -> Result<(String, Test), String> {
    let wrong = || {
        format!(
            "{text:?} is no host: write one such as staging.example.com, *.staging.example.com or localhost:3000, without \
             https:// and path"
        )
    };
    let lower = text.to_lowercase();
    let (name, port) = match url::without_port(&lower) {
        name if name.len() < lower.len() => (name, &lower[name.len()..]),
        // Any port, or a part of one.
        _ => match lower.rsplit_once(':') {
            Some((name, port)) if port.contains('*') && !name.contains(':') => (name, &lower[name.len()..]),
            _ => (lower.as_str(), ""),
        },
    };
    let name = name.trim_end_matches('.');
    let name = if name.contains('*') {
        let fits = |c: char| c.is_ascii_alphanumeric() || "*-._".contains(c);
        if !name.chars().all(fits) {
            return Err(wrong());
        }
        name.to_owned()
    } else {
        ::url::Host::parse(name).map_err(|_| wrong())?.to_string()
    };
    refuse_everything(&name, &['*', '.'])?;
    let port = if matches!(port, ":80" | ":443" | ":*") { "" } else { port };
    let value = format!("{name}{port}");
    let pattern = Pattern::new(&value);
    Ok((value, Test::Host(HostPattern { pattern, has_port: !port.is_empty() })))
}

/// A pattern of nothing but `signs`, one of which is `*`, is a mistake.
fn refuse_everything(text: &str, signs: &[char]) -> Result<(), String> {
    if text.contains('*') && text.chars().all(|c| signs.contains(&c)) {
        return Err(format!(
            "{text} leaves out everything: name a part of it; `alt app disable` takes no hits at all"
        ));
    }
    Ok(())
}

/// What is no rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// As it stands in the settings, at most 200 characters.
    pub text: String,
    /// What is wrong, and how to mend it.
    pub why: String,
}

/// The exclusions of an application.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Exclusions {
    rules: Box<[Rule]>,
    // What hits are compared with, each with the number of its rule, in their order.
    networks: Vec<(Network, usize)>,
    zones: HashMap<&'static str, usize>,
    paths: Vec<(Pattern, usize)>,
    hosts: Vec<(HostPattern, usize)>,
}

impl Exclusions {
    /// Reads what the settings have. `each` is told of each entry, in their order.
    pub fn read(
        said: &Value,
        zones: Zones,
        mut each: impl FnMut(&Value, Result<&Rule, Broken>),
    ) -> Exclusions {
        let mut rules = Vec::new();
        let mut read = Exclusions::default();
        let all = match said {
            Value::Null => &[][..],
            Value::Array(all) => all,
            other => {
                let why =
                    "exclusions is a list of objects such as [{\"address\": \"192.0.2.0/24\"}]".to_owned();
                each(other, Err(Broken { text: shown(other), why }));
                &[]
            }
        };
        for (n, entry) in all.iter().take(RULES_MAX + 1).enumerate() {
            let rule = if n < RULES_MAX {
                rule(entry, zones)
            } else {
                Err(format!(
                    "an application has at most {RULES_MAX} rules: this one and what follows are ignored"
                ))
            };
            match rule {
                Ok((rule, test)) => {
                    each(entry, Ok(&rule));
                    read.compare_by(test, rules.len());
                    rules.push(rule);
                }
                Err(why) => each(entry, Err(Broken { text: shown(entry), why })),
            }
        }
        Exclusions { rules: rules.into(), ..read }
    }

    fn compare_by(&mut self, test: Test, rule: usize) {
        match test {
            Test::Network(network) => self.networks.push((network, rule)),
            Test::Zones(zones) => {
                for zone in zones {
                    self.zones.entry(zone).or_insert(rule);
                }
            }
            Test::Path(pattern) => self.paths.push((pattern, rule)),
            Test::Host(host) => self.hosts.push((host, rule)),
        }
    }

    /// The rules.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The first rule that excludes an address.
    pub fn of_address(&self, address: IpAddr) -> Option<&Rule> {
        self.rules.get(self.of_network(address)?)
    }

    fn of_network(&self, address: IpAddr) -> Option<usize> {
        let address = bits(address);
        self.networks.iter().find(|(network, _)| network.has(address)).map(|(_, rule)| *rule)
    }

    /// The first rule, by its number, that excludes a hit of this page and host.
    #[inline]
    pub(super) fn of(&self, hit: &Hit<'_>, page: &Parts<'_>, host: &str) -> Option<usize> {
        if self.rules.is_empty() { None } else { self.first(hit, page, host) }
    }

    fn first(&self, hit: &Hit<'_>, page: &Parts<'_>, host: &str) -> Option<usize> {
        let address = hit.ip.filter(|_| !self.networks.is_empty()).and_then(|ip| self.of_network(ip));
        let zone = if self.zones.is_empty() { None } else { self.zones.get(hit.time_zone).copied() };
        let path = if self.paths.is_empty() { None } else { self.of_path(&path_of(page)) };
        let host = if self.hosts.is_empty() { None } else { self.of_host(host) };
        [address, zone, path, host].into_iter().flatten().min()
    }

    fn of_path(&self, path: &str) -> Option<usize> {
        self.paths.iter().find(|(pattern, _)| pattern.fits(path)).map(|(_, rule)| *rule)
    }

    fn of_host(&self, host: &str) -> Option<usize> {
        let lower = match host {
            host if host.bytes().any(|byte| byte.is_ascii_uppercase()) => {
                Cow::Owned(host.to_ascii_lowercase())
            }
            host => Cow::Borrowed(host),
        };
        let bare = url::without_port(&lower);
        let bare = bare.strip_suffix('.').unwrap_or(bare);
        let fits =
            |(one, _): &&(HostPattern, usize)| one.pattern.fits(if one.has_port { &lower } else { bare });
        self.hosts.iter().find(fits).map(|(_, rule)| *rule)
    }
}

/// As people are shown what is no rule: at most 200 characters.
fn shown(entry: &Value) -> String {
    entry.to_string().chars().take(200).collect()
}

/// The path of a page as the column has it, before it is masked.
fn path_of<'p>(page: &Parts<'p>) -> Cow<'p, str> {
    let path = if page.path.is_empty() && !page.authority.is_empty() { "/" } else { page.path };
    if page.route.is_empty() { Cow::Borrowed(path) } else { Cow::Owned([path, page.route].concat()) }
}

fn rule(entry: &Value, zones: Zones) -> Result<(Rule, Test), String> {
    let shape = || "a rule is an object such as {\"address\": \"192.0.2.0/24\"}, with one of address, country, path, host";
    let object: &Map<String, Value> = entry.as_object().ok_or_else(shape)?;
    let mut kinds = Kind::ALL.iter().filter_map(|kind| Some((kind.as_str(), object.get(kind.as_str())?)));
    match (kinds.next(), kinds.next()) {
        (Some((kind, Value::String(value))), None) => Rule::compiled(kind, value, zones),
        _ => Err(shape().to_owned()),
    }
}

#[cfg(test)]
mod tests;
