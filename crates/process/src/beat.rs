//! That a thread moves: a count that goes on inside long work, and whether the thread waits for the writer.
//!
//! The watchdog goes by it. Every step that is bounded moves the count; a loop without an end moves nothing.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// One thread's.
#[derive(Debug, Default)]
pub struct Beat {
    count: AtomicU64,
    waits: AtomicUsize,
}

impl Beat {
    /// A bounded step is done.
    pub fn moves(&self) {
        self.count.fetch_add(1, Ordering::Relaxed);
    }

    /// Steps so far.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Whether the thread waits for the writer.
    pub fn is_waiting(&self) -> bool {
        self.waits.load(Ordering::Acquire) > 0
    }

    /// The thread waits for the writer until the answer is dropped.
    pub fn waiting(&self) -> Waiting<'_> {
        self.waits.fetch_add(1, Ordering::AcqRel);
        Waiting(self)
    }
}

/// That a thread waits for the writer.
#[derive(Debug)]
pub struct Waiting<'a>(&'a Beat);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.moves();
        self.0.waits.fetch_sub(1, Ordering::AcqRel);
    }
}
