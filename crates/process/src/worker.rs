//! Work beside loading: archiving, upkeep, and whatever follows a commit.
//!
//! A worker has its own thread. Each *turn* finds out what is due, does it, and returns when to look again. After a
//! turn that failed or panicked, the worker waits, longer after each failure. The next turn starts again from the state
//! of the disk and the database. So a worker never delays loading or another worker. A problem is logged once, and
//! `/readyz` and `/metrics` show it until it is over.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use alt_line::hit::Micros;

use crate::clock;
use crate::lock::lock;
use crate::stop::{Stop, Stopped};

/// The first wait after a failed turn.
pub const RETRY_FIRST: Duration = Duration::from_secs(1);

/// The longest wait after a failed turn.
pub const RETRY_MOST: Duration = Duration::from_secs(300);

/// How often a waiting worker is asked whether its next turn is due.
const LOOK: Duration = Duration::from_secs(1);

/// Waits that double, up to a maximum.
#[derive(Debug, Clone, Copy)]
pub struct Backoff {
    first: Duration,
    most: Duration,
    next: Duration,
}

impl Backoff {
    /// Starts with the first wait.
    pub const fn new(first: Duration, most: Duration) -> Backoff {
        Backoff { first, most, next: first }
    }

    /// How long to wait now. Doubles the next wait.
    pub fn wait(&mut self) -> Duration {
        let wait = self.next;
        self.next = (wait * 2).min(self.most);
        wait
    }

    /// Resets the next wait to the first one.
    pub fn reset(&mut self) {
        self.next = self.first;
    }
}

/// The result of a turn that did not fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// When to look again.
    pub next: Duration,
    /// What could not be done, although other things were.
    pub trouble: Option<String>,
}

impl Done {
    /// Everything that was due is done.
    pub fn all(next: Duration) -> Done {
        Done { next, trouble: None }
    }
}

/// What a worker does.
pub trait Work: Send {
    /// The worker's name, as in its thread's name (`alt-NAME`), in `/readyz` and in the metrics.
    fn name(&self) -> &'static str;

    /// Does what is due.
    ///
    /// # Errors
    /// Why it could not be done. The worker retries.
    fn turn(&mut self) -> anyhow::Result<Done>;

    /// Whether an event since the last turn makes the next turn due now. Asked once a second.
    fn is_wanted(&self) -> bool {
        false
    }

    /// Drops what a panicked turn may have left half done, such as an open transaction.
    fn recover(&mut self);
}

/// The state of a worker.
#[derive(Debug)]
pub struct State {
    name: &'static str,
    trouble: Mutex<Option<String>>,
    turns: AtomicU64,
    failures: AtomicU64,
    worked_at: AtomicI64,
}

impl State {
    /// The state of a worker before its first turn.
    pub fn new(name: &'static str) -> State {
        State {
            name,
            trouble: Mutex::default(),
            turns: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            worked_at: AtomicI64::new(0),
        }
    }

    /// The name of the worker.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Why the worker cannot work, if it cannot.
    pub fn trouble(&self) -> Option<String> {
        lock(&self.trouble).clone()
    }

    /// The number of finished turns, and how many of them failed.
    pub fn turns(&self) -> (u64, u64) {
        (self.turns.load(Ordering::Relaxed), self.failures.load(Ordering::Relaxed))
    }

    /// When a turn last ended without any problem, microseconds since 1970.
    pub fn worked_at(&self) -> Option<Micros> {
        Some(self.worked_at.load(Ordering::Relaxed)).filter(|at| *at != 0)
    }

    /// Records how a turn ended. Logs a problem that is new or over.
    fn note(&self, trouble: Option<String>) {
        if trouble.is_none() {
            self.worked_at.store(clock::now(), Ordering::Relaxed);
        }
        let before = std::mem::replace(&mut *lock(&self.trouble), trouble.clone());
        match trouble {
            Some(error) if before.as_ref() != Some(&error) => {
                tracing::warn!(worker = self.name, error, "the worker fails: trying again until it works");
            }
            None if before.is_some() => tracing::info!(worker = self.name, "the worker works again"),
            _ => {}
        }
    }
}

/// A worker, and the state that its thread shares with others.
pub struct Worker<W> {
    /// The work.
    pub work: W,
    state: Arc<State>,
    stop: Arc<Stop>,
}

impl<W: Work> Worker<W> {
    /// Creates a worker that works until `stop`.
    pub fn new(work: W, stop: Arc<Stop>) -> Worker<W> {
        let state = Arc::new(State::new(work.name()));
        Worker { work, state, stop }
    }

    /// The worker's state, for monitoring.
    pub fn state(&self) -> Arc<State> {
        Arc::clone(&self.state)
    }

    /// Takes one turn. Returns when to take the next one; `None`: the turn failed.
    pub fn turn(&mut self) -> Option<Duration> {
        // `recover` drops what a panic leaves half done.
        let ended = catch_unwind(AssertUnwindSafe(|| self.work.turn()));
        let ended = ended.unwrap_or_else(|_| {
            self.work.recover();
            Err(anyhow::anyhow!("it panicked: this is a defect, please report it with the lines above"))
        });
        self.state.turns.fetch_add(1, Ordering::Relaxed);
        match ended {
            Ok(done) => {
                self.state.note(done.trouble);
                Some(done.next)
            }
            Err(error) => {
                if !error.is::<Stopped>() && !self.stop.is_stopped() {
                    self.state.failures.fetch_add(1, Ordering::Relaxed);
                    self.state.note(Some(format!("{error:#}")));
                }
                None
            }
        }
    }

    /// Takes turns until it is time to stop. This is the body of the thread.
    pub fn run(&mut self) {
        let mut backoff = Backoff::new(RETRY_FIRST, RETRY_MOST);
        while !self.stop.is_stopped() {
            let wait = match self.turn() {
                Some(wait) => {
                    backoff.reset();
                    wait
                }
                None => backoff.wait(),
            };
            self.wait(wait);
        }
    }

    /// Waits until a turn is due.
    fn wait(&self, mut time: Duration) {
        while !time.is_zero() && !self.stop.is_stopped() && !self.work.is_wanted() {
            let slice = time.min(LOOK);
            self.stop.sleep(slice);
            time -= slice;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ends its turns as listed.
    struct Scripted {
        turns: Vec<&'static str>,
        recovered: u32,
    }

    impl Work for Scripted {
        fn name(&self) -> &'static str {
            "scripted"
        }

        fn turn(&mut self) -> anyhow::Result<Done> {
            match self.turns.remove(0) {
                "done" => Ok(Done::all(Duration::from_secs(7))),
                "partly" => Ok(Done { next: Duration::from_secs(7), trouble: Some("one of two".to_owned()) }),
                "stopped" => Err(Stopped.into()),
                "panic" => panic!("scripted"),
                error => Err(anyhow::anyhow!(error.to_owned())),
            }
        }

        fn recover(&mut self) {
            self.recovered += 1;
        }
    }

    #[test]
    fn a_turn_that_fails_or_panics_is_a_trouble_until_one_works() {
        let turns = vec!["done", "no room", "panic", "partly", "stopped", "done"];
        let mut worker = Worker::new(Scripted { turns, recovered: 0 }, Arc::default());
        let state = worker.state();
        let mut seen = Vec::new();
        while !worker.work.turns.is_empty() {
            let next = worker.turn().map(|wait| wait.as_secs());
            seen.push((next, state.trouble().unwrap_or_default(), state.turns().1, worker.work.recovered));
        }
        let panicked = "it panicked: this is a defect, please report it with the lines above";
        let is = |next, trouble: &str, failures, recovered| (next, trouble.to_owned(), failures, recovered);
        assert_eq!(
            seen,
            [
                is(Some(7), "", 0, 0),
                is(None, "no room", 1, 0),
                is(None, panicked, 2, 1),
                is(Some(7), "one of two", 2, 1),
                is(None, "one of two", 2, 1),
                is(Some(7), "", 2, 1),
            ]
        );
        assert_eq!(state.turns().0, 6);
        assert!(state.worked_at().is_some());
    }

    #[test]
    fn it_waits_for_longer_each_time_and_ends_when_it_is_told() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(300));
        let waits: Vec<u64> = (0..11).map(|_| backoff.wait().as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        backoff.reset();
        assert_eq!(backoff.wait(), Duration::from_secs(1));

        let stop = Arc::new(Stop::default());
        let work = Scripted { turns: vec!["done", "done"], recovered: 0 };
        let mut worker = Worker::new(work, Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            worker.run();
            worker.work.turns.len()
        });
        // This is within the first wait of seven seconds.
        std::thread::sleep(Duration::from_millis(100));
        stop.stop();
        assert_eq!(thread.join().unwrap(), 1);
    }
}
