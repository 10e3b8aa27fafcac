//! Opened segments by a key, within a number of bytes.

use std::hash::Hash;
use std::sync::Arc;

use foldhash::{HashMap, HashMapExt};

use crate::segment::{Broken, Segment};

/// Segments that were asked for last. A key names bytes that never change: an application, a day, a part and a generation.
#[derive(Debug)]
pub struct Cache<K> {
    segments: HashMap<K, (Arc<Segment>, u64)>,
    clock: u64,
    most: usize,
}

impl<K: Eq + Hash + Clone> Cache<K> {
    /// Of so many bytes at most, except that the segment that was asked for last is always there.
    pub fn new(bytes: usize) -> Cache<K> {
        Cache { segments: HashMap::new(), clock: 0, most: bytes }
    }

    /// A segment that is there.
    pub fn get(&mut self, key: &K) -> Option<Arc<Segment>> {
        self.clock += 1;
        let (segment, used) = self.segments.get_mut(key)?;
        *used = self.clock;
        Some(Arc::clone(segment))
    }

    /// Opens a segment and keeps it.
    ///
    /// # Errors
    /// The bytes are none.
    pub fn open(&mut self, key: &K, bytes: Vec<u8>) -> Result<Arc<Segment>, Broken> {
        let segment = Arc::new(Segment::open(bytes)?);
        self.clock += 1;
        self.segments.insert(key.clone(), (Arc::clone(&segment), self.clock));
        self.trim(Some(key));
        Ok(segment)
    }

    /// Bytes of all that is kept. They grow when columns are unpacked: call [`Cache::trim`] after a query.
    pub fn memory(&self) -> usize {
        self.segments.values().map(|(segment, _)| segment.memory()).sum()
    }

    /// Forgets what was asked for longest ago, until the rest has room.
    pub fn trim(&mut self, but: Option<&K>) {
        let mut memory = self.memory();
        let mut oldest: Vec<(u64, K)> =
            self.segments.iter().map(|(key, kept)| (kept.1, key.clone())).collect();
        oldest.sort_unstable_by_key(|(used, _)| *used);
        for (_, key) in oldest {
            if memory <= self.most {
                return;
            }
            if but == Some(&key) {
                continue;
            }
            if let Some((segment, _)) = self.segments.remove(&key) {
                memory -= segment.memory();
            }
        }
    }
}
