//! The worker that takes numbers of this host and of this daemon, which rules about the installation judge. Another worker
//! stores them: how full a disk is may take a while to learn, and nobody waits for it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use alt_collect::source::logs::{Live, Place};
use alt_collect::source::progress::Progress;
use alt_process::clock;
use alt_process::fault;
use alt_process::lock::lock;
use alt_process::metrics::{Metrics, Totals};
use alt_process::worker::{self, Work};
use alt_store::alerts::ask::State;
use alt_store::alerts::samples::{self, Numbers};
use nix::sys::statvfs::statvfs;
use procfs::{Current as _, CurrentSI as _};

/// How often numbers are taken.
const INTERVAL: Duration = Duration::from_secs(15);

/// The worker.
pub(super) struct Sample {
    metrics: Arc<Metrics>,
    places: Vec<Place>,
    progress: Vec<Arc<Progress>>,
    /// As of the last time: what the processors did, and what was loaded.
    busy: Option<Busy>,
    network: Option<Network>,
    totals: Option<Totals>,
    /// Messages that were given up, by this process, and as of the last time.
    given_up: Arc<AtomicU64>,
    given_up_before: u64,
    /// How it stands with alerts, as last seen.
    alerts: Arc<Mutex<Option<State>>>,
    taken: Arc<Mutex<Option<Numbers>>>,
}

/// Ticks of the processors since the start of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Busy {
    all: u64,
    idle: u64,
}

impl Busy {
    fn now() -> Option<Busy> {
        let total = procfs::KernelStats::current().ok()?.total;
        let more = [total.iowait, total.irq, total.softirq, total.steal];
        let all = total.user + total.nice + total.system + total.idle + more.iter().flatten().sum::<u64>();
        Some(Busy { all, idle: total.idle + total.iowait.unwrap_or(0) })
    }

    /// How busy the processors were since an earlier time, percent.
    fn since(self, before: Busy) -> Option<f64> {
        let all = self.all.checked_sub(before.all).filter(|all| *all > 0)?;
        let idle = self.idle.saturating_sub(before.idle).min(all);
        percent(all - idle, all)
    }
}

/// What network interfaces did since the start of the machine, but for the one to itself.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Network {
    at: Instant,
    /// Bytes that were received and sent, by interface.
    all: BTreeMap<String, [u64; 2]>,
}

/// Bytes a second.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Rates {
    received: f64,
    sent: f64,
}

impl Network {
    fn now() -> Option<Network> {
        let all = procfs::net::dev_status().ok()?.into_iter().filter(|(name, _)| name != "lo");
        let all = all.map(|(name, device)| (name, [device.recv_bytes, device.sent_bytes]));
        Some(Network { at: Instant::now(), all: all.collect() })
    }

    /// What the busiest interface did since an earlier time: what goes through a bridge is counted by several.
    #[expect(clippy::cast_precision_loss, reason = "a rate need not be exact")]
    fn since(&self, before: &Network) -> Option<Rates> {
        let seconds = self.at.checked_duration_since(before.at)?.as_secs_f64();
        let greatest = |which: usize| {
            let of = |(name, now): (&String, &[u64; 2])| now[which].checked_sub(before.all.get(name)?[which]);
            self.all.iter().filter_map(of).max()
        };
        let (received, sent) = greatest(0).zip(greatest(1)).filter(|_| seconds > 0.0)?;
        Some(Rates { received: (received as f64 / seconds).round(), sent: (sent as f64 / seconds).round() })
    }
}

/// A share of something, to a tenth. `None`: there is nothing.
#[expect(clippy::cast_precision_loss, reason = "a share need not be exact")]
fn percent(part: u64, of: u64) -> Option<f64> {
    (of > 0).then(|| (1000.0 * part as f64 / of as f64).round() / 10.0)
}

/// How full the fullest file system of directories is, percent.
fn fullest(directories: impl IntoIterator<Item = PathBuf>) -> Option<f64> {
    let used = |directory: PathBuf| {
        let disk = statvfs(&directory).ok()?;
        let (all, free) = (disk.blocks(), disk.blocks_available());
        percent(all.saturating_sub(free), all)
    };
    directories.into_iter().filter_map(used).max_by(f64::total_cmp)
}

/// By how many seconds the source that is most behind is so, to a tenth. `None`: that is not known yet.
pub(super) fn lag_of(places: &[Place], progress: &[Arc<Progress>]) -> Option<f64> {
    let (now, files) = (clock::now(), Place::files_of_all(places));
    let lags = progress.iter().zip(files).filter_map(|(progress, files)| progress.lag(files, now));
    lags.map(|lag| (lag.seconds * 10.0).round() / 10.0).max_by(f64::total_cmp)
}

impl Sample {
    /// Creates the worker, for the logs of the daemon and what is known of how far they are loaded.
    /// `given_up` counts the messages that were given up; `alerts` says how it stands with alerts.
    pub(super) fn new(
        places: &[Place],
        progress: &[Arc<Progress>],
        given_up: &Arc<AtomicU64>,
        alerts: &Arc<Mutex<Option<State>>>,
        metrics: &Arc<Metrics>,
    ) -> Sample {
        Sample {
            metrics: Arc::clone(metrics),
            places: places.to_vec(),
            progress: progress.to_vec(),
            busy: None,
            network: None,
            totals: None,
            given_up: Arc::clone(given_up),
            given_up_before: 0,
            alerts: Arc::clone(alerts),
            taken: Arc::default(),
        }
    }

    /// Where the numbers are until they are stored.
    pub(super) fn taken(&self) -> Arc<Mutex<Option<Numbers>>> {
        Arc::clone(&self.taken)
    }

    /// What is to be known of the host.
    fn host(&mut self) -> [(&'static str, Option<f64>); 6] {
        let busy = Busy::now();
        let cpu = busy.zip(self.busy).and_then(|(now, before)| now.since(before));
        self.busy = busy;
        let network = Network::now();
        let rates = network.as_ref().zip(self.network.as_ref()).and_then(|(now, before)| now.since(before));
        self.network = network;
        let load = procfs::LoadAverage::current().ok().map(|load| f64::from(load.one));
        let memory = procfs::Meminfo::current().ok().and_then(|memory| {
            percent(memory.mem_total.saturating_sub(memory.mem_available?), memory.mem_total)
        });
        let live = self.places.first().map(|place| place.logs.look());
        let paths = live.iter().flat_map(Live::paths);
        let directories: BTreeSet<PathBuf> =
            paths.filter_map(|path| path.parent().map(ToOwned::to_owned)).collect();
        [
            ("host.cpu_percent", cpu),
            ("host.load", load),
            ("host.memory_percent", memory),
            ("host.disk_percent", fullest(directories)),
            ("host.received_bytes_per_second", rates.map(|rates| rates.received)),
            ("host.sent_bytes_per_second", rates.map(|rates| rates.sent)),
        ]
    }

    /// What is to be known of the daemon: how far it is behind, and what came since the last time.
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    fn daemon(&mut self) -> [(&'static str, Option<f64>); 5] {
        let lag = lag_of(&self.places, &self.progress);
        let totals = self.metrics.totals();
        let before = self.totals.replace(totals.clone());
        let rejects = |totals: &Totals| totals.rejects.values().sum::<u64>();
        let since = |count: &dyn Fn(&Totals) -> u64| {
            before.as_ref().map(|before| count(&totals).saturating_sub(count(before)) as f64)
        };
        let given_up = self.given_up.load(Ordering::Relaxed);
        let given_up_before = std::mem::replace(&mut self.given_up_before, given_up);
        let not_judged = lock(&self.alerts).as_ref().map(|state| state.troubled as f64);
        [
            ("daemon.not_judged", not_judged),
            ("daemon.given_up", Some((given_up - given_up_before) as f64)),
            ("daemon.lag_seconds", lag),
            ("daemon.rejects", since(&rejects)),
            ("daemon.rows", since(&|totals| totals.rows)),
        ]
    }

    fn take(&mut self) {
        let all = self.host().into_iter().chain(self.daemon());
        let number = |(name, number): (&str, Option<f64>)| Some((name.to_owned(), samples::number(number?)?));
        *lock(&self.taken) = Some(all.filter_map(number).collect());
    }
}

impl Work for Sample {
    fn name(&self) -> &'static str {
        "samples"
    }

    fn turn(&mut self) -> anyhow::Result<worker::Done> {
        self.take();
        Ok(worker::Done::all(fault::wait(INTERVAL)))
    }

    fn recover(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_are_busy_by_what_they_did_since_the_last_time() {
        let busy = |all, idle| Busy { all, idle };
        assert_eq!(busy(1200, 650).since(busy(1000, 600)), Some(75.0));
        assert_eq!(busy(1000, 600).since(busy(1000, 600)), None);
        assert_eq!(busy(10, 5).since(busy(1000, 600)), None);
        assert!(Busy::now().is_some_and(|now| now.all > now.idle));
        assert!(
            fullest(["/", "/nowhere"].map(PathBuf::from)).is_some_and(|used| used > 0.0 && used <= 100.0)
        );
        assert_eq!(fullest([PathBuf::from("/nowhere")]), None);
    }

    #[test]
    fn the_busiest_interface_counts_and_one_that_is_new_does_not() {
        let began = Instant::now();
        let network = |seconds: u64, all: &[(&str, [u64; 2])]| Network {
            at: began + Duration::from_secs(seconds),
            all: all.iter().map(|(name, bytes)| ((*name).to_owned(), *bytes)).collect(),
        };
        let before = network(0, &[("eth0", [1000, 5000]), ("br0", [0, 100])]);
        let now = network(10, &[("eth0", [2000, 6000]), ("br0", [500, 4100]), ("new", [1 << 40, 1 << 40])]);
        assert_eq!(now.since(&before), Some(Rates { received: 100.0, sent: 400.0 }));
        // Of an interface that began again, nothing is known.
        assert_eq!(network(20, &[("eth0", [0, 0])]).since(&now), None);
        assert!(Network::now().is_some_and(|now| !now.all.contains_key("lo")));
    }

    /// Sums of what came since the last time are what came, whatever happened before the first time.
    #[test]
    fn what_came_is_counted_from_the_second_time_on() {
        let metrics = Arc::new(Metrics::default());
        let given_up = Arc::new(AtomicU64::new(0));
        let mut sample = Sample::new(&[], &[], &given_up, &Arc::default(), &metrics);
        let taken = sample.taken();
        sample.take();
        let first = lock(&taken).take().unwrap();
        assert!(first.contains_key("host.load") && first.contains_key("host.memory_percent"), "{first:?}");
        assert!(!first.contains_key("daemon.rows") && !first.contains_key("host.cpu_percent"), "{first:?}");
        sample.take();
        let second = lock(&taken).take().unwrap();
        assert_eq!(second["daemon.rows"].to_string(), "0");
        assert_eq!(second["daemon.given_up"].to_string(), "0");
        given_up.fetch_add(2, Ordering::Relaxed);
        for expected in ["2", "0"] {
            sample.take();
            assert_eq!(lock(&taken).take().unwrap()["daemon.given_up"].to_string(), expected);
        }
    }
}
