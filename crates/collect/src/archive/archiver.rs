//! The daemon's archiver: a worker that stores every rotated log that is loaded to its end in the archive, and deletes
//! the log when it is old enough.
//!
//! Correctness depends on looks: each pass uses the files on disk and the state in the database, so a crash at any step
//! repeats that step. Invariants: a file is deleted only if it is sealed and loaded to its last byte, and if its bytes,
//! read again directly before, are those that the archive is proven to hold. A live log is never deleted; no file is
//! deleted through a link, or by a clock that is not known to be right. A file that cannot be read, or that the archive
//! does not accept, does not affect the other files. Several files that the archive does not accept, and database
//! errors, end the pass. Everything is retried for ever.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use alt_line::hit::Micros;
use alt_line::parse::Format;
use alt_process::clock;
use alt_process::fault::{self, Step};
use alt_process::lock::lock;
use alt_process::metrics::{Metrics, Queue};
use alt_process::stop::{Stop, Stoppable, Stopped};
use alt_process::worker::{Backoff, Done, RETRY_FIRST, RETRY_MOST, Work, Worker};
use alt_store::connect::Connection;
use alt_store::files::Stamp;
use alt_store::objects::{self, LogState, ProvenCopy};
use alt_store::retention;
use alt_store::retention::clock::Trusted;
use alt_store::session::Session;
use alt_store::writer::Store;
use alt_store::{make_durable, told};
use anyhow::Context;
use nix::fcntl::{AtFlags, OFlag, openat};
use nix::sys::stat::{Mode, fstatat};
use nix::unistd::{UnlinkatFlags, unlinkat};

use super::frames::Compression;
use super::name::name;
use super::target::Target;
use super::writers::{self, Writers};
use super::{PackedLog, hash, open, pack, spool, store};
use crate::source::logs::{Files, LogFile, Place};
use crate::source::reading::{Belongs, Halt, Opened};
use crate::source::siblings::{Key, may_be_another};

/// The time between two passes, as a multiple of the time between two looks at the followed files (`look_interval`).
const LOOKS: u32 = 10;

/// The maximum wait between two searches for unfinished uploads, if the store does not allow listing them.
const SWEEP_WAIT_MAX: Duration = Duration::from_secs(3600);

/// The label under which retries are counted.
const DESTINATION: &str = "archive";

/// The number of refused files after which a pass ends: the files are not the cause then.
const REFUSED_MAX: usize = 3;

/// Cache lifetime of the trusted time before the database is asked again.
const CLOCK_WAIT: Duration = Duration::from_secs(60);

/// The default level of zstd. Higher levels take twice the time for a tenth less space.
pub const ZSTD_LEVEL: i32 = 6;

const GZIP_LEVEL: u32 = 6;

/// The files of one source.
pub struct Watched {
    /// The place of the files.
    pub place: Place,
    /// What identification needs to know about the files.
    pub belongs: Belongs,
    /// The format of their lines.
    pub format: Arc<Format>,
}

/// The archiver's state for other parts of the daemon.
#[derive(Debug, Default)]
pub struct Status {
    /// Logs that need nothing more, as long as they do not change; `None`: there was no pass yet.
    settled: Mutex<Option<HashMap<Key, Stamp>>>,
}

impl Status {
    /// The rotated logs at some places, all of the same configuration, that are not archived yet, by what is on disk
    /// now. `None`: there was no pass yet.
    pub fn queue(&self, places: &[Place]) -> Option<Queue> {
        let settled = lock(&self.settled).clone()?;
        let mut queue = Queue::default();
        for file in Place::files_of_all(places).into_iter().flat_map(|found| sorted(found, false)) {
            if file.stamp.size == 0 || settled.get(&file.key) == Some(&file.stamp) {
                continue;
            }
            let age = clock::now().saturating_sub(file.stamp.modified).max(0) as f64 / 1e6;
            queue.files += 1;
            queue.bytes += u64::try_from(file.stamp.size).unwrap_or_default();
            queue.oldest_seconds = queue.oldest_seconds.max(age);
        }
        Some(queue)
    }
}

/// What is known about a file on disk, as long as the file does not change.
enum Due {
    /// The file is to be looked at again at this time.
    Later(Instant, Duration),
    /// The file is archived, or need not be: it is to be deleted at its age.
    Settled,
}

/// An error with one file, after which other files are tried.
#[derive(Debug)]
enum Failed {
    /// The file cannot be read.
    File(anyhow::Error),
    /// The archive does not accept the file: either the file is the cause, or all files will fail.
    Archive(anyhow::Error),
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Failed::File(error) | Failed::Archive(error)) = self;
        write!(f, "{error:#}")
    }
}

impl std::error::Error for Failed {}

fn of_file(path: &Path) -> impl Fn(io::Error) -> anyhow::Error {
    let path = path.to_owned();
    move |error| Failed::File(anyhow::Error::new(error).context(format!("read {}", path.display()))).into()
}

/// Archives and deletes logs.
pub struct Archiver {
    host: String,
    archive: Option<alt_config::Archive>,
    /// The age at which loaded logs are deleted if there is no archive.
    delete_loaded: Option<Duration>,
    watched: Vec<Watched>,
    wait: Duration,
    store: Store,
    session: Session,
    target: Option<Box<dyn Target>>,
    /// The time of the next search for unfinished uploads, and the wait after that; `None`: they are removed.
    sweep_at: Option<(Instant, Duration)>,
    /// The time for deletions, and when it was determined; an inner `None`: no trusted time.
    time: Option<(Instant, Option<Trusted>)>,
    known: HashMap<Key, (Stamp, Due)>,
    /// The database connection to which `known` applies.
    connection: u64,
    complained: HashMap<PathBuf, String>,
    /// Files that the archive did not accept at the last attempt, and the reasons.
    refused: HashMap<Key, String>,
    status: Arc<Status>,
    metrics: Arc<Metrics>,
    stop: Arc<Stop>,
}

impl Archiver {
    /// Creates the archiver of a configuration; `None` if it has nothing to do.
    ///
    /// # Errors
    /// There is no runtime.
    pub fn new(
        config: &alt_config::Config,
        watched: Vec<Watched>,
        store: Store,
        metrics: Arc<Metrics>,
        stop: Arc<Stop>,
    ) -> anyhow::Result<Option<Archiver>> {
        if config.archive.is_none() && config.retention.logs.is_none() {
            return Ok(None);
        }
        let host = config.load.host_name();
        Ok(Some(Archiver {
            session: Session::new(&config.postgres, "archive", &host, &metrics, &stop)?,
            host,
            archive: config.archive.clone(),
            delete_loaded: config.retention.logs,
            watched,
            wait: config.load.look_interval * LOOKS,
            store,
            target: None,
            sweep_at: Some((Instant::now(), RETRY_FIRST)),
            time: None,
            known: HashMap::new(),
            connection: 0,
            complained: HashMap::new(),
            refused: HashMap::new(),
            status: Arc::default(),
            metrics,
            stop,
        }))
    }

    /// The archiver's state for other parts of the daemon.
    pub fn status(&self) -> Arc<Status> {
        Arc::clone(&self.status)
    }

    /// Processes every rotated log once.
    fn pass(&mut self) -> anyhow::Result<()> {
        if let Some(archive) = &self.archive
            && self.target.is_none()
        {
            let opened = open(archive, &self.stop).map_err(Failed::Archive);
            self.target = Some(opened.inspect_err(|_| self.metrics.retried(DESTINATION, "store"))?);
        }
        self.sweep()?;
        // What one database has settled, another one may lack: one that was restored, or that took over after a
        // failover.
        let connection = self.store.connections();
        if std::mem::replace(&mut self.connection, connection) != connection {
            self.known.retain(|_, (_, known)| !matches!(known, Due::Settled));
        }
        let looked = self.look_at_all();
        let settled = self.known.iter().filter(|(_, (_, known))| matches!(known, Due::Settled));
        let settled = settled.map(|(key, (stamp, _))| (*key, *stamp)).collect();
        *lock(&self.status.settled) = Some(settled);
        looked
    }

    fn look_at_all(&mut self) -> anyhow::Result<()> {
        let (mut there, mut failed) = (Vec::new(), 0);
        for index in 0..self.watched.len() {
            let finished = self.store.is_final();
            for file in files(&self.watched[index].place, finished) {
                self.stop.check()?;
                there.push(file.key);
                if !self.is_due(&file)? {
                    continue;
                }
                let error = match self.file(index, &file) {
                    Ok(known) => {
                        self.complained.remove(&file.path);
                        self.refused.remove(&file.key);
                        self.known.insert(file.key, (file.stamp, known));
                        continue;
                    }
                    Err(error) => error,
                };
                match error.downcast_ref() {
                    Some(Failed::File(_)) => {
                        self.metrics.retried(DESTINATION, "file");
                        self.complain(&file, &error);
                    }
                    Some(Failed::Archive(_)) => {
                        self.metrics.retried(DESTINATION, "store");
                        let later = self.later(&file);
                        self.known.insert(file.key, (file.stamp, later));
                        self.refused.insert(file.key, format!("{error:#}"));
                        failed += 1;
                        if failed >= REFUSED_MAX {
                            return Err(error);
                        }
                    }
                    None => return Err(error),
                }
            }
        }
        self.known.retain(|key, _| there.contains(key));
        self.refused.retain(|key, _| there.contains(key));
        Ok(())
    }

    /// Removes the remains of uploads that a crash cut off; once, as soon as that is possible.
    fn sweep(&mut self) -> anyhow::Result<()> {
        let (Some(target), Some((at, wait))) = (&self.target, self.sweep_at) else { return Ok(()) };
        if Instant::now() < at {
            return Ok(());
        }
        match target.sweep(&self.host) {
            Ok(uploads) => {
                if uploads > 0 {
                    tracing::info!(uploads, "took away what unfinished uploads had left");
                }
                self.sweep_at = None;
            }
            Err(error) if self.stop.is_stopped() => return Err(error),
            // Not all stores list uploads, and not all roles may list them: that must not prevent archiving.
            Err(error) => {
                if wait == RETRY_FIRST {
                    tracing::warn!(
                        error = format!("{error:#}"),
                        "cannot look for unfinished uploads: trying again; a lifecycle rule can take them away, too"
                    );
                }
                self.sweep_at = Some((Instant::now() + wait, (wait * 2).min(SWEEP_WAIT_MAX)));
            }
        }
        Ok(())
    }

    fn is_due(&mut self, file: &LogFile) -> anyhow::Result<bool> {
        Ok(match self.known.get(&file.key) {
            Some((stamp, Due::Later(at, _))) if *stamp == file.stamp => Instant::now() >= *at,
            Some((stamp, Due::Settled)) if *stamp == file.stamp => self.is_old(file)?,
            _ => true,
        })
    }

    /// Whether the file is old enough to be deleted, by a trusted time.
    fn is_old(&mut self, file: &LogFile) -> anyhow::Result<bool> {
        let after = match &self.archive {
            Some(archive) => Some(archive.delete_after),
            None => self.delete_loaded,
        };
        // Only its content says that it is a log: whoever named it otherwise may have meant to keep it.
        let Some(after) = after.filter(|_| !file.is_found_again) else { return Ok(false) };
        let after = i64::try_from(after.as_micros()).unwrap_or(i64::MAX);
        let is_old = |now: Micros| now.saturating_sub(file.stamp.modified) > after;
        // The database is not asked if the file is too young by the local clock.
        if !is_old(clock::now()) {
            return Ok(false);
        }
        Ok(self.time()?.is_some_and(is_old))
    }

    /// The current time, if it is known to be right.
    fn time(&mut self) -> anyhow::Result<Option<Micros>> {
        if self.time.as_ref().is_none_or(|(asked, _)| asked.elapsed() >= fault::wait(CLOCK_WAIT)) {
            let host = self.host.clone();
            // Upkeep reports what is wrong with the clock.
            let time =
                self.session.ask(async |client| Ok(retention::clock::judge(client, &host).await?.ok()))?;
            self.time = Some((Instant::now(), time));
        }
        self.time.as_ref().and_then(|(_, time)| time.as_ref()).map(Trusted::now).transpose()
    }

    fn later(&self, file: &LogFile) -> Due {
        let wait = match self.known.get(&file.key) {
            Some((stamp, Due::Later(_, wait))) if *stamp == file.stamp => (*wait * 2).min(RETRY_MOST),
            _ => RETRY_FIRST,
        };
        Due::Later(Instant::now() + wait, wait)
    }

    fn complain(&mut self, file: &LogFile, error: &anyhow::Error) {
        let message = format!("{error:#}");
        let later = self.later(file);
        self.known.insert(file.key, (file.stamp, later));
        if self.complained.get(&file.path) != Some(&message) {
            tracing::warn!(error = message, "cannot archive a file: trying again until it can be read");
            self.complained.insert(file.path.clone(), message);
        }
    }

    /// Does what is due with one file now.
    fn file(&mut self, index: usize, file: &LogFile) -> anyhow::Result<Due> {
        let opened = match self.open(file)? {
            Some(opened) => opened,
            None => return Ok(self.later(file)),
        };
        let watched = &self.watched[index];
        let belongs =
            Belongs { source: file.live_path.to_string_lossy().into_owned(), ..watched.belongs.clone() };
        let done = opened.done(&belongs, &self.store).map_err(|halt| match halt {
            Halt::Interrupted(_) => Stopped.into(),
            Halt::File(error) => of_file(&file.path)(error),
        })?;
        let Some((file_id, loaded_bytes)) = done else {
            let is_empty = opened.is_packed() && opened.is_empty().map_err(of_file(&file.path))?;
            return Ok(if is_empty { Due::Settled } else { self.later(file) });
        };
        let Some(state) = self.state(file_id)? else { return Ok(self.later(file)) };
        // A server that lost its last commits since then may report less.
        if !state.sealed || state.loaded_bytes != loaded_bytes {
            return Ok(self.later(file));
        }
        if self.target.is_none() {
            return match self.is_old(file)? {
                true if state.unloaded => Ok(self.later(file)),
                true => self.delete(index, file, &opened, file_id, &state),
                false => Ok(Due::Settled),
            };
        }
        if !state.is_archived() {
            match self.archive(index, file, &opened, file_id, &state) {
                Ok(true) => {}
                Ok(false) => return Ok(self.later(file)),
                Err(error) => {
                    if !self.stop.is_stopped() {
                        self.note_error(file_id, &format!("{error:#}"));
                    }
                    return Err(error);
                }
            }
        }
        if !self.is_old(file)? {
            return Ok(Due::Settled);
        }
        // The database's current answer decides, not an earlier one.
        match self.state(file_id)? {
            Some(state) if state.is_archived() && state.sealed && !state.unloaded => {
                self.delete(index, file, &opened, file_id, &state)
            }
            _ => Ok(self.later(file)),
        }
    }

    /// Opens a file by its name in its directory, never through a link. `None`: the name belongs to another file by
    /// now.
    fn open(&self, file: &LogFile) -> anyhow::Result<Option<Opened>> {
        let open = || -> io::Result<Option<Opened>> {
            let (directory, name) = parts(&file.path)?;
            let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
            let opened = match openat(&directory, name, flags, Mode::empty()) {
                Err(nix::errno::Errno::ENOENT | nix::errno::Errno::ELOOP) => return Ok(None),
                opened => File::from(opened?),
            };
            let opened = Opened::of(&file.path, opened, Arc::default())?;
            Ok((opened.key() == file.key).then_some(opened))
        };
        open().map_err(of_file(&file.path))
    }

    /// Archives a file. `false`: the file is not what is loaded, or it changed in the meantime.
    fn archive(
        &mut self,
        index: usize,
        file: &LogFile,
        opened: &Opened,
        file_id: i32,
        state: &LogState,
    ) -> anyhow::Result<bool> {
        let (Some(target), Some(archive)) = (&self.target, &self.archive) else { return Ok(false) };
        let compression = compression(archive);
        let started = Instant::now();
        let log = opened.stream().map_err(of_file(&file.path))?;
        let PackedLog { packed, lines, times } =
            pack(log, &self.watched[index].format, &state.set_aside, compression, spool()?, &self.stop)
                .map_err(|error| {
                    if self.stop.is_stopped() {
                        error
                    } else if error.is::<super::Unreadable>() {
                        Failed::File(error.context(format!("read {}", file.path.display()))).into()
                    } else {
                        Failed::Archive(error).into()
                    }
                })?;
        fault::at(Step::Packed);
        let (before, after) = opened.stamps().map_err(of_file(&file.path))?;
        if packed.raw_bytes != state.loaded_bytes || before != after {
            return Ok(false);
        }
        let name = name(&self.host, &file.live_path, times, &state.head, packed.raw_bytes, compression);
        let stored = store(target.as_ref(), name, &packed, &self.stop)
            .map_err(|error| if self.stop.is_stopped() { error } else { Failed::Archive(error).into() })?;
        fault::at(Step::Proven);
        let uri = target.uri(&stored.key);
        let copy = ProvenCopy {
            uri: &uri,
            bytes: stored.bytes,
            sha256: &stored.sha256,
            raw_bytes: packed.raw_bytes,
            raw_sha256: &packed.raw_sha256,
            lines,
            times,
        };
        if !self.ask(async |client| objects::note_copy(client, file_id, &copy).await)? {
            return Ok(false);
        }
        fault::at(Step::Noted);
        self.metrics.archived(packed.raw_bytes, stored.bytes);
        tracing::info!(
            path = %file.path.display(), uri, bytes = packed.raw_bytes, packed = stored.bytes,
            seconds = started.elapsed().as_secs_f32(), "archived"
        );
        Ok(true)
    }

    /// Deletes a file if its bytes are still the archived bytes, and its name still belongs to it.
    fn delete(
        &mut self,
        index: usize,
        file: &LogFile,
        opened: &Opened,
        file_id: i32,
        state: &LogState,
    ) -> anyhow::Result<Due> {
        if self.target.is_some() {
            let raw_sha256 = state.raw_sha256.as_deref().unwrap_or_default();
            let log = opened.stream().map(|from| Stoppable { from, stop: Arc::clone(&self.stop) });
            let (bytes, sha256) = log.and_then(hash).map_err(of_file(&file.path))?;
            self.stop.check()?;
            if sha256[..] != raw_sha256[..] || Some(bytes) != state.raw_bytes {
                let uri = state.uri.as_deref().unwrap_or("the archive");
                let error =
                    anyhow::anyhow!("{} is not what {uri} holds: it is not deleted", file.path.display());
                return Err(Failed::File(error).into());
            }
        }
        if self.watched[index].place.logs.look().is_live(file.key) {
            return Ok(Due::Settled);
        }
        if let Some(why) = self.may_be_written(index, file) {
            let error = anyhow::anyhow!("{} is not deleted: {why}", file.path.display());
            return Err(Failed::File(error).into());
        }
        let delete = || -> io::Result<bool> {
            let (before, after) = opened.stamps()?;
            if before != after {
                return Ok(false);
            }
            let (directory, name) = parts(&file.path)?;
            let named = fstatat(&directory, name, AtFlags::AT_SYMLINK_NOFOLLOW)?;
            if (named.st_dev, named.st_ino) != file.key {
                return Ok(false);
            }
            fault::at(Step::Deleting);
            unlinkat(directory.as_fd(), name, UnlinkatFlags::NoRemoveDir)?;
            Ok(true)
        };
        let deleted = delete().map_err(|error| {
            Failed::File(anyhow::Error::new(error).context(format!("delete {}", file.path.display())))
        })?;
        if deleted {
            fault::at(Step::Deleted);
            self.metrics.deleted();
            tracing::info!(path = %file.path.display(), "deleted: it is loaded, and old enough");
            let (host, path) = (self.host.clone(), file.path.to_string_lossy());
            self.ask(async |client| objects::note_deleted(client, file_id, &host, &path).await)?;
        }
        Ok(self.later(file))
    }

    /// Whether it is time to stop, or the database writer is gone.
    pub fn is_stopped(&self) -> bool {
        self.stop.is_stopped() || self.store.is_closed()
    }

    /// The existing files that are not archived, including live logs.
    fn owed(&self) -> Vec<PathBuf> {
        let files = self.watched.iter().flat_map(|watched| files(&watched.place, true));
        let is_settled = |file: &LogFile| {
            let known = self.known.get(&file.key);
            known.is_some_and(|(stamp, known)| *stamp == file.stamp && matches!(known, Due::Settled))
        };
        files.filter(|file| file.stamp.size > 0 && !is_settled(file)).map(|file| file.path).collect()
    }

    /// The reason why lines may still be written to a file, if there is one.
    fn may_be_written(&self, index: usize, file: &LogFile) -> Option<String> {
        let names = || file.live_path.file_name().zip(file.path.file_name());
        match writers::of(file.key) {
            Writers::Process(number) => Some(format!("the process {number} has it open for writing")),
            Writers::Nobody => None,
            Writers::Unseen => {
                let is_named = self.watched[index].place.logs.has_pattern_for(&file.path);
                let may_be_live = is_named && names().is_some_and(|(live, name)| may_be_another(live, name));
                may_be_live.then(|| {
                    "a pattern of `paths` matches it, so it may be a live log, and which files nginx has open is not for \
                     this account to see; name live logs without a pattern"
                        .to_owned()
                })
            }
        }
    }

    fn note_error(&mut self, file_id: i32, error: &str) {
        // The database may be the cause; then the error is reported elsewhere.
        let _ = self.ask(async |client| objects::note_error(client, file_id, error).await);
    }

    /// The state of a log, which also survives a crash of the server.
    fn state(&mut self, file_id: i32) -> anyhow::Result<Option<LogState>> {
        self.ask(async |client| {
            let state = objects::state(client, file_id).await?;
            make_durable(client).await?;
            Ok(state)
        })
    }

    fn ask<T>(&mut self, question: impl AsyncFnOnce(&Connection) -> anyhow::Result<T>) -> anyhow::Result<T> {
        self.session.ask(async |client| question(client).await.context("ask the database about the archive"))
    }
}

impl Work for Archiver {
    fn name(&self) -> &'static str {
        "archive"
    }

    fn turn(&mut self) -> anyhow::Result<Done> {
        if let Err(error) = self.pass() {
            if !self.stop.is_stopped() && !error.is::<Failed>() {
                self.metrics.retried(DESTINATION, "database");
            }
            return Err(if error.is::<Stopped>() { error } else { anyhow::Error::msg(told(&error)) });
        }
        // Other files were accepted. One of the refused files represents all of them.
        Ok(Done { next: self.wait, trouble: self.refused.values().min().cloned() })
    }

    fn recover(&mut self) {
        self.session.close();
        self.target = None;
    }
}

/// Archives everything, including live logs, when nothing is written any more and everything but `not_loaded` is
/// loaded. What cannot be archived is retried until it is time to stop. Returns what is not archived.
pub fn finish(worker: &mut Worker<Archiver>, not_loaded: &BTreeSet<PathBuf>) -> Vec<PathBuf> {
    let mut backoff = Backoff::new(RETRY_FIRST, RETRY_MOST);
    let connections = worker.work.store.connections();
    loop {
        let is_done = worker.turn().is_some();
        let archiver = &mut worker.work;
        let owed = archiver.owed();
        let is_all = is_done && owed.iter().all(|path| not_loaded.contains(path));
        // A new connection may lead to a database that lacks loaded data, and nothing loads it any more.
        let is_other = is_done && archiver.store.connections() != connections;
        if is_all || is_other || archiver.is_stopped() {
            return owed;
        }
        archiver.known.retain(|_, (_, known)| matches!(known, Due::Settled));
        archiver.stop.sleep(backoff.wait());
    }
}

/// The rotated logs at a place, oldest first; `all`: including live logs.
fn files(place: &Place, all: bool) -> Vec<LogFile> {
    sorted(place.files(), all)
}

/// The rotated logs among these files, oldest first; `all`: including live logs.
fn sorted(found: Files, all: bool) -> Vec<LogFile> {
    let mut files: Vec<LogFile> = found.files.into_iter().filter(|file| all || !file.is_live).collect();
    for live in files.iter_mut().filter(|file| file.is_live) {
        // The log itself, if its path is a link.
        live.path = std::fs::canonicalize(&live.path).unwrap_or_else(|_| live.path.clone());
    }
    files.sort_by_key(|file| file.stamp.modified);
    files
}

/// The compression of objects.
pub fn compression(archive: &alt_config::Archive) -> Compression {
    match archive.compression {
        alt_config::Compression::Zstd => Compression::Zstd(archive.level.map_or(ZSTD_LEVEL, i32::from)),
        alt_config::Compression::Gzip => Compression::Gzip(archive.level.map_or(GZIP_LEVEL, u32::from)),
    }
}

/// The opened directory of a file, and the file's name in it.
fn parts(path: &Path) -> io::Result<(File, &std::ffi::OsStr)> {
    let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    };
    Ok((File::open(directory)?, name))
}
