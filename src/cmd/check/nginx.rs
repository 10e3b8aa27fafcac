//! Checks what nginx's configuration says about logs.

use std::path::{Path, PathBuf};
use std::process::Command;

use alt_collect::source::logs;
use alt_config::Config;
use anyhow::{Context, bail};

use super::Findings;

/// The shipped log formats.
const SHIPPED: &str = include_str!("../../../nginx/alt-http.conf");

/// Their names.
const OURS: [&str; 2] = ["alt1", "alt1_truncated"];
/// The condition that keeps refused requests out of a log if the rate limits leave no room for them.
const LOGGABLE: &str = "if=$alt_loggable";

/// Includes nested deeper than this count as a circle.
const INCLUDE_DEPTH_MAX: usize = 16;

/// nginx's configuration: its directives in order, without their blocks.
pub(super) struct Site(Vec<Vec<String>>);

impl Site {
    /// Reads a file and its includes, or a dump of `nginx -T`. Without a file, runs `nginx -T`.
    pub(super) fn read(file: Option<&Path>) -> anyhow::Result<Site> {
        let Some(path) = file else { return Ok(Site(tokens(&dump()?))) };
        let mut directives = Vec::new();
        let root = path.parent().unwrap_or(Path::new("/"));
        read_file(path, root, 0, &mut directives)?;
        Ok(Site(directives))
    }

    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [String]> {
        self.0.iter().filter(move |d| d.first().is_some_and(|first| first == name)).map(|d| &d[1..])
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

fn dump() -> anyhow::Result<String> {
    let output = Command::new("nginx").args(["-T", "-q"]).output().context("run nginx -T")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let why = said.split('\n').find(|line| line.contains("emerg")).unwrap_or("run this as root").trim();
        bail!("nginx -T failed: {why}");
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn read_file(path: &Path, root: &Path, depth: usize, into: &mut Vec<Vec<String>>) -> anyhow::Result<()> {
    if depth > INCLUDE_DEPTH_MAX {
        bail!("{}: files include each other in a circle", path.display());
    }
    let text = std::fs::read(path).with_context(|| format!("read {}", path.display()))?;
    let text = String::from_utf8_lossy(&text);
    let is_dump = text.contains("# configuration file ");
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
            _ => into.push(directive),
        }
    }
    Ok(())
}

/// Splits a configuration into directives: words up to `;`, `{` or `}`.
fn tokens(text: &str) -> Vec<Vec<String>> {
    let (mut all, mut directive) = (Vec::new(), Vec::new());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '#' => while chars.next_if(|c| *c != '\n').is_some() {},
            ';' | '{' | '}' => {
                if !directive.is_empty() {
                    all.push(std::mem::take(&mut directive));
                }
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
    all
}

/// Compares the formats that nginx writes with those that the configuration expects.
pub(super) fn formats(config: &Config, site: &Site, findings: &mut Findings) {
    let shipped = Site(tokens(SHIPPED));
    let wanted = config.sources.iter().any(|source| source.format == "alt1");
    for name in OURS {
        let (ours, theirs) = (shipped.log_format(name), site.log_format(name));
        match theirs {
            None if name == "alt1" && wanted => findings.add(
                "nginx",
                "has no log_format alt1",
                "include alt/alt-http.conf inside http { }, as `alt setup` does",
            ),
            None => {}
            Some(theirs) if Some(&theirs) == ours.as_ref() => {}
            Some(_) => findings.add(
                format!("nginx, log_format {name}"),
                "differs from the one that alt reads",
                "take alt-http.conf as it is shipped, and reload nginx",
            ),
        }
    }
    for source in &config.sources {
        for path in &source.paths {
            let Some(pattern) = logs::pattern(path) else { continue };
            for file in site.unlimited(&pattern) {
                findings.add(
                    format!("nginx, access_log {file}"),
                    format!(
                        "has no {LOGGABLE}: one address can fill the disk with requests that are refused"
                    ),
                    "take alt-endpoint.conf as it is shipped, or add this to the directive",
                );
            }
            for (file, format) in site.formats_of(&pattern) {
                if !fits(&source.format, format, site) {
                    findings.add(
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
    fn the_shipped_formats_are_found() {
        let shipped = Site(tokens(SHIPPED));
        let (escape, text) = shipped.log_format("alt1").unwrap();
        assert_eq!(escape, "json");
        assert_eq!(text.split('\t').count(), 19);
        assert!(text.starts_with("alt1\t$msec\t$request_id\t") && text.ends_with("\t$alt_body"), "{text}");
        assert!(shipped.log_format("alt1_truncated").is_some());
    }

    #[test]
    fn the_format_of_a_log_is_the_one_behind_its_path() {
        let site = Site(tokens(
            "access_log /a.log; access_log /b.log alt1 if=$x; access_log off; access_log /c.log buffer=1k;",
        ));
        let of = |path: &str| site.formats_of(&glob::Pattern::new(path).unwrap());
        assert_eq!(of("/a.log"), [("/a.log", "combined")]);
        assert_eq!(of("/b.log"), [("/b.log", "alt1")]);
        assert_eq!(of("/*.log").len(), 3);
        assert_eq!(of("/c.log"), [("/c.log", "combined")]);
        assert!(of("/d.log").is_empty());
    }

    #[test]
    fn a_log_that_refusals_go_to_without_a_limit_is_found() {
        let site = Site(tokens(
            "access_log /a.log alt1; access_log /b.log alt1 if=$alt_loggable; access_log /c.log alt1_truncated if=$x; \
             access_log /d.log combined; access_log off;",
        ));
        assert_eq!(site.unlimited(&glob::Pattern::new("/*.log").unwrap()), ["/a.log", "/c.log"]);
    }
}
