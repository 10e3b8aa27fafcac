//! Checks nginx's error log for what is over already: a disk that was full, when nginx could not log.

use alt_collect::source::logs;
use alt_config::Config;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::finding::{Findings, Kind};
use super::nginx::Site;
use super::recent::sample;

/// Where distributions let nginx write its errors, unless its configuration says otherwise.
const DEFAULT: &str = "/var/log/nginx/error.log";
/// What nginx says of a full disk, of a file system without room by quota, and of a line that was written in part.
const FULL: [&str; 3] = ["(28: No space left on device)", "(122: Disk quota exceeded)", " was incomplete: "];

/// Looks for log lines that nginx could not write within a day.
pub(super) fn look(config: &Config, site: Option<&Site>, findings: &mut Findings) {
    let mut files: Vec<&str> = site.into_iter().flat_map(Site::error_logs).collect();
    files.push(DEFAULT);
    files.sort_unstable();
    files.dedup();
    let patterns: Vec<glob::Pattern> = config
        .sources
        .iter()
        .flat_map(|source| &source.paths)
        .filter_map(|path| logs::pattern(path))
        .collect();
    for file in files {
        let bytes = match sample(std::path::Path::new(file)) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => continue,
            Err(e) => {
                findings.not_checked(format!("nginx's error log {file} ({e})"));
                continue;
            }
        };
        let text = String::from_utf8_lossy(&bytes);
        let last = text.lines().rev().find(|line| is_lost(line, &patterns));
        let Some(at) = last.and_then(time) else { continue };
        if at < Timestamp::now() - 24.hours() {
            continue;
        }
        findings.add(
            Kind::DiskWasFull,
            file,
            format!("nginx could not write to the log, because the disk was full, last at {at:.0}: hits of that time are lost"),
            format!("look what filled it: df -h; du -xh / | sort -h | tail; when: grep 'write() to' {file}"),
        );
    }
}

/// Whether a line says that a line of one of our logs could not be written.
fn is_lost(line: &str, logs: &[glob::Pattern]) -> bool {
    let Some((_, rest)) = line.split_once("write() to \"") else { return false };
    let Some((path, why)) = rest.split_once('"') else { return false };
    FULL.iter().any(|full| why.contains(full)) && logs.iter().any(|log| log.matches(path))
}

/// The time of a line, in the time zone of this machine: `2026/11/29 03:10:31 [alert] …`.
fn time(line: &str) -> Option<Timestamp> {
    let at = DateTime::strptime("%Y/%m/%d %H:%M:%S", line.get(..19)?).ok()?;
    Some(at.to_zoned(TimeZone::system()).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_about_one_of_our_logs_is_known_and_another_is_not() {
        let logs = [glob::Pattern::new("/var/log/nginx/alt/*.log").unwrap()];
        let line = |path: &str, why: &str| {
            format!(
                "2026/11/29 03:10:31 [alert] 7#7: *1 write() to \"{path}\" {why} while logging request, client: 1.2.3.4"
            )
        };
        let ours = "/var/log/nginx/alt/beacon.log";
        assert!(is_lost(&line(ours, "failed (28: No space left on device)"), &logs));
        assert!(is_lost(&line(ours, "was incomplete: 17 of 250"), &logs));
        assert!(!is_lost(&line(ours, "failed (5: Input/output error)"), &logs));
        assert!(!is_lost(&line("/var/log/nginx/access.log", "failed (28: No space left on device)"), &logs));
        assert!(
            time(&line(ours, "")).is_some() && time("2026/13/29 03:10:31 x").is_none() && time("ä").is_none()
        );
    }
}
