//! Faults that the tests request from a debug build by `ALT_FAULT_…` variables: to die at a step, or to wait for less
//! time; and what they do at a step within their own process. A release build contains none of this.

use std::time::Duration;

macro_rules! steps {
    ($($(#[$doc:meta])* $step:ident,)*) => {
        /// A step at whose end, or in whose middle, the process may die.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Step { $($(#[$doc])* $step,)* }

        impl Step {
            /// All steps.
            pub const ALL: &[Step] = &[$(Step::$step,)*];
        }
    };
}

steps! {
    /// The database has returned the checkpoints that a file may continue.
    CheckpointsRead,
    /// A new file has its key, and nothing else.
    FileNumbered,
    /// A visitor salt is created.
    SaltMade,
    /// The transaction that creates a partition is open.
    PartitionBegun,
    /// The partition is created and attached, but not committed.
    PartitionMade,
    /// The partition is committed.
    PartitionCommitted,
    /// The batch's user agents are added.
    AgentsAdded,
    /// The batch's transaction is open, and holds its locks.
    Begun,
    /// The existing rows are known.
    IdsRead,
    /// The checkpoints are advanced, and the rejects are added.
    Advanced,
    /// Some of the rows are sent.
    Copying,
    /// PostgreSQL refuses some of the rows, and they are tried again in parts.
    RefusedTried,
    /// The rows are copied. Only the `COMMIT` is missing.
    Copied,
    /// The rows of a batch are copied, and the batch before may not be committed.
    CopiedAhead,
    /// The batch is committed, but nobody has been notified.
    Committed,
    /// A log is packed.
    Packed,
    /// An object is in the archive under a temporary name.
    HalfStored,
    /// The object has its final name.
    Named,
    /// The object is verified, but not recorded.
    Proven,
    /// The object is recorded.
    Noted,
    /// The local file is about to be deleted.
    Deleting,
    /// The local file is deleted, but the deletion is not recorded.
    Deleted,
    /// A migration is applied, but not committed.
    Migrated,
    /// A worker has the lease of its work, but has not begun to write.
    LeaseTaken,
    /// The worker has checked its fence within a transaction, but has not written.
    FenceChecked,
    /// The days of what changed are marked, but not committed.
    FoldMarked,
    /// The marks of a day are read, and its rows are not.
    FoldBegun,
    /// The rows of the day are read.
    FoldRead,
    /// The day's statistics are replaced, but not committed.
    FoldReplaced,
    /// The day's statistics are committed.
    FoldCommitted,
    /// All days of a month are computed, and not frozen.
    FoldFreezes,
    /// The times of what changed are marked for alerts, but not committed.
    JudgeMarked,
    /// The marks of an application are read, and its rows are not.
    JudgeBegun,
    /// The rules are judged by the rows.
    JudgeRead,
    /// What was judged is stored, but not committed.
    JudgeStored,
    /// What was judged is committed.
    JudgeCommitted,
    /// A message is taken, and not sent.
    NotifyTaken,
    /// A message is about to be sent.
    NotifySending,
    /// A message is sent, and that is not recorded.
    NotifySent,
    /// What became of a message is recorded, but not committed.
    NotifySettled,
    /// What became of a message is committed.
    NotifyCommitted,
}

/// Kills the process, as `kill -9` does, if `ALT_FAULT_AT` names this step; with `STEP:N`, the N-th time that it is
/// reached. Stops the process, as `kill -STOP` does, if `ALT_FAULT_STOP_AT` names this step.
#[inline]
pub fn at(step: Step) {
    #[cfg(debug_assertions)]
    debug::reached(step);
    #[cfg(not(debug_assertions))]
    let _ = step;
}

/// Calls `act` at each step that this thread reaches, in a debug build: what a test does in between happens there, and a panic
/// ends the work at this step.
pub fn act(act: Box<dyn FnMut(Step)>) {
    #[cfg(debug_assertions)]
    debug::ACT.set(Some(act));
    #[cfg(not(debug_assertions))]
    drop(act);
}

/// Applies `ALT_FAULT_LINE`, which is `WHAT:MARKER`, if the line that is about to be parsed contains the marker. `WHAT`
/// is `panic`, `abort`, `segv` (the signal) or `spin` (for ever).
#[inline]
pub fn line(bytes: &[u8]) {
    #[cfg(debug_assertions)]
    debug::line(bytes);
    #[cfg(not(debug_assertions))]
    let _ = bytes;
}

/// How long to wait for something that may never come. In a debug build, `ALT_FAULT_WAIT` is an upper limit, in
/// milliseconds.
#[must_use]
pub fn wait(time: Duration) -> Duration {
    no_longer_than("ALT_FAULT_WAIT", time)
}

/// How long a part of the daemon may make no progress. In a debug build, `ALT_FAULT_STILL` is an upper limit, in
/// milliseconds.
#[must_use]
pub fn still(time: Duration) -> Duration {
    no_longer_than("ALT_FAULT_STILL", time)
}

/// Waits as long as `ALT_FAULT_UNPACK` says, in milliseconds, in a debug build: a disk or a decompressor that is slow.
#[inline]
pub fn unpack() {
    #[cfg(debug_assertions)]
    if let Some(time) = std::env::var("ALT_FAULT_UNPACK").ok().and_then(|time| time.parse().ok()) {
        std::thread::sleep(Duration::from_millis(time));
    }
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
    use std::cell::Cell;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    use nix::sys::signal::{Signal, raise};

    use super::Step;

    /// A variable that names a step and the occurrence at which to act, and how often the step was reached.
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
                // The first signal only removes the runtime's own handler.
                "segv" => loop {
                    let _ = raise(Signal::SIGSEGV);
                },
                _ => loop {
                    std::hint::spin_loop();
                },
            }
        }
    }

    /// What [`super::act`] was told.
    type Act = Box<dyn FnMut(Step)>;

    thread_local! {
        pub(super) static ACT: Cell<Option<Act>> = const { Cell::new(None) };
    }

    pub(super) fn reached(step: Step) {
        if let Some(mut act) = ACT.take() {
            act(step);
            ACT.set(Some(act));
        }
        for (wanted, does, signal) in [(&DIES, "dies", Signal::SIGKILL), (&STOPS, "stops", Signal::SIGSTOP)] {
            if wanted.is_at(step) {
                eprintln!("{}: {does} at {step:?}", wanted.variable);
                let _ = raise(signal);
            }
        }
    }
}
