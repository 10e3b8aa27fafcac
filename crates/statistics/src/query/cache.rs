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

    /// From now on so many bytes: [`Cache::trim`] forgets the rest.
    pub fn limit(&mut self, bytes: usize) {
        self.most = bytes;
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
    pub fn open(&mut self, key: &K, bytes: &[u8]) -> Result<Arc<Segment>, Broken> {
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
        if memory <= self.most {
            return;
        }
        let but = but.and_then(|key| self.segments.get(key)).map(|(_, used)| *used);
        let mut oldest: Vec<(u64, usize)> =
            self.segments.values().map(|(segment, used)| (*used, segment.memory())).collect();
        oldest.sort_unstable();
        let mut last = 0;
        for (used, bytes) in oldest.into_iter().filter(|(used, _)| Some(*used) != but) {
            if memory <= self.most {
                break;
            }
            memory = memory.saturating_sub(bytes);
            last = used;
        }
        self.segments.retain(|_, (_, used)| *used > last || Some(*used) == but);
    }
}
