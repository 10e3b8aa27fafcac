//! What the tests ask of a debug build by `ALT_FAULT_…` variables. In a release build none of it is there.

use std::time::Duration;

/// How long to wait for something that may never come: in a debug build at most as many milliseconds as
/// `ALT_FAULT_WAIT` says.
#[must_use]
pub fn wait(time: Duration) -> Duration {
    #[cfg(debug_assertions)]
    if let Some(most) = std::env::var("ALT_FAULT_WAIT").ok().and_then(|most| most.parse().ok()) {
        return time.min(Duration::from_millis(most));
    }
    time
}
