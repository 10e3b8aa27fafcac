//! A thread's heartbeat: a counter that advances during long work, and whether the thread waits for the writer.
//!
//! The watchdog reads it. Every bounded step advances the counter; an endless loop does not.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// The heartbeat of one thread.
#[derive(Debug, Default)]
pub struct Beat {
    count: AtomicU64,
    waits: AtomicUsize,
}

impl Beat {
    /// Records that a bounded step is done.
    pub fn moves(&self) {
        self.count.fetch_add(1, Ordering::Relaxed);
    }

    /// The number of steps so far.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Whether the thread waits for the writer.
    pub fn is_waiting(&self) -> bool {
        self.waits.load(Ordering::Acquire) > 0
    }

    /// Marks the thread as waiting for the writer until the returned value is dropped.
    pub fn waiting(&self) -> Waiting<'_> {
        self.waits.fetch_add(1, Ordering::AcqRel);
        Waiting(self)
    }
}

/// Marks that a thread waits for the writer.
#[derive(Debug)]
pub struct Waiting<'a>(&'a Beat);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.moves();
        self.0.waits.fetch_sub(1, Ordering::AcqRel);
    }
}
