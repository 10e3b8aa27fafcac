//! Wake-ups: tells readers that something happened in the directories of their logs.
//!
//! Events only shorten the wait. No file depends on an event to be found: a reader looks regularly by itself, and
//! relies only on what it sees then. The kernel gives each account few watchers (128 by default), and each takes a
//! thread, so all sources share one.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use alt_process::lock::lock;
use alt_store::writer::Wake;
use notify::event::{EventKind, ModifyKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};

use super::siblings::{Key, key};

/// What an event tells to one source.
#[derive(Debug)]
struct Ear {
    /// Set when files were created, removed or renamed.
    look: AtomicBool,
    wake: Arc<Wake>,
}

/// The sources to be told, by directory.
type Ears = Arc<Mutex<HashMap<PathBuf, Vec<Arc<Ear>>>>>;

/// Watches directories, not their subdirectories, for all sources.
#[derive(Debug, Clone)]
pub struct Watches {
    /// `None`: the kernel gives no wake-ups. The ears have a lock of their own, because the watcher's thread waits for
    /// it.
    watcher: Option<Arc<Mutex<Watched>>>,
    ears: Ears,
}

#[derive(Debug)]
struct Watched {
    watcher: RecommendedWatcher,
    directories: HashMap<PathBuf, Key>,
}

impl Watches {
    /// Watches nothing yet.
    pub fn new() -> Watches {
        let ears = Ears::default();
        let told = Arc::clone(&ears);
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            let (is_name, paths) = match event {
                // The reader's own opening and reading.
                Ok(event) if matches!(event.kind, EventKind::Access(_)) => return,
                Ok(event) => (!matches!(event.kind, EventKind::Modify(ModifyKind::Data(_))), event.paths),
                // Too many events to list.
                Err(_) => (true, Vec::new()),
            };
            tell(&lock(&told), is_name, &paths);
        });
        let watcher = watcher
            .inspect_err(
                |error| tracing::warn!(%error, "no wake-ups from the kernel: looking every half second"),
            )
            .ok();
        let watched = |watcher| Arc::new(Mutex::new(Watched { watcher, directories: HashMap::new() }));
        Watches { watcher: watcher.map(watched), ears }
    }

    /// Calls `wake` when anything happens in the directories that the result covers.
    pub fn of(&self, wake: Arc<Wake>) -> Watch {
        let ear = Arc::new(Ear { look: AtomicBool::new(false), wake });
        Watch { all: self.clone(), ear, covered: BTreeSet::new() }
    }
}

impl Default for Watches {
    fn default() -> Self {
        Watches::new()
    }
}

/// Tells those that watch the directories of these paths; all, if there is no path.
fn tell(ears: &HashMap<PathBuf, Vec<Arc<Ear>>>, is_name: bool, paths: &[PathBuf]) {
    let tell = |ear: &Arc<Ear>| {
        if is_name {
            ear.look.store(true, Ordering::Release);
        }
        ear.wake.wake();
    };
    if paths.is_empty() {
        ears.values().flatten().for_each(tell);
        return;
    }
    for path in paths {
        let places = path.parent().into_iter().chain([path.as_path()]);
        places.filter_map(|place| ears.get(place)).flatten().for_each(tell);
    }
}

/// The wake-ups of one source.
#[derive(Debug)]
pub struct Watch {
    all: Watches,
    ear: Arc<Ear>,
    /// The directories about which it is told.
    covered: BTreeSet<PathBuf>,
}

impl Watch {
    /// Ensures that the current directory at this path is watched. A directory that does not exist is tried again at
    /// the next look.
    pub fn cover(&mut self, directory: &Path) {
        let Some(watched) = &self.all.watcher else { return };
        if self.covered.insert(directory.to_owned()) {
            lock(&self.all.ears).entry(directory.to_owned()).or_default().push(Arc::clone(&self.ear));
        }
        let now = std::fs::metadata(directory).ok().map(|m| key(&m));
        let Watched { watcher, directories } = &mut *lock(watched);
        if now.as_ref() == directories.get(directory) {
            return;
        }
        if directories.remove(directory).is_some() {
            // The directory was replaced: the old watch is gone already, or is removed now.
            let _ = watcher.unwatch(directory);
        }
        if let Some(now) = now {
            match watcher.watch(directory, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    directories.insert(directory.to_owned(), now);
                }
                Err(error) => tracing::debug!(directory = %directory.display(), %error, "not watched"),
            }
        }
    }

    /// Whether names changed since the last call.
    pub fn names_changed(&self) -> bool {
        self.ear.look.swap(false, Ordering::AcqRel)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn each_source_is_told_about_its_own_directories() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        for name in ["one", "other", "both"] {
            std::fs::create_dir(at(name)).unwrap();
        }
        let watches = Watches::new();
        let mut one = watches.of(Arc::default());
        let mut other = watches.of(Arc::default());
        for (watch, name) in [(&mut one, "one"), (&mut other, "other")] {
            watch.cover(&at(name));
            watch.cover(&at("both"));
        }
        let told = |name: &str, tells: [bool; 2]| {
            std::fs::write(at(name), "x").unwrap();
            let deadline = Instant::now() + Duration::from_secs(10);
            let mut seen = [false; 2];
            while seen != tells && Instant::now() < deadline {
                seen = [seen[0] | one.names_changed(), seen[1] | other.names_changed()];
                std::thread::sleep(Duration::from_millis(5));
            }
            assert_eq!(seen, tells, "{name}");
        };
        told("one/a.log", [true, false]);
        told("other/a.log", [false, true]);
        told("both/a.log", [true, true]);
    }
}
