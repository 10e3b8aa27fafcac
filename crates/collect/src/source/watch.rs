//! Wake-ups: tells a reader that something happened in the directories of its logs.
//!
//! Events only shorten the wait. No file depends on an event to be found: the reader looks regularly by itself, and
//! relies only on what it sees then.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use alt_store::writer::Wake;
use notify::event::{EventKind, ModifyKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};

use super::siblings::{Key, key};

/// Watches directories, not their subdirectories.
#[derive(Debug)]
pub struct Watch {
    watcher: Option<RecommendedWatcher>,
    watched: BTreeMap<PathBuf, Key>,
    /// Set when files were created, removed or renamed.
    look: Arc<AtomicBool>,
}

impl Watch {
    /// Calls `wake` when anything happens.
    pub fn new(wake: Arc<Wake>) -> Watch {
        let look = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&look);
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            match event.map(|e| e.kind) {
                // The reader's own opening and reading.
                Ok(EventKind::Access(_)) => return,
                Ok(EventKind::Modify(ModifyKind::Data(_))) => {}
                // Created, renamed, removed, or too many events to list.
                _ => seen.store(true, Ordering::Release),
            }
            wake.wake();
        });
        let watcher = watcher
            .inspect_err(
                |error| tracing::warn!(%error, "no wake-ups from the kernel: looking every half second"),
            )
            .ok();
        Watch { watcher, watched: BTreeMap::new(), look }
    }

    /// Ensures that the current directory at this path is watched. A directory that does not exist is tried again at
    /// the next look.
    pub fn cover(&mut self, directory: &Path) {
        let Some(watcher) = &mut self.watcher else { return };
        let now = std::fs::metadata(directory).ok().map(|m| key(&m));
        if now.as_ref() == self.watched.get(directory) {
            return;
        }
        if self.watched.remove(directory).is_some() {
            // The directory was replaced: the old watch is gone already, or is removed now.
            let _ = watcher.unwatch(directory);
        }
        if let Some(now) = now {
            match watcher.watch(directory, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    self.watched.insert(directory.to_owned(), now);
                }
                Err(error) => tracing::debug!(directory = %directory.display(), %error, "not watched"),
            }
        }
    }

    /// Whether names changed since the last call.
    pub fn names_changed(&self) -> bool {
        self.look.swap(false, Ordering::AcqRel)
    }
}
