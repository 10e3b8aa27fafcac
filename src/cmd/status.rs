//! `alt status`: how far every log is loaded.
//!
//! The database's checkpoints are compared with the files on disk. A single FILE is judged by its bytes
//! alone, with the checkpoint's own proofs, because a script may delete it on our word.

use std::collections::HashSet;
use std::fs::{self, File, Metadata};
use std::io::Read;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use alt_collect::source::logs::Logs;
use alt_collect::source::stored::{self, Packing};
use alt_config::Config;
use alt_line::checkpoint::{Checkpoint, HEAD_SEARCH_BYTES, Hash, Head, Proof, Standing, hash};
use alt_line::lines::LINE_BYTES_MAX;
use alt_store::{migrate, retention};
use anyhow::Context;
use serde::Serialize;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};

use super::{Out, Outcome, show};
use crate::cli;

/// A file as people see it.
#[derive(Debug, Clone, Serialize)]
struct Entry {
    host: String,
    path: String,
    format: String,
    state: &'static str,
    size: Option<u64>,
    loaded: u64,
    lag_bytes: Option<u64>,
    lag_seconds: Option<f64>,
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

/// A checkpoint, and what is known of its file.
struct Known {
    checkpoint: Checkpoint,
    inode: Option<i64>,
    since_commit: f64,
    /// All its rows were taken out.
    is_out: bool,
    entry: Entry,
}

/// Shows all files, or judges one.
///
/// # Errors
/// The database cannot be reached, or FILE not be read.
pub async fn run(config: &Config, args: &cli::Status, out: Out<'_>) -> anyhow::Result<Outcome> {
    let client = super::connect(config).await?;
    migrate::check_compatible(&client).await?;
    let host = config.load.host_name();
    if let Some(file) = &args.file {
        let known = select(&client, None).await?;
        let entry = judge(file, &host, known).with_context(|| format!("read {}", file.display()))?;
        let is_archived = config.archive.is_none() || entry.archived_at.is_some();
        let is_shipped = entry.lag_bytes == Some(0) && is_archived;
        if is_shipped {
            // Whoever deletes the file goes by the exit code.
            alt_store::make_durable(&client).await.context("wait until it is on the server's disk")?;
        }
        print(&[entry], args.json, true, out)?;
        return Ok(Outcome::of(is_shipped));
    }
    let known = select(&client, if args.all_hosts { None } else { Some(&host) }).await?;
    let entries = compare(config, &host, known);
    print(&entries, args.json, false, out)?;
    if !args.json
        && let Some(waits) = retention::waits(&client, &host, config.retention.rows.as_ref()).await?
    {
        writeln!(out, "{waits}\n    {}", waits.mend())?;
    }
    Ok(Outcome::Done)
}

/// The logs of this host that hold lines which are not loaded: path, bytes, and for how many seconds at the
/// least, where that is `most` or more.
pub(super) async fn waiting(
    client: &Client,
    config: &Config,
    most: Duration,
) -> anyhow::Result<Vec<(String, u64, f64)>> {
    let host = config.load.host_name();
    let known = select(client, Some(&host)).await?;
    let ours: HashSet<PathBuf> = files_of(config).into_iter().collect();
    let mut waiting = Vec::new();
    for entry in compare(config, &host, known) {
        let path = PathBuf::from(&entry.path);
        let bytes = entry.lag_bytes.unwrap_or(0);
        if bytes == 0 || !ours.contains(&path) || !has_line(&path, entry.loaded).unwrap_or(false) {
            continue;
        }
        // What was written last waits at least since then; what waits longer, since the last commit at most.
        let written = fs::metadata(&path).and_then(|meta| meta.modified()).ok();
        let since = written.and_then(|at| at.elapsed().ok()).map_or(0.0, |since| since.as_secs_f64());
        let since = entry.lag_seconds.map_or(since, |committed| committed.max(since));
        if since >= most.as_secs_f64() {
            waiting.push((entry.path, bytes, since));
        }
    }
    Ok(waiting)
}

/// Whether a line ends behind `from`. A last line without its newline waits for that, however long.
fn has_line(path: &Path, from: u64) -> anyhow::Result<bool> {
    let (file, mut chunk) = (File::open(path)?, vec![0; LINE_BYTES_MAX]);
    let n = file.read_at(&mut chunk, from)?;
    Ok(n == chunk.len() || chunk[..n].contains(&b'\n'))
}

async fn select(client: &Client, host: Option<&str>) -> anyhow::Result<Vec<Known>> {
    let rows = client.query_typed(include_str!("../../sql/status.sql"), &[(&host, Type::TEXT)]).await;
    Ok(rows.context("read the checkpoints")?.iter().map(known).collect())
}

fn known(row: &Row) -> Known {
    let proof = |hash: &str, bytes: &str| Proof {
        hash: Hash::try_from(row.get::<_, &[u8]>(hash)).unwrap_or_default(),
        bytes: u32::try_from(row.get::<_, i32>(bytes)).unwrap_or(0),
    };
    let head = Head { proof: proof("head", "head_bytes"), has_id: row.get("head_has_id") };
    let checkpoint = Checkpoint {
        file_id: row.get("file_id"),
        head,
        fork: row.get("fork"),
        loaded_bytes: u64::try_from(row.get::<_, i64>("loaded_bytes")).unwrap_or(0),
        tail: proof("tail", "tail_bytes"),
        sealed: row.get("sealed"),
    };
    let entry = Entry {
        host: row.get("host"),
        path: row.get("path"),
        format: row.get("format"),
        state: "gone",
        size: None,
        loaded: checkpoint.loaded_bytes,
        lag_bytes: None,
        lag_seconds: None,
        committed_at: row.get("committed_at"),
        lines: row.get("lines"),
        rows: row.get("rows"),
        non_hits: row.get("non_hits"),
        rejects: row.get("rejects"),
        already_loaded: row.get("already_loaded"),
        unloaded: row.get("unloaded"),
        sealed: checkpoint.sealed,
        archived_at: row.get("archived_at"),
        archive_uri: row.get("archive_uri"),
        archive_error: row.get("archive_error"),
        deleted_at: row.get("deleted_at"),
    };
    Known {
        checkpoint,
        inode: row.get("inode"),
        since_commit: row.get("since_commit"),
        is_out: row.get("is_out"),
        entry,
    }
}

/// Every checkpoint with what its file looks like on disk now, and the files that have none yet.
fn compare(config: &Config, host: &str, mut known: Vec<Known>) -> Vec<Entry> {
    let mut unmatched: Vec<(PathBuf, Metadata)> = Vec::new();
    let mut met = HashSet::new();
    let paths = known.iter().filter(|one| one.entry.host == host).map(|one| PathBuf::from(&one.entry.path));
    for path in paths.chain(files_of(config)).collect::<Vec<_>>() {
        let Ok(meta) = fs::metadata(&path) else { continue };
        if !meta.is_file() || !met.insert((meta.dev(), meta.ino())) {
            continue;
        }
        let inode = i64::try_from(meta.ino()).ok();
        let is_it = |one: &Known| {
            one.entry.host == host
                && one.inode == inode
                && head_holds(&path, &one.checkpoint).unwrap_or(false)
        };
        if !fill_all(&mut known, is_it, &path, &meta) {
            unmatched.push((path, meta));
        }
    }
    let mut new = Vec::new();
    for (path, meta) in unmatched {
        let beginning = beginning(&path).unwrap_or_default();
        let is_it = |one: &Known| {
            one.entry.size.is_none()
                && one.entry.host == host
                && holds(&beginning, &one.checkpoint.head.proof)
        };
        if !fill_all(&mut known, is_it, &path, &meta) && meta.len() > 0 {
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
    let mut entries: Vec<Entry> = known.into_iter().map(|one| one.entry).collect();
    entries.append(&mut new);
    entries
}

/// Fills the entries that are of this file; whether there are any. Without event ids, a file has a checkpoint for
/// each source that read it: the one that reached farthest says how far it is loaded, the newest of several.
fn fill_all(known: &mut [Known], is_it: impl Fn(&Known) -> bool, path: &Path, meta: &Metadata) -> bool {
    let ours: Vec<usize> = (0..known.len()).filter(|&n| is_it(&known[n])).collect();
    let best = ours.iter().copied().max_by_key(|&n| (!known[n].is_out, known[n].entry.loaded, n));
    let Some(best) = best else { return false };
    let farthest = known[best].entry.loaded;
    for n in ours {
        fill(&mut known[n], path, meta);
        if !known[n].is_out && known[n].entry.loaded < farthest {
            let entry = &mut known[n].entry;
            (entry.state, entry.lag_bytes, entry.lag_seconds) = ("overtaken", None, None);
        }
    }
    true
}

/// Puts what is on disk into the entry. A compressed file's size says nothing of what it holds.
fn fill(known: &mut Known, path: &Path, meta: &Metadata) {
    let entry = &mut known.entry;
    entry.path = path.display().to_string();
    let plain = packing_of(path).is_ok_and(|packing| packing == Packing::Plain);
    entry.size = Some(meta.len());
    entry.lag_bytes = match (plain, entry.sealed) {
        (true, _) => Some(meta.len().saturating_sub(entry.loaded)),
        (false, true) => Some(0),
        (false, false) => None,
    };
    settle(known);
}

fn settle(known: &mut Known) {
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
        host: host.to_owned(),
        path: path.display().to_string(),
        format: String::new(),
        state: if size == Some(0) { "empty" } else { "not begun" },
        size,
        loaded: 0,
        lag_bytes: size,
        lag_seconds: None,
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
fn files_of(config: &Config) -> Vec<PathBuf> {
    let live = Logs::of(config).look();
    let files = (0..config.sources.len()).flat_map(|source| live.files(source, &|| {}).files);
    let mut all: Vec<PathBuf> = files.map(|file| file.path).collect();
    all.sort();
    all
}

/// Where one file stands, by its bytes.
fn judge(path: &Path, host: &str, known: Vec<Known>) -> anyhow::Result<Entry> {
    let (bytes, standings) = standings(path, host, known)?;
    let mut best: Option<Entry> = None;
    for (mut known, standing) in standings {
        known.entry.path = path.display().to_string();
        known.entry.size = Some(bytes);
        match standing {
            Standing::Done | Standing::Continues | Standing::Beyond => {
                known.entry.lag_bytes = Some(bytes - known.entry.loaded);
                settle(&mut known);
            }
            // a copy that is cut short: what it has is loaded, as far as its head proves anything
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

/// Where a file's bytes stand against the checkpoints that begin like it, and how many bytes it has.
fn standings(path: &Path, host: &str, known: Vec<Known>) -> anyhow::Result<(u64, Vec<(Known, Standing)>)> {
    let beginning = beginning(path)?;
    if beginning.is_empty() {
        return Ok((0, Vec::new()));
    }
    let candidates: Vec<Known> = known
        .into_iter()
        .filter(|one| one.checkpoint.head.has_id || one.entry.host == host)
        .filter(|one| holds(&beginning, &one.checkpoint.head.proof))
        .collect();
    let ends: Vec<(u64, u32)> =
        candidates.iter().map(|one| (one.checkpoint.loaded_bytes, one.checkpoint.tail.bytes)).collect();
    let (bytes, tails) = measure(path, &ends)?;
    let standing = |(known, tail): (Known, Option<Vec<u8>>)| {
        let tail_holds = tail.is_some_and(|tail| hash(&tail) == known.checkpoint.tail.hash);
        let standing = known.checkpoint.standing(bytes, true, tail_holds);
        (known, standing)
    };
    Ok((bytes, candidates.into_iter().zip(tails).map(standing).collect()))
}

/// Keys of the files, as the database knows them, that begin with what is loaded of them in this one's bytes.
///
/// # Errors
/// It cannot be read, or the database not be asked.
pub(super) async fn known_as(client: &Client, host: &str, path: &Path) -> anyhow::Result<Vec<i32>> {
    let known = select(client, None).await?;
    let (_, standings) = standings(path, host, known).with_context(|| format!("read {}", path.display()))?;
    let is_it = |s: Standing| matches!(s, Standing::Done | Standing::Continues | Standing::Beyond);
    Ok(standings.into_iter().filter(|(_, s)| is_it(*s)).map(|(known, _)| known.checkpoint.file_id).collect())
}

fn better(a: &Entry, b: &Entry) -> bool {
    a.lag_bytes.unwrap_or(u64::MAX) < b.lag_bytes.unwrap_or(u64::MAX)
}

fn holds(beginning: &[u8], proof: &Proof) -> bool {
    beginning.get(..proof.bytes as usize).is_some_and(|bytes| hash(bytes) == proof.hash)
}

fn head_holds(path: &Path, checkpoint: &Checkpoint) -> anyhow::Result<bool> {
    let mut bytes = Vec::new();
    stored::open(path)?.take(u64::from(checkpoint.head.proof.bytes)).read_to_end(&mut bytes)?;
    Ok(holds(&bytes, &checkpoint.head.proof))
}

fn packing_of(path: &Path) -> anyhow::Result<Packing> {
    let mut head = Vec::new();
    File::open(path)?.take(4).read_to_end(&mut head)?;
    Ok(stored::packing(&head)?)
}

fn beginning(path: &Path) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    stored::open(path)?.take(HEAD_SEARCH_BYTES as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The file's length, and for each (end, length) the bytes that end there; uncompressed.
fn measure(path: &Path, ends: &[(u64, u32)]) -> anyhow::Result<(u64, Vec<Option<Vec<u8>>>)> {
    if packing_of(path)? == Packing::Plain {
        let file = File::open(path)?;
        let bytes = file.metadata()?.len();
        let tail = |&(end, length): &(u64, u32)| {
            let mut tail = vec![0; length as usize];
            let start = end.checked_sub(u64::from(length)).filter(|_| end <= bytes)?;
            file.read_exact_at(&mut tail, start).ok().map(|()| tail)
        };
        return Ok((bytes, ends.iter().map(tail).collect()));
    }
    let mut stream = stored::open(path)?;
    let mut tails: Vec<Option<Vec<u8>>> = vec![None; ends.len()];
    let (mut chunk, mut offset) = (vec![0; 256 * 1024], 0u64);
    loop {
        let n = stream.read(&mut chunk)?;
        if n == 0 {
            break;
        }
        let stop = offset + n as u64;
        for (tail, &(end, length)) in tails.iter_mut().zip(ends) {
            let start = end.saturating_sub(u64::from(length));
            let (from, to) = (start.max(offset), end.min(stop));
            if from < to {
                let at = |absolute: u64| usize::try_from(absolute - offset).unwrap_or(n);
                tail.get_or_insert_default().extend_from_slice(&chunk[at(from)..at(to)]);
            }
        }
        offset = stop;
    }
    for (tail, &(_, length)) in tails.iter_mut().zip(ends) {
        *tail = tail.take().filter(|tail| tail.len() == length as usize);
    }
    Ok((offset, tails))
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
    let mut rows = show::Rows::new(&[
        "file",
        "state",
        ">size",
        ">loaded",
        ">lag (bytes)",
        ">lag (s)",
        ">lines",
        ">rows",
        ">non-hits",
        ">rejects",
        ">already loaded",
        ">taken out",
        "last commit (UTC)",
        "archive",
        "",
    ]);
    let count = |n: u64| show::number(i64::try_from(n).unwrap_or(i64::MAX));
    for entry in entries {
        let file = if hosts { format!("{}:{}", entry.host, entry.path) } else { entry.path.clone() };
        rows.add(&[
            file,
            entry.state.to_owned(),
            entry.size.map(count).unwrap_or_default(),
            count(entry.loaded),
            entry.lag_bytes.map(count).unwrap_or_default(),
            entry.lag_seconds.map(|s| format!("{s:.1}")).unwrap_or_default(),
            show::number(entry.lines),
            show::number(entry.rows),
            show::number(entry.non_hits),
            show::number(entry.rejects),
            show::number(entry.already_loaded),
            show::number(entry.unloaded),
            entry.committed_at.clone().unwrap_or_default(),
            archived(entry),
            if entry.sealed { "sealed".to_owned() } else { String::new() },
        ]);
    }
    rows.print(out)
}

/// Where the copy of a file is, or why there is none yet.
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

    use super::*;

    const TEXT: &[u8] = b"first line of the log\nsecond line\nthird\n";

    fn known(loaded: usize, sealed: bool) -> Known {
        let head = Head { proof: Proof::of(&TEXT[..22]), has_id: true };
        let tail = Proof::of(&TEXT[loaded - 6..loaded]);
        let checkpoint = Checkpoint { file_id: 1, head, fork: 0, loaded_bytes: loaded as u64, tail, sealed };
        let mut entry = unknown(Path::new("/old"), "web-1", None);
        entry.loaded = loaded as u64;
        Known { checkpoint, inode: None, since_commit: 5.0, is_out: false, entry }
    }

    fn judged(bytes: &[u8], known: Vec<Known>) -> (&'static str, Option<u64>) {
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
        let out = Known { is_out: true, ..known(all, true) };
        assert_eq!(judged(TEXT, vec![out]), ("taken out", None));
    }
}
