//! How far a source is behind, for monitoring only; no decision depends on it.
//!
//! The reader records the state of each file; a query looks at the disk. The answer is therefore valid even while the
//! reader waits for an unavailable database and the logs grow.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use alt_line::hit::Micros;
use alt_process::lock::lock;
use alt_process::metrics::Lag;
use alt_store::files::Reached;
use alt_store::unfinished::Missing;

use super::logs::Files;
use super::siblings::Key;

/// The loading state of a file.
#[derive(Debug, Clone)]
pub enum Stands {
    /// The file is plain and being read; after the committed part there are this many bytes of an unfinished line.
    Read(Arc<Reached>, Arc<AtomicU64>),
    /// The file is compressed and being read: what is missing is unknown until the file is committed to its end
    /// ([`u64::MAX`]).
    Unpacked(Arc<Reached>),
    /// The file is plain and waits, because another file with the same beginning is being read. The bytes that it has
    /// beyond the other file are missing.
    Copy(Key, Arc<Reached>, Arc<AtomicU64>),
    /// Nothing is missing, as long as the file has no more bytes on disk than this.
    Settled(u64),
}

/// What is known about a source's files.
#[derive(Debug)]
pub struct Progress {
    files: Mutex<HashMap<Key, Stands>>,
    /// The logs of the source that are not found any more; `None`: nothing was searched for yet.
    missing: Mutex<Option<Vec<Missing>>>,
    /// All files were looked at once: a file that is unknown since then is new.
    is_known: AtomicBool,
    /// The time up to which everything in the files is committed; 0: nothing since the start.
    caught_up: Arc<AtomicI64>,
    /// The number of looks that found nothing to read that was not committed.
    idle_looks: AtomicU64,
    started: Micros,
}

impl Progress {
    /// The progress of a source's files, at the start.
    pub fn new(now: Micros) -> Progress {
        Progress {
            files: Mutex::default(),
            missing: Mutex::default(),
            is_known: AtomicBool::new(false),
            caught_up: Arc::default(),
            idle_looks: AtomicU64::new(0),
            started: now,
        }
    }

    /// Records the state of a file.
    pub fn note(&self, key: Key, stands: Stands) {
        self.files().insert(key, stands);
    }

    /// Forgets the files that no longer exist.
    pub fn retain(&self, is_there: impl Fn(&Key) -> bool) {
        self.files().retain(|key, _| is_there(key));
    }

    /// Records that all existing files were looked at: a file that is unknown from now on is new.
    pub fn all_known(&self) {
        self.is_known.store(true, Ordering::Relaxed);
    }

    /// Records which logs of the source are not found any more.
    pub fn note_missing(&self, missing: Vec<Missing>) {
        *lock(&self.missing) = Some(missing);
    }

    /// The logs of the source that are not found any more; `None`: nothing was searched for yet.
    pub fn missing(&self) -> Option<Vec<Missing>> {
        lock(&self.missing).clone()
    }

    /// The time up to which everything is committed. The code that commits sets it.
    pub fn caught_up(&self) -> &Arc<AtomicI64> {
        &self.caught_up
    }

    /// Records that a look found nothing to read that was not committed.
    pub fn looked_in_vain(&self) {
        self.idle_looks.fetch_add(1, Ordering::Relaxed);
    }

    fn files(&self) -> MutexGuard<'_, HashMap<Key, Stands>> {
        lock(&self.files)
    }

    /// How far the source is behind, by its `files` on the disk. `None`: not all files were looked at yet.
    pub fn lag(&self, files: Files, now: Micros) -> Option<Lag> {
        if !self.is_known.load(Ordering::Relaxed) {
            return None;
        }
        let caught_up = self.caught_up.load(Ordering::Relaxed);
        let mut lag = Lag { looks: self.idle_looks.load(Ordering::Relaxed), ..Lag::default() };
        let on_disk = each_once(files);
        for &(key, bytes, modified) in &on_disk {
            let stands = self.files().get(&key).cloned();
            let (missing, until) = match &stands {
                Some(Stands::Read(reached, rest)) => {
                    let done = reached.bytes() + rest.load(Ordering::Relaxed);
                    (bytes.saturating_sub(done), reached.until())
                }
                Some(Stands::Unpacked(reached)) if reached.bytes() == u64::MAX => (0, 0),
                Some(Stands::Unpacked(reached)) => (bytes, reached.until()),
                Some(Stands::Copy(of, reached, rest)) => {
                    // What is missing of the other file is counted there.
                    let of = on_disk.iter().find(|other| other.0 == *of).map_or(0, |other| other.1);
                    let done = reached.bytes().saturating_add(rest.load(Ordering::Relaxed));
                    (bytes.saturating_sub(done.max(of)), 0)
                }
                Some(Stands::Settled(most)) => (bytes.saturating_sub(*most), 0),
                None => (bytes, 0),
            };
            if missing == 0 {
                continue;
            }
            // The missing data came after everything that was committed, and not later than the file's last write.
            let since = caught_up.max(until.min(modified));
            let since = if since > 0 { since } else { self.started.min(modified) };
            lag.bytes += missing;
            lag.files += 1;
            lag.seconds = lag.seconds.max((now - since).max(0) as f64 / 1e6);
        }
        Some(lag)
    }
}

/// The existing files, each once, with its size and the time of its last write.
fn each_once(files: Files) -> Vec<(Key, u64, Micros)> {
    let mut met = HashSet::new();
    let files = files.files.into_iter().filter(|file| met.insert(file.key));
    let bytes = |size: i64| u64::try_from(size).unwrap_or_default();
    files.map(|file| (file.key, bytes(file.stamp.size), file.stamp.modified)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::logs::{Logs, Place};
    use crate::source::siblings::key;

    fn stat(path: &std::path::Path) -> Key {
        key(&std::fs::metadata(path).unwrap())
    }

    #[test]
    fn what_is_not_committed_is_behind() {
        let dir = tempfile::tempdir().unwrap();
        let (live, old) = (dir.path().join("a.log"), dir.path().join("a.log.1"));
        std::fs::write(&live, [b'x'; 100]).unwrap();
        std::fs::write(&old, [b'x'; 50]).unwrap();
        let paths = [live.to_str().unwrap().to_owned()];
        let logs = Logs::named([(&paths[..], &[][..])].into_iter());
        let place = Place { logs, source: 0, seal_after: std::time::Duration::ZERO };
        let now = alt_process::clock::now();
        let progress = Progress::new(now - 9_000_000);
        assert_eq!(progress.lag(place.files(), now), None, "nothing was looked at yet");

        let (reached, rest) = (Reached::at(60), Arc::new(AtomicU64::new(0)));
        progress.note(stat(&live), Stands::Read(Arc::clone(&reached), Arc::clone(&rest)));
        progress.note(stat(&old), Stands::Settled(50));
        progress.all_known();
        let lag = |seconds| Some(Lag { bytes: 40, seconds, files: 1, looks: 0 });
        assert_eq!(progress.lag(place.files(), now), lag(9.0), "since the start");
        reached.advance(60, Some(now - 5_000_000));
        assert_eq!(progress.lag(place.files(), now), lag(5.0), "since the last event");
        progress.caught_up().store(now - 2_000_000, Ordering::Relaxed);
        assert_eq!(progress.lag(place.files(), now), lag(2.0), "since all was there");

        rest.store(40, Ordering::Relaxed);
        assert_eq!(progress.lag(place.files(), now), Some(Lag::default()), "half a line is nothing to load");
        std::fs::write(dir.path().join("a.log.2"), [b'x'; 7]).unwrap();
        assert_eq!(
            progress.lag(place.files(), now).map(|lag| (lag.bytes, lag.files)),
            Some((7, 1)),
            "a file nobody knows"
        );
        std::fs::write(&old, [b'x'; 53]).unwrap();
        assert_eq!(
            progress.lag(place.files(), now).map(|lag| (lag.bytes, lag.files)),
            Some((10, 2)),
            "grown since"
        );

        progress.note(stat(&old), Stands::Copy(stat(&live), Arc::clone(&reached), Arc::clone(&rest)));
        let lag = || progress.lag(place.files(), now).map(|lag| (lag.bytes, lag.files));
        std::fs::write(&old, [b'x'; 100]).unwrap();
        assert_eq!(lag(), Some((7, 1)), "a copy has nothing that its log has not");
        std::fs::write(&old, [b'x'; 120]).unwrap();
        assert_eq!(lag(), Some((27, 2)), "what it has more");
        rest.store(0, Ordering::Relaxed);
        assert_eq!(lag(), Some((67, 3)), "what is missing of its log is counted once");
    }
}
