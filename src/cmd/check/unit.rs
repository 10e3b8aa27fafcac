//! Checks the sandbox of the daemon's unit: whether the daemon may write there what its configuration names.
//!
//! A check that tries to write sees the disk as root or as the daemon's account does, outside of the sandbox. So this asks
//! systemd for the properties of the unit, with all drop-ins, and for each path what they leave of it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use alt_config::Config;

use super::finding::{Findings, Kind};

const UNIT: &str = "alt.service";
const PROPERTIES: &str = "LoadState,ProtectSystem,ProtectHome,PrivateTmp,StateDirectory,ReadWritePaths,ReadOnlyPaths,InaccessiblePaths";

/// Looks whether the daemon may write to the directories that it has to write to.
pub(super) fn look(config: &Config, findings: &mut Findings) {
    let Some(unit) = ask() else { return };
    for (path, what) in written(config) {
        if !unit.may_write(&path) {
            let path = path.display();
            findings.add(
                Kind::Sandbox,
                UNIT,
                format!("the sandbox of the unit does not let the daemon write to {path}: {what}"),
                format!(
                    "mkdir -p /etc/systemd/system/{UNIT}.d && printf '[Service]\\nReadWritePaths=%s\\n' '{path}' \
                     >>/etc/systemd/system/{UNIT}.d/paths.conf && systemctl daemon-reload && systemctl restart alt"
                ),
            );
        }
    }
}

/// The directories that the daemon writes to, and what comes of it if it may not.
fn written(config: &Config) -> Vec<(PathBuf, &'static str)> {
    let mut paths = Vec::new();
    if let Some(archive) = &config.archive
        && let Some(path) = archive.url.strip_prefix("file://")
    {
        paths.push((PathBuf::from(path), "no log gets into the archive, and logs stay on the disk"));
    }
    if config.archive.is_some() || config.retention.logs.is_some() {
        for directory in config.sources.iter().flat_map(|source| &source.rotated) {
            paths.push((PathBuf::from(directory), "rotated logs that are old enough are not deleted there"));
        }
    }
    paths
}

/// What the properties of a unit say about paths.
#[derive(Debug, Default, PartialEq, Eq)]
struct Unit {
    /// Paths, and whether they can be written; the longest that contains a path decides.
    rules: Vec<(PathBuf, bool)>,
}

/// `None`: no systemd answers, or it does not know the unit.
fn ask() -> Option<Unit> {
    if !Path::new("/run/systemd/system").is_dir() {
        return None;
    }
    let mut command = Command::new("systemctl");
    let output = command.args(["show", UNIT, "-p", PROPERTIES]).stdin(Stdio::null()).output().ok()?;
    Unit::of(&String::from_utf8_lossy(&output.stdout))
}

impl Unit {
    /// Reads `NAME=VALUE` lines, as `systemctl show` prints them. `None`: the unit is not loaded.
    fn of(text: &str) -> Option<Unit> {
        let value = |name: &str| {
            let found = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
            found.unwrap_or_default()
        };
        if value("LoadState") != "loaded" {
            return None;
        }
        let mut rules = vec![(PathBuf::from("/"), true)];
        let mut add = |paths: &[&str], may_write: bool| {
            rules.extend(paths.iter().map(|path| (PathBuf::from(path), may_write)));
        };
        match value("ProtectSystem") {
            "strict" => add(&["/"], false),
            "full" => add(&["/usr", "/boot", "/efi", "/etc"], false),
            "yes" => add(&["/usr", "/boot", "/efi"], false),
            _ => {}
        }
        // Of what may be written within a system that may not.
        add(&["/dev", "/proc", "/sys"], true);
        if value("ProtectHome") != "no" {
            add(&["/home", "/root", "/run/user"], false);
        }
        if value("PrivateTmp") == "yes" {
            add(&["/tmp", "/var/tmp"], true);
        }
        for state in value("StateDirectory").split_whitespace() {
            add(&[&format!("/var/lib/{}", state.split(':').next().unwrap_or(state))], true);
        }
        for (name, may_write) in
            [("ReadWritePaths", true), ("ReadOnlyPaths", false), ("InaccessiblePaths", false)]
        {
            let paths = value(name).split_whitespace().map(|path| path.trim_start_matches(['-', '+']));
            add(&paths.collect::<Vec<_>>(), may_write);
        }
        Some(Unit { rules })
    }

    fn may_write(&self, path: &Path) -> bool {
        let real = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let around = self.rules.iter().filter(|(rule, _)| real.starts_with(rule));
        // Of equal ones, the later one.
        around.max_by_key(|(rule, _)| rule.components().count()).is_none_or(|(_, may_write)| *may_write)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As systemd 252 says it of the shipped unit.
    const SHIPPED: &str = "ReadWritePaths=-/var/log/nginx/alt/rotated\nStateDirectory=alt\nProtectSystem=strict\n\
                           ProtectHome=yes\nPrivateTmp=yes\nReadOnlyPaths=\nInaccessiblePaths=\nLoadState=loaded\n";

    #[test]
    fn the_shipped_unit_writes_to_its_own_directories_alone() {
        let unit = Unit::of(SHIPPED).unwrap();
        for (path, expected) in [
            ("/var/log/nginx/alt/rotated", true),
            ("/var/log/nginx/alt/rotated/old", true),
            ("/var/log/nginx/alt", false),
            ("/var/lib/alt/archive", true),
            ("/var/lib/altogether", false),
            ("/srv/archive", false),
            ("/home/archive", false),
            ("/tmp/archive", true),
        ] {
            assert_eq!(unit.may_write(Path::new(path)), expected, "{path}");
        }
        let more = SHIPPED.replace("/rotated", "/rotated /srv/archive /home/archive");
        let unit = Unit::of(&more).unwrap();
        assert!(unit.may_write(Path::new("/srv/archive/dt=1")) && unit.may_write(Path::new("/home/archive")));
        assert!(Unit::of("LoadState=not-found\n").is_none() && Unit::of("").is_none());
        let open = Unit::of("LoadState=loaded\nProtectSystem=no\nProtectHome=no\n").unwrap();
        assert!(open.may_write(Path::new("/srv/archive")) && open.may_write(Path::new("/home/x")));
    }
}
