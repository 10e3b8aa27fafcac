//! Checks logrotate's configuration: whether the daemon will know the names that it gives to rotated logs, and find and read
//! the files. Names as logrotate(8) describes them.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use alt_collect::source::siblings::is_sibling;
use alt_config::Source;

use super::finding::{Findings, Kind};

/// An instant in logrotate's notation: what each specifier of `dateformat` becomes.
const DATE: [(&str, &str); 8] = [
    ("%Y", "2026"),
    ("%m", "11"),
    ("%d", "27"),
    ("%H", "10"),
    ("%M", "20"),
    ("%S", "30"),
    ("%V", "48"),
    ("%s", "1795774830"),
];

/// Programs whose output is read, by their names.
const PACKERS: [&str; 8] = ["gzip", "pigz", "zopfli", "zstd", "pzstd", "bzip2", "pbzip2", "lbzip2"];

/// The directives of logrotate that decide about names; `None`: as by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Naming {
    has_date: bool,
    format: Option<String>,
    is_hourly: bool,
    directory: Option<String>,
    extension: Option<String>,
    added: Option<String>,
    packs: bool,
    packer: Option<String>,
    packed: Option<String>,
}

impl Naming {
    /// Reads one line of a configuration.
    fn read(&mut self, line: &str) {
        let line = line.split_once('=').map_or(line.to_owned(), |(name, value)| format!("{name} {value}"));
        let mut words = line.split_whitespace();
        let Some(directive) = words.next() else { return };
        let value = || Some(words.clone().next()?.trim_matches(['"', '\'']).to_owned());
        match directive {
            "dateext" => self.has_date = true,
            "nodateext" => self.has_date = false,
            "dateformat" => self.format = value(),
            "hourly" => self.is_hourly = true,
            "daily" | "weekly" | "monthly" | "yearly" => self.is_hourly = false,
            "olddir" => self.directory = value(),
            "noolddir" => self.directory = None,
            "extension" => self.extension = value(),
            "addextension" => self.added = value(),
            "compress" => self.packs = true,
            "nocompress" => self.packs = false,
            "compresscmd" => self.packer = value(),
            "compressext" => self.packed = value(),
            _ => {}
        }
    }

    /// An example of the name that a log gets, before it is compressed.
    fn example(&self, name: &str) -> String {
        let mark = if self.has_date {
            let default = if self.is_hourly { "-%Y%m%d%H" } else { "-%Y%m%d" };
            let format = self.format.as_deref().unwrap_or(default).to_owned();
            DATE.iter().fold(format, |name, (specifier, value)| name.replace(specifier, value))
        } else {
            ".1".to_owned()
        };
        let kept = self.extension.as_deref().and_then(|ext| Some((name.strip_suffix(ext)?, ext)));
        let (stem, ext) = kept.unwrap_or((name, ""));
        match &self.added {
            Some(added) => format!("{}{mark}{added}", name.strip_suffix(added.as_str()).unwrap_or(name)),
            None => format!("{stem}{mark}{ext}"),
        }
    }
}

/// A block of a logrotate file.
pub(super) struct Block<'b> {
    pub(super) file: &'b Path,
    /// The lines before it that apply to all blocks.
    pub(super) globals: &'b [String],
    pub(super) body: &'b [String],
}

/// Checks the block of a logrotate file that rotates `path`, a log of `source`.
pub(super) fn names(block: &Block<'_>, source: &Source, path: &str, findings: &mut Findings) {
    let Block { file, globals, body } = *block;
    let mut naming = Naming::default();
    // What scripts say are no directives.
    let mut is_script = false;
    for line in globals.iter().chain(body) {
        match line.split_whitespace().next() {
            Some("prerotate" | "postrotate" | "firstaction" | "lastaction" | "preremove") => is_script = true,
            Some("endscript") => is_script = false,
            _ if !is_script => naming.read(line),
            _ => {}
        }
    }
    let (Some(directory), Some(live)) = (Path::new(path).parent(), Path::new(path).file_name()) else {
        return;
    };
    let example = naming.example(&live.to_string_lossy());
    let place = file.display().to_string();
    if !is_sibling(live, OsStr::new(&example)) {
        findings.add(
            Kind::Logrotate,
            &place,
            format!("rotates {path} to names like {example}, which are not known to be those of its rotated logs"),
            "let names begin with the log's name and go on with a number or a date, as `dateformat -%Y%m%d-%H%M%S` does; a \
             log that was rotated while the daemon was stopped is else found only if it had begun to be loaded",
        );
    }
    if let Some(old) = naming.directory.as_deref().map(|old| directory.join(old))
        && !is_known(&old, directory, source)
    {
        findings.add(
            Kind::Logrotate,
            &place,
            format!("moves the rotated logs of {path} to {}, where they are not looked for", old.display()),
            format!("add it to this [[source]] in alt.toml: rotated = [\"{}\"]", old.display()),
        );
    }
    if let Some(packer) = unread(&naming) {
        findings.add(
            Kind::Logrotate,
            &place,
            format!("compresses the rotated logs of {path} with {packer}, which is not read"),
            "let compresscmd be gzip, zstd or bzip2 (with uncompresscmd and compressext), or do not compress",
        );
    }
}

/// Whether rotated logs are looked for in a directory.
fn is_known(old: &Path, directory: &Path, source: &Source) -> bool {
    let real =
        |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.components().collect::<PathBuf>());
    let known = [directory.to_owned(), directory.join("rotated")];
    let known = known.into_iter().chain(source.rotated.iter().map(PathBuf::from));
    known.into_iter().any(|known| real(&known) == real(old))
}

/// The program that packs rotated logs, if what it writes cannot be read.
fn unread(naming: &Naming) -> Option<&str> {
    let packer = naming.packer.as_deref().filter(|_| naming.packs)?;
    let program = Path::new(packer).file_name()?.to_str()?;
    (!PACKERS.contains(&program)).then_some(packer)
}

/// The lines of a logrotate file that stand outside of its blocks.
pub(super) fn globals(text: &str) -> Vec<String> {
    let mut depth = 0;
    let mut lines = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.starts_with('#')) {
        let is_path = line.starts_with(['/', '"']);
        if depth == 0 && !is_path && !line.contains('{') {
            lines.push(line.to_owned());
        }
        depth = match line {
            _ if depth == 0 && line.contains('{') && !line.ends_with('}') => 1,
            "}" => 0,
            _ => depth,
        };
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn naming(text: &str) -> Naming {
        let mut naming = Naming::default();
        text.lines().for_each(|line| naming.read(line));
        naming
    }

    #[test]
    fn names_are_those_that_logrotate_gives() {
        for (text, name, expected) in [
            ("", "a.log", "a.log.1"),
            ("extension .log", "a.log", "a.1.log"),
            ("addextension .old", "a.log", "a.log.1.old"),
            ("addextension .log", "a.log", "a.1.log"),
            ("dateext", "a.log", "a.log-20261127"),
            ("hourly\ndateext", "a.log", "a.log-2026112710"),
            ("dateext\ndateformat _%Y%m%d", "a.log", "a.log_20261127"),
            ("dateext\ndateformat=.%s", "a.log", "a.log.1795774830"),
            ("dateext\nextension .log\ndateformat -week%V", "a.log", "a-week48.log"),
        ] {
            assert_eq!(naming(text).example(name), expected, "{text}");
        }
    }

    #[test]
    fn programs_that_pack_what_is_read() {
        let packer = |text: &str| unread(&naming(text)).map(str::to_owned);
        assert_eq!(packer("compress\ncompresscmd /usr/bin/xz"), Some("/usr/bin/xz".to_owned()));
        assert_eq!(packer("nocompress\ncompresscmd /usr/bin/xz"), None);
        assert_eq!(packer("compress\ncompresscmd /usr/bin/zstd"), None);
        assert_eq!(packer("compress"), None);
    }

    #[test]
    fn what_stands_outside_of_blocks_applies_to_all() {
        let text = "weekly\n# no\ndateext\n/a.log {\n  daily\n}\n/b.log { size 1\n}\ncompress\n/c.log { size 1 }\nmissingok\n";
        assert_eq!(globals(text), ["weekly", "dateext", "compress", "missingok"]);
    }
}
