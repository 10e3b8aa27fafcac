//! Locks whose holders leave what they hold whole: one that broke off meanwhile changes nothing for the next.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Waits for a mutex, whoever broke with it in hand.
pub fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
