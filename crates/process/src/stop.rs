//! A stop signal, for blocking and for async code.

use std::io::Read;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use tokio::sync::Notify;

use crate::lock::lock;

/// A stop signal, shared by whoever gives it and everyone who must obey it.
#[derive(Debug, Default)]
pub struct Stop {
    stopped: AtomicBool,
    notify: Notify,
    lock: Mutex<()>,
    condition: Condvar,
}

impl Stop {
    /// Gives the signal.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        self.notify.notify_waiters();
        // A thread that is about to sleep holds the lock until it sleeps, so it misses neither the flag nor the
        // wake-up.
        drop(self.lock.lock());
        self.condition.notify_all();
    }

    /// Blocks until the signal is given, for at most this time.
    pub fn sleep(&self, most: Duration) {
        let held = lock(&self.lock);
        let _ = self.condition.wait_timeout_while(held, most, |()| !self.is_stopped());
    }

    /// Whether the signal was given.
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    /// Waits until the signal is given.
    pub async fn wait(&self) {
        loop {
            let notified = self.notify.notified();
            if self.is_stopped() {
                return;
            }
            notified.await;
        }
    }

    /// Fails once the signal has been given.
    ///
    /// # Errors
    /// [`Stopped`].
    pub fn check(&self) -> Result<(), Stopped> {
        if self.is_stopped() { Err(Stopped) } else { Ok(()) }
    }
}

/// The work ended early because of the stop signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped;

impl std::fmt::Display for Stopped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("stopped")
    }
}

impl std::error::Error for Stopped {}

/// A reader that fails once the stop signal has been given.
pub struct Stoppable<R> {
    /// The reader inside.
    pub from: R,
    /// The signal.
    pub stop: Arc<Stop>,
}

impl<R: Read> Read for Stoppable<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.stop.check().map_err(std::io::Error::other)?;
        self.from.read(buffer)
    }
}
