//! `alt status`: how far every log is loaded.
//!
//! Compares the database's checkpoints with the files on disk. A single FILE is judged by its bytes alone, with the
//! same proofs that a daemon's reader uses, because a script may delete FILE if `alt status` says so.

use std::collections::HashSet;
use std::fs::{self, Metadata};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use alt_collect::source::logs::Logs;
use alt_collect::source::missing::{Limit, Search};
use alt_collect::source::reading::Opened;
use alt_collect::source::unpack;
use alt_config::Config;
use alt_line::checkpoint::{Checkpoint, Standing};
use alt_line::lines::LINE_BYTES_MAX;
use alt_store::read::Reader;
use alt_store::status::{self, FileStatus};
use alt_store::unfinished::{self, Missing, Unfinished};
use alt_store::{alerts, migrate, retention, server, stats};
use anyhow::{Context, bail};
use serde::Serialize;

use super::{Out, Outcome, show};
use crate::cli;

/// A file as people see it.
#[derive(Debug, Clone, Serialize)]
struct Entry {
    /// Key of `log_files`; `None`: nothing of the file is loaded.
    file: Option<i32>,
    host: String,
    path: String,
    format: String,
    state: &'static str,
    size: Option<u64>,
    loaded: u64,
    lag_bytes: Option<u64>,
    lag_seconds: Option<f64>,
    /// Of a missing log: the bytes that it was seen to have behind the loaded ones.
    seen_behind: Option<u64>,
    committed_at: Option<String>,
    lines: i64,
    rows: i64,
    non_hits: i64,
    rejects: i64,
    already_loaded: i64,
    unloaded: i64,
    sealed: bool,
    archived_at: Option<String>,
    archive_uri: Option<String>,
    archive_error: Option<String>,
    deleted_at: Option<String>,
}

/// A file as the database knows it, and as it is found here.
struct LogStatus {
    checkpoint: Checkpoint,
    inode: Option<i64>,
    since_commit: f64,
    /// All its rows were taken out.
    is_out: bool,
    entry: Entry,
}

impl LogStatus {
    /// The status of a file that was not searched for yet.
    fn of(file: FileStatus) -> LogStatus {
        let entry = Entry {
            file: Some(file.checkpoint.file_id),
            host: file.host,
            path: file.path,
            format: file.format,
            state: "gone",
            size: None,
            loaded: file.checkpoint.loaded_bytes,
            lag_bytes: None,
            lag_seconds: None,
            seen_behind: None,
            committed_at: file.committed_at,
            lines: file.lines,
            rows: file.rows,
            non_hits: file.non_hits,
            rejects: file.rejects,
            already_loaded: file.already_loaded,
            unloaded: file.unloaded,
            sealed: file.checkpoint.sealed,
            archived_at: file.archived_at,
            archive_uri: file.archive_uri,
            archive_error: file.archive_error,
            deleted_at: file.deleted_at,
        };
        let (checkpoint, since_commit) = (file.checkpoint, file.since_commit);
        LogStatus { checkpoint, inode: file.inode, since_commit, is_out: file.is_out, entry }
    }
}

/// Shows all files, or judges one.
///
/// # Errors
/// The database cannot be reached, or FILE cannot be read.
pub async fn run(config: &Config, args: &cli::Status, out: Out<'_>) -> anyhow::Result<Outcome> {
    let mut reader = super::reader(config).await?;
    reader.read(migrate::check_compatible).await?;
    let host = config.load.host_name();
    if !args.forget.is_empty() {
        return forget(config, &mut reader, &args.forget, out).await;
    }
    if let Some(file) = &args.file {
        let known = select(&mut reader, None).await?;
        let entry = judge(file, &host, known).with_context(|| format!("read {}", file.display()))?;
        let is_archived = config.archive.is_none() || entry.archived_at.is_some();
        // There is nothing of an empty file to load or to archive.
        let is_shipped = entry.lag_bytes == Some(0) && (is_archived || entry.state == "empty");
        if is_shipped {
            // Scripts that delete the file rely on the exit code.
            reader.make_durable().await.context("wait until it is on the server's disk")?;
        }
        print(&[entry], args.json, true, out)?;
        return Ok(Outcome::of(is_shipped));
    }
    let known = select(&mut reader, if args.all_hosts { None } else { Some(&host) }).await?;
    let (logs, missing) = search(&mut reader, config).await?;
    let entries = compare(&logs, &host, known, &missing);
    print(&entries, args.json, false, out)?;
    if !args.json {
        for one in &missing {
            writeln!(out, "{}: {}", show::safe(&one.path), show::safe(&one.to_string()))?;
            writeln!(out, "    {}", show::safe(&one.mend()))?;
        }
        let rows = config.retention.rows.as_ref();
        let waits = reader.read(async |client| retention::waits(client, &host, rows).await).await?;
        if let Some(waits) = waits {
            writeln!(out, "{waits}\n    {}", waits.mend())?;
        }
        if config.stats.enabled {
            let state = reader.read(async |client| stats::ask::state(client, None).await).await?;
            if !state.is_done() {
                writeln!(out, "statistics: {state}")?;
            }
        }
        if config.alerts.enabled {
            let state = reader.read(async |client| alerts::ask::state(client).await).await?;
            writeln!(out, "alerts: {state}")?;
        }
    }
    Ok(Outcome::Done)
}

/// The logs of the configuration, with those files that only their content shows to be theirs; and the logs of this host
/// that are not found any more.
async fn search(reader: &mut Reader, config: &Config) -> anyhow::Result<(Logs, Vec<Missing>)> {
    let (logs, host) = (Logs::of(config), config.load.host_name());
    let unfinished = reader.read(async |client| unfinished::of(client, &host).await).await?;
    let is_followed = |one: &Unfinished| logs.source_of(Path::new(&one.source)).is_some();
    let unfinished: Vec<Unfinished> = unfinished.into_iter().filter(is_followed).collect();
    let outcome = Search::default().run(&logs, &unfinished, Limit::NONE, &|| {});
    outcome.found.into_iter().for_each(|found| logs.add_found_again(found));
    // A running daemon may have files open that have no name any more.
    let name = alt_store::session_name("run", &host);
    let is_followed_now = reader.read(async |client| server::has_session(client, &name).await).await?;
    let is_missing = |one: &Missing| {
        let noted = || unfinished.iter().any(|log| log.is_noted && log.checkpoint.file_id == one.file_id);
        !is_followed_now || noted()
    };
    let missing = outcome.missing.into_iter().filter(is_missing).collect();
    Ok((logs, missing))
}

/// The logs of this host that are not found any more.
///
/// # Errors
/// The database cannot be asked.
pub(super) async fn missing(reader: &mut Reader, config: &Config) -> anyhow::Result<Vec<Missing>> {
    Ok(search(reader, config).await?.1)
}

/// Stops looking for missing logs, by their numbers or all of them.
async fn forget(
    config: &Config,
    reader: &mut Reader,
    which: &[String],
    out: Out<'_>,
) -> anyhow::Result<Outcome> {
    let missing = missing(reader, config).await?;
    let mut forgotten = Vec::new();
    for word in which {
        let of_word = |one: &&Missing| word == "all" || word.parse() == Ok(one.file_id);
        let chosen: Vec<&Missing> = missing.iter().filter(of_word).collect();
        if chosen.is_empty() && word != "all" {
            bail!("no missing log has the number {word}: `alt status` tells which logs are missing");
        }
        forgotten.extend(chosen);
    }
    let ids: Vec<i32> = forgotten.iter().map(|one| one.file_id).collect();
    unfinished::forget(&*super::writer(config).await?, &ids).await?;
    for one in forgotten {
        let (path, file) = (show::safe(&one.path), one.file_id);
        writeln!(out, "{path} (file {file}): not looked for any more; loaded up to byte {}", one.offset)?;
    }
    Ok(Outcome::Done)
}

/// The logs of this host with lines that are not loaded: path, bytes, and the minimum number of seconds that they have
/// waited. Only logs that have waited for `most` or longer.
pub(super) async fn waiting(
    reader: &mut Reader,
    config: &Config,
    most: Duration,
) -> anyhow::Result<Vec<(String, u64, f64)>> {
    let host = config.load.host_name();
    let known = select(reader, Some(&host)).await?;
    let (logs, missing) = search(reader, config).await?;
    let ours: HashSet<PathBuf> = files_of(&logs).into_iter().collect();
    let mut waiting = Vec::new();
    for entry in compare(&logs, &host, known, &missing) {
        let path = PathBuf::from(&entry.path);
        let bytes = entry.lag_bytes.unwrap_or(0);
        if bytes == 0 || !ours.contains(&path) || !has_line(&path, entry.loaded).unwrap_or(false) {
            continue;
        }
        // The newest data has waited at least since the file was modified. Older data has waited at most since the last
        // commit.
        let written = fs::metadata(&path).and_then(|meta| meta.modified()).ok();
        let since = written.and_then(|at| at.elapsed().ok()).map_or(0.0, |since| since.as_secs_f64());
        let since = entry.lag_seconds.map_or(since, |committed| committed.max(since));
        if since >= most.as_secs_f64() {
            waiting.push((entry.path, bytes, since));
        }
    }
    Ok(waiting)
}

/// Whether a file has a byte of a log: a packed file may have none. A file that cannot be read may have one.
fn has_content(path: &Path, meta: &Metadata) -> bool {
    let is_empty = |opened: Opened| if opened.is_packed() { opened.is_empty() } else { Ok(false) };
    meta.len() > 0 && !Opened::new(path, Arc::default()).and_then(is_empty).unwrap_or(false)
}

/// Whether a line ends after `from`. A last line without its newline waits for the newline, however long; in a packed
/// file, it is a line.
fn has_line(path: &Path, from: u64) -> anyhow::Result<bool> {
    let (file, mut chunk) = (unpack::regular(path)?, vec![0; LINE_BYTES_MAX]);
    let opened = Opened::new(path, Arc::default())?;
    if opened.is_packed() {
        return Ok(!opened.is_empty()?);
    }
    let n = file.read_at(&mut chunk, from)?;
    Ok(n == chunk.len() || chunk[..n].contains(&b'\n'))
}

async fn select(reader: &mut Reader, host: Option<&str>) -> anyhow::Result<Vec<LogStatus>> {
    let files = reader.read(async |client| status::files(client, host).await).await?;
    Ok(files.into_iter().map(LogStatus::of).collect())
}

/// Every checkpoint with the current state of its file on disk, and the files that have no checkpoint yet.
fn compare(logs: &Logs, host: &str, mut known: Vec<LogStatus>, missing: &[Missing]) -> Vec<Entry> {
    let mut unmatched: Vec<(PathBuf, Metadata)> = Vec::new();
    let mut met = HashSet::new();
    let paths = known.iter().filter(|one| one.entry.host == host).map(|one| PathBuf::from(&one.entry.path));
    for path in paths.chain(files_of(logs)).collect::<Vec<_>>() {
        let Ok(meta) = fs::metadata(&path) else { continue };
        if !meta.is_file() || !met.insert((meta.dev(), meta.ino())) {
            continue;
        }
        let inode = i64::try_from(meta.ino()).ok();
        let may_be_it = |one: &LogStatus| one.entry.host == host && one.inode == inode;
        if !fill_all(&mut known, may_be_it, &path, &meta) {
            unmatched.push((path, meta));
        }
    }
    let mut new = Vec::new();
    for (path, meta) in unmatched {
        let may_be_it = |one: &LogStatus| one.entry.host == host && one.entry.size.is_none();
        if !fill_all(&mut known, may_be_it, &path, &meta) && has_content(&path, &meta) {
            new.push(unknown(&path, host, Some(meta.len())));
        }
    }
    for one in known.iter_mut().filter(|one| one.entry.size.is_none()) {
        match () {
            () if one.is_out => settle(one),
            () if one.entry.host != host => one.entry.state = "elsewhere",
            () => {}
        }
    }
    for one in &mut known {
        let file_id = one.checkpoint.file_id;
        if let Some(missing) = missing.iter().find(|missing| missing.file_id == file_id) {
            let entry = &mut one.entry;
            (entry.state, entry.seen_behind) = ("missing", Some(missing.seen_behind));
            (entry.size, entry.lag_bytes, entry.lag_seconds) = (None, None, None);
        }
    }
    let mut entries: Vec<Entry> = known.into_iter().map(|one| one.entry).collect();
    entries.append(&mut new);
    entries
}

/// Fills the entries of this file, among the candidates. Returns whether there are any. Without event ids, a file has
/// one checkpoint per source that read it. The farthest checkpoint determines how far the file is loaded; of several,
/// the newest.
fn fill_all(
    known: &mut [LogStatus],
    may_be_it: impl Fn(&LogStatus) -> bool,
    path: &Path,
    meta: &Metadata,
) -> bool {
    let ours: Vec<usize> = (0..known.len()).filter(|&n| may_be_it(&known[n])).collect();
    if ours.is_empty() {
        return false;
    }
    let Ok(opened) = Opened::new(path, Arc::default()) else { return false };
    let begins = opened.begins_with_each(ours.iter().map(|&n| &known[n].checkpoint.head));
    let Ok(begins) = begins else { return false };
    let ours: Vec<usize> =
        ours.into_iter().zip(begins).filter(|(_, begins)| *begins).map(|(n, _)| n).collect();
    let best = ours.iter().copied().max_by_key(|&n| (!known[n].is_out, known[n].entry.loaded, n));
    let Some(best) = best else { return false };
    let farthest = known[best].entry.loaded;
    for n in ours {
        fill(&mut known[n], &opened, path, meta);
        if !known[n].is_out && known[n].entry.loaded < farthest {
            let entry = &mut known[n].entry;
            (entry.state, entry.lag_bytes, entry.lag_seconds) = ("overtaken", None, None);
        }
    }
    true
}

/// Fills the entry with what is on disk. The size of a compressed file does not tell the size of its content.
fn fill(known: &mut LogStatus, opened: &Opened, path: &Path, meta: &Metadata) {
    let entry = &mut known.entry;
    entry.path = path.display().to_string();
    entry.size = Some(meta.len());
    entry.lag_bytes = match (opened.is_packed(), entry.sealed) {
        (false, _) => Some(meta.len().saturating_sub(entry.loaded)),
        (true, true) => Some(0),
        (true, false) => None,
    };
    settle(known);
}

fn settle(known: &mut LogStatus) {
    let entry = &mut known.entry;
    if known.is_out {
        (entry.state, entry.lag_bytes) = ("taken out", None);
        return;
    }
    entry.lag_seconds = entry.lag_bytes.map(|lag| if lag == 0 { 0.0 } else { known.since_commit.max(0.0) });
    entry.state = match entry.lag_bytes {
        Some(0) => "loaded",
        Some(_) => "behind",
        None => "unknown",
    };
}

fn unknown(path: &Path, host: &str, size: Option<u64>) -> Entry {
    Entry {
        file: None,
        host: host.to_owned(),
        path: path.display().to_string(),
        format: String::new(),
        state: if size == Some(0) { "empty" } else { "not begun" },
        size,
        loaded: 0,
        lag_bytes: size,
        lag_seconds: None,
        seen_behind: None,
        committed_at: None,
        lines: 0,
        rows: 0,
        non_hits: 0,
        rejects: 0,
        already_loaded: 0,
        unloaded: 0,
        sealed: false,
        archived_at: None,
        archive_uri: None,
        archive_error: None,
        deleted_at: None,
    }
}

/// The configured logs and their rotated siblings that are on disk.
fn files_of(logs: &Logs) -> Vec<PathBuf> {
    let live = logs.look();
    let files = (0..logs.count()).flat_map(|source| live.files(source, &|| {}).files);
    let mut all: Vec<PathBuf> = files.map(|file| file.path).collect();
    all.sort();
    all
}

/// The state of one file, judged by its bytes.
fn judge(path: &Path, host: &str, known: Vec<LogStatus>) -> anyhow::Result<Entry> {
    let opened = Opened::new(path, Arc::default())?;
    let standings = standings(&opened, host, known)?;
    let done = standings.iter().find(|(_, standing)| *standing == Standing::Done);
    // If the end of a packed file is known, the file need not be unpacked again.
    let bytes = match done {
        Some((known, _)) => known.checkpoint.loaded_bytes,
        None => opened.log_bytes()?,
    };
    let mut best: Option<Entry> = None;
    for (mut known, standing) in standings {
        known.entry.path = path.display().to_string();
        known.entry.size = Some(bytes);
        match standing {
            Standing::Done | Standing::Continues | Standing::Beyond => {
                known.entry.lag_bytes = bytes.checked_sub(known.entry.loaded);
                settle(&mut known);
            }
            // a truncated copy: its content is loaded, as far as its head proves anything
            Standing::Shorter => known.entry.state = "shorter than what was loaded",
            Standing::Diverges => known.entry.state = "another file that begins alike",
            Standing::Other => continue,
        }
        if best.as_ref().is_none_or(|best| better(&known.entry, best)) {
            best = Some(known.entry);
        }
    }
    Ok(best.unwrap_or_else(|| unknown(path, host, Some(bytes))))
}

/// Compares a file's bytes with the checkpoints that may be its own: those with an id in their head, and those of this
/// host.
fn standings(
    opened: &Opened,
    host: &str,
    known: Vec<LogStatus>,
) -> anyhow::Result<Vec<(LogStatus, Standing)>> {
    let may_be_it = |one: &LogStatus| one.checkpoint.head.has_id || one.entry.host == host;
    let candidates: Vec<LogStatus> = known.into_iter().filter(may_be_it).collect();
    let standings = opened.standings(candidates.iter().map(|one| &one.checkpoint))?;
    Ok(candidates.into_iter().zip(standings).collect())
}

/// Keys of the files in the database whose loaded bytes are the beginning of this file.
///
/// # Errors
/// The file cannot be read, or the database cannot be asked.
pub(super) async fn known_as(reader: &mut Reader, host: &str, path: &Path) -> anyhow::Result<Vec<i32>> {
    let known = select(reader, None).await?;
    let standings = Opened::new(path, Arc::default())
        .map_err(Into::into)
        .and_then(|opened| standings(&opened, host, known))
        .with_context(|| format!("read {}", path.display()))?;
    let is_it = |s: Standing| matches!(s, Standing::Done | Standing::Continues | Standing::Beyond);
    Ok(standings.into_iter().filter(|(_, s)| is_it(*s)).map(|(known, _)| known.checkpoint.file_id).collect())
}

fn better(a: &Entry, b: &Entry) -> bool {
    a.lag_bytes.unwrap_or(u64::MAX) < b.lag_bytes.unwrap_or(u64::MAX)
}

fn print(entries: &[Entry], as_json: bool, one: bool, out: Out<'_>) -> anyhow::Result<()> {
    if as_json {
        return match entries {
            [entry] if one => show::json(out, entry),
            _ => show::json(out, &entries),
        };
    }
    if entries.is_empty() {
        writeln!(out, "no log is loaded or there to be loaded; `alt check` says what is missing")?;
        return Ok(());
    }
    let here = entries.first().map(|entry| &entry.host);
    let hosts = entries.iter().any(|entry| Some(&entry.host) != here);
    for entry in entries {
        print_entry(entry, hosts, out)?;
    }
    Ok(())
}

/// A file in lines of at most [`show::WIDTH`] characters, except for its path and that of its copy.
fn print_entry(entry: &Entry, with_host: bool, out: Out<'_>) -> anyhow::Result<()> {
    let count = |n: u64| show::number(i64::try_from(n).unwrap_or(i64::MAX));
    let host = if with_host { format!("{}:", entry.host) } else { String::new() };
    writeln!(out, "{}{}", show::safe(&host), show::safe(&entry.path))?;
    let mut parts = vec![format!("{}{}", entry.state, if entry.sealed { ", sealed" } else { "" })];
    parts.push(match entry.size {
        Some(size) => format!("{} bytes loaded, {} on disk", count(entry.loaded), count(size)),
        None => format!("{} bytes loaded", count(entry.loaded)),
    });
    if let Some(lag @ 1..) = entry.lag_bytes {
        let since = entry.lag_seconds.map(|s| format!(" and {s:.1} s")).unwrap_or_default();
        parts.push(format!("{} bytes{since} behind", count(lag)));
    }
    parts.extend(entry.committed_at.as_ref().map(|at| format!("last commit {at} UTC")));
    show::wrapped("  ", &parts, "; ", out)?;
    if entry.file.is_some() {
        let of = |n: i64, what: &str| (n != 0).then(|| format!("{} {what}", show::number(n)));
        let mut parts = vec![
            format!("{} lines: {} rows", show::number(entry.lines), show::number(entry.rows)),
            format!("{} rejects", show::number(entry.rejects)),
        ];
        parts.extend(of(entry.non_hits, "non-hits"));
        parts.extend(of(entry.already_loaded, "already loaded"));
        parts.extend(of(entry.unloaded, "taken out"));
        show::wrapped("  ", &parts, ", ", out)?;
    }
    match archived(entry) {
        copy if copy.is_empty() => {}
        copy => writeln!(out, "  archive: {}", show::safe(&copy))?,
    }
    Ok(())
}

/// The location of a file's copy, or why there is no copy yet.
fn archived(entry: &Entry) -> String {
    match (&entry.archive_uri, &entry.archive_error) {
        (_, Some(error)) => format!("not archived: {error}"),
        (Some(uri), _) => uri.clone(),
        (None, _) if entry.archived_at.is_some() => "pruned".to_owned(),
        (None, _) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use alt_line::checkpoint::{Head, Proof};

    use super::*;

    const TEXT: &[u8] = b"first line of the log\nsecond line\nthird\n";

    fn known(loaded: usize, sealed: bool) -> LogStatus {
        let head = Head { proof: Proof::of(&TEXT[..22]), has_id: true };
        let tail = Proof::of(&TEXT[loaded - 6..loaded]);
        let checkpoint = Checkpoint { file_id: 1, head, fork: 0, loaded_bytes: loaded as u64, tail, sealed };
        let mut entry = unknown(Path::new("/old"), "web-1", None);
        entry.loaded = loaded as u64;
        LogStatus { checkpoint, inode: None, since_commit: 5.0, is_out: false, entry }
    }

    fn judged(bytes: &[u8], known: Vec<LogStatus>) -> (&'static str, Option<u64>) {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        let entry = judge(file.path(), "web-1", known).unwrap();
        (entry.state, entry.lag_bytes)
    }

    #[test]
    fn a_file_is_judged_by_its_bytes() {
        let all = TEXT.len();
        let zstd = zstd::encode_all(TEXT, 1).unwrap();
        let cut = &TEXT[..30];
        let other = [&TEXT[..22], b"and goes on differently"].concat();
        assert_eq!(judged(TEXT, vec![known(all, true)]), ("loaded", Some(0)));
        assert_eq!(judged(&zstd, vec![known(all, true)]), ("loaded", Some(0)));
        assert_eq!(judged(TEXT, vec![known(34, false)]), ("behind", Some(6)));
        assert_eq!(judged(&zstd, vec![known(34, false)]), ("behind", Some(6)));
        assert_eq!(judged(TEXT, vec![known(34, false), known(all, false)]), ("loaded", Some(0)));
        assert_eq!(judged(cut, vec![known(all, true)]), ("shorter than what was loaded", None));
        assert_eq!(judged(&other, vec![known(34, true)]), ("another file that begins alike", None));
        assert_eq!(judged(b"something else", vec![known(all, true)]), ("not begun", Some(14)));
        assert_eq!(judged(TEXT, Vec::new()), ("not begun", Some(40)));
        assert_eq!(judged(b"", Vec::new()), ("empty", Some(0)));
        let out = LogStatus { is_out: true, ..known(all, true) };
        assert_eq!(judged(TEXT, vec![out]), ("taken out", None));
    }

    #[test]
    fn a_file_fits_a_terminal() {
        let mut large = known(34, true).entry;
        large.file = Some(1);
        let most = 999_999_999_999_999;
        (large.size, large.loaded, large.lag_bytes) = (Some(most), most, Some(most));
        (large.lag_seconds, large.committed_at) = (Some(9_999_999.9), Some("2026-11-28 12:00:00".to_owned()));
        let most = i64::try_from(most).unwrap();
        (large.lines, large.rows, large.non_hits, large.rejects) = (most, most, most, most);
        (large.already_loaded, large.unloaded) = (most, most);
        let small = unknown(Path::new("/new"), "web-1", Some(7));
        let mut told = Vec::new();
        print(&[large, small], false, false, &mut told).unwrap();
        let told = String::from_utf8(told).unwrap();
        assert!(told.split('\n').all(|line| line.len() <= 100), "{told}");
        insta::assert_snapshot!(told, @r"
        /old
          not begun; 999,999,999,999,999 bytes loaded, 999,999,999,999,999 on disk;
            999,999,999,999,999 bytes and 9999999.9 s behind; last commit 2026-11-28 12:00:00 UTC
          999,999,999,999,999 lines: 999,999,999,999,999 rows, 999,999,999,999,999 rejects,
            999,999,999,999,999 non-hits, 999,999,999,999,999 already loaded, 999,999,999,999,999 taken out
        /new
          not begun; 0 bytes loaded, 7 on disk; 7 bytes behind
        ");
    }
}
