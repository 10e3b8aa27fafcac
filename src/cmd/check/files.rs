//! Checks the logs, their directories, the disk, and logrotate.

use std::fs;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use alt_collect::source::logs::{self, Logs, is_seen};
use alt_collect::source::{inputs, unpack};
use alt_config::{Config, DEFAULT_LOG, SecretFile, Source};
use nix::sys::statvfs::statvfs;
use nix::unistd::{AccessFlags, access, geteuid};

use super::finding::{Findings, Kind, is_ordinary};
use super::logrotate;
use super::nginx::Site;
use super::recent::{self, Recent};
use crate::acl::{self, Others};
use crate::cmd::{LOCAL_ONLY, beyond_this_machine};

/// How many bytes of a file of logrotate are read.
const LOGROTATE_BYTES_MAX: u64 = 1 << 20;
/// The daemon's own directory.
const STATE: &str = "/var/lib/alt";

/// Checks every configured log.
///
/// Returns what their last lines are.
pub(super) fn logs(config: &Config, site: Option<&Site>, findings: &mut Findings) -> Vec<Recent> {
    let mut all = Vec::new();
    let live = Logs::of(config).look();
    for (n, source) in config.sources.iter().enumerate() {
        for path in source.paths.iter().filter(|path| !is_seen(path)) {
            absent(path, site, findings);
        }
        for log in live.paths_of(n).filter(|log| fs::metadata(log).is_ok()) {
            if let Some(directory) = log.parent() {
                directory_of(directory, findings);
            }
            open_to_all(log, findings);
            all.extend(one(config, source, log, site, findings));
        }
    }
    all
}

/// Finds files that hold the password and that everybody on this machine can read.
pub(super) fn secrets(config: &Config, path: &Path, findings: &mut Findings) {
    let in_file = std::env::var_os("ALT_POSTGRES_URL").is_none()
        && alt_store::connect::has_password(&config.postgres).unwrap_or(false);
    let holding = in_file.then(|| path.to_owned()).into_iter();
    let of_provider = config.web.oidc.as_ref().and_then(|oidc| match oidc.secret.as_ref()? {
        SecretFile::Path(path) => Some(path.clone()),
        SecretFile::Credential(_) => None,
    });
    if let Some(path) = of_provider.filter(|path| is_open(path)) {
        findings.add(
            Kind::Secrets,
            path.display().to_string(),
            "holds the secret of [web.oidc], and everybody on this machine may read it",
            format!("chgrp alt_web {0} && chmod 640 {0}", path.display()),
        );
    }
    for path in holding.chain(config.postgres.password_file.clone()) {
        if is_open(&path) {
            findings.add(
                Kind::Secrets,
                path.display().to_string(),
                "holds the password of PostgreSQL, and everybody on this machine may read it",
                format!("chgrp alt {0} && chmod 640 {0}", path.display()),
            );
        }
    }
}

fn is_open(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|meta| meta.mode() & 0o007 != 0)
}

/// Checks the directory first: a directory that cannot be searched looks empty.
fn absent(pattern: &str, site: Option<&Site>, findings: &mut Findings) {
    let directory = Path::new(pattern).parent().unwrap_or(Path::new("/"));
    if let Err(e) = fs::read_dir(directory)
        && e.kind() == ErrorKind::PermissionDenied
    {
        unreadable(directory, "cannot be listed", findings);
        return;
    }
    let written = site.and_then(|site| logs::pattern(pattern).map(|path| site.writes(&path)));
    let mend = match written {
        Some(true) => "nginx is configured to write it: start or reload nginx, and send it a request",
        Some(false) => {
            "nginx does not write it either: include alt/alt-locations.conf in a server { }, or correct [[source]] paths"
        }
        None => "let nginx write it, or correct [[source]] paths",
    };
    findings.add(Kind::NoLog, pattern, "there is no such log", mend);
}

fn directory_of(directory: &Path, findings: &mut Findings) {
    if let Err(e) = fs::read_dir(directory) {
        unreadable(directory, &format!("cannot be listed ({e})"), findings);
    }
    let rotated = directory.join("rotated");
    match fs::read_dir(&rotated) {
        Err(e) if e.kind() != ErrorKind::NotFound => {
            unreadable(&rotated, &format!("cannot be listed ({e})"), findings);
        }
        _ => {}
    }
    if !geteuid().is_root() && !is_ordinary() && access(directory, AccessFlags::W_OK).is_ok() {
        findings.add(
            Kind::LogDirectory,
            directory.display().to_string(),
            "can be written by this account: nginx opens the log there as root, and would follow a planted link",
            format!("chown root {0} && chmod g-w,o-w {0}", directory.display()),
        );
    }
    if directory == Path::new(DEFAULT_LOG).parent().unwrap_or(directory) {
        closed(directory, findings);
    }
    let mend = "`alt status` shows which logs are loaded; then see to retention";
    room(directory, "nginx loses what it cannot log", mend, findings);
}

/// nginx makes its log for everybody to read, unless the directory's default list forbids it.
fn closed(directory: &Path, findings: &mut Findings) {
    let open = fs::metadata(directory).is_ok_and(|meta| meta.mode() & 0o001 != 0);
    let others = fs::File::open(directory).and_then(acl::others);
    if open && others.is_ok_and(|others| others == Others::AsAsked) {
        findings.add(
            Kind::OpenLog,
            directory.display().to_string(),
            "has no default ACL: after a log was renamed by hand, everybody may read the next one that nginx makes",
            "run `alt setup` as root",
        );
    }
}

/// Finds a log that every account of this machine may read: it holds whole addresses.
fn open_to_all(log: &Path, findings: &mut Findings) {
    let Ok(path) = fs::canonicalize(log) else { return };
    let has = |path: &Path, right: u32| fs::metadata(path).is_ok_and(|meta| meta.mode() & right != 0);
    if has(&path, 0o004) && path.ancestors().skip(1).all(|above| has(above, 0o001)) {
        let (log, directory) = (log.display(), path.parent().unwrap_or(Path::new("/")).display());
        findings.add(
            Kind::OpenLog,
            log.to_string(),
            "every account of this machine may read it, with the addresses of your visitors",
            format!(
                "chmod o-rwx {log}; so that nginx makes the next one alike: setfacl -d -m u::rwx,g::rx,o::- {directory}"
            ),
        );
    }
}

/// Checks where the daemon writes by itself: the directory of temporary files, in which a log is packed for the archive,
/// and its own, in which it notes what it reads.
pub(super) fn spool(config: &Config, findings: &mut Findings) {
    if config.archive.is_some() && !is_ordinary() {
        let directory = inputs::temporary_directory();
        let mend = "or name another directory: `systemctl edit alt`, Environment=TMPDIR=DIRECTORY and ReadWritePaths=DIRECTORY";
        if let Err(e) = access(&directory, AccessFlags::W_OK | AccessFlags::X_OK) {
            let what = format!(
                "cannot be written by the account {} ({e}): no log can be packed for the archive",
                account()
            );
            findings.add(
                Kind::Temporary,
                directory.display().to_string(),
                what,
                format!("chmod 1777 {}, {mend}", directory.display()),
            );
        }
        room(&directory, "no log can be packed for the archive, and logs stay on the disk", mend, findings);
    }
    let mend = "the daemon needs a few MB there";
    room(Path::new(STATE), "the daemon cannot note which lines it is reading", mend, findings);
}

/// Finds a drop-in that keeps the daemon from what its configuration names.
pub(super) fn sandbox(config: &Config, findings: &mut Findings) {
    if fs::symlink_metadata(LOCAL_ONLY).is_err() {
        return;
    }
    if let Some(why) = beyond_this_machine(config) {
        findings.add(
            Kind::Sandbox,
            LOCAL_ONLY,
            format!("lets the daemon reach nothing but this machine, and {why}"),
            format!("rm {LOCAL_ONLY}; systemctl daemon-reload; systemctl restart alt"),
        );
    }
}

fn unreadable(path: &Path, what: &str, findings: &mut Findings) {
    if is_ordinary() {
        return findings.not_checked(format!(
            "{}, which {what} by the account {}",
            path.display(),
            account()
        ));
    }
    let mode =
        fs::metadata(path).map(|meta| format!(" (mode {:o})", meta.mode() & 0o7777)).unwrap_or_default();
    findings.add(
        Kind::Unreadable,
        path.display().to_string(),
        format!("{what} by the account {}{mode}", account()),
        format!("chgrp alt {0} && chmod g+rX {0}", path.display()),
    );
}

fn account() -> String {
    let user = nix::unistd::User::from_uid(geteuid()).ok().flatten();
    user.map_or_else(|| geteuid().to_string(), |user| user.name)
}

/// Finds a file system without room: for bytes, or for one more file. `lost`: what that causes; `mend`: what to do besides.
fn room(directory: &Path, lost: &str, mend: &str, findings: &mut Findings) {
    let Ok(stat) = statvfs(directory) else { return };
    let (free, all) = (stat.blocks_available(), stat.blocks());
    let percent = free.saturating_mul(100).checked_div(all).unwrap_or(100);
    let gigabytes = free.saturating_mul(stat.fragment_size()) as f64 / 1e9;
    let place = directory.display().to_string();
    if all > 0 && free == 0 {
        findings.add(
            Kind::DiskFull,
            place,
            format!("the disk is full: {lost}"),
            format!("make room now: {mend}"),
        );
    } else if stat.files() > 0 && stat.files_available() == 0 {
        let what = format!("the file system takes no more files (no inode is free): {lost}");
        findings.add(Kind::DiskFull, place, what, format!("delete files that nobody needs: {mend}"));
    } else if all > 0 && percent < 5 && gigabytes < 20.0 {
        findings.add(
            Kind::DiskNearlyFull,
            place,
            format!(
                "the disk is nearly full: {percent} % ({gigabytes:.1} GB) are free; when it is full, {lost}"
            ),
            format!("make room: {mend}"),
        );
    }
}

/// Checks one log: whether it can be read, and whether its last lines have the expected format.
fn one(
    config: &Config,
    source: &Source,
    log: &Path,
    site: Option<&Site>,
    findings: &mut Findings,
) -> Option<Recent> {
    match recent::read(config, source, log) {
        Ok(recent) => {
            recent.looks(source, site, findings);
            Some(recent)
        }
        Err(e) if e.kind() == ErrorKind::PermissionDenied => {
            unreadable(log, "cannot be read", findings);
            None
        }
        Err(e) => {
            findings.add(
                Kind::NoLog,
                log.display().to_string(),
                format!("cannot be read: {e}"),
                "let `paths` in alt.toml name a file that nginx writes, and see to the disk (dmesg)",
            );
            None
        }
    }
}

/// copytruncate loses what is written between copying and truncating, and names may be unknown.
pub(super) fn logrotate(config: &Config, directory: &Path, findings: &mut Findings) {
    let mut files = vec![PathBuf::from("/etc/logrotate.conf")];
    files.extend(fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path()));
    let mut globals = Vec::new();
    for file in files {
        let mut text = String::new();
        let read =
            unpack::regular(&file).and_then(|file| file.take(LOGROTATE_BYTES_MAX).read_to_string(&mut text));
        if read.is_err() {
            continue;
        }
        let here = [globals.clone(), logrotate::globals(&text)].concat();
        if file == Path::new("/etc/logrotate.conf") {
            globals.clone_from(&here);
        }
        for (patterns, body) in blocks(&text) {
            let block = logrotate::Block { file: &file, globals: &here, body: &body };
            let named = config.sources.iter().flat_map(|s| s.paths.iter().map(move |path| (s, path)));
            for (source, path) in named {
                for path in rotated_paths(&patterns, path) {
                    logrotate::names(&block, source, &path, findings);
                }
            }
            let copies = body.iter().any(|line| line.split_whitespace().next() == Some("copytruncate"));
            for path in config.sources.iter().flat_map(|source| &source.paths).filter(|_| copies) {
                if patterns.iter().any(|pattern| pattern == path || names(pattern, path)) {
                    findings.add(
                        Kind::Logrotate,
                        file.display().to_string(),
                        format!("rotates {path} with copytruncate, which loses lines"),
                        "replace it by create and a postrotate that sends nginx USR1, as the shipped logrotate file does",
                    );
                }
            }
        }
    }
}

/// The paths that a block of logrotate with these patterns rotates, among those that a path of the configuration means.
/// A path that is a pattern in both is represented by the files that exist.
fn rotated_paths(patterns: &[String], path: &str) -> Vec<String> {
    let is_rotated = |path: &str| patterns.iter().any(|pattern| pattern == path || names(pattern, path));
    if is_rotated(path) && !path.contains(['*', '?']) {
        return vec![path.to_owned()];
    }
    let Some(meant) = logs::pattern(path) else { return Vec::new() };
    let there = patterns.iter().flat_map(|pattern| glob::glob(pattern).into_iter().flatten().flatten());
    let meant = there.filter(|path| meant.matches_path(path));
    meant.filter_map(|path| path.to_str().map(str::to_owned)).take(1).collect()
}

fn names(pattern: &str, path: &str) -> bool {
    glob::Pattern::new(pattern).is_ok_and(|pattern| pattern.matches(path))
}

/// The blocks of a logrotate file: the paths before the brace, and the lines inside.
fn blocks(text: &str) -> Vec<(Vec<String>, Vec<String>)> {
    let (mut all, mut paths, mut body, mut inside) = (Vec::new(), Vec::new(), Vec::new(), false);
    for line in text.lines().map(|line| line.trim().to_owned()) {
        if line.starts_with('#') {
            continue;
        }
        if inside {
            if line == "}" {
                all.push((std::mem::take(&mut paths), std::mem::take(&mut body)));
                inside = false;
            } else {
                body.push(line);
            }
            continue;
        }
        let (head, rest) =
            line.split_once('{').map_or((line.as_str(), None), |(head, rest)| (head, Some(rest)));
        let words = head.split_whitespace().map(|word| word.trim_matches('"').to_owned());
        paths.extend(words.filter(|word| word.starts_with('/')));
        if let Some(rest) = rest {
            inside = true;
            body.push(rest.to_owned());
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logrotate_file_is_read_by_its_blocks() {
        let text = "weekly\n/var/log/a.log \"/var/log/b.log\"\n/var/log/c/*.log {\n  # copytruncate\n  daily\n}\n\
                    /var/log/d.log { copytruncate\n}\n";
        let blocks = blocks(text);
        assert_eq!(blocks[0].0, ["/var/log/a.log", "/var/log/b.log", "/var/log/c/*.log"]);
        assert!(!blocks[0].1.iter().any(|line| line.contains("copytruncate")));
        assert_eq!(blocks[1].0, ["/var/log/d.log"]);
        assert_eq!(blocks[1].1, [" copytruncate"]);
    }
}
