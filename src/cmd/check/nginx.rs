//! Checks what nginx's configuration says about logs.

use std::path::{Path, PathBuf};
use std::process::Command;

use alt_collect::source::logs;
use alt_config::Config;
use anyhow::{Context, bail};

use super::finding::{Findings, Kind};

/// The shipped log formats.
const SHIPPED: &str = include_str!("../../../nginx/alt-http.conf");

/// Their names.
const OURS: [&str; 2] = ["alt1", "alt1_truncated"];
/// The condition that keeps refused requests out of a log if the rate limits leave no room for them.
const LOGGABLE: &str = "if=$alt_loggable";

/// Includes nested deeper than this count as a circle.
const INCLUDE_DEPTH_MAX: usize = 16;

/// nginx's configuration: its directives in order, without their blocks; and its servers.
#[derive(Default)]
pub(super) struct Site {
    directives: Vec<Vec<String>>,
    servers: Vec<Server>,
}

/// A `server { }`, as far as one file says it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Server {
    /// Its names that a client can ask for: no patterns, no `_`.
    pub(super) names: Vec<String>,
    /// Whether it has a certificate.
    pub(super) has_tls: bool,
    /// Whether it includes the shipped locations.
    pub(super) takes_events: bool,
}

impl Site {
    /// Reads a file and its includes, or a dump of `nginx -T`. Without a file, runs `nginx -T`.
    pub(super) fn read(file: Option<&Path>) -> anyhow::Result<Site> {
        let Some(path) = file else { return Ok(Site::of(&dump()?)) };
        let mut site = Site::default();
        let root = path.parent().unwrap_or(Path::new("/"));
        read_file(path, root, 0, &mut site)?;
        Ok(site)
    }

    fn of(text: &str) -> Site {
        Site { directives: tokens(text), servers: servers(text) }
    }

    /// The servers that take events.
    pub(super) fn takes_events(&self) -> impl Iterator<Item = &Server> {
        self.servers.iter().filter(|server| server.takes_events)
    }

    /// The servers of a name.
    pub(super) fn named(&self, host: &str) -> impl Iterator<Item = &Server> {
        self.servers
            .iter()
            .filter(move |server| server.names.iter().any(|name| name.eq_ignore_ascii_case(host)))
    }

    /// The files that nginx writes its errors to.
    pub(super) fn error_logs(&self) -> impl Iterator<Item = &str> {
        self.all("error_log")
            .filter_map(|args| args.first())
            .map(String::as_str)
            .filter(|path| path.starts_with('/'))
    }

    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [String]> {
        self.directives.iter().filter(move |d| d.first().is_some_and(|first| first == name)).map(|d| &d[1..])
    }

    /// Whether any directive names proxies whose X-Forwarded-For is trusted.
    pub(super) fn has_real_ip(&self) -> bool {
        self.all("set_real_ip_from").next().is_some()
    }

    /// The formats that nginx writes to a path.
    fn formats_of(&self, path: &glob::Pattern) -> Vec<(&str, &str)> {
        self.all("access_log")
            .filter_map(|args| args.first().map(|file| (file.as_str(), args.get(1..).unwrap_or(&[]))))
            .filter(|(file, _)| path.matches(file))
            .map(|(file, rest)| {
                let format = rest.first().filter(|word| !word.contains('=') && *word != "gzip");
                (file, format.map_or("combined", String::as_str))
            })
            .collect()
    }

    /// The logs at a path that use one of our formats and that nginx writes refused requests to without a limit.
    fn unlimited(&self, path: &glob::Pattern) -> Vec<&str> {
        self.all("access_log")
            .filter_map(|args| args.split_first())
            .filter(|(file, _)| path.matches(file))
            .filter(|(_, rest)| rest.iter().any(|word| OURS.contains(&word.as_str())))
            .filter(|(_, rest)| !rest.iter().any(|word| word == LOGGABLE))
            .map(|(file, _)| file.as_str())
            .collect()
    }

    /// Whether nginx writes a log to this path.
    pub(super) fn writes(&self, path: &glob::Pattern) -> bool {
        !self.formats_of(path).is_empty()
    }

    /// Escaping and text of a `log_format`.
    fn log_format(&self, name: &str) -> Option<(String, String)> {
        let args = self.all("log_format").find(|args| args.first().is_some_and(|first| first == name))?;
        let (escape, text): (Vec<&String>, Vec<&String>) =
            args[1..].iter().partition(|arg| arg.starts_with("escape="));
        let escape = escape.first().map_or("default", |word| &word["escape=".len()..]);
        Some((escape.to_owned(), text.into_iter().map(String::as_str).collect()))
    }
}

/// nginx's configuration with all files that it includes, as `nginx -T` prints it.
///
/// # Errors
/// nginx cannot be run, or does not accept its configuration.
pub(crate) fn dump() -> anyhow::Result<String> {
    let output = Command::new("nginx").args(["-T", "-q"]).output().context("run nginx -T")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let why = said.split('\n').find(|line| line.contains("emerg")).unwrap_or("run this as root").trim();
        bail!("nginx -T failed: {why}");
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn read_file(path: &Path, root: &Path, depth: usize, into: &mut Site) -> anyhow::Result<()> {
    if depth > INCLUDE_DEPTH_MAX {
        bail!("{}: files include each other in a circle", path.display());
    }
    let text = std::fs::read(path).with_context(|| format!("read {}", path.display()))?;
    let text = String::from_utf8_lossy(&text);
    let is_dump = text.contains("# configuration file ");
    into.servers.extend(servers(&text));
    for directive in tokens(&text) {
        match directive.as_slice() {
            [name, pattern] if name == "include" && !is_dump => {
                let pattern = root.join(pattern);
                let found: Vec<PathBuf> = glob::glob(&pattern.to_string_lossy())
                    .map(|paths| paths.flatten().collect())
                    .unwrap_or_default();
                for path in found {
                    read_file(&path, root, depth + 1, into)?;
                }
            }
            _ => into.directives.push(directive),
        }
    }
    Ok(())
}

/// The servers of a file: what stands between `server {` and the brace that ends it.
fn servers(text: &str) -> Vec<Server> {
    let mut servers = Vec::new();
    // The depth of the braces around each open server, and the server.
    let (mut open, mut depth): (Option<(usize, Server)>, usize) = (None, 0);
    each_directive(text, &mut |directive, end| {
        let first = directive.first().map_or("", String::as_str);
        match (&mut open, end) {
            (None, '{') if directive == ["server"] => open = Some((depth, Server::default())),
            (Some((_, server)), _) => match first {
                "server_name" => {
                    let is_name =
                        |name: &&String| !name.contains(['*', '~', '$']) && *name != "_" && !name.is_empty();
                    server.names.extend(
                        directive[1..]
                            .iter()
                            .filter(is_name)
                            .map(|name| name.trim_start_matches('.').to_owned()),
                    );
                }
                "ssl_certificate" => server.has_tls = true,
                "include" => {
                    server.takes_events |=
                        directive.iter().any(|word| word.ends_with("alt/alt-locations.conf"));
                }
                _ => {}
            },
            _ => {}
        }
        match end {
            '{' => depth += 1,
            '}' => {
                depth = depth.saturating_sub(1);
                if let Some((_, server)) = open.take_if(|(outside, _)| *outside == depth) {
                    servers.push(server);
                }
            }
            _ => {}
        }
    });
    servers
}

/// Splits a configuration into directives: words up to `;`, `{` or `}`.
pub(crate) fn tokens(text: &str) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    each_directive(text, &mut |directive, _| {
        if !directive.is_empty() {
            all.push(directive.to_vec());
        }
    });
    all
}

/// Passes each directive on, with the character that ends it; before `}`, it may be empty.
fn each_directive(text: &str, each: &mut dyn FnMut(&[String], char)) {
    let mut directive = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '#' => while chars.next_if(|c| *c != '\n').is_some() {},
            ';' | '{' | '}' => {
                each(&directive, c);
                directive.clear();
            }
            '\'' | '"' => {
                let mut word = String::new();
                while let Some(next) = chars.next() {
                    match next {
                        // as nginx does: `\` before a quote or a backslash is dropped, \t \r \n are converted; any
                        // other `\` stays
                        '\\' => match chars.next() {
                            Some(quoted @ ('\'' | '"' | '\\')) => word.push(quoted),
                            Some('t') => word.push('\t'),
                            Some('n') => word.push('\n'),
                            Some('r') => word.push('\r'),
                            Some(other) => word.extend(['\\', other]),
                            None => break,
                        },
                        end if end == c => break,
                        other => word.push(other),
                    }
                }
                directive.push(word);
            }
            c if c.is_whitespace() => {}
            c => {
                let mut word = String::from(c);
                while let Some(&next) = chars.peek() {
                    if next == '{' && word.ends_with('$') {
                        // a variable in braces is part of the word
                        word.extend(chars.by_ref().take_while(|c| *c != '}'));
                        word.push('}');
                    } else if next.is_whitespace() || ";{}".contains(next) {
                        break;
                    } else {
                        word.push(next);
                        chars.next();
                    }
                }
                directive.push(word);
            }
        }
    }
}

/// Compares the formats that nginx writes with those that the configuration expects.
pub(super) fn formats(config: &Config, site: &Site, findings: &mut Findings) {
    let shipped = Site::of(SHIPPED);
    let wanted = config.sources.iter().any(|source| source.format == "alt1");
    for name in OURS {
        let (ours, theirs) = (shipped.log_format(name), site.log_format(name));
        match theirs {
            None if name == "alt1" && wanted => findings.add(
                Kind::Format,
                "nginx",
                "has no log_format alt1",
                "include alt/alt-http.conf inside http { }, as `alt setup` does",
            ),
            None => {}
            Some(theirs) if Some(&theirs) == ours.as_ref() => {}
            Some(_) => findings.add(
                Kind::Format,
                format!("nginx, log_format {name}"),
                "differs from the one that alt reads",
                "take alt-http.conf as it is shipped (/etc/nginx/alt/alt-http.conf), then: nginx -t && nginx -s reload",
            ),
        }
    }
    for source in &config.sources {
        for path in &source.paths {
            let Some(pattern) = logs::pattern(path) else { continue };
            for file in site.unlimited(&pattern) {
                findings.add(
                    Kind::UnlimitedLog,
                    format!("nginx, access_log {file}"),
                    format!(
                        "has no {LOGGABLE}: one address can fill the disk with requests that are refused"
                    ),
                    "take alt-endpoint.conf as it is shipped, or add this to the directive; then: nginx -t && nginx -s reload",
                );
            }
            for (file, format) in site.formats_of(&pattern) {
                if !fits(&source.format, format, site) {
                    findings.add(
                        Kind::Format,
                        format!("nginx, access_log {file}"),
                        format!("is written in the format {format}, and read as {}", source.format),
                        "make [[source]] format and access_log name the same format",
                    );
                }
            }
        }
    }
}

fn fits(wanted: &str, format: &str, site: &Site) -> bool {
    match wanted {
        "alt1" => OURS.contains(&format),
        "combined" | "common" | "vhost_combined" => format == wanted,
        // a string: the same text; a whole directive: the same text in it
        text => site.log_format(format).is_none_or(|(_, theirs)| {
            let own = tokens(&format!("{text};"));
            let own = own.iter().find(|d| d.first().is_some_and(|first| first == "log_format"));
            let own = own.map_or_else(
                || text.to_owned(),
                |d| d.iter().skip(2).filter(|arg| !arg.starts_with("escape=")).map(String::as_str).collect(),
            );
            own == theirs
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_is_split_as_nginx_splits_it() {
        let text = "http { # a comment; with }\n  log_format a escape=json 'x\\ty' \"$z 'q'\";\n\
                    access_log /a.log a if=$b;\n set ${x}y 1; }\n";
        let expected: Vec<Vec<&str>> = vec![
            vec!["http"],
            vec!["log_format", "a", "escape=json", "x\ty", "$z 'q'"],
            vec!["access_log", "/a.log", "a", "if=$b"],
            vec!["set", "${x}y", "1"],
        ];
        assert_eq!(tokens(text), expected);
        for broken in ["'", "\"\\", "a", "{", "}", "$", "${", "#"] {
            let _ = tokens(broken);
        }
    }

    #[test]
    fn the_servers_that_take_events_are_known_by_their_names() {
        let site = Site::of(
            "http { server { listen 80; server_name a.example *.b.example ~^x _; location / { return 404; } }
             server { location / { server_name no; } server_name c.example .d.example; ssl_certificate /c;
             include alt/alt-locations.conf; if ($x) { return 1; } } server_name outside; }",
        );
        let found: Vec<&Server> = site.takes_events().collect();
        let names = ["no", "c.example", "d.example"].map(str::to_owned).to_vec();
        assert_eq!(found, [&Server { names, has_tls: true, takes_events: true }]);
        assert_eq!(site.servers.len(), 2);
        assert_eq!(site.servers[0].names, ["a.example"]);
    }

    #[test]
    fn the_shipped_formats_are_found() {
        let shipped = Site::of(SHIPPED);
        let (escape, text) = shipped.log_format("alt1").unwrap();
        assert_eq!(escape, "json");
        assert_eq!(text.split('\t').count(), 19);
        assert!(text.starts_with("alt1\t$msec\t$request_id\t") && text.ends_with("\t$alt_body"), "{text}");
        assert!(shipped.log_format("alt1_truncated").is_some());
    }

    #[test]
    fn the_format_of_a_log_is_the_one_behind_its_path() {
        let site = Site::of(
            "access_log /a.log; access_log /b.log alt1 if=$x; access_log off; access_log /c.log buffer=1k;",
        );
        let of = |path: &str| site.formats_of(&glob::Pattern::new(path).unwrap());
        assert_eq!(of("/a.log"), [("/a.log", "combined")]);
        assert_eq!(of("/b.log"), [("/b.log", "alt1")]);
        assert_eq!(of("/*.log").len(), 3);
        assert_eq!(of("/c.log"), [("/c.log", "combined")]);
        assert!(of("/d.log").is_empty());
    }

    #[test]
    fn a_log_that_refusals_go_to_without_a_limit_is_found() {
        let site = Site::of(
            "access_log /a.log alt1; access_log /b.log alt1 if=$alt_loggable; access_log /c.log alt1_truncated if=$x; \
             access_log /d.log combined; access_log off;",
        );
        assert_eq!(site.unlimited(&glob::Pattern::new("/*.log").unwrap()), ["/a.log", "/c.log"]);
    }
}
