//! What the tests ask of a debug build by `ALT_FAULT_…` variables: to die at a step, to wait for less long. In a release
//! build none of it is there.

use std::time::Duration;

macro_rules! steps {
    ($($(#[$doc:meta])* $step:ident,)*) => {
        /// A step after which, or in the middle of which, the process may die.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Step { $($(#[$doc])* $step,)* }

        impl Step {
            /// Each of them.
            pub const ALL: &[Step] = &[$(Step::$step,)*];
        }
    };
}

steps! {
    /// The database has said which checkpoints a file may go on at.
    CheckpointsRead,
    /// A new file has its key, and nothing else.
    FileNumbered,
    /// A visitor salt is made.
    SaltMade,
    /// The transaction in which a partition is made is begun.
    PartitionBegun,
    /// The partition is made and attached, and not committed.
    PartitionMade,
    /// The partition is committed.
    PartitionCommitted,
    /// The batch's user agents are added.
    AgentsAdded,
    /// The batch's transaction is begun, and has its locks.
    Begun,
    /// It is known which rows are there already.
    IdsRead,
    /// The checkpoints are advanced, and the rejects added.
    Advanced,
    /// A part of the rows is sent.
    Copying,
    /// The rows are copied: all is there but the `COMMIT`.
    Copied,
    /// The batch is committed, and nobody was told.
    Committed,
    /// A log is packed.
    Packed,
    /// An object is in the archive, under a name for the time being.
    HalfStored,
    /// It has its name.
    Named,
    /// It is proven, and not noted.
    Proven,
    /// It is noted.
    Noted,
    /// The local file is to be deleted now.
    Deleting,
    /// The local file is deleted, and that is not noted.
    Deleted,
    /// A migration is applied, and not committed.
    Migrated,
    /// A worker has the lease of its work, and has not begun to write.
    LeaseTaken,
    /// It has made sure of that within a transaction, and has not written.
    FenceChecked,
}

/// Dies as `kill -9` does if this is the step that `ALT_FAULT_AT` names, or, as `STEP:N`, the N-th time; stops as `kill -STOP`
/// does if `ALT_FAULT_STOP_AT` names it.
#[inline]
pub fn at(step: Step) {
    #[cfg(debug_assertions)]
    debug::reached(step);
    #[cfg(not(debug_assertions))]
    let _ = step;
}

/// Does to the process what `ALT_FAULT_LINE` says, as `WHAT:MARKER`, where a line that is about to be parsed holds the marker:
/// `panic`, `abort`, `segv` (as the signal), or `spin`, for ever.
#[inline]
pub fn line(bytes: &[u8]) {
    #[cfg(debug_assertions)]
    debug::line(bytes);
    #[cfg(not(debug_assertions))]
    let _ = bytes;
}

/// How long to wait for something that may never come: in a debug build at most as many milliseconds as
/// `ALT_FAULT_WAIT` says.
#[must_use]
pub fn wait(time: Duration) -> Duration {
    no_longer_than("ALT_FAULT_WAIT", time)
}

/// How long a part of the daemon may stand still: in a debug build at most as many milliseconds as `ALT_FAULT_STILL` says.
#[must_use]
pub fn still(time: Duration) -> Duration {
    no_longer_than("ALT_FAULT_STILL", time)
}

fn no_longer_than(variable: &str, time: Duration) -> Duration {
    #[cfg(debug_assertions)]
    if let Some(most) = std::env::var(variable).ok().and_then(|most| most.parse().ok()) {
        return time.min(Duration::from_millis(most));
    }
    #[cfg(not(debug_assertions))]
    let _ = variable;
    time
}

#[cfg(debug_assertions)]
mod debug {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    use nix::sys::signal::{Signal, raise};

    use super::Step;

    /// A variable that names a step, and the time at which something is done there; how often it was reached.
    struct Wanted {
        variable: &'static str,
        step: OnceLock<Option<(String, u64)>>,
        times: AtomicU64,
    }

    impl Wanted {
        const fn by(variable: &'static str) -> Wanted {
            Wanted { variable, step: OnceLock::new(), times: AtomicU64::new(0) }
        }

        fn is_at(&self, step: Step) -> bool {
            let wanted = self.step.get_or_init(|| {
                let wanted = std::env::var(self.variable).ok()?;
                let (name, times) = wanted.split_once(':').unwrap_or((&wanted, "1"));
                Some((name.to_owned(), times.parse().ok()?))
            });
            let Some((name, times)) = wanted else { return false };
            *name == format!("{step:?}") && self.times.fetch_add(1, Ordering::Relaxed) + 1 == *times
        }
    }

    static DIES: Wanted = Wanted::by("ALT_FAULT_AT");
    static STOPS: Wanted = Wanted::by("ALT_FAULT_STOP_AT");

    static LINES: OnceLock<Vec<(String, String)>> = OnceLock::new();

    pub(super) fn line(bytes: &[u8]) {
        let lines = LINES.get_or_init(|| {
            let wanted = std::env::var("ALT_FAULT_LINE").unwrap_or_default();
            let pairs = wanted.split(',').filter_map(|one| one.split_once(':'));
            pairs.map(|(what, marker)| (what.to_owned(), marker.to_owned())).collect()
        });
        for (what, marker) in lines {
            if memchr::memmem::find(bytes, marker.as_bytes()).is_none() {
                continue;
            }
            eprintln!("ALT_FAULT_LINE: {what}");
            match what.as_str() {
                "panic" => panic!("ALT_FAULT_LINE"),
                "abort" => std::process::abort(),
                // The first one only takes the runtime's own handler away.
                "segv" => loop {
                    let _ = raise(Signal::SIGSEGV);
                },
                _ => loop {
                    std::hint::spin_loop();
                },
            }
        }
    }

    pub(super) fn reached(step: Step) {
        for (wanted, does, signal) in [(&DIES, "dies", Signal::SIGKILL), (&STOPS, "stops", Signal::SIGSTOP)] {
            if wanted.is_at(step) {
                eprintln!("{}: {does} at {step:?}", wanted.variable);
                let _ = raise(signal);
            }
        }
    }
}
