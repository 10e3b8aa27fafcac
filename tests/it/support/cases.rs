//! Random cases, played on a real PostgreSQL, many at the same time.
//!
//! `ALT_TEST_SEED=N` plays one again, often, because what happens at the same time happens differently each time;
//! `ALT_TEST_FULL=1` plays forty times as many, and new ones. A case that fails is made shorter as long as it fails.

use std::fmt::Display;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::postgres::{Cluster, Database};

/// Cases that are played at the same time: most of the time they wait.
const AT_ONCE: usize = 12;

/// Cases that one database sees.
const CASES_A_DATABASE: usize = 100;

/// How often a case is played when it is looked at closely.
const AGAIN: usize = 20;

/// A case that takes so long is named, so that one that hangs can be found.
const LONG: Duration = Duration::from_secs(60);

/// Shorter cases that are tried once one has failed.
const SHORTER_TRIED: usize = 400;

/// Who else is connected.
const OTHERS: &str = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() \
                      AND backend_type = 'client backend'";

/// What went wrong.
pub(crate) type Wrong = String;

/// A database and a connection to it, for case after case.
pub(crate) struct Ground {
    pub(crate) database: Database,
    runtime: tokio::runtime::Runtime,
    client: alt_store::connect::Connection,
}

impl Ground {
    /// With these applications.
    pub(crate) fn new(cluster: &Arc<Cluster>, apps: &[&str]) -> Ground {
        let database = cluster.database();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let client = runtime.block_on(database.connect());
        let ground = Ground { database, runtime, client };
        for app in apps {
            ground.rows(&format!("INSERT INTO applications (app_key, name) VALUES ('{app}', '{app}')"));
        }
        ground
    }

    /// Ends all other connections.
    pub(crate) fn terminate(&self) {
        self.rows(&format!("SELECT pg_terminate_backend(pid) {OTHERS}"));
    }

    /// Takes out all that was loaded, once nobody is left who could load more.
    pub(crate) fn clear(&self) {
        while self.rows(&format!("SELECT count(*) {OTHERS}"))[0][0] != "0" {
            self.terminate();
            std::thread::sleep(Duration::from_millis(5));
        }
        self.rows(
            "DELETE FROM access_logs; DELETE FROM rejected_lines; DELETE FROM checkpoints; \
             DELETE FROM loaded_by_ids; DELETE FROM log_files; DELETE FROM batches",
        );
    }

    /// Waits for what is done with the connection.
    pub(crate) fn wait<T>(&self, what: impl AsyncFnOnce(&tokio_postgres::Client) -> T) -> T {
        self.runtime.block_on(what(&self.client))
    }

    /// Runs SQL; fields as text, `""` for NULL.
    pub(crate) fn rows(&self, sql: &str) -> Vec<Vec<String>> {
        let messages = self.runtime.block_on(self.client.simple_query(sql)).unwrap();
        let rows = messages.iter().filter_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        rows.map(|row| (0..row.len()).map(|i| row.get(i).unwrap_or_default().to_owned()).collect()).collect()
    }
}

fn runner(seed: u64) -> TestRunner {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}

/// The seed of cases where nothing says another.
const SEED: u64 = 417_699_896;

/// The first seed of random cases: that of `ALT_TEST_SEED`, a new one with `ALT_TEST_FULL=1`, else always the same. A
/// change is judged by what it does, and not by the cases that it happens to meet.
pub(crate) fn first_seed() -> u64 {
    if let Ok(seed) = std::env::var("ALT_TEST_SEED") {
        return seed.parse().unwrap();
    }
    let is_full = std::env::var_os("ALT_TEST_FULL").is_some();
    if is_full { u64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos()).unwrap() } else { SEED }
}

/// Plays `count` cases as `draw` draws them, on grounds as `ground` makes them; `check` says what is wrong, if
/// anything is. A shorter case counts as good once it went well so many `times`.
pub(crate) fn hold<S: Strategy<Value: Display>>(
    draw: &(impl Fn() -> S + Sync),
    ground: &(impl Fn() -> Ground + Sync),
    check: &(impl Fn(&S::Value, &Ground) -> Result<(), Wrong> + Sync),
    count: usize,
    times: usize,
) {
    let one: Option<u64> = std::env::var("ALT_TEST_SEED").ok().map(|seed| seed.parse().unwrap());
    let full = std::env::var_os("ALT_TEST_FULL").is_some();
    let count = match one {
        Some(_) => AGAIN,
        None if full => count * 40,
        None => count,
    };
    let first = first_seed();
    let (next, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let failed: Mutex<Option<(u64, Wrong)>> = Mutex::default();
    let started = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                let mut here = ground();
                let mut played = 0;
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= count as u64 || stop.load(Ordering::Relaxed) {
                        return;
                    }
                    if played == CASES_A_DATABASE {
                        (here, played) = (ground(), 0);
                    }
                    played += 1;
                    let seed = one.unwrap_or_else(|| first.wrapping_add(n));
                    let drawn = draw().new_tree(&mut runner(seed)).unwrap().current();
                    let (done, is_done) = mpsc::sync_channel::<()>(0);
                    let outcome = std::thread::scope(|watch| {
                        watch.spawn(move || {
                            if is_done.recv_timeout(LONG) == Err(RecvTimeoutError::Timeout) {
                                eprintln!("ALT_TEST_SEED={seed} takes more than {LONG:?}");
                            }
                        });
                        let outcome = check(&drawn, &here);
                        drop(done);
                        outcome
                    });
                    if let Err(wrong) = outcome {
                        stop.store(true, Ordering::Relaxed);
                        failed.lock().unwrap().get_or_insert((seed, format!("case {n}: {wrong}\n{drawn}")));
                    }
                }
            });
        }
    });
    println!("{count} cases in {:.1?}, seeds from {first}", started.elapsed());
    let Some((seed, wrong)) = failed.into_inner().unwrap() else { return };
    eprintln!("ALT_TEST_SEED={seed} fails; looking for a shorter case: {wrong}");
    let tree = draw().new_tree(&mut runner(seed)).unwrap();
    let (short, wrong) = shortest(tree, wrong, &ground(), check, times);
    panic!("ALT_TEST_SEED={seed}\n{short}\n{wrong}");
}

/// The shortest case found that fails as this one does, and how.
fn shortest<T: ValueTree>(
    mut tree: T,
    wrong: Wrong,
    ground: &Ground,
    check: &impl Fn(&T::Value, &Ground) -> Result<(), Wrong>,
    times: usize,
) -> (T::Value, Wrong) {
    let mut worst = (tree.current(), wrong);
    let mut tried = 0;
    while tried < SHORTER_TRIED && tree.simplify() {
        loop {
            tried += 1;
            let case = tree.current();
            if let Some(wrong) = (0..times).find_map(|_| check(&case, ground).err()) {
                worst = (case, wrong);
                break;
            }
            if tried >= SHORTER_TRIED || !tree.complicate() {
                return worst;
            }
        }
    }
    worst
}
